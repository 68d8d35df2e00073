//! `money`: an amount and its currency.

use super::support::{arity, failure, give, give_or_fail, text, text_type, wrong};
use super::{Absence, Arg, Context, Example, Failure, Function, Inferred, WrongArguments};
use crate::lang::types::{Base, Fidelity, Type};
use crate::lang::value::{Currency, Money, Value};

/// `money`
pub static FUNCTION: Function = Function {
    name: "money",
    signature: "money(amount: decimal, currency: text) -> money",
    doc: "Ties an amount to its currency, by the code of ISO 4217. The amount is kept exactly. An unknown currency fails.",
    examples: &[
        Example { call: r#"money(1500.00, "USD")"#, gives: "1500.00 USD" },
        Example { call: r#"money(3, "eur")"#, gives: "3 EUR" },
        Example { call: r#"money(1, "XYZ")"#, gives: "fails" },
    ],
    absence: Absence::Propagates,
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
    match args[1].constant {
        Some(Value::Text(code)) if Currency::parse(code).is_some() => {
            give(Type::one(Base::Money), Fidelity::Exact)
        }
        Some(Value::Text(code)) => wrong(1, format!("`{code}` is not a currency of ISO 4217")),
        _ => give_or_fail(Type::one(Base::Money), Fidelity::Exact),
    }
}

fn eval(args: &[Value], _: &Context) -> Result<Value, Failure> {
    let amount = args.first().and_then(Value::as_decimal).ok_or_else(|| failure("not an amount"))?;
    let currency = Currency::parse(text(args, 1)?).ok_or_else(|| failure("not a currency of ISO 4217"))?;
    Ok(Value::Money(Money { amount, currency }))
}
