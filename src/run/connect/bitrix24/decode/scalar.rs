//! Single values as Bitrix24 spells them: dates, numbers, money, addresses, stage codes. Pure functions of text.

use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;
use rust_decimal::Decimal;

use crate::lang::value::{Address, Currency, Instant, Money};

/// A spelling of "no date": MySQL's zero date, bare and as PHP prints it, and the sentinel year of activities.
pub(super) fn blank_date(text: &str) -> bool {
    text.starts_with("0000-00-00") || text.starts_with("-0001-11-30") || text.starts_with("9999-12-31")
}

fn digits(bytes: &[u8]) -> Option<i16> {
    bytes
        .iter()
        .try_fold(0i16, |sum, b| b.is_ascii_digit().then(|| sum * 10 + i16::from(b - b'0')))
        .filter(|_| !bytes.is_empty() && bytes.len() <= 4)
}

fn small(bytes: &[u8]) -> Option<i8> {
    digits(bytes).and_then(|n| i8::try_from(n).ok())
}

/// The calendar date printed at the start of `2024-08-30T02:00:00+02:00`; zones are not shifted.
pub(super) fn date(text: &str) -> Option<Date> {
    let bytes = text.as_bytes();
    let rest_is_time = match bytes.get(10) {
        None => true,
        Some(b) => matches!(b, b'T' | b' '),
    };
    if bytes.len() < 10 || bytes[4] != b'-' || bytes[7] != b'-' || !rest_is_time {
        return None;
    }
    Date::new(digits(&bytes[..4])?, small(&bytes[5..7])?, small(&bytes[8..10])?).ok()
}

/// An ISO date-time with its offset.
pub(super) fn instant(text: &str) -> Option<Instant> {
    let day = date(text)?;
    let bytes = text.as_bytes();
    if bytes.len() < 19 || bytes[13] != b':' || bytes[16] != b':' {
        return None;
    }
    let (hour, minute, second) = (small(&bytes[11..13])?, small(&bytes[14..16])?, small(&bytes[17..19])?);
    let mut zone = &bytes[19..];
    if zone.first() == Some(&b'.') {
        let end = 1 + zone[1..].iter().take_while(|b| b.is_ascii_digit()).count();
        zone = &zone[end..];
    }
    let offset_seconds = match zone {
        b"Z" => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] | [sign @ (b'+' | b'-'), h1, h2, m1, m2] => {
            let east = i32::from(digits(&[*h1, *h2])?) * 3600 + i32::from(digits(&[*m1, *m2])?) * 60;
            if *sign == b'-' { -east } else { east }
        }
        _ => return None,
    };
    let local = DateTime::new(day.year(), day.month(), day.day(), hour, minute, second, 0).ok()?;
    let at = Offset::from_seconds(offset_seconds).ok()?.to_timestamp(local).ok()?;
    Some(Instant { at, offset_seconds })
}

/// A decimal number; never through a float.
pub(super) fn decimal(text: &str) -> Option<Decimal> {
    let text = text.trim();
    if text.contains(['e', 'E']) {
        Decimal::from_scientific(text).ok()
    } else {
        Decimal::from_str_exact(text).ok()
    }
}

/// A whole number, also when it is spelled `12.00`.
pub(super) fn integer(text: &str) -> Option<i64> {
    let text = text.trim();
    text.parse().ok().or_else(|| {
        let number = decimal(text)?;
        number.fract().is_zero().then(|| number.trunc().mantissa().try_into().ok())?
    })
}

/// `300|USD`; no amount is no value.
///
/// # Errors
/// An amount that is no number, or a currency that is not in ISO 4217.
pub(super) fn money(text: &str) -> Result<Option<Money>, String> {
    let (amount, code) = text.rsplit_once('|').unwrap_or((text, ""));
    if amount.trim().is_empty() {
        return Ok(None);
    }
    let amount = decimal(amount).ok_or_else(|| format!("`{text}` is not an amount with its currency"))?;
    let currency = Currency::parse(code).ok_or_else(|| format!("`{code}` is not a currency of ISO 4217"))?;
    Ok(Some(Money { amount, currency }))
}

/// `text|lat;lon|locationId`. The text is one line in an order that the portal chose, so it stays one line; parts
/// that are empty go.
pub(super) fn address(text: &str) -> Option<Address> {
    let line = text.split('|').next().unwrap_or_default();
    let mut out = Address::default();
    for part in line.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        if !out.line1.is_empty() {
            out.line1.push_str(", ");
        }
        out.line1.push_str(part);
    }
    (!out.line1.is_empty()).then_some(out)
}

/// A stage code without its category's prefix: `C1:NEW` and `DT1032_5:NEW` are `NEW`.
pub fn stage_code(code: &str) -> &str {
    let Some((prefix, rest)) = code.split_once(':') else { return code };
    let number = prefix.strip_prefix("DT").or_else(|| prefix.strip_prefix('C')).unwrap_or_default();
    let is_prefix = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    if is_prefix && !rest.is_empty() { rest } else { code }
}

/// The short code of a CRM type in bindings: `CO` in `CO_3`. `object` as links name it.
pub fn short_code(object: &str) -> Option<String> {
    Some(match object {
        "lead" => "L".to_owned(),
        "deal" => "D".to_owned(),
        "contact" => "C".to_owned(),
        "company" => "CO".to_owned(),
        "quote" => "Q".to_owned(),
        "invoice" => "SI".to_owned(),
        _ => format!("T{:x}", object.strip_prefix("process ")?.parse::<u32>().ok()?),
    })
}

/// The object behind an `entityTypeId` (sheet §6), as links name it.
pub fn entity_type(id: &str) -> String {
    match id {
        "1" => "lead".to_owned(),
        "2" => "deal".to_owned(),
        "3" => "contact".to_owned(),
        "4" => "company".to_owned(),
        "5" => "old invoice".to_owned(),
        "7" => "quote".to_owned(),
        "14" => "order".to_owned(),
        "31" => "invoice".to_owned(),
        _ => format!("process {id}"),
    }
}

/// The same for the spellings of owners: `2` as activities have it, `deal` and `dynamic_1046` as comments do.
pub fn owner_type(text: &str) -> String {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return entity_type(text);
    }
    let lower = text.to_ascii_lowercase();
    match lower.strip_prefix("dynamic_") {
        Some(id) => entity_type(id),
        None if lower == "smart_invoice" => "invoice".to_owned(),
        None => lower,
    }
}

/// A binding as a plan reads links to several objects: `company/3` for `CO_3`, `process 128/6` for `T80_6`. A binding
/// of a kind that nobody knows stays as it is, and matches no map.
pub fn binding(text: &str) -> String {
    let Some((code, id)) = text.split_once('_') else { return text.to_owned() };
    let known = ["lead", "deal", "contact", "company", "quote", "invoice"]
        .into_iter()
        .find(|object| short_code(object).is_some_and(|short| short.eq_ignore_ascii_case(code)));
    match known {
        Some(object) => format!("{object}/{id}"),
        None => match code.strip_prefix(['T', 't']).and_then(|hex| u32::from_str_radix(hex, 16).ok()) {
            Some(kind) => format!("process {kind}/{id}"),
            None => text.to_owned(),
        },
    }
}
