//! Drift for a ticket or pull request.

use std::fmt::Write as _;

use super::{Drift, Entry, words};
use crate::lang::diff::markdown::{code, text as plain};
use crate::lang::finding::Finding;
use crate::lang::text::SourceText;

/// The drift of a spec as Markdown.
pub fn render(drift: &Drift, text: &SourceText) -> String {
    let mut out = format!("### Drift of {}\n\n", code(text.name()));
    if drift.entries.is_empty() && drift.is_clean() {
        out.push_str("The systems are as the snapshots have them.\n");
        return out;
    }
    let (hitting, silent): (Vec<&Entry>, Vec<&Entry>) =
        drift.entries.iter().partition(|entry| entry.hits_something());
    if hitting.is_empty() && drift.is_clean() {
        out.push_str("No rule is concerned.\n\n");
    }
    for entry in hitting {
        let _ = writeln!(out, "- {}", plain(&words(entry)));
        for finding in &entry.hits {
            item(&mut out, finding, text);
        }
        for owner in &entry.owners {
            let _ = writeln!(out, "  - {}", plain(owner));
        }
    }
    group(&mut out, "Claims about data that no longer hold", &drift.claims, text);
    group(&mut out, "What several differences do together", &drift.together, text);
    if !silent.is_empty() {
        let _ =
            writeln!(out, "\n<details><summary>Differences that hit no rule: {}</summary>\n", silent.len());
        for entry in silent {
            let _ = writeln!(out, "- {}", plain(&words(entry)));
        }
        out.push_str("\n</details>\n");
    }
    out
}

fn group(out: &mut String, title: &str, findings: &[Finding], text: &SourceText) {
    if findings.is_empty() {
        return;
    }
    let _ = writeln!(out, "- {title}");
    findings.iter().for_each(|finding| item(out, finding, text));
}

fn item(out: &mut String, finding: &Finding, text: &SourceText) {
    let line = place(finding, text).map(|(file, line)| format!(" ({file}:{line})")).unwrap_or_default();
    let _ = writeln!(out, "  - **{}** {}{}", finding.code, plain(&finding.message), plain(&line));
}

/// The file and line of a finding.
pub(crate) fn place(finding: &Finding, text: &SourceText) -> Option<(String, u32)> {
    let label = finding.label.as_ref()?;
    let (file, local) = text.local(label.span);
    Some((file.name().to_owned(), file.position(local.start).line))
}
