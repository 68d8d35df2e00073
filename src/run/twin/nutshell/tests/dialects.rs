//! Each switch of the sheet's §10 changes an answer.

use serde_json::{Value, json};

use super::super::settings::{Envelope, Error500, ManyChoices, OnBad, RpcStatus, Throttle};
use super::*;

fn new_lead(twin: &Twin, input: Value) -> (u16, Value) {
    call_at(twin, NOW, ADMIN, "newLead", json!({"lead": input}))
}

#[test]
fn envelope_and_status() {
    let twin = twin(|dialect| {
        dialect.envelope = Envelope::Documented;
        dialect.rpc_status = RpcStatus::Always200;
    });
    assert_eq!(keys(&call_at(&twin, NOW, ADMIN, "add", json!([1, 2])).1), ["error", "id", "result"]);
    let (status, body) = call_at(&twin, NOW, ADMIN, "nope", json!([]));
    assert_eq!((status, keys(&body)), (200, vec!["error".into(), "id".into(), "result".into()]));
    assert_eq!(call_at(&twin, NOW, WRONG, "add", json!([])).0, 401);
    assert_eq!(twin.log().errors.get("-32601"), Some(&1));
}

#[test]
fn bad_inputs() {
    let twin = twin(|dialect| {
        dialect.unknown_custom_field = OnBad::Drop;
        dialect.unknown_tag = OnBad::Keep;
        dialect.long_description = OnBad::Drop;
        dialect.bare_closing_status = OnBad::Keep;
        dialect.unknown_choice = OnBad::Drop;
    });
    field(&twin, "leads", json!({"name": "Segment", "type": "Decision", "choices": ["A"]}));
    let (status, made) = new_lead(
        &twin,
        json!({
            "description": "x".repeat(101), "tags": ["Fresh"], "customFields": {"Nope": "1", "Segment": "Z"},
        }),
    );
    let made = &made["result"];
    assert_eq!((status, made["description"].as_str().unwrap().len()), (200, 100));
    assert_eq!((&made["tags"], made.get("customFields")), (&json!(["Fresh"]), None));
    let closed = call(&twin, "editLead", json!([made["id"], "REV_IGNORE", {"status": 11}]));
    assert_eq!(closed["status"], 11);
    twin.configure(|settings| {
        settings.dialect.unknown_choice = OnBad::Keep;
        settings.dialect.unknown_tag = OnBad::Drop;
        settings.dialect.long_description = OnBad::Keep;
    });
    let (_, made) = new_lead(
        &twin,
        json!({"description": "x".repeat(101), "tags": ["Other"], "customFields": {"Segment": "Z"}}),
    );
    assert_eq!(made["result"]["description"].as_str().unwrap().len(), 101);
    assert_eq!(
        (&made["result"]["tags"], &made["result"]["customFields"]["Segment"]),
        (&json!([]), &json!("Z"))
    );
}

#[test]
fn what_is_kept() {
    let twin = twin(|dialect| {
        dialect.legacy_id_kept = true;
        dialect.contact_name_object = false;
        dialect.lead_without_contact = false;
        dialect.rpc_lead_value = false;
        dialect.unsent_custom_fields_survive = false;
        dialect.many_choices = ManyChoices::Array;
        dialect.date_keeps_time = false;
        dialect.number_type = true;
        dialect.primary_everywhere = false;
        dialect.primary_account_listed = true;
    });
    for input in [
        json!({"name": "N", "type": "Number"}),
        json!({"name": "D", "type": "Date"}),
        json!({"name": "M", "type": "Decision", "choices": ["X", "Y"], "isMultiple": true}),
    ] {
        field(&twin, "accounts", input);
    }
    let made = call(
        &twin,
        "newAccount",
        json!({"account": {
            "name": "A", "legacyId": "old-7", "email": "a@x.example",
            "customFields": {"N": "1.50", "D": {"timestamp": 1756322819}, "M": ["X", "Y"]},
        }}),
    );
    assert_eq!((&made["legacyId"], &made["email"]), (&json!("old-7"), &json!({"0": "a@x.example"})));
    assert_eq!(made["customFields"], json!({"N": 1.5, "D": {"timestamp": 1756252800}, "M": ["X", "Y"]}));
    let edit = json!({"accountId": made["id"], "rev": "0", "account": {"customFields": {"N": 2}}});
    assert_eq!(call(&twin, "editAccount", edit)["customFields"], json!({"N": 2}));
    assert_eq!(refused(&twin, "newContact", json!({"contact": {"name": {"givenName": "J"}}})).0, 400);
    assert_eq!(new_lead(&twin, json!({"description": "L"})).0, 400);
    let (_, deal) =
        new_lead(&twin, json!({"accounts": [{"id": made["id"]}], "value": {"amount": 5, "currency": "USD"}}));
    assert_eq!(
        (&deal["result"]["value"]["amount"], names(&deal["result"]["accounts"])),
        (&json!(0), vec!["A".to_owned()])
    );
    let live = live();
    assert_eq!(
        call(&live, "newAccount", json!({"account": {"name": "A", "legacyId": "x"}}))["legacyId"],
        Value::Null
    );
    assert_eq!(
        call(&live, "newContact", json!({"contact": {"name": {"givenName": "J"}}}))["name"]["displayName"],
        "J"
    );
}

#[test]
fn rest_switches() {
    let twin = twin(|dialect| {
        dialect.rest_stage_write = true;
        dialect.rest_bare_lists = true;
        dialect.rest_sort_by_id = true;
        dialect.patch_custom_field_paths = true;
        dialect.undelete_drops_links = false;
        dialect.neighbour_bumps = false;
    });
    assert!(get(&twin, "/stagesets").is_array() && get(&twin, "/leads/customfields/attributes").is_array());
    field(&twin, "leads", json!({"name": "Key", "type": "Text"}));
    let company = account(&twin, "A");
    let deal = lead(&twin, json!({"description": "L", "accounts": [{"id": company}], "tags": ["Urgent"]}));
    assert_eq!(rev(&twin, "Account", company), "0");
    let target = format!("/leads/{deal}");
    for ops in [
        json!([{"op": "replace", "path": "/leads/0/links/stage", "value": "103-stages"}]),
        json!([{"op": "replace", "path": "/leads/0/customFields", "value": {"Key": "a"}}]),
        json!([{"op": "replace", "path": "/leads/0/customFields/Key", "value": "b"}]),
    ] {
        assert_eq!(rest(&twin, "PATCH", &target, ops.clone()).0, 204, "{ops}");
    }
    rest(&twin, "DELETE", &target, Value::Null);
    rest(&twin, "POST", &format!("{target}/undelete"), Value::Null);
    let now = call(&twin, "getLead", json!([deal]));
    assert_eq!((&now["milestone"]["id"], &now["customFields"]["Key"]), (&json!(103), &json!("b")));
    assert_eq!((&now["tags"], &now["primaryAccount"]["name"]), (&json!(["Urgent"]), &json!("A")));
    assert_eq!(get(&twin, "/leads?sort=-id")["meta"]["count"], 1);
    let live = live();
    lead(&live, json!({"description": "L"}));
    let ops = json!([{"op": "replace", "path": "/leads/0/links/stage", "value": "103-stages"}]);
    assert_eq!(rest(&live, "PATCH", "/leads/3", ops).0, 400);
}

#[test]
fn faults_and_limits() {
    let full = json!({"query": {}, "stubResponses": false});
    let slow = twin(|dialect| {
        dialect.find_throttle = Throttle::TooMany { per_minute: 2, retry_after_seconds: Some(7) };
    });
    for _ in 0..2 {
        call(&slow, "findLeads", full.clone());
    }
    let body = json!({"id": 1, "method": "findLeads", "params": full}).to_string();
    let ask = request("POST", "/api/v1/json", ADMIN, body.as_bytes());
    let third = slow.handle(&ask, NOW);
    assert_eq!(third.status, 429);
    assert!(third.headers.contains(&("retry-after".to_owned(), "7".to_owned())));
    call(&slow, "findLeads", json!({"query": {}}));
    assert_eq!(slow.handle(&ask, NOW + 60_000).status, 200);
    slow.configure(|settings| settings.dialect.find_throttle = Throttle::Unavailable { per_minute: 0 });
    assert_eq!(slow.handle(&ask, NOW).status, 503);

    let shaky = twin(|dialect| {
        dialect.error_500_per_mille = 300;
        dialect.error_500 = Error500::BareString;
    });
    let answers: Vec<_> = (0..200).map(|_| rest(&shaky, "GET", "/users", Value::Null)).collect();
    let failed = answers.iter().filter(|(status, _)| *status == 500).count();
    assert!((30..90).contains(&failed), "{failed}");
    assert!(answers.contains(&(500, json!("Internal Error"))));

    let mut settings = Settings::default();
    settings.limits.open_leads = Some(1);
    settings.limits.custom_fields = Some(1);
    let small = Twin::new(Company::acme(), settings);
    let deal = lead(&small, json!({"description": "L"}));
    assert_eq!(refused(&small, "newLead", json!({"lead": {"description": "M"}})).0, 403);
    call(&small, "editLead", json!([deal, "0", {"outcomeId": 1}]));
    lead(&small, json!({"description": "M"}));
    assert_eq!(refused(&small, "editLead", json!([deal, "REV_IGNORE", {"status": 0}])).0, 403);
    field(&small, "leads", json!({"name": "A", "type": "Text"}));
    assert_eq!(rest(&small, "POST", "/leads/customfield", json!({"name": "B", "type": "Text"})).0, 403);
    field(&small, "accounts", json!({"name": "B", "type": "Text"}));
}

/// A plan gives access to its first pipelines; those that are retired do not count.
#[test]
fn pipelines_beyond_the_plan_are_there_and_closed() {
    let names = ["A", "B", "C"];
    let seed = json!({"users": [{"email": "admin@acme.example", "admin": true}], "stagesets": [
        {"name": "A", "stages": ["S"]}, {"name": "B", "status": 3, "stages": ["S"]}, {"name": "C", "stages": ["S"]},
    ]});
    let twin = Twin::new(Company::from_json(&seed).expect("a company"), Settings::default());
    let open = |limit: Option<usize>| -> Vec<bool> {
        twin.configure(|settings| settings.limits.pipelines = limit);
        let (status, body) = rest(&twin, "GET", "/stagesets", Value::Null);
        assert_eq!(status, 200);
        let rows = body["stagesets"].as_array().expect("a list").clone();
        assert_eq!(rows.iter().map(|row| row["status"].clone()).collect::<Vec<_>>(), [1, 3, 1]);
        assert!(rows.iter().zip(names).all(|(row, name)| row["name"] == name));
        rows.iter().map(|row| row["canAccess"] == true).collect()
    };
    assert_eq!(open(None), [true, true, true]);
    assert_eq!(open(Some(0)), [false, false, false]);
    assert_eq!(open(Some(1)), [true, false, false]);
    assert_eq!(open(Some(2)), [true, true, true]);
    // RPC tells nothing of it.
    assert_eq!(call(&twin, "findStagesets", json!({})).as_array().map(Vec::len), Some(3));
}

/// A record is read by id at once, and found after the lag; so are edits.
#[test]
fn index_lag() {
    let settings = Settings { index_lag_ms: 5_000, id_step: 1, ..Settings::default() };
    let twin = Twin::new(Company::acme(), settings);
    field(&twin, "accounts", json!({"name": "Key", "type": "Text"}));
    let count = |target: &str, at: i64| {
        json_of(&twin.handle(&request("GET", &format!("/rest/accounts{target}"), ADMIN, b""), at))["meta"]
                ["count"]
                .clone()
    };
    let made = call(&twin, "newAccount", json!({"account": {"name": "Old", "customFields": {"Key": "k"}}}));
    assert_eq!(account(&twin, "Second"), 4);
    assert_eq!(call(&twin, "getAccount", json!([made["id"]]))["name"], "Old");
    for target in ["?filter[Key]=k", "?q=old", "?filter[name]=old"] {
        assert_eq!((count(target, NOW), count(target, NOW + 4_999)), (json!(0), json!(0)), "{target}");
    }
    assert_eq!(call(&twin, "findAccounts", json!({})), json!([]));
    assert_eq!((count("?filter[Key]=k", NOW + 5_000), count("", NOW + 5_000)), (json!(1), json!(2)));
    call_at(&twin, NOW + 6_000, ADMIN, "editAccount", json!([3, "0", {"customFields": {"Key": "new"}}]));
    assert_eq!(
        (count("?filter[Key]=k", NOW + 6_001), count("?filter[Key]=new", NOW + 6_001)),
        (json!(1), json!(0))
    );
    assert_eq!(
        (count("?filter[Key]=k", NOW + 11_000), count("?filter[Key]=new", NOW + 11_000)),
        (json!(0), json!(1))
    );
    // A record that is deleted before it was ever indexed never appears.
    call_at(&twin, NOW + 12_000, ADMIN, "newAccount", json!([{"name": "Ghost"}]));
    call_at(&twin, NOW + 12_001, ADMIN, "deleteAccount", json!([5, "REV_IGNORE"]));
    assert_eq!((count("?q=ghost", NOW + 99_000), count("", NOW + 99_000)), (json!(0), json!(2)));
}
