//! `plain_text`: formatted text to plain text.

use super::support::{give, one_text, text};
use super::{Absence, Arg, Context, Example, Failure, Function, Inferred, WrongArguments};
use crate::lang::types::{Base, Fidelity, Type};
use crate::lang::value::{Value, rich};

/// `plain_text`
pub static FUNCTION: Function = Function {
    name: "plain_text",
    signature: "plain_text(text) -> text?",
    doc: "Turns BBCode or HTML into plain text.\n\nLines, lists, quotes and table cells keep their places, and a link keeps its address behind its text. Emphasis, colours and sizes are lost. `@[` gets a backslash, so that no text becomes a mention.",
    examples: &[
        Example { call: r#"plain_text("[B]Call[/B] him")"#, gives: r#""Call him""# },
        Example { call: r#"plain_text("<p>a &amp; b</p>")"#, gives: r#""a & b""# },
        Example {
            call: r#"plain_text("[URL=https://a.example]page[/URL]")"#,
            gives: r#""page (https://a.example)""#,
        },
        Example { call: r#"plain_text("see @[Users:1]")"#, gives: r#""see \\@[Users:1]""# },
        Example { call: r#"plain_text("[B][/B]")"#, gives: "absent" },
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
    Ok(Value::text_or_absent(rich::plain(text(args, 0)?)))
}
