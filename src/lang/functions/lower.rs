//! `lower`: makes lower case.

use super::support::{give, one_text, text};
use super::{Absence, Arg, Context, Example, Failure, Function, Inferred, WrongArguments};
use crate::lang::types::{Fidelity, Type};
use crate::lang::value::Value;

/// `lower`
pub static FUNCTION: Function = Function {
    name: "lower",
    signature: "lower(text) -> text",
    doc: "Makes every letter lower case.",
    examples: &[
        Example { call: r#"lower("ANN Ё")"#, gives: r#""ann ё""# },
        Example { call: r#"lower("abc")"#, gives: r#""abc""# },
    ],
    absence: Absence::Propagates,
    infer,
    eval,
};

fn infer(args: &[Arg<'_>]) -> Result<Inferred, WrongArguments> {
    one_text(args)?;
    // A letter may become two, so that a bound on the length is lost.
    give(Type::text(), Fidelity::Reformatted)
}

fn eval(args: &[Value], _: &Context) -> Result<Value, Failure> {
    Ok(Value::text_or_absent(text(args, 0)?.to_lowercase()))
}
