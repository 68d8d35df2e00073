//! A portal filled through its API (sheet 16.3 to 16.7): answers, checks and errors family by family.

use super::*;

/// A portal with everything that a written one needs: a user, a currency, estimates, products, activities, comments.
fn whole() -> Twin {
    Twin::new(Portal::acme(0.02, 7), calm())
}

fn error(answer: &Value) -> (Value, String) {
    let text = answer["error_description"].as_str().unwrap_or_else(|| panic!("no error in {answer}"));
    (answer["error"].clone(), text.to_owned())
}

fn failure(t: &Twin, method: &str, args: Value) -> (Value, String) {
    error(&call(t, method, args))
}

/// The result of a call that must succeed.
fn done(t: &Twin, method: &str, args: Value) -> Value {
    let answer = call(t, method, args.clone());
    assert!(answer.get("error").is_none(), "{method} {args}: {answer}");
    assert!(answer.get("time").is_some(), "{method}: no time");
    assert!(answer.get("total").is_none(), "{method}: a write has no total");
    answer["result"].clone()
}

#[test]
fn sheet_16_3_an_item_is_added_changed_read_and_deleted() {
    let t = whole();
    let fields = json!({
        "title": "New", "opportunity": "999.99", "currencyId": "EUR", "contactIds": [1, 2], "observers": [2, 3],
        "begindate": "2024-06-18", "nonsense": 1, "isManualOpportunity": "Y", "leadId": 1, "typeId": null,
    });
    let item = done(&t, "crm.item.add", json!({"entityTypeId": 2, "fields": fields}))["item"].clone();
    let id = item["id"].as_i64().unwrap();
    let expected = json!({
        "title": "New", "opportunity": 999.99, "currencyId": "EUR", "contactId": 1, "contactIds": [1, 2],
        "observers": [2, 3], "begindate": "2024-06-18T00:00:00+03:00", "categoryId": 0, "stageSemanticId": "P",
        "createdBy": 1, "createdTime": "2025-09-09T16:31:11+03:00", "leadId": 1, "entityTypeId": 2, "opened": "Y",
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&item[key], value, "{key}");
    }
    assert!(item.get("nonsense").is_none());
    let got = done(&t, "crm.item.get", json!({"entityTypeId": 2, "id": id}));
    assert_eq!(got["item"], item, "what add answers is what get reads");
    let changed =
        done(&t, "crm.item.update", json!({"entityTypeId": 2, "id": id, "fields": {"contactIds": [2]}}));
    assert_eq!((&changed["item"]["contactIds"], &changed["item"]["title"]), (&json!([2]), &json!("New")));
    assert_eq!(done(&t, "crm.item.delete", json!({"entityTypeId": 2, "id": id})), json!([]));
    let gone = failure(&t, "crm.item.get", json!({"entityTypeId": 2, "id": id}));
    assert_eq!(gone, (json!("NOT_FOUND"), "Element not found".into()));
    let next = done(&t, "crm.item.add", json!({"entityTypeId": 2, "fields": {}}))["item"]["id"].clone();
    assert_eq!(next, id + 1, "an id is never given twice");
}

#[test]
fn sheet_16_3_what_a_universal_write_is_refused_for() {
    let t = whole();
    let before = t.dump();
    let add = |fields: Value| failure(&t, "crm.item.add", json!({"entityTypeId": 2, "fields": fields}));
    let invalid = |name: &str| {
        (json!("CRM_FIELD_ERROR_VALUE_NOT_VALID"), format!("Invalid value for field \"{name}\""))
    };
    assert_eq!(add(json!({"opportunity": "much"})), invalid("opportunity"));
    assert_eq!(add(json!({"closedate": "soon"})), invalid("closedate"));
    assert_eq!(add(json!({"stageId": "NOWHERE"})), invalid("stageId"));
    assert_eq!(add(json!({"categoryId": 999})), invalid("categoryId"));
    let list = add(json!({"contactIds": "1"}));
    assert_eq!(list.1, "Expected iterable value for multiple field, but got string instead");
    let nameless = failure(&t, "crm.item.add", json!({"entityTypeId": 3, "fields": {"post": "x"}}));
    assert_eq!(nameless.0, "CRM_FIELD_ERROR_REQUIRED");
    assert_eq!(failure(&t, "crm.item.add", json!({"entityTypeId": 2})).0, "100");
    assert_eq!(
        failure(&t, "crm.item.add", json!({"entityTypeId": 999, "fields": {}})).1,
        "Smart process not found"
    );
    assert_eq!(
        failure(&t, "crm.item.update", json!({"entityTypeId": 2, "id": 99999, "fields": {}})).0,
        "NOT_FOUND"
    );
    t.with_settings(|s| s.may_write = false);
    assert_eq!(add(json!({})).0, "ACCESS_DENIED");
    assert_eq!(failure(&t, "crm.deal.add", json!({"fields": {}})), (json!(""), "Access denied.".into()));
    assert_eq!(t.dump(), before, "a refused write changes nothing");
}

#[test]
fn sheet_16_3_imports_keep_the_times_they_bring() {
    let t = whole();
    let import = |fields: Value| call(&t, "crm.item.import", json!({"entityTypeId": 4, "fields": fields}));
    let last = "2025-09-01T10:00:00+03:00";
    // Generated records end in 2026: an empty table has no last one.
    t.with_portal(|p| p.records.insert(Entity::Company, Default::default()));
    let made = import(json!({"title": "Old", "createdTime": last, "updatedTime": last, "createdBy": 2,
        "PHONE": [{"VALUE": "+1 555", "VALUE_TYPE": "MOBILE"}]}));
    let id = made["result"]["item"]["id"].clone();
    assert_eq!(made["result"], json!({"item": {"id": id}}));
    let item = done(&t, "crm.item.get", json!({"entityTypeId": 4, "id": id}))["item"].clone();
    assert_eq!(
        (&item["createdTime"], &item["updatedTime"], &item["createdBy"]),
        (&json!(last), &json!(last), &json!(2))
    );
    assert_eq!(item["fm"][0]["value"], "+1 555");
    let invalid = |name: &str| {
        (json!("CRM_FIELD_ERROR_VALUE_NOT_VALID"), format!("Invalid value for field \"{name}\""))
    };
    assert_eq!(error(&import(json!({"createdTime": "2025-08-31T10:00:00+03:00"}))), invalid("createdTime"));
    assert_eq!(error(&import(json!({"createdTime": "2031-01-01T10:00:00+03:00"}))), invalid("createdTime"));
    assert_eq!(
        error(&import(json!({"createdTime": last, "updatedTime": "2025-08-31T10:00:00+03:00"}))),
        invalid("updatedTime")
    );
    let data = json!([{"title": "A"}, {"title": "B", "revenue": "x"}, {"title": "C"}]);
    let items = done(&t, "crm.item.batchImport", json!({"entityTypeId": 4, "data": data}))["items"].clone();
    assert_eq!((&items[0]["item"]["id"], &items[2]["item"]["id"]), (&json!(2), &json!(3)));
    assert_eq!(items[1]["error"], "CRM_FIELD_ERROR_VALUE_NOT_VALID");
    let many: Vec<Value> = (0..21).map(|_| json!({"title": "x"})).collect();
    let many = failure(&t, "crm.item.batchImport", json!({"entityTypeId": 4, "data": many}));
    assert_eq!(
        many,
        (json!("MAX_IMPORT_BATCH_SIZE_EXCEEDED"), "You cannot import more than 20 items".into())
    );
    t.with_settings(|s| s.admin = false);
    assert_eq!(error(&import(json!({"createdTime": last}))), invalid("createdTime"));
}

#[test]
fn sheet_16_1_universal_multifields_and_files() {
    let t = whole();
    let fm = json!([{"typeId": "PHONE", "valueType": "WORK", "value": "+1"}, {"typeId": "EMAIL", "value": "a@b.example"}]);
    let add = json!({"entityTypeId": 3, "fields": {"name": "A", "fm": fm}});
    let item = done(&t, "crm.item.add", add)["item"].clone();
    let (id, phone) = (item["id"].clone(), item["fm"][0]["id"].as_i64().unwrap());
    let change = json!({"n0": {"typeId": "PHONE", "value": "+2"}, phone.to_string(): {"value": "+3"}});
    let update = |fm: &Value| {
        let args = json!({"entityTypeId": 3, "id": id, "fields": {"fm": fm}});
        let item = done(&t, "crm.item.update", args)["item"].clone();
        item["fm"]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v["value"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(update(&change), ["+3", "a@b.example", "+2"]);
    assert_eq!(update(&json!({phone.to_string(): {"value": ""}})), ["a@b.example", "+2"]);
    let bad =
        failure(&t, "crm.contact.update", json!({"id": id, "fields": {"EMAIL": [{"VALUE": "nobody"}]}}));
    assert_eq!(bad, (json!("ERROR_CORE"), "The field Work e-mail contains an invalid address".into()));
    let file = json!({"USER_TYPE_ID": "file", "FIELD_NAME": "PAPERS", "MULTIPLE": "Y"});
    done(&t, "crm.contact.userfield.add", json!({"fields": file}));
    let held = |fields: Value| {
        let args = json!({"entityTypeId": 3, "id": id, "useOriginalUfNames": "Y", "fields": fields});
        done(&t, "crm.item.update", args)["item"]["UF_CRM_PAPERS"].clone()
    };
    let two = held(json!({"UF_CRM_PAPERS": [["a.txt", "YQ=="], ["b.txt", "Yg=="]]}));
    assert_eq!(two.as_array().unwrap().len(), 2);
    let kept = held(json!({"UF_CRM_PAPERS": [{"id": two[1]["id"]}]}));
    assert_eq!(kept.as_array().unwrap().iter().map(|f| &f["id"]).collect::<Vec<_>>(), [&two[1]["id"]]);
    assert_eq!(held(json!({"UF_CRM_PAPERS": []})), json!([]));
}

#[test]
fn sheet_16_4_rows_are_set_whole_and_make_the_sum() {
    let t = whole();
    let deal = done(&t, "crm.deal.add", json!({"fields": {"TITLE": "Rows"}}));
    let rows = json!([
        {"PRODUCT_NAME": "Pump", "PRICE": 19799.4, "QUANTITY": 2, "DISCOUNT_TYPE_ID": 2, "DISCOUNT_RATE": 40},
        {"PRICE": 112, "TAX_RATE": 12},
    ]);
    assert_eq!(done(&t, "crm.deal.productrows.set", json!({"id": deal, "rows": rows})), true);
    let got = call(&t, "crm.deal.productrows.get", json!({"id": deal}))["result"].clone();
    let part = |at: usize, key: &str| got[at][key].clone();
    assert_eq!((part(0, "PRICE_NETTO"), part(0, "DISCOUNT_SUM")), (json!(32999), json!(13199.6)));
    assert_eq!((part(1, "PRICE_EXCLUSIVE"), part(1, "QUANTITY")), (json!(100), json!(1)));
    assert_eq!(part(1, "PRODUCT_NAME"), format!("[{}]", got[1]["ID"].as_str().unwrap()));
    let sum = || call(&t, "crm.deal.get", json!({"id": deal}))["result"]["OPPORTUNITY"].clone();
    assert_eq!(sum(), "39710.80");
    done(&t, "crm.deal.productrows.set", json!({"id": deal, "rows": []}));
    assert_eq!(
        (sum(), call(&t, "crm.deal.productrows.get", json!({"id": deal}))["result"].clone()),
        (json!("0.00"), json!([]))
    );
    let set = json!({"ownerType": "D", "ownerId": deal, "productRows": [{"productName": "A", "price": 5}]});
    let made = done(&t, "crm.item.productrow.set", set)["productRows"].clone();
    let id = made[0]["id"].clone();
    let fields = json!({"ownerType": "D", "ownerId": deal, "productName": "B", "price": 7, "quantity": 3});
    done(&t, "crm.item.productrow.add", json!({"fields": fields}));
    let changed = done(&t, "crm.item.productrow.update", json!({"id": id, "fields": {"price": 6}}));
    assert_eq!(
        (&changed["productRow"]["price"], &changed["productRow"]["productName"]),
        (&json!(6), &json!("A"))
    );
    assert_eq!(sum(), "27.00");
    assert_eq!(done(&t, "crm.item.productrow.delete", json!({"id": id})), Value::Null);
    assert_eq!(sum(), "21.00");
    let bad = |method: &str, args: Value| failure(&t, method, args);
    let discount = json!({"id": deal, "rows": [{"PRICE": 1, "DISCOUNT_TYPE_ID": 2}]});
    let (code, text) = bad("crm.deal.productrows.set", discount);
    assert_eq!((code, text.ends_with("<br>")), (json!("ERROR_CORE"), true));
    assert_eq!(
        bad("crm.deal.productrows.set", json!({"rows": []})).1,
        "The parameter id is invalid or not defined."
    );
    assert_eq!(bad("crm.deal.productrows.set", json!({"id": deal})).1, "The parameter rows must be array.");
    assert_eq!(bad("crm.quote.productrows.set", json!({"id": 99999, "rows": []})).1, "Not found");
    let owner = json!({"ownerType": "D", "ownerId": 99999, "productRows": []});
    assert_eq!(
        bad("crm.item.productrow.set", owner),
        (json!("OWNER_NOT_FOUND"), "Owner was not found".into())
    );
    assert_eq!(
        bad("crm.item.productrow.delete", json!({"id": id})),
        (json!("NOT_FOUND"), "Item not found".into())
    );
}

#[test]
fn sheet_16_4_links_are_set_added_and_deleted_from_both_sides() {
    let t = twin(5);
    let of = |method: &str, id: i64, key: &str| -> Vec<(i64, i64, bool)> {
        let rows = call(&t, method, json!({"id": id}))["result"].clone();
        let one = |r: &Value| (r[key].as_i64().unwrap(), r["SORT"].as_i64().unwrap(), r["IS_PRIMARY"] == "Y");
        rows.as_array().unwrap().iter().map(one).collect()
    };
    let deal = || of("crm.deal.contact.items.get", 3, "CONTACT_ID");
    let items = json!([{"CONTACT_ID": 6}, {"CONTACT_ID": 9, "IS_PRIMARY": "Y"}]);
    assert_eq!(done(&t, "crm.deal.contact.items.set", json!({"id": 3, "items": items})), true);
    assert_eq!(deal(), [(6, 10, false), (9, 20, true)]);
    let add = |id: i64| done(&t, "crm.deal.contact.add", json!({"id": 3, "fields": {"CONTACT_ID": id}}));
    assert_eq!((add(12), add(12)), (json!(true), json!(false)));
    assert_eq!(deal().len(), 3);
    assert_eq!(call(&t, "crm.deal.get", json!({"id": 3}))["result"]["CONTACT_ID"], "9");
    done(&t, "crm.deal.contact.delete", json!({"id": 3, "fields": {"CONTACT_ID": 9}}));
    assert_eq!(deal(), [(6, 10, true), (12, 30, false)]);
    done(&t, "crm.deal.contact.items.delete", json!({"id": 3}));
    assert_eq!(deal(), []);
    // A company reads the contacts' own table from the other side.
    done(
        &t,
        "crm.company.contact.items.set",
        json!({"id": 3, "items": [{"CONTACT_ID": 12}, {"CONTACT_ID": 15}]}),
    );
    let company = of("crm.company.contact.items.get", 3, "CONTACT_ID");
    // A link that was there keeps its place.
    assert_eq!(company.iter().map(|l| (l.0, l.1)).collect::<Vec<_>>(), [(15, 20), (12, 30)]);
    assert!(of("crm.contact.company.items.get", 12, "COMPANY_ID").iter().any(|l| l.0 == 3));
    done(&t, "crm.contact.company.items.set", json!({"id": 12, "items": []}));
    assert_eq!(of("crm.company.contact.items.get", 3, "CONTACT_ID").len(), 1);
    let error = |args: Value| failure(&t, "crm.deal.contact.items.set", args).1;
    assert_eq!(error(json!({"items": []})), "The parameter ownerEntityID is invalid or not defined.");
    assert_eq!(error(json!({"id": 3})), "The parameter items must be array.");
    assert_eq!(error(json!({"id": 99999, "items": []})), "Not found");
    let fields = failure(&t, "crm.deal.contact.add", json!({"id": 3, "fields": {}})).1;
    assert_eq!(fields, "The parameter 'fields' is not valid.");
}

#[test]
fn sheet_16_5_activities_and_todos() {
    let t = whole();
    let fields = json!({
        "OWNER_TYPE_ID": 2, "OWNER_ID": 1, "TYPE_ID": 2, "SUBJECT": "Call", "RESPONSIBLE_ID": 1,
        "START_TIME": "2025-09-10T10:00:00+03:00", "DEADLINE": "2030-01-01T00:00:00+03:00", "COMPLETED": "Y",
        "COMMUNICATIONS": [{"VALUE": "+1", "ENTITY_ID": 1, "ENTITY_TYPE_ID": 3}],
    });
    let with = |key: &str, value: Value| {
        let mut fields = fields.clone();
        fields[key] = value;
        failure(&t, "crm.activity.add", json!({"fields": fields})).1
    };
    let id = done(&t, "crm.activity.add", json!({"fields": fields}));
    let got = done(&t, "crm.activity.get", json!({"id": id}));
    assert_eq!((&got["DEADLINE"], &got["STATUS"]), (&json!("2025-09-10T10:00:00+03:00"), &json!("2")));
    assert_eq!(
        (&got["COMMUNICATIONS"][0]["TYPE"], &got["PROVIDER_ID"]),
        (&json!("PHONE"), &json!("VOXIMPLANT_CALL"))
    );
    let bindings = call(&t, "crm.activity.binding.list", json!({"activityId": id}))["result"].clone();
    assert_eq!(bindings, json!([{"entityTypeId": 2, "entityId": 1}, {"entityTypeId": 3, "entityId": 1}]));
    assert_eq!(with("SUBJECT", json!("")), "The field SUBJECT is not defined or empty");
    assert_eq!(with("TYPE_ID", json!(3)), "The field TYPE_ID is not defined or invalid");
    assert_eq!(with("RESPONSIBLE_ID", json!(0)), "The field RESPONSIBLE_ID is not defined or invalid");
    assert_eq!(with("COMMUNICATIONS", json!([])), "The field COMMUNICATIONS is not defined or invalid");
    let two = json!([{"VALUE": "+1"}, {"VALUE": "+2"}]);
    assert_eq!(
        with("COMMUNICATIONS", two),
        "The only one communication is allowed for activity of specified type"
    );
    assert!(with("OWNER_ID", json!(999_999)).starts_with("Could not build binding."));
    assert!(with("TYPE_ID", json!(6)).starts_with("The custom activity without provider"));
    assert_eq!(with("PROVIDER_ID", json!("REST_APP")), "Application context required");
    assert_eq!(
        with("PROVIDER_ID", json!("CONFIGURABLE_REST_APP")),
        "Use crm.activity.configurable.add for this activity provider"
    );
    done(&t, "crm.activity.update", json!({"id": id, "fields": {"SUBJECT": "Talk", "END_TIME": ""}}));
    assert_eq!(done(&t, "crm.activity.get", json!({"id": id}))["SUBJECT"], "Talk");
    let todo =
        json!({"ownerTypeId": 2, "ownerId": 1, "deadline": "2025-10-01T10:00:00+03:00", "title": "Ring"});
    let todo = done(&t, "crm.activity.todo.add", todo)["id"].clone();
    assert_eq!(done(&t, "crm.activity.get", json!({"id": todo}))["PROVIDER_ID"], "CRM_TODO");
    assert_eq!(done(&t, "crm.activity.delete", json!({"id": id})), true);
    assert_eq!(failure(&t, "crm.activity.delete", json!({"id": id})).1, "Activity is not found");
    // The deal's own goes with the deal; what hangs on the contact too stays.
    let shared = done(&t, "crm.activity.add", json!({"fields": fields}));
    done(&t, "crm.deal.delete", json!({"id": 1}));
    assert!(call(&t, "crm.activity.get", json!({"id": todo})).get("error").is_some());
    done(&t, "crm.activity.get", json!({"id": shared}));
}

#[test]
fn sheet_16_5_comments() {
    let t = whole();
    let add = |fields: Value| call(&t, "crm.timeline.comment.add", json!({"fields": fields}));
    let files = json!([["a.txt", "YQ=="]]);
    let made = add(json!({"ENTITY_ID": 1, "ENTITY_TYPE": "deal", "COMMENT": "Hello", "FILES": files}));
    let id = made["result"].clone();
    let got = done(&t, "crm.timeline.comment.get", json!({"id": id}));
    assert_eq!((&got["COMMENT"], &got["AUTHOR_ID"]), (&json!("Hello"), &json!("1")));
    assert_eq!(got["FILES"].as_object().unwrap().len(), 1);
    let listed = || {
        let filter = json!({"ENTITY_ID": 1, "ENTITY_TYPE": "deal"});
        let rows = call(&t, "crm.timeline.comment.list", json!({"filter": filter}))["result"].clone();
        rows.as_array().unwrap().iter().filter(|r| r["ID"] == json!(id.to_string())).count()
    };
    assert_eq!(listed(), 1);
    let update = json!({"id": id, "fields": {"COMMENT": "Bye", "FILES": []}});
    assert_eq!(done(&t, "crm.timeline.comment.update", update), id);
    assert!(done(&t, "crm.timeline.comment.get", json!({"id": id})).get("FILES").is_none());
    assert_eq!(
        error(&add(json!({"ENTITY_ID": 999_999, "ENTITY_TYPE": "deal", "COMMENT": "x"}))).0,
        "OWNER_NOT_FOUND"
    );
    assert_eq!(
        error(&add(json!({"ENTITY_ID": 1, "ENTITY_TYPE": "deal", "COMMENT": ""}))).0,
        "INVALID_ARG_VALUE"
    );
    assert_eq!(failure(&t, "crm.timeline.comment.add", json!({"FIELDS": {}})).0, "100", "lower case only");
    let other = failure(&t, "crm.timeline.comment.delete", json!({"id": id, "ownerTypeId": 3, "ownerId": 1}));
    assert_eq!(other, (json!("NOT_FOUND"), "Not found.".into()));
    assert_eq!(done(&t, "crm.timeline.comment.delete", json!({"id": id})), Value::Null);
    assert_eq!((listed(), failure(&t, "crm.timeline.comment.get", json!({"id": id})).0), (0, json!("")));
}

#[test]
fn sheet_16_6_custom_fields() {
    let t = whole();
    let add = |fields: Value| call(&t, "crm.deal.userfield.add", json!({"fields": fields}));
    let list = json!([{"VALUE": "Red"}, {"VALUE": ""}, {"VALUE": "Blue", "XML_ID": "b"}]);
    let made = add(
        json!({"USER_TYPE_ID": "enumeration", "FIELD_NAME": "uf_color", "LABEL": "Colour", "LIST": list}),
    );
    let id = made["result"].clone();
    let listed = || {
        let filter = json!({"FIELD_NAME": "UF_CRM_COLOR", "LANG": "en"});
        call(&t, "crm.deal.userfield.list", json!({"filter": filter}))["result"][0].clone()
    };
    let field = listed();
    assert_eq!((&field["EDIT_FORM_LABEL"], field["LIST"].as_array().unwrap().len()), (&json!("Colour"), 2));
    let described = call(&t, "crm.deal.fields", json!({}))["result"]["UF_CRM_COLOR"].clone();
    assert_eq!(
        (&described["type"], &described["items"][1]["VALUE"]),
        (&json!("enumeration"), &json!("Blue"))
    );
    let red = field["LIST"][0]["ID"].clone();
    let deal = done(&t, "crm.deal.add", json!({"fields": {"TITLE": "x", "UF_CRM_COLOR": red}}));
    assert_eq!(done(&t, "crm.deal.get", json!({"id": deal}))["UF_CRM_COLOR"], red);
    let change =
        json!({"LIST": [{"ID": red, "DEL": "Y"}, {"VALUE": "Green"}], "EDIT_FORM_LABEL": {"en": "Color"}});
    done(&t, "crm.deal.userfield.update", json!({"id": id, "fields": change}));
    let values: Vec<_> = listed()["LIST"].as_array().unwrap().iter().map(|o| o["VALUE"].clone()).collect();
    assert_eq!(
        (values, &listed()["EDIT_FORM_LABEL"]),
        (vec![json!("Blue"), json!("Green")], &json!("Color"))
    );
    assert_eq!(done(&t, "crm.deal.userfield.get", json!({"id": id}))["EDIT_FORM_LABEL"]["en"], "Color");
    let text = |answer: Value| error(&answer).1;
    assert_eq!(text(add(json!({"FIELD_NAME": "A"}))), "The 'USER_TYPE_ID' field is not found.");
    assert_eq!(text(add(json!({"USER_TYPE_ID": "string"}))), "The 'FIELD_NAME' field is not found.");
    let odd = |kind: &str, name: &str| error(&add(json!({"USER_TYPE_ID": kind, "FIELD_NAME": name}))).0;
    assert_eq!(
        text(add(json!({"USER_TYPE_ID": "odd", "FIELD_NAME": "A"}))),
        "Incorrect custom type specified."
    );
    assert_eq!(
        (odd("string", &"A".repeat(44)), odd("string", "A-B")),
        (json!("ERROR_CORE"), json!("ERROR_CORE"))
    );
    done(&t, "crm.deal.userfield.delete", json!({"id": id}));
    assert!(done(&t, "crm.deal.get", json!({"id": deal})).get("UF_CRM_COLOR").is_none());
    let gone = failure(&t, "crm.deal.userfield.delete", json!({"id": id}));
    assert_eq!(gone, (json!("ERROR_NOT_FOUND"), format!("The entity with ID '{id}' is not found")));
    t.with_settings(|s| s.admin = false);
    assert_eq!(error(&add(json!({"USER_TYPE_ID": "string", "FIELD_NAME": "A"}))).1, "Access denied.");
}

#[test]
fn sheet_16_6_pipelines_bring_their_stages() {
    let t = whole();
    let add = |fields: Value| call(&t, "crm.category.add", json!({"entityTypeId": 2, "fields": fields}));
    let made = add(json!({"name": "Service", "sort": -5}))["result"]["category"].clone();
    let id = made["id"].as_i64().unwrap();
    assert_eq!(made, json!({"id": id, "name": "Service", "sort": 0, "entityTypeId": 2, "isDefault": "N"}));
    let stages = || {
        call(&t, "crm.status.list", json!({"filter": {"ENTITY_ID": format!("DEAL_STAGE_{id}")}}))["result"]
            .clone()
    };
    let of = |semantics: Value| {
        stages().as_array().unwrap().iter().filter(|s| s["SEMANTICS"] == semantics).count()
    };
    assert_eq!((of(json!("S")), of(Value::Null) > 0, of(json!("F")) > 0), (1, true, true));
    let deal =
        done(&t, "crm.item.add", json!({"entityTypeId": 2, "fields": {"categoryId": id}}))["item"].clone();
    assert_eq!(deal["stageId"], format!("C{id}:NEW"));
    let filled = failure(&t, "crm.category.delete", json!({"entityTypeId": 2, "id": id}));
    assert_eq!(filled.0, 0);
    let moved = done(
        &t,
        "crm.item.update",
        json!({"entityTypeId": 2, "id": deal["id"], "fields": {"categoryId": 0}}),
    );
    assert_eq!(moved["item"]["stageId"], "NEW");
    assert_eq!(done(&t, "crm.category.delete", json!({"entityTypeId": 2, "id": id})), Value::Null);
    assert_eq!(stages(), json!([]));
    assert_eq!(failure(&t, "crm.category.delete", json!({"entityTypeId": 2, "id": 0})).0, 0);
    assert_eq!(error(&add(json!({"name": " "}))), (json!(0), "Field 'NAME' is required".into()));
    let code =
        |kind: i64| failure(&t, "crm.category.add", json!({"entityTypeId": kind, "fields": {"name": "x"}})).0;
    assert_eq!(
        (code(1), code(4), code(999)),
        (json!("ENTITY_TYPE_NOT_SUPPORTED"), json!("ADDING_DISABLED"), json!("NOT_FOUND"))
    );
}

#[test]
fn sheet_16_6_directories_take_entries() {
    let t = whole();
    let add = |fields: Value| call(&t, "crm.status.add", json!({"fields": fields}));
    let id =
        add(json!({"ENTITY_ID": "SOURCE", "STATUS_ID": "FAIR", "NAME": "Fair", "SORT": 5}))["result"].clone();
    let got = done(&t, "crm.status.get", json!({"id": id}));
    assert_eq!((&got["STATUS_ID"], &got["SORT"], &got["SYSTEM"]), (&json!("FAIR"), &json!("5"), &json!("N")));
    let again = error(&add(json!({"ENTITY_ID": "SOURCE", "STATUS_ID": "FAIR", "NAME": "x"})));
    assert_eq!(again, (json!("ERROR_CORE"), "The specified status ID already exists.".into()));
    for (fields, text) in [
        (json!({}), "The field ENTITY_ID is required."),
        (json!({"ENTITY_ID": "SOURCE"}), "The field STATUS_ID is required."),
        (json!({"ENTITY_ID": "NONE"}), "Specified entity type is not supported."),
        (json!({"ENTITY_ID": "SOURCE", "STATUS_ID": "X"}), "The field Title is required."),
    ] {
        assert_eq!(error(&add(fields)), (json!(""), text.into()));
    }
    let behind =
        error(&add(json!({"ENTITY_ID": "DEAL_STAGE", "STATUS_ID": "LATE", "NAME": "Late", "SORT": 99_999})));
    assert!(behind.1.starts_with("Cannot create more stages after the final stage"), "{behind:?}");
    done(&t, "crm.status.update", json!({"id": id, "fields": {"NAME": "Trade fair", "COLOR": "#FFFFFF"}}));
    assert_eq!(done(&t, "crm.status.get", json!({"id": id}))["NAME"], "Trade fair");
    assert_eq!(done(&t, "crm.status.delete", json!({"id": id})), true);
    assert_eq!(
        failure(&t, "crm.status.get", json!({"id": id})),
        (json!("Status is not found."), "Status is not found.".into())
    );
    let stage = call(
        &t,
        "crm.status.list",
        json!({"filter": {"ENTITY_ID": "DEAL_STAGE", "STATUS_ID": "NEW"}}),
    )["result"][0]["ID"]
        .clone();
    assert!(failure(&t, "crm.status.delete", json!({"id": stage})).1.contains("FORCED"));
    let forced = failure(&t, "crm.status.delete", json!({"id": stage, "params": {"FORCED": "Y"}})).1;
    assert_eq!(forced, "There are active items in this status.");
}

#[test]
fn sheet_16_6_a_smart_process_is_made_with_its_fields() {
    let t = whole();
    let fields = json!({"title": "Repairs", "entityTypeId": 1040, "isStagesEnabled": "Y", "isClientEnabled": "Y",
        "relations": {"parent": [{"entityTypeId": 2}]}});
    let made = done(&t, "crm.type.add", json!({"fields": fields}))["type"].clone();
    assert_eq!((&made["isSourceEnabled"], &made["isSetOpenPermissions"]), (&json!("N"), &json!("Y")));
    assert_eq!(made["relations"]["parent"][0]["entityTypeId"], 2);
    let types = call(&t, "crm.type.list", json!({}))["result"]["types"].clone();
    assert!(types.as_array().unwrap().iter().any(|row| row["entityTypeId"] == 1040));
    let name = format!("UF_CRM_{}_PUMP", made["id"]);
    let field = json!({"entityId": format!("CRM_{}", made["id"]), "fieldName": name, "userTypeId": "string"});
    let field = done(&t, "userfieldconfig.add", json!({"moduleId": "crm", "field": field}))["field"].clone();
    assert_eq!(field["fieldName"], name);
    let item = json!({"title": "One", "contactIds": [1, 2], "parentId2": 1, name.as_str(): "X1"});
    let args = json!({"entityTypeId": 1040, "useOriginalUfNames": "Y", "fields": item});
    let item = done(&t, "crm.item.add", args)["item"].clone();
    assert_eq!(
        (&item["contactIds"], &item["parentId2"], &item[&name]),
        (&json!([1, 2]), &json!(1), &json!("X1"))
    );
    assert!(item["stageId"].as_str().unwrap().starts_with("DT1040_"), "{item}");
    assert!(item.get("sourceId").is_none());
    let id = made["id"].clone();
    assert_eq!(failure(&t, "crm.type.delete", json!({"id": id})).0, "BX_ERROR");
    done(&t, "crm.item.delete", json!({"entityTypeId": 1040, "id": item["id"]}));
    assert_eq!(
        done(&t, "userfieldconfig.delete", json!({"moduleId": "crm", "id": field["id"]})),
        Value::Null
    );
    assert_eq!(done(&t, "crm.type.delete", json!({"id": id})), json!([]));
    let range = failure(&t, "crm.type.add", json!({"fields": {"title": "x", "entityTypeId": 31}}));
    assert_eq!(range, (json!("INVALID_ARG_VALUE"), "entityTypeId is out of allowed range".into()));
}

#[test]
fn sheet_16_2_quotes_and_products() {
    let t = whole();
    assert_eq!(failure(&t, "crm.quote.add", json!({"fields": {}})).0, "");
    let quote = done(&t, "crm.quote.add", json!({"fields": {"TITLE": "x".repeat(300), "CONTACT_IDS": [1]}}));
    let got = done(&t, "crm.quote.get", json!({"id": quote}));
    assert_eq!((got["TITLE"].as_str().unwrap().len(), &got["CONTACT_ID"]), (255, &json!("1")));
    assert_eq!(failure(&t, "crm.quote.update", json!({"id": 99999, "fields": {}})).1, "Quote is not found");
    assert_eq!(
        failure(&t, "crm.quote.delete", json!({"id": 99999})),
        (json!("ERROR_CORE"), "Element not found".into())
    );
    let product = json!({"NAME": "Pump", "PRICE": 10});
    let id = done(&t, "crm.product.add", json!({"fields": product}));
    let price = || done(&t, "crm.product.get", json!({"id": id}))["PRICE"].clone();
    assert!(price().is_null() || price() == "", "a price needs its currency");
    done(&t, "crm.product.update", json!({"id": id, "fields": {"PRICE": 10, "CURRENCY_ID": "EUR"}}));
    assert_eq!(price(), "10.00");
    assert_eq!(done(&t, "crm.product.delete", json!({"id": id})), true);
    t.with_settings(|s| s.admin = false);
    assert_eq!(failure(&t, "crm.product.add", json!({"fields": {"NAME": "x"}})).1, "Access denied.");
}
