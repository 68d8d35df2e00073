//! Coverage: every field of a mapped source object is read or dropped; every object with records is mapped.

use std::collections::{BTreeMap, BTreeSet};

use super::drops::{Accounts, filled_of};
use super::types::Scope;
use super::{Checker, counts};
use crate::lang::finding::{Applicability, Edit, Finding, Fix, registry as codes};
use crate::lang::plan;
use crate::lang::schema::Object;
use crate::lang::syntax::ast;
use crate::lang::text::Span;

/// Which fields of which source objects are accounted for.
#[derive(Debug, Default)]
pub(super) struct Covered {
    /// By object: the first map that reads it, and the slots.
    objects: BTreeMap<String, (usize, BTreeSet<usize>)>,
    /// Slots of objects that are folded in, with the place of the flatten.
    folded: BTreeMap<String, (Span, Span, BTreeSet<usize>)>,
    /// Fields that a misspelt name probably means: one slip is one finding.
    guessed: BTreeSet<(String, usize)>,
    /// Objects that a misspelt name probably means.
    objects_meant: BTreeSet<String>,
}

impl Covered {
    /// Notes which object a misspelt name probably means.
    pub(super) fn meant(&mut self, object: &str) {
        self.objects_meant.insert(object.to_owned());
    }
}

impl<'a> Checker<'a> {
    /// Notes what a map accounts for.
    pub(super) fn account<'s>(
        &mut self,
        map: usize,
        source: &Object,
        scope: &Scope<'a>,
        others: impl Iterator<Item = &'s usize>,
    ) {
        let entry = self.covered.objects.entry(source.name.clone()).or_insert_with(|| (map, BTreeSet::new()));
        entry.1.extend(scope.reads.keys().map(|slot| usize::from(*slot)));
        entry.1.extend(others);
    }

    /// Notes what a flatten reads of the record that takes others in.
    pub(super) fn account_slots(&mut self, map: usize, source: &Object, slots: impl Iterator<Item = u16>) {
        let entry = self.covered.objects.entry(source.name.clone()).or_insert_with(|| (map, BTreeSet::new()));
        entry.1.extend(slots.map(usize::from));
    }

    /// Notes what a flatten accounts for.
    pub(super) fn account_folded(
        &mut self,
        flatten: &'a ast::Flatten,
        source: &Object,
        scope: &Scope<'a>,
        accounts: &Accounts,
    ) {
        let empty = || (flatten.head, flatten.span, BTreeSet::new());
        let entry = self.covered.folded.entry(source.name.clone()).or_insert_with(empty);
        entry.2.extend(scope.reads.keys().map(|slot| usize::from(*slot)));
        entry.2.extend(accounts.dropped.keys().chain(&accounts.todo));
    }

    /// Notes which field a misspelt name probably means.
    pub(super) fn guess(&mut self, object: &Object, slot: usize) {
        self.covered.guessed.insert((object.name.clone(), slot));
    }

    /// Notes a field that a name probably means.
    pub(super) fn guess_named(&mut self, object: &Object, name: &str) {
        if let Some(slot) = object.slot(name) {
            self.guess(object, slot);
        }
    }

    /// Notes that a name which stands in the wrong place means a field of any object that has it.
    pub(super) fn guess_everywhere(&mut self, name: &str) {
        let source = self.source;
        for object in &source.objects {
            self.guess_named(object, name);
        }
    }

    /// Reports what no map accounts for.
    pub(super) fn coverage(&mut self, maps: &[plan::Map]) {
        let covered = std::mem::take(&mut self.covered);
        for (name, (map, slots)) in &covered.objects {
            let Some(object) = self.source.object(name) else { continue };
            // Records that cannot be created need another map first; of a block whose end is not known, no line is missing.
            let creatable = self.heads[*map].target.is_none_or(|target| target.creatable);
            if !creatable || self.ends_nowhere(self.maps[*map].head) {
                continue;
            }
            for slot in (0..object.fields.len()).filter(|slot| !slots.contains(slot)) {
                if !covered.guessed.contains(&(name.clone(), slot)) {
                    let (head, span) = (self.maps[*map].head, self.maps[*map].span);
                    self.unused(object, slot, head, span);
                }
            }
        }
        for (name, (head, span, slots)) in &covered.folded {
            let Some(object) = self.source.object(name) else { continue };
            // A map of the same object may account for a field as well.
            let mapped = covered.objects.get(name).map(|(_, slots)| slots);
            for slot in (0..object.fields.len()).filter(|slot| !slots.contains(slot)) {
                let elsewhere = mapped.is_some_and(|slots| slots.contains(&slot));
                if !elsewhere && !covered.guessed.contains(&(name.clone(), slot)) {
                    self.unused(object, slot, *head, *span);
                }
            }
        }
        let folded = std::mem::take(&mut self.folded);
        let mapped: BTreeSet<&str> =
            maps.iter().map(|map| map.source.as_str()).chain(folded.iter().map(String::as_str)).collect();
        for object in &self.source.objects {
            let records = object.records.unwrap_or(0);
            let meant =
                covered.objects_meant.contains(&object.name) || self.mentioned(&object.name, Span::default());
            if records > 0 && !mapped.contains(object.name.as_str()) && !meant {
                // `process 1032` has no plural.
                let plural = if object.name.contains(' ') {
                    "records".to_owned()
                } else {
                    counts::plural(&object.name)
                };
                self.add(
                    Finding::new(
                        codes::OBJECT_NOT_MAPPED,
                        format!(
                            "{}: {} {plural} stay behind",
                            no_map(&object.name),
                            counts::grouped(records)
                        ),
                    )
                    .note(self.source_note())
                    .count(counts::exact(Some(records)))
                    .help(format!(
                        "write `map {} -> … {{ … }}`, or agree with the customer that they stay",
                        object.name
                    )),
                );
            }
        }
    }

    fn unused(&mut self, object: &'a Object, slot: usize, head: Span, item: Span) {
        let field = &object.fields[slot];
        let unread = self.unread(item);
        if self.unread_head("split", &field.name) || self.unread_head("flatten", &field.name) {
            return;
        }
        if unread.mentions(&field.name) || field.title.as_ref().is_some_and(|title| unread.mentions(title)) {
            return;
        }
        let title = field.title.as_ref().map(|title| format!(" `{title}`")).unwrap_or_default();
        let filled = field.stats.as_ref().map(|stats| stats.filled);
        let label = match filled {
            Some(0) => "no record has a value".to_owned(),
            Some(filled) => filled_of(filled, object),
            None => "nothing says what becomes of it".to_owned(),
        };
        let mut finding = Finding::new(
            codes::SOURCE_FIELD_UNUSED,
            format!("`{}`{title} of `{}` is neither read nor dropped", field.name, object.name),
        )
        .at(head, label)
        .note(self.source_note())
        .count(counts::exact(filled));
        if filled == Some(0) {
            finding = finding.help(format!("drop it:\ndrop {}{title} empty", field.name));
            if let Some(at) = self.before_brace(item) {
                finding = finding.fix(Fix {
                    title: format!("drop `{}` as empty", field.name),
                    edits: vec![Edit {
                        span: Span { start: at, end: at },
                        text: format!("  drop {}{title} empty\n", field.name),
                    }],
                    applicability: Applicability::Safe,
                });
            }
        } else {
            finding = finding.help(format!(
                "read it in a rule, or say why not:\ndrop {}{title} declined \"…\"",
                field.name
            ));
        }
        self.add(finding);
    }
}

/// How the finding of an object that stays behind begins.
pub(super) fn no_map(object: &str) -> String {
    format!("no map reads `{object}`")
}
