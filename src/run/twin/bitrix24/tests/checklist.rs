//! Section 14 of the sheet, line by line: what the twin must be able to do, the switch that makes it, and the sight
//! of it.

use super::*;
use crate::run::twin::bitrix24::fault;

/// A line of the checklist: its words, the switches and faults by name, and what then must be seen.
struct Line {
    says: &'static str,
    switches: &'static [&'static str],
    faults: &'static [&'static str],
    seen: fn(&Twin),
}

fn at(t: &Twin, request: &Request, ms: i64) -> (u16, Value) {
    let response = t.handle(request, T0 + ms);
    (response.status, serde_json::from_slice(&response.body).unwrap_or(Value::Null))
}

fn path(path: &str) -> Request {
    Request { path: path.into(), ..request("", &json!({})) }
}

/// The status and the code of a call.
fn told(t: &Twin, path_of: &str) -> (u16, String) {
    let (status, body) = at(t, &path(path_of), 0);
    (status, body["error"].as_str().unwrap_or_default().to_owned())
}

fn list(t: &Twin, args: Value) -> Value {
    call(t, "crm.deal.list", args)
}

const DEALS: &str = "/rest/1/secret/crm.deal.list";

const CHECKLIST: &[Line] = &[
    Line {
        says: "paths of webhooks and of applications",
        switches: &["access-token=token"],
        faults: &[],
        seen: |t| {
            for ok in [
                "/rest/1/secret/crm.deal.list",
                "/rest/1/secret/CRM.deal.LIST.json/",
                "/rest/1/secret/profile/",
            ] {
                assert_eq!(told(t, ok).0, 200, "{ok}");
            }
            let app = |query: &str| at(t, &Request { query: query.into(), ..path("/rest/app.info") }, 0);
            assert_eq!(app("auth=token").1["result"]["LICENSE"], "de_std");
            assert_eq!((app("").0, app("auth=other").0), (401, 401));
            assert_eq!(app("auth=other").1["error"], "NO_AUTH_FOUND");
        },
    },
    Line {
        says: "GET, form and JSON, brackets, parameter names in their variants",
        switches: &[],
        faults: &[],
        seen: |t| {
            let get = Request {
                method: "GET".into(),
                query: "FILTER[ID][0]=3&FILTER[ID][]=6".into(),
                ..path(DEALS)
            };
            let form = Request {
                headers: vec![("content-type".into(), "application/x-www-form-urlencoded".into())],
                body: b"arFilter%5BID%5D%5B%5D=3&arFilter%5BID%5D%5B%5D=6".to_vec(),
                ..path(DEALS)
            };
            let json = request("crm.deal.list", &json!({"Filter": {"ID": [3, 6]}}));
            for request in [get, form, json] {
                let mut found = ids(&at(t, &request, 0).1);
                found.sort_unstable();
                assert_eq!(found, [3, 6]);
            }
        },
    },
    Line {
        says: "the site is closed: before the method is looked at",
        switches: &[],
        faults: &["portal-deleted"],
        seen: |t| {
            assert_eq!(told(t, "/rest/1/wrong/crm.pipeline.list"), (500, "PORTAL_DELETED".into()));
            assert_eq!(told(t, DEALS), (500, "PORTAL_DELETED".into()));
        },
    },
    Line {
        says: "the method before the credentials",
        switches: &[],
        faults: &["expired-webhook"],
        seen: |t| {
            assert_eq!(told(t, "/rest/1/wrong/crm.pipeline.list"), (404, "ERROR_METHOD_NOT_FOUND".into()));
            assert_eq!(told(t, DEALS), (401, "INVALID_CREDENTIALS".into()));
        },
    },
    Line {
        says: "the credentials before the scope, in both documented statuses",
        switches: &["scopes=user", "credentials-status=403", "scope-status=401"],
        faults: &[],
        seen: |t| {
            assert_eq!(told(t, "/rest/1/wrong/crm.deal.list"), (403, "INVALID_CREDENTIALS".into()));
            assert_eq!(told(t, DEALS), (401, "insufficient_scope".into()));
        },
    },
    Line {
        says: "the scope before the operating limit, that before the handler",
        switches: &["scopes=user"],
        faults: &["operating-limit"],
        seen: |t| {
            assert_eq!(told(t, DEALS).1, "insufficient_scope");
            t.with_settings(|s| s.scopes.push("crm".into()));
            assert_eq!(told(t, "/rest/1/secret/crm.deal.get"), (429, "OPERATION_TIME_LIMIT".into()));
        },
    },
    Line {
        says: "the rate bucket in front of all of it",
        switches: &["rate-limited=yes"],
        faults: &["portal-deleted"],
        seen: |t| {
            (0..50).for_each(|_| assert_eq!(told(t, DEALS).1, "PORTAL_DELETED"));
            assert_eq!(told(t, DEALS), (503, "QUERY_LIMIT_EXCEEDED".into()));
        },
    },
    Line {
        says: "the bucket per client address, 50 and 2 a second",
        switches: &["rate-limited=yes"],
        faults: &[],
        seen: |t| {
            let send = |client: &str, ms: i64| at(t, &Request { client: client.into(), ..path(DEALS) }, ms).0;
            assert!((0..50).all(|_| send("a", 0) == 200));
            assert_eq!((send("a", 0), send("b", 0), send("a", 500), send("a", 500)), (503, 200, 200, 503));
        },
    },
    Line {
        says: "250 and 5 a second on the Enterprise plan",
        switches: &["rate-limited=yes", "plan=enterprise"],
        faults: &[],
        seen: |t| {
            assert!((0..250).all(|_| at(t, &path(DEALS), 0).0 == 200));
            assert_eq!((at(t, &path(DEALS), 0).0, at(t, &path(DEALS), 200).0), (503, 200));
        },
    },
    Line {
        says: "refused requests may fill the bucket too",
        switches: &["rate-limited=yes", "refused-requests-count=yes"],
        faults: &[],
        seen: |t| {
            (0..51).for_each(|_| drop(at(t, &path(DEALS), 0)));
            // Each refusal fills what drained.
            assert_eq!((at(t, &path(DEALS), 400).0, at(t, &path(DEALS), 800).0), (503, 503));
        },
    },
    Line {
        says: "ten one-minute baskets per credential and method, shown in `time` and in `result_time`",
        switches: &["operating-limit=1", "latency=600", "access-token=token"],
        faults: &[],
        seen: |t| {
            let first = at(t, &path(DEALS), 0).1;
            assert!(first["time"]["operating"].as_f64().unwrap() > 0.5);
            let reset = first["time"]["operating_reset_at"].as_i64().unwrap();
            assert_eq!(reset, T0 / 1000 + 600);
            let batch =
                call(t, "batch", json!({"cmd": {"a": "crm.deal.list", "b": "crm.deal.list"}}))["result"]
                    .clone();
            assert_eq!(batch["result_time"]["a"]["operating_reset_at"], reset);
            // The call that crosses the line completes, the next is refused, others are not.
            assert_eq!(batch["result_error"]["b"]["error"], "OPERATION_TIME_LIMIT");
            assert_eq!(told(t, "/rest/1/secret/crm.company.list").0, 200);
            let app = Request { query: "auth=token".into(), ..path("/rest/crm.deal.list") };
            assert_eq!(at(t, &app, 0).0, 200, "another credential has a sum of its own");
            assert_eq!((at(t, &path(DEALS), 599_999).0, at(t, &path(DEALS), 600_000).0), (429, 200));
        },
    },
    Line {
        says: "old servers show no operating time",
        switches: &["operating-shown=no"],
        faults: &[],
        seen: |t| assert!(list(t, json!({}))["time"].get("operating").is_none()),
    },
    Line {
        says: "`total` and `next` are hoisted, classic pages rounded, universal offsets exact",
        switches: &[],
        faults: &[],
        seen: |t| {
            let first = |answer: Value| (answer["total"].clone(), answer["next"].clone(), ids(&answer)[0]);
            let classic = list(t, json!({"order": {"ID": "ASC"}, "start": 25}));
            assert_eq!(first(classic), (json!(120), json!(50), 3));
            let args = json!({"entityTypeId": 2, "order": {"id": "ASC"}, "start": 25});
            assert_eq!(first(call(t, "crm.item.list", args)), (json!(120), json!(75), 78));
        },
    },
    Line {
        says: "a negative start gives the top 50, no next, and a total of 0",
        switches: &["no-total=zero"],
        faults: &[],
        seen: |t| {
            let answer = list(t, json!({"order": {"ID": "ASC"}, "start": -1}));
            assert_eq!((ids(&answer).len(), answer.get("next"), &answer["total"]), (50, None, &json!(0)));
        },
    },
    Line {
        says: "or no total at all",
        switches: &["no-total=absent"],
        faults: &[],
        seen: |t| assert!(list(t, json!({"start": -1})).get("total").is_none()),
    },
    Line {
        says: "a page behind the end may repeat the last one",
        switches: &["repeat-last-page=yes"],
        faults: &[],
        seen: |t| {
            let page = |start: i64| ids(&list(t, json!({"order": {"ID": "ASC"}, "start": start})));
            assert_eq!(page(500), page(100));
        },
    },
    Line {
        says: "an empty PHP array is `[]`",
        switches: &[],
        faults: &[],
        seen: |t| {
            let batch = call(t, "batch", json!({"cmd": {"a": "profile"}}))["result"].clone();
            assert_eq!((&batch["result_error"], &batch["result_next"]), (&json!([]), &json!([])));
        },
    },
    Line {
        says: "batches: references, halt, errors per command, 50 at most, arrays and objects",
        switches: &[],
        faults: &["command:400:WRONG/crm.deal.get"],
        seen: |t| {
            let run = |args: Value| call(t, "batch", args)["result"].clone();
            let chained = json!({"cmd": {
                "a": "crm.deal.list?order%5BID%5D=ASC&start=-1",
                "b": "crm.deal.list?order%5BID%5D=ASC&start=-1&filter%5B%3EID%5D=$result[a][49][ID]",
            }});
            assert_eq!(run(chained)["result"]["b"][0]["ID"], "153");
            let halted = run(json!({"halt": 1, "cmd": {"a": "crm.deal.get?id=3", "b": "profile"}}));
            assert_eq!(
                (&halted["result_error"]["a"]["error"], &halted["result"]),
                (&json!("WRONG"), &json!([]))
            );
            let many: Vec<&str> = vec!["profile"; 51];
            let many = run(json!({ "cmd": many }));
            assert_eq!(many["result"].as_array().unwrap().len(), 50);
            assert_eq!(many["result_error"]["50"]["error"], "ERROR_BATCH_LENGTH_EXCEEDED");
            let gap = run(json!({"cmd": ["crm.deal.get?id=3", "profile"]}));
            assert!(gap["result"].is_object() && gap["result"].get("1").is_some());
        },
    },
    Line {
        says: "classic: strings, `Y` and `N`, masks, multifields, silent filters, empty codes",
        switches: &[],
        faults: &[],
        seen: |t| {
            let row = call(t, "crm.contact.list", json!({"select": ["*"], "filter": {"TYPO": 1}}))["result"]
                [0]
            .clone();
            assert!(row["ID"].is_string() && row.get("PHONE").is_none());
            assert_eq!(call(t, "crm.contact.list", json!({"filter": {"TYPO": 1}}))["total"], 120);
            assert_eq!(call(t, "crm.contact.get", json!({"id": 1}))["error"], "");
        },
    },
    Line {
        says: "universal: typed values, refused filters, `fm` only with `*`, original names",
        switches: &[],
        faults: &[],
        seen: |t| {
            let get = |args: Value| call(t, "crm.item.list", args);
            let wrong = get(json!({"entityTypeId": 3, "filter": {"typo": 1}}));
            assert_eq!(wrong["error"], "INVALID_ARG_VALUE");
            let item = |select: Value| {
                get(json!({"entityTypeId": 3, "select": select}))["result"]["items"][0].clone()
            };
            assert!(
                item(json!(["*"]))["fm"][0]["id"].is_i64() && item(json!(["id", "fm"])).get("fm").is_none()
            );
            let deal = json!({"entityTypeId": 2, "useOriginalUfNames": "Y"});
            assert!(get(deal)["result"]["items"][0].get("UF_CRM_17").is_some());
        },
    },
    Line {
        says: "camelCase names beside original ones give empty items on some servers",
        switches: &["empty-items-on-camel-names=yes"],
        faults: &[],
        seen: |t| {
            let args = json!({"entityTypeId": 2, "select": ["ufCrm_17"], "useOriginalUfNames": "Y"});
            assert_eq!(call(t, "crm.item.list", args)["result"]["items"][0], json!([]));
        },
    },
    Line {
        says: "503",
        switches: &[],
        faults: &["rate-limit@nth:1", "overload@nth:2"],
        seen: |t| {
            assert_eq!(told(t, DEALS), (503, "QUERY_LIMIT_EXCEEDED".into()));
            assert_eq!(told(t, DEALS), (503, "OVERLOAD_LIMIT".into()));
            assert_eq!(told(t, DEALS).0, 200);
        },
    },
    Line {
        says: "429, inside a batch too",
        switches: &[],
        faults: &["operating-limit@every:2/crm.deal.list"],
        seen: |t| {
            let batch =
                call(t, "batch", json!({"cmd": {"a": "crm.deal.list", "b": "crm.deal.list"}}))["result"]
                    .clone();
            assert_eq!(batch["result_error"]["b"]["error"], "OPERATION_TIME_LIMIT");
            assert_eq!(told(t, DEALS).0, 200);
            assert_eq!(told(t, DEALS), (429, "OPERATION_TIME_LIMIT".into()));
        },
    },
    Line {
        says: "500",
        switches: &[],
        faults: &["server-error"],
        seen: |t| assert_eq!(told(t, DEALS), (500, "INTERNAL_SERVER_ERROR".into())),
    },
    Line {
        says: "an HTML body",
        switches: &[],
        faults: &["html:502"],
        seen: |t| {
            let response = t.handle(&path(DEALS), T0);
            assert_eq!((response.status, response.body.starts_with(b"<html>")), (502, true));
        },
    },
    Line {
        says: "a body that ends in the middle",
        switches: &[],
        faults: &["cut-body"],
        seen: |t| assert_eq!(at(t, &path(DEALS), 0), (200, Value::Null)),
    },
    Line {
        says: "302 to the portal's new name",
        switches: &[],
        faults: &["rename:new.bitrix24.com"],
        seen: |t| {
            let response = t.handle(&path(DEALS), T0);
            let to = response.headers.iter().find(|(k, _)| k == "location").map(|(_, v)| v.as_str());
            assert_eq!(
                (response.status, to),
                (302, Some("https://new.bitrix24.com/rest/1/secret/crm.deal.list"))
            );
        },
    },
    Line {
        says: "an expired token",
        switches: &["access-token=token"],
        faults: &["expired-token"],
        seen: |t| {
            let app = Request { query: "auth=token".into(), ..path("/rest/crm.deal.list") };
            assert_eq!((at(t, &app, 0).0, &at(t, &app, 0).1["error"]), (401, &json!("expired_token")));
        },
    },
    Line {
        says: "a plan without REST, and any other code of section 2.1",
        switches: &[],
        faults: &["free-plan@nth:1", "refuse:401:PAYMENT_REQUIRED@nth:2", "refuse:400:INVALID_REQUEST@nth:3"],
        seen: |t| {
            assert_eq!(told(t, DEALS), (403, "ACCESS_DENIED".into()));
            assert_eq!(told(t, DEALS), (401, "PAYMENT_REQUIRED".into()));
            assert_eq!(told(t, DEALS), (400, "INVALID_REQUEST".into()));
        },
    },
    Line {
        says: "a row inserted between pages",
        switches: &[],
        faults: &["insert:deal@nth:2"],
        seen: |t| {
            let page = |start: i64| ids(&list(t, json!({"order": {"ID": "DESC"}, "start": start})));
            assert_eq!(page(0).last(), page(50).first());
        },
    },
    Line {
        says: "a row deleted between pages",
        switches: &[],
        faults: &["delete:deal@nth:2"],
        seen: |t| {
            let page = |start: i64| ids(&list(t, json!({"order": {"ID": "ASC"}, "start": start})));
            let (first, second) = (page(0), page(50));
            assert!(!first.contains(&153) && !second.contains(&153));
        },
    },
    Line {
        says: "pages that lie",
        switches: &[],
        faults: &["short-page@nth:1", "wrong-total:-7@nth:2", "repeat-page@nth:4"],
        seen: |t| {
            let page = |start: i64| list(t, json!({"order": {"ID": "ASC"}, "start": start}));
            assert_eq!((ids(&page(0)).len(), &page(0)["total"]), (49, &json!(113)));
            assert_eq!(ids(&page(0)), ids(&page(50)));
        },
    },
    Line {
        says: "a slow answer past 60 seconds",
        switches: &[],
        faults: &["slow:61000@nth:2"],
        seen: |t| {
            assert_eq!(told(t, DEALS).0, 200);
            let cut = t.handle(&path(DEALS), T0);
            assert_eq!((cut.status, cut.took_ms), (504, 60_000));
        },
    },
    Line {
        says: "seeds: pipelines, processes, custom fields of each kind, odd users and records",
        switches: &[],
        faults: &[],
        seen: |_| {
            let p = Portal::acme(0.2, 1);
            assert!(p.categories.iter().any(|c| c.id == 0) && p.categories.len() > 1);
            assert!(!p.types.is_empty());
            let kinds: Vec<&str> =
                p.fields.values().flat_map(|f| f.values()).filter_map(|d| d["type"].as_str()).collect();
            for kind in ["enumeration", "money", "file", "boolean", "date", "url", "crm"] {
                assert!(kinds.contains(&kind), "{kind}");
            }
            assert!(p.users.values().any(|u| u["ACTIVE"] == false));
            let has =
                |entity, key: &str| p.records[&entity].values().any(|r| r.get(key) == Some(&json!("Y")));
            assert!(has(Entity::Company, "IS_MY_COMPANY") && has(Entity::Deal, "IS_RECURRING"));
        },
    },
];

#[test]
fn sheet_14_every_line_has_its_switch_and_shows_it() {
    for line in CHECKLIST {
        println!("{}", line.says);
        let mut settings = calm();
        for switch in line.switches {
            settings.switch(switch).unwrap();
        }
        settings.faults = line.faults.iter().map(|text| fault(text).unwrap()).collect();
        (line.seen)(&Twin::new(portal(120), settings));
    }
}
