//! Exact counts: both programs' outcomes for every record, compared field by field. Reads no records itself.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::names::{Matched, pairs_at};
use super::show::Scope;
use super::{Change, Diff, Pair, Side, Subject};
use crate::lang::eval::{Outcome, Output, RuleId};
use crate::lang::plan::{Map, Plan};
use crate::lang::value::{Record, RefValue, Value};

/// How many records come out otherwise, and one of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// Records.
    pub records: u64,
    /// The first of them.
    pub witness: Option<Witness>,
}

/// A record that comes out otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Witness {
    /// Its source object.
    pub object: String,
    /// Its key.
    pub key: String,
    /// What comes out by the old plan. May hold personal data.
    pub old: String,
    /// What comes out by the new plan. May hold personal data.
    pub new: String,
}

/// Records of a map in which one destination field comes out otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Moved {
    /// The map, as the new plan calls it.
    pub map: String,
    /// The destination field; empty where the record as a whole comes out otherwise.
    pub field: String,
    /// How many.
    pub seen: Seen,
}

/// Gathers what both plans make of records.
#[derive(Debug)]
pub struct Exact<'a> {
    old: Side<'a>,
    new: Side<'a>,
    matched: Matched,
    maps: HashMap<Pair, PairState>,
    /// By map and field.
    moved: BTreeMap<(Pair, String), Seen>,
    changes: Vec<Seen>,
    only: Vec<Subject>,
}

#[derive(Debug, Default)]
struct PairState {
    /// The destination fields side by side.
    targets: Vec<Pair>,
    /// Changes that may touch its records, with what each looks at.
    touches: Vec<Looked>,
}

#[derive(Debug)]
struct Looked {
    change: usize,
    target: Option<String>,
    /// Slots in the new record (or the old one where the map is gone), and the codes.
    only: Vec<(usize, String)>,
    in_new: bool,
}

impl<'a> Exact<'a> {
    /// Begins with no records.
    pub fn new(old: Side<'a>, new: Side<'a>, diff: &Diff) -> Self {
        let matched = Matched::of(old, new);
        let mut maps: HashMap<Pair, PairState> = HashMap::new();
        for pair in &diff.maps {
            let targets = targets(old, new, &matched, *pair);
            maps.insert(*pair, PairState { targets, touches: Vec::new() });
        }
        for (at, Change { touches, .. }) in diff.changes.iter().enumerate() {
            for touch in touches {
                let Some(state) = maps.get_mut(&touch.map) else { continue };
                let in_new = touch.map.new.is_some();
                let source = match touch.map {
                    Pair { new: Some(map), .. } => new.source.object(&new.plan.maps[map].source),
                    Pair { old: Some(map), .. } => old.source.object(&old.plan.maps[map].source),
                    Pair { .. } => None,
                };
                let slots = touch.only.iter().map(|(field, code)| Some((source?.slot(field)?, code.clone())));
                let Some(only) = slots.collect::<Option<Vec<_>>>() else { continue };
                state.touches.push(Looked { change: at, target: touch.target.clone(), only, in_new });
            }
        }
        Exact {
            old,
            new,
            matched,
            maps,
            moved: BTreeMap::new(),
            changes: vec![Seen::default(); diff.changes.len()],
            only: diff.changes.iter().map(|change| change.subject).collect(),
        }
    }

    /// Takes in what both plans make of one record; `None` for a plan that has no such map or sends the record
    /// elsewhere.
    pub fn record(
        &mut self,
        pair: Pair,
        key: &str,
        old: Option<(&Record, &Outcome)>,
        new: Option<(&Record, &Outcome)>,
    ) {
        let Some(state) = self.maps.get(&pair) else { return };
        let object = match pair {
            Pair { new: Some(map), .. } => &self.new.plan.maps[map].source,
            Pair { old: Some(map), .. } => &self.old.plan.maps[map].source,
            Pair { .. } => return,
        };
        let old_map = pair.old.map(|map| &self.old.plan.maps[map]);
        let new_map = pair.new.map(|map| &self.new.plan.maps[map]);
        let (was, is) = (old.map(|(_, outcome)| outcome), new.map(|(_, outcome)| outcome));
        let mut fields: BTreeSet<String> = BTreeSet::new();
        // Why a record is left out stands in reports, in the words of the spec.
        let reasons_differ = match (was, is) {
            (Some(Outcome::LeftOut { reason: a, .. }), Some(Outcome::LeftOut { reason: b, .. })) => a != b,
            _ => false,
        };
        let whole = kind(was) != kind(is) || reasons_differ;
        // `where` speaks before any rule does.
        let filtered = |outcome: Option<&Outcome>, map: Option<&Map>| {
            let filter = map.and_then(|map| map.filter.as_ref());
            match outcome {
                Some(Outcome::LeftOut { line, .. }) => filter.is_some_and(|filter| filter.line == *line),
                Some(Outcome::Quarantined { rule, .. } | Outcome::Stopped { rule, .. }) => rule.is_none(),
                _ => false,
            }
        };
        let by_filter = whole && (filtered(was, old_map) || filtered(is, new_map));
        let mut witness = |field: &str, old: String, new: String| {
            let seen = self.moved.entry((pair, field.to_owned())).or_default();
            seen.records += 1;
            if seen.witness.is_none() {
                seen.witness = Some(Witness { object: object.clone(), key: key.to_owned(), old, new });
            }
        };
        if whole {
            witness("", words(was), words(is));
            // The rule that held the record back is the one that is concerned.
            for (outcome, plan, map) in [(was, self.old.plan, pair.old), (is, self.new.plan, pair.new)] {
                if let (Some(Outcome::Quarantined { rule, .. } | Outcome::Stopped { rule, .. }), Some(map)) =
                    (outcome, map)
                    && let Some(target) = rule.and_then(|rule| rule.target(plan, map))
                {
                    fields.insert(target);
                }
            }
        } else if let (Some(Outcome::Record(was)), Some(Outcome::Record(is))) = (was, is) {
            let (Some(old_map), Some(new_map)) = (old_map, new_map) else { return };
            for target in &state.targets {
                let a = target.old.and_then(|at| was.values.get(at)).unwrap_or(&Value::Absent);
                let b = target.new.and_then(|at| is.values.get(at)).unwrap_or(&Value::Absent);
                let flagged = |output: &Output, plan: &Plan, map: Option<usize>, at: Option<usize>| {
                    let of = |flag: &&crate::lang::eval::Flag| {
                        let rule = map.and_then(|map| flag.rule.find(plan, map)).filter(|_| !flag.rule.note);
                        rule.is_some_and(|rule| Some(usize::from(rule.target)) == at)
                    };
                    let flags = output.flags.iter().filter(of);
                    flags.map(|flag| flag.why.to_string()).collect::<Vec<String>>()
                };
                let flags = (
                    flagged(was, self.old.plan, pair.old, target.old),
                    flagged(is, self.new.plan, pair.new, target.new),
                );
                if self.matched.same(a, b) && flags.0 == flags.1 {
                    continue;
                }
                let Some(name) = target
                    .new
                    .map(|at| &new_map.targets[at].name)
                    .or_else(|| target.old.map(|at| &old_map.targets[at].name))
                else {
                    continue;
                };
                let shown = |value: &Value, flags: &[String]| {
                    let flags: String = flags.iter().map(|why| format!(" (flag: {why})")).collect();
                    if value.is_absent() {
                        format!("nothing{flags}")
                    } else {
                        format!("{}{flags}", value.display())
                    }
                };
                witness(name, shown(a, &flags.0), shown(b, &flags.1));
                fields.insert(name.clone());
            }
        }
        if let (Some(Outcome::Record(was)), Some(Outcome::Record(is))) = (was, is) {
            let (a, b) = (notes(was, self.old.plan, pair.old), notes(is, self.new.plan, pair.new));
            for name in a.keys().chain(b.keys().filter(|name| !a.contains_key(*name))) {
                let (old, new) = (a.get(name), b.get(name));
                if old != new {
                    let shown = |notes: Option<&Vec<String>>| {
                        notes.map_or_else(|| "nothing".to_owned(), |notes| notes.join("; "))
                    };
                    witness(name, shown(old), shown(new));
                    fields.insert(name.clone());
                }
            }
        }
        if !whole && fields.is_empty() {
            return;
        }
        let mut counted: BTreeSet<usize> = BTreeSet::new();
        for looked in &state.touches {
            let record = if looked.in_new { new.or(old) } else { old };
            let Some((record, _)) = record else { continue };
            let holds =
                looked.only.iter().all(|(slot, code)| record.get(*slot).is_some_and(|v| holds(v, code)));
            let filter = self.only.get(looked.change) == Some(&Subject::Filter);
            let concerned = match &looked.target {
                None if filter => by_filter,
                None => whole,
                Some(target) if fields.contains(target) => true,
                // An element or record that a row leaves out: the codes tell which row it was.
                Some(_) => whole && !by_filter && fields.is_empty() && !looked.only.is_empty(),
            };
            if holds && concerned && counted.insert(looked.change) {
                let seen = &mut self.changes[looked.change];
                seen.records += 1;
                if seen.witness.is_none() {
                    let (old, new) = looked
                        .target
                        .as_ref()
                        .and_then(|target| {
                            let moved = self.moved.get(&(pair, target.clone()))?.witness.as_ref()?;
                            (moved.key == key).then(|| (moved.old.clone(), moved.new.clone()))
                        })
                        .unwrap_or_else(|| (words(was), words(is)));
                    seen.witness = Some(Witness { object: object.clone(), key: key.to_owned(), old, new });
                }
            }
        }
    }

    /// What was counted: per change of the diff, in its order, where records tell; and per map and destination field.
    pub fn finish(self) -> (Vec<Seen>, Vec<Moved>) {
        let name = |pair: &Pair| match pair {
            Pair { new: Some(map), .. } => self.new.plan.maps[*map].name.clone(),
            Pair { old: Some(map), .. } => self.old.plan.maps[*map].name.clone(),
            Pair { .. } => String::new(),
        };
        let moved = self
            .moved
            .iter()
            .map(|((pair, field), seen)| Moved { map: name(pair), field: field.clone(), seen: seen.clone() })
            .collect();
        (self.changes, moved)
    }
}

impl Matched {
    /// Whether two values are the same, whatever numbers the plans give their maps.
    fn same(&self, old: &Value, new: &Value) -> bool {
        match (old, new) {
            (Value::Ref(a), Value::Ref(b)) => self.same_link(a, b),
            (Value::Item(a), Value::Item(b)) => {
                self.same(&a.value, &b.value)
                    && a.attrs.len() == b.attrs.len()
                    && a.attrs.iter().zip(&b.attrs).all(|(a, b)| self.same(a, b))
            }
            (Value::List(a), Value::List(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| self.same(a, b))
            }
            (a, b) => a == b,
        }
    }

    fn same_link(&self, a: &RefValue, b: &RefValue) -> bool {
        let names = |names: &[String], link: &RefValue| -> Vec<String> {
            let all = std::iter::once(link.map).chain(link.others.iter().copied());
            all.map(|map| names.get(usize::from(map)).cloned().unwrap_or_default()).collect()
        };
        let targets = |names: &super::names::Names, link: &RefValue| -> Option<Vec<Option<String>>> {
            let maps = std::iter::once(link.map).chain(link.others.iter().copied());
            let fields = link.field.as_ref()?;
            Some(maps.zip(fields).map(|(map, target)| names.target(map, *target)).collect())
        };
        a.key == b.key
            && names(&self.old.maps, a) == names(&self.new.maps, b)
            && targets(&self.old, a) == targets(&self.new, b)
    }
}

/// Destination fields of a map side by side: by name, and custom fields under another label by what they are made of.
fn targets(old: Side<'_>, new: Side<'_>, matched: &Matched, pair: Pair) -> Vec<Pair> {
    let (Some(old_map), Some(new_map)) =
        (pair.old.map(|at| &old.plan.maps[at]), pair.new.map(|at| &new.plan.maps[at]))
    else {
        return Vec::new();
    };
    let key = |map: &Map, at: usize| format!("{}\0{}", map.targets[at].custom, map.targets[at].name);
    let made = |side: Side<'_>, map: &Map, names: &super::names::Names, at: usize| {
        let scope = Scope::of(side.source.object(&map.source), Some(&map.reads));
        let rule = map.rules.iter().find(|rule| usize::from(rule.target) == at);
        rule.map(|rule| names.expr(&rule.value, scope))
    };
    pairs_at(
        old_map.targets.len(),
        new_map.targets.len(),
        |at| key(old_map, at),
        |at| key(new_map, at),
        |a, b| {
            let (x, y) = (&old_map.targets[a], &new_map.targets[b]);
            let same = x.custom && y.custom && super::names::same_type((old_map, x), (new_map, y)) && {
                let was = made(old, old_map, &matched.old, a);
                was.is_some() && was == made(new, new_map, &matched.new, b)
            };
            if same { 100 } else { 0 }
        },
    )
}

/// Notes of a record by name: child, title and body of each.
fn notes(output: &Output, plan: &Plan, map: Option<usize>) -> BTreeMap<String, Vec<String>> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for note in &output.notes {
        let id = RuleId { flatten: note.note.flatten, note: true, rule: note.note.note };
        let name = map.and_then(|map| id.target(plan, map)).unwrap_or_default();
        let child = note.child.as_ref().map(|child| format!("{child} ")).unwrap_or_default();
        all.entry(name).or_default().push(format!("{child}{}: {}", note.title, note.body));
    }
    all
}

fn holds(value: &Value, code: &str) -> bool {
    match value {
        Value::Text(text) => text == code,
        Value::Bool(yes) => yes.to_string() == code,
        Value::Item(item) => holds(&item.value, code),
        Value::List(values) => values.iter().any(|value| holds(value, code)),
        _ => false,
    }
}

fn kind(outcome: Option<&Outcome>) -> &'static str {
    match outcome {
        None => "not mapped",
        Some(Outcome::Record(_)) => "written",
        Some(Outcome::LeftOut { .. }) => "left out",
        Some(Outcome::Quarantined { .. }) => "quarantined",
        Some(Outcome::Stopped { .. }) => "stops the run",
    }
}

fn words(outcome: Option<&Outcome>) -> String {
    let reason = match outcome {
        Some(
            Outcome::LeftOut { reason, .. }
            | Outcome::Quarantined { reason, .. }
            | Outcome::Stopped { reason, .. },
        ) => Some(reason),
        _ => None,
    };
    match reason {
        Some(reason) => format!("{}: {reason}", kind(outcome)),
        None => kind(outcome).to_owned(),
    }
}
