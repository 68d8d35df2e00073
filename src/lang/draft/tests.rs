//! A draft checks but for open decisions, accounts for every field, and stands as `fmt` would lay it out: over the
//! examples' schemas, and over random ones.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::civil::date;
use proptest::prelude::*;

use super::{Draft, Input, draft};
use crate::lang::check::profile::shipped;
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
        .filter(|finding| finding.forbids_plan())
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

/// Fields of objects with records that a draft does not name.
fn missing(draft: &Draft, source: &Schema) -> Vec<String> {
    let words: BTreeSet<&str> = draft.text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    let objects = source.objects.iter().filter(|object| object.records != Some(0));
    objects
        .flat_map(|object| object.fields.iter().map(move |field| (object, field)))
        .filter(|(_, field)| !words.contains(field.name.as_str()))
        .map(|(object, field)| format!("`{}` of `{}`", field.name, object.name))
        .collect()
}

#[test]
fn every_field_of_every_object_with_records_stands_in_the_draft() {
    for name in ["acme", "podyom", "rebstock"] {
        let (source, target, owner) = example(name);
        let draft = draft(&input(&source, &target, &owner, false));
        assert_eq!(missing(&draft, &source), Vec::<String>::new(), "{name}:\n{}", draft.text);
        let told: usize = draft.objects.iter().map(|told| told.todo).sum();
        assert_eq!(told, draft.todo, "the sum of its objects");
    }
}

#[test]
fn custom_fields_that_the_destination_has_are_used() {
    let (source, mut target, owner) = example("podyom");
    let account = target.objects.iter_mut().find(|object| object.name == "Account").expect("accounts");
    let building = Domain {
        title: None,
        choices: ["Жилой дом", "Больница"].map(|code| Choice { code: code.to_owned(), title: None }).to_vec(),
        open: false,
    };
    target.domains.insert("Account.Тип здания".to_owned(), building);
    for (name, base) in [("Договор до", Base::Date), ("Тип здания", Base::Enum("Account.Тип здания".into()))]
    {
        account.fields.push(Field {
            name: name.to_owned(),
            title: None,
            ty: Type::one(base).or_absent(),
            required: false,
            write: Write::Yes,
            custom: true,
            attributes: Vec::new(),
            stats: None,
        });
    }
    account.fields.sort_by(|a, b| a.name.cmp(&b.name));
    for profile in [false, true] {
        let draft = draft(&input(&source, &target, &owner, profile));
        assert!(judge(&draft).is_ok(), "{:?}", judge(&draft));
        for (name, field) in [("Договор до", "UF_CRM_1700000002"), ("Тип здания", "UF_CRM_1700000001")]
        {
            let rule = draft.text.lines().find(|line| {
                line.contains("<-")
                    && line.contains(field)
                    && line.contains(name)
                    && !line.contains("custom \"")
            });
            let rule =
                rule.unwrap_or_else(|| panic!("profile {profile}: {name} is not written:\n{}", draft.text));
            assert!(rule.trim_start().starts_with("proposed "), "{rule}");
        }
        assert!(draft.text.contains("`Бизнес-центр`"), "a value that is missing there has a row");
    }
}

/// One change of an example's schemas, as customers differ.
fn change(source: &mut Schema, target: &mut Schema, (what, which): (u8, usize)) {
    fn pick<T>(all: &mut [T], which: usize) -> Option<&mut T> {
        let at = which.checked_rem(all.len())?;
        all.get_mut(at)
    }
    match what % 14 {
        0 => drop(remove(&mut source.objects, which)),
        1 => drop(remove(&mut target.objects, which)),
        2 | 3 => {
            if let Some(object) = pick(&mut source.objects, which) {
                let fields = object.fields.iter().position(|field| field.name != "ID").map(|_| which / 7);
                let at = fields.and_then(|at| at.checked_rem(object.fields.len()));
                if let Some(at) = at.filter(|at| object.fields[*at].name != "ID") {
                    object.fields.remove(at);
                }
            }
        }
        4 => {
            if let Some(object) = pick(&mut target.objects, which) {
                drop(remove(&mut object.fields, which / 7));
            }
        }
        5 => {
            let object = pick(&mut target.objects, which);
            if let Some(field) = object.and_then(|object| pick(&mut object.fields, which / 7)) {
                field.write = Write::No { hint: "not on this plan".to_owned() };
                field.required = false;
            }
        }
        6 => {
            let object = pick(&mut target.objects, which);
            if let Some(field) = object.and_then(|object| pick(&mut object.fields, which / 7))
                && field.write == Write::Yes
            {
                field.required = true;
                field.ty.optional = false;
            }
        }
        7 => {
            for field in source.objects.iter_mut().flat_map(|object| &mut object.fields) {
                field.stats = None;
            }
        }
        8 => drop(remove(&mut source.pipelines, which)),
        9 => drop(remove(&mut target.pipelines, which)),
        10 => {
            let domain = target.domains.len().max(1);
            if let Some(domain) = target.domains.values_mut().nth(which % domain) {
                domain.choices.truncate(which % 3);
            }
        }
        12 => {
            if let Some(object) = pick(&mut source.objects, which) {
                let mut seen = 0;
                object.fields.retain(|field| {
                    // Every portal has this one, whatever its name says.
                    let own = field.custom && field.name != "UF_CRM_TASK";
                    seen += usize::from(own);
                    !own || seen % 3 != which % 3
                });
            }
        }
        13 => source.objects.retain(|object| !object.name.starts_with("process ")),
        _ => {
            if let Some(object) = pick(&mut target.objects, which) {
                object.custom_types.clear();
                object.matchable.clear();
            }
        }
    }
}

fn remove<T>(all: &mut Vec<T>, which: usize) -> Option<T> {
    let at = which.checked_rem(all.len())?;
    Some(all.remove(at))
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
        prop_assert_eq!(missing(&draft, &source), Vec::<String>::new(), "{}", draft.text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn drafts_of_changed_examples_check_but_for_open_decisions(
        name in prop_oneof![Just("acme"), Just("podyom"), Just("rebstock")],
        changes in proptest::collection::vec((any::<u8>(), 0usize..5_000), 1..12),
        profile in any::<bool>(),
    ) {
        let (mut source, mut target, owner) = example(name);
        for (what, which) in &changes {
            // A profile is written for the standard fields of one kind of system: only what customers make differs.
            let what = if profile { [7, 12, 13][usize::from(what % 3)] } else { *what };
            change(&mut source, &mut target, (what, *which));
        }
        let draft = draft(&input(&source, &target, &owner, profile));
        if let Err(why) = judge(&draft) {
            prop_assert!(false, "{why}");
        }
        if !profile {
            prop_assert_eq!(missing(&draft, &source), Vec::<String>::new(), "{}", draft.text);
        }
    }
}
