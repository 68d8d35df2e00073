//! Products, activities, notes, tasks, e-mails: both APIs over one store (sheet §1, §4, §5).

use super::*;

/// A lead, an account, a contact.
fn three(twin: &Twin) -> (i64, i64, i64) {
    let account = account(twin, "Globex");
    let contact = contact(twin, json!({"name": "Hank Scorpio", "email": "hank@globex.example"}));
    (lead(twin, json!({"description": "Lair"})), account, contact)
}

fn call_activity(twin: &Twin, about: Value) -> Value {
    let mut activity = json!({
        "name": "Call", "activityTypeId": 1, "startTime": "2024-03-30T18:00:00+00:00",
        "endTime": "2024-03-30T18:30:00+00:00", "status": 1,
    });
    for (key, value) in about.as_object().unwrap() {
        activity[key] = value.clone();
    }
    call(twin, "newActivity", json!({"activity": activity}))
}

#[test]
fn products() {
    let twin = live();
    let input = json!({
        "name": "Pump", "type": "0", "sku": "P-1", "description": "blue", "unit": "month",
        "prices": [{"market": {"id": 1}, "price": {"currency_shortname": "USD", "amount": "10.50"}}],
    });
    let made = call(&twin, "newProduct", json!({"product": input}));
    assert_eq!((made["rev"].clone(), made["unit"].clone()), (json!("0"), json!("")), "a unit is a service's");
    assert_eq!(made["prices"][0]["price"], json!({"currency": "USD", "amount": 10.5}));
    let service = json!({"product": {"name": "Care", "type": "1", "sku": "S", "unit": "month"}});
    let service = call(&twin, "newProduct", service);
    assert_eq!((service["sku"].clone(), service["unit"].clone()), (Value::Null, json!("month")));
    for (bad, why) in [
        (json!({}), "a name"),
        (json!({"name": "x", "type": "2"}), "type"),
        (json!({"name": "x", "type": "1", "unit": "piece"}), "unit"),
        (json!({"name": "x", "prices": [{"market": {"id": 99}, "price": {"amount": 1}}]}), "Market 99"),
        (json!({"name": "x", "prices": [{"price": {"amount": 1}}]}), "market"),
    ] {
        let (code, text) = refused(&twin, "newProduct", json!({"product": bad}));
        assert!(code == 400 && text.contains(why), "{text}");
    }
    let id = made["id"].clone();
    assert_eq!(names(&call(&twin, "findProducts", json!({}))), ["Care", "Pump"]);
    assert!(call(&twin, "findProducts", json!({}))[0].get("prices").is_none(), "a stub");
    assert_eq!(names(&call(&twin, "searchProducts", json!(["p-1"]))), ["Pump"]);
    assert_eq!(names(&get(&twin, "/products?q=pump")["products"]), ["Pump"]);
    let row = &get(&twin, &format!("/products/{id}"))["products"][0];
    assert_eq!(
        (row["description"].clone(), row["prices"]["1-markets"]["amount"].clone()),
        (json!("blue"), json!("10.50"))
    );
    let edit = json!({"productId": id, "rev": "0", "product": {"name": "Big pump"}});
    let edited = call(&twin, "editProduct", edit.clone());
    assert_eq!((edited["name"].clone(), edited["sku"].clone()), (json!("Big pump"), json!("P-1")));
    assert_eq!(refused(&twin, "editProduct", edit).0, 409);
    assert_eq!(call(&twin, "deleteProduct", json!({"productId": id, "rev": "1"})), json!(true));
    assert_eq!(refused(&twin, "deleteProduct", json!({"productId": id, "rev": "2"})).0, 404);
    assert!(call(&twin, "getProduct", json!([id]))["deletedTime"].is_string());
    assert_eq!(twin.live_count("Products"), 1);
    let line = json!({"description": "d", "products": [{"id": id, "quantity": 1}]});
    assert_eq!(refused(&twin, "newLead", json!({"lead": line})).0, 400, "a deleted product");
    let silent = super::twin(|dialect| dialect.product_description = false);
    let made = call(&silent, "newProduct", json!({"product": {"name": "Pump", "description": "blue"}}));
    assert!(made.get("description").is_none());
}

#[test]
fn a_lead_has_its_products() {
    let twin = live();
    let product = call(&twin, "newProduct", json!({"product": {"name": "Pump"}}))["id"].clone();
    let price = json!({"currency_shortname": "USD", "amount": "10.25"});
    let id = lead(
        &twin,
        json!({"description": "d", "products": [{"id": product, "quantity": 2, "price": price}]}),
    );
    let found = call(&twin, "getLead", json!([id]));
    assert_eq!(found["products"][0]["quantity"], json!(2));
    assert_eq!(found["value"], json!({"currency": "USD", "amount": 20.5}), "the sum of the lines");
    let edit = json!({"leadId": id, "rev": found["rev"], "lead": {"products": []}});
    assert_eq!(call(&twin, "editLead", edit)["products"], json!([]), "a list is replaced whole");
}

#[test]
fn activities() {
    let twin = live();
    let (lead, account, contact) = three(&twin);
    let before = rev(&twin, "Lead", lead);
    let made = call_activity(
        &twin,
        json!({
            "description": "agenda", "leads": [{"entityType": "Leads", "id": lead}], "logNote": {"note": "Went well"},
            "participants": [
                {"entityType": "Contacts", "id": contact}, {"entityType": "Accounts", "id": account},
                {"entityType": "Users", "id": 2},
            ],
        }),
    );
    assert_eq!(
        (made["id"].clone(), made["rev"].clone(), made["status"].clone()),
        (json!(3), json!("0"), json!(1))
    );
    assert_eq!(made["startTime"], "2024-03-30T18:00:00+0000");
    assert_eq!(names(&made["participants"]), ["Hank Scorpio", "Globex", "Svetlana Petrova"]);
    assert_eq!(
        (made["logNote"]["note"].clone(), made["loggedBy"]["id"].clone()),
        (json!("Went well"), json!(1))
    );
    assert_ne!(rev(&twin, "Lead", lead), before, "what it is about moves too");
    for key in ["name", "activityTypeId", "startTime", "endTime"] {
        let mut input = json!({"name": "x", "activityTypeId": 1, "startTime": "2024-03-30T18:00:00+00:00", "endTime": "2024-03-30T18:00:00+00:00"});
        input.as_object_mut().unwrap().remove(key);
        assert!(refused(&twin, "newActivity", json!({"activity": input})).1.contains(key));
    }
    let scheduled = call_activity(&twin, json!({"name": "Later", "status": 0}));
    assert_eq!(scheduled["status"], json!(-1), "overdue");
    let bad =
        json!({"activity": {"name": "x", "activityTypeId": 1, "startTime": 1, "endTime": 2, "status": 2}});
    assert_eq!(refused(&twin, "newActivity", bad.clone()).0, 400);
    let kind = twin.with(|company| company.activity_types.len());
    let bad_type =
        json!({"activity": {"name": "x", "activityTypeId": kind + 9, "startTime": 1, "endTime": 2}});
    assert_eq!(refused(&twin, "newActivity", bad_type).0, 400);
    twin.configure(|settings| {
        settings.dialect.new_cancelled_activity = crate::run::twin::nutshell::settings::OnBad::Keep
    });
    assert_eq!(call(&twin, "newActivity", bad)["status"], json!(2));

    for (query, expected) in [
        (json!({"leadId": lead}), vec![3]),
        (json!({"contactId": [contact]}), vec![3]),
        (json!({"accountId": [account]}), vec![3]),
        (json!({"userId": [2]}), vec![3]),
        (json!({"userId": [2], "status": 0}), vec![]),
        (json!({}), vec![3, 7, 11]),
    ] {
        let found = call(&twin, "findActivities", json!({"query": query, "orderBy": "id"}));
        assert_eq!(ids(&found), expected, "{query}");
    }
    assert!(refused(&twin, "findActivities", json!({"query": {"name": "x"}})).1.contains("name"));
    let stub = &call(&twin, "findActivities", json!({"query": {"leadId": lead}}))[0];
    assert!(stub.get("participants").is_none() && stub.get("description").is_none());

    let edit = json!({"activityId": 3, "rev": "0", "activity": {"name": "Call back"}});
    let edited = call(&twin, "editActivity", edit.clone());
    assert_eq!(
        (edited["name"].clone(), edited["description"].clone()),
        (json!("Call back"), json!("agenda"))
    );
    assert_eq!(refused(&twin, "editActivity", edit).0, 409);
    assert_eq!(rest(&twin, "DELETE", "/activities/3", Value::Null).0, 404, "RPC alone deletes");
    assert_eq!(call(&twin, "deleteActivity", json!([3, "1"])), json!(true));
    assert_eq!(twin.live_count("Activities"), 2);
}

#[test]
fn activities_in_rest() {
    let twin = live();
    let (lead, _, contact) = three(&twin);
    let input = |participants: Value| {
        json!({"activities": [{
            "name": "Call", "description": "agenda", "note": "n", "activityType": "1-activityTypes",
            "startTime": 1_711_821_600, "endTime": 1_711_823_400, "isLogged": true, "links": {"participants": participants},
        }]})
    };
    let (status, made) =
        rest(&twin, "POST", "/activities", input(json!([format!("{contact}-contacts"), "2-users"])));
    assert_eq!((status, made["activities"][0]["id"].clone()), (201, json!("3-activities")));
    assert_eq!(rest(&twin, "POST", "/activities", input(json!([format!("{lead}-leads")]))).0, 400);
    twin.configure(|settings| settings.dialect.rest_activity_leads = true);
    assert_eq!(rest(&twin, "POST", "/activities", input(json!([format!("{lead}-leads")]))).0, 201);
    let count =
        |query: &str| get(&twin, &format!("/activities?{query}"))["activities"].as_array().unwrap().len();
    assert_eq!(count(&format!("filter[participant][]={contact}-contacts")), 1);
    assert_eq!(count("filter[dateMin]=2024-03-30&filter[dateMax]=2024-03-30"), 2);
    assert_eq!(count("filter[dateMin]=2024-03-31"), 0);
    assert_eq!(count("page[page]=1&page[limit]=1"), 1);
    assert_eq!(count("page[page]=9"), 0);
    let change = json!({"activities": [{"name": "Meeting"}]});
    let (status, put) = rest(&twin, "PUT", "/activities/3-activities", change);
    assert_eq!((status, put["activities"][0]["name"].clone()), (200, json!("Meeting")));
    assert_eq!(call(&twin, "getActivity", json!([3]))["description"], "agenda");
}

#[test]
fn tasks() {
    let twin = live();
    let (lead, _, contact) = three(&twin);
    let input = json!({"task": {
        "title": "Call back", "description": "d", "dueTime": "2026-05-31T15:51:00+0000",
        "assignee": {"entityType": "Users", "id": 2}, "entity": {"entityType": "Leads", "id": lead},
    }});
    let made = call(&twin, "newTask", input);
    assert_eq!(
        (made["id"].clone(), made["assignee"]["id"].clone(), made["entity"]["id"].clone()),
        (json!(3), json!(2), json!(lead))
    );
    assert!(refused(&twin, "newTask", json!({"task": {}})).1.contains("title"));
    assert_eq!(
        refused(
            &twin,
            "newTask",
            json!({"task": {"title": "x", "entity": {"entityType": "Leads", "id": 99}}})
        )
        .0,
        400
    );
    let bare = json!({"title": "Write", "links": {"relatedEntity": format!("{contact}-contacts")}});
    assert_eq!(rest(&twin, "POST", "/tasks", bare).0, 200);
    let found = |query: &str| get(&twin, &format!("/tasks?{query}"))["tasks"].as_array().unwrap().len();
    assert_eq!((found(""), found(&format!("filter[relatedEntity]={lead}-leads"))), (2, 1));
    assert_eq!(found("filter[assignee]=2-users"), 1);
    assert_eq!(ids(&call(&twin, "findTasks", json!({"query": {}}))), [3, 7], "by due time");
    let edited = call(&twin, "editTask", json!({"taskId": 3, "rev": "0", "task": {"title": "T"}}));
    assert_eq!((edited["title"].clone(), edited["description"].clone()), (json!("T"), json!("d")));
    assert_eq!(call(&twin, "deleteTask", json!([3, "REV_IGNORE"])), json!(true));
    assert_eq!(rest(&twin, "DELETE", "/tasks/7-tasks", Value::Null).0, 200);
    assert_eq!(twin.live_count("Tasks"), 0);
}

/// §1, §3.2: 204; the assignee is documented, both media types are taken.
#[test]
fn tasks_are_patched_in_rest() {
    let twin = live();
    let (lead, _, contact) = three(&twin);
    let input = json!({"title": "Call", "links": {"relatedEntity": format!("{lead}-leads")}});
    let made = rest(&twin, "POST", "/tasks", input).1["tasks"][0]["id"].as_str().unwrap().to_owned();
    let target = format!("/tasks/{made}");
    let ops = json!([
        {"op": "replace", "path": "/tasks/0/links/assignee", "value": "2-users"},
        {"op": "replace", "path": "tasks/0/title", "value": "Ring"},
        {"op": "replace", "path": "/tasks/0/dueTime", "value": "1711821600"},
        {"op": "replace", "path": "/tasks/0/links/relatedEntity", "value": format!("{contact}-contacts")},
    ]);
    let mut plain = request("PATCH", &format!("/rest{target}"), ADMIN, ops.to_string().as_bytes());
    plain.headers.retain(|(name, _)| name != "content-type");
    assert_eq!(twin.handle(&plain, NOW).status, 415);
    plain.headers.push(("content-type".to_owned(), "application/json; charset=utf-8".to_owned()));
    let answer = twin.handle(&plain, NOW);
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    let task = || get(&twin, &target)["tasks"][0].clone();
    let now = task();
    assert_eq!((&now["title"], &now["dueTime"]), (&json!("Ring"), &json!(1_711_821_600)));
    assert_eq!(
        (&now["links"]["assignee"], &now["links"]["relatedEntity"]),
        (&json!("2-users"), &json!(format!("{contact}-contacts")))
    );
    let patch = |ops: Value| rest(&twin, "PATCH", &target, ops).0;
    assert_eq!(patch(json!([{"op": "remove", "path": "/tasks/0/links/relatedEntity"}])), 204);
    assert_eq!(task()["links"]["relatedEntity"], Value::Null);
    // All of it or nothing.
    let half = json!([
        {"op": "replace", "path": "/tasks/0/title", "value": "Half"},
        {"op": "replace", "path": "/tasks/0/links/assignee", "value": "99-users"},
    ]);
    assert_eq!((patch(half), patch(json!([])), task()["title"].clone()), (400, 400, json!("Ring")));
    assert_eq!(patch(json!([{"op": "replace", "path": "/tasks/1/title", "value": "x"}])), 400);
    assert_eq!(patch(json!([{"op": "replace", "path": "/tasks/0/completedTime", "value": 1}])), 400);
    assert_eq!(rest(&twin, "DELETE", &target, Value::Null).0, 200);
    assert_eq!(patch(json!([{"op": "replace", "path": "/tasks/0/title", "value": "x"}])), 404);
}

/// §1: quotes, invoices and audiences are listed, and a company has none at first.
#[test]
fn what_only_people_make_is_listed_empty() {
    let twin = live();
    for (route, key) in [("quotes", "quotes"), ("invoices", "invoices"), ("audiences", "emAudiences")] {
        assert_eq!(get(&twin, &format!("/{route}"))[key], json!([]), "{route}");
        assert_eq!(rest(&twin, "GET", &format!("/{route}/1-{route}"), Value::Null).0, 404, "{route}");
    }
}

#[test]
fn emails() {
    let twin = live();
    let (_, _, contact) = three(&twin);
    let text = "From: Ann <ann@acme.example>\r\nTo: \"Hank\" <HANK@globex.example>\r\nDate: Tue, 05 Mar 2024 10:00:00 +0300\r\n\
                Subject: Your\r\n lair\r\n\r\nDear Hank\r\n";
    let made = call(&twin, "newEmail", json!({"emailString": text}));
    assert_eq!(
        (made["subject"].clone(), made["sentTime"].clone()),
        (json!("Your lair"), json!("2024-03-05T07:00:00+0000"))
    );
    let line = call(&twin, "findTimeline", json!({"query": {"entityType": "Contacts", "id": contact}}));
    assert_eq!(line[0]["entityType"], "Emails");
    assert_eq!(call(&twin, "getEmail", json!([made["id"]]))["body"], "Dear Hank");
    assert_eq!(
        refused(&twin, "deleteEmail", json!([made["id"], "0"])).0,
        -32601,
        "e-mails cannot be deleted"
    );
    assert_eq!(refused(&twin, "newEmail", json!({"emailString": "no headers"})).0, 400);
}

/// REST shows them as the live samples do, and its events list them, the newest first.
#[test]
fn emails_in_rest() {
    let twin = live();
    let text = |at: u32| {
        format!(
            "From: Ann <ann@acme.example>\r\nTo: hank@globex.example\r\nSubject: s{at}\r\nMessage-ID: <m{at}@x>\r\n\r\nbody {at}\r\n"
        )
    };
    for at in 0..5 {
        call(&twin, "newEmail", json!({"emailString": text(at)}));
    }
    let row = get(&twin, "/emails/3-emails")["emails"][0].clone();
    if let Some(live) = super::samples::sample_json("rest.email.json") {
        let keys = |row: &Value| {
            let mut keys: Vec<String> = row.as_object().expect("an object").keys().cloned().collect();
            keys.sort();
            keys
        };
        assert_eq!(keys(&row), keys(&live["emails"][0]));
        assert_eq!(keys(&row["links"]), keys(&live["emails"][0]["links"]));
    }
    assert_eq!(
        (row["links"]["from"][0].as_str(), row["excerpt"].as_str()),
        (Some("Ann <ann@acme.example>"), Some("body 0"))
    );
    let mut seen = Vec::new();
    let mut query = "filters%5Bpayload%5D%5B%5D=emails&limit=2".to_owned();
    loop {
        let page = get(&twin, &format!("/events?{query}"));
        let Some(rows) = page["events"].as_array().filter(|rows| !rows.is_empty()) else { break };
        seen.extend(rows.iter().map(|row| row["links"]["payloads"][0].as_str().expect("an id").to_owned()));
        assert_eq!(page["payloads"][0]["id"], rows[0]["links"]["payloads"][0]);
        let previous = page["meta"]["previous"].as_str().expect("a page before").to_owned();
        query = previous.split_once('?').expect("a query").1.to_owned();
    }
    assert_eq!(seen, ["19-emails", "15-emails", "11-emails", "7-emails", "3-emails"]);
    twin.configure(|settings| settings.dialect.email_message_id = false);
    assert!(call(&twin, "getEmail", json!([3])).get("messageId").is_none());
    assert_eq!(refused(&twin, "editEmail", json!([3, "0", {}])).0, -32601);
}

#[test]
fn timelines_are_mixed_and_in_order() {
    let twin = live();
    let (lead, ..) = three(&twin);
    let entity = json!({"entityType": "Leads", "id": lead});
    call(&twin, "newNote", json!({"entity": entity, "note": "now"}));
    call_activity(&twin, json!({"leads": [{"id": lead, "entityType": "Leads"}]}));
    let of = |params: Value| -> Vec<String> {
        let line = call(&twin, "findTimeline", params);
        line.as_array().unwrap().iter().map(|row| row["entityType"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(of(json!({"query": entity})), ["Activities", "Notes"]);
    assert_eq!(of(json!({"query": entity, "orderDirection": "DESC", "limit": 1})), ["Notes"]);
    let object = json!({"entity": entity, "note": {"entityType": "Notes", "note": "as an object"}});
    assert_eq!(call(&twin, "newNote", object)["note"], "as an object");
}

#[test]
fn finds_and_lists_lag_behind() {
    let twin = live();
    let (lead, ..) = three(&twin);
    twin.configure(|settings| settings.index_lag_ms = 5_000);
    let entity = json!({"entityType": "Leads", "id": lead});
    call(&twin, "newNote", json!({"entity": entity, "note": "n"}));
    let activity = call_activity(&twin, json!({"leads": [{"id": lead, "entityType": "Leads"}]}));
    call(&twin, "newTask", json!({"task": {"title": "t"}}));
    call(&twin, "newProduct", json!({"product": {"name": "p"}}));
    let seen = |now: i64| -> Vec<usize> {
        let found = ["findActivities", "findTasks", "findProducts", "findTimeline"].map(|method| {
            let query = if method == "findTimeline" { entity.clone() } else { json!({}) };
            call_at(&twin, now, ADMIN, method, json!({"query": query})).1["result"].as_array().unwrap().len()
        });
        found.to_vec()
    };
    assert_eq!(seen(NOW), [0, 0, 0, 0]);
    assert_eq!(get(&twin, "/notes")["notes"], json!([]));
    assert_eq!(
        call(&twin, "getActivity", json!([activity["id"]]))["name"],
        "Call",
        "reads by id see it at once"
    );
    assert_eq!(seen(NOW + 5_000), [1, 1, 1, 2]);
}

/// The author is who calls (sheet §3), and the books know markers and links of all of them.
#[test]
fn authors_markers_and_links() {
    let twin = live();
    let (lead, account, _) = three(&twin);
    let entity = json!({"entityType": "Leads", "id": lead});
    let note = json!({"entity": entity, "note": "text\n\n[Bitrix24 acme.example/comment/17]\n"});
    let (_, made) = call_at(&twin, NOW, IVAN, "newNote", note.clone());
    assert_eq!(made["result"]["user"]["name"], "Ivan Sidorov");
    call(&twin, "newNote", note);
    call(
        &twin,
        "newNote",
        json!({"entity": entity, "note": "[Bitrix24 acme.example/comment/18]\nsomething after"}),
    );
    let task = json!({"title": "t", "description": "[Bitrix24 acme.example/task/1]", "entity": {"entityType": "Accounts", "id": account}});
    call(&twin, "newTask", json!({"task": task}));
    let markers = twin.markers("Notes", "Bitrix24 key");
    assert_eq!(markers.into_iter().collect::<Vec<_>>(), [("acme.example/comment/17".to_owned(), vec![3, 7])]);
    assert_eq!(twin.markers("Tasks", "Bitrix24 key").len(), 1);
    assert!(twin.markers("Tasks", "Other key").is_empty());
    let links = twin.links();
    assert!(links.contains(&("Notes".to_owned(), 3, "leads".to_owned(), lead)));
    assert!(links.contains(&("Tasks".to_owned(), 3, "accounts".to_owned(), account)));
    assert_eq!(twin.dump()["tasks"].as_array().unwrap().len(), 1);
    assert_eq!(
        call_at(&twin, NOW, GONE, "newTask", json!({"task": {"title": "x"}})).0,
        401,
        "a disabled user"
    );
}
