//! `person_name`: a name from its parts.

use super::support::{arity, give, text_or_empty, text_type};
use super::{Absence, Arg, Context, Example, Failure, Function, Inferred, WrongArguments};
use crate::lang::types::{Base, Fidelity, Type};
use crate::lang::value::{PersonName, Value};

/// `person_name`
pub static FUNCTION: Function = Function {
    name: "person_name",
    signature: "person_name(given: text?, family: text?) -> person_name",
    doc: "Makes a name of its parts, of which one may be absent; without both it is absent.",
    examples: &[
        Example { call: r#"person_name("Ann", "Lee")"#, gives: r#"person_name(" Ann", "Lee ")"# },
        Example { call: r#"text(person_name("Ann", "Lee"))"#, gives: r#""Ann Lee""# },
        Example { call: r#"text(person_name(absent, "Lee"))"#, gives: r#""Lee""# },
        Example { call: "person_name(absent, absent)", gives: "absent" },
    ],
    absence: Absence::Handled,
    infer,
    eval,
};

fn infer(args: &[Arg<'_>]) -> Result<Inferred, WrongArguments> {
    arity(args, 2..=2, "person_name(given, family)")?;
    text_type(args, 0)?;
    text_type(args, 1)?;
    // Blanks alone are no name, which is known of a literal only.
    let sure = |arg: &Arg<'_>| matches!(arg.constant, Some(Value::Text(text)) if !text.trim().is_empty());
    let present = |arg: &Arg<'_>| arg.constant.is_none() && !arg.ty.optional;
    let optional = !args.iter().any(|arg| sure(arg) || present(arg));
    let ty = Type::one(Base::PersonName);
    give(if optional { ty.or_absent() } else { ty }, Fidelity::Exact)
}

fn eval(args: &[Value], _: &Context) -> Result<Value, Failure> {
    let given = text_or_empty(args, 0)?;
    let family = text_or_empty(args, 1)?;
    let name = PersonName { given: given.trim().into(), family: family.trim().into() };
    let blank = name.given.is_empty() && name.family.is_empty();
    match (blank, given.is_empty() && family.is_empty()) {
        (false, _) => Ok(Value::Name(Box::new(name))),
        (true, true) => Ok(Value::Absent),
        // Blanks were there, and a field that is surely filled stays so.
        (true, false) => Ok(Value::Name(Box::new(PersonName { given: given.into(), family: family.into() }))),
    }
}
