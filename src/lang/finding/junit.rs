//! Findings as a JUnit report: a suite per file, a case per finding. Own code, since the whole of it is escaping.

use std::fmt::Write as _;

use super::human::{self, Style};
use super::{Finding, Severity, place};
use crate::lang::text::SourceText;

/// Writes the report; paths are told below `root`.
///
/// An error is a failed case. A warning is a passed case that says so, unless `deny_warnings`. A file without findings
/// is one passed case.
pub fn render(files: &[(SourceText, Vec<Finding>)], root: &str, deny_warnings: bool) -> String {
    let fails = |finding: &Finding| deny_warnings || finding.severity == Severity::Error;
    let all = files.iter().map(|(_, findings)| findings.len().max(1)).sum::<usize>();
    let failed = files.iter().flat_map(|(_, findings)| findings).filter(|finding| fails(finding)).count();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(out, "<testsuites name=\"b2n\" tests=\"{all}\" failures=\"{failed}\" errors=\"0\">");
    for (file, findings) in files {
        let path = escaped(place::below(file.name(), root));
        let failed = findings.iter().filter(|finding| fails(finding)).count();
        let _ = writeln!(
            out,
            "  <testsuite name=\"{path}\" tests=\"{}\" failures=\"{failed}\" errors=\"0\" skipped=\"0\">",
            findings.len().max(1)
        );
        if findings.is_empty() {
            let _ = writeln!(out, "    <testcase name=\"no findings\" classname=\"{path}\"/>");
        }
        for finding in findings {
            let (own, region) = place::of(finding, file, place::characters);
            let (own, line) = (escaped(place::below(own, root)), region.map(|region| region.line));
            let place = line.map(|line| format!(" line {line}")).unwrap_or_default();
            let name = escaped(&format!("{}{place}: {}", finding.code, finding.message));
            let line = line.map(|line| format!(" line=\"{line}\"")).unwrap_or_default();
            let _ = writeln!(out, "    <testcase name=\"{name}\" classname=\"{path}\" file=\"{own}\"{line}>");
            let style = Style { width: 100, colour: false, unicode: true };
            let text = escaped_text(&human::render_finding(finding, file, style));
            if fails(finding) {
                let _ = writeln!(
                    out,
                    "      <failure message=\"{}\" type=\"{}\">{text}</failure>",
                    escaped(&finding.message),
                    finding.code
                );
            } else {
                let _ = writeln!(out, "      <system-out>{text}</system-out>");
            }
            out.push_str("    </testcase>\n");
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

/// A text for an attribute: line feeds stay, as references.
fn escaped(text: &str) -> String {
    escaped_text(text).replace('\n', "&#10;").replace('\t', "&#9;")
}

/// A text for an element. Characters that XML 1.0 has no way to write are replaced.
fn escaped_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\n' | '\t' => out.push(c),
            '\r' => out.push_str("&#13;"),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lang::finding::registry;
    use crate::lang::text::Span;

    #[test]
    fn errors_fail_warnings_tell_and_clean_files_pass() {
        let file = SourceText::new("a<b>.b2n", "x \"y\" & z\n");
        let findings = vec![
            Finding::new(registry::UNKNOWN_VALUE, "no \"y\" & <z>").at(Span::new(2, 5), "here"),
            Finding::new(registry::SNAPSHOT_OLD, "old"),
        ];
        let files = [(file, findings), (SourceText::new("schema.yaml", ""), Vec::new())];
        insta::assert_snapshot!(render(&files, "", false), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="b2n" tests="3" failures="1" errors="0">
          <testsuite name="a&lt;b&gt;.b2n" tests="2" failures="1" errors="0" skipped="0">
            <testcase name="B2N-E0206 line 1: no &quot;y&quot; &amp; &lt;z&gt;" classname="a&lt;b&gt;.b2n" file="a&lt;b&gt;.b2n" line="1">
              <failure message="no &quot;y&quot; &amp; &lt;z&gt;" type="B2N-E0206">error[B2N-E0206]: no &quot;y&quot; &amp; &lt;z&gt;
           ╭─[a&lt;b&gt;.b2n:1:3]
         1 │ x &quot;y&quot; &amp; z
           ·   ─┬─
           ·    ╰── here
           ╰────
        </failure>
            </testcase>
            <testcase name="B2N-W301: old" classname="a&lt;b&gt;.b2n" file="a&lt;b&gt;.b2n">
              <system-out>warning[B2N-W301]: old
        </system-out>
            </testcase>
          </testsuite>
          <testsuite name="schema.yaml" tests="1" failures="0" errors="0" skipped="0">
            <testcase name="no findings" classname="schema.yaml"/>
          </testsuite>
        </testsuites>
        "#);
        assert!(render(&files, "", true).contains("tests=\"3\" failures=\"2\""));
    }

    /// Reads elements and attributes back, by hand; `None` where the text is not well formed.
    fn open_elements(xml: &str) -> Option<Vec<String>> {
        let mut seen = Vec::new();
        let mut open: Vec<&str> = Vec::new();
        let mut rest = xml.split_once("?>")?.1;
        while let Some((text, tag)) = rest.split_once('<') {
            let clean = |text: &str| {
                !text.contains('>')
                    && text.chars().all(|c| c >= ' ' || c == '\n' || c == '\t')
                    && text.split('&').skip(1).all(|entity| {
                        let name = entity.split(';').next().unwrap_or_default();
                        entity.contains(';')
                            && (["amp", "lt", "gt", "quot", "apos"].contains(&name) || name.starts_with('#'))
                    })
            };
            let (tag, after) = tag.split_once('>')?;
            if !clean(text) || !clean(tag) {
                return None;
            }
            rest = after;
            if let Some(name) = tag.strip_prefix('/') {
                if open.pop()? != name {
                    return None;
                }
                continue;
            }
            if tag.matches('"').count() % 2 != 0 {
                return None;
            }
            let name = tag.split([' ', '/']).next()?;
            seen.push(name.to_owned());
            if !tag.ends_with('/') {
                open.push(name);
            }
        }
        open.is_empty().then_some(seen)
    }

    proptest! {
        #[test]
        fn any_finding_is_well_formed(
            name in "\\PC{0,8}", message in any::<String>(), text in any::<String>(), start in 0usize..20,
        ) {
            let finding = Finding::new(registry::UNKNOWN_VALUE, message).at(Span::new(start, start + 3), "l");
            let xml = render(&[(SourceText::new(name, text), vec![finding])], "", false);
            let seen = open_elements(&xml);
            prop_assert_eq!(
                seen,
                Some(["testsuites", "testsuite", "testcase", "failure"].map(str::to_owned).to_vec()),
                "{}", xml
            );
        }
    }
}
