//! The schema model: what a system's objects look like, and the statistics of what is in them.
//!
//! Made by a connector or read from a snapshot; the only place that types come from. Knows no vendor.

pub mod drift;
mod hash;
pub mod packed;
pub mod probed;
mod reader;
pub mod snapshot;
pub mod stats;
pub mod users;
mod yaml;

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

pub use self::probed::{Answer, Probed};
use super::types::Type;
use super::value::OutcomeKind;

/// One system as a snapshot sees it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schema {
    /// The connector that made it, as `source` and `target` name it.
    pub connector: String,
    /// The account: a portal's host, an instance's id.
    pub account: String,
    /// The account's name for people.
    pub account_name: String,
    /// The day it was taken, in UTC.
    pub taken: Option<Date>,
    /// Salt of the e-mail hashes.
    pub salt: String,
    /// Objects, sorted by name.
    pub objects: Vec<Object>,
    /// Enumerations by name, such as `SOURCE` or `Lead.sources`.
    pub domains: BTreeMap<String, Domain>,
    /// Pipelines in the system's order.
    pub pipelines: Vec<Pipeline>,
    /// Users, sorted by id.
    pub users: Vec<User>,
    /// What experiments found out about the system.
    pub probed: Probed,
}

/// A record type.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object {
    /// The name that specs use: `company`, `Account`.
    pub name: String,
    /// The system's title for it.
    pub title: Option<String>,
    /// How many records there were, where that was counted.
    pub records: Option<u64>,
    /// Whether the API creates such records.
    pub creatable: bool,
    /// Why not, and what to do instead.
    pub hint: Option<String>,
    /// Destination side: the custom-field types that can be created on it, as specs write them.
    pub custom_types: Vec<String>,
    /// Destination side: the fields by which existing records can be found.
    pub matchable: Vec<String>,
    /// Fields, sorted by name. A field's index is its slot.
    pub fields: Vec<Field>,
}

/// A field.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The canonical name.
    pub name: String,
    /// The system's title for it, where it has one.
    pub title: Option<String>,
    /// Its type; for a source, `optional` unless the system always fills it.
    pub ty: Type,
    /// Destination side: must be written.
    pub required: bool,
    /// Whether the API takes it.
    pub write: Write,
    /// Whether the customer made it.
    pub custom: bool,
    /// What the elements of a list carry besides their value, in the order of [`super::value::Item::attrs`].
    pub attributes: Vec<Attribute>,
    /// What is in it.
    pub stats: Option<Stats>,
}

/// What an element of a list carries besides its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// The name that bare names inside `each` and `labelled` find.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub ty: Type,
}

/// Whether and how a destination field can be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Write {
    /// The API takes it.
    #[default]
    Yes,
    /// The API cannot write it.
    No {
        /// What to do instead.
        hint: String,
    },
}

/// The statistics of a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Records in which it has a value.
    pub filled: u64,
    /// Enumerated fields only: records per value. Never of free text.
    pub values: BTreeMap<String, u64>,
    /// Text: the longest value, in characters.
    pub longest: Option<u32>,
}

/// An enumeration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Domain {
    /// Its title.
    pub title: Option<String>,
    /// Values in the system's order.
    pub choices: Vec<Choice>,
    /// Destination side: whether values that are missing can be created (sources, tags).
    pub open: bool,
}

/// One value of an enumeration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The code that records hold.
    pub code: String,
    /// Its title.
    pub title: Option<String>,
}

/// A pipeline with its stages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pipeline {
    /// Source: the object whose records run through it. Destination: likewise (`Lead`).
    pub object: String,
    /// Source: the category's code (`0`), empty for objects with one pipeline. Destination: the id.
    pub code: String,
    /// Its name.
    pub name: String,
    /// Stages in order.
    pub stages: Vec<Stage>,
    /// Source: records per stage code.
    pub records: BTreeMap<String, u64>,
    /// Destination: the outcomes that close a record, in order.
    pub outcomes: Vec<Outcome>,
}

/// A stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// The code that records hold, without its category's prefix. Destination: the id.
    pub code: String,
    /// Its name.
    pub name: String,
    /// Source: a stage that ends the deal, and how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<OutcomeKind>,
}

/// A reason that closes a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The id.
    pub code: String,
    /// Its name.
    pub name: String,
    /// How the record ended.
    pub kind: OutcomeKind,
}

/// A user. The e-mail address itself never stands in a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The system's id.
    pub id: String,
    /// Salted hash of the lower-cased e-mail address; `None` where the user has none.
    pub email_hash: Option<String>,
    /// Whether the user still works there.
    pub active: bool,
}

impl Attribute {
    /// Destination side: whether every element must carry it, which is what a type without absence says.
    pub fn required(&self) -> bool {
        !self.ty.optional
    }
}

impl Schema {
    /// The object of this name.
    pub fn object(&self, name: &str) -> Option<&Object> {
        self.objects.binary_search_by(|o| o.name.as_str().cmp(name)).ok().map(|i| &self.objects[i])
    }
}

impl Object {
    /// The slot of the field of this name.
    pub fn slot(&self, name: &str) -> Option<usize> {
        self.fields.binary_search_by(|f| f.name.as_str().cmp(name)).ok()
    }

    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.slot(name).map(|slot| &self.fields[slot])
    }
}

/// Hashes an e-mail address as snapshots keep it: 16 hex digits of BLAKE3 over salt and lower-cased address.
pub fn email_hash(salt: &str, email: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(salt.as_bytes());
    hasher.update(b"\0");
    hasher.update(email.trim().to_lowercase().as_bytes());
    hasher.finalize().to_hex()[..16].to_owned()
}
