//! How the engine sees a system: the traits [`Source`] and [`Target`], and what they pass around.
//!
//! A folder per system holds its wire types; nothing above this room knows a vendor. Reads are retried in here,
//! writes never: whether a write may be sent again is the engine's decision, since only its journal knows.

mod ahead;
pub mod bitrix24;
mod files;
pub mod http;
pub mod imprint;
mod met;
pub mod normal;
pub mod nutshell;
mod open;
pub mod outside;
mod portion;
pub mod probe;
pub mod secret;
mod since;
pub mod survey;
mod way;

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;

use serde_json::{Map, Value as Json};

use crate::lang::plan;
use crate::lang::schema::{Probed, Schema};
use crate::lang::value::{Record, Value};

pub use ahead::{ByHand, Coming, HandWork, Presence, Unusable};
pub use files::{FileAt, Got};
pub use imprint::{Child, Goes, Imprint, Removal};
pub use met::{Met, Meter};
pub use normal::{Element, Normal, Normalise};
pub use open::{Limits, OpenError, Pace, limits, prober, source, target, unasked_source, unasked_target};
pub use portion::{Hangs, Outline, Outlined};
pub use since::{Absent, Known, Looked, Since, Stamp};
pub use survey::roles;
pub use way::{Barred, Way, barred, way};

/// A future that stays on its thread: the engine runs on one.
pub type Local<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// An account as both systems' owners would recognise it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// What tells it from every other one: a portal's host, an instance's id. Pinned by the workspace.
    pub id: String,
    /// Its name for people.
    pub name: String,
}

/// Why a system could not be used. Says nothing of single writes; those fail with a [`SendError`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nobody answered, or only with server faults, after every retry.
    #[error("{system} does not answer: {why}")]
    Unreachable {
        /// The system.
        system: &'static str,
        /// The last thing that went wrong.
        why: String,
    },
    /// The credentials are wrong, expired, or lack a right.
    #[error("{system} refuses the credentials: {why}")]
    Denied {
        /// The system.
        system: &'static str,
        /// What it said.
        why: String,
    },
    /// The system understood the request and refused it.
    #[error("{system} refuses `{request}`: {why}")]
    Refused {
        /// The system.
        system: &'static str,
        /// The method or path.
        request: String,
        /// What it said.
        why: String,
    },
    /// An answer that is not what the system's documentation says.
    #[error("{system} answers `{request}` with something unexpected: {why}")]
    Malformed {
        /// The system.
        system: &'static str,
        /// The method or path.
        request: String,
        /// What was wrong with it.
        why: String,
    },
    /// A paged list contradicts itself: repeated, missing or unordered ids.
    #[error("{system} lists `{object}` inconsistently: {why}")]
    Inconsistent {
        /// The system.
        system: &'static str,
        /// The object.
        object: String,
        /// Both numbers.
        why: String,
    },
    /// The account that answered is not the one asked for.
    #[error("{system} answers as `{found}`, not as `{expected}`")]
    WrongAccount {
        /// The system.
        system: &'static str,
        /// The account that is pinned.
        expected: String,
        /// The account that answered.
        found: String,
    },
}

/// Why a write did not answer with its record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// It surely never reached the system (connection refused): may be sent again.
    #[error("not sent: {0}")]
    NotSent(String),
    /// The system said that it is too busy and did nothing: may be sent again, later.
    #[error("busy: {why}")]
    Busy {
        /// How long it asked to be left alone, in milliseconds.
        after_ms: Option<u64>,
        /// What it said.
        why: String,
    },
    /// The system refused the record: sending it again changes nothing.
    #[error("refused: {0}")]
    Refused(String),
    /// The record changed since it was read: read again and decide anew.
    #[error("the record changed meanwhile")]
    Stale,
    /// The record is not there.
    #[error("the record is gone")]
    Gone,
    /// The credentials are wrong or lack a right, or no record of this kind could be written as it must be: the run
    /// ends.
    #[error("denied: {0}")]
    Denied(String),
    /// It may or may not have happened: timeout, reset, server fault, cut or foreign body.
    #[error("no usable answer: {0}")]
    Unknown(String),
}

/// A record as it is staged: its id and what the system said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raw {
    /// The record's key.
    pub id: String,
    /// JSON as the source's [`Decode`] reads it.
    pub json: Vec<u8>,
}

/// A run of records, and where to go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Records in rising order of id, none twice.
    pub records: Vec<Raw>,
    /// Hand this back for the next run; opaque, and valid across restarts.
    pub cursor: String,
    /// No records follow.
    pub done: bool,
    /// With `done`: counts and pages do not agree about all that was there while the records were read.
    pub moved: bool,
}

/// Bugs of a source's connector that tests switch on; not there in release builds.
#[cfg(debug_assertions)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Planted {
    /// A page that is not full ends its list.
    pub short_page_is_the_last: bool,
    /// As many records as were counted are all there are.
    pub total_is_trusted: bool,
}

/// A system that records come from.
pub trait Source {
    /// Switches bugs on.
    #[cfg(debug_assertions)]
    fn plant(&self, _bugs: Planted) {}
    /// The system's name for people, such as `Bitrix24`; the marker field in the destination is `{label} key`.
    fn label(&self) -> &'static str;
    /// Who answers.
    fn account(&self) -> Local<'_, Result<Account, Error>>;
    /// Other ids under which the account has proven itself, such as a renamed portal's new host. The account's id
    /// stays the first one.
    fn aliases(&self) -> Vec<String> {
        Vec::new()
    }
    /// What its objects look like now, without statistics; user e-mails hashed with `salt`.
    fn schema<'a>(&'a self, salt: &'a str) -> Local<'a, Result<Schema, Error>>;
    /// E-mail addresses of its users by id. Never logged, never in a snapshot.
    fn user_emails(&self) -> Local<'_, Result<Vec<(String, String)>, Error>>;
    /// How many records of an object there are.
    fn count<'a>(&'a self, object: &'a str) -> Local<'a, Result<u64, Error>>;
    /// The keys of an object's records that follow `cursor`, without what is in them; `None` where the system cannot
    /// list them alone.
    fn ids<'a>(&'a self, _object: &'a str, _cursor: &'a str) -> Local<'a, Result<Option<Batch>, Error>> {
        Box::pin(async { Ok(None) })
    }
    /// Those of these records that are there.
    fn records<'a>(&'a self, _object: &'a str, _ids: &'a [String]) -> Local<'a, Result<Vec<Raw>, Error>> {
        Box::pin(async { Ok(Vec::new()) })
    }
    /// Leaves out the lines that belong to records, such as a deal's products, from here on.
    fn leave_rows(&self) {}
    /// Whether a part is drawn from an object's records themselves; others come with those that they hang on, and
    /// where they hang on none, all of them come.
    fn is_drawn(&self, _object: &str) -> bool {
        false
    }
    /// The records of an object that follow `cursor` (empty: from the first), in outline.
    fn outline<'a>(&'a self, _object: &'a str, _cursor: &'a str) -> Local<'a, Result<Outlined, Error>> {
        Box::pin(async { Ok(Outlined { done: true, ..Outlined::default() }) })
    }
    /// As [`Source::records`]; a record that does not come is surely not there.
    fn surely<'a>(&'a self, object: &'a str, ids: &'a [String]) -> Local<'a, Result<Vec<Raw>, Error>> {
        self.records(object, ids)
    }
    /// How an object's records hang on those of another.
    fn hangs_on(&self, _object: &str, _owner: &str) -> Hangs {
        Hangs::No
    }
    /// What of an object hangs on these records of another.
    fn hanging<'a>(
        &'a self,
        _object: &'a str,
        _owner: &'a str,
        _keys: &'a [String],
    ) -> Local<'a, Result<Vec<Raw>, Error>> {
        Box::pin(async { Ok(Vec::new()) })
    }
    /// What a file holds, that a record of this source names.
    ///
    /// # Errors
    /// Nobody answers, or the credentials do not let files through.
    fn file<'a>(&'a self, _at: &'a FileAt) -> Local<'a, Result<Got, Error>> {
        Box::pin(async { Ok(Got::Broken("this source gives no files".to_owned())) })
    }

    /// What the account allows and keeps back, beside its records.
    fn about(&self) -> Local<'_, Result<survey::About, Error>>;
    /// Counts records by filters, in the order of the questions; reads none of them. A filter that the system does not
    /// have, or refuses, is an answer that says so.
    fn ask<'a>(&'a self, questions: &'a [survey::Question])
    -> Local<'a, Result<Vec<survey::Counted>, Error>>;
    /// What works by itself in the account, as far as it can be listed.
    fn automation(&self) -> Local<'_, Result<survey::Automation, Error>>;
    /// The records of an object that follow `cursor` (empty: from the first), as many as one request gives.
    fn extract<'a>(&'a self, object: &'a str, cursor: &'a str) -> Local<'a, Result<Batch, Error>>;
    /// What it met since this was last called.
    fn met(&self) -> Vec<Met> {
        Vec::new()
    }
    /// The source's clock when it last answered, Unix milliseconds; `None` before, and where it does not tell.
    fn clock_ms(&self) -> Option<i64>;
    /// The records of an object that follow `cursor` (empty: from the first), each as it is or told to be as it was
    /// staged. A whole look names every record that is there.
    fn changed<'a>(
        &'a self,
        object: &'a str,
        cursor: &'a str,
        since: Since<'a>,
    ) -> Local<'a, Result<Looked, Error>>;
    /// Asks for each of these records, which a whole look did not see, whether it is there.
    fn absent<'a>(
        &'a self,
        object: &'a str,
        keys: &'a [String],
        known: &'a dyn Known,
    ) -> Local<'a, Result<Absent, Error>>;
    /// The records of an object that say of themselves that they were changed after a moment (Unix milliseconds):
    /// their keys and stamps. Empty where an object's records have no such time.
    fn changed_after<'a>(
        &'a self,
        object: &'a str,
        after_ms: i64,
    ) -> Local<'a, Result<Vec<(String, Stamp)>, Error>>;
    /// What a staged record says of its owner and its last change.
    fn stamp(&self, object: &str, json: &[u8]) -> Stamp;
}

/// From a staged record to slots. Pure; built once per object.
pub trait Decode: Send + Sync {
    /// Reads one staged record into the slots of its object's schema.
    ///
    /// # Errors
    /// JSON that is not a record of this object, with the field and what is wrong.
    fn decode(&self, json: &[u8]) -> Result<Record, String>;
}

/// The decoder of an object's staged records.
///
/// # Errors
/// A connector that is not a source, or an object that the schema does not have.
pub fn decoder(connector: &str, schema: &Schema, object: &str) -> Result<Box<dyn Decode>, String> {
    let found = schema.object(object).ok_or_else(|| format!("the schema has no object `{object}`"))?;
    match connector {
        "bitrix24" => Ok(Box::new(bitrix24::decode::Decoder::new(schema, found))),
        _ => Err(format!("`{connector}` is not a source: `bitrix24` is")),
    }
}

/// What is sent in one write: the record in the destination's own form.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Payload {
    /// Fields as the destination's API takes them.
    pub fields: Map<String, Json>,
}

impl Payload {
    /// BLAKE3 over the payload as it is sent, 32 hex digits: what the journal keeps of it. The order of keys counts,
    /// since it decides which of several values is the primary one.
    pub fn hash(&self) -> String {
        let bytes = serde_json::to_vec(&self.fields).unwrap_or_default();
        blake3::hash(&bytes).to_hex()[..32].to_owned()
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }
}

/// The writes of one record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Writes {
    /// Creates it.
    pub create: Payload,
    /// Edits that must follow the create, in order, such as closing a deal. Each is safe to repeat.
    pub then: Vec<Payload>,
}

/// From destination slots to payloads. Pure; built once per map, with the destination's ids for names resolved.
///
/// Links are texts that hold destination ids by now: a bare id where the field leads to one object, and where it may
/// lead to several ([`crate::lang::types::Base::AnyRef`]) the object and the id, `Contact/17`, but a user's bare id. An
/// element of a nested record is a [`crate::lang::value::Item`] without a value, its attributes in the order of
/// [`crate::lang::schema::Field::attributes`].
pub trait Encode {
    /// Turns the values of [`plan::Map::targets`] into writes.
    ///
    /// # Errors
    /// The field that cannot be written as it is, and why: the record goes to quarantine.
    fn encode(&self, marker: &str, values: &[Value]) -> Result<Writes, FieldError>;
    /// What to write into a record that was there before: the fields of `values` that are empty in `stored`, or
    /// all of them when `overwrite`. Always carries the marker. Lists are joined, never shortened.
    ///
    /// # Errors
    /// As for `encode`.
    fn adopt(
        &self,
        marker: &str,
        values: &[Value],
        stored: &Stored,
        overwrite: bool,
    ) -> Result<Vec<Payload>, FieldError>;
    /// Fields to which the rules give other values now, by their index in [`plan::Map::targets`], in the place of what
    /// was written: a list is replaced but for what `base`, the record as it was before this migration, has of it;
    /// one without a value is emptied, or holds what `base` has. What the record holds already is not written.
    ///
    /// # Errors
    /// As for `encode`, and a field that cannot be emptied.
    fn change(
        &self,
        marker: &str,
        changes: &[(usize, Value)],
        base: Option<&Json>,
        stored: &Stored,
    ) -> Result<Vec<Payload>, FieldError>;
    /// One field alone, by its index in [`plan::Map::targets`]: a link that could not be written earlier.
    ///
    /// # Errors
    /// As for `encode`.
    fn patch(&self, target: usize, value: &Value, stored: &Stored) -> Result<Payload, FieldError>;
}

/// A value that the destination would not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}`: {why}")]
pub struct FieldError {
    /// The destination field.
    pub field: String,
    /// What is wrong.
    pub why: String,
}

/// A record as the destination holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Its id.
    pub id: String,
    /// What an edit must carry; opaque. Empty where a list does not tell it: the connector then asks before it writes.
    pub rev: String,
    /// The marker it carries, if any.
    pub marker: Option<String>,
    /// The whole record in the destination's own form.
    pub body: Json,
}

/// A page of the destination's records.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// Records, markers included.
    pub records: Vec<Stored>,
    /// Hand this back for the next page; `None` after the last.
    pub next: Option<String>,
}

/// Something to make in the destination before records arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Provision {
    /// A custom field.
    Field(plan::CustomField),
    /// A value of an open enumeration, such as a source or a tag.
    Choice {
        /// The enumeration, as the schema names it: `Lead.sources`.
        domain: String,
        /// The value.
        name: String,
    },
}

/// What became of a [`Provision`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provisioned {
    /// It was made.
    Created,
    /// It was there, as it should be.
    Existed,
}

/// A system that records go to.
pub trait Target {
    /// The system's name for people.
    fn label(&self) -> &'static str;
    /// Who answers.
    fn account(&self) -> Local<'_, Result<Account, Error>>;
    /// The port of this machine that it answers on, where it does, as a twin: two of them may bear one account's id.
    fn local_port(&self) -> Option<u16> {
        None
    }
    /// What its reads met since this was last called; writes are the engine's.
    fn met(&self) -> Vec<Met> {
        Vec::new()
    }
    /// How fast its client may be.
    fn pace(&self) -> Pace {
        Pace::default()
    }
    /// What its objects look like now; user e-mails hashed with `salt`.
    fn schema<'a>(&'a self, salt: &'a str) -> Local<'a, Result<Schema, Error>>;
    /// E-mail addresses of its users by id. Never logged, never in a snapshot.
    fn user_emails(&self) -> Local<'_, Result<Vec<(String, String)>, Error>>;
    /// Whether something that is to be provisioned is there, by the last look at [`Target::schema`].
    fn presence(&self, what: &Provision) -> Presence;
    /// Pipelines that are there and that leads cannot be put into, such as those beyond the account's tariff. Empty
    /// where nobody can tell.
    fn unusable_pipelines(&self) -> Local<'_, Result<Vec<Unusable>, Error>>;
    /// What people call the rows of an enumeration that stands in the settings, such as `market`; `None` for others.
    fn called(&self, domain: &str) -> Option<&'static str>;
    /// Takes over what a probe found out about this account; a hint, never a promise.
    fn learn(&self, probed: &Probed) {
        let _ = probed;
    }
    /// What a probe found out that keeps these objects from being written as they should be.
    fn obstacles(&self, objects: &BTreeSet<&str>) -> Vec<ByHand> {
        let _ = objects;
        Vec::new()
    }
    /// What the system may do by itself when these records arrive, and limits that no API shows, in a fixed order.
    fn hand_work(&self, coming: &Coming) -> Vec<HandWork>;
    /// The names of all hand work that there can be.
    fn hand_items(&self) -> &'static [&'static str];
    /// Makes a custom field or a choice; safe to repeat.
    fn provision<'a>(&'a self, what: &'a Provision) -> Local<'a, Result<Provisioned, Error>>;
    /// The encoder of one map, from the schema as it is now. `marker_field` is the custom field for markers; objects
    /// without custom fields ([`crate::lang::schema::Object::custom_types`] is empty) keep the marker in a text, and
    /// nothing is to be provisioned for them.
    ///
    /// # Errors
    /// A field or choice that is not there.
    fn encoder(
        &self,
        live: &Schema,
        map: &plan::Map,
        marker_field: &str,
    ) -> Result<Box<dyn Encode>, FieldError>;
    /// How the records that one map wrote are compared with what it says; see [`Normalise`].
    fn normaliser(&self, map: &plan::Map) -> Box<dyn Normalise>;
    /// Sends one create, once.
    fn create<'a>(&'a self, object: &'a str, payload: &'a Payload) -> Local<'a, Result<Stored, SendError>>;
    /// Sends one edit, once.
    fn edit<'a>(
        &'a self,
        object: &'a str,
        id: &'a str,
        rev: &'a str,
        payload: &'a Payload,
    ) -> Local<'a, Result<Stored, SendError>>;
    /// Deletes one record, once; [`SendError::Gone`] when it is not there.
    fn delete<'a>(&'a self, object: &'a str, id: &'a str, rev: &'a str) -> Local<'a, Result<(), SendError>>;
    /// Reads one record; `None` when it is deleted or unknown.
    fn read<'a>(&'a self, object: &'a str, id: &'a str) -> Local<'a, Result<Option<Stored>, Error>>;
    /// Finds records by marker, given what was sent to create them: not every system searches for markers, and a
    /// payload tells where its record must be (under a parent, on a day). Every hit is checked for equality.
    fn find_sent<'a>(
        &'a self,
        object: &'a str,
        marker_field: &'a str,
        marker: &'a str,
        payload: &'a Payload,
    ) -> Local<'a, Result<Vec<Stored>, Error>>;
    /// Finds records by a field of [`crate::lang::schema::Object::matchable`]; every hit is checked for equality.
    fn find_existing<'a>(
        &'a self,
        object: &'a str,
        field: &'a str,
        value: &'a Value,
    ) -> Local<'a, Result<Vec<Stored>, Error>>;
    /// What to remember of a record: see [`Imprint`].
    fn imprint(&self, object: &str, body: &Json) -> Imprint;
    /// The fields of an [`Imprint`] that a payload changes in a record. What it repeats of the record is not among
    /// them.
    fn touches(&self, object: &str, payload: &Payload, stored: &Stored) -> Vec<String>;
    /// The fields of an [`Imprint`] that a payload writes and that may hold what it writes, as far as can be told: one
    /// that surely holds something else is not among them.
    fn may_show(&self, object: &str, payload: &Payload, stored: &Stored) -> Vec<String>;
    /// What hangs on a record and is not written from its own side: its timeline, its tasks, records that link to it.
    fn children<'a>(&'a self, object: &'a str, stored: &'a Stored) -> Local<'a, Result<Vec<Child>, Error>>;
    /// Objects whose records have to be listed to know which of them link to records of this one, since
    /// [`Target::children`] cannot tell.
    fn linked_from(&self, object: &str) -> &'static [&'static str];
    /// What gives fields of an [`Imprint`] back the values that they have in the body beside each, and takes links
    /// away. Text that carries a marker loses it. Empty where there is nothing to do.
    ///
    /// # Errors
    /// A field that the API cannot write back.
    fn restore(
        &self,
        object: &str,
        fields: &[(String, &Json)],
        unlink: &[(String, String)],
        now: &Stored,
    ) -> Result<Payload, FieldError>;
    /// Takes away something that was provisioned, where the API can and no record uses it; safe to repeat.
    ///
    /// With `ask` nothing is written: it tells what would become of it once the records are gone for which `ask` is
    /// true, given object and id.
    fn remove<'a>(&'a self, what: &'a Provision, ask: Option<Goes<'a>>) -> Local<'a, Result<Removal, Error>>;
    /// Why records of an object can be neither deleted nor changed once they are written, and must therefore never be
    /// sent a second time; `None` where they can.
    fn is_final(&self, object: &str) -> Option<&'static str>;
    /// By which call a record of an object is deleted, for people who want to know.
    fn deletes_by(&self, object: &str) -> String;
    /// Why a record might be refused to be deleted, where nothing documents whether it can; `None` where it can.
    fn doubts_deletion(&self, object: &str, stored: &Stored) -> Option<&'static str>;
    /// Why a record of an object that was made at `made_ms` (Unix milliseconds) cannot be edited at `now_ms`; `None`
    /// where it can.
    fn fixed(&self, object: &str, made_ms: i64, now_ms: i64) -> Option<&'static str>;
    /// Whether these credentials may delete records; `None` where nobody can tell.
    fn may_delete(&self) -> Local<'_, Result<Option<bool>, Error>>;
    /// Lists every live record of an object with its marker, in order of id where the system has one.
    fn list<'a>(
        &'a self,
        object: &'a str,
        marker_field: &'a str,
        cursor: Option<&'a str>,
    ) -> Local<'a, Result<Page, Error>>;
}
