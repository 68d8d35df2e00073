//! What a plan will do, before it does: the page that people read beside the signed document.

use super::{Paper, duration, number};
use crate::lang::doc::Document;
use crate::lang::plan::Plan;
use crate::run::connect::Limits;
use crate::run::engine::{Floor, Phase};

/// What a plan's page is made of.
pub struct Input<'i> {
    /// The plan.
    pub plan: &'i Plan,
    /// The time below which it cannot be.
    pub floor: &'i Floor,
    /// What it may come to at most.
    pub most: &'i Floor,
    /// What bounds the speed.
    pub limits: &'i Limits,
    /// What arrives of each field: map and object, field, how much, why and by what call.
    pub arrives: Vec<Vec<String>>,
    /// What is made, and what only a person can make: what it is, and names.
    pub made: Vec<(String, String)>,
    /// What only a person can make.
    pub by_hand: Vec<(String, String)>,
}

/// The plan as a document.
pub fn document(input: &Input<'_>) -> Document {
    let Input { plan, floor, most, limits, .. } = input;
    let mut paper = Paper::new(format!("Plan: {} to {}", plan.source.account, plan.target.account));
    let sure: u64 = plan.maps.iter().filter(|map| map.split.is_none()).filter_map(|map| map.records).sum();
    paper.facts(vec![
        ("source", format!("{} ({})", plan.source.connector, plan.source.account)),
        ("destination", format!("{} ({})", plan.target.connector, plan.target.account)),
        ("plan", plan.hash()),
        ("records that surely reach a map", number(sure)),
        ("time", format!("at least {}, at most {}", duration(floor.total_s()), duration(most.total_s()))),
        (
            "still to be decided",
            if plan.open.is_empty() { "nothing".to_owned() } else { number(plan.open.len() as u64) },
        ),
    ]);
    if !plan.open.is_empty() {
        let rows = plan.open.iter();
        let rows = rows.map(|open| vec![plan.place_text(open.line), open.what.clone(), open.kind.clone()]);
        paper.heading(2, "Still to be decided in the spec");
        paper.table(&["line", "what", "how"], rows.collect(), "");
    }
    paper.heading(2, "Records, by the snapshot's statistics");
    let rows = plan.maps.iter().map(|map| {
        let records = match map.records {
            None => "unknown".to_owned(),
            Some(records) if map.split.is_some() => format!("at most {}", number(records)),
            Some(records) => number(records),
        };
        let custom = map.targets.iter().filter(|target| target.custom).count() as u64;
        vec![
            format!("{} → {}", map.name, map.target),
            records,
            number(map.rules.len() as u64),
            number(custom),
            number(map.dropped.len() as u64),
        ]
    });
    paper.table(&["map", "records", "rules", "custom fields", "fields dropped"], rows.collect(), "none");
    let folded = plan.flattens.iter().map(|flatten| {
        let into = plan.maps.get(usize::from(flatten.into)).map_or("", |map| map.name.as_str());
        let records = flatten.records.map_or_else(|| "unknown".to_owned(), number);
        vec![format!("{} into {into}", flatten.source), records]
    });
    let folded: Vec<_> = folded.collect();
    if !folded.is_empty() {
        paper.heading(3, "Folded into others");
        paper.table(&["what", "records"], folded, "");
    }
    paper.heading(2, "What arrives of each field");
    let head = ["map", "field", "arrives", "why", "by"];
    paper.table(&head, input.arrives.clone(), "The plan writes no field.");
    paper.heading(2, "Made where it is missing");
    let fields = plan.provision.iter().map(|field| {
        let kind = if field.many { format!("[{}]", field.kind) } else { field.kind.clone() };
        vec![
            format!("custom field of {}", field.object),
            field.label.clone(),
            format!("{kind} {}", field.choices.join(", ")),
        ]
    });
    let others = input.made.iter().map(|(what, names)| vec![what.clone(), names.clone(), String::new()]);
    paper.table(
        &["what", "name", "type and choices"],
        fields.chain(others).collect(),
        "Nothing but the marker's fields.",
    );
    paper.heading(2, "Must be there before any record moves, and only a person can make it");
    let rows = input.by_hand.iter().map(|(what, names)| vec!["☐".to_owned(), what.clone(), names.clone()]);
    paper.table(&["done", "what", "names"], rows.collect(), "Nothing.");
    paper.heading(2, "How long it takes");
    paper.say(format!(
        "Extraction takes at least {}: {} requests, {} at once and then {} a second. Loading is bound by {} requests a second, \
         or {} in flight with {} s each. At most every record reaches every map that it can, every note says something, every \
         second pass writes, and every record is read by itself when it is compared.",
        duration(floor.extraction_s()),
        number(floor.requests),
        limits.burst,
        limits.drain_per_s,
        limits.rate_per_s,
        limits.in_flight,
        limits.latency_s
    ));
    let line = |name: String, least: &Phase, most: &Phase| {
        vec![
            name,
            number(least.calls()),
            duration(least.seconds),
            number(most.calls()),
            duration(most.seconds),
        ]
    };
    let mut rows = Vec::new();
    for (at, phase) in plan.phases.iter().enumerate() {
        let names: Vec<&str> =
            phase.iter().filter_map(|map| Some(plan.maps.get(usize::from(*map))?.name.as_str())).collect();
        let of = |floor: &Floor| floor.phases.get(at).copied().unwrap_or_default();
        rows.push(line(format!("{}. {}", at + 1, names.join(", ")), &of(floor), &of(most)));
    }
    rows.push(line("at the end".to_owned(), &floor.end, &most.end));
    let head = ["phase", "calls at least", "time at least", "calls at most", "time at most"];
    paper.table(&head, rows, "");
    paper.0
}
