//! Makes custom fields, tags and sources. Safe to repeat: what is there is looked for first and again after a lost
//! answer, and names are unique per type of record (sheet §6).

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde_json::{Value as Json, json};

use super::ahead;
use super::capability::Kind;
use super::client::{Client, failed, named, refused};
use super::directory;
use super::kind;
use super::wire::Fault;
use super::{Nutshell, stored};
use crate::lang::plan::CustomField;
use crate::run::connect::{Error, Goes, Provision, Provisioned, Removal};

/// The ids of records by the list and the name that they carry: `("tags", "VIP")`.
type Carriers = BTreeMap<(String, String), Vec<String>>;

/// A listing of what carries tags and sources.
pub(super) struct Carried {
    /// How much had been written before it.
    writes: u64,
    at_ms: i64,
    carriers: Rc<Carriers>,
}

/// How long a listing of what carries tags and sources counts, in milliseconds.
const LISTED_MS: i64 = 60_000;

/// How often something is looked for and made.
const TRIES: u32 = 5;

pub(super) async fn provision(client: &Client, what: &Provision) -> Result<Provisioned, Error> {
    match what {
        Provision::Field(field) => custom_field(client, field).await,
        Provision::Choice { domain, name } => match domain.split_once('.') {
            Some(("Lead", "sources")) => source(client, name).await,
            Some((object, "tags")) => tag(client, kind(object)?, name).await,
            _ => Err(refused(domain, format!("the API adds no choices here: add `{name}` in the settings"))),
        },
    }
}

async fn custom_field(client: &Client, field: &CustomField) -> Result<Provisioned, Error> {
    let kind = kind(&field.object)?;
    let path = format!("/{}/customfield", kind.rest());
    let word = ahead::type_word(kind, field).map_err(|lack| refused(&path, ahead::sentence(&lack)))?;
    let mut body = json!({"name": field.label, "type": word});
    if word == "Decision"
        && let Some(map) = body.as_object_mut()
    {
        map.insert("choices".to_owned(), json!(field.choices));
        map.insert("isMultiple".to_owned(), json!(field.many));
    }
    let find = async || {
        let rows = directory::fields(client, kind).await?;
        match rows.iter().find(|row| row.name == field.label) {
            None => Ok(false),
            Some(row) => match ahead::lacks(row, field).first() {
                None => Ok(true),
                Some(lack) => Err(refused(&path, ahead::sentence(lack))),
            },
        }
    };
    let send = async || {
        let sent = client.post(&path, &body).await;
        // Which spelling of this word is taken is open (sheet §6).
        let sent = match (sent, other_spelling(word)) {
            (Err(Fault::Refused(why)), Some(other)) => {
                let mut body = body.clone();
                body["type"] = json!(other);
                // What is refused in both is told as the first said it.
                client.post(&path, &body).await.map_err(|fault| match fault {
                    Fault::Refused(_) => Fault::Refused(why),
                    fault => fault,
                })
            }
            (sent, _) => sent,
        };
        sent.map_err(|fault| perhaps_limited(fault, field))
    };
    make(client, &path, find, send).await
}

/// Another way in which the API may spell a type (sheet §6).
fn other_spelling(word: &str) -> Option<&'static str> {
    (word == "Url").then_some("URL")
}

/// Nothing documents how the API answers when a plan allows no more custom fields (sheet §7): it may look like a
/// missing right.
fn perhaps_limited(fault: Fault, field: &CustomField) -> Fault {
    let told = |why: String| {
        let CustomField { object, label, .. } = field;
        format!(
            "{why} (for the custom field `{label}` of `{object}`; the account's plan may allow no more of them)"
        )
    };
    match fault {
        Fault::Denied(why) => Fault::Denied(told(why)),
        Fault::Refused(why) => Fault::Refused(told(why)),
        other => other,
    }
}

async fn source(client: &Client, name: &str) -> Result<Provisioned, Error> {
    let find = async || Ok(directory::sources(client).await?.iter().any(|source| source.name == name));
    // Gets or creates (sheet §1).
    make(client, "newSource", find, async || client.write("newSource", named([("name", name.into())])).await)
        .await
}

async fn tag(client: &Client, kind: Kind, name: &str) -> Result<Provisioned, Error> {
    let find = async || {
        let tags = directory::tags(client).await?;
        Ok(tags.get(&kind).is_some_and(|tags| tags.iter().any(|tag| tag == name)))
    };
    let tag = json!({"name": name, "entityType": kind.entity()});
    make(client, "newTag", find, async || client.write("newTag", named([("tag", tag.clone())])).await).await
}

/// Looks, makes, and looks again until it is there.
async fn make(
    client: &Client,
    request: &str,
    find: impl AsyncFn() -> Result<bool, Error>,
    send: impl AsyncFn() -> Result<Json, Fault>,
) -> Result<Provisioned, Error> {
    if find().await? {
        return Ok(Provisioned::Existed);
    }
    let mut last = Fault::Lost("it was answered and is not there".to_owned());
    for attempt in 1..=TRIES {
        match send().await {
            // The answer's form is not documented; what counts is that it is there.
            Ok(_) => {}
            Err(fault @ (Fault::NotSent(_) | Fault::Lost(_) | Fault::Busy { .. })) => {
                let asked = if let Fault::Busy { after_ms, .. } = &fault { after_ms.unwrap_or(0) } else { 0 };
                last = fault;
                client.clock.sleep(client.backoff(attempt).max(asked)).await;
            }
            // Perhaps an earlier try that was not answered has made it.
            Err(fault) => {
                return if attempt > 1 && find().await? {
                    Ok(Provisioned::Created)
                } else {
                    Err(failed(request, fault))
                };
            }
        }
        if find().await? {
            return Ok(Provisioned::Created);
        }
        client.clock.sleep(client.backoff(attempt)).await;
        if find().await? {
            return Ok(Provisioned::Created);
        }
    }
    Err(failed(request, last))
}

impl Nutshell {
    /// Takes a tag or a source away again that no record uses. Custom fields stay: neither API deletes their
    /// definitions (sheet §1, §8).
    pub(super) async fn take_away(&self, what: &Provision, ask: Option<Goes<'_>>) -> Result<Removal, Error> {
        let (kind, list, name) = match what {
            Provision::Field(_) => {
                return Ok(Removal::Impossible("the API deletes no custom fields".to_owned()));
            }
            Provision::Choice { domain, name } => match domain.split_once('.') {
                Some(("Lead", "sources")) => (Kind::Lead, "sources", name),
                Some((object, "tags")) => (kind(object)?, "tags", name),
                _ => return Ok(Removal::Impossible("the API takes no choices away".to_owned())),
            },
        };
        for _ in 0..TRIES {
            let Some(id) = self.choice_id(kind, list, name).await? else { return Ok(Removal::Absent) };
            let used = self.uses(kind, list, name, ask).await?;
            if used > 0 {
                return Ok(Removal::Used(used));
            }
            if ask.is_some() {
                return Ok(Removal::Removed);
            }
            match self.client.delete(&format!("/{list}/{id}")).await {
                Ok(_) | Err(Fault::Missing(_)) => return Ok(Removal::Removed),
                Err(Fault::NotSent(_) | Fault::Lost(_) | Fault::Busy { .. }) => {
                    self.client.clock.sleep(self.client.backoff(1)).await;
                }
                Err(Fault::Refused(why) | Fault::Stale(why)) => return Ok(Removal::Impossible(why)),
                Err(fault) => return Err(failed(&format!("/{list}"), fault)),
            }
        }
        Err(failed(&format!("/{list}"), Fault::Lost("no usable answer".to_owned())))
    }

    /// The id under which REST lists a tag or a source.
    pub(super) async fn choice_id(
        &self,
        kind: Kind,
        list: &str,
        name: &str,
    ) -> Result<Option<String>, Error> {
        let path = format!("/{list}");
        // The words of the filter are those that reads give (sheet §3.2).
        let of_kind = [("filter[tagType]", kind.rest())];
        let query: &[(&str, &str)] = if list == "tags" { &of_kind } else { &[] };
        let body = self.client.get(&path, query).await.map_err(|fault| failed(&path, fault))?;
        let rows = directory::elements(body.get(list).unwrap_or(&Json::Null));
        let called = |row: &&Json| {
            let word = directory::text(row, "tagType");
            let fits = list != "tags" || word.is_none_or(|word| word == kind.rest());
            fits && row.get("deletedTime").is_none_or(Json::is_null)
                && directory::text(row, "name").as_deref() == Some(name)
        };
        Ok(rows
            .iter()
            .find(called)
            .and_then(|row| row.get("id")?.as_str().map(str::to_owned).or_else(|| directory::id(row))))
    }

    /// How many live records carry a tag or a source, counted over all of them: `count` of a tag is documented for
    /// reads only by example, and sources have none.
    async fn uses(&self, kind: Kind, list: &str, name: &str, goes: Option<Goes<'_>>) -> Result<u64, Error> {
        let all = self.carriers(kind).await?;
        let carriers = all.get(&(list.to_owned(), name.to_owned())).map(Vec::as_slice).unwrap_or_default();
        let goes = |id: &&String| goes.is_some_and(|goes| goes(kind.object(), id));
        Ok(carriers.iter().filter(|id| !goes(id)).count() as u64)
    }

    /// The live records that carry each tag and source of a type. One listing counts for all of them, for as long as
    /// this process writes nothing and it is not older than a minute, which a listing takes too.
    async fn carriers(&self, kind: Kind) -> Result<Rc<Carriers>, Error> {
        let (writes, now) = (self.client.writes(), self.client.clock.now_ms());
        if let Some(listed) = self.carried.borrow().get(&kind)
            && listed.writes == writes
            && now - listed.at_ms < LISTED_MS
        {
            return Ok(Rc::clone(&listed.carriers));
        }
        let mut all = Carriers::new();
        let mut cursor = None;
        loop {
            let page = self.page(kind, cursor.as_deref()).await?;
            for record in page.records.iter().filter(|record| !stored::deleted(&record.body)) {
                for list in ["tags", "sources"] {
                    let carried = directory::elements(record.body.get(list).unwrap_or(&Json::Null));
                    let called =
                        |one: &Json| one.as_str().map(str::to_owned).or_else(|| directory::text(one, "name"));
                    // One tag may stand twice in a record (sheet §9.5).
                    let names: BTreeSet<String> = carried.iter().filter_map(called).collect();
                    for name in names {
                        all.entry((list.to_owned(), name)).or_default().push(record.id.clone());
                    }
                }
            }
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        let all = Rc::new(all);
        let listed = Carried { writes, at_ms: now, carriers: Rc::clone(&all) };
        self.carried.borrow_mut().insert(kind, listed);
        Ok(all)
    }
}
