//! What a changed system does to a spec: every difference between two snapshots, told in the rules that it hits.
//!
//! Each difference is applied alone and the spec is checked again, so that what a difference hits is what the checker
//! says, and no wording is guessed at. Pure: reads no files and asks no system.
//!
//! INVARIANT: every difference between the snapshots stands in exactly one entry, and every finding that is new with
//! the newer snapshots stands with a difference, with the statistics, or with what several differences do together.

pub mod json;
pub mod markdown;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::Serialize;

use super::check::{self, Checked, Input};
use super::finding::{Finding, Severity};
use super::plan::{Owner, OwnerHow, Plan};
use super::schema::Schema;
use super::schema::drift::{Difference, Kind, Place, differences, refreshed};

/// A side of a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Where records come from.
    Source,
    /// Where they go.
    Target,
}

/// What is newer: a snapshot of one side or of both.
#[derive(Clone, Copy, Debug, Default)]
pub struct Newer<'a> {
    /// The source's newer schema.
    pub source: Option<&'a Schema>,
    /// The destination's.
    pub target: Option<&'a Schema>,
}

/// One difference and what it hits.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Whose schema.
    pub side: Side,
    /// The difference.
    pub difference: Difference,
    /// Findings that it makes, with the newer statistics.
    pub hits: Vec<Finding>,
    /// Findings that it settles.
    pub settles: Vec<Finding>,
    /// Source users whose records go to somebody else by it, in words.
    pub owners: Vec<String>,
}

impl Entry {
    /// Whether a rule, row or owner is concerned.
    pub fn hits_something(&self) -> bool {
        !self.hits.is_empty() || !self.owners.is_empty()
    }
}

/// What changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drift {
    /// Differences: those that hit something first, errors before warnings.
    pub entries: Vec<Entry>,
    /// Findings that the newer statistics alone make: a claim about data that no longer holds.
    pub claims: Vec<Finding>,
    /// Findings that only several differences together make.
    pub together: Vec<Finding>,
    /// Every finding of the spec with the newer snapshots.
    pub findings: Vec<Finding>,
    /// Whether the spec checks with them.
    pub checks: bool,
}

impl Drift {
    /// Every new finding, in the order of the entries.
    pub fn hits(&self) -> impl Iterator<Item = &Finding> {
        self.entries.iter().flat_map(|entry| &entry.hits).chain(&self.claims).chain(&self.together)
    }

    /// New findings of this severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.hits().filter(|finding| finding.severity == severity).count()
    }

    /// Whether the systems are as the spec knows them, as far as the spec is concerned.
    pub fn is_clean(&self) -> bool {
        self.hits().next().is_none()
    }
}

/// Compares a spec's snapshots with newer ones.
///
/// The spec is checked once per difference that hits something, and a few times for all that hit nothing.
pub fn drift(input: &Input<'_>, newer: Newer<'_>) -> Drift {
    let (Some(old_source), Some(old_target)) = (input.source, input.target) else { return Drift::default() };
    let before = check::check(input);
    let source = newer.source.unwrap_or(old_source);
    let target = newer.target.unwrap_or(old_target);
    // Statistics first, for all: what a difference makes is then its own.
    let base = Pair { source: refreshed(old_source, source), target: refreshed(old_target, target) };
    let work = Work { input, source, target };
    let based = work.check(&base);
    let claims = others(&before.findings, &based.findings);
    let mut all: Vec<(Side, Difference)> = Vec::new();
    all.extend(differences(old_source, source).into_iter().map(|difference| (Side::Source, difference)));
    all.extend(differences(old_target, target).into_iter().map(|difference| (Side::Target, difference)));
    let mut entries: Vec<Option<Entry>> = all.iter().map(|_| None).collect();
    let places: Vec<usize> = (0..all.len()).collect();
    work.look(&base, &based, &all, &places, &mut entries);
    let mut entries: Vec<Entry> = entries
        .into_iter()
        .zip(&all)
        .map(|(entry, (side, difference))| {
            entry.unwrap_or_else(|| Entry {
                side: *side,
                difference: difference.clone(),
                hits: Vec::new(),
                settles: Vec::new(),
                owners: Vec::new(),
            })
        })
        .collect();
    let after = check::check(&Input { source: Some(source), target: Some(target), ..*input });
    let told: BTreeSet<Key> =
        entries.iter().flat_map(|entry| &entry.hits).chain(&claims).map(place_key).collect();
    // What was told of a place with one difference is not told again with all of them.
    let together = others(&before.findings, &after.findings)
        .into_iter()
        .filter(|finding| !told.contains(&place_key(finding)))
        .collect();
    entries.sort_by_key(|entry| {
        let worst = entry.hits.iter().map(|finding| finding.severity).min();
        let rank = match worst {
            Some(Severity::Error) => 0,
            Some(Severity::Warning) => 1,
            None if !entry.owners.is_empty() => 2,
            None => 3,
        };
        (rank, std::cmp::Reverse(entry.difference.records))
    });
    Drift { entries, claims, together, checks: after.plan.is_some(), findings: after.findings }
}

/// Both schemas of one check.
#[derive(Clone)]
struct Pair {
    source: Schema,
    target: Schema,
}

struct Work<'a> {
    input: &'a Input<'a>,
    source: &'a Schema,
    target: &'a Schema,
}

impl Work<'_> {
    fn check(&self, schemas: &Pair) -> Checked {
        check::check(&Input { source: Some(&schemas.source), target: Some(&schemas.target), ..*self.input })
    }

    fn apply(&self, schemas: &mut Pair, (side, difference): &(Side, Difference)) {
        match side {
            Side::Source => difference.apply(&mut schemas.source, self.source),
            Side::Target => difference.apply(&mut schemas.target, self.target),
        }
    }

    /// Finds what each of these differences hits. All of them are tried at once; only where that hits something are
    /// they tried by halves.
    fn look(
        &self,
        base: &Pair,
        based: &Checked,
        all: &[(Side, Difference)],
        places: &[usize],
        entries: &mut [Option<Entry>],
    ) {
        if places.is_empty() {
            return;
        }
        let mut schemas = base.clone();
        places.iter().for_each(|at| self.apply(&mut schemas, &all[*at]));
        let checked = self.check(&schemas);
        let hits = news(&based.findings, &checked.findings);
        let settles = news(&checked.findings, &based.findings);
        let owners = owners(based.plan.as_ref(), checked.plan.as_ref());
        if let [at] = places {
            let (side, difference) = &all[*at];
            let owners = if matches!(difference.place, Place::User { .. }) { owners } else { Vec::new() };
            entries[*at] = Some(Entry { side: *side, difference: difference.clone(), hits, settles, owners });
            return;
        }
        // One difference may settle what another makes, but not where nothing is told at all.
        if hits.is_empty()
            && settles.is_empty()
            && owners.is_empty()
            && checked.plan.is_some() == based.plan.is_some()
        {
            return;
        }
        let (left, right) = places.split_at(places.len() / 2);
        self.look(base, based, all, left, entries);
        self.look(base, based, all, right, entries);
    }
}

/// A finding as it is recognised: what it says and where.
type Key = (String, Option<(u32, u32)>);

fn place_key(finding: &Finding) -> Key {
    (finding.code.as_str().to_owned(), finding.label.as_ref().map(|label| (label.span.start, label.span.end)))
}

fn key(finding: &Finding) -> (Key, String, String) {
    let label = finding.label.as_ref().map(|label| label.text.clone()).unwrap_or_default();
    (place_key(finding), finding.message.clone(), label)
}

/// Findings of the later check that the earlier one did not have.
fn news(before: &[Finding], after: &[Finding]) -> Vec<Finding> {
    let known: BTreeSet<_> = before.iter().map(key).collect();
    after.iter().filter(|finding| !known.contains(&key(finding))).cloned().collect()
}

/// The same, but for findings that were there with another number of records: more or fewer leads that stay behind are
/// no claim that broke.
fn others(before: &[Finding], after: &[Finding]) -> Vec<Finding> {
    let words = |text: String| text.replace(|c: char| c.is_ascii_digit() || c.is_whitespace(), "");
    let bare = |finding: &Finding| {
        let (place, message, label) = key(finding);
        (place, words(message), words(label))
    };
    let known: BTreeSet<_> = before.iter().map(bare).collect();
    after.iter().filter(|finding| !known.contains(&bare(finding))).cloned().collect()
}

/// Source users who get another owner.
fn owners(before: Option<&Plan>, after: Option<&Plan>) -> Vec<String> {
    let (Some(before), Some(after)) = (before, after) else { return Vec::new() };
    let (old, new) = (&before.owners, &after.owners);
    let ids: BTreeSet<&String> = old.users.keys().chain(new.users.keys()).collect();
    let words = |owner: &Owner| {
        let how = match owner.how {
            OwnerHow::Email => "by equal address",
            OwnerHow::Named => "by name",
            OwnerHow::Dismissed => "as one who left",
            OwnerHow::Otherwise => "as nobody known",
        };
        format!("user `{}` {how}", owner.user)
    };
    ids.into_iter()
        .filter_map(|id| {
            let was = old.users.get(id).unwrap_or(&old.otherwise);
            let is = new.users.get(id).unwrap_or(&new.otherwise);
            if was == is {
                return None;
            }
            Some(format!("records of user `{id}` go to {}, and went to {}", words(is), words(was)))
        })
        .collect()
}

/// A difference in words, with the records that hold it.
pub fn words(entry: &Entry) -> String {
    let noun = match (&entry.difference.place, &entry.difference.kind) {
        (Place::Field { .. }, Kind::Added | Kind::Removed) => "filled",
        _ => "records",
    };
    match entry.difference.records {
        Some(records) => {
            let number = super::diff::markdown::grouped(records);
            if noun == "filled" {
                format!("{} ({number} records have a value)", entry.difference)
            } else {
                format!("{} ({number} records)", entry.difference)
            }
        }
        None => entry.difference.to_string(),
    }
}
