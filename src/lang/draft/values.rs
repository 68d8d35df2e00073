//! Tables and pipelines: which value of the destination stands for which of the source.

use super::page::{Row, Table};
use super::score::likeness;
use super::spell::{coded, name_of};
use crate::lang::schema::{Choice, Pipeline, Schema, Stage};
use crate::lang::syntax::quote;
use crate::lang::types::Base;
use crate::lang::value::OutcomeKind;

/// Below this, two values are strangers.
const ALIKE: f64 = 0.45;

/// Weight of the order against the name of a stage: pipelines are worked through from left to right in both systems.
const ORDER: f64 = 0.35;

/// A table from an enumeration of the source to one of the destination, for the values that are wanted; `None` where a
/// side lists no values.
pub fn table(
    source: &Schema,
    target: &Schema,
    name: &str,
    from: &str,
    (object, field): (&str, &str),
    wanted: &dyn Fn(&str) -> bool,
) -> Option<Table> {
    let to = match &target.object(object)?.field(field)?.ty.base {
        Base::Enum(to) => target.domains.get(to)?,
        _ => return None,
    };
    let from_domain = source.domains.get(from).filter(|domain| !domain.choices.is_empty())?;
    if to.choices.is_empty() && !to.open {
        return None;
    }
    let mut rows: Vec<Row> = Vec::new();
    for choice in from_domain.choices.iter().filter(|choice| wanted(&choice.code)) {
        let mut ways: Vec<(f64, String)> = to
            .choices
            .iter()
            .map(|other| (value_likeness(choice, other), quote(&other.code)))
            .filter(|(score, _)| *score >= ALIKE)
            .collect();
        sort(&mut ways);
        ways.truncate(3);
        if to.open && ways.first().is_none_or(|(score, _)| *score < 0.9) {
            // Where values can be made, the value's own name loses nothing.
            ways.insert(0, (0.5, quote(choice.title.as_deref().unwrap_or(&choice.code))));
        }
        rows.push(Row { codes: coded(&choice.code, choice.title.as_deref()), ways, ..Row::default() });
    }
    mark_merged(&mut rows);
    Some(Table {
        head: format!("table {name} : enum({from}) -> {object}.{}", name_of(field)),
        rows,
        on_demand: true,
        unseen: true,
        ..Table::default()
    })
}

/// A table from an enumeration to the texts that people read: the titles of its values.
pub fn titles(
    source: &Schema,
    name: &str,
    from: &str,
    wanted: &dyn Fn(&str) -> bool,
) -> Option<(Table, Vec<String>)> {
    let domain = source.domains.get(from).filter(|domain| !domain.choices.is_empty())?;
    let mut all: Vec<String> = Vec::new();
    let mut rows = Vec::new();
    for choice in domain.choices.iter().filter(|choice| wanted(&choice.code)) {
        let title = choice.title.as_deref().map(str::trim).filter(|title| !title.is_empty());
        let title = title.unwrap_or(&choice.code).to_owned();
        rows.push(Row {
            codes: coded(&choice.code, choice.title.as_deref()),
            ways: vec![(0.9, quote(&title))],
            ..Row::default()
        });
        if !all.contains(&title) {
            all.push(title);
        }
    }
    mark_merged(&mut rows);
    let head = format!("table {name} : enum({from}) -> text");
    Some((Table { head, rows, on_demand: true, unseen: true, ..Table::default() }, all))
}

/// A pipeline for a category of the source: the likeliest of the destination's, with its stages and outcomes.
pub fn pipeline(target: &Schema, name: &str, from: &Pipeline, to_object: &str) -> Option<Table> {
    let all = target.pipelines.iter().filter(|to| to.object == to_object && !to.stages.is_empty());
    // The first of equals: a system's first pipeline is the one that everybody has.
    let to = all.fold(None, |best: Option<(f64, &Pipeline)>, to| {
        let score = pipeline_likeness(from, to);
        match best {
            Some((before, _)) if before >= score => best,
            _ => Some((score, to)),
        }
    });
    let (_, to) = to?;
    let going: Vec<&Stage> = from.stages.iter().filter(|stage| stage.ends.is_none()).collect();
    let mut rows = Vec::new();
    let mut floor = 0;
    for stage in &from.stages {
        let ways = match stage.ends {
            Some(kind) => endings(stage, kind, to),
            None => {
                let place = going.iter().position(|other| other.code == stage.code).unwrap_or(0);
                let (ways, at) = stages(stage, place, going.len(), to, floor);
                floor = at;
                ways
            }
        };
        rows.push(Row { codes: coded(&stage.code, Some(&stage.name)), ways, ..Row::default() });
    }
    mark_merged(&mut rows);
    let category = if from.code.is_empty() {
        String::new()
    } else if from.code.chars().all(|c| c.is_ascii_digit()) {
        format!(" category {}", from.code)
    } else {
        format!(" category {}", quote(&from.code))
    };
    Some(Table {
        head: format!("pipeline {name} : {}{category} -> {}", from.object, quote(&to.name)),
        rows,
        unseen: true,
        ..Table::default()
    })
}

/// How alike two pipelines are: their names, then their stages.
fn pipeline_likeness(from: &Pipeline, to: &Pipeline) -> f64 {
    let name = likeness((&from.name, None), (&to.name, None));
    let best =
        |stage: &Stage| to.stages.iter().map(|other| stage_likeness(stage, &other.name)).fold(0.0, f64::max);
    let going: Vec<&Stage> = from.stages.iter().filter(|stage| stage.ends.is_none()).collect();
    let stages = going.iter().map(|stage| best(stage)).sum::<f64>() / going.len().max(1) as f64;
    0.6 * name + 0.4 * stages
}

fn stage_likeness(stage: &Stage, name: &str) -> f64 {
    likeness((&stage.code, Some(&stage.name)), (name, None))
}

/// The stages that one may become, likeliest first; never one before `floor`, so that the order is kept. Gives the
/// place of the first, too.
fn stages(
    stage: &Stage,
    place: usize,
    of: usize,
    to: &Pipeline,
    floor: usize,
) -> (Vec<(f64, String)>, usize) {
    let share = |at: usize, of: usize| if of < 2 { 0.0 } else { at as f64 / (of - 1) as f64 };
    let mut all: Vec<(f64, usize)> = Vec::new();
    for (at, other) in to.stages.iter().enumerate().skip(floor) {
        let order = 1.0 - (share(place, of) - share(at, to.stages.len())).abs();
        let name = stage_likeness(stage, &other.name);
        all.push(((1.0 - ORDER) * name + ORDER * order, at));
    }
    all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let floor = all.first().map_or(floor, |(_, at)| *at);
    let ways =
        all.into_iter().take(2).map(|(score, at)| (score, format!("stage {}", quote(&to.stages[at].name))));
    (ways.collect(), floor)
}

/// The outcomes that an ending stage may become: those of its kind, by name.
fn endings(stage: &Stage, kind: OutcomeKind, to: &Pipeline) -> Vec<(f64, String)> {
    let mut all: Vec<(f64, String)> = Vec::new();
    for outcome in &to.outcomes {
        let word = match outcome.kind {
            OutcomeKind::Won => "won",
            OutcomeKind::Lost => "lost",
            OutcomeKind::Cancelled => "cancelled",
        };
        // Lost and cancelled are near: neither brought money.
        let same = match (kind, outcome.kind) {
            (a, b) if a == b => 1.0,
            (OutcomeKind::Won, _) | (_, OutcomeKind::Won) => continue,
            _ => 0.4,
        };
        let name = stage_likeness(stage, &outcome.name);
        all.push((0.5 * same + 0.5 * name, format!("{word} {}", quote(&outcome.name))));
    }
    sort(&mut all);
    all.truncate(2);
    all
}

fn value_likeness(choice: &Choice, other: &Choice) -> f64 {
    likeness((&choice.code, choice.title.as_deref()), (&other.code, other.title.as_deref()))
}

/// Best first; equals keep the system's order.
fn sort(ways: &mut [(f64, String)]) {
    ways.sort_by(|a, b| b.0.total_cmp(&a.0));
}

/// Rows that give the same are put together, for they share a reason; the checker asks for it.
fn mark_merged(rows: &mut Vec<Row>) {
    let mut kept: Vec<Row> = Vec::new();
    for row in rows.drain(..) {
        let gives = row.ways.first().map(|(_, gives)| gives.clone());
        let same = gives.is_some().then(|| {
            kept.iter_mut().find(|other| other.ways.first().map(|(_, gives)| gives) == gives.as_ref())
        });
        match same.flatten() {
            Some(other) => {
                other.codes = format!("{}, {}", other.codes, row.codes);
                let score = row.ways.first().map_or(0.0, |(score, _)| *score);
                if let Some(first) = other.ways.first_mut() {
                    first.0 = first.0.min(score);
                }
                // What is next best for one need not be for both.
                other.ways.truncate(1);
                other.merged = Some("the destination has one value for them".to_owned());
            }
            None => kept.push(row),
        }
    }
    *rows = kept;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::schema::Outcome;

    fn stage(code: &str, name: &str, ends: Option<OutcomeKind>) -> Stage {
        Stage { code: code.into(), name: name.into(), ends }
    }

    #[test]
    fn stages_keep_their_order_and_ends_their_kind() {
        let from = Pipeline {
            object: "deal".into(),
            code: "0".into(),
            name: "Продажи".into(),
            stages: vec![
                stage("NEW", "Новая", None),
                stage("P", "Предложение", None),
                stage("E", "Договор", None),
                stage("WON", "Успех", Some(OutcomeKind::Won)),
                stage("LOSE", "Отказ", Some(OutcomeKind::Lost)),
            ],
            ..Pipeline::default()
        };
        let outcome = |name: &str, kind| Outcome { code: name.to_lowercase(), name: name.into(), kind };
        let to = Pipeline {
            object: "Lead".into(),
            code: "1".into(),
            name: "Sales".into(),
            stages: ["Enquiry", "Offer", "Contract"].map(|name| stage(name, name, None)).to_vec(),
            outcomes: vec![outcome("Signed", OutcomeKind::Won), outcome("Lost", OutcomeKind::Lost)],
            ..Pipeline::default()
        };
        let target = Schema { pipelines: vec![to], ..Schema::default() };
        let table = pipeline(&target, "sales", &from, "Lead").expect("there is a pipeline");
        let given: Vec<&str> = table.rows.iter().map(|row| row.ways[0].1.as_str()).collect();
        let wanted =
            ["stage \"Enquiry\"", "stage \"Offer\"", "stage \"Contract\"", "won \"Signed\"", "lost \"Lost\""];
        assert_eq!(given, wanted);
        assert!(pipeline(&target, "sales", &from, "Account").is_none());
    }
}
