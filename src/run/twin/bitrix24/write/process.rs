//! Smart Processes themselves: made with their fields, pipeline and stages, read, renamed, deleted (sheet 10.12, 16.6).

use serde_json::{Value, json};

use super::super::generate::process_fields;
use super::super::methods::{Answer, Call, Failure, Outcome, Table};
use super::super::php::Php;
use super::super::portal::{Entity, Portal, Record};
use super::super::records::int_of;
use super::super::tables::Table as Kept;
use super::{category, largest, may, required, required_array, sent_flag, sent_text};

pub(super) const METHODS: Table = &[
    ("crm.type.get", get),
    ("crm.type.getbyentitytypeid", get_by_kind),
    ("crm.type.add", add),
    ("crm.type.update", update),
    ("crm.type.delete", delete),
];

/// What a type may have; `N` unless it is sent, but the last.
const FLAGS: [&str; 16] = [
    "isCategoriesEnabled",
    "isStagesEnabled",
    "isBeginCloseDatesEnabled",
    "isClientEnabled",
    "isUseInUserfieldEnabled",
    "isLinkWithProductsEnabled",
    "isMycompanyEnabled",
    "isDocumentsEnabled",
    "isSourceEnabled",
    "isObserversEnabled",
    "isRecyclebinEnabled",
    "isAutomationEnabled",
    "isBizProcEnabled",
    "isPaymentsEnabled",
    "isCountersEnabled",
    "isSetOpenPermissions",
];

/// The flag that a field depends on.
fn flag_of(code: &str) -> Option<&'static str> {
    Some(match code {
        "STAGE_ID" | "PREVIOUS_STAGE_ID" | "MOVED_TIME" | "MOVED_BY" => "isStagesEnabled",
        "COMPANY_ID" | "CONTACT_ID" | "CONTACT_IDS" => "isClientEnabled",
        "OPPORTUNITY" | "CURRENCY_ID" => "isLinkWithProductsEnabled",
        "SOURCE_ID" | "SOURCE_DESCRIPTION" => "isSourceEnabled",
        _ => return None,
    })
}

/// The relations as the answer of `crm.type.get` gives them.
fn relations(fields: &Php) -> Value {
    let side = |name: &str| -> Value {
        let all = fields.get("relations").and_then(|r| r.get(name)).map(Php::entries).unwrap_or_default();
        let one = |(_, r): &(String, Php)| {
            json!({
                "entityTypeId": r.get("entityTypeId").map_or(0, Php::int),
                "isChildrenListEnabled": sent_flag(r, "isChildrenListEnabled").unwrap_or("Y"),
                "isPredefined": "N",
            })
        };
        all.iter().map(one).collect()
    };
    json!({ "parent": side("parent"), "child": side("child") })
}

fn shown(row: &Record) -> Answer {
    let mut row = row.clone();
    for (key, otherwise) in
        [("relations", json!({"parent": [], "child": []})), ("linkedUserFields", json!([]))]
    {
        row.entry(key).or_insert(otherwise);
    }
    Answer::of(json!({ "type": row }))
}

/// Whether a type may have this number.
fn in_range(kind: i64) -> bool {
    (128..=191).contains(&kind) || (kind >= 1030 && kind % 2 == 0 && u32::try_from(kind).is_ok())
}

/// A number that no type has: even, behind all others.
fn free_kind(portal: &Portal) -> i64 {
    let held = portal.types.iter().filter_map(|t| t.get("entityTypeId").and_then(int_of));
    held.filter(|kind| *kind >= 1030).max().map_or(1030, |last| last.saturating_add(2))
}

/// A type as administrators read it: with its relations, which lists leave out.
fn read(call: &Call<'_>, key: &str) -> Outcome {
    let wanted = required(call.args, key)?.int();
    if !call.settings.admin {
        return Err(Failure::thrown("ACCESS_DENIED", "Access denied"));
    }
    let found = call.portal.types.iter().find(|t| t.get(key).and_then(int_of) == Some(wanted));
    found.map(|row| Answer { rows: 1, ..shown(row) }).ok_or_else(no_type)
}

/// `crm.type.get`.
fn get(call: &mut Call<'_>) -> Outcome {
    read(call, "id")
}

/// `crm.type.getByEntityTypeId`.
fn get_by_kind(call: &mut Call<'_>) -> Outcome {
    read(call, "entityTypeId")
}

/// `crm.type.add`.
fn add(call: &mut Call<'_>) -> Outcome {
    let fields = required_array(call.args, "fields")?;
    may(call, true)?;
    let title = sent_text(fields, "title");
    let title = title
        .ok_or_else(|| Failure::thrown("CRM_FIELD_ERROR_REQUIRED", "The \"Title\" field is required"))?;
    // The title alone is required: the portal gives a number of its own then (sheet 16.6).
    let kind = fields.get("entityTypeId").filter(|v| **v != Php::Null);
    let kind = kind.map_or_else(|| free_kind(call.portal), Php::int);
    let taken = call.portal.types.iter().any(|t| t.get("entityTypeId").and_then(int_of) == Some(kind));
    let number = u32::try_from(kind).ok().filter(|_| in_range(kind) && !taken);
    let number =
        number.ok_or_else(|| Failure::thrown("INVALID_ARG_VALUE", "entityTypeId is out of allowed range"))?;
    let id = call.portal.fresh("type", |portal| largest(portal.types.iter(), "id"));
    let (now, user) = (call.now(), call.settings.user_id);
    let mut row = Record::new();
    let mut set = |key: &str, value: Value| drop(row.insert(key.to_owned(), value));
    set("id", json!(id));
    set("title", json!(title));
    set("code", json!(sent_text(fields, "code").unwrap_or_default()));
    set("createdBy", json!(user));
    set("entityTypeId", json!(kind));
    set("customSectionId", Value::Null);
    for flag in FLAGS {
        let otherwise = if flag == "isSetOpenPermissions" { "Y" } else { "N" };
        set(flag, json!(sent_flag(fields, flag).unwrap_or(otherwise)));
    }
    set("createdTime", json!(now));
    set("updatedTime", json!(now));
    set("updatedBy", json!(user));
    set("relations", relations(fields));
    set("linkedUserFields", json!([]));
    let entity = Entity::Process(number);
    let on = |flag: &str| row.get(flag).and_then(Value::as_str) == Some("Y");
    let mut described = process_fields(number);
    described.retain(|code, _| flag_of(code).is_none_or(on));
    for parent in row["relations"]["parent"].as_array().into_iter().flatten() {
        let code = format!("PARENT_ID_{}", parent["entityTypeId"]);
        let description = json!({
            "type": "crm_entity", "isRequired": false, "isReadOnly": false, "isImmutable": false,
            "isMultiple": false, "isDynamic": false, "title": code,
            "settings": {"parentEntityTypeId": parent["entityTypeId"]},
        });
        described.insert(code, description.as_object().cloned().unwrap_or_default());
    }
    call.portal.fields.insert(entity, described);
    call.portal.userfields.insert(entity, Vec::new());
    call.portal.records.insert(entity, std::collections::BTreeMap::new());
    if row["isStagesEnabled"] == "Y" {
        call.portal.tables.insert(Kept::ProcessHistory(number), std::collections::BTreeMap::new());
    }
    // A type without pipelines still has one, which its stage codes name.
    let pipeline = call.portal.fresh("category", |_| 0);
    let known = call.portal.process_categories.values().flatten().map(|c| c.id).max().unwrap_or(0);
    call.portal.process_categories.insert(number, Vec::new());
    category::make(call.portal, entity, pipeline.max(known + 1), "General", 100);
    let answer = shown(&row);
    call.portal.types.push(row);
    Ok(answer)
}

/// Where the type of this id stands.
fn place(portal: &Portal, id: i64) -> Result<usize, Failure> {
    let at = portal.types.iter().position(|t| t.get("id").and_then(int_of) == Some(id));
    at.ok_or_else(no_type)
}

fn no_type() -> Failure {
    Failure::thrown("NOT_FOUND", "Smart process not found")
}

/// `crm.type.update`: title and what of the flags touches no field.
fn update(call: &mut Call<'_>) -> Outcome {
    let id = required(call.args, "id")?.int();
    let fields = required_array(call.args, "fields")?;
    may(call, true)?;
    let at = place(call.portal, id)?;
    let (now, user) = (call.now(), call.settings.user_id);
    let row = &mut call.portal.types[at];
    if let Some(title) = sent_text(fields, "title") {
        row.insert("title".into(), json!(title));
    }
    let free = FLAGS.into_iter().filter(|flag| {
        !["isStagesEnabled", "isClientEnabled", "isLinkWithProductsEnabled", "isSourceEnabled"].contains(flag)
    });
    for flag in free {
        if let Some(sent) = sent_flag(fields, flag) {
            row.insert(flag.into(), json!(sent));
        }
    }
    row.insert("updatedTime".into(), json!(now));
    row.insert("updatedBy".into(), json!(user));
    Ok(shown(row))
}

/// `crm.type.delete`: only without items.
fn delete(call: &mut Call<'_>) -> Outcome {
    let id = required(call.args, "id")?.int();
    may(call, true)?;
    let at = place(call.portal, id)?;
    let kind = call.portal.types[at].get("entityTypeId").and_then(int_of).unwrap_or(0);
    let number = u32::try_from(kind).unwrap_or(0);
    let entity = Entity::Process(number);
    if call.portal.count(entity) > 0 {
        return Err(Failure::thrown("BX_ERROR", "The smart process still has items"));
    }
    call.portal.types.remove(at);
    call.portal.fields.remove(&entity);
    call.portal.userfields.remove(&entity);
    call.portal.records.remove(&entity);
    call.portal.process_categories.remove(&number);
    call.portal.tables.remove(&Kept::ProcessHistory(number));
    let prefix = format!("DYNAMIC_{number}_STAGE_");
    let of_it =
        |s: &Record| s.get("ENTITY_ID").and_then(Value::as_str).is_some_and(|e| e.starts_with(&prefix));
    call.portal.statuses.retain(|s| !of_it(s));
    Ok(Answer::of(json!([])))
}
