//! Applying the fixes of findings to a spec, until none is left.

use std::path::Path;

use crate::lang::finding::fix::{applies, apply};
use crate::lang::finding::{Applicability, Finding, Fix, Severity};
use crate::lang::syntax;
use crate::lang::text::SourceText;

use super::cache::Cache;
use super::failure::Failure;
use super::project::Project;

/// A fix may uncover another finding; two that undo each other must not go on for ever.
const MAX_ROUNDS: usize = 10;

/// What fixing came to.
#[derive(Debug, Default)]
pub struct Fixed {
    /// The text as it was.
    pub before: String,
    /// The text with every fix in it.
    pub after: String,
    /// What was done, a line per fix.
    pub lines: Vec<String>,
}

/// Applies fixes up to `most`; with `dry` the file stays as it is.
///
/// The file is written once, whole, and never with more syntax errors than it had.
pub fn fix(path: &Path, cache: &Cache, most: Applicability, dry: bool) -> Result<Fixed, Failure> {
    let mut project = Project::load_with(path, cache)?;
    let before = project.text.parts().first().map_or(&project.text, |part| &part.file).text().to_owned();
    let mut fixed = Fixed { before: before.clone(), after: before, lines: Vec::new() };
    for _ in 0..MAX_ROUNDS {
        let Some((text, findings)) = project.findings.first() else { break };
        // Of a spec with profiles only the spec's own file is written; it comes first, so that spans fit both.
        let text = text.parts().first().map_or(text, |part| &part.file);
        let round = round(text, findings, most);
        if round.lines.is_empty() || round.after == fixed.after {
            break;
        }
        fixed.after = round.after;
        fixed.lines.extend(round.lines);
        project = Project::check(path, SourceText::new(text.name(), fixed.after.as_str()), cache);
    }
    if !dry && fixed.before != fixed.after {
        super::fmt::replace(path, &fixed.after)?;
    }
    Ok(fixed)
}

/// One pass over the findings of a text.
fn round(text: &SourceText, findings: &[Finding], most: Applicability) -> Fixed {
    let fixable: Vec<&Finding> = findings
        .iter()
        .filter(|finding| finding.fix.as_ref().is_some_and(|fix| applies(fix, most) && fits(fix, text)))
        .collect();
    let whole: Vec<Finding> = fixable.iter().map(|finding| (*finding).clone()).collect();
    let errors = syntax_errors(text.text());
    let mut kept = whole;
    let mut after = apply(text, &kept, most).text;
    if syntax_errors(&after) > errors {
        // Together they break something: take them one by one, and leave out what does.
        kept.clear();
        after = text.text().to_owned();
        for finding in &fixable {
            kept.push((*finding).clone());
            let tried = apply(text, &kept, most);
            if syntax_errors(&tried.text) > errors {
                kept.pop();
            } else {
                after = tried.text;
            }
        }
    }
    let mut lines: Vec<String> = Vec::new();
    for finding in &kept {
        let Some(fix) = &finding.fix else { continue };
        let line = fix.edits.first().map_or(1, |edit| text.position(edit.span.start).line);
        let line = format!("{}:{line}: {} ({})", text.name(), fix.title, finding.code);
        // Two findings may share one fix.
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    Fixed { before: text.text().to_owned(), after, lines }
}

/// Whether a fix is about this file at all.
fn fits(fix: &Fix, text: &SourceText) -> bool {
    fix.edits.iter().all(|edit| edit.span.end as usize <= text.text().len())
}

fn syntax_errors(text: &str) -> usize {
    let (_, findings) = syntax::parse(&SourceText::new("", text));
    findings.iter().filter(|finding| finding.severity == Severity::Error).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::finding::{Edit, registry};
    use crate::lang::text::Span;

    fn finding(start: usize, end: usize, text: &str, applicability: Applicability) -> Finding {
        let edits = vec![Edit { span: Span::new(start, end), text: text.to_owned() }];
        Finding::new(registry::UNUSED_ITEM, "m").fix(Fix {
            title: format!("write `{text}`"),
            edits,
            applicability,
        })
    }

    #[test]
    fn a_fix_that_breaks_the_syntax_is_left_out() {
        let text = SourceText::new("a.b2n", "edition 2026\nzone \"Europe/Moscow\"\n");
        let good = finding(19, 32, "Europe/Berlin", Applicability::Safe);
        let bad = finding(0, 7, "{{ \"", Applicability::Safe);
        let blank = finding(33, 34, "\n\n", Applicability::Placeholder);
        let round = round(&text, &[bad, good, blank], Applicability::Likely);
        assert_eq!(round.after, "edition 2026\nzone \"Europe/Berlin\"\n");
        assert_eq!(round.lines, ["a.b2n:2: write `Europe/Berlin` (B2N-W103)"]);
    }
}
