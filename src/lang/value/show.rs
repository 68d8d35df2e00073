//! Values as people read them, and as `text` writes them into the destination.

use std::borrow::Cow;
use std::fmt;

use compact_str::CompactString;
use rust_decimal::Decimal;

use super::{Address, Instant, Money, OutcomeKind, PersonName, RefValue, StageValue, Value};

impl Value {
    /// The value as people read it; nothing where there is none.
    ///
    /// Numbers are plain (`1500.00`), dates ISO (`2024-08-30`), instants as printed (`2024-08-30T14:29:00+02:00`),
    /// money with its code (`1500.00 USD`), booleans `yes` and `no`, lists with commas.
    pub fn display(&self) -> impl fmt::Display + '_ {
        Shown(self)
    }

    /// The same as text of its own, borrowed where the value is text already.
    pub fn to_text(&self) -> Cow<'_, str> {
        match self {
            Value::Text(text) => Cow::Borrowed(text),
            Value::Absent => Cow::Borrowed(""),
            Value::Bool(yes) => Cow::Borrowed(if *yes { "yes" } else { "no" }),
            Value::Item(item) => item.value.to_text(),
            other => Cow::Owned(other.display().to_string()),
        }
    }

    /// Text, absent when it is empty.
    pub fn text_or_absent(text: impl Into<CompactString>) -> Value {
        let text = text.into();
        if text.is_empty() { Value::Absent } else { Value::Text(text) }
    }

    /// The value without attributes or label, its own or its elements'.
    pub fn stripped(&self) -> Cow<'_, Value> {
        match self {
            Value::Item(item) => Cow::Borrowed(&item.value),
            Value::List(values) if values.iter().any(|v| matches!(v, Value::Item(_))) => {
                Cow::Owned(Value::List(values.iter().map(|v| v.bare().clone()).collect()))
            }
            other => Cow::Borrowed(other),
        }
    }

    /// The value proper of an element.
    pub fn bare(&self) -> &Value {
        match self {
            Value::Item(item) => &item.value,
            other => other,
        }
    }

    /// The value as a whole number; a decimal counts when nothing stands behind its point.
    pub fn as_whole(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            Value::Decimal(number) if number.fract().is_zero() => i64::try_from(number.trunc()).ok(),
            _ => None,
        }
    }

    /// The value as a decimal, where it is a number.
    pub fn as_decimal(&self) -> Option<Decimal> {
        match self {
            Value::Int(number) => Some(Decimal::from(*number)),
            Value::Decimal(number) => Some(*number),
            _ => None,
        }
    }
}

struct Shown<'a>(&'a Value);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Absent => Ok(()),
            Value::Text(text) => f.write_str(text),
            Value::Int(number) => write!(f, "{number}"),
            Value::Decimal(number) => write!(f, "{number}"),
            Value::Bool(yes) => f.write_str(if *yes { "yes" } else { "no" }),
            Value::Date(date) => write!(f, "{date}"),
            Value::Instant(instant) => write!(f, "{instant}"),
            Value::Money(money) => write!(f, "{money}"),
            Value::Name(name) => write!(f, "{name}"),
            Value::Address(address) => write!(f, "{address}"),
            Value::Stage(stage) => write!(f, "{stage}"),
            Value::Ref(link) => write!(f, "{link}"),
            Value::Item(item) => match item.attrs.as_slice() {
                [label @ Value::Text(_)] => write!(f, "{} ({})", Shown(&item.value), Shown(label)),
                _ => Shown(&item.value).fmt(f),
            },
            Value::List(values) => {
                for (index, value) in values.iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { ", " })?;
                    Shown(value).fmt(f)?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, offset) =
            if self.offset_seconds < 0 { ('-', -self.offset_seconds) } else { ('+', self.offset_seconds) };
        write!(f, "{}{sign}{:02}:{:02}", self.civil(), offset / 3600, offset / 60 % 60)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.currency.as_str())
    }
}

impl fmt::Display for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        joined(f, " ", &[&self.given, &self.family])
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        joined(
            f,
            ", ",
            &[&self.line1, &self.line2, &self.city, &self.region, &self.postal_code, &self.country],
        )
    }
}

fn joined(f: &mut fmt::Formatter<'_>, between: &str, parts: &[&str]) -> fmt::Result {
    let mut first = true;
    for part in parts.iter().filter(|part| !part.is_empty()) {
        f.write_str(if first { "" } else { between })?;
        f.write_str(part)?;
        first = false;
    }
    Ok(())
}

impl fmt::Display for StageValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.pipeline)?;
        if let Some(stage) = &self.stage {
            write!(f, ": {stage}")?;
        }
        if let Some((kind, name)) = &self.outcome {
            write!(f, ": {kind} {name}")?;
        }
        Ok(())
    }
}

impl fmt::Display for OutcomeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OutcomeKind::Won => "won",
            OutcomeKind::Lost => "lost",
            OutcomeKind::Cancelled => "cancelled",
        })
    }
}

impl fmt::Display for RefValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::value::{Currency, Item};

    #[test]
    fn values_read_as_people_write_them() {
        let money = Money { amount: Decimal::new(150_000, 2), currency: Currency::parse("usd").unwrap() };
        let phone = Item { value: Value::text("+13333333555"), attrs: vec![Value::text("work")] };
        let cases = [
            (Value::Absent, ""),
            (Value::Int(-3), "-3"),
            (Value::Bool(true), "yes"),
            (Value::Money(money), "1500.00 USD"),
            (
                Value::Instant(Instant::parse("2024-08-30T14:29:00-03:30").unwrap()),
                "2024-08-30T14:29:00-03:30",
            ),
            (Value::Name(Box::new(PersonName { given: "".into(), family: "Lee".into() })), "Lee"),
            (Value::List(vec![Value::Item(Box::new(phone)), Value::Int(1)]), "+13333333555 (work), 1"),
        ];
        for (value, shown) in cases {
            assert_eq!(value.display().to_string(), shown);
        }
    }

    #[test]
    fn stripping_leaves_the_values_proper() {
        let item =
            |text: &str| Value::Item(Box::new(Item { value: Value::text(text), attrs: vec![Value::Int(1)] }));
        assert_eq!(
            Value::List(vec![item("a"), item("b")]).stripped().into_owned(),
            Value::List(vec![Value::text("a"), Value::text("b")])
        );
        assert!(matches!(Value::List(vec![Value::Int(1)]).stripped(), Cow::Borrowed(_)));
    }
}
