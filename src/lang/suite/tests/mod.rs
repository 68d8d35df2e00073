//! Tests of tests.

mod examples;
mod reports;

use proptest::prelude::*;

use super::*;
use crate::lang::eval::reference;
use crate::lang::fuzz::{Dice, Generator};
use crate::lang::schema::{Attribute, Choice, Domain, Field, Object, Pipeline, Stage, Stats, User, Write};
use crate::lang::syntax::parse;
use crate::lang::types::{Base, Type};
use crate::lang::value::{OutcomeKind, Value};

fn field(name: &str, ty: Type) -> Field {
    Field {
        name: name.to_owned(),
        title: None,
        ty,
        required: false,
        write: Write::Yes,
        custom: false,
        attributes: Vec::new(),
        stats: Some(Stats::default()),
    }
}

fn object(name: &str, mut fields: Vec<Field>) -> Object {
    fields.sort_by(|a, b| a.name.cmp(&b.name));
    Object { name: name.to_owned(), creatable: true, fields, ..Object::default() }
}

fn domain(codes: &[&str]) -> Domain {
    let choice = |code: &&str| Choice { code: (*code).to_owned(), title: None };
    Domain { title: None, choices: codes.iter().map(choice).collect(), open: false }
}

fn source() -> Schema {
    let kind = Attribute {
        name: "KIND".to_owned(),
        ty: Type { base: Base::Enum("KIND".to_owned()), many: false, optional: false },
    };
    let phones = Type { base: Base::Text { max: None }, many: true, optional: true };
    let mut schema = Schema {
        salt: "s".to_owned(),
        objects: vec![
            object(
                "company",
                vec![
                    field("ID", Type::one(Base::Integer)),
                    field("INDUSTRY", Type::maybe(Base::Enum("INDUSTRY".to_owned()))),
                    Field { attributes: vec![kind], ..field("PHONE", phones) },
                    field("TITLE", Type::text()),
                    field("TURNOVER", Type::maybe(Base::Money)),
                ],
            ),
            object(
                "deal",
                vec![
                    field("COMPANY_ID", Type::maybe(Base::Link("company".to_owned()))),
                    field("ID", Type::one(Base::Integer)),
                    field("STAGE_ID", Type::one(Base::Stage)),
                    field("TITLE", Type::text()),
                ],
            ),
        ],
        pipelines: vec![Pipeline {
            object: "deal".to_owned(),
            stages: ["NEW", "WON", "JUNK"]
                .into_iter()
                .map(|code| Stage { code: code.to_owned(), name: code.to_owned(), ends: None })
                .collect(),
            ..Pipeline::default()
        }],
        users: vec![User { id: "1".to_owned(), email_hash: None, active: true }],
        ..Schema::default()
    };
    schema.domains.insert("INDUSTRY".to_owned(), domain(&["IT", "BANKING"]));
    schema.domains.insert("KIND".to_owned(), domain(&["WORK", "HOME"]));
    schema
}

fn target() -> Schema {
    let texts = Type { base: Base::Text { max: None }, many: true, optional: true };
    let accounts = Type { base: Base::Ref("Account".to_owned()), many: true, optional: true };
    Schema {
        salt: "s".to_owned(),
        objects: vec![
            object(
                "Account",
                vec![
                    field("industry", Type::text().or_absent()),
                    field("name", Type::text()),
                    field("phone", texts),
                    field("turnover", Type::maybe(Base::Money)),
                ],
            ),
            object(
                "Lead",
                vec![
                    field("accounts", accounts),
                    field("description", Type::text()),
                    field("stage", Type::one(Base::Stage)),
                ],
            ),
        ],
        pipelines: vec![Pipeline {
            object: "Lead".to_owned(),
            name: "Sales".to_owned(),
            stages: vec![Stage { code: "1".to_owned(), name: "Qualify".to_owned(), ends: None }],
            outcomes: vec![crate::lang::schema::Outcome {
                code: "1".to_owned(),
                name: "Signed".to_owned(),
                kind: OutcomeKind::Won,
            }],
            ..Pipeline::default()
        }],
        ..Schema::default()
    }
}

/// A plan as the checker would make it of the maps that these tests speak of.
fn plan() -> Plan {
    use crate::lang::plan::{
        Arm, Expr, Filter, Map, Pipeline, Rule, StageRow, StageTo, Table, TableRow, Target,
    };
    let slot = |object: &str, field: &str| {
        Expr::Slot(source().object(object).expect("an object").slot(field).expect("a field") as u16)
    };
    let targets = |object: &str| -> Vec<Target> {
        let object = target().object(object).expect("an object").clone();
        let target = |f: Field| Target { name: f.name, custom: false, ty: f.ty };
        object.fields.into_iter().map(target).collect()
    };
    let rule = |target: u16, value: Expr, line: u32| Rule { target, value, line, ..Rule::default() };
    let industry = Expr::Lookup { table: 0, key: Box::new(slot("company", "INDUSTRY")) };
    let row = |value: &str, line| TableRow {
        arm: Arm::Value { value: Box::new(Expr::Const(Value::text(value))), flag: None },
        line,
    };
    let stage = |stage: Option<&str>, outcome: Option<&str>| {
        StageTo::Stage(crate::lang::value::StageValue {
            pipeline: "Sales".to_owned(),
            stage: stage.map(str::to_owned),
            outcome: outcome.map(|name| (OutcomeKind::Won, name.to_owned())),
        })
    };
    let company = Map {
        name: "company".to_owned(),
        source: "company".to_owned(),
        target: "Account".to_owned(),
        key: 0,
        filter: Some(Filter {
            condition: Expr::Compare(
                crate::lang::plan::Comparison::NotEqual,
                Box::new(slot("company", "TITLE")),
                Box::new(Expr::Const(Value::text("own"))),
            ),
            otherwise: Arm::Skip("the own company".to_owned()),
            line: 3,
        }),
        targets: targets("Account"),
        rules: vec![
            Rule { otherwise: vec![Arm::Flag("no industry".to_owned())], ..rule(0, industry, 4) },
            rule(1, slot("company", "TITLE"), 5),
            rule(2, slot("company", "PHONE"), 6),
            rule(3, slot("company", "TURNOVER"), 7),
        ],
        line: 2,
        ..Map::default()
    };
    let link = Expr::Ref {
        maps: vec![0],
        link: Box::new(slot("deal", "COMPANY_ID")),
        any: false,
        object: None,
        field: None,
    };
    let deal = Map {
        name: "deal".to_owned(),
        source: "deal".to_owned(),
        target: "Lead".to_owned(),
        key: 1,
        targets: targets("Lead"),
        rules: vec![
            Rule { on_unmigrated: Some(Arm::Flag("company left out".to_owned())), ..rule(0, link, 11) },
            rule(1, slot("deal", "TITLE"), 12),
            rule(
                2,
                Expr::Stage {
                    category: None,
                    stage: Box::new(slot("deal", "STAGE_ID")),
                    object: "deal".to_owned(),
                },
                13,
            ),
        ],
        line: 10,
        ..Map::default()
    };
    Plan {
        maps: vec![company, deal],
        tables: vec![Table {
            name: "industries".to_owned(),
            rows: [("IT".to_owned(), row("Technology", 21)), ("BANKING".to_owned(), row("Banking", 22))]
                .into(),
            unseen: Arm::Flag("a new industry".to_owned()),
            unseen_line: 23,
            line: 20,
        }],
        pipelines: vec![Pipeline {
            name: "sales".to_owned(),
            object: "deal".to_owned(),
            category: String::new(),
            rows: [
                ("NEW".to_owned(), StageRow { to: stage(Some("Qualify"), None), line: 31 }),
                ("WON".to_owned(), StageRow { to: stage(None, Some("Signed")), line: 32 }),
                ("JUNK".to_owned(), StageRow { to: StageTo::Arm(Arm::Skip("junk".to_owned())), line: 33 }),
            ]
            .into(),
            unseen: Arm::Quarantine,
            unseen_line: 34,
            line: 30,
        }],
        ..Plan::default()
    }
}

struct Case {
    findings: Vec<String>,
    run: Run,
    coverage: Coverage,
}

fn case(text: &str) -> Case {
    let text = SourceText::new("test.b2n", text);
    let (spec, found) = parse(&text);
    assert!(found.is_empty(), "{found:?}");
    let (plan, source, target) = (plan(), source(), target());
    let input = Input { spec: &spec, text: &text, plan: Some(&plan), source: &source, target: &target };
    let findings = check(input).iter().map(|f| format!("{} {}", f.code, f.message)).collect();
    let run = run(input, &|_| true);
    let coverage = coverage(input, &plan, &run.exercised);
    Case { findings, run, coverage }
}

fn failures(text: &str) -> Vec<String> {
    let case = case(text);
    assert_eq!(case.findings, Vec::<String>::new());
    let all = case.run.tests.iter().flat_map(|test| &test.failures);
    all.flat_map(|f| std::iter::once(f.message.clone()).chain(f.diff.iter().map(ToString::to_string)))
        .collect()
}

const HEAD: &str =
    "edition 2026\nfixture pumps = company { ID: 7, TITLE: \"Pumps\", INDUSTRY: \"IT\", ..default }\n";

fn test(lines: &str) -> String {
    format!("{HEAD}test \"it\" {{\n{lines}\n}}\n")
}

#[test]
fn what_comes_out_is_compared_field_by_field() {
    let none: [String; 0] = [];
    let given = "  given pumps\n";
    assert_eq!(failures(&test(&format!("{given}  expect Account {{ name: \"Pumps\", .. }}"))), none);
    assert_eq!(
        failures(&test(&format!("{given}  expect Account {{ name: \"Pumps\", industry: \"Technology\" }}"))),
        none
    );
    assert_eq!(
        failures(&test(&format!("{given}  expect Account {{ name: \"Saws\", industry: \"Banking\" }}"))),
        [
            "no `Account` is like this",
            "`name`: expected \"Saws\", got \"Pumps\" (the rule's value, :5)",
            "`industry`: expected \"Banking\", got \"Technology\" (the rule's value, :4; row \"IT\" of `industries`, :21)",
        ]
    );
    let closed = failures(&test(&format!("{given}  expect Account {{ name: \"Pumps\" }}")));
    assert_eq!(closed.len(), 2, "{closed:?}");
    assert!(closed[1].starts_with("`industry`: expected absent, got \"Technology\""), "{closed:?}");
}

#[test]
fn what_is_not_written_is_expected_too() {
    let none: [String; 0] = [];
    let own = "  given company { TITLE: \"own\", ..pumps }\n";
    assert_eq!(
        failures(&test(&format!("{own}  expect no Account\n  expect skip \"the own company\""))),
        none
    );
    assert_eq!(failures(&test(&format!("{own}  expect Account {{ .. }}"))), ["no `Account` is written"]);
    let absent = "  given company { INDUSTRY: absent, ..pumps }\n";
    assert_eq!(failures(&test(&format!("{absent}  expect flag \"no industry\""))), none);
    assert_eq!(
        failures(&test(&format!("{absent}  expect no Account\n  expect quarantine"))),
        ["a `Account` is written", "no record is held back"]
    );
}

#[test]
fn links_lead_to_given_records_or_away() {
    let none: [String; 0] = [];
    let deal = "  given deal { TITLE: \"Big\", COMPANY_ID: ref company(\"7\"), ..default }\n";
    let linked = "  expect Lead { accounts: [ref company(\"7\")], stage: stage \"Qualify\", .. }";
    // Not given: it counts as arrived.
    assert_eq!(failures(&test(&format!("{deal}{linked}"))), none);
    assert_eq!(failures(&test(&format!("{deal}  given pumps\n{linked}"))), none);
    let own = "  given company { TITLE: \"own\", ..pumps }\n";
    assert_eq!(
        failures(&test(&format!(
            "{deal}{own}  expect Lead {{ accounts: absent, .. }}\n  expect flag \"company left out\""
        ))),
        none
    );
}

#[test]
fn every_row_is_reached_or_told() {
    let done = case("edition 2026\ntable industries : text -> text {\n}\ntest every row industries\n");
    assert_eq!(done.findings, Vec::<String>::new());
    let told: Vec<String> = done.run.tests[0].failures.iter().map(|f| f.message.clone()).collect();
    assert_eq!((told, done.run.tests[0].checks), (vec![], 3));
    let coverage = done.coverage;
    let rows: Vec<bool> =
        coverage.parts.iter().filter(|p| p.what.starts_with("industries")).map(|p| p.covered).collect();
    assert_eq!(rows, [true, true, true]);
    assert!(coverage.parts.iter().any(|p| p.what.starts_with("sales") && !p.covered));
}

#[test]
fn records_are_typed() {
    let is = |lines: &str, code: &str| {
        let found = case(&test(lines)).findings;
        assert!(found.first().is_some_and(|f| f.contains(code)), "{lines}: {found:?}");
    };
    let expect = "\n  expect no Lead";
    is(&format!("  given company {{ TITEL: \"x\", ..pumps }}{expect}"), "E0201");
    is(&format!("  given company {{ INDUSTRY: \"ITT\", ..pumps }}{expect}"), "E0801");
    is(&format!("  given company {{ TURNOVER: 3, ..pumps }}{expect}"), "E0801");
    is(&format!("  given company {{ TITLE: \"x\" }}{expect}"), "E0802");
    is(&format!("  given company {{ ..default }}{expect}"), "E0802");
    is(&format!("  given company {{ ..pump }}{expect}"), "E0215");
    is(&format!("  given deal {{ ..pumps }}{expect}"), "E0801");
    is("  given pumps\n  expect Acount { .. }", "E0202");
    is("  given pumps\n  expect Account { nam: \"x\", .. }", "E0201");
    is("  given pumps\n  expect Account { turnover: true, .. }", "E0801");
    let circle = "edition 2026\nfixture a = company { ..b }\nfixture b = company { ..a }\n";
    assert!(case(circle).findings.iter().any(|f| f.contains("E0215")));
}

/// The example below a heading of a code's page.
fn example<'p>(page: &'p str, heading: &str) -> &'p str {
    let (_, rest) = page.split_once(&format!("\n## {heading}\n\n```b2n\n")).expect("an example");
    rest.split_once("```").expect("an end").0
}

/// Checks and runs a text against the sample schemas; codes of what is found.
fn sample(text: &str) -> Vec<&'static str> {
    use crate::lang::check::{self, sample_schema};
    let text = SourceText::new("page.b2n", text);
    let (spec, found) = parse(&text);
    assert!(found.is_empty(), "{found:?}");
    let (source, target) = (sample_schema::source(), sample_schema::target());
    let checked = check::check(&sample_schema::input(&spec, &text, (&source, &target), &[]));
    let plan = checked.plan.as_ref();
    let input = Input { spec: &spec, text: &text, plan, source: &source, target: &target };
    let found = check(input);
    let failed = run(input, &|_| true).tests.into_iter().flat_map(|test| test.findings());
    found.into_iter().chain(failed).map(|finding| finding.code.as_str()).collect()
}

#[test]
fn pages_of_codes_show_what_they_speak_of() {
    for code in [
        codes::UNKNOWN_FIXTURE,
        codes::FIXTURE_VALUE,
        codes::FIXTURE_INCOMPLETE,
        codes::TEST_FAILS,
        codes::GOLDEN_UNREADABLE,
    ] {
        let (bad, good) = (sample(example(code.page(), "Bad")), sample(example(code.page(), "Good")));
        assert!(bad.contains(&code.as_str()), "{code}: {bad:?}");
        assert!(good.is_empty(), "{code}: {good:?}");
    }
}

proptest! {
    /// What comes out is what the test expects; with any one field changed, that field is named.
    #[test]
    fn an_expectation_of_what_comes_out_passes_and_any_change_is_named(seed in any::<u64>(), at in 0usize..4) {
        let (plan, source) = (plan(), source());
        let object = source.object("company").expect("an object");
        let record = Generator::new(&source).record(object, &mut Dice::of(seed, 0));
        let outcome = reference::run(&plan, 0, &record);
        let crate::lang::eval::Outcome::Record(output) = outcome else { return Ok(()) };
        let (text, target) = (SourceText::new("test.b2n", "edition 2026\n"), target());
        let (spec, _) = parse(&text);
        let input = Input { spec: &spec, text: &text, plan: Some(&plan), source: &source, target: &target };
        let mut exercised = Exercised::default();
        let given = GivenRecord { object: "company".to_owned(), record };
        let world = World::run(input, &plan, vec![given], &mut exercised);
        let names = plan.maps[0].targets.iter().map(|target| target.name.clone());
        let fields: Vec<(String, Value)> = names.zip(output.values).collect();
        let expected = |fields: Vec<(String, Value)>| typed::Expected {
            object: "Account".to_owned(),
            fields,
            open: false,
        };
        let same = compare::record(&world, &expected(fields.clone()), Span::default());
        prop_assert!(same.is_none(), "{:?}", same);
        let mut other = fields;
        other[at].1 = Value::text("something that nothing gives");
        let name = other[at].0.clone();
        let diff = compare::record(&world, &expected(other), Span::default()).expect("it differs").diff;
        let named: Vec<&str> = diff.iter().map(|mismatch| mismatch.field.as_str()).collect();
        prop_assert_eq!(named, [name.as_str()]);
    }
}
