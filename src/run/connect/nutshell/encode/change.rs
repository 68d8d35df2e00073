//! Fields of a record that the rules give other values now: lists are replaced but for what stood there before this
//! migration, and what has no value any more is emptied (sheet §4.1, §5, §6).

use serde_json::{Map, Value as Json, json};

use super::slot::Slot;
use super::{Draft, Encoder, Target, error, values};
use crate::lang::value::Value;
use crate::run::connect::nutshell::capability::Kind;
use crate::run::connect::nutshell::client::{AUTHOR, id_json};
use crate::run::connect::nutshell::{directory, footer, restore, stored};
use crate::run::connect::{FieldError, Payload, Stored};

impl Encoder {
    pub(super) fn changed(
        &self,
        marker: &str,
        changes: &[(usize, Value)],
        base: &Json,
        stored: &Stored,
    ) -> Result<Vec<Payload>, FieldError> {
        self.changeable()?;
        let (now, base) = (&self.unsigned(&stored.body), &self.unsigned(base));
        let mut draft = Draft::default();
        let mut written = vec![Value::Absent; self.targets.len()];
        for (at, value) in changes {
            let target = self.targets.get(*at).ok_or_else(|| error("change", "the map has no such field"))?;
            // Under whose name a record was written is no field that an edit could change.
            if matches!(target.slot, Slot::Plain(AUTHOR, _)) {
                continue;
            }
            if self.kind == Kind::Note && matches!(target.slot, Slot::AnyLink(..)) {
                return Err(error(
                    &target.name,
                    "the API cannot move a note: delete it and let it be made anew",
                ));
            }
            if value.is_absent() {
                self.empty(&mut draft, target, base, now)?;
                continue;
            }
            self.replace(&mut draft, target, value, base, now)?;
            if let Some(place) = written.get_mut(*at) {
                place.clone_from(value);
            }
        }
        self.check_currency(&written, Some(now))?;
        if let Some(key) = self.kind.marked_text()
            && draft.fields.contains_key(key)
        {
            self.sign(&mut draft, key, marker, stored::text_of(self.kind, &stored.body));
        }
        if self.kind == Kind::Note
            && let Some(author) = now.get("user").filter(|_| !draft.fields.is_empty()).and_then(directory::id)
        {
            // Its author alone edits a note (sheet §4).
            draft.fields.insert(AUTHOR.to_owned(), json!({"entityType": "Users", "id": id_json(&author)}));
        }
        self.see_to_value(&mut draft, Some(now));
        let there = now.get("customFields");
        draft.customs.retain(|name, json| {
            let held = there.and_then(|there| there.get(name)).filter(|held| !held.is_null());
            match held {
                Some(held) => !values::same_custom(held, json),
                None => !json.is_null(),
            }
        });
        self.see_to_closed(&mut draft, now)?;
        if draft.customs.is_empty() {
            return Ok(self.payloads(draft, None));
        }
        draft.customs.insert(self.marker_field.clone(), json!(marker));
        Ok(self.payloads(draft, Some(stored::customs(now))))
    }

    /// Puts a value in the place of what was written; of a list, behind what stood there before this migration.
    fn replace(
        &self,
        draft: &mut Draft,
        target: &Target,
        value: &Value,
        base: &Json,
        now: &Json,
    ) -> Result<(), FieldError> {
        let lists = matches!(
            target.slot,
            Slot::Contact(_)
                | Slot::Tags
                | Slot::Sources
                | Slot::Links(..)
                | Slot::Parties(_)
                | Slot::Lines
                | Slot::Prices
        );
        if !lists {
            return self.put(draft, target, value, Some(now));
        }
        let mut joined = Draft::default();
        self.put(&mut joined, target, value, Some(base))?;
        if joined.fields.is_empty() {
            // What stood there holds all of it.
            return self.empty(draft, target, base, now);
        }
        draft.fields.append(&mut joined.fields);
        Ok(())
    }

    /// Takes away what was written into a field; what stood there before this migration comes back.
    fn empty(&self, draft: &mut Draft, target: &Target, base: &Json, now: &Json) -> Result<(), FieldError> {
        if !target.slot.is_empty_in(base, &target.name) && base.is_object() {
            let name = match &target.slot {
                Slot::Custom(_) => format!("customFields.{}", target.name),
                _ => target.name.clone(),
            };
            let bare = Stored { id: String::new(), rev: String::new(), marker: None, body: now.clone() };
            let label = footer::label(&self.marker_field);
            let mut payload = restore::restore(self.kind, &[(name, base)], &[], &bare, label)?;
            if let Some(Json::Object(mut customs)) = payload.fields.shift_remove("customFields") {
                draft
                    .customs
                    .extend(customs.shift_remove(&target.name).map(|json| (target.name.clone(), json)));
            }
            draft.fields.append(&mut payload.fields);
            return Ok(());
        }
        if target.slot.is_empty_in(now, &target.name) {
            return Ok(());
        }
        let mut clear = |key: &str, json: Json| drop(draft.fields.insert(key.to_owned(), json));
        match &target.slot {
            Slot::Stage => {
                return Err(error(&target.name, "a lead always stands somewhere, so it stays where it is"));
            }
            Slot::Plain("name" | "title", _) if self.kind != Kind::Contact => {
                return Err(error(&target.name, "no such record is without one, so it stays as it is"));
            }
            Slot::Plain(key, _) if Some(*key) == self.kind.marked_text() => clear(key, json!("")),
            Slot::Plain(key, _) | Slot::AnyLink(key, _) => clear(key, Json::Null),
            Slot::Links("accounts", _) if self.kind == Kind::Lead => {
                clear("accounts", json!([]));
                // Leads show it apart (sheet §5); that `null` is taken is unproven.
                clear("primaryAccount", Json::Null);
            }
            Slot::Contact(key) | Slot::Links(key, _) | Slot::Texts(key) => clear(key, json!([])),
            Slot::Tags => clear("tags", json!([])),
            Slot::Sources => clear("sources", json!([])),
            Slot::Parties(_) => clear("participants", json!([])),
            Slot::Lines => clear("products", json!([])),
            Slot::Prices => clear("prices", json!([])),
            Slot::Custom(_) => drop(draft.customs.insert(target.name.clone(), Json::Null)),
        }
        Ok(())
    }
}

/// Nothing stood there before this migration.
pub(super) fn nothing() -> Json {
    Json::Object(Map::new())
}
