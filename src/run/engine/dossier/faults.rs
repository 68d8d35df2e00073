//! What went wrong on the way, as the journal knows it and clients counted it, and how each was settled.

use std::collections::BTreeMap;

use crate::lang::plan::Plan;
use crate::run::engine::dossier::lists::{Lists, Writing};
use crate::run::workspace::{JournalState, Operation, RunOf, Trouble, Workspace};

use super::met;
use super::model::FaultLine;
use super::moment;
use super::veil::Veil;

/// Writes that are read at once.
const PAGE: u32 = 500;

/// The columns of the list.
const HEAD: [&str; 8] = ["what", "how it was settled", "row", "key", "write", "sent", "ended", "answer"];

/// A kind of trouble: what, how it was settled, whether it is.
type Kind = (&'static str, &'static str, bool);

/// Every trouble, by kind in the order of the words; what clients got over by themselves behind them.
pub(super) fn faults<L: Lists>(
    plan: &Plan,
    workspace: &Workspace,
    runs: &[RunOf],
    veil: &Veil,
    lists: &mut Writing<'_, L>,
) -> Result<Vec<FaultLine>, L::Error> {
    let mut kinds: BTreeMap<Kind, u64> = BTreeMap::new();
    lists.begin("faults.csv", "What went wrong on the way, and how it was settled", &HEAD);
    for (at, run) in runs.iter().enumerate().filter(|(_, run)| run.ended_ms.is_none()) {
        let gone_on = runs[at + 1..].iter().any(|later| later.ended_ms.is_some());
        let how = if gone_on { "a later run went on from there" } else { "not gone on with yet" };
        let kind = ("a run died or was stopped", how, gone_on);
        *kinds.entry(kind).or_default() += 1;
        let name = format!("run {}", run.seq);
        lists.row(&[kind.0, kind.1, "", &name, &run.what, &moment(run.began_ms), "", ""])?;
    }
    let mut after = 0;
    loop {
        let page = workspace.troubles(after, PAGE)?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        for trouble in &page {
            let kind = kind(workspace, trouble)?;
            *kinds.entry(kind).or_default() += 1;
            lists.row(&[
                kind.0,
                kind.1,
                &trouble.map,
                &trouble.key,
                trouble.operation.word(),
                &moment(trouble.sent_ms),
                &trouble.ended_ms.map(moment).unwrap_or_default(),
                &note(trouble, veil),
            ])?;
        }
    }
    let (_, list) = lists.end()?;
    let line = |((what, how, settled), times): (Kind, u64)| FaultLine {
        what: what.to_owned(),
        how: how.to_owned(),
        times,
        settled,
        list: list.clone(),
    };
    let mut lines: Vec<FaultLine> = kinds.into_iter().map(line).collect();
    let mut staged = true;
    for object in crate::run::engine::objects(plan) {
        staged &= workspace.manifest(object)?.is_some_and(|manifest| manifest.done);
    }
    for (note, staged) in [(met::SOURCE, staged), (met::TARGET, false)] {
        for (what, ways) in met::settled(met::kept(workspace, note)?, runs, staged) {
            let line =
                |(how, times, settled)| FaultLine { what: what.clone(), how, times, settled, list: None };
            lines.extend(ways.into_iter().map(line));
        }
    }
    Ok(lines)
}

/// What the engine notes itself; everything else is the destination's word.
const OWN: [&str; 5] = [
    "found by its marker",
    "looked for twice and not found",
    "found to be done",
    "the record is gone",
    "nothing of it was there when it was rolled back",
];

/// Of these, what is said of a write that was looked for in vain.
const NOT_THERE: [&str; 2] =
    ["looked for twice and not found", "nothing of it was there when it was rolled back"];

fn note(trouble: &Trouble, veil: &Veil) -> String {
    match trouble.note.as_deref() {
        Some(own) if OWN.contains(&own) => own.to_owned(),
        Some(other) => veil.reason(other),
        None => String::new(),
    }
}

/// What went wrong with a write, in the journal's terms.
pub(in crate::run::engine) fn what(trouble: &Trouble) -> &'static str {
    let said = trouble.note.as_deref().unwrap_or_default();
    match (trouble.unanswered, trouble.state) {
        (true, _) => "a write got no usable answer",
        (false, JournalState::Intent | JournalState::Done) => "a process ended while a write was under way",
        // Nobody waited for its answer: whoever came next looked for it.
        (false, _) if NOT_THERE.contains(&said) => "a process ended while a write was under way",
        (false, _) if said.starts_with("not sent") || said.starts_with("busy") => {
            "the destination was busy or out of reach"
        }
        (false, _) => "the destination refused a write",
    }
}

fn kind(workspace: &Workspace, trouble: &Trouble) -> Result<Kind, crate::run::workspace::Error> {
    if trouble.operation == Operation::Delete {
        let what = "the destination made a record twice";
        return Ok(match trouble.state {
            JournalState::Done => (what, "the double was taken away", true),
            _ => (what, "the double may still stand", false),
        });
    }
    let outcome = workspace.outcome(&trouble.map, &trouble.key)?;
    let stands = outcome.as_ref().is_some_and(|outcome| outcome.target.is_some());
    let listed = outcome.is_some();
    let what = what(trouble);
    let (how, settled) = match trouble.state {
        JournalState::Done => ("it was done: found by its marker", true),
        _ if trouble.repeated => ("it was not done, and was sent again", true),
        JournalState::Unknown | JournalState::Intent if stands => ("the record was found by a sweep", true),
        JournalState::Unknown | JournalState::Intent => ("nobody knows yet whether it was done", false),
        JournalState::Failed if stands => ("given up; the record stands as it was", true),
        JournalState::Failed if listed => ("given up; the record is listed with its reason", true),
        JournalState::Failed => ("to be tried again by the next run", false),
    };
    Ok((what, how, settled))
}
