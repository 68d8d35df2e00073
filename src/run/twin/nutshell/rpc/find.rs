//! `findX` and `searchX`: paging, order, queries (sheet §4).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::company::Company;
use super::super::json::Json;
use super::super::record::{Kind, Owner, Record};
use super::super::values::{Context, Refusal};
use super::Call;

/// The common tail of every find: `orderBy, orderDirection, limit, page, stubResponses`.
#[derive(Clone, Debug)]
pub struct Tail {
    pub order: String,
    pub descending: bool,
    pub limit: usize,
    /// 1-based.
    pub page: usize,
    pub stub: bool,
}

/// Full pages hold at most this many (sheet §4).
pub const FULL_CAP: usize = 100;

impl Tail {
    /// Reads the tail; `start` is the place of `orderBy` among positional parameters.
    pub fn read(call: &Call, start: usize, order: &str) -> Result<Tail, Refusal> {
        let stub = call.at("stubResponses", start + 4);
        let limit = match call.at("limit", start + 2) {
            Json::Null => 50,
            sent => sent
                .int()
                .filter(|limit| *limit >= 0)
                .ok_or_else(|| Refusal::bad("limit must be a number"))?,
        };
        let page = match call.at("page", start + 3) {
            Json::Null => 1,
            sent => {
                sent.int().filter(|page| *page >= 1).ok_or_else(|| Refusal::bad("page must be 1 or more"))?
            }
        };
        let direction = call.at("orderDirection", start + 1).filled().unwrap_or_else(|| "ASC".to_owned());
        let descending = match direction.to_ascii_uppercase().as_str() {
            "ASC" => false,
            "DESC" => true,
            _ => return Err(Refusal::bad("orderDirection must be ASC or DESC")),
        };
        Ok(Tail {
            order: call.at("orderBy", start).filled().unwrap_or_else(|| order.to_owned()),
            descending,
            limit: usize::try_from(limit).unwrap_or(usize::MAX).min(10_000),
            page: usize::try_from(page).unwrap_or(usize::MAX),
            stub: stub.is_null() || stub.flag(),
        })
    }

    pub fn skip(&self) -> usize {
        (self.page - 1).saturating_mul(self.limit)
    }

    /// One page of rows that are sorted already.
    pub fn page<T>(&self, rows: impl IntoIterator<Item = T>) -> Vec<T> {
        rows.into_iter().skip(self.skip()).take(self.limit).collect()
    }
}

/// Sorts rows of the settings by `id`, `position` or their name, and cuts a page out.
pub fn rows(tail: &Tail, mut rows: Vec<Value>) -> Value {
    let key = if rows.first().is_some_and(|row| row.get(&tail.order).is_some()) {
        tail.order.as_str()
    } else {
        "name"
    };
    rows.sort_by(|a, b| {
        let (a, b) = (&a[key], &b[key]);
        match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => a.as_str().map(str::to_lowercase).cmp(&b.as_str().map(str::to_lowercase)),
        }
    });
    if tail.descending {
        rows.reverse();
    }
    Value::Array(tail.page(rows))
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum SortKey {
    Int(i64),
    Text(String),
}

fn sort_key(company: &Company, record: &Record, order: &str) -> Result<SortKey, Refusal> {
    let deal = record.deal.as_deref();
    Ok(match order {
        "id" => SortKey::Int(record.id),
        "name" | "givenName" | "familyName" if record.kind != Kind::Leads => {
            SortKey::Text(record.display().to_lowercase())
        }
        "name" | "number" => SortKey::Int(deal.map_or(0, |deal| deal.number)),
        "description" => SortKey::Text(record.description.clone().unwrap_or_default().to_lowercase()),
        "createdTime" | "created_time" => SortKey::Int(record.created),
        "modifiedTime" | "modified_time" => SortKey::Int(record.modified),
        "dueTime" | "due_time" => SortKey::Int(deal.and_then(|deal| deal.due).unwrap_or(0)),
        "closedTime" | "closed_time" => SortKey::Int(deal.and_then(|deal| deal.closed).unwrap_or(0)),
        "status" => SortKey::Int(deal.map_or(0, |deal| deal.status)),
        "milestone" => SortKey::Int(deal.map_or(0, |deal| deal.milestone)),
        "owner" => SortKey::Int(match record.owner {
            Some(Owner::User(id) | Owner::Team(id)) => id,
            None => 0,
        }),
        "sources" => SortKey::Int(deal.and_then(|deal| deal.sources.first().copied()).unwrap_or(0)),
        "confidence" => SortKey::Int(deal.and_then(|deal| deal.confidence).unwrap_or(0)),
        "value" => SortKey::Int(i64::try_from(company.lead_value(record).trunc().mantissa()).unwrap_or(0)),
        _ => return Err(Refusal::bad(format!("Invalid orderBy {order}"))),
    })
}

/// Sorted results that the next page of the same question uses again.
#[derive(Clone, Debug, Default)]
pub struct Sorted {
    kept: Vec<(String, u64, Found)>,
}

/// What a question found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    pub ids: Vec<i64>,
    /// How many accounts of each account type are among them.
    pub account_types: BTreeMap<i64, usize>,
}

impl Sorted {
    /// The ids that a question stands for, computed anew when anything changed since.
    pub fn get(
        &mut self,
        company: &Company,
        kind: Kind,
        question: &str,
        compute: impl FnOnce() -> Result<Vec<i64>, Refusal>,
    ) -> Result<&Found, Refusal> {
        let name = format!("{} {question}", kind.name());
        let generation = company.index.generation(kind);
        let known = self.kept.iter().position(|(known, ..)| *known == name);
        match known {
            Some(at) if self.kept[at].1 == generation => self.kept.swap(0, at),
            _ => {
                let mut found = Found { ids: compute()?, account_types: BTreeMap::new() };
                if kind == Kind::Accounts {
                    let records = found.ids.iter().filter_map(|id| company.record(kind, *id));
                    for id in records.filter_map(|record| record.account_type) {
                        *found.account_types.entry(id).or_default() += 1;
                    }
                }
                if let Some(at) = known {
                    self.kept.remove(at);
                }
                self.kept.insert(0, (name, generation, found));
                self.kept.truncate(4);
            }
        }
        Ok(&self.kept[0].2)
    }
}

/// Sorts ids by an order of records.
pub fn sort(
    company: &Company,
    kind: Kind,
    mut ids: Vec<i64>,
    order: &str,
    descending: bool,
) -> Result<Vec<i64>, Refusal> {
    if order == "id" {
        ids.sort_unstable();
    } else {
        let mut keyed = Vec::with_capacity(ids.len());
        for record in ids.iter().filter_map(|id| company.record(kind, *id)) {
            keyed.push((sort_key(company, record, order)?, record.id));
        }
        keyed.sort();
        ids = keyed.into_iter().map(|(_, id)| id).collect();
    }
    if descending {
        ids.reverse();
    }
    Ok(ids)
}

/// The ids of one page of accounts, contacts or leads.
pub fn page(
    company: &Company,
    sorted: &mut Sorted,
    context: Context,
    kind: Kind,
    query: &Json,
    tail: &Tail,
) -> Result<Vec<i64>, Refusal> {
    check_keys(kind, query)?;
    let listed = company.index.listed(kind);
    let unfiltered = query.entries().iter().all(|(_, value)| value.is_null());
    if unfiltered && tail.order == "id" {
        if !tail.descending {
            return Ok(listed.page(tail.skip(), tail.limit));
        }
        let left = listed.len().saturating_sub(tail.skip());
        let from = left.saturating_sub(tail.limit);
        let mut ids = listed.page(from, left - from);
        ids.reverse();
        return Ok(ids);
    }
    let question = format!("{} {} {} {}", query.to_value(), tail.order, tail.descending, context.user);
    let found = sorted.get(company, kind, &question, || {
        let ids = matching(company, context, kind, query);
        sort(company, kind, ids, &tail.order, tail.descending)
    })?;
    Ok(tail.page(found.ids.iter().copied()))
}

const LEAD_KEYS: [&str; 18] = [
    "status",
    "filter",
    "milestoneId",
    "milestoneIds",
    "stagesetId",
    "stagesetIds",
    "outcomeId",
    "dueTime",
    "assignee",
    "number",
    "accountId",
    "contactId",
    "origin",
    "channel",
    "source",
    "tag",
    "priority",
    "market",
];

fn check_keys(kind: Kind, query: &Json) -> Result<(), Refusal> {
    let known: &[&str] = match kind {
        Kind::Accounts => &["accountType", "industry", "territory", "origin", "hasOpenLeads", "tag"],
        // `email` is not among them (sheet §4).
        Kind::Contacts => &["accountId", "leadId", "tag"],
        Kind::Leads => &LEAD_KEYS,
    };
    match query.entries().iter().find(|(key, _)| !known.contains(&key.as_str())) {
        Some((key, _)) => Err(Refusal::bad(format!("Invalid query key {key}"))),
        None => Ok(()),
    }
}

/// One value or a list of them, all read as integers or ids of objects.
fn ids(value: &Json) -> BTreeSet<i64> {
    let one = |value: &Json| value.int().or_else(|| value.at("id").int());
    match value {
        Json::Arr(list) => list.iter().filter_map(one).collect(),
        _ => one(value).into_iter().collect(),
    }
}

/// The records that satisfy every key; several values inside one key are alternatives.
fn matching(company: &Company, context: Context, kind: Kind, query: &Json) -> Vec<i64> {
    let listed = company.index.listed(kind);
    // A linked record narrows the search to its own links.
    let start = [("accountId", Kind::Accounts), ("contactId", Kind::Contacts), ("leadId", Kind::Leads)];
    let start = start
        .iter()
        .find_map(|(key, to)| query.get(key).filter(|value| !value.is_null()).map(|value| (value, *to)));
    let candidates: Vec<i64> = match start {
        Some((value, to)) => {
            let mut found = BTreeSet::new();
            for id in ids(value) {
                let links = company.live(to, id).map(|record| record.links(kind).iter().map(|link| link.id));
                found.extend(links.into_iter().flatten().filter(|id| listed.contains(*id)));
            }
            found.into_iter().collect()
        }
        None => listed.page(0, listed.len()),
    };
    let tests: Vec<_> = query
        .entries()
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| Test::new(company, kind, key, value))
        .collect();
    let holds = |id: &i64| {
        company
            .live(kind, *id)
            .is_some_and(|record| tests.iter().all(|test| test.holds(company, context, record)))
    };
    candidates.into_iter().filter(holds).collect()
}

/// One key of a query, read once.
struct Test<'a> {
    key: &'a str,
    value: &'a Json,
    ids: BTreeSet<i64>,
}

impl<'a> Test<'a> {
    fn new(company: &Company, kind: Kind, key: &'a str, value: &'a Json) -> Test<'a> {
        let ids = if key == "tag" {
            let names: Vec<String> = match value {
                Json::Arr(list) => list.iter().filter_map(Json::filled).collect(),
                _ => value.filled().into_iter().collect(),
            };
            let wanted = |tag: &&super::super::company::Tag| {
                tag.kind == kind
                    && tag.deleted.is_none()
                    && (names.contains(&tag.name) || names.contains(&tag.id.to_string()))
            };
            company.tags.iter().filter(wanted).map(|tag| tag.id).collect()
        } else {
            ids(value)
        };
        Test { key, value, ids }
    }

    fn holds(&self, company: &Company, context: Context, record: &Record) -> bool {
        let has = |id: Option<i64>| id.is_some_and(|id| self.ids.contains(&id));
        let linked = |to: Kind| record.links(to).iter().any(|link| self.ids.contains(&link.id));
        let deal = record.deal.as_deref();
        match self.key {
            "tag" => record.tags.iter().any(|tag| self.ids.contains(tag)),
            "accountId" => linked(Kind::Accounts),
            "contactId" => linked(Kind::Contacts),
            "leadId" => linked(Kind::Leads),
            "accountType" => has(record.account_type),
            "industry" => has(record.industry),
            "territory" => has(record.territory),
            "hasOpenLeads" => {
                let open = |id| {
                    company
                        .live(Kind::Leads, id)
                        .and_then(|lead| lead.deal.as_ref())
                        .is_some_and(|deal| deal.status < 10)
                };
                record.leads.iter().any(|link| open(link.id)) == self.value.flag()
            }
            "origin" => {
                matches!(record.creator, super::super::record::Actor::Origin(id) if self.ids.contains(&id))
            }
            "status" => has(deal.map(|deal| deal.status)),
            "milestoneId" | "milestoneIds" => has(deal.map(|deal| deal.milestone)),
            "stagesetId" | "stagesetIds" => has(deal.map(|deal| deal.stageset)),
            "outcomeId" => has(deal.and_then(|deal| deal.outcome)),
            "number" => has(deal.map(|deal| deal.number)),
            "priority" => has(deal.map(|deal| deal.priority)),
            "market" => has(deal.map(|deal| deal.market)),
            "source" => deal.is_some_and(|deal| deal.sources.iter().any(|id| self.ids.contains(id))),
            "assignee" => self.value.list().iter().any(|sent| {
                let id = sent.at("id").int();
                match (sent.at("entityType").str(), record.owner) {
                    (Some("Users"), Some(Owner::User(user))) => id == Some(user),
                    (Some("Teams"), Some(Owner::Team(team))) => id == Some(team),
                    _ => false,
                }
            }),
            // 0 mine, 1 my team, 2 all; the twin's users are in no team.
            "filter" => self.value.int() == Some(2) || record.owner == Some(Owner::User(context.user)),
            _ => true,
        }
    }
}
