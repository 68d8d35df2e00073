//! Parameters as the server's language sees them: ordered maps, loose scalars.
//!
//! Owns decoding of query strings, forms and JSON into one tree, and the rules by which PHP turns arrays back into
//! JSON. Knows no method and no record.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Deeper bracket nesting than this is dropped, as PHP's `max_input_nesting_level` does.
const MAX_NESTING: usize = 64;
/// More form variables than this are dropped, as PHP's `max_input_vars` does.
const MAX_VARS: usize = 20_000;

/// One parameter value. Arrays are ordered maps: the order of `order[...]` and of batch commands matters.
#[derive(Clone, Debug, PartialEq, Default)]
pub(super) enum Php {
    #[default]
    Null,
    Bool(bool),
    Num(Number),
    Str(String),
    Arr(Vec<(String, Php)>),
}

impl Php {
    /// An empty array.
    pub(super) fn empty() -> Self {
        Php::Arr(Vec::new())
    }

    /// The value under `key`, the last one when a key came twice.
    pub(super) fn get(&self, key: &str) -> Option<&Php> {
        match self {
            Php::Arr(items) => items.iter().rev().find(|(k, _)| k == key).map(|(_, v)| v),
            _ => None,
        }
    }

    /// The value under the first of `keys` that is present and not null.
    pub(super) fn get_any(&self, keys: &[&str]) -> Option<&Php> {
        keys.iter().find_map(|k| self.get(k).filter(|v| **v != Php::Null))
    }

    /// Sets `key`, keeping its first position.
    pub(super) fn set(&mut self, key: &str, value: Php) {
        if let Php::Arr(items) = self {
            match items.iter_mut().find(|(k, _)| k == key) {
                Some(slot) => slot.1 = value,
                None => items.push((key.to_owned(), value)),
            }
        }
    }

    /// Takes a key out of an array.
    pub(super) fn remove(&mut self, key: &str) -> Option<Php> {
        let Php::Arr(items) = self else { return None };
        let at = items.iter().rposition(|(k, _)| k == key)?;
        Some(items.remove(at).1)
    }

    /// The entries of an array; a scalar has none.
    pub(super) fn entries(&self) -> &[(String, Php)] {
        match self {
            Php::Arr(items) => items,
            _ => &[],
        }
    }

    /// Whether this is an array.
    pub(super) fn is_array(&self) -> bool {
        matches!(self, Php::Arr(_))
    }

    /// The scalar as text, as PHP's string cast gives it; `None` for arrays.
    pub(super) fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Php::Null | Php::Bool(false) => Some(Cow::Borrowed("")),
            Php::Bool(true) => Some(Cow::Borrowed("1")),
            Php::Num(n) => Some(Cow::Owned(n.to_string())),
            Php::Str(s) => Some(Cow::Borrowed(s)),
            Php::Arr(_) => None,
        }
    }

    /// PHP's integer cast: leading digits count, anything else is 0, a filled array is 1.
    pub(super) fn int(&self) -> i64 {
        match self {
            Php::Arr(items) => i64::from(!items.is_empty()),
            Php::Num(n) => n.as_i64().or_else(|| n.as_f64().map(|f| f as i64)).unwrap_or(0),
            other => other.text().map_or(0, |t| leading_int(&t)),
        }
    }

    /// PHP's boolean cast, with the word `false` and `N` taken as false, as the REST module does for flags.
    pub(super) fn flag(&self) -> bool {
        match self {
            Php::Arr(items) => !items.is_empty(),
            other => {
                !matches!(other.text().as_deref(), Some("" | "0" | "N" | "n" | "false" | "FALSE") | None)
            }
        }
    }

    /// The values of an array as texts, or the single scalar; nested arrays are left out.
    pub(super) fn texts(&self) -> Vec<String> {
        match self {
            Php::Arr(items) => items.iter().filter_map(|(_, v)| v.text().map(Cow::into_owned)).collect(),
            Php::Null => Vec::new(),
            other => other.text().map(Cow::into_owned).into_iter().collect(),
        }
    }

    /// JSON by PHP's rule: keys 0, 1, 2 … without gaps give an array, an empty array gives `[]`, others an object.
    pub(super) fn to_json(&self) -> Value {
        match self {
            Php::Null => Value::Null,
            Php::Bool(b) => Value::Bool(*b),
            Php::Num(n) => Value::Number(n.clone()),
            Php::Str(s) => Value::String(s.clone()),
            Php::Arr(items) => json_array(items.iter().map(|(k, v)| (k.clone(), v.to_json())).collect()),
        }
    }

    /// A result tree read back, for references between batch commands.
    pub(super) fn from_json(value: &Value) -> Self {
        match value {
            Value::Null => Php::Null,
            Value::Bool(b) => Php::Bool(*b),
            Value::Number(n) => Php::Num(n.clone()),
            Value::String(s) => Php::Str(s.clone()),
            Value::Array(a) => {
                Php::Arr(a.iter().enumerate().map(|(i, v)| (i.to_string(), Php::from_json(v))).collect())
            }
            Value::Object(o) => Php::Arr(o.iter().map(|(k, v)| (k.clone(), Php::from_json(v))).collect()),
        }
    }
}

/// The integer at the start of a text, 0 when there is none.
fn leading_int(text: &str) -> i64 {
    let text = text.trim_start();
    let sign = usize::from(text.starts_with(['-', '+']));
    let digits = text[sign..].bytes().take_while(u8::is_ascii_digit).count();
    text[..sign + digits].parse().unwrap_or(0)
}

/// PHP's key rule for a map of results (sheet 1.4, 5): list, `[]` or object.
pub(super) fn json_array(entries: Vec<(String, Value)>) -> Value {
    let is_list = entries.iter().enumerate().all(|(i, (k, _))| *k == i.to_string());
    if is_list {
        Value::Array(entries.into_iter().map(|(_, v)| v).collect())
    } else {
        Value::Object(entries.into_iter().collect::<Map<String, Value>>())
    }
}

impl<'de> Deserialize<'de> for Php {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Tree;
        impl<'de> Visitor<'de> for Tree {
            type Value = Php;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any JSON value")
            }
            fn visit_unit<E>(self) -> Result<Php, E> {
                Ok(Php::Null)
            }
            fn visit_bool<E>(self, v: bool) -> Result<Php, E> {
                Ok(Php::Bool(v))
            }
            fn visit_i64<E>(self, v: i64) -> Result<Php, E> {
                Ok(Php::Num(v.into()))
            }
            fn visit_u64<E>(self, v: u64) -> Result<Php, E> {
                Ok(Php::Num(v.into()))
            }
            fn visit_f64<E>(self, v: f64) -> Result<Php, E> {
                Ok(Number::from_f64(v).map_or(Php::Null, Php::Num))
            }
            fn visit_str<E>(self, v: &str) -> Result<Php, E> {
                Ok(Php::Str(v.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Php, A::Error> {
                let mut items = Vec::new();
                while let Some(v) = seq.next_element()? {
                    items.push((items.len().to_string(), v));
                }
                Ok(Php::Arr(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Php, A::Error> {
                let mut items = Vec::new();
                while let Some(entry) = map.next_entry::<String, Php>()? {
                    items.push(entry);
                }
                Ok(Php::Arr(items))
            }
        }
        deserializer.deserialize_any(Tree)
    }
}

/// Decodes `%41` and `+`; a broken escape stands for itself, bad UTF-8 becomes the replacement character.
pub(super) fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&b) = bytes.get(at) {
        let hex = |i: usize| bytes.get(i).and_then(|c| (*c as char).to_digit(16));
        match (b, hex(at + 1), hex(at + 2)) {
            (b'%', Some(hi), Some(lo)) => {
                out.push((hi * 16 + lo) as u8);
                at += 3;
            }
            (b'+', ..) => {
                out.push(b' ');
                at += 1;
            }
            _ => {
                out.push(b);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Reads a query or form string with PHP's bracket rules (sheet 1.2).
pub(super) fn parse_query(text: &str) -> Php {
    let mut tree = Php::empty();
    for pair in text.split('&').filter(|p| !p.is_empty()).take(MAX_VARS) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        insert_bracketed(&mut tree, &percent_decode(key), Php::Str(percent_decode(value)));
    }
    tree
}

/// Puts a value at `a[b][]`.
pub(super) fn insert_bracketed(tree: &mut Php, key: &str, value: Php) {
    let (head, rest) = match key.find('[') {
        // A leading bracket is no array in PHP: the name is taken as it stands.
        Some(at) if at > 0 => key.split_at(at),
        _ => (key, ""),
    };
    if head.is_empty() {
        return;
    }
    let mut path = vec![head];
    let mut rest = rest;
    while let Some(inner) = rest.strip_prefix('[') {
        let Some(end) = inner.find(']') else { break };
        path.push(&inner[..end]);
        rest = &inner[end + 1..];
    }
    if path.len() > MAX_NESTING {
        return;
    }
    let mut node = tree;
    for step in &path {
        if !node.is_array() {
            *node = Php::empty();
        }
        let Php::Arr(items) = node else { return };
        let at = match items.iter().position(|(k, _)| !step.is_empty() && k == step) {
            Some(at) => at,
            None => {
                let key = if step.is_empty() { next_index(items) } else { (*step).to_owned() };
                items.push((key, Php::Null));
                items.len() - 1
            }
        };
        node = &mut items[at].1;
    }
    *node = value;
}

/// The key that PHP gives to `a[]`: one more than the largest integer key.
fn next_index(items: &[(String, Php)]) -> String {
    let largest = items.iter().filter_map(|(k, _)| k.parse::<u64>().ok()).max();
    largest.map_or(0, |n| n.saturating_add(1)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_nest_and_number_themselves() {
        let p = parse_query("filter%5B%3EID%5D=10&select[]=ID&select[]=TITLE&fields[PHONE][0][VALUE]=%2B1+2");
        assert_eq!(p.get("filter").and_then(|f| f.get(">ID")), Some(&Php::Str("10".into())));
        assert_eq!(p.get("select").map(Php::texts), Some(vec!["ID".to_owned(), "TITLE".to_owned()]));
        let value = p
            .get("fields")
            .and_then(|f| f.get("PHONE"))
            .and_then(|f| f.get("0"))
            .and_then(|f| f.get("VALUE"));
        assert_eq!(value, Some(&Php::Str("+1 2".into())));
    }

    #[test]
    fn json_keeps_the_order_of_keys() {
        let p: Php =
            serde_json::from_str(r#"{"order":{"TITLE":"ASC","ID":"DESC"},"n":[1,null,true]}"#).unwrap();
        let keys: Vec<_> = p.get("order").unwrap().entries().iter().map(|(k, _)| k.as_str()).collect();
        assert_eq!(keys, ["TITLE", "ID"]);
        assert_eq!(p.get("n").unwrap().to_json(), serde_json::json!([1, null, true]));
    }

    #[test]
    fn arrays_with_gaps_become_objects_and_empty_ones_lists() {
        assert_eq!(json_array(vec![]), serde_json::json!([]));
        let v = |k: &str| (k.to_owned(), Value::from(k));
        assert_eq!(json_array(vec![v("0"), v("1")]), serde_json::json!(["0", "1"]));
        assert_eq!(json_array(vec![v("1"), v("2")]), serde_json::json!({"1": "1", "2": "2"}));
    }

    #[test]
    fn casts_follow_php() {
        assert_eq!(Php::Str("12abc".into()).int(), 12);
        assert_eq!(Php::Str("-1".into()).int(), -1);
        assert_eq!(Php::Str("é".into()).int(), 0);
        assert_eq!(Php::Arr(vec![("0".into(), Php::Null)]).int(), 1);
        assert!(!Php::Str("0".into()).flag() && Php::Str("1".into()).flag() && !Php::Bool(false).flag());
    }
}
