//! What is asked for, and what is told of each record.

use std::collections::BTreeSet;

use crate::run::engine::{RuleLine, Step};

/// What is to be drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReviewAsked {
    /// Records of each map, where it has so many; more where parts of the plan need them.
    pub per_map: u32,
    /// The same seed draws the same records.
    pub seed: u64,
    /// Records that are shown whatever is drawn, by map and key: somebody said something of them.
    pub also: BTreeSet<(String, String)>,
}

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// It is written.
    Written,
    /// It takes no part.
    LeftOut,
    /// It goes nowhere, and on a list.
    Listed,
    /// It is held back for a person.
    HeldBack,
    /// The run ends at it.
    Stops,
}

impl Fate {
    /// Its words.
    pub fn words(self) -> &'static str {
        match self {
            Fate::Written => "written",
            Fate::LeftOut => "left out",
            Fate::Listed => "listed",
            Fate::HeldBack => "held back",
            Fate::Stops => "the run ends here",
        }
    }
}

/// How the value that a rule gives stands to those that it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReviewKind {
    /// The same, to the letter.
    Exact,
    /// A link, to the record that is made of the one to which the source's leads.
    Linked,
    /// Another one.
    Changed,
    /// The source's value stands for nothing in it: the rule reads none that is there.
    Given,
    /// The source has a value, and none is written.
    LeftEmpty,
    /// Neither side has a value; an arm says so.
    Empty,
}

impl ReviewKind {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            ReviewKind::Exact => "exact",
            ReviewKind::Linked => "linked",
            ReviewKind::Changed => "changed",
            ReviewKind::Given => "given by the rule",
            ReviewKind::LeftEmpty => "left empty",
            ReviewKind::Empty => "empty",
        }
    }
}

/// A destination field of a record, or a note that goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReviewField {
    /// Its name; of a note, `note` and its name.
    pub field: String,
    /// The source fields that its rules read, with their values.
    pub sources: Vec<(String, String)>,
    /// The rules that write it.
    pub rules: Vec<RuleLine>,
    /// What was taken on the way, but for the value of the rule itself.
    pub steps: Vec<Step>,
    /// What the rules give; `None` where that is nothing.
    pub value: Option<String>,
    /// How that stands to the source.
    pub kind: ReviewKind,
}

/// A record that is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReviewRecord {
    /// The map; a split or a flatten, as the books call it, where that ended it.
    pub map: String,
    /// The source object.
    pub source: String,
    /// Its key there.
    pub key: String,
    /// The destination object; empty where it goes nowhere.
    pub object: String,
    /// What people may know it by; may be empty.
    pub title: String,
    /// What becomes of it.
    pub fate: Fate,
    /// The line of the plan that decided that it is not written, and the reason.
    pub decided: Option<(u32, String)>,
    /// Rows of splits and `where` lines that it went through.
    pub steps: Vec<Step>,
    /// Its fields, those apart of which neither side has anything and no arm says why.
    pub fields: Vec<ReviewField>,
    /// Of a record that is not written: the source's values that the plan reads.
    pub values: Vec<(String, String)>,
    /// What a person is told to look at: the rule, and why.
    pub flags: Vec<(String, String)>,
}

/// A map, or a split or flatten that ends records itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReviewMap {
    /// Its name in [`ReviewRecord::map`].
    pub name: String,
    /// The source object.
    pub source: String,
    /// The destination object; empty for what ends records.
    pub object: String,
    /// Records of it that are staged.
    pub records: u64,
    /// Parts of the plan that these reach; each is shown.
    pub parts: u64,
    /// Source fields that it leaves behind: name, reason, line.
    pub dropped: Vec<(String, String, u32)>,
}

/// What is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reviewed {
    /// Where the records stand, in the order of the plan.
    pub maps: Vec<ReviewMap>,
    /// The records, in the order of the maps, then of the keys.
    pub records: Vec<ReviewRecord>,
}
