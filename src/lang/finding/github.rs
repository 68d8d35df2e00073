//! Findings as GitHub workflow commands: an annotation on the line, one command per finding.

use std::fmt::Write as _;

use super::human::count_text;
use super::{Finding, Severity, place};
use crate::lang::text::SourceText;

/// Writes a command per finding; paths are told below `root`.
pub fn render(files: &[(SourceText, Vec<Finding>)], root: &str) -> String {
    let mut out = String::new();
    for (file, findings) in files {
        for finding in findings {
            let word = match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            let (name, region) = place::of(finding, file, place::characters);
            let _ = write!(out, "::{word} file={}", property(place::below(name, root)));
            if let Some(region) = region {
                let _ = write!(out, ",line={},endLine={}", region.line, region.end_line);
                // Columns are taken only within one line.
                if region.line == region.end_line {
                    let _ = write!(out, ",col={},endColumn={}", region.column, region.end_column);
                }
            }
            let title = format!("{}: {}", finding.code, finding.code.title());
            let _ = writeln!(out, ",title={}::{}", property(&title), data(&message(finding)));
        }
    }
    out
}

/// Everything that the annotation has room for.
fn message(finding: &Finding) -> String {
    let mut text = finding.message.clone();
    if let Some(count) = count_text(finding.count) {
        let _ = write!(text, " {count}");
    }
    if let Some(label) = finding.label.as_ref().filter(|label| !label.text.is_empty()) {
        let _ = write!(text, "\n{}", label.text);
    }
    for note in &finding.notes {
        let _ = write!(text, "\nnote: {note}");
    }
    if let Some(help) = &finding.help {
        let _ = write!(text, "\nhelp: {help}");
    }
    text
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::finding::{Count, registry};
    use crate::lang::text::Span;

    #[test]
    fn commands_are_one_line_each_and_escaped() {
        let file = SourceText::new("/repo/a, b:50%.b2n", "таб 🦀 y\nz\n");
        let findings = vec![
            Finding::new(registry::UNKNOWN_VALUE, "100% of\r\n::error::it")
                .at(Span::new(0, 6), "here: it, is")
                .help("do\nthis")
                .count(Count::Exact { records: 1200 }),
            Finding::new(registry::SNAPSHOT_OLD, "old"),
            Finding::new(registry::UNCLOSED, "open").at(Span::new(0, 14), ""),
        ];
        insta::assert_snapshot!(render(&[(file, findings)], "/repo"), @r"
        ::error file=a%2C b%3A50%25.b2n,line=1,endLine=1,col=1,endColumn=4,title=B2N-E0206%3A no such value in the enumeration::100%25 of%0D%0A::error::it (1 200 records)%0Ahere: it, is%0Ahelp: do%0Athis
        ::warning file=a%2C b%3A50%25.b2n,title=B2N-W301%3A the snapshot is older than thirty days::old
        ::error file=a%2C b%3A50%25.b2n,line=1,endLine=2,title=B2N-E0105%3A a bracket%2C brace or quote is not closed::open
        ");
    }
}
