//! The report of a migration as data, made from the workspace alone: what its books say now, and what the last
//! comparison of both sides found. Asks no system, and knows nothing of pages.
//!
//! Every number is counted where its list is written, or stands beside the list that it is the length of. Equal
//! workspaces give equal reports: times come from the books, never from a clock.

mod beside;
pub(super) mod faults;
mod gather;
mod keep;
mod lists;
mod met;
mod model;
mod rows;
mod time;
mod veil;

pub use gather::{Input, dossier};
pub(super) use keep::{kept_pace, kept_spent};
pub use lists::Lists;
pub(super) use met::keep_source;
pub use model::{
    About, Differing, Dossier, End, FORMAT, FaultLine, FieldLine, FileLine, Left, LeftLine, LinkLine, List,
    Outcome, Pipelines, Reason, Row, RowCompared, Run, SampleField, SampleLine, SharedLine, StageLine, Step,
    SumLine, Time, Times, Unwritten, VERSION, Verdict,
};
pub use veil::Veil;

/// A moment in UTC, to the second.
fn moment(ms: i64) -> String {
    let rounded = jiff::Timestamp::from_second(ms.div_euclid(1000));
    rounded.map_or_else(|_| ms.to_string(), |at| at.to_string())
}

/// A part of a whole in percent, with one digit; `None` of nothing. Rounded down, so that only all of it is 100.
fn percent(part: f64, whole: f64) -> Option<String> {
    (whole > 0.0).then(|| format!("{:.1}", (1000.0 * part / whole + 1e-9).floor() / 10.0))
}
