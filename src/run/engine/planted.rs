//! Bugs that tests switch on, one at a time, to see that the twins' books show each; not there in release builds.

use crate::lang::eval;
use crate::lang::value::{Record, Value};
use crate::run::connect::Writes;

use super::{Engine, Result};

/// How far the machine's zone is from UTC where [`Planted::local_zone`] takes times for its own, in seconds.
const MACHINE_ZONE_S: i64 = 19_800;

/// Bugs that tests switch on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Planted {
    /// A create without an answer is sent again at once.
    pub resend_on_timeout: bool,
    /// Its marker is looked for once, before the request that was given up is surely dead.
    pub search_once: bool,
    /// The destination is not listed after a phase.
    pub no_sweep: bool,
    /// The place to go on from is kept before the records that lead up to it.
    pub cursor_before_rows: bool,
    /// Records are written without their marker.
    pub marker_missing: bool,
    /// A value that no row of a table knows is taken for none, and its record moves without it.
    pub unknown_dropped: bool,
    /// Times are read as if the digits were in the machine's own zone.
    pub local_zone: bool,
    /// A record that changed since it was read is written over with its new revision.
    pub rev_trusted: bool,
    /// A field that the encoder forgets, by its key in a payload.
    pub forgets: Option<&'static str>,
    /// A field that the encoder writes from another key's value, by their keys in a payload.
    pub confuses: Option<(&'static str, &'static str)>,
}

impl Engine<'_> {
    /// Spoils what an encoder made.
    pub(super) fn spoil(&self, writes: &mut Writes) {
        let fields = &mut writes.create.fields;
        let planted = &self.settings.planted;
        if let Some(key) = planted.forgets {
            fields.shift_remove(key);
        }
        if let Some((key, other)) = planted.confuses
            && let Some(value) = fields.get(other).cloned()
            && let Some(place) = fields.get_mut(key)
        {
            *place = value;
        }
        if planted.marker_missing {
            let marker = self.marker_field();
            for value in fields.values_mut() {
                if let Some(inner) = value.as_object_mut() {
                    inner.shift_remove(&marker);
                }
            }
        }
    }

    /// Spoils what a decoder made.
    pub(super) fn spoil_slots(&self, slots: &mut Record) {
        if !self.settings.planted.local_zone {
            return;
        }
        for slot in slots.iter_mut() {
            if let Value::Instant(instant) = slot {
                let seconds = i64::from(instant.offset_seconds) - MACHINE_ZONE_S;
                let shifted = instant.at.checked_add(jiff::SignedDuration::from_secs(seconds));
                instant.at = shifted.unwrap_or(instant.at);
            }
        }
    }

    /// What becomes of a record that is held back, when each text in turn is taken for none.
    pub(super) fn without_unknown(
        &self,
        map: usize,
        key: &str,
        slots: &Record,
        outcome: eval::Outcome,
    ) -> Result<eval::Outcome> {
        if !self.settings.planted.unknown_dropped || !matches!(outcome, eval::Outcome::Quarantined { .. }) {
            return Ok(outcome);
        }
        for at in 0..slots.len() {
            if !matches!(slots[at], Value::Text(_)) {
                continue;
            }
            let mut without = slots.clone();
            without[at] = Value::Absent;
            if let record @ eval::Outcome::Record(_) = self.evaluate(map, key, &without)? {
                return Ok(record);
            }
        }
        Ok(outcome)
    }
}
