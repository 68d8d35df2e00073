//! What every record goes through when it is written: defaults, fields, multifields, links, stages, stamps.

use serde_json::{Value, json};

use super::super::directory::base_currency;
use super::super::methods::{Call, Failure};
use super::super::php::Php;
use super::super::portal::{Entity, Link, Portal, Record};
use super::super::records::{Field, int_of};
use super::value::{self, stored, today};
use super::{caller, fresh_value, stamps};

/// How a write treats what it is sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// By `crm.item.*`: odd values are refused, and some facts may be set that classic methods keep.
    pub(super) universal: bool,
    /// Creation facts may be set.
    pub(super) import: bool,
    /// The record is new.
    pub(super) adding: bool,
}

/// One sent field: its classic code, the name under which it came, its value.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) code: String,
    pub(super) name: String,
    pub(super) value: Php,
}

/// Classic fields as they stand.
pub(super) fn classic(fields: &Php) -> Vec<Sent> {
    let one =
        |(code, value): &(String, Php)| Sent { code: code.clone(), name: code.clone(), value: value.clone() };
    fields.entries().iter().map(one).collect()
}

/// What an import may set.
fn is_creation_fact(entity: Entity, code: &str) -> bool {
    let s = stamps(entity);
    [s.created, s.created_by, s.updated, s.updated_by, s.moved, s.moved_by].contains(&code)
}

/// The first entry of a directory, which `add` takes for a directory field left out.
fn first_status(portal: &Portal, directory: &str) -> Option<String> {
    let of = portal.statuses.iter().filter(|r| r.get("ENTITY_ID").and_then(Value::as_str) == Some(directory));
    let first = of.min_by_key(|r| r.get("SORT").and_then(int_of).unwrap_or(0))?;
    first.get("STATUS_ID").and_then(Value::as_str).map(str::to_owned)
}

/// The code of an entity's stage.
pub(super) fn stage_code(entity: Entity) -> Option<&'static str> {
    match entity {
        Entity::Lead | Entity::Quote => Some("STATUS_ID"),
        Entity::Deal | Entity::Process(_) => Some("STAGE_ID"),
        _ => None,
    }
}

/// The directory of a record's stages.
pub(super) fn stage_directory(entity: Entity, category: i64) -> String {
    match (entity, category) {
        (Entity::Deal, 0) => "DEAL_STAGE".into(),
        (Entity::Deal, n) => format!("DEAL_STAGE_{n}"),
        (Entity::Quote, _) => "QUOTE_STATUS".into(),
        (Entity::Process(kind), n) => format!("DYNAMIC_{kind}_STAGE_{n}"),
        _ => "STATUS".into(),
    }
}

fn category_of(row: &Record) -> i64 {
    row.get("CATEGORY_ID").and_then(int_of).unwrap_or(0)
}

/// The row of a stage.
pub(super) fn stage<'a>(portal: &'a Portal, directory: &str, code: &str) -> Option<&'a Record> {
    let is = |r: &Record, key: &str, wanted: &str| r.get(key).and_then(Value::as_str) == Some(wanted);
    portal.statuses.iter().find(|r| is(r, "ENTITY_ID", directory) && is(r, "STATUS_ID", code))
}

/// A new record with what it has when nothing is sent (sheet 16.2, 16.3).
pub(super) fn fresh(call: &mut Call<'_>, entity: Entity, universal: bool) -> (i64, Record) {
    let id = call.portal.next_id(entity);
    let (now, user) = (json!(call.now()), caller(call));
    let mut row = Record::new();
    row.insert("ID".into(), json!(id.to_string()));
    row.insert("ASSIGNED_BY_ID".into(), user.clone());
    row.insert("OPENED".into(), json!(if let Entity::Process(_) = entity { "1" } else { "Y" }));
    let directories: &[(&str, &str)] = match entity {
        Entity::Company => {
            &[("COMPANY_TYPE", "COMPANY_TYPE"), ("INDUSTRY", "INDUSTRY"), ("EMPLOYEES", "EMPLOYEES")]
        }
        Entity::Contact if universal => &[("TYPE_ID", "CONTACT_TYPE"), ("SOURCE_ID", "SOURCE")],
        Entity::Contact => {
            &[("TYPE_ID", "CONTACT_TYPE"), ("SOURCE_ID", "SOURCE"), ("HONORIFIC", "HONORIFIC")]
        }
        Entity::Deal => &[("TYPE_ID", "DEAL_TYPE"), ("SOURCE_ID", "SOURCE")],
        Entity::Lead if universal => &[("SOURCE_ID", "SOURCE"), ("STATUS_ID", "STATUS")],
        Entity::Lead => &[("SOURCE_ID", "SOURCE"), ("HONORIFIC", "HONORIFIC"), ("STATUS_ID", "STATUS")],
        Entity::Quote => &[("STATUS_ID", "QUOTE_STATUS")],
        _ => &[],
    };
    for (key, directory) in directories {
        if let Some(first) = first_status(call.portal, directory) {
            row.insert((*key).into(), json!(first));
        }
    }
    let title = match entity {
        Entity::Deal => Some("Deal"),
        Entity::Lead => Some("Lead"),
        Entity::Company if universal => Some("Company"),
        _ => None,
    };
    if let Some(title) = title {
        row.insert("TITLE".into(), json!(format!("{title} #{id}")));
    }
    match entity {
        Entity::Contact => drop(row.insert("EXPORT".into(), json!("Y"))),
        Entity::Deal => {
            row.insert("BEGINDATE".into(), json!(today(call, 0)));
            row.insert("CLOSEDATE".into(), json!(today(call, 7)));
            row.insert("CATEGORY_ID".into(), json!("0"));
        }
        Entity::Quote => {
            row.insert("QUOTE_NUMBER".into(), json!(id.to_string()));
            row.insert("BEGINDATE".into(), json!(today(call, 0)));
        }
        Entity::Process(kind) => {
            let first = call.portal.process_categories.get(&kind).and_then(|all| all.first().map(|c| c.id));
            if let Some(first) = first {
                row.insert("CATEGORY_ID".into(), json!(first.to_string()));
            }
        }
        _ => {}
    }
    if matches!(entity, Entity::Deal | Entity::Lead | Entity::Quote) {
        if !universal {
            row.insert("OPPORTUNITY".into(), json!("0.00"));
        }
        if let Some(base) = base_currency(call.portal) {
            row.insert("CURRENCY_ID".into(), json!(base));
        }
    }
    let s = stamps(entity);
    for key in [s.created, s.updated] {
        row.insert(key.into(), now.clone());
    }
    for key in [s.created_by, s.updated_by] {
        row.insert(key.into(), user.clone());
    }
    if stage_code(entity).is_some() && call.portal.field(entity, s.moved).is_some() {
        row.insert(s.moved.into(), now);
        row.insert(s.moved_by.into(), user);
    }
    (id, row)
}

/// Whether the field may be written at all; unknown and read-only names are ignored silently.
fn is_open(portal: &Portal, entity: Entity, code: &str, manner: Manner) -> bool {
    if code == "ID" {
        return false;
    }
    let Some(description) = portal.fields.get(&entity).and_then(|f| f.get(code)) else {
        return false;
    };
    let flag = |key: &str| description.get(key).and_then(Value::as_bool).unwrap_or(false);
    // The documented answer of `crm.item.add` carries a lead and an estimate that were sent.
    let origin = manner.universal && manner.adding && matches!(code, "LEAD_ID" | "QUOTE_ID");
    let category = manner.universal && code == "CATEGORY_ID";
    let read_only = flag("isReadOnly") && !origin && !(manner.import && is_creation_fact(entity, code));
    let immutable = flag("isImmutable") && !manner.adding && !category;
    !read_only && !immutable
}

/// Puts sent fields into a record; its links wait for [`link`], since a write that is refused changes nothing.
pub(super) fn apply(
    call: &mut Call<'_>,
    entity: Entity,
    row: &mut Record,
    sent: &[Sent],
    manner: Manner,
) -> Result<(), Failure> {
    for Sent { code, name, value } in sent {
        let code = code.as_str();
        if extra(call.portal, entity, row, code, value) || !is_open(call.portal, entity, code, manner) {
            continue;
        }
        let Some(description) = call.portal.fields.get(&entity).and_then(|f| f.get(code)).cloned() else {
            continue;
        };
        let field = Field::new(code, &description);
        if field.is_multifield() {
            write_multifield(call.portal, row, code, value)?;
            continue;
        }
        match stored(call, field, value, row.get(code), manner.universal) {
            Ok(_) if is_linked(entity, code) => {}
            Ok(Some(value)) => drop(row.insert(code.to_owned(), value)),
            Ok(None) => drop(row.shift_remove(code)),
            Err(odd) => return Err(value::refusal(&odd, name)),
        }
    }
    Ok(())
}

/// Writes the links among the sent fields, and what follows from them.
pub(super) fn link(
    call: &mut Call<'_>,
    entity: Entity,
    id: i64,
    row: &mut Record,
    (sent, manner): (&[Sent], Manner),
) {
    for Sent { code, value, .. } in sent {
        if is_linked(entity, code) && is_open(call.portal, entity, code, manner) {
            links(call.portal, entity, id, row, code, value);
        }
    }
    if entity == Entity::Lead {
        let company = row.get("COMPANY_ID").and_then(int_of).unwrap_or(0) > 0;
        let returning = company || !call.portal.links_of(entity, id).is_empty();
        row.insert("IS_RETURN_CUSTOMER".into(), json!(super::yes(returning)));
    }
}

/// Fields that no description names: parents, observers, the web form. True when the code was one of them.
fn extra(portal: &Portal, entity: Entity, row: &mut Record, code: &str, value: &Php) -> bool {
    let described = portal.fields.get(&entity).is_some_and(|f| f.contains_key(code));
    let ids = |v: &Php| -> Vec<i64> {
        let all =
            if v.is_array() { v.entries().iter().map(|(_, v)| v.int()).collect() } else { vec![v.int()] };
        all.into_iter().filter(|id| *id > 0).collect()
    };
    if described {
        return false;
    }
    let kept = match code {
        "OBSERVERS" => Some(ids(value)).filter(|ids| !ids.is_empty()).map(|ids| json!(ids)),
        "WEBFORM_ID" => ids(value).first().map(|id| json!(id.to_string())),
        _ => {
            let parent =
                code.strip_prefix("PARENT_ID_").and_then(|n| n.parse().ok()).and_then(Entity::of_type_id);
            if !parent.is_some_and(|p| portal.has(p)) {
                return false;
            }
            ids(value).first().map(|id| json!(id.to_string()))
        }
    };
    match kept {
        Some(kept) => drop(row.insert(code.to_owned(), kept)),
        None => drop(row.shift_remove(code)),
    }
    true
}

/// Writes a multifield by its rules: without `ID` added, with `ID` replaced or deleted, others stay.
fn write_multifield(portal: &mut Portal, row: &mut Record, code: &str, sent: &Php) -> Result<(), Failure> {
    let mut held = row.get(code).and_then(Value::as_array).cloned().unwrap_or_default();
    for (_, element) in sent.entries() {
        let id = element.get("ID").map_or(0, Php::int);
        let value = element.get("VALUE").and_then(Php::text).unwrap_or_default().into_owned();
        let kind = element.get("VALUE_TYPE").and_then(Php::text).map(std::borrow::Cow::into_owned);
        let delete = value.is_empty() || element.get("DELETE").is_some_and(Php::flag);
        if code == "EMAIL" && !delete && !value::is_address(&value) {
            return Err(Failure::thrown("ERROR_CORE", "The field Work e-mail contains an invalid address"));
        }
        let at = held.iter().position(|v| id > 0 && v.get("ID").and_then(int_of) == Some(id));
        match (at, delete) {
            (Some(at), true) => drop(held.remove(at)),
            (Some(at), false) => {
                held[at]["VALUE"] = json!(value);
                if let Some(kind) = kind {
                    held[at]["VALUE_TYPE"] = json!(kind);
                }
            }
            (None, false) if id == 0 => {
                let fresh = fresh_value(portal).to_string();
                let kind = kind.unwrap_or_else(|| "WORK".into());
                held.push(json!({ "ID": fresh, "VALUE_TYPE": kind, "VALUE": value, "TYPE_ID": code }));
            }
            _ => {}
        }
    }
    if held.is_empty() {
        row.shift_remove(code);
    } else {
        row.insert(code.to_owned(), Value::Array(held));
    }
    Ok(())
}

/// The code of the one record behind a set of links.
fn set_code(entity: Entity, code: &str) -> Option<&'static str> {
    match (entity, code) {
        (Entity::Contact, "COMPANY_IDS") => Some("COMPANY_ID"),
        (Entity::Deal | Entity::Lead | Entity::Quote | Entity::Process(_), "CONTACT_IDS") => {
            Some("CONTACT_ID")
        }
        _ => None,
    }
}

/// Whether a code is kept in a link table rather than in the record.
fn is_linked(entity: Entity, code: &str) -> bool {
    let one = ["COMPANY_IDS", "CONTACT_IDS"].iter().any(|many| set_code(entity, many) == Some(code));
    one || set_code(entity, code).is_some() || (entity == Entity::Company && code == "CONTACT_ID")
}

/// Writes one linked field: a set replaces all links, its first one primary; a bare id joins them as the primary one.
fn links(portal: &mut Portal, entity: Entity, id: i64, row: &mut Record, code: &str, sent: &Php) {
    if let (Entity::Company, "CONTACT_ID") = (entity, code) {
        for contact in sent.texts().iter().filter_map(|t| t.trim().parse::<i64>().ok()).filter(|id| *id > 0) {
            let mut held = portal.companies_of(contact);
            if !held.iter().any(|l| l.id == id) {
                let sort = held.iter().map(|l| l.sort).max().unwrap_or(0) + 10;
                held.push(Link { id, sort, primary: held.is_empty() });
                portal.set_links(Entity::Contact, contact, held);
            }
        }
        return;
    }
    let Some(primary) = set_code(entity, code) else { return link_primary(portal, entity, id, row, sent) };
    let mut links: Vec<Link> = Vec::new();
    for other in sent.entries().iter().map(|(_, v)| v.int()).filter(|id| *id > 0) {
        if !links.iter().any(|l| l.id == other) {
            let at = links.len() as i64;
            links.push(Link { id: other, sort: (at + 1) * 10, primary: at == 0 });
        }
    }
    portal.set_links(entity, id, links);
    row.shift_remove(primary);
}

/// A bare primary link that was written joins the link table.
fn link_primary(portal: &mut Portal, entity: Entity, id: i64, row: &mut Record, sent: &Php) {
    let wanted = sent.int();
    let mut links = portal.links_of(entity, id);
    row.shift_remove(if entity == Entity::Contact { "COMPANY_ID" } else { "CONTACT_ID" });
    if wanted <= 0 {
        links.clear();
    } else if !links.iter().any(|l| l.id == wanted) {
        let sort = links.iter().map(|l| l.sort).max().unwrap_or(0) + 10;
        links.push(Link { id: wanted, sort, primary: true });
    }
    links.iter_mut().for_each(|l| l.primary = l.id == wanted);
    portal.set_links(entity, id, links);
}

/// Settles the stage of a written record: a first one where none is sent, its group, and what closes with it.
///
/// `before` is the pipeline and the stage that the record had.
pub(super) fn settle(
    call: &mut Call<'_>,
    entity: Entity,
    row: &mut Record,
    before: Option<(i64, Option<Value>)>,
    manner: Manner,
) -> Result<(), Failure> {
    let Some(code) = stage_code(entity) else { return Ok(()) };
    let invalid = |name: &str| Err(value::refusal(&value::Odd::Invalid, name));
    let category = category_of(row);
    if manner.universal && !has_category(call.portal, entity, category) {
        return invalid("categoryId");
    }
    let directory = stage_directory(entity, category);
    let moved_over = before.as_ref().is_some_and(|(old, _)| *old != category);
    let held = row.get(code).and_then(Value::as_str).map(str::to_owned);
    let known = held.as_deref().is_some_and(|held| stage(call.portal, &directory, held).is_some());
    if held.is_none() || (moved_over && !known) {
        match first_status(call.portal, &directory) {
            Some(first) => drop(row.insert(code.into(), json!(first))),
            None => drop(row.shift_remove(code)),
        }
    } else if manner.universal
        && !known
        && before.as_ref().is_none_or(|(_, old)| row.get(code) != old.as_ref())
    {
        return invalid("stageId");
    }
    let (now, user) = (json!(call.now()), caller(call));
    let old = before.and_then(|(_, stage)| stage);
    let moved = !manner.adding && row.get(code) != old.as_ref();
    if moved && call.portal.field(entity, "MOVED_TIME").is_some() {
        row.insert("MOVED_TIME".into(), now.clone());
        row.insert(stamps(entity).moved_by.into(), user);
    }
    if let (true, Entity::Process(_), Some(old)) = (moved, entity, old) {
        row.insert("PREVIOUS_STAGE_ID".into(), old);
    }
    if moved || manner.adding {
        close(call.portal, entity, &directory, row, &now);
    }
    Ok(())
}

fn has_category(portal: &Portal, entity: Entity, category: i64) -> bool {
    match entity {
        Entity::Deal => category == 0 || portal.categories.iter().any(|c| c.id == category),
        Entity::Process(kind) => {
            let all = portal.process_categories.get(&kind).map_or(&[][..], Vec::as_slice);
            category == 0 && all.is_empty() || all.iter().any(|c| c.id == category)
        }
        _ => true,
    }
}

/// What follows from a stage: its group, and whether the record is closed.
fn close(portal: &Portal, entity: Entity, directory: &str, row: &mut Record, now: &Value) {
    let code = stage_code(entity).unwrap_or_default();
    let Some(held) = row.get(code).and_then(Value::as_str) else { return };
    let group = stage(portal, directory, held).and_then(|s| s.get("SEMANTICS")).and_then(Value::as_str);
    let group = group.filter(|g| !g.is_empty()).unwrap_or("P").to_owned();
    let closed = super::yes(group != "P");
    match entity {
        Entity::Deal => {
            row.insert("CLOSED".into(), json!(closed));
            row.insert("STAGE_SEMANTIC_ID".into(), json!(group));
        }
        Entity::Lead => {
            if group == "P" {
                row.shift_remove("DATE_CLOSED");
            } else {
                row.insert("DATE_CLOSED".into(), now.clone());
            }
            row.insert("STATUS_SEMANTIC_ID".into(), json!(group));
        }
        Entity::Quote => drop(row.insert("CLOSED".into(), json!(closed))),
        _ => {}
    }
}

/// The pipeline and the stage of a record before it is written.
pub(super) fn before(entity: Entity, row: &Record) -> Option<(i64, Option<Value>)> {
    Some((category_of(row), row.get(stage_code(entity)?).cloned()))
}

/// Stamps a change of a record.
pub(super) fn stamp(call: &Call<'_>, entity: Entity, row: &mut Record) {
    let s = stamps(entity);
    row.insert(s.updated.into(), json!(call.now()));
    row.insert(s.updated_by.into(), caller(call));
}

/// Puts a written record into the portal.
pub(super) fn keep(call: &mut Call<'_>, entity: Entity, id: i64, row: Record) {
    call.portal.records.entry(entity).or_default().insert(id, row);
    *call.reverse = None;
}
