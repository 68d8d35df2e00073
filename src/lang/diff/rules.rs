//! Rules, notes and drops of a map or flatten.

use std::collections::BTreeMap;

use super::bounds::{Bounds, never_longer};
use super::compare::{Context, Draft, instead};
use super::show::{Scope, quoted};
use super::{Action, Loss, Pair, Subject, Touch, loss};
use crate::lang::plan::{Arm, Dropped, Expr, Map, Note, Rule, Target};

/// The rules of a map or flatten, on both sides.
pub(super) struct Block<'a> {
    /// What identities begin with.
    pub id: String,
    /// The source object.
    pub object: String,
    /// The map that is written.
    pub pair: Pair,
    /// That map in both plans.
    pub into: (&'a Map, &'a Map),
    pub old_scope: Scope<'a>,
    pub new_scope: Scope<'a>,
    /// Records that either side takes.
    pub taken: Option<Bounds>,
}

impl Block<'_> {
    fn touch(&self, target: Option<&str>) -> Vec<Touch> {
        vec![Touch { map: self.pair, target: target.map(str::to_owned), only: Vec::new() }]
    }
}

fn target(map: &Map, rule: &Rule) -> Target {
    let none = || Target { name: String::new(), custom: false, ty: crate::lang::types::Type::text() };
    map.targets.get(usize::from(rule.target)).cloned().unwrap_or_else(none)
}

impl<'a> Context<'a> {
    pub(super) fn rules(&mut self, block: &Block<'a>, old: &'a [Rule], new: &'a [Rule]) {
        let olds: Vec<Target> = old.iter().map(|rule| target(block.into.0, rule)).collect();
        let news: Vec<Target> = new.iter().map(|rule| target(block.into.1, rule)).collect();
        let key = |target: &Target| format!("{}\0{}", target.custom, target.name);
        let pairs = super::names::pairs_at(
            old.len(),
            new.len(),
            |at| key(&olds[at]),
            |at| key(&news[at]),
            |a, b| {
                // A custom field under another label, made of the same.
                let same = olds[a].custom
                    && news[b].custom
                    && super::names::same_type((block.into.0, &olds[a]), (block.into.1, &news[b]))
                    && self.matched.old.expr(&old[a].value, block.old_scope)
                        == self.matched.new.expr(&new[b].value, block.new_scope);
                if same { 100 } else { 0 }
            },
        );
        for pair in pairs {
            match pair {
                Pair { old: Some(a), new: Some(b) } => {
                    self.rule(block, (&old[a], &olds[a]), (&new[b], &news[b]));
                }
                Pair { old: None, new: Some(b) } => {
                    self.whole_rule(block, &new[b], &news[b].name, true);
                }
                Pair { old: Some(a), new: None } => {
                    self.whole_rule(block, &old[a], &olds[a].name, false);
                }
                Pair { old: None, new: None } => {}
            }
        }
    }

    fn whole_rule(&mut self, block: &Block<'a>, rule: &'a Rule, name: &str, added: bool) {
        let (names, scope) =
            if added { (&self.matched.new, block.new_scope) } else { (&self.matched.old, block.old_scope) };
        let id = format!("{}.{name}", block.id);
        let text = names.rule(rule, scope);
        let what = if added {
            format!("`{id}` is now written from `{text}`")
        } else {
            format!("`{id}` is no longer written from `{text}`")
        };
        let bounds = self.population(&block.object).zip(block.taken).map(|(population, taken)| {
            let present = population.presence(&rule.value, scope);
            let when =
                rule.when.as_ref().map_or(population.everything(), |when| population.truth(when, scope));
            let gives = population.and(when, present);
            let gives = match rule.otherwise.iter().any(|arm| !matches!(arm, Arm::Unset)) {
                true => Bounds::up_to(population.all),
                false => gives,
            };
            population.and(taken, gives)
        });
        let at = if added { self.at_new(rule.line) } else { self.at_old(rule.line) };
        let draft = Draft {
            subject: Subject::Rule,
            action: if added { Action::Added } else { Action::Removed },
            id,
            what,
            loss: if added { Loss::Healed } else { Loss::Gained },
            old: at.clone().filter(|_| !added),
            new: at.filter(|_| added),
            touches: block.touch(Some(name)),
        };
        self.push(draft, &block.object, bounds);
    }

    fn rule(&mut self, block: &Block<'a>, old: (&'a Rule, &Target), new: (&'a Rule, &Target)) {
        let ((old, old_target), (new, new_target)) = (old, new);
        let id = format!("{}.{}", block.id, new_target.name);
        let at = (self.at_old(old.line), self.at_new(new.line));
        if old_target.name != new_target.name {
            // Another label is another field in the destination: what it holds moves along.
            let what = format!("`{}.{}` is now called `{}`", block.id, old_target.name, new_target.name);
            self.note(Subject::Rule, Action::Renamed, id.clone(), what, at.clone());
            let object = block.into.1.target.clone();
            self.relabelled.push((object, old_target.name.clone(), new_target.name.clone()));
        }
        let Some((parts, bounds)) = self.rule_parts(block, (old, old_target), (new, new_target)) else {
            return;
        };
        let draft = Draft {
            subject: Subject::Rule,
            action: Action::Changed,
            what: format!("`{id}` {}", parts.join("; ")),
            id,
            loss: loss::rules(old, new),
            old: at.0,
            new: at.1,
            touches: block.touch(Some(&new_target.name)),
        };
        self.push(draft, &block.object, bounds);
    }

    /// What is different between two rules in words, and for how many records; `None` where nothing is.
    fn rule_parts(
        &self,
        block: &Block<'a>,
        (old, old_target): (&'a Rule, &Target),
        (new, new_target): (&'a Rule, &Target),
    ) -> Option<(Vec<String>, Option<Bounds>)> {
        let (old_scope, new_scope) = (block.old_scope, block.new_scope);
        let (was, is) = (&self.matched.old, &self.matched.new);
        let population = self.population(&block.object);
        let mut parts: Vec<String> = Vec::new();
        let mut touched = population.map(|_| Bounds::NONE);
        let mut part = |words: String, bounds: Option<Bounds>| {
            parts.push(words);
            touched = population.zip(touched).zip(bounds).map(|((p, touched), bounds)| p.or(touched, bounds));
        };
        let present = |rule: &Rule, scope| population.map(|p| p.presence(&rule.value, scope));
        let (had, has) = (present(old, old_scope), present(new, new_scope));
        let reach = population.zip(had).zip(has).map(|((p, had), has)| Bounds::up_to(p.or(had, has).high));
        let applies = |rule: &Rule, scope| {
            population.map(|p| rule.when.as_ref().map_or(p.everything(), |when| p.truth(when, scope)))
        };
        let (applied, applies) = (applies(old, old_scope), applies(new, new_scope));
        let (old_value, new_value) = (was.expr(&old.value, old_scope), is.expr(&new.value, new_scope));
        if old_value != new_value {
            let never =
                population.is_some_and(|p| never_longer(&old.value, &new.value, old_scope, new_scope, &p));
            let bounds = if never { Some(Bounds::NONE) } else { reach };
            part(format!("takes {}", instead(&new_value, &old_value)), bounds);
        }
        if !super::names::same_type((block.into.0, old_target), (block.into.1, new_target)) {
            part(format!("is {}", instead(&new_target.ty.to_string(), &old_target.ty.to_string())), reach);
        }
        let when = |rule: &Rule, names: &super::names::Names, scope| {
            rule.when.as_ref().map(|when| names.expr(when, scope))
        };
        let (old_when, new_when) = (when(old, was, old_scope), when(new, is, new_scope));
        if old_when != new_when {
            let words = match (&old_when, &new_when) {
                (None, Some(new)) => format!("only when `{new}`"),
                (Some(old), None) => format!("no longer only when `{old}`"),
                (Some(old), Some(new)) => format!("when {}", instead(new, old)),
                (None, None) => String::new(),
            };
            let differ = population.zip(applied).zip(applies).map(|((p, a), b)| p.either(a, b));
            let bounds = if new.otherwise.is_empty() && old.otherwise.is_empty() {
                population.zip(differ).zip(reach).map(|((p, differ), reach)| {
                    // Where the value is always there, every record of the difference comes out otherwise.
                    let sure = had == has && had == Some(p.everything()) && sure_value(&new.value);
                    if sure { differ } else { p.and(differ, reach) }
                })
            } else {
                differ.map(|differ| Bounds::up_to(differ.high))
            };
            part(words, bounds);
        }
        let label = |rule: &Rule, names: &super::names::Names, scope| {
            rule.label.as_ref().map(|label| names.label(label, &rule.value, scope))
        };
        let (old_label, new_label) = (label(old, was, old_scope), label(new, is, new_scope));
        if old_label != new_label {
            let words = match (&old_label, &new_label) {
                (None, Some(new)) => format!("is labelled `{new}`"),
                (Some(old), None) => format!("is no longer labelled `{old}`"),
                (Some(old), Some(new)) => format!("is labelled {}", instead(new, old)),
                (None, None) => String::new(),
            };
            part(words, reach);
        }
        let (old_else, new_else) =
            (was.otherwise(&old.otherwise, old_scope), is.otherwise(&new.otherwise, new_scope));
        if old_else != new_else {
            let absent = population.zip(applies).zip(has).map(|((p, applies), has)| {
                let absent = p.not(p.and(applies, has));
                // An `else` that is another only behind an arm that gives a value may never be reached.
                let first = old.otherwise.first() != new.otherwise.first();
                if first && exact_presence(&new.value) { absent } else { Bounds::up_to(absent.high) }
            });
            part(clause(&new_else, &old_else, "without a value"), absent);
        }
        let arm = |arm: &Option<Arm>, names: &super::names::Names, scope| {
            arm.as_ref().map(|arm| names.arm(arm, scope)).unwrap_or_default()
        };
        for (words, a, b) in [
            ("on fail", &old.on_fail, &new.on_fail),
            ("on unmigrated", &old.on_unmigrated, &new.on_unmigrated),
        ] {
            let (a, b) = (arm(a, was, old_scope), arm(b, is, new_scope));
            if a != b {
                part(clause(&b, &a, words), reach);
            }
        }
        if old.second_pass != new.second_pass {
            let words = if new.second_pass { "is written in a second pass" } else { "is written at once" };
            part(words.to_owned(), Some(Bounds::NONE));
        }
        let none = Some(Bounds::NONE);
        if old.fidelity != new.fidelity {
            part(format!("is {}", instead(new.fidelity.word(), old.fidelity.word())), none);
        }
        // What a row of a table or pipeline says is told there.
        let from_rows = |because: &Option<String>, rows: &std::collections::BTreeSet<String>| {
            because.as_ref().is_none_or(|because| rows.contains(because))
        };
        let told_by_rows =
            from_rows(&old.because, &self.row_reasons.0) && from_rows(&new.because, &self.row_reasons.1);
        if old.because != new.because && !told_by_rows {
            let words = match (&old.because, &new.because) {
                (None, Some(new)) => format!("has the reason {}", quoted(new)),
                (Some(old), None) => format!("no longer has the reason {}", quoted(old)),
                (Some(old), Some(new)) => {
                    format!("has the reason {} instead of {}", quoted(new), quoted(old))
                }
                (None, None) => String::new(),
            };
            part(words, none);
        }
        if parts.is_empty() {
            return None;
        }
        let bounds =
            population.zip(touched).zip(block.taken).map(|((p, touched), taken)| p.and(touched, taken));
        Some((parts, bounds))
    }

    pub(super) fn notes(&mut self, block: &Block<'a>, old: &'a [Note], new: &'a [Note]) {
        let pairs = super::names::pairs_at(
            old.len(),
            new.len(),
            |at| old[at].name.clone(),
            |at| new[at].name.clone(),
            |a, b| {
                let was = self.matched.old.rule(&old[a].rule, block.old_scope);
                if was == self.matched.new.rule(&new[b].rule, block.new_scope) { 100 } else { 0 }
            },
        );
        for pair in pairs {
            let (a, b) = (pair.old.map(|at| &old[at]), pair.new.map(|at| &new[at]));
            let Some(note) = b.or(a) else { continue };
            let id = format!("{}.note {}", block.id, quoted(&note.name));
            let at = (a.and_then(|n| self.at_old(n.rule.line)), b.and_then(|n| self.at_new(n.rule.line)));
            let (what, bounds, action, loss) = match (a, b) {
                (Some(a), Some(b)) => {
                    let none =
                        Target { name: String::new(), custom: false, ty: crate::lang::types::Type::text() };
                    let found = self.rule_parts(block, (&a.rule, &none), (&b.rule, &none));
                    let (mut parts, bounds) = found.unwrap_or((Vec::new(), Some(Bounds::NONE)));
                    let mut bounds = bounds;
                    let titles = (
                        self.matched.old.expr(&a.title, block.old_scope),
                        self.matched.new.expr(&b.title, block.new_scope),
                    );
                    let limit = |note: &Note| match (note.for_each, note.at_most) {
                        (false, _) => "one".to_owned(),
                        (true, None) => "one for each".to_owned(),
                        (true, Some(most)) => format!("one for each, at most {most}"),
                    };
                    if titles.0 != titles.1 {
                        parts.push(format!("has the title {}", instead(&titles.1, &titles.0)));
                        bounds = block.taken.map(|taken| Bounds::up_to(taken.high));
                    }
                    if limit(a) != limit(b) {
                        parts.push(format!("is {}", instead(&limit(b), &limit(a))));
                        bounds = block.taken.map(|taken| Bounds::up_to(taken.high));
                    }
                    if parts.is_empty() {
                        continue;
                    }
                    (format!("`{id}` {}", parts.join("; ")), bounds, Action::Changed, loss::notes(a, b))
                }
                (None, Some(_)) => {
                    let text = self.matched.new.rule(&note.rule, block.new_scope);
                    (
                        format!("`{id}` is new: `{text}`"),
                        self.noted(block, note, block.new_scope),
                        Action::Added,
                        Loss::Healed,
                    )
                }
                (Some(_), None) => {
                    let text = self.matched.old.rule(&note.rule, block.old_scope);
                    (
                        format!("`{id}` is gone: `{text}`"),
                        self.noted(block, note, block.old_scope),
                        Action::Removed,
                        Loss::Gained,
                    )
                }
                (None, None) => continue,
            };
            let draft = Draft {
                subject: Subject::Note,
                action,
                id,
                what,
                loss,
                old: at.0,
                new: at.1,
                touches: block.touch(Some(&format!("note \"{}\"", note.name))),
            };
            self.push(draft, &block.object, bounds);
        }
    }

    fn noted(&self, block: &Block<'a>, note: &Note, scope: Scope<'_>) -> Option<Bounds> {
        let population = self.population(&block.object)?;
        let when =
            note.rule.when.as_ref().map_or(population.everything(), |when| population.truth(when, scope));
        let gives = population.and(when, population.presence(&note.rule.value, scope));
        Some(population.and(block.taken?, gives))
    }

    pub(super) fn drops(&mut self, block: &Block<'a>, old: &'a [Dropped], new: &'a [Dropped]) {
        let olds: BTreeMap<&str, &Dropped> = old.iter().map(|drop| (drop.field.as_str(), drop)).collect();
        let news: BTreeMap<&str, &Dropped> = new.iter().map(|drop| (drop.field.as_str(), drop)).collect();
        let gone =
            old.iter().filter(|drop| !news.contains_key(drop.field.as_str())).map(|drop| (Some(drop), None));
        let here = new.iter().map(|drop| (olds.get(drop.field.as_str()).copied(), Some(drop)));
        let all: Vec<(Option<&Dropped>, Option<&Dropped>)> = here.chain(gone).collect();
        for (a, b) in all {
            let Some(drop) = b.or(a) else { continue };
            if a.zip(b).is_some_and(|(a, b)| (&a.reason, a.gap) == (&b.reason, b.gap)) {
                continue;
            }
            let population = self.population(&block.object);
            let filled = population
                .and_then(|p| p.object.field(&drop.field)?.stats.as_ref().map(|stats| stats.filled));
            let rank = |drop: Option<&Dropped>| drop.map_or(0, |drop| loss::dropped(drop, filled));
            let name = format!("{}.{}", block.id, drop.field);
            let words = |drop: &Dropped| {
                let gap = if drop.gap { " (for the gap report)" } else { "" };
                format!("{}{gap}", quoted(&drop.reason))
            };
            let (what, action) = match (a, b) {
                (None, Some(b)) => (format!("`{name}` is dropped: {}", words(b)), Action::Added),
                (Some(a), None) => (format!("`{name}` is no longer dropped ({})", words(a)), Action::Removed),
                (Some(a), Some(b)) => (
                    format!("`{name}` is dropped for the reason {} instead of {}", words(b), words(a)),
                    Action::Changed,
                ),
                (None, None) => continue,
            };
            let draft = Draft {
                subject: Subject::Drop,
                action,
                id: format!("{}.drop {}", block.id, drop.field),
                what,
                loss: loss::by(rank(a), rank(b)),
                old: a.and_then(|drop| self.at_old(drop.line)),
                new: b.and_then(|drop| self.at_new(drop.line)),
                touches: Vec::new(),
            };
            let bounds = match (a, b) {
                // What people agreed to is worded otherwise; records come out as before.
                (Some(_), Some(_)) => Some(Bounds::NONE),
                _ => filled.map(Bounds::exactly),
            };
            self.push(draft, &block.object, bounds);
        }
    }
}

/// `on fail skip instead of quarantine`, with nothing for a clause that is not there.
fn clause(new: &str, old: &str, words: &str) -> String {
    match (new, old) {
        ("", old) => format!("{words}: no longer `{old}`"),
        (new, "") => format!("{words}: `{new}`"),
        (new, old) => format!("{words}: {}", instead(new, old)),
    }
}

/// Whether the statistics know exactly for which records an expression has a value.
fn exact_presence(expr: &Expr) -> bool {
    match expr {
        Expr::Slot(_) | Expr::Const(_) | Expr::Owner(_) => true,
        Expr::Ref { link, any: false, field: None, .. } => exact_presence(link),
        _ => false,
    }
}

/// Whether an expression always has a value.
fn sure_value(expr: &Expr) -> bool {
    matches!(expr, Expr::Const(_) | Expr::Owner(_))
}
