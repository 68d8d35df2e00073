//! From a staged record to what is to be written: decode, evaluate, resolve links, encode.

use crate::lang::eval;
use crate::lang::plan::OwnerHow;
use crate::lang::value::Value;
use crate::run::connect::{Encode, Writes};
use crate::run::workspace::{Flag, Lack, Outcome, Sent, StagedRecord, Status};

use super::budget::OTHER_OWNERS;
use super::change::{field_key, value_hash};
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

/// What a record of which nothing is sent ends as, with what is flagged and lacking.
pub(super) type Ending = (Outcome, Vec<Flag>, Vec<Lack>);

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

/// What a staged record comes to before it takes the destination's form.
pub(super) enum Works {
    /// Nothing is sent.
    Decided(Outcome, Vec<Flag>, Vec<Lack>),
    /// As for [`Prepared::Later`].
    Later(usize),
    /// These values are to be written.
    Out(Box<Worked>),
}

/// The values of a record, links resolved.
pub(super) struct Worked {
    pub values: Vec<Value>,
    pub flags: Vec<Flag>,
    pub waiting: Vec<u16>,
    pub lacks: Vec<Lack>,
    pub notes: Vec<(String, Vec<u8>)>,
}

impl Engine<'_> {
    /// Works out what becomes of a staged record of a stream.
    pub(super) fn prepare(
        &self,
        stream: usize,
        record: &StagedRecord,
        encode: &dyn Encode,
    ) -> Result<Prepared> {
        Ok(match self.work_out(stream, record, None)? {
            Works::Decided(outcome, flags, lacks) => Prepared::Decided(outcome, flags, lacks),
            Works::Later(needed) => Prepared::Later(needed),
            Works::Out(worked) => match self.encoded(stream, &record.key, *worked, encode)? {
                Ok(writing) => Prepared::Write(writing),
                Err((outcome, flags, lacks)) => Prepared::Decided(outcome, flags, lacks),
            },
        })
    }

    /// Works out the values of a staged record. A field that is written later and stands by now as it was `sent` is
    /// written no more.
    pub(super) fn work_out(
        &self,
        stream: usize,
        record: &StagedRecord,
        sent: Option<&Sent>,
    ) -> Result<Works> {
        if self.streams[stream].notes.is_some() {
            return self.work_out_note(stream, record);
        }
        let map = self.streams[stream].map;
        let output = match self.evaluated(map, record)? {
            Evaluated::Decided(outcome) => return Ok(Works::Decided(outcome, Vec::new(), Vec::new())),
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
                if let Some(sent) = sent
                    && self.stands_as_sent(map, &record.key, field, value, sent)?
                {
                    continue;
                }
                links.wait(field);
                *value = Value::Absent;
            } else if let Some(held) = self.resolve(&mut links, field, value)? {
                flags.append(&mut links.flags);
                let outcome = match held {
                    Held::LeftOut(reason) => decided(Status::LeftOut, reason),
                    Held::Quarantined(reason) => decided(Status::Quarantined, reason),
                    Held::Later(needed) => return Ok(Works::Later(needed)),
                };
                return Ok(Works::Decided(outcome, flags, links.lacks));
            }
        }
        flags.append(&mut links.flags);
        let notes = self.staged_notes(map, &record.key, output.notes);
        let (waiting, lacks) = (links.waiting, links.lacks);
        Ok(Works::Out(Box::new(Worked { values, flags, waiting, lacks, notes })))
    }

    /// Whether a field that is written later was sent as it is now; its links are resolved then.
    fn stands_as_sent(
        &self,
        map: usize,
        key: &str,
        field: usize,
        value: &mut Value,
        sent: &Sent,
    ) -> Result<bool> {
        let mut now = value.clone();
        let mut links = Links::new(map, key);
        let resolved = match self.resolve(&mut links, field, &mut now) {
            Ok(held) => held.is_none() && links.lacks.is_empty() && links.waiting.is_empty(),
            Err(Error::Stopped { .. }) => false,
            Err(error) => return Err(error),
        };
        let name = field_key(&self.plan.maps[map].targets[field]);
        let stands = resolved && !now.is_absent() && sent.fields.get(&name) == Some(&value_hash(&now));
        if stands {
            *value = now;
        }
        Ok(stands)
    }

    /// Puts what was worked out into the destination's form; what the record ends as where it has none.
    pub(super) fn encoded(
        &self,
        stream: usize,
        key: &str,
        worked: Worked,
        encode: &dyn Encode,
    ) -> Result<std::result::Result<Box<Writing>, Ending>> {
        let Worked { values, flags, waiting, lacks, notes } = worked;
        let marker = self.marker_of(stream, key)?;
        Ok(match encode.encode(&marker, &values) {
            #[cfg_attr(not(debug_assertions), allow(unused_mut))]
            Ok(mut writes) => {
                #[cfg(debug_assertions)]
                if self.streams[stream].notes.is_none() {
                    self.spoil(&mut writes);
                }
                let key = key.to_owned();
                Ok(Box::new(Writing { key, marker, values, writes, flags, waiting, lacks, notes }))
            }
            Err(error) => Err((decided(Status::Quarantined, error.to_string()), flags, lacks)),
        })
    }

    /// The marker of a stream's record.
    pub(super) fn marker_of(&self, stream: usize, key: &str) -> Result<String> {
        Ok(match self.streams[stream].notes {
            Some(_) => format!("{}{key}", self.account_prefix()?),
            None => format!("{}{key}", self.marker_prefix(self.streams[stream].map)?),
        })
    }

    /// Whether a destination field is written only once every record exists.
    pub(super) fn later(&self, map: usize, field: usize) -> bool {
        self.rules_of(map, field).any(|(_, rule)| rule.second_pass)
    }

    /// Decodes and evaluates a staged record; links are not resolved.
    pub(super) fn evaluated(&self, map: usize, record: &StagedRecord) -> Result<Evaluated> {
        if let Some(reason) = self.out_of_map(map, record)? {
            return Ok(Evaluated::Decided(decided(Status::LeftOut, reason)));
        }
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
