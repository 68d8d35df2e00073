//! `test every row`: a record for each row of a table or pipeline, through the rules that use it.
//!
//! Records are generated from the source's schema with the row's code in the fields that the rule reads, until one of
//! them takes the row and ends well. A rule of a `flatten` runs over a generated record that takes another one in. The
//! seed is fixed: the same spec gives the same answer.

mod reads;

use super::typed::plain;
use super::{Exercised, Failure, Input, Tested};
use crate::lang::eval::reference::{self, Taken};
use crate::lang::eval::{Folded, Outcome, Route};
use crate::lang::fuzz::{Dice, Generator, Judge};
use crate::lang::plan::{Arm, Filter, Plan, Rule, StageTo};
use crate::lang::schema::{Field, Object};
use crate::lang::syntax::ast::{Item, TestEveryRow};
use crate::lang::text::Span;
use crate::lang::types::Base;
use crate::lang::value::{Item as Element, Record, Value};

use reads::{Places, Reads};

/// Records that are tried per row and map before it counts as not reached.
const TRIES: u64 = 200;

/// A row that must be reached.
struct Row<'p> {
    taken: Taken,
    /// Its code, or one that no row names.
    code: String,
    /// The category, in pipelines that have one.
    category: Option<&'p str>,
    arm: Option<&'p Arm>,
    line: u32,
}

pub(super) fn every_row(
    input: Input<'_>,
    plan: &Plan,
    every: &TestEveryRow,
    name: String,
    exercised: &mut Exercised,
) -> Tested {
    let rows = rows_of(plan, &every.name.value);
    let tries = Tries { input, plan, judge: Judge::new(plan, input.target), ways: ways(input, plan) };
    let mut failures = Vec::new();
    for row in &rows {
        if let Err(why) = tries.reach(row, exercised) {
            let (file, line) = plan.place(row.line);
            let which = match &row.taken {
                Taken::Row(_, None) | Taken::StageRow(_, None) => "`_ unseen`".to_owned(),
                _ => format!("row \"{}\"", row.code),
            };
            let span = span_of_row(input, every, row);
            failures.push(Failure {
                span: span.unwrap_or(every.name.span),
                message: format!("{which} of `{}`: {why}", every.name.value),
                diff: Vec::new(),
                notes: if span.is_none() { vec![format!("it stands in {file}:{line}")] } else { Vec::new() },
            });
        }
    }
    if rows.is_empty() {
        failures.push(Failure {
            span: every.name.span,
            message: format!("no table or pipeline `{}` takes part", every.name.value),
            diff: Vec::new(),
            notes: Vec::new(),
        });
    }
    Tested { name, span: every.span, every_row: true, checks: rows.len(), failures }
}

fn rows_of<'p>(plan: &'p Plan, name: &str) -> Vec<Row<'p>> {
    let unseen = |codes: Vec<&String>| {
        let mut code = "B2N_BORN_LATER".to_owned();
        while codes.contains(&&code) {
            code.push('_');
        }
        code
    };
    if let Some(index) = plan.tables.iter().position(|table| table.name == name) {
        let table = &plan.tables[index];
        let at = index as u16;
        let known = table.rows.iter().map(|(code, row)| Row {
            taken: Taken::Row(at, Some(code.clone())),
            code: code.clone(),
            category: None,
            arm: Some(&row.arm),
            line: row.line,
        });
        let last = Row {
            taken: Taken::Row(at, None),
            code: unseen(table.rows.keys().collect()),
            category: None,
            arm: Some(&table.unseen),
            line: table.unseen_line,
        };
        return known.chain([last]).collect();
    }
    let Some(index) = plan.pipelines.iter().position(|pipeline| pipeline.name == name) else {
        return Vec::new();
    };
    let pipeline = &plan.pipelines[index];
    let category = (!pipeline.category.is_empty()).then_some(pipeline.category.as_str());
    let at = index as u16;
    let known = pipeline.rows.iter().map(|(code, row)| Row {
        taken: Taken::StageRow(at, Some(code.clone())),
        code: code.clone(),
        category,
        arm: match &row.to {
            StageTo::Stage(_) => None,
            StageTo::Arm(arm) => Some(arm),
        },
        line: row.line,
    });
    let last = Row {
        taken: Taken::StageRow(at, None),
        code: unseen(pipeline.rows.keys().collect()),
        category,
        arm: Some(&pipeline.unseen),
        line: pipeline.unseen_line,
    };
    known.chain([last]).collect()
}

fn span_of_row(input: Input<'_>, every: &TestEveryRow, row: &Row<'_>) -> Option<Span> {
    let unseen = matches!(row.taken, Taken::Row(_, None) | Taken::StageRow(_, None));
    let names = |codes: &[crate::lang::syntax::ast::Coded]| {
        codes.iter().any(|code| code.code.as_ref().is_some_and(|name| name.value == row.code))
    };
    input.spec.items.iter().find_map(|item| match item {
        Item::Table(table) if table.name.value == every.name.value => match (&table.unseen, unseen) {
            (Some(last), true) => Some(last.span),
            _ => table.rows.iter().find(|row| names(&row.codes)).map(|row| row.span),
        },
        Item::Pipeline(line) if line.name.value == every.name.value => match (&line.unseen, unseen) {
            (Some(last), true) => Some(last.span),
            _ => line.rows.iter().find(|row| names(&row.codes)).map(|row| row.span),
        },
        _ => None,
    })
}

/// A place where rules run: a map, or a flatten into it.
struct Way<'a> {
    map: usize,
    flatten: Option<usize>,
    rules: Vec<&'a Rule>,
    /// The source object of the map.
    object: &'a Object,
    /// The one that is folded in.
    folded: Option<&'a Object>,
}

fn ways<'a>(input: Input<'a>, plan: &'a Plan) -> Vec<Way<'a>> {
    let mut ways = Vec::new();
    for (map, item) in plan.maps.iter().enumerate() {
        let Some(object) = input.source.object(&item.source) else { continue };
        let notes = item.notes.iter().map(|note| &note.rule);
        let rules = item.rules.iter().chain(notes).collect();
        ways.push(Way { map, flatten: None, rules, object, folded: None });
    }
    for (index, item) in plan.flattens.iter().enumerate() {
        let map = usize::from(item.into);
        let object = plan.maps.get(map).and_then(|map| input.source.object(&map.source));
        let (Some(object), Some(folded)) = (object, input.source.object(&item.source)) else { continue };
        let notes = item.notes.iter().map(|note| &note.rule);
        let rules = item.rules.iter().chain(notes).collect();
        ways.push(Way { map, flatten: Some(index), rules, object, folded: Some(folded) });
    }
    ways
}

/// Why a row was not reached, or did not end well; the last kind says most.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Why {
    Unused,
    NotReached,
    /// Records with the code never get to the rule.
    Elsewhere(String),
    EndsBadly(String),
}

impl Why {
    fn words(self) -> String {
        match self {
            Why::Unused => "no rule uses it: remove it, or the test".to_owned(),
            Why::NotReached => "no record of the source's schema reaches it".to_owned(),
            Why::Elsewhere(why) | Why::EndsBadly(why) => why,
        }
    }
}

struct Tries<'a> {
    input: Input<'a>,
    plan: &'a Plan,
    judge: Judge<'a>,
    ways: Vec<Way<'a>>,
}

impl Tries<'_> {
    /// Finds a record that takes the row and ends as the row says.
    fn reach(&self, row: &Row<'_>, exercised: &mut Exercised) -> Result<(), String> {
        let mut best = Why::Unused;
        for way in &self.ways {
            for rule in &way.rules {
                let Some(reads) = Reads::of(self.plan, rule, &row.taken) else { continue };
                for number in 0..TRIES {
                    match self.once(way, &reads, row, number, exercised) {
                        Ok(()) => return Ok(()),
                        Err(why) if why > best => best = why,
                        Err(_) => {}
                    }
                }
            }
        }
        Err(best.words())
    }

    fn once(
        &self,
        way: &Way<'_>,
        reads: &Reads,
        row: &Row<'_>,
        number: u64,
        exercised: &mut Exercised,
    ) -> Result<(), Why> {
        let plan = self.plan;
        let places = if way.folded.is_some() { &reads.outer } else { &reads.own };
        let record = self.record(way.object, places, row, number).ok_or(Why::NotReached)?;
        let mut children = Vec::new();
        if let (Some(folded), Some(index)) = (way.folded, way.flatten) {
            let child = self.record(folded, &reads.own, row, number).ok_or(Why::NotReached)?;
            if let Some(why) = self.left_out(plan.flattens[index].filter.as_ref(), &child) {
                return Err(why);
            }
            children.push((index, vec![child]));
        }
        if let Some(why) = self.goes_elsewhere(way.map, &record) {
            return Err(why);
        }
        let folded: Vec<Folded<'_>> =
            children.iter().map(|(flatten, records)| Folded { flatten: *flatten, records }).collect();
        let watched = reference::watched(plan, way.map, &record, &folded);
        if !watched.hits.iter().any(|hit| hit.taken == row.taken) {
            let filter = plan.maps[way.map].filter.as_ref().map(|filter| filter.line);
            return Err(match &watched.outcome {
                Outcome::LeftOut { reason, line } if Some(*line) == filter => {
                    Why::Elsewhere(format!("no record with it gets here: {reason} ({})", self.place(*line)))
                }
                _ => Why::NotReached,
            });
        }
        self.verdict(way.map, row, &watched.outcome).map_err(Why::EndsBadly)?;
        watched.hits.iter().for_each(|hit| exercised.hit(way.map, hit));
        Ok(())
    }

    fn place(&self, line: u32) -> String {
        let (file, line) = self.plan.place(line);
        format!("{file}:{line}")
    }

    /// A record with the row's code where the rule reads it. The first one is plain, others are generated.
    fn record(&self, object: &Object, places: &Places, row: &Row<'_>, number: u64) -> Option<Record> {
        let record = if number == 0 {
            object.fields.iter().map(|field| self.simple(&object.name, field)).collect()
        } else {
            Generator::new(self.input.source).record(object, &mut Dice::of(1, number))
        };
        with_codes(record, object, places, row)
    }

    /// A value for every field that can have a plain one.
    fn simple(&self, object: &str, field: &Field) -> Value {
        let value = match &field.ty.base {
            Base::Text { .. } if !field.ty.optional => Some(Value::text("Test")),
            _ if field.ty.optional => None,
            base => plain(self.input.source, object, base),
        };
        match value {
            Some(value) if field.ty.many => Value::List(vec![value]),
            Some(value) => value,
            None => Value::Absent,
        }
    }

    fn left_out(&self, filter: Option<&Filter>, record: &[Value]) -> Option<Why> {
        let filter = filter?;
        let takes_part = reference::takes_part(self.plan, filter, record);
        let place = self.place(filter.line);
        (!takes_part).then(|| Why::Elsewhere(format!("no record with it gets past the `where` of {place}")))
    }

    fn goes_elsewhere(&self, map: usize, record: &[Value]) -> Option<Why> {
        let plan = self.plan;
        let split = usize::from(plan.maps[map].split?);
        let (route, row) = reference::routed(plan, split, record);
        let how = match route {
            Route::Maps(maps) if maps.iter().any(|to| usize::from(*to) == map) => return None,
            Route::Maps(_) => "sends them to other maps".to_owned(),
            Route::Listed { reason, .. } => format!("lists them, \"{reason}\""),
            Route::LeftOut { reason, .. } => format!("leaves them out, \"{reason}\""),
            Route::Quarantined { reason, .. } => format!("holds them back, \"{reason}\""),
            Route::Stopped { reason, .. } => format!("ends the run, \"{reason}\""),
        };
        let object = &plan.splits[split].source;
        let place = self.place(row);
        Some(Why::Elsewhere(format!("no record with it gets here: `split {object}` {how} ({place})")))
    }

    fn verdict(&self, map: usize, row: &Row<'_>, outcome: &Outcome) -> Result<(), String> {
        let own = matches!(
            (row.arm, outcome),
            (Some(Arm::Skip(_)), Outcome::LeftOut { .. })
                | (Some(Arm::Quarantine), Outcome::Quarantined { .. })
                | (Some(Arm::Stop), Outcome::Stopped { .. })
        );
        match outcome {
            _ if own => Ok(()),
            Outcome::Record(output) => match self.judge.violations(map, output).first() {
                None => Ok(()),
                Some(fault) => Err(format!("`{}` {}: {}", fault.target, fault.kind.words(), fault.value)),
            },
            Outcome::LeftOut { reason, .. } => Err(format!("its record is left out: {reason}")),
            Outcome::Quarantined { reason, .. } => Err(format!("its record is held back: {reason}")),
            Outcome::Stopped { reason, .. } => Err(format!("its record ends the run: {reason}")),
        }
    }
}

/// Puts the row's code, and its category, where the rule reads them; `None` where no place takes the code.
fn with_codes(mut record: Record, object: &Object, places: &Places, row: &Row<'_>) -> Option<Record> {
    let mut fits = places.codes.is_empty() && places.attributes.is_empty();
    for slot in &places.codes {
        let (Some(field), Some(place)) = (object.fields.get(*slot), record.get_mut(*slot)) else { continue };
        let Some(value) = code(&row.code, &field.ty.base) else { continue };
        let attrs = match &*place {
            Value::List(values) => values.first().and_then(attrs_of),
            one => attrs_of(one),
        };
        let value = match attrs {
            Some(attrs) => Value::Item(Box::new(Element { value, attrs })),
            None => value,
        };
        *place = if field.ty.many { Value::List(vec![value]) } else { value };
        fits = true;
    }
    for (slot, attribute) in &places.attributes {
        let (Some(field), Some(place)) = (object.fields.get(*slot), record.get_mut(*slot)) else { continue };
        let base = field.attributes.get(*attribute).map(|attribute| &attribute.ty.base);
        let Some(value) = base.and_then(|base| code(&row.code, base)) else { continue };
        let elements = match place {
            Value::List(values) => values.as_mut_slice(),
            one => std::slice::from_mut(one),
        };
        for element in elements {
            if let Value::Item(item) = element
                && let Some(place) = item.attrs.get_mut(*attribute)
            {
                *place = value.clone();
                fits = true;
            }
        }
    }
    if let Some(category) = row.category {
        for slot in &places.categories {
            if let (Some(field), Some(place)) = (object.fields.get(*slot), record.get_mut(*slot))
                && let Some(value) = code(category, &field.ty.base)
            {
                *place = value;
            }
        }
    }
    fits.then_some(record)
}

fn attrs_of(value: &Value) -> Option<Vec<Value>> {
    match value {
        Value::Item(item) => Some(item.attrs.clone()),
        _ => None,
    }
}

/// A code as a value of this type.
fn code(code: &str, base: &Base) -> Option<Value> {
    match base {
        Base::Enum(_) | Base::Stage | Base::Text { .. } => Some(Value::text(code)),
        Base::Integer => code.parse().ok().map(Value::Int),
        Base::Bool => match code {
            "true" | "yes" | "Y" => Some(Value::Bool(true)),
            "false" | "no" | "N" => Some(Value::Bool(false)),
            _ => None,
        },
        _ => None,
    }
}
