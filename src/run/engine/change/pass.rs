//! Goes through the records of a stream that stand, and brings each to what the plan says now.

use std::cell::OnceCell;

use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};

use crate::run::connect::Encode;
use crate::run::workspace::{Flag, Lack, Outcome, Sent, StagedRecord, Status};

use super::super::load::deleted_there;
use super::super::prepare::{Works, Writing};
use super::super::rollback::Assessment;
use super::super::streams::NOTE;
use super::super::{Engine, Error, Result};
use super::away::Cleared;
use super::{Fixed, standing};

/// Records whose ends are kept in one transaction at most.
const KEPT_AT_ONCE: usize = 500;

/// What a record that stands has come to.
struct Ended {
    key: String,
    outcome: Outcome,
    flags: Vec<Flag>,
    lacks: Vec<Lack>,
    waiting: Vec<u16>,
    notes: Vec<(String, Vec<u8>)>,
    /// What it was sent, where that is as it was or was found out here.
    sent: Option<Sent>,
}

/// What is to be done about a record.
enum Step {
    Ended(Ended),
    /// Something of it is to be written; the destination's id.
    Write(Box<Writing>, String, How),
    /// Another run decides.
    Later,
}

/// How a record comes to be what it is to be.
#[derive(Clone, Copy)]
enum How {
    /// It is edited; whether every field is to be looked at.
    Edited { every: bool },
    /// It is deleted, and the load that follows makes it; why it cannot be edited.
    MadeAnew(Fixed),
}

impl Engine<'_> {
    /// Applies to a stream what changed since its records were written; does nothing where that was done.
    ///
    /// # Errors
    /// Whatever ends the run; a record that cannot be edited ends as listed instead.
    pub(in super::super) async fn go_through(&self, stream: usize, encode: &dyn Encode) -> Result<()> {
        let name = &self.streams[stream].name;
        if !self.workspace.pass_is_open(name)? {
            return Ok(());
        }
        let total = self.workspace.with_target(name)?;
        self.outside.progress.begin(&format!("apply changes to {name}"), Some(total));
        let notes = self.notes_stream(stream);
        if let Some(notes) = notes {
            self.workspace.begin_notes(&self.streams[notes].name)?;
        }
        let mut feed = self.feed(stream);
        let mut exhausted = false;
        // Notes are worked out with their records: those of records that are left are left with them.
        let mut left = self.streams[stream].notes.is_some()
            && self.workspace.pass_is_open(&self.streams[self.streams[stream].map].name)?;
        let mut done = 0u64;
        let assessment = OnceCell::new();
        let mut flights = FuturesUnordered::new();
        loop {
            let mut ended = Vec::new();
            let stops = self.outside.points.stops();
            while !stops
                && !exhausted
                && flights.len() < self.settings.in_flight
                && ended.len() < KEPT_AT_ONCE
            {
                let Some(record) = self.next_staged(stream, &mut feed)? else {
                    exhausted = true;
                    break;
                };
                let Some(outcome) = self.workspace.outcome(name, &record.key)? else { continue };
                let Some(id) = outcome.target.clone() else { continue };
                match self.step(stream, &record, outcome, id, notes, encode)? {
                    Step::Ended(one) => ended.push(one),
                    Step::Write(writing, id, how) => {
                        flights.push(self.bring(stream, writing, id, how, encode, &assessment));
                    }
                    Step::Later => left = true,
                }
            }
            if let Some(landed) = flights.next().await {
                ended.extend(landed?);
                while let Some(Some(landed)) = flights.next().now_or_never() {
                    ended.extend(landed?);
                }
            }
            if ended.is_empty() && flights.is_empty() {
                if stops {
                    return Err(Error::Interrupted);
                }
                if exhausted {
                    break;
                }
            }
            done += ended.len() as u64;
            self.end_all(stream, notes, &ended)?;
            self.outside.progress.at(done);
            self.outside.points.reach("load.landed")?;
        }
        self.outside.progress.end();
        if left {
            // Another run goes through it again: what is done is seen to be done.
            return Ok(());
        }
        if let Some(notes) = notes {
            self.lose_notes(notes)?;
        }
        Ok(self.workspace.close_pass(name)?)
    }

    /// What is to be done about a record that stands.
    fn step(
        &self,
        stream: usize,
        record: &StagedRecord,
        before: Outcome,
        id: String,
        notes: Option<usize>,
        encode: &dyn Encode,
    ) -> Result<Step> {
        let plan = &self.streams[stream];
        let key = record.key.clone();
        let sent = self.workspace.sent(&plan.name, &key)?;
        let out = |outcome: Outcome, flags, lacks| {
            let outcome = standing(outcome, id.clone());
            let (waiting, notes, sent) = (Vec::new(), Vec::new(), None);
            Step::Ended(Ended { key: key.clone(), outcome, flags, lacks, waiting, notes, sent })
        };
        let worked = match self.work_out(stream, record, sent.as_ref())? {
            Works::Decided(outcome, flags, lacks) => return Ok(out(outcome, flags, lacks)),
            Works::Later(needed) => {
                self.scope.borrow().stay(plan.map, needed);
                return Ok(Step::Later);
            }
            Works::Out(worked) => worked,
        };
        if let Some(notes) = notes {
            for (key, _) in &worked.notes {
                self.workspace.has_note(&self.streams[notes].name, key)?;
            }
        }
        let writing = match self.encoded(stream, &record.key, *worked, encode)? {
            Ok(writing) => writing,
            Err((outcome, flags, lacks)) => return Ok(out(outcome, flags, lacks)),
        };
        // What was refused half way is looked at as a whole.
        let every = before.status == Status::Failed;
        let known = sent.unwrap_or_default();
        let moved = self.moved(stream, &writing.values, &writing.waiting, &known);
        let kept = self.workspace.readback(&plan.target, &id)?;
        let adopted = kept.is_some_and(|kept| kept.adopted);
        if !moved.is_empty() || every {
            return Ok(match self.why_fixed(stream, &key, adopted)? {
                None => Step::Write(writing, id, How::Edited { every }),
                Some(why @ Fixed::MadeAnew(_)) => Step::Write(writing, id, How::MadeAnew(why)),
                Some(why) => {
                    let status = if adopted { Status::Adopted } else { Status::Created };
                    // An adopted record that is to be kept is as the map wants it.
                    let reason = (!adopted).then(|| why.stays());
                    let outcome = Outcome { status, target: Some(id), reason };
                    Step::Ended(ended(*writing, outcome, None))
                }
            });
        }
        let status = if adopted { Status::Adopted } else { Status::Created };
        let sent = Sent { plan: self.plan_hash.clone(), ..known };
        let outcome = Outcome { status, target: Some(id), reason: None };
        Ok(Step::Ended(ended(*writing, outcome, Some(sent))))
    }

    /// Edits one record, or deletes it to be made anew; what it has come to, unless it is to be made.
    async fn bring(
        &self,
        stream: usize,
        writing: Box<Writing>,
        id: String,
        how: How,
        encode: &dyn Encode,
        assessment: &OnceCell<Assessment>,
    ) -> Result<Option<Ended>> {
        let object = &self.streams[stream].target;
        let outcome = match how {
            How::Edited { every } => {
                self.spent.read();
                match self.target.read(object, &id).await? {
                    None => deleted_there(object, &id),
                    Some(stored) => match self.stands_elsewhere(stream, &writing, &stored) {
                        Some(held) => held,
                        None => self.change(stream, &writing, stored, encode, every).await?,
                    },
                }
            }
            How::MadeAnew(why) => {
                if assessment.get().is_none() {
                    let found = self.assessment().await?;
                    // Another record may have brought it meanwhile: both say the same.
                    let _ = assessment.set(found);
                }
                let Some(assessment) = assessment.get() else { return Ok(None) };
                match self.clear_for_anew(stream, &writing.key, &id, assessment).await? {
                    Cleared::ToBeMade => return Ok(None),
                    Cleared::DeletedThere => deleted_there(object, &id),
                    Cleared::Kept(kept) => {
                        let reason = Some(format!("{}; not made anew, since {kept}", why.stays()));
                        Outcome { status: Status::Created, target: Some(id), reason }
                    }
                }
            }
        };
        Ok(Some(ended(*writing, outcome, None)))
    }

    /// Keeps what records have come to, in one durable step.
    fn end_all(&self, stream: usize, notes: Option<usize>, all: &[Ended]) -> Result<()> {
        let plan = &self.streams[stream];
        Ok(self.workspace.transaction(|ws| {
            for one in all {
                ws.settle(&plan.name, &one.key, &one.outcome, &one.flags)?;
                let lacks = if plan.target == NOTE { &[][..] } else { &one.lacks };
                ws.keep_lacks(&plan.name, &one.key, lacks)?;
                for field in &one.waiting {
                    ws.wait_for(&plan.name, &one.key, *field)?;
                }
                if let Some(sent) = &one.sent {
                    ws.keep_sent(&plan.name, &one.key, sent)?;
                }
                if let Some(notes) = notes {
                    for (key, note) in &one.notes {
                        ws.stage_beside(&self.streams[notes].name, key, note)?;
                    }
                }
            }
            Ok(())
        })?)
    }
}

fn ended(writing: Writing, outcome: Outcome, sent: Option<Sent>) -> Ended {
    let Writing { key, flags, waiting, lacks, notes, .. } = writing;
    Ended { key, outcome, flags, lacks, waiting, notes, sent }
}
