//! What a spec says, as a tree with the place of everything. Says nothing of whether it makes sense.
//!
//! Parsing never fails: a bad row or item leaves a finding and is missing here.

use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::lang::text::{Span, Spanned};
use crate::lang::types::Fidelity;
use crate::lang::value::OutcomeKind;

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
