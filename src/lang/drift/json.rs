//! Drift for programs: versioned, stable.

use serde_json::{Value, json};

use super::{Drift, Entry, Side, words};
use crate::lang::finding::{Finding, Severity};
use crate::lang::text::SourceText;

/// The format's name and version.
pub const FORMAT: &str = "b2n-drift/1";

/// The drift of a spec whose text this is.
pub fn render(drift: &Drift, text: &SourceText) -> Value {
    let entries: Vec<Value> = drift.entries.iter().map(|entry| entry_json(entry, text)).collect();
    let list = |findings: &[Finding]| -> Vec<Value> { findings.iter().map(|f| finding(f, text)).collect() };
    json!({
        "format": FORMAT,
        "spec": text.name(),
        "clean": drift.is_clean(),
        "checks": drift.checks,
        "errors": drift.count(Severity::Error),
        "warnings": drift.count(Severity::Warning),
        "differences": entries,
        "claims": list(&drift.claims),
        "together": list(&drift.together),
    })
}

fn entry_json(entry: &Entry, text: &SourceText) -> Value {
    let mut json = json!({
        "side": match entry.side { Side::Source => "source", Side::Target => "target" },
        "what": words(entry),
        "difference": entry.difference,
    });
    if !entry.hits.is_empty() {
        json["hits"] = entry.hits.iter().map(|hit| finding(hit, text)).collect();
    }
    if !entry.settles.is_empty() {
        json["settles"] = entry.settles.iter().map(|hit| finding(hit, text)).collect();
    }
    if !entry.owners.is_empty() {
        json["owners"] = json!(entry.owners);
    }
    json
}

fn finding(finding: &Finding, text: &SourceText) -> Value {
    let mut json = json!({
        "code": finding.code, "severity": finding.severity, "message": finding.message, "count": finding.count,
    });
    if let Some((file, line)) = super::markdown::place(finding, text) {
        json["file"] = json!(file);
        json["line"] = json!(line);
    }
    if let Some(help) = &finding.help {
        json["help"] = json!(help);
    }
    if let Some(fix) = &finding.fix {
        json["fix"] = json!({"title": fix.title, "applicability": fix.applicability});
    }
    json
}
