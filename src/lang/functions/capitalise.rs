//! `capitalise`: makes the first letter upper case.

use compact_str::CompactString;

use super::support::{give, one_text, text};
use super::{Absence, Arg, Context, Example, Failure, Function, Inferred, WrongArguments};
use crate::lang::types::{Fidelity, Type};
use crate::lang::value::Value;

/// `capitalise`
pub static FUNCTION: Function = Function {
    name: "capitalise",
    signature: "capitalise(text) -> text",
    doc: "Makes the first letter upper case and leaves the rest.",
    examples: &[
        Example { call: r#"capitalise("ann lee")"#, gives: r#""Ann lee""# },
        Example { call: r#"capitalise("McDonald")"#, gives: r#""McDonald""# },
    ],
    absence: Absence::Propagates,
    infer,
    eval,
};

fn infer(args: &[Arg<'_>]) -> Result<Inferred, WrongArguments> {
    one_text(args)?;
    give(Type::text(), Fidelity::Reformatted)
}

fn eval(args: &[Value], _: &Context) -> Result<Value, Failure> {
    let text = text(args, 0)?;
    let mut rest = text.chars();
    let Some(first) = rest.next() else { return Ok(Value::Absent) };
    Ok(Value::text_or_absent(first.to_uppercase().chain(rest).collect::<CompactString>()))
}
