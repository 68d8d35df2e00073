//! What can be said of two versions of which one does not check: the items that they have, by name.

use std::collections::BTreeSet;

use super::Action;
use crate::lang::syntax::ast::{Item, Spec};

/// Items that only one of two trees has: what happened, and which, such as `map deal`.
pub fn outline(old: &Spec, new: &Spec) -> Vec<(Action, String)> {
    let names = |spec: &Spec| -> BTreeSet<String> { spec.items.iter().filter_map(name).collect() };
    let (old, new) = (names(old), names(new));
    let added = new.difference(&old).map(|name| (Action::Added, name.clone()));
    let removed = old.difference(&new).map(|name| (Action::Removed, name.clone()));
    added.chain(removed).collect()
}

fn name(item: &Item) -> Option<String> {
    Some(match item {
        Item::Table(table) => format!("table {}", table.name.value),
        Item::Pipeline(pipeline) => format!("pipeline {}", pipeline.name.value),
        Item::Map(map) => format!("map {}", map.name().value),
        Item::Function(function) => format!("fn {}", function.name.value),
        Item::Split(split) => format!("split {}", split.source.name.value),
        Item::Flatten(flatten) => format!("flatten {}", flatten.source.name.value),
        Item::Fixture(fixture) => format!("fixture {}", fixture.name.value),
        Item::Test(test) => format!("test \"{}\"", test.name.value),
        _ => return None,
    })
}
