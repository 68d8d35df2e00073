//! Takes records that the destination already had for source records that they match.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::lang::plan::OnExisting;
use crate::lang::value::Value;
use crate::run::connect::{Encode, Stored};
use crate::run::workspace::{Entry, JournalState, Operation, Outcome, ReadBack, Remembered, Status};

use super::once::{Sent, Write};
use super::prepare::Writing;
use super::readback::fields_of;
use super::{Engine, Result};

/// Whether records of a map can be adopted at all.
pub(super) struct Adoption {
    /// Fields to search by, with their index in the map's targets.
    by: Vec<(String, usize)>,
}

impl Adoption {
    /// Notes go with their record and are never taken over.
    pub(super) fn never() -> Adoption {
        Adoption { by: Vec::new() }
    }

    pub(super) fn possible(&self) -> bool {
        !self.by.is_empty()
    }
}

impl Engine<'_> {
    /// Looks once whether the destination holds records that no run made; without any, nobody searches for each.
    pub(super) async fn adoption(&self, map: usize) -> Result<Adoption> {
        let plan = &self.plan.maps[map];
        let by: Vec<(String, usize)> = plan
            .match_existing
            .iter()
            .filter_map(|field| {
                plan.targets.iter().position(|t| !t.custom && t.name == *field).map(|at| (field.clone(), at))
            })
            .collect();
        if by.is_empty() {
            return Ok(Adoption { by });
        }
        // A run that died while it adopted has left its marker there: such records are found by searching only.
        if self.workspace.has_adopted(&plan.name)? {
            return Ok(Adoption { by });
        }
        let field = self.marker_field();
        let mut cursor = None;
        loop {
            let page = self.target.list(&plan.target, &field, cursor.as_deref()).await?;
            if page.records.iter().any(|stored| stored.marker.is_none()) {
                return Ok(Adoption { by });
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok(Adoption { by: Vec::new() });
            }
        }
    }

    /// Adopts the one record that matches; `None` when none does. Ties are quarantined.
    pub(super) async fn adopt(
        &self,
        map: usize,
        writing: &Writing,
        encode: &dyn Encode,
        adoption: &Adoption,
    ) -> Result<Option<Outcome>> {
        let plan = &self.plan.maps[map];
        if let Some(stored) = self.begun(map, writing).await? {
            self.claimed.borrow_mut().insert(claim(&plan.target, &stored.id));
            return self.adopt_one(map, writing, encode, stored).await.map(Some);
        }
        for (field, at) in &adoption.by {
            let value = &writing.values[*at];
            if value.is_absent() {
                continue;
            }
            let mut found = self.matches(&plan.target, field, value).await?;
            found.retain(|stored| stored.marker.as_deref().is_none_or(|marker| marker == writing.marker));
            found.retain(|stored| {
                !self.claimed.borrow().contains(&claim(&plan.target, &stored.id)) || stored.marker.is_some()
            });
            // One that carries our own marker was adopted by a run that ended before it could say so.
            if let Some(ours) = found.iter().position(|stored| stored.marker.is_some()) {
                found.swap(0, ours);
                found.truncate(1);
            }
            match found.len() {
                0 => {}
                1 => {
                    let stored = found.remove(0);
                    self.claimed.borrow_mut().insert(claim(&plan.target, &stored.id));
                    return self.adopt_one(map, writing, encode, stored).await.map(Some);
                }
                several => {
                    let ids: Vec<&str> = found.iter().take(5).map(|stored| stored.id.as_str()).collect();
                    let why = format!(
                        "{several} records of the destination match by `{field}` ({}); merge them there, or remove \
                         `{field}` from `match existing`",
                        ids.join(", ")
                    );
                    return Ok(Some(Outcome {
                        status: Status::Quarantined,
                        target: None,
                        reason: Some(why),
                    }));
                }
            }
        }
        Ok(None)
    }

    /// The record whose adoption a process died over, where it was done: it carries the marker, whatever a person called
    /// it since.
    async fn begun(&self, map: usize, writing: &Writing) -> Result<Option<Stored>> {
        let plan = &self.plan.maps[map];
        let open = self.open_adoptions(map, &writing.key)?;
        let Some(id) = open.last().and_then(|entry| entry.intent.target.as_deref()) else { return Ok(None) };
        let stored = self.target.read(&plan.target, id).await?;
        let Some(stored) = stored.filter(|stored| stored.marker.as_ref() == Some(&writing.marker)) else {
            return Ok(None);
        };
        self.settle_adoption(map, &writing.key, &writing.values, &stored, &open)?;
        Ok(Some(stored))
    }

    /// Adoptions of a source record of which nobody knows whether they were done.
    pub(super) fn open_adoptions(&self, map: usize, key: &str) -> Result<Vec<Entry>> {
        let mut entries = self.workspace.writes_since_taken_back(&self.streams[map].name, key)?;
        entries.retain(|entry| {
            entry.intent.operation == Operation::Adopt
                && matches!(entry.state, JournalState::Intent | JournalState::Unknown)
        });
        Ok(entries)
    }

    /// Ends adoptions that a process died over and that turn out to have been done, and remembers what they wrote. What
    /// an adoption sent and the record holds is ours where it is what the rules say; where it came back in another form
    /// and nothing tells, only within the minutes of that adoption. The rest may be a person's.
    pub(super) fn settle_adoption(
        &self,
        map: usize,
        key: &str,
        values: &[Value],
        stored: &Stored,
        open: &[Entry],
    ) -> Result<()> {
        let plan = &self.plan.maps[map];
        let normalise = self.target.normaliser(plan);
        let now = self.target.imprint(&plan.target, &stored.body);
        let mut as_ruled = BTreeSet::new();
        let mut of_rules = BTreeSet::new();
        let mut linked = BTreeSet::new();
        for (at, value) in values.iter().enumerate() {
            let names = normalise.imprinted(at);
            if !value.is_absent() {
                each_text(value, &mut |text| {
                    linked.insert(text.to_owned());
                });
                let wanted = normalise.planned(at, value);
                if normalise.found(at, stored).is_some_and(|found| found == wanted) {
                    as_ruled.extend(names.iter().cloned());
                }
            }
            of_rules.extend(names);
        }
        for entry in open.iter().filter(|entry| entry.intent.target.as_ref() == Some(&stored.id)) {
            let image =
                entry.intent.before.as_deref().and_then(|image| serde_json::from_str::<Json>(image).ok());
            let sent = self.open_edits(&plan.target, stored, std::slice::from_ref(entry))?;
            let (Some(image), Some(sent)) = (image, sent) else { continue };
            let before = self.target.imprint(&plan.target, &image);
            let recent = self.only_just_written(map, stored, std::slice::from_ref(entry));
            let differing = before.differing(&now);
            let written: Vec<&String> = differing.iter().filter(|name| sent.sent.contains(*name)).collect();
            // What the rules do not name, such as the marker, is told by its value alone.
            let ours = |name: &str| {
                sent.is_ours(name) && (recent || as_ruled.contains(name) || !of_rules.contains(name))
            };
            let links: Vec<_> = now.links.iter().filter(|link| !before.links.contains(link)).collect();
            if !written.iter().any(|name| ours(name)) && links.is_empty() {
                continue;
            }
            let kept = self.workspace.readback(&plan.target, &stored.id)?;
            let mut kept = kept.unwrap_or_else(|| ReadBack {
                map: plan.name.clone(),
                key: key.to_owned(),
                object: plan.target.clone(),
                target: stored.id.clone(),
                adopted: true,
                fields: fields_of(&before),
                links: Vec::new(),
            });
            for name in written {
                let hash = if ours(name) { now.fields.get(name) } else { before.fields.get(name) };
                kept.fields.insert(name.clone(), Remembered { hash: hash.copied(), written: true });
            }
            for link in links {
                if (recent || linked.contains(&link.1)) && !kept.links.contains(link) {
                    kept.links.push(link.clone());
                }
            }
            let ended_ms = self.outside.clock.now_ms();
            self.workspace.transaction(|ws| {
                ws.keep_readback(&kept)?;
                let (target, note) = (Some(stored.id.as_str()), Some("found to be done"));
                ws.ended(entry.seq, JournalState::Done, target, note, ended_ms)
            })?;
        }
        Ok(())
    }

    /// Records that match any of the values of a field.
    async fn matches(&self, object: &str, field: &str, value: &Value) -> Result<Vec<Stored>> {
        let mut found: Vec<Stored> = Vec::new();
        let values = match value {
            Value::List(values) => values.as_slice(),
            single => std::slice::from_ref(single),
        };
        for value in values {
            let value = match value {
                Value::Item(item) => &item.value,
                plain => plain,
            };
            for stored in self.target.find_existing(object, field, value).await? {
                if !found.iter().any(|other| other.id == stored.id) {
                    found.push(stored);
                }
            }
        }
        Ok(found)
    }

    async fn adopt_one(
        &self,
        map: usize,
        writing: &Writing,
        encode: &dyn Encode,
        stored: Stored,
    ) -> Result<Outcome> {
        let overwrite = self.plan.maps[map].on_existing == OnExisting::Overwrite;
        let keep = self.plan.maps[map].on_existing == OnExisting::Keep;
        let absent;
        let values = if keep {
            absent = vec![Value::Absent; writing.values.len()];
            &absent
        } else {
            &writing.values
        };
        let id = stored.id.clone();
        let mut now = stored;
        for _ in 0..self.settings.sends {
            let payloads = match encode.adopt(&writing.marker, values, &now, overwrite) {
                Ok(payloads) => payloads,
                Err(error) => return Ok(held(Status::Quarantined, error.to_string())),
            };
            let mut moved = false;
            for (index, payload) in payloads.iter().enumerate() {
                let step = u16::try_from(index).unwrap_or(u16::MAX);
                let write = Write { stream: map, key: &writing.key, marker: &writing.marker, payload, step };
                let before = now.body.to_string();
                match self.edit(&write, Operation::Adopt, now, Some(before)).await? {
                    Sent::Done(edited) => now = edited,
                    Sent::Moved(changed) => {
                        now = changed;
                        moved = true;
                        break;
                    }
                    Sent::Refused(why) | Sent::Uncertain(why) => {
                        return Ok(held(Status::Failed, format!("could not be adopted: {why}")));
                    }
                    Sent::Gone => {
                        return Ok(held(Status::Failed, "the record to adopt is gone; run again".to_owned()));
                    }
                }
            }
            if !moved {
                return Ok(Outcome { status: Status::Adopted, target: Some(id), reason: None });
            }
        }
        let why =
            format!("`{}` {id} changes faster than it can be adopted; run again", self.plan.maps[map].target);
        Ok(held(Status::Failed, why))
    }
}

fn held(status: Status, why: String) -> Outcome {
    Outcome { status, target: None, reason: Some(why) }
}

/// The texts in a value: what a resolved link is, too.
fn each_text(value: &Value, then: &mut dyn FnMut(&str)) {
    match value {
        Value::Text(text) => then(text),
        Value::Item(item) => each_text(&item.value, then),
        Value::List(values) => values.iter().for_each(|value| each_text(value, then)),
        _ => {}
    }
}

fn claim(object: &str, id: &str) -> String {
    format!("{object}/{id}")
}
