//! Experiments with accounts and contacts.

use serde_json::{Value as Json, json};

use super::super::capability::Kind;
use super::super::client::{id_json, named};
use super::super::directory;
use super::super::wire::Fault;
use super::run::{Run, Told, Took, flag, id_of, words};
use crate::lang::schema::Answer;
use crate::run::connect::Error;

/// A time that no record of a probe has by itself.
pub(super) const LONG_AGO: &str = "2020-01-02T03:04:05+00:00";

/// For how long a search is asked for a new record, in seconds.
const LONGEST_LAG_S: u64 = 60;

/// Whether a time that came back is [`LONG_AGO`].
pub(super) fn is_long_ago(time: &Json) -> bool {
    time.as_str().is_some_and(|time| time.starts_with("2020-01-02T03:04:05"))
}

fn text(body: &Json, key: &str) -> String {
    match body.get(key) {
        None => "nothing".to_owned(),
        Some(value) => format!("`{value}`"),
    }
}

impl Run<'_> {
    pub(super) async fn records(&mut self) -> Result<(), Error> {
        match self.first_account().await {
            Ok(account) => {
                self.account = account.clone();
                self.conclude("search_lag_s", self.search_lag(&account).await);
                self.conclude("parent_account", self.parent_account(&account).await);
            }
            Err(why) => {
                let all = [
                    "legacy_id_kept",
                    "created_time_kept",
                    "primary_everywhere",
                    "search_lag_s",
                    "parent_account",
                ];
                for question in all {
                    self.say(question, None, why.clone());
                }
            }
        }
        match self.first_contact().await {
            Ok(contact) => {
                self.contact = contact;
                self.conclude("neighbour_bumps", self.neighbour_bumps().await);
                self.conclude("undelete_drops_links", self.undelete_drops_links().await);
            }
            Err(why) => {
                for question in ["contact_name_object", "neighbour_bumps", "undelete_drops_links"] {
                    self.say(question, None, why.clone());
                }
            }
        }
        self.conclude("deleted_readable", self.deleted_readable().await);
        Ok(())
    }

    /// One account answers three questions.
    async fn first_account(&self) -> Told<String> {
        let fields = json!({
            "name": self.named("account"), "legacyId": "b2n-probe", "createdTime": LONG_AGO,
            "email": ["b2n-probe@example.com"],
        });
        let body = match self.make(Kind::Account, fields).await? {
            Took::Taken(body) => body,
            // Perhaps one of the keys was too much.
            Took::Refused(why) => {
                let plain = self.must(Kind::Account, json!({"name": self.named("account")})).await?;
                for question in ["legacy_id_kept", "created_time_kept", "primary_everywhere"] {
                    self.say(
                        question,
                        None,
                        format!("`newAccount` with `legacyId`, `createdTime`, `email`: {why}"),
                    );
                }
                return id_of(&plain);
            }
        };
        let kept = body.get("legacyId").is_some_and(|id| id.as_str() == Some("b2n-probe"));
        let evidence =
            format!("`newAccount` with `legacyId`: it comes back with {}", text(&body, "legacyId"));
        self.conclude("legacy_id_kept", flag(kept, evidence));
        let time = body.get("createdTime").unwrap_or(&Json::Null);
        let evidence = format!("`newAccount` with `createdTime` {LONG_AGO}: it comes back with `{time}`");
        self.conclude("created_time_kept", flag(is_long_ago(time), evidence));
        let primary = body.get("email").is_some_and(|email| email.get("--primary").is_some());
        let evidence = format!("`email` comes back as {}", text(&body, "email"));
        self.conclude("primary_everywhere", flag(primary, evidence));
        id_of(&body)
    }

    async fn search_lag(&self, account: &str) -> Told<(Answer, String)> {
        let method = "searchAccounts";
        for second in 0..=LONGEST_LAG_S {
            let params = named([("string", self.named("account").into()), ("limit", 10.into())]);
            let hits =
                self.call(method, params).await.map_err(|fault| format!("`{method}`: {}", words(&fault)))?;
            if directory::elements(&hits).iter().any(|hit| directory::id(hit).as_deref() == Some(account)) {
                return Ok((Answer::Count(second), format!("`{method}` found it after {second} s")));
            }
            self.client().clock.sleep(1_000).await;
        }
        Err(format!("`{method}` did not find it within {LONGEST_LAG_S} s"))
    }

    async fn parent_account(&self, account: &str) -> Told<(Answer, String)> {
        let child = id_of(&self.must(Kind::Account, json!({"name": self.named("branch")})).await?)?;
        let parent = json!({"id": id_json(account), "entityType": "Accounts"});
        match self.edit(Kind::Account, &child, json!({"parentAccount": parent})).await? {
            Took::Refused(why) => flag(false, format!("`editAccount` with `parentAccount`: {why}")),
            Took::Taken(_) => {
                let body = self.read(Kind::Account, &child).await?;
                let there = body.get("parentAccount").and_then(directory::id);
                let evidence = format!(
                    "`editAccount` with `parentAccount`: it comes back with {}",
                    text(&body, "parentAccount")
                );
                flag(there.as_deref() == Some(account), evidence)
            }
        }
    }

    async fn first_contact(&self) -> Told<String> {
        let name = json!({"givenName": self.name, "familyName": "contact"});
        let account = || json!([{"id": id_json(&self.account), "relationship": "Probe"}]);
        let mut fields = json!({"name": name, "email": ["b2n-probe@example.com"]});
        if !self.account.is_empty() {
            fields["accounts"] = account();
        }
        match self.make(Kind::Contact, fields.clone()).await? {
            Took::Taken(body) => {
                let given = body.get("name").and_then(|name| name.get("givenName"));
                let kept = given.and_then(Json::as_str) == Some(self.name.as_str());
                let evidence =
                    format!("`newContact` with an object: `name` comes back as {}", text(&body, "name"));
                self.conclude("contact_name_object", flag(kept, evidence));
                id_of(&body)
            }
            Took::Refused(why) => {
                fields["name"] = json!(self.named("contact"));
                let body = self.must(Kind::Contact, fields).await?;
                let evidence = format!("`newContact` with an object: {why}; with a text it is taken");
                self.conclude("contact_name_object", flag(false, evidence));
                id_of(&body)
            }
        }
    }

    async fn another_contact(&self, word: &str, account: &str) -> Told<String> {
        let account = json!([{"id": id_json(account)}]);
        let fields = json!({"name": self.named(word), "accounts": account, "tags": []});
        id_of(&self.must(Kind::Contact, fields).await?)
    }

    async fn neighbour_bumps(&self) -> Told<(Answer, String)> {
        let account = id_of(&self.must(Kind::Account, json!({"name": self.named("neighbour")})).await?)?;
        let rev = |body: &Json| directory::text(body, "rev").unwrap_or_default();
        let before = rev(&self.read(Kind::Account, &account).await?);
        self.another_contact("linked", &account).await?;
        let after = rev(&self.read(Kind::Account, &account).await?);
        let evidence =
            format!("`rev` of the account was `{before}`, and is `{after}` once a contact links to it");
        flag(before != after, evidence)
    }

    async fn undelete_drops_links(&self) -> Told<(Answer, String)> {
        self.needs_rest()?;
        let account = id_of(&self.must(Kind::Account, json!({"name": self.named("kept")})).await?)?;
        let contact = self.another_contact("undeleted", &account).await?;
        self.delete(Kind::Contact, &contact).await?;
        if let Took::Refused(why) = self.post(&format!("/contacts/{contact}/undelete"), &json!({})).await? {
            return Err(format!("`POST /contacts/{{id}}/undelete`: {why}"));
        }
        let body = self.read(Kind::Contact, &contact).await?;
        let links = directory::elements(body.get("accounts").unwrap_or(&Json::Null)).len();
        flag(links == 0, format!("the contact comes back with {links} of 1 account"))
    }

    pub(super) async fn delete(&self, kind: Kind, id: &str) -> Told<()> {
        let method = format!("delete{}", kind.object());
        let params = named([(kind.id_param(), id_json(id)), ("rev", "REV_IGNORE".into())]);
        match self.call(&method, params).await {
            Ok(_) => Ok(()),
            Err(fault) => Err(format!("`{method}`: {}", words(&fault))),
        }
    }

    async fn deleted_readable(&self) -> Told<(Answer, String)> {
        let account = id_of(&self.must(Kind::Account, json!({"name": self.named("deleted")})).await?)?;
        self.delete(Kind::Account, &account).await?;
        let params = named([("accountId", id_json(&account))]);
        match self.call("getAccount", params).await {
            Ok(Json::Null) => flag(false, "`getAccount` of a deleted one answers `null`"),
            Ok(body) => flag(
                true,
                format!(
                    "`getAccount` of a deleted one answers with `deletedTime` {}",
                    text(&body, "deletedTime")
                ),
            ),
            Err(fault @ (Fault::Missing(_) | Fault::Refused(_))) => {
                flag(false, format!("`getAccount` of a deleted one: {}", words(&fault)))
            }
            Err(fault) => Err(format!("`getAccount`: {}", words(&fault))),
        }
    }
}
