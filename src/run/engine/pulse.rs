//! What a migration is doing right now, from its workspace alone: asked beside a run, or after one.

use serde::Serialize;

use crate::lang::plan::Plan;
use crate::run::workspace::{Error, JournalState, Status, Workspace};

use super::close::standing;
use super::dossier::faults;
use super::objects;

/// Over how long a rate is told, in milliseconds.
const WINDOW_MS: i64 = 60_000;

/// What a migration is doing.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Pulse {
    /// The process that works on it, where one does.
    pub process: Option<u32>,
    /// What it is at: `extract`, `load`, `done`, `not begun`.
    pub phase: &'static str,
    /// Of loading: which phase of the plan, from 1, and of how many.
    pub step: Option<(u64, u64)>,
    /// The rows of the books that are at it.
    pub at: Vec<String>,
    /// Records without an end.
    pub pending: u64,
    /// Records with one.
    pub ended: u64,
    /// Records that are quarantined or failed.
    pub held_back: u64,
    /// Writes a second over the last minute; `None` where there were none.
    pub writes_per_s: Option<f64>,
    /// How much of the allowed rate they use, 0 to 1.
    pub limit_use: Option<f64>,
    /// Seconds until all pending records have an end, at this rate and at one write each.
    pub left_s: Option<f64>,
    /// When the last write ended, Unix milliseconds.
    pub last_write_ms: Option<i64>,
    /// Writes that were sent and have no answer yet.
    pub under_way: u64,
    /// What is waited for, in words; empty where nothing is.
    pub waits_for: Vec<String>,
    /// The last thing that went wrong.
    pub last_fault: Option<Fault>,
}

/// Something that went wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// When, Unix milliseconds.
    pub at_ms: i64,
    /// The row of the books, and the record.
    pub record: String,
    /// What, in words without a value of a record.
    pub what: &'static str,
}

/// What a workspace tells of a run at a moment; `rate_per_s` is what is allowed for.
///
/// # Errors
/// Those of the workspace.
pub fn pulse(
    plan: &Plan,
    workspace: &Workspace,
    process: Option<u32>,
    rate_per_s: f64,
    now_ms: i64,
) -> Result<Pulse, Error> {
    let mut pulse = Pulse { process, ..Pulse::default() };
    let rows = standing(plan, workspace)?;
    for row in &rows {
        pulse.pending += row.pending();
        pulse.ended += row.tally.sum();
        pulse.held_back += row.tally.quarantined + row.tally.failed;
    }
    let lately = workspace.lately(now_ms, WINDOW_MS)?;
    pulse.last_write_ms = lately.last_ms;
    pulse.under_way = lately.open;
    if lately.writes > 0 {
        let since = lately.since_ms.unwrap_or(now_ms).max(now_ms - WINDOW_MS);
        let rate = lately.writes as f64 / ((now_ms - since).max(1_000) as f64 / 1000.0);
        pulse.writes_per_s = Some(rate);
        pulse.limit_use = Some((rate / rate_per_s).min(1.0));
        pulse.left_s = Some(pulse.pending as f64 / rate);
    }
    let mut unread = Vec::new();
    for object in objects(plan) {
        if !workspace.manifest(object)?.is_some_and(|manifest| manifest.done) {
            unread.push(object.to_owned());
        }
    }
    let wrote = workspace.writes()? > 0;
    if !unread.is_empty() && !wrote {
        let begun = pulse.pending + pulse.ended > 0;
        pulse.phase = if begun || process.is_some() { "extract" } else { "not begun" };
        pulse.at = unread;
    } else if pulse.pending > 0 {
        pulse.phase = "load";
        let waits = |map: &u16| {
            let map = plan.maps.get(usize::from(*map));
            map.is_some_and(|map| {
                rows.iter().any(|row| row.pending() > 0 && row.map.ends_with(map.name.as_str()))
            })
        };
        let at = plan.phases.iter().position(|phase| phase.iter().any(waits));
        pulse.step = at.map(|at| (at as u64 + 1, plan.phases.len() as u64));
        let open = rows.iter().filter(|row| row.pending() > 0 && !row.map.starts_with("split "));
        pulse.at = open.map(|row| row.map.clone()).take(4).collect();
    } else {
        pulse.phase = if wrote { "done" } else { "not begun" };
    }
    waits_for(&mut pulse, lately.oldest_ms, lately.looked_for, now_ms);
    pulse.last_fault = workspace.last_trouble()?.map(|trouble| Fault {
        at_ms: trouble.ended_ms.unwrap_or(trouble.sent_ms),
        record: format!("{}/{}", trouble.map, trouble.key),
        what: match (trouble.unanswered, trouble.state) {
            (true, JournalState::Done) => "a write got no usable answer, and was found to be done",
            (true, _) => "a write got no usable answer",
            _ => faults::what(&trouble),
        },
    });
    Ok(pulse)
}

fn waits_for(pulse: &mut Pulse, oldest_ms: Option<i64>, looked_for: u64, now_ms: i64) {
    let running = pulse.process.is_some();
    if let Some(oldest) = oldest_ms {
        let seconds = (now_ms - oldest).max(0) / 1000;
        pulse.waits_for.push(if running {
            format!("the answer to {} writes, the oldest sent {seconds} s ago", pulse.under_way)
        } else {
            format!("a run that settles {} writes whose answer nobody saw", pulse.under_way)
        });
    }
    if looked_for > 0 {
        pulse.waits_for.push(if running {
            format!("{looked_for} writes without an answer to be found, or to be surely dead")
        } else {
            format!("a run that looks for {looked_for} writes without an answer")
        });
    }
    if running && oldest_ms.is_none() && looked_for == 0 && pulse.writes_per_s.is_none() {
        let at = match pulse.phase {
            "extract" => "the source: records are read",
            "load" => "the destination: records are listed, read or compared, and nothing is written",
            _ => "a comparison or another look at both sides",
        };
        pulse.waits_for.push(at.to_owned());
    }
}

/// A row of the books, and how many of its records ended where.
pub type Counters = (String, Vec<(&'static str, u64)>);

/// Records of each row of the books by where they ended, for counters.
///
/// # Errors
/// Those of the workspace.
pub fn counters(plan: &Plan, workspace: &Workspace) -> Result<Vec<Counters>, Error> {
    let rows = standing(plan, workspace)?;
    let ends = |row: &super::MapReport| {
        let mut ends: Vec<(&'static str, u64)> =
            Status::ALL.iter().map(|status| (status.word(), row.tally.get(*status))).collect();
        ends.push(("pending", row.pending()));
        (row.map.clone(), ends)
    };
    Ok(rows.iter().map(ends).collect())
}
