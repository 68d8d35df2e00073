//! A draft over a profile: what the profile decides is left alone, and only the rest is written.

use std::collections::BTreeSet;

use super::accounts::account;
use super::page::{Block, Decision, Rule, Table};
use super::spell::name_of;
use super::{Making, MapName, extras, folds, pair, rules, values};
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
    links: Vec<KnownLink>,
}

/// A rule whose links may lead to several objects.
#[derive(Clone, Debug)]
struct KnownLink {
    /// The map.
    map: String,
    /// The rule as it is written.
    text: String,
    /// The maps that it names.
    to: Vec<String>,
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
                for line in &map.body {
                    if let ast::MapLine::Rule(rule) = line {
                        let text = text.slice(rule.span).trim();
                        let links = several(text).map(|to| KnownLink {
                            map: map.name().value.clone(),
                            text: text.to_owned(),
                            to: to.split('|').map(str::to_owned).collect(),
                        });
                        known.links.extend(links);
                    }
                }
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
        match &table.to {
            Some((object, field)) => {
                let key = (table.from.clone(), object.clone(), field.clone());
                making.lookups.insert(key, (None, table.name.clone()));
            }
            None => {
                making.labels.insert(table.from.clone(), (None, table.name.clone()));
            }
        }
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
                let given: Vec<String> = table.rows.iter().map(|(_, gives)| gives.clone()).collect();
                values::table(source, target, &table.name, &table.from, (object, field), &given, &missing)
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

/// The maps of a link that may lead to several: `deal|lead` of `refs deal|lead(BINDINGS)`.
fn several(rule: &str) -> Option<&str> {
    let starts = rule.match_indices("ref ").chain(rule.match_indices("refs "));
    starts.into_iter().find_map(|(at, word)| {
        let (maps, _) = rule[at + word.len()..].split_once('(')?;
        let named = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '|';
        (maps.contains('|') && maps.chars().all(named)).then_some(maps)
    })
}

/// A refinement of each of the profile's maps: links to what the draft itself maps, and fields that it does not know.
/// Of maps that share a source, the last that takes custom fields takes those.
pub fn refine(making: &mut Making<'_>, known: &Known, added: &[MapName]) {
    let source = making.input.source;
    for (index, map) in known.maps.iter().enumerate() {
        let Some(pair) = pair(making, &map.from, &map.to) else { continue };
        if pair.from.records == Some(0) {
            continue;
        }
        let alias = if map.alias { format!(" as {}", map.name) } else { String::new() };
        let mut rules = widened(making, known, map, added);
        let takes = |map: &MapName| {
            making.input.target.object(&map.to).is_some_and(|object| !object.custom_types.is_empty())
        };
        let rest = known.maps.iter().enumerate().filter(|(_, other)| other.from == map.from);
        let last = rest.max_by_key(|(at, other)| (takes(other), *at)).is_some_and(|(at, _)| at == index);
        if last {
            // The profile decides every field that is not the customer's own, on either side.
            let made = rules::rules(making, pair, &|to, field| to.custom && field.custom);
            let own: Vec<String> =
                pair.to.fields.iter().filter(|to| to.custom).map(|to| name_of(&to.name)).collect();
            let own = |rule: &Decision| rule.rule().is_some_and(|rule| own.contains(&rule.target));
            rules.extend(made.into_iter().filter(own));
            extras::extras(making, pair, &BTreeSet::new(), &|field| field.custom, &mut rules);
        }
        let accounts = pair.from.fields.iter().filter(|_| last);
        let accounts = accounts.map(|field| account(source, pair.from, field)).collect();
        making.page.blocks.push(Block {
            object: map.from.clone(),
            to: map.to.clone(),
            head: format!("refine map {} -> {}{alias}", map.from, map.to),
            rules,
            accounts,
            shown: Some(BTreeSet::new()),
            ..Block::default()
        });
    }
    for (object, head) in &known.folds {
        let Some(object) = source.object(object).filter(|object| object.records != Some(0)) else {
            continue;
        };
        // The customer's own fields go into a note of their own.
        let told: Vec<_> = object
            .fields
            .iter()
            .filter(|field| field.custom && folds::tells(making, object, field, ""))
            .collect();
        making.page.blocks.push(Block {
            object: object.name.clone(),
            head: format!("refine {head}"),
            rules: folds::note(object, &told, 0.6).into_iter().collect(),
            accounts: object.fields.iter().map(|field| account(source, object, field)).collect(),
            shown: Some(BTreeSet::new()),
            ..Block::default()
        });
    }
}

/// The profile's links to several objects, with the maps that the draft adds.
fn widened(making: &Making<'_>, known: &Known, map: &MapName, added: &[MapName]) -> Vec<Decision> {
    let mut rules = Vec::new();
    for link in known.links.iter().filter(|link| link.map == map.name) {
        // Only what becomes the same object as one of those that the rule names can stand beside them.
        let alike = |new: &&MapName| {
            known
                .maps
                .iter()
                .any(|map| link.to.contains(&map.name) && map.to == new.to && new.from != map.from)
                && making.maps.contains(new)
        };
        let more: Vec<&str> = added.iter().filter(alike).map(|map| map.name.as_str()).collect();
        let Some((target, value)) = link.text.split_once("<-").filter(|_| !more.is_empty()) else { continue };
        let named = link.to.join("|");
        let all = format!("{named}|{}", more.join("|"));
        // Maps whose source this customer lacks are no names here.
        let value = value.split_whitespace().collect::<Vec<_>>().join(" ").replacen(&named, &all, 1);
        rules.push(Decision {
            ways: vec![Rule { target: target.trim().to_owned(), value, score: 0.7, ..Rule::default() }],
            at: 0,
        });
    }
    rules
}
