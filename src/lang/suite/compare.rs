//! Expected against actual, field by field, with the arm that gave the actual value.

use std::fmt;

use super::Failure;
use super::typed::Expected;
use super::world::{End, Produced, World};
use crate::lang::eval::RuleId;
use crate::lang::eval::reference::Taken;
use crate::lang::fuzz::judge::shown;
use crate::lang::plan::Plan;
use crate::lang::syntax::ast::ExpectKind;
use crate::lang::text::Span;
use crate::lang::value::Value;

/// A field that is not as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The destination field.
    pub field: String,
    /// What the test says, as people read it.
    pub expected: String,
    /// What came out.
    pub got: String,
    /// What gave it: ``its `else`, acme.b2n:34``.
    pub by: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: expected {}, got {} ({})", self.field, self.expected, self.got, self.by)
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

/// Compares an expected record with those of its object; `None` where one of them matches.
pub(super) fn record(world: &World<'_>, plan: &Plan, expected: &Expected, span: Span) -> Option<Failure> {
    let mut best: Option<Vec<Mismatch>> = None;
    for produced in &world.produced {
        if plan.maps[produced.map].target != expected.object {
            continue;
        }
        let diff = differences(plan, produced, expected);
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
    let notes = if best.is_some() { Vec::new() } else { happened(world, plan) };
    Some(Failure { span, message, diff: best.unwrap_or_default(), notes })
}

fn differences(plan: &Plan, produced: &Produced, expected: &Expected) -> Vec<Mismatch> {
    let map = &plan.maps[produced.map];
    let mut found = Vec::new();
    let mut differs = |field: &str, target: Option<usize>, wanted: &Value, got: &Value| {
        found.push(Mismatch {
            field: field.to_owned(),
            expected: shown(wanted),
            got: shown(got),
            by: target.map_or_else(|| "no rule writes it".to_owned(), |target| by(plan, produced, target)),
        });
    };
    for (field, wanted) in &expected.fields {
        let target = map.targets.iter().position(|target| target.name == *field);
        let got = target.and_then(|target| produced.output.values.get(target)).unwrap_or(&Value::Absent);
        if !matches(wanted, got) {
            differs(field, target, wanted, got);
        }
    }
    if !expected.open {
        for (index, target) in map.targets.iter().enumerate() {
            let named = expected.fields.iter().any(|(field, _)| *field == target.name);
            let got = produced.output.values.get(index).unwrap_or(&Value::Absent);
            if !named && !got.is_absent() {
                differs(&target.name, Some(index), &Value::Absent, got);
            }
        }
    }
    found
}

/// What gave the value of a target.
fn by(plan: &Plan, produced: &Produced, target: usize) -> String {
    let rules = rules_of(plan, produced.map, target);
    let hits = produced.hits.iter().filter(|hit| hit.rule.is_some_and(|rule| rules.contains(&rule)));
    // A row says more than the rule that looks it up.
    let is_row = |taken: &Taken| matches!(taken, Taken::Row(..) | Taken::StageRow(..));
    let all: Vec<_> = hits.collect();
    let arm = all.iter().rev().find(|hit| matches!(hit.taken, Taken::Else(_) | Taken::OnFail));
    let hit = arm.or_else(|| all.iter().rev().find(|hit| is_row(&hit.taken))).or(all.last());
    let (what, line) = match hit {
        Some(hit) => (taken(plan, &hit.taken), hit.line),
        None => {
            let rule = rules.first().and_then(|rule| rule.find(plan, produced.map));
            ("the rule gave no value".to_owned(), rule.map_or(0, |rule| rule.line))
        }
    };
    let (file, line) = plan.place(line);
    format!("{what}, {file}:{line}")
}

fn taken(plan: &Plan, taken: &Taken) -> String {
    let row = |name: Option<&String>, code: &Option<String>| {
        let name = name.map(String::as_str).unwrap_or_default();
        match code {
            Some(code) => format!("row \"{code}\" of `{name}`"),
            None => format!("`unseen` of `{name}`"),
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

/// Whether a value is what a test expects. What the expectation leaves open may be anything: an element's label, a
/// stage's pipeline, the other maps of a link.
pub(super) fn matches(wanted: &Value, got: &Value) -> bool {
    match (wanted, got) {
        (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| matches(a, b)),
        (Value::Item(a), Value::Item(b)) => {
            matches(&a.value, &b.value)
                && a.attrs.len() == b.attrs.len()
                && a.attrs.iter().zip(&b.attrs).all(|(a, b)| matches(a, b))
        }
        (wanted, Value::Item(item)) if !item.value.is_absent() => matches(wanted, &item.value),
        (Value::Stage(a), Value::Stage(b)) => {
            (a.pipeline.is_empty() || a.pipeline == b.pipeline)
                && a.stage == b.stage
                && a.outcome == b.outcome
        }
        (Value::Ref(a), Value::Ref(b)) => a.key == b.key && (a.map == b.map || b.others.contains(&a.map)),
        (Value::Instant(a), Value::Instant(b)) => a.at == b.at,
        (Value::Text(a), Value::Name(b)) => b.to_string() == a.as_str(),
        (wanted, got) => match (wanted.as_decimal(), got.as_decimal()) {
            (Some(a), Some(b)) => a == b,
            _ => wanted == got,
        },
    }
}

/// Compares what is not a record; `None` where it is as expected.
pub(super) fn other(world: &World<'_>, kind: &ExpectKind, span: Span) -> Option<Failure> {
    let plan = world.plan();
    let ended = |end: End, why: Option<&str>| {
        world.ended.iter().any(|one| one.end == end && why.is_none_or(|why| one.reason == why))
    };
    let fail = |message: String, notes: Vec<String>| Some(Failure { span, message, diff: Vec::new(), notes });
    let holds = match kind {
        ExpectKind::Record(..) => return None,
        ExpectKind::No(object) => {
            let found =
                world.produced.iter().find(|produced| plan.maps[produced.map].target == object.value)?;
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
    fail(message, happened(world, plan))
}

/// What became of the given records, a line each.
fn happened(world: &World<'_>, plan: &Plan) -> Vec<String> {
    let who = |from: usize| format!("given record {} (`{}`)", from + 1, world.given[from].object);
    let mut lines = Vec::new();
    for produced in &world.produced {
        let flags: Vec<String> =
            produced.output.flags.iter().map(|flag| format!(", flagged \"{}\"", flag.why)).collect();
        let target = &plan.maps[produced.map].target;
        lines.push(format!("{} becomes a `{target}`{}", who(produced.from), flags.concat()));
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
