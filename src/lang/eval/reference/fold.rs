//! Notes, splits and folded records of the plain interpreter.

use super::expr::{bare, holds};
use super::{End, Interpreter, Result, View};
use crate::lang::eval::{Fold, NoteId, NoteOut, Route, RuleId, reason};
use crate::lang::plan::{
    Arm, Comparison, Filter, Flatten, Note, Pick, Plan, SplitHow, SplitRow, SplitTo, Target,
};
use crate::lang::value::{Record, Value};

impl<'a> Interpreter<'a> {
    pub(super) fn flatten(
        &mut self,
        number: usize,
        flatten: &'a Flatten,
        targets: &[Target],
        outer: &[Value],
        records: &[Record],
    ) -> Result<()> {
        let mut part: Vec<&[Value]> = vec![];
        for record in records {
            let taken = match &flatten.filter {
                None => true,
                Some(filter) => {
                    let mut apart = Interpreter::new(self.plan);
                    apart.filter(filter, &View { record, ..View::default() }).is_ok()
                }
            };
            if taken {
                part.push(record);
            }
        }
        let Some(picked) = pick(flatten.pick, &part) else { return Ok(()) };
        let view = View { record: picked, outer, folded: &part, ..View::default() };
        for (index, rule) in flatten.rules.iter().enumerate() {
            let id = RuleId { flatten: Some(number as u16), note: false, rule: index as u16 };
            self.write(id, rule, targets, &view)?;
        }
        for (index, note) in flatten.notes.iter().enumerate() {
            let id = RuleId { flatten: Some(number as u16), note: true, rule: index as u16 };
            let place = NoteId { flatten: id.flatten, note: id.rule };
            if !note.for_each {
                self.note(id, note, None, &view)?;
                continue;
            }
            let before = self.output.notes.len();
            for record in &part {
                let key = bare(record.get(usize::from(flatten.key)).cloned().unwrap_or_default());
                let view = View { record, ..view.clone() };
                match self.note(id, note, Some(&key), &view) {
                    Err(End::Skip(..)) => {}
                    other => other?,
                }
            }
            let made = self.output.notes.len() - before;
            if let Some(at_most) = note.at_most
                && made > at_most as usize
            {
                self.output.notes.truncate(before + at_most as usize);
                let beyond = made - at_most as usize;
                self.output.notes.push(NoteOut {
                    note: place,
                    child: None,
                    title: reason::more_title(beyond),
                    body: reason::more_body(beyond, at_most, &flatten.source),
                });
            }
        }
        Ok(())
    }

    pub(super) fn map_note(&mut self, number: usize, note: &'a Note, view: &View<'_>) -> Result<()> {
        let id = RuleId { flatten: None, note: true, rule: number as u16 };
        self.note(id, note, None, view)
    }

    fn note(&mut self, id: RuleId, note: &'a Note, child: Option<&Value>, view: &View<'_>) -> Result<()> {
        let mut title = Value::Absent;
        let body = self.on_its_own(id, reason::note(&note.name), &note.rule, view, |it, view| {
            let body = it.rule(&note.rule, view)?;
            if body != Value::Absent {
                title = it.value(&note.title, view)?;
            }
            Ok(body)
        })?;
        let body = body.to_text().into_owned();
        if !body.is_empty() {
            self.output.notes.push(NoteOut {
                note: NoteId { flatten: id.flatten, note: id.rule },
                child: child.map(|key| key.to_text().as_ref().into()),
                title: title.to_text().into_owned(),
                body,
            });
        }
        Ok(())
    }
}

/// The record that bare names read: of equals the last, an absent value being less than all others.
fn pick<'r>(pick: Option<Pick>, records: &[&'r [Value]]) -> Option<&'r [Value]> {
    let Some(pick) = pick else { return records.first().copied() };
    let value = |record: &[Value]| bare(record.get(usize::from(pick.by)).cloned().unwrap_or_default());
    let mut best: Option<&'r [Value]> = None;
    for record in records {
        let beaten = best.is_none_or(|best| {
            let (mut greater, mut less) = (value(record), value(best));
            if !pick.latest {
                std::mem::swap(&mut greater, &mut less);
            }
            match (greater == Value::Absent, less == Value::Absent) {
                (_, true) => true,
                (true, false) => false,
                (false, false) => !holds(Comparison::Less, &greater, &less),
            }
        });
        if beaten {
            best = Some(record);
        }
    }
    best
}

/// Tells where a split sends a record, as [`Program::route`](crate::lang::eval::Program::route) does.
pub fn route<'p>(plan: &'p Plan, split: usize, record: &[Value]) -> Route<'p> {
    routed(plan, split, record).0
}

/// The same, with the line of the row that says so.
pub fn routed<'p>(plan: &'p Plan, split: usize, record: &[Value]) -> (Route<'p>, u32) {
    let Some(split) = plan.splits.get(split) else {
        return (Route::LeftOut { reason: reason::NOT_IN_WHERE.into(), line: 0 }, 0);
    };
    let object = &split.source;
    match &split.how {
        SplitHow::When(rows) => {
            let mut interpreter = Interpreter::new(plan);
            let view = View { record, ..View::default() };
            for row in rows {
                let fits = match &row.when {
                    None => Ok(true),
                    Some(when) => interpreter.condition("split", row.line, when, &view),
                };
                let route = match fits {
                    Ok(true) => send(row, &reason::held_by_split(object)),
                    Ok(false) => continue,
                    Err(End::Failure(reason)) => Route::Quarantined { reason: reason.into(), line: row.line },
                    Err(End::Skip(why, line)) => Route::LeftOut { reason: why.into(), line },
                    Err(End::Quarantine(what, line)) => Route::Quarantined { reason: what.into(), line },
                    Err(End::Stop(what, line)) => Route::Stopped { reason: what.into(), line },
                };
                return (route, row.line);
            }
            let line = rows.last().map_or(0, |row| row.line);
            (Route::Quarantined { reason: reason::no_row_of_split(object).into(), line }, line)
        }
        SplitHow::Value { slot, rows, unseen } => {
            let value = bare(record.get(usize::from(*slot)).cloned().unwrap_or_default());
            let code = value.to_text().into_owned();
            if value != Value::Absent {
                for (known, row) in rows {
                    if *known == code {
                        return (send(row, &reason::held_by_split(object)), row.line);
                    }
                }
            }
            (send(unseen, &reason::not_in_split(&code, object)), unseen.line)
        }
    }
}

fn send<'p>(row: &'p SplitRow, what: &str) -> Route<'p> {
    let line = row.line;
    match &row.to {
        SplitTo::Maps(maps) => Route::Maps(maps),
        SplitTo::Listed(why) | SplitTo::Arm(Arm::Flag(why)) => {
            Route::Listed { reason: why.as_str().into(), line }
        }
        SplitTo::Arm(Arm::Skip(why)) => Route::LeftOut { reason: why.as_str().into(), line },
        SplitTo::Arm(Arm::Quarantine) => Route::Quarantined { reason: what.into(), line },
        SplitTo::Arm(Arm::Stop) => Route::Stopped { reason: what.into(), line },
        SplitTo::Arm(Arm::Value { .. } | Arm::Unset | Arm::Wait) => {
            Route::LeftOut { reason: what.into(), line }
        }
    }
}

/// Whether a record takes part by a `where`.
pub fn takes_part(plan: &Plan, filter: &Filter, record: &[Value]) -> bool {
    Interpreter::new(plan).filter(filter, &View { record, ..View::default() }).is_ok()
}

/// Tells which record one is folded into, as [`Program::fold`](crate::lang::eval::Program::fold) does.
pub fn fold(plan: &Plan, flatten: usize, record: &[Value]) -> Fold {
    let Some(item) = plan.flattens.get(flatten) else { return orphan(plan, flatten) };
    if let Some(filter) = &item.filter {
        let view = View { record, ..View::default() };
        match Interpreter::new(plan).filter(filter, &view) {
            Ok(()) => {}
            Err(End::Skip(why, line)) => return Fold::LeftOut { reason: why.into(), line },
            Err(End::Failure(what)) => {
                return Fold::Quarantined { reason: what.into(), line: filter.line };
            }
            Err(End::Quarantine(what, line)) => return Fold::Quarantined { reason: what.into(), line },
            Err(End::Stop(what, line)) => return Fold::Stopped { reason: what.into(), line },
        }
    }
    let parent = format!("{}/", plan.maps[usize::from(item.into)].source);
    let links = match bare(record.get(usize::from(item.via)).cloned().unwrap_or_default()) {
        Value::List(links) => links,
        one => vec![one],
    };
    for link in links {
        let text = link.to_text().into_owned();
        let key = if text.contains('/') { text.strip_prefix(&parent) } else { Some(text.as_str()) };
        if let Some(key) = key.filter(|key| !key.is_empty()) {
            return Fold::Into { map: item.into, key: key.into() };
        }
    }
    orphan(plan, flatten)
}

/// What becomes of a record with nowhere to go, as [`Program::orphan`](crate::lang::eval::Program::orphan) says.
pub fn orphan(plan: &Plan, flatten: usize) -> Fold {
    let Some(flatten) = plan.flattens.get(flatten) else {
        return Fold::LeftOut { reason: reason::NOT_IN_WHERE.into(), line: 0 };
    };
    let line = flatten.orphan_line;
    let what = reason::ORPHAN.into();
    match &flatten.orphan {
        Arm::Skip(why) | Arm::Flag(why) => Fold::LeftOut { reason: why.as_str().into(), line },
        Arm::Quarantine => Fold::Quarantined { reason: what, line },
        Arm::Stop => Fold::Stopped { reason: what, line },
        Arm::Value { .. } | Arm::Unset | Arm::Wait => Fold::LeftOut { reason: what, line },
    }
}
