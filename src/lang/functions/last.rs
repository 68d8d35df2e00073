//! `last`: takes the last element.

use super::support::{elements, give, one_list};
use super::{Absence, Arg, Context, Example, Failure, Function, Inferred, WrongArguments};
use crate::lang::types::{Fidelity, Type};
use crate::lang::value::Value;

/// `last`
pub static FUNCTION: Function = Function {
    name: "last",
    signature: "last([T]) -> T",
    doc: "The last element of a list.",
    examples: &[
        Example { call: r#"last(["a", "b"])"#, gives: r#""b""# },
        Example { call: "last([1])", gives: "1" },
    ],
    absence: Absence::Propagates,
    infer,
    eval,
};

fn infer(args: &[Arg<'_>]) -> Result<Inferred, WrongArguments> {
    let base = one_list(args, "last")?;
    give(Type::one(base), Fidelity::Narrowed)
}

fn eval(args: &[Value], _: &Context) -> Result<Value, Failure> {
    Ok(elements(args, 0).rfind(|value| !value.is_absent()).cloned().unwrap_or_default())
}
