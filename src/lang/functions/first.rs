//! `first`: takes the first element.

use super::support::{elements, give, one_list};
use super::{Absence, Arg, Context, Example, Failure, Function, Inferred, WrongArguments};
use crate::lang::types::{Fidelity, Type};
use crate::lang::value::Value;

/// `first`
pub static FUNCTION: Function = Function {
    name: "first",
    signature: "first([T]) -> T",
    doc: "The first element of a list.",
    examples: &[
        Example { call: r#"first(["a", "b"])"#, gives: r#""a""# },
        Example { call: "first([absent, 2])", gives: "2" },
    ],
    absence: Absence::Propagates,
    infer,
    eval,
};

fn infer(args: &[Arg<'_>]) -> Result<Inferred, WrongArguments> {
    let base = one_list(args, "first")?;
    give(Type::one(base), Fidelity::Narrowed)
}

fn eval(args: &[Value], _: &Context) -> Result<Value, Failure> {
    Ok(elements(args, 0).find(|value| !value.is_absent()).cloned().unwrap_or_default())
}
