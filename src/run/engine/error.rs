//! Why a run ended early, in words that tell what to do next.

use crate::run::connect;
use crate::run::workspace;

use super::{Interrupted, Item, Problem, Unapproved};

/// Why a run ended early. What is done is kept; the same command goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody asked for it.
    #[error("stopped as asked; everything up to here is kept, and the same command goes on from here")]
    Interrupted,
    /// A system could not be used.
    #[error(transparent)]
    Connect(#[from] connect::Error),
    /// The workspace could not be used.
    #[error(transparent)]
    Workspace(#[from] workspace::Error),
    /// The plan does not fit its accounts as they are now.
    #[error("the plan does not fit the accounts as they are now")]
    Preflight(Vec<Problem>),
    /// Nobody has confirmed what the destination may do by itself.
    #[error("{} not confirmed: {}", if .0.len() == 1 { "one item is" } else { "several items are" }, names(.0))]
    Unconfirmed(Vec<Item>),
    /// Nobody has approved the plan.
    #[error(
        "plan {plan} is not approved: {why}; `b2n approve SPEC` shows what it does and keeps who approves it"
    )]
    Unapproved {
        /// The first digits of the plan's hash.
        plan: String,
        /// Why not.
        why: Unapproved,
    },
    /// Something is confirmed that no item is called.
    #[error("there is no item `{item}` to confirm: {}", known_items(known))]
    NoItem {
        /// What was named.
        item: String,
        /// What can be.
        known: &'static [&'static str],
    },
    /// The plan cannot be run by this version.
    #[error("the plan cannot be run: {0}")]
    Plan(String),
    /// An extraction does not hold what the source counts.
    #[error(
        "`{object}`: {staged} records arrived, the source counts {counted}; run `b2n extract` again, and when the numbers still differ, compare the webhook's rights with an administrator's"
    )]
    Count {
        /// The object.
        object: String,
        /// What the source counts.
        counted: u64,
        /// What is staged.
        staged: u64,
    },
    /// The workspace does not hold what arrived in it.
    #[error(
        "`{object}`: {sealed} records arrived, {staged} are in the workspace; take a backup of the workspace, or extract into a new one"
    )]
    Lacking {
        /// The object.
        object: String,
        /// What was there when it was extracted, or last looked at.
        sealed: u64,
        /// What is staged.
        staged: u64,
    },
    /// Records are not staged yet.
    #[error("`{object}` is not staged; run `b2n extract` first")]
    NotStaged {
        /// The object.
        object: String,
    },
    /// A `stop` of the spec was reached.
    #[error("`{map}` {key}: {place} says stop: {reason}")]
    Stopped {
        /// The map.
        map: String,
        /// The record's key.
        key: String,
        /// The line that says so, as people look it up.
        place: String,
        /// Why.
        reason: String,
    },
    /// A record was made, but without its marker.
    #[error(
        "`{object}` {id} was made, but the destination did not keep its marker in `{field}`; nothing more is written, since what is written could not be found again: look at that record and field in the destination"
    )]
    MarkerLost {
        /// The destination object.
        object: String,
        /// The record.
        id: String,
        /// The marker's field.
        field: String,
    },
    /// The destination holds records of this source that this workspace knows nothing of.
    #[error(
        "the destination holds records of this source already ({object} {id} carries `{marker}`), which another workspace wrote; go on with that workspace, or have those records deleted first"
    )]
    OtherWorkspace {
        /// The destination object.
        object: String,
        /// One of them.
        id: String,
        /// Its marker.
        marker: String,
    },
    /// A record changes each time before it can be written.
    #[error(
        "`{object}` {id} changed {times} times in a row between being read and being written: somebody or something edits it; stop \
         that, such as an automation, then run the same command again"
    )]
    Restless {
        /// The destination object.
        object: String,
        /// The record.
        id: String,
        /// How often.
        times: u32,
    },
    /// The destination takes no more writes, with these credentials or of this kind.
    #[error(
        "the destination takes no more writes: {0}; once that is settled, the same command goes on from here"
    )]
    Denied(String),
    /// A rollback was begun and is not through.
    #[error(
        "a rollback of this workspace was begun and is not through; `b2n rollback` with the same spec finishes it, and only then records can be written again"
    )]
    RollbackOpen,
    /// Another rollback than the one that was begun.
    #[error("{begun}; finish that one first")]
    OtherRollback {
        /// What was begun, and how it goes on.
        begun: String,
    },
    /// Records of other maps link to those that are to be rolled back.
    #[error(
        "`{map}` cannot be rolled back alone, since records of other maps link to its records: {}",
        by_map(by)
    )]
    Needed {
        /// The map.
        map: String,
        /// Maps, and how many of their records.
        by: Vec<(String, u64)>,
    },
    /// A map that wrote records leads elsewhere now.
    #[error(
        "map `{map}` wrote {records} {} as `{object}` to `{target}`, and {why}: put the map back as it was, or take its records \
         back first, with the spec as it was: `b2n rollback SPEC --only {map}`",
        if *records == 1 { "record" } else { "records" }
    )]
    MapMoved {
        /// The map.
        map: String,
        /// The source object that it carried.
        object: String,
        /// The destination object that it carried it to.
        target: String,
        /// Records that stand.
        records: u64,
        /// What it is now.
        why: String,
    },
    /// More of an object's records vanished from the source than do so by themselves.
    #[error(
        "`{object}`: {gone} of {there} staged records are not in the source any more, which is above {}%; none of them was taken for \
         deleted. Look whether the webhook's user still sees them, and into the portal's recycle bin; if they were deleted on \
         purpose, `--yes-vanished {gone}` goes on",
        super::delta::VANISHED_PERCENT
    )]
    Vanished {
        /// The object.
        object: String,
        /// Records that vanished.
        gone: u64,
        /// Records that were there.
        there: u64,
    },
    /// There is nothing to roll back, or not with this spec.
    #[error("{0}")]
    NoRollback(String),
    /// The books of a phase do not close.
    #[error("phase {phase} does not close: {}", lines.join("; "))]
    NotClosed {
        /// From 1.
        phase: usize,
        /// One line for each map that does not close.
        lines: Vec<String>,
    },
    /// A run of a part names what is not there.
    #[error("{0}")]
    Selection(String),
    /// A limit of the plan is exceeded.
    #[error(
        "the budget is exceeded after phase {phase}: {}; mend the spec or agree on another limit, then run again",
        lines.join("; ")
    )]
    Budget {
        /// From 1.
        phase: usize,
        /// One line for each limit.
        lines: Vec<String>,
    },
}

impl From<Interrupted> for Error {
    fn from(_: Interrupted) -> Self {
        Error::Interrupted
    }
}

fn names(items: &[Item]) -> String {
    items.iter().map(|item| format!("`{}`", item.work.item)).collect::<Vec<_>>().join(", ")
}

fn known_items(known: &[&'static str]) -> String {
    let known: Vec<String> = known.iter().map(|item| format!("`{item}`")).collect();
    format!("name one of {}", known.join(", "))
}

fn by_map(by: &[(String, u64)]) -> String {
    let one = |(map, records): &(String, u64)| {
        format!("{records} {} of `{map}`", if *records == 1 { "record" } else { "records" })
    };
    by.iter().map(one).collect::<Vec<_>>().join(", ")
}
