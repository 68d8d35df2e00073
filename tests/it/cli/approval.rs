//! A person's word before anything is written, and samples as people run them.

use serde_json::Value as Json;

use super::*;

#[track_caller]
fn json(ran: &Ran) -> Json {
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}\n{}", ran.all()))
}

fn approve(spec: &Path, args: &[&str]) -> Ran {
    run(b2n().arg("approve").arg(spec).args(args))
}

fn edit(spec: &Path, old: &str, new: &str) {
    let text = std::fs::read_to_string(spec).expect("the spec");
    assert!(text.contains(old), "`{old}`");
    std::fs::write(spec, text.replacen(old, new, 1)).expect("writes");
}

#[test]
fn a_plan_is_shown_approved_listed_and_withdrawn() {
    let (_folder, spec) = example();
    let plan = json(&run(b2n().arg("plan").arg(&spec).args(["--format", "json"])))["hash"].clone();
    let dry = approve(&spec, &["--dry-run"]);
    let parts = [
        "company -> Account",
        "500",
        "snapshot's statistics",
        "pipelines: ",
        "losses",
        "nothing was approved",
    ];
    shows(&dry, 0, &parts);
    assert!(!spec.with_extension("b2nw").exists(), "a look leaves nothing behind");
    shows(&approve(&spec, &["--list"]), 2, &["does not exist"]);
    shows(&approve(&spec, &[]), 2, &["nobody is here to be asked", "--yes --by NAME"]);
    shows(&approve(&spec, &["--yes"]), 2, &["nobody is named"]);
    shows(&approve(&spec, &["--yes", "--by", "  "]), 2, &["nobody is named"]);
    shows(&approve(&spec, &["--list"]), 1, &["is not approved"]);
    shows(&approve(&spec, &["--withdraw"]), 2, &["nothing to withdraw"]);

    let made = approve(&spec, &["--yes", "--by", "ann@acme.example", "--note", "MIG-31", "--format", "json"]);
    let made = json(&made);
    assert_eq!((&made["format"], &made["plan"]), (&"b2n-approval/1".into(), &plan), "{made}");
    let approved = &made["approved"];
    assert_eq!((&approved["by"], &approved["note"]), (&"ann@acme.example".into(), &"MIG-31".into()));
    assert_eq!(approved["certificate"], made["certificate"]["certificate"]);
    assert_eq!(approved["expected"], made["expected"], "what was shown is kept");
    assert_eq!(
        (&made["expected"][0]["records"], &made["expected"][0]["staged"]),
        (&500.into(), &false.into())
    );
    assert!(approved["approved_ms"].as_i64().is_some_and(|at| at > 1_700_000_000_000), "{approved}");
    let losses = made["losses"].as_array().expect("a list");
    assert!(!losses.is_empty() && losses.iter().all(|loss| loss["line"].as_u64() > Some(0)), "{made}");
    shows(
        &approve(&spec, &["--list"]),
        0,
        &["ann@acme.example", "MIG-31", "approved for the whole migration"],
    );
    shows(&run(b2n().arg("status").arg(&spec)), 0, &["approved    ", "by ann@acme.example"]);

    // A comment changes nothing; the plan does.
    edit(&spec, "map deal", "# Deals.\nmap deal");
    shows(&approve(&spec, &["--list"]), 0, &["approved for the whole migration"]);
    edit(&spec, "\"Company {ID}\"", "\"Firm {ID}\"");
    shows(&approve(&spec, &["--list"]), 1, &["is not approved"]);
    edit(&spec, "\"Firm {ID}\"", "\"Company {ID}\"");
    shows(&approve(&spec, &["--withdraw"]), 0, &["1 approval of plan"]);
    shows(&approve(&spec, &["--list"]), 1, &["withdrawn", "is not approved"]);
    let list = json(&approve(&spec, &["--list", "--format", "json"]));
    assert!(list["holds"].is_null() && list["approvals"][0]["withdrawn_ms"].is_i64(), "{list}");

    // What is still to be decided cannot be approved.
    edit(&spec, "drop BANKING_DETAILS declined ", "todo BANKING_DETAILS ");
    shows(&approve(&spec, &["--yes", "--by", "ann"]), 1, &["still open", "nothing was approved"]);
}

#[test]
fn a_sample_is_loaded_and_shown_field_by_field() {
    let twins = Twins::start(&["--scale", "0.05", "--seed", "3", "--unthrottled"]);
    let (_folder, spec) = example();
    let migrate = |args: &[&str]| run(twins.b2n().arg("migrate").arg(&spec).args(FAST).args(args));
    shows(&migrate(&["--sample", "0"]), 2, &["--sample"]);
    shows(&migrate(&["--seed", "7"]), 2, &["--sample"]);
    shows(&migrate(&["--sample", "5", "--ids", "deal/7"]), 2, &["--ids"]);
    shows(&migrate(&["--format", "markdown"]), 2, &["`markdown` is a format of"]);
    shows(&migrate(&["--sample", "5"]), 1, &["is not approved"]);
    let one = ["--yes", "--by", "ann@acme.example", "--sample", "5"];
    shows(&approve(&spec, &one), 0, &["for samples of at most 5 records", "--sample 5"]);
    shows(&migrate(&["--sample", "6"]), 1, &["for samples of at most 5 records only"]);
    shows(&migrate(&[]), 1, &["for samples of at most 5 records only"]);
    provisioned(&twins, &spec);

    let found = migrate(&["--sample", "5", "--seed", "7", "--format", "json"]);
    shows(&found, 0, &[]);
    let told = json(&found);
    let sample = &told["sample"];
    assert_eq!((&sample["asked"], &sample["seed"], &sample["drawn"]), (&5.into(), &7.into(), &5.into()));
    assert_eq!((&told["closes"], &sample["wrong"]), (&true.into(), &0.into()));
    let records = sample["records"].as_array().expect("records");
    assert_eq!(records.len() as u64, 5 + sample["along"].as_u64().expect("a number"));
    let text = std::fs::read_to_string(&spec).expect("the spec");
    let mut fields = 0;
    for field in records.iter().flat_map(|record| record["fields"].as_array().expect("fields")) {
        fields += 1;
        assert!(field["found"].is_null() && field["planned"].is_null(), "values are personal data: {field}");
        assert!(
            field["source"].as_array().expect("a list").iter().all(|one| one["value"].is_null()),
            "{field}"
        );
        let rule = &field["rules"][0];
        let line = text.lines().nth(rule["line"].as_u64().expect("a line") as usize - 1).expect("a line");
        assert_eq!(rule["text"], line.trim());
        let name = field["field"].as_str().expect("a name");
        assert!(line.contains(name), "`{name}` is not on `{line}`");
    }
    assert!(fields > 20, "{told}");

    // The same seed writes nothing more, and shows values where they are asked for.
    let again = migrate(&["--sample", "5", "--seed", "7", "--format", "json", "--show-values"]);
    let again = json(&again);
    let keys = |told: &Json| -> Vec<Json> {
        let records = told["sample"]["records"].as_array().expect("records").iter();
        records.map(|record| serde_json::json!([record["map"], record["key"], record["id"]])).collect()
    };
    assert_eq!(keys(&told), keys(&again));
    let records = again["sample"]["records"].as_array().expect("records");
    let company = records.iter().find(|record| record["map"] == "company" && record["there"] == true);
    let company = company.expect("a company");
    let name = company["fields"].as_array().expect("fields").iter().find(|field| field["field"] == "name");
    let name = name.expect("a name")["found"].as_str().expect("a value").to_owned();
    assert!(!found.out.contains(&name), "{name}");

    let markdown = migrate(&["--sample", "5", "--seed", "7", "--format", "markdown"]);
    assert!(
        markdown.code == 0 && markdown.out.starts_with("# sample of 5, seed 7: 5 drawn"),
        "{}",
        markdown.all()
    );
    assert!(markdown.out.contains("| field | source | rule | kind |"), "{}", markdown.all());
    assert!(!markdown.out.contains(&name), "{name}\n{}", markdown.out);
    let human = migrate(&["--sample", "5", "--seed", "7"]);
    shows(&human, 0, &["sample of 5, seed 7", "strata covered", "exact", "are left to a later run"]);
    assert!(!human.out.contains(&name), "no terminal shows it: {name}");

    shows(&migrate(&[]), 0, &["every record is accounted for"]);
    let reconcile = || run(twins.b2n().arg("reconcile").arg(&spec).args(["--rate", "5000"]));
    let same = reconcile();
    shows(&same, 0, &["every record is accounted for"]);
    assert!(!same.all().contains("not applied yet"), "{}", same.all());

    // A spec that says something else now: what differs is told apart from what was lost.
    let text = std::fs::read_to_string(&spec).expect("reads");
    let swapped = text
        .replace("=> \"Technology\"", "=> \"-\"")
        .replace("=> \"Telecommunications\"", "=> \"Technology\"");
    let changed = swapped.replace("=> \"-\"", "=> \"Telecommunications\"");
    assert_ne!(text, changed);
    std::fs::write(&spec, changed).expect("writes");
    let other = reconcile();
    shows(&other, other.code, &["not applied yet", "b2n migrate SPEC --dry-run"]);
}
