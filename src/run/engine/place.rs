//! Where staged records go, before any is loaded: splits send them to maps, flattens fold them into others. Then,
//! when the others are loaded, what became of those that were folded.

use crate::lang::eval::{Fold, Folded, Outcome as Evaluated, Route, key_order};
use crate::lang::plan::Plan;
use crate::lang::value::{Record, Value};
use crate::run::workspace::{DECIDED, Outcome, StagedRecord, Status, Workspace};

use super::streams::{flatten_name, split_name};
use super::{Engine, Error, Result};

/// Staged records that are read at once.
const PAGE: u32 = 500;

fn ended(status: Status, reason: impl Into<String>) -> Outcome {
    Outcome { status, target: None, reason: Some(reason.into()) }
}

impl Engine<'_> {
    /// Places every staged record of splits and flattens. What was placed by an earlier run stays.
    pub(super) fn place(&self) -> Result<()> {
        for (index, split) in self.plan.splits.iter().enumerate() {
            let name = split_name(split);
            self.once(&name, &split.source, |record| self.route_one(index, &name, record))?;
        }
        for (index, flatten) in self.plan.flattens.iter().enumerate() {
            let name = flatten_name(self.plan, flatten);
            self.once(&name, &flatten.source, |record| self.fold_one(index, &name, record))?;
        }
        Ok(())
    }

    /// Does something with every staged record of an object, once for the life of the workspace.
    fn once(&self, name: &str, object: &str, each: impl Fn(&StagedRecord) -> Result<()>) -> Result<()> {
        if self.workspace.note(&placed(name))?.is_some() {
            return Ok(());
        }
        let total = self.workspace.staged(object)?;
        self.outside.progress.begin(&format!("place {name}"), Some(total));
        let (mut after, mut done) = (0, 0u64);
        loop {
            let page = self.workspace.staged_page(object, after, PAGE)?;
            let Some(last) = page.last() else { break };
            after = last.seq;
            done += page.len() as u64;
            let mut failed = None;
            self.workspace.transaction(|_| {
                for record in &page {
                    if let Err(error) = self.unless_gone(object, record, &each) {
                        failed = Some(error);
                        break;
                    }
                }
                Ok(())
            })?;
            if let Some(error) = failed {
                return Err(error);
            }
            self.outside.progress.at(done);
        }
        self.outside.progress.end();
        if self.passed.get() {
            for map in self.plan.maps.iter().filter(|map| map.split.is_some() && map.source == object) {
                self.workspace.keep_routes(&map.name, object)?;
            }
        }
        Ok(self.workspace.set_note(&placed(name), "whole")?)
    }

    /// What the source holds no more goes nowhere.
    fn unless_gone(
        &self,
        object: &str,
        record: &StagedRecord,
        each: &impl Fn(&StagedRecord) -> Result<()>,
    ) -> Result<()> {
        if self.passed.get() && self.workspace.is_gone(object, &record.key)? { Ok(()) } else { each(record) }
    }

    fn route_one(&self, split: usize, name: &str, record: &StagedRecord) -> Result<()> {
        let decoder = self.plan.maps.len() + self.plan.flattens.len() + split;
        let slots = match self.decoders[decoder].decode(&record.json) {
            Ok(slots) => slots,
            Err(why) => return self.end(name, record, &unreadable(&why)),
        };
        match self.program.route(split, &slots) {
            Route::Maps(maps) => {
                for map in maps {
                    self.workspace.route(&self.plan.maps[usize::from(*map)].name, record.seq)?;
                }
                Ok(())
            }
            Route::Listed { reason, .. } => self.end(name, record, &ended(Status::Listed, &*reason)),
            Route::LeftOut { reason, .. } => self.end(name, record, &ended(Status::LeftOut, &*reason)),
            Route::Quarantined { reason, line } => self.end(
                name,
                record,
                &ended(Status::Quarantined, format!("{}: {reason}", self.plan.place_text(line))),
            ),
            Route::Stopped { reason, line } => Err(self.stopped(name, &record.key, line, &reason)),
        }
    }

    fn fold_one(&self, flatten: usize, name: &str, record: &StagedRecord) -> Result<()> {
        let slots = match self.decoders[self.plan.maps.len() + flatten].decode(&record.json) {
            Ok(slots) => slots,
            Err(why) => return self.end(name, record, &unreadable(&why)),
        };
        match self.folded(name, &record.key, self.program.fold(flatten, &slots))? {
            Ok(parent) => Ok(self.workspace.fold(name, &parent, record.seq)?),
            Err(outcome) => self.end(name, record, &outcome),
        }
    }

    fn end(&self, name: &str, record: &StagedRecord, outcome: &Outcome) -> Result<()> {
        // A person's decision holds whatever the plan says.
        if let Some(decision) = self.workspace.decision(name, &record.key)? {
            let decided = ended(Status::LeftOut, format!("{DECIDED}{}", decision.reason));
            return Ok(self.workspace.settle(name, &record.key, &decided, &[])?);
        }
        Ok(self.workspace.settle(name, &record.key, outcome, &[])?)
    }

    pub(super) fn stopped(&self, name: &str, key: &str, line: u32, reason: &str) -> Error {
        let place = self.plan.place_text(line);
        Error::Stopped { map: name.to_owned(), key: key.to_owned(), place, reason: reason.to_owned() }
    }

    /// The key of the record that takes one in, or what becomes of it otherwise.
    fn folded(&self, name: &str, key: &str, fold: Fold) -> Result<std::result::Result<String, Outcome>> {
        Ok(match fold {
            Fold::Into { key, .. } => Ok(key.to_string()),
            Fold::LeftOut { reason, .. } => Err(ended(Status::LeftOut, &*reason)),
            Fold::Quarantined { reason, line } => {
                Err(ended(Status::Quarantined, format!("{}: {reason}", self.plan.place_text(line))))
            }
            Fold::Stopped { reason, line } => return Err(self.stopped(name, key, line, &reason)),
        })
    }

    /// Evaluates a map over a record and those that are folded into it.
    pub(super) fn evaluate(&self, map: usize, key: &str, slots: &[Value]) -> Result<Evaluated> {
        self.with_folded(map, key, |folded| self.program.run_with(map, slots, folded))
    }

    /// Runs something over the records that are folded into one of a map.
    pub(super) fn with_folded<T>(
        &self,
        map: usize,
        key: &str,
        run: impl FnOnce(&[Folded<'_>]) -> T,
    ) -> Result<T> {
        let mut children: Vec<(usize, Vec<Record>)> = Vec::new();
        for (index, flatten) in self.plan.flattens.iter().enumerate() {
            if usize::from(flatten.into) != map {
                continue;
            }
            let mut staged = self.workspace.folded_into(&flatten_name(self.plan, flatten), key)?;
            staged.sort_by(|a, b| key_order(&a.key, &b.key));
            let decoder = &self.decoders[self.plan.maps.len() + index];
            // What cannot be read was held back when it was placed.
            let records: Vec<Record> =
                staged.iter().filter_map(|record| decoder.decode(&record.json).ok()).collect();
            if !records.is_empty() {
                children.push((index, records));
            }
        }
        let folded: Vec<Folded<'_>> =
            children.iter().map(|(flatten, records)| Folded { flatten: *flatten, records }).collect();
        Ok(run(&folded))
    }

    /// Says what became of folded records, once the map that takes them in is loaded.
    pub(super) fn settle_folded(&self, flatten: usize) -> Result<()> {
        let plan = &self.plan.flattens[flatten];
        let into = &self.plan.maps[usize::from(plan.into)];
        let name = flatten_name(self.plan, plan);
        let mut after = 0;
        loop {
            let page = self.workspace.folded_page(&name, after, PAGE)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.seq;
            let mut decided = Vec::with_capacity(page.len());
            for child in &page {
                let outcome = match self.workspace.outcome(&into.name, &child.parent)? {
                    Some(parent) => match parent.status {
                        Status::Created | Status::Adopted => {
                            Some(Outcome { status: Status::Folded, target: None, reason: None })
                        }
                        Status::Quarantined | Status::Failed => Some(ended(
                            Status::Quarantined,
                            format!("held back with {} {}", into.name, child.parent),
                        )),
                        _ => Some(self.orphan(flatten, &name, &child.key)?),
                    },
                    None if self.takes_part(usize::from(plan.into), &child.parent)? => None,
                    None => Some(self.orphan(flatten, &name, &child.key)?),
                };
                decided.extend(outcome.map(|outcome| (&child.key, outcome)));
            }
            self.workspace.transaction(|ws| {
                decided.iter().try_for_each(|(key, outcome)| ws.settle(&name, key, outcome, &[]))
            })?;
        }
    }

    fn orphan(&self, flatten: usize, name: &str, key: &str) -> Result<Outcome> {
        Ok(match self.folded(name, key, self.program.orphan(flatten))? {
            Err(outcome) => outcome,
            // A plan has no such arm: an orphan has nowhere to go.
            Ok(_) => ended(Status::Quarantined, "the record that takes it in takes no part"),
        })
    }

    /// Whether a source record is one of a map.
    pub(super) fn takes_part(&self, map: usize, key: &str) -> Result<bool> {
        takes_part(self.plan, self.workspace, map, key)
    }
}

/// Whether a source record is one of a map.
pub(super) fn takes_part(plan: &Plan, workspace: &Workspace, map: usize, key: &str) -> Result<bool> {
    let plan = &plan.maps[map];
    match plan.split {
        Some(_) => Ok(workspace.is_routed(&plan.name, &plan.source, key)?),
        None => Ok(workspace.staged_record(&plan.source, key)?.is_some()),
    }
}

/// The workspace's note that everything of a split or a flatten was placed; a new plan takes it away.
pub(super) fn placed(name: &str) -> String {
    format!("placed {name}")
}

fn unreadable(why: &str) -> Outcome {
    ended(Status::Quarantined, format!("the staged record cannot be read: {why}"))
}
