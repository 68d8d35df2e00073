//! Both interpreters agree on generated plans, and each decision of the language has its case.

use std::collections::BTreeMap;

mod cases;
mod folded;
mod generated;

use super::{Folded, Hit, Outcome, Output, Program, RuleId, reference};
use crate::lang::plan::*;
use crate::lang::types::Type;
use crate::lang::value::{Item, OutcomeKind, Record, RefValue, StageValue, Value};

fn slot(n: u16) -> Box<Expr> {
    Box::new(Expr::Slot(n))
}

fn constant(text: &str) -> Expr {
    Expr::Const(Value::text(text))
}

fn call(function: &str, args: Vec<Expr>) -> Expr {
    Expr::Call { function: function.to_owned(), args }
}

fn arm(value: Expr, flag: Option<&str>) -> Arm {
    Arm::Value { value: Box::new(value), flag: flag.map(str::to_owned) }
}

fn rule(value: Expr) -> Rule {
    Rule { value, line: 10, ..Rule::default() }
}

fn linked(maps: Vec<u16>, link: Box<Expr>) -> Expr {
    Expr::Ref { maps, link, any: false, object: None, field: None }
}

fn item(value: &str, attrs: Vec<Value>) -> Value {
    Value::Item(Box::new(Item { value: Value::text(value), attrs }))
}

fn texts(texts: &[&str]) -> Value {
    Value::List(texts.iter().map(Value::text).collect())
}

fn stage(name: &str) -> StageValue {
    StageValue { pipeline: "Sales".to_owned(), stage: Some(name.to_owned()), outcome: None }
}

fn won() -> StageValue {
    StageValue { outcome: Some((OutcomeKind::Won, "Signed".to_owned())), stage: None, ..stage("") }
}

fn link_to(map: u16, key: &str) -> Value {
    Value::Ref(Box::new(RefValue { map, others: Vec::new(), key: key.into(), field: None }))
}

/// A line of an `each` block, or a row of a source.
fn row(columns: Vec<Value>) -> Value {
    Value::Item(Box::new(Item { value: Value::Absent, attrs: columns }))
}

fn column(name: &str, base: crate::lang::types::Base) -> Target {
    Target { name: name.to_owned(), custom: false, ty: Type::maybe(base) }
}

fn number(n: i64) -> Expr {
    Expr::Const(Value::Int(n))
}

/// A plan whose map 0 has these rules; what they refer to is the same in every test.
fn plan(rules: Vec<Rule>, targets: Vec<Type>) -> Plan {
    let table_row = |arm, line| TableRow { arm, line };
    let stage_row = |to, line| StageRow { to, line };
    let system = || System { connector: "x".to_owned(), account: "y".to_owned(), schema: "z".to_owned() };
    let target = |(index, ty)| Target { name: format!("t{index}"), custom: false, ty };
    let map = |name: &str, rules, targets: Vec<Type>| Map {
        name: name.to_owned(),
        source: name.to_owned(),
        target: "Account".to_owned(),
        targets: targets.into_iter().enumerate().map(target).collect(),
        rules,
        line: 1,
        ..Map::default()
    };
    Plan {
        edition: 2026,
        source: system(),
        target: system(),
        zone: Some("UTC".to_owned()),
        maps: vec![
            map("deal", rules, targets),
            map("company", vec![], vec![]),
            map("contact", vec![], vec![]),
        ],
        tables: vec![
            Table {
                name: "sources".to_owned(),
                rows: BTreeMap::from([
                    ("a".to_owned(), table_row(arm(constant("Alpha"), None), 101)),
                    ("b".to_owned(), table_row(arm(constant("Beta"), Some("check b")), 102)),
                    ("c".to_owned(), table_row(Arm::Unset, 103)),
                    ("d".to_owned(), table_row(Arm::Flag("d is gone".to_owned()), 104)),
                    ("e".to_owned(), table_row(Arm::Skip("no e".to_owned()), 105)),
                    ("f".to_owned(), table_row(Arm::Stop, 106)),
                ]),
                unseen: Arm::Quarantine,
                unseen_line: 109,
                line: 100,
            },
            Table {
                name: "loose".to_owned(),
                rows: BTreeMap::from([(
                    "a".to_owned(),
                    table_row(arm(call("phone", vec![Expr::Element]), None), 111),
                )]),
                unseen: Arm::Unset,
                unseen_line: 119,
                line: 110,
            },
        ]
        .into_iter()
        .collect(),
        pipelines: vec![Pipeline {
            name: "sales".to_owned(),
            object: "deal".to_owned(),
            category: "0".to_owned(),
            rows: BTreeMap::from([
                ("NEW".to_owned(), stage_row(StageTo::Stage(stage("Qualify")), 121)),
                ("WON".to_owned(), stage_row(StageTo::Stage(won()), 122)),
                ("a".to_owned(), stage_row(StageTo::Arm(Arm::Skip("not a".to_owned())), 123)),
            ]),
            unseen: Arm::Quarantine,
            unseen_line: 129,
            line: 120,
        }],
        owners: Owners {
            users: BTreeMap::from([
                ("1".to_owned(), Owner { user: "77".to_owned(), flag: None, how: OwnerHow::Email }),
                (
                    "2".to_owned(),
                    Owner {
                        user: "78".to_owned(),
                        flag: Some("owner has left".to_owned()),
                        how: OwnerHow::Dismissed,
                    },
                ),
            ]),
            otherwise: Owner {
                user: "79".to_owned(),
                flag: Some("owner not found".to_owned()),
                how: OwnerHow::Otherwise,
            },
        },
        phases: vec![],
        provision: vec![],
        requires: vec![],
        ..Plan::default()
    }
}

/// Runs map 0 both ways.
fn run(plan: &Plan, record: &[Value]) -> Outcome {
    run_with(plan, record, &[])
}

/// Runs map 0 both ways, with what is folded into flatten 0.
fn run_with(plan: &Plan, record: &[Value], children: &[Record]) -> Outcome {
    let folded = [Folded { flatten: 0, records: children }];
    let program = Program::compile(plan).unwrap();
    let outcome = program.run_with(0, record, &folded);
    let plain = reference::watched(plan, 0, record, &folded);
    assert_eq!(outcome, plain.outcome, "fast and plain differ");
    let mut hits = Vec::new();
    assert_eq!(program.run_watched(0, record, &folded, &mut hits), outcome, "being watched changes it");
    assert_eq!(named(plan, &hits), plain.hits, "fast and plain take different parts of the plan");
    outcome
}

fn named(plan: &Plan, hits: &[Hit]) -> Vec<reference::Hit> {
    hits.iter().map(|hit| hit.named(plan)).collect()
}

/// What one rule gives into a single target.
fn one(rule: Rule, ty: Type, record: &[Value]) -> Outcome {
    run(&plan(vec![rule], vec![ty]), record)
}

fn written(outcome: Outcome) -> (Value, Vec<String>) {
    match outcome {
        Outcome::Record(Output { mut values, flags, .. }) => {
            (values.remove(0), flags.iter().map(|flag| flag.why.to_string()).collect())
        }
        other => panic!("{other:?}"),
    }
}

fn value_of(value: Expr, record: &[Value]) -> Value {
    written(one(rule(value), Type::text().or_absent(), record)).0
}
