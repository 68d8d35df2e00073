//! What of a plan a run loads: everything, some maps, or some records; and what is tried again.
//!
//! The once-only protocol does not know of it: a scope only decides which staged records the load looks at. Rules:
//!
//! - Phases keep their order, and every map that is loaded is swept and has to close. Records outside the scope that
//!   have not ended are *left to a later run*: counted one by one, and part of that map's equation.
//! - A link to a record that is left to a later run has not failed to arrive yet. A rule that says `wait` waits;
//!   any other leaves its record to a later run too, since what it says (leave the link out, skip, quarantine, stop)
//!   is said of records that did not arrive.
//! - What was held back for want of a record that arrives is decided anew in the same run (*it follows*), in
//!   whatever phase it is, and once in a run. Links of written records that lacked it are written.
//! - A sample is a run of records too: those that [`super::sample`] draws, and what they link to.
//! - `only` is the last word: nothing of another map is loaded or edited, not even what would follow.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::lang::plan::{Arm, Rule};
use crate::lang::value::RefValue;
use crate::run::workspace::{StagedRecord, Status};

use super::notes::parent_of;
use super::sample::{Sample, Slice};
use super::streams::{Stream, flatten_name, split_name};
use super::{Engine, Error, Result};

/// Names that a message lists at most.
const NAMED: usize = 5;

/// Which records that were held back are tried again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Retry {
    /// What was quarantined, what was refused, and what was left out for want of another record.
    #[default]
    All,
    /// What the destination refused.
    Failed,
    /// What was quarantined, and what was left out for want of another record.
    Quarantined,
    /// Nothing.
    Nothing,
}

/// A record as people name it: `deal/7`, or `7` where the map is said otherwise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordName {
    /// A map, or an object whose records any of its maps takes.
    pub item: Option<String>,
    /// The key.
    pub key: String,
}

impl RecordName {
    /// Reads a name. Keys may hold slashes, names of maps do not.
    pub fn parse(text: &str) -> RecordName {
        match text.trim().split_once('/') {
            Some((item, key)) => {
                RecordName { item: Some(item.trim().to_owned()), key: key.trim().to_owned() }
            }
            None => RecordName { item: None, key: text.trim().to_owned() },
        }
    }
}

impl std::fmt::Display for RecordName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.item {
            Some(item) => write!(f, "{item}/{}", self.key),
            None => f.write_str(&self.key),
        }
    }
}

/// What a run loads, as it is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// These maps; all of them where it is empty.
    pub only: Vec<String>,
    /// These records of them; all of them where it is `None`.
    pub records: Option<Vec<RecordName>>,
    /// A sample of those maps, instead of records that are named.
    pub sample: Option<Sample>,
    /// What was held back and is tried again.
    pub retry: Retry,
    /// Hash of the plan that a person agreed to go on with, where another one was begun.
    pub change: Option<String>,
}

/// The scope of a run.
#[derive(Default)]
pub(super) struct Scope {
    /// Maps, by index; all of them where it is `None`.
    maps: Option<BTreeSet<usize>>,
    /// Records by map and key; all of those maps where it is `None`.
    records: RefCell<Option<HashMap<usize, HashSet<String>>>>,
    /// Records that were decided anew since something arrived, in this run.
    followed: RefCell<HashSet<(usize, String)>>,
    /// By stream: records that this run leaves to a later one.
    left: RefCell<BTreeMap<usize, u64>>,
    /// By map and the map that it needs: records that this run leaves to a later one for want of such a link.
    needs: RefCell<BTreeMap<(usize, usize), u64>>,
    /// The same of records that stand, and that a change waits for.
    stays: RefCell<BTreeMap<(usize, usize), u64>>,
    /// Whether maps or records are outside.
    partial: bool,
    /// What was drawn, where it is a sample.
    pub(super) slice: Option<Slice>,
}

impl Scope {
    /// Whether maps or records are outside of it.
    pub(super) fn is_partial(&self) -> bool {
        self.partial
    }

    /// Whether anything of a map may be loaded.
    pub(super) fn has_map(&self, map: usize) -> bool {
        self.maps.as_ref().is_none_or(|maps| maps.contains(&map))
    }

    /// Whether anything of a map is to be loaded now.
    pub(super) fn touches(&self, map: usize) -> bool {
        self.has_map(map) && self.records.borrow().as_ref().is_none_or(|records| records.contains_key(&map))
    }

    /// Whether a record is one of it.
    pub(super) fn has(&self, map: usize, key: &str) -> bool {
        let records = self.records.borrow();
        self.has_map(map)
            && records.as_ref().is_none_or(|records| records.get(&map).is_some_and(|keys| keys.contains(key)))
    }

    /// Takes a record in, within the maps of the scope.
    pub(super) fn add(&self, map: usize, key: &str) {
        if let Some(records) = self.records.borrow_mut().as_mut() {
            records.entry(map).or_default().insert(key.to_owned());
        }
    }

    /// A load of a stream begins: what it leaves is counted from here.
    pub(super) fn begin(&self, stream: usize) {
        self.left.borrow_mut().insert(stream, 0);
        self.needs.borrow_mut().retain(|(map, _), _| *map != stream);
    }

    /// A load leaves a record of a stream to a later run.
    pub(super) fn leave(&self, stream: usize) {
        *self.left.borrow_mut().entry(stream).or_default() += 1;
    }

    /// A record is left for want of one of another map.
    pub(super) fn need(&self, map: usize, needed: usize) {
        *self.needs.borrow_mut().entry((map, needed)).or_default() += 1;
    }

    /// A record stays as it was written for want of one of another map, until a later run applies what changed.
    pub(super) fn stay(&self, map: usize, needed: usize) {
        *self.stays.borrow_mut().entry((map, needed)).or_default() += 1;
    }

    /// How many records of a stream were left by its last load.
    pub(super) fn left(&self, stream: usize) -> Option<u64> {
        self.left.borrow().get(&stream).copied()
    }
}

impl Engine<'_> {
    /// Works out what this run loads, and makes pending again what it tries again.
    pub(super) fn select(&self, selection: &Selection) -> Result<Scope> {
        let maps = self.selected_maps(&selection.only)?;
        let slice = match selection.sample {
            Some(_) if selection.records.is_some() => {
                let why = "records are named and a sample is asked for; leave one of them out";
                return Err(Error::Selection(why.to_owned()));
            }
            Some(sample) => Some(self.draw(sample, maps.as_ref())?),
            None => None,
        };
        let records = match (&selection.records, &slice) {
            (Some(names), _) => Some(self.selected_records(maps.as_ref(), names)?),
            (None, Some(slice)) => Some(slice.by_map()),
            (None, None) => None,
        };
        let scope = Scope {
            partial: maps.is_some() || records.is_some(),
            maps,
            records: RefCell::new(records),
            slice,
            ..Scope::default()
        };
        for (index, stream) in self.streams.iter().enumerate() {
            if scope.touches(stream.map) {
                self.try_again(&scope, index, stream, selection.retry)?;
            }
        }
        for flatten in &self.plan.flattens {
            self.workspace.retry_folded(&flatten_name(self.plan, flatten))?;
        }
        Ok(scope)
    }

    fn selected_maps(&self, only: &[String]) -> Result<Option<BTreeSet<usize>>> {
        if only.is_empty() {
            return Ok(None);
        }
        only.iter().map(|name| self.map_named(name)).collect::<Result<_>>().map(Some)
    }

    fn map_named(&self, name: &str) -> Result<usize> {
        self.plan.maps.iter().position(|map| map.name == name).ok_or_else(|| {
            let all: Vec<String> = self.plan.maps.iter().map(|map| format!("`{}`", map.name)).collect();
            Error::Selection(format!("the spec has no map `{name}`; it has {}", all.join(", ")))
        })
    }

    fn selected_records(
        &self,
        maps: Option<&BTreeSet<usize>>,
        names: &[RecordName],
    ) -> Result<HashMap<usize, HashSet<String>>> {
        if names.is_empty() {
            return Err(Error::Selection("no record is named, so there is nothing to load".to_owned()));
        }
        let mut records: HashMap<usize, HashSet<String>> = HashMap::new();
        let mut unknown = Vec::new();
        for name in names {
            if let Some((map, key)) = self.record_of_note(name)? {
                records.entry(map).or_default().insert(key);
                continue;
            }
            let candidates: Vec<usize> = match &name.item {
                Some(item) => self.maps_called(item)?,
                None => match maps {
                    Some(maps) => maps.iter().copied().collect(),
                    None if self.plan.maps.len() == 1 => vec![0],
                    None => {
                        return Err(Error::Selection(format!(
                            "`{name}` does not say of which map: write `MAP/{name}`, such as `{}/{name}`, or name the map \
                             with `--only`",
                            self.plan.maps.first().map_or("deal", |map| map.name.as_str())
                        )));
                    }
                },
            };
            let mut found = false;
            for map in candidates.into_iter().filter(|map| maps.is_none_or(|maps| maps.contains(map))) {
                if self.takes_part(map, &name.key)? {
                    records.entry(map).or_default().insert(name.key.clone());
                    found = true;
                }
            }
            if !found {
                unknown.push(name.to_string());
            }
        }
        if unknown.is_empty() {
            return Ok(records);
        }
        let more = unknown.len().saturating_sub(NAMED);
        let shown: Vec<String> = unknown.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        Err(Error::Selection(format!(
            "no map of this run takes {}{more}; mend the list, or stage what is new with `b2n extract` and a new workspace",
            shown.join(", ")
        )))
    }

    /// The record that a note goes with, where a note is named.
    fn record_of_note(&self, name: &RecordName) -> Result<Option<(usize, String)>> {
        let of_item = |stream: &&Stream| stream.notes.is_some() && Some(&stream.name) == name.item.as_ref();
        let Some(stream) = self.streams.iter().find(of_item) else { return Ok(None) };
        let note = self.workspace.staged_record(&stream.object, &name.key)?;
        Ok(note.and_then(|note| parent_of(&note)).map(|parent| (stream.map, parent)))
    }

    /// The map of this name, else the maps that read the object of this name.
    fn maps_called(&self, item: &str) -> Result<Vec<usize>> {
        let of = |matches: &dyn Fn(&crate::lang::plan::Map) -> bool| -> Vec<usize> {
            let maps = self.plan.maps.iter().enumerate();
            maps.filter(|(_, map)| matches(map)).map(|(index, _)| index).collect()
        };
        let named = of(&|map| map.name == item);
        let found = if named.is_empty() { of(&|map| map.source == item) } else { named };
        if !found.is_empty() {
            return Ok(found);
        }
        let placed = self.plan.splits.iter().any(|split| split_name(split) == item)
            || self.plan.flattens.iter().any(|flatten| flatten_name(self.plan, flatten) == item)
            || self.streams.iter().any(|stream| stream.notes.is_some() && stream.name == item);
        if placed {
            return Err(Error::Selection(format!(
                "records of `{item}` are not loaded by themselves: name the record of a map that they go with, or decide on \
                 them with `b2n quarantine skip`"
            )));
        }
        self.map_named(item).map(|map| vec![map])
    }

    /// Makes pending again what of a stream was held back.
    fn try_again(&self, scope: &Scope, index: usize, stream: &Stream, retry: Retry) -> Result<()> {
        let skips = |rule: &Rule| matches!(rule.on_unmigrated, Some(Arm::Skip(_)));
        let skips = stream.notes.is_none() && self.plan.maps[stream.map].rules.iter().any(skips);
        let mut statuses = match retry {
            Retry::All => vec![Status::Quarantined, Status::Failed],
            Retry::Failed => vec![Status::Failed],
            Retry::Quarantined => vec![Status::Quarantined],
            Retry::Nothing => return Ok(()),
        };
        if skips && retry != Retry::Failed {
            statuses.push(Status::LeftOut);
        }
        let Some(records) = &*scope.records.borrow() else {
            return Ok(self.workspace.retry(&stream.name, &statuses)?);
        };
        if stream.notes.is_none() {
            for key in records.get(&stream.map).into_iter().flatten() {
                let outcome = self.workspace.outcome(&stream.name, key)?;
                let again = outcome.is_some_and(|outcome| statuses.contains(&outcome.status));
                if again && self.workspace.decision(&stream.name, key)?.is_none() {
                    self.workspace.transaction(|ws| ws.unsettle(&stream.name, key))?;
                }
            }
            return Ok(());
        }
        let mut after = String::new();
        loop {
            let page = self.workspace.held_page(&stream.name, &after, 500)?;
            let Some(last) = page.last() else { return Ok(()) };
            after.clone_from(&last.key);
            for held in &page {
                let note = self.workspace.staged_record(&stream.object, &held.key)?;
                let ours = note.is_some_and(|note| self.takes(scope, index, &note));
                if ours
                    && statuses.contains(&held.outcome.status)
                    && self.workspace.decision(&stream.name, &held.key)?.is_none()
                {
                    self.workspace.transaction(|ws| ws.unsettle(&stream.name, &held.key))?;
                }
            }
        }
    }

    /// Whether a staged record of a stream is one of a scope; a note goes with its record.
    pub(super) fn takes(&self, scope: &Scope, stream: usize, record: &StagedRecord) -> bool {
        let stream = &self.streams[stream];
        if !scope.is_partial() {
            return true;
        }
        match stream.notes {
            None => scope.has(stream.map, &record.key),
            // One that cannot be read is for the load to tell.
            Some(_) => parent_of(record).is_none_or(|parent| scope.has(stream.map, &parent)),
        }
    }

    /// The map that takes the record which a link leads to, where that record has not ended and this run leaves it to
    /// a later one.
    pub(super) fn left_to_a_later_run(&self, link: &RefValue) -> Result<Option<usize>> {
        let scope = self.scope.borrow();
        if !scope.is_partial() {
            return Ok(None);
        }
        for map in std::iter::once(link.map).chain(link.others.iter().copied()).map(usize::from) {
            let name = &self.plan.maps[map].name;
            if !scope.has(map, &link.key)
                && self.workspace.outcome(name, &link.key)?.is_none()
                && self.takes_part(map, &link.key)?
            {
                return Ok(Some(map));
            }
        }
        Ok(None)
    }

    /// Makes records of these maps pending again that were held back for want of one which has arrived by now. Gives
    /// whether there were any; each follows once in a run.
    pub(super) fn follow(&self, maps: impl Iterator<Item = usize>) -> Result<bool> {
        let scope = self.scope.borrow();
        let mut any = false;
        for map in maps.filter(|map| scope.has_map(*map)) {
            let name = &self.plan.maps[map].name;
            for key in self.workspace.can_go_on(name)? {
                if scope.followed.borrow_mut().insert((map, key.clone())) {
                    self.workspace.transaction(|ws| ws.unsettle(name, &key))?;
                    scope.add(map, &key);
                    any = true;
                }
            }
        }
        Ok(any)
    }

    /// How many records of a stream this run leaves to a later one.
    pub(super) fn left_of(&self, stream: usize) -> Result<u64> {
        let scope = self.scope.borrow();
        if !scope.is_partial() {
            return Ok(0);
        }
        if let Some(left) = scope.left(stream) {
            return Ok(left);
        }
        let plan = &self.streams[stream];
        let routed = plan.notes.is_none() && self.plan.maps[plan.map].split.is_some();
        Ok(self.workspace.pending(&plan.name, &plan.object, routed)?)
    }

    /// How many records of a flatten wait for one that this run leaves to a later one.
    pub(super) fn left_of_folded(&self, flatten: usize) -> Result<u64> {
        if !self.scope.borrow().is_partial() {
            return Ok(0);
        }
        let plan = &self.plan.flattens[flatten];
        let into = &self.plan.maps[usize::from(plan.into)].name;
        let (mut after, mut left) = (0, 0);
        loop {
            let page = self.workspace.folded_page(&flatten_name(self.plan, plan), after, 500)?;
            let Some(last) = page.last() else { return Ok(left) };
            after = last.seq;
            for child in &page {
                if self.workspace.outcome(into, &child.parent)?.is_none() {
                    left += 1;
                }
            }
        }
    }

    /// Tells what a run of a part left, and why.
    pub(super) fn tell_what_is_left(&self) {
        let scope = self.scope.borrow();
        for ((map, needed), records) in scope.needs.borrow().iter() {
            let (map, needed) = (&self.plan.maps[*map].name, &self.plan.maps[*needed].name);
            let (word, verb) = if *records == 1 { ("record", "links") } else { ("records", "link") };
            self.outside.progress.notice(&format!(
                "{records} {word} of `{map}` {verb} to records of `{needed}` that this run leaves to a later one: load \
                 those first, such as with `--only {needed}`, or everything"
            ));
        }
        for ((map, needed), records) in scope.stays.borrow().iter() {
            let (map, needed) = (&self.plan.maps[*map].name, &self.plan.maps[*needed].name);
            let (word, stay, link) = if *records == 1 {
                ("record", "stays", "it links")
            } else {
                ("records", "stay", "they link")
            };
            self.outside.progress.notice(&format!(
                "{records} written {word} of `{map}` {stay} without the changes, since {link} to records of `{needed}` that \
                 this run leaves to a later one: load those first, such as with `--only {needed}`, or everything"
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_may_hold_a_slash_and_a_map_may_be_missing() {
        let name = |text: &str| {
            let name = RecordName::parse(text);
            (name.item.unwrap_or_default(), name.key)
        };
        assert_eq!(name("deal/7"), ("deal".to_owned(), "7".to_owned()));
        assert_eq!(name(" 7 "), (String::new(), "7".to_owned()));
        let note = "notes of deal/deal/7#deal.comments";
        assert_eq!(name(note), ("notes of deal".to_owned(), "deal/7#deal.comments".to_owned()));
        assert_eq!(RecordName::parse(note).to_string(), note);
    }

    #[test]
    fn a_scope_has_what_was_asked_for_and_what_follows_within_its_maps() {
        let records = HashMap::from([(1, HashSet::from(["7".to_owned()]))]);
        let scope = Scope {
            maps: Some(BTreeSet::from([1, 2])),
            records: RefCell::new(Some(records)),
            partial: true,
            ..Scope::default()
        };
        assert!(scope.has(1, "7") && !scope.has(1, "8") && !scope.has(2, "7"));
        assert!(scope.touches(1) && !scope.touches(2) && !scope.touches(0));
        scope.add(2, "9");
        scope.add(0, "9");
        assert!(scope.has(2, "9") && scope.touches(2));
        assert!(!scope.has(0, "9"), "another map than those of `only`");
        let whole = Scope::default();
        assert!(whole.has(5, "1") && whole.touches(5) && !whole.is_partial());
    }

    #[test]
    fn what_a_load_leaves_is_counted_anew_by_the_next_load() {
        let scope = Scope { partial: true, ..Scope::default() };
        assert_eq!(scope.left(3), None);
        scope.begin(3);
        scope.leave(3);
        scope.leave(3);
        assert_eq!(scope.left(3), Some(2));
        scope.begin(3);
        assert_eq!(scope.left(3), Some(0));
    }
}
