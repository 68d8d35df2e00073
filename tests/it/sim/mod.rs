//! Whole migrations under faults: answers lost after the commit, late commits, deaths at every named point. The
//! oracles are the twins' own books; b2n's count for nothing here.

mod cells;
mod kills;
pub mod oracle;
mod pairs;
mod planted;
mod seeds;
mod twice;
pub mod wire;
pub mod yard;

use std::collections::{BTreeMap, BTreeSet};

use b2n::run::connect::outside::Clock;
use b2n::run::engine::{Error, POINTS};
use b2n::run::twin::bitrix24::Entity;
use b2n::run::twin::bitrix24::generate::Counts;

use crate::world::{DieAt, Faults, World};

const MARKER: &str = "Bitrix24 key";
const OBJECTS: [(&str, &str); 3] = [("company", "Accounts"), ("contact", "Contacts"), ("deal", "Leads")];

/// The proof's size: 500 companies, 1,500 contacts, 1,000 deals.
fn full() -> Counts {
    Counts { companies: 500, contacts: 1_500, deals: 1_000, leads: 0 }
}

fn small() -> Counts {
    Counts { companies: 20, contacts: 50, deals: 40, leads: 0 }
}

/// What is wrong with the destination by the twins' books; empty when nothing is.
fn wrong(world: &World) -> Vec<String> {
    world.wire.settle(i64::MAX);
    let mut wrong = Vec::new();
    let mut ids: BTreeMap<(&str, i64), i64> = BTreeMap::new();
    for (object, entity) in OBJECTS {
        let markers = world.account.markers(entity, MARKER);
        let live = world.account.live_count(entity);
        let marked: usize = markers.values().map(Vec::len).sum();
        if live != marked {
            wrong.push(format!("{entity}: {live} records, {marked} with a marker"));
        }
        for (marker, records) in markers {
            let key =
                marker.strip_prefix(&format!("acme.bitrix24.com/{object}/")).and_then(|key| key.parse().ok());
            let Some(key): Option<i64> = key else {
                wrong.push(format!("{entity}: marker `{marker}` is not one"));
                continue;
            };
            if records.len() != 1 {
                wrong.push(format!("{entity}: `{marker}` stands {} times: {records:?}", records.len()));
            }
            ids.insert((object, key), records[0]);
        }
    }
    // Every source record is there, but for those that the spec leaves out or holds back.
    for (object, entity) in OBJECTS {
        let source = match object {
            "company" => Entity::Company,
            "contact" => Entity::Contact,
            _ => Entity::Deal,
        };
        let all: BTreeSet<i64> = world.portal.with_portal(|portal| {
            portal.records.get(&source).map(|r| r.keys().copied().collect()).unwrap_or_default()
        });
        let there: BTreeSet<i64> = ids.keys().filter(|(o, _)| *o == object).map(|(_, key)| *key).collect();
        let missing: Vec<&i64> = all.difference(&there).collect();
        let tally = world.workspace.tally(object).expect("a tally");
        if missing.len() as u64 != tally.left_out + tally.quarantined {
            wrong.push(format!(
                "{entity}: {} of {} are missing, the books say {tally:?}",
                missing.len(),
                all.len()
            ));
        }
        if let Some(stranger) = there.difference(&all).next() {
            wrong.push(format!("{entity}: {object} {stranger} is in no portal"));
        }
    }
    links(world, &ids, &mut wrong);
    wrong
}

/// The link graph of the portal between records that arrived equals the destination's.
fn links(world: &World, ids: &BTreeMap<(&str, i64), i64>, wrong: &mut Vec<String>) {
    let mut expected: BTreeSet<(&str, i64, &str, i64)> = BTreeSet::new();
    world.portal.with_portal(|portal| {
        for (contact, companies) in &portal.contact_companies {
            for company in companies {
                if let (Some(a), Some(b)) =
                    (ids.get(&("contact", *contact)), ids.get(&("company", company.id)))
                {
                    expected.insert(("Contacts", *a, "accounts", *b));
                }
            }
        }
        for (deal, contacts) in &portal.deal_contacts {
            for contact in contacts {
                if let (Some(a), Some(b)) = (ids.get(&("deal", *deal)), ids.get(&("contact", contact.id))) {
                    expected.insert(("Leads", *a, "contacts", *b));
                }
            }
        }
        for (deal, record) in portal.records.get(&Entity::Deal).into_iter().flatten() {
            let company =
                record.get("COMPANY_ID").and_then(|id| id.as_str()).and_then(|id| id.parse::<i64>().ok());
            if let (Some(a), Some(b)) =
                (ids.get(&("deal", *deal)), company.and_then(|company| ids.get(&("company", company))))
            {
                expected.insert(("Leads", *a, "accounts", *b));
            }
        }
    });
    let there = world.account.links();
    let there: BTreeSet<(&str, i64, &str, i64)> = there
        .iter()
        .map(|(entity, id, relation, other)| (entity.as_str(), *id, relation.as_str(), *other))
        .filter(|(entity, _, relation, _)| {
            matches!((*entity, *relation), ("Contacts", "accounts") | ("Leads", "contacts" | "accounts"))
        })
        .collect();
    for link in expected.difference(&there).take(5) {
        wrong.push(format!("a link is missing: {link:?}"));
    }
    for link in there.difference(&expected).take(5) {
        wrong.push(format!("a link too many: {link:?}"));
    }
}

/// Lives until it is through, however often it dies; gives how often. A run that gives up because nobody answers is
/// started again, as a person would.
fn through(world: &World, deaths: &[(&'static str, u64)]) -> usize {
    let mut died = 0;
    for point in deaths {
        match world.live(&DieAt { point: Some(*point), ..DieAt::default() }) {
            Err(Error::Interrupted) => died += 1,
            Ok(_) | Err(Error::Connect(_)) => {}
            Err(error) => panic!("{point:?}: {error}"),
        }
    }
    for _ in 0..40 {
        match world.live(&DieAt::default()) {
            Ok(run) => {
                assert!(run.closes(), "{:?}", run.maps);
                return died;
            }
            Err(Error::Connect(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    panic!("forty runs were not enough");
}

#[test]
fn a_clean_migration_closes_and_a_second_run_writes_nothing() {
    let world = World::new(full(), 1, Faults::default());
    let run = world.live(&DieAt::default()).unwrap_or_else(|error| panic!("{error}"));
    assert!(run.closes(), "{:?}", run.maps);
    assert_eq!(wrong(&world), Vec::<String>::new());
    assert!(run.maps.iter().all(|map| map.tally.failed == 0), "{:?}", run.maps);
    // Tags and sources that the account lacked were made before any record named them.
    let dump = world.account.dump();
    for (list, name) in [("tags", "Returning customer"), ("sources", "Existing customer")] {
        let all = dump[list].as_array().expect("a list");
        assert!(all.iter().any(|entry| entry["name"] == name), "`{name}` is not among the {list}");
    }
    let log = world.portal.log();
    assert_eq!((log.refused_rate, log.refused_operating), (0, 0), "the limiter provoked a refusal");
    let writes = |world: &World| {
        let log = world.account.log();
        log.requests
            .iter()
            .filter(|(name, _)| ["new", "edit", "delete"].iter().any(|verb| name.starts_with(verb)))
            .map(|(_, n)| n)
            .sum::<u64>()
    };
    let before = writes(&world);
    let again = world.live(&DieAt::default()).unwrap_or_else(|error| panic!("{error}"));
    assert!(again.closes());
    assert_eq!(writes(&world), before, "a second run of an unchanged plan wrote something");
}

/// A migration of which a share of the answers is lost after the commit. Nothing may be wrong afterwards, and nothing
/// may have been made twice even for a moment: a lost answer alone gives the sweep nothing to take away.
fn with_lost_answers(mut world: World, plant: bool) -> Vec<String> {
    #[cfg(debug_assertions)]
    {
        world.settings.planted.resend_on_timeout = plant;
    }
    assert!(cfg!(debug_assertions) || !plant);
    world.settings.sends = 12;
    let run = world.live(&DieAt::default()).unwrap_or_else(|error| panic!("{error}"));
    assert!(run.closes(), "{:?}", run.maps);
    let mut found = wrong(&world);
    let doubles: u64 = run.maps.iter().map(|map| map.doubles).sum();
    if doubles > 0 {
        found.push(format!("{doubles} records were made twice and taken away again"));
    }
    found
}

#[test]
fn answers_lost_after_the_commit_make_no_doubles() {
    for (seed, lost) in [(11, 0.05), (12, 0.5)] {
        let world = World::new(full(), seed, Faults { lost, ..Faults::default() });
        assert_eq!(
            with_lost_answers(world, false),
            Vec::<String>::new(),
            "seed {seed}, {lost} of the answers lost"
        );
    }
}

/// The test above, with one step broken on purpose: it must fail.
#[cfg(debug_assertions)]
#[test]
fn resending_at_once_is_caught() {
    for (seed, lost) in [(11, 0.05), (12, 0.5)] {
        let world = World::new(small(), seed, Faults { lost, ..Faults::default() });
        let found = with_lost_answers(world, true);
        assert!(
            found.iter().any(|line| line.contains("made twice")),
            "seed {seed}: nothing was noticed: {found:?}"
        );
    }
}

#[test]
fn late_commits_make_no_lasting_doubles() {
    for (seed, late_ms) in [(21, 5_000), (22, 40_000), (23, 80_000)] {
        let faults = Faults { late: 0.05, late_ms, lost: 0.05, ..Faults::default() };
        let world = World::new(full(), seed, faults);
        through(&world, &[]);
        assert_eq!(wrong(&world), Vec::<String>::new(), "seed {seed}, commits {late_ms} ms late");
    }
}

#[test]
fn foreign_and_cut_bodies_and_refusals_make_no_doubles() {
    let faults = Faults { html: 0.05, cut: 0.05, refused: 0.05, ..Faults::default() };
    let world = World::new(small(), 31, faults);
    through(&world, &[]);
    assert_eq!(wrong(&world), Vec::<String>::new(), "seed 31");
}

#[test]
fn a_death_at_every_named_point_is_survived() {
    let mut never = Vec::new();
    for point in POINTS {
        let mut died = 0;
        for nth in [1, 2, 7] {
            let world = World::new(small(), 41, Faults::default());
            died += through(&world, &[(point, nth)]);
            assert_eq!(wrong(&world), Vec::<String>::new(), "death at `{point}`, time {nth}");
        }
        if died == 0 && point != "sweep.delete" {
            never.push(point);
        }
    }
    assert!(never.is_empty(), "no migration reaches {never:?}");
}

#[test]
fn deaths_and_lost_answers_together_are_survived_at_full_size() {
    let mut deaths = vec![("extract.staged", 1), ("extract.request", 2), ("provision.done", 3)];
    for nth in [40, 250] {
        deaths.extend(POINTS.iter().filter(|point| point.starts_with("load")).map(|point| (*point, nth)));
    }
    for (seed, lost) in [(51, 0.05), (52, 0.5)] {
        let faults = Faults { lost, late: 0.02, late_ms: 30_000, ..Faults::default() };
        let mut world = World::new(full(), seed, faults);
        // At half of the answers lost, six tries are too few to get anywhere.
        world.settings.sends = 12;
        let died = through(&world, &deaths);
        assert!(died >= 8, "only {died} of {} deaths happened", deaths.len());
        assert_eq!(
            wrong(&world),
            Vec::<String>::new(),
            "seed {seed}, {lost} of the answers lost, {died} deaths"
        );
    }
}

#[test]
fn the_same_seed_twice_is_the_same_run() {
    let run = || {
        let world =
            World::new(small(), 61, Faults { lost: 0.2, late: 0.1, late_ms: 20_000, ..Faults::default() });
        through(&world, &[("load.answered", 9)]);
        serde_json::to_string(&world.account.dump()).expect("a dump")
    };
    assert!(run() == run(), "two runs of one seed differ");
}

/// With the sweep off, what resending doubles stays: the oracle sees it.
#[cfg(debug_assertions)]
#[test]
fn a_sweep_that_is_off_is_caught() {
    let mut world = World::new(small(), 71, Faults { lost: 0.3, ..Faults::default() });
    world.settings.planted.resend_on_timeout = true;
    world.settings.planted.no_sweep = true;
    let _ = world.live(&DieAt::default());
    let found = wrong(&world);
    assert!(found.iter().any(|line| line.contains("times:")), "the doubles were not noticed: {found:?}");
}

/// Makes an account past b2n, as a person would; gives its id.
fn by_hand(world: &World, account: serde_json::Value) -> i64 {
    let call = serde_json::json!({"jsonrpc": "2.0", "id": "1", "method": "newAccount", "params": {"account": account}});
    let request = b2n::run::twin::Request {
        method: "POST".to_owned(),
        path: "/api/v1/json".to_owned(),
        query: String::new(),
        headers: vec![("authorization".to_owned(), "Basic YWRtaW5AYWNtZS5leGFtcGxlOmtleQ==".to_owned())],
        body: call.to_string().into_bytes(),
        client: "127.0.0.1".to_owned(),
    };
    let answer = world.account.handle(&request, world.clock.now_ms());
    let made: serde_json::Value = serde_json::from_slice(&answer.body).expect("json");
    made["result"]["id"].as_i64().unwrap_or_else(|| panic!("{made}"))
}

/// A run that dies while it adopts takes the same record again, and never makes another beside it.
#[test]
fn a_death_while_adopting_takes_the_same_record_again() {
    for (point, nth) in [("load.edit", 1), ("load.landed", 1), ("load.intent", 2), ("load.edit", 3)] {
        let world = World::new(small(), 81, Faults::default());
        // The account holds the second company already, under the same name.
        let (key, name) = world.portal.with_portal(|portal| {
            let (id, record) = portal.records[&Entity::Company].iter().nth(1).expect("a second company");
            (*id, record["TITLE"].as_str().expect("a title").trim().to_owned())
        });
        let id = by_hand(&world, serde_json::json!({"name": name, "description": "typed in by marketing"}));
        through(&world, &[(point, nth)]);
        let markers = world.account.markers("Accounts", MARKER);
        assert_eq!(
            markers.get(&format!("acme.bitrix24.com/company/{key}")),
            Some(&vec![id]),
            "death at `{point}`, time {nth}"
        );
        let adopted = world.workspace.tally("company").expect("a tally").adopted;
        assert_eq!(adopted, 1, "death at `{point}`, time {nth}");
        assert_eq!(wrong(&world), Vec::<String>::new(), "death at `{point}`, time {nth}");
    }
}

/// A person's copy of a record carries the marker too. It is named and kept, never deleted.
#[test]
fn a_copy_that_a_person_made_is_kept() {
    let world = World::new(small(), 82, Faults::default());
    world.live(&DieAt::default()).unwrap_or_else(|error| panic!("{error}"));
    let (marker, _) = world.account.markers("Accounts", MARKER).pop_first().expect("a marker");
    by_hand(&world, serde_json::json!({"name": "A copy", "customFields": {MARKER: marker}}));
    let before = world.account.live_count("Accounts");
    let error = world.live(&DieAt::default()).expect_err("the books do not close");
    assert!(error.to_string().contains("the books do not know"), "{error}");
    assert_eq!(world.account.live_count("Accounts"), before, "the copy was deleted");
}

/// A workspace that was lost, or a second one, must not make everything twice.
#[test]
fn a_second_workspace_on_the_same_account_is_refused() {
    let mut world = World::new(small(), 83, Faults::default());
    world.live(&DieAt::default()).unwrap_or_else(|error| panic!("{error}"));
    let before = world.account.dump();
    world.workspace = b2n::run::workspace::Workspace::in_memory().expect("another workspace");
    let error = world.live(&DieAt::default()).expect_err("is refused");
    assert!(error.to_string().contains("another workspace wrote"), "{error}");
    assert_eq!(world.account.dump(), before, "something was written");
}

/// A record that a person deleted in the destination is listed; the books close around it.
#[test]
fn a_record_deleted_in_the_destination_is_listed() {
    let world = World::new(small(), 84, Faults::default());
    world.live(&DieAt::default()).unwrap_or_else(|error| panic!("{error}"));
    let (_, ids) = world.account.markers("Leads", MARKER).pop_first().expect("a marker");
    world.account.with(|company| {
        let actor = b2n::run::twin::nutshell::Actor::User(1);
        company.delete(b2n::run::twin::nutshell::Kind::Leads, ids[0], actor, 1_795_300_000_000);
    });
    for _ in 0..2 {
        // Nor does a later run make it again.
        let run = world.live(&DieAt::default()).unwrap_or_else(|error| panic!("{error}"));
        assert!(run.closes(), "{:?}", run.maps);
        let deals = run.maps.iter().find(|map| map.map == "deal").expect("the deals");
        assert_eq!(deals.tally.failed, 1, "{deals:?}");
    }
}

/// Credentials of another account: refused before the workspace is bound to it, so that the right one still fits.
#[test]
fn the_wrong_account_is_refused_and_not_remembered() {
    let world = World::new(small(), 86, Faults::default());
    world.account.configure(|settings| settings.instance_id = "999".to_owned());
    let error = world.live(&DieAt::default()).expect_err("is refused");
    let message = error.to_string();
    assert!(message.contains("`999`") && message.contains("`379104`"), "{message}");
    assert_eq!(world.account.live_count("Accounts"), 0);
    world.account.configure(|settings| settings.instance_id = "379104".to_owned());
    let run = world.live(&DieAt::default()).unwrap_or_else(|error| panic!("{error}"));
    assert!(run.closes(), "{:?}", run.maps);
}
