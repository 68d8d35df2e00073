//! Files that records name: where each stands, and what came of asking for one.

/// Where a file stands in a source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileAt {
    /// The source object.
    pub object: String,
    /// The record's key.
    pub key: String,
    /// Its field.
    pub field: String,
    /// The file's id in the source.
    pub file: String,
}

/// What came of asking for a file.
#[derive(Clone, PartialEq, Eq)]
pub enum Got {
    /// All of it.
    Bytes {
        /// What the source calls it.
        name: Option<String>,
        /// What it holds.
        body: Vec<u8>,
    },
    /// It cannot be had. Says why, without the link, which may hold a token.
    Broken(String),
}
