//! Reads the imports of `src` and holds the table of rooms in `book/src/architecture.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Rooms and what each may use. The same table stands in the book for people; `the_book_shows_this_table` compares.
const ROOMS: &[(&str, &[&str])] = &[
    ("lang/text", &[]),
    ("lang/finding", &["lang/text"]),
    ("lang/types", &[]),
    ("lang/value", &["lang/text", "lang/types"]),
    ("lang/syntax", &["lang/text", "lang/finding", "lang/types", "lang/value"]),
    ("lang/schema", &["lang/text", "lang/finding", "lang/types", "lang/value"]),
    ("lang/functions", &["lang/text", "lang/finding", "lang/types", "lang/value"]),
    (
        "lang/plan",
        &["lang/text", "lang/finding", "lang/types", "lang/value", "lang/functions", "lang/schema"],
    ),
    (
        "lang/check",
        &[
            "lang/text",
            "lang/finding",
            "lang/types",
            "lang/value",
            "lang/syntax",
            "lang/schema",
            "lang/functions",
            "lang/plan",
        ],
    ),
    ("lang/eval", &["lang/text", "lang/types", "lang/value", "lang/functions", "lang/plan"]),
    (
        "lang/diff",
        &[
            "lang/text",
            "lang/finding",
            "lang/types",
            "lang/value",
            "lang/syntax",
            "lang/schema",
            "lang/functions",
            "lang/plan",
            "lang/eval",
        ],
    ),
    (
        "lang/drift",
        &["lang/text", "lang/finding", "lang/syntax", "lang/schema", "lang/plan", "lang/check", "lang/diff"],
    ),
    (
        "lang/draft",
        &[
            "lang/text",
            "lang/finding",
            "lang/types",
            "lang/value",
            "lang/syntax",
            "lang/schema",
            "lang/check",
        ],
    ),
    ("lang/doc", &["lang/text", "lang/types", "lang/value", "lang/schema", "lang/plan"]),
    ("lang/fuzz", &["lang/types", "lang/value", "lang/schema", "lang/plan", "lang/eval"]),
    (
        "lang/suite",
        &[
            "lang/text",
            "lang/finding",
            "lang/types",
            "lang/value",
            "lang/syntax",
            "lang/schema",
            "lang/plan",
            "lang/check",
            "lang/eval",
            "lang/fuzz",
        ],
    ),
    ("run/connect", &["lang/text", "lang/finding", "lang/types", "lang/value", "lang/schema", "lang/plan"]),
    ("run/workspace", &["lang/text", "lang/value", "lang/plan"]),
    (
        "run/engine",
        &[
            "lang/eval",
            "lang/plan",
            "lang/value",
            "lang/schema",
            "lang/types",
            "run/connect",
            "run/workspace",
        ],
    ),
    ("run/twin", &[]),
    ("run/rehearsal", &["lang/schema", "lang/types", "lang/value", "run/connect", "run/twin"]),
    ("face/review", &["lang/text", "lang/plan", "run/workspace", "run/engine"]),
    ("face/report", &["lang/doc", "lang/plan", "lang/schema", "run/connect", "run/engine"]),
    (
        "face/cli",
        &[
            "lang/text",
            "lang/finding",
            "lang/types",
            "lang/value",
            "lang/syntax",
            "lang/schema",
            "lang/functions",
            "lang/plan",
            "lang/check",
            "lang/eval",
            "lang/diff",
            "lang/drift",
            "lang/draft",
            "lang/doc",
            "lang/fuzz",
            "lang/suite",
            "run/connect",
            "run/workspace",
            "run/engine",
            "run/twin",
            "run/rehearsal",
            "face/report",
            "face/review",
        ],
    ),
];

/// Crates that one file or room alone may name.
const CRATES: &[(&str, &str)] = &[
    ("pest", "lang/syntax"),
    ("pest_derive", "lang/syntax"),
    ("miette", "lang/finding"),
    ("serde_yaml", "lang/schema"),
    ("reqwest", "run/connect"),
    ("rusqlite", "run/workspace"),
    // The one server plays somebody else's, the other is ours.
    ("axum", "run/twin"),
    ("axum", "face/review"),
    ("clap", "face/cli"),
    ("indicatif", "face/cli"),
    ("comfy_table", "face/cli"),
    ("secrecy", "run/connect"),
    ("rlibphonenumber", "lang/value"),
    ("html2text", "lang/value"),
    ("email_address", "lang/value"),
];

/// Rooms in which a vendor's name is a bug (comments and tests apart).
const VENDORLESS: &[&str] = &["lang/check", "lang/plan", "lang/eval", "run/engine", "run/workspace"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> =
        std::fs::read_dir(folder).expect("a folder of src").map(|e| e.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// Every source file with its room; files that are in none (the wings' own `mod.rs`) are left out.
fn files() -> Vec<(String, PathBuf, String)> {
    let src = root().join("src");
    let mut paths = Vec::new();
    sources(&src, &mut paths);
    paths
        .into_iter()
        .filter_map(|path| {
            let relative = path.strip_prefix(&src).expect("below src").to_string_lossy().replace('\\', "/");
            let mut parts = relative.split('/');
            let room = format!("{}/{}", parts.next()?, parts.next()?);
            if room.ends_with(".rs") {
                return None;
            }
            let text = std::fs::read_to_string(&path).expect("a source file");
            Some((room, path, text))
        })
        .collect()
}

/// Code without comments and without what follows `#[cfg(test)]` on a module at the end of the file.
fn code(text: &str) -> String {
    let text = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Whether a file holds tests only.
fn is_test(path: &Path) -> bool {
    path.iter().any(|part| part == "tests")
        || path.file_stem().is_some_and(|stem| {
            let stem = stem.to_string_lossy();
            stem == "tests" || stem.ends_with("_tests") || stem == "testing"
        })
}

/// Rooms that a piece of code names: `crate::lang::{text, value}`, `crate::run::connect::…`.
fn named(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for wing in ["lang", "run", "face"] {
        let mut rest = code;
        let prefix = format!("crate::{wing}::");
        while let Some(at) = rest.find(&prefix) {
            rest = &rest[at + prefix.len()..];
            if let Some(list) = rest.strip_prefix('{') {
                let mut depth = 0;
                let mut word = String::new();
                for c in list.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => {
                            found.insert(format!("{wing}/{}", first_word(&word)));
                            word.clear();
                            continue;
                        }
                        _ => {}
                    }
                    if depth == 0 {
                        word.push(c);
                    }
                }
                found.insert(format!("{wing}/{}", first_word(&word)));
            } else {
                found.insert(format!("{wing}/{}", first_word(rest)));
            }
        }
    }
    found.retain(|room| !room.ends_with('/'));
    found
}

fn first_word(text: &str) -> String {
    text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

#[test]
fn every_room_is_in_the_table_and_imports_what_it_may() {
    let table: BTreeMap<&str, BTreeSet<&str>> =
        ROOMS.iter().map(|(room, may)| (*room, may.iter().copied().collect())).collect();
    let mut wrong = Vec::new();
    for (room, path, text) in files() {
        let Some(may) = table.get(room.as_str()) else {
            wrong.push(format!("{}: the room `{room}` is not in the table", path.display()));
            continue;
        };
        if is_test(&path) {
            continue;
        }
        for other in named(&code(&text)) {
            if other != room && !may.contains(other.as_str()) {
                wrong.push(format!("{}: `{room}` may not use `{other}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn imports_are_seen_in_every_form() {
    let seen = named(
        "use crate::lang::{text::Span, value::{Value, Item}, plan};\nuse crate::run::connect;\ncrate::lang::types::Base",
    );
    let expected = ["lang/plan", "lang/text", "lang/types", "lang/value", "run/connect"];
    assert_eq!(seen.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

#[test]
fn each_of_these_crates_is_used_in_one_room() {
    let mut wrong = Vec::new();
    for (room, path, text) in files() {
        if is_test(&path) {
            continue;
        }
        let code = code(&text);
        for (name, home) in CRATES {
            let used = code.contains(&format!("{name}::")) || code.contains(&format!("use {name};"));
            if used && room != *home && !CRATES.contains(&(*name, room.as_str())) {
                wrong.push(format!("{}: `{name}` belongs to `{home}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_above_the_connectors_names_a_vendor() {
    let mut wrong = Vec::new();
    for (room, path, text) in files() {
        if !VENDORLESS.contains(&room.as_str()) || is_test(&path) || path.ends_with("sample_schema.rs") {
            continue;
        }
        for (number, line) in code(&text).lines().enumerate() {
            let lower = line.to_lowercase();
            if lower.contains("bitrix") || lower.contains("nutshell") {
                wrong.push(format!("{} (line {} of its code): {line}", path.display(), number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_language_reads_no_clock_file_environment_or_randomness() {
    let mut wrong = Vec::new();
    for (room, path, text) in files() {
        if !room.starts_with("lang/") || is_test(&path) {
            continue;
        }
        let code = code(&text);
        for forbidden in [
            "std::fs",
            "std::env",
            "TcpStream",
            "UdpSocket",
            "ToSocketAddrs",
            "std::process",
            "std::thread",
            "SystemTime",
            "Instant::now",
            "Zoned::now",
            "Timestamp::now",
            "RandomState",
        ] {
            if code.contains(forbidden) {
                wrong.push(format!("{}: `{forbidden}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_module_says_what_it_owns() {
    let silent: Vec<String> = files()
        .into_iter()
        .filter(|(_, path, text)| !is_test(path) && !text.starts_with("//!"))
        .map(|(_, path, _)| path.display().to_string())
        .collect();
    assert!(silent.is_empty(), "no module head in:\n{}", silent.join("\n"));
}

#[test]
fn the_book_shows_this_table() {
    let book = std::fs::read_to_string(root().join("book/src/architecture.md"))
        .expect("the book's architecture page");
    for (room, may) in ROOMS {
        let row = book
            .lines()
            .find(|line| line.starts_with(&format!("| `{room}` |")))
            .unwrap_or_else(|| panic!("the book has no row for `{room}`"));
        let shown: BTreeSet<&str> =
            row.split('|').nth(3).expect("a third column").split('`').skip(1).step_by(2).collect();
        let may: BTreeSet<&str> = may.iter().copied().collect();
        assert_eq!(shown, may, "the book's row for `{room}`");
    }
}
