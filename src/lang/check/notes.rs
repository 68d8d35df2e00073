//! Notes that go with records, and fields that have no place in the destination.

use std::collections::HashMap;

use super::Checker;
use super::drops::Accounts;
use super::fit::Place;
use super::types::Scope;
use crate::lang::finding::{Finding, registry as codes};
use crate::lang::plan;
use crate::lang::schema::Object;
use crate::lang::syntax::ast::{self, FieldPattern, Item, MapLine, RuleTarget, Spec};
use crate::lang::text::{Span, Spanned};
use crate::lang::types::{Base, Fidelity, Type};

/// The destination object that notes are, and its fields.
const NOTE: &str = "Note";
const PARENT: &str = "parent";
const BODY: &str = "body";

/// Notes as rules, by their place, so that what holds for the values and clauses of rules holds for theirs.
pub(super) type NoteRules = HashMap<Span, ast::Rule>;

/// The notes of a spec as rules.
pub(super) fn note_rules(spec: &Spec) -> NoteRules {
    let bodies = spec.items.iter().filter_map(|item| match item {
        Item::Map(map) => Some(&map.body),
        Item::Flatten(flatten) => Some(&flatten.body),
        _ => None,
    });
    let notes = bodies.flatten().filter_map(|line| match line {
        MapLine::Note(note) => Some(note),
        _ => None,
    });
    notes
        .map(|note| {
            let rule = ast::Rule {
                proposed: note.proposed.clone(),
                target: RuleTarget::Field(Spanned::new("note".to_owned(), note.title.span)),
                value: note.value.clone(),
                clauses: note.clauses.clone(),
                span: note.span,
            };
            (note.span, rule)
        })
        .collect()
}

/// Where a note stands.
pub(super) struct NotePlace<'n, 'a> {
    /// The destination object whose records it goes with.
    pub object: Option<&'a Object>,
    /// The map or flatten, for messages.
    pub item: &'n str,
    /// Whether it stands in a flatten.
    pub folded: bool,
}

impl<'a> Checker<'a> {
    /// Checks a note; links in it are left in `scope.links`.
    pub(super) fn note(
        &mut self,
        scope: &mut Scope<'a>,
        note: &'a ast::Note,
        at: &NotePlace<'_, 'a>,
        before: &[plan::Note],
    ) -> Option<plan::Note> {
        let body = at.object.map(|object| self.notes_of(object, note.title.span));
        let title = self.note_title(scope, &note.title);
        let rules = self.note_rules;
        let rule = rules.get(&note.span)?;
        let place = Place {
            name: "a note".to_owned(),
            ty: match body.flatten() {
                Some(ty) => Type { optional: true, ..ty },
                None => Type::text().or_absent(),
            },
            choices: None,
        };
        let loss = if at.folded { Fidelity::Summarised } else { Fidelity::Exact };
        scope.links.clear();
        let rule = self.note_rule(scope, place, rule, loss);
        if let Some(for_each) = &note.for_each {
            if !at.folded {
                self.add(
                    Finding::new(codes::LINE_NOT_HERE, "`for each` has no meaning in a map")
                        .at(for_each.span, "one record, one note")
                        .help("leave it out; in a `flatten` it makes a note of each folded record"),
                );
            }
            if let Some(most) = &for_each.at_most
                && most.value == 0
            {
                self.add(
                    Finding::new(codes::BAD_LITERAL, "`at most 0` would write no note at all")
                        .at(most.span, "at least 1")
                        .help("write how many notes one record may get, or remove the note"),
                );
            }
        }
        let name = self.quote(note.title.span).trim_matches('"').to_owned();
        if before.iter().any(|other| other.name == name) {
            self.add(
                Finding::new(codes::DUPLICATE_ITEM, format!("two notes of {} are titled `{name}`", at.item))
                    .at(note.title.span, "the second one")
                    .help("give it another title, so that each note is found again"),
            );
            return None;
        }
        Some(plan::Note {
            name,
            title: title?,
            rule: rule?,
            for_each: note.for_each.is_some(),
            at_most: note.for_each.as_ref().and_then(|each| each.at_most.as_ref()).map(|most| most.value),
        })
    }

    fn note_title(&mut self, scope: &mut Scope<'a>, title: &'a ast::Expr) -> Option<plan::Expr> {
        let typed = self.expr(scope, title)?;
        if typed.fails {
            self.add(
                Finding::new(codes::FAILURE_UNHANDLED, "a conversion in this title may fail")
                    .at(title.span, "may fail")
                    .help("name the field itself, or use a function that cannot fail"),
            );
            return None;
        }
        let place = Place { name: "a note's title".to_owned(), ty: Type::text().or_absent(), choices: None };
        self.fit(typed, &place, title.span).map(|typed| typed.expr)
    }

    /// What a note on this object's records takes; `None` where that was reported.
    fn notes_of(&mut self, object: &'a Object, at: Span) -> Option<Type> {
        let target = self.target;
        let note = target.object(NOTE).filter(|note| note.creatable);
        let takes = note.and_then(|note| note.field(PARENT)).is_some_and(|parent| match &parent.ty.base {
            Base::Ref(name) => *name == object.name,
            Base::AnyRef(names) => names.contains(&object.name),
            _ => false,
        });
        if takes {
            return note.and_then(|note| note.field(BODY)).map(|body| body.ty.clone());
        }
        self.add(
            Finding::new(
                codes::NOTES_NOT_TAKEN,
                format!("the destination takes no notes on `{}`", object.name),
            )
            .at(at, "nowhere to go")
            .note(self.target_note())
            .help("write the text into a field of the record"),
        );
        None
    }

    /// `gap FIELDS "why"`: accounted for, and listed in the gap report.
    pub(super) fn gap(
        &mut self,
        source: &'a Object,
        fields: &'a [FieldPattern],
        why: &ast::Name,
        span: Span,
        accounts: &mut Accounts,
    ) {
        for pattern in fields {
            if pattern.glob {
                self.add(
                    Finding::new(codes::GLOB_NEEDS_EMPTY, "a `*` may only drop fields that are empty")
                        .at(pattern.field.span, "speaks of fields that nobody has seen yet")
                        .help("name the fields"),
                );
                continue;
            }
            let Some(slot) = self.slot(source, &pattern.field) else { continue };
            match accounts.dropped.get(&slot) {
                Some((first, false)) => {
                    let first = *first;
                    self.add(
                        Finding::new(
                            codes::DUPLICATE_ITEM,
                            format!("`{}` is settled twice", source.fields[slot].name),
                        )
                        .at(pattern.field.span, "the second time")
                        .and_at(first, "the first time")
                        .help("keep one of them"),
                    );
                }
                Some((_, true)) => {}
                None => {
                    accounts.dropped.insert(slot, (pattern.field.span, false));
                    accounts.plan.push(plan::Dropped {
                        field: source.fields[slot].name.clone(),
                        reason: why.value.clone(),
                        gap: true,
                        line: self.line(span),
                    });
                }
            }
        }
    }

    /// A line that belongs into a block of another kind.
    pub(super) fn line_not_here(&mut self, span: Span, word: &str, block: &str, help: &str) {
        let first = Span { start: span.start, end: span.start + u32::try_from(word.len()).unwrap_or(0) };
        self.add(
            Finding::new(codes::LINE_NOT_HERE, format!("`{word}` has no meaning in a {block}"))
                .at(first, "not here")
                .help(help),
        );
    }

    /// What a person still has to decide: `proposed` and `todo`, in the order of the spec.
    pub(super) fn open(&mut self, spec: &'a Spec) -> Vec<plan::Open> {
        let mut open = Vec::new();
        for item in &spec.items {
            match item {
                Item::Map(map) => {
                    let object = self.source.object(&map.source.name.value);
                    self.open_lines(&map.name().value, object, &map.body, &mut open);
                }
                Item::Flatten(flatten) => {
                    let name = &flatten.source.name.value;
                    self.open_lines(name, self.source.object(name), &flatten.body, &mut open);
                }
                Item::Table(table) => {
                    for row in &table.rows {
                        self.proposed(&row.proposed, &table.name.value, &codes_of(&row.codes), &mut open);
                    }
                }
                Item::Pipeline(pipeline) => {
                    for row in &pipeline.rows {
                        self.proposed(&row.proposed, &pipeline.name.value, &codes_of(&row.codes), &mut open);
                    }
                }
                _ => {}
            }
        }
        open
    }

    fn open_lines(
        &mut self,
        item: &str,
        object: Option<&Object>,
        body: &'a [MapLine],
        open: &mut Vec<plan::Open>,
    ) {
        for line in body {
            match line {
                MapLine::Rule(rule) => {
                    let name = match &rule.target {
                        RuleTarget::Field(name) => &name.value,
                        RuleTarget::Custom { label, .. } => &label.value,
                    };
                    self.proposed(&rule.proposed, item, name, open);
                    if let ast::ExprKind::EachBlock { body, .. } = &rule.value.kind {
                        self.open_lines(&format!("{item}.{name}"), None, body, open);
                    }
                }
                MapLine::Note(note) => {
                    let title = self.quote(note.title.span).trim_matches('"');
                    self.proposed(&note.proposed, item, title, open);
                }
                MapLine::Todo { fields, span, .. } => {
                    for pattern in fields {
                        open.extend(named(pattern, object).into_iter().map(|field| plan::Open {
                            kind: "todo".to_owned(),
                            what: format!("{item}.{field}"),
                            line: self.line(*span),
                        }));
                    }
                }
                _ => {}
            }
        }
    }

    fn proposed(
        &mut self,
        score: &Option<Spanned<rust_decimal::Decimal>>,
        item: &str,
        part: &str,
        open: &mut Vec<plan::Open>,
    ) {
        let Some(score) = score else { return };
        let what = format!("{item}.{part}");
        self.add(
            Finding::new(codes::PROPOSED, format!("`{what}` was proposed, with a score of {}", score.value))
                .at(score.span, "not read yet")
                .help("compare it with the records, then remove the word and the score; `migrate` refuses it until then"),
        );
        open.push(plan::Open { kind: "proposed".to_owned(), what, line: self.line(score.span) });
    }

    /// Whether the title after an object is the object's.
    pub(super) fn object_title(&mut self, written: &ast::ObjectRef, object: &Object) {
        let Some(title) = &written.title else { return };
        if object.title.as_deref() == Some(title.value.as_str()) {
            return;
        }
        let finding = Finding::new(
            codes::TITLE_MISMATCH,
            format!("object `{}` is not titled `{}`", object.name, title.value),
        )
        .note(self.source_note());
        self.add(match &object.title {
            Some(real) => finding
                .at(title.span, format!("its title is `{real}`"))
                .help(format!("write `{real}`, or the object that `{}` belongs to", title.value)),
            None => finding.at(title.span, "it has no title").help("leave the title out"),
        });
    }
}

fn codes_of(codes: &[ast::Coded]) -> String {
    let name = |coded: &ast::Coded| {
        coded.code.as_ref().or(coded.title.as_ref()).map(|name| name.value.clone()).unwrap_or_default()
    };
    codes.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// The fields of an object that a pattern names, by their own names; what it says itself where there is no object.
fn named(pattern: &ast::FieldPattern, object: Option<&Object>) -> Vec<String> {
    let code = pattern.field.code.as_ref().map(|code| code.value.as_str());
    let title = pattern.field.title.as_ref().map(|title| title.value.as_str());
    let fits = |field: &&crate::lang::schema::Field| match code {
        Some(code) if pattern.glob => super::drops::glob(code, &field.name),
        Some(code) => field.name == code,
        None => title.is_some() && field.title.as_deref() == title,
    };
    let found: Vec<String> = object
        .iter()
        .flat_map(|object| object.fields.iter().filter(fits).map(|field| field.name.clone()))
        .collect();
    if found.is_empty() { code.or(title).map(str::to_owned).into_iter().collect() } else { found }
}
