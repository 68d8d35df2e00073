//! Entries of directories, stages among them: added, changed, deleted (sheet 16.6).

use serde_json::{Value, json};

use super::super::classic::id_arg;
use super::super::methods::{Answer, Call, Failure, Outcome, Table};
use super::super::php::Php;
use super::super::portal::{Entity, Portal, Record};
use super::super::records::int_of;
use super::record::{stage_code, stage_directory};
use super::{largest, may_configure, needed_fields, sent_text};

pub(super) const METHODS: Table = &[
    ("crm.status.add", add),
    ("crm.status.update", update),
    ("crm.status.delete", delete),
    ("crm.status.get", get),
];

/// Directories that every portal has, even without entries (sheet 10.10).
const FIXED: [&str; 11] = [
    "STATUS",
    "QUOTE_STATUS",
    "DEAL_STAGE",
    "SOURCE",
    "CONTACT_TYPE",
    "COMPANY_TYPE",
    "INDUSTRY",
    "EMPLOYEES",
    "DEAL_TYPE",
    "HONORIFIC",
    "CALL_LIST",
];

fn text<'a>(row: &'a Record, key: &str) -> &'a str {
    row.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The pipeline behind a directory of stages: its entity and its id.
fn pipeline(directory: &str) -> Option<(Entity, i64)> {
    if let Some(id) = directory.strip_prefix("DEAL_STAGE_") {
        return Some((Entity::Deal, id.parse().ok()?));
    }
    let (kind, id) = directory.strip_prefix("DYNAMIC_")?.split_once("_STAGE_")?;
    Some((Entity::Process(kind.parse().ok()?), id.parse().ok()?))
}

/// Whether entries of a directory are stages.
fn has_stages(directory: &str) -> bool {
    matches!(directory, "STATUS" | "QUOTE_STATUS" | "DEAL_STAGE") || pipeline(directory).is_some()
}

/// A code with its pipeline's prefix, unless it is there already.
pub(super) fn prefixed(directory: &str, code: &str) -> String {
    let prefix = match pipeline(directory) {
        Some((Entity::Process(kind), id)) => format!("DT{kind}_{id}:"),
        Some((_, id)) => format!("C{id}:"),
        None => return code.to_owned(),
    };
    if code.starts_with(&prefix) { code.to_owned() } else { format!("{prefix}{code}") }
}

/// Puts an entry into a directory; its id.
pub(super) fn insert(
    portal: &mut Portal,
    directory: &str,
    code: &str,
    name: &str,
    sort: i64,
    semantics: &str,
    system: bool,
) -> i64 {
    let id = portal.fresh("status", |portal| largest(portal.statuses.iter(), "ID"));
    let color = match semantics {
        "S" => "#7BD500",
        "F" => "#FF5752",
        _ if has_stages(directory) => "#39A8EF",
        _ => "",
    };
    let category = pipeline(directory).map(|(_, id)| id.to_string());
    let mut row = Record::new();
    let mut set = |key: &str, value: Value| drop(row.insert(key.to_owned(), value));
    set("ID", json!(id.to_string()));
    set("ENTITY_ID", json!(directory));
    set("STATUS_ID", json!(code));
    set("NAME", json!(name));
    set("NAME_INIT", json!(if system { name } else { "" }));
    set("SORT", json!(sort.to_string()));
    set("SYSTEM", json!(super::yes(system)));
    set("CATEGORY_ID", json!(category));
    set("COLOR", json!(color));
    set("SEMANTICS", if semantics.is_empty() { Value::Null } else { json!(semantics) });
    if has_stages(directory) && !matches!(pipeline(directory), Some((Entity::Process(_), _))) {
        let word = match semantics {
            "S" => "success",
            "F" if code.ends_with("APOLOGY") => "apology",
            "F" => "failure",
            _ => "process",
        };
        set("EXTRA", json!({ "SEMANTICS": word, "COLOR": color }));
    }
    let place = |r: &Record| (text(r, "ENTITY_ID").to_owned(), r.get("SORT").and_then(int_of).unwrap_or(0));
    let key = place(&row);
    let at = portal.statuses.iter().position(|r| place(r) > key).unwrap_or(portal.statuses.len());
    portal.statuses.insert(at, row);
    id
}

/// Whether the portal has a directory.
fn known(portal: &Portal, directory: &str) -> bool {
    let of_pipeline = || match pipeline(directory) {
        Some((Entity::Process(kind), id)) => {
            portal.process_categories.get(&kind).is_some_and(|all| all.iter().any(|c| c.id == id))
        }
        Some((_, id)) => portal.categories.iter().any(|c| c.id == id),
        None => false,
    };
    FIXED.contains(&directory)
        || of_pipeline()
        || portal.statuses.iter().any(|r| text(r, "ENTITY_ID") == directory)
}

/// Refuses a place that would put a stage behind those it must come before.
fn check_place(portal: &Portal, directory: &str, sort: i64, semantics: &str) -> Result<(), Failure> {
    let success =
        portal.statuses.iter().find(|r| text(r, "ENTITY_ID") == directory && text(r, "SEMANTICS") == "S");
    let Some(success) = success.filter(|_| has_stages(directory)) else { return Ok(()) };
    let last = success.get("SORT").and_then(int_of).unwrap_or(0);
    let name = text(success, "NAME");
    match semantics {
        "" if sort > last => {
            Err(Failure::classic(format!("Cannot create more stages after the final stage \"{name}\".")))
        }
        "F" if sort < last => {
            Err(Failure::classic(format!("Cannot create a failure stage before the final stage \"{name}\".")))
        }
        _ => Ok(()),
    }
}

/// `crm.status.add`.
fn add(call: &mut Call<'_>) -> Outcome {
    let fields = needed_fields(call.args)?;
    may_configure(call)?;
    let needed = |name: &str, title: &str| {
        sent_text(fields, name).ok_or_else(|| Failure::classic(format!("The field {title} is required.")))
    };
    let directory = needed("ENTITY_ID", "ENTITY_ID")?;
    if !known(call.portal, &directory) {
        return Err(Failure::classic("Specified entity type is not supported."));
    }
    let code = needed("STATUS_ID", "STATUS_ID")?;
    let name = needed("NAME", "Title")?;
    let (longest, strict) = match directory.as_str() {
        "STATUS" => (21, true),
        "QUOTE_STATUS" | "DEAL_STAGE" => (22, true),
        _ => (50, false),
    };
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if code.chars().count() > longest || (strict && !code.bytes().all(fits)) {
        return Err(Failure::thrown("ERROR_CORE", "The field STATUS_ID is not valid."));
    }
    let code = prefixed(&directory, &code);
    let taken = |r: &Record| text(r, "ENTITY_ID") == directory && text(r, "STATUS_ID") == code;
    if call.portal.statuses.iter().any(taken) {
        return Err(Failure::thrown("ERROR_CORE", "The specified status ID already exists."));
    }
    let semantics = sent_text(fields, "SEMANTICS").filter(|s| s == "S" || s == "F").unwrap_or_default();
    let sort = fields.get("SORT").map_or(10, Php::int);
    check_place(call.portal, &directory, sort, &semantics)?;
    let id = insert(call.portal, &directory, &code, &name, sort, &semantics, false);
    if let Some(color) = sent_text(fields, "COLOR") {
        color_of(call.portal, id, &color);
    }
    Ok(Answer::of(id))
}

fn find(portal: &mut Portal, id: i64) -> Option<&mut Record> {
    portal.statuses.iter_mut().find(|r| r.get("ID").and_then(int_of) == Some(id))
}

fn color_of(portal: &mut Portal, id: i64, color: &str) {
    let Some(row) = find(portal, id) else { return };
    row.insert("COLOR".into(), json!(color));
    if let Some(extra) = row.get_mut("EXTRA") {
        extra["COLOR"] = json!(color);
    }
}

/// This family prints the message as the code (sheet 2.2).
fn absent() -> Failure {
    Failure::thrown("Status is not found.", "Status is not found.")
}

/// `crm.status.update`.
fn update(call: &mut Call<'_>) -> Outcome {
    let id = id_arg(call.args)?;
    let fields = needed_fields(call.args)?;
    may_configure(call)?;
    let row = find(call.portal, id).ok_or_else(absent)?;
    if fields.get("NAME").is_some() {
        let name = sent_text(fields, "NAME");
        let name = name.ok_or_else(|| Failure::classic("The field Title is required."))?;
        row.insert("NAME".into(), json!(name));
    }
    if let Some(sort) = fields.get("SORT").map(Php::int) {
        row.insert("SORT".into(), json!(sort.to_string()));
        call.portal
            .statuses
            .sort_by_key(|r| (text(r, "ENTITY_ID").to_owned(), r.get("SORT").and_then(int_of).unwrap_or(0)));
    }
    if let Some(color) = sent_text(fields, "COLOR") {
        color_of(call.portal, id, &color);
    }
    Ok(Answer::of(true))
}

/// Whether a record stands in a stage.
fn in_use(portal: &Portal, directory: &str, code: &str) -> bool {
    let mut stages = portal.entities().into_iter().filter_map(|e| Some((e, stage_code(e)?)));
    stages.any(|(entity, key)| {
        let stands = |row: &Record| {
            let category = row.get("CATEGORY_ID").and_then(int_of).unwrap_or(0);
            text(row, key) == code && stage_directory(entity, category) == directory
        };
        portal.records.get(&entity).is_some_and(|t| t.values().any(stands))
    })
}

/// `crm.status.delete`: entries of the system only when forced, stages only when empty.
fn delete(call: &mut Call<'_>) -> Outcome {
    let id = id_arg(call.args)?;
    may_configure(call)?;
    let row = find(call.portal, id).ok_or_else(absent)?.clone();
    let params = call.args.get_any(&["params", "PARAMS"]);
    let forced = params.and_then(|p| p.get("FORCED")).is_some_and(Php::flag);
    if text(&row, "SYSTEM") == "Y" && !forced {
        return Err(Failure::classic("The system status entry can be deleted with FORCED only."));
    }
    if in_use(call.portal, text(&row, "ENTITY_ID"), text(&row, "STATUS_ID")) {
        return Err(Failure::classic("There are active items in this status."));
    }
    call.portal.statuses.retain(|r| r.get("ID").and_then(int_of) != Some(id));
    Ok(Answer::of(true))
}

/// `crm.status.get`.
fn get(call: &mut Call<'_>) -> Outcome {
    let id = id_arg(call.args)?;
    let row = find(call.portal, id).ok_or_else(absent)?.clone();
    Ok(Answer { rows: 1, ..Answer::of(Value::Object(row)) })
}
