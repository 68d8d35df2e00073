//! `delta`, `cutover` and a changed plan through the real program: what people type, in the order in which they do.

use std::io::{Read, Write};

use serde_json::{Value as Json, json};

use super::*;

/// As fast as a twin allows.
const PACE: [&str; 2] = ["--rate", "5000"];

/// Changes the portal as people do, through its own API.
#[track_caller]
pub(super) fn portal(twins: &Twins, method: &str, parameters: &Json) -> Json {
    let (host, path) = twins
        .webhook
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .unwrap_or_else(|| panic!("{} is no address on loopback", twins.webhook));
    let body = parameters.to_string();
    let mut stream = std::net::TcpStream::connect(host).expect("the twin listens");
    write!(
        stream,
        "POST /{path}{method} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
    .expect("is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("is answered");
    let json = answer.find("\r\n\r\n").map(|at| answer[at..].trim());
    // The body may come in chunks, each after its length.
    let json = json.and_then(|body| Some(&body[body.find('{')?..=body.rfind('}')?])).unwrap_or_default();
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{method}: {error}\n{answer}"))
}

#[track_caller]
fn printed(ran: &Ran) -> Json {
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}\n{}", ran.all()))
}

fn first_company(twins: &Twins) -> String {
    let answer =
        portal(twins, "crm.company.list", &json!({"order": {"ID": "ASC"}, "filter": {"IS_MY_COMPANY": "N"}}));
    answer["result"][0]["ID"].as_str().expect("a company").to_owned()
}

#[test]
fn a_delta_is_tried_applied_and_then_there_is_nothing_left() {
    let twins = Twins::start(&["--scale", "0.02", "--seed", "8", "--unthrottled"]);
    let (_folder, spec) = example();
    provisioned(&twins, &spec);
    let command = |name: &str| {
        let mut command = twins.b2n();
        command.arg(name).arg(&spec);
        command
    };
    shows(&run(command("delta").args(["--dry-run"])), 0, &["nothing was written yet: `b2n migrate"]);
    shows(&run(command("migrate").args(FAST)), 0, &["every record is accounted for"]);
    shows(&run(command("delta").args(PACE)), 0, &["the source is as it is staged", "nothing was written"]);
    let company = first_company(&twins);
    let renamed = json!({"id": company, "fields": {"TITLE": "Renamed since"}});
    assert_eq!(portal(&twins, "crm.company.update", &renamed)["result"], json!(true));
    let added = portal(&twins, "crm.company.add", &json!({"fields": {"TITLE": "New since"}}));
    assert!(added["result"].is_number(), "{added}");
    let dry = run(command("delta").arg("--dry-run"));
    shows(
        &dry,
        0,
        &[
            "source company: 1 changed, 1 new",
            "company -> Account",
            "1 edited, 1 created",
            "nothing was written; `b2n delta",
        ],
    );
    let again = printed(&run(command("delta").args(["--dry-run", "--format", "json"])));
    assert_eq!(again["format"], "b2n-delta/1");
    assert!(again["run"].is_null(), "{again}");
    let map = again["changes"]["maps"]
        .as_array()
        .expect("maps")
        .iter()
        .find(|map| map["map"] == "company")
        .cloned();
    assert_eq!(map.expect("a map")["created"], 1);
    let applied = run(command("delta").args(PACE));
    shows(&applied, 0, &["1 edited, 1 created", "every record is accounted for"]);
    shows(&run(command("delta").args(PACE)), 0, &["the source is as it is staged", "nothing was written"]);
    shows(&run(command("reconcile").args(PACE)), 0, &["every record is accounted for"]);
}

#[test]
fn a_cutover_is_quiet_until_somebody_changes_the_source() {
    let twins = Twins::start(&["--scale", "0.02", "--seed", "8", "--unthrottled"]);
    let (_folder, spec) = example();
    provisioned(&twins, &spec);
    let command = |name: &str| {
        let mut command = twins.b2n();
        command.arg(name).arg(&spec);
        command
    };
    let cutover = |at: &str| run(command("cutover").args(["--frozen-at", at]).args(PACE));
    shows(&run(&mut command("extract")), 0, &[]);
    shows(&cutover("now"), 2, &["nothing was written yet", "b2n migrate"]);
    shows(&run(command("migrate").args(FAST)), 0, &["every record is accounted for"]);
    shows(&cutover("18:00"), 2, &["not a time with a zone"]);
    shows(&cutover("2199-01-01T00:00:00Z"), 2, &["the freeze is at", "after the freeze"]);
    // What was changed in the second of the freeze would count as after it.
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    shows(&cutover("now"), 0, &["frozen at", "none of"]);
    shows(&run(&mut command("status")), 0, &["frozen      the source, at"]);
    shows(&run(command("reconcile").args(PACE)), 0, &["every record is accounted for"]);
    let company = first_company(&twins);
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    let late = json!({"id": company, "fields": {"TITLE": "Too late"}});
    assert_eq!(portal(&twins, "crm.company.update", &late)["result"], json!(true));
    let line = format!("company/{company} changed, of user ");
    shows(&run(command("reconcile").args(PACE)), 1, &["changed after the freeze", &line]);
    shows(&run(&mut command("status")), 0, &[&line, "--frozen-at now"]);
    shows(&run(command("migrate").args(FAST)), 1, &[&line]);
    let told = printed(&run(command("delta").args(PACE).args(["--format", "json"])));
    assert_eq!(told["freeze"]["later"].as_array().map(Vec::len), Some(1), "{told}");
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    shows(&cutover("now"), 0, &["the freeze moves", "none of"]);
}

#[test]
fn a_changed_plan_is_shown_named_and_applied() {
    let twins = Twins::start(&["--scale", "0.02", "--seed", "8", "--unthrottled"]);
    let (_folder, spec) = example();
    provisioned(&twins, &spec);
    let migrate = |more: &[&str]| run(twins.b2n().arg("migrate").arg(&spec).args(FAST).args(more));
    shows(&migrate(&[]), 0, &["every record is accounted for"]);
    shows(&migrate(&["--dry-run"]), 0, &["no staged record changed since"]);
    let text = std::fs::read_to_string(&spec).expect("the spec");
    let changed = text.replacen("\"MOBILE\"  => \"mobile\"", "\"MOBILE\"  => \"cell\"", 1);
    assert!(text != changed);
    std::fs::write(&spec, changed).expect("writes");
    approved(&spec);
    let told = printed(&migrate(&["--dry-run", "--format", "json"]));
    assert_eq!(told["format"], "b2n-changes/1");
    let hash = told["plan"].as_str().expect("a hash").to_owned();
    assert_ne!(told["from"], told["plan"]);
    let edited: u64 =
        told["maps"].as_array().expect("maps").iter().filter_map(|map| map["edited"].as_u64()).sum();
    assert!(edited > 0, "{told}");
    shows(&migrate(&["--dry-run"]), 0, &["the plan changes from", &hash[..12], "--yes-change"]);
    shows(&migrate(&[]), 2, &["wants to be confirmed", "--yes-change"]);
    shows(&migrate(&["--yes-change", "ffffffffffff"]), 2, &["--yes-change names `ffffffffffff`"]);
    shows(
        &migrate(&["--yes-change", &hash[..12]]),
        0,
        &["the plan changes from", "every record is accounted for"],
    );
    shows(&migrate(&["--dry-run"]), 0, &["no staged record changed since"]);
    shows(&migrate(&[]), 0, &["every record is accounted for"]);
}
