//! Migrations taken back: what the destination holds afterwards is what it held before, less what was announced. The
//! oracle is the destination twin's dump; b2n's books count for nothing here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::process::Command;

use b2n::lang::plan::Plan;
use b2n::run::connect::outside::Clock;
use b2n::run::engine::{Announcement, Error, POINTS, ROLLBACK_POINTS, RollbackReport};
use b2n::run::twin::Request;
use b2n::run::twin::bitrix24::Portal;
use b2n::run::twin::bitrix24::generate::Counts;
use b2n::run::twin::nutshell::record::{Link, Owner, Record};
use b2n::run::twin::nutshell::{Actor, Company, Kind};
use b2n::run::workspace::{Fate, RollbackLine, Turn};
use serde_json::{Value as Json, json};

use crate::customers::portals;
use crate::whole;
use crate::world::{Checked, DieAt, Faults, WRITE_FAULTS, World, root, schema};

/// Lists of a dump, and the objects that specs call them.
const LISTS: [(&str, &str); 6] = [
    ("accounts", "Account"),
    ("contacts", "Contact"),
    ("leads", "Lead"),
    ("products", "Product"),
    ("activities", "Activity"),
    ("notes", "Note"),
];

/// What stands in the destination: every live record by list and id, without revisions and times of change, which
/// neighbours move. Definitions of custom fields are left out: no API deletes them.
pub fn live(world: &World) -> BTreeMap<(String, String), Json> {
    world.wire.settle(i64::MAX);
    let mut found = BTreeMap::new();
    for (list, rows) in world.account.dump().as_object().expect("a dump") {
        if list == "customFields" {
            continue;
        }
        for row in rows.as_array().expect("a list") {
            if row.get("deletedTime").is_some_and(|time| !time.is_null()) {
                continue;
            }
            found.insert((list.clone(), row["id"].to_string()), without_time(row));
        }
    }
    found
}

pub fn without_time(value: &Json) -> Json {
    match value {
        Json::Object(map) => {
            let kept = map.iter().filter(|(key, _)| !matches!(key.as_str(), "rev" | "modifiedTime"));
            Json::Object(kept.map(|(key, value)| (key.clone(), without_time(value))).collect())
        }
        Json::Array(list) => list.iter().map(without_time).collect(),
        plain => plain.clone(),
    }
}

/// Records in which two states differ: missing, added, changed.
pub fn differing(
    before: &BTreeMap<(String, String), Json>,
    after: &BTreeMap<(String, String), Json>,
) -> BTreeSet<(String, String)> {
    let all = before.keys().chain(after.keys());
    all.filter(|there| before.get(*there) != after.get(*there)).cloned().collect()
}

/// Records that a rollback said would stay, or stay in part, as the dump names them.
fn staying(world: &World, asked: bool) -> BTreeSet<(String, String)> {
    lines(world, asked).into_iter().map(|line| (list_of(&line.object).to_owned(), line.target)).collect()
}

fn lines(world: &World, asked: bool) -> Vec<RollbackLine> {
    world.workspace.staying(asked, 0, 100_000).expect("a list")
}

fn list_of(object: &str) -> &'static str {
    LISTS.iter().find(|(_, name)| *name == object).map_or("?", |(list, _)| *list)
}

/// One call of the RPC API by a person, with its result.
pub fn by_hand(world: &World, user: &str, method: &str, params: Json) -> Json {
    let call = json!({"jsonrpc": "2.0", "id": "1", "method": method, "params": params});
    let login = format!("{user}:key");
    let request = Request {
        method: "POST".to_owned(),
        path: "/api/v1/json".to_owned(),
        query: String::new(),
        headers: vec![("authorization".to_owned(), format!("Basic {}", base64(login.as_bytes())))],
        body: call.to_string().into_bytes(),
        client: "127.0.0.1".to_owned(),
    };
    let answer = world.account.handle(&request, world.clock.now_ms());
    let body: Json = serde_json::from_slice(&answer.body).expect("json");
    assert!(body["error"].is_null(), "{method}: {body}");
    body["result"].clone()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let bits =
            chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place)) as usize & 63];
            out.push(if place > chunk.len() { '=' } else { char::from(digit) });
        }
    }
    out
}

fn ok<T>(result: Result<T, Error>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

pub fn migrated(world: &World) {
    let run = ok(world.live(&DieAt::default()));
    assert!(run.closes(), "{:#?}", run.maps);
}

/// How many records have this fate.
fn fated(announced: &Announcement, fate: Fate) -> u64 {
    announced.counts.iter().filter(|count| count.fate == fate).map(|count| count.records).sum()
}

/// The example customer with everything that the language can, on an account that holds records already, some of which
/// the spec adopts.
pub fn acme(seed: u64) -> World {
    acme_with(seed, Counts { companies: 12, contacts: 25, deals: 25, leads: 20 })
}

/// As many records as deaths need that come late.
pub fn few(seed: u64) -> World {
    acme_with(seed, Counts { companies: 5, contacts: 7, deals: 7, leads: 5 })
}

fn acme_with(seed: u64, counts: Counts) -> World {
    let portal = Portal::acme_with(counts, 7);
    let world = World::with(whole::checked(), portal, Company::acme_with_history(), seed, Faults::default());
    let record = |entity, at: usize| {
        world.portal.with_portal(|portal| portal.records[&entity].values().nth(at).expect("a record").clone())
    };
    use b2n::run::twin::bitrix24::Entity;
    for at in [1, 4] {
        let company = record(Entity::Company, at);
        let name = company["TITLE"].as_str().expect("a title").trim().to_owned();
        let account = json!({"name": name, "description": "typed in by marketing", "tags": ["Key account"]});
        by_hand(&world, "admin@acme.example", "newAccount", json!({"account": account}));
    }
    world
}

/// The example customer of the standard profile: products are adopted, tasks and activities hang on records.
pub fn podyom(seed: u64) -> World {
    let folder = root().join("examples/podyom");
    let output = Command::new(env!("CARGO_BIN_EXE_b2n"))
        .env_clear()
        .args(["plan", "--format", "json"])
        .arg(folder.join("podyom.b2n"))
        .output()
        .expect("the binary runs");
    let printed: Json = serde_json::from_slice(&output.stdout).expect("JSON");
    let plan: Plan = serde_json::from_value(printed["plan"].clone()).expect("a plan");
    let source = schema(&folder.join("schema/bitrix24.yaml"));
    let checked = Checked { plan, source };
    let counts = Counts { companies: 10, contacts: 20, deals: 20, leads: 10 };
    let portal = portals::podyom_with(counts);
    let mut world = World::with(checked, portal, portals::podyom_account(), seed, Faults::default());
    world.people = ("podyom.bitrix24.ru", "galiev@podyom.example");
    let of_account = world.checked.plan.target.account.clone();
    world.account.configure(|settings| settings.instance_id = of_account);
    world
}

/// The state before, after a migration and a rollback of all of it.
fn there_and_back(world: &World) -> (BTreeMap<(String, String), Json>, RollbackReport) {
    let before = live(world);
    migrated(world);
    assert!(differing(&before, &live(world)).len() > 50, "hardly anything was migrated");
    let report = ok(world.roll_back(&DieAt::default(), None));
    (before, report)
}

#[track_caller]
fn same(world: &World, before: &BTreeMap<(String, String), Json>, what: &str) {
    let after = live(world);
    let differ = differing(before, &after);
    let shown: Vec<_> =
        differ.iter().take(3).map(|there| (there, before.get(there), after.get(there))).collect();
    assert!(differ.is_empty(), "{what}: {} records differ: {shown:#?}", differ.len());
}

#[test]
fn a_rollback_leaves_what_was_there_before() {
    for (name, world) in [("acme", acme(1)), ("podyom", podyom(1))] {
        let (before, report) = there_and_back(&world);
        assert!(report.as_announced() && report.anew, "{name}: {report:#?}\n{:#?}", lines(&world, false));
        same(&world, &before, name);
        assert_eq!(lines(&world, false), [], "{name}");
        let restored = report.counts.iter().filter(|count| count.fate == Fate::Restore).count();
        assert!(restored > 0 || name == "podyom", "{name}: nothing was adopted");
        // Custom fields stay, and are told; tags and sources that were made are gone.
        assert!(
            report.leftovers.iter().any(|left| left.what.contains("Bitrix24 key") && left.stays.is_some())
        );
        let error = world.announce(None).expect_err("nothing is left");
        assert!(error.to_string().contains("nothing to roll back"), "{error}");
    }
}

#[test]
fn a_dry_run_writes_nothing_and_announces_what_is_done() {
    let world = acme(2);
    migrated(&world);
    let (dump, writes) = (world.account.dump(), world.workspace.writes().expect("a count"));
    let announced = ok(world.announce(None));
    assert_eq!(world.account.dump(), dump, "the destination was written");
    assert_eq!(world.workspace.writes().expect("a count"), writes, "the journal was written");
    assert_eq!(world.workspace.rollback().expect("a note"), None);
    let again = ok(world.announce(None));
    assert_eq!(announced, again, "the same list twice");
    let report = ok(world.roll_back(&DieAt::default(), None));
    for fate in [Fate::Delete, Fate::Restore, Fate::Keep] {
        let done: u64 =
            report.counts.iter().filter(|count| count.fate == fate).map(|count| count.records).sum();
        assert_eq!(fated(&announced, fate), done, "{fate:?}");
    }
    assert!(fated(&announced, Fate::Delete) > 100 && fated(&announced, Fate::Restore) > 0);
}

#[test]
fn a_migration_after_a_rollback_begins_anew_without_doubles() {
    let world = few(3);
    migrated(&world);
    let first = whole::picture(&world);
    let report = ok(world.roll_back(&DieAt::default(), None));
    assert!(report.anew, "{report:#?}");
    assert_eq!(world.workspace.writes().expect("a count"), 0);
    migrated(&world);
    let second = whole::picture(&world);
    let differ: Vec<&String> = first.symmetric_difference(&second).take(9).collect();
    assert!(differ.is_empty(), "{differ:#?}");
    // And back again, with the first rollback's traces in the journal.
    let report = ok(world.roll_back(&DieAt::default(), None));
    assert!(report.as_announced() && report.anew, "{report:#?}");
}

/// Edits as people make them in the web application, each with the record that has to stay for it.
fn people_at_work(world: &World, user: &str) -> BTreeMap<(String, String), &'static str> {
    let now = world.clock.now_ms();
    let own = |entity: &str| {
        let markers = world.account.markers(entity, "Bitrix24 key");
        markers.into_values().map(|ids| ids[0]).collect::<Vec<i64>>()
    };
    let (accounts, contacts, leads) = (own("Accounts"), own("Contacts"), own("Leads"));
    let mut touched = BTreeMap::new();
    let mut touch = |list: &str, id: i64, why| touched.insert((list.to_owned(), id.to_string()), why);
    world.account.with(|company| {
        company
            .edit(Kind::Leads, leads[3], now, |lead| lead.description = Some("Typed by a person".to_owned()));
        touch("leads", leads[3], "`description`");
        let lead = company.new_lead(Actor::User(1)).expect("a pipeline");
        let mut lead = Record { description: Some("Their own".to_owned()), ..lead };
        lead.accounts.push(Link { id: accounts[0], relationship: None });
        company.insert(lead, now);
        touch("accounts", accounts[0], "on it, which");
        // A note bumps the revision of its record only.
        company.add_note(Kind::Contacts, contacts[2], "Called them".to_owned(), Actor::User(1), now);
        touch("contacts", contacts[2], "on it, which");
    });
    let task = json!({"title": "Visit", "entity": {"entityType": "Accounts", "id": accounts[2]}});
    by_hand(world, user, "newTask", json!({"task": task}));
    touch("accounts", accounts[2], "on it, which");
    // Somebody looks and changes nothing: the revision moves, and that says nothing.
    world.account.with(|company| {
        company.edit(Kind::Accounts, accounts[3], now, |_| {});
        company.edit(Kind::Leads, leads[5], now, |_| {});
    });
    touched
}

#[test]
fn what_people_touched_stays_and_is_announced_with_the_reason() {
    for (name, world) in [("acme", acme(4)), ("podyom", podyom(4))] {
        let before = live(&world);
        migrated(&world);
        let touched = people_at_work(&world, world.people.1);
        let full = live(&world);
        let announced = ok(world.announce(None));
        let listed = lines(&world, true);
        for (there, word) in &touched {
            let line =
                listed.iter().find(|line| (list_of(&line.object), &line.target) == (&*there.0, &there.1));
            let why = line.and_then(|line| line.why.as_deref()).unwrap_or_default();
            assert!(why.contains(word), "{name} {there:?}: `{why}`");
        }
        let (staying, kept) = (staying(&world, true), fated(&announced, Fate::Keep));
        assert!(kept >= touched.len() as u64, "{name}: {kept}");
        let report = ok(world.roll_back(&DieAt::default(), None));
        assert!(report.as_announced() && !report.anew, "{name}: {report:#?}");
        // What differs from before is what was announced, and what people made themselves.
        let after = live(&world);
        for there in differing(&before, &after) {
            let theirs = full.contains_key(&there) && !before.contains_key(&there) && {
                let marker = &full[&there]["customFields"]["Bitrix24 key"];
                marker.is_null() && !full[&there].to_string().contains("[Bitrix24 ")
            };
            let listed = staying.contains(&there);
            let setting = matches!(there.0.as_str(), "tags" | "sources");
            assert!(
                theirs || listed || setting,
                "{name}: {there:?} was not announced: {:#?}",
                after.get(&there)
            );
        }
        // What stays has lost nothing: no link of it dangles.
        for there in &staying {
            let (was, is) = (&full[there], after.get(there).unwrap_or_else(|| panic!("{there:?} is gone")));
            for link in ["accounts", "primaryAccount", "products"] {
                assert_eq!(was.get(link), is.get(link), "{name} {there:?} lost its {link}");
            }
            assert_eq!(was.get("description"), is.get("description"), "{name} {there:?}");
        }
        // A migration goes on beside it, without doubles.
        migrated(&world);
        for entity in ["Accounts", "Contacts", "Leads"] {
            let markers = world.account.markers(entity, "Bitrix24 key");
            let double = markers.iter().find(|(_, ids)| ids.len() > 1);
            assert_eq!(double, None, "{name} {entity}");
        }
    }
}

/// Every write of a rollback, in order.
fn journal(world: &World) -> String {
    let mut text = String::new();
    for map in world.workspace.rollback_maps().expect("maps") {
        let stream = world.workspace.staged_page(&map, 0, 100_000).expect("staged");
        let plan = &world.checked.plan.maps;
        let object = plan.iter().find(|m| m.name == map).map(|m| m.source.clone());
        let staged = object.map(|object| world.workspace.staged_page(&object, 0, 100_000).expect("staged"));
        for record in staged.into_iter().flatten().chain(stream) {
            for entry in world.workspace.writes_of(&map, &record.key).expect("a journal") {
                let _ = writeln!(text, "{entry:?}");
            }
        }
    }
    text
}

/// Rolls back until it is through, however often it dies; gives how often.
fn through(world: &World, deaths: &[(&'static str, u64)]) -> usize {
    let mut died = 0;
    for point in deaths {
        match world.roll_back(&DieAt { point: Some(*point), ..DieAt::default() }, None) {
            Err(Error::Interrupted) => died += 1,
            Ok(_) | Err(Error::Connect(_) | Error::NoRollback(_)) => {}
            Err(error) => panic!("{point:?}: {error}"),
        }
    }
    for _ in 0..40 {
        match world.roll_back(&DieAt::default(), None) {
            Ok(report) => {
                assert!(report.as_announced(), "{report:#?}");
                return died;
            }
            Err(Error::NoRollback(_)) => return died,
            Err(Error::Connect(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    panic!("forty runs were not enough");
}

#[test]
fn a_rollback_survives_a_death_at_every_named_point() {
    let mut never = Vec::new();
    for point in ROLLBACK_POINTS {
        let mut died = 0;
        for nth in [1, 2, 30] {
            let world = few(5);
            let before = live(&world);
            migrated(&world);
            died += through(&world, &[(point, nth)]);
            same(&world, &before, &format!("death at `{point}`, time {nth}"));
            assert_eq!(world.workspace.unsettled().expect("a count"), 0, "death at `{point}`, time {nth}");
        }
        if died == 0 {
            never.push(point);
        }
    }
    assert!(never.is_empty(), "no rollback reaches {never:?}");
}

#[test]
fn a_rollback_survives_every_fault_and_deaths_together() {
    for (seed, faults) in [
        (6, Faults { lost: 0.2, ..Faults::default() }),
        (7, Faults { late: 0.1, late_ms: 40_000, lost: 0.1, ..Faults::default() }),
        (8, Faults { html: 0.1, cut: 0.1, refused: 0.1, ..Faults::default() }),
    ] {
        let mut world = few(seed);
        world.settings.sends = 12;
        let before = live(&world);
        // The faults strike the migration too: the rollback finds what never had an answer.
        world.wire.spoil(faults);
        migrated(&world);
        let deaths = [
            ("rollback.answered", 9),
            ("rollback.settled", 10),
            ("rollback.intent", 8),
            ("rollback.answered", 11),
        ];
        let told = WRITE_FAULTS.get();
        let died = through(&world, &deaths);
        assert!(died >= 3, "only {died} deaths");
        assert!(WRITE_FAULTS.get() > told, "seed {seed}: no fault was told");
        same(&world, &before, &format!("seed {seed}"));
    }
}

#[test]
fn a_migration_that_died_anywhere_is_taken_back() {
    for point in POINTS {
        for nth in [1, 17] {
            let world = few(9);
            let before = live(&world);
            if world.live(&DieAt { point: Some((point, nth)), ..DieAt::default() }).is_ok() {
                continue;
            }
            match world.roll_back(&DieAt::default(), None) {
                // It died before it wrote anything.
                Err(Error::NoRollback(_)) => {}
                Ok(report) => {
                    assert!(report.as_announced(), "{point} {nth}: {report:#?}\n{:#?}", lines(&world, false))
                }
                Err(error) => panic!("{point} {nth}: {error}"),
            }
            let after = live(&world);
            let differ: BTreeSet<_> = differing(&before, &after)
                .into_iter()
                .filter(|there| !matches!(there.0.as_str(), "tags" | "sources"))
                .collect();
            assert!(
                differ.is_empty(),
                "death at `{point}`, time {nth}: {differ:?}\n{:#?}",
                lines(&world, false)
            );
        }
    }
}

#[test]
fn the_same_seed_twice_gives_the_same_rollback() {
    let run = || {
        let world = acme(10);
        migrated(&world);
        world.wire.spoil(Faults { lost: 0.1, refused: 0.05, ..Faults::default() });
        people_at_work(&world, world.people.1);
        through(&world, &[("rollback.answered", 11)]);
        (journal(&world), world.account.dump().to_string())
    };
    let first = run();
    assert!(first.0.lines().filter(|line| line.contains("TakeBack")).count() > 50, "{}", first.0);
    assert!(first == run(), "two runs of one seed differ");
}

#[test]
fn what_changes_after_the_announcement_stays_with_all_it_links_to() {
    let world = few(11);
    let before = live(&world);
    migrated(&world);
    let died = world.roll_back(&DieAt { point: Some(("rollback.begun", 1)), ..DieAt::default() }, None);
    assert!(matches!(died, Err(Error::Interrupted)));
    let lead = world.account.dump()["leads"]
        .as_array()
        .expect("leads")
        .iter()
        .find(|lead| !lead["primaryAccount"].is_null() && !lead["customFields"]["Bitrix24 key"].is_null())
        .expect("a lead of a company")
        .clone();
    let (id, account) = (lead["id"].as_i64().expect("an id"), lead["primaryAccount"]["id"].to_string());
    world.account.with(|company| {
        company.edit(Kind::Leads, id, world.clock.now_ms(), |lead| {
            lead.description = Some("Mine now".to_owned())
        })
    });
    // Records can be written again only when it is through.
    let error = world.live(&DieAt::default()).expect_err("is refused");
    assert!(matches!(error, Error::RollbackOpen) && error.to_string().contains("b2n rollback"), "{error}");
    let error = world.roll_back(&DieAt::default(), Some("deal")).expect_err("another one was begun");
    assert!(matches!(error, Error::OtherRollback { .. }), "{error}");
    let report = ok(world.roll_back(&DieAt::default(), None));
    assert!(!report.as_announced() && !report.anew);
    let kept = lines(&world, false);
    let of = |list: &str, id: &str| {
        kept.iter().find(|line| (list_of(&line.object), line.target.as_str()) == (list, id))
    };
    let line = of("leads", &id.to_string()).expect("the lead is listed");
    assert!(
        line.turn == Turn::Kept && line.why.as_deref().is_some_and(|why| why.contains("`description`")),
        "{line:?}"
    );
    let line = of("accounts", &account).expect("its company is listed");
    assert!(line.turn == Turn::Kept || line.fate == Fate::Restore, "{line:?}");
    let after = live(&world);
    assert_eq!(after[&("leads".to_owned(), id.to_string())]["primaryAccount"]["id"].to_string(), account);
    let stays: BTreeSet<_> = staying(&world, false);
    for there in differing(&before, &after) {
        let setting = matches!(there.0.as_str(), "tags" | "sources");
        assert!(stays.contains(&there) || setting, "{there:?} was not told");
    }
}

#[test]
fn an_adopted_record_gets_back_what_still_holds_what_was_written() {
    for edited in [false, true] {
        let world = acme(12);
        let adopted: Vec<Json> = {
            let dump = world.account.dump();
            let typed = |account: &&Json| account["description"] == "typed in by marketing";
            dump["accounts"].as_array().expect("accounts").iter().filter(typed).cloned().collect()
        };
        migrated(&world);
        let id = adopted[0]["id"].as_i64().expect("an id");
        let now = world.account.dump();
        let now =
            now["accounts"].as_array().expect("accounts").iter().find(|a| a["id"] == id).expect("it").clone();
        assert!(!now["customFields"]["Bitrix24 key"].is_null(), "it was not adopted: {now:#}");
        let filled: Vec<&str> = ["phone", "email", "url", "address", "owner"]
            .into_iter()
            .filter(|key| without_time(&now[*key]) != without_time(&adopted[0][*key]))
            .collect();
        assert!(!filled.is_empty(), "nothing was filled in");
        let other = if edited {
            world.account.with(|company| {
                let ours = now["owner"]["id"].as_i64();
                let other =
                    company.users.iter().map(|user| user.id).find(|id| Some(*id) != ours).expect("another");
                company.edit(Kind::Accounts, id, world.clock.now_ms(), |account| {
                    account.owner = Some(Owner::User(other));
                });
                other
            })
        } else {
            0
        };
        let report = ok(world.roll_back(&DieAt::default(), None));
        assert!(report.as_announced(), "{report:#?}");
        let after = live(&world).remove(&("accounts".to_owned(), id.to_string())).expect("it is there");
        assert!(after["customFields"]["Bitrix24 key"].is_null(), "the marker stays: {after:#}");
        for key in filled {
            let (was, is) = (without_time(&adopted[0][key]), without_time(&after[key]));
            if edited && key == "owner" {
                assert_eq!(is["id"], other, "a person's owner is gone");
            } else {
                assert_eq!(was, is, "{key}");
            }
        }
        let held = lines(&world, false);
        assert_eq!(held.iter().any(|line| line.target == id.to_string()), edited, "{held:#?}");
    }
}

#[test]
fn a_spec_that_changed_in_its_rules_can_roll_back_and_another_map_cannot() {
    let mut world = few(15);
    let before = live(&world);
    migrated(&world);
    world.checked.plan.zone = Some("UTC".to_owned());
    assert_ne!(Some(world.checked.plan.hash()), world.workspace.note("plan").expect("a note"));
    let target = std::mem::replace(&mut world.checked.plan.maps[0].target, "Lead".to_owned());
    let error = world.announce(None).expect_err("is refused");
    assert!(error.to_string().contains("this spec has no such map"), "{error}");
    world.checked.plan.maps[0].target = target;
    let report = ok(world.roll_back(&DieAt::default(), None));
    assert!(report.as_announced() && report.anew, "{report:#?}");
    same(&world, &before, "a changed spec");
}

#[test]
fn one_map_is_rolled_back_only_where_nothing_hangs_on_it() {
    let world = acme(13);
    migrated(&world);
    let error = world.announce(Some("company")).expect_err("deals hang on companies");
    let text = error.to_string();
    assert!(
        matches!(error, Error::Needed { .. }) && text.contains("`deal`") && text.contains("`contact`"),
        "{text}"
    );
    let error = world.announce(Some("nothing")).expect_err("there is no such map");
    assert!(error.to_string().contains("has no map `nothing`"), "{error}");
    let before = live(&world);
    let meetings = world.workspace.tally("meetings").expect("a tally").created;
    let report = ok(world.roll_back(&DieAt::default(), Some("meetings")));
    assert!(report.as_announced() && !report.anew);
    let gone = differing(&before, &live(&world));
    let activities = gone.iter().filter(|there| there.0 == "activities").count() as u64;
    assert_eq!(activities, meetings);
    assert!(gone.len() as u64 >= meetings && meetings > 0, "{gone:?}");
    // It is pending again, and a migration writes it anew.
    assert_eq!(world.workspace.tally("meetings").expect("a tally").created, 0);
    migrated(&world);
    assert_eq!(world.workspace.tally("meetings").expect("a tally").created, meetings);
    let markers = world.account.markers("Activities", "Bitrix24 key");
    assert!(markers.values().all(|ids| ids.len() == 1), "{markers:?}");
}

#[test]
fn rights_are_asked_for_and_notes_that_stay_fail_nothing() {
    let world = few(14);
    migrated(&world);
    world.account.configure(|settings| settings.may_delete = false);
    let error = world.announce(None).expect_err("is refused");
    assert!(error.to_string().contains("may not delete records"), "{error}");
    world.account.configure(|settings| {
        settings.may_delete = true;
        settings.dialect.note_deletion_limited = true;
    });
    // Two days later.
    world.clock.run(world.clock.sleep(2 * 86_400_000)).expect("time passes");
    let announced = ok(world.announce(None));
    let (notes, doubted) = (
        world.account.live_count("Notes") as u64,
        announced.doubts.iter().map(|(_, records, _)| records).sum::<u64>(),
    );
    assert!(doubted > 0 && doubted <= notes, "{doubted} of {notes}");
    let report = ok(world.roll_back(&DieAt::default(), None));
    let refused: u64 = report.counts.iter().filter(|c| c.turn == Turn::Refused).map(|c| c.records).sum();
    assert_eq!(refused, doubted, "{report:#?}");
    assert!(!report.as_announced());
    // Records that the notes go with are deleted all the same.
    assert_eq!(world.account.markers("Leads", "Bitrix24 key").len(), 0);
    // A migration says of each what to do, and writes none of them twice.
    let run = ok(world.live(&DieAt::default()));
    assert!(run.closes(), "{:#?}", run.maps);
    let held =
        world.workspace.reasons("notes of deal", b2n::run::workspace::Status::Quarantined).expect("reasons");
    assert!(
        held.iter().all(|(why, _)| why.contains("delete it in the destination")) && !held.is_empty(),
        "{held:?}"
    );
    let markers = world.account.markers("Notes", "Bitrix24 key");
    assert!(markers.values().all(|ids| ids.len() == 1), "{markers:?}");
}
