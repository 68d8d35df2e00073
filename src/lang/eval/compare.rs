//! Comparisons of values: texts as text, numbers as numbers, dates and instants by the calendar.

use std::cmp::Ordering;

use super::machine::is_absent;
use crate::lang::plan::Comparison;
use crate::lang::value::Value;

/// Whether a comparison holds. With an absent side only `NotEqual` does; values without an order between them are
/// neither less nor greater.
pub(super) fn compare(how: Comparison, a: &Value, b: &Value) -> bool {
    if is_absent(a) || is_absent(b) {
        return how == Comparison::NotEqual;
    }
    match how {
        Comparison::Equal => equal(a, b),
        Comparison::NotEqual => !equal(a, b),
        Comparison::Less => order(a, b) == Some(Ordering::Less),
        Comparison::AtMost => matches!(order(a, b), Some(Ordering::Less | Ordering::Equal)),
        Comparison::Greater => order(a, b) == Some(Ordering::Greater),
        Comparison::AtLeast => matches!(order(a, b), Some(Ordering::Greater | Ordering::Equal)),
    }
}

fn equal(a: &Value, b: &Value) -> bool {
    match order(a, b) {
        Some(ordering) => ordering == Ordering::Equal,
        None => a == b,
    }
}

/// Which is greater; `None` for values that have no order between them.
pub(super) fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Int(_) | Value::Decimal(_), Value::Int(_) | Value::Decimal(_)) => {
            Some(a.as_decimal()?.cmp(&b.as_decimal()?))
        }
        (Value::Date(a), Value::Date(b)) => Some(a.cmp(b)),
        (Value::Instant(a), Value::Instant(b)) => Some(a.at.cmp(&b.at)),
        // Against a date an instant counts by the date that it prints.
        (Value::Instant(a), Value::Date(b)) => Some(a.date().cmp(b)),
        (Value::Date(a), Value::Instant(b)) => Some(a.cmp(&b.date())),
        (Value::Money(a), Value::Money(b)) if a.currency == b.currency => Some(a.amount.cmp(&b.amount)),
        _ => None,
    }
}
