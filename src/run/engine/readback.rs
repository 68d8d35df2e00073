//! What is remembered of each written record, so that a rollback can tell what a person changed since.
//!
//! A field that somebody else changed between two of our writes stays as it was remembered, and thus differs for
//! good: no later write of ours hides a person's.

use std::collections::{BTreeMap, BTreeSet};

use crate::run::connect::{Imprint, Stored};
use crate::run::workspace::{Operation, ReadBack, Remembered};

use super::once::Write;
use super::waiting::late_field;
use super::{Engine, Result};

impl Engine<'_> {
    /// What to remember of a record that was just made.
    pub(super) fn read_back_new(&self, stream: usize, key: &str, stored: &Stored) -> ReadBack {
        let stream = &self.streams[stream];
        let seen = self.target.imprint(&stream.target, &stored.body);
        let field = |(name, hash): (String, u64)| (name, Remembered { hash: Some(hash), written: true });
        ReadBack {
            map: stream.name.clone(),
            key: key.to_owned(),
            object: stream.target.clone(),
            target: stored.id.clone(),
            adopted: false,
            fields: seen.fields.into_iter().map(field).collect(),
            links: seen.links,
        }
    }

    /// What to remember of a record that was just edited: `first` is how it was before the first try, `before` and
    /// `after` are its states around the one that was answered, `touched` the fields that were sent.
    pub(super) fn read_back(
        &self,
        write: &Write<'_>,
        operation: Operation,
        first: &Imprint,
        before: &Stored,
        after: &Stored,
        touched: &BTreeSet<String>,
    ) -> Result<ReadBack> {
        let stream = &self.streams[write.stream];
        let imprint = |stored: &Stored| self.target.imprint(&stream.target, &stored.body);
        let (before, seen) = (imprint(before), imprint(after));
        let kept = self.workspace.readback(&stream.target, &after.id)?;
        let kept = kept.unwrap_or_else(|| ReadBack {
            map: stream.name.clone(),
            key: write.key.to_owned(),
            object: stream.target.clone(),
            target: after.id.clone(),
            adopted: operation == Operation::Adopt,
            fields: fields_of(first),
            links: Vec::new(),
        });
        let mut touched = touched.clone();
        if let Some(at) = late_field(write.step) {
            // What only repeats an edit that had no answer is ours all the same.
            let map = &self.plan.maps[stream.map];
            touched.extend(self.target.normaliser(map).imprinted(at));
        }
        Ok(advanced(kept, first, &before, &seen, &touched))
    }
}

pub(super) fn fields_of(seen: &Imprint) -> BTreeMap<String, Remembered> {
    seen.fields
        .iter()
        .map(|(name, hash)| (name.clone(), Remembered { hash: Some(*hash), written: false }))
        .collect()
}

/// What is remembered after an edit.
fn advanced(
    mut kept: ReadBack,
    first: &Imprint,
    before: &Imprint,
    after: &Imprint,
    touched: &BTreeSet<String>,
) -> ReadBack {
    let names: BTreeSet<String> =
        before.fields.keys().chain(after.fields.keys()).chain(touched).cloned().collect();
    for name in names {
        let (was, is) = (before.fields.get(&name).copied(), after.fields.get(&name).copied());
        let remembered = kept.fields.entry(name.clone()).or_default();
        if touched.contains(&name) {
            *remembered = Remembered { hash: is, written: true };
        } else if remembered.hash == was {
            remembered.hash = is;
        }
    }
    kept.fields.retain(|_, field| field.hash.is_some() || field.written);
    let added = after.links.iter().filter(|link| !first.links.contains(link));
    let mut links: Vec<_> = kept.links.iter().filter(|link| after.links.contains(link)).cloned().collect();
    for link in added {
        if !links.contains(link) {
            links.push(link.clone());
        }
    }
    kept.links = links;
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: &[(&str, u64)], links: &[&str]) -> Imprint {
        Imprint {
            fields: fields.iter().map(|(name, hash)| ((*name).to_owned(), *hash)).collect(),
            links: links.iter().map(|id| ("Account".to_owned(), (*id).to_owned())).collect(),
            changed_ms: None,
        }
    }

    fn hash(kept: &ReadBack, name: &str) -> Option<u64> {
        kept.fields.get(name).and_then(|field| field.hash)
    }

    #[test]
    fn what_a_person_changed_between_two_writes_differs_for_good() {
        let made = of(&[("title", 1), ("stage", 2), ("value", 3)], &["3"]);
        let kept = ReadBack { fields: fields_of(&made), links: made.links.clone(), ..ReadBack::default() };
        // A person changes the title and links another account; then the stage is written, and the value follows.
        let before = of(&[("title", 9), ("stage", 2), ("value", 3)], &["3", "7"]);
        let after = of(&[("title", 9), ("stage", 5), ("value", 6)], &["3", "7", "11"]);
        let touched = BTreeSet::from(["stage".to_owned()]);
        let kept = advanced(kept, &before, &before, &after, &touched);
        assert_eq!(
            (hash(&kept, "title"), hash(&kept, "stage"), hash(&kept, "value")),
            (Some(1), Some(5), Some(6))
        );
        let linked: Vec<&str> = kept.links.iter().map(|(_, id)| id.as_str()).collect();
        assert_eq!(linked, ["3", "11"], "a person's link is not ours");
    }

    #[test]
    fn an_edit_that_was_done_unanswered_is_ours() {
        let made = of(&[("title", 1), ("stage", 2)], &[]);
        let kept = ReadBack { fields: fields_of(&made), ..ReadBack::default() };
        // The first try was done without an answer, the second changes nothing more.
        let again = of(&[("title", 1), ("stage", 5)], &["3"]);
        let touched = BTreeSet::from(["stage".to_owned()]);
        let kept = advanced(kept, &made, &again, &again, &touched);
        assert_eq!(hash(&kept, "stage"), Some(5));
        assert!(kept.fields["stage"].written && !kept.fields["title"].written);
        assert_eq!(kept.links.len(), 1);
    }

    #[test]
    fn a_field_that_was_emptied_is_remembered_as_written() {
        let kept = ReadBack { fields: fields_of(&of(&[("title", 1)], &[])), ..ReadBack::default() };
        let touched = BTreeSet::from(["title".to_owned()]);
        let kept = advanced(kept, &of(&[], &[]), &of(&[("title", 1)], &[]), &of(&[], &[]), &touched);
        assert_eq!(kept.fields["title"], Remembered { hash: None, written: true });
    }
}
