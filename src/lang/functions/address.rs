//! `address`: a postal address from its parts.

use compact_str::CompactString;

use super::support::{arity, give, text_or_empty, text_type};
use super::{Absence, Arg, Context, Example, Failure, Function, Inferred, WrongArguments};
use crate::lang::types::{Base, Fidelity, Type};
use crate::lang::value::{Address, Value};

/// `address`
pub static FUNCTION: Function = Function {
    name: "address",
    signature: "address(street: text?, street2: text?, city: text?, region: text?, postal_code: text?, \
                country: text?) -> address?",
    doc: "Makes a postal address of its parts, of which any may be absent; without all of them it is absent.\n\n\
          A country is best given by its two letters: a destination that takes only those keeps a name as a line of \
          the address.",
    examples: &[
        Example {
            call: r#"text(address("Main St 5", absent, "Berlin", absent, "10115", "DE"))"#,
            gives: r#"text(address(" Main St 5", "", "Berlin ", " ", "10115", "DE"))"#,
        },
        Example { call: r#"address(absent, " ", absent, absent, absent, absent)"#, gives: "absent" },
    ],
    absence: Absence::Handled,
    infer,
    eval,
};

const PARTS: usize = 6;

fn infer(args: &[Arg<'_>]) -> Result<Inferred, WrongArguments> {
    arity(args, PARTS..=PARTS, "address(street, street2, city, region, postal_code, country)")?;
    for index in 0..PARTS {
        text_type(args, index)?;
    }
    give(Type::maybe(Base::Address), Fidelity::Exact)
}

fn eval(args: &[Value], _: &Context) -> Result<Value, Failure> {
    let part = |index| text_or_empty(args, index).map(|text| CompactString::from(text.trim()));
    let address = Address {
        line1: part(0)?,
        line2: part(1)?,
        city: part(2)?,
        region: part(3)?,
        postal_code: part(4)?,
        country: part(5)?,
    };
    let blank = address == Address::default();
    Ok(if blank { Value::Absent } else { Value::Address(Box::new(address)) })
}
