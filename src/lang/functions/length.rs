//! `length`: counts characters.

use super::support::{give, one_text, text};
use super::{Absence, Arg, Context, Example, Failure, Function, Inferred, WrongArguments};
use crate::lang::types::{Base, Fidelity, Type};
use crate::lang::value::Value;

/// `length`
pub static FUNCTION: Function = Function {
    name: "length",
    signature: "length(text) -> integer",
    doc: "Counts the characters of a text, in Unicode scalar values, which is how destinations count.",
    examples: &[
        Example { call: r#"length("Привет")"#, gives: "6" },
        Example { call: r#"length("a b")"#, gives: "3" },
    ],
    absence: Absence::Propagates,
    infer,
    eval,
};

fn infer(args: &[Arg<'_>]) -> Result<Inferred, WrongArguments> {
    one_text(args)?;
    give(Type::one(Base::Integer), Fidelity::Summarised)
}

fn eval(args: &[Value], _: &Context) -> Result<Value, Failure> {
    Ok(Value::Int(i64::try_from(text(args, 0)?.chars().count()).unwrap_or(i64::MAX)))
}
