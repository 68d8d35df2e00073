//! Whether a record may be taken back: was it touched since it was last read back.
//!
//! A revision says nothing, since edits of neighbours move it. What counts are the fields, and what hangs on it.

use std::collections::BTreeSet;

use crate::run::connect::{Payload, Stored};
use crate::run::workspace::{Entry, JournalState, Operation, ReadBack, doubtful};

use super::super::{Engine, Result};
use super::{Assessment, There};

/// Names that a reason lists.
const SHOWN: usize = 4;

/// How much later than a request the destination's clock may show its effect, in milliseconds.
const SKEW_MS: i64 = 300_000;

/// How a record of the destination came to be.
pub(super) enum Origin {
    /// The migration made it.
    Made,
    /// It was there, and the migration changed it.
    Adopted,
    /// It carries the marker, and a write without an answer may have made it.
    Doubtful,
    /// It carries the marker and somebody else made it.
    Copy,
}

/// What edits without an answer were about.
#[derive(Default)]
pub(in super::super) struct Unanswered {
    /// The fields that they sent.
    pub sent: BTreeSet<String>,
    /// Those that may hold what was sent.
    shown: BTreeSet<String>,
}

impl Unanswered {
    /// Whether a field may be as it is by one of these edits. One that holds neither what it held before nor what was
    /// sent is a person's.
    pub(in super::super) fn is_ours(&self, name: &str) -> bool {
        self.sent.contains(name) && self.shown.contains(name)
    }
}

impl Engine<'_> {
    /// The records that a source record became, by the journal and by what the destination lists, with how each came
    /// to be.
    pub(super) fn records_of(
        &self,
        stream: usize,
        key: &str,
        entries: &[Entry],
    ) -> Result<Vec<(String, Origin)>> {
        let name = &self.streams[stream].name;
        let of = |operation| entries.iter().filter(move |entry| entry.intent.operation == operation);
        let doubtful = doubtful(entries);
        let done = |entry: &&Entry| entry.state == JournalState::Done;
        let made: BTreeSet<&str> =
            of(Operation::Create).filter(done).filter_map(|entry| entry.intent.target.as_deref()).collect();
        let adopted: BTreeSet<&str> = of(Operation::Adopt)
            .filter(|entry| entry.state != JournalState::Failed)
            .filter_map(|entry| entry.intent.target.as_deref())
            .collect();
        let seen = self.workspace.seen_of(name, key)?;
        let mut ids: Vec<&str> = made.iter().chain(&adopted).copied().collect();
        ids.extend(seen.iter().map(|seen| seen.target.as_str()));
        let mut known = BTreeSet::new();
        ids.retain(|id| known.insert(*id));
        let origin = |id: &str| {
            if made.contains(id) {
                Origin::Made
            } else if adopted.contains(id) {
                Origin::Adopted
            } else if doubtful {
                Origin::Doubtful
            } else {
                Origin::Copy
            }
        };
        Ok(ids.into_iter().map(|id| (id.to_owned(), origin(id))).collect())
    }

    /// What is remembered of a record: of itself, or of the one that an unanswered create doubled.
    pub(super) fn remembered(&self, stream: usize, key: &str, id: &str) -> Result<Option<ReadBack>> {
        let stream = &self.streams[stream];
        if let Some(kept) = self.workspace.readback(&stream.target, id)? {
            return Ok(Some(kept));
        }
        match self.workspace.readback_of(&stream.name, key)? {
            Some((object, other)) if object == stream.target => {
                let kept = self.workspace.readback(&object, &other)?;
                // It is the record of another key, or one that was there before.
                Ok(kept.filter(|kept| !kept.adopted))
            }
            _ => Ok(None),
        }
    }

    /// Whether a record without a read-back can only have been changed by the write that had no answer: nobody did
    /// after that write's time.
    pub(in super::super) fn only_just_written(
        &self,
        stream: usize,
        stored: &Stored,
        entries: &[Entry],
    ) -> bool {
        let object = &self.streams[stream].target;
        let Some(changed) = self.target.imprint(object, &stored.body).changed_ms else { return false };
        let window = i64::try_from(self.settings.dead_ms).unwrap_or(i64::MAX).saturating_add(SKEW_MS);
        entries
            .iter()
            .filter(|entry| entry.state != JournalState::Done)
            .any(|entry| (changed - entry.sent_ms).abs() <= window)
    }

    /// What the edits of a record were about that had no answer, since the last one that had; `None` where it was not
    /// kept.
    pub(in super::super) fn open_edits(
        &self,
        object: &str,
        stored: &Stored,
        entries: &[Entry],
    ) -> Result<Option<Unanswered>> {
        let edits = entries.iter().rev().filter(|entry| {
            matches!(entry.intent.operation, Operation::Edit | Operation::Adopt)
                && entry.intent.target.as_ref() == Some(&stored.id)
        });
        let mut found = Unanswered::default();
        for edit in edits.take_while(|entry| entry.state != JournalState::Done) {
            if edit.state == JournalState::Failed {
                continue;
            }
            let Some(sent) = self.workspace.under_way(edit.seq)? else { return Ok(None) };
            let payload = Payload { fields: sent.fields };
            found.shown.extend(self.target.may_show(object, &payload, stored));
            found.sent.extend(sent.touched);
        }
        Ok(Some(found))
    }

    /// Whether a record differs from its read-back by an edit of ours that had no answer when its process died: it is the
    /// last that was sent of this record, and nobody changed the record after that edit's time.
    fn may_be_our_last_edit(&self, kept: &ReadBack, changed_ms: Option<i64>) -> Result<bool> {
        let entries = self.workspace.writes_since_taken_back(&kept.map, &kept.key)?;
        let written = |entry: &&Entry| {
            matches!(entry.intent.operation, Operation::Create | Operation::Edit | Operation::Adopt)
        };
        let (Some(last), Some(changed)) = (entries.iter().rfind(written), changed_ms) else {
            return Ok(false);
        };
        let window = i64::try_from(self.settings.dead_ms).unwrap_or(i64::MAX).saturating_add(SKEW_MS);
        Ok(last.intent.operation == Operation::Edit
            && last.intent.target.as_ref() == Some(&kept.target)
            && matches!(last.state, JournalState::Intent | JournalState::Unknown)
            && (changed - last.sent_ms).abs() <= window)
    }

    /// Why a record that the migration made has to stay; `None` when nobody touched it.
    pub(in super::super) async fn touched(
        &self,
        object: &str,
        stored: &Stored,
        kept: &ReadBack,
        assessment: &Assessment,
    ) -> Result<Option<String>> {
        let now = self.target.imprint(object, &stored.body);
        let names = kept.fields.keys().chain(now.fields.keys());
        let mut differing: BTreeSet<&String> = names
            .filter(|name| {
                kept.fields.get(*name).and_then(|field| field.hash) != now.fields.get(*name).copied()
            })
            .collect();
        if !differing.is_empty() && self.may_be_our_last_edit(kept, now.changed_ms)? {
            let entries = self.workspace.writes_since_taken_back(&kept.map, &kept.key)?;
            let unanswered = self.open_edits(object, stored, &entries)?;
            differing.retain(|name| unanswered.as_ref().is_some_and(|edits| !edits.is_ours(name)));
        }
        if !differing.is_empty() {
            let fields = some(differing.into_iter().map(|name| format!("`{}`", shown_field(name))));
            return Ok(Some(format!("{fields} changed since it was last read back")));
        }
        let here = (object.to_owned(), stored.id.clone());
        let mut strange = Vec::new();
        for child in self.target.children(object, stored).await? {
            let child: There = (child.object, child.id);
            if !self.is_our_link(&child, &here, assessment)? {
                strange.push(child);
            }
        }
        for other in assessment.foreign.get(&here).into_iter().flatten() {
            if !strange.contains(other) && !self.is_our_link(other, &here, assessment)? {
                strange.push(other.clone());
            }
        }
        if strange.is_empty() {
            return Ok(None);
        }
        let verb = if strange.len() == 1 { "hangs" } else { "hang" };
        let who = some(strange.iter().map(|child| self.show(child)));
        Ok(Some(format!("{who} {verb} on it, which this migration did not link")))
    }

    /// Whether the migration linked one record to another.
    fn is_our_link(&self, from: &There, to: &There, assessment: &Assessment) -> Result<bool> {
        if self.workspace.made_link((&from.0, &from.1), (&to.0, &to.1))? {
            return Ok(true);
        }
        if let Some(found) = assessment.found.borrow().get(from) {
            return Ok(found.links.contains(to) || self.target.is_final(&from.0).is_some());
        }
        // The destination itself decides what such a record hangs on: by address.
        let is_final = self.target.is_final(&from.0).is_some();
        Ok(is_final && self.workspace.readback(&from.0, &from.1)?.is_some())
    }

    /// The links of a record from its own side.
    pub(super) fn links_now(&self, object: &str, stored: &Stored) -> Vec<There> {
        self.target.imprint(object, &stored.body).links
    }
}

/// The first few of a list, and how many more there are.
pub(super) fn some(names: impl ExactSizeIterator<Item = String>) -> String {
    let all = names.len();
    let mut text = names.take(SHOWN).collect::<Vec<_>>().join(", ");
    if all > SHOWN {
        text.push_str(&format!(" and {} more", all - SHOWN));
    }
    text
}

/// A field of an imprint as people call it.
pub(super) fn shown_field(name: &str) -> &str {
    name.split_once('.').map_or(name, |(_, field)| field)
}
