//! Which rules, arms and rows the tests of a spec exercise.

use std::collections::BTreeSet;

use super::Input;
use super::arms::Lines;
use crate::lang::eval::RuleId;
use crate::lang::eval::reference::{Hit, Taken};
use crate::lang::plan::{Arm, Expr, Filter, Plan, Rule, SplitHow, Target};

/// A rule of a map: flatten, whether it is a note, index; then the rule of its `each` block, if it is one.
type RuleKey = (Option<u16>, bool, u16, Option<u16>);

fn key(rule: RuleId, inner: Option<u16>) -> RuleKey {
    (rule.flatten, rule.note, rule.rule, inner)
}

/// A part of a plan that can be taken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Rule(usize, RuleKey, ArmKey),
    Row(u16, Option<String>),
    StageRow(u16, Option<String>),
    /// By its line.
    SplitRow(u32),
    /// The `else` of a `where`, of a map or a flatten, by its line.
    LeftOut(u32),
    Orphan(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum ArmKey {
    Value,
    Else(u16),
    OnFail,
    OnUnmigrated,
}

/// Parts of a plan that were taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exercised(BTreeSet<Key>);

impl Exercised {
    /// Adds what others exercised.
    pub fn merge(&mut self, other: Exercised) {
        self.0.extend(other.0);
    }

    pub(super) fn hit(&mut self, map: usize, hit: &Hit) {
        let arm = |arm| hit.rule.map(|rule| Key::Rule(map, key(rule, hit.inner), arm));
        self.0.extend(match &hit.taken {
            Taken::Value => arm(ArmKey::Value),
            Taken::Else(number) => arm(ArmKey::Else(*number)),
            Taken::OnFail => arm(ArmKey::OnFail),
            Taken::Row(table, code) => Some(Key::Row(*table, code.clone())),
            Taken::StageRow(pipeline, code) => Some(Key::StageRow(*pipeline, code.clone())),
        });
    }

    pub(super) fn unmigrated(&mut self, map: usize, rule: RuleId, inner: Option<u16>) {
        self.0.insert(Key::Rule(map, key(rule, inner), ArmKey::OnUnmigrated));
    }

    pub(super) fn split(&mut self, line: u32) {
        self.0.insert(Key::SplitRow(line));
    }

    pub(super) fn left_out(&mut self, line: u32) {
        self.0.insert(Key::LeftOut(line));
    }

    pub(super) fn orphan(&mut self, flatten: usize) {
        self.0.insert(Key::Orphan(flatten));
    }
}

/// A rule, an arm or a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// `rule`, `arm`, `row`.
    pub kind: &'static str,
    /// Which: `deal.value`, `deal.value else`, `sales "WON"`.
    pub what: String,
    /// The line of the plan, from 1.
    pub line: u32,
    /// Whether a test exercised it.
    pub covered: bool,
}

/// What of a plan is exercised.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Every part, by its line.
    pub parts: Vec<Part>,
}

impl Coverage {
    /// Covered parts and all parts of a kind; of all kinds without one.
    pub fn count(&self, kind: Option<&str>) -> (usize, usize) {
        let all = self.parts.iter().filter(|part| kind.is_none_or(|kind| part.kind == kind));
        (all.clone().filter(|part| part.covered).count(), all.count())
    }

    /// The covered share of all parts, in per cent; 100 where there is nothing to cover.
    pub fn per_cent(&self) -> f64 {
        let (covered, all) = self.count(None);
        if all == 0 { 100.0 } else { covered as f64 * 100.0 / all as f64 }
    }

    /// The parts whose line one says yes to.
    #[must_use]
    pub fn of(&self, line: impl Fn(u32) -> bool) -> Coverage {
        Coverage { parts: self.parts.iter().filter(|part| line(part.line)).cloned().collect() }
    }
}

/// Sets what was exercised against everything that a plan has.
pub fn coverage(input: Input<'_>, plan: &Plan, exercised: &Exercised) -> Coverage {
    let mut count = Count { plan, lines: Lines::new(input), exercised, parts: Vec::new() };
    for map in 0..plan.maps.len() {
        count.map(map);
    }
    for (index, flatten) in plan.flattens.iter().enumerate() {
        count.filter(&flatten.source, flatten.filter.as_ref());
        let what = format!("{} orphan", flatten.source);
        count.add("arm", what, flatten.orphan_line, Key::Orphan(index));
    }
    count.rows();
    count.parts.sort_by_key(|part| (part.line, part.kind != "rule"));
    Coverage { parts: count.parts }
}

struct Count<'a> {
    plan: &'a Plan,
    lines: Lines,
    exercised: &'a Exercised,
    parts: Vec<Part>,
}

impl Count<'_> {
    fn add(&mut self, kind: &'static str, what: String, line: u32, key: Key) {
        self.parts.push(Part { kind, what, line, covered: self.exercised.0.contains(&key) });
    }

    fn map(&mut self, map: usize) {
        let plan = self.plan;
        let item = &plan.maps[map];
        self.filter(&item.name, item.filter.as_ref());
        let mut of = |flatten: Option<u16>, rules: usize, notes: usize| {
            for (note, count) in [(false, rules), (true, notes)] {
                for rule in 0..count {
                    let id = RuleId { flatten, note, rule: rule as u16 };
                    if let Some(rule) = id.find(plan, map) {
                        self.rule(map, id, None, &id.id(plan, map), rule);
                    }
                }
            }
        };
        of(None, item.rules.len(), item.notes.len());
        for (index, flatten) in plan.flattens.iter().enumerate() {
            if usize::from(flatten.into) == map {
                of(Some(index as u16), flatten.rules.len(), flatten.notes.len());
            }
        }
    }

    fn filter(&mut self, name: &str, filter: Option<&Filter>) {
        if let Some(filter) = filter {
            self.add("arm", format!("{name} where, left out"), filter.line, Key::LeftOut(filter.line));
        }
    }

    fn rule(&mut self, map: usize, id: RuleId, inner: Option<u16>, name: &str, rule: &Rule) {
        let at = |arm| Key::Rule(map, key(id, inner), arm);
        self.add("rule", name.to_owned(), rule.line, at(ArmKey::Value));
        for number in 0..rule.otherwise.len() as u16 {
            let nth = if rule.otherwise.len() > 1 { format!(" {}", number + 1) } else { String::new() };
            let line = self.lines.of(&Taken::Else(number), rule.line);
            self.add("arm", format!("{name} else{nth}"), line, at(ArmKey::Else(number)));
        }
        if rule.on_fail.is_some() {
            let line = self.lines.of(&Taken::OnFail, rule.line);
            self.add("arm", format!("{name} on fail"), line, at(ArmKey::OnFail));
        }
        if rule.on_unmigrated.is_some() {
            let line = self.lines.of_unmigrated(rule.line);
            self.add("arm", format!("{name} on unmigrated"), line, at(ArmKey::OnUnmigrated));
        }
        if inner.is_none() {
            for (index, (column, rule)) in block_of(rule).into_iter().enumerate() {
                self.rule(map, id, Some(index as u16), &format!("{name}.{column}"), rule);
            }
        }
    }

    fn rows(&mut self) {
        let plan = self.plan;
        for (index, table) in plan.tables.iter().enumerate() {
            let index = index as u16;
            for (code, row) in &table.rows {
                let what = format!("{} \"{code}\"", table.name);
                self.add("row", what, row.line, Key::Row(index, Some(code.clone())));
            }
            let what = format!("{} unseen", table.name);
            self.add("row", what, table.unseen_line, Key::Row(index, None));
        }
        for (index, pipeline) in plan.pipelines.iter().enumerate() {
            let index = index as u16;
            for (code, row) in &pipeline.rows {
                let what = format!("{} \"{code}\"", pipeline.name);
                self.add("row", what, row.line, Key::StageRow(index, Some(code.clone())));
            }
            let what = format!("{} unseen", pipeline.name);
            self.add("row", what, pipeline.unseen_line, Key::StageRow(index, None));
        }
        for split in &plan.splits {
            let mut lines: Vec<u32> = match &split.how {
                SplitHow::When(rows) => rows.iter().map(|row| row.line).collect(),
                SplitHow::Value { rows, unseen, .. } => {
                    rows.values().map(|row| row.line).chain([unseen.line]).collect()
                }
            };
            lines.sort_unstable();
            lines.dedup();
            for (number, line) in lines.into_iter().enumerate() {
                let what = format!("split {} row {}", split.source, number + 1);
                self.add("row", what, line, Key::SplitRow(line));
            }
        }
    }
}

/// The rules of a rule's `each` block with the names of their columns, wherever in the rule it stands.
pub(super) fn block_of(rule: &Rule) -> Vec<(&str, &Rule)> {
    let Some((columns, rules)) =
        lines_of(&rule.value).or_else(|| rule.otherwise.iter().find_map(lines_of_arm))
    else {
        return Vec::new();
    };
    rules.iter().map(|rule| (columns[usize::from(rule.target)].name.as_str(), rule)).collect()
}

fn lines_of(value: &Expr) -> Option<(&[Target], &[Rule])> {
    match value {
        Expr::EachLine { columns, rules, .. } => Some((columns, rules)),
        _ => None,
    }
}

fn lines_of_arm(arm: &Arm) -> Option<(&[Target], &[Rule])> {
    match arm {
        Arm::Value { value, .. } => lines_of(value),
        _ => None,
    }
}
