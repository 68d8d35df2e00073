//! Where a value came from, and what became of a source record: chains from source value to destination value.
//!
//! Nothing is kept per value while records move. The plan and the staged record say it again, worked out by the plain
//! interpreter, which notes each arm and row that it takes; the hashes that the workspace keeps of what was sent tell
//! whether that is what was written, or what would be written now. Nothing here asks either system, but for
//! [`Engine::held_now`].

use crate::lang::eval::reference::{self, Taken, Watched};
use crate::lang::eval::{Outcome as Evaluated, RuleId};
use crate::lang::types::Fidelity;
use crate::lang::value::Value;
use crate::run::workspace::{Entry, Flag, Outcome, StagedRecord};

use super::change::{field_key, value_hash};
use super::notes::parent_of;
use super::prepare::Evaluated as Decided;
use super::resolve::Links;
use super::side_by_side::{Look, Spoken};
use super::streams::{flatten_name, notes_of, split_name};
use super::{Engine, Error, Result, SampledField};

/// What a part of the plan had to do with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The rule, by its own value.
    Rule,
    /// Its `else`, by its number from 1.
    Else(u16),
    /// Its `on fail`.
    OnFail,
    /// A row of a table: the table, and the code; `None` for `unseen`.
    Row(String, Option<String>),
    /// A row of a pipeline, likewise.
    Stage(String, Option<String>),
    /// A row of a split.
    Split,
}

/// A part of the plan that gave a value, or was asked for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub part: Part,
    /// The line of the plan, from 1.
    pub line: u32,
}

/// How the value that the rules give now stands to what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is what was sent.
    AsSent,
    /// Something else was sent: the spec or the source record changed since.
    SentOtherwise,
    /// It is written once another record is there.
    Waits,
    /// The rules give nothing, and nothing was sent.
    Unset,
    /// Nothing was sent yet.
    NotSent,
    /// Nothing is sent: the record is not written.
    Never,
}

impl Standing {
    /// Its words.
    pub fn words(self) -> &'static str {
        match self {
            Standing::AsSent => "as it was sent",
            Standing::SentOtherwise => "sent otherwise: the spec or the source record changed since",
            Standing::Waits => "written later, once the record that it leads to is there",
            Standing::Unset => "not written",
            Standing::NotSent => "not sent yet",
            Standing::Never => "not sent: the record is not written",
        }
    }
}

/// A destination field of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainField {
    /// Its name.
    pub field: String,
    /// The source fields that its rules read, with their values; fields of folded records with object and key.
    pub sources: Vec<(String, String)>,
    /// The lines of its rules, with how much of the value each keeps and why something is lost.
    pub rules: Vec<(u32, Fidelity, Option<String>)>,
    /// What was taken on the way, in order.
    pub steps: Vec<Step>,
    /// What the rules give, links as destination ids; `None` where that is nothing.
    pub value: Option<String>,
    /// Whether that is what was written.
    pub standing: Standing,
}

/// One source record in one map, from its values to the destination's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The map, or `notes of` it.
    pub map: String,
    /// The source object and key; of a note, those of the record that it goes with.
    pub source: (String, String),
    /// The row's key in the books.
    pub key: String,
    /// The destination object.
    pub object: String,
    /// What became of it; `None` while it is pending.
    pub outcome: Option<Outcome>,
    /// The line of the plan that decided that it is not written, and its reason.
    pub decided: Option<(u32, String)>,
    /// The hash of the plan that it was written with.
    pub plan: Option<String>,
    /// Its destination fields, in the order of the plan.
    pub fields: Vec<ChainField>,
    /// What a person was told to look at.
    pub flags: Vec<Flag>,
    /// The journal's entries of its writes, in order.
    pub writes: Vec<Entry>,
    /// Source fields that the map leaves behind: name, reason, line.
    pub dropped: Vec<(String, String, u32)>,
}

/// A source record that goes into another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoldedInto {
    /// The flatten, as the books call it.
    pub flatten: String,
    /// The map that takes it in, and the key of the record there; `None` where it was not placed.
    pub into: Option<(String, String)>,
    /// What became of it.
    pub outcome: Option<Outcome>,
    /// Source fields that the flatten leaves behind: name, reason, line.
    pub dropped: Vec<(String, String, u32)>,
}

/// What became of a source record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whereabouts {
    /// Its chain in every map that it was sent to.
    pub chains: Vec<Chain>,
    /// The notes that go with it.
    pub notes: Vec<Chain>,
    /// What the split of its object decided, where that ended it.
    pub split: Option<(String, Outcome)>,
    /// The records that took it in.
    pub folded: Vec<FoldedInto>,
}

impl Engine<'_> {
    /// The chain behind a record of the destination; `None` where this migration wrote no such record.
    ///
    /// # Errors
    /// Those of the workspace.
    pub fn why(&self, object: &str, id: &str) -> Result<Option<Chain>> {
        let Some(kept) = self.workspace.readback(object, id)? else { return Ok(None) };
        let Some(stream) = self.streams.iter().position(|stream| stream.name == kept.map) else {
            return Ok(None);
        };
        self.chain(stream, &kept.key)
    }

    /// What became of a source record; `None` where no such record is staged.
    ///
    /// # Errors
    /// Those of the workspace.
    pub fn whereabouts(&self, object: &str, key: &str) -> Result<Option<Whereabouts>> {
        if self.workspace.staged_record(object, key)?.is_none() {
            return Ok(None);
        }
        let mut found = Whereabouts::default();
        for (stream, plan) in self.streams.iter().enumerate() {
            if plan.notes.is_some() || plan.object != object {
                continue;
            }
            let sent_here = self.plan.maps[plan.map].split.is_none()
                || self.workspace.is_routed(&plan.name, object, key)?
                || self.workspace.outcome(&plan.name, key)?.is_some();
            if sent_here {
                found.chains.extend(self.chain(stream, key)?);
            }
            let notes = notes_of(&plan.name);
            let Some(beside) = self.streams.iter().position(|stream| stream.name == notes) else { continue };
            for note in
                self.workspace.staged_keys(&self.streams[beside].object, &format!("{object}/{key}#"))?
            {
                found.notes.extend(self.chain(beside, &note)?);
            }
        }
        for split in self.plan.splits.iter().filter(|split| split.source == object) {
            let name = split_name(split);
            found.split = self.workspace.outcome(&name, key)?.map(|outcome| (name, outcome));
        }
        for flatten in self.plan.flattens.iter().filter(|flatten| flatten.source == object) {
            let name = flatten_name(self.plan, flatten);
            let into = self.plan.maps.get(usize::from(flatten.into)).map(|map| map.name.clone());
            let parent = self.workspace.folded_parent(&name, object, key)?;
            found.folded.push(FoldedInto {
                into: into.zip(parent),
                outcome: self.workspace.outcome(&name, key)?,
                dropped: dropped(&flatten.dropped),
                flatten: name,
            });
        }
        Ok(Some(found))
    }

    /// What the destination holds of a chain's record now, field by field; `None` where it is not there.
    ///
    /// # Errors
    /// A destination that does not answer, or another account than the workspace's.
    pub async fn held_now(&self, chain: &Chain) -> Result<Option<Vec<SampledField>>> {
        self.bind_destination().await?;
        let Some(stream) = self.streams.iter().position(|stream| stream.name == chain.map) else {
            return Ok(None);
        };
        let Some(record) = self.workspace.staged_record(&self.streams[stream].object, &chain.key)? else {
            return Ok(None);
        };
        // A connector tells a marker from a text once it was asked for records that carry one.
        self.target.list(&chain.object, &self.marker_field(), None).await?;
        let read = self.look(Look { stream, drawn: true, record }, &self.proving(stream)?).await?;
        Ok(read.there.then_some(read.fields))
    }

    fn chain(&self, stream: usize, key: &str) -> Result<Option<Chain>> {
        let plan = &self.streams[stream];
        let map = &self.plan.maps[plan.map];
        let Some(record) = self.workspace.staged_record(&plan.object, key)? else { return Ok(None) };
        let source_key = if plan.notes.is_some() { parent_of(&record) } else { Some(key.to_owned()) };
        let source_key = source_key.unwrap_or_default();
        let source = self.source_of(plan, &record)?;
        let watched = self.watched(plan.map, &source_key)?;
        let (values, decided) = self.given(stream, &record, watched.as_ref())?;
        let targets = &plan.notes.as_ref().unwrap_or(map).targets;
        let sent = self.workspace.sent(&plan.name, key)?;
        let waiting = self.workspace.waiting_fields(&plan.name, key)?;
        let outcome = self.workspace.outcome(&plan.name, key)?;
        let ended_without = outcome.as_ref().is_some_and(|outcome| outcome.target.is_none());
        let mut fields = Vec::with_capacity(targets.len());
        for (at, target) in targets.iter().enumerate() {
            let Spoken { rules, sources, .. } = self.spoken_of(plan, at, &record, &source);
            let lines: Vec<u32> = rules.iter().map(|rule| rule.line).collect();
            let steps = watched.iter().flat_map(|watched| &watched.hits);
            let steps =
                steps.filter(|hit| hit.rule.is_some_and(|rule| self.writes(rule, stream, at, &lines)));
            let value = values.get(at).filter(|value| !value.is_absent());
            let kept = sent.as_ref().and_then(|sent| sent.fields.get(&field_key(target)).copied());
            let standing = match (&sent, kept, value) {
                _ if waiting.iter().any(|field| usize::from(*field) == at) => Standing::Waits,
                (None, ..) if ended_without => Standing::Never,
                (None, ..) => Standing::NotSent,
                (_, None, None) => Standing::Unset,
                (_, Some(hash), Some(value)) if hash == value_hash(value) => Standing::AsSent,
                _ => Standing::SentOtherwise,
            };
            fields.push(ChainField {
                field: target.name.clone(),
                sources,
                rules: rules.into_iter().map(|rule| (rule.line, rule.fidelity, rule.because)).collect(),
                steps: steps.map(|hit| Step { part: self.part(&hit.taken), line: hit.line }).collect(),
                value: value.map(|value| value.display().to_string()),
                standing,
            });
        }
        Ok(Some(Chain {
            map: plan.name.clone(),
            source: (map.source.clone(), source_key),
            key: key.to_owned(),
            object: plan.target.clone(),
            outcome,
            decided,
            plan: sent.map(|sent| sent.plan),
            fields,
            flags: self.workspace.flags_of(&plan.name, key)?,
            writes: self.workspace.writes_since_taken_back(&plan.name, key)?,
            dropped: dropped(&map.dropped),
        }))
    }

    /// A record of a map as the plain interpreter runs it; `None` where it cannot be read.
    fn watched(&self, map: usize, key: &str) -> Result<Option<Watched>> {
        let Some(record) = self.workspace.staged_record(&self.plan.maps[map].source, key)? else {
            return Ok(None);
        };
        let Ok(slots) = self.decoders[map].decode(&record.json) else { return Ok(None) };
        Ok(Some(self.with_folded(map, key, |folded| reference::watched(self.plan, map, &slots, folded))?))
    }

    /// The values that the rules give a record, links resolved; else the line that decided and the reason.
    #[allow(clippy::type_complexity)]
    fn given(
        &self,
        stream: usize,
        record: &StagedRecord,
        watched: Option<&Watched>,
    ) -> Result<(Vec<Value>, Option<(u32, String)>)> {
        let plan = &self.streams[stream];
        if plan.notes.is_some() {
            return Ok(match self.note_values(stream, record)? {
                Ok(values) => (values, None),
                Err(why) => (Vec::new(), Some((self.plan.maps[plan.map].line, why))),
            });
        }
        let of_map = self.plan.maps[plan.map].line;
        let decided = |line: u32, reason: &str| Ok((Vec::new(), Some((line, reason.to_owned()))));
        match watched.map(|watched| &watched.outcome) {
            Some(Evaluated::LeftOut { reason, line }) => return decided(*line, reason),
            Some(Evaluated::Quarantined { reason, line, .. } | Evaluated::Stopped { reason, line, .. }) => {
                return decided(*line, reason);
            }
            Some(Evaluated::Record(_)) | None => {}
        }
        let mut values = match self.evaluated(plan.map, record) {
            Ok(Decided::Record(output)) => output.values,
            Ok(Decided::Decided(outcome)) => {
                return decided(of_map, outcome.reason.as_deref().unwrap_or_default());
            }
            Err(Error::Stopped { reason, .. }) => return decided(of_map, &reason),
            Err(error) => return Err(error),
        };
        let mut links = Links::new(plan.map, &record.key);
        for (field, value) in values.iter_mut().enumerate() {
            if !value.is_absent() {
                match self.resolve(&mut links, field, value) {
                    Ok(_) | Err(Error::Stopped { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok((values, None))
    }

    /// Whether a rule writes a field of a stream's records. A note has one text, and its rule is known by its line.
    pub(super) fn writes(&self, rule: RuleId, stream: usize, field: usize, lines: &[u32]) -> bool {
        let map = self.streams[stream].map;
        let Some(found) = rule.find(self.plan, map) else { return false };
        if self.streams[stream].notes.is_some() {
            rule.note && lines.contains(&found.line)
        } else {
            !rule.note && usize::from(found.target) == field
        }
    }

    pub(super) fn part(&self, taken: &Taken) -> Part {
        match taken {
            Taken::Value => Part::Rule,
            Taken::Else(number) => Part::Else(number + 1),
            Taken::OnFail => Part::OnFail,
            Taken::Row(table, code) => {
                let table = self.plan.tables.get(usize::from(*table));
                Part::Row(table.map(|table| table.name.clone()).unwrap_or_default(), code.clone())
            }
            Taken::StageRow(pipeline, code) => {
                let pipeline = self.plan.pipelines.get(usize::from(*pipeline));
                Part::Stage(pipeline.map(|pipeline| pipeline.name.clone()).unwrap_or_default(), code.clone())
            }
        }
    }
}

fn dropped(fields: &[crate::lang::plan::Dropped]) -> Vec<(String, String, u32)> {
    fields.iter().map(|field| (field.field.clone(), field.reason.clone(), field.line)).collect()
}
