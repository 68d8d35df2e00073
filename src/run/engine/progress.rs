//! What a run tells those who watch it: how far it is, and what happened.

use crate::run::connect::Met;

/// Tells people and programs how far a run is.
pub trait Progress {
    /// Work on `what` begins; `total` records where that is known.
    fn begin(&self, what: &str, total: Option<u64>);
    /// So many records of the current work are through, in all.
    fn at(&self, done: u64);
    /// The current work is through.
    fn end(&self);
    /// Something that a person should know while waiting.
    fn notice(&self, text: &str);
    /// Something happened that a program may act on; people see it in what else is told.
    fn happened(&self, _event: &Event<'_>) {}
}

/// Something that happened. No value of a record is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'e> {
    /// A phase of the plan begins to load.
    PhaseStarted {
        /// Its number, from 1.
        phase: u64,
        /// How many phases there are.
        of: u64,
        /// Its maps.
        maps: Vec<&'e str>,
    },
    /// It is loaded, and what was loaded agrees with the books.
    PhaseClosed {
        /// Its number, from 1.
        phase: u64,
        /// How many phases there are.
        of: u64,
    },
    /// Records of a row of the books are held back, when its phase is closed.
    Quarantine {
        /// The row of the books.
        row: &'e str,
        /// Records that are quarantined.
        quarantined: u64,
        /// Records that failed.
        failed: u64,
    },
    /// A write did not simply go well.
    WriteFault {
        /// The row of the books.
        row: &'e str,
        /// The source record.
        key: &'e str,
        /// What went wrong.
        what: &'static str,
    },
    /// A client, or the run for its writes, met this since it was last told, and got over it or gave up.
    Met(&'e Met),
}
