//! Fields that are not migrated: `drop` with its reasons, globs, `todo`.

use std::collections::{BTreeMap, BTreeSet};

use super::claims::About;
use super::types::Scope;
use super::{Checker, counts};
use crate::lang::finding::{Count, Finding, registry as codes};
use crate::lang::plan::Dropped;
use crate::lang::schema::Object;
use crate::lang::syntax::ast::{self, DropReason, FieldPattern};
use crate::lang::text::Span;
use crate::lang::types::Base;

/// What becomes of a map's source fields, for the coverage.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    /// Fields that are dropped, by slot, with the place and whether a glob did it.
    pub dropped: BTreeMap<usize, (Span, bool)>,
    /// Fields that wait for a decision.
    pub todo: Vec<usize>,
    /// Fields that are dropped as derived from others, with the slots of those.
    derived: Vec<(usize, Vec<usize>, Span)>,
    /// As the plan keeps it.
    pub plan: Vec<Dropped>,
}

impl<'a> Checker<'a> {
    pub(super) fn drop(&mut self, source: &'a Object, drop: &'a ast::Drop, accounts: &mut Accounts) {
        let mut origins = Vec::new();
        let reason = match &drop.reason {
            DropReason::Empty => "empty".to_owned(),
            DropReason::Declined(why) => why.value.clone(),
            DropReason::DerivedFrom(fields) => {
                origins = fields.iter().filter_map(|field| self.slot(source, &field.field)).collect();
                let names: Vec<&str> =
                    origins.iter().map(|slot| source.fields[*slot].name.as_str()).collect();
                format!("derived from {}", names.join(", "))
            }
        };
        for pattern in &drop.fields {
            let span = pattern.field.span;
            let slots = if pattern.glob {
                if drop.reason != DropReason::Empty {
                    self.glob_needs_empty(span);
                }
                self.globbed(source, pattern)
            } else {
                self.slot(source, &pattern.field).into_iter().collect()
            };
            for slot in slots {
                match &drop.reason {
                    DropReason::Empty => self.empty(source, slot, span),
                    DropReason::DerivedFrom(_) => {
                        self.more_than_its_origins(source, slot, &origins, span);
                        accounts.derived.push((slot, origins.clone(), span));
                    }
                    DropReason::Declined(why) => {
                        let about = match drop.fields.len() {
                            1 if speaks_of_values(&why.value) => About::Filled,
                            _ => About::Other,
                        };
                        let field = (drop.fields.len() == 1).then(|| &source.fields[slot]);
                        self.check_claims(why, Some(source), field, about);
                    }
                }
                match accounts.dropped.get(&slot) {
                    // A name after a glob that covers it says more than the glob.
                    Some((_, true)) => {}
                    Some((first, false)) if !pattern.glob => {
                        let first = *first;
                        self.add(
                            Finding::new(
                                codes::DUPLICATE_ITEM,
                                format!("`{}` is dropped twice", source.fields[slot].name),
                            )
                            .at(span, "the second time")
                            .and_at(first, "the first time")
                            .help("keep one of them"),
                        );
                    }
                    Some(_) => {}
                    None => {
                        accounts.dropped.insert(slot, (span, pattern.glob));
                        accounts.plan.push(Dropped {
                            field: source.fields[slot].name.clone(),
                            reason: reason.clone(),
                            gap: false,
                            line: self.line(drop.span),
                        });
                    }
                }
            }
        }
    }

    pub(super) fn glob_needs_empty(&mut self, span: Span) {
        self.add(
            Finding::new(codes::GLOB_NEEDS_EMPTY, "a `*` may only drop fields that are empty")
                .at(span, "drops fields that nobody has seen yet")
                .help("name the fields, or write `empty`, which is checked against the statistics"),
        );
    }

    /// A field that is filled in more records than what it is said to be derived from.
    fn more_than_its_origins(&mut self, source: &'a Object, slot: usize, origins: &[usize], span: Span) {
        let field = &source.fields[slot];
        // Yes-or-no fields, numbers and codes say something where what they are made of has no value.
        let counts_presence = !matches!(
            field.ty.base,
            Base::Bool | Base::Integer | Base::Decimal | Base::Money | Base::Enum(_) | Base::Stage
        );
        let filled = |slot: usize| source.fields[slot].stats.as_ref().map(|stats| stats.filled);
        let known: Option<u64> = origins.iter().map(|slot| filled(*slot)).sum();
        let (Some(has), Some(most)) = (filled(slot), known.filter(|_| !origins.is_empty())) else { return };
        if !counts_presence || has <= most {
            return;
        }
        let names: Vec<String> =
            origins.iter().map(|slot| format!("`{}`", source.fields[*slot].name)).collect();
        self.add(
            Finding::new(
                codes::CLAIM_CONTRADICTED,
                format!("`{}` cannot be derived from {}", field.name, names.join(", ")),
            )
            .at(
                span,
                format!(
                    "{}, and {} in at most {}",
                    filled_of(has, source),
                    names.join(", "),
                    counts::grouped(most)
                ),
            )
            .note(self.source_note())
            .count(Count::Between { at_least: has - most, at_most: has })
            .help("read it in a rule, or give another reason: `declined \"…\"`"),
        );
    }

    /// Fields that are said to be derived from others that do not arrive.
    fn lost_origins(&mut self, source: &'a Object, scope: &Scope<'a>, accounts: &Accounts) {
        let origins_of: BTreeMap<usize, &Vec<usize>> =
            accounts.derived.iter().map(|(slot, origins, _)| (*slot, origins)).collect();
        let read = |slot: usize| u16::try_from(slot).is_ok_and(|slot| scope.reads.contains_key(&slot));
        // What arrives: what is read, and what is derived from that.
        let mut arrives: BTreeMap<usize, bool> = BTreeMap::new();
        for start in origins_of.keys() {
            let mut path = vec![*start];
            let mut seen = BTreeSet::from([*start]);
            let mut found = false;
            while let Some(slot) = path.pop() {
                for origin in origins_of.get(&slot).into_iter().flat_map(|origins| origins.iter()) {
                    found |= read(*origin);
                    if seen.insert(*origin) {
                        path.push(*origin);
                    }
                }
            }
            arrives.insert(*start, found);
        }
        for (slot, origins, span) in &accounts.derived {
            for origin in origins {
                let gone = accounts.dropped.get(origin).map(|(at, _)| (*at, "dropped"));
                let open = accounts.todo.contains(origin).then_some((*span, "left open by a `todo`"));
                let itself = slot == origin;
                let Some((at, word)) = gone.or(open) else { continue };
                if !itself && (read(*origin) || arrives.get(origin) == Some(&true)) {
                    continue;
                }
                let (field, origin) = (&source.fields[*slot].name, &source.fields[*origin].name);
                let message = match itself {
                    true => format!("`{field}` is dropped as derived from itself"),
                    false => format!("`{field}` is dropped as derived from `{origin}`, which is {word}"),
                };
                let finding = Finding::new(codes::DERIVED_FROM_LOST, message)
                    .at(*span, "neither of the two arrives")
                    .help(format!("read `{origin}` in a rule, or give another reason: `declined \"…\"`"));
                let finding = if at == *span { finding } else { finding.and_at(at, word) };
                self.add(finding);
            }
        }
    }

    /// The fields that a glob stands for.
    fn globbed(&mut self, source: &'a Object, pattern: &FieldPattern) -> Vec<usize> {
        let Some(code) = &pattern.field.code else { return Vec::new() };
        let slots: Vec<usize> =
            (0..source.fields.len()).filter(|slot| glob(&code.value, &source.fields[*slot].name)).collect();
        if slots.is_empty() {
            self.add(
                Finding::new(
                    codes::DEAD_ROW,
                    format!("no field of `{}` is named like `{}`", source.name, code.value),
                )
                .at(code.span, "drops nothing")
                .note(self.source_note())
                .help("remove it"),
            );
        }
        slots
    }

    /// Checks a claim that a field is empty.
    fn empty(&mut self, source: &'a Object, slot: usize, span: Span) {
        let field = &source.fields[slot];
        let Some(filled) = field.stats.as_ref().map(|stats| stats.filled).filter(|filled| *filled > 0) else {
            return;
        };
        self.add(
            Finding::new(codes::DROP_NOT_EMPTY, format!("`{}` is dropped as empty, and is not", field.name))
                .at(span, filled_of(filled, source))
                .note(self.source_note())
                .count(counts::exact(Some(filled)))
                .help(format!("read it in a rule, or say why not: `drop {} declined \"…\"`", field.name)),
        );
    }

    pub(super) fn todo(
        &mut self,
        source: &'a Object,
        fields: &'a [FieldPattern],
        why: &str,
        span: Span,
        accounts: &mut Accounts,
    ) {
        let mut filled = Some(0);
        let mut names = Vec::new();
        for pattern in fields {
            let slots = if pattern.glob {
                self.globbed(source, pattern)
            } else {
                self.slot(source, &pattern.field).into_iter().collect()
            };
            for slot in slots {
                let field = &source.fields[slot];
                names.push(format!("`{}`", field.name));
                filled = filled.zip(field.stats.as_ref()).map(|(sum, stats)| sum.max(stats.filled));
                accounts.todo.push(slot);
            }
        }
        let label = match (filled, names.len()) {
            (Some(filled), 1) => filled_of(filled, source),
            _ => "waits for a decision".to_owned(),
        };
        let count = if names.len() == 1 { counts::exact(filled) } else { Count::Unknown };
        let message = match names.len() {
            0 => format!("a `todo` is open: {why}"),
            _ => format!(
                "{} {} to be settled: {why}",
                names.join(", "),
                if names.len() == 1 { "is" } else { "are" }
            ),
        };
        self.add(
            Finding::new(codes::TODO_OPEN, message)
                .at(span, label)
                .count(count)
                .help("write a rule that reads it, or `drop` it with a reason"),
        );
    }

    pub(super) fn dropped_and_read(&mut self, source: &'a Object, scope: &Scope<'a>, accounts: &Accounts) {
        self.lost_origins(source, scope, accounts);
        self.lost_in_arms(source, scope);
        for (slot, (span, _)) in &accounts.dropped {
            let read = u16::try_from(*slot).is_ok_and(|slot| scope.reads.contains_key(&slot));
            let todo = accounts.todo.contains(slot);
            if read || todo {
                let word = if read { "read" } else { "left open by a `todo`" };
                self.add(
                    Finding::new(
                        codes::DROPPED_AND_READ,
                        format!("`{}` is dropped, and also {word} in this map", source.fields[*slot].name),
                    )
                    .at(*span, "dropped here")
                    .help("remove one of the two"),
                );
            }
        }
    }
}

/// Whether a reason speaks of how many records have a value.
fn speaks_of_values(why: &str) -> bool {
    ["value", "filled", "have it", "has it", "have one", "has one"].iter().any(|words| why.contains(words))
}

/// `412 of 3 000 companies have a value`
pub(super) fn filled_of(filled: u64, object: &Object) -> String {
    let noun = counts::plural(&object.name);
    let have = if filled == 1 { "has" } else { "have" };
    match object.records {
        Some(records) => {
            format!("{} of {} {noun} {have} a value", counts::grouped(filled), counts::grouped(records))
        }
        None => format!("{} {noun} {have} a value", counts::grouped(filled)),
    }
}

/// Whether a name fits a pattern in which `*` stands for any characters.
pub(super) fn glob(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn globs_stand_for_any_characters() {
        assert!(glob("UF_CRM_OLD_*", "UF_CRM_OLD_CODE"));
        assert!(glob("UF_*_OLD", "UF_CRM_OLD"));
        assert!(glob("*", "X"));
        assert!(!glob("UF_CRM_OLD_*", "UF_CRM_NEW_CODE"));
        assert!(!glob("A*B*C", "ABD"));
        assert!(glob("A*B*C", "AxBxC"));
        assert!(!glob("AB*BA", "ABA"));
    }
}
