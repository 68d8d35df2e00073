//! A request that something on the way sends again: two records, and one answer that says all is well.

#![cfg(debug_assertions)]

use b2n::run::engine::RunReport;
use b2n::run::twin::bitrix24::Entity;
use b2n::run::twin::nutshell::{Actor, Kind};
use b2n::run::workspace::Operation;
use serde_json::Value as Json;

use super::oracle::{differences, picture, wrong};
use super::wire::{Phase, Scene, Side, Strike, Trouble, What, When};
use super::yard::Yard;
use crate::world::DieAt;

const TYPED: &str = "typed by a person";
const FIELD: &str = "Bitrix24 key";

fn twice(method: &'static str, times: u64) -> Strike {
    let (side, phase, when) = (Side::Account, Some(Phase::Load), When::From(1, times));
    Strike { side, phase, what: What::Method(method), when, trouble: Trouble::Twice }
}

/// Somebody acts when the first list of the account begins, so that each double is there already.
fn before_the_sweep(act: fn(&Scene<'_>)) -> Strike {
    let (side, phase, when) = (Side::Account, Some(Phase::Sweep), When::From(1, 1));
    Strike { side, phase, what: What::Any, when, trouble: Trouble::Act(act) }
}

fn clean() -> Yard {
    let yard = Yard::new(1, 0);
    yard.through(&[]).expect("a clean run");
    yard
}

/// The deletions that the journal keeps.
fn deleted(yard: &Yard) -> Vec<String> {
    let lines = yard.journal();
    lines
        .lines()
        .filter(|line| line.contains(&format!("{:?}", Operation::Delete)))
        .map(str::to_owned)
        .collect()
}

fn doubles(run: &RunReport) -> u64 {
    run.maps.iter().map(|map| map.doubles).sum()
}

/// Ids of the accounts that stand beside another one with the same marker: those that were made last.
fn beside(scene: &Scene<'_>) -> Vec<i64> {
    scene.account.markers("Accounts", FIELD).into_values().flat_map(|ids| ids.into_iter().skip(1)).collect()
}

#[test]
fn what_arrives_twice_is_taken_away_by_the_run_itself() {
    let expected = picture(&clean());
    for method in ["newAccount", "newContact", "newLead", "newActivity", "newNote"] {
        for in_flight in [1, 4] {
            let mut yard = Yard::new(1, 5);
            yard.settings.in_flight = in_flight;
            yard.hub.strike(&[twice(method, 3)]);
            let run = yard.migrate(&DieAt::default()).unwrap_or_else(|error| panic!("{method}: {error}"));
            assert!(run.closes(), "{method}: {:?}", run.maps);
            let struck = yard.hub.struck();
            assert!(struck > 0, "{method} is not called");
            assert_eq!(doubles(&run), struck, "{method}");
            assert_eq!(differences(&expected, &picture(&yard)), Vec::<String>::new(), "{method}");
            assert_eq!(wrong(&yard), Vec::<String>::new(), "{method}");
            let deleted = deleted(&yard);
            assert_eq!(deleted.len() as u64, struck, "{method}: {deleted:#?}");
            assert!(deleted.iter().all(|line| line.contains("arrived twice")), "{method}: {deleted:#?}");
        }
    }
}

/// Only a list of all leads tells that none of them holds it.
#[test]
fn a_product_that_arrives_twice_is_taken_away() {
    let yard = Yard::new(1, 8);
    yard.portal.with_portal(|portal| {
        let products = portal.records.entry(Entity::Product).or_default();
        for id in [901, 902] {
            let field = |name: &str, value: String| (name.to_owned(), Json::from(value));
            let product = [field("ID", id.to_string()), field("NAME", format!("Pump {id}"))];
            products.insert(id, product.into_iter().collect());
        }
    });
    yard.hub.strike(&[twice("newProduct", 1)]);
    let run = yard.migrate(&DieAt::default()).unwrap_or_else(|error| panic!("{error}"));
    assert!(run.closes() && yard.hub.struck() == 1, "{:?}", run.maps);
    assert_eq!((doubles(&run), deleted(&yard).len()), (1, 1));
    let markers = yard.account.markers("Products", FIELD);
    assert!(markers.values().all(|ids| ids.len() == 1), "{markers:?}");
}

#[test]
fn a_process_that_dies_before_the_sweep_leaves_it_to_the_next() {
    let expected = picture(&clean());
    for point in ["load.landed", "sweep.page", "sweep.delete"] {
        let yard = Yard::new(1, 6);
        yard.hub.strike(&[twice("new", 4)]);
        let (run, died) =
            yard.through(&[(point, 1), (point, 2)]).unwrap_or_else(|error| panic!("{point}: {error}"));
        assert!(run.closes() && died > 0, "{point}: {:?}", run.maps);
        assert_eq!(differences(&expected, &picture(&yard)), Vec::<String>::new(), "{point}");
    }
}

/// What the run says when it stops, and every account that carries a marker beside another one.
fn stopped(act: fn(&Scene<'_>)) -> (String, Vec<i64>) {
    let yard = Yard::new(1, 7);
    yard.hub.strike(&[twice("newAccount", 1), before_the_sweep(act)]);
    let error = yard.migrate(&DieAt::default()).expect_err("the books do not close").to_string();
    assert_eq!(yard.hub.struck(), 2);
    assert_eq!(deleted(&yard), Vec::<String>::new());
    let markers = yard.account.markers("Accounts", FIELD);
    (error, markers.into_values().filter(|ids| ids.len() > 1).flatten().collect())
}

/// Whatever shows that somebody worked on the second record keeps it, and the run stops.
#[test]
fn what_arrived_twice_and_was_worked_on_since_is_kept() {
    let edited: fn(&Scene<'_>) = |scene| {
        for id in beside(scene) {
            let describe =
                |account: &mut b2n::run::twin::nutshell::Record| account.description = Some(TYPED.to_owned());
            scene.account.with(|company| company.edit(Kind::Accounts, id, scene.now_ms, describe));
        }
    };
    let noted: fn(&Scene<'_>) = |scene| {
        for id in beside(scene) {
            let actor = Actor::User(1);
            scene
                .account
                .with(|company| company.add_note(Kind::Accounts, id, TYPED.to_owned(), actor, scene.now_ms));
        }
    };
    // As it was, but changed long after the request: somebody saved it, or made a copy by then.
    let later: fn(&Scene<'_>) = |scene| {
        for id in beside(scene) {
            scene.account.with(|company| company.edit(Kind::Accounts, id, scene.now_ms + 3_600_000, |_| {}));
        }
    };
    for (name, act) in [("a field", edited), ("a note", noted), ("an hour later", later)] {
        let (error, both) = stopped(act);
        assert!(error.contains("the books do not know"), "{name}: {error}");
        assert_eq!(both.len(), 2, "{name}: one of them was deleted");
    }
}

/// Everything that carries a marker is copied with it, an hour later than the clock says.
fn copied(scene: &Scene<'_>) {
    for ids in scene.account.markers("Accounts", FIELD).into_values() {
        scene.account.with(|company| {
            let copy = company.live(Kind::Accounts, ids[0]).cloned().expect("it stands");
            company.insert(copy, scene.now_ms + 3_600_000);
        });
    }
}

/// An answer that is lost makes nobody's copy ours: it was made long after the request.
#[test]
fn a_copy_of_a_record_whose_create_had_no_answer_is_kept() {
    let yard = Yard::new(1, 9);
    let (side, phase, when) = (Side::Account, Some(Phase::Load), When::From(1, 1));
    let lost = Strike { side, phase, what: What::Method("newAccount"), when, trouble: Trouble::Lost };
    yard.hub.strike(&[lost, before_the_sweep(copied)]);
    let error = yard.migrate(&DieAt::default()).expect_err("the books do not close").to_string();
    assert!(error.contains("the books do not know"), "{error}");
    assert_eq!(yard.hub.struck(), 2);
    assert_eq!(deleted(&yard), Vec::<String>::new());
    let both = |yard: &Yard| yard.account.markers("Accounts", FIELD).into_values().all(|ids| ids.len() == 2);
    assert!(both(&yard), "a copy was deleted");
    // Nor does a rollback take the copies: what it takes is what was made.
    yard.hub.strike(&[]);
    let copies = yard.account.markers("Accounts", FIELD).len();
    yard.back(&[]).unwrap_or_else(|error| panic!("{error}"));
    let left: usize = yard.account.markers("Accounts", FIELD).into_values().map(|ids| ids.len()).sum();
    assert_eq!(left, copies, "copies that a person made were taken back");
}

/// A process that dies before it has the answer to what arrived twice: a rollback takes both away.
#[test]
fn a_rollback_takes_away_what_arrived_twice_without_an_answer() {
    let yard = Yard::new(1, 10);
    let marked = |yard: &Yard| -> Vec<Vec<i64>> {
        let of = |entity| yard.account.markers(entity, FIELD).into_values();
        ["Products", "Accounts", "Contacts", "Leads"].into_iter().flat_map(of).collect()
    };
    let before: usize = marked(&yard).len();
    yard.hub.strike(&[twice("new", 4)]);
    let died = yard.migrate(&DieAt { point: Some(("load.answered", 1)), ..DieAt::default() });
    assert!(matches!(died, Err(b2n::run::engine::Error::Interrupted)) && yard.hub.struck() > 0);
    yard.hub.strike(&[]);
    assert!(marked(&yard).iter().any(|ids| ids.len() == 2), "nothing arrived twice: {:?}", marked(&yard));
    yard.back(&[]).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((before, marked(&yard)), (0, Vec::new()));
}

/// The last try to delete a double is done and has no answer, or its process dies before it has one: the journal says
/// at last that it was done.
#[test]
fn a_deletion_without_an_answer_is_settled_by_whatever_lists_next() {
    let open = |yard: &Yard| {
        let lines = deleted(yard);
        lines.into_iter().filter(|line| !line.contains("state: Done")).collect::<Vec<_>>()
    };
    for dies in [false, true] {
        for next in ["migrate", "reconcile", "rollback"] {
            let mut yard = Yard::new(1, 11);
            yard.settings.sends = if dies { 6 } else { 1 };
            let (side, phase, when) = (Side::Account, Some(Phase::Sweep), When::From(1, 1));
            let trouble = if dies { Trouble::Lost } else { Trouble::ResetAfter };
            let lost = Strike { side, phase, what: What::Method("deleteAccount"), when, trouble };
            yard.hub.strike(&[twice("newAccount", 1), lost]);
            let point = dies.then_some(("sweep.delete", 1));
            let ended = yard.migrate(&DieAt { point, ..DieAt::default() });
            assert!(ended.is_err() && yard.hub.struck() == 2, "{dies} {next}: {}", yard.hub.struck());
            assert_eq!(open(&yard).len(), 1, "{dies} {next}: {:#?}", deleted(&yard));
            yard.hub.strike(&[]);
            yard.settings.sends = 6;
            match next {
                "migrate" => {
                    yard.through(&[]).unwrap_or_else(|error| panic!("{dies}: {error}"));
                }
                "reconcile" => {
                    let report = yard.process(&DieAt::default(), async |engine| engine.reconcile().await);
                    assert!(report.is_ok(), "{dies}: {:?}", report.err());
                }
                _ => {
                    yard.back(&[]).unwrap_or_else(|error| panic!("{dies}: {error}"));
                }
            }
            assert_eq!(open(&yard), Vec::<String>::new(), "{dies} {next}");
            let double = yard.account.markers("Accounts", FIELD).into_values().find(|ids| ids.len() > 1);
            assert_eq!(double, None, "{dies} {next}");
        }
    }
}
