//! Loads records: the next one of a stream, what has ended kept durably, each made once.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;

use futures_util::stream::{FuturesUnordered, StreamExt};

use crate::lang::types::Base;
use crate::run::connect::{Encode, Stored};
use crate::run::workspace::{DECIDED, Flag, JournalState, Lack, Operation, Outcome, StagedRecord, Status};

use super::adopt::Adoption;
use super::once::{Sent, Write, never_again};
use super::prepare::Writing;
use super::streams::{NOTE, PARENT, Stream, notes_of};
use super::{Engine, Error, Result};

/// Staged records that are read at once.
const PAGE: u32 = 500;

/// A record that is about to be written.
pub(super) struct Launch {
    /// The place of its stream among those that are loaded together.
    pub lane: usize,
    pub stream: usize,
    pub writing: Box<Writing>,
    /// Whether it may be there already.
    pub adopts: bool,
}

/// A record whose writing has ended.
pub(super) struct Landed {
    pub stream: usize,
    pub writing: Box<Writing>,
    outcome: Outcome,
}

/// A record that ended without anything being sent.
pub(super) struct Settled {
    pub stream: usize,
    pub key: String,
    pub outcome: Outcome,
    pub flags: Vec<Flag>,
    pub lacks: Vec<Lack>,
}

/// What an earlier process made of a record.
enum Earlier {
    /// Nothing, as far as the destination shows.
    Nothing,
    /// This, with the hash of what was sent to make it.
    There(Stored, String),
    /// A record with this id, which is not there any more.
    Deleted(String),
    /// Nobody can tell, and it must not be sent again; why.
    Open(String),
}

pub(super) type Flight<'f> = Pin<Box<dyn Future<Output = Result<Landed>> + 'f>>;

/// Staged records of one stream, page by page.
pub(super) struct Feed {
    /// Only what a split sent to the stream's map.
    routed: bool,
    after: i64,
    page: VecDeque<StagedRecord>,
    exhausted: bool,
}

impl Feed {
    /// Whether its last record was given.
    pub(super) fn is_through(&self) -> bool {
        self.exhausted && self.page.is_empty()
    }

    /// More has been staged since.
    pub(super) fn has_more(&mut self) {
        self.exhausted = false;
    }
}

impl Engine<'_> {
    /// Loads what of a stream has not ended yet.
    ///
    /// # Errors
    /// Those of [`Engine::load_together`].
    pub(super) async fn load(&self, stream: usize, encode: &dyn Encode) -> Result<()> {
        self.load_together(&[(stream, encode)]).await
    }

    /// What a person decided about a record; it holds whatever the plan says.
    pub(super) fn decided_by_a_person(&self, stream: usize, key: &str) -> Result<Option<Outcome>> {
        let decision = self.workspace.decision(&self.streams[stream].name, key)?;
        Ok(decision.map(|decision| ended(Status::LeftOut, None, format!("{DECIDED}{}", decision.reason))))
    }

    /// The staged records of a stream from the first.
    pub(super) fn feed(&self, stream: usize) -> Feed {
        let plan = &self.streams[stream];
        let routed = plan.notes.is_none() && self.plan.maps[plan.map].split.is_some();
        Feed { routed, after: 0, page: VecDeque::new(), exhausted: false }
    }

    /// The next staged record of a stream.
    pub(super) fn next_staged(&self, at: usize, feed: &mut Feed) -> Result<Option<StagedRecord>> {
        let stream: &Stream = &self.streams[at];
        if feed.page.is_empty() {
            if feed.exhausted {
                return Ok(None);
            }
            feed.page = if feed.routed {
                self.workspace.routed_page(&stream.name, feed.after, PAGE)?.into()
            } else {
                self.workspace.staged_page(&stream.object, feed.after, PAGE)?.into()
            };
            feed.exhausted = feed.page.len() < PAGE as usize;
        }
        let record = feed.page.pop_front();
        feed.after = record.as_ref().map_or(feed.after, |record| record.seq);
        Ok(record)
    }

    /// The next staged record of the scope that has not ended; those outside of it are counted.
    pub(super) fn next_record(&self, at: usize, feed: &mut Feed) -> Result<Option<StagedRecord>> {
        loop {
            let Some(record) = self.next_staged(at, feed)? else { return Ok(None) };
            if self.workspace.outcome(&self.streams[at].name, &record.key)?.is_none() {
                let scope = self.scope.borrow();
                if self.takes(&scope, at, &record) {
                    return Ok(Some(record));
                }
                scope.leave(at);
            }
        }
    }

    /// Keeps what has ended and the intents of what is about to be sent, in one durable step. A record that may be
    /// there already (resumed, or to be adopted) notes its own intent later.
    pub(super) fn keep(
        &self,
        landed: &mut Vec<Landed>,
        settled: &[Settled],
        launches: &[Launch],
        resumed: bool,
    ) -> Result<Vec<Option<i64>>> {
        let now = self.outside.clock.now_ms();
        let numbers = self.workspace.transaction(|ws| {
            for Landed { stream: at, writing, outcome } in landed.iter() {
                let stream = &self.streams[*at];
                let name = &stream.name;
                ws.settle(name, &writing.key, outcome, &writing.flags)?;
                if outcome.status == Status::Adopted && ws.sent(name, &writing.key)?.is_none() {
                    ws.keep_sent(name, &writing.key, &self.sent_of(*at, &writing.values))?;
                }
                // The API cannot move a note: what it lacks is never written later.
                let lacks = if stream.target == NOTE { &[][..] } else { &writing.lacks };
                if resumed || !lacks.is_empty() {
                    ws.keep_lacks(name, &writing.key, lacks)?;
                }
                if outcome.target.is_some() {
                    for field in &writing.waiting {
                        ws.wait_for(name, &writing.key, *field)?;
                    }
                    for (key, note) in &writing.notes {
                        ws.stage_beside(&notes_of(name), key, note)?;
                    }
                }
            }
            for Settled { stream, key, outcome, flags, lacks } in settled {
                let name = &self.streams[*stream].name;
                ws.settle(name, key, outcome, flags)?;
                if resumed || !lacks.is_empty() {
                    ws.keep_lacks(name, key, lacks)?;
                }
            }
            let mut numbers = Vec::with_capacity(launches.len());
            for Launch { stream, writing, adopts, .. } in launches {
                let name = &self.streams[*stream].name;
                if *adopts || (resumed && ws.last_create(name, &writing.key)?.is_some()) {
                    numbers.push(None);
                } else {
                    let write = first_write(*stream, writing);
                    ws.keep_sent(name, &writing.key, &self.sent_of(*stream, &writing.values))?;
                    numbers
                        .push(ws.intend(&[self.intent(&write, Operation::Create, None, None)], now)?.pop());
                }
            }
            Ok(numbers)
        })?;
        landed.clear();
        Ok(numbers)
    }

    /// Writes one record, whatever it takes.
    pub(super) async fn fly(
        &self,
        stream: usize,
        mut writing: Box<Writing>,
        seq: Option<i64>,
        encode: &dyn Encode,
        adoption: &Adoption,
        resumed: bool,
    ) -> Result<Landed> {
        let outcome = self.write_record(stream, &mut writing, seq, encode, adoption, resumed).await?;
        Ok(Landed { stream, writing, outcome })
    }

    async fn write_record(
        &self,
        stream: usize,
        writing: &mut Writing,
        seq: Option<i64>,
        encode: &dyn Encode,
        adoption: &Adoption,
        resumed: bool,
    ) -> Result<Outcome> {
        let mut there = None;
        if seq.is_none() {
            if resumed {
                match self.earlier(stream, writing).await? {
                    Earlier::Nothing => {}
                    Earlier::There(stored, _) if self.was_sent_otherwise(stream, writing)? => {
                        if let Some(held) = self.stands_elsewhere(stream, writing, &stored) {
                            return Ok(held);
                        }
                        return self.change(stream, writing, stored, encode, true).await;
                    }
                    Earlier::There(stored, payload) => {
                        if payload != writing.writes.create.hash() {
                            if let Some(held) = self.stands_elsewhere(stream, writing, &stored) {
                                return Ok(held);
                            }
                            self.write_links_later(stream, writing);
                        }
                        there = Some(stored);
                    }
                    Earlier::Open(why) => return Ok(ended(Status::Quarantined, None, why)),
                    Earlier::Deleted(id) => return Ok(deleted_there(&self.streams[stream].target, &id)),
                }
            }
            if there.is_none()
                && adoption.possible()
                && let Some(outcome) = self.adopt(stream, writing, encode, adoption).await?
            {
                return Ok(outcome);
            }
        }
        let stored = match there {
            Some(stored) => stored,
            None => {
                let write = first_write(stream, writing);
                let seq = match seq {
                    Some(seq) => seq,
                    None => {
                        let sent = self.sent_of(stream, &writing.values);
                        self.workspace.keep_sent(&self.streams[stream].name, &writing.key, &sent)?;
                        self.intend(self.intent(&write, Operation::Create, None, None))?
                    }
                };
                match self.create(&write, seq).await? {
                    Sent::Done(stored) => stored,
                    Sent::Refused(why) => return Ok(ended(Status::Failed, None, why)),
                    Sent::Uncertain(why) => return Ok(ended(Status::Quarantined, None, why)),
                    Sent::Gone | Sent::Moved(_) => {
                        return Ok(ended(Status::Failed, None, "the record is gone".to_owned()));
                    }
                }
            }
        };
        let stored = match self.marked(stream, writing, stored, encode).await? {
            Ok(stored) => stored,
            Err(outcome) => return Ok(outcome),
        };
        self.follow_up(stream, writing, stored).await
    }

    /// A record that an earlier run made and that lost its marker, since its field was not there, gets it again: by the
    /// journal it is ours. Gives what becomes of a record that cannot have it.
    async fn marked(
        &self,
        stream: usize,
        writing: &Writing,
        stored: Stored,
        encode: &dyn Encode,
    ) -> Result<std::result::Result<Stored, Outcome>> {
        let marked = stored.marker.as_deref() == Some(writing.marker.as_str());
        if marked || self.target.is_final(&self.streams[stream].target).is_some() {
            return Ok(Ok(stored));
        }
        let id = stored.id.clone();
        let held = |why: String| {
            ended(Status::Quarantined, Some(id.clone()), format!("made without its marker: {why}"))
        };
        let payload = match encode.adopt(&writing.marker, &writing.values, &stored, false) {
            Ok(payloads) => payloads.into_iter().next().unwrap_or_default(),
            Err(error) => return Ok(Err(held(error.to_string()))),
        };
        let (key, marker) = (writing.key.as_str(), writing.marker.as_str());
        let write = Write { stream, key, marker, payload: &payload, step: 0 };
        match self.edit(&write, Operation::Edit, stored, None).await? {
            Sent::Done(edited) if edited.marker.as_deref() == Some(marker) => Ok(Ok(edited)),
            Sent::Done(_) => Err(Error::MarkerLost {
                object: self.streams[stream].target.clone(),
                id,
                field: self.marker_field(),
            }),
            Sent::Refused(why) | Sent::Uncertain(why) => Ok(Err(held(why))),
            Sent::Gone | Sent::Moved(_) => Ok(Err(deleted_there(&self.streams[stream].target, &id))),
        }
    }

    /// What a note goes with is written once and for all: one that was written to a record which was taken back since
    /// can only be made anew.
    pub(super) fn stands_elsewhere(
        &self,
        stream: usize,
        writing: &Writing,
        stored: &Stored,
    ) -> Option<Outcome> {
        let plan = &self.streams[stream];
        if plan.target != NOTE {
            return None;
        }
        let targets = &plan.notes.as_ref().unwrap_or(&self.plan.maps[plan.map]).targets;
        let parent = targets.iter().position(|target| !target.custom && target.name == PARENT)?;
        let parent = writing.values.get(parent)?.to_text();
        let (object, id) = parent.split_once('/')?;
        let links = self.target.imprint(NOTE, &stored.body).links;
        if links.iter().any(|(there, other)| there == object && other == id) {
            return None;
        }
        let why = format!(
            "Note {} stands on another record than {object} {id}, which the API cannot change: delete it in the \
             destination, then run again",
            stored.id
        );
        Some(ended(Status::Quarantined, Some(stored.id.clone()), why))
    }

    /// A record that was made with other links than it has now, since one of them has arrived meanwhile: they are
    /// patched with those that waited.
    fn write_links_later(&self, stream: usize, writing: &mut Writing) {
        // The API cannot move a note.
        if self.streams[stream].target == NOTE {
            return;
        }
        for (field, target) in (0u16..).zip(&self.plan.maps[self.streams[stream].map].targets) {
            if matches!(target.ty.base, Base::Ref(_) | Base::AnyRef(_)) && !writing.waiting.contains(&field) {
                writing.waiting.push(field);
            }
        }
    }

    /// What an earlier process may have made of this record: continues there instead of making it again.
    async fn earlier(&self, stream: usize, writing: &Writing) -> Result<Earlier> {
        let plan = &self.streams[stream];
        let Some(entry) = self.workspace.last_create(&plan.name, &writing.key)? else {
            return Ok(Earlier::Nothing);
        };
        let payload = entry.intent.payload;
        match (entry.state, entry.intent.target) {
            (JournalState::Failed, _) => Ok(Earlier::Nothing),
            // A person who deletes a record wants it to stay deleted.
            (JournalState::Done, Some(id)) => Ok(match self.target.read(&plan.target, &id).await? {
                Some(stored) => Earlier::There(stored, payload),
                None => Earlier::Deleted(id),
            }),
            _ => {
                let write = first_write(stream, writing);
                let is_final = self.target.is_final(&plan.target);
                // Nobody knows when that process gave up: what it sent may be on its way until now. What is never sent
                // again is looked for by every run, and was over long ago.
                let over =
                    entry.ended_ms.filter(|_| is_final.is_some() && entry.state == JournalState::Unknown);
                let passed = over.map_or(0, |over| self.passed_since(over));
                let mut found = self.look_for(&write, passed).await?;
                if found.is_none() && is_final.is_some() {
                    found = self.seen_before(stream, writing).await?;
                }
                let now = self.outside.clock.now_ms();
                if let (None, Some(reason)) = (&found, is_final) {
                    let why = "the run ended before its answer came";
                    if entry.state != JournalState::Unknown {
                        self.workspace.ended(entry.seq, JournalState::Unknown, None, Some(why), now)?;
                    }
                    let why = entry.note.as_deref().unwrap_or(why);
                    return Ok(Earlier::Open(never_again(why, reason)));
                }
                match &found {
                    Some(stored) => self.made(&write, entry.seq, stored, Some("found by its marker"))?,
                    None => self.workspace.ended(
                        entry.seq,
                        JournalState::Failed,
                        None,
                        Some("looked for twice and not found"),
                        now,
                    )?,
                }
                Ok(found.map_or(Earlier::Nothing, |stored| Earlier::There(stored, payload)))
            }
        }
    }

    /// A record with the marker that the last listing named, where a search by what was sent does not find it.
    async fn seen_before(&self, stream: usize, writing: &Writing) -> Result<Option<Stored>> {
        let plan = &self.streams[stream];
        for seen in self.workspace.seen_of(&plan.name, &writing.key)? {
            let stored = self.target.read(&plan.target, &seen.target).await?;
            if let Some(stored) = stored.filter(|stored| stored.marker.as_ref() == Some(&writing.marker)) {
                return Ok(Some(stored));
            }
        }
        Ok(None)
    }

    /// The edits that must follow a create.
    async fn follow_up(&self, stream: usize, writing: &mut Writing, mut stored: Stored) -> Result<Outcome> {
        let id = stored.id.clone();
        for (index, payload) in writing.writes.then.iter().enumerate() {
            let step = u16::try_from(index + 1).unwrap_or(u16::MAX);
            let write = Write { stream, key: &writing.key, marker: &writing.marker, payload, step };
            match self.edit(&write, Operation::Edit, stored, None).await? {
                Sent::Done(edited) => stored = edited,
                Sent::Refused(why) | Sent::Uncertain(why) => {
                    let why = format!("created, but the edit that must follow was refused: {why}");
                    return Ok(ended(Status::Failed, Some(id), why));
                }
                Sent::Gone | Sent::Moved(_) => {
                    let why = "created, and gone before its last edit".to_owned();
                    return Ok(ended(Status::Failed, None, why));
                }
            }
        }
        Ok(Outcome { status: Status::Created, target: Some(id), reason: None })
    }
}

/// A record whose writing has ended. Where the marker was lost, what is in the air lands first: without a marker it could
/// not be found again, and by its answer the journal knows it.
pub(super) async fn ended_well(
    ended: Result<Landed>,
    flights: &mut FuturesUnordered<Flight<'_>>,
) -> Result<Landed> {
    if matches!(ended, Err(Error::MarkerLost { .. })) {
        while flights.next().await.is_some() {}
    }
    ended
}

/// The outcome of a record that was written, and deleted in the destination afterwards.
pub(super) fn deleted_there(object: &str, id: &str) -> Outcome {
    ended(Status::Failed, None, format!("deleted in the destination since it was written ({object} {id})"))
}

fn ended(status: Status, target: Option<String>, why: String) -> Outcome {
    Outcome { status, target, reason: Some(why) }
}

fn first_write(stream: usize, writing: &Writing) -> Write<'_> {
    let payload = &writing.writes.create;
    Write { stream, key: &writing.key, marker: &writing.marker, payload, step: 0 }
}
