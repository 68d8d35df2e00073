//! Notes, splits and flattens: each decision of the language has its case.

use std::collections::BTreeMap;

use super::*;
use crate::lang::eval::{Fold, Route};
use crate::lang::types::Base;

fn note(name: &str, title: Expr, value: Rule) -> Note {
    Note { name: name.to_owned(), title, rule: value, for_each: false, at_most: None }
}

fn notes(outcome: Outcome) -> Vec<(Option<String>, String, String)> {
    match outcome {
        Outcome::Record(output) => {
            output.notes.into_iter().map(|note| (note.child.map(Into::into), note.title, note.body)).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn alone(title: &str, body: &str) -> (Option<String>, String, String) {
    (None, title.to_owned(), body.to_owned())
}

#[test]
fn a_note_goes_with_its_record() {
    let long = Expr::Compare(
        Comparison::Greater,
        Box::new(call("length", vec![Expr::Slot(0)])),
        Box::new(number(3)),
    );
    let mut plan = plan(vec![rule(Expr::Slot(0))], vec![Type::text()]);
    plan.maps[0].notes = vec![
        note(
            "Full",
            Expr::Concat(vec![constant("Full "), Expr::Slot(1)]),
            Rule { when: Some(long), ..rule(Expr::Slot(0)) },
        ),
        note(
            "Else",
            constant("Else"),
            Rule { otherwise: vec![arm(constant("none"), None)], ..rule(Expr::Slot(9)) },
        ),
    ];
    let else_note = alone("Else", "none");
    let give = |record: &[Value]| notes(run(&plan, record));
    assert_eq!(give(&[Value::text("abcd"), Value::Int(7)]), [alone("Full 7", "abcd"), else_note.clone()]);
    assert_eq!(give(&[Value::text("abc")]), [else_note]);

    let phone = |slot| call("phone", vec![Expr::Slot(slot), constant("US")]);
    plan.maps[0].notes = vec![note("Phone", phone(1), rule(Expr::Slot(0)))];
    assert!(matches!(
        run(&plan, &[Value::text("x"), Value::text("n/a")]),
        Outcome::Quarantined { rule: Some(id), reason, .. }
            if id.note && &*reason == "`note \"Phone\"`: not a phone number"
    ));
    plan.maps[0].notes[0].rule.on_fail = Some(Arm::Flag("bad".to_owned()));
    let Outcome::Record(output) = run(&plan, &[Value::text("x"), Value::text("n/a")]) else { panic!() };
    assert_eq!((output.notes.len(), output.flags.len()), (0, 1));
    assert_eq!(output.flags[0].rule.id(&plan, 0), "deal.note \"Phone\"");
}

/// A plan that folds `item` (key, parent, name, price, created) into map 0.
fn folding(rules: Vec<Rule>, notes: Vec<Note>, pick: Option<Pick>) -> Plan {
    let targets = vec![Type::text().or_absent(), Type::maybe(Base::Decimal)];
    let mut plan = plan(vec![], targets);
    plan.flattens = vec![Flatten {
        source: "item".to_owned(),
        into: 0,
        via: 1,
        key: 0,
        filter: None,
        pick,
        rules,
        notes,
        orphan: Arm::Skip("no parent".to_owned()),
        orphan_line: 31,
        reads: BTreeMap::new(),
        dropped: vec![],
        records: None,
        line: 30,
    }];
    plan
}

fn child(key: i64, name: &str, price: i64) -> Record {
    vec![Value::Int(key), Value::text("7"), Value::text(name), Value::Int(price)]
}

#[test]
fn folded_records_are_picked_and_added_up() {
    let aggregate = |kind, of: Option<u16>| Expr::Aggregate { kind, of: of.map(slot) };
    let name = || rule(Expr::Slot(2));
    let value = |value: Expr| Rule { target: 1, ..rule(value) };
    let children = [child(1, "a", 5), child(2, "b", 9), child(3, "c", 5)];
    let give = |pick, expr: Expr, children: &[Record]| {
        let plan = folding(vec![name(), value(expr)], vec![], pick);
        match run_with(&plan, &[Value::text("x")], children) {
            Outcome::Record(output) => {
                (output.values[0].display().to_string(), output.values[1].display().to_string())
            }
            other => panic!("{other:?}"),
        }
    };
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    let by_price = |latest| Some(Pick { latest, by: 3 });
    assert_eq!(give(None, aggregate(Aggregate::Count, None), &children), pair("a", "3"));
    assert_eq!(give(by_price(true), aggregate(Aggregate::Sum, Some(3)), &children), pair("b", "19"));
    // Of equals the one with the greater key.
    assert_eq!(give(by_price(false), aggregate(Aggregate::Min, Some(3)), &children), pair("c", "5"));
    assert_eq!(give(None, aggregate(Aggregate::Max, Some(3)), &children), pair("a", "9"));
    // An absent value is less than any other, and takes no part in a count of values.
    let mut gap = children.to_vec();
    gap[1][3] = Value::Absent;
    assert_eq!(give(by_price(true), aggregate(Aggregate::Count, Some(3)), &gap), pair("c", "2"));
    assert_eq!(give(by_price(false), aggregate(Aggregate::Count, None), &gap), pair("b", "3"));
    // Nothing folded in: nothing happens, not even a count of nought.
    assert_eq!(give(None, aggregate(Aggregate::Count, None), &[]), pair("", ""));
    // The record that takes them in is seen by its own name.
    assert_eq!(give(None, Expr::Has(Box::new(Expr::Outer(0))), &children), pair("a", "yes"));

    let money = |text: &str| {
        let currency = crate::lang::value::Currency::parse(text).unwrap();
        Value::Money(crate::lang::value::Money { amount: 2.into(), currency })
    };
    let mut mixed = children.to_vec();
    (mixed[0][3], mixed[1][3], mixed[2][3]) = (money("USD"), Value::Absent, money("EUR"));
    let total = folding(vec![value(aggregate(Aggregate::Sum, Some(3)))], vec![], None);
    assert!(matches!(
        run_with(&total, &[], &mixed),
        Outcome::Quarantined { rule: Some(id), reason, .. }
            if id == RuleId { flatten: Some(0), note: false, rule: 0 }
                && &*reason == "`t1`: amounts of several currencies"
    ));
    mixed[2][3] = money("USD");
    let Outcome::Record(output) = run_with(&total, &[], &mixed) else { panic!() };
    assert_eq!(output.values[1].display().to_string(), "4 USD");
}

#[test]
fn each_folded_record_has_its_note_up_to_a_limit() {
    let each = |at_most| Note {
        for_each: true,
        at_most,
        ..note("Item {NAME}", Expr::Concat(vec![constant("Item "), Expr::Slot(2)]), rule(Expr::Slot(3)))
    };
    let mut children: Vec<Record> = (1..=4).map(|key| child(key, &format!("n{key}"), key * 10)).collect();
    children[1][3] = Value::Absent;
    let give = |note: Note| notes(run_with(&folding(vec![], vec![note], None), &[], &children));
    let of = |key: &str, body: &str| (Some(key.to_owned()), format!("Item n{key}"), body.to_owned());
    let all = [of("1", "10"), of("3", "30"), of("4", "40")];
    assert_eq!(give(each(None)), all);
    assert_eq!(give(each(Some(3))), all);
    let more = alone("and 1 more", "1 more record of `item` has no note here: 2 notes are written at most");
    assert_eq!(give(each(Some(2))), [all[0].clone(), all[1].clone(), more]);
    let none = alone("and 3 more", "3 more records of `item` have no note here: none is written at most");
    assert_eq!(give(each(Some(0))), [none]);
    // A record skipped by its note loses that note only.
    let skipping = Note {
        rule: Rule { otherwise: vec![Arm::Skip("no price".to_owned())], ..rule(Expr::Slot(3)) },
        ..each(None)
    };
    assert_eq!(give(skipping), all);
    // One note for all reads the picked record.
    assert_eq!(give(note("One", constant("One"), rule(Expr::Slot(2)))), [alone("One", "n1")]);
}

#[test]
fn a_folded_record_goes_with_its_parent_or_to_the_orphans() {
    let mut plan = folding(vec![rule(Expr::Slot(2))], vec![], None);
    plan.flattens[0].filter =
        Some(Filter { condition: Expr::Has(slot(3)), otherwise: Arm::Skip("no price".to_owned()), line: 33 });
    let fold = |plan: &Plan, link: Value, price: Value| {
        let record = [Value::Int(1), link, Value::text("a"), price];
        let fold = Program::compile(plan).unwrap().fold(0, &record);
        assert_eq!(fold, reference::fold(plan, 0, &record));
        fold
    };
    let into = |key: &str| Fold::Into { map: 0, key: key.into() };
    let left = |reason: &str, line| Fold::LeftOut { reason: reason.into(), line };
    assert_eq!(fold(&plan, Value::text("7"), Value::Int(1)), into("7"));
    assert_eq!(fold(&plan, Value::Int(7), Value::Int(1)), into("7"));
    assert_eq!(fold(&plan, Value::text("deal/7"), Value::Int(1)), into("7"));
    assert_eq!(fold(&plan, Value::text("lead/7"), Value::Int(1)), left("no parent", 31));
    assert_eq!(fold(&plan, Value::Absent, Value::Int(1)), left("no parent", 31));
    assert_eq!(fold(&plan, Value::text("7"), Value::Absent), left("no price", 33));
    let orphan = |plan: &Plan| {
        let orphan = Program::compile(plan).unwrap().orphan(0);
        assert_eq!(orphan, reference::orphan(plan, 0));
        orphan
    };
    assert_eq!(orphan(&plan), left("no parent", 31));
    plan.flattens[0].orphan = Arm::Quarantine;
    let held = Fold::Quarantined { reason: "leads to no record that takes part".into(), line: 31 };
    assert_eq!(orphan(&plan), held);
    // Those that its `where` leaves out are not folded in.
    let mut children = vec![child(1, "a", 1), child(2, "b", 1)];
    children[0][3] = Value::Absent;
    assert_eq!(written(run_with(&plan, &[], &children)).0, Value::text("b"));
}

#[test]
fn a_split_sends_records_to_their_maps() {
    let row = |when, to, line| SplitRow { when, to, line };
    let is = |slot_: u16, text: &str| Expr::Compare(Comparison::Equal, slot(slot_), Box::new(constant(text)));
    let routed = |split: Split, record: &[Value]| {
        let mut plan = plan(vec![], vec![]);
        plan.splits = vec![split];
        let program = Program::compile(&plan).unwrap();
        let route = program.route(0, record);
        assert_eq!(route, reference::route(&plan, 0, record));
        match route {
            Route::Maps(maps) => (format!("{maps:?}"), 0),
            Route::Listed { reason, line } => (format!("listed {reason}"), line),
            Route::LeftOut { reason, line } => (format!("left out {reason}"), line),
            Route::Quarantined { reason, line } => (format!("quarantined {reason}"), line),
            Route::Stopped { reason, line } => (format!("stopped {reason}"), line),
        }
    };
    let by_condition = Split {
        source: "lead".to_owned(),
        how: SplitHow::When(vec![
            row(Some(is(0, "CONVERTED")), SplitTo::Listed("follow the deal".to_owned()), 41),
            row(Some(Expr::Has(Box::new(call("phone", vec![Expr::Slot(1)])))), SplitTo::Maps(vec![1]), 42),
            row(None, SplitTo::Maps(vec![1, 2]), 43),
        ]),
        line: 40,
    };
    let lead = |status: &str, phone: Value| routed(by_condition.clone(), &[Value::text(status), phone]);
    assert_eq!(lead("CONVERTED", Value::Absent), ("listed follow the deal".to_owned(), 41));
    assert_eq!(lead("NEW", Value::text("+13333333555")), ("[1]".to_owned(), 0));
    assert_eq!(lead("NEW", Value::Absent), ("[1, 2]".to_owned(), 0));
    assert_eq!(lead("NEW", Value::text("n/a")), ("quarantined `split`: not a phone number".to_owned(), 42));

    let by_value = Split {
        source: "activity".to_owned(),
        how: SplitHow::Value {
            slot: 0,
            rows: BTreeMap::from([
                ("1".to_owned(), row(None, SplitTo::Maps(vec![2]), 51)),
                ("3".to_owned(), row(None, SplitTo::Arm(Arm::Skip("a task".to_owned())), 52)),
                ("4".to_owned(), row(None, SplitTo::Arm(Arm::Stop), 53)),
            ]),
            unseen: row(None, SplitTo::Arm(Arm::Quarantine), 54),
        },
        line: 50,
    };
    let activity = |kind: Value| routed(by_value.clone(), &[kind]);
    assert_eq!(activity(Value::Int(1)), ("[2]".to_owned(), 0));
    assert_eq!(activity(Value::text("3")), ("left out a task".to_owned(), 52));
    assert_eq!(activity(Value::text("4")), ("stopped held back by the split of `activity`".to_owned(), 53));
    assert_eq!(
        activity(Value::text("9")),
        ("quarantined `9` is not in the split of `activity`".to_owned(), 54)
    );
    assert_eq!(activity(Value::Absent).1, 54);
}
