//! The paths on which a rule ends: absence, failure, links that did not arrive, and what is written later.

use super::arm::CheckedArm;
use super::rule::{Body, Kind, Written};
use super::types::Typed;
use super::{Checker, counts};
use crate::lang::finding::{Applicability, Count, Edit, Finding, Fix, registry as codes};
use crate::lang::plan::{Arm, Expr};
use crate::lang::schema::Object;
use crate::lang::syntax::ast::{self, ArmKind};
use crate::lang::text::Span;

/// The paths on which a rule gives its value.
pub(super) struct Paths<'p, 'a> {
    pub value: &'p Typed<'a>,
    /// Whether a `when` stands before it.
    pub guarded: bool,
    pub else_: &'p [CheckedArm<'a>],
    pub on_fail: Option<&'p CheckedArm<'a>>,
}

impl<'a> Checker<'a> {
    pub(super) fn failure(
        &mut self,
        rule: &Body<'_>,
        name: &str,
        fails: bool,
        on_fail: Option<&CheckedArm<'a>>,
        value: &Typed<'a>,
    ) {
        match (fails, &rule.clauses.on_fail, on_fail) {
            (true, None, _) => {
                let help = if value.ty.many {
                    "add `on fail flag \"…\"`, which leaves such elements out and lists them, or `on fail quarantine`"
                } else {
                    "add `on fail quarantine`, `on fail flag \"…\"` or `on fail VALUE`"
                };
                self.add(
                    Finding::new(
                        codes::FAILURE_UNHANDLED,
                        format!("the conversion for `{name}` may fail, and nothing says what happens then"),
                    )
                    .at(rule.value.span, "may fail")
                    .help(help),
                );
            }
            (false, Some(arm), _) => {
                let mut finding = Finding::new(codes::NEEDLESS_HANDLING, "nothing in this rule can fail")
                    .at(arm.span, "never reached")
                    .help("remove `on fail`");
                if let Some(edit) = self.without_clause(&["on", "fail"], arm.span) {
                    finding = finding.fix(Fix {
                        title: "remove `on fail`".to_owned(),
                        edits: vec![edit],
                        applicability: Applicability::Safe,
                    });
                }
                self.add(finding);
            }
            (true, Some(arm), Some(checked)) => {
                if checked.value.as_ref().is_some_and(|value| value.fails) {
                    self.add(
                        Finding::new(codes::FAILURE_UNHANDLED, "the value after `on fail` may fail itself")
                            .at(arm.span, "may fail too")
                            .help("write a value that cannot fail, or `quarantine`"),
                    );
                }
                if matches!(checked.arm, Arm::Value { .. }) && inner_each(&value.expr, true) {
                    self.add(
                        Finding::new(
                            codes::ARM_NOT_ALLOWED,
                            "a value after `on fail` would stand for one element, inside another call",
                        )
                        .at(arm.span, "not here")
                        .help("write `flag \"…\"`, `unset` or `quarantine`, and the value after `else`"),
                    );
                }
            }
            (false, None, _) | (true, Some(_), None) => {}
        }
    }

    /// Follows every path on which the value may be absent.
    pub(super) fn absence(
        &mut self,
        rule: &Body<'_>,
        written: &Written<'a>,
        paths: &Paths<'_, 'a>,
        object: Option<&'a Object>,
    ) {
        let Paths { value, guarded, else_, on_fail } = *paths;
        // Where every element of a list fails, the list is absent, and `else` applies.
        let emptied = value.ty.many
            && value.fails
            && on_fail.is_some_and(|arm| matches!(arm.arm, Arm::Flag(_) | Arm::Unset | Arm::Skip(_)));
        let mut open = value.ty.optional || guarded || emptied;
        let mut ends: Vec<(Span, &'static str)> = Vec::new();
        for (index, (arm, checked)) in rule.clauses.else_.iter().zip(else_).enumerate() {
            if !open {
                // `else unset` says what would happen anyway, and is never wrong.
                if index > 0 {
                    self.dead_else(arm.span);
                } else if !matches!(checked.arm, Arm::Unset) {
                    self.needless_else(arm.span);
                }
                break;
            }
            match &checked.arm {
                Arm::Value { .. } => open = checked.value.as_ref().is_some_and(|value| value.ty.optional),
                Arm::Flag(_) => {
                    ends.push((arm.span, "`flag` leaves it unset"));
                    open = false;
                }
                Arm::Unset | Arm::Wait => {
                    ends.push((arm.span, "leaves it unset"));
                    open = false;
                }
                Arm::Skip(_) | Arm::Quarantine | Arm::Stop => open = false,
            }
        }
        if let (Some(arm), Some(checked)) = (&rule.clauses.on_fail, on_fail) {
            let may_be_absent = match &checked.arm {
                Arm::Value { .. } => checked.value.as_ref().is_some_and(|value| value.ty.optional),
                Arm::Flag(_) | Arm::Unset | Arm::Wait => !value.ty.many,
                Arm::Skip(_) | Arm::Quarantine | Arm::Stop => false,
            };
            if may_be_absent {
                ends.push((arm.span, "leaves it unset where the conversion fails"));
            }
        }
        if !written.required {
            return;
        }
        for (span, label) in ends {
            self.add(
                Finding::new(
                    codes::REQUIRED_NOT_WRITTEN,
                    format!("`{}` is required, and one path leaves it unset", written.name),
                )
                .at(span, label)
                .help("end in a value that is always there, `quarantine` or `stop`"),
            );
        }
        if open {
            let text = self.code(rule.value.span);
            self.add(
                Finding::new(
                    codes::ABSENCE_UNHANDLED,
                    format!("`{}` is required, and `{text}` may be absent", written.name),
                )
                .at(rule.value.span, if guarded { "absent where `when` is false" } else { "may be absent" })
                .count(absent_records(object, value, guarded))
                .help("add `else \"…\"` with a value that is always there, or `else quarantine`"),
            );
        }
    }

    fn dead_else(&mut self, span: Span) {
        let mut finding = Finding::new(codes::ARM_SHADOWED, "this `else` is never reached")
            .at(span, "the one before it always ends the rule")
            .help("remove it");
        if let Some(edit) = self.without_clause(&["else"], span) {
            finding = finding.fix(Fix {
                title: "remove it".to_owned(),
                edits: vec![edit],
                applicability: Applicability::Safe,
            });
        }
        self.add(finding);
    }

    fn needless_else(&mut self, span: Span) {
        let mut finding = Finding::new(codes::NEEDLESS_HANDLING, "the value is never absent")
            .at(span, "never reached")
            .help("remove `else`");
        if let Some(edit) = self.without_clause(&["else"], span) {
            finding = finding.fix(Fix {
                title: "remove `else`".to_owned(),
                edits: vec![edit],
                applicability: Applicability::Safe,
            });
        }
        self.add(finding);
    }

    /// Where nothing is said, a record is held back whose link leads to one that did not arrive: nothing is lost then, and
    /// nobody is asked. That is worth a word where it is known today that some of them do not arrive.
    pub(super) fn unmigrated(
        &mut self,
        rule: &Body<'_>,
        written: &Written<'a>,
        refs: bool,
        links: &[(usize, Span)],
    ) {
        match (refs, &rule.clauses.on_unmigrated) {
            (true, None) => {
                let Some((map, reason)) =
                    links.iter().find_map(|(map, _)| Some((*map, self.leaves_out(*map)?)))
                else {
                    return;
                };
                let others = match written.kind {
                    Kind::Column => "`on unmigrated skip \"…\"` leaves the line out",
                    _ => "`flag \"…\"` leaves the link out and lists the record, `wait` patches it later",
                };
                let end = Span { start: rule.span.end, end: rule.span.end };
                let mut finding = Finding::new(
                    codes::UNMIGRATED_UNHANDLED,
                    format!("`{}` links to records that may not arrive", written.name),
                )
                .at(rule.value.span, "the record is held back where its link leads to one that was left out")
                .and_at(reason, format!("map `{}` leaves records out", self.maps[map].name().value))
                .help(format!("write `on unmigrated quarantine` if that is meant; {others}"));
                // Behind other clauses it would stand out of order.
                if rule.clauses.fidelity.is_none() && rule.clauses.second_pass.is_none() {
                    finding = finding.fix(Fix {
                        title: "say so".to_owned(),
                        edits: vec![Edit { span: end, text: "  on unmigrated quarantine".to_owned() }],
                        applicability: Applicability::Safe,
                    });
                }
                self.add(finding);
            }
            (false, Some(arm)) => {
                let mut finding = Finding::new(codes::NEEDLESS_HANDLING, "this rule holds no links")
                    .at(arm.span, "never reached")
                    .help("remove `on unmigrated`");
                if let Some(edit) = self.without_clause(&["on", "unmigrated"], arm.span) {
                    finding = finding.fix(Fix {
                        title: "remove `on unmigrated`".to_owned(),
                        edits: vec![edit],
                        applicability: Applicability::Safe,
                    });
                }
                self.add(finding);
            }
            (true, Some(arm)) if written.required => {
                if matches!(arm.kind, ArmKind::Flag(_) | ArmKind::Unset | ArmKind::Wait) {
                    self.add(
                        Finding::new(
                            codes::REQUIRED_NOT_WRITTEN,
                            format!("`{}` is required, and one path leaves it unset", written.name),
                        )
                        .at(arm.span, "leaves it unset where the other record did not arrive")
                        .help(match written.kind {
                            Kind::Column => "write `on unmigrated skip \"…\"`, which leaves the line out, or `quarantine`",
                            _ => "write `on unmigrated skip \"…\"`, which leaves the record out, or `quarantine`",
                        }),
                    );
                }
            }
            _ => {}
        }
    }

    /// Where a map says that it leaves records of its source out: in its `where`, or in the split that leads to it.
    fn leaves_out(&self, map: usize) -> Option<Span> {
        let map = self.maps.get(map)?;
        let filter = map.body.iter().find_map(|line| match line {
            ast::MapLine::Where { span, .. } => Some(*span),
            _ => None,
        });
        let shared = || {
            let source = &map.source.name.value;
            self.maps
                .iter()
                .filter(|other| other.source.name.value == *source)
                .nth(1)
                .map(|_| map.name().span)
        };
        filter.or_else(shared)
    }

    /// The edit that removes a clause: its words, which stand before the arm, and the arm.
    pub(super) fn without_clause(&self, words: &[&str], arm: Span) -> Option<Edit> {
        let mut before = self.input.text.text().get(..arm.start as usize)?;
        for word in words.iter().rev() {
            before = before.trim_end().strip_suffix(word)?;
        }
        let start = before.trim_end().len();
        Some(Edit { span: Span::new(start, arm.end as usize), text: String::new() })
    }

    /// `in a second pass`, where that is not possible.
    pub(super) fn second_pass(&mut self, clauses: &ast::Clauses, written: Option<&Written<'a>>) {
        let (Some(span), Some(written)) = (clauses.second_pass, written) else { return };
        let (label, help) = match written.kind {
            Kind::Column => ("a line has no record of its own", "remove these words"),
            Kind::Note => ("a note is written with its record", "remove these words"),
            Kind::Field | Kind::Custom if written.required => (
                "the first write needs it",
                "remove these words; where links form a cycle, write another one of them later",
            ),
            Kind::Field | Kind::Custom => return,
        };
        self.add(
            Finding::new(
                codes::SECOND_PASS,
                format!("`{}` cannot be written in a second pass", written.name),
            )
            .at(span, label)
            .help(help)
            .fix(self.without_words(span)),
        );
    }

    /// `in a second pass` of a rule without links, which nothing keeps from the first one.
    pub(super) fn needless_second_pass(&mut self, clauses: &ast::Clauses, written: &Written<'a>, refs: bool) {
        let possible = matches!(written.kind, Kind::Field | Kind::Custom) && !written.required;
        let Some(span) = clauses.second_pass.filter(|_| possible && !refs) else { return };
        self.add(
            Finding::new(codes::NEEDLESS_HANDLING, "this rule holds no links, and can be written at once")
                .at(span, "waits for nothing")
                .help("remove these words")
                .fix(self.without_words(span)),
        );
    }

    /// The fix that removes some words and the blanks before them.
    pub(super) fn without_words(&self, span: Span) -> Fix {
        let before = self.input.text.text().get(..span.start as usize).unwrap_or_default();
        let start = before.trim_end().len();
        Fix {
            title: "remove these words".to_owned(),
            edits: vec![Edit { span: Span::new(start, span.end as usize), text: String::new() }],
            applicability: Applicability::Safe,
        }
    }
}

/// How many records lack a bare field.
fn absent_records(object: Option<&Object>, value: &Typed<'_>, guarded: bool) -> Count {
    let Expr::Slot(slot) = &value.expr else { return Count::Unknown };
    let field = object.and_then(|object| object.fields.get(usize::from(*slot)));
    let filled = field.and_then(|field| field.stats.as_ref()).map(|stats| stats.filled);
    let lacking =
        object.and_then(|object| object.records).zip(filled).map(|(all, filled)| all.saturating_sub(filled));
    if guarded { Count::Unknown } else { counts::exact(lacking) }
}

/// Whether an `each` stands inside another expression.
fn inner_each(expr: &Expr, top: bool) -> bool {
    match expr {
        Expr::Each { list, body } => !top || inner_each(list, false) || inner_each(body, false),
        Expr::Call { args, .. } | Expr::List(args) | Expr::Concat(args) => {
            args.iter().any(|arg| inner_each(arg, false))
        }
        Expr::Lookup { key: inner, .. } | Expr::Ref { link: inner, .. } | Expr::Owner(inner) => {
            inner_each(inner, false)
        }
        _ => false,
    }
}
