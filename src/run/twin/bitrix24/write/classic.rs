//! `crm.<entity>.add`, `.update` and `.delete`, and those of products (sheet 16.1, 16.2, 16.7).

use serde_json::json;

use super::super::classic::id_arg;
use super::super::methods::{Answer, Call, Failure, Outcome, Table};
use super::super::php::Php;
use super::super::portal::{Entity, Portal};
use super::record::{self, Manner, classic};
use super::{fields_arg, may_configure, may_write, needed_fields, no_fields, sent_text};

/// Methods of products; the other entities have theirs by name.
pub(super) const METHODS: Table = &[
    ("crm.product.add", |call| product(call, true)),
    ("crm.product.update", |call| product(call, false)),
    ("crm.product.delete", product_delete),
];

/// Whether an `add` may set creation facts: `params.IMPORT` (not for deals and leads).
fn is_import(entity: Entity, args: &Php) -> bool {
    let flag =
        args.get_any(&["params", "PARAMS"]).and_then(|p| p.get_any(&["IMPORT"])).is_some_and(Php::flag);
    flag && matches!(entity, Entity::Company | Entity::Contact | Entity::Quote)
}

fn check_params(args: &Php) -> Result<(), Failure> {
    match args.get_any(&["params", "PARAMS"]) {
        Some(params) if !params.is_array() => Err(Failure::classic("Parameter 'params' must be array.")),
        _ => Ok(()),
    }
}

/// Refuses a currency that the portal does not have, where the sheet says so (deals).
fn check_currency(portal: &Portal, entity: Entity, fields: &Php) -> Result<(), Failure> {
    let Some(code) = sent_text(fields, "CURRENCY_ID") else { return Ok(()) };
    let known = |r: &super::Record| r.get("CURRENCY").and_then(serde_json::Value::as_str) == Some(&*code);
    if entity == Entity::Deal && !portal.currencies.iter().any(known) {
        return Err(Failure::classic(format!("The currency '{code}' is not found.")));
    }
    Ok(())
}

/// `crm.<entity>.add`.
pub(super) fn add(call: &mut Call<'_>, entity: Entity) -> Outcome {
    super::super::classic::check_has(call.portal, entity)?;
    let empty = Php::empty();
    let fields = match fields_arg(call.args)? {
        Some(fields) => fields,
        None if entity == Entity::Contact => &empty,
        None => return Err(no_fields()),
    };
    check_params(call.args)?;
    may_write(call)?;
    check_currency(call.portal, entity, fields)?;
    let required = match entity {
        Entity::Company => Some("Company name"),
        Entity::Quote => Some("Subject"),
        _ => None,
    };
    if let (Some(name), None) = (required, sent_text(fields, "TITLE")) {
        return Err(Failure::classic(format!("The field '{name}' is required.")));
    }
    let manner = Manner { universal: false, import: is_import(entity, call.args), adding: true };
    let (id, mut row) = record::fresh(call, entity, false);
    let sent = classic(fields);
    record::apply(call, entity, &mut row, &sent, manner)?;
    if manner.import && entity == Entity::Contact {
        let made =
            |row: &super::Record| row.get("DATE_CREATE").and_then(super::Value::as_str).map(str::to_owned);
        let last = call.portal.records.get(&entity).and_then(|t| t.values().next_back()).and_then(made);
        if made(&row) < last {
            return Err(Failure::thrown("ERROR_CORE", "Invalid value for field \"DATE_CREATE\""));
        }
    }
    record::settle(call, entity, &mut row, None, manner)?;
    record::link(call, entity, id, &mut row, (&sent, manner));
    record::keep(call, entity, id, row);
    Ok(Answer::of(id))
}

/// The text of a missing record, which differs by entity (sheet 16.2).
fn absent(entity: Entity, deleting: bool) -> Failure {
    match (entity, deleting) {
        (Entity::Company, _) => Failure::classic("Company is not found"),
        (Entity::Contact, false) => Failure::classic("Contact is not found"),
        (Entity::Quote, false) => Failure::classic("Quote is not found"),
        (Entity::Contact | Entity::Quote, true) => Failure::thrown("ERROR_CORE", "Element not found"),
        _ => Failure::classic("Not found"),
    }
}

/// `crm.<entity>.update`.
pub(super) fn update(call: &mut Call<'_>, entity: Entity) -> Outcome {
    super::super::classic::check_has(call.portal, entity)?;
    let id = id_arg(call.args)?;
    let fields = needed_fields(call.args)?;
    check_params(call.args)?;
    may_write(call)?;
    let held = call.portal.records.get(&entity).and_then(|t| t.get(&id)).cloned();
    let mut row = held.ok_or_else(|| absent(entity, false))?;
    check_currency(call.portal, entity, fields)?;
    let before = record::before(entity, &row);
    let mut sent = classic(fields);
    // A classic update cannot change the pipeline.
    sent.retain(|s| !(entity == Entity::Deal && s.code == "CATEGORY_ID"));
    let manner = Manner { universal: false, import: false, adding: false };
    record::apply(call, entity, &mut row, &sent, manner)?;
    record::settle(call, entity, &mut row, before, manner)?;
    record::link(call, entity, id, &mut row, (&sent, manner));
    record::stamp(call, entity, &mut row);
    record::keep(call, entity, id, row);
    Ok(Answer::of(true))
}

/// `crm.<entity>.delete`.
pub(super) fn delete(call: &mut Call<'_>, entity: Entity) -> Outcome {
    super::super::classic::check_has(call.portal, entity)?;
    let id = id_arg(call.args)?;
    may_write(call)?;
    call.portal.remove_whole(entity, id).ok_or_else(|| absent(entity, true))?;
    *call.reverse = None;
    Ok(Answer::of(true))
}

/// `crm.product.add` and `.update`: of administrators only; a price needs its currency beside it.
fn product(call: &mut Call<'_>, adding: bool) -> Outcome {
    let entity = Entity::Product;
    super::super::classic::check_has(call.portal, entity)?;
    let id = if adding { 0 } else { id_arg(call.args)? };
    let fields = needed_fields(call.args)?;
    may_configure(call)?;
    let mut sent = classic(fields);
    if sent_text(fields, "CURRENCY_ID").is_none() {
        sent.retain(|s| s.code != "PRICE");
    }
    let (id, mut row) = if adding {
        if sent_text(fields, "NAME").is_none() {
            return Err(Failure::classic("The field 'Name' is required."));
        }
        let (id, mut row) = record::fresh(call, entity, false);
        for key in ["ASSIGNED_BY_ID", "OPENED"] {
            row.shift_remove(key);
        }
        for (key, value) in [("ACTIVE", "Y"), ("SORT", "500"), ("VAT_INCLUDED", "N")] {
            row.insert(key.into(), json!(value));
        }
        (id, row)
    } else {
        let held = call.portal.records.get(&entity).and_then(|t| t.get(&id)).cloned();
        (id, held.ok_or_else(|| Failure::classic("Product is not found"))?)
    };
    let manner = Manner { universal: false, import: false, adding };
    record::apply(call, entity, &mut row, &sent, manner)?;
    record::stamp(call, entity, &mut row);
    record::keep(call, entity, id, row);
    Ok(if adding { Answer::of(id) } else { Answer::of(true) })
}

/// `crm.product.delete`.
fn product_delete(call: &mut Call<'_>) -> Outcome {
    super::super::classic::check_has(call.portal, Entity::Product)?;
    let id = id_arg(call.args)?;
    may_configure(call)?;
    call.portal.remove_record(Entity::Product, id).ok_or_else(|| Failure::classic("Product is not found"))?;
    Ok(Answer::of(true))
}
