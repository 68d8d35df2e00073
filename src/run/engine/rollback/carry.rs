//! Carries the list of a rollback out, each record under an intent that is durable before anything is sent.
//!
//! An answer that does not come is never taken for one: the record is read again, and what is absent is done. A record
//! that changed since the list was made stays, and with it what it links to.

use std::collections::VecDeque;

use futures_util::stream::{FuturesUnordered, StreamExt};

use crate::run::connect::{Payload, SendError, Stored};
use crate::run::workspace::{Fate, Intent, JournalState, Operation, Rollback, RollbackLine, Turn};

use super::super::once::{REFUSED, UNANSWERED};
use super::super::streams::NOTE;
use super::super::{Engine, Error, Result};
use super::judge::{shown_field, some};
use super::{Announcement, Assessment, PAGE, RollbackReport, There};

/// What an attempt came to.
enum Attempt {
    /// It is settled.
    Over,
    /// Look again, and try again.
    Again(SendError),
}

impl Engine<'_> {
    /// Carries out what was announced, or goes on with what was begun.
    ///
    /// # Errors
    /// Whatever ended it early; the same call goes on from there.
    pub async fn roll_back(&self, announced: &Announcement) -> Result<RollbackReport> {
        let started = self.outside.clock.now_ms();
        self.bind_target().await?;
        if !announced.begun {
            let rollback = Rollback { only: announced.only.clone(), began_ms: started, ended_ms: None };
            self.workspace.begin_rollback(&rollback, &announced.found)?;
        }
        self.outside.points.reach("rollback.begun")?;
        for map in self.workspace.rollback_maps()? {
            let Some(stream) = self.streams.iter().position(|stream| stream.name == map) else { continue };
            self.take_back_all(stream).await?;
        }
        let (leftovers, strangers, anew) = self.finish(announced.only.as_deref()).await?;
        Ok(RollbackReport {
            counts: self.workspace.rollback_counts(false)?,
            leftovers,
            strangers,
            anew,
            took_ms: self.outside.clock.now_ms().abs_diff(started),
        })
    }

    /// Takes back what of a stream waits. The next stream begins when all of it is settled.
    async fn take_back_all(&self, stream: usize) -> Result<()> {
        let name = &self.streams[stream].name;
        let (mut after, mut done) = (0, 0u64);
        let mut page: VecDeque<RollbackLine> = VecDeque::new();
        let mut flights = FuturesUnordered::new();
        let mut begun = false;
        loop {
            let stops = self.outside.points.stops();
            while !stops && flights.len() < self.settings.in_flight {
                if page.is_empty() {
                    page = self.workspace.open_for_rollback(name, after, PAGE)?.into();
                    // What is in flight is open still.
                    page.retain(|line| line.seq > after);
                }
                let Some(line) = page.pop_front() else { break };
                after = line.seq;
                if !begun {
                    begun = true;
                    let open = self.workspace.rollback_counts(false)?.into_iter();
                    let open = open.filter(|count| count.map == *name && count.turn == Turn::Open);
                    let total = open.map(|count| count.records).sum();
                    self.outside.progress.begin(&format!("take back {name}"), Some(total));
                }
                flights.push(self.take_back(stream, line));
            }
            let Some(ended) = flights.next().await else {
                if stops {
                    return Err(Error::Interrupted);
                }
                break;
            };
            ended?;
            done += 1;
            self.outside.progress.at(done);
            self.outside.points.reach("rollback.settled")?;
        }
        if begun {
            self.outside.progress.end();
        }
        Ok(())
    }

    /// Takes one record back, whatever it takes.
    async fn take_back(&self, stream: usize, line: RollbackLine) -> Result<()> {
        let object = line.object.as_str();
        for attempt in 1..=self.settings.sends {
            let Some(stored) = self.target.read(object, &line.target).await? else {
                return self.is_gone(&line);
            };
            let tried = match line.fate {
                Fate::Delete => self.try_delete(stream, &line, &stored).await?,
                Fate::Restore => self.try_restore(stream, &line, &stored).await?,
                Fate::Gone => return self.stays(&line, Turn::Kept, "it is there again", &stored),
                Fate::Keep => return Ok(()),
            };
            match tried {
                Attempt::Over => return Ok(()),
                Attempt::Again(error) => self.before_another(attempt, &error).await?,
            }
        }
        match self.target.read(object, &line.target).await? {
            None => self.is_gone(&line),
            Some(stored) => {
                self.stays(&line, Turn::Kept, "it changes faster than it can be taken back", &stored)
            }
        }
    }

    async fn try_delete(&self, stream: usize, line: &RollbackLine, stored: &Stored) -> Result<Attempt> {
        let object = line.object.as_str();
        let why = match self.remembered(stream, &line.key, &line.target)? {
            Some(kept) => self.touched(object, stored, &kept, &Assessment::default()).await?,
            None => {
                Some("no read-back of it was kept, so nobody can tell whether a person changed it".to_owned())
            }
        };
        if let Some(why) = why {
            self.stays(line, Turn::Kept, &why, stored)?;
            return Ok(Attempt::Over);
        }
        let seq = self.intend_rollback(line, Operation::TakeBack, &Payload::default(), None)?;
        let answer = self.target.delete(object, &line.target, &stored.rev).await;
        self.outside.points.reach("rollback.answered")?;
        match answer {
            // Absent is what was wanted.
            Ok(()) | Err(SendError::Gone) => {
                let now = self.outside.clock.now_ms();
                self.workspace.transaction(|ws| {
                    ws.ended(seq, JournalState::Done, None, None, now)?;
                    ws.forget_record(&line.map, &line.key, object, &line.target)?;
                    ws.turned(line.seq, Turn::Done, None)
                })?;
                Ok(Attempt::Over)
            }
            Err(error) => self.not_done(line, stored, seq, error),
        }
    }

    async fn try_restore(&self, stream: usize, line: &RollbackLine, stored: &Stored) -> Result<Attempt> {
        let object = line.object.as_str();
        let entries = self.workspace.writes_since_taken_back(&line.map, &line.key)?;
        let restoring = match self.restoring(stream, &line.key, stored, &entries)? {
            Ok(restoring) => restoring,
            Err(why) => {
                self.stays(line, Turn::Kept, &why, stored)?;
                return Ok(Attempt::Over);
            }
        };
        let payload = match self.restoring_payload(object, &restoring, stored) {
            Ok(payload) => payload,
            Err(error) => {
                self.stays(line, Turn::Refused, &error.to_string(), stored)?;
                return Ok(Attempt::Over);
            }
        };
        self.hold(&restoring.links, &(object.to_owned(), line.target.clone()))?;
        let stays = restoring.stays();
        if payload.is_empty() {
            let now = self.outside.clock.now_ms();
            self.workspace.transaction(|ws| {
                ws.found_done(Operation::Restore, &line.map, &line.key, &line.target, now)?;
                ws.forget_record(&line.map, &line.key, object, &line.target)?;
                ws.turned(line.seq, Turn::Done, stays.as_deref())
            })?;
            return Ok(Attempt::Over);
        }
        let image = Some(stored.body.to_string());
        let seq = self.intend_rollback(line, Operation::Restore, &payload, image)?;
        let answer = self.target.edit(object, &line.target, &stored.rev, &payload).await;
        self.outside.points.reach("rollback.answered")?;
        match answer {
            Ok(edited) => {
                let now = self.outside.clock.now_ms();
                let wrong = self.unrestored(object, &restoring, &edited);
                if !wrong.is_empty() {
                    let names = some(wrong.iter().map(|name| format!("`{}`", shown_field(name))));
                    let why = format!("the destination did not take {names} back as it was");
                    self.workspace.transaction(|ws| {
                        ws.ended(seq, JournalState::Done, None, Some(&why), now)?;
                        ws.forget_record(&line.map, &line.key, object, &line.target)?;
                        ws.turned(line.seq, Turn::Refused, Some(&why))
                    })?;
                    return Ok(Attempt::Over);
                }
                self.workspace.transaction(|ws| {
                    ws.ended(seq, JournalState::Done, None, None, now)?;
                    ws.forget_record(&line.map, &line.key, object, &line.target)?;
                    ws.turned(line.seq, Turn::Done, stays.as_deref())
                })?;
                Ok(Attempt::Over)
            }
            Err(SendError::Gone) => {
                self.end_intent(seq, JournalState::Failed, "the record is gone")?;
                self.is_gone(line)?;
                Ok(Attempt::Over)
            }
            Err(error) => self.not_done(line, stored, seq, error),
        }
    }

    /// A write that was not done, or of which nobody knows.
    fn not_done(&self, line: &RollbackLine, stored: &Stored, seq: i64, error: SendError) -> Result<Attempt> {
        match &error {
            SendError::Unknown(why) => {
                self.tell_fault_of(&line.map, &line.key, UNANSWERED);
                self.end_intent(seq, JournalState::Unknown, why)?;
            }
            other => self.end_intent(seq, JournalState::Failed, &other.to_string())?,
        }
        match error {
            SendError::Denied(why) => Err(Error::Denied(why)),
            SendError::Refused(why) => {
                self.tell_fault_of(&line.map, &line.key, REFUSED);
                self.stays(line, Turn::Refused, &format!("the destination refuses: {why}"), stored)?;
                Ok(Attempt::Over)
            }
            other => Ok(Attempt::Again(other)),
        }
    }

    fn end_intent(&self, seq: i64, state: JournalState, why: &str) -> Result<()> {
        Ok(self.workspace.ended(seq, state, None, Some(why), self.outside.clock.now_ms())?)
    }

    /// Notes a write of the rollback durably.
    fn intend_rollback(
        &self,
        line: &RollbackLine,
        operation: Operation,
        payload: &Payload,
        before: Option<String>,
    ) -> Result<i64> {
        let intent = Intent {
            map: line.map.clone(),
            key: line.key.clone(),
            operation,
            step: 0,
            payload: payload.hash(),
            target: Some(line.target.clone()),
            before,
        };
        let now = self.outside.clock.now_ms();
        let numbers = self.workspace.transaction(|ws| ws.intend(&[intent], now))?;
        self.outside.points.reach("rollback.intent")?;
        Ok(numbers[0])
    }

    /// A record that is not there needs nothing more.
    fn is_gone(&self, line: &RollbackLine) -> Result<()> {
        let now = self.outside.clock.now_ms();
        Ok(self.workspace.transaction(|ws| {
            ws.found_done(Operation::TakeBack, &line.map, &line.key, &line.target, now)?;
            ws.forget_record(&line.map, &line.key, &line.object, &line.target)?;
            ws.turned(line.seq, Turn::Done, None)
        })?)
    }

    /// A record stays against what was announced, and with it what it links to.
    fn stays(&self, line: &RollbackLine, turn: Turn, why: &str, stored: &Stored) -> Result<()> {
        let there = (line.object.clone(), line.target.clone());
        self.outside.progress.notice(&format!("{} stays: {why}", self.show(&there)));
        // A note that cannot be deleted goes to the trash with its record, and a later run has to decide on it anew.
        if turn == Turn::Refused && line.object == NOTE {
            return Ok(self.workspace.transaction(|ws| {
                ws.unsettle(&line.map, &line.key)?;
                ws.turned(line.seq, turn, Some(why))
            })?);
        }
        self.workspace.turned(line.seq, turn, Some(why))?;
        self.hold(&self.links_now(&line.object, stored), &there)
    }

    /// Keeps records that one which stays links to, and what those link to.
    fn hold(&self, links: &[There], by: &There) -> Result<()> {
        let mut left: Vec<(There, There)> = links.iter().map(|link| (link.clone(), by.clone())).collect();
        while let Some((there, by)) = left.pop() {
            let Some(line) = self.workspace.in_rollback(&there.0, &there.1)? else { continue };
            if line.fate != Fate::Delete || line.turn != Turn::Open {
                continue;
            }
            let why = format!("{} links to it and stays", self.show(&by));
            self.workspace.turned(line.seq, Turn::Kept, Some(&why))?;
            let more = self.workspace.links_from(&there.0, &there.1)?;
            left.extend(more.into_iter().map(|link| (link, there.clone())));
        }
        Ok(())
    }
}
