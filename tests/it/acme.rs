//! The example customer: its spec checks and is laid out, its snapshots are what the twins give today, and its golden
//! records come out as they were approved.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::rc::Rc;

use b2n::lang::check::{self, Checked, Input};
use b2n::lang::eval::{Outcome, Program};
use b2n::lang::finding::human::{Style, render};
use b2n::lang::finding::registry;
use b2n::lang::plan::{Map, Plan};
use b2n::lang::schema::stats::{Collector, StageCounts};
use b2n::lang::schema::{Schema, snapshot};
use b2n::lang::syntax;
use b2n::lang::text::SourceText;
use b2n::run::connect::outside::{Clock, Random, Transport};
use b2n::run::connect::secret::Credentials;
use b2n::run::connect::{self, Source};
use b2n::run::rehearsal::{SplitMix, VirtualClock, Wire};
use b2n::run::twin;
use b2n::run::twin::bitrix24::{self, Portal};
use b2n::run::twin::nutshell::{self, Company};
use serde_json::{Value as Json, json};

use crate::world::root;

/// The maps of the example.
const MAPS: [&str; 3] = ["company", "contact", "deal"];

fn example(name: &str) -> PathBuf {
    root().join("examples/acme").join(name)
}

fn text(path: PathBuf) -> SourceText {
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    SourceText::from_bytes(path.display().to_string(), &bytes).expect("UTF-8")
}

fn committed(system: &str) -> Schema {
    let path = example(&format!("schema/{system}.yaml"));
    snapshot::read(&text(path)).unwrap_or_else(|findings| panic!("{findings:?}"))
}

fn checked(spec: &SourceText, source: &Schema, target: &Schema) -> Checked {
    let (tree, findings) = syntax::parse(spec);
    let shown = render(&findings, spec, Style { width: 100, colour: false, unicode: true });
    assert!(findings.is_empty(), "{shown}");
    check::check(&Input {
        spec: &tree,
        text: spec,
        source: Some(source),
        target: Some(target),
        source_hash: &source.hash(),
        target_hash: &target.hash(),
        source_name: "schema/bitrix24.yaml",
        target_name: "schema/nutshell.yaml",
        // The age of the snapshots is not what is tested.
        today: source.taken.expect("a day"),
        broken: &[],
    })
}

fn plan() -> (Plan, Schema) {
    let (source, target) = (committed("bitrix24"), committed("nutshell"));
    let plan = checked(&text(example("acme.b2n")), &source, &target).plan.expect("a plan");
    (plan, source)
}

/// What goes over the wire to a twin in this process, and the time there.
pub struct Line {
    clock: Rc<VirtualClock>,
    outside: Rc<dyn Clock>,
    random: Rc<dyn Random>,
    credentials: Credentials,
}

impl Line {
    fn new() -> Line {
        Line::of("acme.bitrix24.com", "admin@acme.example")
    }

    /// To the portal of this host, and to an account as this user.
    pub fn of(host: &str, user: &str) -> Line {
        let webhook = format!("https://{host}/rest/1/secret/");
        let clock = Rc::new(VirtualClock::at(1_795_262_400_000));
        let credentials = Credentials::from_values(|name| {
            Some(match name {
                "B2N_BITRIX24_WEBHOOK" => webhook.clone(),
                "B2N_NUTSHELL_USER" => user.to_owned(),
                "B2N_NUTSHELL_KEY" => "key".to_owned(),
                _ => return None,
            })
        });
        Line { outside: clock.clone(), clock, random: Rc::new(SplitMix::new(1)), credentials }
    }

    fn to(&self, twin: impl Fn(&twin::Request, i64) -> twin::Response + 'static) -> Rc<dyn Transport> {
        Rc::new(Wire::new(Rc::new(twin), Rc::clone(&self.outside)))
    }

    fn wait<T, E: std::fmt::Debug>(&self, future: impl Future<Output = Result<T, E>>) -> T {
        self.clock.run(future).expect("never idle for ever").expect("an answer")
    }
}

/// What `b2n snapshot bitrix24` gives of the default portal.
fn portal_today(salt: &str) -> Schema {
    portal_snapshot(&Line::new(), Portal::acme(1.0, 1), salt)
}

/// What `b2n snapshot bitrix24` gives of a portal.
pub fn portal_snapshot(line: &Line, portal: Portal, salt: &str) -> Schema {
    let portal = bitrix24::Twin::new(portal, bitrix24::Settings::default());
    let wire = line.to(move |request, now| portal.handle(request, now));
    let source =
        connect::source("bitrix24", &line.credentials, &wire, &line.outside, &line.random).expect("a source");
    let mut schema = line.wait(source.schema(salt));
    for at in 0..schema.objects.len() {
        let object = schema.objects[at].clone();
        let decoder = connect::decoder("bitrix24", &schema, &object.name).expect("a decoder");
        let mut fields = Collector::new(&object);
        let stage = object.slot("STAGE_ID").or_else(|| object.slot("STATUS_ID"));
        let mut stages = stage.map(|stage| StageCounts::new(object.slot("CATEGORY_ID"), stage));
        each_record(line, source.as_ref(), &object.name, |json| {
            let record = decoder.decode(json).expect("a record");
            fields.add(&record);
            if let Some(stages) = &mut stages {
                stages.add(&record);
            }
        });
        fields.store(&mut schema.objects[at]);
        if let Some(stages) = stages {
            stages.store(&object.name, &mut schema.pipelines);
        }
    }
    schema
}

fn each_record(line: &Line, source: &dyn Source, object: &str, mut see: impl FnMut(&[u8])) {
    let mut cursor = String::new();
    loop {
        let batch = line.wait(source.extract(object, &cursor));
        batch.records.iter().for_each(|raw| see(&raw.json));
        if batch.done {
            return;
        }
        cursor = batch.cursor;
    }
}

/// What `b2n snapshot nutshell` gives of the default account.
fn account_today(salt: &str) -> Schema {
    account_snapshot(&Line::new(), Company::acme(), salt)
}

/// What `b2n snapshot nutshell` gives of an account.
pub fn account_snapshot(line: &Line, company: Company, salt: &str) -> Schema {
    let account = nutshell::Twin::new(company, nutshell::Settings::default());
    let wire = line.to(move |request, now| account.handle(request, now));
    let target = connect::target(
        "nutshell",
        &line.credentials,
        &wire,
        &line.outside,
        &line.random,
        connect::Pace::default(),
    )
    .expect("a target");
    line.wait(target.schema(salt))
}

/// The lines in which two texts differ, at most twenty.
pub fn differences(committed: &str, today: &str) -> String {
    let (mut old, mut new) = (committed.lines(), today.lines());
    let mut shown = String::new();
    let mut count = 0;
    for number in 1.. {
        match (old.next(), new.next()) {
            (None, None) => break,
            (old, new) if old == new => {}
            (old, new) => {
                count += 1;
                if count <= 20 {
                    shown.push_str(&format!("{number}: {} | {}\n", old.unwrap_or("-"), new.unwrap_or("-")));
                }
            }
        }
    }
    format!("{count} lines differ\n{shown}")
}

#[test]
fn the_snapshots_are_what_the_twins_give() {
    let took = |schema: &Schema, today: Schema, system: &str| {
        let today = Schema { taken: schema.taken, ..today };
        if std::env::var_os("B2N_TAKE_SNAPSHOTS").is_some() {
            let path = example(&format!("schema/{system}.yaml"));
            std::fs::write(path, snapshot::write(&today)).expect("the snapshot is written");
            return;
        }
        let (old, new) = (snapshot::write(schema), snapshot::write(&today));
        assert!(
            old == new && schema.hash() == today.hash(),
            "examples/acme/schema/{system}.yaml is stale: run this test with B2N_TAKE_SNAPSHOTS=1\n{}",
            differences(&old, &new)
        );
    };
    let (source, target) = (committed("bitrix24"), committed("nutshell"));
    assert_eq!(source.salt, target.salt, "users are matched by one salt");
    took(&source, portal_today(&source.salt), "bitrix24");
    took(&target, account_today(&target.salt), "nutshell");
}

#[test]
fn the_spec_has_no_findings_but_the_objects_that_stay_behind() {
    let spec = text(example("acme.b2n"));
    let checked = checked(&spec, &committed("bitrix24"), &committed("nutshell"));
    let shown = render(&checked.findings, &spec, Style { width: 100, colour: false, unicode: true });
    assert!(checked.findings.iter().all(|finding| finding.code == registry::OBJECT_NOT_MAPPED), "{shown}");
    let behind = [
        "activity",
        "call",
        "comment",
        "company_address",
        "company_requisite",
        "contact_address",
        "contact_requisite",
        "deal_history",
        "lead",
        "lead_history",
        "process 1032",
        "product",
        "product_price",
        "product_section",
        "quote",
        "task",
    ];
    for object in behind {
        let named = |f: &&b2n::lang::finding::Finding| f.message.contains(&format!("`{object}`"));
        assert_eq!(checked.findings.iter().filter(named).count(), 1, "{object}: {shown}");
    }
    assert_eq!(checked.findings.len(), behind.len(), "{shown}");
    assert!(checked.plan.is_some());
}

#[test]
fn the_specs_are_laid_out() {
    for path in [example("acme.b2n"), root().join("specs/starter.b2n")] {
        let spec = text(path);
        let laid_out =
            syntax::format(&spec).unwrap_or_else(|findings| panic!("{}: {findings:?}", spec.name()));
        assert!(
            laid_out == spec.text(),
            "`b2n fmt {}`: {}",
            spec.name(),
            differences(spec.text(), &laid_out)
        );
    }
}

/// A new project's spec must show what is undecided, not what is broken.
#[test]
fn the_starter_parses_and_its_findings_are_decisions() {
    let spec = text(root().join("specs/starter.b2n"));
    assert!(spec.text().lines().count() <= 90);
    let checked = checked(&spec, &committed("bitrix24"), &committed("nutshell"));
    let decisions = [
        registry::TODO_OPEN,
        registry::SOURCE_FIELD_UNUSED,
        registry::OBJECT_NOT_MAPPED,
        registry::TABLE_MISSES_VALUE,
        registry::PIPELINE_MISSES_STAGE,
        registry::PIPELINE_MISSING,
        // The address that stands in for the customer's own.
        registry::UNKNOWN_USER,
    ];
    let other: Vec<_> =
        checked.findings.iter().filter(|finding| !decisions.contains(&finding.code)).cloned().collect();
    let shown = render(&other, &spec, Style { width: 100, colour: false, unicode: true });
    assert!(other.is_empty(), "{shown}");
    assert!(checked.findings.iter().any(|finding| finding.code == registry::TODO_OPEN));
}

fn lines(name: &str) -> Vec<String> {
    text(example(name)).text().lines().map(str::to_owned).collect()
}

/// As `b2n transform` prints it.
fn shown(outcome: &Outcome, map: &Map, plan: &Plan) -> Json {
    match outcome {
        Outcome::Record(output) => {
            let name = |target: u16| map.targets[usize::from(target)].name.clone();
            let map_name = |map: u16| plan.maps[usize::from(map)].name.clone();
            let values = map.targets.iter().zip(&output.values).filter(|(_, value)| !value.is_absent());
            let fields: serde_json::Map<String, Json> =
                values.map(|(target, value)| (target.name.clone(), value.to_json(&map_name))).collect();
            let mut record = json!({"outcome": "record", "object": map.target, "fields": fields});
            if !output.flags.is_empty() {
                let flag = |rule: u16, why: &str| json!({"field": name(map.rules[usize::from(rule)].target), "why": why});
                record["flags"] = output.flags.iter().map(|f| flag(f.rule.rule, &f.why)).collect();
            }
            record
        }
        Outcome::LeftOut { reason, line } => {
            json!({"outcome": "left out", "reason": &**reason, "line": line})
        }
        Outcome::Quarantined { reason, line, .. } => {
            json!({"outcome": "quarantined", "reason": &**reason, "line": line})
        }
        Outcome::Stopped { reason, line, .. } => {
            json!({"outcome": "stopped", "reason": &**reason, "line": line})
        }
    }
}

/// An approved line. Where in the spec a reason stands is left out: a line that moves changes no record.
fn record(line: &str) -> Json {
    let mut record: Json = serde_json::from_str(line).expect("JSON");
    if let Some(fields) = record.as_object_mut() {
        fields.remove("line");
        fields.remove("file");
    }
    record
}

/// Every place where two values differ: `fields.phone[0].label: approved "work", now "home"`.
fn compare(at: &str, approved: &Json, now: &Json, found: &mut Vec<String>) {
    let missing = Json::Null;
    match (approved, now) {
        (Json::Object(a), Json::Object(b)) => {
            let names: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for name in names {
                let at = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                compare(&at, a.get(name).unwrap_or(&missing), b.get(name).unwrap_or(&missing), found);
            }
        }
        (Json::Array(a), Json::Array(b)) => {
            for index in 0..a.len().max(b.len()) {
                let (a, b) = (a.get(index).unwrap_or(&missing), b.get(index).unwrap_or(&missing));
                compare(&format!("{at}[{index}]"), a, b, found);
            }
        }
        (a, b) if a == b => {}
        (a, b) => found.push(format!("{at}: approved {a}, now {b}")),
    }
}

#[test]
fn golden_records_come_out_as_approved() {
    let (plan, source) = plan();
    let program = Program::compile(&plan).expect("a program");
    let mut found = Vec::new();
    for name in MAPS {
        let at = plan.maps.iter().position(|map| map.name == name).expect("the map");
        let decoder = connect::decoder("bitrix24", &source, name).expect("a decoder");
        let (inputs, approved) =
            (lines(&format!("golden/{name}.in.ndjson")), lines(&format!("golden/{name}.out.ndjson")));
        assert!(inputs.len() >= 10 && inputs.len() == approved.len(), "{name}");
        for (input, approved) in inputs.iter().zip(&approved) {
            let id = record(input)["ID"].clone();
            let decoded = decoder.decode(input.as_bytes()).expect("a record");
            let now = shown(&program.run(at, &decoded), &plan.maps[at], &plan);
            let before = found.len();
            compare("", &record(approved), &record(&now.to_string()), &mut found);
            found[before..].iter_mut().for_each(|line| *line = format!("{name} {id} {line}"));
        }
    }
    assert!(found.is_empty(), "{} differences from what was approved:\n{}", found.len(), found.join("\n"));
}

/// The trouble that the golden records were picked for is in them.
#[test]
fn golden_records_hold_the_usual_trouble() {
    let out = |name: &str| lines(&format!("golden/{name}.out.ndjson")).join("\n");
    let input = |name: &str| lines(&format!("golden/{name}.in.ndjson")).join("\n");
    for (text, words) in [
        (
            out("company"),
            &[
                "left out",
                "Parent company key",
                "not a phone number",
                "not an e-mail address",
                "not a web address",
                "taken as US dollars",
                ";ext=",
            ][..],
        ),
        (
            input("company"),
            &["[LIST]", "[QUOTE]", "<ul>", "[USER=1]", ":null", ":\"\"", ":false", ":[]", ":\"0\""],
        ),
        (
            out("contact"),
            &["left out", "\"label\":\"Директор\"", "Job title", "VIP", "owner has left", "owner not found"],
        ),
        (
            out("deal"),
            &[
                "left out",
                "Full title",
                "\"won\":\"Signed\"",
                "\"lost\":\"No decision\"",
                "On hold",
                "Repair",
                "Completed",
                "Links",
            ],
        ),
    ] {
        for word in words {
            assert!(text.contains(word), "`{word}` is not there");
        }
    }
}

#[test]
fn the_command_prints_the_golden_records() {
    for name in MAPS {
        let input =
            std::fs::File::open(example(&format!("golden/{name}.in.ndjson"))).expect("golden records");
        let output = Command::new(env!("CARGO_BIN_EXE_b2n"))
            .env_clear()
            .arg("transform")
            .arg(example("acme.b2n"))
            .args(["--map", name])
            .stdin(Stdio::from(input))
            .output()
            .expect("the binary runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let printed = String::from_utf8_lossy(&output.stdout);
        let approved = lines(&format!("golden/{name}.out.ndjson"));
        assert_eq!(printed.lines().count(), approved.len(), "{name}");
        let mut found = Vec::new();
        for (now, approved) in printed.lines().zip(&approved) {
            compare("", &record(approved), &record(now), &mut found);
        }
        assert!(found.is_empty(), "{name}:\n{}", found.join("\n"));
    }
}
