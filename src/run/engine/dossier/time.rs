//! How long it took, against what it had to take: runs, floor, forecast, and writes over time.

use crate::lang::plan::Plan;
use crate::run::connect::{Pace, limits};
use crate::run::engine::forecast::{Volume, floor, most};
use crate::run::workspace::{Error, RunOf, Workspace};

use super::keep;
use super::model::{Run, Step, Time};
use super::{moment, percent};

/// A pause that is longer is left out of the steps, in milliseconds.
const PAUSE_MS: i64 = 60_000;

/// How many steps there are at most.
const STEPS: i64 = 48;

/// How wide a step can be, in seconds.
const WIDTHS: [i64; 14] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600, 14_400, 86_400];

/// How long everything took.
pub(super) fn time(plan: &Plan, workspace: &Workspace, asked: Pace, runs: &[RunOf]) -> Result<Time, Error> {
    let paces: Vec<Pace> =
        runs.iter().map(|run| run.json.as_deref().map(keep::pace).unwrap_or_default()).collect();
    let last = paces.iter().rfind(|pace| **pace != Pace::default()).copied().unwrap_or_default();
    let told = limits(asked.or(last));
    let mut time = Time {
        rate_per_s: told.rate_per_s,
        in_flight: told.in_flight,
        latency_s: told.latency_s,
        ..Time::default()
    };
    for (run, pace) in runs.iter().zip(&paces) {
        let spent = run.json.as_deref().and_then(keep::spent);
        let mut line = Run {
            what: run.what.clone(),
            began: moment(run.began_ms),
            ended: run.ended_ms.map(moment),
            rate_per_s: pace.rate_per_s,
            in_flight: pace.in_flight,
            ..Run::default()
        };
        if let Some(spent) = spent {
            let loading_s = spent.loading_ms as f64 / 1000.0;
            line.loading_s = Some(loading_s);
            time.loading_s += loading_s;
            // Held against its own pace: another one says nothing of how well it was used.
            time.sent_floor_s += spent.floor(&limits(pace.or(asked))).loading_s();
            for (writes, reads, lists) in &spent.places {
                line.writes += writes;
                line.reads += reads;
                line.lists += lists;
            }
        }
        time.runs.push(line);
    }
    time.ratio = (time.sent_floor_s > 0.0).then(|| time.loading_s / time.sent_floor_s);
    let mut staged = std::collections::BTreeMap::new();
    for object in crate::run::engine::objects(plan) {
        staged.insert(object, workspace.staged(object)?);
    }
    let volume = Volume::of(plan, |object| staged.get(object).copied());
    time.floor_s = floor(plan, &volume, &told).loading_s();
    time.forecast_s = most(plan, &volume, &told).loading_s();
    let mut sent = Vec::new();
    workspace.each_write(|at, _| sent.push(at))?;
    time.writes = sent.len() as u64;
    let rates: Vec<(i64, f64)> = runs
        .iter()
        .zip(&paces)
        .map(|(run, pace)| (run.began_ms, limits(pace.or(asked)).rate_per_s))
        .collect();
    let rate_at =
        |at: i64| rates.iter().rfind(|(began, _)| *began <= at).map_or(told.rate_per_s, |(_, rate)| *rate);
    (time.step_s, time.steps) = steps(&sent, rate_at);
    Ok(time)
}

/// Writes in steps of equal width; `sent` in order. `rate_at` is what was allowed at a moment.
fn steps(sent: &[i64], rate_at: impl Fn(i64) -> f64) -> (u64, Vec<Step>) {
    let Some(first) = sent.first() else { return (0, Vec::new()) };
    // By a clock that stands still in pauses.
    let (mut clock, mut before) = (0i64, *first);
    let mut at = Vec::with_capacity(sent.len());
    for now in sent {
        clock += now.saturating_sub(before).clamp(0, PAUSE_MS);
        before = *now;
        at.push(clock);
    }
    let fits = |width: &&i64| clock / (**width * 1000) < STEPS;
    let width = WIDTHS.iter().find(fits).copied().unwrap_or_else(|| clock / (STEPS * 1000) + 1);
    let wide = width * 1000;
    let count = clock / wide + 1;
    let mut steps: Vec<(i64, u64)> = Vec::new();
    let mut next = 0;
    for step in 0..count {
        let begins = step * wide;
        // The last write before the step began tells what the wall's clock said then.
        let known = if next == 0 { 0 } else { next - 1 };
        let from = sent[known] + (begins - at[known]);
        let mut writes = 0;
        while next < at.len() && at[next] < begins + wide {
            next += 1;
            writes += 1;
        }
        steps.push((from, writes));
    }
    let shown = |(from, writes): (i64, u64)| Step {
        from: moment(from),
        writes,
        percent: percent(writes as f64, width as f64 * rate_at(from)).unwrap_or_default(),
    };
    (width.unsigned_abs(), steps.into_iter().map(shown).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pauses_are_left_out() {
        // Ten writes a second for a minute, a night, and one more.
        let mut sent: Vec<i64> = (0..600).map(|at| at * 100).collect();
        sent.push(sent[599] + 36_000_000);
        let (width, steps) = steps(&sent, |_| 10.0);
        assert_eq!((width, steps.len()), (5, 24));
        assert_eq!((steps[0].writes, steps[0].percent.as_str()), (50, "100.0"));
        assert_eq!((steps[11].writes, steps[12].writes, steps[23].writes), (50, 0, 1));
    }

    proptest! {
        #[test]
        fn every_write_is_in_one_step(gaps in prop::collection::vec(0i64..200_000, 0..200), rate in 1.0f64..50.0) {
            let mut at = 1_795_262_400_000;
            let sent: Vec<i64> = gaps.iter().map(|gap| { at += gap; at }).collect();
            let (width, steps) = steps(&sent, |_| rate);
            prop_assert_eq!(steps.iter().map(|step| step.writes).sum::<u64>(), sent.len() as u64);
            prop_assert!(steps.len() as i64 <= STEPS && (width > 0) != sent.is_empty());
        }
    }
}
