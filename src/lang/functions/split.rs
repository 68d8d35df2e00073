//! `split`: cuts a text into a list.

use super::support::{arity, give, text, text_type, wrong};
use super::{Absence, Arg, Context, Example, Failure, Function, Inferred, WrongArguments};
use crate::lang::types::{Base, Fidelity, Type};
use crate::lang::value::Value;

/// `split`
pub static FUNCTION: Function = Function {
    name: "split",
    signature: "split(text, separator: text) -> [text]?",
    doc: "Cuts a text at each separator. Blanks around the parts go, and so do empty parts.",
    examples: &[
        Example { call: r#"split("a, b,,c", ",")"#, gives: r#"["a", "b", "c"]"# },
        Example { call: r#"split(" , ", ",")"#, gives: "absent" },
        Example { call: r#"split("a b", ";")"#, gives: r#"["a b"]"# },
    ],
    absence: Absence::Propagates,
    infer,
    eval,
};

fn infer(args: &[Arg<'_>]) -> Result<Inferred, WrongArguments> {
    arity(args, 2..=2, "split(text, separator)")?;
    let max = text_type(args, 0)?;
    text_type(args, 1)?;
    if let Some(Value::Absent) = args[1].constant {
        return wrong(1, "`split` needs a separator");
    }
    give(Type { base: Base::Text { max }, many: true, optional: true }, Fidelity::Reformatted)
}

fn eval(args: &[Value], _: &Context) -> Result<Value, Failure> {
    let subject = text(args, 0)?;
    let separator = text(args, 1)?;
    if separator.is_empty() {
        return Ok(Value::text_or_absent(subject.trim()));
    }
    let parts = subject.split(separator).map(str::trim).filter(|part| !part.is_empty());
    Ok(Value::list(parts.map(Value::text).collect()))
}
