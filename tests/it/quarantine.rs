//! What is held back, tried again and left out by decision, and runs of a part. The oracle is what the destination twin
//! holds in the end: however it came about, it is what a run of everything would have made of it.

use std::collections::BTreeMap;
use std::process::Command;

use b2n::run::engine::{
    Cause, Error, RecordName, Retry, RunReport, Selection, address, detail, held_back, skip,
};
use b2n::run::twin::bitrix24::generate::Counts;
use b2n::run::twin::bitrix24::{Entity, Portal};
use b2n::run::twin::nutshell::record::Record;
use b2n::run::twin::nutshell::{Actor, Company, Kind};
use b2n::run::workspace::{Lack, Manifest, Outcome, Status, Tally, Workspace};
use serde_json::Value as Json;

use crate::whole;
use crate::world::{DieAt, Faults, World, root};

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

/// A workspace of the example customer with a company and a deal that are held back, the deal for want of the company.
fn on_disk(path: &std::path::Path) {
    let workspace = Workspace::open(path).expect("opens");
    let whole = Manifest { done: true, ..Manifest::default() };
    let company: [(&str, &[u8]); 1] = [("7", br#"{"ID":"7","TITLE":"Nordlicht"}"#)];
    let deals: [(&str, &[u8]); 2] = [("3", br#"{"ID":"3"}"#), ("4", br#"{"ID":"4"}"#)];
    workspace.stage("company", company.into_iter(), &whole).expect("stages");
    workspace.stage("deal", deals.into_iter(), &whole).expect("stages");
    let ended = |status, target: Option<&str>, why: &str| Outcome {
        status,
        target: target.map(str::to_owned),
        reason: Some(why.to_owned()),
    };
    workspace.settle("company", "7", &ended(Status::Quarantined, None, "two match"), &[]).expect("settles");
    let waits = ended(Status::Quarantined, None, "deal.accounts: company 7 did not arrive");
    workspace.settle("deal", "3", &waits, &[]).expect("settles");
    workspace.settle("deal", "4", &ended(Status::Created, Some("17"), "x"), &[]).expect("settles");
    let lack = Lack { field: 0, map: "company".to_owned(), key: "7".to_owned() };
    workspace.keep_lacks("deal", "3", &[lack]).expect("keeps");
}

/// Exit code, standard output and standard error of `b2n quarantine` on that workspace, without a network.
fn program(workspace: &std::path::Path, args: &[&str]) -> (i32, String, String) {
    let spec = root().join("examples/acme/acme.b2n");
    let output = Command::new(env!("CARGO_BIN_EXE_b2n"))
        .env_clear()
        .arg("quarantine")
        .arg(args[0])
        .arg(spec)
        .args(&args[1..])
        .arg("--workspace")
        .arg(workspace)
        .output()
        .expect("the binary runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

fn as_json(workspace: &std::path::Path, args: &[&str]) -> Json {
    let (_, out, err) = program(workspace, &[args, &["--format", "json"]].concat());
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{args:?}: {error}\n{out}\n{err}"))
}

#[test]
fn the_program_lists_shows_and_leaves_out_without_a_network() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("acme.b2nw");
    on_disk(&path);
    let (code, out, err) = program(&path, &["list"]);
    assert_eq!(code, 1, "{out}{err}");
    for part in [
        "company: 1 quarantined, two match",
        "1 record lacks it",
        "deal: 1 quarantined",
        "`company/7` arrives",
    ] {
        assert!(out.contains(part), "`{part}` is not in\n{out}");
    }
    let listed = as_json(&path, &["list"]);
    assert_eq!(listed["format"], "b2n-quarantine/1");
    let causes: Vec<&str> =
        listed["held"].as_array().expect("a list").iter().filter_map(|one| one["cause"].as_str()).collect();
    assert_eq!(causes, ["ruled", "link"]);
    assert_eq!(as_json(&path, &["list", "--map", "deal"])["held"].as_array().expect("a list").len(), 1);

    let shown = &as_json(&path, &["show", "deal/3"])["record"];
    assert_eq!(
        (&shown["lacks"][0]["key"], &shown["lacks"][0]["status"]),
        (&"7".into(), &"quarantined".into())
    );
    assert!(shown["values"].is_null(), "values are personal data");
    let company = &as_json(&path, &["show", "company/7", "--show-values"])["record"];
    assert_eq!(company["values"]["TITLE"], "Nordlicht");
    assert_eq!(company["dependents"][0]["key"], "3");

    for (args, part) in [
        (&["skip", "deal/4", "--reason", "a test"][..], "stands in the destination already"),
        (&["skip", "deal/99", "--reason", "a test"], "not staged"),
        (&["skip", "company/7", "--reason", "  "], "`--reason` is empty"),
        (&["show", "dael/3"], "no row `dael`"),
    ] {
        let (code, out, err) = program(&path, args);
        assert!(code == 2 && err.contains(part), "{args:?}: {code}\n{out}{err}");
    }
    let skip = ["skip", "company/7", "--reason", "a double", "--by", "ops@acme.example"];
    let (code, out, err) = program(&path, &skip);
    assert!(code == 0 && out.contains("1 record is left out by decision: a double"), "{code}\n{out}{err}");
    let listed = as_json(&path, &["list"]);
    assert_eq!(listed["held"].as_array().expect("a list").len(), 1);
    let decided = &listed["decided"][0];
    assert_eq!((&decided["key"], &decided["by"]), (&"7".into(), &"ops@acme.example".into()));
    assert!(decided["lifted_ms"].is_null() && decided["stood"] == "quarantined: two match", "{decided}");
}
