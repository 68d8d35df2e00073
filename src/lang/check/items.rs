//! The items of a spec, gathered by kind; what every spec needs once; snapshots' age; the zone.

use std::collections::HashMap;

use jiff::ToSpan;
use jiff::tz::TimeZone;

use super::Input;
use super::names::nearest;
use crate::lang::finding::{Finding, registry as codes};
use crate::lang::schema::Schema;
use crate::lang::syntax::ast::{self, Item, Name};
use crate::lang::text::Span;

/// A spec's items by kind; of items that stand twice, the first.
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
    pub orders: Vec<&'a ast::Order>,
}

/// The edition of specs that name none.
const EDITION: u32 = 2026;

/// Days after which a snapshot counts as old.
const OLD_DAYS: i64 = 30;

impl<'a> Items<'a> {
    pub(super) fn gather(spec: &'a ast::Spec, findings: &mut Vec<Finding>) -> Self {
        let mut items = Items { edition: EDITION, ..Items::default() };
        let mut names: HashMap<(&str, &str), Span> = HashMap::new();
        for item in &spec.items {
            match item {
                Item::Edition(edition) => items.edition = edition.value,
                Item::Source(system) => {
                    once(&mut items.source, system, "source", system.span, |s| s.span, findings)
                }
                Item::Target(system) => {
                    once(&mut items.target, system, "target", system.span, |s| s.span, findings)
                }
                Item::Zone(name) => once(&mut items.zone, name, "zone", name.span, |n| n.span, findings),
                Item::Owners(owners) => {
                    once(&mut items.owners, owners, "owners", owners.span, |o| o.span, findings)
                }
                Item::Table(table) => {
                    if named(&mut names, "table", &table.name, findings) {
                        items.tables.push(table);
                    }
                }
                Item::Pipeline(pipeline) => {
                    if named(&mut names, "pipeline", &pipeline.name, findings) {
                        items.pipelines.push(pipeline);
                    }
                }
                Item::Map(map) => {
                    if named(&mut names, "map", map.name(), findings) {
                        items.maps.push(map);
                    }
                }
                Item::Order(order) => items.orders.push(order),
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
        let meant = nearest(&zone.value, known.iter().map(String::as_str));
        findings.push(
            Finding::new(codes::UNKNOWN_ZONE, format!("there is no time zone `{}`", zone.value))
                .at(zone.span, "not a zone of the IANA database")
                .help(match meant {
                    Some(meant) => format!("did this mean \"{meant}\"?"),
                    None => "write an IANA name such as \"Europe/Berlin\"".to_owned(),
                }),
        );
        // The zone counts as named, so that what needs one is not reported as well.
        Some(zone.value.clone())
    }
}

fn once<'a, T>(
    slot: &mut Option<&'a T>,
    item: &'a T,
    word: &str,
    span: Span,
    first: impl Fn(&T) -> Span,
    findings: &mut Vec<Finding>,
) {
    match slot {
        None => *slot = Some(item),
        Some(earlier) => findings.push(
            Finding::new(codes::DUPLICATE_ITEM, format!("`{word}` stands twice"))
                .at(span, "the second one")
                .and_at(first(earlier), "the first one")
                .help("keep one of them"),
        ),
    }
}

fn named<'a>(
    names: &mut HashMap<(&'static str, &'a str), Span>,
    kind: &'static str,
    name: &'a Name,
    findings: &mut Vec<Finding>,
) -> bool {
    match names.get(&(kind, name.value.as_str())) {
        None => {
            names.insert((kind, name.value.as_str()), name.span);
            true
        }
        Some(first) => {
            let help = match kind {
                "map" => "give one of them another name: `map OBJECT -> OBJECT as NAME`",
                _ => "rename one of them",
            };
            findings.push(
                Finding::new(codes::DUPLICATE_ITEM, format!("{kind} `{}` stands twice", name.value))
                    .at(name.span, "the second one")
                    .and_at(*first, "the first one")
                    .help(help),
            );
            false
        }
    }
}
