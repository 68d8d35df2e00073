//! Products, activities, notes, tasks and product lines against requests written by hand after the sheet.

use super::*;
use crate::lang::value::Instant;

fn instant(text: &str) -> Value {
    Value::Instant(Instant::parse(text).expect("an instant"))
}

fn created(object: &str, fields: &[(&str, Value)]) -> Json {
    let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    let values: Vec<Value> = fields.iter().map(|(_, value)| value.clone()).collect();
    let writes = encoder(object, &names).encode("acme.bitrix24.com/x/17", &values).expect("encoded");
    assert!(writes.then.is_empty());
    Json::Object(writes.create.fields)
}

fn wrong(object: &str, fields: &[(&str, Value)]) -> String {
    let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    let values: Vec<Value> = fields.iter().map(|(_, value)| value.clone()).collect();
    encoder(object, &names).encode("m", &values).expect_err("refused").to_string()
}

fn line(product: Value, quantity: Value, price: Value) -> Value {
    Value::Item(Box::new(Item { value: Value::Absent, attrs: vec![product, quantity, price] }))
}

fn decimal(text: &str) -> Value {
    Value::Decimal(text.parse().expect("a number"))
}

#[test]
fn the_documented_activity_is_sent() {
    let sent = created(
        "Activity",
        &[
            ("name", Value::text("New testing activity")),
            ("description", Value::text("Creating test activity for integration testing")),
            ("type", Value::text("Phone call")),
            ("startTime", instant("2024-03-30T21:00:00+03:00")),
            ("endTime", instant("2024-03-30T18:30:00+00:00")),
            ("status", Value::Int(1)),
            ("leads", Value::text("1600")),
            (
                "participants",
                Value::List(vec![Value::text("Contact/17"), Value::text("59"), Value::text("user/59")]),
            ),
            ("logNote", Value::text("Went well")),
        ],
    );
    let Some(sample) = sample("rpc.newActivity.request.json") else { return };
    let mut documented = sample["params"]["activity"].clone();
    documented["description"] =
        json!("Creating test activity for integration testing\n\n[Bitrix24 acme.bitrix24.com/x/17]");
    assert_eq!(sent, documented, "and nothing else");
}

#[test]
fn an_activity_always_has_times_a_name_and_a_type() {
    let start = ("startTime", instant("2024-03-30T18:00:00+00:00"));
    let kind = ("type", Value::text("Meeting"));
    let name = ("name", Value::text("Visit"));
    let sent = created(
        "Activity",
        &[
            name.clone(),
            kind.clone(),
            start.clone(),
            ("isAllDay", Value::Bool(true)),
            ("author", Value::text("59")),
        ],
    );
    assert_eq!(
        sent,
        json!({
            "name": "Visit", "activityTypeId": 2, "startTime": "2024-03-30T18:00:00+00:00", "isAllDay": true,
            "author": {"entityType": "Users", "id": 59}, "endTime": "2024-03-30T18:00:00+00:00",
            "description": "[Bitrix24 acme.bitrix24.com/x/17]",
        })
    );
    assert!(wrong("Activity", &[kind.clone(), start.clone()]).contains("`name`"));
    assert!(wrong("Activity", &[name.clone(), start.clone()]).contains("`type`"));
    assert!(wrong("Activity", &[name.clone(), kind.clone()]).contains("`startTime`"));
    let also = |field: &str, value: Value| {
        wrong("Activity", &[name.clone(), kind.clone(), start.clone(), (field, value)])
    };
    assert!(also("status", Value::Int(2)).contains("not between 0 and 1"));
    assert!(also("author", Value::text("60")).contains("not active"));
    assert!(also("participants", Value::text("Lead/1")).contains("none of Account, Contact, user"));
    assert!(also("participants", Value::text("Product/1")).contains("leads to none"));
    assert!(also("participants", Value::text("99")).contains("no user 99"));
    assert!(
        wrong("Activity", &[name, ("type", Value::text("Séance")), start]).contains("no choice `Séance`")
    );
}

#[test]
fn notes_are_signed_and_mention_nobody() {
    let sent = created(
        "Note",
        &[
            ("parent", Value::text("Lead/1600")),
            ("body", Value::text("Ask @[Users:1]\n")),
            ("author", Value::text("59")),
        ],
    );
    assert_eq!(
        sent,
        json!({
            "entity": {"entityType": "Leads", "id": 1600},
            "note": "Ask \\@[Users:1]\n\n[Bitrix24 acme.bitrix24.com/x/17]",
            "author": {"entityType": "Users", "id": 59},
        })
    );
    assert!(wrong("Note", &[("body", Value::text("x"))]).contains("`parent`"));
    assert!(wrong("Note", &[("parent", Value::text("Account/3"))]).contains("`body`"));
    assert!(
        wrong("Note", &[("parent", Value::text("17")), ("body", Value::text("x"))])
            .contains("none of Account, Contact, Lead")
    );
}

#[test]
fn tasks() {
    let sent = created(
        "Task",
        &[
            ("title", Value::text("Call back")),
            ("description", Value::text("Ask about budget")),
            ("dueTime", instant("2025-08-27T19:26:59+00:00")),
            ("assignee", Value::text("59")),
            ("entity", Value::text("Contact/3")),
        ],
    );
    assert_eq!(
        sent,
        json!({
            "title": "Call back", "description": "Ask about budget\n\n[Bitrix24 acme.bitrix24.com/x/17]",
            "dueTime": "2025-08-27T19:26:59+00:00", "assignee": {"entityType": "Users", "id": 59},
            "entity": {"id": 3, "entityType": "Contacts"},
        })
    );
    assert!(wrong("Task", &[("title", Value::text(" "))]).contains("`title`"));
}

#[test]
fn products_have_a_price_per_market() {
    let prices = Value::List(vec![money("10.50", "EUR"), money("12", "USD")]);
    let sent = created(
        "Product",
        &[
            ("name", Value::text("Pump")),
            ("type", Value::text("service")),
            ("sku", Value::text("NS0012MM")),
            ("unit", Value::text("month")),
            ("prices", prices),
        ],
    );
    assert_eq!(
        sent,
        json!({
            "name": "Pump", "type": "1", "sku": "NS0012MM", "unit": "month",
            "prices": [
                {"market": {"id": 2}, "price": {"currency_shortname": "EUR", "amount": 10.5}},
                {"market": {"id": 1}, "price": {"currency_shortname": "USD", "amount": 12}},
            ],
            "description": "[Bitrix24 acme.bitrix24.com/x/17]",
        })
    );
    let with = |field: &str, value: Value| wrong("Product", &[("name", Value::text("Pump")), (field, value)]);
    assert!(with("prices", money("1", "RUB")).contains("no market has the currency RUB"));
    assert!(with("prices", Value::List(vec![money("1", "USD"), money("2", "USD")])).contains("two prices"));
    assert!(with("unit", Value::text("piece")).contains("no choice `piece`"));
    assert!(with("type", Value::text("bundle")).contains("no choice `bundle`"));
}

#[test]
fn the_documented_lines_of_a_lead_are_sent() {
    let lines = Value::List(vec![
        line(Value::text("4"), decimal("15.000"), money("1000.00", "USD")),
        line(Value::text("5"), Value::Absent, Value::Absent),
        line(Value::text("6"), decimal("0.1234567890123456789"), money("0.10", "USD")),
    ]);
    let lead = encoder("Lead", &["products"]);
    let sent = lead.encode("m", std::slice::from_ref(&lines)).expect("encoded").create.fields;
    let expected = json!([
        {"id": 4, "entityType": "Products", "quantity": 15, "price": {"currency_shortname": "USD", "amount": 1000}},
        {"id": 5, "entityType": "Products", "quantity": 1},
        {
            "id": 6, "entityType": "Products", "quantity": "0.1234567890123456789",
            "price": {"currency_shortname": "USD", "amount": 0.1},
        },
    ]);
    assert_eq!(sent["products"], expected);
    if let Some(sample) = sample("rpc.newLead.request.json") {
        let mut documented = sample["params"]["lead"]["products"][0].clone();
        // An empty relationship says nothing.
        documented.as_object_mut().expect("a line").remove("relationship");
        covers(&sent["products"][0], &documented, "products[0]");
    }
    let why = |line: Value| lead.encode("m", &[line]).expect_err("refused").to_string();
    assert!(why(line(Value::Absent, decimal("1"), Value::Absent)).contains("`products.product`"));
    assert!(why(line(Value::text("4"), Value::text("x"), Value::Absent)).contains("`products.quantity`"));
    assert!(why(Value::text("4")).contains("lines of products"));
    let why = why(line(Value::text("4"), decimal("1"), money("1", "EUR")));
    assert!(why.contains("`products`") && why.contains("USD"), "{why}");
    let lead = encoder("Lead", &["market", "products"]);
    let fits = [Value::text("Europe"), line(Value::text("4"), decimal("1"), money("1", "EUR"))];
    assert!(lead.encode("m", &fits).is_ok(), "the market's currency");
}

#[test]
fn lines_that_are_there_are_sent_again_and_not_twice() {
    let lead = encoder("Lead", &["products"]);
    let body = json!({"products": [
        {"stub": true, "id": 4, "entityType": "Products", "quantity": 15, "relationship": null,
         "price": {"currency": "USD", "amount": 1000}},
    ]});
    let there = Stored { id: "1".into(), rev: "0".into(), marker: Some("m".into()), body };
    let same = line(Value::text("4"), decimal("15"), money("1000.00", "USD"));
    assert!(lead.patch(0, &same, &there).expect("encoded").is_empty());
    let twice = lead.patch(0, &Value::List(vec![same.clone(), same]), &there).expect("encoded");
    let line = json!({"id": 4, "entityType": "Products", "quantity": 15, "price": {"currency_shortname": "USD", "amount": 1000}});
    assert_eq!(twice.fields["products"], json!([line, line]), "two equal lines are two lines");
}

#[test]
fn patches_keep_the_marker_and_the_author() {
    let body = json!({
        "id": 3, "rev": "1", "noteMarkup": "Old\n\n[Bitrix24 a/comment/1]", "user": {"id": 59, "entityType": "Users"},
    });
    let there = Stored { id: "3".into(), rev: "1".into(), marker: Some("a/comment/1".into()), body };
    let note = encoder("Note", &["parent", "body"]);
    let patch = note.patch(1, &Value::text("New"), &there).expect("encoded");
    assert_eq!(
        Json::Object(patch.fields),
        json!({"note": "New\n\n[Bitrix24 a/comment/1]", "author": {"entityType": "Users", "id": 59}})
    );
    let moved = note.patch(0, &Value::text("Lead/9"), &there).expect_err("refused").to_string();
    assert!(moved.contains("cannot move a note"), "{moved}");
    let body = json!({
        "participants": [{"id": 59, "entityType": "Users", "name": "x"}],
        "description": "Text\n\n[Bitrix24 a/activity/1]",
    });
    let there = Stored { id: "3".into(), rev: "1".into(), marker: Some("a/activity/1".into()), body };
    let activity = encoder("Activity", &["participants", "description"]);
    let patch = activity.patch(0, &Value::text("Account/3"), &there).expect("encoded");
    assert_eq!(
        Json::Object(patch.fields),
        json!({"participants": [{"id": 59, "entityType": "Users"}, {"id": 3, "entityType": "Accounts"}]})
    );
    assert!(activity.patch(1, &Value::text("Text"), &there).expect("encoded").is_empty());
}

#[test]
fn a_product_is_adopted_once() {
    let product = encoder("Product", &["name", "description", "sku"]);
    let values = [Value::text("Pump"), Value::text("Blue"), Value::text("P-1")];
    let adopt = |description: Json, overwrite: bool| {
        let body = json!({"id": 3, "rev": "1", "name": "pump", "description": description, "sku": null});
        let there = Stored { id: "3".into(), rev: "1".into(), marker: None, body };
        let payloads = product.adopt("a/product/1", &values, &there, overwrite).expect("encoded");
        payloads.into_iter().map(|payload| Json::Object(payload.fields)).collect::<Vec<_>>()
    };
    let signed = |text: &str| format!("{text}\n\n[Bitrix24 a/product/1]");
    assert_eq!(adopt(json!("Red"), false), [json!({"sku": "P-1", "description": signed("Red")})]);
    assert_eq!(adopt(Json::Null, false), [json!({"sku": "P-1", "description": signed("Blue")})]);
    let over = json!({"name": "Pump", "sku": "P-1", "description": signed("Blue")});
    assert_eq!(adopt(json!("Red\n[Bitrix24 a/product/9]"), true), [over]);
    assert_eq!(adopt(json!(signed("Blue")), false), [json!({"sku": "P-1"})], "nothing is signed twice");
}
