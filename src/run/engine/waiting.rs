//! Writes what had to wait until every record exists: links to records that came later, and second passes.
//!
//! Each is an edit of one field that is safe to repeat: what stands there already is not written again. A field whose
//! links lack several records is written as often as one of them arrives, and goes on lacking the rest.

use std::collections::VecDeque;

use futures_util::future::{Either, select};
use futures_util::stream::{FuturesUnordered, StreamExt};

use crate::lang::plan::{OnDelete, OnExisting};
use crate::lang::value::Value;
use crate::run::connect::{Encode, Payload, Stored};
use crate::run::workspace::{CONFLICT, Flag, Lack, Operation, Outcome, Status};

use super::change::{field_key, value_hash};
use super::once::{Sent, Write};
use super::prepare::Evaluated;
use super::resolve::{Held, Links};
use super::{Engine, Error, Result};

/// Records that are looked up at once.
const PAGE: u32 = 500;

/// A field that is to be written.
#[derive(Clone)]
struct Later {
    field: u16,
    value: Value,
    /// What it lacks still.
    lacks: Vec<Lack>,
    /// Whether it waits still, as its rule says.
    waits: bool,
    /// Whether it is written since a record arrived that it lacked: a person may have filled the gap meanwhile.
    arrived: bool,
}

/// A map, and the key and fields of one of its records.
type Due = (usize, String, Vec<(u16, bool)>);

/// Records that have fields which can be written now, map by map.
#[derive(Default)]
struct LateFeed {
    map: usize,
    after: String,
    page: VecDeque<(String, Vec<(u16, bool)>)>,
}

/// What writing a field came to.
enum Turn {
    /// It stands as it can: the record as it is now.
    Over(Stored),
    /// The record changed meanwhile, or no answer came: what to write has to be worked out again from this.
    Again(Stored),
    /// It is left to the next run, or the record is gone.
    Left,
}

/// The step of a late write of a record's first field; each further field has the next one.
const FIRST_LATE_STEP: u16 = 1_000;

/// The field that a step of a record's journal wrote late; `None` of other writes.
pub(super) fn late_field(step: u16) -> Option<usize> {
    (FIRST_LATE_STEP..FIRST_LATE_STEP * 2).contains(&step).then(|| usize::from(step - FIRST_LATE_STEP))
}

impl Engine<'_> {
    /// Writes everything that waits and can be written now; the rest goes on waiting.
    pub(super) async fn write_later(&self, encoders: &[Box<dyn Encode>]) -> Result<()> {
        let mut feed = LateFeed::default();
        let mut flights = FuturesUnordered::new();
        let mut done = 0u64;
        loop {
            let stops = self.outside.points.stops();
            while !stops && self.has_room(flights.len()) {
                let Some((map, key, fields)) = self.next_late(&mut feed)? else { break };
                if done == 0 && flights.is_empty() {
                    self.outside.progress.begin("write links", None);
                }
                flights.push(self.write_fields(map, key, fields, encoders[map].as_ref()));
            }
            if flights.is_empty() {
                if stops {
                    return Err(Error::Interrupted);
                }
                break;
            }
            let moved = std::pin::pin!(self.aside.changed());
            if let Either::Left((Some(written), _)) = select(flights.next(), moved).await {
                written?;
                done += 1;
                self.outside.progress.at(done);
            }
        }
        if done > 0 {
            self.outside.progress.end();
        }
        Ok(())
    }

    /// The next record of the scope that has fields which can be written now.
    fn next_late(&self, feed: &mut LateFeed) -> Result<Option<Due>> {
        while let Some(plan) = self.plan.maps.get(feed.map) {
            if let Some((key, fields)) = feed.page.pop_front() {
                return Ok(Some((feed.map, key, fields)));
            }
            if self.scope.borrow().has_map(feed.map) {
                feed.page = self.workspace.late_page(&plan.name, &feed.after, PAGE)?.into();
            }
            match feed.page.back() {
                Some((last, _)) => feed.after.clone_from(last),
                None => *feed = LateFeed { map: feed.map + 1, ..LateFeed::default() },
            }
        }
        Ok(None)
    }

    /// Writes the fields of one record, one after the other: each edit needs the revision of the one before.
    async fn write_fields(
        &self,
        map: usize,
        key: String,
        fields: Vec<(u16, bool)>,
        encode: &dyn Encode,
    ) -> Result<()> {
        let plan = &self.plan.maps[map];
        let Some(outcome) = self.workspace.outcome(&plan.name, &key)? else { return Ok(()) };
        let Some(id) = outcome.target.clone() else { return Ok(()) };
        let adopted = outcome.status == Status::Adopted;
        if adopted && plan.on_existing == OnExisting::Keep {
            return fields.iter().try_for_each(|(field, _)| self.settled(map, &key, *field, &[], false));
        }
        let later = self.values_of(map, &key, &fields)?;
        if later.is_empty() {
            return Ok(());
        }
        self.spent.read();
        let Some(mut stored) = self.target.read(&plan.target, &id).await? else { return Ok(()) };
        for later in later {
            let mut tries = 0;
            stored = loop {
                match self.write_field(map, &key, &outcome, later.clone(), stored, encode).await? {
                    Turn::Over(now) => break now,
                    // Nothing is lost: a record that was there before is looked at anew, and this field with it.
                    Turn::Again(now) if tries < self.settings.sends => {
                        tries += 1;
                        stored = now;
                    }
                    Turn::Again(_) | Turn::Left => return Ok(()),
                }
            };
        }
        Ok(())
    }

    /// A field stands as it can stand now: it lacks these records still, and waits for them or not.
    fn settled(&self, map: usize, key: &str, field: u16, lacks: &[Lack], waits: bool) -> Result<()> {
        let plan = &self.plan.maps[map];
        Ok(self.workspace.transaction(|ws| {
            ws.keep_lacks_of(&plan.name, key, field, lacks)?;
            if waits { Ok(()) } else { ws.waits_no_more(&plan.name, key, field) }
        })?)
    }

    /// The values of fields that can be written now. What stays empty waits no longer.
    fn values_of(&self, map: usize, key: &str, fields: &[(u16, bool)]) -> Result<Vec<Later>> {
        let plan = &self.plan.maps[map];
        let Some(record) = self.workspace.staged_record(&plan.source, key)? else { return Ok(Vec::new()) };
        let Evaluated::Record(mut output) = self.evaluated(map, &record)? else { return Ok(Vec::new()) };
        let mut ready = Vec::new();
        for (field, arrived) in fields.iter().copied() {
            let at = usize::from(field);
            let Some(value) = output.values.get_mut(at) else { continue };
            let mut links = Links::new(map, key);
            let held = self.resolve(&mut links, at, value)?;
            let rule = self.id_of_links(map, at);
            if matches!(held, Some(Held::Later(_))) {
                continue;
            }
            let (waits, is_held) = (!links.waiting.is_empty(), held.is_some());
            let mut flags = links.flags;
            // Those that the rule itself makes stay.
            let own = output.flags.iter().map(|flag| (flag.rule.id(self.plan, map), flag.why.to_string()));
            flags.extend(own.filter(|(id, _)| *id == rule).map(|(rule, why)| Flag { rule, why }));
            flags.extend(held.and_then(Held::reason).map(|why| Flag { rule: rule.clone(), why }));
            self.workspace.transaction(|ws| {
                // What was flagged for want of a record that is there now is flagged no more.
                if arrived {
                    ws.unflag(&plan.name, key, &rule)?;
                }
                ws.flag(&plan.name, key, &flags)
            })?;
            // A link that did not arrive goes on waiting: it is counted, and written by the run that brings it.
            if is_held || (waits && !arrived) {
                continue;
            }
            if value.is_absent() && (!self.was_sent(map, key, at)? || self.any_stands(&links.lacks)?) {
                self.settled(map, key, field, &links.lacks, waits)?;
                continue;
            }
            let (value, lacks) = (std::mem::take(value), links.lacks);
            ready.push(Later { field, value, lacks, waits, arrived });
        }
        Ok(ready)
    }

    /// Whether a field that has no value now was sent one: it is emptied then.
    fn was_sent(&self, map: usize, key: &str, at: usize) -> Result<bool> {
        if !self.passed.get() {
            return Ok(false);
        }
        let plan = &self.plan.maps[map];
        let sent = self.workspace.sent(&plan.name, key)?;
        Ok(sent.is_some_and(|sent| sent.fields.contains_key(&field_key(&plan.targets[at]))))
    }

    /// Whether one of these records stands in the destination and stays, though the rules say nothing of it any more:
    /// what was written of it stays, too.
    fn any_stands(&self, lacks: &[Lack]) -> Result<bool> {
        for lack in lacks {
            let Some(outcome) = self.workspace.outcome(&lack.map, &lack.key)? else { continue };
            let map = self.plan.maps.iter().find(|map| map.name == lack.map);
            let goes =
                outcome.status == Status::LeftOut && map.is_some_and(|map| map.on_delete == OnDelete::Delete);
            if outcome.target.is_some() && !goes {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Writes one field.
    async fn write_field(
        &self,
        map: usize,
        key: &str,
        outcome: &Outcome,
        later: Later,
        stored: Stored,
        encode: &dyn Encode,
    ) -> Result<Turn> {
        let plan = &self.plan.maps[map];
        let at = usize::from(later.field);
        let Later { field, value, lacks, waits, arrived } = later;
        let sent = (!value.is_absent()).then(|| value_hash(&value));
        let wanted = (outcome.status == Status::Adopted).then(|| value.clone());
        let marker = format!("{}{key}", self.marker_prefix(map)?);
        let adopted = outcome.status == Status::Adopted;
        let kept = if self.passed.get() { self.workspace.sent(&plan.name, key)? } else { None };
        let again = kept.is_some_and(|kept| kept.fields.contains_key(&field_key(&plan.targets[at])));
        let payload = if adopted {
            // A record that was there before keeps what a person typed, as the map says.
            let mut values = vec![Value::Absent; plan.targets.len()];
            values[at] = value;
            let overwrite = plan.on_existing == OnExisting::Overwrite;
            let payloads = encode.adopt(&marker, &values, &stored, overwrite);
            payloads.map(|payloads| payloads.into_iter().next().unwrap_or_default())
        } else if again {
            // In the place of what was written, not behind it.
            let payloads = encode.change(&marker, &[(at, value)], None, &stored);
            payloads.map(|payloads| payloads.into_iter().next().unwrap_or_default())
        } else {
            encode.patch(at, &value, &stored)
        };
        let name = &plan.targets[at].name;
        let notice = |why: String| {
            self.outside
                .progress
                .notice(&format!("`{}` {key}: `{name}` could not be written: {why}", plan.name));
        };
        let payload: Payload = match payload {
            Ok(payload) => payload,
            Err(error) => {
                notice(error.to_string());
                return Ok(Turn::Over(stored));
            }
        };
        let is_sent = || self.workspace.keep_sent_field(&plan.name, key, &field_key(&plan.targets[at]), sent);
        if payload.is_empty() {
            if adopted && let Some(value) = wanted {
                // A process may have died over this very write.
                let mut open = self.open_adoptions(map, key)?;
                open.retain(|entry| late_field(entry.intent.step) == Some(at));
                let mut values = vec![Value::Absent; plan.targets.len()];
                values[at] = value;
                self.settle_adoption(map, key, &values, &stored, &open)?;
            }
            is_sent()?;
            self.settled(map, key, field, &lacks, waits)?;
            return Ok(Turn::Over(stored));
        }
        let asks = arrived || (again && plan.on_existing != OnExisting::Overwrite);
        if asks && !adopted && self.is_changed_there(&plan.target, &payload, &stored)? {
            let why = format!("{CONFLICT}, so what arrived later was not written");
            let flag = Flag { rule: self.id_of_links(map, at), why };
            self.workspace.transaction(|ws| ws.flag(&plan.name, key, &[flag]))?;
            self.settled(map, key, field, &[], false)?;
            return Ok(Turn::Over(stored));
        }
        let step = FIRST_LATE_STEP + field;
        let write = Write { stream: map, key, marker: &marker, payload: &payload, step };
        let (operation, before) =
            if adopted { (Operation::Adopt, Some(stored.body.to_string())) } else { (Operation::Edit, None) };
        match self.edit(&write, operation, stored, before).await? {
            Sent::Done(edited) => {
                is_sent()?;
                self.settled(map, key, field, &lacks, waits)?;
                Ok(Turn::Over(edited))
            }
            // What is left of this record is worked out anew by the next run.
            Sent::Refused(why) | Sent::Uncertain(why) => {
                notice(why);
                Ok(Turn::Left)
            }
            Sent::Moved(now) => Ok(Turn::Again(now)),
            Sent::Gone => Ok(Turn::Left),
        }
    }

    /// Whether somebody changed what a payload is about since it was last read back.
    fn is_changed_there(&self, object: &str, payload: &Payload, stored: &Stored) -> Result<bool> {
        let Some(kept) = self.workspace.readback(object, &stored.id)? else { return Ok(false) };
        let now = self.target.imprint(object, &stored.body).fields;
        let touched = self.target.touches(object, payload, stored);
        Ok(touched.iter().any(|field| {
            kept.fields.get(field).and_then(|remembered| remembered.hash) != now.get(field).copied()
        }))
    }
}
