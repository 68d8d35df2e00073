//! Budgets: limits that the check can judge from the spec and the statistics, and those that only a run can.

use std::collections::{BTreeMap, HashMap};

use super::items::Items;
use super::names::nearest;
use super::{Checker, counts};
use crate::lang::finding::{Count, Finding, registry as codes};
use crate::lang::plan::{self, Arm, Expr, Plan, StageTo};
use crate::lang::syntax::ast::{self, BudgetUnit};
use crate::lang::types::Fidelity;
use rust_decimal::Decimal;
use rust_decimal::prelude::FromPrimitive;

/// What a run judges: shares of records, or records.
const RUN: &[&str] = &["quarantine", "flag", "owners.otherwise"];

/// What the check judges, with the units that it is counted in.
const STATIC: &[(&str, &[&str])] = &[
    ("merged", &["tables", "rules"]),
    ("narrowed", &["rules"]),
    ("summarised", &["rules"]),
    ("dropped", &["fields"]),
    ("gap", &["fields"]),
    ("proposed", &["rules"]),
    ("todo", &["fields"]),
];

impl<'a> Checker<'a> {
    /// Judges what can be judged now, and gives the plan what only a run can judge.
    pub(super) fn budgets(&mut self, items: &Items<'a>, plan: &mut Plan) {
        let mut first: HashMap<(&str, &str), &ast::BudgetRow> = HashMap::new();
        for row in items.budgets.iter().flat_map(|budget| &budget.rows) {
            let what = row.what.value.as_str();
            let unit = match &row.unit {
                BudgetUnit::Percent => "%",
                BudgetUnit::Counted(unit) => unit.as_ref().map_or("", |unit| unit.value.as_str()),
            };
            if let Some(earlier) = first.insert((what, unit), row) {
                self.add(
                    Finding::new(codes::DUPLICATE_ITEM, format!("`{what}` is limited twice"))
                        .at(row.span, "the second time")
                        .and_at(earlier.span, "the first time")
                        .help("keep one of them"),
                );
                continue;
            }
            if RUN.contains(&what) {
                if matches!(unit, "%" | "" | "records" | "record") {
                    let limit = plan::Limit {
                        what: what.to_owned(),
                        at_most: row.limit.value,
                        share: unit == "%",
                        line: self.line(row.span),
                    };
                    self.owners_known(row, &limit, plan);
                    plan.budget.push(limit);
                } else {
                    self.unit(row, unit, "per cent of the records, or in `records`");
                }
                continue;
            }
            let Some((_, units)) = STATIC.iter().find(|(known, _)| *known == what) else {
                self.unmeasured(row);
                continue;
            };
            let plural = if unit.ends_with('s') || unit.is_empty() || unit == "%" {
                unit.to_owned()
            } else {
                format!("{unit}s")
            };
            let unit = match plural.as_str() {
                "" => units[0],
                _ => match units.iter().find(|known| **known == plural) {
                    Some(unit) => unit,
                    None => {
                        self.unit(row, unit, &format!("`{}`", units.join("` or `")));
                        continue;
                    }
                },
            };
            let found = measured(plan, what, unit);
            if Decimal::from_usize(found.len()).is_some_and(|number| number > row.limit.value) {
                self.exceeded(row, unit, &found);
            }
        }
    }

    fn unmeasured(&mut self, row: &ast::BudgetRow) {
        let known: Vec<&str> = RUN.iter().copied().chain(STATIC.iter().map(|(known, _)| *known)).collect();
        let help = match nearest(&row.what.value, known.iter().copied()) {
            Some(meant) => format!("did this mean `{meant}`?"),
            None => format!("limits are for `{}`", known.join("`, `")),
        };
        self.add(
            Finding::new(codes::BUDGET_UNKNOWN, format!("`{}` is not measured", row.what.value))
                .at(row.what.span, "never judged")
                .help(help),
        );
    }

    fn unit(&mut self, row: &ast::BudgetRow, unit: &str, units: &str) {
        self.add(
            Finding::new(codes::BUDGET_UNKNOWN, format!("`{}` is not counted in `{unit}`", row.what.value))
                .at(row.span, "never judged")
                .help(format!("it is counted in {units}")),
        );
    }

    fn exceeded(&mut self, row: &ast::BudgetRow, unit: &str, found: &[String]) {
        let mut names: Vec<String> = found.iter().take(8).map(|name| format!("`{name}`")).collect();
        if found.len() > 8 {
            names.push(format!("{} more", found.len() - 8));
        }
        let noun = unit.strip_suffix('s').unwrap_or(unit);
        self.add(
            Finding::new(
                codes::BUDGET_EXCEEDED,
                format!(
                    "`{}` comes to {}, and the budget allows {}",
                    row.what.value,
                    counts::many(found.len(), noun),
                    row.limit.value
                ),
            )
            .at(row.span, "exceeded")
            .note(names.join(", "))
            .help("lose less, or agree on another limit"),
        );
    }

    /// Where the statistics count records per user, the share that nobody owns is known before any run.
    fn owners_known(&mut self, row: &ast::BudgetRow, limit: &plan::Limit, plan: &Plan) {
        if limit.what != "owners.otherwise" {
            return;
        }
        let (mut lacking, mut total) = (0u64, 0u64);
        for map in &plan.maps {
            let Some(object) = self.source.object(&map.source) else { return };
            let owned = map.rules.iter().find_map(|rule| match &rule.value {
                Expr::Owner(user) => match user.as_ref() {
                    Expr::Slot(slot) => Some(*slot),
                    _ => None,
                },
                _ => None,
            });
            let Some(slot) = owned else { continue };
            let Some(stats) = &object.fields[usize::from(slot)].stats else { return };
            let Some(records) = object.records else { return };
            if stats.filled > 0 && stats.values.is_empty() {
                return;
            }
            let otherwise = |user: &str| {
                plan.owners.users.get(user).is_none_or(|owner| owner.how == plan::OwnerHow::Otherwise)
            };
            lacking += stats.values.iter().filter(|(user, _)| otherwise(user)).map(|(_, n)| n).sum::<u64>();
            lacking += records.saturating_sub(stats.filled);
            total += records;
        }
        let allowed = if limit.share { limit.at_most * Decimal::from(total) } else { limit.at_most };
        if total > 0 && Decimal::from(lacking) > allowed {
            self.add(
                Finding::new(
                    codes::BUDGET_EXCEEDED,
                    format!(
                        "{} of {} records fall to `otherwise`, and the budget allows {}",
                        counts::grouped(lacking),
                        counts::grouped(total),
                        self.quote(row.limit.span)
                    ),
                )
                .at(row.span, "exceeded")
                .note(self.source_note())
                .count(Count::Exact { records: lacking })
                .help("name their users in `owners`, or agree on another limit"),
            );
        }
    }
}

/// What a plan has of something that budgets limit, by name.
fn measured(plan: &Plan, what: &str, unit: &str) -> Vec<String> {
    let rules = |fidelity: Fidelity| {
        let mut found = Vec::new();
        for map in &plan.maps {
            let own = map.rules.iter().filter(|rule| rule.fidelity == fidelity);
            found.extend(own.map(|rule| name(map, rule)));
            let notes = map.notes.iter().filter(|note| note.rule.fidelity == fidelity);
            found.extend(notes.map(|note| format!("{}.{}", map.name, note.name)));
        }
        for flatten in &plan.flattens {
            let Some(map) = plan.maps.get(usize::from(flatten.into)) else { continue };
            let own = flatten.rules.iter().filter(|rule| rule.fidelity == fidelity);
            found.extend(own.map(|rule| name(map, rule)));
            let notes = flatten.notes.iter().filter(|note| note.rule.fidelity == fidelity);
            found.extend(notes.map(|note| format!("{}.{}", flatten.source, note.name)));
        }
        found
    };
    let dropped = |gap: bool| {
        let maps = plan.maps.iter().map(|map| (&map.name, &map.dropped));
        let flattens = plan.flattens.iter().map(|flatten| (&flatten.source, &flatten.dropped));
        maps.chain(flattens)
            .flat_map(|(item, dropped)| {
                let some = dropped.iter().filter(move |field| field.gap == gap);
                some.map(move |field| format!("{item}.{}", field.field))
            })
            .collect()
    };
    match (what, unit) {
        ("merged", "tables") => merging(plan),
        ("merged", _) => rules(Fidelity::Merged),
        ("narrowed", _) => rules(Fidelity::Narrowed),
        ("summarised", _) => rules(Fidelity::Summarised),
        ("dropped", _) => dropped(false),
        ("gap", _) => dropped(true),
        (kind, _) => {
            plan.open.iter().filter(|open| open.kind == kind).map(|open| open.what.clone()).collect()
        }
    }
}

fn name(map: &plan::Map, rule: &plan::Rule) -> String {
    let target = map.targets.get(usize::from(rule.target)).map_or("", |target| target.name.as_str());
    format!("{}.{target}", map.name)
}

/// Tables and pipelines in which several codes give one value.
fn merging(plan: &Plan) -> Vec<String> {
    let tables = plan.tables.iter().filter(|table| {
        let mut seen: Vec<&Arm> = Vec::new();
        table.rows.values().any(|row| {
            let value = matches!(row.arm, Arm::Value { .. });
            let merged = value && seen.contains(&&row.arm);
            seen.push(&row.arm);
            merged
        })
    });
    let pipelines = plan.pipelines.iter().filter(|pipeline| {
        let mut seen: BTreeMap<String, ()> = BTreeMap::new();
        pipeline.rows.values().any(|row| match &row.to {
            StageTo::Stage(stage) => seen.insert(format!("{stage:?}"), ()).is_some(),
            StageTo::Arm(_) => false,
        })
    });
    tables.map(|table| table.name.clone()).chain(pipelines.map(|pipeline| pipeline.name.clone())).collect()
}
