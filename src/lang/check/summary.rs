//! What a plan keeps and loses, map by map, with the records that it touches: data for reports and for `b2n check`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use super::counts::grouped;
use crate::lang::finding::Count;
use crate::lang::plan::{Expr, Line, Plan, Rule};
use crate::lang::schema::{Object, Schema};
use crate::lang::types::Fidelity;

/// What becomes of a source object's values on their way through one map or flatten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MapFidelity {
    /// The map, or the object that is folded in.
    pub map: String,
    /// The destination object.
    pub target: String,
    /// Source records by the snapshot's statistics.
    pub records: Option<u64>,
    /// Its rules and notes, in the order of the spec.
    pub rules: Vec<RuleFidelity>,
    /// Source fields that do not arrive, with the records that have them.
    pub dropped: Vec<DroppedField>,
}

/// How much of a value one rule keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleFidelity {
    /// The destination field, or the note.
    pub target: String,
    /// How much arrives.
    pub fidelity: Fidelity,
    /// Why something is lost.
    pub because: Option<String>,
    /// The source records with a value.
    pub records: Count,
    /// Whether only the statistics of the snapshot say that nothing is lost.
    pub proven: bool,
    /// The line of the plan, from 1.
    pub line: u32,
}

/// A source field that does not arrive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DroppedField {
    /// The field.
    pub field: String,
    /// Why.
    pub reason: String,
    /// The source records with a value.
    pub records: Count,
    /// The line of the plan, from 1.
    pub line: u32,
}

impl MapFidelity {
    /// How many rules there are of each kind, and the records that the greatest of them touches.
    pub fn kinds(&self) -> BTreeMap<Fidelity, (usize, Count)> {
        let mut kinds: BTreeMap<Fidelity, (usize, Count)> = BTreeMap::new();
        let dropped = self.dropped.iter().map(|field| (Fidelity::Dropped, field.records));
        for (fidelity, records) in self.rules.iter().map(|rule| (rule.fidelity, rule.records)).chain(dropped)
        {
            kinds
                .entry(fidelity)
                .and_modify(|(rules, all)| {
                    *rules += 1;
                    *all = greatest(*all, records);
                })
                .or_insert((1, records));
        }
        // Several sets of a map's records are never more than all of them.
        let all = self.records.unwrap_or(u64::MAX);
        for (_, records) in kinds.values_mut() {
            if let Count::Between { at_least, at_most } = *records {
                let at_most = at_most.min(all.max(at_least));
                *records = match at_least == at_most {
                    true => Count::Exact { records: at_least },
                    false => Count::Between { at_least, at_most },
                };
            }
        }
        kinds
    }
}

/// The count of whichever touches more records; two different sets overlap to an unknown extent.
fn greatest(a: Count, b: Count) -> Count {
    let bounds = |count| match count {
        Count::Exact { records } => Some((records, records)),
        Count::Between { at_least, at_most } => Some((at_least, at_most)),
        Count::None | Count::Unknown => None,
    };
    match (bounds(a), bounds(b)) {
        (Some((0, 0)), Some(_)) => b,
        (Some(_), Some((0, 0))) => a,
        (Some(a), Some(b)) => Count::Between { at_least: a.0.max(b.0), at_most: a.1.saturating_add(b.1) },
        _ => Count::Unknown,
    }
}

/// The summary of a plan; `source` counts the records.
pub fn fidelity(plan: &Plan, source: &Schema) -> Vec<MapFidelity> {
    let mut all = Vec::with_capacity(plan.maps.len() + plan.flattens.len());
    for map in &plan.maps {
        let object = source.object(&map.source);
        let name = |rule: &Rule| map.targets.get(usize::from(rule.target)).map(|target| target.name.clone());
        let rules = map.rules.iter().map(|rule| told(object, name(rule).unwrap_or_default(), rule));
        let notes = map.notes.iter().map(|note| told(object, format!("note {}", note.name), &note.rule));
        all.push(MapFidelity {
            map: map.name.clone(),
            target: map.target.clone(),
            records: map.records,
            rules: rules.chain(notes).collect(),
            dropped: map.dropped.iter().map(|dropped| lost(object, dropped)).collect(),
        });
    }
    for flatten in &plan.flattens {
        let object = source.object(&flatten.source);
        let Some(into) = plan.maps.get(usize::from(flatten.into)) else { continue };
        let name = |rule: &Rule| into.targets.get(usize::from(rule.target)).map(|target| target.name.clone());
        let rules = flatten.rules.iter().map(|rule| told(object, name(rule).unwrap_or_default(), rule));
        let notes = flatten.notes.iter().map(|note| told(object, format!("note {}", note.name), &note.rule));
        all.push(MapFidelity {
            map: flatten.source.clone(),
            target: into.target.clone(),
            records: flatten.records,
            rules: rules.chain(notes).collect(),
            dropped: flatten.dropped.iter().map(|dropped| lost(object, dropped)).collect(),
        });
    }
    all
}

fn told(object: Option<&Object>, target: String, rule: &Rule) -> RuleFidelity {
    let mut slots = BTreeSet::new();
    read(&rule.value, &mut slots);
    let records = if rule.when.is_some() { at_most(filled(object, &slots)) } else { filled(object, &slots) };
    RuleFidelity {
        target,
        fidelity: rule.fidelity,
        because: rule.because.clone(),
        records,
        // A reason is kept where the line itself gives one; what is lost elsewhere is not exact.
        proven: !rule.fidelity.needs_reason() && rule.because.is_some(),
        line: rule.line,
    }
}

fn lost(object: Option<&Object>, dropped: &crate::lang::plan::Dropped) -> DroppedField {
    let slot = object.and_then(|object| object.slot(&dropped.field));
    let slots = slot.and_then(|slot| u16::try_from(slot).ok()).into_iter().collect();
    DroppedField {
        field: dropped.field.clone(),
        reason: dropped.reason.clone(),
        records: if slot.is_some() { filled(object, &slots) } else { Count::Unknown },
        line: dropped.line,
    }
}

fn at_most(count: Count) -> Count {
    match count {
        Count::Exact { records } => Count::Between { at_least: 0, at_most: records },
        Count::Between { at_most, .. } => Count::Between { at_least: 0, at_most },
        other => other,
    }
}

/// The records in which at least one of these fields has a value.
fn filled(object: Option<&Object>, slots: &BTreeSet<u16>) -> Count {
    let Some(object) = object else { return Count::Unknown };
    let filled: Option<Vec<u64>> = slots
        .iter()
        .map(|slot| object.fields.get(usize::from(*slot))?.stats.as_ref().map(|stats| stats.filled))
        .collect();
    match filled.as_deref() {
        None => Count::Unknown,
        // A constant is written into all of them.
        Some([]) => object.records.map_or(Count::Unknown, |records| Count::Exact { records }),
        Some([one]) => Count::Exact { records: *one },
        Some(several) => {
            let at_least = several.iter().copied().max().unwrap_or(0);
            let sum: u64 = several.iter().sum();
            let at_most = object.records.map_or(sum, |records| sum.min(records));
            match at_least == at_most {
                true => Count::Exact { records: at_least },
                false => Count::Between { at_least, at_most },
            }
        }
    }
}

/// The slots that a value is made from.
pub(super) fn read(expr: &Expr, slots: &mut BTreeSet<u16>) {
    match expr {
        Expr::Slot(slot) => {
            slots.insert(*slot);
        }
        Expr::Concat(all) | Expr::List(all) => all.iter().for_each(|expr| read(expr, slots)),
        Expr::Call { args, .. } | Expr::Apply { args, .. } => args.iter().for_each(|expr| read(expr, slots)),
        Expr::Lookup { key: inner, .. }
        | Expr::Owner(inner)
        | Expr::Has(inner)
        | Expr::Not(inner)
        | Expr::Title { of: inner, .. }
        | Expr::Ref { link: inner, .. }
        | Expr::EachLine { list: inner, .. } => read(inner, slots),
        Expr::Each { list, .. } => read(list, slots),
        Expr::Stage { stage, .. } => read(stage, slots),
        Expr::Aggregate { of, .. } => of.iter().for_each(|of| read(of, slots)),
        Expr::Lines(lines) => lines.iter().for_each(|Line { value, .. }| read(value, slots)),
        Expr::And(a, b) | Expr::Or(a, b) | Expr::Compare(_, a, b) => {
            read(a, slots);
            read(b, slots);
        }
        Expr::Const(_) | Expr::Element | Expr::Attribute(_) | Expr::Param(_) | Expr::Outer(_) => {}
    }
}

/// The summary as people read it: a map in as few lines of this many columns as it takes.
pub fn fidelity_text(all: &[MapFidelity], width: usize) -> String {
    let mut text = String::new();
    for map in all {
        let mut head = format!("  {} -> {}", map.map, map.target);
        if let Some(records) = map.records {
            let noun = if records == 1 { "record" } else { "records" };
            head.push_str(&format!(", {} {noun}", grouped(records)));
        }
        head.push(':');
        let kinds = map.kinds();
        let last = kinds.len().saturating_sub(1);
        let parts = kinds.into_iter().enumerate().map(|(at, (fidelity, (number, records)))| {
            let touched = match records {
                _ if !fidelity.needs_reason() => String::new(),
                Count::Exact { records } => format!(" (of {})", grouped(records)),
                Count::Between { at_least, at_most } => {
                    format!(" (of {} to {})", grouped(at_least), grouped(at_most))
                }
                Count::None | Count::Unknown => String::new(),
            };
            let noun = match fidelity {
                Fidelity::Dropped => format!(" {}", if number == 1 { "field" } else { "fields" }),
                _ => String::new(),
            };
            let number = grouped(number as u64);
            format!("{number}{noun} {}{touched}{}", fidelity.word(), if at == last { "" } else { "," })
        });
        let mut used = head.width();
        text.push_str(&head);
        for part in parts {
            if used + 1 + part.width() > width {
                text.push_str("\n   ");
                used = 3;
            }
            text.push(' ');
            text.push_str(&part);
            used += 1 + part.width();
        }
        text.push('\n');
    }
    text
}
