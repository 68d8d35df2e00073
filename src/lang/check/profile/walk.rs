//! Walks over trees: which expressions a line holds, which source fields it reads. Judges nothing.

use crate::lang::syntax::ast::{Arm, ArmKind, Clauses, Coded, Expr, ExprKind, FieldRef, MapLine, TextPart};

/// The code of a field or value, or its title where it stands alone.
pub(super) fn word(coded: &Coded) -> &str {
    coded.code.as_ref().or(coded.title.as_ref()).map_or("", |name| &name.value)
}

/// The expressions directly below one, those of blocks apart.
fn children(expr: &Expr) -> Vec<&Expr> {
    match &expr.kind {
        ExprKind::Text(parts) => parts
            .iter()
            .filter_map(|part| match part {
                TextPart::Expr(expr) => Some(expr),
                TextPart::Literal(_) => None,
            })
            .collect(),
        ExprKind::List(parts) | ExprKind::PipelineBy(parts) => parts.iter().collect(),
        ExprKind::Call { args, .. } | ExprKind::Ref { args, .. } => args.iter().collect(),
        ExprKind::Lookup { key: inner, .. } | ExprKind::EachBlock { list: inner, .. } => vec![inner],
        ExprKind::Not(inner) => vec![inner],
        ExprKind::And(a, b) | ExprKind::Or(a, b) | ExprKind::Compare(_, a, b) => vec![a, b],
        ExprKind::Field(_)
        | ExprKind::Number(_)
        | ExprKind::Percent(_)
        | ExprKind::Money(..)
        | ExprKind::Date(_)
        | ExprKind::Bool(_)
        | ExprKind::Hole
        | ExprKind::Has(_) => Vec::new(),
    }
}

fn children_mut(expr: &mut Expr) -> Vec<&mut Expr> {
    match &mut expr.kind {
        ExprKind::Text(parts) => parts
            .iter_mut()
            .filter_map(|part| match part {
                TextPart::Expr(expr) => Some(expr),
                TextPart::Literal(_) => None,
            })
            .collect(),
        ExprKind::List(parts) | ExprKind::PipelineBy(parts) => parts.iter_mut().collect(),
        ExprKind::Call { args, .. } | ExprKind::Ref { args, .. } => args.iter_mut().collect(),
        ExprKind::Lookup { key: inner, .. } | ExprKind::EachBlock { list: inner, .. } => vec![inner],
        ExprKind::Not(inner) => vec![inner],
        ExprKind::And(a, b) | ExprKind::Or(a, b) | ExprKind::Compare(_, a, b) => vec![a, b],
        ExprKind::Field(_)
        | ExprKind::Number(_)
        | ExprKind::Percent(_)
        | ExprKind::Money(..)
        | ExprKind::Date(_)
        | ExprKind::Bool(_)
        | ExprKind::Hole
        | ExprKind::Has(_) => Vec::new(),
    }
}

/// Visits an expression and all below it, lines of blocks included.
pub(super) fn visit<'e>(expr: &'e Expr, see: &mut dyn FnMut(&'e Expr)) {
    see(expr);
    for child in children(expr) {
        visit(child, see);
    }
    if let ExprKind::EachBlock { body, .. } = &expr.kind {
        for expr in body.iter().flat_map(exprs) {
            visit(expr, see);
        }
    }
}

/// The same, to change them.
pub(super) fn visit_mut(expr: &mut Expr, change: &mut dyn FnMut(&mut Expr)) {
    change(expr);
    for child in children_mut(expr) {
        visit_mut(child, change);
    }
    if let ExprKind::EachBlock { body, .. } = &mut expr.kind {
        for expr in body.iter_mut().flat_map(exprs_mut) {
            visit_mut(expr, change);
        }
    }
}

/// Visits the fields of the record at hand that an expression reads, and those of named records; the columns of rows
/// are not among them.
pub(super) fn fields<'e>(expr: &'e Expr, see: &mut dyn FnMut(&'e FieldRef)) {
    match &expr.kind {
        ExprKind::Field(field) | ExprKind::Has(field) => see(field),
        ExprKind::EachBlock { list, body } => {
            fields(list, see);
            for expr in body.iter().flat_map(exprs) {
                fields(expr, &mut |field| {
                    if field.object.is_some() {
                        see(field);
                    }
                });
            }
        }
        _ => children(expr).into_iter().for_each(|child| fields(child, see)),
    }
}

fn arm(arm: &Arm) -> Option<&Expr> {
    match &arm.kind {
        ArmKind::Value { value, .. } => Some(value),
        _ => None,
    }
}

fn arm_mut(arm: &mut Arm) -> Option<&mut Expr> {
    match &mut arm.kind {
        ArmKind::Value { value, .. } => Some(value),
        _ => None,
    }
}

fn clauses(clauses: &Clauses) -> Vec<&Expr> {
    let labelled = clauses.labelled.iter().flat_map(|label| [Some(&label.value), label.when.as_ref()]);
    let arms = clauses.else_.iter().chain(&clauses.on_fail).chain(&clauses.on_unmigrated);
    clauses.when.iter().chain(labelled.flatten()).chain(arms.filter_map(arm)).collect()
}

fn clauses_mut(clauses: &mut Clauses) -> Vec<&mut Expr> {
    let labelled =
        clauses.labelled.iter_mut().flat_map(|label| [Some(&mut label.value), label.when.as_mut()]);
    let arms = clauses.else_.iter_mut().chain(&mut clauses.on_fail).chain(&mut clauses.on_unmigrated);
    clauses.when.iter_mut().chain(labelled.flatten()).chain(arms.filter_map(arm_mut)).collect()
}

/// The expressions of a line.
pub(super) fn exprs(line: &MapLine) -> Vec<&Expr> {
    match line {
        MapLine::Where { condition, otherwise, .. } => {
            std::iter::once(condition).chain(otherwise.as_ref().and_then(arm)).collect()
        }
        MapLine::Rule(rule) => std::iter::once(&rule.value).chain(clauses(&rule.clauses)).collect(),
        MapLine::Note(note) => [&note.title, &note.value].into_iter().chain(clauses(&note.clauses)).collect(),
        _ => Vec::new(),
    }
}

/// The same, to change them.
pub(super) fn exprs_mut(line: &mut MapLine) -> Vec<&mut Expr> {
    match line {
        MapLine::Where { condition, otherwise, .. } => {
            std::iter::once(condition).chain(otherwise.as_mut().and_then(arm_mut)).collect()
        }
        MapLine::Rule(rule) => {
            std::iter::once(&mut rule.value).chain(clauses_mut(&mut rule.clauses)).collect()
        }
        MapLine::Note(note) => {
            let note = &mut **note;
            [&mut note.title, &mut note.value].into_iter().chain(clauses_mut(&mut note.clauses)).collect()
        }
        _ => Vec::new(),
    }
}
