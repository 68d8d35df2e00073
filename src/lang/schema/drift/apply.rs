//! Applies single differences to a schema. Knows nothing of how they were found.

use super::super::{Choice, Domain, Field, Object, Pipeline, Schema};
use super::compare::enums_of;
use super::{Difference, Kind, Place, Property};

impl Difference {
    /// Makes this one difference in `schema`, taking what it needs from the newer schema. A difference that does not
    /// fit the schema changes nothing.
    pub fn apply(&self, schema: &mut Schema, newer: &Schema) {
        match &self.place {
            Place::System if self.kind == Kind::Reordered => {
                reorder(&mut schema.pipelines, &newer.pipelines, |p| (p.object.clone(), p.code.clone()));
            }
            Place::System => {
                schema.connector.clone_from(&newer.connector);
                schema.account.clone_from(&newer.account);
                schema.account_name.clone_from(&newer.account_name);
            }
            Place::Object { object } => self.object(schema, newer, object),
            Place::Field { object, field } => self.field(schema, newer, object, field),
            Place::Domain { domain } => self.domain(schema, newer, domain),
            Place::Choice { domain, code } => {
                let Some(at) = schema.domains.get_mut(domain) else { return };
                let news = newer.domains.get(domain).map_or(&[][..], |domain| &domain.choices);
                self.element(&mut at.choices, news, code, |choice| &choice.code);
            }
            Place::Pipeline { object, pipeline } => self.pipeline(schema, newer, object, pipeline),
            Place::Stage { object, pipeline, code } => {
                let Some((at, new)) = pipelines(schema, newer, object, pipeline) else { return };
                self.element(&mut at.stages, &new.stages, code, |stage| &stage.code);
            }
            Place::Outcome { object, pipeline, code } => {
                let Some((at, new)) = pipelines(schema, newer, object, pipeline) else { return };
                if self.kind == Kind::Reordered {
                    reorder(&mut at.outcomes, &new.outcomes, |outcome| outcome.code.clone());
                } else {
                    self.element(&mut at.outcomes, &new.outcomes, code, |outcome| &outcome.code);
                }
            }
            Place::User { user } => self.user(schema, newer, user),
            Place::Answer { question } => match newer.probed.answers.get(question) {
                Some(answer) => drop(schema.probed.answers.insert(question.clone(), answer.clone())),
                None => drop(schema.probed.answers.remove(question)),
            },
        }
    }

    /// An element of an ordered list: added behind what precedes it in the newer list, removed, or changed in one
    /// respect by [`Part`].
    fn element<T: Clone + Part>(&self, list: &mut Vec<T>, news: &[T], code: &str, of: fn(&T) -> &String) {
        let place = |list: &[T]| list.iter().position(|t| of(t) == code);
        let Some(new_at) = place(news) else {
            if self.kind == Kind::Removed {
                list.retain(|t| of(t) != code);
            }
            return;
        };
        match (&self.kind, place(list)) {
            (Kind::Added, None) => insert(list, news, new_at, of),
            (_, Some(at)) => list[at].take_over(&news[new_at], &self.kind),
            _ => {}
        }
    }

    fn object(&self, schema: &mut Schema, newer: &Schema, name: &str) {
        if self.kind == Kind::Removed {
            if let Ok(at) = position(schema, name) {
                let gone = schema.objects.remove(at);
                gone.fields.iter().for_each(|field| drop_unused(schema, newer, field));
                schema.pipelines.retain(|pipeline| pipeline.object != name);
            }
            return;
        }
        let Some(new) = newer.object(name) else { return };
        match (&self.kind, position(schema, name)) {
            (Kind::Added, Err(at)) => {
                schema.objects.insert(at, new.clone());
                new.fields.iter().for_each(|field| bring(schema, newer, field));
                for (at, pipeline) in newer.pipelines.iter().enumerate() {
                    if pipeline.object == name {
                        insert_pipeline(schema, newer, at);
                    }
                }
            }
            (kind, Ok(at)) => {
                let object: &mut Object = &mut schema.objects[at];
                match kind {
                    Kind::Renamed { .. } => object.title.clone_from(&new.title),
                    Kind::Changed { property: Property::Creatable, .. } => {
                        object.creatable = new.creatable;
                        object.hint.clone_from(&new.hint);
                    }
                    Kind::Changed { property: Property::CustomTypes, .. } => {
                        object.custom_types.clone_from(&new.custom_types);
                    }
                    Kind::Changed { property: Property::Matchable, .. } => {
                        object.matchable.clone_from(&new.matchable);
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn field(&self, schema: &mut Schema, newer: &Schema, object: &str, name: &str) {
        let Ok(at) = position(schema, object) else { return };
        let fields = &mut schema.objects[at].fields;
        let place = fields.binary_search_by(|field| field.name.as_str().cmp(name));
        let new = newer.object(object).and_then(|object| object.field(name));
        match (&self.kind, place, new) {
            (Kind::Removed, Ok(slot), None) => {
                let gone = fields.remove(slot);
                drop_unused(schema, newer, &gone);
            }
            (Kind::Added, Err(slot), Some(new)) => {
                fields.insert(slot, new.clone());
                bring(schema, newer, new);
            }
            (kind, Ok(slot), Some(new)) => {
                let field = &mut fields[slot];
                match kind {
                    Kind::Renamed { .. } => field.title.clone_from(&new.title),
                    Kind::Retyped { .. } | Kind::Changed { property: Property::Attributes, .. } => {
                        let before = field.clone();
                        if matches!(kind, Kind::Retyped { .. }) {
                            field.ty = new.ty.clone();
                        } else {
                            field.attributes.clone_from(&new.attributes);
                        }
                        let after = field.clone();
                        bring(schema, newer, &after);
                        drop_unused(schema, newer, &before);
                    }
                    Kind::Changed { property: Property::Required, .. } => field.required = new.required,
                    Kind::Changed { property: Property::Writable, .. } => field.write = new.write.clone(),
                    Kind::Changed { property: Property::Custom, .. } => field.custom = new.custom,
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn domain(&self, schema: &mut Schema, newer: &Schema, name: &str) {
        match (&self.kind, newer.domains.get(name)) {
            (Kind::Removed, None) => {
                schema.domains.remove(name);
            }
            (Kind::Added, Some(new)) => {
                schema.domains.entry(name.to_owned()).or_insert_with(|| new.clone());
            }
            (kind, Some(new)) => {
                let Some(domain): Option<&mut Domain> = schema.domains.get_mut(name) else { return };
                match kind {
                    Kind::Renamed { .. } => domain.title.clone_from(&new.title),
                    Kind::Changed { property: Property::Open, .. } => domain.open = new.open,
                    Kind::Reordered => {
                        reorder(&mut domain.choices, &new.choices, |choice: &Choice| choice.code.clone());
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn pipeline(&self, schema: &mut Schema, newer: &Schema, object: &str, code: &str) {
        let same = |pipeline: &Pipeline| pipeline.object == object && pipeline.code == code;
        let new_at = newer.pipelines.iter().position(same);
        let at = schema.pipelines.iter().position(same);
        match (&self.kind, at, new_at) {
            (Kind::Removed, Some(at), None) => {
                schema.pipelines.remove(at);
            }
            (Kind::Added, None, Some(new_at)) => insert_pipeline(schema, newer, new_at),
            (Kind::Renamed { .. }, Some(at), Some(new_at)) => {
                schema.pipelines[at].name.clone_from(&newer.pipelines[new_at].name);
            }
            (Kind::Reordered, Some(at), Some(new_at)) => {
                let news = &newer.pipelines[new_at].stages;
                reorder(&mut schema.pipelines[at].stages, news, |stage| stage.code.clone());
            }
            _ => {}
        }
    }

    fn user(&self, schema: &mut Schema, newer: &Schema, id: &str) {
        let new = newer.users.iter().find(|user| user.id == id);
        let at = schema.users.binary_search_by(|user| user.id.as_str().cmp(id));
        match (&self.kind, at, new) {
            (Kind::Removed, Ok(at), None) => {
                schema.users.remove(at);
            }
            (Kind::Added, Err(at), Some(new)) => schema.users.insert(at, new.clone()),
            (Kind::Changed { property: Property::Active, .. }, Ok(at), Some(new)) => {
                schema.users[at].active = new.active;
            }
            (Kind::Changed { property: Property::Email, .. }, Ok(at), Some(new)) => {
                schema.users[at].email_hash.clone_from(&new.email_hash);
            }
            _ => {}
        }
    }
}

/// One respect of an element taken over.
trait Part {
    fn take_over(&mut self, newer: &Self, kind: &Kind);
}

impl Part for Choice {
    fn take_over(&mut self, newer: &Self, kind: &Kind) {
        if matches!(kind, Kind::Renamed { .. }) {
            self.title.clone_from(&newer.title);
        }
    }
}

impl Part for super::super::Stage {
    fn take_over(&mut self, newer: &Self, kind: &Kind) {
        match kind {
            Kind::Renamed { .. } => self.name.clone_from(&newer.name),
            Kind::Changed { property: Property::Ends, .. } => self.ends = newer.ends,
            _ => {}
        }
    }
}

impl Part for super::super::Outcome {
    fn take_over(&mut self, newer: &Self, kind: &Kind) {
        match kind {
            Kind::Renamed { .. } => self.name.clone_from(&newer.name),
            Kind::Changed { property: Property::Ends, .. } => self.kind = newer.kind,
            _ => {}
        }
    }
}

fn position(schema: &Schema, object: &str) -> Result<usize, usize> {
    schema.objects.binary_search_by(|o| o.name.as_str().cmp(object))
}

fn pipelines<'a, 'b>(
    schema: &'a mut Schema,
    newer: &'b Schema,
    object: &str,
    code: &str,
) -> Option<(&'a mut Pipeline, &'b Pipeline)> {
    let at = schema.pipelines.iter_mut().find(|p| p.object == object && p.code == code)?;
    Some((at, super::find(&newer.pipelines, object, code)?))
}

/// Inserts `news[at]` behind the nearest of its predecessors that is there.
fn insert<T: Clone>(list: &mut Vec<T>, news: &[T], at: usize, of: impl Fn(&T) -> &String) {
    let before = news[..at].iter().rev().find_map(|p| list.iter().position(|t| of(t) == of(p)));
    list.insert(before.map_or(0, |before| before + 1), news[at].clone());
}

fn insert_pipeline(schema: &mut Schema, newer: &Schema, at: usize) {
    let list = &mut schema.pipelines;
    let key = |p: &Pipeline| (p.object.clone(), p.code.clone());
    let new = &newer.pipelines[at];
    if list.iter().any(|p| key(p) == key(new)) {
        return;
    }
    let before = newer.pipelines[..at].iter().rev().find_map(|p| list.iter().position(|t| key(t) == key(p)));
    list.insert(before.map_or(0, |before| before + 1), new.clone());
}

/// Brings what is in both lists into the order of the newer one; the rest keeps its places.
fn reorder<T: Clone, K: Ord>(list: &mut [T], news: &[T], key: impl Fn(&T) -> K) {
    let rank: std::collections::BTreeMap<K, usize> =
        news.iter().enumerate().map(|(at, t)| (key(t), at)).collect();
    let places: Vec<usize> = (0..list.len()).filter(|at| rank.contains_key(&key(&list[*at]))).collect();
    let mut known: Vec<T> = places.iter().map(|at| list[*at].clone()).collect();
    known.sort_by_key(|t| rank.get(&key(t)).copied());
    for (at, t) in places.into_iter().zip(known) {
        list[at] = t;
    }
}

/// The enumerations that a field needs.
fn bring(schema: &mut Schema, newer: &Schema, field: &Field) {
    for name in enums_of(field) {
        if let (None, Some(domain)) = (schema.domains.get(name), newer.domains.get(name)) {
            schema.domains.insert(name.to_owned(), domain.clone());
        }
    }
}

/// Takes away the enumerations that went with a field.
fn drop_unused(schema: &mut Schema, newer: &Schema, field: &Field) {
    for name in enums_of(field) {
        if !newer.domains.contains_key(name) {
            schema.domains.remove(name);
        }
    }
}
