//! The plain interpreter: slow, direct, over the plan as it stands. It shares no decision with the fast program, only
//! the wording of reasons, and exists so that the two can be compared.

mod expr;
mod fold;

use std::sync::Arc;

pub use fold::{fold, orphan, route, routed, takes_part};
use rust_decimal::Decimal;

use super::{Flag, Folded, Outcome, Output, RuleId, reason};
use crate::lang::plan::{Arm, Filter, Plan, Rule, Target};
use crate::lang::types::Base;
use crate::lang::value::{Item, Value};

/// How an evaluation ends when it gives no value.
enum End {
    Failure(String),
    Skip(String, u32),
    Quarantine(String, u32),
    Stop(String, u32),
}

type Result<T> = std::result::Result<T, End>;

/// The element of a list that is being looked at.
#[derive(Clone)]
struct Here {
    value: Value,
    attributes: Vec<Value>,
}

/// What an expression may look at.
#[derive(Clone, Default)]
struct View<'v> {
    record: &'v [Value],
    here: Option<Here>,
    outer: &'v [Value],
    folded: &'v [&'v [Value]],
    arguments: &'v [Value],
}

impl View<'_> {
    fn at(&self, here: &Here) -> Self {
        View { here: Some(here.clone()), ..self.clone() }
    }
}

/// A rule that is being run; the last one stands innermost.
struct Frame<'a> {
    name: String,
    on_fail: Option<&'a Arm>,
    /// Whether its `on fail` is being run.
    failing: bool,
    line: u32,
}

struct Interpreter<'a> {
    plan: &'a Plan,
    /// Which rule of the plan; `None` in conditions.
    rule: Option<RuleId>,
    /// Which rule of its `each` block, while one runs.
    inner: Option<u16>,
    frames: Vec<Frame<'a>>,
    output: Output,
    troubles: Vec<Trouble>,
    hits: Vec<Hit>,
}

/// An outcome with what went wrong on the way.
pub struct Watched {
    /// The outcome.
    pub outcome: Outcome,
    /// Failures that no checked plan has, also where an `on fail` covers them.
    pub troubles: Vec<Trouble>,
    /// What was taken on the way, in order.
    pub hits: Vec<Hit>,
}

/// A part of the plan that gave a value, or was asked for one.
#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Taken {
    /// The value of the rule.
    Value,
    /// Its `else`, by its number from 0.
    Else(u16),
    /// Its `on fail`.
    OnFail,
    /// A row of a table, by the table's index; `None` for its `unseen`.
    Row(u16, Option<String>),
    /// A row of a pipeline, likewise.
    StageRow(u16, Option<String>),
}

/// A failure that no checked plan has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The rule or note; `None` in a `where`.
    pub rule: Option<RuleId>,
    /// What happened.
    pub why: String,
    /// Whether a value was of another type than what reads it; otherwise no arm took a failure.
    pub by_type: bool,
}

/// Runs one map of a plan over one record, as [`Program::run`](super::Program::run) does.
pub fn run(plan: &Plan, map: usize, record: &[Value]) -> Outcome {
    run_with(plan, map, record, &[])
}

/// Runs one map over one record and those folded into it, as [`Program::run_with`](super::Program::run_with) does.
pub fn run_with(plan: &Plan, map: usize, record: &[Value], folded: &[Folded<'_>]) -> Outcome {
    watched(plan, map, record, folded).outcome
}

/// The same, with the failures that no checked plan has.
pub fn watched(plan: &Plan, map: usize, record: &[Value], folded: &[Folded<'_>]) -> Watched {
    let mut interpreter = Interpreter::new(plan);
    let outcome = match interpreter.record(map, record, folded) {
        Ok(()) => Outcome::Record(std::mem::take(&mut interpreter.output)),
        Err(end) => interpreter.outcome(end),
    };
    Watched { outcome, troubles: interpreter.troubles, hits: interpreter.hits }
}

impl<'a> Interpreter<'a> {
    fn new(plan: &'a Plan) -> Self {
        Interpreter {
            plan,
            rule: None,
            inner: None,
            frames: vec![],
            output: Output::default(),
            troubles: vec![],
            hits: vec![],
        }
    }

    fn record(&mut self, index: usize, record: &[Value], folded: &[Folded<'_>]) -> Result<()> {
        let Some(map) = self.plan.maps.get(index) else {
            return Err(End::Skip(reason::NOT_IN_WHERE.to_owned(), 0));
        };
        let view = View { record, ..View::default() };
        if let Some(filter) = &map.filter {
            self.filter(filter, &view)?;
        }
        self.output = Output::default();
        self.output.values = map.targets.iter().map(|_| Value::Absent).collect();
        for (number, rule) in map.rules.iter().enumerate() {
            let id = RuleId { flatten: None, note: false, rule: number as u16 };
            self.write(id, rule, &map.targets, &view)?;
        }
        for (number, note) in map.notes.iter().enumerate() {
            self.map_note(number, note, &view)?;
        }
        for (number, flatten) in self.plan.flattens.iter().enumerate() {
            let given = folded.iter().find(|folded| folded.flatten == number);
            if let (Some(given), true) = (given, usize::from(flatten.into) == index) {
                self.flatten(number, flatten, &map.targets, record, given.records)?;
            }
        }
        Ok(())
    }

    fn write(&mut self, id: RuleId, rule: &'a Rule, targets: &[Target], view: &View<'_>) -> Result<()> {
        let target = &targets[usize::from(rule.target)];
        let value = self.on_its_own(id, target.name.clone(), rule, view, |it, view| it.rule(rule, view))?;
        let place = &mut self.output.values[usize::from(rule.target)];
        if *place == Value::Absent {
            *place = fit(value, target);
        }
        Ok(())
    }

    /// Runs something as a rule of the plan: a failure takes its `on fail`.
    fn on_its_own(
        &mut self,
        id: RuleId,
        name: String,
        rule: &'a Rule,
        view: &View<'_>,
        work: impl FnOnce(&mut Self, &View<'_>) -> Result<Value>,
    ) -> Result<Value> {
        self.rule = Some(id);
        self.frames = vec![Frame { name, on_fail: rule.on_fail.as_ref(), failing: false, line: rule.line }];
        match work(self, view) {
            Err(End::Failure(why)) => self.on_fail(&why, view),
            other => other,
        }
    }

    /// What a condition outside of rules says.
    fn condition(
        &mut self,
        name: &str,
        line: u32,
        condition: &'a crate::lang::plan::Expr,
        view: &View<'_>,
    ) -> Result<bool> {
        self.rule = None;
        self.frames = vec![Frame { name: name.to_owned(), on_fail: None, failing: false, line }];
        match self.value(condition, view) {
            Ok(value) => Ok(value == Value::Bool(true)),
            Err(End::Failure(why)) => Err(End::Quarantine(reason::failed(name, &why), line)),
            Err(other) => Err(other),
        }
    }

    fn filter(&mut self, filter: &'a Filter, view: &View<'_>) -> Result<()> {
        let line = filter.line;
        if self.condition("where", line, &filter.condition, view)? {
            return Ok(());
        }
        Err(match &filter.otherwise {
            Arm::Skip(why) | Arm::Flag(why) => End::Skip(why.clone(), line),
            Arm::Quarantine => End::Quarantine(reason::HELD_BY_WHERE.to_owned(), line),
            Arm::Stop => End::Stop(reason::HELD_BY_WHERE.to_owned(), line),
            Arm::Value { .. } | Arm::Unset | Arm::Wait => End::Skip(reason::NOT_IN_WHERE.to_owned(), line),
        })
    }

    fn outcome(&self, end: End) -> Outcome {
        let rule = self.rule;
        match end {
            End::Failure(why) => Outcome::Quarantined {
                rule,
                reason: reason::failed(&self.name(), &why).into(),
                line: self.line(),
            },
            End::Skip(why, line) => Outcome::LeftOut { reason: why.into(), line },
            End::Quarantine(why, line) => Outcome::Quarantined { rule, reason: why.into(), line },
            End::Stop(why, line) => Outcome::Stopped { rule, reason: why.into(), line },
        }
    }

    /// `value`, or `products.price` where a rule stands in another.
    fn name(&self) -> String {
        let names: Vec<&str> = self.frames.iter().map(|frame| frame.name.as_str()).collect();
        names.join(".")
    }

    fn line(&self) -> u32 {
        self.frames.last().map_or(0, |frame| frame.line)
    }

    fn flag(&mut self, why: &str) {
        if let Some(rule) = self.rule {
            self.output.flags.push(Flag { rule, why: Arc::from(why) });
        }
    }

    fn hit(&mut self, taken: Taken, line: u32) {
        self.hits.push(Hit { rule: self.rule, inner: self.inner, taken, line });
    }

    fn trouble(&mut self, why: &str, by_type: bool) {
        self.troubles.push(Trouble { rule: self.rule, why: why.to_owned(), by_type });
    }

    fn fails(&mut self, why: String) -> End {
        if reason::is_by_type(&why) {
            self.trouble(&why, true);
        }
        End::Failure(why)
    }

    fn rule(&mut self, rule: &'a Rule, view: &View<'_>) -> Result<Value> {
        let applies = match &rule.when {
            None => true,
            Some(when) => self.value(when, view)? == Value::Bool(true),
        };
        let mut value = Value::Absent;
        if applies {
            value = if rule.label.is_some() {
                self.labelled(rule, view)?
            } else {
                self.value(&rule.value, view)?
            };
        }
        if value != Value::Absent {
            self.hit(Taken::Value, rule.line);
        }
        let mut arms = rule.otherwise.iter().enumerate();
        while value == Value::Absent {
            let Some((number, arm)) = arms.next() else { break };
            self.hit(Taken::Else(number as u16), rule.line);
            value = self.arm(arm, view, rule.line, &reason::no_value(&self.name()))?;
            if !matches!(arm, Arm::Value { .. }) {
                break;
            }
        }
        Ok(value)
    }

    fn arm(&mut self, arm: &'a Arm, view: &View<'_>, line: u32, what: &str) -> Result<Value> {
        match arm {
            Arm::Value { value, flag } => {
                let value = self.value(value, view)?;
                if value != Value::Absent {
                    flag.iter().for_each(|why| self.flag(why));
                }
                Ok(value)
            }
            Arm::Flag(why) => {
                self.flag(why);
                Ok(Value::Absent)
            }
            Arm::Unset | Arm::Wait => Ok(Value::Absent),
            Arm::Skip(why) => Err(End::Skip(why.clone(), line)),
            Arm::Quarantine => Err(End::Quarantine(what.to_owned(), line)),
            Arm::Stop => Err(End::Stop(what.to_owned(), line)),
        }
    }

    /// What the innermost rule makes of a failure: its own arm, or that of the rule around its block.
    fn on_fail(&mut self, why: &str, view: &View<'_>) -> Result<Value> {
        let what = reason::failed(&self.name(), why);
        let line = self.line();
        let deciding = self.frames.iter().rev().find(|frame| frame.failing || frame.on_fail.is_some());
        if deciding.is_none_or(|frame| frame.failing) {
            self.trouble(why, false);
            return Err(End::Quarantine(what, line));
        }
        let Some((inner, Some(arm))) =
            self.frames.last_mut().map(|inner| (&mut inner.failing, inner.on_fail))
        else {
            return Err(End::Failure(why.to_owned()));
        };
        *inner = true;
        self.hit(Taken::OnFail, line);
        let result = self.arm(arm, view, line, &what);
        self.frames.iter_mut().last().into_iter().for_each(|inner| inner.failing = false);
        match result {
            Err(End::Failure(why)) => {
                self.trouble(&why, false);
                Err(End::Quarantine(reason::failed(&self.name(), &why), line))
            }
            other => other,
        }
    }

    /// A line of an `each` block.
    fn line_of(&mut self, rules: &'a [Rule], columns: &'a [Target], view: &View<'_>) -> Result<Value> {
        let mut values: Vec<Value> = columns.iter().map(|_| Value::Absent).collect();
        for (number, rule) in rules.iter().enumerate() {
            let column = &columns[usize::from(rule.target)];
            let around = self.inner.replace(number as u16);
            self.frames.push(Frame {
                name: column.name.clone(),
                on_fail: rule.on_fail.as_ref(),
                failing: false,
                line: rule.line,
            });
            let value = match self.rule(rule, view) {
                Err(End::Failure(why)) => self.on_fail(&why, view),
                other => other,
            };
            self.frames.pop();
            self.inner = around;
            let value = value?;
            if values[usize::from(rule.target)] == Value::Absent {
                values[usize::from(rule.target)] = fit(value, column);
            }
        }
        if values.iter().all(|value| *value == Value::Absent) {
            return Ok(Value::Absent);
        }
        Ok(Value::Item(Box::new(Item { value: Value::Absent, attrs: values })))
    }
}

/// The value in the form that the destination field takes.
fn fit(value: Value, target: &Target) -> Value {
    let ty = &target.ty;
    let to_decimal = |value: Value| match value {
        Value::Int(number) if ty.base == Base::Decimal => Value::Decimal(Decimal::from(number)),
        other => other,
    };
    let convert = |value: Value| match value {
        Value::Item(item) => Value::Item(Box::new(Item { value: to_decimal(item.value), attrs: item.attrs })),
        other => to_decimal(other),
    };
    match value {
        Value::Absent => Value::Absent,
        Value::List(values) => Value::List(values.into_iter().map(convert).collect()),
        one if ty.many => Value::List(vec![convert(one)]),
        one => convert(one),
    }
}
