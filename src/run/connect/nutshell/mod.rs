//! Nutshell as a destination: JSON-RPC for records, REST for custom fields and for finding by them.
//!
//! Owns the wire types and the ids of names. Knows no plan beyond what an encoder is given, and never sends a write
//! twice: only the engine's journal knows whether it may. A record that was written is read back in the same answer.

mod ahead;
mod author;
mod capability;
mod client;
mod directory;
mod emails;
mod encode;
mod fields;
mod footer;
mod imprint;
mod known;
mod mail;
mod normal;
mod pages;
pub mod probe;
mod provision;
mod restore;
mod schema;
mod search;
mod stored;
pub(super) mod survey;
mod trace;
pub(super) mod ways;
mod wire;
mod write;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use secrecy::SecretString;
use serde_json::Value as Json;

use self::capability::Kind;
pub use self::client::Settings;
use self::client::{Client, SYSTEM, failed, id_json, malformed, named, refused};
use self::directory::Directory;
use self::known::Known;
use self::wire::Fault;
use super::outside::{Clock, Random, Transport};
use super::{
    Account, ByHand, Child, Coming, Encode, Error, FieldError, Goes, HandWork, Imprint, Local, Normalise,
    Page, Payload, Presence, Provision, Provisioned, Removal, SendError, Stored, Target, Unusable,
};
use crate::lang::plan;
use crate::lang::schema::{Probed, Schema};
use crate::lang::value::Value;

/// A Nutshell account.
pub struct Nutshell {
    client: Client,
    /// Ids of names, as the last look at the schema found them.
    directory: RefCell<Option<Rc<Directory>>>,
    /// The custom field that holds markers, as it was last named: what answers to reads is checked for it.
    marker_field: RefCell<Option<String>>,
    /// The id of the user whose login is used, once it was asked for.
    own_user: RefCell<Option<String>>,
    /// What is known of the forms in which values are taken.
    known: Rc<Known>,
    /// Leads as they were when they were made, for the edit that follows.
    fresh: RefCell<BTreeMap<String, Stored>>,
    /// Whether the key has been seen to write in another user's name.
    impersonates: Cell<Option<bool>>,
    /// What carries tags and sources, as it was last listed.
    carried: RefCell<BTreeMap<Kind, provision::Carried>>,
    /// E-mails that the listing under way has given.
    listed_emails: RefCell<BTreeSet<String>>,
}

impl Nutshell {
    /// `url` is where the API is, with neither path nor slash behind the host: `https://app.nutshell.com`. `user` is
    /// the e-mail address of the user under whose name changes are made.
    pub fn new(
        url: &str,
        user: &str,
        key: SecretString,
        transport: Rc<dyn Transport>,
        clock: Rc<dyn Clock>,
        random: Rc<dyn Random>,
        settings: Settings,
    ) -> Nutshell {
        Nutshell {
            client: Client::new(url, user, &key, transport, clock, random, settings),
            directory: RefCell::default(),
            marker_field: RefCell::default(),
            own_user: RefCell::default(),
            known: Rc::default(),
            fresh: RefCell::default(),
            impersonates: Cell::default(),
            carried: RefCell::default(),
            listed_emails: RefCell::default(),
        }
    }

    fn note_marker_field(&self, field: &str) {
        if self.marker_field.borrow().as_deref() != Some(field) {
            *self.marker_field.borrow_mut() = Some(field.to_owned());
        }
    }

    /// A record by its id; `None` when it is deleted or unknown.
    async fn get(&self, kind: Kind, id: &str) -> Result<Option<Stored>, Error> {
        let method = format!("get{}", kind.object());
        // Without `rev`: with the current one the answer is a stub (sheet §3).
        let params = named([(kind.id_param(), id_json(id))]);
        let body = match self.client.read(&method, params).await {
            Ok(Json::Null) | Err(Fault::Missing(_)) => return Ok(None),
            Err(Fault::Refused(why)) if says_not_found(&why) => return Ok(None),
            Err(fault) => return Err(failed(&method, fault)),
            Ok(body) => body,
        };
        if stored::deleted(&body) {
            return Ok(None);
        }
        let stored =
            self.stored(kind, body).ok_or_else(|| malformed(&method, "a record without id or rev"))?;
        if stored.id != id {
            return Err(malformed(&method, format!("record {} instead of {id}", stored.id)));
        }
        Ok(Some(stored))
    }

    async fn identify(&self) -> Result<Account, Error> {
        let method = "instanceData";
        let data = match self.client.read(method, named([])).await {
            Ok(data) => data,
            Err(Fault::Refused(_) | Fault::Missing(_)) => Json::Null,
            Err(fault) => return Err(failed(method, fault)),
        };
        let id = match directory::id(&data) {
            Some(id) => id,
            None => {
                let path = "/accounts";
                let query = [("page[page]", "0"), ("page[limit]", "1")];
                let body = self.client.get(path, &query).await.map_err(|fault| failed(path, fault))?;
                let id = body.get("meta").and_then(|meta| directory::text(meta, "instanceId"));
                id.ok_or_else(|| malformed(method, "neither API tells the account's id"))?
            }
        };
        let name = ["name", "companyName", "instanceName"].iter().find_map(|key| directory::text(&data, key));
        let name = name.filter(|name| !name.trim().is_empty()).unwrap_or_else(|| format!("{SYSTEM} {id}"));
        Ok(Account { id, name })
    }

    async fn look(&self, salt: &str) -> Result<Schema, Error> {
        let account = self.identify().await?;
        let directory = Rc::new(Directory::fetch(&self.client).await?);
        let now = jiff::Timestamp::from_millisecond(self.client.clock.now_ms());
        let today = now.ok().map(|now| now.to_zoned(jiff::tz::TimeZone::UTC).date());
        let schema = schema::schema(&directory, &account, today, salt);
        *self.directory.borrow_mut() = Some(directory);
        Ok(schema)
    }
}

/// How the API says that a record is missing is open (sheet §11.7): the code may be 400 as well as 404.
fn says_not_found(why: &str) -> bool {
    let why = why.to_ascii_lowercase();
    why.contains("not found") && !why.contains("method not found")
}

fn unknown_object(object: &str) -> String {
    let known = Kind::ALL.map(|kind| format!("`{}`", kind.object())).join(", ");
    format!("this version does not write `{object}`: name one of {known}")
}

fn kind(object: &str) -> Result<Kind, Error> {
    Kind::parse(object).ok_or_else(|| refused(object, unknown_object(object)))
}

fn kind_to_send(object: &str) -> Result<Kind, SendError> {
    Kind::parse(object).ok_or_else(|| SendError::Refused(unknown_object(object)))
}

impl Target for Nutshell {
    fn label(&self) -> &'static str {
        SYSTEM
    }

    fn account(&self) -> Local<'_, Result<Account, Error>> {
        Box::pin(self.identify())
    }

    fn local_port(&self) -> Option<u16> {
        self.client.local_port()
    }

    fn met(&self) -> Vec<super::Met> {
        self.client.meter.take()
    }

    fn pace(&self) -> super::Pace {
        self.client.pace_in_force()
    }

    fn schema<'a>(&'a self, salt: &'a str) -> Local<'a, Result<Schema, Error>> {
        Box::pin(self.look(salt))
    }

    fn user_emails(&self) -> Local<'_, Result<Vec<(String, String)>, Error>> {
        Box::pin(async move {
            let users = directory::user_rows(&self.client).await?;
            let teams = directory::team_rows(&self.client).await?;
            let users = users.into_iter().filter_map(|user| Some((user.id, user.email?)));
            let teams = teams
                .into_iter()
                .map(|team| (directory::team_id(&team.id), directory::team_address(&team.name)));
            Ok(users.chain(teams).collect())
        })
    }

    fn presence(&self, what: &Provision) -> Presence {
        self.directory
            .borrow()
            .as_deref()
            .map_or(Presence::Missing, |directory| ahead::presence(directory, what))
    }

    fn unusable_pipelines(&self) -> Local<'_, Result<Vec<Unusable>, Error>> {
        Box::pin(ahead::unusable_pipelines(&self.client))
    }

    fn called(&self, domain: &str) -> Option<&'static str> {
        ahead::called(domain)
    }

    fn learn(&self, probed: &Probed) {
        self.known.learn(probed);
    }

    fn obstacles(&self, objects: &BTreeSet<&str>) -> Vec<ByHand> {
        ahead::obstacles(&self.known, objects)
    }

    fn hand_work(&self, coming: &Coming) -> Vec<HandWork> {
        let directory = self.directory.borrow();
        let fields = directory.as_deref().map(|directory| directory.fields.values().map(Vec::len).sum());
        ahead::hand_work(coming, fields)
    }

    fn hand_items(&self) -> &'static [&'static str] {
        &ahead::ITEMS
    }

    fn provision<'a>(&'a self, what: &'a Provision) -> Local<'a, Result<Provisioned, Error>> {
        Box::pin(provision::provision(&self.client, what))
    }

    fn encoder(
        &self,
        live: &Schema,
        map: &plan::Map,
        marker_field: &str,
    ) -> Result<Box<dyn Encode>, FieldError> {
        self.note_marker_field(marker_field);
        let directory = self.directory.borrow().clone().ok_or_else(|| FieldError {
            field: map.target.clone(),
            why: "the destination's schema was not read yet".to_owned(),
        })?;
        Ok(Box::new(encode::Encoder::new(directory, &self.known, live, map, marker_field)?))
    }

    fn normaliser(&self, map: &plan::Map) -> Box<dyn Normalise> {
        Box::new(normal::Normaliser::new(map))
    }

    fn create<'a>(&'a self, object: &'a str, payload: &'a Payload) -> Local<'a, Result<Stored, SendError>> {
        Box::pin(async move { self.send_create(kind_to_send(object)?, payload).await })
    }

    fn edit<'a>(
        &'a self,
        object: &'a str,
        id: &'a str,
        rev: &'a str,
        payload: &'a Payload,
    ) -> Local<'a, Result<Stored, SendError>> {
        Box::pin(async move { self.send_edit(kind_to_send(object)?, id, rev, payload).await })
    }

    fn delete<'a>(&'a self, object: &'a str, id: &'a str, rev: &'a str) -> Local<'a, Result<(), SendError>> {
        Box::pin(async move { self.send_delete(kind_to_send(object)?, id, rev).await })
    }

    fn read<'a>(&'a self, object: &'a str, id: &'a str) -> Local<'a, Result<Option<Stored>, Error>> {
        Box::pin(async move { self.get(kind(object)?, id).await })
    }

    fn find_sent<'a>(
        &'a self,
        object: &'a str,
        marker_field: &'a str,
        marker: &'a str,
        payload: &'a Payload,
    ) -> Local<'a, Result<Vec<Stored>, Error>> {
        self.note_marker_field(marker_field);
        Box::pin(async move {
            match kind(object)? {
                kind if kind.is_core() => self.by_marker(kind, marker_field, marker).await,
                kind => self.by_trace(kind, marker, payload).await,
            }
        })
    }

    fn find_existing<'a>(
        &'a self,
        object: &'a str,
        field: &'a str,
        value: &'a Value,
    ) -> Local<'a, Result<Vec<Stored>, Error>> {
        Box::pin(async move { self.by_field(kind(object)?, field, value).await })
    }

    fn imprint(&self, object: &str, body: &Json) -> Imprint {
        Kind::parse(object).map(|kind| imprint::imprint(kind, body)).unwrap_or_default()
    }

    fn touches(&self, object: &str, payload: &Payload, stored: &Stored) -> Vec<String> {
        Kind::parse(object).map(|kind| imprint::touches(kind, payload, &stored.body)).unwrap_or_default()
    }

    fn may_show(&self, object: &str, payload: &Payload, stored: &Stored) -> Vec<String> {
        Kind::parse(object).map(|kind| imprint::may_show(kind, payload, &stored.body)).unwrap_or_default()
    }

    fn children<'a>(&'a self, object: &'a str, stored: &'a Stored) -> Local<'a, Result<Vec<Child>, Error>> {
        Box::pin(async move { self.hanging_on(kind(object)?, stored).await })
    }

    fn linked_from(&self, object: &str) -> &'static [&'static str] {
        match Kind::parse(object) {
            // No list tells the leads of a product (sheet §1).
            Some(Kind::Product) => &["Lead"],
            _ => &[],
        }
    }

    fn restore(
        &self,
        object: &str,
        fields: &[(String, &Json)],
        unlink: &[(String, String)],
        now: &Stored,
    ) -> Result<Payload, FieldError> {
        let kind = Kind::parse(object)
            .ok_or_else(|| FieldError { field: object.to_owned(), why: unknown_object(object) })?;
        let label = self.marker_field.borrow().clone().unwrap_or_default();
        restore::restore(kind, fields, unlink, now, footer::label(&label))
    }

    fn remove<'a>(&'a self, what: &'a Provision, ask: Option<Goes<'a>>) -> Local<'a, Result<Removal, Error>> {
        Box::pin(self.take_away(what, ask))
    }

    fn deletes_by(&self, object: &str) -> String {
        format!("RPC `delete{object}`")
    }

    fn is_final(&self, object: &str) -> Option<&'static str> {
        Kind::parse(object)?.is_final()
    }

    fn doubts_deletion(&self, object: &str, stored: &Stored) -> Option<&'static str> {
        let now = self.client.clock.now_ms();
        let own = self.own_user.borrow();
        (Kind::parse(object) == Some(Kind::Note)
            && imprint::is_hard_to_edit(&stored.body, own.as_deref(), now))
        .then_some(
            "older than a day or of another author; the API documents that such notes cannot be edited, and \
                 nothing about deleting them",
        )
    }

    fn fixed(&self, object: &str, made_ms: i64, now_ms: i64) -> Option<&'static str> {
        let old = imprint::is_of_another_day(made_ms, now_ms);
        (Kind::parse(object) == Some(Kind::Note) && old)
            .then_some("the API edits no note that is older than a day")
    }

    fn may_delete(&self) -> Local<'_, Result<Option<bool>, Error>> {
        Box::pin(self.right_to_delete())
    }

    fn list<'a>(
        &'a self,
        object: &'a str,
        marker_field: &'a str,
        cursor: Option<&'a str>,
    ) -> Local<'a, Result<Page, Error>> {
        self.note_marker_field(marker_field);
        Box::pin(async move {
            match kind(object)? {
                Kind::Note => self.notes_page(cursor).await,
                Kind::Email => self.emails_page(cursor).await,
                kind => self.page(kind, cursor).await,
            }
        })
    }
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
