//! JSON-RPC finds and searches: pages, order, queries.

use serde_json::json;

use super::*;

/// §4: 1-based pages, stubs unless told otherwise, at most 100 full records, order.
#[test]
fn finds() {
    let twin = live();
    for at in 0..120 {
        lead(
            &twin,
            json!({"description": format!("L{at}"), "tags": [if at % 2 == 0 { "Urgent" } else { "Imported" }]}),
        );
    }
    for name in ["banana", "Apple", "cherry"] {
        account(&twin, name);
    }
    let page = |page: i64, limit: i64, stub: bool| json!({"query": {}, "orderBy": "id", "limit": limit, "page": page, "stubResponses": stub});
    let first = call(&twin, "findLeads", page(1, 100, true));
    assert_eq!(
        (first.as_array().unwrap().len(), first[0]["stub"].as_bool(), first[0].get("tags")),
        (100, Some(true), None)
    );
    assert_eq!(call(&twin, "findLeads", page(2, 100, true)).as_array().unwrap().len(), 20);
    assert_eq!(call(&twin, "findLeads", page(3, 100, true)), json!([]));
    assert_eq!(call(&twin, "findLeads", page(1, 500, true)).as_array().unwrap().len(), 120);
    let full = call(&twin, "findLeads", page(1, 500, false));
    assert_eq!((full.as_array().unwrap().len(), full[0].get("stub")), (100, None));
    assert_eq!(refused(&twin, "findLeads", page(0, 10, true)).0, 400);
    assert_eq!(call(&twin, "findLeads", json!({})).as_array().unwrap().len(), 50);
    let down = json!({"query": {}, "orderBy": "id", "orderDirection": "DESC", "limit": 2, "page": 2});
    assert_eq!(ids(&call(&twin, "findLeads", down)), [3 + 4 * 117, 3 + 4 * 116]);
    assert_eq!(names(&call(&twin, "findAccounts", json!({}))), ["Apple", "banana", "cherry"]);
    let tagged = json!({"query": {"tag": ["Urgent"]}, "limit": 100});
    assert_eq!(call(&twin, "findLeads", tagged.clone()).as_array().unwrap().len(), 60);
    call(&twin, "deleteLead", json!([3, "REV_IGNORE"]));
    assert_eq!(call(&twin, "findLeads", tagged).as_array().unwrap().len(), 59);
    assert_eq!(call(&twin, "findLeads", json!({"query": {"number": 1005}}))[0]["description"], "L5");
    // §4: `email` is not among the keys of findContacts.
    assert_eq!(refused(&twin, "findContacts", json!({"query": {"email": "a@b.example"}})).0, 400);
}

#[test]
fn finds_by_links_and_searches() {
    let twin = live();
    let account = account(&twin, "Globex Corporation");
    let a = contact(
        &twin,
        json!({"name": "Hank Scorpio", "email": "Hank@globex.example", "accounts": [{"id": account}]}),
    );
    contact(&twin, json!({"name": "Joan Smith"}));
    let deal = lead(&twin, json!({"description": "Lair", "contacts": [{"id": a}]}));
    let by_account = json!({"query": {"accountId": account}});
    assert_eq!(ids(&call(&twin, "findContacts", by_account.clone())), [a]);
    assert_eq!(ids(&call(&twin, "findLeads", json!({"query": {"contactId": a, "status": 0}}))), [deal]);
    assert_eq!(ids(&call(&twin, "searchContacts", json!(["scorp"]))), [a]);
    assert_eq!(ids(&call(&twin, "searchAccounts", json!({"string": "corporation glob"}))), [account]);
    assert_eq!(ids(&call(&twin, "searchByEmail", json!(["hank@GLOBEX.example"]))["contacts"]), [a]);
    let all = call(&twin, "searchUniversal", json!(["globex"]));
    assert_eq!((ids(&all["accounts"]), ids(&all["contacts"])), (vec![account], vec![a]));
    // A link that was cut from the other end is no longer found.
    call(&twin, "editAccount", json!([account, "REV_IGNORE", {"contacts": []}]));
    assert_eq!(call(&twin, "findContacts", by_account), json!([]));
}
