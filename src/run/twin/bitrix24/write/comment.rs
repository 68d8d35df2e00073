//! Comments of timelines: added, changed, deleted, read one by one (sheet 16.5).

use serde_json::{Map, Value, json};

use super::super::classic::check_has;
use super::super::methods::{Answer, Call, Failure, Outcome, Table};
use super::super::php::Php;
use super::super::portal::{Entity, Record};
use super::super::records::int_of;
use super::record;
use super::{caller, fresh_file, may, required, required_array, sent_text, touch};

pub(super) const METHODS: Table = &[
    ("crm.timeline.comment.add", add),
    ("crm.timeline.comment.update", update),
    ("crm.timeline.comment.delete", delete),
    ("crm.timeline.comment.get", get),
];

fn not_found() -> Failure {
    Failure::thrown("NOT_FOUND", "Not found.")
}

fn no_owner() -> Failure {
    Failure::thrown("OWNER_NOT_FOUND", "Owner was not found")
}

/// Sent files, `[["name", "base64"]]`, as an object keyed by their ids.
fn files(call: &mut Call<'_>, sent: &Php) -> Value {
    let (now, host) = (call.now(), call.settings.host.clone());
    let author = call.settings.user_id;
    let mut out = Map::new();
    for (_, pair) in sent.entries().iter().filter(|(_, pair)| pair.entries().len() == 2) {
        let part = |key: &str| pair.get(key).and_then(Php::text).unwrap_or_default().into_owned();
        let id = fresh_file(call.portal);
        let address = |what: &str| format!("https://{host}/disk/{what}/{id}/?&ncc=1&filename={}", part("0"));
        out.insert(
            id.to_string(),
            json!({
                "id": id, "date": now, "type": "file", "name": part("0"), "size": part("1").len() / 4 * 3,
                "authorId": author, "authorName": "", "urlPreview": address("showFile"),
                "urlShow": address("showFile"), "urlDownload": address("downloadFile"),
            }),
        );
    }
    Value::Object(out)
}

fn set_files(row: &mut Record, files: Value) {
    if files.as_object().is_some_and(Map::is_empty) {
        row.shift_remove("FILES");
    } else {
        row.insert("FILES".into(), files);
    }
}

/// The record of a word and an id.
fn owner(call: &Call<'_>, word: &str, id: i64) -> Option<(Entity, i64)> {
    let entity = call.portal.entities().into_iter().find(|e| e.timeline_word() == word)?;
    let talked_of = !matches!(entity, Entity::Product | Entity::Activity | Entity::Comment);
    (talked_of && call.portal.records.get(&entity)?.contains_key(&id)).then_some((entity, id))
}

fn text(fields: &Php) -> Result<String, Failure> {
    sent_text(fields, "COMMENT").ok_or_else(|| Failure::thrown("INVALID_ARG_VALUE", "Comment is empty"))
}

/// `crm.timeline.comment.add`.
fn add(call: &mut Call<'_>) -> Outcome {
    check_has(call.portal, Entity::Comment)?;
    let fields = required_array(call.args, "fields")?;
    may(call, false)?;
    let word = sent_text(fields, "ENTITY_TYPE").unwrap_or_default().to_lowercase();
    let found = owner(call, &word, fields.get("ENTITY_ID").map_or(0, Php::int));
    let (entity, owner) = found.ok_or_else(no_owner)?;
    let text = text(fields)?;
    let id = call.portal.next_id(Entity::Comment);
    let mut row = Record::new();
    let author = fields.get("AUTHOR_ID").map(Php::int).filter(|id| *id > 0);
    row.insert("ID".into(), json!(id.to_string()));
    row.insert("ENTITY_ID".into(), json!(owner.to_string()));
    row.insert("ENTITY_TYPE".into(), json!(word));
    row.insert("CREATED".into(), json!(call.now()));
    row.insert("COMMENT".into(), json!(text));
    row.insert("AUTHOR_ID".into(), author.map_or_else(|| caller(call), |id| json!(id.to_string())));
    if let Some(sent) = fields.get("FILES").filter(|f| f.is_array()) {
        let files = files(call, sent);
        set_files(&mut row, files);
    }
    touch(call, entity, owner);
    record::keep(call, Entity::Comment, id, row);
    Ok(Answer::of(id))
}

/// The comment that a call names; with an owner, only one that hangs on it.
fn named(call: &Call<'_>) -> Result<(i64, Record), Failure> {
    let id = required(call.args, "id")?.int();
    let row = call.portal.records.get(&Entity::Comment).and_then(|t| t.get(&id)).ok_or_else(not_found)?;
    let number = |name: &str| call.args.get(name).map(Php::int);
    if let (Some(kind), Some(owner)) = (number("ownerTypeId"), number("ownerId")) {
        let word = Entity::of_type_id(kind).map(Entity::timeline_word).ok_or_else(no_owner)?;
        let hangs = row.get("ENTITY_TYPE").and_then(Value::as_str) == Some(word.as_str())
            && row.get("ENTITY_ID").and_then(int_of) == Some(owner);
        if !hangs {
            return Err(not_found());
        }
    }
    Ok((id, row.clone()))
}

/// `crm.timeline.comment.update`: answers the id; sent files take the place of all old ones.
fn update(call: &mut Call<'_>) -> Outcome {
    check_has(call.portal, Entity::Comment)?;
    let fields = required_array(call.args, "fields")?;
    let (id, mut row) = named(call)?;
    may(call, false)?;
    if fields.get("COMMENT").is_some() {
        row.insert("COMMENT".into(), json!(text(fields)?));
    }
    if let Some(sent) = fields.get("FILES").filter(|f| f.is_array()) {
        let files = files(call, sent);
        set_files(&mut row, files);
    }
    record::keep(call, Entity::Comment, id, row);
    Ok(Answer::of(id))
}

/// `crm.timeline.comment.delete`.
fn delete(call: &mut Call<'_>) -> Outcome {
    check_has(call.portal, Entity::Comment)?;
    let (id, _) = named(call)?;
    may(call, false)?;
    call.portal.remove_record(Entity::Comment, id);
    *call.reverse = None;
    Ok(Answer::of(Value::Null))
}

/// `crm.timeline.comment.get`.
fn get(call: &mut Call<'_>) -> Outcome {
    check_has(call.portal, Entity::Comment)?;
    let id = super::super::classic::id_arg(call.args)?;
    let row = call.portal.records.get(&Entity::Comment).and_then(|t| t.get(&id));
    let row = row.ok_or_else(|| Failure::classic("Not found"))?;
    Ok(Answer { rows: 1, ..Answer::of(Value::Object(row.clone())) })
}
