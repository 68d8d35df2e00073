//! From one logical line to its piece of the tree. The one file that sees the grammar's rules.
//!
//! INVARIANT: layout has bounded nesting and chains, so recursion here is bounded too.

use pest::Parser as _;
use pest::error::{ErrorVariant, InputLocation};
use pest::iterators::{Pair, Pairs};
use rust_decimal::Decimal;

use crate::lang::finding::{Applicability, Edit, Finding, Fix, registry};
use crate::lang::text::{Span, Spanned};
use crate::lang::types::Fidelity;
use crate::lang::value::OutcomeKind;

use super::ast::{self, *};
use super::faults::{self, Findings};
use super::words;

#[derive(pest_derive::Parser)]
#[grammar = "../grammar/b2n.pest"]
struct Grammar;

type Node<'i> = Pair<'i, Rule>;

/// What the formatter needs to know of a line beside its tokens. Places are bytes of the file.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape {
    /// Where `<-` or `=>` begins.
    pub(super) arrow: Option<usize>,
    /// Where each code before `=>` begins; empty where there are none.
    pub(super) codes: Vec<usize>,
    /// The trailing clauses, each with its place in the language's order.
    pub(super) clauses: Vec<(u8, Span)>,
    /// Whether one blank goes before a clause, not two.
    pub(super) tight: bool,
    /// Where the type of a custom field begins.
    pub(super) wide: Option<usize>,
}

/// What a line of the file's top level says, or a block's head.
pub(super) enum HeadLine {
    Edition(Spanned<u32>),
    Source(System),
    Target(System),
    Zone(Name),
    Owners,
    Order,
    Table { name: Name, from: TypeRef, to: TableTarget },
    Pipeline { name: Name, object: Name, category: Option<Coded>, to: Name },
    Map { source: Name, target: Name, alias: Option<Name> },
}

/// A row of a table or pipeline: listed codes, or the one for values born later.
pub(super) enum Row<T> {
    Listed(T),
    Unseen(UnseenRow),
}

/// Reads lines, and keeps the findings of all of them.
pub(super) struct Reader<'a> {
    source: &'a str,
    /// The same with blanks for comments.
    bare: &'a str,
    /// Where the line at hand begins.
    base: usize,
    pub(super) findings: Findings,
    /// The shape of the line that was read last.
    pub(super) shape: Shape,
}

impl<'a> Reader<'a> {
    pub(super) fn new(source: &'a str, bare: &'a str, findings: Findings) -> Self {
        Reader { source, bare, base: 0, findings, shape: Shape::default() }
    }

    // ── Heads ───────────────────────────────────────────────────────────────────────────────────────────────────

    pub(super) fn edition(&mut self, span: Span) -> Option<HeadLine> {
        let mut inner = self.line(Rule::edition_line, span)?;
        inner.next()?;
        let number = self.integer(inner.next()?)?;
        Some(HeadLine::Edition(Spanned::new(number.value, span)))
    }

    pub(super) fn system(&mut self, span: Span) -> Option<HeadLine> {
        let mut inner = self.line(Rule::system_line, span)?;
        let word = inner.next()?.as_rule();
        let system =
            System { connector: self.name(inner.next()?), snapshot: self.plain(inner.next()?), span };
        Some(if word == Rule::kw_source { HeadLine::Source(system) } else { HeadLine::Target(system) })
    }

    pub(super) fn zone(&mut self, span: Span) -> Option<HeadLine> {
        let text = self.line(Rule::zone_line, span)?.nth(1)?;
        Some(HeadLine::Zone(self.plain(text)))
    }

    pub(super) fn owners(&mut self, span: Span) -> Option<HeadLine> {
        self.line(Rule::owners_head, span).map(|_| HeadLine::Owners)
    }

    pub(super) fn order(&mut self, span: Span) -> Option<HeadLine> {
        self.line(Rule::order_head, span).map(|_| HeadLine::Order)
    }

    pub(super) fn table(&mut self, span: Span) -> Option<HeadLine> {
        let mut parts = self.line(Rule::table_head, span)?.filter(|p| !is_punctuation(p.as_rule())).skip(1);
        let name = self.name(parts.next()?);
        let from = self.type_ref(parts.next()?)?;
        let target = parts.next()?.into_inner().next()?;
        let to = if target.as_rule() == Rule::object_field {
            let mut names = target.into_inner().filter(|p| p.as_rule() != Rule::dot);
            TableTarget::Field { object: self.name(names.next()?), field: self.destination(names.next()?)? }
        } else {
            TableTarget::Type(self.type_ref(target)?)
        };
        Some(HeadLine::Table { name, from, to })
    }

    pub(super) fn pipeline(&mut self, span: Span) -> Option<HeadLine> {
        let mut parts =
            self.line(Rule::pipeline_head, span)?.filter(|p| !is_punctuation(p.as_rule())).skip(1);
        let (name, object) = (self.name(parts.next()?), self.name(parts.next()?));
        let mut next = parts.next()?;
        let mut category = None;
        if next.as_rule() == Rule::category {
            category = Some(self.category(next)?);
            next = parts.next()?;
        }
        Some(HeadLine::Pipeline { name, object, category, to: self.plain(next) })
    }

    fn category(&mut self, node: Node<'_>) -> Option<Coded> {
        let mut inner = node.into_inner().skip(1);
        let code = inner.next()?;
        if code.as_rule() == Rule::coded {
            return self.coded(code);
        }
        let code = self.name(code);
        let title = inner.next().map(|title| self.title(&title));
        let span = title.as_ref().map_or(code.span, |title| code.span.to(title.span));
        Some(Coded { code: Some(code), title, span })
    }

    pub(super) fn map(&mut self, span: Span) -> Option<HeadLine> {
        let mut names = self.line(Rule::map_head, span)?.filter(|p| p.as_rule() == Rule::name);
        let (source, target) = (self.name(names.next()?), self.name(names.next()?));
        Some(HeadLine::Map { source, target, alias: names.next().map(|alias| self.name(alias)) })
    }

    // ── Rows ────────────────────────────────────────────────────────────────────────────────────────────────────

    pub(super) fn match_by_email(&mut self, span: Span) -> Option<Span> {
        self.line(Rule::match_email_line, span).map(|_| span)
    }

    pub(super) fn owner_row(&mut self, span: Span) -> Option<OwnerRow> {
        let mut parts = self.line(Rule::owner_row, span)?;
        let who = parts.next()?;
        let who_span = self.span(&who);
        let who = who.into_inner().next()?;
        let who = match who.as_rule() {
            Rule::kw_dismissed => OwnerWho::Dismissed,
            Rule::kw_otherwise => OwnerWho::Otherwise,
            _ => OwnerWho::Email(self.plain(who).value),
        };
        self.shape.arrow = Some(self.span(&parts.next()?).start as usize);
        let to = self.plain(parts.next()?);
        let flag = parts.next().filter(|p| p.as_rule() == Rule::flag_clause).and_then(|flag| {
            self.shape.clauses.push((0, self.span(&flag)));
            Some(self.plain(flag.into_inner().nth(1)?))
        });
        Some(OwnerRow { who: Spanned::new(who, who_span), to, flag, span })
    }

    pub(super) fn table_row(&mut self, span: Span, unseen: bool) -> Option<Row<TableRow>> {
        if unseen {
            return self.unseen(Rule::table_unseen, span).map(Row::Unseen);
        }
        let mut parts = self.line(Rule::table_row, span)?;
        let codes = self.codes(parts.next()?);
        self.shape.arrow = Some(self.span(&parts.next()?).start as usize);
        let arm = self.arm(parts.next()?, true)?;
        let fidelity = self.row_fidelity(parts.next()?)?;
        Some(Row::Listed(TableRow { proposed: None, codes, arm, fidelity, span }))
    }

    pub(super) fn stage_row(&mut self, span: Span, unseen: bool) -> Option<Row<StageRow>> {
        if unseen {
            return self.unseen(Rule::stage_unseen, span).map(Row::Unseen);
        }
        let mut parts = self.line(Rule::stage_row, span)?;
        let codes = self.codes(parts.next()?);
        self.shape.arrow = Some(self.span(&parts.next()?).start as usize);
        let mut target = parts.next()?.into_inner();
        let first = target.next()?;
        let to = if first.as_rule() == Rule::stage_word {
            let word = first.into_inner().next()?.as_rule();
            let name = self.plain(target.next()?);
            match word {
                Rule::kw_won => StageTarget::Outcome(OutcomeKind::Won, name),
                Rule::kw_lost => StageTarget::Outcome(OutcomeKind::Lost, name),
                Rule::kw_cancelled => StageTarget::Outcome(OutcomeKind::Cancelled, name),
                _ => StageTarget::Stage(name),
            }
        } else {
            StageTarget::Arm(self.arm_of(first, true)?)
        };
        let fidelity = self.row_fidelity(parts.next()?)?;
        Some(Row::Listed(StageRow { proposed: None, codes, to, fidelity, span }))
    }

    fn unseen(&mut self, rule: Rule, span: Span) -> Option<UnseenRow> {
        let mut parts = self.line(rule, span)?.skip(2);
        self.shape.arrow = Some(self.span(&parts.next()?).start as usize);
        let arm = parts.next()?;
        let arm = if arm.as_rule() == Rule::arm { self.arm(arm, true)? } else { self.arm_of(arm, true)? };
        Some(UnseenRow { arm, span })
    }

    fn codes(&mut self, node: Node<'_>) -> Vec<Coded> {
        let mut codes = Vec::new();
        for coded in node.into_inner().filter(|p| p.as_rule() == Rule::coded) {
            self.shape.codes.push(self.span(&coded).start as usize);
            codes.extend(self.coded(coded));
        }
        codes
    }

    /// The fidelity of a row, where the node is one.
    fn row_fidelity(&mut self, node: Node<'_>) -> Option<Option<FidelityClause>> {
        if node.as_rule() != Rule::fidelity_clause {
            return Some(None);
        }
        self.shape.clauses.push((5, self.span(&node)));
        self.fidelity(node).map(Some)
    }

    pub(super) fn order_row(&mut self, span: Span) -> Option<OrderRow> {
        let mut sides = self.line(Rule::order_row, span)?.filter(|p| p.as_rule() == Rule::order_side);
        let names = |reader: &Self, side: Node<'_>| -> Vec<Name> {
            side.into_inner().filter(|p| p.as_rule() == Rule::name).map(|p| reader.name(p)).collect()
        };
        let before = names(self, sides.next()?);
        Some(OrderRow { before, after: names(self, sides.next()?), span })
    }

    // ── Lines of a map ──────────────────────────────────────────────────────────────────────────────────────────

    pub(super) fn key(&mut self, span: Span) -> Option<MapLine> {
        let field = self.line(Rule::key_line, span)?.nth(1)?;
        let place = self.span(&field);
        Some(MapLine::Key(Spanned::new(self.field_ref(field)?, place)))
    }

    pub(super) fn match_existing(&mut self, span: Span) -> Option<MapLine> {
        let parts = self.line(Rule::match_line, span)?.filter(|p| p.as_rule() == Rule::destination);
        Some(MapLine::MatchExisting { by: parts.filter_map(|p| self.destination(p)).collect(), span })
    }

    pub(super) fn on(&mut self, span: Span) -> Option<MapLine> {
        let what = self.line(Rule::on_line, span)?.nth(1)?;
        let choice = what.into_inner().nth(1)?;
        let on_existing = |what| Some(MapLine::OnExisting(Spanned::new(what, span)));
        match choice.as_rule() {
            Rule::kw_fill => on_existing(OnExisting::Fill),
            Rule::kw_overwrite => on_existing(OnExisting::Overwrite),
            Rule::kw_keep => on_existing(OnExisting::Keep),
            Rule::kw_list => Some(MapLine::OnDelete(Spanned::new(OnDelete::List, span))),
            _ => Some(MapLine::OnDelete(Spanned::new(OnDelete::Delete, span))),
        }
    }

    pub(super) fn where_(&mut self, span: Span) -> Option<MapLine> {
        let mut parts = self.line(Rule::where_line, span)?.skip(1);
        let condition = self.expression(parts.next()?)?;
        let mut otherwise = None;
        if let Some(clause) = parts.next().filter(|p| p.as_rule() == Rule::else_clause) {
            self.shape.clauses.push((0, self.span(&clause)));
            self.shape.tight = true;
            otherwise = Some(self.arm(clause.into_inner().nth(1)?, false)?);
        }
        Some(MapLine::Where { condition, otherwise, span })
    }

    pub(super) fn drop(&mut self, span: Span) -> Option<MapLine> {
        let mut parts = self.line(Rule::drop_line, span)?.skip(1);
        let fields = self.patterns(parts.next()?);
        let reason = parts.next()?;
        let reason = reason.into_inner().next()?;
        let reason = match reason.as_rule() {
            Rule::kw_empty => DropReason::Empty,
            Rule::declined => DropReason::Declined(self.plain(reason.into_inner().nth(1)?)),
            _ => {
                let fields = reason.into_inner().filter(|p| p.as_rule() == Rule::field_ref);
                DropReason::DerivedFrom(fields.filter_map(|p| self.field_ref(p)).collect())
            }
        };
        Some(MapLine::Drop(Drop { fields, reason, span }))
    }

    pub(super) fn todo(&mut self, span: Span) -> Option<MapLine> {
        let mut parts = self.line(Rule::todo_line, span)?.skip(1);
        let fields = self.patterns(parts.next()?);
        Some(MapLine::Todo { fields, why: self.plain(parts.next()?), span })
    }

    fn patterns(&mut self, node: Node<'_>) -> Vec<FieldPattern> {
        let mut patterns = Vec::new();
        for pattern in node.into_inner().filter(|p| p.as_rule() == Rule::pattern) {
            let span = self.span(&pattern);
            let (mut code, mut title, mut glob) = (None, None, false);
            for part in pattern.into_inner() {
                if part.as_rule() == Rule::title {
                    title = Some(self.title(&part));
                } else {
                    glob = part.as_rule() == Rule::glob;
                    code = Some(self.name(part));
                }
            }
            patterns.push(FieldPattern { field: Coded { code, title, span }, glob });
        }
        patterns
    }

    pub(super) fn rule(&mut self, span: Span, custom: bool) -> Option<MapLine> {
        let mut parts = self.line(if custom { Rule::custom_line } else { Rule::rule_line }, span)?;
        let mut target = parts.next()?.into_inner();
        let target = if custom {
            let label = self.plain(target.nth(1)?);
            let ty = target.next()?;
            self.shape.wide = Some(self.span(&ty).start as usize);
            RuleTarget::Custom { label, ty: self.type_ref(ty)? }
        } else {
            RuleTarget::Field(self.destination(target.next()?)?)
        };
        self.shape.arrow = Some(self.span(&parts.next()?).start as usize);
        let value = self.expression(parts.next()?)?;
        let clauses = self.clauses(parts)?;
        Some(MapLine::Rule(Box::new(ast::Rule { proposed: None, target, value, clauses, span })))
    }

    fn clauses(&mut self, parts: Pairs<'_, Rule>) -> Option<Clauses> {
        let mut clauses = Clauses::default();
        let mut seen = [None; 7];
        for clause in parts {
            let span = self.span(&clause);
            let rank: u8 = match clause.as_rule() {
                Rule::when_clause => 0,
                Rule::labelled_clause => 1,
                Rule::else_clause => 2,
                Rule::on_fail_clause => 3,
                Rule::on_unmigrated_clause => 4,
                Rule::fidelity_clause => 5,
                Rule::second_pass => 6,
                _ => continue,
            };
            if let Some(first) = seen[usize::from(rank)].filter(|_| rank != 2) {
                self.findings.push(faults::clause_twice(span, first));
                self.shape.clauses.push((rank, span));
                continue;
            }
            seen[usize::from(rank)] = Some(span);
            self.shape.clauses.push((rank, span));
            match rank {
                0 => clauses.when = Some(self.expression(clause.into_inner().nth(1)?)?),
                1 => {
                    let mut inner = clause.into_inner().skip(1);
                    let value = self.expression(inner.next()?)?;
                    let when = match inner.next() {
                        Some(when) => Some(self.expression(when.into_inner().nth(1)?)?),
                        None => None,
                    };
                    clauses.labelled = Some(Labelled { value, when, span });
                }
                2 => clauses.else_.push(self.arm(clause.into_inner().nth(1)?, false)?),
                3 => clauses.on_fail = Some(self.arm(clause.into_inner().nth(1)?, false)?),
                4 => clauses.on_unmigrated = Some(self.arm(clause.into_inner().nth(1)?, false)?),
                5 => clauses.fidelity = Some(self.fidelity(clause)?),
                _ => {
                    self.findings.push(words::not_yet("in a second pass", span));
                    clauses.second_pass = Some(span);
                }
            }
        }
        if !self.shape.clauses.is_sorted_by_key(|(rank, _)| *rank) {
            let finding = faults::clause_order(self.source, &self.shape.clauses);
            self.findings.push(finding);
        }
        Some(clauses)
    }

    fn fidelity(&mut self, node: Node<'_>) -> Option<FidelityClause> {
        let span = self.span(&node);
        let mut inner = node.into_inner();
        let word = inner.next()?;
        let fidelity = match word.as_str() {
            "exact" => Fidelity::Exact,
            "reformatted" => Fidelity::Reformatted,
            "narrowed" => Fidelity::Narrowed,
            "merged" => Fidelity::Merged,
            "summarised" => Fidelity::Summarised,
            _ => Fidelity::Dropped,
        };
        let because = match inner.next() {
            Some(because) => Some(self.plain(because.into_inner().nth(1)?)),
            None => None,
        };
        Some(FidelityClause { fidelity: Spanned::new(fidelity, self.span(&word)), because, span })
    }

    /// Reads an arm; in a row, a `flag` behind its value is laid out as a clause.
    fn arm(&mut self, node: Node<'_>, row: bool) -> Option<Arm> {
        self.arm_of(node.into_inner().next()?, row)
    }

    fn arm_of(&mut self, node: Node<'_>, row: bool) -> Option<Arm> {
        let span = self.span(&node);
        let kind = match node.as_rule() {
            Rule::kw_unset => ArmKind::Unset,
            Rule::kw_wait => ArmKind::Wait,
            Rule::kw_quarantine => ArmKind::Quarantine,
            Rule::kw_stop => ArmKind::Stop,
            Rule::skip_arm => ArmKind::Skip(self.plain(node.into_inner().nth(1)?)),
            Rule::flag_arm => ArmKind::Flag(self.plain(node.into_inner().nth(1)?)),
            _ => {
                let mut inner = node.into_inner();
                let value = self.expression(inner.next()?)?;
                let mut flag = None;
                if let Some(clause) = inner.next() {
                    if row {
                        self.shape.clauses.push((0, self.span(&clause)));
                    }
                    flag = Some(self.plain(clause.into_inner().nth(1)?));
                }
                ArmKind::Value { value, flag }
            }
        };
        Some(Arm { kind, span })
    }

    // ── Expressions ─────────────────────────────────────────────────────────────────────────────────────────────

    /// Reads operands and operators: `or` binds least, then `and`, `not`, comparisons.
    fn expression(&mut self, node: Node<'_>) -> Option<Expr> {
        let mut inner = node.into_inner().peekable();
        let (mut or, mut and) = (None, None);
        loop {
            let mut nots: Vec<Span> = Vec::new();
            while let Some(not) = inner.next_if(|p| p.as_rule() == Rule::kw_not) {
                nots.push(self.span(&not));
            }
            let mut expr = self.value(&mut inner)?;
            let mut operator = inner.next();
            if let Some(comparator) = operator.as_ref().filter(|p| p.as_rule() == Rule::comparator) {
                let comparison = comparison(comparator.as_str());
                if let Some(not) = inner.peek().filter(|p| p.as_rule() == Rule::kw_not) {
                    let span = self.span(not);
                    return self.misplaced(span, "expected a value", "put the `not …` in parentheses");
                }
                let right = self.value(&mut inner)?;
                let span = expr.span.to(right.span);
                expr = Expr { kind: ExprKind::Compare(comparison, Box::new(expr), Box::new(right)), span };
                operator = inner.next();
                if let Some(second) = operator.as_ref().filter(|p| p.as_rule() == Rule::comparator) {
                    let span = self.span(second);
                    return self.misplaced(span, "expected `and` or `or`", "join two comparisons with `and`");
                }
            }
            for not in nots.into_iter().rev() {
                let span = not.to(expr.span);
                expr = Expr { kind: ExprKind::Not(Box::new(expr)), span };
            }
            let left = join(and.take(), ExprKind::And, expr);
            match operator.map(|p| p.as_rule()) {
                Some(Rule::kw_and) => and = Some(left),
                Some(_) => or = Some(join(or.take(), ExprKind::Or, left)),
                None => return Some(join(or, ExprKind::Or, left)),
            }
        }
    }

    fn misplaced<T>(&mut self, span: Span, what: &str, help: &str) -> Option<T> {
        self.findings.push(Finding::new(registry::UNEXPECTED_TOKEN, what).at(span, "not here").help(help));
        None
    }

    fn value<'i>(&mut self, inner: &mut std::iter::Peekable<Pairs<'i, Rule>>) -> Option<Expr> {
        let mut expr = self.primary(inner.next()?)?;
        while let Some(method) = inner.next_if(|p| p.as_rule() == Rule::method) {
            let span = expr.span.to(self.span(&method));
            let mut parts = method.into_inner().skip(1);
            let function = self.name(parts.next()?);
            let mut args = vec![expr];
            args.extend(self.expressions(parts.next()?)?);
            expr = Expr { kind: ExprKind::Call { function, args, method: true }, span };
        }
        Some(expr)
    }

    fn expressions(&mut self, node: Node<'_>) -> Option<Vec<Expr>> {
        node.into_inner().filter(|p| p.as_rule() == Rule::expression).map(|p| self.expression(p)).collect()
    }

    fn primary(&mut self, node: Node<'_>) -> Option<Expr> {
        let span = self.span(&node);
        let kind = match node.as_rule() {
            Rule::field_ref => ExprKind::Field(self.field_ref(node)?),
            Rule::text => ExprKind::Text(self.text_parts(node)?),
            Rule::number => ExprKind::Number(self.decimal(node.as_str(), span)?),
            Rule::percent => {
                let number = self.decimal(node.as_str().trim_end_matches('%'), span)?;
                match number.checked_mul(Decimal::new(1, 2)) {
                    Some(fraction) => ExprKind::Percent(fraction.normalize()),
                    None => {
                        return self.bad_literal(span, "the percentage is too large", "write a smaller one");
                    }
                }
            }
            Rule::money => {
                let mut inner = node.into_inner();
                let number = inner.next()?;
                let amount = self.decimal(number.as_str(), self.span(&number))?;
                ExprKind::Money(amount, self.name(inner.next()?))
            }
            Rule::date => match node.as_str().parse() {
                Ok(date) => ExprKind::Date(date),
                Err(_) => {
                    return self.bad_literal(
                        span,
                        "no such day is in the calendar",
                        "write a date as year-month-day",
                    );
                }
            },
            Rule::boolean => ExprKind::Bool(node.as_str() == "true"),
            Rule::list => ExprKind::List(self.expressions(node)?),
            Rule::group => {
                let inner = self.expression(node.into_inner().nth(1)?)?;
                return Some(Expr { kind: inner.kind, span });
            }
            Rule::call => {
                let mut inner = node.into_inner();
                let function = self.name(inner.next()?);
                ExprKind::Call { function, args: self.expressions(inner.next()?)?, method: false }
            }
            Rule::lookup => {
                let mut inner = node.into_inner();
                let table = self.name(inner.next()?);
                ExprKind::Lookup { table, key: Box::new(self.expression(inner.nth(1)?)?) }
            }
            Rule::reference => {
                let mut inner = node.into_inner();
                let many = inner.next()?.as_rule() == Rule::kw_refs;
                let maps = inner.next()?.into_inner().filter(|p| p.as_rule() == Rule::name);
                let maps = maps.map(|p| self.name(p)).collect();
                let args = self.expressions(inner.next()?)?;
                let field = inner.next().and_then(|field| {
                    self.findings.push(words::not_yet("ref field", self.span(&field)));
                    Some(self.name(field.into_inner().nth(1)?))
                });
                ExprKind::Ref { many, maps, args, field }
            }
            Rule::pipeline_by => ExprKind::PipelineBy(self.expressions(node)?),
            Rule::presence => ExprKind::Has(self.field_ref(node.into_inner().nth(1)?)?),
            _ => return None,
        };
        Some(Expr { kind, span })
    }

    fn field_ref(&mut self, node: Node<'_>) -> Option<FieldRef> {
        let (mut object, mut code, mut title) = (None, None, None);
        for part in node.into_inner() {
            match part.as_rule() {
                Rule::qualifier => object = Some(self.name(part)),
                Rule::code | Rule::uncalled => code = Some(self.name(part)),
                Rule::title => title = Some(self.title(&part)),
                _ => {}
            }
        }
        let field = coded(code, title)?;
        Some(FieldRef { object, field })
    }

    fn coded(&mut self, node: Node<'_>) -> Option<Coded> {
        let (mut code, mut name) = (None, None);
        for part in node.into_inner() {
            if part.as_rule() == Rule::title {
                name = Some(self.title(&part));
            } else {
                code = Some(self.plain(part));
            }
        }
        coded(code, name)
    }

    fn type_ref(&mut self, node: Node<'_>) -> Option<TypeRef> {
        let span = self.span(&node);
        let mut inner = node.into_inner();
        let mut plain = inner.next()?;
        let optional = inner.next().is_some();
        let many = plain.as_rule() == Rule::many_type;
        if many {
            plain = plain.into_inner().nth(1)?;
        }
        let mut parts = plain.into_inner();
        let name = self.name(parts.next()?);
        let mut args = Vec::new();
        for arg in parts.flat_map(|p| p.into_inner().filter(|p| p.as_rule() == Rule::type_arg)) {
            let arg = arg.into_inner().next()?;
            args.push(match arg.as_rule() {
                Rule::text => TypeArg::Text(self.plain(arg)),
                Rule::integer => TypeArg::Number(self.integer(arg)?),
                _ => TypeArg::Name(self.name(arg)),
            });
        }
        Some(TypeRef { name, args, many, optional, span })
    }

    // ── Tokens ──────────────────────────────────────────────────────────────────────────────────────────────────

    fn text_parts(&mut self, node: Node<'_>) -> Option<Vec<TextPart>> {
        let mut parts: Vec<TextPart> = Vec::new();
        for part in node.into_inner() {
            let piece = match part.as_rule() {
                Rule::text_literal => part.as_str(),
                Rule::text_brace => "{",
                Rule::text_escape => self.escape(&part),
                Rule::interpolation => {
                    let inner = part.into_inner().next()?;
                    parts.push(TextPart::Expr(self.expression(inner)?));
                    continue;
                }
                _ => continue,
            };
            match parts.last_mut() {
                Some(TextPart::Literal(literal)) => literal.push_str(piece),
                _ => parts.push(TextPart::Literal(piece.to_owned())),
            }
        }
        Some(parts)
    }

    fn escape<'i>(&mut self, node: &Node<'i>) -> &'i str {
        match node.as_str() {
            "\\n" => "\n",
            "\\t" => "\t",
            escape @ ("\\\"" | "\\\\") => &escape[1..],
            other => {
                let span = self.span(node);
                self.findings.push(faults::escape(other, span));
                other
            }
        }
    }

    /// A text that stands for itself: a code, a label, a reason.
    fn plain(&mut self, node: Node<'_>) -> Name {
        let span = self.span(&node);
        let mut value = String::new();
        for part in node.into_inner() {
            match part.as_rule() {
                Rule::text_literal => value.push_str(part.as_str()),
                Rule::text_brace => value.push('{'),
                Rule::text_escape => value.push_str(self.escape(&part)),
                Rule::interpolation => {
                    value.push_str(part.as_str());
                    self.findings.push(faults::brace_in_name(self.span(&part)));
                }
                _ => {}
            }
        }
        Spanned::new(value, span)
    }

    fn title(&self, node: &Node<'_>) -> Name {
        Spanned::new(node.as_str().trim_matches('`').to_owned(), self.span(node))
    }

    fn name(&self, node: Node<'_>) -> Name {
        let span = self.span(&node);
        Spanned::new(node.as_str().trim_end().to_owned(), span)
    }

    fn destination(&self, node: Node<'_>) -> Option<Name> {
        let node = if node.as_rule() == Rule::destination { node.into_inner().next()? } else { node };
        Some(if node.as_rule() == Rule::title { self.title(&node) } else { self.name(node) })
    }

    fn integer(&mut self, node: Node<'_>) -> Option<Spanned<u32>> {
        let span = self.span(&node);
        match node.as_str().parse() {
            Ok(number) => Some(Spanned::new(number, span)),
            Err(_) => self.bad_literal(span, "the number is too large", "write a smaller whole number"),
        }
    }

    fn decimal(&mut self, text: &str, span: Span) -> Option<Decimal> {
        match Decimal::from_str_exact(text) {
            Ok(number) => Some(number),
            Err(_) => self.bad_literal(span, "the number has too many digits", "write at most 28 digits"),
        }
    }

    fn bad_literal<T>(&mut self, span: Span, what: &str, help: &str) -> Option<T> {
        self.findings.push(Finding::new(registry::BAD_LITERAL, what).at(span, "cannot be read").help(help));
        None
    }

    /// The bytes of a node, without the blanks that pest counts in where something optional is missing.
    fn span(&self, node: &Node<'_>) -> Span {
        let mut last = node.clone();
        while let Some(inner) = last.clone().into_inner().next_back() {
            last = inner;
        }
        Span::new(self.base + node.as_span().start(), self.base + last.as_span().end())
    }

    // ── Lines ───────────────────────────────────────────────────────────────────────────────────────────────────

    /// Reads a line by a rule and hands out what stands in it.
    fn line(&mut self, rule: Rule, span: Span) -> Option<Pairs<'a, Rule>> {
        self.base = span.start as usize;
        self.shape = Shape::default();
        let text = self.bare.get(span.range())?;
        match Grammar::parse(rule, text) {
            Ok(mut pairs) => pairs.next().map(Pair::into_inner),
            Err(error) => {
                let finding = self.refusal(rule, text, &error);
                self.findings.push(finding);
                None
            }
        }
    }

    /// Makes a finding of what pest says.
    fn refusal(&self, rule: Rule, text: &str, error: &pest::error::Error<Rule>) -> Finding {
        let at = match error.location {
            InputLocation::Pos(at) | InputLocation::Span((at, _)) => at,
        };
        let line = format!("{rule:?}");
        let expected: Vec<String> = match &error.variant {
            ErrorVariant::ParsingError { positives, .. } => {
                positives.iter().map(|r| format!("{r:?}")).collect()
            }
            ErrorVariant::CustomError { .. } => Vec::new(),
        };
        let token = super::tokens::first(&text[at..]);
        let place = Span::new(self.base + at, self.base + at + token.map_or(0, |t| t.len()));
        let mut finding = Finding::new(registry::UNEXPECTED_TOKEN, words::expected(&line, &expected))
            .at(place, words::found(&text[at..]))
            .help(words::pattern(&line));
        if let Some(mut literal) = words::essential(&expected).and_then(words::literal).map(str::to_owned) {
            // Certain only where the line can be read afterwards.
            let wrong = token
                .filter(|t| t.chars().all(|c| c.is_ascii_punctuation()) && *t != "\"")
                .map_or(0, str::len);
            if wrong == 0 {
                let before = if text[..at].ends_with(char::is_whitespace) { "" } else { " " };
                literal = format!("{before}{literal} ");
            }
            let repaired = format!("{}{literal}{}", &text[..at], &text[at + wrong..]);
            if text.len() < MAX_REPAIR && Grammar::parse(rule, &repaired).is_ok() {
                finding = finding.fix(Fix {
                    title: format!("write `{}`", literal.trim()),
                    edits: vec![Edit {
                        span: Span::new(self.base + at, self.base + at + wrong),
                        text: literal,
                    }],
                    applicability: Applicability::Safe,
                });
            }
        }
        finding
    }
}

/// Lines longer than this, in bytes, are not tried again with a repair.
const MAX_REPAIR: usize = 2000;

fn coded(code: Option<Name>, title: Option<Name>) -> Option<Coded> {
    let span = match (&code, &title) {
        (Some(code), Some(title)) => code.span.to(title.span),
        (Some(one), None) | (None, Some(one)) => one.span,
        (None, None) => return None,
    };
    Some(Coded { code, title, span })
}

fn join(left: Option<Expr>, kind: fn(Box<Expr>, Box<Expr>) -> ExprKind, right: Expr) -> Expr {
    let Some(left) = left else { return right };
    let span = left.span.to(right.span);
    Expr { kind: kind(Box::new(left), Box::new(right)), span }
}

fn comparison(operator: &str) -> Comparison {
    match operator {
        "==" => Comparison::Equal,
        "!=" => Comparison::NotEqual,
        "<" => Comparison::Less,
        "<=" => Comparison::AtMost,
        ">" => Comparison::Greater,
        _ => Comparison::AtLeast,
    }
}

fn is_punctuation(rule: Rule) -> bool {
    matches!(rule, Rule::colon | Rule::comma | Rule::dot | Rule::arrow)
}
