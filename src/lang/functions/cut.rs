//! `cut`: keeps the beginning of a text.

use super::support::{arity, give, text, text_type, whole, whole_clusters, whole_type, wrong};
use super::{Absence, Arg, Context, Example, Failure, Function, Inferred, WrongArguments};
use crate::lang::types::{Base, Fidelity, Type};
use crate::lang::value::Value;

/// `cut`
pub static FUNCTION: Function = Function {
    name: "cut",
    signature: "cut(text, max: integer) -> text(max)",
    doc: "Keeps the first `max` characters.\n\nA character that is written as several (an emoji with a skin tone, a letter with an accent of its own) is left out whole rather than split, unless nothing would be left.",
    examples: &[
        Example { call: r#"cut("abcdef", 3)"#, gives: r#""abc""# },
        Example { call: r#"cut("abc", 10)"#, gives: r#""abc""# },
        Example { call: r#"cut("éé", 3)"#, gives: r#""é""# },
        Example { call: r#"cut("abc", 0)"#, gives: "absent" },
    ],
    absence: Absence::Propagates,
    infer,
    eval,
};

fn infer(args: &[Arg<'_>]) -> Result<Inferred, WrongArguments> {
    arity(args, 2..=2, "cut(text, max)")?;
    let bound = text_type(args, 0)?;
    whole_type(args, 1)?;
    let max = match args[1].constant {
        None => return give(Type::maybe(Base::Text { max: bound }), Fidelity::Narrowed),
        Some(constant) => constant.as_whole().and_then(|max| u32::try_from(max).ok()),
    };
    match max {
        None => wrong(1, "`cut` needs a length of 0 or more"),
        Some(0) => give(Type::maybe(Base::Text { max: Some(0) }), Fidelity::Narrowed),
        Some(max) if bound.is_some_and(|bound| bound <= max) => {
            give(Type::one(Base::Text { max: bound }), Fidelity::Exact)
        }
        Some(max) => give(Type::one(Base::Text { max: Some(max) }), Fidelity::Narrowed),
    }
}

fn eval(args: &[Value], _: &Context) -> Result<Value, Failure> {
    let text = text(args, 0)?;
    let max = usize::try_from(whole(args, 1)?).unwrap_or(0);
    // Bytes are never fewer than characters, so that most texts are not counted at all.
    if text.len() <= max {
        return Ok(args[0].clone());
    }
    match text.char_indices().nth(max) {
        None => Ok(args[0].clone()),
        Some((end, _)) => Ok(Value::text_or_absent(&text[..whole_clusters(text, end)])),
    }
}
