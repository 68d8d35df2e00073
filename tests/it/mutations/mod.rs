//! Fuzzing over bytes and damaged texts: whatever is in a file, nothing panics, every place lies in its text, and what
//! checks can be formatted, run, documented and compared.
//!
//! Everything is a function of a seed, which is printed. `B2N_SEED` and `B2N_CASES` choose another one and how long.

mod drive;
mod long;
mod mutate;
mod program;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use b2n::lang::fuzz::Dice;
use b2n::lang::schema::Schema;
use b2n::lang::text::SourceText;

use crate::conformance;
use crate::world::root;

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// Runs cases of a seed, and says which one it was when one panics.
fn cases(what: &str, otherwise: u64, mut case: impl FnMut(&mut Dice) -> String) {
    let (seed, many) = (setting("B2N_SEED", 1), setting("B2N_CASES", otherwise));
    println!("{what}: seed {seed}, {many} cases");
    let mut input = String::new();
    for number in setting("B2N_FIRST", 0)..many {
        let mut dice = Dice::of(seed, number);
        let done = catch_unwind(AssertUnwindSafe(|| input = case(&mut dice)));
        if let Err(panic) = done {
            println!("{what}: B2N_SEED={seed} B2N_FIRST={number} B2N_CASES={} runs it again", number + 1);
            resume_unwind(panic);
        }
    }
}

/// Runs something on a text that is printed when it panics.
fn shown<T>(text: &str, run: impl FnOnce() -> T) -> T {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(value) => value,
        Err(panic) => {
            let head: String = text.chars().take(6000).collect();
            println!("the text was:\n{head}\n--- end, {} bytes, as a literal:\n{head:?}", text.len());
            resume_unwind(panic);
        }
    }
}

/// The specs of the conformance corpus that stand alone: those that check, and among many of these one of the others.
fn specs() -> Vec<String> {
    let all = conformance::cases();
    let alone = all.iter().filter(|(_, case)| {
        let shop = case.head("schemas").is_none_or(|name| name == "shop");
        let checks =
            case.section("output").is_some() || case.head("about").is_some_and(|about| about.len() % 8 == 0);
        shop && case.texts().len() == 1 && checks
    });
    alone.map(|(_, case)| case.texts()[0].1.to_owned()).collect()
}

fn yaml(side: &str) -> String {
    let path = root().join("tests/conformance/schemas/shop").join(format!("{side}.yaml"));
    std::fs::read_to_string(path).expect("a snapshot of the corpus")
}

fn schemas() -> (Schema, Schema) {
    conformance::schemas("shop")
}

#[test]
fn damaged_specs_do_no_harm() {
    let (specs, (source, target)) = (specs(), schemas());
    let (mut checked, mut told) = (0, 0);
    cases("damaged specs", 1_200, |dice| {
        let base = dice.pick(&specs).cloned().unwrap_or_default();
        let text = mutate::mutate(&base, &specs, dice);
        let size = shown(&text, || drive::spec(&text, &source, &target, dice.roll()));
        checked += u64::from(size.checked);
        told += u64::from(size.findings > 0);
        text
    });
    println!("{checked} of them check, {told} have findings");
    assert!(
        checked > 0 && told > 0,
        "the damage is too small or too great: {checked} check, {told} have findings"
    );
}

#[test]
fn damaged_specs_are_compared_with_what_they_were() {
    let (specs, (source, target)) = (specs(), schemas());
    let mut compared = 0;
    cases("compared specs", 400, |dice| {
        let base = dice.pick(&specs).cloned().unwrap_or_default();
        let text = mutate::mutate(&base, &specs, dice);
        compared += u64::from(shown(&text, || drive::compared(&base, &text, &source, &target)));
        text
    });
    println!("{compared} pairs check and were compared");
    assert!(compared > 0);
}

#[test]
fn any_bytes_are_refused_or_read() {
    let (source, target) = schemas();
    let mut texts = specs();
    texts.truncate(20);
    texts.extend([yaml("source"), yaml("target")]);
    texts.push(format!("# lock\nprofile \"a.b2n\" blake3 {}\n", "0a".repeat(32)));
    texts.push("# users\n1: a@b.example\n\"2\": c@d.example\n".to_owned());
    cases("any bytes", 1_200, |dice| {
        let bytes = mutate::bytes(&texts, dice);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        shown(&text, || drive::file(&bytes, &source, &target));
        text
    });
}

#[test]
fn damaged_snapshots_are_refused_or_read_as_they_are() {
    let (specs, (source, target)) = (specs(), schemas());
    let yaml = [yaml("source"), yaml("target")];
    let (mut read, mut drifted) = (0, 0);
    cases("damaged snapshots", 400, |dice| {
        let side = dice.below(2);
        let text = mutate::mutate(&yaml[side], &yaml, dice);
        let schema = shown(&text, || drive::schema(&SourceText::new("s.yaml", text.as_str())));
        if let Some(newer) = schema {
            read += 1;
            // Now and then a spec is held against it.
            if dice.one_in(4) {
                drifted += 1;
                let spec = dice.pick(&specs).cloned().unwrap_or_default();
                shown(&format!("{spec}\n--- against\n{text}"), || {
                    if side == 0 {
                        drive::drifted(&spec, &source, &target, &newer);
                        drive::spec(&spec, &newer, &target, 1);
                    } else {
                        drive::drifted(&spec, &source, &target, &newer);
                        drive::spec(&spec, &source, &newer, 1);
                    }
                });
            }
        }
        text
    });
    println!("{read} of them are snapshots, {drifted} were held against a spec");
    assert!(read > 0 && drifted > 0);
}

#[test]
fn damaged_locks_are_told_and_pinned_anew() {
    let good = format!(
        "# Profiles\nprofile \"a.b2n\" blake3 {0}\nprofile \"standard\" blake3 {0}\n",
        "0a".repeat(32)
    );
    cases("damaged locks", 3_000, |dice| {
        let text = mutate::mutate(&good, &[], dice);
        shown(&text, || drive::lock(&SourceText::new("b2n.lock", text.as_str())));
        text
    });
}
