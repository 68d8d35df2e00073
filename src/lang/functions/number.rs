//! `number`: text to a number.

use super::support::{arity, failure, give, give_or_fail, text, text_type, wrong};
use super::{Absence, Arg, Context, Example, Failure, Function, Inferred, WrongArguments};
use crate::lang::types::{Base, Fidelity, Type};
use crate::lang::value::{Value, parse};

/// `number`
pub static FUNCTION: Function = Function {
    name: "number",
    signature: "number(text, locale?: text) -> decimal",
    doc: "Reads a number. Without a locale: digits with at most one point, and no groups. With one (`\"de\"`, `\"ru\"`, `\"en-US\"`): as people there write it. Anything else fails, also more digits than 28.",
    examples: &[
        Example { call: r#"number("1500.25")"#, gives: "1500.25" },
        Example { call: r#"number("1.500,25", "de")"#, gives: "1500.25" },
        Example { call: r#"number("1 500", "ru")"#, gives: "1500" },
        Example { call: r#"number("1,500")"#, gives: "fails" },
        Example { call: r#"number("abc", "en")"#, gives: "fails" },
    ],
    absence: Absence::Propagates,
    infer,
    eval,
};

fn infer(args: &[Arg<'_>]) -> Result<Inferred, WrongArguments> {
    arity(args, 1..=2, "number(text, locale)")?;
    if args.len() == 2 {
        text_type(args, 1)?;
        if let Some(Value::Text(locale)) = args[1].constant
            && parse::number_format(locale).is_none()
        {
            let known = parse::NUMBER_LOCALES.join("`, `");
            return wrong(1, format!("locale `{locale}` is not known; known are `{known}`"));
        }
    }
    if matches!(args[0].ty.base, Base::Integer | Base::Decimal) && !args[0].ty.many {
        return give(Type::one(Base::Decimal), Fidelity::Exact);
    }
    text_type(args, 0)?;
    give_or_fail(Type::one(Base::Decimal), Fidelity::Reformatted)
}

fn eval(args: &[Value], _: &Context) -> Result<Value, Failure> {
    if let Some(number) = args.first().and_then(Value::as_decimal) {
        return Ok(Value::Decimal(number));
    }
    let subject = text(args, 0)?;
    let number = match args.get(1) {
        None => parse::decimal(subject),
        Some(_) => {
            let format = parse::number_format(text(args, 1)?).ok_or_else(|| failure("not a known locale"))?;
            parse::number(subject, format)
        }
    };
    number.map(Value::Decimal).ok_or_else(|| failure("not a number"))
}
