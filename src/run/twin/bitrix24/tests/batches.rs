//! `batch` (sheet 5) and the limits inside it (sheet 3).

use super::*;
use crate::run::twin::bitrix24::Latency;

fn batch(t: &Twin, args: Value) -> Value {
    call(t, "batch", args)["result"].clone()
}

#[test]
fn sheet_5_documented_chain_of_user_and_department() {
    let t = twin(1);
    let sent =
        r#"{"halt":0,"cmd":{"u":"user.current","d":"department.get?ID=$result[u][UF_DEPARTMENT][0]"}}"#;
    let r = call_raw(&t, "batch", sent)["result"].clone();
    assert_eq!(r["result"]["d"], json!([{"ID": "1", "NAME": "DEMO", "SORT": 500}]));
    assert_eq!(r["result_total"], json!({"d": 1}));
    assert_eq!((&r["result_error"], &r["result_next"]), (&json!([]), &json!([])));
    assert!(r["result_time"]["u"]["operating"].as_f64().unwrap() > 0.0);
}

#[test]
fn sheet_4_2_chained_id_windows_in_one_batch() {
    let t = twin(120);
    let page = |from: &str| {
        format!("crm.company.list?order%5BID%5D=ASC&start=-1&select[]=ID&filter%5B%3EID%5D={from}")
    };
    let mut cmd = serde_json::Map::new();
    cmd.insert("c0".into(), json!(page("0")));
    for n in 1..5 {
        cmd.insert(format!("c{n}"), json!(page(&format!("$result[c{}][49][ID]", n - 1))));
    }
    let r = batch(&t, json!({ "cmd": cmd }));
    let page = |n: usize| {
        r["result"][format!("c{n}")]
            .as_array()
            .unwrap()
            .iter()
            .map(|x| x["ID"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!((page(0).len(), page(1).len(), page(2).len()), (50, 50, 20));
    assert_eq!(page(1)[0], "153");
    // The short page has no row 49: the walk stops at the page itself, an array, which a number's cast makes 1.
    assert_eq!(page(3), page(0));
}

#[test]
fn sheet_5_references_in_keys_in_text_and_of_other_maps() {
    let t = twin(60);
    let cmd = json!({
        "a": "crm.company.list?order[ID]=ASC",
        "b": "crm.company.list?filter[TITLE]=Company $RESULT[a][1][ID]",
        "c": "crm.company.list?order[ID]=ASC&start=$next[a]",
        "d": "crm.company.list?filter[@ID]=$result[a][0]",
        "e": "crm.company.list?filter[$result[a][0][TITLE]]=x",
    });
    let r = batch(&t, json!({ "cmd": cmd }));
    assert_eq!(r["result"]["b"][0]["TITLE"], "Company 6");
    assert_eq!(r["result"]["c"].as_array().unwrap().len(), 10);
    // The whole record came as an array: its values are what `@ID` searches.
    assert_eq!(r["result"]["d"][0]["ID"], "3");
    assert_eq!(r["result_total"]["e"], 60);
}

#[test]
fn sheet_5_numeric_keys_become_an_array_until_one_fails() {
    let t = twin(1);
    let r = batch(&t, json!({"cmd": ["server.time", "profile"]}));
    assert!(r["result"].is_array() && r["result_time"].is_array());
    let r = batch(&t, json!({"cmd": ["crm.pipeline.list", "profile"]}));
    assert!(r["result"]["1"]["ADMIN"].as_bool().unwrap());
    assert_eq!(r["result_error"][0]["error"], "ERROR_METHOD_NOT_FOUND");
}

#[test]
fn sheet_5_halt_stops_at_the_first_error() {
    let t = twin(1);
    let cmd = json!({"a": "profile", "b": "crm.deal.get?id=999", "c": "profile"});
    let names = |r: &Value| r["result"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&batch(&t, json!({"halt": 1, "cmd": cmd}))), ["a"]);
    let r = batch(&t, json!({"halt": false, "cmd": cmd}));
    assert_eq!(names(&r), ["a", "c"]);
    assert_eq!(r["result_error"]["b"], json!({"error": "", "error_description": "Not found"}));
    assert!(r["result_time"].get("b").is_none());
}

#[test]
fn sheet_3_3_the_51st_command_fails_alone() {
    let t = twin(1);
    let cmd: serde_json::Map<_, _> = (0..52).map(|n| (format!("k{n}"), json!("server.time"))).collect();
    let r = batch(&t, json!({ "cmd": cmd }));
    assert_eq!(r["result"].as_object().unwrap().len(), 50);
    let errors = r["result_error"].as_object().unwrap();
    assert_eq!(errors.keys().collect::<Vec<_>>(), ["k50", "k51"]);
    assert_eq!(errors["k50"]["error"], "ERROR_BATCH_LENGTH_EXCEEDED");
}

#[test]
fn sheet_5_commands_run_in_the_order_sent_and_odd_ones_are_skipped_or_barred() {
    let t = twin(3);
    let body = r#"{"cmd":{"z":"crm.company.list?order[ID]=ASC","a":"crm.company.get?id=$result[z][1][ID]","n":7,"i":"batch?cmd[x]=profile"}}"#;
    let mut req = request("batch", &Value::Null);
    req.body = body.into();
    let r = super::body(&t.handle(&req, T0))["result"].clone();
    assert_eq!(r["result"]["a"]["ID"], "6");
    assert_eq!(r["result_error"]["i"]["error"], "ERROR_BATCH_METHOD_NOT_ALLOWED");
    assert!(r["result"].get("n").is_none() && r["result_error"].get("n").is_none());
}

#[test]
fn sheet_5_form_encoding_is_encoded_twice() {
    let t = twin(3);
    let mut req = request("batch", &Value::Null);
    req.headers = vec![("content-type".into(), "application/x-www-form-urlencoded".into())];
    req.body =
        "halt=0&cmd%5Ba%5D=crm.company.list%3Ffilter%255BTITLE%255D%3DCompany%25202%26select%255B%255D%3DID"
            .into();
    assert_eq!(super::body(&t.handle(&req, T0))["result"]["result"]["a"], json!([{"ID": "6"}]));
}

#[test]
fn sheet_1_3_a_missing_scope_has_an_empty_text_in_a_batch() {
    let settings = Settings { scopes: vec!["department".into()], ..calm() };
    let t = Twin::new(portal(1), settings);
    let r = batch(&t, json!({"cmd": {"u": "user.current", "p": "profile"}}));
    assert_eq!(r["result_error"]["u"], json!({"error": "insufficient_scope", "error_description": ""}));
    assert!(r["result"].get("p").is_some());
    let alone = t.handle(&request("user.current", &json!({})), T0);
    assert_eq!(alone.status, 403);
    assert!(super::body(&alone)["error_description"].as_str().unwrap().starts_with("The request requires"));
}

#[test]
fn sheet_3_2_operating_blocks_one_command_and_then_lets_it_in_again() {
    let latency = Latency { request_ms: 0.0, base_ms: 1_000.0, row_ms: 0.0, count_us: 0.0 };
    let t = Twin::new(portal(1), Settings { latency, operating_limit_s: 3.0, ..calm() });
    let at = |ms: i64| {
        super::body(&t.handle(
            &request("batch", &json!({"cmd": {"a": "crm.deal.list", "b": "crm.company.list"}})),
            T0 + ms,
        ))
    };
    for n in 1..=4 {
        // The call that crosses the line still completes.
        let r = at(0);
        assert_eq!(r["result"]["result_time"]["a"]["operating"], f64::from(n));
        assert_eq!(r["result"]["result_time"]["a"]["operating_reset_at"], T0 / 1000 + 600);
    }
    let refused = at(0);
    assert_eq!(refused["result"]["result_error"]["a"]["error"], "OPERATION_TIME_LIMIT");
    let alone = t.handle(&request("crm.deal.list", &json!({})), T0 + 599_999);
    assert_eq!((alone.status, super::body(&alone)["error"].as_str()), (429, Some("OPERATION_TIME_LIMIT")));
    assert_eq!(t.handle(&request("crm.contact.list", &json!({})), T0).status, 200);
    assert!(at(600_000)["result"]["result"].get("a").is_some());
    assert_eq!(t.log().refused_operating, 3);
}

#[test]
fn sheet_3_3_a_batch_past_sixty_seconds_is_cut_with_html() {
    let latency = Latency { base_ms: 7_000.0, ..Latency::default() };
    let t = Twin::new(portal(1), Settings { latency, ..calm() });
    let cmd: serde_json::Map<_, _> = (0..10).map(|n| (format!("k{n}"), json!("crm.deal.list"))).collect();
    let r = t.handle(&request("batch", &json!({ "cmd": cmd })), T0);
    assert_eq!((r.status, r.took_ms), (504, 60_000));
    assert!(String::from_utf8_lossy(&r.body).starts_with("<html>"));
}
