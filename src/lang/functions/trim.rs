//! `trim`: takes blanks off.

use super::support::{give, one_text, text};
use super::{Absence, Arg, Context, Example, Failure, Function, Inferred, WrongArguments};
use crate::lang::types::{Base, Fidelity, Type};
use crate::lang::value::Value;

/// `trim`
pub static FUNCTION: Function = Function {
    name: "trim",
    signature: "trim(text) -> text?",
    doc: "Takes blanks off both ends.\n\nA text of blanks only is absent.",
    examples: &[
        Example { call: r#"trim("  Ann ")"#, gives: r#""Ann""# },
        Example { call: r#"trim("   ")"#, gives: "absent" },
    ],
    absence: Absence::Propagates,
    infer,
    eval,
};

fn infer(args: &[Arg<'_>]) -> Result<Inferred, WrongArguments> {
    let max = one_text(args)?;
    give(Type::maybe(Base::Text { max }), Fidelity::Reformatted)
}

fn eval(args: &[Value], _: &Context) -> Result<Value, Failure> {
    let text = text(args, 0)?;
    let trimmed = text.trim();
    if trimmed.len() == text.len() { Ok(args[0].clone()) } else { Ok(Value::text_or_absent(trimmed)) }
}
