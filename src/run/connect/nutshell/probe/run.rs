//! One probe: what all experiments share. Makes records under names of its own, and says what it found.

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::{Value as Json, json};

use super::super::capability::Kind;
use super::super::client::{id_json, named};
use super::super::directory::{self, Directory};
use super::super::wire::Fault;
use super::clean::{Made, What, name_of};
use super::{NutshellProber, PREFIX};
use crate::lang::schema::Answer;
use crate::run::connect::Error;
use crate::run::connect::probe::{Asking, Found};

/// How often something is sent that gets no usable answer. A record that is made twice by it is found by its name.
const TRIES: u32 = 8;

/// What came of an experiment that the system may refuse.
pub(super) enum Took {
    /// The record, as it answered.
    Taken(Json),
    /// What it said.
    Refused(String),
}

/// An experiment that told nothing, and why.
pub(super) type Told<T> = Result<T, String>;

/// One probe.
pub(super) struct Run<'a> {
    pub(super) prober: &'a NutshellProber,
    pub(super) asking: Asking,
    tell: &'a dyn Fn(&Found),
    found: RefCell<Vec<Found>>,
    pub(super) directory: Rc<Directory>,
    /// What the names of its records begin with.
    pub(super) name: String,
    /// The account has no REST API, as far as its settings tell.
    pub(super) without_rest: bool,
    /// An account and a contact that others hang on; empty until they are made.
    pub(super) account: String,
    pub(super) contact: String,
}

/// A fault in words.
pub(super) fn words(fault: &Fault) -> String {
    match fault {
        Fault::NotSent(why)
        | Fault::Lost(why)
        | Fault::Busy { why, .. }
        | Fault::Denied(why)
        | Fault::Missing(why)
        | Fault::Stale(why)
        | Fault::Refused(why) => why.clone(),
    }
}

impl<'a> Run<'a> {
    pub(super) async fn new(
        prober: &'a NutshellProber,
        asking: Asking,
        tell: &'a dyn Fn(&Found),
    ) -> Result<Run<'a>, Error> {
        let (directory, without_rest) = match Directory::fetch(&prober.target.client).await {
            Ok(directory) => (directory, false),
            // Without REST there are no definitions of custom fields; the rest can be asked all the same.
            Err(Error::Denied { .. }) => (Directory::fetch_rpc(&prober.target.client).await?, true),
            Err(error) => return Err(error),
        };
        let directory = Rc::new(directory);
        *prober.target.directory.borrow_mut() = Some(Rc::clone(&directory));
        let token = prober.target.client.chance() as u32;
        Ok(Run {
            prober,
            asking,
            tell,
            found: RefCell::default(),
            directory,
            name: format!("{PREFIX}{token:08x}"),
            without_rest,
            account: String::new(),
            contact: String::new(),
        })
    }

    pub(super) fn into_found(self) -> Vec<Found> {
        self.found.into_inner()
    }

    /// Says what became of a question.
    pub(super) fn say(&self, question: &'static str, answer: Option<Answer>, evidence: impl Into<String>) {
        let found = Found { question, answer, evidence: evidence.into() };
        (self.tell)(&found);
        self.found.borrow_mut().push(found);
    }

    /// Says what an experiment told, or why it told nothing.
    pub(super) fn conclude(&self, question: &'static str, told: Told<(Answer, String)>) {
        match told {
            Ok((answer, evidence)) => self.say(question, Some(answer), evidence),
            Err(why) => self.say(question, None, why),
        }
    }

    /// The answer that was found before.
    pub(super) fn answered(&self, question: &str) -> Option<Answer> {
        self.found.borrow().iter().find(|found| found.question == question)?.answer.clone()
    }

    pub(super) fn has_rest(&self) -> bool {
        self.answered("rest_access") == Some(Answer::Flag(true))
    }

    pub(super) fn client(&self) -> &super::super::client::Client {
        &self.prober.target.client
    }

    /// Sends until there is an answer.
    pub(super) async fn patiently<T>(&self, send: impl AsyncFn() -> Result<T, Fault>) -> Result<T, Fault> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let fault = match send().await {
                Ok(answer) => return Ok(answer),
                Err(fault) => fault,
            };
            let wait = match &fault {
                Fault::NotSent(_) | Fault::Lost(_) => 0,
                Fault::Busy { after_ms, .. } => after_ms.unwrap_or(0),
                _ => return Err(fault),
            };
            if attempt >= TRIES {
                return Err(fault);
            }
            self.client().clock.sleep(self.client().backoff(attempt).max(wait)).await;
        }
    }

    /// Calls a method, whatever it does, until it answers.
    pub(super) async fn call(&self, method: &str, params: Json) -> Result<Json, Fault> {
        self.patiently(async || self.client().write(method, params.clone()).await).await
    }

    /// A name for a record.
    pub(super) fn named(&self, word: &str) -> String {
        format!("{} {word}", self.name)
    }

    /// Makes a record; it is deleted in the end.
    pub(super) async fn make(&self, kind: Kind, fields: Json) -> Told<Took> {
        let method = format!("new{}", kind.object());
        let params = match kind {
            Kind::Note => named([("entity", fields["entity"].clone()), ("note", fields["note"].clone())]),
            _ => named([(kind.singular(), fields)]),
        };
        match self.create(&method, params, None).await {
            Ok(body) => {
                self.note(kind, &body);
                Ok(Took::Taken(body))
            }
            Err(Fault::Refused(why) | Fault::Stale(why) | Fault::Missing(why)) => Ok(Took::Refused(why)),
            Err(fault) => Err(format!("`{method}`: {}", words(&fault))),
        }
    }

    /// Calls a method that makes something, in another user's name where there is one, until it answers.
    pub(super) async fn create(&self, method: &str, params: Json, name: Option<&str>) -> Result<Json, Fault> {
        self.patiently(async || {
            let answer = match name {
                Some(name) => self.client().write_as(method, params.clone(), name).await,
                None => self.client().write(method, params.clone()).await,
            };
            if matches!(answer, Err(Fault::Lost(_))) {
                self.prober.unanswered.set(true);
            }
            answer
        })
        .await
    }

    /// Remembers a record that was made.
    pub(super) fn note(&self, kind: Kind, body: &Json) {
        if let Some(id) = directory::id(body) {
            let name = name_of(kind, body);
            self.prober.made.borrow_mut().push(Made { what: What::Record(kind), id, name, author: None });
        } else {
            self.prober.unanswered.set(true);
        }
    }

    /// Makes a record that must be taken.
    pub(super) async fn must(&self, kind: Kind, fields: Json) -> Told<Json> {
        match self.make(kind, fields).await? {
            Took::Taken(body) => Ok(body),
            Took::Refused(why) => Err(format!("no {} could be made: {why}", kind.singular())),
        }
    }

    /// Makes an open lead that hangs on the contact.
    pub(super) async fn lead(&self, word: &str, more: Json) -> Told<Took> {
        let mut fields = json!({"description": self.named(word)});
        if !self.contact.is_empty() {
            fields["contacts"] = json!([{"id": id_json(&self.contact), "entityType": "Contacts"}]);
        }
        let plain = fields.clone();
        for (key, value) in more.as_object().into_iter().flatten() {
            fields[key] = value.clone();
        }
        let took = self.make(Kind::Lead, fields).await?;
        // A refusal says something of what was asked only where a plain lead is taken: a plan may be full.
        if let Took::Refused(why) = &took
            && let Took::Refused(_) = self.make(Kind::Lead, plain).await?
        {
            return Err(format!("a plain lead is refused too: {why}"));
        }
        Ok(took)
    }

    /// The same, which must be taken.
    pub(super) async fn a_lead(&self, word: &str, more: Json) -> Told<Json> {
        match self.lead(word, more).await? {
            Took::Taken(body) => Ok(body),
            Took::Refused(why) => Err(format!("no lead could be made: {why}")),
        }
    }

    /// Edits a record of this probe, whatever its revision.
    pub(super) async fn edit(&self, kind: Kind, id: &str, fields: Json) -> Told<Took> {
        let method = format!("edit{}", kind.object());
        let params =
            named([(kind.id_param(), id_json(id)), ("rev", "REV_IGNORE".into()), (kind.singular(), fields)]);
        match self.call(&method, params).await {
            Ok(body) => Ok(Took::Taken(body)),
            Err(Fault::Refused(why) | Fault::Stale(why) | Fault::Missing(why)) => Ok(Took::Refused(why)),
            Err(fault) => Err(format!("`{method}`: {}", words(&fault))),
        }
    }

    /// Reads a record of this probe.
    pub(super) async fn read(&self, kind: Kind, id: &str) -> Told<Json> {
        match self.prober.target.get(kind, id).await {
            Ok(Some(record)) => Ok(record.body),
            Ok(None) => Err(format!("the {} is gone", kind.singular())),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Patches a record of this probe through REST.
    pub(super) async fn patch(&self, kind: Kind, id: &str, path: &str, value: Json) -> Told<Took> {
        let target = format!("/{}/{id}", kind.rest());
        let patch = json!([{"op": "replace", "path": path, "value": value}]);
        match self.patiently(async || self.client().patch(&target, &patch).await).await {
            Ok(body) => Ok(Took::Taken(body)),
            Err(Fault::Refused(why) | Fault::Stale(why) | Fault::Missing(why)) => Ok(Took::Refused(why)),
            Err(fault) => Err(format!("`PATCH {target}`: {}", words(&fault))),
        }
    }

    /// Posts to REST.
    pub(super) async fn post(&self, path: &str, body: &Json) -> Told<Took> {
        match self.patiently(async || self.client().post(path, body).await).await {
            Ok(body) => Ok(Took::Taken(body)),
            Err(Fault::Refused(why) | Fault::Stale(why) | Fault::Missing(why)) => Ok(Took::Refused(why)),
            Err(fault) => Err(format!("`POST {path}`: {}", words(&fault))),
        }
    }
}

/// The id of a record that answered.
pub(super) fn id_of(body: &Json) -> Told<String> {
    directory::id(body).ok_or_else(|| "an answer without an id".to_owned())
}

/// Yes or no, with what was seen.
pub(super) fn flag(yes: bool, evidence: impl Into<String>) -> Told<(Answer, String)> {
    Ok((Answer::Flag(yes), evidence.into()))
}

/// A word, with what was seen.
pub(super) fn word(word: &str, evidence: impl Into<String>) -> Told<(Answer, String)> {
    Ok((Answer::word(word), evidence.into()))
}
