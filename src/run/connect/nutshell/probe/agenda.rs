//! Experiments with products, activities, tasks, notes and e-mails.

use serde_json::{Value as Json, json};

use super::super::capability::Kind;
use super::super::client::{id_json, named};
use super::super::directory::{self, text};
use super::super::wire::Fault;
use super::clean::{Made, What, entity};
use super::records::{LONG_AGO, is_long_ago};
use super::run::{Run, Told, Took, flag, id_of, word, words};
use crate::lang::schema::Answer;
use crate::run::connect::Error;

impl Run<'_> {
    pub(super) async fn agenda(&mut self) -> Result<(), Error> {
        self.conclude("product_description", self.product_description().await);
        self.conclude("new_cancelled_activity", self.new_cancelled_activity().await);
        self.conclude("rest_activity_leads", self.rest_activity_leads().await);
        self.conclude("task_completion", self.task_completion().await);
        match self.anothers_note().await {
            Ok((evidence, note)) => {
                self.conclude("impersonation", flag(note.is_some(), evidence));
                let limited = match note {
                    Some(note) => self.note_deletion_limited(&note).await,
                    None => Err("the key writes in its own user's name only".to_owned()),
                };
                self.conclude("note_deletion_limited", limited);
            }
            Err(why) => {
                self.say("impersonation", None, why.clone());
                self.say("note_deletion_limited", None, why);
            }
        }
        Ok(())
    }

    async fn product_description(&self) -> Told<(Answer, String)> {
        let fields = json!({"name": self.named("product"), "type": "0", "description": "b2n probe"});
        match self.make(Kind::Product, fields).await? {
            Took::Refused(why) => flag(false, format!("`newProduct` with `description`: {why}")),
            Took::Taken(body) => {
                let there = text(&body, "description");
                let evidence = format!("`newProduct` with `description`: it comes back with {there:?}");
                flag(there.as_deref() == Some("b2n probe"), evidence)
            }
        }
    }

    fn activity(&self, word: &str) -> Told<Json> {
        let kind = self
            .directory
            .activity_types
            .first()
            .ok_or_else(|| "the account has no activity types".to_owned())?;
        if self.contact.is_empty() {
            return Err("no contact could be made".to_owned());
        }
        Ok(json!({
            "name": self.named(word), "activityTypeId": id_json(&kind.id), "startTime": LONG_AGO, "endTime": LONG_AGO,
            "participants": [entity(Kind::Contact, &self.contact)],
        }))
    }

    async fn new_cancelled_activity(&self) -> Told<(Answer, String)> {
        let mut fields = self.activity("cancelled")?;
        fields["status"] = json!(2);
        match self.make(Kind::Activity, fields).await? {
            Took::Refused(why) => flag(false, format!("`newActivity` with `status: 2`: {why}")),
            Took::Taken(body) => {
                let there = directory::number(&body, "status");
                flag(
                    there == Some(2),
                    format!("`newActivity` with `status: 2`: it comes back with {there:?}"),
                )
            }
        }
    }

    async fn rest_activity_leads(&self) -> Told<(Answer, String)> {
        self.needs_rest()?;
        let kind = self
            .directory
            .activity_types
            .first()
            .ok_or_else(|| "the account has no activity types".to_owned())?;
        let lead = id_of(&self.a_lead("meeting", json!({})).await?)?;
        let at = 1_577_934_245;
        let body = json!({"activities": [{
            "name": self.named("meeting"), "activityType": format!("{}-activityTypes", kind.id), "startTime": at,
            "endTime": at, "links": {"participants": [format!("{}-contacts", self.contact), format!("{lead}-leads")]},
        }]});
        match self.post("/activities", &body).await? {
            Took::Refused(why) => flag(false, format!("`POST /activities` with a lead: {why}")),
            Took::Taken(body) => {
                let row = directory::elements(body.get("activities").unwrap_or(&Json::Null))
                    .into_iter()
                    .next()
                    .unwrap_or(body);
                self.note(Kind::Activity, &row);
                let activity = self.read(Kind::Activity, &id_of(&row)?).await?;
                let leads = directory::elements(activity.get("leads").unwrap_or(&Json::Null));
                let tied = leads.iter().any(|row| directory::id(row).as_ref() == Some(&lead));
                flag(tied, format!("`POST /activities` with a lead: RPC shows {} of 1", leads.len()))
            }
        }
    }

    async fn task_completion(&self) -> Told<(Answer, String)> {
        if self.contact.is_empty() {
            return Err("no contact could be made".to_owned());
        }
        let fields = json!({"title": self.named("task"), "entity": entity(Kind::Contact, &self.contact)});
        let task = id_of(&self.must(Kind::Task, fields).await?)?;
        match self.edit(Kind::Task, &task, json!({"completedTime": LONG_AGO})).await? {
            Took::Refused(why) => flag(false, format!("`editTask` with `completedTime`: {why}")),
            Took::Taken(body) => {
                let there = body.get("completedTime").unwrap_or(&Json::Null);
                flag(
                    is_long_ago(there),
                    format!("`editTask` with `completedTime`: it comes back with `{there}`"),
                )
            }
        }
    }

    /// A note that another user wrote, where the key writes in that name; with what was seen.
    async fn anothers_note(&self) -> Told<(String, Option<String>)> {
        if self.contact.is_empty() {
            return Err("no contact could be made".to_owned());
        }
        let own =
            self.call("getUser", named([])).await.map_err(|fault| format!("`getUser`: {}", words(&fault)))?;
        let own = directory::id(&own).ok_or_else(|| "`getUser` tells no id".to_owned())?;
        let users = self.directory.users.iter();
        let other = users.clone().find(|user| user.active && user.id != own && user.email.is_some());
        let other = other.ok_or_else(|| "the account has one user".to_owned())?;
        let email = other.email.clone().unwrap_or_default();
        let params = named([
            ("entity", entity(Kind::Contact, &self.contact)),
            ("note", self.named("note of another user").into()),
        ]);
        match self.create("newNote", params, Some(&email)).await {
            Ok(body) => {
                let id = id_of(&body)?;
                let author = body.get("user").and_then(directory::id);
                let name = self.named("note of another user");
                let made = Made { what: What::Record(Kind::Note), id: id.clone(), name, author: Some(email) };
                self.prober.made.borrow_mut().push(made);
                let theirs = author.as_ref() == Some(&other.id);
                let evidence = format!("`newNote` as user {}: its author is {author:?}", other.id);
                Ok((evidence, theirs.then_some(id)))
            }
            Err(fault @ (Fault::Denied(_) | Fault::Refused(_))) => {
                Ok((format!("`newNote` as user {}: {}", other.id, words(&fault)), None))
            }
            Err(fault) => Err(format!("`newNote`: {}", words(&fault))),
        }
    }

    async fn note_deletion_limited(&self, note: &str) -> Told<(Answer, String)> {
        let params = named([("noteId", id_json(note)), ("rev", "REV_IGNORE".into())]);
        match self.call("deleteNote", params).await {
            Ok(_) => flag(false, "`deleteNote` of another user's note is done"),
            Err(fault @ (Fault::Denied(_) | Fault::Refused(_))) => {
                flag(true, format!("`deleteNote` of another user's note: {}", words(&fault)))
            }
            Err(fault) => Err(format!("`deleteNote`: {}", words(&fault))),
        }
    }

    /// One e-mail answers four questions; no API deletes it.
    pub(super) async fn email(&mut self) -> Result<(), Error> {
        match self.one_email().await {
            Ok(email) => {
                let time = ["sentTime", "time", "date"]
                    .iter()
                    .find_map(|key| email.get(*key))
                    .unwrap_or(&Json::Null);
                let evidence = format!("`newEmail` with `Date` {LONG_AGO}: it comes back with `{time}`");
                self.conclude("email_date", flag(is_long_ago(time), evidence));
                self.conclude("email_match", self.email_match(&email).await);
                let shown = |wanted: &str| email.to_string().contains(wanted);
                let id = shown("@b2n.invalid");
                self.conclude("email_message_id", flag(id, format!("its `Message-ID` {}", told(id))));
                let html = shown("<b>by a probe</b>");
                self.conclude("email_html", flag(html, format!("its HTML {}", told(html))));
            }
            Err(why) => {
                for question in ["email_date", "email_match", "email_message_id", "email_html"] {
                    self.say(question, None, why.clone());
                }
            }
        }
        Ok(())
    }

    async fn one_email(&self) -> Told<Json> {
        let message = format!(
            "From: b2n probe <b2n-probe@example.com>\r\nTo: b2n-probe-to@example.com\r\nSubject: {}\r\n\
             Date: Thu, 02 Jan 2020 03:04:05 +0000\r\nMessage-ID: <{}@b2n.invalid>\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/alternative; boundary=\"b2n-probe\"\r\n\r\n\
             --b2n-probe\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\
             made by a probe; it can be deleted by hand\r\n\
             --b2n-probe\r\nContent-Type: text/html; charset=utf-8\r\n\r\n\
             <p>made <b>by a probe</b>; it can be deleted by hand</p>\r\n--b2n-probe--\r\n",
            self.named("e-mail"),
            self.name.replace(' ', "-"),
        );
        // Once: no API deletes a second one.
        match self.client().write("newEmail", named([("emailString", message.into())])).await {
            Ok(body) => Ok(body),
            Err(fault) => Err(format!("`newEmail`: {}", words(&fault))),
        }
    }

    /// A contact and an account bear its address.
    async fn email_match(&self, email: &Json) -> Told<(Answer, String)> {
        if self.contact.is_empty() || self.account.is_empty() {
            return Err("no contact or no account could be made".to_owned());
        }
        let id = id_of(email)?;
        let lag = match self.answered("search_lag_s") {
            Some(Answer::Count(seconds)) => seconds,
            _ => 10,
        };
        self.client().clock.sleep((lag + 1) * 1_000).await;
        let mut on = Vec::new();
        for (kind, of) in [(Kind::Contact, &self.contact), (Kind::Account, &self.account)] {
            let rows = self.prober.target.timeline(kind, of).await.map_err(|error| error.to_string())?;
            on.push(rows.iter().any(|row| row.object == Kind::Email.object() && row.id == id));
        }
        let answer = match on.as_slice() {
            [true, true] => "everybody",
            [true, false] => "people",
            [false, true] => "companies",
            _ => "nobody",
        };
        let evidence = format!(
            "`findTimeline` of a contact with its address {} it, and of a company {} it",
            if on[0] { "shows" } else { "lacks" },
            if on[1] { "shows" } else { "lacks" }
        );
        word(answer, evidence)
    }
}

fn told(shown: bool) -> &'static str {
    if shown { "comes back" } else { "does not come back" }
}
