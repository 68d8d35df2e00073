//! The table of methods, and what passes between it and the handlers.

use std::collections::BTreeMap;

use jiff::tz::Offset;
use serde_json::{Value, json};

use super::php::Php;
use super::portal::{Entity, Link, Portal};
use super::settings::Settings;
use super::{
    account, automation, classic, directory, files, item, links, lookups, rows, tables, timeline, write,
};

/// What a method gives back before `total` and `next` are hoisted out of it.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) result: Value,
    pub(super) total: Option<i64>,
    pub(super) next: Option<i64>,
    /// Rows served, for time and bookkeeping.
    pub(super) rows: usize,
    /// Rows that the server had to count for `total`.
    pub(super) counted: usize,
}

impl Answer {
    /// A bare result.
    pub(super) fn of(result: impl Into<Value>) -> Self {
        Answer { result: result.into(), ..Answer::default() }
    }

    /// A list that comes whole.
    pub(super) fn whole(rows: Vec<Value>, total: Option<i64>) -> Self {
        Answer { rows: rows.len(), result: Value::Array(rows), total, ..Answer::default() }
    }
}

/// An error answer.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) status: u16,
    /// Not always a string (sheet 2).
    pub(super) code: Value,
    pub(super) text: String,
}

impl Failure {
    /// An error with a status.
    pub(super) fn new(status: u16, code: &str, text: impl Into<String>) -> Self {
        Failure { status, code: json!(code), text: text.into() }
    }

    /// A thrown error: 400.
    pub(super) fn thrown(code: &str, text: impl Into<String>) -> Self {
        Failure::new(400, code, text)
    }

    /// A classic CRM error: 400 with an empty code.
    pub(super) fn classic(text: impl Into<String>) -> Self {
        Failure::thrown("", text)
    }

    /// A missing required parameter of a universal method.
    pub(super) fn missing(name: &str) -> Self {
        Failure::thrown("100", format!("Could not find value for parameter {{{name}}}"))
    }

    /// The error's body.
    pub(super) fn body(&self) -> Value {
        json!({ "error": self.code, "error_description": self.text })
    }
}

pub(super) type Outcome = Result<Answer, Failure>;

/// The reverse of the portal's tables, built when asked for.
#[derive(Debug, Default)]
pub(super) struct Reverse {
    /// Contacts per company.
    pub(super) contacts: Option<BTreeMap<i64, Vec<(i64, Link)>>>,
    /// Comments per owner.
    pub(super) comments: Option<BTreeMap<(String, i64), Vec<i64>>>,
}

/// One call of one method.
pub(super) struct Call<'a> {
    pub(super) portal: &'a mut Portal,
    pub(super) settings: &'a Settings,
    /// Whether an application calls, with an access token, rather than a webhook.
    pub(super) app: bool,
    /// Dropped whenever links may have changed.
    pub(super) reverse: &'a mut Option<Reverse>,
    pub(super) args: &'a Php,
    pub(super) now_ms: i64,
}

impl Call<'_> {
    /// The server's offset from UTC.
    pub(super) fn offset(&self) -> Offset {
        offset_of(self.settings)
    }

    /// Now, as the server prints times.
    pub(super) fn now(&self) -> String {
        iso(self.now_ms, self.offset())
    }
}

/// The server's offset from UTC.
pub(super) fn offset_of(settings: &Settings) -> Offset {
    Offset::from_seconds(settings.utc_offset_minutes.saturating_mul(60)).unwrap_or(Offset::UTC)
}

/// A Unix time as `2025-09-09T16:31:11+03:00`.
pub(super) fn iso(ms: i64, offset: Offset) -> String {
    let at = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    at.to_zoned(jiff::tz::TimeZone::fixed(offset)).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

pub(super) type Plain = fn(&mut Call<'_>) -> Outcome;
pub(super) type PerEntity = fn(&mut Call<'_>, Entity) -> Outcome;

/// A method found by name.
#[derive(Clone, Copy)]
pub(super) enum Handler {
    Plain(Plain),
    PerEntity(PerEntity, Entity),
}

impl Handler {
    /// Runs it.
    pub(super) fn run(self, call: &mut Call<'_>) -> Outcome {
        match self {
            Handler::Plain(f) => f(call),
            Handler::PerEntity(f, entity) => f(call, entity),
        }
    }
}

/// A family's methods without an entity in their name, in lower case.
pub(super) type Table = &'static [(&'static str, Plain)];

/// The methods of each family: one line per file that has a table of its own.
const FAMILIES: &[Table] = &[PLAIN, tables::METHODS, automation::METHODS, files::METHODS, lookups::METHODS];

/// Every table there is.
fn tables() -> impl Iterator<Item = &'static (&'static str, Plain)> {
    FAMILIES.iter().chain(&write::FAMILIES).copied().flatten()
}

/// Methods of the families whose files have no table.
const PLAIN: Table = &[
    ("profile", account::profile),
    ("scope", account::scope),
    ("methods", account::methods),
    ("method.get", account::method_get),
    ("server.time", account::server_time),
    ("app.info", account::app_info),
    ("user.get", account::user_get),
    ("user.current", account::user_current),
    ("department.get", account::department_get),
    ("crm.settings.mode.get", account::settings_mode),
    ("crm.enum.ownertype", account::owner_types),
    ("crm.type.list", account::type_list),
    ("crm.currency.list", directory::currency_list),
    ("crm.currency.base.get", directory::currency_base),
    ("crm.status.list", directory::status_list),
    ("crm.status.entity.types", directory::status_types),
    ("crm.status.entity.items", directory::status_items),
    ("crm.category.list", directory::category_list),
    ("crm.contact.company.items.get", links::contact_companies),
    ("crm.company.contact.items.get", links::company_contacts),
    ("crm.deal.contact.items.get", links::deal_contacts),
    ("crm.lead.contact.items.get", links::lead_contacts),
    ("crm.quote.contact.items.get", links::quote_contacts),
    ("crm.deal.productrows.get", rows::of_deal),
    ("crm.lead.productrows.get", rows::of_lead),
    ("crm.quote.productrows.get", rows::of_quote),
    ("crm.item.productrow.list", rows::list),
    ("crm.activity.binding.list", timeline::bindings),
    ("crm.timeline.comment.list", timeline::comments),
    ("crm.timeline.comment.fields", timeline::comment_fields),
    ("crm.item.list", item::list),
    ("crm.item.get", item::get),
    ("crm.item.fields", item::fields),
];

/// Methods of the shape `crm.<entity>.<name>`.
const PER_ENTITY: &[(&str, PerEntity)] = &[
    ("list", classic::list),
    ("get", classic::get),
    ("fields", classic::fields),
    ("userfield.list", directory::userfield_list),
];

/// What entities have, reading and writing.
fn per_entity() -> impl Iterator<Item = &'static (&'static str, PerEntity)> {
    PER_ENTITY.iter().chain(&write::PER_ENTITY)
}

/// Finds a method by its name in lower case. `batch` is not here: it calls this.
pub(super) fn find(name: &str) -> Option<Handler> {
    if let Some((_, f)) = tables().find(|(n, _)| *n == name) {
        return Some(Handler::Plain(*f));
    }
    let (word, rest) = name.strip_prefix("crm.")?.split_once('.')?;
    let entity = with_methods().find(|e| e.word() == word)?;
    let (_, f) = per_entity().find(|(n, _)| *n == rest && takes(entity, n))?;
    Some(Handler::PerEntity(*f, entity))
}

/// The entities with classic methods of their own.
fn with_methods() -> impl Iterator<Item = Entity> {
    Entity::ALL.into_iter().chain([Entity::Quote, Entity::Product, Entity::Activity])
}

/// Whether an entity has a method of this name here.
fn takes(entity: Entity, method: &str) -> bool {
    matches!(method, "list" | "get" | "fields") || write::has_records(entity)
}

/// Every method's name.
pub(super) fn names() -> Vec<String> {
    let mut names: Vec<String> = tables().map(|(n, _)| (*n).to_owned()).collect();
    for entity in with_methods() {
        let own = per_entity().filter(|(n, _)| takes(entity, n));
        names.extend(own.map(|(n, _)| format!("crm.{}.{n}", entity.word())));
    }
    names.push("batch".into());
    names.sort();
    names
}

/// The scopes of which one is enough for a method; empty for basic methods (sheet 1.3).
pub(super) fn scopes(name: &str) -> &'static [&'static str] {
    match name.split('.').next() {
        Some("crm") => &["crm"],
        Some("user") => &["user", "user_basic", "user_brief"],
        Some("department") => &["department"],
        Some("userfieldconfig") => &["userfieldconfig"],
        Some("tasks" | "task") => &["task"],
        Some("disk") => &["disk"],
        Some("catalog") => &["catalog"],
        Some("voximplant") => &["telephony"],
        Some("bizproc") => &["bizproc"],
        Some("imopenlines") => &["imopenlines"],
        _ => &[],
    }
}

/// Whether a method works on records of an entity (`crm.deal.list` and the like).
pub(super) fn is_record(name: &str) -> bool {
    matches!(find(name), Some(Handler::PerEntity(..)))
}
