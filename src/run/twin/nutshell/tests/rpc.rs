//! JSON-RPC: envelopes, revs, edits, values, finds.

use serde_json::json;

use super::*;

/// §3.1, the table of September 2026.
#[test]
fn status_follows_the_error() {
    let twin = live();
    let id = account(&twin, "Acme");
    let (status, body) = call_at(&twin, NOW, WRONG, "add", json!([1, 2]));
    assert_eq!((status, &body["error"]["message"]), (401, &json!("API key not found")));
    let (status, body) = call_at(&twin, NOW, GONE, "add", json!([1, 2]));
    assert_eq!((status, &body["error"]["code"]), (401, &json!(401)));
    let (status, body) = call_at(&twin, NOW, ADMIN, "newPipeline", json!({}));
    assert_eq!((status, &body["error"]["code"]), (404, &json!(-32601)));
    let (status, body) =
        call_at(&twin, NOW, ADMIN, "editAccount", json!({"accountId": id, "rev": "7", "account": {}}));
    assert_eq!((status, &body["error"]["message"]), (409, &json!("rev key is out-of-date")));
    let (status, body) = call_at(&twin, NOW, ADMIN, "add", json!([1, 2]));
    assert_eq!((status, keys(&body)), (200, vec!["id".into(), "jsonrpc".into(), "result".into()]));
    assert_eq!(twin.log().errors.get("409"), Some(&1));
    assert_eq!(twin.log().requests.get("add"), Some(&3));
}

/// §3: discovery needs no credentials, and GET describes the service.
#[test]
fn discovery() {
    let twin = live();
    let body =
        json!({"id": 1, "method": "getApiForUsername", "params": {"username": "a@b.example"}}).to_string();
    let response = twin.handle(&request("POST", "/v1/json", "", body.as_bytes()), NOW);
    assert_eq!(json_of(&response)["result"]["api"], "app.nutshell.com");
    assert_eq!(twin.handle(&request("GET", "/api/v1/json", "", b""), NOW).status, 200);
    let (status, _) = call_at(&twin, NOW, "", "add", json!([1, 2]));
    assert_eq!(status, 401);
}

/// §4.1: revs start at "0", count changes, and guard edits and deletes.
#[test]
fn revs_guard_edits() {
    let twin = live();
    let made = call(&twin, "newAccount", json!({"account": {"name": "A"}}));
    assert_eq!((made["rev"].as_str(), made["id"].as_i64()), (Some("0"), Some(3)));
    assert_eq!(account(&twin, "B"), 7);
    let edit = |rev: &str| json!({"accountId": 3, "rev": rev, "account": {"description": "x"}});
    assert_eq!(call(&twin, "editAccount", edit("0"))["rev"], "1");
    assert_eq!(refused(&twin, "editAccount", edit("0")).0, 409);
    assert_eq!(refused(&twin, "editAccount", json!({"accountId": 3, "account": {}})).0, 409);
    assert_eq!(call(&twin, "editAccount", edit("REV_IGNORE"))["rev"], "2");
    assert_eq!(refused(&twin, "deleteAccount", json!([3, "0"])).0, 409);
    assert_eq!(call(&twin, "deleteAccount", json!([3, "2"])), json!(true));
    assert_eq!(refused(&twin, "getAccount", json!([99])).0, 404);
    // §3: a read that names the current rev answers a stub.
    assert_eq!(call(&twin, "getAccount", json!([7, "0"])), json!({"_notModified": true}));
}

/// §4.1: editing A can bump B's rev.
#[test]
fn neighbours_are_bumped() {
    let twin = live();
    let account = account(&twin, "Acme");
    let person =
        contact(&twin, json!({"name": "Joan Smith", "accounts": [{"id": account, "relationship": "CEO"}]}));
    assert_eq!(rev(&twin, "Account", account), "1");
    let deal = lead(
        &twin,
        json!({"description": "Deal", "accounts": [{"id": account}], "contacts": [{"id": person}]}),
    );
    assert_eq!((rev(&twin, "Account", account).as_str(), rev(&twin, "Contact", person).as_str()), ("2", "1"));
    call(&twin, "newNote", json!({"entity": {"entityType": "Leads", "id": deal}, "note": "n"}));
    assert_eq!(rev(&twin, "Lead", deal), "1");
    call(&twin, "deleteLead", json!([deal, "1"]));
    assert_eq!((rev(&twin, "Account", account).as_str(), rev(&twin, "Contact", person).as_str()), ("3", "2"));
}

/// §4.1: absent keys keep their value, a multi-value key replaces the whole list, a note is appended.
#[test]
fn edits_are_partial_and_lists_are_replaced() {
    let twin = live();
    let (a, b) = (account(&twin, "A"), account(&twin, "B"));
    let id = contact(
        &twin,
        json!({
            "name": "Joan Smith", "email": ["a@x.example", "b@x.example"], "description": "d",
            "accounts": [{"id": a, "relationship": "CEO"}, {"id": b}], "note": "first", "tags": ["VIP", "Imported"],
        }),
    );
    let edit = json!({
        "email": {"work": "c@x.example"}, "accounts": [{"id": b, "relationship": "CTO"}], "note": "second", "tags": ["VIP"],
        // §1: read-only keys are ignored.
        "createdTime": "2001-01-01T00:00:00+00:00", "creator": {"id": 2}, "id": 1, "rev": "9", "htmlUrl": "x",
    });
    let now = call(&twin, "editContact", json!({"contactId": id, "rev": "REV_IGNORE", "contact": edit}));
    assert_eq!(now["name"]["displayName"], "Joan Smith");
    assert_eq!(now["description"], "d");
    assert_eq!(now["email"], json!({"work": "c@x.example", "--primary": "c@x.example"}));
    assert_eq!(
        (now["accounts"].as_array().unwrap().len(), &now["accounts"][0]["relationship"]),
        (1, &json!("CTO"))
    );
    assert_eq!(now["notes"].as_array().unwrap().len(), 2);
    assert_eq!(now["tags"], json!(["VIP"]));
    assert_eq!(now["createdTime"], "2026-01-05T10:00:00+0000");
    assert_eq!(call(&twin, "getAccount", json!([a]))["contacts"], json!([]));
    // The job title is the relationship of the link, seen from both ends (§2).
    let from_account = &call(&twin, "getAccount", json!([b]))["contacts"][0];
    assert_eq!((&from_account["relationship"], &from_account["jobTitle"]), (&json!("CTO"), &json!("CTO, B")));
    assert_eq!(twin.links().iter().filter(|(entity, ..)| entity != "Notes").count(), 2);
}

/// §5: multi-value fields in three forms in, one form out, and `[]` when empty.
#[test]
fn multi_values() {
    let twin = live();
    let made = call(
        &twin,
        "newContact",
        json!({"contact": {
            "name": "Joan Smith", "phone": {"0": "734-555-9090", "cell": "734-555-6711"}, "email": "j@x.example",
            "url": ["http://a.example", "http://b.example"], "address": {"office": {"city": "Ann Arbor", "country": "us"}},
        }}),
    );
    assert_eq!(keys(&made["phone"]), ["--primary", "0", "cell"]);
    assert_eq!(made["phone"]["cell"]["E164"], "+17345556711");
    assert_eq!(keys(&made["phone"]["0"]), ["E164", "countryCode", "extension", "number", "numberFormatted"]);
    assert_eq!(made["email"], json!({"0": "j@x.example", "--primary": "j@x.example"}));
    assert_eq!(made["url"]["1"], "http://b.example");
    assert_eq!(made["address"]["office"]["country"], "US");
    assert_eq!(made["name"]["familyName"], "Smith");
    // What was read can be written back.
    let back = json!({"phone": made["phone"], "email": made["email"], "url": made["url"], "address": made["address"]});
    let again =
        call(&twin, "editContact", json!({"contactId": made["id"], "rev": made["rev"], "contact": back}));
    for key in ["phone", "email", "url", "address"] {
        assert_eq!(made[key], again[key], "{key}");
    }
    let empty = json!({"contactId": made["id"], "rev": "1", "contact": {"phone": [], "email": {}}});
    let empty = call(&twin, "editContact", empty);
    assert_eq!((&empty["phone"], &empty["email"]), (&json!([]), &json!([])));
    let marked = json!({"contactId": made["id"], "rev": "2", "contact": {
        "email": {"home": "h@x.example", "work": "w@x.example", "--primary": "w@x.example"},
    }});
    let marked = call(&twin, "editContact", marked);
    assert_eq!(keys(&marked["email"]), ["--primary", "home", "work"]);
    assert_eq!(marked["email"]["--primary"], "w@x.example");
    // The order of keys decides the primary one.
    let body = br#"{"id":1,"method":"newContact","params":{"contact":{"email":{"work":"w@x.example","home":"h@x.example"}}}}"#;
    let made = json_of(&twin.handle(&request("POST", "/api/v1/json", ADMIN, body), NOW));
    assert_eq!(made["result"]["email"]["--primary"], "w@x.example");
    assert_eq!(made["result"]["name"]["displayName"], "w@x.example");
    assert_eq!(refused(&twin, "newContact", json!({"contact": {"description": "nobody"}})).0, 400);
}

/// §6: values by type, and what is refused.
#[test]
fn custom_fields() {
    let twin = live();
    for input in [
        json!({"name": "Key", "type": "Text"}),
        json!({"name": "Budget", "type": "Currency"}),
        json!({"name": "When", "type": "Date"}),
        json!({"name": "Segment", "type": "Decision", "choices": ["A", "B"]}),
        json!({"name": "Likes", "type": "Decision", "choices": ["X", "Y"], "isMultiple": true}),
    ] {
        field(&twin, "leads", input);
    }
    let made = call(
        &twin,
        "newLead",
        json!({"lead": {"description": "L", "customFields": {
            "Key": 17, "Budget": {"currency": "EUR", "amount": "500.50"}, "When": {"timestamp": 1756322819},
            "Segment": "A", "Likes": "X, Y",
        }}}),
    );
    assert_eq!(
        made["customFields"],
        json!({
            "Key": "17", "Budget": {"currency": "EUR", "amount": 500.5}, "When": {"timestamp": 1756322819},
            "Segment": "A", "Likes": "X, Y",
        })
    );
    let error =
        refused(&twin, "newLead", json!({"lead": {"description": "L", "customFields": {"Nope": "1"}}}));
    assert_eq!(error, (400, "Field Nope is not a custom field".to_owned()));
    assert_eq!(refused(&twin, "newLead", json!({"lead": {"customFields": {"Segment": "C"}}})).0, 400);
    assert_eq!(twin.live_count("Leads"), 1);
    // Other types do not know the field, and a record without values has no `customFields`.
    assert_eq!(
        refused(&twin, "newAccount", json!({"account": {"name": "A", "customFields": {"Key": "1"}}})).0,
        400
    );
    assert!(call(&twin, "newAccount", json!({"account": {"name": "A"}})).get("customFields").is_none());
    let edit =
        json!({"leadId": made["id"], "rev": "0", "lead": {"customFields": {"Key": null, "Segment": "B"}}});
    let now = call(&twin, "editLead", edit);
    assert_eq!(keys(&now["customFields"]), ["Budget", "Likes", "Segment", "When"]);
    let defined = call(&twin, "findCustomFields", json!({}));
    assert_eq!(keys(&defined), ["Accounts", "Contacts", "Leads"]);
    assert_eq!(keys(&defined["Leads"][0]), ["id", "name"]);
}

/// §5, §5.1: title, stage, outcome, value, currency.
#[test]
fn leads() {
    let twin = live();
    let made = call(
        &twin,
        "newLead",
        json!({"lead": {"description": "Big", "value": {"currency": "RUB", "amount": "1000.50"}}}),
    );
    assert_eq!((&made["name"], &made["milestone"]["name"]), (&json!("Lead-1000"), &json!("Qualify")));
    // The market decides the currency.
    assert_eq!(made["value"], json!({"currency": "USD", "amount": 1000.5}));
    let edit = |lead| json!({"leadId": made["id"], "rev": "REV_IGNORE", "lead": lead});
    let now =
        call(&twin, "editLead", edit(json!({"market": {"id": 2}, "milestoneId": 103, "confidence": 75})));
    assert_eq!(
        (&now["value"]["currency"], &now["milestone"]["name"]),
        (&json!("EUR"), &json!("Negotiation"))
    );
    // 106 is a stage of the other pipeline.
    assert_eq!(refused(&twin, "editLead", edit(json!({"milestoneId": 106}))).0, 400);
    assert_eq!(refused(&twin, "newLead", json!({"lead": {"stagesetId": 1, "milestoneId": 106}})).0, 400);
    let moved = call(&twin, "editLead", edit(json!({"stagesetId": 2, "milestoneId": 107})));
    assert_eq!(
        (&moved["stageset"]["name"], &moved["milestone"]["name"]),
        (&json!("Service"), &json!("Repair"))
    );
    assert_eq!(call(&twin, "newLead", json!({"lead": {"milestoneId": 106}}))["stageset"]["name"], "Service");
    assert_eq!(
        refused(&twin, "editLead", edit(json!({"status": 10}))),
        (400, "Lead status can only be set to 0 (for reopening)".to_owned())
    );
    let closed =
        call(&twin, "editLead", edit(json!({"outcomeId": 3, "closedTime": "2020-01-01T00:00:00+00:00"})));
    assert_eq!((&closed["status"], &closed["closedTime"]), (&json!(11), &json!("2026-01-05T10:00:00+0000")));
    let open = call(&twin, "editLead", edit(json!({"status": 0})));
    assert_eq!((&open["status"], open.get("closedTime"), open.get("outcome")), (&json!(0), None, None));
    let outcome = json!({"outcome": {"id": 1, "entityType": "Lead_Outcomes", "rev": "0", "type": 10}});
    assert_eq!(call(&twin, "editLead", edit(outcome))["status"], 10);
    assert_eq!(refused(&twin, "newLead", json!({"lead": {"description": "x".repeat(101)}})).0, 400);
    assert_eq!(refused(&twin, "newLead", json!({"lead": {"tags": ["Nope"]}})).0, 400);
    assert_eq!(refused(&twin, "newLead", json!({"lead": {"tags": ["VIP"]}})).0, 400, "a tag of contacts");
    assert_eq!(call(&twin, "newLead", json!({"lead": {"isPending": true}}))["status"], 1);
    assert_eq!(call(&twin, "newLead", json!({"lead": {"description": "ы".repeat(100)}}))["status"], 0);
}

/// §5, live sample: the primary account stands beside the list of the others.
#[test]
fn primary_account() {
    let twin = live();
    let (a, b) = (account(&twin, "A"), account(&twin, "B"));
    let made = call(
        &twin,
        "newLead",
        json!({"lead": {"primaryAccount": {"id": b}, "accounts": [{"id": a}, {"id": b}]}}),
    );
    assert_eq!(
        (&made["primaryAccount"]["name"], names(&made["accounts"])),
        (&json!("B"), vec!["A".to_owned()])
    );
    assert_eq!(
        refused(&twin, "newLead", json!({"lead": {"accounts": [{"id": a, "entityType": "accounts"}]}})).0,
        400
    );
    assert_eq!(refused(&twin, "newLead", json!({"lead": {"accounts": [{"id": 999}]}})).0, 400);
    assert_eq!(
        refused(&twin, "newLead", json!({"lead": {"assignee": {"entityType": "users", "id": 1}}})).0,
        400
    );
}

/// §3, §10: impersonation decides the author; without it the key does.
#[test]
fn authors() {
    let twin = live();
    let (_, made) = call_at(&twin, NOW, IVAN, "newAccount", json!({"account": {"name": "A"}}));
    assert_eq!(made["result"]["creator"]["name"], "Ivan Sidorov");
    let (_, me) = call_at(&twin, NOW, IVAN, "getUser", json!({}));
    assert_eq!(me["result"]["emails"], json!(["ivan@acme.example"]));
    twin.configure(|settings| settings.keys[0].impersonation = false);
    let (_, made) = call_at(&twin, NOW, IVAN, "newAccount", json!({"account": {"name": "B"}}));
    assert_eq!(
        (&made["result"]["creator"]["entityType"], &made["result"]["creator"]["name"]),
        (&json!("Origins"), &json!("Migration"))
    );
    twin.configure(|settings| settings.keys[0].web_only = true);
    assert_eq!(call_at(&twin, NOW, ADMIN, "add", json!([1, 1])).0, 401);
}

/// §4, §9: notes, mentions, the timeline.
#[test]
fn notes() {
    let twin = live();
    let id = account(&twin, "A");
    let entity = json!({"entityType": "Accounts", "id": id});
    let made = call(&twin, "newNote", json!({"entity": entity, "note": "hi @[Users:1] \\@[Users:1] <b>"}));
    assert_eq!(made["note"], "hi Ann Admin @[Users:1] <b>");
    assert_eq!(made["noteMarkup"], "hi @[Users:1] \\@[Users:1] <b>");
    assert_eq!(made["account"]["id"], json!(id));
    assert_eq!(
        refused(&twin, "newNote", json!({"entity": {"entityType": "accounts", "id": id}, "note": "x"})).0,
        400
    );
    let edit = json!({"noteId": made["id"], "rev": "0", "note": "new"});
    let late = call_at(&twin, NOW + 86_401_000, ADMIN, "editNote", edit.clone());
    assert_eq!(late.1["error"]["code"], 403);
    assert_eq!(call_at(&twin, NOW, IVAN, "editNote", edit.clone()).1["error"]["code"], 403);
    assert_eq!(call(&twin, "editNote", edit)["note"], "new");
    assert_eq!(call(&twin, "findTimeline", json!({"query": entity}))[0]["note"], "new");
    assert_eq!(call(&twin, "deleteNote", json!([made["id"], "1"])), json!(true));
    assert_eq!(call(&twin, "findTimeline", json!({"query": entity})), json!([]));
}

/// §4, §5: the reference methods.
#[test]
fn reference() {
    let twin = live();
    let users = call(&twin, "findUsers", json!({"query": {"email": "maria@acme.example"}}));
    assert_eq!(names(&users), ["Maria Ivanova"]);
    assert_eq!(call(&twin, "findUsers", json!({})).as_array().unwrap().len(), 7);
    let first = call(&twin, "newSource", json!({"name": "Call (GPP2)"}));
    assert_eq!(call(&twin, "newSource", json!(["Call (GPP2)"]))["id"], first["id"]);
    assert_eq!(names(&call(&twin, "searchSources", json!(["gpp"]))), ["Call (GPP2)"]);
    call(&twin, "newTag", json!({"tag": {"name": "Enterprise", "entityType": "Leads"}}));
    assert_eq!(
        refused(&twin, "newTag", json!({"tag": {"name": "Enterprise", "entityType": "Leads"}})).0,
        400
    );
    assert_eq!(call(&twin, "findTags", json!({}))["Leads"], json!(["Imported", "Urgent", "Enterprise"]));
    let outcomes = call(&twin, "findLead_Outcomes", json!({}));
    assert_eq!((outcomes.as_array().unwrap().len(), &outcomes[0]["description"]), (6, &json!("Competitor")));
    let order = json!({"orderBy": "id", "limit": 3, "page": 2});
    assert_eq!(ids(&call(&twin, "findMilestones", order)), [104, 105, 106]);
    assert_eq!(call(&twin, "instanceData", json!({}))["id"], 379_104);
    assert_eq!(call(&twin, "add", json!({"num1": 2, "num2": "3"})), json!(5));
    assert_eq!(call(&twin, "findMarkets", json!({})).as_array().unwrap().len(), 3);
}

/// §3: ETag and If-None-Match on reads.
#[test]
fn unchanged_reads_answer_304() {
    let twin = live();
    account(&twin, "A");
    let mut ask = request("POST", "/api/v1/json", ADMIN, br#"{"id":1,"method":"getAccount","params":[3]}"#);
    let first = twin.handle(&ask, NOW);
    let tag = first.headers.iter().find(|(name, _)| name == "etag").unwrap().1.clone();
    ask.headers.push(("if-none-match".to_owned(), tag));
    let second = twin.handle(&ask, NOW);
    assert_eq!((second.status, second.body.len()), (304, 0));
    call(&twin, "editAccount", json!([3, "0", {"name": "B"}]));
    assert_eq!(twin.handle(&ask, NOW).status, 200);
}
