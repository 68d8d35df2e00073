//! `test every row`: a record for each row of a table or pipeline, through the rules that use it.
//!
//! Records are generated from the source's schema with the row's code in the fields that the rule reads, until one of
//! them takes the row and ends well. The seed is fixed: the same spec gives the same answer.

use super::typed::plain;
use super::{Exercised, Failure, Input, Tested};
use crate::lang::eval::reference::{self, Taken};
use crate::lang::eval::{Outcome, Route};
use crate::lang::fuzz::{Dice, Generator, Judge};
use crate::lang::plan::{Arm, Expr, Plan, Rule, StageTo};
use crate::lang::syntax::ast::{Item, TestEveryRow};
use crate::lang::text::Span;
use crate::lang::types::Base;
use crate::lang::value::{Record, Value};

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
    let mut failures = Vec::new();
    for row in &rows {
        if let Err(why) = reach(input, plan, row, exercised) {
            let (file, line) = plan.place(row.line);
            let which = match &row.taken {
                Taken::Row(_, None) | Taken::StageRow(_, None) => "`_ unseen`".to_owned(),
                _ => format!("row \"{}\"", row.code),
            };
            failures.push(Failure {
                span: span_of_row(input, every, &row.code).unwrap_or(every.name.span),
                message: format!("{which} of `{}`: {why}", every.name.value),
                diff: Vec::new(),
                notes: vec![format!("it stands in {file}:{line}")],
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
    Tested { name, span: every.span, checks: rows.len(), failures }
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
            line: table.line,
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
        line: pipeline.line,
    };
    known.chain([last]).collect()
}

fn span_of_row(input: Input<'_>, every: &TestEveryRow, code: &str) -> Option<Span> {
    input.spec.items.iter().find_map(|item| match item {
        Item::Table(table) if table.name.value == every.name.value => {
            let named = |row: &&crate::lang::syntax::ast::TableRow| {
                row.codes.iter().any(|c| c.code.as_ref().is_some_and(|name| name.value == code))
            };
            table.rows.iter().find(named).map(|row| row.span)
        }
        Item::Pipeline(pipeline) if pipeline.name.value == every.name.value => {
            let named = |row: &&crate::lang::syntax::ast::StageRow| {
                row.codes.iter().any(|c| c.code.as_ref().is_some_and(|name| name.value == code))
            };
            pipeline.rows.iter().find(named).map(|row| row.span)
        }
        _ => None,
    })
}

/// What a rule reads around a table or a pipeline.
#[derive(Default)]
struct Reads {
    codes: Vec<usize>,
    categories: Vec<usize>,
}

/// Finds a record that takes the row and ends as the row says.
fn reach(input: Input<'_>, plan: &Plan, row: &Row<'_>, exercised: &mut Exercised) -> Result<(), String> {
    let judge = Judge::new(plan, input.target);
    let mut best: Option<String> = None;
    let mut used = false;
    for (map, item) in plan.maps.iter().enumerate() {
        let Some(object) = input.source.object(&item.source) else { continue };
        let rules = item.rules.iter().chain(item.notes.iter().map(|note| &note.rule));
        for rule in rules {
            let mut reads = Reads::default();
            each_expr(rule, &mut |expr| slots(plan, expr, row, &mut reads));
            if reads.codes.is_empty() {
                continue;
            }
            used = true;
            for number in 0..TRIES {
                let record = if number == 0 {
                    object.fields.iter().map(|field| simple(input, &item.source, field)).collect()
                } else {
                    let mut dice = Dice::of(1, number);
                    Generator::new(input.source).record(object, &mut dice)
                };
                let Some(record) = with_codes(record, object, &reads, row) else { continue };
                if !goes_to(plan, map, &record) {
                    continue;
                }
                let watched = reference::watched(plan, map, &record, &[]);
                if !watched.hits.iter().any(|hit| hit.taken == row.taken) {
                    continue;
                }
                match verdict(&judge, map, row, &watched.outcome) {
                    Ok(()) => {
                        watched.hits.iter().for_each(|hit| exercised.hit(map, hit));
                        return Ok(());
                    }
                    Err(why) => best = best.or(Some(why)),
                }
            }
        }
    }
    Err(match (best, used) {
        (Some(why), _) => why,
        (None, true) => "no record of the source's schema reaches it".to_owned(),
        (None, false) => "no rule of a map uses it".to_owned(),
    })
}

fn verdict(judge: &Judge<'_>, map: usize, row: &Row<'_>, outcome: &Outcome) -> Result<(), String> {
    let own = |outcome: &Outcome| {
        matches!(
            (row.arm, outcome),
            (Some(Arm::Skip(_)), Outcome::LeftOut { .. })
                | (Some(Arm::Quarantine), Outcome::Quarantined { .. })
                | (Some(Arm::Stop), Outcome::Stopped { .. })
        )
    };
    match outcome {
        outcome if own(outcome) => Ok(()),
        Outcome::Record(output) => match judge.violations(map, output).first() {
            None => Ok(()),
            Some(fault) => Err(format!("`{}` {}: {}", fault.target, fault.kind.words(), fault.value)),
        },
        Outcome::LeftOut { reason, .. } => Err(format!("its record is left out: {reason}")),
        Outcome::Quarantined { reason, .. } => Err(format!("its record is held back: {reason}")),
        Outcome::Stopped { reason, .. } => Err(format!("its record ends the run: {reason}")),
    }
}

fn goes_to(plan: &Plan, map: usize, record: &[Value]) -> bool {
    let Some(split) = plan.maps[map].split else { return true };
    match reference::route(plan, usize::from(split), record) {
        Route::Maps(maps) => maps.iter().any(|to| usize::from(*to) == map),
        _ => false,
    }
}

/// A value for every field that can have a plain one.
fn simple(input: Input<'_>, object: &str, field: &crate::lang::schema::Field) -> Value {
    let value = match &field.ty.base {
        Base::Text { .. } if !field.ty.optional => Some(Value::text("Test")),
        _ if field.ty.optional => None,
        base => plain(input.source, object, base),
    };
    match value {
        Some(value) if field.ty.many => Value::List(vec![value]),
        Some(value) => value,
        None => Value::Absent,
    }
}

fn with_codes(
    mut record: Record,
    object: &crate::lang::schema::Object,
    reads: &Reads,
    row: &Row<'_>,
) -> Option<Record> {
    let mut put = |slot: usize, code: &str| {
        let ty = &object.fields.get(slot)?.ty;
        let value = match ty.base {
            Base::Enum(_) | Base::Stage | Base::Text { .. } => Value::text(code),
            Base::Integer => Value::Int(code.parse().ok()?),
            Base::Bool => Value::Bool(code == "true"),
            _ => return None,
        };
        *record.get_mut(slot)? = if ty.many { Value::List(vec![value]) } else { value };
        Some(())
    };
    let mut any = false;
    for slot in &reads.codes {
        any |= put(*slot, &row.code).is_some();
    }
    if let Some(category) = row.category {
        for slot in &reads.categories {
            put(*slot, category);
        }
    }
    any.then_some(record)
}

/// The slots that an expression feeds into the row's table or pipeline.
fn slots(plan: &Plan, expr: &Expr, row: &Row<'_>, reads: &mut Reads) {
    match (expr, &row.taken) {
        (Expr::Lookup { table, key }, Taken::Row(wanted, _)) if table == wanted => {
            walk(key, &mut |inner| slot_of(inner, &mut reads.codes));
        }
        (Expr::Stage { category, stage, object }, Taken::StageRow(wanted, _)) => {
            let fits = plan.pipelines.get(usize::from(*wanted)).is_some_and(|p| p.object == *object);
            if fits {
                walk(stage, &mut |inner| slot_of(inner, &mut reads.codes));
                if let Some(category) = category {
                    walk(category, &mut |inner| slot_of(inner, &mut reads.categories));
                }
            }
        }
        // A function that looks up in the table: any of its arguments may be what is looked up.
        (Expr::Apply { function, args }, Taken::Row(wanted, _)) => {
            let mut uses = false;
            if let Some(function) = plan.functions.get(usize::from(*function)) {
                walk(&function.body, &mut |inner| {
                    uses |= matches!(inner, Expr::Lookup { table, .. } if table == wanted);
                });
            }
            if uses {
                args.iter().for_each(|arg| walk(arg, &mut |inner| slot_of(inner, &mut reads.codes)));
            }
        }
        _ => {}
    }
}

fn slot_of(expr: &Expr, found: &mut Vec<usize>) {
    if let Expr::Slot(slot) = expr
        && !found.contains(&usize::from(*slot))
    {
        found.push(usize::from(*slot));
    }
}

/// Every expression of a rule, arms included.
fn each_expr(rule: &Rule, see: &mut dyn FnMut(&Expr)) {
    rule.when.iter().for_each(|when| walk(when, see));
    walk(&rule.value, see);
    if let Some(label) = &rule.label {
        walk(&label.value, see);
        label.when.iter().for_each(|when| walk(when, see));
    }
    for arm in rule.otherwise.iter().chain(&rule.on_fail) {
        if let Arm::Value { value, .. } = arm {
            walk(value, see);
        }
    }
}

fn walk(expr: &Expr, see: &mut dyn FnMut(&Expr)) {
    see(expr);
    match expr {
        Expr::Slot(_)
        | Expr::Element
        | Expr::Attribute(_)
        | Expr::Const(_)
        | Expr::Param(_)
        | Expr::Outer(_) => {}
        Expr::Concat(all) | Expr::List(all) => all.iter().for_each(|inner| walk(inner, see)),
        Expr::Call { args, .. } | Expr::Apply { args, .. } => args.iter().for_each(|arg| walk(arg, see)),
        Expr::Lookup { key: inner, .. }
        | Expr::Title { of: inner, .. }
        | Expr::Owner(inner)
        | Expr::Has(inner)
        | Expr::Not(inner) => walk(inner, see),
        Expr::Each { list, body } => {
            walk(list, see);
            walk(body, see);
        }
        Expr::Ref { link, object, .. } => {
            walk(link, see);
            object.iter().for_each(|object| walk(object, see));
        }
        Expr::EachLine { list, rules, .. } => {
            walk(list, see);
            rules.iter().for_each(|rule| each_expr(rule, see));
        }
        Expr::Aggregate { of, .. } => of.iter().for_each(|of| walk(of, see)),
        Expr::Lines(lines) => lines.iter().for_each(|line| walk(&line.value, see)),
        Expr::Stage { category, stage, .. } => {
            category.iter().for_each(|category| walk(category, see));
            walk(stage, see);
        }
        Expr::And(a, b) | Expr::Or(a, b) | Expr::Compare(_, a, b) => {
            walk(a, see);
            walk(b, see);
        }
    }
}
