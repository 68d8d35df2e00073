//! What gets lost between a list and its one value: labels, the other elements, the other folded records. Whether
//! something else of the map carries it, or the statistics know that there is nothing to lose.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::rule::{Body, Kind, Written};
use super::types::{Scope, Typed};
use super::{Checker, summary, walk};
use crate::lang::finding::{Applicability, Edit, Finding, Fix, Severity, registry as codes};
use crate::lang::plan::{self, Expr};
use crate::lang::schema::{Field, Object};
use crate::lang::syntax::ast::{self, MapLine};
use crate::lang::text::Span;
use crate::lang::types::{Base, Fidelity};

/// A rule that carries a list's values without what each is labelled with.
#[derive(Debug)]
pub(super) struct Unlabelled {
    slot: u16,
    /// The value.
    at: Span,
    /// The rule.
    rule: Span,
    /// Whether it gives a reason.
    reasoned: bool,
}

/// The attribute of a list by which its elements are told apart: the kind of a telephone number, of an address.
fn label_of(field: &Field) -> Option<(u16, &str)> {
    if !field.ty.many || field.ty.base == Base::Record {
        return None;
    }
    let at = field.attributes.iter().position(|attribute| matches!(attribute.ty.base, Base::Enum(_)))?;
    Some((u16::try_from(at).ok()?, &field.attributes[at].name))
}

/// The slots whose values themselves arrive: not those that are only counted or asked for.
fn carried(expr: &Expr, slots: &mut BTreeSet<u16>) {
    match expr {
        Expr::Slot(slot) => {
            slots.insert(*slot);
        }
        Expr::Each { list, .. } | Expr::EachLine { list, .. } => carried(list, slots),
        Expr::Concat(all) | Expr::List(all) => all.iter().for_each(|expr| carried(expr, slots)),
        Expr::Call { function, args } if !matches!(function.as_str(), "count" | "contains" | "length") => {
            args.iter().for_each(|arg| carried(arg, slots));
        }
        Expr::Apply { args, .. } => args.iter().for_each(|arg| carried(arg, slots)),
        _ => {}
    }
}

/// Whether an expression reads an attribute of the elements that it sees.
fn reads_attribute(expr: &Expr, attribute: u16) -> bool {
    let read = |expr: &Expr| reads_attribute(expr, attribute);
    match expr {
        Expr::Attribute(at) => *at == attribute,
        Expr::Concat(all) | Expr::List(all) => all.iter().any(read),
        Expr::Call { args, .. } | Expr::Apply { args, .. } => args.iter().any(read),
        Expr::Lookup { key: inner, .. }
        | Expr::Title { of: inner, .. }
        | Expr::Owner(inner)
        | Expr::Has(inner)
        | Expr::Not(inner)
        | Expr::Ref { link: inner, .. } => read(inner),
        Expr::Each { list, body } => read(list) || read(body),
        Expr::And(a, b) | Expr::Or(a, b) | Expr::Compare(_, a, b) => read(a) || read(b),
        _ => false,
    }
}

/// The slots that are read of one record, rather than of all that are folded in.
fn picked(expr: &Expr, slots: &mut BTreeSet<u16>) {
    match expr {
        Expr::Aggregate { .. } => {}
        Expr::Concat(all) | Expr::List(all) => all.iter().for_each(|expr| picked(expr, slots)),
        Expr::Call { args, .. } | Expr::Apply { args, .. } => args.iter().for_each(|arg| picked(arg, slots)),
        other => summary::read(other, slots),
    }
}

impl<'a> Checker<'a> {
    /// What a rule loses besides what its functions lose: of several folded records all but one, and labels where the
    /// rule itself says that it loses something.
    pub(super) fn also_lost(
        &self,
        rule: &Body<'_>,
        value: &Typed<'a>,
        scope: &Scope<'a>,
        written: &Written<'a>,
    ) -> Fidelity {
        let one_of_several = self.is_picked(value, scope, written);
        let says = rule.clauses.fidelity.as_ref().is_some_and(|clause| clause.fidelity.value.needs_reason());
        let unlabelled = says && !self.unlabelled(rule, value, scope, written).is_empty();
        if one_of_several || unlabelled { Fidelity::Narrowed } else { Fidelity::Exact }
    }

    /// Whether a value is read of one of several folded records.
    pub(super) fn is_picked(&self, value: &Typed<'a>, scope: &Scope<'a>, written: &Written<'a>) -> bool {
        let mut slots = BTreeSet::new();
        picked(&value.expr, &mut slots);
        let several = scope.object.and_then(|object| object.records).is_none_or(|records| records > 1);
        scope.folded && written.kind != Kind::Note && several && !slots.is_empty()
    }

    /// Why a rule needs no reason of its own: a note on each folded record carries what it reads, and gives one.
    pub(super) fn carried_elsewhere(&self, value: &Typed<'a>, scope: &Scope<'a>) -> Option<Rc<str>> {
        let mut slots = BTreeSet::new();
        summary::read(&value.expr, &mut slots);
        let mut reasons = slots.iter().map(|slot| scope.carried.get(slot));
        let first = reasons.next()??;
        reasons.all(|reason| reason.is_some()).then(|| Rc::clone(first))
    }

    /// The slots that notes on each of the folded records carry, with their reasons.
    pub(super) fn carried_by_notes(
        &self,
        flatten: &'a ast::Flatten,
        object: &'a Object,
    ) -> BTreeMap<u16, Rc<str>> {
        let mut carried = BTreeMap::new();
        for line in &flatten.body {
            let MapLine::Note(note) = line else { continue };
            let clauses = &note.clauses;
            let because = clauses.fidelity.as_ref().and_then(|clause| clause.because.as_ref());
            let (Some(_), None, Some(because)) = (&note.for_each, &clauses.when, because) else { continue };
            let reason: Rc<str> = because.value.as_str().into();
            let mut see = |read: &'a ast::FieldRef| {
                let named = |field: &&Field| match (&read.field.code, &read.field.title) {
                    (Some(code), _) => field.name == code.value,
                    (None, Some(title)) => field.title.as_deref() == Some(title.value.as_str()),
                    (None, None) => false,
                };
                let own = read.object.is_none();
                if let Some(slot) = object.fields.iter().position(|field| own && named(&field))
                    && let Ok(slot) = u16::try_from(slot)
                {
                    carried.entry(slot).or_insert_with(|| Rc::clone(&reason));
                }
            };
            walk::fields(&note.value, &mut see);
            walk::fields(&note.title, &mut see);
        }
        carried
    }

    /// Whether the statistics know that a list never has more than one element, so that one of them is all.
    pub(super) fn at_most_one(&self, object: Option<&'a Object>, value: &Expr) -> bool {
        let inner = match value {
            Expr::Lookup { key, .. } => key,
            Expr::Title { of, .. } => of,
            other => other,
        };
        let Expr::Call { function, args } = inner else { return false };
        let (true, [Expr::Slot(slot)]) = (matches!(function.as_str(), "first" | "last"), args.as_slice())
        else {
            return false;
        };
        let field = object.and_then(|object| object.fields.get(usize::from(*slot)));
        // Each record counts once for each of its values.
        field.and_then(|field| field.stats.as_ref()).is_some_and(|stats| {
            stats.filled == 0
                || !stats.values.is_empty() && stats.values.values().sum::<u64>() <= stats.filled
        })
    }

    /// The lists whose labels a rule loses.
    ///
    /// A list of the destination's own, such as telephone numbers, takes labels where the author wants some: leaving
    /// them away there is a decision, and loses nothing by where the values go.
    fn unlabelled(
        &self,
        rule: &Body<'_>,
        value: &Typed<'a>,
        scope: &Scope<'a>,
        written: &Written<'a>,
    ) -> BTreeSet<u16> {
        if written.kind == Kind::Field && written.place.ty.many {
            return BTreeSet::new();
        }
        self.without_labels(rule, value, scope)
    }

    /// The lists that a rule carries without reading their labels.
    fn without_labels(&self, rule: &Body<'_>, value: &Typed<'a>, scope: &Scope<'a>) -> BTreeSet<u16> {
        let mut slots = BTreeSet::new();
        carried(&value.expr, &mut slots);
        let labelled = rule.clauses.labelled.is_some();
        slots.retain(|slot| {
            let field = scope.object.and_then(|object| object.fields.get(usize::from(*slot)));
            let label = field.and_then(label_of);
            label.is_some_and(|(at, _)| !labelled && !reads_attribute(&value.expr, at))
        });
        slots
    }

    /// Notes which lists a rule carries with their labels, and which without.
    pub(super) fn labels_kept(
        &self,
        scope: &mut Scope<'a>,
        rule: &Body<'_>,
        value: &Typed<'a>,
        written: &Written<'a>,
    ) {
        if scope.line.is_some() || written.kind == Kind::Column {
            return;
        }
        let without = self.unlabelled(rule, value, scope, written);
        let mut all = BTreeSet::new();
        carried(&value.expr, &mut all);
        scope.labelled.extend(all.difference(&self.without_labels(rule, value, scope)));
        let reasoned = rule.clauses.fidelity.as_ref().is_some_and(|clause| clause.because.is_some());
        scope.unlabelled.extend(without.into_iter().map(|slot| Unlabelled {
            slot,
            at: rule.value.span,
            rule: rule.span,
            reasoned,
        }));
    }

    /// Reports lists whose labels nothing of a map carries and for which no rule gives a reason.
    pub(super) fn labels_lost(&mut self, source: &'a Object, scope: &Scope<'a>, rules: &mut [plan::Rule]) {
        let mut told = BTreeSet::new();
        for one in &scope.unlabelled {
            let Some(field) = source.fields.get(usize::from(one.slot)) else { continue };
            let Some((_, label)) = label_of(field) else { continue };
            if scope.labelled.contains(&one.slot) {
                continue;
            }
            let line = self.line(one.rule);
            if let Some(rule) = rules.iter_mut().find(|rule| rule.line == line) {
                rule.fidelity = rule.fidelity.max(Fidelity::Narrowed);
            }
            if one.reasoned
                || scope.unlabelled.iter().any(|other| other.slot == one.slot && other.reasoned)
                || !told.insert(one.slot)
            {
                continue;
            }
            let end = Span { start: one.rule.end, end: one.rule.end };
            let mut finding = Finding::new(
                codes::LOSS_WITHOUT_REASON,
                format!(
                    "this rule is `narrowed`, and gives no reason: no rule carries what each of `{}` is labelled with",
                    field.name
                ),
            )
            .at(one.at, format!("its `{label}` is lost"))
            .help("add `narrowed because \"…\"` at the end of the rule, or carry the labels elsewhere")
            .fix(Fix {
                title: "say that it is `narrowed`".to_owned(),
                edits: vec![Edit { span: end, text: "  narrowed because \"\"".to_owned() }],
                applicability: Applicability::Placeholder,
            });
            // What a value is for may be plain from the value: that is for a person to know.
            finding.severity = Severity::Warning;
            self.add(finding);
        }
    }
}
