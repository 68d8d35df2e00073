//! Rows of a profile's tables and pipelines that name values or stages which one of the systems lacks.

use super::of_profile;
use super::prune::Pruner;
use super::walk::word;
use crate::lang::schema::Choice;
use crate::lang::syntax::ast::{
    ArmKind, Expr, ExprKind, Pipeline, StageTarget, Table, TableTarget, TextPart,
};
use crate::lang::types::Base;

impl<'s> Pruner<'s> {
    pub(super) fn table(&mut self, table: &mut Table) {
        let text = self.text;
        let domain = if table.from.name.value == "enum" { self.domain(&table.from) } else { None };
        let choices = self.table_choices(&table.to);
        let mut gone = Vec::new();
        table.rows.retain_mut(|row| {
            if !of_profile(text, row.span) {
                return true;
            }
            if let Some(domain) = domain {
                row.codes.retain(|coded| {
                    let there = domain.choices.iter().any(|choice| match &coded.code {
                        Some(code) => choice.code == code.value,
                        None => choice.title.as_deref() == Some(word(coded)),
                    });
                    if !there {
                        let why = format!("the source has no value \"{}\" here", word(coded));
                        gone.push((coded.span, why));
                    }
                    there
                });
            }
            if let (Some(choices), ArmKind::Value { value, .. }) = (choices, &row.arm.kind)
                && let Some(value) = constant(value)
                && !choices.iter().any(|choice| choice.code == value)
            {
                gone.push((row.span, format!("the destination has no value \"{value}\" here")));
                return false;
            }
            !row.codes.is_empty()
        });
        gone.into_iter().for_each(|(at, why)| self.gone(at, why));
    }

    /// The values that a table's rows may give, where the destination lists them all.
    fn table_choices(&self, to: &TableTarget) -> Option<&'s [Choice]> {
        let TableTarget::Field { object, field } = to else { return None };
        let target = self.target;
        let Base::Enum(domain) = &target.object(&object.value)?.field(&field.value)?.ty.base else {
            return None;
        };
        target.domains.get(domain).filter(|domain| !domain.open).map(|domain| domain.choices.as_slice())
    }

    pub(super) fn pipeline(&mut self, pipeline: &mut Pipeline) {
        let text = self.text;
        let object = &pipeline.object.name.value;
        let category = pipeline.category.as_ref().map(word);
        let from = self.source.pipelines.iter().find(|p| {
            p.object == *object && category.map_or(p.code.is_empty(), |c| p.code == c || p.name == c)
        });
        let to = self.target.pipelines.iter().find(|p| p.name == pipeline.to.value);
        let mut gone = Vec::new();
        pipeline.rows.retain_mut(|row| {
            if !of_profile(text, row.span) {
                return true;
            }
            if let Some(from) = from {
                row.codes.retain(|coded| {
                    let there = from.stages.iter().any(|stage| match &coded.code {
                        Some(code) => stage.code == code.value,
                        None => stage.name == word(coded),
                    });
                    if !there {
                        gone.push((coded.span, format!("the source has no stage \"{}\" here", word(coded))));
                    }
                    there
                });
            }
            let lacking = match (&row.to, to) {
                (StageTarget::Stage(name), Some(to)) => {
                    (!to.stages.iter().any(|stage| stage.name == name.value)).then_some(name)
                }
                (StageTarget::Outcome(_, name), Some(to)) => {
                    (!to.outcomes.iter().any(|outcome| outcome.name == name.value)).then_some(name)
                }
                _ => None,
            };
            if let Some(name) = lacking {
                gone.push((row.span, format!("the destination has no \"{}\" here", name.value)));
                return false;
            }
            !row.codes.is_empty()
        });
        gone.into_iter().for_each(|(at, why)| self.gone(at, why));
    }
}

/// A text without anything to fill in.
fn constant(expr: &Expr) -> Option<String> {
    let ExprKind::Text(parts) = &expr.kind else { return None };
    parts
        .iter()
        .map(|part| match part {
            TextPart::Literal(text) => Some(text.as_str()),
            TextPart::Expr(_) => None,
        })
        .collect()
}
