//! E-mails, which are written once and can never be taken back: however answers get lost and processes die, none stands
//! there twice, and what nobody can tell is held back for a person. The oracles are the portal's own records and the
//! destination twin's dump.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use b2n::lang::text::SourceText;
use b2n::run::connect::outside::Clock;
use b2n::run::engine::{Cause, Difference, Error, MapReport, RunReport, held_back};
use b2n::run::rehearsal::Wire;
use b2n::run::twin::bitrix24::generate::Counts;
use b2n::run::twin::bitrix24::{Entity, Portal};
use b2n::run::twin::nutshell::settings::EmailMatch;
use b2n::run::twin::nutshell::{Actor, Company, Kind};
use b2n::run::workspace::{Fate, Status};
use serde_json::{Value as Json, json};

use crate::whole::rest_dropped;
use crate::world::{Checked, DieAt, Faults, World, check_spec, root};

const MAP: &str = "emails";
const MARKER: &str = "Bitrix24 key";

fn checked() -> Checked {
    let read = |path: &str| std::fs::read_to_string(root().join(path)).expect("a spec");
    let (example, emails) = (read("examples/acme/acme.b2n"), read("tests/it/emails.b2n"));
    check_spec(&SourceText::new("emails.b2n", example + &rest_dropped(&emails)))
}

/// A portal whose e-mails answer each other: each bears an id, every second one names the one before.
fn portal() -> Portal {
    let counts = Counts { companies: 8, contacts: 20, deals: 40, leads: 0 };
    let mut portal = Portal::acme_with(counts, 7);
    let mut before: Option<i64> = None;
    for (id, record) in portal.records.get_mut(&Entity::Activity).expect("activities") {
        if record["TYPE_ID"] != "4" {
            continue;
        }
        record.insert("ORIGIN_ID".into(), json!(format!("<m{id}@mail.example>")));
        let answers =
            before.filter(|_| id % 2 == 0).map_or(Json::Null, |id| json!(format!("<m{id}@mail.example>")));
        record.insert("ORIGINATOR_ID".into(), answers);
        before = Some(*id);
    }
    portal
}

fn world(seed: u64, faults: Faults) -> World {
    let mut world = World::with(checked(), portal(), Company::acme(), seed, faults);
    world.settings.sends = 12;
    world
}

/// The portal's e-mails.
fn sources(world: &World) -> BTreeMap<String, Json> {
    world.portal.with_portal(|portal| {
        let all = portal.records[&Entity::Activity].iter();
        let emails = all.filter(|(_, record)| record["TYPE_ID"] == "4");
        emails
            .map(|(id, record)| (id.to_string(), Json::Object(record.clone().into_iter().collect())))
            .collect()
    })
}

/// Addresses of the other side that nobody can doubt.
fn others(source: &Json) -> Vec<String> {
    let rows = source["COMMUNICATIONS"].as_array().cloned().unwrap_or_default();
    let texts = rows.iter().filter_map(|row| row["VALUE"].as_str()).map(|text| text.trim().to_lowercase());
    let fine = |text: &String| {
        text.matches('@').count() == 1
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "@.-_+".contains(c))
    };
    texts.filter(fine).collect()
}

/// What the destination holds: key to ids.
fn there(world: &World) -> BTreeMap<String, Vec<i64>> {
    world.wire.settle(i64::MAX);
    let markers = world.account.markers("Emails", MARKER).into_iter();
    let markers: BTreeMap<String, Vec<i64>> = markers
        .map(|(marker, ids)| {
            let key = marker.strip_prefix("acme.bitrix24.com/activity/").expect("a marker of ours");
            (key.to_owned(), ids)
        })
        .collect();
    let all: usize = markers.values().map(Vec::len).sum();
    assert_eq!(all, world.account.live_count("Emails"), "an e-mail has no marker");
    markers
}

fn email(world: &World, id: i64) -> Json {
    let dump = world.account.dump();
    let found = dump["emails"].as_array().expect("emails").iter().find(|email| email["id"] == id);
    found.expect("the e-mail").clone()
}

fn requests(world: &World, method: &str) -> u64 {
    world.account.log().requests.get(method).copied().unwrap_or_default()
}

fn ran(world: &World) -> RunReport {
    world.live(&DieAt::default()).unwrap_or_else(|error| panic!("{error}"))
}

/// Runs until one comes through; a destination that does not answer ends runs.
fn ran_at_last(world: &World) -> RunReport {
    for _ in 0..20 {
        match world.live(&DieAt::default()) {
            Err(Error::Connect(_)) => {}
            other => return other.unwrap_or_else(|error| panic!("{error}")),
        }
    }
    panic!("no run came through");
}

fn row(maps: &[MapReport]) -> &MapReport {
    maps.iter().find(|map| map.map == MAP).expect("the e-mails")
}

/// Keys of e-mails that are held back since nobody knows what became of them.
fn unanswered(world: &World) -> BTreeSet<String> {
    let held = held_back(&world.checked.plan, &world.workspace, Some(MAP)).expect("a list");
    held.into_iter().filter(|held| held.cause == Cause::Unanswered).map(|held| held.key).collect()
}

#[track_caller]
fn none_twice(world: &World) -> BTreeMap<String, Vec<i64>> {
    let there = there(world);
    let twice: Vec<_> = there.iter().filter(|(_, ids)| ids.len() > 1).collect();
    assert!(twice.is_empty(), "twice: {twice:?}");
    there
}

#[test]
fn each_email_arrives_once_with_its_date_its_people_and_its_thread() {
    let world = world(1, Faults::default());
    let run = ran(&world);
    assert!(run.closes(), "{:#?}", run.maps);
    let (sources, there) = (sources(&world), none_twice(&world));
    let contacts =
        world.account.links().into_iter().filter(|(entity, _, to, _)| entity == "Emails" && to == "contacts");
    let attached: BTreeSet<i64> = contacts.map(|(_, id, ..)| id).collect();
    let known = world.account.dump()["contacts"].to_string().to_lowercase();
    let (mut answers, mut incoming, mut outgoing) = (0, 0, 0);
    for (key, source) in &sources {
        let others = others(source);
        let is_incoming = source["DIRECTION"] == "1";
        let Some(ids) = there.get(key) else {
            assert!(is_incoming && others.is_empty(), "e-mail {key} did not arrive: {source}");
            continue;
        };
        let email = email(&world, ids[0]);
        let text = |value: &Json| value.as_str().unwrap_or_default().trim().to_owned();
        assert_eq!(
            text(&email["subject"]).replace(' ', ""),
            text(&source["SUBJECT"]).replace(' ', ""),
            "{key}"
        );
        let at = |text: &str| text.parse::<jiff::Timestamp>().expect("a time").as_second();
        let sent = text(&email["sentTime"]).replace("+0000", "Z");
        assert_eq!(at(&sent), at(&text(&source["START_TIME"])), "{key}");
        if !others.is_empty() {
            let side = if is_incoming { "from" } else { "to" };
            let found = email[side].as_array().expect("a list");
            assert!(
                found.iter().any(|one| text(one).to_lowercase() == others[0]),
                "{key}: {email} {others:?}"
            );
            let has_contact = known.contains(&format!("\"{}\"", others[0]));
            assert!(attached.contains(&ids[0]) || !has_contact, "{key} is attached to nobody: {email}");
            *if is_incoming { &mut incoming } else { &mut outgoing } += 1;
        }
        let html = text(&email["bodyHtml"]);
        assert!(
            html.starts_with(text(&source["DESCRIPTION"]).split("</body>").next().expect("a part")),
            "{html}"
        );
        let references: Vec<String> =
            email["references"].as_array().expect("a list").iter().map(text).collect();
        assert!(references.contains(&format!("<m{key}@mail.example>")), "{references:?}");
        if let Some(before) = source["ORIGINATOR_ID"].as_str() {
            assert_eq!(
                (text(&email["inReplyTo"]).as_str(), references[0].as_str()),
                (before, before),
                "{key}"
            );
            answers += 1;
        }
    }
    assert!(answers > 0 && incoming > 0 && outgoing > 0, "{answers} {incoming} {outgoing}");
    assert!(attached.len() * 2 > incoming + outgoing, "{} of {}", attached.len(), incoming + outgoing);
    let (dump, writes) = (world.account.dump(), requests(&world, "newEmail"));
    assert!(ran(&world).closes());
    assert_eq!(writes, requests(&world, "newEmail"), "a second run writes");
    assert!(dump == world.account.dump(), "a second run changes the account");
}

#[test]
fn what_can_be_read_back_is_compared() {
    let world = world(2, Faults::default());
    ran(&world);
    let maps =
        world.process(&DieAt::default(), async |engine| engine.reconcile().await).expect("a reconciliation");
    let emails = row(&maps);
    assert!(emails.closes(), "{}", emails.equation());
    let proof = emails.proof.as_deref().expect("was compared");
    assert_eq!(proof.compared, there(&world).len() as u64);
    for name in ["date", "subject", "participants", "body", "html"] {
        let field = proof.fields.iter().find(|field| field.field == name).expect("the field");
        assert!(field.differing.is_empty(), "{field:?}");
        assert!(field.same + field.reformatted + field.more > 0, "nothing was compared: {field:?}");
    }
    // Somebody's hand in the account, past every API.
    let id = *there(&world).values().next().expect("one").first().expect("one");
    let now = world.clock.now_ms();
    world.account.with(|company| company.rewrite_email(id, |email| email.subject = "Other".to_owned(), now));
    let maps =
        world.process(&DieAt::default(), async |engine| engine.reconcile().await).expect("a reconciliation");
    let proof = row(&maps).proof.as_deref().expect("was compared");
    let subject = proof.fields.iter().find(|field| field.field == "subject").expect("the field");
    assert_eq!(subject.differing, BTreeMap::from([(Difference::Changed, 1)]));
}

#[test]
fn lost_answers_double_nothing_and_lose_nothing() {
    for (seed, email_match, shown) in
        [(3, EmailMatch::Everybody, true), (4, EmailMatch::Nobody, true), (5, EmailMatch::People, false)]
    {
        let world = world(seed, Faults { lost: 0.3, ..Faults::default() });
        world.account.configure(|settings| {
            settings.dialect.email_match = email_match;
            settings.dialect.email_message_id = shown;
            settings.dialect.email_html = shown;
        });
        let run = ran_at_last(&world);
        assert!(run.closes(), "seed {seed}: {:#?}", run.maps);
        let there = none_twice(&world);
        assert_eq!(unanswered(&world), BTreeSet::new(), "seed {seed}: what arrived is held back");
        assert_eq!(row(&run.maps).tally.created, there.len() as u64, "seed {seed}");
        assert_eq!(requests(&world, "newEmail"), there.len() as u64, "seed {seed}: something was sent twice");
    }
}

#[test]
fn what_never_arrived_is_held_back_and_never_sent_again() {
    let world = world(6, Faults { refused: 0.3, ..Faults::default() });
    let run = ran_at_last(&world);
    assert!(run.closes(), "{:#?}", run.maps);
    let held = unanswered(&world);
    let there = none_twice(&world);
    assert!(!held.is_empty() && held.iter().all(|key| !there.contains_key(key)), "{held:?}");
    let sent = requests(&world, "newEmail");
    assert!(sent <= there.len() as u64, "what the twin never saw is not in its log");
    world.wire.spoil(Faults::default());
    let again = ran(&world);
    assert!(again.closes());
    assert_eq!(requests(&world, "newEmail"), sent, "a later run sends what may be there");
    assert_eq!(unanswered(&world), held);
    for key in &held {
        let outcome = world.workspace.outcome(MAP, key).expect("reads").expect("an end");
        assert_eq!(outcome.status, Status::Quarantined);
        let why = outcome.reason.expect("why");
        assert!(why.contains("not sent again") && why.contains("by hand"), "{key}: {why}");
    }
}

/// Written later than anybody waits: what was held back is taken in once it is there.
#[test]
fn what_arrives_after_the_window_is_taken_in_by_a_later_run() {
    let world = world(7, Faults::default());
    // People first, so that only e-mails are late.
    let only = b2n::run::engine::Selection {
        only: vec!["company".to_owned(), "contact".to_owned(), "deal".to_owned()],
        ..b2n::run::engine::Selection::default()
    };
    world
        .process(&DieAt::default(), async |engine| engine.migrate_part(&only).await)
        .unwrap_or_else(|error| panic!("{error}"));
    world.wire.spoil(Faults { late: 0.3, late_ms: 3_600_000, ..Faults::default() });
    let run = ran_at_last(&world);
    assert!(run.closes(), "{:#?}", run.maps);
    let held = unanswered(&world);
    assert!(!held.is_empty());
    world.wire.spoil(Faults::default());
    world.clock.run(world.clock.sleep(7_200_000)).expect("time passes");
    let there = none_twice(&world);
    assert!(held.iter().all(|key| there.contains_key(key)), "the late ones are there by now");
    let sent = requests(&world, "newEmail");
    let run = ran(&world);
    assert!(run.closes(), "{:#?}", run.maps);
    assert_eq!(unanswered(&world), BTreeSet::new());
    assert_eq!(row(&run.maps).tally.created, none_twice(&world).len() as u64);
    assert_eq!(requests(&world, "newEmail"), sent);
}

#[test]
fn deaths_double_no_email() {
    let clean = world(8, Faults::default());
    ran(&clean);
    let clean: BTreeSet<String> = there(&clean).into_keys().collect();
    for point in ["load.intent", "load.answered", "load.landed", "sweep.page", "phase.closed"] {
        let world = world(8, Faults::default());
        let only = b2n::run::engine::Selection {
            only: vec!["company".to_owned(), "contact".to_owned(), "deal".to_owned()],
            ..b2n::run::engine::Selection::default()
        };
        let people = world.process(&DieAt::default(), async |engine| engine.migrate_part(&only).await);
        people.unwrap_or_else(|error| panic!("{error}"));
        let mut died = 0;
        for nth in [1, 3, 5] {
            match world.live(&DieAt { point: Some((point, nth)), ..DieAt::default() }) {
                Err(Error::Interrupted) => died += 1,
                other => assert!(other.is_ok(), "{point} {nth}: {other:?}"),
            }
        }
        assert!(died > 0, "{point} is not reached");
        let run = ran(&world);
        assert!(run.closes(), "{point}: {:#?}", run.maps);
        let there = none_twice(&world);
        let held = unanswered(&world);
        let both: BTreeSet<String> = there.keys().cloned().chain(held.iter().cloned()).collect();
        assert_eq!(both, clean, "{point}: something is lost");
        assert!(held.iter().all(|key| !there.contains_key(key)), "{point}: what is there is held back");
        // Only what was about to be sent when the process died.
        assert!(held.len() <= died * world.settings.in_flight, "{point}: {held:?}");
    }
}

#[test]
fn a_rollback_lists_the_emails_as_what_stays_and_takes_the_people_back() {
    let world = world(9, Faults { lost: 0.1, ..Faults::default() });
    ran_at_last(&world);
    world.wire.spoil(Faults::default());
    let emails: BTreeSet<String> = there(&world).into_values().flatten().map(|id| id.to_string()).collect();
    let sent = requests(&world, "newEmail");
    let announced = world.announce(None).unwrap_or_else(|error| panic!("{error}"));
    let kept = announced.counts.iter().filter(|count| count.fate == Fate::Keep);
    assert_eq!(kept.map(|count| count.records).sum::<u64>(), emails.len() as u64, "{:#?}", announced.counts);
    let report = world.roll_back(&DieAt::default(), None).unwrap_or_else(|error| panic!("{error}"));
    assert!(report.as_announced() && !report.anew, "{report:#?}");
    let lines = world.workspace.staying(false, 0, 100_000).expect("a list");
    let staying: BTreeSet<String> = lines.iter().map(|line| line.target.clone()).collect();
    assert_eq!(staying, emails);
    assert!(lines.iter().all(|line| line.why.as_deref().is_some_and(|why| why.contains("no API deletes"))));
    for entity in ["Accounts", "Contacts", "Leads"] {
        assert_eq!(world.account.live_count(entity), 0, "{entity}");
    }
    assert_eq!(world.account.live_count("Emails"), emails.len());
    // The next migration makes the people anew and no e-mail twice.
    let run = ran(&world);
    assert!(run.closes(), "{:#?}", run.maps);
    assert_eq!(requests(&world, "newEmail"), sent);
    none_twice(&world);
}

#[test]
fn a_contact_with_an_email_of_somebody_elses_stays() {
    let world = world(10, Faults::default());
    ran(&world);
    let contact =
        world.account.links().into_iter().find_map(|(entity, id, to, other)| {
            (entity == "Emails" && to == "contacts").then_some((id, other))
        });
    let (id, contact) = contact.expect("an e-mail with a contact");
    let text = email(&world, id)["to"][0].as_str().expect("an address").to_owned();
    let from = email(&world, id)["from"][0].as_str().expect("an address").to_owned();
    let theirs = format!(
        "From: {from}\r\nTo: {text}\r\nDate: Tue, 05 Mar 2024 10:00:00 +0300\r\nSubject: Hi\r\n\r\nx"
    );
    crate::rollback::by_hand(&world, "admin@acme.example", "newEmail", json!({"emailString": theirs}));
    world.roll_back(&DieAt::default(), None).unwrap_or_else(|error| panic!("{error}"));
    assert!(
        world.account.with(|company| company.live(Kind::Contacts, contact).is_some()),
        "a contact with somebody's e-mail was deleted"
    );
}

/// A server that gives an e-mail the moment of its arrival as its date: told, and nothing stops.
#[test]
fn a_date_that_is_not_kept_is_told() {
    let world = world(11, Faults::default());
    world.account.configure(|settings| settings.dialect.email_date = false);
    let run = ran(&world);
    assert!(run.closes(), "{:#?}", run.maps);
    let proof = row(&run.maps).proof.as_deref().expect("was compared");
    let date = proof.fields.iter().find(|field| field.field == "date").expect("the field");
    assert_eq!(date.differing, BTreeMap::from([(Difference::WorkedOut, proof.compared)]));
}

/// A request that a proxy delivers twice makes a double that nobody can delete: the run stops and names it.
#[test]
fn a_double_that_cannot_be_deleted_stops_the_run() {
    let world = world(12, Faults::default());
    ran(&world);
    let id = *there(&world).values().next().expect("one").first().expect("one");
    let now = world.clock.now_ms();
    world.account.with(|company| company.copy_email(id, Actor::User(1), now));
    match world.live(&DieAt::default()) {
        Err(Error::NotClosed { lines, .. }) => {
            assert!(lines.iter().any(|line| line.starts_with("emails:")), "{lines:?}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(requests(&world, "deleteEmail"), 0);
}

/// Something on the way sends the create of an e-mail again: the answer says that all is well, and the API deletes
/// none. The run stops at once, sends nothing more, and closes when a person has deleted the one that it named.
#[test]
fn an_email_that_arrives_twice_stops_the_run_until_one_is_deleted() {
    for books_go in [false, true] {
        stands_twice_until_one_is_deleted(books_go);
    }
}

fn stands_twice_until_one_is_deleted(books_go: bool) {
    let world = world(13, Faults::default());
    let (account, clock) = (Rc::clone(&world.account), Rc::clone(&world.clock));
    let mut first = true;
    world.wire.meddle(move |request| {
        if String::from_utf8_lossy(&request.body).contains("\"newEmail\"") && std::mem::take(&mut first) {
            account.handle(&Wire::request(request), clock.now_ms());
        }
        None
    });
    match world.live(&DieAt::default()) {
        Err(Error::NotClosed { lines, .. }) => {
            assert!(lines.iter().any(|line| line.starts_with("emails:")), "{lines:?}");
        }
        other => panic!("{other:?}"),
    }
    let (key, both) = there(&world).into_iter().find(|(_, ids)| ids.len() == 2).expect("two");
    let books = world.workspace.outcome(MAP, &key).expect("the books").expect("an outcome").target;
    let goes =
        both.iter().find(|id| (Some(id.to_string()) == books) == books_go).copied().expect("one of them");
    let sent = requests(&world, "newEmail");
    assert!(matches!(world.live(&DieAt::default()), Err(Error::NotClosed { .. })), "it closes all the same");
    assert_eq!((requests(&world, "newEmail"), requests(&world, "deleteEmail")), (sent, 0));
    let now = world.clock.now_ms();
    let gone =
        |email: &mut b2n::run::twin::nutshell::agenda::Email| email.head.deleted = Some(now.div_euclid(1000));
    world.account.with(|company| company.rewrite_email(goes, gone, now));
    let run = ran(&world);
    assert!(run.closes(), "{:#?}", run.maps);
    assert_eq!(requests(&world, "newEmail"), sent, "an e-mail was sent again");
    let named = world.workspace.outcome(MAP, &key).expect("the books").expect("an outcome").target;
    let stays = both.iter().find(|id| **id != goes).map(i64::to_string);
    assert_eq!(named, stays, "the books name the one that is gone");
    assert!(ran(&world).closes(), "a further run finds something");
    assert_eq!(requests(&world, "newEmail"), sent, "a further run sent an e-mail");
}
