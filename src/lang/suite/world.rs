//! Given records as a small world: each goes through its maps, folds and links as it would in a run.
//!
//! A link to a given record that did not arrive takes its `on unmigrated`; a link to a record that is not given counts
//! as one that arrived. Keys stand in for the ids that the destination would give.

use super::Exercised;
use super::compare::rules_of;
use crate::lang::eval::reference::{self, Hit};
use crate::lang::eval::{Fold, Folded, Outcome, Output, Route, key_order};
use crate::lang::plan::{Arm, Expr, Plan, SplitHow, SplitTo};
use crate::lang::value::{Record, RefValue, Value};

/// A given record.
pub(super) struct GivenRecord {
    /// Its source object.
    pub object: String,
    /// Its values.
    pub record: Record,
}

/// A destination record.
pub(super) struct Produced {
    /// The map, by its index.
    pub map: usize,
    /// The given record, by its index.
    pub from: usize,
    /// What came out.
    pub output: Output,
    /// How.
    pub hits: Vec<Hit>,
}

/// How a given record ended that was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Skipped,
    Listed,
    Quarantined,
    Stopped,
}

impl End {
    pub(super) fn words(self) -> &'static str {
        match self {
            End::Skipped => "left out",
            End::Listed => "listed",
            End::Quarantined => "held back",
            End::Stopped => "ends the run",
        }
    }
}

/// A given record that was not written, in one of its maps or at all.
pub(super) struct Ended {
    /// The given record, by its index.
    pub from: usize,
    /// The map, where one decided.
    pub map: Option<usize>,
    pub end: End,
    pub reason: String,
    /// The line of the plan, from 1.
    pub line: u32,
}

/// What became of all given records.
pub(super) struct World<'p> {
    plan: &'p Plan,
    pub given: Vec<GivenRecord>,
    pub produced: Vec<Produced>,
    pub ended: Vec<Ended>,
    /// Folded records whose record is not given.
    pub apart: Vec<usize>,
}

impl<'p> World<'p> {
    pub(super) fn run(plan: &'p Plan, given: Vec<GivenRecord>, exercised: &mut Exercised) -> World<'p> {
        let mut world = World { plan, given, produced: Vec::new(), ended: Vec::new(), apart: Vec::new() };
        let folds = world.folds();
        for from in 0..world.given.len() {
            for map in world.maps_of(from, exercised) {
                world.through(map, from, &folds, exercised);
            }
        }
        world.orphans(&folds);
        world.links();
        world
    }

    pub(super) fn plan(&self) -> &'p Plan {
        self.plan
    }

    fn key(&self, from: usize, slot: u16) -> String {
        let value = self.given[from].record.get(usize::from(slot));
        value.map(|value| value.to_text().into_owned()).unwrap_or_default()
    }

    fn end(&mut self, from: usize, map: Option<usize>, end: End, reason: &str, line: u32) {
        self.ended.push(Ended { from, map, end, reason: reason.to_owned(), line });
    }

    /// Per flatten and given record of its object: where it goes.
    fn folds(&mut self) -> Vec<(usize, usize, String)> {
        let mut folds = Vec::new();
        for (index, flatten) in self.plan.flattens.iter().enumerate() {
            for from in 0..self.given.len() {
                if self.given[from].object != flatten.source {
                    continue;
                }
                match reference::fold(self.plan, index, &self.given[from].record) {
                    Fold::Into { key, .. } => folds.push((index, from, key.to_string())),
                    other => self.end_of_fold(from, &other),
                }
            }
        }
        folds
    }

    fn end_of_fold(&mut self, from: usize, fold: &Fold) {
        match fold {
            Fold::Into { .. } => {}
            Fold::LeftOut { reason, line } => self.end(from, None, End::Skipped, reason, *line),
            Fold::Quarantined { reason, line } => self.end(from, None, End::Quarantined, reason, *line),
            Fold::Stopped { reason, line } => self.end(from, None, End::Stopped, reason, *line),
        }
    }

    fn maps_of(&mut self, from: usize, exercised: &mut Exercised) -> Vec<usize> {
        let given = &self.given[from];
        let maps: Vec<usize> =
            (0..self.plan.maps.len()).filter(|map| self.plan.maps[*map].source == given.object).collect();
        let Some(split) = maps.iter().find_map(|map| self.plan.maps[*map].split) else { return maps };
        let route = reference::route(self.plan, usize::from(split), &given.record);
        match route {
            Route::Maps(to) => {
                exercised.splits.extend(line_of(self.plan, usize::from(split), &given.record, to));
                return to.iter().map(|map| usize::from(*map)).collect();
            }
            Route::Listed { reason, line } => {
                exercised.splits.insert(line);
                self.end(from, None, End::Listed, &reason, line);
            }
            Route::LeftOut { reason, line } => {
                exercised.splits.insert(line);
                self.end(from, None, End::Skipped, &reason, line);
            }
            Route::Quarantined { reason, line } => {
                exercised.splits.insert(line);
                self.end(from, None, End::Quarantined, &reason, line);
            }
            Route::Stopped { reason, line } => {
                exercised.splits.insert(line);
                self.end(from, None, End::Stopped, &reason, line);
            }
        }
        Vec::new()
    }

    fn through(
        &mut self,
        map: usize,
        from: usize,
        folds: &[(usize, usize, String)],
        exercised: &mut Exercised,
    ) {
        let plan = self.plan;
        let key = self.key(from, plan.maps[map].key);
        let mut children: Vec<(usize, Vec<(String, Record)>)> = Vec::new();
        for (flatten, child, parent) in folds {
            if usize::from(plan.flattens[*flatten].into) != map || *parent != key {
                continue;
            }
            let record = (self.key(*child, plan.flattens[*flatten].key), self.given[*child].record.clone());
            match children.iter_mut().find(|(known, _)| known == flatten) {
                Some((_, records)) => records.push(record),
                None => children.push((*flatten, vec![record])),
            }
        }
        let children: Vec<(usize, Vec<Record>)> = children
            .into_iter()
            .map(|(flatten, mut records)| {
                records.sort_by(|a, b| key_order(&a.0, &b.0));
                (flatten, records.into_iter().map(|(_, record)| record).collect())
            })
            .collect();
        let folded: Vec<Folded<'_>> =
            children.iter().map(|(flatten, records)| Folded { flatten: *flatten, records }).collect();
        let watched = reference::watched(plan, map, &self.given[from].record, &folded);
        watched.hits.iter().for_each(|hit| exercised.hit(map, hit));
        match watched.outcome {
            Outcome::Record(output) => {
                self.produced.push(Produced { map, from, output, hits: watched.hits });
            }
            Outcome::LeftOut { reason, line } => self.end(from, Some(map), End::Skipped, &reason, line),
            Outcome::Quarantined { reason, line, .. } => {
                self.end(from, Some(map), End::Quarantined, &reason, line);
            }
            Outcome::Stopped { reason, line, .. } => self.end(from, Some(map), End::Stopped, &reason, line),
        }
    }

    /// Folded records whose record is given, but was not written.
    fn orphans(&mut self, folds: &[(usize, usize, String)]) {
        let plan = self.plan;
        for (flatten, child, parent) in folds {
            let map = usize::from(plan.flattens[*flatten].into);
            if self.arrived(map, parent) {
                continue;
            }
            if self.is_given(map, parent) {
                self.end_of_fold(*child, &reference::orphan(plan, *flatten));
            } else {
                self.apart.push(*child);
            }
        }
    }

    fn is_given(&self, map: usize, key: &str) -> bool {
        let map = &self.plan.maps[map];
        (0..self.given.len()).any(|i| self.given[i].object == map.source && self.key(i, map.key) == key)
    }

    fn arrived(&self, map: usize, key: &str) -> bool {
        let slot = self.plan.maps[map].key;
        self.produced.iter().any(|produced| produced.map == map && self.key(produced.from, slot) == key)
    }

    /// Whether a link leads to a given record that was written nowhere.
    fn is_lost(&self, link: &RefValue) -> bool {
        let maps: Vec<usize> =
            std::iter::once(&link.map).chain(&link.others).map(|map| usize::from(*map)).collect();
        let known = |map: &usize| *map < self.plan.maps.len();
        maps.iter().filter(|m| known(m)).any(|map| self.is_given(*map, &link.key))
            && !maps.iter().filter(|m| known(m)).any(|map| self.arrived(*map, &link.key))
    }

    /// Takes `on unmigrated` until nothing changes: a record that is held back may leave others without theirs.
    fn links(&mut self) {
        let mut changed = true;
        while changed {
            changed = false;
            let mut index = 0;
            while index < self.produced.len() {
                match self.unmigrated(index) {
                    Settled::AsItWas => index += 1,
                    Settled::Changed => changed = true,
                    Settled::Gone(end, reason, line) => {
                        let gone = self.produced.remove(index);
                        self.end(gone.from, Some(gone.map), end, &reason, line);
                        changed = true;
                    }
                }
            }
        }
        self.read_linked();
    }

    fn unmigrated(&mut self, index: usize) -> Settled {
        let plan = self.plan;
        let map = self.produced[index].map;
        for target in 0..self.produced[index].output.values.len() {
            let value = &self.produced[index].output.values[target];
            let Some(lost) = links_of(value).into_iter().find(|link| self.is_lost(link)).cloned() else {
                continue;
            };
            let rules = rules_of(plan, map, target);
            let found = rules.into_iter().find_map(|id| Some((id, id.find(plan, map)?)));
            let Some((id, rule)) = found else { continue };
            let name = &plan.maps[map].targets[target].name;
            let reason = format!("`{name}`: record {} did not arrive", lost.key);
            let mut instead = Value::Absent;
            match &rule.on_unmigrated {
                Some(Arm::Quarantine) => return Settled::Gone(End::Quarantined, reason, rule.line),
                Some(Arm::Stop) => return Settled::Gone(End::Stopped, reason, rule.line),
                Some(Arm::Flag(why)) => self.flag(index, id, why),
                Some(Arm::Value { value, flag }) => {
                    if let Expr::Const(value) = &**value {
                        instead = value.clone();
                    }
                    if let Some(why) = flag {
                        self.flag(index, id, why);
                    }
                }
                Some(Arm::Unset | Arm::Wait | Arm::Skip(_)) | None => {}
            }
            let place = &mut self.produced[index].output.values[target];
            *place = without(std::mem::take(place), &lost, &instead);
            return Settled::Changed;
        }
        Settled::AsItWas
    }

    fn flag(&mut self, index: usize, rule: crate::lang::eval::RuleId, why: &str) {
        let flag = crate::lang::eval::Flag { rule, why: why.into() };
        let flags = &mut self.produced[index].output.flags;
        if !flags.contains(&flag) {
            flags.push(flag);
        }
    }

    /// What links read from given records, once these are settled.
    fn read_linked(&mut self) {
        let mut found = Vec::new();
        for (index, produced) in self.produced.iter().enumerate() {
            for (target, value) in produced.output.values.iter().enumerate() {
                let Value::Ref(link) = value else { continue };
                let Some(fields) = &link.field else { continue };
                let maps = std::iter::once(&link.map).chain(&link.others);
                let read = maps.zip(fields).find_map(|(map, field)| {
                    let slot = self.plan.maps.get(usize::from(*map))?.key;
                    let other = self.produced.iter().find(|other| {
                        other.map == usize::from(*map) && self.key(other.from, slot) == link.key
                    })?;
                    other.output.values.get(usize::from(*field)).cloned()
                });
                found.extend(read.map(|value| (index, target, value)));
            }
        }
        for (index, target, value) in found {
            self.produced[index].output.values[target] = value;
        }
    }
}

enum Settled {
    AsItWas,
    Changed,
    Gone(End, String, u32),
}

fn links_of(value: &Value) -> Vec<&RefValue> {
    match value {
        Value::Ref(link) => vec![link],
        Value::Item(item) => {
            let inner = item.attrs.iter().flat_map(links_of);
            links_of(&item.value).into_iter().chain(inner).collect()
        }
        Value::List(values) => values.iter().flat_map(links_of).collect(),
        _ => Vec::new(),
    }
}

/// A value with something else in the place of a link.
fn without(value: Value, lost: &RefValue, instead: &Value) -> Value {
    match value {
        Value::Ref(link) if *link == *lost => instead.clone(),
        Value::Item(mut item) => {
            let had_value = !item.value.is_absent();
            item.value = without(std::mem::take(&mut item.value), lost, instead);
            let attrs = std::mem::take(&mut item.attrs);
            item.attrs = attrs.into_iter().map(|attr| without(attr, lost, instead)).collect();
            // An element goes with its value; a line of columns stays.
            if had_value && item.value.is_absent() { Value::Absent } else { Value::Item(item) }
        }
        Value::List(values) => Value::list(
            values
                .into_iter()
                .map(|value| without(value, lost, instead))
                .filter(|value| !value.is_absent())
                .collect(),
        ),
        other => other,
    }
}

/// The line of the row of a split that sent a record to these maps.
fn line_of(plan: &Plan, split: usize, record: &[Value], to: &[u16]) -> Option<u32> {
    let leads = |row: &&crate::lang::plan::SplitRow| matches!(&row.to, SplitTo::Maps(maps) if maps == to);
    match &plan.splits.get(split)?.how {
        // Rows that lead to the same maps cannot be told apart here: the first one counts.
        SplitHow::When(rows) => rows.iter().find(leads).map(|row| row.line),
        SplitHow::Value { slot, rows, unseen } => {
            let code = record.get(usize::from(*slot)).map(|value| value.to_text().into_owned());
            Some(code.and_then(|code| rows.get(&code)).unwrap_or(unseen).line)
        }
    }
}
