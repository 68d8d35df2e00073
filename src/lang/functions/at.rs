//! `at`: a date and a time of day.

use super::support::{arity, failure, give, give_or_fail, text, text_type, wrong};
use super::{Absence, Arg, Context, Example, Failure, Function, Inferred, WrongArguments};
use crate::lang::types::{Base, Fidelity, Type};
use crate::lang::value::{Instant, Value, parse};

/// `at`
pub static FUNCTION: Function = Function {
    name: "at",
    signature: "at(date, time: text) -> datetime",
    doc: "The instant at which clocks in the zone of the spec show this time on this date. Needs a `zone` line.\n\nA time that clocks skip in spring is moved on by the length of the gap; of a time that they show twice in autumn the first one counts.",
    examples: &[
        Example { call: r#"at(2024-01-15, "18:00")"#, gives: "2024-01-15T18:00:00+01:00" },
        Example { call: r#"at(2024-03-31, "02:30")"#, gives: "2024-03-31T03:30:00+02:00" },
        Example { call: r#"at(2024-01-15, "26:00")"#, gives: "fails" },
    ],
    absence: Absence::Propagates,
    infer,
    eval,
};

fn infer(args: &[Arg<'_>]) -> Result<Inferred, WrongArguments> {
    arity(args, 2..=2, "at(date, time)")?;
    if args[0].ty.many || !matches!(args[0].ty.base, Base::Date | Base::DateTime) {
        return wrong(0, format!("`at` takes a date, got `{}`: write `X.date()` for a text", args[0].ty));
    }
    text_type(args, 1)?;
    match args[1].constant {
        Some(Value::Text(time)) if parse::clock_time(time).is_some() => {
            give(Type::one(Base::DateTime), Fidelity::Reformatted)
        }
        Some(_) => wrong(1, "`at` takes a time of day: write `\"18:00\"`"),
        None => give_or_fail(Type::one(Base::DateTime), Fidelity::Reformatted),
    }
}

fn eval(args: &[Value], context: &Context) -> Result<Value, Failure> {
    let date = match args.first() {
        Some(Value::Date(date)) => *date,
        Some(Value::Instant(instant)) => instant.date(),
        _ => return Err(failure("not a date")),
    };
    let time = parse::clock_time(text(args, 1)?).ok_or_else(|| failure("not a time of day"))?;
    let zone = context.zone.as_ref().ok_or_else(|| failure("the spec names no `zone`"))?;
    Ok(Value::Instant(Instant::in_zone(date.to_datetime(time), zone)))
}
