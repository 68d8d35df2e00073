//! Product rows: set whole, added, changed, deleted, and the owner's sum that follows them (sheet 16.4).

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::super::methods::{Answer, Call, Failure, Outcome, Table};
use super::super::php::Php;
use super::super::portal::{Entity, Portal, Record};
use super::super::records::int_of;
use super::super::rows::universal;
use super::{largest, may, may_write, required, required_array};

pub(super) const METHODS: Table = &[
    ("crm.deal.productrows.set", |c| set_classic(c, Entity::Deal)),
    ("crm.lead.productrows.set", |c| set_classic(c, Entity::Lead)),
    ("crm.quote.productrows.set", |c| set_classic(c, Entity::Quote)),
    ("crm.item.productrow.set", set),
    ("crm.item.productrow.add", add),
    ("crm.item.productrow.update", update),
    ("crm.item.productrow.delete", delete),
    ("crm.item.productrow.get", get),
];

/// The names under which clients send what a row holds: classic, universal.
const SENT: [(&str, &str); 13] = [
    ("PRODUCT_ID", "productId"),
    ("PRODUCT_NAME", "productName"),
    ("PRICE", "price"),
    ("QUANTITY", "quantity"),
    ("DISCOUNT_TYPE_ID", "discountTypeId"),
    ("DISCOUNT_RATE", "discountRate"),
    ("DISCOUNT_SUM", "discountSum"),
    ("TAX_RATE", "taxRate"),
    ("TAX_INCLUDED", "taxIncluded"),
    ("CUSTOMIZED", "customized"),
    ("MEASURE_CODE", "measureCode"),
    ("MEASURE_NAME", "measureName"),
    ("SORT", "sort"),
];

fn decimal(value: Option<&Value>) -> Option<Decimal> {
    match value? {
        Value::Number(n) => n.to_string().parse().ok(),
        Value::String(s) => s.trim().parse().ok(),
        _ => None,
    }
}

/// A decimal as the server's JSON prints it.
fn number(value: Decimal) -> Value {
    serde_json::from_str(&value.round_dp(8).normalize().to_string()).unwrap_or(Value::Null)
}

fn fresh_row(portal: &mut Portal) -> i64 {
    portal.fresh("row", |portal| largest(portal.rows.values().flatten(), "ID"))
}

/// A discount that says nothing of itself.
fn bad_discount(name: &str) -> Failure {
    Failure::thrown("ERROR_CORE", format!("The field {name} is required for this type of discount.<br>"))
}

/// One row from what was sent over what is held, with its prices worked out.
fn row(
    call: &mut Call<'_>,
    (entity, owner): (Entity, i64),
    held: Option<&Record>,
    sent: &Php,
) -> Result<Record, Failure> {
    let part = |(classic, universal): (&str, &str)| sent.get_any(&[classic, universal]).cloned();
    let has = |code: &str| SENT.iter().any(|names| names.0 == code && part(*names).is_some());
    let mut out = held.cloned().unwrap_or_default();
    for names in SENT {
        let Some(value) = part(names) else { continue };
        let text = value.text().unwrap_or_default().into_owned();
        let kept = match names.0 {
            "PRODUCT_NAME" | "MEASURE_NAME" => json!(text),
            "TAX_INCLUDED" | "CUSTOMIZED" => json!(super::yes(value.flag())),
            "TAX_RATE" if text.is_empty() => Value::Null,
            _ => number(text.trim().parse().unwrap_or_default()),
        };
        out.insert(names.0.into(), kept);
    }
    let amount = |out: &Record, code: &str| decimal(out.get(code));
    let hundred = Decimal::ONE_HUNDRED;
    let kind = amount(&out, "DISCOUNT_TYPE_ID").unwrap_or(Decimal::TWO);
    let asked = has("DISCOUNT_TYPE_ID");
    let rate = amount(&out, "DISCOUNT_RATE").unwrap_or_default();
    let sum = amount(&out, "DISCOUNT_SUM").unwrap_or_default();
    if asked && kind == Decimal::TWO && !has("DISCOUNT_RATE") {
        return Err(bad_discount("DISCOUNT_RATE"));
    }
    if kind == Decimal::ONE && (asked || has("DISCOUNT_RATE")) && !has("DISCOUNT_SUM") {
        return Err(bad_discount("DISCOUNT_SUM"));
    }
    if kind == Decimal::TWO && rate == hundred && !has("DISCOUNT_SUM") {
        return Err(bad_discount("DISCOUNT_SUM"));
    }
    let price = amount(&out, "PRICE").unwrap_or_default();
    let tax = Decimal::ONE + amount(&out, "TAX_RATE").unwrap_or_default() / hundred;
    let exclusive = if tax.is_zero() { price } else { price / tax };
    let (netto, rate, sum) = if kind == Decimal::ONE {
        let netto = exclusive + sum;
        let rate = if netto.is_zero() { Decimal::ZERO } else { sum / netto * hundred };
        (netto, rate, sum)
    } else if rate == hundred {
        (sum, rate, sum)
    } else {
        let netto = exclusive / (Decimal::ONE - rate / hundred);
        (netto, rate, netto - exclusive)
    };
    let id = match held.and_then(|h| h.get("ID")).and_then(int_of) {
        Some(id) => id,
        None => fresh_row(call.portal),
    };
    let product =
        amount(&out, "PRODUCT_ID").and_then(|p| p.trunc().to_string().parse::<i64>().ok()).unwrap_or(0);
    let known = call.portal.records.get(&Entity::Product).and_then(|t| t.get(&product));
    let known_name = known.and_then(|p| p.get("NAME")).and_then(Value::as_str).unwrap_or_default();
    let name = match out.get("PRODUCT_NAME").and_then(Value::as_str).filter(|n| !n.is_empty()) {
        Some(name) => name.to_owned(),
        None if !known_name.is_empty() => known_name.to_owned(),
        None => format!("[{id}]"),
    };
    let mut made = Record::new();
    let mut set = |code: &str, value: Value| drop(made.insert(code.to_owned(), value));
    let kept = |code: &str, otherwise: Value| out.get(code).cloned().unwrap_or(otherwise);
    set("ID", json!(id.to_string()));
    set("OWNER_ID", json!(owner.to_string()));
    set("OWNER_TYPE", json!(entity.short_code()));
    set("PRODUCT_ID", json!(product));
    set("PRODUCT_NAME", json!(name));
    set("ORIGINAL_PRODUCT_NAME", if known_name.is_empty() { Value::Null } else { json!(known_name) });
    set("PRODUCT_DESCRIPTION", Value::Null);
    for (code, value) in [
        ("PRICE", price),
        ("PRICE_EXCLUSIVE", exclusive),
        ("PRICE_NETTO", netto),
        ("PRICE_BRUTTO", netto * tax),
    ] {
        set(code, number(value));
    }
    set("PRICE_ACCOUNT", json!(format!("{price:.2}")));
    set("QUANTITY", kept("QUANTITY", json!(1)));
    set("DISCOUNT_TYPE_ID", number(kind));
    set("DISCOUNT_RATE", number(rate));
    set("DISCOUNT_SUM", number(sum));
    set("TAX_RATE", kept("TAX_RATE", Value::Null));
    set("TAX_INCLUDED", kept("TAX_INCLUDED", json!("N")));
    set("CUSTOMIZED", kept("CUSTOMIZED", json!("Y")));
    set("MEASURE_CODE", kept("MEASURE_CODE", json!(0)));
    set("MEASURE_NAME", kept("MEASURE_NAME", json!("")));
    set("SORT", kept("SORT", json!(0)));
    set("XML_ID", kept("XML_ID", json!("")));
    set("TYPE", kept("TYPE", json!(1)));
    for code in ["STORE_ID", "RESERVE_ID", "DATE_RESERVE_END", "RESERVE_QUANTITY"] {
        set(code, kept(code, Value::Null));
    }
    Ok(made)
}

/// Puts rows in the place of an owner's old ones; where the rows make its amount, works that out again.
fn keep(portal: &mut Portal, entity: Entity, owner: i64, rows: Vec<Record>) {
    let mut sum = Decimal::ZERO;
    let mut tax = Decimal::ZERO;
    for row in &rows {
        let quantity = decimal(row.get("QUANTITY")).unwrap_or_default();
        let price = decimal(row.get("PRICE")).unwrap_or_default();
        sum += price * quantity;
        tax += (price - decimal(row.get("PRICE_EXCLUSIVE")).unwrap_or_default()) * quantity;
    }
    let described = portal.field(entity, "IS_MANUAL_OPPORTUNITY").is_some();
    if rows.is_empty() {
        portal.rows.remove(&(entity, owner));
    } else {
        portal.rows.insert((entity, owner), rows);
    }
    let Some(record) = portal.records.get_mut(&entity).and_then(|t| t.get_mut(&owner)) else { return };
    if described && record.get("IS_MANUAL_OPPORTUNITY").and_then(Value::as_str) != Some("Y") {
        record.insert("OPPORTUNITY".into(), json!(format!("{sum:.2}")));
        record.insert("TAX_VALUE".into(), json!(format!("{tax:.2}")));
    }
}

/// All rows of an owner from what was sent: a row with an id of its own keeps it.
fn replace(call: &mut Call<'_>, owner: (Entity, i64), sent: &Php) -> Result<(), Failure> {
    let held = call.portal.rows.get(&owner).cloned().unwrap_or_default();
    let mut rows: Vec<Record> = Vec::new();
    for (_, one) in sent.entries() {
        let id = one.get_any(&["ID", "id"]).map_or(0, Php::int);
        let old = held.iter().find(|r| id > 0 && r.get("ID").and_then(int_of) == Some(id));
        rows.push(row(call, owner, old, one)?);
    }
    keep(call.portal, owner.0, owner.1, rows);
    Ok(())
}

/// `crm.<entity>.productrows.set`.
fn set_classic(call: &mut Call<'_>, entity: Entity) -> Outcome {
    let id = call.args.get_any(&["id", "ID"]).map_or(0, Php::int);
    if id <= 0 {
        return Err(Failure::classic("The parameter id is invalid or not defined."));
    }
    let rows = call.args.get_any(&["rows", "ROWS"]).filter(|r| r.is_array());
    let rows = rows.ok_or_else(|| Failure::classic("The parameter rows must be array."))?;
    may_write(call)?;
    if !call.portal.records.get(&entity).is_some_and(|t| t.contains_key(&id)) {
        return Err(Failure::classic("Not found"));
    }
    replace(call, (entity, id), rows)?;
    Ok(Answer::of(true))
}

/// The owner that a universal call names by short code and id.
fn owner(call: &Call<'_>, args: &Php) -> Result<(Entity, i64), Failure> {
    let kind = required(args, "ownerType")?.text().unwrap_or_default().into_owned();
    let id = required(args, "ownerId")?.int();
    let mut entities = call.portal.entities().into_iter();
    let entity = entities.find(|e| !kind.is_empty() && e.short_code().eq_ignore_ascii_case(&kind));
    let entity = entity.filter(|e| !matches!(e, Entity::Contact | Entity::Company));
    let entity =
        entity.ok_or_else(|| Failure::thrown("ENTITY_TYPE_NOT_SUPPORTED", "Entity type is not supported"))?;
    if call.portal.records.get(&entity).is_some_and(|t| t.contains_key(&id)) {
        Ok((entity, id))
    } else {
        Err(Failure::thrown("OWNER_NOT_FOUND", "Owner was not found"))
    }
}

/// `crm.item.productrow.set`.
fn set(call: &mut Call<'_>) -> Outcome {
    let owner = owner(call, call.args)?;
    let rows = required_array(call.args, "productRows")?;
    may(call, false)?;
    replace(call, owner, rows)?;
    let all = call.portal.rows.get(&owner).into_iter().flatten();
    Ok(Answer::of(json!({ "productRows": all.map(universal).collect::<Vec<_>>() })))
}

/// `crm.item.productrow.add`.
fn add(call: &mut Call<'_>) -> Outcome {
    let fields = required_array(call.args, "fields")?;
    let owner = owner(call, fields)?;
    may(call, false)?;
    let made = row(call, owner, None, fields)?;
    let shown = universal(&made);
    let mut rows = call.portal.rows.get(&owner).cloned().unwrap_or_default();
    rows.push(made);
    keep(call.portal, owner.0, owner.1, rows);
    Ok(Answer::of(json!({ "productRow": shown })))
}

/// Where a row is, by its own id.
fn place(call: &Call<'_>) -> Result<((Entity, i64), usize), Failure> {
    let id = required(call.args, "id")?.int();
    let is = |row: &Record| row.get("ID").and_then(int_of) == Some(id);
    let mut owners = call.portal.rows.iter();
    owners
        .find_map(|(owner, rows)| Some((*owner, rows.iter().position(is)?)))
        .ok_or_else(|| Failure::thrown("NOT_FOUND", "Item not found"))
}

/// `crm.item.productrow.update`.
fn update(call: &mut Call<'_>) -> Outcome {
    let (owner, at) = place(call)?;
    let fields = required_array(call.args, "fields")?;
    may(call, false)?;
    let mut rows = call.portal.rows.get(&owner).cloned().unwrap_or_default();
    let made = row(call, owner, rows.get(at), fields)?;
    let shown = universal(&made);
    if let Some(slot) = rows.get_mut(at) {
        *slot = made;
    }
    keep(call.portal, owner.0, owner.1, rows);
    Ok(Answer::of(json!({ "productRow": shown })))
}

/// `crm.item.productrow.delete`.
fn delete(call: &mut Call<'_>) -> Outcome {
    let (owner, at) = place(call)?;
    may(call, false)?;
    let mut rows = call.portal.rows.get(&owner).cloned().unwrap_or_default();
    rows.remove(at);
    keep(call.portal, owner.0, owner.1, rows);
    Ok(Answer::of(Value::Null))
}

/// `crm.item.productrow.get`.
fn get(call: &mut Call<'_>) -> Outcome {
    let (owner, at) = place(call)?;
    let row = call.portal.rows.get(&owner).and_then(|rows| rows.get(at));
    Ok(Answer { rows: 1, ..Answer::of(json!({ "productRow": row.map(universal) })) })
}
