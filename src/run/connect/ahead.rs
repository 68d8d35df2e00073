//! What has to be so in a destination before records arrive, beside the fields that the API can make.
//!
//! Plain data between a connector, which knows what its system does, and the engine, which knows what is coming.

use std::collections::BTreeMap;

/// Something that only a person can do in a system's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByHand {
    /// What is wrong or missing.
    pub what: String,
    /// What to do.
    pub next: String,
}

/// Whether something that is to be provisioned is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is not, and the API can make it.
    Missing,
    /// It is, as it should be.
    There,
    /// It is there and cannot be used as it is, or it can be made by a person only. Never empty.
    Differs(Vec<ByHand>),
}

/// A row of the settings that is there and that records cannot use all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// Its name.
    pub name: String,
    /// Why, and what to do.
    pub lack: ByHand,
}

/// What is about to come into a destination.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coming {
    /// Records by destination object; `None` where nobody has counted them. Notes that go with records count as
    /// records of theirs.
    pub records: BTreeMap<String, Option<u64>>,
    /// Custom fields that are missing, by destination object.
    pub fields: BTreeMap<String, u64>,
}

impl Coming {
    /// Whether records of one of these objects come.
    pub fn any_of(&self, objects: &[&str]) -> bool {
        objects.iter().any(|object| self.records.contains_key(*object))
    }
}

/// Something that a system does by itself, or a limit of its tariff, that no API shows: a person looks, acts and
/// confirms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandWork {
    /// Its short name: `automations`. Stable, since confirmations are kept under it.
    pub item: &'static str,
    /// What the system may do, or what is limited.
    pub what: String,
    /// What to do about it.
    pub next: String,
    /// How much of something is confirmed, such as records that come; 0 where no number is. A confirmation of less
    /// does not hold for more.
    pub extent: u64,
}
