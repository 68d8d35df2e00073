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

/// What the everyday of sales is made of: leads, deals with product rows, the four kinds of activities, comments; each
/// by the portal's own rows, and with what it hangs on.
#[test]
fn leads_rows_activities_and_comments_arrive_with_what_they_hang_on() {
    let world = podyom(5);
    let run = world.live(&DieAt::default()).unwrap_or_else(|error| panic!("{error}"));
    assert!(run.closes(), "{:#?}", run.maps);
    let lists = ["Accounts", "Contacts", "Leads", "Products", "Activities", "Notes", "Tasks"];
    let of: BTreeMap<&str, BTreeMap<String, i64>> =
        lists.into_iter().map(|list| (list, markers(&world, list))).collect();
    let links = world.account.links();
    let linked = |from: &str, id: i64, relation: &str, to: i64| {
        links.contains(&(from.to_owned(), id, relation.to_owned(), to))
    };
    let records = |entity: Entity| -> Vec<(i64, Record)> {
        let all = world.portal.with_portal(|portal| portal.records[&entity].clone());
        all.into_iter().collect()
    };
    // Where a record of the portal arrived: the list, the relation to it, the id.
    let arrived = |kind: i64, id: i64| {
        let (object, places): (_, &[(&str, &str)]) = match kind {
            1 => ("lead", &[("Leads", "leads")]),
            2 => ("deal", &[("Leads", "leads")]),
            3 => ("contact", &[("Contacts", "contacts")]),
            4 => ("company", &[("Accounts", "accounts")]),
            _ => return None,
        };
        let found = |(list, relation): &(&'static str, &'static str)| {
            of[list].get(&format!("{object}/{id}")).map(|to| (*relation, *to))
        };
        places.iter().find_map(found)
    };

    // Every lead that was not converted, and every deal that is no template, is one of Nutshell's leads.
    let (mut leads, mut converted) = (0, 0);
    for (id, row) in records(Entity::Lead) {
        let there = of["Leads"].contains_key(&format!("lead/{id}"));
        converted += usize::from(said(&row, "STATUS_ID") == "CONVERTED");
        assert!(!there || said(&row, "STATUS_ID") != "CONVERTED", "converted lead {id}");
        leads += usize::from(there);
    }
    assert!(leads > 3 && converted > 0, "{leads} leads, {converted} converted");

    // Product rows: the products of a deal are those of its rows.
    let rows = world.portal.with_portal(|portal| portal.rows.clone());
    let mut sold = 0;
    for ((entity, id), rows) in &rows {
        let Some(lead) = of["Leads"].get(&format!("deal/{id}")).filter(|_| *entity == Entity::Deal) else {
            continue;
        };
        let products =
            rows.iter().filter_map(|row| of["Products"].get(&format!("product/{}", row["PRODUCT_ID"])));
        let expected: BTreeSet<i64> = products.copied().collect();
        let from = links
            .iter()
            .filter(|(from, id, relation, _)| from == "Leads" && id == lead && relation == "products");
        let found: BTreeSet<i64> = from.map(|(.., to)| *to).collect();
        assert_eq!(found, expected, "deal {id}");
        sold += expected.len();
    }
    assert!(sold > 5, "{sold} products of deals");

    // Activities, each kind with the type that it has in Nutshell and the records that it hangs on.
    let bindings = world.portal.with_portal(|portal| portal.bindings.clone());
    let mut kinds: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for (id, row) in records(Entity::Activity) {
        let kind = said(&row, "TYPE_ID").to_owned();
        let marker = format!("activity/{id}");
        let (all, come) = kinds.entry(kind.clone()).or_default();
        *all += 1;
        let list = if kind == "6" { "Tasks" } else { "Activities" };
        let Some(there) = of[list].get(&marker) else { continue };
        *come += 1;
        for (kind, bound) in bindings.get(&id).into_iter().flatten() {
            let Some((relation, to)) = arrived(*kind, *bound).filter(|_| list == "Activities") else {
                continue;
            };
            assert!(linked(list, *there, relation, to), "activity {id} hangs on {relation} {to} no more");
        }
    }
    println!("activities by kind, all and arrived: {kinds:?}");
    for kind in ["1", "2", "4"] {
        let (all, come) = kinds[kind];
        assert!(all > 0 && all == come, "{come} of {all} activities of kind {kind}");
    }
    assert!(kinds["6"].1 > 0, "no to-do arrived");

    // Comments: a note each, on the record where it stood, with its day in the text.
    let texts = stored(&world, "notes");
    let mut comments = 0;
    for (id, row) in records(Entity::Comment) {
        let kind = match said(&row, "ENTITY_TYPE") {
            "lead" => 1,
            "deal" => 2,
            "contact" => 3,
            "company" => 4,
            _ => continue,
        };
        let Some((relation, to)) = arrived(kind, said(&row, "ENTITY_ID").parse().expect("an id")) else {
            continue;
        };
        let note =
            of["Notes"].get(&format!("comment/{id}")).unwrap_or_else(|| panic!("comment {id} has no note"));
        assert!(linked("Notes", *note, relation, to), "comment {id} is not on {relation} {to}");
        let day = said(&row, "CREATED").get(..10).expect("a day");
        assert!(texts[note].to_string().contains(day), "comment {id}: {}", texts[note]);
        comments += 1;
    }
    assert!(comments > 5, "{comments} comments");
}
