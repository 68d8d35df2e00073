//! What an account's settings hold: pipelines, outcomes, lists, users, custom fields, each with its id.
//!
//! Reads the shapes of the reference lists, which differ between the two APIs and with time (sheet §3.2, §5, §6).

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::Value as Json;

use super::capability::Kind;
use super::client::{Client, failed, named};
use super::pages::every_row;
use super::wire::Fault;
use crate::lang::value::{OutcomeKind, Value, parse};
use crate::run::connect::Error;

/// Something with an id and a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) id: String,
    pub(super) name: String,
}

/// A market, which decides the currency of its leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Market {
    pub(super) id: String,
    pub(super) name: String,
    /// ISO 4217, where the account tells.
    pub(super) currency: Option<String>,
    pub(super) default: bool,
}

/// A pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stageset {
    pub(super) id: String,
    pub(super) name: String,
    /// In order.
    pub(super) stages: Vec<Named>,
}

/// A reason that closes a lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OutcomeRow {
    pub(super) id: String,
    pub(super) rev: Option<String>,
    pub(super) name: String,
    pub(super) kind: OutcomeKind,
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UserRow {
    pub(super) id: String,
    pub(super) email: Option<String>,
    /// What people call the user.
    pub(super) name: Option<String>,
    pub(super) active: bool,
}

/// The definition of a custom field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FieldRow {
    pub(super) name: String,
    /// The API's word for its type; empty where it does not say.
    pub(super) word: String,
    pub(super) choices: Vec<String>,
    pub(super) many: bool,
}

/// Names with their ids, as the account has them now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Directory {
    pub(super) industries: Vec<Named>,
    pub(super) account_types: Vec<Named>,
    pub(super) activity_types: Vec<Named>,
    pub(super) territories: Vec<Named>,
    pub(super) sources: Vec<Named>,
    pub(super) tags: BTreeMap<Kind, Vec<String>>,
    pub(super) markets: Vec<Market>,
    pub(super) stagesets: Vec<Stageset>,
    pub(super) outcomes: Vec<OutcomeRow>,
    pub(super) users: Vec<UserRow>,
    pub(super) teams: Vec<Named>,
    pub(super) fields: BTreeMap<Kind, Vec<FieldRow>>,
}

impl Directory {
    /// Reads everything; about seventeen requests.
    pub(super) async fn fetch(client: &Client) -> Result<Directory, Error> {
        let mut directory = Directory::fetch_rpc(client).await?;
        if directory.markets.iter().any(|market| market.currency.is_none()) {
            let listed = client.get("/markets", &[]).await;
            directory.name_currencies(&listed.map(|json| list(&json, "markets")).unwrap_or_default());
        }
        for kind in Kind::CORE {
            directory.fields.insert(kind, fields(client, kind).await?);
        }
        Ok(directory)
    }

    /// Reads what RPC alone tells.
    pub(super) async fn fetch_rpc(client: &Client) -> Result<Directory, Error> {
        Ok(Directory {
            industries: named_rows(&rows(client, "findIndustries").await?),
            account_types: named_rows(&rows(client, "findAccountTypes").await?),
            activity_types: named_rows(&rows(client, "findActivityTypes").await?),
            territories: named_rows(&rows(client, "findTerritories").await?),
            sources: sources(client).await?,
            tags: tags(client).await?,
            markets: markets(&rows(client, "findMarkets").await?),
            stagesets: stagesets(
                &rows(client, "findStagesets").await?,
                &rows(client, "findMilestones").await?,
            ),
            outcomes: outcomes(&rows(client, "findLead_Outcomes").await?),
            users: user_rows(client).await?,
            teams: team_rows(client).await?,
            fields: BTreeMap::new(),
        })
    }

    /// RPC stubs need not say a market's currency; REST rows may.
    fn name_currencies(&mut self, rows: &[Json]) {
        for market in self.markets.iter_mut().filter(|market| market.currency.is_none()) {
            let row = rows.iter().find(|row| id(row).as_deref() == Some(&market.id));
            market.currency = row.and_then(currency);
        }
    }

    /// The definition of a custom field.
    pub(super) fn field(&self, kind: Kind, name: &str) -> Option<&FieldRow> {
        self.fields.get(&kind)?.iter().find(|field| field.name == name)
    }
}

/// Lead sources, which may be added to.
pub(super) async fn sources(client: &Client) -> Result<Vec<Named>, Error> {
    Ok(named_rows(&rows(client, "findSources").await?))
}

/// Tags, which belong to one type of record each: the same name may occur for several (sheet §5).
pub(super) async fn tags(client: &Client) -> Result<BTreeMap<Kind, Vec<String>>, Error> {
    let method = "findTags";
    let found = client.read(method, named([])).await.map_err(|fault| failed(method, fault))?;
    Ok(read_tags(&found))
}

/// Users.
pub(super) async fn user_rows(client: &Client) -> Result<Vec<UserRow>, Error> {
    Ok(users(&rows(client, "findUsers").await?))
}

/// Teams, which can own records as users can (sheet §9.15).
pub(super) async fn team_rows(client: &Client) -> Result<Vec<Named>, Error> {
    Ok(named_rows(&rows(client, "findTeams").await?))
}

/// A team's id where a user's can stand, as REST writes it.
pub(super) fn team_id(id: &str) -> String {
    format!("{id}-teams")
}

/// Whether a user's value is a team.
pub(super) fn is_team(value: &Value) -> bool {
    matches!(value.bare(), Value::Text(id) if id.ends_with("-teams"))
}

/// What stands for a team's address in `owners`, and in snapshots as a hash.
pub(super) fn team_address(name: &str) -> String {
    format!("team {name}")
}

/// Pipelines as REST renders them, which says more of them than RPC does; none where the account has no REST
/// (sheet §3).
pub(super) async fn stageset_rows(client: &Client) -> Result<Vec<Json>, Error> {
    let path = "/stagesets";
    match client.get(path, &[]).await {
        Ok(found) => Ok(list(&found, "stagesets")),
        Err(Fault::Missing(_)) => Ok(Vec::new()),
        Err(fault) => Err(failed(path, fault)),
    }
}

/// The custom fields of one type of record.
pub(super) async fn fields(client: &Client, kind: Kind) -> Result<Vec<FieldRow>, Error> {
    let path = format!("/{}/customfields/attributes", kind.rest());
    match client.get(&path, &[]).await {
        Ok(found) => Ok(read_fields(&list(&found, "customFields"))),
        // Some accounts have no REST (sheet §3): names without types are better than nothing.
        Err(Fault::Missing(_)) => {
            let method = "findCustomFields";
            let found = client.read(method, named([])).await.map_err(|fault| failed(method, fault))?;
            Ok(read_fields(&elements(found.get(kind.entity()).unwrap_or(&Json::Null))))
        }
        Err(fault) => Err(failed(&path, fault)),
    }
}

/// Every row of a list.
async fn rows(client: &Client, method: &str) -> Result<Vec<Json>, Error> {
    every_row(client, method, &[("orderBy", "id".into()), ("orderDirection", "ASC".into())]).await
}

/// The elements of a list or, since empty and keyed lists are both PHP arrays, of an object (sheet §9.4).
pub(super) fn elements(json: &Json) -> Vec<Json> {
    match json {
        Json::Array(list) => list.clone(),
        Json::Object(map) => map.values().cloned().collect(),
        _ => Vec::new(),
    }
}

/// A REST list, bare or wrapped (sheet §3.2).
fn list(json: &Json, key: &str) -> Vec<Json> {
    match json {
        Json::Array(list) => list.clone(),
        other => other.get(key).map(elements).unwrap_or_default(),
    }
}

/// An id as text: a number, its text, or REST's `12-accounts`.
pub(super) fn id(row: &Json) -> Option<String> {
    match row.get("id")? {
        Json::Number(number) => Some(number.to_string()),
        Json::String(text) => {
            let text = text.trim();
            let digits = text.split('-').next().unwrap_or_default();
            let number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            let id = if number { digits } else { text };
            (!id.is_empty()).then(|| id.to_owned())
        }
        _ => None,
    }
}

pub(super) fn text(row: &Json, key: &str) -> Option<String> {
    match row.get(key)? {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

pub(super) fn flag(row: &Json, key: &str) -> Option<bool> {
    match row.get(key)? {
        Json::Bool(yes) => Some(*yes),
        Json::Number(number) => Some(number.as_i64() != Some(0)),
        Json::String(text) => Some(!matches!(text.as_str(), "" | "0" | "false")),
        _ => None,
    }
}

pub(super) fn number(row: &Json, key: &str) -> Option<i64> {
    let value = row.get(key)?;
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// A decimal that stands as a number or as a text, without zeros at its end.
pub(super) fn decimal(json: &Json) -> Option<Decimal> {
    let text = json.as_str().map_or_else(|| json.to_string(), str::to_owned);
    parse::decimal(&text).map(|number| number.normalize())
}

/// The amount of `{currency, amount}`.
pub(super) fn amount(json: &Json) -> Option<Decimal> {
    decimal(json.get("amount")?)
}

/// Of several rows of one name the first counts, which is the oldest.
fn named_rows(rows: &[Json]) -> Vec<Named> {
    let mut found: Vec<Named> = Vec::new();
    for row in rows {
        let (Some(id), Some(name)) = (id(row), text(row, "name")) else { continue };
        if !found.iter().any(|known| known.name == name) {
            found.push(Named { id, name });
        }
    }
    found
}

fn currency(row: &Json) -> Option<String> {
    let value = ["currency", "currencyCode", "currency_shortname"].iter().find_map(|key| row.get(key))?;
    let code = match value {
        Json::String(code) => code.clone(),
        inner => text(inner, "code").or_else(|| text(inner, "shortname")).or_else(|| text(inner, "name"))?,
    };
    crate::lang::value::Currency::parse(&code).map(|currency| currency.as_str().to_owned())
}

fn markets(rows: &[Json]) -> Vec<Market> {
    let mut found: Vec<Market> = Vec::new();
    for row in rows {
        let (Some(id), Some(name)) = (id(row), text(row, "name")) else { continue };
        if !found.iter().any(|known| known.name == name) {
            let default = flag(row, "default").or_else(|| flag(row, "isDefault")).unwrap_or(false);
            found.push(Market { id, name, currency: currency(row), default });
        }
    }
    found
}

fn stagesets(sets: &[Json], stages: &[Json]) -> Vec<Stageset> {
    let place = |row: &&Json| (number(row, "position").unwrap_or(i64::MAX), number(row, "id"));
    let mut sets: Vec<&Json> = sets.iter().collect();
    sets.sort_by_key(place);
    let mut stages: Vec<&Json> = stages.iter().collect();
    stages.sort_by_key(place);
    let read = |set: &Json| {
        let (set, name) = (id(set)?, text(set, "name")?);
        let of = stages.iter().filter(|stage| text(stage, "stagesetId").as_deref() == Some(&set));
        let stages = of.filter_map(|stage| Some(Named { id: id(stage)?, name: text(stage, "name")? }));
        Some(Stageset { stages: stages.collect(), id: set, name })
    };
    sets.into_iter().filter_map(read).collect()
}

/// The name stands in `description` (sheet §5.1).
fn outcomes(rows: &[Json]) -> Vec<OutcomeRow> {
    let read = |row: &Json| {
        let kind = match text(row, "type").or_else(|| text(row, "status"))?.to_ascii_lowercase().as_str() {
            "10" | "won" => OutcomeKind::Won,
            "11" | "lost" => OutcomeKind::Lost,
            "12" | "cancelled" => OutcomeKind::Cancelled,
            _ => return None,
        };
        let name = text(row, "description").or_else(|| text(row, "name"))?;
        Some(OutcomeRow { id: id(row)?, rev: text(row, "rev"), name, kind })
    };
    rows.iter().filter_map(read).collect()
}

fn users(rows: &[Json]) -> Vec<UserRow> {
    let read = |row: &Json| {
        let emails = elements(row.get("emails").unwrap_or(&Json::Null));
        let email = emails.iter().filter_map(Json::as_str).map(str::trim).find(|email| !email.is_empty());
        let active = flag(row, "isEnabled").unwrap_or(true);
        let name = text(row, "name").filter(|name| !name.trim().is_empty());
        Some(UserRow { id: id(row)?, email: email.map(str::to_owned), name, active })
    };
    rows.iter().filter_map(read).collect()
}

fn read_tags(found: &Json) -> BTreeMap<Kind, Vec<String>> {
    let mut tags = BTreeMap::new();
    for kind in Kind::CORE {
        let mut names: Vec<String> = Vec::new();
        for tag in elements(found.get(kind.entity()).unwrap_or(&Json::Null)) {
            let name = tag.as_str().map(str::to_owned).or_else(|| text(&tag, "name"));
            names.extend(name.filter(|name| !names.contains(name)));
        }
        tags.insert(kind, names);
    }
    tags
}

fn read_fields(rows: &[Json]) -> Vec<FieldRow> {
    let read = |row: &Json| {
        let choices = elements(row.get("choices").unwrap_or(&Json::Null));
        let choice = |choice: &Json| {
            choice
                .as_str()
                .map(str::to_owned)
                .or_else(|| text(choice, "name"))
                .or_else(|| text(choice, "value"))
        };
        Some(FieldRow {
            // `title` stands in for a name that is an internal key nowhere seen; the label is the write key.
            name: text(row, "name").or_else(|| text(row, "title"))?,
            word: text(row, "type").unwrap_or_default(),
            choices: choices.iter().filter_map(choice).collect(),
            many: flag(row, "isMultiple").unwrap_or(false),
        })
    };
    rows.iter().filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::sample;
    use super::*;

    #[test]
    fn the_live_pipelines_are_read_in_order() {
        let (Some(sets), Some(stages)) =
            (sample("rpc.findStagesets.json"), sample("rpc.findMilestones.json"))
        else {
            return;
        };
        let sets = stagesets(&elements(&sets["result"]), &elements(&stages["result"]));
        let names: Vec<&str> = sets.iter().map(|set| set.name.as_str()).collect();
        assert_eq!(names[..2], ["Sales Pipeline 2024", "BT - Coaches"]);
        let ids: Vec<&str> = sets[0].stages.iter().map(|stage| stage.id.as_str()).collect();
        assert_eq!(ids, ["327", "331", "335", "339", "351", "355", "343", "459"], "by position, not by id");
        assert!(sets[1].stages.is_empty());
    }

    #[test]
    fn the_live_users_are_read() {
        let Some(found) = sample("rpc.findUsers.json") else { return };
        let found = users(&elements(&found["result"]));
        assert_eq!(found.len(), 3);
        assert_eq!(found[0].email.as_deref(), Some("crock@mail.com"));
        assert!(found.iter().all(|user| user.active));
    }

    #[test]
    fn lists_are_read_in_every_form() {
        let row =
            json!({"name": "Segment", "type": "Decision", "choices": ["A", {"name": "B"}], "isMultiple": 1});
        let expected = vec![FieldRow {
            name: "Segment".to_owned(),
            word: "Decision".to_owned(),
            choices: vec!["A".to_owned(), "B".to_owned()],
            many: true,
        }];
        for found in [json!([row]), json!({"customFields": [row]}), json!({"customFields": {"0": row}})] {
            assert_eq!(read_fields(&list(&found, "customFields")), expected);
        }
        assert!(read_fields(&list(&json!({"meta": {}}), "customFields")).is_empty());
        let tags =
            read_tags(&json!({"Leads": ["2023", "2023"], "Accounts": [], "Contacts": [{"name": "VIP"}]}));
        assert_eq!(tags[&Kind::Lead], ["2023"]);
        assert_eq!(tags[&Kind::Contact], ["VIP"]);
        assert!(read_tags(&json!([]))[&Kind::Account].is_empty());
    }

    #[test]
    fn outcomes_and_markets_are_read() {
        let found = outcomes(&[
            json!({"id": 5, "rev": "1", "description": "Signed", "type": 10}),
            json!({"id": "6-outcomes", "name": "No budget", "status": "lost"}),
            json!({"id": 7, "description": "?", "type": 99}),
        ]);
        assert_eq!(found.len(), 2);
        assert_eq!((found[1].id.as_str(), found[1].kind), ("6", OutcomeKind::Lost));
        let found = markets(&[
            json!({"id": 1, "name": "US", "currency": {"code": "usd"}, "default": 1}),
            json!({"id": 2, "name": "Else"}),
        ]);
        assert_eq!(found[0].currency.as_deref(), Some("USD"));
        assert!(found[0].default && !found[1].default && found[1].currency.is_none());
    }
}
