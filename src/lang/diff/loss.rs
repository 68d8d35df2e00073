//! Which of two ways loses more. Every judgement is by rank, so that swapped sides give swapped judgements.

use super::Loss;
use crate::lang::plan::{Arm, Dropped, Filter, Note, Rule, StageTo};

/// More on the new side is a loss gained.
pub(super) fn by<T: Ord>(old: T, new: T) -> Loss {
    match new.cmp(&old) {
        std::cmp::Ordering::Less => Loss::Healed,
        std::cmp::Ordering::Equal => Loss::Same,
        std::cmp::Ordering::Greater => Loss::Gained,
    }
}

/// What becomes of a value that takes this arm, from all of it arrives to the record does not.
pub(super) fn arm(arm: &Arm) -> u8 {
    match arm {
        Arm::Value { .. } | Arm::Wait => 0,
        // Held back: a person decides, so it is not gone.
        Arm::Quarantine | Arm::Stop => 1,
        Arm::Flag(_) => 2,
        Arm::Unset => 3,
        Arm::Skip(_) => 4,
    }
}

pub(super) fn stage(to: &StageTo) -> u8 {
    match to {
        StageTo::Stage(_) => 0,
        StageTo::Arm(of) => arm(of),
    }
}

/// Where a chain of `else` ends: without a value there is nothing to lose but the record.
fn chain_end(arms: &[Arm]) -> u8 {
    match arms.last() {
        None | Some(Arm::Value { .. } | Arm::Wait | Arm::Flag(_) | Arm::Unset) => 0,
        Some(Arm::Quarantine | Arm::Stop) => 1,
        Some(Arm::Skip(_)) => 2,
    }
}

pub(super) fn rules(old: &Rule, new: &Rule) -> Loss {
    let failing = |of: &Option<Arm>| of.as_ref().map_or(0, arm);
    by(old.fidelity, new.fidelity)
        .and(by(old.when.is_some(), new.when.is_some()))
        .and(by(chain_end(&old.otherwise), chain_end(&new.otherwise)))
        .and(by(failing(&old.on_fail), failing(&new.on_fail)))
        .and(by(failing(&old.on_unmigrated), failing(&new.on_unmigrated)))
        .and(by(old.label.is_none(), new.label.is_none()))
}

pub(super) fn filters(old: Option<&Filter>, new: Option<&Filter>) -> Loss {
    let rank = |filter: Option<&Filter>| filter.map_or(0, |filter| arm(&filter.otherwise).max(1));
    by(rank(old), rank(new))
}

pub(super) fn notes(old: &Note, new: &Note) -> Loss {
    // No limit is the most.
    let kept =
        |note: &Note| std::cmp::Reverse(if note.for_each { note.at_most.unwrap_or(u32::MAX) } else { 1 });
    rules(&old.rule, &new.rule).and(by(kept(old), kept(new)))
}

/// A field that is dropped: lost where it has values and nothing else carries them.
pub(super) fn dropped(of: &Dropped, filled: Option<u64>) -> u8 {
    let carried = of.reason == "empty" || of.reason.starts_with("derived from ");
    u8::from(!carried && filled != Some(0))
}
