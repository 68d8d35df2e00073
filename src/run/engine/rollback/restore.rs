//! What of an adopted record gets its former value back: the fields that were written and still hold what was written.
//! What a person changed since stays.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::run::connect::{FieldError, Imprint, Payload, Stored};
use crate::run::workspace::{Entry, JournalState, Operation, ReadBack, Remembered};

use super::super::waiting::late_field;
use super::super::{Engine, Result};
use super::There;
use super::judge::{shown_field, some};

/// How an adopted record is restored.
pub(super) struct Restoring {
    /// Its states before our writes.
    images: Vec<Json>,
    /// Fields that get a former value back, with the image that holds it.
    fields: Vec<(String, usize)>,
    /// Fields that were written and that a person changed since.
    held: Vec<String>,
    /// Links that were added and go.
    unlink: Vec<There>,
    /// Links that stay.
    pub links: Vec<There>,
}

impl Restoring {
    /// What stays of what was written; `None` when nothing does.
    pub(super) fn stays(&self) -> Option<String> {
        (!self.held.is_empty()).then(|| {
            let names = some(self.held.iter().map(|name| format!("`{}`", shown_field(name))));
            format!("{names} changed since it was last read back, and stays so")
        })
    }
}

impl Engine<'_> {
    /// Works out what an adopted record gets back; the reason where nobody can tell.
    pub(super) fn restoring(
        &self,
        stream: usize,
        key: &str,
        stored: &Stored,
        entries: &[Entry],
    ) -> Result<std::result::Result<Restoring, String>> {
        let object = &self.streams[stream].target;
        let images: Vec<Json> = entries
            .iter()
            .filter(|entry| {
                entry.intent.operation == Operation::Adopt
                    && entry.state != JournalState::Failed
                    && entry.intent.target.as_deref() == Some(stored.id.as_str())
            })
            .filter_map(|entry| serde_json::from_str(entry.intent.before.as_deref()?).ok())
            .collect();
        let Some(first) = images.first() else {
            return Ok(Err("no image of it from before was kept".to_owned()));
        };
        let before: Vec<Imprint> = images.iter().map(|image| self.target.imprint(object, image)).collect();
        let now = self.target.imprint(object, &stored.body);
        let kept = match self.workspace.readback(object, &stored.id)? {
            Some(kept) => self.with_unanswered(kept, stream, stored, entries, &now)?,
            None if self.only_just_written(stream, stored, entries) => {
                self.as_written(stream, key, stored, first, entries)?
            }
            None => {
                return Ok(Err(
                    "no read-back of it was kept, so nobody can tell what a person changed since".to_owned(),
                ));
            }
        };
        let hash = |imprint: &Imprint, name: &str| imprint.fields.get(name).copied();
        let (mut fields, mut held) = (Vec::new(), Vec::new());
        for (name, field) in kept.fields.iter().filter(|(_, field)| field.written) {
            let is = hash(&now, name);
            // The value before the write that changed it: the last one that was another.
            let image = before.iter().rposition(|image| hash(image, name) != field.hash).unwrap_or(0);
            if is == hash(&before[image], name) {
                continue;
            }
            if is == field.hash {
                fields.push((name.clone(), image));
            } else {
                held.push(name.clone());
            }
        }
        let theirs: BTreeSet<&There> = before[0].links.iter().collect();
        let unlink: Vec<There> = kept
            .links
            .iter()
            .filter(|link| !theirs.contains(link) && now.links.contains(link))
            .cloned()
            .collect();
        let links = now.links.iter().filter(|link| !unlink.contains(link)).cloned().collect();
        Ok(Ok(Restoring { images, fields, held, unlink, links }))
    }

    /// What was read back, with what a later write without an answer may have done: everything in which the record
    /// differs from before that write. Where a person may have changed it since, nobody can tell, and it stays.
    fn with_unanswered(
        &self,
        mut kept: ReadBack,
        stream: usize,
        stored: &Stored,
        entries: &[Entry],
        now: &Imprint,
    ) -> Result<ReadBack> {
        let object = &self.streams[stream].target;
        let open = entries.iter().filter(|entry| {
            entry.intent.operation == Operation::Adopt
                && matches!(entry.state, JournalState::Intent | JournalState::Unknown)
                && entry.intent.target.as_deref() == Some(stored.id.as_str())
        });
        let ours = self.only_just_written(stream, stored, entries);
        let map = &self.plan.maps[self.streams[stream].map];
        let normalise = self.target.normaliser(map);
        for entry in open {
            let image =
                entry.intent.before.as_deref().and_then(|image| serde_json::from_str::<Json>(image).ok());
            let Some(image) = image else { continue };
            // A late write is of one field; others that differ are a person's.
            let own = late_field(entry.intent.step)
                .filter(|field| *field < map.targets.len())
                .map(|field| normalise.imprinted(field));
            let differing = self.target.imprint(object, &image).differing(now);
            let edits = self.open_edits(object, stored, std::slice::from_ref(entry))?;
            for name in differing.into_iter().filter(|name| own.as_ref().is_none_or(|own| own.contains(name)))
            {
                if edits.as_ref().is_some_and(|edits| !edits.sent.contains(&name)) {
                    continue;
                }
                let shown = edits.as_ref().is_none_or(|edits| edits.is_ours(&name));
                let is = now.fields.get(&name).copied();
                let field = kept.fields.entry(name).or_insert(Remembered { hash: None, written: false });
                if ours && shown {
                    // A later read-back may have taken it for what was there before.
                    *field = Remembered { hash: is, written: true };
                } else if field.hash != is {
                    field.written = true;
                }
            }
        }
        Ok(kept)
    }

    /// What an adoption without an answer has written: everything in which a record differs from before.
    fn as_written(
        &self,
        stream: usize,
        key: &str,
        stored: &Stored,
        before: &Json,
        entries: &[Entry],
    ) -> Result<ReadBack> {
        let object = &self.streams[stream].target;
        let (before, now) = (self.target.imprint(object, before), self.target.imprint(object, &stored.body));
        let edits = self.open_edits(object, stored, entries)?;
        let is_sent = |name: &str| edits.as_ref().is_none_or(|edits| edits.sent.contains(name));
        let mut kept = self.read_back_new(stream, key, stored);
        kept.adopted = true;
        for (name, field) in &mut kept.fields {
            field.written = before.fields.get(name) != now.fields.get(name) && is_sent(name);
            if field.written && edits.as_ref().is_some_and(|edits| !edits.is_ours(name)) {
                // What is there now is not what was sent: it stays.
                field.hash = before.fields.get(name).copied();
            }
        }
        for name in before.differing(&now).into_iter().filter(|name| is_sent(name)) {
            kept.fields.entry(name).or_insert(Remembered { hash: None, written: true });
        }
        kept.links.retain(|link| !before.links.contains(link));
        Ok(kept)
    }

    /// What is sent to restore a record.
    pub(super) fn restoring_payload(
        &self,
        object: &str,
        restoring: &Restoring,
        now: &Stored,
    ) -> std::result::Result<Payload, FieldError> {
        let fields: Vec<(String, &Json)> = restoring
            .fields
            .iter()
            .filter_map(|(name, image)| Some((name.clone(), restoring.images.get(*image)?)))
            .collect();
        self.target.restore(object, &fields, &restoring.unlink, now)
    }

    /// Fields that were sent to be restored and do not hold their former value all the same.
    pub(super) fn unrestored(&self, object: &str, restoring: &Restoring, now: &Stored) -> Vec<String> {
        let seen = self.target.imprint(object, &now.body);
        let former = |name: &str, image: usize| {
            let image = restoring.images.get(image)?;
            self.target.imprint(object, image).fields.get(name).copied()
        };
        let wrong = restoring
            .fields
            .iter()
            .filter(|(name, image)| seen.fields.get(name.as_str()).copied() != former(name, *image));
        wrong.map(|(name, _)| name.clone()).collect()
    }
}
