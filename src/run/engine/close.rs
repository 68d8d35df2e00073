//! Closes a phase: lists the destination independently of the journal, takes doubles away, and compares the books.

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt, TryStreamExt};

use crate::lang::plan::Plan;
use crate::run::connect::{Encode, Payload, Stored};
use crate::run::workspace::{self, Outcome, Status, Workspace};

use super::load::deleted_there;
use super::notes::parent_of;
use super::once::Write;
use super::place::placed;
use super::proving::Proving;
use super::streams::{Stream, flatten_name, maps_of_split, records, split_name, streams};
use super::together::named_together;
use super::{Engine, Error, MapReport, Result};

/// Records that are looked up at once.
const PAGE: u32 = 500;

impl Engine<'_> {
    /// Sweeps streams of a phase and demands that every equation closes.
    pub(super) async fn close(
        &self,
        index: usize,
        streams: &[usize],
        encoders: &[Box<dyn Encode>],
    ) -> Result<Vec<MapReport>> {
        #[cfg(debug_assertions)]
        if self.settings.planted.no_sweep {
            return streams.iter().map(|map| self.books(*map, false, 0)).collect();
        }
        let mut reports = Vec::with_capacity(streams.len());
        let proofs = self.listed_together(streams).await?;
        for (map, mut proving) in streams.iter().copied().zip(proofs) {
            let mut doubles = self.take_doubles(map).await?;
            let mut report = self.books(map, true, doubles)?;
            for _ in 0..2 {
                if report.closes() {
                    break;
                }
                // Records whose answer never came are taken in; a list may lag: read again before declaring.
                self.take_in_strangers(map, encoders[map].as_ref()).await?;
                self.outside.clock.sleep(self.settings.dead_ms).await;
                proving = self.begin_proof(map)?;
                self.list_and(map, Some(&mut proving)).await?;
                doubles += self.take_doubles(map).await?;
                report = self.books(map, true, doubles)?;
            }
            if !report.closes() && self.take_out_the_gone(map).await? {
                report = self.books(map, true, doubles)?;
            }
            reports.push((map, report, proving));
        }
        let mut proved = Vec::with_capacity(reports.len());
        for (map, mut report, proving) in reports {
            report.proof = Some(self.proved(map, proving, None)?);
            proved.push(report);
        }
        closed(index, &proved)?;
        Ok(proved)
    }

    /// Lists streams and compares each record; several at once, since each list waits for its own pages.
    async fn listed_together(&self, streams: &[usize]) -> Result<Vec<Proving>> {
        let listed = streams.iter().map(|map| async move {
            // A write that was found by its marker is settled; what else of it may still come, the list at the end sees.
            if self.workspace.has_unanswered(&self.streams[*map].name)? {
                self.wait_until_dead(*map).await?;
            }
            let mut proving = self.begin_proof(*map)?;
            self.list_and(*map, Some(&mut proving)).await?;
            Ok(proving)
        });
        let several = streams.len() > 1;
        if several {
            let names = named_together(streams.iter().map(|map| self.streams[*map].name.as_str()));
            self.outside.progress.begin(&format!("reconcile {names}"), None);
            self.together.set(Some(0));
        }
        let listed: Result<Vec<Proving>> =
            stream::iter(listed).buffered(self.settings.in_flight.max(1)).try_collect().await;
        if several {
            self.together.set(None);
            self.outside.progress.end();
        }
        listed
    }

    /// At the end of a migration: everything of its scope once more, since later phases and links that waited wrote into records
    /// of earlier ones. `books` are those of the phases as they closed.
    pub(super) async fn close_at_the_end(&self, books: &mut Vec<MapReport>) -> Result<()> {
        #[cfg(debug_assertions)]
        if self.settings.planted.no_sweep {
            return Ok(());
        }
        // Whatever had no answer is surely over when its stream is listed: one wait for all, not one for each phase.
        let mut last = self.compare_all(&BTreeMap::new(), true).await?;
        for (index, reports) in last.iter().enumerate() {
            closed(index, reports)?;
        }
        let mut last: Vec<MapReport> = last.drain(..).flatten().collect();
        for report in &mut last {
            let before = books.iter().find(|before| before.map == report.map);
            report.doubles += before.map_or(0, |before| before.doubles);
        }
        *books = last;
        Ok(())
    }

    /// Says what became of the records that are folded into maps of a phase.
    pub(super) fn close_folded(&self, index: usize, phase: &[u16]) -> Result<Vec<MapReport>> {
        for (at, flatten) in self.plan.flattens.iter().enumerate() {
            if phase.contains(&flatten.into) {
                self.settle_folded(at)?;
            }
        }
        let reports = self.folded_rows(phase)?;
        closed(index, &reports)?;
        Ok(reports)
    }

    /// The rows of flattens into maps of a phase.
    pub(super) fn folded_rows(&self, phase: &[u16]) -> Result<Vec<MapReport>> {
        let flattens = self.plan.flattens.iter().enumerate();
        let of_phase = flattens.filter(|(_, flatten)| phase.contains(&flatten.into));
        of_phase
            .map(|(at, _)| {
                let mut report = flatten_books(self.plan, self.workspace, at)?;
                report.left = self.left_of_folded(at)?;
                Ok(report)
            })
            .collect()
    }

    /// The rows of splits whose first map is loaded in a phase.
    pub(super) fn split_rows(&self, phase: usize) -> Result<Vec<MapReport>> {
        Ok(split_books(self.plan, self.workspace, phase)?)
    }

    /// Records that were deleted in the destination since they were written: each is read, and then listed as failed
    /// instead of keeping the books open for ever. Gives whether there were any.
    async fn take_out_the_gone(&self, map: usize) -> Result<bool> {
        let plan = &self.streams[map];
        let (mut any, mut after) = (false, String::new());
        loop {
            let page = self.workspace.missing_page(&plan.name, &after, PAGE)?;
            let Some((last, _)) = page.last() else { break };
            after.clone_from(last);
            for (key, id) in page {
                if self.target.read(&plan.target, &id).await?.is_none() {
                    any = true;
                    if self.was_left_out(map, &key, &id)? || self.another_stands(map, &key, &id).await? {
                        continue;
                    }
                    let outcome = deleted_there(&plan.target, &id);
                    self.workspace.transaction(|ws| ws.settle(&plan.name, &key, &outcome, &[]))?;
                }
            }
        }
        Ok(any)
    }

    /// Of two records that no API deletes, a person deleted the one that the books named: the other one is theirs now.
    async fn another_stands(&self, map: usize, key: &str, gone: &str) -> Result<bool> {
        let plan = &self.streams[map];
        let create = self.workspace.last_create(&plan.name, key)?;
        let (Some(_), Some(create)) = (self.target.is_final(&plan.target), create) else { return Ok(false) };
        let marker = self.marker_of(map, key)?;
        for seen in self.workspace.seen_of(&plan.name, key)? {
            let other = self.target.read(&plan.target, &seen.target).await?;
            let Some(other) = other.filter(|other| other.marker.as_ref() == Some(&marker)) else { continue };
            let payload = Payload::default();
            let write = Write { stream: map, key, marker: &marker, payload: &payload, step: 0 };
            self.workspace.forget_readback(&plan.target, gone)?;
            self.made(&write, create.seq, &other, Some("stands for the other one, which somebody deleted"))?;
            let outcome = Outcome { status: Status::Created, target: Some(other.id), reason: None };
            self.workspace.transaction(|ws| ws.settle(&plan.name, key, &outcome, &[]))?;
            return Ok(true);
        }
        Ok(false)
    }

    /// Records that stand in the destination though the books say that they do not: decided anew, so that the load
    /// finds them by their marker and goes on with what must follow.
    async fn take_in_strangers(&self, map: usize, encode: &dyn Encode) -> Result<()> {
        let name = &self.streams[map].name;
        let strangers = self.workspace.strangers(name)?;
        if strangers.is_empty() {
            return Ok(());
        }
        let now = self.outside.clock.now_ms();
        for stranger in &strangers {
            // A write without an answer was done after all: what stands there is in the books, whatever was decided.
            if self.workspace.transaction(|ws| ws.lift(name, &stranger.key, now))? {
                self.outside.progress.notice(&format!(
                    "`{name}` {} stands in the destination ({} {}), so the decision to leave it out is taken back",
                    stranger.key, self.streams[map].target, stranger.target
                ));
            }
            self.workspace.transaction(|ws| ws.unsettle(name, &stranger.key))?;
        }
        let plan = &self.streams[map];
        for stranger in &strangers {
            // A note is of the scope with its record.
            let key = match plan.notes {
                None => Some(stranger.key.clone()),
                Some(_) => self
                    .workspace
                    .staged_record(&plan.object, &stranger.key)?
                    .and_then(|note| parent_of(&note)),
            };
            if let Some(key) = key {
                self.scope.borrow().add(plan.map, &key);
            }
        }
        self.load(map, encode).await
    }

    pub(super) fn books(&self, map: usize, swept: bool, doubles: u64) -> Result<MapReport> {
        let mut report = books(self.plan, self.workspace, &self.streams[map], swept, doubles)?;
        report.left = self.left_of(map)?;
        Ok(report)
    }

    /// Nothing that was sent without an answer may still take effect while the destination is listed.
    pub(super) async fn wait_until_dead(&self, map: usize) -> Result<()> {
        if let Some(sent) = self.workspace.last_uncertain_ms(&self.streams[map].name)? {
            // A clock that is set meanwhile must not make it shorter; of an earlier process no other time is known.
            let here = self.given_up.borrow().get(&map).copied();
            let passed = here.map_or_else(
                || self.passed_since(sent),
                |ticks| self.outside.clock.ticks_ms().saturating_sub(ticks),
            );
            self.outside.clock.sleep(self.settings.dead_ms.saturating_sub(passed)).await;
        }
        Ok(())
    }

    /// Lists every record with a marker of this map.
    pub(super) async fn sweep(&self, map: usize) -> Result<()> {
        self.list_and(map, None).await
    }

    /// The same, and compares each record with what the rules say of it.
    pub(super) async fn list_and(&self, map: usize, mut proving: Option<&mut Proving>) -> Result<()> {
        let plan = &self.streams[map];
        let (field, prefix) = (self.marker_field(), self.stream_prefix(map)?);
        self.workspace.begin_sweep(&plan.name)?;
        let alone = self.together.get().is_none();
        if alone {
            self.outside.progress.begin(&format!("reconcile {} with {}", plan.name, plan.target), None);
        }
        let mut cursor = None;
        let (mut listed, mut pages) = (0u64, 1u64);
        loop {
            let page = self.target.list(&plan.target, &field, cursor.as_deref()).await?;
            pages += 1;
            self.outside.points.reach("sweep.page")?;
            listed += page.records.len() as u64;
            let all = self.together.get().map(|all| all + page.records.len() as u64);
            self.together.set(all);
            self.outside.progress.at(all.unwrap_or(listed));
            let mut ours = Vec::with_capacity(page.records.len());
            let mut listed_ours: Vec<(&str, &Stored)> = Vec::new();
            for stored in &page.records {
                let key = stored.marker.as_deref().and_then(|marker| marker.strip_prefix(prefix.as_str()));
                if let Some(key) = key
                    && self.is_of(map, key)?
                {
                    ours.push((key, stored.id.as_str(), stored.rev.as_str()));
                    listed_ours.push((key, stored));
                }
            }
            if let Some(proving) = proving.as_deref_mut() {
                self.prove_page(map, proving, &listed_ours).await?;
            }
            self.workspace.saw(&plan.name, ours.into_iter())?;
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        self.settle_deletions(map).await?;
        if alone {
            self.outside.progress.end();
        }
        self.spent.listed(map, pages, proving.map_or(0, |proving| proving.reads));
        Ok(())
    }
}

fn closed(index: usize, reports: &[MapReport]) -> Result<()> {
    let lines: Vec<String> = reports.iter().filter(|r| !r.closes()).map(MapReport::equation).collect();
    if lines.is_empty() { Ok(()) } else { Err(Error::NotClosed { phase: index + 1, lines }) }
}

/// The books of every map, split, flatten and note in the order of loading, without asking the destination.
///
/// # Errors
/// Those of the workspace.
pub fn standing(plan: &Plan, workspace: &Workspace) -> Books<Vec<MapReport>> {
    let streams = streams(plan, workspace)?;
    let mut reports = Vec::new();
    for (index, phase) in plan.phases.iter().enumerate() {
        reports.extend(split_books(plan, workspace, index)?);
        for map in phase {
            reports.push(books(plan, workspace, &streams[usize::from(*map)], false, 0)?);
        }
        for (at, flatten) in plan.flattens.iter().enumerate() {
            if phase.contains(&flatten.into) {
                reports.push(flatten_books(plan, workspace, at)?);
            }
        }
        let of_phase = |map: usize| u16::try_from(map).is_ok_and(|map| phase.contains(&map));
        for stream in streams.iter().filter(|stream| stream.notes.is_some() && of_phase(stream.map)) {
            reports.push(books(plan, workspace, stream, false, 0)?);
        }
    }
    Ok(reports)
}

type Books<T> = std::result::Result<T, workspace::Error>;

fn books(plan: &Plan, workspace: &Workspace, stream: &Stream, swept: bool, doubles: u64) -> Books<MapReport> {
    Ok(MapReport {
        map: stream.name.clone(),
        target: stream.target.clone(),
        source: records(plan, workspace, stream)?,
        tally: workspace.tally(&stream.name)?,
        listed: if swept { Some(workspace.listed_there(&stream.name)?) } else { None },
        expected: workspace.with_target(&stream.name)?,
        doubles,
        beside: stream.notes.is_some(),
        proof: None,
        left: 0,
    })
}

/// The row of a flatten: its records end as folded, or as its arms say.
fn flatten_books(plan: &Plan, workspace: &Workspace, flatten: usize) -> Books<MapReport> {
    let plan_of = &plan.flattens[flatten];
    let name = flatten_name(plan, plan_of);
    Ok(MapReport {
        target: plan.maps[usize::from(plan_of.into)].target.clone(),
        source: workspace.staged(&plan_of.source)?,
        tally: workspace.tally(&name)?,
        map: name,
        listed: None,
        expected: 0,
        doubles: 0,
        beside: false,
        proof: None,
        left: 0,
    })
}

/// The rows of splits whose first map is in a phase, or, in the first one, of those that lead to none: records that went to
/// maps are counted there.
fn split_books(plan: &Plan, workspace: &Workspace, phase: usize) -> Books<Vec<MapReport>> {
    let mut reports = Vec::new();
    for (index, split) in plan.splits.iter().enumerate() {
        let phase_of = |map: usize| plan.phases.iter().position(|p| p.iter().any(|m| usize::from(*m) == map));
        let first = maps_of_split(plan, index).filter_map(phase_of).min();
        if first.unwrap_or(0) != phase {
            continue;
        }
        let name = split_name(split);
        let source = workspace.staged(&split.source)?;
        let mut tally = workspace.tally(&name)?;
        if workspace.note(&placed(&name))?.is_some() {
            tally.routed = source.saturating_sub(tally.sum());
        }
        let targets: Vec<&str> = maps_of_split(plan, index).map(|map| plan.maps[map].name.as_str()).collect();
        reports.push(MapReport {
            map: name,
            target: if targets.is_empty() { "no map".to_owned() } else { targets.join(", ") },
            source,
            tally,
            listed: None,
            expected: 0,
            doubles: 0,
            beside: false,
            proof: None,
            left: 0,
        });
    }
    Ok(reports)
}
