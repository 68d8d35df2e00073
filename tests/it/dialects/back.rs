//! Records that change in the source after they were loaded, and a rollback of all of it, in every dialect.
//!
//! The oracle of the change is a clean load of the changed records in the default dialect; of the rollback, the
//! account before anything was written.

use std::collections::BTreeSet;

use b2n::run::twin::nutshell::Settings;
use serde_json::Value as Json;

use super::{STOPS, Turn, combination, doubled, held, seeds, stopped, turns, world};
use crate::changes::restaged;
use crate::rollback::{differing, live};
use crate::world::{DieAt, World};

/// What stands in the source before the first load: deals in every state that a change starts from.
fn begin(world: &World) {
    let extracted = world.process(&DieAt::default(), async |engine| engine.extract().await);
    extracted.unwrap_or_else(|error| panic!("{error}"));
    restaged(world, "deal", |at, json| {
        let (category, stage) = match at % 5 {
            0 => ("0", "LOSE"),
            1 => ("0", "WON"),
            2 => ("0", "PREPARATION"),
            3 => ("1", "C1:LOSE"),
            _ => return false,
        };
        json["CATEGORY_ID"] = serde_json::json!(category);
        json["STAGE_ID"] = serde_json::json!(stage);
        priced(json, &format!("{}.50", 100 + at));
        true
    });
}

fn priced(deal: &mut Json, amount: &str) {
    deal["OPPORTUNITY"] = serde_json::json!(amount);
    deal["IS_MANUAL_OPPORTUNITY"] = serde_json::json!("Y");
    deal["CURRENCY_ID"] = serde_json::json!("USD");
}

/// What people then do in the source; gives how many records they changed.
fn change(world: &World) -> u64 {
    let set = |json: &mut Json, key: &str, value: Json| json[key] = value;
    let deals = restaged(world, "deal", |at, json| {
        let (category, stage) = match at % 5 {
            // Closed in another pipeline, closed otherwise, closed at all, reopened elsewhere.
            0 => ("1", "C1:WON"),
            1 => ("0", "LOSE"),
            2 => ("0", "WON"),
            3 => ("0", "EXECUTING"),
            _ => return false,
        };
        set(json, "CATEGORY_ID", serde_json::json!(category));
        set(json, "STAGE_ID", serde_json::json!(stage));
        priced(json, &format!("{}.25", 900 + at));
        set(json, "BEGINDATE", serde_json::json!("2021-03-04T00:00:00+03:00"));
        if at % 5 == 2 {
            set(json, "COMPANY_ID", serde_json::json!("0"));
        }
        true
    });
    let companies = restaged(world, "company", |at, json| {
        set(json, "TITLE", serde_json::json!(format!("Renamed {at}")));
        set(json, "UF_CRM_1690000011", serde_json::json!("2022-05-06T00:00:00+03:00"));
        set(json, "UF_CRM_1690000012", serde_json::json!(["81", "87"]));
        set(json, "COMMENTS", serde_json::json!(""));
        at % 2 == 0
    });
    let contacts = restaged(world, "contact", |at, json| {
        set(json, "LAST_NAME", serde_json::json!("Eyckova"));
        set(json, "BIRTHDATE", serde_json::json!("1980-02-03T00:00:00+03:00"));
        set(
            json,
            "EMAIL",
            serde_json::json!([{"VALUE": format!("new{at}@x.example"), "VALUE_TYPE": "HOME"}]),
        );
        at % 2 == 1
    });
    let comments = restaged(world, "comment", |_, json| {
        set(json, "COMMENT", serde_json::json!("said again"));
        true
    });
    let activities = restaged(world, "activity", |at, json| {
        set(json, "SUBJECT", serde_json::json!(format!("Held {at}")));
        at % 2 == 0
    });
    let products = restaged(world, "product", |at, json| {
        set(json, "NAME", serde_json::json!(format!("Pump {at}")));
        at % 2 == 0
    });
    [deals, companies, contacts, comments, activities, products].iter().map(|told| told.changed).sum()
}

fn clean() -> BTreeSet<String> {
    let world = world(1, &[]);
    begin(&world);
    assert!(change(&world) > 20, "hardly anything changes");
    let run = world.live(&DieAt::default()).unwrap_or_else(|error| panic!("{error}"));
    assert!(run.closes(), "{:#?}", run.maps);
    held(&world)
}

/// Loads, changes, and takes everything back; what is said where the change did not arrive. A load that did not come
/// through ends it.
fn there_and_back(wanted: &BTreeSet<String>, seed: u64, turned: &[Turn]) -> String {
    let world = world(seed, turned);
    let before = live(&world);
    begin(&world);
    let loaded = world.live(&DieAt::default());
    let said = stopped(&world, &loaded, u64::MAX);
    if !said.is_empty() {
        return format!("NOT LOADED: {said}");
    }
    let back = loaded.map_or(0, |run| run.held_back());
    change(&world);
    let ended = world.live(&DieAt::default());
    let said = stopped(&world, &ended, back);
    let after = held(&world);
    let mut told: Vec<String> = Some(said).filter(|said| !said.is_empty()).into_iter().collect();
    if !doubled(&after).is_empty() {
        told.push(format!("DOUBLED: {:?}", doubled(&after)));
    }
    let differ: Vec<&String> = wanted.symmetric_difference(&after).take(8).collect();
    if told.is_empty() && !differ.is_empty() {
        told.push(format!("DIFFERS from a clean load: {differ:#?}"));
    }
    // Whoever may not delete takes nothing back.
    if turned.iter().any(|turn| turn.name == "may_delete") {
        return told.join("; ");
    }
    world.account.configure(|settings| turned.iter().for_each(|turn| (turn.set)(settings)));
    match world.roll_back(&DieAt::default(), None) {
        Ok(report) if report.as_announced() => {}
        Ok(report) => told.push(format!("ROLLED BACK otherwise than announced: {report:?}")),
        Err(error) => told.push(format!("NOT ROLLED BACK: {error}")),
    }
    world.account.configure(|settings| *settings = Settings::default());
    let differ: Vec<_> = differing(&before, &live(&world)).into_iter().take(8).collect();
    if !differ.is_empty() {
        told.push(format!("LEFT by the rollback: {differ:?}"));
    }
    told.join("; ")
}

/// All switches under which a load comes through, several at once, no two of one name together. Whoever may not delete
/// stands alone, since nothing is taken back then.
fn groups() -> Vec<Vec<Turn>> {
    const GROUPS: usize = 10;
    let loads = |turn: &Turn| STOPS.iter().all(|(shown, _)| *shown != turn.shown);
    let (alone, others): (Vec<Turn>, Vec<Turn>) =
        turns().into_iter().filter(loads).partition(|turn| turn.name == "may_delete");
    let mut groups = vec![Vec::new(); GROUPS];
    for (at, turn) in others.into_iter().enumerate() {
        groups[at % GROUPS].push(turn);
    }
    groups.push(alone);
    groups
}

#[test]
fn what_changed_since_arrives_and_a_rollback_takes_it_back_under_every_switch() {
    let wanted = clean();
    let mut wrong = Vec::new();
    for group in groups() {
        let names: BTreeSet<&str> = group.iter().map(|turn| turn.name).collect();
        assert_eq!(names.len(), group.len(), "two switches of one name");
        if there_and_back(&wanted, 2, &group).is_empty() {
            continue;
        }
        // Which of them is it?
        let each = group.iter().map(|turn| (turn, there_and_back(&wanted, 2, std::slice::from_ref(turn))));
        let told: Vec<String> = each
            .filter(|(_, said)| !said.is_empty())
            .map(|(turn, said)| format!("{}: {said}", turn.shown))
            .collect();
        let shown: Vec<&str> = group.iter().map(|turn| turn.shown.as_str()).collect();
        wrong.push(format!("{} together; by themselves: {told:#?}", shown.join(", ")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_changed_since_arrives_and_a_rollback_takes_it_back_under_many_switches_at_once() {
    let wanted = clean();
    for seed in seeds(3) {
        // What holds records back in a load holds them back here too: the test of loads looks at it.
        let mut turned = combination(seed);
        turned.retain(|turn| STOPS.iter().all(|(shown, _)| *shown != turn.shown));
        let shown: Vec<&str> = turned.iter().map(|turn| turn.shown.as_str()).collect();
        let said = there_and_back(&wanted, seed, &turned);
        let wrong =
            ["CLOSE", "DOUBLED", "DIFFERS", "ROLLED BACK", "LEFT"].iter().any(|word| said.contains(word));
        assert!(!wrong, "B2N_SEED={seed}: {}: {said}", shown.join(", "));
    }
}
