//! The discovery report: what a source holds, what keeps a migration from being simple, and how long it may take; from
//! counts by filters, or exact from a workspace.
//!
//! Owns one machine-readable result ([`Discovery`]) that every format is written from. It holds counts, ids of records
//! and users, and names of settings; no value of any record, so that it can be shown to anybody.

mod doubles;
mod gaps;
mod grade;
mod live;
mod objects;
mod staged;

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Serialize;

use crate::lang::schema::{Schema, User};
use crate::run::connect::survey::{self, About, Caution, Counted, Facts, Roles, Volume};
use crate::run::connect::{Limits, roles};

use super::forecast::{Floor, outline};

pub use doubles::Doubles;
pub use gaps::{ByHand, Gaps, LeftField, LeftObject, Unwritten, Upload, gaps};
pub use grade::{Grade, Term};
pub use live::live;
pub use objects::{Relation, SchemaMap, Verdict, schema_map, verdict};
pub use staged::{stage_counts, staged, statistics};

/// The version of the report that programs read.
pub const FORMAT: &str = "b2n-scope/1";

/// Where the numbers come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// The source counted by filters; no record was read.
    Live,
    /// Records that were staged in a workspace, every one of them.
    Workspace,
}

/// Records of one year.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Year {
    /// `2024`, `before 2017 or without a date`, `after 2027`.
    pub year: String,
    /// Records made in it.
    pub records: Counted,
}

/// A field and how often it is filled.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldCount {
    /// Its name.
    pub name: String,
    /// What people call it.
    pub title: Option<String>,
    /// Its type, as specs write it.
    #[serde(rename = "type")]
    pub ty: String,
    /// Whether the customer made it.
    pub custom: bool,
    /// Records in which it has a value.
    pub filled: Counted,
    /// How well the destination holds values of its type.
    pub held: survey::Holds,
    /// Why not as they are.
    pub because: &'static str,
}

/// Records with one code in a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CodeCount {
    /// The code.
    pub code: String,
    /// What people call it.
    pub title: Option<String>,
    /// How many.
    pub records: Counted,
}

/// An object.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ObjectCount {
    /// Its name in specs.
    pub name: String,
    /// What people call it.
    pub title: Option<String>,
    /// How many records there are.
    pub records: Counted,
    /// By the year in which they were made.
    pub years: Vec<Year>,
    /// Its fields.
    pub fields: Vec<FieldCount>,
    /// By kind, where it has kinds.
    pub kinds: Vec<CodeCount>,
    /// By currency, where it has one.
    pub currencies: Vec<CodeCount>,
    /// Records that are not at their end, where that can be told.
    pub open: Option<Counted>,
    /// Why it cannot be read.
    pub refused: Option<String>,
    /// Records by the id of their owner, of users that the destination does not have.
    #[serde(skip)]
    pub owned: BTreeMap<String, Counted>,
}

/// A user of the source and who that is in the destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OwnerLine {
    /// The user's id in the source.
    pub user: String,
    /// Whether somebody still works under it.
    pub active: bool,
    /// The user's id in the destination.
    pub to: Option<String>,
    /// Why there is none.
    pub why: Option<&'static str>,
    /// Records that the user owns, where nobody was found.
    pub records: Option<Counted>,
}

/// The users, held against those of the destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Owners {
    /// Why they were not compared.
    pub not_compared: Option<String>,
    /// Every user, by id.
    pub users: Vec<OwnerLine>,
}

impl Owners {
    /// Users that were found in the destination.
    pub fn matched(&self) -> usize {
        self.users.iter().filter(|line| line.to.is_some()).count()
    }

    /// Users that were not.
    pub fn unmatched(&self) -> impl Iterator<Item = &OwnerLine> {
        self.users.iter().filter(|line| line.to.is_none())
    }
}

/// A pipeline with the records in its stages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PipelineCount {
    /// The object that runs through it.
    pub object: String,
    /// Its name.
    pub name: String,
    /// Its stages.
    pub stages: u64,
}

/// How long a run takes at least and at most, with what it was reckoned by.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Time {
    /// By a plan, or by one write for every record that can be read.
    pub by: &'static str,
    /// What no run can be below, in seconds.
    pub floor_s: f64,
    /// What it may come to, in seconds.
    pub most_s: f64,
    /// What one more scan for a snapshot's statistics costs, in seconds; nothing with `snapshot --from`.
    pub scan_s: f64,
    /// Every term.
    pub terms: Vec<Term>,
    /// Objects whose records nobody has counted: their time is missing.
    pub without: Vec<String>,
}

/// The whole report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Discovery {
    /// Its version.
    pub format: &'static str,
    /// The account.
    pub account: String,
    /// The day it was made, in UTC.
    pub taken: Option<Date>,
    /// Where the numbers come from.
    pub how: How,
    /// Requests that were sent to make it.
    pub requests: u64,
    /// What the account allows; `None` where it was not asked.
    pub about: Option<About>,
    /// Every object, by name.
    pub objects: Vec<ObjectCount>,
    /// Records that occur twice.
    pub doubles: Vec<Doubles>,
    /// Why doubles were not looked for.
    pub doubles_note: Option<String>,
    /// Users.
    pub owners: Owners,
    /// Pipelines.
    pub pipelines: Vec<PipelineCount>,
    /// Objects that the customer made: simple or complex.
    pub verdicts: Vec<Verdict>,
    /// Every warning.
    pub cautions: Vec<Caution>,
    /// How much of what is filled the destination can hold.
    pub compatibility: Grade,
    /// How much work it is.
    pub complexity: Grade,
    /// How long it takes.
    pub time: Time,
}

/// What a report is made of.
pub struct Input<'a> {
    /// The source's schema; its users hashed with the same salt as the destination's.
    pub schema: &'a Schema,
    /// The connector of the destination.
    pub target: &'a str,
    /// What the source tells of itself.
    pub about: Option<About>,
    /// The objects as they were counted.
    pub objects: Vec<ObjectCount>,
    /// Doubles, or why they were not looked for.
    pub doubles: Result<Vec<Doubles>, String>,
    /// Users of the destination, or why it was not asked.
    pub users: Result<&'a [User], String>,
    /// How fast both systems are.
    pub limits: Limits,
    /// The floor and the most of a plan; by one write for each record without one.
    pub planned: Option<(Floor, Floor)>,
    /// Workflows that somebody must rebuild.
    pub workflows: Option<u64>,
    /// The day, in UTC.
    pub today: Date,
    /// Where the numbers come from.
    pub how: How,
    /// Requests that were sent.
    pub requests: u64,
}

/// Puts a report together. Pure.
pub fn report(input: Input<'_>) -> Discovery {
    let Input { schema, target, about, objects, doubles, users, limits, planned, workflows, .. } = input;
    let mut about = about;
    if let Some(about) = &mut about {
        // What is an object of its own is counted there.
        about.beside.retain(|line| schema.object(line.object).is_none_or(|object| object.fields.is_empty()));
    }
    let owners = owners(schema, &users, &objects);
    let verdicts: Vec<Verdict> = schema
        .objects
        .iter()
        .filter(|object| roles(&schema.connector, &object.name).own && !object.fields.is_empty())
        .map(|object| verdict(schema, object, objects.iter().find(|o| o.name == object.name)))
        .collect();
    let pipelines = pipelines(schema);
    let facts = facts(schema, &objects, about.as_ref(), &pipelines);
    let cautions = survey::cautions(&schema.connector, target, &facts);
    let compatibility = grade::compatibility(&objects);
    let complexity = grade::complexity(&grade::Work {
        objects: &objects,
        verdicts: &verdicts,
        pipelines: &pipelines,
        owners: &owners,
        doubles: doubles.as_deref().ok(),
        workflows,
    });
    let mut limits = limits;
    if let Some((burst, drain)) = about.as_ref().and_then(|about| about.bucket) {
        (limits.burst, limits.drain_per_s) = (burst, drain);
    }
    let time = time(&objects, &limits, planned);
    let (doubles, doubles_note) = match doubles {
        Ok(doubles) => (doubles, None),
        Err(why) => (Vec::new(), Some(why)),
    };
    Discovery {
        format: FORMAT,
        account: schema.account.clone(),
        taken: Some(input.today),
        how: input.how,
        requests: input.requests,
        about,
        objects,
        doubles,
        doubles_note,
        owners,
        pipelines,
        verdicts,
        cautions,
        compatibility,
        complexity,
        time,
    }
}

/// Users of the source that are not in the destination, as far as that was asked.
pub fn unmatched_users(schema: &Schema, there: &[User]) -> Vec<String> {
    let known = |user: &&User| user.email_hash.as_ref().is_some_and(|hash| partner(there, hash).is_some());
    schema.users.iter().filter(|user| !known(user)).map(|user| user.id.clone()).collect()
}

fn partner<'u>(there: &'u [User], hash: &str) -> Option<&'u User> {
    there.iter().find(|user| user.email_hash.as_deref() == Some(hash))
}

fn owners(schema: &Schema, users: &Result<&[User], String>, objects: &[ObjectCount]) -> Owners {
    let line = |user: &User| {
        let (to, why) = match (users, &user.email_hash) {
            (Err(_), _) => (None, Some("the destination was not asked")),
            (Ok(_), None) => (None, Some("the user has no e-mail address")),
            (Ok(there), Some(hash)) => match partner(there, hash) {
                Some(there) => (Some(there.id.clone()), None),
                None => (None, Some("nobody there has this e-mail address")),
            },
        };
        let owned: Vec<&Counted> = objects.iter().filter_map(|object| object.owned.get(&user.id)).collect();
        let records = match owned.iter().find(|counted| counted.known().is_none()) {
            _ if owned.is_empty() || to.is_some() => None,
            Some(unknown) => Some((*unknown).clone()),
            None => Some(Counted::Known(owned.iter().filter_map(|counted| counted.known()).sum())),
        };
        OwnerLine { user: user.id.clone(), active: user.active, to, why, records }
    };
    Owners { not_compared: users.as_ref().err().cloned(), users: schema.users.iter().map(line).collect() }
}

fn pipelines(schema: &Schema) -> Vec<PipelineCount> {
    let one = |pipeline: &crate::lang::schema::Pipeline| PipelineCount {
        object: pipeline.object.clone(),
        name: pipeline.name.clone(),
        stages: pipeline.stages.len() as u64,
    };
    schema.pipelines.iter().map(one).collect()
}

fn facts<'a>(
    schema: &Schema,
    objects: &[ObjectCount],
    about: Option<&'a About>,
    pipelines: &[PipelineCount],
) -> Facts<'a> {
    let of = |object: &ObjectCount| roles(&schema.connector, &object.name);
    let sum = |volume: Volume| -> Option<u64> {
        let these = objects.iter().filter(|object| of(object).volume == Some(volume));
        these.map(|object| object.records.known()).sum()
    };
    let open = objects.iter().filter(|object| of(object).volume == Some(Volume::Deals));
    let deals: Vec<&str> = open.clone().map(|object| object.name.as_str()).collect();
    let custom = |object: &ObjectCount| object.fields.iter().filter(|field| field.custom).count() as u64;
    Facts {
        about,
        people: sum(Volume::People),
        deals: sum(Volume::Deals),
        open_deals: open.map(|object| object.open.as_ref().and_then(Counted::known)).sum(),
        activities: sum(Volume::Activities),
        own_objects: objects.iter().filter(|object| of(object).own).count() as u64,
        pipelines: pipelines.iter().filter(|line| deals.contains(&line.object.as_str())).count() as u64,
        custom_fields: objects.iter().map(custom).sum(),
    }
}

/// The duration, by a plan or by one write for every record.
fn time(objects: &[ObjectCount], limits: &Limits, planned: Option<(Floor, Floor)>) -> Time {
    let counts: BTreeMap<String, u64> =
        objects.iter().filter_map(|object| Some((object.name.clone(), object.records.known()?))).collect();
    let without = objects.iter().filter(|o| o.records.known().is_none()).map(|o| o.name.clone()).collect();
    let by = if planned.is_some() { "the plan" } else { "one write for every record that can be read" };
    let alone = outline(&counts, limits);
    let scan_s = alone.0.extraction_s();
    let (floor, most) = planned.unwrap_or(alone);
    let term = |name: &str, how: String, value: f64| Term { name: name.to_owned(), how, value };
    let mut terms = vec![
        term(
            "extraction: requests",
            format!("max(0, ({} - {}) / {})", floor.requests, limits.burst, limits.drain_per_s),
            floor.rate_s,
        ),
        term(
            "extraction: running time of the busiest method",
            format!("600 * (ceil(work / {}) - 1)", limits.operating_s),
            floor.operating_s,
        ),
        term(
            "extraction: the server's own work",
            format!("pages of {} records * {} s", limits.page, limits.page_s),
            floor.server_s,
        ),
        term("extraction", "the largest of the three".to_owned(), floor.extraction_s()),
    ];
    let phases = floor.phases.iter().map(|phase| phase.calls()).sum::<u64>() + floor.end.calls();
    let loading = format!(
        "max({phases} / {}, {phases} * {} / {})",
        limits.rate_per_s, limits.latency_s, limits.in_flight
    );
    terms.push(term("loading, at least", loading, floor.loading_s()));
    let phases = most.phases.iter().map(|phase| phase.calls()).sum::<u64>() + most.end.calls();
    let loading = format!(
        "max({phases} / {}, {phases} * {} / {})",
        limits.rate_per_s, limits.latency_s, limits.in_flight
    );
    terms.push(term("loading, at most", loading, most.loading_s()));
    Time { by, floor_s: floor.total_s(), most_s: most.total_s(), scan_s, terms, without }
}

/// The fields of an object with nothing counted yet.
fn fields(
    target: &str,
    object: &crate::lang::schema::Object,
    filled: impl Fn(usize) -> Counted,
) -> Vec<FieldCount> {
    let one = |(slot, field): (usize, &crate::lang::schema::Field)| {
        let (held, because) = survey::holds(target, &field.ty);
        FieldCount {
            name: field.name.clone(),
            title: field.title.clone(),
            ty: field.ty.to_string(),
            custom: field.custom,
            filled: filled(slot),
            held,
            because,
        }
    };
    object.fields.iter().enumerate().map(one).collect()
}

/// The codes of a field's enumeration with their titles.
fn codes<'s>(
    schema: &'s Schema,
    object: &crate::lang::schema::Object,
    field: &str,
) -> Vec<&'s crate::lang::schema::Choice> {
    match object.field(field).map(|field| &field.ty.base) {
        Some(crate::lang::types::Base::Enum(domain)) => {
            schema.domains.get(domain).map(|domain| domain.choices.iter().collect()).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

/// How many years are told apart.
const YEARS: i16 = 10;

/// The first and the last year that are told apart, on this day.
fn years(today: Date) -> std::ops::RangeInclusive<i16> {
    today.year() - (YEARS - 1)..=today.year()
}

/// An object that cannot be read.
fn refused(object: &crate::lang::schema::Object) -> ObjectCount {
    let why = object.hint.clone().unwrap_or_else(|| "the source describes no fields of it".to_owned());
    ObjectCount {
        name: object.name.clone(),
        title: object.title.clone(),
        records: Counted::Unknown(why.clone()),
        years: Vec::new(),
        fields: Vec::new(),
        kinds: Vec::new(),
        currencies: Vec::new(),
        open: None,
        refused: Some(why),
        owned: BTreeMap::new(),
    }
}

/// The fields of an object that exist, of those its roles name.
fn there(object: &crate::lang::schema::Object, roles: Roles) -> Roles {
    let has = |name: &'static str| object.field(name).map(|_| name);
    Roles {
        created: roles.created.and_then(has),
        owner: roles.owner.and_then(has),
        currency: roles.currency.and_then(has),
        open: roles.open.filter(|(name, _)| object.field(name).is_some()),
        kind: roles.kind.and_then(has),
        phones: roles.phones.and_then(has),
        emails: roles.emails.and_then(has),
        ..roles
    }
}
