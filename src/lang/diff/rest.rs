//! What is not about single records: settings, schemas, what the destination must have, order, limits, exceptions,
//! open decisions.

use std::collections::{BTreeMap, BTreeSet};

use super::compare::Context;
use super::reasons::place;
use super::show::quoted;
use super::{Action, At, Side, Subject};
use crate::lang::plan::CustomField;
use crate::lang::schema::drift::differences;
use crate::lang::syntax::ast::{self, BudgetUnit};

impl Context<'_> {
    pub(super) fn settings(&mut self) {
        let (old, new) = (self.old.plan, self.new.plan);
        let system = |system: &crate::lang::plan::System| format!("{} {}", system.connector, system.account);
        let zone = |zone: &Option<String>| zone.clone().unwrap_or_else(|| "none".to_owned());
        let all = [
            ("edition", old.edition.to_string(), new.edition.to_string()),
            ("zone", zone(&old.zone), zone(&new.zone)),
            ("source", system(&old.source), system(&new.source)),
            ("target", system(&old.target), system(&new.target)),
        ];
        for (name, old, new) in all {
            if old != new {
                let what = format!("`{name}` is `{new}` instead of `{old}`");
                let at = (self.item(self.old, name), self.item(self.new, name));
                self.note(Subject::Setting, Action::Changed, name.to_owned(), what, at);
            }
        }
    }

    /// The line of an item that has no place in a plan.
    fn item(&self, side: Side<'_>, name: &str) -> Option<At> {
        let span = side.spec.items.iter().find_map(|item| match item {
            ast::Item::Edition(edition) if name == "edition" => Some(edition.span),
            ast::Item::Zone(zone) if name == "zone" => Some(zone.span),
            ast::Item::Source(system) if name == "source" => Some(system.span),
            ast::Item::Target(system) if name == "target" => Some(system.span),
            _ => None,
        })?;
        Some(place(side, span))
    }

    /// Snapshots: every difference is told, so that a reviewer sees what the new spec was checked against.
    pub(super) fn schemas(&mut self) {
        let sides =
            [("source", self.old.source, self.new.source), ("target", self.old.target, self.new.target)];
        for (name, old, new) in sides {
            for difference in differences(old, new) {
                let what = format!("{name} snapshot: {difference}");
                let id = format!("schema {name} {difference}");
                let at = (self.item(self.old, name), self.item(self.new, name));
                self.note(Subject::Schema, Action::Changed, id, what, at);
            }
        }
    }

    pub(super) fn provision(&mut self) {
        type Key<'k> = (&'k str, &'k str);
        let key = |field: &CustomField| (field.object.clone(), field.label.clone());
        let old: BTreeMap<_, _> = self.old.plan.provision.iter().map(|field| (key(field), field)).collect();
        let new: BTreeMap<_, _> = self.new.plan.provision.iter().map(|field| (key(field), field)).collect();
        let words = |field: &CustomField| {
            let kind = if field.many { format!("[{}]", field.kind) } else { field.kind.clone() };
            let choices: Vec<String> = field.choices.iter().map(|choice| quoted(choice)).collect();
            if choices.is_empty() { kind } else { format!("{kind}({})", choices.join(", ")) }
        };
        let id = |(object, label): Key<'_>| format!("custom {object}.{}", quoted(label));
        let mut changes = Vec::new();
        let mut moved: BTreeSet<(String, String)> = BTreeSet::new();
        for (at, field) in &new {
            let name: Key<'_> = (&at.0, &at.1);
            let before = self.relabelled.iter().find(|(object, _, label)| *object == at.0 && *label == at.1);
            let before = before.map(|(object, label, _)| (object.clone(), label.clone()));
            match old.get(at) {
                None if before.as_ref().is_some_and(|before| old.contains_key(before)) => {
                    let Some(before) = before else { continue };
                    changes.push((
                        Action::Changed,
                        id(name),
                        format!(
                            "custom field `{}` of `{}` is created under the label `{}`",
                            before.1, at.0, at.1
                        ),
                    ));
                    moved.insert(before);
                }
                None => changes.push((
                    Action::Added,
                    id(name),
                    format!("custom field `{}` of `{}` is created: `{}`", at.1, at.0, words(field)),
                )),
                Some(before) if before != field => changes.push((
                    Action::Changed,
                    id(name),
                    format!(
                        "custom field `{}` of `{}` is `{}` instead of `{}`",
                        at.1,
                        at.0,
                        words(field),
                        words(before)
                    ),
                )),
                Some(_) => {}
            }
        }
        for (at, field) in old.iter().filter(|(at, _)| !new.contains_key(*at) && !moved.contains(*at)) {
            changes.push((
                Action::Removed,
                id((&at.0, &at.1)),
                format!("custom field `{}` of `{}` is no longer created: `{}`", at.1, at.0, words(field)),
            ));
        }
        for (action, id, what) in changes {
            self.note(Subject::CustomField, action, id, what, (None, None));
        }
    }

    pub(super) fn requirements(&mut self) {
        let (old, new): (BTreeSet<_>, BTreeSet<_>) =
            (self.old.plan.requires.iter().collect(), self.new.plan.requires.iter().collect());
        let words = |requirement: &crate::lang::plan::Requirement| {
            if requirement.of.is_empty() {
                format!("{} `{}`", requirement.kind, requirement.name)
            } else {
                format!("{} `{}` of `{}`", requirement.kind, requirement.name, requirement.of)
            }
        };
        for (requirement, action, verb) in new
            .difference(&old)
            .map(|requirement| (requirement, Action::Added, "is needed in the destination"))
            .chain(
                old.difference(&new).map(|requirement| (requirement, Action::Removed, "is no longer needed")),
            )
        {
            let id = format!("requires {}", words(requirement));
            self.note(
                Subject::Requirement,
                action,
                id,
                format!("{} {verb}", words(requirement)),
                (None, None),
            );
        }
    }

    /// The order of loading, as far as maps of both sides changed places.
    pub(super) fn order(&mut self) {
        let both: BTreeSet<&str> = self
            .matched
            .maps
            .iter()
            .filter(|pair| pair.old.is_some())
            .filter_map(|pair| self.matched.new.maps.get(pair.new?).map(String::as_str))
            .collect();
        let words = |phases: &[Vec<u16>], names: &[String]| -> String {
            let phase = |phase: &Vec<u16>| {
                let mut maps: Vec<&str> = phase
                    .iter()
                    .filter_map(|map| names.get(usize::from(*map)))
                    .map(String::as_str)
                    .filter(|name| both.contains(name))
                    .collect();
                maps.sort_unstable();
                maps.join(", ")
            };
            phases.iter().map(phase).filter(|phase| !phase.is_empty()).collect::<Vec<_>>().join("; ")
        };
        let old = words(&self.old.plan.phases, &self.matched.old.maps);
        let new = words(&self.new.plan.phases, &self.matched.new.maps);
        if old != new {
            let what = format!("phases are `{new}` instead of `{old}`");
            self.note(Subject::Order, Action::Changed, "order".to_owned(), what, (None, None));
        }
    }

    pub(super) fn budget(&mut self) {
        let rows = |side: Side<'_>| -> BTreeMap<String, (String, At)> {
            let mut rows = BTreeMap::new();
            for item in &side.spec.items {
                let ast::Item::Budget(budget) = item else { continue };
                for row in &budget.rows {
                    let limit = row.limit.value.normalize();
                    let words = match &row.unit {
                        BudgetUnit::Percent => {
                            format!("{}%", (limit * rust_decimal::Decimal::ONE_HUNDRED).normalize())
                        }
                        BudgetUnit::Counted(None) => limit.to_string(),
                        BudgetUnit::Counted(Some(unit)) => format!("{limit} {}", unit.value),
                    };
                    rows.insert(row.what.value.clone(), (words, place(side, row.span)));
                }
            }
            rows
        };
        let (old, new) = (rows(self.old), rows(self.new));
        self.lists(Subject::Budget, &old, &new, |what, limit| format!("budget `{what}` <= {limit}"));
    }

    pub(super) fn acceptances(&mut self) {
        let rows = |side: Side<'_>| -> BTreeMap<String, (String, At)> {
            let mut rows = BTreeMap::new();
            for item in &side.spec.items {
                let ast::Item::Accept(accept) = item else { continue };
                let part = accept.part.as_ref().map(|part| format!(".{}", quoted(&part.value)));
                let key =
                    format!("{} on {}{}", accept.code.value, accept.item.value, part.unwrap_or_default());
                let words = format!(
                    "until {} because {} by {}",
                    accept.until.value,
                    quoted(&accept.because.value),
                    quoted(&accept.by.value)
                );
                rows.insert(key, (words, place(side, accept.span)));
            }
            rows
        };
        let (old, new) = (rows(self.old), rows(self.new));
        self.lists(Subject::Acceptance, &old, &new, |what, words| format!("`{what}` is accepted {words}"));
    }

    pub(super) fn open(&mut self) {
        let rows = |side: Side<'_>| -> BTreeMap<String, (String, At)> {
            let row = |open: &crate::lang::plan::Open| {
                let (file, line) = side.plan.place(open.line);
                let file = if file.is_empty() { side.text.name() } else { file };
                let at = At { file: file.to_owned(), line };
                (format!("{} {}", open.kind, open.what), (String::new(), at))
            };
            side.plan.open.iter().map(row).collect()
        };
        let (old, new) = (rows(self.old), rows(self.new));
        self.lists(Subject::Open, &old, &new, |what, _| format!("`{what}` waits for a decision"));
    }

    /// Two lists by key: what is new, gone, changed.
    fn lists(
        &mut self,
        subject: Subject,
        old: &BTreeMap<String, (String, At)>,
        new: &BTreeMap<String, (String, At)>,
        words: impl Fn(&str, &str) -> String,
    ) {
        let word = match subject {
            Subject::Budget => "budget",
            Subject::Acceptance => "accept",
            _ => "open",
        };
        for (key, (is, at)) in new {
            let id = format!("{word} {key}");
            match old.get(key) {
                None => {
                    let what = format!("new: {}", words(key, is));
                    self.note(subject, Action::Added, id, what, (None, Some(at.clone())));
                }
                Some((was, before)) if was != is => {
                    let what = format!("{}, and was {was}", words(key, is));
                    self.note(subject, Action::Changed, id, what, (Some(before.clone()), Some(at.clone())));
                }
                Some(_) => {}
            }
        }
        for (key, (was, at)) in old.iter().filter(|(key, _)| !new.contains_key(*key)) {
            let what = format!("gone: {}", words(key, was));
            self.note(subject, Action::Removed, format!("{word} {key}"), what, (Some(at.clone()), None));
        }
    }
}
