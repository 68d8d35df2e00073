//! What a destination refuses, by its schema alone. Knows nothing of rules, arms and of how the checker proves them.

use rust_decimal::Decimal;

use crate::lang::eval::{NoteOut, Output};
use crate::lang::plan::{CustomField, Plan, Target};
use crate::lang::schema::{Field, Object, Schema, Write};
use crate::lang::types::{Base, Type};
use crate::lang::value::{Item, RefValue, StageValue, Value};

/// Judges records of one plan.
pub struct Judge<'a> {
    plan: &'a Plan,
    target: &'a Schema,
}

/// Something that the destination would refuse, or that no checked plan may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The destination field, or the note.
    pub target: String,
    /// The line of the plan, from 1; 0 where no line speaks of it.
    pub line: u32,
    /// What is wrong.
    pub kind: Kind,
    /// The value, as people read it.
    pub value: String,
    /// What the schema takes there.
    pub takes: String,
}

impl Violation {
    /// Whether it is the same trouble with another value.
    pub fn like(&self, other: &Violation) -> bool {
        self.target == other.target && self.kind == other.kind && self.line == other.line
    }
}

/// What is wrong with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A required field, or a required column of a line, without a value.
    Missing,
    /// A field that does not exist, or that the API does not write.
    NotWritable,
    /// A value of another type.
    WrongType,
    /// A list where one value is taken, or the other way about.
    WrongCount,
    /// A text that is too long.
    TooLong,
    /// A value that the enumeration does not have.
    NoSuchChoice,
    /// A stage, outcome or pipeline that does not exist.
    NoSuchStage,
    /// A user who does not exist or does not work there any more.
    NoSuchUser,
    /// A link to a record of another object.
    WrongLink,
    /// A rule failed because a value was of another type than it reads.
    FailsByType,
    /// A rule failed and no arm takes that.
    FailsUnhandled,
    /// The two interpreters differ.
    Differs,
}

impl Kind {
    /// In a few words, after the name of the field.
    pub fn words(self) -> &'static str {
        match self {
            Kind::Missing => "is required and has no value",
            Kind::NotWritable => "cannot be written",
            Kind::WrongType => "gets a value of another type",
            Kind::WrongCount => "gets a list for one value, or one value for a list",
            Kind::TooLong => "gets a text that is too long",
            Kind::NoSuchChoice => "gets a value that the destination does not have",
            Kind::NoSuchStage => "gets a stage that the destination does not have",
            Kind::NoSuchUser => "gets a user that the destination does not have",
            Kind::WrongLink => "gets a link to a record of another object",
            Kind::FailsByType => "fails by type",
            Kind::FailsUnhandled => "fails, and no arm takes that",
            Kind::Differs => "comes out differently in the two interpreters",
        }
    }
}

/// What is wrong with one value.
type Fault = (Kind, String);

impl<'a> Judge<'a> {
    /// For records of this plan, written into a system of this schema.
    pub fn new(plan: &'a Plan, target: &'a Schema) -> Self {
        Judge { plan, target }
    }

    /// Everything that the destination would refuse in a new record.
    pub fn violations(&self, map: usize, output: &Output) -> Vec<Violation> {
        let Some(item) = self.plan.maps.get(map) else { return Vec::new() };
        let mut found = Vec::new();
        let line = |index: usize| {
            let own = item.rules.iter();
            let folded = self.plan.flattens.iter().filter(|flatten| usize::from(flatten.into) == map);
            own.chain(folded.flat_map(|flatten| &flatten.rules))
                .find(|rule| usize::from(rule.target) == index)
                .map_or(item.line, |rule| rule.line)
        };
        let Some(object) = self.target.object(&item.target).filter(|object| object.creatable) else {
            found.push(Violation {
                target: item.target.clone(),
                line: item.line,
                kind: Kind::NotWritable,
                value: String::new(),
                takes: "an object that the API creates".to_owned(),
            });
            return found;
        };
        for (index, (target, value)) in item.targets.iter().zip(&output.values).enumerate() {
            let (fault, takes) = self.field(object, target, value);
            for (kind, value) in fault {
                let (target, takes) = (target.name.clone(), takes.clone());
                found.push(Violation { target, line: line(index), kind, value, takes });
            }
        }
        for field in object.fields.iter().filter(|field| field.required && field.write == Write::Yes) {
            if !item.targets.iter().any(|target| target.name == field.name) {
                found.push(Violation {
                    target: field.name.clone(),
                    line: item.line,
                    kind: Kind::Missing,
                    value: "no rule writes it".to_owned(),
                    takes: field.ty.to_string(),
                });
            }
        }
        for note in &output.notes {
            found.extend(self.note(map, object, note));
        }
        found
    }

    fn field(&self, object: &Object, target: &Target, value: &Value) -> (Vec<Fault>, String) {
        let known = object.field(&target.name).filter(|field| field.custom == target.custom);
        let made = self
            .plan
            .provision
            .iter()
            .find(|field| target.custom && field.object == object.name && field.label == target.name);
        match (known, made) {
            (Some(field), _) => {
                let mut faults = Vec::new();
                if let Write::No { .. } = field.write
                    && !value.is_absent()
                {
                    faults.push((Kind::NotWritable, shown(value)));
                }
                if field.required && value.is_absent() {
                    faults.push((Kind::Missing, "nothing".to_owned()));
                }
                self.value(value, &field.ty, Some(field), &mut faults);
                let required = if field.required { ", required" } else { "" };
                (faults, format!("{}{required}", field.ty))
            }
            (None, Some(field)) => (self.custom(field, value), kind_of(field)),
            (None, None) => (vec![(Kind::NotWritable, shown(value))], "a field that exists".to_owned()),
        }
    }

    /// A value of a field that the schema has; absence is judged by who calls.
    fn value(&self, value: &Value, ty: &Type, field: Option<&Field>, faults: &mut Vec<Fault>) {
        match value {
            Value::Absent => {}
            Value::List(values) if ty.many => {
                if values.is_empty() || values.iter().any(|v| matches!(v, Value::List(_) | Value::Absent)) {
                    faults.push((Kind::WrongCount, shown(value)));
                }
                for value in values {
                    self.single(value, &ty.base, field, faults);
                }
            }
            Value::List(_) => faults.push((Kind::WrongCount, shown(value))),
            _ if ty.many => faults.push((Kind::WrongCount, shown(value))),
            value => self.single(value, &ty.base, field, faults),
        }
    }

    fn single(&self, value: &Value, base: &Base, field: Option<&Field>, faults: &mut Vec<Fault>) {
        if *base == Base::Record {
            return self.line(value, field, faults);
        }
        let value = match value {
            Value::Item(item) => {
                if !matches!(item.attrs.as_slice(), [Value::Text(_)]) {
                    faults.push((Kind::WrongType, shown(value)));
                }
                &item.value
            }
            other => other,
        };
        if let Some(kind) = self.fault(value, base) {
            faults.push((kind, shown(value)));
        }
    }

    /// A line such as a product of a lead: its columns are the attributes of the field.
    fn line(&self, value: &Value, field: Option<&Field>, faults: &mut Vec<Fault>) {
        let columns = field.map(|field| field.attributes.as_slice()).unwrap_or_default();
        let Value::Item(line) = value else {
            faults.push((Kind::WrongType, shown(value)));
            return;
        };
        let Item { value: own, attrs } = line.as_ref();
        if !own.is_absent() || attrs.len() != columns.len() {
            faults.push((Kind::WrongType, shown(value)));
            return;
        }
        for (column, value) in columns.iter().zip(attrs) {
            if value.is_absent() && !column.ty.optional {
                faults.push((Kind::Missing, format!("a line without `{}`", column.name)));
            }
            let mut inner = Vec::new();
            self.value(value, &column.ty, None, &mut inner);
            faults.extend(inner.into_iter().map(|(kind, value)| (kind, format!("{}: {value}", column.name))));
        }
    }

    fn fault(&self, value: &Value, base: &Base) -> Option<Kind> {
        let fits = match (base, value) {
            (Base::Text { max }, Value::Text(text)) => {
                if max.is_some_and(|max| text.chars().count() > max as usize) {
                    return Some(Kind::TooLong);
                }
                true
            }
            (Base::PersonName, Value::Name(_) | Value::Text(_)) => true,
            (Base::Email, Value::Text(text)) => is_email(text),
            (Base::Phone, Value::Text(text)) => is_phone(text),
            (Base::Url, Value::Text(text)) => is_url(text),
            (Base::Enum(domain), Value::Text(text)) => {
                let known = self.target.domains.get(domain).is_some_and(|domain| {
                    domain.open || domain.choices.iter().any(|choice| choice.code == *text)
                });
                return (!known).then_some(Kind::NoSuchChoice);
            }
            (Base::User, Value::Text(id)) => {
                let works = self.target.users.iter().any(|user| user.id == *id && user.active);
                return (!works).then_some(Kind::NoSuchUser);
            }
            (Base::Stage, Value::Stage(stage)) => {
                return (!self.stage_exists(stage)).then_some(Kind::NoSuchStage);
            }
            (Base::Ref(object), Value::Ref(link)) => {
                return (!self.leads_to(link, std::slice::from_ref(object))).then_some(Kind::WrongLink);
            }
            (Base::AnyRef(objects), Value::Ref(link)) => {
                return (!self.leads_to(link, objects)).then_some(Kind::WrongLink);
            }
            (Base::AnyRef(objects), Value::Text(_)) if objects.iter().any(|object| object == "user") => {
                return self.fault(value, &Base::User);
            }
            (_, Value::Ref(link)) => return (!self.reads(link, base)).then_some(Kind::WrongLink),
            (Base::Integer, Value::Int(_))
            | (Base::Decimal, Value::Decimal(_))
            | (Base::Money, Value::Money(_))
            | (Base::Bool, Value::Bool(_))
            | (Base::Date, Value::Date(_))
            | (Base::DateTime, Value::Instant(_))
            | (Base::Address, Value::Address(_)) => true,
            _ => false,
        };
        (!fits).then_some(Kind::WrongType)
    }

    fn stage_exists(&self, stage: &StageValue) -> bool {
        let mut named = self.target.pipelines.iter().filter(|pipeline| pipeline.name == stage.pipeline);
        (stage.stage.is_some() || stage.outcome.is_some())
            && named.any(|pipeline| {
                let stage_known = stage
                    .stage
                    .as_ref()
                    .is_none_or(|name| pipeline.stages.iter().any(|known| known.name == *name));
                let outcome_known = stage.outcome.as_ref().is_none_or(|(kind, name)| {
                    pipeline.outcomes.iter().any(|known| known.name == *name && known.kind == *kind)
                });
                stage_known && outcome_known
            })
    }

    /// The maps that a link may find its record in.
    fn maps_of(&self, link: &RefValue) -> Vec<Option<&'a crate::lang::plan::Map>> {
        let maps = std::iter::once(&link.map).chain(&link.others);
        maps.map(|map| self.plan.maps.get(usize::from(*map))).collect()
    }

    fn leads_to(&self, link: &RefValue, objects: &[String]) -> bool {
        let maps = self.maps_of(link);
        link.field.is_none()
            && !link.key.is_empty()
            && maps.iter().all(|map| map.is_some_and(|map| objects.contains(&map.target)))
    }

    /// Whether what a link reads from its record is of this type.
    fn reads(&self, link: &RefValue, base: &Base) -> bool {
        let maps = self.maps_of(link);
        let Some(fields) = link.field.as_ref().filter(|fields| fields.len() == maps.len()) else {
            return false;
        };
        let texts = |base: &Base| {
            matches!(
                base,
                Base::Text { .. } | Base::Enum(_) | Base::Email | Base::Phone | Base::Url | Base::PersonName
            )
        };
        maps.iter().zip(fields).all(|(map, field)| {
            let target = map.and_then(|map| map.targets.get(usize::from(*field)));
            target.is_some_and(|target| {
                !target.ty.many && (target.ty.base == *base || texts(&target.ty.base) && texts(base))
            })
        })
    }

    fn custom(&self, field: &CustomField, value: &Value) -> Vec<Fault> {
        let base = match field.kind.as_str() {
            "number" => Base::Decimal,
            "currency" => Base::Money,
            "date" => Base::Date,
            "email" => Base::Email,
            "phone" => Base::Phone,
            "url" => Base::Url,
            _ => Base::Text { max: None },
        };
        let mut faults = Vec::new();
        let values = match value {
            Value::List(values) if field.many => values.as_slice(),
            Value::Absent => &[],
            one => std::slice::from_ref(one),
        };
        for value in values {
            let choice = |text: &str| field.choices.iter().any(|choice| choice == text);
            let kind = match value {
                Value::List(_) => Some(Kind::WrongCount),
                Value::Text(text) if field.kind == "enum" => (!choice(text)).then_some(Kind::NoSuchChoice),
                Value::Address(_) if field.kind == "location" => None,
                // A whole number is a number.
                Value::Int(number) if base == Base::Decimal => {
                    (Decimal::from(*number).is_zero() && *number != 0).then_some(Kind::WrongType)
                }
                value => self.fault(value, &base),
            };
            faults.extend(kind.map(|kind| (kind, shown(value))));
        }
        faults
    }

    /// A note goes with records of objects that an object `Note` names as its parent.
    fn note(&self, map: usize, object: &Object, note: &NoteOut) -> Option<Violation> {
        let place =
            crate::lang::eval::RuleId { flatten: note.note.flatten, note: true, rule: note.note.note };
        let violation = |kind, value: &str, takes: String| Violation {
            target: place.target(self.plan, map).unwrap_or_default(),
            line: place.find(self.plan, map).map_or(0, |rule| rule.line),
            kind,
            value: value.to_owned(),
            takes,
        };
        let notes = self.target.object("Note").filter(|notes| notes.creatable);
        let taken =
            notes.and_then(|notes| notes.field("parent")).is_some_and(|parent| match &parent.ty.base {
                Base::Ref(to) => *to == object.name,
                Base::AnyRef(to) => to.contains(&object.name),
                _ => false,
            });
        if !taken {
            let takes = format!("no notes on `{}`", object.name);
            return Some(violation(Kind::NotWritable, &note.title, takes));
        }
        if note.body.is_empty() {
            return Some(violation(Kind::Missing, "nothing", "a text".to_owned()));
        }
        let body = notes.and_then(|notes| notes.field("body"))?;
        let text =
            if note.title.is_empty() { note.body.clone() } else { format!("{}\n{}", note.title, note.body) };
        let kind = self.fault(&Value::text(text), &body.ty.base)?;
        Some(violation(kind, &note.body, body.ty.to_string()))
    }
}

fn kind_of(field: &CustomField) -> String {
    if field.choices.is_empty() {
        return field.kind.clone();
    }
    format!("{}({})", field.kind, field.choices.join(", "))
}

fn is_email(text: &str) -> bool {
    let parts: Vec<&str> = text.rsplitn(2, '@').collect();
    parts.len() == 2
        && parts.iter().all(|part| !part.is_empty())
        && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}

/// E.164, possibly with an extension: `+13333333555;ext=12`.
fn is_phone(text: &str) -> bool {
    let (number, extension) = text.split_once(";ext=").unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    number.strip_prefix('+').is_some_and(|number| digits(number) && number.len() <= 15) && digits(extension)
}

fn is_url(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, rest)| {
        matches!(scheme, "http" | "https") && !rest.is_empty() && !text.chars().any(char::is_whitespace)
    })
}

/// A value as people read it, no longer than a line.
pub fn shown(value: &Value) -> String {
    let text = match value {
        Value::Absent => "nothing".to_owned(),
        Value::Text(text) => format!("{text:?}"),
        Value::Item(item) if item.value.is_absent() => {
            let columns: Vec<String> = item.attrs.iter().map(shown).collect();
            format!("({})", columns.join(", "))
        }
        Value::List(values) => {
            let values: Vec<String> = values.iter().map(shown).collect();
            format!("[{}]", values.join(", "))
        }
        other => other.display().to_string(),
    };
    match text.char_indices().nth(120) {
        Some((end, _)) => format!("{}… ({} characters)", &text[..end], text.chars().count()),
        None => text,
    }
}
