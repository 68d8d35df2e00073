//! What probes have made, found again by its names, and taken away.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::super::capability::Kind;
use super::super::client::{failed, id_json, named};
use super::super::directory::{elements, id, text};
use super::super::stored;
use super::super::wire::Fault;
use super::{NutshellProber, PREFIX, is_ours};
use crate::run::connect::probe::{Cleaned, Leftover};
use crate::run::connect::{Error, SendError};

/// Something that a probe made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) what: What,
    pub(super) id: String,
    pub(super) name: String,
    /// The address of the user who alone may be able to delete it.
    pub(super) author: Option<String>,
}

/// What can be made and deleted again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    Record(Kind),
    Tag(Kind),
}

impl What {
    /// What hangs on others goes first.
    fn order(self) -> u8 {
        match self {
            What::Record(Kind::Activity | Kind::Note | Kind::Task | Kind::Email) => 0,
            What::Record(Kind::Lead) => 1,
            What::Record(Kind::Contact) => 2,
            What::Record(Kind::Account | Kind::Product) => 3,
            What::Tag(_) => 4,
        }
    }
}

impl Made {
    pub(super) fn shown(&self) -> Leftover {
        let object = match self.what {
            What::Record(kind) => kind.object(),
            What::Tag(_) => "tag",
        };
        Leftover { object: object.to_owned(), id: self.id.clone(), name: self.name.clone() }
    }
}

/// Hits of one search; there is another round when there may be more.
const HITS: u64 = 100;
/// A search that always finds something new is a fault.
const ROUNDS: usize = 50;
/// After how long a record whose create was not answered is surely found by a search, in milliseconds.
const SETTLED_MS: u64 = 20_000;

impl NutshellProber {
    /// What of probes is in the account, by name, and the probes' records that something foreign hangs on.
    pub(super) async fn sweep(&self, foreign: &mut BTreeSet<(Kind, String)>) -> Result<Vec<Made>, Error> {
        let mut found: Vec<Made> = Vec::new();
        for kind in [Kind::Lead, Kind::Contact, Kind::Account, Kind::Product] {
            for record in self.named_ours(kind).await? {
                if kind.is_core() {
                    for child in self.children_of(kind, &record.id).await? {
                        match child {
                            Some(child)
                                if !found.iter().any(|m| (m.what, &m.id) == (child.what, &child.id)) =>
                            {
                                found.push(child);
                            }
                            Some(_) => {}
                            None => drop(foreign.insert((kind, record.id.clone()))),
                        }
                    }
                }
                found.push(record);
            }
        }
        let tags = self.target.client.read("findTags", named([])).await.map_err(|f| failed("findTags", f))?;
        for kind in Kind::CORE {
            let names = elements(tags.get(kind.entity()).unwrap_or(&Json::Null));
            let names =
                names.iter().filter_map(|tag| tag.as_str().map(str::to_owned).or_else(|| text(tag, "name")));
            for name in names.filter(|name| is_ours(name)) {
                found.push(Made { what: What::Tag(kind), id: String::new(), name, author: None });
            }
        }
        Ok(found)
    }

    /// The records of a type whose names are a probe's.
    async fn named_ours(&self, kind: Kind) -> Result<Vec<Made>, Error> {
        let method = format!("search{}", kind.entity());
        let params = named([("string", PREFIX.trim().into()), ("limit", HITS.into())]);
        let hits = self.target.client.read(&method, params).await.map_err(|fault| failed(&method, fault))?;
        let mut found = Vec::new();
        for hit in elements(&hits) {
            let Some(id) = id(&hit) else { continue };
            // What a search shows is shortened, and its index may lag behind.
            let Some(record) = self.target.get(kind, &id).await? else { continue };
            let name = name_of(kind, &record.body);
            if is_ours(&name) {
                found.push(Made { what: What::Record(kind), id, name, author: None });
            }
        }
        Ok(found)
    }

    /// What hangs on a record of a probe: `None` stands for something that is not a probe's.
    async fn children_of(&self, kind: Kind, of: &str) -> Result<Vec<Option<Made>>, Error> {
        let mut ids: Vec<(Kind, String)> = Vec::new();
        for child in self.target.timeline(kind, of).await? {
            if let Some(kind) = Kind::parse(&child.object) {
                ids.push((kind, child.id));
            }
        }
        let related = format!("{of}-{}", kind.rest());
        match self.target.every_rest_id(Kind::Task, &[("filter[relatedEntity]", related.as_str())]).await {
            Ok(tasks) => ids.extend(tasks.into_iter().map(|id| (Kind::Task, id))),
            // An account without REST: every task is looked at.
            Err(Error::Denied { .. } | Error::Refused { .. }) => {
                let mut cursor = None;
                loop {
                    let page = self.target.page(Kind::Task, cursor.as_deref()).await?;
                    let about = |body: &Json| {
                        let entity = body.get("entity")?;
                        Some((text(entity, "entityType")? == kind.entity()) && id(entity)? == of)
                    };
                    let ours = page.records.iter().filter(|task| about(&task.body) == Some(true));
                    ids.extend(ours.map(|task| (Kind::Task, task.id.clone())));
                    cursor = page.next;
                    if cursor.is_none() {
                        break;
                    }
                }
            }
            Err(error) => return Err(error),
        }
        let mut found = Vec::new();
        for (kind, id) in ids {
            let Some(record) = self.target.get(kind, &id).await? else { continue };
            let name = name_of(kind, &record.body);
            let author = record.body.get("user").and_then(super::super::directory::id);
            let author = author.and_then(|id| {
                let directory = self.target.directory.borrow();
                directory.as_ref()?.users.iter().find(|user| user.id == id)?.email.clone()
            });
            let ours = is_ours(&name);
            // No API deletes an e-mail: one of a probe was announced and stays.
            if kind == Kind::Email && ours {
                continue;
            }
            found.push(ours.then_some(Made { what: What::Record(kind), id, name, author }));
        }
        Ok(found)
    }

    /// Deletes what this process made, then what is found, until nothing is.
    pub(super) async fn take_all_away(&self) -> Result<Cleaned, Error> {
        if self.unanswered.get() {
            self.target.client.clock.sleep(SETTLED_MS).await;
        }
        let mut cleaned = Cleaned::default();
        let mut own = std::mem::take(&mut *self.made.borrow_mut());
        own.reverse();
        own.sort_by_key(|made| made.what.order());
        for (at, made) in own.iter().enumerate() {
            match self.take_away(made).await {
                Ok(Some(why)) => cleaned.left.push((made.shown(), why)),
                Ok(None) => cleaned.deleted.push(made.shown()),
                Err(error) => {
                    // The next call goes on with these.
                    self.made.borrow_mut().extend(own[at..].iter().rev().cloned());
                    return Err(error);
                }
            }
        }
        for _ in 0..ROUNDS {
            let mut foreign = BTreeSet::new();
            let mut found = self.sweep(&mut foreign).await?;
            found.sort_by_key(|made| made.what.order());
            found.retain(|made| !cleaned.left.iter().any(|(left, _)| *left == made.shown()));
            if found.is_empty() {
                break;
            }
            for made in found {
                let held =
                    matches!(made.what, What::Record(kind) if foreign.contains(&(kind, made.id.clone())));
                let why = if held {
                    Some("something that no probe made hangs on it: delete it by hand".to_owned())
                } else {
                    self.take_away(&made).await?
                };
                match why {
                    Some(why) => cleaned.left.push((made.shown(), why)),
                    None => cleaned.deleted.push(made.shown()),
                }
            }
        }
        self.unanswered.set(false);
        // A search may lag behind a deletion, and what was made is found too.
        cleaned.deleted.sort();
        cleaned.deleted.dedup();
        cleaned.left.retain(|(left, _)| !cleaned.deleted.contains(left));
        Ok(cleaned)
    }

    /// Deletes one; gives why it cannot be deleted.
    async fn take_away(&self, made: &Made) -> Result<Option<String>, Error> {
        match made.what {
            What::Tag(kind) => self.take_tag_away(kind, &made.name).await,
            What::Record(kind) => self.take_record_away(kind, made).await,
        }
    }

    async fn take_record_away(&self, kind: Kind, made: &Made) -> Result<Option<String>, Error> {
        let mut why = String::new();
        for attempt in 1..=6 {
            let Some(now) = self.target.get(kind, &made.id).await? else { return Ok(None) };
            let sent = match &made.author {
                Some(author) if attempt > 1 => self.delete_as(kind, &made.id, &now.rev, author).await,
                _ => self.target.send_delete(kind, &made.id, &now.rev).await,
            };
            match sent {
                Ok(()) | Err(SendError::Gone) => return Ok(None),
                Err(SendError::Denied(said)) => return Ok(Some(said)),
                Err(SendError::Refused(said)) => {
                    why = said;
                    if made.author.is_none() || attempt > 1 {
                        return Ok(Some(why));
                    }
                }
                Err(error) => {
                    why = error.to_string();
                    self.target.client.clock.sleep(self.target.client.backoff(attempt)).await;
                }
            }
        }
        Ok(Some(why))
    }

    async fn delete_as(&self, kind: Kind, id: &str, rev: &str, author: &str) -> Result<(), SendError> {
        let params = named([(kind.id_param(), id_json(id)), ("rev", rev.into())]);
        let method = format!("delete{}", kind.object());
        match self.target.client.write_as(&method, params, author).await {
            Ok(_) => Ok(()),
            Err(Fault::Denied(why)) => Err(SendError::Refused(why)),
            Err(fault) => Err(fault.of_write()),
        }
    }

    async fn take_tag_away(&self, kind: Kind, name: &str) -> Result<Option<String>, Error> {
        let id = match self.target.choice_id(kind, "tags", name).await {
            Ok(Some(id)) => id,
            Ok(None) => return Ok(None),
            Err(Error::Denied { why, .. } | Error::Refused { why, .. }) => return Ok(Some(why)),
            Err(error) => return Err(error),
        };
        let mut why = String::new();
        for attempt in 1..=6 {
            match self.target.client.delete(&format!("/tags/{id}")).await {
                Ok(_) | Err(Fault::Missing(_)) => return Ok(None),
                Err(Fault::Denied(said) | Fault::Refused(said) | Fault::Stale(said)) => {
                    return Ok(Some(said));
                }
                Err(fault) => {
                    why = super::run::words(&fault);
                    self.target.client.clock.sleep(self.target.client.backoff(attempt)).await;
                }
            }
        }
        Ok(Some(why))
    }
}

/// The text of a record that bears a probe's name.
pub(super) fn name_of(kind: Kind, body: &Json) -> String {
    let own = |key: &str| text(body, key).unwrap_or_default();
    match kind {
        Kind::Lead => own("description"),
        Kind::Task => own("title"),
        Kind::Email => own("subject"),
        Kind::Note => stored::text_of(kind, body).to_owned(),
        Kind::Account | Kind::Product | Kind::Activity => own("name"),
        Kind::Contact => match body.get("name") {
            Some(name @ Json::Object(_)) => {
                let part = |key: &str| text(name, key).filter(|part| !part.is_empty());
                let parts: Vec<String> =
                    [part("givenName"), part("familyName")].into_iter().flatten().collect();
                parts.join(" ")
            }
            _ => own("name"),
        },
    }
}

/// What RPC takes a record by.
pub(super) fn entity(kind: Kind, id: &str) -> Json {
    json!({"entityType": kind.entity(), "id": id_json(id)})
}
