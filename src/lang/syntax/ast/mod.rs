//! What a spec says, as a tree with the place of everything. Says nothing of whether it makes sense.
//!
//! Parsing never fails: a bad row or item leaves a finding and is missing here.

mod expr;
mod map;
mod suite;

use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::lang::text::{Span, Spanned};
use crate::lang::value::OutcomeKind;

pub use expr::{Comparison, Expr, ExprKind, TextPart};
pub use map::{
    Arm, ArmKind, Clauses, Drop, DropReason, FidelityClause, FieldPattern, FieldRef, Flatten, ForEach,
    Labelled, Map, MapLine, Note, OnDelete, OnExisting, Rule, RuleTarget, Split, SplitOn, SplitRow, SplitTo,
};
pub use suite::{
    Expect, ExpectKind, FieldLit, Fixture, Given, Golden, RecordLit, Rest, Test, TestEveryRow, ValueLit,
};

/// A name as it was written, without backticks or quotes.
pub type Name = Spanned<String>;

/// A whole spec.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spec {
    /// Items in the order of the file.
    pub items: Vec<Item>,
}

/// A top-level item.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// `edition 2026`
    Edition(Spanned<u32>),
    /// `source bitrix24 "schema/bitrix24.yaml"`
    Source(System),
    /// `target nutshell "schema/nutshell.yaml"`
    Target(System),
    /// `zone "Europe/Moscow"`
    Zone(Name),
    /// `use "standard"`
    Use(Use),
    /// `owners { … }`
    Owners(Owners),
    /// `fn …(…) -> … = …`
    Function(Function),
    /// `table … { … }`
    Table(Table),
    /// `pipeline … { … }`
    Pipeline(Pipeline),
    /// `map … { … }`
    Map(Map),
    /// `split … { … }`
    Split(Split),
    /// `flatten … into … via … { … }`
    Flatten(Flatten),
    /// `order { … }`
    Order(Order),
    /// `fixture … = … { … }`
    Fixture(Fixture),
    /// `test "…" { … }`
    Test(Test),
    /// `test every row …`
    TestEveryRow(TestEveryRow),
    /// `golden … "…" => … "…"`
    Golden(Golden),
    /// `budget { … }`
    Budget(Budget),
    /// `accept … on … until … because … by …`
    Accept(Accept),
}

/// `use "standard"`: a profile whose items are taken over.
#[derive(Clone, Debug, PartialEq)]
pub struct Use {
    /// The shipped profile's name, or a path relative to the spec.
    pub profile: Name,
    /// The whole item.
    pub span: Span,
}

/// How an item stands to the item of the same name in a profile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// No word: no profile has an item of this name.
    #[default]
    Own,
    /// `replace`: the profile's item counts no more.
    Replace(Span),
    /// `refine`: single rules or rows of the profile's item are changed or added.
    Refine(Span),
}

/// `fn full_name(given: text?, family: text?) -> text? = join(" ", [given, family])`
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// `replace` or nothing.
    pub mode: Mode,
    /// Its name.
    pub name: Name,
    /// Its parameters.
    pub params: Vec<Param>,
    /// What it gives.
    pub result: TypeRef,
    /// How; bare names in it are parameters.
    pub body: Expr,
    /// The whole item.
    pub span: Span,
}

/// `given: text?`
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub ty: TypeRef,
}

/// A connector and its snapshot.
#[derive(Clone, Debug, PartialEq)]
pub struct System {
    /// The connector's name.
    pub connector: Name,
    /// The snapshot's path, relative to the spec.
    pub snapshot: Name,
    /// The whole item.
    pub span: Span,
}

/// Who owns what in the destination.
#[derive(Clone, Debug, PartialEq)]
pub struct Owners {
    /// `replace` or nothing.
    pub mode: Mode,
    /// `match by email`
    pub match_by_email: Option<Span>,
    /// Named users, in order.
    pub rows: Vec<OwnerRow>,
    /// The whole item.
    pub span: Span,
}

/// One row of `owners`.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnerRow {
    /// Who it is for.
    pub who: Spanned<OwnerWho>,
    /// The destination user's e-mail address.
    pub to: Name,
    /// `flag "why"`
    pub flag: Option<Name>,
    /// The whole row.
    pub span: Span,
}

/// Whom a row of `owners` is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnerWho {
    /// The source user with this e-mail address.
    Email(String),
    /// `dismissed`: users who no longer work there.
    Dismissed,
    /// `otherwise`: everybody else.
    Otherwise,
}

/// A code with the title that may follow it in backticks, or a title alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Coded {
    /// The code; `None` when only a title stands there.
    pub code: Option<Name>,
    /// The title.
    pub title: Option<Name>,
    /// Both.
    pub span: Span,
}

/// A typed value table.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// `replace`, `refine` or nothing.
    pub mode: Mode,
    /// Its name.
    pub name: Name,
    /// What is looked up.
    pub from: TypeRef,
    /// What comes out: a destination field (`Lead.sources`) or a type.
    pub to: TableTarget,
    /// Rows.
    pub rows: Vec<TableRow>,
    /// `_ unseen => …`
    pub unseen: Option<UnseenRow>,
    /// The whole item.
    pub span: Span,
}

/// What a table's rows give.
#[derive(Clone, Debug, PartialEq)]
pub enum TableTarget {
    /// A destination field: its type and its values.
    Field {
        /// The destination object.
        object: Name,
        /// Its field.
        field: Name,
    },
    /// A plain type.
    Type(TypeRef),
}

/// One row of a table. Several codes before `=>` are merged.
#[derive(Clone, Debug, PartialEq)]
pub struct TableRow {
    /// `proposed 0.62`
    pub proposed: Option<Spanned<Decimal>>,
    /// The values it is for.
    pub codes: Vec<Coded>,
    /// What comes out.
    pub arm: Arm,
    /// `merged because "…"` and the like.
    pub fidelity: Option<FidelityClause>,
    /// The whole row.
    pub span: Span,
}

/// `_ unseen => …`, for values born after the snapshot.
#[derive(Clone, Debug, PartialEq)]
pub struct UnseenRow {
    /// What happens with them.
    pub arm: Arm,
    /// The whole row.
    pub span: Span,
}

/// How the stages of a source pipeline become those of a destination pipeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Pipeline {
    /// `replace`, `refine` or nothing.
    pub mode: Mode,
    /// Its name.
    pub name: Name,
    /// The source object: `deal`, `lead`, `process 1032`.
    pub object: ObjectRef,
    /// `category 0` with its title; `None` for objects with one pipeline.
    pub category: Option<Coded>,
    /// The destination pipeline's name.
    pub to: Name,
    /// Rows.
    pub rows: Vec<StageRow>,
    /// `_ unseen => …`
    pub unseen: Option<UnseenRow>,
    /// The whole item.
    pub span: Span,
}

/// One row of a pipeline.
#[derive(Clone, Debug, PartialEq)]
pub struct StageRow {
    /// `proposed 0.62`
    pub proposed: Option<Spanned<Decimal>>,
    /// The source stages it is for.
    pub codes: Vec<Coded>,
    /// Where they go.
    pub to: StageTarget,
    /// `merged because "…"`
    pub fidelity: Option<FidelityClause>,
    /// The whole row.
    pub span: Span,
}

/// Where a source stage goes.
#[derive(Clone, Debug, PartialEq)]
pub enum StageTarget {
    /// `stage "Qualify"`
    Stage(Name),
    /// `won "Signed"`, `lost "No budget"`, `cancelled "Duplicate"`
    Outcome(OutcomeKind, Name),
    /// `quarantine` and other arms without a value.
    Arm(Arm),
}

/// A type as a spec writes it: `text?`, `[phone]`, `enum(SOURCE)`, `enum("A", "B")`.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeRef {
    /// The type's word: `text`, `enum`, …
    pub name: Name,
    /// What stands in parentheses.
    pub args: Vec<TypeArg>,
    /// `[T]`
    pub many: bool,
    /// `T?`
    pub optional: bool,
    /// The whole type.
    pub span: Span,
}

/// An argument of a type.
#[derive(Clone, Debug, PartialEq)]
pub enum TypeArg {
    /// A bare name: `SOURCE`, `company`; a dotted one keeps its dot: `deal.SOURCE_ID`,
    /// `process 1032.UF_CRM_5_KIND`.
    Name(Name),
    /// A choice in quotes.
    Text(Name),
    /// A bound.
    Number(Spanned<u32>),
}

/// A source object: `deal`, or ``process 1032 `Equipment` ``, whose name is its word and its number with one blank
/// between them.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectRef {
    /// `deal`, `process 1032`.
    pub name: Name,
    /// The title in backticks, which is checked.
    pub title: Option<Name>,
}

/// `budget { quarantine <= 0.5% }`
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    /// Rows.
    pub rows: Vec<BudgetRow>,
    /// The whole item.
    pub span: Span,
}

/// One limit.
#[derive(Clone, Debug, PartialEq)]
pub struct BudgetRow {
    /// What is limited: `quarantine`, `merged`, `owners.otherwise`.
    pub what: Name,
    /// How much of it there may be at most: a number, or a fraction where `unit` is [`BudgetUnit::Percent`].
    pub limit: Spanned<Decimal>,
    /// Of what.
    pub unit: BudgetUnit,
    /// The whole row.
    pub span: Span,
}

/// What a limit counts.
#[derive(Clone, Debug, PartialEq)]
pub enum BudgetUnit {
    /// A share of the records.
    Percent,
    /// A word after the number: `tables`, `rules`, `records`, `fields`; `None` counts records.
    Counted(Option<Name>),
}

/// `accept B2N-L204 on company."Annual volume" until 2027-01-31 because "…" by "…"`
#[derive(Clone, Debug, PartialEq)]
pub struct Accept {
    /// The finding's code.
    pub code: Name,
    /// The map, table, pipeline or flatten that it stands in.
    pub item: Name,
    /// The rule or row in it; `None` for the item as a whole.
    pub part: Option<Name>,
    /// The last day on which it counts.
    pub until: Spanned<Date>,
    /// Why.
    pub because: Name,
    /// Who says so.
    pub by: Name,
    /// The whole item.
    pub span: Span,
}

/// `order { company, contact before deal }`
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// Rows.
    pub rows: Vec<OrderRow>,
    /// The whole item.
    pub span: Span,
}

/// One row of `order`.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderRow {
    /// These maps …
    pub before: Vec<Name>,
    /// … before these.
    pub after: Vec<Name>,
    /// The whole row.
    pub span: Span,
}
