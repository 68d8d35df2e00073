//! Every fix that is offered anywhere in the corpus is applied, and the result is checked again.

use std::collections::BTreeMap;

use b2n::lang::finding::fix::{applies, apply};
use b2n::lang::finding::{Applicability, Edit, Finding};
use b2n::lang::text::SourceText;

use super::{Found, cases, check};

/// As many rounds as `b2n check --fix` makes.
const MAX_ROUNDS: usize = 10;

/// What a finding says, without its place: edits move places.
fn said(finding: &Finding) -> (String, String) {
    (finding.code.to_string(), finding.message.clone())
}

fn counted<'f>(findings: impl Iterator<Item = &'f Finding>) -> BTreeMap<(String, String), usize> {
    let mut counts = BTreeMap::new();
    for finding in findings {
        *counts.entry(said(finding)).or_default() += 1;
    }
    counts
}

/// Errors of `after` that `before` did not have.
fn new_errors(before: &Found, after: &Found) -> Vec<String> {
    let had = counted(before.errors());
    counted(after.errors())
        .into_iter()
        .filter(|(said, times)| had.get(said).copied().unwrap_or(0) < *times)
        .map(|((code, message), _)| format!("{code}: {message}"))
        .collect()
}

fn syntax_errors(found: &Found) -> usize {
    found.errors().filter(|finding| finding.code.as_str().starts_with("B2N-E01")).count()
}

/// Edits as `apply` makes them, without asking how sure they are.
fn edited(text: &SourceText, edits: &[Edit]) -> String {
    let mut edits: Vec<&Edit> = edits.iter().collect();
    edits.sort_by_key(|edit| (edit.span.start, edit.span.end));
    let mut out = text.text().to_owned();
    for edit in edits.iter().rev() {
        out.replace_range(edit.span.range(), &edit.text);
    }
    out
}

/// The specs whose fixes are tried: what is wrong, and what is said poorly.
fn texts() -> Vec<SourceText> {
    let err = cases("err").into_iter().filter(|case| !case.by_program());
    err.map(|case| case.text()).chain(super::poor::texts()).collect()
}

/// The spec's own file of a text that is joined with profiles.
fn own(found: &Found) -> SourceText {
    found.text.parts().first().map_or_else(|| found.text.clone(), |part| part.file.clone())
}

#[test]
fn each_fix_settles_its_finding_and_makes_no_new_error() {
    let mut wrong = Vec::new();
    let mut tried: BTreeMap<Applicability, usize> = BTreeMap::new();
    for text in texts() {
        let before = check(&text);
        let file = own(&before);
        for finding in &before.findings {
            let Some(fix) = &finding.fix else { continue };
            let place = format!("{}: {} ({})", text.name(), fix.title, super::place(finding, &before.text));
            *tried.entry(fix.applicability).or_default() += 1;
            if fix.edits.is_empty() {
                wrong.push(format!("{place} has no edits"));
                continue;
            }
            if fix.edits.iter().any(|edit| file.text().get(edit.span.range()).is_none()) {
                wrong.push(format!("{place} does not fit the text"));
                continue;
            }
            let after = check(&SourceText::new(text.name(), edited(&file, &fix.edits)));
            if fix.applicability == Applicability::Placeholder {
                if syntax_errors(&after) > syntax_errors(&before) {
                    wrong.push(format!("{place} does not parse:\n{}\n{}", after.told(), after.text.text()));
                }
                continue;
            }
            let left = counted(after.findings.iter()).get(&said(finding)).copied().unwrap_or(0);
            let had = counted(before.findings.iter()).get(&said(finding)).copied().unwrap_or(0);
            if left >= had {
                wrong.push(format!("{place}: it is still there:\n{}", after.told()));
            }
            let new = new_errors(&before, &after);
            if !new.is_empty() {
                wrong.push(format!("{place} makes {new:?}\n{}", after.text.text()));
            }
        }
    }
    println!("fixes tried: {tried:?}");
    assert!(tried.len() == 3, "not every kind of fix was tried: {tried:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn all_fixes_of_a_file_together_settle_what_they_can() {
    let mut wrong = Vec::new();
    for most in [Applicability::Safe, Applicability::Likely] {
        for text in texts() {
            let before = check(&text);
            let mut found = check(&text);
            for _ in 0..MAX_ROUNDS {
                let file = own(&found);
                let fixed = apply(&file, &found.findings, most);
                if fixed.text == file.text() {
                    break;
                }
                found = check(&SourceText::new(text.name(), fixed.text));
            }
            let place = format!("{} up to {most:?}", text.name());
            let left: Vec<&Finding> = found
                .findings
                .iter()
                .filter(|finding| finding.fix.as_ref().is_some_and(|fix| applies(fix, most)))
                .collect();
            if !left.is_empty() {
                wrong.push(format!("{place}: fixes are left after {MAX_ROUNDS} rounds:\n{}", found.told()));
            }
            let new = new_errors(&before, &found);
            if !new.is_empty() {
                wrong.push(format!("{place} makes {new:?}\n{}", found.text.text()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
