//! What is remembered of a record that was read back, to see later whether a person has changed it since.
//!
//! A hash for each field, never the value. What a system makes up itself, such as counts and times of change, is no
//! part of it. Knows no system.

use std::collections::BTreeMap;

use serde_json::Value as Json;

/// A record's fields as hashes, and the links that are written from its side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imprint {
    /// By field; empty ones are left out.
    pub fields: BTreeMap<String, u64>,
    /// Objects and ids of the records that it links to from its own side.
    pub links: Vec<(String, String)>,
    /// When the system says that it was last changed, Unix milliseconds. Only told where that is the record's own
    /// change.
    pub changed_ms: Option<i64>,
}

impl Imprint {
    /// The fields in which two imprints differ, in order of name.
    pub fn differing(&self, other: &Imprint) -> Vec<String> {
        let names = self.fields.keys().chain(other.fields.keys());
        let mut names: Vec<&String> =
            names.filter(|name| self.fields.get(*name) != other.fields.get(*name)).collect();
        names.sort();
        names.dedup();
        names.into_iter().cloned().collect()
    }
}

/// Something that hangs on a record: an entry of its timeline, or a record that links to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Child {
    /// Its object, as specs write it; one that no spec can write bears the system's own word.
    pub object: String,
    /// Its id.
    pub id: String,
}

/// What became of something provisioned that was to be taken away again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removal {
    /// It is gone.
    Removed,
    /// It was not there.
    Absent,
    /// So many records use it.
    Used(u64),
    /// The API cannot; why.
    Impossible(String),
}

/// Whether a record is about to go, given its object and id.
pub type Goes<'a> = &'a dyn Fn(&str, &str) -> bool;

/// A hash of a value that does not depend on the order of an object's keys.
pub fn hash(value: &Json) -> u64 {
    let mut text = String::new();
    write(value, &mut text);
    let bytes = blake3::hash(text.as_bytes());
    let first: [u8; 8] = std::array::from_fn(|at| bytes.as_bytes()[at]);
    u64::from_le_bytes(first)
}

fn write(value: &Json, out: &mut String) {
    match value {
        Json::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            out.push('{');
            for key in keys {
                out.push_str(&Json::String(key.clone()).to_string());
                out.push(':');
                write(&map[key.as_str()], out);
                out.push(',');
            }
            out.push('}');
        }
        Json::Array(list) => {
            out.push('[');
            for value in list {
                write(value, out);
                out.push(',');
            }
            out.push(']');
        }
        plain => out.push_str(&plain.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_order_of_keys_does_not_count_and_everything_else_does() {
        let value = json!({"a": 1, "b": [{"x": "1", "y": null}]});
        assert_eq!(hash(&value), hash(&json!({"b": [{"y": null, "x": "1"}], "a": 1})));
        for other in [json!({"a": "1", "b": []}), json!({"a": 1}), json!([1]), json!("1"), json!(1)] {
            assert_ne!(hash(&value), hash(&other));
        }
        assert_ne!(hash(&json!(["a", "b"])), hash(&json!(["ab"])));
        assert_ne!(hash(&json!(["a", "b"])), hash(&json!(["b", "a"])));
    }

    #[test]
    fn differing_fields_are_named_from_both_sides() {
        let of = |fields: &[(&str, u64)]| Imprint {
            fields: fields.iter().map(|(name, hash)| ((*name).to_owned(), *hash)).collect(),
            ..Imprint::default()
        };
        let found = of(&[("a", 1), ("b", 2), ("d", 4)]).differing(&of(&[("a", 1), ("b", 3), ("c", 5)]));
        assert_eq!(found, ["b", "c", "d"]);
    }
}
