//! Takes away what is no longer mapped, or was deleted in the source, where the map says `on delete delete`.
//!
//! Dependents before what they link to, each only where nobody touched it since: what a person changed, what hangs on a
//! record that this migration did not make, and what was there before it, stays and is listed. What the destination
//! does not edit any more goes in the same way, to be made anew.

use crate::lang::plan::OnDelete;
use crate::run::connect::Payload;
use crate::run::workspace::{JournalState, Operation, Outcome, Status};

use super::super::once::{Deleted, Write};
use super::super::rollback::Assessment;
use super::super::{Engine, Result};

/// Records that are looked up at once.
const PAGE: u32 = 200;

/// How the deletion of a record ended.
enum Deletion {
    /// It is not there any more; the journal's entry of what deleted it, where this did.
    Gone(Option<i64>),
    /// It stays, and why.
    Kept(String),
}

/// What came of a record that was to be made anew.
pub(super) enum Cleared {
    /// It is deleted and pending: the load makes it.
    ToBeMade,
    /// Somebody else deleted it.
    DeletedThere,
    /// It stays, and why.
    Kept(String),
}

impl Engine<'_> {
    /// Takes away what stands of maps that say so and that the plan leaves out.
    ///
    /// # Errors
    /// Whatever ends the run; a record that cannot be deleted is listed instead.
    pub(in super::super) async fn take_away_the_left_out(&self) -> Result<()> {
        let mut order = Vec::new();
        for phase in &self.plan.phases {
            order.extend(self.maps_of(phase).into_iter().chain(self.notes_of_phase(phase)));
        }
        let mut assessment = None;
        for stream in order.into_iter().rev() {
            let plan = &self.streams[stream];
            if self.plan.maps[plan.map].on_delete != OnDelete::Delete
                || !self.scope.borrow().has_map(plan.map)
                || self.workspace.pass_is_open(&plan.name)?
            {
                continue;
            }
            let (mut after, mut done) = (String::new(), 0u64);
            loop {
                let page = self.workspace.left_standing(&plan.name, &after, PAGE)?;
                let Some((last, _)) = page.last() else { break };
                after.clone_from(last);
                if assessment.is_none() {
                    assessment = Some(self.assessment().await?);
                }
                let Some(assessment) = &assessment else { break };
                if done == 0 {
                    self.outside.progress.begin(&format!("take away of {}", plan.name), None);
                }
                for (key, id) in &page {
                    self.take_one_away(stream, key, id, assessment).await?;
                    done += 1;
                    self.outside.progress.at(done);
                }
            }
            if done > 0 {
                self.outside.progress.end();
            }
        }
        Ok(())
    }

    /// A record that is no longer mapped and is not there any more has ended, as where a run died while it took it away.
    /// Gives whether it is such a one.
    pub(in super::super) fn was_left_out(&self, stream: usize, key: &str, id: &str) -> Result<bool> {
        let plan = &self.streams[stream];
        let before = self.workspace.outcome(&plan.name, key)?;
        let Some(before) = before.filter(|before| before.status == Status::LeftOut) else { return Ok(false) };
        let reason = format!("{}; not there any more", before.reason.unwrap_or_default());
        let now = self.outside.clock.now_ms();
        self.workspace.transaction(|ws| {
            ws.found_done(Operation::TakeBack, &plan.name, key, id, now)?;
            ws.forget_record(&plan.name, key, &plan.target, id)?;
            let outcome = Outcome { status: Status::LeftOut, target: None, reason: Some(reason) };
            ws.settle(&plan.name, key, &outcome, &[])
        })?;
        Ok(true)
    }

    async fn take_one_away(&self, stream: usize, key: &str, id: &str, assessment: &Assessment) -> Result<()> {
        let plan = &self.streams[stream];
        let Some(before) = self.workspace.outcome(&plan.name, key)? else { return Ok(()) };
        let reason = before.reason.clone().unwrap_or_default();
        let reason = reason.split("; kept, since ").next().unwrap_or_default();
        let ends = |target: Option<&str>, reason: String| Outcome {
            status: Status::LeftOut,
            target: target.map(str::to_owned),
            reason: Some(reason),
        };
        match self.delete_untouched(stream, key, id, assessment).await? {
            Deletion::Gone(seq) => {
                let outcome = ends(None, format!("{reason}; taken away"));
                self.deleted(stream, key, id, seq, Some(&outcome))
            }
            Deletion::Kept(why) => {
                let outcome = ends(Some(id), format!("{reason}; kept, since {why}"));
                Ok(self.workspace.settle(&plan.name, key, &outcome, &[])?)
            }
        }
    }

    /// Deletes a record that the destination does not edit any more, so that it is pending and the load makes it anew.
    ///
    /// # Errors
    /// Whatever ends the run.
    pub(super) async fn clear_for_anew(
        &self,
        stream: usize,
        key: &str,
        id: &str,
        assessment: &Assessment,
    ) -> Result<Cleared> {
        match self.delete_untouched(stream, key, id, assessment).await? {
            // A person who deletes a record wants it to stay deleted; what a process that died deleted is ours.
            Deletion::Gone(None) if !self.may_have_deleted(stream, key, id)? => Ok(Cleared::DeletedThere),
            Deletion::Gone(seq) => {
                self.deleted(stream, key, id, seq, None)?;
                Ok(Cleared::ToBeMade)
            }
            Deletion::Kept(why) => Ok(Cleared::Kept(why)),
        }
    }

    /// Whether a deletion of this record was sent and nobody knows what came of it.
    fn may_have_deleted(&self, stream: usize, key: &str, id: &str) -> Result<bool> {
        let entries = self.workspace.writes_since_taken_back(&self.streams[stream].name, key)?;
        Ok(entries.iter().any(|entry| {
            entry.intent.operation == Operation::TakeBack
                && entry.intent.target.as_deref() == Some(id)
                && matches!(entry.state, JournalState::Intent | JournalState::Unknown)
        }))
    }

    /// Keeps that a record is not there any more, and what became of it; without an outcome it is pending.
    fn deleted(
        &self,
        stream: usize,
        key: &str,
        id: &str,
        seq: Option<i64>,
        outcome: Option<&Outcome>,
    ) -> Result<()> {
        let plan = &self.streams[stream];
        let now = self.outside.clock.now_ms();
        Ok(self.workspace.transaction(|ws| {
            if let Some(seq) = seq {
                ws.ended(seq, JournalState::Done, None, None, now)?;
            }
            ws.found_done(Operation::TakeBack, &plan.name, key, id, now)?;
            ws.forget_record(&plan.name, key, &plan.target, id)?;
            match outcome {
                Some(outcome) => ws.settle(&plan.name, key, outcome, &[]),
                None => Ok(()),
            }
        })?)
    }

    /// Deletes a record of ours unless somebody touched it since.
    async fn delete_untouched(
        &self,
        stream: usize,
        key: &str,
        id: &str,
        assessment: &Assessment,
    ) -> Result<Deletion> {
        let object = self.streams[stream].target.as_str();
        let kept = |why: &str| Ok(Deletion::Kept(why.to_owned()));
        let payload = Payload::default();
        let write = Write { stream, key, marker: "", payload: &payload, step: 0 };
        for attempt in 1..=self.settings.sends {
            let Some(stored) = self.target.read(object, id).await? else { return Ok(Deletion::Gone(None)) };
            let Some(readback) = self.workspace.readback(object, id)? else {
                return kept("nothing tells whether a person changed it");
            };
            if readback.adopted {
                return kept("it was there before");
            }
            if let Some(why) = self.target.is_final(object) {
                return kept(why);
            }
            // What can never be taken away holds nothing else.
            let mut by = self.workspace.linked_by(object, id)?.into_iter();
            if let Some((by, other)) = by.find(|(by, _)| self.target.is_final(by).is_none()) {
                return kept(&format!("{by} {other} links to it"));
            }
            if let Some(why) = self.touched(object, &stored, &readback, assessment).await? {
                return kept(&why);
            }
            match self.delete(&write, Operation::TakeBack, &stored).await? {
                Deleted::Gone(seq) => return Ok(Deletion::Gone(Some(seq))),
                Deleted::Refused(why) => {
                    return kept(&format!("the destination refuses to delete it: {why}"));
                }
                Deleted::Again(error) => self.before_another(attempt, &error).await?,
            }
        }
        kept("it changes faster than it can be taken away")
    }
}
