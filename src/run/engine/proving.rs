//! What one stream's comparison counts: fields, links and sums, planned and found.
//!
//! Pure: what is compared is handed in. Which records those are is the business of [`super::reconcile`].

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use crate::lang::types::Base;
use crate::lang::value::{RefValue, Value};
use crate::run::connect::{Element, Normal, Normalise, Stored};

use super::proof::{Difference, Proof, SharedValue, Sum, SumKey, Verdict, compare};
use super::side_by_side::SampledRecord;

/// What a listing is compared with, and what came of it so far.
pub(super) struct Proving {
    pub(super) normalise: Box<dyn Normalise>,
    /// Whether links of this stream wait for other records.
    pub(super) waits: bool,
    /// Whether a change was applied to a part of its records only.
    pub(super) part: bool,
    /// Records that were read by themselves.
    pub(super) reads: u64,
    /// The index of the field that says where a record stands in its pipeline.
    pub(super) stage: Option<usize>,
    /// The indexes of fields whose values records share, and are counted by value.
    pub(super) shared: Vec<usize>,
    /// Records that are shown field by field, by what they are drawn by.
    pub(super) sample: BTreeMap<(u64, String), SampledRecord>,
    /// How many of them.
    pub(super) shown: usize,
    pub(super) proof: Proof,
}

/// What the plan wants of one record.
pub(super) struct Planned {
    /// By target.
    pub(super) fields: Vec<Normal>,
    /// By target: what its links lead to in the source.
    pub(super) links: Vec<Vec<RefValue>>,
    /// Targets that are written later.
    pub(super) waiting: Vec<u16>,
}

/// What the rules say of a staged record.
pub(super) enum Says {
    /// It is not written.
    Out,
    /// It is written like this.
    In(Planned),
    /// Nobody can tell, since what it goes with is not there.
    Open,
}

/// A field of a record that is not as planned.
pub(super) struct Found {
    pub(super) field: usize,
    pub(super) kind: Difference,
    pub(super) held: Normal,
}

impl Proving {
    pub(super) fn any_differs(&self, planned: &Planned, stored: &Stored, joined: bool) -> bool {
        (0..planned.fields.len()).any(|field| {
            let (wanted, skip) = (&planned.fields[field], planned.is_waiting(field));
            !skip
                && !wanted.is_empty()
                && self
                    .normalise
                    .found(field, stored)
                    .is_some_and(|found| matches!(compare(wanted, &found, joined), Verdict::Differs(_)))
        })
    }

    /// Counts one field of a record; gives how it differs, and what is there instead.
    pub(super) fn field(
        &mut self,
        planned: &Planned,
        field: usize,
        stored: &Stored,
        joined: bool,
    ) -> Option<(Difference, Normal)> {
        let wanted = &planned.fields[field];
        let proof = &mut self.proof.fields[field];
        if planned.is_waiting(field) {
            proof.waiting += 1;
            return None;
        }
        let Some(found) = self.normalise.found(field, stored) else {
            proof.untold += u64::from(!wanted.is_empty());
            return None;
        };
        // As far as it is told it is as planned: the rest is untold.
        if found.only_begun && matches!(compare(wanted, &found, joined), Verdict::Same) {
            proof.untold += 1;
            return None;
        }
        proof.expected += u64::from(!wanted.is_empty());
        proof.found += u64::from(!found.is_empty());
        if let Some(links) = &mut proof.links {
            links.resolved += wanted.elements.len() as u64;
            let there = |link: &&Element| found.elements.iter().any(|found| found.loose == link.loose);
            links.found += wanted.elements.iter().filter(there).count() as u64;
        }
        if wanted.is_empty() {
            return None;
        }
        match compare(wanted, &found, joined) {
            Verdict::Same => proof.same += 1,
            Verdict::Reformatted => proof.reformatted += 1,
            Verdict::More => proof.more += 1,
            Verdict::Differs(kind) => return Some((kind, found)),
        }
        None
    }

    /// Adds what the plan wants of a record to the source's sums.
    pub(super) fn sum_planned(&mut self, planned: &Planned, arrived: bool) {
        let stage = self.stage_of(planned.stage(self.stage));
        for (field, wanted) in planned.fields.iter().enumerate() {
            let proof = &mut self.proof.fields[field];
            proof.planned += u64::from(!wanted.is_empty());
            if let Some(links) = &mut proof.links {
                links.planned += planned.links[field].len() as u64;
            }
            let waiting = planned.is_waiting(field);
            for (currency, amount) in amounts(wanted) {
                let sum = entry(&mut self.proof.sums, &proof.field, currency, &stage);
                add(&mut sum.planned, amount);
                sum.planned_records += 1;
                if arrived && !waiting {
                    add(&mut sum.arrived, amount);
                }
            }
        }
    }

    /// Adds what a record holds to the destination's sums, and what listed differences explain.
    pub(super) fn sum_found(&mut self, planned: &Planned, stored: &Stored, differing: &[Found]) {
        let found_stage = self.stage.and_then(|stage| self.normalise.found(stage, stored));
        let wanted_stage = self.stage_of(planned.stage(self.stage));
        // A stage of which only the beginning is told counts as the planned one where it fits.
        let there = match (&found_stage, planned.stage(self.stage)) {
            (Some(found), Some(wanted))
                if found.only_begun && matches!(compare(wanted, found, false), Verdict::Same) =>
            {
                wanted_stage.clone()
            }
            (found, _) => self.stage_of(found.as_ref()),
        };
        let open =
            |field: usize| differing.iter().any(|found| found.field == field && found.kind.keeps_open());
        for (field, wanted) in planned.fields.iter().enumerate() {
            if planned.is_waiting(field) {
                continue;
            }
            let Some(found) = self.normalise.found(field, stored) else { continue };
            let name = self.proof.fields[field].field.clone();
            // What is not as planned and keeps nothing open is listed: it explains its part of the sum.
            let explained = !open(field) && !self.stage.is_some_and(open);
            for (currency, amount) in amounts(&found) {
                if wanted.is_empty() && amount.is_zero() {
                    continue;
                }
                let sum = entry(&mut self.proof.sums, &name, currency, &there);
                add(&mut sum.found, amount);
                sum.found_records += 1;
                if explained {
                    add(&mut sum.explained, amount);
                }
            }
            if explained {
                for (currency, amount) in amounts(wanted) {
                    let sum = entry(&mut self.proof.sums, &name, currency, &wanted_stage);
                    add(&mut sum.explained, -amount);
                }
            }
        }
    }

    /// Counts the values that a compared record shares with others.
    pub(super) fn count_shared(&mut self, planned: &Planned, stored: &Stored) {
        for field in self.shared.clone() {
            let Some(found) = self.normalise.found(field, stored) else { continue };
            if planned.is_waiting(field) {
                continue;
            }
            let wanted = &planned.fields[field];
            let first = |normal: &Normal| -> String {
                normal.elements.first().map(|element| element.exact.clone()).unwrap_or_default()
            };
            // A value of which only the beginning is told counts as the planned one where it fits.
            let fits = found.only_begun && matches!(compare(wanted, &found, false), Verdict::Same);
            let (wanted, there) = (first(wanted), first(if fits { wanted } else { &found }));
            let name = self.proof.fields[field].field.clone();
            let key = |value: String| SharedValue { field: name.clone(), value };
            self.proof.shared.entry(key(wanted)).or_default().planned += 1;
            self.proof.shared.entry(key(there)).or_default().found += 1;
        }
    }

    /// Whether a record is among those that are shown.
    pub(super) fn is_drawn(&self, by: u64, key: &str) -> bool {
        self.sample.len() < self.shown
            || self.sample.last_key_value().is_some_and(|(last, _)| (by, key) < (last.0, last.1.as_str()))
    }

    /// Shows a record, in the place of another one where there are enough.
    pub(super) fn show(&mut self, by: u64, record: SampledRecord) {
        self.sample.insert((by, record.key.clone()), record);
        while self.sample.len() > self.shown {
            self.sample.pop_last();
        }
    }

    fn stage_of(&self, stage: Option<&Normal>) -> String {
        stage.and_then(|stage| stage.elements.first()).map(|stage| stage.exact.clone()).unwrap_or_default()
    }
}

impl Planned {
    pub(super) fn is_waiting(&self, field: usize) -> bool {
        self.waiting.iter().any(|waiting| usize::from(*waiting) == field)
    }

    fn stage(&self, field: Option<usize>) -> Option<&Normal> {
        self.fields.get(field?)
    }
}

pub(super) fn is_link(base: &Base) -> bool {
    matches!(base, Base::Ref(_) | Base::AnyRef(_))
}

/// The links in a value, those in lines included.
pub(super) fn refs(value: &Value, into: &mut Vec<RefValue>) {
    match value {
        Value::Ref(link) => into.push((**link).clone()),
        Value::Item(item) => {
            refs(&item.value, into);
            // The attributes of what has a value of its own are labels.
            if item.value.is_absent() {
                item.attrs.iter().for_each(|attr| refs(attr, into));
            }
        }
        Value::List(values) => values.iter().for_each(|value| refs(value, into)),
        _ => {}
    }
}

fn amounts(normal: &Normal) -> impl Iterator<Item = (&str, Decimal)> {
    normal
        .elements
        .iter()
        .filter_map(|element| element.money.as_ref().map(|(currency, amount)| (currency.as_str(), *amount)))
}

fn entry<'s>(sums: &'s mut BTreeMap<SumKey, Sum>, field: &str, currency: &str, stage: &str) -> &'s mut Sum {
    let key = SumKey { field: field.to_owned(), currency: currency.to_owned(), stage: stage.to_owned() };
    sums.entry(key).or_default()
}

/// A sum that no decimal holds stays at the largest one, and then does not close.
fn add(sum: &mut Decimal, amount: Decimal) {
    *sum = sum.checked_add(amount).unwrap_or(Decimal::MAX);
}
