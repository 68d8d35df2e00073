//! Plan and source record to destination record, with what a person must hear about.
//!
//! [`Program`] is the fast way: everything that a plan names is resolved once. [`reference`] is the plain way, kept
//! for comparison. Both are pure, and give the same outcome for every plan and record. What a link becomes in the
//! destination, and what happens when the linked record did not arrive, is the engine's.
//!
//! Rules that the plan leaves open:
//! - A failure anywhere in a rule, its `when` and its `else` included, takes the `on fail` arm; what that arm gives
//!   is final, so that an `else` never covers a failure. An `on fail` arm that fails itself holds the record back.
//! - Inside a list each element stands alone: its failure, and a `skip`, concern that element only. A list whose
//!   elements are all gone is absent, and `else` applies.
//! - Attributes of elements are seen by `each`, `labelled` and by links; everything else sees plain values.
//! - Flags and owners that a `where` meets are not reported.

mod compare;
mod compile;
mod machine;
mod reason;
pub mod reference;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use compile::Program;

use super::plan::OwnerHow;
use super::value::Value;

/// What becomes of one record in one map.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It is written.
    Record(Output),
    /// It takes no part.
    LeftOut {
        /// The reason that the spec gives.
        reason: Arc<str>,
        /// The line of the spec that says so, from 1.
        line: u32,
    },
    /// It is held back for a person.
    Quarantined {
        /// The rule, by its index in the map; `None` for the `where` line.
        rule: Option<u16>,
        /// What happened.
        reason: Arc<str>,
        /// The line of the spec that says so, from 1.
        line: u32,
    },
    /// The run must end.
    Stopped {
        /// The rule, by its index in the map; `None` for the `where` line.
        rule: Option<u16>,
        /// What happened.
        reason: Arc<str>,
        /// The line of the spec that says so, from 1.
        line: u32,
    },
}

/// A destination record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Output {
    /// One value per [`Map::targets`](super::plan::Map::targets); links are [`Value::Ref`].
    pub values: Vec<Value>,
    /// What a person must hear about, in the order of the rules.
    pub flags: Vec<Flag>,
    /// How each owner in it was found.
    pub owners: Vec<OwnerHow>,
}

/// A value that is listed for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// The rule, by its index in the map.
    pub rule: u16,
    /// Why, as the spec says it.
    pub why: Arc<str>,
}
