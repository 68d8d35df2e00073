//! Account, checks, bucket, directories, faults (sheet 1, 2, 3, 10, 14).

use super::*;
use crate::run::twin::bitrix24::{Fault, FaultKind, Plan, Trigger};

fn status(t: &Twin, path: &str) -> (u16, String) {
    let r = t.handle(&Request { path: path.into(), ..request("", &json!({})) }, T0);
    (r.status, body(&r)["error"].as_str().unwrap_or("").to_owned())
}

#[test]
fn sheet_14_the_method_is_checked_before_the_credentials() {
    let t = twin(1);
    assert_eq!(status(&t, "/rest/1/wrong/crm.pipeline.list"), (404, "ERROR_METHOD_NOT_FOUND".into()));
    assert_eq!(status(&t, "/rest/1/wrong/profile"), (401, "INVALID_CREDENTIALS".into()));
    assert_eq!(status(&t, "/rest/2/secret/profile"), (401, "INVALID_CREDENTIALS".into()));
    assert_eq!(status(&t, "/rest/profile"), (401, "NO_AUTH_FOUND".into()));
    assert_eq!(status(&t, "/rest/1/secret/Profile.json/").0, 200);
    for name in ["crm.stage.list", "crm.quote.item.list", "crm.item.deal", ""] {
        assert_eq!(status(&t, &format!("/rest/1/secret/{name}")).0, 404, "{name}");
    }
}

#[test]
fn sheet_1_5_errors_have_no_time() {
    let t = twin(1);
    let r = call(&t, "crm.deal.get", json!({}));
    assert_eq!(r, json!({"error": "", "error_description": "ID is not defined or invalid."}));
    let ok = call(&t, "server.time", json!({}));
    assert_eq!(ok["result"], "2025-09-09T16:31:11+03:00");
    assert_eq!(ok["time"]["date_start"], "2025-09-09T16:31:11+03:00");
    assert_eq!(ok["time"]["operating_reset_at"], 1_757_425_271);
}

#[test]
fn sheet_3_1_the_bucket_is_per_client_and_drains_by_two_a_second() {
    let t = Twin::new(portal(1), Settings::default());
    let send = |client: &str, ms: i64| {
        let req = Request { client: client.into(), ..request("profile", &json!({})) };
        t.handle(&req, T0 + ms).status
    };
    assert!((0..50).all(|_| send("a", 0) == 200));
    assert_eq!(
        (send("a", 0), send("b", 0), send("a", 499), send("a", 500), send("a", 501)),
        (503, 200, 503, 200, 503)
    );
    let log = t.log();
    assert_eq!((log.refused_rate, log.requests, log.max_level), (3, 55, 50.0));
    let t = Twin::new(portal(1), Settings { plan: Plan::Enterprise, ..Settings::default() });
    let send = |ms: i64| t.handle(&request("profile", &json!({})), T0 + ms).status;
    assert!((0..250).all(|_| send(0) == 200));
    assert_eq!((send(0), send(200)), (503, 200));
}

#[test]
fn sheet_10_24_account_facts() {
    let t = twin(1);
    assert_eq!(call(&t, "profile", json!({}))["result"]["ADMIN"], true);
    assert!(call(&t, "scope", json!({}))["result"].as_array().unwrap().contains(&json!("crm")));
    let exists = |name: &str| call(&t, "method.get", json!({ "name": name }))["result"]["isExisting"].clone();
    assert_eq!((exists("crm.deal.LIST"), exists("crm.pipeline.list")), (json!(true), json!(false)));
    assert_eq!(call(&t, "app.info", json!({}))["error"], "ACCESS_DENIED");
    assert_eq!(call(&t, "crm.settings.mode.get", json!({}))["result"], 1);
    assert_eq!(call(&t, "crm.type.list", json!({}))["result"], json!({"types": []}));
    t.with_settings(|s| s.dialects.app_info_on_webhook = true);
    assert_eq!(call(&t, "app.info", json!({}))["result"]["LICENSE"], "de_std");
}

#[test]
fn sheet_10_19_users_include_the_dismissed_unless_filtered() {
    let t = twin(1);
    let n = |args: Value| call(&t, "user.get", args)["total"].as_i64().unwrap();
    assert_eq!(n(json!({})), 2);
    assert_eq!(n(json!({"ACTIVE": true})), 1);
    assert_eq!(n(json!({"FILTER": {"ACTIVE": "N"}})), 1);
    assert_eq!(n(json!({"filter": {">ID": 1}})), 1);
    assert_eq!(n(json!({"ID": [1, 2]})), 2);
    let sorted = call(&t, "user.get", json!({"sort": "ID", "order": "DESC"}));
    assert_eq!(ids(&sorted), [2, 1]);
    t.with_settings(|s| s.scopes = vec!["user_brief".into()]);
    assert!(call(&t, "user.get", json!({}))["result"][0].get("EMAIL").is_none());
}

#[test]
fn sheet_10_10_directories() {
    let t = twin(1);
    assert_eq!(call(&t, "crm.status.list", json!({"filter": {"ENTITY_ID": "DEAL_STAGE"}}))["total"], 2);
    let all = call(&t, "crm.status.list", json!({"order": {"SORT": "DESC"}}));
    assert_eq!((&all["total"], &all["result"][0]["STATUS_ID"]), (&json!(5), &json!("WON")));
    let bad = call(&t, "crm.status.list", json!({"filter": {"ENTITY_ID": ["SOURCE"]}}));
    assert_eq!(bad["error_description"], "Filter by ENTITY_ID must be a string");
    let items = call(&t, "crm.status.entity.items", json!({"entityId": "DEAL_STAGE"}));
    assert_eq!(items["result"][1], json!({"NAME": "WON", "SORT": 60, "STATUS_ID": "WON"}));
    let types = call(&t, "crm.status.entity.types", json!({}));
    let of = |id: &str| types["result"].as_array().unwrap().iter().find(|t| t["ID"] == id).cloned().unwrap();
    assert_eq!(of("DEAL_STAGE_1")["SEMANTIC_INFO"]["FINAL_SUCCESS_FIELD"], "C1:WON");
    assert_eq!(of("SOURCE"), json!({"ID": "SOURCE", "NAME": "Sources"}));
}

#[test]
fn sheet_10_9_categories() {
    let t = twin(1);
    let a = call(&t, "crm.category.list", json!({"entityTypeId": 2}));
    assert_eq!(a["total"], 2);
    assert_eq!(
        a["result"]["categories"],
        json!([
            {"id": 1, "name": "Second", "sort": 200, "entityTypeId": 2, "isDefault": "N", "originId": "", "originatorId": ""},
            {"id": 0, "name": "General", "sort": 300, "entityTypeId": 2, "isDefault": "Y"},
        ])
    );
    assert_eq!(
        call(&t, "crm.category.list", json!({"entityTypeId": 1}))["error"],
        "ENTITY_TYPE_NOT_SUPPORTED"
    );
    assert_eq!(call(&t, "crm.category.list", json!({}))["error"], "100");
}

#[test]
fn sheet_10_21_currencies_and_10_22_labels() {
    let t = twin(1);
    let a = call(&t, "crm.currency.list", json!({"order": {"SORT": "ASC"}}));
    assert_eq!((&a["total"], &a["result"][0]["CURRENCY"]), (&json!(0), &json!("USD")));
    assert_eq!(call(&t, "crm.currency.base.get", json!({}))["result"], "USD");
    let fields =
        |filter: Value| call(&t, "crm.deal.userfield.list", json!({ "filter": filter }))["result"][0].clone();
    assert_eq!(fields(Value::Null), json!({"ID": "7", "FIELD_NAME": "UF_CRM_17"}));
    assert_eq!(fields(json!({"LANG": "en"}))["EDIT_FORM_LABEL"], "List");
}

#[test]
fn sheet_1_2_a_get_with_a_query_is_enough() {
    let t = twin(60);
    let req = Request {
        method: "GET".into(),
        query: "order%5BID%5D=DESC&filter%5B%3EID%5D=100&start=-1&select[]=ID".into(),
        headers: Vec::new(),
        body: Vec::new(),
        ..request("crm.deal.list", &Value::Null)
    };
    let a = body(&t.handle(&req, T0));
    assert_eq!((ids(&a)[0], ids(&a).len()), (180, 27));
}

fn faulty(faults: Vec<Fault>) -> Twin {
    Twin::new(portal(60), Settings { faults, ..calm() })
}

#[test]
fn sheet_14_fault_switches() {
    for (kind, expected, error) in [
        (FaultKind::RateLimit, 503, "QUERY_LIMIT_EXCEEDED"),
        (FaultKind::Overload, 503, "OVERLOAD_LIMIT"),
        (FaultKind::ServerError, 500, "INTERNAL_SERVER_ERROR"),
        (FaultKind::ExpiredWebhook, 401, "INVALID_CREDENTIALS"),
        (FaultKind::PortalDeleted, 500, "PORTAL_DELETED"),
        (FaultKind::FreePlan, 403, "ACCESS_DENIED"),
        (FaultKind::OperatingLimit, 429, "OPERATION_TIME_LIMIT"),
    ] {
        let t = faulty(vec![Fault::new(Trigger::Nth(2), kind)]);
        let send = || t.handle(&request("crm.deal.list", &json!({})), T0);
        assert_eq!(send().status, 200);
        let r = send();
        assert_eq!((r.status, body(&r)["error"].as_str()), (expected, Some(error)));
        assert_eq!(send().status, 200);
        assert_eq!(t.log().faults, 1);
    }
    let one = |kind| {
        let t = faulty(vec![Fault::new(Trigger::From(1), kind)]);
        t.handle(&request("crm.deal.list", &json!({"order": {"ID": "ASC"}})), T0)
    };
    assert_eq!(one(FaultKind::Slow(70_000)).status, 504);
    assert!(serde_json::from_slice::<Value>(&one(FaultKind::CutBody).body).is_err());
    assert!(serde_json::from_slice::<Value>(&one(FaultKind::Html(502)).body).is_err());
    let moved = one(FaultKind::Rename("new.bitrix24.com".into()));
    let location = moved.headers.iter().find(|(k, _)| k == "location").map(|(_, v)| v.as_str());
    assert_eq!((moved.status, location), (302, Some("https://new.bitrix24.com/rest/1/secret/crm.deal.list")));
    assert_eq!(ids(&body(&one(FaultKind::ShortPage))).len(), 49);
    assert_eq!(body(&one(FaultKind::WrongTotal(-7)))["total"], 53);
}

#[test]
fn sheet_4_1_rows_shift_when_somebody_deletes_between_pages() {
    let t =
        faulty(vec![Fault::new(Trigger::Nth(2), FaultKind::Delete(Entity::Company)).on("crm.company.list")]);
    let at = |start: i64| call(&t, "crm.company.list", json!({"order": {"ID": "ASC"}, "start": start}));
    let (first, second) = (ids(&at(0)), ids(&at(50)));
    // Company 51 slid onto the page that was read already.
    assert!(!first.contains(&153) && !second.contains(&153));
    let t = faulty(vec![Fault::new(Trigger::Nth(2), FaultKind::Insert(Entity::Company))]);
    let at = |start: i64| call(&t, "crm.company.list", json!({"order": {"ID": "DESC"}, "start": start}));
    let (first, second) = (ids(&at(0)), ids(&at(50)));
    assert_eq!(first.last(), second.first());
}

#[test]
fn a_list_may_repeat_its_last_page_or_cut_a_full_one() {
    let page = |t: &Twin, start: i64| {
        let args = json!({"order": {"ID": "ASC"}, "start": start});
        ids(&call(t, "crm.deal.list", args))
    };
    let t = faulty(vec![Fault::new(Trigger::Nth(2), FaultKind::RepeatPage)]);
    assert_eq!(page(&t, 0), page(&t, 50));
    assert_eq!(page(&t, 50).len(), 10);
    let t = faulty(vec![Fault::new(Trigger::From(1), FaultKind::ShortPage)]);
    assert_eq!((page(&t, 0).len(), page(&t, 50).len()), (49, 10));
}

#[test]
fn a_command_fault_strikes_inside_a_batch() {
    let t = faulty(vec![
        Fault::new(Trigger::Nth(2), FaultKind::Command(503, "QUERY_LIMIT_EXCEEDED".into()))
            .on("crm.deal.list"),
    ]);
    let r =
        call(&t, "batch", json!({"cmd": {"a": "crm.deal.list", "b": "crm.deal.list", "c": "crm.deal.list"}}));
    assert_eq!(r["result"]["result_error"]["b"]["error"], "QUERY_LIMIT_EXCEEDED");
    assert_eq!(r["result"]["result"].as_object().unwrap().len(), 2);
    assert_eq!(t.log().methods["crm.deal.list"].in_batches, 3);
}
