//! Maps: each decision of the language has its case.

use rust_decimal::Decimal;

use super::*;
use crate::lang::types::Base;
use crate::lang::value::{Currency, Instant, Money, parse};

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
        Outcome::Quarantined { rule: Some(RuleId { rule: 0, note: false, flatten: None }), reason, line: 10 } if &*reason == "`t0` has no value"
    ));
    assert!(matches!(give(vec![Arm::Stop]), Outcome::Stopped { rule: Some(RuleId { rule: 0, .. }), .. }));

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
            matches!(&outcome, Outcome::Quarantined { rule: Some(RuleId { rule: 0, note: false, flatten: None }), reason, line: 10 }
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
    let several = |object: Option<Expr>, field: Option<Vec<u16>>| {
        let object = object.map(Box::new);
        // Map 3 reads companies too.
        Expr::Ref { maps: vec![2, 1, 3], link: slot(0), any: true, object, field }
    };
    let give = |expr: Expr, record: &[Value]| {
        let mut plan = plan(vec![rule(expr)], vec![Type::text().or_absent()]);
        plan.maps.push(Map { name: "second".to_owned(), source: "company".to_owned(), ..Map::default() });
        run(&plan, record)
    };
    let link = |text: &str| written(give(several(None, None), &[Value::text(text)])).0;
    let to = |map, others: &[u16], key: &str, field: Option<&[u16]>| {
        let field = field.map(<[u16]>::to_vec);
        Value::Ref(Box::new(RefValue { map, others: others.to_vec(), key: key.into(), field }))
    };
    assert_eq!(link("contact/5"), to(2, &[], "5", None));
    assert_eq!(link("company/5"), to(1, &[3], "5", None));
    assert_eq!(link("lead/5"), Value::Absent);
    // Nobody knows whose 5 that is.
    assert!(matches!(give(several(None, None), &[Value::text("5")]), Outcome::Quarantined { .. }));

    let named = several(Some(Expr::Slot(1)), None);
    let pair = |object: &str| written(give(named.clone(), &[Value::Int(5), Value::text(object)])).0;
    assert_eq!(pair("COMPANY"), to(1, &[3], "5", None));
    assert_eq!(pair("lead"), Value::Absent);
    assert_eq!(written(give(named.clone(), &[Value::Int(5)])).0, Value::Absent);

    let read = several(None, Some(vec![7, 8, 9]));
    assert_eq!(written(give(read, &[Value::text("company/5")])).0, to(1, &[3], "5", Some(&[8, 9])));
    // A key is a key where only one object can be meant, whatever it looks like.
    let plain = Expr::Ref { maps: vec![1, 3], link: slot(0), any: false, object: None, field: None };
    assert_eq!(written(give(plain, &[Value::text("a/5")])).0, to(1, &[3], "a/5", None));
    let nowhere = Expr::Ref { maps: vec![], link: slot(0), any: false, object: None, field: None };
    assert_eq!(written(give(nowhere, &[Value::text("5")])).0, Value::Absent);
}

#[test]
fn functions_see_their_arguments_and_nothing_else() {
    let functions = |bodies: Vec<Expr>| {
        let function = |(index, body)| Function { name: format!("f{index}"), params: 2, body, line: 200 };
        bodies.into_iter().enumerate().map(function).collect::<Vec<_>>()
    };
    let apply = |function, args| Expr::Apply { function, args };
    let joined = call("join", vec![constant(" "), Expr::List(vec![Expr::Param(0), Expr::Param(1)])]);
    let give = |bodies: Vec<Expr>, value: Expr, record: &[Value]| {
        let mut plan = plan(vec![rule(value)], vec![Type::text().or_absent()]);
        plan.functions = functions(bodies);
        run(&plan, record)
    };
    let full = || apply(0, vec![Expr::Slot(0), Expr::Slot(1)]);
    let record = [Value::text("Ann"), Value::text("Lee")];
    assert_eq!(written(give(vec![joined.clone()], full(), &record)).0, Value::text("Ann Lee"));
    assert_eq!(written(give(vec![joined.clone()], full(), &record[..1])).0, Value::text("Ann"));
    let shouted = call("upper", vec![apply(0, vec![Expr::Param(0), constant("x")])]);
    let twice = apply(1, vec![Expr::Slot(1)]);
    assert_eq!(written(give(vec![joined, shouted], twice, &record)).0, Value::text("LEE X"));
    // Fields of the record are not seen, and too few arguments are absent ones.
    assert_eq!(written(give(vec![Expr::Slot(0)], apply(0, vec![]), &record)).0, Value::Absent);
    assert_eq!(written(give(vec![Expr::Param(1)], apply(0, vec![Expr::Slot(0)]), &record)).0, Value::Absent);
    // A failure inside is the rule's.
    let phone = call("phone", vec![Expr::Param(0), constant("US")]);
    assert!(matches!(
        give(vec![phone], apply(0, vec![Expr::Slot(0)]), &record),
        Outcome::Quarantined { reason, .. } if &*reason == "`t0`: not a phone number"
    ));
}

#[test]
fn functions_and_rows_never_go_round_in_circles() {
    let broken = |bodies: Vec<Expr>, unseen: Arm| {
        let mut plan = plan(vec![], vec![]);
        let function = |body| Function { name: "f".to_owned(), params: 0, body, line: 1 };
        plan.functions = bodies.into_iter().map(function).collect();
        plan.tables[0].unseen = unseen;
        Program::compile(&plan).is_err()
    };
    let apply = |function| Expr::Apply { function, args: vec![] };
    let lookup = || Expr::Lookup { table: 0, key: slot(0) };
    assert!(broken(vec![apply(0)], Arm::Unset));
    assert!(broken(vec![apply(1), constant("x")], Arm::Unset));
    assert!(broken(vec![lookup()], arm(apply(0), None)));
    assert!(broken(vec![lookup(), apply(0)], arm(apply(1), None)));
    assert!(!broken(vec![lookup(), apply(0)], Arm::Unset));
    assert!(!broken(vec![constant("x")], arm(apply(0), None)));
}

/// `products <- each rows { product <- …  quantity <- …  price <- … }`
fn lines(rules: Vec<Rule>) -> Expr {
    let columns = vec![column("product", Base::Record), column("quantity", Base::Decimal)];
    Expr::EachLine { list: slot(0), columns, rules }
}

#[test]
fn a_block_makes_a_line_of_each_row() {
    let product =
        |otherwise| Rule { otherwise, line: 11, ..rule(linked(vec![1], Box::new(Expr::Attribute(0)))) };
    let quantity = |on_fail| Rule {
        target: 1,
        on_fail,
        line: 12,
        ..rule(call("number", vec![Expr::Attribute(1), constant("en")]))
    };
    let rows = |rows: &[(&str, &str)]| {
        let text = |text: &str| if text.is_empty() { Value::Absent } else { Value::text(text) };
        [Value::list(rows.iter().map(|(product, number)| row(vec![text(product), text(number)])).collect())]
    };
    let many = Type { base: Base::Record, many: true, optional: true };
    let give = |rules: Vec<Rule>, on_fail: Option<Arm>, record: &[Value]| {
        one(Rule { on_fail, ..rule(lines(rules)) }, many.clone(), record)
    };
    let line = |key: &str, quantity: Option<i64>| {
        let quantity = quantity.map_or(Value::Absent, |n| Value::Decimal(Decimal::from(n)));
        row(vec![link_to(1, key), quantity])
    };
    let skip = || vec![Arm::Skip("free text".to_owned())];
    // The second has no product and is left out, the third has no quantity.
    let three = rows(&[("7", "2"), ("", "3"), ("9", "")]);
    assert_eq!(
        written(give(vec![product(skip()), quantity(None)], None, &three)).0,
        Value::List(vec![line("7", Some(2)), line("9", None)])
    );
    assert_eq!(written(give(vec![product(skip())], None, &rows(&[("", "3")]))).0, Value::Absent);
    // A line without any value is none.
    assert_eq!(written(give(vec![product(vec![])], None, &rows(&[("", "3")]))).0, Value::Absent);

    let bad = rows(&[("7", "x"), ("8", "1")]);
    let all = |on_fail| vec![product(skip()), quantity(on_fail)];
    assert!(matches!(
        give(all(None), None, &bad),
        Outcome::Quarantined { reason, line: 12, .. } if &*reason == "`t0.quantity`: not a number"
    ));
    // Its own arm leaves the column empty; that of the rule around takes the line as a whole.
    assert_eq!(
        written(give(all(Some(Arm::Flag("bad number".to_owned()))), None, &bad)),
        (Value::List(vec![line("7", None), line("8", Some(1))]), vec!["bad number".to_owned()])
    );
    assert_eq!(
        written(give(all(None), Some(Arm::Flag("bad line".to_owned())), &bad)),
        (Value::List(vec![line("8", Some(1))]), vec!["bad line".to_owned()])
    );
    let held = vec![product(vec![Arm::Quarantine])];
    assert!(matches!(
        give(held, None, &rows(&[("", "1")])),
        Outcome::Quarantined { reason, line: 11, .. } if &*reason == "`t0.product` has no value"
    ));
    // Rows are still there where plain values are asked for.
    let counted = call("count", vec![Expr::Slot(0)]);
    assert_eq!(written(one(rule(counted), Type::one(Base::Integer), &three)).0, Value::Int(3));
}

#[test]
fn lines_of_text_name_what_is_there() {
    let titles = std::collections::BTreeMap::from([("IT".to_owned(), "Information".to_owned())]);
    let line = |label: &str, value: Expr| Line { label: label.to_owned(), value, columns: vec![] };
    let rows = Line {
        label: "Rows".to_owned(),
        value: Expr::Slot(2),
        columns: vec![("Name".to_owned(), 0), ("Number".to_owned(), 1)],
    };
    let text = Expr::Lines(vec![
        line("Title", Expr::Slot(0)),
        line("Kinds", Expr::Title { of: slot(1), titles: titles.clone() }),
        line("Nothing", Expr::Slot(9)),
        rows,
    ]);
    let record = [
        Value::text("Pump"),
        texts(&["IT", "NEW"]),
        Value::List(vec![
            row(vec![Value::text("bolt"), Value::Int(2)]),
            row(vec![Value::Absent, Value::Absent]),
            row(vec![Value::text("nut"), Value::Absent]),
        ]),
    ];
    let expected = "Title: Pump\nKinds: Information, NEW\nRows:\n- Name: bolt, Number: 2\n- Name: nut";
    assert_eq!(value_of(text.clone(), &record), Value::text(expected));
    assert_eq!(value_of(text, &[]), Value::Absent);
    let title = Expr::Title { of: slot(0), titles };
    assert_eq!(value_of(title.clone(), &[Value::text("IT")]), Value::text("Information"));
    assert_eq!(value_of(title.clone(), &[Value::text("X")]), Value::text("X"));
    assert_eq!(value_of(title, &[]), Value::Absent);
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
        Outcome::Quarantined { reason, line: 109, .. } if &*reason == "`new` is not in table `sources`"
    ));
    let stage = |category: &str, code: &str| {
        let value = Expr::Stage { category: Some(slot(0)), stage: slot(1), object: "deal".to_owned() };
        one(rule(value), Type::maybe(Base::Stage), &[Value::text(category), Value::text(code)])
    };
    assert_eq!(written(stage("0", "WON")).0, Value::Stage(Box::new(won())));
    assert!(matches!(stage("0", "X"), Outcome::Quarantined { line: 129, .. }));
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
