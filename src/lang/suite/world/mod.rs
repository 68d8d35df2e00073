//! Given records as a small world: each goes through its maps, folds and links as it would in a run.
//!
//! A link to a given record that did not arrive takes its `on unmigrated`; a link to a record that is not given counts
//! as one that arrived. Keys stand in for the ids that the destination would give.

mod links;

use std::cell::OnceCell;

use super::arms::Lines;
use super::coverage::Exercised;
use super::spell::Speller;
use crate::lang::eval::reference::{self, Hit};
use crate::lang::eval::{Fold, Folded, Outcome, Output, Route, RuleId, key_order};
use crate::lang::plan::Plan;
use crate::lang::suite::Input;
use crate::lang::value::Record;

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
    /// Rules, or rules of lines, whose link led nowhere.
    pub lost: Vec<(RuleId, Option<u16>)>,
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
    pub plan: &'p Plan,
    input: Input<'p>,
    // Most worlds have nothing to tell: what telling needs is made when it is asked for.
    lines: OnceCell<Lines>,
    speller: OnceCell<Speller<'p>>,
    pub given: Vec<GivenRecord>,
    pub produced: Vec<Produced>,
    pub ended: Vec<Ended>,
    /// Folded records whose record is not given.
    pub apart: Vec<usize>,
}

impl<'p> World<'p> {
    pub(super) fn run(
        input: Input<'p>,
        plan: &'p Plan,
        given: Vec<GivenRecord>,
        exercised: &mut Exercised,
    ) -> World<'p> {
        let mut world = World {
            plan,
            input,
            lines: OnceCell::new(),
            speller: OnceCell::new(),
            given,
            produced: Vec::new(),
            ended: Vec::new(),
            apart: Vec::new(),
        };
        let folds = world.folds(exercised);
        for from in 0..world.given.len() {
            for map in world.maps_of(from, exercised) {
                world.through(map, from, &folds, exercised);
            }
        }
        world.links(exercised);
        world.orphans(&folds, exercised);
        world
    }

    /// Where arms stand.
    pub(super) fn lines(&self) -> &Lines {
        self.lines.get_or_init(|| Lines::new(self.input))
    }

    /// How values are written.
    pub(super) fn speller(&self) -> &Speller<'p> {
        self.speller.get_or_init(|| Speller::new(self.input, self.plan))
    }

    pub(super) fn key(&self, from: usize, slot: u16) -> String {
        let value = self.given[from].record.get(usize::from(slot));
        value.map(|value| value.to_text().into_owned()).unwrap_or_default()
    }

    fn end(&mut self, from: usize, map: Option<usize>, end: End, reason: &str, line: u32) {
        self.ended.push(Ended { from, map, end, reason: reason.to_owned(), line });
    }

    /// Per flatten and given record of its object: where it goes.
    fn folds(&mut self, exercised: &mut Exercised) -> Vec<(usize, usize, String)> {
        let mut folds = Vec::new();
        for (index, flatten) in self.plan.flattens.iter().enumerate() {
            for from in 0..self.given.len() {
                if self.given[from].object != flatten.source {
                    continue;
                }
                match reference::fold(self.plan, index, &self.given[from].record) {
                    Fold::Into { key, .. } => folds.push((index, from, key.to_string())),
                    other => self.end_of_fold(index, from, &other, exercised),
                }
            }
        }
        folds
    }

    fn end_of_fold(&mut self, flatten: usize, from: usize, fold: &Fold, exercised: &mut Exercised) {
        let (end, reason, line) = match fold {
            Fold::Into { .. } => return,
            Fold::LeftOut { reason, line } => (End::Skipped, reason, *line),
            Fold::Quarantined { reason, line } => (End::Quarantined, reason, *line),
            Fold::Stopped { reason, line } => (End::Stopped, reason, *line),
        };
        if line == self.plan.flattens[flatten].orphan_line {
            exercised.orphan(flatten);
        } else {
            exercised.left_out(line);
        }
        self.end(from, None, end, reason, line);
    }

    fn maps_of(&mut self, from: usize, exercised: &mut Exercised) -> Vec<usize> {
        let given = &self.given[from];
        let maps: Vec<usize> =
            (0..self.plan.maps.len()).filter(|map| self.plan.maps[*map].source == given.object).collect();
        let Some(split) = maps.iter().find_map(|map| self.plan.maps[*map].split) else { return maps };
        let (route, row) = reference::routed(self.plan, usize::from(split), &given.record);
        exercised.split(row);
        let (end, reason, line) = match route {
            Route::Maps(to) => return to.iter().map(|map| usize::from(*map)).collect(),
            Route::Listed { reason, line } => (End::Listed, reason, line),
            Route::LeftOut { reason, line } => (End::Skipped, reason, line),
            Route::Quarantined { reason, line } => (End::Quarantined, reason, line),
            Route::Stopped { reason, line } => (End::Stopped, reason, line),
        };
        self.end(from, None, end, &reason, line);
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
        let filter = plan.maps[map].filter.as_ref().map(|filter| filter.line);
        let mut ended = |line: u32| {
            if Some(line) == filter {
                exercised.left_out(line);
            }
        };
        match watched.outcome {
            Outcome::Record(output) => {
                self.produced.push(Produced { map, from, output, hits: watched.hits, lost: Vec::new() });
            }
            Outcome::LeftOut { reason, line } => {
                ended(line);
                self.end(from, Some(map), End::Skipped, &reason, line);
            }
            Outcome::Quarantined { reason, line, .. } => {
                ended(line);
                self.end(from, Some(map), End::Quarantined, &reason, line);
            }
            Outcome::Stopped { reason, line, .. } => self.end(from, Some(map), End::Stopped, &reason, line),
        }
    }

    /// Folded records whose record is given, but was not written.
    fn orphans(&mut self, folds: &[(usize, usize, String)], exercised: &mut Exercised) {
        let plan = self.plan;
        for (flatten, child, parent) in folds {
            let map = usize::from(plan.flattens[*flatten].into);
            if self.arrived(map, parent) {
                continue;
            }
            if self.is_given(map, parent) {
                self.end_of_fold(*flatten, *child, &reference::orphan(plan, *flatten), exercised);
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
}
