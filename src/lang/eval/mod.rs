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
//! - A line of an `each` block is such an element. A rule in it that fails takes its own `on fail`; where it has none,
//!   the line as a whole is left to the `on fail` of the rule around it. A line without any value is none.
//! - Attributes of elements are seen by `each`, `labelled`, `lines` and by links; everything else sees plain values.
//!   An element without a value of its own, a row, stays what it is.
//! - A function sees its arguments, as plain values, and nothing else. All of them are evaluated, from the left.
//! - Flags and owners that a `where` or a split meets are not reported. The `where` of a flatten sees the folded
//!   record alone, neither the one that takes it in nor its siblings.
//! - A note is made after all rules of its map; its value comes before its title. With `for each` a note is an element
//!   of a list: its failure, and a `skip`, concern that note only, and notes beyond `at most` are still evaluated.

mod compare;
mod compile;
mod machine;
mod program;
mod provenance;
mod reason;
pub mod reference;
#[cfg(test)]
mod tests;
mod watch;

use std::sync::Arc;

use compact_str::CompactString;

pub use program::Program;
pub use provenance::Provenance;
pub use watch::{Hit, Taken};

use super::plan::{OwnerHow, Plan, Rule};
use super::value::{Record, Value};

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
        /// The rule or note; `None` for the `where` line.
        rule: Option<RuleId>,
        /// What happened.
        reason: Arc<str>,
        /// The line of the spec that says so, from 1.
        line: u32,
    },
    /// The run must end.
    Stopped {
        /// The rule or note; `None` for the `where` line.
        rule: Option<RuleId>,
        /// What happened.
        reason: Arc<str>,
        /// The line of the spec that says so, from 1.
        line: u32,
    },
}

/// A rule or a note among those that make one destination record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RuleId {
    /// The flatten that it stands in, by its index in the plan; `None` in the map itself.
    pub flatten: Option<u16>,
    /// Whether it is a note.
    pub note: bool,
    /// Its index among the rules, or the notes.
    pub rule: u16,
}

impl RuleId {
    /// A rule of the map itself.
    pub fn of_map(rule: u16) -> RuleId {
        RuleId { flatten: None, note: false, rule }
    }

    /// The rule in the plan; that of a note is its own.
    pub fn find(self, plan: &Plan, map: usize) -> Option<&Rule> {
        let index = usize::from(self.rule);
        let (rules, notes) = match self.flatten {
            None => plan.maps.get(map).map(|map| (&map.rules, &map.notes))?,
            Some(flatten) => plan.flattens.get(usize::from(flatten)).map(|f| (&f.rules, &f.notes))?,
        };
        if self.note { notes.get(index).map(|note| &note.rule) } else { rules.get(index) }
    }

    /// The destination field that it writes: `value`, `note "Full title"`.
    pub fn target(self, plan: &Plan, map: usize) -> Option<String> {
        let index = usize::from(self.rule);
        if self.note {
            let notes = match self.flatten {
                None => &plan.maps.get(map)?.notes,
                Some(flatten) => &plan.flattens.get(usize::from(flatten))?.notes,
            };
            return Some(reason::note(&notes.get(index)?.name));
        }
        let target = self.find(plan, map)?.target;
        Some(plan.maps.get(map)?.targets.get(usize::from(target))?.name.clone())
    }

    /// The stable id that people read: `deal.value`, `process 1032.Serial no`.
    pub fn id(self, plan: &Plan, map: usize) -> String {
        let item = match self.flatten {
            None => plan.maps.get(map).map(|map| map.name.as_str()),
            Some(flatten) => plan.flattens.get(usize::from(flatten)).map(|flatten| flatten.source.as_str()),
        };
        format!("{}.{}", item.unwrap_or_default(), self.target(plan, map).unwrap_or_default())
    }
}

/// A destination record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Output {
    /// One value per [`Map::targets`](super::plan::Map::targets); links are [`Value::Ref`].
    pub values: Vec<Value>,
    /// Notes that go with it: the map's, then those of each flatten, in the order of the plan.
    pub notes: Vec<NoteOut>,
    /// What a person must hear about, in the order of the rules.
    pub flags: Vec<Flag>,
    /// How each owner in it was found.
    pub owners: Vec<OwnerHow>,
}

/// A note that goes with a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteOut {
    /// Where the plan has it.
    pub note: NoteId,
    /// With `for each`: the key of the folded record that it is about. `None` in the last note that counts the rest.
    pub child: Option<CompactString>,
    /// Its title; may be empty.
    pub title: String,
    /// What it says.
    pub body: String,
}

/// A note of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NoteId {
    /// The flatten that it stands in, by its index in the plan; `None` in the map itself.
    pub flatten: Option<u16>,
    /// Its index among the notes there.
    pub note: u16,
}

/// A value that is listed for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// The rule or note.
    pub rule: RuleId,
    /// Why, as the spec says it.
    pub why: Arc<str>,
}

/// The order of keys: numbers by their value, before other texts.
pub fn key_order(a: &str, b: &str) -> std::cmp::Ordering {
    let number = |key: &str| key.parse::<u64>().map_or((1, 0), |number| (0, number));
    number(a).cmp(&number(b)).then_with(|| a.cmp(b))
}

/// Records of one flatten that go into the record at hand.
#[derive(Clone, Copy, Debug)]
pub struct Folded<'r> {
    /// The flatten, by its index in the plan.
    pub flatten: usize,
    /// Its records, sorted by [`key_order`]. Those that its `where` leaves out are sorted out while running.
    pub records: &'r [Record],
}

/// Where a split sends a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route<'p> {
    /// To these maps, by index.
    Maps(&'p [u16]),
    /// Nowhere, and on a list for a person.
    Listed {
        /// Why.
        reason: Arc<str>,
        /// The line of the spec that says so, from 1.
        line: u32,
    },
    /// It takes no part.
    LeftOut {
        /// The reason that the spec gives.
        reason: Arc<str>,
        /// The line of the spec that says so, from 1.
        line: u32,
    },
    /// It is held back for a person.
    Quarantined {
        /// What happened.
        reason: Arc<str>,
        /// The line of the spec that says so, from 1.
        line: u32,
    },
    /// The run must end.
    Stopped {
        /// What happened.
        reason: Arc<str>,
        /// The line of the spec that says so, from 1.
        line: u32,
    },
}

/// What becomes of a record that a flatten folds in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fold {
    /// It goes with the record of this key.
    Into {
        /// The map that takes it in, by index.
        map: u16,
        /// The key of that map's source record.
        key: CompactString,
    },
    /// It takes no part.
    LeftOut {
        /// The reason that the spec gives.
        reason: Arc<str>,
        /// The line of the spec that says so, from 1.
        line: u32,
    },
    /// It is held back for a person.
    Quarantined {
        /// What happened.
        reason: Arc<str>,
        /// The line of the spec that says so, from 1.
        line: u32,
    },
    /// The run must end.
    Stopped {
        /// What happened.
        reason: Arc<str>,
        /// The line of the spec that says so, from 1.
        line: u32,
    },
}
