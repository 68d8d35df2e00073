//! Changes in the portal after records were staged and loaded. Two oracles: what a fresh extraction of the changed
//! portal stages, by id and content, and what a fresh migration of it makes.

mod further;
mod people;

use std::collections::BTreeMap;

use b2n::lang::text::SourceText;
use b2n::run::connect::outside::{Clock, Random};
use b2n::run::engine::{Changes, DELTA_POINTS, Engine, Error, ObjectChanges};
use b2n::run::rehearsal::SplitMix;
use b2n::run::twin::bitrix24::generate::Counts;
use b2n::run::twin::bitrix24::{Entity, Fault, FaultKind, Portal, Trigger};
use b2n::run::twin::nutshell::Company;
use serde_json::{Value as Json, json};

use self::people::{DEEDS, Deed, People, just_changed};
use crate::changes::{clean_of, closes, of, rests, same, spec_with, state, world_of};
use crate::world::{Checked, DieAt, Faults, World, check_spec};

/// Objects that the spec reads.
const OBJECTS: [&str; 8] = ["company", "contact", "deal", "lead", "quote", "product", "activity", "comment"];

/// The whole spec, checked once.
fn checked() -> Checked {
    static CHECKED: std::sync::OnceLock<Checked> = std::sync::OnceLock::new();
    CHECKED.get_or_init(|| check_spec(&SourceText::new("whole.b2n", spec_with(&[])))).clone()
}

fn a_world(seed: u64) -> World {
    let counts = Counts { companies: 8, contacts: 9, deals: 12, leads: 9 };
    World::with(checked(), Portal::acme_with(counts, 7), Company::acme(), seed, Faults::default())
}

fn first_seed() -> u64 {
    std::env::var("B2N_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1)
}

fn cases(usual: u64) -> u64 {
    std::env::var("B2N_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(usual)
}

fn ok<T>(result: Result<T, Error>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

fn looks(world: &World) -> Vec<ObjectChanges> {
    ok(world.process(&DieAt::default(), async |engine| engine.stage_changes().await))
}

fn told(world: &World) -> Option<Changes> {
    ok(world.process(&DieAt::default(), async |engine| engine.changes()))
}

fn passes(world: &World, minutes: u64) {
    world.clock.run(world.clock.sleep(minutes * 60_000)).expect("time passes");
}

/// What is staged and there, by object and key.
fn staged(world: &World) -> BTreeMap<String, Json> {
    let mut all = BTreeMap::new();
    for object in OBJECTS {
        for record in world.workspace.staged_page(object, 0, 100_000).expect("staged") {
            if !world.workspace.is_gone(object, &record.key).expect("reads") {
                let json = serde_json::from_slice(&record.json).expect("JSON");
                all.insert(format!("{object}/{}", record.key), json);
            }
        }
    }
    all
}

/// What a fresh extraction of the portal as it is now stages.
fn fresh(world: &World) -> BTreeMap<String, Json> {
    let portal = world.portal.with_portal(|portal| portal.clone());
    let other = World::with(world.checked.clone(), portal, Company::acme(), 1, Faults::default());
    ok(other.process(&DieAt::default(), async |engine| engine.extract().await));
    staged(&other)
}

#[track_caller]
fn is_fresh(world: &World, what: &str) {
    let (found, wanted) = (staged(world), fresh(world));
    let mut differ = Vec::new();
    for key in found.keys().chain(wanted.keys()) {
        if found.get(key) != wanted.get(key) {
            differ.push(format!("{key}: {:?} instead of {:?}", found.get(key), wanted.get(key)));
        }
    }
    assert!(differ.is_empty(), "{what}: {} differ: {:#?}", differ.len(), &differ[..differ.len().min(3)]);
    // The portal's own tables say the same.
    world.portal.with_portal(|portal| {
        for (object, entity) in [
            ("company", Entity::Company),
            ("contact", Entity::Contact),
            ("deal", Entity::Deal),
            ("lead", Entity::Lead),
            ("activity", Entity::Activity),
        ] {
            let held = found.keys().filter(|key| key.starts_with(&format!("{object}/"))).count();
            assert_eq!(held, portal.count(entity), "{what}: {object}");
        }
    });
}

fn at_work(world: &World, dice: &SplitMix, deeds: &[Deed], tame: bool) -> Vec<String> {
    let now_ms = world.clock.now_ms();
    world.portal.with_portal(|portal| {
        let mut people = People { portal, dice, now_ms, tame };
        deeds.iter().filter_map(|deed| people.does(*deed)).collect()
    })
}

fn before_work(world: &World) {
    let now = world.clock.now_ms();
    world.portal.with_portal(|portal| just_changed(portal, now));
}

/// Any deeds; what comes within the second of the last look only where that was just now.
fn drawn(dice: &SplitMix, deeds: usize, just_now: bool) -> Vec<Deed> {
    let any = (0..deeds).map(|_| DEEDS[(dice.next_u64() % DEEDS.len() as u64) as usize]);
    any.filter(|deed| just_now || *deed != Deed::SameSecond).collect()
}

#[test]
fn each_kind_of_change_is_seen() {
    // That one is about what comes within the second of a look.
    for (at, deed) in DEEDS.into_iter().enumerate().filter(|(_, deed)| *deed != Deed::SameSecond) {
        let world = a_world(1);
        before_work(&world);
        ok(world.process(&DieAt::default(), async |engine| engine.extract().await));
        passes(&world, 60);
        let dice = SplitMix::new(first_seed() + at as u64);
        let done = (0..9).find_map(|_| at_work(&world, &dice, &[deed], false).pop());
        let done = done.unwrap_or_else(|| panic!("{deed:?} finds nothing to do"));
        let found = looks(&world);
        let changes: u64 = found.iter().map(|one| one.told.added + one.told.changed + one.told.gone).sum();
        assert!(changes > 0, "{done}: {found:?}");
        is_fresh(&world, &done);
        passes(&world, 60);
        assert!(looks(&world).iter().all(|one| one.told.is_nothing()), "{done}: a second look finds more");
    }
}

#[test]
fn a_change_in_the_second_of_the_last_look_is_seen() {
    let world = a_world(1);
    before_work(&world);
    ok(world.process(&DieAt::default(), async |engine| engine.extract().await));
    let dice = SplitMix::new(first_seed());
    let done = at_work(&world, &dice, &[Deed::SameSecond, Deed::SameSecond], false);
    assert_eq!(done.len(), 2);
    passes(&world, 60);
    assert!(looks(&world).iter().any(|one| one.told.changed > 0), "{done:?}");
    is_fresh(&world, &format!("{done:?}"));
}

/// Random days of work, with deaths and faults in the looks between.
#[test]
fn what_is_staged_after_a_look_is_what_a_fresh_extraction_stages() {
    let faults = [
        (Trigger::Probability(0.1), FaultKind::ServerError),
        (Trigger::Probability(0.05), FaultKind::RateLimit),
        (Trigger::Probability(0.05), FaultKind::CutBody),
        (Trigger::Probability(0.05), FaultKind::Html(502)),
        (Trigger::Probability(0.02), FaultKind::OperatingLimit),
    ];
    let mut died = 0;
    for seed in first_seed()..first_seed() + cases(5) {
        let dice = SplitMix::new(seed);
        let world = a_world(seed);
        before_work(&world);
        ok(world.process(&DieAt::default(), async |engine| engine.extract().await));
        let mut done = Vec::new();
        for day in 0..3 {
            passes(&world, [0, 7, 600][day]);
            let deeds = drawn(&dice, 12, day == 0);
            done.extend(at_work(&world, &dice, &deeds, false));
            world.portal.with_settings(|settings| {
                let plan = faults.iter().filter(|_| dice.next_u64().is_multiple_of(2)).cloned();
                settings.faults = plan.map(|(when, kind)| Fault { when, kind, method: None }).collect();
            });
            let point = DELTA_POINTS[(dice.next_u64() % 3) as usize];
            let nth = 1 + dice.next_u64() % 6;
            let before = staged(&world);
            let look = |points: &DieAt| world.process(points, async |engine| engine.stage_changes().await);
            match look(&DieAt { point: Some((point, nth)), ..DieAt::default() }) {
                Err(Error::Interrupted) => {
                    died += 1;
                    // Of each object everything is staged, or nothing.
                    let (now, wanted) = (staged(&world), fresh(&world));
                    for object in OBJECTS {
                        let part = |all: &BTreeMap<String, Json>| -> Vec<(String, Json)> {
                            let of = all.iter().filter(|(key, _)| key.starts_with(&format!("{object}/")));
                            of.map(|(key, json)| (key.clone(), json.clone())).collect()
                        };
                        let (found, was, is) = (part(&now), part(&before), part(&wanted));
                        let other = found.iter().find(|one| !is.contains(one));
                        assert!(
                            found == was || found == is,
                            "seed {seed}, day {day}: half of `{object}` is staged after a death at `{point}` {nth}: {other:?}"
                        );
                    }
                }
                Ok(_) | Err(Error::Connect(_)) => {}
                Err(error) => panic!("seed {seed}, day {day}: {error}"),
            }
            for _ in 0..40 {
                match look(&DieAt::default()) {
                    Ok(_) => break,
                    Err(Error::Connect(_)) => {}
                    Err(error) => panic!("seed {seed}, day {day}: {error}"),
                }
            }
            world.portal.with_settings(|settings| settings.faults.clear());
            is_fresh(&world, &format!("seed {seed}, day {day}, {done:#?}"));
        }
    }
    assert!(died > 0 || cases(5) < 4, "no look died");
}

#[test]
fn a_list_that_lies_takes_nothing_away() {
    for kind in
        [FaultKind::ShortPage, FaultKind::RepeatPage, FaultKind::WrongTotal(-3), FaultKind::WrongTotal(3)]
    {
        for method in ["crm.company.list", "crm.item.list", "crm.activity.list"] {
            let world = a_world(1);
            ok(world.process(&DieAt::default(), async |engine| engine.extract().await));
            passes(&world, 60);
            world.portal.with_settings(|settings| {
                let method = Some(method.to_owned());
                settings.faults = vec![Fault { when: Trigger::Every(2), kind: kind.clone(), method }];
            });
            match world.process(&DieAt::default(), async |engine| engine.stage_changes().await) {
                Ok(found) => {
                    // A page of another object's items may be one of a process, as far as its rows tell.
                    let crossed = |object: &str| method == "crm.item.list" && object.starts_with("process ");
                    assert!(
                        found.iter().all(|one| one.told.is_nothing() || crossed(&one.object)),
                        "{kind:?}, {method}: {found:?}"
                    );
                }
                Err(Error::Connect(_)) => {}
                Err(error) => panic!("{kind:?}, {method}: {error}"),
            }
            world.portal.with_settings(|settings| settings.faults.clear());
            is_fresh(&world, &format!("{kind:?} in {method}"));
        }
    }
}

#[test]
fn many_records_that_vanish_at_once_stop_the_look_with_both_numbers() {
    let counts = Counts { companies: 8, contacts: 210, deals: 12, leads: 9 };
    let of = |deleted: usize| {
        let portal = Portal::acme_with(counts, 7);
        let world = World::with(checked(), portal, Company::acme(), 1, Faults::default());
        ok(world.process(&DieAt::default(), async |engine| engine.extract().await));
        passes(&world, 60);
        world.portal.with_portal(|portal| {
            let ids: Vec<i64> = portal.records[&Entity::Contact].keys().copied().take(deleted).collect();
            ids.into_iter().for_each(|id| drop(portal.remove_record(Entity::Contact, id)));
        });
        world
    };
    // A tenth of 210 is 21.
    let world = of(21);
    let contacts = looks(&world).into_iter().find(|one| one.object == "contact").expect("is looked at");
    assert_eq!(contacts.told.gone, 21);
    is_fresh(&world, "a tenth");

    let world = of(22);
    let before = staged(&world);
    for yes in [0, 21] {
        let look = async |engine: &Engine<'_>| engine.stage_changes_with(yes).await;
        let error = world.process(&DieAt::default(), look).expect_err("many vanished");
        assert!(matches!(error, Error::Vanished { gone: 22, there: 210, .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("22 of 210") && text.contains("--yes-vanished 22"), "{text}");
        let contacts =
            |all: &BTreeMap<String, Json>| all.keys().filter(|key| key.starts_with("contact/")).count();
        assert_eq!(contacts(&staged(&world)), contacts(&before), "none was taken for deleted");
    }
    ok(world.process(&DieAt::default(), async |engine| engine.stage_changes_with(22).await));
    is_fresh(&world, "as somebody said");
}

#[test]
fn a_look_costs_few_requests() {
    let world = a_world(1);
    let before = world.portal.log().requests;
    ok(world.process(&DieAt::default(), async |engine| engine.extract().await));
    let extracted = world.portal.log().requests - before;
    passes(&world, 60);
    let before = world.portal.log();
    looks(&world);
    let looked = world.portal.log().requests - before.requests;
    assert!(looked <= extracted, "{looked} requests of a look, {extracted} of the extraction");
}

/// The destination after a day of work in the portal is that of a fresh migration.
#[test]
fn after_a_delta_the_destination_is_that_of_a_fresh_migration() {
    for seed in first_seed()..first_seed() + cases(3) {
        let dice = SplitMix::new(seed);
        let mut world = a_world(seed);
        world.settings.sends = 12;
        before_work(&world);
        closes(&world);
        passes(&world, 30);
        let deeds = drawn(&dice, 14, false);
        let done = at_work(&world, &dice, &deeds, true);
        world.wire.spoil(Faults {
            lost: 0.06,
            late: 0.03,
            late_ms: 15_000,
            refused: 0.03,
            ..Faults::default()
        });
        looks(&world);
        closes(&world);
        world.wire.spoil(Faults::default());
        let portal = world.portal.with_portal(|portal| portal.clone());
        let wanted = clean_of(checked(), portal);
        same(&state(&world), &wanted, &format!("seed {seed}, {done:#?}"));
        assert!(looks(&world).iter().all(|one| one.told.is_nothing()), "seed {seed}");
        assert_eq!(told(&world), None, "seed {seed}");
        rests(&world, &format!("seed {seed}"));
    }
}

#[test]
fn a_freeze_names_what_was_changed_after_it_and_by_whom() {
    let world = a_world(3);
    closes(&world);
    passes(&world, 30);
    let frozen = world.clock.now_ms();
    world.workspace.freeze(frozen).expect("freezes");
    passes(&world, 1);
    let look = || {
        looks(&world);
        ok(world.process(&DieAt::default(), async |engine| engine.find_later()));
        world.workspace.later(100).expect("lists")
    };
    assert_eq!(look(), []);
    passes(&world, 10);
    let (company, comment) = world.portal.with_portal(|portal| {
        let now = people::printed(frozen + 600_000);
        let companies = portal.records.get_mut(&Entity::Company).expect("companies");
        let (id, company) = companies.iter_mut().next().expect("a company");
        let id = *id;
        company.insert("TITLE".into(), json!("late"));
        company.insert("DATE_MODIFY".into(), json!(now));
        company.insert("ASSIGNED_BY_ID".into(), json!("4"));
        let comments = portal.records.get_mut(&Entity::Comment).expect("comments");
        let (comment, record) = comments.iter_mut().next().expect("a comment");
        record.insert("COMMENT".into(), json!("late"));
        (id, *comment)
    });
    // A quick question finds what says so itself.
    ok(world.process(&DieAt::default(), async |engine| engine.ask_for_later().await));
    let later = world.workspace.later(100).expect("lists");
    assert_eq!(later.len(), 1, "{later:?}");
    assert_eq!((later[0].object.as_str(), later[0].key.as_str()), ("company", company.to_string().as_str()));
    assert_eq!(
        (later[0].owner.as_deref(), later[0].changed_ms),
        (Some("4"), Some((frozen + 600_000) / 1_000 * 1_000))
    );
    // A whole look finds what nothing dates, too.
    let later = look();
    let names: Vec<String> =
        later.iter().map(|one| format!("{}/{} {}", one.object, one.key, one.how)).collect();
    assert_eq!(names, [format!("comment/{comment} changed"), format!("company/{company} changed")]);
    assert_eq!(later[0].changed_ms, None);
    // Frozen anew, nothing is later than that.
    passes(&world, 1);
    world.workspace.freeze(world.clock.now_ms()).expect("freezes");
    assert_eq!(look(), []);
}

/// What a person changed in the destination is kept, filled or overwritten as the map says, and so is what the source
/// changed since.
#[test]
fn a_persons_edits_survive_a_delta_as_the_map_says() {
    for word in ["fill", "overwrite", "keep"] {
        let rule = |text: String| {
            let text = text.replace("  on existing fill\n", "");
            text.replace("\n  key ID\n", &format!("\n  key ID\n  on existing {word}\n"))
        };
        let world = world_of(rule(spec_with(&[])), 5, Faults::default());
        closes(&world);
        passes(&world, 30);
        let (account, lead) = crate::changes::people_at_work(&world);
        let number =
            |marker: &str| marker.rsplit('/').next().and_then(|key| key.parse::<i64>().ok()).expect("a key");
        let now = people::printed(world.clock.now_ms());
        world.portal.with_portal(|portal| moved(portal, number(&account), number(&lead), &now));
        looks(&world);
        let changes = told(&world).expect("changes");
        assert_eq!((of(&changes, "company").edited, of(&changes, "deal").edited), (1, 1), "{changes:#?}");
        closes(&world);
        let found = state(&world);
        let (account, lead) = (&found[&format!("Accounts {account}")], &found[&format!("Leads {lead}")]);
        // Only the person changed it.
        assert_eq!(account["description"], "typed by Ann", "{word}");
        assert_eq!(account["name"], "Renamed since", "{word}: only the source changed it");
        let stage = lead["milestone"]["name"].as_str().unwrap_or_default();
        assert_eq!(stage == "Negotiation", word != "overwrite", "{word}: {stage}");
        let flags = world.workspace.flags("deal").expect("flags");
        let kept =
            flags.iter().any(|(flag, _)| flag.rule == "deal.stage" && flag.why.starts_with("changed in"));
        assert_eq!(kept, word != "overwrite", "{word}: {flags:?}");
        rests(&world, word);
    }
}

/// The source's side of the conflict: a company is renamed, a deal goes to another stage.
fn moved(portal: &mut Portal, company: i64, deal: i64, now: &str) {
    let record = portal.records.get_mut(&Entity::Company).and_then(|all| all.get_mut(&company)).expect("one");
    record.insert("TITLE".into(), json!("Renamed since"));
    record.insert("DATE_MODIFY".into(), json!(now));
    let record = portal.records.get_mut(&Entity::Deal).and_then(|all| all.get_mut(&deal)).expect("one");
    let stage = record["STAGE_ID"].as_str().unwrap_or_default();
    let stage = if stage == "NEW" { "PREPARATION" } else { "NEW" };
    record.insert("STAGE_ID".into(), json!(stage));
    record.insert("DATE_MODIFY".into(), json!(now));
}
