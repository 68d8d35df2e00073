//! `count`: counts elements.

use super::support::{elements, give, one_list};
use super::{Absence, Arg, Context, Example, Failure, Function, Inferred, WrongArguments};
use crate::lang::types::{Base, Fidelity, Type};
use crate::lang::value::Value;

/// `count`
pub static FUNCTION: Function = Function {
    name: "count",
    signature: "count([T]) -> integer",
    doc: "Counts the elements of a list; an absent list has none.",
    examples: &[
        Example { call: r#"count(["a", "b"])"#, gives: "2" },
        Example { call: "count(absent)", gives: "0" },
    ],
    absence: Absence::Handled,
    infer,
    eval,
};

fn infer(args: &[Arg<'_>]) -> Result<Inferred, WrongArguments> {
    one_list(args, "count")?;
    give(Type::one(Base::Integer), Fidelity::Summarised)
}

fn eval(args: &[Value], _: &Context) -> Result<Value, Failure> {
    let count = elements(args, 0).filter(|value| !value.is_absent()).count();
    Ok(Value::Int(i64::try_from(count).unwrap_or(i64::MAX)))
}
