//! The program itself on damaged files: it says what is wrong and ends, whichever of its files is damaged.

use std::path::Path;
use std::process::{Command, Stdio};

use super::{cases, mutate, specs, yaml};

/// What is run on the files; each reads the spec, some a newer snapshot or another spec.
const COMMANDS: &[&[&str]] = &[
    &["check", "a.b2n", "--format", "json"],
    &["check", "a.b2n", "--fuzz", "5"],
    &["fmt", "--check", "a.b2n"],
    &["doc", "a.b2n"],
    &["diff", "good.b2n", "a.b2n"],
    &["drift", "good.b2n", "--source", "schema/other.yaml"],
    &["check", "a.b2n", "--update-lock"],
];

/// The files of a project; damage is done to one of them.
const FILES: &[&str] =
    &["a.b2n", "schema/source.yaml", "schema/target.yaml", "schema/other.yaml", "b2n.lock", "p.b2n"];

#[test]
fn the_program_ends_well_on_damaged_files() {
    let (specs, snapshots) = (specs(), [yaml("source"), yaml("target")]);
    let good = specs.first().cloned().unwrap_or_default();
    // Processes cost more than calls: one case of this in a hundred of the others.
    let mut turn = 0u64;
    cases("damaged projects", 1_000, |dice| {
        turn += 1;
        if turn % 100 != 1 {
            return String::new();
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("schema")).expect("a folder");
        let damaged = dice.pick(FILES).copied().unwrap_or_default();
        for name in FILES {
            let text = match *name {
                "a.b2n" => format!("{good}use \"p.b2n\"\n"),
                "p.b2n" => "edition 2026\nfn same(x: text?) -> text? = x\n".to_owned(),
                "schema/target.yaml" => snapshots[1].clone(),
                "b2n.lock" => format!("profile \"p.b2n\" blake3 {}\n", "0a".repeat(32)),
                _ => snapshots[0].clone(),
            };
            let bytes = if name == &damaged {
                if dice.one_in(2) {
                    mutate::bytes(&[text], dice)
                } else {
                    mutate::mutate(&text, &specs, dice).into_bytes()
                }
            } else {
                text.into_bytes()
            };
            std::fs::write(folder.path().join(name), bytes).expect("a file is written");
        }
        std::fs::write(folder.path().join("good.b2n"), &good).expect("a file is written");
        for args in COMMANDS {
            let (code, said) = b2n(folder.path(), args);
            assert!(matches!(code, Some(0..=3)), "{damaged}: {args:?} ends with {code:?}\n{said}");
            assert!(!said.contains("panicked"), "{damaged}: {args:?}\n{said}");
            assert!(code == Some(0) || !said.trim().is_empty(), "{damaged}: {args:?} fails without a word");
        }
        String::new()
    });
}

fn b2n(folder: &Path, args: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_b2n"))
        .env_clear()
        .env("LANG", "C.UTF-8")
        .env("B2N_CACHE_DIR", "")
        .stdin(Stdio::null())
        .current_dir(folder)
        .args(args)
        .output()
        .expect("the program runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}
