//! Values that come in lists: how they are labelled, and joined with what a record holds already, since a list that
//! is sent replaces the whole of it (sheet §4.1).

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use super::super::client::id_json;
use super::super::directory::{Directory, amount, elements, id, text};
use super::super::stored::{
    ADDRESS, identity, is_label, items, link_json, links as stored_links, phone_text, resent,
};
use super::error;
use super::slot::by_name;
use crate::lang::value::{Address, Instant, Value};
use crate::run::connect::FieldError;

/// A value of another kind than the field takes: the spec was checked against another schema.
pub(super) fn mismatch(name: &str, expected: &str, found: &Value) -> FieldError {
    let kind = match found {
        Value::Absent => "nothing",
        Value::Text(_) => "a text",
        Value::Int(_) | Value::Decimal(_) => "a number",
        Value::Bool(_) => "yes or no",
        Value::Date(_) => "a date",
        Value::Instant(_) => "an instant",
        Value::Money(_) => "an amount",
        Value::Name(_) => "a name",
        Value::Address(_) => "an address",
        Value::Stage(_) => "a stage",
        Value::Ref(_) => "a link that was not resolved",
        Value::Item(_) => "an element",
        Value::List(_) => "several values",
    };
    error(
        name,
        format!("takes {expected}, and the record has {kind}: check the spec against the schema again"),
    )
}

/// The elements of a value with their labels; a single value is a list of one.
fn labelled(value: &Value) -> impl Iterator<Item = (Option<String>, &Value)> {
    let values = match value {
        Value::List(values) => values.as_slice(),
        single => std::slice::from_ref(single),
    };
    values.iter().filter(|value| !value.bare().is_absent()).map(|value| match value {
        Value::Item(item) => {
            let label = item
                .attrs
                .first()
                .filter(|label| !label.is_absent())
                .map(|label| label.to_text().into_owned());
            (label.map(|label| label.trim().to_owned()).filter(|label| !label.is_empty()), &item.value)
        }
        plain => (None, plain),
    })
}

/// Phones, e-mail and web addresses, postal addresses: a list, or by label. Like every list here: `None` when the
/// record holds all of it already.
///
/// The first value sent becomes the primary one, so what the record holds stands first, its primary value at the
/// head, and new values follow in the order of the source.
pub(super) fn contact_items(
    name: &str,
    key: &str,
    value: &Value,
    before: Option<&Json>,
) -> Result<Option<Json>, FieldError> {
    let mut found: Vec<(Option<String>, Json)> = Vec::new();
    let mut seen = BTreeSet::new();
    for (label, json) in before.map(|before| items(before, key)).unwrap_or_default() {
        if let Some(json) = resent(key, json)
            && seen.insert(identity(key, &json))
        {
            found.push((label.map(str::to_owned), json));
        }
    }
    let there = found.len();
    for (label, value) in labelled(value) {
        let json = match (key, value) {
            ("address", Value::Address(parts)) => address(parts),
            ("phone", Value::Text(number)) => match number.split_once(";ext=") {
                Some((number, extension)) => json!(phone_text(number, extension)),
                None => json!(number.as_str()),
            },
            ("address", Value::Text(line)) => json!({"address_1": line.as_str()}),
            (_, Value::Text(text)) => json!(text.as_str()),
            (_, other) => return Err(mismatch(name, key, other)),
        };
        if seen.insert(identity(key, &json)) {
            found.push((label.filter(|label| is_label(label)), json));
        }
    }
    if found.len() == there {
        return Ok(None);
    }
    if found.iter().all(|(label, _)| label.is_none()) {
        return Ok(Some(Json::Array(found.into_iter().map(|(_, json)| json).collect())));
    }
    // Labels are the keys of an object, so equal ones are told apart: `work`, `work 2`.
    // INVARIANT: the map keeps the order in which its keys were put in.
    let mut map = Map::new();
    let mut running = 0;
    for (label, json) in found {
        let key = match label {
            None => {
                running += 1;
                (running - 1).to_string()
            }
            Some(label) => {
                let mut key = label.clone();
                let mut number = 2;
                while map.contains_key(&key) {
                    key = format!("{label} {number}");
                    number += 1;
                }
                key
            }
        };
        map.insert(key, json);
    }
    Ok(Some(Json::Object(map)))
}

/// Countries are two letters there (sheet §5); the name of one stands on the last line instead.
fn address(parts: &Address) -> Json {
    let country = parts.country.trim();
    let code = country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_alphabetic());
    let code_text = if code { country.to_ascii_uppercase() } else { String::new() };
    let name = if code { "" } else { country };
    let values = [
        parts.line1.as_str(),
        parts.line2.as_str(),
        name,
        parts.city.as_str(),
        parts.region.as_str(),
        parts.postal_code.as_str(),
        code_text.as_str(),
    ];
    let filled = ADDRESS.iter().zip(values).filter(|(_, text)| !text.is_empty());
    Json::Object(filled.map(|(key, text)| ((*key).to_owned(), json!(text))).collect())
}

/// Tags by name: a name that is not there would refuse the whole record (sheet §5).
pub(super) fn tags(
    name: &str,
    value: &Value,
    known: &[String],
    before: Option<&Json>,
) -> Result<Option<Json>, FieldError> {
    let mut found: Vec<String> = Vec::new();
    for tag in elements(before.and_then(|before| before.get("tags")).unwrap_or(&Json::Null)) {
        let tag = tag.as_str().map(str::to_owned).or_else(|| text(&tag, "name"));
        found.extend(tag.filter(|tag| !found.contains(tag)));
    }
    let there = found.len();
    for (_, value) in labelled(value) {
        let Value::Text(tag) = value else { return Err(mismatch(name, "a tag", value)) };
        if !known.iter().any(|known| known == tag.as_str()) {
            return Err(super::slot::no_choice(name, tag));
        }
        if !found.iter().any(|found| found == tag.as_str()) {
            found.push(tag.to_string());
        }
    }
    Ok((found.len() > there).then(|| json!(found)))
}

/// Lead sources by id. A stored one is known by its name: whether its id is the source's own is not documented.
pub(super) fn sources(
    name: &str,
    value: &Value,
    directory: &Directory,
    before: Option<&Json>,
) -> Result<Option<Json>, FieldError> {
    let mut ids: Vec<String> = Vec::new();
    for row in elements(before.and_then(|before| before.get("sources")).unwrap_or(&Json::Null)) {
        let by_name =
            text(&row, "name").and_then(|name| directory.sources.iter().find(|source| source.name == name));
        let source = by_name.map(|source| source.id.clone()).or_else(|| id(&row));
        ids.extend(source.filter(|source| !ids.contains(source)));
    }
    let there = ids.len();
    for (_, value) in labelled(value) {
        let Value::Text(source) = value else { return Err(mismatch(name, "a source", value)) };
        let source = by_name(name, source, &directory.sources)?.to_owned();
        if !ids.contains(&source) {
            ids.push(source);
        }
    }
    // Edits of leads need the `entityType` of each element (sheet §4.1).
    let json = || ids.iter().map(|id| json!({"id": id_json(id), "entityType": "Sources"})).collect();
    Ok((ids.len() > there).then(json))
}

/// Several texts as they are, without labels.
pub(super) fn texts(name: &str, value: &Value) -> Result<Json, FieldError> {
    let text = |(_, value): (Option<String>, &Value)| match value {
        Value::Text(text) => Ok(json!(text.as_str())),
        other => Err(mismatch(name, "texts", other)),
    };
    labelled(value).map(text).collect::<Result<Vec<_>, _>>().map(Json::Array)
}

/// Links to records, each with its label as the `relationship`.
pub(super) fn links(
    name: &str,
    value: &Value,
    key: &str,
    entity: &str,
    before: Option<&Json>,
) -> Result<Option<Vec<Json>>, FieldError> {
    let mut found: Vec<Json> = Vec::new();
    if let Some(before) = before {
        // A lead's primary account does not stand among its others.
        let primary = before.get("primaryAccount").filter(|_| key == "accounts").and_then(|account| {
            Some(link_json(&id(account)?, entity, text(account, "relationship").as_deref()))
        });
        for link in primary.into_iter().chain(stored_links(before, key, entity)) {
            if !found.iter().any(|known| known["id"] == link["id"]) {
                found.push(link);
            }
        }
    }
    let there = found.clone();
    for (label, value) in labelled(value) {
        let Value::Text(target) = value else { return Err(mismatch(name, "a link", value)) };
        let link = link_json(target, entity, label.as_deref());
        match found.iter_mut().find(|known| known["id"] == link["id"]) {
            // A label that is there stays, unless there is a new one.
            Some(known) if label.is_some() => *known = link,
            Some(_) => {}
            None => found.push(link),
        }
    }
    Ok((found != there).then_some(found))
}

/// Whether a record holds what a key would write. Keys are not named alike in both directions, and numbers, times
/// and amounts come back in other forms.
pub(super) fn same(before: &Json, key: &str, json: &Json) -> bool {
    let stored = |key: &str| before.get(key).filter(|value| !value.is_null());
    let linked =
        |key: &str, wanted: &Json| stored(key).and_then(id).is_some_and(|there| id_json(&there) == *wanted);
    match key {
        "industryId" => linked("industry", json),
        "activityTypeId" => linked("activityType", json),
        "accountTypeId" => linked("accountType", json),
        "territoryId" => linked("territory", json),
        "market" => linked("market", &json["id"]),
        "owner" | "assignee" | "entity" => {
            let kind = |value: &Json| value.get("entityType").cloned();
            linked(key, &json["id"]) && stored(key).and_then(kind) == kind(json)
        }
        "confidence" | "priority" => stored(key).is_some_and(|there| id_json(&shown(there)) == *json),
        "value" => stored(key).is_some_and(|there| {
            there.get("currency") == json.get("currency")
                && amount(there).is_some_and(|there| Some(there) == amount(json))
        }),
        "dueTime" | "startTime" | "endTime" => {
            let instant = |value: &Json| Instant::parse(value.as_str()?).map(|instant| instant.at);
            stored(key).and_then(instant).is_some_and(|there| Some(there) == instant(json))
        }
        "name" if json.is_object() => ["givenName", "familyName"].iter().all(|part| {
            stored("name").and_then(|name| name.get(*part)).filter(|p| !p.is_null())
                == json.get(*part).filter(|p| !p.is_null())
        }),
        "name" => super::super::stored::name(before).is_some_and(|name| json.as_str() == Some(&name)),
        "description" | "sku" | "unit" | "type" | "title" | "location" | "isAllDay" | "isFlagged" => {
            stored(key) == Some(json)
        }
        "status" => stored(key).is_some_and(|there| id_json(&shown(there)) == *json),
        "logNote" => stored(key).is_some_and(|there| there.get("note") == json.get("note")),
        // Lists are compared where they are joined.
        _ => false,
    }
}

/// Whether a custom field holds a value already, in whatever form it comes back.
pub(in crate::run::connect::nutshell) fn same_custom(there: &Json, json: &Json) -> bool {
    let part = |value: &Json, key: &str| value.get(key).map(shown);
    if json.get("amount").is_some() {
        return part(there, "currency") == part(json, "currency")
            && amount(there).is_some_and(|there| Some(there) == amount(json));
    }
    match part(json, "timestamp") {
        Some(second) => part(there, "timestamp") == Some(second),
        None => shown(there) == shown(json),
    }
}

/// A scalar as text; several choices as the one text in which they may come back.
fn shown(json: &Json) -> String {
    match json {
        Json::String(text) => text.clone(),
        Json::Array(list) if list.iter().all(Json::is_string) => {
            list.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}
