//! What becomes of source fields that no rule reads: empty, derived from others, the system's own, or undecided.

use super::page::Account;
use super::spell::titled;
use super::words::Words;
use crate::lang::schema::{Field, Object};
use crate::lang::syntax::quote;
use crate::lang::types::Base;

/// Words of fields that a system keeps for itself, and why they stay.
const OWN: &[(&[&str], &str)] = &[
    (&["origin", "originator", "xml", "external"], "keys of other systems"),
    (&["modify", "modified", "updated", "editor"], "the history of changes stays behind"),
    (&["moved"], "the history of stages stays behind"),
    (&["opened", "export"], "the destination has permissions of its own"),
    (&["sort"], "the order of a list in the old system"),
    (&["loc"], "ids of the old system's own map"),
    (&["logo", "photo", "picture", "files", "file", "attachment"], "files are uploaded by hand"),
];

/// The lines for a field, the most telling first; the last is a `todo`.
pub fn account(object: &Object, field: &Field) -> Account {
    let name = titled(&field.name, field.title.as_deref(), field.custom);
    let mut ways = Vec::new();
    let filled = field.stats.as_ref().map(|stats| stats.filled);
    if filled == Some(0) {
        ways.push(format!("drop {name} empty"));
    }
    if let Some(origin) = origin(object, field) {
        ways.push(format!("drop {name} derived from {}", origin.name));
    }
    if !field.custom {
        let words = Words::new(&field.name);
        let file = matches!(field.ty.base, Base::File).then_some("files are uploaded by hand");
        let own = OWN.iter().find(|(words_of, _)| words_of.iter().any(|word| words.mean(word)));
        if let Some(why) = file.or(own.map(|(_, why)| *why)) {
            ways.push(format!("drop {name} declined {}", quote(why)));
        }
    }
    ways.push(format!("todo {name} {}", quote(&known(object, field))));
    Account { field: field.name.clone(), ways, at: 0 }
}

/// The field that says the same and more: what a `HAS_X` is about, the list of which one is the first, the stage.
fn origin<'a>(object: &'a Object, field: &Field) -> Option<&'a Field> {
    let upper = field.name.to_ascii_uppercase();
    if let (Base::Bool, Some(of)) = (&field.ty.base, upper.strip_prefix("HAS_")) {
        return object.fields.iter().find(|other| other.name.eq_ignore_ascii_case(of));
    }
    if let (Base::Link(_), false) = (&field.ty.base, field.ty.many) {
        return object.fields.iter().find(|other| {
            other.ty.many
                && other.ty.base == field.ty.base
                && other.name.eq_ignore_ascii_case(&format!("{upper}S"))
        });
    }
    let words = Words::new(&field.name);
    if words.mean("semantic") || words.mean("previous") {
        return object.fields.iter().find(|other| {
            other.ty.base == Base::Stage
                && other.name != field.name
                && !Words::new(&other.name).mean("previous")
        });
    }
    None
}

/// What a person who decides should know: title, type, how many records have it.
fn known(object: &Object, field: &Field) -> String {
    let mut out = match field.title.as_deref().map(str::trim).filter(|title| !title.is_empty()) {
        Some(title) if !field.custom => format!("{}, ", title.replace(['\n', '\r'], " ")),
        _ => String::new(),
    };
    out.push_str(&format!("`{}`", field.ty));
    match (field.stats.as_ref(), object.records) {
        (Some(stats), Some(records)) => out.push_str(&format!(", in {} of {records} records", stats.filled)),
        (Some(stats), None) => out.push_str(&format!(", in {} records", stats.filled)),
        _ => out.push_str(", not counted"),
    }
    if let Some(longest) = field.stats.as_ref().and_then(|stats| stats.longest) {
        out.push_str(&format!(", at most {longest} characters"));
    }
    out
}
