//! Findings of files, folders and locks: the program is run on them in a folder of their own.

use std::path::Path;

use b2n::lang::finding::registry;

use super::{Case, cases, compare, corpus};

/// More than a spec may have, in bytes.
const TOO_LARGE: usize = 4 * 1024 * 1024 + 1;

fn b2n(folder: &Path, arguments: &[&str]) -> String {
    crate::findings::b2n(folder, arguments).1
}

/// A folder with what the corpus' specs name. Its snapshots do not say when they were taken, so that they do not
/// grow old.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for part in ["schema", "profile"] {
        std::fs::create_dir(folder.path().join(part)).expect("a folder");
        for entry in std::fs::read_dir(corpus().join(part)).expect("a folder of the corpus") {
            let path = entry.expect("an entry").path();
            let text = std::fs::read_to_string(&path).expect("a file");
            let text: String = text
                .split_inclusive('\n')
                .filter(|line| part != "schema" || !line.starts_with("taken: "))
                .collect();
            let name = path.file_name().expect("a name");
            std::fs::write(folder.path().join(part).join(name), text).expect("writes");
        }
    }
    folder
}

/// A project with the case as its spec.
fn project(case: &Case, good: bool) -> tempfile::TempDir {
    let folder = folder();
    let spec = folder.path().join(format!("{}.b2n", case.name));
    let mut bytes = case.bytes.clone();
    if case.code() == registry::FILE_TOO_LARGE && !good {
        bytes = case.bytes.repeat(TOO_LARGE / case.bytes.len() + 1);
    }
    std::fs::write(&spec, bytes).expect("writes");
    let pinned = good || case.code() == registry::PROFILE_CHANGED;
    if pinned {
        b2n(folder.path(), &["check", &format!("{}.b2n", case.name), "--update-lock"]);
    }
    if case.code() == registry::PROFILE_CHANGED && !good {
        let profile = folder.path().join("profile/base.b2n");
        let text = std::fs::read_to_string(&profile).expect("the profile");
        std::fs::write(&profile, text.replace("Company {ID}", "Customer {ID}")).expect("writes");
    }
    folder
}

/// `CODE LINE:COLUMN` of each finding of a spec, as the program tells them.
fn places(folder: &Path, spec: &str) -> Vec<String> {
    let told = b2n(folder, &["check", spec, "--format", "json"]);
    let json: serde_json::Value =
        serde_json::from_str(&told).unwrap_or_else(|error| panic!("{spec}: {error}\n{told}"));
    let mut places = Vec::new();
    for file in json["files"].as_array().expect("files") {
        for finding in file["findings"].as_array().expect("findings") {
            let code = finding["code"].as_str().expect("a code");
            places.push(match (finding["line"].as_u64(), finding["column"].as_u64()) {
                (Some(line), Some(column)) => format!("{code} {line}:{column}"),
                _ => code.to_owned(),
            });
        }
    }
    places.sort();
    places
}

/// What the program finds in an example of a page, in a project with the sample's snapshots, the snapshot of an unknown
/// layout and a profile; `pinned` says that its profiles are pinned first.
pub(super) fn example(text: &str, pinned: bool) -> Vec<String> {
    let folder = folder();
    let name = |part: &str| folder.path().join("schema").join(part);
    std::fs::copy(name("tiny.yaml"), name("bitrix24.yaml")).expect("a copy");
    let profile = folder.path().join("profile/base.b2n");
    std::fs::create_dir(folder.path().join("profiles")).expect("a folder");
    std::fs::copy(profile, folder.path().join("profiles/agency.b2n")).expect("a copy");
    std::fs::write(folder.path().join("example.b2n"), text).expect("writes");
    if pinned {
        b2n(folder.path(), &["check", "example.b2n", "--update-lock"]);
    }
    places(folder.path(), "example.b2n")
}

#[test]
fn files_that_cannot_be_read_are_told_as_expected() {
    let mut wrong = Vec::new();
    let mut run = 0;
    for case in cases("err").iter().filter(|case| case.by_program()) {
        run += 1;
        let folder = project(case, false);
        let found = places(folder.path(), &format!("{}.b2n", case.name));
        if found != case.expected() {
            wrong.push(format!("{}: expected {:?}, found {found:?}", case.name, case.expected()));
        }
        let drawn = b2n(folder.path(), &["check", &format!("{}.b2n", case.name)]);
        // What was checked, with its hashes, is no part of what was found.
        let drawn: String =
            drawn.split_inclusive('\n').take_while(|line| !line.starts_with("checks ")).collect();
        wrong.extend(compare(&corpus().join("err").join(format!("{}.txt", case.name)), &drawn));
    }
    assert!(run >= super::BY_PROGRAM.len(), "{run} files");
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn files_that_can_be_read_check() {
    let mut wrong = Vec::new();
    for case in cases("ok").iter().filter(|case| case.by_program()) {
        let folder = project(case, true);
        let found = places(folder.path(), &format!("{}.b2n", case.name));
        if found != case.expected() {
            wrong.push(format!("{}: expected {:?}, found {found:?}", case.name, case.expected()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
