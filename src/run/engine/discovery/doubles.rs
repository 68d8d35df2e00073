//! Records that occur twice: by telephone, by e-mail address, by name. Keeps hashes and ids, never values.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Serialize;

use crate::lang::schema::Object;
use crate::lang::value::{Record, Value};
use crate::run::connect::survey::Roles;

/// Clusters that are shown, the largest first, and ids of each.
const SHOWN: usize = 10;
/// Digits of a telephone number that are compared, from its end: prefixes are written in too many ways.
const DIGITS: usize = 10;
/// Fewer digits are an extension, not a number.
const FEWEST: usize = 7;

/// The doubles of an object by one kind of value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Doubles {
    /// The object.
    pub object: String,
    /// `phone`, `e-mail`, `name`.
    pub by: &'static str,
    /// Values that more than one record has.
    pub clusters: u64,
    /// Records that share one.
    pub records: u64,
    /// The ids in the largest clusters, at most ten of each.
    pub largest: Vec<Vec<String>>,
}

/// Looks for doubles as records go by.
pub(super) struct Finder<'s> {
    object: &'s Object,
    ways: Vec<Way>,
    ids: Vec<Box<str>>,
}

struct Way {
    by: &'static str,
    slots: Vec<usize>,
    normal: fn(&str) -> Option<String>,
    /// Hash of a value, and the record's place.
    seen: Vec<(u64, u32)>,
}

impl<'s> Finder<'s> {
    pub(super) fn new(object: &'s Object, roles: Roles) -> Self {
        let way = |by, slots: Vec<Option<usize>>, normal: fn(&str) -> Option<String>| {
            let slots: Vec<usize> = slots.into_iter().flatten().collect();
            (!slots.is_empty()).then(|| Way { by, slots, normal, seen: Vec::new() })
        };
        let slot = |name: &str| object.slot(name);
        let ways = [
            way("phone", vec![roles.phones.and_then(slot)], phone),
            way("e-mail", vec![roles.emails.and_then(slot)], plain),
            way("name", roles.name.iter().map(|name| slot(name)).collect(), plain),
        ];
        Finder { object, ways: ways.into_iter().flatten().collect(), ids: Vec::new() }
    }

    /// Looks at a record.
    pub(super) fn add(&mut self, key: &str, record: &Record) {
        if self.ways.is_empty() {
            return;
        }
        let Ok(place) = u32::try_from(self.ids.len()) else { return };
        self.ids.push(key.into());
        for way in &mut self.ways {
            let mut texts = Vec::new();
            for slot in &way.slots {
                if let Some(value) = record.get(*slot) {
                    collect(value, &mut texts);
                }
            }
            // The parts of a name are one value; several numbers are several.
            let name = texts.join(" ");
            if way.by == "name" {
                texts = vec![&name];
            }
            let mut hashes: Vec<u64> =
                texts.iter().filter_map(|text| (way.normal)(text)).map(|text| hash(&text)).collect();
            hashes.sort_unstable();
            hashes.dedup();
            way.seen.extend(hashes.into_iter().map(|hash| (hash, place)));
        }
    }

    /// What was found.
    pub(super) fn finish(self) -> Vec<Doubles> {
        let Finder { object, ways, ids } = self;
        let found = |mut way: Way| {
            way.seen.sort_unstable();
            let mut clusters: Vec<&[(u64, u32)]> =
                way.seen.chunk_by(|a, b| a.0 == b.0).filter(|cluster| cluster.len() > 1).collect();
            let mut records: Vec<u32> =
                clusters.iter().flat_map(|c| c.iter().map(|(_, place)| *place)).collect();
            records.sort_unstable();
            records.dedup();
            clusters.sort_by_key(|cluster| (std::cmp::Reverse(cluster.len()), cluster[0].1));
            let named = |cluster: &&[(u64, u32)]| -> Vec<String> {
                cluster.iter().take(SHOWN).map(|(_, place)| ids[*place as usize].to_string()).collect()
            };
            Doubles {
                object: object.name.clone(),
                by: way.by,
                clusters: clusters.len() as u64,
                records: records.len() as u64,
                largest: clusters.iter().take(SHOWN).map(named).collect(),
            }
        };
        ways.into_iter().map(found).collect()
    }
}

fn collect<'v>(value: &'v Value, out: &mut Vec<&'v str>) {
    match value {
        Value::Text(text) => out.push(text),
        Value::Item(item) => collect(&item.value, out),
        Value::List(values) => values.iter().for_each(|value| collect(value, out)),
        _ => {}
    }
}

fn phone(text: &str) -> Option<String> {
    let digits: Vec<char> = text.chars().filter(char::is_ascii_digit).collect();
    (digits.len() >= FEWEST).then(|| digits[digits.len().saturating_sub(DIGITS)..].iter().collect())
}

fn plain(text: &str) -> Option<String> {
    let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// Records in doubles by object, the most of any kind of value: a rough size of the work.
pub(super) fn most(doubles: &[Doubles]) -> u64 {
    let mut by_object: BTreeMap<&str, u64> = BTreeMap::new();
    for line in doubles {
        let most = by_object.entry(&line.object).or_default();
        *most = (*most).max(line.records);
    }
    by_object.values().sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lang::schema::{Field, Write};
    use crate::lang::types::Type;

    fn object(names: &[&str]) -> Object {
        let field = |name: &&str| Field {
            name: (*name).to_owned(),
            title: None,
            ty: Type::text(),
            required: false,
            write: Write::Yes,
            custom: false,
            attributes: Vec::new(),
            stats: None,
        };
        let mut fields: Vec<Field> = names.iter().map(field).collect();
        fields.sort_by(|a, b| a.name.cmp(&b.name));
        Object { name: "person".to_owned(), fields, ..Object::default() }
    }

    #[test]
    fn numbers_and_names_are_compared_as_people_do() {
        assert_eq!(phone("+49 (30) 1234-5678"), phone("0049 30 12345678"));
        assert_eq!(phone("12 34"), None);
        assert_eq!(plain("  Anna   BERG "), plain("anna berg"));
        assert_eq!(plain(" "), None);
    }

    proptest! {
        #[test]
        fn clusters_are_those_of_a_plain_count(names in proptest::collection::vec("[ab]{0,2}", 0..40)) {
            let object = object(&["NAME"]);
            let roles = Roles { name: &["NAME"], ..Roles::default() };
            let mut finder = Finder::new(&object, roles);
            let mut plain: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for (n, name) in names.iter().enumerate() {
                finder.add(&n.to_string(), &vec![Value::text(name)]);
                if !name.is_empty() {
                    plain.entry(name.clone()).or_default().push(n.to_string());
                }
            }
            plain.retain(|_, ids| ids.len() > 1);
            let found = finder.finish();
            prop_assert_eq!(found.len(), 1);
            prop_assert_eq!(found[0].clusters, plain.len() as u64);
            prop_assert_eq!(found[0].records, plain.values().map(|ids| ids.len() as u64).sum::<u64>());
            for ids in &found[0].largest {
                prop_assert!(plain.values().any(|all| all.iter().take(10).eq(ids.iter())), "{ids:?}");
            }
        }
    }
}
