//! Drift as engineers meet it, and what holds for every drift.

use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::lang::check::sample_schema;
use crate::lang::finding::registry as codes;
use crate::lang::schema::{Choice, Field, Stage, Stats, User, Write, email_hash};
use crate::lang::syntax::{self, ast};
use crate::lang::text::SourceText;
use crate::lang::types::{Base, Type};

const SPEC: &str = r#"edition 2026
source bitrix24 "schema/bitrix24.yaml"
target nutshell "schema/nutshell.yaml"

owners {
  match by email
  dismissed   => "ops@acme.example"  flag "owner has left"
  otherwise   => "ops@acme.example"  flag "owner not found"
}

table industries : enum(INDUSTRY) -> Account.industry {
  "IT"       => "Technology"
  "BANKING"  => "Banking"
  _ unseen   => quarantine
}

pipeline sales : deal category 0 `Продажи` -> "Sales" {
  "NEW" `Новая`               => stage "Qualify"
  "PREPARATION" `Подготовка`  => stage "Proposal"
  "UC_7F3K" `На паузе`        => stage "On hold"
  "WON" `Успех`               => won "Signed"
  "LOSE" `Провал`             => lost "No budget"
  _ unseen                    => quarantine
}

pipeline service : deal category 1 `Сервис` -> "Service" {
  "NEW" `Заявка`  => stage "New request"
  "WON" `Готово`  => won "Signed"
  _ unseen        => quarantine
}

map company -> Account {
  key ID
  name         <- TITLE.trim()              else "Company {ID}"
  industry     <- industries[INDUSTRY]      else unset
  owner        <- user(ASSIGNED_BY_ID)
  description  <- COMMENTS.plain_text()     narrowed because "formatting is not kept"
  drop PHONE, UF_CRM_1690000003 declined "numbers are old"
  drop UF_CRM_OLD_CODE empty
  drop UF_CRM_OLD_REGION declined "regions are old"
}

map deal -> Lead {
  key ID
  description  <- TITLE.cut(100)  else "Deal {ID}"  narrowed because "100 characters are kept"
  stage        <- pipeline by CATEGORY_ID, STAGE_ID
  owner        <- user(ASSIGNED_BY_ID)
  drop OPPORTUNITY, CURRENCY_ID, SOURCE_ID, CLOSEDATE, CLOSED, COMPANY_ID, CONTACT_IDS declined "later"
  drop UF_CRM_1690000030, UF_CRM_1690000031 declined "kept in the archive"
}
"#;

struct Parsed {
    text: SourceText,
    spec: ast::Spec,
}

fn parsed(text: &str) -> Parsed {
    let text = SourceText::new("acme.b2n", text);
    let (spec, findings) = syntax::parse(&text);
    assert!(findings.is_empty(), "{findings:#?}");
    Parsed { text, spec }
}

fn drifted(parsed: &Parsed, change: impl FnOnce(&mut Schema, &mut Schema)) -> Drift {
    let (source, target) = (sample_schema::source(), sample_schema::target());
    let (mut new_source, mut new_target) = (source.clone(), target.clone());
    change(&mut new_source, &mut new_target);
    let input = Input {
        spec: &parsed.spec,
        text: &parsed.text,
        source: Some(&source),
        target: Some(&target),
        source_hash: "s",
        target_hash: "t",
        source_name: "s.yaml",
        target_name: "t.yaml",
        today: date(2026, 11, 21),
        broken: &[],
    };
    drift(&input, Newer { source: Some(&new_source), target: Some(&new_target) })
}

fn field<'s>(schema: &'s mut Schema, object: &str, name: &str) -> &'s mut Field {
    let object = schema.objects.iter_mut().find(|o| o.name == object).expect("the object");
    object.fields.iter_mut().find(|field| field.name == name).expect("the field")
}

fn add_field(schema: &mut Schema, object: &str, name: &str, filled: u64) {
    let object = schema.objects.iter_mut().find(|o| o.name == object).expect("the object");
    let at = object.fields.partition_point(|field| field.name.as_str() < name);
    let field = Field {
        name: name.to_owned(),
        title: Some("Новое поле".to_owned()),
        ty: Type::text().or_absent(),
        required: false,
        write: Write::Yes,
        custom: true,
        attributes: Vec::new(),
        stats: Some(Stats { filled, ..Stats::default() }),
    };
    object.fields.insert(at, field);
}

/// The codes and lines of what an entry hits.
fn hits(entry: &Entry, parsed: &Parsed) -> Vec<(&'static str, u32)> {
    let line = |finding: &Finding| markdown::place(finding, &parsed.text).map_or(0, |(_, line)| line);
    entry.hits.iter().map(|finding| (finding.code.as_str(), line(finding))).collect()
}

fn line_of(text: &str) -> u32 {
    SPEC.lines().position(|line| line.contains(text)).expect("a line") as u32 + 1
}

#[test]
fn the_same_schemas_have_no_drift() {
    let drift = drifted(&parsed(SPEC), |_, _| {});
    assert_eq!((drift.entries.len(), drift.is_clean()), (0, true), "{drift:#?}");
}

#[test]
fn a_new_stage_hits_its_pipeline() {
    let parsed = parsed(SPEC);
    let drift = drifted(&parsed, |source, _| {
        let stage = Stage { code: "UC_NEW".into(), name: "Договор".into(), ends: None };
        source.pipelines[0].stages.insert(3, stage);
        source.pipelines[0].records.insert("UC_NEW".into(), 33);
    });
    assert_eq!(drift.entries.len(), 1, "{drift:#?}");
    let entry = &drift.entries[0];
    assert_eq!(words(entry), "stage `UC_NEW` `Договор` of `deal` pipeline `0` added (33 records)");
    assert_eq!(hits(entry, &parsed), [("B2N-E0301", line_of("pipeline sales"))]);
    assert!(!drift.checks && drift.together.is_empty() && drift.claims.is_empty(), "{drift:#?}");
}

#[test]
fn fields_are_told_in_the_rules_that_read_them() {
    let parsed = parsed(SPEC);
    let drift = drifted(&parsed, |source, _| {
        add_field(source, "company", "UF_CRM_NEW", 12);
        field(source, "company", "TITLE").ty = Type::maybe(Base::Integer);
        let deal = source.objects.iter_mut().find(|o| o.name == "deal").expect("deals");
        deal.fields.retain(|field| field.name != "TITLE");
    });
    let told: Vec<(String, Vec<(&str, u32)>)> =
        drift.entries.iter().map(|entry| (entry.difference.to_string(), hits(entry, &parsed))).collect();
    assert_eq!(told.len(), 3, "{told:#?}");
    let of = |words: &str| &told.iter().find(|(what, _)| what.contains(words)).expect("it is told").1;
    assert_eq!(of("`company.UF_CRM_NEW`"), &[("B2N-E0401", line_of("map company"))]);
    assert!(of("changed its type").iter().all(|(_, line)| *line == line_of("TITLE.trim()")), "{told:#?}");
    assert!(of("`deal.TITLE`").contains(&("B2N-E0201", line_of("TITLE.cut(100)"))), "{told:#?}");
}

#[test]
fn a_claim_that_no_longer_holds_is_told_without_a_difference() {
    let drift = drifted(&parsed(SPEC), |source, _| {
        field(source, "company", "UF_CRM_OLD_CODE").stats = Some(Stats { filled: 3, ..Stats::default() });
    });
    assert!(drift.entries.is_empty());
    let codes: Vec<_> = drift.claims.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, [codes::DROP_NOT_EMPTY]);
}

#[test]
fn a_user_who_leaves_is_told_with_who_takes_over() {
    let drift = drifted(&parsed(SPEC), |source, target| {
        let hash = email_hash(&source.salt, "new@acme.example");
        source.users.push(User { id: "88".into(), email_hash: Some(hash.clone()), active: true });
        source.users.sort_by(|a, b| a.id.cmp(&b.id));
        target.users.retain(|user| user.id != "100");
    });
    let told: Vec<String> =
        drift.entries.iter().map(|entry| format!("{} {:?}", words(entry), entry.owners)).collect();
    assert!(
        told.iter()
            .any(|line| line.contains("user `100` removed") && line.contains("records of user `1` go to")),
        "{told:#?}"
    );
    assert!(told.iter().any(|line| line.starts_with("user `88` added")), "{told:#?}");
}

#[test]
fn what_the_destination_loses_hits_the_rows_that_name_it() {
    let parsed = parsed(SPEC);
    let drift = drifted(&parsed, |_, target| {
        let domain = target.domains.get_mut("Account.industry").expect("the domain");
        domain.choices.retain(|choice| choice.code != "Banking");
        domain.choices.push(Choice { code: "Banks".into(), title: None });
    });
    let entry = drift.entries.iter().find(|entry| entry.difference.kind == Kind::Removed).expect("a removal");
    assert_eq!(hits(entry, &parsed), [("B2N-E0206", line_of("\"BANKING\""))]);
    let added = drift.entries.iter().find(|entry| entry.difference.kind == Kind::Added).expect("an addition");
    assert!(!added.hits_something());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn each_mutation_is_one_entry_and_all_new_findings_are_told(picks in proptest::collection::btree_set(0usize..9, 0..5)) {
        let parsed = parsed(SPEC);
        let drift = drifted(&parsed, |source, target| {
            for pick in &picks {
                match pick {
                    0 => add_field(source, "company", "UF_ONE", 5),
                    1 => add_field(source, "deal", "UF_TWO", 0),
                    2 => {
                        let company = source.objects.iter_mut().find(|object| object.name == "company");
                        company.expect("companies").fields.retain(|field| field.name != "COMMENTS");
                    }
                    3 => field(source, "company", "PHONE").title = Some("Телефоны".into()),
                    4 => field(source, "deal", "TITLE").ty = Type::maybe(Base::Money),
                    5 => source.pipelines[1].stages.push(Stage { code: "X".into(), name: "X".into(), ends: None }),
                    6 => source.domains.get_mut("INDUSTRY").expect("it").choices.push(Choice { code: "NEW".into(), title: None }),
                    7 => target.pipelines[0].stages.retain(|stage| stage.name != "On hold"),
                    _ => source.pipelines[0].stages.retain(|stage| stage.code != "LOSE"),
                }
            }
        });
        prop_assert_eq!(drift.entries.len(), picks.len(), "{:#?}", drift.entries);
        let expected = picks.iter().filter(|pick| **pick != 3).count();
        let hitting = drift.entries.iter().filter(|entry| entry.hits_something()).count();
        prop_assert_eq!(hitting, expected, "{:#?}", drift.entries);
        // Everything that the whole check tells is told with some difference, or with all of them.
        let told: BTreeSet<Key> = drift.hits().map(place_key).collect();
        for finding in drift.findings.iter().filter(|finding| finding.severity == Severity::Error) {
            prop_assert!(told.contains(&place_key(finding)), "{finding:#?}");
        }
    }
}

#[test]
fn formats_tell_the_same() {
    let parsed = parsed(SPEC);
    let drift = drifted(&parsed, |source, _| add_field(source, "company", "UF_|_<b>", 12));
    let page = markdown::render(&drift, &parsed.text);
    assert!(page.contains("B2N-E0401") && page.contains("UF_\\|_<b>"), "{page}");
    let json = json::render(&drift, &parsed.text);
    assert_eq!(json["differences"][0]["hits"][0]["code"], "B2N-E0401");
    assert_eq!(json["differences"][0]["difference"]["kind"], "added");
    assert_eq!(json["errors"], 1);
}
