//! What is loaded, swept and counted on its own: each map, and beside each map with notes the notes that go with it.
//!
//! A stream has a row in the books, a place in the journal and markers that no other stream has.

use crate::lang::plan::{self, Flatten, Plan, Split};
use crate::lang::types::{Base, Type};
use crate::run::workspace::{Side, Workspace};

use super::{Engine, Error, Result};

/// The destination object that notes are, and its fields in the order in which they are written.
pub(super) const NOTE: &str = "Note";
const NOTE_FIELDS: [&str; 2] = [PARENT, "body"];
/// The field that holds what a note goes with.
pub(super) const PARENT: &str = "parent";

/// Something that is loaded on its own.
pub(super) struct Stream {
    /// What the books and the journal call it.
    pub name: String,
    /// The destination object.
    pub target: String,
    /// The object whose staged records it loads.
    pub object: String,
    /// The map, by index: its own, or that of the records that its notes go with.
    pub map: usize,
    /// For notes: what an encoder is made of.
    pub notes: Option<plan::Map>,
}

/// All streams of a plan: one per map, in the plan's order, then the notes, those included that an earlier plan wrote
/// and this one has no rule for.
pub(super) fn streams(
    plan: &Plan,
    workspace: &Workspace,
) -> std::result::Result<Vec<Stream>, crate::run::workspace::Error> {
    let maps = plan.maps.iter().enumerate().map(|(index, map)| Stream {
        name: map.name.clone(),
        target: map.target.clone(),
        object: map.source.clone(),
        map: index,
        notes: None,
    });
    let mut noted = Vec::new();
    for (map, of) in plan.maps.iter().enumerate() {
        if has_notes(plan, map) || workspace.standing(&notes_of(&of.name))? > 0 {
            noted.push(map);
        }
    }
    let notes = noted.into_iter().map(|map| {
        let name = notes_of(&plan.maps[map].name);
        let target = |name: &&str| plan::Target {
            name: (*name).to_owned(),
            custom: false,
            ty: Type::one(Base::Text { max: None }),
        };
        let spec = plan::Map {
            name: name.clone(),
            source: name.clone(),
            target: NOTE.to_owned(),
            targets: NOTE_FIELDS.iter().map(target).collect(),
            ..plan::Map::default()
        };
        Stream { object: name.clone(), name, target: NOTE.to_owned(), map, notes: Some(spec) }
    });
    Ok(maps.chain(notes).collect())
}

fn has_notes(plan: &Plan, map: usize) -> bool {
    let folded = plan.flattens.iter().filter(|flatten| usize::from(flatten.into) == map);
    !plan.maps[map].notes.is_empty() || folded.into_iter().any(|flatten| !flatten.notes.is_empty())
}

/// What the books call the notes of a map.
pub(super) fn notes_of(map: &str) -> String {
    format!("notes of {map}")
}

/// What the books call a flatten.
pub(super) fn flatten_name(plan: &Plan, flatten: &Flatten) -> String {
    let into = plan.maps.get(usize::from(flatten.into)).map_or("", |map| map.name.as_str());
    format!("{} into {into}", flatten.source)
}

/// What the books call a split.
pub(super) fn split_name(split: &Split) -> String {
    format!("split {}", split.source)
}

/// The maps of a split, by index.
pub(super) fn maps_of_split(plan: &Plan, split: usize) -> impl Iterator<Item = usize> {
    let of = move |map: &plan::Map| map.split.map(usize::from) == Some(split);
    plan.maps.iter().enumerate().filter(move |(_, map)| of(map)).map(|(index, _)| index)
}

/// Destination objects by the rows of the books that write them: maps, and the notes that go with their records.
pub fn destinations(plan: &Plan) -> std::collections::BTreeMap<String, String> {
    streams(plan).into_iter().map(|stream| (stream.name, stream.target)).collect()
}

/// Every source object that a plan reads, once, in order of name.
pub fn objects(plan: &Plan) -> Vec<&str> {
    let maps = plan.maps.iter().map(|map| map.source.as_str());
    let folded = plan.flattens.iter().map(|flatten| flatten.source.as_str());
    let split = plan.splits.iter().map(|split| split.source.as_str());
    let all: std::collections::BTreeSet<&str> = maps.chain(folded).chain(split).collect();
    all.into_iter().collect()
}

/// How many source records a stream has, as far as it is known.
pub(super) fn records(
    plan: &Plan,
    workspace: &Workspace,
    stream: &Stream,
) -> std::result::Result<u64, crate::run::workspace::Error> {
    match plan.maps[stream.map].split {
        Some(_) if stream.notes.is_none() => workspace.routed(&stream.name),
        _ => workspace.staged(&stream.object),
    }
}

impl Engine<'_> {
    /// What all markers of this source begin with: the account that the workspace is bound to.
    pub(super) fn account_prefix(&self) -> Result<String> {
        Ok(format!("{}/", self.workspace.pinned(Side::Source)?.unwrap_or_default()))
    }

    /// What all markers of a map begin with.
    pub(super) fn marker_prefix(&self, map: usize) -> Result<String> {
        Ok(format!("{}{}/", self.account_prefix()?, self.plan.maps[map].source))
    }

    /// What the markers of a stream begin with; its keys follow.
    pub(super) fn stream_prefix(&self, stream: usize) -> Result<String> {
        let stream = &self.streams[stream];
        if stream.notes.is_some() { self.account_prefix() } else { self.marker_prefix(stream.map) }
    }

    /// Whether a record with this key behind the stream's prefix is one of the stream.
    ///
    /// Markers of notes hold a `#`, and the map's name behind it; no others do.
    pub(super) fn is_of(&self, stream: usize, key: &str) -> Result<bool> {
        let stream = &self.streams[stream];
        let map = &self.plan.maps[stream.map];
        if stream.notes.is_some() {
            let behind = key.split_once('#').map(|(_, behind)| behind);
            return Ok(behind
                .and_then(|behind| behind.strip_prefix(map.name.as_str()))
                .is_some_and(|rest| rest.starts_with('.')));
        }
        if key.contains('#') {
            return Ok(false);
        }
        // Several maps of a split may make the same kind of record of the same object: the route tells whose it is,
        // and what none of them was sent is the first one's to explain.
        let mut alike = self.alike(stream.map);
        let first = alike.next();
        if first.is_none() || self.workspace.is_routed(&map.name, &map.source, key)? {
            return Ok(true);
        }
        if first.is_some_and(|first| first < stream.map) {
            return Ok(false);
        }
        for other in first.into_iter().chain(alike) {
            if self.workspace.is_routed(&self.plan.maps[other].name, &map.source, key)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Other maps that make the same kind of record of the same object.
    fn alike(&self, map: usize) -> impl Iterator<Item = usize> {
        let (source, target) = (&self.plan.maps[map].source, &self.plan.maps[map].target);
        let maps = self.plan.maps.iter().enumerate();
        maps.filter(move |(other, o)| *other != map && o.source == *source && o.target == *target)
            .map(|(other, _)| other)
    }
}

/// Refuses what would give two records the same marker.
pub(super) fn refuse_ambiguous(plan: &Plan) -> Result<()> {
    for (index, map) in plan.maps.iter().enumerate() {
        let alike = |other: &&plan::Map| other.source == map.source && other.target == map.target;
        let Some(other) = plan.maps[..index].iter().find(alike) else { continue };
        let rows =
            map.split.and_then(|split| plan.splits.get(usize::from(split))).map(|split| match &split.how {
                plan::SplitHow::When(rows) => rows.iter().collect::<Vec<_>>(),
                plan::SplitHow::Value { rows, unseen, .. } => rows.values().chain([unseen]).collect(),
            });
        let number = |one: &plan::Map| {
            plan.maps.iter().position(|m| std::ptr::eq(m, one)).and_then(|at| u16::try_from(at).ok())
        };
        let together = |row: &&plan::SplitRow| match &row.to {
            plan::SplitTo::Maps(maps) => {
                [number(map), number(other)].iter().all(|n| n.is_some_and(|n| maps.contains(&n)))
            }
            _ => false,
        };
        if rows.is_none_or(|rows| rows.iter().any(together)) {
            // Markers tell source object and key: two such maps would take each other's records for doubles.
            return Err(Error::Plan(format!(
                "maps `{}` and `{}` both carry `{}` to `{}`; make them one map, or let a `split` send each record to \
                 one of them",
                other.name, map.name, map.source, map.target
            )));
        }
    }
    for (index, flatten) in plan.flattens.iter().enumerate() {
        let twice = |other: &Flatten| other.source == flatten.source && other.into == flatten.into;
        if plan.flattens[..index].iter().any(twice) {
            return Err(Error::Plan(format!(
                "`{}` is folded twice; make it one `flatten`",
                flatten_name(plan, flatten)
            )));
        }
    }
    Ok(())
}
