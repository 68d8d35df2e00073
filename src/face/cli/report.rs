//! Findings and books, printed for people and programs.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::lang::check::{DroppedField, MapFidelity, RuleFidelity};
use crate::lang::finding::{Finding, human};
use crate::lang::plan::{Certificate, Plan};
use crate::lang::text::SourceText;
use crate::run::engine::MapReport;
use crate::run::workspace::{Status, Workspace};

use super::failure::Failure;
use super::proof;
use super::terminal::{Terminal, count};

/// Every finding of every file, for people.
pub fn findings(files: &[(SourceText, Vec<Finding>)], terminal: &Terminal) -> String {
    files
        .iter()
        .filter(|(_, findings)| !findings.is_empty())
        .map(|(text, findings)| human::render(findings, text, terminal.style()))
        .collect()
}

/// What a spec was checked with, a line each, indented: the first digits of every hash.
pub fn certificate(certificate: &Certificate) -> String {
    let Certificate { certificate, plan, spec, profiles, source, target } = certificate;
    let mut out = String::new();
    let mut line = |word: &str, hash: &str| {
        let _ = writeln!(out, "  {word:<18}{}", hash.get(..16).unwrap_or(hash));
    };
    line("certificate", certificate);
    line("plan", plan);
    line("spec", spec);
    profiles.iter().for_each(|profile| line("profile", profile));
    line("source schema", source);
    line("target schema", target);
    out
}

/// What a plan keeps and loses, with every line in the file that it stands in.
pub fn fidelity_json(plan: &Plan, all: &[MapFidelity]) -> Vec<Value> {
    let rule = |rule: &RuleFidelity| {
        let (file, line) = plan.place(rule.line);
        json!({
            "target": rule.target, "fidelity": rule.fidelity.word(), "because": rule.because,
            "records": rule.records, "proven": rule.proven, "file": file, "line": line,
        })
    };
    let field = |field: &DroppedField| {
        let (file, line) = plan.place(field.line);
        json!({
            "field": field.field, "reason": field.reason, "records": field.records, "file": file, "line": line,
        })
    };
    let map = |map: &MapFidelity| {
        json!({
            "map": map.map, "target": map.target, "records": map.records,
            "rules": map.rules.iter().map(rule).collect::<Vec<_>>(),
            "dropped": map.dropped.iter().map(field).collect::<Vec<_>>(),
        })
    };
    all.iter().map(map).collect()
}

/// The certificate and its plan on one line, indented.
pub fn certificate_line(certificate: &Certificate) -> String {
    let short = |hash: &str| hash.chars().take(16).collect::<String>();
    format!("  certificate {}, plan {}\n", short(&certificate.certificate), short(&certificate.plan))
}

/// The equation of every map as a table. Columns that only some specs need are there when a row has a number in them.
pub fn books(maps: &[MapReport], terminal: &Terminal) -> String {
    type Column = (&'static str, bool, fn(&MapReport) -> u64);
    let columns: [Column; 10] = [
        ("source", true, |map| map.source),
        ("sent to maps", false, |map| map.tally.routed),
        ("created", true, |map| map.tally.created),
        ("adopted", true, |map| map.tally.adopted),
        ("folded", false, |map| map.tally.folded),
        ("listed", false, |map| map.tally.listed),
        ("left out", true, |map| map.tally.left_out),
        ("quarantined", true, |map| map.tally.quarantined),
        ("failed", true, |map| map.tally.failed),
        ("pending", true, MapReport::pending),
    ];
    let columns: Vec<Column> = columns
        .into_iter()
        .filter(|(_, always, number)| *always || maps.iter().any(|map| number(map) > 0))
        .collect();
    let rows: Vec<Vec<String>> = maps
        .iter()
        .map(|map| {
            let mut row = vec![format!("{} -> {}", map.map, map.target)];
            row.extend(columns.iter().map(|(_, _, number)| count(number(map))));
            row.push(match map.listed {
                Some(listed) => count(listed.found + listed.strange),
                None => "-".to_owned(),
            });
            row.push(if map.closes() && map.pending() == map.left { "closes" } else { "open" }.to_owned());
            row
        })
        .collect();
    let mut head = vec!["map"];
    head.extend(columns.iter().map(|(name, _, _)| *name));
    head.extend(["listed there", "books"]);
    terminal.table(&head, &rows)
}

/// Why records were left out, held back or refused, and what is flagged, per map.
pub fn reasons(maps: &[MapReport], workspace: &Workspace, terminal: &Terminal) -> Result<String, Failure> {
    let mut text = String::new();
    for map in maps {
        for status in [Status::Listed, Status::LeftOut, Status::Quarantined, Status::Failed] {
            for (reason, records) in workspace.reasons(&map.map, status)?.into_iter().take(8) {
                let _ = writeln!(text, "  {}: {} {}, {reason}", map.map, count(records), status.word());
            }
        }
        for (flag, records) in workspace.flags(&map.map)?.into_iter().take(8) {
            let _ = writeln!(text, "  {}: {} flagged, {}", flag.rule, count(records), flag.why);
        }
        let waiting = workspace.waiting(&map.map)?.len() as u64;
        if waiting > 0 {
            let _ = writeln!(
                text,
                "  {} {} links wait for a record that did not arrive",
                map.map,
                count(waiting)
            );
        }
    }
    if !text.is_empty() {
        text.insert_str(0, &format!("{}\n", terminal.bold("what a person should look at")));
    }
    Ok(text)
}

/// The books as JSON.
pub fn books_json(maps: &[MapReport], workspace: &Workspace) -> Result<Value, Failure> {
    let mut rows = Vec::new();
    for map in maps {
        let t = &map.tally;
        let listed = |status| -> Result<Value, Failure> {
            let reasons = workspace.reasons(&map.map, status)?;
            Ok(reasons
                .into_iter()
                .map(|(reason, records)| json!({"reason": reason, "records": records}))
                .collect())
        };
        let flags: Vec<Value> = workspace
            .flags(&map.map)?
            .into_iter()
            .map(|(flag, records)| json!({"rule": flag.rule, "why": flag.why, "records": records}))
            .collect();
        rows.push(json!({
            "map": map.map, "target": map.target, "source": map.source,
            "created": t.created, "adopted": t.adopted, "left_out": t.left_out, "quarantined": t.quarantined,
            "failed": t.failed, "pending": map.pending(), "folded": t.folded, "on_list": t.listed,
            "sent_to_maps": t.routed,
            "listed": map.listed.map(|listed| json!({"found": listed.found, "strange": listed.strange, "expected": map.expected})),
            "doubles_removed": map.doubles, "closes": map.closes() && map.pending() == map.left,
            "left_to_a_later_run": map.left,
            "reasons": {
                "left_out": listed(Status::LeftOut)?, "quarantined": listed(Status::Quarantined)?,
                "failed": listed(Status::Failed)?, "on_list": listed(Status::Listed)?,
            },
            "flags": flags, "links_waiting": workspace.waiting(&map.map)?.len(),
            "proof": proof::json(map.proof.as_deref()),
        }));
    }
    Ok(Value::Array(rows))
}
