//! Values in braces against the place that they stand in.

use jiff::civil::date;
use rust_decimal::Decimal;

use super::{Side, Typer, nearest};
use crate::lang::finding::registry as codes;
use crate::lang::plan::OwnerHow;
use crate::lang::schema::{Attribute, Schema, email_hash};
use crate::lang::suite::spell::anything;
use crate::lang::syntax::ast::{
    Expr, ExprKind, Name, OwnerWho, RecordLit, Rest, StageTarget, TextPart, ValueLit,
};
use crate::lang::text::Span;
use crate::lang::types::{Base, Type};
use crate::lang::value::{
    Address, Currency, Instant, Item, Money, PersonName, RefValue, StageValue, Value, parse,
};

/// A place with what must stand there.
#[derive(Clone, Copy)]
pub(super) struct Place<'p> {
    pub side: Side,
    /// The object, for stages.
    pub object: &'p str,
    pub ty: &'p Type,
    pub attributes: &'p [Attribute],
}

impl Typer<'_> {
    /// A value of a place; what does not fit is a finding.
    pub(super) fn value(&mut self, lit: &ValueLit, place: Place<'_>) -> Option<Value> {
        match lit {
            ValueLit::Absent(_) => Some(Value::Absent),
            ValueLit::List(values, span) => {
                if !place.ty.many {
                    return self.misfit(*span, "a list", place);
                }
                let all: Vec<Option<Value>> = values.iter().map(|value| self.single(value, place)).collect();
                all.into_iter().collect::<Option<Vec<Value>>>().map(Value::list)
            }
            one if place.ty.many => self.single(one, place).map(|value| Value::list(vec![value])),
            one => self.single(one, place),
        }
    }

    fn misfit<T>(&mut self, span: Span, what: &str, place: Place<'_>) -> Option<T> {
        let takes = place.ty;
        let message = format!("{what} does not fit a field of type `{takes}`");
        let help = match place.ty.base {
            Base::Money => "write an amount with its currency: `1500.00 USD`".to_owned(),
            Base::Date => "write a day: `2027-01-31`".to_owned(),
            Base::DateTime => "write an instant with its offset: \"2027-01-31T12:00:00+03:00\"".to_owned(),
            Base::Bool => "write `true` or `false`".to_owned(),
            Base::Stage if place.side == Side::Target => {
                "write `stage \"NAME\"`, `won \"NAME\"`, `lost \"NAME\"` or `cancelled \"NAME\"`".to_owned()
            }
            Base::User => "write `user dismissed`, `user otherwise`, or an e-mail address".to_owned(),
            Base::Ref(_) | Base::AnyRef(_) => "write `ref MAP(\"KEY\")`".to_owned(),
            Base::Address => "write its parts: `{ line1: \"Main Street 1\", city: \"Boston\" }`".to_owned(),
            Base::Record => "write a record of its columns in braces".to_owned(),
            _ => format!("write a value of type `{}`, or `absent`", place.ty),
        };
        self.add(codes::FIXTURE_VALUE, span, message, "this value", help);
        None
    }

    fn single(&mut self, lit: &ValueLit, place: Place<'_>) -> Option<Value> {
        match lit {
            ValueLit::Absent(span) | ValueLit::List(_, span) => self.misfit(*span, "it as an element", place),
            ValueLit::User(who) => match place.ty.base {
                Base::User | Base::AnyRef(_) => self.user(&who.value, who.span, place),
                _ => self.misfit(who.span, "a user", place),
            },
            ValueLit::Stage(stage) if place.side == Side::Target && place.ty.base == Base::Stage => {
                self.stage(&stage.value, stage.span, place)
            }
            ValueLit::Stage(stage) => self.misfit(stage.span, "a stage of the destination", place),
            ValueLit::Record(record) => self.row(record, place),
            ValueLit::Expr(expr) => {
                let value = self.literal(expr, place)?;
                Some(if place.side == Side::Source { self.with_attributes(value, place) } else { value })
            }
        }
    }

    /// An element of a source list has its attributes, plain ones where the test names none.
    fn with_attributes(&self, value: Value, place: Place<'_>) -> Value {
        if place.attributes.is_empty() {
            return value;
        }
        let attr = |attribute: &Attribute| {
            if attribute.ty.optional {
                return Value::Absent;
            }
            plain(self.input.source, place.object, &attribute.ty.base).unwrap_or_default()
        };
        Value::Item(Box::new(Item { value, attrs: place.attributes.iter().map(attr).collect() }))
    }

    /// `{ value: "+1 …", VALUE_TYPE: "WORK" }`, the columns of a row, or the parts of an address.
    fn row(&mut self, record: &RecordLit, place: Place<'_>) -> Option<Value> {
        let has_value = place.ty.base != Base::Record;
        if place.ty.base == Base::Address && record.fields.iter().all(|field| !names(field, "value")) {
            return self.address(record, place);
        }
        let labelled = place.side == Side::Target && has_value;
        if place.attributes.is_empty() && !labelled {
            return self.misfit(record.span, "a record in braces", place);
        }
        let open = match &record.rest {
            Rest::None => false,
            Rest::Any(_) if place.side == Side::Target && !has_value => true,
            Rest::Any(span) => return self.no_rest(*span),
            Rest::Of(name) => return self.no_rest(name.span),
        };
        let mut value = Value::Absent;
        let label = [Attribute { name: "label".to_owned(), ty: Type::text().or_absent() }];
        let attributes = if labelled { &label[..] } else { place.attributes };
        let mut attrs: Vec<Option<Value>> = vec![None; attributes.len()];
        let own = Type { many: false, ..place.ty.clone() };
        for field in &record.fields {
            let name = field.field.code.as_ref().or(field.field.title.as_ref());
            let name = name.map(|name| name.value.as_str()).unwrap_or_default();
            if let Some(index) = attributes.iter().position(|attribute| attribute.name == name) {
                let inner = Place { ty: &attributes[index].ty, attributes: &[], ..place };
                attrs[index] = Some(self.value(&field.value, inner)?);
            } else if name == "value" && has_value {
                value = self.value(&field.value, Place { ty: &own, attributes: &[], ..place })?;
            } else {
                let known = attributes.iter().map(|attribute| attribute.name.as_str());
                self.unknown_field("an element", &field.field, known.chain(has_value.then_some("value")));
                return None;
            }
        }
        if has_value && value.is_absent() {
            return self.misfit(record.span, "an element without `value`", place);
        }
        // A label that is not named may be any.
        if labelled && attrs.iter().all(Option::is_none) {
            return Some(value);
        }
        let attrs = attributes.iter().zip(attrs).map(|(attribute, named)| match named {
            Some(named) => named,
            None if open => anything(),
            None if attribute.ty.optional || place.side == Side::Target => Value::Absent,
            None => plain(self.input.source, place.object, &attribute.ty.base).unwrap_or_default(),
        });
        Some(Value::Item(Box::new(Item { value, attrs: attrs.collect() })))
    }

    fn no_rest<T>(&mut self, span: Span) -> Option<T> {
        let help = "name what the line holds; what is not named is absent".to_owned();
        let message = "dots have no meaning in this record".to_owned();
        self.add(codes::LINE_NOT_HERE, span, message, "not here", help);
        None
    }

    /// `{ line1: "Main Street 1", city: "Boston" }`; parts that are not named are empty.
    fn address(&mut self, record: &RecordLit, place: Place<'_>) -> Option<Value> {
        match &record.rest {
            Rest::None => {}
            Rest::Any(span) => return self.no_rest(*span),
            Rest::Of(name) => return self.no_rest(name.span),
        }
        let mut address = Address::default();
        for field in &record.fields {
            let name = field.field.code.as_ref().map(|name| name.value.as_str()).unwrap_or_default();
            let part = match name {
                "line1" => &mut address.line1,
                "line2" => &mut address.line2,
                "city" => &mut address.city,
                "region" => &mut address.region,
                "postal_code" => &mut address.postal_code,
                "country" => &mut address.country,
                _ => {
                    let known = ["line1", "line2", "city", "region", "postal_code", "country"];
                    self.unknown_field("an address", &field.field, known.into_iter());
                    return None;
                }
            };
            let text = Type::text();
            let inner = Place { ty: &text, attributes: &[], ..place };
            match self.value(&field.value, inner)? {
                Value::Text(text) => *part = text,
                _ => return self.misfit(field.span, "this part of an address", inner),
            }
        }
        Some(Value::Address(Box::new(address)))
    }

    fn user(&mut self, who: &OwnerWho, span: Span, place: Place<'_>) -> Option<Value> {
        let schema = if place.side == Side::Source { self.input.source } else { self.input.target };
        let owners = self.input.plan.map(|plan| &plan.owners);
        let by_how = |how: OwnerHow| {
            let mut users = owners.iter().flat_map(|owners| &owners.users);
            users.find(|(_, owner)| owner.how == how).map(|(id, _)| id.clone())
        };
        let found = match (who, place.side) {
            (OwnerWho::Email(email), _) => {
                let hash = email_hash(&schema.salt, email);
                let mut users = schema.users.iter();
                users.find(|user| user.email_hash.as_deref() == Some(&*hash)).map(|user| user.id.clone())
            }
            (OwnerWho::Dismissed, Side::Source) => by_how(OwnerHow::Dismissed)
                .or_else(|| schema.users.iter().find(|user| !user.active).map(|user| user.id.clone())),
            // A user that the snapshot does not know is nobody in particular.
            (OwnerWho::Otherwise, Side::Source) => {
                by_how(OwnerHow::Otherwise).or_else(|| Some("0".to_owned()))
            }
            (OwnerWho::Dismissed | OwnerWho::Otherwise, Side::Target) => {
                return self.misfit(span, "a user of the source", place);
            }
        };
        if found.is_none() {
            let system = if place.side == Side::Source { "source" } else { "destination" };
            let message = format!("the {system} has no such user");
            let help = "compare the address with the users of that system".to_owned();
            self.add(codes::UNKNOWN_USER, span, message, "no such user", help);
        }
        found.map(Value::text)
    }

    fn stage(&mut self, stage: &StageTarget, span: Span, place: Place<'_>) -> Option<Value> {
        let pipelines = || self.input.target.pipelines.iter().filter(|p| p.object == place.object);
        let (value, known) = match stage {
            StageTarget::Stage(name) => {
                let known = pipelines().any(|p| p.stages.iter().any(|stage| stage.name == name.value));
                (
                    StageValue { pipeline: String::new(), stage: Some(name.value.clone()), outcome: None },
                    known,
                )
            }
            StageTarget::Outcome(kind, name) => {
                let outcome = (*kind, name.value.clone());
                let fits = |o: &crate::lang::schema::Outcome| o.kind == *kind && o.name == name.value;
                let known = pipelines().any(|p| p.outcomes.iter().any(fits));
                (StageValue { pipeline: String::new(), stage: None, outcome: Some(outcome) }, known)
            }
            StageTarget::Arm(_) => return self.misfit(span, "an arm", place),
        };
        if !known {
            let help = "name a stage or an outcome of the destination's snapshot".to_owned();
            let message = "no pipeline of the destination has this stage".to_owned();
            self.add(codes::UNKNOWN_STAGE, span, message, "no such stage or outcome", help);
            return None;
        }
        Some(Value::Stage(Box::new(value)))
    }

    fn literal(&mut self, expr: &Expr, place: Place<'_>) -> Option<Value> {
        let base = &place.ty.base;
        let found = match &expr.kind {
            ExprKind::Text(parts) => {
                let mut text = String::new();
                for part in parts {
                    match part {
                        TextPart::Literal(literal) => text.push_str(literal),
                        TextPart::Expr(_) => return self.misfit(expr.span, "a text with `{…}` in it", place),
                    }
                }
                return self.text(&text, expr.span, place);
            }
            ExprKind::Number(number) => number_of(*number, base),
            ExprKind::Percent(share) => (*base == Base::Decimal).then_some(Value::Decimal(*share)),
            ExprKind::Money(amount, code) => Currency::parse(&code.value)
                .filter(|_| *base == Base::Money)
                .map(|currency| Value::Money(Money { amount: *amount, currency })),
            ExprKind::Date(day) => (*base == Base::Date).then_some(Value::Date(*day)),
            ExprKind::Bool(yes) => (*base == Base::Bool).then_some(Value::Bool(*yes)),
            ExprKind::Ref { maps, args, .. } => return self.link(maps, args, expr.span, place),
            _ => None,
        };
        if found.is_none() {
            let written = format!("`{}`", self.input.text.slice(expr.span));
            return self.misfit(expr.span, &written, place);
        }
        found
    }

    fn text(&mut self, text: &str, span: Span, place: Place<'_>) -> Option<Value> {
        let shown = format!("\"{text}\"");
        let schema = if place.side == Side::Source { self.input.source } else { self.input.target };
        let found = match &place.ty.base {
            Base::Text { max } => {
                let fits = max.is_none_or(|max| text.chars().count() <= max as usize);
                fits.then(|| Value::text(text))
            }
            Base::Integer => decimal(text).and_then(|number| number_of(number, &Base::Integer)),
            Base::Decimal => decimal(text).map(Value::Decimal),
            Base::Money => text.rsplit_once([' ', '|']).and_then(|(amount, code)| {
                let (amount, currency) = (decimal(amount)?, Currency::parse(code)?);
                Some(Value::Money(Money { amount, currency }))
            }),
            Base::Bool => match text {
                "Y" | "true" => Some(Value::Bool(true)),
                "N" | "false" => Some(Value::Bool(false)),
                _ => None,
            },
            Base::Date => parse::date(text).map(Value::Date),
            Base::DateTime => Instant::parse(text).map(Value::Instant),
            Base::PersonName => Some(match text.split_once(' ') {
                Some((given, family)) if place.side == Side::Source => {
                    Value::Name(Box::new(PersonName { given: given.into(), family: family.into() }))
                }
                _ => Value::text(text),
            }),
            Base::Enum(name) => {
                let domain = schema.domains.get(name);
                let known = domain.is_none_or(|d| d.open || d.choices.iter().any(|c| c.code == text));
                if !known {
                    let names = domain.into_iter().flat_map(|d| &d.choices).map(|c| c.code.as_str());
                    let help = nearest(text, names).unwrap_or_else(|| {
                        "name a value of the snapshot; those born later come with `test every row`".to_owned()
                    });
                    let message = format!("`{name}` has no value {shown}");
                    self.add(codes::FIXTURE_VALUE, span, message, "no such value", help);
                    return None;
                }
                Some(Value::text(text))
            }
            Base::Stage if place.side == Side::Source => {
                let pipelines = schema.pipelines.iter().filter(|p| p.object == place.object);
                let stages: Vec<&str> =
                    pipelines.flat_map(|p| p.stages.iter().map(|stage| stage.code.as_str())).collect();
                if !stages.contains(&text) {
                    let help = nearest(text, stages.into_iter())
                        .unwrap_or_else(|| "name a stage of the source's snapshot".to_owned());
                    let message = format!("`{}` has no stage {shown}", place.object);
                    self.add(codes::FIXTURE_VALUE, span, message, "no such stage", help);
                    return None;
                }
                Some(Value::text(text))
            }
            Base::User if text.contains('@') => {
                return self.user(&OwnerWho::Email(text.to_owned()), span, place);
            }
            // A link that may lead to a user: users have no map, so their own ids stand for them.
            Base::AnyRef(of) if of.iter().any(|object| object == "user") && !text.contains('/') => {
                if text.contains('@') {
                    return self.user(&OwnerWho::Email(text.to_owned()), span, place);
                }
                Some(Value::text(text))
            }
            Base::User | Base::Link(_) | Base::Opaque(_) | Base::File => Some(Value::text(text)),
            Base::Email | Base::Phone | Base::Url => Some(Value::text(text)),
            Base::AnyLink => text.contains('/').then(|| Value::text(text)),
            Base::Stage | Base::Address | Base::Ref(_) | Base::AnyRef(_) | Base::Record => None,
        };
        if found.is_none() {
            return self.misfit(span, &shown, place);
        }
        found
    }

    /// `ref company("7")`: a link of the source, or what it becomes.
    fn link(&mut self, maps: &[Name], args: &[Expr], span: Span, place: Place<'_>) -> Option<Value> {
        let key = match args.first().map(|arg| &arg.kind) {
            Some(ExprKind::Text(parts)) => parts.iter().try_fold(String::new(), |key, part| match part {
                TextPart::Literal(text) => Some(key + text),
                TextPart::Expr(_) => None,
            }),
            Some(ExprKind::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        let (Some(key), [map]) = (key, maps) else {
            return self.misfit(span, "a link without one map and one key", place);
        };
        let plan = self.input.plan;
        let index = plan.and_then(|plan| plan.maps.iter().position(|known| known.name == map.value));
        let object = index.and_then(|i| plan.map(|plan| plan.maps[i].source.as_str())).unwrap_or(&map.value);
        match (&place.ty.base, index) {
            (Base::Link(to), _) if to == object => Some(Value::text(key)),
            (Base::AnyLink, _) => Some(Value::text(format!("{object}/{key}"))),
            (Base::Ref(_) | Base::AnyRef(_), Some(index)) => Some(Value::Ref(Box::new(RefValue {
                map: u16::try_from(index).ok()?,
                others: Vec::new(),
                key: key.into(),
                field: None,
            }))),
            (Base::Ref(_) | Base::AnyRef(_), None) => {
                // Without a plan maps are not known, and what is wrong is said elsewhere.
                let plan = plan?;
                let help = nearest(&map.value, plan.maps.iter().map(|map| map.name.as_str()))
                    .unwrap_or_else(|| "name a map of the spec".to_owned());
                let message = format!("no map `{}`", map.value);
                self.add(codes::UNKNOWN_MAP, map.span, message, "no such map", help);
                None
            }
            _ => self.misfit(span, "a link", place),
        }
    }
}

/// Whether a field of a record has this name.
fn names(field: &crate::lang::syntax::ast::FieldLit, name: &str) -> bool {
    field.field.code.as_ref().is_some_and(|code| code.value == name)
}

/// A number as people or the source write it; the largest ones have digits for the latter alone.
fn decimal(text: &str) -> Option<Decimal> {
    parse::decimal(text).or_else(|| Decimal::from_str_exact(text).ok())
}

fn number_of(number: Decimal, base: &Base) -> Option<Value> {
    match base {
        Base::Decimal => Some(Value::Decimal(number)),
        Base::Integer if number.fract().is_zero() => i64::try_from(number.trunc()).ok().map(Value::Int),
        Base::Link(_) | Base::User => Some(Value::text(number.to_string())),
        _ => None,
    }
}

/// A value of a type that says nothing in particular; a text has none.
pub(in crate::lang::suite) fn plain(schema: &Schema, object: &str, base: &Base) -> Option<Value> {
    Some(match base {
        Base::Integer => Value::Int(0),
        Base::Decimal => Value::Decimal(Decimal::ZERO),
        Base::Money => Value::Money(Money { amount: Decimal::ZERO, currency: Currency::parse("USD")? }),
        Base::Bool => Value::Bool(false),
        Base::Date => Value::Date(date(2026, 1, 1)),
        Base::DateTime => Value::Instant(Instant::parse("2026-01-01T00:00:00+00:00")?),
        Base::Enum(name) => Value::text(&schema.domains.get(name)?.choices.first()?.code),
        Base::Stage => {
            let pipeline = schema.pipelines.iter().find(|pipeline| pipeline.object == object)?;
            Value::text(&pipeline.stages.first()?.code)
        }
        Base::User => Value::text(&schema.users.iter().find(|user| user.active)?.id),
        _ => return None,
    })
}
