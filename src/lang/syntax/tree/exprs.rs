//! Expressions and types.

use rust_decimal::Decimal;

use crate::lang::finding::{Finding, registry};
use crate::lang::text::Span;

use super::super::ast::*;
use super::super::grammar::{Node, Nodes, Rule as Is};
use super::{Reader, coded};

impl Reader<'_> {
    /// Reads operands and operators: `or` binds least, then `and`, `not`, comparisons.
    pub(super) fn expression(&mut self, node: Node<'_>) -> Option<Expr> {
        let mut inner = node.nodes();
        let (mut or, mut and) = (None, None);
        loop {
            let mut nots: Vec<Span> = Vec::new();
            while let Some(not) = inner.next_of(Is::kw_not) {
                nots.push(self.span(not));
            }
            let mut expr = self.value(&mut inner)?;
            let mut operator = inner.next();
            if let Some(comparator) = operator.filter(|node| node.rule() == Is::comparator) {
                let comparison = comparison(self.slice(comparator));
                if let Some(not) = inner.peek().filter(|node| node.rule() == Is::kw_not) {
                    let span = self.span(not);
                    return self.misplaced(span, "expected a value", "put the `not …` in parentheses");
                }
                let right = self.value(&mut inner)?;
                let span = expr.span.to(right.span);
                expr = Expr { kind: ExprKind::Compare(comparison, Box::new(expr), Box::new(right)), span };
                operator = inner.next();
                if let Some(second) = operator.filter(|node| node.rule() == Is::comparator) {
                    let span = self.span(second);
                    return self.misplaced(span, "expected `and` or `or`", "join two comparisons with `and`");
                }
            }
            for not in nots.into_iter().rev() {
                let span = not.to(expr.span);
                expr = Expr { kind: ExprKind::Not(Box::new(expr)), span };
            }
            let left = join(and.take(), ExprKind::And, expr);
            match operator.map(Node::rule) {
                Some(Is::kw_and) => and = Some(left),
                Some(_) => or = Some(join(or.take(), ExprKind::Or, left)),
                None => return Some(join(or, ExprKind::Or, left)),
            }
        }
    }

    fn misplaced<T>(&mut self, span: Span, what: &str, help: &str) -> Option<T> {
        self.findings.push(Finding::new(registry::UNEXPECTED_TOKEN, what).at(span, "not here").help(help));
        None
    }

    fn value(&mut self, inner: &mut Nodes<'_>) -> Option<Expr> {
        let mut expr = self.primary(inner.next()?)?;
        while let Some(method) = inner.next_of(Is::method) {
            let span = expr.span.to(self.span(method));
            let mut parts = method.nodes();
            let function = self.name(parts.next()?);
            let mut args = vec![expr];
            args.extend(self.expressions(parts.next()?)?);
            expr = Expr { kind: ExprKind::Call { function, args, method: true }, span };
        }
        Some(expr)
    }

    fn expressions(&mut self, node: Node<'_>) -> Option<Vec<Expr>> {
        node.nodes().filter(|n| n.rule() == Is::expression).map(|n| self.expression(n)).collect()
    }

    fn primary(&mut self, node: Node<'_>) -> Option<Expr> {
        let span = self.span(node);
        let kind = match node.rule() {
            Is::field_ref => ExprKind::Field(self.field_ref(node)?),
            Is::text => ExprKind::Text(self.text_parts(node)?),
            Is::number => ExprKind::Number(self.decimal(node)?),
            Is::percent => ExprKind::Percent(self.percent(node)?),
            Is::money => {
                let mut inner = node.nodes();
                let amount = self.decimal(inner.next()?)?;
                ExprKind::Money(amount, self.name(inner.next()?))
            }
            Is::date => ExprKind::Date(self.date(node)?),
            Is::boolean => ExprKind::Bool(self.slice(node) == "true"),
            Is::hole => ExprKind::Hole,
            Is::list => ExprKind::List(self.expressions(node)?),
            Is::group => {
                let inner = self.expression(node.inner()?)?;
                return Some(Expr { kind: inner.kind, span });
            }
            Is::call => {
                let mut inner = node.nodes();
                let function = self.name(inner.next()?);
                ExprKind::Call { function, args: self.expressions(inner.next()?)?, method: false }
            }
            Is::lookup => {
                let mut inner = node.nodes();
                let table = self.name(inner.next()?);
                ExprKind::Lookup { table, key: Box::new(self.expression(inner.next()?)?) }
            }
            Is::reference => {
                let mut inner = node.nodes();
                let many = inner.next()?.rule() == Is::kw_refs;
                let maps = inner.next()?.nodes().map(|map| self.map_name(map)).collect();
                let args = self.expressions(inner.next()?)?;
                let field = match inner.next() {
                    Some(field) => Some(self.destination(field.inner()?)?),
                    None => None,
                };
                ExprKind::Ref { many, maps, args, field }
            }
            Is::pipeline_by => ExprKind::PipelineBy(self.expressions(node)?),
            Is::presence => ExprKind::Has(self.field_ref(node.nodes().nth(1)?)?),
            _ => return None,
        };
        Some(Expr { kind, span })
    }

    /// `each rows { … }`, whose lines were read before.
    pub(super) fn each_block(&mut self, node: Node<'_>) -> Option<Expr> {
        let list = Box::new(self.expression(node.nodes().nth(1)?)?);
        let body = self.block.take().unwrap_or_default();
        Some(Expr { kind: ExprKind::EachBlock { list, body }, span: self.span(node) })
    }

    pub(super) fn field_ref(&mut self, node: Node<'_>) -> Option<FieldRef> {
        let (mut object, mut code, mut title) = (None, None, None);
        for part in node.nodes() {
            match part.rule() {
                Is::qualifier => object = Some(self.name(part)),
                Is::code | Is::uncalled => code = Some(self.name(part)),
                Is::title => title = Some(self.title(part)),
                _ => {}
            }
        }
        Some(FieldRef { object, field: coded(code, title)? })
    }

    /// A code in quotes and a title, or one of both.
    pub(super) fn coded(&mut self, node: Node<'_>) -> Option<Coded> {
        let (mut code, mut title) = (None, None);
        for part in node.nodes() {
            match part.rule() {
                Is::title => title = Some(self.title(part)),
                Is::text => code = Some(self.plain(part)),
                _ => code = Some(self.name(part)),
            }
        }
        coded(code, title)
    }

    pub(super) fn type_ref(&mut self, node: Node<'_>) -> Option<TypeRef> {
        let span = self.span(node);
        let mut inner = node.nodes();
        let mut plain = inner.next()?;
        let optional = inner.next().is_some();
        let many = plain.rule() == Is::many_type;
        if many {
            plain = plain.inner()?;
        }
        let mut parts = plain.nodes();
        let name = self.name(parts.next()?);
        let mut args = Vec::new();
        for arg in parts.flat_map(Node::nodes) {
            let arg = arg.inner()?;
            args.push(match arg.rule() {
                Is::text => TypeArg::Text(self.plain(arg)),
                Is::integer => TypeArg::Number(self.integer(arg)?),
                Is::of_process => TypeArg::Name(self.of_process(arg)),
                _ => TypeArg::Name(self.closed_up(arg)),
            });
        }
        Some(TypeRef { name, args, many, optional, span })
    }

    pub(super) fn decimal(&mut self, node: Node<'_>) -> Option<Decimal> {
        self.decimal_of(self.slice(node), self.span(node))
    }

    /// `0.5%` as the fraction 0.005.
    pub(super) fn percent(&mut self, node: Node<'_>) -> Option<Decimal> {
        let span = self.span(node);
        let number = self.decimal_of(self.slice(node).trim_end_matches('%'), span)?;
        match number.checked_mul(Decimal::new(1, 2)) {
            Some(fraction) => Some(fraction.normalize()),
            None => self.bad_literal(span, "the percentage is too large", "write a smaller one"),
        }
    }

    fn decimal_of(&mut self, text: &str, span: Span) -> Option<Decimal> {
        match Decimal::from_str_exact(text) {
            Ok(number) => Some(number),
            Err(_) => self.bad_literal(span, "the number has too many digits", "write at most 28 digits"),
        }
    }

    pub(super) fn date(&mut self, node: Node<'_>) -> Option<jiff::civil::Date> {
        match self.slice(node).parse() {
            Ok(date) => Some(date),
            Err(_) => self.bad_literal(
                self.span(node),
                "no such day is in the calendar",
                "write a date as year-month-day",
            ),
        }
    }
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
