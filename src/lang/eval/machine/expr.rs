//! Expressions: what each gives in its scope.

use std::borrow::Cow;
use std::sync::Arc;

use compact_str::CompactString;
use rust_decimal::Decimal;

use super::list::{Body, flat};
use super::{ABSENT, Around, Halt, Machine, Run, Scope, is_absent, number};
use crate::lang::eval::compare::{compare, order};
use crate::lang::eval::program::*;
use crate::lang::eval::reason;
use crate::lang::eval::watch::{Taken, Watch};
use crate::lang::functions::{Absence, Function};
use crate::lang::plan::Aggregate;
use crate::lang::value::{Money, Value};

impl<'p, W: Watch> Machine<'p, W> {
    /// Evaluates to a plain value, without attributes.
    pub(super) fn eval<'s>(&mut self, op: &'p Op, scope: Scope<'s>) -> Run<Cow<'s, Value>>
    where
        'p: 's,
    {
        Ok(match op {
            Op::Slot(slot) => plain(scope.record.get(*slot).unwrap_or(&ABSENT)),
            Op::Outer(slot) => plain(scope.around.outer.get(*slot).unwrap_or(&ABSENT)),
            Op::Param(index) => Cow::Borrowed(scope.around.params.get(*index).unwrap_or(&ABSENT)),
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
            Op::Apply { function, args } => self.apply(*function, args, scope)?,
            Op::Lookup { table, key } => self.lookup(*table, key, scope)?,
            Op::Each { list, body } => Cow::Owned(self.each(list, Body::Op(body), None, scope)?),
            Op::EachLine(lines) => Cow::Owned(self.each(&lines.list, Body::Lines(lines), None, scope)?),
            Op::Ref { to, link } => Cow::Owned(self.links(to, link, None, scope)?),
            Op::Aggregate { kind, of } => Cow::Owned(self.aggregate(*kind, of.as_deref(), scope)?),
            Op::Lines(lines) => Cow::Owned(self.text_lines(lines, scope)?),
            Op::Title { of, titles } => {
                let title = |code: &Value| titles.get(code.to_text().as_ref());
                match self.eval(of, scope)? {
                    Cow::Borrowed(Value::Absent) => Cow::Borrowed(&ABSENT),
                    code => match code.as_ref() {
                        Value::List(codes) => Cow::Owned(flat(
                            codes.iter().map(|code| title(code).unwrap_or(code).clone()).collect(),
                        )),
                        one => match title(one) {
                            Some(title) => Cow::Borrowed(title),
                            None => code,
                        },
                    },
                }
            }
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
            Op::Stage(stage) => self.stage(stage, scope)?,
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
    pub(super) fn eval_raw<'s>(&mut self, op: &'p Op, scope: Scope<'s>) -> Run<Cow<'s, Value>>
    where
        'p: 's,
    {
        match op {
            Op::Slot(slot) => Ok(Cow::Borrowed(scope.record.get(*slot).unwrap_or(&ABSENT))),
            Op::Outer(slot) => Ok(Cow::Borrowed(scope.around.outer.get(*slot).unwrap_or(&ABSENT))),
            other => self.eval(other, scope),
        }
    }

    pub(super) fn truth(&mut self, op: &'p Op, scope: Scope<'_>) -> Run<bool> {
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

    /// A function of the spec, which sees its arguments and nothing else.
    fn apply<'s>(&mut self, function: usize, args: &'p [Op], scope: Scope<'s>) -> Run<Cow<'s, Value>>
    where
        'p: 's,
    {
        let mut few = [const { Value::Absent }; 4];
        let mut many = Vec::new();
        let params = if args.len() <= few.len() {
            &mut few[..args.len()]
        } else {
            many.resize(args.len(), Value::Absent);
            &mut many[..]
        };
        for (arg, place) in args.iter().zip(params.iter_mut()) {
            *place = self.eval(arg, scope)?.into_owned();
        }
        let around = Around { outer: &[], folded: &[], params };
        let inner = Scope { record: &[], element: &ABSENT, attrs: &[], around: &around };
        let body = &self.program.functions[function];
        Ok(Cow::Owned(self.eval(body, inner)?.into_owned()))
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
        let at = number(table);
        let table = &self.program.tables[table];
        let code = key.to_text();
        match table.rows.get(code.as_ref()) {
            Some(row) => {
                self.hit(Taken::Row(at, Some(row.index)), row.line);
                self.act(&row.act, scope, row.line, |_| reason::held_by_table(&code, &table.name))
            }
            None => {
                let line = table.unseen_line;
                self.hit(Taken::Row(at, None), line);
                self.act(&table.unseen, scope, line, |_| reason::not_in_table(&code, &table.name))
            }
        }
    }

    fn stage<'s>(&mut self, at: &'p StageProgram, scope: Scope<'s>) -> Run<Cow<'s, Value>>
    where
        'p: 's,
    {
        let category = match &at.category {
            Some(category) => self.eval(category, scope)?,
            None => Cow::Owned(Value::Text(CompactString::default())),
        };
        if is_absent(&category) {
            return Ok(Cow::Borrowed(&ABSENT));
        }
        let stage = self.eval(&at.stage, scope)?;
        if is_absent(&stage) {
            return Ok(Cow::Borrowed(&ABSENT));
        }
        let (category, code) = (category.to_text(), stage.to_text());
        let Some(index) = at.pipelines.get(category.as_ref()) else {
            let reason = Arc::from(reason::no_pipeline(&category, &at.object));
            return Err(Halt::Quarantine { reason, line: self.line });
        };
        let pipeline = &self.program.pipelines[*index];
        match pipeline.rows.get(code.as_ref()) {
            Some(row) => {
                self.hit(Taken::StageRow(number(*index), Some(row.index)), row.line);
                self.act(&row.act, scope, row.line, |_| reason::held_by_pipeline(&code, &pipeline.name))
            }
            None => {
                let line = pipeline.unseen_line;
                self.hit(Taken::StageRow(number(*index), None), line);
                self.act(&pipeline.unseen, scope, line, |_| reason::not_in_pipeline(&code, &pipeline.name))
            }
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

    fn aggregate(&mut self, kind: Aggregate, of: Option<&'p Op>, scope: Scope<'_>) -> Run<Value> {
        let folded = scope.around.folded;
        let count = |n: usize| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
        let Some(of) = of else {
            return Ok(if kind == Aggregate::Count { count(folded.len()) } else { Value::Absent });
        };
        let (mut found, mut total) = (0, Value::Absent);
        for record in folded {
            let value = self.eval(of, Scope { record, element: &ABSENT, attrs: &[], ..scope })?;
            if is_absent(&value) {
                continue;
            }
            found += 1;
            let elements = match value.as_ref() {
                Value::List(values) => values.as_slice(),
                one => std::slice::from_ref(one),
            };
            for element in elements {
                match kind {
                    Aggregate::Count => {}
                    Aggregate::Sum => total = sum(total, element)?,
                    Aggregate::Min | Aggregate::Max => total = extreme(kind, total, element)?,
                }
            }
        }
        Ok(if kind == Aggregate::Count { count(found) } else { total })
    }

    fn text_lines(&mut self, lines: &'p [LineProgram], scope: Scope<'_>) -> Run<Value> {
        let mut text = String::new();
        let begin = |text: &mut String, label: &str, rest: &str| {
            if !text.is_empty() {
                text.push('\n');
            }
            if !label.is_empty() {
                text.push_str(label);
                text.push_str(rest);
            }
        };
        for line in lines {
            if line.columns.is_empty() {
                let value = self.eval(&line.value, scope)?;
                let shown = value.to_text();
                if !shown.trim().is_empty() {
                    begin(&mut text, &line.label, ": ");
                    text.push_str(&shown);
                }
                continue;
            }
            let rows = self.eval_raw(&line.value, scope)?;
            let rows = match rows.as_ref() {
                Value::List(rows) => rows.as_slice(),
                one => std::slice::from_ref(one),
            };
            let mut first = true;
            for row in rows {
                let Value::Item(row) = row else { continue };
                let mut shown = String::new();
                for (name, index) in &line.columns {
                    let value = row.attrs.get(*index).unwrap_or(&ABSENT).to_text();
                    if !value.trim().is_empty() {
                        shown.push_str(if shown.is_empty() { "" } else { ", " });
                        shown.push_str(name);
                        shown.push_str(": ");
                        shown.push_str(&value);
                    }
                }
                if shown.is_empty() {
                    continue;
                }
                if std::mem::take(&mut first) && !line.label.is_empty() {
                    begin(&mut text, &line.label, ":");
                }
                begin(&mut text, "- ", "");
                text.push_str(&shown);
            }
        }
        Ok(Value::text_or_absent(text))
    }
}

/// A value without its attributes. An element without a value of its own, a row, stays what it is.
pub(super) fn plain(value: &Value) -> Cow<'_, Value> {
    fn one(value: &Value) -> &Value {
        match value {
            Value::Item(item) if !item.value.is_absent() || item.attrs.is_empty() => &item.value,
            other => other,
        }
    }
    match value {
        Value::List(values) if values.iter().any(|value| matches!(value, Value::Item(_))) => {
            let plain = values.iter().map(one).filter(|value| !value.is_absent());
            Cow::Owned(Value::list(plain.cloned().collect()))
        }
        other => Cow::Borrowed(one(other)),
    }
}

fn sum(total: Value, value: &Value) -> Run<Value> {
    let fail = |why: &str| Halt::Fail(why.to_owned());
    let too_great = || fail(reason::SUM_TOO_GREAT);
    Ok(match (total, value) {
        (Value::Absent, Value::Int(_) | Value::Decimal(_) | Value::Money(_)) => value.clone(),
        (Value::Int(a), Value::Int(b)) => Value::Int(a.checked_add(*b).ok_or_else(too_great)?),
        (Value::Int(a), Value::Decimal(b)) => {
            Value::Decimal(Decimal::from(a).checked_add(*b).ok_or_else(too_great)?)
        }
        (Value::Decimal(a), Value::Int(b)) => {
            Value::Decimal(a.checked_add(Decimal::from(*b)).ok_or_else(too_great)?)
        }
        (Value::Decimal(a), Value::Decimal(b)) => Value::Decimal(a.checked_add(*b).ok_or_else(too_great)?),
        (Value::Money(a), Value::Money(b)) if a.currency == b.currency => Value::Money(Money {
            amount: a.amount.checked_add(b.amount).ok_or_else(too_great)?,
            currency: a.currency,
        }),
        (Value::Money(_), Value::Money(_)) => return Err(fail(reason::SEVERAL_CURRENCIES)),
        _ => return Err(fail(reason::NOT_NUMBERS)),
    })
}

/// The lesser or greater of two; of equals the first.
fn extreme(kind: Aggregate, best: Value, value: &Value) -> Run<Value> {
    if best.is_absent() {
        return Ok(value.clone());
    }
    let Some(order) = order(value, &best) else {
        let both_amounts = matches!((&best, value), (Value::Money(_), Value::Money(_)));
        let why = if both_amounts { reason::SEVERAL_CURRENCIES } else { reason::NO_ORDER };
        return Err(Halt::Fail(why.to_owned()));
    };
    let better = if kind == Aggregate::Min { order.is_lt() } else { order.is_gt() };
    Ok(if better { value.clone() } else { best })
}
