//! A first spec out of two schemas: every field of every object with records is mapped, dropped, or left to a person.
//!
//! Owns the guesses, and how sure they are (`score`). Each line has several ways to stand; the checker judges them, and
//! a line that it refuses takes its next way, down to a `todo`. So a draft checks but for what a person must decide.
//! Must not know a vendor or a file: it reads schemas, and a profile as text.
//!
//! INVARIANT: settling ends. A line only ever moves to its next way, and an item only ever goes.

mod accounts;
mod extras;
mod folds;
mod lay;
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
use crate::lang::schema::{Field, Pipeline, Schema};
use crate::lang::syntax::quote;
use crate::lang::types::Base;
use crate::lang::value::OutcomeKind;

pub use lay::Told;
use objects::Fate;
use page::{Block, Decision, Fixed, Page};
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
    /// What became of each source object, in the order of the spec.
    pub objects: Vec<Told>,
    /// Source objects with records that have no place.
    pub left: Vec<String>,
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
    /// Tables of labels by their enumeration: the place of those that are drafted, and the name.
    labels: BTreeMap<String, (Option<usize>, String)>,
    /// Tables by source enumeration, destination object and field.
    lookups: BTreeMap<(String, String, String), (Option<usize>, String)>,
    /// Tables of titles by their enumeration: the table's place, its name, the titles.
    titles: BTreeMap<String, (Option<usize>, String, Vec<String>)>,
    /// Custom fields by destination object and label in lower case: the type, and the source that fills it last.
    custom: BTreeMap<(String, String), (String, String)>,
}

/// Drafts a spec.
pub fn draft(input: &Input<'_>) -> Draft {
    let mut making = Making {
        input: *input,
        page: Page { head: head(input), ..Page::default() },
        maps: Vec::new(),
        taken: input.source.objects.iter().map(|object| object.name.clone()).collect(),
        labels: BTreeMap::new(),
        titles: BTreeMap::new(),
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
    let added: Vec<MapName> = fates
        .iter()
        .filter_map(|fate| match fate {
            Fate::Map(map) => Some(map.clone()),
            _ => None,
        })
        .collect();
    making.maps.extend(known.maps.iter().cloned());
    making.maps.extend(added.iter().cloned());
    pipelines(&mut making);
    profile::refine(&mut making, &known, &added);
    // Destination fields of all maps come first, so that what is left of one map can use the tables of another.
    let mut fields = added.iter().map(|map| fields(&mut making, map)).collect::<Vec<_>>().into_iter();
    for fate in &fates {
        match fate {
            Fate::Map(map) => add_map(&mut making, map, fields.next().unwrap_or_default()),
            Fate::Fold { from, into, via } => folds::fold(&mut making, from, into, via),
            Fate::None(name) => {
                let Some(object) = input.source.object(name) else { continue };
                let records = object.records.map_or("not counted".to_owned(), |n| format!("{n} records"));
                let fields: Vec<&str> = object.fields.iter().map(|field| field.name.as_str()).collect();
                making.page.tail.push((name.clone(), format!("{name}: {records}; {}", fields.join(", "))));
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
    let (source, target) = (making.input.source, making.input.target);
    let mut wanted: Vec<(&Pipeline, &str)> = Vec::new();
    let maps = making.maps.clone();
    let mut names: Vec<String> = Vec::new();
    for map in &maps {
        for from in source.pipelines.iter().filter(|pipeline| pipeline.object == map.from) {
            let has = target.pipelines.iter().any(|to| to.object == map.to && !to.stages.is_empty());
            if has && !wanted.iter().any(|(other, _)| other.object == from.object && other.code == from.code)
            {
                wanted.push((from, &map.to));
                // A category's name says more than its number.
                let about = if map.alias { &map.name } else { &map.from };
                let many = source.pipelines.iter().filter(|other| other.object == map.from).count() > 1;
                names.push(match many {
                    true => format!(
                        "{about} {}",
                        if from.name.trim().is_empty() { &from.code } else { &from.name }
                    ),
                    false => format!("{about} stages"),
                });
            }
        }
    }
    for (index, to) in values::assign(target, &wanted).into_iter().enumerate() {
        if let Some(to) = to {
            let name = spell::fresh(&names[index], &mut making.taken);
            making.page.pipelines.push(values::pipeline(&name, wanted[index].0, to));
        }
    }
}

fn pair<'a>(making: &Making<'a>, from: &str, to: &str) -> Option<Pair<'a>> {
    Some(Pair { from: making.input.source.object(from)?, to: making.input.target.object(to)? })
}

/// Rules for the destination fields of a map.
fn fields(making: &mut Making<'_>, map: &MapName) -> Vec<Decision> {
    let Some(pair) = pair(making, &map.from, &map.to) else { return Vec::new() };
    let key = rules::key(pair.from);
    let own: Vec<MapName> = making.maps.iter().filter(|other| other.from == map.from).cloned().collect();
    let places = Places::new(making, map, &own);
    rules::rules(making, pair, &|to, field| {
        Some(field.name.as_str()) != key && (to.required || places.here(field))
    })
}

fn add_map(making: &mut Making<'_>, map: &MapName, mut rules: Vec<Decision>) {
    let Some(pair) = pair(making, &map.from, &map.to) else { return };
    let Some(key) = rules::key(pair.from) else { return };
    let source = making.input.source;
    let alias = if map.alias { format!(" as {}", map.name) } else { String::new() };
    let own: Vec<MapName> = making.maps.iter().filter(|other| other.from == map.from).cloned().collect();
    let last = own.last().is_none_or(|last| last.name == map.name);
    let places = Places::new(making, map, &own);
    // What other maps of the same records read already.
    let blocks = making.page.blocks.iter().filter(|block| block.object == map.from);
    let read: BTreeSet<String> =
        blocks.flat_map(|block| block.read().into_iter().map(str::to_owned)).collect();
    extras::extras(making, pair, &read, &|field| field.name != key && places.here(field), &mut rules);
    let mut fixed = vec![Fixed::must(format!("key {key}"), key)];
    fixed.extend(matching(pair, &rules));
    fixed.extend(accounts::filter(pair.from));
    if own.len() > 1 && last {
        split(making, pair, &own);
    }
    let accounts = pair.from.fields.iter().map(|field| accounts::account(source, pair.from, field));
    let block = Block {
        object: map.from.clone(),
        to: map.to.clone(),
        head: format!("map {} -> {}{alias}", map.from, map.to),
        fixed,
        rules,
        accounts: accounts.collect(),
        ..Block::default()
    };
    making.page.blocks.push(block);
}

/// Which of an object's maps a field belongs to: the one whose destination other objects bring the same field to.
struct Places {
    /// Names of fields that objects with the same destination have.
    same: BTreeSet<String>,
    /// Names of fields that objects with the destinations of the object's other maps have.
    others: BTreeSet<String>,
    alone: bool,
    main: bool,
}

impl Places {
    fn new(making: &Making<'_>, map: &MapName, own: &[MapName]) -> Places {
        let fields = |fits: &dyn Fn(&MapName) -> bool| -> BTreeSet<String> {
            let maps = making.maps.iter().filter(|other| other.from != map.from && fits(other));
            let objects = maps.filter_map(|other| making.input.source.object(&other.from));
            objects.flat_map(|object| object.fields.iter().map(|field| field.name.clone())).collect()
        };
        Places {
            same: fields(&|other| other.to == map.to),
            others: fields(&|other| other.to != map.to && own.iter().any(|mine| mine.to == other.to)),
            alone: own.len() < 2,
            main: own.last().is_none_or(|last| last.name == map.name),
        }
    }

    /// Whether a field belongs to this map. What nothing tells belongs to the last.
    fn here(&self, field: &Field) -> bool {
        let (same, others) = (self.same.contains(&field.name), self.others.contains(&field.name));
        self.alone || if self.main { same || !others } else { same && !others }
    }
}

/// How records that are there already are found, where the destination can look for what a map writes.
fn matching(pair: Pair<'_>, rules: &[Decision]) -> Option<Fixed> {
    let written = |name: &str| {
        let rules = rules.iter().filter_map(Decision::rule);
        rules.into_iter().any(|rule| rule.target == name && rule.score >= 0.5)
    };
    // Many people share a name.
    let person = |name: &str| pair.to.field(name).is_some_and(|field| field.ty.base == Base::PersonName);
    let mut by: Vec<&str> =
        pair.to.matchable.iter().map(String::as_str).filter(|name| written(name) && !person(name)).collect();
    by.sort_by_key(|name| *name == "name");
    let line = |by: &[&str]| format!("match existing by {}\n  on existing fill", by.join(" or "));
    let mut ways = vec![line(&by)];
    ways.extend(by.iter().filter(|_| by.len() > 1).map(|one| line(&[one])));
    (!by.is_empty()).then(|| Fixed::maybe(ways, Vec::new()))
}

/// Which of an object's maps a record goes to. Records that were won live on where another object's link says so.
fn split(making: &mut Making<'_>, pair: Pair<'_>, own: &[MapName]) {
    let (source, object) = (making.input.source, pair.from);
    let Some((main, inner)) = own.split_last() else { return };
    let mut rows: Vec<String> = Vec::new();
    let mut reads: Vec<String> = Vec::new();
    let stage = object.fields.iter().find(|field| field.ty.base == Base::Stage && !field.ty.many);
    let heir = making.maps.iter().find(|map| {
        map.from != object.name
            && map.to == main.to
            && source.object(&map.from).is_some_and(|from| {
                from.fields.iter().any(|field| field.ty.base == Base::Link(object.name.clone()))
            })
    });
    if let (Some(stage), Some(heir)) = (stage, heir) {
        let pipelines = source.pipelines.iter().filter(|pipeline| pipeline.object == object.name);
        let won: BTreeSet<&str> = pipelines
            .flat_map(|pipeline| &pipeline.stages)
            .filter(|stage| stage.ends == Some(OutcomeKind::Won))
            .map(|stage| stage.code.as_str())
            .collect();
        for code in won {
            let why = quote(&format!("won: it lives on as a `{}`", heir.from));
            rows.push(format!("  when {} == {} => listed {why}\n", stage.name, quote(code)));
            reads.push(stage.name.clone());
        }
    }
    let mut known = Vec::new();
    for person in inner {
        let link = object.fields.iter().find(|field| match &field.ty.base {
            Base::Link(to) if !field.ty.many => {
                making.maps.iter().any(|map| map.from == *to && map.to == person.to && *to != object.name)
            }
            _ => false,
        });
        known.extend(link.map(|link| format!("  when has {} => {}\n", link.name, main.name)));
        reads.extend(link.map(|link| link.name.clone()));
    }
    let all: Vec<&str> = own.iter().map(|map| map.name.as_str()).collect();
    let last = format!("  otherwise => {}\n", all.join(", "));
    let whole = |rows: &[String]| format!("split {} {{\n{}{last}}}", object.name, rows.concat());
    let ways = vec![whole(&[rows, known.clone()].concat()), whole(&known), whole(&[])];
    making.page.splits.push((object.name.clone(), Fixed::maybe(ways, reads)));
}
