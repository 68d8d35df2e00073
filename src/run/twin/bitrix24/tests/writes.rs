//! Classic writes (sheet 16.1, 16.2).

use super::*;

#[test]
fn sheet_16_2_add_fills_defaults_and_ignores_unknown_names() {
    let t = twin(3);
    let id =
        call(&t, "crm.deal.add", json!({"fields": {"TITEL": "x", "ID": 99, "OPPORTUNITY": 12.5}}))["result"]
            .clone();
    assert_eq!(id, 10);
    let deal = call(&t, "crm.deal.get", json!({ "id": id }))["result"].clone();
    let expected = json!({
        "ID": "10", "TITLE": "Deal #10", "OPPORTUNITY": "12.50", "STAGE_ID": "NEW", "STAGE_SEMANTIC_ID": "P",
        "CLOSED": "N", "CATEGORY_ID": "0", "BEGINDATE": "2025-09-09T00:00:00+03:00",
        "CLOSEDATE": "2025-09-16T00:00:00+03:00", "ASSIGNED_BY_ID": "1", "DATE_CREATE": "2025-09-09T16:31:11+03:00",
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&deal[key], value, "{key}");
    }
    assert_eq!(
        call(&t, "crm.company.add", json!({}))["error_description"],
        "Parameter 'fields' must be array."
    );
    assert!(call(&t, "crm.deal.add", json!({"fields": {"CURRENCY_ID": "XXX"}})).get("error").is_some());
}

#[test]
fn sheet_16_1_multifields_are_added_replaced_and_deleted_by_id() {
    let t = twin(1);
    let phones = || call(&t, "crm.contact.get", json!({"id": 3}))["result"].get("PHONE").cloned();
    let write = |phone: Value| {
        call(&t, "crm.contact.update", json!({"id": 3, "fields": {"PHONE": phone}}))["result"].clone()
    };
    assert_eq!(write(json!([{"VALUE": "+2", "VALUE_TYPE": "HOME"}])), true);
    let two = phones().unwrap();
    assert_eq!(
        (&two[0]["VALUE"], &two[1]["VALUE"], &two[1]["VALUE_TYPE"]),
        (&json!("+15553"), &json!("+2"), &json!("HOME"))
    );
    write(json!([{"ID": "30", "VALUE": "+3"}]));
    assert_eq!(phones().unwrap()[0]["VALUE"], "+3");
    write(json!([{"ID": "30", "DELETE": "Y"}, {"ID": two[1]["ID"], "VALUE": ""}]));
    assert_eq!(phones(), None);
    assert_eq!(
        call(&t, "crm.contact.get", json!({"id": 3}))["result"]["DATE_MODIFY"],
        "2025-09-09T16:31:11+03:00"
    );
}

#[test]
fn sheet_16_2_a_stage_change_settles_the_deal_and_the_pipeline_stays() {
    let t = twin(1);
    call(&t, "crm.deal.update", json!({"id": 3, "fields": {"STAGE_ID": "WON", "CATEGORY_ID": 1}}));
    let deal = call(&t, "crm.deal.get", json!({"id": 3}))["result"].clone();
    assert_eq!(
        (&deal["STAGE_SEMANTIC_ID"], &deal["CLOSED"], &deal["CATEGORY_ID"]),
        (&json!("S"), &json!("Y"), &json!("0"))
    );
    assert_eq!(deal["MOVED_TIME"], "2025-09-09T16:31:11+03:00");
}

#[test]
fn sheet_16_2_missing_records_and_deletes() {
    let t = twin(2);
    let error = |method: &str| {
        let a = call(&t, method, json!({"id": 999, "fields": {}}));
        (a["error"].as_str().unwrap().to_owned(), a["error_description"].as_str().unwrap().to_owned())
    };
    assert_eq!(error("crm.company.update"), (String::new(), "Company is not found".into()));
    assert_eq!(error("crm.contact.delete"), ("ERROR_CORE".into(), "Element not found".into()));
    assert_eq!(error("crm.deal.delete"), (String::new(), "Not found".into()));
    assert_eq!(call(&t, "crm.company.delete", json!({"id": 3}))["result"], true);
    assert_eq!(call(&t, "crm.company.list", json!({}))["total"], 1);
    assert_eq!(
        call(&t, "crm.contact.company.items.get", json!({"id": 3}))["result"].as_array().unwrap().len(),
        1
    );
}

#[test]
fn sheet_16_1_link_sets_replace_and_a_bare_primary_joins() {
    let t = twin(3);
    call(&t, "crm.contact.update", json!({"id": 3, "fields": {"COMPANY_IDS": [9, 6]}}));
    let links = || call(&t, "crm.contact.company.items.get", json!({"id": 3}))["result"].clone();
    assert_eq!((&links()[0]["COMPANY_ID"], &links()[0]["IS_PRIMARY"]), (&json!(9), &json!("Y")));
    call(&t, "crm.contact.update", json!({"id": 3, "fields": {"COMPANY_ID": 3}}));
    assert_eq!(links().as_array().unwrap().len(), 3);
    assert_eq!(call(&t, "crm.contact.get", json!({"id": 3}))["result"]["COMPANY_ID"], "3");
}
