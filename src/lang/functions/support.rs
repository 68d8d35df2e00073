//! What the functions share: reading arguments and their types, and messages about wrong ones.

use unicode_normalization::char::is_combining_mark;

use super::{Arg, Failure, Inferred, WrongArguments};
use crate::lang::types::{Base, Fidelity, Type};
use crate::lang::value::Value;

/// A call that never fails.
pub fn give(ty: Type, fidelity: Fidelity) -> Result<Inferred, WrongArguments> {
    Ok(Inferred { ty, fails: false, fidelity })
}

/// A call that may fail.
pub fn give_or_fail(ty: Type, fidelity: Fidelity) -> Result<Inferred, WrongArguments> {
    Ok(Inferred { ty, fails: true, fidelity })
}

/// What is wrong with one argument.
pub fn wrong<T>(argument: usize, message: impl Into<String>) -> Result<T, WrongArguments> {
    Err(WrongArguments { argument: Some(argument), message: message.into() })
}

/// Checks how many arguments there are.
pub fn arity(
    args: &[Arg<'_>],
    wanted: std::ops::RangeInclusive<usize>,
    call: &str,
) -> Result<(), WrongArguments> {
    if wanted.contains(&args.len()) {
        return Ok(());
    }
    let count = match (wanted.start(), wanted.end()) {
        (1, 1) => "1 argument".to_owned(),
        (least, most) if least == most => format!("{least} arguments"),
        (least, most) => format!("{least} to {most} arguments"),
    };
    let mut message = format!("takes {count}, got {}", args.len());
    if !call.is_empty() {
        message.push_str(&format!(": write `{call}`"));
    }
    Err(WrongArguments { argument: None, message })
}

/// Whether values of this type are text: codes of enumerations, phones and addresses are.
pub fn is_text(base: &Base) -> bool {
    matches!(base, Base::Text { .. } | Base::Enum(_) | Base::Phone | Base::Email | Base::Url)
}

/// The bound of an argument that must be one text.
pub fn text_type(args: &[Arg<'_>], index: usize) -> Result<Option<u32>, WrongArguments> {
    let ty = &args[index].ty;
    if ty.many {
        return wrong(
            index,
            format!("takes one text, got a list: write `.each(…)`, or `first(…)` for one of `{ty}`"),
        );
    }
    match &ty.base {
        Base::Text { max } => Ok(*max),
        base if is_text(base) => Ok(None),
        Base::Integer
        | Base::Decimal
        | Base::Money
        | Base::Bool
        | Base::Date
        | Base::DateTime
        | Base::PersonName
        | Base::Address => wrong(index, format!("takes a text, got `{ty}`: write `.text()` before it")),
        _ => wrong(index, format!("takes a text, got `{ty}`, which has none")),
    }
}

/// The bound of the only argument, which must be one text.
pub fn one_text(args: &[Arg<'_>]) -> Result<Option<u32>, WrongArguments> {
    arity(args, 1..=1, "")?;
    text_type(args, 0)
}

/// Checks an argument that must be a whole number; literals may be decimals that are whole.
pub fn whole_type(args: &[Arg<'_>], index: usize) -> Result<(), WrongArguments> {
    let whole_literal = args[index].constant.is_some_and(|value| value.as_whole().is_some());
    let ty = &args[index].ty;
    if !ty.many && (ty.base == Base::Integer || ty.base == Base::Decimal && whole_literal) {
        return Ok(());
    }
    wrong(index, format!("takes a whole number, got `{ty}`"))
}

/// The type of the elements of the only argument, which must be a list.
pub fn one_list(args: &[Arg<'_>], name: &str) -> Result<Base, WrongArguments> {
    arity(args, 1..=1, &format!("{name}(list)"))?;
    if !args[0].ty.many {
        return wrong(0, format!("takes a list, got `{}`", args[0].ty));
    }
    Ok(args[0].ty.base.clone())
}

/// A failure with its reason.
pub fn failure(why: impl Into<String>) -> Failure {
    Failure { why: why.into() }
}

/// A value that does not fit the type that was checked; reached by no checked plan.
pub fn mismatch(wanted: &str, got: &Value) -> Failure {
    let got = match got {
        Value::Absent => "nothing",
        Value::Text(_) => "a text",
        Value::Int(_) | Value::Decimal(_) => "a number",
        Value::Bool(_) => "a yes or no",
        Value::Date(_) => "a date",
        Value::Instant(_) => "a date-time",
        Value::Money(_) => "money",
        Value::Name(_) => "a name",
        Value::Address(_) => "an address",
        Value::Stage(_) => "a stage",
        Value::Ref(_) => "a link",
        Value::Item(_) => "an element",
        Value::List(_) => "a list",
    };
    failure(format!("expected a {wanted}, got {got}"))
}

/// A text argument.
pub fn text(args: &[Value], index: usize) -> Result<&str, Failure> {
    match args.get(index) {
        Some(Value::Text(text)) => Ok(text),
        Some(other) => Err(mismatch("text", other)),
        None => Err(mismatch("text", &Value::Absent)),
    }
}

/// A text argument, empty where it is absent.
pub fn text_or_empty(args: &[Value], index: usize) -> Result<&str, Failure> {
    match args.get(index) {
        None | Some(Value::Absent) => Ok(""),
        Some(_) => text(args, index),
    }
}

/// A whole number.
pub fn whole(args: &[Value], index: usize) -> Result<i64, Failure> {
    let value = args.get(index).unwrap_or(&Value::Absent);
    value.as_whole().ok_or_else(|| mismatch("whole number", value))
}

/// The elements of a list; a single value is a list of one, an absent one of none.
pub fn elements(args: &[Value], index: usize) -> std::slice::Iter<'_, Value> {
    match args.get(index) {
        None | Some(Value::Absent) => [].iter(),
        Some(Value::List(values)) => values.iter(),
        Some(value) => std::slice::from_ref(value).iter(),
    }
}

/// The end of the last whole cluster of characters that ends at `end` or before; `end` itself, when that would
/// leave nothing.
///
/// Covers combining marks, joined and modified emoji, flags and Hangul letters, by the rules of Unicode's Annex 29.
pub fn whole_clusters(text: &str, end: usize) -> usize {
    let mut at = end;
    while let (Some(before), Some(after)) = (text[..at].chars().next_back(), text[at..].chars().next()) {
        if !continues(&text[..at], before, after) {
            return at;
        }
        at -= before.len_utf8();
    }
    if at == 0 { end } else { at }
}

/// Whether no boundary lies between two neighbours.
fn continues(text_before: &str, before: char, after: char) -> bool {
    let joiner = '\u{200d}';
    let regional = |c: char| ('\u{1f1e6}'..='\u{1f1ff}').contains(&c);
    let extends = is_combining_mark(after)
        || matches!(after, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0020}'..='\u{e007f}' | '\u{1160}'..='\u{11ff}');
    extends
        || before == joiner
        || before == '\r' && after == '\n'
        || regional(before)
            && regional(after)
            && text_before.chars().rev().take_while(|c| regional(*c)).count() % 2 == 1
}
