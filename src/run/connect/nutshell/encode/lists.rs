//! Lists of records within records: a lead's products, a product's prices, those who take part in an activity.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::{Value as Json, json};

use super::super::capability::Kind;
use super::super::client::id_json;
use super::super::directory::{Directory, Market, amount, decimal, elements, id, is_team};
use super::super::fields::{LINE, USER};
use super::super::stored::link_json;
use super::error;
use super::slot::no_choice;
use super::values::mismatch;
use crate::lang::value::{Money, Value};
use crate::run::connect::FieldError;

fn each(value: &Value) -> &[Value] {
    match value {
        Value::List(values) => values,
        single => std::slice::from_ref(single),
    }
}

/// A number as documented requests have it; as text where a JSON number would lose digits.
pub(super) fn number(amount: Decimal) -> Json {
    let amount = amount.normalize();
    if let Some(whole) = amount.to_i64().filter(|_| amount.is_integer()) {
        return json!(whole);
    }
    match amount.to_string().parse::<f64>() {
        Ok(float) if float.to_string() == amount.to_string() => json!(float),
        _ => json!(amount.to_string()),
    }
}

/// An amount inside of a product line or price: the documented input key is `currency_shortname` (sheet §5).
fn price(money: &Money) -> Json {
    json!({"currency_shortname": money.currency.as_str(), "amount": number(money.amount)})
}

/// The prices in the lines of a value, whose currency is the lead's market's.
pub(super) fn line_prices(value: &Value) -> impl Iterator<Item = &Money> {
    each(value).iter().filter_map(|line| match line {
        Value::Item(line) => match line.attrs.get(2).map(Value::bare) {
            Some(Value::Money(money)) => Some(money),
            _ => None,
        },
        _ => None,
    })
}

/// The lines of a lead's `products`, behind those it has; `None` when it has all of them.
pub(super) fn lines(name: &str, value: &Value, before: Option<&Json>) -> Result<Option<Json>, FieldError> {
    let mut found: Vec<Json> = Vec::new();
    for line in elements(before.and_then(|before| before.get("products")).unwrap_or(&Json::Null)) {
        found.extend(resent_line(&line));
    }
    let there: Vec<_> = found.iter().map(same_line).collect();
    let mut left = there.clone();
    for line in each(value) {
        let line = line_json(name, line)?;
        // Two equal lines are two lines.
        match left.iter().position(|known| *known == same_line(&line)) {
            Some(at) => drop(left.swap_remove(at)),
            None => found.push(line),
        }
    }
    Ok((found.len() > there.len()).then_some(Json::Array(found)))
}

fn line_json(name: &str, line: &Value) -> Result<Json, FieldError> {
    let Value::Item(line) = line else { return Err(mismatch(name, "lines of products", line)) };
    let attr = |at: usize| line.attrs.get(at).map_or(&Value::Absent, Value::bare);
    let in_line = |at: usize| format!("{name}.{}", LINE[at]);
    let product = match attr(0) {
        Value::Text(id) => id_json(id),
        Value::Absent => {
            return Err(error(
                &in_line(0),
                "a line without its product: leave the line out, or map the product",
            ));
        }
        other => return Err(mismatch(&in_line(0), "a link", other)),
    };
    let quantity = match attr(1) {
        Value::Decimal(quantity) => number(*quantity),
        Value::Int(quantity) => json!(quantity),
        Value::Absent => json!(1),
        other => return Err(mismatch(&in_line(1), "a number", other)),
    };
    let mut json = json!({"id": product, "entityType": Kind::Product.entity(), "quantity": quantity});
    match attr(2) {
        Value::Money(money) => json["price"] = price(money),
        Value::Absent => {}
        other => return Err(mismatch(&in_line(2), "an amount with its currency", other)),
    }
    Ok(json)
}

/// A stored line as it is sent again: its currency is read as `currency` and sent as `currency_shortname`.
fn resent_line(line: &Json) -> Option<Json> {
    let mut json = json!({"id": id_json(&id(line)?), "entityType": Kind::Product.entity()});
    for key in ["quantity", "relationship"] {
        if let Some(value) = line.get(key).filter(|value| !value.is_null()) {
            json[key] = value.clone();
        }
    }
    if let Some(price) = line.get("price").filter(|price| price.is_object()) {
        json["price"] = json!({"currency_shortname": price.get("currency"), "amount": price.get("amount")});
    }
    Some(json)
}

/// What two equal lines share.
fn same_line(line: &Json) -> (String, Option<Decimal>, Option<Decimal>) {
    (line["id"].to_string(), decimal(&line["quantity"]), amount(&line["price"]))
}

/// The prices of a product, one per market: the one that the label names, else one of its currency. The inner form is not documented: it follows
/// that of a product on a lead.
pub(super) fn prices(name: &str, value: &Value, directory: &Directory) -> Result<Json, FieldError> {
    let mut found: Vec<Json> = Vec::new();
    for value in each(value) {
        let Value::Money(money) = value.bare() else {
            return Err(mismatch(name, "an amount with its currency", value.bare()));
        };
        let market = market_of(name, value, money.currency.as_str(), directory)?;
        let market = json!({"id": id_json(&market.id)});
        if found.iter().any(|known| known["market"] == market) {
            return Err(error(
                name,
                format!(
                    "two prices in {}: a product has one per market, which a label of the price can name",
                    money.currency.as_str()
                ),
            ));
        }
        found.push(json!({"market": market, "price": price(money)}));
    }
    Ok(Json::Array(found))
}

/// The market of a price: several may have one currency.
fn market_of<'d>(
    name: &str,
    price: &Value,
    currency: &str,
    directory: &'d Directory,
) -> Result<&'d Market, FieldError> {
    let fits = |market: &&Market| market.currency.as_deref() == Some(currency);
    let label = match price {
        Value::Item(item) => item.attrs.first().filter(|label| !label.bare().is_absent()),
        _ => None,
    };
    if let Some(label) = label.map(Value::to_text).filter(|label| !label.trim().is_empty()) {
        let label = label.trim();
        let market = directory.markets.iter().find(|market| market.name == label);
        let market = market.ok_or_else(|| no_choice(name, label))?;
        return match &market.currency {
            Some(own) if own != currency => Err(error(
                name,
                format!(
                    "a price in {currency} in the market `{label}`, whose currency is {own}: name another"
                ),
            )),
            _ => Ok(market),
        };
    }
    let mut of_currency = directory.markets.iter().filter(fits);
    let market = of_currency.clone().find(|market| market.default).or_else(|| of_currency.next());
    market.ok_or_else(|| {
        error(
            name,
            format!("no market has the currency {currency}: add one in the settings, or leave the price out"),
        )
    })
}

/// A link that may lead to several objects: `Contact/17`, and a user's bare id.
pub(super) fn any_link(
    name: &str,
    value: &Value,
    objects: &[String],
    directory: &Directory,
) -> Result<Json, FieldError> {
    let Value::Text(text) = value.bare() else { return Err(mismatch(name, "a link", value.bare())) };
    let (object, id) = text.split_once('/').unwrap_or((USER, text.as_str()));
    if !objects.iter().any(|known| known == object) {
        return Err(error(name, format!("`{text}` leads to none of {}", objects.join(", "))));
    }
    match Kind::parse(object) {
        Some(kind) => Ok(link_json(id, kind.entity(), None)),
        None => super::slot::user(name, id, directory),
    }
}

/// Those who take part, behind those who do already; `None` when all of them do.
pub(super) fn parties(
    name: &str,
    value: &Value,
    objects: &[String],
    directory: &Directory,
    before: Option<&Json>,
) -> Result<Option<Json>, FieldError> {
    let mut found: Vec<Json> = Vec::new();
    for party in elements(before.and_then(|before| before.get("participants")).unwrap_or(&Json::Null)) {
        if let (Some(id), Some(entity)) = (id(&party), party.get("entityType").and_then(Json::as_str)) {
            found.push(link_json(&id, entity, None));
        }
    }
    let there = found.len();
    // A team owns records and takes part in nothing (sheet §5).
    for value in each(value).iter().filter(|value| !is_team(value)) {
        let party = any_link(name, value, objects, directory)?;
        let same = |known: &Json| known["id"] == party["id"] && known["entityType"] == party["entityType"];
        if !found.iter().any(same) {
            found.push(party);
        }
    }
    Ok((found.len() > there).then_some(Json::Array(found)))
}
