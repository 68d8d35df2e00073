//! Which part of one plan is which part of the other: by name, and where a name has no counterpart, by content.
//! Knows nothing of what changes mean.

use std::collections::{BTreeMap, HashMap};

use super::show::Scope;
use super::{Pair, Side};
use crate::lang::plan::{Map, Plan, Table, Target};
use crate::lang::schema::Schema;
use crate::lang::types::Base;

/// What numbers in a plan are called; equal parts of two plans have equal names here.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    pub maps: Vec<String>,
    pub tables: Vec<String>,
    pub functions: Vec<String>,
    pub targets: Vec<Vec<String>>,
}

impl Names {
    fn of(plan: &Plan) -> Self {
        let targets = |map: &Map| map.targets.iter().map(|target| target.name.clone()).collect();
        Names {
            maps: plan.maps.iter().map(|map| map.name.clone()).collect(),
            tables: plan.tables.iter().map(|table| table.name.clone()).collect(),
            functions: plan.functions.iter().map(|function| function.name.clone()).collect(),
            targets: plan.maps.iter().map(targets).collect(),
        }
    }

    pub fn target(&self, map: u16, target: u16) -> Option<String> {
        self.targets.get(usize::from(map))?.get(usize::from(target)).cloned()
    }
}

/// The parts of two plans side by side.
#[derive(Clone, Debug)]
pub(super) struct Matched {
    pub maps: Vec<Pair>,
    pub tables: Vec<Pair>,
    pub functions: Vec<Pair>,
    pub pipelines: Vec<Pair>,
    pub splits: Vec<Pair>,
    pub flattens: Vec<Pair>,
    /// The old plan's names, as the new plan calls the same things.
    pub old: Names,
    pub new: Names,
}

/// How alike two things without a counterpart must be to be the same under another name, in per cent.
const ALIKE: usize = 50;

impl Matched {
    pub fn of(old: Side<'_>, new: Side<'_>) -> Self {
        let own_old = Names::of(old.plan);
        let names_new = Names::of(new.plan);
        let tables = pairs(
            &old.plan.tables,
            &new.plan.tables,
            |table| table.name.clone(),
            |a, b| tables_alike(a, b, &own_old, &names_new),
        );
        let mut names_old = own_old;
        translate(&mut names_old.tables, &names_new.tables, &tables);
        let bodies = |plan: &Plan, names: &Names| -> Vec<String> {
            plan.functions
                .iter()
                .map(|f| format!("{} {}", f.params, names.expr(&f.body, Scope::of(None, None))))
                .collect()
        };
        let (old_bodies, new_bodies) = (bodies(old.plan, &names_old), bodies(new.plan, &names_new));
        let functions = pairs_at(
            old.plan.functions.len(),
            new.plan.functions.len(),
            |at| old.plan.functions[at].name.clone(),
            |at| new.plan.functions[at].name.clone(),
            |a, b| if old_bodies[a] == new_bodies[b] { 100 } else { 0 },
        );
        translate(&mut names_old.functions, &names_new.functions, &functions);
        let rules = |side: Side<'_>, names: &Names| -> Vec<BTreeMap<String, String>> {
            side.plan.maps.iter().map(|map| rules_of(map, side.source, names)).collect()
        };
        let maps = if old.plan.maps.iter().map(|m| &m.name).eq(new.plan.maps.iter().map(|m| &m.name)) {
            (0..old.plan.maps.len()).map(|at| Pair { old: Some(at), new: Some(at) }).collect()
        } else {
            let (old_rules, new_rules) = (rules(old, &names_old), rules(new, &names_new));
            pairs_at(
                old.plan.maps.len(),
                new.plan.maps.len(),
                |at| old.plan.maps[at].name.clone(),
                |at| new.plan.maps[at].name.clone(),
                |a, b| {
                    let (a_map, b_map) = (&old.plan.maps[a], &new.plan.maps[b]);
                    if (&a_map.source, &a_map.target) == (&b_map.source, &b_map.target) {
                        // The same way under another name, however much changed on it.
                        ALIKE + equal_entries(&old_rules[a], &new_rules[b]) / 2
                    } else {
                        0
                    }
                },
            )
        };
        translate(&mut names_old.maps, &names_new.maps, &maps);
        let pipelines = pairs(
            &old.plan.pipelines,
            &new.plan.pipelines,
            |pipeline| format!("{}\0{}", pipeline.object, pipeline.category),
            |_, _| 0,
        );
        let splits = pairs(&old.plan.splits, &new.plan.splits, |split| split.source.clone(), |_, _| 0);
        let into = |names: &Names, map: u16| names.maps.get(usize::from(map)).cloned().unwrap_or_default();
        let flattens = pairs_at(
            old.plan.flattens.len(),
            new.plan.flattens.len(),
            |at| {
                let flatten = &old.plan.flattens[at];
                format!("{}\0{}", flatten.source, into(&names_old, flatten.into))
            },
            |at| {
                let flatten = &new.plan.flattens[at];
                format!("{}\0{}", flatten.source, into(&names_new, flatten.into))
            },
            |_, _| 0,
        );
        Matched { maps, tables, functions, pipelines, splits, flattens, old: names_old, new: names_new }
    }
}

fn translate(old: &mut [String], new: &[String], pairs: &[Pair]) {
    for pair in pairs {
        if let Pair { old: Some(from), new: Some(to) } = pair {
            old[*from].clone_from(&new[*to]);
        }
    }
}

fn pairs<T>(old: &[T], new: &[T], key: impl Fn(&T) -> String, alike: impl Fn(&T, &T) -> usize) -> Vec<Pair> {
    pairs_at(old.len(), new.len(), |at| key(&old[at]), |at| key(&new[at]), |a, b| alike(&old[a], &new[b]))
}

/// Pairs what has the same key, then what is most alike among the rest; the new side's order, then what is gone.
pub(super) fn pairs_at(
    old: usize,
    new: usize,
    old_key: impl Fn(usize) -> String,
    new_key: impl Fn(usize) -> String,
    alike: impl Fn(usize, usize) -> usize,
) -> Vec<Pair> {
    let mut by_key: HashMap<String, usize> = HashMap::new();
    for at in 0..old {
        by_key.entry(old_key(at)).or_insert(at);
    }
    let mut to_old: Vec<Option<usize>> = (0..new).map(|at| by_key.remove(&new_key(at))).collect();
    let taken: std::collections::BTreeSet<usize> = to_old.iter().flatten().copied().collect();
    let mut left: Vec<usize> = (0..old).filter(|at| !taken.contains(at)).collect();
    if !left.is_empty() {
        let mut scores: Vec<(usize, usize, usize)> = Vec::new();
        for at in (0..new).filter(|at| to_old[*at].is_none()) {
            scores.extend(left.iter().map(|from| (alike(*from, at), *from, at)));
        }
        // The best first; of equals those that stand first.
        scores.sort_by_key(|(score, from, at)| (std::cmp::Reverse(*score), *from, *at));
        for (score, from, at) in scores {
            if score >= ALIKE && to_old[at].is_none() && left.contains(&from) {
                to_old[at] = Some(from);
                left.retain(|other| *other != from);
            }
        }
    }
    let mut all: Vec<Pair> =
        to_old.into_iter().enumerate().map(|(at, from)| Pair { old: from, new: Some(at) }).collect();
    all.extend(left.into_iter().map(|from| Pair { old: Some(from), new: None }));
    all
}

fn tables_alike(old: &Table, new: &Table, old_names: &Names, new_names: &Names) -> usize {
    let scope = Scope::of(None, None);
    let rows = |table: &Table, names: &Names| -> BTreeMap<String, String> {
        table.rows.iter().map(|(code, row)| (code.clone(), names.arm(&row.arm, scope))).collect()
    };
    equal_entries(&rows(old, old_names), &rows(new, new_names))
}

fn rules_of(map: &Map, schema: &Schema, names: &Names) -> BTreeMap<String, String> {
    let scope = Scope::of(schema.object(&map.source), Some(&map.reads));
    let target = |index: u16| map.targets.get(usize::from(index)).map(|t| t.name.clone()).unwrap_or_default();
    map.rules.iter().map(|rule| (target(rule.target), names.rule(rule, scope))).collect()
}

/// The share of entries that two maps have in common, in per cent.
fn equal_entries(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> usize {
    let equal = old.iter().filter(|(key, value)| new.get(*key) == Some(value)).count();
    100 * equal / old.len().max(new.len()).max(1)
}

/// Whether two custom fields have the same type; an enumeration bears its own field's name.
pub(super) fn same_type(old: (&Map, &Target), new: (&Map, &Target)) -> bool {
    let own = |(map, target): (&Map, &Target)| matches!(&target.ty.base, Base::Enum(name) if *name == format!("{}.{}", map.target, target.name));
    let (a, b) = (&old.1.ty, &new.1.ty);
    (a.many, a.optional) == (b.many, b.optional) && (a.base == b.base || (own(old) && own(new)))
}
