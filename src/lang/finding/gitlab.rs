//! Findings as a GitLab code quality report.

use serde::Serialize;

use super::fingerprint::fingerprints;
use super::human::count_text;
use super::{Finding, Severity, place};
use crate::lang::text::SourceText;

#[derive(Serialize)]
struct Issue<'a> {
    description: String,
    check_name: &'static str,
    fingerprint: String,
    severity: &'static str,
    location: Location<'a>,
}

#[derive(Serialize)]
struct Location<'a> {
    path: &'a str,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u32,
    end: u32,
}

/// Writes a JSON list; paths are told below `root`. An error is `critical`, since no plan can run; a warning is `minor`.
pub fn render(files: &[(SourceText, Vec<Finding>)], root: &str) -> String {
    let mut issues = Vec::new();
    for (file, findings) in files {
        for (finding, print) in findings.iter().zip(fingerprints(findings, file)) {
            let mut description = finding.message.clone();
            if let Some(count) = count_text(finding.count) {
                description.push(' ');
                description.push_str(&count);
            }
            let (name, region) = place::of(finding, file, place::characters);
            let path = place::below(name, root);
            let lines = region.map_or(Lines { begin: 1, end: 1 }, |region| Lines {
                begin: region.line,
                end: region.end_line,
            });
            // Two files may hold equal findings; the report wants each apart.
            let fingerprint = blake3::hash(format!("{path}\0{print}").as_bytes()).to_hex()[..32].to_owned();
            issues.push(Issue {
                description,
                check_name: finding.code.as_str(),
                fingerprint,
                severity: match finding.severity {
                    Severity::Error => "critical",
                    Severity::Warning => "minor",
                },
                location: Location { path, lines },
            });
        }
    }
    let mut out = serde_json::to_string_pretty(&issues).expect("texts and numbers always serialise");
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::finding::registry;
    use crate::lang::text::Span;

    #[test]
    fn issues_have_what_the_report_wants_and_differ() {
        let findings = || {
            vec![
                Finding::new(registry::UNKNOWN_VALUE, "no `x`").at(Span::new(0, 1), ""),
                Finding::new(registry::UNKNOWN_VALUE, "no `x`").at(Span::new(4, 5), ""),
                Finding::new(registry::SNAPSHOT_OLD, "old"),
            ]
        };
        let files = [
            (SourceText::new("./a.b2n", "x\n\n\nx\n"), findings()),
            (SourceText::new("/repo/b.b2n", "x\n\n\nx\n"), findings()),
        ];
        let issues: Vec<serde_json::Value> = serde_json::from_str(&render(&files, "/repo")).unwrap();
        let of = |at: usize, path: &str| issues[at].pointer(path).cloned().unwrap();
        assert_eq!(issues.len(), 6);
        assert_eq!((of(0, "/location/path"), of(3, "/location/path")), ("a.b2n".into(), "b.b2n".into()));
        assert_eq!((of(1, "/location/lines/begin"), of(2, "/location/lines/begin")), (4.into(), 1.into()));
        assert_eq!((of(0, "/severity"), of(2, "/severity")), ("critical".into(), "minor".into()));
        assert_eq!((of(0, "/check_name"), of(0, "/description")), ("B2N-E0206".into(), "no `x`".into()));
        let mut prints: Vec<String> = issues.iter().map(|issue| issue["fingerprint"].to_string()).collect();
        prints.sort();
        prints.dedup();
        assert_eq!(prints.len(), 6);
    }

    #[test]
    fn nothing_found_is_an_empty_list() {
        assert_eq!(render(&[(SourceText::new("a", ""), Vec::new())], ""), "[]\n");
    }
}
