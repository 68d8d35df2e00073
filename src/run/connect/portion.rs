//! What a source tells so that a part of it can be taken: records in outline, and what hangs on others.

/// A record in outline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// The record's key.
    pub id: String,
    /// The code of its category, where it has one.
    pub category: Option<String>,
    /// When it was last changed, made or worked with, by the source's clock, Unix milliseconds.
    pub touched_ms: Option<i64>,
}

/// A run of records in outline, and where to go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outlined {
    /// Records in rising order of id, none twice.
    pub records: Vec<Outline>,
    /// Hand this back for the next run; opaque.
    pub cursor: String,
    /// No records follow.
    pub done: bool,
    /// With `done`: counts and pages do not agree about all that was there meanwhile.
    pub moved: bool,
}

/// How an object's records hang on those of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hangs {
    /// Not at all, or not so that they could be asked for.
    No,
    /// They are part of what the other one is.
    Always,
    /// They are records of their own; they can be asked for by a field of theirs that links to the other one.
    ByField,
}
