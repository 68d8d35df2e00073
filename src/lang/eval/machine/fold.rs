//! Notes, splits, and records that are folded into others.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::Arc;

use super::expr::plain;
use super::{ABSENT, Around, Halt, Machine, Run, Scope, is_absent, number};
use crate::lang::eval::compare::order;
use crate::lang::eval::program::*;
use crate::lang::eval::watch::Watch;
use crate::lang::eval::{Fold, Folded, NoteId, NoteOut, Route, RuleId, reason};
use crate::lang::plan::Pick;
use crate::lang::value::{Record, Value};

impl<'p, W: Watch> Machine<'p, W> {
    pub(super) fn flattens(
        &mut self,
        map: usize,
        into: &'p MapProgram,
        scope: Scope<'_>,
        folded: &[Folded<'_>],
        values: &mut [Value],
    ) -> Run<()> {
        for (index, flatten) in self.program.flattens.iter().enumerate() {
            let Some(children) = folded.iter().find(|folded| folded.flatten == index) else { continue };
            if usize::from(flatten.into) != map || children.records.is_empty() {
                continue;
            }
            let taking_part = taking_part(self.program, flatten, children.records);
            let Some(picked) = picked(flatten.pick, &taking_part) else { continue };
            let around = Around { outer: scope.record, folded: &taking_part, params: &[] };
            let inner = Scope { record: picked, element: &ABSENT, attrs: &[], around: &around };
            let id = Some(number(index));
            self.rules(id, &flatten.rules, &into.targets, inner, values)?;
            self.notes(Some((number(index), flatten)), &flatten.notes, inner)?;
        }
        Ok(())
    }

    pub(super) fn notes(
        &mut self,
        of: Option<(u16, &'p FlattenProgram)>,
        notes: &'p [NoteProgram],
        scope: Scope<'_>,
    ) -> Run<()> {
        for (index, note) in notes.iter().enumerate() {
            let flatten = of.map(|(flatten, _)| flatten);
            let id = NoteId { flatten, note: number(index) };
            self.begin(RuleId { flatten, note: true, rule: id.note }, &note.rule);
            let (Some((_, flatten)), Some(at_most)) = (of, note.for_each) else {
                if let Some((title, body)) = self.note(note, scope)? {
                    self.notes.push(NoteOut { note: id, child: None, title, body });
                }
                continue;
            };
            let (mut written, mut beyond) = (0, 0);
            for record in scope.around.folded {
                match self.note(note, Scope { record, ..scope }) {
                    Ok(Some(_)) if at_most.is_some_and(|at_most| written >= at_most) => beyond += 1,
                    Ok(Some((title, body))) => {
                        written += 1;
                        let key = plain(record.get(flatten.key).unwrap_or(&ABSENT)).to_text().as_ref().into();
                        self.notes.push(NoteOut { note: id, child: Some(key), title, body });
                    }
                    Ok(None) | Err(Halt::Skip { .. }) => {}
                    Err(halt) => return Err(halt),
                }
            }
            if let (1.., Some(at_most)) = (beyond, at_most) {
                let title = reason::more_title(beyond);
                let body = reason::more_body(beyond, at_most, &flatten.source);
                self.notes.push(NoteOut { note: id, child: None, title, body });
            }
        }
        Ok(())
    }

    /// A note's title and body; nothing where its rule has no value.
    fn note(&mut self, note: &'p NoteProgram, scope: Scope<'_>) -> Run<Option<(String, String)>> {
        let made = self.rule_value(&note.rule, scope).and_then(|value| {
            if is_absent(&value) {
                return Ok((Cow::Borrowed(&ABSENT), Cow::Borrowed(&ABSENT)));
            }
            Ok((self.eval(&note.title, scope)?, value))
        });
        let (title, value) = match made {
            Err(Halt::Fail(why)) => (Cow::Borrowed(&ABSENT), self.failed(&why, scope)?),
            other => other?,
        };
        let body = value.to_text();
        Ok((!body.is_empty()).then(|| (title.to_text().into_owned(), body.into_owned())))
    }

    pub fn route(&mut self, split: &'p SplitProgram, record: &[Value]) -> Route<'p> {
        let scope = Scope::of(record);
        self.name = "split";
        match &split.how {
            SplitBy::When(rows) => {
                for (when, target) in rows {
                    let line = target.line;
                    self.line = line;
                    let fits = match when {
                        None => Ok(true),
                        Some(when) => self.truth(when, scope),
                    };
                    match fits {
                        Ok(false) => {}
                        Ok(true) => return sent(target, || reason::held_by_split(&split.source)),
                        Err(Halt::Fail(why)) => {
                            return Route::Quarantined { reason: self.failure(&why), line };
                        }
                        Err(Halt::Skip { why, line }) => return Route::LeftOut { reason: why, line },
                        Err(Halt::Quarantine { reason, line }) => return Route::Quarantined { reason, line },
                        Err(Halt::Stop { reason, line }) => return Route::Stopped { reason, line },
                    }
                }
                let line = rows.last().map_or(0, |(_, target)| target.line);
                Route::Quarantined { reason: Arc::from(reason::no_row_of_split(&split.source)), line }
            }
            SplitBy::Value { slot, rows, unseen } => {
                let value = plain(record.get(*slot).unwrap_or(&ABSENT));
                let code = value.to_text();
                match rows.get(code.as_ref()).filter(|_| !value.is_absent()) {
                    Some(target) => sent(target, || reason::held_by_split(&split.source)),
                    None => sent(unseen, || reason::not_in_split(&code, &split.source)),
                }
            }
        }
    }

    pub fn fold(&mut self, flatten: &'p FlattenProgram, record: &[Value]) -> Fold {
        if let Some(filter) = &flatten.filter {
            match self.filter(filter, Scope::of(record)) {
                Ok(()) => {}
                Err(Halt::Fail(why)) => {
                    return Fold::Quarantined { reason: self.failure(&why), line: filter.line };
                }
                Err(Halt::Skip { why, line }) => return Fold::LeftOut { reason: why, line },
                Err(Halt::Quarantine { reason, line }) => return Fold::Quarantined { reason, line },
                Err(Halt::Stop { reason, line }) => return Fold::Stopped { reason, line },
            }
        }
        let link = plain(record.get(flatten.via).unwrap_or(&ABSENT));
        let links = match link.as_ref() {
            Value::List(links) => links.as_slice(),
            one => std::slice::from_ref(one),
        };
        for link in links {
            let text = link.to_text();
            let key = match text.split_once('/') {
                Some((object, key)) if *object == *flatten.parent => key,
                Some(_) => continue,
                None => text.as_ref(),
            };
            if !key.is_empty() {
                return Fold::Into { map: flatten.into, key: key.into() };
            }
        }
        orphan(flatten)
    }
}

/// What becomes of a record that has nowhere to go.
pub(in crate::lang::eval) fn orphan(flatten: &FlattenProgram) -> Fold {
    let line = flatten.orphan_line;
    let reason = || Arc::from(reason::ORPHAN);
    match &flatten.orphan {
        Act::Skip(why) | Act::Flag(why) => Fold::LeftOut { reason: why.clone(), line },
        Act::Unset | Act::Value { .. } => Fold::LeftOut { reason: reason(), line },
        Act::Quarantine => Fold::Quarantined { reason: reason(), line },
        Act::Stop => Fold::Stopped { reason: reason(), line },
    }
}

fn sent<'p>(target: &'p SplitTarget, what: impl FnOnce() -> String) -> Route<'p> {
    let line = target.line;
    match &target.to {
        SendTo::Maps(maps) => Route::Maps(maps),
        SendTo::Listed(why) | SendTo::Act(Act::Flag(why)) => Route::Listed { reason: why.clone(), line },
        SendTo::Act(Act::Skip(why)) => Route::LeftOut { reason: why.clone(), line },
        SendTo::Act(Act::Unset | Act::Value { .. }) => Route::LeftOut { reason: Arc::from(what()), line },
        SendTo::Act(Act::Quarantine) => Route::Quarantined { reason: Arc::from(what()), line },
        SendTo::Act(Act::Stop) => Route::Stopped { reason: Arc::from(what()), line },
    }
}

/// The records that the `where` of a flatten lets in.
fn taking_part<'r>(program: &Program, flatten: &FlattenProgram, records: &'r [Record]) -> Vec<&'r [Value]> {
    let mut machine = Machine::new(program);
    let mut lets_in = |record: &Record| match &flatten.filter {
        None => true,
        Some(filter) => machine.truth(&filter.condition, Scope::of(record)).unwrap_or(false),
    };
    records.iter().filter(|record| lets_in(record)).map(Vec::as_slice).collect()
}

/// The record that bare names of a flatten read.
fn picked<'r>(pick: Option<Pick>, records: &[&'r [Value]]) -> Option<&'r [Value]> {
    let (first, rest) = records.split_first()?;
    let Some(Pick { latest, by }) = pick else { return Some(first) };
    let value = |record: &'r [Value]| plain(record.get(usize::from(by)).unwrap_or(&ABSENT));
    let mut best = *first;
    for record in rest {
        let (new, old) = (value(record), value(best));
        let order = match (is_absent(&new), is_absent(&old)) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => order(&new, &old).unwrap_or(Ordering::Equal),
        };
        if if latest { order.is_ge() } else { order.is_le() } {
            best = record;
        }
    }
    Some(best)
}
