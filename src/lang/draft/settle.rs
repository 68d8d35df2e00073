//! Settling: the checker reads the draft, and each line that it refuses takes its next way.

use super::lay::Told;
use super::page::Page;
use super::{Draft, Input, Making};
use crate::lang::check::{self, profile};
use crate::lang::finding::{Finding, registry as codes};
use crate::lang::syntax::{self, ast};
use crate::lang::text::SourceText;

/// The most rounds; each settles all findings of the one before.
const ROUNDS: usize = 200;

/// Checks and mends until nothing but open decisions is left, or nothing more can be done.
pub fn settle(mut making: Making<'_>) -> Draft {
    let hashes = (making.input.source.hash(), making.input.target.hash());
    let mut rounds = 0;
    loop {
        rounds += 1;
        let laid = making.page.lay();
        let findings = findings(&making.input, &laid.text, &hashes);
        let mut mended = false;
        let mut seen = Vec::new();
        for finding in findings.iter().filter(|finding| finding.forbids_plan()) {
            let slot = finding.label.as_ref().and_then(|label| laid.slot(label.span.start as usize));
            if finding.code == codes::SOURCE_FIELD_UNUSED && show(&mut making.page, &finding.message) {
                mended = true;
                continue;
            }
            let Some(slot) = slot else { continue };
            // A line changes once a round: later findings of it may have gone with the first.
            if !seen.contains(&slot) {
                seen.push(slot);
                mended |= making.page.mend(slot, finding.code);
            }
        }
        if !mended || rounds >= ROUNDS {
            return told(&mut making, findings, rounds);
        }
    }
}

/// Parses and checks a draft, with its profile.
fn findings(input: &Input<'_>, text: &str, hashes: &(String, String)) -> Vec<Finding> {
    let own = SourceText::new("draft", text);
    let (joined, parts, mut findings) = match input.profile {
        None => {
            let (spec, findings) = syntax::parse(&own);
            (own, vec![profile::Part { spec, uses: Vec::new() }], findings)
        }
        Some((name, profile_text)) => {
            let joined = SourceText::join(vec![own, SourceText::new(name, profile_text)]);
            let (spec, findings) = syntax::parse_part(&joined, 0);
            let (base, _) = syntax::parse_part(&joined, 1);
            let parts =
                vec![profile::Part { spec, uses: vec![1] }, profile::Part { spec: base, uses: Vec::new() }];
            (joined, parts, findings)
        }
    };
    let broken = check::broken(&findings);
    let resolved = profile::resolve(parts, &joined);
    findings.extend(resolved.findings);
    let spec: ast::Spec = resolved.spec;
    let checked = check::check(&check::Input {
        spec: &spec,
        text: &joined,
        source: Some(input.source),
        target: Some(input.target),
        source_hash: &hashes.0,
        target_hash: &hashes.1,
        source_name: input.source_name,
        target_name: input.target_name,
        today: input.today,
        broken: &broken,
    });
    findings.extend(checked.findings);
    findings
}

/// Shows the line of a field that a profile leaves open; false where it stands already.
fn show(page: &mut Page, message: &str) -> bool {
    let mut names = message.split('`').skip(1).step_by(2);
    let (Some(field), Some(object)) = (names.next(), names.last()) else { return false };
    let block =
        page.blocks.iter_mut().rfind(|block| !block.off && block.object == object && block.shown.is_some());
    let shown = block.and_then(|block| block.shown.as_mut());
    shown.is_some_and(|shown| shown.insert(field.to_owned()))
}

fn told(making: &mut Making<'_>, findings: Vec<Finding>, rounds: usize) -> Draft {
    let page = &mut making.page;
    let objects = page.told();
    let left = page.left();
    page.gather();
    let laid = page.lay().text;
    let text = syntax::format(&SourceText::new("draft", laid.as_str())).unwrap_or(laid);
    let sum = |of: fn(&Told) -> usize| objects.iter().map(of).sum();
    let rows = text.lines().filter(|line| line.trim_start().starts_with("proposed ") && line.contains("=>"));
    let rows = rows.filter(|line| !line.contains("<-")).count();
    let (proposed, todo, dropped): (usize, usize, usize) =
        (sum(|told| told.proposed), sum(|told| told.todo), sum(|told| told.dropped));
    Draft { text, findings, proposed: proposed + rows, todo, dropped, objects, left, rounds }
}
