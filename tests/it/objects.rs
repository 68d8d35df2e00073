//! What a portal keeps beside its records, moved from end to end by the standard profile: tasks, telephone calls,
//! requisites, addresses, histories. The oracle is the portal on one side and the account's dump on the other.

use std::collections::{BTreeMap, BTreeSet};

use b2n::run::twin::bitrix24::portal::Record;
use b2n::run::twin::bitrix24::{Entity, Table};
use serde_json::Value as Json;

use crate::rollback::{live, podyom};
use crate::world::{DieAt, World};

const KEY: &str = "Bitrix24 key";
const ACCOUNT: &str = "podyom.bitrix24.ru/";

fn said<'r>(row: &'r Record, key: &str) -> &'r str {
    row.get(key).and_then(Json::as_str).unwrap_or("")
}

fn rows(world: &World, table: Table) -> Vec<(i64, Record)> {
    world
        .portal
        .with_portal(|portal| portal.tables[&table].iter().map(|(id, row)| (*id, row.clone())).collect())
}

/// Ids by marker, the account's name taken off.
fn markers(world: &World, list: &str) -> BTreeMap<String, i64> {
    let all = world.account.markers(list, KEY);
    all.into_iter()
        .map(|(marker, ids)| {
            assert_eq!(ids.len(), 1, "{marker} stands {} times", ids.len());
            (marker.strip_prefix(ACCOUNT).unwrap_or(&marker).to_owned(), ids[0])
        })
        .collect()
}

/// A list of the account's dump, by id.
fn stored(world: &World, list: &str) -> BTreeMap<i64, Json> {
    let dump = world.account.dump();
    let rows = dump[list].as_array().unwrap_or_else(|| panic!("no list `{list}`")).clone();
    rows.into_iter().map(|row| (row["id"].as_i64().expect("an id"), row)).collect()
}

#[test]
fn what_a_portal_keeps_beside_its_records_arrives() {
    let world = podyom(3);
    let run = world.live(&DieAt::default()).unwrap_or_else(|error| panic!("{error}"));
    assert!(run.closes(), "{:#?}", run.maps);
    let of = |list: &str| (markers(&world, list), stored(&world, &list.to_lowercase()));
    let (activities, told) = of("Activities");
    let (tasks, _) = of("Tasks");
    let (notes, texts) = of("Notes");
    let (leads, held) = of("Leads");
    let (accounts, _) = of("Accounts");

    // Tasks: what is open is a task, what is done a note on its record.
    let (mut open, mut done) = (0, 0);
    for (id, row) in rows(&world, Table::Task) {
        let marker = format!("task/{id}");
        if said(&row, "STATUS") != "5" {
            assert!(tasks.contains_key(&marker), "open task {id}");
            open += 1;
        } else {
            assert!(!tasks.contains_key(&marker), "finished task {id}");
            done += usize::from(notes.contains_key(&marker));
        }
    }
    assert!(open > 0, "no open task");
    println!("{open} open tasks, {done} finished ones with a record");

    // To-dos that are open are tasks too.
    let todo = |row: &Record| said(row, "PROVIDER_ID") == "CRM_TODO" && said(row, "COMPLETED") != "Y";
    let todos: BTreeSet<String> = world.portal.with_portal(|portal| {
        let all = portal.records[&Entity::Activity].iter();
        all.filter(|(_, row)| todo(row)).map(|(id, _)| format!("activity/{id}")).collect()
    });
    let arrived: BTreeSet<String> =
        tasks.keys().filter(|marker| marker.starts_with("activity/")).cloned().collect();
    assert!(!todos.is_empty());
    assert_eq!(arrived, todos);

    // Calls: the last leg's duration and recording stand in the activity; a call without one is an activity itself.
    let mut last: BTreeMap<String, Record> = BTreeMap::new();
    let mut alone = 0;
    for (id, row) in rows(&world, Table::Call) {
        let activity = said(&row, "CRM_ACTIVITY_ID").to_owned();
        if activity.is_empty() {
            let has = activities.contains_key(&format!("call/{id}"));
            assert_eq!(has, !said(&row, "CRM_ENTITY_ID").is_empty(), "call {id}");
            alone += usize::from(has);
            continue;
        }
        assert!(!activities.contains_key(&format!("call/{id}")), "call {id} is told twice");
        let before = last.get(&activity).map_or("", |before| said(before, "CALL_START_DATE"));
        if said(&row, "CALL_START_DATE") > before {
            last.insert(activity, row);
        }
    }
    let mut completed = 0;
    for (activity, row) in last {
        let Some(id) = activities.get(&format!("activity/{activity}")) else { continue };
        let text = told[id]["description"].as_str().unwrap_or_default();
        for key in ["CALL_DURATION", "CALL_RECORD_URL", "PHONE_NUMBER"] {
            assert!(text.contains(said(&row, key)), "activity {activity} lacks {key}: {text}");
        }
        completed += 1;
    }
    assert!(completed > 3, "{completed} calls were completed");
    println!("{completed} calls completed, {alone} of their own");

    // Requisites and addresses: a note each on the company or contact that they are of.
    let (mut requisites, mut banks) = (0, 0);
    for (id, row) in rows(&world, Table::Requisite) {
        let (object, owners) = match said(&row, "ENTITY_TYPE_ID") {
            "4" => ("company", &accounts),
            _ => continue,
        };
        if !owners.contains_key(&format!("{object}/{}", said(&row, "ENTITY_ID"))) {
            continue;
        }
        let of_it = |marker: &&String| marker.starts_with(&format!("{object}_requisite/{id}#"));
        let note =
            notes.keys().find(of_it).unwrap_or_else(|| panic!("requisite {id} has no note: {notes:?}"));
        let text = texts[&notes[note]].to_string();
        assert!(text.contains(said(&row, "RQ_INN")), "{text}");
        for (_, bank) in rows(&world, Table::BankDetail) {
            if said(&bank, "ENTITY_ID") == id.to_string() {
                assert!(text.contains(said(&bank, "RQ_ACC_NUM")), "{text}");
                banks += 1;
            }
        }
        requisites += 1;
    }
    assert!(requisites > 0 && banks > 0, "{requisites} requisites, {banks} bank details");
    let mut addresses = 0;
    for (_, row) in rows(&world, Table::Address) {
        if said(&row, "ANCHOR_TYPE_ID") == "4"
            && accounts.contains_key(&format!("company/{}", said(&row, "ANCHOR_ID")))
        {
            let number = |key: &str| said(&row, key).parse::<u64>().expect("a number");
            let id = number("ENTITY_ID") * 1_000 + number("ENTITY_TYPE_ID") * 100 + number("TYPE_ID");
            let of_it = |marker: &&String| marker.starts_with(&format!("company_address/{id}#"));
            let note = notes.keys().find(of_it).unwrap_or_else(|| panic!("address {id} has no note"));
            assert!(texts[&notes[note]].to_string().contains(said(&row, "CITY")), "{id}");
            addresses += 1;
        }
    }
    assert!(addresses > 0);

    // Histories: how often a deal moved, and when it came to where it is.
    let mut moves: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for (_, row) in rows(&world, Table::DealHistory) {
        let owner = row["OWNER_ID"].as_i64().expect("an owner");
        moves.entry(owner).or_default().push(said(&row, "CREATED_TIME").to_owned());
    }
    let mut followed = 0;
    for (deal, times) in moves {
        let Some(id) = leads.get(&format!("deal/{deal}")) else { continue };
        let fields = &held[id]["customFields"];
        assert_eq!(fields["Stage changes"], times.len().to_string(), "deal {deal}: {fields}");
        let day = times.iter().max().expect("one").get(..10).expect("a day");
        let midnight = day.parse::<jiff::civil::Date>().and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC));
        let midnight = midnight.expect("a day").timestamp().as_second();
        assert_eq!(fields["Stage since"]["timestamp"], midnight, "deal {deal}: {fields}, not {day}");
        followed += 1;
    }
    assert!(followed > 5, "{followed} deals with a history");

    // Once more: nothing is written twice.
    let before = live(&world);
    let again = world.live(&DieAt::default()).unwrap_or_else(|error| panic!("{error}"));
    assert!(again.closes());
    assert!(live(&world) == before, "a second run changed something");
}
