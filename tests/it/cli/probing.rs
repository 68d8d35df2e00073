//! `b2n probe` over real sockets: what it asks first, what it keeps, and how it ends when somebody ends it.

use std::io::{BufRead, BufReader};

use serde_json::Value as Json;

use super::*;

#[track_caller]
fn json(ran: &Ran) -> Json {
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}\n{}", ran.all()))
}

fn probe(twins: &Twins, args: &[&str]) -> Command {
    let mut command = twins.b2n();
    command.args(["probe", "nutshell"]).args(args);
    command
}

fn leftovers(twins: &Twins) -> Vec<Json> {
    let dry = run(&mut probe(twins, &["--dry-run", "--rate", "5000", "--format", "json"]));
    assert_eq!(dry.code, 0, "{}", dry.all());
    json(&dry)["leftovers"].as_array().expect("leftovers").clone()
}

#[test]
fn a_probe_wants_a_word_and_writes_its_answers_where_a_migration_finds_them() {
    let twins = Twins::start(&["--scale", "0.02", "--unthrottled"]);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("nutshell.yaml");
    let shown = file.display().to_string();
    shows(
        &run(&mut probe(&twins, &["-o", &shown])),
        2,
        &["a probe of `Acme Inc` (379104) wants to be confirmed"],
    );
    shows(&run(&mut probe(&twins, &["--yes-into", "1"])), 2, &["nothing was written"]);
    assert!(!file.exists() && leftovers(&twins).is_empty());

    let args = ["-o", &shown, "--yes-into", "379104", "--rate", "5000", "--make-fields", "--format", "json"];
    let ran = run(&mut probe(&twins, &args));
    assert_eq!(ran.code, 0, "{}", ran.all());
    let told = json(&ran);
    assert_eq!(
        (told["format"].as_str(), told["written"].as_str()),
        (Some("b2n-probe/1"), Some(shown.as_str()))
    );
    assert!(told["left"].as_array().is_some_and(Vec::is_empty), "{told}");
    let text = std::fs::read_to_string(&file).expect("the snapshot");
    assert!(text.contains("probed:\n") && text.contains("    custom_date: both\n"), "{text}");
    for answer in told["answers"].as_array().expect("answers") {
        let key = format!("\n    {}: ", answer["question"].as_str().expect("a name"));
        assert_eq!(text.contains(&key), !answer["answer"].is_null(), "{answer}");
    }
    // A new look at the account answers nothing, and takes no answer back.
    shows(&run(twins.b2n().args(["snapshot", "nutshell", "-o", &shown])), 0, &["took"]);
    let again = std::fs::read_to_string(&file).expect("the snapshot");
    assert!(again.contains("    custom_date: both\n"), "{again}");
    // The snapshot of another account takes none of these answers.
    std::fs::write(&file, again.replace("account: \"379104\"", "account: \"7\"")).expect("writes");
    let other = run(&mut probe(&twins, &["-o", &shown, "--yes-into", "379104"]));
    shows(&other, 2, &["is a snapshot of nutshell `7`, and nutshell `379104` answers"]);
}

/// Starts a probe, and waits until it has made records.
fn under_way(twins: &Twins) -> Child {
    let mut command = probe(twins, &["--yes-into", "379104", "--rate", "25"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let made = lines.any(|line| line.expect("a line").starts_with("contact_name_object"));
    assert!(made, "it ended before it had made a contact");
    // What it prints from now on must be read, or it ends with its reader.
    std::thread::spawn(move || lines.count());
    child
}

#[test]
fn a_probe_that_is_stopped_cleans_up_and_one_that_is_killed_is_cleaned_up_after() {
    let twins = Twins::start(&["--scale", "0.02", "--unthrottled"]);
    let child = under_way(&twins);
    let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(interrupt.success());
    let ended = Ran::new(child.wait_with_output().expect("it ends"));
    assert_eq!(ended.code, 3, "{}", ended.all());
    assert!(ended.err.contains("of the probe are deleted, and no answer is kept"), "{}", ended.all());
    assert!(leftovers(&twins).is_empty());

    let mut child = under_way(&twins);
    child.kill().expect("kills");
    child.wait().expect("it ends");
    let left = leftovers(&twins);
    assert!(!left.is_empty(), "nothing was left");
    let ran = run(&mut probe(&twins, &["--yes-into", "379104", "--rate", "5000"]));
    shows(&ran, 0, &["which an earlier probe left", "nothing was kept"]);
    assert!(leftovers(&twins).is_empty());
}
