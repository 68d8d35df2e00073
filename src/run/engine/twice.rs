//! Doubles: records that stand beside the one that their source record became. Those that are of b2n's own making are
//! taken away, and everything else is named and kept.
//!
//! Of its own making is what a write without an answer may have left, and what arrived twice: something on the way sent
//! one request again, so that the answer of the first told nothing of the second. Such a record was made within the
//! window of one of the record's requests, holds what ours held when it was made, and nothing hangs on it. A copy that a
//! person made carries the marker too: an answer that is missing makes no copy ours.

use serde_json::json;

use crate::run::connect::imprint::{Imprint, hash};
use crate::run::connect::{Payload, Stored};
use crate::run::workspace::{AsMade, Entry, JournalState, Operation, Seen, Status, doubtful};

use super::once::{Deleted, Write};
use super::{Engine, Result};

/// How long an answer is waited for, in milliseconds: a process that died had not given its request up.
const ANSWER_MS: i64 = 60_000;

/// What the journal says of a double that arrived twice.
const TWICE: &str = "made by the same request as the record of the books, which arrived twice";

/// What the journal says of a double that a write without an answer left.
const UNANSWERED: &str = "made like the record of the books, by a request that had no answer";

/// Whose a record with a marker is, beside another one that has the same.
pub(super) enum Whose {
    /// One of our requests made it: why that is so, and what it holds.
    Ours(&'static str, u64),
    /// Nothing shows that we made it.
    Theirs,
    /// There is no other one to compare it with.
    Alone,
}

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
            let Seen { key, target: id, .. } = &double;
            if let Some(why) = self.target.is_final(&plan.target) {
                self.outside.progress.notice(&format!(
                    "`{}` {id} is a double of {} {key}, beside {}, and {why}: delete it in the destination by hand, \
                     then run again",
                    plan.target,
                    plan.name,
                    self.named_beside(map, &double)?
                ));
                continue;
            }
            // What the list told may be old.
            let ours = match self.target.read(&plan.target, id).await? {
                None => {
                    let now = self.outside.clock.now_ms();
                    self.workspace.found_done(Operation::Delete, &plan.name, key, id, now)?;
                    self.workspace.unsee(&plan.name, key, id)?;
                    taken += 1;
                    continue;
                }
                Some(stored) => match self.whose(map, key, &stored).await? {
                    Whose::Ours(why, imprint) if !self.is_used(map, &stored).await? => Some((why, imprint)),
                    _ => None,
                },
            };
            let Some(ours) = ours else {
                let field = self.marker_field();
                self.outside.progress.notice(&format!(
                    "`{}` {id} carries the marker of {} {key} beside {}, and nothing shows that b2n made it: clear its \
                     `{field}` in the destination, or delete it there, then run again",
                    plan.target,
                    plan.name,
                    self.named_beside(map, &double)?
                ));
                continue;
            };
            if self.take_away(map, &double, ours).await? {
                self.workspace.unsee(&plan.name, key, id)?;
                taken += 1;
            }
        }
        Ok(taken)
    }

    /// The record that a double stands beside, for people.
    fn named_beside(&self, map: usize, double: &Seen) -> Result<String> {
        let plan = &self.streams[map];
        let books = self.workspace.outcome(&plan.name, &double.key)?.and_then(|outcome| outcome.target);
        let other = match books {
            Some(id) => Some(id),
            None => {
                let seen = self.workspace.seen_of(&plan.name, &double.key)?;
                seen.into_iter().map(|seen| seen.target).find(|id| *id != double.target)
            }
        };
        Ok(other.map_or_else(|| "another record".to_owned(), |id| format!("`{}` {id}", plan.target)))
    }

    /// Whether one of our requests made a record that is not the one of the books: it holds what that one held when it
    /// was made, and was made within the window of a request. Where the destination does not tell when it was changed,
    /// only what holds the same and may be left by a write without an answer counts as ours.
    pub(super) async fn whose(&self, map: usize, key: &str, stored: &Stored) -> Result<Whose> {
        let plan = &self.streams[map];
        let entries = self.workspace.writes_since_taken_back(&plan.name, key)?;
        let is_adopted = entries.iter().any(|entry| {
            entry.intent.operation == Operation::Adopt && entry.intent.target.as_ref() == Some(&stored.id)
        });
        let mut creates: Vec<&Entry> =
            entries.iter().filter(|entry| entry.intent.operation == Operation::Create).collect();
        if is_adopted || creates.is_empty() || stored.marker.as_ref() != Some(&self.marker_of(map, key)?) {
            return Ok(Whose::Theirs);
        }
        let doubtful = doubtful(&entries);
        let outcome = self.workspace.outcome(&plan.name, key)?.filter(|outcome| outcome.target.is_some());
        if outcome.as_ref().is_some_and(|outcome| outcome.status != Status::Created) {
            return Ok(Whose::Theirs);
        }
        let books = outcome.and_then(|outcome| outcome.target);
        let made = self.workspace.as_made(&plan.name, key)?;
        let made = made.filter(|made| books.as_ref().map_or(doubtful, |books| *books == made.target));
        let like = match made {
            Some(made) if made.target == stored.id => return Ok(Whose::Alone),
            Some(made) => made,
            None if !doubtful => return Ok(Whose::Theirs),
            None => {
                let lowest = || -> Result<Option<String>> {
                    let seen = self.workspace.seen_of(&plan.name, key)?;
                    Ok(seen.into_iter().next().map(|seen| seen.target))
                };
                let other = books.map_or_else(lowest, |books| Ok(Some(books)))?;
                let Some(other) = other.filter(|other| *other != stored.id) else {
                    return Ok(Whose::Alone);
                };
                let Some(other) = self.target.read(&plan.target, &other).await? else {
                    return Ok(Whose::Theirs);
                };
                self.as_made(map, &other)
            }
        };
        // The answer tells which of the requests made it.
        let answered = |entry: &&Entry| {
            entry.state == JournalState::Done && entry.intent.target.as_ref() == Some(&like.target)
        };
        if !doubtful {
            creates.retain(answered);
        }
        let seen = self.target.imprint(&plan.target, &stored.body);
        let imprint = digest(&seen);
        let in_time = match (like.changed_ms, seen.changed_ms) {
            (Some(first), Some(second)) => {
                within_requests(&creates, second.saturating_sub(first), self.settings.dead_ms)
            }
            _ => doubtful,
        };
        if imprint != like.imprint || !in_time {
            return Ok(Whose::Theirs);
        }
        Ok(Whose::Ours(if doubtful { UNANSWERED } else { TWICE }, imprint))
    }

    /// Whether something hangs on a record that we did not link: what no look at the record itself tells.
    async fn is_used(&self, map: usize, stored: &Stored) -> Result<bool> {
        let plan = &self.streams[map];
        let links = self.foreign_links(&[map]).await?;
        if links.contains_key(&(plan.target.clone(), stored.id.clone())) {
            return Ok(true);
        }
        for child in self.target.children(&plan.target, stored).await? {
            let linked =
                ((child.object.as_str(), child.id.as_str()), (plan.target.as_str(), stored.id.as_str()));
            if !self.workspace.made_link(linked.0, linked.1)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Ends deletions of doubles that had no answer and turn out to have been done: nothing else looks at them again,
    /// since no list shows what is gone.
    pub(super) async fn settle_deletions(&self, map: usize) -> Result<()> {
        let plan = &self.streams[map];
        for (key, id) in self.workspace.open_deletions(&plan.name)? {
            if self.target.read(&plan.target, &id).await?.is_none() {
                let now = self.outside.clock.now_ms();
                self.workspace.found_done(Operation::Delete, &plan.name, &key, &id, now)?;
            }
        }
        Ok(())
    }

    /// Deletes a double of a record, for the reason that the journal keeps, where it carries the marker still and holds
    /// what it held: what somebody took the marker from is theirs, and so is what is not as it was made.
    async fn take_away(&self, map: usize, double: &Seen, (why, imprint): (&str, u64)) -> Result<bool> {
        let Seen { key, target: id, .. } = double;
        let name = self.streams[map].name.as_str();
        let object = self.streams[map].target.as_str();
        let marker = self.marker_of(map, key)?;
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
            if self.as_made(map, &stored).imprint != imprint {
                return Ok(false);
            }
            match self.delete(&write, Operation::Delete, &stored).await? {
                Deleted::Gone(seq) => {
                    let now = self.outside.clock.now_ms();
                    self.workspace.ended(seq, JournalState::Done, None, Some(why), now)?;
                    self.workspace.found_done(Operation::Delete, name, key, id, now)?;
                    return Ok(true);
                }
                Deleted::Refused(_) => break,
                Deleted::Again(error) => self.before_another(attempt, &error).await?,
            }
        }
        // The last of the tries may have been done.
        if self.target.read(object, id).await?.is_none() {
            let now = self.outside.clock.now_ms();
            self.workspace.found_done(Operation::Delete, name, key, id, now)?;
            return Ok(true);
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

/// Whether a record that was changed so many milliseconds after the one of the books can have been made by one of these
/// requests. Both times are the destination's: how its clock stands to this machine's does not matter.
fn within_requests(creates: &[&Entry], apart_ms: i64, dead_ms: u64) -> bool {
    let dead = i64::try_from(dead_ms).unwrap_or(i64::MAX);
    let window = |entry: &Entry| {
        // Whatever was found later says when it was looked for, not when it was made.
        let answered = entry.ended_ms.filter(|_| entry.note.is_none());
        let ended = entry.unknown_ms.or(answered).unwrap_or(entry.sent_ms.saturating_add(ANSWER_MS));
        // A clock that was set back meanwhile.
        let (first, last) = (ended.min(entry.sent_ms), ended.max(entry.sent_ms));
        (first, last.saturating_add(dead))
    };
    creates.iter().map(|entry| window(entry)).any(|(from, until)| {
        creates.iter().map(|entry| window(entry)).any(|(first, last)| {
            (from.saturating_sub(last)..=until.saturating_sub(first)).contains(&apart_ms)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::workspace::Intent;

    fn create(sent_ms: i64, ended_ms: Option<i64>, unknown_ms: Option<i64>, note: Option<&str>) -> Entry {
        let intent = Intent {
            map: "deal".to_owned(),
            key: "7".to_owned(),
            operation: Operation::Create,
            step: 0,
            payload: String::new(),
            target: Some("3".to_owned()),
            before: None,
        };
        let note = note.map(str::to_owned);
        Entry { seq: 1, intent, state: JournalState::Done, sent_ms, ended_ms, unknown_ms, note }
    }

    #[test]
    fn what_was_made_within_the_window_of_a_request_is_ours() {
        let dead = 90_000;
        let answered = create(1_000_000, Some(1_000_400), None, None);
        for (apart, ours) in [(0, true), (90_400, true), (-90_400, true), (90_401, false), (-90_401, false)] {
            assert_eq!(within_requests(&[&answered], apart, dead), ours, "{apart}");
        }
        // Found a day later: that says nothing of when it was made.
        let found = create(1_000_000, Some(87_400_000), Some(1_060_000), Some("found"));
        assert!(within_requests(&[&found], 150_000, dead) && !within_requests(&[&found], 150_001, dead));
        // The second of two requests, ten minutes later.
        let second = create(1_600_000, Some(1_600_400), None, None);
        let both = [&found, &second];
        for (apart, ours) in
            [(600_000, true), (-600_000, true), (690_400, true), (700_000, false), (300_000, false)]
        {
            assert_eq!(within_requests(&both, apart, dead), ours, "{apart}");
        }
        // A process died over it.
        let died = create(1_000_000, None, None, None);
        assert!(within_requests(&[&died], 150_000, dead) && !within_requests(&[&died], 150_001, dead));
        // The clock was set back by an hour meanwhile: the window is no shorter.
        let back = create(4_600_000, Some(1_000_000), None, None);
        assert!(within_requests(&[&back], 60_000, dead));
        assert!(!within_requests(&[], 0, dead));
    }
}
