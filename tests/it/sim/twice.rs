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
