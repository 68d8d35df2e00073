//! Lists: pages, filters, sorts (sheet §3.2).

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::super::State;
use super::super::company::Company;
use super::super::index::{EMAIL, NAME};
use super::super::record::{Kind, Owner, Record};
use super::super::rpc::render::Render;
use super::super::rpc::sort;
use super::super::time;
use super::super::values::{Context, Refusal};
use super::render;
use super::{number_of, ok};

/// Query parameters in the order in which they were sent.
pub type Query = Vec<(String, String)>;

/// Splits and decodes a query.
pub fn query(text: &str) -> Query {
    let pair = |pair: &str| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key, true), decode(value, true))
    };
    text.split('&').filter(|pair| !pair.is_empty()).map(pair).collect()
}

/// Decodes percent escapes, and `+` as a blank inside queries.
pub fn decode(text: &str, plus: bool) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' if plus => bytes.push(b' '),
            b'%' => {
                let digits = [rest.clone().next(), rest.clone().nth(1)];
                let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
                match (digit(digits[0]), digit(digits[1])) {
                    (Some(high), Some(low)) => {
                        bytes.push((high * 16 + low) as u8);
                        rest.nth(1);
                    }
                    _ => bytes.push(byte),
                }
            }
            _ => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn invalid(detail: String) -> Refusal {
    Refusal::bad("Invalid filter").detail(detail)
}

/// The 0-based page and its size.
pub fn paging(query: &Query) -> Result<(usize, usize), Refusal> {
    let last =
        |key: &str| query.iter().rev().find(|(known, _)| known == key).map(|(_, value)| value.as_str());
    let page = match last("page[page]") {
        None => 0,
        Some(text) => text.parse::<usize>().map_err(|_| invalid(format!("Invalid page number: {text}")))?,
    };
    let limit = match last("page[limit]") {
        None => 50,
        Some(text) => match text.parse::<usize>() {
            Ok(limit) if (1..=10_000).contains(&limit) => limit,
            _ => return Err(invalid(format!("Invalid page limit: {text}"))),
        },
    };
    Ok((page, limit))
}

/// The keys that every list meta has.
pub fn meta(settings: &super::super::Settings, count: Option<usize>) -> Map<String, Value> {
    let mut meta = Map::new();
    meta.insert("instanceId".to_owned(), json!(settings.instance_id));
    meta.insert("siteId".to_owned(), json!(settings.site_id));
    if let Some(count) = count {
        let words = json!({"formatted": render::thousands(&count.to_string()), "prefix": "", "suffix": "", "value": count});
        for key in ["count", "total"] {
            meta.insert(key.to_owned(), json!(count));
            meta.insert(format!("{key}Formatted"), words.clone());
        }
    }
    meta
}

/// `GET /{accounts|contacts|leads}`.
pub fn records(
    state: &mut State,
    context: Context,
    kind: Kind,
    query: &Query,
) -> Result<super::Answer, Refusal> {
    let (page, limit) = paging(query)?;
    let company = &state.company;
    let sent = query.iter().rev().find(|(key, _)| key == "sort").map_or("", |(_, value)| value.as_str());
    let (name, descending) = sent.strip_prefix('-').map_or((sent, false), |name| (name, true));
    let order = order(kind, name, context.settings.dialect.rest_sort_by_id)
        .ok_or_else(|| Refusal::bad("Invalid sort").detail(format!("Invalid sort: {name}")))?;
    let filters = filters(query);
    let question = format!("rest {filters:?} {order} {descending}");
    let found = state.sorted.get(company, kind, &question, || {
        let ids = matching(company, kind, &filters)?;
        sort(company, kind, ids, order, descending)
    })?;
    let mut meta = meta(context.settings, Some(found.ids.len()));
    if kind == Kind::Accounts {
        let count = |row: &super::super::company::Named| {
            (
                format!("{}-accountTypes", row.id),
                json!(found.account_types.get(&row.id).copied().unwrap_or(0)),
            )
        };
        let counts: Map<String, Value> = company.account_types.iter().map(count).collect();
        meta.insert("facets".to_owned(), json!({"accountType": counts}));
    }
    let render = Render { company, settings: context.settings };
    let ids = found.ids.iter().skip(page.saturating_mul(limit)).take(limit);
    let rows: Value =
        ids.filter_map(|id| company.record(kind, *id)).map(|record| render::record(render, record)).collect();
    Ok(ok(json!({"meta": meta, "links": {}, kind.rest(): rows})))
}

/// The internal order for a documented sort; lists are sorted by name when nothing is asked.
fn order(kind: Kind, name: &str, by_id: bool) -> Option<&'static str> {
    Some(match (kind, name) {
        (Kind::Leads, "" | "name") => "description",
        (_, "" | "name") => "name",
        (_, "id") if by_id => "id",
        (_, "createdTime") => "createdTime",
        (_, "modifiedTime") => "modifiedTime",
        (Kind::Leads, "age") => "createdTime",
        (Kind::Leads, "value") => "value",
        (Kind::Leads, "milestone") => "milestone",
        (Kind::Leads, "confidence") => "confidence",
        (Kind::Leads, "closedTime") => "closedTime",
        (Kind::Leads, "sources") => "sources",
        (_, "owner") => "owner",
        _ => return None,
    })
}

/// One filter: its key and the values that it allows.
type Filter = (String, Vec<String>);

fn filters(query: &Query) -> Vec<Filter> {
    let mut filters: Vec<Filter> = Vec::new();
    for (key, value) in query {
        let key = match key.as_str() {
            "q" => "\u{0}q".to_owned(),
            "email" => "email".to_owned(),
            _ => {
                let Some(inner) = key.strip_prefix("filter[").and_then(|rest| rest.strip_suffix(']')) else {
                    continue;
                };
                inner.strip_suffix("][").unwrap_or(inner).to_owned()
            }
        };
        match filters.iter_mut().find(|(known, _)| *known == key) {
            Some((_, values)) => values.push(value.clone()),
            None => filters.push((key, vec![value.clone()])),
        }
    }
    filters
}

/// The records that satisfy every filter.
fn matching(company: &Company, kind: Kind, filters: &[Filter]) -> Result<Vec<i64>, Refusal> {
    let index = &company.index;
    let mut found: Option<BTreeSet<i64>> = None;
    let mut rest = Vec::new();
    for (key, values) in filters {
        let ids: BTreeSet<i64> = match key.as_str() {
            "\u{0}q" => values.iter().flat_map(|value| index.fuzzy(kind, value)).collect(),
            "name" => values.iter().flat_map(|value| index.exact(kind, NAME, value)).collect(),
            "email" | "emails" => values.iter().flat_map(|value| index.exact(kind, EMAIL, value)).collect(),
            _ => match company.field(kind, key) {
                Some(field) => values.iter().flat_map(|value| index.exact(kind, field.id, value)).collect(),
                None => {
                    let key =
                        Key::parse(kind, key).ok_or_else(|| invalid(format!("Invalid filter: {key}")))?;
                    rest.push((key, values));
                    continue;
                }
            },
        };
        found = Some(match found {
            None => ids,
            Some(before) => before.intersection(&ids).copied().collect(),
        });
    }
    let listed = index.listed(kind);
    let ids: Vec<i64> =
        found.map_or_else(|| listed.page(0, listed.len()), |found| found.into_iter().collect());
    let holds = |id: &i64| {
        let Some(record) = company.live(kind, *id) else {
            return false;
        };
        rest.iter().all(|(key, values)| values.iter().any(|value| key.holds(company, record, value)))
    };
    Ok(ids.into_iter().filter(holds).collect())
}

/// A filter that looks at each record.
#[derive(Clone, Copy)]
enum Key {
    Address(&'static str),
    Time(fn(&Record) -> Option<i64>),
    Number(fn(&Record) -> Option<i64>),
    Id(fn(&Record) -> Vec<i64>),
    Status,
    Owner,
    Tag,
    /// The API knows the key, the twin has nothing under it.
    Nothing,
}

impl Key {
    fn parse(kind: Kind, name: &str) -> Option<Key> {
        fn linked(record: &Record, to: Kind) -> Vec<i64> {
            record.links(to).iter().map(|link| link.id).collect()
        }
        let deal = kind == Kind::Leads;
        Some(match name {
            "address][country" => Key::Address("country"),
            "address][state" => Key::Address("state"),
            "address][city" => Key::Address("city"),
            "createdTime" => Key::Time(|record| Some(record.created)),
            "modifiedTime" => Key::Time(|record| Some(record.modified)),
            "accounts" | "account" if kind != Kind::Accounts => {
                Key::Id(|record| linked(record, Kind::Accounts))
            }
            "contacts" | "contact" if kind != Kind::Contacts => {
                Key::Id(|record| linked(record, Kind::Contacts))
            }
            "leads" | "lead" if !deal => Key::Id(|record| linked(record, Kind::Leads)),
            "owner" => Key::Owner,
            "tag" | "tags" => Key::Tag,
            "territory" => Key::Id(|record| record.territory.into_iter().collect()),
            "accountType" if kind == Kind::Accounts => {
                Key::Id(|record| record.account_type.into_iter().collect())
            }
            "industry" if kind == Kind::Accounts => Key::Id(|record| record.industry.into_iter().collect()),
            "parentAccount" | "childAccounts" if kind == Kind::Accounts => Key::Nothing,
            "number" if deal => Key::Number(|record| record.deal.as_ref().map(|deal| deal.number)),
            "confidence" if deal => {
                Key::Number(|record| record.deal.as_ref().and_then(|deal| deal.confidence))
            }
            "dueTime" if deal => Key::Time(|record| record.deal.as_ref().and_then(|deal| deal.due)),
            "closedTime" if deal => Key::Time(|record| record.deal.as_ref().and_then(|deal| deal.closed)),
            "status" if deal => Key::Status,
            "stage" | "milestone" if deal => {
                Key::Id(|record| record.deal.iter().map(|deal| deal.milestone).collect())
            }
            "stageset" if deal => Key::Id(|record| record.deal.iter().map(|deal| deal.stageset).collect()),
            "market" if deal => Key::Id(|record| record.deal.iter().map(|deal| deal.market).collect()),
            "outcome" if deal => {
                Key::Id(|record| record.deal.iter().filter_map(|deal| deal.outcome).collect())
            }
            "source" | "sources" if deal => {
                Key::Id(|record| record.deal.iter().flat_map(|deal| deal.sources.clone()).collect())
            }
            _ => return None,
        })
    }

    fn holds(self, company: &Company, record: &Record, value: &str) -> bool {
        match self {
            Key::Address(key) => {
                let equal = |text: &str| text.eq_ignore_ascii_case(value.trim());
                record.address.iter().any(|item| item.value.get(key).is_some_and(equal))
            }
            Key::Time(read) => read(record).is_some_and(|seconds| in_range(seconds, value, time::parse)),
            Key::Number(read) => {
                read(record).is_some_and(|number| in_range(number, value, |text| text.trim().parse().ok()))
            }
            Key::Id(read) => number_of(value).is_some_and(|id| read(record).contains(&id)),
            Key::Status => record.deal.as_ref().is_some_and(|deal| {
                render::status_word(deal.status) == value || deal.status.to_string() == value
            }),
            Key::Owner => match record.owner {
                Some(Owner::User(id)) => value == id.to_string() || value == format!("{id}-users"),
                Some(Owner::Team(id)) => value == format!("{id}-teams"),
                None => false,
            },
            Key::Tag => record.tags.iter().any(|id| {
                let tag = company.tags.iter().find(|tag| tag.id == *id && tag.deleted.is_none());
                tag.is_some_and(|tag| tag.name == value || number_of(value) == Some(tag.id))
            }),
            Key::Nothing => false,
        }
    }
}

/// Reads `A TO B`, `>A`, `>=A`, `<A`, `<=A` or a plain value.
fn in_range(number: i64, text: &str, read: impl Fn(&str) -> Option<i64>) -> bool {
    let text = text.trim();
    if let Some((from, to)) = text.split_once(" TO ") {
        return read(from).is_some_and(|from| number >= from) && read(to).is_some_and(|to| number <= to);
    }
    for mark in [">=", "<=", ">", "<"] {
        if let Some(bound) = text.strip_prefix(mark) {
            let Some(bound) = read(bound.trim()) else {
                return false;
            };
            return match mark {
                ">=" => number >= bound,
                "<=" => number <= bound,
                ">" => number > bound,
                _ => number < bound,
            };
        }
    }
    read(text) == Some(number)
}

/// `GET /{type}/list/fields`.
pub fn fields(company: &Company, kind: Kind) -> Value {
    let mut properties = Map::new();
    let mut add = |name: &str,
                   title: &str,
                   kind: &str,
                   sortable: bool,
                   relations: &[&str],
                   choices: &[String]| {
        properties.insert(name.to_owned(), json!({
            "type": kind, "title": title, "description": "", "isFilterable": true, "isDisplayable": true,
            "isSortable": sortable, "isGoalable": false, "isAddable": true, "isBoardable": false, "isRequireable": false,
            "isAndable": false, "isNullable": true, "relationships": relations, "enum": choices, "format": Value::Null,
        }));
    };
    add("name", "Name", "string", true, &[], &[]);
    add("createdTime", "Created", "string", true, &[], &[]);
    add("owner", "Assignee", "string", true, &["users", "teams"], &[]);
    add("tag", "Tags", "string", false, &["tags"], &[]);
    add("territory", "Territory", "string", false, &["territories"], &[]);
    match kind {
        Kind::Accounts => {
            add("accountType", "Company type", "string", false, &["accountTypes"], &[]);
            add("industry", "Industry", "string", false, &["industries"], &[]);
            add("parentAccount", "Parent company", "string", false, &["accounts"], &[]);
        }
        Kind::Contacts => add("accounts", "Companies", "string", false, &["accounts"], &[]),
        Kind::Leads => {
            let statuses = ["open", "pending", "won", "lost", "cancelled"].map(str::to_owned);
            add("status", "Status", "string", false, &[], &statuses);
            add("number", "Number", "integer", false, &[], &[]);
            add("stage", "Stage", "string", false, &["stages"], &[]);
            add("stageset", "Pipeline", "string", false, &["stagesets"], &[]);
            add("confidence", "Confidence", "integer", true, &[], &[]);
        }
    }
    for field in company.fields.iter().filter(|field| field.kind == kind) {
        add(&field.name, &field.name, "string", false, &[], &field.choices);
    }
    json!({"properties": properties})
}
