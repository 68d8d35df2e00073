//! The twin against its reference sheet: every test names the section it reads from.

mod batches;
mod checklist;
mod filled;
mod items;
mod lists;
mod lookups;
mod model;
mod more;
mod robust;
mod samples;
mod settings;
mod writes;

use serde_json::{Value, json};

use super::super::{Request, Response};
use super::{Category, Entity, Link, Portal, Record, Settings, Twin};

/// A moment to start from: 2025-09-09T13:31:11Z.
const T0: i64 = 1_757_424_671_000;

fn record(value: Value) -> Record {
    value.as_object().cloned().unwrap()
}

/// Field descriptions from `CODE:type` with flags behind a slash: O read-only, M multiple, D custom.
fn describe(portal: &mut Portal, entity: Entity, fields: &str) {
    let table = portal.fields.entry(entity).or_default();
    for field in fields.split_whitespace() {
        let (code, rest) = field.split_once(':').unwrap();
        let (kind, flags) = rest.split_once('/').unwrap_or((rest, ""));
        let flag = |c| flags.contains(c);
        let description = json!({
            "type": kind, "isRequired": false, "isReadOnly": flag('O'), "isImmutable": false,
            "isMultiple": flag('M'), "isDynamic": flag('D'), "title": code, "formLabel": format!("label of {code}"),
        });
        table.insert(code.into(), record(description));
    }
}

/// A portal with `n` companies, contacts and deals; ids leave gaps.
fn portal(n: i64) -> Portal {
    let mut p = Portal::default();
    describe(
        &mut p,
        Entity::Company,
        "ID:integer/O TITLE:string/ COMPANY_TYPE:crm_status REVENUE:double OPENED:char HAS_PHONE:char/O \
         ASSIGNED_BY_ID:user DATE_CREATE:datetime/O DATE_MODIFY:datetime/O CONTACT_ID:crm_contact/M LEAD_ID:crm_lead/O \
         CURRENCY_ID:crm_currency CREATED_BY_ID:user/O MODIFY_BY_ID:user/O \
         PHONE:crm_multifield/M EMAIL:crm_multifield/M UF_CRM_TAGS:enumeration/MD UF_CRM_1:boolean/D UF_CRM_FILE:file/D",
    );
    describe(
        &mut p,
        Entity::Contact,
        "ID:integer/O NAME:string LAST_NAME:string BIRTHDATE:date COMPANY_ID:crm_company COMPANY_IDS:crm_company/M \
         EXPORT:char ASSIGNED_BY_ID:user DATE_MODIFY:datetime/O PHONE:crm_multifield/M EMAIL:crm_multifield/M",
    );
    describe(
        &mut p,
        Entity::Deal,
        "ID:integer/O TITLE:string CATEGORY_ID:crm_category STAGE_ID:crm_status STAGE_SEMANTIC_ID:string/O \
         OPPORTUNITY:double CURRENCY_ID:crm_currency COMPANY_ID:crm_company CONTACT_ID:crm_contact \
         CONTACT_IDS:crm_contact/M CLOSEDATE:date BEGINDATE:date COMMENTS:string ASSIGNED_BY_ID:user OPENED:char CLOSED:char \
         DATE_CREATE:datetime/O DATE_MODIFY:datetime/O MOVED_TIME:datetime/O MOVED_BY_ID:user/O CREATED_BY_ID:user/O \
         MODIFY_BY_ID:user/O UF_CRM_17:enumeration/D UF_CRM_18:money/D",
    );
    describe(&mut p, Entity::Lead, "ID:integer/O TITLE:string STATUS_ID:crm_status");
    for i in 1..=n {
        let id = i * 3;
        let day = |d: i64| format!("2024-01-{:02}T10:00:00+03:00", d % 28 + 1);
        p.records.entry(Entity::Company).or_default().insert(
            id,
            record(json!({ "ID": id.to_string(), "TITLE": format!("Company {i}"), "DATE_MODIFY": day(i) })),
        );
        let contact = record(json!({
            "ID": id.to_string(), "LAST_NAME": format!("Person {i}"), "NAME": if i % 2 == 0 { "Even" } else { "Odd" },
            "PHONE": [{"ID": (id * 10).to_string(), "VALUE_TYPE": "WORK", "VALUE": format!("+1555{id}"), "TYPE_ID": "PHONE"}],
        }));
        p.records.entry(Entity::Contact).or_default().insert(id, contact);
        p.contact_companies.insert(
            id,
            vec![
                Link { id: (i % n + 1) * 3, sort: 20, primary: false },
                Link { id, sort: 10, primary: true },
            ],
        );
        let deal = record(json!({
            "ID": id.to_string(), "TITLE": format!("Deal {i}"), "OPPORTUNITY": format!("{}.50", 10 * i),
            "STAGE_ID": if i % 2 == 0 { "WON" } else { "NEW" }, "CURRENCY_ID": "USD", "DATE_MODIFY": day(i),
        }));
        p.records.entry(Entity::Deal).or_default().insert(id, deal);
        p.deal_contacts.insert(id, vec![Link { id, sort: 10, primary: true }]);
    }
    p.categories = vec![
        Category { id: 0, name: "General".into(), sort: 300 },
        Category { id: 1, name: "Second".into(), sort: 200 },
    ];
    let status = |id: i64, entity: &str, status: &str, sort: i64, semantics: Value| {
        record(json!({
            "ID": id.to_string(), "ENTITY_ID": entity, "STATUS_ID": status, "NAME": status, "SORT": sort.to_string(),
            "SEMANTICS": semantics, "CATEGORY_ID": null,
        }))
    };
    p.statuses = vec![
        status(1, "DEAL_STAGE", "NEW", 10, Value::Null),
        status(2, "DEAL_STAGE", "WON", 60, json!("S")),
        status(3, "DEAL_STAGE_1", "C1:NEW", 10, Value::Null),
        status(4, "SOURCE", "WEB", 10, Value::Null),
        status(5, "COMPANY_TYPE", "CUSTOMER", 10, Value::Null),
    ];
    p.currencies = vec![
        record(json!({ "CURRENCY": "EUR", "SORT": "200", "BASE": "N" })),
        record(json!({ "CURRENCY": "USD", "SORT": "100", "BASE": "Y" })),
    ];
    for (id, active) in [(1, true), (2, false)] {
        let user = json!({ "ID": id.to_string(), "ACTIVE": active, "NAME": "N", "LAST_NAME": "L", "EMAIL": format!("u{id}@acme.com"), "UF_DEPARTMENT": [1] });
        p.users.insert(id, record(user));
    }
    p.departments = vec![record(json!({ "ID": "1", "NAME": "DEMO", "SORT": 500 }))];
    p.userfields.insert(
        Entity::Deal,
        vec![record(
            json!({ "ID": "7", "FIELD_NAME": "UF_CRM_17", "EDIT_FORM_LABEL": "List", "HELP_MESSAGE": null }),
        )],
    );
    p
}

/// Settings without a bucket in the way.
fn calm() -> Settings {
    Settings { rate_limited: false, ..Settings::default() }
}

fn twin(n: i64) -> Twin {
    Twin::new(portal(n), calm())
}

fn request(method: &str, body: &Value) -> Request {
    Request {
        method: "POST".into(),
        path: format!("/rest/1/secret/{method}"),
        query: String::new(),
        headers: vec![("content-type".into(), "application/json".into())],
        body: body.to_string().into_bytes(),
        client: "10.0.0.1".into(),
    }
}

fn body(response: &Response) -> Value {
    serde_json::from_slice(&response.body).unwrap()
}

/// Calls with a JSON body at `T0`.
fn call(twin: &Twin, method: &str, args: Value) -> Value {
    body(&twin.handle(&request(method, &args), T0))
}

/// Calls with a body as it stands: a JSON tree here would sort its keys.
fn call_raw(twin: &Twin, method: &str, args: &str) -> Value {
    body(&twin.handle(&Request { body: args.into(), ..request(method, &Value::Null) }, T0))
}

/// The ids of a classic or universal list answer.
fn ids(answer: &Value) -> Vec<i64> {
    let rows = answer["result"].as_array().or_else(|| answer["result"]["items"].as_array()).unwrap();
    let id = |r: &Value| r["ID"].as_str().map_or_else(|| r["id"].as_i64().unwrap(), |s| s.parse().unwrap());
    rows.iter().map(id).collect()
}
