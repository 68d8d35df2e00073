//! Every stream of an extraction, with what a portal in memory holds of it: the oracle of the further lists, and the
//! proof that no stream is without one.

use std::collections::{BTreeMap, BTreeSet};

use b2n::lang::value::Value;
use b2n::run::connect::{self, bitrix24 as connector};
use b2n::run::engine::discovery;
use b2n::run::twin::bitrix24::{Entity, Portal, Record, Table};
use serde_json::Value as Json;

use crate::extraction::{PAGED, Rig};
use crate::world::{DieAt, Quiet};

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

pub const FURTHER: [Further; 12] = [
    rows("process_1032_history", Table::ProcessHistory(1032)),
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

/// A portal with something of every stream: the Smart Process is linked with products and keeps its history, tasks
/// have custom fields.
pub fn portal(scale: f64, seed: u64) -> Portal {
    let mut portal = Portal::acme(scale, seed);
    let kind = Entity::Process(1032);
    portal.furnish_process(1032, seed);
    for row in portal.types.iter_mut().filter(|row| row["entityTypeId"] == 1032) {
        row.insert("isLinkWithProductsEnabled".to_owned(), Json::from("Y"));
    }
    let proto = portal.rows.values().flatten().next().cloned().expect("a product row");
    let mut last: i64 = portal.rows.values().flatten().map(|row| number(row, "ID")).max().unwrap_or(0);
    let items: Vec<i64> = portal.records[&kind].keys().copied().collect();
    for (n, item) in items.into_iter().enumerate().filter(|(n, _)| n % 3 == 0) {
        // One of them has more than a page.
        let count = if n == 9 { 60 } else { 1 + n % 4 };
        let own = (0..count).map(|at| {
            last += 1;
            let mut row = proto.clone();
            row.insert("ID".to_owned(), Json::from(last.to_string()));
            row.insert("OWNER_ID".to_owned(), Json::from(item.to_string()));
            row.insert("OWNER_TYPE".to_owned(), Json::from("T408"));
            row.insert("SORT".to_owned(), Json::from(10 * at));
            row
        });
        let own: Vec<Record> = own.collect();
        portal.rows.insert((kind, item), own);
    }
    for (name, about) in [("UF_WARRANTY", "string"), ("UF_AUTO_86", "integer")] {
        let about = serde_json::json!({"title": name, "type": about});
        portal.task_fields.insert(name.to_owned(), about.as_object().cloned().expect("an object"));
    }
    for (id, row) in portal.tables.get_mut(&Table::Task).expect("tasks") {
        row.insert("UF_WARRANTY".to_owned(), Json::from(format!("until {}", 2030 + id)));
        row.insert("UF_AUTO_86".to_owned(), Json::from(id.to_string()));
    }
    portal
}

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
    let rig = Rig::new(portal(0.05, 1), 1);
    let schema = rig.run(&DieAt::default(), async |source, _| Ok(source.schema("salt").await?));
    let schema = schema.expect("a schema");
    // Smart Processes and their histories are read alike, whatever their numbers.
    let of_processes = |name: &&str| name.starts_with("process ") || name.starts_with("process_");
    let described: BTreeSet<&str> = schema.objects.iter().map(|object| object.name.as_str()).collect();
    let known: BTreeSet<&str> = connector::streams().into_iter().collect();
    let plain: BTreeSet<&str> = described.iter().copied().filter(|name| !of_processes(name)).collect();
    assert_eq!(plain, known, "the twin serves every stream that the connector reads");
    assert_eq!(all().into_iter().collect::<BTreeSet<_>>(), described, "every stream is in the property test");
    // A proof about nothing is none, and one that overlooks a change is none.
    let portal = rig.portal.with_portal(|portal| portal.clone());
    let objects = all();
    rig.extract(&objects, &DieAt::default()).expect("extracts");
    for stream in FURTHER {
        let staged = rig.staged(stream.object);
        assert!(!staged.is_empty(), "the twin holds nothing of `{}`", stream.object);
        let wrong = |staged| differences(std::slice::from_ref(&portal), stream, &staged);
        assert_eq!(wrong(staged.clone()), Vec::<String>::new());
        let mut fewer = staged.clone();
        fewer.pop_first();
        assert!(!wrong(fewer).is_empty(), "{}", stream.object);
        let mut other = staged.clone();
        let mut last = other.pop_last().expect("one");
        let fields = last.1.as_object_mut().expect("an object");
        fields.values_mut().for_each(|value| *value = Json::from("otherwise"));
        other.extend([last]);
        assert!(!wrong(other).is_empty(), "{}", stream.object);
    }
}

#[test]
fn every_stream_is_counted_into_the_statistics() {
    let rig = Rig::new(portal(0.05, 2), 2);
    let objects = all();
    rig.extract(&objects, &DieAt::default()).expect("extracts");
    let schema = rig.run(&DieAt::default(), async |source, _| Ok(source.schema("salt").await?));
    let mut schema = schema.expect("a schema");
    let without = discovery::statistics(&rig.workspace, &mut schema, &Quiet).expect("counts");
    assert_eq!(without, Vec::new(), "what is staged is counted");
    let portal = rig.portal.with_portal(|portal| portal.clone());
    let filled = |object: &str, field: &str| {
        let object = schema.object(object).expect("described");
        let field = object.field(field).unwrap_or_else(|| panic!("no `{field}`"));
        field.stats.as_ref().unwrap_or_else(|| panic!("`{}` has no statistics", field.name)).filled
    };
    for stream in FURTHER {
        let counted = schema.object(stream.object).expect("described").records;
        assert_eq!(counted, Some(held(&portal, stream).len() as u64), "{}", stream.object);
    }
    for (object, entity) in PAGED {
        assert_eq!(schema.object(object).expect("described").records, Some(portal.count(entity) as u64));
    }
    let rows =
        portal.rows.iter().filter(|((entity, _), rows)| *entity == Entity::Process(1032) && !rows.is_empty());
    assert_eq!(filled("process 1032", "rows"), rows.count() as u64);
    let history = portal.tables[&Table::ProcessHistory(1032)].len() as u64;
    assert_eq!(filled("process_1032_history", "STAGE_ID"), history);
    assert_eq!(filled("task", "UF_WARRANTY"), portal.tables[&Table::Task].len() as u64);
}

#[test]
fn what_hangs_on_processes_and_tasks_is_described_and_read() {
    for first_owner_only in [false, true] {
        read_of_processes_and_tasks(first_owner_only);
    }
}

/// `first_owner_only`: the list of product rows gives those of one owner, whoever is asked for.
fn read_of_processes_and_tasks(first_owner_only: bool) {
    let rig = Rig::new(portal(0.05, 1), 1);
    rig.portal.with_settings(|settings| settings.dialects.rows_of_first_owner_only = first_owner_only);
    let schema = rig.run(&DieAt::default(), async |source, _| Ok(source.schema("salt").await?));
    let schema = schema.expect("a schema");
    rig.extract(&["process 1032", "process_1032_history", "task"], &DieAt::default()).expect("extracts");
    let portal = rig.portal.with_portal(|portal| portal.clone());
    let slot = |object: &str, field: &str| {
        let object = schema.object(object).expect("described");
        object.slot(field).unwrap_or_else(|| panic!("no `{field}`"))
    };
    let read = |object: &str| -> BTreeMap<i64, Vec<Value>> {
        let decode = connect::decoder("bitrix24", &schema, object).expect("a decoder");
        let staged = rig.staged(object).into_iter();
        staged.map(|(id, json)| (id, decode.decode(json.to_string().as_bytes()).expect("decodes"))).collect()
    };
    let rows = slot("process 1032", "rows");
    let mut seen = 0;
    for (id, record) in read("process 1032") {
        let held = portal.rows.get(&(Entity::Process(1032), id)).map_or(0, Vec::len);
        let found = match &record[rows] {
            Value::List(items) => items.len(),
            Value::Absent => 0,
            other => panic!("{other:?}"),
        };
        assert_eq!(found, held, "item {id}");
        seen += found;
    }
    assert!(seen > 60, "{seen} rows");
    let (owner, stage) = (slot("process_1032_history", "OWNER_ID"), slot("process_1032_history", "STAGE_ID"));
    let history = read("process_1032_history");
    assert!(history.len() > 5);
    for (id, record) in &history {
        let row = &portal.tables[&Table::ProcessHistory(1032)][id];
        assert_eq!(record[owner].to_text(), said(row, "OWNER_ID"));
        assert_eq!(record[stage].to_text(), said(row, "STAGE_ID"));
    }
    let (text, number) = (slot("task", "UF_WARRANTY"), slot("task", "UF_AUTO_86"));
    for (id, record) in read("task") {
        assert_eq!(record[text].to_text(), format!("until {}", 2030 + id));
        assert_eq!(record[number].to_text(), id.to_string());
    }
}
