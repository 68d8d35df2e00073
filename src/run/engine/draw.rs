//! Stages a part of a source: what is drawn, and whatever that needs.
//!
//! # What a part holds
//! 1. The records that are drawn ([`Portion`]), and what they link to by the fields that the plan reads, directly or
//!    through others, and what a `flatten` folds into them.
//! 2. What hangs on those: activities, comments, tasks, histories, addresses and the like, whatever their own dates.
//! 3. What 2 links to, and what that links to. Nothing else hangs on these: they came along so that no link is without
//!    its record.
//!
//! Objects that are not drawn from and hang on nothing that the plan reads come whole.
//!
//! # Going on
//! Each of these steps ends in a note, and the last sequence number of the first one with it, so that an interrupted
//! extraction knows whose records hang and whose do not. Steps are safe to repeat: what is staged is not fetched again.
//! INVARIANT: every record that is staged was drawn, is linked from a staged one, or hangs on one of step 1.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;

use crate::lang::plan::Plan;
use crate::lang::schema::Schema;
use crate::lang::types::Base;
use crate::lang::value::Value;
use crate::run::connect::{self, Decode, Hangs, Source};
use crate::run::workspace::{Manifest, Workspace};

use super::extract::Extraction;
use super::portion::Portion;
use super::streams::objects;
use super::{Error, Outside, Result};

/// How often an object's outline is read again when its records move meanwhile.
const SWEEPS: u32 = 3;
/// Records that are fetched by their keys at a time.
const FETCHED: u32 = 500;
/// Records that are asked at a time for what hangs on them.
const OWNERS: u32 = 50;
/// Records that are looked through at a time.
const PAGE: u32 = 500;
/// The note that tells which step is done.
const STEP: &str = "portion step";
/// The word before the last sequence number of the first step.
const ROOTED: &str = "rooted ";

/// A slot that links, and what its elements' attributes link to.
struct Linking {
    slot: usize,
    base: Base,
    attributes: Vec<Base>,
}

/// How an object's links are read.
struct Links {
    decode: Box<dyn Decode>,
    slots: Vec<Linking>,
}

pub(super) struct Drawing<'a> {
    plan: &'a Plan,
    portion: &'a Portion,
    workspace: &'a Workspace,
    source: &'a dyn Source,
    outside: &'a Outside<'a>,
    objects: Vec<&'a str>,
    links: BTreeMap<&'a str, Links>,
    /// Up to where each object's links were followed.
    followed: RefCell<BTreeMap<&'a str, i64>>,
    staged: Cell<u64>,
}

impl<'a> Drawing<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        schema: &Schema,
        portion: &'a Portion,
        workspace: &'a Workspace,
        source: &'a dyn Source,
        outside: &'a Outside<'a>,
    ) -> Result<Drawing<'a>> {
        let mut links = BTreeMap::new();
        let all = objects(plan);
        for object in &all {
            links.insert(*object, links_of(plan, schema, object)?);
        }
        let all = all.into_iter().filter(|object| portion.comments || *object != COMMENT).collect();
        let (followed, staged) = (RefCell::default(), Cell::new(0));
        Ok(Drawing { plan, portion, workspace, source, outside, objects: all, links, followed, staged })
    }

    /// Stages all of it; goes on where an earlier call ended.
    pub(super) async fn extract(&self, whole: &Extraction<'_>) -> Result<()> {
        for object in objects(self.plan) {
            self.workspace.begin_listing(object)?;
            self.staged.set(self.staged.get() + self.workspace.staged(object)?);
        }
        self.outside.progress.begin("extract a part", None);
        let step = self.workspace.note(STEP)?.unwrap_or_default();
        let rooted = match step.strip_prefix(ROOTED).and_then(|last| last.parse::<i64>().ok()) {
            Some(rooted) => rooted,
            None => {
                self.draw().await?;
                self.follow().await?;
                let last = self.followed.borrow().values().copied().max().unwrap_or(0);
                self.workspace.set_note(STEP, &format!("{ROOTED}{last}"))?;
                last
            }
        };
        self.hang(rooted, whole).await?;
        self.follow().await?;
        self.outside.progress.end();
        self.outside.points.reach("extract.closing")?;
        for object in objects(self.plan) {
            let manifest = self.workspace.manifest(object)?.unwrap_or_default();
            if !manifest.done {
                self.close(object, manifest)?;
            }
        }
        Ok(())
    }

    /// Everything of an object that the part has is there.
    pub(super) fn close(&self, object: &str, manifest: Manifest) -> Result<()> {
        close(self.workspace, object, manifest, self.outside.clock.now_ms())
    }

    /// The objects that records are drawn from.
    fn drawn(&self) -> impl Iterator<Item = &'a str> {
        self.objects.iter().copied().filter(|object| self.source.is_drawn(object))
    }

    /// Draws, and stages what is drawn.
    async fn draw(&self) -> Result<()> {
        let from = self.drawn().filter(|object| self.portion.draws_from(object));
        try_join_all(from.map(|object| self.draw_from(object))).await.map(|_| ())
    }

    async fn draw_from(&self, object: &str) -> Result<()> {
        for sweep in 1.. {
            let (mut cursor, mut listed) = (String::new(), 0u64);
            let moved = loop {
                self.outside.points.reach("extract.request")?;
                let outlined = self.source.outline(object, &cursor).await?;
                let takes = outlined.records.iter().filter(|outline| self.portion.takes(object, outline));
                self.workspace.list_keys(object, takes.map(|outline| outline.id.as_str()))?;
                listed += outlined.records.len() as u64;
                cursor = outlined.cursor;
                if outlined.done {
                    break outlined.moved;
                }
            };
            if !moved {
                break;
            }
            if sweep == SWEEPS {
                let counted = self.source.count(object).await?;
                if counted == listed {
                    break;
                }
                return Err(Error::Count { object: object.to_owned(), counted, staged: listed });
            }
        }
        self.fetch(object).await.map(|_| ())
    }

    /// Stages the listed records that are not; gives how many there are. One that does not come is gone.
    async fn fetch(&self, object: &str) -> Result<u64> {
        let mut came = 0;
        loop {
            let lacking = self.workspace.listed_not_staged(object, FETCHED)?;
            if lacking.is_empty() {
                return Ok(came);
            }
            self.outside.points.reach("extract.request")?;
            let records = self.source.surely(object, &lacking).await?;
            came += self.stage(object, &records, None)?;
            self.outside.points.reach("extract.staged")?;
            self.workspace.unlist_keys(object, &lacking)?;
        }
    }

    fn stage(&self, object: &str, records: &[connect::Raw], cursor: Option<String>) -> Result<u64> {
        let mut manifest = self.workspace.manifest(object)?.unwrap_or_default();
        manifest.fetched_ms = self.outside.clock.now_ms();
        manifest.cursor = cursor.unwrap_or(manifest.cursor);
        let mut new = Vec::with_capacity(records.len());
        for raw in records {
            // A comment on several records comes with each of them: the first one's stands.
            if self.workspace.staged_record(object, &raw.id)?.is_none() {
                new.push((raw.id.as_str(), raw.json.as_slice()));
            }
        }
        let count = new.len() as u64;
        self.workspace.stage(object, new.into_iter(), &manifest)?;
        self.staged.set(self.staged.get() + count);
        self.outside.progress.at(self.staged.get());
        Ok(count)
    }

    /// Fetches what staged records link to, and what is folded into drawn ones, until nothing new comes.
    async fn follow(&self) -> Result<()> {
        let rooting = self.workspace.note(STEP)?.is_none();
        loop {
            let mut wanted: BTreeSet<&str> = BTreeSet::new();
            for object in &self.objects {
                let mut after = self.followed.borrow().get(object).copied().unwrap_or(0);
                loop {
                    let page = self.workspace.staged_page(object, after, PAGE)?;
                    let Some(last) = page.last() else { break };
                    after = last.seq;
                    let mut keys: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
                    for record in &page {
                        self.links_of(object, &record.json, &mut keys);
                    }
                    for (other, keys) in keys {
                        wanted.insert(other);
                        self.workspace.list_keys(other, keys.iter().map(String::as_str))?;
                    }
                    if rooting {
                        let owners: Vec<String> = page.into_iter().map(|record| record.key).collect();
                        self.fold_into(object, &owners).await?;
                    }
                    self.followed.borrow_mut().insert(*object, after);
                }
            }
            let fetched = try_join_all(wanted.into_iter().map(|object| self.fetch(object))).await?;
            if fetched.into_iter().sum::<u64>() == 0 && self.is_followed()? {
                return Ok(());
            }
        }
    }

    fn is_followed(&self) -> Result<bool> {
        for object in &self.objects {
            let after = self.followed.borrow().get(object).copied().unwrap_or(0);
            if !self.workspace.staged_page(object, after, 1)?.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Stages records of drawn objects that are part of what these are: folded into them, or hanging on them.
    async fn fold_into(&self, owner: &str, keys: &[String]) -> Result<()> {
        for object in self.drawn() {
            let folded = || {
                let into = |map: u16| self.plan.maps.get(usize::from(map)).map(|map| map.source.as_str());
                self.plan.flattens.iter().any(|f| f.source == object && into(f.into) == Some(owner))
            };
            let comes = match self.source.hangs_on(object, owner) {
                Hangs::Always => true,
                Hangs::ByField => folded(),
                Hangs::No => false,
            };
            for keys in keys.chunks(OWNERS as usize).filter(|_| comes) {
                self.outside.points.reach("extract.request")?;
                let records = self.source.hanging(object, owner, keys).await?;
                self.stage(object, &records, None)?;
                self.outside.points.reach("extract.staged")?;
            }
        }
        Ok(())
    }

    /// Stages what hangs on the records of the first step, object by object side by side.
    async fn hang(&self, rooted: i64, whole: &Extraction<'_>) -> Result<()> {
        let hanging = self.objects.iter().copied().filter(|object| !self.source.is_drawn(object));
        try_join_all(hanging.map(|object| self.hang_one(object, rooted, whole))).await.map(|_| ())
    }

    async fn hang_one(&self, object: &str, rooted: i64, whole: &Extraction<'_>) -> Result<()> {
        if self.workspace.manifest(object)?.is_some_and(|manifest| manifest.done) {
            return Ok(());
        }
        let owners: Vec<&str> =
            self.drawn().filter(|owner| self.source.hangs_on(object, owner) == Hangs::Always).collect();
        if owners.is_empty() {
            return whole.extract_alone(object).await;
        }
        let cursor = self.workspace.manifest(object)?.unwrap_or_default().cursor;
        let done = cursor.rsplit_once(' ').and_then(|(owner, seq)| Some((owner, seq.parse::<i64>().ok()?)));
        for owner in owners {
            let mut after = match done {
                Some((before, _)) if owner < before => continue,
                Some((same, seq)) if owner == same => seq,
                _ => 0,
            };
            loop {
                let page = self.workspace.staged_page(owner, after, OWNERS)?;
                let page: Vec<_> = page.into_iter().filter(|record| record.seq <= rooted).collect();
                let Some(last) = page.last() else { break };
                after = last.seq;
                let keys: Vec<String> = page.into_iter().map(|record| record.key).collect();
                self.outside.points.reach("extract.request")?;
                let records = self.source.hanging(object, owner, &keys).await?;
                self.stage(object, &records, Some(format!("{owner} {after}")))?;
                self.outside.points.reach("extract.staged")?;
            }
        }
        Ok(())
    }

    /// What a record links to, by object.
    fn links_of<'k>(&'k self, object: &str, json: &[u8], out: &mut BTreeMap<&'k str, BTreeSet<String>>) {
        let Some(links) = self.links.get(object) else { return };
        let Ok(slots) = links.decode.decode(json) else { return };
        let mut add = |base: &Base, value: &Value| {
            let text = value.bare().to_text();
            let (object, key) = match base {
                Base::Link(object) => (object.as_str(), text.as_ref()),
                _ => match text.rsplit_once('/') {
                    Some(link) => link,
                    None => return,
                },
            };
            // Only what the plan reads is staged; comments and addresses cannot be asked for by themselves.
            let known = self.objects.iter().find(|known| **known == object);
            if let Some(known) = known.filter(|known| self.source.is_drawn(known) && !key.is_empty()) {
                out.entry(known).or_default().insert(key.to_owned());
            }
        };
        for Linking { slot, base, attributes } in &links.slots {
            let value = slots.get(*slot).unwrap_or(&Value::Absent);
            let elements = match value {
                Value::List(elements) => elements.as_slice(),
                one => std::slice::from_ref(one),
            };
            for element in elements.iter().filter(|element| !element.is_absent()) {
                if is_link(base) {
                    add(base, element);
                }
                let Value::Item(item) = element else { continue };
                for (attribute, value) in attributes.iter().zip(&item.attrs) {
                    if is_link(attribute) && !value.is_absent() {
                        add(attribute, value);
                    }
                }
            }
        }
    }
}

/// The object that can be left out.
pub(super) const COMMENT: &str = "comment";

fn is_link(base: &Base) -> bool {
    matches!(base, Base::Link(_) | Base::AnyLink)
}

/// How an object's links are read: those in fields that the plan reads.
fn links_of(plan: &Plan, schema: &Schema, object: &str) -> Result<Links> {
    let maps = plan.maps.iter().filter(|map| map.source == object).map(|map| &map.reads);
    let flattens = plan.flattens.iter().filter(|flatten| flatten.source == object);
    let splits = plan.splits.iter().filter(|split| split.source == object);
    let read: BTreeSet<&str> = maps
        .chain(flattens.map(|flatten| &flatten.reads))
        .flat_map(|reads| reads.values().map(String::as_str))
        .collect();
    // A split alone reads what its rows look at, whatever it is.
    let all = read.is_empty() && splits.count() > 0;
    let fields = schema.object(object).map(|found| found.fields.as_slice()).unwrap_or_default();
    let slots = fields.iter().enumerate().filter(|(_, field)| all || read.contains(field.name.as_str()));
    let slots = slots.map(|(slot, field)| Linking {
        slot,
        base: field.ty.base.clone(),
        attributes: field.attributes.iter().map(|attribute| attribute.ty.base.clone()).collect(),
    });
    let slots = slots.filter(|linking| is_link(&linking.base) || linking.attributes.iter().any(is_link));
    Ok(Links {
        slots: slots.collect(),
        decode: connect::decoder(&plan.source.connector, schema, object).map_err(Error::Plan)?,
    })
}

/// Everything of an object that is asked for is there.
pub(super) fn close(workspace: &Workspace, object: &str, manifest: Manifest, now_ms: i64) -> Result<()> {
    let staged = workspace.staged(object)?;
    let manifest = Manifest { done: true, counted: Some(staged), ..manifest };
    Ok(workspace.transaction(|ws| {
        ws.stage(object, std::iter::empty(), &manifest)?;
        ws.seal(object, now_ms).map(|_| ())
    })?)
}
