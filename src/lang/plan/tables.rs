//! Tables, pipelines and owners: what a value of the source becomes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::lang::value::StageValue;

use super::Arm;

/// A value table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Source code to what comes out.
    pub rows: BTreeMap<String, TableRow>,
    /// For values that no row names.
    pub unseen: Arm,
    /// The line of the row for such values, from 1.
    pub unseen_line: u32,
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
    /// The line of the row for such stages, from 1.
    pub unseen_line: u32,
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
