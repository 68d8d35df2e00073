//! What hangs on records: product rows, the records that activities and comments belong to.
//!
//! Comes after all records are there, from streams of its own. Comments hang on living records only, since a portal
//! deletes them with their record; an activity outlives its other bindings.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::records::{Maker, number, place};
use super::rng::{Rng, salt};
use super::shape::{EntityShape, Shape};
use crate::run::twin::bitrix24::{Entity, Portal, portal::Record};

/// Owners of activities and comments where the shape says nothing, with their weights.
const OWNERS: [(Entity, f64); 5] = [
    (Entity::Deal, 6.0),
    (Entity::Contact, 4.0),
    (Entity::Company, 3.0),
    (Entity::Lead, 1.0),
    (Entity::Quote, 0.3),
];

/// Hangs everything on.
pub(super) fn fill(portal: &mut Portal, maker: &Maker<'_>) {
    let shape = maker.shape;
    let mut next_row = 101;
    for entity in [Entity::Deal, Entity::Lead, Entity::Quote] {
        if let Some(part) = shape.entities.get(&entity).filter(|part| part.rows > 0.0) {
            rows(portal, maker, entity, part.rows, &mut next_row);
        }
    }
    activities(portal, maker);
    comments(portal, maker);
}

fn rows(portal: &mut Portal, maker: &Maker<'_>, entity: Entity, share: f64, next_row: &mut i64) {
    let owners: Vec<i64> = portal.records.get(&entity).into_iter().flatten().map(|(id, _)| *id).collect();
    for id in owners {
        let mut rng = Rng::at(maker.seed, &[salt("rows"), place(entity), id as u64]);
        if !rng.chance(share) {
            continue;
        }
        let owner = &portal.records[&entity][&id];
        let text = |code: &str| owner.get(code).and_then(Value::as_str).unwrap_or("");
        // Where the rows make the sum, they make just this one: the last row is what is left.
        let mut left: Option<Decimal> =
            (text("IS_MANUAL_OPPORTUNITY") == "N").then(|| text("OPPORTUNITY").parse().unwrap_or_default());
        if left.is_some_and(|sum| sum <= Decimal::ZERO) {
            continue;
        }
        let count = 1 + rng.below(4);
        let mut made = Vec::new();
        for at in 0..count {
            let last = at + 1 == count;
            let (price, quantity) = match &mut left {
                Some(rest) if last => (*rest, Decimal::ONE),
                Some(rest) => {
                    let part = (*rest * Decimal::new(rng.below(50) as i64 + 1, 2)).round_dp(2);
                    *rest -= part;
                    (part, Decimal::ONE)
                }
                None => {
                    let price = Decimal::new(rng.below(50_000_000) as i64, 2);
                    // Metres and hours are sold in parts.
                    let quantity = if rng.chance(0.15) {
                        Decimal::new(rng.below(10_000) as i64 + 1, 2)
                    } else {
                        Decimal::from(rng.below(20) + 1)
                    };
                    (price, quantity)
                }
            };
            made.push(row(portal, maker, (entity, id), *next_row, at as i64, (price, quantity), &mut rng));
            *next_row += 1 + rng.below(3) as i64;
        }
        portal.rows.insert((entity, id), made);
    }
}

/// A row as `crm.deal.productrows.get` answers it: ids as text, prices and product as numbers.
fn row(
    portal: &Portal,
    maker: &Maker<'_>,
    (owner, owner_id): (Entity, i64),
    id: i64,
    at: i64,
    (price, quantity): (Decimal, Decimal),
    rng: &mut Rng,
) -> Record {
    // A tenth is free text, and products that were deleted stay in old rows.
    let product = if rng.chance(0.1) { None } else { maker.other(Entity::Product, rng) };
    let found = product.and_then(|id| portal.records.get(&Entity::Product)?.get(&id));
    let name = found.and_then(|p| p.get("NAME")).and_then(Value::as_str);
    let name = name.map_or_else(|| super::text::words(rng), str::to_owned);
    let discount = if rng.chance(0.2) { Decimal::from(5 * (1 + rng.below(4))) } else { Decimal::ZERO };
    let percent = rng.chance(0.8);
    let rate = if percent { discount } else { Decimal::ZERO };
    let netto = if discount.is_zero() {
        price
    } else if percent {
        (price * Decimal::ONE_HUNDRED / (Decimal::ONE_HUNDRED - discount)).round_dp(2)
    } else {
        price + discount
    };
    let tax = match rng.below(3) {
        0 => Value::Null,
        1 => json!(0),
        _ => json!(20),
    };
    let measure = [("796", "шт"), ("796", "pcs"), ("6", "м"), ("166", "кг")][rng.index(4)];
    let value = json!({
        "ID": id.to_string(),
        "OWNER_ID": owner_id.to_string(),
        "OWNER_TYPE": owner.short_code(),
        "PRODUCT_ID": product.unwrap_or(0),
        "PRODUCT_NAME": name,
        "ORIGINAL_PRODUCT_NAME": name,
        "PRODUCT_DESCRIPTION": null,
        "PRICE": number(price),
        "PRICE_EXCLUSIVE": number(price),
        "PRICE_NETTO": number(netto),
        "PRICE_BRUTTO": number(netto),
        "PRICE_ACCOUNT": format!("{price:.2}"),
        "QUANTITY": number(quantity),
        "DISCOUNT_TYPE_ID": if percent { 2 } else { 1 },
        "DISCOUNT_RATE": number(rate),
        "DISCOUNT_SUM": number(netto - price),
        "TAX_RATE": tax,
        "TAX_INCLUDED": if rng.chance(0.6) { "Y" } else { "N" },
        "CUSTOMIZED": if rng.chance(0.7) { "Y" } else { "N" },
        "MEASURE_CODE": measure.0.parse::<i64>().unwrap_or(796),
        "MEASURE_NAME": measure.1,
        "SORT": (at + 1) * 10,
        "XML_ID": if rng.chance(0.3) { json!(format!("sale_basket_{id}")) } else { Value::Null },
        "TYPE": if product.is_some() { 1 } else { 7 },
        "STORE_ID": if rng.chance(0.1) { json!(1) } else { json!(0) },
        "RESERVE_ID": null,
        "DATE_RESERVE_END": null,
        "RESERVE_QUANTITY": null,
    });
    value.as_object().cloned().unwrap_or_default()
}

/// Kinds of owners with the sums of their weights; `name` spells one as the field's choices do.
fn owners(
    maker: &Maker<'_>,
    part: &EntityShape,
    code: &str,
    name: impl Fn(Entity) -> String,
) -> Vec<(Entity, f64)> {
    let Shape { entities, processes, .. } = maker.shape;
    let processes = processes.iter().map(|p| (Entity::Process(p.kind), 0.5));
    let chosen = part.fields.iter().find(|field| field.code == code).map_or(&[] as &[_], |f| &f.choices);
    let mut sum = 0.0;
    let mut out = Vec::new();
    for (entity, weight) in OWNERS.into_iter().chain(processes) {
        let weight = match chosen.iter().find(|choice| choice.id == name(entity)) {
            Some(choice) => choice.weight,
            None if chosen.is_empty() => weight,
            None => 0.0,
        };
        if weight.is_finite() && weight > 0.0 && entities.get(&entity).is_some_and(|part| part.count > 0) {
            sum += weight;
            out.push((entity, sum));
        }
    }
    out
}

fn draw(owners: &[(Entity, f64)], rng: &mut Rng) -> Option<Entity> {
    let at = rng.unit() * owners.last()?.1;
    owners.iter().find(|(_, sum)| at < *sum).or(owners.last()).map(|(entity, _)| *entity)
}

fn activities(portal: &mut Portal, maker: &Maker<'_>) {
    let Some(part) = maker.shape.entities.get(&Entity::Activity) else { return };
    let owners = owners(maker, part, "OWNER_TYPE_ID", |entity| entity.type_id().to_string());
    let mut all = portal.records.remove(&Entity::Activity).unwrap_or_default();
    let mut next_communication = 101;
    all.retain(|id, record| {
        let mut rng = Rng::at(maker.seed, &[salt("bindings"), place(Entity::Activity), *id as u64]);
        let Some(owner) = draw(&owners, &mut rng) else { return false };
        let Some(owner_id) = maker.alive(owner, &mut rng) else { return false };
        record.insert("OWNER_TYPE_ID".into(), json!(owner.type_id().to_string()));
        record.insert("OWNER_ID".into(), json!(owner_id.to_string()));
        let mut bindings = vec![(owner.type_id(), owner_id)];
        let mut person = (owner == Entity::Contact).then_some(owner_id);
        if owner == Entity::Deal {
            let contact = portal.deal_contacts.get(&owner_id).and_then(|links| links.first());
            if let Some(contact) = contact.filter(|_| rng.chance(0.6)) {
                bindings.push((Entity::Contact.type_id(), contact.id));
                person = Some(contact.id);
            }
            if let Some(company) = maker.other(Entity::Company, &mut rng).filter(|_| rng.chance(0.3)) {
                bindings.push((Entity::Company.type_id(), company));
            }
        }
        let kind = record.get("TYPE_ID").and_then(Value::as_str).unwrap_or("").to_owned();
        let wanted = match kind.as_str() {
            "2" => Some("PHONE"),
            "4" => Some("EMAIL"),
            _ => None,
        };
        let address = wanted.and_then(|code| {
            let rows = portal.records.get(&Entity::Contact)?.get(&person?)?.get(code)?.as_array()?;
            Some((code, rows.first()?.get("VALUE")?.clone()))
        });
        if let (Some((code, value)), Some(person)) = (address, person) {
            record.insert(
                "COMMUNICATIONS".into(),
                json!([{
                    "ID": next_communication.to_string(), "TYPE": code, "VALUE": value,
                    "ENTITY_ID": person.to_string(), "ENTITY_TYPE_ID": "3", "ENTITY_SETTINGS": [],
                }]),
            );
            next_communication += 2;
        }
        portal.bindings.insert(*id, bindings);
        true
    });
    portal.records.insert(Entity::Activity, all);
}

fn comments(portal: &mut Portal, maker: &Maker<'_>) {
    let Some(part) = maker.shape.entities.get(&Entity::Comment) else { return };
    let owners = owners(maker, part, "ENTITY_TYPE", Entity::timeline_word);
    let mut all: BTreeMap<i64, Record> = portal.records.remove(&Entity::Comment).unwrap_or_default();
    let mut busy: Option<(Entity, i64)> = None;
    all.retain(|id, record| {
        let mut rng = Rng::at(maker.seed, &[salt("owner"), place(Entity::Comment), *id as u64]);
        let Some(owner) = draw(&owners, &mut rng) else { return false };
        let Some(owner_id) = maker.alive(owner, &mut rng) else { return false };
        // A few records are talked about for years: more comments than a page holds.
        let (owner, owner_id) = match busy {
            Some(busy) if rng.chance(0.12) => busy,
            _ => (owner, owner_id),
        };
        busy.get_or_insert((owner, owner_id));
        record.insert("ENTITY_TYPE".into(), json!(owner.timeline_word()));
        record.insert("ENTITY_ID".into(), json!(owner_id.to_string()));
        true
    });
    portal.records.insert(Entity::Comment, all);
}
