//! Whether a plan accounts for every source field, by the plan's expressions and the source's schema alone. Knows nothing
//! of how the checker counts, nor of what it thinks that a map reads.

use std::collections::{BTreeMap, BTreeSet};

use crate::lang::plan::{Arm, Dropped, Expr, Filter, Note, Plan, Rule, SplitHow};
use crate::lang::schema::{Object, Schema};
use crate::lang::types::Base;

/// Fields of mapped and folded objects that no part of the plan reads, drops or leaves to a person, and columns of
/// their lines: `deal.TITLE`, `quote.rows.PRICE`. A checked plan has none.
pub fn unaccounted(plan: &Plan, source: &Schema) -> Vec<String> {
    let mut names: BTreeSet<&str> = plan.maps.iter().map(|map| map.source.as_str()).collect();
    names.extend(plan.flattens.iter().map(|flatten| flatten.source.as_str()));
    let mut found = Vec::new();
    for object in names.into_iter().filter_map(|name| source.object(name)) {
        let (seen, dropped) = accounts(plan, object);
        let settled = |name: &str| {
            let open = format!("{}.{name}", object.name);
            dropped.contains(name) || plan.open.iter().any(|one| one.kind == "todo" && one.what == open)
        };
        for (slot, field) in (0u16..).zip(&object.fields) {
            if settled(&field.name) {
                continue;
            }
            if !seen.slots.contains(&slot) {
                found.push(format!("{}.{}", object.name, field.name));
                continue;
            }
            let Some(columns) = seen.columns.get(&slot).filter(|_| field.ty.base == Base::Record) else {
                continue;
            };
            for (index, column) in (0u16..).zip(&field.attributes) {
                let name = format!("{}.{}", field.name, column.name);
                if !columns.contains(&index) && !settled(&name) {
                    found.push(format!("{}.{name}", object.name));
                }
            }
        }
    }
    found
}

/// What is read of an object's records.
#[derive(Default)]
struct Seen {
    slots: BTreeSet<u16>,
    /// Of the record that takes a folded one in.
    outer: BTreeSet<u16>,
    /// Attributes that the lines of a list read, by the slot of the list.
    columns: BTreeMap<u16, BTreeSet<u16>>,
}

/// What the plan reads of an object, and what it drops.
fn accounts<'p>(plan: &'p Plan, object: &Object) -> (Seen, BTreeSet<&'p str>) {
    let mut seen = Seen::default();
    let mut dropped = BTreeSet::new();
    let mut drop = |all: &'p [Dropped]| dropped.extend(all.iter().map(|one| one.field.as_str()));
    for map in plan.maps.iter().filter(|map| map.source == object.name) {
        seen.slots.insert(map.key);
        seen.parts(map.filter.as_ref(), &map.rules, &map.notes);
        drop(&map.dropped);
    }
    for flatten in &plan.flattens {
        if flatten.source == object.name {
            seen.slots.extend([flatten.key, flatten.via]);
            seen.slots.extend(flatten.pick.map(|pick| pick.by));
            seen.parts(flatten.filter.as_ref(), &flatten.rules, &flatten.notes);
            drop(&flatten.dropped);
        }
        if plan.maps.get(usize::from(flatten.into)).is_some_and(|map| map.source == object.name) {
            let mut inside = Seen::default();
            inside.parts(flatten.filter.as_ref(), &flatten.rules, &flatten.notes);
            seen.slots.append(&mut inside.outer);
        }
    }
    for split in plan.splits.iter().filter(|split| split.source == object.name) {
        match &split.how {
            SplitHow::When(rows) => {
                rows.iter().filter_map(|row| row.when.as_ref()).for_each(|when| seen.expr(when, None));
            }
            SplitHow::Value { slot, .. } => {
                seen.slots.insert(*slot);
            }
        }
    }
    (seen, dropped)
}

impl Seen {
    fn parts(&mut self, filter: Option<&Filter>, rules: &[Rule], notes: &[Note]) {
        if let Some(filter) = filter {
            self.expr(&filter.condition, None);
        }
        rules.iter().for_each(|rule| self.rule(rule, None));
        for note in notes {
            self.expr(&note.title, None);
            self.rule(&note.rule, None);
        }
    }

    /// `line` is the slot of the list whose lines the rule makes.
    fn rule(&mut self, rule: &Rule, line: Option<u16>) {
        let label = rule.label.iter().flat_map(|label| std::iter::once(&label.value).chain(&label.when));
        let arms = rule.otherwise.iter().chain(&rule.on_fail).chain(&rule.on_unmigrated);
        let values = arms.filter_map(|arm| match arm {
            Arm::Value { value, .. } => Some(value.as_ref()),
            _ => None,
        });
        self.expr(&rule.value, line);
        rule.when.iter().chain(values).for_each(|expr| self.expr(expr, line));
        // A label sees the element's own attributes.
        label.for_each(|expr| self.expr(expr, None));
    }

    fn expr(&mut self, expr: &Expr, line: Option<u16>) {
        match expr {
            Expr::Slot(slot) => {
                self.slots.insert(*slot);
            }
            Expr::Outer(slot) => {
                self.outer.insert(*slot);
            }
            Expr::Attribute(index) => {
                if let Some(list) = line {
                    self.columns.entry(list).or_default().insert(*index);
                }
            }
            Expr::Element | Expr::Const(_) | Expr::Param(_) => {}
            Expr::Concat(all) | Expr::List(all) => all.iter().for_each(|expr| self.expr(expr, line)),
            Expr::Call { args, .. } | Expr::Apply { args, .. } => {
                args.iter().for_each(|expr| self.expr(expr, line));
            }
            Expr::Lookup { key: of, .. } | Expr::Owner(of) | Expr::Has(of) | Expr::Not(of) => {
                self.expr(of, line)
            }
            Expr::Title { of, .. } => self.expr(of, line),
            Expr::Each { list, body } => {
                self.expr(list, line);
                self.expr(body, None);
            }
            Expr::EachLine { list, rules, .. } => {
                self.expr(list, line);
                let of = match list.as_ref() {
                    Expr::Slot(slot) => Some(*slot),
                    _ => None,
                };
                if let Some(slot) = of {
                    self.columns.entry(slot).or_default();
                }
                rules.iter().for_each(|rule| self.rule(rule, of));
            }
            Expr::Ref { link, object, .. } => {
                self.expr(link, line);
                object.iter().for_each(|object| self.expr(object, line));
            }
            Expr::Aggregate { of, .. } => of.iter().for_each(|of| self.expr(of, line)),
            Expr::Lines(all) => {
                for one in all {
                    self.expr(&one.value, line);
                    if let Expr::Slot(slot) = &one.value {
                        let columns = one.columns.iter().map(|(_, index)| *index);
                        self.columns.entry(*slot).or_default().extend(columns);
                    }
                }
            }
            Expr::Stage { category, stage, .. } => {
                category.iter().for_each(|category| self.expr(category, line));
                self.expr(stage, line);
            }
            Expr::And(a, b) | Expr::Or(a, b) | Expr::Compare(_, a, b) => {
                self.expr(a, line);
                self.expr(b, line);
            }
        }
    }
}
