//! Experiments that only read: envelopes, codes, what the plan includes, how a busy system answers.

use serde_json::{Value as Json, json};

use super::super::capability::Kind;
use super::super::client::named;
use super::super::directory;
use super::super::wire::{self, Fault};
use super::run::{Run, Told, flag, word, words};
use crate::lang::schema::Answer;
use crate::run::connect::Error;
use crate::run::connect::outside::HttpResponse;

/// An id that nobody has.
const NOBODY: i64 = 2_000_000_011;

impl Run<'_> {
    pub(super) async fn reads(&mut self) -> Result<(), Error> {
        self.conclude("envelope", self.envelope().await);
        self.conclude("rpc_status", self.rpc_status().await);
        self.conclude("not_found", self.not_found().await);
        let (access, bare) = self.rest_access().await;
        self.conclude("rest_access", access);
        self.conclude("rest_bare_lists", bare);
        self.conclude("rest_sort_by_id", self.sort_by_id().await);
        self.conclude("custom_field_keys", self.custom_field_keys().await);
        self.conclude("attributes_tell_types", self.attributes_tell_types().await);
        Ok(())
    }

    /// An answer of RPC as it came; a fault of the server is asked again.
    async fn raw(&self, method: &str, params: Json) -> Told<HttpResponse> {
        let sent = self
            .patiently(async || {
                let response = self.client().raw(method, &params).await?;
                let body = json_of(&response);
                let code = body.as_ref().and_then(|body| body.get("error")?.get("code")?.as_i64());
                if body.is_none() || code.is_some_and(|code| code >= 429) {
                    return Err(Fault::Lost(format!("HTTP {}", response.status)));
                }
                Ok(response)
            })
            .await;
        sent.map_err(|fault| format!("`{method}`: {}", words(&fault)))
    }

    async fn envelope(&self) -> Told<(Answer, String)> {
        let body = json_of(&self.raw("instanceData", named([])).await?).unwrap_or_default();
        let keys: Vec<&str> = body.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
        let evidence = format!("`instanceData` answers with {}", keys.join(", "));
        word(if keys.contains(&"error") { "documented" } else { "live" }, evidence)
    }

    async fn rpc_status(&self) -> Told<(Answer, String)> {
        let response = self.raw("b2nNoSuchMethod", named([])).await?;
        let evidence = format!("a method that does not exist answers HTTP {}", response.status);
        word(if response.status == 200 { "always 200" } else { "follows" }, evidence)
    }

    async fn not_found(&self) -> Told<(Answer, String)> {
        let response = self.raw("getAccount", named([("accountId", NOBODY.into())])).await?;
        let body = json_of(&response).unwrap_or_default();
        match body.get("error").filter(|error| !error.is_null()) {
            Some(error) => {
                let code = error.get("code").and_then(Json::as_i64).unwrap_or_default();
                let said = error.get("message").and_then(Json::as_str).unwrap_or_default();
                word(&code.to_string(), format!("`getAccount` {NOBODY}: {code} `{said}`"))
            }
            None if body.get("result").is_some_and(Json::is_null) => {
                word("null", format!("`getAccount` {NOBODY}: `null` without an error"))
            }
            None => Err(format!("`getAccount` {NOBODY} answers with a record")),
        }
    }

    async fn rest_access(&self) -> (Told<(Answer, String)>, Told<(Answer, String)>) {
        let path = "/stagesets";
        match self.patiently(async || self.client().get(path, &[]).await).await {
            Ok(body) => {
                let form = if body.is_array() { "a bare list" } else { "a list under its name" };
                (
                    flag(true, format!("`GET {path}` answers")),
                    flag(body.is_array(), format!("`GET {path}`: {form}")),
                )
            }
            Err(fault @ (Fault::Denied(_) | Fault::Missing(_))) => {
                let said = format!("`GET {path}`: {}", words(&fault));
                (flag(false, said.clone()), Err(said))
            }
            Err(fault) => {
                let said = format!("`GET {path}`: {}", words(&fault));
                (Err(said.clone()), Err(said))
            }
        }
    }

    async fn sort_by_id(&self) -> Told<(Answer, String)> {
        self.needs_rest()?;
        let query = [("sort", "id"), ("page[page]", "0"), ("page[limit]", "1")];
        match self.patiently(async || self.client().get("/leads", &query).await).await {
            Ok(_) => flag(true, "`GET /leads?sort=id` answers"),
            Err(Fault::Refused(why)) => flag(false, format!("`GET /leads?sort=id`: {why}")),
            Err(fault) => Err(format!("`GET /leads?sort=id`: {}", words(&fault))),
        }
    }

    pub(super) fn needs_rest(&self) -> Told<()> {
        if self.has_rest() { Ok(()) } else { Err("the account has no REST API".to_owned()) }
    }

    async fn custom_field_keys(&self) -> Told<(Answer, String)> {
        let method = "findCustomFields";
        let found =
            self.call(method, named([])).await.map_err(|fault| format!("`{method}`: {}", words(&fault)))?;
        let rows = Kind::CORE
            .iter()
            .flat_map(|kind| directory::elements(found.get(kind.entity()).unwrap_or(&Json::Null)));
        let mut keys: Vec<String> = rows
            .flat_map(|row| {
                row.as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect::<Vec<_>>()
            })
            .collect();
        keys.sort();
        keys.dedup();
        if keys.is_empty() {
            return Err("the account has no custom fields".to_owned());
        }
        word(&keys.join(", "), format!("rows of `{method}` hold {}", keys.join(", ")))
    }

    async fn attributes_tell_types(&self) -> Told<(Answer, String)> {
        self.needs_rest()?;
        let mut any = false;
        for kind in Kind::CORE {
            let rows = directory::fields(self.client(), kind).await.map_err(|error| error.to_string())?;
            if let Some(row) = rows.iter().find(|row| !row.word.is_empty()) {
                let evidence = format!("`{}` of {} has the type `{}`", row.name, kind.object(), row.word);
                return flag(true, evidence);
            }
            any |= !rows.is_empty();
        }
        if any {
            flag(false, "no row has a `type`")
        } else {
            Err("the account has no custom fields".to_owned())
        }
    }

    /// Sends large reads one after the other until one is refused for load.
    pub(super) async fn burst(&mut self) -> Result<(), Error> {
        if self.asking.burst == 0 {
            self.say("throttled", None, "no burst is wanted");
            return Ok(());
        }
        let params = json!({
            "query": {"filter": 2}, "orderBy": "id", "orderDirection": "ASC", "limit": 100, "page": 1,
            "stubResponses": false,
        });
        let mut served = 0;
        for _ in 0..self.asking.burst {
            let Ok(response) = self.client().raw("findLeads", &params).await else { continue };
            let busy = matches!(wire::rpc(&response, "b2n-raw"), Err(Fault::Busy { .. }));
            let body = json_of(&response);
            let code = body.as_ref().and_then(|body| body.get("error")?.get("code")?.as_i64());
            if !busy && response.status != 503 && code != Some(503) {
                served += 1;
                continue;
            }
            let after = response.header("retry-after");
            let status = if busy { 429 } else { 503 };
            let answer = match after {
                Some(_) => format!("{status} retry-after"),
                None => status.to_string(),
            };
            let said = after.map_or_else(String::new, |after| format!(", `Retry-After: {after}`"));
            let evidence =
                format!("after {served} full pages of `findLeads`: HTTP {}{said}", response.status);
            self.say("throttled", Some(Answer::word(answer)), evidence);
            return Ok(());
        }
        self.say(
            "throttled",
            Some(Answer::word("not met")),
            format!("{served} full pages of `findLeads` were served"),
        );
        Ok(())
    }
}

fn json_of(response: &HttpResponse) -> Option<Json> {
    serde_json::from_slice(&response.body).ok()
}
