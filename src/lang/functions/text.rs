//! `text`: a value as text.

use super::support::{arity, failure, give, is_text, wrong};
use super::{Absence, Arg, Context, Example, Failure, Function, Inferred, WrongArguments};
use crate::lang::types::{Base, Fidelity, Type};
use crate::lang::value::Value;

/// `text`
pub static FUNCTION: Function = Function {
    name: "text",
    signature: "text(number | date | datetime | bool | money) -> text",
    doc: "Writes a value as text: numbers plain, dates as `2024-08-30`, instants as `2024-08-30T14:29:00+02:00`, money as `1500.00 USD`, booleans as `yes` and `no`, names and addresses in one line. Codes of enumerations stay codes.",
    examples: &[
        Example { call: "text(1500.50)", gives: r#""1500.50""# },
        Example { call: "text(2024-08-30)", gives: r#""2024-08-30""# },
        Example { call: "text(1500.00 USD)", gives: r#""1500.00 USD""# },
        Example { call: "text(true)", gives: r#""yes""# },
    ],
    absence: Absence::Propagates,
    infer,
    eval,
};

fn infer(args: &[Arg<'_>]) -> Result<Inferred, WrongArguments> {
    arity(args, 1..=1, "text(value)")?;
    if args[0].ty.many {
        return wrong(0, "`text` takes one value, got a list: write `.each(text)`");
    }
    match &args[0].ty.base {
        base if is_text(base) => give(Type::text(), Fidelity::Exact),
        Base::Integer | Base::Decimal | Base::Money | Base::Bool | Base::Date | Base::DateTime => {
            give(Type::text(), Fidelity::Reformatted)
        }
        // All parts may be empty.
        Base::PersonName | Base::Address => give(Type::text().or_absent(), Fidelity::Reformatted),
        other => wrong(0, format!("a value of type `{other}` has no text")),
    }
}

fn eval(args: &[Value], _: &Context) -> Result<Value, Failure> {
    match args.first() {
        Some(text @ Value::Text(_)) => Ok(text.clone()),
        Some(value) => Ok(Value::text_or_absent(value.to_text())),
        None => Err(failure("no value")),
    }
}
