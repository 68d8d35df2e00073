//! The typed plan: a checked spec, ready to run, with every name turned into a number.
//!
//! Made by `check`, read by `eval` and the engine, and serialised as it stands: its hash is what people approve.
//! Knows no vendor and no spec text; lines are kept for people only.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::types::{Fidelity, Type};
use super::value::{StageValue, Value};

/// A whole plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The language's edition.
    pub edition: u32,
    /// Where records come from.
    pub source: System,
    /// Where they go.
    pub target: System,
    /// The zone in which dates become instants, by its IANA name.
    pub zone: Option<String>,
    /// Maps in the order of the spec. Expressions and refs name them by index.
    pub maps: Vec<Map>,
    /// Value tables.
    pub tables: Vec<Table>,
    /// Pipelines.
    pub pipelines: Vec<Pipeline>,
    /// Who owns what.
    pub owners: Owners,
    /// Maps by index, in the order in which they are loaded; maps of one phase do not depend on each other.
    pub phases: Vec<Vec<u16>>,
    /// Custom fields that the destination must have, markers apart.
    pub provision: Vec<CustomField>,
    /// What else the destination must have.
    pub requires: Vec<Requirement>,
}

/// One side of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct System {
    /// The connector's name.
    pub connector: String,
    /// The account of the snapshot: a host or an instance id.
    pub account: String,
    /// Hash of the snapshot's schema, statistics apart.
    pub schema: String,
}

/// One source object to one destination object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// Rules in the order of the spec.
    pub rules: Vec<Rule>,
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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

/// An expression over one source record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expr {
    /// A field of the record, by slot.
    Slot(u16),
    /// The value of the list element at hand.
    Element,
    /// An attribute of the list element at hand, by its index.
    Attribute(u16),
    /// A constant.
    Const(Value),
    /// Texts run together; an absent part is empty.
    Concat(Vec<Expr>),
    /// A built-in function, by its name; `eval` resolves it once.
    Call {
        /// The function's name.
        function: String,
        /// Its arguments.
        args: Vec<Expr>,
    },
    /// A table, by index.
    Lookup {
        /// Index into [`Plan::tables`].
        table: u16,
        /// What is looked up.
        key: Box<Expr>,
    },
    /// The body once per element of the list. An element that fails is left to `on_fail`.
    Each {
        /// The list.
        list: Box<Expr>,
        /// Sees [`Expr::Element`] and [`Expr::Attribute`].
        body: Box<Expr>,
    },
    /// A link to a record of one of these maps, or, over a list, links.
    Ref {
        /// Indices into [`Plan::maps`].
        maps: Vec<u16>,
        /// The link, or the list of links.
        link: Box<Expr>,
    },
    /// The destination user for a source user. Total.
    Owner(Box<Expr>),
    /// The destination stage of a source stage.
    Stage {
        /// The category's code; `None` for objects with one pipeline.
        category: Option<Box<Expr>>,
        /// The stage's code.
        stage: Box<Expr>,
        /// The source object whose pipelines these are.
        object: String,
    },
    /// Several values.
    List(Vec<Expr>),
    /// Whether there is a value.
    Has(Box<Expr>),
    /// No.
    Not(Box<Expr>),
    /// Both.
    And(Box<Expr>, Box<Expr>),
    /// Either.
    Or(Box<Expr>, Box<Expr>),
    /// A comparison. With an absent side only `NotEqual` is true.
    Compare(Comparison, Box<Expr>, Box<Expr>),
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

/// A value table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Source code to what comes out.
    pub rows: BTreeMap<String, TableRow>,
    /// For values that no row names.
    pub unseen: Arm,
    /// The line of the spec, from 1.
    pub line: u32,
}

/// What a table gives for one code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableRow {
    /// What comes out.
    pub arm: Arm,
    /// The line of the spec, from 1.
    pub line: u32,
}

/// A pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pipeline {
    /// Its name in the spec.
    pub name: String,
    /// The source object.
    pub object: String,
    /// The category's code; empty for objects with one pipeline.
    pub category: String,
    /// Source stage to destination stage.
    pub rows: BTreeMap<String, StageRow>,
    /// For stages that no row names.
    pub unseen: Arm,
    /// The line of the spec, from 1.
    pub line: u32,
}

/// What a pipeline gives for one stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageRow {
    /// Where it goes; an arm for stages that do not.
    pub to: StageTo,
    /// The line of the spec, from 1.
    pub line: u32,
}

/// Where a stage goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StageTo {
    /// A stage or an outcome.
    Stage(StageValue),
    /// Something else.
    Arm(Arm),
}

/// Who owns what.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Owners {
    /// Source user id to destination user.
    pub users: BTreeMap<String, Owner>,
    /// For every other user, and for records without one.
    pub otherwise: Owner,
}

/// A destination user for a source user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The destination user's id.
    pub user: String,
    /// Why the record is listed for a person.
    pub flag: Option<String>,
    /// How the user was found.
    pub how: OwnerHow,
}

/// How an owner was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OwnerHow {
    /// Both systems know the same e-mail address.
    Email,
    /// A row names the user.
    Named,
    /// The row for users who left.
    Dismissed,
    /// The last row.
    #[default]
    Otherwise,
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
    /// The hash that people approve: BLAKE3 over the serialised plan, 64 hex digits.
    pub fn hash(&self) -> String {
        // INVARIANT: a plan holds no map with keys other than texts and numbers, so it always serialises.
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        blake3::hash(&bytes).to_hex().to_string()
    }

    /// A rule's stable id: `map.target`.
    pub fn rule_id(&self, map: usize, rule: usize) -> String {
        let map = &self.maps[map];
        format!("{}.{}", map.name, map.targets[map.rules[rule].target as usize].name)
    }
}
