//! Extraction: how many requests it takes of the fewest possible, how fast records are staged, and what memory two
//! million of them need.
//!
//! `cargo bench --bench extract` prints all of it; `-- ratio`, `-- staging` and `-- soak 2000000` one part each.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::rc::Rc;
use std::time::Instant;

use b2n::lang::plan::{Map, Plan};
use b2n::run::connect::outside::{Clock, HttpRequest, HttpResponse, Random, Transport, TransportError};
use b2n::run::connect::secret::Credentials;
use b2n::run::connect::{self, Local};
use b2n::run::engine::{self, Interrupted, Outside, Points, Progress};
use b2n::run::rehearsal::{SplitMix, VirtualClock, Wire, entity};
use b2n::run::twin::Request;
use b2n::run::twin::bitrix24::generate::Counts;
use b2n::run::twin::bitrix24::{self, Entity, Portal};
use b2n::run::workspace::{Manifest, Verdict, Workspace};

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct Nowhere;

impl Points for Nowhere {
    fn reach(&self, _: &'static str) -> Result<(), Interrupted> {
        Ok(())
    }
}

impl Progress for Nowhere {
    fn begin(&self, _: &str, _: Option<u64>) {}
    fn at(&self, _: u64) {}
    fn end(&self) {}
    fn notice(&self, text: &str) {
        println!("note: {text}");
    }
}

/// Extracts objects over a transport into a workspace, on a clock that costs nothing.
fn extract(objects: &[&str], clock: &Rc<VirtualClock>, wire: Rc<dyn Transport>, workspace: &Workspace) {
    let shared: Rc<dyn Clock> = clock.clone();
    let random: Rc<dyn Random> = Rc::new(SplitMix::new(1));
    let credentials = Credentials::from_values(|name| {
        (name == "B2N_BITRIX24_WEBHOOK").then(|| "https://acme.bitrix24.com/rest/1/secret/".to_owned())
    });
    let source = connect::source("bitrix24", &credentials, &wire, &shared, &random).unwrap();
    let map = |object: &&str| Map { source: (*object).to_owned(), ..Map::default() };
    let plan = Plan { maps: objects.iter().map(map).collect(), ..Plan::default() };
    let outside = Outside { clock: clock.as_ref(), points: &Nowhere, progress: &Nowhere };
    clock.run(engine::extract(&plan, workspace, source.as_ref(), &outside)).unwrap().unwrap();
}

fn clock() -> Rc<VirtualClock> {
    Rc::new(VirtualClock::at(1_795_262_400_000))
}

const OBJECTS: [&str; 8] =
    ["company", "contact", "deal", "lead", "quote", "product", "activity", "process 1032"];

/// The fewest commands that bring an object with what belongs to it.
fn commands(portal: &Portal, entity: Entity) -> u64 {
    let records = portal.records.get(&entity).map_or(0, |table| table.len()) as u64;
    let pages = records.div_ceil(50).max(1);
    let rows: u64 =
        portal.rows.iter().filter(|((of, _), _)| *of == entity).map(|(_, rows)| rows.len() as u64).sum();
    match entity {
        Entity::Contact => 2 * pages,
        Entity::Deal | Entity::Quote => 2 * pages + pages.max(rows.div_ceil(50)),
        Entity::Lead => pages + pages.max(rows.div_ceil(50)),
        Entity::Activity => pages + records,
        _ => pages,
    }
}

/// Requests of the fewest possible, from the portal's own log: per object, and all objects together.
fn ratio() {
    println!("requests of the fewest possible, in which each command travels once and fifty in a request");
    println!("{:>9}  {:<13} {:>8} {:>8}  ratio  refused", "records", "object", "requests", "fewest");
    let line = |records: usize, object: &str, log: &bitrix24::LogSummary, commands: u64| {
        // Who answers is asked once.
        let (requests, fewest) = (log.requests - 1, 1 + commands.saturating_sub(1).div_ceil(50));
        let refused = log.refused_rate + log.refused_operating;
        println!(
            "{records:>9}  {object:<13} {requests:>8} {fewest:>8}  {:.3}  {refused}",
            requests as f64 / fewest as f64
        );
    };
    for n in [100, 1_000, 10_000] {
        let counts = Counts { companies: n, contacts: 3 * n, deals: n / 2, leads: n / 4 };
        let twin = Rc::new(bitrix24::Twin::new(Portal::acme_with(counts, 2), bitrix24::Settings::default()));
        let mut before = twin.log();
        let clock = clock();
        let run = |objects: &[&str]| {
            // The portal forgets what was asked before: both its limits look back ten minutes at most.
            clock.run(clock.sleep(900_000)).unwrap();
            let portal = Rc::clone(&twin);
            let serve = Rc::new(move |request: &Request, now| portal.handle(request, now));
            let shared: Rc<dyn Clock> = clock.clone();
            extract(objects, &clock, Rc::new(Wire::new(serve, shared)), &Workspace::in_memory().unwrap());
        };
        let mut since = || {
            let now = twin.log();
            let mut log = now.clone();
            log.requests -= before.requests;
            log.refused_rate -= before.refused_rate;
            log.refused_operating -= before.refused_operating;
            before = now;
            log
        };
        let (mut all, mut records) = (0, 0);
        for object in OBJECTS {
            let entity = entity(object).unwrap();
            run(&[object]);
            let (held, least) = twin.with_portal(|portal| {
                (portal.records.get(&entity).map_or(0, |table| table.len()), commands(portal, entity))
            });
            (all, records) = (all + least, records + held);
            line(held, object, &since(), least);
        }
        run(&OBJECTS);
        line(records, "all together", &since(), all);
    }
}

/// A portal of companies 1 to `n` that are made when they are asked for: it needs no memory itself.
struct Generated {
    n: u64,
    requests: Cell<u64>,
}

impl Generated {
    fn batch(&self, body: &[u8]) -> String {
        let body: serde_json::Value = serde_json::from_slice(body).unwrap();
        let (mut results, mut totals) = (String::new(), String::new());
        // The first and the last id of each page, for references.
        let mut pages: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        for (name, command) in body["cmd"].as_object().unwrap() {
            let query = command.as_str().unwrap().split_once('?').unwrap().1;
            let (mut after, mut until, mut counted, mut last_first) = (0, self.n, false, false);
            for (key, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
                let number = || match value.strip_prefix("$result[") {
                    Some(path) => {
                        let (page, path) = path.split_once(']').unwrap();
                        let (first, last) = pages[page];
                        if path.starts_with("[0]") { first } else { last }
                    }
                    None => value.parse().unwrap(),
                };
                match key {
                    "filter%5B%3EID%5D" => after = number(),
                    "filter%5B%3C%3DID%5D" => until = number().min(self.n),
                    "start" => counted = value == "0",
                    "order%5BID%5D" => last_first = value == "DESC",
                    _ => {}
                }
            }
            let separator = if results.is_empty() { "" } else { "," };
            let (low, high) = if last_first {
                (until.saturating_sub(50).max(after) + 1, until)
            } else {
                (after + 1, until.min(after + 50))
            };
            pages.insert(name.clone(), if last_first { (high, low) } else { (low, high) });
            write!(results, "{separator}\"{name}\":[").unwrap();
            for at in low..=high {
                let id = if last_first { high - (at - low) } else { at };
                let comma = if at == low { "" } else { "," };
                write!(
                    results,
                    "{comma}{{\"ID\":\"{id}\",\"TITLE\":\"Company {id}\",\"COMPANY_TYPE\":\"CUSTOMER\",\"INDUSTRY\":\
                     \"MANUFACTURING\",\"REVENUE\":\"{id}00.00\",\"CURRENCY_ID\":\"EUR\",\"OPENED\":\"Y\",\"COMMENTS\":\
                     \"Met at the fair; asked for a list of prices and a visit in spring, then went quiet. Number {id}.\",\
                     \"ASSIGNED_BY_ID\":\"{}\",\"CREATED_BY_ID\":\"1\",\"DATE_CREATE\":\"2024-08-30T14:29:00+03:00\",\
                     \"DATE_MODIFY\":\"2025-01-12T09:10:11+03:00\",\"HAS_PHONE\":\"Y\",\"HAS_EMAIL\":\"Y\",\"PHONE\":\
                     [{{\"ID\":\"{id}1\",\"VALUE_TYPE\":\"WORK\",\"VALUE\":\"+49 30 {id}\",\"TYPE_ID\":\"PHONE\"}}],\"EMAIL\":\
                     [{{\"ID\":\"{id}2\",\"VALUE_TYPE\":\"WORK\",\"VALUE\":\"mail{id}@company.example\",\"TYPE_ID\":\"EMAIL\"}}]}}",
                    id % 40
                )
                .unwrap();
            }
            results.push(']');
            if counted {
                let separator = if totals.is_empty() { "" } else { "," };
                write!(totals, "{separator}\"{name}\":{}", until.saturating_sub(after)).unwrap();
            }
        }
        format!(
            "{{\"result\":{{\"result\":{{{results}}},\"result_error\":[],\"result_total\":{{{totals}}},\
             \"result_next\":[],\"result_time\":[]}},\"time\":{{\"duration\":0.5}}}}"
        )
    }
}

impl Transport for Generated {
    fn send<'a>(&'a self, request: &'a HttpRequest) -> Local<'a, Result<HttpResponse, TransportError>> {
        self.requests.set(self.requests.get() + 1);
        let body = if request.url.ends_with("/batch") {
            self.batch(&request.body)
        } else {
            "{\"result\":{\"ID\":\"1\",\"ADMIN\":true},\"time\":{}}".to_owned()
        };
        let answer = HttpResponse { status: 200, headers: Vec::new(), body: body.into_bytes() };
        Box::pin(std::future::ready(Ok(answer)))
    }
}

/// The most memory that this process ever had, in megabytes, where the system tells.
fn peak() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kb| kb / 1024.0)
}

/// Extracts `n` records through the whole client into a file, and verifies them there.
fn soak(n: u64) {
    let folder = tempfile::tempdir().unwrap();
    let workspace = Workspace::open(&folder.path().join("soak.b2nw")).unwrap();
    let portal = Rc::new(Generated { n, requests: Cell::new(0) });
    let clock = clock();
    let begun = Instant::now();
    extract(&["company"], &clock, portal.clone(), &workspace);
    let seconds = begun.elapsed().as_secs_f64();
    assert_eq!(workspace.staged("company").unwrap(), n);
    let requests = portal.requests.get() - 1;
    let fewest = 1 + n.div_ceil(50).saturating_sub(1).div_ceil(50);
    println!(
        "{n} records extracted into a file in {seconds:.1} s, {:.0} a second, {requests} requests of {fewest}",
        n as f64 / seconds
    );
    let begun = Instant::now();
    let verdict = workspace.verify("company").unwrap();
    assert!(matches!(verdict, Verdict::Same(_)), "{verdict:?}");
    let seconds = begun.elapsed().as_secs_f64();
    println!("verified in {seconds:.1} s, {:.0} a second", n as f64 / seconds);
    match peak() {
        Some(megabytes) => {
            println!("peak of memory: {megabytes:.1} MB, the portal that makes the answers included")
        }
        None => println!("this system does not tell the peak of memory"),
    }
}

/// Records staged into a file and looked up there.
fn staging() {
    const RECORDS: u64 = 500_000;
    let folder = tempfile::tempdir().unwrap();
    let workspace = Workspace::open(&folder.path().join("staging.b2nw")).unwrap();
    let json = |id: u64| format!("{{\"ID\":\"{id}\",\"TITLE\":\"{}\"}}", "x".repeat(600)).into_bytes();
    let keys: Vec<String> = (1..=RECORDS).map(|id| id.to_string()).collect();
    let body: Vec<Vec<u8>> = (1..=2_500).map(json).collect();
    let begun = Instant::now();
    for page in keys.chunks(2_500) {
        let rows = page.iter().zip(&body).map(|(key, json)| (key.as_str(), json.as_slice()));
        workspace.stage("company", rows, &Manifest::default()).unwrap();
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "staged: {:.0} records a second, of 630 bytes, 2,500 in a transaction",
        RECORDS as f64 / seconds
    );
    let begun = Instant::now();
    workspace.seal("company", 0).unwrap();
    println!("sealed: {:.0} records a second", RECORDS as f64 / begun.elapsed().as_secs_f64());
    let dice = SplitMix::new(7);
    let begun = Instant::now();
    let lookups = 200_000;
    for _ in 0..lookups {
        let key = &keys[(dice.next_u64() % RECORDS) as usize];
        assert!(workspace.staged_record("company", key).unwrap().is_some());
    }
    println!("looked up: {:.0} records a second", f64::from(lookups) / begun.elapsed().as_secs_f64());
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let wants = |part: &str| args.is_empty() || args.iter().any(|arg| arg == part);
    // The peak is the process's: what comes later would be in it.
    if wants("soak") {
        soak(args.iter().find_map(|arg| arg.parse().ok()).unwrap_or(2_000_000));
    }
    if wants("ratio") {
        ratio();
    }
    if wants("staging") {
        staging();
    }
}
