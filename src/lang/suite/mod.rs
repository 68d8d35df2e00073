//! Tests of a spec: typed fixtures, what they are expected to become, and what of the plan they exercise.
//!
//! [`typed`] reads records in braces against the schemas, [`world`] runs them, [`compare`] tells expected from actual,
//! [`spell`] writes values as a spec would, [`arms`] knows where arms stand, [`rows`] makes a record for every row,
//! [`golden`] compares lines of JSON, [`coverage`] counts. Knows no file, no clock and no connector: golden lines are
//! handed in.

mod arms;
mod compare;
mod coverage;
pub mod golden;
mod rows;
mod spell;
#[cfg(test)]
mod tests;
mod typed;
mod world;

use crate::lang::finding::{Finding, registry as codes};
use crate::lang::plan::Plan;
use crate::lang::schema::Schema;
use crate::lang::syntax::ast::{self, ExpectKind, Item};
use crate::lang::text::{SourceText, Span};
use crate::lang::value::Record;

pub use compare::{Giver, Mismatch};
pub use coverage::{Coverage, Exercised, Part, coverage};

use typed::Typer;
use world::{GivenRecord, World};

/// A spec with what its tests are typed by.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The spec as a tree.
    pub spec: &'a ast::Spec,
    /// The text that it was read from.
    pub text: &'a SourceText,
    /// What the spec became; without it tests are typed, but not run.
    pub plan: Option<&'a Plan>,
    /// The source's schema.
    pub source: &'a Schema,
    /// The destination's schema.
    pub target: &'a Schema,
}

/// What came of one test.
#[derive(Clone, Debug)]
pub struct Tested {
    /// Its name: that of the spec, or `every row NAME`.
    pub name: String,
    /// Where it stands.
    pub span: Span,
    /// Whether it is a `test every row`.
    pub every_row: bool,
    /// How many expectations, or rows, it has.
    pub checks: usize,
    /// What was not as expected; empty where it passes.
    pub failures: Vec<Failure>,
}

impl Tested {
    /// Whether everything was as expected.
    pub fn passes(&self) -> bool {
        self.failures.is_empty()
    }

    /// A finding for each failure.
    pub fn findings(&self) -> Vec<Finding> {
        let finding = |failure: &Failure| {
            let mut finding = Finding::new(codes::TEST_FAILS, format!("test \"{}\" fails", self.name))
                .at(failure.span, failure.message.clone())
                .help("mend the rule, or the expectation where the rule is right");
            for mismatch in &failure.diff {
                finding = finding.note(mismatch.to_string());
            }
            failure.notes.iter().fold(finding, |finding, note| finding.note(note.clone()))
        };
        self.failures.iter().map(finding).collect()
    }
}

/// An expectation that was not met.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The expectation.
    pub span: Span,
    /// In one sentence.
    pub message: String,
    /// Field by field, against the record that is nearest.
    pub diff: Vec<Mismatch>,
    /// What happened instead.
    pub notes: Vec<String>,
}

/// What came of all tests of a spec, goldens apart.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// Tests in the order of the spec.
    pub tests: Vec<Tested>,
    /// What they exercised.
    pub exercised: Exercised,
}

/// What is wrong with the fixtures and tests of a spec before any of them runs.
pub fn check(input: Input<'_>) -> Vec<Finding> {
    let mut typer = Typer::new(input);
    let tests = input.spec.items.iter().filter_map(|item| match item {
        Item::Test(test) => Some(test),
        _ => None,
    });
    typer.named_once(&tests.collect::<Vec<_>>());
    for item in &input.spec.items {
        match item {
            Item::Fixture(fixture) => typer.fixture(fixture),
            Item::Test(test) => {
                for given in &test.given {
                    typer.given(given);
                }
                for expect in &test.expect {
                    if let ExpectKind::Record(object, record) = &expect.kind {
                        typer.expected(object, record);
                    } else if let ExpectKind::No(object) = &expect.kind {
                        typer.target_object(object);
                    }
                }
            }
            Item::TestEveryRow(every) => typer.rows_named(every),
            Item::Golden(golden) => typer.golden(golden),
            _ => {}
        }
    }
    typer.findings
}

/// Runs the tests whose name `wanted` lets through. Without a plan, or with findings of [`check`], nothing runs.
pub fn run(input: Input<'_>, wanted: &dyn Fn(&str) -> bool) -> Run {
    let mut done = Run::default();
    let Some(plan) = input.plan else { return done };
    for item in &input.spec.items {
        match item {
            Item::Test(test) if wanted(&test.name.value) => {
                let tested = one(input, plan, test, &mut done.exercised);
                done.tests.push(tested);
            }
            Item::TestEveryRow(every) => {
                let name = format!("every row {}", every.name.value);
                if wanted(&name) {
                    let tested = rows::every_row(input, plan, every, name, &mut done.exercised);
                    done.tests.push(tested);
                }
            }
            _ => {}
        }
    }
    done
}

/// Runs a record through its maps for what it exercises: golden files count towards coverage too.
pub fn exercise(input: Input<'_>, plan: &Plan, object: &str, record: Record, exercised: &mut Exercised) {
    World::run(input, plan, vec![GivenRecord { object: object.to_owned(), record }], exercised);
}

fn one(input: Input<'_>, plan: &Plan, test: &ast::Test, exercised: &mut Exercised) -> Tested {
    let mut typer = Typer::new(input);
    let records = test.given.iter().filter_map(|given| typer.given(given)).collect();
    let world = World::run(input, plan, records, exercised);
    let mut failures = Vec::new();
    for expect in &test.expect {
        let failure = match &expect.kind {
            ExpectKind::Record(object, record) => {
                let expected = typer.expected(object, record);
                expected.and_then(|expected| compare::record(&world, &expected, expect.span))
            }
            kind => compare::other(&world, kind, expect.span),
        };
        failures.extend(failure);
    }
    let untyped = typer.findings.first().map(|finding| Failure {
        span: finding.label.as_ref().map_or(test.span, |label| label.span),
        message: finding.message.clone(),
        diff: Vec::new(),
        notes: Vec::new(),
    });
    failures.extend(untyped);
    if test.expect.is_empty() {
        failures.push(Failure {
            span: test.name.span,
            message: "it expects nothing".to_owned(),
            diff: Vec::new(),
            notes: vec!["add a line such as `expect Lead { .. }`".to_owned()],
        });
    }
    Tested {
        name: test.name.value.clone(),
        span: test.name.span,
        every_row: false,
        checks: test.expect.len(),
        failures,
    }
}
