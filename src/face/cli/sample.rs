//! A sample, field by field: for the terminal, for programs, for a ticket.
//!
//! Values are personal data. They are shown on a terminal, and elsewhere with `--show-values` only.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value, json};

use crate::lang::diff::markdown;
use crate::lang::plan::Plan;
use crate::lang::text::SourceText;
use crate::run::engine::{Agreement, RuleLine, SampleReport, SampledField, SampledRecord};

use super::terminal::{Terminal, clip, count};

/// How many columns of a value a terminal shows.
const SHOWN: usize = 44;

/// A sample with what it takes to tell it.
pub struct Told<'a> {
    pub report: &'a SampleReport,
    pub plan: &'a Plan,
    /// The spec, joined with its profiles.
    pub text: &'a SourceText,
    pub values: bool,
}

impl Told<'_> {
    /// What was drawn, in a sentence.
    fn heading(&self) -> String {
        let slice = &self.report.slice;
        format!(
            "sample of {}, seed {}: {} drawn, {} came along since those link to them, {} of {} strata covered",
            count(u64::from(slice.asked.records)),
            slice.asked.seed,
            count(slice.drawn()),
            count(slice.along()),
            count(slice.covered),
            count(slice.strata)
        )
    }

    /// Fields by kind.
    fn kinds(&self) -> BTreeMap<Agreement, u64> {
        let mut kinds = BTreeMap::new();
        for field in self.report.records.iter().flat_map(|record| &record.fields) {
            *kinds.entry(field.agreement).or_default() += 1;
        }
        kinds
    }

    fn place(&self, rule: &RuleLine) -> String {
        let (file, line) = self.plan.place(rule.line);
        format!("{file}:{line}")
    }

    fn rules(&self, field: &SampledField) -> String {
        if field.rules.is_empty() {
            return "b2n's own".to_owned();
        }
        field.rules.iter().map(|rule| self.place(rule)).collect::<Vec<_>>().join(", ")
    }

    fn source(&self, field: &SampledField) -> String {
        let one = |(name, value): &(String, String)| {
            if self.values { format!("{name}: {value}") } else { name.clone() }
        };
        field.sources.iter().map(one).collect::<Vec<_>>().join("; ")
    }

    /// What the destination holds, and what was planned where that is something else.
    fn destination(&self, field: &SampledField) -> String {
        if !self.values {
            return String::new();
        }
        match field.agreement {
            Agreement::Differs(_) => format!("{} (planned: {})", field.found, field.planned),
            Agreement::Waiting | Agreement::Untold => format!("(planned: {})", field.planned),
            _ => field.found.clone(),
        }
    }

    /// For people at a terminal: each record with its fields, then the counts.
    pub fn text(&self, terminal: &Terminal) -> String {
        let mut text = String::new();
        for record in &self.report.records {
            let _ = writeln!(text, "\n{}", terminal.bold(&clip(&head(record), 200)));
            if record.fields.is_empty() {
                continue;
            }
            let rows: Vec<Vec<String>> = record
                .fields
                .iter()
                .map(|field| {
                    let kind = field.agreement.word();
                    let kind = if field.agreement.is_wrong() { terminal.red(kind) } else { kind.to_owned() };
                    let mut row = vec![clip(&field.field, SHOWN), clip(&self.source(field), SHOWN)];
                    row.push(self.rules(field));
                    if self.values {
                        row.push(clip(&self.destination(field), SHOWN));
                    }
                    row.push(kind);
                    row
                })
                .collect();
            text.push_str(&terminal.table(self.columns(), &rows));
        }
        let _ = writeln!(text, "\n{}", terminal.bold(&self.heading()));
        for (kind, fields) in self.kinds() {
            let _ = writeln!(text, "  {} {}", count(fields), kind.word());
        }
        if !self.values {
            text.push_str("  values are personal data: `--show-values` prints them\n");
        }
        text
    }

    fn columns(&self) -> &'static [&'static str] {
        if self.values {
            &["field", "source", "rule", "destination", "kind"]
        } else {
            &["field", "source", "rule", "kind"]
        }
    }

    /// For a ticket or a pull request.
    pub fn markdown(&self) -> String {
        let mut text = format!("# {}\n\n| kind | fields |\n| --- | ---: |\n", self.heading());
        for (kind, fields) in self.kinds() {
            let _ = writeln!(text, "| {} | {fields} |", kind.word());
        }
        for record in &self.report.records {
            let _ = writeln!(text, "\n## {}\n", markdown::text(&head(record)));
            if record.fields.is_empty() {
                continue;
            }
            let columns = self.columns();
            let _ = writeln!(text, "| {} |", columns.join(" | "));
            let _ = writeln!(text, "|{}", " --- |".repeat(columns.len()));
            for field in &record.fields {
                let mut cells = vec![field.field.clone(), self.source(field), self.rules(field)];
                if self.values {
                    cells.push(self.destination(field));
                }
                let kind = field.agreement.word();
                cells.push(if field.agreement.is_wrong() { format!("**{kind}**") } else { kind.to_owned() });
                let last = cells.len() - 1;
                let cells: Vec<String> = cells
                    .iter()
                    .enumerate()
                    .map(|(at, text)| if at == last { text.clone() } else { markdown::text(text) })
                    .collect();
                let _ = writeln!(text, "| {} |", cells.join(" | "));
            }
        }
        text
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let slice = &self.report.slice;
        let shown = |text: &str| if self.values { json!(text) } else { Value::Null };
        let rule = |rule: &RuleLine| {
            let (file, line) = self.plan.place(rule.line);
            let text = self.text.text().lines().nth(rule.line.saturating_sub(1) as usize);
            json!({
                "file": file, "line": line, "text": text.map(str::trim), "fidelity": rule.fidelity.word(),
                "because": rule.because,
            })
        };
        let field = |field: &SampledField| {
            let sources =
                field.sources.iter().map(|(name, value)| json!({"field": name, "value": shown(value)}));
            json!({
                "field": field.field, "source": sources.collect::<Vec<_>>(),
                "rules": field.rules.iter().map(rule).collect::<Vec<_>>(), "planned": shown(&field.planned),
                "found": shown(&field.found), "kind": field.agreement.word(), "wrong": field.agreement.is_wrong(),
            })
        };
        let record = |record: &SampledRecord| {
            let outcome = record.outcome.as_ref();
            json!({
                "map": record.map, "key": record.key, "drawn": record.drawn, "object": record.object,
                "id": outcome.and_then(|outcome| outcome.target.as_ref()), "status": status(record),
                "reason": outcome.and_then(|outcome| outcome.reason.as_ref()), "there": record.there,
                "fields": record.fields.iter().map(field).collect::<Vec<_>>(),
            })
        };
        let kinds = self.kinds().into_iter();
        json!({
            "asked": slice.asked.records, "seed": slice.asked.seed, "drawn": slice.drawn(), "along": slice.along(),
            "strata": slice.strata, "covered": slice.covered, "wrong": self.report.wrong(),
            "kinds": kinds.map(|(kind, fields)| json!({"kind": kind.word(), "fields": fields})).collect::<Vec<_>>(),
            "records": self.report.records.iter().map(record).collect::<Vec<_>>(),
        })
    }
}

fn status(record: &SampledRecord) -> &'static str {
    record.outcome.as_ref().map_or("pending", |outcome| outcome.status.word())
}

/// A record, and where it ended.
fn head(record: &SampledRecord) -> String {
    let mut text = format!("{}/{}", record.map, record.key);
    let outcome = record.outcome.as_ref();
    if let Some(id) = outcome.and_then(|outcome| outcome.target.as_ref()) {
        let _ = write!(text, " -> {} {id}", record.object);
    }
    let _ = write!(text, ", {}", status(record));
    if let Some(reason) = outcome.and_then(|outcome| outcome.reason.as_ref()) {
        let _ = write!(text, ": {reason}");
    }
    if !record.drawn {
        text.push_str(", came along");
    }
    text
}
