//! Stages what changed in the source since it was staged, object by object, and watches over a freeze.
//!
//! What a look brings is gathered aside and staged in one step with the moment at which the look began: a run that dies
//! looks at that object anew. What a look did not see is asked for by its id before it counts as gone.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use futures_util::future::try_join_all;

use crate::run::connect::{Known, Since};
use crate::run::workspace::{self, Differs, How, Later, Restaged, Workspace};

use super::{Engine, Error, Result};

/// As many records of an object may vanish between two looks without anybody being asked.
const VANISHED: u64 = 20;
/// The same as a share of those that were there, in per cent.
pub(super) const VANISHED_PERCENT: u64 = 10;

/// Every point of a look for changes that [`super::Points::reach`] is called with.
pub const DELTA_POINTS: [&str; 3] = ["delta.request", "delta.looked", "delta.staged"];

/// Records that are looked up at once.
const PAGE: u32 = 500;

/// What changed in the source of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectChanges {
    /// The source object.
    pub object: String,
    /// When the look before began, by the source's clock, Unix milliseconds; `None` where everything was read anew.
    pub since_ms: Option<i64>,
    /// What is staged now.
    pub told: Restaged,
    /// Records that the source holds.
    pub records: u64,
}

/// The staged records of an object, for a connector. The first failure is kept.
struct Staged<'w> {
    workspace: &'w Workspace,
    object: &'w str,
    failed: RefCell<Option<workspace::Error>>,
}

impl Known for Staged<'_> {
    fn staged(&self, key: &str) -> Option<Vec<u8>> {
        match self.workspace.staged_and_there(self.object, key) {
            Ok(found) => found,
            Err(error) => {
                self.failed.borrow_mut().get_or_insert(error);
                None
            }
        }
    }
}

impl Staged<'_> {
    fn check(&self) -> Result<()> {
        self.failed.borrow_mut().take().map_or(Ok(()), |error| Err(Error::Workspace(error)))
    }
}

/// What the looks at all objects share.
struct Common {
    /// Records of all of them together.
    seen: Cell<u64>,
    /// As many records of an object may have vanished.
    vanished: u64,
}

impl Engine<'_> {
    /// Stages what changed in the source since it was staged; the next load applies it. What was never staged is
    /// extracted. Needs no destination.
    ///
    /// # Errors
    /// A source that fails, or is another account. Objects that were through stay staged.
    pub async fn stage_changes(&self) -> Result<Vec<ObjectChanges>> {
        self.stage_changes_with(0).await
    }

    /// The same where somebody has said that so many records of an object may have vanished.
    ///
    /// # Errors
    /// As for [`Engine::stage_changes`]; [`Error::Vanished`] where more have, and more than is usual.
    pub async fn stage_changes_with(&self, vanished: u64) -> Result<Vec<ObjectChanges>> {
        self.workspace.refuse_forgotten()?;
        if let Some(portion) = super::Portion::of(self.workspace)? {
            return Err(super::Error::Selection(format!(
                "the workspace holds a part of the source only ({portion}), and what changed since cannot be told for a part: \
                 extract all of it into another workspace, with `b2n extract SPEC --workspace FILE`, and migrate from there"
            )));
        }
        self.bind_source().await?;
        let mut fresh = BTreeSet::new();
        for object in super::objects(self.plan) {
            let manifest = self.workspace.manifest(object)?.unwrap_or_default();
            if !manifest.done && manifest.cursor.is_empty() {
                fresh.insert(object);
            }
        }
        self.extract().await?;
        let all = super::objects(self.plan);
        // What was extracted just now needs no look.
        let old: Vec<&str> = all.iter().copied().filter(|object| !fresh.contains(object)).collect();
        let mut total = 0;
        for object in &old {
            total += self.workspace.staged(object)?;
        }
        let what = match old[..] {
            [object] => format!("look for changes of {object}"),
            _ => format!("look for changes of {} objects", old.len()),
        };
        let common = Common { seen: Cell::new(0), vanished };
        self.outside.progress.begin(&what, Some(total));
        // Side by side, so that what they ask travels together.
        let looks = all.iter().map(|object| self.changes_of(object, !fresh.contains(object), &common));
        let looked = try_join_all(looks).await;
        self.outside.progress.end();
        looked
    }

    async fn changes_of(&self, object: &str, is_old: bool, common: &Common) -> Result<ObjectChanges> {
        let since_ms = self.workspace.since(object)?;
        let told = match is_old {
            true => self.stage_changes_of(object, since_ms, common).await?,
            false => Restaged::default(),
        };
        let (staged, gone) = (self.workspace.staged(object)?, self.workspace.gone(object)?);
        Ok(ObjectChanges { object: object.to_owned(), since_ms, told, records: staged.saturating_sub(gone) })
    }

    async fn stage_changes_of(
        &self,
        object: &str,
        since_ms: Option<i64>,
        common: &Common,
    ) -> Result<Restaged> {
        let Common { seen, vanished } = common;
        let known = Staged { workspace: self.workspace, object, failed: RefCell::default() };
        self.workspace.begin_look(object)?;
        let began = self.source.clock_ms();
        let mut cursor = String::new();
        loop {
            self.outside.points.reach("delta.request")?;
            let since = Since { at_ms: since_ms, known: &known };
            let looked = self.source.changed(object, &cursor, since).await?;
            known.check()?;
            let rows = looked.records.iter().map(|raw| (raw.id.as_str(), raw.json.as_slice()));
            self.workspace.look(object, rows, looked.same.iter().map(String::as_str), std::iter::empty())?;
            seen.set(seen.get() + (looked.records.len() + looked.same.len()) as u64);
            self.outside.progress.at(seen.get());
            cursor = looked.cursor;
            if looked.done {
                break;
            }
        }
        let there = self.workspace.staged(object)?.saturating_sub(self.workspace.gone(object)?);
        let (mut after, mut gone) = (String::new(), 0u64);
        loop {
            let keys = self.workspace.unseen(object, &after, PAGE)?;
            let Some(last) = keys.last() else { break };
            after.clone_from(last);
            self.outside.points.reach("delta.looked")?;
            let absent = self.source.absent(object, &keys, &known).await?;
            known.check()?;
            gone += absent.gone.len() as u64;
            let rows = absent.there.iter().map(|raw| (raw.id.as_str(), raw.json.as_slice()));
            self.workspace.look(object, rows, std::iter::empty(), absent.gone.iter().map(String::as_str))?;
        }
        if gone > *vanished && gone > VANISHED && gone * 100 > there * VANISHED_PERCENT {
            return Err(super::Error::Vanished { object: object.to_owned(), gone, there });
        }
        let frozen = self.workspace.frozen_ms()?;
        let now = self.outside.clock.now_ms();
        let told = self.workspace.end_look(object, began, now, |ws, differs| {
            let Some(frozen) = frozen else { return Ok(()) };
            match self.came_later(object, differs, since_ms, frozen) {
                Some(later) => ws.keep_later(&later),
                None => Ok(()),
            }
        })?;
        self.outside.points.reach("delta.staged")?;
        Ok(told)
    }

    /// Whether a record that differs was surely changed after the freeze: it says so itself, or the look before was
    /// later than the freeze.
    fn came_later(
        &self,
        object: &str,
        differs: &Differs,
        since_ms: Option<i64>,
        frozen_ms: i64,
    ) -> Option<Later> {
        let stamp = self.source.stamp(object, &differs.json);
        let says = stamp.changed_ms.filter(|ms| differs.how != How::Gone && is_after(*ms, frozen_ms));
        let looked = since_ms.is_some_and(|since| since >= frozen_ms);
        (says.is_some() || looked).then(|| Later::new(object, &differs.key, differs.how, stamp.owner, says))
    }

    /// The source's clock now, Unix milliseconds; the local one where the source does not tell.
    ///
    /// # Errors
    /// A source that does not answer, or is another account.
    pub async fn source_clock_ms(&self) -> Result<i64> {
        self.bind_source().await?;
        Ok(self.source.clock_ms().unwrap_or_else(|| self.outside.clock.now_ms()))
    }

    /// Looks through what is staged for records that say that they were changed after the freeze, and keeps them.
    ///
    /// # Errors
    /// Those of the workspace.
    pub fn find_later(&self) -> Result<()> {
        let Some(frozen) = self.workspace.frozen_ms()? else { return Ok(()) };
        for object in super::objects(self.plan) {
            let mut after = 0;
            loop {
                let page = self.workspace.staged_page(object, after, PAGE)?;
                let Some(last) = page.last() else { break };
                after = last.seq;
                for record in &page {
                    let stamp = self.source.stamp(object, &record.json);
                    let Some(ms) = stamp.changed_ms.filter(|ms| is_after(*ms, frozen)) else { continue };
                    if self.workspace.is_gone(object, &record.key)? {
                        continue;
                    }
                    let later = Later::new(object, &record.key, How::Changed, stamp.owner, Some(ms));
                    self.workspace.keep_later(&later)?;
                }
            }
        }
        Ok(())
    }

    /// Where the source is frozen: asks it for records that say that they were changed after the freeze, and keeps them.
    /// Deletes, links and comments say nothing; a whole look finds those.
    ///
    /// # Errors
    /// A source that does not answer.
    pub async fn ask_for_later(&self) -> Result<()> {
        let Some(frozen) = self.workspace.frozen_ms()? else { return Ok(()) };
        for object in super::objects(self.plan) {
            // From the beginning of its second on.
            for (key, stamp) in
                self.source.changed_after(object, frozen - frozen.rem_euclid(1_000) - 1).await?
            {
                let later = Later::new(object, &key, How::Changed, stamp.owner, stamp.changed_ms);
                self.workspace.keep_later(&later)?;
            }
        }
        Ok(())
    }
}

/// Whether a time with whole seconds may be after a moment.
fn is_after(ms: i64, moment_ms: i64) -> bool {
    ms.div_euclid(1_000) >= moment_ms.div_euclid(1_000)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_change_within_the_second_of_the_freeze_may_be_after_it() {
        for (ms, after) in [(4_000, true), (5_000, true), (3_000, false)] {
            assert_eq!(super::is_after(ms, 4_700), after, "{ms}");
        }
    }
}
