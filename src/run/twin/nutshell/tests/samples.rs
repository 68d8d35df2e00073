//! The shapes of live and documented samples; skipped where the reference material is not at hand.

use std::path::Path;

use serde_json::{Value, json};

use super::*;

/// A sample's text, or none with a line that says so.
fn sample(name: &str) -> Option<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let places = ["../shared/reference", "../../shared/reference"];
    let found = places
        .iter()
        .find_map(|place| std::fs::read_to_string(root.join(place).join("nutshell/samples").join(name)).ok());
    if found.is_none() {
        println!("skipped: the sample `{name}` is not at hand");
    }
    found
}

pub(super) fn sample_json(name: &str) -> Option<Value> {
    sample(name).map(|text| serde_json::from_str(&text).unwrap())
}

/// Every key of the sample is there, with a value of the same JSON type unless one of them is null.
fn covers(ours: &Value, theirs: &Value, path: &str, ignore: &[&str]) {
    match (ours, theirs) {
        (Value::Object(mine), Value::Object(sample)) => {
            for (key, value) in sample.iter().filter(|(key, _)| !ignore.contains(&key.as_str())) {
                let found = mine.get(key).unwrap_or_else(|| panic!("`{path}.{key}` is missing in {ours}"));
                covers(found, value, &format!("{path}.{key}"), ignore);
            }
        }
        (Value::Array(mine), Value::Array(sample)) => {
            if let (Some(first), Some(other)) = (mine.first(), sample.first()) {
                covers(first, other, &format!("{path}[]"), ignore);
            }
        }
        (Value::Null, _) | (_, Value::Null) => {}
        // Documentation prints placeholders such as "<User stub>", and `[]` for empty maps.
        (_, Value::String(text)) if text.starts_with('<') => {}
        (Value::Array(list), Value::Object(_)) => assert!(list.is_empty(), "{path}"),
        _ => assert_eq!(
            std::mem::discriminant(ours),
            std::mem::discriminant(theirs),
            "{path}: {ours} {theirs}"
        ),
    }
}

/// A twin with one record of each kind, fully linked.
fn furnished() -> Twin {
    let twin = live();
    twin.with(|company| {
        let product = super::super::agenda::Product {
            head: super::super::agenda::Head::seeded(3),
            name: "One day course".into(),
            sku: None,
            kind: "0".into(),
            unit: String::new(),
            description: None,
            prices: Default::default(),
        };
        company.agenda.products.insert(3, product);
    });
    let account = call(&twin, "newAccount", json!({"account": {
        "name": "BestBuy", "industryId": 1, "phone": {"home": "995-505-7619"}, "url": ["http://a.example"],
        "email": "a@x.example", "address": {"office": {"city": "X"}}, "territoryId": 1, "description": "d",
    }}))["id"].clone();
    let contact =
        contact(&twin, json!({"name": "Joan Smith", "accounts": [{"id": account, "relationship": "CEO"}]}));
    lead(
        &twin,
        json!({
            "description": "First", "accounts": [{"id": account, "relationship": "x"}], "contacts": [{"id": contact, "relationship": "y"}],
            "products": [{"id": 3, "quantity": 1, "price": {"currency_shortname": "USD", "amount": 24999}}], "tags": ["Urgent"],
            "assignee": {"entityType": "Teams", "id": 1}, "dueTime": "2026-05-31T15:51:00+0000", "confidence": 85,
        }),
    );
    twin
}

#[test]
fn rpc_shapes() {
    let twin = furnished();
    for (name, method, params, ignore) in [
        ("rpc.findLeads.full.json", "findLeads", json!({"query": {}, "stubResponses": false}), &[][..]),
        ("rpc.findLeads.stub.json", "findLeads", json!({"query": {}}), &[]),
        ("rpc.findUsers.json", "findUsers", json!({}), &[]),
        ("rpc.findTeams.json", "findTeams", json!({}), &[]),
        ("rpc.findStagesets.json", "findStagesets", json!({}), &[]),
        ("rpc.findMilestones.json", "findMilestones", json!({}), &[]),
        ("rpc.findActivityTypes.json", "findActivityTypes", json!({}), &[]),
    ] {
        let Some(sample) = sample_json(name) else {
            return;
        };
        covers(&call(&twin, method, params), &sample["result"], name, ignore);
    }
    let account = call(&twin, "getAccount", json!([3]));
    if let Some(sample) = sample_json("rpc.account.documented.json") {
        covers(&account, &sample, "account", &["deletedTime", "mail", "0", "assistant"]);
    }
    if let Some(sample) = sample_json("rpc.lead.documented.json") {
        covers(&call(&twin, "getLead", json!([3])), &sample, "lead", &["deletedTime"]);
    }
    if let Some(sample) = sample_json("rpc.newContact.response.assembled.json") {
        covers(&call(&twin, "getContact", json!([3])), &sample["result"], "contact", &["email"]);
    }
    if let Some(sample) = sample_json("rpc.product.documented.json") {
        // A documented id is a text, a documented price only its class.
        let mut product = call(&twin, "getProduct", json!([3]));
        product["id"] = json!("3");
        product["sku"] = json!("x");
        covers(&product, &sample, "product", &["prices"]);
    }
    if let Some(sample) = sample_json("rpc.findActivities.stub.json") {
        let activity = json!({"name": "x", "activityTypeId": 1, "startTime": 1, "endTime": 2});
        call(&twin, "newActivity", json!({"activity": activity}));
        let stub = call(&twin, "findActivities", json!({"query": {}}))[0].clone();
        assert_eq!(keys(&stub), keys(&sample["result"][0]));
        covers(&stub, &sample["result"][0], "activity", &[]);
    }
    if let Some(sample) = sample_json("rpc.note.documented.json") {
        let note = call(&twin, "newNote", json!({"entity": {"entityType": "Leads", "id": 3}, "note": "x"}));
        covers(&note, &sample, "note", &["files"]);
    }
}

#[test]
fn rpc_errors_are_the_samples() {
    let twin = live();
    account(&twin, "A");
    let send = |auth: &str, method: &str, params: Value| {
        let body = json!({"jsonrpc": "2.0", "id": "1", "method": method, "params": params}).to_string();
        json_of(&twin.handle(&request("POST", "/api/v1/json", auth, body.as_bytes()), NOW))
    };
    let stale = json!([3, "9", {}]);
    for (name, auth, method, params) in [
        ("rpc.error.401.api-key.json", WRONG, "getUser", json!({})),
        ("rpc.error.404.method.json", ADMIN, "nope", json!({})),
        ("rpc.error.409.rev.live.json", ADMIN, "editAccount", stale),
    ] {
        let Some(sample) = sample_json(name) else {
            return;
        };
        assert_eq!(send(auth, method, params), sample, "{name}");
    }
}

/// Requests of the samples are taken, once the ids in them exist.
#[test]
fn sample_requests_are_taken() {
    let twin = furnished();
    let send = |name: &str, change: fn(&mut Value)| {
        let Some(mut body) = sample_json(name) else {
            return;
        };
        change(&mut body["params"]);
        let response = twin.handle(&request("POST", "/api/v1/json", ADMIN, body.to_string().as_bytes()), NOW);
        assert_eq!(response.status, 200, "{name}: {}", json_of(&response));
    };
    send("rpc.newContact.request.json", |_| {});
    send("rpc.newAccount.request.json", |params| params["account"]["contacts"][0]["id"] = json!(3));
    send("rpc.newLead.request.json", |params| {
        let lead = &mut params["lead"];
        lead["primaryAccount"]["id"] = json!(3);
        lead["contacts"][0]["id"] = json!(3);
        lead["products"][0]["id"] = json!(3);
        lead["assignee"]["id"] = json!(2);
    });
    send("rpc.newTag.request.json", |_| {});
    send("rpc.newSource.request.json", |_| {});
    send("rpc.newNote.request.json", |params| params["entity"]["id"] = json!(3));
    send("rpc.newActivity.request.json", |params| {
        let activity = &mut params["activity"];
        activity["leads"][0]["id"] = json!(3);
        activity["participants"][0]["id"] = json!(3);
        activity["participants"][1]["id"] = json!(2);
    });
    let take = |name: &str, path: &str, status: u16, change: fn(&mut Value)| {
        let Some(mut body) = sample_json(name) else { return };
        change(&mut body);
        assert_eq!(rest(&twin, "POST", path, body).0, status, "{name}");
    };
    take("rest.activities.create.request.json", "/activities", 201, |body| {
        body["activities"][0]["links"]["participants"] = json!(["3-contacts", "3-users"]);
    });
    take("rest.notes.create.request.json", "/notes", 201, |_| {});
    take("rest.tasks.create.request.json", "/tasks", 200, |_| {});
    take("rest.leads.create.request.json", "/leads", 201, |body| {
        let lead = &mut body["leads"][0];
        lead.as_object_mut().unwrap().remove("customFields");
        lead["links"]["accounts"] = json!(["3-accounts"]);
        lead["links"]["contacts"] = json!(["3-contacts"]);
        lead["links"]["tags"] = json!(["5-tags"]);
        lead["links"]["productMaps"][0]["links"]["product"] = json!("3-products");
    });
    send("rpc.editLead.stage.request.json", |params| {
        (params["leadId"], params["rev"]) = (json!(3), json!("2"))
    });
    send("rpc.editLead.close.outcomeId.request.json", |params| {
        (params["leadId"], params["rev"]) = (json!(3), json!("3"))
    });
}

#[test]
fn rest_shapes() {
    let twin = furnished();

    if let Some(sample) = sample_json("rest.accounts.list.json") {
        let ours = get(&twin, "/accounts");
        assert_eq!(keys(&ours), keys(&sample));
        assert_eq!(keys(&ours["meta"]), keys(&sample["meta"]));
        assert_eq!(
            keys(&ours["meta"]["facets"]["accountType"]),
            keys(&sample["meta"]["facets"]["accountType"])
        );
        covers(&ours, &sample, "accounts", &[]);
    }
    for (name, target, resource) in [
        ("rest.account.full.json", "/accounts/3-accounts", "accounts"),
        ("rest.lead.json", "/leads/3-leads", "leads"),
    ] {
        let Some(sample) = sample_json(name) else {
            return;
        };
        let ours = get(&twin, target);
        assert_eq!(keys(&ours[resource][0]), keys(&sample[resource][0]), "{name}");
        assert_eq!(keys(&ours[resource][0]["links"]), keys(&sample[resource][0]["links"]), "{name}");
        covers(&ours, &sample, name, &["amount"]);
    }
    if let Some(sample) = sample_json("rest.note.json") {
        rest(&twin, "POST", "/notes", json!({"data": {"body": "x", "links": {"parent": "3-contacts"}}}));
        let ours = get(&twin, "/notes/3");
        assert_eq!(keys(&ours["notes"][0]), keys(&sample["notes"][0]));
        covers(&ours, &sample, "note", &[]);
    }
    if let Some(sample) = sample_json("rest.list.fields.response.json") {
        let ours = get(&twin, "/leads/list/fields");
        covers(&ours["properties"]["status"], &sample["properties"]["exampleProperty"], "field", &[]);
    }
}

#[test]
fn rest_errors_are_the_samples() {
    let twin = live();
    let two = json!({"accounts": [{"name": "a"}, {"name": "b"}]});
    if let Some(sample) = sample_json("rest.error.400.one-per-request.json") {
        assert_eq!(rest(&twin, "POST", "/accounts", two).1, sample);
    }
    if let Some(sample) = sample_json("rest.error.400.invalid-page.json") {
        assert_eq!(rest(&twin, "GET", "/accounts?page[page]=-1", Value::Null).1, sample);
    }
    if let Some(sample) = sample("rest.error.404.html") {
        let response = twin.handle(&request("GET", "/rest/nope", ADMIN, b""), NOW);
        assert_eq!(String::from_utf8(response.body).unwrap().trim(), sample.trim());
    }
    if let Some(sample) = sample_json("rest.accounts.create.response.json") {
        let ours = rest(&twin, "POST", "/accounts", json!({"accounts": [{"name": "Blueberry"}]}));
        assert_eq!(ours.0, 201);
        assert_eq!(keys(&ours.1["accounts"][0]), keys(&sample["accounts"][0]));
        for key in ["name", "emails", "initials", "description"] {
            assert_eq!(ours.1["accounts"][0][key], sample["accounts"][0][key], "{key}");
        }
        assert_eq!(ours.1["accounts"][0]["links"], sample["accounts"][0]["links"]);
    }
}
