//! Rules: what they write, what covers absence, failure and links that did not arrive.

use super::arm::{ArmPlace, CheckedArm};
use super::fit::Place;
use super::order::{Edge, Edges};
use super::types::{Scope, Typed};
use super::{Checker, counts};
use crate::lang::finding::{Applicability, Count, Edit, Finding, Fix, registry as codes};
use crate::lang::plan::{self, Arm, Expr};
use crate::lang::schema::{Object, Write};
use crate::lang::syntax::ast::{self, ArmKind, RuleTarget};
use crate::lang::text::Span;
use crate::lang::types::{Base, Fidelity, Type};

/// The destination field that carries an amount's currency.
const MARKET: &str = "market";

/// What a rule writes.
struct Written {
    place: Place,
    required: bool,
    custom: bool,
    name: String,
    /// What is lost by where it goes, whatever the value.
    at_least: Fidelity,
}

/// The paths on which a rule gives its value.
struct Paths<'p, 'a> {
    value: &'p Typed<'a>,
    /// Whether a `when` stands before it.
    guarded: bool,
    else_: &'p [CheckedArm<'a>],
    on_fail: Option<&'p CheckedArm<'a>>,
}

impl<'a> Checker<'a> {
    pub(super) fn rule(
        &mut self,
        scope: &mut Scope<'a>,
        object: Option<&'a Object>,
        rule: &'a ast::Rule,
        plan: &mut plan::Map,
        edges: &mut Edges,
    ) {
        let (name, span) = target_name(&rule.target);
        let written = object.and_then(|object| self.written(object, rule));
        let index = self.target_index(scope, name, span, written.as_ref(), plan);
        scope.links.clear();
        let checked = self.rule_body(scope, written.as_ref(), rule);
        let soft = matches!(rule.clauses.on_unmigrated.as_ref().map(|arm| &arm.kind), Some(ArmKind::Wait));
        let second_pass = rule.clauses.second_pass.is_some();
        for (map, at) in scope.links.drain(..) {
            edges.refs.push(Edge {
                before: map,
                after: scope.map,
                span: at,
                soft,
                second_pass,
                rule: rule.span,
            });
        }
        if let (Some(mut checked), Some(target)) = (checked, index) {
            checked.target = target;
            plan.rules.push(checked);
        }
    }

    /// Checks the value and the clauses of a note as those of a rule that writes `place`, with at least this loss.
    pub(super) fn note_rule(
        &mut self,
        scope: &mut Scope<'a>,
        place: Place,
        rule: &'a ast::Rule,
        at_least: Fidelity,
    ) -> Option<plan::Rule> {
        let name = target_name(&rule.target).0.to_owned();
        let written = Written { place, required: false, custom: false, name, at_least };
        self.rule_body(scope, Some(&written), rule)
    }

    /// Registers what a rule writes, even where the rule itself does not check: it counts as written.
    fn target_index(
        &mut self,
        scope: &mut Scope<'a>,
        name: &str,
        span: Span,
        written: Option<&Written>,
        plan: &mut plan::Map,
    ) -> Option<u16> {
        if !scope.written.insert(name.to_owned()) {
            self.add(
                Finding::new(
                    codes::WRITTEN_TWICE,
                    format!("`{name}` is written by two rules of map `{}`", plan.name),
                )
                .at(span, "written again")
                .help("join them: a rule may have several `else`"),
            );
            return None;
        }
        let (custom, ty) = match written {
            Some(written) => {
                (written.custom, Type { optional: !written.required, ..written.place.ty.clone() })
            }
            None => (false, Type::maybe(Base::Record)),
        };
        let index = u16::try_from(plan.targets.len()).ok()?;
        plan.targets.push(plan::Target { name: name.to_owned(), custom, ty });
        Some(index)
    }

    fn written(&mut self, object: &'a Object, rule: &'a ast::Rule) -> Option<Written> {
        match &rule.target {
            RuleTarget::Custom { label, .. } => {
                // What is wrong with it was reported when it was declared.
                let declared = self.custom.get(&object.name, &label.value)?;
                let place = Place {
                    name: format!("`{}`", label.value),
                    ty: Type { base: declared.base.clone(), many: declared.many, optional: true },
                    choices: declared.own_choices(),
                };
                Some(Written {
                    place,
                    required: false,
                    custom: true,
                    name: label.value.clone(),
                    at_least: Fidelity::Exact,
                })
            }
            RuleTarget::Field(name) => {
                if self.reserved(name) {
                    return None;
                }
                let Some(field) = object.field(&name.value) else {
                    self.unknown_target(object, name);
                    return None;
                };
                if let Write::No { hint } = &field.write {
                    self.add(
                        Finding::new(
                            codes::NOT_WRITABLE,
                            format!("`{}.{}` cannot be written", object.name, name.value),
                        )
                        .at(name.span, "the destination's API does not take it")
                        .note(self.target_note())
                        .help(if hint.is_empty() { "remove the rule" } else { hint }),
                    );
                    return None;
                }
                Some(Written {
                    place: Place { name: format!("`{}`", name.value), ty: field.ty.clone(), choices: None },
                    required: field.required,
                    custom: field.custom,
                    name: name.value.clone(),
                    at_least: Fidelity::Exact,
                })
            }
        }
    }

    /// Checks everything right of `<-`; the index of the target is filled in later.
    fn rule_body(
        &mut self,
        scope: &mut Scope<'a>,
        written: Option<&Written>,
        rule: &'a ast::Rule,
    ) -> Option<plan::Rule> {
        let clauses = &rule.clauses;
        let when = clauses.when.as_ref().map(|when| self.condition(scope, when));
        let value = self.expr(scope, &rule.value);
        let label = clauses.labelled.as_ref().map(|label| {
            let place = written.map(|written| &written.place);
            let told = self.findings.len();
            let label = self.label(scope, value.as_ref(), label, place);
            if value.is_none() {
                // What its names mean is not known, since the value that they belong to was not understood.
                self.findings.truncate(told);
            }
            label
        });
        let value = match (value, written) {
            (Some(value), Some(written)) => self.fit(value, &written.place, rule.value.span),
            _ => None,
        };
        let place = written.map(|written| &written.place);
        let else_: Vec<Option<CheckedArm<'a>>> =
            clauses.else_.iter().map(|arm| self.arm(scope, arm, ArmPlace::Else, place)).collect();
        let on_fail = clauses.on_fail.as_ref().map(|arm| self.arm(scope, arm, ArmPlace::OnFail, place));
        let on_unmigrated =
            clauses.on_unmigrated.as_ref().map(|arm| self.arm(scope, arm, ArmPlace::OnUnmigrated, None));
        self.later |= clauses.second_pass.is_some();
        let value = value?;
        let when = when.map_or(Some(None), |when| when.map(Some))?;
        let label = label.map_or(Some(None), |label| label.map(Some))?;
        let else_: Vec<CheckedArm<'a>> = else_.into_iter().collect::<Option<_>>()?;
        let on_fail = on_fail.map_or(Some(None), |arm| arm.map(Some))?;
        let on_unmigrated = on_unmigrated.map_or(Some(None), |arm| arm.map(Some))?;
        let written = written?;

        let fails = value.fails
            || when.as_ref().is_some_and(|when| when.fails)
            || label
                .as_ref()
                .is_some_and(|(label, when)| label.fails || when.as_ref().is_some_and(|w| w.fails))
            || else_.iter().any(|arm| arm.value.as_ref().is_some_and(|value| value.fails));
        let refs = value.refs || else_.iter().any(|arm| arm.value.as_ref().is_some_and(|value| value.refs));
        self.failure(rule, fails, on_fail.as_ref(), &value);
        let paths =
            Paths { value: &value, guarded: when.is_some(), else_: &else_, on_fail: on_fail.as_ref() };
        self.absence(rule, written, &paths, scope.object);
        self.unmigrated(rule, written, refs);
        let mut whole = value;
        if let Some((label, _)) = &label {
            Self::lose(&mut whole, label);
        }
        whole.fidelity = whole.fidelity.max(written.at_least);
        let (fidelity, because) = self.rule_fidelity(rule, &whole);
        Some(plan::Rule {
            target: 0,
            when: when.map(|when| when.expr),
            value: whole.expr,
            label: label
                .map(|(label, when)| plan::Label { value: label.expr, when: when.map(|when| when.expr) }),
            otherwise: else_.into_iter().map(|arm| arm.arm).collect(),
            on_fail: on_fail.map(|arm| arm.arm),
            on_unmigrated: on_unmigrated.map(|arm| arm.arm),
            fidelity,
            because,
            second_pass: clauses.second_pass.is_some(),
            line: self.line(rule.span),
        })
    }

    /// `labelled EXPR when CONDITION`: sees the attributes of the elements that the value is made from.
    fn label(
        &mut self,
        scope: &mut Scope<'a>,
        value: Option<&Typed<'a>>,
        label: &'a ast::Labelled,
        place: Option<&Place>,
    ) -> Option<(Typed<'a>, Option<Typed<'a>>)> {
        if let Some(place) = place
            && !place.ty.many
        {
            self.add(
                Finding::new(
                    codes::TYPE_MISMATCH,
                    format!("{} holds one value, which takes no label", place.name),
                )
                .at(label.span, "only elements of lists have labels")
                .help("remove `labelled`"),
            );
            return None;
        }
        scope.attributes = value.map_or(&[], |value| value.attributes);
        let text = self.expr(scope, &label.value);
        let when = label.when.as_ref().map(|when| self.condition(scope, when));
        scope.attributes = &[];
        let text = text?;
        let is_text = matches!(text.ty.base, Base::Text { .. } | Base::Enum(_)) && !text.ty.many;
        if !is_text || matches!(text.ty.base, Base::Enum(_)) && !text.made {
            let quote = self.quote(label.value.span);
            let help = match text.ty.base {
                Base::Enum(_) => {
                    format!("a code is no text for people: look it up in a table, `TABLE[{quote}]`")
                }
                _ => "write a text".to_owned(),
            };
            self.add(
                Finding::new(codes::TYPE_MISMATCH, format!("a label is a text, not `{}`", text.ty))
                    .at(label.value.span, format!("this is `{}`", text.ty))
                    .help(help),
            );
            return None;
        }
        match when {
            Some(when) => Some((text, Some(when?))),
            None => Some((text, None)),
        }
    }

    fn failure(
        &mut self,
        rule: &'a ast::Rule,
        fails: bool,
        on_fail: Option<&CheckedArm<'a>>,
        value: &Typed<'a>,
    ) {
        match (fails, &rule.clauses.on_fail, on_fail) {
            (true, None, _) => {
                let (name, _) = target_name(&rule.target);
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
    fn absence(
        &mut self,
        rule: &'a ast::Rule,
        written: &Written,
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
            let text = self.quote(rule.value.span);
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
        self.add(
            Finding::new(codes::DEAD_ROW, "this `else` is never reached")
                .at(span, "the one before it always ends the rule")
                .help("remove it"),
        );
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

    fn unmigrated(&mut self, rule: &'a ast::Rule, written: &Written, refs: bool) {
        match (refs, &rule.clauses.on_unmigrated) {
            (true, None) => self.add(
                Finding::new(
                    codes::UNMIGRATED_UNHANDLED,
                    format!("`{}` links to records that may not arrive", written.name),
                )
                .at(rule.value.span, "may lead to a record that was left out or held back")
                .help(
                    "add `on unmigrated flag \"…\"` (no link, listed), `on unmigrated wait` (patched when it \
                     arrives) or `on unmigrated quarantine`",
                ),
            ),
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
                        .help("write `on unmigrated quarantine`"),
                    );
                }
            }
            _ => {}
        }
    }

    /// The edit that removes a clause: its words, which stand before the arm, and the arm.
    fn without_clause(&self, words: &[&str], arm: Span) -> Option<Edit> {
        let mut before = self.input.text.text().get(..arm.start as usize)?;
        for word in words.iter().rev() {
            before = before.trim_end().strip_suffix(word)?;
        }
        let start = before.trim_end().len();
        Some(Edit { span: Span::new(start, arm.end as usize), text: String::new() })
    }

    /// Required fields that no rule writes, and amounts without a currency.
    pub(super) fn required(&mut self, map: &'a ast::Map, target: Option<&'a Object>, plan: &plan::Map) {
        let Some(target) = target else { return };
        let writes = |name: &str| plan.targets.iter().any(|target| target.name == name);
        for field in target.fields.iter().filter(|field| field.required && !writes(&field.name)) {
            self.add(
                Finding::new(
                    codes::REQUIRED_NOT_WRITTEN,
                    format!(
                        "map `{}` writes no `{}`, which `{}` requires",
                        plan.name, field.name, target.name
                    ),
                )
                .at(map.head, format!("`{}` takes `{}`", field.name, field.ty.clone().present()))
                .note(self.target_note())
                .count(counts::exact(plan.records))
                .help(format!("add a rule `{} <- …`", field.name)),
            );
        }
        if target.field(MARKET).is_none() || writes(MARKET) {
            return;
        }
        for line in &map.body {
            let ast::MapLine::Rule(rule) = line else { continue };
            let RuleTarget::Field(name) = &rule.target else { continue };
            let money =
                target.field(&name.value).is_some_and(|field| field.ty.base == Base::Money && !field.custom);
            if money {
                self.add(
                    Finding::new(
                        codes::VALUE_NEEDS_MARKET,
                        format!("`{}` needs a `{MARKET}` beside it, which carries its currency", name.value),
                    )
                    .at(name.span, "in which currency?")
                    .note(self.target_note())
                    .help(format!(
                        "add a rule `{MARKET} <- TABLE[CURRENCY]`, with a table from currencies to markets"
                    )),
                );
            }
        }
    }
}

fn target_name(target: &RuleTarget) -> (&str, Span) {
    match target {
        RuleTarget::Field(name) => (&name.value, name.span),
        RuleTarget::Custom { label, .. } => (&label.value, label.span),
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
