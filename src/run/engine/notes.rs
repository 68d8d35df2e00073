//! Notes that go with records: staged when their record lands, then loaded as records of their own.

use serde::{Deserialize, Serialize};

use crate::lang::eval::NoteOut;
use crate::lang::value::Value;
use crate::run::workspace::{Outcome, StagedRecord, Status};

use super::prepare::{Worked, Works};
use super::{Engine, Result};

/// A note as it is staged.
#[derive(Serialize, Deserialize)]
struct Staged {
    /// The key of the record that it goes with.
    of: String,
    title: String,
    body: String,
}

/// The key of the record that a staged note goes with.
pub(super) fn parent_of(note: &StagedRecord) -> Option<String> {
    serde_json::from_slice::<Staged>(&note.json).ok().map(|staged| staged.of)
}

/// What a staged note says, title first; nothing where it cannot be read.
pub(super) fn text_of(note: &StagedRecord) -> String {
    serde_json::from_slice::<Staged>(&note.json).map(Staged::text).unwrap_or_default()
}

impl Staged {
    fn text(self) -> String {
        match self.title.trim() {
            "" => self.body,
            title => format!("{title}\n{}", self.body),
        }
    }
}

impl Engine<'_> {
    /// What is staged of a record's notes: key and content. The key is unique over all notes of this source, and
    /// with the account before it the note's marker.
    pub(super) fn staged_notes(&self, map: usize, key: &str, notes: Vec<NoteOut>) -> Vec<(String, Vec<u8>)> {
        notes.into_iter().filter_map(|note| self.staged_note(map, key, note)).collect()
    }

    fn staged_note(&self, map: usize, key: &str, note: NoteOut) -> Option<(String, Vec<u8>)> {
        let plan = &self.plan.maps[map];
        let index = usize::from(note.note.note);
        let flatten = note.note.flatten.and_then(|flatten| self.plan.flattens.get(usize::from(flatten)));
        let name = match note.note.flatten {
            None => &plan.notes.get(index)?.name,
            Some(_) => &flatten?.notes.get(index)?.name,
        };
        // A marker is one line.
        let name: String = name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let marked = match (flatten, &note.child) {
            (Some(flatten), Some(child)) => format!("{}/{child}#{}.{name}", flatten.source, plan.name),
            (Some(flatten), None) => {
                format!("{}/{key}#{}.{}.{name}", plan.source, plan.name, flatten.source)
            }
            (None, _) => format!("{}/{key}#{}.{name}", plan.source, plan.name),
        };
        let staged = Staged { of: key.to_owned(), title: note.title, body: note.body };
        // INVARIANT: three texts always serialise.
        Some((marked, serde_json::to_vec(&staged).unwrap_or_default()))
    }

    /// Works out what becomes of a staged note.
    pub(super) fn work_out_note(&self, stream: usize, record: &StagedRecord) -> Result<Works> {
        let held = |status, reason: String| {
            let outcome = Outcome { status, target: None, reason: Some(reason) };
            Works::Decided(outcome, Vec::new(), Vec::new())
        };
        if self.passed.get() && self.workspace.is_gone(&self.streams[stream].object, &record.key)? {
            return Ok(held(Status::LeftOut, "its record has no such note any more".to_owned()));
        }
        let (flags, waiting, lacks, notes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Ok(match self.note_values(stream, record)? {
            Ok(values) => Works::Out(Box::new(Worked { values, flags, waiting, lacks, notes })),
            Err(why) => held(Status::Quarantined, why),
        })
    }

    /// What a staged note says and where it goes, in the order of its fields; the reason where it has no place.
    pub(super) fn note_values(
        &self,
        stream: usize,
        record: &StagedRecord,
    ) -> Result<std::result::Result<Vec<Value>, String>> {
        let note: Staged = match serde_json::from_slice(&record.json) {
            Ok(note) => note,
            Err(why) => return Ok(Err(format!("the staged note cannot be read: {why}"))),
        };
        let map = &self.plan.maps[self.streams[stream].map];
        let parent = self.workspace.outcome(&map.name, &note.of)?.and_then(|outcome| outcome.target);
        let Some(parent) = parent else {
            return Ok(Err(format!("{} {} is not there", map.name, note.of)));
        };
        Ok(Ok(vec![Value::text(format!("{}/{parent}", map.target)), Value::text(note.text())]))
    }
}
