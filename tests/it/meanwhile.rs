//! What people do in the middle of a run, and what one part of a run leaves to another: a record that is edited while
//! it is written, a double that is edited while it is taken away, a record that is held back while a change is applied.
//! The oracle is what the destination twin holds.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use b2n::run::connect::outside::{Clock, HttpRequest, HttpResponse};
use b2n::run::engine::{Error, RunReport, Selection};
use b2n::run::rehearsal::Wire;
use b2n::run::twin::bitrix24::generate::Counts;
use b2n::run::twin::bitrix24::{Entity, Portal};
use b2n::run::twin::nutshell::record::{Custom, Record};
use b2n::run::twin::nutshell::{Actor, Company, Kind};
use b2n::run::workspace::{JournalState, Operation, Status};
use serde_json::Value as Json;

use crate::changes::{agreed, goes_on_with, rests, same, spec_with, state};
use crate::whole;
use crate::world::{DieAt, Faults, World, check_spec};

const MARKER: &str = "Bitrix24 key";

fn ok<T>(result: Result<T, Error>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

fn part(world: &World, selection: &Selection) -> Result<RunReport, Error> {
    world.process(&DieAt::default(), async |engine| engine.migrate_part(selection).await)
}

/// Runs everything, the change of the plan agreed to.
#[track_caller]
fn closes(world: &World) -> RunReport {
    let run = ok(part(world, &agreed(world)));
    assert!(run.closes(), "{:#?}", run.maps.iter().map(|map| map.equation()).collect::<Vec<_>>());
    run
}

/// The method and the parameters of a request of the RPC API.
fn call(request: &HttpRequest) -> Option<(String, Json)> {
    let mut body: Json = serde_json::from_slice(&request.body).ok()?;
    Some((body["method"].as_str()?.to_owned(), body["params"].take()))
}

fn no_answer() -> HttpResponse {
    HttpResponse { status: 502, headers: Vec::new(), body: b"<html>502 Bad Gateway</html>".to_vec() }
}

fn id_of(params: &Json, name: &str) -> i64 {
    params[name].as_i64().or_else(|| params[name].as_str()?.parse().ok()).expect("an id")
}

/// Somebody works on an account each time that a late field of it is written.
#[test]
fn what_somebody_typed_while_an_edit_was_tried_in_vain_outlives_a_rollback() {
    for busy in [false, true] {
        let world = whole::world(61, Faults::default());
        let (account, clock) = (Rc::clone(&world.account), Rc::clone(&world.clock));
        let edited: Rc<RefCell<BTreeMap<i64, u32>>> = Rc::default();
        let seen = Rc::clone(&edited);
        world.wire.meddle(move |request| {
            let (method, params) = call(request)?;
            if method != "editAccount" || !params.to_string().contains("Parent company key") {
                return None;
            }
            let id = id_of(&params, "accountId");
            *seen.borrow_mut().entry(id).or_default() += 1;
            let typed = |record: &mut Record| record.description = Some(format!("typed {}", record.rev));
            account.with(|company| company.edit(Kind::Accounts, id, clock.now_ms(), typed));
            busy.then(|| HttpResponse { status: 429, ..no_answer() })
        });
        match world.live(&DieAt::default()) {
            Err(Error::Restless { .. }) if !busy => {}
            Err(Error::Connect(_)) if busy => {}
            other => panic!("{other:?}"),
        }
        world.wire.meddle(|_| None);
        let edited = edited.borrow().clone();
        assert!(
            !edited.is_empty() && edited.values().any(|times| *times == world.settings.sends),
            "{edited:?}"
        );
        ok(world.roll_back(&DieAt::default(), None));
        for id in edited.keys() {
            let stands = world.account.with(|company| company.live(Kind::Accounts, *id).cloned());
            let typed = stands.and_then(|record| record.description).unwrap_or_default();
            assert!(typed.starts_with("typed "), "busy: {busy}, account {id}: `{typed}`");
        }
    }
}

/// An edit whose every answer is a page of a gateway, and somebody who works on the record meanwhile: a rollback right
/// after it keeps what is neither as it was before nor as the edit would have left it.
#[test]
fn what_somebody_typed_while_no_edit_was_answered_outlives_a_rollback() {
    const PARENT: &str = "Parent company key";
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Typed {
        Nothing,
        Another,
        TheSame,
    }
    for (typed, done) in [
        (Typed::Nothing, true),
        (Typed::Nothing, false),
        (Typed::Another, true),
        (Typed::Another, false),
        (Typed::TheSame, true),
    ] {
        let world = whole::world(64, Faults::default());
        let (account, clock) = (Rc::clone(&world.account), Rc::clone(&world.clock));
        let edited: Rc<RefCell<BTreeMap<i64, u32>>> = Rc::default();
        let seen = Rc::clone(&edited);
        world.wire.meddle(move |request| {
            let (method, params) = call(request)?;
            if method != "editAccount" || !params.to_string().contains(PARENT) {
                return None;
            }
            let id = id_of(&params, "accountId");
            *seen.borrow_mut().entry(id).or_default() += 1;
            if done {
                account.handle(&Wire::request(request), clock.now_ms());
            }
            account.with(|company| {
                let field = company.field(Kind::Accounts, PARENT).expect("the field").id;
                let change = |record: &mut Record| match typed {
                    Typed::Nothing => {}
                    Typed::Another => record.description = Some("typed by Ann".to_owned()),
                    Typed::TheSame => {
                        record.custom.retain(|(other, _)| *other != field);
                        record.custom.push((field, Custom::Text("typed by Ann".to_owned())));
                        record.custom.sort_by_key(|(other, _)| *other);
                    }
                };
                if typed != Typed::Nothing {
                    company.edit(Kind::Accounts, id, clock.now_ms(), change);
                }
            });
            Some(no_answer())
        });
        let ended = world.live(&DieAt::default());
        assert!(matches!(ended, Err(Error::Connect(_))), "{typed:?}, {done}: {ended:?}");
        world.wire.meddle(|_| None);
        let edited: Vec<i64> = edited.borrow().keys().copied().collect();
        assert!(!edited.is_empty(), "{typed:?}, {done}");
        ok(world.roll_back(&DieAt::default(), None));
        for id in edited {
            let stands = world.account.with(|company| company.live(Kind::Accounts, id).cloned());
            let marked = stands.as_ref().map(|record| format!("{record:?}")).unwrap_or_default();
            if typed != Typed::Nothing {
                assert!(marked.contains("typed by Ann"), "{typed:?}, {done}, account {id}: `{marked}`");
            } else if let Some(record) = stands {
                // One that was there before.
                let ours = is_marked(&world, &record);
                assert!(!ours, "{done}, account {id} is left: `{marked}`");
            }
        }
    }
}

/// Whether an account carries our marker.
fn is_marked(world: &World, record: &Record) -> bool {
    let marker = world.account.with(|company| company.field(Kind::Accounts, MARKER).map(|field| field.id));
    record.custom.iter().any(|(field, _)| Some(*field) == marker)
}

/// A world whose first account is made twice by one request without an answer; gives the later one's id once it is there.
fn doubled(seed: u64, mut also: impl FnMut(&str, &Json) -> Option<HttpResponse> + 'static) -> World {
    let world = whole::world(seed, Faults::default());
    let (account, clock) = (Rc::clone(&world.account), Rc::clone(&world.clock));
    let mut first = true;
    world.wire.meddle(move |request| {
        let (method, params) = call(request)?;
        if method == "newAccount" && std::mem::take(&mut first) {
            for _ in 0..2 {
                account.handle(&Wire::request(request), clock.now_ms());
            }
            return Some(no_answer());
        }
        also(&method, &params)
    });
    world
}

fn standing(world: &World, id: i64) -> bool {
    world.account.with(|company| company.live(Kind::Accounts, id).is_some())
}

#[test]
fn a_double_whose_marker_somebody_clears_is_theirs() {
    let theirs: Rc<RefCell<Option<i64>>> = Rc::default();
    let account: Rc<RefCell<Option<Rc<b2n::run::twin::nutshell::Twin>>>> = Rc::default();
    let (seen, twin) = (Rc::clone(&theirs), Rc::clone(&account));
    let world = doubled(62, move |method, params| {
        if method != "deleteAccount" || seen.borrow().is_some() {
            return None;
        }
        let id = id_of(params, "accountId");
        *seen.borrow_mut() = Some(id);
        let twin = twin.borrow().clone().expect("a twin");
        twin.with(|company| {
            let marker = company.field(Kind::Accounts, MARKER).expect("the field").id;
            company.edit(Kind::Accounts, id, 1_795_262_500_000, |record| {
                record.custom.retain(|(field, _)| *field != marker);
                record.description = Some("kept by Ann".to_owned());
            })
        });
        None
    });
    *account.borrow_mut() = Some(Rc::clone(&world.account));
    let run = ok(world.live(&DieAt::default()));
    assert!(run.closes(), "{:#?}", run.maps);
    let id = theirs.borrow().expect("a double was to be taken away");
    assert!(standing(&world, id), "account {id} was deleted after somebody took it over");
    assert!(world.account.markers("Accounts", MARKER).values().all(|ids| ids.len() == 1));
}

/// The books say what became of a deletion without an answer, and of one that was surely not done.
#[test]
fn a_deletion_of_a_double_is_journalled_as_it_went() {
    for (answered, states) in
        [(502, vec![JournalState::Done]), (429, vec![JournalState::Failed, JournalState::Done])]
    {
        let account: Rc<RefCell<Option<Rc<b2n::run::twin::nutshell::Twin>>>> = Rc::default();
        let twin = Rc::clone(&account);
        let mut first = true;
        let world = doubled(63, move |method, params| {
            if method != "deleteAccount" || !std::mem::take(&mut first) {
                return None;
            }
            if answered == 502 {
                let twin = twin.borrow().clone().expect("a twin");
                let id = id_of(params, "accountId");
                twin.with(|company| company.delete(Kind::Accounts, id, Actor::User(1), 1_795_262_500_000));
            }
            Some(HttpResponse { status: answered, ..no_answer() })
        });
        *account.borrow_mut() = Some(Rc::clone(&world.account));
        let run = ok(world.live(&DieAt::default()));
        assert!(run.closes(), "{:#?}", run.maps);
        let mut found = Vec::new();
        for record in world.workspace.staged_page("company", 0, 1_000).expect("staged") {
            let writes = world.workspace.writes_of("company", &record.key).expect("a journal");
            let deletes = writes.iter().filter(|entry| entry.intent.operation == Operation::Delete);
            found.extend(deletes.map(|entry| entry.state));
        }
        assert_eq!(found, states, "answered with {answered}");
        assert!(world.account.markers("Accounts", MARKER).values().all(|ids| ids.len() == 1));
    }
}

/// A world of this spec in which a company that a written deal links to is held back, since two accounts have its name;
/// with the key of that company, of that deal, and one of the accounts.
fn tied(text: String, seed: u64) -> (World, String, String, i64) {
    let counts = Counts { companies: 8, contacts: 9, deals: 12, leads: 9 };
    let checked = check_spec(&b2n::lang::text::SourceText::new("whole.b2n", text));
    let world = World::with(checked, Portal::acme_with(counts, 7), Company::acme(), seed, Faults::default());
    let (company, deal, name) = world.portal.with_portal(|portal| {
        let companies = &portal.records[&Entity::Company];
        let key = |value: &Json| value.as_i64().or_else(|| value.as_str()?.parse().ok());
        let found = portal.records[&Entity::Deal].iter().find_map(|(id, deal)| {
            let company = key(&deal["COMPANY_ID"]).filter(|company| *company != 0)?;
            let record = companies.iter().find(|(id, _)| id.to_string() == company.to_string())?.1;
            let plain = record["IS_MY_COMPANY"] != "Y" && deal["IS_RECURRING"] != "Y";
            let first = deal["STAGE_ID"] == "NEW";
            let name = record["TITLE"].as_str().expect("a title").trim().to_owned();
            (plain && first).then(|| (company.to_string(), id.to_string(), name))
        });
        found.expect("a deal of a company")
    });
    let typed_in = || {
        let record = Record { name: name.clone(), ..Record::new(Kind::Accounts, Actor::User(1)) };
        world.account.with(|account| account.insert(record, 1_795_262_400_000))
    };
    typed_in();
    let second = typed_in();
    closes(&world);
    let outcome =
        |map: &str, key: &str| world.workspace.outcome(map, key).expect("reads").expect("has ended");
    assert_eq!(outcome("company", &company).status, Status::Quarantined);
    assert_eq!(outcome("deal", &deal).status, Status::Created);
    (world, company, deal, second)
}

/// Stages swapped, and another text in each note.
const CHANGED: [usize; 2] = [1, 7];

#[test]
fn a_change_that_a_part_leaves_is_applied_by_the_next_run() {
    let (wanted, ..) = tied(spec_with(&CHANGED), 64);
    let wanted = state(&wanted);
    let (mut world, company, deal, _) = tied(spec_with(&[]), 64);
    let before = state(&world);
    goes_on_with(&mut world, spec_with(&CHANGED));
    let only = |maps: &[&str]| Selection {
        only: maps.iter().map(|map| (*map).to_owned()).collect(),
        ..agreed(&world)
    };
    let run = ok(part(&world, &only(&["deal"])));
    assert!(run.closes(), "{:#?}", run.maps.iter().map(|map| map.equation()).collect::<Vec<_>>());
    // What links to records that are left to a later run is left too, whole and with its notes.
    let (found, lead) = (state(&world), format!("Leads acme.bitrix24.com/deal/{deal}"));
    assert_eq!(found[&lead], before[&lead], "company {company} is not decided on yet");
    let notes = |state: &BTreeMap<String, Json>| state.keys().filter(|key| key.starts_with("Notes ")).count();
    assert_eq!(notes(&found), notes(&before));
    assert!(!world.workspace.open_passes().expect("lists").is_empty());
    closes(&world);
    same(&state(&world), &wanted, "a part, then everything");
    rests(&world, "a part, then everything");
    assert_eq!(world.workspace.open_passes().expect("lists"), Vec::<String>::new());
}

#[test]
fn the_notes_of_what_is_held_back_stay_as_they_are() {
    let held = |changed: &[usize]| {
        let row = "\"NEW\" `Новая`                         => stage \"Qualify\"";
        let text = spec_with(changed);
        assert!(text.contains(row));
        text.replacen(row, "\"NEW\" `Новая` => quarantine", 1)
    };
    let (mut world, _, deal, _) = tied(spec_with(&[]), 65);
    let before = state(&world);
    for changed in [&[][..], &[7]] {
        let what = format!("{changed:?}");
        goes_on_with(&mut world, held(changed));
        let told = ok(world.process(&DieAt::default(), async |engine| engine.changes())).expect("a change");
        let notes = told.maps.iter().find(|map| map.map == "notes of deal").expect("the notes");
        assert!(notes.taken_away.is_empty() && notes.left_out.is_empty(), "{what}: {notes:#?}");
        closes(&world);
        let outcome = world.workspace.outcome("deal", &deal).expect("reads").expect("has ended");
        assert_eq!(outcome.status, Status::Quarantined, "{what}: {outcome:?}");
        let found = state(&world);
        let of_deal = |key: &&String| key.starts_with(&format!("Notes acme.bitrix24.com/deal/{deal}#"));
        assert!(before.keys().filter(of_deal).count() > 0);
        for key in before.keys().filter(of_deal) {
            assert_eq!(found.get(key), before.get(key), "{what}: {key}");
        }
        rests(&world, &what);
        // Nothing holds it back any more: all of it is as it was.
        goes_on_with(&mut world, spec_with(&[]));
        closes(&world);
        same(&state(&world), &before, &what);
        rests(&world, &what);
    }
}

/// What is settled without another change of the plan: the company arrives, the deal follows it, its notes with it.
#[test]
fn what_is_settled_later_gets_its_changed_notes() {
    let holds = |changed: &[usize]| {
        let row = "accounts      <- ref company(COMPANY_ID)  on unmigrated flag \"company left out\"";
        let text = spec_with(changed);
        assert!(text.contains(row));
        text.replacen(row, "accounts <- ref company(COMPANY_ID) on unmigrated quarantine", 1)
    };
    let untied = |world: &World, second: i64| {
        world
            .account
            .with(|account| account.delete(Kind::Accounts, second, Actor::User(1), 1_795_300_000_000));
    };
    for changed in [&[][..], &[7]] {
        let what = format!("{changed:?}");
        let (mut world, _, deal, second) = tied(spec_with(&[]), 66);
        let before = state(&world);
        goes_on_with(&mut world, holds(changed));
        closes(&world);
        let outcome = || world.workspace.outcome("deal", &deal).expect("reads").expect("has ended");
        assert_eq!(outcome().status, Status::Quarantined, "{what}: {:?}", outcome());
        untied(&world, second);
        closes(&world);
        assert_eq!(outcome().status, Status::Created, "{what}");
        let found = state(&world);
        let of_deal = format!("Notes acme.bitrix24.com/deal/{deal}#");
        for (key, note) in before.iter().filter(|(key, _)| key.starts_with(&of_deal)) {
            let is = found.get(key).unwrap_or_else(|| panic!("{what}: {key} is gone"));
            assert_eq!(is == note, changed.is_empty(), "{what}: {key}: {is}");
        }
        rests(&world, &what);
    }
}
