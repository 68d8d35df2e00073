//! What a believable portal keeps beside its records: histories of stages, calls, tasks, requisites, addresses, prices.
//!
//! Comes last, from streams of its own, so that no other value depends on it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::records::number;
use super::rng::{Rng, salt};
use super::text;
use crate::run::twin::bitrix24::portal::{Entity, Portal, Record};
use crate::run::twin::bitrix24::tables::Table;

fn record(value: Value) -> Record {
    value.as_object().cloned().unwrap_or_default()
}

fn said<'r>(row: &'r Record, code: &str) -> &'r str {
    row.get(code).and_then(Value::as_str).unwrap_or("")
}

/// Rows of one table under ids of their own, with gaps.
#[derive(Default)]
struct Rows {
    rows: BTreeMap<i64, Record>,
    last: i64,
}

impl Rows {
    fn next(&mut self, rng: &mut Rng) -> i64 {
        self.last += 1 + i64::from(rng.chance(0.15));
        self.last
    }
}

/// A time some seconds after a printed one.
fn after(time: &str, seconds: i64) -> String {
    let (zone, local) = (time.get(19..).unwrap_or("+00:00"), time.get(..19).unwrap_or(""));
    let moved = local
        .parse::<jiff::civil::DateTime>()
        .ok()
        .and_then(|at| at.checked_add(jiff::SignedDuration::from_secs(seconds)).ok());
    moved.map_or_else(|| time.to_owned(), |at| format!("{}{zone}", at.strftime("%Y-%m-%dT%H:%M:%S")))
}

/// Fills every table of a portal that has its records.
pub(super) fn fill(portal: &mut Portal, seed: u64) {
    let made = [
        (Table::DealHistory, history(portal, seed, Entity::Deal)),
        (Table::LeadHistory, history(portal, seed, Entity::Lead)),
        (Table::Call, calls(portal, seed)),
        (Table::Section, sections()),
        (Table::Price, prices(portal, seed)),
    ];
    portal.tables.extend(made);
    tasks(portal, seed);
    requisites(portal, seed);
}

/// Fills the stage history of a Smart Process.
pub(super) fn fill_process(portal: &mut Portal, kind: u32, seed: u64) {
    let rows = history(portal, seed, Entity::Process(kind));
    portal.tables.insert(Table::ProcessHistory(kind), rows);
}

/// Stages of the directory that a deal's or lead's stage stands in, in order.
fn stages<'p>(portal: &'p Portal, directory: &str) -> Vec<(&'p str, &'p str)> {
    let own = portal.statuses.iter().filter(|row| said(row, "ENTITY_ID") == directory);
    own.map(|row| (said(row, "STATUS_ID"), said(row, "SEMANTICS"))).collect()
}

fn history(portal: &Portal, seed: u64, entity: Entity) -> BTreeMap<i64, Record> {
    let mut all: Vec<(String, Record)> = Vec::new();
    let (code, semantics) = match entity {
        Entity::Lead => ("STATUS_ID", "STATUS_SEMANTIC_ID"),
        _ => ("STAGE_ID", "STAGE_SEMANTIC_ID"),
    };
    for (id, owner) in portal.records.get(&entity).into_iter().flatten() {
        let mut rng = Rng::at(seed, &[salt("history"), super::records::place(entity), *id as u64]);
        let category = said(owner, "CATEGORY_ID").parse::<i64>().unwrap_or(0);
        let directory = match (entity, category) {
            (Entity::Deal, 0) => "DEAL_STAGE".to_owned(),
            (Entity::Deal, other) => format!("DEAL_STAGE_{other}"),
            (Entity::Process(kind), category) => format!("DYNAMIC_{kind}_STAGE_{category}"),
            _ => "STATUS".to_owned(),
        };
        let stages = stages(portal, &directory);
        let made = ["DATE_CREATE", "CREATED_TIME"].map(|code| said(owner, code));
        let (now, created) = (said(owner, code), made.concat());
        let mut way: Vec<(&str, &str)> = Vec::new();
        if let Some(first) = stages.first() {
            way.push(*first);
        }
        for stage in stages.iter().skip(1) {
            let open = !matches!(stage.1, "S" | "F");
            if stage.0 != now && open && rng.chance(0.4) {
                way.push(*stage);
            }
        }
        if let Some(last) = stages.iter().find(|stage| stage.0 == now)
            && way.last() != Some(last)
        {
            way.push(*last);
        }
        let mut time = created;
        for (at, (stage, meaning)) in way.into_iter().enumerate() {
            let is_final = matches!(meaning, "S" | "F");
            let kind = if at == 0 {
                1
            } else if is_final {
                3
            } else {
                2
            };
            let mut row = record(json!({
                "TYPE_ID": kind, "OWNER_ID": id, "CREATED_TIME": time, code: stage,
                semantics: if is_final { meaning } else { "P" },
            }));
            if entity != Entity::Lead {
                row.insert("CATEGORY_ID".into(), json!(category));
            }
            all.push((time.clone(), row));
            time = after(&time, 3_600 + rng.below(20 * 86_400) as i64);
        }
    }
    // Rows are appended as things happen.
    all.sort_by(|a, b| a.0.cmp(&b.0));
    let (mut rows, mut rng) = (Rows::default(), Rng::at(seed, &[salt("history ids")]));
    for (_, row) in all {
        let id = rows.next(&mut rng);
        let mut whole = record(json!({ "ID": id }));
        whole.extend(row);
        rows.rows.insert(id, whole);
    }
    rows.rows
}

fn calls(portal: &Portal, seed: u64) -> BTreeMap<i64, Record> {
    let (mut rows, mut ids) = (Rows::default(), Rng::at(seed, &[salt("call ids")]));
    let activities = portal.records.get(&Entity::Activity).into_iter().flatten();
    for (activity, row) in activities.filter(|(_, row)| said(row, "TYPE_ID") == "2") {
        let mut rng = Rng::at(seed, &[salt("call"), *activity as u64]);
        // A telephone outside of the portal has none; a call that was redirected has two.
        let legs = match rng.below(20) {
            0 | 1 => 0,
            2 => 2,
            _ => 1,
        };
        for leg in 0..legs {
            let id = rows.next(&mut ids);
            let missed = rng.chance(0.2);
            let seconds = if missed { 0 } else { 5 + rng.below(1_800) };
            let incoming = said(row, "DIRECTION") == "1";
            let number = row
                .get("COMMUNICATIONS")
                .and_then(|list| list.get(0)?.get("VALUE")?.as_str())
                .map_or_else(|| text::phone(&mut rng, text::Culture::Russian, 0.0), str::to_owned);
            let start = said(row, "START_TIME");
            let start = if start.is_empty() { said(row, "CREATED") } else { start };
            let owner = said(row, "OWNER_TYPE_ID");
            let word = Entity::of_type_id(owner.parse().unwrap_or(0)).map_or("", Entity::word).to_uppercase();
            let recorded = !missed && rng.chance(0.7);
            let url = format!("https://records.example/rec/{id}.mp3");
            rows.rows.insert(
                id,
                record(json!({
                    "ID": id.to_string(),
                    "PORTAL_USER_ID": said(row, "RESPONSIBLE_ID"),
                    "PORTAL_NUMBER": "reg78001",
                    "PHONE_NUMBER": number,
                    "CALL_ID": format!("{:016X}.{id}", rng.next()),
                    "EXTERNAL_CALL_ID": null,
                    "CALL_CATEGORY": "external",
                    "CALL_DURATION": seconds.to_string(),
                    "CALL_START_DATE": after(start, i64::from(leg) * 45),
                    "CALL_LOG": null,
                    "CALL_RECORD_URL": if recorded { url.as_str() } else { "" },
                    "CALL_VOTE": if rng.chance(0.1) { "5" } else { "0" },
                    "COST": format!("{:.4}", seconds as f64 / 100.0),
                    "COST_CURRENCY": "RUR",
                    "CALL_FAILED_CODE": if !missed { "200" } else if incoming { "304" } else { "603-S" },
                    "CALL_FAILED_REASON": if missed { "Not answered" } else { "Success call" },
                    "CRM_ENTITY_TYPE": word,
                    "CRM_ENTITY_ID": said(row, "OWNER_ID"),
                    "CRM_ACTIVITY_ID": activity.to_string(),
                    "REST_APP_ID": null,
                    "REST_APP_NAME": null,
                    "TRANSCRIPT_ID": null,
                    "TRANSCRIPT_PENDING": "N",
                    "SESSION_ID": rng.below(1 << 32).to_string(),
                    "REDIAL_ATTEMPT": null,
                    "COMMENT": if rng.chance(0.1) { text::words(&mut rng) } else { String::new() },
                    "RECORD_DURATION": if recorded { json!(seconds.to_string()) } else { Value::Null },
                    "CALL_TYPE": if leg > 0 { "3" } else if incoming { "2" } else { "1" },
                })),
            );
        }
    }
    alone(portal, seed, &mut rows, &mut ids);
    rows.rows
}

/// Calls that hang on no activity: some of a contact, some of nobody.
fn alone(portal: &Portal, seed: u64, rows: &mut Rows, ids: &mut Rng) {
    let contacts: Vec<i64> =
        portal.records.get(&Entity::Contact).into_iter().flatten().map(|(id, _)| *id).collect();
    let Some(proto) = rows.rows.values().next().cloned() else { return };
    for nth in 0..rows.rows.len().div_ceil(12) {
        let id = rows.next(ids);
        let mut rng = Rng::at(seed, &[salt("call alone"), id as u64]);
        let contact = contacts.get(rng.index(contacts.len())).filter(|_| nth % 2 == 0);
        let mut row = proto.clone();
        row.extend(record(json!({
            "ID": id.to_string(),
            "PHONE_NUMBER": text::phone(&mut rng, text::Culture::Russian, 0.0),
            "CALL_ID": format!("{:016X}.{id}", rng.next()),
            "CALL_DURATION": (5 + rng.below(600)).to_string(),
            "CALL_START_DATE": after("2024-03-04T10:00:00+03:00", nth as i64 * 90_000),
            "CRM_ENTITY_TYPE": if contact.is_some() { "CONTACT" } else { "" },
            "CRM_ENTITY_ID": contact.map_or(Value::Null, |id| json!(id.to_string())),
            "CRM_ACTIVITY_ID": null,
        })));
        rows.rows.insert(id, row);
    }
}

fn sections() -> BTreeMap<i64, Record> {
    let all = [(11, None, "Насосы"), (13, None, "Компрессоры"), (17, Some(13), "Шланги и фильтры")];
    let row = |(id, parent, name): (i64, Option<i64>, &str)| {
        let parent = parent.map_or(Value::Null, |id: i64| json!(id.to_string()));
        let row = json!({
            "ID": id.to_string(), "CATALOG_ID": "23", "SECTION_ID": parent, "NAME": name, "XML_ID": null,
            "CODE": format!("section-{id}"),
        });
        (id, record(row))
    };
    all.map(row).into()
}

fn prices(portal: &Portal, seed: u64) -> BTreeMap<i64, Record> {
    let (mut rows, mut ids) = (Rows::default(), Rng::at(seed, &[salt("price ids")]));
    for (product, row) in portal.records.get(&Entity::Product).into_iter().flatten() {
        let mut rng = Rng::at(seed, &[salt("price"), *product as u64]);
        let Ok(price) = said(row, "PRICE").parse::<rust_decimal::Decimal>() else { continue };
        let currency = said(row, "CURRENCY_ID");
        if currency.is_empty() {
            continue;
        }
        for group in 1..=1 + i64::from(rng.chance(0.3)) {
            let id = rows.next(&mut ids);
            let price =
                if group == 1 { price } else { (price * rust_decimal::Decimal::new(9, 1)).round_dp(2) };
            let row = json!({
                "catalogGroupId": group, "currency": currency, "id": id, "price": number(price), "productId": product,
            });
            rows.rows.insert(id, record(row));
        }
    }
    rows.rows
}

fn tasks(portal: &mut Portal, seed: u64) {
    let owners: Vec<(Entity, i64)> = [Entity::Deal, Entity::Contact, Entity::Company, Entity::Lead]
        .into_iter()
        .flat_map(|entity| {
            portal.records.get(&entity).into_iter().flatten().map(move |(id, _)| (entity, *id))
        })
        .collect();
    let users: Vec<i64> = portal.users.keys().copied().collect();
    let count = portal.records.get(&Entity::Deal).map_or(0, BTreeMap::len).div_ceil(4);
    let (mut rows, mut ids) = (Rows::default(), Rng::at(seed, &[salt("task ids")]));
    let (mut items, mut item_ids) = (Rows::default(), Rng::at(seed, &[salt("check item ids")]));
    for nth in 0..count {
        let id = rows.next(&mut ids);
        let mut rng = Rng::at(seed, &[salt("task"), id as u64]);
        let user = |rng: &mut Rng| users.get(rng.index(users.len())).copied().unwrap_or(1).to_string();
        let created = after("2024-02-05T09:30:00+03:00", nth as i64 * 86_400 + rng.below(80_000) as i64);
        let status = ["2", "3", "4", "5", "5", "5", "6"][rng.index(7)];
        let closed = (status == "5").then(|| after(&created, 7_200 + rng.below(900_000) as i64));
        let links: Vec<String> = (0..rng.below(3))
            .filter_map(|_| owners.get(rng.index(owners.len())))
            .map(|(entity, id)| format!("{}_{id}", entity.short_code()))
            .collect();
        let (creator, responsible) = (user(&mut rng), user(&mut rng));
        let watchers: Vec<String> = if rng.chance(0.3) { vec![user(&mut rng)] } else { Vec::new() };
        rows.rows.insert(
            id,
            record(json!({
                "ID": id.to_string(),
                "PARENT_ID": null,
                "TITLE": super::activity::subject(Some("3"), id, &mut rng),
                "DESCRIPTION": if rng.chance(0.7) { text::comment(&mut rng) } else { String::new() },
                "MARK": if status == "5" && rng.chance(0.2) { json!("P") } else { json!("") },
                "PRIORITY": rng.pick(&["1", "1", "1", "2", "0"]),
                "STATUS": status,
                "GROUP_ID": if rng.chance(0.1) { "5" } else { "0" },
                "CREATED_BY": creator,
                "CREATED_DATE": created,
                "RESPONSIBLE_ID": responsible,
                "ACCOMPLICES": [],
                "AUDITORS": watchers,
                "CHANGED_BY": creator,
                "CHANGED_DATE": closed.clone().unwrap_or_else(|| after(&created, 600)),
                "CLOSED_BY": if closed.is_some() { json!(responsible) } else { Value::Null },
                "CLOSED_DATE": closed,
                "DATE_START": if status == "2" { Value::Null } else { json!(after(&created, 3_600)) },
                "DEADLINE": if rng.chance(0.7) { json!(after(&created, 86_400 * 5)) } else { Value::Null },
                "START_DATE_PLAN": null,
                "END_DATE_PLAN": null,
                "XML_ID": null,
                "COMMENTS_COUNT": if rng.chance(0.2) { json!("3") } else { Value::Null },
                "TIME_ESTIMATE": "0",
                "TIME_SPENT_IN_LOGS": null,
                "REPLICATE": if rng.chance(0.05) { "Y" } else { "N" },
                "UF_CRM_TASK": if links.is_empty() { json!(false) } else { json!(links) },
                "UF_TASK_WEBDAV_FILES": if rng.chance(0.1) { json!([400 + id]) } else { json!(false) },
            })),
        );
        if rng.chance(0.3) {
            let root = items.next(&mut item_ids);
            let item = |id: i64, parent: i64, title: &str, at: u64, done: bool| {
                record(json!({
                    "ID": id.to_string(), "TASK_ID": rows.last.to_string(), "PARENT_ID": parent.to_string(),
                    "CREATED_BY": creator, "TITLE": title, "SORT_INDEX": at.to_string(),
                    "IS_COMPLETE": if done { "Y" } else { "N" }, "IS_IMPORTANT": "N", "TOGGLED_BY": null,
                    "TOGGLED_DATE": "", "MEMBERS": [], "ATTACHMENTS": [],
                }))
            };
            items.rows.insert(root, item(root, 0, "BX_CHECKLIST_1", 0, false));
            for at in 0..1 + rng.below(4) {
                let id = items.next(&mut item_ids);
                let title = text::words(&mut rng);
                items.rows.insert(id, item(id, root, &title, at, rng.chance(0.5)));
            }
        }
    }
    portal.tables.insert(Table::Task, rows.rows);
    portal.tables.insert(Table::CheckItem, items.rows);
}

fn requisites(portal: &mut Portal, seed: u64) {
    let mut all = (Rows::default(), Rng::at(seed, &[salt("requisite ids")]));
    let mut banks = (Rows::default(), Rng::at(seed, &[salt("bank ids")]));
    let mut addresses = BTreeMap::new();
    for (entity, share) in [(Entity::Company, 0.5), (Entity::Contact, 0.06)] {
        for (owner, row) in portal.records.get(&entity).into_iter().flatten() {
            let mut rng = Rng::at(seed, &[salt("requisite"), super::records::place(entity), *owner as u64]);
            if !rng.chance(share) {
                continue;
            }
            for nth in 0..1 + u64::from(rng.chance(0.1)) {
                let id = all.0.next(&mut all.1);
                let title = said(row, if entity == Entity::Company { "TITLE" } else { "LAST_NAME" });
                let created = said(row, "DATE_CREATE");
                all.0.rows.insert(
                    id,
                    record(json!({
                        "ID": id.to_string(),
                        "ENTITY_TYPE_ID": entity.type_id().to_string(),
                        "ENTITY_ID": owner.to_string(),
                        "PRESET_ID": if entity == Entity::Company { "1" } else { "5" },
                        "DATE_CREATE": created,
                        "DATE_MODIFY": "",
                        "CREATED_BY_ID": "1",
                        "MODIFY_BY_ID": null,
                        "NAME": if nth == 0 { "Организация" } else { "Филиал" },
                        "CODE": null,
                        "XML_ID": null,
                        "ACTIVE": "Y",
                        "SORT": "500",
                        "RQ_COMPANY_NAME": title,
                        "RQ_DIRECTOR": if rng.chance(0.5) { "Орлова С. П." } else { "" },
                        "RQ_INN": (7_700_000_000 + rng.below(99_999_999)).to_string(),
                        "RQ_KPP": if rng.chance(0.6) { json!((770_000_000 + rng.below(999_999)).to_string()) } else { Value::Null },
                        "RQ_VAT_ID": null,
                    })),
                );
                for _ in 0..rng.below(3) {
                    let bank = banks.0.next(&mut banks.1);
                    let row = json!({
                        "ID": bank.to_string(), "ENTITY_TYPE_ID": "8", "ENTITY_ID": id.to_string(), "COUNTRY_ID": "1",
                        "NAME": "Расчётный счёт", "CODE": null, "XML_ID": null, "ACTIVE": "Y", "SORT": "500",
                        "RQ_BANK_NAME": rng.pick(&["АО «Банк»", "Chase Bank"]), "RQ_BANK_ADDR": null,
                        "RQ_BIK": (44_500_000 + rng.below(99_999)).to_string(), "RQ_ACC_NAME": null,
                        "RQ_ACC_NUM": format!("40702810{:012}", rng.below(999_999_999_999)), "RQ_ACC_CURRENCY": "RUB",
                        "RQ_COR_ACC_NUM": null, "RQ_IBAN": null, "RQ_SWIFT": null, "COMMENTS": null,
                    });
                    banks.0.rows.insert(bank, record(row));
                }
                for kind in [1, 6, 4].into_iter().take(rng.index(4)) {
                    let culture = text::Culture::draw(&mut rng);
                    let (city, country, _) = culture.place(&mut rng);
                    let row = json!({
                        "TYPE_ID": kind.to_string(), "ENTITY_TYPE_ID": "8", "ENTITY_ID": id.to_string(),
                        "ADDRESS_1": text::street(&mut rng, culture), "ADDRESS_2": null, "CITY": city,
                        "POSTAL_CODE": (100_000 + rng.below(99_999)).to_string(), "REGION": null, "PROVINCE": null,
                        "COUNTRY": country, "COUNTRY_CODE": null, "LOC_ADDR_ID": null,
                        "ANCHOR_TYPE_ID": entity.type_id().to_string(), "ANCHOR_ID": owner.to_string(),
                    });
                    addresses.insert(addresses.len() as i64 + 1, record(row));
                }
            }
        }
    }
    portal.tables.insert(Table::Requisite, all.0.rows);
    portal.tables.insert(Table::BankDetail, banks.0.rows);
    portal.tables.insert(Table::Address, addresses);
}
