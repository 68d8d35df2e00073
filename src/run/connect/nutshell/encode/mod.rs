//! From a map's values to the payloads of `newX` and `editX` (sheet §5, §5.1, §6). Pure: ids come from the directory.
//!
//! What a stored record holds already is not written again, so that an adoption that is repeated writes nothing.

mod change;
mod letter;
mod lists;
mod slot;
mod values;

use std::rc::Rc;

use serde_json::{Map, Value as Json, json};

pub(super) use self::letter::{MESSAGE, TRACE};
pub(super) use self::slot::outcome;
use self::slot::{Slot, StageWrite};
pub(super) use self::values::same_custom;
use super::capability::Kind;
use super::client::{AUTHOR, MANUAL_VALUE, id_json};
use super::directory::{self, Directory};
use super::known::Known;
use super::{author, footer, stored};
use crate::lang::plan;
use crate::lang::schema::Schema;
use crate::lang::value::{StageValue, Value};
use crate::run::connect::{Encode, FieldError, Payload, Stored, Writes};

/// The encoder of one map.
pub(super) struct Encoder {
    kind: Kind,
    marker_field: String,
    directory: Rc<Directory>,
    known: Rc<Known>,
    /// One per target of the map.
    targets: Vec<Target>,
}

/// A field that the map writes.
struct Target {
    name: String,
    slot: Slot,
}

/// What one record's payload grows from.
#[derive(Default)]
struct Draft {
    fields: Map<String, Json>,
    customs: Map<String, Json>,
    /// What must follow in an edit of its own.
    then: Vec<Map<String, Json>>,
}

pub(super) fn error(field: &str, why: impl Into<String>) -> FieldError {
    FieldError { field: field.to_owned(), why: why.into() }
}

impl Encoder {
    /// # Errors
    /// A field that is not there, or that cannot be written.
    pub(super) fn new(
        directory: Rc<Directory>,
        known: &Rc<Known>,
        live: &Schema,
        map: &plan::Map,
        marker_field: &str,
    ) -> Result<Encoder, FieldError> {
        let kind = Kind::parse(&map.target)
            .ok_or_else(|| error(&map.target, "this version writes no such records"))?;
        let object = live.object(&map.target).ok_or_else(|| error(&map.target, "it is not in the schema"))?;
        if kind.is_core() && directory.field(kind, marker_field).is_none() {
            let why = "the custom field for markers is not there: it is made when a migration starts";
            return Err(error(marker_field, why));
        }
        let targets = map
            .targets
            .iter()
            .map(|target| {
                let slot = Slot::of(kind, live, object, target)?;
                Ok(Target { name: target.name.clone(), slot })
            })
            .collect::<Result<_, FieldError>>()?;
        let known = Rc::clone(known);
        Ok(Encoder { kind, marker_field: marker_field.to_owned(), directory, known, targets })
    }

    fn valued<'e>(&'e self, values: &'e [Value]) -> impl Iterator<Item = (&'e Target, &'e Value)> {
        self.targets.iter().zip(values).filter(|(_, value)| !value.is_absent())
    }

    /// One value into a payload; `before` is what the record holds.
    fn put(
        &self,
        draft: &mut Draft,
        target: &Target,
        value: &Value,
        before: Option<&Json>,
    ) -> Result<(), FieldError> {
        let (name, directory) = (target.name.as_str(), &*self.directory);
        let mut field = |key: &str, json: Option<Json>| {
            if let Some(json) =
                json.filter(|json| before.is_none_or(|before| !values::same(before, key, json)))
            {
                draft.fields.insert(key.to_owned(), json);
            }
        };
        match &target.slot {
            // A team has no login: what it is to have written is written under the key's.
            Slot::Plain(AUTHOR, _) if directory::is_team(value) => {}
            Slot::Plain("note", shape) => {
                let text = shape.json(name, value, directory)?;
                field("note", text.as_str().map(|text| json!(unmentioned(text))));
            }
            Slot::Plain(key, shape) => field(key, Some(shape.json(name, value, directory)?)),
            Slot::Contact(key) => field(key, values::contact_items(name, key, value, before)?),
            Slot::Texts(key) => field(key, Some(values::texts(name, value)?)),
            Slot::Tags => {
                let known = directory.tags.get(&self.kind).map(Vec::as_slice).unwrap_or_default();
                field("tags", values::tags(name, value, known, before)?);
            }
            Slot::Sources => field("sources", values::sources(name, value, directory, before)?),
            Slot::Links(key, entity) => {
                let Some(links) = values::links(name, value, key, entity, before)? else { return Ok(()) };
                if self.kind == Kind::Lead && *key == "accounts" {
                    // The first account of a lead that has none yet is its primary one.
                    let none = before.is_none_or(|before| stored::is_empty(before, "primaryAccount"));
                    field("primaryAccount", links.first().filter(|_| none).cloned());
                }
                field(key, Some(Json::Array(links)));
            }
            Slot::AnyLink(key, objects) => {
                field(key, Some(lists::any_link(name, value, objects, directory)?))
            }
            Slot::Parties(objects) => {
                field("participants", lists::parties(name, value, objects, directory, before)?)
            }
            Slot::Lines => field("products", lists::lines(name, value, before)?),
            Slot::Prices => field("prices", Some(lists::prices(name, value, directory)?)),
            Slot::Stage => {
                let stage = match value {
                    Value::Stage(stage) => slot::stage(name, stage, directory)?,
                    other => return Err(values::mismatch(name, "a stage", other)),
                };
                put_stage(draft, stage, before);
            }
            Slot::Custom(custom) => {
                draft.customs.insert(name.to_owned(), custom.json(name, value)?);
            }
        }
        Ok(())
    }

    /// The amount of a lead is in its market's currency, whatever is sent with it (sheet §7).
    fn check_currency(&self, values: &[Value], before: Option<&Json>) -> Result<(), FieldError> {
        let valued = |wanted: &str| {
            let mut valued = self.valued(values);
            valued.find(|(target, _)| target.name == wanted && !matches!(target.slot, Slot::Custom(_)))
        };
        let markets = &self.directory.markets;
        let stored = || directory::id(before?.get("market")?);
        let lines = self.valued(values).filter(|(target, _)| matches!(target.slot, Slot::Lines));
        let lines = lines.flat_map(|(target, value)| {
            lists::line_prices(value).map(move |money| (target.name.as_str(), money))
        });
        let value = match valued("value").map(|(_, value)| value.bare()) {
            Some(Value::Money(money)) => Some(("value", money)),
            _ => None,
        };
        let market = match (valued("market"), stored()) {
            (Some((_, name)), _) => markets.iter().find(|market| market.name == name.bare().to_text()),
            (None, Some(id)) => markets.iter().find(|market| market.id == id),
            (None, None) => markets.iter().find(|market| market.default),
        };
        let Some((market, currency)) = market.and_then(|market| Some((market, market.currency.as_deref()?)))
        else {
            return Ok(());
        };
        let foreign = value.into_iter().chain(lines).find(|(_, money)| money.currency.as_str() != currency);
        foreign.map_or(Ok(()), |(field, money)| {
            let why = format!(
                "{} {} in the market `{}`, whose currency is {currency}: give `market` one of that currency",
                money.amount,
                money.currency.as_str(),
                market.name
            );
            Err(error(field, why))
        })
    }

    /// Whether `newLead` honours `value` is open (sheet §11.5): until it was seen, an edit follows that sees to it, and
    /// costs nothing where the amount is there. It comes before the closing, since edits of closed leads may be
    /// restricted (sheet §5.1). With products, theirs counts.
    fn see_to_value(&self, draft: &mut Draft, now: Option<&Json>) {
        let lines = draft.fields.get("products").or_else(|| now?.get("products"));
        let has_lines = lines.is_some_and(|lines| !directory::elements(lines).is_empty());
        if self.kind != Kind::Lead || has_lines || (now.is_none() && self.known.seen_value() == Some(true)) {
            return;
        }
        if let Some(value) = draft.fields.get("value").filter(|value| now.is_some() || !value.is_null()) {
            draft.then.insert(0, Map::from_iter([(MANUAL_VALUE.to_owned(), value.clone())]));
        }
    }

    /// A closed lead that cannot be edited is reopened first and closed again, with the outcome that it has.
    fn see_to_closed(&self, draft: &mut Draft, now: &Json) -> Result<(), FieldError> {
        let nothing = draft.fields.is_empty() && draft.customs.is_empty() && draft.then.is_empty();
        if self.kind != Kind::Lead
            || nothing
            || !is_closed(now)
            || self.known.closed_edits() != Some(false)
            || draft.fields.contains_key("status")
        {
            return Ok(());
        }
        draft.fields.insert("status".to_owned(), json!(0));
        if draft.then.iter().any(|fields| fields.contains_key("outcome")) {
            return Ok(());
        }
        let outcome = now.get("outcome").filter(|outcome| outcome.is_object());
        let Some((outcome, id)) = outcome.and_then(|outcome| Some((outcome, directory::id(outcome)?))) else {
            return Err(error(
                "stage",
                "the lead is closed, closed leads are not edited here, and the API does not tell what closed it: reopen \
                 it by hand",
            ));
        };
        let mut again = json!({"id": id_json(&id), "entityType": "Lead_Outcomes"});
        for key in ["type", "rev"] {
            if let Some(value) = outcome.get(key).filter(|value| !value.is_null()) {
                again[key] = value.clone();
            }
        }
        draft.then.push(Map::from_iter([("outcome".to_owned(), again)]));
        Ok(())
    }

    /// What a create always carries: a missing end is the start, and nothing else that is demanded may be missing
    /// (sheet §5).
    fn complete(&self, draft: &mut Draft) -> Result<(), FieldError> {
        let demanded: &[(&str, &str)] = match self.kind {
            Kind::Account | Kind::Contact | Kind::Lead => &[],
            Kind::Product => &[("name", "name")],
            Kind::Activity => &[("name", "name"), ("activityTypeId", "type"), ("startTime", "startTime")],
            Kind::Note => &[("entity", "parent"), ("note", "body")],
            Kind::Task => &[("title", "title")],
            Kind::Email => &[("date", "date")],
        };
        let blank = |json: Option<&Json>| {
            json.is_none_or(|json| json.is_null() || json.as_str().is_some_and(|text| text.trim().is_empty()))
        };
        if let Some((_, field)) = demanded.iter().find(|(key, _)| blank(draft.fields.get(*key))) {
            return Err(error(field, "has no value, and no such record is taken without one"));
        }
        if self.kind == Kind::Activity
            && let (None, Some(start)) = (draft.fields.get("endTime"), draft.fields.get("startTime").cloned())
        {
            draft.fields.insert("endTime".to_owned(), start);
        }
        Ok(())
    }

    /// Puts the marker at the end of the text that carries it; `before` is the text that is there.
    fn sign(&self, draft: &mut Draft, key: &str, marker: &str, before: &str) {
        let label = footer::label(&self.marker_field);
        let mut text = draft.fields.get(key).and_then(Json::as_str).unwrap_or(before).to_owned();
        // Whoever wrote it stands in a line of its own where the key may not write in that name.
        if let Some(author) = author::line_of(&footer::strip(before, label))
            && author::line_of(&footer::strip(&text, label)).is_none()
        {
            text = if text.is_empty() { author.to_owned() } else { format!("{text}\n\n{author}") };
        }
        let signed = footer::sign(&text, label, marker);
        if signed == before {
            draft.fields.shift_remove(key);
        } else {
            draft.fields.insert(key.to_owned(), json!(signed));
        }
    }

    /// Whether a record that is there can be written again.
    fn changeable(&self) -> Result<(), FieldError> {
        self.kind.is_final().map_or(Ok(()), |why| Err(error(self.kind.object(), why)))
    }

    /// A record as it was before the marker was put into its text.
    fn unsigned(&self, body: &Json) -> Json {
        let mut body = body.clone();
        if let Some(key) = self.kind.marked_text()
            && let Some(text) = body.get(key).and_then(Json::as_str)
        {
            body[key] = json!(footer::strip(text, footer::label(&self.marker_field)));
        }
        body
    }

    fn payloads(&self, mut draft: Draft, customs: Option<Map<String, Json>>) -> Vec<Payload> {
        if let Some(mut whole) = customs {
            whole.append(&mut draft.customs);
            draft.fields.insert("customFields".to_owned(), Json::Object(whole));
        }
        let first = Some(draft.fields).filter(|fields| !fields.is_empty());
        first.into_iter().chain(draft.then).map(|fields| Payload { fields }).collect()
    }
}

/// Text that is no mention and notifies nobody (sheet §9.13).
fn unmentioned(text: &str) -> String {
    text.replace("@[", "\\@[")
}

fn is_closed(body: &Json) -> bool {
    directory::number(body, "status").is_some_and(|status| status >= 10)
}

/// A lead is created open and closed by an edit; one that was closed is reopened first where it goes elsewhere
/// (sheet §5.1).
fn put_stage(draft: &mut Draft, stage: StageWrite, before: Option<&Json>) {
    let closed = before.is_some_and(is_closed);
    let stands = |key: &str, id: &Json| {
        before.and_then(|before| directory::id(before.get(key)?)).is_some_and(|there| id_json(&there) == *id)
    };
    let elsewhere = closed && !stands("stageset", &stage.stageset);
    if closed && (stage.outcome.is_none() || elsewhere) {
        draft.fields.insert("status".to_owned(), json!(0));
    }
    let there = stands("stageset", &stage.stageset) && stands("milestone", &stage.milestone);
    let closes_again = closed && stage.outcome.is_some() && !elsewhere;
    if !there && !closes_again {
        draft.fields.insert("stagesetId".to_owned(), stage.stageset);
        draft.fields.insert("milestoneId".to_owned(), stage.milestone);
    }
    draft.then.extend(stage.outcome.map(|outcome| Map::from_iter([("outcome".to_owned(), outcome)])));
}

impl Encode for Encoder {
    fn encode(&self, marker: &str, values: &[Value]) -> Result<Writes, FieldError> {
        let mut draft = Draft::default();
        self.check_currency(values, None)?;
        for (target, value) in self.valued(values) {
            self.put(&mut draft, target, value, None)?;
        }
        if self.kind == Kind::Email {
            self.complete(&mut draft)?;
            let label = footer::label(&self.marker_field);
            let fields = letter::payload(draft.fields, &self.directory, label, marker)?;
            return Ok(Writes { create: Payload { fields }, then: Vec::new() });
        }
        if let Some(key) = self.kind.marked_text() {
            self.complete(&mut draft)?;
            self.sign(&mut draft, key, marker, "");
            let mut payloads = self.payloads(draft, None).into_iter();
            return Ok(Writes { create: payloads.next().unwrap_or_default(), then: payloads.collect() });
        }
        self.see_to_value(&mut draft, None);
        draft.customs.insert(self.marker_field.clone(), json!(marker));
        let mut payloads = self.payloads(draft, Some(Map::new())).into_iter();
        // The marker is always in the first.
        Ok(Writes { create: payloads.next().unwrap_or_default(), then: payloads.collect() })
    }

    fn adopt(
        &self,
        marker: &str,
        values: &[Value],
        stored: &Stored,
        overwrite: bool,
    ) -> Result<Vec<Payload>, FieldError> {
        self.changeable()?;
        let before = &self.unsigned(&stored.body);
        let mut draft = Draft::default();
        let mut written = values.to_vec();
        for ((target, value), written) in self.targets.iter().zip(values).zip(&mut written) {
            if value.is_absent() {
                continue;
            }
            if !overwrite && !target.slot.is_empty_in(before, &target.name) {
                *written = Value::Absent;
                continue;
            }
            self.put(&mut draft, target, value, Some(before))?;
        }
        self.check_currency(&written, Some(before))?;
        if let Some(key) = self.kind.marked_text() {
            self.sign(&mut draft, key, marker, stored::text_of(self.kind, &stored.body));
            return Ok(self.payloads(draft, None));
        }
        let customs = stored::customs(before);
        let marked = customs.get(&self.marker_field).and_then(Json::as_str) == Some(marker);
        draft
            .customs
            .retain(|name, json| !customs.get(name).is_some_and(|there| values::same_custom(there, json)));
        if marked && draft.customs.is_empty() {
            return Ok(self.payloads(draft, None));
        }
        draft.customs.insert(self.marker_field.clone(), json!(marker));
        Ok(self.payloads(draft, Some(customs)))
    }

    fn change(
        &self,
        marker: &str,
        changes: &[(usize, Value)],
        base: Option<&Json>,
        stored: &Stored,
    ) -> Result<Vec<Payload>, FieldError> {
        self.changed(marker, changes, base.unwrap_or(&change::nothing()), stored)
    }

    fn patch(&self, target: usize, value: &Value, stored: &Stored) -> Result<Payload, FieldError> {
        let target = self.targets.get(target).ok_or_else(|| error("patch", "the map has no such field"))?;
        self.changeable()?;
        let before = &self.unsigned(&stored.body);
        if self.kind == Kind::Note && matches!(target.slot, Slot::AnyLink(..)) {
            return Err(error(&target.name, "the API cannot move a note: delete it and let it be made anew"));
        }
        let mut draft = Draft::default();
        if !value.is_absent() {
            self.put(&mut draft, target, value, Some(before))?;
        }
        self.see_to_closed(&mut draft, before)?;
        if let (Some(key), Some(marker)) = (self.kind.marked_text(), &stored.marker)
            && draft.fields.contains_key(key)
        {
            self.sign(&mut draft, key, marker, stored::text_of(self.kind, &stored.body));
        }
        if self.kind == Kind::Note
            && let Some(author) =
                before.get("user").filter(|_| !draft.fields.is_empty()).and_then(directory::id)
        {
            // Its author alone edits a note (sheet §4).
            draft.fields.insert(AUTHOR.to_owned(), json!({"entityType": "Users", "id": id_json(&author)}));
        }
        let customs = Some(stored::customs(before)).filter(|_| !draft.customs.is_empty());
        let mut merged = Payload::default();
        for payload in self.payloads(draft, customs) {
            merged.fields.extend(payload.fields);
        }
        Ok(merged)
    }
}

#[cfg(test)]
mod tests;
