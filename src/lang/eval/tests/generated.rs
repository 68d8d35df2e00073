//! Both interpreters agree on generated plans and records, well typed or not.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rust_decimal::Decimal;

use super::*;
use crate::lang::types::Base;
use crate::lang::value::{Currency, Instant, Money};

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
        1 => proptest::collection::vec(proptest::collection::vec(cell(), 0..3).prop_map(row), 1..4)
            .prop_map(Value::List),
    ]
}

/// What stands in a column of a row.
fn cell() -> impl Strategy<Value = Value> {
    prop_oneof![1 => Just(Value::Absent), 4 => scalar()]
}

fn expr() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![
        6 => (0u16..7).prop_map(Expr::Slot),
        2 => Just(Expr::Element),
        1 => (0u16..3).prop_map(Expr::Param),
        1 => (0u16..5).prop_map(Expr::Outer),
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
        let maps = proptest::sample::select(vec![vec![1u16], vec![1, 2], vec![0, 2], vec![], vec![2, 1, 3]]);
        let aggregates = proptest::sample::select(vec![
            Aggregate::Count,
            Aggregate::Sum,
            Aggregate::Min,
            Aggregate::Max,
        ]);
        prop_oneof![
            1 => some().prop_map(Expr::Concat),
            5 => (functions, some()).prop_map(|(function, args)| call(function, args)),
            3 => (0u16..2, boxed()).prop_map(|(table, key)| Expr::Lookup { table, key }),
            3 => (boxed(), boxed()).prop_map(|(list, body)| Expr::Each { list, body }),
            3 => (maps, boxed(), any::<bool>(), proptest::option::weighted(0.3, boxed()), any::<bool>())
                .prop_map(|(maps, link, any, object, read)| {
                    let field = read.then(|| (0..maps.len() as u16).collect());
                    Expr::Ref { maps, link, any, object, field }
                }),
            2 => (0u16..2, proptest::collection::vec(inner.clone(), 0..3))
                .prop_map(|(function, args)| Expr::Apply { function, args }),
            2 => (boxed(), proptest::collection::vec(line_rule(inner.clone()), 1..3)).prop_map(|(list, rules)| {
                let columns = vec![column("one", Base::Decimal), column("two", Base::Text { max: None })];
                Expr::EachLine { list, columns, rules }
            }),
            2 => (aggregates, proptest::option::weighted(0.8, boxed()))
                .prop_map(|(kind, of)| Expr::Aggregate { kind, of }),
            1 => proptest::collection::vec(text_line(inner.clone()), 0..3).prop_map(Expr::Lines),
            1 => boxed().prop_map(|of| Expr::Title {
                of,
                titles: BTreeMap::from([("a".to_owned(), "Title of a".to_owned())]),
            }),
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

/// A rule of an `each` block, of what an expression may be made of.
fn line_rule(inner: BoxedStrategy<Expr>) -> impl Strategy<Value = Rule> {
    let arm = |value: BoxedStrategy<Expr>| {
        prop_oneof![
            3 => value.prop_map(|value| arm(value, Some("in a line"))),
            1 => Just(Arm::Flag("line flagged".to_owned())),
            1 => Just(Arm::Unset),
            2 => Just(Arm::Skip("line skipped".to_owned())),
            1 => Just(Arm::Quarantine),
        ]
    };
    let when = proptest::option::weighted(0.2, inner.clone());
    let otherwise = proptest::collection::vec(arm(inner.clone()), 0..2);
    let on_fail = proptest::option::weighted(0.5, arm(inner.clone()));
    (0u16..2, when, inner, otherwise, on_fail, 60u32..70).prop_map(
        |(target, when, value, otherwise, on_fail, line)| Rule {
            target,
            when,
            otherwise,
            on_fail,
            line,
            ..rule(value)
        },
    )
}

fn text_line(inner: BoxedStrategy<Expr>) -> impl Strategy<Value = Line> {
    let columns = proptest::sample::select(vec![vec![], vec![("A".to_owned(), 0u16), ("B".to_owned(), 1)]]);
    (proptest::sample::select(vec!["", "Label"]), inner, columns).prop_map(|(label, value, columns)| Line {
        label: label.to_owned(),
        value,
        columns,
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

fn any_note() -> impl Strategy<Value = Note> {
    (expr(), any_rule(), any::<bool>(), proptest::option::of(0u32..3)).prop_map(
        |(title, rule, for_each, at_most)| Note { name: "A note".to_owned(), title, rule, for_each, at_most },
    )
}

fn any_filter() -> impl Strategy<Value = Option<Filter>> {
    let filter = (expr(), any_arm());
    proptest::option::weighted(0.2, filter)
        .prop_map(|filter| filter.map(|(condition, otherwise)| Filter { condition, otherwise, line: 5 }))
}

fn any_flatten() -> impl Strategy<Value = Flatten> {
    let rules = proptest::collection::vec(any_rule(), 0..3);
    let notes = proptest::collection::vec(any_note(), 0..2);
    let pick = proptest::option::of((any::<bool>(), 0u16..5).prop_map(|(latest, by)| Pick { latest, by }));
    (0u16..2, any_filter(), pick, rules, notes, any_arm()).prop_map(
        |(via, filter, pick, rules, notes, orphan)| Flatten {
            source: "item".to_owned(),
            into: 0,
            via,
            key: 0,
            filter,
            pick,
            rules,
            notes,
            orphan,
            orphan_line: 81,
            reads: BTreeMap::new(),
            dropped: vec![],
            records: None,
            line: 80,
        },
    )
}

fn any_split() -> impl Strategy<Value = Split> {
    let to = || {
        prop_oneof![
            3 => Just(SplitTo::Maps(vec![1, 2])),
            1 => Just(SplitTo::Listed("on a list".to_owned())),
            2 => any_arm().prop_map(SplitTo::Arm),
        ]
    };
    let row = |when: BoxedStrategy<Option<Expr>>| {
        (when, to(), 90u32..99).prop_map(|(when, to, line)| SplitRow { when, to, line })
    };
    let plain = || row(Just(None).boxed());
    let conditions = proptest::collection::vec(row(proptest::option::weighted(0.9, expr()).boxed()), 0..4);
    let codes = proptest::sample::select(vec!["a", "1", "NEW", ""]).prop_map(str::to_owned);
    let rows = proptest::collection::btree_map(codes, plain(), 0..4);
    let how = prop_oneof![
        conditions.prop_map(SplitHow::When),
        (0u16..5, rows, plain()).prop_map(|(slot, rows, unseen)| SplitHow::Value { slot, rows, unseen }),
    ];
    how.prop_map(|how| Split { source: "lead".to_owned(), how, line: 90 })
}

/// Rows that lead to further rows are refused, since they could go round in circles.
fn no_rows(arm: Arm) -> Arm {
    let text = format!("{arm:?}");
    if ["Lookup {", "Stage {", "Apply {"].iter().any(|word| text.contains(word)) { Arm::Unset } else { arm }
}

/// A plan of generated parts around the usual tables, pipelines and owners.
fn any_plan() -> impl Strategy<Value = Plan> {
    (
        proptest::collection::vec(any_rule(), 1..4),
        proptest::collection::vec(any_note(), 0..2),
        any_filter(),
        proptest::collection::vec(any_arm().prop_map(no_rows), 2),
        proptest::collection::vec(expr(), 2),
        proptest::collection::vec(any_flatten(), 0..3),
        any_split(),
        any::<bool>(),
    )
        .prop_map(|(rules, notes, filter, rows, bodies, flattens, split, many)| {
            let targets = vec![Type { base: Base::Decimal, many, optional: true }, Type::text().or_absent()];
            let mut plan = plan(rules, targets);
            plan.maps.push(Map { name: "second".to_owned(), source: "company".to_owned(), ..Map::default() });
            plan.maps[0].filter = filter;
            plan.maps[0].notes = notes;
            let mut rows = rows.into_iter();
            plan.tables[1].rows.insert("b".to_owned(), TableRow { arm: rows.next().unwrap(), line: 112 });
            plan.tables[1].unseen = rows.next().unwrap();
            let no_calls =
                |body: Expr| if format!("{body:?}").contains("Apply {") { Expr::Param(0) } else { body };
            let mut bodies = bodies.into_iter().map(no_calls);
            let body = |function: Option<Expr>| function.unwrap_or_default();
            let function = |name: &str, body| Function { name: name.to_owned(), params: 2, body, line: 70 };
            let first = function("first", body(bodies.next()));
            let calling = Expr::List(vec![
                Expr::Apply { function: 0, args: vec![Expr::Param(1)] },
                body(bodies.next()),
            ]);
            plan.functions = vec![first, function("second", calling)];
            plan.flattens = flattens;
            plan.splits = vec![split];
            plan
        })
}

fn any_record() -> impl Strategy<Value = Record> {
    proptest::collection::vec(field(), 5..8)
}

/// How many plans are generated; `B2N_CASES` asks for more.
fn cases() -> u32 {
    std::env::var("B2N_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(300)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    /// The fast program is the reference interpreter, whatever the plan, well typed or not, and the records: in what
    /// it gives, and in the parts of the plan that it takes.
    #[test]
    fn both_interpreters_agree(
        plan in any_plan(),
        records in proptest::collection::vec(any_record(), 1..4),
        children in proptest::collection::vec(any_record(), 0..4),
        more_children in proptest::collection::vec(any_record(), 0..2),
    ) {
        let program = Program::compile(&plan).unwrap();
        let folded = [
            Folded { flatten: 1, records: &more_children },
            Folded { flatten: 0, records: &children },
        ];
        for record in &records {
            prop_assert_eq!(program.run(0, record), reference::run(&plan, 0, record));
            let plain = reference::watched(&plan, 0, record, &folded);
            let mut hits = Vec::new();
            prop_assert_eq!(&program.run_watched(0, record, &folded, &mut hits), &plain.outcome);
            prop_assert_eq!(program.run_with(0, record, &folded), plain.outcome);
            prop_assert_eq!(named(&plan, &hits), plain.hits);
            prop_assert_eq!(program.route(0, record), reference::route(&plan, 0, record));
        }
        for record in children.iter().chain(&more_children) {
            for flatten in 0..=plan.flattens.len() {
                prop_assert_eq!(program.fold(flatten, record), reference::fold(&plan, flatten, record));
                prop_assert_eq!(program.orphan(flatten), reference::orphan(&plan, flatten));
            }
        }
    }
}
