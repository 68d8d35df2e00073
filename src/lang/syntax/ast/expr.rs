//! Expressions.

use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::lang::text::Span;

use super::{FieldRef, MapLine, Name};

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands.
    pub span: Span,
}

/// What an expression is.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// A field of the record at hand, or of a named outer one.
    Field(FieldRef),
    /// Text, with `{…}` in it.
    Text(Vec<TextPart>),
    /// `100`, `0.75`
    Number(Decimal),
    /// `0.5%`, as the fraction 0.005.
    Percent(Decimal),
    /// `1500.00 USD`
    Money(Decimal, Name),
    /// `2027-01-31`
    Date(Date),
    /// `true`, `false`
    Bool(bool),
    /// `[a, b]`
    List(Vec<Expr>),
    /// `f(a, b)` and `a.f(b)`, where the receiver is the first argument; a bare word such as `url` inside
    /// `EMAIL.each(url)` is a call without arguments, `applied` false.
    Call {
        /// The function.
        function: Name,
        /// Its arguments, the receiver first.
        args: Vec<Expr>,
        /// Whether the first argument stood before a dot.
        method: bool,
    },
    /// `industries[INDUSTRY]`
    Lookup {
        /// The table.
        table: Name,
        /// What is looked up.
        key: Box<Expr>,
    },
    /// `each rows { product <- … }`: the lines once per element of the list.
    EachBlock {
        /// The list.
        list: Box<Expr>,
        /// Rules, and what becomes of the row's other fields.
        body: Vec<MapLine>,
    },
    /// `???`: to be filled in.
    Hole,
    /// `ref company(COMPANY_ID)`, `refs company(COMPANY_IDS)`, `ref deal|inbound(…)`, `.name` of it
    Ref {
        /// `refs` rather than `ref`.
        many: bool,
        /// The maps that may carry the other record.
        maps: Vec<Name>,
        /// The link fields.
        args: Vec<Expr>,
        /// A destination field of the other record.
        field: Option<Name>,
    },
    /// `pipeline by CATEGORY_ID, STAGE_ID`
    PipelineBy(Vec<Expr>),
    /// `has X`
    Has(FieldRef),
    /// `not a`
    Not(Box<Expr>),
    /// `a and b`
    And(Box<Expr>, Box<Expr>),
    /// `a or b`
    Or(Box<Expr>, Box<Expr>),
    /// `a == b`
    Compare(Comparison, Box<Expr>, Box<Expr>),
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// A piece of an interpolated text.
#[derive(Clone, Debug, PartialEq)]
pub enum TextPart {
    /// Characters as they are; `{{` has become `{`.
    Literal(String),
    /// `{EXPR}`
    Expr(Expr),
}
