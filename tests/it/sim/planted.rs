//! Bugs that are put in on purpose, one at a time: the twins' books must show each, and must show nothing in the same
//! world without it.

#![cfg(debug_assertions)]

use b2n::run::connect;
use b2n::run::engine::{Error, Planted};
use b2n::run::twin::bitrix24::generate::Counts;
use b2n::run::twin::bitrix24::{Entity, Fault, FaultKind, Portal, Trigger};
use b2n::run::twin::nutshell::{Kind, Record};
use b2n::run::workspace::Workspace;
use futures_util::future::join;
use serde_json::Value as Json;

use super::oracle::{differences, ghosts, picture, wrong};
use super::wire::{Phase, Scene, Side, Strike, Trouble, What, When};
use super::yard::{Yard, is_locked};
use crate::world::DieAt;

/// Runs a world with the bug or without it, and gives what the twins' books show.
type World = fn(bool) -> Vec<String>;

/// By name; what each world does is told where it stands.
const BUGS: [(&str, World); 15] = [
    ("no fsync", no_fsync),
    ("cursor before rows", cursor_before_rows),
    ("resend on timeout", resend_on_timeout),
    ("search once", search_once),
    ("sweep off", sweep_off),
    ("marker missing", marker_missing),
    ("short page ignored", short_page_ignored),
    ("total trusted", total_trusted),
    ("unknown enum dropped", unknown_dropped),
    ("local time zone", local_zone),
    ("rev trusted", rev_trusted),
    ("lock off", lock_off),
    ("field forgotten", field_forgotten),
    ("fields confused", fields_confused),
    ("no fsync, and everything lost", no_fsync_at_all),
];

#[test]
fn planted_bugs_are_caught_and_the_same_worlds_without_them_are_right() {
    let mut problems = Vec::new();
    for (name, world) in BUGS {
        let clean = world(false);
        if !clean.is_empty() {
            problems
                .push(format!("without `{name}` something is wrong: {:#?}", &clean[..clean.len().min(4)]));
        }
        let found = world(true);
        match found.first() {
            None => problems.push(format!("`{name}` was not caught")),
            Some(first) => println!("{name}: {} findings, such as: {first}", found.len()),
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

fn write(phase: Phase, method: &'static str, first: u64, times: u64, trouble: Trouble) -> Strike {
    Strike {
        side: Side::Account,
        phase: Some(phase),
        what: What::Method(method),
        when: When::From(first, times),
        trouble,
    }
}

/// Runs until it is through, and asks every oracle.
fn judged(yard: &Yard, clean: &Yard) -> Vec<String> {
    let mut found = match yard.through(&[]) {
        Ok(_) => Vec::new(),
        Err(error) => vec![error],
    };
    found.extend(books(yard, clean));
    found
}

/// What the twins' books show, whatever b2n says.
fn books(yard: &Yard, clean: &Yard) -> Vec<String> {
    let mut found = wrong(yard);
    found.extend(differences(&picture(clean), &picture(yard)));
    found.extend(ghosts(yard));
    found
}

/// The same portal, moved without faults or bugs.
fn clean(data: u64) -> Yard {
    let yard = Yard::new(data, 0);
    yard.through(&[]).expect("a clean run");
    yard
}

/// The power goes while records are written, in the second of two processes: what the first one did is in the file.
fn no_fsync(bug: bool) -> Vec<String> {
    let mut yard = Yard::new(1, 1).on_disk();
    yard.unsynced = bug;
    let died = yard.migrate(&DieAt { point: Some(("load.answered", 4)), ..DieAt::default() });
    assert!(matches!(died, Err(Error::Interrupted)));
    yard.reopen();
    let died = yard.migrate(&DieAt { point: Some(("load.answered", 9)), ..DieAt::default() });
    assert!(matches!(died, Err(Error::Interrupted)));
    yard.power_cut(40);
    judged(&yard, &clean(1))
}

/// The same in the first process: the workspace knows nothing of what it has written.
fn no_fsync_at_all(bug: bool) -> Vec<String> {
    let mut yard = Yard::new(1, 2).on_disk();
    yard.unsynced = bug;
    let died = yard.migrate(&DieAt { point: Some(("load.answered", 9)), ..DieAt::default() });
    assert!(matches!(died, Err(Error::Interrupted)));
    yard.power_cut(0);
    judged(&yard, &clean(1))
}

/// The process dies as soon as the first activities are staged, or said to be: none may be asked for twice.
fn cursor_before_rows(bug: bool) -> Vec<String> {
    // Objects are read side by side: at which death activities are staged is tried out.
    let died_over_activities = |nth: u64| {
        let mut yard = Yard::new(2, 3);
        yard.settings.planted = Planted { cursor_before_rows: bug, ..Planted::default() };
        let died = yard.migrate(&DieAt { point: Some(("extract.staged", nth)), ..DieAt::default() });
        assert!(matches!(died, Err(Error::Interrupted)));
        let manifest = yard.workspace.manifest("activity").expect("reads").unwrap_or_default();
        (!manifest.cursor.is_empty()).then_some(yard)
    };
    let yard = (1..).find_map(died_over_activities).expect("activities are staged");
    let clean = clean(2);
    let mut found = judged(&yard, &clean);
    // Whoever comes back counts once more, which serves a page; what was served before it is not asked for again.
    let served = |yard: &Yard| yard.portal.log().methods["crm.activity.list"].rows;
    let activities = yard.portal.with_portal(|portal| portal.records[&Entity::Activity].len()) as u64;
    let (rows, once) = (served(&yard), served(&clean));
    if rows > once + activities {
        found.push(format!("{rows} activities were served, where {} are enough", once + activities));
    }
    found
}

/// Half of the answers are lost after the commit.
fn resend_on_timeout(bug: bool) -> Vec<String> {
    let mut yard = Yard::new(1, 4);
    yard.settings.planted = Planted { resend_on_timeout: bug, ..Planted::default() };
    yard.hub.strike(&[write(Phase::Load, "new", 2, 3, Trouble::Lost)]);
    judged(&yard, &clean(1))
}

/// A request takes effect 100 s after it was sent, which is 40 s after it was given up.
fn search_once(bug: bool) -> Vec<String> {
    let mut yard = Yard::new(1, 5);
    yard.settings.planted = Planted { search_once: bug, ..Planted::default() };
    yard.hub.strike(&[write(Phase::Load, "new", 3, 1, Trouble::Late(100_000))]);
    judged(&yard, &clean(1))
}

/// A request takes effect later than any is assumed to: it doubles its record, until a sweep takes it away.
fn sweep_off(bug: bool) -> Vec<String> {
    let mut yard = Yard::new(1, 6);
    yard.settings.planted = Planted { no_sweep: bug, ..Planted::default() };
    yard.hub.strike(&[write(Phase::Load, "new", 3, 1, Trouble::Late(152_000))]);
    // It lands when its phase is closed: the list at the end finds it.
    let first = yard.migrate(&DieAt::default());
    assert!(first.is_ok(), "{:?}", first.map(|run| run.maps));
    let mut found = match yard.through(&[]) {
        Ok(_) => Vec::new(),
        Err(error) => vec![error],
    };
    // A ghost there is, rightly: what was made twice was taken away.
    assert!(bug || !ghosts(&yard).is_empty(), "the request was not late enough to double anything");
    found.extend(wrong(&yard));
    found.extend(differences(&picture(&clean(1)), &picture(&yard)));
    found
}

fn marker_missing(bug: bool) -> Vec<String> {
    let mut yard = Yard::new(1, 7);
    yard.settings.planted = Planted { marker_missing: bug, ..Planted::default() };
    judged(&yard, &clean(1))
}

/// More contacts than fit on a page.
fn crowded(seed: u64) -> Yard {
    Yard::with(Portal::acme_with(Counts { companies: 2, contacts: 55, deals: 1, leads: 1 }, 3), seed)
}

/// Every full page of theirs lacks its last row.
fn short_page_ignored(bug: bool) -> Vec<String> {
    let clean = crowded(0);
    clean.through(&[]).expect("a clean run");
    let mut yard = crowded(8);
    yard.source_bugs = connect::Planted { short_page_is_the_last: bug, ..connect::Planted::default() };
    yard.portal.with_settings(|settings| {
        let fault = Fault::new(Trigger::From(1), FaultKind::ShortPage);
        settings.faults.push(fault.on("crm.contact.list"));
    });
    // One run has to do.
    let _ = yard.migrate(&DieAt::default());
    assert!(yard.portal.log().faults > 0);
    books(&yard, &clean)
}

/// The count of the contacts says one too few for as long as the first run lasts.
fn total_trusted(bug: bool) -> Vec<String> {
    let mut yard = Yard::new(1, 9);
    yard.source_bugs = connect::Planted { total_is_trusted: bug, ..connect::Planted::default() };
    yard.portal.with_settings(|settings| {
        let fault = Fault::new(Trigger::From(1), FaultKind::WrongTotal(-1));
        settings.faults.push(fault.on("crm.contact.list"));
    });
    let first = yard.migrate(&DieAt::default());
    assert!(yard.portal.log().faults > 0);
    assert!(bug || first.is_err(), "a count that contradicts its list was believed");
    yard.portal.with_settings(|settings| settings.faults.clear());
    judged(&yard, &clean(1))
}

/// A deal comes from a source that nobody knew when the spec was written.
fn unknown_dropped(bug: bool) -> Vec<String> {
    let mut yard = Yard::new(1, 10);
    yard.settings.planted = Planted { unknown_dropped: bug, ..Planted::default() };
    yard.portal.with_portal(|portal| {
        let deals = portal.records.get_mut(&Entity::Deal).expect("deals");
        let ordinary = |deal: &&mut b2n::run::twin::bitrix24::Record| {
            deal.get("IS_RECURRING").and_then(Json::as_str) != Some("Y")
        };
        let deal = deals.values_mut().find(ordinary).expect("a deal");
        deal.insert("SOURCE_ID".to_owned(), Json::from("UC_NEW_ONE"));
    });
    let mut found = match yard.through(&[]) {
        Ok(_) => Vec::new(),
        Err(error) => vec![error],
    };
    found.extend(wrong(&yard));
    found
}

fn local_zone(bug: bool) -> Vec<String> {
    let mut yard = Yard::new(1, 11);
    yard.settings.planted = Planted { local_zone: bug, ..Planted::default() };
    judged(&yard, &clean(1))
}

/// A person fills in the industry of an account while it is being adopted.
fn rev_trusted(bug: bool) -> Vec<String> {
    const THEIRS: i64 = 3;
    fn person(scene: &Scene<'_>) {
        let adopted = typed_in(scene.account);
        scene.account.with(|company| {
            for id in adopted {
                company.edit(Kind::Accounts, id, scene.now_ms, |account| account.industry = Some(THEIRS));
            }
        });
    }
    fn typed_in(account: &b2n::run::twin::nutshell::Twin) -> Vec<i64> {
        account.with(|company| {
            let ours = |record: &&Record| {
                record.deleted.is_none() && record.description.as_deref() == Some("typed in by marketing")
            };
            company.all(Kind::Accounts).filter(ours).map(|record| record.id).collect()
        })
    }
    let mut yard = Yard::new(1, 12);
    yard.settings.planted = Planted { rev_trusted: bug, ..Planted::default() };
    yard.portal.with_portal(|portal| {
        for company in portal.records.get_mut(&Entity::Company).expect("companies").values_mut() {
            company.insert("INDUSTRY".to_owned(), Json::from("IT"));
        }
    });
    yard.hub.strike(&[write(Phase::Load, "editAccount", 1, 1, Trouble::Act(person))]);
    let mut found = match yard.through(&[]) {
        Ok(_) => Vec::new(),
        Err(error) => vec![error],
    };
    assert_eq!(yard.hub.struck(), 1, "nothing was adopted");
    let ids = typed_in(&yard.account);
    yard.account.with(|company| {
        for record in company.all(Kind::Accounts).filter(|record| ids.contains(&record.id)) {
            if record.industry != Some(THEIRS) {
                found.push(format!("what a person typed into account {} is gone", record.id));
            }
        }
    });
    found.extend(wrong(&yard));
    found
}

/// Two processes with one workspace at the same time.
fn lock_off(bug: bool) -> Vec<String> {
    let yard = Yard::new(1, 13).on_disk();
    let clean = clean(1);
    // Both find the account prepared: only one of them could make a custom field.
    let died = yard.migrate(&DieAt { point: Some(("load.prepared", 1)), ..DieAt::default() });
    assert!(matches!(died, Err(Error::Interrupted)));
    let second = if bug { Workspace::open_unlocked(&yard.path()) } else { Workspace::open(&yard.path()) };
    if !bug {
        assert!(is_locked(&second), "the lock does not hold");
        return judged(&yard, &clean);
    }
    let second = second.expect("opens");
    let quiet = DieAt::default();
    let both = yard.clock.run(join(
        yard.run_on(&yard.workspace, &quiet, async |engine| engine.migrate().await),
        yard.run_on(&second, &quiet, async |engine| engine.migrate().await),
    ));
    let (_, _) = both.expect("never idle for ever");
    books(&yard, &clean)
}

fn field_forgotten(bug: bool) -> Vec<String> {
    let mut yard = Yard::new(1, 14);
    let forgets = bug.then_some("dueTime");
    yard.settings.planted = Planted { forgets, ..Planted::default() };
    judged(&yard, &clean(1))
}

fn fields_confused(bug: bool) -> Vec<String> {
    let mut yard = Yard::new(1, 15);
    let confuses = bug.then_some(("startTime", "endTime"));
    yard.settings.planted = Planted { confuses, ..Planted::default() };
    judged(&yard, &clean(1))
}
