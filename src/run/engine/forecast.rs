//! The floor of a run: the time below which no loader can be, with every term.

use crate::lang::plan::Plan;
use crate::run::connect::Limits;

/// How many records a plan moves, by map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    /// Per map: records of its source object.
    pub records: Vec<u64>,
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
pub fn floor(plan: &Plan, volume: &Volume, limits: &Limits) -> Floor {
    let mut floor = Floor::default();
    let mut objects = std::collections::BTreeMap::new();
    for (map, records) in plan.maps.iter().zip(&volume.records) {
        objects.insert(map.source.as_str(), *records);
    }
    for records in objects.values() {
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
