//! Every stream of an extraction, with what a portal in memory holds of it: the oracle of the further lists, and the
//! proof that no stream is without one.

use std::collections::{BTreeMap, BTreeSet};

use b2n::run::connect::bitrix24 as connector;
use b2n::run::twin::bitrix24::{Entity, Portal, Record, Table};
use serde_json::Value as Json;

use crate::extraction::{PAGED, Rig};
use crate::world::DieAt;

/// Where a portal keeps a stream.
#[derive(Clone, Copy, Debug)]
pub enum Kept {
    Records(Entity),
    Rows(Table),
}

/// A stream beside those of [`PAGED`].
#[derive(Clone, Copy, Debug)]
pub struct Further {
    pub object: &'static str,
    pub kept: Kept,
    /// Which rows are its own, where the portal keeps several streams in one table.
    only: Option<(&'static str, &'static str)>,
    /// It is asked for by the records that it hangs on, which are listed before: what becomes of an owner after it was
    /// asked is the next look's matter, so that its rows need not all be of one moment.
    hangs: bool,
}

const fn rows(object: &'static str, table: Table) -> Further {
    Further { object, kept: Kept::Rows(table), only: None, hangs: false }
}

pub const FURTHER: [Further; 11] = [
    rows("call", Table::Call),
    Further { only: Some(("ANCHOR_TYPE_ID", "4")), hangs: true, ..rows("company_address", Table::Address) },
    Further { only: Some(("ENTITY_TYPE_ID", "4")), ..rows("company_requisite", Table::Requisite) },
    Further { only: Some(("ANCHOR_TYPE_ID", "3")), hangs: true, ..rows("contact_address", Table::Address) },
    Further { only: Some(("ENTITY_TYPE_ID", "3")), ..rows("contact_requisite", Table::Requisite) },
    rows("deal_history", Table::DealHistory),
    rows("lead_history", Table::LeadHistory),
    rows("product_price", Table::Price),
    rows("product_section", Table::Section),
    rows("task", Table::Task),
    Further { object: "comment", kept: Kept::Records(Entity::Comment), only: None, hangs: true },
];

/// Every stream there is a proof for.
pub fn all() -> Vec<&'static str> {
    PAGED.iter().map(|(object, _)| *object).chain(FURTHER.iter().map(|stream| stream.object)).collect()
}

fn said(row: &Record, code: &str) -> String {
    match row.get(code) {
        Some(Json::String(text)) => text.clone(),
        Some(Json::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

fn number(row: &Record, code: &str) -> i64 {
    said(row, code).parse().unwrap_or(-1)
}

/// What a staged record must say.
#[derive(Clone, Debug, PartialEq)]
struct Expected {
    fields: BTreeMap<String, Json>,
    /// The ids of what belongs to it, by the name of the list.
    lists: BTreeMap<&'static str, BTreeSet<i64>>,
}

/// `UF_CRM_TASK` as `ufCrmTask`.
fn camel(code: &str) -> String {
    let mut out = String::new();
    for (n, word) in code.split('_').enumerate() {
        let (first, rest) = word.split_at(1.min(word.len()));
        out.push_str(&if n == 0 { first.to_lowercase() } else { first.to_uppercase() });
        out.push_str(&rest.to_lowercase());
    }
    out
}

/// What a portal holds of a stream, by key.
fn held(portal: &Portal, stream: Further) -> BTreeMap<i64, Expected> {
    let empty = BTreeMap::new();
    let table = match stream.kept {
        Kept::Records(entity) => portal.records.get(&entity),
        Kept::Rows(table) => portal.tables.get(&table),
    };
    let table = table.unwrap_or(&empty);
    let mut out = BTreeMap::new();
    let mine = |row: &Record| stream.only.is_none_or(|(code, value)| said(row, code) == value);
    let ids = |table: Table, code: &str, owner: i64| -> BTreeSet<i64> {
        let all = portal.tables.get(&table).into_iter().flatten();
        all.filter(|(_, row)| number(row, code) == owner).map(|(id, _)| *id).collect()
    };
    for (id, row) in table.iter().filter(|(_, row)| mine(row)) {
        let there =
            |entity: Entity, id: i64| portal.records.get(&entity).is_some_and(|t| t.contains_key(&id));
        let (mut key, mut lists) = (*id, BTreeMap::new());
        match stream.object {
            "company_address" | "contact_address" => {
                let owner = number(row, "ANCHOR_ID");
                let kind = if stream.object == "company_address" { Entity::Company } else { Entity::Contact };
                if !there(kind, owner) {
                    continue;
                }
                key = number(row, "ENTITY_ID") * 1_000
                    + number(row, "ENTITY_TYPE_ID") * 100
                    + number(row, "TYPE_ID");
            }
            "comment" => {
                let (kind, owner) = (said(row, "ENTITY_TYPE"), number(row, "ENTITY_ID"));
                let of = PAGED.iter().find(|(object, entity)| {
                    *object == kind
                        || matches!(entity, Entity::Process(id) if kind == format!("dynamic_{id}"))
                });
                if !of.is_some_and(|(_, entity)| there(*entity, owner)) {
                    continue;
                }
            }
            "task" => drop(lists.insert("CHECKLIST", ids(Table::CheckItem, "TASK_ID", *id))),
            "company_requisite" | "contact_requisite" => {
                lists.insert("BANK_DETAILS", ids(Table::BankDetail, "ENTITY_ID", *id));
            }
            _ => {}
        }
        let name = |code: &String| if stream.object == "task" { camel(code) } else { code.clone() };
        let fields = row.iter().map(|(code, value)| (name(code), value.clone())).collect();
        out.insert(key, Expected { fields, lists });
    }
    out
}

/// Why a staged record is not what is expected.
fn unlike(staged: &Json, expected: &Expected) -> Option<String> {
    for (name, value) in &expected.fields {
        // The key of an address is the connector's.
        if staged.get(name) != Some(value) {
            return Some(format!("`{name}` is {:?}, held is {value}", staged.get(name)));
        }
    }
    for (name, ids) in &expected.lists {
        let rows = staged.get(*name).and_then(Json::as_array).into_iter().flatten();
        let found: BTreeSet<i64> =
            rows.map(|row| row["ID"].as_str().and_then(|id| id.parse().ok()).unwrap_or(-1)).collect();
        if found != *ids {
            return Some(format!("`{name}` holds {found:?}, held are {ids:?}"));
        }
    }
    None
}

/// What is staged of a stream and is not what the portal held: at one moment of the run, or each record at one.
pub fn differences(moments: &[Portal], stream: Further, staged: &BTreeMap<i64, Json>) -> Vec<String> {
    let moments: Vec<BTreeMap<i64, Expected>> = moments.iter().map(|portal| held(portal, stream)).collect();
    let object = stream.object;
    let mut wrong = Vec::new();
    if !stream.hangs {
        let each = moments.iter().map(|held| {
            let mut wrong = Vec::new();
            for id in held.keys().filter(|id| !staged.contains_key(id)) {
                wrong.push(format!("{object} {id} is not staged"));
            }
            for (id, json) in staged {
                match held.get(id) {
                    None => wrong.push(format!("{object} {id} is staged and not held")),
                    Some(one) => wrong.extend(unlike(json, one).map(|why| format!("{object} {id}: {why}"))),
                }
            }
            wrong
        });
        return each.min_by_key(Vec::len).unwrap_or_default();
    }
    let keys: BTreeSet<&i64> = moments.iter().flat_map(BTreeMap::keys).collect();
    for id in keys {
        if !staged.contains_key(id) && moments.iter().all(|held| held.contains_key(id)) {
            wrong.push(format!("{object} {id} is not staged"));
        }
    }
    for (id, json) in staged {
        let mut why = Some("it is staged and not held".to_owned());
        for one in moments.iter().filter_map(|held| held.get(id)) {
            why = unlike(json, one);
            if why.is_none() {
                break;
            }
        }
        wrong.extend(why.map(|why| format!("{object} {id}: {why}")));
    }
    wrong
}

/// Takes a row away with what belongs to it, as a person would.
fn remove(portal: &mut Portal, table: Table, id: i64) -> Option<Record> {
    let gone = portal.tables.get_mut(&table)?.remove(&id)?;
    let parts: &[(Table, &str)] = match table {
        Table::Task => &[(Table::CheckItem, "TASK_ID")],
        Table::Requisite => &[(Table::BankDetail, "ENTITY_ID"), (Table::Address, "ENTITY_ID")],
        _ => &[],
    };
    for (part, code) in parts {
        if let Some(rows) = portal.tables.get_mut(part) {
            rows.retain(|_, row| number(row, code) != id);
        }
    }
    Some(gone)
}

/// The tables that streams are kept in, once each.
fn tables() -> BTreeSet<Table> {
    let table = |stream: &Further| match stream.kept {
        Kept::Rows(table) => Some(table),
        Kept::Records(_) => None,
    };
    FURTHER.iter().filter_map(table).collect()
}

fn ids(portal: &Portal, table: Table) -> Vec<i64> {
    portal.tables.get(&table).into_iter().flatten().map(|(id, _)| *id).collect()
}

/// Somebody deletes a row in the middle of each further list.
pub fn delete_middle(portal: &mut Portal) {
    for table in tables() {
        let ids = ids(portal, table);
        if let Some(id) = ids.get(ids.len() / 2) {
            remove(portal, table, *id);
        }
    }
    let comments: Vec<i64> =
        portal.records.get(&Entity::Comment).into_iter().flatten().map(|(id, _)| *id).collect();
    if let Some(id) = comments.get(comments.len() / 2) {
        portal.remove_record(Entity::Comment, *id);
    }
}

/// Somebody deletes the last row of each further list, and makes one in its place.
pub fn replace_last(portal: &mut Portal) {
    for table in tables() {
        let last = ids(portal, table).last().copied();
        if let Some(id) = last
            && let Some(mut row) = remove(portal, table, id)
        {
            // Addresses have a key of their own.
            let named = ["ID", "id"].into_iter().find(|name| row.contains_key(*name));
            if let Some(name) = named {
                let new =
                    if row[name].is_number() { Json::from(id + 7) } else { Json::from((id + 7).to_string()) };
                row.insert(name.to_owned(), new);
            }
            portal.tables.entry(table).or_default().insert(id + 7, row);
        }
    }
}

#[test]
fn no_stream_is_without_a_proof() {
    let rig = Rig::new(Portal::acme(0.05, 1), 1);
    let schema =
        rig.run(&DieAt::default(), async |source, _| Ok(source.schema("salt").await?)).expect("a schema");
    let described: BTreeSet<&str> = schema
        .objects
        .iter()
        .map(|object| object.name.as_str())
        .filter(|name| !name.starts_with("process "))
        .collect();
    let known: BTreeSet<&str> = connector::streams().into_iter().collect();
    assert_eq!(described, known, "the twin serves every stream that the connector reads");
    let proved: BTreeSet<&str> = all().into_iter().filter(|name| !name.starts_with("process ")).collect();
    assert_eq!(proved, known, "every stream is in the property test of extraction");
    // Smart Processes are one stream each, all read alike.
    for object in schema.objects.iter().filter(|object| object.name.starts_with("process ")) {
        assert!(all().contains(&object.name.as_str()), "{}", object.name);
    }
    // A proof about nothing is none.
    let portal = rig.portal.with_portal(|portal| portal.clone());
    for stream in FURTHER {
        assert!(!held(&portal, stream).is_empty(), "the twin holds nothing of `{}`", stream.object);
    }
}
