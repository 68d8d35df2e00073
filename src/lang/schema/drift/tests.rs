//! Every difference is found once, and all of them together make the newer schema.

use proptest::prelude::*;

use super::*;
use crate::lang::schema::{Answer, Choice, Domain, Field, Object, Probed, Stage, Stats, User, Write};
use crate::lang::types::{Base, Type};

fn plain(name: &str, ty: Type) -> Field {
    Field {
        name: name.to_owned(),
        title: Some(format!("title of {name}")),
        ty,
        required: false,
        write: Write::Yes,
        custom: false,
        attributes: Vec::new(),
        stats: Some(Stats { filled: 5, ..Stats::default() }),
    }
}

fn domain(codes: &[&str]) -> Domain {
    let choice = |code: &&str| Choice { code: (*code).to_owned(), title: Some(format!("title of {code}")) };
    Domain { title: None, choices: codes.iter().map(choice).collect(), open: false }
}

fn small() -> Schema {
    let object = |name: &str, fields: Vec<Field>| Object {
        name: name.to_owned(),
        records: Some(10),
        creatable: true,
        fields,
        ..Object::default()
    };
    let enumeration = |name: &str| Type::maybe(Base::Enum(name.to_owned()));
    let stage = |code: &str| Stage { code: code.to_owned(), name: format!("name of {code}"), ends: None };
    Schema {
        connector: "x".into(),
        account: "a".into(),
        account_name: "A".into(),
        salt: "s".into(),
        objects: vec![
            object("company", vec![plain("KIND", enumeration("KIND")), plain("TITLE", Type::text())]),
            object(
                "deal",
                vec![
                    plain("A", Type::text()),
                    plain("STAGE", Type::one(Base::Stage)),
                    plain("Z", Type::text()),
                ],
            ),
        ],
        domains: [("KIND".to_owned(), domain(&["a", "b", "c"]))].into(),
        pipelines: vec![Pipeline {
            object: "deal".into(),
            code: "0".into(),
            name: "Sales".into(),
            stages: ["NEW", "MID", "WON"].iter().map(|code| stage(code)).collect(),
            ..Pipeline::default()
        }],
        users: (1..4)
            .map(|n| User { id: n.to_string(), email_hash: Some(format!("{n}")), active: true })
            .collect(),
        probed: Probed {
            day: None,
            answers: [("date".to_owned(), Answer::word("text")), ("value".to_owned(), Answer::Flag(true))]
                .into(),
        },
        ..Schema::default()
    }
}

/// One change of a schema, and the kind and place that tells it.
fn mutate(schema: &mut Schema, which: usize, at: usize) -> String {
    let object = at % schema.objects.len();
    let name = schema.objects[object].name.clone();
    let fields = &mut schema.objects[object].fields;
    // An object that has lost every field can only gain one.
    let which = if fields.is_empty() { 0 } else { which };
    let slot = at / 2 % fields.len().max(1);
    match which {
        0 => {
            let field = plain("NEW_FIELD", Type::maybe(Base::Enum("OTHER".into())));
            let place = fields.partition_point(|f| f.name < field.name);
            fields.insert(place, field);
            schema.domains.insert("OTHER".into(), domain(&["x"]));
            format!("field `{name}.NEW_FIELD` `title of NEW_FIELD` added")
        }
        1 => {
            let gone = fields.remove(slot);
            if gone.name == "KIND" {
                schema.domains.remove("KIND");
            }
            format!("field `{name}.{0}` `title of {0}` removed", gone.name)
        }
        2 => {
            let field = &mut fields[slot];
            let old = std::mem::replace(&mut field.ty, Type::one(Base::Money));
            let field = field.name.clone();
            if field == "KIND" {
                schema.domains.remove("KIND");
            }
            format!("field `{name}.{field}` `title of {field}` changed its type from `{old}` to `money`")
        }
        3 => {
            let choices = &mut schema.domains.get_mut("KIND").expect("the domain").choices;
            choices.insert(at % (choices.len() + 1), Choice { code: "new".into(), title: None });
            "value `new` of `KIND` added".to_owned()
        }
        4 => {
            let choices = &mut schema.domains.get_mut("KIND").expect("the domain").choices;
            let gone = choices.remove(at % choices.len());
            format!("value `{0}` of `KIND` `title of {0}` removed", gone.code)
        }
        5 => {
            let choices = &mut schema.domains.get_mut("KIND").expect("the domain").choices;
            let last = choices.len() - 1;
            let choice = &mut choices[last.min(at % 3)];
            choice.title = Some("another".into());
            format!("value `{0}` of `KIND` renamed from `title of {0}` to `another`", choice.code)
        }
        6 => {
            let stage = Stage { code: "PAUSE".into(), name: "On hold".into(), ends: None };
            let stages = &mut schema.pipelines[0].stages;
            stages.insert(at % (stages.len() + 1), stage);
            "stage `PAUSE` `On hold` of `deal` pipeline `0` added".to_owned()
        }
        7 => {
            let gone = schema.pipelines[0].stages.remove(at % 3);
            format!("stage `{0}` `name of {0}` of `deal` pipeline `0` removed", gone.code)
        }
        8 => {
            schema.users[at % 3].active = false;
            format!("user `{}` left", at % 3 + 1)
        }
        9 => {
            schema.users.push(User { id: "9".into(), email_hash: None, active: true });
            "user `9` added".to_owned()
        }
        10 => {
            schema.pipelines[0].stages.reverse();
            "pipeline `0` of `deal` `Sales`: stages stand in another order".to_owned()
        }
        11 => {
            let field = &mut schema.objects[object].fields[slot];
            field.required = true;
            format!("field `{name}.{0}` `title of {0}` is now required, and was not required", field.name)
        }
        12 => {
            let gone = schema.objects.remove(object).name;
            schema.pipelines.retain(|pipeline| pipeline.object != gone);
            if gone == "company" {
                schema.domains.clear();
            }
            format!("object `{gone}` removed")
        }
        14 => {
            schema.probed.answers.insert("value".to_owned(), Answer::Flag(false));
            "answer to `value` is `no`, and was `yes`".to_owned()
        }
        15 => {
            schema.probed.answers.remove("date");
            "answer to `date` removed".to_owned()
        }
        16 => {
            schema.probed.answers.insert("lag".to_owned(), Answer::Count(7));
            "answer to `lag` `7` added".to_owned()
        }
        _ => {
            schema.objects.push(Object {
                name: "zebra".into(),
                fields: vec![plain("KIND", Type::one(Base::Enum("STRIPES".into())))],
                ..Object::default()
            });
            schema.domains.insert("STRIPES".into(), domain(&["black", "white"]));
            let pipeline = Pipeline { object: "zebra".into(), code: "1".into(), ..Pipeline::default() };
            schema.pipelines.push(pipeline);
            "object `zebra` added".to_owned()
        }
    }
}

const MUTATIONS: usize = 17;

/// Everything but statistics.
fn bare(schema: &Schema) -> Schema {
    let mut schema = schema.clone();
    for object in &mut schema.objects {
        object.records = None;
        object.fields.iter_mut().for_each(|field| field.stats = None);
    }
    schema.pipelines.iter_mut().for_each(|pipeline| pipeline.records.clear());
    schema
}

proptest! {
    #[test]
    fn one_change_is_one_difference(which in 0..MUTATIONS, at in 0usize..12) {
        let old = small();
        let mut new = old.clone();
        let told = mutate(&mut new, which, at);
        let found: Vec<String> = differences(&old, &new).iter().map(ToString::to_string).collect();
        prop_assert_eq!(found, vec![told]);
    }

    #[test]
    fn all_differences_make_the_newer_schema(
        changes in proptest::collection::vec((0..MUTATIONS, 0usize..12), 0..6),
        backwards in any::<bool>(),
        order in any::<u64>(),
    ) {
        let one = small();
        let mut other = small();
        let mut seen = std::collections::BTreeSet::new();
        for (which, at) in changes {
            // Twice the same change, or a change of what is gone, is no change of a real system.
            let fits = matches!(which, 0 | 6 | 8 | 9 | 10 | 13..=16) || (which < 12 && seen.is_disjoint(&[1, 2, 4, 7, 12].into()));
            if fits && other.objects.len() >= 2 && seen.insert(which) {
                mutate(&mut other, which, at);
            }
        }
        let (old, new) = if backwards { (other, one) } else { (one, other) };
        let mut all = differences(&old, &new);
        let mut state = order;
        for at in (1..all.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            all.swap(at, (state >> 33) as usize % (at + 1));
        }
        // What is reordered is put in order at the end, when all of it is there.
        all.sort_by_key(|difference| difference.kind == Kind::Reordered);
        let mut made = old.clone();
        for difference in &all {
            difference.apply(&mut made, &new);
        }
        prop_assert_eq!(bare(&made), bare(&new), "{:?}", all);
    }

    #[test]
    fn a_schema_does_not_differ_from_itself(changes in proptest::collection::vec((0..MUTATIONS, 0usize..12), 0..2)) {
        let mut schema = small();
        for (which, at) in changes.into_iter().take(1) {
            mutate(&mut schema, which, at);
        }
        prop_assert_eq!(differences(&schema, &schema), vec![]);
    }
}

/// A new look at a system answers nothing, and takes no answer back.
#[test]
fn a_schema_without_answers_says_nothing_of_them() {
    let old = small();
    let new = Schema { probed: Probed::default(), ..small() };
    assert_eq!(differences(&old, &new), vec![]);
    assert_eq!(differences(&new, &old).len(), 2);
    assert_eq!(refreshed(&old, &new).probed, old.probed);
}

#[test]
fn statistics_alone_are_no_difference_and_are_taken_over() {
    let old = small();
    let mut new = small();
    new.objects[0].records = Some(99);
    new.objects[0].fields[0].stats = Some(Stats { filled: 98, ..Stats::default() });
    new.pipelines[0].records.insert("NEW".into(), 7);
    assert_eq!(differences(&old, &new), vec![]);
    assert_eq!(refreshed(&old, &new), new);
}
