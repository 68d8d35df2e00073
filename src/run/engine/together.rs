//! Loads streams of a phase together: the records of each in their order, the streams in turn, a bounded number of
//! writes in flight over all of them.
//!
//! A write that had no answer waits before it is looked for. Where streams take turns, those waits fall together
//! instead of following one another. Where one write may be in flight at a time, nothing overtakes it: streams follow
//! one another then. Knows nothing of what a single write takes.

use futures_util::FutureExt;
use futures_util::future::{Either, select};
use futures_util::stream::{self, FuturesUnordered, StreamExt, TryStreamExt};

use crate::run::connect::Encode;

use super::adopt::Adoption;
use super::aside;
use super::load::{Feed, Flight, Landed, Launch, Settled, ended_well};
use super::prepare::Prepared;
use super::streams::records;
use super::{Engine, Error, Result};

/// Outcomes that are kept in one transaction at most.
const KEPT_AT_ONCE: usize = 500;

/// How many streams people are told of by name.
const SHOWN: usize = 4;

/// A stream with what writes its records.
pub(super) type Encoded<'e> = (usize, &'e dyn Encode);

/// A stream that is being loaded.
struct Lane<'e> {
    stream: usize,
    encode: &'e dyn Encode,
    feed: Feed,
    /// Its records are notes that are staged as what they go with lands: nobody knows yet how many there are.
    grows: bool,
}

impl Engine<'_> {
    /// Loads what of these streams has not ended yet; maps stand before the notes that go with their records.
    ///
    /// # Errors
    /// Whatever ends the run; a record that cannot be written ends as quarantined or failed instead.
    pub(super) async fn load_together(&self, streams: &[Encoded<'_>]) -> Result<()> {
        if self.overtakes() {
            return self.load_in_turn(streams).await;
        }
        for one in streams {
            self.load_in_turn(std::slice::from_ref(one)).await?;
        }
        Ok(())
    }

    /// Whether a write may begin before an earlier one has ended.
    pub(super) fn overtakes(&self) -> bool {
        self.settings.in_flight > 1
    }

    async fn load_in_turn(&self, streams: &[Encoded<'_>]) -> Result<()> {
        let (mut lanes, mut total, mut done) = (Vec::new(), 0, 0);
        let mut loaded = Vec::new();
        for (stream, encode) in streams.iter().copied() {
            let plan = &self.streams[stream];
            let (of, ended) =
                (records(self.plan, self.workspace, plan)?, self.workspace.tally(&plan.name)?.sum());
            self.scope.borrow().begin(stream);
            let grows = plan.notes.is_some() && loaded.contains(&plan.map);
            if of == ended && !grows {
                continue;
            }
            if plan.notes.is_none() {
                loaded.push(plan.map);
            }
            if !grows {
                total += of;
                done += ended;
            }
            lanes.push(Lane { stream, encode, feed: self.feed(stream), grows });
        }
        if lanes.is_empty() {
            return Ok(());
        }
        let adoptions = self.adoptions(&lanes).await?;
        let resumed = self.workspace.writes()? > 0;
        // How many of a part there are shows only as they come.
        let shown = (!self.scope.borrow().is_partial()).then_some(total);
        self.outside.progress.begin(&self.load_of(&lanes), shown);
        self.outside.progress.at(done);
        let mut flights: FuturesUnordered<Flight<'_>> = FuturesUnordered::new();
        let mut landed: Vec<Landed> = Vec::new();
        let mut turn = 0;
        loop {
            let stops = self.outside.points.stops();
            let (settled, launches) = match stops {
                true => (Vec::new(), Vec::new()),
                false => self.next_of(&mut lanes, &adoptions, &mut turn, flights.len())?,
            };
            self.outside.points.reach("load.prepared")?;
            let counts = |stream: usize| lanes.iter().any(|lane| lane.stream == stream && !lane.grows);
            done += landed.iter().filter(|landed| counts(landed.stream)).count() as u64;
            done += settled.iter().filter(|settled| counts(settled.stream)).count() as u64;
            let noted: Vec<usize> =
                landed.iter().filter(|one| !one.writing.notes.is_empty()).map(|one| one.stream).collect();
            let numbers = self.keep(&mut landed, &settled, &launches, resumed)?;
            for lane in lanes.iter_mut().filter(|lane| lane.grows) {
                if noted.contains(&self.streams[lane.stream].map) {
                    lane.feed.has_more();
                }
            }
            self.outside.points.reach("load.intent")?;
            self.outside.progress.at(done);
            for (Launch { lane, stream, writing, .. }, seq) in launches.into_iter().zip(numbers) {
                let (encode, adoption) = (lanes[lane].encode, &adoptions[lane]);
                flights.push(Box::pin(self.fly(stream, writing, seq, encode, adoption, resumed)));
            }
            if flights.is_empty() {
                if stops {
                    return Err(Error::Interrupted);
                }
                if lanes.iter().all(|lane| lane.feed.is_through()) {
                    break;
                }
                continue;
            }
            let moved = std::pin::pin!(self.aside.changed());
            match select(flights.next(), moved).await {
                Either::Left((Some(first), _)) => landed.push(ended_well(first, &mut flights).await?),
                Either::Left((None, _)) => {}
                // One of them only waits now: there is room for another.
                Either::Right(((), _)) => continue,
            }
            // What has landed meanwhile shares the next commit.
            while let Some(Some(next)) = flights.next().now_or_never() {
                landed.push(ended_well(next, &mut flights).await?);
            }
            self.outside.points.reach("load.landed")?;
        }
        self.outside.progress.end();
        Ok(())
    }

    /// As many records as may begin now, one of each stream in turn.
    fn next_of(
        &self,
        lanes: &mut [Lane<'_>],
        adoptions: &[Adoption],
        turn: &mut usize,
        flying: usize,
    ) -> Result<(Vec<Settled>, Vec<Launch>)> {
        let (mut settled, mut launches): (Vec<Settled>, Vec<Launch>) = (Vec::new(), Vec::new());
        let mut without = 0;
        while without < lanes.len() && self.has_room(flying + launches.len()) && settled.len() < KEPT_AT_ONCE
        {
            let at = *turn % lanes.len();
            *turn = at + 1;
            let lane = &mut lanes[at];
            let stream = lane.stream;
            let Some(record) = self.next_record(stream, &mut lane.feed)? else {
                without += 1;
                continue;
            };
            without = 0;
            let key = record.key.clone();
            if let Some(outcome) = self.decided_by_a_person(stream, &key)? {
                let (flags, lacks) = (Vec::new(), Vec::new());
                settled.push(Settled { stream, key, outcome, flags, lacks });
                continue;
            }
            match self.prepare(stream, &record, lane.encode)? {
                Prepared::Decided(outcome, flags, lacks) => {
                    let outcome = self.still_standing(stream, &key, outcome)?;
                    settled.push(Settled { stream, key, outcome, flags, lacks });
                }
                Prepared::Later(needed) => {
                    let scope = self.scope.borrow();
                    scope.leave(stream);
                    scope.need(self.streams[stream].map, needed);
                }
                Prepared::Write(writing) => {
                    let adopts = adoptions[at].possible();
                    launches.push(Launch { lane: at, stream, writing, adopts });
                }
            }
        }
        Ok((settled, launches))
    }

    /// Whether records of each stream can be adopted.
    async fn adoptions(&self, lanes: &[Lane<'_>]) -> Result<Vec<Adoption>> {
        let mut asked = Vec::with_capacity(lanes.len());
        for lane in lanes {
            let stream = &self.streams[lane.stream];
            let map = stream.notes.is_none().then_some(stream.map);
            asked.push(async move {
                match map {
                    Some(map) => self.adoption(map).await,
                    None => Ok(Adoption::never()),
                }
            });
        }
        stream::iter(asked).buffered(self.settings.in_flight.max(1)).try_collect().await
    }

    /// What people are told of a load.
    fn load_of(&self, lanes: &[Lane<'_>]) -> String {
        let counted = lanes.iter().filter(|lane| !lane.grows).map(|lane| &self.streams[lane.stream]);
        let names = match counted.clone().collect::<Vec<_>>()[..] {
            [one] => format!("{} -> {}", one.name, one.target),
            _ => named_together(counted.map(|stream| stream.name.as_str())),
        };
        let notes = if lanes.iter().any(|lane| lane.grows) { ", with notes" } else { "" };
        format!("load {names}{notes}")
    }

    /// Whether one more write may begin beside these: those that only wait to be looked for take no place, and those
    /// whose answer is overdue leave theirs, up to as many again. Where one may be in flight at a time, nothing
    /// overtakes it.
    pub(super) fn has_room(&self, under_way: usize) -> bool {
        let ready = self.settings.in_flight;
        let beside = self.aside.waiting() + self.aside.overdue().min(ready);
        let beside = if self.overtakes() { beside.min(under_way) } else { 0 };
        under_way - beside < ready && under_way < ready + aside::MOST
    }
}

/// The names of streams that are under way at once, as many as one line holds.
pub(super) fn named_together<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let names: Vec<&str> = names.collect();
    let mut text = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    text
}
