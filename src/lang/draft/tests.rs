//! A draft checks but for open decisions, accounts for every field, and stands as `fmt` would lay it out: over the
//! examples' schemas, and over random ones.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::civil::date;
use proptest::prelude::*;

use super::{Draft, Input, draft};
use crate::lang::check::profile::shipped;
use crate::lang::finding::{Severity, registry as codes};
use crate::lang::schema::{
    Attribute, Choice, Domain, Field, Object, Outcome, Pipeline, Schema, Stage, Stats, User, Write,
    email_hash, snapshot,
};
use crate::lang::syntax::{self, ast};
use crate::lang::text::SourceText;
use crate::lang::types::{Base, Type};
use crate::lang::value::OutcomeKind;

const OWNER: &str = "ops@owner.example";

fn input<'a>(source: &'a Schema, target: &'a Schema, owner: &'a str, profile: bool) -> Input<'a> {
    Input {
        source,
        target,
        source_name: "schema/source.yaml",
        target_name: "schema/target.yaml",
        owner,
        zone: Some("Europe/Berlin"),
        country: "US",
        min: 0.4,
        profile: shipped("standard").filter(|_| profile).map(|text| ("standard", text)),
        today: date(2026, 11, 21),
    }
}

/// Errors that no person was asked about.
fn unsettled(draft: &Draft) -> Vec<String> {
    draft
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error && finding.code != codes::TODO_OPEN)
        .map(|finding| format!("{} {}", finding.code, finding.message))
        .collect()
}

fn judge(draft: &Draft) -> Result<(), String> {
    let wrong = unsettled(draft);
    if !wrong.is_empty() {
        return Err(format!("{}\n{}", wrong.join("\n"), draft.text));
    }
    let text = SourceText::new("draft", draft.text.as_str());
    match syntax::format(&text) {
        Ok(again) if again == draft.text => Ok(()),
        Ok(again) => Err(format!("formatting it again changes it:\n{}\n---\n{again}", draft.text)),
        Err(findings) => Err(format!("{findings:?}\n{}", draft.text)),
    }
}

fn example(name: &str) -> (Schema, Schema, String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    let text = |path: &str| {
        let path = folder.join(path);
        let bytes = std::fs::read(&path).expect("examples are part of the project");
        SourceText::from_bytes(path.display().to_string(), &bytes).expect("examples are UTF-8")
    };
    let schema = |path: &str| snapshot::read(&text(path)).expect("examples' snapshots can be read");
    let (spec, _) = syntax::parse(&text(&format!("{name}.b2n")));
    let owner = spec.items.iter().find_map(|item| match item {
        ast::Item::Owners(owners) => owners.rows.last().map(|row| row.to.value.clone()),
        _ => None,
    });
    (schema("schema/bitrix24.yaml"), schema("schema/nutshell.yaml"), owner.expect("a last owner"))
}

#[test]
fn drafts_of_the_examples_check_but_for_open_decisions() {
    for name in ["acme", "podyom", "rebstock"] {
        let (source, target, owner) = example(name);
        for profile in [false, true] {
            let draft = draft(&input(&source, &target, &owner, profile));
            if let Err(why) = judge(&draft) {
                panic!("{name}, profile {profile}, {} rounds:\n{why}", draft.rounds);
            }
            assert!(draft.proposed > 0, "{name}: something is proposed");
        }
    }
}

#[test]
fn every_field_of_a_mapped_object_stands_in_the_draft() {
    let (source, target, owner) = example("acme");
    let draft = draft(&input(&source, &target, &owner, false));
    let mapped = |object: &&Object| {
        draft.text.lines().any(|line| line.starts_with(&format!("map {} ->", object.name)))
    };
    let mut objects = 0;
    for object in source.objects.iter().filter(mapped) {
        objects += 1;
        for field in &object.fields {
            assert!(draft.text.contains(&field.name), "`{}` of `{}` is missing", field.name, object.name);
        }
    }
    assert!(objects >= 3, "companies, people and deals are mapped:\n{}", draft.text);
}

fn titles() -> impl Strategy<Value = Option<String>> {
    proptest::option::of(prop_oneof![
        Just("Название".to_owned()),
        Just("Straße & Ort".to_owned()),
        Just("電話".to_owned()),
        Just("E-Mail {alt}".to_owned()),
        Just("a \"quoted\" `title`".to_owned()),
        "[A-Za-zА-яäöü ]{0,12}",
    ])
}

fn base(side: bool) -> impl Strategy<Value = Base> {
    let links = if side { Base::Link("deal".into()) } else { Base::Ref("Lead".into()) };
    prop_oneof![
        4 => Just(Base::Text { max: None }),
        1 => Just(Base::Text { max: Some(20) }),
        1 => Just(Base::Integer),
        1 => Just(Base::Decimal),
        1 => Just(Base::Bool),
        1 => Just(Base::Date),
        1 => Just(Base::DateTime),
        1 => Just(Base::User),
        1 => Just(Base::Money),
        1 => Just(Base::Email),
        1 => Just(Base::Phone),
        1 => Just(Base::File),
        2 => Just(Base::Enum("KIND".into())),
        1 => Just(links),
    ]
}

fn field(side: bool) -> impl Strategy<Value = Field> {
    let name = if side { "(UF_CRM_)?[A-Z]{3,9}(_ID|_2)?" } else { "[a-z]{3,9}[A-Z]?[a-z]{1,4}" };
    (name, titles(), base(side), any::<[bool; 4]>(), 0u64..50).prop_map(
        move |(name, title, base, flags, filled)| {
            let [many, optional, required, counted] = flags;
            let longest = matches!(base, Base::Text { .. }).then_some(40);
            Field {
                custom: name.starts_with("UF_"),
                name,
                title,
                ty: Type { base, many, optional: side || optional || !required },
                required: !side && required && !many,
                write: Write::Yes,
                attributes: Vec::new(),
                stats: (side && counted).then(|| Stats { filled, longest, ..Stats::default() }),
            }
        },
    )
}

fn object(name: &'static str, side: bool) -> impl Strategy<Value = Object> {
    proptest::collection::vec(field(side), 0..10).prop_map(move |mut fields| {
        if side {
            let id = Field {
                name: "ID".into(),
                title: None,
                ty: Type::one(Base::Integer),
                required: false,
                write: Write::Yes,
                custom: false,
                attributes: Vec::<Attribute>::new(),
                stats: None,
            };
            fields.push(id);
        }
        fields.sort_by(|a, b| a.name.cmp(&b.name));
        fields.dedup_by(|a, b| a.name == b.name);
        Object {
            name: name.to_owned(),
            records: side.then_some(50),
            creatable: !side,
            custom_types: ["text", "long_text", "date", "enum", "currency"].map(str::to_owned).to_vec(),
            fields,
            ..Object::default()
        }
    })
}

fn domain() -> impl Strategy<Value = Domain> {
    (proptest::collection::btree_map("[A-Z]{1,6}", titles(), 0..6), any::<bool>()).prop_map(
        |(choices, open)| Domain {
            title: None,
            choices: choices.into_iter().map(|(code, title)| Choice { code, title }).collect(),
            open,
        },
    )
}

fn schema(side: bool) -> impl Strategy<Value = Schema> {
    let names = if side { ["company", "deal", "thing"] } else { ["Account", "Lead", "Product"] };
    let objects = names.map(|name| object(name, side));
    let stages = proptest::collection::btree_map("[A-Z]{1,5}", "[A-Za-zА-я]{1,10}", 1..6);
    (objects, domain(), stages).prop_map(move |(objects, kind, stages)| {
        let mut objects = objects.to_vec();
        objects.sort_by(|a, b| a.name.cmp(&b.name));
        let stages: Vec<Stage> =
            stages.into_iter().map(|(code, name)| Stage { code, name, ends: None }).collect();
        let pipeline = Pipeline {
            object: if side { "deal" } else { "Lead" }.to_owned(),
            code: if side { "0" } else { "1" }.to_owned(),
            name: "Sales".to_owned(),
            stages,
            outcomes: vec![Outcome { code: "9".into(), name: "Signed".into(), kind: OutcomeKind::Won }],
            ..Pipeline::default()
        };
        let user = User { id: "1".into(), email_hash: Some(email_hash("s", OWNER)), active: true };
        Schema {
            connector: if side { "bitrix24" } else { "nutshell" }.to_owned(),
            salt: "s".to_owned(),
            taken: Some(date(2026, 11, 20)),
            objects,
            domains: BTreeMap::from([("KIND".to_owned(), kind)]),
            pipelines: vec![pipeline],
            users: vec![user],
            ..Schema::default()
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn drafts_of_random_schemas_check_but_for_open_decisions(source in schema(true), target in schema(false)) {
        let draft = draft(&input(&source, &target, OWNER, false));
        if let Err(why) = judge(&draft) {
            prop_assert!(false, "{why}");
        }
    }
}
