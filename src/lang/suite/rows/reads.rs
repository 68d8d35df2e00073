//! What the rules around a table or a pipeline read: where a row's code has to stand in a record.

use crate::lang::eval::reference::Taken;
use crate::lang::plan::walk::children;
use crate::lang::plan::{Arm, Expr, Plan, Rule};

/// Places of a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Places {
    /// Slots whose value, or whose elements, are the code.
    pub codes: Vec<usize>,
    /// Attributes of elements that are the code: slot, and the attribute's index.
    pub attributes: Vec<(usize, usize)>,
    /// Slots that hold the category.
    pub categories: Vec<usize>,
}

impl Places {
    fn is_empty(&self) -> bool {
        self.codes.is_empty() && self.attributes.is_empty()
    }
}

/// What a rule feeds into a table or a pipeline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reads {
    /// Of the record that it runs over; in a flatten, of the one that is folded in.
    pub own: Places,
    /// In a flatten: of the record that takes the others in.
    pub outer: Places,
}

impl Reads {
    /// What a rule reads for a row; `None` where it does not use its table or pipeline.
    pub(super) fn of(plan: &Plan, rule: &Rule, row: &Taken) -> Option<Reads> {
        let mut walk = Walk { plan, row, reads: Reads::default() };
        walk.rule(rule, &[]);
        let reads = walk.reads;
        (!reads.own.is_empty() || !reads.outer.is_empty()).then_some(reads)
    }
}

struct Walk<'a> {
    plan: &'a Plan,
    row: &'a Taken,
    reads: Reads,
}

impl Walk<'_> {
    /// A rule, arms included; `list` holds the slots whose elements are at hand.
    fn rule(&mut self, rule: &Rule, list: &[usize]) {
        // The elements of a labelled value are at hand in its label and in its arms.
        let mut own = list.to_vec();
        if let Expr::Each { list: inner, .. } | Expr::Ref { link: inner, .. } = &rule.value {
            slots(inner, &mut own);
        } else {
            slots(&rule.value, &mut own);
        }
        rule.when.iter().for_each(|when| self.expr(when, list));
        self.expr(&rule.value, list);
        if let Some(label) = &rule.label {
            self.expr(&label.value, &own);
            label.when.iter().for_each(|when| self.expr(when, &own));
        }
        for arm in rule.otherwise.iter().chain(&rule.on_fail) {
            if let Arm::Value { value, .. } = arm {
                self.expr(value, &own);
            }
        }
    }

    fn expr(&mut self, expr: &Expr, list: &[usize]) {
        match (expr, self.row) {
            (Expr::Lookup { table, key }, Taken::Row(wanted, _)) if table == wanted => self.code(key, list),
            (Expr::Stage { category, stage, object }, Taken::StageRow(wanted, _)) => {
                let pipeline = self.plan.pipelines.get(usize::from(*wanted));
                if pipeline.is_some_and(|pipeline| pipeline.object == *object) {
                    self.code(stage, list);
                    if let Some(category) = category {
                        slots(category, &mut self.reads.own.categories);
                        outer_slots(category, &mut self.reads.outer.categories);
                    }
                }
            }
            // A function that looks up in the table: any of its arguments may be what is looked up.
            (Expr::Apply { function, args }, Taken::Row(wanted, _)) if self.uses(*function, *wanted) => {
                args.iter().for_each(|arg| self.code(arg, list));
            }
            _ => {}
        }
        match expr {
            Expr::Each { list: of, body } => {
                self.expr(of, list);
                let mut at_hand = Vec::new();
                slots(of, &mut at_hand);
                self.expr(body, &at_hand);
            }
            Expr::EachLine { list: of, rules, .. } => {
                self.expr(of, list);
                let mut at_hand = Vec::new();
                slots(of, &mut at_hand);
                rules.iter().for_each(|rule| self.rule(rule, &at_hand));
            }
            other => children(other, &mut |part| self.expr(part, list)),
        }
    }

    /// Whether a function, or one that it calls, looks up in a table. Functions call only those before them.
    fn uses(&self, function: u16, table: u16) -> bool {
        let Some(function) = self.plan.functions.get(usize::from(function)) else { return false };
        let mut found = false;
        walk(&function.body, &mut |expr| {
            found |= match expr {
                Expr::Lookup { table: other, .. } => *other == table,
                Expr::Apply { function, .. } => self.uses(*function, table),
                _ => false,
            };
        });
        found
    }

    fn code(&mut self, key: &Expr, list: &[usize]) {
        slots(key, &mut self.reads.own.codes);
        outer_slots(key, &mut self.reads.outer.codes);
        let places = &mut self.reads.own;
        walk(key, &mut |expr| match expr {
            Expr::Element => list.iter().for_each(|slot| add(&mut places.codes, *slot)),
            Expr::Attribute(index) => {
                let at = |slot: &usize| (*slot, usize::from(*index));
                list.iter().for_each(|slot| add(&mut places.attributes, at(slot)));
            }
            _ => {}
        });
    }
}

fn add<T: PartialEq>(found: &mut Vec<T>, one: T) {
    if !found.contains(&one) {
        found.push(one);
    }
}

fn slots(expr: &Expr, found: &mut Vec<usize>) {
    walk(expr, &mut |expr| {
        if let Expr::Slot(slot) = expr {
            add(found, usize::from(*slot));
        }
    });
}

fn outer_slots(expr: &Expr, found: &mut Vec<usize>) {
    walk(expr, &mut |expr| {
        if let Expr::Outer(slot) = expr {
            add(found, usize::from(*slot));
        }
    });
}

/// An expression and all that it is made of, rules of blocks apart.
fn walk(expr: &Expr, see: &mut dyn FnMut(&Expr)) {
    see(expr);
    match expr {
        Expr::EachLine { list, .. } => walk(list, see),
        other => children(other, &mut |part| walk(part, see)),
    }
}
