//! The Bitrix24 twin: a portal and the classic REST API over it.
//!
//! Owns the order of checks, the envelope and the bookkeeping; each family of methods has its own file. Everything
//! is a function of the portal, the settings, the requests and the time handed in. Must not know any client.

mod account;
mod automation;
mod batch;
mod classic;
mod directory;
mod faults;
mod files;
mod filter;
pub mod generate;
mod http;
mod item;
mod limits;
mod links;
mod list;
mod log;
mod lookups;
mod methods;
mod names;
mod php;
pub mod portal;
mod records;
mod rows;
mod settings;
mod switches;
mod tables;
#[cfg(test)]
mod tests;
mod timeline;
mod write;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};

use super::{Request, Response};
pub use faults::{Fault, FaultKind, Trigger};
pub use files::content as file_content;
use http::Timing;
pub use limits::Plan;
pub use log::{LogSummary, MethodLog};
use methods::{Answer, Call, Failure};
use php::Php;
pub use portal::{Category, Entity, Link, Portal, Record};
pub use settings::{Dialects, Latency, NoTotal, Settings};
pub use switches::{BadSwitch, fault};
pub use tables::Table;

/// One request may run this long in the cloud, a batch included (sheet 3.3).
const MAX_REQUEST_MS: f64 = 60_000.0;

/// The credential of an application: operating time is counted for it apart from the webhook's.
const APPLICATION: &str = "application";

/// A deterministic hash (FNV-1a with a final mix): blanks, unordered pages and chances come from it.
fn hash(seed: u64, id: i64, text: &str) -> u64 {
    let mut h = 0xcbf2_9ce4_8422_2325_u64 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for byte in id.to_le_bytes().iter().chain(text.as_bytes()) {
        h = (h ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    h = (h ^ (h >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    h = (h ^ (h >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    h ^ (h >> 31)
}

/// An in-memory Bitrix24 portal that answers REST requests.
#[derive(Debug)]
pub struct Twin {
    state: Mutex<State>,
}

/// Everything behind the lock.
#[derive(Debug)]
struct State {
    portal: Portal,
    settings: Settings,
    limits: limits::Limits,
    faults: faults::Counters,
    reverse: Option<methods::Reverse>,
    /// The last page of each list, kept only where a fault may repeat it.
    pages: BTreeMap<String, Value>,
    log: LogSummary,
}

impl Twin {
    /// Puts a server before a portal.
    pub fn new(portal: Portal, settings: Settings) -> Self {
        let state = State {
            portal,
            settings,
            limits: limits::Limits::default(),
            faults: faults::Counters::default(),
            reverse: None,
            pages: BTreeMap::new(),
            log: LogSummary::default(),
        };
        Twin { state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers one request at `now_ms` (Unix milliseconds). Never panics, whatever the bytes.
    pub fn handle(&self, req: &Request, now_ms: i64) -> Response {
        let mut state = self.lock();
        let response = state.handle(req, now_ms);
        state.log.took_ms = state.log.took_ms.saturating_add(response.took_ms);
        response
    }

    /// What was served so far.
    pub fn log(&self) -> LogSummary {
        self.lock().log.clone()
    }

    /// The portal's whole data in a stable order, whatever the order in which it was written.
    pub fn dump(&self) -> Value {
        dump(&self.lock().portal)
    }

    /// Works on the portal's data, as people do.
    pub fn with_portal<R>(&self, f: impl FnOnce(&mut Portal) -> R) -> R {
        let mut state = self.lock();
        state.reverse = None;
        f(&mut state.portal)
    }

    /// Changes the settings midway: rights, plan, faults.
    pub fn with_settings<R>(&self, f: impl FnOnce(&mut Settings) -> R) -> R {
        f(&mut self.lock().settings)
    }
}

impl State {
    fn handle(&mut self, req: &Request, now_ms: i64) -> Response {
        self.log.requests += 1;
        let front_ms = self.settings.latency.request_ms;
        let link = files::is_link(&req.path);
        let Some(route) = link.map(http::Route::of).or_else(|| http::route(&req.path)) else {
            return http::html(404, front_ms);
        };
        let struck = self.faults.strike(&self.settings.faults, self.settings.seed, &route.method, false);
        self.log.faults += struck.len() as u64;
        if let Some(response) = self.strike(&struck, req, now_ms) {
            return response;
        }
        if self.settings.rate_limited {
            let (plan, count) = (self.settings.plan, self.settings.dialects.refused_requests_count);
            match self.limits.bucket(&req.client, now_ms).take(plan, count, now_ms) {
                Some(level) => self.log.max_level = self.log.max_level.max(level),
                None => {
                    self.log.refused_rate += 1;
                    return http::failure(
                        &Failure::new(503, "QUERY_LIMIT_EXCEEDED", "Too many requests"),
                        front_ms,
                    );
                }
            }
        }
        let mut response = match link {
            Some(_) => files::serve(&self.portal, &self.settings, req, front_ms),
            None => self.serve(&route, req, &struck, now_ms),
        };
        for fault in struck {
            match fault {
                FaultKind::CutBody => response.body.truncate(response.body.len() / 2),
                FaultKind::Slow(ms) => response.took_ms = response.took_ms.saturating_add(ms),
                _ => {}
            }
        }
        if response.took_ms as f64 > MAX_REQUEST_MS {
            return http::html(504, MAX_REQUEST_MS);
        }
        response
    }

    /// Planned faults of the servers in front; the answer that replaces the real one.
    fn strike(&mut self, struck: &[FaultKind], req: &Request, now_ms: i64) -> Option<Response> {
        let front_ms = self.settings.latency.request_ms;
        let fail =
            |status, code: &str, text: &str| Some(http::failure(&Failure::new(status, code, text), front_ms));
        for fault in struck {
            let now = methods::iso(now_ms, methods::offset_of(&self.settings));
            let response = match fault {
                FaultKind::Insert(entity) => {
                    faults::insert_row(&mut self.portal, *entity, &now);
                    None
                }
                FaultKind::Delete(entity) => {
                    faults::delete_row(&mut self.portal, *entity);
                    None
                }
                FaultKind::Edit(edit) => {
                    edit(&mut self.portal);
                    None
                }
                FaultKind::RateLimit => fail(503, "QUERY_LIMIT_EXCEEDED", "Too many requests"),
                FaultKind::Overload => fail(503, "OVERLOAD_LIMIT", "REST API is blocked due to overload"),
                FaultKind::ServerError => fail(500, "INTERNAL_SERVER_ERROR", "Internal server error"),
                FaultKind::Html(status) => Some(http::html(*status, front_ms)),
                FaultKind::Rename(host) => {
                    let mut response = http::html(302, front_ms);
                    let query = if req.query.is_empty() { String::new() } else { format!("?{}", req.query) };
                    response.headers.push(("location".into(), format!("https://{host}{}{query}", req.path)));
                    Some(response)
                }
                _ => None,
            };
            if matches!(fault, FaultKind::Insert(_) | FaultKind::Delete(_) | FaultKind::Edit(_)) {
                self.reverse = None;
            }
            if response.is_some() {
                return response;
            }
        }
        None
    }

    /// Planned faults of the portal itself: a closed one says so before it looks at the method, the others when it
    /// looks at who calls.
    fn refusal(&self, struck: &[FaultKind], closed: bool) -> Option<Failure> {
        let mut refusals = struck.iter().filter_map(|fault| match fault {
            FaultKind::PortalDeleted if closed => {
                Some(Failure::new(500, "PORTAL_DELETED", "Portal was deleted"))
            }
            _ if closed => None,
            FaultKind::ExpiredWebhook => Some(self.bad_credentials()),
            FaultKind::ExpiredToken => {
                Some(Failure::new(401, "expired_token", "The access token provided has expired."))
            }
            FaultKind::FreePlan => {
                let text = "REST is available only on commercial plans.";
                Some(Failure::new(403, "ACCESS_DENIED", text))
            }
            FaultKind::Refuse(status, code) => Some(Failure::new(*status, code, "")),
            _ => None,
        });
        refusals.next()
    }

    fn bad_credentials(&self) -> Failure {
        let status = self.settings.dialects.credentials_status;
        Failure::new(status, "INVALID_CREDENTIALS", "Invalid request credentials")
    }

    /// Site, method, credentials, then the call itself (sheet 14).
    fn serve(&mut self, route: &http::Route, req: &Request, struck: &[FaultKind], now_ms: i64) -> Response {
        let front_ms = self.settings.latency.request_ms;
        if let Some(closed) = self.refusal(struck, true) {
            return http::failure(&closed, front_ms);
        }
        if route.method != "batch" && methods::find(&route.method).is_none() {
            return http::failure(&method_not_found(), front_ms);
        }
        let mut args = http::arguments(req);
        let credential = match self.caller(route, &mut args) {
            Ok(credential) => credential,
            Err(failure) => return http::failure(&failure, front_ms),
        };
        if let Some(refused) = self.refusal(struck, false) {
            return http::failure(&refused, front_ms);
        }
        if route.method == "batch" {
            return match batch::run(self, &credential, &args, now_ms) {
                Some((result, worked)) => {
                    let timing = batch::timing(now_ms, worked, front_ms);
                    let time = http::time(&timing, &self.settings);
                    http::answer(200, &json!({ "result": result, "time": time }), timing.duration_ms)
                }
                None => http::html(504, MAX_REQUEST_MS),
            };
        }
        let (outcome, mut timing) = self.invoke(&credential, &route.method, &args, now_ms, false);
        timing.duration_ms += front_ms;
        match outcome {
            Ok(answer) => {
                let mut body =
                    json!({ "result": answer.result, "time": http::time(&timing, &self.settings) });
                for (key, value) in [("total", answer.total), ("next", answer.next)] {
                    if let Some(value) = value {
                        body[key] = json!(value);
                    }
                }
                http::answer(200, &body, timing.duration_ms)
            }
            Err(failure) => http::failure(&failure, timing.duration_ms),
        }
    }

    /// Who calls: the webhook in the path, or an application whose token is the parameter `auth`.
    fn caller(&self, route: &http::Route, args: &mut Php) -> Result<String, Failure> {
        if let Some((user, secret)) = &route.credentials {
            let known = *user == self.settings.user_id.to_string() && *secret == self.settings.secret;
            return if known { Ok(format!("{user}/{secret}")) } else { Err(self.bad_credentials()) };
        }
        let sent = args.remove("auth").and_then(|token| token.text().map(std::borrow::Cow::into_owned));
        match (&self.settings.access_token, sent) {
            (Some(token), Some(sent)) if *token == sent => Ok(APPLICATION.to_owned()),
            _ => Err(Failure::new(401, "NO_AUTH_FOUND", "Wrong authorization data")),
        }
    }

    /// One call, in a batch or not: existence, scope, operating limit, handler (sheet 14).
    fn invoke(
        &mut self,
        credential: &str,
        method: &str,
        args: &Php,
        now_ms: i64,
        batched: bool,
    ) -> (Result<Answer, Failure>, Timing) {
        let mut timing = Timing { start_ms: now_ms, ..Timing::default() };
        let Some(handler) = methods::find(method) else {
            return (Err(method_not_found()), timing);
        };
        let scopes = methods::scopes(method);
        if !scopes.is_empty() && !self.settings.scopes.iter().any(|s| scopes.contains(&s.as_str())) {
            let by = if credential == APPLICATION { "access token" } else { "webhook token" };
            let text = format!("The request requires higher privileges than provided by the {by}");
            let text = if batched { String::new() } else { text };
            return (
                Err(Failure::new(self.settings.dialects.scope_status, "insufficient_scope", text)),
                timing,
            );
        }
        let log = self.log.methods.entry(method.to_owned()).or_default();
        log.calls += 1;
        log.in_batches += u64::from(batched);
        let struck = self.faults.strike(&self.settings.faults, self.settings.seed, method, true);
        self.log.faults += struck.len() as u64;
        let blocked = self.limits.operating(credential, method).sum(now_ms) > self.settings.operating_limit_s;
        self.log.refused_operating += u64::from(blocked);
        let refused = struck.iter().find_map(|fault| match fault {
            FaultKind::Command(status, code) => Some(Failure::new(*status, code, "")),
            FaultKind::OperatingLimit => Some(operating_limit()),
            _ => None,
        });
        if let Some(failure) = refused.or_else(|| blocked.then(operating_limit)) {
            log_error(&mut self.log, method);
            return (Err(failure), timing);
        }
        // One method lists several objects, and a list is another one with other fields.
        let list = format!("{method} {:?} {:?}", args.get("entityTypeId"), args.get("select"));
        let mut call = Call {
            portal: &mut self.portal,
            settings: &self.settings,
            app: credential == APPLICATION,
            reverse: &mut self.reverse,
            args,
            now_ms,
        };
        let mut outcome = handler.run(&mut call);
        let latency = &self.settings.latency;
        let (rows, counted) = outcome.as_ref().map_or((0, 0), |a| (a.rows, a.counted));
        let worked = latency.base_ms * weight(method)
            + latency.row_ms * rows as f64
            + latency.count_us * counted as f64 / 1000.0;
        let operating = self.limits.operating(credential, method);
        operating.add(now_ms, worked / 1000.0);
        timing.operating = Some((operating.sum(now_ms), operating.reset_at(now_ms)));
        (timing.duration_ms, timing.processing_ms) = (worked, worked);
        let log = self.log.methods.entry(method.to_owned()).or_default();
        log.operating_s += worked / 1000.0;
        log.rows += rows as u64;
        match &mut outcome {
            // Bindings come whole and name no activity: nothing there could lie in pages.
            Ok(answer) if is_list(method) => {
                struck.iter().for_each(|fault| falsify(fault, answer, self.pages.get(&list)));
                if self.settings.faults.iter().any(|f| matches!(f.kind, FaultKind::RepeatPage)) {
                    self.pages.insert(list, answer.result.clone());
                }
            }
            Ok(_) => {}
            Err(_) => log_error(&mut self.log, method),
        }
        (outcome, timing)
    }
}

/// Whether a method answers in pages.
fn is_list(method: &str) -> bool {
    method.ends_with(".list") && method != "crm.activity.binding.list" || method == "voximplant.statistic.get"
}

/// Lets a list lie about its page or its count.
fn falsify(fault: &FaultKind, answer: &mut Answer, before: Option<&Value>) {
    match fault {
        FaultKind::ShortPage => {
            let items = match &mut answer.result {
                Value::Array(rows) => Some(rows),
                Value::Object(o) => {
                    let keys = ["items", "productRows", "tasks", "prices"];
                    let key = keys.into_iter().find(|key| o.contains_key(*key)).unwrap_or_default();
                    o.get_mut(key).and_then(Value::as_array_mut)
                }
                _ => None,
            };
            items.filter(|rows| rows.len() == list::PAGE).map(Vec::pop);
        }
        FaultKind::RepeatPage => answer.result = before.unwrap_or(&answer.result).clone(),
        FaultKind::WrongTotal(by) => answer.total = answer.total.map(|t| t.saturating_add(*by).max(0)),
        _ => {}
    }
}

fn log_error(log: &mut LogSummary, method: &str) {
    log.methods.entry(method.to_owned()).or_default().errors += 1;
}

fn method_not_found() -> Failure {
    Failure::new(404, "ERROR_METHOD_NOT_FOUND", "Method not found!")
}

fn operating_limit() -> Failure {
    Failure::new(429, "OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit.")
}

/// How heavy a method is: record methods cost the whole base, link tables and directories a tenth, as the documented
/// `processing` times suggest.
fn weight(method: &str) -> f64 {
    let name = method.rsplit('.').next().unwrap_or("");
    let record =
        method.starts_with("crm.item.") || method.matches('.').count() == 2 && methods::is_record(method);
    if record && name != "fields" { 1.0 } else { 0.1 }
}

/// A portal's data as JSON, with sorted keys.
fn dump(portal: &Portal) -> Value {
    let rows = |rows: &[Record]| rows.iter().cloned().map(Value::Object).collect::<Vec<_>>();
    let links = |table: &BTreeMap<i64, Vec<Link>>| {
        let of = |links: &[Link]| {
            links
                .iter()
                .map(|l| json!({ "id": l.id, "sort": l.sort, "primary": l.primary }))
                .collect::<Value>()
        };
        table.iter().map(|(id, l)| (id.to_string(), of(l))).collect::<Map<_, _>>()
    };
    let keyed = |table: &BTreeMap<i64, Record>| {
        table.iter().map(|(id, r)| (id.to_string(), Value::Object(r.clone()))).collect::<Map<_, _>>()
    };
    let per_entity = |f: &dyn Fn(Entity) -> Value| {
        portal.entities().into_iter().map(|e| (e.timeline_word(), f(e))).collect::<Map<_, _>>()
    };
    let categories = portal.categories.iter().map(|c| json!({ "id": c.id, "name": c.name, "sort": c.sort }));
    let mut dump = json!({
        "users": keyed(&portal.users),
        "departments": rows(&portal.departments),
        "categories": categories.collect::<Vec<_>>(),
        "statuses": rows(&portal.statuses),
        "currencies": rows(&portal.currencies),
        "fields": per_entity(&|e| {
            let fields = portal.fields.get(&e).into_iter().flatten();
            Value::Object(fields.map(|(c, d)| (c.clone(), Value::Object(d.clone()))).collect())
        }),
        "userfields": per_entity(&|e| Value::Array(rows(portal.userfields.get(&e).map_or(&[], Vec::as_slice)))),
        "records": per_entity(&|e| Value::Object(portal.records.get(&e).map(keyed).unwrap_or_default())),
        "contact_companies": links(&portal.contact_companies),
        "deal_contacts": links(&portal.deal_contacts),
        "quote_contacts": links(&portal.quote_contacts),
        "lead_contacts": links(&portal.lead_contacts),
        "process_contacts": portal.process_contacts.iter().map(|((kind, id), all)| {
            (format!("{kind}/{id}"), all.iter().map(|l| json!({ "id": l.id, "primary": l.primary })).collect::<Value>())
        }).collect::<Map<_, _>>(),
        "rows": portal.rows.iter().map(|((e, id), r)| (format!("{}/{id}", e.timeline_word()), json!(rows(r)))).collect::<Map<_, _>>(),
        "bindings": portal.bindings.iter().map(|(id, b)| (id.to_string(), json!(b))).collect::<Map<_, _>>(),
        "tables": portal.tables.iter().map(|(kind, rows)| (kind.name(), Value::Object(keyed(rows)))).collect::<Map<_, _>>(),
        "types": rows(&portal.types),
        "process_categories": portal.process_categories.iter().map(|(id, all)| {
            (id.to_string(), all.iter().map(|c| json!({ "id": c.id, "name": c.name, "sort": c.sort })).collect::<Value>())
        }).collect::<Map<_, _>>(),
    });
    // A record's keys stand in the order in which they were written, which is no difference of data.
    dump.sort_all_objects();
    dump
}
