//! `contains`: looks for a text within a text.

use super::support::{arity, give, text, text_type};
use super::{Absence, Arg, Context, Example, Failure, Function, Inferred, WrongArguments};
use crate::lang::types::{Base, Fidelity, Type};
use crate::lang::value::Value;

/// `contains`
pub static FUNCTION: Function = Function {
    name: "contains",
    signature: "contains(text, part: text) -> bool",
    doc: "Whether a text has `part` in it. Case matters: `X.lower().contains(\"abc\")`.",
    examples: &[
        Example { call: r#"contains("abcdef", "cd")"#, gives: "true" },
        Example { call: r#"contains("abc", "B")"#, gives: "false" },
    ],
    absence: Absence::Propagates,
    infer,
    eval,
};

fn infer(args: &[Arg<'_>]) -> Result<Inferred, WrongArguments> {
    arity(args, 2..=2, "contains(text, part)")?;
    text_type(args, 0)?;
    text_type(args, 1)?;
    give(Type::one(Base::Bool), Fidelity::Summarised)
}

fn eval(args: &[Value], _: &Context) -> Result<Value, Failure> {
    Ok(Value::Bool(text(args, 0)?.contains(text(args, 1)?)))
}
