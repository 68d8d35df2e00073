use serde_json::json;

use super::super::testing::sample;
use super::*;
use crate::lang::types::Type;
use crate::lang::value::{Currency, Instant, Item, Money, OutcomeKind, PersonName, StageValue};

fn normaliser(object: &str, fields: &[(&str, bool, Type)]) -> Normaliser {
    let target = |(name, custom, ty): &(&str, bool, Type)| plan::Target {
        name: (*name).to_owned(),
        custom: *custom,
        ty: ty.clone(),
    };
    Normaliser::new(&plan::Map {
        target: object.to_owned(),
        targets: fields.iter().map(target).collect(),
        ..plan::Map::default()
    })
}

fn stored(body: Json) -> Stored {
    Stored { id: "1".to_owned(), rev: "0".to_owned(), marker: Some("a/b/1".to_owned()), body }
}

/// Both sides of one field, as texts.
fn both(
    object: &str,
    name: &str,
    custom: bool,
    ty: Type,
    value: &Value,
    body: Json,
) -> (Vec<String>, Vec<String>) {
    let normaliser = normaliser(object, &[(name, custom, ty)]);
    let loose = |normal: Normal| normal.elements.into_iter().map(|element| element.loose).collect();
    let found = normaliser.found(0, &stored(body)).expect("is told");
    (loose(normaliser.planned(0, value)), loose(found))
}

fn usd(amount: &str) -> Value {
    let amount = amount.parse().expect("a number");
    Value::Money(Money { amount, currency: Currency::parse("USD").expect("a currency") })
}

#[test]
fn what_was_written_and_what_comes_back_are_the_same() {
    let text = || Type::maybe(Base::Text { max: None });
    let many = |base: Base| Type { base, many: true, optional: true };
    let label =
        |value: Value, label: &str| Value::Item(Box::new(Item { value, attrs: vec![Value::text(label)] }));
    let at = Value::Instant(Instant::parse("2024-08-30T18:00:00+03:00").expect("an instant"));
    let name = PersonName { given: "Anna".into(), family: "Petrova".into() };
    let day = Value::Date("2024-08-30".parse().expect("a day"));
    let cases: Vec<(&str, &str, bool, Type, Value, Json)> = vec![
        (
            "Lead",
            "description",
            false,
            text(),
            Value::text("Pumps \r\nand more "),
            json!({"description": "Pumps \nand more"}),
        ),
        (
            "Lead",
            "value",
            false,
            Type::maybe(Base::Money),
            usd("1500.00"),
            json!({"value": {"currency": "USD", "amount": 1500}}),
        ),
        (
            "Lead",
            "dueTime",
            false,
            Type::maybe(Base::DateTime),
            at,
            json!({"dueTime": "2024-08-30T15:00:00+0000"}),
        ),
        (
            "Lead",
            "owner",
            false,
            Type::maybe(Base::User),
            Value::text("17"),
            json!({"assignee": {"id": 17, "entityType": "Users"}}),
        ),
        (
            "Lead",
            "market",
            false,
            text(),
            Value::text("Europe"),
            json!({"market": {"id": 3, "name": "Europe"}}),
        ),
        (
            "Lead",
            "accounts",
            false,
            many(Base::Ref("Account".into())),
            Value::list(vec![Value::text("3"), Value::text("7")]),
            json!({"primaryAccount": {"id": 3}, "accounts": [{"id": "7-accounts"}]}),
        ),
        (
            "Contact",
            "name",
            false,
            Type::one(Base::PersonName),
            Value::Name(Box::new(name)),
            json!({"name": {"givenName": "Anna", "familyName": "Petrova", "displayName": "x"}}),
        ),
        (
            "Contact",
            "phone",
            false,
            many(Base::Phone),
            Value::list(vec![label(Value::text("+16502530000;ext=12"), "work")]),
            json!({"phone": {"work": {"E164": "+16502530000", "number": "650-253-0000", "extension": "12"}, "--primary": {"E164": "+16502530000", "extension": "12"}}}),
        ),
        (
            "Account",
            "url",
            false,
            many(Base::Url),
            Value::list(vec![Value::text("https://www.acme.example/")]),
            json!({"url": {"0": "http://acme.example"}}),
        ),
        (
            "Account",
            "Contract date",
            true,
            Type::maybe(Base::Date),
            day,
            json!({"customFields": {"Contract date": {"timestamp": 1_724_976_000}}}),
        ),
        (
            "Account",
            "Volume",
            true,
            Type::maybe(Base::Money),
            usd("5"),
            json!({"customFields": {"Volume": {"currency": "USD", "amount": "5.00"}}}),
        ),
        (
            "Account",
            "Interests",
            true,
            many(Base::Enum("x".into())),
            Value::list(vec![Value::text("Pumps"), Value::text("Service, all")]),
            json!({"customFields": {"Interests": "Pumps, Service, all"}}),
        ),
        (
            "Task",
            "entity",
            false,
            Type::maybe(Base::AnyRef(vec![])),
            Value::text("Contact/17"),
            json!({"entity": {"id": 17, "entityType": "Contacts"}}),
        ),
        ("Note", "parent", false, text(), Value::text("Lead/9"), json!({"links": {"parent": "9-leads"}})),
        (
            "Note",
            "parent",
            false,
            text(),
            Value::text("Lead/9"),
            json!({"lead": {"id": 9, "entityType": "Leads"}}),
        ),
        (
            "Note",
            "body",
            false,
            text(),
            Value::text("call @[Users:1]"),
            json!({"noteMarkup": "call \\@[Users:1]\n\n[Bitrix24 a/b/1]"}),
        ),
        ("Activity", "status", false, Type::maybe(Base::Integer), Value::Int(0), json!({"status": -1})),
        (
            "Email",
            "html",
            false,
            text(),
            Value::text("<p>Dear&nbsp;Hank,</p><br>3 < 4 &amp; more"),
            json!({"bodyHtml": "<html><p>Dear Hank,\n</p>3 &lt; 4 &amp; more\n<p>[Bitrix24 a/b/1]</p></html>"}),
        ),
        (
            "Email",
            "participants",
            false,
            many(Base::Email),
            Value::list(vec![Value::text("Hank@globex.example"), Value::text("ann@acme.example")]),
            json!({"to": ["Ann <ann@acme.example>"], "from": ["\"S., H.\" <hank@globex.example>"], "cc": []}),
        ),
        ("Product", "type", false, text(), Value::text("service"), json!({"type": "1"})),
        (
            "Product",
            "description",
            false,
            text(),
            Value::text("steel"),
            json!({"description": "steel\n\n[Bitrix24 a/b/1]"}),
        ),
    ];
    for (object, name, custom, ty, value, body) in cases {
        let (planned, found) = both(object, name, custom, ty, &value, body.clone());
        assert!(!planned.is_empty(), "{object}.{name}");
        assert_eq!(planned, found, "{object}.{name} of {body}");
    }
}

#[test]
fn what_is_not_the_same_is_told_apart() {
    let text = || Type::maybe(Base::Text { max: None });
    for (object, name, ty, value, body) in [
        ("Lead", "description", text(), Value::text("Pumps"), json!({"description": "Pump"})),
        (
            "Lead",
            "value",
            Type::maybe(Base::Money),
            usd("15"),
            json!({"value": {"currency": "EUR", "amount": 15}}),
        ),
        (
            "Lead",
            "value",
            Type::maybe(Base::Money),
            usd("15"),
            json!({"value": {"currency": "USD", "amount": 15.01}}),
        ),
        (
            "Lead",
            "owner",
            Type::maybe(Base::User),
            Value::text("1"),
            json!({"assignee": {"id": 1, "entityType": "Teams"}}),
        ),
        ("Account", "url", text(), Value::text("acme.example/A"), json!({"url": ["acme.example/a"]})),
        (
            "Account",
            "phone",
            text(),
            Value::text("+16502530000"),
            json!({"phone": [{"E164": "+16502530001"}]}),
        ),
    ] {
        let (planned, found) = both(object, name, false, ty, &value, body.clone());
        assert_ne!(planned, found, "{object}.{name} of {body}");
    }
    let stage = StageValue {
        pipeline: "Sales".to_owned(),
        stage: None,
        outcome: Some((OutcomeKind::Won, "Signed".to_owned())),
    };
    let lead = normaliser("Lead", &[("stage", false, Type::one(Base::Stage))]);
    let planned = lead.planned(0, &Value::Stage(Box::new(stage)));
    let body = |status: i64| {
        stored(json!({"stageset": {"name": "Sales"}, "milestone": {"name": "Contract"}, "status": status,
            "outcome": {"description": "Signed"}}))
    };
    assert_eq!(lead.found(0, &body(10)), Some(planned.clone()));
    assert_ne!(lead.found(0, &body(11)), Some(planned.clone()), "lost for the same reason is not won");
    assert_ne!(lead.found(0, &body(0)), Some(planned), "open is not won");
    // Where the reason is not told, the rest is compared, and it is said that not all is told.
    let mut silent = body(10);
    silent.body.as_object_mut().expect("a record").shift_remove("outcome");
    let silent = lead.found(0, &silent).expect("is told");
    assert!(silent.only_begun && silent.elements[0].exact == "Sales / won", "{silent:?}");
}

/// Of an e-mail nobody knows what the API shows: what it does not is not compared, and what it does is.
#[test]
fn an_email_is_compared_as_far_as_it_is_shown() {
    let text = || Type::maybe(Base::Text { max: None });
    let fields =
        [("date", false, Type::one(Base::DateTime)), ("body", false, text()), ("direction", false, text())];
    let email = normaliser("Email", &fields);
    let hidden = stored(json!({"id": 1, "sentTime": null}));
    assert!((0..3).all(|field| email.found(field, &hidden).is_none()));
    let shown = stored(
        json!({"sentTime": "2024-03-05T07:00:00+0000", "createdTime": "2026-11-21T10:00:00+0000", "body": "x"}),
    );
    assert!(
        email.found(0, &shown).is_some() && email.found(1, &shown).is_some() && !email.worked_out(0, &shown)
    );
    let arrival = stored(json!({"sentTime": 1_795_262_400, "createdTime": 1_795_262_401}));
    assert!(email.worked_out(0, &arrival) && !email.worked_out(1, &arrival));
}

#[test]
fn the_author_is_never_taken_for_compared() {
    let note = normaliser("Note", &[("author", false, Type::maybe(Base::User))]);
    assert_eq!(note.found(0, &stored(json!({"user": {"id": 1}}))), None);
    assert!(note.imprinted(0).is_empty());
}

#[test]
fn the_live_lead_is_read() {
    let Some(body) = sample("rpc.findLeads.full.json") else { return };
    let fields = [
        ("stage", false, Type::one(Base::Stage)),
        ("contacts", false, Type { base: Base::Ref("Contact".into()), many: true, optional: true }),
        ("value", false, Type::maybe(Base::Money)),
    ];
    let lead = normaliser("Lead", &fields);
    let record = stored(body["result"][0].clone());
    let contacts = lead.found(1, &record).expect("is told");
    let contact = contacts.elements.iter().find(|contact| contact.exact == "93059").expect("the contact");
    assert_eq!(contact.label.as_deref(), Some("Senior Manager"));
    assert!(!lead.found(0, &record).expect("is told").is_empty(), "the stage");
}

/// The encoder and this reader meet in the record only.
#[test]
fn nothing_is_shared_with_the_encoder() {
    let own = [include_str!("found.rs"), include_str!("planned.rs")];
    let all = [own[0], own[1], include_str!("mod.rs")];
    for text in all {
        assert!(!text.contains("connect::nutshell"), "a path into the connector");
    }
    for text in own {
        assert!(!text.contains("super::super"), "a path into the connector");
    }
    assert!(!all[2].contains("super::"), "a path into the connector");
}
