//! From a staged record to what is to be written: decode, evaluate, resolve links, encode.

use compact_str::CompactString;

use crate::lang::eval;
use crate::lang::plan::Arm;
use crate::lang::value::{Item, RefValue, Value};
use crate::run::connect::{Encode, Writes};
use crate::run::workspace::{Flag, Outcome, StagedRecord, Status};

use super::{Engine, Error, Result};

/// What a staged record comes to before anything is sent.
pub(super) enum Prepared {
    /// Nothing is sent.
    Decided(Outcome, Vec<Flag>),
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
    /// Destination fields whose link waits for its record.
    pub waiting: Vec<u16>,
}

fn decided(status: Status, reason: impl Into<String>) -> Outcome {
    Outcome { status, target: None, reason: Some(reason.into()) }
}

/// How a link that did not arrive is dealt with.
enum Missing {
    Unset,
    Quarantine(String),
}

impl Engine<'_> {
    /// Works out what becomes of a staged record.
    pub(super) fn prepare(&self, map: usize, record: &StagedRecord, encode: &dyn Encode) -> Result<Prepared> {
        let slots = match self.decoders[map].decode(&record.json) {
            Ok(slots) => slots,
            Err(why) => {
                let reason = format!("the staged record cannot be read: {why}");
                return Ok(Prepared::Decided(decided(Status::Quarantined, reason), Vec::new()));
            }
        };
        let output = match self.program.run(map, &slots) {
            eval::Outcome::Record(output) => output,
            eval::Outcome::LeftOut { reason, .. } => {
                return Ok(Prepared::Decided(decided(Status::LeftOut, &*reason), Vec::new()));
            }
            eval::Outcome::Quarantined { rule, reason, line } => {
                let rule = rule.map(|rule| rule.id(self.plan, map)).unwrap_or_default();
                let reason = if rule.is_empty() {
                    format!("line {line}: {reason}")
                } else {
                    format!("{rule}: {reason}")
                };
                return Ok(Prepared::Decided(decided(Status::Quarantined, reason), Vec::new()));
            }
            eval::Outcome::Stopped { reason, line, .. } => {
                return Err(Error::Stopped {
                    map: self.plan.maps[map].name.clone(),
                    key: record.key.clone(),
                    line,
                    reason: reason.to_string(),
                });
            }
        };
        let mut flags: Vec<Flag> = output
            .flags
            .iter()
            .map(|flag| Flag { rule: flag.rule.id(self.plan, map), why: flag.why.to_string() })
            .collect();
        let mut values = output.values;
        let mut waiting = Vec::new();
        for (field, value) in values.iter_mut().enumerate() {
            if let Some(reason) = self.resolve(map, field, value, &mut flags, &mut waiting, &record.key)? {
                return Ok(Prepared::Decided(decided(Status::Quarantined, reason), flags));
            }
        }
        let marker = format!("{}{}", self.marker_prefix(map)?, record.key);
        match encode.encode(&marker, &values) {
            Ok(writes) => {
                let key = record.key.clone();
                Ok(Prepared::Write(Box::new(Writing { key, marker, values, writes, flags, waiting })))
            }
            Err(error) => Ok(Prepared::Decided(decided(Status::Quarantined, error.to_string()), flags)),
        }
    }

    /// Turns the links of one destination field into destination ids. Gives the reason when the record is held back.
    pub(super) fn resolve(
        &self,
        map: usize,
        field: usize,
        value: &mut Value,
        flags: &mut Vec<Flag>,
        waiting: &mut Vec<u16>,
        key: &str,
    ) -> Result<Option<String>> {
        match value {
            Value::Ref(_) | Value::Item(_) => {
                let Some(found) = self.resolve_one(value)? else { return Ok(None) };
                match found {
                    Some(id) => set_id(value, id),
                    None => match self.missing(map, field, value, flags, waiting, key)? {
                        Missing::Unset => *value = Value::Absent,
                        Missing::Quarantine(reason) => return Ok(Some(reason)),
                    },
                }
            }
            Value::List(items) => {
                let mut kept = Vec::with_capacity(items.len());
                for mut item in std::mem::take(items) {
                    match self.resolve_one(&item)? {
                        None => kept.push(item),
                        Some(Some(id)) => {
                            set_id(&mut item, id);
                            kept.push(item);
                        }
                        Some(None) => {
                            if let Missing::Quarantine(reason) =
                                self.missing(map, field, &item, flags, waiting, key)?
                            {
                                return Ok(Some(reason));
                            }
                        }
                    }
                }
                *value = Value::list(kept);
            }
            _ => {}
        }
        Ok(None)
    }

    /// `None` when the value is no link; else the id of the other record, if it arrived.
    fn resolve_one(&self, value: &Value) -> Result<Option<Option<String>>> {
        let Some(link) = link_of(value) else { return Ok(None) };
        let map = &self.plan.maps[link.map as usize].name;
        Ok(Some(self.workspace.outcome(map, &link.key)?.and_then(|outcome| outcome.target)))
    }

    fn missing(
        &self,
        map: usize,
        field: usize,
        value: &Value,
        flags: &mut Vec<Flag>,
        waiting: &mut Vec<u16>,
        key: &str,
    ) -> Result<Missing> {
        let plan = &self.plan.maps[map];
        let (index, rule) =
            match plan.rules.iter().enumerate().find(|(_, rule)| rule.target as usize == field) {
                Some(found) => found,
                None => return Ok(Missing::Unset),
            };
        let id = self.plan.rule_id(map, index);
        let link = link_of(value)
            .map(|link| format!("{} {}", self.plan.maps[link.map as usize].name, link.key))
            .unwrap_or_default();
        Ok(match &rule.on_unmigrated {
            Some(Arm::Flag(why)) | Some(Arm::Value { flag: Some(why), .. }) => {
                flags.push(Flag { rule: id, why: why.clone() });
                Missing::Unset
            }
            Some(Arm::Wait) => {
                let field = u16::try_from(field).unwrap_or(u16::MAX);
                if !waiting.contains(&field) {
                    waiting.push(field);
                }
                Missing::Unset
            }
            Some(Arm::Unset | Arm::Value { .. } | Arm::Skip(_)) => Missing::Unset,
            Some(Arm::Stop) => {
                let reason = format!("{link} did not arrive");
                return Err(Error::Stopped {
                    map: plan.name.clone(),
                    key: key.to_owned(),
                    line: rule.line,
                    reason,
                });
            }
            Some(Arm::Quarantine) | None => Missing::Quarantine(format!("{id}: {link} did not arrive")),
        })
    }
}

fn link_of(value: &Value) -> Option<&RefValue> {
    match value {
        Value::Ref(link) => Some(link),
        Value::Item(item) => link_of(&item.value),
        _ => None,
    }
}

fn set_id(value: &mut Value, id: String) {
    let id = Value::Text(CompactString::from(id));
    match value {
        Value::Item(item) => **item = Item { value: id, attrs: std::mem::take(&mut item.attrs) },
        other => *other = id,
    }
}
