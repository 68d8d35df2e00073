//! Commands one after the other, as people run them: what one leaves behind, the next one reads.

use serde_json::Value as Json;

use super::*;

/// A text file with some of its words changed; each of them must be there.
#[track_caller]
fn edited(path: &Path, changes: &[(&str, &str)]) {
    let mut text = std::fs::read_to_string(path).expect("the file");
    for (old, new) in changes {
        assert!(text.contains(old), "`{old}` is not in {}", path.display());
        text = text.replacen(old, new, 1);
    }
    std::fs::write(path, text).expect("writes");
}

#[track_caller]
fn json(ran: &Ran) -> Json {
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}\n{}", ran.all()))
}

/// One of the customers, in a folder of its own.
fn customer(name: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let from = root().join("examples").join(name);
    std::fs::create_dir(folder.path().join("schema")).expect("a folder");
    let spec = format!("{name}.b2n");
    for file in [&*spec, "b2n.lock", "schema/bitrix24.yaml", "schema/nutshell.yaml"] {
        std::fs::copy(from.join(file), folder.path().join(file)).expect("a copy");
    }
    let spec = folder.path().join(spec);
    (folder, spec)
}

/// The certificate that `check` prints, as hashes by name.
#[track_caller]
fn certificate(spec: &Path) -> Json {
    let ran = run(b2n().arg("check").arg(spec).args(["--format", "json"]));
    assert_eq!(ran.code, 0, "{}", ran.all());
    json(&ran)["certificate"].clone()
}

#[test]
fn a_comment_changes_no_plan_and_stops_no_run() {
    let twins = Twins::start(&["--scale", "0.02", "--seed", "8", "--unthrottled"]);
    let (_folder, spec) = example();
    let migrate = || run(twins.b2n().arg("migrate").arg(&spec).args(FAST));
    let before = certificate(&spec);
    provisioned(&twins, &spec);
    shows(&migrate(), 0, &["every record is accounted for"]);

    edited(
        &spec,
        &[
            ("edition 2026\n", "edition 2026\n\n# Read again on a Sunday.\n\n"),
            ("map deal", "# Deals.\nmap deal"),
        ],
    );
    let after = certificate(&spec);
    assert_eq!(before["plan"], after["plan"]);
    assert_ne!(before["certificate"], after["certificate"], "the text is part of what is agreed to");
    let ran = migrate();
    shows(&ran, 0, &["every record is accounted for", "begun under certificate"]);
    // What was held is now the newer certificate, so nothing is told any more.
    assert!(!migrate().err.contains("begun under certificate"));

    edited(&spec, &[("\"Company {ID}\"", "\"Firm {ID}\"")]);
    assert_ne!(certificate(&spec)["plan"], before["plan"]);
    shows(&migrate(), 1, &["is not approved", "the plan has changed since"]);
    approved(&spec);
    let ran = migrate();
    let plan = |certificate: &Json| certificate["plan"].as_str().expect("a hash")[..12].to_owned();
    assert_ne!(ran.code, 0, "{}", ran.all());
    assert!(
        ran.err.contains(&plan(&before)) && ran.err.contains(&plan(&certificate(&spec))),
        "{}",
        ran.all()
    );
}

#[test]
fn check_tells_what_arrives() {
    let (_folder, spec) = example();
    for columns in ["40", "100"] {
        let ran = run(b2n().env("COLUMNS", columns).arg("check").arg(&spec));
        let told: Vec<&str> =
            ran.out.lines().skip_while(|line| !line.starts_with("checks ")).skip(1).collect();
        let told: Vec<&str> = told.into_iter().take_while(|line| !line.contains("certificate")).collect();
        let text = told.join("\n");
        assert!(text.contains("  company -> Account, 500 records:"), "{}", ran.all());
        assert!(told.iter().all(|line| line.chars().count() <= columns.parse().expect("a number")), "{text}");
    }
    let quiet = run(b2n().arg("check").arg(&spec).arg("--quiet"));
    assert_eq!(
        (quiet.code, quiet.out.contains("W104"), quiet.out.contains("checks ")),
        (0, true, false),
        "{}",
        quiet.all()
    );

    // For programs with every rule: what `plan` has is what is told.
    let (_folder, spec) = customer("rebstock");
    let told = json(&run(b2n().arg("check").arg(&spec).args(["--format", "json"])));
    let plan = json(&run(b2n().arg("plan").arg(&spec).args(["--format", "json"])))["plan"].clone();
    let lengths = |list: &Json, of: &str| -> Vec<usize> {
        list.as_array().expect("a list").iter().map(|row| row[of].as_array().map_or(0, Vec::len)).collect()
    };
    let all = told["fidelity"].as_array().expect("a list");
    let maps = plan["maps"].as_array().expect("maps");
    let expected: Vec<usize> = lengths(&plan["maps"], "rules")
        .into_iter()
        .zip(lengths(&plan["maps"], "notes"))
        .map(|(a, b)| a + b)
        .collect();
    assert_eq!(lengths(&told["fidelity"], "rules")[..maps.len()], expected[..]);
    let of_profile = |rule: &Json| rule["file"] == "standard (shipped)";
    let lines = |file: &str| match file {
        "standard (shipped)" => {
            std::fs::read_to_string(root().join("specs/standard.b2n")).expect("the profile")
        }
        file => std::fs::read_to_string(file).expect("the spec"),
    };
    let mut seen = (0, 0);
    for rule in all.iter().flat_map(|map| map["rules"].as_array().expect("rules")) {
        let text = lines(rule["file"].as_str().expect("a file"));
        let line = text.lines().nth(rule["line"].as_u64().expect("a line") as usize - 1).unwrap_or_default();
        let name = rule["target"].as_str().expect("a name").trim_start_matches("note ");
        assert!(line.contains(name), "{rule}: {line}");
        if of_profile(rule) { seen.0 += 1 } else { seen.1 += 1 }
    }
    assert!(seen.0 > 50 && seen.1 > 0, "{seen:?}");
}

#[test]
fn what_is_accepted_stands_in_the_document_that_is_signed() {
    let (folder, spec) = example();
    let accept =
        "\naccept B2N-W104 on lead until 2099-01-31 because \"agreed in MIG-31\" by \"ops@acme.example\"\n";
    let text = std::fs::read_to_string(&spec).expect("the spec");
    std::fs::write(&spec, format!("{text}{accept}")).expect("writes");
    let at = text.lines().count() + 2;
    shows(&check(&spec), 0, &["accepted B2N-W104 until 2099-01-31 by ops@acme.example: agreed in MIG-31"]);
    let markdown = run(b2n().arg("doc").arg(&spec));
    let row = format!("(B2N-W104; acme.b2n, line {at}) | agreed in MIG-31 | ops@acme.example | 2099-01-31 |");
    shows(&markdown, 0, &["## Exceptions that were agreed to", "no map reads", &row]);
    let page = folder.path().join("acme.html");
    shows(&run(b2n().arg("doc").arg(&spec).arg("-o").arg(&page)), 0, &[]);
    let page = std::fs::read_to_string(page).expect("the page");
    assert!(page.contains("<td>agreed in MIG-31</td><td>ops@acme.example</td><td>2099-01-31</td>"), "{page}");
}

#[test]
fn profiles_are_explained_line_by_line() {
    let (_folder, spec) = customer("podyom");
    let ran = run(b2n().args(["check", "--explain-profile"]).arg(&spec));
    shows(&ran, 0, &["refined", "replaced", "inactive", "standard (shipped)"]);
    // Whoever overrides something says so in the spec, and each of those words is told. A `split` needs no word.
    let text = std::fs::read_to_string(&spec).expect("the spec");
    for (word, told) in [("replace ", "replaced"), ("refine ", "refined")] {
        let said = text.lines().filter(|line| line.starts_with(word)).count();
        let shown =
            ran.out.lines().filter(|line| !line.starts_with([' ', 's']) && line.contains(told)).count();
        assert!(said > 0);
        assert_eq!(said, shown, "{word}\n{}", ran.out);
    }
    let told = json(&run(b2n().args(["check", "--explain-profile", "--format", "json"]).arg(&spec)));
    let items = told["items"].as_array().expect("items");
    assert!(items.iter().any(|item| item["from"] == "refined"), "{told}");
    // A spec without a profile has nothing that overrides.
    let (_folder, spec) = example();
    let ran = run(b2n().args(["check", "--explain-profile"]).arg(&spec));
    assert!(ran.code == 0 && !ran.out.contains("refined"), "{}", ran.all());
}

#[test]
fn a_profile_that_changed_is_told_until_it_is_pinned() {
    let (folder, spec) = customer("rebstock");
    let lock = folder.path().join("b2n.lock");
    let pinned = std::fs::read_to_string(&lock).expect("the lock");
    shows(&check(&spec), 0, &["checks"]);

    std::fs::remove_file(&lock).expect("removes");
    shows(
        &run(b2n().args(["check", "--deny-warnings"]).arg(&spec)),
        1,
        &["W302", "is not pinned", "--update-lock"],
    );
    let ran = run(b2n().args(["check", "--update-lock"]).arg(&spec));
    shows(&ran, 0, &["pinned b2n.lock"]);
    assert_eq!(std::fs::read_to_string(&lock).expect("the lock"), pinned);
    // Nothing to write: nothing is told.
    assert!(!run(b2n().args(["check", "--update-lock"]).arg(&spec)).err.contains("pinned b2n.lock"));

    let (head, hash) = pinned.trim_end().rsplit_once(' ').expect("a hash");
    assert_eq!(hash.len(), 64, "{pinned}");
    std::fs::write(&lock, format!("{head} {}\n", "0".repeat(64))).expect("writes");
    let found = check(&spec);
    shows(&found, 1, &["is not the one that is pinned", "pinned 000000000000", &hash[..12]]);
    // No run begins with another profile than the one that was agreed to.
    let rehearsed = run(b2n().arg("rehearse").arg(&spec));
    shows(&rehearsed, 1, &["does not check"]);
    std::fs::write(&lock, "profile standard\n").expect("writes");
    shows(&check(&spec), 1, &["b2n.lock", "--update-lock"]);
    shows(&run(b2n().args(["check", "--update-lock"]).arg(&spec)), 0, &["pinned b2n.lock"]);
    assert_eq!(std::fs::read_to_string(&lock).expect("the lock"), pinned);
}

#[test]
fn nothing_is_migrated_while_something_is_open() {
    let twins = Twins::start(&["--scale", "0.01", "--seed", "2", "--unthrottled"]);
    let cases = [
        (
            "drop BANKING_DETAILS declined ",
            "todo BANKING_DETAILS ",
            1,
            "`company.BANKING_DETAILS` is `todo`",
            true,
        ),
        ("  dueTime ", "  proposed 0.62 dueTime ", 1, "`deal.dueTime` is `proposed`", true),
        ("  name  ", "  name <- ???\n  # name  ", 1, "does not check", false),
    ];
    for (old, new, code, told, rehearses) in cases {
        let (_folder, spec) = example();
        edited(&spec, &[(old, new)]);
        for command in ["provision", "migrate"] {
            shows(&run(twins.b2n().arg(command).arg(&spec).args(FAST)), code, &[told]);
        }
        let ran = run(twins.b2n().arg("migrate").arg(&spec).args(FAST));
        assert!(!spec.with_extension("b2nw").exists(), "nothing was begun");
        let place = format!("acme.b2n:{}", 1 + line_of(&spec, new.lines().next().unwrap_or_default()));
        if rehearses {
            assert!(
                ran.err.contains(&place) && ran.err.contains("nothing was written"),
                "{place}\n{}",
                ran.all()
            );
            // What is open keeps nobody from trying it.
            let ran = run(b2n().args(["rehearse", "--share", "0.02"]).arg(&spec));
            shows(&ran, 0, &["certificate"]);
            let hash =
                ran.out.lines().find_map(|line| line.trim().strip_prefix("certificate ")).expect("a hash");
            assert_eq!(hash.split(',').next().map(str::len), Some(16), "{}", ran.all());
        }
    }
    // Once it is settled, the run says under which certificate it is.
    let (_folder, spec) = example();
    let certificate = certificate(&spec)["certificate"].as_str().expect("a hash")[..16].to_owned();
    provisioned(&twins, &spec);
    let ran = run(twins.b2n().arg("migrate").arg(&spec).args(FAST));
    shows(&ran, 0, &[&format!("certificate {certificate}")]);
}

#[test]
fn what_is_needed_is_shown_made_and_confirmed() {
    let twins = Twins::start(&["--scale", "0.01", "--seed", "9", "--unthrottled"]);
    let (_folder, spec) = example();
    // The source is never asked: no credentials of it are needed.
    let provision = |args: &[&str]| {
        let mut command = twins.b2n();
        command.env_remove("B2N_BITRIX24_WEBHOOK").arg("provision").arg(&spec);
        run(command.args(["--rate", "5000"]).args(args))
    };
    let shown = provision(&["--dry-run"]);
    shows(
        &shown,
        1,
        &["b2n makes", "pipeline `Sales`", "automations", "nothing was made", "--confirm automations,"],
    );
    assert!(!spec.with_extension("b2nw").exists(), "a look leaves nothing behind");
    assert_eq!(standing(&twins), 0, "nothing is made");
    let found = json(&provision(&["--dry-run", "--format", "json"]));
    assert_eq!((&found["format"], &found["dry_run"]), (&"b2n-provision/1".into(), &true.into()));
    let rows = |found: &Json, list: &str, key: &str| -> Vec<Json> {
        found[list].as_array().expect("a list").iter().map(|row| row[key].clone()).collect()
    };
    // Some of the tags and sources are there before; no field is.
    let missing = rows(&found, "makes", "state").iter().filter(|state| **state == "missing").count();
    let fields = found["makes"].as_array().expect("a list").iter().filter(|row| !row["field"].is_null());
    assert!(fields.clone().all(|row| row["state"] == "missing") && fields.count() > 40, "{found}");
    assert!(rows(&found, "by_hand", "there").iter().all(|there| there == true), "{found}");
    assert!(rows(&found, "confirm", "confirmed_ms").iter().all(Json::is_null), "{found}");
    let boxes = provision(&["--dry-run", "--format", "markdown"]);
    let ticked = |text: &str| boxes.out.lines().filter(|line| line.starts_with(text)).count();
    let there = rows(&found, "makes", "state").len() - missing;
    assert_eq!(ticked("- [x]"), rows(&found, "by_hand", "there").len() + there, "{}", boxes.all());
    assert_eq!(ticked("- [ ]"), missing + rows(&found, "confirm", "item").len(), "{}", boxes.all());

    shows(&provision(&[]), 1, &["is not approved", "b2n approve SPEC"]);
    approved(&spec);
    shows(&provision(&[]), 2, &["wants to be confirmed", "--yes-into 379104"]);
    shows(&provision(&["--yes-into", "1"]), 2, &["nothing was written"]);
    shows(&provision(&["--confirm", "weather"]), 2, &["no item `weather`", "`automations`"]);
    shows(&provision(&["--confirm", "webhooks", "--dry-run"]), 2, &["--dry-run"]);
    assert_eq!(standing(&twins), 0, "nothing is made");

    let made = json(&provision(&["--yes-into", "379104", "--format", "json"]));
    assert_eq!(
        rows(&made, "makes", "state").iter().filter(|state| **state == "made").count(),
        missing,
        "{made}"
    );
    assert_eq!(made["ready"], false);
    assert!(standing(&twins) > 0);
    let again = json(&provision(&["--confirm", "webhooks,automations", "--format", "json"]));
    assert!(rows(&again, "makes", "state").iter().all(|state| state == "there"), "{again}");
    let open = |found: &Json| -> Vec<String> {
        let rows = found["confirm"].as_array().expect("a list").iter();
        let open = rows.filter(|row| row["confirmed_ms"].is_null());
        open.map(|row| row["item"].as_str().expect("a name").to_owned()).collect()
    };
    let left = open(&again);
    assert!(!left.iter().any(|item| item == "webhooks" || item == "custom-fields"), "{left:?}");
    let refused = run(twins.b2n().arg("migrate").arg(&spec).args(FAST));
    shows(&refused, 1, &[&format!("--confirm {}", left.join(","))]);
    shows(&provision(&["--confirm", &left.join(",")]), 0, &["nothing is left for a person to do"]);
    shows(&run(b2n().arg("status").arg(&spec)), 0, &["confirmed   assignment-rules, automations, "]);
    shows(&run(twins.b2n().arg("migrate").arg(&spec).args(FAST)), 0, &["every record is accounted for"]);
}

/// The line of a file that begins with a text, from 0.
#[track_caller]
fn line_of(path: &Path, begins: &str) -> usize {
    let text = std::fs::read_to_string(path).expect("the file");
    text.lines().position(|line| line.trim_start().starts_with(begins.trim_start())).expect("the line")
}

/// What `transform` makes of staged records, one object per record, in their order.
fn transformed(spec: &Path, map: &str, records: &[Vec<u8>]) -> Vec<Json> {
    let mut child = b2n()
        .args(["transform", "--map", map])
        .arg(spec)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut stdin = child.stdin.take().expect("its input");
    let lines = records.join(&b'\n');
    let writer = std::thread::spawn(move || stdin.write_all(&lines).expect("writes"));
    let ran = Ran::new(child.wait_with_output().expect("ends"));
    writer.join().expect("writes");
    let lines: Vec<Json> = ran.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), records.len(), "{}", ran.all());
    lines
}

#[test]
fn a_diff_over_a_workspace_counts_what_comes_out_otherwise() {
    let twins = Twins::start(&["--scale", "0.05", "--seed", "3", "--unthrottled"]);
    let (folder, spec) = example();
    shows(&run(twins.b2n().arg("extract").arg(&spec)), 0, &[]);
    let new = folder.path().join("new.b2n");
    std::fs::copy(&spec, &new).expect("a copy");
    edited(&new, &[("=> \"Phone\"", "=> \"Telephone call\""), ("the portal's own company", "our own")]);
    let workspace = spec.with_extension("b2nw");
    let diff = |more: &[&str]| {
        run(b2n().arg("diff").args([&spec, &new]).arg("--workspace").arg(&workspace).args(more))
    };
    // The snapshot is of another portal than the records: two customers are never compared.
    shows(&diff(&[]), 2, &["holds records of `127.0.0.1:", "acme.bitrix24.com"]);
    shows(&run(twins.b2n().args(["drift", "--live", "--update"]).arg(&spec)), 0, &["updated"]);

    let told = json(&diff(&["--format", "json", "--show-values"]));
    let workspace_ = b2n::run::workspace::Workspace::open_existing(&workspace).expect("a workspace");
    let mut expected: Vec<(String, Json, u64, Json)> = Vec::new();
    for map in ["company", "contact", "deal"] {
        let staged = workspace_.staged_page(map, 0, 100_000).expect("records");
        let records: Vec<Vec<u8>> = staged.iter().map(|record| record.json.clone()).collect();
        let (was, is) = (transformed(&spec, map, &records), transformed(&new, map, &records));
        let mut fields: std::collections::BTreeMap<String, (u64, String)> = Default::default();
        for ((was, is), staged) in was.iter().zip(&is).zip(&staged) {
            let mut count = |field: &str| {
                fields.entry(field.to_owned()).or_insert((0, staged.key.clone())).0 += 1;
            };
            if was["outcome"] != is["outcome"] || was["reason"] != is["reason"] {
                count("");
                continue;
            }
            let names = |record: &Json| {
                record["fields"]
                    .as_object()
                    .map(|fields| fields.keys().cloned().collect())
                    .unwrap_or_default()
            };
            let (a, b): (Vec<String>, Vec<String>) = (names(was), names(is));
            let all: std::collections::BTreeSet<&String> = a.iter().chain(&b).collect();
            all.into_iter()
                .filter(|name| was["fields"][*name] != is["fields"][*name])
                .for_each(|name| count(name));
        }
        for (field, (records, key)) in fields {
            let field = if field.is_empty() { Json::Null } else { Json::from(field) };
            expected.push((map.to_owned(), field, records, Json::from(key)));
        }
    }
    drop(workspace_);
    assert!(expected.len() >= 3, "{expected:?}");
    let moved: Vec<(String, Json, u64, Json)> = told["moved"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| {
            let records = row["records"].as_u64().expect("a count");
            (
                row["map"].as_str().expect("a map").to_owned(),
                row["field"].clone(),
                records,
                row["witness"]["key"].clone(),
            )
        })
        .collect();
    assert_eq!(moved, expected);
    let phone =
        told["changes"].as_array().expect("changes").iter().find(|change| change["subject"] == "table");
    let phone = phone.expect("the row that changed");
    let all: u64 = expected.iter().filter(|row| row.0 != "company").map(|row| row.2).sum();
    assert_eq!(phone["exact"]["records"], all);
    assert_eq!(
        (&phone["exact"]["witness"]["old"], &phone["exact"]["witness"]["new"]),
        (&Json::from("Phone"), &Json::from("Telephone call"))
    );
    // What goes into a pull request shows ids only.
    let shy = diff(&["--format", "json"]);
    assert!(json(&shy)["changes"].as_array().is_some_and(|changes| !changes.is_empty()));
    assert!(!shy.out.contains("\"old\":\"Phone\"") && shy.out.contains("witness"), "{}", shy.out);
    shows(&diff(&[]), 1, &["counted one by one", &format!("exactly {all}")]);
    shows(&diff(&["--fail-on", "loss"]), 0, &[]);
}

#[test]
fn drift_against_live_accounts_goes_on_to_a_spec_that_checks() {
    let twins = Twins::start(&["--scale", "0.05", "--seed", "3", "--unthrottled"]);
    let (folder, spec) = example();
    let drift = |more: &[&str]| run(twins.b2n().args(["drift", "--live"]).arg(&spec).args(more));
    // Of the same schema: another address, other counts, no rule is hit.
    shows(&drift(&["--no-statistics"]), 0, &["no rule is hit"]);
    shows(&drift(&["--update"]), 0, &["updated"]);
    shows(&drift(&[]), 0, &["no drift"]);

    // The spec and its snapshot from before the portal had this stage.
    let snapshot = folder.path().join("schema/bitrix24.yaml");
    // Deals and their histories have it.
    let stage = ("      - UC_7F3K: На паузе\n", "");
    edited(&snapshot, &[stage, stage]);
    let text = std::fs::read_to_string(&snapshot).expect("the snapshot");
    let without: Vec<&str> = text.lines().filter(|line| !line.trim().starts_with("UC_7F3K: ")).collect();
    std::fs::write(&snapshot, without.join("\n") + "\n").expect("writes");
    let text = std::fs::read_to_string(&spec).expect("the spec");
    let row = text.lines().find(|line| line.contains("\"UC_7F3K\"")).expect("the row").to_owned();
    std::fs::write(&spec, text.replace(&format!("{row}\n"), "")).expect("writes");
    shows(&check(&spec), 0, &["checks"]);

    let found = drift(&[]);
    shows(&found, 1, &["UC_7F3K", "На паузе", "B2N-E0301", "pipeline `sales` misses"]);
    let told = json(&drift(&["--format", "json"]));
    assert_eq!(told["format"], "b2n-drift/1", "{told}");
    // Accepted, the snapshot has it and the spec does not; with the row in place again it checks.
    shows(&drift(&["--update"]), 1, &["updated"]);
    shows(&check(&spec), 1, &["B2N-E0301"]);
    std::fs::write(&spec, text).expect("writes");
    shows(&check(&spec), 0, &["checks"]);
    shows(&drift(&[]), 0, &["no drift"]);
}

#[test]
fn transform_tells_places_in_their_own_file() {
    let (_folder, spec) = customer("rebstock");
    let lines = transformed(&spec, "company", &[br#"{"ID":"1","TITLE":"We","IS_MY_COMPANY":"Y"}"#.to_vec()]);
    let line = lines[0]["line"].as_u64().expect("a line") as usize;
    assert_eq!(
        (&lines[0]["outcome"], &lines[0]["file"]),
        (&Json::from("left out"), &Json::from("standard (shipped)"))
    );
    let profile = std::fs::read_to_string(root().join("specs/standard.b2n")).expect("the profile");
    assert!(
        profile.lines().nth(line - 1).is_some_and(|line| line.contains("where not IS_MY_COMPANY")),
        "{line}"
    );
    // Of the spec itself.
    let (_folder, spec) = example();
    let lines = transformed(&spec, "company", &[br#"{"ID":"1","TITLE":"We","IS_MY_COMPANY":"Y"}"#.to_vec()]);
    assert_eq!(lines[0]["file"], spec.display().to_string());
    assert_eq!(lines[0]["line"], 1 + line_of(&spec, "where not IS_MY_COMPANY"));
}
