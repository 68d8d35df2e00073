//! From a plan to a program: functions, tables, pipelines, owners and reasons are resolved once.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::program::*;
use super::reason;
use crate::lang::functions::{self, Context};
use crate::lang::plan::{
    self, Arm, Expr, Filter, Flatten, Label, Line, Map, Note, Plan, Rule, Split, SplitHow, SplitRow, SplitTo,
    StageTo, Target,
};
use crate::lang::types::Base;
use crate::lang::value::Value;

impl Program {
    /// Resolves everything that a plan names.
    ///
    /// # Errors
    /// A plan that this version cannot run: a function, map, table or target that does not exist, functions or rows
    /// that go round in circles, or a zone that is not known on this machine. No plan from `check` of the same version
    /// is one.
    pub fn compile(plan: &Plan) -> Result<Program, String> {
        let zone = match &plan.zone {
            Some(name) => Some(TimeZone::get(name).map_err(|error| {
                format!(
                    "zone `{name}` is not known here ({error}): install the time zone database (`tzdata`)"
                )
            })?),
            None => None,
        };
        let mut looking_up = Vec::with_capacity(plan.functions.len());
        let mut functions = Vec::with_capacity(plan.functions.len());
        for function in &plan.functions {
            let mut compiler = Compiler::new(plan, &looking_up);
            functions.push(compiler.op(&function.body)?);
            let looks_up = compiler.looks_up;
            looking_up.push(looks_up);
        }
        let mut compiler = Compiler::new(plan, &looking_up);
        let mut rows = Compiler { inside_row: true, ..Compiler::new(plan, &looking_up) };
        let owner = |owner: &plan::Owner| OwnerProgram {
            user: Value::text_or_absent(owner.user.as_str()),
            flag: owner.flag.as_deref().map(Arc::from),
            how: owner.how,
        };
        Ok(Program {
            maps: plan.maps.iter().map(|map| compiler.map(map)).collect::<Result<_, _>>()?,
            flattens: plan
                .flattens
                .iter()
                .map(|flatten| compiler.flatten(flatten))
                .collect::<Result<_, _>>()?,
            splits: plan.splits.iter().map(|split| compiler.split(split)).collect::<Result<_, _>>()?,
            functions,
            tables: plan.tables.iter().map(|table| rows.table(table)).collect::<Result<_, _>>()?,
            pipelines: plan.pipelines.iter().map(|line| rows.pipeline(line)).collect::<Result<_, _>>()?,
            owners: plan.owners.users.iter().map(|(user, to)| (user.into(), owner(to))).collect(),
            other_owners: owner(&plan.owners.otherwise),
            context: Context { zone },
        })
    }
}

struct Compiler<'p> {
    plan: &'p Plan,
    /// Inside a row of a table or a pipeline, which must not lead to further rows: they could go round in circles.
    inside_row: bool,
    /// Of each function that may be called here: whether it leads to rows.
    looking_up: &'p [bool],
    /// Whether something that was compiled leads to rows.
    looks_up: bool,
}

impl<'p> Compiler<'p> {
    fn new(plan: &'p Plan, looking_up: &'p [bool]) -> Self {
        Compiler { plan, inside_row: false, looking_up, looks_up: false }
    }

    fn map(&mut self, map: &Map) -> Result<MapProgram, String> {
        Ok(MapProgram {
            filter: map.filter.as_ref().map(|filter| self.filter(filter)).transpose()?,
            targets: targets(&map.targets),
            rules: self.rules(&map.rules, &map.targets, &map.name)?,
            notes: self.notes(&map.notes)?,
        })
    }

    fn flatten(&mut self, flatten: &Flatten) -> Result<FlattenProgram, String> {
        let Some(into) = self.plan.maps.get(usize::from(flatten.into)) else {
            return Err(format!(
                "`{}` is folded into map {}, which does not exist: check the spec again",
                flatten.source, flatten.into
            ));
        };
        Ok(FlattenProgram {
            source: Arc::from(flatten.source.as_str()),
            into: flatten.into,
            parent: Arc::from(into.source.as_str()),
            via: usize::from(flatten.via),
            key: usize::from(flatten.key),
            filter: flatten.filter.as_ref().map(|filter| self.filter(filter)).transpose()?,
            pick: flatten.pick,
            rules: self.rules(&flatten.rules, &into.targets, &flatten.source)?,
            notes: self.notes(&flatten.notes)?,
            orphan: self.act(&flatten.orphan)?,
            orphan_line: flatten.orphan_line,
        })
    }

    fn split(&mut self, split: &Split) -> Result<SplitProgram, String> {
        let how = match &split.how {
            SplitHow::When(rows) => SplitBy::When(
                rows.iter()
                    .map(|row| Ok((self.maybe(row.when.as_ref())?, self.split_row(row)?)))
                    .collect::<Result<_, String>>()?,
            ),
            SplitHow::Value { slot, rows, unseen } => SplitBy::Value {
                slot: usize::from(*slot),
                rows: rows
                    .iter()
                    .map(|(code, row)| Ok((code.into(), self.split_row(row)?)))
                    .collect::<Result<_, String>>()?,
                unseen: self.split_row(unseen)?,
            },
        };
        Ok(SplitProgram { source: Arc::from(split.source.as_str()), how })
    }

    fn split_row(&mut self, row: &SplitRow) -> Result<SplitTarget, String> {
        let to = match &row.to {
            SplitTo::Maps(maps) => {
                if let Some(map) = maps.iter().find(|map| usize::from(**map) >= self.plan.maps.len()) {
                    return Err(no_map(*map));
                }
                SendTo::Maps(maps.clone())
            }
            SplitTo::Listed(why) => SendTo::Listed(Arc::from(why.as_str())),
            SplitTo::Arm(arm) => SendTo::Act(self.act(arm)?),
        };
        Ok(SplitTarget { to, line: row.line })
    }

    fn filter(&mut self, filter: &Filter) -> Result<FilterProgram, String> {
        Ok(FilterProgram {
            condition: self.op(&filter.condition)?,
            otherwise: self.act(&filter.otherwise)?,
            line: filter.line,
        })
    }

    fn notes(&mut self, notes: &[Note]) -> Result<Vec<NoteProgram>, String> {
        let note = |note: &Note| {
            Ok(NoteProgram {
                title: self.op(&note.title)?,
                rule: self.rule(&note.rule, 0, Arc::from(reason::note(&note.name)))?,
                for_each: note.for_each.then_some(note.at_most),
            })
        };
        notes.iter().map(note).collect()
    }

    fn rules(&mut self, rules: &[Rule], targets: &[Target], item: &str) -> Result<Vec<RuleProgram>, String> {
        let rule = |rule: &Rule| {
            let target = usize::from(rule.target);
            let Some(name) = targets.get(target).map(|target| target.name.as_str()) else {
                return Err(format!(
                    "`{item}`: the rule on line {} writes no field: check the spec again",
                    rule.line
                ));
            };
            self.rule(rule, target, Arc::from(name))
        };
        rules.iter().map(rule).collect()
    }

    fn rule(&mut self, rule: &Rule, target: usize, name: Arc<str>) -> Result<RuleProgram, String> {
        Ok(RuleProgram {
            target,
            name,
            when: self.maybe(rule.when.as_ref())?,
            value: self.op(&rule.value)?,
            label: rule.label.as_ref().map(|label| self.label(label)).transpose()?,
            otherwise: rule.otherwise.iter().map(|arm| self.act(arm)).collect::<Result<_, _>>()?,
            on_fail: rule.on_fail.as_ref().map(|arm| self.act(arm)).transpose()?,
            line: rule.line,
        })
    }

    fn label(&mut self, label: &Label) -> Result<LabelProgram, String> {
        Ok(LabelProgram { value: self.op(&label.value)?, when: self.maybe(label.when.as_ref())? })
    }

    fn table(&mut self, table: &plan::Table) -> Result<RowsProgram, String> {
        let mut rows = HashMap::with_capacity(table.rows.len());
        for (index, (code, row)) in (0..).zip(&table.rows) {
            rows.insert(code.into(), RowProgram { act: self.act(&row.arm)?, line: row.line, index });
        }
        let unseen = self.act(&table.unseen)?;
        Ok(RowsProgram { name: Arc::from(table.name.as_str()), rows, unseen, unseen_line: table.unseen_line })
    }

    fn pipeline(&mut self, pipeline: &plan::Pipeline) -> Result<RowsProgram, String> {
        let mut rows = HashMap::with_capacity(pipeline.rows.len());
        for (index, (code, row)) in (0..).zip(&pipeline.rows) {
            let act = match &row.to {
                StageTo::Stage(stage) => {
                    Act::Value { value: Op::Const(Value::Stage(Box::new(stage.clone()))), flag: None }
                }
                StageTo::Arm(arm) => self.act(arm)?,
            };
            rows.insert(code.into(), RowProgram { act, line: row.line, index });
        }
        let unseen = self.act(&pipeline.unseen)?;
        Ok(RowsProgram {
            name: Arc::from(pipeline.name.as_str()),
            rows,
            unseen,
            unseen_line: pipeline.unseen_line,
        })
    }

    fn act(&mut self, arm: &Arm) -> Result<Act, String> {
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

    fn maybe(&mut self, expr: Option<&Expr>) -> Result<Option<Op>, String> {
        expr.map(|expr| self.op(expr)).transpose()
    }

    fn boxed(&mut self, expr: &Expr) -> Result<Box<Op>, String> {
        self.op(expr).map(Box::new)
    }

    fn ops(&mut self, exprs: &[Expr]) -> Result<Vec<Op>, String> {
        exprs.iter().map(|expr| self.op(expr)).collect()
    }

    /// Notes that something leads to a row.
    fn row(&mut self) -> Result<(), String> {
        self.looks_up = true;
        if self.inside_row {
            return Err("a row of a table looks up another row: check the spec again".to_owned());
        }
        Ok(())
    }

    fn op(&mut self, expr: &Expr) -> Result<Op, String> {
        Ok(match expr {
            Expr::Slot(slot) => Op::Slot(usize::from(*slot)),
            Expr::Element => Op::Element,
            Expr::Attribute(index) => Op::Attribute(usize::from(*index)),
            Expr::Param(index) => Op::Param(usize::from(*index)),
            Expr::Outer(slot) => Op::Outer(usize::from(*slot)),
            Expr::Const(value) => Op::Const(value.stripped().into_owned()),
            Expr::Concat(parts) => Op::Concat(self.ops(parts)?),
            Expr::Call { function, args } => Op::Call {
                function: functions::find(function)
                    .ok_or_else(|| format!("function `{function}` does not exist: check the spec again"))?,
                args: self.ops(args)?,
            },
            Expr::Apply { function, args } => {
                let index = usize::from(*function);
                match self.looking_up.get(index) {
                    Some(true) => self.row()?,
                    Some(false) => {}
                    None => {
                        return Err(format!(
                            "function {function} of the plan is called before it is known: check the spec again"
                        ));
                    }
                }
                Op::Apply { function: index, args: self.ops(args)? }
            }
            Expr::Lookup { table, key } => {
                self.row()?;
                let table = usize::from(*table);
                if table >= self.plan.tables.len() {
                    return Err(format!("the plan has no table {table}: check the spec again"));
                }
                Op::Lookup { table, key: self.boxed(key)? }
            }
            Expr::Each { list, body } => Op::Each { list: self.boxed(list)?, body: self.boxed(body)? },
            Expr::EachLine { list, columns, rules } => Op::EachLine(Box::new(LinesProgram {
                list: self.op(list)?,
                columns: targets(columns),
                rules: self.rules(rules, columns, "each")?,
            })),
            Expr::Ref { maps, link, any, object, field } => Op::Ref {
                to: Box::new(self.links(maps, *any, object.as_deref(), field.as_deref())?),
                link: self.boxed(link)?,
            },
            Expr::Aggregate { kind, of } => {
                Op::Aggregate { kind: *kind, of: of.as_deref().map(|of| self.boxed(of)).transpose()? }
            }
            Expr::Lines(lines) => {
                Op::Lines(lines.iter().map(|line| self.line(line)).collect::<Result<_, _>>()?)
            }
            Expr::Title { of, titles } => Op::Title {
                of: self.boxed(of)?,
                titles: titles.iter().map(|(code, title)| (code.into(), Value::text(title))).collect(),
            },
            Expr::Owner(user) => Op::Owner(self.boxed(user)?),
            Expr::Stage { category, stage, object } => {
                self.row()?;
                let mut pipelines = HashMap::new();
                for (index, pipeline) in self.plan.pipelines.iter().enumerate() {
                    if pipeline.object == *object {
                        pipelines.entry(pipeline.category.as_str().into()).or_insert(index);
                    }
                }
                Op::Stage(Box::new(StageProgram {
                    pipelines,
                    object: Arc::from(object.as_str()),
                    category: self.maybe(category.as_deref())?,
                    stage: self.op(stage)?,
                }))
            }
            Expr::List(parts) => Op::List(self.ops(parts)?),
            Expr::Has(value) => Op::Has(self.boxed(value)?),
            Expr::Not(value) => Op::Not(self.boxed(value)?),
            Expr::And(a, b) => Op::And(self.boxed(a)?, self.boxed(b)?),
            Expr::Or(a, b) => Op::Or(self.boxed(a)?, self.boxed(b)?),
            Expr::Compare(how, a, b) => Op::Compare(*how, self.boxed(a)?, self.boxed(b)?),
        })
    }

    fn line(&mut self, line: &Line) -> Result<LineProgram, String> {
        Ok(LineProgram {
            label: line.label.clone(),
            value: self.op(&line.value)?,
            columns: line.columns.iter().map(|(name, index)| (name.clone(), usize::from(*index))).collect(),
        })
    }

    fn links(
        &mut self,
        maps: &[u16],
        any: bool,
        object: Option<&Expr>,
        field: Option<&[u16]>,
    ) -> Result<Links, String> {
        if field.is_some_and(|field| field.len() != maps.len()) {
            return Err("a link's field is not known for each of its maps: check the spec again".to_owned());
        }
        let named = object.is_some();
        let mut groups: Vec<Carriers> = Vec::new();
        for (index, map) in maps.iter().enumerate() {
            let source = &self.plan.maps.get(usize::from(*map)).ok_or_else(|| no_map(*map))?.source;
            let source = if named { source.to_lowercase() } else { source.clone() };
            let field = field.map(|field| field[index]);
            // A link to one object is that object's, whichever maps carry it.
            let known = groups.iter_mut().find(|group| (!any && !named) || *group.source == *source);
            match known {
                Some(group) => {
                    group.others.push(*map);
                    if let (Some(fields), Some(field)) = (&mut group.field, field) {
                        fields.push(field);
                    }
                }
                None => groups.push(Carriers {
                    source: source.into(),
                    map: *map,
                    others: Vec::new(),
                    field: field.map(|field| vec![field]),
                }),
            }
        }
        Ok(match object {
            Some(object) => Links::Named(self.op(object)?, groups),
            None if any => Links::Any(groups),
            None => Links::One(groups.pop()),
        })
    }
}

fn targets(targets: &[Target]) -> Vec<TargetProgram> {
    let target =
        |target: &Target| TargetProgram { many: target.ty.many, decimal: target.ty.base == Base::Decimal };
    targets.iter().map(target).collect()
}

fn no_map(map: u16) -> String {
    format!("the plan has no map {map}: check the spec again")
}
