//! Lines of the body of a map, a flatten or an `each`, with their clauses and arms.

use crate::lang::text::Spanned;
use crate::lang::types::Fidelity;

use super::super::ast::*;
use super::super::faults;
use super::super::grammar::{Node, Nodes, Rule as Is};
use super::super::layout::Stmt;
use super::Reader;

impl Reader<'_> {
    pub(in super::super) fn key(&mut self, stmt: &Stmt) -> Option<MapLine> {
        let tree = self.head(Is::key_line, stmt)?;
        let field = tree.nodes().nth(1)?;
        Some(MapLine::Key(Spanned::new(self.field_ref(field)?, self.span(field))))
    }

    pub(in super::super) fn match_existing(&mut self, stmt: &Stmt) -> Option<MapLine> {
        let tree = self.head(Is::match_line, stmt)?;
        let fields = tree.nodes().filter(|part| part.rule() == Is::destination);
        let by = fields.filter_map(|field| self.destination(field)).collect();
        Some(MapLine::MatchExisting { by, span: self.whole() })
    }

    pub(in super::super) fn on(&mut self, stmt: &Stmt) -> Option<MapLine> {
        let tree = self.head(Is::on_line, stmt)?;
        let choice = tree.nodes().nth(1)?.nodes().nth(1)?;
        let span = self.whole();
        let on_existing = |what| Some(MapLine::OnExisting(Spanned::new(what, span)));
        match choice.rule() {
            Is::kw_fill => on_existing(OnExisting::Fill),
            Is::kw_overwrite => on_existing(OnExisting::Overwrite),
            Is::kw_keep => on_existing(OnExisting::Keep),
            Is::kw_list => Some(MapLine::OnDelete(Spanned::new(OnDelete::List, span))),
            _ => Some(MapLine::OnDelete(Spanned::new(OnDelete::Delete, span))),
        }
    }

    pub(in super::super) fn where_(&mut self, stmt: &Stmt) -> Option<MapLine> {
        let tree = self.head(Is::where_line, stmt)?;
        let mut parts = tree.nodes().skip(1);
        let condition = self.expression(parts.next()?)?;
        let mut otherwise = None;
        if let Some(clause) = parts.next() {
            self.shape.clauses.push((0, self.span(clause)));
            self.shape.tight = true;
            otherwise = Some(self.arm(clause.nodes().nth(1)?, false)?);
        }
        Some(MapLine::Where { condition, otherwise, span: self.whole() })
    }

    pub(in super::super) fn pick(&mut self, stmt: &Stmt) -> Option<MapLine> {
        let tree = self.head(Is::pick_line, stmt)?;
        let mut parts = tree.nodes().skip(1);
        let latest = parts.next()?.rule() == Is::kw_latest;
        let by = self.field_ref(parts.nth(1)?)?;
        Some(MapLine::Pick { latest, by, span: self.whole() })
    }

    pub(in super::super) fn orphan(&mut self, stmt: &Stmt) -> Option<MapLine> {
        let tree = self.head(Is::orphan_line, stmt)?;
        let mut parts = tree.nodes().skip(1);
        self.arrow(parts.next()?);
        let arm = self.arm(parts.next()?, true)?;
        Some(MapLine::Orphan { arm, span: self.whole() })
    }

    pub(in super::super) fn drop(&mut self, stmt: &Stmt) -> Option<MapLine> {
        let tree = self.head(Is::drop_line, stmt)?;
        let mut parts = tree.nodes().skip(1);
        let fields = self.patterns(parts.next()?);
        let reason = parts.next()?.inner()?;
        let reason = match reason.rule() {
            Is::kw_empty => DropReason::Empty,
            Is::declined => DropReason::Declined(self.plain(reason.nodes().nth(1)?)),
            _ => {
                let fields = reason.nodes().filter(|part| part.rule() == Is::field_ref);
                DropReason::DerivedFrom(fields.filter_map(|field| self.field_ref(field)).collect())
            }
        };
        Some(MapLine::Drop(Drop { fields, reason, span: self.whole() }))
    }

    pub(in super::super) fn todo(&mut self, stmt: &Stmt) -> Option<MapLine> {
        let tree = self.head(Is::todo_line, stmt)?;
        let mut parts = tree.nodes().skip(1);
        let fields = self.patterns(parts.next()?);
        Some(MapLine::Todo { fields, why: self.plain(parts.next()?), span: self.whole() })
    }

    pub(in super::super) fn gap(&mut self, stmt: &Stmt) -> Option<MapLine> {
        let tree = self.head(Is::gap_line, stmt)?;
        let mut parts = tree.nodes().skip(1);
        let fields = self.patterns(parts.next()?);
        Some(MapLine::Gap { fields, why: self.plain(parts.next()?), span: self.whole() })
    }

    fn patterns(&mut self, node: Node<'_>) -> Vec<FieldPattern> {
        let mut patterns = Vec::new();
        for pattern in node.nodes() {
            let (mut code, mut title, mut glob) = (None, None, false);
            for part in pattern.nodes() {
                if part.rule() == Is::title {
                    title = Some(self.title(part));
                } else {
                    glob = part.rule() == Is::glob;
                    code = Some(self.name(part));
                }
            }
            patterns.push(FieldPattern { field: Coded { code, title, span: self.span(pattern) }, glob });
        }
        patterns
    }

    pub(in super::super) fn note(&mut self, stmt: &Stmt) -> Option<MapLine> {
        let tree = self.head(Is::note_line, stmt)?;
        let mut parts = tree.nodes();
        let proposed = self.proposed(&mut parts)?;
        let title = parts.nth(1)?;
        let title = Expr { kind: ExprKind::Text(self.text_parts(title)?), span: self.span(title) };
        self.arrow(parts.next()?);
        let value = self.expression(parts.next()?)?;
        let for_each = match parts.next_of(Is::for_each) {
            Some(node) => {
                let span = self.span(node);
                self.shape.clauses.push((0, span));
                let at_most = match node.nodes().nth(4) {
                    Some(number) => Some(self.integer(number)?),
                    None => None,
                };
                Some(ForEach { at_most, span })
            }
            None => None,
        };
        let clauses = self.clauses(parts)?;
        let note = Note { proposed, title, value, for_each, clauses, span: self.whole() };
        Some(MapLine::Note(Box::new(note)))
    }

    /// A rule; `body` are the lines of its `each`.
    pub(in super::super) fn rule(
        &mut self,
        stmt: &Stmt,
        custom: bool,
        body: Option<Vec<MapLine>>,
    ) -> Option<MapLine> {
        let tree = self.with_block(if custom { Is::custom_line } else { Is::rule_line }, stmt, body)?;
        let mut parts = tree.nodes();
        let proposed = self.proposed(&mut parts)?;
        let mut target = parts.next()?.nodes();
        let target = if custom {
            let label = self.plain(target.nth(1)?);
            let ty = target.next()?;
            self.shape.wide = Some(self.start(ty));
            RuleTarget::Custom { label, ty: self.type_ref(ty)? }
        } else {
            RuleTarget::Field(self.destination(target.next()?)?)
        };
        self.arrow(parts.next()?);
        let value = parts.next()?;
        let value =
            if value.rule() == Is::each_block { self.each_block(value)? } else { self.expression(value)? };
        let clauses = self.clauses(parts)?;
        Some(MapLine::Rule(Box::new(Rule { proposed, target, value, clauses, span: self.whole() })))
    }

    fn clauses(&mut self, parts: Nodes<'_>) -> Option<Clauses> {
        let mut clauses = Clauses::default();
        let mut seen = [None; 7];
        for clause in parts {
            let span = self.span(clause);
            let rank: u8 = match clause.rule() {
                Is::when_clause => 0,
                Is::labelled_clause => 1,
                Is::else_clause => 2,
                Is::on_fail_clause => 3,
                Is::on_unmigrated_clause => 4,
                Is::fidelity_clause => 5,
                Is::second_pass => 6,
                _ => continue,
            };
            self.shape.clauses.push((rank, span));
            if let Some(first) = seen[usize::from(rank)].filter(|_| rank != 2) {
                self.findings.push(faults::clause_twice(span, first));
                continue;
            }
            seen[usize::from(rank)] = Some(span);
            match rank {
                0 => clauses.when = Some(self.expression(clause.nodes().nth(1)?)?),
                1 => {
                    let mut inner = clause.nodes().skip(1);
                    let value = self.expression(inner.next()?)?;
                    let when = match inner.next() {
                        Some(when) => Some(self.expression(when.nodes().nth(1)?)?),
                        None => None,
                    };
                    clauses.labelled = Some(Labelled { value, when, span });
                }
                2 => clauses.else_.push(self.arm(clause.nodes().nth(1)?, false)?),
                3 => clauses.on_fail = Some(self.arm(clause.nodes().nth(1)?, false)?),
                4 => clauses.on_unmigrated = Some(self.arm(clause.nodes().nth(1)?, false)?),
                5 => clauses.fidelity = Some(self.fidelity(clause)?),
                _ => clauses.second_pass = Some(span),
            }
        }
        if !self.shape.clauses.is_sorted_by_key(|(rank, _)| *rank) {
            let finding = faults::clause_order(self.text, &self.shape.clauses);
            self.findings.push(finding);
        }
        Some(clauses)
    }

    pub(super) fn fidelity(&mut self, node: Node<'_>) -> Option<FidelityClause> {
        let mut inner = node.nodes();
        let word = inner.next()?;
        let fidelity = match self.slice(word) {
            "exact" => Fidelity::Exact,
            "reformatted" => Fidelity::Reformatted,
            "narrowed" => Fidelity::Narrowed,
            "merged" => Fidelity::Merged,
            "summarised" => Fidelity::Summarised,
            _ => Fidelity::Dropped,
        };
        let because = match inner.next() {
            Some(because) => Some(self.plain(because.nodes().nth(1)?)),
            None => None,
        };
        let fidelity = Spanned::new(fidelity, self.span(word));
        Some(FidelityClause { fidelity, because, span: self.span(node) })
    }

    /// Reads an arm; in a row, a `flag` behind its value is laid out as a clause.
    pub(super) fn arm(&mut self, node: Node<'_>, row: bool) -> Option<Arm> {
        self.arm_of(node.inner()?, row)
    }

    pub(super) fn arm_of(&mut self, node: Node<'_>, row: bool) -> Option<Arm> {
        let kind = match node.rule() {
            Is::kw_unset => ArmKind::Unset,
            Is::kw_wait => ArmKind::Wait,
            Is::kw_quarantine => ArmKind::Quarantine,
            Is::kw_stop => ArmKind::Stop,
            Is::skip_arm => ArmKind::Skip(self.plain(node.nodes().nth(1)?)),
            Is::flag_arm => ArmKind::Flag(self.plain(node.nodes().nth(1)?)),
            _ => {
                let mut inner = node.nodes();
                let value = self.expression(inner.next()?)?;
                let mut flag = None;
                if let Some(clause) = inner.next() {
                    if row {
                        self.shape.clauses.push((0, self.span(clause)));
                    }
                    flag = Some(self.plain(clause.nodes().nth(1)?));
                }
                ArmKind::Value { value, flag }
            }
        };
        Some(Arm { kind, span: self.span(node) })
    }
}
