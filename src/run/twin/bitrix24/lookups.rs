//! Small look-ups: users and their fields, duplicates by phone and e-mail, kinds of addresses, what a comment hangs on
//! (sheet 10.16, 10.18, 10.19, 10.26).

use serde_json::{Map, Value, json};

use super::account;
use super::classic::{FILTER, array_arg, check_has};
use super::methods::{Answer, Call, Failure, Outcome, Table};
use super::php::Php;
use super::portal::{Entity, Record};
use super::records::int_of;

/// Their methods, in lower case.
pub(super) const METHODS: Table = &[
    ("user.search", user_search),
    ("user.fields", user_fields),
    ("crm.duplicate.findbycomm", duplicates),
    ("crm.enum.addresstype", address_types),
    ("crm.timeline.bindings.list", comment_bindings),
];

/// Values that one search for duplicates takes (sheet 3.3).
const MAX_VALUES: usize = 20;

fn text<'r>(row: &'r Record, key: &str) -> &'r str {
    row.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// `user.search`: people whose name or address holds every word of `FIND`.
fn user_search(call: &mut Call<'_>) -> Outcome {
    let find = call.args.get_any(&["FIND", "find"]);
    let find = find.or_else(|| call.args.get_any(&["FILTER", "filter"]).and_then(|f| f.get_any(&["FIND"])));
    let words = find.and_then(Php::text).unwrap_or_default().to_lowercase();
    let fits = |user: &Record| {
        let said = ["NAME", "LAST_NAME", "EMAIL", "WORK_POSITION"].map(|key| text(user, key).to_lowercase());
        words.split_whitespace().all(|word| said.iter().any(|said| said.contains(word)))
    };
    account::users(call, fits)
}

/// `user.fields`: captions by code. The captions are the codes: none is printed.
fn user_fields(call: &mut Call<'_>) -> Outcome {
    let full = account::sees_addresses(call);
    let mut out = Map::new();
    for code in call.portal.users.values().flat_map(Record::keys).filter(|code| full || *code != "EMAIL") {
        out.insert(code.clone(), json!(code));
    }
    Ok(Answer::of(Value::Object(out)))
}

/// `crm.duplicate.findbycomm`: who has one of these phone numbers or e-mail addresses.
fn duplicates(call: &mut Call<'_>) -> Outcome {
    let invalid = || Failure::thrown("Invalid parameters.", "Invalid parameters.");
    let word = |key: &str| call.args.get(key).and_then(Php::text).map(|t| t.to_uppercase());
    let kind = word("type").filter(|kind| matches!(kind.as_str(), "PHONE" | "EMAIL")).ok_or_else(invalid)?;
    let values = call.args.get("values").map(Php::texts).unwrap_or_default();
    if values.is_empty() || values.len() > MAX_VALUES {
        return Err(invalid());
    }
    // Numbers are the same whatever stands between their digits.
    let plain = |value: &str| match kind.as_str() {
        "PHONE" => value.chars().filter(char::is_ascii_digit).collect(),
        _ => value.trim().to_lowercase(),
    };
    let wanted: Vec<String> = values.iter().map(|value| plain(value)).filter(|v| !v.is_empty()).collect();
    let only = word("entity_type").filter(|only| !only.is_empty());
    let mut out = Map::new();
    for entity in [Entity::Lead, Entity::Contact, Entity::Company] {
        let name = entity.word().to_uppercase();
        if only.as_ref().is_some_and(|only| *only != name) {
            continue;
        }
        let held = |row: &Record| {
            let all = row.get(kind.as_str()).and_then(Value::as_array).into_iter().flatten();
            all.filter_map(|one| one["VALUE"].as_str()).any(|value| wanted.contains(&plain(value)))
        };
        let table = call.portal.records.get(&entity).into_iter().flatten();
        let ids: Vec<i64> = table.filter(|(_, row)| held(row)).map(|(id, _)| *id).collect();
        if !ids.is_empty() {
            out.insert(name, json!(ids));
        }
    }
    // An empty map is a list in PHP.
    Ok(Answer::of(if out.is_empty() { json!([]) } else { Value::Object(out) }))
}

/// `crm.enum.addresstype`.
fn address_types(_: &mut Call<'_>) -> Outcome {
    let all = [
        (1, "Physical address"),
        (4, "Registered address"),
        (6, "Legal address"),
        (8, "Mailing address"),
        (9, "Beneficiary address"),
        (11, "Shipping address"),
    ];
    Ok(Answer::of(all.map(|(id, name)| json!({ "ID": id, "NAME": name })).to_vec()))
}

/// `crm.timeline.bindings.list`: here a comment is on one record alone.
fn comment_bindings(call: &mut Call<'_>) -> Outcome {
    check_has(call.portal, Entity::Comment)?;
    let owner = array_arg(call.args, &FILTER, "filter")?.and_then(|f| f.get_any(&["OWNER_ID", "=OWNER_ID"]));
    let owner = owner.map_or(0, Php::int);
    if owner <= 0 {
        return Err(Failure::classic("OWNER_ID is not defined or invalid."));
    }
    let row = call.portal.records.get(&Entity::Comment).and_then(|table| table.get(&owner));
    let shown = row.map(|row| {
        let record = row.get("ENTITY_ID").and_then(int_of).unwrap_or(0);
        json!({ "OWNER_ID": owner.to_string(), "ENTITY_ID": record.to_string(), "ENTITY_TYPE": text(row, "ENTITY_TYPE") })
    });
    let rows: Vec<Value> = shown.into_iter().collect();
    let total = rows.len() as i64;
    Ok(Answer::whole(rows, Some(total)))
}
