//! Settings, users, sources, tags, notes and the list of deletions (sheet §3.2, §5, §6).

use serde_json::{Value, json};

use super::super::State;
use super::super::company::{Company, FieldType, Milestone, Source, Stageset, Tag};
use super::super::json::Json;
use super::super::record::{Kind, Note};
use super::super::rpc::render::Render;
use super::super::values::{Context, Refusal};
use super::{Answer, Call, Fail, id_of, list, ok, render, wrapped, write};

pub fn stage(stage: &Milestone) -> Value {
    json!({
        "id": format!("{}-stages", stage.id), "type": "stages", "name": stage.name, "position": stage.position,
        "description": null, "numSteps": 0, "links": {"stageset": format!("{}-stagesets", stage.stageset)},
    })
}

const CHANNELS: [&str; 9] = [
    "None",
    "Organic search",
    "Paid search",
    "Organic social",
    "Paid social",
    "Email",
    "Referrer",
    "Traditional",
    "Direct",
];

fn source(source: &Source) -> Value {
    let word =
        usize::try_from(source.channel).ok().and_then(|at| CHANNELS.get(at)).copied().unwrap_or("None");
    json!({
        "id": format!("{}-sources", source.id), "type": "sources", "name": source.name,
        "channel": {"value": source.channel, "display": word}, "deletedTime": source.deleted,
    })
}

fn tag(company: &Company, tag: &Tag) -> Value {
    let count = company
        .all(tag.kind)
        .filter(|record| record.deleted.is_none() && record.tags.contains(&tag.id))
        .count();
    json!({
        "id": format!("{}-tags", tag.id), "type": "tags", "name": tag.name, "tagType": tag.kind.rest(),
        "colorType": format!("COLOR_{}", tag.color), "count": count, "deletedTime": tag.deleted,
    })
}

pub fn one(context: Context, name: &str, status: u16, row: Value) -> Answer {
    let body = json!({"meta": list::meta(context.settings, None), "links": {}, name: [row]});
    Answer { status, body: Some(body) }
}

pub fn many(context: Context, name: &str, rows: Value) -> Answer {
    let count = rows.as_array().map_or(0, Vec::len);
    ok(json!({"meta": list::meta(context.settings, Some(count)), "links": {}, name: rows}))
}

pub fn route(state: &mut State, context: Context, call: &Call) -> Result<Answer, Fail> {
    let first = call.route.first().copied().unwrap_or("");
    let rest = call.route.get(1..).unwrap_or(&[]);
    if matches!(first, "products" | "activities" | "tasks") {
        return super::agenda::route(state, context, call, rest);
    }
    let company = &mut state.company;
    match first {
        "sources" => return sources(company, context, call, rest),
        "tags" => return tags(company, context, call, rest),
        "notes" => return notes(company, context, call, rest),
        _ => {}
    }
    if call.request.method != "GET" {
        return Err(Fail::NotFound);
    }
    let rows: Vec<Value> = match first {
        "users" => company.users.iter().map(|user| render::user(user, context.settings.may_delete)).collect(),
        "stagesets" => company.stagesets.iter().map(|known| json!({
            "id": format!("{}-stagesets", known.id), "type": "stagesets", "name": known.name, "status": known.status,
            "default": known.default, "position": known.position,
            "canAccess": within_plan(company, context, known),
        })).collect(),
        "stages" => company.milestones.iter().map(stage).collect(),
        "outcomes" => company.outcomes.iter().map(|outcome| json!({
            "id": format!("{}-outcomes", outcome.id), "type": render::status_word(outcome.status),
            "name": outcome.description, "description": outcome.description,
            "status": render::status_word(outcome.status),
        })).collect(),
        // The keys `currency` and `isDefault` are assumed: no sample of a market is known.
        "markets" => company.markets.iter().map(|market| json!({
            "id": format!("{}-markets", market.id), "type": "markets", "name": market.name, "currency": market.currency,
            "isDefault": market.default,
        })).collect(),
        "industries" => company.industries.iter().map(|row| render::named(row, "industries")).collect(),
        "accounttypes" => company.account_types.iter().map(|row| render::named(row, "accountTypes")).collect(),
        "territories" => company.territories.iter().map(|row| render::named(row, "territories")).collect(),
        "competitors" => company.competitors.iter().map(|row| render::named(row, "competitors")).collect(),
        "activitytypes" => company.activity_types.iter().map(|row| render::named(row, "activityTypes")).collect(),
        // Quotes, invoices and audiences are made by hand alone: none is here, and none by id.
        "quotes" | "invoices" | "audiences" => Vec::new(),
        "emails" => return super::email::one_of(company, context, rest),
        "events" if rest.is_empty() => return Ok(super::email::events(company, context, call)?),
        "events" if rest == ["deleted"] => return Ok(deletions(company, context, call)?),
        _ => return Err(Fail::NotFound),
    };
    let name = match first {
        "accounttypes" => "accountTypes",
        "audiences" => "emAudiences",
        other => other,
    };
    match rest {
        [] if matches!(first, "stages" | "stagesets" | "accounttypes" | "industries") => {
            Ok(wrapped(context, name, json!(rows)))
        }
        [] => Ok(many(context, name, json!(rows))),
        [id] => {
            let id = id_of(id, name).map(|id| format!("{id}-{name}"));
            let row =
                rows.into_iter().find(|row| row["id"].as_str() == id.as_deref()).ok_or(Fail::NotFound)?;
            Ok(one(context, name, 200, row))
        }
        _ => Err(Fail::NotFound),
    }
}

/// Whether the plan gives access to a pipeline: to the first ones in order, as far as they are not retired.
fn within_plan(company: &Company, context: Context, known: &Stageset) -> bool {
    let before = company
        .stagesets
        .iter()
        .filter(|other| other.status != 3 && (other.position, other.id) < (known.position, known.id));
    context.settings.limits.pipelines.is_none_or(|limit| before.count() < limit)
}

/// `POST /{type}/customfield` (sheet §6).
pub fn new_field(
    company: &mut Company,
    context: Context,
    kind: Kind,
    body: &Json,
) -> Result<Answer, Refusal> {
    let name = body.at("name").filled().ok_or_else(|| Refusal::bad("A custom field must have a name"))?;
    let spelling = body.at("type").text().unwrap_or_default();
    let field_type = FieldType::spelled(&spelling, context.settings.dialect.url_in_capitals)
        .filter(|known| *known != FieldType::Number || context.settings.dialect.number_type)
        .filter(|known| !known.leads_only() || kind == Kind::Leads)
        .ok_or_else(|| Refusal::bad(format!("Invalid custom field type {spelling}")))?;
    let fields = || company.fields.iter().filter(|field| field.kind == kind);
    if fields().any(|field| field.name.to_lowercase() == name.to_lowercase()) {
        return Err(Refusal::bad(format!("A custom field named {name} already exists")));
    }
    if context.settings.limits.custom_fields.is_some_and(|limit| fields().count() >= limit) {
        let code = context.settings.dialect.limit_code;
        return Err(Refusal::new(code, "This plan allows no more custom fields"));
    }
    let mut choices = Vec::new();
    if field_type == FieldType::Decision {
        for choice in body.at("choices").list() {
            let text = choice.filled().ok_or_else(|| Refusal::bad("A choice must be a text"))?;
            if choices.contains(&text) {
                return Err(Refusal::bad(format!("The choice {text} stands twice")));
            }
            choices.push(text);
        }
        if choices.is_empty() {
            return Err(Refusal::bad("A field of type Decision must have choices"));
        }
    }
    let multiple = field_type == FieldType::Decision && body.at("isMultiple").flag();
    let id = company.add_field(kind, &name, field_type, choices, multiple);
    let field = company.field_by_id(id).map_or(Value::Null, render::field);
    Ok(one(context, "customFields", 200, field))
}

fn sources(company: &mut Company, context: Context, call: &Call, rest: &[&str]) -> Result<Answer, Fail> {
    let find = |company: &Company, id: &str| {
        let id = id_of(id, "sources");
        company.sources.iter().position(|source| Some(source.id) == id).ok_or(Fail::NotFound)
    };
    match (call.request.method.as_str(), rest) {
        ("GET", []) => {
            let live = company.sources.iter().filter(|source| source.deleted.is_none());
            Ok(many(context, "sources", live.map(source).collect()))
        }
        ("GET", [id]) => Ok(one(context, "sources", 200, source(&company.sources[find(company, id)?]))),
        ("POST", []) => {
            let body = call.body()?;
            let input = write::only("sources", body.at("sources"))?;
            let name = input.at("name").filled().ok_or_else(|| Refusal::bad("A source must have a name"))?;
            let channel = input.at("channel").int().unwrap_or(0);
            if !(0..=8).contains(&channel) {
                return Err(Refusal::bad("Invalid channel").into());
            }
            let (id, _) = company.get_or_add_source(&name, channel);
            let made = company.sources.iter().find(|source| source.id == id).map_or(Value::Null, source);
            Ok(one(context, "sources", 201, made))
        }
        ("DELETE", [id]) => {
            let at = find(company, id)?;
            if company.sources[at].deleted.is_some() {
                return Err(Fail::NotFound);
            }
            company.sources[at].deleted = Some(context.now());
            company.log_deletion("sources", company.sources[at].id, context.actor, context.now());
            Ok(one(context, "sources", 200, source(&company.sources[at])))
        }
        ("POST", [id, "undelete"]) => {
            let at = find(company, id)?;
            company.sources[at].deleted = None;
            Ok(one(context, "sources", 200, source(&company.sources[at])))
        }
        _ => Err(Fail::NotFound),
    }
}

fn tags(company: &mut Company, context: Context, call: &Call, rest: &[&str]) -> Result<Answer, Fail> {
    let find = |company: &Company, id: &str| {
        let id = id_of(id, "tags");
        company.tags.iter().position(|tag| Some(tag.id) == id).ok_or(Fail::NotFound)
    };
    match (call.request.method.as_str(), rest) {
        ("GET", []) => {
            let wanted =
                call.query.iter().find(|(key, _)| key == "filter[tagType]").map(|(_, value)| value.as_str());
            let live = company.tags.iter().filter(|tag| tag.deleted.is_none());
            // Words, not the digits of the create.
            let rows = live.filter(|tag| wanted.is_none_or(|wanted| tag.kind.rest() == wanted));
            Ok(many(context, "tags", rows.map(|row| tag(company, row)).collect()))
        }
        ("POST", []) => {
            let body = call.body()?;
            let input = write::only("tags", body.at("tags"))?;
            let name = input.at("name").filled().ok_or_else(|| Refusal::bad("A tag must have a name"))?;
            let kind = match input.at("tagType").int() {
                Some(1) => Kind::Leads,
                Some(2) => Kind::Contacts,
                Some(3) => Kind::Accounts,
                _ => return Err(Refusal::bad("Invalid tagType").into()),
            };
            if company.tag(kind, &name).is_some() {
                return Err(Refusal::bad(format!("Tag {name} already exists")).into());
            }
            let color = input.at("colorType").int().filter(|color| (1..=14).contains(color)).unwrap_or(1);
            let mut entities = Vec::new();
            for entity in input.at("links").at("entities").list() {
                let id = entity.text().and_then(|text| id_of(&text, kind.rest()));
                let id = id.filter(|id| company.live(kind, *id).is_some());
                entities.push(id.ok_or_else(|| Refusal::bad("A tag and its entities must be of one type"))?);
            }
            let id = company.add_tag(kind, name, color);
            for entity in entities {
                company.edit(kind, entity, context.now_ms, |record| record.tags.push(id));
            }
            let made =
                company.tags.iter().find(|tag| tag.id == id).map_or(Value::Null, |row| tag(company, row));
            Ok(one(context, "tags", 200, made))
        }
        ("DELETE", [ids]) => {
            let at: Vec<usize> = ids.split(',').map(|id| find(company, id)).collect::<Result<_, _>>()?;
            if at.iter().any(|at| company.tags[*at].deleted.is_some()) {
                return Err(Fail::NotFound);
            }
            let mut rows = Vec::new();
            for at in at {
                company.tags[at].deleted = Some(context.now());
                company.log_deletion("tags", company.tags[at].id, context.actor, context.now());
                rows.push(tag(company, &company.tags[at]));
            }
            Ok(many(context, "tags", json!(rows)))
        }
        ("POST", [id, "undelete"]) => {
            let at = find(company, id)?;
            company.tags[at].deleted = None;
            Ok(one(context, "tags", 200, tag(company, &company.tags[at])))
        }
        _ => Err(Fail::NotFound),
    }
}

fn notes(company: &mut Company, context: Context, call: &Call, rest: &[&str]) -> Result<Answer, Fail> {
    let show =
        |company: &Company, note: &Note| render::note(Render { company, settings: context.settings }, note);
    let find = |company: &Company, id: &str| -> Result<Note, Fail> {
        id_of(id, "notes").and_then(|id| company.note(id)).cloned().ok_or(Fail::NotFound)
    };
    match (call.request.method.as_str(), rest) {
        ("GET", []) => {
            let (page, limit) = list::paging(&call.query)?;
            let listed = |note: &&Note| note.deleted.is_none() && note.seen_ms <= context.now_ms;
            let live: Vec<&Note> = company.notes().filter(listed).collect();
            let rows: Value = live
                .iter()
                .skip(page.saturating_mul(limit))
                .take(limit)
                .map(|note| show(company, note))
                .collect();
            let meta = list::meta(context.settings, Some(live.len()));
            Ok(ok(json!({"meta": meta, "links": {}, "notes": rows})))
        }
        ("GET", [id]) => Ok(one(context, "notes", 200, show(company, &find(company, id)?))),
        ("POST", []) => {
            let body = call.body()?;
            let data = body.at("data");
            let text = data.at("body").filled().ok_or_else(|| Refusal::bad("A note must have a body"))?;
            let parent = data.at("links").at("parent").text().unwrap_or_default();
            let parent = parent
                .split_once('-')
                .and_then(|(id, resource)| Some((Kind::parse_rest(resource)?, id.parse().ok()?)));
            let (kind, id) = parent.ok_or_else(|| Refusal::bad("A note must have a parent"))?;
            let id = company.add_note(kind, id, text, context.actor, context.now_ms);
            let note = id.and_then(|id| company.note(id));
            let note = note.ok_or_else(|| Refusal::bad("The parent of a note must exist"))?;
            Ok(one(context, "notes", 201, show(company, note)))
        }
        ("DELETE", [ids]) => {
            let notes: Vec<Note> = ids.split(',').map(|id| find(company, id)).collect::<Result<_, _>>()?;
            if notes.iter().any(|note| note.deleted.is_some()) {
                return Err(Fail::NotFound);
            }
            let now = context.now();
            for note in &notes {
                company.edit_note(note.id, |note| note.deleted = Some(now));
                company.log_deletion("notes", note.id, context.actor, now);
            }
            let rows: Value = notes
                .iter()
                .filter_map(|note| company.note(note.id))
                .map(|note| show(company, note))
                .collect();
            Ok(many(context, "notes", rows))
        }
        ("POST", [id, "undelete"]) => {
            let note = find(company, id)?;
            company.edit_note(note.id, |note| note.deleted = None);
            Ok(one(context, "notes", 200, show(company, &find(company, id)?)))
        }
        _ => Err(Fail::NotFound),
    }
}

/// `GET /events/deleted`: deletions, the newest first, in pages by `limit` and `max_id`.
fn deletions(company: &Company, context: Context, call: &Call) -> Result<Answer, Refusal> {
    let number = |key: &str| {
        let sent = call.query.iter().find(|(known, _)| known == key);
        sent.map(|(_, value)| super::number_of(value).ok_or_else(|| Refusal::bad(format!("Invalid {key}"))))
            .transpose()
    };
    let limit = number("limit")?.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(20);
    let (since, below) = (number("since_id")?.unwrap_or(i64::MIN), number("max_id")?.unwrap_or(i64::MAX));
    let wanted = company.deletions.iter().rev().filter(|event| event.id > since && event.id < below);
    let rows: Vec<Value> = wanted.take(limit).map(|event| {
        let actor = if event.actor.0 { "users" } else { "origins" };
        json!({
            "id": format!("{}-events", event.id), "type": "events", "createdTime": event.time, "actorType": actor,
            "payloadType": event.resource, "action": "delete", "changes": [], "count": null,
            "links": {
                "comments": [], "actor": format!("{}-{actor}", event.actor.1),
                "payloads": [format!("{}-{}", event.record, event.resource)],
            },
        })
    }).collect();
    let mut meta = list::meta(context.settings, None);
    if let (Some(first), Some(last)) = (rows.first(), rows.last()) {
        let host = format!("https://{}/rest/events/deleted?limit={limit}", context.settings.host);
        let id = |row: &Value| row["id"].as_str().unwrap_or_default().to_owned();
        meta.insert("next".to_owned(), json!(format!("{host}&since_id={}", id(first))));
        meta.insert("previous".to_owned(), json!(format!("{host}&max_id={}", id(last))));
        meta.insert("last".to_owned(), json!(id(last)));
    }
    Ok(ok(json!({"meta": meta, "links": {}, "events": rows, "actors": [], "payloads": []})))
}
