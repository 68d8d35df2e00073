//! Draws a sample: which staged records a run loads that is to show what a plan does.
//!
//! A *stratum* is something that the rules do with records, as far as evaluating them tells: a map that writes any, a
//! line that leaves records out or holds them back, a flag, a stage, how an owner was found, whether a destination field
//! gets nothing, one value or several, a value of a table or a list. A record lies in many strata. Drawn are, in this
//! order until the number is reached:
//!
//! 1. for each stratum that no drawn record lies in yet, maps first and values last, rare ones before common ones: its
//!    first record;
//! 2. of all records that are written, the first ones that are not drawn yet: each map gets its share.
//!
//! *First* is by a hash of seed, map and key, so that a sample is a function of the staged records, the plan and the
//! seed, whatever was loaded before. Then everything comes along that a drawn record links to, and what that links to,
//! so that no link of a sample lacks its record for the sample's sake.
//!
//! In memory stand one record of each stratum, and as many records as are drawn.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, VecDeque};

use crate::lang::eval::{Outcome, Output};
use crate::lang::plan::Expr;
use crate::lang::types::Base;
use crate::lang::value::Value;
use crate::run::workspace::StagedRecord;

use super::proving::refs;
use super::{Engine, Error, Result};

/// After how many records people are told how far it is.
const TOLD_EVERY: u64 = 500;

/// A sample as it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// How many records are drawn; what they link to comes along beside them.
    pub records: u32,
    /// The same seed draws the same records.
    pub seed: u64,
}

/// What was drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// As it was asked for.
    pub asked: Sample,
    /// By map and key: whether it was drawn, or came along.
    pub(super) records: BTreeMap<(usize, String), bool>,
    /// Strata that there are.
    pub strata: u64,
    /// Strata in which a record of the slice lies.
    pub covered: u64,
}

impl Slice {
    /// Its records by map.
    pub(super) fn by_map(&self) -> HashMap<usize, HashSet<String>> {
        let mut maps: HashMap<usize, HashSet<String>> = HashMap::new();
        for (map, key) in self.records.keys() {
            maps.entry(*map).or_default().insert(key.clone());
        }
        maps
    }

    /// How many records were drawn.
    pub fn drawn(&self) -> u64 {
        self.records.values().filter(|drawn| **drawn).count() as u64
    }

    /// How many came along since a record of the slice links to them.
    pub fn along(&self) -> u64 {
        self.records.len() as u64 - self.drawn()
    }
}

/// Something that the rules do with records.
struct Stratum {
    /// How much it matters: 0 before 1.
    tier: u8,
    records: u64,
    /// The first record in it, by its order in this seed.
    first: (u64, usize, String),
}

/// A stratum's number, and how much it matters.
pub(super) type Mark = (u64, u8);

/// FNV-1a over parts, stirred, so that neither the standard library nor a dependency decides what a seed draws.
pub(super) struct Hash(u64);

impl Hash {
    pub(super) fn new(seed: u64) -> Hash {
        Hash(0xcbf2_9ce4_8422_2325).with(&seed.to_le_bytes())
    }

    pub(super) fn with(mut self, bytes: &[u8]) -> Hash {
        for byte in bytes.iter().chain(&[0xff]) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self
    }

    pub(super) fn end(self) -> u64 {
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Engine<'_> {
    /// Draws a sample of the records of these maps, all where it is `None`. Everything that is staged has its place
    /// by now.
    pub(super) fn draw(&self, asked: Sample, maps: Option<&BTreeSet<usize>>) -> Result<Slice> {
        let maps: Vec<usize> =
            (0..self.plan.maps.len()).filter(|map| maps.is_none_or(|maps| maps.contains(map))).collect();
        let most = usize::try_from(asked.records).unwrap_or(usize::MAX);
        let mut strata: HashMap<u64, Stratum> = HashMap::new();
        let mut written: BinaryHeap<(u64, usize, String)> = BinaryHeap::new();
        let coded: Vec<Vec<bool>> = (0..self.plan.maps.len()).map(|map| self.coded(map)).collect();
        self.outside.progress.begin("draw the sample", None);
        let mut seen = 0u64;
        for map in &maps {
            let mut feed = self.feed(*map);
            while let Some(record) = self.next_staged(*map, &mut feed)? {
                let order = self.order(asked.seed, *map, &record.key);
                let (marks, output) = self.marks(*map, &record, &coded[*map])?;
                for (mark, tier) in marks {
                    let stratum = strata.entry(mark).or_insert_with(|| Stratum {
                        tier,
                        records: 0,
                        first: (order, *map, record.key.clone()),
                    });
                    stratum.records += 1;
                    if order < stratum.first.0 {
                        stratum.first = (order, *map, record.key.clone());
                    }
                }
                if output.is_some() {
                    written.push((order, *map, record.key));
                    if written.len() > most {
                        written.pop();
                    }
                }
                seen += 1;
                if seen.is_multiple_of(TOLD_EVERY) {
                    self.outside.progress.at(seen);
                }
            }
        }
        self.outside.progress.end();
        if strata.is_empty() {
            return Err(Error::Selection("nothing is staged of which a sample could be drawn".to_owned()));
        }
        let all = strata.len() as u64;
        let mut order: Vec<(u64, Stratum)> = strata.into_iter().collect();
        order.sort_by(|(_, a), (_, b)| (a.tier, a.records, &a.first).cmp(&(b.tier, b.records, &b.first)));
        let mut covered: HashSet<u64> = HashSet::new();
        let mut records: BTreeMap<(usize, String), bool> = BTreeMap::new();
        for (mark, Stratum { first: (_, map, key), .. }) in order {
            if records.len() >= most {
                break;
            }
            if !covered.contains(&mark) {
                covered.extend(self.marks_of(map, &key, &coded[map])?);
                records.insert((map, key), true);
            }
        }
        for (_, map, key) in written.into_sorted_vec() {
            if records.len() >= most {
                break;
            }
            if !records.contains_key(&(map, key.clone())) {
                covered.extend(self.marks_of(map, &key, &coded[map])?);
                records.insert((map, key), true);
            }
        }
        let along = self.linked_from_these(&records, &maps)?;
        for (map, key) in &along {
            covered.extend(self.marks_of(*map, key, &coded[*map])?);
        }
        records.extend(along.into_iter().map(|record| (record, false)));
        Ok(Slice { asked, records, strata: all, covered: covered.len() as u64 })
    }

    /// Where a record comes in the order of a seed.
    pub(super) fn order(&self, seed: u64, map: usize, key: &str) -> u64 {
        Hash::new(seed).with(self.plan.maps[map].name.as_bytes()).with(key.as_bytes()).end()
    }

    /// Which destination fields of a map hold one of few values: those of tables, lists and stages.
    pub(super) fn coded(&self, map: usize) -> Vec<bool> {
        let looked_up = |expr: &Expr| {
            matches!(expr, Expr::Lookup { .. } | Expr::Title { .. } | Expr::Stage { .. } | Expr::Const(_))
        };
        (0..self.plan.maps[map].targets.len())
            .map(|field| {
                let base = &self.plan.maps[map].targets[field].ty.base;
                matches!(base, Base::Enum(_) | Base::Bool | Base::Stage)
                    || self.rules_of(map, field).any(|(_, rule)| looked_up(&rule.value))
            })
            .collect()
    }

    /// The strata of a record that is staged.
    fn marks_of(&self, map: usize, key: &str, coded: &[bool]) -> Result<Vec<u64>> {
        let Some(record) = self.workspace.staged_record(&self.plan.maps[map].source, key)? else {
            return Ok(Vec::new());
        };
        Ok(self.marks(map, &record, coded)?.0.into_iter().map(|(mark, _)| mark).collect())
    }

    /// The strata of a record, and what is written of it.
    pub(super) fn marks(
        &self,
        map: usize,
        record: &StagedRecord,
        coded: &[bool],
    ) -> Result<(Vec<Mark>, Option<Output>)> {
        let of = |what: &str| Hash::new(0).with(self.plan.maps[map].name.as_bytes()).with(what.as_bytes());
        let Ok(slots) = self.decoders[map].decode(&record.json) else {
            return Ok((vec![(of("unreadable").end(), 1)], None));
        };
        let output = match self.evaluate(map, &record.key, &slots)? {
            Outcome::Record(output) => output,
            Outcome::LeftOut { line, .. } => {
                return Ok((vec![(of("left out").with(&line.to_le_bytes()).end(), 1)], None));
            }
            Outcome::Quarantined { rule, line, .. } => {
                let rule = rule.map(|rule| rule.id(self.plan, map)).unwrap_or_default();
                let mark = of("held back").with(rule.as_bytes()).with(&line.to_le_bytes());
                return Ok((vec![(mark.end(), 1)], None));
            }
            Outcome::Stopped { reason, line, .. } => {
                return Err(self.stopped(&self.plan.maps[map].name, &record.key, line, &reason));
            }
        };
        let mut marks = vec![(of("written").end(), 0)];
        for flag in &output.flags {
            let mark = of("flag").with(flag.rule.id(self.plan, map).as_bytes()).with(flag.why.as_bytes());
            marks.push((mark.end(), 1));
        }
        for how in &output.owners {
            marks.push((of("owner").with(&[*how as u8]).end(), 2));
        }
        for (field, value) in output.values.iter().enumerate() {
            let field_of = |what: &str| of(what).with(&(field as u64).to_le_bytes());
            let (many, values) = match value {
                Value::Absent => (0u8, &[][..]),
                Value::List(values) => (if values.len() > 1 { 2 } else { 1 }, values.as_slice()),
                single => (1, std::slice::from_ref(single)),
            };
            marks.push((field_of("arity").with(&[many]).end(), 2));
            if coded[field] {
                let tier = if matches!(value.bare(), Value::Stage(_)) { 2 } else { 3 };
                for value in values {
                    marks.push((field_of("value").with(value.to_text().as_bytes()).end(), tier));
                }
            }
        }
        marks.sort_unstable();
        marks.dedup();
        Ok((marks, Some(output)))
    }

    /// What records link to, directly or through others, as far as these maps take it.
    fn linked_from_these(
        &self,
        records: &BTreeMap<(usize, String), bool>,
        maps: &[usize],
    ) -> Result<BTreeSet<(usize, String)>> {
        let mut found = BTreeSet::new();
        let mut queue: VecDeque<(usize, String)> = records.keys().cloned().collect();
        while let Some((map, key)) = queue.pop_front() {
            let Some(record) = self.workspace.staged_record(&self.plan.maps[map].source, &key)? else {
                continue;
            };
            let Ok(slots) = self.decoders[map].decode(&record.json) else { continue };
            let Outcome::Record(output) = self.evaluate(map, &key, &slots)? else { continue };
            let mut links = Vec::new();
            output.values.iter().for_each(|value| refs(value, &mut links));
            for link in links {
                for other in std::iter::once(link.map).chain(link.others.iter().copied()).map(usize::from) {
                    let there = (other, link.key.to_string());
                    if maps.contains(&other)
                        && !records.contains_key(&there)
                        && !found.contains(&there)
                        && self.takes_part(other, &there.1)?
                    {
                        queue.push_back(there.clone());
                        found.insert(there);
                    }
                }
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_seed_draws_never_changes() {
        // Frozen: a sample that a customer has seen can be drawn again by a later version.
        let order = |seed, key: &str| Hash::new(seed).with(b"deal").with(key.as_bytes()).end();
        assert_eq!([order(1, "7"), order(1, "8"), order(2, "7")], FROZEN);
        assert_ne!(Hash::new(0).with(b"ab").with(b"c").end(), Hash::new(0).with(b"a").with(b"bc").end());
    }

    const FROZEN: [u64; 3] = [0xc92d526eaddf9622, 0xdf9cc63017655ac3, 0xd51db67e7039128d];
}
