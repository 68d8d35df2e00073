//! Makes the list of a rollback: looks at every record, dependents first, and writes to neither side.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt};

use crate::run::connect::{Goes, Provision, Removal, Stored};
use crate::run::workspace::{Entry, Fate, JournalState, Operation, ReadBack, RollbackLine, Turn};

use super::super::provision::{MADE, PROVISIONED, describe, provisioned};
use super::super::twice::Whose;
use super::super::{Engine, Error, Result};
use super::judge::Origin;
use super::{Announcement, Assessment, Leftover, PAGE, There};

/// A record that was looked at.
struct Judged {
    line: RollbackLine,
    /// Its links, where it stays.
    links: Vec<There>,
    /// A record that a create without an answer made.
    found: Option<ReadBack>,
}

impl Engine<'_> {
    /// Tells what a rollback would do, record by record. Nothing is written to the destination, and the list is gone
    /// with the process unless [`Engine::roll_back`] carries it out. For a rollback that was begun, its own list.
    ///
    /// # Errors
    /// A workspace that has written nothing, or with another plan; a map that others depend on; no right to delete; a
    /// destination that does not answer.
    pub async fn announce_rollback(&self, only: Option<&str>) -> Result<Announcement> {
        self.bind_target().await?;
        if let Some(begun) = self.begun_rollback(only)? {
            return Ok(begun);
        }
        self.refuse_rollback(only).await?;
        let scope = self.in_scope(only)?;
        self.wait_for_open_writes(&scope).await?;
        let streams = self.backwards(&scope)?;
        let assessment = Assessment { foreign: self.foreign_links(&streams).await?, ..Assessment::default() };
        self.workspace.begin_list()?;
        for stream in &streams {
            self.assess(*stream, &assessment).await?;
        }
        self.outside.points.reach("rollback.assessed")?;
        let leftovers = match only {
            // Records of other maps may use them.
            Some(_) => Vec::new(),
            None => {
                let goes = |object: &str, id: &str| {
                    let fate = self.workspace.fate_in_list(object, id);
                    matches!(fate, Ok(Some(Fate::Delete | Fate::Restore)))
                };
                self.leftovers(Some(&goes)).await?
            }
        };
        let doubts = assessment.doubts.into_inner();
        Ok(Announcement {
            counts: self.workspace.rollback_counts(true)?,
            leftovers,
            doubts: doubts.into_iter().map(|((map, why), records)| (map, records, why)).collect(),
            only: only.map(str::to_owned),
            begun: false,
            found: assessment.found.into_inner().into_values().collect(),
        })
    }

    fn begun_rollback(&self, only: Option<&str>) -> Result<Option<Announcement>> {
        let Some(begun) = self.workspace.rollback()?.filter(|rollback| rollback.ended_ms.is_none()) else {
            return Ok(None);
        };
        if only.is_some() && begun.only.as_deref() != only {
            let begun = match &begun.only {
                Some(map) => {
                    format!("a rollback of `{map}` was begun; `b2n rollback` with `--only {map}` goes on")
                }
                None => {
                    "a rollback of everything was begun; `b2n rollback` without `--only` goes on".to_owned()
                }
            };
            return Err(Error::OtherRollback { begun });
        }
        let counts = self.workspace.rollback_counts(false)?;
        Ok(Some(Announcement { counts, only: begun.only, begun: true, ..Announcement::default() }))
    }

    /// What speaks against a rollback before anything is looked at.
    async fn refuse_rollback(&self, only: Option<&str>) -> Result<()> {
        let no = |why: String| Err(Error::NoRollback(why));
        if self.workspace.writes()? == 0 && !self.made_choices()? {
            return no(
                "no record of this migration is there: there is nothing to roll back; what it made in the settings stays, \
                 and a migration uses it again"
                    .to_owned(),
            );
        }
        if let Some(why) = self.other_shape()? {
            return no(format!("{why}: roll back with the spec as it was then"));
        }
        let scope = self.in_scope(only)?;
        if let Some(map) = only {
            let names: Vec<&str> = scope.iter().map(|stream| self.streams[*stream].name.as_str()).collect();
            let by = self.workspace.dependents(&names)?;
            if !by.is_empty() {
                return Err(Error::Needed { map: map.to_owned(), by });
            }
        }
        if self.target.may_delete().await? == Some(false) {
            return no(
                "the destination says that the user of these credentials may not delete records: give them that right, \
                 then run the same command again"
                    .to_owned(),
            );
        }
        Ok(())
    }

    /// What was sent without an answer must be dead before anything is listed.
    async fn wait_for_open_writes(&self, scope: &BTreeSet<usize>) -> Result<()> {
        if self.workspace.has_open_writes()? {
            self.outside.progress.notice(&format!(
                "writes were under way when the last run ended; {} s are waited until they are surely over",
                self.settings.dead_ms.div_ceil(1000)
            ));
            self.outside.clock.sleep(self.settings.dead_ms).await;
        }
        for stream in scope {
            self.wait_until_dead(*stream).await?;
        }
        Ok(())
    }

    /// Links from records that this migration did not make to such that it made, where only a list of everything tells.
    pub(in super::super) async fn foreign_links(
        &self,
        streams: &[usize],
    ) -> Result<BTreeMap<There, BTreeSet<There>>> {
        let targets: BTreeSet<&str> =
            streams.iter().map(|stream| self.streams[*stream].target.as_str()).collect();
        let mut found: BTreeMap<There, BTreeSet<There>> = BTreeMap::new();
        let field = self.marker_field();
        let lists: BTreeSet<&str> =
            targets.iter().flat_map(|target| self.target.linked_from(target)).copied().collect();
        for object in lists {
            let mut cursor = None;
            loop {
                let page = self.target.list(object, &field, cursor.as_deref()).await?;
                for stored in &page.records {
                    if self.workspace.readback(object, &stored.id)?.is_some() {
                        continue;
                    }
                    for link in self.links_now(object, stored) {
                        let told = |target: &&str| {
                            **target == link.0 && self.target.linked_from(target).contains(&object)
                        };
                        if targets.iter().any(told) {
                            found.entry(link).or_default().insert((object.to_owned(), stored.id.clone()));
                        }
                    }
                }
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
        }
        Ok(found)
    }

    /// Looks at every record of a stream.
    async fn assess(&self, stream: usize, assessment: &Assessment) -> Result<()> {
        let name = &self.streams[stream].name;
        self.sweep(stream).await?;
        self.outside.progress.begin(&format!("look at {name}"), None);
        let (mut after, mut done) = (String::new(), 0u64);
        loop {
            let keys = self.workspace.keys_there(name, &after, PAGE)?;
            let Some(last) = keys.last() else { break };
            after.clone_from(last);
            // In order, so that one list is one list.
            let mut looked = stream::iter(keys)
                .map(|key| async move { self.look_at(stream, &key, assessment).await })
                .buffered(self.settings.in_flight.max(1));
            while let Some(judged) = looked.next().await {
                for judged in judged? {
                    self.list(judged, assessment)?;
                }
                done += 1;
                self.outside.progress.at(done);
            }
        }
        self.outside.progress.end();
        Ok(())
    }

    /// Puts a record that was looked at into the list.
    fn list(&self, judged: Judged, assessment: &Assessment) -> Result<()> {
        let Judged { mut line, links, found } = judged;
        let there = (line.object.clone(), line.target.clone());
        if line.fate == Fate::Delete
            && let Some(why) = assessment.needed.borrow().get(&there)
        {
            line.fate = Fate::Keep;
            line.why = Some(why.clone());
        }
        if matches!(line.fate, Fate::Keep | Fate::Restore) {
            let mut needed = assessment.needed.borrow_mut();
            for link in links {
                needed.entry(link).or_insert_with(|| format!("{} links to it and stays", self.show(&there)));
            }
        }
        if let Some(found) = found {
            assessment.found.borrow_mut().insert(there, found);
        }
        Ok(self.workspace.list_for_rollback(&line)?)
    }

    /// Looks at what a source record became.
    async fn look_at(&self, stream: usize, key: &str, assessment: &Assessment) -> Result<Vec<Judged>> {
        let name = self.streams[stream].name.as_str();
        let object = self.streams[stream].target.as_str();
        let entries = self.workspace.writes_since_taken_back(name, key)?;
        let mut judged = Vec::new();
        for (id, origin) in self.records_of(stream, key, &entries)? {
            let line = |fate, why| RollbackLine {
                seq: 0,
                map: name.to_owned(),
                key: key.to_owned(),
                object: object.to_owned(),
                target: id.clone(),
                fate,
                turn: Turn::Open,
                why,
            };
            let one = |fate, why, links| Judged { line: line(fate, why), links, found: None };
            let Some(stored) = self.target.read(object, &id).await? else {
                judged.push(one(Fate::Gone, None, Vec::new()));
                continue;
            };
            let links = self.links_now(object, &stored);
            let origin = match origin {
                Origin::Doubtful => match self.whose(stream, key, &stored).await? {
                    Whose::Ours(..) | Whose::Alone => Origin::Made,
                    Whose::Theirs => Origin::Copy,
                },
                known => known,
            };
            judged.push(match origin {
                Origin::Copy | Origin::Doubtful => {
                    let why =
                        format!("carries the marker of {name} {key}, and this migration did not make it");
                    one(Fate::Keep, Some(why), links)
                }
                Origin::Made if let Some(why) = self.target.is_final(object) => {
                    // It holds nothing: what it is attached to goes all the same.
                    let (_, found) = self.known(stream, key, &stored, &entries)?;
                    Judged { line: line(Fate::Keep, Some(why.to_owned())), links: Vec::new(), found }
                }
                Origin::Made => {
                    let (kept, found) = self.known(stream, key, &stored, &entries)?;
                    let why = match &kept {
                        Some(kept) => self.touched(object, &stored, kept, assessment).await?,
                        None => Some(
                            "no read-back of it was kept, so nobody can tell whether a person changed it"
                                .to_owned(),
                        ),
                    };
                    let fate = if why.is_some() { Fate::Keep } else { Fate::Delete };
                    if fate == Fate::Delete
                        && let Some(why) = self.target.doubts_deletion(object, &stored)
                    {
                        *assessment.doubts.borrow_mut().entry((name.to_owned(), why)).or_default() += 1;
                    }
                    Judged { line: line(fate, why), links, found }
                }
                Origin::Adopted => match self.restoring(stream, key, &stored, &entries)? {
                    Ok(restoring) => one(Fate::Restore, restoring.stays(), restoring.links),
                    Err(why) => one(Fate::Keep, Some(why), links),
                },
            });
        }
        Ok(judged)
    }

    /// What is known of a record that the migration made; of one whose create had no answer, what it shows now.
    fn known(
        &self,
        stream: usize,
        key: &str,
        stored: &Stored,
        entries: &[Entry],
    ) -> Result<(Option<ReadBack>, Option<ReadBack>)> {
        if let Some(kept) = self.remembered(stream, key, &stored.id)? {
            if kept.target == stored.id {
                // An edit that a process died over, or that had no answer, may have been done.
                let mut edits = entries.iter().filter(|entry| entry.intent.operation == Operation::Edit);
                let open = edits
                    .next_back()
                    .filter(|edit| matches!(edit.state, JournalState::Intent | JournalState::Unknown));
                if open.is_some_and(|edit| self.only_just_written(stream, stored, std::slice::from_ref(edit)))
                {
                    let seen = self.with_edits(kept, stream, key, stored, entries)?;
                    return Ok((Some(seen.clone()), Some(seen)));
                }
                return Ok((Some(kept), None));
            }
            // A double that is as its other half was when it was made; that one may have been edited since.
            let seen = self.read_back_new(stream, key, stored);
            return Ok((Some(seen.clone()), Some(seen)));
        }
        if self.only_just_written(stream, stored, entries) {
            let seen = self.read_back_new(stream, key, stored);
            return Ok((Some(seen.clone()), Some(seen)));
        }
        Ok((None, None))
    }

    /// What is known of a record whose last edit had no answer: it was done as far as the record holds what it sent.
    fn with_edits(
        &self,
        mut kept: ReadBack,
        stream: usize,
        key: &str,
        stored: &Stored,
        entries: &[Entry],
    ) -> Result<ReadBack> {
        let mut seen = self.read_back_new(stream, key, stored);
        let Some(edits) = self.open_edits(&self.streams[stream].target, stored, entries)? else {
            return Ok(seen);
        };
        // What a person changed stays as it was remembered, and differs from that for good.
        for (name, field) in &mut seen.fields {
            if !edits.is_ours(name) {
                *field = kept.fields.remove(name).unwrap_or_default();
            }
        }
        let gone = kept.fields.into_iter().filter(|(name, _)| !edits.is_ours(name));
        for (name, field) in gone {
            seen.fields.entry(name).or_insert(field);
        }
        Ok(seen)
    }

    /// Whether tags or sources were made that are not taken away yet. Custom fields do not count: nothing takes them.
    fn made_choices(&self) -> Result<bool> {
        for provision in self.ever_provisioned() {
            if matches!(provision, Provision::Choice { .. })
                && self.workspace.note(&provisioned(&provision))?.is_some_and(|made| made == MADE)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What this migration made in the destination's settings, and what becomes of it. With `ask`, nothing is removed.
    pub(super) async fn leftovers(&self, ask: Option<Goes<'_>>) -> Result<Vec<Leftover>> {
        let mut found = Vec::new();
        for provision in self.ever_provisioned() {
            let note = provisioned(&provision);
            let Some(made) = self.workspace.note(&note)? else { continue };
            let what = describe(&provision);
            if made != MADE {
                let stays = Some("it may have been there before this migration".to_owned());
                found.push(Leftover { what, stays });
                continue;
            }
            let stays = match self.target.remove(&provision, ask).await? {
                Removal::Removed | Removal::Absent => {
                    if ask.is_none() {
                        self.workspace.forget_note(&note)?;
                    }
                    None
                }
                Removal::Used(1) => Some("1 record uses it".to_owned()),
                Removal::Used(records) => Some(format!("{records} records use it")),
                Removal::Impossible(why) => Some(why),
            };
            if ask.is_none() {
                self.outside.points.reach("rollback.provision")?;
            }
            found.push(Leftover { what, stays });
        }
        // The spec may have changed since.
        let named: BTreeSet<String> = self.ever_provisioned().iter().map(provisioned).collect();
        for note in self.workspace.notes_of(PROVISIONED)? {
            if !named.contains(&note) {
                let what = note[PROVISIONED.len()..].to_owned();
                let stays = "the spec does not name it any more: take it away in the settings".to_owned();
                found.push(Leftover { what, stays: Some(stays) });
            }
        }
        Ok(found)
    }
}
