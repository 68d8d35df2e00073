//! `why` and `where`: every value that stands in the destination has a chain, and every staged record an answer.
//! The oracle is the destination twin, read by the reader of the reconciliation.

use std::collections::HashSet;

use b2n::lang::text::SourceText;
use b2n::run::connect::outside::Clock;
use b2n::run::engine::{Chain, ChainStanding, Difference, Part, RunReport, Whereabouts};
use b2n::run::twin::bitrix24::Portal;
use b2n::run::twin::bitrix24::generate::Counts;
use b2n::run::twin::nutshell::Company;
use b2n::run::workspace::Status;

use crate::whole;
use crate::world::{DieAt, Faults, World, check_spec};

fn migrated(seed: u64) -> (World, RunReport) {
    let counts = Counts { companies: 9, contacts: 14, deals: 14, leads: 10 };
    let world = World::with(
        whole::checked(),
        Portal::acme_with(counts, seed),
        Company::acme(),
        seed,
        Faults::default(),
    );
    let run = world.live(&DieAt::default()).unwrap_or_else(|error| panic!("{error}"));
    assert!(run.closes(), "{:#?}", run.maps);
    (world, run)
}

fn why(world: &World, object: &str, id: &str) -> Chain {
    let found = world.process(&DieAt::default(), async |engine| engine.why(object, id));
    found.unwrap_or_else(|error| panic!("{error}")).unwrap_or_else(|| panic!("no chain of {object} {id}"))
}

fn whereabouts(world: &World, object: &str, key: &str) -> Option<Whereabouts> {
    let found = world.process(&DieAt::default(), async |engine| engine.whereabouts(object, key));
    found.unwrap_or_else(|error| panic!("{error}"))
}

/// Records of a row of the books that stand, with their ids.
fn standing(world: &World, map: &str, object: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut after = 0;
    loop {
        let page = world.workspace.staged_page(object, after, 100).expect("staged");
        let Some(last) = page.last() else { return found };
        after = last.seq;
        for record in page {
            let end = world.workspace.outcome(map, &record.key).expect("reads");
            found.extend(end.and_then(|end| end.target).map(|id| (record.key, id)));
        }
    }
}

#[test]
fn every_value_that_stands_has_a_chain_that_ends_in_it() {
    for seed in [3, 4] {
        let (world, _) = migrated(seed);
        let (mut seen, mut values, mut parts) = (0, 0, HashSet::new());
        let mut plain = Vec::new();
        for map in &world.checked.plan.maps {
            plain.push((map.name.clone(), map.source.clone(), map.target.clone()));
            let notes = format!("notes of {}", map.name);
            plain.push((notes.clone(), notes, "Note".to_owned()));
        }
        for (map, object, target) in plain {
            for (key, id) in standing(&world, &map, &object) {
                let chain = why(&world, &target, &id);
                assert_eq!((&chain.map, &chain.key), (&map, &key), "seed {seed}");
                assert_eq!(chain.outcome.as_ref().and_then(|end| end.target.as_ref()), Some(&id));
                assert_eq!(chain.plan.as_deref(), Some(world.checked.plan.hash().as_str()));
                assert!(!chain.writes.is_empty(), "seed {seed}: {map} {key}");
                seen += 1;
                let held = world.process(&DieAt::default(), async |engine| engine.held_now(&chain).await);
                let held = held.unwrap_or_else(|error| panic!("{error}")).expect("it is there");
                for field in &chain.fields {
                    let place = format!("seed {seed}: {map} {key}.{}", field.field);
                    let now = held.iter().find(|now| now.field == field.field);
                    parts.extend(field.steps.iter().map(|step| std::mem::discriminant(&step.part)));
                    match field.standing {
                        ChainStanding::AsSent => {
                            values += 1;
                            let now = now.unwrap_or_else(|| panic!("{place}: not in the destination"));
                            let normal = !now.agreement.is_wrong();
                            assert!(normal, "{place}: {now:?}");
                            assert!(
                                !field.rules.is_empty() || map.starts_with("notes of"),
                                "{place}: no rule"
                            );
                        }
                        ChainStanding::Unset => {
                            assert!(now.is_none_or(|now| now.planned.is_empty()), "{place}: {now:?}");
                        }
                        other => panic!("{place}: {other:?}"),
                    }
                }
            }
        }
        assert!(seen > 60 && values > 400, "seed {seed}: {seen} records, {values} values");
        assert!(parts.len() >= 4, "seed {seed}: rules, arms and rows are told apart: {}", parts.len());
    }
}

#[test]
fn every_staged_record_has_an_answer() {
    let (world, run) = migrated(5);
    let mut ends: Vec<Status> = Vec::new();
    for object in b2n::run::engine::objects(&world.checked.plan) {
        for record in world.workspace.staged_page(object, 0, 1_000).expect("staged") {
            let found = whereabouts(&world, object, &record.key).expect("it is staged");
            let place = format!("{object} {}", record.key);
            let all = found.chains.iter().map(|chain| chain.outcome.clone());
            let all = all.chain(found.split.iter().map(|(_, end)| Some(end.clone())));
            let all: Vec<_> = all.chain(found.folded.iter().map(|folded| folded.outcome.clone())).collect();
            assert!(!all.is_empty(), "{place} is nowhere");
            for end in all {
                let end = end.unwrap_or_else(|| panic!("{place} is pending"));
                assert!(
                    end.target.is_some() || end.reason.is_some() || end.status == Status::Folded,
                    "{place}: {end:?}"
                );
                ends.push(end.status);
            }
            for chain in &found.chains {
                let out = chain.outcome.as_ref().is_some_and(|end| end.status == Status::LeftOut);
                assert_eq!(out && chain.fields.iter().all(|field| field.value.is_none()), out, "{place}");
                if out {
                    let (line, reason) = chain.decided.as_ref().expect("a line decides");
                    assert!(*line > 0 && !reason.is_empty(), "{place}");
                }
            }
        }
    }
    // As the books count.
    let of = |status| ends.iter().filter(|end| **end == status).count() as u64;
    let tally = |count: fn(&b2n::run::workspace::Tally) -> u64| {
        run.maps
            .iter()
            .filter(|map| !map.map.starts_with("notes of"))
            .map(|map| count(&map.tally))
            .sum::<u64>()
    };
    assert_eq!(of(Status::Created), tally(|tally| tally.created));
    assert_eq!(of(Status::LeftOut), tally(|tally| tally.left_out));
    assert!(of(Status::LeftOut) > 0 && of(Status::Folded) > 0, "{ends:?}");
    assert_eq!(whereabouts(&world, "deal", "no such"), None);
}

#[test]
fn a_chain_says_that_the_spec_or_the_source_moved_since() {
    let (mut world, _) = migrated(6);
    let (key, id) = standing(&world, "company", "company").into_iter().next().expect("a company");
    let name =
        |chain: &Chain| chain.fields.iter().find(|field| field.field == "name").expect("a name").clone();
    let before = name(&why(&world, "Account", &id));
    assert_eq!(before.standing, ChainStanding::AsSent);
    assert!(before.steps.iter().any(|step| step.part == Part::Rule), "{before:?}");
    let record = world.workspace.staged_record("company", &key).expect("reads").expect("is staged");
    let text = String::from_utf8(record.json).expect("text");
    let title =
        format!("\"TITLE\":{}", serde_json::to_string(before.value.as_ref().expect("a name")).expect("json"));
    assert!(text.contains(&title), "{text}");
    let changed = text.replace(&title, "\"TITLE\":\"Another name\"").into_bytes();
    let rows = std::iter::once((key.as_str(), changed.as_slice()));
    world.workspace.restage("company", rows, std::iter::empty(), world.clock.now_ms()).expect("stages");
    let after = why(&world, "Account", &id);
    assert_eq!(name(&after).standing, ChainStanding::SentOtherwise);
    assert_eq!(name(&after).value.as_deref(), Some("Another name"));
    let held = world.process(&DieAt::default(), async |engine| engine.held_now(&after).await);
    let held = held.unwrap_or_else(|error| panic!("{error}")).expect("it is there");
    let held = held.iter().find(|field| field.field == "name").expect("a name");
    assert_eq!(Some(&held.found), before.value.as_ref());
    assert!(
        matches!(held.agreement, b2n::run::engine::Agreement::Differs(kind) if kind != Difference::Changed),
        "{held:?}"
    );
    // Under another spec the line that speaks now is told.
    let text = whole::spec();
    world.checked = check_spec(&SourceText::new("whole.b2n", format!("{text}\n# more\n")));
    assert_eq!(why(&world, "Account", &id).plan, after.plan);
}
