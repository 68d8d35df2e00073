//! Estimates, products, rows, Smart Processes, activities, comments (sheet 10.6 to 10.8, 10.12, 10.15, 10.16).

use super::*;

fn acme() -> Twin {
    Twin::new(Portal::acme(0.2, 3), calm())
}

fn first(twin: &Twin, entity: Entity) -> i64 {
    twin.with_portal(|p| *p.records[&entity].keys().next().unwrap())
}

#[test]
fn sheet_10_7_rows_of_one_owner_and_of_several() {
    let t = acme();
    let owners: Vec<i64> = t.with_portal(|p| {
        p.rows.keys().filter(|(e, _)| *e == Entity::Deal).map(|(_, id)| *id).take(40).collect()
    });
    let mut singly = Vec::new();
    for id in &owners {
        let answer = call(&t, "crm.deal.productrows.get", json!({ "id": id }));
        for row in answer["result"].as_array().unwrap() {
            assert_eq!(row["OWNER_ID"], json!(id.to_string()));
            assert!(
                row["PRODUCT_ID"].is_number() && row["PRICE"].is_number() && row["PRICE_ACCOUNT"].is_string()
            );
            singly.push(row["ID"].as_str().unwrap().parse::<i64>().unwrap());
        }
    }
    singly.sort_unstable();
    let mut together = Vec::new();
    let mut start = 0;
    loop {
        let args = json!({ "filter": {"=ownerType": "D", "=ownerId": owners}, "order": {"id": "ASC"}, "start": start });
        let answer = call(&t, "crm.item.productrow.list", args);
        let rows = answer["result"]["productRows"].as_array().unwrap();
        together.extend(rows.iter().map(|row| row["id"].as_i64().unwrap()));
        assert_eq!(answer["total"], json!(singly.len()));
        match answer["next"].as_i64() {
            Some(next) => start = next,
            None => break,
        }
    }
    assert_eq!(together, singly);
    let refused = call(&t, "crm.item.productrow.list", json!({ "filter": {"=ownerType": "D"} }));
    assert_eq!(refused["error"], "100");
}

#[test]
fn sheet_10_7_rows_make_the_sum_that_is_not_made_by_hand() {
    let t = acme();
    let mut checked = 0;
    t.with_portal(|p| {
        for ((entity, id), rows) in p.rows.iter().filter(|((e, _), _)| *e == Entity::Deal) {
            let deal = &p.records[entity][id];
            if deal["IS_MANUAL_OPPORTUNITY"] != "N" {
                continue;
            }
            let decimal = |v: &Value| v.to_string().parse::<rust_decimal::Decimal>().unwrap();
            let sum: rust_decimal::Decimal =
                rows.iter().map(|row| decimal(&row["PRICE"]) * decimal(&row["QUANTITY"])).sum();
            let told: rust_decimal::Decimal = deal["OPPORTUNITY"].as_str().unwrap().parse().unwrap();
            assert_eq!(sum, told, "deal {id}");
            checked += 1;
        }
    });
    assert!(checked > 10);
}

#[test]
fn sheet_10_8_products_drop_the_star() {
    let t = acme();
    let keys = |select: Value| {
        let answer = call(&t, "crm.product.list", json!({ "select": select, "order": {"ID": "ASC"} }));
        let rows = answer["result"].as_array().unwrap().clone();
        rows.iter()
            .flat_map(|r| r.as_object().unwrap().keys().cloned())
            .collect::<std::collections::BTreeSet<_>>()
    };
    assert!(keys(json!([])).contains("PRICE"));
    assert_eq!(keys(json!(["*", "ID", "NAME"])), ["ID", "NAME"].map(String::from).into());
    assert!(keys(json!(["ID", "PROPERTY_*"])).contains("PROPERTY_258"));
}

#[test]
fn sheet_10_12_a_process_describes_itself() {
    let t = acme();
    let types = call(&t, "crm.type.list", json!({}));
    let kind = &types["result"]["types"][0];
    assert_eq!((&kind["entityTypeId"], &kind["title"]), (&json!(1032), &json!("Equipment")));
    let args = json!({ "entityTypeId": 1032, "useOriginalUfNames": "Y" });
    let fields = call(&t, "crm.item.fields", args)["result"]["fields"].clone();
    assert_eq!(fields["parentId4"]["upperName"], "PARENT_ID_4");
    assert_eq!(fields["UF_CRM_5_SERIAL"]["type"], "string");
    assert!(
        call(&t, "crm.item.fields", json!({ "entityTypeId": 1032 }))["result"]["fields"]["ufCrm5Serial"]
            .is_object()
    );
    let categories = call(&t, "crm.category.list", json!({ "entityTypeId": 1032 }));
    assert_eq!(categories["result"]["categories"][0]["isDefault"], "Y");
    let items =
        call(&t, "crm.item.list", json!({ "entityTypeId": 1032, "select": ["*"], "order": {"id": "ASC"} }));
    let item = &items["result"]["items"][0];
    assert!(item["id"].is_i64() && item["stageId"].as_str().unwrap().starts_with("DT1032_"));
    assert_eq!(call(&t, "crm.item.list", json!({ "entityTypeId": 999 }))["error"], "NOT_FOUND");
}

#[test]
fn sheet_10_15_communications_come_only_when_named_and_bindings_never() {
    let t = acme();
    let list =
        |select: Value| call(&t, "crm.activity.list", json!({ "select": select, "order": {"ID": "ASC"} }));
    let has =
        |answer: &Value, key: &str| answer["result"].as_array().unwrap().iter().any(|r| r.get(key).is_some());
    let plain = list(json!(["*"]));
    assert!(!has(&plain, "COMMUNICATIONS") && !has(&plain, "FILES") && has(&plain, "SUBJECT"));
    let named = list(json!(["*", "COMMUNICATIONS", "FILES", "BINDINGS"]));
    assert!(has(&named, "COMMUNICATIONS") && has(&named, "FILES") && !has(&named, "BINDINGS"));
    let id = first(&t, Entity::Activity);
    let bindings = call(&t, "crm.activity.binding.list", json!({ "activityId": id }));
    assert!(bindings["result"][0]["entityTypeId"].is_i64());
    assert_eq!(call(&t, "crm.activity.binding.list", json!({ "activityId": 999_999 }))["error"], "NOT_FOUND");
}

#[test]
fn sheet_10_16_comments_want_their_owner() {
    let t = acme();
    let id = first(&t, Entity::Comment);
    let (kind, owner) = t.with_portal(|p| {
        let row = &p.records[&Entity::Comment][&id];
        (row["ENTITY_TYPE"].clone(), row["ENTITY_ID"].clone())
    });
    let args = json!({ "filter": {"ENTITY_TYPE": kind, "ENTITY_ID": owner}, "order": {"ID": "ASC"} });
    let answer = call(&t, "crm.timeline.comment.list", args);
    assert!(ids(&answer).contains(&id));
    assert!(
        answer["result"]
            .as_array()
            .unwrap()
            .iter()
            .all(|r| r["ENTITY_ID"] == owner && r["ENTITY_TYPE"] == kind)
    );
    assert_eq!(call(&t, "crm.timeline.comment.list", json!({ "filter": {"ENTITY_ID": owner} }))["error"], "");
}

#[test]
fn a_portal_without_them_has_no_such_methods() {
    let t = twin(2);
    for method in ["crm.quote.list", "crm.product.fields", "crm.activity.list", "crm.timeline.comment.fields"]
    {
        assert_eq!(call(&t, method, json!({}))["error"], "ERROR_METHOD_NOT_FOUND", "{method}");
    }
    assert_eq!(call(&t, "crm.type.list", json!({}))["result"]["types"], json!([]));
}
