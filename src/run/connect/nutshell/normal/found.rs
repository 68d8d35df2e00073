//! What a body holds, as elements that can be compared: the shapes of both APIs (sheet §5).

use std::str::FromStr;

use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use serde_json::Value as Json;

use super::planned::{address_element, phone_element};
use crate::run::connect::Element;

pub(super) fn rows(json: &Json) -> Vec<&Json> {
    match json {
        Json::Array(rows) => rows.iter().collect(),
        Json::Object(map) if map.contains_key("id") => vec![json],
        Json::Object(map) => map.values().collect(),
        _ => Vec::new(),
    }
}

/// A scalar as text.
pub(super) fn scalar(json: &Json) -> Option<String> {
    match json {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(yes) => Some(if *yes { "yes" } else { "no" }.to_owned()),
        _ => None,
    }
}

pub(super) fn part(json: &Json, key: &str) -> Option<String> {
    scalar(json.get(key)?).filter(|text| !text.trim().is_empty())
}

/// An id without REST's `-accounts` behind it.
pub(super) fn bare_id(json: &Json) -> Option<String> {
    let id = scalar(json.get("id").unwrap_or(json))?;
    let head = id.split('-').next().unwrap_or_default();
    let number = !head.is_empty() && head.bytes().all(|byte| byte.is_ascii_digit());
    Some(if number { head.to_owned() } else { id })
}

pub(super) fn amount(json: &Json) -> Option<Decimal> {
    let text = scalar(json)?;
    Decimal::from_str(text.trim()).or_else(|_| Decimal::from_scientific(text.trim())).ok()
}

pub(super) fn found_money(json: &Json) -> Option<Element> {
    let currency = part(json, "currency").or_else(|| part(json, "currency_shortname"))?;
    Some(Element::money(&currency, amount(json.get("amount")?)?))
}

/// Seconds since 1970 of any of the forms in which times come: seconds, or RFC 3339 with or without a colon in the
/// offset.
pub(super) fn seconds(json: &Json) -> Option<i64> {
    match json {
        Json::Number(number) => number.as_i64(),
        Json::Object(map) => seconds(map.get("timestamp").or_else(|| map.get("value"))?),
        Json::String(text) => {
            let text = text.trim();
            if let Ok(number) = text.parse() {
                return Some(number);
            }
            let (local, offset) = match text.strip_suffix(['Z', 'z']) {
                Some(local) => (local, 0),
                None => {
                    let at = text.rfind(['+', '-']).filter(|at| *at > 10)?;
                    let digits: String = text[at + 1..].chars().filter(char::is_ascii_digit).collect();
                    let number: i64 = digits.get(..4)?.parse().ok()?;
                    let offset = (number / 100 * 60 + number % 100) * 60;
                    (&text[..at], if text[at..].starts_with('-') { -offset } else { offset })
                }
            };
            let local: jiff::civil::DateTime = local.parse().ok()?;
            Some(local.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second() - offset)
        }
        _ => None,
    }
}

pub(super) fn moment(seconds: i64) -> Element {
    let at = jiff::Timestamp::from_second(seconds);
    Element::word(at.map_or_else(|_| seconds.to_string(), |at| at.to_string()))
}

/// A list with labels (sheet §5): each element with its label, the primary one first where the record says which.
pub(super) fn labelled_rows(json: &Json, read: impl Fn(&Json) -> Option<Element>) -> (Vec<Element>, bool) {
    match json {
        Json::Array(list) => (list.iter().filter_map(&read).collect(), false),
        Json::Object(map) => {
            let mut found: Vec<Element> = map
                .iter()
                .filter(|(label, _)| *label != "--primary")
                .filter_map(|(label, value)| {
                    let numbered = label.bytes().all(|byte| byte.is_ascii_digit());
                    Some(read(value)?.labelled(Some(label.as_str()).filter(|_| !numbered)))
                })
                .collect();
            let Some(primary) = map.get("--primary").and_then(&read) else { return (found, false) };
            match found.iter().position(|element| element.loose == primary.loose) {
                Some(at) => found[..=at].rotate_right(1),
                None => found.insert(0, primary),
            }
            (found, true)
        }
        Json::String(_) => (read(json).into_iter().collect(), false),
        _ => (Vec::new(), false),
    }
}

pub(super) fn found_phone(json: &Json) -> Option<Element> {
    if let Json::String(text) = json {
        return Some(phone_element(text, ""));
    }
    let extension = part(json, "extension").unwrap_or_default();
    let main = part(json, "E164").or_else(|| part(json, "number"))?;
    Some(phone_element(&main, &extension))
}

pub(super) fn found_address(json: &Json) -> Option<Element> {
    let Json::Object(map) = json else {
        return scalar(json).map(|line| address_element([line.as_str()].into_iter()));
    };
    let written = |key: &str| {
        key.starts_with("address_") || ["city", "state", "postalCode", "country", "name"].contains(&key)
    };
    let texts = map.iter().filter(|(key, _)| written(key)).filter_map(|(_, value)| value.as_str());
    let element = address_element(texts);
    (!element.exact.is_empty()).then_some(element)
}

/// A linked record: its object where several are possible, its id, and the text on the link.
pub(super) fn found_link(json: &Json, with_object: bool) -> Option<Element> {
    let id = bare_id(json)?;
    let object = match json.get("entityType").and_then(Json::as_str) {
        Some("Accounts") => "Account/",
        Some("Contacts") => "Contact/",
        Some("Leads") => "Lead/",
        Some("Products") => "Product/",
        _ => "",
    };
    let object = if with_object { object } else { "" };
    Some(Element::word(format!("{object}{id}")).labelled(part(json, "relationship").as_deref()))
}

/// A link of REST: `17-contacts`.
pub(super) fn rest_link(json: &Json) -> Option<Element> {
    let text = json.as_str()?;
    let (id, resource) = text.split_once('-')?;
    let object = match resource {
        "accounts" => "Account",
        "contacts" => "Contact",
        "leads" => "Lead",
        _ => return None,
    };
    Some(Element::word(format!("{object}/{id}")))
}

/// Pipeline and stage, or how it ended; and whether the reason of the end is not told, which is not among the keys
/// that were seen of leads (sheet §5).
pub(super) fn found_stage(body: &Json) -> Option<(Element, bool)> {
    let name = |key: &str| part(body.get(key)?, "name");
    let pipeline = name("stageset")?;
    let status = body.get("status").and_then(scalar).and_then(|text| text.parse::<i64>().ok());
    let mut untold = false;
    let end = match (status.unwrap_or_default(), body.get("outcome").filter(|outcome| outcome.is_object())) {
        (10..=12, outcome) => {
            let word = match status {
                Some(10) => "won",
                Some(11) => "lost",
                _ => "cancelled",
            };
            let why =
                outcome.and_then(|outcome| part(outcome, "description").or_else(|| part(outcome, "name")));
            untold = why.is_none();
            why.map_or_else(|| word.to_owned(), |why| format!("{word} {why}"))
        }
        _ => name("milestone").unwrap_or_default(),
    };
    Some((Element::word(format!("{pipeline} / {end}")), untold))
}

/// A mailbox by its address: `Ann <ann@x.example>`, or a record with it.
pub(super) fn found_mailbox(json: &Json) -> Option<Element> {
    let text = match json {
        Json::Object(_) => ["email", "address", "value"].iter().find_map(|key| part(json, key))?,
        other => scalar(other)?,
    };
    let inner = text.rsplit_once('<').map_or(text.as_str(), |(_, rest)| rest.trim_end_matches(['>', ' ']));
    Some(Element::word(inner.trim().to_lowercase())).filter(|element| element.exact.contains('@'))
}

/// A text without the line that carries the marker.
pub(super) fn unmarked(text: &str, marker: Option<&str>) -> String {
    let Some(marker) = marker else { return text.to_owned() };
    let end = format!(" {marker}]");
    let carries = |line: &str| line.trim().starts_with('[') && line.trim().ends_with(&end);
    let lines: Vec<&str> = text.lines().collect();
    match lines.iter().rposition(|line| carries(line)) {
        Some(at) => {
            // Above it may stand who wrote it.
            let before = lines[..at].iter().rposition(|line| !line.trim().is_empty());
            let author = before.filter(|at| {
                let line = lines[*at].trim();
                line.starts_with("[author ") && line.ends_with(']')
            });
            let kept: Vec<&str> =
                lines[..author.unwrap_or(at)].iter().chain(&lines[at + 1..]).copied().collect();
            kept.join("\n")
        }
        None => text.to_owned(),
    }
}

/// Several choices come as a list, or as one text with commas, in which a choice of its own may have one too.
pub(super) fn found_choices(json: &Json) -> Vec<Element> {
    match json {
        Json::Array(list) => list.iter().filter_map(scalar).map(|text| Element::text(&text)).collect(),
        other => {
            let Some(text) = scalar(other) else { return Vec::new() };
            text.split(", ").map(Element::text).collect()
        }
    }
}
