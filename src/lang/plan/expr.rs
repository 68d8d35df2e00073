//! Expressions of a plan.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::lang::value::Value;

use super::{Rule, Target};

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
    /// A link to a record of one of these maps, or, over a list, links. Where [`Plan::maps`] lists several maps for
    /// the record's object, they are tried in this order.
    Ref {
        /// Indices into [`Plan::maps`].
        maps: Vec<u16>,
        /// The link, or the list of links: keys, or `object/key` where they may lead to several objects.
        link: Box<Expr>,
        /// Whether a link may lead to several objects. A link to an object that none of the maps reads is left out.
        any: bool,
        /// The object's name apart from the key, for links that come as two fields.
        object: Option<Box<Expr>>,
        /// Instead of the link itself, the value that the linked record has in this target, per map.
        field: Option<Vec<u16>>,
    },
    /// The rules once per element of a list: a list of lines, [`Value::Item`] without a value of its own and with
    /// one attribute per column. In its rules [`Expr::Attribute`] and [`Expr::Element`] are the element's,
    /// [`Expr::Slot`] stays the record's; `skip` leaves the line out.
    EachLine {
        /// The list.
        list: Box<Expr>,
        /// What the lines hold, in the order of the destination field's attributes.
        columns: Vec<Target>,
        /// Rules; their targets index `columns`.
        rules: Vec<Rule>,
    },
    /// A function of the spec, by its index in [`Plan::functions`].
    Apply {
        /// Which.
        function: u16,
        /// Its arguments.
        args: Vec<Expr>,
    },
    /// Inside a function: the argument of this index.
    Param(u16),
    /// Inside a flatten: a field of the record that takes the others in, by slot.
    Outer(u16),
    /// Inside a flatten: something of all records that are folded in.
    Aggregate {
        /// What.
        kind: Aggregate,
        /// Of which value of each of them; nothing for `count`. Absent values take no part.
        of: Option<Box<Expr>>,
    },
    /// Text, one line per value that is there: `label: value`.
    Lines(Vec<Line>),
    /// The title of a code, or the code itself where it has none.
    Title {
        /// The code.
        of: Box<Expr>,
        /// Code to title.
        titles: BTreeMap<String, String>,
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

impl Default for Expr {
    /// No value.
    fn default() -> Self {
        Expr::Const(Value::Absent)
    }
}

/// What is made of all folded records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Aggregate {
    /// How many there are; with a value, how many have it.
    Count,
    /// The sum of numbers, or of amounts of one currency; amounts of several currencies fail.
    Sum,
    /// The least.
    Min,
    /// The greatest.
    Max,
}

/// One line of [`Expr::Lines`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// What stands before the value.
    pub label: String,
    /// The value; a list runs on with commas.
    pub value: Expr,
    /// For a list of rows: the name and the attribute's index of each column; a row takes a line.
    pub columns: Vec<(String, u16)>,
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
