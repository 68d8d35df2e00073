//! From the names in a record to slots: every spelling of every field, and the order in which they come.
//!
//! A system answers with its fields in one order, so the order of the first record is kept, and a later name is
//! compared with the one that should come next before it is looked up.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::OnceLock;

use serde::de::{DeserializeSeed, Deserializer, Error, Visitor};

use crate::lang::schema::Object;

/// Where a name leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Slot(usize),
    /// All multifields at once.
    Fm,
    Nowhere,
}

/// The names of one object.
pub(super) struct Names {
    map: HashMap<Box<str>, Place>,
    order: OnceLock<Vec<(Box<str>, Place)>>,
}

impl Names {
    /// `is_multifield` tells the slots whose camelCase name means something else: the flat, read-only `phone`.
    pub(super) fn new(object: &Object, is_multifield: impl Fn(usize) -> bool) -> Names {
        let mut map: HashMap<Box<str>, Place> = HashMap::new();
        for (slot, field) in object.fields.iter().enumerate() {
            map.insert(field.name.as_str().into(), Place::Slot(slot));
        }
        for (slot, field) in object.fields.iter().enumerate().filter(|(slot, _)| !is_multifield(*slot)) {
            for name in universal(&object.name, &field.name) {
                map.entry(name.as_ref().into()).or_insert(Place::Slot(slot));
            }
        }
        map.entry("fm".into()).or_insert(Place::Fm);
        Names { map, order: OnceLock::new() }
    }

    /// Goes through the names of one record.
    pub(super) fn cursor(&self) -> Cursor<'_> {
        Cursor { names: self, order: self.order.get().map(Vec::as_slice), next: 0, seen: Vec::new() }
    }
}

/// A place in the order of names.
pub(super) struct Cursor<'n> {
    names: &'n Names,
    order: Option<&'n [(Box<str>, Place)]>,
    next: usize,
    seen: Vec<(Box<str>, Place)>,
}

impl<'n> Cursor<'n> {
    /// Reads the next name.
    pub(super) fn key<'c, 'u>(&'c mut self, unknown: Option<&'u mut Vec<String>>) -> KeySeed<'c, 'n, 'u> {
        KeySeed { cursor: self, unknown }
    }

    /// Keeps the order of the record just read, if it is the first.
    pub(super) fn learn(self) {
        if self.order.is_none() {
            // Another thread may have been faster; its order is as good.
            let _ = self.names.order.set(self.seen);
        }
    }

    fn place(&mut self, name: &str) -> Place {
        let look_up = || self.names.map.get(name).copied().unwrap_or(Place::Nowhere);
        let Some(order) = self.order else {
            let place = look_up();
            self.seen.push((name.into(), place));
            return place;
        };
        // Multifields are left out where they are empty: look a few names ahead.
        let ahead = order.get(self.next..).unwrap_or_default().iter().take(6);
        match ahead.enumerate().find(|(_, (expected, _))| **expected == *name) {
            Some((skipped, (_, place))) => {
                self.next += skipped + 1;
                *place
            }
            None => look_up(),
        }
    }
}

/// Reads one name.
pub(super) struct KeySeed<'c, 'n, 'u> {
    cursor: &'c mut Cursor<'n>,
    unknown: Option<&'u mut Vec<String>>,
}

impl<'de> DeserializeSeed<'de> for KeySeed<'_, '_, '_> {
    type Value = Place;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Place, D::Error> {
        d.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed<'_, '_, '_> {
    type Value = Place;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Place, E> {
        let place = self.cursor.place(name);
        if let (Place::Nowhere, Some(unknown)) = (place, self.unknown) {
            unknown.push(name.to_owned());
        }
        Ok(place)
    }
}

/// The names of a classic field in universal records (sheet §8).
fn universal(object: &str, field: &str) -> Vec<Cow<'static, str>> {
    match (object, field) {
        ("product", "DETAIL_TEXT") => return vec!["DESCRIPTION".into(), "detailText".into()],
        ("product", "DETAIL_TEXT_TYPE") => return vec!["DESCRIPTION_TYPE".into(), "detailTextType".into()],
        // How custom fields of tasks with digits in their names are spelled is written nowhere.
        ("task", _) if field.starts_with("UF_") => {
            return vec![camel(field, false).into(), format!("uf{}", camel(&field[3..], true)).into()];
        }
        _ => {}
    }
    let renamed = match (object, field) {
        (_, "DATE_CREATE") => "createdTime",
        (_, "DATE_MODIFY") => "updatedTime",
        (_, "CREATED_BY_ID") => "createdBy",
        (_, "MODIFY_BY_ID") => "updatedBy",
        (_, "MOVED_BY_ID") => "movedBy",
        ("lead" | "quote", "STATUS_ID") => "stageId",
        ("lead", "STATUS_SEMANTIC_ID") => "stageSemanticId",
        ("company", "COMPANY_TYPE") => "typeId",
        _ => "",
    };
    if !renamed.is_empty() {
        return vec![renamed.into()];
    }
    match field.strip_prefix("UF_CRM_") {
        Some(rest) => vec![format!("ufCrm_{rest}").into(), format!("ufCrm{}", camel(rest, true)).into()],
        None => vec![camel(field, false).into()],
    }
}

/// `PARENT_ID_128` → `parentId128`; after a custom field's type number, digits keep their underscore.
pub(super) fn camel(name: &str, custom: bool) -> String {
    let mut out = String::with_capacity(name.len());
    for part in name.split('_').filter(|part| !part.is_empty()) {
        let digits = part.bytes().all(|b| b.is_ascii_digit());
        if custom && digits && !out.is_empty() {
            out.push('_');
        }
        let capital = custom || !out.is_empty();
        let mut chars = part.chars();
        if let Some(first) = chars.next() {
            out.push(if capital { first.to_ascii_uppercase() } else { first.to_ascii_lowercase() });
            out.extend(chars.map(|c| c.to_ascii_lowercase()));
        }
    }
    out
}
