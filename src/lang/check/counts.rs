//! Numbers and plurals as messages print them.

use crate::lang::finding::Count;

/// `48210` as `48 210`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// `company` as `companies`; what ends with a number, as the name of a process does, keeps its name.
pub(super) fn plural(noun: &str) -> String {
    if noun.ends_with(|c: char| c.is_ascii_digit()) {
        return format!("records of `{noun}`");
    }
    match noun.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
        _ if noun.ends_with('s') => format!("{noun}es"),
        _ => format!("{noun}s"),
    }
}

/// `1 field`, `3 fields`.
pub(super) fn many(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{} {}", grouped(number as u64), plural(noun)) }
}

/// A count that may not be known.
pub(super) fn exact(records: Option<u64>) -> Count {
    records.map_or(Count::Unknown, |records| Count::Exact { records })
}

/// Whether one or several things are spoken of.
pub(super) fn is_are(number: usize) -> &'static str {
    if number == 1 { "is" } else { "are" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_nouns_read_well() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(412), "412");
        assert_eq!(grouped(48_210), "48 210");
        assert_eq!(grouped(1_000_000), "1 000 000");
        assert_eq!(plural("company"), "companies");
        assert_eq!(plural("deal"), "deals");
        assert_eq!(plural("day"), "days");
        assert_eq!(plural("process 1032"), "records of `process 1032`");
        assert_eq!(plural("process"), "processes");
        assert_eq!(many(1, "field"), "1 field");
        assert_eq!(many(2, "field"), "2 fields");
    }
}
