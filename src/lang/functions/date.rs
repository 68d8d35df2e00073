//! `date`: the calendar date.

use super::support::{arity, failure, give, give_or_fail, text, text_type, wrong};
use super::{Absence, Arg, Context, Example, Failure, Function, Inferred, WrongArguments};
use crate::lang::types::{Base, Fidelity, Type};
use crate::lang::value::{Value, parse};

/// `date`
pub static FUNCTION: Function = Function {
    name: "date",
    signature: "date(datetime | text) -> date",
    doc: "The calendar date of an instant, as the source printed it, or of a text: `2024-08-30`, `30.08.2024`, or an ISO date-time. Other texts fail.",
    examples: &[
        Example { call: "date(2024-08-30T00:30:00+03:00)", gives: "2024-08-30" },
        Example { call: r#"date("30.08.2024")"#, gives: "2024-08-30" },
        Example { call: r#"date("2024-08-30T23:59:00Z")"#, gives: "2024-08-30" },
        Example { call: r#"date("08/30/2024")"#, gives: "fails" },
    ],
    absence: Absence::Propagates,
    infer,
    eval,
};

fn infer(args: &[Arg<'_>]) -> Result<Inferred, WrongArguments> {
    arity(args, 1..=1, "date(datetime)")?;
    match &args[0].ty {
        ty if ty.many => wrong(0, "`date` takes one value, got a list: write `.each(date)`"),
        Type { base: Base::Date, .. } => give(Type::one(Base::Date), Fidelity::Exact),
        Type { base: Base::DateTime, .. } => give(Type::one(Base::Date), Fidelity::Narrowed),
        _ => {
            text_type(args, 0)?;
            give_or_fail(Type::one(Base::Date), Fidelity::Reformatted)
        }
    }
}

fn eval(args: &[Value], _: &Context) -> Result<Value, Failure> {
    match args.first() {
        Some(Value::Date(date)) => Ok(Value::Date(*date)),
        Some(Value::Instant(instant)) => Ok(Value::Date(instant.date())),
        _ => parse::date(text(args, 0)?).map(Value::Date).ok_or_else(|| failure("not a date")),
    }
}
