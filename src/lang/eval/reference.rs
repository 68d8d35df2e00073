//! The plain interpreter: slow, direct, over the plan as it stands. It shares no decision with the fast program, only
//! the wording of reasons, and exists so that the two can be compared.

use std::sync::Arc;

use compact_str::CompactString;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;

use super::{Flag, Outcome, Output, reason};
use crate::lang::functions::{self, Absence, Context};
use crate::lang::plan::{Arm, Comparison, Expr, Map, Plan, Rule, StageTo};
use crate::lang::types::Base;
use crate::lang::value::{Item, RefValue, Value};

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

struct Interpreter<'a> {
    plan: &'a Plan,
    map: &'a Map,
    record: &'a [Value],
    rule: Option<usize>,
    inside_on_fail: bool,
    output: Output,
}

/// Runs one map of a plan over one record, as [`Program::run`](super::Program::run) does.
pub fn run(plan: &Plan, map: usize, record: &[Value]) -> Outcome {
    let Some(map) = plan.maps.get(map) else {
        return Outcome::LeftOut { reason: reason::NOT_IN_WHERE.into(), line: 0 };
    };
    let mut interpreter =
        Interpreter { plan, map, record, rule: None, inside_on_fail: false, output: Output::default() };
    match interpreter.record() {
        Ok(()) => Outcome::Record(interpreter.output),
        Err(outcome) => outcome,
    }
}

impl Interpreter<'_> {
    fn record(&mut self) -> std::result::Result<(), Outcome> {
        self.filter()?;
        self.output = Output::default();
        self.output.values = self.map.targets.iter().map(|_| Value::Absent).collect();
        for index in 0..self.map.rules.len() {
            self.rule = Some(index);
            let rule = &self.map.rules[index];
            let value = match self.rule(rule) {
                Err(End::Failure(why)) => self.on_fail(&why, None),
                other => other,
            };
            let value = value.map_err(|end| self.outcome(end, rule.line))?;
            let target = usize::from(rule.target);
            if self.output.values[target] == Value::Absent {
                self.output.values[target] = self.fit(value, target);
            }
        }
        Ok(())
    }

    fn filter(&mut self) -> std::result::Result<(), Outcome> {
        let Some(filter) = &self.map.filter else { return Ok(()) };
        let line = filter.line;
        match self.value(&filter.condition, None) {
            Err(end) => Err(self.outcome(end, line)),
            Ok(Value::Bool(true)) => Ok(()),
            Ok(_) => Err(match &filter.otherwise {
                Arm::Skip(why) | Arm::Flag(why) => Outcome::LeftOut { reason: why.as_str().into(), line },
                Arm::Quarantine => {
                    Outcome::Quarantined { rule: None, reason: reason::HELD_BY_WHERE.into(), line }
                }
                Arm::Stop => Outcome::Stopped { rule: None, reason: reason::HELD_BY_WHERE.into(), line },
                Arm::Value { .. } | Arm::Unset | Arm::Wait => {
                    Outcome::LeftOut { reason: reason::NOT_IN_WHERE.into(), line }
                }
            }),
        }
    }

    fn outcome(&self, end: End, line_of_rule: u32) -> Outcome {
        let rule = self.rule.map(|rule| rule as u16);
        match end {
            End::Failure(why) => Outcome::Quarantined {
                rule,
                reason: reason::failed(self.target(), &why).into(),
                line: line_of_rule,
            },
            End::Skip(why, line) => Outcome::LeftOut { reason: why.into(), line },
            End::Quarantine(why, line) => Outcome::Quarantined { rule, reason: why.into(), line },
            End::Stop(why, line) => Outcome::Stopped { rule, reason: why.into(), line },
        }
    }

    fn target(&self) -> Option<&str> {
        let rule = &self.map.rules[self.rule?];
        Some(&self.map.targets[usize::from(rule.target)].name)
    }

    fn line(&self) -> u32 {
        match self.rule {
            Some(rule) => self.map.rules[rule].line,
            None => self.map.filter.as_ref().map_or(0, |filter| filter.line),
        }
    }

    fn flag(&mut self, why: &str) {
        if let Some(rule) = self.rule {
            self.output.flags.push(Flag { rule: rule as u16, why: Arc::from(why) });
        }
    }

    fn rule(&mut self, rule: &Rule) -> Result<Value> {
        let applies = match &rule.when {
            None => true,
            Some(when) => self.value(when, None)? == Value::Bool(true),
        };
        let mut value = Value::Absent;
        if applies {
            value = if rule.label.is_some() { self.labelled(rule)? } else { self.value(&rule.value, None)? };
        }
        let mut arms = rule.otherwise.iter();
        while value == Value::Absent {
            let Some(arm) = arms.next() else { break };
            value = self.arm(arm, None, rule.line, &reason::no_value(self.target().unwrap_or_default()))?;
            if !matches!(arm, Arm::Value { .. }) {
                break;
            }
        }
        Ok(value)
    }

    fn arm(&mut self, arm: &Arm, here: Option<&Here>, line: u32, what: &str) -> Result<Value> {
        match arm {
            Arm::Value { value, flag } => {
                let value = self.value(value, here)?;
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

    fn on_fail(&mut self, why: &str, here: Option<&Here>) -> Result<Value> {
        let what = reason::failed(self.target(), why);
        let line = self.line();
        let arm = self.rule.and_then(|rule| self.map.rules[rule].on_fail.as_ref());
        match arm {
            Some(arm) if !self.inside_on_fail => {
                self.inside_on_fail = true;
                let result = self.arm(arm, here, line, &what);
                self.inside_on_fail = false;
                match result {
                    Err(End::Failure(why)) => Err(End::Quarantine(reason::failed(self.target(), &why), line)),
                    other => other,
                }
            }
            _ => Err(End::Quarantine(what, line)),
        }
    }

    /// What an expression gives, without attributes.
    fn value(&mut self, expr: &Expr, here: Option<&Here>) -> Result<Value> {
        let value = self.with_attributes(expr, here)?;
        Ok(match value {
            Value::Item(item) => item.value,
            Value::List(values) => together(values.into_iter().map(|value| match value {
                Value::Item(item) => item.value,
                other => other,
            })),
            other => other,
        })
    }

    fn with_attributes(&mut self, expr: &Expr, here: Option<&Here>) -> Result<Value> {
        match expr {
            Expr::Slot(slot) => Ok(self.record.get(usize::from(*slot)).cloned().unwrap_or_default()),
            Expr::Element => Ok(here.map(|here| here.value.clone()).unwrap_or_default()),
            Expr::Attribute(index) => Ok(here
                .and_then(|here| here.attributes.get(usize::from(*index)).cloned())
                .unwrap_or_default()),
            Expr::Const(value) => Ok(value.clone()),
            Expr::Concat(parts) => {
                let mut text = String::new();
                for part in parts {
                    text += &self.value(part, here)?.display().to_string();
                }
                Ok(if text.trim().is_empty() { Value::Absent } else { Value::text(text) })
            }
            Expr::Call { function, args } => {
                let Some(function) = functions::find(function) else {
                    return Err(End::Failure(format!("no function `{function}`")));
                };
                let mut values = vec![];
                for arg in args {
                    let value = self.value(arg, here)?;
                    if value == Value::Absent && function.absence == Absence::Propagates {
                        return Ok(Value::Absent);
                    }
                    values.push(value);
                }
                let zone = self.plan.zone.as_ref().and_then(|name| TimeZone::get(name).ok());
                (function.eval)(&values, &Context { zone }).map_err(|failure| End::Failure(failure.why))
            }
            Expr::Lookup { table, key } => match self.value(key, here)? {
                Value::List(keys) => {
                    let mut found = vec![];
                    for key in keys {
                        match self.row(usize::from(*table), &key, here) {
                            Err(End::Skip(..)) => {}
                            other => found.push(other?),
                        }
                    }
                    Ok(together(found))
                }
                key => self.row(usize::from(*table), &key, here),
            },
            Expr::Each { list, body } => {
                let mut results = vec![];
                for element in self.elements(list, here)?.0 {
                    match self.value(body, Some(&element)).or_else(|end| self.recover(end, &element)) {
                        Err(End::Skip(..)) => {}
                        other => results.push(other?),
                    }
                }
                Ok(together(results))
            }
            Expr::EachLine { .. }
            | Expr::Apply { .. }
            | Expr::Param(_)
            | Expr::Outer(_)
            | Expr::Aggregate { .. }
            | Expr::Lines(_)
            | Expr::Title { .. } => Err(End::Failure("not evaluated yet".to_owned())),
            Expr::Ref { maps, link, .. } => {
                let (elements, many) = self.elements(link, here)?;
                let mut links = vec![];
                for element in elements {
                    match self.link(maps, &element.value).or_else(|end| self.recover(end, &element)) {
                        Err(End::Skip(..)) => {}
                        other => links.push(other?),
                    }
                }
                Ok(one_or_many(links, many))
            }
            Expr::Owner(user) => match self.value(user, here)? {
                Value::List(users) => {
                    let owners: Vec<_> = users.iter().map(|user| self.owner(user)).collect();
                    Ok(together(owners))
                }
                user => Ok(self.owner(&user)),
            },
            Expr::Stage { category, stage, object } => {
                let category = match category {
                    None => String::new(),
                    Some(category) => match self.value(category, here)? {
                        Value::Absent => return Ok(Value::Absent),
                        category => category.display().to_string(),
                    },
                };
                let stage = match self.value(stage, here)? {
                    Value::Absent => return Ok(Value::Absent),
                    stage => stage.display().to_string(),
                };
                self.stage(object, &category, &stage, here)
            }
            Expr::List(parts) => {
                let mut values = vec![];
                for part in parts {
                    values.push(self.value(part, here)?);
                }
                Ok(together(values))
            }
            Expr::Has(value) => Ok(Value::Bool(match self.with_attributes(value, here)? {
                Value::Absent => false,
                Value::List(values) => !values.is_empty(),
                _ => true,
            })),
            Expr::Not(value) => Ok(Value::Bool(self.value(value, here)? != Value::Bool(true))),
            Expr::And(a, b) => {
                let both =
                    self.value(a, here)? == Value::Bool(true) && self.value(b, here)? == Value::Bool(true);
                Ok(Value::Bool(both))
            }
            Expr::Or(a, b) => {
                let either =
                    self.value(a, here)? == Value::Bool(true) || self.value(b, here)? == Value::Bool(true);
                Ok(Value::Bool(either))
            }
            Expr::Compare(how, a, b) => {
                let a = self.value(a, here)?;
                let b = self.value(b, here)?;
                Ok(Value::Bool(holds(*how, &a, &b)))
            }
        }
    }

    /// A failing element takes the `on fail` arm; other ends stay.
    fn recover(&mut self, end: End, element: &Here) -> Result<Value> {
        match end {
            End::Failure(why) => self.on_fail(&why, Some(element)),
            other => Err(other),
        }
    }

    /// The elements of a list with their attributes, and whether it was a list.
    fn elements(&mut self, list: &Expr, here: Option<&Here>) -> Result<(Vec<Here>, bool)> {
        let element = |value| match value {
            Value::Item(item) => Here { value: item.value, attributes: item.attrs },
            value => Here { value, attributes: vec![] },
        };
        Ok(match self.with_attributes(list, here)? {
            Value::Absent => (vec![], false),
            Value::List(values) => (values.into_iter().map(element).collect(), true),
            one => (vec![element(one)], false),
        })
    }

    /// A rule with a label: the value of each element, tied to its label.
    fn labelled(&mut self, rule: &Rule) -> Result<Value> {
        let (list, always_list) = match &rule.value {
            Expr::Each { list, .. } => (list.as_ref(), true),
            Expr::Ref { link, .. } => (link.as_ref(), false),
            other => (other, false),
        };
        let (elements, many) = self.elements(list, None)?;
        let mut results = vec![];
        for element in elements {
            match self.labelled_element(rule, &element).or_else(|end| self.recover(end, &element)) {
                Err(End::Skip(..)) => {}
                other => results.push(other?),
            }
        }
        Ok(one_or_many(results, many || always_list))
    }

    fn labelled_element(&mut self, rule: &Rule, element: &Here) -> Result<Value> {
        let value = match &rule.value {
            Expr::Each { body, .. } => self.value(body, Some(element))?,
            Expr::Ref { maps, .. } => self.link(maps, &element.value)?,
            _ => element.value.clone(),
        };
        let Some(label) = rule.label.as_ref().filter(|_| value != Value::Absent) else { return Ok(value) };
        if let Some(when) = &label.when
            && self.value(when, Some(element))? != Value::Bool(true)
        {
            return Ok(value);
        }
        let label = self.value(&label.value, Some(element))?;
        if label == Value::Absent {
            return Ok(value);
        }
        let attrs = vec![Value::text(label.display().to_string())];
        let with_label = |value| Value::Item(Box::new(Item { value, attrs: attrs.clone() }));
        Ok(match value {
            Value::List(values) => Value::List(values.into_iter().map(with_label).collect()),
            value => with_label(value),
        })
    }

    fn row(&mut self, table: usize, key: &Value, here: Option<&Here>) -> Result<Value> {
        if *key == Value::Absent {
            return Ok(Value::Absent);
        }
        let table = &self.plan.tables[table];
        let code = key.display().to_string();
        for (known, row) in &table.rows {
            if *known == code {
                return self.arm(&row.arm, here, row.line, &reason::held_by_table(&code, &table.name));
            }
        }
        self.arm(&table.unseen, here, table.line, &reason::not_in_table(&code, &table.name))
    }

    fn stage(&mut self, object: &str, category: &str, stage: &str, here: Option<&Here>) -> Result<Value> {
        let found =
            self.plan.pipelines.iter().find(|line| line.object == object && line.category == category);
        let Some(pipeline) = found else {
            return Err(End::Quarantine(reason::no_pipeline(category, object), self.line()));
        };
        match pipeline.rows.iter().find(|(code, _)| *code == stage) {
            None => {
                let what = reason::not_in_pipeline(stage, &pipeline.name);
                self.arm(&pipeline.unseen, here, pipeline.line, &what)
            }
            Some((_, row)) => match &row.to {
                StageTo::Stage(stage) => Ok(Value::Stage(Box::new(stage.clone()))),
                StageTo::Arm(arm) => {
                    self.arm(arm, here, row.line, &reason::held_by_pipeline(stage, &pipeline.name))
                }
            },
        }
    }

    fn owner(&mut self, user: &Value) -> Value {
        let owners = &self.plan.owners;
        let owner = match user {
            Value::Absent => &owners.otherwise,
            user => owners.users.get(&user.display().to_string()).unwrap_or(&owners.otherwise),
        };
        owner.flag.iter().for_each(|why| self.flag(why));
        self.output.owners.push(owner.how);
        if owner.user.is_empty() { Value::Absent } else { Value::text(&owner.user) }
    }

    fn link(&self, maps: &[u16], link: &Value) -> Result<Value> {
        let text = match link {
            Value::Absent => return Ok(Value::Absent),
            Value::Text(text) => text.to_string(),
            Value::Int(number) => number.to_string(),
            _ => return Err(End::Failure(reason::NOT_A_LINK.to_owned())),
        };
        for map in maps {
            let source = &self.plan.maps[usize::from(*map)].source;
            let key = match text.find('/') {
                None => text.as_str(),
                Some(slash) if text[..slash] == **source => &text[slash + 1..],
                Some(_) => continue,
            };
            return Ok(Value::Ref(Box::new(RefValue {
                map: *map,
                others: Vec::new(),
                key: CompactString::from(key),
                field: None,
            })));
        }
        Ok(Value::Absent)
    }

    /// The value in the form that the destination field takes.
    fn fit(&self, value: Value, target: usize) -> Value {
        let ty = &self.map.targets[target].ty;
        let to_decimal = |value: Value| match value {
            Value::Int(number) if ty.base == Base::Decimal => Value::Decimal(Decimal::from(number)),
            other => other,
        };
        let convert = |value: Value| match value {
            Value::Item(item) => {
                Value::Item(Box::new(Item { value: to_decimal(item.value), attrs: item.attrs }))
            }
            other => to_decimal(other),
        };
        match value {
            Value::Absent => Value::Absent,
            Value::List(values) => Value::List(values.into_iter().map(convert).collect()),
            one if ty.many => Value::List(vec![convert(one)]),
            one => convert(one),
        }
    }
}

/// A list of what is there, lists in it opened; absent when nothing is.
fn together(values: impl IntoIterator<Item = Value>) -> Value {
    let mut list = vec![];
    for value in values {
        match value {
            Value::Absent => {}
            Value::List(inner) => list.extend(inner.into_iter().filter(|value| *value != Value::Absent)),
            one => list.push(one),
        }
    }
    if list.is_empty() { Value::Absent } else { Value::List(list) }
}

fn one_or_many(values: Vec<Value>, many: bool) -> Value {
    match together(values) {
        Value::List(mut values) if !many && values.len() == 1 => values.remove(0),
        other => other,
    }
}

fn holds(how: Comparison, a: &Value, b: &Value) -> bool {
    let (equal, less) = match (a, b) {
        (Value::Absent, _) | (_, Value::Absent) => return how == Comparison::NotEqual,
        (Value::Text(a), Value::Text(b)) => (a == b, Some(a < b)),
        (Value::Int(a), Value::Int(b)) => (a == b, Some(a < b)),
        (Value::Decimal(a), Value::Decimal(b)) => (a == b, Some(a < b)),
        (Value::Int(a), Value::Decimal(b)) => (Decimal::from(*a) == *b, Some(Decimal::from(*a) < *b)),
        (Value::Decimal(a), Value::Int(b)) => (*a == Decimal::from(*b), Some(*a < Decimal::from(*b))),
        (Value::Date(a), Value::Date(b)) => (a == b, Some(a < b)),
        (Value::Instant(a), Value::Instant(b)) => (a.at == b.at, Some(a.at < b.at)),
        (Value::Instant(a), Value::Date(b)) => (a.date() == *b, Some(a.date() < *b)),
        (Value::Date(a), Value::Instant(b)) => (*a == b.date(), Some(*a < b.date())),
        (Value::Money(a), Value::Money(b)) if a.currency == b.currency => {
            (a.amount == b.amount, Some(a.amount < b.amount))
        }
        (a, b) => (a == b, None),
    };
    match (how, less) {
        (Comparison::Equal, _) => equal,
        (Comparison::NotEqual, _) => !equal,
        (_, None) => false,
        (Comparison::Less, Some(less)) => less,
        (Comparison::AtMost, Some(less)) => less || equal,
        (Comparison::Greater, Some(less)) => !less && !equal,
        (Comparison::AtLeast, Some(less)) => !less,
    }
}
