//! Finds the differences of two schemas. Knows nothing of how they are told or applied.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::super::{
    Attribute, Choice, Domain, Field, Object, Outcome, Pipeline, Probed, Schema, Stage, User, Write,
};
use super::{Difference, Kind, Place, Property};
use crate::lang::types::{Base, Type};

/// Every difference from `old` to `new`, statistics apart: the system, objects with their fields, enumerations,
/// pipelines, users.
pub fn differences(old: &Schema, new: &Schema) -> Vec<Difference> {
    // Every field of the schema is taken apart by name, so that a new one cannot be forgotten here.
    let Schema {
        connector,
        account,
        account_name,
        taken: _,
        salt: _,
        objects,
        domains,
        pipelines,
        users,
        probed,
    } = new;
    let mut found = Found { old, new, all: Vec::new() };
    let system =
        |schema: &Schema| format!("{} {} ({})", schema.connector, schema.account, schema.account_name);
    if (connector, account, account_name) != (&old.connector, &old.account, &old.account_name) {
        found.changed(Place::System, Property::Account, system(old), system(new));
    }
    found.objects(&old.objects, objects);
    found.domains(&old.domains, domains);
    found.pipelines(&old.pipelines, pipelines);
    found.users(&old.users, users);
    found.answers(&old.probed, probed);
    found.all
}

struct Found<'a> {
    old: &'a Schema,
    new: &'a Schema,
    all: Vec<Difference>,
}

/// Elements of two lists side by side: what is gone, what is new, what stayed, whether what stayed changed its order.
struct Sides<'a, T> {
    removed: Vec<&'a T>,
    added: Vec<&'a T>,
    both: Vec<(&'a T, &'a T)>,
    reordered: bool,
}

fn sides<'a, T>(old: &'a [T], new: &'a [T], code: impl Fn(&T) -> (&str, &str)) -> Sides<'a, T> {
    let olds: HashMap<(&str, &str), usize> = old.iter().enumerate().map(|(at, t)| (code(t), at)).collect();
    let news: BTreeSet<(&str, &str)> = new.iter().map(&code).collect();
    let mut both = Vec::new();
    let mut added = Vec::new();
    let mut order = Vec::new();
    for t in new {
        match olds.get(&code(t)) {
            Some(at) => {
                both.push((&old[*at], t));
                order.push(*at);
            }
            None => added.push(t),
        }
    }
    let removed = old.iter().filter(|t| !news.contains(&code(t))).collect();
    Sides { removed, added, both, reordered: !order.is_sorted() }
}

impl<'a> Found<'a> {
    fn push(&mut self, place: Place, kind: Kind, title: Option<&str>, records: Option<u64>) {
        let title = title.filter(|title| !title.is_empty()).map(str::to_owned);
        self.all.push(Difference { place, kind, title, records });
    }

    fn changed(&mut self, place: Place, property: Property, old: String, new: String) {
        self.push(place, Kind::Changed { property, old, new }, None, None);
    }

    /// Looking at a system answers no question, so a schema without answers takes none back.
    fn answers(&mut self, old: &Probed, new: &Probed) {
        if new.is_empty() {
            return;
        }
        let place = |question: &str| Place::Answer { question: question.to_owned() };
        for question in old.answers.keys().filter(|question| !new.answers.contains_key(*question)) {
            self.push(place(question), Kind::Removed, None, None);
        }
        for (question, answer) in &new.answers {
            match old.answers.get(question) {
                None => self.push(place(question), Kind::Added, Some(&answer.to_string()), None),
                Some(before) if before != answer => {
                    self.changed(place(question), Property::Answer, before.to_string(), answer.to_string());
                }
                Some(_) => {}
            }
        }
    }

    fn objects(&mut self, old: &'a [Object], new: &'a [Object]) {
        let sides = sides(old, new, |object| (object.name.as_str(), ""));
        let place = |object: &Object| Place::Object { object: object.name.clone() };
        for object in sides.removed {
            self.push(place(object), Kind::Removed, object.title.as_deref(), object.records);
        }
        for object in sides.added {
            self.push(place(object), Kind::Added, object.title.as_deref(), object.records);
        }
        for (old, new) in sides.both {
            let Object { name: _, title, records: _, creatable, hint, custom_types, matchable, fields } = new;
            if *title != old.title {
                let kind = renamed(old.title.as_deref(), title.as_deref());
                self.push(place(new), kind, title.as_deref(), None);
            }
            if (creatable, hint) != (&old.creatable, &old.hint) {
                let words = |object: &Object| {
                    let can = if object.creatable { "can be created" } else { "cannot be created" };
                    with_hint(can, object.hint.as_deref())
                };
                self.changed(place(new), Property::Creatable, words(old), words(new));
            }
            if *custom_types != old.custom_types {
                let (old, new_types) = (old.custom_types.join(", "), custom_types.join(", "));
                self.changed(place(new), Property::CustomTypes, old, new_types);
            }
            if *matchable != old.matchable {
                let (old, new_fields) = (old.matchable.join(", "), matchable.join(", "));
                self.changed(place(new), Property::Matchable, old, new_fields);
            }
            self.fields(&new.name, &old.fields, fields);
        }
    }

    fn fields(&mut self, object: &str, old: &'a [Field], new: &'a [Field]) {
        let place = |field: &Field| Place::Field { object: object.to_owned(), field: field.name.clone() };
        let filled = |field: &Field| field.stats.as_ref().map(|stats| stats.filled);
        let sides = sides(old, new, |field| (field.name.as_str(), ""));
        for field in sides.removed {
            self.push(place(field), Kind::Removed, field.title.as_deref(), filled(field));
        }
        for field in sides.added {
            self.push(place(field), Kind::Added, field.title.as_deref(), filled(field));
        }
        for (old, new) in sides.both {
            let Field { name: _, title, ty, required, write, custom, attributes, stats: _ } = new;
            let mut push = |kind| self.push(place(new), kind, new.title.as_deref(), filled(new));
            if *title != old.title {
                push(renamed(old.title.as_deref(), title.as_deref()));
            }
            if *ty != old.ty {
                push(Kind::Retyped { old: old.ty.clone(), new: ty.clone() });
            }
            let mut changed = |property, old: String, new: String| push(Kind::Changed { property, old, new });
            if *required != old.required {
                let words = |required| if required { "required" } else { "not required" }.to_owned();
                changed(Property::Required, words(old.required), words(*required));
            }
            if *write != old.write {
                changed(Property::Writable, writable(&old.write), writable(write));
            }
            if *custom != old.custom {
                let words = |custom| if custom { "the customer's" } else { "the system's" }.to_owned();
                changed(Property::Custom, words(old.custom), words(*custom));
            }
            if *attributes != old.attributes {
                changed(
                    Property::Attributes,
                    attributes_words(&old.attributes),
                    attributes_words(attributes),
                );
            }
        }
    }

    fn domains(&mut self, old: &'a BTreeMap<String, Domain>, new: &'a BTreeMap<String, Domain>) {
        // What a field brings along or takes away is told with the field.
        let brought: BTreeSet<&str> = self.enums(self.new, self.old);
        let taken: BTreeSet<&str> = self.enums(self.old, self.new);
        let place = |domain: &str| Place::Domain { domain: domain.to_owned() };
        for (name, domain) in old {
            if !new.contains_key(name) && !taken.contains(name.as_str()) {
                self.push(place(name), Kind::Removed, domain.title.as_deref(), None);
            }
        }
        for (name, domain) in new {
            let Some(before) = old.get(name) else {
                if !brought.contains(name.as_str()) {
                    self.push(place(name), Kind::Added, domain.title.as_deref(), None);
                }
                continue;
            };
            let Domain { title, choices, open } = domain;
            if *title != before.title {
                let kind = renamed(before.title.as_deref(), title.as_deref());
                self.push(place(name), kind, title.as_deref(), None);
            }
            if *open != before.open {
                let words = |open| if open { "open" } else { "closed" }.to_owned();
                self.changed(place(name), Property::Open, words(before.open), words(*open));
            }
            self.choices(name, &before.choices, choices);
        }
    }

    fn choices(&mut self, domain: &str, old: &'a [Choice], new: &'a [Choice]) {
        let place = |choice: &Choice| Place::Choice { domain: domain.to_owned(), code: choice.code.clone() };
        let sides = sides(old, new, |choice| (choice.code.as_str(), ""));
        for choice in sides.removed {
            let records = holding(self.old, domain, &choice.code);
            self.push(place(choice), Kind::Removed, choice.title.as_deref(), records);
        }
        for choice in sides.added {
            let records = holding(self.new, domain, &choice.code);
            self.push(place(choice), Kind::Added, choice.title.as_deref(), records);
        }
        for (old, new) in sides.both {
            let Choice { code, title } = new;
            if *title != old.title {
                let records = holding(self.new, domain, code);
                let kind = renamed(old.title.as_deref(), title.as_deref());
                self.push(place(new), kind, title.as_deref(), records);
            }
        }
        if sides.reordered {
            self.push(Place::Domain { domain: domain.to_owned() }, Kind::Reordered, None, None);
        }
    }

    /// Enumerations of fields that `one` has and `other` has not, or has with another type.
    fn enums(&self, one: &'a Schema, other: &Schema) -> BTreeSet<&'a str> {
        let mut names = BTreeSet::new();
        for object in &one.objects {
            let object_there = other.object(&object.name);
            for field in &object.fields {
                let there = object_there.and_then(|object| object.field(&field.name));
                if there.is_none_or(|there| there.ty != field.ty || there.attributes != field.attributes) {
                    names.extend(enums_of(field));
                }
            }
        }
        names
    }

    fn pipelines(&mut self, old: &'a [Pipeline], new: &'a [Pipeline]) {
        let sides = sides(old, new, |pipeline| (pipeline.object.as_str(), pipeline.code.as_str()));
        let place = |pipeline: &Pipeline| Place::Pipeline {
            object: pipeline.object.clone(),
            pipeline: pipeline.code.clone(),
        };
        let records = |pipeline: &Pipeline| {
            (!pipeline.records.is_empty()).then(|| pipeline.records.values().sum::<u64>())
        };
        for pipeline in sides.removed {
            if self.new.object(&pipeline.object).is_some() || self.old.object(&pipeline.object).is_none() {
                self.push(place(pipeline), Kind::Removed, Some(&pipeline.name), records(pipeline));
            }
        }
        for pipeline in sides.added {
            if self.old.object(&pipeline.object).is_some() || self.new.object(&pipeline.object).is_none() {
                self.push(place(pipeline), Kind::Added, Some(&pipeline.name), records(pipeline));
            }
        }
        for (old, new) in sides.both {
            let Pipeline { object: _, code: _, name, stages, records: _, outcomes } = new;
            if *name != old.name {
                let kind = renamed(Some(&old.name), Some(name));
                self.push(place(new), kind, Some(name), records(new));
            }
            self.stages(old, new, &old.stages, stages);
            self.outcomes(new, &old.outcomes, outcomes);
        }
        if sides.reordered {
            self.push(Place::System, Kind::Reordered, None, None);
        }
    }

    fn stages(&mut self, before: &Pipeline, pipeline: &Pipeline, old: &'a [Stage], new: &'a [Stage]) {
        let place = |stage: &Stage| Place::Stage {
            object: pipeline.object.clone(),
            pipeline: pipeline.code.clone(),
            code: stage.code.clone(),
        };
        let within = |pipeline: &Pipeline, code: &str| match pipeline.records.get(code) {
            Some(records) => Some(*records),
            // Counted, and none is in it.
            None => (!pipeline.records.is_empty()).then_some(0),
        };
        let sides = sides(old, new, |stage| (stage.code.as_str(), ""));
        for stage in sides.removed {
            self.push(place(stage), Kind::Removed, Some(&stage.name), within(before, &stage.code));
        }
        for stage in sides.added {
            self.push(place(stage), Kind::Added, Some(&stage.name), within(pipeline, &stage.code));
        }
        for (old, new) in sides.both {
            let Stage { code, name, ends } = new;
            if *name != old.name {
                let kind = renamed(Some(&old.name), Some(name));
                self.push(place(new), kind, Some(name), within(pipeline, code));
            }
            if *ends != old.ends {
                let words = |stage: &Stage| {
                    stage.ends.map_or("open", super::super::snapshot::outcome_word).to_owned()
                };
                let kind = Kind::Changed { property: Property::Ends, old: words(old), new: words(new) };
                self.push(place(new), kind, Some(name), within(pipeline, code));
            }
        }
        if sides.reordered {
            let place = Place::Pipeline { object: pipeline.object.clone(), pipeline: pipeline.code.clone() };
            self.push(place, Kind::Reordered, Some(&pipeline.name), None);
        }
    }

    fn outcomes(&mut self, pipeline: &Pipeline, old: &'a [Outcome], new: &'a [Outcome]) {
        let place = |code: &str| Place::Outcome {
            object: pipeline.object.clone(),
            pipeline: pipeline.code.clone(),
            code: code.to_owned(),
        };
        let sides = sides(old, new, |outcome| (outcome.code.as_str(), ""));
        for outcome in sides.removed {
            self.push(place(&outcome.code), Kind::Removed, Some(&outcome.name), None);
        }
        for outcome in sides.added {
            self.push(place(&outcome.code), Kind::Added, Some(&outcome.name), None);
        }
        for (old, new) in sides.both {
            let Outcome { code, name, kind } = new;
            if *name != old.name {
                self.push(place(code), renamed(Some(&old.name), Some(name)), Some(name), None);
            }
            if *kind != old.kind {
                let word = super::super::snapshot::outcome_word;
                let (old, new) = (word(old.kind).to_owned(), word(*kind).to_owned());
                let kind = Kind::Changed { property: Property::Ends, old, new };
                self.push(place(code), kind, Some(name), None);
            }
        }
        if sides.reordered {
            self.push(place(""), Kind::Reordered, Some(&pipeline.name), None);
        }
    }

    fn users(&mut self, old: &'a [User], new: &'a [User]) {
        let place = |user: &User| Place::User { user: user.id.clone() };
        let sides = sides(old, new, |user| (user.id.as_str(), ""));
        for user in sides.removed {
            self.push(place(user), Kind::Removed, None, None);
        }
        for user in sides.added {
            self.push(place(user), Kind::Added, None, None);
        }
        // Other salts give other hashes of equal addresses: nothing can be said of addresses then.
        let comparable = self.old.salt == self.new.salt;
        for (old, new) in sides.both {
            let User { id: _, email_hash, active } = new;
            if *active != old.active {
                let words = |active| if active { "active" } else { "dismissed" }.to_owned();
                self.changed(place(new), Property::Active, words(old.active), words(*active));
            }
            if *email_hash != old.email_hash
                && (comparable || email_hash.is_some() != old.email_hash.is_some())
            {
                let words =
                    |hash: &Option<String>| if hash.is_some() { "an address" } else { "none" }.to_owned();
                let new_words = match (&old.email_hash, email_hash) {
                    (Some(_), Some(_)) => "another address".to_owned(),
                    _ => words(email_hash),
                };
                self.changed(place(new), Property::Email, words(&old.email_hash), new_words);
            }
        }
    }
}

/// Enumerations that a field's type and attributes name.
pub(super) fn enums_of(field: &Field) -> impl Iterator<Item = &str> {
    let types = std::iter::once(&field.ty).chain(field.attributes.iter().map(|attribute| &attribute.ty));
    types.filter_map(|ty: &Type| match &ty.base {
        Base::Enum(name) => Some(name.as_str()),
        _ => None,
    })
}

fn renamed(old: Option<&str>, new: Option<&str>) -> Kind {
    Kind::Renamed { old: old.unwrap_or_default().to_owned(), new: new.unwrap_or_default().to_owned() }
}

fn writable(write: &Write) -> String {
    match write {
        Write::Yes => "writable".to_owned(),
        Write::No { hint } => with_hint("not writable", Some(hint)),
    }
}

fn with_hint(words: &str, hint: Option<&str>) -> String {
    hint.map_or_else(|| words.to_owned(), |hint| format!("{words} ({hint})"))
}

fn attributes_words(attributes: &[Attribute]) -> String {
    attributes.iter().map(|a| format!("{}: {}", a.name, a.ty)).collect::<Vec<_>>().join(", ")
}

/// Records that hold a value of an enumeration, over every field of that type; `None` where it was not counted.
fn holding(schema: &Schema, domain: &str, code: &str) -> Option<u64> {
    let mut sum = None;
    for field in schema.objects.iter().flat_map(|object| &object.fields) {
        if !matches!(&field.ty.base, Base::Enum(name) if name == domain) {
            continue;
        }
        let stats = field.stats.as_ref()?;
        let counted: u64 = stats.values.values().sum();
        // A field that has values and no histogram was not counted.
        if counted < stats.filled {
            return None;
        }
        *sum.get_or_insert(0) += stats.values.get(code).copied().unwrap_or(0);
    }
    sum
}
