//! `crm.<entity>.add`, `.update` and `.delete` (sheet 16.1, 16.2).

use serde_json::{Value, json};

use super::classic::id_arg;
use super::directory::base_currency;
use super::methods::{Answer, Call, Failure, Outcome};
use super::php::Php;
use super::portal::{Entity, Link, Portal, Record};
use super::records::{Field, MULTIFIELDS, int_of};

fn fields_arg(args: &Php) -> Result<Option<&Php>, Failure> {
    match args.get_any(&["fields", "FIELDS", "Fields", "arFields"]) {
        Some(v) if v.is_array() => Ok(Some(v)),
        Some(_) => Err(Failure::classic("Parameter 'fields' must be array.")),
        None => Ok(None),
    }
}

/// Whether an `add` may set creation facts: `params.IMPORT` (sheet 16.2; not for deals and leads).
fn is_import(entity: Entity, args: &Php) -> bool {
    let flag =
        args.get_any(&["params", "PARAMS"]).and_then(|p| p.get_any(&["IMPORT"])).is_some_and(Php::flag);
    flag && matches!(entity, Entity::Company | Entity::Contact)
}

const IMPORTABLE: [&str; 4] = ["DATE_CREATE", "DATE_MODIFY", "CREATED_BY_ID", "MODIFY_BY_ID"];

/// The next id of a table.
fn next_id(portal: &Portal, entity: Entity) -> i64 {
    let last = portal.records.get(&entity).and_then(|t| t.last_key_value());
    last.map_or(1, |(id, _)| id.saturating_add(1))
}

/// The next id of a multifield value: they share one table.
fn next_value_id(portal: &Portal, row: &Record, start: i64) -> i64 {
    let mut largest = start;
    for code in MULTIFIELDS {
        for value in row.get(code).and_then(Value::as_array).into_iter().flatten() {
            largest = largest.max(value.get("ID").and_then(int_of).unwrap_or(0));
        }
    }
    // Far above what a generator hands out per record, so that fresh ids meet no old ones.
    largest
        .max(portal.records.values().map(|t| t.len() as i64).sum::<i64>().saturating_mul(16))
        .saturating_add(1)
}

/// The first entry of a directory, which `add` takes for a directory field left out.
fn first_status(portal: &Portal, directory: &str) -> Option<String> {
    let of = portal.statuses.iter().filter(|r| r.get("ENTITY_ID").and_then(Value::as_str) == Some(directory));
    let first = of.min_by_key(|r| r.get("SORT").and_then(int_of).unwrap_or(0))?;
    first.get("STATUS_ID").and_then(Value::as_str).map(str::to_owned)
}

/// A written scalar as the server stores it: strings, two decimals for system amounts, blank for nothing.
fn stored(field: Field<'_>, value: &Php) -> Option<Value> {
    if let Php::Arr(_) = value {
        return if field.multiple { Some(value.to_json()) } else { None };
    }
    let text = value.text().filter(|t| !t.is_empty())?.into_owned();
    if field.kind == "double" && !field.custom {
        let amount: rust_decimal::Decimal = text.trim().parse().unwrap_or_default();
        return Some(json!(format!("{amount:.2}")));
    }
    if field.multiple { Some(json!([text])) } else { Some(json!(text)) }
}

/// Writes a multifield by its rules: without `ID` added, with `ID` replaced or deleted, others stay.
fn write_multifield(portal: &Portal, row: &mut Record, code: &str, sent: &Php) {
    let mut held = row.get(code).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut fresh = next_value_id(portal, row, 0);
    for (_, element) in sent.entries() {
        let id = element.get("ID").map_or(0, Php::int);
        let value = element.get("VALUE").and_then(Php::text).unwrap_or_default().into_owned();
        let kind = element.get("VALUE_TYPE").and_then(Php::text).map(std::borrow::Cow::into_owned);
        let delete = value.is_empty() || element.get("DELETE").is_some_and(Php::flag);
        let at = held.iter().position(|v| id > 0 && v.get("ID").and_then(int_of) == Some(id));
        match (at, delete) {
            (Some(at), true) => {
                held.remove(at);
            }
            (Some(at), false) => {
                held[at]["VALUE"] = json!(value);
                if let Some(kind) = kind {
                    held[at]["VALUE_TYPE"] = json!(kind);
                }
            }
            (None, false) if id == 0 => {
                let kind = kind.unwrap_or_else(|| "WORK".into());
                held.push(
                    json!({ "ID": fresh.to_string(), "VALUE_TYPE": kind, "VALUE": value, "TYPE_ID": code }),
                );
                fresh += 1;
            }
            _ => {}
        }
    }
    if held.is_empty() {
        row.shift_remove(code);
    } else {
        row.insert(code.to_owned(), Value::Array(held));
    }
}

/// Replaces a whole set of links; the first one is primary.
fn links_of(sent: &Php) -> Vec<Link> {
    let ids = sent.entries().iter().map(|(_, v)| v.int()).filter(|id| *id > 0);
    ids.enumerate().map(|(at, id)| Link { id, sort: (at as i64 + 1) * 10, primary: at == 0 }).collect()
}

/// Puts sent fields into a record; unknown and read-only names are ignored silently.
fn apply(call: &mut Call<'_>, entity: Entity, id: i64, row: &mut Record, fields: &Php, import: bool) {
    for (code, value) in fields.entries() {
        let code = code.as_str();
        let Some(description) = call.portal.fields.get(&entity).and_then(|f| f.get(code)).cloned() else {
            continue;
        };
        let field = Field::new(code, &description);
        let read_only = description.get("isReadOnly").and_then(Value::as_bool).unwrap_or(false);
        if (read_only && !(import && IMPORTABLE.contains(&code))) || code == "ID" {
            continue;
        }
        match code {
            _ if field.is_multifield() => write_multifield(call.portal, row, code, value),
            "COMPANY_IDS" if entity == Entity::Contact => {
                call.portal.contact_companies.insert(id, links_of(value));
                row.shift_remove("COMPANY_ID");
            }
            "CONTACT_IDS" if entity == Entity::Deal => {
                call.portal.deal_contacts.insert(id, links_of(value));
                row.shift_remove("CONTACT_ID");
            }
            _ => match stored(field, value) {
                Some(value) => {
                    row.insert(code.to_owned(), value);
                }
                None => {
                    row.shift_remove(code);
                }
            },
        }
        link_primary(call.portal, entity, id, row, code);
    }
}

/// A bare primary link that was written joins the link table.
fn link_primary(portal: &mut Portal, entity: Entity, id: i64, row: &mut Record, code: &str) {
    let table = match (entity, code) {
        (Entity::Contact, "COMPANY_ID") => &mut portal.contact_companies,
        (Entity::Deal, "CONTACT_ID") => &mut portal.deal_contacts,
        _ => return,
    };
    let wanted = row.shift_remove(code).as_ref().and_then(int_of).unwrap_or(0);
    let links = table.entry(id).or_default();
    if wanted <= 0 {
        links.clear();
        return;
    }
    if !links.iter().any(|l| l.id == wanted) {
        let sort = links.iter().map(|l| l.sort).max().unwrap_or(0) + 10;
        links.push(Link { id: wanted, sort, primary: true });
    }
    links.iter_mut().for_each(|l| l.primary = l.id == wanted);
}

/// The stage directory of a deal's pipeline.
fn stage_directory(row: &Record) -> String {
    match row.get("CATEGORY_ID").and_then(int_of).unwrap_or(0) {
        0 => "DEAL_STAGE".into(),
        category => format!("DEAL_STAGE_{category}"),
    }
}

/// Sets what follows from a stage: its group, and for deals whether they are closed.
fn settle_stage(portal: &Portal, entity: Entity, row: &mut Record) {
    let (code, semantic, directory) = match entity {
        Entity::Deal => ("STAGE_ID", "STAGE_SEMANTIC_ID", stage_directory(row)),
        Entity::Lead => ("STATUS_ID", "STATUS_SEMANTIC_ID", "STATUS".to_owned()),
        _ => return,
    };
    let Some(stage) = row.get(code).and_then(Value::as_str) else {
        return;
    };
    let is = |r: &&Record, key: &str, wanted: &str| r.get(key).and_then(Value::as_str) == Some(wanted);
    let status = portal.statuses.iter().find(|r| is(r, "ENTITY_ID", &directory) && is(r, "STATUS_ID", stage));
    let group = status.and_then(|s| s.get("SEMANTICS")).and_then(Value::as_str).unwrap_or("P").to_owned();
    if entity == Entity::Deal {
        row.insert("CLOSED".into(), json!(if group == "P" { "N" } else { "Y" }));
    }
    row.insert(semantic.into(), json!(group));
}

/// Refuses a currency that the portal does not have, where the sheet says so (deals).
fn check_currency(portal: &Portal, entity: Entity, fields: &Php) -> Result<(), Failure> {
    let Some(code) = fields.get("CURRENCY_ID").and_then(Php::text).filter(|c| !c.is_empty()) else {
        return Ok(());
    };
    let known = portal.currencies.iter().any(|r| r.get("CURRENCY").and_then(Value::as_str) == Some(&*code));
    if entity == Entity::Deal && !known {
        return Err(Failure::classic(format!("The currency '{code}' is not found.")));
    }
    Ok(())
}

/// A day as the server prints date-only fields: a date-time at the start of the day plus the offset's hours.
fn day(call: &Call<'_>, plus_days: i64) -> String {
    let now = super::methods::iso(call.now_ms.saturating_add(plus_days * 86_400_000), call.offset());
    format!("{}T00:00:00{}", now.get(..10).unwrap_or(""), now.get(19..).unwrap_or(""))
}

/// `crm.<entity>.add`.
pub(super) fn add(call: &mut Call<'_>, entity: Entity) -> Outcome {
    let empty = Php::empty();
    let fields = match fields_arg(call.args)? {
        Some(fields) => fields,
        None if entity == Entity::Contact => &empty,
        None => return Err(Failure::classic("Parameter 'fields' must be array.")),
    };
    check_currency(call.portal, entity, fields)?;
    let blank_title = fields.get("TITLE").and_then(Php::text).is_none_or(|t| t.is_empty());
    if entity == Entity::Company && blank_title {
        return Err(Failure::classic("The field 'Company name' is required."));
    }
    let id = next_id(call.portal, entity);
    let (now, user) = (call.now(), call.settings.user_id.to_string());
    let mut row = Record::new();
    let mut set = |key: &str, value: String| row.insert(key.to_owned(), Value::String(value));
    set("ID", id.to_string());
    set("ASSIGNED_BY_ID", user.clone());
    set("OPENED", "Y".into());
    let directories: &[(&str, &str)] = match entity {
        Entity::Company => {
            &[("COMPANY_TYPE", "COMPANY_TYPE"), ("INDUSTRY", "INDUSTRY"), ("EMPLOYEES", "EMPLOYEES")]
        }
        Entity::Contact => {
            &[("TYPE_ID", "CONTACT_TYPE"), ("SOURCE_ID", "SOURCE"), ("HONORIFIC", "HONORIFIC")]
        }
        Entity::Deal => &[("TYPE_ID", "DEAL_TYPE"), ("SOURCE_ID", "SOURCE")],
        Entity::Lead => &[("SOURCE_ID", "SOURCE"), ("HONORIFIC", "HONORIFIC"), ("STATUS_ID", "STATUS")],
        _ => &[],
    };
    for (key, directory) in directories {
        if let Some(first) = first_status(call.portal, directory) {
            set(key, first);
        }
    }
    match entity {
        Entity::Contact => drop(set("EXPORT", "Y".into())),
        Entity::Deal => {
            set("TITLE", format!("Deal #{id}"));
            set("OPPORTUNITY", "0.00".into());
            set("BEGINDATE", day(call, 0));
            set("CLOSEDATE", day(call, 7));
            set("CATEGORY_ID", "0".into());
            if let Some(base) = base_currency(call.portal) {
                set("CURRENCY_ID", base.to_owned());
            }
        }
        _ => {}
    }
    let import = is_import(entity, call.args);
    for key in ["DATE_CREATE", "DATE_MODIFY"] {
        set(key, now.clone());
    }
    for key in ["CREATED_BY_ID", "MODIFY_BY_ID"] {
        set(key, user.clone());
    }
    apply(call, entity, id, &mut row, fields, import);
    if entity == Entity::Deal {
        if !row.contains_key("STAGE_ID")
            && let Some(first) = first_status(call.portal, &stage_directory(&row))
        {
            row.insert("STAGE_ID".into(), json!(first));
        }
        row.insert("MOVED_TIME".into(), json!(now));
        row.insert("MOVED_BY_ID".into(), json!(user));
    }
    settle_stage(call.portal, entity, &mut row);
    call.portal.records.entry(entity).or_default().insert(id, row);
    *call.reverse = None;
    Ok(Answer::of(id))
}

/// The text of a missing record, which differs by entity (sheet 16.2).
fn absent(entity: Entity, deleting: bool) -> Failure {
    match (entity, deleting) {
        (Entity::Company, _) => Failure::classic("Company is not found"),
        (Entity::Contact, false) => Failure::classic("Contact is not found"),
        (Entity::Contact, true) => Failure::thrown("ERROR_CORE", "Element not found"),
        _ => Failure::classic("Not found"),
    }
}

/// `crm.<entity>.update`.
pub(super) fn update(call: &mut Call<'_>, entity: Entity) -> Outcome {
    let id = id_arg(call.args)?;
    let fields =
        fields_arg(call.args)?.ok_or_else(|| Failure::classic("Parameter 'fields' must be array."))?;
    let held = call.portal.records.get(&entity).and_then(|t| t.get(&id)).cloned();
    let mut row = held.ok_or_else(|| absent(entity, false))?;
    check_currency(call.portal, entity, fields)?;
    let stage = if entity == Entity::Lead { "STATUS_ID" } else { "STAGE_ID" };
    let (stage_before, category) = (row.get(stage).cloned(), row.get("CATEGORY_ID").cloned());
    apply(call, entity, id, &mut row, fields, false);
    if let (Entity::Deal, Some(category)) = (entity, category) {
        // A classic update cannot change the pipeline.
        row.insert("CATEGORY_ID".into(), category);
    } else if entity == Entity::Deal {
        row.shift_remove("CATEGORY_ID");
    }
    let (now, user) = (json!(call.now()), json!(call.settings.user_id.to_string()));
    row.insert("DATE_MODIFY".into(), now.clone());
    row.insert("MODIFY_BY_ID".into(), user.clone());
    if row.get(stage) != stage_before.as_ref() {
        row.insert("MOVED_TIME".into(), now);
        row.insert("MOVED_BY_ID".into(), user);
        settle_stage(call.portal, entity, &mut row);
    }
    call.portal.records.entry(entity).or_default().insert(id, row);
    *call.reverse = None;
    Ok(Answer::of(true))
}

/// `crm.<entity>.delete`.
pub(super) fn delete(call: &mut Call<'_>, entity: Entity) -> Outcome {
    let id = id_arg(call.args)?;
    call.portal.remove_record(entity, id).ok_or_else(|| absent(entity, true))?;
    *call.reverse = None;
    Ok(Answer::of(true))
}
