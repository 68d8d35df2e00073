//! Findings for programs: one JSON object, versioned; keys are added, never changed.

use serde::Serialize;

use super::{Applicability, Count, Finding, Fix, Label, Severity};
use crate::lang::text::{SourceText, Span};

/// The format that is written.
pub const FORMAT: &str = "b2n-findings/1";

#[derive(Serialize)]
struct Report<'a> {
    format: &'static str,
    file: &'a str,
    findings: Vec<Row<'a>>,
    errors: usize,
    warnings: usize,
}

/// Lines and columns count from 1, columns in Unicode scalar values; all four are null without a place.
#[derive(Serialize)]
struct Row<'a> {
    /// Null without a place; a profile's findings stand in its own file.
    file: Option<&'a str>,
    code: &'static str,
    severity: Severity,
    message: &'a str,
    #[serde(flatten)]
    place: Place,
    label: Option<&'a str>,
    others: Vec<Other<'a>>,
    /// Null where the finding is not about records.
    count: Option<Count>,
    notes: &'a [String],
    help: Option<&'a str>,
    fix: Option<FixRow<'a>>,
}

#[derive(Default, Serialize)]
struct Place {
    line: Option<u32>,
    column: Option<u32>,
    end_line: Option<u32>,
    end_column: Option<u32>,
}

#[derive(Serialize)]
struct Other<'a> {
    file: &'a str,
    #[serde(flatten)]
    place: Place,
    label: &'a str,
}

#[derive(Serialize)]
struct FixRow<'a> {
    title: &'a str,
    /// `applicability` is `safe`.
    certain: bool,
    applicability: Applicability,
    edits: Vec<EditRow<'a>>,
}

#[derive(Serialize)]
struct EditRow<'a> {
    #[serde(flatten)]
    place: Place,
    text: &'a str,
}

/// Writes findings of a file as JSON, indented, with a line feed at the end.
pub fn render(findings: &[Finding], file: &SourceText) -> String {
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    let report = Report {
        format: FORMAT,
        file: file.name(),
        findings: findings.iter().map(|finding| row(finding, file)).collect(),
        errors,
        warnings: findings.len() - errors,
    };
    let mut out = serde_json::to_string_pretty(&report).expect("texts and numbers always serialise");
    out.push('\n');
    out
}

fn row<'a>(finding: &'a Finding, file: &'a SourceText) -> Row<'a> {
    Row {
        file: finding.label.as_ref().map(|label| file.local(label.span).0.name()),
        code: finding.code.as_str(),
        severity: finding.severity,
        message: &finding.message,
        place: finding.label.as_ref().map(|label| place(label.span, file)).unwrap_or_default(),
        label: finding.label.as_ref().map(|label| label.text.as_str()),
        others: finding
            .others
            .iter()
            .map(|Label { span, text }| Other {
                file: file.local(*span).0.name(),
                place: place(*span, file),
                label: text,
            })
            .collect(),
        count: (finding.count != Count::None).then_some(finding.count),
        notes: &finding.notes,
        help: finding.help.as_deref(),
        fix: finding.fix.as_ref().map(|Fix { title, edits, applicability }| FixRow {
            title,
            certain: *applicability == Applicability::Safe,
            applicability: *applicability,
            edits: edits
                .iter()
                .map(|edit| EditRow { place: place(edit.span, file), text: &edit.text })
                .collect(),
        }),
    }
}

fn place(span: Span, file: &SourceText) -> Place {
    let (file, span) = file.local(span);
    let (start, end) = (file.position(span.start), file.position(span.end.max(span.start)));
    Place {
        line: Some(start.line),
        column: Some(start.column),
        end_line: Some(end.line),
        end_column: Some(end.column),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::finding::{Edit, registry};

    #[test]
    fn the_shape_is_frozen() {
        let file = SourceText::new("acme.b2n", "edition 1\r\nмап x\r\n");
        let fix = Fix {
            title: "write `map`".into(),
            edits: vec![Edit { span: Span::new(11, 17), text: "map".into() }],
            applicability: Applicability::Safe,
        };
        let findings = [
            Finding::new(registry::UNEXPECTED_TOKEN, "an item is expected")
                .at(Span::new(11, 17), "no item")
                .and_at(Span::new(0, 7), "the last item")
                .note("a fact")
                .help("write `map`")
                .fix(fix)
                .count(Count::Between { at_least: 1, at_most: 2 }),
            Finding::new(registry::SNAPSHOT_OLD, "the snapshot is old").count(Count::Unknown),
            Finding::new(registry::MISSING_ITEM, "no `owners`"),
        ];
        insta::assert_snapshot!(render(&findings, &file), @r##"
        {
          "format": "b2n-findings/1",
          "file": "acme.b2n",
          "findings": [
            {
              "file": "acme.b2n",
              "code": "B2N-E0101",
              "severity": "error",
              "message": "an item is expected",
              "line": 2,
              "column": 1,
              "end_line": 2,
              "end_column": 4,
              "label": "no item",
              "others": [
                {
                  "file": "acme.b2n",
                  "line": 1,
                  "column": 1,
                  "end_line": 1,
                  "end_column": 8,
                  "label": "the last item"
                }
              ],
              "count": {
                "kind": "between",
                "at_least": 1,
                "at_most": 2
              },
              "notes": [
                "a fact"
              ],
              "help": "write `map`",
              "fix": {
                "title": "write `map`",
                "certain": true,
                "applicability": "safe",
                "edits": [
                  {
                    "line": 2,
                    "column": 1,
                    "end_line": 2,
                    "end_column": 4,
                    "text": "map"
                  }
                ]
              }
            },
            {
              "file": null,
              "code": "B2N-W301",
              "severity": "warning",
              "message": "the snapshot is old",
              "line": null,
              "column": null,
              "end_line": null,
              "end_column": null,
              "label": null,
              "others": [],
              "count": {
                "kind": "unknown"
              },
              "notes": [],
              "help": null,
              "fix": null
            },
            {
              "file": null,
              "code": "B2N-E0111",
              "severity": "error",
              "message": "no `owners`",
              "line": null,
              "column": null,
              "end_line": null,
              "end_column": null,
              "label": null,
              "others": [],
              "count": null,
              "notes": [],
              "help": null,
              "fix": null
            }
          ],
          "errors": 2,
          "warnings": 1
        }
        "##);
    }

    #[test]
    fn spans_outside_the_file_are_its_end() {
        let file = SourceText::new("a", "x");
        let text = render(&[Finding::new(registry::UNCLOSED, "m").at(Span::new(5, 9), "")], &file);
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["findings"][0]["column"], 2);
        assert_eq!(json["errors"], 1);
    }
}
