//! What has to be so in the destination's settings before records move: what the engine makes there, what only a
//! person can make, and what a person has to confirm.
//!
//! A [`Survey`] asks the destination alone and writes nothing. It has three lists, and `b2n provision` shows them:
//!
//! 1. *makes*: custom fields and values of open lists. [`Engine::provision`] makes those that are missing. Each is
//!    noted in the workspace before it is sent (`perhaps`) and after it was made (`created`), so that a rollback knows
//!    what is this migration's; a second call finds everything there and sends nothing.
//! 2. *checks*: pipelines, stages, outcomes, users, choices. The API makes none of them: each is looked for live, by
//!    every survey anew, and nothing remembers that it was there once.
//! 3. *items*: what the destination may do by itself, and limits that no API shows. Nobody can look, so a person
//!    confirms each by its name. The workspace remembers when, and how much was confirmed; more of it opens the item
//!    again, and a rollback that left nothing behind opens them all.
//!
//! The preflight of a migration is the same survey and the source's drift beside it: what `b2n provision` shows is
//! what `b2n migrate` refuses for.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::lang::plan::{CustomField, Requirement};
use crate::lang::schema::Schema;
use crate::run::connect::{Coming, HandWork, Presence, Provision, Provisioned, Unusable};
use crate::run::workspace::{self, Workspace};

use super::preflight::{NO_SALT, Problem};
use super::{Engine, Error, Result};

/// What is to be made, in a fixed order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    /// Custom fields and choices.
    pub provisions: Vec<Provision>,
}

/// Something that the engine makes, and whether it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Making {
    /// What it is.
    pub provision: Provision,
    /// Whether it is there.
    pub presence: Presence,
}

/// Something that only a person can make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What kind of thing, as people call it: `pipeline`, `market`, `user`.
    pub kind: String,
    /// Where it belongs, such as the pipeline of a stage; else empty.
    pub of: String,
    /// Its name or id.
    pub name: String,
    /// What is wrong with it and what to do; `None` where it is as it should be.
    pub lack: Option<Problem>,
}

/// Something that a person has to confirm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What it is.
    pub work: HandWork,
    /// When it was confirmed, Unix milliseconds; `None` while it is open.
    pub confirmed_ms: Option<i64>,
}

/// What stands between a plan and its destination.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// What the engine makes, in a fixed order: the fields of markers, the plan's fields, choices.
    pub makes: Vec<Making>,
    /// What only a person can make, in the plan's order.
    pub checks: Vec<Check>,
    /// What a person has to confirm.
    pub items: Vec<Item>,
}

impl Survey {
    /// What keeps custom fields and choices from being made as the plan needs them.
    pub fn conflicts(&self) -> impl Iterator<Item = Problem> {
        let lacks = |making: &Making| match &making.presence {
            Presence::Differs(lacks) => lacks.clone(),
            Presence::Missing | Presence::There => Vec::new(),
        };
        self.makes.iter().flat_map(lacks).map(Problem::from)
    }

    /// What only a person can make and has not made.
    pub fn lacking(&self) -> impl Iterator<Item = &Problem> {
        self.checks.iter().filter_map(|check| check.lack.as_ref())
    }

    /// Everything that a person must do before the plan fits.
    pub fn problems(&self) -> Vec<Problem> {
        self.lacking().cloned().chain(self.conflicts()).collect()
    }

    /// Items that nobody has confirmed.
    pub fn open(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| item.confirmed_ms.is_none())
    }

    /// How many custom fields and choices are to be made.
    pub fn missing(&self) -> usize {
        self.makes.iter().filter(|making| making.presence == Presence::Missing).count()
    }

    /// Whether records may come, once what is missing is made.
    pub fn is_ready(&self) -> bool {
        self.open().next().is_none() && self.lacking().next().is_none() && self.conflicts().next().is_none()
    }
}

/// What became of something that the engine makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// What it is.
    pub provision: Provision,
    /// What became of it.
    pub became: Provisioned,
}

/// The workspace's note of a confirmed item.
#[derive(Serialize, Deserialize)]
struct Confirmed {
    at_ms: i64,
    extent: u64,
    what: String,
}

impl Engine<'_> {
    /// Looks at the destination's settings: what is there, what is missing, what is to be confirmed. Writes nothing.
    ///
    /// # Errors
    /// A destination that cannot be asked.
    pub async fn survey(&self) -> Result<Survey> {
        let live = self.target.schema(NO_SALT).await?;
        let mut provisions = self.fields_to_make(&live);
        let pipelines = self.plan.requires.iter().any(|required| required.kind == "pipeline");
        let unusable = if pipelines { self.target.unusable_pipelines().await? } else { Vec::new() };
        let mut checks = Vec::new();
        for required in &self.plan.requires {
            if required.kind == "open choice" {
                provisions.push(choice(required));
            } else {
                checks.push(self.check(required, &live, &unusable));
            }
        }
        let present = |provision: Provision| {
            let presence = self.target.presence(&provision);
            Making { provision, presence }
        };
        let makes: Vec<Making> = provisions.into_iter().map(present).collect();
        let work = self.target.hand_work(&self.coming(&makes));
        let items: Result<Vec<Item>> = work.into_iter().map(|work| self.item(work)).collect();
        Ok(Survey { makes, checks, items: items? })
    }

    /// What comes, by the counts that the plan was checked with.
    fn coming(&self, makes: &[Making]) -> Coming {
        let mut coming = Coming::default();
        // Maps that share an object by a split are each told all of its records.
        let mut counted = BTreeSet::new();
        for stream in &self.streams {
            let map = &self.plan.maps[stream.map];
            let known = coming.records.entry(stream.target.clone()).or_insert(Some(0));
            if counted.insert((stream.target.as_str(), map.source.as_str())) {
                *known = known.zip(map.records).map(|(known, more)| known.saturating_add(more));
            }
        }
        for making in makes.iter().filter(|making| making.presence == Presence::Missing) {
            if let Provision::Field(field) = &making.provision {
                *coming.fields.entry(field.object.clone()).or_default() += 1;
            }
        }
        coming
    }

    /// An item, and whether it is confirmed for as much as comes.
    fn item(&self, work: HandWork) -> Result<Item> {
        let kept = self.workspace.note(&confirmed(work.item))?;
        let kept: Option<Confirmed> = kept.and_then(|kept| serde_json::from_str(&kept).ok());
        let kept = kept.filter(|kept| kept.extent >= work.extent);
        Ok(Item { confirmed_ms: kept.map(|kept| kept.at_ms), work })
    }

    /// Keeps in the workspace that a person has seen to these items; all of them, or none where one is unknown. An
    /// item that this plan does not ask for, or no longer, is passed over.
    ///
    /// # Errors
    /// [`Error::NoItem`] for a name that no item bears.
    pub fn confirm(&self, survey: &mut Survey, items: &[String]) -> Result<()> {
        let known = self.target.hand_items();
        if let Some(item) = items.iter().find(|item| !known.contains(&item.as_str())) {
            return Err(Error::NoItem { item: item.clone(), known });
        }
        let at_ms = self.outside.clock.now_ms();
        let named = |item: &Item| items.iter().any(|name| name == item.work.item);
        self.workspace.transaction(|workspace| {
            for Item { work, .. } in survey.items.iter().filter(|item| named(item)) {
                let note = Confirmed { at_ms, extent: work.extent, what: work.what.clone() };
                let note = serde_json::to_string(&note).unwrap_or_default();
                workspace.set_note(&confirmed(work.item), &note)?;
            }
            Ok(())
        })?;
        for item in survey.items.iter_mut().filter(|item| named(item)) {
            item.confirmed_ms = Some(at_ms);
        }
        Ok(())
    }

    /// The plan's custom fields, and one for the marker on every object that records go to and that has such fields;
    /// the others keep their marker in a text.
    fn fields_to_make(&self, live: &Schema) -> Vec<Provision> {
        self.fields_of(|object| live.object(object).is_none_or(|found| !found.custom_types.is_empty()))
    }

    /// Everything that the plan may have made in the destination's settings.
    pub(super) fn ever_provisioned(&self) -> Vec<Provision> {
        let choices = self.plan.requires.iter().filter(|requirement| requirement.kind == "open choice");
        self.fields_of(|_| true).into_iter().chain(choices.map(choice)).collect()
    }

    fn fields_of(&self, has_fields: impl Fn(&str) -> bool) -> Vec<Provision> {
        let has_fields = |object: &&str| has_fields(object);
        let objects: BTreeSet<&str> =
            self.streams.iter().map(|stream| stream.target.as_str()).filter(has_fields).collect();
        let markers = objects.into_iter().map(|object| CustomField {
            object: object.to_owned(),
            label: self.marker_field(),
            kind: "text".to_owned(),
            choices: Vec::new(),
            many: false,
        });
        markers.chain(self.plan.provision.iter().cloned()).map(Provision::Field).collect()
    }

    /// Looks for something that only a person can make.
    fn check(&self, required: &Requirement, live: &Schema, unusable: &[Unusable]) -> Check {
        let Requirement { kind, of, name } = required;
        let pipeline = |name: &str| live.pipelines.iter().find(|pipeline| pipeline.name == name);
        let there = match kind.as_str() {
            "pipeline" => pipeline(name).is_some(),
            "stage" => pipeline(of).is_some_and(|p| p.stages.iter().any(|stage| stage.name == *name)),
            "outcome" => {
                live.pipelines.iter().any(|p| p.outcomes.iter().any(|outcome| outcome.name == *name))
            }
            "user" => live.users.iter().any(|user| user.id == *name && user.active),
            "choice" => {
                let domain = live.domains.get(of);
                domain.is_some_and(|domain| domain.choices.iter().any(|choice| choice.code == *name))
            }
            _ => false,
        };
        // A market is one for people, whatever list it stands in.
        let called = if kind == "choice" { self.target.called(of) } else { None };
        let (kind, of) = match called {
            Some(called) => (called, ""),
            None => (kind.as_str(), of.as_str()),
        };
        let lack = if there {
            let found = unusable.iter().find(|one| kind == "pipeline" && one.name == *name);
            found.map(|one| Problem::from(one.lack.clone()))
        } else {
            let place = if of.is_empty() { String::new() } else { format!(" of `{of}`") };
            let next = match kind {
                "user" => format!("make user {name} active in the destination, or name another in `owners`"),
                _ => format!("make the {kind} `{name}`{place} in the destination's settings: its API cannot"),
            };
            Some(Problem { what: format!("the destination has no {kind} `{name}`{place}"), next })
        };
        Check { kind: kind.to_owned(), of: of.to_owned(), name: name.clone(), lack }
    }

    /// Makes custom fields and choices. Safe to repeat; the first write into an account.
    ///
    /// # Errors
    /// A field or choice that cannot be made.
    pub(super) async fn provision(&self, ready: &Ready) -> Result<Vec<Made>> {
        let total = ready.provisions.len() as u64;
        self.outside.progress.begin("provision", Some(total));
        let mut all = Vec::new();
        for (done, provision) in ready.provisions.iter().enumerate() {
            self.outside.points.reach("provision.send")?;
            let name = provisioned(provision);
            let earlier = self.workspace.note(&name)?;
            if earlier.is_none() {
                self.workspace.set_note(&name, PERHAPS)?;
            }
            let became = self.target.provision(provision).await?;
            match became {
                // What was found is not ours to take away later; what was made is.
                Provisioned::Created => self.workspace.set_note(&name, MADE)?,
                Provisioned::Existed if earlier.is_none() => self.workspace.forget_note(&name)?,
                // A run that died may have made it.
                Provisioned::Existed => {}
            }
            all.push(Made { provision: provision.clone(), became });
            self.outside.points.reach("provision.done")?;
            self.outside.progress.at(done as u64 + 1);
        }
        self.outside.progress.end();
        Ok(all)
    }

    /// Makes what a survey found missing; nothing at all where something that is there cannot be used.
    ///
    /// What a survey found there is left alone: no request is sent for it.
    ///
    /// # Errors
    /// [`Error::Unapproved`], [`Error::Preflight`] with what is in the way, and as for [`Engine::provision`].
    pub async fn provision_ahead(&self, survey: &Survey) -> Result<Vec<Made>> {
        // A sample needs the fields too.
        self.may_write(Some(0))?;
        let conflicts: Vec<Problem> = survey.conflicts().collect();
        if !conflicts.is_empty() {
            return Err(Error::Preflight(conflicts));
        }
        if self.workspace.writes()? == 0 {
            // So that what is made can be taken back before any record has moved.
            self.keep_shape()?;
        }
        let missing = survey.makes.iter().filter(|making| making.presence == Presence::Missing);
        let provisions = missing.map(|making| making.provision.clone()).collect();
        self.provision(&Ready { provisions }).await
    }
}

fn choice(required: &Requirement) -> Provision {
    Provision::Choice { domain: required.of.clone(), name: required.name.clone() }
}

/// What the workspace notes of something that this migration made in the destination's settings.
pub(super) const MADE: &str = "created";
/// The same where a run died before it knew whether it was there already.
const PERHAPS: &str = "perhaps";

/// What the notes of provisions begin with.
pub(super) const PROVISIONED: &str = "provisioned ";

/// The workspace's note of a provision.
pub(super) fn provisioned(provision: &Provision) -> String {
    format!("{PROVISIONED}{}", describe(provision))
}

pub(super) fn describe(provision: &Provision) -> String {
    match provision {
        Provision::Field(field) => format!("{} field {}", field.object, field.label),
        Provision::Choice { domain, name } => format!("{domain} {name}"),
    }
}

/// What the notes of confirmed items begin with.
pub(super) const CONFIRMED: &str = "confirmed ";

/// The items that a person has confirmed, for those who ask without a network. An item may be open all the same, where
/// more comes than was confirmed.
///
/// # Errors
/// Those of the workspace.
pub fn confirmed_items(workspace: &Workspace) -> std::result::Result<Vec<String>, workspace::Error> {
    let notes = workspace.notes_of(CONFIRMED)?;
    Ok(notes.into_iter().map(|note| note[CONFIRMED.len()..].to_owned()).collect())
}

/// The workspace's note of a confirmed item.
fn confirmed(item: &str) -> String {
    format!("{CONFIRMED}{item}")
}
