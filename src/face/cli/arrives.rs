//! What arrives of each field, and by which call: the part of `b2n plan` that people hold against their wishes.
//!
//! A field is *exact* where rules and destination keep the value, *changed* where one of them does not, *impossible*
//! where no call writes it: of the destination's own fields those that the connector names, of the source's those that
//! the spec drops for want of a place.

use serde_json::{Value as Json, json};

use crate::lang::plan::{self, Plan, Rule};
use crate::lang::types::Fidelity;
use crate::run::connect::{self, Way};

use super::lines::say;
use super::terminal::Terminal;

/// How much of a field arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Arrives {
    Exact,
    Changed,
    Impossible,
}

impl Arrives {
    const ALL: [Arrives; 3] = [Arrives::Exact, Arrives::Changed, Arrives::Impossible];

    pub fn word(self) -> &'static str {
        match self {
            Arrives::Exact => "exact",
            Arrives::Changed => "changed",
            Arrives::Impossible => "impossible",
        }
    }
}

/// What arrives of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub map: String,
    pub object: String,
    /// A field of the destination, or one of the source that has no place there.
    pub field: String,
    pub custom: bool,
    pub arrives: Arrives,
    /// What the rules do to it; `None` where no rule writes it.
    pub fidelity: Option<Fidelity>,
    /// Why it is not exact, each reason once.
    pub why: Vec<String>,
    /// By which call.
    pub by: Option<String>,
}

/// Every field of every map, in the plan's order: written ones first, then impossible ones.
pub fn lines(plan: &Plan) -> Vec<Line> {
    let mut lines = Vec::new();
    for (index, map) in plan.maps.iter().enumerate() {
        let folded: Vec<_> =
            plan.flattens.iter().filter(|flatten| usize::from(flatten.into) == index).collect();
        for (at, target) in map.targets.iter().enumerate() {
            let of = |rule: &&Rule| usize::from(rule.target) == at;
            let rules = map.rules.iter().filter(of);
            let rules: Vec<&Rule> =
                rules.chain(folded.iter().flat_map(|flatten| flatten.rules.iter().filter(of))).collect();
            lines.push(written(plan, map, target, &rules));
        }
        let notes = map.notes.iter().chain(folded.iter().flat_map(|flatten| &flatten.notes));
        let notes: Vec<&Rule> = notes.map(|note| &note.rule).collect();
        if !notes.is_empty() {
            let target = plan::Target {
                name: "notes".to_owned(),
                custom: false,
                ty: crate::lang::types::Type::text(),
            };
            let way = connect::way(&plan.target.connector, "Note", "body", false);
            lines.push(line(map, &target, &notes, way));
        }
        lines.extend(impossible(plan, map, index));
    }
    lines
}

fn written(plan: &Plan, map: &plan::Map, target: &plan::Target, rules: &[&Rule]) -> Line {
    let way = connect::way(&plan.target.connector, &map.target, &target.name, target.custom);
    line(map, target, rules, way)
}

fn line(map: &plan::Map, target: &plan::Target, rules: &[&Rule], way: Option<Way>) -> Line {
    let fidelity = rules.iter().map(|rule| rule.fidelity).max().unwrap_or(Fidelity::Exact);
    let mut why: Vec<String> = Vec::new();
    for reason in rules.iter().filter_map(|rule| rule.because.clone()) {
        if !why.contains(&reason) {
            why.push(reason);
        }
    }
    let there = way.as_ref().and_then(|way| way.then);
    why.extend(there.map(|then| format!("there: {then}")));
    let arrives =
        if fidelity == Fidelity::Exact && there.is_none() { Arrives::Exact } else { Arrives::Changed };
    Line {
        map: map.name.clone(),
        object: map.target.clone(),
        field: target.name.clone(),
        custom: target.custom,
        arrives,
        fidelity: Some(fidelity),
        why,
        by: way.map(|way| way.by),
    }
}

fn impossible<'p>(plan: &'p Plan, map: &'p plan::Map, index: usize) -> impl Iterator<Item = Line> + 'p {
    let line = move |field: &str, why: &str| Line {
        map: map.name.clone(),
        object: map.target.clone(),
        field: field.to_owned(),
        custom: false,
        arrives: Arrives::Impossible,
        fidelity: None,
        why: vec![why.to_owned()],
        by: None,
    };
    let folded = plan.flattens.iter().filter(move |flatten| usize::from(flatten.into) == index);
    let own = map.dropped.iter().map(|dropped| (&map.source, dropped));
    let gaps = own
        .chain(folded.flat_map(|flatten| flatten.dropped.iter().map(|dropped| (&flatten.source, dropped))));
    let gaps = gaps.filter(|(_, dropped)| dropped.gap);
    let gaps =
        gaps.map(move |(source, dropped)| line(&format!("{source}.{}", dropped.field), &dropped.reason));
    let barred = connect::barred(&plan.target.connector, &map.target).into_iter();
    gaps.chain(barred.map(move |barred| line(barred.field, barred.why)))
}

/// For people: per map the calls, then the fields by how much of them arrives.
pub fn show(plan: &Plan, terminal: &Terminal) {
    say!(terminal, "{}", terminal.bold("what arrives of each field, and by which call"));
    let lines = lines(plan);
    for map in &plan.maps {
        let of: Vec<&Line> = lines.iter().filter(|line| line.map == map.name).collect();
        say!(terminal, "  {} -> {}", map.name, map.target);
        let mut calls: Vec<(&str, Vec<String>)> = Vec::new();
        for line in &of {
            let Some(by) = line.by.as_deref() else { continue };
            match calls.iter_mut().find(|(known, _)| *known == by) {
                Some((_, fields)) => fields.push(name(line)),
                None => calls.push((by, vec![name(line)])),
            }
        }
        for (by, fields) in &calls {
            say!(terminal, "    by {by}: {}", fields.join(", "));
        }
        for arrives in Arrives::ALL {
            let these: Vec<&&Line> = of.iter().filter(|line| line.arrives == arrives).collect();
            if these.is_empty() {
                continue;
            }
            if arrives == Arrives::Exact {
                let names: Vec<String> = these.iter().map(|line| name(line)).collect();
                say!(terminal, "    exact: {}", names.join(", "));
                continue;
            }
            say!(terminal, "    {}:", arrives.word());
            for line in these {
                let word = line.fidelity.filter(|fidelity| *fidelity != Fidelity::Exact);
                let word = word.map(|fidelity| fidelity.word().to_owned());
                let why: Vec<String> = word.into_iter().chain(line.why.iter().cloned()).collect();
                say!(terminal, "      {}: {}", name(line), why.join("; "));
            }
        }
    }
    println!();
}

fn name(line: &Line) -> String {
    if line.custom { format!("\"{}\"", line.field) } else { line.field.clone() }
}

/// For programs.
pub fn as_json(plan: &Plan) -> Json {
    let row = |line: Line| {
        json!({
            "map": line.map, "object": line.object, "field": line.field, "custom": line.custom,
            "arrives": line.arrives.word(), "fidelity": line.fidelity.map(Fidelity::word), "why": line.why,
            "by": line.by,
        })
    };
    lines(plan).into_iter().map(row).collect()
}
