//! Values as JSON, for `b2n transform` and golden records: one form, documented in the book, stable.

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::Value as Json;

use super::Value;

/// A value that serialises as JSON for people and programs outside.
///
/// Decimals are texts, so that no reader turns them into floats; a link names its map; an absent value is null. A line
/// without a value of its own, such as a product of a lead, is an object of its columns that are there.
#[derive(Clone, Copy)]
pub struct AsJson<'v> {
    value: &'v Value,
    maps: &'v [String],
    columns: &'v [String],
}

impl Value {
    /// The value as JSON; a link names its map, which `map` knows by index.
    pub fn to_json(&self, map: &dyn Fn(u16) -> String) -> Json {
        // Links are few, and names are wanted for those maps only that are linked to.
        let most = most_map(self).map_or(0, |most| usize::from(most) + 1);
        let maps: Vec<String> = (0..most).map(|index| map(index as u16)).collect();
        serde_json::to_value(self.as_json(&maps, &[])).unwrap_or_default()
    }

    /// The value, to be serialised: with the names of the plan's maps, by index, and of the columns that its lines
    /// have, if it holds lines.
    pub fn as_json<'v>(&'v self, maps: &'v [String], columns: &'v [String]) -> AsJson<'v> {
        AsJson { value: self, maps, columns }
    }
}

fn most_map(value: &Value) -> Option<u16> {
    match value {
        Value::Ref(link) => Some(link.map),
        Value::Item(item) => most_map(&item.value).max(item.attrs.iter().filter_map(most_map).max()),
        Value::List(values) => values.iter().filter_map(most_map).max(),
        _ => None,
    }
}

impl Serialize for AsJson<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let inner = |value| AsJson { value, ..*self };
        match self.value {
            Value::Absent => to.serialize_none(),
            Value::Text(text) => to.serialize_str(text),
            Value::Int(number) => to.serialize_i64(*number),
            Value::Decimal(number) => to.collect_str(number),
            Value::Bool(yes) => to.serialize_bool(*yes),
            Value::Date(date) => to.collect_str(date),
            Value::Instant(instant) => to.collect_str(instant),
            Value::Money(money) => {
                let mut map = to.serialize_map(Some(2))?;
                map.serialize_entry("amount", &format_args!("{}", money.amount))?;
                map.serialize_entry("currency", money.currency.as_str())?;
                map.end()
            }
            Value::Name(name) => {
                let mut map = to.serialize_map(Some(2))?;
                map.serialize_entry("given", name.given.as_str())?;
                map.serialize_entry("family", name.family.as_str())?;
                map.end()
            }
            Value::Address(address) => {
                let parts = [
                    ("line1", &address.line1),
                    ("line2", &address.line2),
                    ("city", &address.city),
                    ("region", &address.region),
                    ("postal_code", &address.postal_code),
                    ("country", &address.country),
                ];
                let mut map = to.serialize_map(None)?;
                for (name, part) in parts.iter().filter(|(_, part)| !part.is_empty()) {
                    map.serialize_entry(name, part.as_str())?;
                }
                map.end()
            }
            Value::Stage(stage) => {
                let mut map = to.serialize_map(None)?;
                map.serialize_entry("pipeline", &stage.pipeline)?;
                if let Some(name) = &stage.stage {
                    map.serialize_entry("stage", name)?;
                }
                if let Some((kind, name)) = &stage.outcome {
                    map.serialize_entry(&format_args!("{kind}"), name)?;
                }
                map.end()
            }
            Value::Ref(link) => {
                let name = self.maps.get(usize::from(link.map)).map_or("", String::as_str);
                let mut map = to.serialize_map(None)?;
                map.serialize_entry("map", name)?;
                map.serialize_entry("key", link.key.as_str())?;
                map.end()
            }
            Value::Item(item) if item.value.is_absent() && !item.attrs.is_empty() => {
                if self.columns.is_empty() {
                    let mut list = to.serialize_seq(Some(item.attrs.len()))?;
                    item.attrs.iter().try_for_each(|value| list.serialize_element(&inner(value)))?;
                    return list.end();
                }
                let mut map = to.serialize_map(None)?;
                for (name, value) in self.columns.iter().zip(&item.attrs).filter(|(_, v)| !v.is_absent()) {
                    map.serialize_entry(name, &inner(value))?;
                }
                map.end()
            }
            Value::Item(item) => match item.attrs.first().filter(|label| !label.is_absent()) {
                Some(label) => {
                    let mut map = to.serialize_map(Some(2))?;
                    map.serialize_entry("value", &inner(&item.value))?;
                    map.serialize_entry("label", &inner(label))?;
                    map.end()
                }
                None => inner(&item.value).serialize(to),
            },
            Value::List(values) => {
                let mut list = to.serialize_seq(Some(values.len()))?;
                values.iter().try_for_each(|value| list.serialize_element(&inner(value)))?;
                list.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::value::{Currency, Item, Money, OutcomeKind, RefValue, StageValue};
    use serde_json::json;

    #[test]
    fn values_have_one_form_outside() {
        let maps = ["deal".to_owned(), "company".to_owned()];
        let item = |value, attrs| Value::Item(Box::new(Item { value, attrs }));
        let link = Value::Ref(Box::new(RefValue { map: 1, others: vec![], key: "7".into(), field: None }));
        let money =
            Money { amount: rust_decimal::Decimal::new(150, 2), currency: Currency::parse("USD").unwrap() };
        let won = StageValue {
            pipeline: "Sales".to_owned(),
            stage: None,
            outcome: Some((OutcomeKind::Won, "Signed".to_owned())),
        };
        let line = item(Value::Absent, vec![link.clone(), Value::Absent]);
        let cases = [
            (Value::Absent, json!(null)),
            (Value::Int(3), json!(3)),
            (Value::Decimal(rust_decimal::Decimal::new(150, 2)), json!("1.50")),
            (Value::Money(money), json!({"amount": "1.50", "currency": "USD"})),
            (Value::Stage(Box::new(won)), json!({"pipeline": "Sales", "won": "Signed"})),
            (link.clone(), json!({"map": "company", "key": "7"})),
            (item(Value::text("x"), vec![Value::text("work")]), json!({"value": "x", "label": "work"})),
            (item(Value::text("x"), vec![Value::Absent]), json!("x")),
            (Value::List(vec![line.clone()]), json!([{"product": {"map": "company", "key": "7"}}])),
        ];
        let columns = ["product".to_owned(), "quantity".to_owned()];
        for (value, expected) in cases {
            let text = serde_json::to_string(&value.as_json(&maps, &columns)).unwrap();
            assert_eq!(text, expected.to_string());
        }
        let name = |map: u16| maps[usize::from(map)].clone();
        assert_eq!(link.to_json(&name), json!({"map": "company", "key": "7"}));
        assert_eq!(line.to_json(&name), json!([{"map": "company", "key": "7"}, null]));
    }
}
