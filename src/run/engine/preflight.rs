//! Before any record moves: do both accounts still look as the plan was checked against, and is everything there and
//! confirmed that only a person can see to ([`super::provision`] surveys it).

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::lang::plan;
use crate::lang::schema::Schema;
use crate::run::connect::{ByHand, Encode, Presence, Provision};

use super::provision::{Item, Making, Ready};
use super::streams::objects;
use super::{Engine, Error, Result};

/// Something that keeps a plan from running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub next: String,
}

impl From<ByHand> for Problem {
    fn from(lack: ByHand) -> Self {
        Problem { what: lack.what, next: lack.next }
    }
}

/// Salt of hashes that are compared with nothing: preflight needs ids and activity of users only.
pub(super) const NO_SALT: &str = "preflight";

impl Engine<'_> {
    /// Compares the plan with both accounts as they are now.
    ///
    /// # Errors
    /// [`Error::Preflight`] with everything that a person must do first, and [`Error::Unconfirmed`] where only
    /// somebody's word is missing.
    pub async fn preflight(&self) -> Result<Ready> {
        if let Some(portion) = super::Portion::of(self.workspace)? {
            self.outside.progress.notice(&format!(
                "the workspace holds a part of the source only: {portion}; what is not in it is not moved, and no cutover \
                 follows on it"
            ));
        }
        self.outside.progress.begin("preflight", None);
        let source = self.source.schema(NO_SALT).await?;
        let survey = self.survey().await?;
        self.outside.progress.end();
        let mut problems = self.source_drift(&source);
        problems.extend(survey.problems());
        let objects = self.streams.iter().map(|stream| stream.target.as_str()).collect();
        problems.extend(self.target.obstacles(&objects).into_iter().map(Problem::from));
        let open: Vec<&Item> =
            if self.settings.confirmed_only { survey.open().collect() } else { Vec::new() };
        if problems.is_empty() && open.is_empty() {
            // Fields are looked for once more when their turn comes, which may be hours later.
            let settled = |making: &Making| {
                making.presence == Presence::There && matches!(making.provision, Provision::Choice { .. })
            };
            let makes = survey.makes.into_iter().filter(|making| !settled(making));
            return Ok(Ready { provisions: makes.map(|making| making.provision).collect() });
        }
        if problems.is_empty() {
            return Err(Error::Unconfirmed(open.into_iter().cloned().collect()));
        }
        // Whoever sees to the one sees to the other on the same way.
        problems.extend(open.into_iter().map(|item| Problem {
            what: format!("`{}` is not confirmed: {}", item.work.item, item.work.what),
            next: format!("{}; then confirm it with `b2n provision`", item.work.next),
        }));
        Err(Error::Preflight(problems))
    }

    /// Whether everything that the plan reads is staged.
    pub(super) fn is_extracted(&self) -> Result<bool> {
        for object in objects(self.plan) {
            if !self.workspace.manifest(object)?.is_some_and(|manifest| manifest.done) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Looks at the source's fields again once records were read: those that were read after a field was deleted lack it.
    ///
    /// # Errors
    /// [`Error::Preflight`] with every field that changed meanwhile.
    pub(super) async fn has_kept_its_fields(&self) -> Result<()> {
        let problems = self.source_drift(&self.source.schema(NO_SALT).await?);
        if problems.is_empty() { Ok(()) } else { Err(Error::Preflight(problems)) }
    }

    /// Fields that the plan knows nothing of, and fields that it reads and that are gone.
    fn source_drift(&self, live: &Schema) -> Vec<Problem> {
        let mut problems = Vec::new();
        for source in objects(self.plan) {
            let Some(object) = live.object(source) else {
                problems.push(Problem {
                    what: format!("the source has no `{source}` any more"),
                    next: "take a new snapshot with `b2n snapshot` and check the spec".to_owned(),
                });
                continue;
            };
            // What only a split looks at is not moved: none of its fields has to be accounted for.
            let read = self.plan.maps.iter().any(|map| map.source == source)
                || self.plan.flattens.iter().any(|flatten| flatten.source == source);
            if !read {
                continue;
            }
            // Maps that share an object account for its fields together.
            let maps = self.plan.maps.iter().filter(|map| map.source == source);
            let flattens = self.plan.flattens.iter().filter(|flatten| flatten.source == source);
            let places = maps
                .map(|map| (&map.reads, &map.dropped))
                .chain(flattens.map(|flatten| (&flatten.reads, &flatten.dropped)));
            let (mut read, mut known) = (BTreeSet::new(), BTreeSet::new());
            for (reads, dropped) in places {
                read.extend(reads.values().map(String::as_str));
                known.extend(dropped.iter().map(|dropped| dropped.field.as_str()));
            }
            known.extend(read.iter().copied());
            // What waits for a decision is known too: a rehearsal leaves it behind.
            let names = self.plan.maps.iter().filter(|map| map.source == source).map(|map| map.name.as_str());
            for name in names.chain([source]) {
                let open = self.plan.open.iter().filter(|open| open.kind == "todo");
                known.extend(open.filter_map(|open| open.what.strip_prefix(name)?.strip_prefix('.')));
            }
            for field in read.into_iter().filter(|field| object.field(field).is_none()) {
                problems.push(Problem {
                    what: format!("`{source}.{field}` is read by the spec and is no longer there"),
                    next: "take a new snapshot with `b2n snapshot` and check the spec".to_owned(),
                });
            }
            for field in object.fields.iter().filter(|field| !known.contains(field.name.as_str())) {
                problems.push(Problem {
                    what: format!("`{source}.{}` was added after the snapshot was taken", field.name),
                    next: "take a new snapshot with `b2n snapshot`, then read or drop the field in the spec"
                        .to_owned(),
                });
            }
        }
        problems
    }

    /// One encoder per stream, from the destination as it is after provisioning.
    pub(super) async fn encoders(&self) -> Result<Vec<Box<dyn Encode>>> {
        let live = self.target.schema(NO_SALT).await?;
        let field = self.marker_field();
        let mut problems = Vec::new();
        let mut encoders = Vec::new();
        let mut whole = Vec::new();
        for (index, stream) in self.streams.iter().enumerate() {
            let map = stream.notes.as_ref().unwrap_or(&self.plan.maps[stream.map]);
            let mut all = map.clone();
            for dropped in self.dropped(index, &live)? {
                let alone = plan::Map { targets: vec![dropped.clone()], ..map.clone() };
                // What cannot be written any more stays as it is.
                if self.target.encoder(&live, &alone, &field).is_ok() {
                    all.targets.push(dropped);
                }
            }
            match self.target.encoder(&live, &all, &field) {
                Ok(encoder) => encoders.push(encoder),
                Err(error) => problems.push(Problem {
                    what: format!("`{}` cannot be written: {error}", map.target),
                    next: "take a new snapshot of the destination and check the spec".to_owned(),
                }),
            }
            whole.push(Rc::new(all));
        }
        self.whole.replace(whole);
        if problems.is_empty() { Ok(encoders) } else { Err(Error::Preflight(problems)) }
    }
}
