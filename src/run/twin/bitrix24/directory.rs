//! Directories: stages and statuses, pipelines, currencies, custom fields (sheet 10.9, 10.10, 10.21, 10.22).

use serde_json::{Map, Value, json};

use super::classic::{FILTER, ORDER, array_arg};
use super::filter::{Op, split_key};
use super::methods::{Answer, Call, Failure, Outcome};
use super::php::Php;
use super::portal::{Category, Entity, Portal, Record};
use super::records::int_of;

fn text<'a>(row: &'a Record, key: &str) -> &'a str {
    row.get(key).and_then(Value::as_str).unwrap_or("")
}

/// Whether a row passes plain conditions; keys that no row could have are dropped.
fn passes(row: &Record, filter: Option<&Php>, known: &[&str]) -> bool {
    filter.map(Php::entries).unwrap_or_default().iter().all(|(key, value)| {
        let (op, code) = split_key(key);
        // A null cannot be asked for (sheet 10.10).
        if !known.contains(&code) || *value == Php::Null {
            return true;
        }
        let held = match row.get(code) {
            Some(Value::String(s)) => s.clone(),
            Some(Value::Number(n)) => n.to_string(),
            _ => String::new(),
        };
        let wanted = value.texts();
        let number = |t: &str| t.parse::<i64>().unwrap_or(0);
        let first = wanted.first().map_or("", String::as_str);
        match op {
            Op::Ne | Op::NotIn => !wanted.contains(&held),
            Op::Gt => number(&held) > number(first),
            Op::Ge => number(&held) >= number(first),
            Op::Lt => number(&held) < number(first),
            Op::Le => number(&held) <= number(first),
            Op::Contains => held.to_lowercase().contains(&first.to_lowercase()),
            Op::NotContains => !held.to_lowercase().contains(&first.to_lowercase()),
            _ => wanted.contains(&held),
        }
    })
}

/// Sorts rows by the fields of an `order`, numbers as numbers.
fn sort(rows: &mut [&Record], order: Option<&Php>) {
    for (code, direction) in order.map(Php::entries).unwrap_or_default().iter().rev() {
        let key = |row: &Record| {
            let value = row.get(code.as_str());
            let number = value.and_then(int_of);
            (
                number.is_none(),
                number.unwrap_or(0),
                value.and_then(Value::as_str).unwrap_or("").to_lowercase(),
            )
        };
        let descending = direction.text().is_some_and(|d| d.eq_ignore_ascii_case("DESC"));
        rows.sort_by(|a, b| if descending { key(b).cmp(&key(a)) } else { key(a).cmp(&key(b)) });
    }
}

fn served(rows: &[&Record]) -> Vec<Value> {
    rows.iter().map(|r| Value::Object((*r).clone())).collect()
}

const STATUS_KEYS: [&str; 10] = [
    "ID",
    "ENTITY_ID",
    "STATUS_ID",
    "NAME",
    "NAME_INIT",
    "SORT",
    "SYSTEM",
    "CATEGORY_ID",
    "COLOR",
    "SEMANTICS",
];

/// `crm.status.list`: everything at once; `ENTITY_ID` must be a string.
pub(super) fn status_list(call: &mut Call<'_>) -> Outcome {
    let filter = array_arg(call.args, &FILTER, "filter")?;
    let order = array_arg(call.args, &ORDER, "order")?;
    let by_list = |(key, value): &(String, Php)| split_key(key).1 == "ENTITY_ID" && value.is_array();
    if filter.map(Php::entries).unwrap_or_default().iter().any(by_list) {
        // This family prints the message as the code (sheet 2.2).
        let message = "Filter by ENTITY_ID must be a string";
        return Err(Failure::thrown(message, message));
    }
    let mut rows: Vec<&Record> =
        call.portal.statuses.iter().filter(|r| passes(r, filter, &STATUS_KEYS)).collect();
    sort(&mut rows, order);
    Ok(Answer::whole(served(&rows), Some(rows.len() as i64)))
}

/// `crm.status.entity.items`: stages of one directory, short.
pub(super) fn status_items(call: &mut Call<'_>) -> Outcome {
    let wanted =
        call.args.get_any(&["entityId", "ENTITY_ID"]).and_then(Php::text).unwrap_or_default().into_owned();
    if wanted.is_empty() {
        return Err(Failure::classic("The parameter entityId is not defined or invalid."));
    }
    let mut rows: Vec<&Record> =
        call.portal.statuses.iter().filter(|r| text(r, "ENTITY_ID") == wanted).collect();
    rows.sort_by_key(|r| r.get("SORT").and_then(int_of).unwrap_or(0));
    let short = |r: &&Record| {
        json!({
            "NAME": text(r, "NAME"),
            "SORT": r.get("SORT").and_then(int_of).unwrap_or(0),
            "STATUS_ID": text(r, "STATUS_ID"),
        })
    };
    Ok(Answer::whole(rows.iter().map(short).collect(), None))
}

/// What a directory without stages is called.
fn directory_title(id: &str) -> &str {
    match id {
        "SOURCE" => "Sources",
        "CONTACT_TYPE" => "Contact type",
        "COMPANY_TYPE" => "Company type",
        "EMPLOYEES" => "Number of employees",
        "INDUSTRY" => "Industry",
        "DEAL_TYPE" => "Deal type",
        "HONORIFIC" => "Salutations",
        "CALL_LIST" => "Call statuses",
        other => other,
    }
}

/// `crm.status.entity.types`: every directory that has entries, and the stages of every pipeline.
pub(super) fn status_types(call: &mut Call<'_>) -> Outcome {
    let stages = |start: &str, won: &str, lost: &str| json!({ "START_FIELD": start, "FINAL_SUCCESS_FIELD": won, "FINAL_UNSUCCESS_FIELD": lost, "FINAL_SORT": 0 });
    let mut out = vec![json!({
        "ID": "STATUS", "NAME": "Lead stages", "SEMANTIC_INFO": stages("NEW", "CONVERTED", "JUNK"), "ENTITY_TYPE_ID": 1,
    })];
    for c in &call.portal.categories {
        let name = format!("{} deal stages", c.name);
        out.push(if c.id == 0 {
            json!({
                "ID": "DEAL_STAGE", "NAME": name, "SEMANTIC_INFO": stages("NEW", "WON", "LOSE"),
                "FIELD_ATTRIBUTE_SCOPE": "", "ENTITY_TYPE_ID": 2, "CATEGORY_ID": 0,
            })
        } else {
            let at = |s: &str| format!("C{}:{s}", c.id);
            json!({
                "ID": format!("DEAL_STAGE_{}", c.id), "NAME": name, "PARENT_ID": "DEAL_STAGE",
                "SEMANTIC_INFO": stages(&at("NEW"), &at("WON"), &at("LOSE")), "PREFIX": format!("C{}", c.id),
                "FIELD_ATTRIBUTE_SCOPE": format!("category_{}", c.id), "ENTITY_TYPE_ID": 2,
                "CATEGORY_ID": c.id.to_string(),
            })
        });
    }
    let mut seen: Vec<String> = out.iter().filter_map(|t| t["ID"].as_str().map(String::from)).collect();
    for row in &call.portal.statuses {
        let id = text(row, "ENTITY_ID");
        if !seen.iter().any(|s| s == id) {
            seen.push(id.to_owned());
            out.push(match id {
                "QUOTE_STATUS" => json!({
                    "ID": id, "NAME": "Quote stages", "SEMANTIC_INFO": stages("DRAFT", "APPROVED", "DECLAINED"),
                    "ENTITY_TYPE_ID": 7,
                }),
                _ => json!({ "ID": id, "NAME": directory_title(id) }),
            });
        }
    }
    Ok(Answer::whole(out, None))
}

/// `crm.category.list` (sheet 10.9): deals have pipelines, leads and quotes do not.
pub(super) fn category_list(call: &mut Call<'_>) -> Outcome {
    let Some(kind) = call.args.get("entityTypeId").filter(|v| **v != Php::Null) else {
        return Err(Failure::missing("entityTypeId"));
    };
    let process =
        u32::try_from(kind.int()).ok().and_then(|id| Some((id, call.portal.process_categories.get(&id)?)));
    let rows = match kind.int() {
        2 => categories(&call.portal.categories, 2),
        128.. if process.is_some() => {
            process.map(|(id, rows)| categories(rows, i64::from(id))).unwrap_or_default()
        }
        3 | 4 | 31 => Vec::new(),
        1 | 5 | 7 => {
            return Err(Failure::thrown("ENTITY_TYPE_NOT_SUPPORTED", "Entity type is not supported"));
        }
        _ => return Err(Failure::thrown("NOT_FOUND", "Smart process not found")),
    };
    let total = rows.len();
    Ok(Answer { rows: total, total: Some(total as i64), ..Answer::of(json!({ "categories": rows })) })
}

fn categories(categories: &[Category], kind: i64) -> Vec<Value> {
    let mut all: Vec<_> = categories.iter().collect();
    all.sort_by_key(|c| (c.sort, c.id));
    let first = if kind == 2 { Some(0) } else { all.first().map(|c| c.id) };
    let row = |c: &&Category| {
        let default = Some(c.id) == first;
        let mut row = json!({
            "id": c.id, "name": c.name, "sort": c.sort, "entityTypeId": kind, "isDefault": if default { "Y" } else { "N" },
        });
        if let (true, Some(row)) = (kind != 2, row.as_object_mut()) {
            row.insert("isSystem".into(), json!("N"));
            row.insert("code".into(), json!(""));
        } else if let (false, Some(row)) = (default, row.as_object_mut()) {
            row.insert("originId".into(), json!(""));
            row.insert("originatorId".into(), json!(""));
        }
        row
    };
    all.iter().map(row).collect()
}

/// `crm.currency.list`: all rows, and a `total` that is always 0 (sheet 10.21).
pub(super) fn currency_list(call: &mut Call<'_>) -> Outcome {
    let order = array_arg(call.args, &ORDER, "order")?;
    let mut rows: Vec<&Record> = call.portal.currencies.iter().collect();
    sort(&mut rows, order);
    Ok(Answer::whole(served(&rows), Some(0)))
}

/// `crm.currency.base.get`.
pub(super) fn currency_base(call: &mut Call<'_>) -> Outcome {
    Ok(Answer::of(base_currency(call.portal).map_or(Value::Null, Value::from)))
}

/// The code of the base currency.
pub(super) fn base_currency(portal: &Portal) -> Option<&str> {
    portal.currencies.iter().find(|r| text(r, "BASE") == "Y").map(|r| text(r, "CURRENCY"))
}

const LABELS: [&str; 5] =
    ["EDIT_FORM_LABEL", "LIST_COLUMN_LABEL", "LIST_FILTER_LABEL", "ERROR_MESSAGE", "HELP_MESSAGE"];

const USERFIELD_KEYS: [&str; 12] = [
    "ID",
    "ENTITY_ID",
    "FIELD_NAME",
    "USER_TYPE_ID",
    "XML_ID",
    "SORT",
    "MULTIPLE",
    "MANDATORY",
    "SHOW_FILTER",
    "SHOW_IN_LIST",
    "EDIT_IN_LIST",
    "IS_SEARCHABLE",
];

/// `crm.<entity>.userfield.list`: labels only when `filter.LANG` asks for a language (sheet 10.22).
pub(super) fn userfield_list(call: &mut Call<'_>, entity: Entity) -> Outcome {
    let filter = array_arg(call.args, &FILTER, "filter")?;
    let order = array_arg(call.args, &ORDER, "order")?;
    let labels = filter.and_then(|f| f.get("LANG")).and_then(Php::text).is_some_and(|l| !l.is_empty());
    let all = call.portal.userfields.get(&entity).into_iter().flatten();
    let mut rows: Vec<&Record> = all.filter(|r| passes(r, filter, &USERFIELD_KEYS)).collect();
    sort(&mut rows, order);
    let show = |row: &&Record| -> Value {
        let kept = row.iter().filter(|(k, _)| labels || !LABELS.contains(&k.as_str()));
        Value::Object(kept.map(|(k, v)| (k.clone(), v.clone())).collect::<Map<_, _>>())
    };
    let total = rows.len() as i64;
    Ok(Answer::whole(rows.iter().map(show).collect(), Some(total)))
}
