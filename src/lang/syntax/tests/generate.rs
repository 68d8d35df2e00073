//! Random trees over the whole language. What `print` makes of them is read back by the properties.

use jiff::civil::date;
use proptest::prelude::*;
use rust_decimal::Decimal;

use crate::lang::syntax::ast::*;
use crate::lang::text::{Span, Spanned};
use crate::lang::types::Fidelity;
use crate::lang::value::OutcomeKind;

const NO: Span = Span { start: 0, end: 0 };

pub(super) fn at<T>(value: T) -> Spanned<T> {
    Spanned::new(value, NO)
}

/// Names that may stand anywhere, words of the language among them.
fn name() -> impl Strategy<Value = Name> + Clone {
    const NAMES: [&str; 16] = [
        "ID",
        "TITLE",
        "USD",
        "UF_CRM_1690000003",
        "имя",
        "note",
        "key",
        "order",
        "map",
        "each",
        "ref",
        "process",
        "by",
        "latest",
        "x1",
        "_y",
    ];
    prop::sample::select(&NAMES[..]).prop_map(|n| at(n.to_owned()))
}

/// Texts that stand for themselves.
fn plain() -> impl Strategy<Value = Name> + Clone {
    prop_oneof![
        3 => prop::sample::select(vec!["a", "NEW", "", "why not", "Сделка"]).prop_map(|t| at(t.to_owned())),
        1 => "[a-z{}\"\\\\\n\t#`é漢🙂' ]{0,12}".prop_map(at),
    ]
}

fn title() -> impl Strategy<Value = Name> + Clone {
    prop::sample::select(vec!["Объём (м³)", "T", "a: {b}", "漢字 🙂", ""]).prop_map(|t| at(t.to_owned()))
}

fn coded(code: impl Strategy<Value = Name> + Clone + 'static) -> impl Strategy<Value = Coded> + Clone {
    prop_oneof![
        3 => code.clone().prop_map(|c| (Some(c), None)),
        1 => (code, title()).prop_map(|(c, t)| (Some(c), Some(t))),
        1 => title().prop_map(|t| (None, Some(t))),
    ]
    .prop_map(|(code, title)| Coded { code, title, span: NO })
}

fn field() -> impl Strategy<Value = FieldRef> + Clone {
    (prop::option::weighted(0.2, name()), coded(name()))
        .prop_map(|(object, field)| FieldRef { object, field })
}

fn number() -> impl Strategy<Value = Decimal> + Clone {
    (-20_000i64..2_000_000, 0u32..4).prop_map(|(n, scale)| Decimal::new(if n == 0 { 1 } else { n }, scale))
}

fn object() -> impl Strategy<Value = ObjectRef> + Clone {
    let word = prop::sample::select(vec!["deal", "company", "process", "process 1032"]);
    (word, prop::option::weighted(0.2, title()))
        .prop_map(|(name, title)| ObjectRef { name: at(name.to_owned()), title })
}

fn map_name() -> impl Strategy<Value = Name> + Clone {
    prop::sample::select(vec!["deal", "inbound", "process", "process 7", "key"])
        .prop_map(|n| at(n.to_owned()))
}

fn of(kind: ExprKind) -> Expr {
    Expr { kind, span: NO }
}

fn text_parts(inner: BoxedStrategy<Expr>) -> impl Strategy<Value = Vec<TextPart>> + Clone {
    let part = (plain(), prop::option::weighted(0.3, inner));
    prop::collection::vec(part, 0..3).prop_map(|parts| {
        let mut out: Vec<TextPart> = Vec::new();
        for (literal, expr) in parts {
            match out.last_mut() {
                _ if literal.value.is_empty() => {}
                Some(TextPart::Literal(before)) => before.push_str(&literal.value),
                _ => out.push(TextPart::Literal(literal.value)),
            }
            out.extend(expr.map(TextPart::Expr));
        }
        out
    })
}

fn literal() -> impl Strategy<Value = Expr> + Clone {
    prop_oneof![
        plain().prop_map(|t| {
            let text = t.value;
            of(ExprKind::Text(if text.is_empty() { Vec::new() } else { vec![TextPart::Literal(text)] }))
        }),
        number().prop_map(|n| of(ExprKind::Number(n))),
        (0i64..1_000, 0u32..3).prop_map(|(n, scale)| {
            of(ExprKind::Percent((Decimal::new(n, scale) * Decimal::new(1, 2)).normalize()))
        }),
        (number(), prop::sample::select(vec!["USD", "EUR"]))
            .prop_map(|(n, c)| of(ExprKind::Money(n, at(c.to_owned())))),
        (1i16..2100, 1i8..13, 1i8..29).prop_map(|(y, m, d)| of(ExprKind::Date(date(y, m, d)))),
        any::<bool>().prop_map(|b| of(ExprKind::Bool(b))),
    ]
}

pub(super) fn expr() -> BoxedStrategy<Expr> {
    let leaf = prop_oneof![
        4 => field().prop_map(|f| of(ExprKind::Field(f))),
        2 => literal(),
        1 => field().prop_map(|f| of(ExprKind::Has(f))),
        1 => Just(of(ExprKind::Hole)),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let some = prop::collection::vec(inner.clone(), 0..3);
        let two = (inner.clone(), inner.clone());
        let comparison = prop::sample::select(vec![
            Comparison::Equal,
            Comparison::NotEqual,
            Comparison::Less,
            Comparison::AtMost,
            Comparison::Greater,
            Comparison::AtLeast,
        ]);
        prop_oneof![
            text_parts(inner.clone()).prop_map(|parts| of(ExprKind::Text(parts))),
            some.clone().prop_map(|items| of(ExprKind::List(items))),
            (name(), some.clone(), any::<bool>()).prop_map(|(function, args, method)| {
                let method = method && !args.is_empty();
                of(ExprKind::Call { function, args, method })
            }),
            (name(), inner.clone())
                .prop_map(|(table, key)| of(ExprKind::Lookup { table, key: Box::new(key) })),
            (
                any::<bool>(),
                prop::collection::vec(map_name(), 1..3),
                some,
                prop::option::weighted(0.3, name())
            )
                .prop_map(|(many, maps, args, field)| of(ExprKind::Ref {
                    many,
                    maps,
                    args,
                    field
                })),
            prop::collection::vec(inner.clone(), 1..3).prop_map(|args| of(ExprKind::PipelineBy(args))),
            inner.prop_map(|a| of(ExprKind::Not(Box::new(a)))),
            two.clone().prop_map(|(a, b)| of(ExprKind::And(Box::new(a), Box::new(b)))),
            two.clone().prop_map(|(a, b)| of(ExprKind::Or(Box::new(a), Box::new(b)))),
            (comparison, two).prop_map(|(c, (a, b))| of(ExprKind::Compare(c, Box::new(a), Box::new(b)))),
        ]
    })
    .boxed()
}

fn type_ref() -> impl Strategy<Value = TypeRef> + Clone {
    let arg = prop_oneof![
        prop::sample::select(vec!["SOURCE", "deal.STAGE", "process 1032.KIND"])
            .prop_map(|n| TypeArg::Name(at(n.to_owned()))),
        plain().prop_map(TypeArg::Text),
        (0u32..1000).prop_map(|n| TypeArg::Number(at(n))),
    ];
    let word = prop::sample::select(vec!["text", "enum", "stage", "user"]);
    (word, prop::collection::vec(arg, 0..3), any::<bool>(), any::<bool>()).prop_map(
        |(name, args, many, optional)| TypeRef { name: at(name.to_owned()), args, many, optional, span: NO },
    )
}

fn wordless() -> impl Strategy<Value = Arm> + Clone {
    prop_oneof![
        prop::sample::select(vec![ArmKind::Unset, ArmKind::Wait, ArmKind::Quarantine, ArmKind::Stop]),
        plain().prop_map(ArmKind::Skip),
        plain().prop_map(ArmKind::Flag),
    ]
    .prop_map(|kind| Arm { kind, span: NO })
}

fn arm() -> impl Strategy<Value = Arm> + Clone {
    let value = (expr(), prop::option::weighted(0.3, plain()))
        .prop_map(|(value, flag)| Arm { kind: ArmKind::Value { value, flag }, span: NO });
    prop_oneof![wordless(), value]
}

fn fidelity() -> impl Strategy<Value = FidelityClause> + Clone {
    let word = prop::sample::select(vec![
        Fidelity::Exact,
        Fidelity::Reformatted,
        Fidelity::Narrowed,
        Fidelity::Merged,
        Fidelity::Summarised,
        Fidelity::Dropped,
    ]);
    (word, prop::option::of(plain())).prop_map(|(fidelity, because)| FidelityClause {
        fidelity: at(fidelity),
        because,
        span: NO,
    })
}

fn clauses() -> impl Strategy<Value = Clauses> + Clone {
    let sometimes = |strategy: BoxedStrategy<Arm>| prop::option::weighted(0.2, strategy);
    let labelled =
        (expr(), prop::option::of(expr())).prop_map(|(value, when)| Labelled { value, when, span: NO });
    (
        prop::option::weighted(0.2, expr()),
        prop::option::weighted(0.2, labelled),
        prop::collection::vec(arm(), 0..2),
        sometimes(arm().boxed()),
        sometimes(arm().boxed()),
        prop::option::weighted(0.3, fidelity()),
        prop::bool::weighted(0.2),
    )
        .prop_map(|(when, labelled, else_, on_fail, on_unmigrated, fidelity, second)| Clauses {
            when,
            labelled,
            else_,
            on_fail,
            on_unmigrated,
            fidelity,
            second_pass: second.then_some(NO),
        })
}

fn proposed() -> impl Strategy<Value = Option<Spanned<Decimal>>> + Clone {
    prop::option::weighted(0.2, (0i64..=100).prop_map(|n| at(Decimal::new(n, 2))))
}

fn patterns(globs: bool) -> impl Strategy<Value = Vec<FieldPattern>> + Clone {
    let plain = coded(name()).prop_map(|field| FieldPattern { field, glob: false });
    let glob = prop::sample::select(vec!["UF_*", "*", "*_X*", "имя*"]).prop_map(|code| FieldPattern {
        field: Coded { code: Some(at(code.to_owned())), title: None, span: NO },
        glob: true,
    });
    let one = if globs { prop_oneof![plain, glob].boxed() } else { plain.boxed() };
    prop::collection::vec(one, 1..4)
}

fn rule(depth: u32) -> BoxedStrategy<MapLine> {
    let target = prop_oneof![
        3 => name().prop_map(RuleTarget::Field),
        1 => (plain(), type_ref()).prop_map(|(label, ty)| RuleTarget::Custom { label, ty }),
    ];
    let value = if depth == 0 {
        expr()
    } else {
        let each = (expr(), prop::collection::vec(line(depth - 1), 0..3))
            .prop_map(|(list, body)| of(ExprKind::EachBlock { list: Box::new(list), body }));
        prop_oneof![5 => expr(), 1 => each].boxed()
    };
    (proposed(), target, value, clauses())
        .prop_map(|(proposed, target, value, clauses)| {
            MapLine::Rule(Box::new(Rule { proposed, target, value, clauses, span: NO }))
        })
        .boxed()
}

/// A line that may stand in a body any number of times.
fn line(depth: u32) -> BoxedStrategy<MapLine> {
    let reason = prop_oneof![
        Just(DropReason::Empty),
        prop::collection::vec(field(), 1..3).prop_map(DropReason::DerivedFrom),
        plain().prop_map(DropReason::Declined),
    ];
    let for_each = prop::option::of(
        prop::option::of((0u32..99).prop_map(at)).prop_map(|at_most| ForEach { at_most, span: NO }),
    );
    prop_oneof![
        6 => rule(depth),
        1 => (proposed(), text_parts(expr()), expr(), for_each, clauses()).prop_map(
            |(proposed, title, value, for_each, clauses)| MapLine::Note(Box::new(Note {
                proposed,
                title: of(ExprKind::Text(title)),
                value,
                for_each,
                clauses,
                span: NO,
            }))
        ),
        1 => (expr(), prop::option::of(arm()))
            .prop_map(|(condition, otherwise)| MapLine::Where { condition, otherwise, span: NO }),
        1 => (patterns(true), reason).prop_map(|(fields, reason)| MapLine::Drop(Drop { fields, reason, span: NO })),
        1 => (patterns(true), plain()).prop_map(|(fields, why)| MapLine::Todo { fields, why, span: NO }),
        1 => (patterns(false), plain()).prop_map(|(fields, why)| MapLine::Gap { fields, why, span: NO }),
    ]
    .boxed()
}

fn body() -> impl Strategy<Value = Vec<MapLine>> + Clone {
    let once = prop_oneof![
        field().prop_map(|f| MapLine::Key(at(f))),
        prop::collection::vec(name(), 1..3).prop_map(|by| MapLine::MatchExisting { by, span: NO }),
        prop::sample::select(vec![OnExisting::Fill, OnExisting::Overwrite, OnExisting::Keep])
            .prop_map(|what| MapLine::OnExisting(at(what))),
        prop::sample::select(vec![OnDelete::List, OnDelete::Delete])
            .prop_map(|what| MapLine::OnDelete(at(what))),
        (any::<bool>(), field()).prop_map(|(latest, by)| MapLine::Pick { latest, by, span: NO }),
        arm().prop_map(|arm| MapLine::Orphan { arm, span: NO }),
    ];
    (prop::option::of(once), prop::collection::vec(line(2), 0..4)).prop_map(|(once, lines)| {
        let mut body: Vec<MapLine> = once.into_iter().collect();
        body.extend(lines);
        body
    })
}

fn mode() -> impl Strategy<Value = Mode> + Clone {
    prop::sample::select(vec![Mode::Own, Mode::Replace(NO), Mode::Refine(NO)])
}

fn stage() -> impl Strategy<Value = StageTarget> + Clone {
    prop_oneof![
        plain().prop_map(StageTarget::Stage),
        (prop::sample::select(vec![OutcomeKind::Won, OutcomeKind::Lost, OutcomeKind::Cancelled]), plain())
            .prop_map(|(kind, name)| StageTarget::Outcome(kind, name)),
    ]
}

fn owner() -> impl Strategy<Value = Spanned<OwnerWho>> + Clone {
    prop_oneof![
        plain().prop_map(|t| OwnerWho::Email(t.value)),
        Just(OwnerWho::Dismissed),
        Just(OwnerWho::Otherwise)
    ]
    .prop_map(at)
}

fn record() -> BoxedStrategy<RecordLit> {
    let leaf = prop_oneof![
        literal().prop_map(ValueLit::Expr),
        Just(ValueLit::Absent(NO)),
        owner().prop_map(ValueLit::User),
        stage().prop_map(|s| ValueLit::Stage(at(s))),
        plain().prop_map(|key| {
            let text = if key.value.is_empty() { Vec::new() } else { vec![TextPart::Literal(key.value)] };
            let args = vec![of(ExprKind::Text(text))];
            ValueLit::Expr(of(ExprKind::Ref {
                many: false,
                maps: vec![at("company".to_owned())],
                args,
                field: None,
            }))
        }),
    ];
    let value = leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|values| ValueLit::List(values, NO)),
            fields(inner.boxed()).prop_map(ValueLit::Record),
        ]
    });
    fields(value.boxed())
}

fn fields(value: BoxedStrategy<ValueLit>) -> BoxedStrategy<RecordLit> {
    let field = (coded(prop_oneof![name().boxed(), plain().boxed()].boxed()), value)
        .prop_map(|(field, value)| FieldLit { field, value, span: NO });
    let rest = prop_oneof![Just(Rest::None), Just(Rest::Any(NO)), name().prop_map(Rest::Of)];
    (prop::collection::vec(field, 0..3), rest)
        .prop_map(|(fields, rest)| RecordLit { fields, rest, span: NO })
        .boxed()
}

fn codes() -> impl Strategy<Value = Vec<Coded>> + Clone {
    prop::collection::vec(coded(plain()), 1..4)
}

fn item() -> BoxedStrategy<Item> {
    let unseen = |arm: BoxedStrategy<Arm>| prop::option::of(arm.prop_map(|arm| UnseenRow { arm, span: NO }));
    let target = prop_oneof![
        (name(), name()).prop_map(|(object, field)| TableTarget::Field { object, field }),
        type_ref().prop_map(TableTarget::Type),
    ];
    let table_row = (proposed(), codes(), arm(), prop::option::of(fidelity()))
        .prop_map(|(proposed, codes, arm, fidelity)| TableRow { proposed, codes, arm, fidelity, span: NO });
    let to = prop_oneof![2 => stage(), 1 => wordless().prop_map(StageTarget::Arm)];
    let stage_row = (proposed(), codes(), to, prop::option::of(fidelity()))
        .prop_map(|(proposed, codes, to, fidelity)| StageRow { proposed, codes, to, fidelity, span: NO });
    let category = prop::option::of(coded(prop_oneof![Just(at("0".to_owned())), plain()].boxed()));
    let on = prop_oneof![
        expr().prop_map(SplitOn::When),
        codes().prop_map(SplitOn::Codes),
        Just(SplitOn::Otherwise(NO)),
        Just(SplitOn::Unseen(NO))
    ];
    let split_to = prop_oneof![
        prop::collection::vec(map_name(), 1..3).prop_map(SplitTo::Maps),
        plain().prop_map(SplitTo::Listed),
        wordless().prop_map(SplitTo::Arm),
    ];
    let split_row = (on, split_to).prop_map(|(on, to)| SplitRow { on, to, span: NO });
    let order_row = (prop::collection::vec(map_name(), 1..3), prop::collection::vec(map_name(), 1..3))
        .prop_map(|(before, after)| OrderRow { before, after, span: NO });
    let given = (object(), prop::option::of(record())).prop_map(|(object, record)| Given {
        object,
        record,
        span: NO,
    });
    let expect = prop_oneof![
        (name(), record()).prop_map(|(object, record)| ExpectKind::Record(object, record)),
        name().prop_map(ExpectKind::No),
        Just(ExpectKind::Quarantine),
        Just(ExpectKind::Stop),
        plain().prop_map(ExpectKind::Skip),
        plain().prop_map(ExpectKind::Flag),
    ]
    .prop_map(|kind| Expect { kind, span: NO });
    let param = (name(), type_ref()).prop_map(|(name, ty)| Param { name, ty });
    let accepted =
        (map_name(), prop::option::of(plain()), plain(), plain()).prop_map(|(item, part, because, by)| {
            let (code, until) = (at("B2N-L204".to_owned()), at(date(2027, 1, 31)));
            Item::Accept(Accept { code, item, part, until, because, by, span: NO })
        });
    prop_oneof![
        (mode(), name(), type_ref(), target, prop::collection::vec(table_row, 0..4), unseen(arm().boxed()))
            .prop_map(|(mode, name, from, to, rows, unseen)| Item::Table(Table {
                mode,
                name,
                from,
                to,
                rows,
                unseen,
                span: NO
            })),
        (
            mode(),
            name(),
            object(),
            category,
            plain(),
            prop::collection::vec(stage_row, 0..4),
            unseen(wordless().boxed())
        )
            .prop_map(|(mode, name, object, category, to, rows, unseen)| Item::Pipeline(Pipeline {
                mode,
                name,
                object,
                category,
                to,
                rows,
                unseen,
                span: NO
            })),
        (mode(), object(), name(), prop::option::of(name()), body()).prop_map(
            |(mode, source, target, alias, body)| Item::Map(Map {
                mode,
                source,
                target,
                alias,
                body,
                head: NO,
                span: NO
            })
        ),
        (mode(), object(), map_name(), field(), body()).prop_map(|(mode, source, into, via, body)| {
            Item::Flatten(Flatten { mode, source, into, via, body, head: NO, span: NO })
        }),
        (object(), prop::option::of(field()), prop::collection::vec(split_row, 0..4))
            .prop_map(|(source, by, rows)| Item::Split(Split { source, by, rows, head: NO, span: NO })),
        prop::collection::vec(order_row, 0..3).prop_map(|rows| Item::Order(Order { rows, span: NO })),
        (mode(), name(), prop::collection::vec(param, 0..3), type_ref(), expr()).prop_map(
            |(mode, name, params, result, body)| Item::Function(Function {
                mode,
                name,
                params,
                result,
                body,
                span: NO
            })
        ),
        (name(), object(), record()).prop_map(|(name, object, record)| Item::Fixture(Fixture {
            name,
            object,
            record,
            span: NO
        })),
        (plain(), prop::collection::vec(given, 0..2), prop::collection::vec(expect, 0..3))
            .prop_map(|(name, given, expect)| Item::Test(Test { name, given, expect, span: NO })),
        name().prop_map(|name| Item::TestEveryRow(TestEveryRow { name, span: NO })),
        (object(), plain(), name(), plain()).prop_map(|(source, input, target, output)| {
            Item::Golden(Golden { source, input, target, output, span: NO })
        }),
        accepted,
        plain().prop_map(|profile| Item::Use(Use { profile, span: NO })),
    ]
    .boxed()
}

/// Items of which a spec has one each, then some of the others.
pub(super) fn spec() -> impl Strategy<Value = Spec> {
    let owner_row = (owner(), plain(), prop::option::of(plain())).prop_map(|(who, to, flag)| OwnerRow {
        who,
        to,
        flag,
        span: NO,
    });
    let owners =
        (mode(), any::<bool>(), prop::collection::vec(owner_row, 0..3)).prop_map(|(mode, by_email, rows)| {
            Item::Owners(Owners { mode, match_by_email: by_email.then_some(NO), rows, span: NO })
        });
    let unit = prop_oneof![Just(BudgetUnit::Percent), prop::option::of(name()).prop_map(BudgetUnit::Counted)];
    let what = prop::sample::select(vec!["quarantine", "merged", "owners.otherwise"]);
    let budget_row = (what, 1i64..1000, 0u32..3, unit).prop_map(|(what, limit, scale, unit)| {
        let limit = Decimal::new(limit, scale);
        let limit =
            if unit == BudgetUnit::Percent { (limit * Decimal::new(1, 2)).normalize() } else { limit };
        BudgetRow { what: at(what.to_owned()), limit: at(limit), unit, span: NO }
    });
    let budget =
        prop::collection::vec(budget_row, 0..3).prop_map(|rows| Item::Budget(Budget { rows, span: NO }));
    let system = (name(), plain()).prop_map(|(connector, snapshot)| System { connector, snapshot, span: NO });
    let single = (
        prop::option::of(system.clone().prop_map(Item::Source)),
        prop::option::of(system.prop_map(Item::Target)),
        prop::option::of(plain().prop_map(Item::Zone)),
        prop::option::of(owners),
        prop::option::of(budget),
    );
    (single, prop::collection::vec(item(), 0..4)).prop_map(|((a, b, c, d, e), items)| {
        let mut all = vec![Item::Edition(at(2026))];
        all.extend([a, b, c, d, e].into_iter().flatten());
        all.extend(items);
        Spec { items: all }
    })
}
