//! `replace`: replaces a text within a text.

use super::support::{arity, give, text, text_or_empty, text_type};
use super::{Absence, Arg, Context, Example, Failure, Function, Inferred, WrongArguments};
use crate::lang::types::{Base, Fidelity, Type};
use crate::lang::value::Value;

/// `replace`
pub static FUNCTION: Function = Function {
    name: "replace",
    signature: "replace(text, from: text, to: text) -> text?",
    doc: "Replaces each `from` with `to`. Nothing is searched for in what was put in; an empty `from` changes nothing.",
    examples: &[
        Example { call: r#"replace("a-b-c", "-", "+")"#, gives: r#""a+b+c""# },
        Example { call: r#"replace("aaa", "aa", "b")"#, gives: r#""ba""# },
        Example { call: r#"replace("x", "x", "")"#, gives: "absent" },
    ],
    absence: Absence::Handled,
    infer,
    eval,
};

fn infer(args: &[Arg<'_>]) -> Result<Inferred, WrongArguments> {
    arity(args, 3..=3, "replace(text, from, to)")?;
    for index in 0..3 {
        text_type(args, index)?;
    }
    give(Type::maybe(Base::Text { max: None }), Fidelity::Reformatted)
}

fn eval(args: &[Value], _: &Context) -> Result<Value, Failure> {
    // An empty literal is absent by the time it comes here, and replacing with nothing is a usual wish.
    if args.first().is_none_or(Value::is_absent) {
        return Ok(Value::Absent);
    }
    let subject = text(args, 0)?;
    let from = text_or_empty(args, 1)?;
    let to = text_or_empty(args, 2)?;
    if from.is_empty() || !subject.contains(from) {
        return Ok(args[0].clone());
    }
    Ok(Value::text_or_absent(subject.replace(from, to)))
}
