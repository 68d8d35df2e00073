//! Objects: which of the destination's a source object becomes, or which other it is folded into.

use super::score::{self, likeness};
use super::spell::{bare, fresh};
use super::{MapName, parts};
use crate::lang::schema::{Field, Object, Pipeline, Schema, Write};
use crate::lang::types::Base;

use std::collections::BTreeSet;

/// Below this a destination object is no counterpart.
const ENOUGH: f64 = 0.5;

/// What becomes of a source object.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// A map of its own.
    Map(MapName),
    /// Folded into a map, along a link.
    Fold {
        /// The source object.
        from: String,
        /// The map's name.
        into: String,
        /// The field that links to it.
        via: String,
    },
    /// No place.
    None(String),
}

/// The fate of every source object that has records, or whose records nobody counted.
pub fn fates(source: &Schema, target: &Schema) -> Vec<Fate> {
    let mut taken: BTreeSet<String> = source.objects.iter().map(|object| object.name.clone()).collect();
    let mut fates = Vec::new();
    let mut left = Vec::new();
    for object in source.objects.iter().filter(|object| object.records != Some(0)) {
        let best = target
            .objects
            .iter()
            .filter(|to| to.creatable && to.fields.iter().any(|f| f.write == Write::Yes));
        let best = best
            .map(|to| (counterpart(source, target, object, to), to))
            .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.name.cmp(&a.1.name)));
        match best {
            Some((score, to)) if score >= ENOUGH && super::rules::key(object).is_some() => {
                let alias = !bare(&object.name);
                let about = object.title.as_deref().unwrap_or(&object.name);
                let name = if alias { fresh(about, &mut taken) } else { object.name.clone() };
                fates.push(Fate::Map(MapName {
                    from: object.name.clone(),
                    to: to.name.clone(),
                    name,
                    alias,
                }));
            }
            _ => left.push(object),
        }
    }
    for person in persons(source, target, &fates, &mut taken) {
        let at = fates.iter().position(|fate| matches!(fate, Fate::Map(map) if map.from == person.from));
        fates.insert(at.unwrap_or(0), Fate::Map(person));
    }
    let maps: Vec<MapName> = fates
        .iter()
        .filter_map(|fate| match fate {
            Fate::Map(map) => Some(map.clone()),
            _ => None,
        })
        .collect();
    for object in left {
        fates.push(match fold(source, object, &maps) {
            Some((into, via)) => Fate::Fold { from: object.name.clone(), into, via },
            None => Fate::None(object.name.clone()),
        });
    }
    fates
}

/// Maps for the people that some records carry inside them, such as a lead's: the destination keeps people apart, and
/// lets the record point to them.
fn persons(source: &Schema, target: &Schema, fates: &[Fate], taken: &mut BTreeSet<String>) -> Vec<MapName> {
    let mut all = Vec::new();
    for fate in fates {
        let Fate::Map(map) = fate else { continue };
        let (Some(from), Some(to)) = (source.object(&map.from), target.object(&map.to)) else { continue };
        let person = target.objects.iter().find(|person| {
            let named = |field: &Field| field.ty.base == Base::PersonName && field.required;
            let leads = |field: &Field| match &field.ty.base {
                Base::Ref(object) => *object == person.name,
                _ => false,
            };
            person.name != to.name
                && person.creatable
                && person.fields.iter().any(named)
                && to.fields.iter().any(|field| field.write == Write::Yes && leads(field))
        });
        if let Some(person) = person
            && parts::named(from).is_some()
        {
            all.push(MapName {
                from: map.from.clone(),
                to: person.name.clone(),
                name: fresh(&format!("{} person", map.name), taken),
                alias: true,
            });
        }
    }
    all
}

/// How likely it is that records of one become records of the other: half names, half shape. A source that has stages
/// and amounts is one of sales, whatever its name.
fn counterpart(source: &Schema, target: &Schema, object: &Object, to: &Object) -> f64 {
    let name = likeness((&object.name, object.title.as_deref()), (&to.name, to.title.as_deref()));
    // What is worked on goes through several stages; a thing that is kept track of has a state or two.
    let going = |p: &Pipeline| p.stages.iter().filter(|stage| stage.ends.is_none()).count();
    let pipelines = || source.pipelines.iter().filter(|p| p.object == object.name);
    let staged = pipelines().any(|p| going(p) > 2) || name > 0.8 && pipelines().next().is_some();
    let wants = target.pipelines.iter().any(|p| p.object == to.name);
    let required: Vec<_> =
        to.fields.iter().filter(|field| field.required && field.write == Write::Yes).collect();
    let filled = required
        .iter()
        .filter(|field| object.fields.iter().any(|from| score::fit(&from.ty, &field.ty) > 0.0))
        .count();
    let shape = if required.is_empty() { 0.5 } else { filled as f64 / required.len() as f64 };
    match (staged, wants) {
        (true, true) => 0.4 * name.max(0.6) + 0.6 * shape,
        // A destination with stages takes nothing that has none.
        (false, true) => 0.3 * name,
        _ if name < 0.4 => 0.5 * name,
        _ => 0.6 * name + 0.4 * shape,
    }
}

/// The map that an object's records hang on, and the field that says to which.
fn fold(source: &Schema, object: &Object, maps: &[MapName]) -> Option<(String, String)> {
    let links = object.fields.iter().filter(|field| !field.ty.many).filter_map(|field| {
        let Base::Link(to) = &field.ty.base else { return None };
        // The last of maps that share a source is the one that the object itself becomes.
        let map = maps.iter().rfind(|map| map.from == *to)?;
        let filled = field.stats.as_ref().map_or(0, |stats| stats.filled);
        let parent = field.name.to_ascii_uppercase().starts_with("PARENT");
        let staged = source.pipelines.iter().any(|pipeline| pipeline.object == *to);
        // Where most records have a link at all, what is worked on takes them in rather than whom it is for.
        let most = object.records.is_none_or(|records| filled * 2 >= records);
        Some(((most, parent, staged, filled), map.name.clone(), field.name.clone()))
    });
    // The first of equals.
    let best = links.rev().max_by_key(|(rank, ..)| *rank);
    best.map(|(_, map, via)| (map, via))
}
