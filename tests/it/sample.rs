//! Approvals and samples. The oracle is what the destination twin holds: a sample, and the full run after it, come to
//! what a run of everything comes to, and a sample taken back leaves what was there before.

use std::collections::{BTreeMap, BTreeSet};

use b2n::run::connect::outside::Clock;
use b2n::run::engine::{
    Agreement, Difference, Error, RunReport, Sample, SampleReport, Selection, Unapproved, expected,
};
use b2n::run::twin::bitrix24::generate::Counts;
use b2n::run::twin::bitrix24::{Entity, Portal};
use b2n::run::twin::nutshell::record::Record;
use b2n::run::twin::nutshell::{Company, Kind};
use b2n::run::workspace::{Approval, Status};

use crate::rollback::{differing, live};
use crate::whole;
use crate::world::{DieAt, Faults, World};

fn world(seed: u64, faults: Faults) -> World {
    sized(Counts { companies: 9, contacts: 14, deals: 14, leads: 10 }, seed, faults)
}

fn small(seed: u64, faults: Faults) -> World {
    sized(Counts { companies: 5, contacts: 7, deals: 7, leads: 6 }, seed, faults)
}

fn sized(counts: Counts, seed: u64, faults: Faults) -> World {
    let mut world =
        World::with(whole::checked(), Portal::acme_with(counts, 7), Company::acme(), seed, faults);
    world.settings.sends = 12;
    world
}

fn of(records: u32, seed: u64) -> Selection {
    Selection { sample: Some(Sample { records, seed }), ..Selection::default() }
}

fn drawn(world: &World, points: &DieAt, selection: &Selection) -> Result<(RunReport, SampleReport), Error> {
    world.process(points, async |engine| {
        let run = engine.migrate_part(selection).await?;
        Ok((run, engine.side_by_side().await?.expect("a sample")))
    })
}

/// Draws and loads a sample, however often it takes.
fn sampled(world: &World, selection: &Selection) -> (RunReport, SampleReport) {
    for _ in 0..40 {
        match drawn(world, &DieAt::default(), selection) {
            Ok(done) => {
                assert!(done.0.closes(), "{:#?}", done.0.maps);
                return done;
            }
            Err(Error::Connect(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    panic!("forty runs were not enough");
}

fn through(world: &World) -> RunReport {
    for _ in 0..40 {
        match world.live(&DieAt::default()) {
            Ok(run) => {
                assert!(run.closes(), "{:#?}", run.maps);
                return run;
            }
            Err(Error::Connect(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    panic!("forty runs were not enough");
}

/// What a run of everything leaves.
fn clean(world: &World) -> BTreeSet<String> {
    through(world);
    whole::picture(world)
}

#[track_caller]
fn same(found: &BTreeSet<String>, wanted: &BTreeSet<String>, what: &str) {
    let differ: Vec<&String> = wanted.symmetric_difference(found).take(9).collect();
    assert!(differ.is_empty(), "{what}: {differ:#?}");
}

/// Keys by map.
fn names(report: &SampleReport) -> BTreeSet<(String, String, bool)> {
    report.records.iter().map(|r| (r.map.clone(), r.key.clone(), r.drawn)).collect()
}

/// The marker that a line of a picture begins with.
fn beginning(line: &str) -> Option<&str> {
    line.strip_prefix("Some(\"")?.split('"').next()
}

/// Whether a line tells a link from the side that the source does not have it on: the twin tells each from both.
fn is_seen_from_behind(line: &str) -> bool {
    let object = beginning(line).and_then(|marker| marker.split('/').nth(1)).unwrap_or_default();
    let relation = line.split("\") ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_default();
    matches!(
        (object, relation),
        ("company", "contacts" | "leads") | ("contact" | "lead" | "product", "leads")
    )
}

/// The marker of a record that a line of a picture says stands there once.
fn stands(line: &str) -> Option<&str> {
    line.strip_suffix(" 1 times")?.split_once(": ").map(|(_, marker)| marker)
}

/// Whether all that a run of everything makes of a source record is there: one may go to several maps.
fn wholly(marker: &str, found: &BTreeSet<String>, all: &BTreeSet<String>) -> bool {
    all.iter().filter(|line| stands(line) == Some(marker)).all(|line| found.contains(line))
}

#[test]
fn every_link_of_a_sample_is_there_and_nothing_else_is() {
    let all = clean(&world(1, Faults::default()));
    for (records, seed) in [(3, 1), (3, 2), (12, 3), (12, 4), (40, 5)] {
        let what = format!("{records} records, seed {seed}");
        let world = world(2, Faults::default());
        let (run, report) = sampled(&world, &of(records, seed));
        assert_eq!(report.slice.drawn(), u64::from(records), "{what}");
        let found = whole::picture(&world);
        // Names of parents that are in no sample are written by the full run.
        let plain = |line: &&String| !line.contains(" parent ");
        let foreign: Vec<&String> = found.difference(&all).filter(plain).collect();
        assert!(foreign.is_empty(), "{what}: {foreign:#?}");
        // What a record of the sample links to in a run of everything, it links to here.
        let there: BTreeSet<&str> = all
            .iter()
            .filter_map(|line| stands(line))
            .filter(|marker| wholly(marker, &found, &all))
            .collect();
        assert!(!there.is_empty(), "{what}: {found:#?}");
        let lacking: Vec<&String> = all
            .iter()
            .filter(|line| beginning(line).is_some_and(|from| there.contains(from)))
            .filter(|line| !is_seen_from_behind(line))
            .filter(|line| !found.contains(*line))
            .collect();
        assert!(lacking.is_empty(), "{what}: {lacking:#?}");
        // And what is there is of the sample, each record once.
        let of_sample = report.records.iter().filter(|record| record.there).count();
        assert_eq!(found.iter().filter(|line| stands(line).is_some()).count(), of_sample, "{what}");
        assert!(run.left() > 0, "{what}: nothing is left to a later run");
        assert_eq!(report.wrong(), 0, "{what}");
    }
}

#[test]
fn a_seed_draws_the_same_records_whatever_was_loaded_before() {
    let first = world(3, Faults::default());
    let (_, one) = sampled(&first, &of(15, 7));
    let (_, other) = sampled(&first, &of(15, 8));
    assert_ne!(names(&one), names(&other), "two seeds draw the same");
    let second = world(4, Faults { lost: 0.1, ..Faults::default() });
    through(&second);
    let before = second.account.dump();
    let (run, again) = sampled(&second, &of(15, 7));
    assert_eq!(names(&one), names(&again));
    assert_eq!((run.left(), second.account.dump() == before), (0, true), "everything was there already");
}

#[test]
fn each_thing_that_the_rules_do_is_in_a_sample_that_is_large_enough() {
    let world = world(5, Faults::default());
    let (_, report) = sampled(&world, &of(80, 1));
    assert_eq!(report.slice.covered, report.slice.strata, "{:?}", report.slice);
    // By the twin: each stage and each pipeline of the leads that a run of everything makes is among them.
    let stages = |world: &World| -> BTreeSet<_> {
        world.account.with(|account| {
            let leads = account.all(Kind::Leads).filter(|lead| lead.deleted.is_none());
            let deals = leads.filter_map(|lead| lead.deal.as_ref());
            deals.map(|deal| (deal.stageset, deal.milestone, deal.status, deal.outcome)).collect()
        })
    };
    let drawn = stages(&world);
    // By the books: whatever ends otherwise than as written ends so in the sample too.
    let ends = |world: &World| -> BTreeMap<(String, Status), BTreeSet<String>> {
        let mut ends = BTreeMap::new();
        for map in world.checked.plan.maps.iter().map(|map| &map.name) {
            for status in [Status::LeftOut, Status::Quarantined] {
                let reasons = world.workspace.reasons(map, status).expect("reasons");
                // Keys and values in a reason differ from record to record.
                let reasons = reasons
                    .into_iter()
                    .map(|(reason, _)| reason.split(':').next().unwrap_or_default().to_owned());
                ends.insert((map.clone(), status), reasons.collect());
            }
        }
        ends
    };
    let ended = ends(&world);
    through(&world);
    assert_eq!(drawn, stages(&world));
    let missed: Vec<_> = ends(&world).into_iter().filter(|(of, why)| !why.is_subset(&ended[of])).collect();
    assert!(missed.is_empty(), "{missed:?}");
}

#[test]
fn the_full_run_goes_on_from_a_sample_without_doubles() {
    let all = clean(&small(1, Faults::default()));
    for seed in 0..20 {
        let faults = match seed % 4 {
            0 => Faults::default(),
            1 => Faults { lost: 0.2, ..Faults::default() },
            2 => Faults { late: 0.1, late_ms: 40_000, refused: 0.1, ..Faults::default() },
            _ => {
                Faults { lost: 0.05, html: 0.05, cut: 0.05, late: 0.05, late_ms: 20_000, ..Faults::default() }
            }
        };
        let world = small(600 + seed, faults);
        let records = 4 + u32::try_from(seed).expect("small") % 9;
        let (_, first) = sampled(&world, &of(records, seed));
        let writes = |world: &World| world.workspace.writes().expect("a count");
        let (before, dump) = (writes(&world), world.account.dump());
        let (_, again) = sampled(&world, &of(records, seed));
        assert_eq!(names(&first), names(&again), "seed {seed}");
        assert_eq!(before, writes(&world), "seed {seed}: the same sample wrote again");
        assert!(dump == world.account.dump(), "seed {seed}: the same sample changed the account");
        through(&world);
        same(&whole::picture(&world), &all, &format!("seed {seed}, {faults:?}"));
    }
}

#[test]
fn a_sample_that_dies_goes_on_and_takes_nothing_twice() {
    let all = clean(&world(1, Faults::default()));
    for point in
        ["load.prepared", "load.intent", "load.answered", "load.landed", "sweep.page", "phase.closed"]
    {
        let world = world(21, Faults { lost: 0.05, ..Faults::default() });
        let dies = DieAt { point: Some((point, 2)), ..DieAt::default() };
        let died = drawn(&world, &dies, &of(10, 3));
        assert!(matches!(died, Err(Error::Interrupted)), "{point} is not reached");
        let (_, report) = sampled(&world, &of(10, 3));
        assert_eq!(report.wrong(), 0, "{point}");
        through(&world);
        same(&whole::picture(&world), &all, point);
    }
}

#[test]
fn a_sample_is_taken_back() {
    let all = clean(&world(1, Faults::default()));
    for seed in [1, 2, 3] {
        let world = world(30 + seed, Faults { lost: 0.1, ..Faults::default() });
        let before = live(&world);
        let (run, report) = sampled(&world, &of(12, seed));
        assert!(run.left() > 0 && report.records.iter().any(|record| record.there));
        assert!(differing(&before, &live(&world)).len() > 10, "seed {seed}: hardly anything was loaded");
        let back = world.roll_back(&DieAt::default(), None).unwrap_or_else(|error| panic!("{error}"));
        let settings = |(list, _): &(String, String)| list == "tags" || list == "sources";
        let differ: Vec<_> =
            differing(&before, &live(&world)).into_iter().filter(|there| !settings(there)).collect();
        assert!(differ.is_empty(), "seed {seed}: {differ:?} {back:?}");
        // And the migration begins anew.
        through(&world);
        same(&whole::picture(&world), &all, &format!("seed {seed}"));
    }
}

#[test]
fn only_keeps_a_sample_to_its_maps() {
    let world = world(40, Faults::default());
    let selection = Selection { only: vec!["company".to_owned(), "contact".to_owned()], ..of(6, 2) };
    let (_, report) = sampled(&world, &selection);
    let maps: BTreeSet<&str> = report.records.iter().map(|record| record.map.as_str()).collect();
    assert!(maps.contains("company") && maps.contains("contact"), "{maps:?}");
    assert_eq!(world.account.live_count("Leads"), 0);
    let error = drawn(&world, &DieAt::default(), &Selection { only: vec!["dael".to_owned()], ..of(6, 2) });
    assert!(error.expect_err("is refused").to_string().contains("no map `dael`"));
    let both = Selection { records: Some(Vec::new()), ..of(6, 2) };
    assert!(matches!(drawn(&world, &DieAt::default(), &both), Err(Error::Selection(_))));
}

#[test]
fn what_is_read_back_is_what_the_destination_holds() {
    let world = world(50, Faults::default());
    let (_, report) = sampled(&world, &of(20, 1));
    let titles: BTreeMap<String, String> = world.portal.with_portal(|portal| {
        let companies = portal.records[&Entity::Company].iter();
        companies
            .map(|(id, record)| (id.to_string(), record["TITLE"].as_str().unwrap_or_default().to_owned()))
            .collect()
    });
    let dump = world.account.dump();
    let name_of = |id: &str| {
        let rows = dump["accounts"].as_array().expect("accounts").iter();
        rows.filter(|row| row["id"].as_i64() == id.parse().ok())
            .map(|row| row["name"].as_str().expect("a name").to_owned())
            .next()
    };
    let (mut companies, mut kinds) = (0, BTreeSet::new());
    for record in &report.records {
        assert!(record.there || record.fields.is_empty());
        kinds.extend(record.fields.iter().map(|field| field.agreement));
        for field in &record.fields {
            assert!(
                record.map.starts_with("notes of") || !field.rules.is_empty(),
                "{}: {field:?}",
                record.map
            );
        }
        if record.map != "company" || !record.there {
            continue;
        }
        companies += 1;
        let name = record.fields.iter().find(|field| field.field == "name").expect("a name");
        let id = record.outcome.as_ref().and_then(|outcome| outcome.target.clone()).expect("an id");
        assert_eq!(Some(&name.found), name_of(&id).as_ref(), "{name:?}");
        let source = &titles[&record.key];
        assert!(
            name.sources.iter().any(|(field, value)| field == "TITLE" && value.trim() == source.trim()),
            "{name:?}"
        );
        let wanted = if name.found == source.trim() { Agreement::Exact } else { Agreement::AsRuled };
        assert_eq!(name.agreement, wanted, "{name:?}");
    }
    assert!(companies > 2, "{report:?}");
    for kind in [Agreement::Exact, Agreement::Linked, Agreement::AsRuled] {
        assert!(kinds.contains(&kind), "no field is `{}`: {kinds:?}", kind.word());
    }
    // Somebody edits a record, and another reading tells.
    let company = report.records.iter().find(|record| record.map == "company" && record.there).expect("one");
    let id: i64 = company.outcome.as_ref().and_then(|o| o.target.as_ref()?.parse().ok()).expect("an id");
    let now = world.clock.now_ms();
    let renamed = |record: &mut Record| record.name = "Renamed by hand".to_owned();
    assert!(world.account.with(|account| account.edit(Kind::Accounts, id, now, renamed)));
    let (_, again) = sampled(&world, &of(20, 1));
    let same = again.records.iter().find(|r| r.map == "company" && r.key == company.key).expect("the same");
    let name = same.fields.iter().find(|field| field.field == "name").expect("a name");
    assert_eq!(name.agreement, Agreement::Differs(Difference::Changed), "{name:?}");
    assert_eq!(name.found, "Renamed by hand");
}

/// What each record has of its own makes no stratum, whatever is written where it has nothing.
#[test]
fn a_free_text_with_a_constant_in_its_place_is_no_list_of_values() {
    let strata = |otherwise: &str| {
        let text = whole::spec();
        let row = "else \"Deal {ID}\"";
        assert!(text.contains(row));
        let text = text.replace(row, &format!("else {otherwise}"));
        let checked = crate::world::check_spec(&b2n::lang::text::SourceText::new("whole.b2n", text));
        let counts = Counts { companies: 9, contacts: 14, deals: 14, leads: 10 };
        let portal = Portal::acme_with(counts, 7);
        let world = World::with(checked, portal, Company::acme(), 80, Faults::default());
        sampled(&world, &of(4, 1)).1.slice.strata
    };
    assert_eq!(strata("\"Untitled\""), strata("\"Deal {ID}\""));
}

#[test]
fn a_note_is_shown_beside_what_it_was_made_of() {
    let counts = Counts { companies: 40, contacts: 9, deals: 14, leads: 5 };
    let world = sized(counts, 81, Faults::default());
    let (_, report) = sampled(&world, &of(90, 1));
    let mut of_company: BTreeMap<&str, u32> = BTreeMap::new();
    let mut of_deal = 0;
    for record in report.records.iter().filter(|record| record.there && record.map.starts_with("notes of")) {
        let body = record.fields.iter().find(|field| field.field == "body").expect("a body");
        assert_eq!(body.rules.len(), 1, "{}: {body:?}", record.key);
        let (from, name) = record.key.split_once('#').expect("a marker");
        let folded: BTreeSet<&str> =
            body.sources.iter().filter_map(|(field, _)| Some(field.rsplit_once('.')?.0)).collect();
        match from.strip_prefix("process 1032/") {
            // One for each: it was made of that one alone.
            Some(_) => {
                assert_eq!(folded, BTreeSet::from([from]), "{}: {body:?}", record.key);
                *of_company.entry(name).or_default() += 1;
            }
            None if name.ends_with("Estimate") => {
                assert!(folded.iter().all(|from| from.starts_with("quote/")) && !folded.is_empty());
                of_deal += 1;
            }
            None if record.map == "notes of deal" => assert!(folded.is_empty(), "{}: {body:?}", record.key),
            None => {}
        }
    }
    assert!(of_company.values().any(|notes| *notes > 1) && of_deal > 0, "{of_company:?} {of_deal}");
}

fn approval(world: &World, sample: Option<u32>) -> Approval {
    Approval {
        plan: world.checked.plan.hash(),
        by: "ops@acme.example".to_owned(),
        sample,
        ..Approval::default()
    }
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> Unapproved {
    match result {
        Err(Error::Unapproved { why, .. }) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_is_written_before_the_plan_is_approved() {
    let mut world = world(60, Faults::default());
    world.settings.approved_only = true;
    let before = world.account.dump();
    let at_once = DieAt::default();
    let ahead = |world: &World| {
        world.process(&DieAt::default(), async |engine| {
            let survey = engine.survey().await?;
            engine.provision_ahead(&survey).await
        })
    };
    assert_eq!(refused(world.live(&at_once)), Unapproved::Never);
    assert_eq!(refused(drawn(&world, &at_once, &of(5, 1))), Unapproved::Never);
    assert_eq!(refused(ahead(&world)), Unapproved::Never);
    // For a sample: as many, or fewer, and the fields that they need.
    world.workspace.approve(&approval(&world, Some(5))).expect("approves");
    assert_eq!(refused(world.live(&at_once)), Unapproved::SampleOnly(5));
    assert_eq!(refused(drawn(&world, &at_once, &of(6, 1))), Unapproved::SampleOnly(5));
    let only = Selection { only: vec!["company".to_owned()], ..Selection::default() };
    let part = world.process(&at_once, async |engine| engine.migrate_part(&only).await);
    assert_eq!(refused(part), Unapproved::SampleOnly(5));
    assert!(world.account.dump() == before, "something was written");
    assert!(!ahead(&world).expect("makes the fields").is_empty());
    sampled(&world, &of(5, 1));
    // Withdrawn: nothing more, and neither under the approval of another plan.
    assert_eq!(world.workspace.withdraw(&world.checked.plan.hash(), 9).expect("withdraws"), 1);
    let dump = world.account.dump();
    assert_eq!(refused(drawn(&world, &at_once, &of(5, 2))), Unapproved::Withdrawn);
    world.workspace.approve(&Approval { plan: "f".repeat(64), ..approval(&world, None) }).expect("approves");
    assert_eq!(refused(world.live(&at_once)), Unapproved::Withdrawn);
    assert!(world.account.dump() == dump, "something was written");
    world.workspace.approve(&approval(&world, None)).expect("approves");
    assert!(through(&world).left() == 0);
    // A rollback stays possible whatever is withdrawn.
    world.workspace.withdraw(&world.checked.plan.hash(), 9).expect("withdraws");
    world.roll_back(&at_once, None).unwrap_or_else(|error| panic!("{error}"));
    // Another plan needs another approval.
    world.workspace.approve(&approval(&world, None)).expect("approves");
    world.checked.plan.zone = Some("Asia/Tokyo".to_owned());
    match refused(world.live(&at_once)) {
        Unapproved::Other { by, .. } => assert_eq!(by, "ops@acme.example"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_to_be_approved_is_what_is_written() {
    let world = world(70, Faults::default());
    let plan = &world.checked.plan;
    let decoders = || -> Vec<_> {
        let maps = plan.maps.iter().map(|map| &map.source);
        maps.map(|object| b2n::run::connect::decoder("bitrix24", &world.checked.source, object).expect("one"))
            .collect()
    };
    let unstaged = expected(plan, &world.workspace, &decoders()).expect("counts");
    assert!(unstaged.iter().all(|one| one.ruled.is_none()), "nothing is staged: {unstaged:?}");
    world.process(&DieAt::default(), async |engine| engine.bind_source().await).expect("binds");
    world.process(&DieAt::default(), async |engine| engine.extract().await).expect("extracts");
    let counted = expected(plan, &world.workspace, &decoders()).expect("counts");
    let run = through(&world);
    for one in &counted {
        let map = run.maps.iter().find(|map| map.map == one.map).expect("its row");
        let ruled = one.ruled.expect("is staged");
        assert_eq!(one.records, Some(map.source), "{one:?}");
        assert_eq!(ruled.written + ruled.left_out + ruled.held_back, map.source, "{one:?}");
        // Links that did not arrive hold some more back.
        assert!(map.tally.arrived() <= ruled.written && map.tally.arrived() > 0, "{one:?} {map:?}");
        assert!(ruled.left_out <= map.tally.left_out, "{one:?} {map:?}");
    }
}
