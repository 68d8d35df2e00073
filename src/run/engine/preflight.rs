//! Before any record moves: do both accounts still look as the plan was checked against, is everything there that
//! only a person can make; then the custom fields and choices that the API can make.

use std::collections::BTreeSet;

use crate::lang::plan::{CustomField, Requirement};
use crate::lang::schema::Schema;
use crate::run::connect::{Encode, Provision, Provisioned};

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

/// What preflight found to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    /// Custom fields and choices, in a fixed order.
    pub provisions: Vec<Provision>,
}

/// Salt of hashes that are compared with nothing: preflight needs ids and activity of users only.
const NO_SALT: &str = "preflight";

impl Engine<'_> {
    /// Compares the plan with both accounts as they are now.
    ///
    /// # Errors
    /// [`Error::Preflight`] with everything that a person must do first.
    pub async fn preflight(&self) -> Result<Ready> {
        self.outside.progress.begin("preflight", None);
        let source = self.source.schema(NO_SALT).await?;
        let target = self.target.schema(NO_SALT).await?;
        self.outside.progress.end();
        let mut problems = self.source_drift(&source);
        let mut provisions = self.fields_to_make(&target);
        for requirement in &self.plan.requires {
            self.require(requirement, &target, &mut problems, &mut provisions);
        }
        for provision in &provisions {
            if let Provision::Field(field) = provision {
                clash(field, &target, &mut problems);
            }
        }
        if problems.is_empty() { Ok(Ready { provisions }) } else { Err(Error::Preflight(problems)) }
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

    /// The plan's custom fields, and one for the marker on every object that records go to and that has such fields;
    /// the others keep their marker in a text.
    fn fields_to_make(&self, live: &Schema) -> Vec<Provision> {
        self.fields_of(|object| live.object(object).is_none_or(|found| !found.custom_types.is_empty()))
    }

    /// Everything that the plan may have made in the destination's settings.
    pub(super) fn ever_provisioned(&self) -> Vec<Provision> {
        let choices = self.plan.requires.iter().filter(|requirement| requirement.kind == "open choice");
        let choices =
            choices.map(|choice| Provision::Choice { domain: choice.of.clone(), name: choice.name.clone() });
        self.fields_of(|_| true).into_iter().chain(choices).collect()
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

    fn require(
        &self,
        requirement: &Requirement,
        live: &Schema,
        problems: &mut Vec<Problem>,
        provisions: &mut Vec<Provision>,
    ) {
        let Requirement { kind, of, name } = requirement;
        let pipeline = |name: &str| live.pipelines.iter().find(|pipeline| pipeline.name == name);
        let there = match kind.as_str() {
            "pipeline" => pipeline(name).is_some(),
            "stage" => pipeline(of).is_some_and(|p| p.stages.iter().any(|stage| stage.name == *name)),
            "outcome" => {
                live.pipelines.iter().any(|p| p.outcomes.iter().any(|outcome| outcome.name == *name))
            }
            "user" => live.users.iter().any(|user| user.id == *name && user.active),
            "choice" | "open choice" => {
                let domain = live.domains.get(of);
                let there =
                    domain.is_some_and(|domain| domain.choices.iter().any(|choice| choice.code == *name));
                let open = kind == "open choice";
                if open && !there {
                    provisions.push(Provision::Choice { domain: of.clone(), name: name.clone() });
                }
                there || open
            }
            _ => false,
        };
        if !there {
            let place = if of.is_empty() { String::new() } else { format!(" of `{of}`") };
            let next = match kind.as_str() {
                "user" => format!("make user {name} active in the destination, or name another in `owners`"),
                _ => format!("make the {kind} `{name}`{place} in the destination's settings: its API cannot"),
            };
            problems.push(Problem { what: format!("the destination has no {kind} `{name}`{place}"), next });
        }
    }

    /// Makes custom fields and choices. Safe to repeat; the first write into an account.
    ///
    /// # Errors
    /// A field or choice that cannot be made.
    pub async fn provision(&self, ready: &Ready) -> Result<()> {
        let total = ready.provisions.len() as u64;
        self.outside.progress.begin("provision", Some(total));
        for (done, provision) in ready.provisions.iter().enumerate() {
            self.outside.points.reach("provision.send")?;
            let name = provisioned(provision);
            let earlier = self.workspace.note(&name)?;
            if earlier.is_none() {
                self.workspace.set_note(&name, PERHAPS)?;
            }
            match self.target.provision(provision).await? {
                // What was found is not ours to take away later; what was made is.
                Provisioned::Created => self.workspace.set_note(&name, MADE)?,
                Provisioned::Existed if earlier.is_none() => self.workspace.forget_note(&name)?,
                // A run that died may have made it.
                Provisioned::Existed => {}
            }
            self.outside.points.reach("provision.done")?;
            self.outside.progress.at(done as u64 + 1);
        }
        self.outside.progress.end();
        Ok(())
    }

    /// One encoder per stream, from the destination as it is after provisioning.
    pub(super) async fn encoders(&self) -> Result<Vec<Box<dyn Encode>>> {
        let live = self.target.schema(NO_SALT).await?;
        let field = self.marker_field();
        let mut problems = Vec::new();
        let mut encoders = Vec::new();
        for stream in &self.streams {
            let map = stream.notes.as_ref().unwrap_or(&self.plan.maps[stream.map]);
            match self.target.encoder(&live, map, &field) {
                Ok(encoder) => encoders.push(encoder),
                Err(error) => problems.push(Problem {
                    what: format!("`{}` cannot be written: {error}", map.target),
                    next: "take a new snapshot of the destination and check the spec".to_owned(),
                }),
            }
        }
        if problems.is_empty() { Ok(encoders) } else { Err(Error::Preflight(problems)) }
    }
}

/// A field of the same name and another type cannot be used and cannot be made.
fn clash(wanted: &CustomField, live: &Schema, problems: &mut Vec<Problem>) {
    let there = live.object(&wanted.object).and_then(|object| object.field(&wanted.label));
    let Some(field) = there.filter(|field| field.custom) else { return };
    let Some(kind) = custom_kind(&field.ty.base) else { return };
    if kind != wanted.kind
        && !(kind == "text" && wanted.kind == "long_text")
        && !(kind == "long_text" && wanted.kind == "text")
    {
        problems.push(Problem {
            what: format!(
                "`{}` has a custom field `{}` of type {kind}, the plan needs {}",
                wanted.object, wanted.label, wanted.kind
            ),
            next: "rename one of them: the API can neither change nor delete a custom field".to_owned(),
        });
    }
}

/// The word for a custom field's type in specs; `None` where several types look alike.
fn custom_kind(base: &crate::lang::types::Base) -> Option<&'static str> {
    use crate::lang::types::Base;
    Some(match base {
        Base::Text { .. } => "text",
        Base::Money => "currency",
        Base::Date => "date",
        Base::Enum(_) => "enum",
        Base::Decimal | Base::Integer => "number",
        Base::Email => "email",
        Base::Phone => "phone",
        Base::Url => "url",
        _ => return None,
    })
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
