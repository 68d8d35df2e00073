//! The client against a scripted portal on a virtual clock.

mod more;
mod tables;
mod twin;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::*;
use crate::lang::value::Value;
use crate::run::connect::outside::{HttpRequest, HttpResponse, TransportError};
use crate::run::connect::{Decode, Error, Raw};

const HOST: &str = "acme.bitrix24.com";

struct VirtualClock(Cell<i64>);

impl Clock for VirtualClock {
    fn now_ms(&self) -> i64 {
        self.0.get()
    }

    fn sleep(&self, ms: u64) -> Local<'_, ()> {
        self.0.set(self.0.get() + i64::try_from(ms).unwrap());
        Box::pin(std::future::ready(()))
    }
}

struct Seeded(Cell<u64>);

impl Random for Seeded {
    fn next_u64(&self) -> u64 {
        self.0.set(self.0.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        self.0.get() >> 11
    }
}

type Reply = Result<HttpResponse, TransportError>;

/// Takes the number of the request, the name of a command, and its result.
type Meddle = Box<dyn FnMut(usize, &str, Json) -> Json>;

/// A portal of contacts: `id` to its companies, the first one being primary.
#[derive(Default)]
struct Portal {
    contacts: RefCell<BTreeMap<u64, Vec<u64>>>,
    /// Answers in place of the portal, by the number of the request from 1.
    faults: RefCell<BTreeMap<usize, Reply>>,
    /// Changes the answer of a command, by its text.
    meddle: RefCell<Option<Meddle>>,
    requests: RefCell<Vec<String>>,
    clock: Option<Rc<VirtualClock>>,
    page_seconds: Cell<f64>,
    operating: RefCell<BTreeMap<String, Vec<(i64, f64)>>>,
    refused_429: Cell<u32>,
}

fn ok(body: Json) -> Reply {
    Ok(HttpResponse { status: 200, headers: Vec::new(), body: body.to_string().into_bytes() })
}

fn status(status: u16, body: &str) -> Reply {
    Ok(HttpResponse { status, headers: Vec::new(), body: body.as_bytes().to_vec() })
}

fn decode(text: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        if b == b'%' {
            let hex: String = [bytes.next().unwrap(), bytes.next().unwrap()].map(char::from).iter().collect();
            out.push(u8::from_str_radix(&hex, 16).unwrap());
        } else {
            out.push(b);
        }
    }
    String::from_utf8(out).unwrap()
}

impl Portal {
    fn with_contacts(contacts: impl IntoIterator<Item = (u64, Vec<u64>)>) -> Portal {
        Portal { contacts: RefCell::new(contacts.into_iter().collect()), ..Portal::default() }
    }

    fn list(&self, query: &BTreeMap<String, String>, upper: bool) -> (Json, u64) {
        let bound = |key: &str| query.get(key).and_then(|v| v.parse::<u64>().ok());
        let after = bound(if upper { "filter[>ID]" } else { "filter[>id]" });
        let until = bound("filter[<=ID]").unwrap_or(u64::MAX);
        let all = self.contacts.borrow();
        let wanted: Vec<u64> = query
            .iter()
            .filter(|(key, _)| key.to_uppercase().starts_with("FILTER[@ID]"))
            .map(|(_, id)| id.parse().unwrap())
            .collect();
        let rows = all
            .range(after.unwrap_or(0) + 1..)
            .take_while(|(id, _)| **id <= until)
            .filter(|(id, _)| wanted.is_empty() || wanted.contains(id));
        let total =
            if query.get("start").is_some_and(|s| s == "0") { rows.clone().count() as u64 } else { 0 };
        let mut rows: Vec<_> = rows.collect();
        if query.get("order[ID]").is_some_and(|order| order == "DESC") {
            rows.reverse();
        }
        let rows: Vec<Json> = rows
            .into_iter()
            .take(50)
            .map(|(id, companies)| {
                let primary = companies.first();
                if upper {
                    json!({"ID": id.to_string(), "NAME": format!("n{id}"), "COMPANY_ID": primary.map(u64::to_string)})
                } else {
                    json!({"id": id, "companyId": primary.unwrap_or(&0), "companyIds": companies})
                }
            })
            .collect();
        (json!(rows), total)
    }

    fn command(&self, command: &str, done: &BTreeMap<String, Json>) -> Result<(Json, Option<u64>), Json> {
        let (method, query) = command.split_once('?').unwrap_or((command, ""));
        let mut map = BTreeMap::new();
        for pair in query.split('&').filter(|p| !p.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap();
            let mut value = decode(value);
            if let Some(path) = value.strip_prefix("$result[") {
                let parts: Vec<&str> = path.trim_end_matches(']').split("][").collect();
                let found = done.get(parts[0]).and_then(|page| page.get(parts[1].parse::<usize>().unwrap()));
                value = found.map_or("broken".to_owned(), |row| row["ID"].as_str().unwrap().to_owned());
            }
            map.insert(decode(key), value);
        }
        match method {
            "crm.contact.list" => {
                let (rows, total) = self.list(&map, true);
                Ok((rows, (map.get("start").map(String::as_str) == Some("0")).then_some(total)))
            }
            "crm.item.list" => Ok((json!({"items": self.list(&map, false).0}), None)),
            "crm.contact.company.items.get" => {
                let id = map["id"].parse().unwrap();
                let contacts = self.contacts.borrow();
                let companies: &Vec<u64> = contacts
                    .get(&id)
                    .ok_or_else(|| json!({"error": "", "error_description": "Not found"}))?;
                let row = |(n, id): (usize, &u64)| json!({"COMPANY_ID": id, "SORT": n + 1, "ROLE_ID": 0, "IS_PRIMARY": if n == 0 { "Y" } else { "N" }});
                Ok((json!(companies.iter().enumerate().map(row).collect::<Vec<_>>()), None))
            }
            other => panic!("{other}"),
        }
    }

    fn operate(&self, method: &str) -> Result<f64, ()> {
        let now = self.clock.as_ref().map_or(0, |c| c.now_ms());
        let mut all = self.operating.borrow_mut();
        let used = all.entry(method.to_owned()).or_default();
        used.retain(|(at, _)| at + 600_000 > now);
        if used.iter().map(|(_, s)| s).sum::<f64>() > 480.0 {
            self.refused_429.set(self.refused_429.get() + 1);
            return Err(());
        }
        used.push((now, self.page_seconds.get()));
        Ok(used.iter().map(|(_, s)| s).sum())
    }

    fn handle(&self, request: &HttpRequest) -> Reply {
        let method = request.url.rsplit('/').next().unwrap().to_owned();
        self.requests.borrow_mut().push(request.url.clone());
        let number = self.requests.borrow().len();
        if let Some(reply) = self.faults.borrow_mut().remove(&number) {
            return reply;
        }
        let body: Json = serde_json::from_slice(&request.body).unwrap();
        match method.as_str() {
            "profile" => ok(json!({"result": {"ID": "1", "ADMIN": true}, "time": {}})),
            "batch" => {
                // The order of the commands is in the text, not in the map.
                let text = String::from_utf8(request.body.clone()).unwrap();
                let mut names: Vec<&String> = body["cmd"].as_object().unwrap().keys().collect();
                names.sort_by_key(|name| text.find(&format!("\"{name}\":")).unwrap());
                assert!(names.len() <= 50);
                let (mut results, mut errors) = (BTreeMap::new(), BTreeMap::new());
                let (mut totals, mut times) = (BTreeMap::new(), BTreeMap::new());
                for name in names {
                    let command = body["cmd"][name].as_str().unwrap();
                    let Ok(operating) = self.operate(command.split('?').next().unwrap()) else {
                        errors.insert(
                            name.clone(),
                            json!({"error": "OPERATION_TIME_LIMIT", "error_description": "x"}),
                        );
                        break;
                    };
                    match self.command(command, &results) {
                        Ok((mut result, total)) => {
                            if let Some(meddle) = self.meddle.borrow_mut().as_mut() {
                                // Behind the name that the packer put before it.
                                let (_, own) = name.split_once('_').unwrap();
                                result = meddle(number, own, result);
                            }
                            if result.get("error").is_some() {
                                errors.insert(name.clone(), result);
                                if body["halt"] == 1 { break } else { continue }
                            }
                            results.insert(name.clone(), result);
                            total.map(|total| totals.insert(name.clone(), total));
                            let duration = self.page_seconds.get();
                            times.insert(name.clone(), json!({"duration": duration, "operating": operating}));
                        }
                        Err(error) => {
                            errors.insert(name.clone(), error);
                            if body["halt"] == 1 {
                                break;
                            }
                        }
                    }
                }
                let empty = |map: Json| if map == json!({}) { json!([]) } else { map };
                let parts = json!({
                    "result": empty(json!(results)), "result_error": empty(json!(errors)),
                    "result_total": empty(json!(totals)), "result_next": [], "result_time": empty(json!(times)),
                });
                ok(json!({"result": parts, "time": {}}))
            }
            other => panic!("{other}"),
        }
    }
}

struct Wire(Rc<Portal>, Rc<VirtualClock>);

impl Transport for Wire {
    fn send<'a>(&'a self, request: &'a HttpRequest) -> Local<'a, Reply> {
        self.1.0.set(self.1.now_ms() + 200);
        Box::pin(std::future::ready(self.0.handle(request)))
    }
}

struct World {
    portal: Rc<Portal>,
    clock: Rc<VirtualClock>,
    source: Bitrix24,
}

impl World {
    fn new(mut portal: Portal) -> World {
        let clock = Rc::new(VirtualClock(Cell::new(1_700_000_000_000)));
        portal.clock = Some(clock.clone());
        let portal = Rc::new(portal);
        let webhook = Webhook::parse(&format!("https://{HOST}/rest/1/s3cr3t/")).unwrap();
        let transport = Rc::new(Wire(portal.clone(), clock.clone()));
        let random = Rc::new(Seeded(Cell::new(7)));
        let source = Bitrix24::new(webhook, transport, clock.clone(), random, Settings::default());
        World { portal, clock, source }
    }

    fn contacts(n: u64) -> World {
        World::new(Portal::with_contacts(
            (1..=n).map(|n| (n * 3, vec![n + 5, n + 9][..(n % 3) as usize].to_vec())),
        ))
    }

    fn fault(&self, number: usize, reply: Reply) {
        self.portal.faults.borrow_mut().insert(number, reply);
    }

    fn meddle(&self, f: impl FnMut(usize, &str, Json) -> Json + 'static) {
        *self.portal.meddle.borrow_mut() = Some(Box::new(f));
    }

    fn requests(&self) -> usize {
        self.portal.requests.borrow().len()
    }

    /// Everything from `cursor` on.
    fn extract(&self, cursor: &str) -> Result<Vec<Json>, Error> {
        let mut cursor = cursor.to_owned();
        let mut out = Vec::new();
        loop {
            let batch = wait(self.source.extract("contact", &cursor))?;
            for raw in batch.records {
                let json: Json = serde_json::from_slice(&raw.json).unwrap();
                assert_eq!(json["ID"], json!(raw.id));
                out.push(json);
            }
            cursor = batch.cursor;
            if batch.done {
                return Ok(out);
            }
        }
    }

    /// Every record is there, once, with its links.
    fn assert_whole(&self, records: &[Json]) {
        let contacts = self.portal.contacts.borrow();
        assert_eq!(records.len(), contacts.len());
        for (record, (id, companies)) in records.iter().zip(contacts.iter()) {
            assert_eq!(record["ID"], json!(id.to_string()));
            let links = record["COMPANY_IDS"].as_array().unwrap();
            let ids: Vec<u64> = links.iter().map(|l| l["id"].as_u64().unwrap()).collect();
            assert_eq!(&ids, companies);
            assert!(links.iter().enumerate().all(|(n, l)| l["primary"] == json!(n == 0)), "{record}");
        }
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

#[test]
fn all_records_in_the_fewest_requests() {
    for n in [0, 1, 49, 50, 149, 150, 151, 1249, 1250, 1251, 1400, 1401, 2500, 2501, 10_000] {
        let world = World::contacts(n);
        world.assert_whole(&world.extract("").unwrap());
        // Two commands a page; the first request of a plain list brings one of them.
        let pages = usize::try_from(n).unwrap().div_ceil(50).max(1);
        let fewest = 1 + (2 * pages - 1).div_ceil(50);
        assert!(world.requests() <= fewest, "{n} records took {} requests of {fewest}", world.requests());
        let before = world.requests();
        assert_eq!(wait(world.source.count("contact")), Ok(n));
        assert_eq!(world.requests(), before, "the last batch counted them");
        assert_eq!(wait(world.source.count("contact")), Ok(n));
        assert_eq!(world.requests(), before + 1, "a later count asks");
    }
}

#[test]
fn a_cursor_goes_on_where_it_stood() {
    let world = World::contacts(3000);
    let first = wait(world.source.extract("contact", "")).unwrap();
    assert!(!first.done);
    let again = World::new(Portal::with_contacts(world.portal.contacts.borrow().clone()));
    let rest = again.extract(&first.cursor).unwrap();
    assert_eq!(first.records.len() + rest.len(), 3000);
    assert!(matches!(wait(world.source.extract("contact", "x")), Err(Error::Refused { .. })));
    assert!(matches!(wait(world.source.extract("invoice", "")), Err(Error::Refused { .. })));
}

#[test]
fn answers_that_are_none_are_asked_for_again() {
    let html = "<html>502</html>";
    let faults = [
        status(502, html),
        status(200, "{\"result\":{\"resu"),
        status(500, r#"{"error":"INTERNAL_SERVER_ERROR","error_description":"x"}"#),
        Err(TransportError::Lost("reset".to_owned())),
        Err(TransportError::NotSent("refused".to_owned())),
        status(503, r#"{"error":"QUERY_LIMIT_EXCEEDED","error_description":"Too many requests"}"#),
        status(429, r#"{"error":"OPERATION_TIME_LIMIT","error_description":"x"}"#),
        status(403, html),
    ];
    for fault in faults {
        for number in 1..=3 {
            let world = World::contacts(1600);
            world.fault(number, fault.clone());
            world.assert_whole(&world.extract("").unwrap());
        }
    }
    let world = World::contacts(10);
    (1..=20).for_each(|n| world.fault(n, status(502, html)));
    let error = world.extract("").unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert_eq!(world.requests(), 6, "retries are bounded");
}

#[test]
fn refusals_name_the_next_step_and_no_secret() {
    let denied = [
        status(401, r#"{"error":"INVALID_CREDENTIALS","error_description":"Invalid request credentials"}"#),
        status(
            403,
            r#"{"error":"ACCESS_DENIED","error_description":"REST API is available only on commercial plans"}"#,
        ),
        status(403, r#"{"error":"insufficient_scope","error_description":""}"#),
        status(401, r#"{"error":"expired_token"}"#),
        status(410, r#"{"error":"PORTAL_DELETED","error_description":"Portal was deleted"}"#),
        ok(json!({"result": {"ID": "7", "ADMIN": false}})),
    ];
    for reply in denied {
        let world = World::contacts(1);
        world.fault(1, reply);
        let error = wait(world.source.account()).unwrap_err();
        assert!(matches!(error, Error::Denied { .. }), "{error:?}");
        assert!(!format!("{error:?} {error}").contains("s3cr3t"));
    }
    let world = World::contacts(1);
    world.fault(1, status(200, r#"{"error":0,"error_description":"The parameter is invalid"}"#));
    assert!(matches!(wait(world.source.account()), Err(Error::Refused { .. })), "an error with HTTP 200");
    assert_eq!(wait(world.source.account()).unwrap().id, HOST);
}

#[test]
fn a_renamed_portal_is_followed_and_named() {
    let world = World::contacts(60);
    let moved = |to: &str| {
        let headers = vec![("location".to_owned(), to.to_owned())];
        Ok(HttpResponse { status: 302, headers, body: b"<html>".to_vec() })
    };
    world.fault(1, moved("https://new.bitrix24.com/rest/1/s3cr3t/batch"));
    world.assert_whole(&world.extract("").unwrap());
    assert_eq!(world.source.aliases(), ["new.bitrix24.com"]);
    assert_eq!(wait(world.source.account()).unwrap().id, HOST, "the first host stays the account's id");
    assert!(world.portal.requests.borrow()[1].starts_with("https://new.bitrix24.com/rest/1/s3cr3t/batch"));
    let world = World::contacts(60);
    world.fault(1, moved("https://evil.example/login"));
    assert!(matches!(world.extract(""), Err(Error::Denied { .. })));
    assert_eq!(world.requests(), 1, "the secret goes nowhere else");
}

/// Cuts the page `name` of request `at` down to `keep` records.
fn cut(at: usize, name: &'static str, keep: usize) -> impl FnMut(usize, &str, Json) -> Json {
    move |number, command, mut page| {
        if let (true, Some(rows)) = (number == at && command == name, page.as_array_mut()) {
            rows.truncate(keep);
        }
        page
    }
}

#[test]
fn a_short_page_in_the_middle_is_noticed() {
    for counted in [false, true] {
        for keep in [0, 20] {
            let world = World::contacts(3000);
            if counted {
                wait(world.source.count("contact")).unwrap();
            }
            world.meddle(cut(2, "p1", keep));
            world.assert_whole(&world.extract("").unwrap());
        }
    }
}

#[test]
fn a_page_that_lost_records_in_its_middle_is_noticed_and_they_are_fetched() {
    let world = World::contacts(300);
    world.meddle(|number, command, mut page| {
        if let (true, Some(rows)) = (number < 5 && command == "p2", page.as_array_mut()) {
            rows.remove(7);
        }
        page
    });
    let (mut cursor, mut found) = (String::new(), Vec::new());
    let moved = loop {
        let batch = wait(world.source.extract("contact", &cursor)).unwrap();
        found.extend(batch.records.into_iter().map(|raw| raw.id));
        cursor = batch.cursor;
        if batch.done {
            break batch.moved;
        }
    };
    assert!(moved, "the count is above what came");
    let mut listed = Vec::new();
    let mut cursor = String::new();
    loop {
        let batch = wait(world.source.ids("contact", &cursor)).unwrap().unwrap();
        listed.extend(batch.records.into_iter().map(|raw| raw.id));
        cursor = batch.cursor;
        if batch.done {
            break;
        }
    }
    assert_eq!(listed.len(), 300);
    let lacking: Vec<String> = listed.into_iter().filter(|id| !found.contains(id)).collect();
    assert_eq!(lacking.len(), 2, "a row of each page was lost");
    let fetched = wait(world.source.records("contact", &lacking)).unwrap();
    let ids: Vec<&String> = fetched.iter().map(|raw| &raw.id).collect();
    assert_eq!(ids, lacking.iter().collect::<Vec<_>>());
    let links = |raw: &Raw| serde_json::from_slice::<Json>(&raw.json).unwrap()["COMPANY_IDS"].is_array();
    assert!(fetched.iter().all(links), "what belongs to them came too");
}

#[test]
fn pages_that_repeat_or_go_back_are_read_again_then_reported() {
    let swap = |until: usize| {
        move |number: usize, command: &str, mut page: Json| {
            if let (true, Some(rows)) = (number <= until && command.starts_with('p'), page.as_array_mut())
                && rows.len() > 1
            {
                rows[1] = rows[0].clone();
            }
            page
        }
    };
    let world = World::contacts(100);
    world.meddle(swap(1));
    world.assert_whole(&world.extract("").unwrap());
    let world = World::contacts(100);
    world.meddle(swap(usize::MAX));
    let error = world.extract("").unwrap_err();
    assert!(matches!(&error, Error::Inconsistent { object, .. } if object == "contact"), "{error:?}");
}

#[test]
fn an_item_without_an_id_is_an_error() {
    let world = World::contacts(10);
    world.meddle(|_, command, page| if command == "p0" { json!([{"NAME": "x"}]) } else { page });
    assert!(matches!(world.extract(""), Err(Error::Malformed { .. })));
}

#[test]
fn links_are_asked_for_singly_where_the_universal_list_fails() {
    let refuse = json!({"error": "INVALID_ARG_VALUE", "error_description": "x"});
    let cases: [Box<dyn Fn(Json) -> Json>; 4] = [
        Box::new(move |_| refuse.clone()),
        Box::new(|_| json!({"items": []})),
        Box::new(|mut page| {
            let rows = page["items"].as_array_mut().unwrap();
            rows.iter_mut().for_each(|row| row["companyIds"] = Json::Null.clone());
            rows.iter_mut().for_each(|row| drop(row.as_object_mut().unwrap().remove("companyIds")));
            page
        }),
        Box::new(|mut page| {
            page["items"].as_array_mut().unwrap().iter_mut().for_each(|row| row["companyIds"] = json!([999]));
            page
        }),
    ];
    for (index, case) in cases.into_iter().enumerate() {
        let world = World::contacts(130);
        world.meddle(move |_, command, page| if command.starts_with('l') { case(page) } else { page });
        let records = world.extract("").unwrap();
        if index == 3 {
            // Contacts without a company keep what the list says: nothing contradicts it.
            let contacts = world.portal.contacts.borrow();
            let sound = records.iter().zip(contacts.values()).filter(|(_, c)| !c.is_empty());
            assert!(sound.into_iter().all(|(r, c)| r["COMPANY_IDS"].as_array().unwrap().len() == c.len()));
        } else {
            world.assert_whole(&records);
        }
    }
}

#[test]
fn records_added_and_deleted_between_pages() {
    let world = World::contacts(2600);
    let portal = Rc::downgrade(&world.portal);
    world.meddle(move |number, command, page| {
        if let (1, "p0", Some(portal)) = (number, command, portal.upgrade()) {
            let mut contacts = portal.contacts.borrow_mut();
            contacts.remove(&3);
            contacts.insert(90_000, vec![1]);
        }
        page
    });
    let records = world.extract("").unwrap();
    // The deleted one has no links any more, so that its window is read again.
    world.assert_whole(&records);
    assert_eq!(records.len(), 2600, "without the one that is gone, with the one that is new");
}

#[test]
fn slow_pages_make_smaller_batches_and_the_running_time_is_kept() {
    let world = World::contacts(10_000);
    world.portal.page_seconds.set(5.0);
    world.assert_whole(&world.extract("").unwrap());
    assert_eq!(world.portal.refused_429.get(), 0, "no call was refused for its running time");
    let hours = (world.clock.now_ms() - 1_700_000_000_000) / 1000;
    // 200 pages and their links of 5 s each: 1,000 s a method, of which 456 fit in ten minutes.
    assert!((1200..2400).contains(&hours), "{hours} s");
}

#[test]
fn staged_records_decode() {
    let Some(schema) = testing::documented_schema() else { return };
    let world = World::new(Portal::with_contacts([(7, vec![12, 15])]));
    let batch = wait(world.source.extract("contact", "")).unwrap();
    let decoder = crate::run::connect::decoder("bitrix24", &schema, "contact").unwrap();
    let record = Decode::decode(&*decoder, &batch.records[0].json).unwrap();
    let slot = schema.object("contact").unwrap().slot("COMPANY_IDS").unwrap();
    let Value::List(links) = &record[slot] else { panic!("no links") };
    let Value::Item(second) = &links[1] else { panic!("no item") };
    assert_eq!(second.value, Value::text("15"));
    assert_eq!(second.attrs, [Value::Bool(false), Value::Int(20)]);
    assert!(crate::run::connect::decoder("bitrix24", &schema, "invoice").is_err());
    assert!(crate::run::connect::decoder("other", &schema, "contact").is_err());
}
