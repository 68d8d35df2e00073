//! What a person looks at before anything is written: staged records beside the values that the plan gives them.
//!
//! Owns which records are drawn and what is told of each. Every value is worked out by the plain interpreter, which
//! notes each arm and row that it takes; neither system is asked, and nothing stays in the workspace.
//!
//! Of each map are drawn, by a hash of seed, map and key:
//!
//! 1. for each part of the plan that any staged record reaches (a rule's value, an `else`, an `on fail`, a row of a
//!    table, a pipeline or a split, a line that leaves records out or holds them back): its first record, rare parts
//!    first;
//! 2. up to the number that was asked for: the first record of each other stratum of a sample;
//! 3. up to that number: the first of all records that are written.
//!
//! Beside the maps stand splits and flattens with the records that they end themselves, one for each line that does.
//! In memory stand one record's name per stratum, and what is shown.

mod model;

use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet};

use crate::lang::eval::reference::{self, Watched};
use crate::lang::eval::{Fold, Outcome as Evaluated, Route};
use crate::lang::types::Base;
use crate::lang::value::{Item, RefValue, Value};
use crate::run::workspace::StagedRecord;

pub use model::{Fate, ReviewAsked, ReviewField, ReviewKind, ReviewMap, ReviewRecord, Reviewed};

use super::proving::is_link;
use super::sample::Hash;
use super::side_by_side::{Spoken, told};
use super::streams::{flatten_name, maps_of_split, split_name};
use super::{Engine, Error, Part, Result, Step};

/// After how many records people are told how far it is.
const TOLD_EVERY: u64 = 500;

/// Staged records that are read at once.
const PAGE: u32 = 500;

/// Something that the rules do with records of a map.
struct Stratum {
    /// 0 must be shown; the others as far as the number goes.
    tier: u8,
    records: u64,
    first: (u64, String),
}

/// The records of one map while it is gone through.
#[derive(Default)]
struct Draw {
    strata: HashMap<u64, Stratum>,
    written: BinaryHeap<(u64, String)>,
    records: u64,
}

impl Draw {
    fn see(&mut self, mark: u64, tier: u8, order: u64, key: &str) {
        let stratum = self.strata.entry(mark).or_insert_with(|| Stratum {
            tier,
            records: 0,
            first: (order, key.to_owned()),
        });
        stratum.records += 1;
        if order < stratum.first.0 {
            stratum.first = (order, key.to_owned());
        }
    }
}

impl Engine<'_> {
    /// Draws records of everything that is staged, with what the plan makes of them. Asks neither system, writes
    /// nothing.
    ///
    /// # Errors
    /// [`Error::NotStaged`] while the extraction is not through; those of the workspace.
    pub fn review(&self, asked: &ReviewAsked) -> Result<Reviewed> {
        for object in super::objects(self.plan) {
            if !self.workspace.manifest(object)?.is_some_and(|manifest| manifest.done) {
                return Err(Error::NotStaged { object: object.to_owned() });
            }
        }
        self.workspace.on_trial(|| {
            // A `stop` of a split would end this; it is shown instead, below.
            match self.place() {
                Ok(()) | Err(Error::Stopped { .. }) => {}
                Err(error) => return Err(error),
            }
            let mut found = Reviewed::default();
            for map in 0..self.plan.maps.len() {
                self.review_map(map, asked, &mut found)?;
            }
            self.review_ended(asked, &mut found)?;
            Ok(found)
        })
    }

    fn review_map(&self, map: usize, asked: &ReviewAsked, found: &mut Reviewed) -> Result<()> {
        let plan = &self.plan.maps[map];
        let coded = self.coded(map);
        let most = usize::try_from(asked.per_map).unwrap_or(usize::MAX);
        let mut draw = Draw::default();
        self.outside.progress.begin(&format!("look through {}", plan.name), None);
        let mut feed = self.feed(map);
        while let Some(record) = self.next_staged(map, &mut feed)? {
            if self.is_away(&plan.source, &record.key)? {
                continue;
            }
            let order = self.order(asked.seed, map, &record.key);
            let (marks, written) = self.review_marks(map, &record, &coded)?;
            for (mark, tier) in marks {
                draw.see(mark, tier, order, &record.key);
            }
            if written {
                draw.written.push((order, record.key));
                if draw.written.len() > most {
                    draw.written.pop();
                }
            }
            draw.records += 1;
            if draw.records.is_multiple_of(TOLD_EVERY) {
                self.outside.progress.at(draw.records);
            }
        }
        self.outside.progress.end();
        let parts = draw.strata.values().filter(|stratum| stratum.tier == 0).count() as u64;
        let records = draw.records;
        let mut keys = self.drawn_of(map, draw, most, &coded)?;
        for (_, key) in asked.also.iter().filter(|(name, _)| *name == plan.name) {
            if self.takes_part(map, key)? && !self.is_away(&plan.source, key)? {
                keys.insert(key.clone());
            }
        }
        let mut keys: Vec<String> = keys.into_iter().collect();
        keys.sort_by(|a, b| crate::lang::eval::key_order(a, b));
        for key in keys {
            found.records.extend(self.review_record(map, &key)?);
        }
        found.maps.push(ReviewMap {
            name: plan.name.clone(),
            source: plan.source.clone(),
            object: plan.target.clone(),
            records,
            parts,
            dropped: plan.dropped.iter().map(|d| (d.field.clone(), d.reason.clone(), d.line)).collect(),
        });
        Ok(())
    }

    /// The keys that are drawn of a map.
    fn drawn_of(&self, map: usize, draw: Draw, most: usize, coded: &[bool]) -> Result<BTreeSet<String>> {
        let mut order: Vec<(u64, Stratum)> = draw.strata.into_iter().collect();
        order.sort_by(|(_, a), (_, b)| (a.tier, a.records, &a.first).cmp(&(b.tier, b.records, &b.first)));
        let mut covered: HashSet<u64> = HashSet::new();
        let mut keys = BTreeSet::new();
        for (mark, Stratum { tier, first: (_, key), .. }) in order {
            if (tier == 0 || keys.len() < most) && !covered.contains(&mark) {
                if let Some(record) = self.workspace.staged_record(&self.plan.maps[map].source, &key)? {
                    covered
                        .extend(self.review_marks(map, &record, coded)?.0.into_iter().map(|(mark, _)| mark));
                }
                keys.insert(key);
            }
        }
        for (_, key) in draw.written.into_sorted_vec() {
            if keys.len() >= most {
                break;
            }
            keys.insert(key);
        }
        Ok(keys)
    }

    /// Whether the source holds a record no more.
    fn is_away(&self, object: &str, key: &str) -> Result<bool> {
        Ok(self.passed.get() && self.workspace.is_gone(object, key)?)
    }

    /// The strata of a record, and whether it is written: what must be shown is of tier 0.
    fn review_marks(
        &self,
        map: usize,
        record: &StagedRecord,
        coded: &[bool],
    ) -> Result<(Vec<(u64, u8)>, bool)> {
        let plan = &self.plan.maps[map];
        let of = |what: &str| Hash::new(0).with(what.as_bytes());
        let Ok(slots) = self.decoders[map].decode(&record.json) else {
            return Ok((vec![(of("unreadable").end(), 0)], false));
        };
        let watched =
            self.with_folded(map, &record.key, |folded| reference::watched(self.plan, map, &slots, folded))?;
        let mut marks: Vec<(u64, u8)> = watched
            .hits
            .iter()
            .map(|hit| {
                let what = format!("{:?} {:?} {:?} {}", hit.rule, hit.inner, hit.taken, hit.line);
                (of("part").with(what.as_bytes()).end(), 0)
            })
            .collect();
        if let Some(split) = plan.split {
            let (_, line) = reference::routed(self.plan, usize::from(split), &slots);
            marks.push((of("split").with(&line.to_le_bytes()).end(), 0));
        }
        let written = match &watched.outcome {
            Evaluated::Record(output) => {
                for flag in &output.flags {
                    let what = of("flag").with(flag.rule.id(self.plan, map).as_bytes());
                    marks.push((what.with(flag.why.as_bytes()).end(), 0));
                }
                // What else a sample tells apart: values of lists, how many there are, how owners were found.
                let (others, _) = self.marks(map, record, coded)?;
                marks.extend(others.into_iter().map(|(mark, tier)| (mark, tier.max(1))));
                true
            }
            Evaluated::LeftOut { line, .. } => {
                marks.push((of("left out").with(&line.to_le_bytes()).end(), 0));
                false
            }
            Evaluated::Quarantined { rule, line, .. } | Evaluated::Stopped { rule, line, .. } => {
                let rule = rule.map(|rule| rule.id(self.plan, map)).unwrap_or_default();
                let what = of("held back").with(rule.as_bytes());
                marks.push((what.with(&line.to_le_bytes()).end(), 0));
                false
            }
        };
        marks.sort_unstable();
        marks.dedup();
        Ok((marks, written))
    }

    /// What the plan makes of a record of a map; `None` where no such record is staged.
    fn review_record(&self, map: usize, key: &str) -> Result<Option<ReviewRecord>> {
        let plan = &self.plan.maps[map];
        let Some(record) = self.workspace.staged_record(&plan.source, key)? else { return Ok(None) };
        let mut shown = ReviewRecord {
            map: plan.name.clone(),
            source: plan.source.clone(),
            key: key.to_owned(),
            object: plan.target.clone(),
            title: String::new(),
            fate: Fate::HeldBack,
            decided: None,
            steps: Vec::new(),
            fields: Vec::new(),
            values: Vec::new(),
            flags: Vec::new(),
        };
        let slots = match self.decoders[map].decode(&record.json) {
            Ok(slots) => slots,
            Err(why) => {
                shown.decided = Some((plan.line, format!("the staged record cannot be read: {why}")));
                return Ok(Some(shown));
            }
        };
        if let Some(split) = plan.split {
            let (_, line) = reference::routed(self.plan, usize::from(split), &slots);
            shown.steps.push(Step { part: Part::Split, line });
        }
        let Watched { outcome, hits, .. } =
            self.with_folded(map, key, |folded| reference::watched(self.plan, map, &slots, folded))?;
        // Of what is not written no field is shown, and what it reached stands above.
        let whole = !matches!(outcome, Evaluated::Record(_));
        let above = hits.iter().filter(|hit| whole || hit.rule.is_none());
        let above = above.map(|hit| Step { part: self.part(&hit.taken), line: hit.line });
        shown.steps.extend(once(above));
        let output = match outcome {
            Evaluated::Record(output) => output,
            Evaluated::LeftOut { reason, line } => {
                (shown.fate, shown.decided) = (Fate::LeftOut, Some((line, reason.to_string())));
                shown.values = self.values(map, &slots);
                return Ok(Some(shown));
            }
            Evaluated::Quarantined { rule, reason, line } | Evaluated::Stopped { rule, reason, line } => {
                let rule = rule.map(|rule| format!("{}: ", rule.id(self.plan, map))).unwrap_or_default();
                shown.decided = Some((line, format!("{rule}{reason}")));
                shown.values = self.values(map, &slots);
                return Ok(Some(shown));
            }
        };
        shown.fate = Fate::Written;
        shown.flags =
            output.flags.iter().map(|flag| (flag.rule.id(self.plan, map), flag.why.to_string())).collect();
        let stream = &self.streams[map];
        let source = self.source_of(stream, &record)?;
        for (at, target) in plan.targets.iter().enumerate() {
            let spoken = self.spoken_of(stream, at, &record, &source);
            let given = output.values.get(at).cloned().unwrap_or_default();
            let base = &target.ty.base;
            if shown.title.is_empty() && matches!(base, Base::Text { .. } | Base::PersonName) {
                shown.title = given.to_text().into_owned();
            }
            let kind = kind(&spoken, &given, base);
            let Spoken { rules, sources, .. } = spoken;
            let lines: Vec<u32> = rules.iter().map(|rule| rule.line).collect();
            let steps =
                hits.iter().filter(|hit| hit.rule.is_some_and(|rule| self.writes(rule, map, at, &lines)));
            let steps = once(steps.map(|hit| Step { part: self.part(&hit.taken), line: hit.line }));
            if kind == ReviewKind::Empty && steps.is_empty() {
                continue;
            }
            shown.fields.push(ReviewField {
                field: target.name.clone(),
                sources,
                rules,
                steps,
                value: (!given.is_absent()).then(|| told(&self.named(&given))),
                kind,
            });
        }
        let notes = self.streams.iter().position(|other| other.notes.is_some() && other.map == map);
        let Some(notes) = notes else { return Ok(Some(shown)) };
        for (name, json) in self.staged_notes(map, key, output.notes) {
            let note = StagedRecord { seq: 0, key: name, json };
            let spoken = self.spoken_of(&self.streams[notes], 1, &note, &source);
            let lines: Vec<u32> = spoken.rules.iter().map(|rule| rule.line).collect();
            let steps =
                hits.iter().filter(|hit| hit.rule.is_some_and(|rule| self.writes(rule, notes, 1, &lines)));
            let steps = steps.map(|hit| Step { part: self.part(&hit.taken), line: hit.line });
            let named = note.key.split_once('#').map_or("", |(_, behind)| behind);
            let named = named.strip_prefix(plan.name.as_str()).unwrap_or(named).trim_start_matches('.');
            let text = super::notes::text_of(&note);
            shown.fields.push(ReviewField {
                field: format!("note {named}"),
                steps: once(steps),
                kind: kind(&spoken, &Value::text(&text), &Base::Text { max: None }),
                sources: spoken.sources,
                rules: spoken.rules,
                value: Some(text),
            });
        }
        Ok(Some(shown))
    }

    /// The values of a record that a map reads.
    fn values(&self, map: usize, slots: &[Value]) -> Vec<(String, String)> {
        read(&self.plan.maps[map].reads, slots)
    }

    /// A value with its links told by map and key: nothing has an id in the destination yet.
    fn named(&self, value: &Value) -> Value {
        match value {
            Value::Ref(link) => Value::text(self.link(link)),
            Value::List(values) => Value::List(values.iter().map(|value| self.named(value)).collect()),
            Value::Item(item) => Value::Item(Box::new(Item {
                value: self.named(&item.value),
                attrs: item.attrs.iter().map(|value| self.named(value)).collect(),
            })),
            other => other.clone(),
        }
    }

    fn link(&self, link: &RefValue) -> String {
        let map = self.plan.maps.get(usize::from(link.map));
        let record = format!("{} {}", map.map_or("", |map| map.name.as_str()), link.key);
        let field = link.field.as_ref().and_then(|fields| fields.first());
        match field.and_then(|field| map?.targets.get(usize::from(*field))) {
            Some(target) => format!("{} of {record}", target.name),
            None => record,
        }
    }

    /// Records that splits and flattens end themselves: for each line that does, the first.
    fn review_ended(&self, asked: &ReviewAsked, found: &mut Reviewed) -> Result<()> {
        for (index, split) in self.plan.splits.iter().enumerate() {
            let Some(map) = maps_of_split(self.plan, index).next() else { continue };
            self.ended_of(&split_name(split), &split.source, asked, found, |record| {
                let slots = match self.decoders[map].decode(&record.json) {
                    Ok(slots) => slots,
                    Err(why) => return Some((Fate::HeldBack, unreadable(&why), 0, Vec::new())),
                };
                let (fate, reason, line) = match reference::routed(self.plan, index, &slots).0 {
                    Route::Maps(_) => return None,
                    Route::Listed { reason, line } => (Fate::Listed, reason, line),
                    Route::LeftOut { reason, line } => (Fate::LeftOut, reason, line),
                    Route::Quarantined { reason, line } => (Fate::HeldBack, reason, line),
                    Route::Stopped { reason, line } => (Fate::Stops, reason, line),
                };
                Some((fate, reason.to_string(), line, self.values(map, &slots)))
            })?;
        }
        for (index, flatten) in self.plan.flattens.iter().enumerate() {
            let decoder = &self.decoders[self.plan.maps.len() + index];
            self.ended_of(&flatten_name(self.plan, flatten), &flatten.source, asked, found, |record| {
                let slots = match decoder.decode(&record.json) {
                    Ok(slots) => slots,
                    Err(why) => return Some((Fate::HeldBack, unreadable(&why), 0, Vec::new())),
                };
                let (fate, reason, line) = match reference::fold(self.plan, index, &slots) {
                    Fold::Into { .. } => return None,
                    Fold::LeftOut { reason, line } => (Fate::LeftOut, reason, line),
                    Fold::Quarantined { reason, line } => (Fate::HeldBack, reason, line),
                    Fold::Stopped { reason, line } => (Fate::Stops, reason, line),
                };
                Some((fate, reason.to_string(), line, read(&flatten.reads, &slots)))
            })?;
        }
        Ok(())
    }

    #[allow(clippy::type_complexity)]
    fn ended_of(
        &self,
        name: &str,
        object: &str,
        asked: &ReviewAsked,
        found: &mut Reviewed,
        ended: impl Fn(&StagedRecord) -> Option<(Fate, String, u32, Vec<(String, String)>)>,
    ) -> Result<()> {
        let (mut after, mut records) = (0, 0);
        let mut first: BTreeMap<(u32, Fate), (u64, ReviewRecord)> = BTreeMap::new();
        let mut also = Vec::new();
        loop {
            let page = self.workspace.staged_page(object, after, PAGE)?;
            let Some(last) = page.last() else { break };
            after = last.seq;
            for record in &page {
                if self.is_away(object, &record.key)? {
                    continue;
                }
                let Some((fate, reason, line, values)) = ended(record) else { continue };
                records += 1;
                let order = Hash::new(asked.seed).with(name.as_bytes()).with(record.key.as_bytes()).end();
                let shown = ReviewRecord {
                    map: name.to_owned(),
                    source: object.to_owned(),
                    key: record.key.clone(),
                    object: String::new(),
                    title: String::new(),
                    fate,
                    decided: Some((line, reason)),
                    steps: Vec::new(),
                    fields: Vec::new(),
                    values,
                    flags: Vec::new(),
                };
                if asked.also.contains(&(name.to_owned(), record.key.clone())) {
                    also.push(shown.clone());
                }
                match first.get_mut(&(line, fate)) {
                    Some(there) if there.0 <= order => {}
                    Some(there) => *there = (order, shown),
                    None => {
                        first.insert((line, fate), (order, shown));
                    }
                }
            }
        }
        if records == 0 {
            return Ok(());
        }
        let parts = first.len() as u64;
        let mut shown: Vec<ReviewRecord> = first.into_values().map(|(_, record)| record).collect();
        also.retain(|record| shown.iter().all(|other| other.key != record.key));
        shown.append(&mut also);
        found.records.append(&mut shown);
        found.maps.push(ReviewMap {
            name: name.to_owned(),
            source: object.to_owned(),
            records,
            parts,
            ..ReviewMap::default()
        });
        Ok(())
    }
}

fn unreadable(why: &str) -> String {
    format!("the staged record cannot be read: {why}")
}

fn read(reads: &BTreeMap<u16, String>, slots: &[Value]) -> Vec<(String, String)> {
    let value = |slot: &u16| slots.get(usize::from(*slot)).filter(|value| !value.is_absent());
    reads.iter().filter_map(|(slot, name)| Some((name.clone(), told(value(slot)?)))).collect()
}

/// Steps but the rule's own value, each once.
fn once(steps: impl Iterator<Item = Step>) -> Vec<Step> {
    let mut kept: Vec<Step> = Vec::new();
    for step in steps.filter(|step| step.part != Part::Rule) {
        if !kept.contains(&step) {
            kept.push(step);
        }
    }
    kept
}

fn kind(spoken: &Spoken, given: &Value, base: &Base) -> ReviewKind {
    if given.is_absent() && spoken.sources.is_empty() {
        ReviewKind::Empty
    } else if given.is_absent() {
        ReviewKind::LeftEmpty
    } else if is_link(base) {
        ReviewKind::Linked
    } else if spoken.sources.is_empty() {
        ReviewKind::Given
    } else if spoken.is_same(given, base) {
        ReviewKind::Exact
    } else {
        ReviewKind::Changed
    }
}
