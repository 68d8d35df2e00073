//! The JSON-RPC front: envelopes, status codes, methods (sheet §3.1, §4).

pub mod agenda;
mod email;
mod find;
pub mod render;
mod render_agenda;
mod timeline;
mod write;

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Map, Value, json};

use super::super::{Request, Response};
use super::company::Company;
use super::index;
use super::json::Json;
use super::record::Kind;
use super::settings::{Envelope, NotFound, RpcStatus, Throttle};
use super::values::{Context, Refusal};
use super::{State, answer};
use find::{FULL_CAP, Tail, rows};
pub use find::{Sorted, sort};
use render::{FOUNDED, Render, named, outcome, team, user};

/// One call: a method with named or positional parameters.
pub struct Call<'a> {
    method: &'a str,
    params: &'a Json,
}

impl Call<'_> {
    /// A parameter by name or place, or null.
    pub fn at(&self, name: &str, place: usize) -> &Json {
        match self.params {
            Json::Arr(list) => list.get(place).unwrap_or(&super::json::NULL),
            named => named.at(name),
        }
    }
}

/// Serves `/api/v1/json` and the discovery at `/v1/json`.
pub fn serve(state: &mut State, request: &Request, now_ms: i64) -> Response {
    if request.method == "GET" {
        // The service description, without authentication.
        let stub = json!({"transport": "POST", "envelope": "JSON-RPC-2.0", "target": "/api/v1/json", "services": {}});
        return answer(200, "application/json", stub.to_string().into_bytes());
    }
    if request.method != "POST" {
        return answer(405, "application/json", b"null".to_vec());
    }
    let body = Json::parse(&request.body);
    let id = body.as_ref().map_or(Value::Null, |body| body.at("id").to_value());
    let method = body.as_ref().and_then(|body| body.at("method").str()).unwrap_or("?").to_owned();
    state.log.request(&method);
    let result = match &body {
        None => Err(Refusal::new(-32700, "Parse error")),
        Some(body) => call(state, request, body, now_ms),
    };
    let reply = envelope(state, &id, result);
    let status = reply.status;
    if status != 200 || reply.code.is_some() {
        state.log.error(&reply.code.map_or_else(|| status.to_string(), |code| code.to_string()));
    }
    let mut response = answer(status, "application/json", reply.body);
    if let Some((name, value)) = reply.header {
        response.headers.push((name, value));
    }
    let reads = method.starts_with("get") || method.starts_with("find");
    if reads && status == 200 && reply.code.is_none() {
        let mut hasher = DefaultHasher::new();
        response.body.hash(&mut hasher);
        let tag = format!("\"{:016x}\"", hasher.finish());
        if request.headers.iter().any(|(name, value)| name == "if-none-match" && *value == tag) {
            response.status = 304;
            response.body.clear();
        }
        response.headers.push(("etag".to_owned(), tag));
    }
    response
}

struct Reply {
    status: u16,
    code: Option<i64>,
    body: Vec<u8>,
    header: Option<(String, String)>,
}

fn envelope(state: &State, id: &Value, result: Result<Value, Refusal>) -> Reply {
    let dialect = &state.settings.dialect;
    let mut map = Map::new();
    map.insert("id".to_owned(), id.clone());
    let live = dialect.envelope == Envelope::Live;
    if live {
        map.insert("jsonrpc".to_owned(), json!("2.0"));
    }
    let (status, code, header) = match result {
        Ok(value) => {
            map.insert("result".to_owned(), value);
            if !live {
                map.insert("error".to_owned(), Value::Null);
            }
            (200, None, None)
        }
        Err(refusal) => {
            if !live {
                map.insert("result".to_owned(), Value::Null);
            }
            let error = json!({"code": refusal.code, "message": refusal.title, "data": null});
            map.insert("error".to_owned(), error);
            // Bad credentials are 401 in either form (sheet §3.1).
            let status = match (dialect.rpc_status, refusal.code) {
                (_, 401) => 401,
                // What fails before the call is looked at has its own status in either form.
                (RpcStatus::Always200, code) if !matches!(code, 429 | 500 | 503) => 200,
                (_, -32601) => 404,
                (_, code) => u16::try_from(code).ok().filter(|code| (400..600).contains(code)).unwrap_or(400),
            };
            let wait = refusal.detail.filter(|_| refusal.code == 429);
            (status, Some(refusal.code), wait.map(|seconds| ("retry-after".to_owned(), seconds)))
        }
    };
    Reply { status, code, body: Value::Object(map).to_string().into_bytes(), header }
}

fn call(state: &mut State, request: &Request, body: &Json, now_ms: i64) -> Result<Value, Refusal> {
    // No batch calls are documented, and `id` is required.
    let invalid = || Refusal::new(-32600, "Invalid Request");
    let method = body.at("method").str().ok_or_else(invalid)?;
    if body.at("id").is_null() {
        return Err(invalid());
    }
    let call = Call { method, params: body.at("params") };
    if method == "getApiForUsername" {
        let host = &state.settings.host;
        return Ok(json!({"iphone": host, "api": host, "login": host}));
    }
    if super::plain_path(&request.path) == "/v1/json" {
        return Err(Refusal::new(-32601, "Method not found"));
    }
    let Some((actor, user)) = state.authenticate(request) else {
        return Err(Refusal::new(401, "API key not found"));
    };
    if state.stumbles() {
        return Err(Refusal::new(500, "Internal Server Error"));
    }
    let settings = state.settings.clone();
    let context = Context { settings: &settings, now_ms, actor, user };
    match dispatch(state, context, &call) {
        Err(refusal) if refusal.code == 404 => match settings.dialect.not_found {
            NotFound::Code404 => Err(refusal),
            NotFound::Code400 => Err(Refusal { code: 400, ..refusal }),
            NotFound::Null if method.starts_with("get") => Ok(Value::Null),
            NotFound::Null => Err(refusal),
        },
        answer => answer,
    }
}

fn dispatch(state: &mut State, context: Context, call: &Call) -> Result<Value, Refusal> {
    if call.method.starts_with("delete") && !context.settings.may_delete {
        return Err(Refusal::new(403, "You do not have permission to delete"));
    }
    for kind in Kind::ALL {
        let singular = capital(kind.singular());
        if let Some(verb) = call.method.strip_suffix(singular.as_str())
            && matches!(verb, "new" | "get" | "edit" | "delete")
        {
            return record(state, context, call, kind, verb);
        }
        match call.method.strip_suffix(kind.name()) {
            Some("find") => return find_records(state, context, call, kind),
            Some("search") => return search(&state.company, context, call, kind),
            _ => {}
        }
    }
    if call.method.ends_with("Note") {
        return timeline::note(&mut state.company, context, call);
    }
    if let Some(answer) = agenda::dispatch(state, context, call) {
        return answer;
    }
    reference(&mut state.company, context, call)
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + chars.as_str())
}

fn not_found(what: &str, id: i64) -> Refusal {
    Refusal::new(404, format!("{what} {id} not found"))
}

/// `newX`, `getX`, `editX`, `deleteX`.
fn record(
    state: &mut State,
    context: Context,
    call: &Call,
    kind: Kind,
    verb: &str,
) -> Result<Value, Refusal> {
    let company = &mut state.company;
    let show = |company: &Company, id: i64| {
        let render = Render { company, settings: context.settings };
        company.record(kind, id).map(|record| render.full(record)).ok_or_else(|| not_found(kind.name(), id))
    };
    if verb == "new" {
        let id = write::create(company, context, kind, call.at(kind.singular(), 0))?;
        return show(company, id);
    }
    let name = format!("{}Id", kind.singular());
    let id = call.at(&name, 0).int().ok_or_else(|| Refusal::bad(format!("{name} must be a number")))?;
    let record = company.record(kind, id).ok_or_else(|| not_found(kind.name(), id))?;
    let rev = call.at("rev", 1);
    let current = record.rev.to_string();
    if verb == "get" {
        if record.deleted.is_some() && !context.settings.dialect.deleted_readable {
            return Err(not_found(kind.name(), id));
        }
        // A read that names the current rev answers a stub (sheet §3).
        let unchanged = rev.text().is_some_and(|rev| rev == current);
        return if unchanged { Ok(json!({"_notModified": true})) } else { show(company, id) };
    }
    if record.deleted.is_some() {
        return Err(not_found(kind.name(), id));
    }
    if !rev.text().is_some_and(|rev| rev == current || rev == "REV_IGNORE") {
        return Err(Refusal::new(409, "rev key is out-of-date"));
    }
    if verb == "delete" {
        company.delete(kind, id, context.actor, context.now_ms);
        return Ok(json!(true));
    }
    let before = record.clone();
    write::edit(company, context, &before, call.at(kind.singular(), 2))?;
    show(company, id)
}

fn find_records(state: &mut State, context: Context, call: &Call, kind: Kind) -> Result<Value, Refusal> {
    let order = if kind == Kind::Accounts { "name" } else { "id" };
    let mut tail = Tail::read(call, 1, order)?;
    if !tail.stub || kind != Kind::Leads {
        tail.limit = tail.limit.min(FULL_CAP);
    }
    if !tail.stub {
        throttle(state, context)?;
    }
    let company = &state.company;
    let ids = find::page(company, &mut state.sorted, context, kind, call.at("query", 0), &tail)?;
    let render = Render { company, settings: context.settings };
    let records = ids.iter().filter_map(|id| company.record(kind, *id));
    Ok(records.map(|record| if tail.stub { render.stub(record) } else { render.full(record) }).collect())
}

/// Counts full find pages per minute (sheet §3.3).
fn throttle(state: &mut State, context: Context) -> Result<(), Refusal> {
    let (limit, refusal) = match context.settings.dialect.find_throttle {
        Throttle::Off => return Ok(()),
        Throttle::TooMany { per_minute, retry_after_seconds } => {
            let mut refusal = Refusal::new(429, "Too many requests");
            refusal.detail = retry_after_seconds.map(|seconds| seconds.to_string());
            (per_minute, refusal)
        }
        Throttle::Unavailable { per_minute } => (per_minute, Refusal::new(503, "Service Unavailable")),
    };
    let minute = context.now_ms.div_euclid(60_000);
    if state.full_finds.0 != minute {
        state.full_finds = (minute, 0);
    }
    if state.full_finds.1 >= limit {
        return Err(refusal);
    }
    state.full_finds.1 += 1;
    Ok(())
}

fn stubs(company: &Company, context: Context, kind: Kind, ids: &[i64], limit: usize) -> Value {
    let render = Render { company, settings: context.settings };
    ids.iter()
        .filter_map(|id| company.live(kind, *id))
        .take(limit)
        .map(|record| render.stub(record))
        .collect()
}

fn search(company: &Company, context: Context, call: &Call, kind: Kind) -> Result<Value, Refusal> {
    let text = call.at("string", 0).text().ok_or_else(|| Refusal::bad("string is missing"))?;
    let default = if kind == Kind::Leads { 40 } else { 10 };
    let limit = call.at("limit", 1).int().and_then(|limit| usize::try_from(limit).ok()).unwrap_or(default);
    let ids = company.index.fuzzy(kind, &text);
    Ok(stubs(company, context, kind, &ids, limit))
}

/// Settings, sources, tags, users, searches over everything.
fn reference(company: &mut Company, context: Context, call: &Call) -> Result<Value, Refusal> {
    let list = |values: Vec<Value>| Ok(rows(&Tail::read(call, 0, "name")?, values));
    let plain =
        |entity: &str, rows: &[super::company::Named]| rows.iter().map(|row| named(entity, row)).collect();
    match call.method {
        "findUsers" => {
            let email = call.at("query", 0).at("email").filled();
            let wanted = |known: &&super::company::User| email.as_ref().is_none_or(|email| known.email.eq_ignore_ascii_case(email));
            let users = company.users.iter().filter(wanted).map(user).collect();
            Ok(rows(&Tail::read(call, 1, "last_name")?, users))
        }
        "getUser" => {
            let id = call.at("userId", 0).int().unwrap_or(context.user);
            let found = company.user(id).ok_or_else(|| not_found("Users", id))?;
            let mut value = user(found);
            let (first, last) = found.name.split_once(' ').unwrap_or((&found.name, ""));
            value["firstName"] = json!(first);
            value["lastName"] = json!(last);
            if let Some(map) = value.as_object_mut() {
                map.shift_remove("stub");
            }
            Ok(value)
        }
        "findTeams" => list(company.teams.iter().map(team).collect()),
        "findStagesets" => list(company.stagesets.iter().map(|known| json!({
            "id": known.id, "entityType": "Stagesets", "modifiedTime": super::time::rpc(FOUNDED), "name": known.name,
            "default": i64::from(known.default), "position": known.position,
        })).collect()),
        "findMilestones" => list(company.milestones.iter().map(|stage| json!({
            "id": stage.id, "entityType": "Milestones", "rev": "0", "name": stage.name, "position": stage.position,
            "stagesetId": stage.stageset,
        })).collect()),
        "findLead_Outcomes" => {
            Ok(rows(&Tail::read(call, 0, "description")?, company.outcomes.iter().map(outcome).collect()))
        }
        // The keys `default` and `currency` are assumed: no sample of a full market is known.
        "findMarkets" => list(company.markets.iter().map(|market| json!({
            "stub": true, "id": market.id, "rev": "0", "entityType": "Markets", "name": market.name,
            "modifiedTime": super::time::rpc(FOUNDED), "default": i64::from(market.default), "currency": market.currency,
        })).collect()),
        "findIndustries" => list(plain("Industries", &company.industries)),
        "findAccountTypes" => list(plain("Account_Types", &company.account_types)),
        "findTerritories" => list(plain("Territories", &company.territories)),
        "findCompetitors" => list(plain("Competitors", &company.competitors)),
        "findOrigins" => list(plain("Origins", &company.origins)),
        "findActivityTypes" => list(plain("Activity_Types", &company.activity_types)),
        "findSettings" | "findAudiences" | "findDelays" => list(Vec::new()),
        "findSources" => list(sources(company).collect()),
        "searchSources" => {
            let text = call.at("string", 0).text().unwrap_or_default().to_lowercase();
            let hit = |row: &Value| row["name"].as_str().is_some_and(|name| name.to_lowercase().contains(&text));
            let limit = call.at("limit", 1).int().and_then(|limit| usize::try_from(limit).ok()).unwrap_or(10);
            Ok(sources(company).filter(hit).take(limit).collect())
        }
        "newSource" => {
            let name = call.at("name", 0).filled().ok_or_else(|| Refusal::bad("A source must have a name"))?;
            let (id, _) = company.get_or_add_source(&name, 0);
            Ok(json!({"id": id, "rev": "0", "entityType": "Sources", "name": name}))
        }
        "findTags" => Ok(by_kind(|kind| {
            let tags = company.tags.iter().filter(|tag| tag.kind == kind && tag.deleted.is_none());
            tags.map(|tag| json!(tag.name)).collect()
        })),
        "newTag" => new_tag(company, call.at("tag", 0)),
        "findCustomFields" | "describeCustomFields" => Ok(by_kind(|kind| {
            let fields = company.fields.iter().filter(|field| field.kind == kind);
            // Only `id` and `name` are known (sheet §6).
            fields.map(|field| json!({"id": field.id, "name": field.name})).collect()
        })),
        "findTimeline" => timeline::timeline(company, context, call),
        "searchByEmail" => {
            let email = call.at("emailAddressString", 0).text().unwrap_or_default();
            let found = |kind| stubs(company, context, kind, &company.index.exact(kind, index::EMAIL, &email), FULL_CAP);
            Ok(json!({"contacts": found(Kind::Contacts), "accounts": found(Kind::Accounts), "leads": []}))
        }
        "searchUniversal" => {
            let text = call.at("string", 0).text().unwrap_or_default();
            let found = |kind| stubs(company, context, kind, &company.index.fuzzy(kind, &text), 25);
            Ok(json!({
                "contacts": found(Kind::Contacts), "accounts": found(Kind::Accounts), "leads": found(Kind::Leads),
            }))
        }
        "instanceData" => {
            let id = &context.settings.instance_id;
            let id = id.parse::<i64>().map_or_else(|_| json!(id), |id| json!(id));
            Ok(json!({"id": id, "name": context.settings.company_name}))
        }
        "add" => {
            let (first, second) = (call.at("num1", 0).decimal(), call.at("num2", 1).decimal());
            let sum = first.unwrap_or_default().checked_add(second.unwrap_or_default());
            sum.map(super::json::number).ok_or_else(|| Refusal::bad("The sum is too large"))
        }
        _ => Err(Refusal::new(-32601, "Method not found")),
    }
}

fn sources(company: &Company) -> impl Iterator<Item = Value> {
    let live = company.sources.iter().filter(|source| source.deleted.is_none());
    live.map(|source| json!({"stub": true, "id": source.id, "rev": "0", "entityType": "Sources", "name": source.name}))
}

fn by_kind(rows: impl Fn(Kind) -> Value) -> Value {
    Value::Object(Kind::ALL.into_iter().map(|kind| (kind.name().to_owned(), rows(kind))).collect())
}

fn new_tag(company: &mut Company, input: &Json) -> Result<Value, Refusal> {
    let kind = input.at("entityType").str().and_then(Kind::parse);
    let kind = kind.ok_or_else(|| Refusal::bad("entityType must be Accounts, Contacts or Leads"))?;
    let name = input.at("name").filled().ok_or_else(|| Refusal::bad("A tag must have a name"))?;
    if company.tag(kind, &name).is_some() {
        return Err(Refusal::bad(format!("Tag {name} already exists")));
    }
    let id = company.add_tag(kind, name.clone(), 1);
    Ok(json!({"id": id, "rev": "0", "entityType": "Tags", "name": name}))
}
