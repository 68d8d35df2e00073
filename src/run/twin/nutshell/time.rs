//! Times as the two APIs print and read them (sheet §5), in whole seconds.

use jiff::{Timestamp, civil, tz::TimeZone};
use serde_json::{Value, json};

use super::json::Json;

fn zoned(seconds: i64) -> jiff::Zoned {
    Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(TimeZone::UTC)
}

/// The RPC form `2010-01-13T23:08:06+0000`, whose offset has no colon.
pub fn rpc(seconds: i64) -> Value {
    Value::String(zoned(seconds).strftime("%Y-%m-%dT%H:%M:%S+0000").to_string())
}

/// The RPC form of a time that may be absent.
pub fn rpc_or_null(seconds: Option<i64>) -> Value {
    seconds.map_or(Value::Null, rpc)
}

/// The form that REST uses on leads.
pub fn rest_lead(seconds: Option<i64>) -> Value {
    let Some(seconds) = seconds else {
        return Value::Null;
    };
    let words = zoned(seconds).strftime("%B %-d, %Y").to_string();
    json!({"absoluteLocalizedString": words, "timestamp": seconds, "value": words})
}

/// Reads an RFC 3339 text, an offset without colon, a time without offset (UTC), or a plain date.
pub fn parse(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time.as_second());
    }
    if let Some(at) = text.len().checked_sub(5)
        && let (Some(head), Some(tail)) = (text.get(..at), text.get(at..))
        && tail.starts_with(['+', '-'])
        && let (Some(hours), Some(minutes)) = (tail.get(..3), tail.get(3..))
        && let Ok(time) = format!("{head}{hours}:{minutes}").parse::<Timestamp>()
    {
        return Some(time.as_second());
    }
    let utc = |at: civil::DateTime| at.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp().as_second());
    if let Ok(at) = text.parse::<civil::DateTime>() {
        return utc(at);
    }
    text.parse::<civil::Date>().ok().and_then(|date| utc(date.at(0, 0, 0, 0)))
}

/// Reads a time from a text, unix seconds, or an object with `timestamp`.
pub fn from_json(value: &Json) -> Option<i64> {
    let seconds = match value {
        Json::Obj(_) => value.at("timestamp").int(),
        Json::Num(number) => number.as_i64(),
        Json::Str(text) => text.trim().parse().ok().or_else(|| parse(text)),
        _ => None,
    }?;
    Timestamp::from_second(seconds).ok().map(|_| seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_an_offset() {
        assert_eq!(rpc(1_263_424_086), "2010-01-13T23:08:06+0000");
        for text in [
            "2010-01-13T23:08:06+0000",
            "2010-01-13T23:08:06+00:00",
            "2010-01-13T18:08:06-0500",
            "2010-01-13T23:08:06",
        ] {
            assert_eq!(parse(text), Some(1_263_424_086), "{text}");
        }
        assert_eq!(parse("2010-01-13"), Some(1_263_340_800));
        assert_eq!(parse("soon"), None);
        assert_eq!(from_json(&Json::Str("1756322819".into())), Some(1_756_322_819));
    }
}
