//! How many records something touches, as far as statistics can tell: exact for presence and for equality on one
//! enumerated field, within bounds otherwise, and never better than that.

use std::collections::{BTreeMap, BTreeSet};

use super::Side;
use super::show::Scope;
use crate::lang::finding::Count;
use crate::lang::functions::{self, Absence};
use crate::lang::plan::{Comparison, Expr, Map, SplitHow, SplitTo, walk};
use crate::lang::schema::{Field, Object, Pipeline};
use crate::lang::types::Base;
use crate::lang::value::Value;

/// At least and at most this many records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    pub low: u64,
    pub high: u64,
}

impl Bounds {
    pub const NONE: Bounds = Bounds { low: 0, high: 0 };

    pub fn exactly(records: u64) -> Self {
        Bounds { low: records, high: records }
    }

    pub fn up_to(high: u64) -> Self {
        Bounds { low: 0, high }
    }
}

/// The records of one source object, by the snapshot that knows them best.
#[derive(Clone, Copy, Debug)]
pub(super) struct Population<'a> {
    pub object: &'a Object,
    pub pipelines: &'a [Pipeline],
    /// How many there are.
    pub all: u64,
}

impl<'a> Population<'a> {
    /// The newer snapshot's records where it counted them, else the older one's.
    pub fn of(object: &str, old: Side<'a>, new: Side<'a>) -> Option<Self> {
        [new.source, old.source].into_iter().find_map(|schema| {
            let object = schema.object(object)?;
            Some(Population { object, pipelines: &schema.pipelines, all: object.records? })
        })
    }

    pub fn everything(&self) -> Bounds {
        Bounds::exactly(self.all)
    }

    pub fn anything(&self) -> Bounds {
        Bounds::up_to(self.all)
    }

    pub fn not(&self, a: Bounds) -> Bounds {
        Bounds { low: self.all.saturating_sub(a.high), high: self.all.saturating_sub(a.low) }
    }

    /// Records in both; nothing is known of how the two go together.
    pub fn and(&self, a: Bounds, b: Bounds) -> Bounds {
        Bounds { low: (a.low + b.low).saturating_sub(self.all), high: a.high.min(b.high) }
    }

    pub fn or(&self, a: Bounds, b: Bounds) -> Bounds {
        Bounds { low: a.low.max(b.low), high: (a.high + b.high).min(self.all) }
    }

    /// Records in exactly one of the two.
    pub fn either(&self, a: Bounds, b: Bounds) -> Bounds {
        let low = a.low.saturating_sub(b.high).max(b.low.saturating_sub(a.high));
        let high = (a.high + b.high).min(self.all).min((2 * self.all).saturating_sub(a.low + b.low));
        Bounds { low, high: high.max(low) }
    }

    fn field(&self, slot: u16, scope: Scope<'_>) -> Option<&'a Field> {
        self.object.field(&scope.slot(slot))
    }

    fn filled(&self, field: &Field) -> Bounds {
        match &field.stats {
            _ if !field.ty.optional && !field.ty.many => self.everything(),
            Some(stats) => Bounds::exactly(stats.filled.min(self.all)),
            None => self.anything(),
        }
    }

    /// Records in which a field holds a code.
    pub fn holding(&self, field: &str, code: &str) -> Bounds {
        let Some(field) = self.object.field(field) else { return self.anything() };
        let Some(stats) = &field.stats else { return self.anything() };
        let filled = stats.filled.min(self.all);
        let counted: u64 = stats.values.values().sum();
        if counted < stats.filled || !countable(field) {
            return Bounds::up_to(filled);
        }
        let elements = stats.values.get(code).copied().unwrap_or(0);
        if field.ty.many {
            // A list is counted by its elements: one record may hold a code twice.
            Bounds { low: elements.min(1), high: elements.min(filled) }
        } else {
            Bounds::exactly(elements.min(self.all))
        }
    }

    /// Records in which a field has a value that is none of these codes.
    pub fn outside(&self, field: &str, codes: &dyn Fn(&str) -> bool) -> Bounds {
        let Some(field) = self.object.field(field) else { return self.anything() };
        let Some(stats) = &field.stats else { return self.anything() };
        let counted: u64 = stats.values.values().sum();
        if counted < stats.filled || !countable(field) {
            return Bounds::up_to(stats.filled.min(self.all));
        }
        let others: u64 = stats.values.iter().filter(|(code, _)| !codes(code)).map(|(_, n)| *n).sum();
        if field.ty.many {
            Bounds { low: others.min(1), high: others.min(stats.filled).min(self.all) }
        } else {
            Bounds::exactly(others.min(self.all))
        }
    }

    /// Records in a stage of a category.
    pub fn in_stage(&self, category: &str, stage: &str) -> Bounds {
        let name = &self.object.name;
        let pipeline = self.pipelines.iter().find(|p| p.object == *name && p.code == category);
        match pipeline {
            Some(pipeline) if !pipeline.records.is_empty() => {
                Bounds::exactly(pipeline.records.get(stage).copied().unwrap_or(0))
            }
            _ => self.anything(),
        }
    }

    /// Records for which a condition holds.
    pub fn truth(&self, expr: &Expr, scope: Scope<'_>) -> Bounds {
        match expr {
            Expr::Const(Value::Bool(true)) => self.everything(),
            Expr::Const(Value::Bool(false)) => Bounds::NONE,
            Expr::Slot(slot) => {
                self.field(*slot, scope).map_or(self.anything(), |field| self.holding(&field.name, "true"))
            }
            Expr::Has(inner) => self.presence(inner, scope),
            Expr::Not(inner) => self.not(self.truth(inner, scope)),
            Expr::And(a, b) => self.and(self.truth(a, scope), self.truth(b, scope)),
            Expr::Or(a, b) => self.or(self.truth(a, scope), self.truth(b, scope)),
            Expr::Compare(how, a, b) => self.comparison(*how, a, b, scope),
            _ => self.anything(),
        }
    }

    fn comparison(&self, how: Comparison, a: &Expr, b: &Expr, scope: Scope<'_>) -> Bounds {
        let (slot, constant) = match (a, b) {
            (Expr::Slot(slot), Expr::Const(value)) | (Expr::Const(value), Expr::Slot(slot)) => (*slot, value),
            _ => return self.anything(),
        };
        let Some(field) = self.field(slot, scope) else { return self.anything() };
        let code = match constant {
            Value::Text(text) => Some(text.to_string()),
            Value::Bool(yes) => Some(yes.to_string()),
            _ => None,
        };
        let equal = match code {
            Some(code) if countable(field) && !field.ty.many => self.holding(&field.name, &code),
            _ => Bounds::up_to(self.filled(field).high),
        };
        match how {
            Comparison::Equal => equal,
            Comparison::NotEqual => self.not(equal),
            _ => Bounds::up_to(self.filled(field).high),
        }
    }

    /// Records for which an expression has a value, or fails to.
    pub fn presence(&self, expr: &Expr, scope: Scope<'_>) -> Bounds {
        let some_of = |bounds: Bounds| Bounds::up_to(bounds.high);
        match expr {
            Expr::Slot(slot) => self.field(*slot, scope).map_or(self.anything(), |field| self.filled(field)),
            Expr::Const(Value::Absent) => Bounds::NONE,
            Expr::Const(_) | Expr::Owner(_) | Expr::Has(_) | Expr::Not(_) => self.everything(),
            Expr::And(..) | Expr::Or(..) | Expr::Compare(..) => self.everything(),
            Expr::Concat(parts)
                if parts.iter().any(|p| matches!(p, Expr::Const(Value::Text(text)) if !text.is_empty())) =>
            {
                self.everything()
            }
            Expr::List(parts) | Expr::Concat(parts) => {
                let high = parts.iter().map(|part| self.presence(part, scope).high).sum::<u64>();
                Bounds::up_to(high.min(self.all))
            }
            Expr::Call { function, args } => {
                let propagates = functions::find(function).is_some_and(|f| f.absence == Absence::Propagates);
                let high = args.iter().map(|arg| self.presence(arg, scope).high).min();
                if propagates { Bounds::up_to(high.unwrap_or(self.all)) } else { self.anything() }
            }
            Expr::Lookup { key, .. } => some_of(self.presence(key, scope)),
            Expr::Each { list, .. } | Expr::EachLine { list, .. } => some_of(self.presence(list, scope)),
            Expr::Ref { link, any, field, .. } => {
                let present = self.presence(link, scope);
                if *any || field.is_some() { some_of(present) } else { present }
            }
            Expr::Stage { stage, .. } => some_of(self.presence(stage, scope)),
            Expr::Title { of, .. } => self.presence(of, scope),
            _ => self.anything(),
        }
    }

    /// Records that a map takes, by its split and its filter.
    pub fn taken(&self, side: Side<'_>, map: &Map) -> Bounds {
        let scope = Scope::of(side.source.object(&map.source), Some(&map.reads));
        let filtered = match &map.filter {
            Some(filter) => self.truth(&filter.condition, scope),
            None => self.everything(),
        };
        match map.split {
            Some(split) => self.and(filtered, self.routed(side, usize::from(split), &map.name)),
            None => filtered,
        }
    }

    fn routed(&self, side: Side<'_>, split: usize, map: &str) -> Bounds {
        let Some(split) = side.plan.splits.get(split) else { return self.anything() };
        let leads = |to: &SplitTo| match to {
            SplitTo::Maps(maps) => {
                maps.iter().any(|at| side.plan.maps.get(usize::from(*at)).is_some_and(|m| m.name == map))
            }
            _ => false,
        };
        let scope = Scope::of(side.source.object(&split.source), None);
        match &split.how {
            SplitHow::Value { slot, rows, unseen } => {
                let field = scope.slot(*slot);
                let mut sum = Bounds::NONE;
                let mut add =
                    |one: Bounds| sum = Bounds { low: sum.low + one.low, high: sum.high + one.high };
                for (code, row) in rows {
                    if leads(&row.to) {
                        add(self.holding(&field, code));
                    }
                }
                if leads(&unseen.to) {
                    add(self.outside(&field, &|code| rows.contains_key(code)));
                    add(self.not(self.presence(&Expr::Slot(*slot), scope)));
                }
                Bounds { low: sum.low.min(self.all), high: sum.high.min(self.all) }
            }
            SplitHow::When(rows) => {
                let mut sum = Bounds::NONE;
                for (at, row) in rows.iter().enumerate() {
                    let fits = row.when.as_ref().map_or(self.everything(), |when| self.truth(when, scope));
                    if leads(&row.to) {
                        // An earlier row takes its records first.
                        sum.low += if at == 0 { fits.low } else { 0 };
                        sum.high += fits.high;
                    }
                }
                Bounds { low: sum.low.min(self.all), high: sum.high.min(self.all) }
            }
        }
    }
}

/// Whether the statistics of a field hold a histogram.
fn countable(field: &Field) -> bool {
    matches!(field.ty.base, Base::Enum(_) | Base::Bool | Base::Stage | Base::User)
}

/// Whether cutting a field's text at `old` and at `new` characters gives the same: it is never longer than either.
pub(super) fn never_longer(
    old: &Expr,
    new: &Expr,
    old_scope: Scope<'_>,
    new_scope: Scope<'_>,
    population: &Population<'_>,
) -> bool {
    let (Some((old_field, old_max)), Some((new_field, new_max))) = (cut(old, old_scope), cut(new, new_scope))
    else {
        return false;
    };
    let shortest = old_max.unwrap_or(u64::MAX).min(new_max.unwrap_or(u64::MAX));
    let longest = population.object.field(&new_field).and_then(|field| field.stats.as_ref()?.longest);
    old_field == new_field && longest.is_some_and(|longest| u64::from(longest) <= shortest)
}

/// A text field as it is, or cut.
fn cut(expr: &Expr, scope: Scope<'_>) -> Option<(String, Option<u64>)> {
    match expr {
        Expr::Slot(slot) => Some((scope.slot(*slot), None)),
        Expr::Call { function, args } if function == "cut" => match args.as_slice() {
            [inner, Expr::Const(Value::Int(max))] => {
                let (field, before) = cut(inner, scope)?;
                let max = u64::try_from(*max).ok()?;
                Some((field, Some(before.map_or(max, |before| before.min(max)))))
            }
            _ => None,
        },
        _ => None,
    }
}

/// Where a table is used in an expression.
pub(super) struct Use<'a> {
    /// What is looked up.
    pub key: &'a Expr,
    /// Whether it is looked up for each element of a list.
    pub list: Option<&'a Expr>,
}

/// Every look-up in a table, by its index.
pub(super) fn lookups<'a>(expr: &'a Expr, table: usize, list: Option<&'a Expr>, found: &mut Vec<Use<'a>>) {
    if let Expr::Lookup { table: at, key } = expr
        && usize::from(*at) == table
    {
        found.push(Use { key, list });
    }
    if let Expr::Each { list: over, body } = expr {
        lookups(over, table, list, found);
        lookups(body, table, Some(over), found);
        return;
    }
    walk::children(expr, &mut |inner| lookups(inner, table, list, found));
}

/// Records of several objects together; those of one object are counted once.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally<'a> {
    objects: BTreeMap<String, (Population<'a>, Bounds)>,
    unknown: BTreeSet<String>,
}

impl<'a> Tally<'a> {
    /// Adds records of an object, which may be the same as those that were added before.
    pub fn add(&mut self, object: &str, population: Option<Population<'a>>, bounds: Bounds) {
        let Some(population) = population else {
            self.unknown.insert(object.to_owned());
            return;
        };
        let entry = self.objects.entry(object.to_owned()).or_insert((population, Bounds::NONE));
        entry.1 = population.or(entry.1, bounds);
    }

    /// The objects, how many records, of how many.
    pub fn finish(self) -> (String, Count, Option<u64>) {
        let names: BTreeSet<&str> =
            self.objects.keys().map(String::as_str).chain(self.unknown.iter().map(String::as_str)).collect();
        let name = names.into_iter().collect::<Vec<_>>().join(", ");
        if name.is_empty() {
            return (name, Count::Exact { records: 0 }, None);
        }
        if !self.unknown.is_empty() {
            return (name, Count::Unknown, None);
        }
        let all = self.objects.values().map(|(population, _)| population.all).sum();
        let low = self.objects.values().map(|(_, bounds)| bounds.low).sum();
        let high = self.objects.values().map(|(_, bounds)| bounds.high).sum();
        let count = match (low, high) {
            (low, high) if low == high => Count::Exact { records: low },
            (0, high) if high >= all => Count::Unknown,
            (low, high) => Count::Between { at_least: low, at_most: high },
        };
        (name, count, Some(all))
    }
}
