//! The items of a spec, gathered by kind; what every spec needs once; snapshots' age; the zone.

use std::collections::HashSet;

use jiff::ToSpan;
use jiff::tz::TimeZone;

use super::Input;
use super::meant::instead;
use super::names::nearest;
use super::unread::whole_lines;
use crate::lang::finding::{Finding, registry as codes};
use crate::lang::schema::Schema;
use crate::lang::syntax::ast::{self, Item, Name};

/// A spec's items by kind; of items that stand twice, which parsing reports, the first.
#[derive(Debug, Default)]
pub(super) struct Items<'a> {
    pub edition: u32,
    pub source: Option<&'a ast::System>,
    pub target: Option<&'a ast::System>,
    pub zone: Option<&'a Name>,
    pub owners: Option<&'a ast::Owners>,
    pub tables: Vec<&'a ast::Table>,
    pub pipelines: Vec<&'a ast::Pipeline>,
    pub maps: Vec<&'a ast::Map>,
    pub functions: Vec<&'a ast::Function>,
    pub splits: Vec<&'a ast::Split>,
    pub flattens: Vec<&'a ast::Flatten>,
    pub budgets: Vec<&'a ast::Budget>,
    pub accepts: Vec<&'a ast::Accept>,
    pub orders: Vec<&'a ast::Order>,
    /// Whether a table, pipeline, function or map bears the name of another.
    pub twice: bool,
}

/// The edition of specs that name none.
const EDITION: u32 = 2026;

/// Days after which a snapshot counts as old.
const OLD_DAYS: i64 = 30;

impl<'a> Items<'a> {
    pub(super) fn gather(spec: &'a ast::Spec) -> Self {
        let mut items = Items { edition: EDITION, ..Items::default() };
        let mut names: HashSet<(&str, &str)> = HashSet::new();
        for item in &spec.items {
            match item {
                Item::Edition(edition) => items.edition = edition.value,
                Item::Source(system) => items.source = items.source.or(Some(system)),
                Item::Target(system) => items.target = items.target.or(Some(system)),
                Item::Zone(name) => items.zone = items.zone.or(Some(name)),
                Item::Owners(owners) => items.owners = items.owners.or(Some(owners)),
                Item::Table(table) if names.insert(("table", &table.name.value)) => items.tables.push(table),
                Item::Pipeline(pipeline) if names.insert(("pipeline", &pipeline.name.value)) => {
                    items.pipelines.push(pipeline);
                }
                Item::Map(map) if names.insert(("map", &map.name().value)) => items.maps.push(map),
                Item::Function(function) if names.insert(("fn", &function.name.value)) => {
                    items.functions.push(function);
                }
                Item::Table(_) | Item::Pipeline(_) | Item::Map(_) | Item::Function(_) => items.twice = true,
                Item::Split(split) => items.splits.push(split),
                Item::Flatten(flatten) => items.flattens.push(flatten),
                Item::Budget(budget) => items.budgets.push(budget),
                Item::Accept(accept) => items.accepts.push(accept),
                Item::Order(order) => items.orders.push(order),
                _ => {}
            }
        }
        items
    }

    /// Whether both systems are named, and how old their snapshots are.
    pub(super) fn snapshots(&self, input: &Input<'_>, findings: &mut Vec<Finding>) {
        self.system(self.source, input.source, "source", input, findings);
        self.system(self.target, input.target, "target", input, findings);
    }

    fn system(
        &self,
        item: Option<&ast::System>,
        schema: Option<&Schema>,
        word: &str,
        input: &Input<'_>,
        findings: &mut Vec<Finding>,
    ) {
        let Some(item) = item else {
            if unread_item(input, word) {
                return;
            }
            findings.push(
                Finding::new(codes::MISSING_ITEM, format!("the spec names no `{word}`")).help(format!(
                    "add a line `{word} CONNECTOR \"schema/CONNECTOR.yaml\"` after the edition"
                )),
            );
            return;
        };
        let Some(schema) = schema else { return };
        if schema.connector != item.connector.value {
            findings.push(
                Finding::new(
                    codes::SNAPSHOT_INVALID,
                    format!(
                        "the snapshot of `{}` was taken from `{}`",
                        item.connector.value, schema.connector
                    ),
                )
                .at(item.snapshot.span, format!("a snapshot of `{}`", schema.connector))
                .help(format!("name a snapshot of `{}`, or the other connector", item.connector.value)),
            );
        }
        let Some(taken) = schema.taken else { return };
        let limit = taken.checked_add(OLD_DAYS.days());
        if limit.is_ok_and(|limit| limit < input.today) {
            let days = input.today.since(taken).map(|span| span.get_days()).unwrap_or_default();
            findings.push(
                Finding::new(
                    codes::SNAPSHOT_OLD,
                    format!("the snapshot `{}` is {days} days old", item.snapshot.value),
                )
                .at(item.snapshot.span, format!("taken {taken}"))
                .help(format!(
                    "take it again: `b2n snapshot {} -o {}`",
                    item.connector.value, item.snapshot.value
                )),
            );
        }
    }

    /// The zone's name, where there is such a zone.
    pub(super) fn zone(&self, findings: &mut Vec<Finding>) -> Option<String> {
        let zone = self.zone?;
        if TimeZone::get(&zone.value).is_ok() {
            return Some(zone.value.clone());
        }
        let known: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
        // An abbreviation is like many others, and none of them is meant.
        let named = zone.value.contains(['/', '_']) || zone.value.len() > 4;
        let meant = nearest(&zone.value, known.iter().map(String::as_str)).filter(|_| named);
        let finding = Finding::new(codes::UNKNOWN_ZONE, format!("there is no time zone `{}`", zone.value))
            .at(zone.span, "not a zone of the IANA database");
        findings.push(match meant {
            Some(meant) => finding
                .help(format!("did this mean \"{meant}\"?"))
                .fix(instead(zone.span, format!("\"{meant}\""))),
            None => finding
                .help("write an IANA name such as \"Europe/Berlin\"; abbreviations do not know summer time"),
        });
        // The zone counts as named, so that what needs one is not reported as well.
        Some(zone.value.clone())
    }
}

/// Whether the line of an item could not be read, by the word that it begins with.
pub(super) fn unread_item(input: &Input<'_>, word: &str) -> bool {
    input.broken.iter().any(|span| {
        let line = whole_lines(input.text.text(), *span).trim_start();
        line.strip_prefix(word).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()))
    })
}
