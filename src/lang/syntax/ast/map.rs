//! Maps, splits and flattens: what becomes of records and their fields.

use rust_decimal::Decimal;

use crate::lang::text::{Span, Spanned};
use crate::lang::types::Fidelity;

use super::{Coded, Expr, Mode, Name, ObjectRef, TypeRef};

/// One source object to one destination object.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    /// `replace`, `refine` or nothing.
    pub mode: Mode,
    /// The source object.
    pub source: ObjectRef,
    /// The destination object.
    pub target: Name,
    /// `as NAME`
    pub alias: Option<Name>,
    /// The lines of its body, in order.
    pub body: Vec<MapLine>,
    /// `map … -> …`, without the body.
    pub head: Span,
    /// The whole item.
    pub span: Span,
}

impl Map {
    /// The name that `ref` and `order` use.
    pub fn name(&self) -> &Name {
        self.alias.as_ref().unwrap_or(&self.source.name)
    }
}

/// A line of the body of a `map`, a `flatten` or an `each`. Which of them may stand where is for the checker to say.
#[derive(Clone, Debug, PartialEq)]
pub enum MapLine {
    /// `key ID`
    Key(Spanned<FieldRef>),
    /// `match existing by url or name`
    MatchExisting {
        /// Destination fields, in the order of trial.
        by: Vec<Name>,
        /// The whole line.
        span: Span,
    },
    /// `on existing fill`
    OnExisting(Spanned<OnExisting>),
    /// `on delete list`
    OnDelete(Spanned<OnDelete>),
    /// `where … else skip "why"`
    Where {
        /// Which records take part.
        condition: Expr,
        /// What happens with the others; `None` leaves them out with the line itself as the reason.
        otherwise: Option<Arm>,
        /// The whole line.
        span: Span,
    },
    /// `name <- TITLE …`
    Rule(Box<Rule>),
    /// `note "Full title" <- TITLE …`
    Note(Box<Note>),
    /// `gap UF_… "links between items have no place"`: it goes to the gap report.
    Gap {
        /// The fields that have no place in the destination.
        fields: Vec<FieldPattern>,
        /// Why.
        why: Name,
        /// The whole line.
        span: Span,
    },
    /// `pick latest by CREATED_TIME`: which of the records that are folded in a bare name reads.
    Pick {
        /// The one with the greatest value, rather than the least (`earliest`).
        latest: bool,
        /// Of this field.
        by: FieldRef,
        /// The whole line.
        span: Span,
    },
    /// `orphan => skip "…"`: records that are to be folded in and have nowhere to go.
    Orphan {
        /// What happens with them.
        arm: Arm,
        /// The whole line.
        span: Span,
    },
    /// `drop LOGO declined "…"`
    Drop(Drop),
    /// `todo UF_… "ask the customer"`
    Todo {
        /// The fields that wait for a decision.
        fields: Vec<FieldPattern>,
        /// What is to be found out.
        why: Name,
        /// The whole line.
        span: Span,
    },
}

/// What happens to fields of a record that the destination already had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnExisting {
    /// Only empty fields are written.
    #[default]
    Fill,
    /// Every field is written.
    Overwrite,
    /// Nothing is written.
    Keep,
}

/// What happens when the source record is deleted later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDelete {
    /// It is listed.
    #[default]
    List,
    /// The destination record is deleted.
    Delete,
}

/// A source field: `TITLE`, ``UF_CRM_… `Объём` ``, a title alone, or `deal.CURRENCY_ID`.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldRef {
    /// `deal` of `deal.CURRENCY_ID`.
    pub object: Option<Name>,
    /// The code and the title.
    pub field: Coded,
}

/// A field or, in `drop … empty`, a glob such as `UF_CRM_OLD_*`.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldPattern {
    /// The field; a glob stands in `code`.
    pub field: Coded,
    /// Whether `code` holds a `*`.
    pub glob: bool,
}

/// `note "Equipment {TITLE}" <- lines(…) for each at most 20 …`: a note on the destination record.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// `proposed 0.62`
    pub proposed: Option<Spanned<Decimal>>,
    /// Its title: a text, possibly with `{…}` in it.
    pub title: Expr,
    /// What it says.
    pub value: Expr,
    /// `for each at most N`: one for each record that is folded in, but no more than this.
    pub for_each: Option<ForEach>,
    /// The clauses that follow.
    pub clauses: Clauses,
    /// The whole line.
    pub span: Span,
}

/// `for each`, `for each at most 20`
#[derive(Clone, Debug, PartialEq)]
pub struct ForEach {
    /// `at most N`
    pub at_most: Option<Spanned<u32>>,
    /// The whole clause.
    pub span: Span,
}

/// A rule that writes one destination field.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// `proposed 0.62`: suggested, with a score, and not yet agreed to by a person.
    pub proposed: Option<Spanned<Decimal>>,
    /// What it writes.
    pub target: RuleTarget,
    /// The value.
    pub value: Expr,
    /// The clauses that follow.
    pub clauses: Clauses,
    /// The whole rule.
    pub span: Span,
}

/// What a rule writes.
#[derive(Clone, Debug, PartialEq)]
pub enum RuleTarget {
    /// A field of the destination object.
    Field(Name),
    /// `custom "Label" TYPE`: created where it is missing.
    Custom {
        /// The field's name in the destination.
        label: Name,
        /// Its destination type.
        ty: TypeRef,
    },
}

/// The trailing clauses of a rule, in the language's order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Clauses {
    /// `when CONDITION`
    pub when: Option<Expr>,
    /// `labelled EXPR when CONDITION`
    pub labelled: Option<Labelled>,
    /// `else …`, several times where an alternative may itself be absent.
    pub else_: Vec<Arm>,
    /// `on fail …`
    pub on_fail: Option<Arm>,
    /// `on unmigrated …`
    pub on_unmigrated: Option<Arm>,
    /// `narrowed because "…"`
    pub fidelity: Option<FidelityClause>,
    /// `in a second pass`
    pub second_pass: Option<Span>,
}

/// `labelled POST when IS_PRIMARY`
#[derive(Clone, Debug, PartialEq)]
pub struct Labelled {
    /// The label.
    pub value: Expr,
    /// Which elements get it.
    pub when: Option<Expr>,
    /// The whole clause.
    pub span: Span,
}

/// A fidelity word with its reason.
#[derive(Clone, Debug, PartialEq)]
pub struct FidelityClause {
    /// The word.
    pub fidelity: Spanned<Fidelity>,
    /// `because "…"`
    pub because: Option<Name>,
    /// The whole clause.
    pub span: Span,
}

/// Where a clause or row ends.
#[derive(Clone, Debug, PartialEq)]
pub struct Arm {
    /// What happens.
    pub kind: ArmKind,
    /// The whole arm.
    pub span: Span,
}

/// What an arm does.
#[derive(Clone, Debug, PartialEq)]
pub enum ArmKind {
    /// A value, possibly listed for a person.
    Value {
        /// The value.
        value: Expr,
        /// `flag "why"`
        flag: Option<Name>,
    },
    /// `flag "why"` alone: unset, and listed for a person.
    Flag(Name),
    /// `unset`
    Unset,
    /// `skip "why"`: an element in `each`, a record in `where`.
    Skip(Name),
    /// `wait`: patched when the other record arrives.
    Wait,
    /// `quarantine`: the record is held back for a person.
    Quarantine,
    /// `stop`: the run ends here.
    Stop,
}

/// Fields that are not migrated.
#[derive(Clone, Debug, PartialEq)]
pub struct Drop {
    /// Which.
    pub fields: Vec<FieldPattern>,
    /// Why.
    pub reason: DropReason,
    /// The whole line.
    pub span: Span,
}

/// Why fields are dropped.
#[derive(Clone, Debug, PartialEq)]
pub enum DropReason {
    /// `empty`: no record has a value; checked against the statistics.
    Empty,
    /// `derived from A, B`: nothing in it that is not in those.
    DerivedFrom(Vec<FieldRef>),
    /// `declined "why"`: the customer does not want it.
    Declined(Name),
}

/// `split lead { … }`, `split activity by TYPE_ID { … }`: which maps a record of a shared source goes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// The shared source object.
    pub source: ObjectRef,
    /// `by TYPE_ID`; without it rows are conditions.
    pub by: Option<FieldRef>,
    /// Rows, the first that fits decides.
    pub rows: Vec<SplitRow>,
    /// `split …`, without the body.
    pub head: Span,
    /// The whole item.
    pub span: Span,
}

/// One row of a split.
#[derive(Clone, Debug, PartialEq)]
pub struct SplitRow {
    /// Which records.
    pub on: SplitOn,
    /// Where they go.
    pub to: SplitTo,
    /// The whole row.
    pub span: Span,
}

/// Which records a row of a split is for.
#[derive(Clone, Debug, PartialEq)]
pub enum SplitOn {
    /// `when CONDITION`
    When(Expr),
    /// Values of the field after `by`.
    Codes(Vec<Coded>),
    /// `otherwise`: every other record; in splits by conditions only.
    Otherwise(Span),
    /// `_ unseen`: values born after the snapshot; in splits by a field only.
    Unseen(Span),
}

/// Where a row of a split sends its records.
#[derive(Clone, Debug, PartialEq)]
pub enum SplitTo {
    /// These maps, by name.
    Maps(Vec<Name>),
    /// `listed "…"`: nowhere, and on a list for a person.
    Listed(Name),
    /// `skip "…"`, `quarantine`, `stop`.
    Arm(Arm),
}

/// `flatten process 1032 into company via PARENT_ID_4 { … }`: records with no counterpart, folded into a mapped one.
#[derive(Clone, Debug, PartialEq)]
pub struct Flatten {
    /// `replace`, `refine` or nothing.
    pub mode: Mode,
    /// The source object that is folded in.
    pub source: ObjectRef,
    /// The map, by name, whose records take it in.
    pub into: Name,
    /// The field of the folded record that links to the other one.
    pub via: FieldRef,
    /// The lines of its body, in order.
    pub body: Vec<MapLine>,
    /// `flatten …`, without the body.
    pub head: Span,
    /// The whole item.
    pub span: Span,
}
