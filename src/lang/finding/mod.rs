//! Findings as data: what is wrong, where, how many records it touches, and what to do next.
//!
//! The registry of codes stands in [`registry`]; rendering for people and machines stands apart from the data.

mod explain;
mod fingerprint;
pub mod fix;
pub mod github;
pub mod gitlab;
pub mod human;
pub mod json;
pub mod junit;
mod place;
pub mod registry;
pub mod sarif;
mod snippet;

use serde::Serialize;

use crate::lang::text::Span;

pub use explain::explain;
pub use fingerprint::fingerprints;
pub use registry::Code;

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The spec does not check: no plan may run.
    Error,
    /// The spec checks, but a person should look.
    Warning,
}

/// How many records a finding touches, as far as the snapshot's statistics can tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Count {
    /// The finding is not about records.
    #[default]
    None,
    /// Exactly this many.
    Exact {
        /// Records.
        records: u64,
    },
    /// No fewer than `at_least`, no more than `at_most`.
    Between {
        /// Lower bound, in records.
        at_least: u64,
        /// Upper bound, in records.
        at_most: u64,
    },
    /// The statistics cannot tell.
    Unknown,
}

/// A place and what to say about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What, in a few words.
    pub text: String,
}

/// One replacement of a [`Fix`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Edit {
    /// What is replaced; empty to insert.
    pub span: Span,
    /// What stands there afterwards.
    pub text: String,
}

/// Who may apply an edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Applicability {
    /// A program, unread: it decides nothing that the author has not decided.
    Safe,
    /// A program that was told so: it is probably what is meant, and a person reads it.
    Likely,
    /// A person only: it holds blanks to fill in.
    Placeholder,
}

/// An edit that settles a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fix {
    /// What the edit does.
    pub title: String,
    /// Edits that do not overlap.
    pub edits: Vec<Edit>,
    /// Whether a program may apply it.
    pub applicability: Applicability,
}

/// One thing that is wrong, or worth a look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The stable code.
    pub code: Code,
    /// How grave it is.
    pub severity: Severity,
    /// One sentence: lower case, names in backticks, no full stop.
    pub message: String,
    /// Where it stands; `None` for the file as a whole.
    pub label: Option<Label>,
    /// Other places that matter.
    pub others: Vec<Label>,
    /// Facts, such as where in the snapshot the truth stands.
    pub notes: Vec<String>,
    /// What to do next; may span lines, with rows to paste.
    pub help: Option<String>,
    /// An edit that settles it, where one is known.
    pub fix: Option<Fix>,
    /// The records it touches.
    pub count: Count,
}

impl Finding {
    /// Whether no plan is made: an error other than an open decision (`todo`), which a rehearsal bears.
    pub fn forbids_plan(&self) -> bool {
        self.severity == Severity::Error && self.code != registry::TODO_OPEN
    }

    /// A finding of the code's own severity.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Finding {
            code,
            severity: code.severity(),
            message: message.into(),
            label: None,
            others: Vec::new(),
            notes: Vec::new(),
            help: None,
            fix: None,
            count: Count::None,
        }
    }

    /// Places it, with a few words for the underline.
    #[must_use]
    pub fn at(mut self, span: Span, text: impl Into<String>) -> Self {
        self.label = Some(Label { span, text: text.into() });
        self
    }

    /// Adds another place.
    #[must_use]
    pub fn and_at(mut self, span: Span, text: impl Into<String>) -> Self {
        self.others.push(Label { span, text: text.into() });
        self
    }

    /// Adds a fact.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    /// Says what to do next.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Offers an edit.
    #[must_use]
    pub fn fix(mut self, fix: Fix) -> Self {
        self.fix = Some(fix);
        self
    }

    /// Offers an edit where there is one.
    #[must_use]
    pub fn fix_where(mut self, fix: Option<Fix>) -> Self {
        self.fix = fix.or(self.fix);
        self
    }

    /// Says how many records it touches.
    #[must_use]
    pub fn count(mut self, count: Count) -> Self {
        self.count = count;
        self
    }
}
