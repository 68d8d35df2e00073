//! Records in braces against the schemas: names, values, what must be there.
//!
//! `..default` makes every unnamed field absent; one that the system always fills gets a plain value of its type (the
//! first choice, the first stage, `no`, nought, a fixed day). A text has no plain value: it must be named.

use std::collections::HashMap;

use jiff::civil::date;
use rust_decimal::Decimal;

use super::Input;
use super::world::GivenRecord;
use crate::lang::finding::{Code, Finding, registry as codes};
use crate::lang::plan::OwnerHow;
use crate::lang::schema::{Attribute, Field, Object, Schema, email_hash};
use crate::lang::syntax::ast::{
    Coded, Expr, ExprKind, Fixture, Given, Item as AstItem, Name, OwnerWho, RecordLit, Rest, StageTarget,
    TestEveryRow, TextPart, ValueLit,
};
use crate::lang::text::Span;
use crate::lang::types::{Base, Type};
use crate::lang::value::{
    Currency, Instant, Item, Money, PersonName, Record, RefValue, StageValue, Value, parse,
};

/// A record that a test expects.
pub(super) struct Expected {
    /// The destination object.
    pub object: String,
    /// Fields with what they must hold.
    pub fields: Vec<(String, Value)>,
    /// Whether other fields may hold anything.
    pub open: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Source,
    Target,
}

/// Types records of one spec.
pub(super) struct Typer<'a> {
    input: Input<'a>,
    fixtures: HashMap<&'a str, &'a Fixture>,
    pub findings: Vec<Finding>,
    /// For keys that a record does not name.
    keys: i64,
}

/// A place with what must stand there.
#[derive(Clone, Copy)]
struct Place<'p> {
    side: Side,
    /// The object, for stages.
    object: &'p str,
    ty: &'p Type,
    attributes: &'p [Attribute],
}

impl<'a> Typer<'a> {
    pub(super) fn new(input: Input<'a>) -> Self {
        let fixtures = input.spec.items.iter().filter_map(|item| match item {
            AstItem::Fixture(fixture) => Some((fixture.name.value.as_str(), fixture)),
            _ => None,
        });
        Typer { input, fixtures: fixtures.collect(), findings: Vec::new(), keys: 1_000_000 }
    }

    fn add(&mut self, code: Code, span: Span, message: String, label: &str, help: String) {
        self.findings.push(Finding::new(code, message).at(span, label).help(help));
    }

    /// Types a fixture by itself.
    pub(super) fn fixture(&mut self, fixture: &Fixture) {
        let first = self.fixtures.get(fixture.name.value.as_str()).map(|first| first.name.span);
        if let Some(first) = first.filter(|first| *first != fixture.name.span) {
            self.findings.push(
                Finding::new(codes::DUPLICATE_ITEM, format!("fixture `{}` stands twice", fixture.name.value))
                    .at(fixture.name.span, "the second one")
                    .and_at(first, "the first one")
                    .help("rename one of them"),
            );
        }
        self.source_record(&fixture.object.name, &fixture.record);
    }

    /// A given record, where it can be read; what is wrong with it is among the findings.
    pub(super) fn given(&mut self, given: &Given) -> Option<GivenRecord> {
        let name = &given.object.name;
        match &given.record {
            Some(record) => self.source_record(name, record),
            None => {
                let fixture = self.fixture_of(name)?;
                // What is wrong with the fixture itself is said where it stands.
                let before = self.findings.len();
                let record = self.source_record(&fixture.object.name, &fixture.record);
                self.findings.truncate(before);
                record
            }
        }
    }

    fn fixture_of(&mut self, name: &Name) -> Option<&'a Fixture> {
        if let Some(fixture) = self.fixtures.get(name.value.as_str()) {
            return Some(fixture);
        }
        let meant = nearest(&name.value, self.fixtures.keys().copied());
        let help = meant.unwrap_or_else(|| format!("add `fixture {} = OBJECT {{ … }}`", name.value));
        self.add(
            codes::UNKNOWN_FIXTURE,
            name.span,
            format!("no fixture `{}`", name.value),
            "no such fixture",
            help,
        );
        None
    }

    fn source_record(&mut self, name: &Name, lit: &RecordLit) -> Option<GivenRecord> {
        let schema = self.input.source;
        let Some(object) = schema.object(&name.value) else {
            let meant = nearest(&name.value, schema.objects.iter().map(|object| object.name.as_str()));
            let help = meant.unwrap_or_else(|| "name an object of the source's snapshot".to_owned());
            let message = format!("the source has no object `{}`", name.value);
            self.add(codes::UNKNOWN_OBJECT, name.span, message, "no such object", help);
            return None;
        };
        let mut named: Vec<Option<Value>> = vec![None; object.fields.len()];
        let derives = self.fill(object, lit, &mut named, &mut Vec::new())?;
        let mut record: Record = Vec::with_capacity(named.len());
        let mut missing = Vec::new();
        for (slot, (field, value)) in object.fields.iter().zip(named).enumerate() {
            record.push(match value {
                Some(value) => {
                    if value.is_absent() && !field.ty.optional {
                        missing.push(field.name.as_str());
                    }
                    value
                }
                None if field.ty.optional => Value::Absent,
                None if derives => match self.derived(object, field, slot) {
                    Some(value) => value,
                    None => {
                        missing.push(field.name.as_str());
                        Value::Absent
                    }
                },
                None => {
                    missing.push(field.name.as_str());
                    Value::Absent
                }
            });
        }
        if !missing.is_empty() {
            let names: Vec<String> = missing.iter().map(|name| format!("`{name}`")).collect();
            self.add(
                codes::FIXTURE_INCOMPLETE,
                lit.span,
                format!("a `{}` always has {}", object.name, names.join(", ")),
                "this record lacks it",
                if derives {
                    "name the field with a value".to_owned()
                } else {
                    "name the field with a value, or end the record with `..default`".to_owned()
                },
            );
        }
        Some(GivenRecord { object: object.name.clone(), record })
    }

    /// Fills slots with what a record names, its own fields before those it takes over. Gives whether the rest is
    /// derived; `None` where the chain of fixtures cannot be followed.
    fn fill(
        &mut self,
        object: &'a Object,
        lit: &RecordLit,
        slots: &mut [Option<Value>],
        chain: &mut Vec<String>,
    ) -> Option<bool> {
        let mut seen: Vec<usize> = Vec::new();
        for field in &lit.fields {
            let Some(slot) = self.slot(object, &field.field) else { continue };
            if seen.contains(&slot) {
                let message = format!("`{}` stands twice", object.fields[slot].name);
                let help = "keep one of them".to_owned();
                self.add(codes::DUPLICATE_ITEM, field.span, message, "the second one", help);
                continue;
            }
            seen.push(slot);
            let shape = &object.fields[slot];
            let place = Place {
                side: Side::Source,
                object: &object.name,
                ty: &shape.ty,
                attributes: &shape.attributes,
            };
            let value = self.value(&field.value, place);
            if slots[slot].is_none() {
                // A value that does not fit is said once; the field is not missing for all that.
                slots[slot] = Some(match value {
                    Some(value) => value,
                    None => self.derived(object, shape, slot).unwrap_or_else(|| Value::text("?")),
                });
            }
        }
        match &lit.rest {
            Rest::None => Some(false),
            Rest::Any(span) => {
                let help = "write `..default`, or the name of a fixture after the dots".to_owned();
                let message = "a given record says what it holds".to_owned();
                self.add(codes::LINE_NOT_HERE, *span, message, "for `expect` only", help);
                Some(true)
            }
            Rest::Of(name) if name.value == "default" => Some(true),
            Rest::Of(name) => {
                let fixture = self.fixture_of(name)?;
                if chain.contains(&name.value) {
                    let help = "let one of them end with `..default`".to_owned();
                    let message = format!("fixture `{}` takes itself over", name.value);
                    self.add(codes::UNKNOWN_FIXTURE, name.span, message, "the circle closes here", help);
                    return None;
                }
                if fixture.object.name.value != object.name {
                    let message = format!("fixture `{}` is no `{}`", name.value, object.name);
                    let help = format!("it is a `{}`", fixture.object.name.value);
                    self.add(codes::FIXTURE_VALUE, name.span, message, "of another object", help);
                    return None;
                }
                chain.push(name.value.clone());
                let before = self.findings.len();
                let rest = self.fill(object, &fixture.record, slots, chain);
                if rest.is_some() {
                    self.findings.truncate(before);
                }
                rest
            }
        }
    }

    fn slot(&mut self, object: &Object, coded: &Coded) -> Option<usize> {
        let found = match (&coded.code, &coded.title) {
            (Some(code), _) => object.slot(&code.value),
            (None, Some(title)) => {
                object.fields.iter().position(|f| f.title.as_deref() == Some(title.value.as_str()))
            }
            (None, None) => None,
        };
        if found.is_none() {
            let names = object.fields.iter().flat_map(|f| [Some(f.name.as_str()), f.title.as_deref()]);
            self.unknown_field(&object.name, coded, names.flatten());
        }
        found
    }

    fn unknown_field<'n>(&mut self, object: &str, coded: &Coded, names: impl Iterator<Item = &'n str>) {
        let wanted =
            coded.code.as_ref().or(coded.title.as_ref()).map(|n| n.value.as_str()).unwrap_or_default();
        let help = nearest(wanted, names).unwrap_or_else(|| "look the fields up in the snapshot".to_owned());
        let message = format!("`{object}` has no field `{wanted}`");
        self.add(codes::UNKNOWN_FIELD, coded.span, message, "no such field", help);
    }

    /// The destination object of this name.
    pub(super) fn target_object(&mut self, name: &Name) -> Option<&'a Object> {
        let schema = self.input.target;
        let found = schema.object(&name.value);
        if found.is_none() {
            let meant = nearest(&name.value, schema.objects.iter().map(|object| object.name.as_str()));
            let help = meant.unwrap_or_else(|| "name an object of the destination's snapshot".to_owned());
            let message = format!("the destination has no object `{}`", name.value);
            self.add(codes::UNKNOWN_OBJECT, name.span, message, "no such object", help);
        }
        found
    }

    /// An expected record.
    pub(super) fn expected(&mut self, name: &Name, lit: &RecordLit) -> Option<Expected> {
        let object = self.target_object(name)?;
        let open = matches!(lit.rest, Rest::Any(_));
        if let Rest::Of(rest) = &lit.rest
            && rest.value != "default"
        {
            let help = "write `..` to let other fields hold anything".to_owned();
            let message = "an expected record takes over no fixture".to_owned();
            self.add(codes::LINE_NOT_HERE, rest.span, message, "for given records only", help);
        }
        let mut fields = Vec::new();
        for field in &lit.fields {
            let Some((name, ty, attributes)) = self.target_field(object, &field.field) else { continue };
            let place = Place { side: Side::Target, object: &object.name, ty: &ty, attributes: &attributes };
            if let Some(value) = self.value(&field.value, place) {
                fields.push((name, value));
            }
        }
        Some(Expected { object: object.name.clone(), fields, open })
    }

    /// A field of the destination, or a custom field that the plan makes.
    fn target_field(&mut self, object: &'a Object, coded: &Coded) -> Option<(String, Type, Vec<Attribute>)> {
        let wanted = coded.code.as_ref().or(coded.title.as_ref())?.value.as_str();
        if let Some(field) = object.field(wanted) {
            return Some((field.name.clone(), field.ty.clone(), field.attributes.clone()));
        }
        let plan = self.input.plan?;
        let maps = plan.maps.iter().filter(|map| map.target == object.name);
        let custom: Vec<_> = maps.flat_map(|map| &map.targets).filter(|target| target.custom).collect();
        if let Some(target) = custom.iter().find(|target| target.name == wanted) {
            return Some((target.name.clone(), target.ty.clone(), Vec::new()));
        }
        let names = object.fields.iter().map(|field| field.name.as_str());
        self.unknown_field(&object.name, coded, names.chain(custom.iter().map(|t| t.name.as_str())));
        None
    }

    /// Whether `test every row` names a table or a pipeline.
    pub(super) fn rows_named(&mut self, every: &TestEveryRow) {
        let names: Vec<&str> = self
            .input
            .spec
            .items
            .iter()
            .filter_map(|item| match item {
                AstItem::Table(table) => Some(table.name.value.as_str()),
                AstItem::Pipeline(pipeline) => Some(pipeline.name.value.as_str()),
                _ => None,
            })
            .collect();
        if !names.contains(&every.name.value.as_str()) {
            let help = nearest(&every.name.value, names.into_iter())
                .unwrap_or_else(|| "name a `table` or a `pipeline` of the spec".to_owned());
            let message = format!("no table or pipeline `{}`", every.name.value);
            self.add(codes::UNKNOWN_TABLE, every.name.span, message, "nothing of this name", help);
        }
    }

    /// A plain value for a field that the system always fills.
    fn derived(&mut self, object: &Object, field: &Field, slot: usize) -> Option<Value> {
        let plan = self.input.plan;
        let is_key = plan.is_some_and(|plan| {
            let maps = plan.maps.iter().map(|map| (&map.source, map.key));
            let folded = plan.flattens.iter().map(|flatten| (&flatten.source, flatten.key));
            maps.chain(folded).any(|(source, key)| *source == object.name && usize::from(key) == slot)
        });
        if is_key {
            self.keys += 1;
            return Some(match field.ty.base {
                Base::Integer => Value::Int(self.keys),
                _ => Value::text(self.keys.to_string()),
            });
        }
        let value = plain(self.input.source, &object.name, &field.ty.base)?;
        Some(if field.ty.many { Value::List(vec![value]) } else { value })
    }

    /// A value of a place; what does not fit is a finding.
    fn value(&mut self, lit: &ValueLit, place: Place<'_>) -> Option<Value> {
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

    /// `{ value: "+1 …", VALUE_TYPE: "WORK" }`, or the columns of a row.
    fn row(&mut self, record: &RecordLit, place: Place<'_>) -> Option<Value> {
        let has_value = place.ty.base != Base::Record;
        let labelled = place.side == Side::Target && has_value;
        if place.attributes.is_empty() && !labelled {
            return self.misfit(record.span, "a record in braces", place);
        }
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
        let attrs = attributes.iter().zip(attrs).map(|(attribute, named)| match named {
            Some(named) => named,
            None if attribute.ty.optional || place.side == Side::Target => Value::Absent,
            None => plain(self.input.source, place.object, &attribute.ty.base).unwrap_or_default(),
        });
        Some(Value::Item(Box::new(Item { value, attrs: attrs.collect() })))
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
            Base::Integer => parse::decimal(text).and_then(|number| number_of(number, &Base::Integer)),
            Base::Decimal => parse::decimal(text).map(Value::Decimal),
            Base::Money => text.rsplit_once([' ', '|']).and_then(|(amount, code)| {
                let (amount, currency) = (parse::decimal(amount)?, Currency::parse(code)?);
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

fn number_of(number: Decimal, base: &Base) -> Option<Value> {
    match base {
        Base::Decimal => Some(Value::Decimal(number)),
        Base::Integer if number.fract().is_zero() => i64::try_from(number.trunc()).ok().map(Value::Int),
        Base::Link(_) | Base::User => Some(Value::text(number.to_string())),
        _ => None,
    }
}

/// A value of a type that says nothing in particular; a text has none.
pub(super) fn plain(schema: &Schema, object: &str, base: &Base) -> Option<Value> {
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

/// What was probably meant, as a sentence.
fn nearest<'n>(wanted: &str, names: impl Iterator<Item = &'n str>) -> Option<String> {
    let wanted = wanted.to_lowercase();
    let scored =
        names.map(|name| (strsim::normalized_damerau_levenshtein(&wanted, &name.to_lowercase()), name));
    let best = scored.filter(|(score, _)| *score >= 0.6).max_by(|a, b| a.0.total_cmp(&b.0));
    best.map(|(_, name)| format!("did this mean `{name}`?"))
}
