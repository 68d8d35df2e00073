//! Running a program over one record. Values are borrowed from the record and the program until they are stored.

use std::borrow::Cow;
use std::sync::Arc;

use compact_str::CompactString;
use rust_decimal::Decimal;

use super::compare::compare;
use super::compile::{
    Act, LabelProgram, LinkedMap, MapProgram, Op, OwnerProgram, Program, RuleProgram, TargetProgram,
};
use super::{Flag, Outcome, Output, reason};
use crate::lang::functions::{Absence, Function};
use crate::lang::plan::OwnerHow;
use crate::lang::value::{Item, RefValue, Value};

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
}

static ABSENT: Value = Value::Absent;

/// What is made of each element of a list.
#[derive(Clone, Copy)]
enum Body<'p> {
    Op(&'p Op),
    Link(&'p [LinkedMap]),
    Itself,
}

pub(super) struct Machine<'p> {
    program: &'p Program,
    map: &'p MapProgram,
    /// The rule at hand; `None` in `where`.
    rule: Option<u16>,
    /// What a failure does in the rule at hand.
    on_fail: Option<&'p Act>,
    /// The line of the rule at hand.
    line: u32,
    flags: Vec<Flag>,
    owners: Vec<OwnerHow>,
}

impl<'p> Machine<'p> {
    pub fn new(program: &'p Program, map: &'p MapProgram) -> Self {
        Machine { program, map, rule: None, on_fail: None, line: 0, flags: Vec::new(), owners: Vec::new() }
    }

    pub fn run(mut self, record: &[Value]) -> Outcome {
        let scope = Scope { record, element: &ABSENT, attrs: &[] };
        if let Some(outcome) = self.filtered(scope) {
            return outcome;
        }
        let mut values = vec![Value::Absent; self.map.targets.len()];
        for (index, rule) in self.map.rules.iter().enumerate() {
            self.rule = Some(u16::try_from(index).unwrap_or(u16::MAX));
            self.on_fail = rule.on_fail.as_ref();
            self.line = rule.line;
            let value = match self.rule_value(rule, scope) {
                Err(Halt::Fail(why)) => self.failed(&why, scope),
                other => other,
            };
            match value {
                Ok(value) => {
                    let target = &self.map.targets[rule.target];
                    if values[rule.target].is_absent() {
                        values[rule.target] = shaped(value.into_owned(), target);
                    }
                }
                Err(halt) => return self.halted(halt),
            }
        }
        Outcome::Record(Output { values, flags: self.flags, owners: self.owners })
    }

    fn filtered(&mut self, scope: Scope<'_>) -> Option<Outcome> {
        let filter = self.map.filter.as_ref()?;
        self.line = filter.line;
        match self.truth(&filter.condition, scope) {
            Ok(true) => {
                self.owners.clear();
                None
            }
            Ok(false) => {
                let line = filter.line;
                Some(match &filter.otherwise {
                    Act::Skip(reason) | Act::Flag(reason) => {
                        Outcome::LeftOut { reason: reason.clone(), line }
                    }
                    Act::Value { .. } | Act::Unset => {
                        Outcome::LeftOut { reason: Arc::from(reason::NOT_IN_WHERE), line }
                    }
                    Act::Quarantine => {
                        Outcome::Quarantined { rule: None, reason: Arc::from(reason::HELD_BY_WHERE), line }
                    }
                    Act::Stop => {
                        Outcome::Stopped { rule: None, reason: Arc::from(reason::HELD_BY_WHERE), line }
                    }
                })
            }
            Err(halt) => Some(self.halted(halt)),
        }
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

    fn target_name(&self) -> Option<&'p str> {
        let rule = self.map.rules.get(usize::from(self.rule?))?;
        Some(&self.map.targets[rule.target].name)
    }

    fn failure(&self, why: &str) -> Arc<str> {
        Arc::from(reason::failed(self.target_name(), why))
    }

    fn flag(&mut self, why: &Arc<str>) {
        if let Some(rule) = self.rule {
            self.flags.push(Flag { rule, why: why.clone() });
        }
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
                return Ok(value);
            }
        }
        for arm in &rule.otherwise {
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
            let line = rule.line;
            return self.act(arm, scope, line, |machine| {
                reason::no_value(machine.target_name().unwrap_or_default())
            });
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

    /// Takes the `on fail` arm of the rule at hand. Never gives [`Halt::Fail`].
    fn failed<'s>(&mut self, why: &str, scope: Scope<'s>) -> Run<Cow<'s, Value>>
    where
        'p: 's,
    {
        let line = self.line;
        let Some(arm) = self.on_fail else {
            return Err(Halt::Quarantine { reason: self.failure(why), line });
        };
        // An arm that fails itself finds no other arm.
        self.on_fail = None;
        let result = self.act(arm, scope, line, |machine| reason::failed(machine.target_name(), why));
        self.on_fail = Some(arm);
        match result {
            Err(Halt::Fail(why)) => Err(Halt::Quarantine { reason: self.failure(&why), line }),
            other => other,
        }
    }

    /// Evaluates to a plain value, without attributes.
    fn eval<'s>(&mut self, op: &'p Op, scope: Scope<'s>) -> Run<Cow<'s, Value>>
    where
        'p: 's,
    {
        Ok(match op {
            Op::Slot(slot) => scope.record.get(*slot).unwrap_or(&ABSENT).stripped(),
            Op::Element => Cow::Borrowed(scope.element),
            Op::Attribute(index) => Cow::Borrowed(scope.attrs.get(*index).unwrap_or(&ABSENT)),
            Op::Const(value) => Cow::Borrowed(value),
            Op::Concat(parts) => {
                let mut text = CompactString::default();
                for part in parts {
                    text.push_str(&self.eval(part, scope)?.to_text());
                }
                // Parts that are all blank leave nothing but the blanks between them: that is no value.
                let blank = text.chars().all(char::is_whitespace);
                Cow::Owned(if blank { Value::Absent } else { Value::Text(text) })
            }
            Op::Call { function, args } => self.call(function, args, scope)?,
            Op::Lookup { table, key } => self.lookup(*table, key, scope)?,
            Op::Each { list, body } => Cow::Owned(self.each(list, Body::Op(body), None, scope)?),
            Op::Ref { maps, link } => Cow::Owned(self.each(link, Body::Link(maps), None, scope)?),
            Op::Owner(user) => {
                let user = self.eval(user, scope)?;
                match user.as_ref() {
                    Value::List(users) => {
                        let owners = users.iter().map(|user| self.owner(user).clone()).collect();
                        Cow::Owned(flat(owners))
                    }
                    user => Cow::Borrowed(self.owner(user)),
                }
            }
            Op::Stage { pipelines, object, category, stage } => {
                let category = match category {
                    Some(category) => self.eval(category, scope)?,
                    None => Cow::Owned(Value::Text(CompactString::default())),
                };
                if is_absent(&category) {
                    return Ok(Cow::Borrowed(&ABSENT));
                }
                let stage = self.eval(stage, scope)?;
                if is_absent(&stage) {
                    return Ok(Cow::Borrowed(&ABSENT));
                }
                let (category, code) = (category.to_text(), stage.to_text());
                let Some(index) = pipelines.get(category.as_ref()) else {
                    let reason = Arc::from(reason::no_pipeline(&category, object));
                    return Err(Halt::Quarantine { reason, line: self.line });
                };
                let pipeline = &self.program.pipelines[*index];
                match pipeline.rows.get(code.as_ref()) {
                    Some((act, line)) => {
                        self.act(act, scope, *line, |_| reason::held_by_pipeline(&code, &pipeline.name))?
                    }
                    None => self.act(&pipeline.unseen, scope, pipeline.line, |_| {
                        reason::not_in_pipeline(&code, &pipeline.name)
                    })?,
                }
            }
            Op::List(parts) => {
                let mut values = Vec::with_capacity(parts.len());
                for part in parts {
                    values.push(self.eval(part, scope)?.into_owned());
                }
                Cow::Owned(flat(values))
            }
            Op::Has(value) => {
                let value = self.eval_raw(value, scope)?;
                Cow::Owned(Value::Bool(!is_absent(&value)))
            }
            Op::Not(value) => Cow::Owned(Value::Bool(!self.truth(value, scope)?)),
            Op::And(a, b) => Cow::Owned(Value::Bool(self.truth(a, scope)? && self.truth(b, scope)?)),
            Op::Or(a, b) => Cow::Owned(Value::Bool(self.truth(a, scope)? || self.truth(b, scope)?)),
            Op::Compare(how, a, b) => {
                let a = self.eval(a, scope)?;
                let b = self.eval(b, scope)?;
                Cow::Owned(Value::Bool(compare(*how, &a, &b)))
            }
        })
    }

    /// Evaluates, with the attributes of a field's elements.
    fn eval_raw<'s>(&mut self, op: &'p Op, scope: Scope<'s>) -> Run<Cow<'s, Value>>
    where
        'p: 's,
    {
        match op {
            Op::Slot(slot) => Ok(Cow::Borrowed(scope.record.get(*slot).unwrap_or(&ABSENT))),
            other => self.eval(other, scope),
        }
    }

    fn truth(&mut self, op: &'p Op, scope: Scope<'_>) -> Run<bool> {
        Ok(matches!(self.eval(op, scope)?.as_ref(), Value::Bool(true)))
    }

    /// Arguments are evaluated from the left; where absence propagates, the first absent one ends that.
    fn call<'s>(
        &mut self,
        function: &'static Function,
        args: &'p [Op],
        scope: Scope<'s>,
    ) -> Run<Cow<'s, Value>>
    where
        'p: 's,
    {
        let propagates = function.absence == Absence::Propagates;
        let run = |values: &[Value], machine: &Self| {
            let result = (function.eval)(values, &machine.program.context);
            result.map(Cow::Owned).map_err(|failure| Halt::Fail(failure.why))
        };
        if let [arg] = args {
            let value = self.eval(arg, scope)?;
            if propagates && is_absent(&value) {
                return Ok(Cow::Borrowed(&ABSENT));
            }
            return run(std::slice::from_ref(value.as_ref()), self);
        }
        // Few functions take more than three arguments, and none of them is worth the heap.
        let mut few = [const { Value::Absent }; 4];
        let mut many = Vec::new();
        let values = if args.len() <= few.len() {
            &mut few[..args.len()]
        } else {
            many.resize(args.len(), Value::Absent);
            &mut many[..]
        };
        for (arg, place) in args.iter().zip(values.iter_mut()) {
            let value = self.eval(arg, scope)?;
            if propagates && is_absent(&value) {
                return Ok(Cow::Borrowed(&ABSENT));
            }
            *place = value.into_owned();
        }
        run(values, self)
    }

    fn lookup<'s>(&mut self, table: usize, key: &'p Op, scope: Scope<'s>) -> Run<Cow<'s, Value>>
    where
        'p: 's,
    {
        let key = self.eval(key, scope)?;
        match key.as_ref() {
            Value::List(keys) => {
                let mut values = Vec::with_capacity(keys.len());
                for key in keys {
                    match self.row(table, key, scope) {
                        Ok(value) => values.push(value.into_owned()),
                        Err(Halt::Skip { .. }) => {}
                        Err(halt) => return Err(halt),
                    }
                }
                Ok(Cow::Owned(flat(values)))
            }
            key => self.row(table, key, scope),
        }
    }

    fn row<'s>(&mut self, table: usize, key: &Value, scope: Scope<'s>) -> Run<Cow<'s, Value>>
    where
        'p: 's,
    {
        if is_absent(key) {
            return Ok(Cow::Borrowed(&ABSENT));
        }
        let table = &self.program.tables[table];
        let code = key.to_text();
        match table.rows.get(code.as_ref()) {
            Some((act, line)) => self.act(act, scope, *line, |_| reason::held_by_table(&code, &table.name)),
            None => self.act(&table.unseen, scope, table.line, |_| reason::not_in_table(&code, &table.name)),
        }
    }

    fn owner(&mut self, user: &Value) -> &'p Value {
        let program = self.program;
        let known = match user {
            Value::Absent => None,
            user => program.owners.get(user.to_text().as_ref()),
        };
        let OwnerProgram { user, flag, how } = known.unwrap_or(&program.other_owners);
        if let Some(why) = flag {
            self.flag(why);
        }
        self.owners.push(*how);
        user
    }

    fn labelled(&mut self, op: &'p Op, label: &'p LabelProgram, scope: Scope<'_>) -> Run<Value> {
        match op {
            Op::Each { list, body } => self.each(list, Body::Op(body), Some(label), scope),
            Op::Ref { maps, link } => self.each(link, Body::Link(maps), Some(label), scope),
            other => self.each(other, Body::Itself, Some(label), scope),
        }
    }

    /// Makes something of each element of a list. A single value is a list of one, which stays single for links and
    /// for values that are only labelled.
    fn each(
        &mut self,
        list: &'p Op,
        body: Body<'p>,
        label: Option<&'p LabelProgram>,
        scope: Scope<'_>,
    ) -> Run<Value> {
        let list = self.eval_raw(list, scope)?;
        let (elements, single) = match list.as_ref() {
            Value::Absent => return Ok(Value::Absent),
            Value::List(elements) => (elements.as_slice(), false),
            one => (std::slice::from_ref(one), !matches!(body, Body::Op(_))),
        };
        let mut values = Vec::with_capacity(elements.len());
        for element in elements {
            let attrs = match element {
                Value::Item(item) => item.attrs.as_slice(),
                _ => &[],
            };
            let inner = Scope { record: scope.record, element: element.bare(), attrs };
            let value = match self.element(body, label, inner) {
                Err(Halt::Fail(why)) => self.failed(&why, inner).map(Cow::into_owned),
                other => other,
            };
            match value {
                Ok(value) => values.push(value),
                Err(Halt::Skip { .. }) => {}
                Err(halt) => return Err(halt),
            }
        }
        let mut values = flat(values);
        if single
            && let Value::List(list) = &mut values
            && list.len() == 1
        {
            values = list.pop().unwrap_or_default();
        }
        Ok(values)
    }

    fn element(&mut self, body: Body<'p>, label: Option<&'p LabelProgram>, scope: Scope<'_>) -> Run<Value> {
        let value = match body {
            Body::Op(op) => self.eval(op, scope)?.into_owned(),
            Body::Link(maps) => linked(maps, scope.element)?,
            Body::Itself => scope.element.clone(),
        };
        let Some(label) = label else { return Ok(value) };
        if is_absent(&value) {
            return Ok(value);
        }
        if let Some(when) = &label.when
            && !self.truth(when, scope)?
        {
            return Ok(value);
        }
        let label = self.eval(&label.value, scope)?;
        if is_absent(&label) {
            return Ok(value);
        }
        let label = Value::text(label.to_text());
        let tie = |value| Value::Item(Box::new(Item { value, attrs: vec![label.clone()] }));
        Ok(match value {
            Value::List(values) => Value::List(values.into_iter().map(tie).collect()),
            one => tie(one),
        })
    }
}

/// An empty list is absent too.
pub(super) fn is_absent(value: &Value) -> bool {
    match value {
        Value::Absent => true,
        Value::List(values) => values.is_empty(),
        _ => false,
    }
}

/// A list without absent values and without lists in it.
fn flat(values: Vec<Value>) -> Value {
    let simple = |value: &Value| !matches!(value, Value::Absent | Value::List(_));
    if values.iter().all(simple) {
        return Value::list(values);
    }
    let mut flat = Vec::with_capacity(values.len());
    for value in values {
        match value {
            Value::Absent => {}
            Value::List(inner) => flat.extend(inner.into_iter().filter(|value| !value.is_absent())),
            one => flat.push(one),
        }
    }
    Value::list(flat)
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

/// A link to a record: an id, or `object/id` where a field links to several objects. A link to an object that none
/// of the maps reads is absent.
fn linked(maps: &[LinkedMap], link: &Value) -> Run<Value> {
    let text = match link {
        Value::Absent => return Ok(Value::Absent),
        Value::Text(text) => Cow::Borrowed(text.as_str()),
        Value::Int(number) => Cow::Owned(number.to_string()),
        _ => return Err(Halt::Fail(reason::NOT_A_LINK.to_owned())),
    };
    let (map, key) = match text.split_once('/') {
        Some((object, key)) => (maps.iter().find(|map| map.source == object), key),
        None => (maps.first(), text.as_ref()),
    };
    Ok(match map {
        Some(map) => {
            Value::Ref(Box::new(RefValue { map: map.map, others: Vec::new(), key: key.into(), field: None }))
        }
        None => Value::Absent,
    })
}
