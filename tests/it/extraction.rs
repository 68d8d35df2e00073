//! Extraction against seeded portals: what is staged is what the portal holds, by id and by content, or the run stops
//! and says both numbers. How many requests it takes is read from the portal's own log.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use b2n::lang::plan::{Map, Plan};
use b2n::run::connect;
use b2n::run::connect::outside::{Clock, Random, Transport};
use b2n::run::connect::secret::Credentials;
use b2n::run::engine::{self, Error, Outside};
use b2n::run::rehearsal::{SplitMix, VirtualClock, Wire};
use b2n::run::twin;
use b2n::run::twin::bitrix24::generate::Counts;
use b2n::run::twin::bitrix24::{self, Entity, Fault, FaultKind, Portal, Trigger};
use b2n::run::workspace::{Verdict, Workspace};
use serde_json::Value as Json;

use crate::streams;
use crate::world::{DieAt, Quiet};

/// Every object that is read by pages of ids.
pub const PAGED: [(&str, Entity); 8] = [
    ("company", Entity::Company),
    ("contact", Entity::Contact),
    ("deal", Entity::Deal),
    ("lead", Entity::Lead),
    ("quote", Entity::Quote),
    ("product", Entity::Product),
    ("activity", Entity::Activity),
    ("process 1032", Entity::Process(1032)),
];

/// A portal, a workspace, and a clock that costs nothing.
pub struct Rig {
    pub portal: Rc<bitrix24::Twin>,
    pub clock: Rc<VirtualClock>,
    pub workspace: Workspace,
    /// What the portal held at first, and after each thing that went wrong.
    held: Rc<RefCell<Vec<Portal>>>,
    seed: u64,
}

impl Rig {
    pub fn new(portal: Portal, seed: u64) -> Rig {
        Rig {
            portal: Rc::new(bitrix24::Twin::new(portal, bitrix24::Settings::default())),
            clock: Rc::new(VirtualClock::at(1_795_262_400_000)),
            workspace: Workspace::in_memory().expect("a workspace"),
            held: Rc::default(),
            seed,
        }
    }

    pub fn spoil(&self, faults: Vec<Fault>) {
        self.portal.with_settings(|settings| {
            settings.seed = self.seed;
            settings.faults = faults;
        });
    }

    /// One process: extracts these objects until all is there or it dies.
    pub fn extract(&self, objects: &[&str], points: &DieAt) -> Result<(), Error> {
        let map = |object: &&str| Map { source: (*object).to_owned(), ..Map::default() };
        let plan = Plan { maps: objects.iter().map(map).collect(), ..Plan::default() };
        self.run(points, async |source, outside| {
            engine::extract(&plan, &self.workspace, source, outside).await
        })
    }

    /// One process that asks the portal.
    pub fn run<T>(
        &self,
        points: &DieAt,
        work: impl AsyncFnOnce(&dyn connect::Source, &Outside<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let clock: Rc<dyn Clock> = self.clock.clone();
        let (portal, held) = (Rc::clone(&self.portal), Rc::clone(&self.held));
        let serve = move |request: &twin::Request, now: i64| {
            let before = portal.log().faults;
            let answer = portal.handle(request, now);
            if held.borrow().is_empty() || portal.log().faults > before {
                held.borrow_mut().push(portal.with_portal(|portal| portal.clone()));
            }
            answer
        };
        let wire: Rc<dyn Transport> = Rc::new(Wire::new(Rc::new(serve), Rc::clone(&clock)));
        let random: Rc<dyn Random> = Rc::new(SplitMix::new(self.seed));
        let credentials = Credentials::from_values(|name| {
            (name == "B2N_BITRIX24_WEBHOOK").then(|| "https://acme.bitrix24.com/rest/1/secret/".to_owned())
        });
        let source = connect::source("bitrix24", &credentials, &wire, &clock, &random).expect("a source");
        let outside = Outside { clock: self.clock.as_ref(), points, progress: &Quiet };
        let ended = self.clock.run(work(source.as_ref(), &outside)).expect("ends");
        self.workspace.abandon();
        ended
    }

    /// Extracts everything, and gives what is staged and is not what the portal held at one moment of the run: what people
    /// do to an object that is through, while others are read, is the next look's matter.
    fn watched(&self, objects: &[&str]) -> Result<Vec<String>, Error> {
        self.extract(objects, &DieAt::default())?;
        let held = self.held.borrow();
        let mut wrong = Vec::new();
        for (object, entity) in PAGED.iter().filter(|(object, _)| objects.contains(object)) {
            let each = held.iter().map(|portal| self.differences(portal, object, *entity));
            wrong.extend(each.min_by_key(Vec::len).unwrap_or_default());
        }
        for stream in streams::FURTHER.into_iter().filter(|stream| objects.contains(&stream.object)) {
            wrong.extend(streams::differences(&held, stream, &self.staged(stream.object)));
        }
        for object in objects {
            let verdict = self.workspace.verify(object).expect("verifies");
            if !matches!(verdict, Verdict::Same(_)) {
                wrong.push(format!("{object}: {verdict:?}"));
            }
        }
        Ok(wrong)
    }

    /// What is staged of an object, by key.
    pub fn staged(&self, object: &str) -> BTreeMap<i64, Json> {
        let mut staged = BTreeMap::new();
        let mut after = 0;
        loop {
            let page = self.workspace.staged_page(object, after, 500).expect("reads");
            let Some(last) = page.last() else { return staged };
            after = last.seq;
            for record in page {
                let json: Json = serde_json::from_slice(&record.json).expect("a record");
                assert!(staged.insert(record.key.parse::<i64>().expect("an id"), json).is_none());
            }
        }
    }

    /// What is staged and is not what the portal holds.
    fn differences(&self, portal: &Portal, object: &str, entity: Entity) -> Vec<String> {
        let staged = self.staged(object);
        let departed = self.workspace.departed(object).expect("reads");
        let empty = BTreeMap::new();
        let held = portal.records.get(&entity).unwrap_or(&empty);
        let mut wrong = Vec::new();
        for id in held.keys().filter(|id| !staged.contains_key(id)) {
            wrong.push(format!("{object} {id} is not staged"));
        }
        for (id, json) in &staged {
            match held.get(id) {
                None => wrong.push(format!("{object} {id} is staged and not held")),
                Some(record) => wrong.extend(differing(portal, object, entity, *id, record, json)),
            }
        }
        for key in departed {
            let id: i64 = key.parse().expect("an id");
            if held.contains_key(&id) {
                wrong.push(format!("{object} {id} is named as deleted, and is there"));
            }
        }
        wrong
    }
}

fn number(json: &Json) -> i64 {
    json.as_i64().or_else(|| json.as_str()?.parse().ok()).unwrap_or(-1)
}

/// What a staged record says otherwise than the portal. Links to records that were deleted meanwhile are the next
/// extraction's matter.
fn differing(
    portal: &Portal,
    object: &str,
    entity: Entity,
    id: i64,
    held: &bitrix24::Record,
    json: &Json,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for (code, value) in held {
        let at = match entity {
            Entity::Process(_) if code == "TITLE" => "title",
            Entity::Process(_) => continue,
            _ => code.as_str(),
        };
        if json.get(at) != Some(value) {
            wrong.push(format!("{object} {id}: {code} is {:?}, held is {value}", json.get(at)));
        }
    }
    let ids = |list: &Json, names: &[&str]| -> Vec<i64> {
        let rows = list.as_array().into_iter().flatten();
        rows.map(|row| names.iter().find_map(|name| row.get(*name)).map_or(-1, number)).collect()
    };
    let (links, list, other) = match entity {
        Entity::Contact => (Some(&portal.contact_companies), "COMPANY_IDS", Entity::Company),
        Entity::Deal => (Some(&portal.deal_contacts), "CONTACT_IDS", Entity::Contact),
        Entity::Quote => (Some(&portal.quote_contacts), "CONTACT_IDS", Entity::Contact),
        _ => (None, "", Entity::Company),
    };
    if let Some(links) = links {
        let found: BTreeSet<i64> = ids(&json[list], &["id"])
            .into_iter()
            .filter(|id| portal.records[&other].contains_key(id))
            .collect();
        let expected: BTreeSet<i64> = links
            .get(&id)
            .into_iter()
            .flatten()
            .map(|link| link.id)
            .filter(|id| portal.records[&other].contains_key(id))
            .collect();
        if found != expected {
            wrong.push(format!("{object} {id}: linked with {found:?}, held is {expected:?}"));
        }
    }
    let rows: BTreeSet<i64> = ids(&json["rows"], &["ID", "id"]).into_iter().collect();
    let expected: BTreeSet<i64> =
        portal.rows.get(&(entity, id)).into_iter().flatten().map(|row| number(&row["ID"])).collect();
    if rows != expected {
        wrong.push(format!("{object} {id}: rows {rows:?}, held are {expected:?}"));
    }
    if entity == Entity::Activity {
        let found = ids(&json["BINDINGS"], &["entityId"]);
        let expected: Vec<i64> =
            portal.bindings.get(&id).into_iter().flatten().map(|(_, bound)| *bound).collect();
        if found != expected {
            wrong.push(format!("{object} {id}: bound to {found:?}, held is {expected:?}"));
        }
    }
    wrong
}

/// Somebody deletes a record in the middle of each list.
fn delete_middle(portal: &mut Portal) {
    for (_, entity) in PAGED {
        let ids: Vec<i64> = portal.records.get(&entity).into_iter().flatten().map(|(id, _)| *id).collect();
        if let Some(id) = ids.get(ids.len() / 2) {
            portal.remove_record(entity, *id);
        }
    }
    streams::delete_middle(portal);
}

/// Somebody deletes the last record of each list, and makes one in its place.
fn replace_last(portal: &mut Portal) {
    for (_, entity) in PAGED {
        let last = portal.records.get(&entity).and_then(|table| table.keys().next_back().copied());
        if let Some(id) = last
            && let Some(mut record) = portal.remove_record(entity, id)
        {
            record.insert("ID".to_owned(), Json::from((id + 7).to_string()));
            // Its links went with the other one.
            for link in ["COMPANY_ID", "CONTACT_ID"] {
                record.remove(link);
            }
            portal.records.entry(entity).or_default().insert(id + 7, record);
        }
    }
    streams::replace_last(portal);
}

/// A fault of this seed, on a list or on anything.
fn fault(dice: &SplitMix) -> Fault {
    let pick = |n: u64| dice.next_u64() % n;
    let entity = PAGED[pick(PAGED.len() as u64) as usize].1;
    let kind = match pick(17) {
        0 => FaultKind::RateLimit,
        1 => FaultKind::ServerError,
        2 => FaultKind::Html(502),
        3 => FaultKind::Html(200),
        4 => FaultKind::CutBody,
        5 => FaultKind::Slow(70_000),
        6 => FaultKind::OperatingLimit,
        7 => FaultKind::Command(500, "INTERNAL_SERVER_ERROR".to_owned()),
        8 | 9 => FaultKind::ShortPage,
        10 => FaultKind::RepeatPage,
        11 => FaultKind::WrongTotal(1),
        12 => FaultKind::WrongTotal(-1),
        13 => FaultKind::Insert(entity),
        14 => FaultKind::Delete(entity),
        15 => FaultKind::Edit(delete_middle),
        _ => FaultKind::Edit(replace_last),
    };
    let nth = 1 + pick(60);
    let calls = matches!(
        kind,
        FaultKind::OperatingLimit
            | FaultKind::Command(..)
            | FaultKind::ShortPage
            | FaultKind::RepeatPage
            | FaultKind::WrongTotal(_)
    );
    let when = match pick(4) {
        // Requests are few, calls are many.
        0 => Trigger::Probability(if calls { 0.01 } else { 0.05 }),
        1 => Trigger::From(nth),
        _ => Trigger::Nth(if calls { nth } else { 1 + nth / 4 }),
    };
    let lasting = matches!(kind, FaultKind::ShortPage | FaultKind::WrongTotal(_));
    let when = match when {
        // What lasts for ever ends the run, and is another test's matter.
        Trigger::From(nth) if !lasting => Trigger::Nth(nth),
        when => when,
    };
    let methods = [
        "crm.company.list",
        "crm.contact.list",
        "crm.deal.list",
        "crm.item.list",
        "crm.activity.list",
        "crm.stagehistory.list",
        "voximplant.statistic.get",
        "tasks.task.list",
        "task.checklistitem.getlist",
        "crm.requisite.list",
        "crm.requisite.bankdetail.list",
        "crm.address.list",
        "crm.productsection.list",
        "catalog.price.list",
        "crm.timeline.comment.list",
        "crm.item.productrow.list",
    ];
    match pick(3) {
        0 if calls => Fault::new(when, kind).on(methods[pick(methods.len() as u64) as usize]),
        _ => Fault::new(when, kind),
    }
}

fn seeds(first: u64, count: u64) -> std::ops::Range<u64> {
    let read = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    match read("B2N_SEED") {
        Some(seed) => seed..seed + 1,
        None => first..first + read("B2N_SEEDS").unwrap_or(count),
    }
}

/// Both numbers stand in what a run says that stops because they differ.
pub fn names_both(error: &Error) -> bool {
    matches!(error, Error::Count { .. } | Error::Connect(connect::Error::Inconsistent { .. }))
        && says_two_numbers(error)
}

/// Whether at least two numbers stand in what a run says that stops.
pub fn says_two_numbers(error: &Error) -> bool {
    let text = error.to_string();
    text.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty()).count() >= 2
}

/// Whether a fault lets a list say what is not so.
pub fn lies(fault: &Fault) -> bool {
    matches!(fault.kind, FaultKind::WrongTotal(_) | FaultKind::RepeatPage | FaultKind::ShortPage)
}

#[test]
fn whatever_the_portal_does_it_is_all_there_or_both_numbers_are_said() {
    let portal = streams::portal(0.12, 3);
    let objects = streams::all();
    let (mut whole, mut stopped) = (0, 0);
    for seed in seeds(1, 40) {
        let dice = SplitMix::new(seed);
        let faults: Vec<Fault> = (0..1 + dice.next_u64() % 3).map(|_| fault(&dice)).collect();
        let rig = Rig::new(portal.clone(), seed);
        rig.spoil(faults.clone());
        match rig.watched(&objects) {
            Ok(wrong) => {
                whole += 1;
                assert!(wrong.is_empty(), "seed {seed}, {faults:?}: {:?}", &wrong[..wrong.len().min(5)]);
            }
            Err(error) => {
                stopped += 1;
                assert!(names_both(&error), "seed {seed}, {faults:?}: {error}");
                assert!(faults.iter().any(lies), "seed {seed}: nobody lied, {error}");
            }
        }
    }
    println!("{whole} runs were whole, {stopped} stopped and said both numbers");
    assert!(std::env::var_os("B2N_SEED").is_some() || whole > stopped, "{whole} of {}", whole + stopped);
}

#[test]
fn records_that_come_and_go_while_they_are_read_are_fetched_or_named() {
    let portal = streams::portal(0.3, 5);
    let objects = streams::all();
    for edit in [delete_middle, replace_last] {
        for nth in [2, 3, 5, 8] {
            let rig = Rig::new(portal.clone(), nth);
            rig.spoil(vec![
                Fault::new(Trigger::Nth(nth), FaultKind::Edit(edit)),
                Fault::new(Trigger::Nth(nth + 1), FaultKind::Edit(edit)),
                Fault::new(Trigger::Nth(nth + 2), FaultKind::Insert(Entity::Contact)),
            ]);
            let wrong = rig.watched(&objects).unwrap_or_else(|error| panic!("at {nth}: {error}"));
            assert!(rig.portal.log().faults >= 2);
            assert_eq!(wrong, Vec::<String>::new(), "at {nth}");
        }
    }
}

#[test]
fn a_count_that_lies_for_ever_stops_the_run_with_both_numbers() {
    for by in [-1, 1] {
        let rig = Rig::new(Portal::acme(0.1, 4), 1);
        rig.spoil(vec![Fault::new(Trigger::From(1), FaultKind::WrongTotal(by)).on("crm.contact.list")]);
        let held = rig.portal.with_portal(|portal| portal.records[&Entity::Contact].len()) as i64;
        let error = rig.extract(&["contact"], &DieAt::default()).expect_err("the numbers differ");
        assert!(names_both(&error), "{error}");
        let text = error.to_string();
        assert!(text.contains(&held.to_string()) && text.contains(&(held + by).to_string()), "{text}");
    }
}

#[test]
fn wherever_it_dies_the_same_is_staged_in_the_end() {
    let portal = Portal::acme(0.12, 9);
    let objects = ["company", "contact", "deal", "activity", "comment"];
    let seals = |rig: &Rig| -> Vec<_> {
        let seal = |object: &&str| {
            let seal = rig.workspace.sealed(object).expect("reads").expect("is sealed");
            (seal.records, seal.range, seal.hash)
        };
        objects.iter().map(seal).collect()
    };
    let clean = Rig::new(portal.clone(), 1);
    let all = DieAt::default();
    clean.extract(&objects, &all).expect("extracts");
    let expected = seals(&clean);
    let reached = all.reached.borrow().clone();
    assert_eq!(
        reached.keys().copied().collect::<Vec<_>>(),
        ["extract.closing", "extract.request", "extract.staged"]
    );
    for (point, times) in reached {
        for nth in 1..=times {
            let rig = Rig::new(portal.clone(), 1);
            let died = rig.extract(&objects, &DieAt { point: Some((point, nth)), ..DieAt::default() });
            assert!(matches!(died, Err(Error::Interrupted)), "{point} {nth}: {died:?}");
            rig.extract(&objects, &DieAt::default()).expect("goes on");
            assert_eq!(seals(&rig), expected, "{point} {nth}");
        }
    }
}

/// The fewest requests in which the commands can travel: a plain list's first answer brings its count and a page, and
/// fifty commands fit each other one.
fn fewest(commands: u64) -> u64 {
    1 + commands.saturating_sub(1).div_ceil(50)
}

/// The fewest commands that bring an object with what belongs to it.
fn commands(portal: &Portal, entity: Entity) -> u64 {
    let records = portal.records.get(&entity).map_or(0, |table| table.len()) as u64;
    let pages = records.div_ceil(50).max(1);
    let rows: u64 =
        portal.rows.iter().filter(|((of, _), _)| *of == entity).map(|(_, r)| r.len() as u64).sum();
    match entity {
        Entity::Contact => 2 * pages,
        Entity::Deal | Entity::Quote => 2 * pages + pages.max(rows.div_ceil(50)),
        Entity::Lead => pages + pages.max(rows.div_ceil(50)),
        Entity::Activity => pages + records,
        _ => pages,
    }
}

#[test]
fn a_clean_run_takes_the_fewest_requests_and_provokes_nothing() {
    let counts = |n: usize| Counts { companies: n, contacts: 3 * n, deals: n / 2, leads: n / 4 };
    for n in [40, 400, 1_200] {
        let portal = Portal::acme_with(counts(n), 2);
        let mut all = 0;
        for (object, entity) in PAGED {
            let rig = Rig::new(portal.clone(), 1);
            rig.extract(&[object], &DieAt::default()).expect("extracts");
            let log = rig.portal.log();
            let least = rig.portal.with_portal(|portal| commands(portal, entity));
            all += least;
            // Who answers is asked once.
            let (requests, least) = (log.requests - 1, fewest(least));
            println!(
                "{n}, {object}: {requests} requests, {least} are the fewest: {:.3}",
                requests as f64 / least as f64
            );
            assert_eq!((log.refused_rate, log.refused_operating), (0, 0), "{object}");
            if matches!(entity, Entity::Company | Entity::Contact | Entity::Product | Entity::Process(_)) {
                assert!(requests <= least, "{n}, {object}: {requests} requests of {least}");
            }
        }
        let rig = Rig::new(portal, 1);
        let objects: Vec<&str> = PAGED.iter().map(|(object, _)| *object).collect();
        rig.extract(&objects, &DieAt::default()).expect("extracts");
        let log = rig.portal.log();
        let (requests, least) = (log.requests - 1, fewest(all));
        let ratio = requests as f64 / least as f64;
        println!("{n}, together: {requests} requests, {least} are the fewest: {ratio:.3}");
        assert_eq!((log.refused_rate, log.refused_operating), (0, 0));
        assert!(log.max_level <= 50.0);
        // A page, its rows, the rest of them, their comparison: four questions in a row, each with an answer to wait for.
        assert!(
            requests as f64 <= 1.02 * least as f64 + 4.0,
            "{n}: {requests} requests of {least}: {ratio:.3}"
        );
    }
}

#[test]
fn methods_out_of_running_time_leave_the_limits_to_others() {
    // Pages of eight seconds: every method uses its time up, and nothing is refused for it.
    let rig = Rig::new(Portal::acme(0.5, 6), 1);
    rig.portal.with_settings(|settings| settings.latency.base_ms = 8_000.0);
    let objects = ["company", "contact", "deal", "lead", "product"];
    let before = rig.clock.now_ms();
    rig.extract(&objects, &DieAt::default()).expect("extracts");
    let together = rig.clock.now_ms() - before;
    let log = rig.portal.log();
    assert_eq!((log.refused_rate, log.refused_operating), (0, 0));
    let mut alone = 0;
    for object in objects {
        let rig = Rig::new(Portal::acme(0.5, 6), 1);
        rig.portal.with_settings(|settings| settings.latency.base_ms = 8_000.0);
        let before = rig.clock.now_ms();
        rig.extract(&[object], &DieAt::default()).expect("extracts");
        alone += rig.clock.now_ms() - before;
    }
    println!("{} s together, {} s one after the other", together / 1000, alone / 1000);
    assert!(together <= alone, "{together} ms together, {alone} ms one after the other");
}
