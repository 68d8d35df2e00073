//! `money`: an amount and its currency.

use super::support::{arity, failure, give, give_or_fail, text, text_type, wrong};
use super::{Absence, Arg, Context, Example, Failure, Function, Inferred, WrongArguments};
use crate::lang::types::{Base, Fidelity, Type};
use crate::lang::value::{Currency, Money, Value};

/// `money`
pub static FUNCTION: Function = Function {
    name: "money",
    signature: "money(amount: decimal, currency: text) -> money",
    doc: "Ties an amount to its currency, by the code of ISO 4217. The amount is kept exactly. An unknown currency fails, and so does an amount without one, which would get lost otherwise; nothing, or nought without a currency, is absent.",
    examples: &[
        Example { call: r#"money(1500.00, "USD")"#, gives: "1500.00 USD" },
        Example { call: r#"money(3, "eur")"#, gives: "3 EUR" },
        Example { call: r#"money(1, "XYZ")"#, gives: "fails" },
        Example { call: r#"money(1, absent)"#, gives: "fails" },
        Example { call: r#"money(0, absent)"#, gives: "absent" },
        Example { call: r#"money(absent, "EUR")"#, gives: "absent" },
    ],
    absence: Absence::Handled,
    infer,
    eval,
};

fn infer(args: &[Arg<'_>]) -> Result<Inferred, WrongArguments> {
    arity(args, 2..=2, "money(amount, currency)")?;
    if args[0].ty.many || !matches!(args[0].ty.base, Base::Integer | Base::Decimal) {
        return wrong(
            0,
            format!("`money` takes a number, got `{}`: write `X.number()` for a text", args[0].ty),
        );
    }
    text_type(args, 1)?;
    let ty = Type { base: Base::Money, many: false, optional: args[0].ty.optional || args[1].ty.optional };
    match args[1].constant {
        Some(Value::Text(code)) if Currency::parse(code).is_some() => give(ty, Fidelity::Exact),
        Some(Value::Text(code)) => wrong(1, format!("`{code}` is not a currency of ISO 4217")),
        _ => give_or_fail(ty, Fidelity::Exact),
    }
}

fn eval(args: &[Value], _: &Context) -> Result<Value, Failure> {
    let (Some(amount), Some(currency)) = (args.first(), args.get(1)) else {
        return Err(failure("not an amount"));
    };
    if amount.is_absent() {
        return Ok(Value::Absent);
    }
    let amount = amount.as_decimal().ok_or_else(|| failure("not an amount"))?;
    if currency.is_absent() {
        return if amount.is_zero() {
            Ok(Value::Absent)
        } else {
            Err(failure("an amount without a currency"))
        };
    }
    let currency = Currency::parse(text(args, 1)?).ok_or_else(|| failure("not a currency of ISO 4217"))?;
    Ok(Value::Money(Money { amount, currency }))
}
