//! Records that stand and are written again.

use super::*;

fn there(body: Json, marker: &str) -> Stored {
    Stored { id: "3".into(), rev: "1".into(), marker: Some(marker.into()), body }
}

fn changed(encoder: &Encoder, changes: &[(usize, Value)], body: &Json) -> Vec<Json> {
    let payloads = encoder.change("a/deal/1", changes, None, &there(body.clone(), "a/deal/1"));
    payloads.expect("encoded").into_iter().map(|payload| Json::Object(payload.fields)).collect()
}

#[test]
fn an_amount_that_changed_is_seen_to() {
    let lead = encoder("Lead", &["value"]);
    let body =
        json!({"status": 0, "value": {"currency": "USD", "amount": 5}, "customFields": {MARKER: "a/deal/1"}});
    let amount = json!({"currency": "USD", "amount": "7.50"});
    assert_eq!(
        changed(&lead, &[(0, money("7.50", "USD"))], &body),
        [json!({"value": amount}), json!({"manualValue": amount})]
    );
    assert_eq!(changed(&lead, &[(0, money("5", "USD"))], &body), [] as [Json; 0], "it is there");
    assert_eq!(
        changed(&lead, &[(0, Value::Absent)], &body),
        [json!({"value": null}), json!({"manualValue": null})]
    );
    let mut with_lines = body.clone();
    with_lines["products"] = json!([{"id": 4, "quantity": 1}]);
    assert_eq!(
        changed(&lead, &[(0, money("7.50", "USD"))], &with_lines),
        [json!({"value": amount})],
        "theirs counts"
    );
}

fn closed(pipeline: i64) -> Json {
    json!({
        "status": 11, "stageset": {"id": pipeline}, "milestone": {"id": 327},
        "outcome": {"id": 9, "entityType": "Lead_Outcomes", "type": 11, "rev": "2", "description": "Lost"},
    })
}

#[test]
fn a_closed_lead_that_ends_in_another_pipeline_goes_there_first() {
    let lead = encoder("Lead", &["stage"]);
    let won = || [(0, stage(None, Some("Signed")))];
    let outcome = json!({"outcome": {"id": 5, "entityType": "Lead_Outcomes", "type": 10, "rev": "1"}});
    assert_eq!(
        changed(&lead, &won(), &closed(72)),
        [json!({"status": 0, "stagesetId": 71, "milestoneId": 327}), outcome.clone()]
    );
    assert_eq!(changed(&lead, &won(), &closed(71)), [outcome], "in the same one it need not be reopened");
}

#[test]
fn a_closed_lead_that_takes_no_edit_is_reopened_and_closed_as_it_was() {
    let lead = encoder("Lead", &["confidence", "stage"]);
    let edit = [(0, Value::Int(40))];
    assert_eq!(changed(&lead, &edit, &closed(71)), [json!({"confidence": 40})]);
    lead.known.see_closed_edits(Some(false));
    let again = json!({"outcome": {"id": 9, "entityType": "Lead_Outcomes", "type": 11, "rev": "2"}});
    assert_eq!(changed(&lead, &edit, &closed(71)), [json!({"confidence": 40, "status": 0}), again]);
    let won = changed(&lead, &[(1, stage(None, Some("Signed")))], &closed(71));
    assert_eq!((won.len(), &won[0], &won[1]["outcome"]["id"]), (2, &json!({"status": 0}), &json!(5)));
    assert_eq!(changed(&lead, &[], &closed(71)), [] as [Json; 0]);
    let mut silent = closed(71);
    silent["outcome"] = Json::Null;
    let error =
        lead.change("a/deal/1", &edit, None, &there(silent, "a/deal/1")).expect_err("what closed it?");
    assert!(error.why.contains("reopen it by hand"), "{error}");
}

#[test]
fn the_line_with_the_author_outlives_a_new_text() {
    let marker = "a/comment/1";
    let old = |key: &str| {
        let text = "Old\n\n[author Ann]\n\n[Bitrix24 a/comment/1]";
        there(json!({"id": 3, "rev": "1", key: text, "user": {"id": 59, "entityType": "Users"}}), marker)
    };
    for (object, key, stored) in [
        ("Note", "note", old("noteMarkup")),
        ("Activity", "description", old("description")),
        ("Task", "description", old("description")),
    ] {
        let field = if object == "Note" { "body" } else { "description" };
        let encoder = encoder(object, &[field]);
        let new = "New\n\n[author Ann]\n\n[Bitrix24 a/comment/1]";
        let change = encoder.change(marker, &[(0, Value::text("New"))], None, &stored).expect("encoded");
        assert_eq!(change[0].fields[key], new, "{object}");
        assert_eq!(
            encoder.patch(0, &Value::text("New"), &stored).expect("encoded").fields[key],
            new,
            "{object}"
        );
        let same = encoder.change(marker, &[(0, Value::text("Old"))], None, &stored).expect("encoded");
        assert_eq!(same, [], "{object}");
        if object != "Note" {
            let emptied = encoder.change(marker, &[(0, Value::Absent)], None, &stored).expect("encoded");
            assert_eq!(emptied[0].fields[key], "[author Ann]\n\n[Bitrix24 a/comment/1]", "{object}");
        }
    }
}

#[test]
fn a_price_goes_to_the_market_that_its_label_names() {
    let mut directory = directory();
    let canada = Market {
        id: "3".to_owned(),
        name: "Canada".to_owned(),
        currency: Some("USD".into()),
        default: false,
    };
    directory.markets.push(canada);
    let label = |amount: &str, label: &str| {
        let value = money(amount, "USD");
        Value::Item(Box::new(Item { value, attrs: vec![Value::text(label)] }))
    };
    let prices = |values: Vec<Value>| {
        let prices = lists::prices("prices", &Value::List(values), &directory)?;
        let of = |price: &Json| format!("{}: {}", price["market"]["id"], price["price"]["amount"]);
        Ok::<_, FieldError>(directory::elements(&prices).iter().map(of).collect::<Vec<_>>())
    };
    assert_eq!(prices(vec![money("5", "USD")]), Ok(vec!["1: 5".to_owned()]), "the default one");
    let both = vec![label("5", "US"), label("7", "Canada")];
    assert_eq!(prices(both), Ok(vec!["1: 5".to_owned(), "3: 7".to_owned()]));
    let why = |values: Vec<Value>| prices(values).expect_err("refused").why;
    assert!(why(vec![label("5", "Mars")]).contains("no choice `Mars`"));
    assert!(why(vec![label("5", "Europe")]).contains("whose currency is EUR"));
    assert!(why(vec![money("5", "USD"), money("7", "USD")]).contains("a label of the price can name"));
}

#[test]
fn a_lead_without_accounts_has_no_primary_one_either() {
    let lead = encoder("Lead", &["accounts"]);
    let account = json!({"id": 3, "entityType": "Accounts"});
    for body in [json!({"primaryAccount": account, "accounts": []}), json!({"accounts": [account]})] {
        assert_eq!(
            changed(&lead, &[(0, Value::Absent)], &body),
            [json!({"accounts": [], "primaryAccount": null})],
            "{body}"
        );
    }
}
