//! The floor of a run: the time below which no loader can be, with every term; and what a run is held against it by.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use crate::lang::plan::{self, Plan};
use crate::lang::types::Base;
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

/// Times in seconds with their terms: a floor that no run can be below, or what a run may come to at most.
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
    /// After the phases: what waited is written, and everything is listed and compared once more.
    pub end: Phase,
}

/// Destination requests of a phase of loading, or of the end.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Phase {
    /// Creates and edits; a record is read back in the answer.
    pub writes: u64,
    /// Records that are read by themselves: before a field of them is written, and where a list tells less than is compared.
    pub reads: u64,
    /// Pages of lists: the sweep, which also reads back what is compared.
    pub lists: u64,
    /// Its floor in seconds.
    pub seconds: f64,
}

impl Phase {
    /// `max(calls/R, calls·latency/k)`.
    fn new(writes: u64, reads: u64, lists: u64, limits: &Limits) -> Phase {
        let calls = (writes + reads + lists) as f64;
        let seconds = (calls / limits.rate_per_s).max(calls * limits.latency_s / limits.in_flight);
        Phase { writes, reads, lists, seconds }
    }

    /// All requests.
    pub fn calls(&self) -> u64 {
        self.writes + self.reads + self.lists
    }
}

impl Floor {
    /// Extraction alone, in seconds.
    pub fn extraction_s(&self) -> f64 {
        self.rate_s.max(self.operating_s).max(self.server_s)
    }

    /// Loading alone, in seconds.
    pub fn loading_s(&self) -> f64 {
        self.phases.iter().map(|phase| phase.seconds).sum::<f64>() + self.end.seconds
    }

    /// All of it, in seconds.
    pub fn total_s(&self) -> f64 {
        self.extraction_s() + self.loading_s()
    }
}

/// The floor of a plan.
///
/// `H = Σ ceil(pages / b)`, `T_rate = max(0, (H − X)/Y)`, `T_op = max 600·(ceil(W/480) − 1)`, `T_srv = ΣW` with one
/// request in flight; extraction is the largest. Loading is the sum over phases of `max(calls/R, calls·latency/k)`, calls
/// being a write per record, a list when the phase is closed, and a list of everything at the end.
/// Notes, second passes and what a split sends to a map add to it, but nobody knows how much before the rules ran: the
/// floor leaves them out, and [`most`] takes them in.
pub fn floor(plan: &Plan, volume: &Volume, limits: &Limits) -> Floor {
    let mut floor = extraction(&volume.objects, limits);
    let mut end = 0;
    for phase in &plan.phases {
        let (mut writes, mut lists) = (0, 0);
        for records in phase.iter().filter_map(|map| volume.records.get(usize::from(*map))) {
            writes += records;
            lists += pages(*records, limits);
        }
        end += lists;
        floor.phases.push(Phase::new(writes, 0, lists, limits));
    }
    floor.end = Phase::new(0, 0, end, limits);
    floor
}

/// What a plan may come to at most, in the same terms: every record reaches every map that it can reach, and is closed
/// by a second write where it has a stage; every note says something; every second pass writes; no list tells all of a
/// record, so that each is read by itself when its phase is closed and at the end.
///
/// Left out are searches in a destination that is not empty, links that wait for a record which was held back, and
/// whatever goes wrong.
pub fn most(plan: &Plan, volume: &Volume, limits: &Limits) -> Floor {
    let mut most = extraction(&volume.objects, limits);
    let count = |object: &str| volume.objects.get(object).copied().unwrap_or(0);
    let (mut reads_later, mut writes_later, mut end) = (0, 0, 0);
    for phase in &plan.phases {
        let (mut writes, mut reads, mut lists) = (0, 0, 0);
        for (index, map) in
            phase.iter().filter_map(|map| Some((usize::from(*map), plan.maps.get(usize::from(*map))?)))
        {
            let records = count(&map.source);
            let closes = map.targets.iter().any(|target| target.ty.base == Base::Stage);
            writes += records * (1 + u64::from(closes));
            reads += records;
            lists += pages(records, limits);
            let folded = || plan.flattens.iter().filter(move |flatten| usize::from(flatten.into) == index);
            let notes = map.notes.len() as u64 * records
                + folded().map(|flatten| flatten.notes.len() as u64 * count(&flatten.source)).sum::<u64>();
            if notes > 0 {
                writes += notes;
                reads += notes;
                lists += pages(notes, limits);
            }
            let rules = map.rules.iter().chain(folded().flat_map(|flatten| &flatten.rules));
            let later = rules.filter(|rule| rule.second_pass).count() as u64;
            if later > 0 {
                reads_later += records;
                writes_later += later * records;
            }
        }
        end += lists;
        reads_later += reads;
        most.phases.push(Phase::new(writes, reads, lists, limits));
    }
    most.end = Phase::new(writes_later, reads_later, end, limits);
    most
}

/// Floor and most where there is no plan yet: a phase per object, in which every record is written once (and, at most,
/// read once when the phase is closed and once at the end).
pub fn outline(objects: &BTreeMap<String, u64>, limits: &Limits) -> (Floor, Floor) {
    let mut floor = extraction(objects, limits);
    let mut most = floor.clone();
    let (mut lists, mut reads) = (0, 0);
    for records in objects.values() {
        floor.phases.push(Phase::new(*records, 0, pages(*records, limits), limits));
        most.phases.push(Phase::new(*records, *records, pages(*records, limits), limits));
        lists += pages(*records, limits);
        reads += records;
    }
    floor.end = Phase::new(0, 0, lists, limits);
    most.end = Phase::new(0, reads, lists, limits);
    (floor, most)
}

/// The terms of extraction.
fn extraction(objects: &BTreeMap<String, u64>, limits: &Limits) -> Floor {
    let mut floor = Floor::default();
    for records in objects.values() {
        let pages = records / limits.page + 1;
        floor.requests += pages.div_ceil(limits.pages_per_request);
        let work_s = pages as f64 * limits.page_s;
        floor.operating_s =
            floor.operating_s.max(600.0 * ((work_s / limits.operating_s).ceil() - 1.0).max(0.0));
        floor.server_s += work_s;
    }
    floor.rate_s = ((floor.requests as f64 - limits.burst) / limits.drain_per_s).max(0.0);
    floor
}

/// The requests of a list: its pages, of which the last is not full, and a look behind that one.
fn pages(records: u64, limits: &Limits) -> u64 {
    records / limits.list_page + 2
}

/// What a run sent to the destination that had to be sent, and how long it took: repeated requests are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Milliseconds from the first phase to the last comparison.
    pub loading_ms: u64,
    /// Per phase, then the end: writes, reads, pages of lists.
    pub places: Vec<(u64, u64, u64)>,
}

impl Spent {
    /// The floor of what this run did, by the same formula as a plan's.
    pub fn floor(&self, limits: &Limits) -> Floor {
        let mut phases: Vec<Phase> = self
            .places
            .iter()
            .map(|(writes, reads, lists)| Phase::new(*writes, *reads, *lists, limits))
            .collect();
        let end = phases.pop().unwrap_or_default();
        Floor { phases, end, ..Floor::default() }
    }

    /// How much longer than its floor the loading took; `None` where nothing was to be sent.
    pub fn ratio(&self, limits: &Limits) -> Option<f64> {
        let floor = self.floor(limits).loading_s();
        (floor > 0.0).then(|| self.loading_ms as f64 / 1000.0 / floor)
    }
}

/// What was sent in a phase, or at the end.
#[derive(Clone, Debug, Default)]
struct Place {
    writes: u64,
    reads: u64,
    /// Of the last list of each stream: its pages, and the records that were read by themselves to compare them.
    lists: BTreeMap<usize, (u64, u64)>,
}

/// The count as a run goes on.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// The phase, or their number at the end.
    at: Cell<usize>,
    places: RefCell<Vec<Place>>,
}

impl Tally {
    /// From here on requests count for this place.
    pub(super) fn enter(&self, place: usize) {
        self.at.set(place);
    }

    fn here(&self, count: impl FnOnce(&mut Place)) {
        let mut places = self.places.borrow_mut();
        let at = self.at.get();
        if places.len() <= at {
            places.resize(at + 1, Place::default());
        }
        count(&mut places[at]);
    }

    /// A write was done.
    pub(super) fn wrote(&self) {
        self.here(|place| place.writes += 1);
    }

    /// A record was read before it is written.
    pub(super) fn read(&self) {
        self.here(|place| place.reads += 1);
    }

    /// A stream was listed and compared with so many pages and reads; only the last list of a place had to be.
    pub(super) fn listed(&self, stream: usize, pages: u64, reads: u64) {
        self.here(|place| {
            place.lists.insert(stream, (pages, reads));
        });
    }

    /// What it came to.
    pub(super) fn spent(&self, phases: usize, loading_ms: u64) -> Spent {
        let sum = |place: &Place| {
            let lists = || place.lists.values();
            let compared: u64 = lists().map(|(_, reads)| reads).sum();
            (place.writes, place.reads + compared, lists().map(|(pages, _)| pages).sum())
        };
        let mut places: Vec<(u64, u64, u64)> = self.places.borrow().iter().map(sum).collect();
        places.resize(phases + 1, (0, 0, 0));
        Spent { loading_ms, places }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits {
            burst: 50.0,
            drain_per_s: 2.0,
            page: 50,
            pages_per_request: 50,
            page_s: 0.2,
            operating_s: 480.0,
            rate_per_s: 10.0,
            in_flight: 4.0,
            latency_s: 0.15,
            list_page: 100,
        }
    }

    #[test]
    fn a_phase_is_bound_by_the_rate_or_by_the_latency() {
        assert_eq!(Phase::new(90, 5, 5, &limits()).seconds, 10.0);
        let fast = Limits { rate_per_s: 1_000.0, ..limits() };
        assert_eq!(Phase::new(90, 5, 5, &fast).seconds, 3.75);
    }

    #[test]
    fn only_the_last_list_of_a_place_had_to_be() {
        let tally = Tally::default();
        tally.wrote();
        tally.listed(3, 7, 50);
        tally.listed(3, 8, 2);
        tally.listed(4, 1, 0);
        tally.enter(2);
        tally.read();
        let spent = tally.spent(2, 4_000);
        assert_eq!(spent.places, [(1, 2, 9), (0, 0, 0), (0, 1, 0)]);
        let floor = spent.floor(&limits());
        assert_eq!((floor.phases.len(), floor.end.reads), (2, 1));
        assert_eq!(spent.ratio(&limits()), Some(4.0 / 1.1));
        assert_eq!(Spent::default().ratio(&limits()), None);
    }
}
