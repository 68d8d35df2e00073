//! What the twin must answer, rule by rule of the reference sheet.

mod agenda;
mod dialects;
mod finds;
mod rest;
mod robust;
mod rpc;
mod samples;

use serde_json::{Value, json};

use super::super::{Request, Response};
use super::{Company, Dialect, Settings, Twin};

/// 2026-01-05T10:00:00Z.
const NOW: i64 = 1_767_607_200_000;

/// A twin with the default start state and a changed dialect.
fn twin(change: impl FnOnce(&mut Dialect)) -> Twin {
    let mut settings = Settings::default();
    change(&mut settings.dialect);
    Twin::new(Company::acme(), settings)
}

fn live() -> Twin {
    twin(|_| {})
}

/// `admin@acme.example:key`.
const ADMIN: &str = "Basic YWRtaW5AYWNtZS5leGFtcGxlOmtleQ==";
/// `ivan@acme.example:key`.
const IVAN: &str = "Basic aXZhbkBhY21lLmV4YW1wbGU6a2V5";
/// `gone@acme.example:key`, a disabled user.
const GONE: &str = "Basic Z29uZUBhY21lLmV4YW1wbGU6a2V5";
/// `admin@acme.example:wrong`.
const WRONG: &str = "Basic YWRtaW5AYWNtZS5leGFtcGxlOndyb25n";

fn request(method: &str, target: &str, auth: &str, body: &[u8]) -> Request {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers = vec![("authorization".to_owned(), auth.to_owned())];
    if method == "PATCH" {
        headers.push(("content-type".to_owned(), "application/json-patch+json".to_owned()));
    }
    Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: body.to_vec(),
        client: "127.0.0.1".to_owned(),
    }
}

fn json_of(response: &Response) -> Value {
    serde_json::from_slice(&response.body).unwrap_or_else(|_| json!(String::from_utf8_lossy(&response.body)))
}

/// One RPC call at a time: HTTP status and the whole envelope.
fn call_at(twin: &Twin, now: i64, auth: &str, method: &str, params: Value) -> (u16, Value) {
    let body = json!({"jsonrpc": "2.0", "id": "t", "method": method, "params": params}).to_string();
    let response = twin.handle(&request("POST", "/api/v1/json", auth, body.as_bytes()), now);
    (response.status, json_of(&response))
}

/// The result of a call that must succeed.
fn call(twin: &Twin, method: &str, params: Value) -> Value {
    let (status, mut body) = call_at(twin, NOW, ADMIN, method, params);
    assert_eq!(status, 200, "{method}: {body}");
    body["result"].take()
}

/// The code and text of a call that must be refused.
fn refused(twin: &Twin, method: &str, params: Value) -> (i64, String) {
    let (_, body) = call_at(twin, NOW, ADMIN, method, params);
    let error = &body["error"];
    (
        error["code"].as_i64().unwrap_or_else(|| panic!("{method}: {body}")),
        error["message"].as_str().unwrap().to_owned(),
    )
}

/// A REST request: status and body.
fn rest(twin: &Twin, method: &str, target: &str, body: Value) -> (u16, Value) {
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let response = twin.handle(&request(method, &format!("/rest{target}"), ADMIN, &body), NOW);
    (response.status, json_of(&response))
}

fn get(twin: &Twin, target: &str) -> Value {
    let (status, body) = rest(twin, "GET", target, Value::Null);
    assert_eq!(status, 200, "{target}: {body}");
    body
}

/// The keys of an object, sorted.
fn keys(value: &Value) -> Vec<String> {
    let mut keys: Vec<String> =
        value.as_object().map(|map| map.keys().cloned().collect()).unwrap_or_default();
    keys.sort_unstable();
    keys
}

fn names(rows: &Value) -> Vec<String> {
    rows.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap_or_default().to_owned()).collect()
}

fn ids(rows: &Value) -> Vec<i64> {
    rows.as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

fn account(twin: &Twin, name: &str) -> i64 {
    call(twin, "newAccount", json!({"account": {"name": name}}))["id"].as_i64().unwrap()
}

fn contact(twin: &Twin, input: Value) -> i64 {
    call(twin, "newContact", json!({"contact": input}))["id"].as_i64().unwrap()
}

fn lead(twin: &Twin, input: Value) -> i64 {
    call(twin, "newLead", json!({"lead": input}))["id"].as_i64().unwrap()
}

fn rev(twin: &Twin, kind: &str, id: i64) -> String {
    let parameter = format!("{}Id", kind.to_lowercase());
    call(twin, &format!("get{kind}"), json!({parameter: id}))["rev"].as_str().unwrap().to_owned()
}

fn field(twin: &Twin, resource: &str, input: Value) {
    let (status, body) = rest(twin, "POST", &format!("/{resource}/customfield"), input);
    assert_eq!(status, 200, "{body}");
}
