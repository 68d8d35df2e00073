//! Expressions of the plain interpreter.

use compact_str::CompactString;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;

use super::{End, Here, Interpreter, Result, Taken, View};
use crate::lang::eval::reason;
use crate::lang::functions::{self, Absence, Context};
use crate::lang::plan::{Aggregate, Comparison, Expr, Line, Rule, StageTo};
use crate::lang::value::{Item, RefValue, Value};

impl<'a> Interpreter<'a> {
    /// What an expression gives, without attributes.
    pub(super) fn value(&mut self, expr: &'a Expr, view: &View<'_>) -> Result<Value> {
        Ok(bare(self.with_attributes(expr, view)?))
    }

    fn with_attributes(&mut self, expr: &'a Expr, view: &View<'_>) -> Result<Value> {
        let nth = |values: &[Value], index: u16| values.get(usize::from(index)).cloned().unwrap_or_default();
        match expr {
            Expr::Slot(slot) => Ok(nth(view.record, *slot)),
            Expr::Outer(slot) => Ok(nth(view.outer, *slot)),
            Expr::Param(index) => Ok(nth(view.arguments, *index)),
            Expr::Element => Ok(view.here.as_ref().map(|here| here.value.clone()).unwrap_or_default()),
            Expr::Attribute(index) => {
                Ok(view.here.as_ref().map(|here| nth(&here.attributes, *index)).unwrap_or_default())
            }
            Expr::Const(value) => Ok(value.clone()),
            Expr::Concat(parts) => {
                let mut text = String::new();
                for part in parts {
                    text += &self.value(part, view)?.to_text();
                }
                Ok(if text.trim().is_empty() { Value::Absent } else { Value::text(text) })
            }
            Expr::Call { function, args } => {
                let Some(function) = functions::find(function) else {
                    return Err(End::Failure(format!("no function `{function}`")));
                };
                let mut values = vec![];
                for arg in args {
                    let value = self.value(arg, view)?;
                    if value == Value::Absent && function.absence == Absence::Propagates {
                        return Ok(Value::Absent);
                    }
                    values.push(value);
                }
                let zone = self.plan.zone.as_ref().and_then(|name| TimeZone::get(name).ok());
                (function.eval)(&values, &Context { zone }).map_err(|failure| self.fails(failure.why))
            }
            Expr::Apply { function, args } => {
                let mut arguments = vec![];
                for arg in args {
                    arguments.push(self.value(arg, view)?);
                }
                let body = &self.plan.functions[usize::from(*function)].body;
                self.value(body, &View { arguments: &arguments, ..View::default() })
            }
            Expr::Lookup { table, key } => match self.value(key, view)? {
                Value::List(keys) => {
                    let mut found = vec![];
                    for key in keys {
                        match self.row(usize::from(*table), &key, view) {
                            Err(End::Skip(..)) => {}
                            other => found.push(other?),
                        }
                    }
                    Ok(together(found))
                }
                key => self.row(usize::from(*table), &key, view),
            },
            Expr::Each { list, body } => self.each(list, view, |it, view| it.value(body, view)),
            Expr::EachLine { list, columns, rules } => {
                self.each(list, view, |it, view| it.line_of(rules, columns, view))
            }
            Expr::Ref { link, .. } => {
                let Some(candidates) = self.candidates(expr, view)? else { return Ok(Value::Absent) };
                let (elements, many) = self.elements(link, view)?;
                let mut links = vec![];
                for element in elements {
                    let link = self.link(&candidates, &element.value);
                    match link.or_else(|end| self.recover(end, &view.at(&element))) {
                        Err(End::Skip(..)) => {}
                        other => links.push(other?),
                    }
                }
                Ok(one_or_many(links, many))
            }
            Expr::Aggregate { kind, of } => self.aggregate(*kind, of.as_deref(), view),
            Expr::Lines(lines) => {
                let mut text = vec![];
                for line in lines {
                    text.extend(self.text_line(line, view)?);
                }
                Ok(if text.is_empty() { Value::Absent } else { Value::text(text.join("\n")) })
            }
            Expr::Title { of, titles } => {
                let title = |code: Value| match titles.get(&*code.to_text()) {
                    Some(title) => Value::text(title),
                    None => code,
                };
                Ok(match self.value(of, view)? {
                    Value::Absent => Value::Absent,
                    Value::List(codes) => together(codes.into_iter().map(title)),
                    code => title(code),
                })
            }
            Expr::Owner(user) => match self.value(user, view)? {
                Value::List(users) => {
                    let owners: Vec<_> = users.iter().map(|user| self.owner(user)).collect();
                    Ok(together(owners))
                }
                user => Ok(self.owner(&user)),
            },
            Expr::Stage { category, stage, object } => {
                let category = match category {
                    None => String::new(),
                    Some(category) => match self.value(category, view)? {
                        Value::Absent => return Ok(Value::Absent),
                        category => category.to_text().into_owned(),
                    },
                };
                let stage = match self.value(stage, view)? {
                    Value::Absent => return Ok(Value::Absent),
                    stage => stage.to_text().into_owned(),
                };
                self.stage(object, &category, &stage, view)
            }
            Expr::List(parts) => {
                let mut values = vec![];
                for part in parts {
                    values.push(self.value(part, view)?);
                }
                Ok(together(values))
            }
            Expr::Has(value) => Ok(Value::Bool(match self.with_attributes(value, view)? {
                Value::Absent => false,
                Value::List(values) => !values.is_empty(),
                _ => true,
            })),
            Expr::Not(value) => Ok(Value::Bool(self.value(value, view)? != Value::Bool(true))),
            Expr::And(a, b) => {
                let both =
                    self.value(a, view)? == Value::Bool(true) && self.value(b, view)? == Value::Bool(true);
                Ok(Value::Bool(both))
            }
            Expr::Or(a, b) => {
                let either =
                    self.value(a, view)? == Value::Bool(true) || self.value(b, view)? == Value::Bool(true);
                Ok(Value::Bool(either))
            }
            Expr::Compare(how, a, b) => {
                let a = self.value(a, view)?;
                let b = self.value(b, view)?;
                Ok(Value::Bool(holds(*how, &a, &b)))
            }
        }
    }

    /// A failing element takes the `on fail` arm; other ends stay.
    fn recover(&mut self, end: End, view: &View<'_>) -> Result<Value> {
        match end {
            End::Failure(why) => self.on_fail(&why, view),
            other => Err(other),
        }
    }

    fn each(
        &mut self,
        list: &'a Expr,
        view: &View<'_>,
        mut body: impl FnMut(&mut Self, &View<'_>) -> Result<Value>,
    ) -> Result<Value> {
        let mut results = vec![];
        for element in self.elements(list, view)?.0 {
            let view = view.at(&element);
            match body(self, &view).or_else(|end| self.recover(end, &view)) {
                Err(End::Skip(..)) => {}
                other => results.push(other?),
            }
        }
        Ok(together(results))
    }

    /// The elements of a list with their attributes, and whether it was a list.
    fn elements(&mut self, list: &'a Expr, view: &View<'_>) -> Result<(Vec<Here>, bool)> {
        let element = |value| match value {
            Value::Item(item) => Here { value: item.value, attributes: item.attrs },
            value => Here { value, attributes: vec![] },
        };
        Ok(match self.with_attributes(list, view)? {
            Value::Absent => (vec![], false),
            Value::List(values) => (values.into_iter().map(element).collect(), true),
            one => (vec![element(one)], false),
        })
    }

    /// A rule with a label: the value of each element, tied to its label.
    pub(super) fn labelled(&mut self, rule: &'a Rule, view: &View<'_>) -> Result<Value> {
        let mut candidates = Candidates::default();
        let (list, always_list) = match &rule.value {
            Expr::Each { list, .. } => (list.as_ref(), true),
            Expr::Ref { link, .. } => {
                match self.candidates(&rule.value, view)? {
                    Some(found) => candidates = found,
                    None => return Ok(Value::Absent),
                }
                (link.as_ref(), false)
            }
            other => (other, false),
        };
        let (elements, many) = self.elements(list, view)?;
        let mut results = vec![];
        for element in elements {
            let view = view.at(&element);
            let value = self.labelled_element(rule, &candidates, &element, &view);
            match value.or_else(|end| self.recover(end, &view)) {
                Err(End::Skip(..)) => {}
                other => results.push(other?),
            }
        }
        Ok(one_or_many(results, many || always_list))
    }

    fn labelled_element(
        &mut self,
        rule: &'a Rule,
        candidates: &Candidates,
        element: &Here,
        view: &View<'_>,
    ) -> Result<Value> {
        let value = match &rule.value {
            Expr::Each { body, .. } => self.value(body, view)?,
            Expr::Ref { .. } => self.link(candidates, &element.value)?,
            _ => element.value.clone(),
        };
        let Some(label) = rule.label.as_ref().filter(|_| value != Value::Absent) else { return Ok(value) };
        if let Some(when) = &label.when
            && self.value(when, view)? != Value::Bool(true)
        {
            return Ok(value);
        }
        let label = self.value(&label.value, view)?;
        if label == Value::Absent {
            return Ok(value);
        }
        let attrs = vec![Value::text(label.to_text())];
        let with_label = |value| Value::Item(Box::new(Item { value, attrs: attrs.clone() }));
        Ok(match value {
            Value::List(values) => Value::List(values.into_iter().map(with_label).collect()),
            value => with_label(value),
        })
    }

    fn row(&mut self, table: usize, key: &Value, view: &View<'_>) -> Result<Value> {
        if *key == Value::Absent {
            return Ok(Value::Absent);
        }
        let index = table as u16;
        let table = &self.plan.tables[table];
        let code = key.to_text().into_owned();
        for (known, row) in &table.rows {
            if *known == code {
                self.hit(Taken::Row(index, Some(code.clone())), row.line);
                return self.arm(&row.arm, view, row.line, &reason::held_by_table(&code, &table.name));
            }
        }
        self.hit(Taken::Row(index, None), table.unseen_line);
        self.arm(&table.unseen, view, table.unseen_line, &reason::not_in_table(&code, &table.name))
    }

    fn stage(&mut self, object: &str, category: &str, stage: &str, view: &View<'_>) -> Result<Value> {
        let mut all = self.plan.pipelines.iter().enumerate();
        let found = all.find(|(_, line)| line.object == object && line.category == category);
        let Some((index, pipeline)) = found else {
            return Err(End::Quarantine(reason::no_pipeline(category, object), self.line()));
        };
        match pipeline.rows.iter().find(|(code, _)| *code == stage) {
            None => {
                let what = reason::not_in_pipeline(stage, &pipeline.name);
                self.hit(Taken::StageRow(index as u16, None), pipeline.unseen_line);
                self.arm(&pipeline.unseen, view, pipeline.unseen_line, &what)
            }
            Some((_, row)) => {
                self.hit(Taken::StageRow(index as u16, Some(stage.to_owned())), row.line);
                match &row.to {
                    StageTo::Stage(stage) => Ok(Value::Stage(Box::new(stage.clone()))),
                    StageTo::Arm(arm) => {
                        self.arm(arm, view, row.line, &reason::held_by_pipeline(stage, &pipeline.name))
                    }
                }
            }
        }
    }

    fn owner(&mut self, user: &Value) -> Value {
        let owners = &self.plan.owners;
        let owner = match user {
            Value::Absent => &owners.otherwise,
            user => owners.users.get(&*user.to_text()).unwrap_or(&owners.otherwise),
        };
        owner.flag.iter().for_each(|why| self.flag(why));
        self.output.owners.push(owner.how);
        if owner.user.is_empty() { Value::Absent } else { Value::text(&owner.user) }
    }

    /// The maps that a link may lead to, by the object that the link or another field names; `None` where that field
    /// names none of theirs.
    fn candidates(&mut self, expr: &'a Expr, view: &View<'_>) -> Result<Option<Candidates>> {
        let Expr::Ref { maps, any, object, field, .. } = expr else { return Ok(None) };
        let mut all: Vec<(u16, Option<u16>, String)> = vec![];
        for (index, map) in maps.iter().enumerate() {
            let source = self.plan.maps[usize::from(*map)].source.clone();
            all.push((*map, field.as_ref().map(|field| field[index]), source));
        }
        if let Some(object) = object {
            let named = self.value(object, view)?;
            if named == Value::Absent {
                return Ok(None);
            }
            let named = named.to_text().to_lowercase();
            all.retain(|(_, _, source)| source.to_lowercase() == named);
        }
        let by_prefix = *any && object.is_none();
        Ok((!all.is_empty()).then_some(Candidates { all, by_prefix }))
    }

    fn link(&mut self, candidates: &Candidates, link: &Value) -> Result<Value> {
        let text = match link {
            Value::Absent => return Ok(Value::Absent),
            Value::Text(text) => text.to_string(),
            Value::Int(number) => number.to_string(),
            _ => return Err(self.fails(reason::NOT_A_LINK.to_owned())),
        };
        let (object, key) = match text.find('/') {
            _ if !candidates.by_prefix => (None, text.as_str()),
            Some(slash) => (Some(&text[..slash]), &text[slash + 1..]),
            None => return Err(self.fails(reason::NOT_A_LINK.to_owned())),
        };
        let mut fitting = candidates.all.iter().filter(|(_, _, source)| object.is_none_or(|o| o == source));
        let Some((map, field, _)) = fitting.next() else { return Ok(Value::Absent) };
        let others: Vec<_> = fitting.collect();
        let fields = std::iter::once(*field).chain(others.iter().map(|(_, field, _)| *field));
        Ok(Value::Ref(Box::new(RefValue {
            map: *map,
            others: others.iter().map(|(map, _, _)| *map).collect(),
            key: CompactString::from(key),
            field: fields.collect(),
        })))
    }

    fn aggregate(&mut self, kind: Aggregate, of: Option<&'a Expr>, view: &View<'_>) -> Result<Value> {
        let Some(of) = of else {
            let all = Value::Int(view.folded.len() as i64);
            return Ok(if kind == Aggregate::Count { all } else { Value::Absent });
        };
        let mut with_value = 0;
        let mut best: Option<Value> = None;
        for record in view.folded {
            let value = self.value(of, &View { record, here: None, ..view.clone() })?;
            let elements = match value {
                Value::Absent => continue,
                Value::List(values) => values,
                one => vec![one],
            };
            with_value += 1;
            for element in elements {
                best = Some(match (kind, best.take()) {
                    (Aggregate::Count, _) => element,
                    (Aggregate::Sum, total) => self.plus(total, element)?,
                    (_, None) => element,
                    (Aggregate::Min, Some(best)) => self.lesser(best, element, Comparison::Less)?,
                    (Aggregate::Max, Some(best)) => self.lesser(best, element, Comparison::Greater)?,
                });
            }
        }
        Ok(if kind == Aggregate::Count { Value::Int(with_value) } else { best.unwrap_or_default() })
    }

    fn plus(&mut self, total: Option<Value>, value: Value) -> Result<Value> {
        let number = |value: &Value| match value {
            Value::Int(number) => Some(Decimal::from(*number)),
            Value::Decimal(number) => Some(*number),
            _ => None,
        };
        let amount = |value: &Value| match value {
            Value::Money(money) => Some(*money),
            _ => None,
        };
        let sum = match total {
            None if number(&value).is_some() || amount(&value).is_some() => Some(value),
            None => return Err(self.fails(reason::NOT_NUMBERS.to_owned())),
            Some(total) => match (&total, &value) {
                (Value::Int(a), Value::Int(b)) => a.checked_add(*b).map(Value::Int),
                _ => match (number(&total), number(&value), amount(&total), amount(&value)) {
                    (Some(a), Some(b), ..) => a.checked_add(b).map(Value::Decimal),
                    (_, _, Some(a), Some(b)) if a.currency != b.currency => {
                        return Err(End::Failure(reason::SEVERAL_CURRENCIES.to_owned()));
                    }
                    (_, _, Some(mut a), Some(b)) => a.amount.checked_add(b.amount).map(|amount| {
                        a.amount = amount;
                        Value::Money(a)
                    }),
                    _ => return Err(self.fails(reason::NOT_NUMBERS.to_owned())),
                },
            },
        };
        sum.ok_or_else(|| End::Failure(reason::SUM_TOO_GREAT.to_owned()))
    }

    fn lesser(&mut self, best: Value, value: Value, how: Comparison) -> Result<Value> {
        if holds(how, &value, &best) {
            return Ok(value);
        }
        if holds(Comparison::AtMost, &value, &best) || holds(Comparison::AtLeast, &value, &best) {
            return Ok(best);
        }
        Err(match (best, value) {
            (Value::Money(_), Value::Money(_)) => End::Failure(reason::SEVERAL_CURRENCIES.to_owned()),
            _ => self.fails(reason::NO_ORDER.to_owned()),
        })
    }

    fn text_line(&mut self, line: &'a Line, view: &View<'_>) -> Result<Vec<String>> {
        if line.columns.is_empty() {
            let value = self.value(&line.value, view)?.to_text().into_owned();
            return Ok(match line.label.as_str() {
                _ if value.trim().is_empty() => vec![],
                "" => vec![value],
                label => vec![format!("{label}: {value}")],
            });
        }
        let rows = match self.with_attributes(&line.value, view)? {
            Value::List(rows) => rows,
            one => vec![one],
        };
        let mut shown = vec![];
        for row in rows {
            let Value::Item(row) = row else { continue };
            let mut cells = vec![];
            for (name, index) in &line.columns {
                let cell = row.attrs.get(usize::from(*index)).cloned().unwrap_or_default();
                if !cell.to_text().trim().is_empty() {
                    cells.push(format!("{name}: {}", cell.to_text()));
                }
            }
            if !cells.is_empty() {
                shown.push(format!("- {}", cells.join(", ")));
            }
        }
        if !shown.is_empty() && !line.label.is_empty() {
            shown.insert(0, format!("{}:", line.label));
        }
        Ok(shown)
    }
}

/// Maps with the target that is read, if any, and their source object.
#[derive(Default)]
struct Candidates {
    all: Vec<(u16, Option<u16>, String)>,
    /// Whether each link names its object.
    by_prefix: bool,
}

/// Without attributes; what has nothing but attributes stays.
pub(super) fn bare(value: Value) -> Value {
    let one = |value: Value| match value {
        Value::Item(item) if item.value == Value::Absent && !item.attrs.is_empty() => Value::Item(item),
        Value::Item(item) => item.value,
        other => other,
    };
    match value {
        Value::List(values) => together(values.into_iter().map(one)),
        other => one(other),
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

pub(super) fn holds(how: Comparison, a: &Value, b: &Value) -> bool {
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
