//! The typed plan: a checked spec, ready to run, with every name turned into a number.
//!
//! Made by `check`, read by `eval` and the engine, and serialised as it stands. Its hash is what people approve: that of
//! what it does, not of where that stands.
//! Knows no vendor and no spec text; lines are kept for people only.

mod certificate;
mod expr;
mod hash;
mod tables;
pub mod walk;

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::types::{Fidelity, Type};

pub use certificate::Certificate;
pub use expr::{Aggregate, Comparison, Expr, Line};
pub use hash::short;
pub use tables::{Owner, OwnerHow, Owners, Pipeline, StageRow, StageTo, Table, TableRow};

/// A whole plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The language's edition.
    pub edition: u32,
    /// The files that it was made of: the spec, then its profiles. Lines count through all of them.
    pub files: Vec<File>,
    /// Where records come from.
    pub source: System,
    /// Where they go.
    pub target: System,
    /// The zone in which dates become instants, by its IANA name.
    pub zone: Option<String>,
    /// Maps in the order of the spec. Expressions and refs name them by index.
    pub maps: Vec<Map>,
    /// Functions that the spec defines; each calls only those before it.
    pub functions: Vec<Function>,
    /// Value tables.
    pub tables: Vec<Table>,
    /// Pipelines.
    pub pipelines: Vec<Pipeline>,
    /// Which maps the records of a shared source object go to.
    pub splits: Vec<Split>,
    /// Objects that are folded into mapped ones.
    pub flattens: Vec<Flatten>,
    /// Who owns what.
    pub owners: Owners,
    /// Maps by index, in the order in which they are loaded; maps of one phase do not depend on each other.
    pub phases: Vec<Vec<u16>>,
    /// Custom fields that the destination must have, markers apart.
    pub provision: Vec<CustomField>,
    /// What else the destination must have.
    pub requires: Vec<Requirement>,
    /// Limits that a run must keep.
    pub budget: Vec<Limit>,
    /// What a person still has to decide: a plan with any of it is not carried out in a real account.
    pub open: Vec<Open>,
}

/// A file of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its name for people.
    pub name: String,
    /// The line of the plan that is its first.
    pub first_line: u32,
}

/// A limit that a run must keep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// What is limited: `quarantine`, `flag`, `owners.otherwise`.
    pub what: String,
    /// No more than this many records, or this share of them (0.005 is half a per cent).
    pub at_most: Decimal,
    /// Whether it is a share.
    pub share: bool,
    /// The line of the spec, from 1.
    pub line: u32,
}

/// Something that a person still has to decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// What kind of thing: `proposed`, `todo`.
    pub kind: String,
    /// The rule or field: `deal.description`.
    pub what: String,
    /// The line of the spec, from 1.
    pub line: u32,
}

/// One side of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct System {
    /// The connector's name.
    pub connector: String,
    /// The account of the snapshot: a host or an instance id.
    pub account: String,
    /// Hash of the snapshot's schema, statistics apart.
    pub schema: String,
}

/// One source object to one destination object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Map {
    /// What `ref` and `order` call it.
    pub name: String,
    /// The source object.
    pub source: String,
    /// The destination object.
    pub target: String,
    /// The slot of the key in the source record.
    pub key: u16,
    /// Which records take part.
    pub filter: Option<Filter>,
    /// Destination fields by which records that were there before are found, in the order of trial.
    pub match_existing: Vec<String>,
    /// What happens to fields of such a record.
    pub on_existing: OnExisting,
    /// What happens when the source record is deleted later.
    pub on_delete: OnDelete,
    /// The destination fields that rules write, in a fixed order. Rules name them by index.
    pub targets: Vec<Target>,
    /// Rules in the order of the spec. In a map that a split leads to, they see only records that it sends there.
    pub rules: Vec<Rule>,
    /// Notes that go with the record.
    pub notes: Vec<Note>,
    /// Index into [`Plan::splits`], where the source object is shared.
    pub split: Option<u16>,
    /// Names of the source fields that are read, by slot, sorted.
    pub reads: BTreeMap<u16, String>,
    /// Source fields that are not migrated, with the reason.
    pub dropped: Vec<Dropped>,
    /// Source records by the snapshot's statistics.
    pub records: Option<u64>,
    /// The line of the spec, from 1.
    pub line: u32,
}

/// `where … else …`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Filter {
    /// Records that fit take part.
    pub condition: Expr,
    /// What happens with the others.
    pub otherwise: Arm,
    /// The line of the spec, from 1.
    pub line: u32,
}

/// A destination field that a map writes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// Its name in the destination's schema, or a custom field's label.
    pub name: String,
    /// Whether it is a custom field.
    pub custom: bool,
    /// Its type.
    #[serde(rename = "type")]
    pub ty: Type,
}

/// A rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Index into [`Map::targets`].
    pub target: u16,
    /// Without it the rule always applies; when it is false the value counts as absent.
    pub when: Option<Expr>,
    /// The value.
    pub value: Expr,
    /// The label of each element.
    pub label: Option<Label>,
    /// Tried in turn while the value is absent.
    pub otherwise: Vec<Arm>,
    /// What happens when a conversion fails; for a list, to the element that failed.
    pub on_fail: Option<Arm>,
    /// What happens when a link's record did not arrive. Decided by the engine.
    pub on_unmigrated: Option<Arm>,
    /// How much of the value arrives.
    pub fidelity: Fidelity,
    /// Why something is lost.
    pub because: Option<String>,
    /// Whether it is written only once every record exists.
    pub second_pass: bool,
    /// The line of the spec, from 1.
    pub line: u32,
}

/// A note that goes with a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// What tells it from the other notes of its map: the title as the spec writes it.
    pub name: String,
    /// Its title.
    pub title: Expr,
    /// What it says; its `target` has no meaning. Without a value there is no note.
    pub rule: Rule,
    /// In a flatten: one note for each folded record, in the order of their keys.
    pub for_each: bool,
    /// With `for_each`: no more than this many; what is beyond is counted in a last note.
    pub at_most: Option<u32>,
}

/// Records of one object, folded into those of a map.
///
/// Its expressions read the picked record by [`Expr::Slot`] (in notes `for_each`, the record at hand), all of them by
/// [`Expr::Aggregate`], and the record that takes them in by [`Expr::Outer`]. Its rules write targets of that map and
/// run where at least one record is folded in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Flatten {
    /// The source object that is folded in.
    pub source: String,
    /// The map that takes it in, by index.
    pub into: u16,
    /// The slot of the link to that map's source record.
    pub via: u16,
    /// The slot of its own key.
    pub key: u16,
    /// Which records take part.
    pub filter: Option<Filter>,
    /// Which of several records [`Expr::Slot`] reads; the first by key where nothing says so.
    pub pick: Option<Pick>,
    /// Rules in the order of the spec; their targets index [`Map::targets`] of `into`.
    pub rules: Vec<Rule>,
    /// Notes that go with the record that takes it in.
    pub notes: Vec<Note>,
    /// What happens with a record whose link is absent or leads to a record that takes no part.
    pub orphan: Arm,
    /// The line of `orphan`, from 1.
    pub orphan_line: u32,
    /// Names of the source fields that are read, by slot, sorted.
    pub reads: BTreeMap<u16, String>,
    /// Source fields that are not migrated, with the reason.
    pub dropped: Vec<Dropped>,
    /// Source records by the snapshot's statistics.
    pub records: Option<u64>,
    /// The line of the spec, from 1.
    pub line: u32,
}

/// Which of several folded records is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pick {
    /// The one with the greatest value, rather than the least; of equals the one with the greater key. An absent
    /// value is less than any other.
    pub latest: bool,
    /// In this slot.
    pub by: u16,
}

/// Which maps the records of a shared source object go to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Split {
    /// The source object.
    pub source: String,
    /// How it is told.
    pub how: SplitHow,
    /// The line of the spec, from 1.
    pub line: u32,
}

/// How a split tells where a record goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SplitHow {
    /// By conditions: the first row that fits. The last one has none.
    When(Vec<SplitRow>),
    /// By the value in a slot.
    Value {
        /// The slot.
        slot: u16,
        /// Source code to where it goes.
        rows: BTreeMap<String, SplitRow>,
        /// For values that no row names, and for records without one.
        unseen: SplitRow,
    },
}

/// One row of a split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SplitRow {
    /// Its condition; `None` in splits by value and in the last row.
    pub when: Option<Expr>,
    /// Where its records go.
    pub to: SplitTo,
    /// The line of the spec, from 1.
    pub line: u32,
}

/// Where a row of a split sends its records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SplitTo {
    /// To these maps, by index.
    Maps(Vec<u16>),
    /// On a list for a person, for this reason.
    Listed(String),
    /// `skip`, `quarantine` or `stop`.
    Arm(Arm),
}

/// A function that the spec defines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// How many parameters it takes.
    pub params: u16,
    /// What it gives; reads its arguments by [`Expr::Param`].
    pub body: Expr,
    /// The line of the spec, from 1.
    pub line: u32,
}

/// The label of an element.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Label {
    /// The label; absent means none.
    pub value: Expr,
    /// Which elements get it.
    pub when: Option<Expr>,
}

/// What happens when there is no value of the usual kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arm {
    /// A value, listed for a person where `flag` says why.
    Value {
        /// The value.
        value: Box<Expr>,
        /// Why it is listed.
        flag: Option<String>,
    },
    /// No value, and listed for a person.
    Flag(String),
    /// No value.
    Unset,
    /// The record (or the element) is left out, for this reason.
    Skip(String),
    /// Patched when the other record arrives.
    Wait,
    /// The record is held back for a person.
    Quarantine,
    /// The run ends.
    Stop,
}

/// Whether existing records are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnExisting {
    /// Only empty fields.
    #[default]
    Fill,
    /// Every field.
    Overwrite,
    /// Not at all.
    Keep,
}

/// What happens when the source record is deleted later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnDelete {
    /// It is listed.
    #[default]
    List,
    /// The destination record is deleted.
    Delete,
}

/// A source field that is not migrated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// The field.
    pub field: String,
    /// The reason, as the spec gives it.
    pub reason: String,
    /// Whether it goes to the gap report: the destination has no place for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gap: bool,
    /// The line of the spec, from 1.
    pub line: u32,
}

/// A custom field that the destination must have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomField {
    /// The destination object.
    pub object: String,
    /// Its label, which is also its write key.
    pub label: String,
    /// The type's word, as specs write it: `text`, `currency`, `enum`, …
    pub kind: String,
    /// The choices of an `enum`.
    pub choices: Vec<String>,
    /// Whether it holds several values.
    pub many: bool,
}

/// Something that must be there: made by the engine where it is an `open choice`, by a person otherwise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Requirement {
    /// What kind of thing: `pipeline`, `stage`, `outcome`, `choice`, `open choice`, `user`.
    pub kind: String,
    /// Where it belongs: the pipeline of a stage, the domain of a choice; else empty.
    pub of: String,
    /// Its name or id.
    pub name: String,
}

impl Plan {
    /// The file and the line in it of a line of the plan.
    pub fn place(&self, line: u32) -> (&str, u32) {
        let after = self.files.partition_point(|file| file.first_line <= line);
        match after.checked_sub(1).and_then(|index| self.files.get(index)) {
            Some(file) => (&file.name, line - file.first_line + 1),
            None => ("", line),
        }
    }

    /// A line of the plan as people look it up: `line 7` of the spec, `line 12 of standard` of a profile.
    pub fn place_text(&self, line: u32) -> String {
        let (file, at) = self.place(line);
        match self.files.first() {
            Some(spec) if spec.name != file && !file.is_empty() => format!("line {at} of {file}"),
            _ => format!("line {at}"),
        }
    }

    /// A rule's stable id: `map.target`.
    pub fn rule_id(&self, map: usize, rule: usize) -> String {
        let map = &self.maps[map];
        format!("{}.{}", map.name, map.targets[map.rules[rule].target as usize].name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_in_their_own_file() {
        let file = |name: &str, first_line| File { name: name.to_owned(), first_line };
        let plan = Plan { files: vec![file("a.b2n", 1), file("standard", 11)], ..Plan::default() };
        assert_eq!(plan.place(10), ("a.b2n", 10));
        assert_eq!(plan.place_text(10), "line 10");
        assert_eq!(plan.place_text(12), "line 2 of standard");
        assert_eq!(Plan::default().place_text(3), "line 3");
    }
}
