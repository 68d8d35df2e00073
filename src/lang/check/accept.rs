//! Acceptances: dated, attributed exceptions for findings that a person has agreed to.

use jiff::civil::Date;

use super::cover::no_map;
use super::items::Items;
use super::names::nearest;
use crate::lang::finding::{Applicability, Code, Edit, Finding, Fix, registry as codes};
use crate::lang::syntax::ast::{self, Item, MapLine, RuleTarget, Spec};
use crate::lang::text::{SourceText, Span};

/// A finding that somebody has agreed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The finding, which no longer counts.
    pub finding: Finding,
    /// Who says so.
    pub by: String,
    /// Why.
    pub because: String,
    /// The last day on which it counts.
    pub until: Date,
    /// Where the acceptance stands.
    pub span: Span,
}

/// Whether findings of a code may be accepted: with any other the run itself would be wrong.
fn acceptable(code: Code) -> bool {
    let short = code.as_str().trim_start_matches("B2N-");
    short.starts_with('L') || short.starts_with('W') || code == codes::BUDGET_EXCEEDED
}

/// Takes out what acceptances cover, and adds what is wrong with the acceptances themselves.
///
/// Where the check is not `whole`, for want of a schema or since lines could not be read, nothing is said of acceptances
/// that match no finding.
pub(super) fn accept(
    items: &Items<'_>,
    spec: &Spec,
    text: &SourceText,
    today: Date,
    whole: bool,
    findings: &mut Vec<Finding>,
) -> Vec<Accepted> {
    let mut accepted = Vec::new();
    let mut wrong = Vec::new();
    for accept in &items.accepts {
        let Some(code) = Code::parse(&accept.code.value) else {
            let names: Vec<&str> = codes::ALL.iter().map(|code| code.as_str()).collect();
            let help = match nearest(&accept.code.value, names.into_iter()) {
                Some(meant) => format!("did this mean `{meant}`?"),
                None => "`b2n check` prints the code of each finding".to_owned(),
            };
            wrong.push(
                Finding::new(
                    codes::ACCEPTANCE_UNMATCHED,
                    format!("there is no finding code `{}`", accept.code.value),
                )
                .at(accept.code.span, "no such code")
                .help(help),
            );
            continue;
        };
        if !acceptable(code) {
            wrong.push(
                Finding::new(
                    codes::ACCEPTANCE_UNMATCHED,
                    format!("a finding of `{code}` cannot be accepted"),
                )
                .at(accept.code.span, "the run would be wrong")
                .help("settle what it is about; losses, warnings and budgets can be accepted"),
            );
            continue;
        }
        let until = accept.until.value;
        if until < today {
            wrong.push(
                Finding::new(
                    codes::ACCEPTANCE_EXPIRED,
                    format!("the acceptance of `{code}` expired on {until}"),
                )
                .at(accept.until.span, "the day lies behind")
                .note(format!("agreed by {}: {}", accept.by.value, accept.because.value))
                .help("settle what it is about and remove the line, or agree on another day"),
            );
            continue;
        }
        let places = places(spec, text, accept);
        let before = accepted.len();
        findings.retain(|finding| {
            let covers = finding.code == code
                && match &finding.label {
                    Some(label) => places
                        .iter()
                        .any(|place| place.start <= label.span.start && label.span.end <= place.end),
                    None => accept.part.is_none() && finding.message.starts_with(&no_map(&accept.item.value)),
                };
            if covers {
                accepted.push(Accepted {
                    finding: finding.clone(),
                    by: accept.by.value.clone(),
                    because: accept.because.value.clone(),
                    until,
                    span: accept.span,
                });
            }
            !covers
        });
        if whole && accepted.len() == before {
            wrong.push(unmatched(spec, accept, code, places.is_empty()));
        }
    }
    findings.extend(wrong);
    accepted
}

fn unmatched(spec: &Spec, accept: &ast::Accept, code: Code, nowhere: bool) -> Finding {
    let shown = match &accept.part {
        Some(part) => format!("{}.{}", accept.item.value, part.value),
        None => accept.item.value.clone(),
    };
    let item = spec.items.iter().any(|item| named(item, &accept.item.value));
    let (label, help) = if nowhere && item {
        ("no such line", "name the destination field, the label or the code of the row".to_owned())
    } else if nowhere {
        let names = spec.items.iter().filter_map(name);
        let help = match nearest(&accept.item.value, names) {
            Some(meant) => format!("did this mean `{meant}`?"),
            None => "name a map, table, pipeline, flatten, `owners` or `budget`".to_owned(),
        };
        ("no such item", help)
    } else {
        ("it was settled, or stands elsewhere", "remove the line, or correct its place".to_owned())
    };
    let finding = Finding::new(codes::ACCEPTANCE_UNMATCHED, format!("`{shown}` has no finding `{code}`"))
        .at(accept.item.span.to(accept.part.as_ref().map_or(accept.item.span, |part| part.span)), label)
        .help(help);
    if nowhere {
        return finding;
    }
    finding.fix(Fix {
        title: "remove the acceptance".to_owned(),
        edits: vec![Edit { span: accept.span, text: String::new() }],
        applicability: Applicability::Likely,
    })
}

fn name(item: &Item) -> Option<&str> {
    Some(match item {
        Item::Owners(_) => "owners",
        Item::Budget(_) => "budget",
        Item::Function(item) => &item.name.value,
        Item::Table(item) => &item.name.value,
        Item::Pipeline(item) => &item.name.value,
        Item::Map(item) => &item.name().value,
        Item::Split(item) => &item.source.name.value,
        Item::Flatten(item) => &item.source.name.value,
        _ => return None,
    })
}

fn named(item: &Item, wanted: &str) -> bool {
    name(item) == Some(wanted)
}

/// The places that an acceptance names.
fn places(spec: &Spec, text: &SourceText, accept: &ast::Accept) -> Vec<Span> {
    let mut places = Vec::new();
    for item in spec.items.iter().filter(|item| named(item, &accept.item.value)) {
        let lines = lines(item, text);
        match &accept.part {
            Some(part) => {
                let of_part = lines.into_iter().filter(|(names, _)| names.contains(&part.value.as_str()));
                places.extend(of_part.map(|(_, span)| span));
            }
            None => {
                // A refined item's lines lie in several files.
                places.extend(whole(item));
                places.extend(lines.into_iter().map(|(_, span)| span));
            }
        }
    }
    places
}

fn whole(item: &Item) -> Option<Span> {
    Some(match item {
        Item::Owners(item) => item.span,
        Item::Budget(item) => item.span,
        Item::Function(item) => item.span,
        Item::Table(item) => item.span,
        Item::Pipeline(item) => item.span,
        Item::Map(item) => item.span,
        Item::Split(item) => item.span,
        Item::Flatten(item) => item.span,
        _ => return None,
    })
}

/// The lines of an item with the names by which they can be called.
fn lines<'s>(item: &'s Item, text: &'s SourceText) -> Vec<(Vec<&'s str>, Span)> {
    let codes = |codes: &'s [ast::Coded]| -> Vec<&'s str> {
        codes
            .iter()
            .flat_map(|coded| coded.code.iter().chain(&coded.title))
            .map(|n| n.value.as_str())
            .collect()
    };
    match item {
        Item::Table(table) => table.rows.iter().map(|row| (codes(&row.codes), row.span)).collect(),
        Item::Pipeline(item) => item.rows.iter().map(|row| (codes(&row.codes), row.span)).collect(),
        Item::Budget(budget) => {
            budget.rows.iter().map(|row| (vec![row.what.value.as_str()], row.span)).collect()
        }
        Item::Map(map) => body(&map.body, text),
        Item::Flatten(flatten) => body(&flatten.body, text),
        _ => Vec::new(),
    }
}

fn body<'s>(body: &'s [MapLine], text: &'s SourceText) -> Vec<(Vec<&'s str>, Span)> {
    let patterns = |fields: &'s [ast::FieldPattern]| -> Vec<&'s str> {
        let names = fields.iter().flat_map(|pattern| pattern.field.code.iter().chain(&pattern.field.title));
        names.map(|name| name.value.as_str()).collect()
    };
    body.iter()
        .filter_map(|line| {
            Some(match line {
                MapLine::Rule(rule) => match &rule.target {
                    RuleTarget::Field(name) => (vec![name.value.as_str()], rule.span),
                    RuleTarget::Custom { label, .. } => (vec![label.value.as_str()], rule.span),
                },
                MapLine::Note(note) => (vec![text.slice(note.title.span).trim_matches('"')], note.span),
                MapLine::Drop(drop) => (patterns(&drop.fields), drop.span),
                MapLine::Gap { fields, span, .. } | MapLine::Todo { fields, span, .. } => {
                    (patterns(fields), *span)
                }
                MapLine::Where { span, .. } => (vec!["where"], *span),
                MapLine::MatchExisting { span, .. } => (vec!["match existing"], *span),
                _ => return None,
            })
        })
        .collect()
}
