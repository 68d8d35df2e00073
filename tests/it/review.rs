//! `b2n diff` and `b2n drift` as people run them: files, commits, workspaces of none, formats, exit codes.

use std::path::Path;
use std::process::{Command, Output};

use crate::world::root;

fn b2n(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_b2n"))
        .args(arguments)
        .current_dir(folder)
        .env("COLUMNS", "120")
        .env("NO_COLOR", "1")
        .env("LC_ALL", "C.UTF-8")
        .env("B2N_CACHE_DIR", folder.join("cache"))
        .output()
        .expect("the program runs")
}

fn run(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let output = b2n(folder, arguments);
    let text = String::from_utf8(output.stdout).expect("text") + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().expect("an exit code"), text)
}

fn git(folder: &Path, arguments: &[&str]) {
    let done = Command::new("git")
        .args(["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"])
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("git runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// The example in a folder of its own, below `crm`.
fn example() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let crm = folder.path().join("crm");
    std::fs::create_dir_all(crm.join("schema")).expect("a folder");
    for file in ["acme.b2n", "schema/bitrix24.yaml", "schema/nutshell.yaml"] {
        std::fs::copy(root().join("examples/acme").join(file), crm.join(file)).expect("a copy");
    }
    folder
}

fn edit(file: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(file).expect("a file");
    assert!(text.contains(from), "`{from}` does not stand in {}", file.display());
    std::fs::write(file, text.replacen(from, to, 1)).expect("a file");
}

#[test]
fn a_change_is_reviewed_against_a_commit() {
    let folder = example();
    let spec = folder.path().join("crm/acme.b2n");
    git(folder.path(), &["init", "-q"]);
    git(folder.path(), &["add", "."]);
    git(folder.path(), &["commit", "-q", "-m", "first"]);
    let (code, told) = run(folder.path(), &["diff", "HEAD:crm/acme.b2n", "crm/acme.b2n"]);
    assert_eq!(code, 0, "{told}");
    assert!(told.starts_with("no change in meaning"), "{told}");
    edit(&spec, "=> stage \"On hold\"", "=> quarantine");
    edit(&spec, "# ── Values", "# moved\n\n# ── Values");
    let crm = folder.path().join("crm");
    let (code, told) = run(&crm, &["diff", "HEAD:./acme.b2n", "acme.b2n"]);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("\"UC_7F3K\" `На паузе` goes to `quarantine` instead of"), "{told}");
    assert!(told.contains("loss gained"), "{told}");
    let (code, page) = run(&crm, &["diff", "HEAD:./acme.b2n", "acme.b2n", "--format", "markdown"]);
    assert_eq!(code, 1);
    assert!(page.contains("| change | records | effect | line |") && page.contains("acme.b2n:"), "{page}");
    let (code, json) =
        run(&crm, &["diff", "acme.b2n", "HEAD:./acme.b2n", "--format", "json", "--fail-on", "loss"]);
    assert_eq!(code, 0, "{json}");
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&json["format"], &json["summary"]["loss_healed"]), (&"b2n-diff/1".into(), &1.into()));
    for (arguments, said) in [
        (&["diff", "nowhere:acme.b2n", "acme.b2n"][..], "git knows no revision"),
        (&["diff", "HEAD:missing.b2n", "acme.b2n"][..], "has no file `missing.b2n`"),
        (&["diff", "HEAD:../../x.b2n", "acme.b2n"][..], "leads out of the repository"),
        (&["diff", "--", "-x:acme.b2n", "acme.b2n"][..], "is no revision"),
        (&["check", "acme.b2n", "--format", "markdown"][..], "`markdown` is a format of"),
    ] {
        let (code, told) = run(&crm, arguments);
        assert_eq!(code, 2, "{told}");
        assert!(told.contains(said), "{told}");
    }
}

#[test]
fn a_version_that_does_not_check_shows_its_findings() {
    let folder = example();
    let crm = folder.path().join("crm");
    std::fs::copy(crm.join("acme.b2n"), crm.join("new.b2n")).expect("a copy");
    edit(&crm.join("new.b2n"), "  \"NEW\" `Новая`                         => stage \"Qualify\"\n", "");
    edit(&crm.join("new.b2n"), "table phone_labels", "table labels_of_phones");
    let (code, told) = run(&crm, &["diff", "acme.b2n", "new.b2n", "--fail-on", "never"]);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("B2N-E0301") && told.contains("table labels_of_phones added"), "{told}");
}

#[test]
fn a_newer_snapshot_is_told_in_rules_and_accepted() {
    let folder = example();
    let crm = folder.path().join("crm");
    let newer = folder.path().join("newer.yaml");
    let text = std::fs::read_to_string(crm.join("schema/bitrix24.yaml")).expect("a snapshot");
    let (code, told) = run(&crm, &["drift", "acme.b2n", "--source", "schema/bitrix24.yaml"]);
    assert_eq!(code, 0, "{told}");
    assert!(told.starts_with("no drift"), "{told}");
    let field = "      TITLE:\n";
    assert!(text.contains(field));
    let added = "      UF_CRM_NEW:\n        type: text?\n        title: Новое\n        custom: true\n        stats: { filled: 7 }\n";
    std::fs::write(
        &newer,
        text.replacen(field, &format!("{field}        type: text?\n{added}      WAS_TITLE:\n"), 1),
    )
    .expect("a file");
    let (code, told) = run(&crm, &["drift", "acme.b2n", "--source", "../newer.yaml"]);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("field `company.UF_CRM_NEW` `Новое` added (7 records have a value)"), "{told}");
    assert!(told.contains("B2N-E0401"), "{told}");
    let (code, json) = run(&crm, &["drift", "acme.b2n", "--source", "../newer.yaml", "--format", "json"]);
    assert_eq!(code, 1);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["format"], "b2n-drift/1");
    let (code, _) = run(&crm, &["drift", "acme.b2n", "--source", "../newer.yaml", "--update"]);
    assert_eq!(code, 1);
    let (code, told) = run(&crm, &["drift", "acme.b2n", "--source", "../newer.yaml"]);
    assert_eq!(code, 0, "{told}");
    let (code, told) = run(&crm, &["check", "acme.b2n"]);
    assert_eq!(code, 1, "{told}");
    let (code, told) = run(&crm, &["drift", "acme.b2n"]);
    assert_eq!(code, 2, "{told}");
    let (code, told) = run(&crm, &["drift", "acme.b2n", "--source", "schema/nutshell.yaml"]);
    assert_eq!(code, 2, "{told}");
    assert!(told.contains("is a snapshot of `nutshell`"), "{told}");
}
