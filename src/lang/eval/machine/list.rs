//! Lists: `each`, lines, labels and links, element by element.

use std::borrow::Cow;

use super::{Halt, Machine, Run, Scope, is_absent, number, shaped};
use crate::lang::eval::program::*;
use crate::lang::eval::reason;
use crate::lang::eval::watch::Watch;
use crate::lang::value::{Item, RefValue, Value};

/// What is made of each element of a list.
#[derive(Clone, Copy)]
pub(super) enum Body<'p> {
    Op(&'p Op),
    Lines(&'p LinesProgram),
    /// A link to a record of this object.
    One(&'p Carriers),
    /// A link that names its object.
    Any(&'p [Carriers]),
    Itself,
}

impl<'p, W: Watch> Machine<'p, W> {
    pub(super) fn labelled(&mut self, op: &'p Op, label: &'p LabelProgram, scope: Scope<'_>) -> Run<Value> {
        match op {
            Op::Each { list, body } => self.each(list, Body::Op(body), Some(label), scope),
            Op::Ref { to, link } => self.links(to, link, Some(label), scope),
            other => self.each(other, Body::Itself, Some(label), scope),
        }
    }

    pub(super) fn links(
        &mut self,
        to: &'p Links,
        link: &'p Op,
        label: Option<&'p LabelProgram>,
        scope: Scope<'_>,
    ) -> Run<Value> {
        let carriers = match to {
            Links::Any(carriers) if carriers.is_empty() => None,
            Links::Any(carriers) => return self.each(link, Body::Any(carriers), label, scope),
            Links::One(carriers) => carriers.as_ref(),
            Links::Named(object, carriers) => {
                let object = self.eval(object, scope)?;
                if is_absent(&object) {
                    return Ok(Value::Absent);
                }
                let object = object.to_text().to_lowercase();
                carriers.iter().find(|carriers| *carriers.source == *object)
            }
        };
        match carriers {
            Some(carriers) => self.each(link, Body::One(carriers), label, scope),
            None => Ok(Value::Absent),
        }
    }

    /// Makes something of each element of a list. A single value is a list of one, which stays single for links and
    /// for values that are only labelled.
    pub(super) fn each(
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
            one => (std::slice::from_ref(one), !matches!(body, Body::Op(_) | Body::Lines(_))),
        };
        let mut values = Vec::with_capacity(elements.len());
        for element in elements {
            let attrs = match element {
                Value::Item(item) => item.attrs.as_slice(),
                _ => &[],
            };
            let inner = Scope { element: element.bare(), attrs, ..scope };
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
            Body::Lines(lines) => self.line(lines, scope)?,
            Body::One(carriers) => match key(scope.element)? {
                Some(key) => carriers.link(&key),
                None => Value::Absent,
            },
            Body::Any(carriers) => any_link(carriers, scope.element)?,
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

    /// One line of an `each` block: its rules, with the rule around them put aside.
    fn line(&mut self, lines: &'p LinesProgram, scope: Scope<'_>) -> Run<Value> {
        let around = (self.name, self.on_fail, self.passes_on, self.line);
        self.within.push(self.name);
        self.passes_on = self.on_fail.is_some() || self.passes_on;
        let inner = self.watch.within(None);
        let line = self.columns(lines, scope);
        self.watch.within(inner);
        self.within.pop();
        (self.name, self.on_fail, self.passes_on, self.line) = around;
        line
    }

    fn columns(&mut self, lines: &'p LinesProgram, scope: Scope<'_>) -> Run<Value> {
        let mut columns = vec![Value::Absent; lines.columns.len()];
        for (index, rule) in lines.rules.iter().enumerate() {
            self.watch.within(Some(number(index)));
            self.name = &rule.name;
            self.on_fail = rule.on_fail.as_ref();
            self.line = rule.line;
            let value = match self.rule_value(rule, scope) {
                Err(Halt::Fail(why)) => self.failed(&why, scope)?,
                other => other?,
            };
            if columns[rule.target].is_absent() {
                columns[rule.target] = shaped(value.into_owned(), &lines.columns[rule.target]);
            }
        }
        if columns.iter().all(Value::is_absent) {
            return Ok(Value::Absent);
        }
        Ok(Value::Item(Box::new(Item { value: Value::Absent, attrs: columns })))
    }
}

impl Carriers {
    fn link(&self, key: &str) -> Value {
        Value::Ref(Box::new(RefValue {
            map: self.map,
            others: self.others.clone(),
            key: key.into(),
            field: self.field.clone(),
        }))
    }
}

fn key(link: &Value) -> Run<Option<Cow<'_, str>>> {
    match link {
        Value::Absent => Ok(None),
        Value::Text(text) => Ok(Some(Cow::Borrowed(text.as_str()))),
        Value::Int(number) => Ok(Some(Cow::Owned(number.to_string()))),
        _ => Err(Halt::Fail(reason::NOT_A_LINK.to_owned())),
    }
}

/// A link spelt `object/key`. One to an object that none of the maps reads is absent.
fn any_link(carriers: &[Carriers], link: &Value) -> Run<Value> {
    let Some(text) = key(link)? else { return Ok(Value::Absent) };
    let Some((object, key)) = text.split_once('/') else {
        return Err(Halt::Fail(reason::NOT_A_LINK.to_owned()));
    };
    let carriers = carriers.iter().find(|carriers| *carriers.source == *object);
    Ok(carriers.map_or(Value::Absent, |carriers| carriers.link(key)))
}

/// A list without absent values and without lists in it.
pub(super) fn flat(values: Vec<Value>) -> Value {
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
