//! Request bodies as JSON that keeps the order of keys: the first of several phones is the primary one.
//!
//! Knows nothing of the company or of any method.

use std::fmt;

use rust_decimal::Decimal;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

/// A JSON value with its keys in the order in which they were sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Num(Number),
    Str(String),
    Arr(Vec<Json>),
    Obj(Vec<(String, Json)>),
}

/// What a missing key stands for.
pub static NULL: Json = Json::Null;

impl Json {
    /// Parses bytes; nesting is bounded by the parser.
    pub fn parse(bytes: &[u8]) -> Option<Json> {
        serde_json::from_slice(bytes).ok()
    }

    /// The value of a key; the last one wins when a key was sent twice.
    pub fn get(&self, key: &str) -> Option<&Json> {
        match self {
            Json::Obj(entries) => entries.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The value of a key, or null.
    pub fn at(&self, key: &str) -> &Json {
        self.get(key).unwrap_or(&NULL)
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Json::Null)
    }

    pub fn str(&self) -> Option<&str> {
        match self {
            Json::Str(text) => Some(text),
            _ => None,
        }
    }

    /// A scalar as text, as a loosely typed server takes it.
    pub fn text(&self) -> Option<String> {
        match self {
            Json::Str(text) => Some(text.clone()),
            Json::Num(number) => Some(number.to_string()),
            Json::Bool(flag) => Some(if *flag { "1" } else { "" }.to_owned()),
            _ => None,
        }
    }

    /// A scalar as text that is not blank.
    pub fn filled(&self) -> Option<String> {
        self.text().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// An integer, also one that was sent as a string.
    pub fn int(&self) -> Option<i64> {
        match self {
            Json::Num(number) => number.as_i64(),
            Json::Str(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// A decimal, also one that was sent as a string.
    pub fn decimal(&self) -> Option<Decimal> {
        let text = match self {
            Json::Num(number) => number.to_string(),
            Json::Str(text) => text.trim().to_owned(),
            _ => return None,
        };
        Decimal::from_str_exact(&text).or_else(|_| Decimal::from_scientific(&text)).ok()
    }

    /// Whether the value counts as true.
    pub fn flag(&self) -> bool {
        match self {
            Json::Bool(flag) => *flag,
            Json::Num(number) => number.as_f64() != Some(0.0),
            Json::Str(text) => !matches!(text.as_str(), "" | "0" | "false"),
            _ => false,
        }
    }

    /// The elements of a list; an object counts as the list of its values, as PHP arrays do.
    pub fn list(&self) -> Vec<&Json> {
        match self {
            Json::Arr(items) => items.iter().collect(),
            Json::Obj(entries) => entries.iter().map(|(_, value)| value).collect(),
            _ => Vec::new(),
        }
    }

    /// The entries of an object; everything else has none.
    pub fn entries(&self) -> &[(String, Json)] {
        match self {
            Json::Obj(entries) => entries,
            _ => &[],
        }
    }

    /// The same value as a tree; the last of equal keys counts.
    pub fn to_value(&self) -> Value {
        match self {
            Json::Null => Value::Null,
            Json::Bool(flag) => Value::Bool(*flag),
            Json::Num(number) => Value::Number(number.clone()),
            Json::Str(text) => Value::String(text.clone()),
            Json::Arr(items) => items.iter().map(Json::to_value).collect(),
            Json::Obj(entries) => {
                Value::Object(entries.iter().map(|(name, value)| (name.clone(), value.to_value())).collect())
            }
        }
    }
}

impl From<&Value> for Json {
    fn from(value: &Value) -> Json {
        match value {
            Value::Null => Json::Null,
            Value::Bool(flag) => Json::Bool(*flag),
            Value::Number(number) => Json::Num(number.clone()),
            Value::String(text) => Json::Str(text.clone()),
            Value::Array(items) => Json::Arr(items.iter().map(Json::from).collect()),
            Value::Object(entries) => {
                Json::Obj(entries.iter().map(|(name, value)| (name.clone(), Json::from(value))).collect())
            }
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Json, E> {
        Ok(Json::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Num(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(Json::Num(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json, E> {
        Ok(Number::from_f64(number).map_or(Json::Null, Json::Num))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Str(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Json, E> {
        Ok(Json::Str(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Json::Arr(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Json::Obj(entries))
    }
}

/// A decimal as a JSON number.
pub fn number(amount: Decimal) -> Value {
    serde_json::from_str(&amount.normalize().to_string()).unwrap_or(Value::Null)
}
