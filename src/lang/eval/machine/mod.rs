//! Running a program over one record. Values are borrowed from the record and the program until they are stored.
//!
//! Here: rules, arms and failures. [`expr`] evaluates, [`list`] goes through elements, [`fold`] knows notes, splits and
//! records that are folded in.

mod expr;
mod fold;
mod list;

use std::borrow::Cow;
use std::sync::Arc;

pub(super) use fold::orphan;

use rust_decimal::Decimal;

use super::program::*;
use super::watch::{Taken, Watch};
use super::{Flag, Folded, NoteOut, Outcome, Output, RuleId, reason};
use crate::lang::plan::OwnerHow;
use crate::lang::value::Value;

/// Why there is no value.
enum Halt {
    /// A conversion failed; `on fail` decides.
    Fail(String),
    /// The element or the record is left out.
    Skip { why: Arc<str>, line: u32 },
    /// The record is held back.
    Quarantine { reason: Arc<str>, line: u32 },
    /// The run ends.
    Stop { reason: Arc<str>, line: u32 },
}

type Run<T> = Result<T, Halt>;

/// What an expression sees.
#[derive(Clone, Copy)]
struct Scope<'s> {
    record: &'s [Value],
    element: &'s Value,
    attrs: &'s [Value],
    around: &'s Around<'s>,
}

/// What only some expressions see.
struct Around<'s> {
    /// The record that takes the others in.
    outer: &'s [Value],
    /// All records that are folded in.
    folded: &'s [&'s [Value]],
    /// Arguments of the function at hand.
    params: &'s [Value],
}

static ABSENT: Value = Value::Absent;
static NOTHING_AROUND: Around<'static> = Around { outer: &[], folded: &[], params: &[] };

impl<'s> Scope<'s> {
    fn of(record: &'s [Value]) -> Scope<'s> {
        Scope { record, element: &ABSENT, attrs: &[], around: &NOTHING_AROUND }
    }
}

/// Runs a program over one record; what it takes on the way is told to `watch`, or with `()` to nobody.
pub(super) struct Machine<'p, W> {
    program: &'p Program,
    watch: W,
    /// The rule or note at hand; `None` in conditions of `where` and `split`.
    rule: Option<RuleId>,
    /// What reasons call it.
    name: &'p str,
    /// Rules around it, where it stands in an `each` block.
    within: Vec<&'p str>,
    /// What a failure does in the rule at hand.
    on_fail: Option<&'p Act>,
    /// Whether, without that, a failure goes on to the rule around it.
    passes_on: bool,
    /// The line of the rule at hand.
    line: u32,
    notes: Vec<NoteOut>,
    flags: Vec<Flag>,
    owners: Vec<OwnerHow>,
}

impl<'p> Machine<'p, ()> {
    pub fn new(program: &'p Program) -> Self {
        Machine::watched(program, ())
    }
}

impl<'p, W: Watch> Machine<'p, W> {
    pub fn watched(program: &'p Program, watch: W) -> Self {
        Machine {
            program,
            watch,
            rule: None,
            name: "where",
            within: Vec::new(),
            on_fail: None,
            passes_on: false,
            line: 0,
            notes: Vec::new(),
            flags: Vec::new(),
            owners: Vec::new(),
        }
    }

    pub fn run(
        mut self,
        index: usize,
        map: &'p MapProgram,
        record: &[Value],
        folded: &[Folded<'_>],
    ) -> Outcome {
        match self.record(index, map, record, folded) {
            Ok(values) => {
                Outcome::Record(Output { values, notes: self.notes, flags: self.flags, owners: self.owners })
            }
            Err(halt) => self.halted(halt),
        }
    }

    fn record(
        &mut self,
        index: usize,
        map: &'p MapProgram,
        record: &[Value],
        folded: &[Folded<'_>],
    ) -> Run<Vec<Value>> {
        let scope = Scope::of(record);
        if let Some(filter) = &map.filter {
            self.filter(filter, scope)?;
            self.owners.clear();
        }
        let mut values = vec![Value::Absent; map.targets.len()];
        self.rules(None, &map.rules, &map.targets, scope, &mut values)?;
        self.notes(None, &map.notes, scope)?;
        if !folded.is_empty() {
            self.flattens(index, map, scope, folded, &mut values)?;
        }
        Ok(values)
    }

    /// Runs rules in their order; the first value of a target stays.
    fn rules(
        &mut self,
        flatten: Option<u16>,
        rules: &'p [RuleProgram],
        targets: &'p [TargetProgram],
        scope: Scope<'_>,
        values: &mut [Value],
    ) -> Run<()> {
        for (index, rule) in rules.iter().enumerate() {
            self.begin(RuleId { flatten, note: false, rule: number(index) }, rule);
            let value = match self.rule_value(rule, scope) {
                Err(Halt::Fail(why)) => self.failed(&why, scope),
                other => other,
            };
            let value = value?;
            if values[rule.target].is_absent() {
                values[rule.target] = shaped(value.into_owned(), &targets[rule.target]);
            }
        }
        Ok(())
    }

    fn begin(&mut self, id: RuleId, rule: &'p RuleProgram) {
        self.rule = Some(id);
        self.name = &rule.name;
        self.on_fail = rule.on_fail.as_ref();
        self.line = rule.line;
    }

    /// Whether a record takes part, by a `where`; what becomes of it otherwise is a halt.
    fn filter(&mut self, filter: &'p FilterProgram, scope: Scope<'_>) -> Run<()> {
        let line = filter.line;
        self.line = line;
        if self.truth(&filter.condition, scope)? {
            return Ok(());
        }
        let held = || Arc::from(reason::HELD_BY_WHERE);
        Err(match &filter.otherwise {
            Act::Skip(why) | Act::Flag(why) => Halt::Skip { why: why.clone(), line },
            Act::Value { .. } | Act::Unset => Halt::Skip { why: Arc::from(reason::NOT_IN_WHERE), line },
            Act::Quarantine => Halt::Quarantine { reason: held(), line },
            Act::Stop => Halt::Stop { reason: held(), line },
        })
    }

    fn halted(&self, halt: Halt) -> Outcome {
        match halt {
            Halt::Fail(why) => {
                Outcome::Quarantined { rule: self.rule, reason: self.failure(&why), line: self.line }
            }
            Halt::Skip { why, line } => Outcome::LeftOut { reason: why, line },
            Halt::Quarantine { reason, line } => Outcome::Quarantined { rule: self.rule, reason, line },
            Halt::Stop { reason, line } => Outcome::Stopped { rule: self.rule, reason, line },
        }
    }

    /// What reasons call the rule at hand: `value`, `products.price`.
    fn path(&self) -> Cow<'p, str> {
        if self.within.is_empty() {
            return Cow::Borrowed(self.name);
        }
        let mut path = self.within.join(".");
        path.push('.');
        path.push_str(self.name);
        Cow::Owned(path)
    }

    fn failure(&self, why: &str) -> Arc<str> {
        Arc::from(reason::failed(&self.path(), why))
    }

    fn flag(&mut self, why: &Arc<str>) {
        if let Some(rule) = self.rule {
            self.flags.push(Flag { rule, why: why.clone() });
        }
    }

    fn hit(&mut self, taken: Taken, line: u32) {
        self.watch.hit(self.rule, taken, line);
    }

    fn rule_value<'s>(&mut self, rule: &'p RuleProgram, scope: Scope<'s>) -> Run<Cow<'s, Value>>
    where
        'p: 's,
    {
        let applies = match &rule.when {
            Some(when) => self.truth(when, scope)?,
            None => true,
        };
        if applies {
            let value = match &rule.label {
                None => self.eval(&rule.value, scope)?,
                Some(label) => Cow::Owned(self.labelled(&rule.value, label, scope)?),
            };
            if !is_absent(&value) {
                self.hit(Taken::Value, rule.line);
                return Ok(value);
            }
        }
        for (index, arm) in rule.otherwise.iter().enumerate() {
            self.hit(Taken::Else(number(index)), rule.line);
            if let Act::Value { value, flag } = arm {
                let value = self.eval(value, scope)?;
                if is_absent(&value) {
                    continue;
                }
                if let Some(why) = flag {
                    self.flag(why);
                }
                return Ok(value);
            }
            return self.act(arm, scope, rule.line, |machine| reason::no_value(&machine.path()));
        }
        Ok(Cow::Borrowed(&ABSENT))
    }

    /// What an arm gives. `reason` words what happened, for arms that hold the record back.
    fn act<'s>(
        &mut self,
        act: &'p Act,
        scope: Scope<'s>,
        line: u32,
        reason: impl FnOnce(&Self) -> String,
    ) -> Run<Cow<'s, Value>>
    where
        'p: 's,
    {
        match act {
            Act::Value { value, flag } => {
                let value = self.eval(value, scope)?;
                if let (Some(why), false) = (flag, is_absent(&value)) {
                    self.flag(why);
                }
                Ok(value)
            }
            Act::Flag(why) => {
                self.flag(why);
                Ok(Cow::Borrowed(&ABSENT))
            }
            Act::Unset => Ok(Cow::Borrowed(&ABSENT)),
            Act::Skip(why) => Err(Halt::Skip { why: why.clone(), line }),
            Act::Quarantine => Err(Halt::Quarantine { reason: Arc::from(reason(self)), line }),
            Act::Stop => Err(Halt::Stop { reason: Arc::from(reason(self)), line }),
        }
    }

    /// Takes the `on fail` arm of the rule at hand. Gives [`Halt::Fail`] only where the failure goes on to the rule
    /// around it.
    fn failed<'s>(&mut self, why: &str, scope: Scope<'s>) -> Run<Cow<'s, Value>>
    where
        'p: 's,
    {
        let line = self.line;
        let Some(arm) = self.on_fail else {
            return Err(if self.passes_on {
                Halt::Fail(why.to_owned())
            } else {
                Halt::Quarantine { reason: self.failure(why), line }
            });
        };
        // An arm that fails itself finds no other arm.
        let passes_on = std::mem::replace(&mut self.passes_on, false);
        self.on_fail = None;
        self.hit(Taken::OnFail, line);
        let result = self.act(arm, scope, line, |machine| reason::failed(&machine.path(), why));
        self.on_fail = Some(arm);
        self.passes_on = passes_on;
        match result {
            Err(Halt::Fail(why)) => Err(Halt::Quarantine { reason: self.failure(&why), line }),
            other => other,
        }
    }
}

/// Indices of plans fit into 16 bits.
pub(super) fn number(index: usize) -> u16 {
    u16::try_from(index).unwrap_or(u16::MAX)
}

/// An empty list is absent too.
pub(super) fn is_absent(value: &Value) -> bool {
    match value {
        Value::Absent => true,
        Value::List(values) => values.is_empty(),
        _ => false,
    }
}

/// What a destination field takes: lists where it holds many, decimals where it holds decimals.
fn shaped(value: Value, target: &TargetProgram) -> Value {
    let value = if target.decimal { decimal(value) } else { value };
    match value {
        Value::List(values) if values.is_empty() => Value::Absent,
        value @ (Value::Absent | Value::List(_)) => value,
        value if target.many => Value::List(vec![value]),
        value => value,
    }
}

fn decimal(value: Value) -> Value {
    match value {
        Value::Int(number) => Value::Decimal(Decimal::from(number)),
        Value::List(values) => Value::List(values.into_iter().map(decimal).collect()),
        Value::Item(mut item) => {
            item.value = decimal(item.value);
            Value::Item(item)
        }
        other => other,
    }
}
