//! The real binary in a clean environment: bad input, real sockets, kills.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use b2n::run::workspace::Workspace;

use crate::world::root;

mod approval;
mod delta;
mod events;
mod examples;
mod journeys;
mod keeping;
mod plainly;
mod probing;
mod reporting;
mod reviewing;
mod scoping;
mod secrets;

/// A command with nothing inherited but what finding a temporary folder needs.
pub(crate) fn b2n() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_b2n"));
    command.env_clear().env("COLUMNS", "100").env("LANG", "C.UTF-8").stdin(Stdio::null()).current_dir(root());
    command
}

/// Into the twin's account, as fast as it answers.
pub(crate) const FAST: [&str; 4] = ["--yes-into", "379104", "--rate", "5000"];

/// Everything that a person may have to confirm.
const ITEMS: &str =
    "automations,assignment-rules,webhooks,notifications,calendar-sync,mail-sync,open-leads,custom-fields";

/// Somebody's word for the plan, without which nothing is written.
#[track_caller]
fn approved(spec: &Path) {
    let ran = run(b2n().arg("approve").arg(spec).args(["--by", "ops@acme.example", "--yes"]));
    shows(&ran, 0, &["approved by ops@acme.example"]);
}

/// What every migration needs first: approval, the fields, and somebody's word for what no API shows.
#[track_caller]
pub(crate) fn provisioned(twins: &Twins, spec: &Path) {
    approved(spec);
    let ran = run(twins.b2n().arg("provision").arg(spec).args(FAST).args(["--confirm", ITEMS]));
    shows(&ran, 0, &["nothing is left for a person to do"]);
}

/// What a command printed, and its exit code.
pub(crate) struct Ran {
    pub(crate) code: i32,
    out: String,
    err: String,
}

impl Ran {
    fn new(output: Output) -> Ran {
        Ran {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    pub(crate) fn all(&self) -> String {
        format!("exit {}\n--- out\n{}--- err\n{}", self.code, self.out, self.err)
    }
}

pub(crate) fn run(command: &mut Command) -> Ran {
    let ran = Ran::new(command.output().expect("the binary runs"));
    assert!(!ran.err.contains("panicked"), "{}", ran.all());
    ran
}

/// A copy of the example in a folder of its own.
pub(crate) fn example() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let from = root().join("examples/acme");
    std::fs::create_dir(folder.path().join("schema")).expect("a folder");
    for name in ["acme.b2n", "schema/bitrix24.yaml", "schema/nutshell.yaml"] {
        std::fs::copy(from.join(name), folder.path().join(name)).expect("a copy");
    }
    let spec = folder.path().join("acme.b2n");
    (folder, spec)
}

fn check(spec: &Path) -> Ran {
    run(b2n().arg("check").arg(spec))
}

/// The spec of the example, changed.
fn changed(change: impl FnOnce(String) -> Vec<u8>) -> (tempfile::TempDir, Ran) {
    let (folder, spec) = example();
    let text = std::fs::read_to_string(&spec).expect("the spec");
    std::fs::write(&spec, change(text)).expect("writes");
    let ran = check(&spec);
    (folder, ran)
}

#[track_caller]
pub(crate) fn shows(ran: &Ran, code: i32, words: &[&str]) {
    assert_eq!(ran.code, code, "{}", ran.all());
    for word in words {
        assert!(ran.out.contains(word) || ran.err.contains(word), "`{word}` is not in\n{}", ran.all());
    }
}

#[test]
fn the_example_checks() {
    let (_folder, spec) = example();
    shows(&check(&spec), 0, &["checks"]);
}

#[test]
fn a_broken_spec_gives_every_finding_in_one_run() {
    let (_folder, ran) = changed(|text| {
        text.replacen("-> Account {", "-> Acount {", 1)
            .replacen("CURRENCY_ID", "CURENCY_ID", 1)
            .replacen("=>", "=", 1)
            .into_bytes()
    });
    shows(&ran, 1, &["B2N-E01", "Account", "CURRENCY_ID", "help"]);
}

#[test]
fn crlf_and_a_byte_order_mark_change_nothing() {
    let (_folder, ran) = changed(|text| format!("\u{feff}{}", text.replace('\n', "\r\n")).into_bytes());
    shows(&ran, 0, &["checks"]);
}

#[test]
fn bytes_that_are_not_utf_8_are_placed() {
    let (_folder, ran) = changed(|text| {
        let mut bytes = text.into_bytes();
        bytes.splice(0..0, *b"edition 2026\n\xff\xfe");
        bytes
    });
    shows(&ran, 1, &["B2N-E0102", "line 2", "UTF-8"]);
}

#[test]
fn a_line_of_ten_megabytes_is_refused() {
    let (_folder, ran) = changed(|text| format!("{text}# {}\n", "x".repeat(10 * 1024 * 1024)).into_bytes());
    shows(&ran, 1, &["B2N-E0103"]);
}

#[test]
fn nesting_ten_thousand_deep_is_a_finding() {
    let deep = format!("zone {}\"Europe/Moscow\"{}", "(".repeat(10_000), ")".repeat(10_000));
    let (_folder, ran) = changed(|text| format!("{text}\n{deep}\n").into_bytes());
    shows(&ran, 1, &["B2N-E01"]);
    let rule = format!("  name <- {}TITLE{}", "first([".repeat(5_000), "])".repeat(5_000));
    let (_folder, ran) =
        changed(|text| text.replacen("  key ID", &format!("  key ID\n{rule}"), 1).into_bytes());
    shows(&ran, 1, &["B2N-E0104"]);
}

#[test]
fn snapshots_that_are_missing_foreign_or_doubled_are_told_apart() {
    let (folder, spec) = example();
    let path = folder.path().join("schema/bitrix24.yaml");
    let text = std::fs::read_to_string(&path).expect("the snapshot");
    std::fs::write(&path, text.replacen("b2n-snapshot/1", "b2n-snapshot/9", 1)).expect("writes");
    shows(&check(&spec), 1, &["B2N-E0212", "b2n-snapshot/9"]);
    std::fs::write(&path, format!("{text}\nconnector: again\n")).expect("writes");
    shows(&check(&spec), 1, &["B2N-E0212", "connector"]);
    std::fs::remove_file(&path).expect("removes");
    shows(&check(&spec), 1, &["B2N-E0211", "b2n snapshot bitrix24 -o"]);
}

#[test]
fn a_title_over_a_hundred_characters_is_a_finding_before_it_is_a_refusal() {
    let (_folder, ran) =
        changed(|text| text.replacen("TITLE.trim().cut(100)", "TITLE.trim()", 1).into_bytes());
    shows(&ran, 1, &["B2N-E0501", "text(100)"]);
}

#[test]
fn wrong_use_is_exit_2_and_says_what_to_do() {
    shows(&run(b2n().args(["check", "nowhere.b2n"])), 2, &["nowhere.b2n", "b2n init"]);
    shows(&run(b2n().args(["explain", "E9999"])), 2, &["--list"]);
    shows(&run(b2n().args(["frobnicate"])), 2, &["frobnicate"]);
    let (_folder, spec) = example();
    shows(&run(b2n().arg("status").arg(&spec)), 2, &["b2n extract"]);
    shows(&run(b2n().arg("migrate").arg(&spec)), 2, &["B2N_BITRIX24_WEBHOOK"]);
    shows(&run(b2n().args(["transform", "--map", "nothing"]).arg(&spec)), 2, &["company, contact, deal"]);
}

#[test]
fn fmt_refuses_a_broken_spec_and_leaves_it_as_it_is() {
    let (_folder, spec) = example();
    shows(&run(b2n().args(["fmt", "--check"]).arg(&spec)), 0, &[]);
    let broken = "edition 2026\nmap company -> {\n";
    std::fs::write(&spec, broken).expect("writes");
    shows(&run(b2n().arg("fmt").arg(&spec)), 1, &["stays as it is"]);
    assert_eq!(std::fs::read_to_string(&spec).expect("reads"), broken);
}

#[test]
fn init_makes_a_folder_that_says_how_to_go_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let made = folder.path().join("customer");
    shows(&run(b2n().arg("init").arg(&made)), 0, &["b2n snapshot bitrix24"]);
    shows(&run(b2n().arg("init").arg(&made)), 2, &["not empty"]);
    shows(&check(&made.join("migration.b2n")), 1, &["B2N-E0211"]);
}

#[test]
fn every_help_has_an_example() {
    for sub in b2n::face::cli::command().get_subcommands() {
        let ran = run(b2n().arg(sub.get_name()).arg("--help"));
        assert_eq!(ran.code, 0, "{}", ran.all());
        assert!(ran.out.contains("Example"), "{} --help has no example:\n{}", sub.get_name(), ran.out);
    }
}

#[test]
fn machine_output_is_json_and_names_its_format() {
    let (_folder, spec) = example();
    for (args, format) in [
        (vec!["check"], "b2n-check/1"),
        (vec!["plan"], "b2n-plan/1"),
        (vec!["rehearse", "--share", "0.02"], "b2n-rehearsal/2"),
    ] {
        let ran = run(b2n().args(&args).arg(&spec).args(["--format", "json"]));
        assert_eq!(ran.code, 0, "{}", ran.all());
        let json: serde_json::Value =
            serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}\n{}", ran.all()));
        assert_eq!(json["format"], format, "{args:?}");
    }
    let ran = run(b2n().args(["check", "nowhere.b2n", "--format", "json"]));
    let json: serde_json::Value = serde_json::from_str(&ran.out).expect("json");
    assert_eq!((json["format"].as_str(), json["exit"].as_u64()), (Some("b2n-error/1"), Some(2)));
}

/// A running `b2n twin`, ended with the test.
pub(crate) struct Twins {
    child: Child,
    /// Where this test's locks are: tests that run beside it write into an account of the same number.
    locks: tempfile::TempDir,
    webhook: String,
    pub(crate) nutshell: String,
}

impl Twins {
    pub(crate) fn start(args: &[&str]) -> Twins {
        let mut child = b2n().arg("twin").args(args).stdout(Stdio::piped()).spawn().expect("the twin starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
        let words: Vec<&str> = line.split_whitespace().collect();
        let after = |name: &str| {
            words
                .iter()
                .position(|word| *word == name)
                .map(|at| words[at + 1].to_owned())
                .unwrap_or_else(|| panic!("{line}"))
        };
        let locks = tempfile::tempdir().expect("a temporary folder");
        Twins { webhook: after("bitrix24"), nutshell: after("nutshell"), child, locks }
    }

    pub(crate) fn b2n(&self) -> Command {
        let mut command = b2n();
        command
            .env("B2N_BITRIX24_WEBHOOK", &self.webhook)
            .env("B2N_NUTSHELL_URL", &self.nutshell)
            .env("B2N_NUTSHELL_USER", "admin@acme.example")
            .env("B2N_NUTSHELL_KEY", "key")
            .env("TMPDIR", self.locks.path())
            // A request over loopback ends with its process: nothing of it takes effect later.
            .env("B2N_TEST_DEAD_MS", "500");
        command
    }
}

impl Drop for Twins {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_migration_over_real_sockets_closes_and_leaks_no_secret() {
    let twins = Twins::start(&["--scale", "0.05", "--seed", "3", "--unthrottled"]);
    let (folder, spec) = example();
    shows(&run(twins.b2n().arg("migrate").arg(&spec)), 1, &["is not approved", "b2n approve SPEC"]);
    approved(&spec);
    shows(&run(twins.b2n().arg("migrate").arg(&spec)), 2, &["--yes-into 379104"]);
    shows(&run(twins.b2n().arg("migrate").arg(&spec).args(["--yes-into", "1"])), 2, &["nothing was written"]);
    let refused = run(twins.b2n().arg("migrate").arg(&spec).args(FAST));
    shows(&refused, 1, &["nobody has confirmed", "--confirm automations,"]);
    provisioned(&twins, &spec);
    let ran = run(twins.b2n().arg("migrate").arg(&spec).args(FAST));
    shows(&ran, 0, &["every record is accounted for"]);
    shows(
        &run(twins.b2n().arg("reconcile").arg(&spec).args(["--rate", "5000"])),
        0,
        &["every record is accounted for"],
    );
    let csv = folder.path().join("books.csv");
    let proven = run(twins
        .b2n()
        .args(["reconcile", "--rate", "5000", "--format", "json", "--show-values", "--out"])
        .arg(&csv)
        .arg(&spec));
    shows(&proven, 0, &["\"format\":\"b2n-run/2\"", "\"closes\":true", "\"compared\":"]);
    let rows = std::fs::read_to_string(&csv).expect("the file");
    assert!(rows.starts_with("what,map,key,object,id,status,field,kind,reason,planned,found\r\n"), "{rows}");
    let json: serde_json::Value = serde_json::from_str(&proven.out).expect("json");
    for map in json["maps"].as_array().expect("maps") {
        let begin = format!("record,{},", map["map"].as_str().expect("a name"));
        let ends = rows.lines().filter(|row| row.starts_with(&begin)).count() as u64;
        assert_eq!(Some(ends), map["source"].as_u64(), "every record of {} has a row", map["map"]);
    }
    assert!(rows.lines().any(|row| row.starts_with("sum,deal,")), "{rows}");
    assert!(!rows.contains("/rest/1/secret"), "the webhook is in the file");
    // An export that was made in the portal: a record that was not extracted counts, one that it lacks does not.
    let export = folder.path().join("DEAL_20261121.csv");
    let against = |content: &str, code: i32, shown: &[&str]| {
        std::fs::write(&export, content).expect("writes");
        let ran = run(twins.b2n().args(["reconcile", "--rate", "5000", "--csv"]).arg(&export).arg(&spec));
        shows(&ran, code, shown);
    };
    let first =
        rows.lines().find_map(|row| row.strip_prefix("record,deal,")?.split(',').next()).expect("a deal");
    against(&format!("\u{feff}ID;Название\r\n{first};a\r\n"), 0, &["exports of the source"]);
    against(&format!("ID,Title\n{first},a\n999999,b\n"), 1, &["deal: 999999 were not extracted"]);
    against("Title\nb\n", 2, &["no column `ID`"]);
    shows(&run(b2n().arg("status").arg(&spec)), 0, &["379104"]);
    let again = run(twins.b2n().arg("migrate").arg(&spec).args(FAST));
    shows(&again, 0, &["every record is accounted for"]);
    for text in [&ran.out, &ran.err, &again.out, &again.err] {
        assert!(!text.contains("/rest/1/secret"), "the webhook was printed:\n{text}");
    }
    let workspace = std::fs::read(folder.path().join("acme.b2nw")).expect("the workspace");
    assert!(
        !workspace.windows(14).any(|bytes| bytes == b"/rest/1/secret"),
        "the webhook is in the workspace"
    );
    // Another account is refused, naming both.
    let other = Twins::start(&["--scale", "0.01", "--seed", "4", "--unthrottled"]);
    shows(&run(other.b2n().arg("migrate").arg(&spec)), 2, &["is bound to"]);
}

#[test]
fn what_the_network_does_wrong_is_exit_3_with_a_next_step() {
    let twins = Twins::start(&["--scale", "0.01", "--unthrottled"]);
    let (_folder, spec) = example();
    let refused = run(twins.b2n().env("B2N_NUTSHELL_URL", "http://127.0.0.1:9").arg("migrate").arg(&spec));
    shows(&refused, 3, &["does not answer", "run the same command again"]);
    let wrong_key = run(twins.b2n().env("B2N_NUTSHELL_KEY", "wrong").arg("migrate").arg(&spec));
    shows(&wrong_key, 3, &["B2N_NUTSHELL_KEY"]);
    let wrong_hook = run(twins
        .b2n()
        .env("B2N_BITRIX24_WEBHOOK", twins.webhook.replace("secret", "other"))
        .arg("migrate")
        .arg(&spec));
    shows(&wrong_hook, 3, &["B2N_BITRIX24_WEBHOOK"]);
    // A page where JSON was due: the Nutshell twin's own HTML, asked at the portal's place.
    let html = twins.webhook.replacen(
        twins.webhook.split('/').nth(2).expect("a host"),
        twins.nutshell.split('/').nth(2).expect("a host"),
        1,
    );
    let html = run(twins.b2n().env("B2N_BITRIX24_WEBHOOK", html).arg("migrate").arg(&spec));
    shows(&html, 3, &[]);
    let plain = run(twins.b2n().env("B2N_NUTSHELL_URL", "http://example.com").arg("migrate").arg(&spec));
    shows(&plain, 2, &["plain http"]);
}

/// Kills the process again and again, and lets it go on each time.
#[cfg(unix)]
#[test]
fn a_killed_migration_goes_on_to_the_same_end() {
    let twins = Twins::start(&["--scale", "0.05", "--seed", "5", "--unthrottled"]);
    let (_folder, spec) = example();
    provisioned(&twins, &spec);
    let mut killed = 0;
    for after in [150, 250, 350, 450, 600] {
        let mut child = twins
            .b2n()
            .arg("migrate")
            .arg(&spec)
            .args(FAST)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        std::thread::sleep(Duration::from_millis(after));
        if child.try_wait().expect("waits").is_none() {
            killed += 1;
            child.kill().expect("kills");
        }
        child.wait().expect("ends");
    }
    assert!(killed > 0, "it was through before it could be killed once");
    let ran = run(twins.b2n().arg("migrate").arg(&spec).args(FAST));
    shows(&ran, 0, &["every record is accounted for"]);
}

/// Records of the twin's account, as the vendor's API counts them.
fn standing(twins: &Twins) -> usize {
    let status = run(twins.b2n().args(["snapshot", "nutshell", "-o"]).arg(twins.locks.path().join("n.yaml")));
    assert_eq!(status.code, 0, "{}", status.all());
    let text = std::fs::read_to_string(twins.locks.path().join("n.yaml")).expect("a snapshot");
    text.matches("Bitrix24 key").count()
}

#[test]
fn a_rollback_over_real_sockets_does_what_it_announced() {
    let twins = Twins::start(&["--scale", "0.02", "--seed", "7", "--unthrottled"]);
    let (_folder, spec) = example();
    let rollback =
        |args: &[&str]| run(twins.b2n().arg("rollback").arg(&spec).args(["--rate", "5000"]).args(args));
    shows(&rollback(&["--dry-run"]), 2, &["does not exist"]);
    provisioned(&twins, &spec);
    let ran = run(twins.b2n().arg("migrate").arg(&spec).args(FAST));
    shows(&ran, 0, &["every record is accounted for"]);
    let dry = rollback(&["--dry-run"]);
    shows(&dry, 0, &["RPC deleteLead", "nothing was written", "the API deletes no custom fields"]);
    let json = rollback(&["--dry-run", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!((&json["format"], &json["dry_run"]), (&"b2n-rollback/1".into(), &true.into()));
    assert_eq!(json["maps"][0]["map"], "deal", "dependents come first: {json}");
    let deals = json["maps"][0]["delete"].as_u64().expect("a number");
    assert!(deals > 0);
    shows(
        &rollback(&["--only", "company"]),
        2,
        &["records of other maps link to", "`deal`", "--only contact"],
    );
    shows(&rollback(&[]), 2, &["wants to be confirmed", "--yes-into 379104", "nothing was written"]);
    shows(&rollback(&["--yes-into", "1"]), 2, &["nothing was written"]);
    // No credentials of the source are needed: it is never asked.
    let ran = run(twins
        .b2n()
        .env_remove("B2N_BITRIX24_WEBHOOK")
        .arg("rollback")
        .arg(&spec)
        .args(FAST)
        .args(["--format", "json"]));
    assert_eq!(ran.code, 0, "{}", ran.all());
    let done: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!((&done["as_announced"], &done["nothing_left"]), (&true.into(), &true.into()), "{done}");
    assert_eq!(done["maps"][0]["deleted"].as_u64(), Some(deals), "{done}");
    assert!(standing(&twins) > 0, "the marker's fields stay");
    shows(&run(b2n().arg("status").arg(&spec)), 0, &["rolled back:", "0 stay"]);
    shows(&rollback(&[]), 2, &["nothing to roll back"]);
    provisioned(&twins, &spec);
    let again = run(twins.b2n().arg("migrate").arg(&spec).args(FAST));
    shows(&again, 0, &["every record is accounted for"]);
}

/// Kills the process again and again while it takes a migration back, and lets it go on each time.
#[cfg(unix)]
#[test]
fn a_killed_rollback_goes_on_to_the_same_end() {
    let twins = Twins::start(&["--scale", "0.05", "--seed", "8", "--unthrottled"]);
    let (_folder, spec) = example();
    provisioned(&twins, &spec);
    shows(&run(twins.b2n().arg("migrate").arg(&spec).args(FAST)), 0, &["every record is accounted for"]);
    let (mut killed, mut under_way) = (0, false);
    for after in [400, 50, 150, 300] {
        let mut child = twins
            .b2n()
            .arg("rollback")
            .arg(&spec)
            .args(FAST)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        // Once everything was looked at, or a map is taken back, records are being deleted.
        let told = BufReader::new(child.stderr.take().expect("its errors")).lines();
        let mut told = told.map_while(Result::ok);
        told.find(|line| line.starts_with("look at company") || line.starts_with("take back"));
        std::thread::sleep(Duration::from_millis(after));
        if child.try_wait().expect("waits").is_none() {
            killed += 1;
            child.kill().expect("kills");
        }
        child.wait().expect("ends");
        let status = run(b2n().arg("status").arg(&spec));
        assert_eq!(status.code, 0, "{}", status.all());
        if status.out.contains("a rollback is under way") {
            under_way = true;
            let refused = run(twins.b2n().arg("migrate").arg(&spec).args(FAST));
            shows(&refused, 2, &["is not through", "b2n rollback"]);
        }
    }
    println!("killed {killed} times, under way {under_way}");
    let ran = run(twins.b2n().arg("rollback").arg(&spec).args(FAST));
    assert!(ran.code == 0 || ran.err.contains("nothing to roll back"), "{}", ran.all());
    shows(&run(b2n().arg("status").arg(&spec)), 0, &["0 stay"]);
}

/// Ctrl-C ends it cleanly, says how to go on, and the same command goes on.
#[cfg(unix)]
#[test]
fn ctrl_c_stops_cleanly_and_resumes() {
    let twins = Twins::start(&["--scale", "0.2", "--seed", "6"]);
    let (_folder, spec) = example();
    approved(&spec);
    // Through the file itself: this twin answers as slowly as a real account.
    let confirmed = Workspace::open(&spec.with_extension("b2nw")).expect("a workspace");
    for item in ITEMS.split(',') {
        let note = serde_json::json!({"at_ms": 0, "extent": u64::MAX, "what": ""}).to_string();
        confirmed.set_note(&format!("confirmed {item}"), &note).expect("a note");
    }
    drop(confirmed);
    let lock = spec.with_extension("b2nw-lock");
    std::fs::remove_file(&lock).expect("a lock that nobody holds");
    let mut child = twins
        .b2n()
        .arg("migrate")
        .arg(&spec)
        .args(FAST)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let started = Instant::now();
    while !lock.exists() && started.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_millis(500));
    let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(interrupt.success());
    let mut err = String::new();
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("waits") {
            std::io::Read::read_to_string(&mut child.stderr.take().expect("its errors"), &mut err)
                .expect("reads");
            assert_eq!(status.code(), Some(3), "{err}");
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "it does not stop");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(err.contains("goes on from here"), "{err}");
    let status = run(b2n().arg("status").arg(&spec));
    assert_eq!(status.code, 0, "{}", status.all());
}

#[test]
fn transform_reads_and_writes_lines() {
    let (_folder, spec) = example();
    let mut child = b2n()
        .args(["transform", "--map", "company"])
        .arg(&spec)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut stdin = child.stdin.take().expect("its input");
    stdin.write_all(b"{\"ID\":\"7\",\"TITLE\":\"  Pumps  \"}\n\nnot json\n").expect("writes");
    drop(stdin);
    let ran = Ran::new(child.wait_with_output().expect("ends"));
    assert_eq!(ran.code, 1, "{}", ran.all());
    let lines: Vec<serde_json::Value> =
        ran.out.lines().map(|line| serde_json::from_str(line).expect("json")).collect();
    assert_eq!(lines.len(), 2, "{}", ran.all());
    assert_eq!(lines[0]["fields"]["name"], "Pumps", "{}", ran.all());
    assert_eq!(lines[1]["line"], 3, "{}", ran.all());
}

#[test]
fn a_reader_that_leaves_early_is_no_fault() {
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_b2n"))
        .args(["explain", "--list"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success(), "{:?}", output.status);
}
