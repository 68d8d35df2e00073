//! Pairs of faults, in the load and in the rollback: one strikes while the other is being dealt with.
//!
//! A sample of them in CI, by a seed; `B2N_PAIRS=all` for every one.

#![cfg(debug_assertions)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use b2n::run::connect::outside::Random;
use b2n::run::rehearsal::SplitMix;

use super::oracle::{Picture, differences, ghosts, picture, wrong};
use super::wire::{Phase, Side, Strike, Trouble, What, When};
use super::yard::Yard;

/// Pairs in CI, of each phase.
const FEW: usize = 16;

const FAULTS: [(&str, What, Trouble); 13] = [
    ("lost answer", What::Write, Trouble::Lost),
    ("reset after", What::Write, Trouble::ResetAfter),
    ("reset before", What::Write, Trouble::ResetBefore),
    ("timeout", What::Write, Trouble::Timeout),
    ("late", What::Write, Trouble::Late(100_000)),
    ("cut body", What::Write, Trouble::Cut),
    ("500 after", What::Write, Trouble::Failed(500, "{\"error\":\"oops\"}")),
    ("502 page", What::Write, Trouble::Failed(502, "<html>Bad Gateway</html>")),
    ("503", What::Any, Trouble::Refused(503, "<html>busy</html>")),
    ("429", What::Any, Trouble::Refused(429, "")),
    ("read times out", What::Read, Trouble::Timeout),
    ("read is cut", What::Read, Trouble::Cut),
    ("clock steps", What::Any, Trouble::ClockStep(3_600_000)),
];

fn run(phase: Phase, first: usize, second: usize, clean: &Picture) -> Vec<String> {
    let mut yard = Yard::new(1, 9);
    yard.settings.sends = 12;
    let before = picture(&yard);
    if phase == Phase::Rollback
        && let Err(error) = yard.through(&[])
    {
        return vec![format!("before the rollback: {error}")];
    }
    let strike = |at: usize, first, times| {
        let (_, what, trouble) = FAULTS[at];
        let times = if matches!(trouble, Trouble::ClockStep(_)) { 1 } else { times };
        Strike { side: Side::Account, phase: Some(phase), what, when: When::From(first, times), trouble }
    };
    // The second strikes what follows at once, and again later.
    yard.hub.strike(&[strike(first, 3, 1), strike(second, 4, 2), strike(second, 9, 1)]);
    let ended =
        if phase == Phase::Rollback { yard.back(&[]).map(|_| ()) } else { yard.through(&[]).map(|_| ()) };
    let mut problems: Vec<String> = ended.err().into_iter().collect();
    if yard.hub.struck() < 3 {
        problems.push(format!("{} of 3 faults struck", yard.hub.struck()));
    }
    let found = picture(&yard);
    if phase == Phase::Rollback {
        problems.extend(differences(&before, &found));
    } else {
        problems.extend(differences(clean, &found));
        problems.extend(wrong(&yard));
        problems.extend(ghosts(&yard));
    }
    problems
}

#[test]
fn pairs_of_faults_in_load_and_rollback() {
    let clean = {
        let yard = Yard::new(1, 0);
        yard.through(&[]).expect("a clean run");
        picture(&yard)
    };
    let count = FAULTS.len();
    let all = |phase| (0..count * count).map(move |pair| (phase, pair / count, pair % count));
    let everything = std::env::var("B2N_PAIRS").is_ok_and(|which| which == "all");
    let seed = std::env::var("B2N_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let dice = SplitMix::new(seed);
    let mut pairs = Vec::new();
    for phase in [Phase::Load, Phase::Rollback] {
        let mut of_phase: Vec<_> = all(phase).collect();
        if !everything {
            of_phase = (0..FEW).map(|_| of_phase[dice.next_u64() as usize % of_phase.len()]).collect();
        }
        pairs.extend(of_phase);
    }
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some((phase, first, second)) = pairs.get(next.fetch_add(1, Ordering::Relaxed)).copied() {
            let problems = run(phase, first, second, &clean);
            if !problems.is_empty() {
                let name = format!("{} and {} in {phase:?}", FAULTS[first].0, FAULTS[second].0);
                failed.lock().expect("a lock").push((name, problems));
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let failed = failed.into_inner().expect("a lock");
    println!("{} pairs, seed {seed}", pairs.len());
    for (name, problems) in &failed {
        println!("FAILED {name}: {:#?}", &problems[..problems.len().min(4)]);
    }
    assert!(failed.is_empty(), "{} pairs fail, seed {seed}", failed.len());
}
