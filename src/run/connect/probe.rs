//! How open questions about a system are answered: by small experiments in an account that may be written into.
//!
//! Knows no vendor. What is asked, how, and what the answer means is the connector's affair; an answer is a hint to it
//! later ([`super::Target::learn`]), never a promise to the engine.

use super::{Account, Error, Local};
use crate::lang::schema::{Answer, Schema};

/// What a probe may do beyond records that it deletes again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asking {
    /// Custom fields may be made, which no API deletes.
    pub make_fields: bool,
    /// An e-mail may be made, which no API deletes.
    pub make_email: bool,
    /// Large reads that are sent at once to see how the system throttles; none when 0.
    pub burst: u32,
}

/// A question as it stands before it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Its name, under which a snapshot keeps the answer.
    pub question: &'static str,
    /// What it asks.
    pub asks: &'static str,
    /// What is done to answer it.
    pub does: String,
    /// What stays in the account for good; `None` where nothing does.
    pub stays: Option<String>,
    /// Why it is not asked; `None` where it is.
    pub skipped: Option<String>,
}

/// What became of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its name.
    pub question: &'static str,
    /// The answer; `None` where the experiment told nothing.
    pub answer: Option<Answer>,
    /// The request and what came back, in short; or why there is no answer.
    pub evidence: String,
}

/// A record of a probe that is in the account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leftover {
    /// Its object, as specs write it, or `tag`.
    pub object: String,
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// What a clean-up came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// What was deleted.
    pub deleted: Vec<Leftover>,
    /// What could not be, each with the reason.
    pub left: Vec<(Leftover, String)>,
}

/// A system that can be probed.
pub trait Prober {
    /// Who answers.
    fn account(&self) -> Local<'_, Result<Account, Error>>;
    /// The port where the system is on this machine itself, as a twin is.
    fn local_port(&self) -> Option<u16>;
    /// What its objects look like now; user e-mails hashed with `salt`.
    fn schema<'a>(&'a self, salt: &'a str) -> Local<'a, Result<Schema, Error>>;
    /// What would be asked, and how. Writes nothing.
    fn plan(&self, asking: Asking) -> Local<'_, Result<Vec<Planned>, Error>>;
    /// Records of probes that are in the account. Writes nothing.
    fn leftovers(&self) -> Local<'_, Result<Vec<Leftover>, Error>>;
    /// Asks everything that can be asked, telling each answer as it comes. Leaves its records to [`Prober::clean`],
    /// which is to be called however this ends.
    fn probe<'a>(&'a self, asking: Asking, tell: &'a dyn Fn(&Found)) -> Local<'a, Result<Vec<Found>, Error>>;
    /// Takes away what this probe and earlier ones left.
    fn clean(&self) -> Local<'_, Result<Cleaned, Error>>;
}
