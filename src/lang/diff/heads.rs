//! Maps as a whole: which there are, their keys, filters, what they do with existing records; splits and flattens.

use std::collections::HashSet;

use super::bounds::Bounds;
use super::compare::{Context, Draft, instead, scope_of, scope_of_flatten};
use super::reasons::{head_place, pick_place};
use super::rules::Block;
use super::show::{Scope, quoted};
use super::{Action, Loss, Pair, Subject, Touch, loss};
use crate::lang::plan::{Filter, Flatten, Map, OnDelete, OnExisting, SplitHow, SplitRow, SplitTo};

impl<'a> Context<'a> {
    pub(super) fn maps(&mut self) {
        for pair in self.matched.maps.clone() {
            match pair {
                Pair { old: Some(old), new: Some(new) } => {
                    self.map(pair, &self.old.plan.maps[old], &self.new.plan.maps[new]);
                }
                Pair { old: None, new: Some(new) } => {
                    let map = &self.new.plan.maps[new];
                    let what =
                        format!("map `{}` is new: `{}` goes to `{}`", map.name, map.source, map.target);
                    let at = self.at_new(map.line);
                    self.whole_map(pair, map, true, what, (None, at));
                }
                Pair { old: Some(old), new: None } => {
                    let map = &self.old.plan.maps[old];
                    let what = format!(
                        "map `{}` is gone: `{}` no longer goes to `{}`",
                        map.name, map.source, map.target
                    );
                    let at = self.at_old(map.line);
                    self.whole_map(pair, map, false, what, (at, None));
                }
                Pair { old: None, new: None } => {}
            }
        }
    }

    fn whole_map(
        &mut self,
        pair: Pair,
        map: &'a Map,
        added: bool,
        what: String,
        (old, new): (Option<super::At>, Option<super::At>),
    ) {
        let side = if added { self.new } else { self.old };
        let bounds = self.population(&map.source).map(|population| population.taken(side, map));
        let draft = Draft {
            subject: Subject::Map,
            action: if added { Action::Added } else { Action::Removed },
            id: format!("map {}", map.name),
            what,
            loss: if added { Loss::Healed } else { Loss::Gained },
            old,
            new,
            touches: vec![Touch { map: pair, target: None, only: Vec::new() }],
        };
        self.push(draft, &map.source, bounds);
    }

    fn map(&mut self, pair: Pair, old: &'a Map, new: &'a Map) {
        let at = (self.at_old(old.line), self.at_new(new.line));
        let id = format!("map {}", new.name);
        if old.name != new.name {
            let what = format!("map `{}` is now called `{}`", old.name, new.name);
            self.note(Subject::Map, Action::Renamed, id.clone(), what, at.clone());
        }
        if (&old.source, &old.target) != (&new.source, &new.target) {
            let what = format!(
                "map `{}` now brings `{}` to `{}`, and brought `{}` to `{}`",
                new.name, new.source, new.target, old.source, old.target
            );
            let bounds = self.population(&new.source).map(|population| population.taken(self.new, new));
            let draft = Draft {
                subject: Subject::Map,
                action: Action::Changed,
                id,
                what,
                loss: Loss::Same,
                old: at.0,
                new: at.1,
                touches: vec![Touch { map: pair, target: None, only: Vec::new() }],
            };
            self.push(draft, &new.source, bounds);
            return;
        }
        let (old_scope, new_scope) = (scope_of(self.old, old), scope_of(self.new, new));
        let mut heads: Vec<(&str, String)> = Vec::new();
        let (old_key, new_key) = (old_scope.slot(old.key), new_scope.slot(new.key));
        if old_key != new_key {
            heads.push(("key", format!("records are known by {}", instead(&new_key, &old_key))));
        }
        if old.match_existing != new.match_existing {
            let words = |by: &[String]| if by.is_empty() { "nothing".to_owned() } else { by.join(" or ") };
            let (new, old) = (words(&new.match_existing), words(&old.match_existing));
            heads.push(("match existing", format!("existing records are found by {}", instead(&new, &old))));
        }
        if old.on_existing != new.on_existing {
            let word = |on: OnExisting| match on {
                OnExisting::Fill => "fill",
                OnExisting::Overwrite => "overwrite",
                OnExisting::Keep => "keep",
            };
            let words = instead(word(new.on_existing), word(old.on_existing));
            heads.push(("on existing", format!("fields of existing records: {words}")));
        }
        if old.on_delete != new.on_delete {
            let word = |on: OnDelete| match on {
                OnDelete::List => "list",
                OnDelete::Delete => "delete",
            };
            let words = instead(word(new.on_delete), word(old.on_delete));
            heads.push(("on delete", format!("records deleted later: {words}")));
        }
        let population = self.population(&new.source);
        for (line, what) in heads {
            let draft = Draft {
                subject: Subject::Map,
                action: Action::Changed,
                id: id.clone(),
                what: format!("map `{}`: {what}", new.name),
                loss: Loss::Same,
                old: head_place(self.old, &old.name, line),
                new: head_place(self.new, &new.name, line),
                touches: Vec::new(),
            };
            self.push(draft, &new.source, population.map(|population| population.anything()));
        }
        self.filter(
            pair,
            &new.name,
            &new.source,
            (old.filter.as_ref(), old_scope),
            (new.filter.as_ref(), new_scope),
        );
        let same_records = old.split.is_none()
            && new.split.is_none()
            && condition(old, &self.matched.old, old_scope) == condition(new, &self.matched.new, new_scope);
        let taken = population.map(|population| {
            let takes = population.taken(self.new, new);
            if same_records { takes } else { population.or(population.taken(self.old, old), takes) }
        });
        let block = Block {
            id: new.name.clone(),
            object: new.source.clone(),
            pair,
            into: (old, new),
            old_scope,
            new_scope,
            taken,
        };
        self.rules(&block, &old.rules, &new.rules);
        self.notes(&block, &old.notes, &new.notes);
        self.drops(&block, &old.dropped, &new.dropped);
    }

    /// `where`
    fn filter(
        &mut self,
        pair: Pair,
        name: &str,
        object: &str,
        (old, old_scope): (Option<&Filter>, Scope<'_>),
        (new, new_scope): (Option<&Filter>, Scope<'_>),
    ) {
        let words = |filter: Option<&Filter>, names: &super::names::Names, scope| {
            filter.map(|f| (names.expr(&f.condition, scope), names.arm(&f.otherwise, scope)))
        };
        let was = words(old, &self.matched.old, old_scope);
        let is = words(new, &self.matched.new, new_scope);
        if was == is {
            return;
        }
        let population = self.population(object);
        let fits = |filter: Option<&Filter>, scope| {
            population.map(|p| filter.map_or(p.everything(), |f| p.truth(&f.condition, scope)))
        };
        let (fitted, fits) = (fits(old, old_scope), fits(new, new_scope));
        let bounds = population.zip(fitted).zip(fits).map(|((p, fitted), fits)| {
            match (&was, &is) {
                // The same records are left out, otherwise.
                (Some((a, _)), Some((b, _))) if a == b => p.not(fits),
                _ => p.either(fitted, fits),
            }
        });
        let what = match (&was, &is) {
            (None, Some((condition, arm))) => format!("map `{name}` takes only `{condition}`; others: {arm}"),
            (Some((condition, _)), None) => format!("map `{name}` no longer takes only `{condition}`"),
            (Some((a, was)), Some((b, is))) if a == b => {
                format!("map `{name}`: what does not fit `{a}`: {}", instead(is, was))
            }
            (Some((a, _)), Some((b, _))) => format!("map `{name}` takes {}", instead(b, a)),
            (None, None) => return,
        };
        let draft = Draft {
            subject: Subject::Filter,
            action: match (&was, &is) {
                (None, _) => Action::Added,
                (_, None) => Action::Removed,
                _ => Action::Changed,
            },
            id: format!("{name}.where"),
            what,
            loss: loss::filters(old, new),
            old: old.and_then(|filter| self.at_old(filter.line)),
            new: new.and_then(|filter| self.at_new(filter.line)),
            touches: vec![Touch { map: pair, target: None, only: Vec::new() }],
        };
        self.push(draft, object, bounds);
    }

    pub(super) fn splits(&mut self) {
        for pair in self.matched.splits.clone() {
            let (old, new) =
                (pair.old.map(|at| &self.old.plan.splits[at]), pair.new.map(|at| &self.new.plan.splits[at]));
            let Some(source) = new.or(old).map(|split| split.source.clone()) else { continue };
            let old_scope = Scope::of(self.old.source.object(&source), None);
            let new_scope = Scope::of(self.new.source.object(&source), None);
            let (was, is) = (
                old.map(|split| split_rows(&split.how, old_scope, &self.matched.old)).unwrap_or_default(),
                new.map(|split| split_rows(&split.how, new_scope, &self.matched.new)).unwrap_or_default(),
            );
            let rows = super::names::pairs_at(
                was.len(),
                is.len(),
                |at| was[at].key.clone(),
                |at| is[at].key.clone(),
                |_, _| 0,
            );
            let population = self.population(&source);
            for row in rows {
                let (a, b) = (row.old.map(|at| &was[at]), row.new.map(|at| &is[at]));
                if a.zip(b).is_some_and(|(a, b)| a.to == b.to && row.old == row.new) {
                    continue;
                }
                if let (Some(a), Some(b)) = (a, b)
                    && a.to == b.to
                    && a.code.is_some()
                {
                    continue;
                }
                let Some(one) = b.or(a) else { continue };
                let what = match (a, b) {
                    (Some(a), Some(b)) if a.to == b.to => {
                        format!("split `{source}`: {} stands in another place among the rows", b.key)
                    }
                    (Some(a), Some(b)) => {
                        format!("split `{source}`: {} goes to {}", b.key, instead(&b.to, &a.to))
                    }
                    (None, Some(b)) => format!("split `{source}`: {} is new and goes to `{}`", b.key, b.to),
                    (Some(a), None) => format!("split `{source}`: {} is gone, and went to `{}`", a.key, a.to),
                    (None, None) => continue,
                };
                let bounds = population.map(|p| match (&one.code, one.when) {
                    (Some((field, Some(code))), _) => p.holding(field, code),
                    (Some((field, None)), _) => {
                        let codes: Vec<&str> =
                            is.iter().filter_map(|row| row.code.as_ref()?.1.as_deref()).collect();
                        p.outside(field, &|code| codes.contains(&code))
                    }
                    (None, Some(when)) => {
                        let scope = if b.is_some() { new_scope } else { old_scope };
                        Bounds::up_to(p.truth(when, scope).high)
                    }
                    (None, None) => p.anything(),
                });
                let rank = |row: Option<&Row<'_>>| row.map(|row| row.rank);
                let draft = Draft {
                    subject: Subject::Split,
                    action: match (a, b) {
                        (None, _) => Action::Added,
                        (_, None) => Action::Removed,
                        _ => Action::Changed,
                    },
                    id: format!("split {source} {}", one.key),
                    what,
                    loss: rank(a).zip(rank(b)).map_or(Loss::Same, |(a, b)| loss::by(a, b)),
                    old: a.and_then(|row| self.at_old(row.line)),
                    new: b.and_then(|row| self.at_new(row.line)),
                    touches: Vec::new(),
                };
                self.push(draft, &source, bounds);
            }
        }
    }

    pub(super) fn flattens(&mut self) {
        for pair in self.matched.flattens.clone() {
            let old = pair.old.map(|at| &self.old.plan.flattens[at]);
            let new = pair.new.map(|at| &self.new.plan.flattens[at]);
            match (old, new) {
                (Some(old), Some(new)) => self.flatten(old, new),
                (None, Some(flatten)) | (Some(flatten), None) => {
                    let added = new.is_some();
                    let side = if added { self.new } else { self.old };
                    let into = side.plan.maps.get(usize::from(flatten.into)).map_or("", |map| &map.name);
                    let what = if added {
                        format!("`{}` is now folded into `{into}`", flatten.source)
                    } else {
                        format!("`{}` is no longer folded into `{into}`", flatten.source)
                    };
                    let draft = Draft {
                        subject: Subject::Flatten,
                        action: if added { Action::Added } else { Action::Removed },
                        id: format!("flatten {} into {into}", flatten.source),
                        what,
                        loss: if added { Loss::Healed } else { Loss::Gained },
                        old: old.and_then(|flatten| self.at_old(flatten.line)),
                        new: new.and_then(|flatten| self.at_new(flatten.line)),
                        touches: Vec::new(),
                    };
                    let bounds = self.population(&flatten.source).map(|population| population.everything());
                    self.push(draft, &flatten.source, bounds);
                }
                (None, None) => {}
            }
        }
    }

    fn flatten(&mut self, old: &'a Flatten, new: &'a Flatten) {
        let (Some(old_into), Some(new_into)) =
            (self.old.plan.maps.get(usize::from(old.into)), self.new.plan.maps.get(usize::from(new.into)))
        else {
            return;
        };
        let id = format!("flatten {} into {}", new.source, new_into.name);
        let (old_scope, new_scope) = (scope_of_flatten(self.old, old), scope_of_flatten(self.new, new));
        let pair = self.pair_of_new(usize::from(new.into));
        let pick = |flatten: &Flatten, scope: Scope<'_>| {
            flatten.pick.map_or_else(
                || "first by key".to_owned(),
                |pick| {
                    format!("{} by {}", if pick.latest { "latest" } else { "earliest" }, scope.slot(pick.by))
                },
            )
        };
        let mut heads: Vec<(String, Loss)> = Vec::new();
        let mut compare = |what: &str, old: String, new: String, loss: Loss| {
            if old != new {
                heads.push((format!("{what} {}", instead(&new, &old)), loss));
            }
        };
        compare("the link is", old_scope.slot(old.via), new_scope.slot(new.via), Loss::Same);
        compare("what a bare field reads:", pick(old, old_scope), pick(new, new_scope), Loss::Same);
        let orphans = loss::by(loss::arm(&old.orphan), loss::arm(&new.orphan));
        let (was, is) =
            (self.matched.old.arm(&old.orphan, old_scope), self.matched.new.arm(&new.orphan, new_scope));
        compare("orphan:", was, is, orphans);
        let population = self.population(&new.source);
        for (what, loss) in heads {
            let draft = Draft {
                subject: Subject::Flatten,
                action: Action::Changed,
                id: id.clone(),
                what: format!("`{}` folded into `{}`: {what}", new.source, new_into.name),
                loss,
                old: pick_place(self.old, &old.source, &what).or(self.at_old(line(old, &what))),
                new: pick_place(self.new, &new.source, &what).or(self.at_new(line(new, &what))),
                touches: Vec::new(),
            };
            self.push(draft, &new.source, population.map(|population| population.anything()));
        }
        self.filter(
            Pair::default(),
            &format!("{} into {}", new.source, new_into.name),
            &new.source,
            (old.filter.as_ref(), old_scope),
            (new.filter.as_ref(), new_scope),
        );
        let block = Block {
            id,
            object: new.source.clone(),
            pair,
            into: (old_into, new_into),
            old_scope,
            new_scope,
            taken: population.map(|population| population.everything()),
        };
        self.rules(&block, &old.rules, &new.rules);
        self.notes(&block, &old.notes, &new.notes);
        self.drops(&block, &old.dropped, &new.dropped);
    }
}

/// The line of a flatten that words of a change are about.
fn line(flatten: &Flatten, what: &str) -> u32 {
    if what.starts_with("orphan") { flatten.orphan_line } else { flatten.line }
}

fn condition(map: &Map, names: &super::names::Names, scope: Scope<'_>) -> Option<String> {
    map.filter.as_ref().map(|filter| names.expr(&filter.condition, scope))
}

/// A row of a split, in words.
struct Row<'a> {
    key: String,
    /// The field, and the code where it is not the last row.
    code: Option<(String, Option<String>)>,
    when: Option<&'a crate::lang::plan::Expr>,
    to: String,
    rank: u8,
    line: u32,
}

fn split_rows<'a>(how: &'a SplitHow, scope: Scope<'_>, names: &super::names::Names) -> Vec<Row<'a>> {
    let row = |row: &'a SplitRow, key: String, code: Option<(String, Option<String>)>| {
        let (to, rank) = match &row.to {
            SplitTo::Maps(maps) => {
                let maps: Vec<&str> = maps
                    .iter()
                    .map(|map| names.maps.get(usize::from(*map)).map_or("?", String::as_str))
                    .collect();
                (maps.join(", "), 0)
            }
            SplitTo::Listed(why) => (format!("listed {}", quoted(why)), 2),
            SplitTo::Arm(arm) => (names.arm(arm, scope), loss::arm(arm)),
        };
        Row { key, code, when: row.when.as_ref(), to, rank, line: row.line }
    };
    match how {
        SplitHow::When(rows) => {
            // A condition that stands twice is reached once, and counts once.
            let mut seen = HashSet::new();
            let all = rows.iter().map(|one| {
                let key = one.when.as_ref().map_or_else(
                    || "`otherwise`".to_owned(),
                    |when| format!("`{}`", names.expr(when, scope)),
                );
                row(one, key, None)
            });
            all.filter(|one| seen.insert(one.key.clone())).collect()
        }
        SplitHow::Value { slot, rows, unseen } => {
            let field = scope.slot(*slot);
            let mut all: Vec<Row<'a>> = rows
                .iter()
                .map(|(code, one)| {
                    row(one, format!("{field} {}", quoted(code)), Some((field.clone(), Some(code.clone()))))
                })
                .collect();
            all.push(row(unseen, format!("{field} `_ unseen`"), Some((field.clone(), None))));
            all
        }
    }
}
