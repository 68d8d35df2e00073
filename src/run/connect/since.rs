//! What a source tells of changes since its records were staged.

use super::Raw;

/// What was staged of an object before.
pub trait Known {
    /// A record as it was staged; `None` where it was not, or is known to be gone.
    fn staged(&self, key: &str) -> Option<Vec<u8>>;
}

/// What changes are looked for against.
#[derive(Clone, Copy)]
pub struct Since<'s> {
    /// The source's clock when the last look at the object began, Unix milliseconds: what was staged is no older.
    /// `None` where nobody knows, so that everything is read anew.
    pub at_ms: Option<i64>,
    /// What was staged.
    pub known: &'s dyn Known,
}

/// What a look at records brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// Those that are new or another than they were staged, as they are now.
    pub records: Vec<Raw>,
    /// Keys of those that are there and as they were staged.
    pub same: Vec<String>,
    /// Hand this back for the next look; opaque, and valid within a run only.
    pub cursor: String,
    /// No records follow.
    pub done: bool,
}

/// What became of records that a look did not see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Absent {
    /// Keys of those that the source holds no more.
    pub gone: Vec<String>,
    /// Those that are there all the same, as they are now.
    pub there: Vec<Raw>,
}

/// Who answers for a record, and when it was last changed, as the record itself says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// The owner's id in the source.
    pub owner: Option<String>,
    /// By the source's clock, Unix milliseconds.
    pub changed_ms: Option<i64>,
}
