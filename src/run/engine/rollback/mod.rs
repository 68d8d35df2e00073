//! Takes a migration back: what it made is deleted, what it changed gets its former values, what people touched since
//! stays.
//!
//! First a list is made, which only reads; then it is kept durably; then it is carried out in that order, dependents
//! before what they link to, each record looked at once more right before. A rollback that was begun goes on with its
//! list after any death.

mod announce;
mod carry;
mod finish;
mod judge;
mod order;
mod restore;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::lang::plan::short;
use crate::run::connect;
use crate::run::workspace::{ReadBack, Rollback, RollbackCount, Side};

use super::{Engine, Error, Result};

/// Every point of a rollback that [`super::Points::reach`] is called with.
pub const ROLLBACK_POINTS: [&str; 7] = [
    "rollback.assessed",
    "rollback.begun",
    "rollback.intent",
    "rollback.answered",
    "rollback.settled",
    "rollback.finish",
    "rollback.provision",
];

/// Records that are looked at or taken back in one page of the list.
const PAGE: u32 = 200;

/// The workspace's note of which maps lead where.
const SHAPE: &str = "maps";

/// An object and an id of the destination.
type There = (String, String);

/// What a rollback would do, or goes on doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Announcement {
    /// Per map, fate and turn.
    pub counts: Vec<RollbackCount>,
    /// What was made in the destination's settings.
    pub leftovers: Vec<Leftover>,
    /// Records whose deletion the API may refuse: of a map, how many, why.
    pub doubts: Vec<(String, u64, &'static str)>,
    /// The map, where only one is rolled back.
    pub only: Option<String>,
    /// Whether it was begun by an earlier run, whose list it keeps.
    pub begun: bool,
    /// Records whose creates were never answered and that are there.
    found: Vec<ReadBack>,
}

/// Something in the destination's settings that the migration made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// What it is.
    pub what: String,
    /// Why it stays; `None` when it goes, or is gone.
    pub stays: Option<String>,
}

/// What a rollback came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RollbackReport {
    /// Per map, fate and turn.
    pub counts: Vec<RollbackCount>,
    /// What was made in the destination's settings.
    pub leftovers: Vec<Leftover>,
    /// Records with a marker of this migration that are there and were not in the list: object, id, marker's key.
    pub strangers: Vec<(String, String, String)>,
    /// Whether nothing of the migration is left that it knows of: the next one begins as the first did.
    pub anew: bool,
    /// How long it took by the run's own clock, in milliseconds.
    pub took_ms: u64,
}

impl RollbackReport {
    /// Whether everything went as it was announced.
    pub fn as_announced(&self) -> bool {
        use crate::run::workspace::Turn;
        let turned = |turn| self.counts.iter().any(|count| count.turn == turn && count.records > 0);
        self.strangers.is_empty() && !turned(Turn::Kept) && !turned(Turn::Refused) && !turned(Turn::Open)
    }
}

/// How far a rollback is, for those who ask without a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// When it began and ended, and of which map it is.
    pub rollback: Rollback,
    /// Per map, fate and turn.
    pub counts: Vec<RollbackCount>,
}

impl Standing {
    /// Of a workspace; `None` where none was ever begun.
    ///
    /// # Errors
    /// Those of the workspace.
    pub fn of(
        workspace: &crate::run::workspace::Workspace,
    ) -> std::result::Result<Option<Standing>, crate::run::workspace::Error> {
        let Some(rollback) = workspace.rollback()? else { return Ok(None) };
        Ok(Some(Standing { rollback, counts: workspace.rollback_counts(false)? }))
    }
}

/// What looking at all records has found so far, dependents first.
#[derive(Default)]
pub(super) struct Assessment {
    /// Records that must stay, since one that stays links to them: why.
    needed: RefCell<BTreeMap<There, String>>,
    /// Records that a create without an answer made after all.
    found: RefCell<BTreeMap<There, ReadBack>>,
    /// Records that others link to which nothing is remembered of, where only a list tells: by whom.
    foreign: BTreeMap<There, BTreeSet<There>>,
    /// Per map and reason: how many deletions the API may refuse.
    doubts: RefCell<BTreeMap<(String, &'static str), u64>>,
}

impl Engine<'_> {
    /// Asks the destination who it is; a rollback never asks the source.
    ///
    /// # Errors
    /// A workspace that has met no destination, or another one.
    pub async fn bind_target(&self) -> Result<connect::Account> {
        if self.workspace.pinned(Side::Target)?.is_none() {
            return Err(Error::NoRollback(
                "this workspace has not met a destination: there is nothing to roll back".to_owned(),
            ));
        }
        let target = self.target.account().await?;
        self.workspace.pin(Side::Target, &target.id)?;
        Ok(target)
    }

    /// Keeps which maps lead where: what a rollback needs of a plan, whose hash another version of the program may
    /// work out otherwise.
    pub(super) fn keep_shape(&self) -> Result<()> {
        Ok(self.workspace.set_note(SHAPE, &serde_json::to_string(&self.shape()).unwrap_or_default())?)
    }

    /// Which maps led where when records were last written.
    pub(super) fn kept_shape(&self) -> Result<BTreeMap<String, There>> {
        let kept = self.workspace.note(SHAPE)?;
        Ok(kept.and_then(|kept| serde_json::from_str(&kept).ok()).unwrap_or_default())
    }

    /// What has to be known of all records to tell whether one was touched.
    pub(super) async fn assessment(&self) -> Result<Assessment> {
        let streams: Vec<usize> = (0..self.streams.len()).collect();
        Ok(Assessment { foreign: self.foreign_links(&streams).await?, ..Assessment::default() })
    }

    /// Object and destination object of each map.
    fn shape(&self) -> BTreeMap<String, There> {
        let maps = self.plan.maps.iter();
        maps.map(|map| (map.name.clone(), (map.source.clone(), map.target.clone()))).collect()
    }

    /// Why this plan is not one to roll back with; `None` where it is.
    fn other_shape(&self) -> Result<Option<String>> {
        let here = self.shape();
        let kept = self.workspace.note(SHAPE)?;
        let kept = kept.and_then(|kept| serde_json::from_str::<BTreeMap<String, There>>(&kept).ok());
        let Some(kept) = kept else {
            let (found, pinned) = (&self.plan_hash, self.workspace.plan()?.unwrap_or_default());
            return Ok((*found != pinned).then(|| {
                format!(
                    "the workspace was loaded with plan {}, and this spec gives {}",
                    short(&pinned),
                    short(found)
                )
            }));
        };
        let other = kept.iter().find(|(map, leads)| here.get(*map) != Some(*leads));
        Ok(other.map(|(map, (source, target))| {
            format!("map `{map}` carried `{source}` to `{target}`, and this spec has no such map")
        }))
    }

    /// The streams of a map, or all of them.
    fn in_scope(&self, only: Option<&str>) -> Result<BTreeSet<usize>> {
        let Some(only) = only else { return Ok((0..self.streams.len()).collect()) };
        let Some(map) = self.plan.maps.iter().position(|map| map.name == only) else {
            let known: Vec<String> = self.plan.maps.iter().map(|map| format!("`{}`", map.name)).collect();
            return Err(Error::NoRollback(format!(
                "the spec has no map `{only}`: it has {}",
                known.join(", ")
            )));
        };
        Ok((0..self.streams.len()).filter(|stream| self.streams[*stream].map == map).collect())
    }

    fn show(&self, (object, id): &There) -> String {
        format!("{object} {id}")
    }
}
