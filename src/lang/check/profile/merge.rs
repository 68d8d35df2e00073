//! Refining an item of a profile: heads must agree, rows are replaced by their codes.

use std::collections::BTreeSet;

use super::walk::word;
use super::{LayerLine, LineHow, body, words};
use crate::lang::finding::{Finding, registry as codes};
use crate::lang::syntax::ast::{
    Coded, Flatten, Item, Map, Mode, Pipeline, StageRow, Table, TableRow, TableTarget,
};
use crate::lang::text::{SourceText, Span};

/// The profile's item with the changes of the spec's; `None` where that was reported.
pub(super) fn refine(
    base: &Item,
    own: &Item,
    mode: Span,
    text: &SourceText,
    findings: &mut Vec<Finding>,
) -> Option<(Item, Vec<LayerLine>)> {
    let mut heads = Heads { text, findings, agree: true };
    let refined = match (base, own) {
        (Item::Map(base), Item::Map(own)) => {
            heads.same(&base.source.name.value, &own.source.name.value, own.source.name.span);
            heads.same(&base.target.value, &own.target.value, own.target.span);
            let (lines, layers) = body::refine(&base.body, &own.body, text);
            (Item::Map(Map { mode: Mode::Own, body: lines, ..own.clone() }), layers)
        }
        (Item::Flatten(base), Item::Flatten(own)) => {
            heads.same(&base.into.value, &own.into.value, own.into.span);
            heads.same(word(&base.via.field), word(&own.via.field), own.via.field.span);
            let (lines, layers) = body::refine(&base.body, &own.body, text);
            (Item::Flatten(Flatten { mode: Mode::Own, body: lines, ..own.clone() }), layers)
        }
        (Item::Table(base), Item::Table(own)) => {
            heads.same(&heads.slice(base.from.span), &heads.slice(own.from.span), own.from.span);
            let (was, now) = (table_to(base), table_to(own));
            heads.same(&heads.slice(was), &heads.slice(now), now);
            let (rows, mut layers) = rows(&base.rows, &own.rows, text);
            let unseen = last(&base.unseen, &own.unseen, |row| row.span, text, &mut layers);
            (Item::Table(Table { mode: Mode::Own, rows, unseen, ..own.clone() }), layers)
        }
        (Item::Pipeline(base), Item::Pipeline(own)) => {
            heads.same(&base.object.name.value, &own.object.name.value, own.object.name.span);
            let category = |item: &Pipeline| item.category.as_ref().map_or("", word).to_owned();
            let at = own.category.as_ref().map_or(own.name.span, |category| category.span);
            heads.same(&category(base), &category(own), at);
            heads.same(&base.to.value, &own.to.value, own.to.span);
            let (rows, mut layers) = rows(&base.rows, &own.rows, text);
            let unseen = last(&base.unseen, &own.unseen, |row| row.span, text, &mut layers);
            (Item::Pipeline(Pipeline { mode: Mode::Own, rows, unseen, ..own.clone() }), layers)
        }
        _ => {
            heads.findings.push(
                Finding::new(codes::OVERRIDE, "only maps, flattens, tables and pipelines can be refined")
                    .at(mode, "it has no single lines to change")
                    .help("write `replace`, and the whole item"),
            );
            return None;
        }
    };
    heads.agree.then_some(refined)
}

struct Heads<'t, 'f> {
    text: &'t SourceText,
    findings: &'f mut Vec<Finding>,
    agree: bool,
}

impl Heads<'_, '_> {
    fn slice(&self, span: Span) -> String {
        self.text.slice(span).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn same(&mut self, base: &str, own: &str, at: Span) {
        if base == own {
            return;
        }
        self.agree = false;
        self.findings.push(
            Finding::new(
                codes::OVERRIDE,
                format!("the head of a `refine` says `{own}`, and the profile's `{base}`"),
            )
            .at(at, format!("`{base}` in the profile"))
            .help(format!("write `{base}`, or `replace` with the whole item")),
        );
    }
}

fn table_to(table: &Table) -> Span {
    match &table.to {
        TableTarget::Field { object, field } => object.span.to(field.span),
        TableTarget::Type(ty) => ty.span,
    }
}

/// A row with codes.
trait Row: Clone {
    fn codes(&mut self) -> &mut Vec<Coded>;
    fn span(&self) -> Span;
}

impl Row for TableRow {
    fn codes(&mut self) -> &mut Vec<Coded> {
        &mut self.codes
    }

    fn span(&self) -> Span {
        self.span
    }
}

impl Row for StageRow {
    fn codes(&mut self) -> &mut Vec<Coded> {
        &mut self.codes
    }

    fn span(&self) -> Span {
        self.span
    }
}

/// Rows by code: one of the spec takes the place of the first profile's that it takes a code from.
fn rows<R: Row>(base: &[R], own: &[R], text: &SourceText) -> (Vec<R>, Vec<LayerLine>) {
    let mut own: Vec<(R, bool)> = own.iter().map(|row| (row.clone(), false)).collect();
    let mut taken: BTreeSet<String> = BTreeSet::new();
    for (row, _) in &mut own {
        taken.extend(row.codes().iter().map(|code| word(code).to_owned()));
    }
    let mut out = Vec::new();
    let mut layers = Vec::new();
    for row in base {
        let mut row = row.clone();
        let at = row.span();
        let before: BTreeSet<String> = row.codes().iter().map(|code| word(code).to_owned()).collect();
        for (own, used) in own.iter_mut().filter(|(_, used)| !used) {
            if own.codes().iter().any(|code| before.contains(word(code))) {
                *used = true;
                let now = own.span();
                layers.push(LayerLine {
                    what: words(text, now),
                    how: LineHow::Replaced,
                    at: now,
                    base: Some(at),
                });
                out.push(own.clone());
            }
        }
        row.codes().retain(|code| !taken.contains(word(code)));
        if !row.codes().is_empty() {
            layers.push(LayerLine { what: words(text, at), how: LineHow::Profile, at, base: None });
            out.push(row);
        }
    }
    for (row, _) in own.into_iter().filter(|(_, used)| !used) {
        let at = row.span();
        layers.push(LayerLine { what: words(text, at), how: LineHow::Added, at, base: None });
        out.push(row);
    }
    (out, layers)
}

fn last<R: Clone>(
    base: &Option<R>,
    own: &Option<R>,
    span: impl Fn(&R) -> Span,
    text: &SourceText,
    layers: &mut Vec<LayerLine>,
) -> Option<R> {
    let row = own.as_ref().or(base.as_ref())?;
    let at = span(row);
    let how = match (own, base) {
        (Some(_), Some(_)) => LineHow::Replaced,
        (Some(_), None) => LineHow::Added,
        _ => LineHow::Profile,
    };
    let base = (how == LineHow::Replaced).then(|| base.as_ref().map(&span)).flatten();
    layers.push(LayerLine { what: words(text, at), how, at, base });
    Some(row.clone())
}
