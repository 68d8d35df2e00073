//! `crm.item.add`, `.update`, `.delete`, `.import` and `.batchImport` (sheet 12, 16.3).

use serde_json::{Value, json};

use super::super::item::{self, Target};
use super::super::methods::{Answer, Call, Failure, Outcome, Table};
use super::super::php::Php;
use super::super::portal::{Entity, Portal, Record};
use super::super::records::{Field, MULTIFIELDS, int_of, is_blank};
use super::record::{self, Manner, Sent};
use super::value::{self, Odd};
use super::{may, required, required_array, stamps};

/// Items that one `batchImport` takes (sheet 3.3).
const MAX_IMPORT: usize = 20;

pub(super) const METHODS: Table = &[
    ("crm.item.add", add),
    ("crm.item.update", update),
    ("crm.item.delete", delete),
    ("crm.item.import", import),
    ("crm.item.batchimport", batch_import),
];

/// Sent universal fields under their classic codes; what no field is called is left out.
fn translate(target: &Target, fields: &Php, row: &Record) -> Vec<Sent> {
    let mut out = Vec::new();
    for (name, value) in fields.entries() {
        let code = match name.as_str() {
            "fm" => {
                out.extend(multifields(value, row));
                continue;
            }
            "observers" => Some("OBSERVERS".to_owned()),
            "webformId" => Some("WEBFORM_ID".to_owned()),
            "contactIds" => Some("CONTACT_IDS".to_owned()),
            "companyIds" => Some("COMPANY_IDS".to_owned()),
            // Import pages show multifields in the classic form.
            name if MULTIFIELDS.contains(&name) => Some(name.to_owned()),
            name => match name.strip_prefix("parentId") {
                Some(n) if n.bytes().all(|b| b.is_ascii_digit()) => Some(format!("PARENT_ID_{n}")),
                _ => target.code(name),
            },
        };
        if let Some(code) = code.filter(|code| code != "ID") {
            out.push(Sent { code, name: name.clone(), value: value.clone() });
        }
    }
    out
}

/// `fm` in the classic form: on add a list, on update an object whose keys say what to do.
fn multifields(value: &Php, row: &Record) -> Vec<Sent> {
    let mut out: Vec<Sent> = Vec::new();
    for (key, element) in value.entries() {
        let held = |code: &&str| {
            let all = row.get(*code).and_then(Value::as_array).into_iter().flatten();
            all.filter_map(|v| v.get("ID").and_then(int_of)).any(|id| key.parse() == Ok(id))
        };
        // A list that is sent with an add has small keys, which name nothing in a new record.
        let old = MULTIFIELDS.iter().find(|code| held(code)).map(|code| (*code).to_owned());
        let sent = element.get("typeId").and_then(Php::text).map(|t| t.to_uppercase());
        let Some(code) = old.clone().or(sent).filter(|c| MULTIFIELDS.contains(&c.as_str())) else { continue };
        let mut classic = Php::empty();
        if old.is_some() {
            classic.set("ID", Php::Str(key.clone()));
        }
        for (from, to) in [("value", "VALUE"), ("valueType", "VALUE_TYPE")] {
            if let Some(part) = element.get(from) {
                classic.set(to, part.clone());
            }
        }
        let at = out.iter().position(|s| s.code == code).unwrap_or_else(|| {
            out.push(Sent { code: code.clone(), name: "fm".into(), value: Php::empty() });
            out.len() - 1
        });
        let place = out[at].value.entries().len().to_string();
        out[at].value.set(&place, classic);
    }
    out
}

/// The title of a field as error texts name it.
fn title(portal: &Portal, entity: Entity, code: &str) -> String {
    let described = portal.fields.get(&entity).and_then(|f| f.get(code));
    let text = |key: &str| described.and_then(|d| d.get(key)).and_then(Value::as_str);
    text("formLabel").or(text("title")).unwrap_or(code).to_owned()
}

/// Whether a record holds nothing under a code.
fn lacks(portal: &Portal, entity: Entity, row: &Record, code: &str) -> bool {
    match (portal.field(entity, code), row.get(code)) {
        (Some(field), Some(value)) => is_blank(field, value),
        _ => true,
    }
}

/// Refuses a record that lacks a mandatory field. The system's own are asked for where they were sent or the record
/// is new; a custom one always.
fn check_required(
    portal: &Portal,
    entity: Entity,
    row: &Record,
    (sent, adding): (&[Sent], bool),
) -> Result<(), Failure> {
    let fail = |code: &str| {
        let text = format!("The \"{}\" field is required", title(portal, entity, code));
        Err(Failure::thrown("CRM_FIELD_ERROR_REQUIRED", text))
    };
    if entity == Entity::Contact {
        let named = |s: &Sent| ["NAME", "LAST_NAME"].contains(&s.code.as_str());
        let asked = adding || sent.iter().any(named);
        if asked && lacks(portal, entity, row, "NAME") && lacks(portal, entity, row, "LAST_NAME") {
            return fail("NAME");
        }
    } else {
        for (code, described) in portal.fields.get(&entity).into_iter().flatten() {
            let flag = |key: &str| described.get(key).and_then(Value::as_bool).unwrap_or(false);
            let field = Field::new(code, described);
            let asked = adding || sent.iter().any(|s| s.code == *code);
            if flag("isRequired") && !field.custom && asked && lacks(portal, entity, row, code) {
                return fail(code);
            }
        }
    }
    for field in portal.userfields.get(&entity).into_iter().flatten() {
        let text = |key: &str| field.get(key).and_then(Value::as_str).unwrap_or_default();
        if text("MANDATORY") == "Y" && lacks(portal, entity, row, text("FIELD_NAME")) {
            return fail(text("FIELD_NAME"));
        }
    }
    Ok(())
}

/// The times that an import may set, and what has to hold between them (sheet 12).
fn check_times(call: &Call<'_>, entity: Entity, row: &Record, sent: &[Sent]) -> Result<(), Failure> {
    let s = stamps(entity);
    let at = |row: &Record, code: &str| {
        row.get(code).and_then(Value::as_str).and_then(|t| t.parse::<jiff::Timestamp>().ok())
    };
    let now = jiff::Timestamp::from_millisecond(call.now_ms).unwrap_or(jiff::Timestamp::MAX);
    let (created, updated) = (at(row, s.created), at(row, s.updated));
    let last = call.portal.records.get(&entity).and_then(|t| t.values().next_back());
    for one in sent {
        let code = one.code.as_str();
        let set = at(row, code);
        let wrong = if code == s.created {
            !call.settings.admin
                || set.is_none_or(|t| t > now)
                || set < last.and_then(|row| at(row, s.created))
        } else if code == s.updated {
            !call.settings.admin || set.is_none_or(|t| t > now) || set < created
        } else if code == s.moved {
            !call.settings.admin || set < created || set > updated
        } else {
            [s.created_by, s.updated_by, s.moved_by].contains(&code) && !call.settings.admin
        };
        if wrong {
            return Err(value::refusal(&Odd::Invalid, &one.name));
        }
    }
    Ok(())
}

/// Makes one item; its id.
fn make(call: &mut Call<'_>, target: &Target, fields: &Php, import: bool) -> Result<i64, Failure> {
    let entity = target.entity;
    let manner = Manner { universal: true, import, adding: true };
    let (id, mut row) = record::fresh(call, entity, true);
    let sent = translate(target, fields, &row);
    record::apply(call, entity, &mut row, &sent, manner)?;
    if let Entity::Process(_) = entity
        && lacks(call.portal, entity, &row, "TITLE")
        && !sent.iter().any(|s| s.code == "TITLE")
    {
        row.insert("TITLE".into(), json!(format!("#{id}")));
    }
    record::settle(call, entity, &mut row, None, manner)?;
    if import {
        check_times(call, entity, &row, &sent)?;
    }
    check_required(call.portal, entity, &row, (&sent, true))?;
    record::link(call, entity, id, &mut row, (&sent, manner));
    record::keep(call, entity, id, row);
    Ok(id)
}

/// `crm.item.add`.
fn add(call: &mut Call<'_>) -> Outcome {
    let target = item::target(call)?;
    let fields = required_array(call.args, "fields")?;
    may(call, false)?;
    let id = make(call, &target, fields, false)?;
    Ok(Answer { rows: 1, ..Answer::of(json!({ "item": item::whole(call, &target, id)? })) })
}

/// `crm.item.update`.
fn update(call: &mut Call<'_>) -> Outcome {
    let target = item::target(call)?;
    let id = required(call.args, "id")?.int();
    let fields = required_array(call.args, "fields")?;
    may(call, false)?;
    let entity = target.entity;
    let held = call.portal.records.get(&entity).and_then(|t| t.get(&id)).cloned();
    let mut row = held.ok_or_else(not_found)?;
    let before = record::before(entity, &row);
    let manner = Manner { universal: true, import: false, adding: false };
    let sent = translate(&target, fields, &row);
    record::apply(call, entity, &mut row, &sent, manner)?;
    record::settle(call, entity, &mut row, before, manner)?;
    check_required(call.portal, entity, &row, (&sent, false))?;
    record::link(call, entity, id, &mut row, (&sent, manner));
    record::stamp(call, entity, &mut row);
    record::keep(call, entity, id, row);
    Ok(Answer { rows: 1, ..Answer::of(json!({ "item": item::whole(call, &target, id)? })) })
}

fn not_found() -> Failure {
    Failure::thrown("NOT_FOUND", "Element not found")
}

/// `crm.item.delete`: an empty list.
fn delete(call: &mut Call<'_>) -> Outcome {
    let target = item::target(call)?;
    let id = required(call.args, "id")?.int();
    may(call, false)?;
    call.portal.remove_whole(target.entity, id).ok_or_else(not_found)?;
    *call.reverse = None;
    Ok(Answer::of(json!([])))
}

/// `crm.item.import`.
fn import(call: &mut Call<'_>) -> Outcome {
    let target = item::target(call)?;
    let fields = required_array(call.args, "fields")?;
    may(call, false)?;
    let id = make(call, &target, fields, true)?;
    Ok(Answer::of(json!({ "item": { "id": id } })))
}

/// `crm.item.batchImport`: one entry per input, failures among them.
fn batch_import(call: &mut Call<'_>) -> Outcome {
    let target = item::target(call)?;
    let data = required_array(call.args, "data")?;
    may(call, false)?;
    if data.entries().len() > MAX_IMPORT {
        return Err(Failure::thrown(
            "MAX_IMPORT_BATCH_SIZE_EXCEEDED",
            "You cannot import more than 20 items",
        ));
    }
    let mut items = Vec::new();
    for (_, fields) in data.entries() {
        items.push(match make(call, &target, fields, true) {
            Ok(id) => json!({ "item": { "id": id } }),
            Err(failure) => failure.body(),
        });
    }
    Ok(Answer { rows: items.len(), ..Answer::of(json!({ "items": items })) })
}
