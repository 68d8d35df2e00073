//! Values that come in lists: how they are labelled, and joined with what a record holds already, since a list that
//! is sent replaces the whole of it (sheet §4.1).

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use super::super::client::id_json;
use super::super::directory::{Directory, elements, id, text};
use super::super::stored::{
    ADDRESS, identity, is_label, items, link_json, links as stored_links, phone_text, resent,
};
use super::error;
use super::slot::by_name;
use crate::lang::value::{Address, Value};
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

/// Phones, e-mail and web addresses, postal addresses: a list, or by label.
pub(super) fn contact_items(
    name: &str,
    key: &str,
    value: &Value,
    before: Option<&Json>,
) -> Result<Json, FieldError> {
    let mut found: Vec<(Option<String>, Json)> = Vec::new();
    let mut seen = BTreeSet::new();
    for (label, json) in before.map(|before| items(before, key)).unwrap_or_default() {
        if let Some(json) = resent(key, json)
            && seen.insert(identity(key, &json))
        {
            found.push((label.map(str::to_owned), json));
        }
    }
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
    if found.iter().all(|(label, _)| label.is_none()) {
        return Ok(Json::Array(found.into_iter().map(|(_, json)| json).collect()));
    }
    // Labels are the keys of an object, so equal ones are told apart: `work`, `work 2`.
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
    Ok(Json::Object(map))
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
) -> Result<Json, FieldError> {
    let mut found: Vec<String> = Vec::new();
    for tag in elements(before.and_then(|before| before.get("tags")).unwrap_or(&Json::Null)) {
        let tag = tag.as_str().map(str::to_owned).or_else(|| text(&tag, "name"));
        found.extend(tag.filter(|tag| !found.contains(tag)));
    }
    for (_, value) in labelled(value) {
        let Value::Text(tag) = value else { return Err(mismatch(name, "a tag", value)) };
        if !known.iter().any(|known| known == tag.as_str()) {
            return Err(super::slot::no_choice(name, tag));
        }
        if !found.iter().any(|found| found == tag.as_str()) {
            found.push(tag.to_string());
        }
    }
    Ok(json!(found))
}

/// Lead sources by id. A stored one is known by its name: whether its id is the source's own is not documented.
pub(super) fn sources(
    name: &str,
    value: &Value,
    directory: &Directory,
    before: Option<&Json>,
) -> Result<Json, FieldError> {
    let mut ids: Vec<String> = Vec::new();
    for row in elements(before.and_then(|before| before.get("sources")).unwrap_or(&Json::Null)) {
        let by_name =
            text(&row, "name").and_then(|name| directory.sources.iter().find(|source| source.name == name));
        let source = by_name.map(|source| source.id.clone()).or_else(|| id(&row));
        ids.extend(source.filter(|source| !ids.contains(source)));
    }
    for (_, value) in labelled(value) {
        let Value::Text(source) = value else { return Err(mismatch(name, "a source", value)) };
        let source = by_name(name, source, &directory.sources)?.to_owned();
        if !ids.contains(&source) {
            ids.push(source);
        }
    }
    // Edits of leads need the `entityType` of each element (sheet §4.1).
    Ok(ids.iter().map(|id| json!({"id": id_json(id), "entityType": "Sources"})).collect())
}

/// Links to records, each with its label as the `relationship`.
pub(super) fn links(
    name: &str,
    value: &Value,
    key: &str,
    entity: &str,
    before: Option<&Json>,
) -> Result<Vec<Json>, FieldError> {
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
    Ok(found)
}
