//! Fidelity: what a line loses, and whether it says so.

use super::Checker;
use super::types::Typed;
use crate::lang::finding::{Applicability, Edit, Finding, Fix, registry as codes};
use crate::lang::syntax::ast::{self, FidelityClause};
use crate::lang::text::Span;
use crate::lang::types::Fidelity;

impl<'a> Checker<'a> {
    /// Compares what a rule loses with what it says, and gives what the plan keeps.
    pub(super) fn rule_fidelity(
        &mut self,
        rule: &'a ast::Rule,
        value: &Typed<'a>,
    ) -> (Fidelity, Option<String>) {
        let inferred = value.fidelity;
        let clause = rule.clauses.fidelity.as_ref();
        let because = clause.and_then(|clause| clause.because.as_ref()).map(|because| because.value.clone());
        let elsewhere = value.elsewhere.as_ref().map_or(Fidelity::Exact, |(fidelity, _)| *fidelity);
        match clause {
            None if inferred.needs_reason() => {
                let word = inferred.word();
                let at = Span { start: rule.span.end, end: rule.span.end };
                self.add(
                    Finding::new(
                        codes::LOSS_WITHOUT_REASON,
                        format!("this rule is `{word}`, and gives no reason"),
                    )
                    .at(rule.value.span, lost(inferred))
                    .help(format!("add `{word} because \"…\"` at the end of the rule"))
                    .fix(Fix {
                        title: format!("say that it is `{word}`"),
                        edits: vec![Edit { span: at, text: format!("  {word} because \"\"") }],
                        applicability: Applicability::Placeholder,
                    }),
                );
            }
            None => {}
            Some(clause) => self.declared(clause, inferred, elsewhere, rule.value.span),
        }
        let declared = clause.map_or(Fidelity::Exact, |clause| clause.fidelity.value);
        let fidelity =
            inferred.max(elsewhere).max(if declared.needs_reason() { declared } else { Fidelity::Exact });
        let reason = because.or_else(|| {
            let (_, reason) = value.elsewhere.as_ref()?;
            (!reason.is_empty()).then(|| reason.to_string())
        });
        (fidelity, reason)
    }

    /// Compares a clause with what is really lost.
    fn declared(&mut self, clause: &'a FidelityClause, inferred: Fidelity, elsewhere: Fidelity, value: Span) {
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
