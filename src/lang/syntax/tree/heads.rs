//! Lines of a spec's top level: items of one line, and the heads of blocks.

use crate::lang::text::Spanned;

use super::super::ast::*;
use super::super::grammar::{Node, Nodes, Rule as Is};
use super::super::layout::Stmt;
use super::Reader;

/// The head of a block, or an item that has none.
pub(in super::super) enum HeadLine {
    Item(Box<Item>),
    Owners { mode: Mode },
    Order,
    Budget,
    Test { name: Name },
    Table { mode: Mode, name: Name, from: TypeRef, to: TableTarget },
    Pipeline { mode: Mode, name: Name, object: ObjectRef, category: Option<Coded>, to: Name },
    Map { mode: Mode, source: ObjectRef, target: Name, alias: Option<Name> },
    Split { source: ObjectRef, by: Option<FieldRef> },
    Flatten { mode: Mode, source: ObjectRef, into: Name, via: FieldRef },
}

impl Reader<'_> {
    pub(in super::super) fn edition(&mut self, stmt: &Stmt) -> Option<HeadLine> {
        let tree = self.head(Is::edition_line, stmt)?;
        let year = self.integer(tree.nodes().nth(1)?)?;
        Some(HeadLine::Item(Box::new(Item::Edition(Spanned::new(year.value, self.whole())))))
    }

    pub(in super::super) fn system(&mut self, stmt: &Stmt) -> Option<HeadLine> {
        let tree = self.head(Is::system_line, stmt)?;
        let mut parts = tree.nodes();
        let which = parts.next()?.rule();
        let connector = self.name(parts.next()?);
        let system = System { connector, snapshot: self.plain(parts.next()?), span: self.whole() };
        let item = if which == Is::kw_source { Item::Source(system) } else { Item::Target(system) };
        Some(HeadLine::Item(Box::new(item)))
    }

    pub(in super::super) fn zone(&mut self, stmt: &Stmt) -> Option<HeadLine> {
        let tree = self.head(Is::zone_line, stmt)?;
        Some(HeadLine::Item(Box::new(Item::Zone(self.plain(tree.nodes().nth(1)?)))))
    }

    pub(in super::super) fn use_(&mut self, stmt: &Stmt) -> Option<HeadLine> {
        let tree = self.head(Is::use_line, stmt)?;
        let profile = self.plain(tree.nodes().nth(1)?);
        Some(HeadLine::Item(Box::new(Item::Use(Use { profile, span: self.whole() }))))
    }

    pub(in super::super) fn function(&mut self, stmt: &Stmt) -> Option<HeadLine> {
        let tree = self.head(Is::fn_line, stmt)?;
        let mut parts = tree.nodes();
        let mode = self.mode(&mut parts);
        let name = self.name(parts.nth(1)?);
        let mut params = Vec::new();
        for param in parts.next()?.nodes() {
            let mut inner = param.nodes();
            params.push(Param { name: self.name(inner.next()?), ty: self.type_ref(inner.next()?)? });
        }
        let result = self.type_ref(parts.next()?)?;
        let body = self.expression(parts.next()?)?;
        let function = Function { mode, name, params, result, body, span: self.whole() };
        Some(HeadLine::Item(Box::new(Item::Function(function))))
    }

    pub(in super::super) fn fixture(&mut self, stmt: &Stmt) -> Option<HeadLine> {
        let tree = self.head(Is::fixture_line, stmt)?;
        let mut parts = tree.nodes().skip(1);
        let (name, object) = (self.name(parts.next()?), self.object(parts.next()?)?);
        let record = self.last_record(parts.next()?)?;
        Some(HeadLine::Item(Box::new(Item::Fixture(Fixture { name, object, record, span: self.whole() }))))
    }

    pub(in super::super) fn every_row(&mut self, stmt: &Stmt) -> Option<HeadLine> {
        let tree = self.head(Is::every_row_line, stmt)?;
        let name = self.name(tree.nodes().nth(3)?);
        Some(HeadLine::Item(Box::new(Item::TestEveryRow(TestEveryRow { name, span: self.whole() }))))
    }

    pub(in super::super) fn golden(&mut self, stmt: &Stmt) -> Option<HeadLine> {
        let tree = self.head(Is::golden_line, stmt)?;
        let mut parts = tree.nodes().skip(1);
        let (source, input) = (self.object(parts.next()?)?, self.plain(parts.next()?));
        let mut parts = parts.skip(1);
        let (target, output) = (self.name(parts.next()?), self.plain(parts.next()?));
        Some(HeadLine::Item(Box::new(Item::Golden(Golden {
            source,
            input,
            target,
            output,
            span: self.whole(),
        }))))
    }

    pub(in super::super) fn accept(&mut self, stmt: &Stmt) -> Option<HeadLine> {
        let tree = self.head(Is::accept_line, stmt)?;
        let mut parts = tree.nodes().skip(1);
        let code = self.closed_up(parts.next()?);
        let item = self.map_name(parts.nth(1)?);
        let mut next = parts.next()?;
        let mut part = None;
        if next.rule() == Is::accept_part {
            let inner = next.inner()?;
            part = Some(if inner.rule() == Is::text { self.plain(inner) } else { self.destination(inner)? });
            next = parts.next()?;
        }
        let (because, by) = (parts.next()?, parts.next()?);
        self.shape.tight = true;
        for (rank, clause) in [(0, next), (1, because), (2, by)] {
            self.shape.clauses.push((rank, self.span(clause)));
        }
        let date = next.nodes().nth(1)?;
        let until = Spanned::new(self.date(date)?, self.span(date));
        let (because, by) = (self.plain(because.nodes().nth(1)?), self.plain(by.nodes().nth(1)?));
        Some(HeadLine::Item(Box::new(Item::Accept(Accept {
            code,
            item,
            part,
            until,
            because,
            by,
            span: self.whole(),
        }))))
    }

    pub(in super::super) fn owners(&mut self, stmt: &Stmt) -> Option<HeadLine> {
        let tree = self.head(Is::owners_head, stmt)?;
        Some(HeadLine::Owners { mode: self.mode(&mut tree.nodes()) })
    }

    pub(in super::super) fn order(&mut self, stmt: &Stmt) -> Option<HeadLine> {
        self.head(Is::order_head, stmt).map(|_| HeadLine::Order)
    }

    pub(in super::super) fn budget(&mut self, stmt: &Stmt) -> Option<HeadLine> {
        self.head(Is::budget_head, stmt).map(|_| HeadLine::Budget)
    }

    pub(in super::super) fn test(&mut self, stmt: &Stmt) -> Option<HeadLine> {
        let tree = self.head(Is::test_head, stmt)?;
        Some(HeadLine::Test { name: self.plain(tree.nodes().nth(1)?) })
    }

    pub(in super::super) fn table(&mut self, stmt: &Stmt) -> Option<HeadLine> {
        let tree = self.head(Is::table_head, stmt)?;
        let mut parts = tree.nodes();
        let mode = self.mode(&mut parts);
        let name = self.name(parts.nth(1)?);
        let from = self.type_ref(parts.next()?)?;
        let target = parts.next()?.inner()?;
        let to = if target.rule() == Is::object_field {
            let mut names = target.nodes();
            TableTarget::Field { object: self.name(names.next()?), field: self.destination(names.next()?)? }
        } else {
            TableTarget::Type(self.type_ref(target)?)
        };
        Some(HeadLine::Table { mode, name, from, to })
    }

    pub(in super::super) fn pipeline(&mut self, stmt: &Stmt) -> Option<HeadLine> {
        let tree = self.head(Is::pipeline_head, stmt)?;
        let mut parts = tree.nodes();
        let mode = self.mode(&mut parts);
        let (name, object) = (self.name(parts.nth(1)?), self.object(parts.next()?)?);
        let category = match parts.next_of(Is::category) {
            Some(category) => Some(self.category(category)?),
            None => None,
        };
        Some(HeadLine::Pipeline { mode, name, object, category, to: self.plain(parts.next()?) })
    }

    fn category(&mut self, node: Node<'_>) -> Option<Coded> {
        let mut inner = node.nodes().skip(1);
        let code = inner.next()?;
        if code.rule() == Is::coded {
            return self.coded(code);
        }
        let title = inner.next().map(|title| self.title(title));
        super::coded(Some(self.name(code)), title)
    }

    pub(in super::super) fn map(&mut self, stmt: &Stmt) -> Option<HeadLine> {
        let tree = self.head(Is::map_head, stmt)?;
        let mut parts = tree.nodes();
        let mode = self.mode(&mut parts);
        let (source, target) = (self.object(parts.nth(1)?)?, self.name(parts.next()?));
        let alias = parts.nth(1).map(|alias| self.name(alias));
        Some(HeadLine::Map { mode, source, target, alias })
    }

    pub(in super::super) fn split(&mut self, stmt: &Stmt) -> Option<HeadLine> {
        let tree = self.head(Is::split_head, stmt)?;
        let mut parts = tree.nodes();
        let source = self.object(parts.nth(1)?)?;
        let by = match parts.nth(1) {
            Some(field) => Some(self.field_ref(field)?),
            None => None,
        };
        Some(HeadLine::Split { source, by })
    }

    pub(in super::super) fn flatten(&mut self, stmt: &Stmt) -> Option<HeadLine> {
        let tree = self.head(Is::flatten_head, stmt)?;
        let mut parts = tree.nodes();
        let mode = self.mode(&mut parts);
        let (source, into) = (self.object(parts.nth(1)?)?, self.map_name(parts.nth(1)?));
        let via = self.field_ref(parts.nth(1)?)?;
        Some(HeadLine::Flatten { mode, source, into, via })
    }

    fn mode(&self, parts: &mut Nodes<'_>) -> Mode {
        match parts.next_of(Is::mode).and_then(Node::inner) {
            None => Mode::Own,
            Some(word) if word.rule() == Is::kw_replace => Mode::Replace(self.span(word)),
            Some(word) => Mode::Refine(self.span(word)),
        }
    }

    /// `deal`, or `process 1032` with one blank, with a title or without.
    pub(super) fn object(&self, node: Node<'_>) -> Option<ObjectRef> {
        let mut parts = node.nodes();
        let name = self.map_name(parts.next()?);
        Some(ObjectRef { name, title: parts.next().map(|title| self.title(title)) })
    }

    /// The name of a map or object; that of a process has one blank.
    pub(super) fn map_name(&self, node: Node<'_>) -> Name {
        let node = if node.rule() == Is::map_name { node.inner().unwrap_or(node) } else { node };
        match node.nodes().nth(1) {
            Some(number) if node.rule() == Is::process => {
                Spanned::new(format!("process {}", self.slice(number)), self.span(node))
            }
            _ => self.name(node),
        }
    }
}
