//! Walks over expressions as they are written.

use crate::lang::syntax::ast::{Expr, ExprKind, FieldRef, TextPart};

/// Hands every field that an expression reads of the record at hand to `see`: not the bodies of `each`, whose bare
/// names may be functions or fields of elements.
pub(super) fn fields<'e>(expr: &'e Expr, see: &mut dyn FnMut(&'e FieldRef)) {
    match &expr.kind {
        ExprKind::Field(field) | ExprKind::Has(field) => see(field),
        ExprKind::Call { function, args, .. } if function.value == "each" => {
            if let Some(list) = args.first() {
                fields(list, see);
            }
        }
        ExprKind::Call { args, .. }
        | ExprKind::List(args)
        | ExprKind::PipelineBy(args)
        | ExprKind::Ref { args, .. } => args.iter().for_each(|arg| fields(arg, see)),
        ExprKind::Text(parts) => {
            for part in parts {
                if let TextPart::Expr(expr) = part {
                    fields(expr, see);
                }
            }
        }
        ExprKind::Lookup { key: inner, .. }
        | ExprKind::Not(inner)
        | ExprKind::EachBlock { list: inner, .. } => fields(inner, see),
        ExprKind::And(a, b) | ExprKind::Or(a, b) | ExprKind::Compare(_, a, b) => {
            fields(a, see);
            fields(b, see);
        }
        ExprKind::Number(_)
        | ExprKind::Percent(_)
        | ExprKind::Money(..)
        | ExprKind::Date(_)
        | ExprKind::Bool(_)
        | ExprKind::Hole => {}
    }
}
