//! No input breaks it, equal histories give equal states, links stay symmetrical, large accounts stay fast.

use proptest::prelude::*;
use serde_json::json;

use super::super::{Actor, Kind, Record};
use super::*;

/// A value that a careless client might send.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|n| json!(n)),
        (0i64..20).prop_map(Value::from),
        "[a-zA-Z0-9+@%/~-]{0,12}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop::sample::select(vec![
            "REV_IGNORE",
            "3-accounts",
            "7-contacts",
            "Leads",
            "Users",
            "--primary",
            "@[Users:1]",
            "2026-01-01T00:00:00+0000"
        ])
        .prop_map(Value::from),
    ];
    let key = prop_oneof![
        prop::sample::select(vec![
            "name",
            "description",
            "phone",
            "email",
            "url",
            "address",
            "accounts",
            "contacts",
            "leads",
            "tags",
            "owner",
            "note",
            "customFields",
            "id",
            "entityType",
            "relationship",
            "status",
            "outcome",
            "outcomeId",
            "milestoneId",
            "stagesetId",
            "value",
            "amount",
            "dueTime",
            "confidence",
            "links",
            "op",
            "path",
            "op",
            "title",
            "choices",
            "type",
            "primaryAccount",
            "products",
            "prices",
            "market",
            "activityTypeId",
            "startTime",
            "endTime",
            "participants",
            "entityType",
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ];
    leaf.prop_recursive(4, 24, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..5)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

const METHODS: [&str; 34] = [
    "newProduct",
    "editProduct",
    "newActivity",
    "editActivity",
    "findActivities",
    "newTask",
    "editTask",
    "findTasks",
    "searchProducts",
    "newEmail",
    "newAccount",
    "newContact",
    "newLead",
    "editAccount",
    "editContact",
    "editLead",
    "getLead",
    "deleteContact",
    "findAccounts",
    "findContacts",
    "findLeads",
    "searchContacts",
    "newNote",
    "editNote",
    "deleteNote",
    "findTimeline",
    "findUsers",
    "newTag",
    "newSource",
    "searchByEmail",
    "searchUniversal",
    "add",
    "findMilestones",
    "findLead_Outcomes",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn arbitrary_bytes(path in "(/rest)?(/[a-z0-9,%-]{0,12}){0,4}", query in any::<String>(), verb in "GET|POST|PATCH|DELETE|PUT", body in prop::collection::vec(any::<u8>(), 0..80), auth in any::<String>(), now in any::<i64>()) {
        let twin = Twin::new(Company::acme_with_history(), Settings::default());
        let target = format!("{path}?{query}");
        for auth in [auth.as_str(), ADMIN] {
            let response = twin.handle(&request(&verb, &target, auth, &body), now);
            prop_assert!(response.status >= 200);
        }
        twin.handle(&request("POST", "/api/v1/json", ADMIN, &body), now);
    }

    #[test]
    fn arbitrary_calls(steps in prop::collection::vec((prop::sample::select(METHODS.to_vec()), any_json(), any_json()), 1..8)) {
        let twin = Twin::new(Company::acme_with_history(), Settings::default());
        for (method, first, second) in &steps {
            let kind = ["Account", "Contact", "Lead", "Product", "Activity", "Task"].into_iter().find(|kind| method.ends_with(kind)).unwrap_or("Lead");
            let key = kind.to_lowercase();
            let params = json!({key.clone(): first, format!("{key}Id"): 3, "rev": "REV_IGNORE", "query": first, "string": second,
                "entity": first, "note": second, "noteId": 3, "tag": first, "name": second, "emailString": second, "limit": second, "orderBy": second});
            for params in [params, json!([first, second]), json!([3, "REV_IGNORE", first]), first.clone()] {
                let (status, body) = call_at(&twin, NOW, ADMIN, method, params);
                prop_assert!(status >= 200 && body.is_object());
            }
        }
        symmetrical(&twin)?;
    }

    #[test]
    fn arbitrary_rest(steps in prop::collection::vec((0usize..3, any_json()), 1..8)) {
        let twin = Twin::new(Company::acme_with_history(), Settings::default());
        for (kind, body) in &steps {
            let resource = ["accounts", "contacts", "leads"][*kind];
            for (verb, target, body) in [
                ("POST", format!("/{resource}"), json!({resource: [body]})), ("PATCH", format!("/{resource}/3"), json!([body])),
                ("PATCH", format!("/{resource}/3"), json!([{"op": "replace", "path": format!("/{resource}/0/links/accounts"), "value": body}])),
                ("POST", format!("/{resource}/customfield"), body.clone()), ("POST", "/tags".into(), json!({"tags": [body]})),
                ("POST", "/notes".into(), json!({"data": body})), ("POST", "/tasks".into(), body.clone()),
                ("POST", "/activities".into(), json!({"activities": [body]})), ("POST", "/leads/3/status".into(), body.clone()),
            ] {
                let (status, _) = rest(&twin, verb, &target, body);
                prop_assert!((200..500).contains(&status));
            }
        }
        symmetrical(&twin)?;
    }
}

/// Both ends of every link know each other, and tell the same relationship.
fn symmetrical(twin: &Twin) -> Result<(), TestCaseError> {
    twin.with(|company| {
        for kind in Kind::ALL {
            for record in company.all(kind) {
                for to in Kind::ALL {
                    for link in record.links(to) {
                        let other = company.record(to, link.id).unwrap();
                        let back = other.links(kind).iter().find(|back| back.id == record.id);
                        prop_assert_eq!(back.map(|back| &back.relationship), Some(&link.relationship));
                    }
                }
            }
        }
        let open = company
            .all(Kind::Leads)
            .filter(|lead| lead.deleted.is_none() && lead.deal.as_ref().unwrap().status < 10)
            .count();
        prop_assert_eq!(company.open_leads(), open);
        Ok(())
    })
}

/// Equal start states, requests and times give equal answers and states.
#[test]
fn deterministic() {
    let run = || {
        let twin = Twin::new(Company::acme_with_history(), Settings::default());
        let mut answers = Vec::new();
        for at in 0..40 {
            let input = json!({"contact": {"name": format!("N {at}"), "email": format!("n{at}@x.example"), "accounts": [{"id": 3}]}});
            answers.push(call_at(&twin, NOW + at, ADMIN, "newContact", input));
            answers.push(rest(&twin, "GET", "/contacts?q=n", Value::Null));
        }
        (answers, twin.dump().to_string())
    };
    assert_eq!(run(), run());
}

/// What oracles read: doubles by marker, live counts, people's edits.
#[test]
fn oracles() {
    let twin = live();
    field(&twin, "contacts", json!({"name": "Key", "type": "Text"}));
    let one = contact(&twin, json!({"name": "A", "customFields": {"Key": "k"}}));
    let two = contact(&twin, json!({"name": "A", "customFields": {"Key": "k"}}));
    assert_eq!(twin.markers("Contacts", "Key"), [("k".to_owned(), vec![one, two])].into());
    assert!(twin.with(|company| company.delete(Kind::Contacts, two, Actor::User(1), NOW)));
    assert_eq!(twin.markers("Contacts", "Key"), [("k".to_owned(), vec![one])].into());
    assert_eq!((twin.live_count("Contacts"), twin.markers("contacts", "Key").len()), (1, 0));
    assert!(twin.with(|company| {
        company.edit(Kind::Contacts, one, NOW, |record| record.description = Some("x".into()))
    }));
    assert_eq!(call(&twin, "getContact", json!([one]))["rev"], "1");
    assert_eq!(twin.dump()["contacts"].as_array().unwrap().len(), 2);
    assert_eq!(twin.handle(&request("GET", "/rest/users", ADMIN, b""), NOW).took_ms, 150);
}

/// A start state can be described, and says what is wrong with a description.
#[test]
fn start_states() {
    let company = Company::from_json(&json!({
        "users": [{"id": 9, "email": "a@x.example", "enabled": false}], "stagesets": [{"name": "P", "stages": ["A", {"id": 300, "name": "B"}, "C"]}],
        "outcomes": [{"name": "Won", "type": 10}], "markets": [{"name": "M", "currency": "USD"}], "industries": ["I", {"id": 7, "name": "J"}],
        "tags": {"Leads": ["T"]}, "custom_fields": {"Leads": [{"name": "F", "type": "Decision", "choices": ["X"]}]},
    })).unwrap();
    let stages: Vec<i64> = company.milestones.iter().map(|stage| stage.id).collect();
    assert_eq!((stages, company.industries[1].id, company.users[0].id), (vec![101, 300, 301], 7, 9));
    assert_eq!(company.fields[0].choices, ["X"]);
    for bad in [
        json!([]),
        json!({"users": [{}]}),
        json!({"outcomes": [{"name": "x", "type": 9}]}),
        json!({"teams": 1}),
    ] {
        assert!(Company::from_json(&bad).is_err(), "{bad}");
    }
    let history = Company::acme_with_history();
    assert_eq!(history.all(Kind::Accounts).count(), 4);
}

/// 20,000 records: every question must be answered without work that grows with the square of their number.
#[test]
fn large_accounts() {
    let twin = live();
    field(&twin, "contacts", json!({"name": "Key", "type": "Text"}));
    let field = twin.with(|company| company.fields[0].id);
    twin.with(|company| {
        for at in 0..20_000 {
            let mut record = Record::new(Kind::Contacts, Actor::User(1));
            record.person = Record::split_name(&format!("Given{at} Family"));
            record.set_custom(field, Some(super::super::record::Custom::Text(format!("k/{at}"))));
            company.insert(record, NOW);
        }
    });
    let mut seen = 0;
    for page in 1.. {
        let rows =
            call(&twin, "findContacts", json!({"query": {}, "orderBy": "id", "limit": 100, "page": page}));
        seen += rows.as_array().unwrap().len();
        if rows.as_array().unwrap().len() < 100 {
            break;
        }
    }
    assert_eq!(seen, 20_000);
    for at in [0, 777, 19_999] {
        assert_eq!(
            get(&twin, &format!("/contacts?filter[Key]=k/{at}"))["contacts"][0]["id"],
            format!("{}-contacts", 3 + 4 * at)
        );
    }
    let pages: usize = (0..20)
        .map(|page| {
            get(&twin, &format!("/contacts?page[page]={page}&page[limit]=1000"))["contacts"]
                .as_array()
                .unwrap()
                .len()
        })
        .sum();
    assert_eq!(pages, 20_000);
}
