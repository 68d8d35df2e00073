//! Refining the body of a map or a flatten: single lines of a profile are replaced, added, or count no more.

use std::collections::BTreeSet;

use super::walk::{exprs, fields, word};
use super::{LayerLine, LineHow, words};
use crate::lang::syntax::ast::{FieldPattern, MapLine, Rule, RuleTarget};
use crate::lang::text::{SourceText, Span};

/// The place of a line.
pub(super) fn span_of(line: &MapLine) -> Span {
    match line {
        MapLine::Key(key) => key.span,
        MapLine::OnExisting(on) => on.span,
        MapLine::OnDelete(on) => on.span,
        MapLine::Rule(rule) => rule.span,
        MapLine::Note(note) => note.span,
        MapLine::Drop(drop) => drop.span,
        MapLine::MatchExisting { span, .. }
        | MapLine::Where { span, .. }
        | MapLine::Gap { span, .. }
        | MapLine::Pick { span, .. }
        | MapLine::Orphan { span, .. }
        | MapLine::Todo { span, .. } => *span,
    }
}

/// What a rule writes.
pub(super) fn target(rule: &Rule) -> &str {
    match &rule.target {
        RuleTarget::Field(name) => &name.value,
        RuleTarget::Custom { label, .. } => &label.value,
    }
}

/// What tells a line from the others of its body; `None` for lines that add up.
fn identity(line: &MapLine, text: &SourceText) -> Option<(&'static str, String)> {
    let alone = |word| Some((word, String::new()));
    match line {
        MapLine::Key(_) => alone("key"),
        MapLine::MatchExisting { .. } => alone("match existing"),
        MapLine::OnExisting(_) => alone("on existing"),
        MapLine::OnDelete(_) => alone("on delete"),
        MapLine::Where { .. } => alone("where"),
        MapLine::Pick { .. } => alone("pick"),
        MapLine::Orphan { .. } => alone("orphan"),
        MapLine::Rule(rule) => Some(("rule", target(rule).to_owned())),
        MapLine::Note(note) => Some(("note", text.slice(note.title.span).to_owned())),
        MapLine::Gap { .. } | MapLine::Drop(_) | MapLine::Todo { .. } => None,
    }
}

/// The fields of a line that is about fields as such.
pub(super) fn patterns(line: &MapLine) -> Option<&[FieldPattern]> {
    match line {
        MapLine::Gap { fields, .. } | MapLine::Todo { fields, .. } => Some(fields),
        MapLine::Drop(drop) => Some(&drop.fields),
        _ => None,
    }
}

/// The same, to change them.
pub(super) fn patterns_mut(line: &mut MapLine) -> Option<&mut Vec<FieldPattern>> {
    match line {
        MapLine::Gap { fields, .. } | MapLine::Todo { fields, .. } => Some(fields),
        MapLine::Drop(drop) => Some(&mut drop.fields),
        _ => None,
    }
}

/// The fields of the record at hand that a line reads; those after `derived from` only say why.
pub(super) fn reads(line: &MapLine) -> BTreeSet<&str> {
    let mut read = BTreeSet::new();
    for expr in exprs(line) {
        fields(expr, &mut |field| {
            if field.object.is_none() {
                read.insert(word(&field.field));
            }
        });
    }
    read
}

/// A line's first words.
fn name(text: &SourceText, line: &MapLine) -> String {
    let words = words(text, span_of(line));
    match line {
        MapLine::Key(_) => format!("key {words}"),
        _ => words,
    }
}

/// The lines of a profile's body with what refines them.
pub(super) fn refine(base: &[MapLine], own: &[MapLine], text: &SourceText) -> (Vec<MapLine>, Vec<LayerLine>) {
    let settled: BTreeSet<&str> = own
        .iter()
        .filter_map(patterns)
        .flatten()
        .filter(|pattern| !pattern.glob)
        .map(|pattern| word(&pattern.field))
        .collect();
    let read: BTreeSet<&str> = own.iter().flat_map(reads).collect();
    let mut used = vec![false; own.len()];
    let mut body = Vec::new();
    let mut layers = Vec::new();
    for line in base {
        let at = span_of(line);
        let what = name(text, line);
        let identity_of = identity(line, text);
        let replacing = identity_of
            .as_ref()
            .and_then(|wanted| own.iter().position(|own| identity(own, text).as_ref() == Some(wanted)));
        if let Some(index) = replacing {
            used[index] = true;
            body.push(own[index].clone());
            let now = span_of(&own[index]);
            layers.push(LayerLine {
                what: words(text, now),
                how: LineHow::Replaced,
                at: now,
                base: Some(at),
            });
            continue;
        }
        let mut line = line.clone();
        let gone = match patterns_mut(&mut line) {
            // The spec says itself what becomes of these fields.
            Some(fields) => {
                fields.retain(|pattern| {
                    pattern.glob || {
                        let name = word(&pattern.field);
                        !settled.contains(name) && !read.contains(name)
                    }
                });
                fields.is_empty()
            }
            // A rule that reads nothing but fields which the spec drops has nothing left to say.
            None => {
                let reads = reads(&line);
                matches!(line, MapLine::Rule(_) | MapLine::Note(_))
                    && !reads.is_empty()
                    && reads.iter().all(|field| settled.contains(field))
            }
        };
        layers.push(LayerLine {
            what,
            how: if gone { LineHow::Removed } else { LineHow::Profile },
            at,
            base: None,
        });
        if !gone {
            body.push(line);
        }
    }
    for (line, _) in own.iter().zip(used).filter(|(_, used)| !used) {
        let at = span_of(line);
        layers.push(LayerLine { what: name(text, line), how: LineHow::Added, at, base: None });
        body.push(line.clone());
    }
    (body, layers)
}
