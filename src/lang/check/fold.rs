//! What a flatten reads of all the records that are folded in: `count`, `sum`, `min`, `max`.

use super::Checker;
use super::types::{Scope, Typed};
use crate::lang::finding::{Finding, registry as codes};
use crate::lang::plan::{Aggregate, Expr};
use crate::lang::syntax::ast::{self, Name};
use crate::lang::text::Span;
use crate::lang::types::{Base, Fidelity, Type};

impl<'a> Checker<'a> {
    pub(super) fn aggregate(
        &mut self,
        scope: &mut Scope<'a>,
        name: &Name,
        args: &[ast::Expr],
        span: Span,
    ) -> Option<Typed<'a>> {
        let word = name.value.as_str();
        if !scope.folded {
            self.add(
                Finding::new(
                    codes::UNKNOWN_FUNCTION,
                    format!("`{word}` reads the records that are folded in, and there are none here"),
                )
                .at(name.span, "only in a `flatten`")
                .help("write it in a rule or note of a `flatten`"),
            );
            return None;
        }
        let kind = match word {
            "count" => Aggregate::Count,
            "sum" => Aggregate::Sum,
            "min" => Aggregate::Min,
            _ => Aggregate::Max,
        };
        let arg = match args {
            [] if kind == Aggregate::Count => None,
            [arg] => Some(arg),
            _ => {
                let takes = if kind == Aggregate::Count { "at most one value" } else { "one value" };
                let call = if kind == Aggregate::Count { "count()" } else { "FUNCTION(FIELD)" };
                self.wrong_arguments(
                    span,
                    &format!("`{word}` takes {takes} of each record"),
                    &call.replace("FUNCTION", word),
                );
                return None;
            }
        };
        // One aggregate of another has no meaning.
        scope.folded = false;
        let of = arg.map(|arg| (self.expr(scope, arg), arg.span));
        scope.folded = true;
        let Some((of, at)) = of else {
            return Some(Typed::new(Expr::Aggregate { kind, of: None }, Type::one(Base::Integer)));
        };
        let of = of?;
        let fits = match (kind, &of.ty.base) {
            (Aggregate::Count, _) => true,
            _ if of.ty.many => false,
            (_, Base::Integer | Base::Decimal) => true,
            (_, Base::Money) => true,
            (Aggregate::Min | Aggregate::Max, Base::Date | Base::DateTime) => true,
            _ => false,
        };
        if !fits {
            let takes = match kind {
                Aggregate::Sum => "numbers and amounts",
                _ => "numbers, amounts, dates and instants",
            };
            let text = self.quote(at);
            let help = match &of.ty.base {
                Base::Text { .. } if !of.ty.many => format!("write `{word}({text}.number())  on fail …`"),
                _ => "name a field of such a type".to_owned(),
            };
            self.add(
                Finding::new(codes::TYPE_MISMATCH, format!("`{word}` takes {takes}, not `{}`", of.ty))
                    .at(at, format!("this is `{}`", of.ty))
                    .help(help),
            );
            return None;
        }
        let ty = match kind {
            Aggregate::Count => Type::one(Base::Integer),
            _ => Type { base: of.ty.base.clone(), many: false, optional: of.ty.optional },
        };
        let mut typed = Typed::new(Expr::Aggregate { kind, of: Some(Box::new(of.expr.clone())) }, ty);
        typed.fidelity = Fidelity::Summarised;
        // Amounts of several currencies, and whole numbers past 64 bits, have no sum.
        typed.fails = kind == Aggregate::Sum || of.ty.base == Base::Money && kind != Aggregate::Count;
        Some(typed.taint(&of))
    }
}
