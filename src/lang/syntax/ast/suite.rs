//! Fixtures, tests and goldens.

use crate::lang::text::{Span, Spanned};

use super::{Coded, Expr, Name, ObjectRef, OwnerWho, StageTarget};

/// `fixture won_deal = deal { … }`: a named test record.
#[derive(Clone, Debug, PartialEq)]
pub struct Fixture {
    /// Its name.
    pub name: Name,
    /// The source object.
    pub object: ObjectRef,
    /// Its fields.
    pub record: RecordLit,
    /// The whole item.
    pub span: Span,
}

/// `{ ID: "7", PHONE: ["+1 …"], ..default }`
#[derive(Clone, Debug, PartialEq)]
pub struct RecordLit {
    /// The fields that it names, in order; a custom field of the destination by its label in quotes.
    pub fields: Vec<FieldLit>,
    /// How it ends.
    pub rest: Rest,
    /// Braces and what is in them.
    pub span: Span,
}

/// How a record in braces ends.
#[derive(Clone, Debug, PartialEq)]
pub enum Rest {
    /// With its last field: every required field must be named, others are absent.
    None,
    /// `..`, in `expect`: other fields may hold anything.
    Any(Span),
    /// `..default` (every unnamed field is absent), or `..NAME` (those of the fixture).
    Of(Name),
}

/// `TITLE: "Pumps"`
#[derive(Clone, Debug, PartialEq)]
pub struct FieldLit {
    /// The field: a code with or without a title, a title alone, or a label in quotes (as a code).
    pub field: Coded,
    /// Its value.
    pub value: ValueLit,
    /// Both.
    pub span: Span,
}

/// A value in a record in braces.
#[derive(Clone, Debug, PartialEq)]
pub enum ValueLit {
    /// A literal: text, number, money, date, yes or no; `ref company("7")`.
    Expr(Expr),
    /// `absent`
    Absent(Span),
    /// `user dismissed`, `user otherwise`, `user "anna@…"`: a source user as `owners` sees them.
    User(Spanned<OwnerWho>),
    /// `stage "Qualify"`, `won "Signed"`
    Stage(Spanned<StageTarget>),
    /// `[…]`
    List(Vec<ValueLit>, Span),
    /// `{ … }`: a row, or an element with attributes, whose value is named `value`.
    Record(RecordLit),
}

/// `test "a won deal" { given … expect … }`
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    /// What it shows.
    pub name: Name,
    /// The records that there are.
    pub given: Vec<Given>,
    /// What must come out.
    pub expect: Vec<Expect>,
    /// The whole item.
    pub span: Span,
}

/// `given deal { …, ..won_deal }`, `given won_deal`
#[derive(Clone, Debug, PartialEq)]
pub struct Given {
    /// The source object, or the name of a fixture.
    pub object: ObjectRef,
    /// Its fields; `None` where a fixture is taken as it is.
    pub record: Option<RecordLit>,
    /// The whole line.
    pub span: Span,
}

/// A line that begins with `expect`.
#[derive(Clone, Debug, PartialEq)]
pub struct Expect {
    /// What is expected.
    pub kind: ExpectKind,
    /// The whole line.
    pub span: Span,
}

/// What a test expects.
#[derive(Clone, Debug, PartialEq)]
pub enum ExpectKind {
    /// `expect Lead { … }`: a record of this destination object, with these values.
    Record(Name, RecordLit),
    /// `expect no Lead`
    No(Name),
    /// `expect quarantine`
    Quarantine,
    /// `expect stop`
    Stop,
    /// `expect skip "…"`: left out for this reason.
    Skip(Name),
    /// `expect flag "…"`: listed for a person for this reason, by a `flag` or by `listed`.
    Flag(Name),
}

/// `test every row sales`: each row of a table or pipeline leads to a record that the destination takes.
#[derive(Clone, Debug, PartialEq)]
pub struct TestEveryRow {
    /// The table or pipeline.
    pub name: Name,
    /// The whole item.
    pub span: Span,
}

/// `golden deal "fixtures/deals.ndjson" => Lead "golden/leads.ndjson"`
#[derive(Clone, Debug, PartialEq)]
pub struct Golden {
    /// The source object.
    pub source: ObjectRef,
    /// Its records, one JSON object per line; relative to the spec.
    pub input: Name,
    /// The destination object.
    pub target: Name,
    /// What must come out of them.
    pub output: Name,
    /// The whole item.
    pub span: Span,
}
