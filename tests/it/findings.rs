//! Findings as they leave the program: formats of other tools, fingerprints that survive a new layout, fixes.

use std::path::Path;
use std::process::{Command, Stdio};

use b2n::lang::check::{self, Input};
use b2n::lang::finding::{Finding, fingerprints, registry};
use b2n::lang::schema::{Schema, snapshot};
use b2n::lang::syntax;
use b2n::lang::text::SourceText;
use proptest::prelude::*;

use crate::world::root;

struct Example {
    text: String,
    source: Schema,
    target: Schema,
}

fn example() -> Example {
    let folder = root().join("examples/acme");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("a file of the example");
    let schema =
        |name: &str| snapshot::read(&SourceText::new(name, read(name))).expect("a snapshot of the example");
    Example {
        text: read("acme.b2n"),
        source: schema("schema/bitrix24.yaml"),
        target: schema("schema/nutshell.yaml"),
    }
}

fn findings(example: &Example, text: &SourceText) -> Vec<Finding> {
    let (spec, mut findings) = syntax::parse(text);
    let input = Input {
        spec: &spec,
        text,
        source: Some(&example.source),
        target: Some(&example.target),
        source_hash: &example.source.hash(),
        target_hash: &example.target.hash(),
        source_name: "schema/bitrix24.yaml",
        target_name: "schema/nutshell.yaml",
        today: jiff::civil::date(2026, 11, 21),
        broken: &[],
    };
    findings.extend(check::check(&input).findings);
    findings.sort_by_key(|finding| finding.label.as_ref().map(|label| (label.span.start, label.span.end)));
    findings
}

fn prints(example: &Example, text: &str) -> Vec<String> {
    let text = SourceText::new("acme.b2n", text);
    let findings = findings(example, &text);
    let prints = fingerprints(&findings, &text);
    // Clauses in another order are what the formatter itself puts right.
    let stays = |finding: &Finding| finding.code != registry::CLAUSE_ORDER;
    let mut prints: Vec<String> = prints
        .into_iter()
        .zip(&findings)
        .filter(|(_, finding)| stays(finding))
        .map(|(print, _)| print)
        .collect();
    prints.sort();
    prints
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A line of the example is left out, so that something is found; then the file is laid out anew.
    #[test]
    fn fingerprints_survive_a_new_layout(gone in 0usize..400, every in 2usize..9, indent in 0usize..5) {
        let example = example();
        let lines: Vec<&str> = example.text.lines().collect();
        let gone = gone % lines.len();
        let broken: String =
            lines.iter().enumerate().filter(|(at, _)| *at != gone).map(|(_, line)| format!("{line}\n")).collect();
        let before = prints(&example, &broken);

        let mut other = String::new();
        for (at, line) in broken.lines().enumerate() {
            let bare = line.trim_start();
            let blanks = line.len() - bare.len();
            if bare.starts_with('#') && at % 2 == 0 {
                continue;
            }
            other.push_str(&" ".repeat(blanks + if blanks > 0 { indent } else { 0 }));
            other.push_str(bare);
            other.push_str(if at % every == 0 { "  # moved here\n" } else { "\n" });
        }
        prop_assert_eq!(&before, &prints(&example, &other), "line {} gone", gone + 1);

        // What parses is laid out by the formatter too; what does not is refused.
        for text in [&broken, &other] {
            if let Ok(formatted) = syntax::format(&SourceText::new("acme.b2n", text.as_str())) {
                prop_assert_eq!(&before, &prints(&example, &formatted), "line {} gone, formatted", gone + 1);
            }
        }
    }
}

/// Runs the program in a folder: its exit code, and what it prints, errors last.
pub fn b2n(folder: &Path, args: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_b2n"))
        .env_clear()
        .env("COLUMNS", "100")
        .env("LANG", "C.UTF-8")
        .env("B2N_CACHE_DIR", folder.join("cache"))
        .stdin(Stdio::null())
        .current_dir(folder)
        .args(args)
        .output()
        .expect("the binary runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(!err.contains("panicked"), "{err}");
    (output.status.code().unwrap_or(-1), out + &err)
}

/// The example in a folder of its own, its spec changed.
fn folder(change: impl FnOnce(String) -> String) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let from = root().join("examples/acme");
    std::fs::create_dir(folder.path().join("schema")).expect("a folder");
    for name in ["schema/bitrix24.yaml", "schema/nutshell.yaml"] {
        std::fs::copy(from.join(name), folder.path().join(name)).expect("a copy");
    }
    let text = std::fs::read_to_string(from.join("acme.b2n")).expect("the spec");
    std::fs::write(folder.path().join("acme.b2n"), change(text)).expect("writes");
    folder
}

#[test]
fn every_format_tells_the_same_findings() {
    let folder = folder(|text| text.replacen("-> Account {", "-> Acount {", 1));
    let of = |format: &str| b2n(folder.path(), &["check", "acme.b2n", "--format", format]);
    let (code, json) = of("json");
    let json: serde_json::Value = serde_json::from_str(&json).expect("json");
    let rows = json["files"][0]["findings"].as_array().expect("findings").len();
    assert_eq!(code, 1);
    assert!(rows > 0);
    let (_, sarif) = of("sarif");
    let sarif: serde_sarif::sarif::Sarif = serde_json::from_str(&sarif).expect("the standard takes it");
    let results = sarif.runs[0].results.as_ref().expect("results");
    assert_eq!(results.len(), rows);
    let uri = results[0]
        .locations
        .as_ref()
        .and_then(|l| l[0].physical_location.as_ref()?.artifact_location.as_ref()?.uri.clone());
    assert_eq!(uri.as_deref(), Some("acme.b2n"));
    assert_eq!(of("github").1.lines().filter(|line| line.starts_with("::error ")).count(), json["errors"]);
    let gitlab: Vec<serde_json::Value> = serde_json::from_str(&of("gitlab").1).expect("json");
    assert_eq!(gitlab.len(), rows);
    assert!(
        of("junit")
            .1
            .contains(&format!("<testsuites name=\"b2n\" tests=\"{rows}\" failures=\"{}\"", json["errors"]))
    );
    let (code, said) = b2n(folder.path(), &["plan", "acme.b2n", "--format", "sarif"]);
    assert_eq!(code, 2);
    assert!(said.contains("b2n check"), "{said}");
}

#[test]
fn fixes_are_shown_then_written_and_placeholders_never() {
    // A map without its key (safe), and a merged row without its reason (blank).
    let folder = folder(|text| {
        text.replacen("  key ID\n", "", 1).replacen(
            "\n    merged because \"one web source in Nutshell\"",
            "",
            1,
        )
    });
    let spec = folder.path().join("acme.b2n");
    let before = std::fs::read_to_string(&spec).expect("reads");
    let (code, diff) = b2n(folder.path(), &["check", "acme.b2n", "--fix", "--diff"]);
    assert_eq!(code, 1, "{diff}");
    assert!(diff.contains("\n+  key ID\n"), "{diff}");
    assert!(!diff.contains("merged"), "{diff}");
    assert_eq!(std::fs::read_to_string(&spec).expect("reads"), before, "--diff writes nothing");
    let (code, said) = b2n(folder.path(), &["check", "acme.b2n", "--fix=likely"]);
    assert_eq!(code, 1, "the reason is for a person:\n{said}");
    assert!(said.contains("fixed acme.b2n:") && said.contains("add `key ID`"), "{said}");
    assert!(said.contains("has blanks to fill in"), "{said}");
    let after = std::fs::read_to_string(&spec).expect("reads");
    assert!(after.contains("key ID") && !after.contains("because \"\""), "{after}");
    assert_eq!(
        std::fs::read_dir(folder.path())
            .expect("the folder")
            .filter(|e| e.as_ref().is_ok_and(|e| e.file_name().to_string_lossy().ends_with("tmp")))
            .count(),
        0
    );
}

#[test]
fn a_snapshot_is_read_from_the_cache_and_a_damaged_entry_is_written_anew() {
    let folder = folder(|text| text);
    let check = |args: &[&str]| b2n(folder.path(), &[&["check", "acme.b2n"], args].concat());
    let entries = || {
        let mut found: Vec<_> = std::fs::read_dir(folder.path().join("cache"))
            .expect("the cache")
            .map(|entry| entry.expect("an entry").path())
            .map(|path| (std::fs::read(&path).expect("reads"), path))
            .collect();
        found.sort();
        found
    };
    let cold = check(&[]);
    assert_eq!(cold.0, 0, "{}", cold.1);
    let kept = entries();
    assert_eq!(kept.len(), 2, "one per snapshot");
    assert_eq!(check(&[]), cold, "warm");
    for (bytes, path) in &kept {
        let mut damaged = bytes.clone();
        let last = damaged.len() - 2;
        damaged[last] ^= 1;
        std::fs::write(path, damaged).expect("writes");
    }
    assert_eq!(check(&["--no-cache"]), cold);
    assert_ne!(entries(), kept, "--no-cache leaves it alone");
    assert_eq!(check(&[]), cold, "what is damaged is not trusted");
    assert_eq!(entries(), kept, "and is written anew");
    // Another snapshot is another entry.
    let path = folder.path().join("schema/bitrix24.yaml");
    let text = std::fs::read_to_string(&path).expect("the snapshot");
    std::fs::write(&path, text.replacen("account: acme", "account: acne", 1)).expect("writes");
    assert_ne!(check(&[]).1, cold.1);
    assert_eq!(entries().len(), 3);
}

#[test]
fn the_certificate_leaves_statistics_out_and_the_document_bears_it() {
    let folder = folder(|text| text);
    let certificate = || {
        let (code, json) = b2n(folder.path(), &["check", "acme.b2n", "--format", "json"]);
        assert_eq!(code, 0, "{json}");
        let json: serde_json::Value = serde_json::from_str(&json).expect("json");
        json["certificate"].clone()
    };
    let first = certificate();
    let path = folder.path().join("schema/bitrix24.yaml");
    let text = std::fs::read_to_string(&path).expect("the snapshot");
    std::fs::write(&path, text.replacen("records: 500\n", "records: 501\n", 1)).expect("writes");
    assert_eq!(first, certificate(), "a count is no part of it");
    let whole = first["certificate"].as_str().expect("a hash");
    let (code, page) = b2n(folder.path(), &["doc", "acme.b2n"]);
    assert_eq!(code, 0);
    assert!(page.contains(whole) && page.contains("| 49 of 501 |"), "{page}");
    assert_eq!(b2n(folder.path(), &["doc", "acme.b2n", "-o", "acme.html"]).0, 0);
    let page = std::fs::read_to_string(folder.path().join("acme.html")).expect("the page");
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains(whole));
    // Another comment is the same plan under another certificate.
    let spec = folder.path().join("acme.b2n");
    let text = std::fs::read_to_string(&spec).expect("reads");
    std::fs::write(&spec, format!("{text}# agreed by telephone\n")).expect("writes");
    let second = certificate();
    assert_eq!(first["plan"], second["plan"]);
    assert_ne!(first["certificate"], second["certificate"]);
}
