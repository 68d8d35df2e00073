//! What the fast program notes of the parts of the plan that gave values. It notes indices only; [`Hit::named`] tells
//! what they mean.

use super::{RuleId, reference};
use crate::lang::plan::Plan;

/// Is told each part of the plan that a run takes, in order.
pub(super) trait Watch {
    /// Told that a part was taken.
    fn hit(&mut self, rule: Option<RuleId>, taken: Taken, line: u32);

    /// Told which rule of an `each` block runs from now on, or that none does. Gives the one before.
    fn within(&mut self, inner: Option<u16>) -> Option<u16>;
}

/// Nobody watches, and nothing is done for it.
impl Watch for () {
    #[inline(always)]
    fn hit(&mut self, _: Option<RuleId>, _: Taken, _: u32) {}

    #[inline(always)]
    fn within(&mut self, _: Option<u16>) -> Option<u16> {
        None
    }
}

/// Notes everything.
pub(super) struct Noting<'h> {
    hits: &'h mut Vec<Hit>,
    inner: Option<u16>,
}

impl<'h> Noting<'h> {
    pub fn new(hits: &'h mut Vec<Hit>) -> Self {
        Noting { hits, inner: None }
    }
}

impl Watch for Noting<'_> {
    fn hit(&mut self, rule: Option<RuleId>, taken: Taken, line: u32) {
        self.hits.push(Hit { rule, inner: self.inner, taken, line });
    }

    fn within(&mut self, inner: Option<u16>) -> Option<u16> {
        std::mem::replace(&mut self.inner, inner)
    }
}

/// A part of the plan that gave a value, or was asked for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The rule or note that it served; `None` in a `where`.
    pub rule: Option<RuleId>,
    /// Within that rule's `each` block: the rule of the line, by its index there.
    pub inner: Option<u16>,
    /// What was taken.
    pub taken: Taken,
    /// The line of the plan that says so, from 1.
    pub line: u32,
}

/// What was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The value of the rule.
    Value,
    /// Its `else`, by its number from 0.
    Else(u16),
    /// Its `on fail`.
    OnFail,
    /// A row of a table, by the table's index and the row's index in it; `None` for its `unseen`.
    Row(u16, Option<u32>),
    /// A row of a pipeline, likewise.
    StageRow(u16, Option<u32>),
}

impl Hit {
    /// The same with codes instead of the indices of rows, as [`reference::watched`] tells it.
    pub fn named(&self, plan: &Plan) -> reference::Hit {
        let taken = match self.taken {
            Taken::Value => reference::Taken::Value,
            Taken::Else(number) => reference::Taken::Else(number),
            Taken::OnFail => reference::Taken::OnFail,
            Taken::Row(table, row) => {
                let rows = plan.tables.get(usize::from(table)).map(|table| &table.rows);
                let nth = |row: u32| rows.and_then(|rows| rows.keys().nth(row as usize));
                reference::Taken::Row(table, row.and_then(nth).cloned())
            }
            Taken::StageRow(pipeline, row) => {
                let rows = plan.pipelines.get(usize::from(pipeline)).map(|pipeline| &pipeline.rows);
                let nth = |row: u32| rows.and_then(|rows| rows.keys().nth(row as usize));
                reference::Taken::StageRow(pipeline, row.and_then(nth).cloned())
            }
        };
        reference::Hit { rule: self.rule, inner: self.inner, taken, line: self.line }
    }
}
