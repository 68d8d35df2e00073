//! What is right, by the twins' own books: nothing here asks b2n's.

use std::collections::{BTreeMap, BTreeSet};

use b2n::run::engine::RunReport;
use b2n::run::twin::bitrix24::{Entity, Record};
use serde_json::{Map, Value as Json};

use super::yard::Yard;

const MARKER: &str = "Bitrix24 key";
const ACCOUNT: &str = "acme.bitrix24.com/";
/// Lists of a dump, and what their records are called elsewhere in it.
const LISTS: [(&str, &str, &str); 6] = [
    ("accounts", "Accounts", "Account"),
    ("contacts", "Contacts", "Contact"),
    ("leads", "Leads", "Lead"),
    ("products", "Products", "Product"),
    ("activities", "Activities", "Activity"),
    ("notes", "Notes", "Note"),
];
/// What depends on the order and the times of requests.
const PASSING: [&str; 17] = [
    "id",
    "rev",
    "createdTime",
    "modifiedTime",
    "htmlUrl",
    "htmlUrlPath",
    "avatarUrl",
    "avatar",
    "date",
    "closedTime",
    "number",
    "lastContactedDate",
    "apiUrl",
    "isOverdue",
    "user",
    "creator",
    "nextStepDueTime",
];

/// Every live record by its marker, or by its number where it was there before, without what depends on order and
/// time; records that it names are named by their markers.
pub type Picture = BTreeMap<String, Json>;

pub fn picture(yard: &Yard) -> Picture {
    yard.hub.settle(i64::MAX);
    let dump = yard.account.dump();
    let mut names = BTreeMap::new();
    let mut times: BTreeMap<String, u32> = BTreeMap::new();
    for (list, kind, _) in LISTS {
        for row in live(&dump, list) {
            let id = row["id"].as_i64().expect("an id");
            let mut name = match marker(row) {
                Some(marker) => format!("{kind} {marker}"),
                None => format!("{kind} #{id}"),
            };
            let seen = times.entry(name.clone()).or_default();
            *seen += 1;
            if *seen > 1 {
                name.push_str(&format!(" ({seen})"));
            }
            names.insert((kind.to_owned(), id), name);
        }
    }
    let mut picture = Picture::new();
    for (list, kind, _) in LISTS {
        for row in live(&dump, list) {
            let id = row["id"].as_i64().expect("an id");
            let fields = row.as_object().expect("a record").iter();
            let kept = fields
                .filter(|(key, _)| !(PASSING.contains(&key.as_str()) || kind == "Leads" && *key == "name"))
                .map(|(key, value)| (key.clone(), plain(kind, key, value, &names)));
            picture.insert(names[&(kind.to_owned(), id)].clone(), Json::Object(kept.collect()));
        }
    }
    for list in ["tags", "sources"] {
        for row in live(&dump, list) {
            picture.insert(format!("{list} {} {}", row["entityType"], row["name"]), Json::Null);
        }
    }
    picture
}

fn live<'d>(dump: &'d Json, list: &str) -> impl Iterator<Item = &'d Json> {
    let rows = dump[list].as_array().map(Vec::as_slice).unwrap_or_default();
    rows.iter().filter(|row| row.get("deletedTime").is_none_or(Json::is_null))
}

fn marker(row: &Json) -> Option<String> {
    if let Some(marker) = row["customFields"][MARKER].as_str() {
        return Some(marker.to_owned());
    }
    let text = row["description"].as_str().or_else(|| row["note"].as_str())?;
    let last = text.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
    Some(last.strip_prefix("[Bitrix24 ")?.strip_suffix(']')?.to_owned())
}

fn plain(kind: &str, key: &str, value: &Json, names: &BTreeMap<(String, i64), String>) -> Json {
    match value {
        Json::Object(map) => match (map.get("entityType").and_then(Json::as_str), map.get("id")) {
            (Some(of), Some(id)) => {
                let id = id.as_i64().unwrap_or(0);
                let known = names.get(&(of.to_owned(), id)).cloned();
                let name =
                    known.unwrap_or_else(|| format!("{of} {}", map.get("name").unwrap_or(&Json::Null)));
                match map.get("relationship").filter(|text| text.is_string()) {
                    Some(relationship) => Json::String(format!("{name} as {relationship}")),
                    None => Json::String(name),
                }
            }
            _ => {
                let kept = map.iter().filter(|(key, _)| !PASSING.contains(&key.as_str()));
                let kept = kept.map(|(key, value)| (key.clone(), plain(kind, key, value, names)));
                Json::Object(kept.collect::<Map<String, Json>>())
            }
        },
        Json::Array(list) => {
            let mut list: Vec<Json> = list.iter().map(|value| plain(kind, key, value, names)).collect();
            // Seen from their other end, links come in the order in which they were made.
            let forward = matches!(
                (kind, key),
                ("Contacts", "accounts") | ("Leads", "accounts" | "contacts" | "products")
            );
            if !forward {
                list.sort_by_key(Json::to_string);
            }
            Json::Array(list)
        }
        other => other.clone(),
    }
}

/// In what two pictures differ, in words.
pub fn differences(expected: &Picture, found: &Picture) -> Vec<String> {
    let mut out = Vec::new();
    let keys: BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
    for key in keys {
        match (expected.get(key), found.get(key)) {
            (Some(_), None) => out.push(format!("{key} is missing")),
            (None, Some(_)) => out.push(format!("{key} is too many")),
            (Some(Json::Object(a)), Some(Json::Object(b))) if a != b => {
                let fields: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
                for field in fields.into_iter().filter(|field| a.get(*field) != b.get(*field)) {
                    let shown = |side: Option<&Json>| side.map_or("-".to_owned(), Json::to_string);
                    out.push(format!(
                        "{key}.{field}: {} became {}",
                        shown(a.get(field)),
                        shown(b.get(field))
                    ));
                }
            }
            _ => {}
        }
    }
    out
}

/// Records that carry a marker and were deleted: they were made twice, if only for a moment.
pub fn ghosts(yard: &Yard) -> Vec<String> {
    yard.hub.settle(i64::MAX);
    let dump = yard.account.dump();
    let mut found = Vec::new();
    for (list, kind, _) in LISTS {
        for row in dump[list].as_array().into_iter().flatten() {
            if row.get("deletedTime").is_some_and(|time| !time.is_null())
                && let Some(marker) = marker(row)
            {
                found.push(format!("{kind} {marker} was made twice"));
            }
        }
    }
    found
}

/// What is wrong with each record by the portal's own: exactly once, its values as a person would read them there.
pub fn wrong(yard: &Yard) -> Vec<String> {
    yard.hub.settle(i64::MAX);
    let dump = yard.account.dump();
    let mut wrong = Vec::new();
    let mut by_marker: BTreeMap<(String, String), Json> = BTreeMap::new();
    for (list, kind, _) in LISTS {
        for row in live(&dump, list) {
            let Some(marker) = marker(row) else {
                let new = row["createdTime"].as_str().is_some_and(|time| time >= "2026-11-21T12:00:00");
                if new
                    || (list == "notes" && row["date"].as_str().is_some_and(|time| time >= "2026-11-21T12"))
                {
                    wrong.push(format!("{kind} {} carries no marker", row["id"]));
                }
                continue;
            };
            if by_marker.insert((kind.to_owned(), marker.clone()), row.clone()).is_some() {
                wrong.push(format!("{kind} {marker} stands twice"));
            }
        }
    }
    yard.portal.with_portal(|portal| {
        for (entity, object, kind) in [
            (Entity::Company, "company", "Accounts"),
            (Entity::Contact, "contact", "Contacts"),
            (Entity::Deal, "deal", "Leads"),
            (Entity::Activity, "activity", "Activities"),
        ] {
            for (id, record) in portal.records.get(&entity).into_iter().flatten() {
                let there = by_marker.get(&(kind.to_owned(), format!("{ACCOUNT}{object}/{id}")));
                let what = format!("{kind} {object}/{id}");
                if let Some(there) = there {
                    compare(object, record, there, &what, &mut wrong);
                }
                let belongs = belongs(object, record);
                if belongs && there.is_none() {
                    wrong.push(format!("{what} is missing"));
                }
                if !belongs && there.is_some() {
                    wrong.push(format!("{what} should not have arrived"));
                }
            }
        }
    });
    wrong
}

fn text<'r>(record: &'r Record, field: &str) -> &'r str {
    record.get(field).and_then(Json::as_str).unwrap_or_default()
}

/// Whether a record arrives, as far as this oracle knows the rules of the example: it reads them as a person would.
fn belongs(object: &str, record: &Record) -> bool {
    let blank = |field: &str| {
        record.get(field).is_none_or(|value| match value {
            Json::String(text) => text.is_empty(),
            Json::Array(list) => list.is_empty(),
            _ => value.is_null(),
        })
    };
    match object {
        "company" => {
            text(record, "IS_MY_COMPANY") != "Y"
                && ["CUSTOMER", "SUPPLIER", "PARTNER", "COMPETITOR", "OTHER", ""]
                    .contains(&text(record, "COMPANY_TYPE"))
        }
        "contact" => {
            !["NAME", "LAST_NAME", "PHONE", "EMAIL"].into_iter().all(blank)
                && ["CLIENT", "SUPPLIER", "PARTNER", "OTHER", ""].contains(&text(record, "TYPE_ID"))
        }
        "deal" => text(record, "IS_RECURRING") != "Y" && known_deal(record),
        // Meetings and calls.
        "activity" => ["1", "2"].contains(&text(record, "TYPE_ID")),
        _ => false,
    }
}

fn known_deal(record: &Record) -> bool {
    let source = [
        "CALL",
        "EMAIL",
        "WEB",
        "WEBFORM",
        "ADVERTISING",
        "PARTNER",
        "RECOMMENDATION",
        "TRADE_SHOW",
        "UC_Q81ZP4",
        "OTHER",
        "",
    ];
    source.contains(&text(record, "SOURCE_ID"))
        && ["SALE", "COMPLEX", "GOODS", "SERVICES", "SERVICE", ""].contains(&text(record, "TYPE_ID"))
        && ["USD", "EUR", "RUB", ""].contains(&text(record, "CURRENCY_ID"))
}

/// A few fields, read anew.
fn compare(object: &str, record: &Record, there: &Json, what: &str, wrong: &mut Vec<String>) {
    let mut expect = |field: &str, expected: &str, found: &str| {
        if expected != found {
            wrong.push(format!("{what}.{field} should be `{expected}` and is `{found}`"));
        }
    };
    match object {
        "company" => expect("name", text(record, "TITLE").trim(), there["name"].as_str().unwrap_or_default()),
        "deal" => {
            let title: String = text(record, "TITLE").trim().chars().take(100).collect();
            if !title.is_empty() {
                expect("description", title.trim(), there["description"].as_str().unwrap_or_default().trim());
            }
            let close = text(record, "CLOSEDATE");
            if close.len() >= 10 && close.starts_with("20") {
                // 18:00 in Moscow.
                let due = there["dueTime"].as_str().unwrap_or_default();
                expect("dueTime", &format!("{}T15:00:00", &close[..10]), &due[..due.len().min(19)]);
            }
        }
        "activity" => {
            let start = text(record, "START_TIME");
            if start.len() >= 25 && start.starts_with("20") {
                let told = there["startTime"].as_str().unwrap_or_default();
                let utc = |text: &str| text.parse::<jiff::Timestamp>().map(|time| time.to_string());
                let told = told.replace("+0000", "Z");
                if let (Ok(expected), Ok(found)) = (utc(start), utc(&told)) {
                    expect("startTime", &expected, &found);
                }
            }
        }
        _ => {}
    }
}

/// The report's totals against the destination's own.
pub fn totals(yard: &Yard, report: &RunReport) -> Vec<String> {
    let dump = yard.account.dump();
    let mut wrong = Vec::new();
    for (list, kind, object) in LISTS {
        let there = live(&dump, list).filter(|row| marker(row).is_some()).count() as u64;
        let told: u64 = report
            .maps
            .iter()
            .filter(|map| map.target == object && map.listed.is_some())
            .map(|map| map.tally.arrived())
            .sum();
        if there != told {
            wrong.push(format!("{there} {kind} carry a marker, the report tells of {told}"));
        }
    }
    wrong
}
