//! What clients met on the way, in the workspace: added up over all runs, as often as there is something new.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::run::connect::{Met, Source};
use crate::run::engine::{Engine, Event, Outside, Progress, Result};
use crate::run::workspace::{Error, RunOf, Workspace};

/// Notes of the workspace, one for each side.
pub(super) const SOURCE: &str = "met at the source";
pub(super) const TARGET: &str = "met at the destination";

/// A kind of trouble, as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptMet {
    pub times: u64,
    pub waited_ms: u64,
    pub given_up: u64,
    /// When that was last, Unix milliseconds.
    pub given_up_ms: i64,
}

/// All of one side, by what was met.
pub(super) type Kinds = BTreeMap<String, KeptMet>;

pub(super) fn kept(workspace: &Workspace, note: &str) -> std::result::Result<Kinds, Error> {
    let kept = workspace.note(note)?;
    Ok(kept.and_then(|kept| serde_json::from_str(&kept).ok()).unwrap_or_default())
}

fn add(
    workspace: &Workspace,
    note: &str,
    met: &[Met],
    (now_ms, progress): (i64, &dyn Progress),
) -> std::result::Result<(), Error> {
    if met.is_empty() {
        return Ok(());
    }
    let mut kinds = kept(workspace, note)?;
    for met in met {
        progress.happened(&Event::Met(met));
        let kind = kinds.entry(met.what.to_owned()).or_default();
        kind.times += met.times;
        kind.waited_ms += met.waited_ms;
        kind.given_up += met.given_up;
        if met.given_up > 0 {
            kind.given_up_ms = now_ms;
        }
    }
    workspace.set_note(note, &serde_json::to_string(&kinds).unwrap_or_default())
}

/// Keeps what the source's client met.
pub(in crate::run::engine) fn keep_source(
    workspace: &Workspace,
    source: &dyn Source,
    outside: &Outside<'_>,
) -> Result<()> {
    Ok(add(workspace, SOURCE, &source.met(), (outside.clock.now_ms(), outside.progress))?)
}

impl Engine<'_> {
    /// Keeps, and tells, what both clients and writes met since this was last called. A process that dies takes with it what it met since.
    ///
    /// # Errors
    /// Those of the workspace.
    pub fn keep_met(&self) -> Result<()> {
        keep_source(self.workspace, self.source, &self.outside)?;
        let mut met = self.target.met();
        met.extend(self.put_off.take());
        Ok(add(self.workspace, TARGET, &met, (self.outside.clock.now_ms(), self.outside.progress))?)
    }
}

/// How a kind of trouble was settled: in words, how often, and whether it is.
pub(super) type Settled = (String, u64, bool);

/// How each kind of trouble was settled. What was given up is settled once a run came to its end after it; of the
/// source too, once everything of it is staged.
pub(super) fn settled(
    kinds: Kinds,
    runs: &[RunOf],
    staged: bool,
) -> impl Iterator<Item = (String, Vec<Settled>)> {
    let last_end = runs.iter().filter_map(|run| run.ended_ms).max();
    kinds.into_iter().map(move |(what, met)| {
        let mut ways = Vec::new();
        // Several may give up what one answer lacks.
        let given_up = met.given_up.min(met.times);
        let again = met.times - given_up;
        if again > 0 {
            let seconds = (met.waited_ms + 500) / 1000;
            ways.push((format!("asked again, after {seconds} s of waiting in all"), again, true));
        }
        if given_up > 0 {
            let gone_on = staged || last_end.is_some_and(|end| end >= met.given_up_ms);
            let how = if gone_on { "given up; what asked for it was done later" } else { "given up for now" };
            ways.push((how.to_owned(), given_up, gone_on));
        }
        (what, ways)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUSY: &str = "the source was busy";

    struct Quiet;

    impl Progress for Quiet {
        fn begin(&self, _: &str, _: Option<u64>) {}
        fn at(&self, _: u64) {}
        fn end(&self) {}
        fn notice(&self, _: &str) {}
    }

    #[test]
    fn counts_add_up_over_processes_and_what_was_given_up_is_settled_by_a_later_end() {
        let ws = Workspace::in_memory().expect("opens");
        let met = |times, waited_ms, given_up| Met { what: BUSY, times, waited_ms, given_up };
        add(&ws, SOURCE, &[met(3, 1_400, 0)], (10, &Quiet)).expect("keeps");
        add(&ws, SOURCE, &[], (11, &Quiet)).expect("keeps nothing");
        add(&ws, SOURCE, &[met(2, 200, 1)], (20, &Quiet)).expect("keeps");
        let all = || kept(&ws, SOURCE).expect("reads");
        assert_eq!(kept(&ws, TARGET).expect("reads"), Kinds::new());
        let ended = |ended_ms| RunOf { ended_ms, ..RunOf::default() };
        let told = |runs: &[RunOf], staged| settled(all(), runs, staged).collect::<Vec<_>>();
        let again = ("asked again, after 2 s of waiting in all".to_owned(), 4, true);
        let open = ("given up for now".to_owned(), 1, false);
        let later = ("given up; what asked for it was done later".to_owned(), 1, true);
        let of = |ways: [&Settled; 2]| vec![(BUSY.to_owned(), ways.map(Clone::clone).to_vec())];
        assert_eq!(told(&[], false), of([&again, &open]));
        assert_eq!(told(&[ended(Some(19)), ended(None)], false), of([&again, &open]), "it ended before");
        assert_eq!(told(&[ended(Some(20))], false), of([&again, &later]));
        assert_eq!(told(&[], true), of([&again, &later]));
    }
}
