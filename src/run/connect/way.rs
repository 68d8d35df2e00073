//! How a destination's fields are written, as a plan tells it before anything is: plain data, asked for by the system's
//! name, without an account.

use super::nutshell;

/// How a field is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// By which calls, and of which API.
    pub by: String,
    /// What becomes of a value there although it was sent as it is, as far as it is known or known to be open.
    pub then: Option<&'static str>,
}

/// A field that the destination has and that no call writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Barred {
    /// Its name.
    pub field: &'static str,
    /// Why, and what to do instead.
    pub why: &'static str,
}

/// How a field of an object is written; `None` where the connector does not say.
pub fn way(connector: &str, object: &str, field: &str, custom: bool) -> Option<Way> {
    match connector {
        "nutshell" => nutshell::ways::way(object, field, custom),
        _ => None,
    }
}

/// Fields of an object that no call writes.
pub fn barred(connector: &str, object: &str) -> Vec<Barred> {
    match connector {
        "nutshell" => nutshell::ways::barred(object),
        _ => Vec::new(),
    }
}
