//! What the tree tells beyond the plan: the reasons of rows, and the lines of what has no line in a plan.

use std::collections::{BTreeMap, BTreeSet};

use super::compare::Context;
use super::show::quoted;
use super::{Action, At, Change, Loss, Side, Subject};
use crate::lang::finding::Count;
use crate::lang::syntax::ast::{self, Coded, FidelityClause, MapLine};
use crate::lang::text::Span;

/// A row with a reason: the codes it is for, the reason in words, where it stands.
struct Row<'a> {
    codes: Vec<&'a str>,
    words: String,
    span: Span,
}

/// The rows of a table or pipeline and the place of its row for unseen values.
fn rows<'a>(side: Side<'a>, name: &str) -> (Vec<Row<'a>>, Option<Span>) {
    let row = |codes: &'a [Coded], clause: &Option<FidelityClause>, span: Span| {
        let code =
            |coded: &'a Coded| coded.code.as_ref().or(coded.title.as_ref()).map(|name| name.value.as_str());
        let words = clause.as_ref().map(|clause| {
            let because = clause.because.as_ref().map(|why| format!(" because {}", quoted(&why.value)));
            format!("{}{}", clause.fidelity.value.word(), because.unwrap_or_default())
        });
        Row { codes: codes.iter().filter_map(code).collect(), words: words.unwrap_or_default(), span }
    };
    for item in &side.spec.items {
        match item {
            ast::Item::Table(table) if table.name.value == name => {
                let rows = table.rows.iter().map(|r| row(&r.codes, &r.fidelity, r.span)).collect();
                return (rows, table.unseen.as_ref().map(|unseen| unseen.span));
            }
            ast::Item::Pipeline(pipeline) if pipeline.name.value == name => {
                let rows = pipeline.rows.iter().map(|r| row(&r.codes, &r.fidelity, r.span)).collect();
                return (rows, pipeline.unseen.as_ref().map(|unseen| unseen.span));
            }
            _ => {}
        }
    }
    (Vec::new(), None)
}

/// Every reason that a row of a table or pipeline gives: a rule that uses it may carry it on.
pub(super) fn of_rows(side: Side<'_>) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let mut add = |clause: &Option<FidelityClause>| {
        if let Some(because) = clause.as_ref().and_then(|clause| clause.because.as_ref()) {
            all.insert(because.value.clone());
        }
    };
    for item in &side.spec.items {
        match item {
            ast::Item::Table(table) => table.rows.iter().for_each(|row| add(&row.fidelity)),
            ast::Item::Pipeline(pipeline) => pipeline.rows.iter().for_each(|row| add(&row.fidelity)),
            _ => {}
        }
    }
    all
}

impl Context<'_> {
    /// Rows whose reason alone is another.
    pub(super) fn row_reasons(&mut self, subject: Subject, old_name: &str, new_name: &str) {
        let (old, new) = (rows(self.old, old_name).0, rows(self.new, new_name).0);
        let before: BTreeMap<&str, &Row<'_>> =
            old.iter().flat_map(|row| row.codes.iter().map(move |code| (*code, row))).collect();
        let word = if subject == Subject::Table { "table" } else { "pipeline" };
        let mut found = Vec::new();
        for row in &new {
            // One change per row, whatever rows its codes stood in before.
            let mut was: BTreeMap<&str, (&Row<'_>, Vec<String>)> = BTreeMap::new();
            for code in &row.codes {
                if let Some(old) = before.get(code).filter(|old| old.words != row.words) {
                    was.entry(&old.words).or_insert((old, Vec::new())).1.push(quoted(code));
                }
            }
            for (old_row, codes) in was.into_values() {
                let codes = codes.join(", ");
                let words =
                    |words: &str| if words.is_empty() { "no reason".to_owned() } else { words.to_owned() };
                found.push(Change {
                    subject,
                    action: Action::Changed,
                    id: format!("{word} {new_name} {codes} reason"),
                    what: format!(
                        "{word} `{new_name}`: {codes} has {} instead of {}",
                        words(&row.words),
                        words(&old_row.words)
                    ),
                    object: String::new(),
                    count: Count::Exact { records: 0 },
                    of: None,
                    loss: Loss::Same,
                    old: Some(place(self.old, old_row.span)),
                    new: Some(place(self.new, row.span)),
                    touches: Vec::new(),
                });
            }
        }
        self.changes.extend(found);
    }

    /// The places of the rows for unseen values.
    pub(super) fn unseen_places(&self, old_name: &str, new_name: &str) -> (Option<At>, Option<At>) {
        let at = |side, name| rows(side, name).1.map(|span| place(side, span));
        (at(self.old, old_name), at(self.new, new_name))
    }
}

/// The place of a line of a map's head, by its first words.
pub(super) fn head_place(side: Side<'_>, map: &str, words: &str) -> Option<At> {
    let map = side.spec.items.iter().find_map(|item| match item {
        ast::Item::Map(found) if found.name().value == map => Some(found),
        _ => None,
    })?;
    let span = map.body.iter().find_map(|line| match line {
        MapLine::Key(key) if words == "key" => Some(key.span),
        MapLine::MatchExisting { span, .. } if words == "match existing" => Some(*span),
        MapLine::OnExisting(on) if words == "on existing" => Some(on.span),
        MapLine::OnDelete(on) if words == "on delete" => Some(on.span),
        _ => None,
    });
    Some(place(side, span.unwrap_or(map.head)))
}

/// The place of a flatten's `pick`, where words of a change are about it.
pub(super) fn pick_place(side: Side<'_>, source: &str, what: &str) -> Option<At> {
    if !what.starts_with("what a bare field reads") {
        return None;
    }
    let flatten = side.spec.items.iter().find_map(|item| match item {
        ast::Item::Flatten(found) if found.source.name.value == source => Some(found),
        _ => None,
    })?;
    let span = flatten.body.iter().find_map(|line| match line {
        MapLine::Pick { span, .. } => Some(*span),
        _ => None,
    });
    span.map(|span| place(side, span))
}

/// The file and line of a place.
pub(super) fn place(side: Side<'_>, span: Span) -> At {
    let (file, local) = side.text.local(span);
    At { file: file.name().to_owned(), line: file.position(local.start).line }
}
