//! Creates, edits, deletes: one request each, under the name of a record's author where it has one.
//!
//! An author is no field of the API: a change is logged under the user whose address stands in the login, given a key
//! that may impersonate (sheet §3). Without such a key it is logged under the key, and nothing says so beforehand.

use serde_json::{Map, Value as Json};

use super::capability::Kind;
use super::client::{AUTHOR, failed, id_json, named};
use super::encode::MESSAGE;
use super::wire::Fault;
use super::{Nutshell, directory, says_not_found, stored};
use crate::run::connect::{Error, Payload, SendError, Stored};

impl Nutshell {
    pub(super) async fn send_create(&self, kind: Kind, payload: &Payload) -> Result<Stored, SendError> {
        let (author, mut fields) = self.author(payload)?;
        let writer = payload.fields.get(AUTHOR).and_then(directory::id);
        let named_already = self.impersonates.get() == Some(false);
        if let Some(writer) = &writer {
            self.name_author(kind, writer, &mut fields);
        }
        let params = match kind {
            // What it is about stands beside the text (sheet §4).
            Kind::Note => named([
                ("entity", fields.shift_remove("entity").unwrap_or_default()),
                ("note", fields.shift_remove("note").unwrap_or_default()),
            ]),
            Kind::Email => named([(MESSAGE, fields.shift_remove(MESSAGE).unwrap_or_default())]),
            _ => named([(kind.singular(), Json::Object(fields))]),
        };
        let method = format!("new{}", kind.object());
        match self.send_as(&method, params, author).await? {
            Ok(body) => {
                let stored = self.stored(kind, body);
                let stored =
                    stored.ok_or_else(|| SendError::Unknown("an answer without a record".to_owned()))?;
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
        if let Some(why) = kind.is_final() {
            return Err(SendError::Refused(why.to_owned()));
        }
        let rev = self.revision(kind, id, rev).await?;
        let (author, mut fields) = self.author(payload)?;
        let fields = match kind {
            Kind::Note => fields.shift_remove("note").unwrap_or_default(),
            _ => Json::Object(fields),
        };
        let params = named([(kind.id_param(), id_json(id)), ("rev", rev.into()), (kind.singular(), fields)]);
        match self.send_as(&format!("edit{}", kind.object()), params, author).await? {
            Ok(body) => match self.stored(kind, body) {
                Some(stored) if stored.id == id => Ok(stored),
                _ => Err(SendError::Unknown("an answer without the record".to_owned())),
            },
            Err(fault) => Err(self.refusal(kind, id, fault).await),
        }
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

    /// Whether the user of the key may delete records, which REST alone tells (sheet §5, §8).
    pub(super) async fn right_to_delete(&self) -> Result<Option<bool>, Error> {
        let user = match self.client.read("getUser", named([])).await {
            Ok(user) => directory::id(&user),
            Err(Fault::Refused(_) | Fault::Missing(_)) => None,
            Err(fault) => return Err(failed("getUser", fault)),
        };
        let Some(user) = user else { return Ok(None) };
        *self.own_user.borrow_mut() = Some(user.clone());
        let rows = match self.client.get("/users", &[]).await {
            Ok(body) => directory::elements(body.get("users").unwrap_or(&Json::Null)),
            Err(Fault::Refused(_) | Fault::Missing(_)) => return Ok(None),
            Err(fault) => return Err(failed("/users", fault)),
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
