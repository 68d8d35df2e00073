//! Reading dates, instants and numbers from text. Every reader takes the whole text or nothing.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;

use super::Instant;

impl Instant {
    /// Reads `2024-08-30T14:29:00+02:00`: `T` or one space, seconds with or without a fraction or left out, the
    /// offset as `Z`, `+02`, `+0200` or `+02:00`. A text without an offset is no instant.
    pub fn parse(text: &str) -> Option<Instant> {
        let text = text.trim();
        let (date, rest) = text.split_at_checked(10)?;
        let date = iso_date(date)?;
        let rest = rest.strip_prefix(['T', 't', ' '])?;
        let split = rest.find(['Z', 'z', '+', '-'])?;
        let (time, offset) = rest.split_at(split);
        let time = clock_time(time)?;
        let offset_seconds = offset_seconds(offset)?;
        Instant::from_civil(date.to_datetime(time), offset_seconds)
    }

    /// The instant at which a clock with this offset shows `civil`; `None` outside the years -9999 to 9999.
    pub fn from_civil(civil: DateTime, offset_seconds: i32) -> Option<Instant> {
        let offset = Offset::from_seconds(offset_seconds).ok()?;
        Some(Instant { at: offset.to_timestamp(civil).ok()?, offset_seconds })
    }

    /// Date and time as printed, that is, with the offset of the source.
    pub fn civil(&self) -> DateTime {
        let offset = Offset::from_seconds(self.offset_seconds).unwrap_or(Offset::UTC);
        offset.to_datetime(self.at)
    }

    /// The calendar date as printed.
    pub fn date(&self) -> Date {
        self.civil().date()
    }

    /// The instant at which clocks of a zone show this date and time.
    ///
    /// A time that clocks skip is taken with the offset from before the gap (02:30 becomes 03:30 summer time); of
    /// a time that they show twice the first one counts. This is RFC 5545's rule. Dates at the very ends of the
    /// calendar, whose instant cannot be expressed, give the last or first instant that can.
    pub fn in_zone(civil: DateTime, zone: &TimeZone) -> Instant {
        match zone.to_ambiguous_zoned(civil).compatible() {
            Ok(zoned) => Instant { at: zoned.timestamp(), offset_seconds: zoned.offset().seconds() },
            Err(_) if civil.year() > 0 => Instant { at: Timestamp::MAX, offset_seconds: 0 },
            Err(_) => Instant { at: Timestamp::MIN, offset_seconds: 0 },
        }
    }

    /// Shifts the instant; at the ends of the calendar it stays inside.
    #[must_use]
    pub fn saturating_add(self, by: SignedDuration) -> Instant {
        // INVARIANT: adding an absolute duration saturates and has no other way to fail.
        Instant { at: self.at.saturating_add(by).unwrap_or(self.at), ..self }
    }
}

/// Reads `2024-08-30`, and nothing else.
pub fn iso_date(text: &str) -> Option<Date> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    civil_date(&text[..4], &text[5..7], &text[8..])
}

/// Reads a calendar date: `2024-08-30`, `30.08.2024`, or the date that an ISO date-time prints, with or without an
/// offset (`2024-08-30T03:00:00+03:00` is 30 August whatever the zone).
pub fn date(text: &str) -> Option<Date> {
    let text = text.trim();
    if let Some(date) = iso_date(text) {
        return Some(date);
    }
    let mut parts = text.split('.');
    if let (Some(day), Some(month), Some(year), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
        && day.len() <= 2
        && month.len() <= 2
        && year.len() == 4
    {
        return civil_date(year, month, day);
    }
    let (date, rest) = text.split_at_checked(10)?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let time = rest.find(['Z', 'z', '+', '-']).map_or(rest, |at| &rest[..at]);
    if time.len() < rest.len() {
        offset_seconds(&rest[time.len()..])?;
    }
    clock_time(time)?;
    iso_date(date)
}

/// Reads `18:00`, `18:00:30` or `18:00:30.5`.
pub fn clock_time(text: &str) -> Option<Time> {
    let mut parts = text.split(':');
    let hour = digits(parts.next()?, 1..=2)?;
    let minute = digits(parts.next()?, 2..=2)?;
    let (second, nanosecond) = match parts.next() {
        None => (0, 0),
        Some(text) => {
            let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
            (digits(whole, 2..=2)?, fraction_nanoseconds(fraction, text.contains('.'))?)
        }
    };
    if parts.next().is_some() {
        return None;
    }
    let small = |n: i32| i8::try_from(n).ok();
    Time::new(small(hour)?, small(minute)?, small(second)?, nanosecond).ok()
}

fn fraction_nanoseconds(text: &str, expected: bool) -> Option<i32> {
    if !expected {
        return Some(0);
    }
    if text.is_empty() || text.len() > 9 {
        return None;
    }
    let scale = 10i32.pow(9 - u32::try_from(text.len()).ok()?);
    digits(text, 1..=9)?.checked_mul(scale)
}

fn civil_date(year: &str, month: &str, day: &str) -> Option<Date> {
    let year = i16::try_from(digits(year, 4..=4)?).ok()?;
    let month = i8::try_from(digits(month, 1..=2)?).ok()?;
    let day = i8::try_from(digits(day, 1..=2)?).ok()?;
    Date::new(year, month, day).ok()
}

fn digits(text: &str, length: std::ops::RangeInclusive<usize>) -> Option<i32> {
    (length.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

fn offset_seconds(text: &str) -> Option<i32> {
    if matches!(text, "Z" | "z") {
        return Some(0);
    }
    let (sign, rest) = match text.strip_prefix('+') {
        Some(rest) => (1, rest),
        None => (-1, text.strip_prefix('-')?),
    };
    let (hours, minutes) = match rest.split_once(':') {
        Some(parts) => parts,
        None if rest.len() == 2 => (rest, "00"),
        None => rest.split_at_checked(2)?,
    };
    let (hours, minutes) = (digits(hours, 2..=2)?, digits(minutes, 2..=2)?);
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3600 + minutes * 60))
}

/// How many digits a number has that is read from text, leading noughts apart; some of one more fit a decimal, others
/// do not, and people should not have to know which.
const MAX_DIGITS: usize = 28;

/// Reads a decimal number exactly: an optional sign, digits, at most one point. More digits than a decimal holds
/// (28) give `None` rather than a rounded number.
pub fn decimal(text: &str) -> Option<Decimal> {
    let text = text.trim();
    let body = text.strip_prefix(['-', '+']).unwrap_or(text);
    let shaped = body.bytes().any(|b| b.is_ascii_digit())
        && body.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && body.bytes().filter(|b| *b == b'.').count() <= 1;
    let digits = body.trim_start_matches('0').bytes().filter(u8::is_ascii_digit).count();
    if !shaped || digits > MAX_DIGITS {
        return None;
    }
    Decimal::from_str_exact(text.strip_prefix('+').unwrap_or(text)).ok()
}

/// How a locale writes numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberFormat {
    group: &'static [char],
    point: char,
}

/// The languages whose numbers [`number_format`] knows.
pub const NUMBER_LOCALES: &[&str] = &[
    "cs", "da", "de", "de-CH", "en", "es", "fi", "fr", "hu", "id", "it", "ja", "nb", "nl", "pl", "pt", "ro",
    "ru", "sv", "tr", "uk", "zh",
];

/// How a language writes numbers: `en`, `de`, `ru`, …, also with a country (`en-US`, `pt_BR`). `None` for an
/// unknown one. Separators as in Unicode CLDR.
pub fn number_format(locale: &str) -> Option<NumberFormat> {
    const SPACES: &[char] = &[' ', '\u{a0}', '\u{202f}', '\u{2009}'];
    const QUOTES: &[char] = &['\'', '\u{2019}'];
    let lower = locale.trim().to_ascii_lowercase().replace('_', "-");
    let language = lower.split('-').next().unwrap_or_default();
    let (group, point): (&'static [char], char) = match (lower.as_str(), language) {
        ("de-ch" | "de-li" | "it-ch", _) => (QUOTES, '.'),
        (_, "en" | "ja" | "zh") => (&[','], '.'),
        (_, "de" | "es" | "it" | "nl" | "pt" | "id" | "tr" | "da" | "ro") => (&['.'], ','),
        (_, "fr" | "ru" | "uk" | "pl" | "cs" | "sv" | "nb" | "fi" | "hu") => (SPACES, ','),
        _ => return None,
    };
    Some(NumberFormat { group, point })
}

/// Reads a number as a locale writes it: `1 500,25` in `ru`. Groups, where there are any, must be of three digits.
pub fn number(text: &str, format: NumberFormat) -> Option<Decimal> {
    let text = text.trim();
    // U+2212 is the minus sign that some locales print.
    let (negative, body) = match text.strip_prefix(['-', '\u{2212}']) {
        Some(body) => (true, body),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = match body.split_once(format.point) {
        Some((_, "")) => return None,
        Some((whole, fraction)) => (whole, fraction),
        None => (body, ""),
    };
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut plain = String::with_capacity(text.len() + 1);
    if negative {
        plain.push('-');
    }
    for (index, group) in whole.split(format.group).enumerate() {
        let grouped = whole.contains(format.group);
        let right = match (grouped, index) {
            (false, _) => !group.is_empty(),
            (true, 0) => (1..=3).contains(&group.len()),
            (true, _) => group.len() == 3,
        };
        if !right || !group.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        plain.push_str(group);
    }
    if !fraction.is_empty() {
        plain.push('.');
        plain.push_str(fraction);
    }
    decimal(&plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn civil(text: &str) -> Option<String> {
        Instant::parse(text).map(|instant| format!("{} {}", instant.at, instant.offset_seconds))
    }

    #[test]
    fn instants_come_with_their_offset() {
        assert_eq!(civil("2024-08-30T14:29:00+02:00").as_deref(), Some("2024-08-30T12:29:00Z 7200"));
        assert_eq!(civil("2024-08-30T14:29:00+0000").as_deref(), Some("2024-08-30T14:29:00Z 0"));
        assert_eq!(civil("2024-08-30 14:29:00.25-03:30").as_deref(), Some("2024-08-30T17:59:00.25Z -12600"));
        assert_eq!(civil("2024-08-30T14:29Z").as_deref(), Some("2024-08-30T14:29:00Z 0"));
        for bad in
            ["", "2024-08-30", "2024-08-30T14:29:00", "2024-13-30T14:29:00Z", "2024-08-30T25:00:00Z", "é"]
        {
            assert_eq!(civil(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_date_is_the_date_that_is_printed() {
        let day = Date::constant(2024, 8, 30);
        for text in [
            "2024-08-30",
            "30.08.2024",
            "2024-08-30T00:30:00+03:00",
            "2024-08-30 23:59:59",
            "2024-08-30T01:00Z",
        ] {
            assert_eq!(date(text), Some(day), "{text}");
        }
        assert_eq!(Instant::parse("2024-08-30T00:30:00+03:00").map(|i| i.date()), Some(day));
        for bad in ["30/08/2024", "2024-02-30", "30.08.24", "2024-08-30x", "2024-08-30T", "yesterday", "..."]
        {
            assert_eq!(date(bad), None, "{bad}");
        }
    }

    #[test]
    fn gaps_and_overlaps_are_resolved_the_compatible_way() {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let at = |text: &str| {
            let date = iso_date(&text[..10]).unwrap();
            let instant = Instant::in_zone(date.to_datetime(clock_time(&text[11..]).unwrap()), &zone);
            (instant.at.to_string(), instant.offset_seconds)
        };
        assert_eq!(at("2024-01-15 18:00"), ("2024-01-15T17:00:00Z".to_owned(), 3600));
        assert_eq!(at("2024-03-31 02:30"), ("2024-03-31T01:30:00Z".to_owned(), 7200));
        assert_eq!(at("2024-10-27 02:30"), ("2024-10-27T00:30:00Z".to_owned(), 7200));
        assert_eq!(at("9999-12-31 18:00").0, Timestamp::MAX.to_string());
    }

    #[test]
    fn numbers_are_read_as_their_locale_writes_them() {
        let read = |text: &str, locale: &str| number(text, number_format(locale)?).map(|n| n.to_string());
        assert_eq!(read("1,234,567.50", "en").as_deref(), Some("1234567.50"));
        assert_eq!(read("1.234,5", "de-DE").as_deref(), Some("1234.5"));
        assert_eq!(read("-1\u{a0}500,25", "ru").as_deref(), Some("-1500.25"));
        assert_eq!(read("1'500.25", "de-CH").as_deref(), Some("1500.25"));
        assert_eq!(read("1500", "fr").as_deref(), Some("1500"));
        for (bad, locale) in
            [("1.5", "de"), ("1,50", "en"), ("", "en"), ("1,", "de"), ("12 34", "ru"), ("x", "en")]
        {
            assert_eq!(read(bad, locale), None, "{bad} in {locale}");
        }
        assert!(NUMBER_LOCALES.iter().all(|locale| number_format(locale).is_some()));
        assert_eq!(number_format("tlh"), None);
    }

    #[test]
    fn decimals_are_exact_or_nothing() {
        assert_eq!(decimal("1500.00").map(|d| d.to_string()).as_deref(), Some("1500.00"));
        assert_eq!(decimal(&"9".repeat(28)).map(|d| d.to_string()), Some("9".repeat(28)));
        assert_eq!(
            decimal(&format!("1{}", "0".repeat(28))),
            None,
            "29 digits, though a decimal would hold it"
        );
        assert_eq!(decimal("-0.5").map(|d| d.to_string()).as_deref(), Some("-0.5"));
        for bad in ["", ".", "1e3", "1_000", "1 000", "--1", "0.12345678901234567890123456789012345"] {
            assert_eq!(decimal(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_a_reader_panic(text in "\\PC{0,40}|[0-9T:.+Z -]{0,32}") {
            let _ = (Instant::parse(&text), date(&text), decimal(&text), clock_time(&text));
            for locale in NUMBER_LOCALES {
                let _ = number_format(locale).and_then(|format| number(&text, format));
            }
        }

        #[test]
        fn printed_instants_are_read_back(seconds in -60_000_000_000i64..200_000_000_000, offset in -50i32..50) {
            let instant = Instant { at: Timestamp::from_second(seconds).unwrap(), offset_seconds: offset * 900 };
            prop_assert_eq!(Instant::parse(&instant.to_string()), Some(instant));
        }
    }
}
