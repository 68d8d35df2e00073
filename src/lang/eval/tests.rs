//! Both interpreters agree on generated plans, and each decision of the language has its case.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rust_decimal::Decimal;

use super::{Outcome, Output, Program, reference};
use crate::lang::plan::*;
use crate::lang::types::{Base, Type};
use crate::lang::value::{Currency, Instant, Item, Money, OutcomeKind, RefValue, StageValue, Value, parse};

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
                line: 100,
            },
            Table {
                name: "loose".to_owned(),
                rows: BTreeMap::from([(
                    "a".to_owned(),
                    table_row(arm(call("phone", vec![Expr::Element]), None), 111),
                )]),
                unseen: Arm::Unset,
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
    let outcome = Program::compile(plan).unwrap().run(0, record);
    assert_eq!(outcome, reference::run(plan, 0, record), "fast and plain differ");
    outcome
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

#[test]
fn every_kind_of_expression_runs() {
    let record = [
        Value::text("7"),
        Value::text(" Pumps "),
        Value::List(vec![
            item("(333) 333-3555", vec![Value::text("WORK")]),
            item("n/a", vec![Value::text("HOME")]),
        ]),
        Value::Absent,
        Value::text("a"),
        Value::text("0"),
        Value::text("NEW"),
        Value::Int(3),
    ];
    let yes = Expr::Const(Value::Bool(true));
    let phones = call("count", vec![Expr::Each { list: slot(2), body: Box::new(Expr::Attribute(0)) }]);
    let cases = [
        (Expr::Slot(1), Value::text(" Pumps ")),
        (Expr::Slot(99), Value::Absent),
        (Expr::Slot(2), texts(&["(333) 333-3555", "n/a"])),
        (constant("x"), Value::text("x")),
        (Expr::Concat(vec![constant("Deal "), Expr::Slot(0), Expr::Slot(3)]), Value::text("Deal 7")),
        (Expr::Concat(vec![Expr::Slot(3)]), Value::Absent),
        (call("trim", vec![Expr::Slot(1)]), Value::text("Pumps")),
        (call("cut", vec![Expr::Slot(1), Expr::Const(Value::Decimal(Decimal::from(3)))]), Value::text(" Pu")),
        (call("trim", vec![Expr::Slot(3)]), Value::Absent),
        (Expr::Lookup { table: 0, key: slot(4) }, Value::text("Alpha")),
        (Expr::Lookup { table: 0, key: slot(3) }, Value::Absent),
        (Expr::Each { list: slot(2), body: Box::new(Expr::Element) }, texts(&["(333) 333-3555", "n/a"])),
        (Expr::Each { list: slot(2), body: Box::new(Expr::Attribute(0)) }, texts(&["WORK", "HOME"])),
        (Expr::Each { list: slot(4), body: Box::new(Expr::Element) }, texts(&["a"])),
        (phones, Value::Int(2)),
        (
            linked(vec![1], slot(0)),
            Value::Ref(Box::new(RefValue { map: 1, others: Vec::new(), key: "7".into(), field: None })),
        ),
        (Expr::Owner(slot(0)), Value::text("79")),
        (
            Expr::Stage { category: Some(slot(5)), stage: slot(6), object: "deal".to_owned() },
            Value::Stage(Box::new(stage("Qualify"))),
        ),
        (Expr::Stage { category: Some(slot(3)), stage: slot(6), object: "deal".to_owned() }, Value::Absent),
        (Expr::List(vec![Expr::Slot(0), Expr::Slot(3), Expr::Slot(4)]), texts(&["7", "a"])),
        (Expr::List(vec![Expr::Slot(3)]), Value::Absent),
        (Expr::Has(slot(3)), Value::Bool(false)),
        (Expr::Not(slot(3)), Value::Bool(true)),
        (Expr::And(Box::new(yes.clone()), Box::new(Expr::Has(slot(0)))), Value::Bool(true)),
        (Expr::Or(slot(3), Box::new(yes)), Value::Bool(true)),
        (
            Expr::Compare(
                Comparison::AtLeast,
                slot(7),
                Box::new(Expr::Const(Value::Decimal(Decimal::new(25, 1)))),
            ),
            Value::Bool(true),
        ),
    ];
    for (expr, expected) in cases {
        assert_eq!(value_of(expr.clone(), &record), expected, "{expr:?}");
    }
}

#[test]
fn absence_takes_the_else_arms_in_turn() {
    let base = |otherwise| Rule { otherwise, ..rule(Expr::Slot(0)) };
    let text = || Type::text().or_absent();
    let record = [Value::Absent, Value::text("x")];
    let give = |otherwise| one(base(otherwise), text(), &record);
    assert_eq!(
        written(give(vec![arm(Expr::Slot(0), Some("a")), arm(Expr::Slot(1), Some("b"))])),
        (Value::text("x"), vec!["b".to_owned()])
    );
    assert_eq!(written(give(vec![arm(Expr::Slot(0), Some("a"))])), (Value::Absent, vec![]));
    assert_eq!(
        written(give(vec![Arm::Flag("none".to_owned()), arm(Expr::Slot(1), None)])),
        (Value::Absent, vec!["none".to_owned()])
    );
    assert_eq!(written(give(vec![Arm::Unset, Arm::Quarantine])), (Value::Absent, vec![]));
    assert!(
        matches!(give(vec![Arm::Skip("why".to_owned())]), Outcome::LeftOut { reason, line: 10 } if &*reason == "why")
    );
    assert!(matches!(
        give(vec![Arm::Quarantine]),
        Outcome::Quarantined { rule: Some(0), reason, line: 10 } if &*reason == "`t0` has no value"
    ));
    assert!(matches!(give(vec![Arm::Stop]), Outcome::Stopped { rule: Some(0), .. }));

    let when = Rule { when: Some(Expr::Has(slot(0))), ..rule(Expr::Slot(1)) };
    assert_eq!(written(one(when.clone(), text(), &record)).0, Value::Absent);
    let with_else = Rule { otherwise: vec![arm(constant("else"), None)], ..when };
    assert_eq!(written(one(with_else, text(), &record)).0, Value::text("else"));
}

#[test]
fn failures_take_the_on_fail_arm_and_never_the_else() {
    let phone = call("phone", vec![Expr::Slot(0), constant("US")]);
    let record = [Value::text("n/a"), Value::text("x")];
    let give = |on_fail| {
        let rule = Rule { on_fail, otherwise: vec![arm(constant("else"), None)], ..rule(phone.clone()) };
        one(rule, Type::text().or_absent(), &record)
    };
    assert_eq!(written(give(Some(Arm::Flag("bad".to_owned())))), (Value::Absent, vec!["bad".to_owned()]));
    assert_eq!(written(give(Some(Arm::Unset))), (Value::Absent, vec![]));
    assert_eq!(
        written(give(Some(arm(Expr::Slot(1), Some("took x"))))),
        (Value::text("x"), vec!["took x".to_owned()])
    );
    for outcome in [give(None), give(Some(Arm::Quarantine)), give(Some(arm(phone.clone(), None)))] {
        assert!(
            matches!(&outcome, Outcome::Quarantined { rule: Some(0), reason, line: 10 }
                if &**reason == "`t0`: not a phone number"),
            "{outcome:?}"
        );
    }
}

#[test]
fn elements_fail_alone_and_carry_their_labels() {
    let record = [
        Value::List(vec![
            item("+1 333 333 3555", vec![Value::text("a")]),
            item("n/a", vec![Value::text("a")]),
            item("+1 333 333 3556", vec![Value::text("c")]),
            item("+1 333 333 3557", vec![Value::text("e")]),
        ]),
        Value::text("Director"),
        Value::List(vec![item("5", vec![Value::Bool(true)]), item("6", vec![Value::Bool(false)])]),
    ];
    let phones = Rule {
        label: Some(Label {
            value: Expr::Lookup { table: 0, key: Box::new(Expr::Attribute(0)) },
            when: None,
        }),
        on_fail: Some(Arm::Flag("not a phone number".to_owned())),
        ..rule(Expr::Each { list: slot(0), body: Box::new(call("phone", vec![Expr::Element])) })
    };
    let many = |base| Type { base, many: true, optional: true };
    // The first has a label, the second fails, the third has none by its table, the fourth is skipped by its label.
    assert_eq!(
        written(one(phones.clone(), many(Base::Phone), &record)),
        (
            Value::List(vec![item("+13333333555", vec![Value::text("Alpha")]), Value::text("+13333333556")]),
            vec!["not a phone number".to_owned()]
        )
    );
    let strict = Rule { on_fail: None, ..phones };
    assert!(matches!(one(strict, many(Base::Phone), &record), Outcome::Quarantined { .. }));

    let titles = Rule {
        label: Some(Label { value: Expr::Slot(1), when: Some(Expr::Attribute(0)) }),
        ..rule(linked(vec![1], slot(2)))
    };
    let link = |key: &str| {
        Value::Ref(Box::new(RefValue { map: 1, others: Vec::new(), key: key.into(), field: None }))
    };
    let tied = Value::Item(Box::new(Item { value: link("5"), attrs: vec![Value::text("Director")] }));
    assert_eq!(
        written(one(titles, many(Base::Ref("Account".to_owned())), &record)).0,
        Value::List(vec![tied, link("6")])
    );
}

#[test]
fn single_values_are_lifted_and_numbers_widened() {
    let many = Type { base: Base::Ref("Account".to_owned()), many: true, optional: true };
    let link = rule(linked(vec![1], slot(0)));
    let expected =
        Value::Ref(Box::new(RefValue { map: 1, others: Vec::new(), key: "7".into(), field: None }));
    assert_eq!(written(one(link, many, &[Value::Int(7)])).0, Value::List(vec![expected]));
    let decimal = Type::maybe(Base::Decimal);
    assert_eq!(
        written(one(rule(Expr::Slot(0)), decimal, &[Value::Int(7)])).0,
        Value::Decimal(Decimal::from(7))
    );
}

#[test]
fn links_to_several_objects_find_their_map() {
    let link = |text: &str| {
        let rule = rule(linked(vec![1, 2], slot(0)));
        written(one(rule, Type::text().or_absent(), &[Value::text(text)])).0
    };
    let to = |map, key: &str| {
        Value::Ref(Box::new(RefValue { map, others: Vec::new(), key: key.into(), field: None }))
    };
    assert_eq!(link("contact/5"), to(2, "5"));
    assert_eq!(link("company/5"), to(1, "5"));
    assert_eq!(link("5"), to(1, "5"));
    assert_eq!(link("lead/5"), Value::Absent);
}

#[test]
fn tables_and_pipelines_have_their_own_arms() {
    let give = |code: &str| {
        one(rule(Expr::Lookup { table: 0, key: slot(0) }), Type::text().or_absent(), &[Value::text(code)])
    };
    assert_eq!(written(give("b")), (Value::text("Beta"), vec!["check b".to_owned()]));
    assert_eq!(written(give("c")), (Value::Absent, vec![]));
    assert_eq!(written(give("d")), (Value::Absent, vec!["d is gone".to_owned()]));
    assert!(matches!(give("e"), Outcome::LeftOut { reason, line: 105 } if &*reason == "no e"));
    assert!(matches!(give("f"), Outcome::Stopped { line: 106, .. }));
    assert!(matches!(
        give("new"),
        Outcome::Quarantined { reason, line: 100, .. } if &*reason == "`new` is not in table `sources`"
    ));
    let stage = |category: &str, code: &str| {
        let value = Expr::Stage { category: Some(slot(0)), stage: slot(1), object: "deal".to_owned() };
        one(rule(value), Type::maybe(Base::Stage), &[Value::text(category), Value::text(code)])
    };
    assert_eq!(written(stage("0", "WON")).0, Value::Stage(Box::new(won())));
    assert!(matches!(stage("0", "X"), Outcome::Quarantined { line: 120, .. }));
    assert!(matches!(stage("0", "a"), Outcome::LeftOut { line: 123, .. }));
    assert!(matches!(
        stage("4", "NEW"),
        Outcome::Quarantined { reason, line: 10, .. } if reason.contains("category `4`")
    ));
}

#[test]
fn owners_are_total_and_reported() {
    let owner = |user: Value| match one(rule(Expr::Owner(slot(0))), Type::one(Base::User), &[user]) {
        Outcome::Record(output) => {
            (output.values[0].display().to_string(), output.owners, output.flags.len())
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(owner(Value::text("1")), ("77".to_owned(), vec![OwnerHow::Email], 0));
    assert_eq!(owner(Value::Int(2)), ("78".to_owned(), vec![OwnerHow::Dismissed], 1));
    assert_eq!(owner(Value::text("9")), ("79".to_owned(), vec![OwnerHow::Otherwise], 1));
    assert_eq!(owner(Value::Absent), ("79".to_owned(), vec![OwnerHow::Otherwise], 1));
}

#[test]
fn a_where_decides_who_takes_part() {
    let give = |condition, otherwise| {
        let mut plan = plan(vec![rule(Expr::Slot(0))], vec![Type::text()]);
        plan.maps[0].filter = Some(Filter { condition, otherwise, line: 5 });
        run(&plan, &[Value::text("x")])
    };
    let skip = || Arm::Skip("own company".to_owned());
    assert!(matches!(give(Expr::Has(slot(0)), skip()), Outcome::Record(_)));
    assert!(
        matches!(give(Expr::Has(slot(1)), skip()), Outcome::LeftOut { reason, line: 5 } if &*reason == "own company")
    );
    assert!(matches!(give(Expr::Slot(0), Arm::Quarantine), Outcome::Quarantined { rule: None, line: 5, .. }));
    let failing = Expr::Has(Box::new(call("phone", vec![Expr::Slot(0)])));
    assert!(matches!(
        give(failing, skip()),
        Outcome::Quarantined { rule: None, reason, line: 5 } if &*reason == "`where`: not a phone number"
    ));
}

#[test]
fn comparisons_follow_the_kind_of_value() {
    let money = |cents, code| {
        Value::Money(Money { amount: Decimal::new(cents, 2), currency: Currency::parse(code).unwrap() })
    };
    let day = |text| Value::Date(parse::iso_date(text).unwrap());
    let at = |text| Value::Instant(Instant::parse(text).unwrap());
    use Comparison::*;
    let cases = [
        (Value::Absent, Equal, Value::Absent, false),
        (Value::Absent, NotEqual, Value::text("x"), true),
        (Value::Int(2), Equal, Value::Decimal(Decimal::new(200, 2)), true),
        (Value::text("b"), Greater, Value::text("a"), true),
        (Value::text("1"), Equal, Value::Int(1), false),
        (Value::Bool(true), NotEqual, Value::Bool(false), true),
        (Value::Bool(true), AtLeast, Value::Bool(false), false),
        (money(100, "USD"), Less, money(200, "USD"), true),
        (money(100, "USD"), Less, money(200, "EUR"), false),
        (day("2024-08-30"), AtMost, day("2024-08-30"), true),
        (at("2024-08-30T00:30:00+03:00"), Equal, day("2024-08-30"), true),
        (at("2024-08-30T00:30:00+03:00"), Equal, at("2024-08-29T21:30:00Z"), true),
    ];
    for (a, how, b, expected) in cases {
        let expr = Expr::Compare(how, Box::new(Expr::Const(a.clone())), Box::new(Expr::Const(b.clone())));
        assert_eq!(value_of(expr, &[]), Value::Bool(expected), "{a:?} {how:?} {b:?}");
    }
}

#[test]
fn plans_that_cannot_run_are_refused() {
    let broken = [
        plan(vec![rule(call("nonsense", vec![]))], vec![Type::text()]),
        plan(vec![rule(Expr::Lookup { table: 9, key: slot(0) })], vec![Type::text()]),
        plan(vec![rule(linked(vec![9], slot(0)))], vec![Type::text()]),
        plan(vec![rule(Expr::Slot(0))], vec![]),
        {
            let mut circle = plan(vec![], vec![]);
            circle.tables[0].unseen = arm(Expr::Lookup { table: 0, key: slot(0) }, None);
            circle
        },
        Plan { zone: Some("Nowhere/City".to_owned()), ..plan(vec![], vec![]) },
    ];
    for plan in &broken {
        assert!(Program::compile(plan).is_err());
    }
    fn shared<T: Send + Sync>() {}
    shared::<Program>();
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => proptest::sample::select(vec!["a", "b", "c", "d", "e", "f", "g", "1", "2", "0", "NEW", "WON", "contact/1",
            "+13333333555", "n/a", "2024-08-30", "12.50", "a@b.org", " x ", "[b]y[/b]"]).prop_map(Value::text),
        1 => (-2i64..3).prop_map(Value::Int),
        1 => (-20i64..30).prop_map(|n| Value::Decimal(Decimal::new(n, 1))),
        1 => any::<bool>().prop_map(Value::Bool),
        1 => (1i8..4).prop_map(|d| Value::Date(jiff::civil::date(2024, 8, d))),
        1 => (0i64..300_000).prop_map(|s| Value::Instant(Instant {
            at: jiff::Timestamp::from_second(1_722_470_400 + s).unwrap(), offset_seconds: 3600,
        })),
        1 => (0i64..3).prop_map(|n| Value::Money(Money {
            amount: Decimal::new(n, 1), currency: Currency::parse(if n == 2 { "EUR" } else { "USD" }).unwrap(),
        })),
    ]
}

/// A value as connectors make it: lists are not empty, and nothing in them is absent.
fn field() -> impl Strategy<Value = Value> {
    let element = (scalar(), proptest::collection::vec(scalar(), 0..3));
    let item = element.prop_map(|(value, attrs)| Value::Item(Box::new(Item { value, attrs }))).boxed();
    prop_oneof![
        2 => Just(Value::Absent),
        5 => scalar(),
        1 => proptest::collection::vec(scalar(), 1..4).prop_map(Value::List),
        3 => proptest::collection::vec(item.clone(), 1..4).prop_map(Value::List),
        1 => item,
    ]
}

fn expr() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![
        6 => (0u16..7).prop_map(Expr::Slot),
        2 => Just(Expr::Element),
        2 => (0u16..3).prop_map(Expr::Attribute),
        2 => prop_oneof![9 => scalar(), 1 => Just(Value::Absent)].prop_map(Expr::Const),
    ];
    leaf.prop_recursive(4, 20, 3, |inner| {
        let boxed = || inner.clone().prop_map(Box::new);
        let some = || proptest::collection::vec(inner.clone(), 0..4);
        let functions = proptest::sample::select(vec![
            "trim",
            "cut",
            "phone",
            "first",
            "count",
            "join",
            "contains",
            "number",
            "date",
            "url",
            "person_name",
            "unique",
            "replace",
            "length",
            "email",
            "text",
            "money",
            "plain_text",
            "at",
            "split",
        ]);
        let comparison = proptest::sample::select(vec![
            Comparison::Equal,
            Comparison::NotEqual,
            Comparison::Less,
            Comparison::AtMost,
            Comparison::Greater,
            Comparison::AtLeast,
        ]);
        let maps = proptest::sample::select(vec![vec![1u16], vec![1, 2], vec![0, 2]]);
        prop_oneof![
            1 => some().prop_map(Expr::Concat),
            5 => (functions, some()).prop_map(|(function, args)| call(function, args)),
            3 => (0u16..2, boxed()).prop_map(|(table, key)| Expr::Lookup { table, key }),
            3 => (boxed(), boxed()).prop_map(|(list, body)| Expr::Each { list, body }),
            2 => (maps, boxed()).prop_map(|(maps, to)| linked(maps, to)),
            1 => boxed().prop_map(Expr::Owner),
            1 => (proptest::option::of(boxed()), boxed())
                .prop_map(|(category, stage)| Expr::Stage { category, stage, object: "deal".to_owned() }),
            1 => some().prop_map(Expr::List),
            1 => boxed().prop_map(Expr::Has),
            1 => boxed().prop_map(Expr::Not),
            1 => (boxed(), boxed()).prop_map(|(a, b)| Expr::And(a, b)),
            1 => (boxed(), boxed()).prop_map(|(a, b)| Expr::Or(a, b)),
            2 => (comparison, boxed(), boxed()).prop_map(|(how, a, b)| Expr::Compare(how, a, b)),
        ]
    })
}

fn any_arm() -> impl Strategy<Value = Arm> {
    prop_oneof![
        4 => (expr(), proptest::option::of(Just("listed".to_owned())))
            .prop_map(|(value, flag)| Arm::Value { value: Box::new(value), flag }),
        1 => Just(Arm::Flag("flagged".to_owned())),
        1 => Just(Arm::Unset),
        1 => Just(Arm::Skip("skipped".to_owned())),
        1 => Just(Arm::Wait),
        1 => Just(Arm::Quarantine),
        1 => Just(Arm::Stop),
    ]
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let label = (expr(), proptest::option::of(expr())).prop_map(|(value, when)| Label { value, when });
    (
        0u16..2,
        proptest::option::weighted(0.2, expr()),
        expr(),
        proptest::option::weighted(0.4, label),
        proptest::collection::vec(any_arm(), 0..3),
        proptest::option::weighted(0.7, any_arm()),
        10u32..20,
    )
        .prop_map(|(target, when, value, label, otherwise, on_fail, line)| Rule {
            target,
            when,
            label,
            otherwise,
            on_fail,
            line,
            ..rule(value)
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// The fast program is the reference interpreter, whatever the plan, well typed or not, and the record.
    #[test]
    fn both_interpreters_agree(
        rules in proptest::collection::vec(any_rule(), 1..4),
        filter in proptest::option::weighted(0.2, (expr(), any_arm())),
        rows in proptest::collection::vec(any_arm(), 2),
        many in any::<bool>(),
        records in proptest::collection::vec(proptest::collection::vec(field(), 5..8), 1..4),
    ) {
        let targets = vec![Type { base: Base::Decimal, many, optional: true }, Type::text().or_absent()];
        let mut plan = plan(rules, targets);
        plan.maps[0].filter =
            filter.map(|(condition, otherwise)| Filter { condition, otherwise, line: 5 });
        // Rows that look up tables or stages are refused, since they could go round in circles.
        let plain = |arm: Arm| match format!("{arm:?}") {
            text if text.contains("Lookup {") || text.contains("Stage {") => Arm::Unset,
            _ => arm,
        };
        let mut rows = rows.into_iter().map(plain);
        plan.tables[1].rows.insert("b".to_owned(), TableRow { arm: rows.next().unwrap(), line: 112 });
        plan.tables[1].unseen = rows.next().unwrap();
        let program = Program::compile(&plan).unwrap();
        for record in &records {
            prop_assert_eq!(program.run(0, record), reference::run(&plan, 0, record));
        }
    }
}
