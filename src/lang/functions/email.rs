//! `email`: text to an e-mail address.

use super::support::{failure, give_or_fail, one_text, text};
use super::{Absence, Arg, Context, Example, Failure, Function, Inferred, WrongArguments};
use crate::lang::types::{Base, Fidelity, Type};
use crate::lang::value::{Value, contact};

/// `email`
pub static FUNCTION: Function = Function {
    name: "email",
    signature: "email(text) -> email",
    doc: "Reads an e-mail address: blanks around it go, its domain becomes lower case. What is no address fails, and so do several in one text.",
    examples: &[
        Example { call: r#"email(" Ann@Example.COM ")"#, gives: r#""Ann@example.com""# },
        Example { call: r#"email("ann")"#, gives: "fails" },
        Example { call: r#"email("a@b.org, c@d.org")"#, gives: "fails" },
    ],
    absence: Absence::Propagates,
    infer,
    eval,
};

fn infer(args: &[Arg<'_>]) -> Result<Inferred, WrongArguments> {
    one_text(args)?;
    give_or_fail(Type::one(Base::Email), Fidelity::Reformatted)
}

fn eval(args: &[Value], _: &Context) -> Result<Value, Failure> {
    contact::email(text(args, 0)?).map(Value::Text).ok_or_else(|| failure("not an e-mail address"))
}
