//! What is held back, tried again and left out by decision, and runs of a part. The oracle is what the destination twin
//! holds in the end: however it came about, it is what a run of everything would have made of it.

use std::collections::BTreeMap;

use b2n::run::engine::{
    Cause, Error, RecordName, Retry, RunReport, Selection, address, detail, held_back, skip,
};
use b2n::run::twin::bitrix24::generate::Counts;
use b2n::run::twin::bitrix24::{Entity, Portal};
use b2n::run::twin::nutshell::record::Record;
use b2n::run::twin::nutshell::{Actor, Company, Kind};
use b2n::run::workspace::{Status, Tally};

use crate::whole;
use crate::world::{DieAt, Faults, World};

/// The company of the portal, by its place, that the destination holds already.
const TAKEN: usize = 1;

fn world(seed: u64) -> World {
    let counts = Counts { companies: 8, contacts: 15, deals: 15, leads: 10 };
    World::with(whole::checked(), Portal::acme_with(counts, 7), Company::acme(), seed, Faults::default())
}

/// The key and the name of a company of the portal.
fn company(world: &World, at: usize) -> (String, String) {
    world.portal.with_portal(|portal| {
        let (id, record) = portal.records[&Entity::Company].iter().nth(at).expect("a company");
        (id.to_string(), record["TITLE"].as_str().expect("a title").trim().to_owned())
    })
}

/// An account that somebody typed in; gives its id.
fn typed_in(world: &World, name: &str) -> i64 {
    let now = 1_795_262_400_000;
    world.account.with(|company| {
        company.insert(Record { name: name.to_owned(), ..Record::new(Kind::Accounts, Actor::User(1)) }, now)
    })
}

fn part(world: &World, selection: &Selection) -> Result<RunReport, Error> {
    world.process(&DieAt::default(), async |engine| engine.migrate_part(selection).await)
}

fn ok<T>(result: Result<T, Error>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

fn records(names: &[&str]) -> Selection {
    let names = names.iter().map(|name| RecordName::parse(name)).collect();
    Selection { records: Some(names), ..Selection::default() }
}

fn only(maps: &[&str]) -> Selection {
    Selection { only: maps.iter().map(|map| (*map).to_owned()).collect(), ..Selection::default() }
}

fn tallies(world: &World) -> BTreeMap<String, Tally> {
    let maps = world.checked.plan.maps.iter().map(|map| map.name.clone());
    let both = maps.flat_map(|map| [format!("notes of {map}"), map]);
    both.map(|map| (map.clone(), world.workspace.tally(&map).expect("a tally"))).collect()
}

#[track_caller]
fn same(one: &World, other: &World, what: &str) {
    let (one_there, other_there) = (whole::picture(one), whole::picture(other));
    let differ: Vec<&String> = one_there.symmetric_difference(&other_there).take(9).collect();
    assert!(differ.is_empty(), "{what}: {differ:#?}");
    assert_eq!(tallies(one), tallies(other), "{what}");
}

/// A world in which a company is held back, since two accounts match it; with its name, and one of the accounts.
fn tied(seed: u64) -> (World, String, i64) {
    let world = world(seed);
    let (key, name) = company(&world, TAKEN);
    typed_in(&world, &name);
    let second = typed_in(&world, &name);
    (world, format!("company/{key}"), second)
}

/// The same world without the tie, migrated in one go.
fn untied(seed: u64) -> World {
    let world = world(seed);
    let (_, name) = company(&world, TAKEN);
    typed_in(&world, &name);
    assert!(ok(world.live(&DieAt::default())).closes());
    world
}

fn untie(world: &World, second: i64) {
    world.account.with(|company| company.delete(Kind::Accounts, second, Actor::User(1), 1_795_300_000_000));
}

#[test]
fn what_hung_on_a_record_follows_it_and_its_links_are_written() {
    let (world, name, second) = tied(101);
    assert!(ok(world.live(&DieAt::default())).closes());
    let plan = &world.checked.plan;
    let held = held_back(plan, &world.workspace, Some("company")).expect("a list");
    let tie = held.iter().find(|held| held.name() == name).expect("is held back");
    assert_eq!((tie.outcome.status, tie.cause), (Status::Quarantined, Cause::Ruled));
    assert!(tie.dependents > 0, "nothing links to the company: {tie:?}");
    let key = name.split_once('/').expect("a name").1;
    let shown = detail(plan, &world.workspace, "company", key).expect("is there");
    assert_eq!(shown.all_dependents, tie.dependents);
    assert!(shown.staged.is_some() && shown.writes.is_empty());
    untie(&world, second);
    let run = ok(part(&world, &records(&[&name])));
    assert!(run.closes() && run.left() == 0, "{:#?}", run.maps);
    assert_eq!(world.workspace.tally("company").expect("a tally").adopted, 1);
    same(&world, &untied(101), "retried");
    // Nothing is left to write.
    let before = world.account.dump();
    assert!(ok(world.live(&DieAt::default())).closes());
    assert_eq!(world.account.dump(), before, "a run of an unchanged plan wrote something");
}

#[test]
fn a_decision_holds_until_it_is_taken_back() {
    let (world, name, second) = tied(102);
    assert!(ok(world.live(&DieAt::default())).closes());
    let plan = &world.checked.plan;
    let rows = address(plan, &world.workspace, &RecordName::parse(&name)).expect("an address");
    skip(&world.workspace, &rows, "a double of their own", "ops@acme.example", 5).expect("skips");
    untie(&world, second);
    for selection in [Selection::default(), records(&[&name]), only(&["company"])] {
        let run = ok(part(&world, &selection));
        assert!(run.closes(), "{:#?}", run.maps);
        let (map, key) = &rows[0];
        let outcome = world.workspace.outcome(map, key).expect("reads").expect("has ended");
        assert_eq!(outcome.status, Status::LeftOut, "{selection:?}");
        assert!(outcome.reason.is_some_and(|reason| reason.contains("a double of their own")));
    }
    let (map, key) = &rows[0];
    assert!(world.workspace.lift(map, key, 9).expect("lifts"));
    assert!(ok(world.live(&DieAt::default())).closes());
    same(&world, &untied(102), "the decision taken back");
}

#[test]
fn a_map_at_a_time_comes_to_what_a_run_of_everything_does() {
    let all = world(103);
    assert!(ok(all.live(&DieAt::default())).closes());
    let parts = world(103);
    // Against the order first: what links to records that are not there yet is left, not decided.
    let run = ok(part(&parts, &only(&["deal"])));
    assert!(run.closes() && run.left() > 0, "{:#?}", run.maps);
    let deals = run.maps.iter().find(|map| map.map == "deal").expect("the deals");
    assert!(deals.left > 0 && deals.tally.quarantined == 0, "{deals:?}");
    assert_eq!(parts.account.live_count("Accounts"), 0, "another map was loaded");
    for phase in &all.checked.plan.phases {
        for map in phase {
            let name = &all.checked.plan.maps[usize::from(*map)].name;
            let run = ok(part(&parts, &only(&[name])));
            assert!(run.closes(), "{name}: {:#?}", run.maps);
        }
    }
    assert!(ok(parts.live(&DieAt::default())).closes());
    same(&parts, &all, "a map at a time");
}

#[test]
fn named_records_are_loaded_alone_and_the_rest_goes_on_from_there() {
    let all = world(104);
    assert!(ok(all.live(&DieAt::default())).closes());
    for point in ["load.prepared", "load.intent", "load.answered", "load.landed", "phase.closed"] {
        let parts = world(104);
        let (first, _) = company(&parts, 2);
        let (second, _) = company(&parts, 5);
        let named = records(&[&format!("company/{first}"), &format!("company/{second}")]);
        let dies = DieAt { point: Some((point, 1)), ..DieAt::default() };
        let died = parts.process(&dies, async |engine| engine.migrate_part(&named).await);
        assert!(matches!(died, Err(Error::Interrupted)), "{point} is not reached");
        let run = ok(part(&parts, &named));
        assert!(run.closes() && run.left() > 0, "{point}: {:#?}", run.maps);
        assert_eq!(parts.account.live_count("Accounts"), 2, "{point}");
        assert_eq!(parts.account.live_count("Leads"), 0, "{point}");
        // Another part knows of records that an earlier one wrote, and takes none of them for a double.
        let (third, _) = company(&parts, 3);
        assert!(ok(part(&parts, &records(&[&format!("company/{third}")]))).closes(), "{point}");
        assert!(ok(parts.live(&DieAt::default())).closes(), "{point}");
        same(&parts, &all, point);
    }
}

#[test]
fn names_that_lead_nowhere_are_told_before_anything_is_written() {
    let world = world(105);
    for (selection, word) in [
        (only(&["dael"]), "no map `dael`"),
        (records(&["company/999999"]), "`company/999999`"),
        (records(&["7"]), "does not say of which map"),
        (records(&["split lead/7"]), "not loaded by themselves"),
        (Selection { records: Some(Vec::new()), ..Selection::default() }, "nothing to load"),
    ] {
        let error = part(&world, &selection).expect_err("is refused").to_string();
        assert!(error.contains(word), "{error}");
    }
    assert_eq!(world.workspace.writes().expect("a count"), 0);
    assert_eq!(world.account.live_count("Accounts"), 0);
}

#[test]
fn what_was_quarantined_stays_where_only_what_failed_is_tried_again() {
    let (world, name, second) = tied(106);
    assert!(ok(world.live(&DieAt::default())).closes());
    untie(&world, second);
    let quarantined = || world.workspace.tally("company").expect("a tally").quarantined;
    let before = quarantined();
    for retry in [Retry::Failed, Retry::Nothing] {
        assert!(ok(part(&world, &Selection { retry, ..Selection::default() })).closes());
        assert_eq!(quarantined(), before, "{retry:?} tried {name} again");
    }
    assert!(ok(part(&world, &Selection { retry: Retry::Quarantined, ..Selection::default() })).closes());
    assert_eq!(quarantined(), before - 1);
}
