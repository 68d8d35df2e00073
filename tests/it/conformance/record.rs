//! Records of cases: JSON of the one form that the README tells, into values of the schema's types.

use std::str::FromStr;

use b2n::lang::schema::{Attribute, Object};
use b2n::lang::types::{Base, Type};
use b2n::lang::value::{Address, Currency, Instant, Item, Money, PersonName, Record, Value};
use rust_decimal::Decimal;
use serde_json::Value as Json;

/// The record that a line says; every key must be a field.
pub fn read(object: &Object, json: &Json) -> Result<Record, String> {
    let map = json.as_object().ok_or(format!("{json} is no record"))?;
    if let Some(key) = map.keys().find(|key| object.field(key).is_none()) {
        return Err(format!("`{}` has no field `{key}`", object.name));
    }
    object
        .fields
        .iter()
        .map(|field| {
            let json = map.get(&field.name).unwrap_or(&Json::Null);
            let value = value(&field.ty, &field.attributes, json)
                .map_err(|why| format!("{}.{}: {why}", object.name, field.name))?;
            if value.is_absent() && !field.ty.optional {
                return Err(format!("{}.{} is always there, but not in {map:?}", object.name, field.name));
            }
            Ok(value)
        })
        .collect()
}

fn value(ty: &Type, attributes: &[Attribute], json: &Json) -> Result<Value, String> {
    if json.is_null() {
        return Ok(Value::Absent);
    }
    if !ty.many {
        return single(&ty.base, json);
    }
    let rows = json.as_array().ok_or(format!("{json} is no list"))?;
    let element = |json: &Json| {
        if attributes.is_empty() {
            return single(&ty.base, json);
        }
        let map = json.as_object().ok_or(format!("{json} has no attributes"))?;
        let known = |key: &String| key == "value" || attributes.iter().any(|a| a.name == *key);
        if let Some(key) = map.keys().find(|key| !known(key)) {
            return Err(format!("no attribute `{key}`"));
        }
        let own = match map.get("value") {
            Some(own) => single(&ty.base, own)?,
            None => Value::Absent,
        };
        let attrs: Result<Vec<Value>, String> = attributes
            .iter()
            .map(|attribute| value(&attribute.ty, &[], map.get(&attribute.name).unwrap_or(&Json::Null)))
            .collect();
        Ok(Value::Item(Box::new(Item { value: own, attrs: attrs? })))
    };
    Ok(Value::list(rows.iter().map(element).collect::<Result<_, _>>()?))
}

fn single(base: &Base, json: &Json) -> Result<Value, String> {
    let wrong = || format!("{json} is no {base}");
    let text = || json.as_str().ok_or_else(wrong);
    let part = |key: &str| json[key].as_str().unwrap_or_default().into();
    Ok(match base {
        Base::Integer => Value::Int(json.as_i64().ok_or_else(wrong)?),
        Base::Decimal => Value::Decimal(Decimal::from_str(text()?).map_err(|_| wrong())?),
        Base::Bool => Value::Bool(json.as_bool().ok_or_else(wrong)?),
        Base::Date => Value::Date(text()?.parse().map_err(|_| wrong())?),
        Base::DateTime => Value::Instant(Instant::parse(text()?).ok_or_else(wrong)?),
        Base::Money => {
            let amount = json["amount"].as_str().and_then(|text| Decimal::from_str(text).ok());
            let currency = json["currency"].as_str().and_then(Currency::parse);
            Value::Money(Money { amount: amount.ok_or_else(wrong)?, currency: currency.ok_or_else(wrong)? })
        }
        Base::PersonName => {
            Value::Name(Box::new(PersonName { given: part("given"), family: part("family") }))
        }
        Base::Address => Value::Address(Box::new(Address {
            line1: part("line1"),
            line2: part("line2"),
            city: part("city"),
            region: part("region"),
            postal_code: part("postal_code"),
            country: part("country"),
        })),
        _ => Value::text(text()?),
    })
}
