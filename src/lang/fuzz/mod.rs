//! Looking for a record that breaks a plan: records of the source's schema in, what the destination would refuse out.
//!
//! [`generate`] makes records from the source schema alone, [`judge`] knows the destination's schema alone, [`shrink`]
//! makes a culprit small, [`unaccounted`] looks for source fields that a plan loses. None of them knows how the checker
//! reasons: they are there to catch it. Everything is a function of the seed.

mod accounts;
mod dice;
mod generate;
pub mod judge;
mod shrink;
#[cfg(test)]
mod tests;

pub use accounts::unaccounted;
pub use dice::Dice;
pub use generate::Generator;
pub use judge::{Judge, Kind, Violation};

use super::eval::{Folded, Outcome, Program, Route, RuleId, reference};
use super::plan::Plan;
use super::schema::Schema;
use super::value::Record;

/// A plan under fire.
pub struct Fuzzer<'a> {
    plan: &'a Plan,
    program: Program,
    source: &'a Schema,
    judge: Judge<'a>,
    seed: u64,
}

/// What goes through a plan at once: a record, and what is folded into it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Case {
    /// The map, by its index in the plan.
    pub map: usize,
    /// The source record.
    pub record: Record,
    /// Records per flatten, by its index in the plan.
    pub folded: Vec<(usize, Vec<Record>)>,
}

/// A case that the destination would refuse.
#[derive(Clone, Debug)]
pub struct Broken {
    /// Its number: the same seed and number make the same case.
    pub number: u64,
    /// The record, shrunk to the fewest filled fields.
    pub case: Case,
    /// What is wrong with it.
    pub violation: Violation,
}

impl<'a> Fuzzer<'a> {
    /// Prepares a plan.
    ///
    /// # Errors
    /// A plan that cannot be run, which no checked plan is.
    pub fn new(plan: &'a Plan, source: &'a Schema, target: &'a Schema, seed: u64) -> Result<Self, String> {
        let program = Program::compile(plan)?;
        Ok(Fuzzer { plan, program, source, judge: Judge::new(plan, target), seed })
    }

    /// Runs one case; every map has its turn. Gives each thing that is wrong, once per destination field.
    pub fn case(&self, number: u64) -> Vec<Broken> {
        let Some(case) = self.make(number) else { return Vec::new() };
        let mut found: Vec<Broken> = Vec::new();
        for violation in self.violations(&case) {
            if found.iter().any(|known| known.violation.like(&violation)) {
                continue;
            }
            let (case, violation) = shrink::shrink(self, self.source, case.clone(), violation);
            found.push(Broken { number, case, violation });
        }
        found
    }

    /// The case of a number; nothing where the split sends no record that was tried to the map whose turn it is.
    pub fn make(&self, number: u64) -> Option<Case> {
        let map = usize::try_from(number % self.plan.maps.len().max(1) as u64).ok()?;
        let plan = self.plan.maps.get(map)?;
        let mut dice = Dice::of(self.seed, number);
        let generator = Generator::new(self.source);
        let object = self.source.object(&plan.source)?;
        let record = (0..20).find_map(|_| {
            let record = generator.record(object, &mut dice);
            self.goes_to(map, &record).then_some(record)
        })?;
        let mut folded = Vec::new();
        for (index, flatten) in self.plan.flattens.iter().enumerate() {
            if usize::from(flatten.into) != map {
                continue;
            }
            let Some(object) = self.source.object(&flatten.source) else { continue };
            let count = dice.below(4);
            folded.push((index, (0..count).map(|_| generator.record(object, &mut dice)).collect()));
        }
        Some(Case { map, record, folded })
    }

    fn goes_to(&self, map: usize, record: &Record) -> bool {
        let Some(split) = self.plan.maps[map].split else { return true };
        match self.program.route(usize::from(split), record) {
            Route::Maps(maps) => maps.iter().any(|to| usize::from(*to) == map),
            _ => false,
        }
    }

    /// What is wrong with a case: by the destination's schema, by failures that no checked plan has, and where the
    /// two interpreters differ.
    pub fn violations(&self, case: &Case) -> Vec<Violation> {
        let folded: Vec<Folded<'_>> =
            case.folded.iter().map(|(flatten, records)| Folded { flatten: *flatten, records }).collect();
        let outcome = self.program.run_with(case.map, &case.record, &folded);
        let watched = reference::watched(self.plan, case.map, &case.record, &folded);
        let line = |rule: Option<RuleId>| {
            rule.and_then(|rule| rule.find(self.plan, case.map)).map_or(0, |rule| rule.line)
        };
        let mut found = Vec::new();
        for trouble in &watched.troubles {
            let target = trouble.rule.and_then(|rule| rule.target(self.plan, case.map)).unwrap_or_default();
            let (kind, takes) = if trouble.by_type {
                (Kind::FailsByType, "a value of the type that the rule reads")
            } else {
                (Kind::FailsUnhandled, "an `on fail`")
            };
            found.push(Violation {
                target,
                line: line(trouble.rule),
                kind,
                value: trouble.why.clone(),
                takes: takes.to_owned(),
            });
        }
        if outcome != watched.outcome {
            found.push(Violation {
                target: String::new(),
                line: self.plan.maps[case.map].line,
                kind: Kind::Differs,
                value: format!("{outcome:?}"),
                takes: format!("the outcome of the plain interpreter: {:?}", watched.outcome),
            });
        }
        if let Outcome::Record(output) = &outcome {
            found.extend(self.judge.violations(case.map, output));
        }
        found
    }
}
