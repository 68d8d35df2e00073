//! Product rows: classic per owner, universal for several owners at once (sheet 10.7).

use serde_json::{Map, Value, json};

use super::list::PAGE;
use super::methods::{Answer, Call, Failure, Outcome};
use super::php::Php;
use super::portal::{Entity, Record};
use super::records::int_of;

/// `crm.deal.productrows.get`.
pub(super) fn of_deal(call: &mut Call<'_>) -> Outcome {
    of(call, Entity::Deal)
}

/// `crm.lead.productrows.get`.
pub(super) fn of_lead(call: &mut Call<'_>) -> Outcome {
    of(call, Entity::Lead)
}

/// `crm.quote.productrows.get`.
pub(super) fn of_quote(call: &mut Call<'_>) -> Outcome {
    super::classic::check_has(call.portal, Entity::Quote)?;
    of(call, Entity::Quote)
}

/// All rows of one owner, no paging.
fn of(call: &Call<'_>, entity: Entity) -> Outcome {
    let id = call.args.get_any(&["id", "ID"]).map_or(0, Php::int);
    if id <= 0 {
        return Err(Failure::classic("The parameter id is invalid or not defined."));
    }
    if !call.portal.records.get(&entity).is_some_and(|t| t.contains_key(&id)) {
        return Err(Failure::classic("Not found"));
    }
    let rows = call.portal.rows.get(&(entity, id)).into_iter().flatten();
    Ok(Answer::whole(rows.map(|r| Value::Object(r.clone())).collect(), None))
}

/// The universal names of what universal rows carry.
const UNIVERSAL: [(&str, &str); 21] = [
    ("id", "ID"),
    ("ownerId", "OWNER_ID"),
    ("ownerType", "OWNER_TYPE"),
    ("productId", "PRODUCT_ID"),
    ("productName", "PRODUCT_NAME"),
    ("price", "PRICE"),
    ("priceAccount", "PRICE_ACCOUNT"),
    ("priceExclusive", "PRICE_EXCLUSIVE"),
    ("priceNetto", "PRICE_NETTO"),
    ("priceBrutto", "PRICE_BRUTTO"),
    ("quantity", "QUANTITY"),
    ("discountTypeId", "DISCOUNT_TYPE_ID"),
    ("discountRate", "DISCOUNT_RATE"),
    ("discountSum", "DISCOUNT_SUM"),
    ("taxRate", "TAX_RATE"),
    ("taxIncluded", "TAX_INCLUDED"),
    ("customized", "CUSTOMIZED"),
    ("measureCode", "MEASURE_CODE"),
    ("measureName", "MEASURE_NAME"),
    ("sort", "SORT"),
    ("type", "TYPE"),
];

/// A stored row in camelCase; ids and the account's price are numbers here.
pub(super) fn universal(row: &Record) -> Value {
    let mut out = Map::new();
    for (name, code) in UNIVERSAL.into_iter().chain([("xmlId", "XML_ID"), ("storeId", "STORE_ID")]) {
        let value = row.get(code).cloned().unwrap_or(Value::Null);
        let number = matches!(code, "ID" | "OWNER_ID" | "PRICE_ACCOUNT");
        let value = match value.as_str() {
            Some(text) if number => text
                .parse::<rust_decimal::Decimal>()
                .ok()
                .and_then(|d| serde_json::from_str(&d.normalize().to_string()).ok())
                .unwrap_or(value),
            _ => value,
        };
        out.insert(name.into(), value);
    }
    Value::Object(out)
}

/// A row as a connector keeps it, in either spelling, as the portal stores it.
pub(super) fn stored(row: &Record) -> Record {
    if row.contains_key("ID") {
        return row.clone();
    }
    let names = UNIVERSAL.into_iter().chain([("xmlId", "XML_ID"), ("storeId", "STORE_ID")]);
    let text = |code: &str, value: &Value| match value {
        Value::Number(n) if matches!(code, "ID" | "OWNER_ID" | "PRICE_ACCOUNT") => json!(n.to_string()),
        other => other.clone(),
    };
    names.filter_map(|(name, code)| Some((code.to_owned(), text(code, row.get(name)?)))).collect()
}

/// `crm.item.productrow.list`: both owner keys are required; `=` takes several owners.
pub(super) fn list(call: &mut Call<'_>) -> Outcome {
    let filter = call.args.get("filter");
    let part = |name: &str| {
        let found = filter.and_then(|f| f.get_any(&[&format!("={name}"), name]));
        found.ok_or_else(|| Failure::missing(name))
    };
    let (kind, owners) = (part("ownerType")?, part("ownerId")?);
    let kind = kind.text().unwrap_or_default().into_owned();
    let entities = call.portal.entities();
    let entity =
        entities.into_iter().find(|e| !kind.is_empty() && e.short_code().eq_ignore_ascii_case(&kind));
    let entity =
        entity.ok_or_else(|| Failure::thrown("ENTITY_TYPE_NOT_SUPPORTED", "Entity type is not supported"))?;
    let mut owners: Vec<i64> = match owners {
        Php::Arr(items) => items.iter().map(|(_, v)| v.int()).collect(),
        one => vec![one.int()],
    };
    if call.settings.dialects.rows_of_first_owner_only {
        owners.truncate(1);
    }
    let mut rows: Vec<&Record> =
        owners.iter().filter_map(|id| call.portal.rows.get(&(entity, *id))).flatten().collect();
    rows.sort_by_key(|row| row.get("ID").and_then(int_of));
    let start = usize::try_from(call.args.get("start").map_or(0, Php::int).max(0)).unwrap_or(0);
    let page: Vec<Value> = rows.iter().skip(start).take(PAGE).map(|row| universal(row)).collect();
    let end = start.saturating_add(page.len());
    Ok(Answer {
        rows: page.len(),
        total: Some(rows.len() as i64),
        next: (!page.is_empty() && end < rows.len()).then_some(end as i64),
        counted: rows.len(),
        ..Answer::of(json!({ "productRows": page }))
    })
}
