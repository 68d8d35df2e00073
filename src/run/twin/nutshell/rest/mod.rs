//! The REST front: routes, envelopes, errors (sheet §3.2).

mod agenda;
mod email;
mod list;
mod reference;
mod render;
mod write;

use serde_json::{Map, Value, json};

use super::super::{Request, Response};
use super::company::Company;
use super::json::Json;
use super::record::{Kind, Record};
use super::rpc::render::Render;
use super::settings::Error500;
use super::values::{Context, Refusal, check_open_leads, close, reopen};
use super::{State, answer, html};
use list::Query;

/// What a route answers.
pub struct Answer {
    status: u16,
    /// None is an empty body.
    body: Option<Value>,
}

/// Why a route does not answer.
enum Fail {
    /// Unknown routes and ids: an HTML page.
    NotFound,
    /// PATCH without its media type: a bare JSON string.
    MediaType,
    Refused(Refusal),
}

impl From<Refusal> for Fail {
    fn from(refusal: Refusal) -> Fail {
        if refusal.code == 404 { Fail::NotFound } else { Fail::Refused(refusal) }
    }
}

fn ok(body: Value) -> Answer {
    Answer { status: 200, body: Some(body) }
}

/// The integer of an id such as `17-contacts` or `17`.
fn number_of(text: &str) -> Option<i64> {
    text.split_once('-').map_or(text, |(number, _)| number).parse().ok()
}

/// The integer of an id of one resource.
fn id_of(text: &str, resource: &str) -> Option<i64> {
    let number = match text.split_once('-') {
        Some((number, given)) if given == resource => number,
        Some(_) => return None,
        None => text,
    };
    number.parse().ok()
}

/// One request with its route taken apart.
struct Call<'a> {
    request: &'a Request,
    /// Decoded path segments behind `/rest`.
    route: Vec<&'a str>,
    query: Query,
}

impl Call<'_> {
    fn body(&self) -> Result<Json, Fail> {
        Json::parse(&self.request.body).ok_or_else(|| Refusal::bad("The body is not JSON").into())
    }
}

/// Serves `/rest/*`; `route` is the path behind it.
pub fn serve(state: &mut State, request: &Request, route: &str, now_ms: i64) -> Response {
    let segments: Vec<String> =
        route.split('/').skip(1).map(|segment| list::decode(segment, false)).collect();
    let route: Vec<&str> = segments.iter().map(String::as_str).collect();
    let number = |segment: &str| segment.starts_with(|first: char| first.is_ascii_digit());
    let pattern: Vec<&str> =
        route.iter().map(|segment| if number(segment) { "{id}" } else { *segment }).collect();
    state.log.request(&format!("{} {}", request.method, pattern.join("/")));
    let mut response = respond(state, &Call { request, route, query: list::query(&request.query) }, now_ms);
    if response.status >= 400 {
        state.log.error(&response.status.to_string());
    }
    response.headers.push(("x-nutshell-request-id".to_owned(), format!("{:016x}", state.requests)));
    response
}

fn respond(state: &mut State, call: &Call, now_ms: i64) -> Response {
    let Some((actor, user)) = state.authenticate(call.request) else {
        return html(401, "Unauthorized");
    };
    if !state.settings.dialect.rest_access {
        return html(403, "Forbidden");
    }
    let json = |status, body: Value| answer(status, "application/json", body.to_string().into_bytes());
    if state.stumbles() {
        return json(
            500,
            match state.settings.dialect.error_500 {
                Error500::Object => json!({"code": 500, "message": "Internal Server Error"}),
                Error500::BareString => json!("Internal Error"),
            },
        );
    }
    let settings = state.settings.clone();
    let context = Context { settings: &settings, now_ms, actor, user };
    let forbidden = call.request.method == "DELETE" && !settings.may_delete;
    let answered = if forbidden {
        Err(Refusal::new(403, "You do not have permission to delete").into())
    } else {
        route(state, context, call)
    };
    match answered {
        Ok(Answer { status, body: Some(body) }) => json(status, body),
        Ok(Answer { status, body: None }) => answer(status, "application/json", Vec::new()),
        Err(Fail::NotFound) => html(404, "Not Found"),
        Err(Fail::MediaType) => {
            json(415, json!("application/json-patch+json is required, see http://jsonapi.org"))
        }
        Err(Fail::Refused(refusal)) => {
            let resource = call.route.first().copied().unwrap_or("data");
            let mut body = Map::new();
            body.insert("meta".to_owned(), Value::Object(list::meta(&settings, None)));
            body.insert("links".to_owned(), json!({}));
            body.insert(resource.to_owned(), json!([]));
            let error = json!({
                "id": null, "type": "errors", "code": null, "detail": refusal.detail, "href": null,
                "status": refusal.code.to_string(), "title": refusal.title, "field": null,
            });
            body.insert("errors".to_owned(), json!([error]));
            json(u16::try_from(refusal.code).unwrap_or(400), Value::Object(body))
        }
    }
}

fn route(state: &mut State, context: Context, call: &Call) -> Result<Answer, Fail> {
    let first = call.route.first().copied().unwrap_or("");
    let Some(kind) = Kind::parse_rest(first) else {
        return reference::route(state, context, call);
    };
    let method = call.request.method.as_str();
    let resource = kind.rest();
    match (method, &call.route[1..]) {
        ("GET", []) => Ok(list::records(state, context, kind, &call.query)?),
        ("POST", []) => {
            let body = call.body()?;
            let input = write::only(resource, body.at(resource))?;
            let id = write::create(&mut state.company, context, kind, input)?;
            // Contacts answer 200, the others 201 (sheet §3.2).
            let status = if kind == Kind::Contacts { 200 } else { 201 };
            show(&state.company, context, kind, &[id], status)
        }
        ("GET", ["list", "fields"]) => Ok(ok(list::fields(&state.company, kind))),
        ("GET", ["customfields", "attributes"]) => {
            let fields = state.company.fields.iter().filter(|field| field.kind == kind);
            let rows = fields.map(render::field).map(|mut row| {
                if let Some(map) =
                    row.as_object_mut().filter(|_| !context.settings.dialect.attributes_tell_types)
                {
                    map.retain(|key, _| matches!(key.as_str(), "id" | "name" | "title"));
                }
                row
            });
            Ok(wrapped(context, "customFields", rows.collect()))
        }
        ("POST", ["customfield"]) => {
            Ok(reference::new_field(&mut state.company, context, kind, &call.body()?)?)
        }
        ("GET", [id, "customfields"]) => {
            let record = live_or_deleted(&state.company, kind, id)?;
            let value = |field: &super::company::Field| {
                let value = record.custom.iter().find(|(id, _)| *id == field.id).map(|(_, value)| value);
                render::field_value(field, value)
            };
            let fields = state.company.fields.iter().filter(|field| field.kind == kind);
            let rows: Value = fields.map(value).collect();
            Ok(ok(json!({"meta": list::meta(context.settings, None), "links": {}, "customFields": rows})))
        }
        ("GET", [ids]) => {
            let ids: Vec<i64> = ids.split(',').filter_map(|id| id_of(id, resource)).collect();
            show(&state.company, context, kind, &ids, 200)
        }
        ("PATCH", [id]) => {
            let id = live_or_deleted(&state.company, kind, id)?.id;
            let media = call.request.headers.iter().find(|(name, _)| name == "content-type");
            if !media.is_some_and(|(_, value)| value.trim().starts_with("application/json-patch+json")) {
                return Err(Fail::MediaType);
            }
            write::patch(&mut state.company, context, kind, id, &call.body()?)?;
            Ok(Answer { status: 204, body: None })
        }
        ("DELETE", [ids]) => delete(&mut state.company, context, kind, ids),
        ("POST", [id, "undelete"]) => {
            let id = live_or_deleted(&state.company, kind, id)?.id;
            let drops = context.settings.dialect.undelete_drops_links;
            if kind == Kind::Leads {
                check_open_leads(&state.company, context.settings)?;
            }
            if !state.company.undelete(kind, id, drops, context.now_ms) {
                return Err(Fail::NotFound);
            }
            show(&state.company, context, kind, &[id], 200)
        }
        (_, [id, rest @ ..]) if kind == Kind::Leads => {
            lead(&mut state.company, context, method, id, rest, call)
        }
        _ => Err(Fail::NotFound),
    }
}

/// A reference list, bare or under its name (sheet §3.2).
fn wrapped(context: Context, name: &str, rows: Value) -> Answer {
    if context.settings.dialect.rest_bare_lists {
        return ok(rows);
    }
    let count = rows.as_array().map_or(0, Vec::len);
    ok(json!({"meta": list::meta(context.settings, Some(count)), "links": {}, name: rows}))
}

fn live_or_deleted<'a>(company: &'a Company, kind: Kind, id: &str) -> Result<&'a Record, Fail> {
    id_of(id, kind.rest()).and_then(|id| company.record(kind, id)).ok_or(Fail::NotFound)
}

fn show(company: &Company, context: Context, kind: Kind, ids: &[i64], status: u16) -> Result<Answer, Fail> {
    let render = Render { company, settings: context.settings };
    let records = ids.iter().filter_map(|id| company.record(kind, *id));
    let rows: Vec<Value> = records.map(|record| render::record(render, record)).collect();
    if rows.is_empty() {
        return Err(Fail::NotFound);
    }
    let body = json!({"meta": list::meta(context.settings, None), "links": {}, kind.rest(): rows});
    Ok(Answer { status, body: Some(body) })
}

fn delete(company: &mut Company, context: Context, kind: Kind, ids: &str) -> Result<Answer, Fail> {
    let ids: Vec<i64> = ids.split(',').filter_map(|id| id_of(id, kind.rest())).collect();
    // Accounts and leads are documented one at a time (sheet §8).
    if kind != Kind::Contacts && ids.len() > 1 {
        return Err(
            Refusal::bad(format!("You may only delete one {} resource per request.", kind.rest())).into()
        );
    }
    if ids.is_empty() || ids.iter().any(|id| company.live(kind, *id).is_none()) {
        return Err(Fail::NotFound);
    }
    for id in &ids {
        company.delete(kind, *id, context.actor, context.now_ms);
    }
    if kind == Kind::Contacts {
        return Ok(Answer { status: 204, body: None });
    }
    show(company, context, kind, &ids, 200)
}

/// `/leads/{id}/status`, `reopen`, `stageset`, `watch`, `stages`.
fn lead(
    company: &mut Company,
    context: Context,
    method: &str,
    id: &str,
    rest: &[&str],
    call: &Call,
) -> Result<Answer, Fail> {
    let record = live_or_deleted(company, Kind::Leads, id)?;
    let (id, mut record) = (record.id, record.clone());
    let stageset = record.deal.as_ref().map_or(0, |deal| deal.stageset);
    if (method, rest) == ("GET", &["stages"]) {
        let stages = company.milestones.iter().filter(|stage| stage.stageset == stageset);
        return Ok(wrapped(context, "stages", stages.map(reference::stage).collect()));
    }
    if method != "POST" || record.deleted.is_some() {
        return Err(Fail::NotFound);
    }
    match rest {
        ["status"] => {
            let outcome = call.body()?.at("outcomeId").text();
            let outcome = outcome.and_then(|text| id_of(&text, "outcomes"));
            let outcome = outcome.ok_or_else(|| Refusal::bad("outcomeId is missing"))?;
            close(company, &mut record, outcome, context.now())?;
        }
        ["reopen"] => {
            if record.deal.as_ref().is_some_and(|deal| deal.status >= 10) {
                check_open_leads(company, context.settings)?;
            }
            reopen(&mut record);
        }
        ["stageset"] => {
            let stageset = call.body()?.at("stageset").text();
            let stageset = stageset.and_then(|text| id_of(&text, "stagesets"));
            let stage = stageset.and_then(|id| company.first_stage(id));
            let stage = stage.ok_or_else(|| Refusal::bad("Invalid stageset"))?;
            if let Some(deal) = &mut record.deal
                && deal.stageset != stage.stageset
            {
                (deal.stageset, deal.milestone) = (stage.stageset, stage.id);
            }
        }
        ["watch"] => {}
        _ => return Err(Fail::NotFound),
    }
    company.commit(record, context.now_ms);
    company.bump_linked(Kind::Leads, id);
    show(company, context, Kind::Leads, &[id], 200)
}
