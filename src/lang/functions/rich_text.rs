//! `rich_text`: formatted text to text with marks.

use super::support::{give, one_text, text};
use super::{Absence, Arg, Context, Example, Failure, Function, Inferred, WrongArguments};
use crate::lang::types::{Base, Fidelity, Type};
use crate::lang::value::{Value, rich};

/// `rich_text`
pub static FUNCTION: Function = Function {
    name: "rich_text",
    signature: "rich_text(text) -> text?",
    doc: "Turns BBCode or HTML into text that keeps its emphasis as marks: `**bold**`, `_italic_`, `~~struck~~`.\n\n\
          Everything else is as with `plain_text`: lines, lists, quotes and links keep their places, colours and \
          sizes are lost, and `@[` gets a backslash.",
    examples: &[
        Example { call: r#"rich_text("[B]Call[/B] him")"#, gives: r#""**Call** him""# },
        Example { call: r#"rich_text("<p>a <i>&amp;</i> b</p>")"#, gives: r#""a _&_ b""# },
        Example { call: r#"rich_text("[B][/B]")"#, gives: "absent" },
    ],
    absence: Absence::Propagates,
    infer,
    eval,
};

fn infer(args: &[Arg<'_>]) -> Result<Inferred, WrongArguments> {
    one_text(args)?;
    give(Type::maybe(Base::Text { max: None }), Fidelity::Narrowed)
}

fn eval(args: &[Value], _: &Context) -> Result<Value, Failure> {
    Ok(Value::text_or_absent(rich::marked(text(args, 0)?)))
}
