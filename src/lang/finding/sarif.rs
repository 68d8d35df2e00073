//! Findings as SARIF 2.1.0, for code hosts and editors.
//!
//! Columns are UTF-16 code units, and the run says so. Rules carry the code's page. Fixes that have blanks for a person
//! are left out, since whoever reads the file may apply what it finds.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::fingerprint::{self, fingerprints};
use super::human::count_text;
use super::place::{self, Region};
use super::{Applicability, Code, Count, Finding, Severity};
use crate::lang::text::{SourceText, Span};

/// The version of the standard that is written.
pub const VERSION: &str = "2.1.0";

/// Where the standard's schema stands.
const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RegionRow {
    start_line: u32,
    start_column: u32,
    end_line: u32,
    end_column: u32,
}

impl From<Region> for RegionRow {
    fn from(region: Region) -> Self {
        RegionRow {
            start_line: region.line,
            start_column: region.column,
            end_line: region.end_line,
            end_column: region.end_column,
        }
    }
}

/// Writes one run over all files, indented; paths are told below `root`, which readers know as `SRCROOT`.
pub fn render(files: &[(SourceText, Vec<Finding>)], root: &str, tool_version: &str) -> String {
    let mut codes: BTreeMap<Code, usize> =
        files.iter().flat_map(|(_, findings)| findings).map(|finding| (finding.code, 0)).collect();
    for (index, at) in codes.values_mut().enumerate() {
        *at = index;
    }
    let rules: Vec<Value> = codes.keys().map(|code| rule(*code)).collect();
    let mut results = Vec::new();
    for (file, findings) in files {
        let file = File { file, root };
        for (finding, print) in findings.iter().zip(fingerprints(findings, file.file)) {
            results.push(file.result(finding, codes[&finding.code], &print));
        }
    }
    let sarif = json!({
        "$schema": SCHEMA,
        "version": VERSION,
        "runs": [{
            "tool": { "driver": {
                "name": "b2n", "version": tool_version, "semanticVersion": tool_version, "rules": rules,
            }},
            "columnKind": "utf16CodeUnits",
            "results": results,
        }],
    });
    let mut out = serde_json::to_string_pretty(&sarif).expect("texts and numbers always serialise");
    out.push('\n');
    out
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn rule(code: Code) -> Value {
    json!({
        "id": code.as_str(),
        "shortDescription": { "text": code.title() },
        "help": { "text": super::explain(code), "markdown": code.page() },
        "defaultConfiguration": { "level": level(code.severity()) },
    })
}

fn artifact(path: &str) -> Value {
    let uri = place::uri(path);
    if path.starts_with('/') { json!({ "uri": uri }) } else { json!({ "uri": uri, "uriBaseId": "SRCROOT" }) }
}

struct File<'a> {
    file: &'a SourceText,
    root: &'a str,
}

impl File<'_> {
    fn artifact(&self, file: &SourceText) -> Value {
        artifact(place::below(file.name(), self.root))
    }

    fn place(&self, span: Option<Span>) -> Value {
        match span.map(|span| self.file.local(span)) {
            Some((file, span)) => {
                let region = RegionRow::from(place::utf16(file, span));
                json!({ "artifactLocation": self.artifact(file), "region": region })
            }
            None => json!({ "artifactLocation": self.artifact(self.file) }),
        }
    }

    fn result(&self, finding: &Finding, rule: usize, print: &str) -> Value {
        let mut location = json!({ "physicalLocation": self.place(finding.label.as_ref().map(|l| l.span)) });
        if let Some(label) = finding.label.as_ref().filter(|label| !label.text.is_empty()) {
            location["message"] = json!({ "text": label.text });
        }
        let mut result = json!({
            "ruleId": finding.code.as_str(),
            "ruleIndex": rule,
            "level": level(finding.severity),
            "message": { "text": message(finding) },
            "locations": [location],
            "partialFingerprints": { fingerprint::NAME: print },
        });
        if !finding.others.is_empty() {
            result["relatedLocations"] = finding
                .others
                .iter()
                .enumerate()
                .map(|(at, other)| {
                    let place = self.place(Some(other.span));
                    json!({ "id": at + 1, "physicalLocation": place, "message": { "text": other.text } })
                })
                .collect();
        }
        if let Some(fix) = finding.fix.as_ref().filter(|fix| fix.applicability != Applicability::Placeholder)
            && !fix.edits.is_empty()
        {
            // One change per file; edits of one fix seldom leave theirs.
            let mut changes: Vec<(Value, Vec<Value>)> = Vec::new();
            for edit in &fix.edits {
                let (file, span) = self.file.local(edit.span);
                let artifact = self.artifact(file);
                let region = RegionRow::from(place::utf16(file, span));
                let replacement =
                    json!({ "deletedRegion": region, "insertedContent": { "text": edit.text } });
                match changes.iter_mut().find(|(other, _)| *other == artifact) {
                    Some((_, replacements)) => replacements.push(replacement),
                    None => changes.push((artifact, vec![replacement])),
                }
            }
            let changes: Vec<Value> = changes
                .into_iter()
                .map(|(artifact, replacements)| json!({ "artifactLocation": artifact, "replacements": replacements }))
                .collect();
            result["fixes"] = json!([{
                "description": { "text": fix.title },
                "artifactChanges": changes,
                "properties": { "applicability": fix.applicability },
            }]);
        }
        if finding.count != Count::None {
            result["properties"] = json!({ "records": finding.count });
        }
        result
    }
}

/// Message, records, facts and the next step: readers show this text alone.
fn message(finding: &Finding) -> String {
    let mut lines = vec![match count_text(finding.count) {
        Some(count) => format!("{} {count}", finding.message),
        None => finding.message.clone(),
    }];
    lines.extend(finding.notes.iter().map(|note| format!("note: {note}")));
    lines.extend(finding.help.iter().map(|help| format!("help: {help}")));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_sarif::sarif::Sarif;

    use super::*;
    use crate::lang::finding::{Edit, Fix, registry};

    fn fix(applicability: Applicability) -> Fix {
        Fix {
            title: "write it".into(),
            edits: vec![Edit { span: Span::new(0, 3), text: "map".into() }],
            applicability,
        }
    }

    /// Reads it as the standard's types, which come from its schema, and writes it back: what the schema does not know
    /// would be gone, what it requires would be missed.
    fn valid(text: &str) -> Result<Value, String> {
        let ours: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let typed: Sarif = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let theirs = serde_json::to_value(typed).map_err(|error| error.to_string())?;
        if ours == theirs { Ok(ours) } else { Err(format!("{theirs:#}")) }
    }

    #[test]
    fn the_standard_takes_it_and_columns_are_utf_16() {
        let text = "map\nтаб 🦀 y\n";
        let y = text.find('y').unwrap();
        let findings = vec![
            Finding::new(registry::UNKNOWN_VALUE, "no `y`")
                .at(Span::new(y, y + 1), "here")
                .and_at(Span::new(0, 3), "there")
                .note("a fact")
                .help("do this")
                .fix(fix(Applicability::Safe))
                .count(Count::Between { at_least: 1, at_most: 2 }),
            Finding::new(registry::SNAPSHOT_OLD, "old"),
            Finding::new(registry::SNAPSHOT_OLD, "blank").fix(fix(Applicability::Placeholder)),
        ];
        let files = [
            (SourceText::new("./a b.b2n", text), findings),
            (SourceText::new("/else/b.yaml", ""), vec![Finding::new(registry::SNAPSHOT_INVALID, "bad")]),
        ];
        let sarif = valid(&render(&files, "/repo", "0.1.0")).unwrap_or_else(|error| panic!("{error}"));
        let at = |path: &str| sarif.pointer(&format!("/runs/0{path}")).cloned().unwrap_or_default();
        assert_eq!(at("/columnKind"), "utf16CodeUnits");
        assert_eq!(
            at("/results/0/locations/0/physicalLocation"),
            json!({
                "artifactLocation": { "uri": "a%20b.b2n", "uriBaseId": "SRCROOT" },
                "region": { "startLine": 2, "startColumn": 8, "endLine": 2, "endColumn": 9 },
            })
        );
        assert_eq!(at("/results/3/locations/0/physicalLocation/artifactLocation/uri"), "file:///else/b.yaml");
        assert_eq!(
            at("/results/0/message/text"),
            "no `y` (between 1 and 2 records)\nnote: a fact\nhelp: do this"
        );
        assert_eq!(at("/results/0/fixes/0/artifactChanges/0/replacements/0/insertedContent/text"), "map");
        assert_eq!(at("/results/2/fixes"), Value::Null, "a fix with blanks is for a person");
        for (index, code) in ["B2N-E0206", "B2N-E0212", "B2N-W301"].into_iter().enumerate() {
            assert_eq!(at(&format!("/tool/driver/rules/{index}/id")), code);
        }
        assert_eq!((at("/results/1/ruleIndex"), at("/results/1/level")), (2.into(), "warning".into()));
        let page = at("/tool/driver/rules/0/help/markdown");
        assert_eq!(page, registry::UNKNOWN_VALUE.page());
    }

    #[test]
    fn a_profile_s_findings_stand_in_its_own_file() {
        let files = ["a.b2n", "p.b2n"].map(|name| SourceText::new(name, "one\ntwo\n")).to_vec();
        let joined = SourceText::join(files);
        let second = joined.text().rfind("two").unwrap();
        let span = Span::new(second, second + 3);
        let edits = [Span::new(0, 3), span].map(|span| Edit { span, text: "x".into() }).to_vec();
        let finding = Finding::new(registry::UNKNOWN_VALUE, "m")
            .at(span, "")
            .and_at(Span::new(0, 3), "there")
            .fix(Fix { title: "t".into(), edits, applicability: Applicability::Safe });
        let files = [(joined, vec![finding])];
        let sarif = valid(&render(&files, "", "0.1.0")).unwrap();
        let at = |path: &str| sarif.pointer(&format!("/runs/0/results/0{path}")).cloned().unwrap_or_default();
        for (path, file, line) in [
            ("/locations/0/physicalLocation", "p.b2n", 2),
            ("/relatedLocations/0/physicalLocation", "a.b2n", 1),
        ] {
            assert_eq!(at(&format!("{path}/artifactLocation/uri")), file);
            assert_eq!(at(&format!("{path}/region/startLine")), line);
        }
        assert_eq!(at("/fixes/0/artifactChanges").as_array().map(Vec::len), Some(2));
        assert!(crate::lang::finding::github::render(&files, "").starts_with("::error file=p.b2n,line=2,"));
        assert!(crate::lang::finding::gitlab::render(&files, "").contains("\"path\": \"p.b2n\""));
        assert!(crate::lang::finding::junit::render(&files, "", false).contains("file=\"p.b2n\" line=\"2\""));
        let style = crate::lang::finding::human::Style { width: 80, colour: false, unicode: true };
        let drawn = crate::lang::finding::human::render(&files[0].1, &files[0].0, style);
        assert!(drawn.contains("[p.b2n:2:1]") && drawn.contains("[a.b2n:1:1]"), "{drawn}");
        let json = crate::lang::finding::json::render(&files[0].1, &files[0].0);
        assert!(json.contains("\"file\": \"p.b2n\""), "{json}");
    }

    #[test]
    fn nothing_found_is_a_run_with_no_results() {
        let sarif = valid(&render(&[(SourceText::new("a", ""), Vec::new())], "", "0.1.0")).unwrap();
        assert_eq!(sarif["runs"][0]["results"], json!([]));
    }

    #[test]
    fn every_code_of_the_registry_is_a_valid_rule() {
        let findings = registry::ALL.iter().map(|code| Finding::new(*code, "m")).collect();
        let sarif = valid(&render(&[(SourceText::new("a", ""), findings)], "", "0.1.0")).unwrap();
        let rules = sarif["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
        assert_eq!(rules.len(), registry::ALL.len());
        for result in sarif["runs"][0]["results"].as_array().unwrap() {
            let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(rules[index]["id"], result["ruleId"]);
        }
    }

    proptest! {
        #[test]
        fn any_finding_is_valid(
            name in "\\PC{0,8}", message in "\\PC{0,20}", text in "[a-zц🦀\r\n]{0,20}",
            start in 0usize..90, end in 0usize..90,
        ) {
            let finding = Finding::new(registry::UNKNOWN_VALUE, message).at(Span::new(start, end), "l");
            let text = SourceText::new(name, text);
            prop_assert!(valid(&render(&[(text, vec![finding])], "", "1.0.0")).is_ok());
        }
    }
}
