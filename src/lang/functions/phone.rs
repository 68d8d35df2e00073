//! `phone`: text to a phone number.

use super::support::{arity, failure, give_or_fail, text, text_type, wrong};
use super::{Absence, Arg, Context, Example, Failure, Function, Inferred, WrongArguments};
use crate::lang::types::{Base, Fidelity, Type};
use crate::lang::value::{
    Value,
    contact::{self, PhoneRegion},
};

/// `phone`
pub static FUNCTION: Function = Function {
    name: "phone",
    signature: "phone(text, country?: text) -> phone",
    doc: "Reads a phone number, and writes it in E.164 with its extension. `country` (`\"US\"`) says whose number it is when no country code is there. What is no phone number fails, and so does text before one.",
    examples: &[
        Example { call: r#"phone("(333) 333-3555", "US")"#, gives: r#""+13333333555""# },
        Example { call: r#"phone("+49 30 901820")"#, gives: r#""+4930901820""# },
        Example { call: r#"phone("650-253-0000 x12", "US")"#, gives: r#""+16502530000;ext=12""# },
        Example { call: r#"phone("n/a", "US")"#, gives: "fails" },
    ],
    absence: Absence::Propagates,
    infer,
    eval,
};

fn infer(args: &[Arg<'_>]) -> Result<Inferred, WrongArguments> {
    arity(args, 1..=2, "phone(text, country)")?;
    text_type(args, 0)?;
    if args.len() == 2 {
        text_type(args, 1)?;
        match args[1].constant {
            Some(Value::Text(code)) if PhoneRegion::parse(code).is_none() => {
                return wrong(1, format!("`{code}` is not a country with phone numbers: write `\"US\"`"));
            }
            _ => {}
        }
    }
    give_or_fail(Type::one(Base::Phone), Fidelity::Reformatted)
}

fn eval(args: &[Value], _: &Context) -> Result<Value, Failure> {
    let region = match args.get(1) {
        Some(_) => Some(
            PhoneRegion::parse(text(args, 1)?).ok_or_else(|| failure("not a country with phone numbers"))?,
        ),
        None => None,
    };
    contact::phone(text(args, 0)?, region).map(Value::Text).ok_or_else(|| failure("not a phone number"))
}
