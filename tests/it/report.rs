//! The report against the twins' own books: every number of it is counted again in the portal and in the destination's
//! dump, after a run in which much went wrong. And what holds of any report: each number is the length of its list.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use b2n::face::report::migration;
use b2n::lang::value::parse::decimal;
use b2n::run::connect::Pace;
use b2n::run::connect::outside::HttpResponse;
use b2n::run::engine::Error;
use b2n::run::engine::dossier::{self, Dossier, FaultLine, Input, Lists, Outcome, Veil};
use b2n::run::twin::bitrix24::{Entity, Fault, FaultKind, Trigger};

use b2n::run::twin::nutshell::record::Record;
use b2n::run::twin::nutshell::{Actor, Kind};
use serde_json::{Value as Json, json};

use crate::rollback::by_hand;
use crate::whole;
use crate::world::{DieAt, Faults, World};

const ADMIN: &str = "admin@acme.example";
const MARKER: &str = "Bitrix24 key";

/// Lists in memory, by file: the head, then the rows.
#[derive(Default, Clone, PartialEq, Eq, Debug)]
struct Kept {
    files: BTreeMap<String, Vec<Vec<String>>>,
    now: String,
}

impl Lists for Kept {
    type Error = Error;

    fn begin(&mut self, file: &str, head: &[&str]) -> Result<(), Error> {
        self.now = file.to_owned();
        let before = self.files.insert(file.to_owned(), Vec::new());
        assert_eq!(before, None, "`{file}` stands twice");
        self.row(head)
    }

    fn row(&mut self, cells: &[&str]) -> Result<(), Error> {
        let rows = self.files.get_mut(&self.now).expect("a file was begun");
        rows.push(cells.iter().map(|cell| (*cell).to_owned()).collect());
        Ok(())
    }

    fn end(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

impl Kept {
    /// The rows of a file, its head apart.
    fn rows(&self, file: &str) -> &[Vec<String>] {
        self.files.get(file).map_or(&[], |rows| &rows[1..])
    }
}

fn reported(world: &World, veil: &Veil) -> (Dossier, Kept) {
    reported_at(world, veil, Pace::default())
}

fn reported_at(world: &World, veil: &Veil, pace: Pace) -> (Dossier, Kept) {
    let mut kept = Kept::default();
    let input = Input {
        spec: "whole.b2n",
        plan: &world.checked.plan,
        source: &world.checked.source,
        workspace: &world.workspace,
        pace,
        veil,
    };
    let dossier = dossier::dossier(&input, &mut kept).unwrap_or_else(|error| panic!("{error}"));
    (dossier, kept)
}

fn reconciled(world: &World) {
    world
        .process(&DieAt::default(), async |engine| engine.reconcile().await)
        .unwrap_or_else(|error| panic!("{error}"));
}

/// Whatever a workspace holds, each number of its report is the length of its list, and the equations hold.
#[track_caller]
fn holds_together(dossier: &Dossier, kept: &Kept) {
    for row in &dossier.rows {
        let sum: u64 = row.ends.iter().map(|end| end.records).sum();
        assert_eq!((row.source, true), (sum, row.adds_up), "{row:#?}");
        for end in &row.ends {
            let rows = end.list.as_deref().map_or(0, |file| kept.rows(file).len() as u64);
            assert_eq!(end.records, rows, "{}: {}", row.map, end.end);
            assert_eq!(end.list.is_some(), end.records > 0, "{}: {}", row.map, end.end);
            let reasons: u64 = end.reasons.iter().map(|reason| reason.records).sum();
            assert!(reasons <= end.records);
        }
        if let Some(compared) = &row.compared {
            let of = |file: &str| kept.rows(file).iter().filter(|line| line[0] == row.map).count() as u64;
            assert_eq!(compared.missing, of("missing.csv"), "{}", row.map);
            assert_eq!(compared.strange, of("strange.csv"), "{}", row.map);
            assert_eq!(compared.open + compared.explained, of("differences.csv"), "{}", row.map);
            assert_eq!(compared.listed + compared.missing, compared.expected, "{}", row.map);
        }
    }
    for fault in &dossier.faults {
        let rows = kept.rows("faults.csv").iter();
        let rows = rows.filter(|line| line[0] == fault.what && line[1] == fault.how).count() as u64;
        // What clients counted is on no list.
        assert_eq!(if fault.list.is_some() { fault.times } else { 0 }, rows, "{fault:?}");
        assert!(fault.times > 0, "{fault:?}");
    }
    let steps: u64 = dossier.time.steps.iter().map(|step| step.writes).sum();
    assert_eq!(dossier.time.writes, steps);
    assert_eq!(dossier.sums.len(), kept.rows("sums.csv").len());
    assert_eq!(dossier.fields.len(), kept.rows("fields.csv").len());
    let files: u64 = dossier.files.iter().map(|line| line.files).sum();
    assert_eq!(files, kept.rows("files.csv").len() as u64);
    assert_eq!(dossier.lists.len(), kept.files.len());
    for list in &dossier.lists {
        assert_eq!(list.rows, kept.rows(&list.file).len() as u64, "{}", list.file);
        assert!(kept.rows(&list.file).starts_with(&list.first), "{}", list.file);
        assert!(kept.rows(&list.file).iter().all(|row| row.len() == list.head.len()), "{}", list.file);
    }
    // The first screen says the same numbers, and every list has its link.
    let page = migration::page(dossier);
    for row in &dossier.rows {
        for end in row.ends.iter().filter(|end| end.records > 0) {
            let file = end.list.as_deref().expect("a list");
            assert!(page.contains(&format!("<a href=\"{file}\">{file}</a>")), "{file}");
        }
    }
    assert!(page.contains(&dossier.verdict.text.replace('\'', "&#39;")));
}

fn end(dossier: &Dossier, map: &str, end: &str) -> u64 {
    let row = dossier.rows.iter().find(|row| row.map == map).unwrap_or_else(|| panic!("no row `{map}`"));
    row.ends.iter().filter(|one| one.end == end).map(|one| one.records).sum()
}

fn arrived(dossier: &Dossier, map: &str) -> u64 {
    end(dossier, map, "created") + end(dossier, map, "adopted")
}

fn live<'d>(dump: &'d Json, list: &str) -> impl Iterator<Item = &'d Json> {
    let rows = dump[list].as_array().map(Vec::as_slice).unwrap_or_default();
    rows.iter().filter(|row| row.get("deletedTime").is_none_or(Json::is_null))
}

/// A world in which a company is adopted, another one is tied between two, and much goes wrong on the way.
fn troubled(seed: u64) -> World {
    let faults = Faults { lost: 0.12, refused: 0.05, cut: 0.04, ..Faults::default() };
    let mut world = whole::world(seed, faults);
    world.settings.sends = 12;
    let names: Vec<String> = world.portal.with_portal(|portal| {
        let companies = portal.records[&Entity::Company].values();
        companies.map(|record| record["TITLE"].as_str().unwrap_or_default().trim().to_owned()).collect()
    });
    // Plain ones: how others are matched is the matching's own test.
    let plain = |name: &str| {
        name.len() > 3 && name.chars().all(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '.'))
    };
    let once = |name: &&String| plain(name) && names.iter().filter(|other| other == name).count() == 1;
    let single: Vec<&String> = names.iter().skip(1).filter(once).take(2).collect();
    let [adopted, tied] = single.as_slice() else { panic!("too few companies") };
    for name in [adopted, tied, tied] {
        world.account.with(|company| {
            let record = Record { name: (*name).clone(), ..Record::new(Kind::Accounts, Actor::User(1)) };
            company.insert(record, 1_795_262_400_000)
        });
    }
    let mut died = 0;
    for (point, nth) in [("load.answered", 25), ("load.landed", 15), ("load.edit", 2)] {
        match world.live(&DieAt { point: Some((point, nth)), ..DieAt::default() }) {
            Err(Error::Interrupted) => died += 1,
            Err(Error::Connect(_)) | Ok(_) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert!(died > 0, "nothing died");
    let mut run = world.live(&DieAt::default());
    for _ in 0..20 {
        if !matches!(run, Err(Error::Connect(_))) {
            break;
        }
        run = world.live(&DieAt::default());
    }
    assert!(run.unwrap_or_else(|error| panic!("seed {seed}: {error}")).closes());
    world
}

/// Amounts of the destination's leads by currency and stage, from its dump.
fn sums_there(world: &World) -> BTreeMap<(String, String), String> {
    let mut sums = BTreeMap::new();
    for lead in live(&world.account.dump(), "leads") {
        let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
        let end = match lead["status"].as_i64() {
            Some(10) => format!("won {}", text(&lead["outcome"]["description"])),
            Some(11) => format!("lost {}", text(&lead["outcome"]["description"])),
            _ => text(&lead["milestone"]["name"]),
        };
        let amount = decimal(&lead["value"]["amount"].to_string()).expect("an amount");
        if !amount.is_zero() {
            let stage = format!("{} / {end}", text(&lead["stageset"]["name"]));
            *sums.entry((text(&lead["value"]["currency"]), stage)).or_default() += amount;
        }
    }
    let shown = |(key, sum): (_, rust_decimal::Decimal)| (key, sum.normalize().to_string());
    sums.into_iter().map(shown).collect()
}

#[test]
fn a_run_full_of_faults_is_reported_as_the_twins_count_it() {
    let world = troubled(301);
    reconciled(&world);
    let (dossier, kept) = reported(&world, &Veil::Open);
    holds_together(&dossier, &kept);
    assert_eq!(dossier.verdict.outcome, Outcome::HeldBack, "{:#?}", dossier.verdict);
    assert!(dossier.rows.iter().all(|row| row.closes), "{:#?}", dossier.rows);

    // The source's side, as the portal counts.
    for (map, entity) in [
        ("company", Entity::Company),
        ("contact", Entity::Contact),
        ("deal", Entity::Deal),
        ("split lead", Entity::Lead),
        ("product", Entity::Product),
    ] {
        let there = world.portal.with_portal(|portal| portal.records[&entity].len() as u64);
        let row = dossier.rows.iter().find(|row| row.map == map).expect("a row");
        assert_eq!(row.source, there, "{map}");
    }

    // The destination's side, as its twin counts: by marker, so nothing of b2n's books takes part.
    for (entity, maps) in [
        ("Accounts", &["company"][..]),
        ("Contacts", &["contact", "lead_person"]),
        ("Leads", &["deal", "inbound"]),
        ("Products", &["product"]),
        ("Activities", &["meetings", "calls"]),
        ("Notes", &["notes of deal", "comment", "notes of company"]),
    ] {
        let markers = world.account.markers(entity, MARKER);
        assert!(markers.values().all(|ids| ids.len() == 1), "{entity}: {markers:?}");
        let known = |map: &&&str| dossier.rows.iter().any(|row| row.map == **map);
        let told: u64 = maps.iter().filter(known).map(|map| arrived(&dossier, map)).sum();
        assert_eq!(told, markers.len() as u64, "{entity}");
    }
    assert_eq!((end(&dossier, "company", "adopted"), end(&dossier, "company", "quarantined")), (1, 1));

    // The id map is the bijection that the markers are.
    let markers: usize = ["Accounts", "Contacts", "Leads", "Products", "Activities", "Notes"]
        .iter()
        .map(|entity| world.account.markers(entity, MARKER).len())
        .sum();
    assert_eq!(kept.rows("id-map.csv").len(), markers);
    for row in kept.rows("id-map.csv").iter().filter(|row| row[0] == "company") {
        let ids =
            &world.account.markers("Accounts", MARKER)[&format!("acme.bitrix24.com/company/{}", row[2])];
        assert_eq!(row[4], ids[0].to_string());
    }

    // Sums by currency and stage, of all leads of the dump.
    let mut told: BTreeMap<(String, String), rust_decimal::Decimal> = BTreeMap::new();
    for sum in dossier.sums.iter().filter(|sum| sum.field == "value") {
        assert!(sum.closes, "{sum:?}");
        let there = decimal(&sum.there).expect("an amount");
        *told.entry((sum.currency.clone(), sum.stage.clone())).or_default() += there;
    }
    told.retain(|_, sum| !sum.is_zero());
    let told: BTreeMap<_, _> =
        told.into_iter().map(|(key, sum)| (key, sum.normalize().to_string())).collect();
    assert_eq!(told, sums_there(&world));

    // Links, of all records of the dump.
    let there = world.account.links();
    for (entity, maps, relation) in [
        ("Contacts", &["contact", "lead_person"][..], "accounts"),
        ("Leads", &["deal", "inbound"], "contacts"),
    ] {
        let lines = dossier.links.iter();
        let lines = lines.filter(|link| maps.contains(&link.map.as_str()) && link.field == relation);
        let told: u64 = lines.map(|link| link.there).sum();
        let found = there.iter().filter(|(of, _, how, _)| of == entity && how == relation).count();
        assert_eq!(told, found as u64, "{entity}.{relation}");
    }

    // Stages: of each the records that the dump has there.
    let mut stages: BTreeMap<String, u64> = BTreeMap::new();
    for line in dossier.pipelines.is.iter().filter(|line| line.there > 0) {
        *stages.entry(line.value.clone()).or_default() += line.there;
    }
    let leads = live(&world.account.dump(), "leads").count() as u64;
    assert_eq!(stages.values().sum::<u64>(), leads);
    for lead in live(&world.account.dump(), "leads").filter(|lead| lead["status"] == json!(0)) {
        let name = |of: &str| lead[of]["name"].as_str().unwrap_or_default().to_owned();
        assert!(stages.contains_key(&format!("{} / {}", name("stageset"), name("milestone"))), "{stages:?}");
    }
    let deals = world.portal.with_portal(|portal| portal.records[&Entity::Deal].len() as u64);
    let was: u64 =
        dossier.pipelines.was.iter().filter(|line| line.object == "deal").map(|line| line.records).sum();
    assert_eq!(was, deals);

    // Faults: each death is a run without an end, and a write without an answer was found or sent again.
    let times = |what: &str| -> u64 {
        dossier.faults.iter().filter(|fault| fault.what == what).map(|fault| fault.times).sum()
    };
    let without_end =
        world.workspace.runs().expect("runs").iter().filter(|run| run.ended_ms.is_none()).count();
    assert_eq!(times("a run died or was stopped"), without_end as u64);
    assert!(times("a write got no usable answer") > 0, "{:#?}", dossier.faults);
    assert!(dossier.faults.iter().all(|fault| fault.settled), "{:#?}", dossier.faults);

    // Equal books, equal report.
    let (again, lists) = reported(&world, &Veil::Open);
    assert_eq!((&again, &lists), (&dossier, &kept));
    assert_eq!(serde_json::to_string(&again).ok(), serde_json::to_string(&dossier).ok());
    assert_eq!(migration::page(&again), migration::page(&dossier));
}

#[test]
fn what_clients_got_over_is_counted_as_the_twins_count_it_and_each_run_is_held_against_its_own_pace() {
    let mut world = whole::world(305, Faults::default());
    world.pace = Pace { rate_per_s: Some(3.0), in_flight: Some(2) };
    world.portal.with_settings(|settings| {
        settings.faults = vec![
            Fault::new(Trigger::Every(4), FaultKind::RateLimit),
            // Never two at one request, which would count twice in the portal.
            Fault::new(Trigger::Nth(7), FaultKind::ServerError),
            Fault::new(Trigger::Nth(13), FaultKind::CutBody),
            Fault::new(Trigger::Nth(1), FaultKind::OperatingLimit).on("crm.deal.list"),
        ];
    });
    // Every fifteenth read is put off; writes are not, since the journal has those.
    let (seen, put_off) = (Rc::new(Cell::new(0u64)), Rc::new(Cell::new(0u64)));
    let (seen_there, put_off_there) = (Rc::clone(&seen), Rc::clone(&put_off));
    world.wire.meddle(move |request| {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        if !["find", "get"].iter().any(|verb| body.contains(&format!("\"method\":\"{verb}"))) {
            return None;
        }
        seen_there.set(seen_there.get() + 1);
        if !seen_there.get().is_multiple_of(15) {
            return None;
        }
        put_off_there.set(put_off_there.get() + 1);
        let headers = vec![("retry-after".to_owned(), "2".to_owned())];
        Some(HttpResponse { status: 429, headers, body: b"slow down".to_vec() })
    });
    // The first process dies while it loads: what it met until then counts.
    let dies = DieAt { point: Some(("load.landed", 12)), ..DieAt::default() };
    let died = world.live(&dies);
    assert!(matches!(died, Err(Error::Interrupted)), "{died:?}");
    world.pace = Pace { rate_per_s: Some(6.0), in_flight: Some(3) };
    assert!(world.live(&DieAt::default()).unwrap_or_else(|error| panic!("{error}")).closes());

    let (dossier, kept) = reported(&world, &Veil::Open);
    holds_together(&dossier, &kept);
    let counted = |word: &str| -> u64 {
        let lines = dossier.faults.iter().filter(|fault| fault.list.is_none() && fault.what.contains(word));
        lines.map(|fault| fault.times).sum()
    };
    let log = world.portal.log();
    let struck = (log.faults, log.refused_rate, log.refused_operating);
    assert_eq!(counted("Bitrix24"), struck.0 + struck.1 + struck.2, "{struck:?} {:#?}", dossier.faults);
    assert!(
        ["(503)", "(429)", "gave no usable answer"].iter().all(|word| counted(word) > 0),
        "{:#?}",
        dossier.faults
    );
    assert!(put_off.get() > 0);
    assert_eq!(counted("Nutshell said that it is too busy"), put_off.get(), "{:#?}", dossier.faults);
    let waited =
        |fault: &FaultLine| fault.how.starts_with("asked again, after ") && !fault.how.contains("after 0 s");
    assert!(
        dossier
            .faults
            .iter()
            .filter(|fault| fault.list.is_none())
            .all(|fault| fault.settled && waited(fault))
    );
    let page = migration::page(&dossier);
    assert!(page.contains("Bitrix24 said that the running time of a method is used up (429)"));

    // Each run at its own pace; the plan at that of the last one, unless somebody asks for another.
    let time = &dossier.time;
    let paces: Vec<_> = time.runs.iter().map(|run| (run.rate_per_s, run.in_flight)).collect();
    assert_eq!(paces, [(Some(3.0), Some(2)), (Some(6.0), Some(3))]);
    assert_eq!((time.rate_per_s, time.in_flight), (6.0, 3.0));
    assert_eq!((time.runs[0].loading_s, time.runs[0].ended.as_ref()), (None, None), "it died");
    let calls = time.runs.iter().map(|run| run.writes + run.reads + run.lists).sum::<u64>() as f64;
    assert!((time.sent_floor_s - calls / 6.0).abs() < 0.01 * time.sent_floor_s, "{time:#?}");
    assert_eq!(time.ratio, Some(time.loading_s / time.sent_floor_s));
    assert!(time.ratio >= Some(1.0), "faster than its floor: {time:#?}");
    assert!(page.contains("at 6 requests a second and 3 in flight"), "{page}");
    let asked = Pace { rate_per_s: Some(12.0), in_flight: None };
    let (other, _) = reported_at(&world, &Veil::Open, asked);
    assert_eq!((other.time.rate_per_s, other.time.in_flight, other.time.ratio), (12.0, 3.0, time.ratio));
    assert!(
        (other.time.floor_s - time.floor_s / 2.0).abs() < 0.01,
        "{} and {}",
        other.time.floor_s,
        time.floor_s
    );
}

#[test]
fn what_people_changed_since_is_listed_and_a_report_tells_that_books_moved_on() {
    let world = whole::world(302, Faults::default());
    assert!(world.live(&DieAt::default()).unwrap_or_else(|error| panic!("{error}")).closes());
    let (dossier, kept) = reported(&world, &Veil::Open);
    holds_together(&dossier, &kept);
    assert!(matches!(dossier.verdict.outcome, Outcome::Whole | Outcome::HeldBack), "{:#?}", dossier.verdict);

    let dump = world.account.dump();
    let lead = live(&dump, "leads").find(|lead| lead["description"].is_string()).expect("a lead").clone();
    let change = json!({"description": "Renamed by Ann"});
    by_hand(&world, ADMIN, "editLead", json!({"leadId": lead["id"], "rev": lead["rev"], "lead": change}));
    reconciled(&world);
    let (dossier, kept) = reported(&world, &Veil::Open);
    holds_together(&dossier, &kept);
    let changed: Vec<_> =
        kept.rows("differences.csv").iter().filter(|row| row[5] == "changed since").collect();
    assert_eq!(changed.len(), 1, "{changed:?}");
    assert_eq!((changed[0][3].as_str(), changed[0][4].as_str()), (&*lead["id"].to_string(), "description"));
    assert!(changed[0][7].contains("Renamed by Ann"), "{changed:?}");

    // A record that is decided about since: the comparison is of other books, and the first screen says so.
    let key = world.workspace.ends_of("deal", b2n::run::workspace::Status::Created, "", 1).expect("reads");
    world.workspace.unsettle("deal", &key[0].0).expect("unsettles");
    let (dossier, kept) = reported(&world, &Veil::Open);
    holds_together(&dossier, &kept);
    assert_eq!(dossier.verdict.outcome, Outcome::Unproven);
    let page = migration::page(&dossier);
    let head = page.split("id=\"outcomes\"").next().expect("a head");
    assert!(head.contains("b2n reconcile") && head.contains("Not proven"), "{head}");
}

#[test]
fn a_workspace_without_a_migration_has_a_report_that_says_so() {
    let world = whole::world(303, Faults::default());
    let (dossier, kept) = reported(&world, &Veil::Open);
    holds_together(&dossier, &kept);
    assert_eq!(dossier.verdict.outcome, Outcome::Nothing);
    world
        .process(&DieAt::default(), async |engine| {
            engine.bind_source().await?;
            engine.extract().await
        })
        .unwrap_or_else(|error| panic!("{error}"));
    let (dossier, kept) = reported(&world, &Veil::Open);
    holds_together(&dossier, &kept);
    assert_eq!(dossier.verdict.outcome, Outcome::Nothing);
    assert!(dossier.verdict.pending > 0);
}

#[test]
fn no_value_of_a_record_stands_in_a_hashed_report() {
    const PLANTED: &str = "Zebrafink";
    let world = whole::world(304, Faults::default());
    world.portal.with_portal(|portal| {
        for entity in [Entity::Company, Entity::Contact, Entity::Deal, Entity::Lead] {
            for record in portal.records.get_mut(&entity).expect("records").values_mut() {
                for field in ["TITLE", "NAME", "LAST_NAME", "COMMENTS", "ADDRESS"] {
                    if record.get(field).is_some_and(|value| value.as_str().is_some_and(|v| !v.is_empty())) {
                        record.insert(field.to_owned(), json!(format!("{PLANTED} <b>=1+1 \u{202e}鸟 🐦")));
                    }
                }
            }
        }
    });
    // What is held back, left out or differs may quote values too.
    let _ = world.live(&DieAt::default());
    reconciled(&world);
    let everything = |veil: &Veil| {
        let (dossier, kept) = reported(&world, veil);
        holds_together(&dossier, &kept);
        let json = serde_json::to_string(&dossier).expect("json");
        let lists: String = kept.files.values().flatten().flatten().map(|cell| format!("{cell}\n")).collect();
        (json, migration::page(&dossier), lists)
    };
    let (json, page, lists) = everything(&Veil::Open);
    for (name, text) in [("json", &json), ("page", &page), ("lists", &lists)] {
        assert!(
            text.contains(PLANTED),
            "the open {name} shows nothing, so that nothing is shown by hiding it"
        );
    }
    assert!(!page.contains("<b>"), "markup of a value");
    let (json, page, lists) = everything(&Veil::hashed("salt", &world.checked.plan));
    for (name, text) in [("json", &json), ("page", &page), ("lists", &lists)] {
        let at = text.find(PLANTED).map(|at| text[..at].chars().rev().take(200).collect::<Vec<_>>());
        let before = at.map(|at| at.into_iter().rev().collect::<String>());
        assert_eq!(before, None, "the hashed {name}");
        assert!(!text.contains('\u{202e}') && !text.contains('鸟'), "the hashed {name}");
    }
}
