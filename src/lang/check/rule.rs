//! Rules: what they write, what covers absence, failure and links that did not arrive.

use super::arm::{ArmPlace, CheckedArm};
use super::fit::Place;
use super::order::{Edge, Edges};
use super::paths::Paths;
use super::types::{Scope, Typed};
use super::{Checker, counts};
use crate::lang::finding::{Finding, registry as codes};
use crate::lang::plan;
use crate::lang::schema::{Attribute, Object, Write};
use crate::lang::syntax::ast::{self, ArmKind, ExprKind, RuleTarget};
use crate::lang::text::Span;
use crate::lang::types::{Base, Fidelity, Type};

/// The destination field that carries an amount's currency.
const MARKET: &str = "market";

/// What kind of thing a rule writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A field of a record.
    Field,
    /// A custom field of a record.
    Custom,
    /// A column of a line.
    Column,
    /// A note.
    Note,
}

/// What a rule writes.
#[derive(Debug)]
pub(super) struct Written<'a> {
    pub place: Place,
    pub required: bool,
    pub custom: bool,
    pub name: String,
    /// What is lost by where it goes, whatever the value.
    pub at_least: Fidelity,
    /// What the lines of a list hold.
    pub columns: &'a [Attribute],
    /// Where the name stands.
    pub at: Span,
    pub kind: Kind,
}

/// What stands right of `<-`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Body<'e> {
    pub value: &'e ast::Expr,
    pub clauses: &'e ast::Clauses,
    /// The whole rule.
    pub span: Span,
}

impl<'e> Body<'e> {
    pub(super) fn of(rule: &'e ast::Rule) -> Self {
        Body { value: &rule.value, clauses: &rule.clauses, span: rule.span }
    }
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
        let checked = self.rule_body(scope, written.as_ref(), &Body::of(rule));
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
        rule: &ast::Rule,
        at_least: Fidelity,
    ) -> Option<plan::Rule> {
        let (name, at) = target_name(&rule.target);
        let name = name.to_owned();
        let kind = Kind::Note;
        let written =
            Written { place, required: false, custom: false, name, at_least, columns: &[], at, kind };
        self.rule_body(scope, Some(&written), &Body::of(rule))
    }

    /// Runs a check whose findings are of no interest.
    pub(super) fn silently<T>(&mut self, check: impl FnOnce(&mut Self) -> T) -> T {
        let told = self.findings.len();
        let result = check(self);
        self.findings.truncate(told);
        result
    }

    /// Registers what a rule writes, even where the rule itself does not check: it counts as written.
    fn target_index(
        &mut self,
        scope: &mut Scope<'a>,
        name: &str,
        span: Span,
        written: Option<&Written<'a>>,
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

    fn written(&mut self, object: &'a Object, rule: &ast::Rule) -> Option<Written<'a>> {
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
                    columns: &[],
                    at: label.span,
                    kind: Kind::Custom,
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
                    columns: &field.attributes,
                    at: name.span,
                    kind: if field.custom { Kind::Custom } else { Kind::Field },
                })
            }
        }
    }

    /// Checks everything right of `<-`; the index of the target is filled in later.
    pub(super) fn rule_body(
        &mut self,
        scope: &mut Scope<'a>,
        written: Option<&Written<'a>>,
        rule: &Body<'_>,
    ) -> Option<plan::Rule> {
        let clauses = rule.clauses;
        let links = scope.links.len();
        let when = clauses.when.as_ref().map(|when| self.condition(scope, when));
        let value = match &rule.value.kind {
            ExprKind::EachBlock { list, body } => {
                self.line_block(scope, written, list, body, rule.value.span)
            }
            _ => self.expr_for(scope, rule.value, written.map(|written| &written.place)),
        };
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
        let unmigrated_at = match written.map(|written| written.kind) {
            Some(Kind::Column) => ArmPlace::LineUnmigrated,
            _ if clauses.second_pass.is_some() => ArmPlace::LaterUnmigrated,
            _ => ArmPlace::OnUnmigrated,
        };
        let on_unmigrated =
            clauses.on_unmigrated.as_ref().map(|arm| self.arm(scope, arm, unmigrated_at, None));
        self.second_pass(clauses, written);
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
        self.failure(rule, &written.name, fails, on_fail.as_ref(), &value);
        let paths =
            Paths { value: &value, guarded: when.is_some(), else_: &else_, on_fail: on_fail.as_ref() };
        self.absence(rule, written, &paths, scope.object);
        let mut links = scope.links.get(links..).unwrap_or_default().to_vec();
        // What becomes of the record itself is decided once for all maps that it goes to.
        links.retain(|(map, _)| {
            self.maps.get(*map).map(|map| map.source.name.value.as_str())
                != scope.object.map(|object| object.name.as_str())
        });
        self.unmigrated(rule, written, refs, &links);
        self.needless_second_pass(clauses, written, refs);
        self.fallbacks(scope, rule, &value, &else_, on_fail.as_ref());
        let arms = else_.iter().chain(&on_fail).filter_map(|arm| arm.value.as_ref());
        let in_arms = arms.map(|value| value.fidelity).max().unwrap_or_default();
        let mut whole = value;
        if let Some((label, _)) = &label {
            Self::lose(&mut whole, label);
        }
        whole.fidelity =
            whole.fidelity.max(written.at_least).max(self.also_lost(rule, &whole, scope, written));
        self.labels_kept(scope, rule, &whole, written);
        let (fidelity, because) = self.rule_fidelity(rule, &whole, scope, written, in_arms);
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
        label: &ast::Labelled,
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
        let outer = std::mem::replace(&mut scope.attributes, value.map_or(&[], |value| value.attributes));
        let line = scope.line.take();
        let text = self.expr(scope, &label.value);
        let when = label.when.as_ref().map(|when| self.condition(scope, when));
        (scope.attributes, scope.line) = (outer, line);
        let text = text?;
        let is_text = matches!(text.ty.base, Base::Text { .. } | Base::Enum(_)) && !text.ty.many;
        if !is_text || matches!(text.ty.base, Base::Enum(_)) && !text.made {
            let quote = self.code(label.value.span);
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

    /// Required fields that no rule writes, and amounts without a currency.
    pub(super) fn required(&mut self, map: &'a ast::Map, target: Option<&'a Object>, plan: &plan::Map) {
        let Some(target) = target else { return };
        if self.ends_nowhere(map.head) {
            return;
        }
        let unread = self.unread(map.span);
        let writes =
            |name: &str| plan.targets.iter().any(|target| target.name == name) || unread.mentions(name);
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
        self.amount_and_lines(map, target);
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

    /// An amount beside lines that make another one: a `when` says for which records it stands.
    fn amount_and_lines(&mut self, map: &'a ast::Map, target: &'a Object) {
        let rules = || {
            map.body.iter().filter_map(|line| match line {
                ast::MapLine::Rule(rule) => match &rule.target {
                    RuleTarget::Field(name) => Some((rule, name, target.field(&name.value)?)),
                    RuleTarget::Custom { .. } => None,
                },
                _ => None,
            })
        };
        let priced = |column: &Attribute| column.ty.base == Base::Money;
        let Some((_, lines, _)) = rules().find(|(_, _, field)| field.attributes.iter().any(priced)) else {
            return;
        };
        for (rule, name, field) in rules() {
            if field.ty.base == Base::Money && !field.custom && rule.clauses.when.is_none() {
                self.add(
                    Finding::new(
                        codes::AMOUNT_AND_LINES,
                        format!("`{}` and `{}` both say what the record is worth", name.value, lines.value),
                    )
                    .at(name.span, "for which records does this amount stand?")
                    .and_at(lines.span, "the lines have a sum of their own")
                    .help(format!(
                        "add a `when` to `{}` that is true where it wins, such as `when not has LIST`",
                        name.value
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
