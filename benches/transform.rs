//! One job, NDJSON to NDJSON, by b2n and by a program that somebody wrote by hand for it on serde_json: the same bytes
//! out, on one core each. The conversions themselves (phones, e-mail addresses, dates) are the same library calls on
//! both sides, so that what is compared is the way of the data.
//!
//! The same with what each field comes from, which is held against itself without: the last line tells what that costs.
//!
//! `cargo bench --bench transform`; compare the figures within one run, since machines differ.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::borrow::Cow;
use std::collections::HashMap;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant as Clock};

use b2n::lang::check::{self, Input};
use b2n::lang::eval::{Hit, Outcome, Output, Program, Provenance};
use b2n::lang::plan::Plan;
use b2n::lang::schema::{Schema, snapshot};
use b2n::lang::syntax;
use b2n::lang::text::SourceText;
use b2n::lang::value::contact::{self, PhoneRegion};
use b2n::lang::value::{AsJson, Instant};
use b2n::run::connect::{self, Decode};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Serialize, Serializer};

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SPEC: &str = r#"edition 2026
source bitrix24 "schema/bitrix24.yaml"
target nutshell "schema/nutshell.yaml"
zone "Europe/Moscow"
owners {
  match by email
  otherwise  => "ops@acme.example"  flag "owner not found"
}
table kinds : enum(PHONE_TYPE) -> text {
  "WORK"    => "work"
  "MOBILE"  => "mobile"
  "HOME"    => "home"
  "FAX", "PAGER", "MAILING", "OTHER" => "other"  merged because "a job for a benchmark"
  _ unseen  => "other"
}
table types : enum(CONTACT_TYPE) -> text {
  "CLIENT"    => "Customer"
  "SUPPLIER"  => "Vendor"
  "PARTNER"   => "Partner"
  "OTHER"     => "Other"
  _ unseen    => "Other"
}
map contact -> Contact {
  key ID
  name      <- person_name(NAME, LAST_NAME)  else first(EMAIL)  else "Contact {ID}"
  owner     <- user(ASSIGNED_BY_ID)
  email     <- EMAIL.each(email)        on fail flag "not an e-mail address"
  phone     <- PHONE.each(phone("US"))  labelled kinds[VALUE_TYPE]  on fail flag "not a phone number"
  accounts  <- refs company(COMPANY_IDS)  on unmigrated flag "company left out"
  custom "Position"  text    <- POST
  custom "Place"  text       <- join(", ", [ADDRESS_CITY, ADDRESS_REGION, ADDRESS_PROVINCE])
  custom "Messenger"  text   <- UF_CRM_1690000020
  custom "Kind"  text        <- types[TYPE_ID]
  custom "Made on"  date     <- DATE_CREATE.date()  narrowed because "days, not times"
"#;

struct Job {
    source: Schema,
    plan: Plan,
    lines: Vec<Vec<u8>>,
}

fn text(path: &Path) -> SourceText {
    SourceText::from_bytes(path.display().to_string(), &std::fs::read(path).unwrap()).unwrap()
}

/// The plan of the job. Fields that it does not read are dropped, which costs nothing at run time.
fn job() -> Job {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/acme");
    let source = snapshot::read(&text(&folder.join("schema/bitrix24.yaml"))).unwrap();
    let target = snapshot::read(&text(&folder.join("schema/nutshell.yaml"))).unwrap();
    let dropped = |object: &str, kept: &str| -> String {
        let word = |name: &str| kept.split(|c: char| !c.is_alphanumeric() && c != '_').any(|w| w == name);
        let fields = source.object(object).unwrap().fields.iter();
        let gone: Vec<&str> = fields.map(|field| field.name.as_str()).filter(|name| !word(name)).collect();
        format!("  drop {} declined \"not in this job\"\n}}\n", gone.join(", "))
    };
    let company =
        "map company -> Account {\n  key ID\n  name <- TITLE else \"-\"\n  owner <- user(ASSIGNED_BY_ID)\n";
    let mut spec = SPEC.to_owned();
    spec.push_str(&dropped("contact", SPEC));
    spec.push_str(company);
    spec.push_str(&dropped("company", company));
    let spec = SourceText::new("job.b2n", spec);
    let (tree, found) = syntax::parse(&spec);
    let checked = check::check(&Input {
        spec: &tree,
        text: &spec,
        source: Some(&source),
        target: Some(&target),
        source_hash: "s",
        target_hash: "t",
        source_name: "s",
        target_name: "t",
        today: source.taken.unwrap(),
        broken: &check::broken(&found),
    });
    let told: Vec<String> = checked.findings.iter().map(|f| format!("{} {}", f.code, f.message)).collect();
    let plan = checked.plan.unwrap_or_else(|| panic!("{}", told.join("\n")));
    let golden = std::fs::read(folder.join("golden/contact.in.ndjson")).unwrap();
    let lines: Vec<Vec<u8>> =
        golden.split(|b| *b == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect();
    Job { source, plan, lines }
}

/// What `b2n transform` does per record.
struct ByPlan<'a> {
    plan: &'a Plan,
    program: Program,
    decoder: Box<dyn Decode>,
    provenance: Provenance,
    map: usize,
    maps: Vec<String>,
}

impl<'a> ByPlan<'a> {
    fn new(job: &'a Job) -> Self {
        let map = job.plan.maps.iter().position(|map| map.name == "contact").unwrap();
        ByPlan {
            plan: &job.plan,
            provenance: Provenance::new(&job.plan, map),
            program: Program::compile(&job.plan).unwrap(),
            decoder: connect::decoder("bitrix24", &job.source, "contact").unwrap(),
            map,
            maps: job.plan.maps.iter().map(|map| map.name.clone()).collect(),
        }
    }

    fn line(&self, line: &[u8], out: &mut Vec<u8>) {
        let record = self.decoder.decode(line).unwrap();
        let Outcome::Record(output) = self.program.run(self.map, &record) else { panic!("not written") };
        serde_json::to_writer(&mut *out, &Shown { job: self, output: &output }).unwrap();
        out.push(b'\n');
    }

    /// With `--provenance`.
    fn traced(&self, line: &[u8], hits: &mut Vec<Hit>, out: &mut Vec<u8>) {
        let record = self.decoder.decode(line).unwrap();
        hits.clear();
        let outcome = self.program.run_watched(self.map, &record, &[], hits);
        let Outcome::Record(output) = outcome else { panic!("not written") };
        serde_json::to_writer(&mut *out, &Shown { job: self, output: &output }).unwrap();
        out.pop();
        out.extend_from_slice(br#","from":"#);
        self.provenance.write(hits, out);
        out.extend_from_slice(b"}\n");
    }
}

struct Shown<'a> {
    job: &'a ByPlan<'a>,
    output: &'a Output,
}

struct Fields<'a>(&'a Shown<'a>);

#[derive(Serialize)]
struct FlagLine<'a> {
    field: Cow<'a, str>,
    why: &'a str,
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut line = to.serialize_map(None)?;
        line.serialize_entry("fields", &Fields(self))?;
        let flag = |flag: &'_ b2n::lang::eval::Flag| {
            (flag.rule.target(self.job.plan, self.job.map).unwrap(), flag.why.clone())
        };
        if !self.output.flags.is_empty() {
            let flags: Vec<_> = self.output.flags.iter().map(flag).collect();
            let flags: Vec<FlagLine<'_>> =
                flags.iter().map(|(field, why)| FlagLine { field: field.into(), why }).collect();
            line.serialize_entry("flags", &flags)?;
        }
        line.end()
    }
}

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Shown { job, output } = self.0;
        let present = job.plan.maps[job.map].targets.iter().zip(&output.values);
        let json = |value| -> AsJson<'_> { b2n::lang::value::Value::as_json(value, &job.maps, &[]) };
        to.collect_map(
            present
                .filter(|(_, value)| !value.is_absent())
                .map(|(target, value)| (&target.name, json(value))),
        )
    }
}

// ── The same by hand ────────────────────────────────────────────────────────────────────────────────────────────

#[derive(Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
struct Contact<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    last_name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    post: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    address_city: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    address_region: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    address_province: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "UF_CRM_1690000020")]
    messenger: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    type_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    assigned_by_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    date_create: Cow<'a, str>,
    #[serde(borrow, default)]
    email: Vec<Multi<'a>>,
    #[serde(borrow, default)]
    phone: Vec<Multi<'a>>,
    #[serde(default)]
    company_ids: Vec<Link>,
}

#[derive(Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
struct Multi<'a> {
    #[serde(borrow)]
    value: Cow<'a, str>,
    #[serde(borrow)]
    value_type: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Link {
    id: u64,
}

struct ByHand {
    /// The destination's user, and why the record is listed for a person.
    owners: HashMap<String, (String, Option<String>)>,
    otherwise: String,
    region: PhoneRegion,
    /// Fields in the order in which they are printed.
    order: Vec<String>,
}

#[derive(Serialize)]
struct Named<'a> {
    given: &'a str,
    family: &'a str,
}

#[derive(Serialize)]
struct Labelled<'a> {
    value: &'a str,
    label: &'a str,
}

fn filled<'a>(text: &'a Option<Cow<'_, str>>) -> Option<&'a str> {
    text.as_deref().filter(|text| !text.is_empty())
}

impl ByHand {
    fn new(job: &Job) -> ByHand {
        let map = job.plan.maps.iter().find(|map| map.name == "contact").unwrap();
        ByHand {
            owners: job
                .plan
                .owners
                .users
                .iter()
                .map(|(id, to)| (id.clone(), (to.user.clone(), to.flag.clone())))
                .collect(),
            otherwise: job.plan.owners.otherwise.user.clone(),
            region: PhoneRegion::parse("US").unwrap(),
            order: map.targets.iter().map(|target| target.name.clone()).collect(),
        }
    }

    fn line(&self, line: &[u8], out: &mut Vec<u8>) {
        let contact: Contact<'_> = serde_json::from_slice(line).unwrap();
        let made = Made::new(self, &contact);
        serde_json::to_writer(&mut *out, &made).unwrap();
        out.push(b'\n');
    }
}

struct Made<'a> {
    job: &'a ByHand,
    contact: &'a Contact<'a>,
    emails: Vec<compact_str::CompactString>,
    phones: Vec<(compact_str::CompactString, &'static str)>,
    owner: &'a str,
    place: String,
    day: jiff::civil::Date,
    flags: Vec<FlagLine<'a>>,
}

impl<'a> Made<'a> {
    fn new(job: &'a ByHand, contact: &'a Contact<'a>) -> Made<'a> {
        let mut flags = Vec::new();
        let flag = |field: &'static str, why| FlagLine { field: Cow::Borrowed(field), why };
        let owner = match filled(&contact.assigned_by_id).and_then(|id| job.owners.get(id)) {
            Some((owner, why)) => {
                flags.extend(why.as_deref().map(|why| flag("owner", why)));
                owner
            }
            None => {
                flags.push(flag("owner", "owner not found"));
                &job.otherwise
            }
        };
        let mut emails = Vec::with_capacity(contact.email.len());
        for email in contact.email.iter().filter(|email| !email.value.is_empty()) {
            match contact::email(&email.value) {
                Some(email) => emails.push(email),
                None => flags.push(flag("email", "not an e-mail address")),
            }
        }
        let mut phones = Vec::with_capacity(contact.phone.len());
        for phone in contact.phone.iter().filter(|phone| !phone.value.is_empty()) {
            let label = match &*phone.value_type {
                "WORK" => "work",
                "MOBILE" => "mobile",
                "HOME" => "home",
                _ => "other",
            };
            match contact::phone(&phone.value, Some(job.region)) {
                Some(number) => phones.push((number, label)),
                None => flags.push(flag("phone", "not a phone number")),
            }
        }
        let mut place = String::new();
        for part in [&contact.address_city, &contact.address_region, &contact.address_province] {
            let Some(part) = filled(part) else { continue };
            if !place.is_empty() {
                place.push_str(", ");
            }
            place.push_str(part);
        }
        let day = Instant::parse(&contact.date_create).unwrap().date();
        Made { job, contact, emails, phones, owner, place, day, flags }
    }
}

impl Serialize for Made<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut line = to.serialize_map(None)?;
        line.serialize_entry("fields", &MadeFields(self))?;
        if !self.flags.is_empty() {
            line.serialize_entry("flags", &self.flags)?;
        }
        line.end()
    }
}

struct MadeFields<'a>(&'a Made<'a>);

impl Serialize for MadeFields<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Made { job, contact, emails, phones, owner, place, day, .. } = self.0;
        let mut map = to.serialize_map(None)?;
        for field in &job.order {
            match field.as_str() {
                "name" => {
                    let given = filled(&contact.name).unwrap_or_default().trim();
                    let family = filled(&contact.last_name).unwrap_or_default().trim();
                    if !given.is_empty() || !family.is_empty() {
                        map.serialize_entry("name", &Named { given, family })?;
                    } else if let Some(email) = contact.email.iter().find(|email| !email.value.is_empty()) {
                        map.serialize_entry("name", &email.value)?;
                    } else {
                        map.serialize_entry("name", &format_args!("Contact {}", contact.id))?;
                    }
                }
                "owner" => map.serialize_entry("owner", owner)?,
                "email" if !emails.is_empty() => map.serialize_entry("email", emails)?,
                "phone" if !phones.is_empty() => map.serialize_entry("phone", &Phones(phones))?,
                "accounts" if !contact.company_ids.is_empty() => {
                    map.serialize_entry("accounts", &Accounts(&contact.company_ids))?;
                }
                "Position" => {
                    if let Some(post) = filled(&contact.post) {
                        map.serialize_entry("Position", post)?;
                    }
                }
                "Place" if !place.is_empty() => map.serialize_entry("Place", place)?,
                "Messenger" => {
                    if let Some(messenger) = filled(&contact.messenger) {
                        map.serialize_entry("Messenger", messenger)?;
                    }
                }
                "Kind" => {
                    let kind = filled(&contact.type_id).map(|kind| match kind {
                        "CLIENT" => "Customer",
                        "SUPPLIER" => "Vendor",
                        "PARTNER" => "Partner",
                        _ => "Other",
                    });
                    if let Some(kind) = kind {
                        map.serialize_entry("Kind", kind)?;
                    }
                }
                "Made on" => map.serialize_entry("Made on", &format_args!("{day}"))?,
                _ => {}
            }
        }
        map.end()
    }
}

struct Phones<'a>(&'a [(compact_str::CompactString, &'static str)]);

impl Serialize for Phones<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut list = to.serialize_seq(Some(self.0.len()))?;
        for (value, label) in self.0 {
            list.serialize_element(&Labelled { value, label })?;
        }
        list.end()
    }
}

struct Accounts<'a>(&'a [Link]);

impl Serialize for Accounts<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut list = to.serialize_seq(Some(self.0.len()))?;
        for link in self.0 {
            list.serialize_element(&Account(link))?;
        }
        list.end()
    }
}

struct Account<'a>(&'a Link);

impl Serialize for Account<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(2))?;
        map.serialize_entry("map", "company")?;
        map.serialize_entry("key", &format_args!("{}", self.0.id))?;
        map.end()
    }
}

fn transform(c: &mut Criterion) {
    let job = job();
    let (by_plan, by_hand) = (ByPlan::new(&job), ByHand::new(&job));
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for line in &job.lines {
        a.clear();
        b.clear();
        by_plan.line(line, &mut a);
        by_hand.line(line, &mut b);
        assert_eq!(String::from_utf8_lossy(&a), String::from_utf8_lossy(&b));
    }
    let rounds = 10_000 / job.lines.len();
    let mut group = c.benchmark_group("contacts, NDJSON to NDJSON on one core");
    group.sample_size(20);
    group.throughput(Throughput::Elements((rounds * job.lines.len()) as u64));
    let mut out = Vec::with_capacity(1 << 20);
    group.bench_function("b2n", |bench| {
        bench.iter(|| {
            out.clear();
            for line in (0..rounds).flat_map(|_| &job.lines) {
                by_plan.line(line, &mut out);
            }
            black_box(out.len())
        })
    });
    let mut hits = Vec::new();
    group.bench_function("b2n, with provenance", |bench| {
        bench.iter(|| {
            out.clear();
            for line in (0..rounds).flat_map(|_| &job.lines) {
                by_plan.traced(line, &mut hits, &mut out);
            }
            black_box(out.len())
        })
    });
    group.bench_function("by hand on serde_json", |bench| {
        bench.iter(|| {
            out.clear();
            for line in (0..rounds).flat_map(|_| &job.lines) {
                by_hand.line(line, &mut out);
            }
            black_box(out.len())
        })
    });
    group.finish();
    cost_of_provenance(&job, &by_plan, rounds);
}

/// Turns of both in alternation, so that what else the machine does meets both alike.
fn cost_of_provenance(job: &Job, by_plan: &ByPlan<'_>, rounds: usize) {
    const TURNS: usize = 101;
    let (mut hits, mut out) = (Vec::new(), Vec::with_capacity(1 << 24));
    let mut ratios: Vec<f64> = Vec::with_capacity(TURNS);
    let (mut least_off, mut least_on) = (Duration::MAX, Duration::MAX);
    let mut bytes = (0, 0);
    for _ in 0..TURNS {
        out.clear();
        let start = Clock::now();
        (0..rounds).flat_map(|_| &job.lines).for_each(|line| by_plan.line(line, &mut out));
        let off = start.elapsed();
        bytes.0 = black_box(out.len());
        out.clear();
        let start = Clock::now();
        (0..rounds).flat_map(|_| &job.lines).for_each(|line| by_plan.traced(line, &mut hits, &mut out));
        let on = start.elapsed();
        bytes.1 = black_box(out.len());
        ratios.push(on.as_secs_f64() / off.as_secs_f64());
        (least_off, least_on) = (least_off.min(off), least_on.min(on));
    }
    ratios.sort_by(f64::total_cmp);
    let records = (rounds * job.lines.len()) as f64;
    println!(
        "provenance on to off: {:.3} times the time by the median of {TURNS} pairs, {:.3} by the fastest of each \
         ({:.2} µs to {:.2} µs a record, {} to {} bytes a record)",
        ratios[TURNS / 2],
        least_on.as_secs_f64() / least_off.as_secs_f64(),
        least_on.as_secs_f64() / records * 1e6,
        least_off.as_secs_f64() / records * 1e6,
        bytes.1 / records as usize,
        bytes.0 / records as usize,
    );
}

criterion_group!(benches, transform);
criterion_main!(benches);
