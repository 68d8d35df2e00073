//! What a system tells of itself before anything is planned: counts by filters, what it allows and keeps back, what
//! works by itself in it; and what connectors know of their systems without asking.
//!
//! Plain data between a connector and the engine. No value of a record ever stands in it: counts, ids of records and
//! users, and names of settings.

use serde::{Serialize, Serializer};

use super::{bitrix24, nutshell};
use crate::lang::types::Type;

/// A number, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Counted.
    Known(u64),
    /// Not counted, and why.
    Unknown(String),
}

impl Counted {
    /// The number, where there is one.
    pub fn known(&self) -> Option<u64> {
        match self {
            Counted::Known(number) => Some(*number),
            Counted::Unknown(_) => None,
        }
    }
}

/// A number as it is, or `{"unknown": "why"}`.
impl Serialize for Counted {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Counted::Known(number) => s.serialize_u64(*number),
            Counted::Unknown(why) => s.collect_map([("unknown", why)]),
        }
    }
}

/// What a record must be to be counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It exists.
    Any,
    /// The field has a value.
    Filled(String),
    /// The field, a time, is not before the first of January of this year.
    SinceYear(String, i16),
    /// The field has this code.
    Is(String, String),
}

/// How many records of an object there are of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The object, as specs name it.
    pub object: String,
    /// Which of its records.
    pub condition: Condition,
}

/// What the account that answers allows and keeps back.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct About {
    /// The tariff by its code; `None` where the system does not tell it.
    pub plan: Option<String>,
    /// What the code of the tariff means, or why it is not known.
    pub plan_note: String,
    /// Whether the credentials are an administrator's.
    pub administrator: Option<bool>,
    /// What the credentials may ask for.
    pub scopes: Vec<String>,
    /// Requests at once, and a second; `None` where the tariff leaves the documented default.
    pub bucket: Option<(f64, f64)>,
    /// The currency that the account reckons in.
    pub base_currency: Option<String>,
    /// What lies beside the objects that the schema has.
    pub beside: Vec<Beside>,
}

/// Data that no object of the schema holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Beside {
    /// Its name: `smart invoices`.
    pub name: &'static str,
    /// The object that a schema has of it where records of it are extracted; empty where none ever is.
    #[serde(skip)]
    pub object: &'static str,
    /// How much of it there is, or the refusal.
    pub records: Counted,
    /// What becomes of it.
    pub fate: &'static str,
}

/// A part of an automation that somebody must rebuild.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Workflow {
    /// Its id in the source.
    pub id: String,
    /// Its name, as somebody gave it.
    pub name: String,
    /// The object on whose records it works, as specs name it where they have one.
    pub object: String,
    /// What starts it.
    pub starts: &'static str,
    /// The day of its last change.
    pub modified: Option<String>,
    /// Who made it, by user id.
    pub user: Option<String>,
}

/// Something of the automation that cannot be listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unlisted {
    /// What.
    pub what: &'static str,
    /// Why not.
    pub why: String,
    /// Where a person finds it.
    pub place: &'static str,
}

/// What works by itself in a source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Automation {
    /// Every workflow, in order of object and name; `None` where they cannot be listed.
    pub workflows: Option<Vec<Workflow>>,
    /// How many of them run now.
    pub running: Option<Counted>,
    /// Codes of robots that applications registered, where the credentials may list them.
    pub robots: Vec<String>,
    /// Codes of triggers that applications registered, where the credentials may list them.
    pub triggers: Vec<String>,
    /// What cannot be listed.
    pub unlisted: Vec<Unlisted>,
}

/// What fields of an object mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roles {
    /// When a record was made.
    pub created: Option<&'static str>,
    /// Its owner.
    pub owner: Option<&'static str>,
    /// Its currency.
    pub currency: Option<&'static str>,
    /// The field and code of records that are not at their end.
    pub open: Option<(&'static str, &'static str)>,
    /// Its kind, where kinds of it are counted apart.
    pub kind: Option<&'static str>,
    /// The parts of its name, by which doubles are looked for.
    pub name: &'static [&'static str],
    /// Its telephone numbers.
    pub phones: Option<&'static str>,
    /// Its e-mail addresses.
    pub emails: Option<&'static str>,
    /// The customer made the object itself.
    pub own: bool,
    /// People, deals, activities: what durations are told by.
    pub volume: Option<Volume>,
}

/// What kind of volume an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Volume {
    /// People and companies.
    People,
    /// Deals.
    Deals,
    /// Activities.
    Activities,
}

/// What a connector knows of an object's fields by its documentation.
pub fn roles(connector: &str, object: &str) -> Roles {
    match connector {
        "bitrix24" => bitrix24::survey::roles(object),
        _ => Roles::default(),
    }
}

/// How well a destination holds values of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Holds {
    /// As they are.
    Exact,
    /// In another form.
    Changed,
    /// Not at all.
    Impossible,
}

/// How well a destination holds values of a source field's type, and why not as they are.
pub fn holds(connector: &str, ty: &Type) -> (Holds, &'static str) {
    match connector {
        "nutshell" => nutshell::survey::holds(ty),
        _ => (Holds::Changed, "nothing is known of this destination"),
    }
}

/// What counts for warnings.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Facts<'a> {
    /// What the source tells of itself.
    pub about: Option<&'a About>,
    /// People and companies.
    pub people: Option<u64>,
    /// Deals.
    pub deals: Option<u64>,
    /// Deals that are neither won nor lost.
    pub open_deals: Option<u64>,
    /// Activities.
    pub activities: Option<u64>,
    /// Objects that the customer made.
    pub own_objects: u64,
    /// Pipelines that deals run through.
    pub pipelines: u64,
    /// Custom fields of all objects.
    pub custom_fields: u64,
}

/// A warning before anything is agreed to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Caution {
    /// Its short name, stable.
    pub name: &'static str,
    /// Whether it is known to hold here; `None` where no API tells.
    pub holds: Option<bool>,
    /// What is so.
    pub what: String,
    /// What to do about it.
    pub next: String,
}

/// Every warning that connectors have for a migration between two systems, in a fixed order.
pub fn cautions(source: &str, target: &str, facts: &Facts<'_>) -> Vec<Caution> {
    let mut found = Vec::new();
    if source == "bitrix24" {
        found.extend(bitrix24::survey::cautions(facts));
    }
    if target == "nutshell" {
        found.extend(nutshell::survey::cautions(facts));
    }
    found
}

/// Something of a source that no migration moves, whatever the spec says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct OutOfReach {
    /// What.
    pub name: &'static str,
    /// Why.
    pub why: &'static str,
    /// What a person does instead.
    pub next: &'static str,
}

/// What no migration from a source moves, whatever the spec says.
pub fn out_of_reach(source: &str) -> &'static [OutOfReach] {
    match source {
        "bitrix24" => bitrix24::survey::OUT_OF_REACH,
        _ => &[],
    }
}
