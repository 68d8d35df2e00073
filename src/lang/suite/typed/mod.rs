//! Records in braces against the schemas: names, values, what must be there.
//!
//! `..default` makes every unnamed field absent; one that the system always fills gets a plain value of its type (the
//! first choice, the first stage, `no`, nought, a fixed day). A text has no plain value: it must be named. A category
//! and a stage that are not named agree with those that are.

mod values;

use std::collections::HashMap;
use std::path::{Component, Path};

use super::Input;
use super::world::GivenRecord;
use crate::lang::eval::key_order;
use crate::lang::finding::{Code, Finding, registry as codes};
use crate::lang::schema::{Attribute, Field, Object, Pipeline};
use crate::lang::syntax::ast::{
    Coded, Fixture, Given, Golden, Item as AstItem, Name, RecordLit, Rest, Test, TestEveryRow,
};
use crate::lang::text::Span;
use crate::lang::types::{Base, Type};
use crate::lang::value::{Record, Value};

pub(super) use values::plain;

use values::Place;

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

    fn unknown_source(&mut self, name: &Name) {
        let meant = nearest(&name.value, self.input.source.objects.iter().map(|object| object.name.as_str()));
        let help = meant.unwrap_or_else(|| "name an object of the source's snapshot".to_owned());
        let message = format!("the source has no object `{}`", name.value);
        self.add(codes::UNKNOWN_OBJECT, name.span, message, "no such object", help);
    }

    fn source_record(&mut self, name: &Name, lit: &RecordLit) -> Option<GivenRecord> {
        let schema = self.input.source;
        let Some(object) = schema.object(&name.value) else {
            self.unknown_source(name);
            return None;
        };
        let mut named: Vec<Option<Value>> = vec![None; object.fields.len()];
        let derives = self.fill(object, lit, &mut named, &mut Vec::new())?;
        let pipeline = self.pipeline_of(object, &named);
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
                None if derives => match self.derived(object, field, slot, pipeline) {
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
                    None => self.derived(object, shape, slot, None).unwrap_or_else(|| Value::text("?")),
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
            // A title leads to its field's code, which is what should be written.
            let codes = object.fields.iter().map(|f| (f.name.as_str(), f.name.as_str()));
            let titles = object.fields.iter().filter_map(|f| Some((f.title.as_deref()?, f.name.as_str())));
            self.unknown(&object.name, coded, codes.chain(titles));
        }
        found
    }

    fn unknown_field<'n>(&mut self, object: &str, coded: &Coded, names: impl Iterator<Item = &'n str>) {
        self.unknown(object, coded, names.map(|name| (name, name)));
    }

    /// A field that does not exist; `names` says what each known name stands for.
    fn unknown<'n>(&mut self, object: &str, coded: &Coded, names: impl Iterator<Item = (&'n str, &'n str)>) {
        let wanted =
            coded.code.as_ref().or(coded.title.as_ref()).map(|n| n.value.as_str()).unwrap_or_default();
        let help =
            nearest_of(wanted, names).unwrap_or_else(|| "look the fields up in the snapshot".to_owned());
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

    /// Whether the files of a golden lie in the spec's folder, and whether its objects exist.
    pub(super) fn golden(&mut self, golden: &Golden) {
        let schema = self.input.source;
        if schema.object(&golden.source.name.value).is_none() {
            self.unknown_source(&golden.source.name);
        }
        self.target_object(&golden.target);
        for file in [&golden.input, &golden.output] {
            let path = Path::new(&file.value);
            if path.is_absolute() || path.components().any(|part| part == Component::ParentDir) {
                let message = format!("golden file `{}` lies outside the spec's folder", file.value);
                let help = "keep it in the spec's folder, so that CI finds it".to_owned();
                self.add(codes::GOLDEN_UNREADABLE, file.span, message, "this file", help);
            }
        }
    }

    /// Whether two tests have the same name: reports could not tell them apart.
    pub(super) fn named_once(&mut self, tests: &[&Test]) {
        let mut seen: HashMap<&str, Span> = HashMap::new();
        for test in tests {
            let name = test.name.value.as_str();
            let Some(first) = seen.get(name) else {
                seen.insert(name, test.name.span);
                continue;
            };
            self.findings.push(
                Finding::new(codes::DUPLICATE_ITEM, format!("test \"{name}\" stands twice"))
                    .at(test.name.span, "the second one")
                    .and_at(*first, "the first one")
                    .help("rename one of them: reports tell tests by their names"),
            );
        }
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

    /// The pipeline that a record is in: the first, by its code, that agrees with the stage and the category that the
    /// record names.
    fn pipeline_of(&self, object: &Object, named: &[Option<Value>]) -> Option<&'a Pipeline> {
        let all = self.input.source.pipelines.iter().filter(|pipeline| pipeline.object == object.name);
        let agrees = |pipeline: &&Pipeline| {
            object.fields.iter().zip(named).all(|(field, value)| {
                let Some(Value::Text(code)) = value else { return true };
                if field.ty.base == Base::Stage {
                    return pipeline.stages.iter().any(|stage| stage.code == code.as_str());
                }
                !self.tells_pipelines(object, field) || pipeline.code == code.as_str()
            })
        };
        all.filter(agrees).min_by(|a, b| key_order(&a.code, &b.code))
    }

    /// Whether a field holds the code of a record's pipeline: all of them are among its values.
    fn tells_pipelines(&self, object: &Object, field: &Field) -> bool {
        let schema = self.input.source;
        let Base::Enum(domain) = &field.ty.base else { return false };
        let Some(domain) = schema.domains.get(domain) else { return false };
        let mut all = schema.pipelines.iter().filter(|pipeline| pipeline.object == object.name).peekable();
        all.peek().is_some() && all.all(|line| domain.choices.iter().any(|choice| choice.code == line.code))
    }

    /// A plain value for a field that the system always fills.
    fn derived(
        &mut self,
        object: &Object,
        field: &Field,
        slot: usize,
        pipeline: Option<&Pipeline>,
    ) -> Option<Value> {
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
        let value = match pipeline {
            Some(pipeline) if field.ty.base == Base::Stage => Value::text(&pipeline.stages.first()?.code),
            Some(pipeline) if self.tells_pipelines(object, field) => Value::text(&pipeline.code),
            _ => plain(self.input.source, &object.name, &field.ty.base)?,
        };
        Some(if field.ty.many { Value::List(vec![value]) } else { value })
    }
}

/// What was probably meant, as a sentence.
fn nearest<'n>(wanted: &str, names: impl Iterator<Item = &'n str>) -> Option<String> {
    nearest_of(wanted, names.map(|name| (name, name)))
}

/// The same, where a name stands for something else; of equals the first.
fn nearest_of<'n>(wanted: &str, names: impl Iterator<Item = (&'n str, &'n str)>) -> Option<String> {
    let wanted = wanted.to_lowercase();
    let mut best: Option<(f64, &str)> = None;
    for (name, meant) in names {
        let score = strsim::normalized_damerau_levenshtein(&wanted, &name.to_lowercase());
        if score >= 0.6 && best.is_none_or(|(known, _)| score > known) {
            best = Some((score, meant));
        }
    }
    best.map(|(_, meant)| format!("did this mean `{meant}`?"))
}
