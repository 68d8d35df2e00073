//! Expected against actual, field by field, with the arm that gave the actual value.

use std::borrow::Cow;
use std::fmt;

use super::Failure;
use super::coverage::block_of;
use super::spell::{anything, columns_of};
use super::typed::Expected;
use super::world::{End, Produced, World};
use crate::lang::eval::reference::{Hit, Taken};
use crate::lang::eval::{NoteOut, RuleId};
use crate::lang::plan::Plan;
use crate::lang::syntax::ast::ExpectKind;
use crate::lang::text::Span;
use crate::lang::types::Base;
use crate::lang::value::{RefValue, Value};

/// The destination object that notes are, and its fields: as the engine writes them.
const NOTE: &str = "Note";
const PARENT: &str = "parent";
const BODY: &str = "body";

/// A field that is not as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The destination field.
    pub field: String,
    /// Where in it: `[1].price`; empty where the whole field differs.
    pub path: String,
    /// What the test says, in the words of the spec.
    pub expected: String,
    /// What came out, likewise.
    pub got: String,
    /// What gave it.
    pub by: Vec<Giver>,
}

/// A rule, an arm or a row that had a hand in a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Giver {
    /// Which: ``its `else` ``.
    pub what: String,
    /// The file that it stands in; empty where no line says so.
    pub file: String,
    /// Its line there, from 1.
    pub line: u32,
}

impl fmt::Display for Giver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if self.line > 0 { write!(f, ", {}:{}", self.file, self.line) } else { Ok(()) }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by: Vec<String> = self.by.iter().map(ToString::to_string).collect();
        write!(f, "`{}{}`: expected {}, got {}", self.field, self.path, self.expected, self.got)?;
        write!(f, " ({})", by.join("; "))
    }
}

/// The rules that write a target of a map, in the order of the plan.
pub(super) fn rules_of(plan: &Plan, map: usize, target: usize) -> Vec<RuleId> {
    let Some(item) = plan.maps.get(map) else { return Vec::new() };
    let writes = |rules: &[crate::lang::plan::Rule], flatten| {
        let fitting = rules.iter().enumerate().filter(|(_, rule)| usize::from(rule.target) == target);
        fitting.map(|(rule, _)| RuleId { flatten, note: false, rule: rule as u16 }).collect::<Vec<RuleId>>()
    };
    let mut found = writes(&item.rules, None);
    for (index, flatten) in plan.flattens.iter().enumerate() {
        if usize::from(flatten.into) == map {
            found.extend(writes(&flatten.rules, Some(index as u16)));
        }
    }
    found
}

/// A record that is written: one of a map, or a note that goes with it.
struct Candidate<'w> {
    produced: &'w Produced,
    cells: Vec<Cell<'w>>,
}

struct Cell<'w> {
    name: &'w str,
    value: Cow<'w, Value>,
    base: Option<&'w Base>,
    /// The rules that write it.
    rules: Vec<RuleId>,
    /// The columns of its lines.
    columns: Vec<(String, Option<Base>)>,
}

fn candidates<'w>(world: &'w World<'_>, object: &str) -> Vec<Candidate<'w>> {
    let plan = world.plan;
    let mut found = Vec::new();
    for produced in &world.produced {
        let map = &plan.maps[produced.map];
        if map.target == object {
            let cells = map.targets.iter().zip(&produced.output.values).enumerate();
            let cells = cells.map(|(index, (target, value))| Cell {
                name: &target.name,
                value: Cow::Borrowed(value),
                base: Some(&target.ty.base),
                rules: rules_of(plan, produced.map, index),
                columns: columns_of(plan, produced.map, index),
            });
            found.push(Candidate { produced, cells: cells.collect() });
        }
        if object == NOTE {
            let notes = produced.output.notes.iter();
            found.extend(notes.map(|note| Candidate { produced, cells: note_cells(world, produced, note) }));
        }
    }
    found
}

/// A note as the engine writes it: its title is the first line of its body.
fn note_cells<'w>(world: &World<'_>, produced: &Produced, note: &NoteOut) -> Vec<Cell<'w>> {
    let parent = Value::Ref(Box::new(RefValue {
        map: produced.map as u16,
        others: Vec::new(),
        key: world.key(produced.from, world.plan.maps[produced.map].key).into(),
        field: None,
    }));
    let body = match note.title.trim() {
        "" => note.body.clone(),
        title => format!("{title}\n{}", note.body),
    };
    let id = RuleId { flatten: note.note.flatten, note: true, rule: note.note.note };
    let cell = |name, value| Cell {
        name,
        value: Cow::Owned(value),
        base: None,
        rules: vec![id],
        columns: Vec::new(),
    };
    vec![cell(PARENT, parent), cell(BODY, Value::text(body))]
}

/// Compares an expected record with those of its object; `None` where one of them matches.
pub(super) fn record(world: &World<'_>, expected: &Expected, span: Span) -> Option<Failure> {
    let mut best: Option<Vec<Mismatch>> = None;
    for candidate in candidates(world, &expected.object) {
        let diff = differences(world, &candidate, expected);
        if diff.is_empty() {
            return None;
        }
        if best.as_ref().is_none_or(|best| diff.len() < best.len()) {
            best = Some(diff);
        }
    }
    let message = match &best {
        Some(_) => format!("no `{}` is like this", expected.object),
        None => format!("no `{}` is written", expected.object),
    };
    let notes = if best.is_some() { Vec::new() } else { happened(world) };
    Some(Failure { span, message, diff: best.unwrap_or_default(), notes })
}

/// A place in a value where two differ.
struct Difference<'v> {
    path: String,
    /// The column of a line, where it is in one.
    column: Option<usize>,
    wanted: Cow<'v, Value>,
    got: Cow<'v, Value>,
}

fn differences(world: &World<'_>, candidate: &Candidate<'_>, expected: &Expected) -> Vec<Mismatch> {
    let mut found = Vec::new();
    for (field, wanted) in &expected.fields {
        let Some(cell) = candidate.cells.iter().find(|cell| cell.name == field) else {
            if !wanted.is_absent() {
                found.push(Mismatch {
                    field: field.clone(),
                    path: String::new(),
                    expected: world.speller().value(wanted, None, &[]),
                    got: world.speller().value(&Value::Absent, None, &[]),
                    by: vec![Giver { what: "no rule writes it".to_owned(), file: String::new(), line: 0 }],
                });
            }
            continue;
        };
        found.extend(cell_differences(world, candidate, cell, wanted));
    }
    if !expected.open {
        for cell in &candidate.cells {
            if !expected.fields.iter().any(|(field, _)| field == cell.name) {
                found.extend(cell_differences(world, candidate, cell, &Value::Absent));
            }
        }
    }
    found
}

fn cell_differences(
    world: &World<'_>,
    candidate: &Candidate<'_>,
    cell: &Cell<'_>,
    wanted: &Value,
) -> Vec<Mismatch> {
    let mut places = Vec::new();
    differ(String::new(), None, wanted, &cell.value, &cell.columns, &mut places);
    let mismatch = |place: Difference<'_>| {
        let column = place.column.and_then(|column| cell.columns.get(column));
        let base = column.map_or(cell.base, |(_, base)| base.as_ref());
        let columns = if place.column.is_some() { &[][..] } else { &cell.columns };
        Mismatch {
            field: cell.name.to_owned(),
            expected: world.speller().value(&place.wanted, base, columns),
            got: world.speller().value(&place.got, base, columns),
            by: by(world, candidate.produced, &cell.rules, column.map(|(name, _)| name.as_str())),
            path: place.path,
        }
    };
    places.into_iter().map(mismatch).collect()
}

/// Every place where two values differ; lists of another length differ as a whole.
fn differ<'v>(
    path: String,
    column: Option<usize>,
    wanted: &'v Value,
    got: &'v Value,
    columns: &[(String, Option<Base>)],
    found: &mut Vec<Difference<'v>>,
) {
    match (wanted, got) {
        (Value::List(a), Value::List(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                differ(format!("{path}[{index}]"), column, a, b, columns, found);
            }
        }
        (Value::Item(a), Value::Item(b)) if a.value.is_absent() && b.value.is_absent() => {
            for index in 0..a.attrs.len().max(b.attrs.len()) {
                let of = |attrs: &'v [Value]| attrs.get(index).unwrap_or(&Value::Absent);
                let name = columns.get(index).map_or("?", |(name, _)| name.as_str());
                differ(format!("{path}.{name}"), Some(index), of(&a.attrs), of(&b.attrs), &[], found);
            }
        }
        (Value::Item(a), Value::Item(b)) => {
            differ(path.clone(), column, &a.value, &b.value, columns, found);
            for (a, b) in a.attrs.iter().zip(&b.attrs) {
                differ(format!("{path}.label"), column, a, b, columns, found);
            }
        }
        (Value::Item(a), got) if !a.value.is_absent() => {
            differ(path.clone(), column, &a.value, got, columns, found);
            for a in a.attrs.iter().filter(|a| !a.is_absent()) {
                differ(format!("{path}.label"), column, a, &Value::Absent, columns, found);
            }
        }
        (wanted, got) if matches(wanted, got) => {}
        (wanted, got) => {
            found.push(Difference { path, column, wanted: Cow::Borrowed(wanted), got: Cow::Borrowed(got) });
        }
    }
}

/// Whether a value is what a test expects. What the expectation leaves open may be anything: an element's label, a
/// stage's pipeline, the other maps of a link.
fn matches(wanted: &Value, got: &Value) -> bool {
    match (wanted, got) {
        (wanted, _) if *wanted == anything() => true,
        (wanted, Value::Item(item)) if !item.value.is_absent() => matches(wanted, &item.value),
        (Value::Stage(a), Value::Stage(b)) => {
            (a.pipeline.is_empty() || a.pipeline == b.pipeline)
                && a.stage == b.stage
                && a.outcome == b.outcome
        }
        (Value::Ref(a), Value::Ref(b)) => {
            a.key == b.key && (a.map == b.map || b.others.contains(&a.map)) && b.field.is_none()
        }
        (Value::Instant(a), Value::Instant(b)) => a.at == b.at,
        (Value::Text(a), Value::Name(b)) => b.to_string() == a.as_str(),
        (wanted, got) => match (wanted.as_decimal(), got.as_decimal()) {
            (Some(a), Some(b)) => a == b,
            _ => wanted == got,
        },
    }
}

/// What gave the value of a field, or of a column of its lines.
fn by(world: &World<'_>, produced: &Produced, rules: &[RuleId], column: Option<&str>) -> Vec<Giver> {
    let plan = world.plan;
    let giver = |what: String, line: u32| {
        let (file, line) = plan.place(line);
        Giver { what, file: file.to_owned(), line }
    };
    let has_hits = |rule: &&RuleId| produced.hits.iter().any(|hit| hit.rule == Some(**rule));
    let Some(id) = rules.iter().find(has_hits).or(rules.first()) else { return Vec::new() };
    let Some(outer) = id.find(plan, produced.map) else { return Vec::new() };
    let block = block_of(outer);
    let at = column.and_then(|column| block.iter().position(|(name, _)| *name == column));
    let (rule, inner) = match at {
        Some(at) => (block[at].1, Some(at as u16)),
        None => (outer, None),
    };
    let is_its = |hit: &&Hit| hit.rule == Some(*id) && hit.inner == inner;
    let hits: Vec<&Hit> = produced.hits.iter().filter(is_its).collect();
    let has = |taken: &Taken| hits.iter().any(|hit| hit.taken == *taken);
    let mut arms = Vec::new();
    if has(&Taken::Value) {
        arms.push(Taken::Value);
    } else {
        // The last one that was asked is the one that answered.
        let last = hits.iter().rev().find(|hit| matches!(hit.taken, Taken::Else(_)));
        arms.extend(last.map(|hit| hit.taken.clone()));
    }
    arms.extend(has(&Taken::OnFail).then_some(Taken::OnFail));
    let mut found: Vec<Giver> =
        arms.iter().map(|arm| giver(words(plan, arm), world.lines().of(arm, rule.line))).collect();
    if produced.lost.contains(&(*id, inner)) {
        found.push(giver("its `on unmigrated`".to_owned(), world.lines().of_unmigrated(rule.line)));
    }
    if found.is_empty() {
        found.push(giver("the rule gave no value".to_owned(), rule.line));
    }
    let mut rows: Vec<&Hit> = Vec::new();
    for hit in hits.iter().filter(|hit| matches!(hit.taken, Taken::Row(..) | Taken::StageRow(..))) {
        if !rows.iter().any(|known| known.taken == hit.taken) {
            rows.push(hit);
        }
    }
    // A list of many values may have gone through many rows: a few of them show where to look.
    found.extend(rows.iter().take(3).map(|hit| giver(words(plan, &hit.taken), hit.line)));
    found
}

fn words(plan: &Plan, taken: &Taken) -> String {
    let row = |name: Option<&String>, code: &Option<String>| {
        let name = name.map(String::as_str).unwrap_or_default();
        match code {
            Some(code) => format!("row \"{code}\" of `{name}`"),
            None => format!("`_ unseen` of `{name}`"),
        }
    };
    match taken {
        Taken::Value => "the rule's value".to_owned(),
        Taken::Else(0) => "its `else`".to_owned(),
        Taken::Else(number) => format!("its `else` number {}", number + 1),
        Taken::OnFail => "its `on fail`".to_owned(),
        Taken::Row(table, code) => row(plan.tables.get(usize::from(*table)).map(|t| &t.name), code),
        Taken::StageRow(line, code) => row(plan.pipelines.get(usize::from(*line)).map(|p| &p.name), code),
    }
}

/// Compares what is not a record; `None` where it is as expected.
pub(super) fn other(world: &World<'_>, kind: &ExpectKind, span: Span) -> Option<Failure> {
    let plan = world.plan;
    let ended = |end: End, why: Option<&str>| {
        world.ended.iter().any(|one| one.end == end && why.is_none_or(|why| one.reason == why))
    };
    let fail = |message: String, notes: Vec<String>| Some(Failure { span, message, diff: Vec::new(), notes });
    let holds = match kind {
        ExpectKind::Record(..) => return None,
        ExpectKind::No(object) => {
            let found = candidates(world, &object.value).into_iter().next()?.produced;
            let from = format!("from the given record number {}", found.from + 1);
            let map = &plan.maps[found.map];
            let (file, line) = plan.place(map.line);
            let by = format!("map `{}`, {file}:{line}, made it {from}", map.name);
            return fail(format!("a `{}` is written", object.value), vec![by]);
        }
        ExpectKind::Quarantine => ended(End::Quarantined, None),
        ExpectKind::Stop => ended(End::Stopped, None),
        ExpectKind::Skip(why) => ended(End::Skipped, Some(&why.value)),
        ExpectKind::Flag(why) => {
            let flagged = |produced: &Produced| produced.output.flags.iter().any(|f| *f.why == *why.value);
            world.produced.iter().any(flagged) || ended(End::Listed, Some(&why.value))
        }
    };
    if holds {
        return None;
    }
    let message = match kind {
        ExpectKind::Quarantine => "no record is held back".to_owned(),
        ExpectKind::Stop => "no record ends the run".to_owned(),
        ExpectKind::Skip(why) => format!("no record is left out because \"{}\"", why.value),
        ExpectKind::Flag(why) => format!("nothing is flagged \"{}\"", why.value),
        ExpectKind::Record(..) | ExpectKind::No(_) => String::new(),
    };
    fail(message, happened(world))
}

/// What became of the given records, a line each.
fn happened(world: &World<'_>) -> Vec<String> {
    let plan = world.plan;
    let who = |from: usize| format!("given record {} (`{}`)", from + 1, world.given[from].object);
    let mut lines = Vec::new();
    for produced in &world.produced {
        let flags: Vec<String> =
            produced.output.flags.iter().map(|flag| format!(", flagged \"{}\"", flag.why)).collect();
        let target = &plan.maps[produced.map].target;
        let notes = match produced.output.notes.len() {
            0 => String::new(),
            1 => " with a note".to_owned(),
            many => format!(" with {many} notes"),
        };
        lines.push(format!("{} becomes a `{target}`{notes}{}", who(produced.from), flags.concat()));
    }
    for ended in &world.ended {
        let (file, line) = plan.place(ended.line);
        let map = ended.map.map(|map| format!(" by map `{}`", plan.maps[map].name)).unwrap_or_default();
        let (end, why) = (ended.end.words(), &ended.reason);
        lines.push(format!("{} is {end}{map}: {why} ({file}:{line})", who(ended.from)));
    }
    for from in &world.apart {
        lines.push(format!("{} goes into a record that is not given", who(*from)));
    }
    if lines.is_empty() {
        lines.push("no record is given that a map reads".to_owned());
    }
    lines
}
