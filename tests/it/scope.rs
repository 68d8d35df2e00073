//! What a portal holds, told three ways that share no code: by filters, from a workspace, and by the portal itself. And
//! nobody's data in any of it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use b2n::face::report::{handover, html, scope};
use b2n::lang::doc::markdown;
use b2n::lang::schema::{Schema, snapshot};
use b2n::lang::types::Base;
use b2n::run::connect::outside::{Clock, Random, Transport};
use b2n::run::connect::secret::Credentials;
use b2n::run::connect::survey::{Automation, Counted};
use b2n::run::connect::{self, Pace, Source};
use b2n::run::engine::Progress;
use b2n::run::engine::discovery::{self, Discovery, How, Input, ObjectCount};
use b2n::run::rehearsal::{SplitMix, VirtualClock, Wire};
use b2n::run::twin;
use b2n::run::twin::bitrix24::{Entity, Portal, Settings, Twin};
use b2n::run::workspace::{Manifest, Workspace};
use serde_json::Value as Json;

use crate::world::{acme, root};

/// Noon of the day of every report here.
const NOW: i64 = 1_795_262_400_000;

struct Quiet;

impl Progress for Quiet {
    fn begin(&self, _: &str, _: Option<u64>) {}
    fn at(&self, _: u64) {}
    fn end(&self) {}
    fn notice(&self, _: &str) {}
}

struct Rig {
    twin: Rc<Twin>,
    clock: Rc<VirtualClock>,
    requests: Rc<Cell<u64>>,
}

impl Rig {
    fn new(portal: Portal, settings: Settings) -> Rig {
        let twin = Rc::new(Twin::new(portal, settings));
        Rig { twin, clock: Rc::new(VirtualClock::at(NOW)), requests: Rc::default() }
    }

    fn source(&self) -> Box<dyn Source> {
        let clock: Rc<dyn Clock> = self.clock.clone();
        let (twin, requests) = (Rc::clone(&self.twin), Rc::clone(&self.requests));
        let serve = move |request: &twin::Request, now| {
            requests.set(requests.get() + 1);
            twin.handle(request, now)
        };
        let wire: Rc<dyn Transport> = Rc::new(Wire::new(Rc::new(serve), Rc::clone(&clock)));
        let random: Rc<dyn Random> = Rc::new(SplitMix::new(7));
        let webhook = |name: &str| {
            (name == "B2N_BITRIX24_WEBHOOK").then(|| "https://acme.bitrix24.com/rest/1/secret/".to_owned())
        };
        connect::source("bitrix24", &Credentials::from_values(webhook), &wire, &clock, &random)
            .expect("a source")
    }

    fn schema(&self) -> Schema {
        let source = self.source();
        self.clock.run(source.schema("salt")).expect("not idle").expect("a schema")
    }

    fn live(&self, schema: &Schema) -> Vec<ObjectCount> {
        let source = self.source();
        let counted = discovery::live(source.as_ref(), schema, "nutshell", &[], today(), &Quiet);
        self.clock.run(counted).expect("not idle").expect("counts")
    }

    /// Stages every object whole.
    fn staged(&self, schema: &Schema) -> Workspace {
        let workspace = Workspace::in_memory().expect("a workspace");
        let source = self.source();
        let stage = async {
            for object in schema.objects.iter().filter(|object| !object.fields.is_empty()) {
                let mut manifest = Manifest::default();
                while !manifest.done {
                    let batch = source.extract(&object.name, &manifest.cursor).await.expect("records");
                    manifest = Manifest { cursor: batch.cursor, done: batch.done, ..Manifest::default() };
                    let rows = batch.records.iter().map(|raw| (raw.id.as_str(), raw.json.as_slice()));
                    workspace.stage(&object.name, rows, &manifest).expect("stages");
                }
            }
        };
        self.clock.run(stage).expect("not idle");
        workspace
    }

    fn automation(&self) -> Automation {
        let source = self.source();
        self.clock.run(source.automation()).expect("not idle").expect("an answer")
    }

    /// The whole report, by filters or from a workspace.
    fn report(&self, schema: &Schema, workspace: Option<&Workspace>) -> Discovery {
        let source = self.source();
        let about = self.clock.run(source.about()).expect("not idle").expect("an answer");
        let workflows = self.automation().workflows.map(|all| all.len() as u64);
        let (objects, doubles, how) = match workspace {
            Some(workspace) => {
                let (objects, doubles) =
                    discovery::staged(workspace, schema, "nutshell", &[], today(), &Quiet).expect("counts");
                (objects, Ok(doubles), How::Workspace)
            }
            None => (self.live(schema), Err("records must be read for it".to_owned()), How::Live),
        };
        discovery::report(Input {
            schema,
            target: "nutshell",
            about: Some(about),
            objects,
            doubles,
            users: Err("its credentials are not set".to_owned()),
            limits: connect::limits(Pace::default()),
            planned: None,
            workflows,
            today: today(),
            how,
            requests: self.requests.get(),
        })
    }
}

fn today() -> jiff::civil::Date {
    jiff::Timestamp::from_millisecond(NOW).expect("a time").to_zoned(jiff::tz::TimeZone::UTC).date()
}

/// How many records the portal itself has of an object, of those that it keeps as records.
fn there(rig: &Rig, object: &str) -> Option<u64> {
    let entity = match object {
        "company" => Entity::Company,
        "contact" => Entity::Contact,
        "deal" => Entity::Deal,
        "lead" => Entity::Lead,
        "quote" => Entity::Quote,
        "product" => Entity::Product,
        "activity" => Entity::Activity,
        "comment" => Entity::Comment,
        process => Entity::Process(process.strip_prefix("process ")?.parse().ok()?),
    };
    rig.twin.with_portal(|portal| portal.records.get(&entity).map(|table| table.len() as u64))
}

#[test]
fn counts_by_filters_are_those_of_every_record_read_and_of_the_portal_itself() {
    let rig = Rig::new(Portal::acme(0.1, 4), Settings::default());
    let schema = rig.schema();
    let live = rig.live(&schema);
    let workspace = rig.staged(&schema);
    let (exact, _) =
        discovery::staged(&workspace, &schema, "nutshell", &[], today(), &Quiet).expect("counts");
    let (mut compared, mut differ) = (0, Vec::new());
    let mut same = |what: String, live: &Counted, exact: &Counted| {
        if let (Counted::Known(live), Counted::Known(exact)) = (live, exact) {
            compared += 1;
            if live != exact {
                differ.push(format!("{what}: {live} by filters, {exact} read"));
            }
        }
    };
    let names = |objects: &[ObjectCount]| objects.iter().map(|o| o.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&live), names(&exact));
    let (mut unasked, mut seen) = (BTreeMap::new(), 0);
    for (live, exact) in live.iter().zip(&exact) {
        same(exact.name.clone(), &live.records, &exact.records);
        let Some(there) = there(&rig, &exact.name) else { continue };
        assert_eq!(exact.records, Counted::Known(there), "{}", exact.name);
        seen += 1;
        let sum: u64 = exact.years.iter().filter_map(|year| year.records.known()).sum();
        assert_eq!(sum, there, "{} by year", exact.name);
        for (a, b) in live.years.iter().zip(&exact.years) {
            assert_eq!(a.year, b.year);
            same(format!("{} {}", exact.name, a.year), &a.records, &b.records);
        }
        for (a, b) in live.fields.iter().zip(&exact.fields) {
            same(format!("{}.{}", exact.name, a.name), &a.filled, &b.filled);
            if a.filled.known().is_none() {
                *unasked.entry(exact.name.clone()).or_insert(0) += 1;
            }
        }
        let codes = live.kinds.iter().zip(&exact.kinds).chain(live.currencies.iter().zip(&exact.currencies));
        for (a, b) in codes {
            same(format!("{} {}", exact.name, a.code), &a.records, &b.records);
        }
        if let (Some(a), Some(b)) = (&live.open, &exact.open) {
            same(format!("{} open", exact.name), a, b);
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
    assert!(compared > 400 && seen == 9, "{compared} numbers of {seen} objects compared");
    // What filters cannot tell is little, and said.
    assert!(unasked.iter().all(|(object, fields)| object == "comment" || *fields <= 6), "{unasked:?}");
}

#[test]
fn a_report_by_filters_reads_nothing_and_provokes_no_refusal() {
    let rig = Rig::new(Portal::acme(0.1, 4), Settings::default());
    let schema = rig.schema();
    let report = rig.report(&schema, None);
    let log = rig.twin.log();
    assert_eq!((log.refused_rate, log.refused_operating), (0, 0));
    assert!(rig.requests.get() < 60, "{} requests", rig.requests.get());
    assert_eq!(report.requests, rig.requests.get());
    let larger = Rig::new(Portal::acme(0.4, 4), Settings::default());
    larger.report(&larger.schema(), None);
    assert_eq!(larger.requests.get(), rig.requests.get(), "the cost grows with the portal");
}

#[test]
fn what_a_webhook_may_not_ask_is_refused_by_name_with_the_scope() {
    let mut settings = Settings::default();
    settings.scopes.retain(|scope| scope != "bizproc" && scope != "department");
    let rig = Rig::new(Portal::acme(0.05, 4), settings);
    let automation = rig.automation();
    assert_eq!(automation.workflows, None);
    let why = |what: &str| {
        let line = automation.unlisted.iter().find(|line| line.what == what);
        line.map(|line| line.why.clone()).unwrap_or_else(|| panic!("{what}: {automation:?}"))
    };
    assert!(why("workflow templates").contains("scope `bizproc`"), "{automation:?}");
    assert!(why("robots that applications registered").contains("scope `bizproc`"), "{automation:?}");
    let report = rig.report(&rig.schema(), None);
    let beside = &report.about.as_ref().expect("about").beside;
    let told = |name: &str| &beside.iter().find(|line| line.name == name).expect("a line").records;
    assert!(matches!(told("departments"), Counted::Unknown(why) if why.contains("scope `department`")));
    assert!(matches!(told("recurring deals"), Counted::Known(2)));
    let shown = markdown::render(&scope::document(&report, scope::Detail::All));
    assert!(shown.contains("`department`".replace('`', "\\`").as_str()), "{shown}");
    assert!(report.complexity.without.iter().any(|line| line.starts_with("workflows")));
    // A user without rights is told as one.
    let rig = Rig::new(Portal::acme(0.05, 4), Settings { admin: false, ..Settings::default() });
    assert!(rig.automation().workflows.is_none());
}

#[test]
fn smart_invoices_are_a_gap_with_their_number() {
    let told = |portal: Portal| {
        let rig = Rig::new(portal, Settings::default());
        let report = rig.report(&rig.schema(), None);
        let about = report.about.expect("about");
        about.beside.into_iter().find(|line| line.name == "smart invoices").expect("a line")
    };
    let mut portal = Portal::acme(0.05, 4);
    // A portal without them says so in its own words.
    assert!(matches!(told(portal.clone()).records, Counted::Unknown(_)));
    let invoices = Entity::Process(31);
    portal.fields.insert(invoices, portal.fields[&Entity::Process(1032)].clone());
    let some = portal.records[&Entity::Process(1032)].iter().take(5);
    let some = some.map(|(id, record)| (*id, record.clone())).collect();
    portal.records.insert(invoices, some);
    let line = told(portal);
    assert_eq!(line.records, Counted::Known(5));
    assert!(line.fate.starts_with("a gap"), "{}", line.fate);
}

#[test]
fn a_plan_that_the_portal_tells_decides_the_limits_that_time_is_reckoned_by() {
    let mut settings = Settings { license: "de_ent250".to_owned(), ..Settings::default() };
    settings.dialects.app_info_on_webhook = true;
    let rig = Rig::new(Portal::acme(0.05, 4), settings);
    let report = rig.report(&rig.schema(), None);
    let about = report.about.as_ref().expect("about");
    assert_eq!((about.plan.as_deref(), about.bucket), (Some("de_ent250"), Some((250.0, 5.0))));
    assert!(report.time.terms[0].how.ends_with("- 250) / 5)"), "{:?}", report.time.terms[0]);
    let limits = report.cautions.iter().find(|caution| caution.name == "request-limits").expect("a warning");
    assert!(limits.what.contains("250 requests at once and 5 a second"), "{}", limits.what);
    // Terms are all that the sum is made of.
    let sum: f64 = report.complexity.terms.iter().map(|term| term.value).sum();
    assert!((sum - report.complexity.value).abs() < 0.11, "{sum} {}", report.complexity.value);
    let extraction = report.time.terms[..3].iter().map(|term| term.value).fold(0.0, f64::max);
    assert!((extraction + report.time.terms[4].value - report.time.floor_s).abs() < 1e-6);
    assert!((extraction + report.time.terms[5].value - report.time.most_s).abs() < 1e-6);
}

#[test]
fn every_workflow_of_the_portal_is_listed_whatever_their_number() {
    for scale in [0.05, 1.0] {
        let rig = Rig::new(Portal::acme(scale, 9), Settings::default());
        let automation = rig.automation();
        let mut listed: Vec<String> =
            automation.workflows.iter().flatten().map(|workflow| workflow.id.clone()).collect();
        listed.sort();
        let mut there: Vec<String> = rig.twin.with_portal(|portal| {
            portal.workflows.iter().map(|row| row["ID"].as_str().expect("an id").to_owned()).collect()
        });
        there.sort();
        assert_eq!(listed, there);
        let running = rig.twin.with_portal(|portal| portal.running.len() as u64);
        assert_eq!(automation.running, Some(Counted::Known(running)));
        assert!(automation.unlisted.iter().any(|line| line.why.contains("no REST method")));
    }
}

#[test]
fn statistics_from_a_workspace_are_those_of_a_scan_for_every_object() {
    let rig = Rig::new(Portal::acme(0.1, 5), Settings::default());
    let schema = rig.schema();
    let workspace = rig.staged(&schema);
    let mut taken = schema.clone();
    let before = rig.requests.get();
    let without = discovery::statistics(&workspace, &mut taken, &Quiet).expect("statistics");
    assert_eq!((without, rig.requests.get()), (Vec::new(), before), "no request is sent");
    for object in &taken.objects {
        assert!(object.records.is_some(), "{}", object.name);
        assert_eq!(there(&rig, &object.name).or(object.records), object.records, "{}", object.name);
        assert!(object.fields.iter().all(|field| field.stats.is_some()), "{}", object.name);
    }
    let process = taken.pipelines.iter().filter(|pipeline| pipeline.object.starts_with("process "));
    assert!(process.map(|pipeline| pipeline.records.values().sum::<u64>()).sum::<u64>() > 0);
    // The same records in another order give the same file.
    let (first, again) = (snapshot::write(&taken), snapshot::write(&taken.clone()));
    assert_eq!(first, again);
    assert_eq!(taken.hash(), schema.hash(), "the hash is of the schema, statistics apart");
}

#[test]
fn doubles_are_those_of_the_portal_by_number_address_and_name() {
    let mut portal = Portal::acme(0.05, 6);
    let ids: Vec<i64> = portal.records[&Entity::Contact].keys().copied().collect();
    let table = portal.records.get_mut(&Entity::Contact).expect("contacts");
    for record in table.values_mut() {
        for key in ["PHONE", "EMAIL", "NAME", "LAST_NAME"] {
            record.remove(key);
        }
    }
    let multi =
        |value: &str| serde_json::json!([{"ID": "1", "VALUE_TYPE": "WORK", "VALUE": value, "TYPE_ID": "X"}]);
    for (id, phone, email, name) in [
        (ids[0], "+49 30 123456-78", "a@acme.example", "Anna"),
        (ids[1], "0049 (30) 12345678", "b@acme.example", "ANNA"),
        (ids[2], "030 99999999", " B@ACME.example", "Berta"),
    ] {
        let record = table.get_mut(&id).expect("a record");
        record.insert("PHONE".to_owned(), multi(phone));
        record.insert("EMAIL".to_owned(), multi(email));
        record.insert("NAME".to_owned(), Json::from(name));
    }
    let rig = Rig::new(portal, Settings::default());
    let schema = rig.schema();
    let report = rig.report(&schema, Some(&rig.staged(&schema)));
    let of = |by: &str| {
        let line =
            report.doubles.iter().find(|line| line.object == "contact" && line.by == by).expect("a line");
        (line.clusters, line.records, line.largest.clone())
    };
    let pair = |a: usize, b: usize| (1, 2, vec![vec![ids[a].to_string(), ids[b].to_string()]]);
    assert_eq!(of("phone"), pair(0, 1));
    assert_eq!(of("e-mail"), pair(1, 2));
    assert_eq!(of("name"), pair(0, 1));
}

/// Nobody has this in a name, an address or a text.
const MARK: &str = "ZZPLANTED";

/// Writes something unmistakable into every text of every record, and of every user.
fn planted(mut portal: Portal) -> (Portal, u64) {
    const TEXTS: [&str; 8] = [
        "string",
        "text",
        "url",
        "crm_multifield",
        "address",
        "crm_activity_communication",
        "location",
        "product_property",
    ];
    let mut count = 0;
    let mut mark = |value: &mut Json| {
        plant(value, &mut count);
    };
    for (entity, table) in &mut portal.records {
        let fields = portal.fields.get(entity).cloned().unwrap_or_default();
        for record in table.values_mut() {
            for (code, value) in record.iter_mut() {
                let kind = fields.get(code).and_then(|field| field.get("type")).and_then(Json::as_str);
                let text = kind.is_none_or(|kind| TEXTS.contains(&kind));
                if text && !matches!(code.as_str(), "ID" | "ENTITY_TYPE") && !code.ends_with("_ID") {
                    mark(value);
                }
            }
        }
    }
    const BESIDE: [&str; 15] = [
        "TITLE",
        "DESCRIPTION",
        "PHONE_NUMBER",
        "COMMENT",
        "COMMENTS",
        "CALL_RECORD_URL",
        "NAME",
        "CODE",
        "ADDRESS_1",
        "ADDRESS_2",
        "CITY",
        "COUNTRY",
        "REGION",
        "PROVINCE",
        "POSTAL_CODE",
    ];
    for row in portal.tables.values_mut().flat_map(|table| table.values_mut()) {
        for (code, value) in row.iter_mut() {
            if BESIDE.contains(&code.as_str()) || code.starts_with("RQ_") && code != "RQ_ACC_CURRENCY" {
                mark(value);
            }
        }
    }
    for user in portal.users.values_mut() {
        for key in ["NAME", "LAST_NAME", "EMAIL", "WORK_POSITION", "PERSONAL_PHONE"] {
            if let Some(value) = user.get_mut(key) {
                mark(value);
            }
        }
    }
    for workflow in &mut portal.workflows {
        for key in ["TEMPLATE", "PARAMETERS", "VARIABLES", "CONSTANTS"] {
            workflow
                .insert(key.to_owned(), serde_json::json!([format!("{MARK} mail to {MARK}@acme.example")]));
            count += 1;
        }
    }
    for rows in portal.rows.values_mut() {
        for row in rows {
            if let Some(value) = row.get_mut("PRODUCT_NAME") {
                plant(value, &mut count);
            }
        }
    }
    (portal, count)
}

fn plant(value: &mut Json, count: &mut u64) {
    match value {
        Json::String(text) if !text.is_empty() && !matches!(text.as_str(), "P" | "S" | "F") => {
            let address = text.contains('@');
            *text = if address {
                format!("{MARK}{count}@acme.example")
            } else {
                format!("{MARK} +49 30 {count:08}")
            };
            *count += 1;
        }
        Json::Array(items) => {
            for item in items {
                match item.get_mut("VALUE") {
                    Some(inner) => plant(inner, count),
                    None => plant(item, count),
                }
            }
        }
        _ => {}
    }
}

#[test]
fn no_format_holds_a_value_of_a_record() {
    let (portal, count) = planted(Portal::acme(0.05, 8));
    assert!(count > 1_000, "{count} texts were planted");
    let rig = Rig::new(portal, Settings::default());
    let schema = rig.schema();
    let workspace = rig.staged(&schema);
    let contacts = workspace.staged_page("contact", 0, 10).expect("records");
    assert!(contacts.iter().all(|record| String::from_utf8_lossy(&record.json).contains(MARK)));
    for object in ["task", "call", "company_requisite", "company_address", "product_section"] {
        let beside = workspace.staged_page(object, 0, 1_000).expect("records");
        let planted = beside.iter().filter(|record| String::from_utf8_lossy(&record.json).contains(MARK));
        assert!(planted.count() > 0, "nothing of `{object}` was planted");
    }
    let mut taken = schema.clone();
    discovery::statistics(&workspace, &mut taken, &Quiet).expect("statistics");
    let mut outputs = vec![("snapshot".to_owned(), snapshot::write(&taken))];
    let mut add = |name: &str, data: String, document: b2n::lang::doc::Document| {
        outputs.push((format!("{name} json"), data));
        outputs.push((format!("{name} markdown"), markdown::render(&document)));
        outputs.push((format!("{name} html"), html::document(&document)));
        outputs.push((format!("{name} data"), format!("{document:?}")));
    };
    for (name, report) in
        [("live scope", rig.report(&schema, None)), ("exact scope", rig.report(&schema, Some(&workspace)))]
    {
        let data = serde_json::to_string(&report).expect("JSON");
        assert!(data.contains("\"format\":\"b2n-scope/1\""));
        add(name, data.clone(), scope::document(&report, scope::Detail::Custom));
        add(name, data, scope::document(&report, scope::Detail::All));
    }
    let inventory = handover::Inventory {
        format: "b2n-inventory/1",
        account: schema.account.clone(),
        taken: today(),
        automation: rig.automation(),
    };
    add("inventory", serde_json::to_string(&inventory).expect("JSON"), handover::inventory(&inventory));
    let gaps = discovery::gaps(&acme().plan, &taken, None);
    assert!(!gaps.fields.is_empty() && !gaps.schema_maps.is_empty());
    add("gaps", serde_json::to_string(&gaps).expect("JSON"), handover::gaps(&gaps));
    for (name, text) in outputs {
        assert!(text.len() > 500, "{name} says nothing");
        let lower = text.to_lowercase();
        if let Some(at) = lower.find(&MARK.to_lowercase()) {
            let from = at.saturating_sub(200);
            panic!(
                "{name} holds a planted text: …{}",
                String::from_utf8_lossy(&lower.as_bytes()[from..at + 20])
            );
        }
        assert!(!lower.contains("@acme.example"), "{name} holds an address");
    }
    // Free text keeps no histogram, whatever is in it.
    for field in taken.objects.iter().flat_map(|object| &object.fields) {
        let values = field.stats.as_ref().map_or(0, |stats| stats.values.len());
        let counted = matches!(field.ty.base, Base::Enum(_) | Base::Bool | Base::Stage | Base::User);
        assert!(counted || values == 0, "{}", field.name);
    }
}

/// The example of the guide, made anew with `B2N_BLESS=1`.
#[test]
fn the_guide_shows_what_the_program_prints() {
    let rig = Rig::new(Portal::acme(0.2, 1), Settings::default());
    let schema = rig.schema();
    let report = rig.report(&schema, Some(&rig.staged(&schema)));
    let text = markdown::render(&scope::document(&report, scope::Detail::Custom));
    // Names of commands stand as code there, as everywhere in the book.
    let text = text.replace("\\`", "`");
    let body: String = text
        .lines()
        .skip(1)
        .map(|line| if line.starts_with("##") { format!("##{line}\n") } else { format!("{line}\n") })
        .collect();
    let path = root().join("book/src/guide/scope.md");
    let page = std::fs::read_to_string(&path).expect("the page");
    let (begin, end) = ("<!-- the example begins -->\n", "<!-- the example ends -->");
    let (before, rest) = page.split_once(begin).expect("the example begins");
    let (_, after) = rest.split_once(end).expect("the example ends");
    let made = format!("{before}{begin}{body}{end}{after}");
    if std::env::var_os("B2N_BLESS").is_some_and(|value| !value.is_empty()) {
        std::fs::write(&path, made).expect("writes");
        return;
    }
    assert!(
        page == made,
        "the example is not what the program prints: B2N_BLESS=1 cargo test --test it scope"
    );
}
