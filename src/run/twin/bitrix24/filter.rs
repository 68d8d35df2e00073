//! Filters and sort keys over stored records (sheet 7).
//!
//! Owns prefixes, comparison by the field's type, and groups. Whether an unknown field is dropped (classic) or
//! refused (universal) is decided by the caller that resolves names.

use std::borrow::Cow;
use std::cmp::Ordering;

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use rust_decimal::Decimal;
use serde_json::Value;

use super::php::Php;
use super::portal::{Entity, Portal, Record};
use super::records::{Field, is_blank};

/// What a filter key asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Eq,
    Ne,
    Gt,
    Ge,
    Lt,
    Le,
    In,
    NotIn,
    Contains,
    NotContains,
    Like,
    NotLike,
}

/// Prefixes, longer ones first.
const PREFIXES: [(&str, Op); 16] = [
    ("!=%", Op::NotLike),
    ("!%=", Op::NotLike),
    ("!@", Op::NotIn),
    ("!%", Op::NotContains),
    ("!=", Op::Ne),
    ("=%", Op::Like),
    ("%=", Op::Like),
    (">=", Op::Ge),
    ("<=", Op::Le),
    ("=", Op::Eq),
    ("@", Op::In),
    ("%", Op::Contains),
    ("!", Op::Ne),
    (">", Op::Gt),
    ("<", Op::Lt),
    ("", Op::Eq),
];

/// Splits a filter key into its prefix and the field's name.
pub(super) fn split_key(key: &str) -> (Op, &str) {
    let found = PREFIXES.iter().find_map(|(prefix, op)| key.strip_prefix(prefix).map(|rest| (*op, rest)));
    found.unwrap_or((Op::Eq, key))
}

/// One condition on one classic code.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    pub(super) op: Op,
    pub(super) code: String,
    /// The values asked for; more than one only for lists.
    pub(super) values: Vec<String>,
}

/// A filter: conditions AND together, groups as they say.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Is(Condition),
    All(Vec<Node>),
    Any(Vec<Node>),
    /// An activity that hangs on any of these: `entityTypeId` and id.
    BoundTo(Vec<(i64, i64)>),
}

impl Condition {
    /// Reads a condition; an array value with `=` or `!` asks for membership.
    pub(super) fn new(op: Op, code: &str, value: &Php) -> Self {
        let op = match (op, value.is_array()) {
            (Op::Eq, true) => Op::In,
            (Op::Ne, true) => Op::NotIn,
            _ => op,
        };
        let values = match (op, value) {
            (Op::In | Op::NotIn, v) => v.texts(),
            // The server casts an array to a number: 1 when it holds anything.
            (_, Php::Arr(_)) => vec![value.int().to_string()],
            (_, v) => vec![v.text().map_or_else(String::new, Cow::into_owned)],
        };
        Condition { op, code: code.to_owned(), values }
    }
}

/// What a filter needs to know about a record's surroundings.
pub(super) struct Scene<'a> {
    pub(super) portal: &'a Portal,
    pub(super) entity: Entity,
    /// The server's offset, for dates without one.
    pub(super) offset: Offset,
}

impl<'a> Scene<'a> {
    fn field(&'a self, code: &'a str) -> Field<'a> {
        self.portal.field(self.entity, code).unwrap_or_else(|| Field::undescribed(code))
    }

    /// Whether a record passes.
    pub(super) fn passes(&self, node: &Node, id: i64, row: &Record) -> bool {
        match node {
            Node::All(nodes) => nodes.iter().all(|n| self.passes(n, id, row)),
            Node::Any(nodes) => nodes.iter().any(|n| self.passes(n, id, row)),
            Node::Is(condition) => self.holds(condition, id, row),
            Node::BoundTo(wanted) => self.bound(wanted, id) > 0,
        }
    }

    /// On how many of these an activity hangs.
    pub(super) fn bound(&self, wanted: &[(i64, i64)], id: i64) -> usize {
        let bindings = self.portal.bindings.get(&id);
        bindings.into_iter().flatten().filter(|binding| wanted.contains(binding)).count()
    }

    fn holds(&self, condition: &Condition, id: i64, row: &Record) -> bool {
        let field = self.field(&condition.code);
        let held = self.portal.value(self.entity, id, row, &condition.code);
        let held = held.as_deref().filter(|v| !is_blank(field, v));
        let texts = held.map(|v| texts_of(field, v)).unwrap_or_default();
        let any = |test: &dyn Fn(&str) -> bool| texts.iter().any(|t| test(t));
        let wanted = condition.values.first().map_or("", String::as_str);
        let blank_wanted = |w: &str| w.is_empty() || (w == "0" && field.is_link());
        let equals = |w: &str| {
            if field.kind == "boolean" {
                // Filters on custom booleans want 1 or 0; a blank counts as 0.
                let held = texts.first().is_some_and(|t| matches!(t.as_str(), "1" | "Y" | "true"));
                return matches!(w, "0" | "1") && held == (w == "1");
            }
            if blank_wanted(w) {
                texts.is_empty()
            } else {
                any(&|t| self.compare(field, t, w) == Some(Ordering::Equal))
            }
        };
        let no_pattern = field.is_link() || field.kind == "crm_status" || field.is_multifield();
        match condition.op {
            Op::Eq => equals(wanted),
            Op::Ne => !equals(wanted),
            Op::In => condition.values.iter().any(|w| equals(w)),
            Op::NotIn => !condition.values.iter().any(|w| equals(w)),
            Op::Gt => any(&|t| self.compare(field, t, wanted) == Some(Ordering::Greater)),
            Op::Ge => {
                any(&|t| matches!(self.compare(field, t, wanted), Some(Ordering::Greater | Ordering::Equal)))
            }
            Op::Lt => any(&|t| self.compare(field, t, wanted) == Some(Ordering::Less)),
            Op::Le => {
                any(&|t| matches!(self.compare(field, t, wanted), Some(Ordering::Less | Ordering::Equal)))
            }
            Op::Contains | Op::Like if no_pattern => false,
            Op::NotContains | Op::NotLike if no_pattern => true,
            Op::Contains => any(&|t| t.to_lowercase().contains(&wanted.to_lowercase())),
            Op::NotContains => !any(&|t| t.to_lowercase().contains(&wanted.to_lowercase())),
            Op::Like => any(&|t| like(&t.to_lowercase(), &wanted.to_lowercase())),
            Op::NotLike => !any(&|t| like(&t.to_lowercase(), &wanted.to_lowercase())),
        }
    }

    fn compare(&self, field: Field<'_>, held: &str, wanted: &str) -> Option<Ordering> {
        if field.is_number() || field.code == "ID" {
            let number = |t: &str| t.trim().parse::<Decimal>().unwrap_or_default();
            return Some(number(held).cmp(&number(wanted)));
        }
        match field.kind {
            // A date's printed calendar day counts, not its instant.
            "date" => Some(held.get(..10)?.cmp(wanted.get(..10)?)),
            "datetime" => Some(self.instant(held)?.cmp(&self.instant(wanted)?)),
            _ => Some(held.to_lowercase().cmp(&wanted.to_lowercase())),
        }
    }

    fn instant(&self, text: &str) -> Option<i64> {
        if let Ok(at) = text.parse::<jiff::Timestamp>() {
            return Some(at.as_second());
        }
        let local = text.parse::<DateTime>().ok()?;
        Some(local.to_zoned(TimeZone::fixed(self.offset)).ok()?.timestamp().as_second())
    }

    /// What a record is sorted by under a code; stages go by their `SORT`.
    pub(super) fn sort_key(&self, code: &str, id: i64, row: &Record) -> SortKey {
        let field = self.field(code);
        let held = self.portal.value(self.entity, id, row, code);
        let Some(text) = held.as_deref().and_then(|v| texts_of(field, v).into_iter().next()) else {
            return SortKey::Blank;
        };
        let stage = (self.entity == Entity::Deal && code == "STAGE_ID")
            || (self.entity == Entity::Lead && code == "STATUS_ID");
        if stage && let Some(sort) = self.portal.stage_sort(self.entity, &text) {
            return SortKey::Number(Decimal::from(sort));
        }
        if field.is_number() {
            return SortKey::Number(text.trim().parse().unwrap_or_default());
        }
        match self.instant(&text) {
            Some(second) if field.kind == "datetime" => SortKey::Number(Decimal::from(second)),
            _ => SortKey::Text(text.to_lowercase()),
        }
    }
}

/// What a record is sorted by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SortKey {
    Blank,
    Number(Decimal),
    Text(String),
}

/// The comparable texts in a stored value.
fn texts_of(field: Field<'_>, value: &Value) -> Vec<String> {
    match value {
        Value::Null => Vec::new(),
        Value::Bool(b) => vec![if *b { "1" } else { "0" }.into()],
        Value::Number(n) => vec![n.to_string()],
        Value::String(s) => vec![s.clone()],
        Value::Array(items) => items.iter().flat_map(|v| texts_of(field, v)).collect(),
        Value::Object(o) if field.is_multifield() => {
            o.get("VALUE").map(|v| texts_of(field, v)).unwrap_or_default()
        }
        Value::Object(o) => o.get("id").map(|v| texts_of(field, v)).unwrap_or_default(),
    }
}

/// SQL's LIKE with `%` only, in time linear to text × parts.
fn like(text: &str, pattern: &str) -> bool {
    let parts: Vec<&str> = pattern.split('%').collect();
    let [first, middle @ .., last] = parts.as_slice() else {
        return text == pattern;
    };
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    for part in middle {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

impl Portal {
    /// The `SORT` of a deal's or lead's stage.
    fn stage_sort(&self, entity: Entity, status: &str) -> Option<i64> {
        let directory = match (entity, status.split_once(':')) {
            (Entity::Lead, _) => "STATUS".to_owned(),
            (_, Some((prefix, _))) => format!("DEAL_STAGE_{}", prefix.trim_start_matches('C')),
            _ => "DEAL_STAGE".to_owned(),
        };
        let is =
            |row: &&Record, key: &str, wanted: &str| row.get(key).and_then(Value::as_str) == Some(wanted);
        let row =
            self.statuses.iter().find(|r| is(r, "ENTITY_ID", &directory) && is(r, "STATUS_ID", status))?;
        row.get("SORT").and_then(super::records::int_of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sheet_7_longest_prefix_wins() {
        assert_eq!(split_key(">=ID"), (Op::Ge, "ID"));
        assert_eq!(split_key("!=%TITLE"), (Op::NotLike, "TITLE"));
        assert_eq!(split_key("!@ID"), (Op::NotIn, "ID"));
        assert_eq!(split_key("TITLE"), (Op::Eq, "TITLE"));
        assert_eq!(split_key("%TITLE"), (Op::Contains, "TITLE"));
    }

    #[test]
    fn like_knows_percent_only() {
        assert!(like("acme corp", "acme%") && like("acme corp", "%corp") && like("acme corp", "a%e%p"));
        assert!(like("acme", "acme") && !like("acme", "acm") && !like("aa", "a%a%a") && like("", "%"));
    }
}
