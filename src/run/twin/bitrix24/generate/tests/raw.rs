//! Descriptions have the documented keys, and documented answers load as they stand.

use super::*;
use crate::run::twin::bitrix24::names::Names;

#[test]
fn standard_fields_are_the_documented_ones() {
    let portal = Portal::acme(0.0, SEED);
    for (entity, name) in [
        (Entity::Company, "company"),
        (Entity::Contact, "contact"),
        (Entity::Deal, "deal"),
        (Entity::Lead, "lead"),
    ] {
        let Some(answer) = documented(&format!("fields/crm.{name}.fields.json")) else {
            return;
        };
        let theirs = answer.get("result").unwrap_or(&answer).as_object().unwrap();
        let is_standard = |code: &String| !code.starts_with("UF_");
        let ours = &portal.fields[&entity];
        assert_eq!(
            ours.keys().filter(|code| is_standard(code)).collect::<BTreeSet<_>>(),
            theirs.keys().filter(|code| is_standard(code)).collect::<BTreeSet<_>>(),
            "{name}"
        );
        for (code, row) in theirs.iter().filter(|(code, _)| is_standard(code)) {
            for (key, value) in row.as_object().unwrap().iter().filter(|(key, _)| *key != "title") {
                assert_eq!(ours[code].get(key), Some(value), "{name}.{code}.{key}");
            }
            assert_eq!(ours[code].len(), row.as_object().unwrap().len(), "{name}.{code}");
        }
        // Custom fields of a type that both have describe themselves with the same keys.
        for row in theirs.values().filter(|row| row["isDynamic"] == true) {
            let Some(own) = ours.values().find(|own| own["isDynamic"] == true && own["type"] == row["type"])
            else {
                continue;
            };
            let theirs = row.as_object().unwrap();
            assert_eq!(own.keys().collect::<BTreeSet<_>>(), theirs.keys().collect::<BTreeSet<_>>());
            let keys = |row: &Value| row.as_object().map(|map| map.keys().cloned().collect::<BTreeSet<_>>());
            assert_eq!(keys(&own["settings"]), keys(&row["settings"]), "{name} {}", row["type"]);
        }
    }
}

#[test]
fn rows_of_settings_have_the_documented_keys() {
    let portal = Portal::acme(0.0, SEED);
    let keys = |row: &Value| -> BTreeSet<String> { row.as_object().unwrap().keys().cloned().collect() };
    let ours = |row: &Record| -> BTreeSet<String> { row.keys().cloned().collect() };
    for (entity, name) in [(Entity::Company, "company"), (Entity::Deal, "deal")] {
        let Some(answer) = documented(&format!("samples/crm.{name}.userfield.list.json")) else {
            return;
        };
        for own in &portal.userfields[&entity] {
            let list = own["USER_TYPE_ID"] == "enumeration";
            let row = answer["result"]
                .as_array()
                .unwrap()
                .iter()
                .find(|row| row.get("LIST").is_some() == list)
                .unwrap();
            assert_eq!(ours(own), keys(row), "{name}");
            if list {
                assert_eq!(keys(&own["LIST"][0]), keys(&row["LIST"][0]));
            }
        }
    }
    let Some(answer) = documented("samples/crm.status.list.json") else {
        return;
    };
    let stage = portal.statuses.iter().find(|row| row["ENTITY_ID"] == "DEAL_STAGE").unwrap();
    assert_eq!(ours(stage), keys(&answer["result"][0]));
    let Some(answer) = documented("samples/crm.currency.list.json") else {
        return;
    };
    assert_eq!(ours(&portal.currencies[0]), keys(&answer["result"][0]));
    let Some(answer) = documented("samples/batch.linked.json") else {
        return;
    };
    assert!(ours(&portal.users[&1]).is_superset(&keys(&answer["result"]["result"]["get_user"])));
}

#[test]
fn documented_answers_load_as_they_stand() {
    for (entity, name) in [
        (Entity::Company, "company"),
        (Entity::Contact, "contact"),
        (Entity::Deal, "deal"),
        (Entity::Lead, "lead"),
    ] {
        for verb in ["get", "list"] {
            let Some(answer) = documented(&format!("samples/crm.{name}.{verb}.json")) else {
                return;
            };
            let records: Vec<Value> = match &answer["result"] {
                Value::Array(rows) => rows.clone(),
                one => vec![one.clone()],
            };
            let shape = acme_shape(Counts::scaled(1.0));
            let pairs = records.iter().map(|record| (entity, record.clone()));
            let portal = Portal::from_records(&shape, pairs).unwrap();
            assert_eq!(of(&portal, entity).len(), records.len());
            for record in &records {
                let id: i64 = record["ID"].as_str().unwrap().parse().unwrap();
                assert_eq!(&Value::Object(of(&portal, entity)[&id].clone()), record);
            }
            if (name, verb) == ("contact", "get") {
                assert_eq!(portal.contact_companies[&43], [Link { id: 12, sort: 100, primary: true }]);
            }
        }
    }
}

#[test]
fn link_extras_become_rows() {
    let shape = Shape::new("x.example");
    let records = [
        (Entity::Contact, json!({"ID": "1", "COMPANY_ID": "7", "COMPANY_IDS": ["5", 7, "5", "0", null]})),
        (Entity::Contact, json!({"ID": 2, "COMPANY_IDS": []})),
        (Entity::Contact, json!({"ID": "3", "COMPANY_ID": "0"})),
        (Entity::Contact, json!({"ID": "4", "COMPANY_ID": "9", "COMPANY_IDS": null})),
        (
            Entity::Deal,
            json!({"ID": "1", "CONTACT_IDS": [
                {"CONTACT_ID": 54, "SORT": 200, "ROLE_ID": 0, "IS_PRIMARY": "N"},
                {"CONTACT_ID": 55, "SORT": 100, "ROLE_ID": 0, "IS_PRIMARY": "Y"},
            ]}),
        ),
        (Entity::Deal, json!({"ID": "2", "CONTACT_IDS": [3, 4]})),
    ];
    let portal = Portal::from_records(&shape, records).unwrap();
    let link = |id, sort, primary| Link { id, sort, primary };
    assert_eq!(portal.contact_companies[&1], [link(5, 100, false), link(7, 200, true)]);
    assert_eq!(portal.contact_companies[&4], [link(9, 100, true)]);
    assert_eq!(portal.contact_companies.len(), 2);
    assert_eq!(portal.deal_contacts[&1], [link(55, 100, true), link(54, 200, false)]);
    assert_eq!(portal.deal_contacts[&2], [link(3, 100, true), link(4, 200, false)]);
    assert!(
        portal
            .records
            .values()
            .flat_map(BTreeMap::values)
            .all(|record| !record.contains_key("COMPANY_IDS") && !record.contains_key("CONTACT_IDS"))
    );
}

#[test]
fn records_that_cannot_be_served_are_named() {
    let shape = Shape::new("x.example");
    let load = |records: Vec<Value>| {
        let pairs = records.into_iter().map(|record| (Entity::Deal, record));
        Portal::from_records(&shape, pairs).map(|_| ()).unwrap_err()
    };
    assert_eq!(
        load(vec![json!({"ID": "1"}), json!([])]).to_string(),
        "record 1 (Deal) is no JSON object; pass one record as `*.list` or `*.get` gives it"
    );
    assert_eq!(load(vec![json!({"TITLE": "x"})]).why, BadRecordKind::NoId);
    assert_eq!(load(vec![json!({"ID": "-4"})]).why, BadRecordKind::NoId);
    assert_eq!(load(vec![json!({"ID": "4"}), json!({"ID": 4})]).why, BadRecordKind::Twice(4));
}

#[test]
fn what_one_portal_serves_another_can_repeat() {
    let mut made = Portal::acme(0.1, SEED);
    made.tables.clear();
    let records = made.records.iter().flat_map(|(&entity, records)| {
        let made = &made;
        records.iter().map(move |(id, record)| {
            let mut record = record.clone();
            let ids = |links: Option<&Vec<Link>>| {
                json!(links.into_iter().flatten().map(|link| link.id).collect::<Vec<_>>())
            };
            if let Some(rows) = made.rows.get(&(entity, *id)) {
                record.insert("rows".into(), json!(rows));
            }
            if let Some(bindings) = made.bindings.get(id).filter(|_| entity == Entity::Activity) {
                let row = |(kind, id): &(i64, i64)| json!({"entityTypeId": kind, "entityId": id});
                record.insert("BINDINGS".into(), bindings.iter().map(row).collect());
            }
            match entity {
                Entity::Contact => record.insert("COMPANY_IDS".into(), ids(made.contact_companies.get(id))),
                Entity::Deal => record.insert("CONTACT_IDS".into(), ids(made.deal_contacts.get(id))),
                Entity::Quote => record.insert("CONTACT_IDS".into(), ids(made.quote_contacts.get(id))),
                // As universal answers spell them; the rest of their form is the twin's own test.
                Entity::Process(_) => {
                    let names = Names::new(entity, made.fields[&entity].keys().map(String::as_str), true);
                    let camel =
                        |(code, value): (String, Value)| Some((names.universal(&code)?.to_owned(), value));
                    record = record.into_iter().filter_map(camel).collect();
                    None
                }
                _ => None,
            };
            (entity, Value::Object(record))
        })
    });
    let repeated = Portal::from_records(&acme_shape(Counts::scaled(0.0)), records).unwrap();
    assert_eq!(print(&made), print(&repeated));
}
