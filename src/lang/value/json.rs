//! Values as JSON, for `b2n transform` and golden records: one form, documented in the book, stable.

use serde_json::{Value as Json, json};

use super::Value;

impl Value {
    /// The value as JSON. Decimals are texts, so that no reader turns them into floats; a link names its map, which
    /// `map` knows by index. An absent value is null.
    pub fn to_json(&self, map: &dyn Fn(u16) -> String) -> Json {
        match self {
            Value::Absent => Json::Null,
            Value::Text(text) => Json::String(text.to_string()),
            Value::Int(number) => json!(number),
            Value::Decimal(number) => Json::String(number.to_string()),
            Value::Bool(yes) => json!(yes),
            Value::Date(date) => Json::String(date.to_string()),
            Value::Instant(instant) => Json::String(instant.to_string()),
            Value::Money(money) => {
                json!({"amount": money.amount.to_string(), "currency": money.currency.as_str()})
            }
            Value::Name(name) => json!({"given": name.given.as_str(), "family": name.family.as_str()}),
            Value::Address(address) => {
                let parts = [
                    ("line1", &address.line1),
                    ("line2", &address.line2),
                    ("city", &address.city),
                    ("region", &address.region),
                    ("postal_code", &address.postal_code),
                    ("country", &address.country),
                ];
                parts
                    .iter()
                    .filter(|(_, part)| !part.is_empty())
                    .map(|(name, part)| ((*name).to_owned(), json!(part.as_str())))
                    .collect()
            }
            Value::Stage(stage) => {
                let mut json = json!({"pipeline": stage.pipeline});
                if let Some(name) = &stage.stage {
                    json["stage"] = json!(name);
                }
                if let Some((kind, name)) = &stage.outcome {
                    json[kind.to_string()] = json!(name);
                }
                json
            }
            Value::Ref(link) => json!({"map": map(link.map), "key": link.key.as_str()}),
            Value::Item(item) => match item.attrs.first().filter(|label| !label.is_absent()) {
                Some(label) => json!({"value": item.value.to_json(map), "label": label.to_json(map)}),
                None => item.value.to_json(map),
            },
            Value::List(values) => values.iter().map(|value| value.to_json(map)).collect(),
        }
    }
}
