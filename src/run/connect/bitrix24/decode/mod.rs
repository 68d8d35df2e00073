//! From a staged Bitrix24 record to slots.
//!
//! Owns every spelling that the API has for a value (sheet §1.4, §6, §8): classic records with strings for numbers,
//! universal ones in camelCase with `fm`, five kinds of truth, six kinds of nothing. Knows the schema it was built
//! from and no request. One pass over the JSON; what fields there are and how each is read is worked out once.

mod kind;
mod lists;
mod names;
mod scalar;
mod slot;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use self::kind::{Kind, Shape};
use self::lists::Columns;
use self::names::{Names, Place};
pub use self::scalar::{entity_type, owner_type, short_code, stage_code};
use self::slot::{ElementsSeed, Multi, SlotSeed, multifield};
use crate::lang::schema::{Object, Schema};
use crate::lang::types::Base;
use crate::lang::value::{Record, Value};
use crate::run::connect::Decode;

/// The multifields, in which `fm` of universal records comes apart.
pub(super) const MULTIFIELDS: [&str; 5] = ["PHONE", "EMAIL", "WEB", "IM", "LINK"];

/// Reads staged records of one object.
pub struct Decoder {
    object: String,
    slots: Vec<Slot>,
    names: Names,
    id: Option<usize>,
    multifields: [Option<usize>; 5],
    links: Vec<(usize, Option<usize>)>,
}

struct Slot {
    name: String,
    kind: Kind,
    shape: Shape,
    columns: Option<Columns>,
}

impl Decoder {
    /// The decoder of an object of this schema.
    pub fn new(schema: &Schema, object: &Object) -> Decoder {
        let slots: Vec<Slot> = object
            .fields
            .iter()
            .map(|field| Slot {
                name: field.name.clone(),
                kind: Kind::of(schema, field),
                shape: match field.attributes.first() {
                    Some(a) if a.name == "VALUE_TYPE" => Shape::Multifield,
                    Some(a) if a.name == "IS_PRIMARY" => Shape::Links,
                    Some(_) if field.ty.base == Base::Record => Shape::Rows,
                    Some(_) if field.name == "COMMUNICATIONS" => Shape::Communications,
                    None if field.name == "BINDINGS" && field.ty.base == Base::AnyLink => Shape::Bindings,
                    None if object.name == "product" && field.name.starts_with("PROPERTY_") => {
                        Shape::Property { many: field.ty.many }
                    }
                    _ if field.ty.many => Shape::Many,
                    _ => Shape::One,
                },
                columns: (field.ty.base == Base::Record).then(|| Columns::new(schema, &field.attributes)),
            })
            .collect();
        let links = slots.iter().enumerate().filter(|(_, s)| s.shape == Shape::Links);
        let links = links.map(|(i, s)| (i, object.slot(s.name.trim_end_matches('S')))).collect();
        Decoder {
            object: object.name.clone(),
            names: Names::new(object, |slot| slots[slot].shape == Shape::Multifield),
            id: object.slot("ID"),
            multifields: MULTIFIELDS.map(|name| object.slot(name)),
            links,
            slots,
        }
    }

    /// Reads one record, and names the keys that no field of the schema has.
    ///
    /// # Errors
    /// As for [`Decode::decode`].
    pub fn decode_naming_unknown(&self, json: &[u8]) -> Result<(Record, Vec<String>), String> {
        let mut unknown = Vec::new();
        let record = self.run(json, Some(&mut unknown))?;
        Ok((record, unknown))
    }

    fn run(&self, json: &[u8], unknown: Option<&mut Vec<String>>) -> Result<Record, String> {
        let mut d = serde_json::Deserializer::from_slice(json);
        let mut record = RecordSeed { decoder: self, unknown }
            .deserialize(&mut d)
            .map_err(|e| self.wrong(&e.to_string()))?;
        d.end().map_err(|e| self.wrong(&e.to_string()))?;
        if let Some(id) = self.id
            && record[id].is_absent()
        {
            return Err(self.wrong("it has no id"));
        }
        for &(list, primary) in &self.links {
            complete_links(&mut record, list, primary);
        }
        Ok(record)
    }

    fn wrong(&self, why: &str) -> String {
        format!("not a record of `{}`: {why}", self.object)
    }
}

impl Decode for Decoder {
    fn decode(&self, json: &[u8]) -> Result<Record, String> {
        self.run(json, None)
    }
}

/// Universal records name linked ids only: the primary one is the one in the single field, else the first; places
/// go in tens, as the API gives them out (sheet §16.4).
fn complete_links(record: &mut Record, list: usize, primary: Option<usize>) {
    let main = primary.map_or(Value::Absent, |slot| record[slot].clone());
    let Value::List(items) = &mut record[list] else { return };
    let main_is_listed = items.iter().any(|i| matches!(i, Value::Item(item) if item.value == main));
    for (index, item) in items.iter_mut().enumerate() {
        let Value::Item(item) = item else { continue };
        let is_main = if main_is_listed { item.value == main } else { index == 0 };
        if let [first, sort] = item.attrs.as_mut_slice() {
            if first.is_absent() {
                *first = Value::Bool(is_main);
            }
            if sort.is_absent() {
                *sort = Value::Int(i64::try_from(index).map_or(i64::MAX, |i| (i + 1) * 10));
            }
        }
    }
}

struct RecordSeed<'d, 'u> {
    decoder: &'d Decoder,
    unknown: Option<&'u mut Vec<String>>,
}

impl<'de> DeserializeSeed<'de> for RecordSeed<'_, '_> {
    type Value = Record;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Record, D::Error> {
        d.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RecordSeed<'_, '_> {
    type Value = Record;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of fields")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Record, A::Error> {
        let decoder = self.decoder;
        let mut record = vec![Value::Absent; decoder.slots.len()];
        let mut cursor = decoder.names.cursor();
        while let Some(place) = map.next_key_seed(cursor.key(self.unknown.as_deref_mut()))? {
            match place {
                Place::Slot(slot) => {
                    let Slot { name, kind, shape, columns } = &decoder.slots[slot];
                    record[slot] = map
                        .next_value_seed(SlotSeed { kind, shape: *shape, columns: columns.as_ref() })
                        .map_err(|e| A::Error::custom(format!("`{name}`: {e}")))?;
                }
                Place::Fm => {
                    let mut found: [Vec<Multi>; 5] = Default::default();
                    map.next_value_seed(ElementsSeed(&mut |multi: Multi| {
                        if let Some(at) = MULTIFIELDS.iter().position(|m| *m == multi.type_id.0) {
                            found[at].push(multi);
                        }
                    }))
                    .map_err(|e| A::Error::custom(format!("`fm`: {e}")))?;
                    for (slot, found) in decoder.multifields.iter().zip(found) {
                        if let (Some(slot), false) = (slot, found.is_empty()) {
                            record[*slot] = multifield(found);
                        }
                    }
                }
                Place::Nowhere => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        cursor.learn();
        Ok(record)
    }
}
