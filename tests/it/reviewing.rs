//! What a review shows before anything is written. The oracle is what the migration does afterwards: every arm and row
//! that any record's chain takes was shown, with the values that were then sent, and looking changed nothing.

use std::collections::{BTreeMap, BTreeSet};

use b2n::run::engine::{ChainStanding, Fate, Part, ReviewAsked, ReviewKind, Reviewed, Step};
use b2n::run::twin::bitrix24::Portal;
use b2n::run::twin::bitrix24::generate::Counts;
use b2n::run::twin::nutshell::Company;

use crate::whole;
use crate::world::{DieAt, Faults, World};

fn world(seed: u64) -> World {
    let counts = Counts { companies: 9, contacts: 14, deals: 14, leads: 10 };
    World::with(whole::checked(), Portal::acme_with(counts, seed), Company::acme(), seed, Faults::default())
}

fn extracted(seed: u64) -> World {
    let world = world(seed);
    let done = world.process(&DieAt::default(), async |engine| engine.extract().await);
    done.unwrap_or_else(|error| panic!("{error}"));
    world
}

fn review(world: &World, asked: &ReviewAsked) -> Reviewed {
    let found = world.process(&DieAt::default(), async |engine| engine.review(asked));
    found.unwrap_or_else(|error| panic!("{error}"))
}

fn few(seed: u64) -> ReviewAsked {
    ReviewAsked { per_map: 2, seed, ..ReviewAsked::default() }
}

/// A part of the plan as a test can compare it.
fn part(map: &str, step: &Step) -> (String, String, u32) {
    (map.to_owned(), format!("{:?}", step.part), step.line)
}

#[test]
fn every_arm_and_row_that_data_reaches_is_shown_with_the_values_that_are_sent() {
    for seed in [3, 4] {
        let world = extracted(seed);
        let shown: Vec<Reviewed> = [1, 2].map(|draw| review(&world, &few(draw))).into();
        let run = world.live(&DieAt::default()).unwrap_or_else(|error| panic!("{error}"));
        assert!(run.closes(), "seed {seed}: {:#?}", run.maps);
        let mut reached: BTreeSet<(String, String, u32)> = BTreeSet::new();
        let mut sent: BTreeMap<(String, String, String), String> = BTreeMap::new();
        for map in &world.checked.plan.maps {
            let page = world.workspace.staged_page(&map.source, 0, 1_000).expect("staged");
            for record in page {
                let found = world
                    .process(&DieAt::default(), async |engine| engine.whereabouts(&map.source, &record.key))
                    .unwrap_or_else(|error| panic!("{error}"))
                    .expect("is staged");
                for chain in found.chains.iter().chain(&found.notes) {
                    let of = chain.map.strip_prefix("notes of ").unwrap_or(&chain.map);
                    for field in &chain.fields {
                        let steps = field.steps.iter().filter(|step| step.part != Part::Rule);
                        reached.extend(steps.map(|step| part(of, step)));
                        if let (Some(value), ChainStanding::AsSent) = (&field.value, field.standing) {
                            let name = (of.to_owned(), chain.key.clone(), field.field.clone());
                            sent.insert(name, value.clone());
                        }
                    }
                }
            }
        }
        assert!(reached.len() > 20, "seed {seed}: the data reaches {} parts", reached.len());
        for (draw, shown) in shown.iter().enumerate() {
            let (mut seen, mut compared) = (BTreeSet::new(), 0);
            for record in &shown.records {
                seen.extend(record.steps.iter().map(|step| part(&record.map, step)));
                for field in &record.fields {
                    seen.extend(field.steps.iter().map(|step| part(&record.map, step)));
                    let name = (record.map.clone(), record.key.clone(), field.field.clone());
                    let (Some(value), Some(sent)) = (&field.value, sent.get(&name)) else { continue };
                    // A link is an id by now, also in a line; and of lines a chain tells no columns.
                    let links =
                        world.checked.plan.maps.iter().any(|map| value.contains(&format!("{} ", map.name)));
                    if field.kind != ReviewKind::Linked && !links && !sent.replace(", ", "").is_empty() {
                        compared += 1;
                        assert_eq!(value, sent, "seed {seed}: {name:?}");
                    }
                }
            }
            let unseen: Vec<_> = reached.difference(&seen).collect();
            assert!(unseen.is_empty(), "seed {seed}, draw {draw}: {unseen:#?}");
            assert!(compared > 50, "seed {seed}: {compared} values compared");
            for map in &shown.maps {
                let of = shown.records.iter().filter(|record| record.map == map.name).count() as u64;
                assert!(of >= map.records.min(2) || map.object.is_empty(), "{map:?}: {of}");
            }
        }
    }
}

#[test]
fn looking_changes_nothing_and_the_same_seed_shows_the_same() {
    let (looked, clean) = (extracted(5), extracted(5));
    let asked = ReviewAsked { per_map: 6, seed: 9, ..ReviewAsked::default() };
    let first = review(&looked, &asked);
    assert_eq!(first, review(&looked, &asked), "seed 9");
    let other = review(&looked, &ReviewAsked { seed: 10, ..asked.clone() });
    let keys = |of: &Reviewed| -> BTreeSet<(String, String)> {
        of.records.iter().map(|record| (record.map.clone(), record.key.clone())).collect()
    };
    assert_ne!(keys(&first), keys(&other), "seeds 9 and 10");
    let missing: Vec<(String, String)> = keys(&other).difference(&keys(&first)).cloned().collect();
    let also = ReviewAsked { also: missing.iter().cloned().collect(), ..asked };
    let both = review(&looked, &also);
    assert!(missing.iter().all(|name| keys(&both).contains(name)), "{missing:?}");
    assert_eq!(looked.workspace.notes_of("placed ").expect("reads"), Vec::<String>::new());
    for world in [&looked, &clean] {
        let run = world.live(&DieAt::default()).unwrap_or_else(|error| panic!("{error}"));
        assert!(run.closes(), "{:#?}", run.maps);
    }
    assert_eq!(whole::picture(&looked), whole::picture(&clean));
    // Looked at again once everything is there: the same values, since the plan and the records are the same.
    assert_eq!(keys(&first), keys(&review(&looked, &ReviewAsked { per_map: 6, seed: 9, ..few(9) })));
}

#[test]
fn nothing_is_shown_before_everything_is_staged() {
    let world = world(3);
    let refused = world.process(&DieAt::default(), async |engine| engine.review(&few(1)));
    let told = refused.expect_err("nothing is staged").to_string();
    assert!(told.contains("b2n extract"), "{told}");
    let shown = review(&extracted(3), &few(1));
    for record in &shown.records {
        let written = record.fate == Fate::Written;
        assert_eq!(written, record.decided.is_none(), "{record:?}");
        assert!(written != record.fields.is_empty(), "{record:?}");
    }
    let fates: BTreeSet<Fate> = shown.records.iter().map(|record| record.fate).collect();
    assert!(fates.len() > 1, "{fates:?}");
}
