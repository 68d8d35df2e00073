//! Ends a rollback: looks whether anything is left that was not in the list, closes the books, and takes away what was
//! made in the settings. Safe to repeat after a death.

use std::collections::BTreeSet;

use crate::run::workspace::{Fate, Rollback, Turn};

use super::super::notes::parent_of;
use super::super::provision::CONFIRMED;
use super::super::streams::flatten_name;
use super::super::{Engine, Result};
use super::{Leftover, PAGE};

/// Object, id and the marker's key.
type Stranger = (String, String, String);

impl Engine<'_> {
    /// Gives what of the settings stays, records that the list did not know, and whether nothing is left.
    pub(super) async fn finish(&self, only: Option<&str>) -> Result<(Vec<Leftover>, Vec<Stranger>, bool)> {
        self.outside.points.reach("rollback.finish")?;
        let scope = self.in_scope(only)?;
        let strangers = self.left_behind(&scope).await?;
        let now = self.outside.clock.now_ms();
        for stream in &scope {
            let name = &self.streams[*stream].name;
            self.workspace.close_taken_back(name, now)?;
            self.workspace.forget_the_rest(name)?;
            if self.streams[*stream].notes.is_some() {
                self.unstage_notes(*stream)?;
            }
        }
        for flatten in &self.plan.flattens {
            let into = usize::from(flatten.into);
            if scope.contains(&into) {
                let name = flatten_name(self.plan, flatten);
                self.workspace.unfold(&name, &self.plan.maps[into].name)?;
            }
        }
        let leftovers = if only.is_none() { self.leftovers(None).await? } else { Vec::new() };
        let mut standing = 0;
        for stream in &self.streams {
            standing += self.workspace.with_target(&stream.name)?;
        }
        let anew = standing == 0 && self.workspace.readbacks()? == 0;
        let began = self.workspace.rollback()?.unwrap_or_default();
        let ended = Rollback { ended_ms: Some(now), ..began };
        self.workspace.transaction(|ws| {
            if anew {
                ws.begin_anew()?;
                // By the next migration, people may have switched on again what they had switched off for this one.
                for item in ws.notes_of(CONFIRMED)? {
                    ws.forget_note(&item)?;
                }
            }
            ws.end_rollback(&ended)
        })?;
        Ok((leftovers, strangers, anew))
    }

    /// Lists the destination once more: records with a marker of ours that are there and that the list did not know. A
    /// list may lag behind deletions, and is then asked again.
    async fn left_behind(&self, scope: &BTreeSet<usize>) -> Result<Vec<Stranger>> {
        let mut strangers = Vec::new();
        for stream in scope.iter().copied() {
            for look in 0..3 {
                self.sweep(stream).await?;
                let (deleted, unknown) = self.still_listed(stream)?;
                if deleted > 0 && look < 2 {
                    self.outside.clock.sleep(self.settings.dead_ms).await;
                    continue;
                }
                strangers.extend(unknown);
                break;
            }
        }
        Ok(strangers)
    }

    /// Of what the last sweep of a stream saw: how many records were deleted, and those that the list did not know.
    fn still_listed(&self, stream: usize) -> Result<(u64, Vec<Stranger>)> {
        let plan = &self.streams[stream];
        let (mut deleted, mut unknown, mut after) = (0, Vec::new(), String::new());
        loop {
            let keys = self.workspace.keys_there(&plan.name, &after, PAGE)?;
            let Some(last) = keys.last() else { return Ok((deleted, unknown)) };
            after.clone_from(last);
            for key in &keys {
                for seen in self.workspace.seen_of(&plan.name, key)? {
                    match self.workspace.in_rollback(&plan.target, &seen.target)? {
                        Some(line) if line.fate == Fate::Delete && line.turn == Turn::Done => deleted += 1,
                        Some(_) => {}
                        None => unknown.push((plan.target.clone(), seen.target, key.clone())),
                    }
                }
            }
        }
    }

    /// Notes are staged when their record lands: those of records that are pending again are not staged any more.
    fn unstage_notes(&self, stream: usize) -> Result<()> {
        let plan = &self.streams[stream];
        let map = &self.plan.maps[plan.map].name;
        let mut after = 0;
        loop {
            let page = self.workspace.staged_page(&plan.object, after, PAGE)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.seq;
            let mut rows = Vec::new();
            for note in &page {
                let pending = match parent_of(note) {
                    Some(parent) => self.workspace.outcome(map, &parent)?.is_none(),
                    None => false,
                };
                if pending
                    && self.workspace.outcome(&plan.name, &note.key)?.is_none_or(|o| o.target.is_none())
                {
                    rows.push(note.seq);
                    self.workspace.unsettle(&plan.name, &note.key)?;
                }
            }
            self.workspace.unstage_rows(&rows)?;
        }
    }
}
