//! What a plan becomes before it runs: every name a number, every reason ready to share.

use std::collections::HashMap;
use std::sync::Arc;

use compact_str::CompactString;

use super::machine::{Machine, orphan};
use super::watch::{Hit, Noting};
use super::{Fold, Folded, Outcome, Route, reason};
use crate::lang::functions::{Context, Function};
use crate::lang::plan::{Aggregate, Comparison, OwnerHow, Pick};
use crate::lang::value::Value;

/// A plan, ready to run. Shared between threads.
#[derive(Debug)]
pub struct Program {
    pub(super) maps: Vec<MapProgram>,
    pub(super) flattens: Vec<FlattenProgram>,
    pub(super) splits: Vec<SplitProgram>,
    pub(super) functions: Vec<Op>,
    pub(super) tables: Vec<RowsProgram>,
    pub(super) pipelines: Vec<RowsProgram>,
    pub(super) owners: HashMap<CompactString, OwnerProgram>,
    pub(super) other_owners: OwnerProgram,
    pub(super) context: Context,
}

impl Program {
    /// Runs one map over one record of its source object, into which nothing is folded.
    ///
    /// A record with too few slots reads as one with absent values. A map that does not exist writes nothing.
    pub fn run(&self, map: usize, record: &[Value]) -> Outcome {
        self.run_with(map, record, &[])
    }

    /// Runs one map over one record and those that are folded into it. Flattens into other maps are passed over.
    pub fn run_with(&self, map: usize, record: &[Value], folded: &[Folded<'_>]) -> Outcome {
        match self.maps.get(map) {
            Some(program) => Machine::new(self).run(map, program, record, folded),
            None => Outcome::LeftOut { reason: Arc::from(reason::NOT_IN_WHERE), line: 0 },
        }
    }

    /// The same, and adds what was taken on the way to `hits`, in order.
    pub fn run_watched(
        &self,
        map: usize,
        record: &[Value],
        folded: &[Folded<'_>],
        hits: &mut Vec<Hit>,
    ) -> Outcome {
        match self.maps.get(map) {
            Some(program) => Machine::watched(self, Noting::new(hits)).run(map, program, record, folded),
            None => Outcome::LeftOut { reason: Arc::from(reason::NOT_IN_WHERE), line: 0 },
        }
    }

    /// Tells which maps a record of a shared source object goes to. A split that does not exist leaves it out.
    pub fn route(&self, split: usize, record: &[Value]) -> Route<'_> {
        match self.splits.get(split) {
            Some(program) => Machine::new(self).route(program, record),
            None => Route::LeftOut { reason: Arc::from(reason::NOT_IN_WHERE), line: 0 },
        }
    }

    /// Tells which record one goes with that a flatten folds in. Whether that one takes part is not known here:
    /// where it does not, [`Program::orphan`] says what happens. A flatten that does not exist leaves it out.
    pub fn fold(&self, flatten: usize, record: &[Value]) -> Fold {
        match self.flattens.get(flatten) {
            Some(program) => Machine::new(self).fold(program, record),
            None => Fold::LeftOut { reason: Arc::from(reason::NOT_IN_WHERE), line: 0 },
        }
    }

    /// Tells what becomes of a record whose link leads to one that takes no part.
    pub fn orphan(&self, flatten: usize) -> Fold {
        match self.flattens.get(flatten) {
            Some(program) => orphan(program),
            None => Fold::LeftOut { reason: Arc::from(reason::NOT_IN_WHERE), line: 0 },
        }
    }
}

#[derive(Debug)]
pub(super) struct MapProgram {
    pub filter: Option<FilterProgram>,
    pub targets: Vec<TargetProgram>,
    pub rules: Vec<RuleProgram>,
    pub notes: Vec<NoteProgram>,
}

#[derive(Debug)]
pub(super) struct FilterProgram {
    pub condition: Op,
    pub otherwise: Act,
    pub line: u32,
}

#[derive(Debug)]
pub(super) struct TargetProgram {
    pub many: bool,
    pub decimal: bool,
}

#[derive(Debug)]
pub(super) struct RuleProgram {
    pub target: usize,
    /// What reasons call it: the destination field, the column, the note.
    pub name: Arc<str>,
    pub when: Option<Op>,
    pub value: Op,
    pub label: Option<LabelProgram>,
    pub otherwise: Vec<Act>,
    pub on_fail: Option<Act>,
    pub line: u32,
}

#[derive(Debug)]
pub(super) struct LabelProgram {
    pub value: Op,
    pub when: Option<Op>,
}

#[derive(Debug)]
pub(super) struct NoteProgram {
    pub title: Op,
    pub rule: RuleProgram,
    /// `for each`, and how many at most.
    pub for_each: Option<Option<u32>>,
}

#[derive(Debug)]
pub(super) struct FlattenProgram {
    pub source: Arc<str>,
    pub into: u16,
    /// The source object of the map that takes the records in.
    pub parent: Arc<str>,
    pub via: usize,
    pub key: usize,
    pub filter: Option<FilterProgram>,
    pub pick: Option<Pick>,
    pub rules: Vec<RuleProgram>,
    pub notes: Vec<NoteProgram>,
    pub orphan: Act,
    pub orphan_line: u32,
}

#[derive(Debug)]
pub(super) struct SplitProgram {
    pub source: Arc<str>,
    pub how: SplitBy,
}

#[derive(Debug)]
pub(super) enum SplitBy {
    When(Vec<(Option<Op>, SplitTarget)>),
    Value { slot: usize, rows: HashMap<CompactString, SplitTarget>, unseen: SplitTarget },
}

#[derive(Debug)]
pub(super) struct SplitTarget {
    pub to: SendTo,
    pub line: u32,
}

#[derive(Debug)]
pub(super) enum SendTo {
    Maps(Vec<u16>),
    Listed(Arc<str>),
    Act(Act),
}

/// A table, or a pipeline.
#[derive(Debug)]
pub(super) struct RowsProgram {
    pub name: Arc<str>,
    pub rows: HashMap<CompactString, RowProgram>,
    pub unseen: Act,
    pub unseen_line: u32,
}

/// A row of a table, or of a pipeline.
#[derive(Debug)]
pub(super) struct RowProgram {
    pub act: Act,
    pub line: u32,
    /// Which row of the plan's it is.
    pub index: u32,
}

#[derive(Debug)]
pub(super) struct OwnerProgram {
    /// The destination user's id.
    pub user: Value,
    pub flag: Option<Arc<str>>,
    pub how: OwnerHow,
}

/// An arm.
#[derive(Debug)]
pub(super) enum Act {
    Value { value: Op, flag: Option<Arc<str>> },
    Flag(Arc<str>),
    Unset,
    Skip(Arc<str>),
    Quarantine,
    Stop,
}

/// An expression.
#[derive(Debug)]
pub(super) enum Op {
    Slot(usize),
    Element,
    Attribute(usize),
    Const(Value),
    Concat(Vec<Op>),
    Call { function: &'static Function, args: Vec<Op> },
    Lookup { table: usize, key: Box<Op> },
    Each { list: Box<Op>, body: Box<Op> },
    EachLine(Box<LinesProgram>),
    Ref { to: Box<Links>, link: Box<Op> },
    Apply { function: usize, args: Vec<Op> },
    Param(usize),
    Outer(usize),
    Aggregate { kind: Aggregate, of: Option<Box<Op>> },
    Lines(Vec<LineProgram>),
    Title { of: Box<Op>, titles: HashMap<CompactString, Value> },
    Owner(Box<Op>),
    Stage(Box<StageProgram>),
    List(Vec<Op>),
    Has(Box<Op>),
    Not(Box<Op>),
    And(Box<Op>, Box<Op>),
    Or(Box<Op>, Box<Op>),
    Compare(Comparison, Box<Op>, Box<Op>),
}

#[derive(Debug)]
pub(super) struct StageProgram {
    /// Category to pipeline.
    pub pipelines: HashMap<CompactString, usize>,
    pub object: Arc<str>,
    pub category: Option<Op>,
    pub stage: Op,
}

#[derive(Debug)]
pub(super) struct LinesProgram {
    pub list: Op,
    pub columns: Vec<TargetProgram>,
    pub rules: Vec<RuleProgram>,
}

/// A line of a text.
#[derive(Debug)]
pub(super) struct LineProgram {
    pub label: String,
    pub value: Op,
    pub columns: Vec<(String, usize)>,
}

/// Where links of an expression lead to.
#[derive(Debug)]
pub(super) enum Links {
    /// To one object; nowhere, when no map carries it.
    One(Option<Carriers>),
    /// To the object that each link names.
    Any(Vec<Carriers>),
    /// To the object that another value names.
    Named(Op, Vec<Carriers>),
}

/// The maps that carry one source object, in the order of trial.
#[derive(Debug)]
pub(super) struct Carriers {
    /// The object's name; in [`Links::Named`] in lower case.
    pub source: CompactString,
    pub map: u16,
    pub others: Vec<u16>,
    /// The target that is read instead of the link, per map.
    pub field: Option<Vec<u16>>,
}
