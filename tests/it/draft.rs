//! `b2n draft` as a command: what it writes, what it refuses, and that nothing drafted is migrated unread.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use b2n::lang::check::profile::shipped;
use b2n::lang::draft::Input;
use b2n::lang::finding::{Severity, registry};
use b2n::lang::text::SourceText;

use crate::world::root;

const OWNER: &str = "ops@acme.example";

fn b2n(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_b2n"));
    command.env_clear().env("COLUMNS", "100").env("LANG", "C.UTF-8").stdin(Stdio::null()).current_dir(folder);
    command
}

/// The snapshots of the example in a folder of their own.
fn schemas() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir(folder.path().join("schema")).expect("a folder");
    for name in ["schema/bitrix24.yaml", "schema/nutshell.yaml"] {
        std::fs::copy(root().join("examples/acme").join(name), folder.path().join(name)).expect("a copy");
    }
    folder
}

fn draft(folder: &Path, more: &[&str]) -> Output {
    b2n(folder)
        .args(["draft", "--source", "schema/bitrix24.yaml", "--target", "schema/nutshell.yaml"])
        .args(if more.contains(&"--no-profile") { &[][..] } else { &["--zone", "Europe/Berlin"] })
        .args(more)
        .output()
        .expect("the binary runs")
}

fn words(output: &Output) -> String {
    format!(
        "exit {:?}\n--- out\n{}--- err\n{}",
        output.status.code(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[track_caller]
fn says(output: &Output, code: i32, all: &[&str]) {
    let said = words(output);
    assert!(!said.contains("panicked"), "{said}");
    assert_eq!(output.status.code(), Some(code), "{said}");
    for word in all {
        assert!(said.contains(word), "`{word}` is not in\n{said}");
    }
}

/// Drafts into `draft.b2n`.
fn drafted(more: &[&str]) -> (tempfile::TempDir, PathBuf, Output) {
    let folder = schemas();
    let output = draft(folder.path(), &[&["--owner", OWNER, "-o", "draft.b2n"], more].concat());
    let spec = folder.path().join("draft.b2n");
    (folder, spec, output)
}

#[test]
fn a_draft_is_laid_out_and_checks_but_for_open_decisions() {
    for more in [&["--no-profile"][..], &[]] {
        let (folder, spec, output) = drafted(more);
        says(&output, 0, &["drafted", "proposed", "left to decide", "next:"]);
        assert!(output.stdout.is_empty(), "{}", words(&output));
        let text = std::fs::read_to_string(&spec).expect("a spec was written");
        assert!(text.contains("  todo ") && text.contains("  proposed 0."), "{text}");
        let laid =
            b2n(folder.path()).args(["fmt", "--check", "draft.b2n"]).output().expect("the binary runs");
        says(&laid, 0, &[]);
        let mut check = b2n(folder.path());
        check.args(["check", "draft.b2n", "--format", "json"]);
        if more.is_empty() {
            check.arg("--update-lock");
        }
        let checked = check.output().expect("the binary runs");
        says(&checked, 1, &["B2N-E0405"]);
        let json: serde_json::Value = serde_json::from_slice(&checked.stdout).expect("one object");
        let files = json["files"].as_array().expect("files");
        let findings: Vec<_> = files.iter().flat_map(|file| file["findings"].as_array()).flatten().collect();
        assert!(findings.iter().any(|finding| finding["code"] == "B2N-E0405"), "something is left to decide");
        let wrong =
            |finding: &&&serde_json::Value| finding["severity"] == "error" && finding["code"] != "B2N-E0405";
        let errors: Vec<_> = findings.iter().filter(wrong).collect();
        assert!(errors.is_empty(), "{errors:?}");
    }
}

#[test]
fn a_file_that_is_there_is_written_over_by_force_alone() {
    let (folder, spec, first) = drafted(&["--no-profile"]);
    says(&first, 0, &[]);
    std::fs::write(&spec, "# a week of work\n").expect("writes");
    let again = draft(folder.path(), &["--owner", OWNER, "-o", "draft.b2n"]);
    says(&again, 2, &["is there already", "--force"]);
    assert_eq!(std::fs::read_to_string(&spec).expect("it is there"), "# a week of work\n");
    let forced = draft(folder.path(), &["--owner", OWNER, "-o", "draft.b2n", "--force"]);
    says(&forced, 0, &["drafted"]);
    assert!(std::fs::read_to_string(&spec).expect("it is there").starts_with("edition 2026"));
}

#[test]
fn wrong_use_is_told_with_what_to_do() {
    let folder = schemas();
    let path = folder.path();
    says(&draft(path, &["--owner", "nobody@acme.example"]), 2, &["is no user there", "name an active user"]);
    says(&draft(path, &["--owner", OWNER, "--min", "2"]), 2, &["a number from 0 to 1"]);
    says(&draft(path, &["--owner", OWNER, "-o", "specs/draft.b2n"]), 2, &["lies outside the spec's folder"]);
    says(&draft(path, &[]), 2, &["--owner"]);
    std::fs::write(path.join("schema/nutshell.yaml"), "objects: [").expect("writes");
    says(&draft(path, &["--owner", OWNER]), 1, &["cannot be read as a snapshot"]);
}

#[test]
fn standard_output_holds_the_spec_or_one_json_object() {
    let folder = schemas();
    let plain = draft(folder.path(), &["--owner", OWNER, "--no-profile"]);
    says(&plain, 0, &["drafted a spec"]);
    let spec = String::from_utf8(plain.stdout).expect("a spec is UTF-8");
    assert!(spec.starts_with("edition 2026") && !spec.contains("drafted"), "{spec}");
    let json = draft(folder.path(), &["--owner", OWNER, "--no-profile", "--format", "json"]);
    says(&json, 0, &[]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).expect("one object");
    assert_eq!(json["format"], "b2n-draft/1");
    assert_eq!(json["spec"], spec.as_str(), "the same draft");
    let todo = spec.lines().filter(|line| line.trim_start().starts_with("todo ")).count();
    assert_eq!(json["counts"]["todo"], todo, "each open field is counted");
}

#[test]
fn what_is_proposed_open_or_a_hole_is_not_migrated() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir(folder.path().join("schema")).expect("a folder");
    let from = root().join("examples/acme");
    for name in ["schema/bitrix24.yaml", "schema/nutshell.yaml"] {
        std::fs::copy(from.join(name), folder.path().join(name)).expect("a copy");
    }
    let whole = std::fs::read_to_string(from.join("acme.b2n")).expect("the example");
    let line = "  confidence    <- PROBABILITY\n";
    assert!(whole.contains(line), "the example has the rule that is changed here");
    for (instead, told) in [
        ("  proposed 0.87 confidence <- PROBABILITY\n", &["1 decision is still open", "proposed"][..]),
        ("  todo PROBABILITY \"ask sales\"\n", &["1 decision is still open", "todo"][..]),
        ("  confidence    <- ???\n", &["B2N-E0510"][..]),
    ] {
        std::fs::write(folder.path().join("acme.b2n"), whole.replace(line, instead)).expect("writes");
        // No address of any system is given: it has to refuse before it asks for one.
        let ran = b2n(folder.path()).args(["migrate", "acme.b2n"]).output().expect("the binary runs");
        says(&ran, 1, told);
    }
}

#[test]
fn the_documented_systems_are_drafted() {
    // Without statistics nothing is known to be empty: every field is mapped, declined or left open.
    let Some((source, target)) = crate::documented::schemas() else { return };
    for profile in [None, shipped("standard").map(|text| ("standard", text))] {
        let drafted = b2n::lang::draft::draft(&Input {
            source: &source,
            target: &target,
            source_name: "schema/source.yaml",
            target_name: "schema/target.yaml",
            owner: OWNER,
            zone: Some("Europe/Berlin"),
            country: "US",
            min: 0.4,
            profile,
            today: jiff::civil::date(2026, 11, 21),
        });
        let wrong: Vec<String> = drafted
            .findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error && finding.code != registry::TODO_OPEN)
            .map(|finding| format!("{} {}", finding.code, finding.message))
            .collect();
        assert!(wrong.is_empty(), "{wrong:?}\n{}", drafted.text);
        let again = b2n::lang::syntax::format(&SourceText::new("draft", drafted.text.as_str()));
        assert_eq!(again.as_ref().ok(), Some(&drafted.text), "laid out");
        if profile.is_none() {
            for object in source.objects.iter().filter(|object| object.records != Some(0)) {
                for field in &object.fields {
                    assert!(drafted.text.contains(&field.name), "`{}` of `{}`", field.name, object.name);
                }
            }
        }
    }
}
