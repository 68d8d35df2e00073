//! The report as data: everything that a page, a table or a terminal says of a migration stands here, and nowhere else.

use serde::{Deserialize, Serialize};

/// The report's name and version for programs.
pub const FORMAT: &str = "b2n-report/1";

/// The version of its fields alone.
pub const VERSION: u32 = 1;

/// Everything that a report says.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Dossier {
    /// Its name and version.
    pub format: &'static str,
    /// The version alone.
    pub version: u32,
    /// Whether values stand here as salted hashes.
    pub hashed: bool,
    /// What is reported on.
    pub about: About,
    /// What it came to.
    pub verdict: Verdict,
    /// One equation per row of the books.
    pub rows: Vec<Row>,
    /// Sums per field, currency and stage, on both sides.
    pub sums: Vec<SumLine>,
    /// Links per field.
    pub links: Vec<LinkLine>,
    /// Fields, the largest change of filled records first.
    pub fields: Vec<FieldLine>,
    /// Stages on both sides.
    pub pipelines: Pipelines,
    /// Owners and other users on both sides.
    pub owners: Vec<SharedLine>,
    /// What became of times.
    pub times: Times,
    /// The ledger of files.
    pub files: Vec<FileLine>,
    /// What went wrong on the way, and how it was settled.
    pub faults: Vec<FaultLine>,
    /// How long it took.
    pub time: Time,
    /// A few records side by side.
    pub sample: Vec<SampleLine>,
    /// What did not move, and why.
    pub left: Left,
    /// Every list, with the file that holds it and its first rows.
    pub lists: Vec<List>,
}

/// What a report is on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct About {
    /// The spec's name.
    pub spec: String,
    /// The source account.
    pub source: String,
    /// The destination account.
    pub target: String,
    /// The plan's hash.
    pub plan: String,
    /// The hash of the plan that the books were written with, where it is another one.
    pub written_with: Option<String>,
    /// When the books last moved, in UTC; `null` where nothing was done yet.
    pub books_of: Option<String>,
    /// When both sides were last compared, in UTC: the oldest of the rows'.
    pub compared: Option<String>,
    /// Who approved the plan.
    pub approved_by: Option<String>,
    /// When, in UTC.
    pub approved: Option<String>,
    /// What of a review went with it: records ticked, and why it was approved with open comments.
    pub approved_with: Option<String>,
    /// What was written is taken back.
    pub rolled_back: bool,
}

/// What a migration came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing was written yet.
    #[default]
    Nothing,
    /// The numbers do not agree, or a field is not as planned.
    Open,
    /// Nobody has compared both sides, or not since the books moved on.
    Unproven,
    /// Everything that was done agrees, and some records are without an end.
    Partial,
    /// Everything is accounted for, and some records are held back.
    HeldBack,
    /// Everything is accounted for, and nothing is held back.
    Whole,
}

/// The verdict.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// In a word for programs.
    pub outcome: Outcome,
    /// In a sentence.
    pub text: String,
    /// What to do about it, or what it rests on; a sentence each.
    pub notes: Vec<String>,
    /// Source records, each counted once.
    pub source: u64,
    /// Those of them that arrived or went into another record.
    pub arrived: u64,
    /// Those that the spec, or a person, left out or put on a list.
    pub left_out: u64,
    /// Those that are quarantined or failed.
    pub held_back: u64,
    /// Those without an end.
    pub pending: u64,
}

/// The equation of a row of the books.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The map, or what else it is: `notes of deal`, `quote into deal`, `split lead`.
    pub map: String,
    /// The source object.
    pub object: String,
    /// The destination object; of a split, its maps.
    pub target: String,
    /// Its records go with others, and stand for no source record of their own.
    pub beside: bool,
    /// Source records.
    pub source: u64,
    /// Where they ended.
    pub ends: Vec<End>,
    /// Whether the numbers agree: source = the sum of the ends.
    pub adds_up: bool,
    /// Whether it closes: the numbers agree, and both sides were found to.
    pub closes: bool,
    /// What the last comparison found; `null` of splits and flattens, which no destination record stands for, and where
    /// there was none.
    pub compared: Option<RowCompared>,
    /// Whether a destination lists its records, so that it can be compared.
    pub comparable: bool,
    /// Its links that wait for a record which did not arrive.
    pub links_waiting: u64,
}

/// How many records ended somewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct End {
    /// Where: `created`, `adopted`, `folded`, `listed`, `sent to maps`, `left out`, `quarantined`, `failed`, `pending`.
    pub end: String,
    /// Records.
    pub records: u64,
    /// The file that lists them; `null` where there are none.
    pub list: Option<String>,
    /// Why, the most frequent first; a few.
    pub reasons: Vec<Reason>,
}

/// Why records ended somewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// In words.
    pub why: String,
    /// Records.
    pub records: u64,
}

/// What the last comparison of a row found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RowCompared {
    /// When, in UTC.
    pub at: String,
    /// Whether the books, the source records and the plan are what they were then.
    pub fresh: bool,
    /// Whether both sides agreed.
    pub agrees: bool,
    /// Destination records that should carry a marker.
    pub expected: u64,
    /// Those of them that it listed.
    pub listed: u64,
    /// Those that it did not list.
    pub missing: u64,
    /// Records with a marker that the books do not know.
    pub strange: u64,
    /// Records that were compared field by field.
    pub fields_of: u64,
    /// Records that were not, since they are held back or left as they were.
    pub not_compared: u64,
    /// Ends in the books without a source record.
    pub unsourced: u64,
    /// Records whose end is not what the rules say.
    pub disagreeing: u64,
    /// Records that the source counted then.
    pub source_now: Option<u64>,
    /// Fields of records that are not as planned, by fault of the migration or the destination.
    pub open: u64,
    /// Fields of records that are not as planned for another reason, each listed.
    pub explained: u64,
}

/// A sum of amounts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SumLine {
    /// The map.
    pub map: String,
    /// The destination field.
    pub field: String,
    /// ISO 4217.
    pub currency: String,
    /// The destination's stage; empty for objects without stages.
    pub stage: String,
    /// In the source, by the rules, of all records that they write.
    pub source: String,
    /// Records with an amount among them.
    pub source_records: u64,
    /// Of those of them that arrived.
    pub arrived: String,
    /// What differences that are listed add to it.
    pub explained: String,
    /// In the destination.
    pub there: String,
    /// Records with an amount there.
    pub there_records: u64,
    /// Whether arrived + explained = there.
    pub closes: bool,
}

/// The links of a field.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LinkLine {
    /// The map.
    pub map: String,
    /// The destination field.
    pub field: String,
    /// In the source, of records that the rules write.
    pub source: u64,
    /// Those of them that have both ends in the destination.
    pub both_ends: u64,
    /// Those of them that stand there.
    pub there: u64,
    /// `there` of `source`, in percent with one digit; `null` where there are none.
    pub percent: Option<String>,
    /// Whether every link with both ends stands there.
    pub closes: bool,
}

/// What was found of a field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FieldLine {
    /// The map.
    pub map: String,
    /// The destination field.
    pub field: String,
    /// How much of the value the rules keep, at worst.
    pub fidelity: String,
    /// Compared records.
    pub records: u64,
    /// Those for which the rules have a value.
    pub planned: u64,
    /// Those in which the destination has one.
    pub there: u64,
    /// `there` − `planned`: below zero where values were lost.
    pub change: i64,
    /// Equal to the letter.
    pub same: u64,
    /// Equal but for what does not matter.
    pub reformatted: u64,
    /// All that was planned, and more.
    pub more: u64,
    /// Written later.
    pub waiting: u64,
    /// Never told by the destination's API.
    pub untold: u64,
    /// Not as planned, by kind.
    pub differing: Vec<Differing>,
}

/// Records whose field is not as planned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Differing {
    /// The kind of difference, in a word.
    pub kind: String,
    /// Records.
    pub records: u64,
    /// Whether it keeps the books open.
    pub open: bool,
}

/// Pipelines as they were, and as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pipelines {
    /// The source's, of all staged records.
    pub was: Vec<StageLine>,
    /// The destination's, of all compared records.
    pub is: Vec<SharedLine>,
}

/// Records in a stage of the source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StageLine {
    /// The source object.
    pub object: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// The stage's name.
    pub stage: String,
    /// Records.
    pub records: u64,
}

/// Records that share a value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SharedLine {
    /// The map.
    pub map: String,
    /// The destination field.
    pub field: String,
    /// The value; empty where there is none.
    pub value: String,
    /// Compared records that have it by the rules.
    pub planned: u64,
    /// Compared records that have it in the destination.
    pub there: u64,
}

/// What became of times.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Times {
    /// Fields that hold a day or a moment.
    pub kept: Vec<FieldLine>,
    /// Fields of the destination that no call writes.
    pub unwritten: Vec<Unwritten>,
}

/// A field that no call writes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Unwritten {
    /// The map.
    pub map: String,
    /// The field.
    pub field: String,
    /// Why, and what to do instead.
    pub why: String,
}

/// The files in one field of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FileLine {
    /// The source object.
    pub object: String,
    /// Its field.
    pub field: String,
    /// Records with at least one.
    pub records: u64,
    /// Files.
    pub files: u64,
    /// What becomes of them.
    pub fate: String,
}

/// A kind of trouble, and how it was settled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FaultLine {
    /// What went wrong.
    pub what: String,
    /// How it was settled.
    pub how: String,
    /// How often.
    pub times: u64,
    /// Whether it is settled.
    pub settled: bool,
    /// The file that lists each; `null` of what clients counted and got over by themselves.
    pub list: Option<String>,
}

/// How long it took.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Time {
    /// Every run that wrote.
    pub runs: Vec<Run>,
    /// Seconds in which runs that came to their end loaded.
    pub loading_s: f64,
    /// The floor of what they sent: no run can be faster.
    pub sent_floor_s: f64,
    /// Loading time as a multiple of it, each run at its own pace.
    pub ratio: Option<f64>,
    /// The plan's floor for these records at `rate_per_s` and `in_flight`, loading alone.
    pub floor_s: f64,
    /// The plan's forecast at most, at the same pace, loading alone.
    pub forecast_s: f64,
    /// Destination requests a second that are allowed for: asked for, or else of the last run, or else by default.
    pub rate_per_s: f64,
    /// Destination requests in flight, likewise.
    pub in_flight: f64,
    /// Seconds until an answer that floors reckon with.
    pub latency_s: f64,
    /// Writes that were sent.
    pub writes: u64,
    /// How wide a step of `steps` is, in seconds.
    pub step_s: u64,
    /// Writes over time. Pauses of more than a minute are left out.
    pub steps: Vec<Step>,
}

/// A run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Run {
    /// What it was.
    pub what: String,
    /// When it began, in UTC.
    pub began: String,
    /// When it ended, in UTC; `null` where it died or was stopped.
    pub ended: Option<String>,
    /// Destination requests a second that it was allowed; `null` where an earlier version ran.
    pub rate_per_s: Option<f64>,
    /// Destination requests in flight that it was allowed; `null` likewise.
    pub in_flight: Option<usize>,
    /// Seconds in which it loaded.
    pub loading_s: Option<f64>,
    /// What it wrote, read and listed.
    pub writes: u64,
    /// Reads.
    pub reads: u64,
    /// Pages of lists.
    pub lists: u64,
}

/// Writes in a step of time.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Step {
    /// When it began, in UTC.
    pub from: String,
    /// Writes that were sent in it.
    pub writes: u64,
    /// How much of the allowed rate they used, in percent with one digit.
    pub percent: String,
}

/// A record side by side.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleLine {
    /// The row of the books.
    pub map: String,
    /// The source record's key.
    pub key: String,
    /// The destination object.
    pub object: String,
    /// The destination's id.
    pub id: String,
    /// Where it ended.
    pub end: String,
    /// Its fields.
    pub fields: Vec<SampleField>,
}

/// A field of a record side by side.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleField {
    /// The destination field.
    pub field: String,
    /// What its rules read: field and value.
    pub source: Vec<(String, String)>,
    /// Where its rules stand.
    pub rules: Vec<String>,
    /// What the rules want.
    pub planned: String,
    /// What the destination holds.
    pub there: String,
    /// How they agree, in a word.
    pub agreement: String,
    /// Whether that is a fault.
    pub wrong: bool,
}

/// What did not move.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Left {
    /// Fields that no rule reads.
    pub fields: Vec<LeftLine>,
    /// Objects that nothing reads, and what no spec can move.
    pub objects: Vec<LeftLine>,
    /// What a person makes or has made by hand.
    pub by_hand: Vec<LeftLine>,
}

/// Something that did not move.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LeftLine {
    /// What.
    pub what: String,
    /// What people call it.
    pub title: String,
    /// Records that have it, by the snapshot's statistics; `null` where nobody knows.
    pub records: Option<u64>,
    /// Why, or what to do.
    pub why: String,
    /// The line of the spec that says so.
    pub at: String,
}

/// A list, and the file that holds it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct List {
    /// The file beside the report.
    pub file: String,
    /// What it lists.
    pub title: String,
    /// Its columns.
    pub head: Vec<String>,
    /// Its rows.
    pub rows: u64,
    /// The first of them.
    pub first: Vec<Vec<String>>,
}

/// The numbers of a comparison, as they are kept in a workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub expected: u64,
    pub listed: u64,
    pub strange: u64,
    pub agrees: bool,
    pub compared: u64,
    pub not_compared: u64,
    pub unsourced: u64,
    pub disagreeing: u64,
    pub source_now: Option<u64>,
    pub fields: Vec<KeptField>,
    pub sums: Vec<KeptSum>,
    /// Field, value, planned, there.
    pub shared: Vec<(String, String, u64, u64)>,
    pub sample: Vec<SampleLine>,
}

/// A field of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptField {
    pub field: String,
    pub planned: u64,
    pub there: u64,
    pub same: u64,
    pub reformatted: u64,
    pub more: u64,
    pub waiting: u64,
    pub untold: u64,
    pub differing: Vec<Differing>,
    /// In the source, with both ends, there.
    pub links: Option<(u64, u64, u64)>,
}

/// A sum of it: amounts as text, so that nothing is rounded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptSum {
    pub field: String,
    pub currency: String,
    pub stage: String,
    pub source: String,
    pub source_records: u64,
    pub arrived: String,
    pub explained: String,
    pub there: String,
    pub there_records: u64,
    pub closes: bool,
}

/// The pace that was in force in a run, as it is kept in a workspace from its beginning on. Earlier versions kept none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct KeptPace {
    pub rate_per_s: Option<f64>,
    pub in_flight: Option<usize>,
}

/// What a run sent, as it is kept in a workspace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct KeptSpent {
    #[serde(flatten)]
    pub pace: KeptPace,
    pub loading_ms: u64,
    /// Per phase, then the end: writes, reads, pages of lists.
    pub places: Vec<(u64, u64, u64)>,
}
