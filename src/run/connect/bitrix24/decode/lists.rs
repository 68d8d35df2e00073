//! Lists whose elements are objects with parts of their own: product rows, bindings, communications, properties.

use std::collections::HashMap;
use std::fmt;

use compact_str::CompactString;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;

use super::kind::Kind;
use super::names::camel;
use super::scalar;
use super::slot::{Element, Loose, One, is_number};
use crate::lang::schema::{Attribute, Schema};
use crate::lang::value::{Item, Value};

/// The columns of product rows, in the order of the field's attributes.
pub(super) struct Columns {
    kinds: Vec<(String, Kind)>,
    /// By classic and universal name.
    names: HashMap<Box<str>, usize>,
}

impl Columns {
    pub(super) fn new(schema: &Schema, attributes: &[Attribute]) -> Columns {
        let mut names = HashMap::new();
        for (index, attribute) in attributes.iter().enumerate() {
            names.insert(attribute.name.as_str().into(), index);
            names.insert(camel(&attribute.name, false).into(), index);
        }
        let kind = |attribute: &Attribute| Kind::of_type(schema, &attribute.ty, false);
        Columns { kinds: attributes.iter().map(|a| (a.name.clone(), kind(a))).collect(), names }
    }
}

/// Reads a list of product rows: an item each, its value the row's id.
pub(super) fn rows<'de, D: Deserializer<'de>>(columns: &Columns, d: D) -> Result<Value, D::Error> {
    d.deserialize_any(RowsVisitor(columns))
}

struct RowsVisitor<'c>(&'c Columns);

impl<'de> Visitor<'de> for RowsVisitor<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of product rows")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Absent)
    }

    fn visit_bool<E: Error>(self, b: bool) -> Result<Value, E> {
        if b { Err(E::custom("`true` stands where rows should")) } else { Ok(Value::Absent) }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        if text.is_empty() { Ok(Value::Absent) } else { Err(E::custom("text stands where rows should")) }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut found = Vec::new();
        while let Some(row) = seq.next_element_seed(RowSeed(self.0))? {
            found.push(row);
        }
        Ok(Value::list(found))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut found = Vec::new();
        while let Some(key) = map.next_key::<Loose>()? {
            if !is_number(&key.0) {
                return Err(A::Error::custom(format!("an object with `{}` stands where rows should", key.0)));
            }
            found.push(map.next_value_seed(RowSeed(self.0))?);
        }
        Ok(Value::list(found))
    }
}

struct RowSeed<'c>(&'c Columns);

impl<'de> DeserializeSeed<'de> for RowSeed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Value, D::Error> {
        d.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RowSeed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a product row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let Columns { kinds, names } = self.0;
        let (mut value, mut attrs) = (Value::Absent, vec![Value::Absent; kinds.len()]);
        while let Some(key) = map.next_key::<CompactString>()? {
            match (names.get(key.as_str()), key.as_str()) {
                (Some(&at), _) => {
                    let (name, kind) = &kinds[at];
                    attrs[at] = map
                        .next_value_seed(One(kind))
                        .map_err(|e| A::Error::custom(format!("`{name}`: {e}")))?;
                }
                (None, "ID" | "id") => {
                    let id = map.next_value::<Loose>()?;
                    value = if id.is_blank() { Value::Absent } else { Value::Text(id.0) };
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        // A flag that is not there is not set.
        for ((_, kind), attr) in kinds.iter().zip(&mut attrs) {
            if *kind == (Kind::Bool { always: true }) && attr.is_absent() {
                *attr = Value::Bool(false);
            }
        }
        Ok(Value::Item(Box::new(Item { value, attrs })))
    }
}

/// What a record hangs on, as `crm.activity.binding.list` and communications spell it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Binding {
    #[serde(alias = "ENTITY_TYPE_ID", alias = "OWNER_TYPE_ID", rename = "entityTypeId")]
    kind: Loose,
    #[serde(alias = "ENTITY_ID", alias = "OWNER_ID", rename = "entityId")]
    id: Loose,
}

impl Element for Binding {
    fn from_scalar(_: Loose) -> Self {
        Binding::default()
    }

    fn from_map<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        Binding::deserialize(MapAccessDeserializer::new(map))
    }
}

impl Binding {
    /// `deal/17`.
    pub(super) fn into_value(self) -> Option<Value> {
        link(&self.kind, &self.id)
    }
}

fn link(kind: &Loose, id: &Loose) -> Option<Value> {
    let blank = |part: &Loose| part.is_blank() || part.0 == "0";
    (!blank(kind) && !blank(id)).then(|| Value::text(format!("{}/{}", scalar::owner_type(&kind.0), id.0)))
}

/// With whom an activity was.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Communication {
    #[serde(rename = "TYPE")]
    kind: Loose,
    #[serde(rename = "VALUE")]
    value: Loose,
    #[serde(rename = "ENTITY_TYPE_ID")]
    entity_type: Loose,
    #[serde(rename = "ENTITY_ID")]
    entity: Loose,
}

impl Element for Communication {
    fn from_scalar(value: Loose) -> Self {
        Communication { value, ..Communication::default() }
    }

    fn from_map<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        Communication::deserialize(MapAccessDeserializer::new(map))
    }
}

impl Communication {
    /// The address, with its kind and the record it belongs to. One with a record only has no address.
    pub(super) fn into_value(self) -> Option<Value> {
        let text = |part: Loose| if part.is_blank() { Value::Absent } else { Value::Text(part.0) };
        let entity = link(&self.entity_type, &self.entity).unwrap_or_default();
        let value = text(self.value);
        (!value.is_absent() || !entity.is_absent())
            .then(|| Value::Item(Box::new(Item { value, attrs: vec![text(self.kind), entity] })))
    }
}

/// The values of a product's property: `{"value": …, "valueId": …}`, or a list of these (sheet §6).
pub(super) fn property(json: &Json) -> Vec<Value> {
    match json {
        Json::Object(map) if map.contains_key("value") => map.get("value").map(property).unwrap_or_default(),
        // HTML properties hold their text in another object.
        Json::Object(map) if map.contains_key("TEXT") => map.get("TEXT").map(property).unwrap_or_default(),
        Json::Object(map) => map.values().flat_map(property).collect(),
        Json::Array(list) => list.iter().flat_map(property).collect(),
        Json::String(text) if !text.is_empty() => vec![Value::text(text)],
        Json::Number(number) => vec![Value::text(number.to_string())],
        Json::Bool(true) => vec![Value::text("true")],
        _ => Vec::new(),
    }
}
