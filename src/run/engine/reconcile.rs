//! Compares both sides of what was loaded: per phase, at the end of a migration, and whenever somebody asks.
//!
//! Each side is enumerated on its own. The source's is every staged record, put through the rules anew; the
//! destination's is every record that it lists with a marker, read back by a reader that shares nothing with the
//! encoder. The journal takes part in one question only: whether a field that is not as planned was as it is now when
//! it was last written, since then the destination changed it, and else somebody did.
//!
//! A field that differs in a list is read again by its record's id before it counts. Nothing is written to either
//! side. In memory stand one page of each side and the numbers of [`Proof`]; differences go to the workspace's own
//! table as they are found.

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt, TryStreamExt};

use crate::lang::plan::{Arm, OnExisting, Rule, Target, short};
use crate::lang::types::Base;
use crate::lang::value::Value;
use crate::run::connect::{Normal, Stored};
use crate::run::workspace::{Differing, Outcome, StagedRecord, Staging, Status};

use super::prepare::{Evaluated, Works};
use super::proof::{Difference, FieldProof, LinkProof, Proof};
use super::proving::{Found, Planned, Proving, Says, is_link, refs};
use super::resolve::Links;
use super::sample::Hash;
use super::side_by_side::SampledRecord;
use super::{Engine, Error, MapReport, Result};

/// After how many records people are told how far it is.
const TOLD_EVERY: u64 = 500;

/// Records of a stream that are shown field by field, and notes.
const SHOWN: usize = 6;
const SHOWN_NOTES: usize = 2;

/// A listed record that is compared.
struct ToProve<'p> {
    key: &'p str,
    listed: &'p Stored,
    outcome: Outcome,
    planned: Planned,
    joined: bool,
    /// The list does not say what was planned: it is read by itself.
    differs: bool,
}

impl Engine<'_> {
    /// Begins to compare a stream.
    pub(super) fn begin_proof(&self, stream: usize) -> Result<Proving> {
        self.workspace.begin_proof(&self.streams[stream].name)?;
        self.proving(stream)
    }

    /// What records of a stream are compared with.
    pub(super) fn proving(&self, stream: usize) -> Result<Proving> {
        let plan = &self.streams[stream];
        let map = plan.notes.as_ref().unwrap_or(&self.plan.maps[plan.map]);
        let field = |target: &Target| FieldProof {
            field: target.name.clone(),
            links: is_link(&target.ty.base).then(LinkProof::default),
            ..FieldProof::default()
        };
        let proof = Proof { fields: map.targets.iter().map(field).collect(), ..Proof::default() };
        Ok(Proving {
            normalise: self.target.normaliser(map),
            waits: self.workspace.any_waiting(&plan.name)?,
            part: self.workspace.pass_is_open(&plan.name)?,
            reads: 0,
            stage: map.targets.iter().position(|target| target.ty.base == Base::Stage),
            shared: (0..map.targets.len())
                .filter(|at| matches!(map.targets[*at].ty.base, Base::Stage | Base::User))
                .collect(),
            sample: BTreeMap::new(),
            shown: if plan.notes.is_some() { SHOWN_NOTES } else { SHOWN },
            proof,
        })
    }

    /// Compares listed records of a page with what the rules say of their source records.
    pub(super) async fn prove_page(
        &self,
        stream: usize,
        proving: &mut Proving,
        page: &[(&str, &Stored)],
    ) -> Result<()> {
        let mut open = Vec::new();
        for (key, listed) in page.iter().copied() {
            open.extend(self.to_prove(stream, proving, key, listed)?);
        }
        // A list may lag behind, and a read may not.
        let object = self.streams[stream].target.as_str();
        proving.reads += open.iter().filter(|open| open.differs).count() as u64;
        let again = open.iter().filter(|open| open.differs);
        let again = again.map(|open| self.target.read(object, &open.listed.id));
        let again: Vec<Option<Stored>> =
            stream::iter(again).buffered(self.settings.in_flight.max(1)).try_collect().await?;
        let mut again = again.into_iter();
        for open in open {
            let read = if open.differs {
                match again.next().flatten() {
                    Some(read) => Some(read),
                    None => continue,
                }
            } else {
                None
            };
            self.prove_one(stream, proving, &open, read.as_ref())?;
        }
        Ok(())
    }

    /// What a listed record is to be compared with; `None` where there is nothing to compare.
    fn to_prove<'p>(
        &self,
        stream: usize,
        proving: &mut Proving,
        key: &'p str,
        listed: &'p Stored,
    ) -> Result<Option<ToProve<'p>>> {
        let plan = &self.streams[stream];
        let Some(outcome) = self.workspace.outcome(&plan.name, key)? else { return Ok(None) };
        // Doubles and strangers are the sweep's to tell.
        if outcome.target.as_deref() != Some(listed.id.as_str()) {
            return Ok(None);
        }
        if !matches!(outcome.status, Status::Created | Status::Adopted) {
            proving.proof.not_compared += 1;
            return Ok(None);
        }
        // What cannot be edited any more stays as it was written, and is listed.
        if outcome.reason.is_some() {
            proving.proof.not_compared += 1;
            return Ok(None);
        }
        let Some(record) = self.workspace.staged_record(&plan.object, key)? else { return Ok(None) };
        if self.stays_in_part(stream, proving, &record)? {
            proving.proof.not_compared += 1;
            return Ok(None);
        }
        let planned = match self.says(stream, proving, &record)? {
            Says::In(planned) => planned,
            Says::Out | Says::Open => return Ok(None),
        };
        let joined = outcome.status == Status::Adopted;
        if joined && self.plan.maps[plan.map].on_existing == OnExisting::Keep {
            proving.proof.not_compared += 1;
            return Ok(None);
        }
        let differs = proving.any_differs(&planned, listed, joined);
        Ok(Some(ToProve { key, listed, outcome, planned, joined, differs }))
    }

    /// Whether a written record is without the changes that the others have, since this run leaves what it links to to a
    /// later one.
    fn stays_in_part(&self, stream: usize, proving: &Proving, record: &StagedRecord) -> Result<bool> {
        if !proving.part {
            return Ok(false);
        }
        let sent = self.workspace.sent(&self.streams[stream].name, &record.key)?;
        Ok(matches!(self.work_out(stream, record, sent.as_ref())?, Works::Later(_)))
    }

    /// Compares one record, with what was read of it since where the list differed.
    fn prove_one(
        &self,
        stream: usize,
        proving: &mut Proving,
        open: &ToProve<'_>,
        read: Option<&Stored>,
    ) -> Result<()> {
        let plan = &self.streams[stream];
        let ToProve { key, listed, outcome, planned, joined, .. } = open;
        let (key, joined) = (*key, *joined);
        let now = read.unwrap_or(listed);
        if read.is_some() && !proving.any_differs(planned, now, joined) {
            proving.proof.settled += 1;
        }
        proving.proof.compared += 1;
        let mut differing = Vec::new();
        for field in 0..planned.fields.len() {
            if let Some((kind, held)) = proving.field(planned, field, now, joined) {
                let kind = self.cause(stream, key, proving, planned, (field, kind), now, outcome, &held)?;
                differing.push(Found { field, kind, held });
            }
        }
        proving.sum_found(planned, now, &differing);
        proving.count_shared(planned, now);
        self.sample_one(stream, proving, open, now)?;
        for Found { field, kind, held } in differing {
            let proof = &mut proving.proof.fields[field];
            *proof.differing.entry(kind).or_default() += 1;
            self.workspace.differs(&Differing {
                map: plan.name.clone(),
                key: key.to_owned(),
                target: listed.id.clone(),
                field: proof.field.clone(),
                kind: kind.word().to_owned(),
                planned: planned.fields[field].shown(),
                found: held.shown(),
            })?;
        }
        Ok(())
    }

    /// Shows a compared record field by field where it is one of the few that are.
    fn sample_one(
        &self,
        stream: usize,
        proving: &mut Proving,
        open: &ToProve<'_>,
        now: &Stored,
    ) -> Result<()> {
        let plan = &self.streams[stream];
        let by = Hash::new(1).with(plan.name.as_bytes()).with(open.key.as_bytes()).end();
        if !proving.is_drawn(by, open.key) {
            return Ok(());
        }
        let Some(record) = self.workspace.staged_record(&plan.object, open.key)? else { return Ok(()) };
        let fields = self.fields(stream, &record, proving, now, &open.outcome)?;
        let shown = SampledRecord {
            map: plan.name.clone(),
            key: record.key,
            drawn: true,
            object: plan.target.clone(),
            outcome: Some(open.outcome.clone()),
            there: true,
            fields,
        };
        proving.show(by, shown);
        Ok(())
    }

    /// Why a field differs: a fault of the migration or the destination keeps its kind, what people or the order of
    /// arrival did gets theirs.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn cause(
        &self,
        stream: usize,
        key: &str,
        proving: &Proving,
        planned: &Planned,
        (field, kind): (usize, Difference),
        now: &Stored,
        outcome: &Outcome,
        held: &Normal,
    ) -> Result<Difference> {
        let plan = &self.streams[stream];
        if let Some(kept) = self.workspace.readback(&plan.target, &now.id)? {
            let seen = self.target.imprint(&plan.target, &now.body);
            let moved = |name: &String| {
                let remembered = kept.fields.get(name).and_then(|remembered| remembered.hash);
                remembered != seen.fields.get(name).copied()
            };
            if proving.normalise.imprinted(field).iter().any(moved) {
                return Ok(Difference::Changed);
            }
        }
        let fills = self.plan.maps[plan.map].on_existing == OnExisting::Fill;
        if outcome.status == Status::Adopted && fills && !held.is_empty() {
            return Ok(Difference::Kept);
        }
        if proving.normalise.worked_out(field, now) {
            return Ok(Difference::WorkedOut);
        }
        // What waits for its record is written when that arrives.
        let waits = |rule: &Rule| rule.second_pass || matches!(rule.on_unmigrated, Some(Arm::Wait));
        if plan.notes.is_some() || self.rules_of(plan.map, field).any(|(_, rule)| waits(rule)) {
            return Ok(kind);
        }
        let own = self.first_write(&plan.name, key)?;
        for link in planned.links.get(field).into_iter().flatten() {
            for map in std::iter::once(link.map).chain(link.others.iter().copied()) {
                let Some(other) = self.plan.maps.get(usize::from(map)) else { continue };
                let there = self.first_write(&other.name, &link.key)?;
                if there.is_some() && there > own {
                    return Ok(Difference::Late);
                }
            }
        }
        Ok(kind)
    }

    /// The place in the journal of the first write of a record.
    fn first_write(&self, map: &str, key: &str) -> Result<Option<i64>> {
        Ok(self.workspace.writes_since_taken_back(map, key)?.first().map(|entry| entry.seq))
    }

    /// Goes through the source's side of a stream, and gives what both sides came to.
    pub(super) fn proved(
        &self,
        stream: usize,
        mut proving: Proving,
        source_now: Option<u64>,
    ) -> Result<Box<Proof>> {
        let plan = &self.streams[stream];
        let routed = plan.notes.is_none() && self.plan.maps[plan.map].split.is_some();
        let staging = Staging { map: &plan.name, object: &plan.object, routed };
        proving.proof.unaccounted = self.workspace.unaccounted(staging)?;
        proving.proof.unsourced = self.workspace.unsourced(staging)?;
        proving.proof.source_now = source_now;
        let gone = self.workspace.gone(&plan.object)?;
        proving.proof.staged = self.workspace.staged(&plan.object)?.saturating_sub(gone);
        let alone = self.together.get().is_none();
        if alone {
            self.outside.progress.begin(&format!("count {}", plan.name), None);
        }
        let mut feed = self.feed(stream);
        let mut done = 0u64;
        while let Some(record) = self.next_staged(stream, &mut feed)? {
            let outcome = self.workspace.outcome(&plan.name, &record.key)?;
            let arrived = outcome
                .as_ref()
                .is_some_and(|outcome| matches!(outcome.status, Status::Created | Status::Adopted));
            let fixed = outcome.as_ref().is_some_and(|outcome| outcome.reason.is_some())
                || (arrived && self.stays_in_part(stream, &proving, &record)?);
            match self.says(stream, &proving, &record)? {
                Says::In(planned) => {
                    let adopted = outcome.is_some_and(|outcome| outcome.status == Status::Adopted);
                    let kept = adopted && self.plan.maps[plan.map].on_existing == OnExisting::Keep;
                    proving.sum_planned(&planned, arrived && !kept && !fixed);
                }
                Says::Out if arrived => proving.proof.disagreeing += 1,
                Says::Out | Says::Open => {}
            }
            done += 1;
            if alone && done.is_multiple_of(TOLD_EVERY) {
                self.outside.progress.at(done);
            }
        }
        if alone {
            self.outside.progress.end();
        }
        proving.proof.sample = std::mem::take(&mut proving.sample).into_values().collect();
        proving.proof.sample.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(Box::new(proving.proof))
    }

    /// What the rules say of a staged record of a stream, with the links that its record can have now.
    pub(super) fn says(&self, stream: usize, proving: &Proving, record: &StagedRecord) -> Result<Says> {
        let plan = &self.streams[stream];
        let waiting =
            if proving.waits { self.workspace.waiting_fields(&plan.name, &record.key)? } else { Vec::new() };
        if plan.notes.is_some() {
            let Ok(values) = self.note_values(stream, record)? else { return Ok(Says::Open) };
            let fields: Vec<Normal> =
                (0..).zip(&values).map(|(at, v)| proving.normalise.planned(at, v)).collect();
            let links = vec![Vec::new(); fields.len()];
            return Ok(Says::In(Planned { fields, links, waiting }));
        }
        let mut values = match self.evaluated(plan.map, record) {
            Ok(Evaluated::Record(output)) => output.values,
            Ok(Evaluated::Decided(_)) | Err(Error::Stopped { .. }) => return Ok(Says::Out),
            Err(error) => return Err(error),
        };
        let mut all = Vec::with_capacity(values.len());
        let mut fields = Vec::with_capacity(values.len());
        for (field, value) in values.iter_mut().enumerate() {
            let mut links = Vec::new();
            refs(value, &mut links);
            if !links.is_empty() {
                let mut resolved = Links::new(plan.map, &record.key);
                match self.resolve(&mut resolved, field, value) {
                    Ok(None) => {}
                    // What such a record holds in this field nobody can say; the others are compared.
                    Ok(Some(_)) | Err(Error::Stopped { .. }) => *value = Value::Absent,
                    Err(error) => return Err(error),
                }
            }
            fields.push(proving.normalise.planned(field, value));
            all.push(links);
        }
        Ok(Says::In(Planned { fields, links: all, waiting }))
    }

    /// Compares all that was loaded, without writing to either side.
    ///
    /// # Errors
    /// A system that does not answer; a mismatch is a report that does not close.
    pub async fn reconcile(&self) -> Result<Vec<MapReport>> {
        self.bind().await?;
        self.tell_of_another_plan()?;
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for object in super::objects(self.plan) {
            counts.insert(object, self.source.count(object).await?);
        }
        Ok(self.compare_all(&counts, false).await?.into_iter().flatten().collect())
    }

    /// Records that were written by another plan differ from what this one says of them.
    fn tell_of_another_plan(&self) -> Result<()> {
        if let Some(written) = self.workspace.plan()?
            && written != self.plan_hash
            && self.workspace.writes()? > 0
        {
            self.outside.progress.notice(&format!(
                "records were written with plan {}, and are compared with plan {}, which was not applied yet: \
                 `b2n migrate SPEC --dry-run` tells what it changes",
                short(&written),
                short(&self.plan_hash)
            ));
        }
        for stream in self.workspace.open_passes()? {
            self.outside.progress.notice(&format!(
                "what changed was not applied to all records of `{stream}` yet: `b2n migrate SPEC` goes on with it"
            ));
        }
        Ok(())
    }

    /// Compares everything of the scope, phase by phase in the order of loading; several streams are listed at once,
    /// since each list waits for its own pages. `counts` are what the source counts now, where it was asked. With
    /// `mend`, what a write without an answer may have doubled since is taken away.
    pub(super) async fn compare_all(
        &self,
        counts: &BTreeMap<&str, u64>,
        mend: bool,
    ) -> Result<Vec<Vec<MapReport>>> {
        self.outside.progress.begin("reconcile everything", None);
        self.together.set(Some(0));
        let compared = self.compare_streams(counts, mend).await;
        self.together.set(None);
        self.outside.progress.end();
        let mut compared = compared?;
        for (stream, report) in compared.iter().enumerate() {
            if let Some(report) = report {
                self.keep_compared(stream, report)?;
            }
        }
        let mut take = |stream: usize| compared.get_mut(stream).and_then(Option::take);
        let mut phases = Vec::with_capacity(self.plan.phases.len());
        for (index, phase) in self.plan.phases.iter().enumerate() {
            let mut reports = self.split_rows(index)?;
            reports.extend(self.maps_of(phase).into_iter().filter_map(&mut take));
            reports.extend(self.folded_rows(phase)?);
            reports.extend(self.notes_of_phase(phase).into_iter().filter_map(&mut take));
            phases.push(reports);
        }
        Ok(phases)
    }

    /// Every stream, by its index.
    async fn compare_streams(
        &self,
        counts: &BTreeMap<&str, u64>,
        mend: bool,
    ) -> Result<Vec<Option<MapReport>>> {
        let listed = (0..self.streams.len()).map(|stream| self.listed(stream, mend));
        let listed: Vec<Option<Proving>> =
            stream::iter(listed).buffered(self.settings.in_flight.max(1)).try_collect().await?;
        let mut compared = Vec::with_capacity(self.streams.len());
        for (stream, proving) in listed.into_iter().enumerate() {
            compared.push(Some(self.compared(stream, proving, counts, mend).await?));
        }
        Ok(compared)
    }

    /// Lists a stream of the scope and compares each of its records. Before something may be taken away, whatever had
    /// no answer is surely over.
    async fn listed(&self, stream: usize, mend: bool) -> Result<Option<Proving>> {
        if !self.scope.borrow().touches(self.streams[stream].map) {
            return Ok(None);
        }
        if mend {
            self.wait_until_dead(stream).await?;
        }
        let mut proving = self.begin_proof(stream)?;
        self.list_and(stream, Some(&mut proving)).await?;
        Ok(Some(proving))
    }

    /// What a list came to. Nothing is deleted while a list is under way: its pages would move.
    async fn compared(
        &self,
        stream: usize,
        proving: Option<Proving>,
        counts: &BTreeMap<&str, u64>,
        mend: bool,
    ) -> Result<MapReport> {
        let Some(proving) = proving else { return self.books(stream, false, 0) };
        let doubles = if mend { self.take_doubles(stream).await? } else { 0 };
        let mut report = self.books(stream, true, doubles)?;
        let now = counts.get(self.streams[stream].object.as_str()).copied();
        report.proof = Some(self.proved(stream, proving, now)?);
        Ok(report)
    }
}
