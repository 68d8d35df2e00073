//! `starts_with`: looks at the beginning of a text.

use super::support::{arity, give, text, text_type};
use super::{Absence, Arg, Context, Example, Failure, Function, Inferred, WrongArguments};
use crate::lang::types::{Base, Fidelity, Type};
use crate::lang::value::Value;

/// `starts_with`
pub static FUNCTION: Function = Function {
    name: "starts_with",
    signature: "starts_with(text, part: text) -> bool",
    doc: "Whether a text begins with `part`. Case matters.",
    examples: &[
        Example { call: r#"starts_with("abcdef", "abc")"#, gives: "true" },
        Example { call: r#"starts_with("abc", "bc")"#, gives: "false" },
    ],
    absence: Absence::Propagates,
    infer,
    eval,
};

fn infer(args: &[Arg<'_>]) -> Result<Inferred, WrongArguments> {
    arity(args, 2..=2, "starts_with(text, part)")?;
    text_type(args, 0)?;
    text_type(args, 1)?;
    give(Type::one(Base::Bool), Fidelity::Summarised)
}

fn eval(args: &[Value], _: &Context) -> Result<Value, Failure> {
    Ok(Value::Bool(text(args, 0)?.starts_with(text(args, 1)?)))
}
