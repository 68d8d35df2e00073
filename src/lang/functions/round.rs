//! `round`: rounds a number.

use rust_decimal::{Decimal, RoundingStrategy};

use super::support::{arity, failure, give, give_or_fail, mismatch, whole, whole_type, wrong};
use super::{Absence, Arg, Context, Example, Failure, Function, Inferred, WrongArguments};
use crate::lang::types::{Base, Fidelity, Type};
use crate::lang::value::{Money, Value};

/// `round`
pub static FUNCTION: Function = Function {
    name: "round",
    signature: "round(number, places?: integer) -> integer | decimal",
    doc: "Rounds to a whole number, or to so many decimal places; a half goes away from zero. Money keeps its currency and rounds to its places, two unless said otherwise. A number too large for a whole one fails.",
    examples: &[
        Example { call: "round(2.5)", gives: "3" },
        Example { call: "round(-2.5)", gives: "-3" },
        Example { call: "round(2.345, 2)", gives: "2.35" },
        Example { call: "round(2.345 USD, 2)", gives: "2.35 USD" },
        Example { call: "round(7)", gives: "7" },
        Example { call: "round(10000000000000000000.5)", gives: "fails" },
    ],
    absence: Absence::Propagates,
    infer,
    eval,
};

fn infer(args: &[Arg<'_>]) -> Result<Inferred, WrongArguments> {
    arity(args, 1..=2, "round(number, places)")?;
    if args.len() == 2 {
        whole_type(args, 1)?;
        if args[1].constant.is_some_and(|places| !matches!(places.as_whole(), Some(0..=28))) {
            return wrong(1, "`round` takes 0 to 28 places");
        }
    }
    let ty = match (&args[0].ty.base, args.len()) {
        _ if args[0].ty.many => {
            return wrong(0, "`round` takes one number, got a list: write `.each(round)`");
        }
        (Base::Integer | Base::Decimal, 2) => Base::Decimal,
        (Base::Integer, _) => return give(Type::one(Base::Integer), Fidelity::Exact),
        // Decimals reach beyond the whole numbers that can be expressed.
        (Base::Decimal, _) => return give_or_fail(Type::one(Base::Integer), Fidelity::Narrowed),
        (Base::Money, _) => Base::Money,
        (other, _) => return wrong(0, format!("`round` takes a number or money, got `{other}`")),
    };
    give(Type::one(ty), Fidelity::Narrowed)
}

fn eval(args: &[Value], _: &Context) -> Result<Value, Failure> {
    let places = match args.get(1) {
        Some(_) => Some(u32::try_from(whole(args, 1)?).unwrap_or(0).min(28)),
        None => None,
    };
    let round = |number: Decimal, places| {
        number.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero)
    };
    match (args.first(), places) {
        (Some(Value::Int(number)), None) => Ok(Value::Int(*number)),
        (Some(Value::Decimal(number)), None) => {
            let whole =
                i64::try_from(round(*number, 0)).map_err(|_| failure("too large for a whole number"))?;
            Ok(Value::Int(whole))
        }
        (Some(Value::Money(money)), places) => {
            Ok(Value::Money(Money { amount: round(money.amount, places.unwrap_or(2)), ..*money }))
        }
        (Some(value), Some(places)) => match value.as_decimal() {
            Some(number) => Ok(Value::Decimal(round(number, places))),
            None => Err(mismatch("number", value)),
        },
        (Some(value), None) => Err(mismatch("number", value)),
        (None, _) => Err(failure("no number")),
    }
}
