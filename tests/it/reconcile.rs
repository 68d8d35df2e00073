//! What a reconciliation sees and what it lets pass: fields, sums, links, lists that lag, people at work, a destination
//! that changes values in silence. The oracle is the destination twin's dump, and the portal's own records.

use std::collections::{BTreeMap, BTreeSet};

use b2n::lang::value::parse::decimal;
use b2n::run::engine::{self, Difference, Error, FieldProof, MapReport, Proof, Sum};
use b2n::run::twin::bitrix24::Entity;
use b2n::run::twin::bitrix24::generate::Counts;
use serde_json::{Value as Json, json};

use crate::rollback::by_hand;
use crate::whole;
use crate::world::{DieAt, Faults, World};

const ADMIN: &str = "admin@acme.example";

fn small(seed: u64, faults: Faults) -> World {
    World::new(Counts { companies: 20, contacts: 50, deals: 60, leads: 0 }, seed, faults)
}

fn migrated(world: &World) -> Vec<MapReport> {
    let run = world.live(&DieAt::default()).unwrap_or_else(|error| panic!("{error}"));
    assert!(run.closes(), "{:#?}", run.maps);
    run.maps
}

fn reconciled(world: &World) -> Vec<MapReport> {
    world
        .process(&DieAt::default(), async |engine| engine.reconcile().await)
        .unwrap_or_else(|error| panic!("{error}"))
}

fn proof<'m>(maps: &'m [MapReport], map: &str) -> &'m Proof {
    let found = maps.iter().find(|report| report.map == map).unwrap_or_else(|| panic!("no `{map}`"));
    found.proof.as_deref().unwrap_or_else(|| panic!("`{map}` was not compared"))
}

fn field<'p>(proof: &'p Proof, name: &str) -> &'p FieldProof {
    proof.fields.iter().find(|field| field.field == name).unwrap_or_else(|| panic!("no field `{name}`"))
}

/// Differences of all maps: map, field, kind.
fn differing(maps: &[MapReport]) -> BTreeSet<(String, String, Difference)> {
    let fields = maps.iter().flat_map(|map| {
        map.proof.iter().flat_map(move |proof| {
            proof.fields.iter().flat_map(move |field| {
                field.differing.keys().map(move |kind| (map.map.clone(), field.field.clone(), *kind))
            })
        })
    });
    fields.collect()
}

fn writes(world: &World) -> u64 {
    let log = world.account.log();
    let writing = |name: &str| ["new", "edit", "delete"].iter().any(|verb| name.starts_with(verb));
    log.requests.iter().filter(|(name, _)| writing(name)).map(|(_, requests)| requests).sum()
}

fn leads(world: &World) -> Vec<Json> {
    let dump = world.account.dump();
    let live = |lead: &&Json| lead.get("deletedTime").is_none_or(Json::is_null);
    dump["leads"].as_array().expect("leads").iter().filter(live).cloned().collect()
}

/// Amounts of the destination's leads by currency and stage, from its dump.
fn sums_there(world: &World) -> BTreeMap<(String, String), String> {
    let mut sums = BTreeMap::new();
    for lead in leads(world) {
        let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
        let end = match lead["status"].as_i64() {
            Some(10) => format!("won {}", text(&lead["outcome"]["description"])),
            Some(11) => format!("lost {}", text(&lead["outcome"]["description"])),
            _ => text(&lead["milestone"]["name"]),
        };
        let amount = decimal(&lead["value"]["amount"].to_string()).expect("an amount");
        if amount.is_zero() {
            continue;
        }
        let key = (text(&lead["value"]["currency"]), format!("{} / {end}", text(&lead["stageset"]["name"])));
        *sums.entry(key).or_default() += amount;
    }
    let shown = |(key, sum): (_, rust_decimal::Decimal)| (key, sum.normalize().to_string());
    sums.into_iter().map(shown).collect()
}

fn sums_found(proof: &Proof) -> BTreeMap<(String, String), String> {
    let found = |sum: &Sum| sum.found.normalize().to_string();
    proof
        .sums
        .iter()
        .filter(|(key, sum)| key.field == "value" && !sum.found.is_zero())
        .map(|(key, sum)| ((key.currency.clone(), key.stage.clone()), found(sum)))
        .collect()
}

#[test]
fn a_clean_migration_is_compared_field_by_field_and_its_sums_are_the_destinations() {
    let world = small(101, Faults::default());
    let maps = migrated(&world);
    assert_eq!(differing(&maps), BTreeSet::new());
    for (map, list) in [("company", "accounts"), ("contact", "contacts"), ("deal", "leads")] {
        let proof = proof(&maps, map);
        let there = world.account.dump()[list].as_array().expect("a list").len() as u64;
        assert_eq!(proof.compared, there, "{map}: not every record was compared");
        assert_eq!((proof.unaccounted, proof.unsourced, proof.disagreeing), (0, 0, 0), "{map}");
        assert!(
            proof.fields.iter().all(|field| field.untold == 0 && field.waiting == 0),
            "{map}: {proof:#?}"
        );
        let alike: u64 = proof.fields.iter().map(|field| field.same).sum();
        assert!(alike > proof.compared, "{map}: next to nothing was compared: {proof:#?}");
    }
    let deals = proof(&maps, "deal");
    assert!(!deals.sums.is_empty());
    assert_eq!(sums_found(deals), sums_there(&world));
    // Every link of the portal between records that arrived stands there, and no number says more than the others.
    for (map, name) in [("contact", "accounts"), ("deal", "contacts"), ("deal", "accounts")] {
        let links = field(proof(&maps, map), name).links.expect("links");
        assert!(
            links.planned >= links.resolved && links.resolved == links.found && links.found > 0,
            "{links:?}"
        );
    }
}

#[test]
fn everything_of_the_language_is_compared_too() {
    let world = whole::world(102, Faults::default());
    let maps = migrated(&world);
    // The amount of a lead with products is theirs, whatever the spec writes.
    let value = ("deal".to_owned(), "value".to_owned(), Difference::WorkedOut);
    assert_eq!(differing(&maps), BTreeSet::from([value]));
    for map in maps.iter().filter(|map| map.listed.is_some()) {
        let compared = map.proof.as_ref().map_or(0, |proof| proof.compared + proof.not_compared);
        assert_eq!(compared, map.expected, "{}", map.map);
    }
}

#[test]
fn reconciling_later_writes_to_neither_side_and_finds_the_same() {
    let world = small(103, Faults::default());
    let maps = migrated(&world);
    let (before, sent) = (world.account.dump(), writes(&world));
    let again = reconciled(&world);
    assert_eq!(world.account.dump(), before, "the destination changed");
    assert_eq!(writes(&world), sent, "something was written");
    assert_eq!(world.portal.log().refused_rate, 0);
    for map in &again {
        assert!(map.closes(), "{}", map.equation());
        if let Some(proof) = &map.proof {
            assert_eq!(proof.source_now, Some(proof.staged), "{}", map.map);
        }
    }
    assert_eq!(sums_found(proof(&again, "deal")), sums_found(proof(&maps, "deal")));
}

#[test]
fn what_people_changed_is_listed_and_keeps_nothing_open() {
    let world = small(104, Faults::default());
    migrated(&world);
    let lead =
        leads(&world).into_iter().find(|lead| lead["contacts"][0].is_object()).expect("a lead with people");
    let (id, rev) = (lead["id"].clone(), lead["rev"].clone());
    let change = json!({"description": "Renamed by Ann", "contacts": [],
        "value": {"currency": lead["value"]["currency"], "amount": 7}});
    by_hand(&world, ADMIN, "editLead", json!({"leadId": id, "rev": rev, "lead": change}));
    let maps = reconciled(&world);
    let changed = |field: &str| ("deal".to_owned(), field.to_owned(), Difference::Changed);
    let found = differing(&maps);
    for field in ["description", "contacts"] {
        assert!(found.contains(&changed(field)), "`{field}`: {found:?}");
    }
    assert!(found.iter().all(|(_, _, kind)| *kind == Difference::Changed), "{found:?}");
    let deals = proof(&maps, "deal");
    assert!(deals.closes(), "{:?}", deals.words());
    assert_eq!(sums_found(deals), sums_there(&world), "the sums are those of the destination as it is");
    let links = field(deals, "contacts").links.expect("links");
    assert!(links.found < links.resolved, "a link that was taken away is not counted: {links:?}");
    let page = world.workspace.differences_page("deal", 0, 100).expect("a list");
    let one = page.iter().find(|(_, differing)| differing.field == "description").expect("is listed");
    assert_eq!((one.1.found.as_str(), one.1.target.as_str()), ("Renamed by Ann", id.to_string().as_str()));
}

/// Both APIs may ignore the amount of a lead: then it stops the run, with the way out, and the same run goes on where
/// one of them does not any more.
#[test]
fn an_amount_that_the_destination_drops_in_silence_stops_the_run() {
    let world = small(105, Faults::default());
    world.account.configure(|settings| {
        settings.dialect.rpc_lead_value = false;
        settings.dialect.rest_manual_value = false;
    });
    match world.live(&DieAt::default()) {
        Err(Error::Denied(why)) => assert!(why.contains("keeps the amount of a lead: keep it in"), "{why}"),
        other => panic!("{other:?}"),
    }
    world.account.configure(|settings| settings.dialect.rest_manual_value = true);
    let maps = migrated(&world);
    assert_eq!(differing(&maps), BTreeSet::new());
    assert_eq!(sums_found(proof(&maps, "deal")), sums_there(&world));
}

/// What is written in silence as something else stops the run, with the field's name, before the next phase begins.
#[test]
fn a_value_that_the_destination_alters_in_silence_stops_the_run() {
    let world = small(108, Faults::default());
    world.account.configure(|settings| settings.rounds_confidence = true);
    match world.live(&DieAt::default()) {
        Err(Error::NotClosed { lines, .. }) => {
            let text = lines.join("\n");
            assert!(text.contains("`confidence`"), "{text}");
            assert!(!text.contains("`description`"), "{text}");
        }
        other => panic!("{other:?}"),
    }
}

/// A list that lags shows another text than the record has; a read by id says so, and nothing is declared.
#[test]
fn a_difference_is_read_again_before_it_counts() {
    let stale = Some(("findLeads", "\"name\":\"Qualify\"", "\"name\":\"Proposal\""));
    let world = small(106, Faults { stale, ..Faults::default() });
    let maps = migrated(&world);
    assert_eq!(differing(&maps), BTreeSet::new());
    assert!(proof(&maps, "deal").settled > 0, "no list was seen to lag");
}

/// The number of ends may be that of the records although they are not the same ones.
#[test]
fn ends_that_no_source_record_has_keep_the_books_open() {
    let world = small(107, Faults::default());
    migrated(&world);
    let record = world.workspace.staged_page("deal", 0, 1).expect("reads").remove(0);
    let outcome = world.workspace.outcome("deal", &record.key).expect("reads").expect("an end");
    world.workspace.unsettle("deal", &record.key).expect("takes out");
    world.workspace.settle("deal", "999999", &outcome, &[]).expect("puts in");
    let maps = reconciled(&world);
    let deals = maps.iter().find(|map| map.map == "deal").expect("the deals");
    assert_eq!(deals.source, deals.tally.sum(), "the count alone is fine");
    assert!(!deals.closes());
    let proof = proof(&maps, "deal");
    assert_eq!((proof.unaccounted, proof.unsourced), (1, 1));
}

#[test]
fn lost_late_and_foreign_answers_leave_nothing_that_differs() {
    for (seed, faults) in [
        (108, Faults { lost: 0.2, ..Faults::default() }),
        (109, Faults { late: 0.1, late_ms: 30_000, ..Faults::default() }),
        (110, Faults { html: 0.1, cut: 0.1, ..Faults::default() }),
    ] {
        let world = small(seed, faults);
        let mut run = world.live(&DieAt::default());
        for _ in 0..20 {
            if !matches!(run, Err(Error::Connect(_))) {
                break;
            }
            run = world.live(&DieAt::default());
        }
        let run = run.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert_eq!(differing(&run.maps), BTreeSet::new(), "seed {seed}");
        assert_eq!(sums_found(proof(&run.maps, "deal")), sums_there(&world), "seed {seed}");
    }
}

/// The portal's own records say how many files there are, and the spec what becomes of them.
#[test]
fn the_ledger_of_files_is_that_of_the_portal() {
    let counts = Counts { companies: 400, contacts: 300, deals: 5, leads: 0 };
    let world = World::new(counts, 111, Faults::default());
    world
        .process(&DieAt::default(), async |engine| {
            engine.bind_source().await?;
            engine.extract().await
        })
        .unwrap_or_else(|error| panic!("{error}"));
    let (plan, source) = (&world.checked.plan, &world.checked.source);
    let mut told: Vec<(String, String)> = Vec::new();
    let ledger = engine::files(plan, &world.workspace, source, |line| {
        assert!(!line.file.is_empty());
        told.push((line.object.to_owned(), line.key.to_owned()));
        Ok::<(), Error>(())
    })
    .unwrap_or_else(|error| panic!("{error}"));
    let mut all = 0;
    for (object, entity, name) in
        [("company", Entity::Company, "LOGO"), ("contact", Entity::Contact, "PHOTO")]
    {
        let with_file: BTreeSet<String> = world.portal.with_portal(|portal| {
            let filled = |value: &Json| !(value.is_null() || *value == json!("") || *value == json!([]));
            let records = portal.records[&entity].iter();
            let with = records.filter(|(_, record)| record.get(name).is_some_and(filled));
            with.map(|(id, _)| id.to_string()).collect()
        });
        let row = ledger.iter().find(|row| row.object == object && row.field == name).expect("a row");
        assert!(!with_file.is_empty(), "no {object} has a {name}");
        assert_eq!((row.records, row.files), (with_file.len() as u64, with_file.len() as u64), "{row:?}");
        assert_eq!(row.dropped, ["files are uploaded by hand"], "{row:?}");
        assert!(row.read_by.is_empty(), "{row:?}");
        let lines: BTreeSet<String> =
            told.iter().filter(|(of, _)| of == object).map(|(_, key)| key.clone()).collect();
        assert_eq!(lines, with_file);
        all += row.files;
    }
    assert_eq!(told.len() as u64, all, "other fields of files are empty there");
}

/// An encoder that forgets a field, or writes one into another, is noticed although it says that all is well.
#[cfg(debug_assertions)]
#[test]
fn an_encoder_that_errs_is_caught() {
    type Bug = (Option<&'static str>, Option<(&'static str, &'static str)>);
    let bugs: [(Bug, &str); 6] = [
        ((Some("dueTime"), None), "`dueTime`"),
        ((Some("contacts"), None), "`contacts`"),
        ((Some("sources"), None), "`sources`"),
        ((Some("phone"), None), "`phone`"),
        ((None, Some(("description", "name"))), "`description`"),
        ((None, Some(("contacts", "accounts"))), ""),
    ];
    for (seed, ((forgets, confuses), named)) in (120..).zip(bugs) {
        let mut world = small(seed, Faults::default());
        world.settings.planted.forgets = forgets;
        world.settings.planted.confuses = confuses;
        match world.live(&DieAt::default()) {
            Err(Error::NotClosed { lines, .. }) => {
                assert!(lines.join("\n").contains(named), "{forgets:?} {confuses:?}: {lines:?}");
            }
            // What the destination itself refuses never arrives, and that is told as well.
            Ok(run) if named.is_empty() => {
                assert!(run.maps.iter().any(|map| map.tally.failed > 0), "{confuses:?} went unnoticed");
            }
            other => panic!("{forgets:?} {confuses:?}: {other:?}"),
        }
    }
}
