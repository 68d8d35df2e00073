//! What a changed plan, or changed source records, mean for what was written: told first, then applied.
//!
//! A *pass* goes through every record that stands, stream by stream before each is loaded: its fields are worked out
//! anew and compared with what the record was sent. Only a field that our side moved is written, and where a person
//! changed it in the destination meanwhile, `on existing` of the map decides. What the plan leaves out now stays and
//! is listed, or is taken away at the end where the map says `on delete delete`.

mod away;
mod edit;
mod pass;

use std::collections::{BTreeMap, BTreeSet};

use crate::lang::eval::Route;
use crate::lang::plan::{OnDelete, OnExisting, Target};
use crate::lang::schema::Schema;
use crate::lang::types::{Base, Type};
use crate::lang::value::Value;
use crate::run::connect::imprint;
use crate::run::workspace::{Outcome, Pinned, Sent, StagedRecord, Status};

use super::notes::parent_of;
use super::prepare::{Evaluated, Worked, Works};
use super::resolve::Links;
use super::scope::Selection;
use super::streams::{flatten_name, split_name};
use super::{Engine, Error, Result};

/// What the notes begin with that tell which destination fields a stream ever wrote.
const WRITTEN: &str = "written ";
/// The workspace's note of the key of each map.
const KEYS: &str = "keys";
/// What the key of a custom field begins with; names of other fields hold no blank.
const CUSTOM: &str = "custom ";

/// What is about to change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Hash of the plan that the workspace was loaded with.
    pub from: String,
    /// Hash of this plan.
    pub to: String,
    /// Every map in the order of loading, each with the notes that go with its records behind it.
    pub maps: Vec<MapChange>,
}

impl Changes {
    /// Whether the plan is another one, so that a person has to agree.
    pub fn is_of_the_plan(&self) -> bool {
        self.from != self.to
    }

    /// Whether nothing would be written, nor end otherwise than it has.
    pub fn is_nothing(&self) -> bool {
        self.maps.iter().all(|map| {
            map.edited + map.created == 0
                && map.left_out.is_empty()
                && map.taken_away.is_empty()
                && map.held_back.is_empty()
                && map.made_anew.is_empty()
                && map.fixed.is_empty()
        })
    }
}

/// What is about to change in the records of a map, or in the notes that go with them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MapChange {
    /// The map, or `notes of` it.
    pub map: String,
    /// The destination object.
    pub target: String,
    /// Written records whose values are as they were sent.
    pub stays: u64,
    /// Written records that are edited.
    pub edited: u64,
    /// In how many of them each destination field is another.
    pub fields: BTreeMap<String, u64>,
    /// Records that are created or adopted: such as were not mapped before, and such as were not loaded yet.
    pub created: u64,
    /// Written records that are no longer mapped and stay, by reason.
    pub left_out: BTreeMap<String, u64>,
    /// Written records that are no longer mapped and go, by reason; what a person touched stays.
    pub taken_away: BTreeMap<String, u64>,
    /// Written records that are held back for a person from now on, and stay as they are, by reason.
    pub held_back: BTreeMap<String, u64>,
    /// Written records that would be another, cannot be edited, and are deleted and made once more, by reason; what a
    /// person touched stays.
    pub made_anew: BTreeMap<String, u64>,
    /// Written records that would be another and stay as they are, by reason.
    pub fixed: BTreeMap<String, u64>,
}

/// Why a written record is not edited.
#[derive(Clone, Copy, Debug)]
enum Fixed {
    /// It stays as it was written.
    Stays(&'static str),
    /// It can be deleted and made once more.
    MadeAnew(&'static str),
}

impl Fixed {
    /// What the books say of a record that stays.
    fn stays(self) -> String {
        let (Fixed::Stays(why) | Fixed::MadeAnew(why)) = self;
        format!("stays as it was written: {why}")
    }
}

/// What a destination field is called in what was sent.
pub(super) fn field_key(target: &Target) -> String {
    if target.custom { format!("{CUSTOM}{}", target.name) } else { target.name.clone() }
}

/// A field as people call it.
fn shown(key: &str) -> &str {
    key.strip_prefix(CUSTOM).unwrap_or(key)
}

/// What a value is recognised by.
pub(super) fn value_hash(value: &Value) -> u64 {
    // INVARIANT: values always serialise; plans hold them as constants.
    imprint::hash(&serde_json::to_value(value).unwrap_or_default())
}

impl Engine<'_> {
    /// What would change if this plan were carried out on this workspace now: `None` where it is the workspace's plan
    /// and no staged record changed. Writes nothing and asks nobody; everything has to be staged.
    ///
    /// # Errors
    /// A map whose records have to be rolled back first; objects that are not staged; a `stop` that is reached.
    pub fn changes(&self) -> Result<Option<Changes>> {
        let to = self.plan_hash.clone();
        let from = match self.workspace.plan()? {
            Some(from) if self.workspace.writes()? > 0 => from,
            _ => return Ok(None),
        };
        let open = !self.workspace.open_passes()?.is_empty();
        if from == to && !open && !self.workspace.is_restaged()? {
            return Ok(None);
        }
        self.refuse_moved_maps()?;
        for object in super::objects(self.plan) {
            if !self.workspace.manifest(object)?.is_some_and(|manifest| manifest.done) {
                return Err(Error::NotStaged { object: object.to_owned() });
            }
        }
        let passed = self.passed.get();
        let maps = self.workspace.tentatively(|| {
            self.begin_pass(&to)?;
            self.place()?;
            self.look_over()
        });
        self.passed.set(passed);
        Ok(Some(Changes { from, to, maps: maps? }))
    }

    /// Binds the workspace to this plan. One that differs from the one that records were written with has to be the
    /// one that was agreed to.
    pub(super) fn take_plan(&self, selection: &Selection) -> Result<()> {
        let hash = self.plan_hash.clone();
        match self.workspace.pin_plan(&hash)? {
            Pinned::Same if self.workspace.is_restaged()? => self.begin_pass(&hash)?,
            Pinned::Same => {}
            Pinned::Changed { from } => {
                self.refuse_moved_maps()?;
                if selection.change.as_deref() != Some(hash.as_str()) {
                    return Err(self.workspace.other_plan(&from, &hash).into());
                }
                self.begin_pass(&hash)?;
            }
        }
        if (selection.records.is_some() || selection.sample.is_some())
            && !self.workspace.open_passes()?.is_empty()
        {
            return Err(Error::Selection(
                "the spec or the source changed since records were written, which is applied to all of a map before single \
                 records or a sample are loaded: run `b2n migrate` without `--ids` and `--sample` first"
                    .to_owned(),
            ));
        }
        self.keep_written()
    }

    /// Begins to apply what changed.
    fn begin_pass(&self, plan: &str) -> Result<()> {
        self.workspace.begin_pass(plan, self.streams.iter().map(|stream| stream.name.as_str()))?;
        self.passed.set(true);
        for object in super::objects(self.plan) {
            if self.workspace.gone(object)? == 0 {
                continue;
            }
            let streams = self.streams.iter().filter(|stream| stream.object == object);
            let mut names: Vec<String> = streams.map(|stream| stream.name.clone()).collect();
            names.extend(self.plan.splits.iter().filter(|split| split.source == object).map(split_name));
            let flattens = self.plan.flattens.iter().filter(|flatten| flatten.source == object);
            names.extend(flattens.map(|flatten| flatten_name(self.plan, flatten)));
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            self.workspace.drop_gone(object, &names)?;
        }
        Ok(())
    }

    /// A map that wrote records has to carry the same object to the same one, under the same key.
    fn refuse_moved_maps(&self) -> Result<()> {
        let keys: BTreeMap<String, String> =
            self.workspace.note(KEYS)?.and_then(|kept| serde_json::from_str(&kept).ok()).unwrap_or_default();
        for (name, (source, target)) in self.kept_shape()? {
            let records = self.workspace.standing(&name)?;
            if records == 0 {
                continue;
            }
            let why = match self.plan.maps.iter().find(|map| map.name == name) {
                None => "this spec has no such map".to_owned(),
                Some(map) if map.source != source || map.target != target => {
                    format!("this spec carries `{}` to `{}` there", map.source, map.target)
                }
                Some(map) => match (keys.get(&name), map.reads.get(&map.key)) {
                    (Some(was), Some(is)) if was != is => {
                        format!("this spec keys them by `{is}`, not by `{was}`")
                    }
                    _ => continue,
                },
            };
            return Err(Error::MapMoved { map: name, object: source, target, records, why });
        }
        Ok(())
    }

    /// Keeps which fields each stream writes, and the key of each map.
    fn keep_written(&self) -> Result<()> {
        for stream in &self.streams {
            let map = stream.notes.as_ref().unwrap_or(&self.plan.maps[stream.map]);
            let mut fields = self.written(&stream.name)?;
            let before = fields.len();
            fields.extend(map.targets.iter().map(field_key));
            if fields.len() > before {
                let json = serde_json::to_string(&fields).unwrap_or_default();
                self.workspace.set_note(&format!("{WRITTEN}{}", stream.name), &json)?;
            }
        }
        let keys = self.plan.maps.iter().filter_map(|map| Some((&map.name, map.reads.get(&map.key)?)));
        let keys: BTreeMap<_, _> = keys.collect();
        Ok(self.workspace.set_note(KEYS, &serde_json::to_string(&keys).unwrap_or_default())?)
    }

    /// The fields that a stream ever wrote, by their keys.
    fn written(&self, stream: &str) -> Result<BTreeSet<String>> {
        let kept = self.workspace.note(&format!("{WRITTEN}{stream}"))?;
        Ok(kept.and_then(|kept| serde_json::from_str(&kept).ok()).unwrap_or_default())
    }

    /// Destination fields that a stream wrote once and this plan has no rule for, as they are now.
    pub(super) fn dropped(&self, stream: usize, live: &Schema) -> Result<Vec<Target>> {
        let stream = &self.streams[stream];
        let map = stream.notes.as_ref().unwrap_or(&self.plan.maps[stream.map]);
        let known: BTreeSet<String> = map.targets.iter().map(field_key).collect();
        let object = live.object(&stream.target);
        let written = self.written(&stream.name)?;
        let dropped = written.difference(&known).filter_map(|key| {
            let custom = key.starts_with(CUSTOM);
            let name = shown(key).to_owned();
            let field = object?.field(&name).filter(|field| field.custom == custom)?;
            let ty = if custom {
                field.ty.clone()
            } else {
                Type { base: Base::Text { max: None }, ..field.ty.clone() }
            };
            Some(Target { name, custom, ty })
        });
        Ok(dropped.collect())
    }

    /// What a record of a stream is sent with these values.
    pub(super) fn sent_of(&self, stream: usize, values: &[Value]) -> Sent {
        let stream = &self.streams[stream];
        let map = stream.notes.as_ref().unwrap_or(&self.plan.maps[stream.map]);
        let valued = map.targets.iter().zip(values).filter(|(_, value)| !value.is_absent());
        let fields = valued.map(|(target, value)| (field_key(target), value_hash(value))).collect();
        Sent { plan: self.plan_hash.clone(), fields }
    }

    /// The fields of a record that our side moved since it was sent, by their keys. What is written later is not
    /// among them.
    fn moved(&self, stream: usize, values: &[Value], waiting: &[u16], sent: &Sent) -> BTreeSet<String> {
        let map = self.streams[stream].notes.as_ref().unwrap_or(&self.plan.maps[self.streams[stream].map]);
        let wanted = self.sent_of(stream, values).fields;
        let later: BTreeSet<String> =
            waiting.iter().filter_map(|at| map.targets.get(usize::from(*at))).map(field_key).collect();
        let all: BTreeSet<&String> = wanted.keys().chain(sent.fields.keys()).collect();
        let differs = |key: &&String| wanted.get(*key) != sent.fields.get(*key) && !later.contains(*key);
        all.into_iter().filter(differs).cloned().collect()
    }

    /// The fields of a record that are written once every record exists and that our side moved since it was sent.
    fn moved_later(
        &self,
        stream: usize,
        record: &StagedRecord,
        waiting: &[u16],
        sent: &Sent,
    ) -> Result<Vec<String>> {
        let map = self.streams[stream].map;
        let later = |at: &u16| self.later(map, usize::from(*at));
        if self.streams[stream].notes.is_some() || !waiting.iter().any(later) {
            return Ok(Vec::new());
        }
        let Evaluated::Record(mut output) = self.evaluated(map, record)? else { return Ok(Vec::new()) };
        let mut moved = Vec::new();
        for at in waiting.iter().filter(|at| later(at)).map(|at| usize::from(*at)) {
            let Some(value) = output.values.get_mut(at) else { continue };
            self.resolve(&mut Links::new(map, &record.key), at, value)?;
            let key = field_key(&self.plan.maps[map].targets[at]);
            let now = (!value.is_absent()).then(|| value_hash(value));
            if now != sent.fields.get(&key).copied() {
                moved.push(key);
            }
        }
        Ok(moved)
    }

    /// Why a staged record is none of a map's any more, although the map may have written it.
    pub(super) fn out_of_map(&self, map: usize, record: &StagedRecord) -> Result<Option<String>> {
        if !self.passed.get() {
            return Ok(None);
        }
        let plan = &self.plan.maps[map];
        if self.workspace.is_gone(&plan.source, &record.key)? {
            return Ok(Some("deleted in the source".to_owned()));
        }
        let Some(split) = plan.split else { return Ok(None) };
        let Ok(slots) = self.decoders[map].decode(&record.json) else { return Ok(None) };
        Ok(match self.program.route(usize::from(split), &slots) {
            Route::Maps(maps) if maps.iter().any(|to| usize::from(*to) == map) => None,
            Route::Maps(maps) => {
                let names = maps.iter().map(|to| format!("`{}`", self.plan.maps[usize::from(*to)].name));
                Some(format!("the split sends it to {}", names.collect::<Vec<_>>().join(" and ")))
            }
            Route::Listed { reason, .. } | Route::LeftOut { reason, .. } => Some(reason.to_string()),
            Route::Quarantined { reason, .. } => Some(reason.to_string()),
            Route::Stopped { .. } => None,
        })
    }

    /// What becomes of a record that is not to be written, where it was written once and stands.
    pub(super) fn still_standing(&self, stream: usize, key: &str, outcome: Outcome) -> Result<Outcome> {
        if !self.passed.get() || outcome.target.is_some() {
            return Ok(outcome);
        }
        Ok(match self.workspace.readback_of(&self.streams[stream].name, key)? {
            Some((_, id)) => standing(outcome, id),
            None => outcome,
        })
    }

    /// Goes through everything without asking the destination; what it decides is for the caller to take back.
    fn look_over(&self) -> Result<Vec<MapChange>> {
        let mut maps = Vec::new();
        for phase in &self.plan.phases {
            for stream in self.maps_of(phase).into_iter().chain(self.notes_of_phase(phase)) {
                maps.push(self.survey_stream(stream)?);
            }
        }
        Ok(maps)
    }

    fn survey_stream(&self, stream: usize) -> Result<MapChange> {
        let plan = &self.streams[stream];
        let mut found =
            MapChange { map: plan.name.clone(), target: plan.target.clone(), ..MapChange::default() };
        let notes = self.notes_stream(stream);
        if let Some(notes) = notes {
            self.workspace.begin_notes(&self.streams[notes].name)?;
        }
        let mut feed = self.feed(stream);
        while let Some(record) = self.next_staged(stream, &mut feed)? {
            self.survey_record(stream, &record, notes, &mut found)?;
        }
        if let Some(notes) = notes {
            self.lose_notes(notes)?;
        }
        Ok(found)
    }

    fn survey_record(
        &self,
        stream: usize,
        record: &StagedRecord,
        notes: Option<usize>,
        found: &mut MapChange,
    ) -> Result<()> {
        let name = &self.streams[stream].name;
        let outcome = self.workspace.outcome(name, &record.key)?;
        let sent = self.workspace.sent(name, &record.key)?;
        let (id, adopted) = match outcome.as_ref().and_then(|outcome| outcome.target.clone()) {
            Some(id) => {
                let kept = self.workspace.readback(&self.streams[stream].target, &id)?;
                (Some(id), kept.is_some_and(|kept| kept.adopted))
            }
            None => (None, false),
        };
        let worked = match self.work_out(stream, record, sent.as_ref())? {
            Works::Out(worked) => worked,
            Works::Later(_) => return Ok(()),
            Works::Decided(outcome, _, lacks) => {
                let reason = outcome.reason.clone().unwrap_or_default();
                let outcome = match id {
                    None => outcome,
                    Some(id) => {
                        let goes = self.plan.maps[self.streams[stream].map].on_delete == OnDelete::Delete;
                        let list = match outcome.status {
                            Status::Quarantined | Status::Failed => &mut found.held_back,
                            _ if goes && !adopted => &mut found.taken_away,
                            _ => &mut found.left_out,
                        };
                        *list.entry(reason).or_default() += 1;
                        standing(outcome, id)
                    }
                };
                self.workspace.settle(name, &record.key, &outcome, &[])?;
                return Ok(self.workspace.keep_lacks(name, &record.key, &lacks)?);
            }
        };
        let Worked { values, waiting, notes: made, .. } = *worked;
        if let Some(notes) = notes {
            for (key, note) in &made {
                self.workspace.has_note(&self.streams[notes].name, key)?;
                self.workspace.stage_beside(&self.streams[notes].name, key, note)?;
            }
        }
        let Some(id) = id else {
            found.created += 1;
            // What links to it will lead somewhere.
            let made = Outcome { status: Status::Created, target: Some("new".to_owned()), reason: None };
            return Ok(self.workspace.settle(name, &record.key, &made, &[])?);
        };
        let status = if adopted { Status::Adopted } else { Status::Created };
        let stands = Outcome { status, target: Some(id), reason: None };
        self.workspace.settle(name, &record.key, &stands, &[])?;
        let sent = sent.unwrap_or_default();
        let mut moved = self.moved(stream, &values, &waiting, &sent);
        moved.extend(self.moved_later(stream, record, &waiting, &sent)?);
        if moved.is_empty() {
            found.stays += 1;
        } else if let Some(why) = self.why_fixed(stream, &record.key, adopted)? {
            let (list, why) = match why {
                Fixed::Stays(why) => (&mut found.fixed, why),
                Fixed::MadeAnew(why) => (&mut found.made_anew, why),
            };
            *list.entry(why.to_owned()).or_default() += 1;
        } else {
            found.edited += 1;
            for key in moved {
                *found.fields.entry(shown(&key).to_owned()).or_default() += 1;
            }
        }
        Ok(())
    }

    /// Why a written record cannot be edited.
    fn why_fixed(&self, stream: usize, key: &str, adopted: bool) -> Result<Option<Fixed>> {
        let plan = &self.streams[stream];
        if adopted && self.plan.maps[plan.map].on_existing == OnExisting::Keep {
            return Ok(Some(Fixed::Stays("adopted, and `on existing keep`")));
        }
        if let Some(why) = self.target.is_final(&plan.target) {
            return Ok(Some(Fixed::Stays(why)));
        }
        let writes = self.workspace.writes_since_taken_back(&plan.name, key)?;
        let Some(made) = writes.first().map(|entry| entry.ended_ms.unwrap_or(entry.sent_ms)) else {
            return Ok(None);
        };
        let fixed = self.target.fixed(&plan.target, made, self.outside.clock.now_ms());
        Ok(fixed.map(if adopted { Fixed::Stays } else { Fixed::MadeAnew }))
    }

    /// The notes that go with a map's records.
    fn notes_stream(&self, stream: usize) -> Option<usize> {
        let notes = |other: &super::streams::Stream| other.notes.is_some() && other.map == stream;
        self.streams[stream].notes.is_none().then(|| self.streams.iter().position(notes)).flatten()
    }

    /// Notes that no record has any more: what was written of them is decided on as a record that is gone.
    fn lose_notes(&self, notes: usize) -> Result<()> {
        let plan = &self.streams[notes];
        let now = self.outside.clock.now_ms();
        let mut lost = Vec::new();
        for key in self.workspace.lost_notes(&plan.name)? {
            // What is held back stays as it is, and its notes with it.
            let note = self.workspace.staged_record(&plan.object, &key)?;
            let outcome = match note.as_ref().and_then(parent_of) {
                Some(of) => self.workspace.outcome(&self.plan.maps[plan.map].name, &of)?,
                None => None,
            };
            if !outcome.is_some_and(|of| matches!(of.status, Status::Quarantined | Status::Failed)) {
                lost.push(key);
            }
        }
        if lost.is_empty() {
            return Ok(());
        }
        self.workspace.transaction(|ws| {
            lost.iter().try_for_each(|key| ws.mark_gone(&plan.object, key, now))?;
            ws.drop_gone(&plan.object, &[plan.name.as_str()])
        })?;
        Ok(())
    }
}

/// The end of a record that is not to be written any more and stands.
fn standing(outcome: Outcome, id: String) -> Outcome {
    let word = match outcome.status {
        Status::Quarantined | Status::Failed => "written before, and held back now",
        _ => "written before, and no longer mapped",
    };
    let reason = format!("{word}: {}", outcome.reason.unwrap_or_default());
    // What stands is on no list of a split.
    let status = if outcome.status == Status::Listed { Status::LeftOut } else { outcome.status };
    Outcome { status, target: Some(id), reason: Some(reason) }
}
