//! What a change of a spec does to records: two plans compared by what their parts are, not by how they are written.
//!
//! Owns identity across versions (names, and renames), the words for a change, how many records it touches by the
//! snapshots' statistics, and what is gained or lost. Pure: exact counts come from records that are handed to
//! [`Exact`] by whoever reads them. Must not know files, workspaces or version control.
//!
//! INVARIANT: a plan does not differ from itself, and with the sides swapped every gain is a loss.

mod bounds;
mod compare;
#[cfg(test)]
mod construct_tests;
mod exact;
mod heads;
pub mod json;
mod loss;
pub mod markdown;
mod names;
pub mod outline;
mod owners;
mod reasons;
mod rest;
mod rules;
mod show;
mod stages;
#[cfg(test)]
mod tests;
mod values;

use serde::Serialize;

use super::finding::Count;
use super::plan::Plan;
use super::schema::Schema;
use super::syntax::ast;
use super::text::SourceText;

pub use exact::{Exact, Moved, Seen, Witness};

/// One version of a spec, checked.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The source's schema, with statistics.
    pub source: &'a Schema,
    /// The destination's schema.
    pub target: &'a Schema,
    /// The tree and the text, for what a plan does not keep: the rows of `owners`, acceptances.
    pub spec: &'a ast::Spec,
    /// The text that the tree was read from.
    pub text: &'a SourceText,
}

/// What a change is about. The order is the one in which changes are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// Edition, zone, accounts.
    Setting,
    /// A snapshot's schema.
    Schema,
    /// A map as a whole, its key, what it does with existing and deleted records.
    Map,
    /// Which records take part.
    Filter,
    /// Which map a record goes to.
    Split,
    /// What a field is written from.
    Rule,
    /// A note.
    Note,
    /// An object that is folded into another.
    Flatten,
    /// A source field that is not migrated.
    Drop,
    /// A row of a value table.
    Table,
    /// A row of a pipeline.
    Pipeline,
    /// Who owns records.
    Owner,
    /// A function of the spec.
    Function,
    /// A custom field that is created in the destination.
    CustomField,
    /// What the destination must have.
    Requirement,
    /// The order of loading.
    Order,
    /// A limit that a run must keep.
    Budget,
    /// An exception that somebody answers for.
    Acceptance,
    /// A decision that is open.
    Open,
}

/// What happened to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It does something else.
    Changed,
    /// It has another name and does the same: no change in meaning.
    Renamed,
}

/// What a change does to what arrives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// As much arrives as before, or nobody can tell.
    #[default]
    Same,
    /// Less arrives.
    Gained,
    /// More arrives.
    Healed,
    /// In one respect more, in another less.
    Mixed,
}

impl Loss {
    /// The same change the other way round.
    #[must_use]
    pub fn reversed(self) -> Loss {
        match self {
            Loss::Gained => Loss::Healed,
            Loss::Healed => Loss::Gained,
            same => same,
        }
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Loss) -> Loss {
        match (self, other) {
            (Loss::Same, one) | (one, Loss::Same) => one,
            (one, other) if one == other => one,
            _ => Loss::Mixed,
        }
    }
}

/// A line of a spec or of a profile.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct At {
    /// The file's name.
    pub file: String,
    /// The line in it, from 1.
    pub line: u32,
}

/// Which records a change can touch, for counting them one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touch {
    /// The map, by its index in the new plan; in the old one where it is gone.
    pub map: Pair,
    /// The destination field, by its name in the new plan (the old one where it is gone); `None` where the whole
    /// record is concerned.
    pub target: Option<String>,
    /// Only records in which these source fields hold these codes. Fields of a folded object are left out here.
    pub only: Vec<(String, String)>,
}

/// An index into a list of the old plan and of the new one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pair {
    /// In the old plan.
    pub old: Option<usize>,
    /// In the new plan.
    pub new: Option<usize>,
}

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What it is about.
    pub subject: Subject,
    /// What happened.
    pub action: Action,
    /// What stays the same when lines move: `deal.stage`, `table sources "CALL"`.
    pub id: String,
    /// In words: lower case, names in backticks, no full stop.
    pub what: String,
    /// The source object whose records are counted; empty where none are.
    pub object: String,
    /// How many of them may come out otherwise.
    pub count: Count,
    /// Of how many.
    pub of: Option<u64>,
    /// What it does to what arrives.
    pub loss: Loss,
    /// The line of the old spec.
    pub old: Option<At>,
    /// The line of the new spec.
    pub new: Option<At>,
    /// Which records to look at.
    pub touches: Vec<Touch>,
}

impl Change {
    /// Whether records, the destination or what people agreed to is another; a new name alone is not.
    pub fn means(&self) -> bool {
        self.action != Action::Renamed
    }
}

/// What is different between two plans.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Diff {
    /// Changes by subject, then in the order of the new spec.
    pub changes: Vec<Change>,
    /// Maps side by side: those of the new plan in its order, then those that are gone.
    pub maps: Vec<Pair>,
}

impl Diff {
    /// Whether anything means something else.
    pub fn means(&self) -> bool {
        self.changes.iter().any(Change::means)
    }

    /// Changes of this effect.
    pub fn of_loss(&self, loss: Loss) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(move |change| change.loss == loss || change.loss == Loss::Mixed)
    }
}

/// Compares two plans.
///
/// The time grows with the size of both; only parts without a counterpart are compared with each other.
pub fn diff(old: Side<'_>, new: Side<'_>) -> Diff {
    compare::run(old, new)
}
