//! `join`: runs texts together.

use compact_str::CompactString;

use super::support::{arity, elements, give, is_text, mismatch, text_or_empty, text_type, wrong};
use super::{Absence, Arg, Context, Example, Failure, Function, Inferred, WrongArguments};
use crate::lang::types::{Fidelity, Type};
use crate::lang::value::Value;

/// `join`
pub static FUNCTION: Function = Function {
    name: "join",
    signature: "join(separator: text, [text]) -> text",
    doc: "Runs the texts of a list together, with the separator between them. Absent ones are left out, so that no separator stands alone.",
    examples: &[
        Example { call: r#"join(" ", ["Ann", absent, "Lee"])"#, gives: r#""Ann Lee""# },
        Example { call: r#"join(", ", ["a", "b"])"#, gives: r#""a, b""# },
        Example { call: r#"join(" ", [absent])"#, gives: "absent" },
    ],
    absence: Absence::Handled,
    infer,
    eval,
};

fn infer(args: &[Arg<'_>]) -> Result<Inferred, WrongArguments> {
    arity(args, 2..=2, "join(separator, list)")?;
    text_type(args, 0)?;
    if !args[1].ty.many || !is_text(&args[1].ty.base) {
        return wrong(1, format!("`join` takes a list of texts, got `{}`: write `[A, B]`", args[1].ty));
    }
    let ty = if args[1].ty.optional { Type::text().or_absent() } else { Type::text() };
    give(ty, Fidelity::Reformatted)
}

fn eval(args: &[Value], _: &Context) -> Result<Value, Failure> {
    let separator = text_or_empty(args, 0)?;
    let mut joined = CompactString::default();
    for part in elements(args, 1) {
        let part = match part {
            Value::Absent => continue,
            Value::Text(part) => part,
            other => return Err(mismatch("text", other)),
        };
        if !joined.is_empty() {
            joined.push_str(separator);
        }
        joined.push_str(part);
    }
    Ok(Value::text_or_absent(joined))
}
