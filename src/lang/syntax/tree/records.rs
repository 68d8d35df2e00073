//! Records in braces, and the lines of tests.

use crate::lang::text::Spanned;

use super::super::ast::*;
use super::super::grammar::{Node, Rule as Is};
use super::super::layout::Stmt;
use super::Reader;

impl Reader<'_> {
    pub(in super::super) fn given(&mut self, stmt: &Stmt) -> Option<Given> {
        let tree = self.head(Is::given_line, stmt)?;
        let mut parts = tree.nodes().skip(1);
        let object = self.object(parts.next()?)?;
        let record = match parts.next() {
            Some(record) => Some(self.last_record(record)?),
            None => None,
        };
        Some(Given { object, record, span: self.whole() })
    }

    pub(in super::super) fn expect(&mut self, stmt: &Stmt) -> Option<Expect> {
        let tree = self.head(Is::expect_line, stmt)?;
        let what = tree.nodes().nth(1)?;
        let kind = match what.rule() {
            Is::expect_no => ExpectKind::No(self.name(what.nodes().nth(1)?)),
            Is::kw_quarantine => ExpectKind::Quarantine,
            Is::kw_stop => ExpectKind::Stop,
            Is::skip_arm => ExpectKind::Skip(self.plain(what.nodes().nth(1)?)),
            Is::flag_arm => ExpectKind::Flag(self.plain(what.nodes().nth(1)?)),
            _ => {
                let mut parts = what.nodes();
                let object = self.name(parts.next()?);
                ExpectKind::Record(object, self.last_record(parts.next()?)?)
            }
        };
        Some(Expect { kind, span: self.whole() })
    }

    /// A record that ends its line, which the formatter may lay out over several.
    pub(super) fn last_record(&mut self, node: Node<'_>) -> Option<RecordLit> {
        self.shape.record = Some(self.span(node));
        self.record(node)
    }

    fn record(&mut self, node: Node<'_>) -> Option<RecordLit> {
        let mut fields = Vec::new();
        let mut rest = Rest::None;
        for part in node.nodes() {
            if part.rule() == Is::rest {
                rest = match part.inner() {
                    Some(name) => Rest::Of(self.name(name)),
                    None => Rest::Any(self.span(part)),
                };
                continue;
            }
            let mut parts = part.nodes();
            let field = self.coded(parts.next()?)?;
            let value = self.value_lit(parts.next()?)?;
            fields.push(FieldLit { field, value, span: self.span(part) });
        }
        Some(RecordLit { fields, rest, span: self.span(node) })
    }

    fn value_lit(&mut self, node: Node<'_>) -> Option<ValueLit> {
        let inner = node.inner()?;
        let span = self.span(inner);
        Some(match inner.rule() {
            Is::kw_absent => ValueLit::Absent(span),
            Is::user_lit => ValueLit::User(self.owner_who(inner.nodes().nth(1)?)?),
            Is::stage_name => ValueLit::Stage(Spanned::new(self.stage_name(inner)?, span)),
            Is::record => ValueLit::Record(self.record(inner)?),
            Is::value_list => {
                let values = inner.nodes().map(|value| self.value_lit(value)).collect::<Option<_>>()?;
                ValueLit::List(values, span)
            }
            _ => ValueLit::Expr(self.expression(inner)?),
        })
    }
}
