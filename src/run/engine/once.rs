//! One write, made exactly once: the protocol for a destination without idempotency keys.
//!
//! The payload carries the marker, the intent is durable before anything is sent, and it is sent once. An answer
//! settles it. Without one it is never sent again first: wait, look for the marker, wait until the abandoned request
//! is surely dead, look again, and only then send again.

use std::collections::BTreeSet;

use futures_util::future::{Either, select};

use crate::run::connect::{self, Local, Payload, SendError, Stored};
use crate::run::workspace::{Intent, JournalState, Operation, UnderWay};

use super::aside::OVERDUE_MS;
use super::{Engine, Error, Event, Result};

/// A wait that a person should be told of, in milliseconds.
const LONG_MS: u64 = 10_000;

/// What is told of a write that did not go well.
pub(super) const REFUSED: &str = "refused";
pub(super) const UNANSWERED: &str = "no usable answer";

/// How a write ended.
pub(super) enum Sent {
    /// The destination has it.
    Done(Stored),
    /// The destination will not have it.
    Refused(String),
    /// Nobody can tell whether the destination has it.
    Uncertain(String),
    /// The record is not there (any more).
    Gone,
    /// The record changed meanwhile: what was to be written has to be worked out again from this.
    Moved(Stored),
}

/// How one sending of a deletion ended; the journal has it, but for the end of one that was done.
pub(super) enum Deleted {
    /// It is not there any more: the journal's entry, for the transaction that forgets the record.
    Gone(i64),
    /// The destination will not delete it.
    Refused(String),
    /// It moved meanwhile, or nobody knows: to be read again.
    Again(SendError),
}

/// A write and where it goes.
pub(super) struct Write<'w> {
    /// By index.
    pub stream: usize,
    pub key: &'w str,
    pub marker: &'w str,
    pub payload: &'w Payload,
    pub step: u16,
}

/// Why a record that may be there is not sent again.
pub(super) fn never_again(why: &str, reason: &str) -> String {
    format!(
        "no usable answer ({why}), and it was not found; it is not sent again, since {reason}: look for it in the \
         destination, then leave it out, or write it there by hand"
    )
}

/// What writes meet and get over.
const BUSY: &str = "the destination said that it is too busy for a write (429 or 503)";
const NOT_SENT: &str = "a write did not reach the destination";

impl Engine<'_> {
    pub(super) fn intent(
        &self,
        write: &Write<'_>,
        operation: Operation,
        target: Option<&str>,
        before: Option<String>,
    ) -> Intent {
        Intent {
            map: self.streams[write.stream].name.clone(),
            key: write.key.to_owned(),
            operation,
            step: write.step,
            payload: write.payload.hash(),
            target: target.map(str::to_owned),
            before,
        }
    }

    /// Notes one intent durably.
    pub(super) fn intend(&self, intent: Intent) -> Result<i64> {
        let now = self.outside.clock.now_ms();
        let numbers = self.workspace.transaction(|ws| ws.intend(&[intent], now))?;
        self.outside.points.reach("load.intent")?;
        Ok(numbers[0])
    }

    /// The same for an edit of a record as it was read, with what it sends: without an answer nothing else tells later
    /// what it may have changed.
    pub(super) fn intend_edit(
        &self,
        write: &Write<'_>,
        operation: Operation,
        stored: &Stored,
        before: Option<String>,
    ) -> Result<i64> {
        let object = self.streams[write.stream].target.as_str();
        let sent = UnderWay {
            touched: self.target.touches(object, write.payload, stored),
            fields: write.payload.fields.clone(),
        };
        let intent = self.intent(write, operation, Some(&stored.id), before);
        let now = self.outside.clock.now_ms();
        let seq = self.workspace.transaction(|ws| {
            let seq = ws.intend(&[intent], now)?[0];
            ws.keep_under_way(seq, &sent).map(|()| seq)
        })?;
        self.outside.points.reach("load.intent")?;
        Ok(seq)
    }

    /// Ends a create with the record, and keeps what was read back of it, in one step.
    pub(super) fn made(
        &self,
        write: &Write<'_>,
        seq: i64,
        stored: &Stored,
        note: Option<&str>,
    ) -> Result<()> {
        let now = self.outside.clock.now_ms();
        let seen = self.read_back_new(write.stream, write.key, stored);
        // What it was when its answer came tells more than what it is when it is found.
        let name = &self.streams[write.stream].name;
        let known =
            note.is_some() && self.workspace.as_made(name, write.key)?.is_some_and(|m| m.target == stored.id);
        let as_made = (!known).then(|| self.as_made(write.stream, stored));
        self.spent.wrote();
        Ok(self.workspace.transaction(|ws| {
            ws.keep_readback(&seen)?;
            if let Some(as_made) = &as_made {
                ws.keep_as_made(name, write.key, as_made)?;
            }
            ws.ended(seq, JournalState::Done, Some(&stored.id), note, now)
        })?)
    }

    pub(super) fn tell_fault(&self, write: &Write<'_>, what: &'static str) {
        self.tell_fault_of(&self.streams[write.stream].name, write.key, what);
    }

    /// The same for a write of this row of the books and source record.
    pub(super) fn tell_fault_of(&self, row: &str, key: &str, what: &'static str) {
        self.outside.progress.happened(&Event::WriteFault { row, key, what });
    }

    fn ended(&self, seq: i64, state: JournalState, target: Option<&str>, note: Option<&str>) -> Result<()> {
        Ok(self.workspace.ended(seq, state, target, note, self.outside.clock.now_ms())?)
    }

    /// Nobody knows whether a write was done: noted, with the time since when it may still take effect.
    fn unanswered(&self, write: &Write<'_>, seq: i64, why: &str) -> Result<()> {
        self.given_up.borrow_mut().insert(write.stream, self.outside.clock.ticks_ms());
        self.tell_fault(write, UNANSWERED);
        self.ended(seq, JournalState::Unknown, None, Some(why))
    }

    /// Waits for an answer; one that does not come for long leaves its place to others meanwhile.
    async fn answered<T>(&self, answer: Local<'_, T>) -> T {
        match select(answer, self.outside.clock.sleep(OVERDUE_MS)).await {
            Either::Left((answer, _)) => answer,
            Either::Right(((), answer)) => {
                let _aside = self.aside.step_overdue();
                answer.await
            }
        }
    }

    /// Sends a create whose intent `seq` is durable.
    pub(super) async fn create(&self, write: &Write<'_>, mut seq: i64) -> Result<Sent> {
        let object = self.streams[write.stream].target.as_str();
        let mut why = String::new();
        let mut reached = true;
        for attempt in 1..=self.settings.sends {
            let answer = self.answered(self.target.create(object, write.payload)).await;
            self.outside.points.reach("load.answered")?;
            match answer {
                Ok(stored) => {
                    self.made(write, seq, &stored, None)?;
                    if stored.marker.as_deref() != Some(write.marker) {
                        return Err(Error::MarkerLost {
                            object: object.to_owned(),
                            id: stored.id,
                            field: self.marker_field(),
                        });
                    }
                    return Ok(Sent::Done(stored));
                }
                Err(SendError::Denied(why)) => {
                    self.ended(seq, JournalState::Failed, None, Some(&why))?;
                    return Err(Error::Denied(why));
                }
                Err(error @ (SendError::Refused(_) | SendError::Stale | SendError::Gone)) => {
                    let why = error.to_string();
                    self.tell_fault(write, REFUSED);
                    self.ended(seq, JournalState::Failed, None, Some(&why))?;
                    return Ok(Sent::Refused(why));
                }
                Err(error @ (SendError::NotSent(_) | SendError::Busy { .. })) => {
                    // Surely not done: the same intent stands for the next try.
                    reached = false;
                    why = error.to_string();
                    self.outside.clock.sleep(self.pause(attempt, &error)).await;
                }
                Err(SendError::Unknown(unknown)) => {
                    reached = true;
                    why = unknown;
                    self.unanswered(write, seq, &why)?;
                    #[cfg(debug_assertions)]
                    if self.settings.planted.resend_on_timeout {
                        continue;
                    }
                    if let Some(stored) = self.look_for(write, 0).await? {
                        self.made(write, seq, &stored, Some("found by its marker"))?;
                        return Ok(Sent::Done(stored));
                    }
                    if let Some(reason) = self.target.is_final(object) {
                        // The journal keeps it open: not even a later run sends it again.
                        return Ok(Sent::Uncertain(never_again(&why, reason)));
                    }
                    if attempt < self.settings.sends {
                        self.ended(seq, JournalState::Failed, None, Some("looked for twice and not found"))?;
                        seq = self.intend(self.intent(write, Operation::Create, None, None))?;
                    }
                }
            }
        }
        if !reached {
            // Nothing is wrong with the record: the run ends, and the next one goes on with it.
            self.ended(seq, JournalState::Failed, None, Some(&why))?;
            return Err(self.unreachable(why));
        }
        // Whatever was sent last is looked for by the sweep, which settles it by its marker.
        Ok(Sent::Uncertain(format!("no usable answer after {} tries: {why}", self.settings.sends)))
    }

    /// Looks for a record by its marker until a request that was given up `before` milliseconds ago is surely dead.
    /// Several hits are doubles: the first is kept, the sweep takes the others away.
    pub(super) async fn look_for(&self, write: &Write<'_>, before: u64) -> Result<Option<Stored>> {
        let since = self.outside.clock.ticks_ms();
        for wait in [self.settings.first_look_ms, self.settings.dead_ms] {
            #[cfg(debug_assertions)]
            if self.settings.planted.search_once && wait == self.settings.dead_ms {
                break;
            }
            let passed = before.saturating_add(self.outside.clock.ticks_ms().saturating_sub(since));
            let left = wait.saturating_sub(passed);
            if left >= LONG_MS {
                self.outside.progress.notice(&format!(
                    "a write got no answer; up to {} s are waited before it is decided whether it happened",
                    left.div_ceil(1000)
                ));
            }
            {
                let _aside = self.aside.step();
                self.outside.clock.sleep(left).await;
            }
            let object = self.streams[write.stream].target.as_str();
            let field = self.marker_field();
            let found = self.target.find_sent(object, &field, write.marker, write.payload).await?;
            if let Some(first) = found.into_iter().next() {
                return Ok(Some(first));
            }
        }
        Ok(None)
    }

    /// Sends an edit until it is there. Edits carry the revision they were made for, so a repeated one is harmless.
    pub(super) async fn edit(
        &self,
        write: &Write<'_>,
        operation: Operation,
        mut stored: Stored,
        before: Option<String>,
    ) -> Result<Sent> {
        let object = self.streams[write.stream].target.as_str();
        let mut seq = self.intend_edit(write, operation, &stored, before.clone())?;
        let mut why = String::new();
        let first = self.target.imprint(object, &stored.body);
        let mut touched = BTreeSet::new();
        let mut unanswered = false;
        let mut stale = 0;
        for attempt in 1..=self.settings.sends {
            touched.extend(self.target.touches(object, write.payload, &stored));
            let answer =
                self.answered(self.target.edit(object, &stored.id, &stored.rev, write.payload)).await;
            self.outside.points.reach("load.edit")?;
            match answer {
                Ok(edited) => {
                    self.spent.wrote();
                    let now = self.outside.clock.now_ms();
                    let seen = self.read_back(write, operation, &first, &stored, &edited, &touched)?;
                    self.workspace.transaction(|ws| {
                        ws.keep_readback(&seen)?;
                        ws.ended(seq, JournalState::Done, None, None, now)
                    })?;
                    return Ok(Sent::Done(edited));
                }
                Err(SendError::Denied(why)) => {
                    self.ended(seq, JournalState::Failed, None, Some(&why))?;
                    return Err(Error::Denied(why));
                }
                Err(SendError::Refused(why)) => {
                    self.tell_fault(write, REFUSED);
                    self.ended(seq, JournalState::Failed, None, Some(&why))?;
                    return Ok(Sent::Refused(why));
                }
                Err(SendError::Gone) => {
                    self.ended(seq, JournalState::Failed, None, Some("the record is gone"))?;
                    return Ok(Sent::Gone);
                }
                Err(error @ (SendError::NotSent(_) | SendError::Busy { .. })) => {
                    why = error.to_string();
                    self.outside.clock.sleep(self.pause(attempt, &error)).await;
                }
                Err(error @ (SendError::Stale | SendError::Unknown(_))) => {
                    why = error.to_string();
                    unanswered |= matches!(error, SendError::Unknown(_));
                    stale += u32::from(matches!(error, SendError::Stale));
                    // With an old revision it was surely not done, unless an earlier try was.
                    if unanswered {
                        self.unanswered(write, seq, &why)?;
                    } else {
                        self.ended(seq, JournalState::Failed, None, Some(&why))?;
                    }
                    if matches!(error, SendError::Unknown(_)) {
                        let _aside = self.aside.step();
                        self.outside.clock.sleep(self.settings.first_look_ms).await;
                    }
                    #[cfg(debug_assertions)]
                    let may_have_moved = !self.settings.planted.rev_trusted;
                    #[cfg(not(debug_assertions))]
                    let may_have_moved = true;
                    match self.target.read(object, &stored.id).await? {
                        // What fills gaps was worked out from the old state; what a person typed since must stay.
                        Some(now) if operation == Operation::Adopt && may_have_moved => {
                            if unanswered {
                                let seen =
                                    self.read_back(write, operation, &first, &stored, &now, &touched)?;
                                self.workspace.keep_readback(&seen)?;
                            }
                            return Ok(Sent::Moved(now));
                        }
                        Some(now) => stored = now,
                        None => return Ok(Sent::Gone),
                    }
                    if attempt < self.settings.sends {
                        seq = self.intend_edit(write, operation, &stored, before.clone())?;
                    }
                }
            }
        }
        // Only what may have been done is left open: a record is else taken for ours as a person left it.
        if unanswered {
            self.unanswered(write, seq, &why)?;
        } else {
            self.ended(seq, JournalState::Failed, None, Some(&why))?;
        }
        if stale == self.settings.sends {
            return Err(Error::Restless { object: object.to_owned(), id: stored.id, times: stale });
        }
        Err(self.unreachable(why))
    }

    /// Deletes a record as it was read, once.
    ///
    /// # Errors
    /// Rights that are gone; the workspace's.
    pub(super) async fn delete(
        &self,
        write: &Write<'_>,
        operation: Operation,
        stored: &Stored,
    ) -> Result<Deleted> {
        let object = self.streams[write.stream].target.as_str();
        let seq = self.intend(self.intent(write, operation, Some(&stored.id), None))?;
        let answer = self.target.delete(object, &stored.id, &stored.rev).await;
        self.outside.points.reach("sweep.delete")?;
        match answer {
            // Absent is what was wanted.
            Ok(()) | Err(SendError::Gone) => Ok(Deleted::Gone(seq)),
            Err(SendError::Denied(why)) => {
                self.ended(seq, JournalState::Failed, None, Some(&why))?;
                Err(Error::Denied(why))
            }
            Err(SendError::Refused(why)) => {
                self.ended(seq, JournalState::Failed, None, Some(&why))?;
                self.tell_fault(write, REFUSED);
                Ok(Deleted::Refused(why))
            }
            Err(error) => {
                let unknown = matches!(error, SendError::Unknown(_));
                let state = if unknown { JournalState::Unknown } else { JournalState::Failed };
                self.ended(seq, state, None, Some(&error.to_string()))?;
                if unknown {
                    self.tell_fault(write, UNANSWERED);
                }
                Ok(Deleted::Again(error))
            }
        }
    }

    pub(super) fn unreachable(&self, why: String) -> Error {
        connect::Error::Unreachable { system: self.target.label(), why }.into()
    }

    /// Milliseconds since a moment; none when the clock was set back meanwhile.
    pub(super) fn passed_since(&self, ms: i64) -> u64 {
        u64::try_from(self.outside.clock.now_ms().saturating_sub(ms)).unwrap_or(0)
    }

    /// Waits before a deletion, or what restores a record, is tried once more on what is read by then. A record that
    /// moved meanwhile is no fault of the destination, so that it never counts as one that does not answer.
    ///
    /// # Errors
    /// The last of the tries.
    pub(super) async fn before_another(&self, attempt: u32, error: &SendError) -> Result<()> {
        let wait = match error {
            SendError::Stale => 0,
            SendError::Unknown(_) => self.settings.first_look_ms,
            error => self.pause(attempt, error),
        };
        self.outside.clock.sleep(wait).await;
        if attempt == self.settings.sends && !matches!(error, SendError::Stale) {
            return Err(self.unreachable(error.to_string()));
        }
        Ok(())
    }

    /// How long to wait after a refusal for load: as long as asked, else doubling from one second to a minute.
    pub(super) fn pause(&self, attempt: u32, error: &SendError) -> u64 {
        let growing = 1_000u64 << attempt.min(6).saturating_sub(1);
        let (what, pause) = match error {
            SendError::Busy { after_ms, .. } => (BUSY, after_ms.unwrap_or(0).max(growing)),
            SendError::NotSent(_) => (NOT_SENT, growing),
            _ => return growing,
        };
        // The same intent stands for the next try, so that the journal says nothing of it.
        self.put_off.meets(what);
        self.put_off.waits(what, self.outside.clock.now_ms(), pause);
        pause
    }
}
