use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use super::*;

fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[A-Z_]{1,8}", "[а-яё ]{1,6}", any::<String>(), Just("null".to_owned()), Just("0".to_owned())]
}

fn types() -> impl Strategy<Value = Type> {
    let base = prop_oneof![
        Just(Base::Text { max: None }),
        (1..500u32).prop_map(|max| Base::Text { max: Some(max) }),
        Just(Base::Bool),
        Just(Base::Money),
        Just(Base::Stage),
        Just(Base::User),
        Just(Base::AnyLink),
        name().prop_map(Base::Enum),
        name().prop_map(Base::Opaque),
    ];
    (base, any::<bool>(), any::<bool>()).prop_map(|(base, many, optional)| Type { base, many, optional })
}

fn field() -> impl Strategy<Value = Field> {
    let stats = (any::<u64>(), btree_map(name(), any::<u64>(), 0..4), option::of(any::<u32>()));
    (
        option::of(name()),
        types(),
        any::<(bool, bool)>(),
        option::of(name()),
        vec((name(), types()), 0..3),
        option::of(stats),
    )
        .prop_map(|(title, ty, (required, custom), hint, attributes, stats)| {
            let stats = stats.map(|(filled, values, longest)| {
                let values = if may_count_values(&ty) { values } else { BTreeMap::new() };
                Stats { filled, values, longest }
            });
            let attributes = attributes.into_iter().map(|(name, ty)| Attribute { name, ty }).collect();
            let write = hint.map_or(Write::Yes, |hint| Write::No { hint });
            Field { name: String::new(), title, ty, required, write, custom, attributes, stats }
        })
}

fn object() -> impl Strategy<Value = Object> {
    (
        option::of(name()),
        option::of(any::<u64>()),
        any::<bool>(),
        option::of(name()),
        vec(name(), 0..3),
        vec(name(), 0..3),
        btree_map(name(), field(), 0..4),
    )
        .prop_map(|(title, records, creatable, hint, custom_types, matchable, fields)| Object {
            name: String::new(),
            title,
            records,
            creatable,
            hint,
            custom_types,
            matchable,
            fields: fields.into_iter().map(|(name, field)| Field { name, ..field }).collect(),
        })
}

fn domain() -> impl Strategy<Value = Domain> {
    let choice = (name(), option::of(name())).prop_map(|(code, title)| Choice { code, title });
    (option::of(name()), vec(choice, 0..4), any::<bool>()).prop_map(|(title, choices, open)| Domain {
        title,
        choices,
        open,
    })
}

fn kind() -> impl Strategy<Value = OutcomeKind> {
    prop_oneof![Just(OutcomeKind::Won), Just(OutcomeKind::Lost), Just(OutcomeKind::Cancelled)]
}

fn pipeline() -> impl Strategy<Value = Pipeline> {
    let stage =
        (name(), name(), option::of(kind())).prop_map(|(code, name, ends)| Stage { code, name, ends });
    let outcome = (name(), name(), kind()).prop_map(|(code, name, kind)| Outcome { code, name, kind });
    (name(), name(), name(), vec(stage, 0..4), btree_map(name(), any::<u64>(), 0..3), vec(outcome, 0..3))
        .prop_map(|(object, code, name, stages, records, outcomes)| Pipeline {
            object,
            code,
            name,
            stages,
            records,
            outcomes,
        })
}

fn probed() -> impl Strategy<Value = Probed> {
    let answer = prop_oneof![
        any::<bool>().prop_map(Answer::Flag),
        any::<u64>().prop_map(Answer::Count),
        name().prop_map(Answer::Word),
        Just(Answer::word("true")),
        Just(Answer::word("12")),
    ];
    let day = option::of((1..9999i16, 1..=12i8, 1..=28i8));
    (day, btree_map(name(), answer, 0..4))
        .prop_map(|(day, answers)| Probed { day: day.map(|(y, m, d)| jiff::civil::date(y, m, d)), answers })
}

pub(in crate::lang::schema) fn schemas() -> impl Strategy<Value = Schema> {
    (
        (name(), name(), name(), option::of((1..9999i16, 1..=12i8, 1..=28i8)), name()),
        btree_map(name(), object(), 0..3),
        btree_map(name(), domain(), 0..3),
        vec(pipeline(), 0..3),
        btree_map(name(), (option::of("[0-9a-f]{16}|[0-9]{4}"), any::<bool>()), 0..3),
        probed(),
    )
        .prop_map(
            |((connector, account, account_name, day, salt), objects, domains, pipelines, users, probed)| {
                Schema {
                    connector,
                    account,
                    account_name,
                    taken: day.map(|(y, m, d)| jiff::civil::date(y, m, d)),
                    salt,
                    objects: objects.into_iter().map(|(name, object)| Object { name, ..object }).collect(),
                    domains,
                    pipelines,
                    users: users
                        .into_iter()
                        .map(|(id, (email_hash, active))| User { id, email_hash, active })
                        .collect(),
                    probed,
                }
            },
        )
}

/// The same tree in another dress: on one line, its maps in another order.
fn flow(node: &Node, turn: usize) -> String {
    match &node.kind {
        Kind::Map(entries) => {
            let mut rows: Vec<String> = entries
                .iter()
                .map(|(key, node)| format!("? {} : {}", scalar(&key.text), flow(node, turn)))
                .collect();
            let by = turn % rows.len().max(1);
            rows.rotate_left(by);
            format!("{{{}}}", rows.join(", "))
        }
        Kind::List(nodes) => {
            format!("[{}]", nodes.iter().map(|node| flow(node, turn)).collect::<Vec<_>>().join(", "))
        }
        Kind::Text(text) => scalar(text),
        Kind::Count(count) => count.to_string(),
        Kind::Bool(flag) => flag.to_string(),
        Kind::Null | Kind::OtherNumber => "null".to_owned(),
    }
}

fn source(text: &str) -> SourceText {
    SourceText::new("schema/bitrix24.yaml", text)
}

proptest! {
    #[test]
    fn what_is_written_is_read(schema in schemas()) {
        let text = write(&schema);
        let read = read(&source(&text)).map_err(|f| TestCaseError::fail(format!("{f:?}\n{text}")))?;
        prop_assert_eq!(&read, &schema, "{}", text);
        prop_assert_eq!(write(&read), text);
    }

    #[test]
    fn dress_and_order_change_nothing(schema in schemas(), turn in 0..7usize) {
        let plain = source(&write(&schema));
        let tree = parse(&plain).map_err(|f| TestCaseError::fail(format!("{f:?}")))?;
        let text = flow(&tree, turn);
        let other = read(&source(&text)).map_err(|f| TestCaseError::fail(format!("{f:?}\n{text}")))?;
        prop_assert_eq!(&other, &schema);
        prop_assert_eq!(other.hash(), schema.hash());
        let windows = source(&plain.text().replace('\n', "\r\n"));
        prop_assert_eq!(read(&windows), Ok(schema));
    }

    #[test]
    fn only_lasting_facts_change_the_hash(schema in schemas(), other in schemas()) {
        let mut bare = schema.clone();
        bare.taken = other.taken;
        bare.salt = other.salt.clone();
        for object in &mut bare.objects {
            object.records = Some(7);
            for field in &mut object.fields {
                field.stats = None;
            }
        }
        for pipeline in &mut bare.pipelines {
            pipeline.records.clear();
        }
        for user in &mut bare.users {
            user.email_hash = None;
        }
        prop_assert_eq!(bare.hash(), schema.hash());
        let strip = |schema: &Schema| {
            let mut schema = schema.clone();
            for object in &mut schema.objects {
                object.records = None;
                object.fields.iter_mut().for_each(|field| field.stats = None);
            }
            schema.pipelines.iter_mut().for_each(|pipeline| pipeline.records.clear());
            schema.users.iter_mut().for_each(|user| user.email_hash = None);
            (schema.salt, schema.taken) = (String::new(), None);
            schema
        };
        let equal = write(&strip(&schema)).replace("\\r\\n", "\\n") == write(&strip(&other)).replace("\\r\\n", "\\n");
        prop_assert_eq!(schema.hash() == other.hash(), equal);
    }

    #[test]
    fn a_damaged_snapshot_gives_findings_inside_the_file(schema in schemas(), cuts in vec(any::<prop::sample::Index>(), 1..4), by in "[-: \\[{\"\n*&?0]?") {
        let mut text = write(&schema);
        for cut in cuts {
            let at = cut.index(text.len());
            if text.is_char_boundary(at) {
                match text[at..].chars().next() {
                    Some(c) => text.replace_range(at..at + c.len_utf8(), &by),
                    None => text.push_str(&by),
                }
            }
        }
        let text = source(&text);
        if let Err(findings) = read(&text) {
            prop_assert!(!findings.is_empty());
            for finding in findings {
                let span = finding.label.map(|label| label.span).unwrap_or_default();
                prop_assert!(text.text().get(span.range()).is_some());
            }
        }
    }
}

fn sample() -> Schema {
    let field = |name: &str, ty: &str| Field {
        name: name.into(),
        title: None,
        ty: ty.parse().unwrap(),
        required: false,
        write: Write::Yes,
        custom: false,
        attributes: Vec::new(),
        stats: None,
    };
    let counts = |pairs: &[(&str, u64)]| pairs.iter().map(|(k, n)| ((*k).to_owned(), *n)).collect();
    let stage = |code: &str, name: &str, ends| Stage { code: code.into(), name: name.into(), ends };
    let title = Field { required: true, ..field("TITLE", "text(255)") };
    let title =
        Field { stats: Some(Stats { filled: 48_210, longest: Some(80), ..Stats::default() }), ..title };
    let source_id = Field { title: Some("Источник".into()), ..field("SOURCE_ID", "enum(SOURCE)?") };
    let values = counts(&[("CALL", 120), ("1", 3)]);
    let source_id = Field { stats: Some(Stats { filled: 123, values, longest: None }), ..source_id };
    let phone = Attribute { name: "VALUE_TYPE".into(), ty: "enum(PHONE_TYPE)".parse().unwrap() };
    let phone = Field { attributes: vec![phone], ..field("PHONE", "[text]?") };
    let created = Write::No { hint: "set by the system".into() };
    Schema {
        probed: Probed::default(),
        connector: "bitrix24".into(),
        account: "acme.bitrix24.com".into(),
        account_name: "ООО «Ромашка»".into(),
        taken: Some(jiff::civil::date(2026, 11, 19)),
        salt: "5f3a".into(),
        objects: vec![Object {
            name: "deal".into(),
            title: Some("Сделка".into()),
            records: Some(48_210),
            matchable: vec!["TITLE".into()],
            fields: vec![
                Field { write: created, ..field("DATE_CREATE", "datetime") },
                phone,
                source_id,
                title,
            ],
            ..Object::default()
        }],
        domains: [(
            "SOURCE".to_owned(),
            Domain {
                title: Some("Источники".into()),
                choices: vec![
                    Choice { code: "CALL".into(), title: Some("Звонок".into()) },
                    Choice { code: "1".into(), title: Some("Да: сайт".into()) },
                    Choice { code: "Trade show".into(), title: None },
                ],
                open: true,
            },
        )]
        .into(),
        pipelines: vec![Pipeline {
            object: "deal".into(),
            code: "0".into(),
            name: "Продажи".into(),
            stages: vec![stage("NEW", "Новая", None), stage("WON", "Успех", Some(OutcomeKind::Won))],
            records: counts(&[("NEW", 12)]),
            outcomes: vec![Outcome { code: "3".into(), name: "Lost".into(), kind: OutcomeKind::Lost }],
        }],
        users: vec![User { id: "1".into(), email_hash: Some("0123456789012345".into()), active: true }],
    }
}

#[test]
fn a_snapshot_reads_well() {
    insta::assert_snapshot!(write(&sample()), @r##"
    # made by `b2n snapshot bitrix24`; take it again instead of editing it
    format: b2n-snapshot/1
    connector: bitrix24
    account: acme.bitrix24.com
    account_name: "ООО «Ромашка»"
    taken: 2026-11-19
    salt: "5f3a"
    objects:
      deal:
        title: Сделка
        records: 48210
        creatable: false
        matchable: [TITLE]
        fields:
          DATE_CREATE:
            type: datetime
            read_only: set by the system
          PHONE:
            type: "[text]?"
            attributes:
              - VALUE_TYPE: enum(PHONE_TYPE)
          SOURCE_ID:
            type: enum(SOURCE)?
            title: Источник
            stats:
              filled: 123
              values:
                "1": 3
                CALL: 120
          TITLE:
            type: text(255)
            required: true
            stats: { filled: 48210, longest: 80 }
    domains:
      SOURCE:
        title: Источники
        open: true
        choices:
          - CALL: Звонок
          - "1": "Да: сайт"
          - Trade show
    pipelines:
      - object: deal
        code: "0"
        name: Продажи
        stages:
          - NEW: Новая
          - WON: { name: Успех, ends: won }
        records:
          NEW: 12
        outcomes:
          - "3": { name: Lost, kind: lost }
    users:
      "1": { email: "0123456789012345", active: true }
    "##);
}

fn told(text: &str) -> Vec<String> {
    let text = source(text);
    read(&text)
        .unwrap_err()
        .into_iter()
        .map(|finding| {
            let span = finding.label.map(|label| label.span).unwrap_or_default();
            let position = text.position(span.start);
            format!(
                "{}:{} `{}` {} / {}",
                position.line,
                position.column,
                text.slice(span),
                finding.message,
                finding.help.unwrap_or_default()
            )
        })
        .collect()
}

#[test]
fn what_is_wrong_is_told_all_at_once_with_its_place() {
    let text = r#"format: b2n-snapshot/1
connector: bitrix24
acount: acme
taken: yesterday
objects:
  deal:
    records: -1
    fields:
      TITLE:
        type: txt
        requird: true
      COMMENTS:
        type: text?
        stats: { filled: 3, values: { secret: 1 } }
      ID: {}
domains:
  SOURCE:
    choices:
      - CALL: 1
      - 2024
pipelines:
  - object: deal
    code: 0
    name: Sales
    stages:
      - NEW: { name: New, ends: maybe }
users:
  "1": { email: x }
"#;
    insta::assert_snapshot!(told(text).join("\n"), @r##"
    1:1 `format` key `account` is missing / add `account`, or take the snapshot again
    3:1 `acount` there is no key `acount` here / the nearest key that this version knows is `account`
    4:8 `yesterday` `yesterday` is not a day / write it as `2027-01-31`
    7:14 `-1` a whole number from 0 is expected here, but this is a number / mend it, or take the snapshot again
    10:15 `txt` there is no type `txt`; the nearest is `text` / write a type as specs do, such as `text(100)`, `"[phone]"`, `enum(SOURCE)?`
    11:9 `requird` there is no key `requird` here / the nearest key that this version knows is `required`
    14:37 `{` a field of type `text?` has no `values`: only enumerated fields are counted by value / remove `values`; it may hold personal data
    15:7 `ID` field `ID` has no `type` / write a type as specs do, such as `text(100)`, `"[phone]"`, `enum(SOURCE)?`
    19:15 `1` a text is expected here, but this is a number / put it in double quotes
    20:9 `2024` a text is expected here, but this is a number / put it in double quotes
    23:11 `0` a text is expected here, but this is a number / put it in double quotes
    26:33 `maybe` `maybe` is no way to end / write `won`, `lost` or `cancelled`
    28:3 `"1"` user `1` does not say `active` / add `active: true`
    "##);
}

#[test]
fn another_format_is_told_apart_from_another_file() {
    insta::assert_snapshot!(
        [
            told("format: b2n-snapshot/7\nwhatever: 1\n"),
            told("format: 3\n"),
            told("version: 3\n"),
            told(""),
            told("- a\n"),
        ]
        .concat()
        .join("\n"),
        @r##"
        1:9 `b2n-snapshot/7` the file has format `b2n-snapshot/7`, made by a b2n that writes version 7 of it; this one reads `b2n-snapshot/1` / take it again with this version, or use the b2n that made it
        1:9 `3` `b2n-snapshot/1` is expected here, but this is a number / mend it, or take the snapshot again
        1:1 `version` the file does not say `format: b2n-snapshot/1` / check the path: this may be another file
        1:1 `` the file does not say `format: b2n-snapshot/1` / check the path: this may be another file
        1:1 `- a` the file does not say `format: b2n-snapshot/1` / check the path: this may be another file
        "##
    );
}

#[test]
fn a_histogram_of_free_text_is_never_written() {
    let mut schema = sample();
    for field in &mut schema.objects[0].fields {
        field.stats = Some(Stats { filled: 1, values: [("secret".to_owned(), 1)].into(), longest: None });
    }
    let text = write(&schema);
    assert_eq!(text.matches("secret").count(), 1, "only in the enumerated field");
    assert!(read(&source(&text)).is_ok());
}
