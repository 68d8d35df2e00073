//! `b2n scope`, `b2n inventory`, `b2n gaps` and `b2n snapshot --from` over real sockets.

use b2n::lang::schema::{Schema, snapshot};
use b2n::lang::text::SourceText;
use serde_json::Value as Json;

use super::*;

#[track_caller]
fn json(ran: &Ran) -> Json {
    assert_eq!(ran.code, 0, "{}", ran.all());
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}\n{}", ran.all()))
}

fn read(path: &Path) -> Schema {
    let text = SourceText::from_bytes("a snapshot", &std::fs::read(path).expect("a file")).expect("UTF-8");
    snapshot::read(&text).expect("a snapshot")
}

#[test]
fn reports_come_in_every_format_and_say_what_they_were_not_told() {
    let twins = Twins::start(&["--scale", "0.02", "--unthrottled"]);
    let told = json(&run(twins.b2n().args(["scope", "--format", "json"])));
    assert_eq!(told["format"], "b2n-scope/1");
    assert!(told["owners"]["not_compared"].is_null(), "{told}");
    let users = told["owners"]["users"].as_array().expect("users");
    assert!(users.iter().any(|user| user["to"].is_string()) && users.iter().any(|user| user["to"].is_null()));
    assert_eq!(
        told["objects"].as_array().expect("objects").iter().find(|o| o["name"] == "company").expect("one")["records"],
        10
    );
    assert!(told["doubles_note"].as_str().is_some_and(|why| why.contains("b2n extract")));
    let alone = json(&run(twins.b2n().args(["scope", "--format", "json"]).env_remove("B2N_NUTSHELL_KEY")));
    assert!(alone["owners"]["not_compared"].as_str().is_some_and(|why| why.contains("B2N_NUTSHELL_KEY")));

    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name);
    shows(&run(twins.b2n().arg("scope").arg("-o").arg(at("s.html"))), 0, &["wrote"]);
    let page = std::fs::read_to_string(at("s.html")).expect("the page");
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("Grades</h2>") && !page.contains("<script"));
    shows(&run(twins.b2n().args(["scope", "--format", "markdown"])), 0, &["## Warnings", "| deal |"]);
    shows(&run(twins.b2n().arg("scope")), 0, &["Discovery report of", "free-plan", "Smart Processes: 1"]);
    let listed = json(&run(twins.b2n().args(["inventory", "--format", "json"])));
    assert!(listed["workflows"].as_array().is_some_and(|all| all.len() == 7), "{listed}");
    shows(
        &run(twins.b2n().args(["inventory", "--format", "markdown"])),
        0,
        &["no REST method lists them", "☐"],
    );
    shows(&run(b2n().args(["scope"])), 2, &["`B2N_BITRIX24_WEBHOOK` is not set"]);
    shows(&run(b2n().args(["status", "x.b2n", "--format", "html"])), 2, &["`html` is a format of"]);
}

#[test]
fn a_workspace_gives_exact_reports_without_an_account_and_statistics_without_a_scan() {
    let twins = Twins::start(&["--scale", "0.02", "--unthrottled"]);
    let (folder, spec) = example();
    let schema = |name: &str| folder.path().join("schema").join(name);
    for system in ["bitrix24", "nutshell"] {
        let ran = run(twins.b2n().args(["snapshot", system, "-o"]).arg(schema(&format!("{system}.yaml"))));
        shows(&ran, 0, &["took"]);
    }
    shows(&run(twins.b2n().arg("extract").arg(&spec)), 0, &["staged"]);
    let workspace = spec.with_extension("b2nw");
    let from = || {
        let mut command = twins.b2n();
        command.args(["snapshot", "bitrix24", "--from"]).arg(&workspace).arg("-o");
        command
    };
    shows(&run(from().arg(schema("again.yaml"))), 0, &["it is not staged"]);
    let (scanned, again) = (read(&schema("bitrix24.yaml")), read(&schema("again.yaml")));
    for object in ["company", "contact", "deal"] {
        assert_eq!(scanned.object(object), again.object(object));
    }
    assert!(again.object("activity").is_some_and(|object| object.records.is_none()));
    // In the place of an earlier snapshot, what is not staged keeps its statistics.
    let before = std::fs::read_to_string(schema("bitrix24.yaml")).expect("the snapshot");
    shows(&run(from().arg(schema("bitrix24.yaml"))), 0, &["are kept from the snapshot that was here"]);
    let after = std::fs::read_to_string(schema("bitrix24.yaml")).expect("the snapshot");
    assert_eq!(before, after);
    // No account is asked: there are no credentials.
    let exact =
        run(b2n().arg("scope").arg(&spec).arg("--workspace").arg(&workspace).args(["--format", "json"]));
    let exact = json(&exact);
    assert_eq!((exact["how"].as_str(), exact["requests"].as_u64()), (Some("workspace"), Some(0)));
    assert_eq!(exact["time"]["by"], "the plan");
    assert!(exact["doubles"].as_array().is_some_and(|doubles| doubles.len() == 6), "{exact}");
    let gaps =
        run(b2n().arg("gaps").arg(&spec).arg("--workspace").arg(&workspace).args(["--format", "json"]));
    let gaps = json(&gaps);
    assert_eq!(gaps["format"], "b2n-gaps/1");
    let dropped = gaps["fields"].as_array().expect("fields");
    assert!(dropped.iter().any(|field| field["field"] == "BANKING_DETAILS" && field["reason"].is_string()));
    assert!(gaps["schema_maps"].as_array().is_some_and(|maps| maps.len() == 1), "{gaps}");
    shows(&run(b2n().arg("gaps").arg(&spec)), 0, &["Schema map of process 1032", "smart invoices"]);
    shows(
        &run(twins.b2n().args(["snapshot", "nutshell", "--from", "x.b2nw", "-o", "x.yaml"])),
        2,
        &["`--from` is for snapshots of the source"],
    );
}
