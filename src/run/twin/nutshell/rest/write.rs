//! Creating and patching accounts, contacts and leads (sheet §3.2, §5, §5.1).

use rust_decimal::Decimal;

use super::super::company::Company;
use super::super::json::Json;
use super::super::record::{Item, Kind, Link, Owner, Person, ProductLine, Record};
use super::super::time;
use super::super::values::{Context, Refusal, address, check_open_leads, lead_title, phone, set_customs};
use super::number_of;

/// The single record of a create body.
pub fn only<'a>(resource: &str, list: &'a Json) -> Result<&'a Json, Refusal> {
    match list {
        Json::Arr(items) if items.len() == 1 => Ok(&items[0]),
        Json::Arr(items) if items.len() > 1 => {
            Err(Refusal::bad(format!("You may only create one {resource} resource per request.")))
        }
        _ => Err(Refusal::bad(format!("No {resource} sent"))),
    }
}

/// Creates a record; returns its id.
pub fn create(company: &mut Company, context: Context, kind: Kind, input: &Json) -> Result<i64, Refusal> {
    if !matches!(input, Json::Obj(_)) {
        return Err(Refusal::bad(format!("No {} sent", kind.rest())));
    }
    let mut record = match kind {
        Kind::Leads => {
            check_open_leads(company, context.settings)?;
            company.new_lead(context.actor).ok_or_else(|| Refusal::bad("There is no pipeline"))?
        }
        _ => Record::new(kind, context.actor),
    };
    record.owner = Some(Owner::User(context.user));
    if kind == Kind::Accounts {
        record.account_type = company.account_types.first().map(|row| row.id);
    }
    for (field, value) in input.entries() {
        // What is read-only or unknown is ignored on create.
        set_field(context, &mut record, field, value)?;
    }
    for (relation, value) in input.at("links").entries() {
        let value = inline(company, context, kind, relation, value)?;
        set_link(company, context, &mut record, relation, &value)?;
    }
    if let Some(sent) = input.get("customFields") {
        set_customs(company, context.settings, &mut record, sent)?;
    }
    let bare = record.phone.is_empty() && record.email.is_empty();
    let nothing = match kind {
        Kind::Accounts => {
            bare && record.name.is_empty() && record.address.is_empty() && record.url.is_empty()
        }
        Kind::Contacts => bare && record.person == Person::default(),
        Kind::Leads => {
            !context.settings.dialect.lead_without_contact
                && record.contacts.is_empty()
                && record.accounts.is_empty()
        }
    };
    if nothing {
        return Err(Refusal::bad(format!("The {} resource lacks a required field", kind.rest())));
    }
    Ok(company.insert(record, context.now_ms))
}

/// Makes the records that a lead brings along as inline objects, and puts their ids in their place.
fn inline(
    company: &mut Company,
    context: Context,
    kind: Kind,
    relation: &str,
    value: &Json,
) -> Result<Json, Refusal> {
    let to = match (kind, Kind::parse_rest(relation)) {
        (Kind::Leads, Some(to)) if to != Kind::Leads => to,
        _ => return Ok(value.clone()),
    };
    let mut ids = Vec::new();
    for element in value.list() {
        match element {
            Json::Obj(_) if element.at("id").is_null() => {
                let id = create(company, context, to, element)?;
                ids.push(Json::Str(format!("{id}-{}", to.rest())));
            }
            _ => ids.push(element.clone()),
        }
    }
    Ok(Json::Arr(ids))
}

/// Reads `emails`, `phones`, `urls` or `addresses`: a list of `{isPrimary, name, value}`, the primary first.
fn multi<T>(input: &Json, read: impl Fn(&Json) -> Option<T>) -> Vec<Item<T>> {
    let mut items: Vec<(bool, Item<T>)> = Vec::new();
    for element in input.list() {
        let value = if matches!(element, Json::Obj(_)) { element.at("value") } else { element };
        if let Some(value) = read(value) {
            items.push((element.at("isPrimary").flag(), Item { label: element.at("name").filled(), value }));
        }
    }
    items.sort_by_key(|(primary, _)| !*primary);
    items.into_iter().map(|(_, item)| item).collect()
}

/// Writes one field of the body; false when there is no such writable field.
fn set_field(context: Context, record: &mut Record, field: &str, value: &Json) -> Result<bool, Refusal> {
    match (record.kind, field) {
        (Kind::Leads, "description") => {
            record.description = lead_title(context.settings.dialect.rest_long_description, value)?;
        }
        (_, "description") => record.description = value.filled(),
        (Kind::Accounts, "name") => record.name = value.filled().unwrap_or_default(),
        (Kind::Contacts, "name") => {
            record.person = match value {
                Json::Obj(_) => Person {
                    salutation: value.at("salutation").filled(),
                    given: value.at("givenName").filled(),
                    family: value.at("familyName").filled(),
                },
                _ => value.filled().map(|text| Record::split_name(&text)).unwrap_or_default(),
            };
        }
        (Kind::Contacts, "firstName") => record.person.given = value.filled(),
        (Kind::Contacts, "lastName") => record.person.family = value.filled(),
        (Kind::Accounts | Kind::Contacts, "emails") => record.email = multi(value, Json::filled),
        (Kind::Accounts | Kind::Contacts, "phones") => record.phone = multi(value, phone),
        (Kind::Accounts | Kind::Contacts, "urls") => record.url = multi(value, Json::filled),
        (Kind::Accounts | Kind::Contacts, "addresses") => record.address = multi(value, address),
        // Taken, and not kept.
        (Kind::Leads, "manualValue") if !context.settings.dialect.rest_manual_value => {}
        (Kind::Leads, _) => return set_lead_field(record, field, value),
        _ => return Ok(false),
    }
    Ok(true)
}

fn set_lead_field(record: &mut Record, field: &str, value: &Json) -> Result<bool, Refusal> {
    let Some(deal) = &mut record.deal else {
        return Ok(false);
    };
    match field {
        "manualValue" => {
            deal.manual = match value {
                Json::Null => None,
                _ => Some(value.decimal().ok_or_else(|| Refusal::bad("Invalid manualValue"))?),
            };
        }
        "valueToProductMode" => deal.manual = None,
        "dueTime" => {
            deal.due = match time::from_json(value) {
                None if !value.is_null() => return Err(Refusal::bad("Invalid dueTime")),
                due => due,
            };
        }
        "confidence" => {
            deal.confidence = match value.int() {
                Some(percent) if (0..=100).contains(&percent) => Some(percent),
                None if value.is_null() => None,
                _ => return Err(Refusal::bad("Invalid confidence")),
            };
        }
        "priority" => deal.priority = value.int().unwrap_or(0),
        _ => return Ok(false),
    }
    Ok(true)
}

/// Reads ids such as `3-accounts`, alone, in a list, or as `{id}`.
fn ids(resource: &str, value: &Json) -> Result<Vec<i64>, Refusal> {
    let one = |value: &Json| {
        let text = value.text().or_else(|| value.at("id").text());
        let text = text.ok_or_else(|| Refusal::bad(format!("Invalid link to {resource}")))?;
        if text.split_once('-').is_some_and(|(_, given)| given != resource) {
            return Err(Refusal::bad(format!("Invalid link to {resource}: {text}")));
        }
        number_of(&text).ok_or_else(|| Refusal::bad(format!("Invalid link to {resource}: {text}")))
    };
    match value {
        Json::Null => Ok(Vec::new()),
        Json::Arr(list) => list.iter().map(one).collect(),
        _ => Ok(vec![one(value)?]),
    }
}

fn known(resource: &str, ids: Vec<i64>, exists: impl Fn(i64) -> bool) -> Result<Vec<i64>, Refusal> {
    match ids.iter().find(|id| !exists(**id)) {
        Some(id) => Err(Refusal::bad(format!("{id}-{resource} does not exist"))),
        None => Ok(ids),
    }
}

/// Replaces one relation; an empty list clears it.
fn set_link(
    company: &Company,
    context: Context,
    record: &mut Record,
    relation: &str,
    value: &Json,
) -> Result<(), Refusal> {
    if let Some(to) = Kind::parse_rest(relation).filter(|to| *to != record.kind) {
        let sent = known(relation, ids(relation, value)?, |id| company.live(to, id).is_some())?;
        let old = std::mem::take(record.links_mut(to));
        let keep = |id: i64| Link {
            id,
            relationship: old.iter().find(|link| link.id == id).and_then(|link| link.relationship.clone()),
        };
        *record.links_mut(to) = sent.into_iter().map(keep).collect();
        return Ok(());
    }
    let named = |rows: &[super::super::company::Named], resource| -> Result<Option<i64>, Refusal> {
        Ok(known(resource, ids(resource, value)?, |id| rows.iter().any(|row| row.id == id))?.pop())
    };
    match (record.kind, relation) {
        (_, "owner") => {
            let team = value.str().is_some_and(|text| text.ends_with("-teams"));
            let resource = if team { "teams" } else { "users" };
            let exists = |id: i64| {
                if team { company.teams.iter().any(|row| row.id == id) } else { company.user(id).is_some() }
            };
            let id = known(resource, ids(resource, value)?, exists)?.pop();
            record.owner = id.map(|id| if team { Owner::Team(id) } else { Owner::User(id) });
        }
        (kind, "tags") => {
            // The tag's type must match the entity's.
            let exists =
                |id| company.tags.iter().any(|tag| tag.id == id && tag.kind == kind && tag.deleted.is_none());
            record.tags = known("tags", ids("tags", value)?, exists)?;
        }
        (Kind::Accounts | Kind::Contacts, "territory") => {
            record.territory = named(&company.territories, "territories")?
        }
        (Kind::Accounts, "accountType") => {
            record.account_type = named(&company.account_types, "accountTypes")?
        }
        (Kind::Accounts, "industry") => record.industry = named(&company.industries, "industries")?,
        (Kind::Leads, "sources") => {
            let exists =
                |id| company.sources.iter().any(|source| source.id == id && source.deleted.is_none());
            let sent = known("sources", ids("sources", value)?, exists)?;
            if let Some(deal) = &mut record.deal {
                deal.sources = sent;
            }
        }
        (Kind::Leads, "productMaps") => {
            let lines =
                value.list().into_iter().map(|line| product(company, line)).collect::<Result<_, _>>()?;
            if let Some(deal) = &mut record.deal {
                deal.products = lines;
            }
        }
        (Kind::Leads, "stage") if context.settings.dialect.rest_stage_write => {
            let id = known("stages", ids("stages", value)?, |id| {
                company.milestones.iter().any(|stage| stage.id == id)
            })?
            .pop();
            let stage = company.milestones.iter().find(|stage| Some(stage.id) == id);
            if let (Some(deal), Some(stage)) = (&mut record.deal, stage) {
                if stage.stageset != deal.stageset {
                    return Err(Refusal::bad(format!("{}-stages is in another stageset", stage.id)));
                }
                deal.milestone = stage.id;
            }
        }
        _ => return Err(Refusal::bad(format!("Invalid relationship {relation}"))),
    }
    Ok(())
}

fn product(company: &Company, line: &Json) -> Result<ProductLine, Refusal> {
    let sent = ids("products", line.at("links").at("product"))?;
    let product = known("products", sent, |id| company.product(id).is_some())?.pop();
    let product = product.ok_or_else(|| Refusal::bad("A productMap must have a product"))?;
    let price = line.at("price").at("amount").decimal().unwrap_or_default();
    let quantity = line.at("quantity").decimal().unwrap_or(Decimal::ONE);
    Ok(ProductLine { product, quantity, price, relationship: None })
}

/// The operations of a patch: at least one.
pub fn operations(body: &Json) -> Result<&[Json], Refusal> {
    match body {
        Json::Arr(ops) if ops.is_empty() => Err(Refusal::bad("No patches sent")),
        Json::Arr(ops) => Ok(ops),
        _ => Err(Refusal::bad("A patch must be a list")),
    }
}

/// Applies a patch list to a record, all of it or nothing.
pub fn patch(
    company: &mut Company,
    context: Context,
    kind: Kind,
    id: i64,
    body: &Json,
) -> Result<(), Refusal> {
    let ops = operations(body)?;
    let Some(mut record) = company.live(kind, id).cloned() else {
        return Err(Refusal::new(404, "Not Found"));
    };
    let closed = record.deal.as_ref().is_some_and(|deal| deal.status >= 10);
    if closed && !context.settings.dialect.closed_lead_edits {
        return Err(Refusal::bad("A closed lead cannot be edited"));
    }
    for op in ops {
        apply(company, context, &mut record, op)?;
    }
    company.commit(record, context.now_ms);
    Ok(())
}

fn apply(company: &Company, context: Context, record: &mut Record, op: &Json) -> Result<(), Refusal> {
    let verb = op.at("op").str().unwrap_or("");
    let path = op.at("path").str().unwrap_or("");
    let wrong = || Refusal::bad("Invalid patch").detail(format!("Invalid patch: {verb} {path}"));
    if !matches!(verb, "add" | "remove" | "replace") {
        return Err(wrong());
    }
    // `/{resource}/0/{field}`; the leading slash may be missing, the 0 may not.
    let segments: Vec<String> = path
        .strip_prefix('/')
        .unwrap_or(path)
        .split('/')
        .map(|segment| segment.replace("~1", "/").replace("~0", "~"))
        .collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let value = if verb == "remove" { &Json::Null } else { op.at("value") };
    match segments.as_slice() {
        [resource, "0", "links", relation] if *resource == record.kind.rest() => {
            set_link(company, context, record, relation, value)
        }
        [resource, "0", "links", relation, target] if *resource == record.kind.rest() => {
            let mut now = linked(record, relation).ok_or_else(wrong)?;
            match (verb, *target) {
                ("add", "-") => {
                    let added = ids(relation, value)?;
                    now.extend(
                        added
                            .into_iter()
                            .filter(|id| !linked(record, relation).unwrap_or_default().contains(id)),
                    );
                }
                ("remove", target) => {
                    let id = number_of(target).ok_or_else(wrong)?;
                    now.retain(|known| *known != id);
                }
                _ => return Err(wrong()),
            }
            let list = now.into_iter().map(|id| Json::Num(id.into())).collect();
            set_link(company, context, record, relation, &Json::Arr(list))
        }
        [resource, "0", field] if *resource == record.kind.rest() => {
            if set_field(context, record, field, value)? {
                return Ok(());
            }
            if *field == "customFields" && context.settings.dialect.patch_custom_field_paths {
                return set_customs(company, context.settings, record, value);
            }
            set_custom(company, context, record, field, value)
        }
        [resource, "0", "customFields", name]
            if *resource == record.kind.rest() && context.settings.dialect.patch_custom_field_paths =>
        {
            set_custom(company, context, record, name, value)
        }
        _ => Err(wrong()),
    }
}

fn set_custom(
    company: &Company,
    context: Context,
    record: &mut Record,
    name: &str,
    value: &Json,
) -> Result<(), Refusal> {
    // A path names the field: it is refused even where unknown custom fields of a create are dropped.
    if company.field(record.kind, name).is_none() {
        return Err(Refusal::bad(format!("Field {name} is not a custom field")));
    }
    set_customs(company, context.settings, record, &Json::Obj(vec![(name.to_owned(), value.clone())]))
}

/// The ids under one relation that is a list.
fn linked(record: &Record, relation: &str) -> Option<Vec<i64>> {
    match (relation, Kind::parse_rest(relation)) {
        (_, Some(to)) if to != record.kind => Some(record.links(to).iter().map(|link| link.id).collect()),
        ("tags", _) => Some(record.tags.clone()),
        ("sources", _) => record.deal.as_ref().map(|deal| deal.sources.clone()),
        _ => None,
    }
}
