//! Planted faults are found and shrunk; what checks has none.

mod specs;

use super::{Broken, Fuzzer, Kind, unaccounted};
use crate::lang::check::{self, sample_schema};
use crate::lang::eval::Outcome;
use crate::lang::finding::Severity;
use crate::lang::plan::{Arm, Expr, Plan, StageTo};
use crate::lang::schema::Schema;
use crate::lang::syntax;
use crate::lang::text::SourceText;
use crate::lang::types::Base;
use crate::lang::value::Value;

/// The plan of a spec, or what is wrong with it.
fn plan(text: &str, source: &Schema, target: &Schema) -> Result<Plan, String> {
    let text = SourceText::new("sample.b2n", text);
    let (tree, found) = syntax::parse(&text);
    let checked = check::check(&sample_schema::input(&tree, &text, (source, target), &check::broken(&found)));
    let errors = found.iter().chain(&checked.findings).filter(|f| f.severity == Severity::Error);
    let told: Vec<String> = errors.map(|finding| format!("{} {}", finding.code, finding.message)).collect();
    checked.plan.filter(|_| told.is_empty()).ok_or_else(|| told.join("\n"))
}

/// A spec that reaches every kind of destination value.
const SPEC: &str = r#"edition 2026
source bitrix24 "schema/bitrix24.yaml"
target nutshell "schema/nutshell.yaml"
zone "Europe/Moscow"
owners {
  match by email
  dismissed  => "ops@acme.example"  flag "owner has left"
  otherwise  => "ops@acme.example"  flag "owner not found"
}
table markets : enum(CURRENCY) -> Lead.market {
  "USD"     => "United States"
  "EUR"     => "Europe"
  _ unseen  => unset
}
pipeline sales : deal category 0 -> "Sales" {
  "NEW"          => stage "Qualify"
  "PREPARATION"  => stage "Proposal"
  "UC_7F3K"      => stage "On hold"
  "WON"          => won "Signed"
  "LOSE"         => lost "No budget"
  _ unseen       => quarantine
}
pipeline service : deal category 1 -> "Service" {
  "NEW"     => stage "New request"
  "WON"     => won "Signed"
  _ unseen  => quarantine
}
map company -> Account {
  key ID
  name   <- TITLE
  owner  <- user(ASSIGNED_BY_ID)
  drop COMMENTS, INDUSTRY, PHONE, UF_CRM_1690000003, UF_CRM_OLD_REGION declined "not in this test"
  drop UF_CRM_OLD_CODE empty
}
map contact -> Contact {
  key ID
  name      <- NAME                       else "-"
  email     <- EMAIL.each(email)          on fail flag "not an e-mail address"
  accounts  <- refs company(COMPANY_IDS)  labelled POST when IS_PRIMARY  on unmigrated flag "gone"
  owner     <- user(ASSIGNED_BY_ID)
  drop LAST_NAME declined "not in this test"
}
map deal -> Lead {
  key ID
  description  <- cut(TITLE, 100)             else "Deal {ID}"  narrowed because "100 characters"
  stage        <- pipeline by CATEGORY_ID, STAGE_ID
  market       <- markets[CURRENCY_ID]        else unset
  value        <- money(OPPORTUNITY, CURRENCY_ID)  on fail flag "no currency"
  dueTime      <- CLOSEDATE.at("18:00")       on fail flag "no such time"
  accounts     <- ref company(COMPANY_ID)     on unmigrated flag "gone"
  contacts     <- refs contact(CONTACT_IDS)   on unmigrated flag "gone"
  owner        <- user(ASSIGNED_BY_ID)
  custom "A kind"  enum("A", "B")  <- "A"     when CLOSED
  drop SOURCE_ID, UF_CRM_1690000030, UF_CRM_1690000031 declined "not in this test"
}
"#;

fn sample() -> (Plan, Schema, Schema) {
    let (source, target) = (sample_schema::source(), sample_schema::target());
    let plan = plan(SPEC, &source, &target).unwrap_or_else(|told| panic!("{told}"));
    (plan, source, target)
}

/// What the first cases find, and how many of them there are.
fn found(plan: &Plan, source: &Schema, target: &Schema, cases: u64) -> Vec<Broken> {
    let fuzzer = Fuzzer::new(plan, source, target, 7).expect("the plan compiles");
    let mut found: Vec<Broken> = Vec::new();
    for number in 0..cases {
        for broken in fuzzer.case(number) {
            if !found.iter().any(|known| known.violation.like(&broken.violation)) {
                found.push(broken);
            }
        }
    }
    found
}

#[test]
fn a_sound_plan_is_not_broken() {
    let (plan, source, target) = sample();
    let found = found(&plan, &source, &target, 1_500);
    assert!(found.is_empty(), "seed 7: {found:#?}");
    // It says something: records of every map came out, and not only those.
    let fuzzer = Fuzzer::new(&plan, &source, &target, 7).expect("the plan compiles");
    let mut written = [0; 3];
    for number in 0..300 {
        let case = fuzzer.make(number).expect("a case");
        if let Outcome::Record(output) = fuzzer.program.run(case.map, &case.record) {
            written[case.map] += usize::from(output.values.iter().all(|value| !value.is_absent()));
        }
    }
    assert!(written.iter().all(|full| *full > 0), "records with every field: {written:?}");
}

#[test]
fn the_same_seed_makes_the_same_cases() {
    let (plan, source, target) = sample();
    let of = |seed| Fuzzer::new(&plan, &source, &target, seed).expect("the plan compiles");
    let (a, b, other) = (of(3), of(3), of(4));
    for number in 0..50 {
        assert_eq!(a.make(number), b.make(number));
    }
    assert!((0..50).any(|number| a.make(number) != other.make(number)));
}

/// A fault that the checker would have to overlook: where it is planted, and what is found.
type Fault = (&'static str, fn(&mut Plan), &'static str, Kind);

fn rule<'p>(plan: &'p mut Plan, map: usize, target: &str) -> &'p mut crate::lang::plan::Rule {
    let index = plan.maps[map].targets.iter().position(|t| t.name == target).expect("a target");
    plan.maps[map].rules.iter_mut().find(|rule| usize::from(rule.target) == index).expect("a rule")
}

const FAULTS: &[Fault] = &[
    (
        "the cut is gone",
        |plan| {
            let Expr::Call { args, .. } = rule(plan, 2, "description").value.clone() else { panic!() };
            rule(plan, 2, "description").value = args[0].clone();
        },
        "description",
        Kind::TooLong,
    ),
    ("the last else is gone", |plan| rule(plan, 1, "name").otherwise.clear(), "name", Kind::Missing),
    (
        "a row names a value that does not exist",
        |plan| {
            let value = Box::new(Expr::Const(Value::text("Mars")));
            plan.tables[0].rows.get_mut("EUR").expect("a row").arm = Arm::Value { value, flag: None };
        },
        "market",
        Kind::NoSuchChoice,
    ),
    (
        "a stage of another pipeline",
        |plan| {
            let row = plan.pipelines[1].rows.get_mut("NEW").expect("a row");
            let StageTo::Stage(stage) = &mut row.to else { panic!() };
            stage.stage = Some("Qualify".to_owned());
        },
        "stage",
        Kind::NoSuchStage,
    ),
    ("an owner who left", |plan| plan.owners.otherwise.user = "103".to_owned(), "owner", Kind::NoSuchUser),
    (
        "links to people where companies belong",
        |plan| {
            let Expr::Ref { maps, .. } = &mut rule(plan, 2, "accounts").value else { panic!() };
            *maps = vec![1];
        },
        "accounts",
        Kind::WrongLink,
    ),
    (
        "a number where a text belongs",
        |plan| rule(plan, 0, "name").value = Expr::Const(Value::Int(3)),
        "name",
        Kind::WrongType,
    ),
    (
        "a choice that the new field does not get",
        |plan| rule(plan, 2, "A kind").value = Expr::Const(Value::text("C")),
        "A kind",
        Kind::NoSuchChoice,
    ),
    (
        "a function on a value of another type, covered by its arm",
        |plan| {
            let slot = rule(plan, 0, "owner").value.clone();
            let Expr::Owner(user) = slot else { panic!() };
            let args = vec![Expr::Const(Value::Int(1)), *user];
            let rule = rule(plan, 0, "name");
            rule.value = Expr::Call { function: "contains".to_owned(), args };
            rule.on_fail = Some(Arm::Value { value: Box::new(Expr::Const(Value::text("x"))), flag: None });
        },
        "name",
        Kind::FailsByType,
    ),
    (
        "a failure that no arm takes",
        |plan| rule(plan, 1, "email").on_fail = None,
        "email",
        Kind::FailsUnhandled,
    ),
    (
        "a required field that nothing writes",
        |plan| {
            let owner = plan.maps[0].targets.iter().position(|t| t.name == "owner").expect("a target");
            plan.maps[0].rules.retain(|rule| usize::from(rule.target) != owner);
        },
        "owner",
        Kind::Missing,
    ),
];

#[test]
fn planted_faults_are_found() {
    let (sound, source, target) = sample();
    for (what, plant, field, kind) in FAULTS {
        let mut plan = sound.clone();
        plant(&mut plan);
        let found = found(&plan, &source, &target, 400);
        assert!(
            found.iter().any(|broken| broken.violation.target == *field && broken.violation.kind == *kind),
            "{what}: not among {found:#?}"
        );
        assert!(found.iter().all(|broken| broken.violation.target == *field), "{what}: {found:#?}");
    }
}

#[test]
fn fields_that_a_plan_loses_are_told() {
    let (sound, source, _) = sample();
    assert_eq!(unaccounted(&sound, &source), [""; 0]);
    let lost = |plant: &dyn Fn(&mut Plan)| {
        let mut plan = sound.clone();
        plant(&mut plan);
        unaccounted(&plan, &source)
    };
    let due = sound.maps[2].targets.iter().position(|target| target.name == "dueTime").expect("a target");
    assert_eq!(
        lost(&|plan| plan.maps[2].rules.retain(|rule| usize::from(rule.target) != due)),
        ["deal.CLOSEDATE"]
    );
    assert_eq!(
        lost(&|plan| plan.maps[0].dropped.retain(|dropped| dropped.field != "PHONE")),
        ["company.PHONE"]
    );
    assert_eq!(lost(&|plan| rule(plan, 1, "accounts").label = None), ["contact.POST"]);
}

#[test]
fn the_columns_of_lines_are_accounted_for_too() {
    let (source, target) = (sample_schema::source(), sample_schema::target());
    let text =
        SPEC.split("map company").next().expect("a head").split("table markets").next().expect("a head");
    let text = format!(
        "{text}map product -> Product {{\n  key ID\n  name <- NAME\n  drop PRICE declined \"-\"\n}}\n\
         map quote -> Activity {{\n  key ID\n  name <- \"{{ID}} {{QUOTE_NUMBER}} {{TITLE}} {{OPPORTUNITY}}\"\n  \
         people <- user(ASSIGNED_BY_ID)\n  drop CURRENCY_ID, DEAL_ID, rows declined \"-\"\n}}\n"
    )
    .replace("people", "participants");
    let mut plan = plan(&text, &source, &target).unwrap_or_else(|told| panic!("{told}"));
    assert_eq!(unaccounted(&plan, &source), [""; 0]);
    let slot = source.object("quote").and_then(|quote| quote.slot("rows")).expect("rows") as u16;
    plan.maps[1].dropped.retain(|dropped| dropped.field != "rows");
    plan.maps[1].rules[0].value =
        Expr::EachLine { list: Box::new(Expr::Slot(slot)), columns: Vec::new(), rules: Vec::new() };
    let lost = unaccounted(&plan, &source);
    assert!(lost.contains(&"quote.rows.PRICE".to_owned()), "{lost:?}");
}

#[test]
fn what_breaks_is_shrunk_to_what_breaks_it() {
    let (mut plan, source, target) = sample();
    (FAULTS[0].1)(&mut plan);
    let broken = found(&plan, &source, &target, 400).remove(0);
    let object = source.object("deal").expect("the sample has deals");
    let filled: Vec<(&str, &Value)> = object
        .fields
        .iter()
        .zip(&broken.case.record)
        .filter(|(field, value)| field.ty.optional && !value.is_absent())
        .map(|(field, value)| (field.name.as_str(), value))
        .collect();
    assert_eq!(filled, [("TITLE", &Value::text("a".repeat(101)))], "{broken:?}");
    assert_eq!(broken.violation.takes, "text(100), required");
    assert!(broken.violation.line > 0);
}

#[test]
fn generated_records_are_of_their_schema() {
    let source = sample_schema::source();
    let generator = super::Generator::new(&source);
    for seed in 0..200 {
        let mut dice = super::Dice::of(seed, 0);
        for object in &source.objects {
            let record = generator.record(object, &mut dice);
            for (field, value) in object.fields.iter().zip(&record) {
                let what = format!("seed {seed}: {}.{}: {value:?}", object.name, field.name);
                assert!(field.ty.optional || !value.is_absent(), "{what}");
                match value {
                    Value::List(values) => assert!(field.ty.many && !values.is_empty(), "{what}"),
                    Value::Absent => {}
                    _ => assert!(!field.ty.many, "{what}"),
                }
                if field.ty.base == Base::Bool {
                    assert!(matches!(value, Value::Bool(_) | Value::Absent), "{what}");
                }
            }
        }
    }
}
