//! Activities and to-dos: added, changed, deleted (sheet 16.5).

use serde_json::{Value, json};

use super::super::classic::{check_has, id_arg};
use super::super::methods::{Answer, Call, Failure, Outcome, Table};
use super::super::php::Php;
use super::super::portal::{Entity, Portal, Record};
use super::super::records::int_of;
use super::record::{self, Manner, classic};
use super::value::moment;
use super::{caller, fresh_file, may, may_write, needed_fields, required, sent_text, touch};

pub(super) const METHODS: Table = &[
    ("crm.activity.add", add),
    ("crm.activity.update", update),
    ("crm.activity.delete", delete),
    ("crm.activity.todo.add", todo),
];

/// No deadline (sheet 1.4).
const NEVER: &str = "9999-12-31T00:00:00+03:00";

/// The record that a type and an id name.
fn record_of(portal: &Portal, kind: i64, id: i64) -> Option<(Entity, i64)> {
    let entity = Entity::of_type_id(kind)?;
    portal.records.get(&entity)?.contains_key(&id).then_some((entity, id))
}

fn undefined(name: &str) -> Failure {
    Failure::classic(format!("The field {name} is not defined or invalid"))
}

fn no_binding() -> Failure {
    Failure::classic(
        "Could not build binding. Please ensure that owner info and communications are defined correctly.",
    )
}

/// What an activity is refused for.
fn check(portal: &Portal, fields: &Php) -> Result<(), Failure> {
    let number = |name: &str| fields.get(name).map_or(0, Php::int);
    if sent_text(fields, "SUBJECT").is_none() {
        return Err(Failure::classic("The field SUBJECT is not defined or empty"));
    }
    let kind = number("TYPE_ID");
    // Tasks are made elsewhere.
    if ![1, 2, 4, 6].contains(&kind) {
        return Err(undefined("TYPE_ID"));
    }
    if !portal.users.contains_key(&number("RESPONSIBLE_ID")) {
        return Err(undefined("RESPONSIBLE_ID"));
    }
    let provider = sent_text(fields, "PROVIDER_ID");
    match provider.as_deref() {
        None if kind == 6 => {
            let text = "The custom activity without provider is not supported in current context";
            return Err(Failure::classic(text));
        }
        Some("CONFIGURABLE_REST_APP") => {
            return Err(Failure::classic("Use crm.activity.configurable.add for this activity provider"));
        }
        Some("REST_APP") => return Err(Failure::classic("Application context required")),
        _ => {}
    }
    let communications = fields.get("COMMUNICATIONS").map(Php::entries).unwrap_or_default();
    if communications.is_empty() || communications.iter().any(|(_, c)| !c.is_array()) {
        return Err(undefined("COMMUNICATIONS"));
    }
    if kind == 2 && communications.len() > 1 {
        let text = "The only one communication is allowed for activity of specified type";
        return Err(Failure::classic(text));
    }
    record_of(portal, number("OWNER_TYPE_ID"), number("OWNER_ID")).map(|_| ()).ok_or_else(no_binding)
}

/// The communications as the portal keeps them, and the records that they name.
fn communications(call: &mut Call<'_>, kind: i64, sent: &Php) -> (Value, Vec<(i64, i64)>) {
    let mut rows = Vec::new();
    let mut named = Vec::new();
    for (_, one) in sent.entries() {
        let number = |name: &str| one.get(name).map_or(0, Php::int);
        let (entity, id) = (number("ENTITY_TYPE_ID"), number("ENTITY_ID"));
        if record_of(call.portal, entity, id).is_some() {
            named.push((entity, id));
        }
        let kind = match kind {
            2 => "PHONE",
            4 => "EMAIL",
            _ => "",
        };
        let fresh = call.portal.fresh("communication", |portal| {
            let rows = portal.records.get(&Entity::Activity).into_iter().flatten();
            let all = rows.filter_map(|(_, r)| r.get("COMMUNICATIONS")?.as_array()).flatten();
            all.filter_map(|c| c.get("ID").and_then(int_of)).max().unwrap_or(0)
        });
        rows.push(json!({
            "ID": fresh.to_string(), "TYPE": sent_text(one, "TYPE").unwrap_or_else(|| kind.into()),
            "VALUE": sent_text(one, "VALUE").unwrap_or_default(), "ENTITY_ID": id.to_string(),
            "ENTITY_TYPE_ID": entity.to_string(), "ENTITY_SETTINGS": [],
        }));
    }
    (Value::Array(rows), named)
}

/// Sent files, as the portal keeps them.
fn files(call: &mut Call<'_>, sent: &Php) -> Value {
    let uploads = sent.entries().iter().filter(|(_, f)| f.is_array());
    let host = call.settings.host.clone();
    uploads
        .map(|_| {
            let id = fresh_file(call.portal);
            json!({ "id": id, "url": format!("https://{host}/rest/download.json?auth=&token=disk%7C{id}") })
        })
        .collect()
}

/// The deadline follows the times; none of them is no deadline.
fn deadline(row: &mut Record) {
    let text = |row: &Record, code: &str| {
        row.get(code).and_then(Value::as_str).filter(|t| !t.is_empty()).map(str::to_owned)
    };
    let (start, end) = (text(row, "START_TIME"), text(row, "END_TIME"));
    let kind = row.get("TYPE_ID").and_then(int_of).unwrap_or(0);
    let first =
        if matches!(kind, 1 | 2) { start.clone().or(end.clone()) } else { end.clone().or(start.clone()) };
    row.insert("DEADLINE".into(), json!(first.unwrap_or_else(|| NEVER.into())));
    for (code, value) in [("START_TIME", start.clone().or(end.clone())), ("END_TIME", end.or(start))] {
        if let Some(value) = value {
            row.insert(code.into(), json!(value));
        }
    }
}

/// The fields that go the common way: not the owner's, the time that is copied, nor what has a form of its own.
fn plain(fields: &Php) -> Vec<record::Sent> {
    let own = ["DEADLINE", "COMMUNICATIONS", "FILES", "WEBDAV_ELEMENTS", "BINDINGS"];
    let mut sent = classic(fields);
    sent.retain(|s| !own.contains(&s.code.as_str()));
    sent
}

/// `STATUS` says the same as `COMPLETED`.
fn status(row: &mut Record) {
    let done = row.get("COMPLETED").and_then(Value::as_str) == Some("Y");
    row.insert("COMPLETED".into(), json!(super::yes(done)));
    row.insert("STATUS".into(), json!(if done { "2" } else { "1" }));
}

/// Puts an activity into the portal, bound to these records.
fn keep(call: &mut Call<'_>, id: i64, row: Record, bound: Vec<(i64, i64)>) {
    let mut bindings: Vec<(i64, i64)> = Vec::new();
    for one in bound {
        if !bindings.contains(&one) {
            bindings.push(one);
        }
    }
    for (kind, id) in bindings.clone() {
        if let Some((entity, id)) = record_of(call.portal, kind, id) {
            touch(call, entity, id);
        }
    }
    call.portal.bindings.insert(id, bindings);
    record::keep(call, Entity::Activity, id, row);
}

/// An activity as it is before anything is sent.
fn blank(call: &mut Call<'_>, kind: i64) -> (i64, Record) {
    let (id, mut row) = record::fresh(call, Entity::Activity, false);
    for key in ["ASSIGNED_BY_ID", "OPENED"] {
        row.shift_remove(key);
    }
    let provider = match kind {
        1 => "CRM_MEETING",
        2 => "VOXIMPLANT_CALL",
        4 => "CRM_EMAIL",
        _ => "CRM_TODO",
    };
    let user = caller(call);
    for (code, value) in [
        ("PROVIDER_ID", provider),
        ("PRIORITY", "2"),
        ("DESCRIPTION_TYPE", "1"),
        ("DIRECTION", if kind == 2 { "2" } else { "0" }),
        ("NOTIFY_TYPE", "0"),
    ] {
        row.insert(code.into(), json!(value));
    }
    row.insert("RESPONSIBLE_ID".into(), user);
    (id, row)
}

/// `crm.activity.add`.
fn add(call: &mut Call<'_>) -> Outcome {
    check_has(call.portal, Entity::Activity)?;
    let fields = needed_fields(call.args)?;
    may_write(call)?;
    check(call.portal, fields)?;
    let number = |name: &str| fields.get(name).map_or(0, Php::int);
    let kind = number("TYPE_ID");
    let (id, mut row) = blank(call, kind);
    let manner = Manner { universal: false, import: false, adding: true };
    record::apply(call, Entity::Activity, &mut row, &plain(fields), manner)?;
    let mut bound = vec![(number("OWNER_TYPE_ID"), number("OWNER_ID"))];
    let sent = fields.get("COMMUNICATIONS").cloned().unwrap_or_default();
    let (rows, named) = communications(call, kind, &sent);
    row.insert("COMMUNICATIONS".into(), rows);
    bound.extend(named);
    if let Some(sent) = fields.get_any(&["FILES", "WEBDAV_ELEMENTS"]).filter(|f| f.is_array()) {
        row.insert("FILES".into(), files(call, sent));
    }
    status(&mut row);
    deadline(&mut row);
    keep(call, id, row, bound);
    Ok(Answer::of(id))
}

/// `crm.activity.update`.
fn update(call: &mut Call<'_>) -> Outcome {
    check_has(call.portal, Entity::Activity)?;
    let id = id_arg(call.args)?;
    let fields = needed_fields(call.args)?;
    may_write(call)?;
    let held = call.portal.records.get(&Entity::Activity).and_then(|t| t.get(&id)).cloned();
    let mut row = held.ok_or_else(|| Failure::classic("Activity is not found"))?;
    if fields.get("SUBJECT").is_some() && sent_text(fields, "SUBJECT").is_none() {
        return Err(Failure::classic("The field SUBJECT is not defined or empty"));
    }
    let responsible = fields.get("RESPONSIBLE_ID").map(Php::int);
    if responsible.is_some_and(|id| !call.portal.users.contains_key(&id)) {
        return Err(undefined("RESPONSIBLE_ID"));
    }
    let manner = Manner { universal: false, import: false, adding: false };
    record::apply(call, Entity::Activity, &mut row, &plain(fields), manner)?;
    let mut bound = call.portal.bindings.get(&id).cloned().unwrap_or_default();
    let kind = row.get("TYPE_ID").and_then(int_of).unwrap_or(0);
    if let Some(sent) = fields.get("COMMUNICATIONS").filter(|c| !c.entries().is_empty()) {
        let (rows, named) = communications(call, kind, sent);
        row.insert("COMMUNICATIONS".into(), rows);
        bound.extend(named);
    }
    if let Some(sent) = fields.get("FILES").filter(|f| f.is_array()) {
        row.insert("FILES".into(), files(call, sent));
    }
    if fields.get("COMPLETED").is_some() {
        status(&mut row);
    }
    if ["START_TIME", "END_TIME"].iter().any(|code| fields.get(code).is_some()) {
        deadline(&mut row);
    }
    record::stamp(call, Entity::Activity, &mut row);
    keep(call, id, row, bound);
    Ok(Answer::of(true))
}

/// `crm.activity.delete`.
fn delete(call: &mut Call<'_>) -> Outcome {
    check_has(call.portal, Entity::Activity)?;
    let id = id_arg(call.args)?;
    may_write(call)?;
    let gone = call.portal.remove_record(Entity::Activity, id);
    gone.ok_or_else(|| Failure::classic("Activity is not found"))?;
    Ok(Answer::of(true))
}

/// `crm.activity.todo.add`: the modern to-do.
fn todo(call: &mut Call<'_>) -> Outcome {
    check_has(call.portal, Entity::Activity)?;
    let (kind, owner) = (required(call.args, "ownerTypeId")?.int(), required(call.args, "ownerId")?.int());
    let due = required(call.args, "deadline")?.text().unwrap_or_default().into_owned();
    may(call, false)?;
    if record_of(call.portal, kind, owner).is_none() {
        return Err(Failure::thrown("OWNER_NOT_FOUND", "Owner was not found"));
    }
    let invalid = || Failure::thrown("INVALID_ARG_VALUE", "Invalid value for field \"deadline\"");
    let due = moment(call, &due).ok_or_else(invalid)?;
    let (id, mut row) = blank(call, 6);
    let mut set = |code: &str, value: String| drop(row.insert(code.to_owned(), json!(value)));
    set("TYPE_ID", "6".into());
    set("OWNER_TYPE_ID", kind.to_string());
    set("OWNER_ID", owner.to_string());
    set("SUBJECT", sent_text(call.args, "title").unwrap_or_else(|| "To-do".into()));
    set("DESCRIPTION", sent_text(call.args, "description").unwrap_or_default());
    for code in ["START_TIME", "END_TIME", "DEADLINE"] {
        set(code, due.clone());
    }
    if let Some(user) = sent_text(call.args, "responsibleId") {
        set("RESPONSIBLE_ID", user);
    }
    status(&mut row);
    keep(call, id, row, vec![(kind, owner)]);
    Ok(Answer::of(json!({ "id": id })))
}
