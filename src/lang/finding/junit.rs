//! JUnit reports: of findings, a suite per file and a case per finding; of tests, a case per test. Own code, since the
//! whole of it is escaping.

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

/// A test that was run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// What kind of test: reports group by it.
    pub kind: String,
    /// The file that it stands in.
    pub file: String,
    /// Its line there, from 1.
    pub line: u32,
    /// Why it fails, in one line and whole; nothing where it passes.
    pub failure: Option<(String, String)>,
}

/// Writes a report of tests, one case each, passed ones too; paths are told below `root`.
///
/// No case has a time: tests of a spec wait for nothing, and a report that is the same every time can be compared.
pub fn render_cases(name: &str, cases: &[Case], root: &str) -> String {
    let all = cases.len();
    let failed = cases.iter().filter(|case| case.failure.is_some()).count();
    let suite = escaped(place::below(name, root));
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(out, "<testsuites name=\"b2n\" tests=\"{all}\" failures=\"{failed}\" errors=\"0\">");
    let _ = writeln!(
        out,
        "  <testsuite name=\"{suite}\" tests=\"{all}\" failures=\"{failed}\" errors=\"0\" skipped=\"0\">"
    );
    for case in cases {
        let class = escaped(&format!("{}.{}", place::below(name, root), case.kind));
        let file = escaped(place::below(&case.file, root));
        let _ = write!(
            out,
            "    <testcase name=\"{}\" classname=\"{class}\" file=\"{file}\" line=\"{}\"",
            escaped(&case.name),
            case.line
        );
        match &case.failure {
            None => out.push_str("/>\n"),
            Some((message, text)) => {
                let _ = writeln!(
                    out,
                    ">\n      <failure message=\"{}\" type=\"{}\">{}</failure>\n    </testcase>",
                    escaped(message),
                    super::registry::TEST_FAILS,
                    escaped_text(text)
                );
            }
        }
    }
    out.push_str("  </testsuite>\n</testsuites>\n");
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

    #[test]
    fn passed_tests_are_cases_too() {
        let case = |name: &str, failure: Option<(&str, &str)>| Case {
            name: name.to_owned(),
            kind: "test".to_owned(),
            file: "acme.b2n".to_owned(),
            line: 7,
            failure: failure.map(|(message, text)| (message.to_owned(), text.to_owned())),
        };
        let cases = [case("a & b", None), case("c", Some(("no <Lead>", "`value`: expected 1, got 2")))];
        insta::assert_snapshot!(render_cases("/w/acme.b2n", &cases, "/w"), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="b2n" tests="2" failures="1" errors="0">
          <testsuite name="acme.b2n" tests="2" failures="1" errors="0" skipped="0">
            <testcase name="a &amp; b" classname="acme.b2n.test" file="acme.b2n" line="7"/>
            <testcase name="c" classname="acme.b2n.test" file="acme.b2n" line="7">
              <failure message="no &lt;Lead&gt;" type="B2N-E0803">`value`: expected 1, got 2</failure>
            </testcase>
          </testsuite>
        </testsuites>
        "#);
    }

    proptest! {
        #[test]
        fn any_case_is_well_formed(name in any::<String>(), kind in "\\PC{0,8}", why in any::<String>()) {
            let failure = Some((why.clone(), why));
            let cases = [Case { name, kind, failure, ..Case::default() }, Case::default()];
            let xml = render_cases("a", &cases, "");
            let seen = ["testsuites", "testsuite", "testcase", "failure", "testcase"].map(str::to_owned);
            prop_assert_eq!(open_elements(&xml), Some(seen.to_vec()), "{}", xml);
        }

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
