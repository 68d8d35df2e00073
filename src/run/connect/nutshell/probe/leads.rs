//! Experiments with leads: titles, amounts, pipelines and stages, closing.

use serde_json::{Value as Json, json};

use super::super::capability::Kind;
use super::super::client::id_json;
use super::super::directory::{self, text};
use super::super::encode::outcome;
use super::clean::{Made, What};
use super::records::{LONG_AGO, is_long_ago};
use super::run::{Run, Told, Took, flag, id_of, word};
use crate::lang::schema::Answer;
use crate::run::connect::Error;

/// An amount that no lead has by itself.
const AMOUNT: &str = "12.5";

fn has_amount(body: &Json) -> bool {
    body.get("value").and_then(directory::amount) == directory::decimal(&json!(AMOUNT))
}

impl Run<'_> {
    pub(super) async fn leads(&mut self) -> Result<(), Error> {
        self.conclude("lead_without_contact", self.lead_without_contact().await);
        self.conclude("long_description", self.long_description().await);
        self.conclude("rest_long_description", self.rest_long_description().await);
        self.conclude("lead_value", self.lead_value().await);
        self.conclude("rest_manual_value", self.rest_manual_value().await);
        self.conclude("lead_milestone", self.lead_milestone().await);
        self.conclude("lead_stageset", self.lead_stageset().await);
        self.conclude("rest_stage_write", self.rest_stage_write().await);
        self.conclude("primary_account_listed", self.primary_account_listed().await);
        self.conclude("unknown_custom_field", self.unknown_custom_field().await);
        self.conclude("unknown_tag", self.unknown_tag().await);
        self.conclude("bare_closing_status", self.bare_closing_status().await);
        self.conclude("closing", self.closing().await);
        match self.closed().await {
            Ok((lead, closed)) => {
                let shown = closed.get("outcome").unwrap_or(&Json::Null);
                let evidence = format!("a lead that was closed comes back with `outcome` {shown}");
                self.conclude("outcome_shown", flag(shown.is_object(), evidence));
                let time = closed.get("closedTime").unwrap_or(&Json::Null);
                let evidence = format!(
                    "`editLead` with an outcome and `closedTime` {LONG_AGO}: it comes back with `{time}`"
                );
                self.conclude("closed_time_kept", flag(is_long_ago(time), evidence));
                self.conclude("closed_lead_edits", self.closed_lead_edits(&lead).await);
            }
            Err(why) => {
                for question in ["outcome_shown", "closed_time_kept", "closed_lead_edits"] {
                    self.say(question, None, why.clone());
                }
            }
        }
        Ok(())
    }

    async fn lead_without_contact(&self) -> Told<(Answer, String)> {
        match self.make(Kind::Lead, json!({"description": self.named("alone")})).await? {
            Took::Taken(_) => flag(true, "`newLead` with a title only is taken"),
            Took::Refused(why) => {
                // It may be the plan that is full.
                self.a_lead("not alone", json!({})).await?;
                flag(false, format!("`newLead` with a title only: {why}"))
            }
        }
    }

    fn long(&self, length: usize) -> String {
        let mut title = self.named("long ");
        title.extend(std::iter::repeat_n('x', length.saturating_sub(title.chars().count())));
        title
    }

    fn of_length(sent: usize, there: usize, what: &str) -> Told<(Answer, String)> {
        let evidence = format!("{what} of {sent} characters comes back with {there}");
        word(if there == sent { "kept" } else { "cut" }, evidence)
    }

    async fn long_description(&self) -> Told<(Answer, String)> {
        let title = self.long(101);
        match self.lead("long", json!({"description": title})).await? {
            Took::Refused(why) => word("rejected", format!("`newLead` with 101 characters: {why}")),
            Took::Taken(body) => {
                let there = text(&body, "description").unwrap_or_default().chars().count();
                Run::of_length(101, there, "a title")
            }
        }
    }

    async fn rest_long_description(&self) -> Told<(Answer, String)> {
        self.needs_rest()?;
        let contacts: Vec<String> = Some(format!("{}-contacts", self.contact))
            .filter(|_| !self.contact.is_empty())
            .into_iter()
            .collect();
        let title = self.long(300);
        let body = json!({"leads": [{"description": title, "links": {"contacts": contacts}}]});
        match self.post("/leads", &body).await? {
            Took::Refused(why) => word("rejected", format!("`POST /leads` with 300 characters: {why}")),
            Took::Taken(body) => {
                let row = directory::elements(body.get("leads").unwrap_or(&Json::Null))
                    .into_iter()
                    .next()
                    .unwrap_or(body);
                self.note(Kind::Lead, &row);
                let lead = self.read(Kind::Lead, &id_of(&row)?).await?;
                let there = text(&lead, "description").unwrap_or_default().chars().count();
                Run::of_length(300, there, "a title")
            }
        }
    }

    fn value(&self) -> Json {
        let markets = &self.directory.markets;
        let market = markets.iter().find(|market| market.default).or(markets.first());
        let currency = market.and_then(|market| market.currency.clone()).unwrap_or_else(|| "USD".to_owned());
        json!({"currency": currency, "amount": AMOUNT})
    }

    async fn lead_value(&self) -> Told<(Answer, String)> {
        match self.lead("amount", json!({"value": self.value()})).await? {
            Took::Refused(why) => flag(false, format!("`newLead` with `value`: {why}")),
            Took::Taken(body) => {
                let there = body.get("value").unwrap_or(&Json::Null);
                flag(
                    has_amount(&body),
                    format!("`newLead` with `value` {AMOUNT}: it comes back with `{there}`"),
                )
            }
        }
    }

    async fn rest_manual_value(&self) -> Told<(Answer, String)> {
        self.needs_rest()?;
        let lead = id_of(&self.a_lead("manual amount", json!({})).await?)?;
        match self.patch(Kind::Lead, &lead, "/leads/0/manualValue", json!(AMOUNT)).await? {
            Took::Refused(why) => flag(false, format!("`PATCH` of `manualValue`: {why}")),
            Took::Taken(_) => {
                let body = self.read(Kind::Lead, &lead).await?;
                let there = body.get("value").unwrap_or(&Json::Null);
                flag(
                    has_amount(&body),
                    format!("`PATCH` of `manualValue` {AMOUNT}: it comes back with `{there}`"),
                )
            }
        }
    }

    /// A stage behind the first one of a pipeline.
    fn later_stage(&self) -> Option<&directory::Named> {
        self.directory.stagesets.iter().find_map(|set| set.stages.get(1))
    }

    fn at(body: &Json, key: &str) -> Option<String> {
        body.get(key).and_then(directory::id)
    }

    async fn lead_milestone(&self) -> Told<(Answer, String)> {
        let stage = self.later_stage().ok_or_else(|| "no pipeline has two stages".to_owned())?;
        match self.lead("stage", json!({"milestoneId": id_json(&stage.id)})).await? {
            Took::Refused(why) => flag(false, format!("`newLead` with `milestoneId`: {why}")),
            Took::Taken(body) => {
                let there = Run::at(&body, "milestone");
                let evidence =
                    format!("`newLead` with `milestoneId` {}: it comes back with {there:?}", stage.id);
                flag(there.as_deref() == Some(stage.id.as_str()), evidence)
            }
        }
    }

    async fn lead_stageset(&self) -> Told<(Answer, String)> {
        let plain = self.a_lead("pipeline", json!({})).await?;
        let first = Run::at(&plain, "stageset");
        let other = self
            .directory
            .stagesets
            .iter()
            .find(|set| Some(&set.id) != first.as_ref() && !set.stages.is_empty());
        let other = other.ok_or_else(|| "the account has one pipeline".to_owned())?;
        match self.lead("other pipeline", json!({"stagesetId": id_json(&other.id)})).await? {
            Took::Refused(why) => flag(false, format!("`newLead` with `stagesetId`: {why}")),
            Took::Taken(body) => {
                let there = Run::at(&body, "stageset");
                let evidence =
                    format!("`newLead` with `stagesetId` {}: it comes back with {there:?}", other.id);
                flag(there.as_deref() == Some(other.id.as_str()), evidence)
            }
        }
    }

    async fn rest_stage_write(&self) -> Told<(Answer, String)> {
        self.needs_rest()?;
        let lead = self.a_lead("rest stage", json!({})).await?;
        let id = id_of(&lead)?;
        let set = Run::at(&lead, "stageset");
        let set = self.directory.stagesets.iter().find(|known| Some(&known.id) == set.as_ref());
        let stage = set.and_then(|set| {
            set.stages.iter().find(|stage| Some(&stage.id) != Run::at(&lead, "milestone").as_ref())
        });
        let stage = stage.ok_or_else(|| "the pipeline has one stage".to_owned())?;
        let value = json!(format!("{}-stages", stage.id));
        match self.patch(Kind::Lead, &id, "/leads/0/links/stage", value).await? {
            Took::Refused(why) => flag(false, format!("`PATCH` of `links/stage`: {why}")),
            Took::Taken(_) => {
                let there = Run::at(&self.read(Kind::Lead, &id).await?, "milestone");
                let evidence = format!("`PATCH` of `links/stage` {}: it comes back with {there:?}", stage.id);
                flag(there.as_deref() == Some(stage.id.as_str()), evidence)
            }
        }
    }

    async fn primary_account_listed(&self) -> Told<(Answer, String)> {
        if self.account.is_empty() {
            return Err("no account could be made".to_owned());
        }
        let account = json!({"id": id_json(&self.account), "entityType": "Accounts"});
        let lead = self.a_lead("account", json!({"accounts": [account], "primaryAccount": account})).await?;
        let rows = directory::elements(lead.get("accounts").unwrap_or(&Json::Null));
        let listed = rows.iter().any(|row| directory::id(row).as_ref() == Some(&self.account));
        flag(
            listed,
            format!("`newLead` with `primaryAccount`: `accounts` comes back with {} of them", rows.len()),
        )
    }

    async fn unknown_custom_field(&self) -> Told<(Answer, String)> {
        let customs = json!({"b2n probe no such field": "x"});
        match self.lead("unknown field", json!({"customFields": customs})).await? {
            Took::Refused(why) => word("rejected", format!("`newLead`: {why}")),
            Took::Taken(_) => word("dropped", "`newLead` takes the record without it"),
        }
    }

    async fn unknown_tag(&self) -> Told<(Answer, String)> {
        // Only REST deletes a tag.
        self.needs_rest()?;
        let name = self.named("tag");
        match self.lead("unknown tag", json!({"tags": [name]})).await? {
            Took::Refused(why) => word("rejected", format!("`newLead`: {why}")),
            Took::Taken(body) => {
                let tags = directory::elements(body.get("tags").unwrap_or(&Json::Null));
                let there =
                    |tag: &Json| tag.as_str() == Some(&name) || text(tag, "name").as_deref() == Some(&name);
                if tags.iter().any(there) {
                    let tag = Made { what: What::Tag(Kind::Lead), id: String::new(), name, author: None };
                    self.prober.made.borrow_mut().push(tag);
                    return word("created", "`newLead` makes the tag");
                }
                word("dropped", "`newLead` takes the record without it")
            }
        }
    }

    async fn bare_closing_status(&self) -> Told<(Answer, String)> {
        let lead = id_of(&self.a_lead("closing", json!({})).await?)?;
        match self.edit(Kind::Lead, &lead, json!({"status": 10})).await? {
            Took::Refused(why) => flag(false, format!("`editLead` with `status: 10`: {why}")),
            Took::Taken(body) => {
                let there = body.get("status").unwrap_or(&Json::Null);
                let closed = directory::number(&body, "status") == Some(10);
                flag(closed, format!("`editLead` with `status: 10`: it comes back with `{there}`"))
            }
        }
    }

    /// The forms of what closes a lead: the loader's first.
    fn closings(&self) -> Told<[(&'static str, &'static str, Json); 2]> {
        let row = self.directory.outcomes.first().ok_or_else(|| "the account has no outcomes".to_owned())?;
        Ok([("object", "outcome", outcome(row)), ("id", "outcomeId", id_json(&row.id))])
    }

    async fn closing(&self) -> Told<(Answer, String)> {
        let (mut works, mut said) = (Vec::new(), Vec::new());
        for (form, key, value) in self.closings()? {
            let lead = id_of(&self.a_lead(&format!("closed by {form}"), json!({})).await?)?;
            let closed = |body: &Json| directory::number(body, "status").is_some_and(|status| status >= 10);
            match self.edit(Kind::Lead, &lead, json!({key: value})).await? {
                Took::Refused(why) => said.push(format!("`editLead` with `{key}`: {why}")),
                Took::Taken(body) if closed(&body) => {
                    works.push(form);
                    said.push(format!("`editLead` with `{key}` closes it"));
                }
                Took::Taken(_) => said.push(format!("`editLead` with `{key}` does not close it")),
            }
        }
        let answer = match works.as_slice() {
            [_, _] => "both",
            [one] => one,
            _ => "neither",
        };
        word(answer, said.join("; "))
    }

    /// A lead that was closed, as it answered.
    async fn closed(&self) -> Told<(String, Json)> {
        let by_id = self.answered("closing") == Some(Answer::word("id"));
        let [object, id] = self.closings()?;
        let (_, key, value) = if by_id { id } else { object };
        let lead = id_of(&self.a_lead("closed", json!({})).await?)?;
        match self.edit(Kind::Lead, &lead, json!({key: value, "closedTime": LONG_AGO})).await? {
            Took::Refused(why) => Err(format!("`editLead` with `{key}`: {why}")),
            Took::Taken(body) if directory::number(&body, "status").is_some_and(|status| status >= 10) => {
                Ok((lead, body))
            }
            Took::Taken(_) => Err(format!("`editLead` with `{key}` does not close it")),
        }
    }

    async fn closed_lead_edits(&self, lead: &str) -> Told<(Answer, String)> {
        match self.edit(Kind::Lead, lead, json!({"confidence": 37})).await? {
            Took::Refused(why) => flag(false, format!("`editLead` of a closed one: {why}")),
            Took::Taken(body) => {
                let kept = directory::number(&body, "confidence") == Some(37);
                flag(
                    kept,
                    format!(
                        "`editLead` of a closed one's confidence: {}",
                        if kept { "kept" } else { "ignored" }
                    ),
                )
            }
        }
    }
}
