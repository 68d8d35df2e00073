//! Hides what people would be known by: every value becomes a salted hash, and stays the same one wherever it stands.
//!
//! A text is left as it is only where it is the plan's own word. What the destination answered, and what a rule says of a
//! value, may quote one.

use std::collections::HashSet;

use serde_json::Value as Json;

use crate::lang::plan::Plan;

/// What texts go through on their way into a report.
pub enum Veil {
    /// Everything is shown.
    Open,
    /// Values are hashed.
    Hashed {
        /// Nobody has it who has the report alone.
        salt: String,
        /// Texts that stand in the plan, and are nobody's.
        known: HashSet<String>,
    },
}

impl Veil {
    /// One that hashes with a salt.
    pub fn hashed(salt: &str, plan: &Plan) -> Veil {
        let mut known = HashSet::new();
        if let Ok(plan) = serde_json::to_value(plan) {
            gather(&plan, &mut known);
        }
        Veil::Hashed { salt: salt.to_owned(), known }
    }

    /// Whether it hides anything.
    pub fn hides(&self) -> bool {
        matches!(self, Veil::Hashed { .. })
    }

    /// A value of a record, or a person's name.
    pub fn value(&self, text: &str) -> String {
        match self {
            Veil::Hashed { salt, .. } if !text.is_empty() => hash(salt, text),
            _ => text.to_owned(),
        }
    }

    /// Why something is as it is: the plan's own words are shown.
    pub fn reason(&self, text: &str) -> String {
        match self {
            Veil::Hashed { known, .. } if known.contains(text) => text.to_owned(),
            _ => self.value(text),
        }
    }
}

fn hash(salt: &str, text: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(salt.len() as u64).to_le_bytes());
    hasher.update(salt.as_bytes());
    hasher.update(text.as_bytes());
    format!("#{}", &hasher.finalize().to_hex()[..12])
}

fn gather(json: &Json, into: &mut HashSet<String>) {
    match json {
        Json::String(text) => {
            into.insert(text.clone());
        }
        Json::Array(all) => all.iter().for_each(|one| gather(one, into)),
        Json::Object(all) => all.values().for_each(|one| gather(one, into)),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_one_hash_under_one_salt_and_the_plans_words_stay() {
        let known = HashSet::from(["a template".to_owned()]);
        let veil = |salt: &str| Veil::Hashed { salt: salt.to_owned(), known: known.clone() };
        let (one, other) = (veil("a"), veil("b"));
        assert_eq!(one.value("Zebra"), one.value("Zebra"));
        assert_ne!(one.value("Zebra"), other.value("Zebra"));
        assert_ne!(one.value("Zebra"), one.value("zebra"));
        assert!(one.value("Zebra").starts_with('#') && one.value("Zebra").len() == 13);
        assert_eq!(one.value(""), "");
        assert_eq!(one.reason("a template"), "a template");
        assert_eq!(one.value("a template").len(), 13, "as a value it is somebody's");
        assert_eq!(one.reason("`Zebra` is no phone number"), one.value("`Zebra` is no phone number"));
        assert_eq!((Veil::Open.value("Zebra"), Veil::Open.reason("x")), ("Zebra".to_owned(), "x".to_owned()));
    }
}
