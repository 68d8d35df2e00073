//! `url`: text to a web address.

use super::support::{failure, give_or_fail, one_text, text};
use super::{Absence, Arg, Context, Example, Failure, Function, Inferred, WrongArguments};
use crate::lang::types::{Base, Fidelity, Type};
use crate::lang::value::{Value, contact};

/// `url`
pub static FUNCTION: Function = Function {
    name: "url",
    signature: "url(text) -> url",
    doc: "Reads a web address: blanks around it go, `https://` comes before it where no scheme is, the host becomes lower case. Other schemes than http and https fail.",
    examples: &[
        Example { call: r#"url("Example.com/A")"#, gives: r#""https://example.com/A""# },
        Example { call: r#"url("http://a.example")"#, gives: r#""http://a.example""# },
        Example { call: r#"url("none")"#, gives: "fails" },
    ],
    absence: Absence::Propagates,
    infer,
    eval,
};

fn infer(args: &[Arg<'_>]) -> Result<Inferred, WrongArguments> {
    one_text(args)?;
    give_or_fail(Type::one(Base::Url), Fidelity::Reformatted)
}

fn eval(args: &[Value], _: &Context) -> Result<Value, Failure> {
    contact::url(text(args, 0)?).map(Value::Text).ok_or_else(|| failure("not a web address"))
}
