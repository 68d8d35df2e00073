//! Products, activities, tasks, e-mails in RPC: `newX`, `getX`, `editX`, `deleteX`, `findX` (sheet §4, §5).

use serde_json::{Value, json};

use super::super::agenda::{Activity, Head, Party, Product, Task};
use super::super::company::Company;
use super::super::json::Json;
use super::super::record::{Kind, Owner};
use super::super::settings::OnBad;
use super::super::values::{Context, Refusal, one_of, owner};
use super::super::{State, time};
use super::find::{FULL_CAP, Tail};
use super::render::Render;
use super::{Call, not_found, throttle};

/// The types served here, with their `entityType` and the parameter that carries one.
const TYPES: [(&str, &str, &str); 4] = [
    ("Product", "Products", "product"),
    ("Activity", "Activities", "activity"),
    ("Task", "Tasks", "task"),
    ("Email", "Emails", "email"),
];

/// Serves a method of this module; none when it is another's.
pub fn dispatch(state: &mut State, context: Context, call: &Call) -> Option<Result<Value, Refusal>> {
    for (name, entity, singular) in TYPES {
        if let Some(verb) = call.method.strip_suffix(name)
            && (matches!(verb, "new" | "get") || (matches!(verb, "edit" | "delete") && name != "Email"))
        {
            return Some(one(&mut state.company, context, call, verb, (name, entity, singular)));
        }
    }
    match call.method {
        "findProducts" => Some(find(state, context, call, "Products", "name")),
        "findActivities" => Some(find(state, context, call, "Activities", "name")),
        "findTasks" => Some(find(state, context, call, "Tasks", "due_time")),
        "searchProducts" => {
            let text = call.at("string", 0).text().unwrap_or_default();
            let limit = call.at("limit", 1).int().and_then(|limit| usize::try_from(limit).ok()).unwrap_or(10);
            let company = &state.company;
            let render = Render { company, settings: context.settings };
            let hits = products_like(company, context.now_ms, &text).take(limit);
            Some(Ok(hits.map(|product| render.product(product, true)).collect()))
        }
        _ => None,
    }
}

/// Products whose name or sku holds a text (sheet §1).
pub fn products_like<'a>(
    company: &'a Company,
    now_ms: i64,
    text: &str,
) -> impl Iterator<Item = &'a Product> + use<'a> {
    let text = text.trim().to_lowercase();
    let holds = move |known: &str| known.to_lowercase().contains(&text);
    company.agenda.products.values().filter(move |product| {
        product.head.is_listed(now_ms) && (holds(&product.name) || product.sku.as_deref().is_some_and(&holds))
    })
}

fn one(
    company: &mut Company,
    context: Context,
    call: &Call,
    verb: &str,
    (name, entity, singular): (&str, &str, &str),
) -> Result<Value, Refusal> {
    if verb == "new" {
        let id = match name {
            "Product" => new_product(company, context, call.at(singular, 0))?,
            "Activity" => new_activity(company, context, call.at(singular, 0))?,
            "Task" => new_task(company, context, call.at(singular, 0))?,
            _ => super::email::create(company, context, call.at("emailString", 0))?,
        };
        return show(company, context, entity, id);
    }
    let param = format!("{singular}Id");
    let id = call.at(&param, 0).int().ok_or_else(|| Refusal::bad(format!("{param} must be a number")))?;
    let head = head(company, entity, id).ok_or_else(|| not_found(entity, id))?.clone();
    let sent = call.at("rev", 1).text();
    let current = head.rev.to_string();
    if verb == "get" {
        if head.deleted.is_some() && !context.settings.dialect.deleted_readable {
            return Err(not_found(entity, id));
        }
        let unchanged = sent.is_some_and(|rev| rev == current);
        return if unchanged {
            Ok(json!({"_notModified": true}))
        } else {
            show(company, context, entity, id)
        };
    }
    if head.deleted.is_some() {
        return Err(not_found(entity, id));
    }
    if !sent.is_some_and(|rev| rev == current || rev == "REV_IGNORE") {
        return Err(Refusal::new(409, "rev key is out-of-date"));
    }
    if verb == "delete" {
        delete(company, context, entity, id);
        return Ok(json!(true));
    }
    let input = call.at(singular, 2);
    match name {
        "Product" => {
            let before = company.agenda.products.get(&id).cloned().ok_or_else(|| not_found(entity, id))?;
            let product = read_product(company, context, before, input)?;
            company.put_product(product, context.now_ms);
        }
        "Activity" => {
            let before = company.agenda.activities.get(&id).cloned().ok_or_else(|| not_found(entity, id))?;
            let activity = read_activity(company, before, input)?;
            company.put_activity(activity, context.now_ms);
        }
        _ => {
            let before = company.agenda.tasks.get(&id).cloned().ok_or_else(|| not_found(entity, id))?;
            let task = read_task(company, context, before, input)?;
            company.put_task(task, context.now_ms);
        }
    }
    show(company, context, entity, id)
}

fn head<'a>(company: &'a Company, entity: &str, id: i64) -> Option<&'a Head> {
    let agenda = &company.agenda;
    match entity {
        "Products" => agenda.products.get(&id).map(|known| &known.head),
        "Activities" => agenda.activities.get(&id).map(|known| &known.head),
        "Tasks" => agenda.tasks.get(&id).map(|known| &known.head),
        _ => agenda.emails.get(&id).map(|known| &known.head),
    }
}

fn show(company: &Company, context: Context, entity: &str, id: i64) -> Result<Value, Refusal> {
    let render = Render { company, settings: context.settings };
    let agenda = &company.agenda;
    let shown = match entity {
        "Products" => agenda.products.get(&id).map(|known| render.product(known, false)),
        "Activities" => agenda.activities.get(&id).map(|known| render.activity(known, false, context.now())),
        "Tasks" => agenda.tasks.get(&id).map(|known| render.task(known)),
        _ => agenda.emails.get(&id).map(|known| render.email(known)),
    };
    shown.ok_or_else(|| not_found(entity, id))
}

/// Moves one to the trash.
pub fn delete(company: &mut Company, context: Context, entity: &str, id: i64) {
    let now = Some(context.now());
    match entity {
        "Products" => {
            if let Some(mut product) = company.agenda.products.get(&id).cloned() {
                product.head.deleted = now;
                company.put_product(product, context.now_ms);
            }
        }
        "Activities" => {
            if let Some(mut activity) = company.agenda.activities.get(&id).cloned() {
                activity.head.deleted = now;
                company.put_activity(activity, context.now_ms);
            }
        }
        _ => {
            if let Some(mut task) = company.agenda.tasks.get(&id).cloned() {
                task.head.deleted = now;
                company.put_task(task, context.now_ms);
            }
        }
    }
    company.log_deletion(&entity.to_lowercase(), id, context.actor, context.now());
}

fn object(input: &Json, what: &str) -> Result<(), Refusal> {
    match input {
        Json::Obj(_) => Ok(()),
        _ => Err(Refusal::bad(format!("{what} must be an object"))),
    }
}

fn new_product(company: &mut Company, context: Context, input: &Json) -> Result<i64, Refusal> {
    object(input, "product")?;
    let blank = Product {
        head: Head::seeded(0),
        name: String::new(),
        sku: None,
        kind: "0".to_owned(),
        unit: String::new(),
        description: None,
        prices: Default::default(),
    };
    let mut product = read_product(company, context, blank, input)?;
    product.head = company.new_head("Products", context.actor, context.now_ms);
    let id = product.head.id;
    company.put_product(product, context.now_ms);
    Ok(id)
}

fn read_product(
    company: &Company,
    context: Context,
    mut product: Product,
    input: &Json,
) -> Result<Product, Refusal> {
    if let Some(sent) = input.get("name") {
        product.name = sent.filled().unwrap_or_default();
    }
    if product.name.is_empty() {
        return Err(Refusal::bad("A product must have a name"));
    }
    if let Some(sent) = input.get("type").filter(|sent| !sent.is_null()) {
        product.kind = sent.text().filter(|kind| kind == "0" || kind == "1").ok_or_else(|| {
            Refusal::bad("The type of a product must be \"0\" (product) or \"1\" (service)")
        })?;
    }
    if let Some(sent) = input.get("sku") {
        product.sku = sent.filled();
    }
    if let Some(sent) = input.get("unit") {
        const UNITS: [&str; 7] = ["minute", "hour", "day", "week", "month", "quarter", "year"];
        let unit = sent.filled().unwrap_or_default();
        if !unit.is_empty() && !UNITS.contains(&unit.as_str()) {
            return Err(Refusal::bad(format!("Invalid unit {unit}")));
        }
        product.unit = unit;
    }
    if let Some(sent) = input.get("description").filter(|_| context.settings.dialect.product_description) {
        product.description = sent.filled();
    }
    if let Some(sent) = input.get("prices") {
        product.prices = prices(company, sent)?;
    }
    // A product has a sku, a service a unit (sheet §5).
    match product.kind.as_str() {
        "0" => product.unit.clear(),
        _ => product.sku = None,
    }
    Ok(product)
}

/// The form of a `Product_Price` is not documented: a market by id and an amount are taken in the forms that other
/// objects have.
fn prices(
    company: &Company,
    input: &Json,
) -> Result<std::collections::BTreeMap<i64, rust_decimal::Decimal>, Refusal> {
    let mut found = std::collections::BTreeMap::new();
    for sent in input.list() {
        let market = sent.get("marketId").unwrap_or_else(|| sent.at("market"));
        let market = one_of(company.markets.iter().map(|market| market.id), "Market", market)?;
        let market = market.ok_or_else(|| Refusal::bad("A price must have a market"))?;
        let price = sent.get("price").unwrap_or(sent);
        let amount = price.at("amount").decimal().or_else(|| price.decimal());
        let amount = amount.ok_or_else(|| Refusal::bad("A price must have an amount"))?;
        if found.insert(market, amount).is_some() {
            return Err(Refusal::bad("A product has one price per market"));
        }
    }
    Ok(found)
}

fn new_activity(company: &mut Company, context: Context, input: &Json) -> Result<i64, Refusal> {
    object(input, "activity")?;
    // Name, type and times are always sent (sheet §5).
    for key in ["name", "activityTypeId", "startTime", "endTime"] {
        if input.at(key).is_null() {
            return Err(Refusal::bad(format!("An activity must have a {key}")));
        }
    }
    let cancelled = input.at("status").int() == Some(2);
    if cancelled && context.settings.dialect.new_cancelled_activity == OnBad::Reject {
        return Err(Refusal::bad("A new activity must be scheduled or logged"));
    }
    let blank = Activity::blank();
    let mut activity = read_activity(company, blank, input)?;
    activity.head = company.new_head("Activities", context.actor, context.now_ms);
    let id = activity.head.id;
    company.put_activity(activity, context.now_ms);
    Ok(id)
}

fn read_activity(company: &Company, mut activity: Activity, input: &Json) -> Result<Activity, Refusal> {
    if let Some(sent) = input.get("name") {
        activity.name = sent.filled().ok_or_else(|| Refusal::bad("An activity must have a name"))?;
    }
    if let Some(sent) = input.get("activityTypeId") {
        let kind = one_of(company.activity_types.iter().map(|row| row.id), "Activity type", sent)?;
        activity.kind = kind.ok_or_else(|| Refusal::bad("An activity must have a type"))?;
    }
    for (key, place) in [("startTime", &mut activity.start), ("endTime", &mut activity.end)] {
        if let Some(sent) = input.get(key) {
            *place = time::from_json(sent).ok_or_else(|| Refusal::bad(format!("{key} is not a date")))?;
        }
    }
    if let Some(sent) = input.get("description") {
        activity.description = sent.filled();
    }
    if let Some(sent) = input.get("location") {
        activity.location = sent.filled();
    }
    if let Some(sent) = input.get("isAllDay") {
        activity.all_day = sent.flag();
    }
    if let Some(sent) = input.get("isFlagged") {
        activity.flagged = sent.flag();
    }
    if let Some(sent) = input.get("status").filter(|sent| !sent.is_null()) {
        activity.status = sent
            .int()
            .filter(|status| (0..=2).contains(status))
            .ok_or_else(|| Refusal::bad("The status of an activity must be 0, 1 or 2"))?;
    }
    if let Some(sent) = input.get("logNote") {
        activity.log_note = sent.at("note").filled().or_else(|| sent.filled());
    }
    if let Some(sent) = input.get("leads") {
        let mut leads = Vec::new();
        for element in sent.list() {
            match party(company, element, Some("Leads"))? {
                Party::Record(_, id) if !leads.contains(&id) => leads.push(id),
                _ => {}
            }
        }
        activity.leads = leads;
    }
    if let Some(sent) = input.get("participants") {
        let mut parties = Vec::new();
        for element in sent.list() {
            let party = party(company, element, None)?;
            if matches!(party, Party::Record(Kind::Leads, _)) {
                return Err(Refusal::bad("A participant must be of Users, Contacts or Accounts"));
            }
            if !parties.contains(&party) {
                parties.push(party);
            }
        }
        activity.participants = parties;
    }
    Ok(activity)
}

/// A reference by `entityType` and id to something that is there.
fn party(company: &Company, input: &Json, default: Option<&str>) -> Result<Party, Refusal> {
    let entity = input.at("entityType");
    let entity = if entity.is_null() { default } else { entity.str() };
    let entity = entity.ok_or_else(|| Refusal::bad("entityType is missing"))?;
    if default.is_some_and(|default| default != entity) {
        return Err(Refusal::bad(format!("entityType must be {}", default.unwrap_or_default())));
    }
    let id = input.at("id").int().ok_or_else(|| Refusal::bad(format!("{entity} must be given by id")))?;
    let missing = || Refusal::bad(format!("{entity} {id} does not exist"));
    if entity == "Users" {
        return company.user(id).map(|user| Party::User(user.id)).ok_or_else(missing);
    }
    let kind = Kind::parse(entity).ok_or_else(|| Refusal::bad(format!("Invalid entityType {entity}")))?;
    company.live(kind, id).map(|_| Party::Record(kind, id)).ok_or_else(missing)
}

/// Reads what a note or a task is about.
pub fn entity(company: &Company, input: &Json) -> Result<(Kind, i64), Refusal> {
    match party(company, input, None)? {
        Party::Record(kind, id) => Ok((kind, id)),
        Party::User(_) => Err(Refusal::bad("entityType must be Accounts, Contacts or Leads")),
    }
}

fn new_task(company: &mut Company, context: Context, input: &Json) -> Result<i64, Refusal> {
    object(input, "task")?;
    let blank = Task {
        head: Head::seeded(0),
        title: String::new(),
        description: None,
        due: None,
        assignee: Some(Owner::User(context.user)),
        entity: None,
        completed: None,
    };
    let mut task = read_task(company, context, blank, input)?;
    task.head = company.new_head("Tasks", context.actor, context.now_ms);
    let id = task.head.id;
    company.put_task(task, context.now_ms);
    Ok(id)
}

fn read_task(company: &Company, context: Context, mut task: Task, input: &Json) -> Result<Task, Refusal> {
    if let Some(sent) = input.get("completedTime").filter(|_| context.settings.dialect.task_completion) {
        task.completed = time::from_json(sent);
    }
    if let Some(sent) = input.get("title") {
        task.title = sent.filled().unwrap_or_default();
    }
    if task.title.is_empty() {
        return Err(Refusal::bad("A task must have a title"));
    }
    if let Some(sent) = input.get("description") {
        task.description = sent.filled();
    }
    if let Some(sent) = input.get("dueTime") {
        task.due = match time::from_json(sent) {
            None if !sent.is_null() => return Err(Refusal::bad("dueTime is not a date")),
            due => due,
        };
    }
    if let Some(sent) = input.get("assignee") {
        task.assignee = owner(company, sent)?;
    }
    if let Some(sent) = input.get("entity") {
        task.entity = if sent.is_null() { None } else { Some(entity(company, sent)?) };
    }
    Ok(task)
}

fn find(
    state: &mut State,
    context: Context,
    call: &Call,
    entity: &str,
    order: &str,
) -> Result<Value, Refusal> {
    if entity == "Tasks" && context.settings.dialect.strict_finds && !call.at("stubResponses", 5).is_null() {
        return Err(Refusal::new(-32602, "Invalid params: stubResponses"));
    }
    // Products have no query (sheet §4).
    let start = usize::from(entity != "Products");
    let mut tail = Tail::read(call, start, order)?;
    if entity == "Activities" || !tail.stub {
        tail.limit = tail.limit.min(FULL_CAP);
    }
    if !tail.stub {
        throttle(state, context)?;
    }
    let company = &state.company;
    let query = if start == 1 { call.at("query", 0) } else { &super::super::json::NULL };
    let render = Render { company, settings: context.settings };
    let now = context.now();
    // A sort key and the place of each.
    let mut found: Vec<(i64, String, i64)> = Vec::new();
    let mut add = |id: i64, number: i64, text: &str| {
        found.push(match tail.order.as_str() {
            "id" => (id, String::new(), id),
            "name" | "title" => (0, text.to_lowercase(), id),
            _ => (number, String::new(), id),
        });
    };
    match entity {
        "Products" => {
            for product in company.agenda.products.values().filter(|p| p.head.is_listed(context.now_ms)) {
                add(product.head.id, product.head.modified, &product.name);
            }
        }
        "Activities" => {
            let tests = activity_tests(query)?;
            for activity in company.agenda.activities.values() {
                if activity.head.is_listed(context.now_ms) && tests.iter().all(|test| test(activity)) {
                    add(activity.head.id, activity.start, &activity.name);
                }
            }
        }
        _ => {
            if let Some((key, _)) = query.entries().iter().find(|(_, value)| !value.is_null()) {
                return Err(Refusal::bad(format!("Invalid query key {key}")));
            }
            for task in company.agenda.tasks.values().filter(|task| task.head.is_listed(context.now_ms)) {
                add(task.head.id, task.due.unwrap_or(i64::MAX), &task.title);
            }
        }
    }
    found.sort();
    if tail.descending {
        found.reverse();
    }
    let agenda = &company.agenda;
    let shown = tail.page(found).into_iter().filter_map(|(_, _, id)| match entity {
        "Products" => agenda.products.get(&id).map(|known| render.product(known, tail.stub)),
        "Activities" => agenda.activities.get(&id).map(|known| render.activity(known, tail.stub, now)),
        _ => agenda.tasks.get(&id).map(|known| render.task(known)),
    });
    Ok(shown.collect())
}

type Test = Box<dyn Fn(&Activity) -> bool>;

/// The keys of `findActivities` (sheet §4). That times are bounds is assumed.
fn activity_tests(query: &Json) -> Result<Vec<Test>, Refusal> {
    let ids = |value: &Json| -> Vec<i64> {
        value.int().map_or_else(|| value.list().iter().filter_map(|id| id.int()).collect(), |id| vec![id])
    };
    let mut tests: Vec<Test> = Vec::new();
    for (key, value) in query.entries().iter().filter(|(_, value)| !value.is_null()) {
        let wanted = ids(value);
        let record = |kind: Kind| -> Test {
            let wanted = wanted.clone();
            Box::new(move |activity| {
                activity.about().iter().any(|(of, id)| *of == kind && wanted.contains(id))
            })
        };
        tests.push(match key.as_str() {
            "leadId" => record(Kind::Leads),
            "contactId" => record(Kind::Contacts),
            "accountId" => record(Kind::Accounts),
            "userId" => Box::new(move |activity| {
                activity
                    .participants
                    .iter()
                    .any(|party| matches!(party, Party::User(id) if wanted.contains(id)))
            }),
            "status" => Box::new(move |activity| wanted.contains(&activity.status)),
            "activityTypeId" => Box::new(move |activity| wanted.contains(&activity.kind)),
            "isFlagged" => {
                let flag = value.flag();
                Box::new(move |activity| activity.flagged == flag)
            }
            "startTime" | "endTime" => {
                let wanted = time::from_json(value);
                let wanted = wanted.ok_or_else(|| Refusal::bad(format!("{key} is not a date")))?;
                if key == "startTime" {
                    Box::new(move |activity| activity.start >= wanted)
                } else {
                    Box::new(move |activity| activity.end <= wanted)
                }
            }
            _ => return Err(Refusal::bad(format!("Invalid query key {key}"))),
        });
    }
    Ok(tests)
}
