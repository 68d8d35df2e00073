//! How close a load comes to its floor, in virtual time: without faults within 1.05, with one in a hundred within 1.25.
//!
//! The clock moves only when everything waits, so these are ratios of requests and pauses, the same on every machine.

use b2n::run::connect::{self, Pace};
use b2n::run::engine::{RunReport, Volume, floor, most};
use b2n::run::twin::bitrix24::Portal;
use b2n::run::twin::bitrix24::generate::Counts;
use b2n::run::twin::nutshell::Company;

use crate::whole;
use crate::world::{Checked, DieAt, Faults, World, acme};

struct Shape {
    name: &'static str,
    spec: fn() -> Checked,
    counts: Counts,
}

const SHAPES: [Shape; 3] = [
    Shape {
        name: "many companies",
        spec: acme,
        counts: Counts { companies: 800, contacts: 60, deals: 40, leads: 0 },
    },
    Shape {
        name: "deals with lines and notes",
        spec: whole::checked,
        counts: Counts { companies: 40, contacts: 60, deals: 300, leads: 20 },
    },
    Shape {
        name: "links that wait",
        spec: whole::checked,
        counts: Counts { companies: 500, contacts: 60, deals: 30, leads: 30 },
    },
];

/// One request in a hundred goes wrong, in every way that a write can.
const ONE_IN_A_HUNDRED: Faults = Faults {
    lost: 0.002,
    late: 0.002,
    late_ms: 61_000,
    refused: 0.002,
    html: 0.002,
    cut: 0.002,
    stale: None,
};

fn ratio(shape: &Shape, seed: u64, faults: Faults, pace: Pace) -> f64 {
    let portal = Portal::acme_with(shape.counts, seed);
    let mut world = World::with((shape.spec)(), portal, Company::acme(), seed, faults);
    world.pace = pace;
    world.settings.in_flight = pace.in_flight.unwrap_or(world.settings.in_flight);
    let run =
        world.live(&DieAt::default()).unwrap_or_else(|error| panic!("{}, seed {seed}: {error}", shape.name));
    assert!(run.closes(), "{}, seed {seed}: {:?}", shape.name, run.maps);
    let limits = connect::limits(pace);
    let spent = run.spent.clone().expect("something was loaded");
    let ratio = spent.ratio(&limits).expect("something was sent");
    println!("{}: {ratio:.3} of the floor, {:?}", shape.name, spent);
    println!("{:?}", world.account.log());
    held(&world, &run, &limits);
    ratio
}

/// The floor is one: what the twin served is no less than what was counted, and the plan's own figures stand around it.
fn held(world: &World, run: &RunReport, limits: &connect::Limits) {
    let spent = run.spent.as_ref().expect("something was loaded");
    let counted: u64 = spent.places.iter().map(|(writes, reads, lists)| writes + reads + lists).sum();
    let served = world.account.log().total();
    assert!(counted <= served, "{counted} requests are counted, {served} were served");
    let volume = Volume::of(&world.checked.plan, |object| world.workspace.staged(object).ok());
    let done = spent.floor(limits);
    let (least, most) =
        (floor(&world.checked.plan, &volume, limits), most(&world.checked.plan, &volume, limits));
    assert_eq!(done.phases.len(), least.phases.len());
    assert!(done.loading_s() <= most.loading_s(), "{done:?} above {most:?}");
    // Records that the rules leave out are not written: the floor of a plan may lie above by those.
    let left: u64 =
        run.maps.iter().map(|map| map.tally.left_out + map.tally.quarantined + map.tally.listed).sum();
    let slack = left as f64 / limits.rate_per_s.min(limits.in_flight / limits.latency_s);
    assert!(least.loading_s() <= done.loading_s() + slack + 0.001, "{least:?} above {done:?}");
}

#[test]
fn without_faults_a_load_takes_its_floor() {
    for shape in &SHAPES {
        let found = ratio(shape, 1, Faults::default(), Pace::default());
        assert!((0.99..=1.05).contains(&found), "{}: {found:.3} of the floor", shape.name);
    }
}

/// Where answers take longer than the rate demands, the requests in flight are the bound. A list goes on only when its last
/// page is there, so a little is left over.
#[test]
fn without_faults_a_load_bound_by_latency_takes_little_more() {
    let pace = Pace { rate_per_s: Some(1_000.0), in_flight: Some(4) };
    let found = ratio(&SHAPES[0], 2, Faults::default(), pace);
    assert!((0.99..=1.10).contains(&found), "{found:.3} of the floor");
}

/// At one request in two seconds these take about an hour, as real ones do at ten a second: what is waited for when a request had no
/// answer does not grow with the number of records.
#[test]
fn with_one_fault_in_a_hundred_a_load_takes_a_quarter_more_at_most() {
    let pace = Pace { rate_per_s: Some(0.5), in_flight: Some(4) };
    for shape in &SHAPES {
        let found = ratio(shape, 3, ONE_IN_A_HUNDRED, pace);
        assert!((0.99..=1.25).contains(&found), "{}: {found:.3} of the floor", shape.name);
    }
}
