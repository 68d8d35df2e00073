//! A draft over a profile: what the profile decides is left alone, and only the rest is written.

use std::collections::BTreeSet;

use super::accounts::account;
use super::page::{Block, Table};
use super::values;
use super::{Making, MapName, customs, pair};
use crate::lang::syntax::{self, ast};
use crate::lang::text::SourceText;
use crate::lang::types::Base;

/// What a profile holds.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Its maps, by the order of the file.
    pub maps: Vec<MapName>,
    /// Objects that it maps or folds in.
    objects: BTreeSet<String>,
    tables: Vec<KnownTable>,
    folds: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
struct KnownTable {
    name: String,
    /// The enumeration that is looked up.
    from: String,
    /// The destination's object and field; `None` for a plain type.
    to: Option<(String, String)>,
    /// Codes with what they give, without quotes.
    rows: Vec<(String, String)>,
}

impl Known {
    /// Whether the profile decides where an object's records go.
    pub fn covers(&self, object: &str) -> bool {
        self.objects.contains(object)
    }
}

/// Reads a profile; what cannot be read of it is not known.
pub fn read(text: &str) -> Known {
    let text = SourceText::new("profile", text);
    let (spec, _) = syntax::parse(&text);
    let mut known = Known::default();
    for item in &spec.items {
        match item {
            ast::Item::Map(map) => {
                known.objects.insert(map.source.name.value.clone());
                known.maps.push(MapName {
                    from: map.source.name.value.clone(),
                    to: map.target.value.clone(),
                    name: map.name().value.clone(),
                    alias: map.alias.is_some(),
                });
            }
            ast::Item::Flatten(flatten) => {
                known.objects.insert(flatten.source.name.value.clone());
                let via = text.slice(flatten.head);
                known.folds.push((flatten.source.name.value.clone(), via.trim().to_owned()));
            }
            ast::Item::Table(table) => {
                let from = text.slice(table.span).lines().next().unwrap_or_default();
                let from = from.split_once("enum(").and_then(|(_, rest)| rest.split_once(')'));
                let Some((from, _)) = from else { continue };
                let to = match &table.to {
                    ast::TableTarget::Field { object, field } => {
                        Some((object.value.clone(), field.value.clone()))
                    }
                    ast::TableTarget::Type(_) => None,
                };
                let rows = table.rows.iter().flat_map(|row| {
                    let gives = text.slice(row.arm.span).trim().trim_matches('"').to_owned();
                    row.codes
                        .iter()
                        .filter_map(|coded| coded.code.as_ref())
                        .map(move |code| (code.value.clone(), gives.clone()))
                });
                known.tables.push(KnownTable {
                    name: table.name.value.clone(),
                    from: from.to_owned(),
                    to,
                    rows: rows.collect(),
                });
            }
            _ => {}
        }
    }
    known
}

/// Rows for values that the profile's tables do not have, or give what this destination lacks.
pub fn tables(making: &mut Making<'_>, known: &Known) {
    for table in &known.tables {
        making.taken.insert(table.name.clone());
        let (source, target) = (making.input.source, making.input.target);
        let gives: Option<BTreeSet<&str>> = table.to.as_ref().and_then(|(object, field)| {
            let domain = match &target.object(object)?.field(field)?.ty.base {
                Base::Enum(domain) => target.domains.get(domain)?,
                _ => return None,
            };
            (!domain.open).then(|| domain.choices.iter().map(|choice| choice.code.as_str()).collect())
        });
        let missing = |code: &str| {
            !table.rows.iter().any(|(known, to)| {
                known == code && gives.as_ref().is_none_or(|gives| gives.contains(to.as_str()))
            })
        };
        let drafted: Option<Table> = match &table.to {
            Some((object, field)) => {
                values::table(source, target, &table.name, &table.from, (object, field), &missing)
            }
            None => values::titles(source, &table.name, &table.from, &missing).map(|(drafted, _)| drafted),
        };
        let Some(mut drafted) = drafted else { continue };
        if !drafted.rows.is_empty() {
            drafted.head = format!("refine {}", drafted.head);
            drafted.on_demand = false;
            drafted.unseen = false;
            making.page.tables.push(drafted);
        }
    }
}

/// A refinement of each of the profile's maps, for fields that it does not know.
pub fn refine(making: &mut Making<'_>, known: &Known) {
    let mut done: BTreeSet<&str> = BTreeSet::new();
    // Of maps that share a source the last one takes the fields.
    for map in known.maps.iter().rev() {
        let Some(pair) = pair(making, &map.from, &map.to) else { continue };
        if pair.from.records == Some(0) || !done.insert(&map.from) {
            continue;
        }
        let alias = if map.alias { format!(" as {}", map.name) } else { String::new() };
        let mut rules = Vec::new();
        customs(making, pair, &mut rules);
        making.page.blocks.push(Block {
            object: map.from.clone(),
            to: map.to.clone(),
            head: format!("refine map {} -> {}{alias}", map.from, map.to),
            rules,
            accounts: pair.from.fields.iter().map(|field| account(pair.from, field)).collect(),
            shown: Some(BTreeSet::new()),
            ..Block::default()
        });
    }
    for (object, head) in &known.folds {
        let Some(object) = making.input.source.object(object).filter(|object| object.records != Some(0))
        else {
            continue;
        };
        making.page.blocks.push(Block {
            object: object.name.clone(),
            head: format!("refine {head}"),
            accounts: object.fields.iter().map(|field| account(object, field)).collect(),
            shown: Some(BTreeSet::new()),
            ..Block::default()
        });
    }
}
