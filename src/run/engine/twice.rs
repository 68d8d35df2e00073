//! Doubles: records that stand beside the one that their source record became. Those that are of b2n's own making are
//! taken away, and everything else is named and kept.
//!
//! Of its own making is what a write without an answer may have left, and what arrived twice: something on the way sent
//! one request again, so that the answer of the first told nothing of the second. Such a record was made within the
//! window of that request, holds what ours held when it was made, and nothing hangs on it.

use serde_json::json;

use crate::run::connect::imprint::{Imprint, hash};
use crate::run::connect::{Payload, Stored};
use crate::run::workspace::{AsMade, JournalState, Operation, Seen, Status};

use super::once::{Deleted, Write};
use super::{Engine, Result};

/// What the journal says of a double that arrived twice.
const TWICE: &str = "made by the same request as the record of the books, which arrived twice";

impl Engine<'_> {
    /// What a record was when it was made, to know another one by that the same request made.
    pub(super) fn as_made(&self, stream: usize, stored: &Stored) -> AsMade {
        let seen = self.target.imprint(&self.streams[stream].target, &stored.body);
        AsMade { target: stored.id.clone(), imprint: digest(&seen), changed_ms: seen.changed_ms }
    }

    /// Takes away what the last list of a stream shows beside the records of the books, as far as it is of b2n's own
    /// making. Gives how many.
    pub(super) async fn take_doubles(&self, map: usize) -> Result<u64> {
        let plan = &self.streams[map];
        let mut taken = 0;
        for double in self.workspace.doubles(&plan.name)? {
            let doubtful = self.workspace.may_have_doubled(&plan.name, &double.key, &double.target)?;
            // A copy that a person made carries the marker too.
            if !doubtful && !self.arrived_twice(map, &double).await? {
                let ours =
                    self.workspace.outcome(&plan.name, &double.key)?.and_then(|outcome| outcome.target);
                let field = self.marker_field();
                self.outside.progress.notice(&format!(
                    "`{}` {} carries the marker of {} {} beside {}, and nothing shows that b2n made it: clear its `{field}` \
                     in the destination, or delete it there, then run again",
                    plan.target,
                    double.target,
                    plan.name,
                    double.key,
                    ours.map_or_else(|| "another record".to_owned(), |ours| format!("`{}` {ours}", plan.target)),
                ));
                continue;
            }
            if let Some(why) = self.target.is_final(&plan.target) {
                self.outside.progress.notice(&format!(
                    "`{}` {} is a double of {} {}, and {why}: delete it in the destination by hand, then run again",
                    plan.target, double.target, plan.name, double.key
                ));
                continue;
            }
            if self.take_away(map, &double, (!doubtful).then_some(TWICE)).await? {
                self.workspace.unsee(&plan.name, &double.key, &double.target)?;
                taken += 1;
            }
        }
        Ok(taken)
    }

    /// Whether the request that made a record made this one as well. Where the destination does not tell when it was
    /// changed, or what hangs on it, nobody can say.
    async fn arrived_twice(&self, map: usize, double: &Seen) -> Result<bool> {
        let plan = &self.streams[map];
        let Some(made) = self.workspace.as_made(&plan.name, &double.key)? else { return Ok(false) };
        let of_books = self
            .workspace
            .outcome(&plan.name, &double.key)?
            .filter(|outcome| outcome.status == Status::Created)
            .and_then(|outcome| outcome.target);
        let create = self.workspace.last_create(&plan.name, &double.key)?.filter(|create| {
            create.state == JournalState::Done && create.intent.target.as_ref() == Some(&made.target)
        });
        let Some(create) = create.filter(|_| of_books.as_ref() == Some(&made.target)) else {
            return Ok(false);
        };
        // What the list told may be old.
        let Some(stored) = self.target.read(&plan.target, &double.target).await? else { return Ok(true) };
        let seen = self.target.imprint(&plan.target, &stored.body);
        let marker = self.marker_of(map, &double.key)?;
        if stored.marker.as_ref() != Some(&marker) || digest(&seen) != made.imprint {
            return Ok(false);
        }
        // Both times are the destination's: how its clock stands to this machine's does not matter.
        let (Some(first), Some(second)) = (made.changed_ms, seen.changed_ms) else { return Ok(false) };
        let took = create.ended_ms.unwrap_or(create.sent_ms).abs_diff(create.sent_ms);
        if first.abs_diff(second) > took.saturating_add(self.settings.dead_ms) {
            return Ok(false);
        }
        // What no look at the record itself tells.
        let links = self.foreign_links(&[map]).await?;
        if links.contains_key(&(plan.target.clone(), stored.id.clone())) {
            return Ok(false);
        }
        for child in self.target.children(&plan.target, &stored).await? {
            let linked =
                ((child.object.as_str(), child.id.as_str()), (plan.target.as_str(), stored.id.as_str()));
            if !self.workspace.made_link(linked.0, linked.1)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Deletes a double of a record, for the reason that the journal keeps, where it carries the marker still: what
    /// somebody took the marker from is theirs, and so is what arrived twice and is not as it was made.
    async fn take_away(&self, map: usize, double: &Seen, why: Option<&str>) -> Result<bool> {
        let Seen { key, target: id, .. } = double;
        let name = self.streams[map].name.as_str();
        let object = self.streams[map].target.as_str();
        let marker = self.marker_of(map, key)?;
        let made = if why.is_some() { self.workspace.as_made(name, key)? } else { None };
        let payload = Payload::default();
        let write = Write { stream: map, key, marker: "", payload: &payload, step: 0 };
        for attempt in 1..=self.settings.sends {
            // A list may be old, and does not tell the revision of every object.
            let Some(stored) = self.target.read(object, id).await? else {
                let now = self.outside.clock.now_ms();
                self.workspace.found_done(Operation::Delete, name, key, id, now)?;
                return Ok(true);
            };
            if stored.marker.as_ref() != Some(&marker) {
                self.workspace.unsee(name, key, id)?;
                return Ok(false);
            }
            if made.as_ref().is_some_and(|made| self.as_made(map, &stored).imprint != made.imprint) {
                return Ok(false);
            }
            match self.delete(&write, Operation::Delete, &stored).await? {
                Deleted::Gone(seq) => {
                    let now = self.outside.clock.now_ms();
                    self.workspace.ended(seq, JournalState::Done, None, why, now)?;
                    self.workspace.found_done(Operation::Delete, name, key, id, now)?;
                    return Ok(true);
                }
                Deleted::Refused(_) => break,
                Deleted::Again(error) => self.before_another(attempt, &error).await?,
            }
        }
        self.outside.progress.notice(&format!(
            "`{object}` {id} is a double of {key} and could not be deleted; delete it in the destination by hand, then run again"
        ));
        Ok(false)
    }
}

/// What two records that the same request made have in common.
fn digest(seen: &Imprint) -> u64 {
    let mut links = seen.links.clone();
    links.sort();
    hash(&json!([seen.fields, links]))
}
