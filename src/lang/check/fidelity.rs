//! Fidelity: what a line loses, and whether it says so.

use std::collections::BTreeSet;

use super::arm::CheckedArm;
use super::claims::{self, About};
use super::rule::{Body, Kind, Written};
use super::types::{Fallback, Scope, Typed};
use super::{Checker, summary};
use crate::lang::finding::{Applicability, Edit, Finding, Fix, Severity, registry as codes};
use crate::lang::plan::Expr;
use crate::lang::schema::{Field, Object};
use crate::lang::syntax::ast::FidelityClause;
use crate::lang::text::Span;
use crate::lang::types::{Base, Fidelity};

impl<'a> Checker<'a> {
    /// Compares what a rule loses with what it says, and gives what the plan keeps.
    pub(super) fn rule_fidelity(
        &mut self,
        rule: &Body<'_>,
        value: &Typed<'a>,
        scope: &Scope<'a>,
        written: &Written<'a>,
        in_arms: Fidelity,
    ) -> (Fidelity, Option<String>) {
        let object = scope.object.filter(|_| scope.line.is_none());
        let currency = written.kind == Kind::Custom && written.place.ty.base == Base::Money;
        let currency = currency && !self.one_currency(scope, &value.expr);
        let inferred = value.fidelity;
        let clause = rule.clauses.fidelity.as_ref();
        let because = clause.and_then(|clause| clause.because.as_ref());
        let elsewhere = value.elsewhere.as_ref().map_or(Fidelity::Exact, |(fidelity, _)| *fidelity);
        let cut = claims::cut(&value.expr)
            .and_then(|(slot, bound)| Some((object?.fields.get(usize::from(slot))?, bound)));
        let proven = cut.is_some_and(|(field, bound)| claims::none_longer(field, bound) == Some(true));
        match clause {
            None if inferred.needs_reason() && self.at_most_one(object, &value.expr) => {}
            None if inferred.needs_reason() => {
                if let Some(reason) = self.carried_elsewhere(value, scope) {
                    return (inferred.max(elsewhere), Some(reason.to_string()));
                }
                let told = self.findings.len();
                self.no_reason(rule, inferred, object, cut.filter(|_| proven));
                // That one of several is read is what `pick` says, so that only the reason is missing.
                if inferred == Fidelity::Narrowed && self.is_picked(value, scope, written) {
                    for finding in self.findings.iter_mut().skip(told) {
                        finding.severity = Severity::Warning;
                        if let Some(label) = &mut finding.label {
                            label.text = "of several records it reads one".to_owned();
                        }
                    }
                }
            }
            None if currency => self.currency_lost(rule, written),
            None => {}
            Some(clause) => {
                let lost = if currency { inferred.max(Fidelity::Narrowed) } else { inferred };
                // A reason may be meant for an arm.
                let elsewhere = elsewhere.max(in_arms);
                self.declared(clause, lost, elsewhere, rule.value.span);
            }
        }
        if let Some(because) = because {
            match cut {
                Some((field, bound)) => {
                    self.check_claims(because, object, Some(field), About::Longer(bound));
                }
                None => {
                    let field = match &value.expr {
                        Expr::Slot(slot) => object.and_then(|object| object.fields.get(usize::from(*slot))),
                        _ => None,
                    };
                    self.check_claims(because, object, field, About::Other);
                }
            }
        }
        let declared = clause.map_or(Fidelity::Exact, |clause| clause.fidelity.value);
        let claimed = because.is_some_and(|because| {
            declared == Fidelity::Narrowed
                && claims::claims(&because.value).iter().any(|claim| claim.these == 0)
        });
        let because = because.map(|because| because.value.clone());
        let reason = because.or_else(|| {
            let (_, reason) = value.elsewhere.as_ref()?;
            (!reason.is_empty()).then(|| reason.to_string())
        });
        if proven && claimed && inferred == Fidelity::Narrowed {
            // The statistics prove what the reason says: nothing is lost today.
            return (elsewhere, reason);
        }
        let declared = if declared.needs_reason() { declared } else { Fidelity::Exact };
        (inferred.max(elsewhere).max(declared), reason)
    }

    fn no_reason(
        &mut self,
        rule: &Body<'_>,
        inferred: Fidelity,
        object: Option<&'a Object>,
        proven: Option<(&'a Field, u32)>,
    ) {
        let word = inferred.word();
        let at = Span { start: rule.span.end, end: rule.span.end };
        let finding =
            Finding::new(codes::LOSS_WITHOUT_REASON, format!("this rule is `{word}`, and gives no reason"))
                .at(rule.value.span, lost(inferred));
        let records = object.and_then(|object| object.records);
        let finding = match (proven, records) {
            (Some((field, bound)), Some(records)) => {
                let reason =
                    format!("0 of {} have more than {bound} characters", super::counts::grouped(records));
                let longest = field.stats.as_ref().and_then(|stats| stats.longest).unwrap_or(0);
                finding
                    .note(format!("the longest value of `{}` has {longest} characters", field.name))
                    .help(format!("add `{word} because \"…\"` at the end of the rule, such as \"{reason}\""))
                    .fix(Fix {
                        title: format!("say that it is `{word}`, and why"),
                        edits: vec![Edit { span: at, text: format!("  {word} because \"{reason}\"") }],
                        applicability: Applicability::Likely,
                    })
            }
            _ => finding.help(format!("add `{word} because \"…\"` at the end of the rule")).fix(Fix {
                title: format!("say that it is `{word}`"),
                edits: vec![Edit { span: at, text: format!("  {word} because \"\"") }],
                applicability: Applicability::Placeholder,
            }),
        };
        self.add(finding);
    }

    fn currency_lost(&mut self, rule: &Body<'_>, written: &Written<'a>) {
        let mut finding = Finding::new(
            codes::CURRENCY_LOST,
            format!("`{}` may keep the number alone, and these amounts have a currency each", written.name),
        )
        .at(rule.value.span, "in which currency?")
        .help(
            "say why the number is enough, `narrowed because \"all amounts are in …\"`, or write a text, \"{FIELD}\", \
             which keeps both",
        );
        // An account may well have one currency only: that is for a person to know.
        finding.severity = Severity::Warning;
        self.add(finding);
    }

    /// Whether an amount is surely of one currency: it is written in the spec, or the statistics know one only.
    fn one_currency(&self, scope: &Scope<'a>, amount: &Expr) -> bool {
        match amount {
            Expr::Const(_) => true,
            Expr::Call { function, args } if function == "money" => match args.get(1) {
                Some(Expr::Const(_)) => true,
                Some(Expr::Slot(slot)) => scope
                    .object
                    .and_then(|object| object.fields.get(usize::from(*slot)))
                    .and_then(|field| field.stats.as_ref())
                    .is_some_and(|stats| stats.values.len() == 1),
                _ => false,
            },
            Expr::Aggregate { of: Some(of), .. } => self.one_currency(scope, of),
            _ => false,
        }
    }

    /// Notes which fields a rule carries, and which of its arms lose something without a reason. What an arm loses
    /// is lost only where nothing else carries it, which is known at the map's end.
    pub(super) fn fallbacks(
        &mut self,
        scope: &mut Scope<'a>,
        rule: &Body<'_>,
        value: &Typed<'a>,
        else_: &[CheckedArm<'a>],
        on_fail: Option<&CheckedArm<'a>>,
    ) {
        let because = rule.clauses.fidelity.as_ref().is_some_and(|clause| clause.because.is_some());
        if because || !value.fidelity.needs_reason() {
            summary::read(&value.expr, &mut scope.kept);
        }
        let arms = rule.clauses.else_.iter().zip(else_).chain(rule.clauses.on_fail.iter().zip(on_fail));
        for (arm, checked) in arms {
            let Some(value) = &checked.value else { continue };
            let mut slots = BTreeSet::new();
            summary::read(&value.expr, &mut slots);
            if because || !value.fidelity.needs_reason() {
                scope.kept.extend(slots);
            } else {
                let (fidelity, at, end) = (value.fidelity, arm.span, rule.span.end);
                scope.fallbacks.push(Fallback { slots, fidelity, at, end });
            }
        }
    }

    /// Reports arms that lose what nothing else of the map carries.
    pub(super) fn lost_in_arms(&mut self, source: &'a Object, scope: &Scope<'a>) {
        for fallback in &scope.fallbacks {
            let lost_here: Vec<String> = fallback
                .slots
                .difference(&scope.kept)
                .filter_map(|slot| source.fields.get(usize::from(*slot)))
                .map(|field| format!("`{}`", field.name))
                .collect();
            if lost_here.is_empty() {
                continue;
            }
            let word = fallback.fidelity.word();
            let end = Span { start: fallback.end, end: fallback.end };
            self.add(
                Finding::new(
                    codes::LOSS_WITHOUT_REASON,
                    format!("this arm is `{word}`, and nothing else carries {}", lost_here.join(", ")),
                )
                .at(fallback.at, lost(fallback.fidelity))
                .help(format!(
                    "add `{word} because \"…\"` at the end of the rule, or carry the field elsewhere"
                ))
                .fix(Fix {
                    title: format!("say that it is `{word}`"),
                    edits: vec![Edit { span: end, text: format!("  {word} because \"\"") }],
                    applicability: Applicability::Placeholder,
                }),
            );
        }
    }

    /// Compares a clause with what is really lost.
    fn declared(&mut self, clause: &FidelityClause, inferred: Fidelity, elsewhere: Fidelity, value: Span) {
        let declared = clause.fidelity.value;
        if inferred.needs_reason() && declared < inferred {
            self.add(
                Finding::new(
                    codes::LOSS_UNDERSTATED,
                    format!("this rule is `{}`, and says `{}`", inferred.word(), declared.word()),
                )
                .at(clause.fidelity.span, format!("`{}` says too little", declared.word()))
                .and_at(value, lost(inferred))
                .help(format!("write `{} because \"…\"`", inferred.word()))
                .fix(Fix {
                    title: format!("write `{}`", inferred.word()),
                    edits: vec![Edit { span: clause.fidelity.span, text: inferred.word().to_owned() }],
                    applicability: if clause.because.is_some() {
                        Applicability::Safe
                    } else {
                        Applicability::Likely
                    },
                }),
            );
            return;
        }
        if declared.needs_reason() && clause.because.is_none() {
            self.add(
                Finding::new(codes::LOSS_WITHOUT_REASON, format!("`{}` needs a reason", declared.word()))
                    .at(clause.span, "why?")
                    .help(format!("write `{} because \"…\"`", declared.word())),
            );
            return;
        }
        if declared.needs_reason() && declared > inferred.max(elsewhere) {
            self.overstated(clause, inferred);
        }
    }

    fn overstated(&mut self, clause: &FidelityClause, inferred: Fidelity) {
        let declared = clause.fidelity.value.word();
        let finding = Finding::new(
            codes::LOSS_OVERSTATED,
            format!("this line says `{declared}`, and is `{}`", inferred.word()),
        )
        .at(clause.span, "loses less than that");
        let finding = if inferred.needs_reason() {
            finding.help(format!("write `{}`", inferred.word())).fix(Fix {
                title: format!("write `{}`", inferred.word()),
                edits: vec![Edit { span: clause.fidelity.span, text: inferred.word().to_owned() }],
                applicability: Applicability::Safe,
            })
        } else {
            let before = self.input.text.text().get(..clause.span.start as usize).unwrap_or_default();
            let start = before.trim_end().len();
            finding.help("remove these words").fix(Fix {
                title: "remove these words".to_owned(),
                edits: vec![Edit { span: Span::new(start, clause.span.end as usize), text: String::new() }],
                applicability: Applicability::Safe,
            })
        };
        self.add(finding);
    }

    /// Which of the rows that give one value need no reason of their own: those of a profile, where the customer's
    /// row, which made the merge, gives it. A profile cannot know what is added to it.
    pub(super) fn excused<'r>(
        &self,
        group: impl Iterator<Item = (usize, Span, Option<&'r FidelityClause>)> + Clone,
    ) -> Vec<usize> {
        let reasoned =
            |clause: Option<&FidelityClause>| clause.is_some_and(|clause| clause.because.is_some());
        if !group.clone().any(|(_, span, clause)| !self.of_profile(span) && reasoned(clause)) {
            return Vec::new();
        }
        let bare = group.filter(|(_, span, clause)| self.of_profile(*span) && clause.is_none());
        bare.map(|(at, ..)| at).collect()
    }

    /// The fidelity of a row of a table or pipeline into which so many codes are merged.
    pub(super) fn row_fidelity(
        &mut self,
        codes_merged: usize,
        clause: Option<&FidelityClause>,
        at: Span,
        row: Span,
    ) {
        let merged = codes_merged > 1;
        match clause {
            None if merged => {
                let end = Span { start: row.end, end: row.end };
                self.add(
                    Finding::new(
                        codes::MERGE_WITHOUT_REASON,
                        format!("{codes_merged} values become one, and the row gives no reason"),
                    )
                    .at(at, "cannot be told apart afterwards")
                    .help("add `merged because \"…\"` at the end of the row")
                    .fix(Fix {
                        title: "say that they are merged".to_owned(),
                        edits: vec![Edit { span: end, text: "  merged because \"\"".to_owned() }],
                        applicability: Applicability::Placeholder,
                    }),
                );
            }
            None => {}
            Some(clause) if clause.fidelity.value.needs_reason() && clause.because.is_none() => {
                let code = if merged { codes::MERGE_WITHOUT_REASON } else { codes::LOSS_WITHOUT_REASON };
                self.add(
                    Finding::new(code, format!("`{}` needs a reason", clause.fidelity.value.word()))
                        .at(clause.span, "why?")
                        .help(format!("write `{} because \"…\"`", clause.fidelity.value.word())),
                );
            }
            Some(clause) if merged && clause.fidelity.value < Fidelity::Merged => self.add(
                Finding::new(
                    codes::LOSS_UNDERSTATED,
                    format!("this row is `merged`, and says `{}`", clause.fidelity.value.word()),
                )
                .at(clause.fidelity.span, "says too little")
                .help("write `merged because \"…\"`"),
            ),
            Some(clause) if !merged && clause.fidelity.value == Fidelity::Merged => {
                self.overstated(clause, Fidelity::Exact);
            }
            Some(_) => {}
        }
    }
}

fn lost(fidelity: Fidelity) -> &'static str {
    match fidelity {
        Fidelity::Exact | Fidelity::Reformatted => "nothing is lost",
        Fidelity::Narrowed => "part of the value is lost",
        Fidelity::Merged => "different values become one",
        Fidelity::Summarised => "many values become a summary",
        Fidelity::Dropped => "the value does not arrive",
    }
}
