//! A sent value as the portal stores it (sheet 1.4, 6, 16.1).
//!
//! Classic methods normalise what they do not understand, universal ones refuse it.

use serde_json::{Value, json};

use super::super::methods::{Call, Failure, iso};
use super::super::php::Php;
use super::super::records::{Field, int_of};
use super::fresh_file;

/// A value that does not fit its field.
#[derive(Debug, PartialEq)]
pub(super) enum Odd {
    /// It is of the wrong kind.
    Invalid,
    /// One value where many are wanted; the PHP type that came.
    NoList(&'static str),
}

/// What to keep of a sent value; `None` empties the field.
pub(super) fn stored(
    call: &mut Call<'_>,
    field: Field<'_>,
    value: &Php,
    held: Option<&Value>,
    strict: bool,
) -> Result<Option<Value>, Odd> {
    if field.kind == "file" {
        return file(call, field, value, held, strict);
    }
    if !field.multiple {
        return scalar(call, field, value, strict);
    }
    let items: Vec<&Php> = match value {
        Php::Arr(items) => items.iter().map(|(_, v)| v).collect(),
        _ if value.text().is_none_or(|t| t.is_empty()) => Vec::new(),
        Php::Num(_) if strict => return Err(Odd::NoList("integer")),
        Php::Bool(_) if strict => return Err(Odd::NoList("boolean")),
        _ if strict => return Err(Odd::NoList("string")),
        one => vec![one],
    };
    let mut kept = Vec::new();
    for item in items {
        kept.extend(scalar(call, Field { multiple: false, ..field }, item, strict)?);
    }
    Ok((!kept.is_empty()).then_some(Value::Array(kept)))
}

fn scalar(call: &Call<'_>, field: Field<'_>, value: &Php, strict: bool) -> Result<Option<Value>, Odd> {
    let odd = || if strict { Err(Odd::Invalid) } else { Ok(None) };
    if let Php::Arr(items) = value {
        // An empty array is PHP's spelling of nothing; opaque kinds keep their arrays.
        return match field.kind {
            _ if items.is_empty() => Ok(None),
            "object" => Ok(Some(value.to_json())),
            _ => odd(),
        };
    }
    if let ("char", Php::Bool(is)) = (field.kind, value) {
        return Ok(Some(json!(super::yes(*is))));
    }
    if let "boolean" = field.kind {
        let text = value.text().unwrap_or_default().into_owned();
        return match text.as_str() {
            "" if *value == Php::Null => Ok(None),
            "Y" | "y" | "1" | "true" => Ok(Some(json!("1"))),
            "N" | "n" | "0" | "false" | "" => Ok(Some(json!("0"))),
            _ => odd(),
        };
    }
    let Some(text) = value.text().filter(|t| !t.is_empty()).map(std::borrow::Cow::into_owned) else {
        return Ok(None);
    };
    let number = text.trim().parse::<rust_decimal::Decimal>();
    match field.kind {
        "double" if field.custom => match number {
            Ok(_) => Ok(Some(json!(text.trim()))),
            Err(_) => odd(),
        },
        "double" => match number {
            Ok(amount) => Ok(Some(json!(format!("{amount:.2}")))),
            Err(_) if strict => Err(Odd::Invalid),
            Err(_) => Ok(Some(json!("0.00"))),
        },
        "date" => day(call, &text).map_or_else(odd, |d| Ok(Some(json!(d)))),
        "datetime" => moment(call, &text).map_or_else(odd, |m| Ok(Some(json!(m)))),
        _ if field.is_link() => match number {
            Ok(id) if id.is_zero() => Ok(None),
            Ok(id) => Ok(Some(json!(id.trunc().normalize().to_string()))),
            Err(_) => odd(),
        },
        _ if field.is_integer() && field.kind != "enumeration" => match number {
            Ok(n) => Ok(Some(json!(n.trunc().normalize().to_string()))),
            Err(_) => odd(),
        },
        "string" if field.code == "TITLE" => Ok(Some(json!(text.chars().take(255).collect::<String>()))),
        _ => Ok(Some(json!(text))),
    }
}

/// The server's offset from UTC as it is printed.
fn zone(call: &Call<'_>) -> String {
    call.now().get(19..).unwrap_or("+00:00").to_owned()
}

/// The calendar day at the start of a text, printed as the server prints date-only fields (sheet 1.4).
pub(super) fn day(call: &Call<'_>, text: &str) -> Option<String> {
    let head = text.trim().get(..10)?;
    let parsed = head
        .parse::<jiff::civil::Date>()
        .or_else(|_| jiff::civil::Date::strptime("%d.%m.%Y", head))
        .or_else(|_| jiff::civil::Date::strptime("%m/%d/%Y", head));
    Some(format!("{}T00:00:00{}", parsed.ok()?, zone(call)))
}

/// A point in time in the server's own offset; one without an offset is the server's.
pub(super) fn moment(call: &Call<'_>, text: &str) -> Option<String> {
    let text = text.trim();
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Some(iso(at.as_millisecond(), call.offset()));
    }
    let local = text
        .parse::<jiff::civil::DateTime>()
        .or_else(|_| jiff::civil::DateTime::strptime("%d.%m.%Y %H:%M:%S", text))
        .or_else(|_| text.parse::<jiff::civil::Date>().map(|d| d.at(0, 0, 0, 0)))
        .ok()?;
    Some(format!("{}{}", local.strftime("%Y-%m-%dT%H:%M:%S"), zone(call)))
}

/// The day this many days from now.
pub(super) fn today(call: &Call<'_>, plus_days: i64) -> String {
    let now = iso(call.now_ms.saturating_add(plus_days.saturating_mul(86_400_000)), call.offset());
    format!("{}T00:00:00{}", now.get(..10).unwrap_or(""), zone(call))
}

/// Whether a text could be an e-mail address.
pub(super) fn is_address(text: &str) -> bool {
    let text = text.trim();
    let plain = !text.chars().any(char::is_whitespace);
    plain && text.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.'))
}

/// A file field: `{"fileData": [name, base64]}` in classic methods, `[name, base64]` in universal ones, where an old
/// file is kept by its id and one that is not named is deleted (sheet 16.1).
fn file(
    call: &mut Call<'_>,
    field: Field<'_>,
    value: &Php,
    held: Option<&Value>,
    strict: bool,
) -> Result<Option<Value>, Odd> {
    let is_upload = |v: &Php| match strict {
        true => v.entries().len() == 2 && v.entries().iter().all(|(_, part)| !part.is_array()),
        false => v.get("fileData").is_some_and(Php::is_array),
    };
    let items: Vec<&Php> = match value {
        v if !field.multiple || is_upload(v) || v.get("id").is_some() => vec![v],
        Php::Arr(items) => items.iter().map(|(_, v)| v).collect(),
        _ => Vec::new(),
    };
    let old: Vec<Value> = match held {
        Some(Value::Array(all)) => all.clone(),
        Some(one @ Value::Object(_)) => vec![one.clone()],
        _ => Vec::new(),
    };
    let mut kept = Vec::new();
    for item in items {
        if let Some(id) = item.get("id").map(Php::int) {
            kept.extend(old.iter().find(|f| f.get("id").and_then(int_of) == Some(id)).cloned());
        } else if is_upload(item) {
            let id = fresh_file(call.portal);
            let path = format!(
                "/bitrix/components/bitrix/crm.deal.show/show_file.php?fieldName={}&dynamic=Y&fileId={id}",
                field.code
            );
            let download = path.replacen('?', "?auth=&", 1);
            kept.push(json!({ "id": id, "showUrl": path, "downloadUrl": download }));
        } else if strict && item.text().is_none_or(|t| !t.is_empty()) {
            return Err(Odd::Invalid);
        }
    }
    Ok(match kept.len() {
        0 => None,
        _ if field.multiple => Some(Value::Array(kept)),
        _ => kept.into_iter().next(),
    })
}

/// The refusal of a universal method.
pub(super) fn refusal(odd: &Odd, name: &str) -> Failure {
    match odd {
        Odd::Invalid => {
            Failure::thrown("CRM_FIELD_ERROR_VALUE_NOT_VALID", format!("Invalid value for field \"{name}\""))
        }
        Odd::NoList(kind) => Failure::thrown(
            "100",
            format!("Expected iterable value for multiple field, but got {kind} instead"),
        ),
    }
}
