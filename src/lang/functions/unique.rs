//! `unique`: leaves out repetitions.

use std::collections::HashSet;

use super::support::{elements, give, one_list};
use super::{Absence, Arg, Context, Example, Failure, Function, Inferred, WrongArguments};
use crate::lang::types::{Fidelity, Type};
use crate::lang::value::Value;

/// `unique`
pub static FUNCTION: Function = Function {
    name: "unique",
    signature: "unique([T]) -> [T]",
    doc: "Leaves out elements that stand in the list already; the first of equals stays.",
    examples: &[
        Example { call: r#"unique(["a", "b", "a"])"#, gives: r#"["a", "b"]"# },
        Example { call: "unique([1, 1])", gives: "[1]" },
    ],
    absence: Absence::Propagates,
    infer,
    eval,
};

fn infer(args: &[Arg<'_>]) -> Result<Inferred, WrongArguments> {
    let base = one_list(args, "unique")?;
    give(Type { base, many: true, optional: false }, Fidelity::Reformatted)
}

fn eval(args: &[Value], _: &Context) -> Result<Value, Failure> {
    let mut seen = HashSet::new();
    Ok(Value::list(
        elements(args, 0).filter(|value| !value.is_absent() && seen.insert(*value)).cloned().collect(),
    ))
}
