//! Tests of tests over the example customers: whatever their plans make of a generated record can be written down as a
//! test that passes, and no field of it can change without the test telling which.

use std::path::PathBuf;

use proptest::prelude::*;

use super::super::spell::Speller;
use super::super::typed::{Expected, Typer};
use super::super::world::World;
use super::super::*;
use crate::lang::check::profile::{self, Part as File, shipped};
use crate::lang::check::{self, sample_schema};
use crate::lang::eval::{Output, reference};
use crate::lang::fuzz::{Dice, Generator};
use crate::lang::schema::{Field, Object, snapshot};
use crate::lang::syntax;
use crate::lang::syntax::ast::{RecordLit, Spec};
use crate::lang::types::Base;
use crate::lang::value::{Item as Element, Value};

/// An example customer, read and checked.
pub(super) struct Customer {
    pub spec: Spec,
    pub text: SourceText,
    pub plan: Plan,
    pub source: Schema,
    pub target: Schema,
}

/// The text of an example's spec.
pub(super) fn spec_of(name: &str) -> String {
    let path = folder(name).join(format!("{name}.b2n"));
    std::fs::read_to_string(path).expect("the spec of an example")
}

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

impl Customer {
    pub(super) fn new(name: &str) -> Customer {
        Customer::with(name, &spec_of(name))
    }

    /// The example with another spec, which must check.
    pub(super) fn with(name: &str, spec: &str) -> Customer {
        let schema = |system: &str| {
            let path = folder(name).join(format!("schema/{system}.yaml"));
            let text = std::fs::read_to_string(path).expect("a snapshot of an example");
            snapshot::read(&SourceText::new(system, text)).expect("a snapshot that can be read")
        };
        let (source, target) = (schema("bitrix24"), schema("nutshell"));
        let mut files = vec![SourceText::new(format!("{name}.b2n"), spec)];
        if spec.contains("\nuse \"standard\"") {
            files.push(SourceText::new("standard", shipped("standard").expect("the shipped profile")));
        }
        let count = files.len();
        let text = SourceText::join(files);
        let mut parts = Vec::new();
        for index in 0..count {
            let (spec, found) = syntax::parse_part(&text, index);
            assert!(found.is_empty(), "{found:?}");
            parts.push(File { spec, uses: if index == 0 { (1..count).collect() } else { Vec::new() } });
        }
        let resolved = profile::resolve(parts, &text);
        assert!(resolved.findings.is_empty(), "{:?}", resolved.findings);
        let checked = check::check(&check::Input {
            spec: &resolved.spec,
            text: &text,
            source: Some(&source),
            target: Some(&target),
            source_hash: &source.hash(),
            target_hash: &target.hash(),
            source_name: "s",
            target_name: "t",
            today: sample_schema::TAKEN,
            broken: &[],
        });
        let plan = checked.plan.unwrap_or_else(|| panic!("{:?}", checked.findings));
        Customer { spec: resolved.spec, text, plan, source, target }
    }

    pub(super) fn input(&self) -> Input<'_> {
        Input {
            spec: &self.spec,
            text: &self.text,
            plan: Some(&self.plan),
            source: &self.source,
            target: &self.target,
        }
    }
}

/// A record that a test can write down: codes are those of the snapshot, and no text holds what no text literal can.
fn sayable(schema: &Schema, object: &Object, mut record: Record) -> Record {
    for (field, value) in object.fields.iter().zip(&mut record) {
        *value = say(schema, &object.name, &field.ty.base, Some(field), std::mem::take(value));
    }
    record
}

fn say(schema: &Schema, object: &str, base: &Base, field: Option<&Field>, value: Value) -> Value {
    match value {
        Value::List(values) => {
            Value::list(values.into_iter().map(|one| say(schema, object, base, field, one)).collect())
        }
        Value::Item(item) => {
            let attributes = field.map(|field| field.attributes.as_slice()).unwrap_or_default();
            let attrs = item.attrs.into_iter().zip(attrs_of(attributes));
            let attrs = attrs.map(|(value, base)| say(schema, object, base, None, value)).collect();
            // A row has no value of its own that a test could name.
            let value = match base {
                Base::Record => Value::Absent,
                base => say(schema, object, base, None, item.value),
            };
            Value::Item(Box::new(Element { value, attrs }))
        }
        Value::Text(text) => match base {
            Base::Enum(name) => {
                let choices = schema.domains.get(name).map(|domain| domain.choices.as_slice());
                let choices = choices.unwrap_or_default();
                match choices.iter().find(|choice| choice.code == text.as_str()).or(choices.first()) {
                    Some(choice) => Value::text(&choice.code),
                    None => Value::Absent,
                }
            }
            Base::Stage => {
                let own = schema.pipelines.iter().filter(|pipeline| pipeline.object == object);
                let mut stages = own.flat_map(|pipeline| &pipeline.stages);
                let known = stages.clone().any(|stage| stage.code == text.as_str());
                if known { Value::Text(text) } else { Value::text(&stages.next().expect("a stage").code) }
            }
            _ => Value::text(text.replace('\r', " ")),
        },
        other => other,
    }
}

fn attrs_of(attributes: &[crate::lang::schema::Attribute]) -> impl Iterator<Item = &Base> {
    attributes.iter().map(|attribute| &attribute.ty.base)
}

/// A source value as a test gives it.
fn given_value(speller: &Speller<'_>, field: &Field, value: &Value) -> String {
    match value {
        Value::List(values) => {
            let values: Vec<String> = values.iter().map(|value| given_value(speller, field, value)).collect();
            format!("[{}]", values.join(", "))
        }
        Value::Item(item) => {
            let own = (field.ty.base != Base::Record)
                .then(|| format!("value: {}", speller.whole(&item.value, None, &[])));
            let attrs = field.attributes.iter().zip(&item.attrs);
            let attrs = attrs.map(|(a, value)| format!("{}: {}", a.name, speller.whole(value, None, &[])));
            format!("{{ {} }}", own.into_iter().chain(attrs).collect::<Vec<_>>().join(", "))
        }
        value => speller.whole(value, None, &[]),
    }
}

fn given(speller: &Speller<'_>, object: &Object, record: &[Value]) -> String {
    let fields = object.fields.iter().zip(record).filter(|(_, value)| !value.is_absent());
    let fields =
        fields.map(|(field, value)| format!("{}: {}", field.name, given_value(speller, field, value)));
    format!("  given {} {{ {} }}\n", object.name, fields.collect::<Vec<_>>().join(", "))
}

/// A written record, whole, as a test expects it.
fn expectation(speller: &Speller<'_>, plan: &Plan, map: usize, output: &Output) -> String {
    let mut fields = Vec::new();
    for (index, (target, value)) in plan.maps[map].targets.iter().zip(&output.values).enumerate() {
        if value.is_absent() {
            continue;
        }
        let columns = super::super::spell::columns_of(plan, map, index);
        let value = speller.whole(value, Some(&target.ty.base), &columns);
        let name = if target.custom { format!("{:?}", target.name) } else { target.name.clone() };
        fields.push(format!("{name}: {value}"));
    }
    format!("  expect {} {{ {} }}\n", plan.maps[map].target, fields.join(", "))
}

/// Whether a value is read from a record that is not given: no test can say what it is.
fn is_read_elsewhere(value: &Value) -> bool {
    match value {
        Value::Ref(link) => link.field.is_some(),
        Value::Item(item) => is_read_elsewhere(&item.value) || item.attrs.iter().any(is_read_elsewhere),
        Value::List(values) => values.iter().any(is_read_elsewhere),
        _ => false,
    }
}

/// Something else of the same kind; `at` chooses the element of a list.
fn other_than(value: &Value, at: usize) -> Value {
    match value {
        Value::Absent => Value::text("something"),
        Value::Text(text) => Value::text(format!("{text}x")),
        Value::Int(number) => Value::Int(number.wrapping_add(1)),
        Value::Decimal(number) if number.is_zero() => Value::Int(1),
        Value::Decimal(number) => Value::Decimal(-number),
        Value::Bool(yes) => Value::Bool(!yes),
        Value::Stage(stage) => {
            let mut stage = stage.clone();
            match (&mut stage.stage, &mut stage.outcome) {
                (Some(name), _) | (_, Some((_, name))) => name.push('x'),
                (None, None) => {}
            }
            Value::Stage(stage)
        }
        Value::Ref(link) => {
            let mut link = link.clone();
            link.key.push('x');
            Value::Ref(link)
        }
        Value::Item(item) => {
            let mut item = item.clone();
            let parts = usize::from(!item.value.is_absent()) + item.attrs.len();
            let at = at % parts.max(1);
            if !item.value.is_absent() && at == 0 {
                item.value = other_than(&item.value, at);
            } else {
                let at = at - usize::from(!item.value.is_absent());
                item.attrs[at] = other_than(&item.attrs[at], at);
            }
            Value::Item(item)
        }
        Value::List(values) => {
            let mut values = values.clone();
            let at = at % (values.len() + 1);
            match values.get_mut(at) {
                Some(value) => *value = other_than(value, at),
                None => values.push(Value::text("one more")),
            }
            Value::List(values)
        }
        Value::Date(_) | Value::Instant(_) | Value::Money(_) | Value::Name(_) | Value::Address(_) => {
            Value::text("something else")
        }
    }
}

/// The record of the first `expect` of a spec.
fn first_expected(spec: &Spec) -> (&ast::Name, &RecordLit) {
    let test = spec.items.iter().find_map(|item| match item {
        Item::Test(test) => test.expect.first(),
        _ => None,
    });
    match test.map(|expect| &expect.kind) {
        Some(ExpectKind::Record(object, record)) => (object, record),
        _ => panic!("no expectation"),
    }
}

/// Writes a generated record and what becomes of it down as a test; gives how many fields were changed one by one.
fn written_down(customer: &Customer, seed: u64) -> usize {
    let (plan, input) = (&customer.plan, customer.input());
    let mut dice = Dice::of(seed, 0);
    let map = dice.below(plan.maps.len());
    let object = customer.source.object(&plan.maps[map].source).expect("the object of a map");
    let speller = Speller::new(input, plan);
    let record = Generator::new(&customer.source).record(object, &mut dice);
    let record = sayable(&customer.source, object, record);
    let mut unused = Exercised::default();
    let one = GivenRecord { object: object.name.clone(), record: record.clone() };
    let world = World::run(input, plan, vec![one], &mut unused);
    let Some(produced) = world.produced.iter().find(|produced| produced.map == map) else { return 0 };
    if produced.output.values.iter().any(is_read_elsewhere) {
        return 0;
    }
    let text = format!(
        "edition 2026\ntest \"it\" {{\n{}{}}}\n",
        given(&speller, object, &record),
        expectation(&speller, plan, map, &produced.output)
    );
    let text = SourceText::new("test.b2n", text);
    let (spec, found) = syntax::parse(&text);
    // Texts of a record may together be longer than a line of a spec.
    if found.iter().any(|finding| finding.message.starts_with("a line is longer than")) {
        return 0;
    }
    assert!(found.is_empty(), "seed {seed}: {found:?}\n{:.3000}", text.text());
    let input = Input { spec: &spec, text: &text, ..input };
    let found: Vec<String> = check(input).into_iter().map(|finding| finding.message).collect();
    assert!(found.is_empty(), "seed {seed}: {found:?}\n{:.3000}", text.text());
    let done = run(input, &|_| true);
    let failures: Vec<&Failure> = done.tests.iter().flat_map(|test| &test.failures).collect();
    assert!(failures.is_empty(), "seed {seed}: {failures:?}\n{:.3000}", text.text());

    let (name, lit) = first_expected(&spec);
    let expected = Typer::new(input).expected(name, lit).expect("an expectation that was typed before");
    for at in 0..expected.fields.len() {
        for changed in [Value::Absent, other_than(&expected.fields[at].1, seed as usize % 7)] {
            let mut fields = expected.fields.clone();
            let field = fields[at].0.clone();
            fields[at].1 = changed;
            let other = Expected { object: expected.object.clone(), fields, open: expected.open };
            let failure = compare::record(&world, &other, Span::default());
            // Where a record becomes several of one object, another one may be nearer: never with no difference.
            let diff = failure.unwrap_or_else(|| panic!("seed {seed}: `{field}` may be anything")).diff;
            let named: Vec<&str> = diff.iter().map(|mismatch| mismatch.field.as_str()).collect();
            assert!(named.iter().all(|name| *name == field), "seed {seed}: `{field}`: {diff:?}");
            assert!(diff.iter().all(|mismatch| !mismatch.by.is_empty()), "seed {seed}: {diff:?}");
        }
    }
    expected.fields.len()
}

/// In one of the examples this seed's record has texts that together are longer than a line of a spec.
#[test]
fn a_record_longer_than_a_line_of_a_spec_is_passed_over() {
    let written = |name| written_down(&Customer::new(name), 11_255_826_509_371_282_800);
    assert!(["acme", "podyom", "rebstock"].map(written).contains(&0));
}

#[test]
fn what_comes_out_can_be_written_down_and_no_field_changes_unseen() {
    for name in ["acme", "podyom", "rebstock"] {
        let customer = Customer::new(name);
        let fields = std::cell::Cell::new(0);
        proptest!(ProptestConfig::with_cases(64), |(seed in any::<u64>())| {
            fields.set(fields.get() + written_down(&customer, seed));
        });
        let fields = fields.get();
        assert!(fields > 100, "{name}: only {fields} fields were looked at");
    }
}

#[test]
fn tests_of_the_examples_pass_and_are_no_part_of_their_plans() {
    for name in ["acme", "podyom", "rebstock"] {
        let customer = Customer::new(name);
        assert!(check(customer.input()).is_empty(), "{name}");
        let done = run(customer.input(), &|_| true);
        assert!(!done.tests.is_empty(), "{name} has no tests");
        for test in &done.tests {
            assert!(test.passes(), "{name}, {}: {:?}", test.name, test.failures);
        }
        // What a plan does must not change with what is said about it.
        let text = spec_of(name);
        let more =
            format!("{text}\ntest \"one more\" {{\n  given deal {{ ..default }}\n  expect no Lead\n}}\n");
        let more = Customer::with(name, &more);
        assert_eq!(more.plan.hash(), customer.plan.hash(), "{name}");
    }
}

/// Where no record is linked to another that stays behind, a world of one record is what the interpreter says.
#[test]
fn the_world_gives_what_the_interpreter_gives() {
    let customer = Customer::new("acme");
    let object = customer.source.object("contact").expect("contacts");
    let map = customer.plan.maps.iter().position(|map| map.name == "contact").expect("a map of contacts");
    proptest!(ProptestConfig::with_cases(64), |(seed in any::<u64>())| {
        let record = Generator::new(&customer.source).record(object, &mut Dice::of(seed, 0));
        let outcome = reference::run(&customer.plan, map, &record);
        let one = GivenRecord { object: object.name.clone(), record };
        let world = World::run(customer.input(), &customer.plan, vec![one], &mut Exercised::default());
        match outcome {
            crate::lang::eval::Outcome::Record(output) => {
                prop_assert_eq!(&world.produced[0].output, &output);
            }
            _ => prop_assert!(world.produced.is_empty() && world.ended.len() == 1),
        }
    });
}
