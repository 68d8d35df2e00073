//! Smart Processes and custom fields as they are read back, sort keys and dates that are refused, small look-ups.

use super::*;

fn whole() -> Twin {
    Twin::new(Portal::acme(0.02, 7), calm())
}

fn result(t: &Twin, method: &str, args: Value) -> Value {
    let answer = call(t, method, args.clone());
    assert!(answer.get("error").is_none(), "{method} {args}: {answer}");
    answer["result"].clone()
}

fn refusal(t: &Twin, method: &str, args: Value) -> (Value, String) {
    let answer = call(t, method, args);
    (answer["error"].clone(), answer["error_description"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn sheet_16_6_a_type_without_a_number_gets_one_and_is_read_back() {
    let t = whole();
    let made = result(&t, "crm.type.add", json!({"fields": {"title": "SP"}}))["type"].clone();
    let kind = made["entityTypeId"].as_i64().unwrap();
    assert!(kind > 1032 && kind % 2 == 0, "{made}");
    let second = result(&t, "crm.type.add", json!({"fields": {"title": "SP"}}))["type"].clone();
    assert_ne!(second["entityTypeId"], made["entityTypeId"]);
    assert_eq!(
        refusal(&t, "crm.type.add", json!({"fields": {"entityTypeId": 1050}})).0,
        "CRM_FIELD_ERROR_REQUIRED"
    );
    assert_eq!(result(&t, "crm.type.get", json!({"id": made["id"]}))["type"], made);
    assert_eq!(result(&t, "crm.type.getByEntityTypeId", json!({"entityTypeId": kind}))["type"], made);
    // One that was there from the start has relations too; the list shows none.
    let first = result(&t, "crm.type.getByEntityTypeId", json!({"entityTypeId": 1032}))["type"].clone();
    assert_eq!((&first["title"], &first["relations"]["child"]), (&json!("Equipment"), &json!([])));
    for row in result(&t, "crm.type.list", json!({}))["types"].as_array().unwrap() {
        assert!(row.get("relations").is_none() && row.get("linkedUserFields").is_none(), "{row}");
    }
    let none = (json!("NOT_FOUND"), "Smart process not found".to_owned());
    assert_eq!(refusal(&t, "crm.type.get", json!({"id": 999})), none);
    assert_eq!(refusal(&t, "crm.type.getByEntityTypeId", json!({"entityTypeId": 999})), none);
    assert_eq!(refusal(&t, "crm.type.get", json!({})).0, "100");
    let plain = Twin::new(Portal::acme(0.02, 7), Settings { admin: false, ..calm() });
    assert_eq!(refusal(&plain, "crm.type.get", json!({"id": made["id"]})).0, "ACCESS_DENIED");
}

#[test]
fn sheet_10_11_a_type_with_stages_keeps_a_history() {
    let t = whole();
    let make = |kind: i64, stages: &str| {
        let fields = json!({"title": "SP", "entityTypeId": kind, "isStagesEnabled": stages});
        result(&t, "crm.type.add", json!({"fields": fields}))
    };
    make(1050, "Y");
    make(1052, "N");
    let history =
        |kind: i64| result(&t, "crm.stagehistory.list", json!({"entityTypeId": kind}))["items"].clone();
    assert_eq!(history(1050), json!([]));
    assert_eq!(
        refusal(&t, "crm.stagehistory.list", json!({"entityTypeId": 1052})).0,
        "ENTITY_TYPE_NOT_SUPPORTED"
    );
    let item =
        result(&t, "crm.item.add", json!({"entityTypeId": 1050, "fields": {"title": "One"}}))["item"].clone();
    let stages = t.with_portal(|portal| {
        let of = portal.statuses.iter().filter(|row| {
            row["ENTITY_ID"].as_str().is_some_and(|directory| directory.starts_with("DYNAMIC_1050_STAGE_"))
        });
        of.map(|row| row["STATUS_ID"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    });
    let last = stages.iter().find(|stage| **stage != item["stageId"]).unwrap();
    let args = json!({"entityTypeId": 1050, "id": item["id"], "fields": {"stageId": last}});
    result(&t, "crm.item.update", args);
    let rows = history(1050);
    assert_eq!(rows.as_array().unwrap().len(), 2, "{rows}");
    assert_eq!((&rows[0]["TYPE_ID"], &rows[0]["OWNER_ID"]), (&json!(1), &item["id"]));
    assert_eq!((&rows[1]["STAGE_ID"], &rows[1]["CATEGORY_ID"]), (&json!(last), &item["categoryId"]));
    result(&t, "crm.item.delete", json!({"entityTypeId": 1050, "id": item["id"]}));
    assert_eq!(history(1050), json!([]));
}

#[test]
fn sheet_10_22_fields_are_listed_without_options_and_read_with_them() {
    let t = whole();
    let list = |args: Value| {
        let mut all = json!({"moduleId": "crm"});
        all.as_object_mut().unwrap().extend(args.as_object().unwrap().clone());
        call(&t, "userfieldconfig.list", all)
    };
    let deals = list(json!({"filter": {"entityId": "CRM_DEAL"}}));
    let own = t.with_portal(|portal| portal.userfields[&Entity::Deal].clone());
    assert_eq!(deals["total"], own.len());
    let rows = deals["result"]["fields"].as_array().unwrap().clone();
    assert!(rows.iter().all(|row| row["entityId"] == "CRM_DEAL" && row.get("enum").is_none()));
    assert!(rows.iter().all(|row| row.get("editFormLabel").is_none()));
    let labelled = list(json!({"filter": {"entityId": "CRM_DEAL"}, "select": {"0": "*", "language": "en"}}));
    assert_eq!(labelled["result"]["fields"][0]["editFormLabel"], own[0]["EDIT_FORM_LABEL"]);
    // Pages hold 50 and `start` is an offset; every field of the portal comes once.
    let count = t.with_portal(|portal| portal.userfields.values().map(Vec::len).sum::<usize>());
    let (mut start, mut ids) = (json!(0), Vec::new());
    while start.is_u64() {
        let page = list(json!({ "start": start }));
        ids.extend(page["result"]["fields"].as_array().unwrap().iter().map(|row| row["id"].to_string()));
        start = page["next"].clone();
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count);
    let listed = own.iter().find(|row| row["USER_TYPE_ID"] == "enumeration").unwrap();
    let got =
        result(&t, "userfieldconfig.get", json!({"moduleId": "crm", "id": listed["ID"]}))["field"].clone();
    assert_eq!((&got["fieldName"], &got["id"]), (&listed["FIELD_NAME"], &listed["ID"]));
    assert_eq!(got["enum"][0]["value"], listed["LIST"][0]["VALUE"]);
    assert_eq!(
        refusal(&t, "userfieldconfig.get", json!({"moduleId": "crm", "id": 999_999})).0,
        "ERROR_NOT_FOUND"
    );
    assert_eq!(refusal(&t, "userfieldconfig.list", json!({})).0, "100");
    let narrow =
        Twin::new(Portal::acme(0.02, 7), Settings { scopes: vec!["userfieldconfig".into()], ..calm() });
    assert_eq!(refusal(&narrow, "userfieldconfig.list", json!({"moduleId": "crm"})).0, "insufficient_scope");
}

#[test]
fn sheet_2_2_sort_keys_and_dates_that_are_none_are_refused() {
    let t = whole();
    let sorted = |key: &str| json!({"order": {key: "ASC"}, "select": ["ID"]});
    assert_eq!(
        refusal(&t, "tasks.task.list", sorted("BLAH")),
        (json!("0"), "Invalid sorting key (internal error)".into())
    );
    for key in ["ID", "DEADLINE", "ACTIVITY_DATE", "CREATED_DATE"] {
        result(&t, "tasks.task.list", sorted(key));
    }
    let items = |filter: Value| json!({"entityTypeId": 2, "filter": filter, "select": ["id"]});
    assert_eq!(
        refusal(&t, "crm.item.list", items(json!({">createdTime": "blah"}))),
        (json!("INVALID_ARG_VALUE"), "Invalid filter: field 'createdTime' has invalid value".into())
    );
    for said in ["2020-01-01T00:00:00+03:00", "2020-01-01 00:00:00", "2020-01-01", "2020-01-01T00:00:00Z"] {
        let found = result(&t, "crm.item.list", items(json!({">createdTime": said})));
        assert!(!found["items"].as_array().unwrap().is_empty(), "{said}");
    }
    result(&t, "crm.item.list", items(json!({"!closedate": ""})));
}

#[test]
fn sheet_10_small_lookups() {
    let t = whole();
    let user = t.with_portal(|portal| portal.users.values().next().unwrap().clone());
    let found = result(&t, "user.search", json!({"FIND": user["EMAIL"]}));
    assert_eq!((found.as_array().unwrap().len(), &found[0]["ID"]), (1, &user["ID"]));
    assert_eq!(result(&t, "user.search", json!({"FIND": "nobody@nowhere"})), json!([]));
    assert_eq!(result(&t, "user.fields", json!({}))["LAST_NAME"], "LAST_NAME");
    let (id, mail) = t.with_portal(|portal| {
        let mut all = portal.records[&Entity::Contact].iter();
        all.find_map(|(id, row)| Some((*id, row.get("EMAIL")?.get(0)?.get("VALUE")?.clone()))).unwrap()
    });
    let asked =
        |kind: &str, value: &Value| json!({"type": kind, "values": [value], "entity_type": "CONTACT"});
    let same = result(&t, "crm.duplicate.findbycomm", asked("EMAIL", &mail));
    assert!(same["CONTACT"].as_array().unwrap().contains(&json!(id)), "{same}");
    assert_eq!(result(&t, "crm.duplicate.findbycomm", asked("EMAIL", &json!("x@nowhere"))), json!([]));
    assert_eq!(refusal(&t, "crm.duplicate.findbycomm", asked("FAX", &mail)).0, "Invalid parameters.");
    let kinds = result(&t, "crm.enum.addresstype", json!({}));
    let ids: Vec<i64> = kinds.as_array().unwrap().iter().map(|row| row["ID"].as_i64().unwrap()).collect();
    assert_eq!(ids, [1, 4, 6, 8, 9, 11]);
    let types = result(&t, "crm.userfield.types", json!({}));
    for kind in ["crm_status", "iblock_element"] {
        assert!(types.as_array().unwrap().iter().any(|row| row["ID"] == kind), "{kind}");
    }
    let (comment, on) = t.with_portal(|portal| {
        let (id, row) = portal.records[&Entity::Comment].iter().next().unwrap();
        (*id, row["ENTITY_TYPE"].clone())
    });
    let bound = result(&t, "crm.timeline.bindings.list", json!({"filter": {"OWNER_ID": comment}}));
    assert_eq!(bound[0]["ENTITY_TYPE"], on);
    assert_eq!(refusal(&t, "crm.timeline.bindings.list", json!({})).1, "OWNER_ID is not defined or invalid.");
}
