//! What finds, filters and searches look into: it lags behind the records by a settable time.
//!
//! INVARIANT: a record that is deleted now is in no list, whatever is still waiting to be indexed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::record::{Kind, Record};

/// Sorted ids that answer "the n-th" in the time of a page: 64-bit words with a count per block of words.
#[derive(Clone, Debug, Default)]
pub struct IdSet {
    words: Vec<u64>,
    /// Ids per [`BLOCK`] words.
    counts: Vec<u32>,
    total: usize,
}

const BLOCK: usize = 64;

impl IdSet {
    pub fn insert(&mut self, id: i64) {
        let Ok(id) = usize::try_from(id) else { return };
        let at = id / 64;
        if at >= self.words.len() {
            self.words.resize(at + 1, 0);
            self.counts.resize(at / BLOCK + 1, 0);
        }
        if self.words[at] & (1 << (id % 64)) == 0 {
            self.words[at] |= 1 << (id % 64);
            self.counts[at / BLOCK] += 1;
            self.total += 1;
        }
    }

    pub fn remove(&mut self, id: i64) {
        let Ok(id) = usize::try_from(id) else { return };
        if let Some(word) = self.words.get_mut(id / 64)
            && *word & (1 << (id % 64)) != 0
        {
            *word &= !(1 << (id % 64));
            self.counts[id / 64 / BLOCK] -= 1;
            self.total -= 1;
        }
    }

    pub fn contains(&self, id: i64) -> bool {
        usize::try_from(id)
            .is_ok_and(|id| self.words.get(id / 64).is_some_and(|word| word & (1 << (id % 64)) != 0))
    }

    pub fn len(&self) -> usize {
        self.total
    }

    /// Up to `take` ids in ascending order after the first `skip`.
    pub fn page(&self, mut skip: usize, take: usize) -> Vec<i64> {
        let mut ids = Vec::new();
        for (block, count) in self.counts.iter().enumerate() {
            if ids.len() >= take {
                break;
            }
            if skip >= *count as usize {
                skip -= *count as usize;
                continue;
            }
            let end = self.words.len().min((block + 1) * BLOCK);
            for at in block * BLOCK..end {
                let mut word = self.words[at];
                while word != 0 {
                    let bit = word.trailing_zeros() as usize;
                    word &= word - 1;
                    if skip > 0 {
                        skip -= 1;
                    } else if ids.len() < take {
                        ids.push((at * 64 + bit) as i64);
                    }
                }
            }
        }
        ids
    }
}

/// What one record is found by.
#[derive(Clone, Debug, Default, PartialEq)]
struct Keys {
    exact: Vec<u64>,
    words: Vec<Box<str>>,
}

/// The slot of the exact index that names fill.
pub const NAME: i64 = -1;
/// The slot of the exact index that e-mail addresses fill; custom fields use their ids.
pub const EMAIL: i64 = -2;

fn hash(slot: i64, text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    slot.hash(&mut hasher);
    text.trim().to_lowercase().hash(&mut hasher);
    hasher.finish()
}

/// The words of a text in lower case.
pub fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

fn keys(record: &Record) -> Keys {
    let mut keys = Keys::default();
    if record.deleted.is_some() {
        return keys;
    }
    let title = match record.kind {
        Kind::Leads => record.description.clone().unwrap_or_default(),
        _ => record.display(),
    };
    keys.exact.push(hash(NAME, &title));
    keys.words.extend(words(&title).map(String::into_boxed_str));
    if record.kind == Kind::Leads {
        keys.words.extend(words(&record.display()).map(String::into_boxed_str));
    }
    for email in &record.email {
        keys.exact.push(hash(EMAIL, &email.value));
        keys.words.extend(words(&email.value).map(String::into_boxed_str));
    }
    keys.exact.extend(record.custom.iter().map(|(field, value)| hash(*field, &value.text())));
    keys.exact.sort_unstable();
    keys.exact.dedup();
    keys.words.sort_unstable();
    keys.words.dedup();
    keys
}

/// A change that is not searchable yet.
#[derive(Clone, Debug)]
struct Pending {
    due_ms: i64,
    kind: Kind,
    id: i64,
    remove: Keys,
    add: Keys,
}

#[derive(Clone, Debug, Default)]
struct Part {
    listed: IdSet,
    exact: BTreeSet<(u64, i64)>,
    /// Ascending ids by word: frequent words are shared by many records.
    words: BTreeMap<Box<str>, Vec<i64>>,
    generation: u64,
}

/// The index over all three types.
#[derive(Clone, Debug, Default)]
pub struct Index {
    parts: [Part; 3],
    waiting: VecDeque<Pending>,
    /// After how long a change is seen.
    pub lag_ms: i64,
}

impl Index {
    fn part(&self, kind: Kind) -> &Part {
        &self.parts[kind as usize]
    }

    /// Takes note of a change; `now_ms` is when it happened.
    pub fn change(&mut self, before: Option<&Record>, after: &Record, now_ms: i64) {
        let remove = before.map(keys).unwrap_or_default();
        let add = keys(after);
        let listed = before.is_some_and(|record| record.deleted.is_none());
        self.parts[after.kind as usize].generation += 1;
        if remove == add && listed == after.deleted.is_none() {
            return;
        }
        let pending = Pending {
            due_ms: now_ms.saturating_add(self.lag_ms),
            kind: after.kind,
            id: after.id,
            remove,
            add,
        };
        if self.lag_ms <= 0 || after.deleted.is_some() {
            self.apply(pending, after.deleted.is_none());
        } else {
            self.waiting.push_back(pending);
        }
    }

    fn apply(&mut self, change: Pending, live: bool) {
        let part = &mut self.parts[change.kind as usize];
        part.generation += 1;
        for key in change.remove.exact {
            part.exact.remove(&(key, change.id));
        }
        for word in change.remove.words {
            let Some(ids) = part.words.get_mut(&word) else {
                continue;
            };
            if let Ok(at) = ids.binary_search(&change.id) {
                ids.remove(at);
            }
            if ids.is_empty() {
                part.words.remove(&word);
            }
        }
        if !live {
            part.listed.remove(change.id);
            return;
        }
        part.listed.insert(change.id);
        part.exact.extend(change.add.exact.into_iter().map(|key| (key, change.id)));
        for word in change.add.words {
            let ids = part.words.entry(word).or_default();
            if let Err(at) = ids.binary_search(&change.id) {
                ids.insert(at, change.id);
            }
        }
    }

    /// Makes searchable what has waited long enough; `live` tells whether a record still exists.
    pub fn settle(&mut self, now_ms: i64, live: impl Fn(Kind, i64) -> bool) {
        while self.waiting.front().is_some_and(|first| first.due_ms <= now_ms) {
            if let Some(first) = self.waiting.pop_front() {
                let live = live(first.kind, first.id);
                self.apply(first, live);
            }
        }
    }

    /// Counts everything that may change an answer for this type.
    pub fn generation(&self, kind: Kind) -> u64 {
        self.part(kind).generation
    }

    /// Notes that links of this type's records have changed, which finds by a linked record see.
    pub fn touch(&mut self, kind: Kind) {
        self.parts[kind as usize].generation += 1;
    }

    /// The records that lists show.
    pub fn listed(&self, kind: Kind) -> &IdSet {
        &self.part(kind).listed
    }

    /// Records whose value in a slot equals a text, without regard to case.
    pub fn exact(&self, kind: Kind, slot: i64, text: &str) -> Vec<i64> {
        let key = hash(slot, text);
        let part = self.part(kind);
        let range = part.exact.range((key, i64::MIN)..=(key, i64::MAX));
        range.map(|(_, id)| *id).filter(|id| part.listed.contains(*id)).collect()
    }

    /// Records that have a word beginning with each word of the text.
    pub fn fuzzy(&self, kind: Kind, text: &str) -> Vec<i64> {
        let part = self.part(kind);
        let mut found: Option<Vec<i64>> = None;
        for word in words(text) {
            let from: Box<str> = word.as_str().into();
            let known = part.words.range(from..).take_while(|(known, _)| known.starts_with(&word));
            let mut ids: Vec<i64> = known.flat_map(|(_, ids)| ids.iter().copied()).collect();
            ids.sort_unstable();
            ids.dedup();
            match &found {
                None => ids.retain(|id| part.listed.contains(*id)),
                Some(before) => ids.retain(|id| before.binary_search(id).is_ok()),
            }
            found = Some(ids);
        }
        found.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn id_set_is_a_sorted_set(ops in prop::collection::vec((any::<bool>(), 0i64..20_000), 0..300), skip in 0usize..50, take in 0usize..50) {
            let mut set = IdSet::default();
            let mut model = BTreeSet::new();
            for (insert, id) in ops {
                if insert {
                    set.insert(id);
                    model.insert(id);
                } else {
                    set.remove(id);
                    model.remove(&id);
                }
            }
            prop_assert_eq!(set.len(), model.len());
            let expected: Vec<i64> = model.iter().copied().skip(skip).take(take).collect();
            prop_assert_eq!(set.page(skip, take), expected);
        }
    }
}
