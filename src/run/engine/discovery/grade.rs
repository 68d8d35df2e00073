//! Grades with their formulas and every number in them.

use serde::Serialize;

use super::{Doubles, ObjectCount, Owners, PipelineCount, Verdict, doubles};
use crate::run::connect::survey::{Counted, Holds};

/// One term of a formula.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Term {
    /// What it is.
    pub name: String,
    /// How it is reckoned, with its numbers.
    pub how: String,
    /// What it comes to.
    pub value: f64,
}

/// A grade.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Grade {
    /// `A` to `D`, or `low`, `medium`, `high`.
    pub grade: &'static str,
    /// Per cent, or points.
    pub value: f64,
    /// The formula.
    pub formula: &'static str,
    /// How the value becomes a grade.
    pub scale: &'static str,
    /// Its terms.
    pub terms: Vec<Term>,
    /// What could not be reckoned in.
    pub without: Vec<String>,
}

/// How much of what is filled the destination can hold.
pub(super) fn compatibility(objects: &[ObjectCount]) -> Grade {
    let of = |held: Holds| {
        let fields = objects.iter().flat_map(|object| &object.fields).filter(|field| field.held == held);
        let known: Vec<u64> =
            fields.filter_map(|field| field.filled.known()).filter(|filled| *filled > 0).collect();
        (known.len(), known.iter().sum::<u64>())
    };
    let (exact, changed, impossible) = (of(Holds::Exact), of(Holds::Changed), of(Holds::Impossible));
    let all = exact.1 + changed.1 + impossible.1;
    let value = if all == 0 { 0.0 } else { 100.0 * (exact.1 as f64 + changed.1 as f64 / 2.0) / all as f64 };
    let term = |name: &str, (fields, values): (usize, u64)| Term {
        name: name.to_owned(),
        how: format!("{values} values in {fields} fields"),
        value: values as f64,
    };
    let without = objects.iter().filter_map(|object| {
        let unknown =
            object.fields.iter().filter(|field| matches!(field.filled, Counted::Unknown(_))).count();
        let all = object.refused.is_some();
        (all || unknown > 0).then(|| match all {
            true => format!("{}: it cannot be read", object.name),
            false => format!("{}: {unknown} of {} fields are not counted", object.name, object.fields.len()),
        })
    });
    Grade {
        grade: match value {
            _ if all == 0 => "none",
            v if v >= 95.0 => "A",
            v if v >= 85.0 => "B",
            v if v >= 70.0 => "C",
            _ => "D",
        },
        value,
        formula: "100 * (E + C / 2) / (E + C + I): values of types that the destination holds as they are (E), in another form (C), not at all (I)",
        scale: "A from 95, B from 85, C from 70, else D; `none` where nothing was counted",
        terms: vec![
            term("E, held as they are", exact),
            term("C, held in another form", changed),
            term("I, not held", impossible),
        ],
        without: without.collect(),
    }
}

/// What the work is reckoned by.
pub(super) struct Work<'a> {
    pub(super) objects: &'a [ObjectCount],
    pub(super) verdicts: &'a [Verdict],
    pub(super) pipelines: &'a [PipelineCount],
    pub(super) owners: &'a Owners,
    pub(super) doubles: Option<&'a [Doubles]>,
    pub(super) workflows: Option<u64>,
}

/// How much work it is, in points.
pub(super) fn complexity(work: &Work<'_>) -> Grade {
    let mut without = Vec::new();
    let mut unknown = |missing: bool, what: &str| {
        if missing {
            without.push(what.to_owned());
        }
    };
    let records: u64 = work.objects.iter().filter_map(|object| object.records.known()).sum();
    unknown(
        work.objects.iter().any(|object| object.records.known().is_none()),
        "records of objects that are not counted",
    );
    let used = work.objects.iter().filter(|object| object.records.known().unwrap_or(0) > 0);
    let custom: u64 = used
        .flat_map(|object| &object.fields)
        .filter(|field| field.custom && field.filled.known().unwrap_or(1) > 0)
        .count() as u64;
    let simple = work.verdicts.iter().filter(|verdict| verdict.simple).count() as u64;
    let complex = work.verdicts.len() as u64 - simple;
    let mut currencies: Vec<&str> = work
        .objects
        .iter()
        .flat_map(|object| &object.currencies)
        .filter(|line| line.records.known().unwrap_or(0) > 0)
        .map(|line| line.code.as_str())
        .collect();
    currencies.sort_unstable();
    currencies.dedup();
    let more_currencies = (currencies.len() as u64).saturating_sub(1);
    let strangers = work.owners.unmatched().filter(|line| line.active).count() as u64;
    unknown(work.owners.not_compared.is_some(), "users, since the destination was not asked");
    let strangers = if work.owners.not_compared.is_some() { 0 } else { strangers };
    unknown(work.doubles.is_none(), "doubles, which need a workspace");
    let doubles = work.doubles.map_or(0, doubles::most);
    unknown(work.workflows.is_none(), "workflows, since they could not be listed");
    let workflows = work.workflows.unwrap_or(0);
    let term = |name: &str, number: u64, per: u64, points: u64| Term {
        name: name.to_owned(),
        how: match per {
            1 => format!("{number} * {points}"),
            _ => format!("{number} / {per} * {points}"),
        },
        value: (number as f64 / per as f64 * points as f64 * 10.0).round() / 10.0,
    };
    let terms = vec![
        term("records", records, 10_000, 1),
        term("custom fields in use", custom, 10, 1),
        term("pipelines", work.pipelines.len() as u64, 1, 1),
        term("simple objects of the customer's own", simple, 1, 3),
        term("complex objects of the customer's own", complex, 1, 10),
        term("currencies after the first", more_currencies, 1, 2),
        term("active users without a partner", strangers, 5, 1),
        term("records that occur twice", doubles, 500, 1),
        term("workflows", workflows, 5, 1),
    ];
    let value = (terms.iter().map(|term| term.value).sum::<f64>() * 10.0).round() / 10.0;
    Grade {
        grade: match value {
            v if v < 15.0 => "low",
            v if v < 40.0 => "medium",
            _ => "high",
        },
        value,
        formula: "the sum of the terms, in points",
        scale: "low below 15, medium below 40, else high",
        terms,
        without,
    }
}
