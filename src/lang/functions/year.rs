//! `year`: the year of a date.

use super::support::{arity, failure, give, wrong};
use super::{Absence, Arg, Context, Example, Failure, Function, Inferred, WrongArguments};
use crate::lang::types::{Base, Fidelity, Type};
use crate::lang::value::Value;

/// `year`
pub static FUNCTION: Function = Function {
    name: "year",
    signature: "year(date) -> integer",
    doc: "The year of a date, or of an instant as the source printed it.",
    examples: &[
        Example { call: "year(2024-08-30)", gives: "2024" },
        Example { call: "year(2025-01-01T00:30:00+03:00)", gives: "2025" },
    ],
    absence: Absence::Propagates,
    infer,
    eval,
};

fn infer(args: &[Arg<'_>]) -> Result<Inferred, WrongArguments> {
    arity(args, 1..=1, "year(date)")?;
    if args[0].ty.many || !matches!(args[0].ty.base, Base::Date | Base::DateTime) {
        return wrong(0, format!("`year` takes a date, got `{}`: write `X.date()` for a text", args[0].ty));
    }
    give(Type::one(Base::Integer), Fidelity::Narrowed)
}

fn eval(args: &[Value], _: &Context) -> Result<Value, Failure> {
    match args.first() {
        Some(Value::Date(date)) => Ok(Value::Int(i64::from(date.year()))),
        Some(Value::Instant(instant)) => Ok(Value::Int(i64::from(instant.date().year()))),
        _ => Err(failure("not a date")),
    }
}
