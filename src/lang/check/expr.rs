//! Expressions: names in scope, constants, interpolation, conditions.

use super::fit::{Place, USER};
use super::forms::Call;
use super::link::Reference;
use super::meant::instead;
use super::names::{Meant, What};
use super::types::{Scope, Typed, characters, worse};
use super::{Checker, Side};
use crate::lang::finding::{Finding, registry as codes};
use crate::lang::plan::{self, Expr};
use crate::lang::schema::Object;
use crate::lang::syntax::ast::{self, Coded, Comparison, ExprKind, FieldRef, TextPart};
use crate::lang::text::Span;
use crate::lang::types::{Base, Fidelity, Type};
use crate::lang::value::{Currency, Money, Value};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

impl<'a> Checker<'a> {
    /// Checks an expression; `None` where a finding was made and nothing can be said of it.
    pub(super) fn expr(&mut self, scope: &mut Scope<'a>, expr: &ast::Expr) -> Option<Typed<'a>> {
        match &expr.kind {
            ExprKind::Field(field) => self.field(scope, field),
            ExprKind::Text(parts) => self.text(scope, parts),
            ExprKind::Number(number) => Some(Typed::constant(number_value(*number))),
            ExprKind::Percent(fraction) => Some(Typed::constant(Value::Decimal(*fraction))),
            ExprKind::Money(amount, currency) => match Currency::parse(&currency.value) {
                Some(currency) => Some(Typed::constant(Value::Money(Money { amount: *amount, currency }))),
                None => {
                    self.add(
                        Finding::new(
                            codes::BAD_LITERAL,
                            format!("`{}` is not a currency of ISO 4217", currency.value),
                        )
                        .at(currency.span, "no such currency")
                        .help("write its three letters, such as `1500.00 USD`"),
                    );
                    None
                }
            },
            ExprKind::Date(date) => Some(Typed::constant(Value::Date(*date))),
            ExprKind::Bool(value) => Some(Typed::constant(Value::Bool(*value))),
            ExprKind::List(parts) => self.list(scope, parts),
            ExprKind::Call { function, args, method } => {
                self.call(scope, &Call { function, args, method: *method }, expr.span)
            }
            ExprKind::Lookup { table, key } => {
                let index = self.table_index(table);
                let key_span = key.span;
                let key = self.expr(scope, key);
                self.lookup(scope, index?, key?, key_span)
            }
            ExprKind::Ref { many, maps, args, field } => {
                let reference = Reference { many: *many, maps, args, field: field.as_ref() };
                self.reference(scope, &reference, expr.span)
            }
            ExprKind::EachBlock { list, .. } => {
                self.add(
                    Finding::new(codes::LINE_NOT_HERE, "lines in braces are the whole value of a rule")
                        .at(list.span, "inside another expression, or after `else`")
                        .help("write them right of `<-`: `FIELD <- each LIST { … }`"),
                );
                None
            }
            ExprKind::Hole => self.hole(scope, None, expr.span),
            ExprKind::PipelineBy(args) => self.pipeline_by(scope, args, expr.span),
            ExprKind::Has(field) => {
                let typed = self.field(scope, field)?;
                Some(Typed::new(Expr::Has(Box::new(typed.expr)), Type::one(Base::Bool)))
            }
            ExprKind::Not(inner) => {
                let inner = self.condition(scope, inner)?;
                let mut not = Typed::new(Expr::Not(Box::new(inner.expr)), Type::one(Base::Bool));
                not.fails = inner.fails;
                Some(not)
            }
            ExprKind::And(a, b) => self.both(scope, a, b, Expr::And),
            ExprKind::Or(a, b) => self.both(scope, a, b, Expr::Or),
            ExprKind::Compare(how, a, b) => self.compare(scope, *how, a, b),
        }
    }

    fn both(
        &mut self,
        scope: &mut Scope<'a>,
        a: &ast::Expr,
        b: &ast::Expr,
        make: fn(Box<Expr>, Box<Expr>) -> Expr,
    ) -> Option<Typed<'a>> {
        let a = self.condition(scope, a);
        let b = self.condition(scope, b);
        let (a, b) = (a?, b?);
        let mut both = Typed::new(make(Box::new(a.expr), Box::new(b.expr)), Type::one(Base::Bool));
        both.fails = a.fails || b.fails;
        Some(both)
    }

    /// Checks an expression that must be a yes or no which is always there.
    pub(super) fn condition(&mut self, scope: &mut Scope<'a>, expr: &ast::Expr) -> Option<Typed<'a>> {
        let typed = self.expr(scope, expr)?;
        let text = self.code(expr.span);
        let field = matches!(expr.kind, ExprKind::Field(_));
        if typed.ty.base != Base::Bool || typed.ty.many {
            let help = match &expr.kind {
                ExprKind::Field(_) => format!("write `has {text}`, or compare it: `{text} == …`"),
                _ => "compare it with something: `… == …`".to_owned(),
            };
            self.add(
                Finding::new(
                    codes::NOT_A_CONDITION,
                    format!("a condition is a yes or no, not `{}`", typed.ty),
                )
                .at(expr.span, format!("this is `{}`", typed.ty))
                .help(help)
                .fix_where(field.then(|| instead(expr.span, format!("has {}", self.quote(expr.span))))),
            );
            return None;
        }
        if typed.ty.optional {
            self.add(
                Finding::new(
                    codes::ABSENCE_UNHANDLED,
                    format!("`{text}` may be absent, and is no yes or no then"),
                )
                .at(expr.span, "may be absent")
                .help(format!("write `{text} == true`, or `{text} != false` to let absent ones through"))
                .fix_where(field.then(|| instead(expr.span, format!("{} == true", self.quote(expr.span))))),
            );
            return None;
        }
        Some(typed)
    }

    /// Checks an expression whose place is known, for what a `???` is told.
    pub(super) fn expr_for(
        &mut self,
        scope: &mut Scope<'a>,
        expr: &ast::Expr,
        place: Option<&Place>,
    ) -> Option<Typed<'a>> {
        match &expr.kind {
            ExprKind::Hole => self.hole(scope, place, expr.span),
            _ => self.expr(scope, expr),
        }
    }

    /// A field of the record, an attribute of the element at hand, a field of an outer record, or a parameter.
    pub(super) fn field(&mut self, scope: &mut Scope<'a>, field: &FieldRef) -> Option<Typed<'a>> {
        if let Some(params) = scope.params.clone() {
            return self.parameter(&params, field);
        }
        if let Some(owner) = &field.object {
            return self.qualified(scope, owner, &field.field);
        }
        if let Some(code) = &field.field.code
            && let Some(index) = scope.attributes.iter().position(|attribute| attribute.name == code.value)
        {
            let attribute = &scope.attributes[index];
            // INVARIANT: attributes are few; the connectors list at most a handful per field.
            let index = u16::try_from(index).unwrap_or(u16::MAX);
            if scope.line.is_some() {
                scope.line_reads.insert(index);
            }
            return Some(Typed::new(Expr::Attribute(index), attribute.ty.clone()));
        }
        if let Some(line) = scope.line.clone() {
            self.no_column(scope, &line, &field.field);
            return None;
        }
        let Some(object) = scope.object else {
            self.no_record(field.field.span);
            return None;
        };
        self.own_field(scope, object, &field.field)
    }

    /// `deal.CURRENCY_ID`: a field of a record that is named by its object.
    fn qualified(&mut self, scope: &mut Scope<'a>, owner: &ast::Name, field: &Coded) -> Option<Typed<'a>> {
        if let Some(object) = scope.object.filter(|object| object.name == owner.value) {
            return self.own_field(scope, object, field);
        }
        if let Some(object) = scope.outer.as_ref().map(|outer| outer.object)
            && object.name == owner.value
        {
            let slot = self.slot(object, field)?;
            let field = &object.fields[slot];
            let slot = u16::try_from(slot).unwrap_or(u16::MAX);
            if let Some(outer) = &mut scope.outer {
                outer.reads.entry(slot).or_insert_with(|| field.name.clone());
            }
            let mut typed = Typed::new(Expr::Outer(slot), field.ty.clone());
            typed.attributes = &field.attributes;
            return Some(typed);
        }
        let mut names: Vec<&str> = scope.object.iter().map(|object| object.name.as_str()).collect();
        names.extend(scope.outer.as_ref().map(|outer| outer.object.name.as_str()));
        let Some(last) = names.last() else {
            self.no_record(owner.span.to(field.span));
            return None;
        };
        if let (Some(object), Some(code)) = (scope.object, &field.code) {
            self.guess_named(object, &code.value);
        }
        let own = scope.object.is_some_and(|object| object.field(&owner.value).is_some());
        let table = self.table_names.contains_key(owner.value.as_str());
        let code = field.code.as_ref().map(|code| code.value.as_str()).unwrap_or_default();
        let whole = owner.span.to(field.span);
        let called = format!("{}.{code}()", owner.value);
        let looked_up = format!("{}[{code}]", owner.value);
        if let Some(object) = scope.object.filter(|_| own) {
            self.guess_named(object, &owner.value);
        }
        let (help, fix) = match names.as_slice() {
            _ if table => (format!("a table is looked up in brackets: `{looked_up}`"), Some(looked_up)),
            _ if own && crate::lang::functions::find(code).is_some() => {
                (format!("a function is called with parentheses: `{called}`"), Some(called))
            }
            _ if own => (format!("`{}` is a field, which has no fields of its own", owner.value), None),
            [only] => (format!("write `{only}.FIELD`, or `FIELD` alone"), None),
            _ => (format!("write `{last}.FIELD`, or `FIELD` alone for the record that is folded in"), None),
        };
        self.add(
            Finding::new(codes::UNKNOWN_OBJECT, format!("`{}` is not the record at hand", owner.value))
                .at(owner.span, format!("the record at hand is `{}`", names.join("`, inside `")))
                .help(help)
                .fix_where(fix.map(|fix| instead(whole, fix))),
        );
        None
    }

    /// A field of the record at hand.
    fn own_field(&mut self, scope: &mut Scope<'a>, object: &'a Object, field: &Coded) -> Option<Typed<'a>> {
        let slot = self.slot(object, field)?;
        let field = &object.fields[slot];
        // INVARIANT: objects have at most `u16::MAX` fields; `run` refuses others.
        let slot = u16::try_from(slot).unwrap_or(u16::MAX);
        scope.reads.entry(slot).or_insert_with(|| field.name.clone());
        let mut typed = Typed::new(Expr::Slot(slot), field.ty.clone());
        typed.attributes = &field.attributes;
        Some(typed)
    }

    /// The slot of a source field, by code, title or both.
    pub(super) fn slot(&mut self, object: &'a Object, field: &Coded) -> Option<usize> {
        let entries = self.fields_of(object);
        let of = format!("`{}`", object.name);
        let what = What { code: codes::UNKNOWN_FIELD, kind: "field", of: &of, quoted: false };
        self.guessed = None;
        let slot = self.resolve(&entries, field, what);
        if let (None, Some(guessed)) = (slot, self.guessed) {
            self.guess(object, guessed);
        }
        slot
    }

    fn text(&mut self, scope: &mut Scope<'a>, parts: &[TextPart]) -> Option<Typed<'a>> {
        let mut pieces = Vec::with_capacity(parts.len());
        let mut whole = Typed::new(Expr::Concat(Vec::new()), Type::maybe(Base::Text { max: None }));
        let mut max = Some(0u32);
        let mut ok = true;
        let mut constant = Some(String::new());
        for part in parts {
            match part {
                TextPart::Literal(text) => {
                    max = max.and_then(|max| max.checked_add(characters(text)));
                    whole.ty.optional &= text.trim().is_empty();
                    pieces.push(Expr::Const(Value::text(text)));
                    if let Some(constant) = &mut constant {
                        constant.push_str(text);
                    }
                }
                TextPart::Expr(expr) => {
                    constant = None;
                    let Some(part) = self.expr(scope, expr) else {
                        ok = false;
                        continue;
                    };
                    let Some(width) = width(&part.ty) else {
                        ok = false;
                        let text = self.code(expr.span);
                        let help = if part.ty.many {
                            format!("write `{{join(\", \", {text})}}`, or `{{first({text})}}`")
                        } else {
                            "leave it out of the text".to_owned()
                        };
                        self.add(
                            Finding::new(
                                codes::TYPE_MISMATCH,
                                format!("a value of type `{}` cannot stand in a text", part.ty),
                            )
                            .at(expr.span, format!("this is `{}`", part.ty))
                            .help(help),
                        );
                        continue;
                    };
                    max = max.zip(width).and_then(|(max, width)| max.checked_add(width));
                    whole.ty.optional &= part.ty.optional;
                    whole.fidelity = whole.fidelity.max(part.fidelity).max(Fidelity::Reformatted);
                    whole = whole.taint(&part);
                    pieces.push(part.expr);
                }
            }
        }
        if !ok {
            return None;
        }
        if let Some(text) = constant {
            // An empty text is no value.
            return Some(if text.is_empty() {
                Typed::new(Expr::Const(Value::Absent), Type::maybe(Base::Text { max: Some(0) }))
            } else {
                Typed::constant(Value::text(text))
            });
        }
        whole.ty.base = Base::Text { max };
        whole.expr = Expr::Concat(pieces);
        Some(whole)
    }

    fn list(&mut self, scope: &mut Scope<'a>, parts: &[ast::Expr]) -> Option<Typed<'a>> {
        let mut list =
            Typed::new(Expr::List(Vec::new()), Type { base: Base::Record, many: true, optional: true });
        let mut pieces = Vec::with_capacity(parts.len());
        let mut base: Option<Base> = None;
        let mut texts = Some(Vec::new());
        let mut ok = true;
        for part in parts {
            let Some(typed) = self.expr(scope, part) else {
                ok = false;
                continue;
            };
            let joint = match &base {
                None => Some(typed.ty.base.clone()),
                Some(base) => joint(base, &typed.ty.base),
            };
            // Users, codes and stages of the source are others than those of the destination.
            let of_a_system = matches!(typed.ty.base, Base::Enum(_) | Base::User | Base::Stage);
            let alike = !of_a_system || typed.made == list.made;
            let own_user = base == Some(Base::User) && !list.made && typed.ty.base != Base::User;
            let joint = joint.filter(|_| pieces.is_empty() || alike && !own_user);
            match joint {
                Some(joint) => base = Some(joint),
                None => {
                    ok = false;
                    let first = base.as_ref().map(ToString::to_string).unwrap_or_default();
                    self.add(
                        Finding::new(
                            codes::TYPE_MISMATCH,
                            format!("a list of `{first}` cannot hold `{}`", typed.ty.base),
                        )
                        .at(part.span, format!("this is `{}`", typed.ty))
                        .help("bring all elements to one type, such as `.text()`"),
                    );
                    continue;
                }
            }
            list.ty.optional &= typed.ty.optional;
            list.fidelity = list.fidelity.max(typed.fidelity);
            list.made |= typed.made;
            texts = texts.zip(typed.texts.as_deref()).map(|(mut all, more)| {
                all.extend_from_slice(more);
                all
            });
            list = list.taint(&typed);
            pieces.push(typed.expr);
        }
        list.ty.base = base.unwrap_or(Base::Text { max: None });
        list.expr = Expr::List(pieces);
        list.texts = texts.filter(|texts| !texts.is_empty()).map(Into::into);
        ok.then_some(list)
    }

    fn compare(
        &mut self,
        scope: &mut Scope<'a>,
        how: Comparison,
        left: &ast::Expr,
        right: &ast::Expr,
    ) -> Option<Typed<'a>> {
        let a = self.expr(scope, left);
        let b = self.expr(scope, right);
        let (a, b) = (a?, b?);
        let ordered = !matches!(how, Comparison::Equal | Comparison::NotEqual);
        if !comparable(&a.ty, &b.ty, ordered) {
            let help = match (&a.ty.base, &b.ty.base) {
                _ if a.ty.many || b.ty.many => {
                    "a list is compared by `count(…)`, `first(…)` or `contains(…)`".to_owned()
                }
                (Base::Enum(_) | Base::Link(_) | Base::User | Base::Stage, Base::Integer) => {
                    format!("codes and ids are texts: write \"{}\"", self.quote(right.span))
                }
                (Base::Text { .. }, Base::Integer | Base::Decimal) => {
                    format!("write `{}.number()`, or the other side as a text", self.code(left.span))
                }
                _ if ordered => {
                    "numbers, dates and instants have an order; other values only `==` and `!=`".to_owned()
                }
                (Base::Bool, _) => {
                    let subject = self.code(left.span);
                    format!("a yes or no is a condition by itself: `{subject}` or `not {subject}`")
                }
                _ => "bring both sides to one type".to_owned(),
            };
            let code = matches!(&a.ty.base, Base::Enum(_) | Base::Link(_) | Base::User | Base::Stage)
                && b.ty.base == Base::Integer
                && matches!(right.kind, ast::ExprKind::Number(_));
            let quoted = format!("\"{}\"", self.quote(right.span));
            self.add(
                Finding::new(codes::TYPE_MISMATCH, format!("`{}` cannot be compared with `{}`", a.ty, b.ty))
                    .at(left.span.to(right.span), "different types")
                    .help(help)
                    .fix_where(code.then(|| instead(right.span, quoted))),
            );
            return None;
        }
        self.known_code(scope, &a, &b, right.span);
        self.known_code(scope, &b, &a, left.span);
        let mut result = Typed::new(
            Expr::Compare(comparison(how), Box::new(a.expr.clone()), Box::new(b.expr.clone())),
            Type::one(Base::Bool),
        );
        result.fails = a.fails || b.fails;
        Some(result)
    }

    /// A constant that is compared with an enumeration must be one of its values.
    fn known_code(&mut self, scope: &Scope<'a>, subject: &Typed<'a>, constant: &Typed<'a>, span: Span) {
        let Some(Value::Text(code)) = constant.value() else { return };
        match &subject.ty.base {
            Base::Enum(domain) => {
                let side = if subject.made { Side::Target } else { Side::Source };
                let Some(entries) = self.choices_of(side, domain) else { return };
                if entries.code(code).is_none() {
                    let of = format!("`enum({domain})`");
                    let what = What { code: codes::UNKNOWN_VALUE, kind: "value", of: &of, quoted: true };
                    let code = code.to_string();
                    let meant = self.meant(&code, &entries, what);
                    self.unknown(&code, span, meant, what);
                }
            }
            Base::Stage if !subject.made => {
                let Some(object) = scope.object else { return };
                let stages = self.stage_codes(object);
                if !stages.is_empty() && !stages.contains(code.as_str()) {
                    let code = code.to_string();
                    let meant = self.meant_name(&code, stages.iter().copied()).map(|meant| Meant {
                        shown: format!("\"{meant}\""),
                        code: meant.to_owned(),
                        title: None,
                    });
                    let of = format!("`{}`", object.name);
                    let what = What { code: codes::UNKNOWN_STAGE, kind: "stage", of: &of, quoted: true };
                    self.unknown(&code, span, meant, what);
                }
            }
            _ => {}
        }
    }

    /// A `when`, `where` or other condition that may not fail.
    pub(super) fn sure_condition(
        &mut self,
        scope: &mut Scope<'a>,
        expr: &ast::Expr,
        word: &str,
    ) -> Option<Expr> {
        let typed = self.condition(scope, expr)?;
        if typed.fails {
            self.add(
                Finding::new(codes::FAILURE_UNHANDLED, format!("a conversion in this `{word}` may fail"))
                    .at(expr.span, "may fail")
                    .help("compare the field itself, or use a function that cannot fail"),
            );
            return None;
        }
        Some(typed.expr)
    }

    /// What several parts of a line lose together.
    pub(super) fn lose(target: &mut Typed<'a>, other: &Typed<'a>) {
        target.fidelity = target.fidelity.max(other.fidelity);
        target.elsewhere = worse(target.elsewhere.take(), other.elsewhere.clone());
    }
}

/// A number as a value: whole ones are integers.
fn number_value(number: Decimal) -> Value {
    match number.to_i64() {
        Some(whole) if number.scale() == 0 => Value::Int(whole),
        _ => Value::Decimal(number),
    }
}

/// The most characters that a value takes in a text: `None` if it cannot stand in one, `Some(None)` if unbounded.
pub(super) fn width(ty: &Type) -> Option<Option<u32>> {
    if ty.many {
        return None;
    }
    match &ty.base {
        Base::Text { max } => Some(*max),
        // Sign and 19 digits; sign, point, a leading zero and 29 digits; a blank and three letters more.
        Base::Integer => Some(Some(20)),
        Base::Decimal => Some(Some(32)),
        Base::Money => Some(Some(36)),
        Base::Bool => Some(Some(3)),
        // Years have up to four digits and a sign; an instant has a time, a fraction and an offset.
        Base::Date => Some(Some(11)),
        Base::DateTime => Some(Some(42)),
        Base::Phone
        | Base::Email
        | Base::Url
        | Base::Address
        | Base::PersonName
        | Base::User
        | Base::Enum(_)
        | Base::Link(_)
        | Base::AnyLink => Some(None),
        Base::Stage | Base::Ref(_) | Base::AnyRef(_) | Base::File | Base::Record | Base::Opaque(_) => None,
    }
}

/// The destination objects that a link leads to.
fn objects(base: &Base) -> Vec<String> {
    match base {
        Base::Ref(object) => vec![object.clone()],
        Base::AnyRef(objects) => objects.clone(),
        Base::User => vec![USER.to_owned()],
        _ => Vec::new(),
    }
}

/// The type that holds both.
fn joint(a: &Base, b: &Base) -> Option<Base> {
    match (a, b) {
        (a, b) if a == b => Some(a.clone()),
        (Base::Text { max: a }, Base::Text { max: b }) => {
            Some(Base::Text { max: a.zip(*b).map(|(a, b)| a.max(b)) })
        }
        (Base::Text { .. }, Base::Phone | Base::Email | Base::Url)
        | (Base::Phone | Base::Email | Base::Url, Base::Text { .. }) => Some(Base::Text { max: None }),
        (Base::Integer, Base::Decimal) | (Base::Decimal, Base::Integer) => Some(Base::Decimal),
        (Base::Ref(_) | Base::AnyRef(_) | Base::User, Base::Ref(_) | Base::AnyRef(_) | Base::User) => {
            let mut all: Vec<String> = [a, b].into_iter().flat_map(objects).collect();
            all.sort_unstable();
            all.dedup();
            Some(Base::AnyRef(all))
        }
        _ => None,
    }
}

/// Whether two types can be compared, by `==` or in order.
fn comparable(a: &Type, b: &Type, ordered: bool) -> bool {
    if a.many || b.many {
        return false;
    }
    let number = |base: &Base| matches!(base, Base::Integer | Base::Decimal);
    let day = |base: &Base| matches!(base, Base::Date | Base::DateTime);
    let text = |base: &Base| {
        matches!(
            base,
            Base::Text { .. }
                | Base::Enum(_)
                | Base::Stage
                | Base::Link(_)
                | Base::AnyLink
                | Base::User
                | Base::Phone
                | Base::Email
                | Base::Url
        )
    };
    let (a, b) = (&a.base, &b.base);
    if number(a) && number(b) || day(a) && day(b) {
        return true;
    }
    let literal = |base: &Base| matches!(base, Base::Text { .. });
    !ordered
        && (text(a) && text(b) && (a == b || literal(a) || literal(b))
            || a == b && matches!(a, Base::Bool | Base::Money))
}

fn comparison(how: Comparison) -> plan::Comparison {
    match how {
        Comparison::Equal => plan::Comparison::Equal,
        Comparison::NotEqual => plan::Comparison::NotEqual,
        Comparison::Less => plan::Comparison::Less,
        Comparison::AtMost => plan::Comparison::AtMost,
        Comparison::Greater => plan::Comparison::Greater,
        Comparison::AtLeast => plan::Comparison::AtLeast,
    }
}
