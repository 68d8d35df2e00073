//! REST: lists, filters, patches, custom fields, trash, errors.

use serde_json::{Value, json};

use super::*;

fn make(twin: &Twin, resource: &str, input: Value) -> Value {
    let (status, mut body) = rest(twin, "POST", &format!("/{resource}"), json!({resource: [input]}));
    assert!(status == 200 || status == 201, "{status} {body}");
    body[resource][0].take()
}

fn patch(twin: &Twin, target: &str, ops: Value) -> (u16, Value) {
    rest(twin, "PATCH", target, ops)
}

/// §3.2: statuses and bodies of the refusals.
#[test]
fn errors() {
    let twin = live();
    let bad = twin.handle(&request("GET", "/rest/accounts", WRONG, b""), NOW);
    assert_eq!((bad.status, bad.headers[0].1.as_str()), (401, "text/html; charset=UTF-8"));
    for target in ["/nowhere", "/accounts/99", "/accounts/3-contacts", "/accounts/x", "", "/leads/3/nope"] {
        let (status, body) = rest(&twin, "GET", target, Value::Null);
        assert!(status == 404 && body.as_str().unwrap().starts_with("<!DOCTYPE html>"), "{target} {status}");
    }
    let (status, body) =
        rest(&twin, "POST", "/accounts", json!({"accounts": [{"name": "a"}, {"name": "b"}]}));
    assert_eq!(
        (status, &body["errors"][0]["title"]),
        (400, &json!("You may only create one accounts resource per request."))
    );
    let (status, body) = rest(&twin, "GET", "/accounts?page[page]=-1", Value::Null);
    assert_eq!((status, &body["errors"][0]["detail"]), (400, &json!("Invalid page number: -1")));
    assert_eq!(rest(&twin, "GET", "/accounts?page[limit]=10001", Value::Null).0, 400);
    assert_eq!(rest(&twin, "GET", "/accounts?filter[nope]=1", Value::Null).0, 400);
    assert_eq!(rest(&twin, "GET", "/leads?sort=id", Value::Null).0, 400);
    let (_, body) =
        rest(&twin, "POST", "/contacts", json!({"contacts": [{"name": "N", "customFields": {"Nope": "1"}}]}));
    assert_eq!(body["errors"][0]["title"], "Field Nope is not a custom field");
}

/// §3.2: pages count from 0, the counts stay past the end.
#[test]
fn pages() {
    let twin = live();
    for name in ["b", "a", "c", "e", "d"] {
        make(&twin, "accounts", json!({"name": name}));
    }
    let page = get(&twin, "/accounts?page%5Bpage%5D=1&page%5Blimit%5D=2");
    assert_eq!((names(&page["accounts"]), &page["meta"]["count"]), (vec!["c".into(), "d".into()], &json!(5)));
    let past = get(&twin, "/accounts?page[page]=9");
    assert_eq!((&past["accounts"], &past["meta"]["total"]), (&json!([]), &json!(5)));
    assert_eq!(names(&get(&twin, "/accounts?sort=-name&page[limit]=1")["accounts"]), ["e"]);
    assert_eq!(page["meta"]["facets"]["accountType"]["1-accountTypes"], 5);
    let two = get(&twin, "/accounts/3-accounts,7");
    assert_eq!(two["accounts"].as_array().unwrap().len(), 2);
}

/// §3.2: filters by custom field, name, e-mail, links, number, time.
#[test]
fn filters() {
    let twin = live();
    field(&twin, "contacts", json!({"name": "Bitrix24 key", "type": "Text"}));
    let account = make(&twin, "accounts", json!({"name": "Globex"}))["id"].clone();
    let one = make(
        &twin,
        "contacts",
        json!({
            "name": "Joan Smith", "emails": [{"value": "Joan@x.example"}], "links": {"accounts": [account]},
            "customFields": {"Bitrix24 key": "acme/contact/7"},
            "addresses": [{"name": "office", "value": {"city": "Ann Arbor", "country": "US"}}],
        }),
    );
    assert_eq!(
        (one["emails"][0]["name"].as_str(), one["name"].as_str()),
        (Some("email"), Some("Joan Smith"))
    );
    assert!(one.get("customFields").is_none());
    make(
        &twin,
        "contacts",
        json!({"name": "Jane Smith", "customFields": {"Bitrix24 key": "acme/contact/8"}}),
    );
    for (filter, count) in [
        ("filter[Bitrix24%20key]=acme/contact/7", 1),
        ("filter[Bitrix24+key]=acme%2Fcontact%2F8", 1),
        ("filter[Bitrix24+key]=acme/contact", 0),
        ("filter[Bitrix24+key][]=acme/contact/7&filter[Bitrix24+key][]=acme/contact/8", 2),
        ("filter[name]=joan%20smith", 1),
        ("email=joan@x.example", 1),
        ("q=smith", 2),
        ("q=smi+jo", 1),
        ("filter[accounts]=3", 1),
        ("filter[address][country]=us", 1),
        ("filter[tag]=VIP", 0),
        ("filter[createdTime]=2026-01-05T00:00:00+TO+2026-01-05T23:59:59", 2),
        ("filter[createdTime]=%3E2026-01-06", 0),
    ] {
        assert_eq!(get(&twin, &format!("/contacts?{filter}"))["meta"]["count"], count, "{filter}");
    }
    lead(&twin, json!({"description": "L"}));
    assert_eq!(get(&twin, "/leads?filter[number]=>999&filter[status]=open")["meta"]["count"], 1);
    assert_eq!(get(&twin, "/leads?filter[number]=>1020")["meta"]["count"], 0);
    let fields = get(&twin, "/contacts/list/fields");
    assert!(keys(&fields["properties"]).contains(&"Bitrix24 key".to_owned()));
    let values = get(&twin, "/contacts/3-contacts/customfields");
    assert_eq!(values["customFields"][0]["value"], "acme/contact/7");
}

/// §3.2: PATCH is a JSON Patch with its own media type and path grammar.
#[test]
fn patches() {
    let twin = live();
    field(&twin, "contacts", json!({"name": "A/B ~ C", "type": "Text"}));
    let (a, b) = (account(&twin, "A"), account(&twin, "B"));
    let id = contact(&twin, json!({"name": "Joan Smith", "accounts": [{"id": a, "relationship": "CEO"}]}));
    let target = format!("/contacts/{id}-contacts");
    let mut wrong = request("PATCH", &format!("/rest{target}"), ADMIN, b"[]");
    wrong.headers.pop();
    let wrong = twin.handle(&wrong, NOW);
    assert_eq!(
        (wrong.status, json_of(&wrong)),
        (415, json!("application/json-patch+json is required, see http://jsonapi.org"))
    );
    let (status, body) = patch(&twin, &target, json!([]));
    assert_eq!((status, &body["errors"][0]["title"]), (400, &json!("No patches sent")));
    let ops = json!([
        {"op": "replace", "path": "/contacts/0/firstName", "value": "Nutty"},
        {"op": "replace", "path": "contacts/0/emails", "value": [{"name": "home", "value": "h@x.example"}, {"isPrimary": true, "name": "work", "value": "w@x.example"}]},
        {"op": "add", "path": "/contacts/0/links/accounts/-", "value": format!("{b}-accounts")},
        {"op": "replace", "path": "/contacts/0/A~1B ~0 C", "value": "x"},
    ]);
    assert_eq!(patch(&twin, &target, ops), (204, json!("")));
    let now = call(&twin, "getContact", json!([id]));
    assert_eq!(now["name"]["displayName"], "Nutty Smith");
    assert_eq!(
        now["email"],
        json!({"home": "h@x.example", "work": "w@x.example", "--primary": "w@x.example"})
    );
    assert_eq!(now["customFields"]["A/B ~ C"], "x");
    // The title of a link that stays is kept.
    assert_eq!((names(&now["accounts"]).len(), &now["accounts"][0]["relationship"]), (2, &json!("CEO")));
    let remove = json!([{"op": "remove", "path": format!("/accounts/0/links/contacts/{id}-contacts")}]);
    assert_eq!(patch(&twin, &format!("/accounts/{a}"), remove).0, 204);
    assert_eq!(names(&call(&twin, "getContact", json!([id]))["accounts"]), ["B"]);
    let clear = json!([{"op": "replace", "path": "/contacts/0/links/accounts", "value": []}]);
    assert_eq!(patch(&twin, &target, clear).0, 204);
    assert_eq!(call(&twin, "getContact", json!([id]))["accounts"], json!([]));
    for path in [
        "/contacts/1/firstName",
        "/contacts/firstName",
        "/leads/0/firstName",
        "/contacts/0/nope",
        "/contacts/0/customFields",
        "",
    ] {
        assert_eq!(
            patch(&twin, &target, json!([{"op": "replace", "path": path, "value": "x"}])).0,
            400,
            "{path}"
        );
    }
    // All or nothing.
    let half = json!([
        {"op": "replace", "path": "/contacts/0/firstName", "value": "Half"},
        {"op": "replace", "path": "/contacts/0/nope", "value": "x"},
    ]);
    assert_eq!(patch(&twin, &target, half).0, 400);
    assert_eq!(call(&twin, "getContact", json!([id]))["name"]["givenName"], "Nutty");
}

/// §5, §5.1: a lead through REST.
#[test]
fn leads() {
    let twin = live();
    let made = make(
        &twin,
        "leads",
        json!({
            "description": "Car Wash Inc.", "manualValue": "999.99", "dueTime": {"timestamp": 1756322819},
            "links": {"accounts": [{"name": "Inline Ltd"}], "sources": ["2-sources"], "owner": "4-users"},
        }),
    );
    assert_eq!(
        (&made["value"]["amount"], &made["value"]["formatted"]),
        (&json!("999.99"), &json!("$999.99"))
    );
    assert_eq!(
        (&made["links"]["accounts"], &made["links"]["owner"]),
        (&json!(["3-accounts"]), &json!("4-users"))
    );
    assert_eq!(
        (&made["number"], &made["status"], &made["name"]),
        (&json!("1000"), &json!("open"), &json!("Car Wash Inc."))
    );
    let ops = json!([{"op": "replace", "path": "/leads/0/manualValue", "value": "5000.00"}]);
    assert_eq!(patch(&twin, "/leads/3", ops).0, 204);
    assert_eq!(get(&twin, "/leads/3-leads")["leads"][0]["value"]["formatted"], "$5,000.00");
    let ops = json!([{"op": "replace", "path": "/leads/0/valueToProductMode"}]);
    assert_eq!(patch(&twin, "/leads/3", ops).0, 204);
    assert_eq!(get(&twin, "/leads/3-leads")["leads"][0]["value"]["amount"], 0);
    let (status, body) = rest(
        &twin,
        "POST",
        "/leads/3/status",
        json!({"outcomeId": "1-outcomes", "competitorMaps": [], "productMaps": []}),
    );
    assert_eq!((status, &body["leads"][0]["status"]), (200, &json!("won")));
    assert_eq!(rest(&twin, "POST", "/leads/3-leads/reopen", json!({})).1["leads"][0]["status"], "open");
    let (_, body) = rest(&twin, "POST", "/leads/3/stageset", json!({"stageset": "2-stagesets"}));
    assert_eq!(
        (&body["leads"][0]["links"]["stageset"], &body["leads"][0]["links"]["stage"]),
        (&json!("2-stagesets"), &json!("106-stages"))
    );
    assert_eq!(get(&twin, "/leads/3/stages")["stages"].as_array().unwrap().len(), 3);
}

/// §6: definitions.
#[test]
fn custom_field_definitions() {
    let twin = live();
    field(
        &twin,
        "accounts",
        json!({"name": "Segment", "type": "Decision", "choices": ["A", "B"], "isMultiple": false}),
    );
    field(&twin, "contacts", json!({"name": "Segment", "type": "Text"}));
    for (resource, input) in [
        ("accounts", json!({"name": "Segment", "type": "Text"})),
        ("accounts", json!({"name": "X", "type": "text"})),
        ("accounts", json!({"name": "X", "type": "Phone"})),
        ("accounts", json!({"name": "X", "type": "Number"})),
        ("accounts", json!({"name": "", "type": "Text"})),
        ("accounts", json!({"type": "Text"})),
        ("accounts", json!({"name": "X", "type": "Decision"})),
    ] {
        assert_eq!(rest(&twin, "POST", &format!("/{resource}/customfield"), input.clone()).0, 400, "{input}");
    }
    field(&twin, "leads", json!({"name": "Mobile", "type": "Phone"}));
    let found = get(&twin, "/accounts/customfields/attributes");
    let row = &found["customFields"][0];
    assert_eq!(keys(row), ["choices", "id", "isMultiple", "name", "title", "type"]);
    assert_eq!((&row["choices"], &row["isMultiple"]), (&json!(["A", "B"]), &json!(false)));
}

/// §8: deletes are soft, undelete loses tags and company links, deletions are listed.
#[test]
fn trash() {
    let twin = live();
    let company = account(&twin, "A");
    let id = contact(&twin, json!({"name": "Joan", "accounts": [{"id": company}], "tags": ["VIP"]}));
    assert_eq!(rest(&twin, "DELETE", &format!("/contacts/{id}-contacts"), Value::Null), (204, json!("")));
    assert_eq!(rest(&twin, "DELETE", &format!("/contacts/{id}"), Value::Null).0, 404);
    assert_eq!(get(&twin, "/contacts")["meta"]["count"], 0);
    assert_eq!(get(&twin, "/contacts?q=joan")["meta"]["count"], 0);
    assert_eq!(call(&twin, "findContacts", json!({})), json!([]));
    assert!(call(&twin, "getContact", json!([id]))["deletedTime"].is_string());
    assert_eq!(call(&twin, "getAccount", json!([company]))["contacts"], json!([]));
    assert_eq!(refused(&twin, "deleteContact", json!([id, "REV_IGNORE"])).0, 404);
    let events = get(&twin, "/events/deleted");
    assert_eq!(events["events"][0]["links"]["payloads"], json!([format!("{id}-contacts")]));
    assert_eq!(rest(&twin, "POST", &format!("/contacts/{id}/undelete"), Value::Null).0, 200);
    let back = call(&twin, "getContact", json!([id]));
    assert_eq!((back.get("deletedTime"), &back["tags"], &back["accounts"]), (None, &json!([]), &json!([])));
    assert_eq!(get(&twin, "/contacts?q=joan")["meta"]["count"], 1);
    // §8: accounts and leads go one at a time.
    account(&twin, "B");
    assert_eq!(rest(&twin, "DELETE", "/accounts/3,7", Value::Null).0, 400);
    let (status, body) = rest(&twin, "DELETE", "/accounts/7", Value::Null);
    assert_eq!((status, &body["accounts"][0]["id"]), (200, &json!("7-accounts")));
}

/// §5: sources, tags, notes, settings.
#[test]
fn reference() {
    let twin = live();
    let (status, body) =
        rest(&twin, "POST", "/sources", json!({"sources": [{"name": "NorthWest", "channel": 3}]}));
    assert_eq!((status, &body["sources"][0]["channel"]["display"]), (201, &json!("Organic social")));
    let deal = lead(&twin, json!({"description": "L"}));
    let tag = json!({"tags": [{"name": "Enterprise", "tagType": "1", "links": {"entities": [format!("{deal}-leads")]}}]});
    assert_eq!(rest(&twin, "POST", "/tags", tag.clone()).0, 200);
    assert_eq!(rest(&twin, "POST", "/tags", tag).0, 400);
    assert_eq!(call(&twin, "getLead", json!([deal]))["tags"], json!(["Enterprise"]));
    let tags = get(&twin, "/tags?filter[tagType]=leads");
    assert_eq!((names(&tags["tags"]).len(), &tags["tags"][2]["count"]), (3, &json!(1)));
    let note = json!({"data": {"body": "Hello", "links": {"parent": format!("{deal}-leads")}}});
    assert_eq!(rest(&twin, "POST", "/notes", note).0, 201);
    assert_eq!(get(&twin, "/notes")["notes"][0]["links"]["parent"], json!(format!("{deal}-leads")));
    assert_eq!(rest(&twin, "DELETE", "/notes/3-notes", Value::Null).0, 200);
    assert_eq!(get(&twin, "/notes")["meta"]["count"], 0);
    for (route, name, count) in [
        ("users", "users", 7),
        ("stagesets", "stagesets", 2),
        ("stages", "stages", 8),
        ("markets", "markets", 3),
        ("outcomes", "outcomes", 6),
        ("industries", "industries", 11),
        ("accounttypes", "accountTypes", 5),
    ] {
        let list = get(&twin, &format!("/{route}"));
        assert_eq!(list[name].as_array().unwrap().len(), count, "{route}");
        let id = list[name][0]["id"].as_str().unwrap();
        assert_eq!(get(&twin, &format!("/{route}/{id}"))[name][0]["id"], id, "{route}");
    }
    assert_eq!(get(&twin, "/users")["users"][0]["permissions"]["canDeleteEntities"], true);
}
