//! A portal that serves records as they were once received, byte for byte of their JSON.
//!
//! Owns the way from a connector's link extras to link rows. Generates nothing.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::{describe, shape::Shape};
use crate::run::twin::bitrix24::{
    Entity, Portal,
    names::Names,
    portal::{Link, Record},
    rows,
};

/// A record that cannot be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRecord {
    /// Its place among the records, from 0.
    pub index: usize,
    /// Which kind of record it was to be.
    pub entity: Entity,
    /// What is wrong.
    pub why: BadRecordKind,
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadRecordKind {
    /// It is no JSON object.
    NotAnObject,
    /// Its `ID` is missing or no positive whole number.
    NoId,
    /// Another record has the same `ID`.
    Twice(i64),
}

impl fmt::Display for BadRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BadRecord { index, entity, why } = self;
        write!(f, "record {index} ({entity:?}) ")?;
        match why {
            BadRecordKind::NotAnObject => {
                write!(f, "is no JSON object; pass one record as `*.list` or `*.get` gives it")
            }
            BadRecordKind::NoId => {
                write!(f, "has no whole `ID` above 0; select `ID` when the records are fetched")
            }
            BadRecordKind::Twice(id) => write!(f, "repeats the `ID` {id}; pass each record once"),
        }
    }
}

impl std::error::Error for BadRecord {}

/// The portal of a shape with exactly these records.
pub(super) fn load(
    shape: &Shape,
    records: impl Iterator<Item = (Entity, Value)>,
) -> Result<Portal, BadRecord> {
    let mut portal = describe::bare(shape);
    for (index, (entity, value)) in records.enumerate() {
        let bad = |why| BadRecord { index, entity, why };
        let Value::Object(mut record) = value else {
            return Err(bad(BadRecordKind::NotAnObject));
        };
        if let Entity::Process(_) = entity {
            record = classic(&portal, entity, record);
        }
        let id = record.get("ID").and_then(id_of).ok_or(bad(BadRecordKind::NoId))?;
        if matches!(entity, Entity::Deal | Entity::Lead | Entity::Quote)
            && let Some(Value::Array(rows)) = record.shift_remove("rows")
        {
            let rows: Vec<Record> = rows.iter().filter_map(Value::as_object).map(rows::stored).collect();
            if !rows.is_empty() {
                portal.rows.insert((entity, id), rows);
            }
        }
        if entity == Entity::Activity
            && let Some(Value::Array(found)) = record.shift_remove("BINDINGS")
        {
            let part = |row: &Value, name: &str| row.get(name).and_then(id_of);
            let found = found.iter().filter_map(|r| Some((part(r, "entityTypeId")?, part(r, "entityId")?)));
            portal.bindings.insert(id, found.collect());
        }
        let links = match entity {
            Entity::Contact => Some(("COMPANY_IDS", "COMPANY_ID", &mut portal.contact_companies)),
            Entity::Deal => Some(("CONTACT_IDS", "CONTACT_ID", &mut portal.deal_contacts)),
            Entity::Quote => Some(("CONTACT_IDS", "CONTACT_ID", &mut portal.quote_contacts)),
            _ => None,
        };
        if let Some((many, one, table)) = links {
            link(&mut record, many, one, id, table);
        }
        let records = portal.records.entry(entity).or_default();
        if records.insert(id, record).is_some() {
            return Err(bad(BadRecordKind::Twice(id)));
        }
    }
    Ok(portal)
}

/// An item of a process under classic codes; universal names that stand for no field are legacy ones.
fn classic(portal: &Portal, entity: Entity, item: Record) -> Record {
    let codes = portal.fields.get(&entity).into_iter().flatten().map(|(code, _)| code.as_str());
    let names = Names::new(entity, codes, true);
    item.into_iter().filter_map(|(name, value)| Some((names.classic(&name)?.to_owned(), value))).collect()
}

/// Takes the extra out of the record, for no classic answer has it, and makes link rows of it, or of the primary
/// link where the record has no extra.
fn link(record: &mut Record, many: &str, one: &str, id: i64, table: &mut BTreeMap<i64, Vec<Link>>) {
    let primary = record.get(one).and_then(id_of);
    let mut links: Vec<Link> = Vec::new();
    if let Some(Value::Array(items)) = record.shift_remove(many) {
        for (place, item) in items.iter().enumerate() {
            // A plain id, a row as `*.items.get` gives it, or one as a connector stages it.
            let (other, sort, is_primary) = match item {
                Value::Object(row) => (
                    row.get(one).or_else(|| row.get("id")).and_then(id_of),
                    row.get("SORT").or_else(|| row.get("sort")).and_then(id_of),
                    row.get("IS_PRIMARY")
                        .or_else(|| row.get("primary"))
                        .map(|flag| flag == "Y" || flag == &Value::Bool(true)),
                ),
                plain => (id_of(plain), None, None),
            };
            let Some(other) = other else { continue };
            if links.iter().any(|link| link.id == other) {
                continue;
            }
            links.push(Link {
                id: other,
                sort: sort.unwrap_or((place as i64 + 1) * 100),
                primary: is_primary.unwrap_or(primary == Some(other)),
            });
        }
    }
    if links.is_empty() {
        // The primary link is a row of the table, whatever the extra says.
        links.extend(primary.map(|id| Link { id, sort: 100, primary: true }));
    }
    links.sort_by_key(|link| link.sort);
    if !links.iter().any(|link| link.primary)
        && let Some(first) = links.first_mut()
    {
        first.primary = true;
    }
    if !links.is_empty() {
        table.insert(id, links);
    }
}

/// A whole number above 0, as a number or as text.
fn id_of(value: &Value) -> Option<i64> {
    let id = match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    id.filter(|&id| id > 0)
}
