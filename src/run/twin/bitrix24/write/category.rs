//! Pipelines: added with their stages, changed, deleted (sheet 16.6).

use serde_json::{Value, json};

use super::super::methods::{Answer, Call, Failure, Outcome, Table};
use super::super::php::Php;
use super::super::portal::{Category, Entity, Portal, Record};
use super::super::records::int_of;
use super::record::stage_directory;
use super::{may, required, required_array, sent_flag, status};

pub(super) const METHODS: Table = &[
    ("crm.category.add", add),
    ("crm.category.update", update),
    ("crm.category.get", get),
    ("crm.category.delete", delete),
];

/// The longest name of a pipeline.
const MAX_NAME: usize = 255;

/// A refusal whose code is a number (sheet 2).
fn numbered(text: &str) -> Failure {
    Failure { status: 400, code: json!(0), text: text.to_owned() }
}

/// The entity whose pipelines a call writes.
fn entity(call: &Call<'_>, adding: bool) -> Result<Entity, Failure> {
    let kind = required(call.args, "entityTypeId")?.int();
    match Entity::of_type_id(kind) {
        Some(Entity::Deal) => Ok(Entity::Deal),
        Some(process @ Entity::Process(_)) if call.portal.has(process) => Ok(process),
        Some(Entity::Lead | Entity::Quote) => {
            Err(Failure::thrown("ENTITY_TYPE_NOT_SUPPORTED", "Entity type is not supported"))
        }
        Some(Entity::Contact | Entity::Company) if adding => {
            Err(Failure::thrown("ADDING_DISABLED", "Adding categories is disabled"))
        }
        Some(Entity::Contact | Entity::Company) => {
            Err(Failure::thrown("REMOVING_DISABLED", "Removing categories is disabled"))
        }
        _ if kind == 5 => Err(Failure::thrown("ENTITY_TYPE_NOT_SUPPORTED", "Entity type is not supported")),
        _ => Err(Failure::thrown("NOT_FOUND", "Smart process not found")),
    }
}

fn table(portal: &mut Portal, entity: Entity) -> &mut Vec<Category> {
    match entity {
        Entity::Process(kind) => portal.process_categories.entry(kind).or_default(),
        _ => &mut portal.categories,
    }
}

/// The default pipeline: 0 for deals, else the first by place.
fn default_of(entity: Entity, all: &[Category]) -> Option<i64> {
    if entity == Entity::Deal { Some(0) } else { all.iter().min_by_key(|c| (c.sort, c.id)).map(|c| c.id) }
}

fn shown(portal: &mut Portal, entity: Entity, id: i64) -> Outcome {
    let all = table(portal, entity);
    let default = default_of(entity, all) == Some(id);
    let found = all.iter().find(|c| c.id == id);
    let found = found.ok_or_else(not_found)?;
    Ok(Answer::of(json!({ "category": {
        "id": id, "name": found.name, "sort": found.sort, "entityTypeId": entity.type_id(),
        "isDefault": super::yes(default),
    } })))
}

fn not_found() -> Failure {
    Failure::thrown("NOT_FOUND", "Category not found")
}

fn name(fields: &Php) -> Result<String, Failure> {
    let name = fields.get("name").and_then(Php::text).unwrap_or_default().trim().to_owned();
    if name.is_empty() {
        return Err(numbered("Field 'NAME' is required"));
    }
    if name.chars().count() > MAX_NAME {
        return Err(numbered("Field 'NAME' is too long"));
    }
    Ok(name)
}

/// Makes a pipeline with the stages that every one has: a first one, some in between, a success and a failure.
pub(super) fn make(portal: &mut Portal, entity: Entity, id: i64, name: &str, sort: i64) {
    table(portal, entity).push(Category { id, name: name.to_owned(), sort });
    let directory = stage_directory(entity, id);
    let stages: &[(&str, &str, &str)] = match entity {
        Entity::Deal => &[
            ("NEW", "Contact made", ""),
            ("PREPARATION", "Documents in preparation", ""),
            ("PREPAYMENT_INVOICE", "Prepayment invoice", ""),
            ("EXECUTING", "In progress", ""),
            ("FINAL_INVOICE", "Final invoice", ""),
            ("WON", "Deal won", "S"),
            ("LOSE", "Deal lost", "F"),
            ("APOLOGY", "Failure analysed", "F"),
        ],
        _ => &[
            ("NEW", "Start", ""),
            ("PREPARATION", "Preparation", ""),
            ("CLIENT", "With the client", ""),
            ("SUCCESS", "Success", "S"),
            ("FAIL", "Failure", "F"),
        ],
    };
    for (at, (code, name, semantics)) in stages.iter().enumerate() {
        let system = matches!(*code, "NEW" | "WON" | "LOSE" | "SUCCESS" | "FAIL");
        status::insert(
            portal,
            &directory,
            &status::prefixed(&directory, code),
            name,
            (at as i64 + 1) * 10,
            semantics,
            system,
        );
    }
}

/// `crm.category.add`.
fn add(call: &mut Call<'_>) -> Outcome {
    let entity = entity(call, true)?;
    let fields = required_array(call.args, "fields")?;
    may(call, true)?;
    let name = name(fields)?;
    let sort = fields.get("sort").map_or(500, Php::int).max(0);
    // Pipelines of all Smart Processes share one table of ids.
    let deals = call.portal.categories.iter();
    let id = match entity {
        Entity::Deal => deals.map(|c| c.id).max().unwrap_or(0) + 1,
        _ => call.portal.process_categories.values().flatten().map(|c| c.id).max().unwrap_or(0) + 1,
    };
    let id = call.portal.fresh(if entity == Entity::Deal { "pipeline" } else { "category" }, |_| 0).max(id);
    make(call.portal, entity, id, &name, sort);
    if let (Entity::Process(_), Some("Y")) = (entity, sent_flag(fields, "isDefault")) {
        make_default(call.portal, entity, id);
    }
    shown(call.portal, entity, id)
}

/// Puts a pipeline before all others of its process.
fn make_default(portal: &mut Portal, entity: Entity, id: i64) {
    let all = table(portal, entity);
    let first = all.iter().map(|c| c.sort).min().unwrap_or(0);
    for one in all.iter_mut() {
        if one.id == id {
            one.sort = first;
        } else {
            one.sort = one.sort.max(first + 10);
        }
    }
}

/// `crm.category.update`: which deal pipeline is the default one is fixed.
fn update(call: &mut Call<'_>) -> Outcome {
    let entity = entity(call, true)?;
    let id = required(call.args, "id")?.int();
    let fields = required_array(call.args, "fields")?;
    may(call, true)?;
    let named = fields.get("name").is_some().then(|| name(fields)).transpose()?;
    let sort = fields.get("sort").map(|s| s.int().max(0));
    let found = table(call.portal, entity).iter_mut().find(|c| c.id == id).ok_or_else(not_found)?;
    if let Some(name) = named {
        found.name = name;
    }
    if let Some(sort) = sort {
        found.sort = sort;
    }
    if let (Entity::Process(_), Some("Y")) = (entity, sent_flag(fields, "isDefault")) {
        make_default(call.portal, entity, id);
    }
    shown(call.portal, entity, id)
}

/// `crm.category.get`.
fn get(call: &mut Call<'_>) -> Outcome {
    let entity = entity(call, true)?;
    let id = required(call.args, "id")?.int();
    shown(call.portal, entity, id)
}

/// `crm.category.delete`: neither the default one nor one that holds records.
fn delete(call: &mut Call<'_>) -> Outcome {
    let entity = entity(call, false)?;
    let id = required(call.args, "id")?.int();
    may(call, true)?;
    let all = table(call.portal, entity).clone();
    if !all.iter().any(|c| c.id == id) {
        return Err(not_found());
    }
    let holds = |row: &Record| row.get("CATEGORY_ID").and_then(int_of).unwrap_or(0) == id;
    let filled = call.portal.records.get(&entity).is_some_and(|t| t.values().any(holds));
    if filled || default_of(entity, &all) == Some(id) {
        let text = "The pipeline is not empty or is the default one";
        return Err(match entity {
            Entity::Deal => numbered(text),
            _ => Failure::thrown("BX_ERROR", text),
        });
    }
    table(call.portal, entity).retain(|c| c.id != id);
    let directory = stage_directory(entity, id);
    call.portal.statuses.retain(|s| s.get("ENTITY_ID").and_then(Value::as_str) != Some(directory.as_str()));
    Ok(Answer::of(Value::Null))
}
