//! Whether a person approved what a run writes, and how much that is as far as the rules alone tell.
//!
//! An approval is of a plan's hash: a changed plan needs another one, a comment in a spec does not. Every way in that
//! writes asks [`Engine::may_write`] first: [`Engine::migrate_part`] and [`Engine::provision_ahead`]. A rollback does
//! not: it takes back what was approved, has a list of its own that is confirmed, and must stay possible after a
//! withdrawal. [`Settings::approved_only`](super::Settings) switches the gate off where no account is written.

use crate::lang::eval::{Outcome, Program, Route};
use crate::lang::plan::{Plan, short};
use crate::run::connect::Decode;
use crate::run::workspace::{Approval, Workspace};

use super::{Engine, Error, Result};

/// Staged records that are read at once.
const PAGE: u32 = 500;

/// Why a plan may not be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unapproved {
    /// Nobody has approved any plan of this workspace.
    Never,
    /// Another plan was approved, the last time as this hash by this person.
    Other {
        /// The first digits of the plan's hash.
        plan: String,
        /// Who approved it.
        by: String,
    },
    /// It was approved and withdrawn.
    Withdrawn,
    /// It is approved for samples of at most so many records.
    SampleOnly(u32),
}

impl std::fmt::Display for Unapproved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unapproved::Never => f.write_str("nobody has approved it"),
            Unapproved::Other { plan, by } => {
                write!(f, "{by} approved plan {plan}, and the plan has changed since")
            }
            Unapproved::Withdrawn => f.write_str("its approval was withdrawn"),
            Unapproved::SampleOnly(most) => {
                write!(f, "it is approved for samples of at most {most} records only")
            }
        }
    }
}

impl Engine<'_> {
    /// Refuses to write what nobody approved. `drawn` is how many records a sample draws; `None` for any other run.
    ///
    /// # Errors
    /// [`Error::Unapproved`], and [`Error::RollbackOpen`] while a rollback is not through.
    pub fn may_write(&self, drawn: Option<u32>) -> Result<()> {
        if self.workspace.rollback()?.is_some_and(|rollback| rollback.ended_ms.is_none()) {
            return Err(Error::RollbackOpen);
        }
        if !self.settings.approved_only {
            return Ok(());
        }
        let hash = self.plan_hash.as_str();
        let why = match self.workspace.approval(hash)? {
            Some(Approval { sample: None, .. }) => return Ok(()),
            Some(Approval { sample: Some(most), .. }) => match drawn {
                Some(drawn) if drawn <= most => return Ok(()),
                _ => Unapproved::SampleOnly(most),
            },
            None => {
                let all = self.workspace.approvals()?;
                let last = all.iter().rev().find(|approval| approval.withdrawn_ms.is_none());
                match last {
                    _ if all.iter().any(|approval| approval.plan == hash) => Unapproved::Withdrawn,
                    Some(last) => Unapproved::Other { plan: short(&last.plan), by: last.by.clone() },
                    None => Unapproved::Never,
                }
            }
        };
        Err(Error::Unapproved { plan: short(hash), why })
    }
}

/// How many records of a map are to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// The map.
    pub map: String,
    /// The destination object.
    pub target: String,
    /// Source records that come to it: of a map that a split leads to, those that it is sent, and at most these many
    /// where nothing is staged. `None` where nobody knows.
    pub records: Option<u64>,
    /// What the rules say of each, where its object is staged.
    pub ruled: Option<Ruled>,
}

/// What the rules say of the staged records of a map. Links, what is folded in, and what the destination refuses are
/// not among it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ruled {
    /// Written.
    pub written: u64,
    /// Left out.
    pub left_out: u64,
    /// Held back for a person, or such that the run ends.
    pub held_back: u64,
}

/// Works out what a plan writes, from staged records where an object is staged whole, else from the plan's statistics.
/// Asks no system and changes nothing. `decoders` are one per map, in the plan's order; further ones are not asked.
///
/// # Errors
/// Those of the workspace; a plan that this version cannot run.
pub fn expected(plan: &Plan, workspace: &Workspace, decoders: &[Box<dyn Decode>]) -> Result<Vec<Expected>> {
    let program = Program::compile(plan).map_err(Error::Plan)?;
    let mut all = Vec::with_capacity(plan.maps.len());
    for (index, (map, decoder)) in plan.maps.iter().zip(decoders).enumerate() {
        let (name, target) = (map.name.clone(), map.target.clone());
        if !workspace.manifest(&map.source)?.is_some_and(|manifest| manifest.done) {
            all.push(Expected { map: name, target, records: map.records, ruled: None });
            continue;
        }
        let (mut records, mut ruled, mut after) = (0, Ruled::default(), 0);
        loop {
            let page = workspace.staged_page(&map.source, after, PAGE)?;
            let Some(last) = page.last() else { break };
            after = last.seq;
            for record in &page {
                let slots = decoder.decode(&record.json).ok();
                if let (Some(split), Some(slots)) = (map.split, &slots) {
                    let sent = program.route(usize::from(split), slots);
                    if !matches!(sent, Route::Maps(maps) if maps.iter().any(|map| usize::from(*map) == index))
                    {
                        continue;
                    }
                } else if map.split.is_some() {
                    // What cannot be read is held back with its split.
                    continue;
                }
                records += 1;
                match slots.map(|slots| program.run(index, &slots)) {
                    Some(Outcome::Record(_)) => ruled.written += 1,
                    Some(Outcome::LeftOut { .. }) => ruled.left_out += 1,
                    Some(Outcome::Quarantined { .. } | Outcome::Stopped { .. }) | None => {
                        ruled.held_back += 1
                    }
                }
            }
        }
        all.push(Expected { map: name, target, records: Some(records), ruled: Some(ruled) });
    }
    Ok(all)
}
