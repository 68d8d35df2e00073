//! What a twin has served, for tests that count.

use std::collections::BTreeMap;

/// Counts of one method, inside batches and outside.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MethodLog {
    /// Calls that reached the method, refused ones included.
    pub calls: u64,
    /// How many of these came in a batch.
    pub in_batches: u64,
    /// Rows served.
    pub rows: u64,
    /// Calls that ended in an error.
    pub errors: u64,
    /// Operating seconds spent.
    pub operating_s: f64,
}

/// Counts of a twin since it began.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogSummary {
    /// HTTP requests, refused ones included.
    pub requests: u64,
    /// Batches among them.
    pub batches: u64,
    /// Commands that the batches ran.
    pub commands: u64,
    /// Requests refused by the bucket with 503; planned faults are not counted here.
    pub refused_rate: u64,
    /// Calls refused for operating time with 429; planned faults are not counted here.
    pub refused_operating: u64,
    /// Planned faults that struck.
    pub faults: u64,
    /// The highest level that any bucket reached.
    pub max_level: f64,
    /// Milliseconds that the server worked, all requests together.
    pub took_ms: u64,
    /// Per method, by its name in lower case.
    pub methods: BTreeMap<String, MethodLog>,
}
