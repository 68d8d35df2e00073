//! `digits`: keeps the digits of a text.

use compact_str::CompactString;

use super::support::{give, one_text, text};
use super::{Absence, Arg, Context, Example, Failure, Function, Inferred, WrongArguments};
use crate::lang::types::{Base, Fidelity, Type};
use crate::lang::value::Value;

/// `digits`
pub static FUNCTION: Function = Function {
    name: "digits",
    signature: "digits(text) -> text?",
    doc: "Keeps the digits 0 to 9 and nothing else.",
    examples: &[
        Example { call: r#"digits("+1 (333) 333-3555")"#, gives: r#""13333333555""# },
        Example { call: r#"digits("none")"#, gives: "absent" },
    ],
    absence: Absence::Propagates,
    infer,
    eval,
};

fn infer(args: &[Arg<'_>]) -> Result<Inferred, WrongArguments> {
    let max = one_text(args)?;
    give(Type::maybe(Base::Text { max }), Fidelity::Narrowed)
}

fn eval(args: &[Value], _: &Context) -> Result<Value, Failure> {
    Ok(Value::text_or_absent(text(args, 0)?.chars().filter(char::is_ascii_digit).collect::<CompactString>()))
}
