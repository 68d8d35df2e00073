//! Encoding against the documented requests, without a server.

mod again;
mod agenda;

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::super::directory::{FieldRow, Market, Named, OutcomeRow, Stageset, UserRow};
use super::super::schema::schema;
use super::super::testing::sample;
use super::*;
use crate::lang::types::Type;
use crate::lang::value::{Currency, Item, Money, OutcomeKind, PersonName};
use crate::run::connect::Account;

const MARKER: &str = "Bitrix24 key";

fn named(id: &str, name: &str) -> Named {
    Named { id: id.to_owned(), name: name.to_owned() }
}

fn field(name: &str, word: &str, choices: &[&str], many: bool) -> FieldRow {
    let choices = choices.iter().map(|choice| (*choice).to_owned()).collect();
    FieldRow { name: name.to_owned(), word: word.to_owned(), choices, many }
}

fn directory() -> Directory {
    let market = |id: &str, name: &str, currency: &str, default| Market {
        id: id.to_owned(),
        name: name.to_owned(),
        currency: Some(currency.to_owned()),
        default,
    };
    let fields = vec![
        field(MARKER, "Text", &[], false),
        field("Segment", "Decision", &["A", "B, C"], false),
        field("Interests", "Decision", &["X", "Y", "B, C"], true),
        field("Budget", "Currency", &[], false),
        field("Delivery date", "Date", &[], false),
        field("Odd", "Hologram", &[], false),
    ];
    Directory {
        industries: vec![named("1", "Medicine")],
        activity_types: vec![named("1", "Phone call"), named("2", "Meeting")],
        sources: vec![named("2", "Fair")],
        tags: BTreeMap::from([(Kind::Lead, vec!["Type: New B2B".to_owned()])]),
        markets: vec![market("1", "US", "USD", true), market("2", "Europe", "EUR", false)],
        stagesets: vec![Stageset {
            id: "71".to_owned(),
            name: "Sales".to_owned(),
            stages: vec![named("327", "New"), named("335", "Consult")],
        }],
        outcomes: vec![OutcomeRow {
            id: "5".to_owned(),
            rev: Some("1".to_owned()),
            name: "Signed".to_owned(),
            kind: OutcomeKind::Won,
        }],
        users: vec![
            UserRow { id: "59".to_owned(), email: None, name: None, active: true },
            UserRow { id: "60".to_owned(), email: None, name: None, active: false },
        ],
        teams: vec![named("7", "Blue")],
        fields: Kind::ALL.into_iter().map(|kind| (kind, fields.clone())).collect(),
        ..Directory::default()
    }
}

fn encoder(object: &str, targets: &[&str]) -> Encoder {
    try_encoder(object, targets, MARKER).expect("an encoder")
}

fn try_encoder(object: &str, targets: &[&str], marker: &str) -> Result<Encoder, FieldError> {
    let directory = Rc::new(directory());
    let account = Account { id: "1".to_owned(), name: "Acme".to_owned() };
    let live = schema(&directory, &account, None, "salt");
    let found = live.object(object).expect("the object");
    let targets = targets.iter().map(|name| {
        let field = found.field(name);
        plan::Target {
            name: (*name).to_owned(),
            custom: field.is_none_or(|field| field.custom),
            ty: field.map_or_else(Type::text, |field| field.ty.clone()),
        }
    });
    let map = plan::Map {
        name: "m".to_owned(),
        source: "deal".to_owned(),
        target: object.to_owned(),
        targets: targets.collect(),
        line: 1,
        ..plan::Map::default()
    };
    Encoder::new(directory, &Rc::default(), &live, &map, marker)
}

fn item(value: &str, label: &str) -> Value {
    Value::Item(Box::new(Item { value: Value::text(value), attrs: vec![Value::text(label)] }))
}

fn money(amount: &str, currency: &str) -> Value {
    let currency = Currency::parse(currency).expect("a currency");
    Value::Money(Money { amount: amount.parse().expect("a number"), currency })
}

fn stage(stage: Option<&str>, outcome: Option<&str>) -> Value {
    Value::Stage(Box::new(StageValue {
        pipeline: "Sales".to_owned(),
        stage: stage.map(str::to_owned),
        outcome: outcome.map(|name| (OutcomeKind::Won, name.to_owned())),
    }))
}

/// Every key of a documented request must be sent in the same form; `entityType` may come on top.
fn covers(sent: &Json, documented: &Json, at: &str) {
    match (sent, documented) {
        (Json::Object(sent), Json::Object(documented)) => {
            for (key, value) in documented {
                covers(sent.get(key).unwrap_or(&Json::Null), value, &format!("{at}.{key}"));
            }
            let extra: Vec<&String> =
                sent.keys().filter(|key| !documented.contains_key(*key) && *key != "entityType").collect();
            assert!(extra.is_empty() || at.is_empty(), "{at} also has {extra:?}");
        }
        (Json::Array(sent), Json::Array(documented)) => {
            assert_eq!(sent.len(), documented.len(), "{at}");
            for (sent, documented) in sent.iter().zip(documented) {
                covers(sent, documented, &format!("{at}[]"));
            }
        }
        _ => assert_eq!(sent, documented, "{at}"),
    }
}

fn sent(encoder: &Encoder, values: &[Value]) -> Json {
    let mut fields = encoder.encode("acme/deal/7", values).expect("encoded").create.fields;
    let marker = fields.get_mut("customFields").and_then(|fields| fields.as_object_mut()?.remove(MARKER));
    assert_eq!(marker, Some(json!("acme/deal/7")), "the marker is always sent");
    Json::Object(fields)
}

#[test]
fn payloads_have_the_documented_forms() {
    let Some(mut request) = sample("rpc.newContact.request.json") else { return };
    let contact = encoder("Contact", &["name", "phone", "email"]);
    let values = [
        Value::text("Joan Smith"),
        Value::List(vec![Value::text("734-555-9090"), item("734-555-6711", "cell")]),
        Value::List(vec![Value::text("jsmith@example.com"), item("jsmith@att.blackberry.com", "blackberry")]),
    ];
    covers(&sent(&contact, &values), &request["params"]["contact"].take(), "");

    let Some(mut request) = sample("rpc.newAccount.request.json") else { return };
    let account = encoder("Account", &["name", "industry", "url", "phone", "address"]);
    let mut documented = request["params"]["account"].take();
    documented.as_object_mut().expect("an object").remove("contacts");
    let address = crate::lang::value::Address {
        line1: "220 Depot St".into(),
        city: "Ann Arbor".into(),
        region: "MI".into(),
        postal_code: "48104".into(),
        ..Default::default()
    };
    let office = Item { value: Value::Address(Box::new(address)), attrs: vec![Value::text("office")] };
    let values = [
        Value::text("Arbor Medical LLC"),
        Value::text("Medicine"),
        Value::List(vec![Value::text("http://example.com"), Value::text("http://suppliers.example.com")]),
        Value::text("734-234-9990"),
        Value::Item(Box::new(office)),
    ];
    covers(&sent(&account, &values), &documented, "");

    let Some(mut request) = sample("rpc.newLead.request.pipeline.json") else { return };
    let lead = encoder(
        "Lead",
        &["description", "owner", "contacts", "accounts", "tags", "stage", "sources", "Segment"],
    );
    let mut documented = request["params"]["lead"].take();
    documented["customFields"] = json!({"Segment": "A"});
    let values = [
        Value::text("Acme renewal"),
        Value::text("59"),
        Value::text("17"),
        Value::text("42"),
        Value::text("Type: New B2B"),
        stage(Some("Consult"), None),
        Value::text("Fair"),
        Value::text("A"),
    ];
    let payload = sent(&lead, &values);
    covers(&payload, &documented, "");
    assert_eq!(payload["primaryAccount"]["id"], 42);

    let Some(mut request) = sample("rpc.editLead.close.request.json") else { return };
    let closed = encoder("Lead", &["stage"]).encode("m", &[stage(None, Some("Signed"))]).expect("encoded");
    covers(&Json::Object(closed.then[0].fields.clone()), &request["params"]["lead"].take(), "");
    assert_eq!(closed.create.fields["milestoneId"], 327);

    let Some(request) = sample("rpc.editLead.customFields.request.json") else { return };
    let documented = &request["params"]["lead"]["customFields"];
    let lead = encoder("Lead", &["Segment", "Budget", "Delivery date"]);
    let values = [Value::text("A"), money("500", "USD"), Value::Date("2025-08-27".parse().expect("a date"))];
    let customs = &sent(&lead, &values)["customFields"];
    assert_eq!((&customs["Segment"], &customs["Budget"]), (&documented["Segment"], &documented["Budget"]));
    let second = documented["Delivery date"]["timestamp"].as_i64().expect("a number");
    assert_eq!(customs["Delivery date"], json!({"timestamp": second - second % 86_400}));
}

#[test]
fn values_that_do_not_fit_are_told() {
    let why = |object: &str, name: &str, value: Value| {
        let error = encoder(object, &[name]).encode("m", &[value]).expect_err("no fit");
        assert_eq!(error.field, name);
        error.why
    };
    let text = |text: &str| Value::text(text);
    assert!(why("Lead", "description", text(&"ж".repeat(101))).contains("101 characters"));
    assert!(why("Lead", "tags", text("Unheard of")).contains("no choice `Unheard of`"));
    assert!(why("Lead", "sources", text("Unheard of")).contains("no choice"));
    assert!(why("Lead", "market", text("Mars")).contains("no choice"));
    assert!(why("Account", "industry", text("Alchemy")).contains("no choice"));
    assert!(why("Lead", "Segment", text("C")).contains("no choice"));
    assert!(why("Lead", "owner", text("60")).contains("not active"));
    assert!(why("Lead", "owner", text("61")).contains("no user 61"));
    assert!(
        why("Lead", "owner", text("8-teams")).contains("a team can own records"),
        "there is no such team"
    );
    assert!(why("Email", "mailbox", text("7-teams")).contains("a team can own records"));
    assert!(why("Lead", "confidence", Value::Int(101)).contains("between 0 and 100"));
    assert!(why("Lead", "dueTime", text("tomorrow")).contains("takes an instant"));
    assert!(why("Lead", "Budget", text("500")).contains("an amount"));
    assert!(why("Lead", "stage", stage(Some("Nowhere"), None)).contains("no stage `Nowhere`"));
    assert!(why("Lead", "stage", stage(None, Some("Nothing"))).contains("no outcome `Nothing`"));
    assert!(
        why("Lead", "value", money("5", "EUR")).contains("`US`, whose currency is USD"),
        "the default market"
    );
    let lead = encoder("Lead", &["market", "value"]);
    assert!(lead.encode("m", &[text("Europe"), money("5", "EUR")]).is_ok());
    assert!(lead.encode("m", &[text("Europe"), money("5", "USD")]).is_err());
    let whole = encoder("Lead", &["description"]);
    assert!(whole.encode("m", &[text(&"ж".repeat(100))]).is_ok(), "characters, not bytes");
}

#[test]
fn fields_that_cannot_be_written_are_told_at_once() {
    for (name, expected) in [
        ("number", "made by Nutshell"),
        ("createdTime", "custom field"),
        ("name", "the title is `description`"),
        ("Nonsense", "does not have"),
        ("Odd", "not known"),
    ] {
        let error = try_encoder("Lead", &[name], MARKER).err().expect("refused");
        assert!(error.why.contains(expected), "{error}");
    }
    assert!(try_encoder("Lead", &["description"], "Other key").is_err(), "the marker field must be there");
}

#[test]
fn names_go_in_parts_and_countries_as_codes() {
    let contact = encoder("Contact", &["name", "address"]);
    let person = PersonName { given: "Anna Maria".into(), family: String::new().into() };
    let address =
        crate::lang::value::Address {
            country: "Россия".into(), city: "Омск".into(), ..Default::default()
        };
    let payload = sent(&contact, &[Value::Name(Box::new(person)), Value::Address(Box::new(address))]);
    assert_eq!(payload["name"], json!({"givenName": "Anna Maria", "familyName": null}));
    assert_eq!(payload["address"], json!([{"city": "Омск", "address_3": "Россия"}]));
}

fn phones() -> impl Strategy<Value = Vec<(Option<String>, String)>> {
    let label = proptest::option::of(prop_oneof![
        "[a-c]{1,2}",
        "[0-9]{1,2}",
        Just("--primary".to_owned()),
        "[a-c]{1,2} 2"
    ]);
    proptest::collection::vec((label, "\\+1[0-9]{10}"), 1..6)
}

/// The numbers of a field as they stand, each once.
fn in_order(json: &Json) -> Vec<String> {
    let items = stored::items(json, "phone").into_iter();
    items.filter_map(|(_, value)| value.as_str().map(str::to_owned)).collect()
}

proptest! {
    /// The first value sent is the primary one: what is there stays in front, and the source's order follows.
    #[test]
    fn values_stand_in_the_order_of_the_source(stored in phones(), new in phones(), primary in 0usize..6) {
        let contact = encoder("Contact", &["phone"]);
        let value = |phones: &[(Option<String>, String)]| Value::List(phones.iter().map(|(label, number)| match label {
            Some(label) => item(number, label),
            None => Value::text(number),
        }).collect());
        let mut expected: Vec<String> = Vec::new();
        let join = |expected: &mut Vec<String>, phones: &[(Option<String>, String)]| for (_, number) in phones {
            if !expected.contains(number) {
                expected.push(number.clone());
            }
        };
        join(&mut expected, &stored);
        let mut body = Json::Object(contact.encode("m", &[value(&stored)]).unwrap().create.fields);
        prop_assert_eq!(&in_order(&body), &expected);
        // A person made another one the primary one; its label stays where it is.
        let primary = primary % expected.len();
        if let Some(map) = body["phone"].as_object_mut() {
            map.insert("--primary".to_owned(), json!(expected[primary]));
            expected[..=primary].rotate_right(1);
        }
        join(&mut expected, &new);
        let there = Stored { id: "1".into(), rev: "0".into(), marker: None, body };
        for after in [
            contact.adopt("m", &[value(&new)], &there, true).unwrap().into_iter().next().unwrap_or_default(),
            contact.patch(0, &value(&new), &there).unwrap(),
        ] {
            match after.fields.get("phone") {
                Some(_) => prop_assert_eq!(&in_order(&Json::Object(after.fields)), &expected),
                None => prop_assert_eq!(&in_order(&there.body), &expected),
            }
        }
    }

    #[test]
    fn no_list_element_is_ever_lost(stored in phones(), new in phones()) {
        let contact = encoder("Contact", &["phone"]);
        let value = |phones: &[(Option<String>, String)]| Value::List(phones.iter().map(|(label, number)| match label {
            Some(label) => item(number, label),
            None => Value::text(number),
        }).collect());
        let numbers = |json: &Json| -> std::collections::BTreeSet<String> {
            stored::items(json, "phone").into_iter().filter_map(|(_, v)| v.as_str().map(str::to_owned)).collect()
        };
        let wanted = |phones: &[(Option<String>, String)]| -> std::collections::BTreeSet<String> {
            phones.iter().map(|(_, number)| number.clone()).collect()
        };
        let made = contact.encode("m", &[value(&stored)]).unwrap().create.fields;
        let body = Json::Object(made);
        prop_assert_eq!(numbers(&body), wanted(&stored));
        let there = Stored { id: "1".into(), rev: "0".into(), marker: None, body };
        let edit = contact.adopt("m", &[value(&new)], &there, true).unwrap();
        let after = edit.first().map_or(there.body.clone(), |payload| Json::Object(payload.fields.clone()));
        let after = if after.get("phone").is_some() { after } else { there.body };
        prop_assert_eq!(numbers(&after), wanted(&stored).union(&wanted(&new)).cloned().collect());
    }
}

/// A team owns what a user can own; it writes nothing, and takes part in nothing.
#[test]
fn teams_own_records() {
    let created = |object: &str, fields: &[&str], values: &[Value]| {
        let writes = encoder(object, fields).encode("a/b/1", values).expect("a payload");
        Json::Object(writes.create.fields)
    };
    let team = || Value::text("7-teams");
    assert_eq!(created("Lead", &["owner"], &[team()])["assignee"], json!({"entityType": "Teams", "id": 7}));
    assert_eq!(created("Account", &["owner"], &[team()])["owner"], json!({"entityType": "Teams", "id": 7}));
    let note =
        created("Note", &["parent", "body", "author"], &[Value::text("Lead/9"), Value::text("x"), team()]);
    assert!(note.get("author").is_none(), "{note}");
    let at =
        Value::Instant(crate::lang::value::Instant::parse("2024-08-30T18:00:00+03:00").expect("an instant"));
    let values =
        [Value::text("Call"), Value::text("Meeting"), at, Value::list(vec![team(), Value::text("59")])];
    let activity = created("Activity", &["name", "type", "startTime", "participants"], &values);
    assert_eq!(activity["participants"], json!([{"entityType": "Users", "id": 59}]));
}
