//! A first spec out of two schemas: every field of every object with records is mapped, dropped, or left to a person.
//!
//! Owns the guesses, and how sure they are (`score`). Each line has several ways to stand; the checker judges them, and
//! a line that it refuses takes its next way, down to a `todo`. So a draft checks but for what a person must decide.
//! Must not know a vendor or a file: it reads schemas, and a profile as text.
//!
//! INVARIANT: settling ends. A line only ever moves to its next way, and an item only ever goes.

mod accounts;
mod objects;
mod page;
mod parts;
mod profile;
mod rules;
mod score;
mod settle;
mod spell;
mod values;
mod words;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use crate::lang::finding::Finding;
use crate::lang::schema::{Object, Schema};
use crate::lang::syntax::quote;
use crate::lang::types::Base;

use objects::Fate;
use page::{Block, Clause, Decision, Page, Rule};
use rules::Pair;

/// What a draft is made of.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The source's schema.
    pub source: &'a Schema,
    /// The destination's schema.
    pub target: &'a Schema,
    /// The source's snapshot, as the spec names it.
    pub source_name: &'a str,
    /// The destination's snapshot, as the spec names it.
    pub target_name: &'a str,
    /// E-mail address of the destination user who owns what nobody else does. Snapshots hold hashes only, so nothing
    /// can guess it.
    pub owner: &'a str,
    /// The zone in which a date becomes an instant; without it no date does.
    pub zone: Option<&'a str>,
    /// The country of phone numbers that are written without one, such as `US`.
    pub country: &'a str,
    /// The score from which on a rule is written, from 0 to 1.
    pub min: f64,
    /// The profile that the draft refines: its name and its text.
    pub profile: Option<(&'a str, &'a str)>,
    /// The day, in UTC.
    pub today: Date,
}

/// A drafted spec.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// The spec, laid out as `b2n fmt` does.
    pub text: String,
    /// Findings that are left: open decisions, warnings, and what no way could settle.
    pub findings: Vec<Finding>,
    /// Rules and rows that were proposed.
    pub proposed: usize,
    /// Fields that wait for a person.
    pub todo: usize,
    /// Fields that are dropped.
    pub dropped: usize,
    /// How often the checker was asked.
    pub rounds: usize,
}

/// A map, as references and folds name it.
#[derive(Clone, Debug, PartialEq)]
struct MapName {
    from: String,
    to: String,
    name: String,
    /// Whether the name has to be said.
    alias: bool,
}

/// What is shared while a draft is made.
struct Making<'a> {
    input: Input<'a>,
    page: Page,
    maps: Vec<MapName>,
    /// Names of items.
    taken: BTreeSet<String>,
    /// Tables of labels by their enumeration.
    labels: BTreeMap<String, String>,
    /// Tables by source enumeration, destination object and field.
    lookups: BTreeMap<(String, String, String), (usize, String)>,
    /// Labels of custom fields by destination object, in lower case.
    custom: BTreeMap<String, BTreeSet<String>>,
}

/// Drafts a spec.
pub fn draft(input: &Input<'_>) -> Draft {
    let mut making = Making {
        input: *input,
        page: Page { head: head(input), ..Page::default() },
        maps: Vec::new(),
        taken: input.source.objects.iter().map(|object| object.name.clone()).collect(),
        labels: BTreeMap::new(),
        lookups: BTreeMap::new(),
        custom: BTreeMap::new(),
    };
    let known = input.profile.map(|(_, text)| profile::read(text)).unwrap_or_default();
    profile::tables(&mut making, &known);
    let fates: Vec<Fate> = objects::fates(input.source, input.target)
        .into_iter()
        .filter(|fate| match fate {
            Fate::Map(map) => !known.covers(&map.from),
            Fate::Fold { from, .. } | Fate::None(from) => !known.covers(from),
        })
        .collect();
    making.maps.extend(known.maps.iter().cloned());
    for fate in &fates {
        if let Fate::Map(map) = fate {
            making.maps.push(map.clone());
        }
    }
    pipelines(&mut making);
    profile::refine(&mut making, &known);
    for fate in &fates {
        match fate {
            Fate::Map(map) => add_map(&mut making, map),
            Fate::Fold { from, into, via } => fold(&mut making, from, into, via),
            Fate::None(object) => {
                let records = input.source.object(object).and_then(|object| object.records);
                let records = records.map_or("not counted".to_owned(), |n| format!("{n} records"));
                making.page.tail.push(format!("{object}: {records}"));
            }
        }
    }
    settle::settle(making)
}

fn head(input: &Input<'_>) -> String {
    let mut head = String::from("edition 2026\n\n");
    head.push_str(
        "# A draft: read every `proposed` line and remove the word with its number once it is right.\n\n",
    );
    head.push_str(&format!("source {} {}\n", input.source.connector, quote(input.source_name)));
    head.push_str(&format!("target {} {}\n", input.target.connector, quote(input.target_name)));
    if let Some(zone) = input.zone {
        head.push_str(&format!("zone {}\n", quote(zone)));
    }
    if let Some((name, _)) = input.profile {
        head.push_str(&format!("use {}\n", quote(name)));
    }
    let owner = quote(input.owner);
    head.push_str("\nowners {\n  match by email\n");
    if input.source.users.iter().any(|user| !user.active) {
        head.push_str(&format!("  dismissed => {owner}  flag \"owner has left\"\n"));
    }
    head.push_str(&format!("  otherwise => {owner}  flag \"owner not found\"\n}}\n"));
    head
}

/// A pipeline for every category of every object that becomes something with stages.
fn pipelines(making: &mut Making<'_>) {
    let maps = making.maps.clone();
    let mut done: BTreeSet<(String, String)> = BTreeSet::new();
    for map in &maps {
        for from in making.input.source.pipelines.iter().filter(|pipeline| pipeline.object == map.from) {
            if done.contains(&(from.object.clone(), from.code.clone())) {
                continue;
            }
            let about = format!("{} {}", if map.alias { &map.name } else { &map.from }, from.code);
            let name = spell::fresh(about.trim(), &mut making.taken);
            if let Some(pipeline) = values::pipeline(making.input.target, &name, from, &map.to) {
                done.insert((from.object.clone(), from.code.clone()));
                making.page.pipelines.push(pipeline);
            }
        }
    }
}

fn pair<'a>(making: &Making<'a>, from: &str, to: &str) -> Option<Pair<'a>> {
    Some(Pair { from: making.input.source.object(from)?, to: making.input.target.object(to)? })
}

fn add_map(making: &mut Making<'_>, map: &MapName) {
    let Some(pair) = pair(making, &map.from, &map.to) else { return };
    let Some(key) = rules::key(pair.from) else { return };
    let alias = if map.alias { format!(" as {}", map.name) } else { String::new() };
    let mut rules = rules::rules(making, pair, &|field| field.name != key);
    customs(making, pair, &mut rules);
    let block = Block {
        object: map.from.clone(),
        to: map.to.clone(),
        head: format!("map {} -> {}{alias}", map.from, map.to),
        fixed: vec![format!("key {key}")],
        reads: BTreeSet::from([key.to_owned()]),
        rules,
        accounts: pair.from.fields.iter().map(|field| accounts::account(pair.from, field)).collect(),
        ..Block::default()
    };
    making.page.blocks.push(block);
}

/// Custom fields for the customer's own fields that nothing took.
fn customs(making: &mut Making<'_>, pair: Pair<'_>, rules: &mut Vec<Decision>) {
    let read: BTreeSet<String> =
        rules.iter().filter_map(Decision::rule).flat_map(|rule| rule.reads.iter().cloned()).collect();
    for field in pair.from.fields.iter().filter(|field| !read.contains(&field.name)) {
        if let Some(rule) = rules::custom(making, pair, field).filter(|rule| rule.score >= making.input.min) {
            rules.push(Decision { ways: vec![rule], at: 0 });
        }
    }
}

/// An object without a counterpart: a note for each record, on the record that it hangs on.
fn fold(making: &mut Making<'_>, from: &str, into: &str, via: &str) {
    let Some(object) = making.input.source.object(from) else { return };
    let to = making.maps.iter().find(|map| map.name == into).map(|map| map.to.clone()).unwrap_or_default();
    let told: Vec<String> =
        object.fields.iter().filter(|field| tells(object, field, via)).map(|f| f.name.clone()).collect();
    let title: String = object.title.as_deref().unwrap_or(from).chars().filter(|c| !c.is_control()).collect();
    let note = Rule {
        target: format!("note {}", quote(&title)),
        value: format!("lines({})", told.join(", ")),
        each: Some("for each at most 20".to_owned()),
        score: 0.6,
        reads: told.clone(),
        loss: Some(2),
        why: "the destination has no such records".to_owned(),
        otherwise: Clause::default(),
        ..Rule::default()
    };
    let rules = if told.is_empty() { Vec::new() } else { vec![Decision { ways: vec![note], at: 0 }] };
    making.page.blocks.push(Block {
        object: from.to_owned(),
        to,
        head: format!("flatten {from} into {into} via {via}"),
        last: vec!["orphan => quarantine".to_owned()],
        reads: std::iter::once(via.to_owned()).chain(rules::key(object).map(str::to_owned)).collect(),
        rules,
        accounts: object.fields.iter().map(|field| accounts::account(object, field)).collect(),
        ..Block::default()
    });
}

/// Whether a note should tell a field: what people filled in, not what the system keeps of itself.
fn tells(object: &Object, field: &crate::lang::schema::Field, via: &str) -> bool {
    let readable = matches!(
        field.ty.base,
        Base::Text { .. }
            | Base::Integer
            | Base::Decimal
            | Base::Money
            | Base::Bool
            | Base::Date
            | Base::DateTime
            | Base::Phone
            | Base::Email
            | Base::Url
            | Base::Enum(_)
            | Base::Stage
            | Base::Record
    );
    readable
        && field.name != via
        && Some(field.name.as_str()) != rules::key(object)
        && field.stats.as_ref().is_none_or(|stats| stats.filled > 0)
        && accounts::account(object, field).ways.len() == 1
}
