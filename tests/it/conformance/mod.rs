//! The conformance corpus: what the language says of small specs, as data that any implementation could run.
//!
//! `tests/conformance/README.md` tells the format. Here every case runs through the checker, the fast program and the
//! plain interpreter, and once more as the formatter lays it out. `B2N_BLESS=1` rewrites what is expected.

mod case;
mod record;
pub mod run;
mod shown;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use b2n::lang::functions;
use b2n::lang::schema::{Schema, snapshot};
use b2n::lang::text::SourceText;

use crate::world::root;
pub use case::Case;
use case::VERSION;
use run::run;

fn folder() -> PathBuf {
    root().join("tests/conformance")
}

/// Every case file, sorted.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|end| end == "case") {
            found.push(path);
        }
    }
}

/// Every case with its file.
pub fn cases() -> Vec<(PathBuf, Case)> {
    let mut paths = Vec::new();
    files(&folder().join("cases"), &mut paths);
    paths
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a case is text");
            let case = Case::read(&text).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
            (path, case)
        })
        .collect()
}

/// The schemas of a folder, the source first.
pub fn schemas(name: &str) -> (Schema, Schema) {
    let read = |side: &str| {
        let path = folder().join("schemas").join(name).join(format!("{side}.yaml"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let text = SourceText::new(path.display().to_string(), text);
        snapshot::read(&text).unwrap_or_else(|found| panic!("{}: {found:#?}", path.display()))
    };
    (read("source"), read("target"))
}

#[test]
fn every_case_comes_out_as_expected() {
    let bless = std::env::var_os("B2N_BLESS").is_some();
    let mut known: BTreeMap<String, (Schema, Schema)> = BTreeMap::new();
    let (mut wrong, mut derived) = (Vec::new(), 0);
    let cases = cases();
    for (path, case) in &cases {
        let name = path.strip_prefix(folder()).unwrap_or(path).display().to_string();
        derived += usize::from(case.head("from").is_some());
        let schemas = known
            .entry(case.head("schemas").unwrap_or("shop").to_owned())
            .or_insert_with_key(|name| schemas(name));
        let got = match run(case, &schemas.0, &schemas.1) {
            Ok(got) => got,
            Err(why) => {
                wrong.push(format!("{name}: {why}"));
                continue;
            }
        };
        if bless {
            let text = case.blessed(&got);
            std::fs::write(path, text).expect("a case is written");
            continue;
        }
        wrong.extend(case.differences(&got).into_iter().map(|difference| format!("{name}: {difference}")));
    }
    println!(
        "conformance version {VERSION}: {} cases, {derived} of them name the document that they follow",
        cases.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases.len() >= 70 && derived >= 50, "the corpus shrank");
}

/// Every function and every word that begins an item or a line stands in a case that checks.
#[test]
fn the_corpus_speaks_of_the_whole_language() {
    let mut said = String::new();
    for (_, case) in cases() {
        if case.section("output").is_some() {
            for (_, text) in case.texts() {
                said.push_str(text);
                said.push('\n');
            }
        }
    }
    let missing: Vec<&str> = functions::all()
        .iter()
        .map(|function| function.name)
        .filter(|name| {
            let call = format!("{name}(");
            let called = said
                .match_indices(&call)
                .any(|(at, _)| !said[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'));
            !called && !said.contains(&format!("each({name})"))
        })
        .collect();
    assert!(missing.is_empty(), "functions without a case: {missing:?}");
    let words = [
        "edition ",
        "source ",
        "target ",
        "zone ",
        "use ",
        "replace ",
        "refine ",
        "owners {",
        "match by email",
        "dismissed ",
        "otherwise ",
        "table ",
        "_ unseen",
        "pipeline ",
        "won ",
        "lost ",
        "cancelled ",
        "fn ",
        "map ",
        " as ",
        "key ",
        "match existing by ",
        "on existing ",
        "on delete ",
        "where ",
        "custom ",
        "note ",
        "drop ",
        " empty",
        " declined ",
        " derived from ",
        "gap ",
        "split ",
        "listed ",
        "flatten ",
        "pick latest by ",
        "pick earliest by ",
        "orphan =>",
        "for each",
        "at most ",
        "order {",
        " before ",
        "budget {",
        "accept ",
        "proposed ",
        "when ",
        "labelled ",
        "else ",
        "on fail ",
        "on unmigrated ",
        "in a second pass",
        "narrowed because",
        "merged because",
        "summarised because",
        "unset",
        "skip ",
        "flag ",
        "wait",
        "quarantine",
        "stop",
        "each rows {",
        "refs ",
        "ref ",
        "pipeline by ",
        "user(",
        "has ",
        "not ",
        " and ",
        " or ",
        "count()",
        "sum(",
        "min(",
        "max(",
        "lines(",
        "fixture ",
        "test ",
    ];
    let missing: Vec<&&str> = words.iter().filter(|word| !said.contains(**word)).collect();
    assert!(missing.is_empty(), "constructs without a case: {missing:?}");
}
