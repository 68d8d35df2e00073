//! `/products`, `/activities`, `/tasks` (sheet §1, §3.2, §5).

use serde_json::{Value, json};

use super::super::State;
use super::super::agenda::{Activity, Party, Product, Task};
use super::super::company::Company;
use super::super::json::Json;
use super::super::record::{Kind, Owner};
use super::super::rpc::agenda::{delete, products_like};
use super::super::values::{Context, Refusal};
use super::list::{Query, meta, paging};
use super::reference::{many, one};
use super::render::{actor, id, named, owner};
use super::{Answer, Call, Fail, id_of, ok, write};

/// Serves the three resources; `rest` is the route behind the resource's name.
pub fn route(state: &mut State, context: Context, call: &Call, rest: &[&str]) -> Result<Answer, Fail> {
    let company = &mut state.company;
    match call.route.first().copied().unwrap_or("") {
        "products" => products(company, context, call, rest),
        "activities" => activities(company, context, call, rest),
        _ => tasks(company, context, call, rest),
    }
}

/// A page of rows that are sorted already.
fn page(context: Context, query: &Query, name: &str, rows: Vec<Value>) -> Result<Answer, Fail> {
    let (page, limit) = paging(query)?;
    let total = rows.len();
    let shown: Value = rows.into_iter().skip(page.saturating_mul(limit)).take(limit).collect();
    let mut body = json!({"meta": meta(context.settings, Some(total)), "links": {}});
    body[name] = shown;
    Ok(ok(body))
}

fn sent<'q>(query: &'q Query, name: &str) -> Vec<&'q str> {
    let key = |key: &str| key == name || key.strip_suffix("[]") == Some(name);
    query.iter().filter(|(known, _)| key(known)).map(|(_, value)| value.as_str()).collect()
}

/// Whether a time lies between `filter[dateMin]` and `filter[dateMax]`, both days inclusive, in UTC.
fn in_days(query: &Query, seconds: Option<i64>) -> Result<bool, Refusal> {
    for (name, is_min) in [("filter[dateMin]", true), ("filter[dateMax]", false)] {
        let Some(text) = sent(query, name).pop() else { continue };
        let day: jiff::civil::Date = text
            .parse()
            .map_err(|_| Refusal::bad("Invalid filter").detail(format!("Invalid date: {text}")))?;
        let midnight = jiff::tz::Offset::UTC.to_timestamp(day.to_datetime(jiff::civil::Time::midnight()));
        let midnight = midnight.map(|at| at.as_second()).unwrap_or(0);
        let inside = seconds.is_some_and(|at| if is_min { at >= midnight } else { at < midnight + 86_400 });
        if !inside {
            return Ok(false);
        }
    }
    Ok(true)
}

fn products(company: &mut Company, context: Context, call: &Call, rest: &[&str]) -> Result<Answer, Fail> {
    let find = |company: &Company, id: &str| -> Result<Product, Fail> {
        let id = id_of(id, "products").ok_or(Fail::NotFound)?;
        company.agenda.products.get(&id).cloned().ok_or(Fail::NotFound)
    };
    match (call.request.method.as_str(), rest) {
        ("GET", []) => {
            let text = sent(&call.query, "q").pop().unwrap_or_default();
            let hits = products_like(company, context.now_ms, text);
            let rows: Value = hits.map(|product| product_row(company, product)).collect();
            // No page parameters are documented (sheet §3.2).
            Ok(many(context, "products", rows))
        }
        ("GET", [id]) => {
            let product = find(company, id)?;
            Ok(one(context, "products", 200, product_row(company, &product)))
        }
        ("DELETE", [ids]) => {
            let found: Vec<Product> = ids.split(',').map(|id| find(company, id)).collect::<Result<_, _>>()?;
            if found.iter().any(|product| product.head.deleted.is_some()) {
                return Err(Fail::NotFound);
            }
            for product in found {
                delete(company, context, "Products", product.head.id);
            }
            Ok(Answer { status: 204, body: None })
        }
        ("POST", [id, "undelete"]) => {
            let mut product = find(company, id)?;
            product.head.deleted = None;
            company.put_product(product, context.now_ms);
            let product = find(company, id)?;
            Ok(one(context, "products", 200, product_row(company, &product)))
        }
        _ => Err(Fail::NotFound),
    }
}

fn product_row(company: &Company, product: &Product) -> Value {
    let price = |(market, amount): (&i64, &rust_decimal::Decimal)| {
        let currency = company.market(*market).map(|market| market.currency.clone());
        (
            format!("{market}-markets"),
            json!({"amount": amount.to_string(), "currency": currency, "formatted": amount.to_string()}),
        )
    };
    let prices: serde_json::Map<String, Value> = product.prices.iter().map(price).collect();
    json!({
        "id": id(product.head.id, "products"), "type": "products", "name": product.name,
        "description": product.description, "sku": product.sku, "unit": product.unit,
        "productType": if product.kind == "0" { "product" } else { "service" },
        "price": prices.values().next(), "prices": prices, "modifiedTime": product.head.modified,
        "deletedTime": product.head.deleted,
    })
}

fn activities(company: &mut Company, context: Context, call: &Call, rest: &[&str]) -> Result<Answer, Fail> {
    let find = |company: &Company, id: &str| -> Result<Activity, Fail> {
        let id = id_of(id, "activities").ok_or(Fail::NotFound)?;
        company.agenda.activities.get(&id).cloned().ok_or(Fail::NotFound)
    };
    match (call.request.method.as_str(), rest) {
        ("GET", []) => {
            let wanted = sent(&call.query, "filter[participant]");
            let statuses = sent(&call.query, "filter[status]");
            let kinds = sent(&call.query, "filter[activityType]");
            let mut rows = Vec::new();
            for activity in company.agenda.activities.values() {
                let row = activity_row(company, activity);
                let among = |value: &Value| value.as_str().is_some_and(|text| wanted.contains(&text));
                let listed =
                    row["links"]["participants"].as_array().is_some_and(|list| list.iter().any(among));
                let status = ["scheduled", "logged", "cancelled"][activity.status.clamp(0, 2) as usize];
                let kind = row["links"]["activityType"].as_str().unwrap_or_default();
                if activity.head.is_listed(context.now_ms)
                    && (wanted.is_empty() || listed)
                    && (statuses.is_empty() || statuses.contains(&status))
                    && (kinds.is_empty() || kinds.contains(&kind))
                    && in_days(&call.query, Some(activity.start))?
                {
                    rows.push(row);
                }
            }
            page(context, &call.query, "activities", rows)
        }
        ("GET", [id]) => {
            let activity = find(company, id)?;
            Ok(one(context, "activities", 200, activity_row(company, &activity)))
        }
        ("POST", []) => {
            let body = call.body()?;
            let input = write::only("activities", body.at("activities"))?;
            let blank = Activity::blank();
            let mut activity = read_activity(company, context, blank, input)?;
            if activity.name.is_empty() || activity.kind == 0 || activity.start == 0 || activity.end == 0 {
                return Err(Refusal::bad("An activity must have a name, a type and times").into());
            }
            activity.head = company.new_head("Activities", context.actor, context.now_ms);
            let row = activity_row(company, &activity);
            company.put_activity(activity, context.now_ms);
            Ok(one(context, "activities", 201, row))
        }
        ("PUT", [id]) => {
            let before = find(company, id)?;
            if before.head.deleted.is_some() {
                return Err(Fail::NotFound);
            }
            let body = call.body()?;
            let activity =
                read_activity(company, context, before, write::only("activities", body.at("activities"))?)?;
            company.put_activity(activity, context.now_ms);
            let activity = find(company, id)?;
            Ok(one(context, "activities", 200, activity_row(company, &activity)))
        }
        // No deletion here (sheet §1): RPC alone deletes activities.
        _ => Err(Fail::NotFound),
    }
}

fn read_activity(
    company: &Company,
    context: Context,
    mut activity: Activity,
    input: &Json,
) -> Result<Activity, Refusal> {
    if let Some(name) = input.at("name").filled() {
        activity.name = name;
    }
    for (key, place) in [("description", &mut activity.description), ("location", &mut activity.location)] {
        if let Some(sent) = input.get(key) {
            *place = sent.filled();
        }
    }
    if let Some(sent) = input.get("note") {
        activity.log_note = sent.filled();
    }
    if let Some(sent) = input.get("activityType").and_then(Json::text) {
        let kind = id_of(&sent, "activityTypes");
        let kind = kind.filter(|id| company.activity_types.iter().any(|row| row.id == *id));
        activity.kind = kind.ok_or_else(|| Refusal::bad(format!("Invalid activityType {sent}")))?;
    }
    for (key, place) in [("startTime", &mut activity.start), ("endTime", &mut activity.end)] {
        if let Some(sent) = input.get(key) {
            *place = sent.int().ok_or_else(|| Refusal::bad(format!("{key} must be unix seconds")))?;
        }
    }
    if let Some(sent) = input.get("isLogged") {
        activity.status = i64::from(sent.flag());
    }
    if let Some(sent) = input.get("isFlagged") {
        activity.flagged = sent.flag();
    }
    if let Some(sent) = input.get("isAllDay") {
        activity.all_day = sent.flag();
    }
    if let Some(sent) = input.at("links").get("participants") {
        let (mut leads, mut parties) = (Vec::new(), Vec::new());
        for element in sent.list() {
            let text = element.text().unwrap_or_default();
            let invalid = || Refusal::bad(format!("Invalid participant {text}"));
            let (number, resource) = text.split_once('-').ok_or_else(invalid)?;
            let number: i64 = number.parse().map_err(|_| invalid())?;
            match (resource, Kind::parse_rest(resource)) {
                ("users", _) if company.user(number).is_some() => parties.push(Party::User(number)),
                (_, Some(Kind::Leads))
                    if context.settings.dialect.rest_activity_leads
                        && company.live(Kind::Leads, number).is_some() =>
                {
                    leads.push(number);
                }
                (_, Some(kind)) if kind != Kind::Leads && company.live(kind, number).is_some() => {
                    parties.push(Party::Record(kind, number));
                }
                _ => return Err(invalid()),
            }
        }
        activity.leads.extend(leads);
        activity.participants = parties;
    }
    Ok(activity)
}

fn activity_row(company: &Company, activity: &Activity) -> Value {
    let kind = company.activity_types.iter().find(|row| row.id == activity.kind);
    let party = |party: &Party| match party {
        Party::User(user) => id(*user, "users"),
        Party::Record(kind, record) => id(*record, kind.rest()),
    };
    json!({
        "id": id(activity.head.id, "activities"), "type": "activities", "name": activity.name,
        "description": activity.description, "note": activity.log_note, "location": activity.location,
        "activityType": kind.map(|row| named(row, "activityTypes")), "startTime": activity.start,
        "endTime": activity.end, "isLogged": activity.status == 1, "isFlagged": activity.flagged,
        "isAllDay": activity.all_day, "createdTime": activity.head.created,
        "modifiedTime": activity.head.modified, "deletedTime": activity.head.deleted,
        "links": {
            "activityType": id(activity.kind, "activityTypes"),
            "participants": activity.participants.iter().map(party).collect::<Vec<_>>(),
            "leads": activity.leads.iter().map(|lead| id(*lead, "leads")).collect::<Vec<_>>(),
        },
    })
}

fn tasks(company: &mut Company, context: Context, call: &Call, rest: &[&str]) -> Result<Answer, Fail> {
    let find = |company: &Company, id: &str| -> Result<Task, Fail> {
        let id = id_of(id, "tasks").ok_or(Fail::NotFound)?;
        company.agenda.tasks.get(&id).cloned().ok_or(Fail::NotFound)
    };
    match (call.request.method.as_str(), rest) {
        ("GET", []) => {
            let related = sent(&call.query, "filter[relatedEntity]");
            let assignees = sent(&call.query, "filter[assignee]");
            let mut rows = Vec::new();
            for task in company.agenda.tasks.values() {
                let row = task_row(task);
                let linked = |name: &str, wanted: &[&str]| {
                    wanted.is_empty() || row["links"][name].as_str().is_some_and(|id| wanted.contains(&id))
                };
                if task.head.is_listed(context.now_ms)
                    && linked("relatedEntity", &related)
                    && linked("assignee", &assignees)
                    && in_days(&call.query, task.due)?
                {
                    rows.push(row);
                }
            }
            page(context, &call.query, "tasks", rows)
        }
        ("GET", [id]) => Ok(one(context, "tasks", 200, task_row(&find(company, id)?))),
        ("POST", []) => {
            let body = call.body()?;
            let title = body.at("title").filled().ok_or_else(|| Refusal::bad("A task must have a title"))?;
            let mut task = Task {
                head: company.new_head("Tasks", context.actor, context.now_ms),
                title,
                description: body.at("description").filled(),
                due: body.at("dueTime").int(),
                assignee: Some(Owner::User(context.user)),
                entity: None,
                completed: None,
            };
            for relation in ["assignee", "relatedEntity"] {
                if let Some(sent) = body.at("links").at(relation).text() {
                    link_task(company, &mut task, relation, &sent)?;
                }
            }
            let row = task_row(&task);
            company.put_task(task, context.now_ms);
            Ok(one(context, "tasks", 200, row))
        }
        // Documented with `application/json`; the media type of the other patches is taken too (sheet §2).
        ("PATCH", [id]) => {
            let mut task = find(company, id)?;
            if task.head.deleted.is_some() {
                return Err(Fail::NotFound);
            }
            let media = call.request.headers.iter().find(|(name, _)| name == "content-type");
            let media = media.and_then(|(_, value)| value.split(';').next()).map_or("", str::trim);
            if !matches!(media, "application/json" | "application/json-patch+json") {
                return Err(Fail::MediaType);
            }
            let body = call.body()?;
            for op in write::operations(&body)? {
                patch_task(company, &mut task, op)?;
            }
            company.put_task(task, context.now_ms);
            Ok(Answer { status: 204, body: None })
        }
        ("DELETE", [ids]) => {
            let found: Vec<Task> = ids.split(',').map(|id| find(company, id)).collect::<Result<_, _>>()?;
            if found.iter().any(|task| task.head.deleted.is_some()) {
                return Err(Fail::NotFound);
            }
            for task in &found {
                delete(company, context, "Tasks", task.head.id);
            }
            Ok(many(context, "tasks", found.iter().map(task_row).collect()))
        }
        _ => Err(Fail::NotFound),
    }
}

/// Ties a task to its assignee or to the record that it is about.
fn link_task(company: &Company, task: &mut Task, relation: &str, sent: &str) -> Result<(), Refusal> {
    let invalid = || Refusal::bad(format!("Invalid {relation} {sent}"));
    if relation == "assignee" {
        let user = id_of(sent, "users").and_then(|id| company.user(id)).ok_or_else(invalid)?;
        task.assignee = Some(Owner::User(user.id));
    } else {
        let about = sent
            .split_once('-')
            .and_then(|(id, resource)| Some((Kind::parse_rest(resource)?, id.parse().ok()?)))
            .filter(|(kind, id)| company.live(*kind, *id).is_some());
        task.entity = Some(about.ok_or_else(invalid)?);
    }
    Ok(())
}

/// One operation on a task. Documented is the assignee alone; that what a create takes may be changed too is assumed
/// (sheet §1).
fn patch_task(company: &Company, task: &mut Task, op: &Json) -> Result<(), Refusal> {
    let (verb, path) = (op.at("op").str().unwrap_or(""), op.at("path").str().unwrap_or(""));
    let wrong = || Refusal::bad("Invalid patch").detail(format!("Invalid patch: {verb} {path}"));
    let is_removed = verb == "remove";
    if !is_removed && !matches!(verb, "add" | "replace") {
        return Err(wrong());
    }
    let value = if is_removed { &Json::Null } else { op.at("value") };
    let segments: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
    match segments.as_slice() {
        ["tasks", "0", "links", "assignee"] if value.is_null() => task.assignee = None,
        ["tasks", "0", "links", "relatedEntity"] if value.is_null() => task.entity = None,
        ["tasks", "0", "links", relation @ ("assignee" | "relatedEntity")] => {
            link_task(company, task, relation, &value.text().ok_or_else(wrong)?)?;
        }
        ["tasks", "0", "title"] => {
            task.title = value.filled().ok_or_else(|| Refusal::bad("A task must have a title"))?;
        }
        ["tasks", "0", "description"] => task.description = value.filled(),
        ["tasks", "0", "dueTime"] if value.is_null() => task.due = None,
        ["tasks", "0", "dueTime"] => task.due = Some(value.int().ok_or_else(wrong)?),
        _ => return Err(wrong()),
    }
    Ok(())
}

fn task_row(task: &Task) -> Value {
    json!({
        "id": id(task.head.id, "tasks"), "type": "tasks", "title": task.title, "description": task.description,
        "dueTime": task.due, "completedTime": task.completed, "createdTime": task.head.created,
        "modifiedTime": task.head.modified, "deletedTime": task.head.deleted,
        "links": {
            "relatedEntity": task.entity.map(|(kind, record)| id(record, kind.rest())),
            "assignee": owner(task.assignee), "creator": actor(task.head.author),
        },
    })
}
