//! Rows of blocks other than those of maps: owners, tables, pipelines, splits, orders, budgets.

use crate::lang::finding::{Finding, registry};
use crate::lang::text::{Span, Spanned};
use crate::lang::value::OutcomeKind;

use super::super::ast::*;
use super::super::grammar::{Node, Nodes, Rule as Is};
use super::super::layout::Stmt;
use super::Reader;

/// A row of a table or pipeline: listed codes, or the one for values born later.
pub(in super::super) enum Row<T> {
    Listed(T),
    Unseen(UnseenRow),
}

impl Reader<'_> {
    pub(in super::super) fn match_by_email(&mut self, stmt: &Stmt) -> Option<Span> {
        self.head(Is::match_email_line, stmt).map(|_| self.whole())
    }

    pub(in super::super) fn owner_row(&mut self, stmt: &Stmt) -> Option<OwnerRow> {
        let tree = self.head(Is::owner_row, stmt)?;
        let mut parts = tree.nodes();
        let who = self.owner_who(parts.next()?)?;
        self.arrow(parts.next()?);
        let to = self.plain(parts.next()?);
        let flag = match parts.next() {
            Some(flag) => {
                self.shape.clauses.push((0, self.span(flag)));
                Some(self.plain(flag.nodes().nth(1)?))
            }
            None => None,
        };
        Some(OwnerRow { who, to, flag, span: self.whole() })
    }

    pub(super) fn owner_who(&mut self, node: Node<'_>) -> Option<Spanned<OwnerWho>> {
        let who = node.inner()?;
        let kind = match who.rule() {
            Is::kw_dismissed => OwnerWho::Dismissed,
            Is::kw_otherwise => OwnerWho::Otherwise,
            _ => OwnerWho::Email(self.plain(who).value),
        };
        Some(Spanned::new(kind, self.span(node)))
    }

    pub(in super::super) fn table_row(&mut self, stmt: &Stmt, unseen: bool) -> Option<Row<TableRow>> {
        if unseen {
            return self.unseen(Is::table_unseen, stmt).map(Row::Unseen);
        }
        let tree = self.head(Is::table_row, stmt)?;
        let mut parts = tree.nodes();
        let proposed = self.proposed(&mut parts)?;
        let codes = self.codes(parts.next()?);
        self.arrow(parts.next()?);
        let arm = self.arm(parts.next()?, true)?;
        let fidelity = self.row_fidelity(parts.next())?;
        Some(Row::Listed(TableRow { proposed, codes, arm, fidelity, span: self.whole() }))
    }

    pub(in super::super) fn stage_row(&mut self, stmt: &Stmt, unseen: bool) -> Option<Row<StageRow>> {
        if unseen {
            return self.unseen(Is::stage_unseen, stmt).map(Row::Unseen);
        }
        let tree = self.head(Is::stage_row, stmt)?;
        let mut parts = tree.nodes();
        let proposed = self.proposed(&mut parts)?;
        let codes = self.codes(parts.next()?);
        self.arrow(parts.next()?);
        let target = parts.next()?.inner()?;
        let to = if target.rule() == Is::stage_name {
            self.stage_name(target)?
        } else {
            StageTarget::Arm(self.arm_of(target, true)?)
        };
        let fidelity = self.row_fidelity(parts.next())?;
        Some(Row::Listed(StageRow { proposed, codes, to, fidelity, span: self.whole() }))
    }

    /// `stage "…"`, `won "…"` and the like.
    pub(super) fn stage_name(&mut self, node: Node<'_>) -> Option<StageTarget> {
        let mut parts = node.nodes();
        let outcome = parts.next()?.inner()?.rule();
        let name = self.plain(parts.next()?);
        Some(match outcome {
            Is::kw_won => StageTarget::Outcome(OutcomeKind::Won, name),
            Is::kw_lost => StageTarget::Outcome(OutcomeKind::Lost, name),
            Is::kw_cancelled => StageTarget::Outcome(OutcomeKind::Cancelled, name),
            _ => StageTarget::Stage(name),
        })
    }

    fn unseen(&mut self, rule: Is, stmt: &Stmt) -> Option<UnseenRow> {
        let tree = self.head(rule, stmt)?;
        let mut parts = tree.nodes().skip(1);
        self.arrow(parts.next()?);
        let arm = parts.next()?;
        let arm = if arm.rule() == Is::arm { self.arm(arm, true)? } else { self.arm_of(arm, true)? };
        Some(UnseenRow { arm, span: self.whole() })
    }

    /// `proposed 0.62`; a score is a share of one.
    pub(super) fn proposed(
        &mut self,
        parts: &mut Nodes<'_>,
    ) -> Option<Option<Spanned<rust_decimal::Decimal>>> {
        let Some(node) = parts.next_of(Is::proposed) else { return Some(None) };
        let number = node.nodes().nth(1)?;
        let (score, span) = (self.decimal(number)?, self.span(number));
        if score.is_sign_negative() || score > rust_decimal::Decimal::ONE {
            self.findings.push(
                Finding::new(registry::BAD_LITERAL, "a score is no share of one")
                    .at(span, "a number from 0 to 1")
                    .help(
                        "write a score such as `0.62`, or remove `proposed` and the score to adopt the rule",
                    ),
            );
            return None;
        }
        Some(Some(Spanned::new(score, span)))
    }

    fn codes(&mut self, node: Node<'_>) -> Vec<Coded> {
        let mut codes = Vec::new();
        for coded in node.nodes() {
            self.shape.codes.push(self.start(coded));
            codes.extend(self.coded(coded));
        }
        codes
    }

    /// The fidelity of a row, where there is one.
    fn row_fidelity(&mut self, node: Option<Node<'_>>) -> Option<Option<FidelityClause>> {
        let Some(node) = node else { return Some(None) };
        self.shape.clauses.push((5, self.span(node)));
        self.fidelity(node).map(Some)
    }

    pub(in super::super) fn split_row(&mut self, stmt: &Stmt) -> Option<SplitRow> {
        let tree = self.head(Is::split_row, stmt)?;
        let mut parts = tree.nodes();
        let on = parts.next()?.inner()?;
        let on = match on.rule() {
            Is::when_clause => SplitOn::When(self.expression(on.nodes().nth(1)?)?),
            Is::codes => SplitOn::Codes(self.codes(on)),
            Is::kw_otherwise => SplitOn::Otherwise(self.span(on)),
            _ => SplitOn::Unseen(self.span(on)),
        };
        self.arrow(parts.next()?);
        let to = parts.next()?.inner()?;
        let to = match to.rule() {
            Is::listed => SplitTo::Listed(self.plain(to.nodes().nth(1)?)),
            Is::split_maps => SplitTo::Maps(to.nodes().map(|map| self.map_name(map)).collect()),
            _ => SplitTo::Arm(self.arm_of(to, true)?),
        };
        Some(SplitRow { on, to, span: self.whole() })
    }

    pub(in super::super) fn order_row(&mut self, stmt: &Stmt) -> Option<OrderRow> {
        let tree = self.head(Is::order_row, stmt)?;
        let mut sides = tree.nodes().filter(|part| part.rule() == Is::order_side);
        let names = |side: Node<'_>| -> Vec<Name> { side.nodes().map(|map| self.map_name(map)).collect() };
        let before = names(sides.next()?);
        Some(OrderRow { before, after: names(sides.next()?), span: self.whole() })
    }

    pub(in super::super) fn budget_row(&mut self, stmt: &Stmt) -> Option<BudgetRow> {
        let tree = self.head(Is::budget_row, stmt)?;
        let mut parts = tree.nodes();
        let what = self.closed_up(parts.next()?);
        self.arrow(parts.next()?);
        let mut inner = parts.next()?.nodes();
        let number = inner.next()?;
        let (amount, unit) = if number.rule() == Is::percent {
            (self.percent(number)?, BudgetUnit::Percent)
        } else {
            let unit = inner.next().map(|unit| self.name(unit));
            (self.decimal(number)?, BudgetUnit::Counted(unit))
        };
        Some(BudgetRow { what, limit: Spanned::new(amount, self.span(number)), unit, span: self.whole() })
    }

    pub(super) fn arrow(&mut self, node: Node<'_>) {
        self.shape.arrow = Some(self.start(node));
    }
}
