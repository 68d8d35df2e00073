//! Histories, calls, tasks, requisites, addresses, prices against the portal twin: what is extracted is what the portal
//! holds, by id and by content, whatever happens on the way; what a webhook may not read is named.

use std::collections::BTreeMap;

use super::twin::{Rig, rig};
use super::*;
use crate::run::twin::bitrix24::portal::{Entity, Portal};
use crate::run::twin::bitrix24::{Fault, FaultKind, Table, Trigger};

const OBJECTS: [(&str, Table); 10] = [
    ("call", Table::Call),
    ("company_address", Table::Address),
    ("company_requisite", Table::Requisite),
    ("contact_address", Table::Address),
    ("contact_requisite", Table::Requisite),
    ("deal_history", Table::DealHistory),
    ("lead_history", Table::LeadHistory),
    ("product_price", Table::Price),
    ("product_section", Table::Section),
    ("task", Table::Task),
];

/// The hash of what a record says, whatever the order of its keys.
fn hash(value: &Json) -> String {
    let mut value = value.clone();
    value.sort_all_objects();
    blake3::hash(value.to_string().as_bytes()).to_hex().to_string()
}

/// `UF_CRM_TASK` as `ufCrmTask`.
fn camel(name: &str) -> String {
    let mut parts = name.split('_').map(str::to_lowercase);
    let mut out = parts.next().unwrap_or_default();
    for part in parts {
        out.push_str(&part[..1].to_uppercase());
        out.push_str(&part[1..]);
    }
    out
}

/// What the portal holds of an object, as its list should answer it: the oracle.
fn held(portal: &Portal, object: &str, table: Table) -> BTreeMap<String, String> {
    let text = |row: &Json, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let of = |kind: Table| portal.tables[&kind].values().map(|row| Json::Object(row.clone()));
    let mut out = BTreeMap::new();
    for (id, row) in &portal.tables[&table] {
        let mut row = Json::Object(row.clone());
        let mut key = id.to_string();
        let owner = if object.starts_with("company") { "4" } else { "3" };
        match table {
            Table::Address => {
                if row["ANCHOR_TYPE_ID"] != owner {
                    continue;
                }
                let part = |name: &str| text(&row, name).parse::<u64>().unwrap();
                key =
                    (part("ENTITY_ID") * 1_000 + part("ENTITY_TYPE_ID") * 100 + part("TYPE_ID")).to_string();
                row["ID"] = json!(key);
            }
            Table::Requisite => {
                if row["ENTITY_TYPE_ID"] != owner {
                    continue;
                }
                let own: Vec<Json> =
                    of(Table::BankDetail).filter(|bank| text(bank, "ENTITY_ID") == key).collect();
                if !own.is_empty() {
                    row["BANK_DETAILS"] = json!(own);
                }
            }
            Table::Task => {
                let fields = row.as_object().unwrap().iter();
                row = Json::Object(fields.map(|(name, value)| (camel(name), value.clone())).collect());
                let own: Vec<Json> =
                    of(Table::CheckItem).filter(|item| text(item, "TASK_ID") == key).collect();
                if !own.is_empty() {
                    row["CHECKLIST"] = json!(own);
                }
            }
            _ => {}
        }
        out.insert(key, hash(&row));
    }
    out
}

impl Rig {
    fn assert_table(&self, object: &str, table: Table, records: &[Raw]) {
        let found: BTreeMap<String, String> = records
            .iter()
            .map(|raw| (raw.id.clone(), hash(&serde_json::from_slice(&raw.json).unwrap())))
            .collect();
        assert_eq!(found.len(), records.len(), "{object}: none twice");
        let held = self.twin.with_portal(|portal| held(portal, object, table));
        assert!(!held.is_empty(), "{object}: the portal holds none");
        assert!(found == held, "{object}: {} found, {} held", found.len(), held.len());
    }
}

#[test]
fn every_row_arrives_and_decodes() {
    let rig = rig(Portal::acme(0.5, 31), |_| {});
    let schema = wait(rig.source.schema("salt")).unwrap();
    for (object, table) in OBJECTS {
        let counted = wait(rig.source.count(object)).unwrap();
        let records = rig.extract(object).unwrap();
        assert_eq!(records.len() as u64, counted, "{object}");
        rig.assert_table(object, table, &records);
        assert_eq!(wait(rig.source.count(object)).unwrap(), counted, "{object}");
        // A rehearsal serves what was staged: the same rows come again.
        let mut again = Portal::acme(0.5, 31);
        again.tables.clear();
        let rows = records.iter().map(|raw| serde_json::from_slice(&raw.json).unwrap());
        again.restore(table, rows);
        let second = super::twin::rig(again, |_| {});
        let repeated = second.extract(object).unwrap();
        assert!(
            repeated
                .iter()
                .map(|raw| hash(&serde_json::from_slice(&raw.json).unwrap()))
                .eq(records.iter().map(|raw| hash(&serde_json::from_slice(&raw.json).unwrap()))),
            "{object} served again"
        );
        let described = schema.object(object).unwrap_or_else(|| panic!("{object} is described"));
        let decoder = decode::Decoder::new(&schema, described);
        let id = described.slot("ID").unwrap();
        let mut filled: BTreeMap<&str, usize> = BTreeMap::new();
        for raw in &records {
            let (record, unknown) = decoder.decode_naming_unknown(&raw.json).unwrap();
            let unknown: Vec<_> = unknown.iter().filter(|name| !name.starts_with("RQ_")).collect();
            assert!(unknown.is_empty(), "{object}: {unknown:?}");
            let key = match &record[id] {
                Value::Int(id) => id.to_string(),
                Value::Text(key) => key.to_string(),
                other => panic!("{object}: {other:?}"),
            };
            assert_eq!(key, raw.id, "{object}");
            for (field, value) in described.fields.iter().zip(&record) {
                *filled.entry(&field.name).or_default() += usize::from(!value.is_absent());
            }
        }
        let links: &[&str] = match object {
            "call" => &["CRM_ACTIVITY_ID", "CALL_DURATION", "CALL_START_DATE", "CALL_RECORD_URL"],
            "task" => &["UF_CRM_TASK", "CHECKLIST", "DEADLINE", "RESPONSIBLE_ID", "CLOSED_DATE"],
            "deal_history" => &["OWNER_ID", "STAGE_ID", "CREATED_TIME", "STAGE_SEMANTIC_ID"],
            "lead_history" => &["OWNER_ID", "STATUS_ID", "CREATED_TIME"],
            "company_requisite" => &["ENTITY_ID", "BANK_DETAILS", "RQ_INN"],
            "contact_requisite" => &["ENTITY_ID", "RQ_INN"],
            "product_price" => &["PRODUCT_ID", "PRICE", "CURRENCY"],
            "product_section" => &["NAME"],
            _ => &["ANCHOR_ID", "TYPE_ID", "CITY"],
        };
        for field in links {
            assert!(filled.get(field).is_some_and(|n| *n > 0), "{object}.{field} is never filled");
        }
    }
    let log = rig.twin.log();
    assert_eq!((log.refused_rate, log.refused_operating), (0, 0), "nothing was provoked");
}

#[test]
fn whatever_happens_on_the_way_the_rows_are_the_same() {
    use FaultKind::*;
    let kinds = [
        RateLimit,
        ServerError,
        Html(200),
        CutBody,
        Slow(70_000),
        OperatingLimit,
        ShortPage,
        RepeatPage,
        Command(500, "INTERNAL_SERVER_ERROR".to_owned()),
    ];
    let portal = Portal::acme(0.1, 32);
    for kind in kinds {
        for nth in [1, 3, 6] {
            let rig = rig(portal.clone(), |settings| {
                settings.faults = vec![Fault::new(Trigger::Nth(nth), kind.clone())];
            });
            for (object, table) in OBJECTS {
                let records =
                    rig.extract(object).unwrap_or_else(|e| panic!("{object}, {kind:?} at {nth}: {e}"));
                rig.assert_table(object, table, &records);
            }
        }
    }
}

#[test]
fn a_scope_that_is_missing_is_named_by_object() {
    let without =
        |scope: &str| rig(Portal::acme(0.05, 33), |settings| settings.scopes.retain(|held| held != scope));
    for (scope, objects) in
        [("telephony", &["call"][..]), ("task", &["task"]), ("catalog", &["product_price"])]
    {
        let rig = without(scope);
        let schema = wait(rig.source.schema("salt")).unwrap();
        for object in objects {
            let described = schema.object(object).unwrap_or_else(|| panic!("{object} is named"));
            let hint = described.hint.as_deref().unwrap_or_default();
            assert!(described.fields.is_empty() && hint.contains(&format!("`{scope}`")), "{object}: {hint}");
            let error = wait(rig.source.count(object)).unwrap_err();
            assert!(matches!(error, Error::Denied { .. }), "{error}");
            assert!(error.to_string().contains(&format!("scope `{scope}`")), "{error}");
            let error = rig.extract(object).unwrap_err();
            assert!(error.to_string().contains(&format!("scope `{scope}`")), "{error}");
        }
        let others = OBJECTS.iter().filter(|(object, _)| !objects.contains(object));
        for (object, _) in others {
            assert!(schema.object(object).is_some_and(|o| o.hint.is_none()), "{object} without {scope}");
        }
    }
}

#[test]
fn a_portal_without_these_lists_has_no_such_objects() {
    let mut portal = Portal::acme(0.05, 34);
    portal.tables.clear();
    let rig = rig(portal, |_| {});
    let schema = wait(rig.source.schema("salt")).unwrap();
    for (object, _) in OBJECTS {
        assert!(schema.object(object).is_none(), "{object}");
    }
}

#[test]
fn an_owner_with_more_than_a_page_is_read_alone_or_named() {
    let mut portal = Portal::acme(0.05, 35);
    let company = *portal.records[&Entity::Company].keys().next().unwrap();
    let proto = portal.tables[&Table::Address].values().next().unwrap().clone();
    let addresses = portal.tables.get_mut(&Table::Address).unwrap();
    addresses.clear();
    for n in 0..49 {
        let mut row = proto.clone();
        row.insert("ANCHOR_TYPE_ID".into(), json!("4"));
        row.insert("ANCHOR_ID".into(), json!(company.to_string()));
        row.insert("ENTITY_ID".into(), json!((9_000 + n).to_string()));
        addresses.insert(n + 1, row);
    }
    let mut one_more = addresses[&1].clone();
    one_more.insert("ENTITY_ID".into(), json!("9500"));
    let other = *portal.records[&Entity::Company].keys().nth(1).unwrap();
    let mut foreign = one_more.clone();
    foreign.insert("ANCHOR_ID".into(), json!(other.to_string()));
    portal.tables.get_mut(&Table::Address).unwrap().insert(100, foreign);
    let rig = rig(portal, |_| {});
    let records = rig.extract("company_address").unwrap();
    rig.assert_table("company_address", Table::Address, &records);
    rig.twin.with_portal(|portal| portal.tables.get_mut(&Table::Address).unwrap().insert(101, one_more));
    let error = rig.extract("company_address").unwrap_err();
    assert!(matches!(error, Error::Inconsistent { .. }), "{error}");
}

#[test]
fn the_history_of_a_smart_process_is_dropped_only_where_the_portal_keeps_none() {
    let portal = |kept: bool| {
        let mut portal = Portal::acme(0.05, 36);
        if kept {
            portal.furnish_process(1032, 36);
        }
        portal
    };
    let history = |portal: Portal, fault: Option<(Trigger, FaultKind)>| {
        let rig = rig(portal, |settings| {
            let fault = fault.map(|(when, kind)| Fault::new(when, kind).on("crm.stagehistory.list"));
            settings.faults.extend(fault);
        });
        let schema = wait(rig.source.schema("salt")).unwrap();
        schema.object("process_1032_history").map(|object| (object.fields.is_empty(), object.hint.clone()))
    };
    let whole = history(portal(true), None);
    assert_eq!(whole, Some((false, None)));
    assert_eq!(history(portal(false), None), None, "the type is not supported");
    // Deals and leads are asked first.
    let at = Trigger::Nth(3);
    let code = |status: u16, code: &str| FaultKind::Command(status, code.to_owned());
    assert_eq!(history(portal(true), Some((at, code(404, "ERROR_METHOD_NOT_FOUND")))), None);
    for busy in
        [FaultKind::OperatingLimit, code(503, "QUERY_LIMIT_EXCEEDED"), code(500, "INTERNAL_SERVER_ERROR")]
    {
        assert_eq!(history(portal(true), Some((at, busy.clone()))), whole, "{busy:?}");
    }
    let denied = code(403, "ACCESS_DENIED");
    for kept in [true, false] {
        let (bare, hint) = history(portal(kept), Some((at, denied.clone()))).expect("kept back by name");
        assert!(bare && hint.is_some_and(|why| why.contains("take the snapshot again")));
    }
}

#[test]
fn fields_of_tasks_that_are_kept_back_keep_tasks_back_by_name() {
    let task = |kind: FaultKind| {
        let rig = rig(Portal::acme(0.05, 37), |settings| {
            settings.faults = vec![Fault::new(Trigger::Nth(1), kind).on("tasks.task.getfields")];
        });
        wait(rig.source.schema("salt")).unwrap().object("task").cloned().expect("tasks are named")
    };
    let unknown = task(FaultKind::Command(404, "ERROR_METHOD_NOT_FOUND".to_owned()));
    assert!(unknown.hint.is_none() && !unknown.fields.is_empty(), "they have no custom fields then");
    let busy = task(FaultKind::OperatingLimit);
    assert!(busy.hint.is_none() && !busy.fields.is_empty());
    let denied = task(FaultKind::Command(400, "ACCESS_DENIED".to_owned()));
    assert!(denied.fields.is_empty());
    assert!(denied.hint.is_some_and(|why| why.contains("ACCESS_DENIED")), "with the portal's reason");
}

#[test]
fn addresses_are_not_counted_alone_and_the_reason_is_true() {
    use crate::run::connect::survey::{Condition, Counted, Question};
    let rig = rig(Portal::acme(0.05, 38), |_| {});
    for object in ["company_address", "contact_address"] {
        let question = Question { object: object.to_owned(), condition: Condition::Any };
        let Counted::Unknown(why) = wait(rig.source.ask(&[question])).unwrap().remove(0) else {
            panic!("{object} is counted");
        };
        assert!(why.contains("owners") && why.contains("extract"), "{why}");
    }
}
