//! What a destination field is on the wire, and its single values.

use jiff::tz::Offset;
use serde_json::{Value as Json, json};

use super::super::capability::Kind;
use super::super::client::AUTHOR;
use super::super::client::id_json;
use super::super::directory::{Directory, Named, OutcomeRow, team_id};
use super::super::fields::{PRODUCT_TYPES, PRODUCT_UNITS};
use super::super::stored;
use super::values::mismatch;
use super::{StageValue, error};
use crate::lang::plan;
use crate::lang::schema::{Object, Schema, Write};
use crate::lang::types::Base;
use crate::lang::value::{Instant, OutcomeKind, Value};
use crate::run::connect::FieldError;

/// A field on the wire.
pub(super) enum Slot {
    /// One value under this key.
    Plain(&'static str, Shape),
    /// Phones, e-mail and web addresses, postal addresses.
    Contact(&'static str),
    /// Tags, by name.
    Tags,
    /// Lead sources, by id.
    Sources,
    /// Links to records: the key and their `entityType`.
    Links(&'static str, &'static str),
    /// A link that may lead to these objects, under this key.
    AnyLink(&'static str, Vec<String>),
    /// Several texts.
    Texts(&'static str),
    /// Those who take part in an activity, who may be of these objects.
    Parties(Vec<String>),
    /// The products of a lead.
    Lines,
    /// The prices of a product.
    Prices,
    /// Pipeline, stage and outcome.
    Stage,
    /// A custom field, under its label.
    Custom(Custom),
}

/// The form of a single value.
pub(super) enum Shape {
    Text {
        max: Option<u32>,
    },
    Name,
    /// A user or a team.
    Owner,
    /// A user.
    User,
    Industry,
    AccountType,
    ActivityType,
    Territory,
    Market,
    Value,
    /// Bounds, both inclusive.
    Whole(i64, i64),
    Time,
    Flag,
    ProductType,
    ProductUnit,
    LogNote,
}

/// The form of a custom field's value (sheet §6).
pub(super) enum Custom {
    Text,
    Money,
    Date,
    /// The choices, where they are known.
    Choice {
        choices: Option<Vec<String>>,
        many: bool,
    },
}

impl Slot {
    /// # Errors
    /// A field that is not there, or that cannot be written.
    pub(super) fn of(
        kind: Kind,
        live: &Schema,
        object: &Object,
        target: &plan::Target,
    ) -> Result<Slot, FieldError> {
        let name = target.name.as_str();
        let field = object.field(name).filter(|field| field.custom == target.custom);
        let field = field.ok_or_else(|| {
            let what = if target.custom { "a custom field that" } else { "a field that" };
            error(name, format!("{what} `{}` does not have", object.name))
        })?;
        // A list of fields need not tell their types (sheet §6): then the spec's word counts, and choices are not known.
        let untold =
            field.custom && field.ty.base == Base::Opaque(super::super::capability::UNTOLD.to_owned());
        if let Write::No { hint } = &field.write
            && !untold
        {
            return Err(error(name, format!("cannot be written: {hint}")));
        }
        if field.custom {
            let base = if untold { &target.ty.base } else { &field.ty.base };
            let many = if untold { target.ty.many } else { field.ty.many };
            return Ok(Slot::Custom(match base {
                Base::Money => Custom::Money,
                Base::Date => Custom::Date,
                Base::Enum(domain) => {
                    let choices = live.domains.get(domain).map(|d| d.choices.as_slice()).unwrap_or_default();
                    let choices: Vec<String> = choices.iter().map(|choice| choice.code.clone()).collect();
                    Custom::Choice { choices: (!untold).then_some(choices), many }
                }
                _ => Custom::Text,
            }));
        }
        let text = || match &field.ty.base {
            Base::Text { max } => Shape::Text { max: *max },
            _ => Shape::Text { max: None },
        };
        let objects = || match &field.ty.base {
            Base::AnyRef(objects) => objects.clone(),
            _ => Vec::new(),
        };
        Ok(match (kind, name) {
            (Kind::Contact, "name") => Slot::Plain("name", Shape::Name),
            (Kind::Note, "parent") => Slot::AnyLink("entity", objects()),
            (Kind::Note, "body") => Slot::Plain("note", text()),
            (Kind::Task, "entity") => Slot::AnyLink("entity", objects()),
            (Kind::Task, "assignee") => Slot::Plain("assignee", Shape::Owner),
            (Kind::Activity, "type") => Slot::Plain("activityTypeId", Shape::ActivityType),
            (Kind::Activity, "status") => Slot::Plain("status", Shape::Whole(0, 1)),
            (Kind::Activity, "logNote") => Slot::Plain("logNote", Shape::LogNote),
            (Kind::Activity, "leads") => Slot::Links("leads", Kind::Lead.entity()),
            (Kind::Activity, "participants") => Slot::Parties(objects()),
            (Kind::Product, "type") => Slot::Plain("type", Shape::ProductType),
            (Kind::Product, "unit") => Slot::Plain("unit", Shape::ProductUnit),
            (Kind::Product, "prices") => Slot::Prices,
            (Kind::Lead, "products") => Slot::Lines,
            (Kind::Email, "date") => Slot::Plain("date", Shape::Time),
            (Kind::Email, "subject") => Slot::Plain("subject", text()),
            (Kind::Email, "direction") => Slot::Plain("direction", text()),
            (Kind::Email, "mailbox") => Slot::Plain("mailbox", Shape::User),
            (Kind::Email, "from") => Slot::Plain("from", text()),
            (Kind::Email, "body") => Slot::Plain("body", text()),
            (Kind::Email, "html") => Slot::Plain("html", text()),
            (Kind::Email, "messageId") => Slot::Plain("messageId", text()),
            (Kind::Email, "inReplyTo") => Slot::Plain("inReplyTo", text()),
            (Kind::Email, "participants") => Slot::Texts("participants"),
            (Kind::Email, "to") => Slot::Texts("to"),
            (Kind::Email, "cc") => Slot::Texts("cc"),
            (Kind::Email, "references") => Slot::Texts("references"),
            // Not sent: it is under whose name the record is sent (sheet §3).
            (_, "author") => Slot::Plain(AUTHOR, Shape::User),
            (_, "sku") => Slot::Plain("sku", text()),
            (_, "title") => Slot::Plain("title", text()),
            (_, "location") => Slot::Plain("location", text()),
            (_, "startTime") => Slot::Plain("startTime", Shape::Time),
            (_, "endTime") => Slot::Plain("endTime", Shape::Time),
            (_, "isAllDay") => Slot::Plain("isAllDay", Shape::Flag),
            (_, "isFlagged") => Slot::Plain("isFlagged", Shape::Flag),
            (_, "name") => Slot::Plain("name", text()),
            (_, "description") => Slot::Plain("description", text()),
            (_, "phone") => Slot::Contact("phone"),
            (_, "email") => Slot::Contact("email"),
            (_, "url") => Slot::Contact("url"),
            (_, "address") => Slot::Contact("address"),
            (_, "industry") => Slot::Plain("industryId", Shape::Industry),
            (_, "accountType") => Slot::Plain("accountTypeId", Shape::AccountType),
            (_, "territory") => Slot::Plain("territoryId", Shape::Territory),
            (Kind::Lead, "owner") => Slot::Plain("assignee", Shape::Owner),
            (_, "owner") => Slot::Plain("owner", Shape::Owner),
            (_, "tags") => Slot::Tags,
            (_, "accounts") => Slot::Links("accounts", Kind::Account.entity()),
            (_, "contacts") => Slot::Links("contacts", Kind::Contact.entity()),
            (_, "sources") => Slot::Sources,
            (_, "stage") => Slot::Stage,
            (_, "market") => Slot::Plain("market", Shape::Market),
            (_, "value") => Slot::Plain("value", Shape::Value),
            (_, "confidence") => Slot::Plain("confidence", Shape::Whole(0, 100)),
            (_, "priority") => Slot::Plain("priority", Shape::Whole(0, i64::from(i32::MAX))),
            (_, "dueTime") => Slot::Plain("dueTime", Shape::Time),
            _ => return Err(error(name, "this version cannot write it")),
        })
    }

    /// Whether a record holds nothing there.
    pub(super) fn is_empty_in(&self, before: &Json, name: &str) -> bool {
        match self {
            Slot::Plain("industryId", _) => stored::is_empty(before, "industry"),
            Slot::Plain("accountTypeId", _) => stored::is_empty(before, "accountType"),
            Slot::Plain("territoryId", _) => stored::is_empty(before, "territory"),
            Slot::Plain("activityTypeId", _) => stored::is_empty(before, "activityType"),
            Slot::Plain(key, _) | Slot::Texts(key) | Slot::Contact(key) | Slot::AnyLink(key, _) => {
                stored::is_empty(before, key)
            }
            Slot::Parties(_) => stored::is_empty(before, "participants"),
            Slot::Lines => stored::is_empty(before, "products"),
            Slot::Prices => stored::is_empty(before, "prices"),
            Slot::Links("accounts", _) => {
                stored::is_empty(before, "accounts") && stored::is_empty(before, "primaryAccount")
            }
            Slot::Links(key, _) => stored::is_empty(before, key),
            Slot::Tags => stored::is_empty(before, "tags"),
            Slot::Sources => stored::is_empty(before, "sources"),
            // A lead always stands somewhere.
            Slot::Stage => false,
            Slot::Custom(_) => {
                before.get("customFields").is_none_or(|customs| stored::is_empty(customs, name))
            }
        }
    }
}

impl Shape {
    /// The value under the slot's key.
    pub(super) fn json(&self, name: &str, value: &Value, directory: &Directory) -> Result<Json, FieldError> {
        let value = value.bare();
        match (self, value) {
            (Shape::Text { max }, Value::List(_) | Value::Ref(_) | Value::Stage(_)) => {
                let what = if max.is_some() { "a short text" } else { "a text" };
                Err(mismatch(name, what, value))
            }
            (Shape::Text { max }, value) => {
                let text = value.to_text();
                let length = text.chars().count();
                match max {
                    Some(max) if length > *max as usize => Err(error(
                        name,
                        format!("{length} characters, and at most {max} are taken: cut it in the spec"),
                    )),
                    _ => Ok(json!(text)),
                }
            }
            // The object is the safe form: a text is split by the server (sheet §5).
            (Shape::Name, Value::Name(parts)) => {
                let part = |text: &str| if text.is_empty() { Json::Null } else { json!(text) };
                Ok(json!({"givenName": part(&parts.given), "familyName": part(&parts.family)}))
            }
            (Shape::Name, Value::Text(text)) => Ok(json!(text.as_str())),
            (Shape::Owner, Value::Text(id)) => owner(name, id, directory),
            (Shape::User, Value::Text(id)) => user(name, id, directory),
            (Shape::ActivityType, Value::Text(text)) => {
                by_name(name, text, &directory.activity_types).map(id_json)
            }
            (Shape::ProductType, Value::Text(text)) => {
                let found = PRODUCT_TYPES.iter().find(|(word, _)| *word == text.as_str());
                found.map(|(_, code)| json!(code)).ok_or_else(|| no_choice(name, text))
            }
            (Shape::ProductUnit, Value::Text(text)) => {
                let known = PRODUCT_UNITS.contains(&text.as_str());
                if known { Ok(json!(text.as_str())) } else { Err(no_choice(name, text)) }
            }
            (Shape::Flag, Value::Bool(flag)) => Ok(json!(flag)),
            (Shape::LogNote, Value::Text(text)) => Ok(json!({"note": super::unmentioned(text)})),
            (Shape::Industry, Value::Text(text)) => by_name(name, text, &directory.industries).map(id_json),
            (Shape::AccountType, Value::Text(text)) => {
                by_name(name, text, &directory.account_types).map(id_json)
            }
            (Shape::Territory, Value::Text(text)) => by_name(name, text, &directory.territories).map(id_json),
            (Shape::Market, Value::Text(text)) => {
                let market = directory.markets.iter().find(|market| market.name == *text);
                let market = market.ok_or_else(|| no_choice(name, text))?;
                Ok(json!({"id": id_json(&market.id)}))
            }
            // As text: no number of JSON keeps every decimal (sheet §6 has amounts as texts).
            (Shape::Value, Value::Money(money)) => {
                Ok(json!({"currency": money.currency.as_str(), "amount": money.amount.to_string()}))
            }
            (Shape::Whole(least, most), value) => match value.as_whole() {
                Some(number) if (*least..=*most).contains(&number) => Ok(json!(number)),
                Some(number) => Err(error(name, format!("{number} is not between {least} and {most}"))),
                None => Err(mismatch(name, "a whole number", value)),
            },
            (Shape::Time, Value::Instant(instant)) => Ok(json!(time(instant))),
            (shape, value) => Err(mismatch(name, shape.what(), value)),
        }
    }

    fn what(&self) -> &'static str {
        match self {
            Shape::Text { .. } => "a text",
            Shape::Name => "a person's name",
            Shape::Owner => "a user or a team",
            Shape::User => "a user",
            Shape::Industry
            | Shape::AccountType
            | Shape::ActivityType
            | Shape::Territory
            | Shape::Market
            | Shape::ProductType
            | Shape::ProductUnit => "a choice",
            Shape::Flag => "yes or no",
            Shape::LogNote => "a text",
            Shape::Value => "an amount with its currency",
            Shape::Whole(..) => "a whole number",
            Shape::Time => "an instant",
        }
    }
}

impl Custom {
    /// The value under the field's label.
    pub(super) fn json(&self, name: &str, value: &Value) -> Result<Json, FieldError> {
        match (self, value.bare()) {
            (Custom::Money, Value::Money(money)) => {
                Ok(json!({"currency": money.currency.as_str(), "amount": money.amount.to_string()}))
            }
            (Custom::Money, other) => Err(mismatch(name, "an amount with its currency", other)),
            (Custom::Date, Value::Date(date)) => {
                let midnight = Offset::UTC.to_timestamp(date.to_datetime(jiff::civil::Time::midnight()));
                let midnight = midnight.map_err(|_| error(name, format!("{date} is out of range")))?;
                Ok(json!({"timestamp": midnight.as_second()}))
            }
            (Custom::Date, other) => Err(mismatch(name, "a date", other)),
            (Custom::Choice { choices, many }, Value::List(values)) if *many => {
                let texts = values.iter().map(|value| one_of(name, value.bare(), choices.as_deref()));
                // Whether they are sent as one text is the sender's affair.
                texts.collect::<Result<Vec<_>, _>>().map(|texts| json!(texts))
            }
            (Custom::Choice { choices, .. }, value) => {
                one_of(name, value, choices.as_deref()).map(|text| json!(text))
            }
            (Custom::Text, Value::List(_) | Value::Ref(_) | Value::Stage(_)) => {
                Err(mismatch(name, "a text", value))
            }
            (Custom::Text, value) => Ok(json!(value.to_text())),
        }
    }
}

fn one_of(name: &str, value: &Value, choices: Option<&[String]>) -> Result<String, FieldError> {
    let known = |text: &str| choices.is_none_or(|choices| choices.iter().any(|choice| choice == text));
    match value {
        Value::Text(text) if known(text.as_str()) => Ok(text.to_string()),
        Value::Text(text) => Err(no_choice(name, text)),
        other => Err(mismatch(name, "a choice", other)),
    }
}

/// Who can own things (sheet §9.15).
fn owner(name: &str, id: &str, directory: &Directory) -> Result<Json, FieldError> {
    match directory.teams.iter().find(|team| team_id(&team.id) == id) {
        Some(team) => Ok(json!({"entityType": "Teams", "id": id_json(&team.id)})),
        None => user(name, id, directory),
    }
}

/// A user who can own and write things.
pub(super) fn user(name: &str, id: &str, directory: &Directory) -> Result<Json, FieldError> {
    match directory.users.iter().find(|user| user.id == id) {
        Some(user) if user.active => Ok(json!({"entityType": "Users", "id": id_json(id)})),
        Some(_) => Err(error(name, format!("user {id} is not active: name another in `owners`"))),
        None if id.ends_with("-teams") => {
            Err(error(name, "a team can own records and be nothing else: name a user in `owners`"))
        }
        None => Err(error(name, format!("there is no user {id}: name another in `owners`"))),
    }
}

pub(super) fn no_choice(name: &str, text: &str) -> FieldError {
    error(
        name,
        format!("there is no choice `{text}`: add it in the destination's settings, or map it to another"),
    )
}

pub(super) fn by_name<'d>(name: &str, text: &str, rows: &'d [Named]) -> Result<&'d str, FieldError> {
    let row = rows.iter().find(|row| row.name == text);
    row.map(|row| row.id.as_str()).ok_or_else(|| no_choice(name, text))
}

/// RFC 3339 with an explicit offset: `2024-03-30T18:00:00+00:00` (sheet §5, §7).
fn time(instant: &Instant) -> String {
    let at = Offset::UTC.to_datetime(instant.at);
    at.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

/// Where a lead goes.
pub(super) struct StageWrite {
    pub(super) stageset: Json,
    pub(super) milestone: Json,
    /// What closes it.
    pub(super) outcome: Option<Json>,
}

/// A closed lead without a stage stood in the pipeline's first one, as far as anybody knows.
pub(super) fn stage(name: &str, value: &StageValue, directory: &Directory) -> Result<StageWrite, FieldError> {
    let pipeline = directory.stagesets.iter().find(|set| set.name == value.pipeline);
    let pipeline = pipeline.ok_or_else(|| {
        error(
            name,
            format!("there is no pipeline `{}`: make it in the destination's settings", value.pipeline),
        )
    })?;
    let milestone = match &value.stage {
        Some(stage) => pipeline.stages.iter().find(|row| row.name == *stage).ok_or_else(|| {
            error(name, format!("the pipeline `{}` has no stage `{stage}`: make it there", value.pipeline))
        })?,
        None => pipeline
            .stages
            .first()
            .ok_or_else(|| error(name, format!("the pipeline `{}` has no stages", value.pipeline)))?,
    };
    let outcome = match &value.outcome {
        None => None,
        Some((kind, outcome)) => {
            let row = directory.outcomes.iter().find(|row| row.kind == *kind && row.name == *outcome);
            let row = row.ok_or_else(|| {
                error(name, format!("there is no outcome `{outcome}` of this kind: make it in the settings"))
            })?;
            Some(self::outcome(row))
        }
    };
    Ok(StageWrite { stageset: id_json(&pipeline.id), milestone: id_json(&milestone.id), outcome })
}

/// What closes a lead, as `findLead_Outcomes` gives it (sheet §5.1).
pub(in crate::run::connect::nutshell) fn outcome(row: &OutcomeRow) -> Json {
    let code = match row.kind {
        OutcomeKind::Won => 10,
        OutcomeKind::Lost => 11,
        OutcomeKind::Cancelled => 12,
    };
    let mut json = json!({"id": id_json(&row.id), "entityType": "Lead_Outcomes", "type": code});
    if let Some(rev) = &row.rev {
        json["rev"] = json!(rev);
    }
    json
}
