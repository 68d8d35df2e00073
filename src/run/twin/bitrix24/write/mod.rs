//! The portal filled and changed through its API (sheet 16): one file per family of methods.
//!
//! Owns what all writes share: who may, how parameters are read, ids that are given out once, and the stamps of a
//! change. Knows no paging and no answer of a list, but for the custom fields of `userfieldconfig.list`.

mod activity;
mod beside;
mod category;
mod classic;
mod comment;
mod links;
mod process;
mod record;
mod rows;
mod status;
mod universal;
mod userfield;
mod value;

use serde_json::{Value, json};

use super::methods::{Call, Failure, PerEntity, Table};
use super::php::Php;
use super::portal::{Entity, Portal, Record};
use super::records::{MULTIFIELDS, int_of};

/// The tables of the families.
pub(super) const FAMILIES: [Table; 11] = [
    classic::METHODS,
    universal::METHODS,
    links::METHODS,
    rows::METHODS,
    activity::METHODS,
    comment::METHODS,
    userfield::METHODS,
    category::METHODS,
    status::METHODS,
    process::METHODS,
    beside::METHODS,
];

/// Methods of the shape `crm.<entity>.<name>`, for the entities of [`has_records`].
pub(super) const PER_ENTITY: [(&str, PerEntity); 7] = [
    ("add", classic::add),
    ("update", classic::update),
    ("delete", classic::delete),
    ("userfield.add", userfield::add),
    ("userfield.update", userfield::update),
    ("userfield.delete", userfield::delete),
    ("userfield.get", userfield::get),
];

/// Whether the classic methods write an entity's records in the common way.
pub(super) fn has_records(entity: Entity) -> bool {
    Entity::ALL.contains(&entity) || entity == Entity::Quote
}

/// The `fields` of a classic write, in each of its spellings (sheet 1.2).
fn fields_arg(args: &Php) -> Result<Option<&Php>, Failure> {
    match args.get_any(&["fields", "FIELDS", "Fields", "arFields"]) {
        Some(v) if v.is_array() => Ok(Some(v)),
        Some(_) => Err(no_fields()),
        None => Ok(None),
    }
}

/// The `fields` that a classic write cannot do without.
fn needed_fields(args: &Php) -> Result<&Php, Failure> {
    fields_arg(args)?.ok_or_else(no_fields)
}

fn no_fields() -> Failure {
    Failure::classic("Parameter 'fields' must be array.")
}

/// A required parameter of a universal method.
fn required<'a>(args: &'a Php, name: &str) -> Result<&'a Php, Failure> {
    args.get(name).filter(|v| **v != Php::Null).ok_or_else(|| Failure::missing(name))
}

/// A required parameter of a universal method that must be an array.
fn required_array<'a>(args: &'a Php, name: &str) -> Result<&'a Php, Failure> {
    required(args, name).and_then(|v| if v.is_array() { Ok(v) } else { Err(Failure::missing(name)) })
}

/// A field of sent fields as text, `None` when it is missing or empty.
fn sent_text(fields: &Php, name: &str) -> Option<String> {
    fields.get(name).and_then(Php::text).map(std::borrow::Cow::into_owned).filter(|t| !t.is_empty())
}

/// Refuses a caller who may not write, as classic methods say it.
fn may_write(call: &Call<'_>) -> Result<(), Failure> {
    if call.settings.may_write { Ok(()) } else { Err(Failure::classic("Access denied.")) }
}

/// Refuses a caller who may not change the portal's own settings, as classic methods say it.
fn may_configure(call: &Call<'_>) -> Result<(), Failure> {
    if call.settings.admin { may_write(call) } else { Err(Failure::classic("Access denied.")) }
}

/// The same refusals as universal methods say them.
fn may(call: &Call<'_>, configure: bool) -> Result<(), Failure> {
    let allowed = call.settings.may_write && (call.settings.admin || !configure);
    if allowed { Ok(()) } else { Err(Failure::thrown("ACCESS_DENIED", "Access denied.")) }
}

/// `Y` or `N`.
fn yes(is: bool) -> &'static str {
    if is { "Y" } else { "N" }
}

/// A flag as it was sent, `Y`/`N` or a boolean.
fn sent_flag(fields: &Php, name: &str) -> Option<&'static str> {
    fields.get(name).filter(|v| **v != Php::Null).map(|v| yes(v.flag()))
}

/// The caller's id as records carry it.
fn caller(call: &Call<'_>) -> Value {
    json!(call.settings.user_id.to_string())
}

/// The names under which an entity's records keep who did what and when.
struct Stamps {
    created: &'static str,
    created_by: &'static str,
    updated: &'static str,
    updated_by: &'static str,
    moved: &'static str,
    moved_by: &'static str,
}

fn stamps(entity: Entity) -> Stamps {
    let (created, created_by, updated, updated_by) = match entity {
        Entity::Process(_) => ("CREATED_TIME", "CREATED_BY", "UPDATED_TIME", "UPDATED_BY"),
        Entity::Product => ("DATE_CREATE", "CREATED_BY", "TIMESTAMP_X", "MODIFIED_BY"),
        Entity::Activity => ("CREATED", "AUTHOR_ID", "LAST_UPDATED", "EDITOR_ID"),
        _ => ("DATE_CREATE", "CREATED_BY_ID", "DATE_MODIFY", "MODIFY_BY_ID"),
    };
    let moved_by = if let Entity::Process(_) = entity { "MOVED_BY" } else { "MOVED_BY_ID" };
    Stamps { created, created_by, updated, updated_by, moved: "MOVED_TIME", moved_by }
}

/// Notes that something was done with a record: its last activity moves, its own change does not (sheet 11).
fn touch(call: &mut Call<'_>, entity: Entity, id: i64) {
    let (now, user) = (json!(call.now()), caller(call));
    if call.portal.field(entity, "LAST_ACTIVITY_TIME").is_none() {
        return;
    }
    if let Some(row) = call.portal.records.get_mut(&entity).and_then(|t| t.get_mut(&id)) {
        row.insert("LAST_ACTIVITY_TIME".into(), now);
        row.insert("LAST_ACTIVITY_BY".into(), user);
    }
}

/// The largest integer under a key of some rows.
fn largest<'a>(rows: impl Iterator<Item = &'a Record>, key: &str) -> i64 {
    rows.filter_map(|row| row.get(key).and_then(int_of)).max().unwrap_or(0)
}

/// A fresh id of a phone, an e-mail address and the like: all records share one sequence.
fn fresh_value(portal: &mut Portal) -> i64 {
    portal.fresh("value", |portal| {
        let rows = portal.records.values().flat_map(|table| table.values());
        let values = rows.flat_map(|row| MULTIFIELDS.iter().filter_map(|code| row.get(*code)?.as_array()));
        values.flatten().filter_map(|v| v.get("ID").and_then(int_of)).max().unwrap_or(0)
    })
}

/// A fresh id of a file.
fn fresh_file(portal: &mut Portal) -> i64 {
    // Far above the ids that files of generated records have.
    portal.fresh("file", |_| 1_000_000)
}
