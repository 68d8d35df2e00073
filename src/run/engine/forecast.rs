//! The floor of a run: the time below which no loader can be, with every term.

use std::collections::BTreeMap;

use crate::lang::plan::{self, Plan};
use crate::run::connect::Limits;

use super::streams::objects;

/// How many records a plan moves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    /// Per source object that is read.
    pub objects: BTreeMap<String, u64>,
    /// Per map: records that surely reach it. What a split sends where is not known before it is asked.
    pub records: Vec<u64>,
    /// Per flatten.
    pub folded: Vec<u64>,
}

impl Volume {
    /// From the number of records per source object; an object without one counts as empty.
    pub fn of(plan: &Plan, count: impl Fn(&str) -> Option<u64>) -> Volume {
        let count = |object: &str| count(object).unwrap_or(0);
        let sure = |map: &plan::Map| if map.split.is_some() { 0 } else { count(&map.source) };
        Volume {
            objects: objects(plan).into_iter().map(|object| (object.to_owned(), count(object))).collect(),
            records: plan.maps.iter().map(sure).collect(),
            folded: plan.flattens.iter().map(|flatten| count(&flatten.source)).collect(),
        }
    }
}

/// The floor, in seconds, with its terms.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Floor {
    /// Source requests.
    pub requests: u64,
    /// `T_rate`: what the request bucket demands.
    pub rate_s: f64,
    /// `T_op`: what the operating budget demands, by the busiest object.
    pub operating_s: f64,
    /// `T_srv`: the server's own work.
    pub server_s: f64,
    /// Loading, per phase.
    pub phases: Vec<Phase>,
}

/// A phase of loading.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Phase {
    /// Writes, and the lists of the sweep.
    pub calls: u64,
    /// Its floor in seconds.
    pub seconds: f64,
}

impl Floor {
    /// Extraction alone, in seconds.
    pub fn extraction_s(&self) -> f64 {
        self.rate_s.max(self.operating_s).max(self.server_s)
    }

    /// All of it, in seconds.
    pub fn total_s(&self) -> f64 {
        self.extraction_s() + self.phases.iter().map(|phase| phase.seconds).sum::<f64>()
    }
}

/// Works the floor out.
///
/// `H = Σ ceil(pages / b)`, `T_rate = max(0, (H − X)/Y)`, `T_op = max 600·(ceil(W/480) − 1)`, `T_srv = ΣW` with one
/// request in flight; extraction is the largest. Loading is the sum over phases of `max(calls/R, calls·latency/k)`.
/// Notes, second passes and what a split sends to a map add to it, but nobody knows how much before the rules ran: the
/// floor leaves them out.
pub fn floor(plan: &Plan, volume: &Volume, limits: &Limits) -> Floor {
    let mut floor = Floor::default();
    for records in volume.objects.values() {
        let pages = records / limits.page + 1;
        floor.requests += pages.div_ceil(limits.pages_per_request);
        let work_s = pages as f64 * limits.page_s;
        floor.operating_s =
            floor.operating_s.max(600.0 * ((work_s / limits.operating_s).ceil() - 1.0).max(0.0));
        floor.server_s += work_s;
    }
    floor.rate_s = ((floor.requests as f64 - limits.burst) / limits.drain_per_s).max(0.0);
    for phase in &plan.phases {
        let calls: u64 = phase
            .iter()
            .filter_map(|map| volume.records.get(*map as usize))
            .map(|records| records + records / limits.list_page + 1)
            .sum();
        let by_rate = calls as f64 / limits.rate_per_s;
        let by_latency = calls as f64 * limits.latency_s / limits.in_flight;
        floor.phases.push(Phase { calls, seconds: by_rate.max(by_latency) });
    }
    floor
}
