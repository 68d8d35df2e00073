//! Creates, edits, deletes: one request each, under the name of a record's author where it has one.
//!
//! An author is no field of the API: a change is logged under the user whose address stands in the login, given a key
//! that may impersonate (sheet §3). Without such a key it is logged under the key, and nothing says so beforehand.

use serde_json::{Map, Value as Json, json};

use super::capability::Kind;
use super::client::{AUTHOR, MANUAL_VALUE, failed, id_json, named};
use super::directory::amount;
use super::encode::MESSAGE;
use super::wire::Fault;
use super::{Nutshell, directory, known, says_not_found, stored};
use crate::run::connect::{Error, Payload, SendError, Stored};

impl Nutshell {
    pub(super) async fn send_create(&self, kind: Kind, payload: &Payload) -> Result<Stored, SendError> {
        let (author, mut fields) = self.author(payload)?;
        let writer = payload.fields.get(AUTHOR).and_then(directory::id);
        let named_already = self.impersonates.get() == Some(false);
        if let Some(writer) = &writer {
            self.name_author(kind, writer, &mut fields);
        }
        let params = |mut fields: Map<String, Json>| match kind {
            // What it is about stands beside the text (sheet §4).
            Kind::Note => named([
                ("entity", fields.shift_remove("entity").unwrap_or_default()),
                ("note", fields.shift_remove("note").unwrap_or_default()),
            ]),
            Kind::Email => named([(MESSAGE, fields.shift_remove(MESSAGE).unwrap_or_default())]),
            _ => named([(kind.singular(), Json::Object(fields))]),
        };
        let method = format!("new{}", kind.object());
        match self.send_in_some_form(kind, &method, &fields, params, author).await? {
            Ok(body) => {
                let stored = self
                    .stored(kind, body)
                    .ok_or_else(|| SendError::Unknown("an answer without a record".to_owned()))?;
                if kind == Kind::Lead {
                    self.look_at_value(payload, &stored);
                }
                if kind == Kind::Product && stored::text_of(kind, &stored.body).is_empty() {
                    return self.take_back(&stored).await;
                }
                // What the answer to an e-mail shows is not documented: the e-mail itself may show its marker.
                if kind == Kind::Email
                    && stored.marker.is_none()
                    && let Ok(Some(read)) = self.get(kind, &stored.id).await
                {
                    return Ok(read);
                }
                let Some(writer) = writer else { return Ok(stored) };
                Ok(self.see_author(kind, &writer, named_already, stored).await)
            }
            // There is no revision to be out of date: something else is in conflict.
            Err(Fault::Stale(why)) => Err(SendError::Refused(why)),
            Err(fault) => Err(fault.of_write()),
        }
    }

    pub(super) async fn send_edit(
        &self,
        kind: Kind,
        id: &str,
        rev: &str,
        payload: &Payload,
    ) -> Result<Stored, SendError> {
        if let (Kind::Lead, Some(value), 1) = (kind, payload.fields.get(MANUAL_VALUE), payload.fields.len()) {
            return self.send_value(id, rev, value).await;
        }
        if let Some(why) = kind.is_final() {
            return Err(SendError::Refused(why.to_owned()));
        }
        let rev = self.revision(kind, id, rev).await?;
        let (author, fields) = self.author(payload)?;
        let params = |mut fields: Map<String, Json>| {
            let fields = match kind {
                Kind::Note => fields.shift_remove("note").unwrap_or_default(),
                _ => Json::Object(fields),
            };
            named([(kind.id_param(), id_json(id)), ("rev", rev.clone().into()), (kind.singular(), fields)])
        };
        let method = format!("edit{}", kind.object());
        match self.send_in_some_form(kind, &method, &fields, params, author).await? {
            Ok(body) => match self.stored(kind, body) {
                Some(stored) if stored.id == id => {
                    if kind == Kind::Lead && payload.fields.contains_key("value") {
                        self.keep_fresh(&stored);
                    }
                    Ok(stored)
                }
                _ => Err(SendError::Unknown("an answer without the record".to_owned())),
            },
            Err(Fault::Refused(why)) if kind == Kind::Lead => self.perhaps_closed(id, payload, why).await,
            Err(fault) => Err(self.refusal(kind, id, fault).await),
        }
    }

    /// Whether a closed lead can be edited is open (sheet §5.1): where one was refused it is worked out anew, reopened
    /// and closed again. What is refused then is refused for another reason.
    async fn perhaps_closed(&self, id: &str, payload: &Payload, why: String) -> Result<Stored, SendError> {
        if payload.fields.contains_key("status") {
            self.known.see_closed_edits(None);
        } else if let Ok(Some(now)) = self.get(Kind::Lead, id).await
            && directory::number(&now.body, "status").is_some_and(|status| status >= 10)
        {
            self.known.see_closed_edits(Some(false));
            return Err(SendError::Stale);
        }
        Err(self.refusal(Kind::Lead, id, Fault::Refused(why)).await)
    }

    /// Keeps an answer for the edit that sees to the amount.
    fn keep_fresh(&self, stored: &Stored) {
        /// More writes than this are never in flight.
        const KEPT: usize = 256;
        let mut fresh = self.fresh.borrow_mut();
        if fresh.len() >= KEPT {
            fresh.clear();
        }
        fresh.insert(stored.id.clone(), stored.clone());
    }

    pub(super) async fn send_delete(&self, kind: Kind, id: &str, rev: &str) -> Result<(), SendError> {
        if let Some(why) = kind.is_final() {
            return Err(SendError::Refused(why.to_owned()));
        }
        let rev = self.revision(kind, id, rev).await?;
        let params = named([(kind.id_param(), id_json(id)), ("rev", rev.into())]);
        match self.client.write(&format!("delete{}", kind.object()), params).await {
            Ok(Json::Bool(false) | Json::Null) => {
                Err(SendError::Unknown("an answer that does not say whether it was deleted".to_owned()))
            }
            Ok(_) => Ok(()),
            // Whether notes of others and old ones can be deleted is not documented (sheet §4): one that cannot is
            // no reason to end a run, unless the login itself is not accepted any more.
            Err(Fault::Denied(why)) if kind == Kind::Note => {
                match self.client.read("instanceData", named([])).await {
                    Err(Fault::Denied(_)) => Err(SendError::Denied(why)),
                    _ => Err(SendError::Refused(why)),
                }
            }
            Err(fault) => Err(self.refusal(kind, id, fault).await),
        }
    }

    /// Sends a record in the form that is known or likely, and when it is refused in the others: a refusal is definite,
    /// so nothing was written.
    async fn send_in_some_form(
        &self,
        kind: Kind,
        method: &str,
        fields: &Map<String, Json>,
        params: impl Fn(Map<String, Json>) -> Json,
        author: Option<String>,
    ) -> Result<Result<Json, Fault>, SendError> {
        let directory = self.directory.borrow().clone();
        let directory = directory.as_deref();
        let held = known::held(kind, fields, directory);
        let first = self.known.forms(kind);
        let shaped = |forms| known::shaped(kind, fields.clone(), forms, directory);
        let refusal = match shaped(first) {
            Ok(fields) => match self.send_as(method, params(fields), author.clone()).await? {
                Err(Fault::Refused(why)) => why,
                Ok(body) => {
                    self.known.taken(kind, first, held);
                    return Ok(Ok(body));
                }
                fault => return Ok(fault),
            },
            Err(why) => why,
        };
        let others = self.known.others(kind, first, held, &refusal, known::names(fields));
        let mut unsaid = None;
        for forms in &others {
            // A form in which a value cannot be said is none for it.
            let fields = match shaped(*forms) {
                Ok(fields) => fields,
                Err(why) => {
                    unsaid.get_or_insert(why);
                    continue;
                }
            };
            match self.send_as(method, params(fields), author.clone()).await? {
                Err(Fault::Refused(_)) => {}
                Ok(body) => {
                    self.known.taken(kind, *forms, held);
                    return Ok(Ok(body));
                }
                fault => return Ok(fault),
            }
        }
        if !others.is_empty() {
            self.known.futile(kind);
        }
        let also = unsaid.map_or_else(String::new, |why| format!("; {why}"));
        Ok(Err(Fault::Refused(refusal + &also)))
    }

    /// A product that came back without its description bears no marker: it is deleted at once, and the run ends
    /// (whether RPC keeps a product's description is open, sheet §1).
    async fn take_back(&self, made: &Stored) -> Result<Stored, SendError> {
        match self.send_delete(Kind::Product, &made.id, &made.rev).await {
            Ok(()) | Err(SendError::Gone) => Err(SendError::Denied(
                "products keep no description here, so no marker can stand in them, and one whose answer is lost could \
                 be doubled; the first was deleted again: leave the map to `Product` out and make the catalogue by hand"
                    .to_owned(),
            )),
            // Whoever wrote it sees that it has no marker.
            Err(_) => Ok(made.clone()),
        }
    }

    /// Sees from the answer of a create whether the amount was honoured, and keeps the answer for the edit that sees
    /// to it.
    fn look_at_value(&self, payload: &Payload, made: &Stored) {
        let lines = payload.fields.get("products").and_then(Json::as_array);
        let Some(value) = payload.fields.get("value").filter(|_| lines.is_none_or(Vec::is_empty)) else {
            return;
        };
        // No amount tells nothing: every lead has that one.
        if amount(value).is_some_and(|amount| !amount.is_zero()) {
            self.known.see_value(has_amount(made, value));
        }
        self.keep_fresh(made);
    }

    /// Writes the amount of a lead through REST, unless it is there: an absolute value, so that sending it twice is
    /// the same as once.
    async fn send_value(&self, id: &str, rev: &str, value: &Json) -> Result<Stored, SendError> {
        let made = self.fresh.borrow_mut().remove(id).filter(|made| made.rev == rev);
        let now = match made {
            Some(made) => made,
            None => self.value_read(id).await?,
        };
        if has_amount(&now, value) {
            return Ok(now);
        }
        let patch = match (value.is_null(), amount(value)) {
            // Back to the sum of its products (sheet §3.2).
            (true, _) => json!([{"op": "replace", "path": "/leads/0/valueToProductMode"}]),
            (false, Some(amount)) => {
                json!([{"op": "replace", "path": "/leads/0/manualValue", "value": amount.to_string()}])
            }
            (false, None) => return Err(SendError::Refused("the amount is no number".to_owned())),
        };
        match self.client.patch(&format!("/leads/{id}"), &patch).await {
            Ok(_) => {}
            Err(fault) => return Err(self.refusal(Kind::Lead, id, fault).await),
        }
        let after = match self.get(Kind::Lead, id).await {
            Ok(Some(after)) => after,
            Ok(None) => return Err(SendError::Gone),
            // It was written; nobody saw it.
            Err(error) => return Err(SendError::Unknown(error.to_string())),
        };
        if has_amount(&after, value) {
            return Ok(after);
        }
        Err(SendError::Denied(
            "neither `newLead` nor REST `manualValue` keeps the amount of a lead: keep it in a custom field, or write \
             product lines"
                .to_owned(),
        ))
    }

    async fn value_read(&self, id: &str) -> Result<Stored, SendError> {
        match self.get(Kind::Lead, id).await {
            Ok(Some(now)) => Ok(now),
            Ok(None) => Err(SendError::Gone),
            // Nothing was written yet.
            Err(error) => Err(SendError::NotSent(error.to_string())),
        }
    }

    /// Whether the user of the key may delete records, which REST alone tells (sheet §5, §8).
    pub(super) async fn right_to_delete(&self) -> Result<Option<bool>, Error> {
        let user = match self.client.read("getUser", named([])).await {
            Ok(user) => directory::id(&user),
            Err(Fault::Refused(_) | Fault::Missing(_)) => None,
            Err(fault) => return Err(failed("getUser", fault)),
        };
        let Some(user) = user else { return Ok(None) };
        *self.own_user.borrow_mut() = Some(user.clone());
        // The list of users comes in pages of a length that nobody documents (sheet §3.2); one of them is one row.
        let path = format!("/users/{user}");
        let rows = match self.client.get(&path, &[]).await {
            Ok(body) => directory::elements(body.get("users").unwrap_or(&Json::Null)),
            Err(Fault::Refused(_) | Fault::Missing(_)) => return Ok(None),
            Err(fault) => return Err(failed(&path, fault)),
        };
        let row = rows.iter().find(|row| directory::id(row).as_ref() == Some(&user));
        Ok(row.and_then(|row| row.get("permissions")?.get("canDeleteEntities")?.as_bool()))
    }

    /// The revision to send: where a list told none, the one that the record has now.
    async fn revision(&self, kind: Kind, id: &str, rev: &str) -> Result<String, SendError> {
        if !rev.is_empty() {
            return Ok(rev.to_owned());
        }
        match self.get(kind, id).await {
            Ok(Some(stored)) => Ok(stored.rev),
            Ok(None) => Err(SendError::Gone),
            // Nothing was written yet.
            Err(error) => Err(SendError::NotSent(error.to_string())),
        }
    }

    /// The fields without the author, and the author's address.
    fn author(&self, payload: &Payload) -> Result<(Option<String>, Map<String, Json>), SendError> {
        let mut fields = payload.fields.clone();
        let Some(author) = fields.shift_remove(AUTHOR) else { return Ok((None, fields)) };
        let id = directory::id(&author).unwrap_or_default();
        let directory = self.directory.borrow();
        let user = directory.as_ref().and_then(|all| all.users.iter().find(|user| user.id == id));
        match user.and_then(|user| user.email.clone()) {
            Some(email) => Ok((Some(email), fields)),
            None => Err(SendError::Refused(format!(
                "user {id} has no e-mail address to write under: name another in `owners`"
            ))),
        }
    }

    /// Sends a write. When an author's login is refused and one's own is not, only this record fails.
    async fn send_as(
        &self,
        method: &str,
        params: Json,
        author: Option<String>,
    ) -> Result<Result<Json, Fault>, SendError> {
        let Some(author) = author else { return Ok(self.client.write(method, params).await) };
        match self.client.write_as(method, params, &author).await {
            Err(Fault::Denied(why)) => match self.client.read("instanceData", named([])).await {
                Err(Fault::Denied(_)) => Ok(Err(Fault::Denied(why))),
                _ => Err(SendError::Refused(format!(
                    "the key may not write in the author's name ({why}): give it the right to impersonate, or leave \
                     `author` out"
                ))),
            },
            answer => Ok(answer),
        }
    }

    /// What became of a record whose edit or deletion found something missing: perhaps only a record it names.
    async fn missing(&self, kind: Kind, id: &str, why: String) -> SendError {
        match self.get(kind, id).await {
            Ok(None) => SendError::Gone,
            _ => SendError::Refused(why),
        }
    }

    async fn refusal(&self, kind: Kind, id: &str, fault: Fault) -> SendError {
        match fault {
            Fault::Missing(why) => self.missing(kind, id, why).await,
            Fault::Refused(why) if says_not_found(&why) => self.missing(kind, id, why).await,
            fault => fault.of_write(),
        }
    }

    pub(super) fn stored(&self, kind: Kind, body: Json) -> Option<Stored> {
        stored::stored(kind, body, self.marker_field.borrow().as_deref())
    }
}

/// Whether a lead has this amount, whose currency is its market's; to the hundredth, since what else a server rounds is
/// a reconciliation's affair.
fn has_amount(stored: &Stored, value: &Json) -> bool {
    let cents = |amount: rust_decimal::Decimal| amount.round_dp(2).normalize();
    if value.is_null() {
        return stored.body.get("value").and_then(amount).is_none_or(|amount| amount.is_zero());
    }
    amount(value)
        .is_some_and(|wanted| stored.body.get("value").and_then(amount).map(cents) == Some(cents(wanted)))
}
