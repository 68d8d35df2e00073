//! Edits one record, field by field three ways: what it was sent, what the rules say now, what the destination holds.
//!
//! Only fields that our side moved are written. Where a person changed such a field since it was last read back, the
//! map's `on existing` decides: an empty field is filled, another one is overwritten or kept, and what is kept is
//! flagged. Each edit carries the revision it was worked out from; a record that moved meanwhile, or an answer that
//! did not come, is read again and everything is worked out anew.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::lang::plan::{OnExisting, Target};
use crate::lang::value::Value;
use crate::run::connect::{Encode, Imprint, Normalise, Payload, SendError, Stored};
use crate::run::workspace::{
    CONFLICT, Entry, Flag, JournalState, Operation, Outcome, ReadBack, Remembered, Sent, Status,
};

use super::super::load::deleted_there;
use super::super::once::{REFUSED, UNANSWERED, Write};
use super::super::prepare::Writing;
use super::super::proof::{Verdict, compare};
use super::super::{Engine, Error, Result};
use super::field_key;

/// The steps of a record's journal from which its later edits count.
const FIRST_STEP: u16 = 2_000;

/// The hash of what nobody knows.
const UNSURE: u64 = 0;

/// What one sending came to.
enum Once {
    /// The destination has it; the record as it is now.
    Done(Stored),
    /// It has to be worked out anew from this; whether the edit may have been done.
    Moved(Stored, bool),
    /// The destination will not have it.
    Refused(String),
    /// The record is not there any more.
    Gone,
}

/// A record as it is looked at.
struct Looked<'l> {
    normalise: &'l dyn Normalise,
    /// What was last read back of it; `None` where nobody can tell what a person changed.
    kept: Option<ReadBack>,
    seen: Imprint,
    adopted: bool,
    on_existing: OnExisting,
    /// An edit of ours may have been done without an answer.
    unsure: bool,
    /// Fields that such an edit sent, where nobody else can have changed the record since.
    lost: BTreeSet<String>,
}

/// What is done about a field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// It is as it should be.
    There,
    /// It is as it should be, since an edit without an answer was done.
    Found,
    Write,
    /// A person's value is kept against the rules.
    Conflict,
    /// It was never ours.
    Leave,
}

impl Looked<'_> {
    fn turn(&self, at: usize, key: &str, value: &Value, moved: bool, now: &Stored) -> Turn {
        let planned = self.normalise.planned(at, value);
        let found = self.normalise.found(at, now);
        let holds_nothing = found.as_ref().is_some_and(|found| found.is_empty());
        let verdict = found.as_ref().map(|found| compare(&planned, found, self.adopted));
        let there = match verdict {
            _ if value.is_absent() => holds_nothing,
            Some(Verdict::Same) => true,
            Some(Verdict::More) => self.adopted,
            _ => false,
        };
        let names = self.normalise.imprinted(at);
        let hash = |name: &String| {
            let kept = self.kept.as_ref().and_then(|kept| kept.fields.get(name));
            kept.and_then(|kept| kept.hash)
        };
        let differs =
            self.kept.is_none() || names.iter().any(|name| hash(name) != self.seen.fields.get(name).copied());
        if there && differs && self.unsure {
            return Turn::Found;
        }
        let theirs = differs && !self.lost.contains(key);
        // Where only our side moved it is written all the same: not every difference, such as a label that is gone,
        // shows here.
        if there && (theirs || !moved) {
            return Turn::There;
        }
        if !moved && (theirs || matches!(verdict, Some(Verdict::Reformatted))) {
            return Turn::Leave;
        }
        let is_written = |name: &String| {
            self.kept.as_ref().and_then(|kept| kept.fields.get(name)).is_some_and(|field| field.written)
        };
        let written = names.is_empty() || names.iter().any(is_written);
        if !theirs && (!self.adopted || written) {
            return Turn::Write;
        }
        let overrides = match self.on_existing {
            OnExisting::Overwrite => !value.is_absent(),
            OnExisting::Fill => holds_nothing && !value.is_absent(),
            OnExisting::Keep => false,
        };
        match (overrides, theirs) {
            (true, _) => Turn::Write,
            (false, false) if there => Turn::There,
            (false, true) => Turn::Conflict,
            (false, false) => Turn::Leave,
        }
    }
}

impl Engine<'_> {
    /// Whether a record that stands was sent something else than it is to be now.
    pub(in super::super) fn was_sent_otherwise(&self, stream: usize, writing: &Writing) -> Result<bool> {
        if !self.passed.get() {
            return Ok(false);
        }
        let sent = self.workspace.sent(&self.streams[stream].name, &writing.key)?;
        Ok(sent.is_none_or(|sent| {
            sent.plan != self.plan_hash
                || !self.moved(stream, &writing.values, &writing.waiting, &sent).is_empty()
        }))
    }

    /// Brings a record that stands to what is to be written now. With `every`, fields that did not move and are not as
    /// they should be are written too, as after a run that died.
    pub(in super::super) async fn change(
        &self,
        stream: usize,
        writing: &Writing,
        stored: Stored,
        encode: &dyn Encode,
        every: bool,
    ) -> Result<Outcome> {
        let plan = &self.streams[stream];
        let (object, id) = (plan.target.as_str(), stored.id.clone());
        let Some(whole) = self.whole.borrow().get(stream).cloned() else {
            return Err(Error::Plan("a record is edited before the destination was looked at".to_owned()));
        };
        let normalise = self.target.normaliser(&whole);
        let entries = self.workspace.writes_since_taken_back(&plan.name, &writing.key)?;
        let adopted = self.workspace.readback(object, &id)?.is_some_and(|kept| kept.adopted);
        let sent = self.workspace.sent(&plan.name, &writing.key)?.unwrap_or_default();
        let status = if adopted { Status::Adopted } else { Status::Created };
        let stands = |reason| Outcome { status, target: Some(id.clone()), reason };
        if let Some(why) = self.why_fixed(stream, &writing.key, adopted)? {
            return Ok(stands((!adopted).then(|| why.stays())));
        }
        let base = if adopted { first_image(&entries, &id) } else { None };
        let moved = self.moved(stream, &writing.values, &writing.waiting, &sent);
        let fields = self.looked_at(&whole.targets, writing, &sent, &moved, every);
        let mut now = stored;
        let mut unsure = may_have_edited(&entries);
        for _ in 0..self.settings.sends {
            let looked = Looked {
                normalise: normalise.as_ref(),
                kept: self.workspace.readback(object, &id)?,
                seen: self.target.imprint(object, &now.body),
                adopted,
                on_existing: self.plan.maps[plan.map].on_existing,
                unsure,
                lost: self.lost_fields(stream, writing, &now, unsure)?,
            };
            let (mut writes, mut conflicts, mut found) = (Vec::new(), Vec::new(), Vec::new());
            let mut flags = Vec::new();
            let known = if plan.notes.is_none() { self.plan.maps[plan.map].targets.len() } else { 0 };
            // By the id that whatever else flags this field has.
            let rule = |at: usize| match at < known {
                true => self.id_of_links(plan.map, at),
                false => format!("{}.{}", plan.name, whole.targets[at].name),
            };
            for at in fields.iter().copied() {
                let value = writing.values.get(at).unwrap_or(&Value::Absent);
                let key = field_key(&whole.targets[at]);
                match looked.turn(at, &key, value, moved.contains(&key), &now) {
                    Turn::There | Turn::Leave => {}
                    Turn::Found => found.push(at),
                    Turn::Conflict => conflicts.push(at),
                    Turn::Write if value.is_absent() => {
                        match encode.change(&writing.marker, &[(at, Value::Absent)], base.as_ref(), &now) {
                            Ok(_) => writes.push((at, Value::Absent)),
                            Err(error) => flags.push(Flag { rule: rule(at), why: error.why }),
                        }
                    }
                    Turn::Write => writes.push((at, value.clone())),
                }
            }
            let payloads = match encode.change(&writing.marker, &writes, base.as_ref(), &now) {
                Ok(payloads) => payloads,
                Err(error) => {
                    let why = format!("written before, and held back now: {error}");
                    return Ok(Outcome { status: Status::Quarantined, target: Some(id), reason: Some(why) });
                }
            };
            if !payloads.is_empty() {
                self.keep_unsure(stream, writing, &whole.targets, &writes)?;
            }
            let mut again = false;
            for (step, payload) in (FIRST_STEP..).zip(&payloads) {
                let write = Write { stream, key: &writing.key, marker: &writing.marker, payload, step };
                let before = adopted.then(|| self.image(&now, base.as_ref(), object)).transpose()?;
                match self.edit_once(&write, adopted, &now, before).await? {
                    Once::Done(edited) => now = edited,
                    Once::Moved(fresh, maybe) => {
                        now = fresh;
                        unsure |= maybe;
                        again = true;
                        break;
                    }
                    Once::Refused(why) => {
                        let why = format!("could not be edited: {why}");
                        return Ok(Outcome { status: Status::Failed, target: Some(id), reason: Some(why) });
                    }
                    Once::Gone => return Ok(deleted_there(object, &id)),
                }
            }
            if again {
                continue;
            }
            for at in &conflicts {
                let why = format!("{CONFLICT}, and kept; the rules say otherwise now");
                flags.push(Flag { rule: rule(*at), why });
            }
            let settled = fields.iter().filter(|at| !conflicts.contains(at)).map(|at| rule(*at)).collect();
            let values = &writing.values;
            let taken: Vec<(usize, &Value)> =
                found.iter().map(|at| (*at, values.get(*at).unwrap_or(&Value::Absent))).collect();
            self.keep_changed(
                stream,
                writing,
                &sent,
                &whole.targets,
                (settled, flags),
                &taken,
                &looked,
                &now,
            )?;
            return Ok(stands(None));
        }
        let why = format!("`{object}` {id} changes faster than it can be edited; run again");
        Ok(Outcome { status: Status::Failed, target: Some(id), reason: Some(why) })
    }

    /// The fields that are looked at, by index: those that moved; with `every`, also all others with a value.
    fn looked_at(
        &self,
        targets: &[Target],
        writing: &Writing,
        sent: &Sent,
        moved: &BTreeSet<String>,
        every: bool,
    ) -> Vec<usize> {
        let looked = |(at, target): (usize, &Target)| {
            let waits = writing.waiting.iter().any(|waiting| usize::from(*waiting) == at);
            let key = field_key(target);
            let valued = writing.values.get(at).is_some_and(|value| !value.is_absent());
            // What was never sent is not ours to empty.
            let ours = valued || sent.fields.contains_key(&key);
            (!waits && ours && (every || moved.contains(&key))).then_some(at)
        };
        targets.iter().enumerate().filter_map(looked).collect()
    }

    /// From here until the edit is known to be done nobody knows what these fields were sent: whatever the plan says
    /// next, they are looked at again.
    fn keep_unsure(
        &self,
        stream: usize,
        writing: &Writing,
        targets: &[Target],
        writes: &[(usize, Value)],
    ) -> Result<()> {
        let name = &self.streams[stream].name;
        let mut sent = self.workspace.sent(name, &writing.key)?.unwrap_or_default();
        sent.fields.extend(writes.iter().map(|(at, _)| (field_key(&targets[*at]), UNSURE)));
        if sent.plan.is_empty() {
            sent.plan.clone_from(&self.plan_hash);
        }
        Ok(self.workspace.keep_sent(name, &writing.key, &sent)?)
    }

    /// Fields that an edit without an answer sent, where the record was not changed since by anybody else.
    fn lost_fields(
        &self,
        stream: usize,
        writing: &Writing,
        now: &Stored,
        unsure: bool,
    ) -> Result<BTreeSet<String>> {
        let name = &self.streams[stream].name;
        if !unsure {
            return Ok(BTreeSet::new());
        }
        let entries = self.workspace.writes_since_taken_back(name, &writing.key)?;
        if !self.only_just_written(stream, now, &entries) {
            return Ok(BTreeSet::new());
        }
        let sent = self.workspace.sent(name, &writing.key)?.unwrap_or_default();
        Ok(sent.fields.into_iter().filter(|(_, hash)| *hash == UNSURE).map(|(key, _)| key).collect())
    }

    /// Keeps what a record was sent now, and what was found of edits without an answer.
    #[allow(clippy::too_many_arguments)]
    fn keep_changed(
        &self,
        stream: usize,
        writing: &Writing,
        before: &Sent,
        targets: &[Target],
        (settled, flags): (Vec<String>, Vec<Flag>),
        found: &[(usize, &Value)],
        looked: &Looked<'_>,
        now: &Stored,
    ) -> Result<()> {
        let plan = &self.streams[stream];
        let mut sent = self.sent_of(stream, &writing.values);
        for waiting in &writing.waiting {
            // Written later: until then it holds what it was sent.
            let Some(key) = targets.get(usize::from(*waiting)).map(field_key) else { continue };
            if let Some(hash) = before.fields.get(&key) {
                sent.fields.insert(key, *hash);
            }
        }
        let advanced = if found.is_empty() { None } else { self.taken_for_ours(looked, found, now)? };
        Ok(self.workspace.transaction(|ws| {
            if let Some(kept) = &advanced {
                ws.keep_readback(kept)?;
            }
            for rule in &settled {
                ws.forget_conflict(&plan.name, &writing.key, rule)?;
            }
            ws.flag(&plan.name, &writing.key, &flags)?;
            ws.keep_sent(&plan.name, &writing.key, &sent)
        })?)
    }

    /// What is remembered of a record in which an edit without an answer was done.
    fn taken_for_ours(
        &self,
        looked: &Looked<'_>,
        found: &[(usize, &Value)],
        now: &Stored,
    ) -> Result<Option<ReadBack>> {
        let Some(object) = looked.kept.as_ref().map(|kept| kept.object.clone()) else { return Ok(None) };
        // Edits since the look have moved it on.
        let Some(mut kept) = self.workspace.readback(&object, &now.id)? else { return Ok(None) };
        let seen = self.target.imprint(&object, &now.body);
        kept.links.retain(|link| seen.links.contains(link));
        for (at, value) in found {
            for name in looked.normalise.imprinted(*at) {
                let hash = seen.fields.get(&name).copied();
                kept.fields.insert(name, Remembered { hash, written: true });
            }
            for link in &seen.links {
                if !kept.links.contains(link) && names(value, &link.1) {
                    kept.links.push(link.clone());
                }
            }
        }
        Ok(Some(kept))
    }

    /// A record as a rollback has to give it back: what we wrote and nobody changed is as it was before us.
    fn image(&self, now: &Stored, base: Option<&Json>, object: &str) -> Result<String> {
        let mut image = now.body.clone();
        let (Some(base), Some(kept)) = (base, self.workspace.readback(object, &now.id)?) else {
            return Ok(image.to_string());
        };
        let seen = self.target.imprint(object, &now.body);
        for (name, field) in kept.fields.iter().filter(|(_, field)| field.written) {
            if field.hash != seen.fields.get(name).copied() {
                continue;
            }
            let path: Vec<&str> = name.splitn(2, '.').collect();
            let former =
                path.iter().try_fold(base, |json, key| json.get(*key)).cloned().unwrap_or(Json::Null);
            let place = match path.as_slice() {
                [key] => image.as_object_mut().map(|map| map.entry(*key).or_insert(Json::Null)),
                [of, key] => image
                    .get_mut(*of)
                    .and_then(Json::as_object_mut)
                    .map(|map| map.entry(*key).or_insert(Json::Null)),
                _ => None,
            };
            if let Some(place) = place {
                *place = former;
            }
        }
        Ok(image.to_string())
    }

    /// Sends an edit until it is answered, refused, or has to be worked out anew.
    async fn edit_once(
        &self,
        write: &Write<'_>,
        adopted: bool,
        stored: &Stored,
        before: Option<String>,
    ) -> Result<Once> {
        let object = self.streams[write.stream].target.as_str();
        let operation = if adopted { Operation::Adopt } else { Operation::Edit };
        let seq = self.intend_edit(write, operation, stored, before)?;
        let now = || self.outside.clock.now_ms();
        let end = |state, why: &str| self.workspace.ended(seq, state, None, Some(why), now());
        let payload: &Payload = write.payload;
        let mut why = String::new();
        for attempt in 1..=self.settings.sends {
            let answer = self.target.edit(object, &stored.id, &stored.rev, payload).await;
            self.outside.points.reach("load.edit")?;
            match answer {
                Ok(edited) => {
                    self.spent.wrote();
                    let first = self.target.imprint(object, &stored.body);
                    let touched = self.target.touches(object, payload, stored).into_iter().collect();
                    let seen = self.read_back(write, operation, &first, stored, &edited, &touched)?;
                    self.workspace.transaction(|ws| {
                        ws.keep_readback(&seen)?;
                        ws.ended(seq, JournalState::Done, None, None, now())
                    })?;
                    return Ok(Once::Done(edited));
                }
                Err(SendError::Denied(why)) => {
                    end(JournalState::Failed, &why)?;
                    return Err(Error::Denied(why));
                }
                Err(SendError::Refused(why)) => {
                    end(JournalState::Failed, &why)?;
                    self.tell_fault(write, REFUSED);
                    return Ok(Once::Refused(why));
                }
                Err(SendError::Gone) => {
                    end(JournalState::Failed, "the record is gone")?;
                    return Ok(Once::Gone);
                }
                Err(error @ (SendError::NotSent(_) | SendError::Busy { .. })) => {
                    // Surely not done: the same intent stands for the next try.
                    why = error.to_string();
                    self.outside.clock.sleep(self.pause(attempt, &error)).await;
                }
                Err(error @ (SendError::Stale | SendError::Unknown(_))) => {
                    let unknown = matches!(error, SendError::Unknown(_));
                    let state = if unknown { JournalState::Unknown } else { JournalState::Failed };
                    end(state, &error.to_string())?;
                    if unknown {
                        self.tell_fault(write, UNANSWERED);
                        self.outside.clock.sleep(self.settings.first_look_ms).await;
                    }
                    return Ok(match self.target.read(object, &stored.id).await? {
                        Some(fresh) => Once::Moved(fresh, unknown),
                        None => Once::Gone,
                    });
                }
            }
        }
        end(JournalState::Failed, &why)?;
        Err(self.unreachable(why))
    }
}

/// The record as it was before this migration first wrote into it.
fn first_image(entries: &[Entry], id: &str) -> Option<Json> {
    let ours = |entry: &&Entry| {
        entry.intent.operation == Operation::Adopt && entry.intent.target.as_deref() == Some(id)
    };
    entries.iter().filter(ours).find_map(|entry| serde_json::from_str(entry.intent.before.as_deref()?).ok())
}

/// Whether an edit since the last answered one may have been done.
fn may_have_edited(entries: &[Entry]) -> bool {
    let edits = entries
        .iter()
        .rev()
        .filter(|entry| matches!(entry.intent.operation, Operation::Edit | Operation::Adopt));
    edits
        .take_while(|entry| entry.state != JournalState::Done)
        .any(|entry| matches!(entry.state, JournalState::Intent | JournalState::Unknown))
}

/// Whether a value names the record of an id.
fn names(value: &Value, id: &str) -> bool {
    match value {
        Value::Text(text) => text.as_str() == id || text.rsplit('/').next() == Some(id),
        Value::Item(item) => names(&item.value, id) || item.attrs.iter().any(|attr| names(attr, id)),
        Value::List(values) => values.iter().any(|value| names(value, id)),
        _ => false,
    }
}
