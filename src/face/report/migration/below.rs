//! The last sections: single records, what did not move, and the lists.

use crate::lang::doc::html::escaped;
use crate::run::engine::dossier::{Dossier, LeftLine, List, SampleLine};

use super::super::number;
use super::markup::{Cell, anchor, data, say, table};
use super::sections::whole;

/// Rows of a list on the page: of one that people look into, and of another.
const LOOKED_INTO: usize = 100;
const OTHERS: usize = 12;

/// Fields that no rule reads.
const LEFT: usize = 60;

pub(super) fn sample(dossier: &Dossier) -> String {
    if dossier.sample.is_empty() {
        return say("Nothing was compared yet.");
    }
    let mut out = say(
        "The same records whenever both sides are compared, drawn by a hash of their keys. `sample.csv` has them as a table.",
    );
    for record in &dossier.sample {
        out.push_str(&one_sample(record));
    }
    out
}

fn one_sample(record: &SampleLine) -> String {
    let wrong = record.fields.iter().filter(|field| field.wrong).count();
    let word =
        if wrong == 0 { "as planned".to_owned() } else { format!("{wrong} fields are not as planned") };
    let rows: Vec<_> = record
        .fields
        .iter()
        .map(|field| {
            let source: Vec<String> = field
                .source
                .iter()
                .map(|(name, value)| format!("{}: {}", escaped(name), data(value)))
                .collect();
            let rules = if field.rules.is_empty() { "b2n's own".to_owned() } else { field.rules.join(", ") };
            let there = if field.planned == field.there {
                data(&field.there)
            } else {
                format!("{}<br><small>planned: {}</small>", data(&field.there), data(&field.planned))
            };
            let class = if field.wrong { "bad" } else { "ok" };
            vec![
                Cell::text(&field.field),
                Cell::Markup(source.join("<br>")),
                Cell::text(rules),
                Cell::Markup(there),
                Cell::Markup(format!("<span class=\"badge {class}\">{}</span>", escaped(&field.agreement))),
            ]
        })
        .collect();
    let name = format!("{} {} → {} {}", record.map, record.key, record.object, record.id);
    let head = ["field", "source", "rule", "destination", "agreement"];
    format!(
        "<details><summary>{} <small>({}, {word})</small></summary>\n{}</details>\n",
        data(&name),
        data(&record.end),
        table(&name, &head, &rows)
    )
}

pub(super) fn left(dossier: &Dossier) -> String {
    let left = &dossier.left;
    let row = |line: &LeftLine| {
        vec![
            Cell::text(&line.what),
            Cell::text(&line.title),
            Cell::Number(line.records.map_or_else(|| "unknown".to_owned(), number)),
            Cell::text(&line.why),
            Cell::text(&line.at),
        ]
    };
    let head = ["what", "title", "records with it, by the snapshot", "why", "line of the spec"];
    let mut out = String::new();
    // What has values somewhere matters; a field that is never filled is lost to nobody.
    let filled: Vec<_> =
        left.fields.iter().filter(|line| line.records != Some(0)).take(LEFT).map(row).collect();
    let parts = [
        ("Fields that no rule reads, those that are never filled apart", filled),
        ("Objects that nothing reads, and what is out of reach", left.objects.iter().map(row).collect()),
        ("Made by hand", left.by_hand.iter().map(row).collect()),
    ];
    for (title, rows) in parts {
        if !rows.is_empty() {
            out.push_str(&table(title, &head, &rows));
        }
    }
    out + &whole(dossier, "not-moved.csv")
}

pub(super) fn lists(dossier: &Dossier) -> String {
    let mut out = say("Each stands whole in the file beside this page; the first rows stand here.");
    for list in &dossier.lists {
        out.push_str(&one_list(list));
    }
    out
}

fn one_list(list: &List) -> String {
    let into = ["quarantined", "failed", "differences", "missing", "strange", "faults"];
    let most = if into.iter().any(|word| list.file.contains(word)) { LOOKED_INTO } else { OTHERS };
    let head: Vec<&str> = list.head.iter().map(String::as_str).collect();
    let rows: Vec<Vec<Cell>> =
        list.first.iter().take(most).map(|row| row.iter().map(Cell::text).collect()).collect();
    let shown = rows.len() as u64;
    let which = if shown == list.rows { "all of them".to_owned() } else { format!("the first {shown}") };
    format!(
        "<details><summary>{}: {} rows</summary>\n<p id=\"{}\"><a href=\"{file}\">{file}</a>, {} rows; {which}:</p>\n{}</details>\n",
        data(&list.title),
        number(list.rows),
        anchor(&list.file),
        number(list.rows),
        table(&list.title, &head, &rows),
        file = list.file
    )
}
