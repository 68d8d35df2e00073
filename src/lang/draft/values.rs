//! Tables and pipelines: which value of the destination stands for which of the source.

use super::page::{Row, Table};
use super::score::likeness;
use super::spell::{coded, name_of};
use super::words::{Words, plain};
use crate::lang::schema::{Choice, Pipeline, Schema, Stage};
use crate::lang::syntax::quote;
use crate::lang::types::Base;
use crate::lang::value::OutcomeKind;

/// Below this, two values are strangers.
const ALIKE: f64 = 0.45;

/// Weight of the order against the name of a stage: pipelines are worked through from left to right in both systems.
const ORDER: f64 = 0.35;

/// A table from an enumeration of the source to one of the destination, for the values that are wanted; `None` where a
/// side lists no values. Where values can be made, `given` are some that will be.
pub fn table(
    source: &Schema,
    target: &Schema,
    name: &str,
    from: &str,
    (object, field): (&str, &str),
    given: &[String],
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
    let mut choices: Vec<Choice> = to.choices.clone();
    if to.open {
        let new = given.iter().filter(|code| !to.choices.iter().any(|choice| choice.code == **code));
        choices.extend(new.map(|code| Choice { code: code.clone(), title: None }));
    }
    let other = choices.iter().find(|choice| Words::new(&choice.code).only("other")).cloned();
    let latin = choices.iter().all(|choice| choice.code.is_ascii());
    let mut rows: Vec<Row> = Vec::new();
    for choice in from_domain.choices.iter().filter(|choice| wanted(&choice.code)) {
        let mut ways: Vec<(f64, String)> = choices
            .iter()
            .map(|other| (value_likeness(choice, other), quote(&other.code)))
            .filter(|(score, _)| *score >= ALIKE)
            .collect();
        sort(&mut ways);
        ways.truncate(3);
        if to.open && ways.first().is_none_or(|(score, _)| *score < 0.8) {
            // Where values can be made, the value's own name loses nothing.
            let own = own_name(choice, latin);
            ways.insert(0, (0.5, quote(&own)));
            // What comes after it may mean the same.
            choices.push(Choice { code: own, title: None });
        } else if let Some(other) = other.as_ref().filter(|_| !to.open) {
            ways.push((0.3, quote(&other.code)));
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

/// What a value that is made anew is called: its title. Where the destination writes in Latin letters and the title does
/// not, its code, if that says what the title does, or the dictionary's words.
fn own_name(choice: &Choice, latin: bool) -> String {
    let Some(title) = choice.title.as_deref().map(str::trim).filter(|title| !title.is_empty()) else {
        return spoken(&choice.code);
    };
    let foreign =
        title.chars().any(|c| c.is_alphabetic() && !c.is_ascii() && plain(&c.to_string()).is_ascii());
    let cyrillic = foreign && !title.chars().any(|c| c.is_ascii_alphabetic());
    if !latin || !cyrillic {
        return title.to_owned();
    }
    let (code, words) = (Words::new(&choice.code), Words::new(title));
    if code.within(&words) {
        return spoken(&choice.code);
    }
    words.common().map_or_else(|| title.to_owned(), |common| capital(&common))
}

/// A code as people would write it: `TRADE_SHOW` as `Trade show`.
fn spoken(code: &str) -> String {
    let shouted = code.chars().any(|c| c.is_ascii_uppercase()) && !code.chars().any(|c| c.is_lowercase());
    if shouted { capital(&code.to_lowercase().replace('_', " ")) } else { code.to_owned() }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
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
        let title = title.map_or_else(|| spoken(&choice.code).to_lowercase(), str::to_owned);
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

/// The destination's pipeline for each of these categories: the likeliest, and where nothing tells, one that no other
/// took. What has no categories goes where the first of them goes.
pub fn assign<'a>(target: &'a Schema, wanted: &[(&Pipeline, &str)]) -> Vec<Option<&'a Pipeline>> {
    let mut found: Vec<Option<&Pipeline>> = vec![None; wanted.len()];
    let mut open: Vec<usize> = (0..wanted.len()).collect();
    while !open.is_empty() {
        let mut best: Option<(f64, usize, &Pipeline)> = None;
        for index in &open {
            let (from, object) = wanted[*index];
            let all = target.pipelines.iter().filter(|to| to.object == object && !to.stages.is_empty());
            for (place, to) in all.enumerate() {
                let taken = found.iter().flatten().any(|other| other.code == to.code);
                let alone = from.code.is_empty();
                // A system's first pipeline is the one that everybody has.
                let first = if alone && place == 0 { 0.2 } else { 0.01 / (place + 1) as f64 };
                let score = pipeline_likeness(from, to) + first - if taken && !alone { 0.2 } else { 0.0 };
                if best.is_none_or(|(before, ..)| score > before) {
                    best = Some((score, *index, to));
                }
            }
        }
        let Some((_, index, to)) = best else { break };
        found[index] = Some(to);
        open.retain(|other| *other != index);
    }
    found
}

/// A pipeline for a category of the source, onto one of the destination's.
pub fn pipeline(name: &str, from: &Pipeline, to: &Pipeline) -> Table {
    let going: Vec<&Stage> = from.stages.iter().filter(|stage| stage.ends.is_none()).collect();
    let mut places = stages(&going, to).into_iter();
    let mut rows = Vec::new();
    for stage in &from.stages {
        let ways = match stage.ends {
            Some(kind) => endings(stage, kind, to),
            None => places.next().unwrap_or_default(),
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
    Table {
        head: format!("pipeline {name} : {}{category} -> {}", from.object, quote(&to.name)),
        rows,
        unseen: true,
        ..Table::default()
    }
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

/// How alike stages are. People rename stages, and their codes stay: a title that says something else weighs more.
fn stage_likeness(stage: &Stage, name: &str) -> f64 {
    let title = likeness((&stage.name, None), (name, None));
    title.max(0.5 * likeness((&stage.code, None), (name, None)))
}

/// What going on in the same stage of the destination costs.
const SHARED: f64 = 0.3;

/// The stages that those of a pipeline become: together the likeliest that keep the order. With the first way of each
/// come the next stages beside it.
fn stages(going: &[&Stage], to: &Pipeline) -> Vec<Vec<(f64, String)>> {
    let (n, m) = (going.len(), to.stages.len());
    if n == 0 || m == 0 {
        return vec![Vec::new(); n];
    }
    let far = n.max(m).saturating_sub(1).max(1) as f64;
    let worth = |at: usize, place: usize| {
        let order = 1.0 - at.abs_diff(place) as f64 / far;
        (1.0 - ORDER) * stage_likeness(going[at], &to.stages[place].name) + ORDER * order
    };
    // The best sum for the first stages where the last of them stands at a place, and where the one before it stood.
    let mut sums: Vec<Vec<(f64, usize)>> = vec![(0..m).map(|place| (worth(0, place), 0)).collect()];
    for at in 1..n {
        let before = &sums[at - 1];
        let row = (0..m).map(|place| {
            let cost = |other: usize| if other == place { SHARED } else { 0.0 };
            let best = (0..=place).map(|other| (before[other].0 - cost(other), other));
            let best = best.fold((f64::MIN, 0), |best, next| if next.0 > best.0 { next } else { best });
            (best.0 + worth(at, place), best.1)
        });
        let row = row.collect();
        sums.push(row);
    }
    let mut places = vec![0; n];
    let mut place =
        (0..m).fold(0, |best, next| if sums[n - 1][next].0 > sums[n - 1][best].0 { next } else { best });
    for at in (0..n).rev() {
        places[at] = place;
        place = sums[at][place].1;
    }
    let way = |at: usize, place: usize| {
        // How often that is right: the place alone tells more than it weighs against a name.
        let order = 1.0 - at.abs_diff(place) as f64 / far;
        let name = stage_likeness(going[at], &to.stages[place].name);
        (0.6 * order + 0.4 * name, format!("stage {}", quote(&to.stages[place].name)))
    };
    places
        .iter()
        .enumerate()
        .map(|(at, place)| {
            let next = (*place + 1 < m).then(|| way(at, *place + 1));
            std::iter::once(way(at, *place)).chain(next).collect()
        })
        .collect()
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
        // Outcomes are shared by pipelines, and some are named after theirs.
        let about = likeness((&to.name, None), (&outcome.name, None));
        let alike = to.outcomes.iter().filter(|other| other.kind == outcome.kind).count();
        let by_kind = same * if alike == 1 { 0.8 } else { 0.3 + 0.3 / alike as f64 };
        let score = by_kind + (1.0 - by_kind) * name.max(0.5 * about);
        all.push((score, format!("{word} {}", quote(&outcome.name))));
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
        let found = assign(&target, &[(&from, "Lead"), (&from, "Account")]);
        assert!(found[1].is_none(), "no pipeline of that object");
        let table = pipeline("sales", &from, found[0].expect("there is a pipeline"));
        let given: Vec<&str> = table.rows.iter().map(|row| row.ways[0].1.as_str()).collect();
        let wanted =
            ["stage \"Enquiry\"", "stage \"Offer\"", "stage \"Contract\"", "won \"Signed\"", "lost \"Lost\""];
        assert_eq!(given, wanted);
    }
}
