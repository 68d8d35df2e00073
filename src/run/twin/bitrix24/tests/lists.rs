//! Classic lists: paging, filters, masks (sheet 4, 7, 10).

use super::*;
use crate::run::twin::bitrix24::{Dialects, NoTotal};

#[test]
fn sheet_4_1_offsets_hoist_total_and_next_and_cover_everything() {
    let t = twin(120);
    let mut start = Some(0);
    let mut seen = Vec::new();
    while let Some(at) = start {
        let a = call(&t, "crm.company.list", json!({"order": {"ID": "ASC"}, "start": at}));
        assert_eq!(a["total"], 120);
        seen.extend(ids(&a));
        start = a["next"].as_i64();
    }
    assert_eq!(seen, (1..=120).map(|i| i * 3).collect::<Vec<_>>());
}

#[test]
fn sheet_4_1_classic_start_is_rounded_down_to_a_page() {
    let t = twin(120);
    let at = |start: i64| ids(&call(&t, "crm.deal.list", json!({"order": {"ID": "ASC"}, "start": start})));
    assert_eq!(at(25), at(0));
    assert_eq!(at(99), at(50));
    assert_eq!(at(150), Vec::<i64>::new());
}

#[test]
fn sheet_4_1_lore_a_page_behind_the_end_may_repeat_the_last() {
    let dialects = Dialects { repeat_last_page: true, ..Dialects::default() };
    let t = Twin::new(portal(120), Settings { dialects, ..calm() });
    let a = call(&t, "crm.deal.list", json!({"order": {"ID": "ASC"}, "start": 500}));
    assert_eq!(ids(&a).len(), 20);
    assert_eq!(a.get("next"), None);
}

#[test]
fn sheet_4_2_minus_one_skips_the_count() {
    let t = twin(120);
    let (mut last, mut seen) = (0, Vec::<i64>::new());
    loop {
        let a = call(
            &t,
            "crm.contact.list",
            json!({"order": {"ID": "ASC"}, "filter": {">ID": last}, "start": -1}),
        );
        assert_eq!((a.get("next"), a["total"].as_i64()), (None, Some(0)));
        let page = ids(&a);
        seen.extend(&page);
        if page.len() < 50 {
            break;
        }
        last = *page.last().unwrap();
    }
    assert_eq!(seen.len(), 120);
    let dialects = Dialects { no_total: NoTotal::Absent, ..Dialects::default() };
    let t = Twin::new(portal(3), Settings { dialects, ..calm() });
    assert_eq!(call(&t, "crm.contact.list", json!({"start": -1})).get("total"), None);
}

#[test]
fn sheet_4_2_without_an_order_id_windows_lose_rows() {
    let t = twin(120);
    // The direction falls by the request's own text: some windows come from the far end.
    let first =
        |last: i64| ids(&call(&t, "crm.company.list", json!({"filter": {">ID": last}, "start": -1})))[0];
    let lost = (0..40).filter(|last| first(*last) > last + 3).count();
    assert!(lost > 5 && lost < 35, "{lost}");
    assert_eq!(first(7), first(7));
}

#[test]
fn sheet_7_unknown_classic_filter_keys_are_dropped_silently() {
    let t = twin(5);
    assert_eq!(call(&t, "crm.deal.list", json!({"filter": {"TITEL": "Deal 1"}}))["total"], 5);
    assert_eq!(call(&t, "crm.deal.list", json!({"filter": {"TITLE": "Deal 1"}}))["total"], 1);
    let e = t.handle(&request("crm.deal.list", &json!({"filter": "x"})), T0);
    assert_eq!(e.status, 400);
    assert_eq!(body(&e), json!({"error": "", "error_description": "Parameter 'filter' must be array."}));
}

#[test]
fn sheet_7_prefixes() {
    let t = twin(10);
    let n = |filter: Value| call(&t, "crm.deal.list", json!({ "filter": filter }))["total"].as_i64().unwrap();
    assert_eq!(n(json!({">OPPORTUNITY": "95"})), 1);
    assert_eq!(n(json!({"<=OPPORTUNITY": 20.5})), 2);
    assert_eq!(n(json!({"%TITLE": "deal 1"})), 2);
    assert_eq!(n(json!({"=%TITLE": "% 1"})), 1);
    assert_eq!(n(json!({"!%TITLE": "1"})), 8);
    assert_eq!(n(json!({"@ID": [3, 6, 7]})), 2);
    assert_eq!(n(json!({"ID": ["3", "6"]})), 2);
    assert_eq!(n(json!({"!@ID": ["3", "6"]})), 8);
    assert_eq!(n(json!({"!STAGE_ID": "NEW"})), 5);
    // LIKE does not work on stages.
    assert_eq!(n(json!({"%STAGE_ID": "NEW"})), 0);
    assert_eq!(n(json!({"CLOSEDATE": ""})), 10);
    assert_eq!(n(json!({"!CURRENCY_ID": ""})), 10);
    // 10:00+03:00 is 07:00Z; a bare time is the portal's own.
    assert_eq!(n(json!({">DATE_MODIFY": "2024-01-10T07:00:00Z"})), 1);
    assert_eq!(n(json!({">=DATE_MODIFY": "2024-01-10 10:00:00"})), 2);
    assert_eq!(n(json!({"CONTACT_ID": "3"})), 1);
    let phone = call(&t, "crm.contact.list", json!({"filter": {"PHONE": "+15553"}}));
    assert_eq!(ids(&phone), [3]);
}

#[test]
fn sheet_7_masks_and_the_multifield_rule() {
    let t = twin(2);
    t.with_portal(|p| p.records.get_mut(&Entity::Contact).unwrap().get_mut(&6).unwrap().remove("PHONE"));
    let rows = |select: Value| {
        call(&t, "crm.contact.list", json!({"order": {"ID": "ASC"}, "select": select}))["result"].clone()
    };
    let all = rows(Value::Null);
    assert!(all[0].get("PHONE").is_none() && all[0].get("COMPANY_IDS").is_none());
    assert_eq!(all[0]["COMPANY_ID"], "3");
    let phones = rows(json!(["PHONE"]));
    assert_eq!(phones[0]["ID"], "3");
    assert_eq!(phones[0]["PHONE"][0]["VALUE"], "+15553");
    assert_eq!(phones[0].as_object().unwrap().len(), 2);
    assert_eq!(phones[1], json!({"ID": "6"}));
    assert_eq!(rows(json!(["NAME"]))[1], json!({"NAME": "Even"}));
    let custom = call(&t, "crm.company.list", json!({"select": ["UF_*"]}));
    assert!(custom["result"][0].as_object().unwrap().keys().all(|k| k.starts_with("UF_")));
    let got = call(&t, "crm.contact.get", json!({"ID": 3}));
    assert_eq!(got["result"]["PHONE"][0]["TYPE_ID"], "PHONE");
    assert_eq!(got.get("total"), None);
}

#[test]
fn sheet_7_stages_sort_by_their_sort() {
    let t = twin(10);
    let a = call_raw(&t, "crm.deal.list", r#"{"order":{"STAGE_ID":"DESC","ID":"DESC"}}"#);
    assert_eq!(ids(&a), [30, 24, 18, 12, 6, 27, 21, 15, 9, 3]);
}

#[test]
fn sheet_1_4_blanks_are_spelled_in_every_way_and_always_alike() {
    let t = twin(200);
    let mut spellings = std::collections::BTreeMap::<String, std::collections::BTreeSet<String>>::new();
    for start in [0, 50, 100, 150] {
        let args = json!({"order": {"ID": "ASC"}, "start": start});
        let a = call(&t, "crm.company.list", args.clone());
        assert_eq!(a["result"], call(&t, "crm.company.list", args)["result"]);
        for row in a["result"].as_array().unwrap() {
            for key in ["LEAD_ID", "UF_CRM_TAGS", "REVENUE", "UF_CRM_FILE", "CONTACT_ID", "HAS_PHONE"] {
                let spelled = row.get(key).map_or("absent".into(), Value::to_string);
                spellings.entry(key.into()).or_default().insert(spelled);
            }
        }
    }
    let of = |key: &str| spellings[key].iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(of("LEAD_ID"), ["\"\"", "\"0\"", "null"]);
    assert_eq!(of("UF_CRM_TAGS"), ["\"\"", "[]", "false"]);
    assert_eq!(of("UF_CRM_FILE"), ["absent"]);
    assert_eq!(of("CONTACT_ID"), ["absent"]);
    assert_eq!(of("HAS_PHONE"), ["\"N\""]);
}

#[test]
fn sheet_10_3_links_in_both_directions() {
    let t = twin(4);
    let a = call(&t, "crm.contact.company.items.get", json!({"id": 3}));
    let first = json!({"COMPANY_ID": 3, "SORT": 10, "ROLE_ID": 0, "IS_PRIMARY": "Y"});
    assert_eq!(a["result"], json!([first, {"COMPANY_ID": 6, "SORT": 20, "ROLE_ID": 0, "IS_PRIMARY": "N"}]));
    assert_eq!(a.get("total"), None);
    let back = call(&t, "crm.company.contact.items.get", json!({"id": 6}));
    let contacts: Vec<_> =
        back["result"].as_array().unwrap().iter().map(|l| l["CONTACT_ID"].as_i64().unwrap()).collect();
    assert_eq!(contacts, [6, 3]);
    assert_eq!(call(&t, "crm.contact.company.items.get", json!({"id": 999}))["result"], json!([]));
    let bad = t.handle(&request("crm.contact.company.items.get", &json!({})), T0);
    assert_eq!(bad.status, 200);
    assert_eq!(body(&bad)["error"], "");
    assert_eq!(call(&t, "crm.deal.contact.items.get", json!({"id": 3}))["result"][0]["CONTACT_ID"], 3);
    // An edit by people drops the remembered reverse table.
    t.with_portal(|p| p.contact_companies.clear());
    assert_eq!(call(&t, "crm.company.contact.items.get", json!({"id": 6}))["result"], json!([]));
}

#[test]
fn windows_by_id_over_a_large_table() {
    let mut p = portal(1);
    let table = p.records.get_mut(&Entity::Company).unwrap();
    for id in 10..200_000 {
        table.insert(id, record(json!({ "TITLE": "x" })));
    }
    let t = Twin::new(p, calm());
    for n in 0..100 {
        let args = json!({"order": {"ID": "ASC"}, "filter": {">ID": n * 1900}, "start": -1});
        assert_eq!(ids(&call(&t, "crm.company.list", args)).len(), 50);
    }
    assert_eq!(call(&t, "crm.company.list", json!({"order": {"ID": "ASC"}}))["total"], 199_991);
}
