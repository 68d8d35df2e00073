//! Rows of value tables, and functions: what rules use.

use std::collections::{BTreeMap, BTreeSet};

use super::bounds::{Bounds, Tally, Use, lookups};
use super::compare::{Context, Draft, instead, scope_of, scope_of_flatten};
use super::show::{Scope, quoted};
use super::{Action, Loss, Pair, Side, Subject, Touch, loss};
use crate::lang::plan::{Arm, Expr, Rule, Table, walk};
use crate::lang::types::Base;

/// A rule with where it stands.
pub(super) struct Place<'a> {
    pub rule: &'a Rule,
    pub scope: Scope<'a>,
    pub object: &'a str,
    /// The map that it writes, and the destination field.
    pub map: usize,
    pub target: String,
    pub taken: Option<Bounds>,
}

/// How a code reaches a table.
struct Reach {
    map: Pair,
    target: String,
    object: String,
    /// The source field that holds the code, where it is one.
    field: Option<String>,
    /// Whether the object is folded into the map's.
    folded: bool,
    /// Whether records with the code surely come out otherwise: nothing else decides.
    sure: bool,
    taken: Option<Bounds>,
    high: Option<Bounds>,
}

impl<'a> Context<'a> {
    /// Every rule of one side.
    pub(super) fn places(&self, side: Side<'a>) -> Vec<Place<'a>> {
        let mut all = Vec::new();
        for (index, map) in side.plan.maps.iter().enumerate() {
            let taken = self.population(&map.source).map(|population| population.taken(side, map));
            let scope = scope_of(side, map);
            let notes = map.notes.iter().map(|note| (&note.rule, format!("note \"{}\"", note.name)));
            let rules = map.rules.iter().map(|rule| {
                let name = map.targets.get(usize::from(rule.target)).map(|target| target.name.clone());
                (rule, name.unwrap_or_default())
            });
            all.extend(rules.chain(notes).map(|(rule, target)| Place {
                rule,
                scope,
                object: &map.source,
                map: index,
                target,
                taken,
            }));
        }
        for flatten in &side.plan.flattens {
            let scope = scope_of_flatten(side, flatten);
            let taken = self.population(&flatten.source).map(|population| population.everything());
            let into = usize::from(flatten.into);
            let targets = side.plan.maps.get(into).map_or(&[][..], |map| &map.targets);
            let notes = flatten.notes.iter().map(|note| (&note.rule, format!("note \"{}\"", note.name)));
            let rules = flatten.rules.iter().map(|rule| {
                let name = targets.get(usize::from(rule.target)).map(|target| target.name.clone());
                (rule, name.unwrap_or_default())
            });
            all.extend(rules.chain(notes).map(|(rule, target)| Place {
                rule,
                scope,
                object: &flatten.source,
                map: into,
                target,
                taken,
            }));
        }
        all
    }

    fn pair_in(&self, new: bool, map: usize) -> Pair {
        if new { self.pair_of_new(map) } else { self.pair_of_old(map) }
    }

    /// Every way in which a table is used on one side.
    fn reaches(&self, places: &[Place<'a>], new: bool, table: usize) -> Vec<Reach> {
        let mut all = Vec::new();
        for place in places {
            let mut direct = Vec::new();
            lookups(&place.rule.value, table, None, &mut direct);
            let mut aside: Vec<Use<'_>> = Vec::new();
            walk::of_rule(place.rule, &mut |expr| {
                if !std::ptr::eq(expr, &raw const place.rule.value) {
                    let list = place.rule.label.as_ref().map(|_| &place.rule.value);
                    lookups(expr, table, list, &mut aside);
                }
            });
            let population = self.population(place.object);
            let sides =
                direct.into_iter().map(|one| (one, true)).chain(aside.into_iter().map(|one| (one, false)));
            for (used, in_value) in sides {
                let field = match (used.key, used.list) {
                    (Expr::Slot(slot), _) => Some(place.scope.slot(*slot)),
                    (Expr::Element, Some(Expr::Slot(slot))) => Some(place.scope.slot(*slot)),
                    _ => None,
                };
                let straight = matches!(&place.rule.value, Expr::Lookup { .. })
                    || matches!(&place.rule.value, Expr::Each { body, .. } if matches!(**body, Expr::Lookup { .. }));
                let scope = used
                    .list
                    .map_or(place.scope, |list| Scope { list: super::show::slot_of(list), ..place.scope });
                let high =
                    population.map(|p| Bounds::up_to(p.presence(used.list.unwrap_or(used.key), scope).high));
                all.push(Reach {
                    map: self.pair_in(new, place.map),
                    target: place.target.clone(),
                    object: place.object.to_owned(),
                    folded: place.scope.outer.is_some(),
                    field,
                    sure: in_value && straight && place.rule.when.is_none(),
                    taken: place.taken,
                    high,
                });
            }
        }
        all
    }

    pub(super) fn tables(&mut self) {
        if self.old.plan.tables.is_empty() && self.new.plan.tables.is_empty() {
            return;
        }
        let (old_places, new_places) = (self.places(self.old), self.places(self.new));
        for pair in self.matched.tables.clone() {
            let old = pair.old.map(|at| &self.old.plan.tables[at]);
            let new = pair.new.map(|at| &self.new.plan.tables[at]);
            let Some(table) = new.or(old) else { continue };
            let id = format!("table {}", table.name);
            let (at_old, at_new) =
                (old.and_then(|t| self.at_old(t.line)), new.and_then(|t| self.at_new(t.line)));
            match (old, new) {
                (Some(old), Some(new)) => {
                    if old.name != new.name {
                        let what = format!("table `{}` is now called `{}`", old.name, new.name);
                        self.note(Subject::Table, Action::Renamed, id, what, (at_old, at_new));
                    }
                    self.table(pair, old, new, &old_places, &new_places);
                }
                // What uses it is told with its rules.
                (None, Some(new)) => {
                    let what = format!("table `{}` is new, with {} rows", new.name, new.rows.len());
                    self.note(Subject::Table, Action::Added, id, what, (None, at_new));
                }
                (Some(old), None) => {
                    let what = format!("table `{}` is gone", old.name);
                    self.note(Subject::Table, Action::Removed, id, what, (at_old, None));
                }
                (None, None) => {}
            }
        }
    }

    fn table(&mut self, pair: Pair, old: &'a Table, new: &'a Table, was: &[Place<'a>], is: &[Place<'a>]) {
        let scope = Scope::of(None, None);
        let words = |arm: &Arm, names: &super::names::Names| names.arm(arm, scope);
        let codes: BTreeSet<&String> = old.rows.keys().chain(new.rows.keys()).collect();
        let mut changed: Vec<(Option<&String>, &Arm, &Arm, u32, u32)> = Vec::new();
        for code in codes {
            // A code without a row takes the row for unseen values.
            let (a, b) = (old.rows.get(code), new.rows.get(code));
            let (old_arm, new_arm) =
                (a.map_or(&old.unseen, |row| &row.arm), b.map_or(&new.unseen, |row| &row.arm));
            if words(old_arm, &self.matched.old) == words(new_arm, &self.matched.new)
                && a.is_some() == b.is_some()
            {
                continue;
            }
            changed.push((
                Some(code),
                old_arm,
                new_arm,
                a.map_or(0, |row| row.line),
                b.map_or(0, |row| row.line),
            ));
        }
        if words(&old.unseen, &self.matched.old) != words(&new.unseen, &self.matched.new) {
            changed.push((None, &old.unseen, &new.unseen, old.line, new.line));
        }
        self.row_reasons(Subject::Table, &old.name, &new.name);
        let unseen_at = self.unseen_places(&old.name, &new.name);
        if changed.is_empty() {
            return;
        }
        let reaches = match pair.new {
            Some(at) => self.reaches(is, true, at),
            None => self.reaches(was, false, pair.old.unwrap_or_default()),
        };
        let shared = |table: &'a Table, names: &super::names::Names| -> BTreeMap<String, usize> {
            let mut counts = BTreeMap::new();
            table.rows.values().for_each(|row| *counts.entry(words(&row.arm, names)).or_insert(0) += 1);
            counts
        };
        let (old_shared, new_shared) = (shared(old, &self.matched.old), shared(new, &self.matched.new));
        for (code, old_arm, new_arm, old_line, new_line) in changed {
            let (a, b) = (words(old_arm, &self.matched.old), words(new_arm, &self.matched.new));
            let (row_old, row_new) = (old_line > 0, new_line > 0);
            let code_words = self.coded(code, &reaches);
            let what = match (code, row_old, row_new) {
                (Some(_), false, true) if a == b => {
                    format!("table `{}` has a row for {code_words} now", new.name)
                }
                (Some(_), true, false) if a == b => {
                    format!("table `{}` has no row for {code_words} now", new.name)
                }
                _ => format!("table `{}`: {code_words} gives {}", new.name, instead(&b, &a)),
            };
            let merged = |shared: &BTreeMap<String, usize>, words: &str, arm: &Arm| {
                matches!(arm, Arm::Value { .. }) && shared.get(words).is_some_and(|n| *n > 1)
            };
            let loss = loss::by(loss::arm(old_arm), loss::arm(new_arm))
                .and(loss::by(merged(&old_shared, &a, old_arm), merged(&new_shared, &b, new_arm)));
            let rows = |code: &str| old.rows.contains_key(code) || new.rows.contains_key(code);
            let touches = touches(&reaches, code);
            let same = a == b;
            let tally = self.rows_tally(&reaches, code, same, &rows);
            let draft = Draft {
                subject: Subject::Table,
                action: action(row_old, row_new),
                id: format!("table {} {}", new.name, code.map_or("_ unseen".to_owned(), |code| quoted(code))),
                what,
                loss,
                old: unseen_at.0.clone().filter(|_| code.is_none()).or(self.at_old(old_line)),
                new: unseen_at.1.clone().filter(|_| code.is_none()).or(self.at_new(new_line)),
                touches,
            };
            self.push_counted(draft, tally);
        }
    }

    /// Records that hold a code, over every use of a table.
    fn rows_tally(
        &self,
        reaches: &[Reach],
        code: Option<&String>,
        same: bool,
        listed: &dyn Fn(&str) -> bool,
    ) -> Tally<'a> {
        let mut tally = Tally::default();
        let mut seen = BTreeSet::new();
        for reach in reaches {
            let population = self.population(&reach.object);
            // The same field of the same map reaches the same records.
            if !seen.insert((reach.map, reach.field.clone(), reach.sure)) && reach.field.is_some() {
                continue;
            }
            let bounds = population.map(|p| {
                if same {
                    return Bounds::NONE;
                }
                let held = match (&reach.field, code) {
                    (Some(field), Some(code)) => p.holding(field, code),
                    (Some(field), None) => p.outside(field, listed),
                    (None, _) => reach.high.unwrap_or(p.anything()),
                };
                let held = p.and(reach.taken.unwrap_or(p.anything()), held);
                if reach.sure && reach.field.is_some() { held } else { Bounds::up_to(held.high) }
            });
            tally.add(&reach.object, population, bounds.unwrap_or(Bounds::NONE));
        }
        tally
    }

    /// A code with its title, as rules that use it know it.
    fn coded(&self, code: Option<&String>, reaches: &[Reach]) -> String {
        let Some(code) = code else { return "`_ unseen`".to_owned() };
        let title = reaches.iter().find_map(|reach| {
            [self.new.source, self.old.source].into_iter().find_map(|schema| {
                let field = schema.object(&reach.object)?.field(reach.field.as_ref()?)?;
                let Base::Enum(domain) = &field.ty.base else { return None };
                let choices = &schema.domains.get(domain)?.choices;
                choices.iter().find(|choice| choice.code == *code)?.title.clone()
            })
        });
        titled(code, title.as_deref())
    }

    pub(super) fn functions(&mut self) {
        let scope = Scope::of(None, None);
        for pair in self.matched.functions.clone() {
            let old = pair.old.map(|at| &self.old.plan.functions[at]);
            let new = pair.new.map(|at| &self.new.plan.functions[at]);
            let Some(function) = new.or(old) else { continue };
            let id = format!("fn {}", function.name);
            let at = (old.and_then(|f| self.at_old(f.line)), new.and_then(|f| self.at_new(f.line)));
            match (old, new) {
                (Some(old), Some(new)) => {
                    if old.name != new.name {
                        let what = format!("function `{}` is now called `{}`", old.name, new.name);
                        self.note(Subject::Function, Action::Renamed, id.clone(), what, at.clone());
                    }
                    let (was, is) =
                        (self.matched.old.expr(&old.body, scope), self.matched.new.expr(&new.body, scope));
                    if was == is && old.params == new.params {
                        continue;
                    }
                    let what = format!("function `{}` gives {}", new.name, instead(&is, &was));
                    let (tally, touches) = self.calls(pair.new.unwrap_or_default());
                    let draft = Draft {
                        subject: Subject::Function,
                        action: Action::Changed,
                        id,
                        what,
                        loss: Loss::Same,
                        old: at.0,
                        new: at.1,
                        touches,
                    };
                    self.push_counted(draft, tally);
                }
                (None, Some(_)) => {
                    let what = format!("function `{}` is new", function.name);
                    self.note(Subject::Function, Action::Added, id, what, at);
                }
                _ => {
                    let what = format!("function `{}` is gone", function.name);
                    self.note(Subject::Function, Action::Removed, id, what, at);
                }
            }
        }
    }

    /// Records of the maps whose rules call a function of the new plan, themselves or through another function.
    fn calls(&self, function: usize) -> (Tally<'a>, Vec<Touch>) {
        let functions = &self.new.plan.functions;
        let calls = |expr: &Expr, wanted: &[bool]| {
            let mut found = false;
            walk::deep(expr, &mut |inner| {
                if let Expr::Apply { function, .. } = inner {
                    found |= wanted.get(usize::from(*function)).copied().unwrap_or(false);
                }
            });
            found
        };
        // Each function calls only those before it: one pass finds all callers.
        let mut wanted = vec![false; functions.len()];
        if let Some(this) = wanted.get_mut(function) {
            *this = true;
        }
        for at in function + 1..functions.len() {
            wanted[at] = calls(&functions[at].body, &wanted);
        }
        let mut tally = Tally::default();
        let mut touches = Vec::new();
        for place in self.places(self.new) {
            let mut found = false;
            walk::of_rule(place.rule, &mut |expr| found |= calls(expr, &wanted));
            if found {
                let bounds = place.taken.map_or(Bounds::NONE, |taken| Bounds::up_to(taken.high));
                tally.add(place.object, self.population(place.object), bounds);
                let map = self.pair_of_new(place.map);
                touches.push(Touch { map, target: Some(place.target.clone()), only: Vec::new() });
            }
        }
        (tally, touches)
    }
}

fn touches(reaches: &[Reach], code: Option<&String>) -> Vec<Touch> {
    let one = |reach: &Reach| Touch {
        map: reach.map,
        target: Some(reach.target.clone()),
        only: match (&reach.field, code) {
            (Some(field), Some(code)) if !reach.folded => vec![(field.clone(), code.clone())],
            _ => Vec::new(),
        },
    };
    reaches.iter().map(one).collect()
}

pub(super) fn titled(code: &str, title: Option<&str>) -> String {
    match title.filter(|title| !title.is_empty()) {
        Some(title) => format!("{} `{title}`", quoted(code)),
        None => quoted(code),
    }
}

pub(super) fn action(old: bool, new: bool) -> Action {
    match (old, new) {
        (false, true) => Action::Added,
        (true, false) => Action::Removed,
        _ => Action::Changed,
    }
}
