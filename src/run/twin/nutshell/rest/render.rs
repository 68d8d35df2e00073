//! REST shapes (sheet §3.2, §5; live samples). Bodies of records never hold custom fields.

use serde_json::{Value, json};

use super::super::company::{Field, Named, User};
use super::super::record::{Actor, Custom, Item, Kind, Link, Note, Owner, Record};
use super::super::rpc::render::{FOUNDED, Render, escape};
use super::super::time;
use super::super::values::address_out;

pub fn id(id: i64, resource: &str) -> Value {
    json!(format!("{id}-{resource}"))
}

fn id_or_null(value: Option<i64>, resource: &str) -> Value {
    value.map_or(Value::Null, |value| id(value, resource))
}

fn multi<T>(items: &[Item<T>], default_name: &str, show: impl Fn(&T) -> Value) -> Value {
    let item = |(at, item): (usize, &Item<T>)| json!({"isPrimary": at == 0, "name": item.label.as_deref().unwrap_or(default_name), "value": show(&item.value)});
    items.iter().enumerate().map(item).collect()
}

/// An amount as REST prints it, such as `$1,234.50`.
fn formatted(currency: &str, amount: rust_decimal::Decimal) -> String {
    let text = format!("{:.2}", amount.abs());
    let (whole, cents) = text.split_once('.').unwrap_or((&text, "00"));
    let sign = match currency {
        "USD" => "$".to_owned(),
        "EUR" => "€".to_owned(),
        _ => format!("{currency} "),
    };
    let minus = if amount.is_sign_negative() { "-" } else { "" };
    format!("{minus}{sign}{}.{cents}", thousands(whole))
}

/// Digits with commas between the thousands.
pub fn thousands(digits: &str) -> String {
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

pub fn actor(actor: Actor) -> Value {
    match actor {
        Actor::User(user) => id(user, "users"),
        Actor::Origin(origin) => id(origin, "origins"),
    }
}

pub fn owner(owner: Option<Owner>) -> Value {
    match owner {
        Some(Owner::User(user)) => id(user, "users"),
        Some(Owner::Team(team)) => id(team, "teams"),
        None => Value::Null,
    }
}

/// An account, contact or lead.
pub fn record(render: Render, record: &Record) -> Value {
    let company = render.company;
    let resource = record.kind.rest();
    let name = match record.kind {
        Kind::Leads => record.description.clone().unwrap_or_default(),
        _ => record.display(),
    };
    let linked = |to: Kind| -> Value {
        let live = |link: &&Link| company.live(to, link.id).is_some();
        record.links(to).iter().filter(live).map(|link| id(link.id, to.rest())).collect()
    };
    let live_tag = |tag: &&i64| company.tags.iter().any(|known| known.id == **tag && known.deleted.is_none());
    let tags: Value = record.tags.iter().filter(live_tag).map(|tag| id(*tag, "tags")).collect();
    let html_path = render.html_path(record);
    let mut value = json!({
        "id": id(record.id, resource), "type": resource, "name": name, "description": record.description,
        "href": render.host(&format!("/rest/{resource}/{}-{resource}", record.id)),
        "avatarUrl": render.avatar(record), "initials": name.chars().next().map(|first| first.to_uppercase().to_string()),
        "htmlUrl": render.host(&html_path), "htmlUrlPath": html_path,
    });
    let mut links = json!({
        "creator": actor(record.creator), "owner": owner(record.owner), "tags": tags, "files": [], "relatedFiles": [],
        "territory": id_or_null(record.territory, "territories"),
    });
    if record.kind != Kind::Leads {
        value["emails"] = multi(&record.email, "email", |text| json!(text));
        value["phones"] = multi(&record.phone, "phone", |phone| phone.to_rest());
        value["urls"] = multi(&record.url, "url", |text| json!(text));
        value["addresses"] = multi(&record.address, "address", address_out);
        links["followup"] = Value::Null;
        links["recurringTask"] = Value::Null;
        if let Some(deleted) = record.deleted {
            value["deletedTime"] = json!(deleted);
        }
    }
    match record.kind {
        Kind::Accounts => {
            value["revenue"] = Value::Null;
            value["employeeCount"] = Value::Null;
            links["contacts"] = linked(Kind::Contacts);
            links["accountType"] = id_or_null(record.account_type, "accountTypes");
            links["industry"] = id_or_null(record.industry, "industries");
        }
        Kind::Contacts => {
            value["jobTitle"] = json!(render.job_title(record));
            value["createdTime"] = json!(record.created);
            links["accounts"] = linked(Kind::Accounts);
            links["emAudiences"] = json!([]);
        }
        Kind::Leads => lead(render, record, &mut value, &mut links, &linked),
    }
    value["links"] = links;
    value
}

fn lead(
    render: Render,
    record: &Record,
    value: &mut Value,
    links: &mut Value,
    linked: &impl Fn(Kind) -> Value,
) {
    let Some(deal) = &record.deal else { return };
    let company = render.company;
    let amount = company.lead_value(record);
    let currency = company.lead_currency(record);
    // Live data shows the number 0 on a lead without value; other objects print amounts as strings (sheet §5).
    value["value"] = if amount.is_zero() {
        json!({"amount": 0, "currency": currency, "formatted": ""})
    } else {
        json!({"amount": format!("{amount:.2}"), "currency": currency, "formatted": formatted(currency, amount)})
    };
    value["isCurrentUserWatching"] = json!(false);
    value["deletedTime"] = json!(record.deleted);
    value["number"] = json!(deal.number.to_string());
    value["createdTime"] = time::rest_lead(Some(record.created));
    value["closedTime"] = time::rest_lead(deal.closed);
    value["dueTime"] = time::rest_lead(deal.due);
    value["anticipatedClosedTime"] = time::rest_lead(deal.due);
    value["ownerType"] = match record.owner {
        Some(Owner::User(_)) => json!("users"),
        Some(Owner::Team(_)) => json!("teams"),
        None => Value::Null,
    };
    value["mcfxContactIds"] = json!([]);
    value["status"] = json!(status_word(deal.status));
    value["lastContactedTime"] = Value::Null;
    value["pieState"] = json!("01");
    value["isOverdue"] = json!(false);
    value["overdueTime"] = Value::Null;
    value["confidence"] = json!(deal.confidence);
    value["priority"] = json!(deal.priority);
    value["initials"] = Value::Null;
    let ids =
        |ids: &[i64], resource: &str| -> Value { ids.iter().map(|known| id(*known, resource)).collect() };
    let products: Vec<i64> = deal.products.iter().map(|line| line.product).collect();
    links["accounts"] = linked(Kind::Accounts);
    links["contacts"] = linked(Kind::Contacts);
    links["sources"] = ids(&deal.sources, "sources");
    links["destinations"] = json!([]);
    links["stage"] = id(deal.milestone, "stages");
    links["stageset"] = id(deal.stageset, "stagesets");
    links["products"] = ids(&products, "products");
    // A relationship row has no life of its own here: its id is derived from the lead and its place.
    let maps =
        deal.products.iter().enumerate().map(|(at, _)| id(record.id * 1000 + at as i64, "productMaps"));
    links["productMaps"] = maps.collect();
    links["competitors"] = ids(&deal.competitors, "competitors");
    let maps =
        deal.competitors.iter().enumerate().map(|(at, _)| id(record.id * 1000 + at as i64, "competitorMaps"));
    links["competitorMaps"] = maps.collect();
    links["outcome"] = id_or_null(deal.outcome, "outcomes");
    links["watchers"] = json!([]);
}

pub fn status_word(status: i64) -> &'static str {
    match status {
        1 => "pending",
        10 => "won",
        11 => "lost",
        12 => "cancelled",
        _ => "open",
    }
}

pub fn user(user: &User, may_delete: bool) -> Value {
    let (first, last) = user.name.split_once(' ').unwrap_or((&user.name, ""));
    json!({
        "id": id(user.id, "users"), "type": "users", "name": user.name, "firstName": first, "lastName": last,
        "emails": [user.email], "isEnabled": user.enabled, "isAdministrator": user.admin, "createdTime": FOUNDED,
        "modifiedTime": FOUNDED,
        "permissions": {"canDeleteEntities": may_delete, "canImport": user.admin, "canAssignEntities": true},
    })
}

pub fn named(row: &Named, resource: &str) -> Value {
    json!({"id": id(row.id, resource), "type": resource, "name": row.name})
}

pub fn note(render: Render, note: &Note) -> Value {
    let text = render.mentions(&note.text);
    json!({
        "id": id(note.id, "notes"), "type": "notes", "createdTime": note.created, "deletedTime": note.deleted,
        "href": render.host(&format!("/rest/notes/{}-notes", note.id)), "body": text, "bodyHtml": escape(&text),
        "bodyMarkup": note.text, "isEditable": false, "parentType": note.parent.0.rest(),
        "htmlUrl": render.host(&format!("/note/{}", note.id)), "htmlUrlPath": format!("/note/{}", note.id),
        "links": {
            "comments": [], "parent": id(note.parent.1, note.parent.0.rest()), "accounts": [], "contacts": [],
            "leads": [], "users": [], "teams": [],
        },
    })
}

/// A custom field's definition (sheet §6).
pub fn field(field: &Field) -> Value {
    json!({
        "id": id(field.id, "customFields"), "name": field.name, "title": field.name, "type": field.field_type.name(),
        "isMultiple": field.multiple, "choices": field.choices,
    })
}

/// A custom field with its value, which REST promises as a string.
pub fn field_value(definition: &Field, value: Option<&Custom>) -> Value {
    let mut row = field(definition);
    row["value"] = json!(value.map(Custom::text));
    row
}
