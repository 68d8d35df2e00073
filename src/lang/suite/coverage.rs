//! Which rules, arms and rows the tests of a spec exercise.

use super::Exercised;
use crate::lang::eval::RuleId;
use crate::lang::eval::reference::Taken;
use crate::lang::plan::{Plan, Rule, SplitHow};

/// A rule as a key: flatten, whether it is a note, index.
pub(super) type RuleKey = (Option<u16>, bool, u16);

/// An arm of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ArmKey {
    Value,
    Else(u16),
    OnFail,
}

pub(super) fn rule_key(rule: RuleId) -> RuleKey {
    (rule.flatten, rule.note, rule.rule)
}

/// `None` for rows, which are counted apart.
pub(super) fn arm_key(taken: &Taken) -> Option<ArmKey> {
    match taken {
        Taken::Value => Some(ArmKey::Value),
        Taken::Else(number) => Some(ArmKey::Else(*number)),
        Taken::OnFail => Some(ArmKey::OnFail),
        Taken::Row(..) | Taken::StageRow(..) => None,
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
}

/// Sets what was exercised against everything that a plan has. Rules of lines of `each` blocks are parts of theirs,
/// and an `on unmigrated` is the engine's: neither is counted.
pub fn coverage(plan: &Plan, exercised: &Exercised) -> Coverage {
    let mut parts = Vec::new();
    for map in 0..plan.maps.len() {
        let rules = |flatten, note, count: usize| {
            (0..count).map(move |rule| RuleId { flatten, note, rule: rule as u16 })
        };
        let own = &plan.maps[map];
        let mut ids: Vec<RuleId> =
            rules(None, false, own.rules.len()).chain(rules(None, true, own.notes.len())).collect();
        for (index, flatten) in plan.flattens.iter().enumerate() {
            if usize::from(flatten.into) == map {
                let at = Some(index as u16);
                ids.extend(rules(at, false, flatten.rules.len()));
                ids.extend(rules(at, true, flatten.notes.len()));
            }
        }
        for id in ids {
            if let Some(rule) = id.find(plan, map) {
                of_rule(plan, map, id, rule, exercised, &mut parts);
            }
        }
    }
    let row = |what: String, line, covered| Part { kind: "row", what, line, covered };
    for (index, table) in plan.tables.iter().enumerate() {
        let taken = |code: Option<&String>| exercised.rows.contains(&(index as u16, code.cloned()));
        for (code, at) in &table.rows {
            parts.push(row(format!("{} \"{code}\"", table.name), at.line, taken(Some(code))));
        }
        parts.push(row(format!("{} unseen", table.name), table.line, taken(None)));
    }
    for (index, pipeline) in plan.pipelines.iter().enumerate() {
        let taken = |code: Option<&String>| exercised.stages.contains(&(index as u16, code.cloned()));
        for (code, at) in &pipeline.rows {
            parts.push(row(format!("{} \"{code}\"", pipeline.name), at.line, taken(Some(code))));
        }
        parts.push(row(format!("{} unseen", pipeline.name), pipeline.line, taken(None)));
    }
    for split in &plan.splits {
        let what = |line: u32| format!("split {} line {}", split.source, plan.place(line).1);
        let mut lines: Vec<u32> = match &split.how {
            SplitHow::When(rows) => rows.iter().map(|row| row.line).collect(),
            SplitHow::Value { rows, unseen, .. } => {
                rows.values().map(|row| row.line).chain([unseen.line]).collect()
            }
        };
        lines.sort_unstable();
        lines.dedup();
        parts.extend(lines.into_iter().map(|at| row(what(at), at, exercised.splits.contains(&at))));
    }
    parts.sort_by_key(|part| part.line);
    Coverage { parts }
}

fn of_rule(plan: &Plan, map: usize, id: RuleId, rule: &Rule, exercised: &Exercised, parts: &mut Vec<Part>) {
    let taken = |arm| exercised.rules.contains(&(map, rule_key(id), arm));
    let name = id.id(plan, map);
    let arm = |what, covered| Part { kind: "arm", what, line: rule.line, covered };
    parts.push(Part { kind: "rule", what: name.clone(), line: rule.line, covered: taken(ArmKey::Value) });
    for number in 0..rule.otherwise.len() {
        let nth = if rule.otherwise.len() > 1 { format!(" {}", number + 1) } else { String::new() };
        parts.push(arm(format!("{name} else{nth}"), taken(ArmKey::Else(number as u16))));
    }
    if rule.on_fail.is_some() {
        parts.push(arm(format!("{name} on fail"), taken(ArmKey::OnFail)));
    }
}
