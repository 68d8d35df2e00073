//! Universal methods: typed values, strict filters, names (sheet 1.4, 7, 8, 10.13).

use super::*;
use crate::run::twin::bitrix24::Dialects;

#[test]
fn sheet_1_4_values_are_typed() {
    let t = twin(3);
    t.with_portal(|p| {
        let row = p.records.get_mut(&Entity::Deal).unwrap().get_mut(&3).unwrap();
        row.insert("UF_CRM_17".into(), json!("79"));
        row.insert("UF_CRM_18".into(), json!("300|USD"));
        let company = p.records.get_mut(&Entity::Company).unwrap().get_mut(&3).unwrap();
        company.insert("UF_CRM_1".into(), json!("1"));
        company.insert("UF_CRM_TAGS".into(), json!(["5", 6]));
    });
    let a = call(&t, "crm.item.list", json!({"entityTypeId": 2, "order": {"id": "ASC"}, "select": ["*"]}));
    let item = &a["result"]["items"][0];
    assert_eq!(a["total"], 3);
    let expected = json!({
        "id": 3, "title": "Deal 1", "opportunity": 10.5, "categoryId": 0, "contactId": 3, "contactIds": [3],
        "ufCrm_17": 79, "ufCrm_18": "300|USD", "entityTypeId": 2, "observers": [], "opened": "N", "closedate": null,
        "currencyId": "USD", "stageId": "NEW", "dateCreateShort": null,
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(item.get(key), Some(value), "{key}");
    }
    assert!(item.get("fm").is_none());
    let company = call(&t, "crm.item.get", json!({"entityTypeId": 4, "id": 3}))["result"]["item"].clone();
    assert_eq!((&company["ufCrm_1"], &company["ufCrmTags"]), (&json!("Y"), &json!([5, 6])));
}

#[test]
fn sheet_7_fm_comes_only_with_the_star() {
    let t = twin(1);
    let item = |select: Value| {
        call(&t, "crm.item.list", json!({"entityTypeId": 3, "select": select}))["result"]["items"][0].clone()
    };
    let fm = json!([{"id": 30, "valueType": "WORK", "value": "+15553", "typeId": "PHONE"}]);
    assert_eq!(item(json!(["*"]))["fm"], fm);
    assert_eq!(item(json!(["id", "fm"])), json!({"id": 3}));
    assert_eq!(
        item(json!(["id", "companyId", "companyIds"])),
        json!({"id": 3, "companyId": 3, "companyIds": [3, 3]})
    );
    assert_eq!(call(&t, "crm.item.get", json!({"entityTypeId": 3, "id": 3}))["result"]["item"]["fm"], fm);
}

#[test]
fn sheet_8_original_names_on_request_and_the_reported_empty_items() {
    let t = twin(1);
    let args =
        json!({"entityTypeId": 2, "useOriginalUfNames": "Y", "select": ["id", "UF_CRM_18", "ufCrm_17"]});
    let item = call(&t, "crm.item.list", args.clone())["result"]["items"][0].clone();
    assert_eq!(item.as_object().unwrap().keys().collect::<Vec<_>>(), ["id", "UF_CRM_18"]);
    let dialects = Dialects { empty_items_on_camel_names: true, ..Dialects::default() };
    let t = Twin::new(portal(1), Settings { dialects, ..calm() });
    assert_eq!(call(&t, "crm.item.list", args)["result"]["items"], json!([[]]));
}

#[test]
fn sheet_7_strict_filters_and_orders() {
    let t = twin(5);
    let list = |rest: Value| {
        let mut args = json!({"entityTypeId": 2});
        args.as_object_mut().unwrap().extend(record(rest));
        call(&t, "crm.item.list", args)
    };
    let text = |rest| list(rest)["error_description"].as_str().unwrap().to_owned();
    assert_eq!(list(json!({"filter": {"TITLE": "x"}}))["error"], "INVALID_ARG_VALUE");
    assert_eq!(
        text(json!({"filter": {"titel": "x"}})),
        "Invalid filter: field 'titel' is not allowed in filter"
    );
    assert_eq!(text(json!({"filter": {">id": [1]}})), "Invalid filter: field 'id' has invalid value");
    assert_eq!(
        text(json!({"order": {"nope": "ASC"}})),
        "Invalid order: field 'nope' is not allowed in order"
    );
    assert_eq!(
        text(json!({"order": {"id": "UP"}})),
        "Invalid order: allowed sort directions are ASC, DESC. But got 'UP' for field 'id'"
    );
    let either =
        json!({"filter": {"0": {"logic": "OR", "0": {"id": 3}, "1": {"%title": "5"}}, "categoryId": 0}});
    assert_eq!(list(either)["total"], 2);
}

#[test]
fn sheet_4_1_offsets_are_exact_and_4_2_id_windows_work() {
    let t = twin(120);
    let a = call(&t, "crm.item.list", json!({"entityTypeId": 3, "order": {"id": "ASC"}, "start": 25}));
    assert_eq!((ids(&a)[0], &a["next"]), (78, &json!(75)));
    let a = call(
        &t,
        "crm.item.list",
        json!({"entityTypeId": 3, "order": {"id": "ASC"}, "filter": {">id": 300}, "start": -1}),
    );
    assert_eq!(ids(&a).len(), 20);
    assert_eq!((a.get("total"), a.get("next")), (None, None));
}

#[test]
fn sheet_2_2_errors_of_the_universal_family() {
    let t = twin(1);
    let error = |method: &str, args: Value| {
        let r = t.handle(&request(method, &args), T0);
        (r.status, body(&r)["error"].clone(), body(&r)["error_description"].as_str().unwrap().to_owned())
    };
    assert_eq!(
        error("crm.item.list", json!({})),
        (400, json!("100"), "Could not find value for parameter {entityTypeId}".into())
    );
    assert_eq!(
        error("crm.item.fields", json!({"entityTypeId": 200})),
        (400, json!("NOT_FOUND"), "Smart process not found".into())
    );
    assert_eq!(
        error("crm.item.get", json!({"entityTypeId": 2, "id": 9})),
        (400, json!("NOT_FOUND"), "Element not found".into())
    );
    assert_eq!(error("crm.item.list", json!({"entityTypeId": 5})).1, "ENTITY_TYPE_NOT_SUPPORTED");
}
