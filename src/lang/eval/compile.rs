//! From a plan to a program: functions, tables, pipelines, owners and reasons are resolved once.

use std::collections::HashMap;
use std::sync::Arc;

use compact_str::CompactString;
use jiff::tz::TimeZone;

use super::machine::Machine;
use super::{Outcome, reason};
use crate::lang::functions::{self, Context, Function};
use crate::lang::plan::{
    self, Arm, Comparison, Expr, Filter, Label, Map, OwnerHow, Pipeline, Plan, Rule, StageTo, Table,
};
use crate::lang::types::{Base, Type};
use crate::lang::value::Value;

/// A plan, ready to run. Shared between threads.
#[derive(Debug)]
pub struct Program {
    pub(super) maps: Vec<MapProgram>,
    pub(super) tables: Vec<TableProgram>,
    pub(super) pipelines: Vec<PipelineProgram>,
    pub(super) owners: HashMap<CompactString, OwnerProgram>,
    pub(super) other_owners: OwnerProgram,
    pub(super) context: Context,
}

#[derive(Debug)]
pub(super) struct MapProgram {
    pub filter: Option<FilterProgram>,
    pub targets: Vec<TargetProgram>,
    pub rules: Vec<RuleProgram>,
}

#[derive(Debug)]
pub(super) struct FilterProgram {
    pub condition: Op,
    pub otherwise: Act,
    pub line: u32,
}

#[derive(Debug)]
pub(super) struct TargetProgram {
    pub name: Arc<str>,
    pub many: bool,
    pub decimal: bool,
}

#[derive(Debug)]
pub(super) struct RuleProgram {
    pub target: usize,
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
pub(super) struct TableProgram {
    pub name: Arc<str>,
    pub rows: HashMap<CompactString, (Act, u32)>,
    pub unseen: Act,
    pub line: u32,
}

#[derive(Debug)]
pub(super) struct PipelineProgram {
    pub name: Arc<str>,
    pub rows: HashMap<CompactString, (Act, u32)>,
    pub unseen: Act,
    pub line: u32,
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
    Call {
        function: &'static Function,
        args: Vec<Op>,
    },
    Lookup {
        table: usize,
        key: Box<Op>,
    },
    Each {
        list: Box<Op>,
        body: Box<Op>,
    },
    Ref {
        maps: Vec<LinkedMap>,
        link: Box<Op>,
    },
    Owner(Box<Op>),
    Stage {
        pipelines: HashMap<CompactString, usize>,
        object: Arc<str>,
        category: Option<Box<Op>>,
        stage: Box<Op>,
    },
    List(Vec<Op>),
    Has(Box<Op>),
    Not(Box<Op>),
    And(Box<Op>, Box<Op>),
    Or(Box<Op>, Box<Op>),
    Compare(Comparison, Box<Op>, Box<Op>),
}

/// A map that a link may lead to.
#[derive(Debug)]
pub(super) struct LinkedMap {
    pub map: u16,
    pub source: CompactString,
}

impl Program {
    /// Resolves everything that a plan names.
    ///
    /// # Errors
    /// A plan that this version cannot run: a function, map, table or target that does not exist, or a zone that is
    /// not known on this machine. No plan from `check` of the same version is one.
    pub fn compile(plan: &Plan) -> Result<Program, String> {
        let zone = match &plan.zone {
            Some(name) => Some(TimeZone::get(name).map_err(|error| {
                format!(
                    "zone `{name}` is not known here ({error}): install the time zone database (`tzdata`)"
                )
            })?),
            None => None,
        };
        let compiler = Compiler { plan, inside_row: false };
        let rows = Compiler { plan, inside_row: true };
        let owner = |owner: &plan::Owner| OwnerProgram {
            user: Value::text_or_absent(owner.user.as_str()),
            flag: owner.flag.as_deref().map(Arc::from),
            how: owner.how,
        };
        Ok(Program {
            maps: plan.maps.iter().map(|map| compiler.map(map)).collect::<Result<_, _>>()?,
            tables: plan.tables.iter().map(|table| rows.table(table)).collect::<Result<_, _>>()?,
            pipelines: plan.pipelines.iter().map(|line| rows.pipeline(line)).collect::<Result<_, _>>()?,
            owners: plan.owners.users.iter().map(|(user, to)| (user.into(), owner(to))).collect(),
            other_owners: owner(&plan.owners.otherwise),
            context: Context { zone },
        })
    }

    /// Runs one map over one record of its source object.
    ///
    /// A record with too few slots reads as one with absent values. A map that does not exist writes nothing.
    pub fn run(&self, map: usize, record: &[Value]) -> Outcome {
        match self.maps.get(map) {
            Some(map) => Machine::new(self, map).run(record),
            None => Outcome::LeftOut { reason: Arc::from(reason::NOT_IN_WHERE), line: 0 },
        }
    }
}

struct Compiler<'p> {
    plan: &'p Plan,
    /// Inside a row of a table or a pipeline, which must not lead to further rows: they could go round in circles.
    inside_row: bool,
}

impl Compiler<'_> {
    fn map(&self, map: &Map) -> Result<MapProgram, String> {
        let target = |ty: &Type| (ty.many, ty.base == Base::Decimal);
        Ok(MapProgram {
            filter: map.filter.as_ref().map(|filter| self.filter(filter)).transpose()?,
            targets: map
                .targets
                .iter()
                .map(|t| {
                    let (many, decimal) = target(&t.ty);
                    TargetProgram { name: Arc::from(t.name.as_str()), many, decimal }
                })
                .collect(),
            rules: map.rules.iter().map(|rule| self.rule(rule, map)).collect::<Result<_, _>>()?,
        })
    }

    fn filter(&self, filter: &Filter) -> Result<FilterProgram, String> {
        Ok(FilterProgram {
            condition: self.op(&filter.condition)?,
            otherwise: self.act(&filter.otherwise)?,
            line: filter.line,
        })
    }

    fn rule(&self, rule: &Rule, map: &Map) -> Result<RuleProgram, String> {
        let target = usize::from(rule.target);
        if target >= map.targets.len() {
            return Err(format!(
                "map `{}`: the rule on line {} writes no field: check the spec again",
                map.name, rule.line
            ));
        }
        let label = |label: &Label| -> Result<LabelProgram, String> {
            Ok(LabelProgram { value: self.op(&label.value)?, when: self.maybe(label.when.as_ref())? })
        };
        Ok(RuleProgram {
            target,
            when: self.maybe(rule.when.as_ref())?,
            value: self.op(&rule.value)?,
            label: rule.label.as_ref().map(label).transpose()?,
            otherwise: rule.otherwise.iter().map(|arm| self.act(arm)).collect::<Result<_, _>>()?,
            on_fail: rule.on_fail.as_ref().map(|arm| self.act(arm)).transpose()?,
            line: rule.line,
        })
    }

    fn table(&self, table: &Table) -> Result<TableProgram, String> {
        let mut rows = HashMap::with_capacity(table.rows.len());
        for (code, row) in &table.rows {
            rows.insert(code.into(), (self.act(&row.arm)?, row.line));
        }
        let unseen = self.act(&table.unseen)?;
        Ok(TableProgram { name: Arc::from(table.name.as_str()), rows, unseen, line: table.line })
    }

    fn pipeline(&self, pipeline: &Pipeline) -> Result<PipelineProgram, String> {
        let mut rows = HashMap::with_capacity(pipeline.rows.len());
        for (code, row) in &pipeline.rows {
            let act = match &row.to {
                StageTo::Stage(stage) => {
                    Act::Value { value: Op::Const(Value::Stage(Box::new(stage.clone()))), flag: None }
                }
                StageTo::Arm(arm) => self.act(arm)?,
            };
            rows.insert(code.into(), (act, row.line));
        }
        let unseen = self.act(&pipeline.unseen)?;
        Ok(PipelineProgram { name: Arc::from(pipeline.name.as_str()), rows, unseen, line: pipeline.line })
    }

    fn act(&self, arm: &Arm) -> Result<Act, String> {
        Ok(match arm {
            Arm::Value { value, flag } => {
                Act::Value { value: self.op(value)?, flag: flag.as_deref().map(Arc::from) }
            }
            Arm::Flag(why) => Act::Flag(Arc::from(why.as_str())),
            // Waiting is the engine's, which sees links; here there is nothing to wait for.
            Arm::Unset | Arm::Wait => Act::Unset,
            Arm::Skip(why) => Act::Skip(Arc::from(why.as_str())),
            Arm::Quarantine => Act::Quarantine,
            Arm::Stop => Act::Stop,
        })
    }

    fn maybe(&self, expr: Option<&Expr>) -> Result<Option<Op>, String> {
        expr.map(|expr| self.op(expr)).transpose()
    }

    fn boxed(&self, expr: &Expr) -> Result<Box<Op>, String> {
        self.op(expr).map(Box::new)
    }

    fn ops(&self, exprs: &[Expr]) -> Result<Vec<Op>, String> {
        exprs.iter().map(|expr| self.op(expr)).collect()
    }

    fn op(&self, expr: &Expr) -> Result<Op, String> {
        if self.inside_row && matches!(expr, Expr::Lookup { .. } | Expr::Stage { .. }) {
            return Err("a row of a table looks up another row: check the spec again".to_owned());
        }
        Ok(match expr {
            Expr::Slot(slot) => Op::Slot(usize::from(*slot)),
            Expr::Element => Op::Element,
            Expr::Attribute(index) => Op::Attribute(usize::from(*index)),
            Expr::Const(value) => Op::Const(value.stripped().into_owned()),
            Expr::Concat(parts) => Op::Concat(self.ops(parts)?),
            Expr::Call { function, args } => Op::Call {
                function: functions::find(function)
                    .ok_or_else(|| format!("function `{function}` does not exist: check the spec again"))?,
                args: self.ops(args)?,
            },
            Expr::Lookup { table, key } => {
                let table = usize::from(*table);
                if table >= self.plan.tables.len() {
                    return Err(format!("the plan has no table {table}: check the spec again"));
                }
                Op::Lookup { table, key: self.boxed(key)? }
            }
            Expr::Each { list, body } => Op::Each { list: self.boxed(list)?, body: self.boxed(body)? },
            Expr::Ref { maps, link, .. } => {
                let linked = |map: &u16| {
                    let source = self.plan.maps.get(usize::from(*map)).map(|m| m.source.as_str().into());
                    source
                        .map(|source| LinkedMap { map: *map, source })
                        .ok_or_else(|| format!("the plan has no map {map}: check the spec again"))
                };
                Op::Ref { maps: maps.iter().map(linked).collect::<Result<_, _>>()?, link: self.boxed(link)? }
            }
            Expr::EachLine { .. }
            | Expr::Apply { .. }
            | Expr::Param(_)
            | Expr::Outer(_)
            | Expr::Aggregate { .. }
            | Expr::Lines(_)
            | Expr::Title { .. } => return Err("not evaluated yet".to_owned()),
            Expr::Owner(user) => Op::Owner(self.boxed(user)?),
            Expr::Stage { category, stage, object } => {
                let mut pipelines = HashMap::new();
                for (index, pipeline) in self.plan.pipelines.iter().enumerate() {
                    if pipeline.object == *object {
                        pipelines.entry(pipeline.category.as_str().into()).or_insert(index);
                    }
                }
                Op::Stage {
                    pipelines,
                    object: Arc::from(object.as_str()),
                    category: category.as_deref().map(|category| self.boxed(category)).transpose()?,
                    stage: self.boxed(stage)?,
                }
            }
            Expr::List(parts) => Op::List(self.ops(parts)?),
            Expr::Has(value) => Op::Has(self.boxed(value)?),
            Expr::Not(value) => Op::Not(self.boxed(value)?),
            Expr::And(a, b) => Op::And(self.boxed(a)?, self.boxed(b)?),
            Expr::Or(a, b) => Op::Or(self.boxed(a)?, self.boxed(b)?),
            Expr::Compare(how, a, b) => Op::Compare(*how, self.boxed(a)?, self.boxed(b)?),
        })
    }
}
