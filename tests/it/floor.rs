//! How close a load comes to its floor, in virtual time: without faults within 1.05, with one in a hundred within 1.25.
//!
//! The clock moves only when everything waits, so these are ratios of requests and pauses, the same on every machine.

use b2n::lang::text::SourceText;
use b2n::run::connect::{self, Pace};
use b2n::run::engine::{RunReport, Spent, Volume, floor, most};
use b2n::run::twin::bitrix24::Portal;
use b2n::run::twin::bitrix24::generate::Counts;
use b2n::run::twin::nutshell::Company;

use crate::sim::yard;
use crate::whole;
use crate::world::{Checked, DieAt, Faults, World, acme, check_spec};

struct Shape {
    name: &'static str,
    spec: fn() -> Checked,
    counts: Counts,
}

impl Shape {
    fn halved(self) -> Shape {
        let Counts { companies, contacts, deals, leads } = self.counts;
        let counts =
            Counts { companies: companies / 2, contacts: contacts / 2, deals: deals / 2, leads: leads / 2 };
        Shape { counts, ..self }
    }
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

/// The same at the size of migrations.
const LARGE: [Shape; 3] = [
    Shape {
        name: "many companies with few fields",
        spec: few_fields,
        counts: Counts { companies: 8_000, contacts: 60, deals: 40, leads: 0 },
    },
    Shape {
        name: "deals with lines and notes",
        spec: yard::checked,
        counts: Counts { companies: 440, contacts: 660, deals: 3_300, leads: 220 },
    },
    Shape {
        name: "links that wait",
        spec: yard::checked,
        counts: Counts { companies: 8_500, contacts: 1_000, deals: 500, leads: 500 },
    },
];

/// The example customer with few fields, so that thousands of records take seconds.
fn few_fields() -> Checked {
    let product =
        include_str!("whole.b2n").split_inclusive("\n}\n").find(|item| item.contains("map product "));
    let text = format!("{}{}", include_str!("sim/small.b2n"), product.expect("deals have lines"));
    check_spec(&SourceText::new("small.b2n", whole::rest_dropped(&text)))
}

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
    let (spent, limits) = load(shape, seed, faults, pace);
    spent.ratio(&limits).expect("something was sent")
}

/// What a load of a shape sent, and how long it took.
fn load(shape: &Shape, seed: u64, faults: Faults, pace: Pace) -> (Spent, connect::Limits) {
    let portal = Portal::acme_with(shape.counts, seed);
    let mut world = World::with((shape.spec)(), portal, Company::acme(), seed, faults);
    world.pace = pace;
    world.settings.in_flight = pace.in_flight.unwrap_or(world.settings.in_flight);
    let run =
        world.live(&DieAt::default()).unwrap_or_else(|error| panic!("{}, seed {seed}: {error}", shape.name));
    assert!(run.closes(), "{}, seed {seed}: {:?}", shape.name, run.maps);
    let limits = connect::limits("bitrix24", "nutshell", pace);
    let spent = run.spent.clone().expect("something was loaded");
    let ratio = spent.ratio(&limits).expect("something was sent");
    println!("{}: {ratio:.3} of the floor, {:?}", shape.name, spent);
    println!("{:?}", world.account.log());
    held(&world, &run, &limits);
    (spent, limits)
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

/// What a run waits for once, in seconds, where answers are lost: in each place where something is written, until the last
/// request without an answer is given up (60 s) and its marker is looked for (3 s), and at the end until whatever had
/// no answer is surely dead (90 s). A little more for the requests that look.
fn waits(spent: &Spent) -> f64 {
    let places = spent.places.iter().filter(|(writes, _, _)| *writes > 0).count();
    places as f64 * 65.0 + 90.0
}

/// At the ordinary pace. However many streams a phase has and however many answers are lost, it waits once; so what is
/// above the floor does not grow with the number of records.
#[test]
fn with_one_fault_in_a_hundred_a_load_waits_once_in_each_phase() {
    for shape in SHAPES.map(Shape::halved) {
        let (spent, limits) = load(&shape, 3, ONE_IN_A_HUNDRED, Pace::default());
        let (took, floor) = (spent.loading_ms as f64 / 1_000.0, spent.floor(&limits).loading_s());
        let most = floor * 1.05 + waits(&spent);
        assert!(
            took <= most,
            "{}: {took:.0} s, the floor is {floor:.0} s, the waits end at {most:.0} s",
            shape.name
        );
    }
}

/// The same at the size of a migration of some twelve minutes: the waits are 4 × 65 s + 90 s at most, and they come to
/// less where a phase is short. The other shapes need about 20 000 requests each for the same, which takes this machine
/// minutes: `B2N_FLOOR=all` runs them.
#[test]
fn with_one_fault_in_a_hundred_a_load_takes_a_quarter_more_at_most() {
    let all = std::env::var("B2N_FLOOR").is_ok_and(|which| which == "all");
    for shape in LARGE.iter().take(if all { LARGE.len() } else { 1 }) {
        let found = ratio(shape, 3, ONE_IN_A_HUNDRED, Pace::default());
        assert!((0.99..=1.25).contains(&found), "{}: {found:.3} of the floor", shape.name);
    }
}
