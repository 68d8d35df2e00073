//! Documented answers loaded into a portal and served back (sheet 10; data beside it).

use super::*;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// The folder of reference data, when this checkout has it.
fn reference() -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let found = ["../shared/reference/bitrix24", "../../shared/reference/bitrix24"]
        .map(|p| root.join(p))
        .into_iter()
        .find(|p| p.is_dir());
    if found.is_none() {
        println!("skipped: no reference data beside this checkout");
    }
    found
}

fn load(folder: &std::path::Path, name: &str) -> Value {
    let text = std::fs::read_to_string(folder.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    serde_json::from_str(&text).unwrap()
}

/// A portal with the documented field descriptions.
fn documented(folder: &std::path::Path) -> Portal {
    let mut p = Portal::default();
    for entity in Entity::ALL {
        let fields = load(folder, &format!("fields/crm.{}.fields.json", entity.word()));
        let table = fields["result"].as_object().unwrap();
        p.fields.insert(entity, table.iter().map(|(k, v)| (k.clone(), record(v.clone()))).collect());
    }
    p
}

fn put(p: &mut Portal, entity: Entity, row: &Value) -> i64 {
    let id: i64 = row["ID"].as_str().unwrap().parse().unwrap();
    p.records.entry(entity).or_default().insert(id, record(row.clone()));
    id
}

#[test]
fn documented_records_come_back_equal_key_by_key() {
    let Some(folder) = reference() else { return };
    for entity in Entity::ALL {
        let sample = load(&folder, &format!("samples/crm.{}.get.json", entity.word()))["result"].clone();
        let mut p = documented(&folder);
        let id = put(&mut p, entity, &sample);
        let fields = p.fields[&entity].clone();
        let t = Twin::new(p, calm());
        let got = call(&t, &format!("crm.{}.get", entity.word()), json!({ "id": id }))["result"].clone();
        for (key, value) in sample.as_object().unwrap() {
            assert_eq!(got.get(key), Some(value), "{entity:?} {key}");
        }
        for key in got.as_object().unwrap().keys() {
            assert!(sample.get(key).is_some() || fields.contains_key(key), "{entity:?} invents {key}");
        }
    }
}

#[test]
fn documented_lists_come_back_equal() {
    let Some(folder) = reference() else { return };
    for (entity, name) in [
        (Entity::Company, "crm.company.list"),
        (Entity::Contact, "crm.contact.list"),
        (Entity::Deal, "crm.deal.list"),
        (Entity::Lead, "crm.lead.list"),
    ] {
        let sample = load(&folder, &format!("samples/{name}.json"));
        let mut p = documented(&folder);
        let rows = sample["result"].as_array().unwrap();
        let wanted: Vec<i64> = rows.iter().map(|row| put(&mut p, entity, row)).collect();
        let mut select: Vec<String> =
            rows.iter().flat_map(|r| r.as_object().unwrap().keys().cloned()).collect();
        select.sort();
        select.dedup();
        let t = Twin::new(p, calm());
        let got = call(&t, name, json!({ "select": select, "order": {"ID": "ASC"} }));
        assert_eq!(got["total"], wanted.len());
        for (row, id) in rows.iter().zip(wanted) {
            let served = got["result"]
                .as_array()
                .unwrap()
                .iter()
                .find(|r| r["ID"].as_str() == Some(id.to_string().as_str()))
                .unwrap();
            for (key, value) in row.as_object().unwrap() {
                assert_eq!(served.get(key), Some(value), "{name} {id} {key}");
            }
        }
    }
}

#[test]
fn documented_directories_come_back_equal() {
    let Some(folder) = reference() else { return };
    let rows = |name: &str| -> Vec<Record> {
        let sample = load(&folder, &format!("samples/{name}.json"));
        sample["result"].as_array().unwrap().iter().cloned().map(record).collect()
    };
    let mut p = documented(&folder);
    p.statuses = rows("crm.status.list");
    p.currencies = rows("crm.currency.list");
    p.departments = rows("department.get");
    p.userfields.insert(Entity::Deal, rows("crm.deal.userfield.list"));
    let t = Twin::new(p, calm());
    let sample = |name: &str| load(&folder, &format!("samples/{name}.json"));
    for (name, args) in [
        ("crm.status.list", json!({"filter": {"ENTITY_ID": "DEAL_STAGE"}})),
        ("crm.currency.list", json!({})),
        ("crm.deal.userfield.list", json!({"filter": {"LANG": "en"}})),
    ] {
        let got = call(&t, name, args);
        assert_eq!(
            (&got["result"], &got["total"]),
            (&sample(name)["result"], &sample(name)["total"]),
            "{name}"
        );
    }
    let items = call(&t, "crm.status.entity.items", json!({"entityId": "DEAL_STAGE"}));
    assert_eq!(items["result"], sample("crm.status.entity.items")["result"]);
    assert_eq!(call(&t, "department.get", json!({}))["total"], 5);
    assert_eq!(
        call(&t, "crm.currency.base.get", json!({}))["result"],
        sample("crm.currency.base.get")["result"]
    );
    let owners = sample("crm.enum.ownertype");
    let known = owners["result"].as_array().unwrap();
    let served = call(&t, "crm.enum.ownertype", json!({}))["result"].clone();
    assert!(served.as_array().unwrap().iter().all(|row| known.contains(row)));
}

#[test]
fn universal_fields_of_deals_match_the_documented_answer() {
    let Some(folder) = reference() else { return };
    let sample = load(&folder, "fields/crm.item.fields.deal.json")["result"]["fields"].clone();
    let t = Twin::new(documented(&folder), calm());
    let got = call(&t, "crm.item.fields", json!({"entityTypeId": 2}))["result"]["fields"].clone();
    let keys = |v: &Value| {
        let keys = v.as_object().unwrap().keys().filter(|k| !k.starts_with("parentId"));
        keys.cloned().collect::<BTreeSet<_>>()
    };
    assert_eq!(keys(&got), keys(&sample));
    for key in keys(&sample) {
        for part in [
            "type",
            "isRequired",
            "isReadOnly",
            "isMultiple",
            "isDynamic",
            "upperName",
            "statusType",
            "items",
        ] {
            assert_eq!(got[&key].get(part), sample[&key].get(part), "{key} {part}");
        }
    }
    let original = call(&t, "crm.item.fields", json!({"entityTypeId": 2, "useOriginalUfNames": "Y"}));
    assert!(original["result"]["fields"].get("UF_CRM_1721812814433").is_some());
}

#[test]
fn classic_fields_come_back_as_documented() {
    let Some(folder) = reference() else { return };
    let t = Twin::new(documented(&folder), calm());
    for entity in Entity::ALL {
        let name = format!("crm.{}.fields", entity.word());
        assert_eq!(
            call(&t, &name, json!({}))["result"],
            load(&folder, &format!("fields/{name}.json"))["result"]
        );
    }
}

#[test]
fn a_documented_deal_reads_the_same_in_both_families() {
    let Some(folder) = reference() else { return };
    // Names and types of the documented universal item, for the keys that the classic sample has too.
    let documented_item = load(&folder, "samples/crm.item.add.deal.json")["result"]["item"].clone();
    let mut p = documented(&folder);
    let id = put(&mut p, Entity::Deal, &load(&folder, "samples/crm.deal.get.json")["result"]);
    let t = Twin::new(p, calm());
    let item = call(&t, "crm.item.get", json!({"entityTypeId": 2, "id": id}))["result"]["item"].clone();
    for (key, value) in documented_item.as_object().unwrap() {
        if key.starts_with("ufCrm") {
            continue;
        }
        let got = item.get(key).unwrap_or_else(|| panic!("no {key}"));
        let kind = |v: &Value| {
            if v.is_number() {
                "number"
            } else if v.is_string() {
                "string"
            } else if v.is_array() {
                "array"
            } else {
                "null"
            }
        };
        assert!(got.is_null() || value.is_null() || kind(got) == kind(value), "{key}: {got} against {value}");
    }
    assert_eq!(
        (&item["opportunity"], &item["probability"], &item["contactIds"]),
        (&json!(1_000_000), &json!(99), &json!([84]))
    );
}

#[test]
fn documented_error_bodies() {
    let Some(folder) = reference() else { return };
    let errors = load(&folder, "samples/errors.json");
    let t = twin(1);
    for (name, method, args) in [
        ("crm.contact.get", "crm.contact.get", json!({})),
        ("crm.deal.list", "crm.deal.list", json!({"filter": 1})),
        ("crm.item.fields", "crm.item.fields", json!({"entityTypeId": 999})),
        ("crm.item.get", "crm.item.get", json!({"entityTypeId": 2, "id": 77})),
        ("app.info", "app.info", json!({})),
        ("crm.company.add", "crm.company.add", json!({"fields": 1})),
        ("crm.company.update", "crm.company.update", json!({"id": 77, "fields": {}})),
        ("crm.contact.update", "crm.contact.update", json!({"id": 77, "fields": {}})),
        ("crm.contact.delete", "crm.contact.delete", json!({})),
        ("crm.deal.contact.items.get", "crm.deal.contact.items.get", json!({"id": 77})),
        ("(unknown method)", "crm.pipeline.list", json!({})),
    ] {
        let r = t.handle(&request(method, &args), T0);
        assert_eq!(body(&r), errors[name]["body"], "{name}");
        assert!(
            errors[name]["documented_status"].as_str().unwrap().contains(&r.status.to_string()),
            "{name}"
        );
    }
}
