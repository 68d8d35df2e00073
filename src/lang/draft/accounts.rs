//! What becomes of source fields that no rule reads: empty, derived from others, the system's own, or undecided.

use super::page::{Account, Fixed};
use super::rules::currency;
use super::spell::{label, titled};
use super::words::Words;
use crate::lang::schema::{Field, Object, Schema};
use crate::lang::syntax::quote;
use crate::lang::types::Base;

/// Words of fields that a system keeps for itself, and why they stay.
const OWN: &[(&[&str], &str)] = &[
    (&["origin", "originator", "xml", "external"], "keys of other systems"),
    (&["modify", "modified", "updated", "changed", "editor"], "the history of changes stays behind"),
    (&["moved"], "the history of stages stays behind"),
    (&["opened", "export"], "the destination has permissions of its own"),
    (&["sort"], "the order of a list in the old system"),
    (&["loc"], "ids of the old system's own map"),
    (&["logo", "photo", "picture", "files", "file", "attachment"], "files are uploaded by hand"),
    (&["notify", "notification", "reminder"], "reminders of the past"),
    (&["provider", "settings", "autocomplete"], "what the old system's own programs keep"),
];

/// The lines for a field, the most telling first; the last is a `todo`.
pub fn account(source: &Schema, object: &Object, field: &Field) -> Account {
    let name = titled(&field.name, field.title.as_deref(), field.custom);
    let mut ways = Vec::new();
    let filled = field.stats.as_ref().map(|stats| stats.filled);
    if filled == Some(0) {
        ways.push(format!("drop {name} empty"));
    }
    if let Some(origin) = origin(source, object, field) {
        ways.push(format!("drop {name} derived from {}", origin.name));
    }
    if let Some(why) = declined(object, field).filter(|_| !field.custom) {
        ways.push(format!("drop {name} declined {}", quote(why)));
    }
    ways.push(format!("todo {name} {}", quote(&known(object, field))));
    Account { field: field.name.clone(), ways, at: 0 }
}

/// Why a field of the system's own stays behind.
fn declined(object: &Object, field: &Field) -> Option<&'static str> {
    let names = [Words::new(&field.name), Words::new(field.title.as_deref().unwrap_or_default())];
    let said = |word: &str| names.iter().any(|words| words.says(word));
    match &field.ty.base {
        Base::File => return Some("files are uploaded by hand"),
        Base::Opaque(_) => return Some("a structure that the old system alone can read"),
        _ => {}
    }
    if let Some((_, why)) = OWN.iter().find(|(all, _)| all.iter().any(|word| said(word))) {
        return Some(why);
    }
    if said("last") && ["activity", "communication", "contacted"].iter().any(|word| said(word)) {
        return Some("the destination counts contacts from the move on");
    }
    if field.ty.base == Base::User {
        let owner = |field: &Field| field.ty.base == Base::User && Words::new(&field.name).mean("owner");
        if ["created", "create", "creator", "author"].iter().any(|word| said(word)) {
            return Some("who made a record stays behind");
        }
        // Who answers for a record is for a person to decide, whoever else had to do with it is not.
        let other = object.fields.iter().any(|other| other.name != field.name && owner(other));
        return (!owner(field) && other).then_some("the record's owner answers for it");
    }
    let used = |field: &Field| field.stats.as_ref().is_none_or(|stats| stats.filled > 0);
    let amount =
        |field: &Field| matches!(field.ty.base, Base::Decimal | Base::Money) && !field.custom && used(field);
    if currency(object).is_some_and(|of| of.name == field.name) && !object.fields.iter().any(amount) {
        return Some("there is no amount in it");
    }
    if never(field) {
        return Some("it is set nowhere");
    }
    let upper = field.name.to_ascii_uppercase();
    let told = upper.strip_suffix("_TYPE").and_then(|of| object.field(of));
    if told.is_some_and(|of| matches!(of.ty.base, Base::Text { .. })) {
        return Some("the text itself tells how it is formatted");
    }
    if field.ty.base == Base::Integer && upper.ends_with("_ID") {
        return Some("a number of a list that does not move");
    }
    None
}

/// The field that says the same and more: what a `HAS_X` is about, the list of which one is the first, the stage.
fn origin<'a>(source: &Schema, object: &'a Object, field: &Field) -> Option<&'a Field> {
    let upper = field.name.to_ascii_uppercase();
    if let (Base::Bool, Some(of)) = (&field.ty.base, upper.strip_prefix("HAS_")) {
        return object.fields.iter().find(|other| {
            let other = other.name.to_ascii_uppercase();
            other == of
                || of.len() >= 2 && other.len() >= 2 && (of.starts_with(&other) || other.starts_with(of))
        });
    }
    if let (Base::Link(_), false) = (&field.ty.base, field.ty.many) {
        return object.fields.iter().find(|other| {
            other.ty.many
                && other.ty.base == field.ty.base
                && other.name.eq_ignore_ascii_case(&format!("{upper}S"))
        });
    }
    // A record's one owner, beside the list of all that it hangs on.
    let all = object.fields.iter().find(|other| other.ty.many && other.ty.base == Base::AnyLink);
    if let (Some(all), Some(stem)) = (all, upper.strip_suffix("_ID")) {
        let stem = stem.trim_end_matches("_TYPE");
        let named = |other: &&Field| {
            other.name.to_ascii_uppercase().trim_end_matches("_ID") == format!("{stem}_TYPE")
        };
        let kind = object.fields.iter().find(named);
        let tells = kind.is_some_and(|kind| match &kind.ty.base {
            Base::Enum(domain) => source.domains.get(domain).is_some_and(|domain| {
                domain.choices.iter().filter(|choice| source.object(&choice.code).is_some()).count() > 1
            }),
            _ => false,
        });
        if tells {
            return Some(all);
        }
    }
    let words = Words::new(&field.name);
    let ended =
        field.ty.base == Base::Bool && (words.only("new") || words.only("end") || words.says("closed"));
    if words.says("semantic") || words.says("previous") || ended {
        return object.fields.iter().find(|other| {
            other.ty.base == Base::Stage
                && other.name != field.name
                && !Words::new(&other.name).says("previous")
        });
    }
    None
}

/// Whether a yes-or-no field was counted, and is a yes nowhere.
pub fn never(field: &Field) -> bool {
    let values = field.stats.as_ref().map(|stats| &stats.values);
    field.ty.base == Base::Bool
        && values.is_some_and(|values| !values.is_empty() && values.get("true").is_none_or(|yes| *yes == 0))
}

/// A line that leaves records out which are no records of the business: the system's own company, templates.
pub fn filter(object: &Object) -> Option<Fixed> {
    let field = object.fields.iter().find(|field| {
        let words = Words::new(&field.name);
        let rare = match (field.stats.as_ref(), object.records) {
            (Some(stats), Some(records)) => {
                stats.values.get("true").is_some_and(|yes| *yes > 0 && yes * 5 <= records)
            }
            _ => false,
        };
        let called = words.says("recurring") || words.says("template") || words.says("my");
        field.ty.base == Base::Bool && !field.ty.optional && !field.custom && rare && called
    })?;
    let why = quote(&label(field));
    Some(Fixed::maybe(vec![format!("where not {} else skip {why}", field.name)], vec![field.name.clone()]))
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
