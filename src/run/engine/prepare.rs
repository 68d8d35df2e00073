//! From a staged record to what is to be written: decode, evaluate, resolve links, encode.

use crate::lang::eval;
use crate::lang::plan::OwnerHow;
use crate::lang::value::Value;
use crate::run::connect::{Encode, Writes};
use crate::run::workspace::{Flag, Lack, Outcome, StagedRecord, Status};

use super::budget::OTHER_OWNERS;
use super::resolve::{Held, Links};
use super::{Engine, Error, Result};

/// What a staged record comes to before anything is sent.
pub(super) enum Prepared {
    /// Nothing is sent.
    Decided(Outcome, Vec<Flag>, Vec<Lack>),
    /// Nothing is decided: this run leaves it to a later one, for want of a record of this map.
    Later(usize),
    /// This is to be written.
    Write(Box<Writing>),
}

/// A record that is to be written.
pub(super) struct Writing {
    pub key: String,
    pub marker: String,
    pub values: Vec<Value>,
    pub writes: Writes,
    pub flags: Vec<Flag>,
    /// Destination fields that are written later: their link waits for its record, or they have a second pass.
    pub waiting: Vec<u16>,
    /// Links that were left out, or wait, since their record did not arrive.
    pub lacks: Vec<Lack>,
    /// Notes that go with it: their keys, and what is staged of them.
    pub notes: Vec<(String, Vec<u8>)>,
}

fn decided(status: Status, reason: impl Into<String>) -> Outcome {
    Outcome { status, target: None, reason: Some(reason.into()) }
}

/// A record, evaluated.
pub(super) enum Evaluated {
    /// Nothing is sent.
    Decided(Outcome),
    /// This is to be written, once links are resolved.
    Record(eval::Output),
}

impl Engine<'_> {
    /// Works out what becomes of a staged record of a stream.
    pub(super) fn prepare(
        &self,
        stream: usize,
        record: &StagedRecord,
        encode: &dyn Encode,
    ) -> Result<Prepared> {
        if self.streams[stream].notes.is_some() {
            return self.prepare_note(stream, record, encode);
        }
        let map = self.streams[stream].map;
        let output = match self.evaluated(map, record)? {
            Evaluated::Decided(outcome) => return Ok(Prepared::Decided(outcome, Vec::new(), Vec::new())),
            Evaluated::Record(output) => output,
        };
        let mut flags: Vec<Flag> = output
            .flags
            .iter()
            .map(|flag| Flag { rule: flag.rule.id(self.plan, map), why: flag.why.to_string() })
            .collect();
        if self.is_limited(OTHER_OWNERS) && output.owners.contains(&OwnerHow::Otherwise) {
            flags.push(Flag {
                rule: OTHER_OWNERS.to_owned(),
                why: "no row of `owners` names the user".to_owned(),
            });
        }
        let mut values = output.values;
        let mut links = Links::new(map, &record.key);
        for (field, value) in values.iter_mut().enumerate() {
            if value.is_absent() {
                continue;
            }
            if self.later(map, field) {
                links.wait(field);
                *value = Value::Absent;
            } else if let Some(held) = self.resolve(&mut links, field, value)? {
                flags.append(&mut links.flags);
                let outcome = match held {
                    Held::LeftOut(reason) => decided(Status::LeftOut, reason),
                    Held::Quarantined(reason) => decided(Status::Quarantined, reason),
                    Held::Later(needed) => return Ok(Prepared::Later(needed)),
                };
                return Ok(Prepared::Decided(outcome, flags, links.lacks));
            }
        }
        flags.append(&mut links.flags);
        let marker = format!("{}{}", self.marker_prefix(map)?, record.key);
        match encode.encode(&marker, &values) {
            #[cfg_attr(not(debug_assertions), allow(unused_mut))]
            Ok(mut writes) => {
                #[cfg(debug_assertions)]
                self.spoil(&mut writes);
                let notes = self.staged_notes(map, &record.key, output.notes);
                let (key, waiting, lacks) = (record.key.clone(), links.waiting, links.lacks);
                let writing = Writing { key, marker, values, writes, flags, waiting, lacks, notes };
                Ok(Prepared::Write(Box::new(writing)))
            }
            Err(error) => {
                let outcome = decided(Status::Quarantined, error.to_string());
                Ok(Prepared::Decided(outcome, flags, links.lacks))
            }
        }
    }

    /// Whether a destination field is written only once every record exists.
    pub(super) fn later(&self, map: usize, field: usize) -> bool {
        self.rules_of(map, field).any(|(_, rule)| rule.second_pass)
    }

    /// Decodes and evaluates a staged record; links are not resolved.
    pub(super) fn evaluated(&self, map: usize, record: &StagedRecord) -> Result<Evaluated> {
        #[cfg_attr(not(debug_assertions), allow(unused_mut))]
        let mut slots = match self.decoders[map].decode(&record.json) {
            Ok(slots) => slots,
            Err(why) => {
                let reason = format!("the staged record cannot be read: {why}");
                return Ok(Evaluated::Decided(decided(Status::Quarantined, reason)));
            }
        };
        #[cfg(debug_assertions)]
        self.spoil_slots(&mut slots);
        let outcome = self.evaluate(map, &record.key, &slots)?;
        #[cfg(debug_assertions)]
        let outcome = self.without_unknown(map, &record.key, &slots, outcome)?;
        Ok(match outcome {
            eval::Outcome::Record(output) => Evaluated::Record(output),
            eval::Outcome::LeftOut { reason, .. } => Evaluated::Decided(decided(Status::LeftOut, &*reason)),
            eval::Outcome::Quarantined { rule, reason, line } => {
                let rule = rule.map(|rule| rule.id(self.plan, map)).unwrap_or_default();
                let reason = if rule.is_empty() {
                    format!("{}: {reason}", self.plan.place_text(line))
                } else {
                    format!("{rule}: {reason}")
                };
                Evaluated::Decided(decided(Status::Quarantined, reason))
            }
            eval::Outcome::Stopped { reason, line, .. } => {
                return Err(Error::Stopped {
                    map: self.plan.maps[map].name.clone(),
                    key: record.key.clone(),
                    place: self.plan.place_text(line),
                    reason: reason.to_string(),
                });
            }
        })
    }
}
