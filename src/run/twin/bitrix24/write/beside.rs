//! What a portal keeps beside its records, written: tasks, requisites, addresses, stage histories (sheet 16.1, 16.5,
//! 16.6).

use serde_json::{Map, Value, json};

use super::super::classic::id_arg;
use super::super::methods::{self, Answer, Call, Failure, Outcome};
use super::super::php::Php;
use super::super::portal::{Entity, Portal, Record};
use super::super::records::int_of;
use super::super::tables::{Table, camel};
use super::record::{stage_code, stage_directory};
use super::value::moment;
use super::{caller, may_write, needed_fields, sent_text};

pub(super) const METHODS: methods::Table = &[
    ("tasks.task.add", task_add),
    ("tasks.task.update", task_update),
    ("tasks.task.delete", task_delete),
    ("tasks.task.get", task_get),
    ("crm.requisite.add", requisite_add),
    ("crm.requisite.update", requisite_update),
    ("crm.requisite.delete", requisite_delete),
    ("crm.requisite.get", requisite_get),
    ("crm.address.add", |call| address(call, true)),
    ("crm.address.update", |call| address(call, false)),
    ("crm.address.delete", address_delete),
];

/// The rows of a kind, where the portal knows it.
fn rows(portal: &mut Portal, kind: Table) -> Result<&mut std::collections::BTreeMap<i64, Record>, Failure> {
    portal.tables.get_mut(&kind).ok_or_else(super::super::method_not_found)
}

/// The next id of a kind; one that was given is never given again.
fn next_id(portal: &mut Portal, kind: Table) -> i64 {
    let held = portal.tables.get(&kind).and_then(|t| t.last_key_value()).map_or(0, |(id, _)| *id);
    let last = portal.counters.entry(kind.word()).or_default();
    *last = held.max(*last).saturating_add(1);
    *last
}

/// Notes a stage that a record came into: 1 created, 2 moved, 3 moved to a final stage, 5 another pipeline. `before`
/// is the pipeline and the stage that it had.
pub(super) fn came_into(
    call: &mut Call<'_>,
    entity: Entity,
    id: i64,
    row: &Record,
    before: Option<(i64, Option<Value>)>,
) {
    let (kind, semantic) = match entity {
        Entity::Deal => (Table::DealHistory, "STAGE_SEMANTIC_ID"),
        Entity::Lead => (Table::LeadHistory, "STATUS_SEMANTIC_ID"),
        Entity::Process(kind) => (Table::ProcessHistory(kind), "STAGE_SEMANTIC_ID"),
        _ => return,
    };
    let Some(code) = stage_code(entity).filter(|_| call.portal.tables.contains_key(&kind)) else { return };
    let Some(stage) = row.get(code).cloned() else { return };
    if before.as_ref().is_some_and(|(_, old)| old.as_ref() == Some(&stage)) {
        return;
    }
    let category = row.get("CATEGORY_ID").and_then(int_of).unwrap_or(0);
    let group =
        super::record::stage(call.portal, &stage_directory(entity, category), stage.as_str().unwrap_or(""))
            .and_then(|s| s.get("SEMANTICS"))
            .and_then(Value::as_str)
            .filter(|s| !s.is_empty())
            .unwrap_or("P")
            .to_owned();
    let way = match before {
        None => 1,
        Some((old, _)) if old != category => 5,
        Some(_) if group != "P" => 3,
        Some(_) => 2,
    };
    let fresh = next_id(call.portal, kind);
    let mut out = Record::new();
    for (key, value) in [
        ("ID", json!(fresh)),
        ("TYPE_ID", json!(way)),
        ("OWNER_ID", json!(id)),
        ("CREATED_TIME", json!(call.now())),
        (code, stage),
        (semantic, json!(group)),
    ] {
        out.insert(key.into(), value);
    }
    if entity != Entity::Lead {
        out.insert("CATEGORY_ID".into(), json!(category));
    }
    call.portal.tables.entry(kind).or_default().insert(fresh, out);
}

/// A refusal of the task family: texts end in a line break.
fn task_core(text: &str) -> Failure {
    Failure::thrown("ERROR_CORE", format!("{text}<br>"))
}

/// What may be written of a task, and how.
const TASK: [(&str, Kind); 16] = [
    ("TITLE", Kind::Text),
    ("DESCRIPTION", Kind::Text),
    ("MARK", Kind::Text),
    ("XML_ID", Kind::Text),
    ("PRIORITY", Kind::OneOf(&["0", "1", "2"])),
    ("STATUS", Kind::OneOf(&["2", "3", "4", "5", "6"])),
    ("RESPONSIBLE_ID", Kind::User),
    ("CREATED_BY", Kind::User),
    ("PARENT_ID", Kind::Parent),
    ("GROUP_ID", Kind::Text),
    ("DEADLINE", Kind::Moment),
    ("START_DATE_PLAN", Kind::Moment),
    ("END_DATE_PLAN", Kind::Moment),
    ("ACCOMPLICES", Kind::List),
    ("AUDITORS", Kind::List),
    ("UF_CRM_TASK", Kind::List),
];

#[derive(Clone, Copy)]
enum Kind {
    Text,
    OneOf(&'static [&'static str]),
    User,
    Parent,
    Moment,
    List,
}

/// Puts sent fields into a task; unknown names are ignored.
fn task_fields(call: &mut Call<'_>, row: &mut Record, fields: &Php) -> Result<(), Failure> {
    for (code, kind) in TASK {
        let Some(value) = fields.get_any(&[code, &code.to_lowercase(), &camel(code)]) else { continue };
        let text = value.text().unwrap_or_default().into_owned();
        let kept = match kind {
            Kind::Text => json!(text),
            Kind::OneOf(all) if all.contains(&text.as_str()) => json!(text),
            Kind::OneOf(_) => return Err(task_core(&format!("The field {code} holds an invalid value."))),
            Kind::User if call.portal.users.contains_key(&value.int()) => json!(value.int().to_string()),
            Kind::User => return Err(task_core(&format!("The user in {code} is not found."))),
            Kind::Parent if text.is_empty() || text == "0" => Value::Null,
            Kind::Parent => {
                let there = rows(call.portal, Table::Task)?.contains_key(&value.int());
                if !there || row.get("ID").and_then(int_of) == Some(value.int()) {
                    return Err(task_core("The parent task is not found."));
                }
                json!(value.int().to_string())
            }
            Kind::Moment if text.is_empty() => Value::Null,
            Kind::Moment => {
                json!(
                    moment(call, &text)
                        .ok_or_else(|| task_core(&format!("The date in {code} is invalid.")))?
                )
            }
            Kind::List => {
                let all = value.texts().into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>();
                if code == "UF_CRM_TASK" && all.is_empty() { json!(false) } else { json!(all) }
            }
        };
        row.insert(code.into(), kept);
    }
    let time =
        |code: &str| row.get(code).and_then(Value::as_str).and_then(|t| t.parse::<jiff::Timestamp>().ok());
    if let (Some(start), Some(end)) = (time("START_DATE_PLAN"), time("END_DATE_PLAN"))
        && end < start
    {
        return Err(task_core("The planned end is before the planned start."));
    }
    Ok(())
}

/// A task as `.add`, `.update` and `.get` answer it.
fn task_shown(call: &Call<'_>, row: &Record, links: bool) -> Value {
    let mut out = Map::new();
    for (code, value) in row {
        if links || !code.starts_with("UF_") {
            out.insert(camel(code), value.clone());
        }
    }
    let person = |code: &str| {
        let id = row.get(code).and_then(int_of).unwrap_or(0);
        let user = call.portal.users.get(&id);
        let part = |key: &str| user.and_then(|u| u.get(key)).and_then(Value::as_str).unwrap_or_default();
        json!({
            "id": id.to_string(), "name": format!("{} {}", part("NAME"), part("LAST_NAME")).trim(),
            "link": format!("/company/personal/user/{id}/"), "icon": "/bitrix/images/tasks/default_avatar.png",
            "workPosition": part("WORK_POSITION"),
        })
    };
    out.insert("creator".into(), person("CREATED_BY"));
    out.insert("responsible".into(), person("RESPONSIBLE_ID"));
    for empty in ["group", "checklist", "accomplicesData", "auditorsData"] {
        out.insert(empty.into(), json!([]));
    }
    Value::Object(out)
}

/// The `fields` of a task method, which has codes of its own.
fn task_args<'a>(args: &'a Php, name: &str) -> Result<&'a Php, Failure> {
    args.get(name).filter(|v| **v != Php::Null).ok_or_else(|| Failure::missing(name))
}

fn task_id(args: &Php) -> Result<i64, Failure> {
    let id = task_args(args, "taskId")?;
    match id.text().and_then(|t| t.trim().parse::<i64>().ok()) {
        Some(id) if id > 0 => Ok(id),
        _ => Err(Failure::thrown(
            "0",
            "Invalid value {taskId} to match with parameter {taskId}. Should be value of type int.",
        )),
    }
}

fn task_fields_arg(args: &Php) -> Result<&Php, Failure> {
    let fields = task_args(args, "fields")?;
    if fields.is_array() { Ok(fields) } else { Err(Failure::missing("fields")) }
}

/// `tasks.task.add`.
fn task_add(call: &mut Call<'_>) -> Outcome {
    rows(call.portal, Table::Task)?;
    let fields = task_fields_arg(call.args)?;
    if !call.settings.may_write {
        return Err(Failure::thrown("0", "Action not allowed"));
    }
    let named = |code: &str| fields.get_any(&[code, &code.to_lowercase(), &camel(code)]).and_then(Php::text);
    if named("TITLE").is_none_or(|t| t.trim().is_empty()) {
        return Err(task_core("The task title is missing."));
    }
    if named("RESPONSIBLE_ID").is_none_or(|t| t.is_empty() || t == "0") {
        return Err(task_core("The responsible person is missing."));
    }
    let (now, user) = (json!(call.now()), caller(call));
    let mut row = Record::new();
    row.insert("ID".into(), Value::Null);
    for (code, value) in [
        ("PARENT_ID", Value::Null),
        ("TITLE", json!("")),
        ("DESCRIPTION", json!("")),
        ("MARK", json!("")),
        ("PRIORITY", json!("1")),
        ("STATUS", json!("2")),
        ("GROUP_ID", json!("0")),
        ("CREATED_BY", user.clone()),
        ("CREATED_DATE", now.clone()),
        ("RESPONSIBLE_ID", user.clone()),
        ("ACCOMPLICES", json!([])),
        ("AUDITORS", json!([])),
        ("CHANGED_BY", user),
        ("CHANGED_DATE", now),
        ("CLOSED_BY", Value::Null),
        ("CLOSED_DATE", Value::Null),
        ("DATE_START", Value::Null),
        ("DEADLINE", Value::Null),
        ("START_DATE_PLAN", Value::Null),
        ("END_DATE_PLAN", Value::Null),
        ("XML_ID", Value::Null),
        ("COMMENTS_COUNT", Value::Null),
        ("TIME_ESTIMATE", json!("0")),
        ("TIME_SPENT_IN_LOGS", Value::Null),
        ("REPLICATE", json!("N")),
        ("UF_CRM_TASK", json!(false)),
        ("UF_TASK_WEBDAV_FILES", json!(false)),
    ] {
        row.insert(code.into(), value);
    }
    task_fields(call, &mut row, fields)?;
    let id = next_id(call.portal, Table::Task);
    row.insert("ID".into(), json!(id.to_string()));
    let shown = task_shown(call, &row, false);
    rows(call.portal, Table::Task)?.insert(id, row);
    Ok(Answer::of(json!({ "task": shown })))
}

fn no_task() -> Failure {
    task_core("TASKS_ERROR_EXCEPTION_#8; Action failed; 8/TE/ACTION_FAILED_TO_BE_PROCESSED")
}

/// `tasks.task.update`.
fn task_update(call: &mut Call<'_>) -> Outcome {
    let id = task_id(call.args)?;
    let fields = task_fields_arg(call.args)?;
    if !call.settings.may_write {
        return Err(Failure::thrown("0", "Action not allowed"));
    }
    let mut row = rows(call.portal, Table::Task)?.get(&id).cloned().ok_or_else(no_task)?;
    let before = row.get("STATUS").cloned();
    task_fields(call, &mut row, fields)?;
    if row.get("TITLE").and_then(Value::as_str).is_none_or(str::is_empty) {
        return Err(task_core("The task title is missing."));
    }
    let (now, user) = (json!(call.now()), caller(call));
    if row.get("STATUS") != before.as_ref() {
        let done = row.get("STATUS").and_then(Value::as_str) == Some("5");
        row.insert("CLOSED_DATE".into(), if done { now.clone() } else { Value::Null });
        row.insert("CLOSED_BY".into(), if done { user.clone() } else { Value::Null });
    }
    row.insert("CHANGED_DATE".into(), now);
    row.insert("CHANGED_BY".into(), user);
    let shown = task_shown(call, &row, false);
    rows(call.portal, Table::Task)?.insert(id, row);
    Ok(Answer::of(json!({ "task": shown })))
}

/// `tasks.task.delete`: the check list goes with its task.
fn task_delete(call: &mut Call<'_>) -> Outcome {
    let id = task_id(call.args)?;
    if !call.settings.may_write {
        return Err(Failure::thrown("1048582", "No right to delete the task"));
    }
    rows(call.portal, Table::Task)?.remove(&id).ok_or_else(no_task)?;
    if let Some(items) = call.portal.tables.get_mut(&Table::CheckItem) {
        items.retain(|_, item| item.get("TASK_ID").and_then(int_of) != Some(id));
    }
    Ok(Answer::of(json!({ "task": true })))
}

/// `tasks.task.get`: an empty list where there is none; naming one of the links brings them all (sheet 10.17).
fn task_get(call: &mut Call<'_>) -> Outcome {
    let id = task_id(call.args)?;
    let Some(row) = rows(call.portal, Table::Task)?.get(&id).cloned() else {
        return Ok(Answer::of(json!([])));
    };
    let select = call.args.get_any(&["select", "SELECT"]).map(Php::texts).unwrap_or_default();
    let links = select
        .iter()
        .any(|s| ["UF_CRM_TASK", "UF_TASK_WEBDAV_FILES", "UF_MAIL_MESSAGE"].contains(&s.as_str()));
    Ok(Answer { rows: 1, ..Answer::of(json!({ "task": task_shown(call, &row, links) })) })
}

/// A refusal of the requisite family, whose code is the integer 0 (sheet 2.2).
fn zero(text: &str) -> Failure {
    Failure { status: 400, code: json!(0), text: text.to_owned() }
}

/// Puts sent texts into a row of requisites or addresses.
fn texts(row: &mut Record, fields: &Php, fixed: &[&str]) {
    for (code, value) in fields.entries() {
        let Some(text) = value.text().filter(|_| !fixed.contains(&code.as_str())) else { continue };
        let known = row.contains_key(code) || code.starts_with("RQ_") || code.starts_with("UF_CRM_");
        if known {
            row.insert(code.clone(), if text.is_empty() { Value::Null } else { json!(text) });
        }
    }
}

/// Whether a contact or a company is there.
fn owner_there(portal: &Portal, kind: i64, id: i64) -> bool {
    let entity =
        Entity::of_type_id(kind).filter(|e| matches!(e, Entity::Contact | Entity::Company | Entity::Lead));
    entity.is_some_and(|e| portal.records.get(&e).is_some_and(|t| t.contains_key(&id)))
}

/// `crm.requisite.add`.
fn requisite_add(call: &mut Call<'_>) -> Outcome {
    rows(call.portal, Table::Requisite)?;
    let fields = needed_fields(call.args)?;
    may_write(call)?;
    let number = |name: &str| fields.get(name).map_or(0, Php::int);
    let (kind, owner) = (number("ENTITY_TYPE_ID"), number("ENTITY_ID"));
    if ![3, 4].contains(&kind) {
        return Err(zero("ENTITY_TYPE_ID is not defined or invalid."));
    }
    if !owner_there(call.portal, kind, owner) {
        return Err(zero("ENTITY_ID is not defined or invalid."));
    }
    if number("PRESET_ID") <= 0 {
        return Err(zero("PRESET_ID is not defined or invalid."));
    }
    let name = sent_text(fields, "NAME").ok_or_else(|| zero("The field NAME is required."))?;
    let id = next_id(call.portal, Table::Requisite);
    let (now, user) = (json!(call.now()), caller(call));
    let mut row = Record::new();
    for (code, value) in [
        ("ID", json!(id.to_string())),
        ("ENTITY_TYPE_ID", json!(kind.to_string())),
        ("ENTITY_ID", json!(owner.to_string())),
        ("PRESET_ID", json!(number("PRESET_ID").to_string())),
        ("DATE_CREATE", now),
        ("DATE_MODIFY", json!("")),
        ("CREATED_BY_ID", user),
        ("MODIFY_BY_ID", Value::Null),
        ("NAME", json!(name)),
        ("CODE", Value::Null),
        ("XML_ID", Value::Null),
        ("ACTIVE", json!("Y")),
        ("SORT", json!("500")),
    ] {
        row.insert(code.into(), value);
    }
    texts(&mut row, fields, &FIXED);
    rows(call.portal, Table::Requisite)?.insert(id, row);
    Ok(Answer::of(id))
}

/// What of a requisite nobody sets.
const FIXED: [&str; 9] = [
    "ID",
    "ENTITY_TYPE_ID",
    "ENTITY_ID",
    "PRESET_ID",
    "DATE_CREATE",
    "DATE_MODIFY",
    "CREATED_BY_ID",
    "MODIFY_BY_ID",
    "NAME",
];

fn no_requisite(id: i64) -> Failure {
    zero(&format!("The Requisite with ID '{id}' is not found"))
}

/// `crm.requisite.update`.
fn requisite_update(call: &mut Call<'_>) -> Outcome {
    let id = id_arg(call.args)?;
    let fields = needed_fields(call.args)?;
    may_write(call)?;
    let (now, user) = (json!(call.now()), caller(call));
    let row = rows(call.portal, Table::Requisite)?.get_mut(&id).ok_or_else(|| no_requisite(id))?;
    texts(row, fields, &FIXED);
    if let Some(name) = sent_text(fields, "NAME") {
        row.insert("NAME".into(), json!(name));
    }
    row.insert("DATE_MODIFY".into(), now);
    row.insert("MODIFY_BY_ID".into(), user);
    Ok(Answer::of(true))
}

/// `crm.requisite.delete`: addresses and bank details go with it.
fn requisite_delete(call: &mut Call<'_>) -> Outcome {
    let id = id_arg(call.args)?;
    may_write(call)?;
    rows(call.portal, Table::Requisite)?.remove(&id).ok_or_else(|| no_requisite(id))?;
    for kind in [Table::Address, Table::BankDetail] {
        if let Some(all) = call.portal.tables.get_mut(&kind) {
            all.retain(|_, row| {
                let own = row.get("ENTITY_TYPE_ID").and_then(int_of) == Some(8);
                !(own && row.get("ENTITY_ID").and_then(int_of) == Some(id))
            });
        }
    }
    Ok(Answer::of(true))
}

/// `crm.requisite.get`.
fn requisite_get(call: &mut Call<'_>) -> Outcome {
    let id = id_arg(call.args)?;
    let row = rows(call.portal, Table::Requisite)?.get(&id).ok_or_else(|| no_requisite(id))?;
    Ok(Answer { rows: 1, ..Answer::of(Value::Object(row.clone())) })
}

/// What an address is known by: its type and its owner.
fn address_key(fields: &Php) -> Result<(i64, i64, i64), Failure> {
    let number = |name: &str| {
        let id = fields.get(name).map_or(0, Php::int);
        if id > 0 { Ok(id) } else { Err(zero(&format!("{name} is not defined or invalid."))) }
    };
    Ok((number("TYPE_ID")?, number("ENTITY_TYPE_ID")?, number("ENTITY_ID")?))
}

fn address_at(portal: &Portal, key: (i64, i64, i64)) -> Option<i64> {
    let number = |row: &Record, code: &str| row.get(code).and_then(int_of).unwrap_or(0);
    let is = |row: &Record| {
        (number(row, "TYPE_ID"), number(row, "ENTITY_TYPE_ID"), number(row, "ENTITY_ID")) == key
    };
    portal.tables.get(&Table::Address)?.iter().find(|(_, row)| is(row)).map(|(id, _)| *id)
}

/// `crm.address.add` and `.update`: an address has no id, only its type and its owner.
fn address(call: &mut Call<'_>, adding: bool) -> Outcome {
    rows(call.portal, Table::Address)?;
    let fields = needed_fields(call.args)?;
    let key = address_key(fields)?;
    may_write(call)?;
    let (kind, owner) = (key.1, key.2);
    let anchor = match kind {
        8 => {
            let requisite = rows(call.portal, Table::Requisite)?.get(&owner).cloned();
            let requisite = requisite.ok_or_else(|| zero("ENTITY_ID is not defined or invalid."))?;
            (requisite.get("ENTITY_TYPE_ID").cloned(), requisite.get("ENTITY_ID").cloned())
        }
        1 if owner_there(call.portal, 1, owner) => (Some(json!("1")), Some(json!(owner.to_string()))),
        _ => return Err(zero("ENTITY_TYPE_ID is not defined or invalid.")),
    };
    let at = address_at(call.portal, key);
    let (at, mut row) = match (at, adding) {
        (Some(_), true) => return Err(zero("TypeAddress exists")),
        (None, false) => return Err(zero("TypeAddress not found")),
        (Some(at), false) => (at, rows(call.portal, Table::Address)?.get(&at).cloned().unwrap_or_default()),
        (None, true) => {
            let mut row = Record::new();
            for (code, id) in [("TYPE_ID", key.0), ("ENTITY_TYPE_ID", key.1), ("ENTITY_ID", key.2)] {
                row.insert(code.into(), json!(id.to_string()));
            }
            for code in [
                "ADDRESS_1",
                "ADDRESS_2",
                "CITY",
                "POSTAL_CODE",
                "REGION",
                "PROVINCE",
                "COUNTRY",
                "COUNTRY_CODE",
                "LOC_ADDR_ID",
            ] {
                row.insert(code.into(), Value::Null);
            }
            row.insert("ANCHOR_TYPE_ID".into(), anchor.0.unwrap_or_default());
            row.insert("ANCHOR_ID".into(), anchor.1.unwrap_or_default());
            (next_id(call.portal, Table::Address), row)
        }
    };
    texts(&mut row, fields, &["TYPE_ID", "ENTITY_TYPE_ID", "ENTITY_ID", "ANCHOR_TYPE_ID", "ANCHOR_ID"]);
    rows(call.portal, Table::Address)?.insert(at, row);
    Ok(Answer::of(true))
}

/// `crm.address.delete`.
fn address_delete(call: &mut Call<'_>) -> Outcome {
    rows(call.portal, Table::Address)?;
    let key = address_key(needed_fields(call.args)?)?;
    may_write(call)?;
    let at = address_at(call.portal, key).ok_or_else(|| zero("TypeAddress not found"))?;
    rows(call.portal, Table::Address)?.remove(&at);
    Ok(Answer::of(true))
}
