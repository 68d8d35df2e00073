//! What works by itself in a portal: workflow templates, running workflows, robots and triggers, repeated deals, open
//! lines (sheet 10.4, 10.25, 10.26).

use serde_json::Value;

use super::classic::{FILTER, ORDER, array_arg};
use super::filter::{Op, split_key};
use super::list::PAGE;
use super::methods::{Answer, Call, Failure, Outcome, Table};
use super::php::Php;
use super::portal::Record;
use super::records::int_of;

/// Methods of this file, in lower case.
pub(super) const METHODS: Table = &[
    ("bizproc.workflow.template.list", templates),
    ("bizproc.workflow.instances", instances),
    ("bizproc.robot.list", of_an_application),
    ("bizproc.activity.list", of_an_application),
    ("crm.automation.trigger.list", of_an_application),
    ("crm.deal.recurring.list", recurring),
    ("imopenlines.config.list.get", open_lines),
];

/// Where the caller names what is to be served.
const SELECT: [&str; 2] = ["select", "SELECT"];

/// What only an application may ask (sheet 1.3).
fn of_an_application(_: &mut Call<'_>) -> Outcome {
    Err(Failure::new(403, "ACCESS_DENIED", "Access denied! Application context required"))
}

fn text(row: &Record, key: &str) -> String {
    match row.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

fn passes(row: &Record, filter: Option<&Php>) -> bool {
    filter.map(Php::entries).unwrap_or_default().iter().all(|(key, value)| {
        let (op, code) = split_key(key);
        if !row.contains_key(code) {
            return true;
        }
        let (held, wanted) = (text(row, code), value.texts());
        let number = |text: &str| text.parse::<i64>().unwrap_or(0);
        let first = wanted.first().map_or("", String::as_str);
        match op {
            Op::Ne | Op::NotIn => !wanted.contains(&held),
            Op::Gt => number(&held) > number(first),
            Op::Ge => number(&held) >= number(first),
            Op::Lt => number(&held) < number(first),
            Op::Le => number(&held) <= number(first),
            _ => wanted.contains(&held),
        }
    })
}

/// A page of plain rows: filter, order by one field, `start`, and the fields that are named, else `by_default`.
fn page(rows: &[Record], args: &Php, by_default: &[&str]) -> Outcome {
    let filter = array_arg(args, &FILTER, "filter")?;
    let order = array_arg(args, &ORDER, "order")?.map(Php::entries).unwrap_or_default();
    let mut rows: Vec<&Record> = rows.iter().filter(|row| passes(row, filter)).collect();
    if let Some((code, direction)) = order.first() {
        rows.sort_by_key(|row| (row.get(code.as_str()).and_then(int_of), text(row, code)));
        if direction.text().is_some_and(|d| d.eq_ignore_ascii_case("DESC")) {
            rows.reverse();
        }
    }
    let named = args.get_any(&SELECT).map(Php::texts).filter(|names| !names.is_empty());
    let wanted = |key: &str| match &named {
        Some(names) => names.iter().any(|name| name == key || name == "*"),
        None => by_default.is_empty() || by_default.contains(&key),
    };
    let start = args.get_any(&["start", "START"]).map_or(0, Php::int);
    let offset = usize::try_from(start.max(0)).unwrap_or(0) / PAGE * PAGE;
    let served: Vec<Value> = rows
        .iter()
        .skip(offset)
        .take(PAGE)
        .map(|row| {
            Value::Object(
                row.iter().filter(|(k, _)| wanted(k)).map(|(k, v)| (k.clone(), v.clone())).collect(),
            )
        })
        .collect();
    let end = offset + served.len();
    Ok(Answer {
        rows: served.len(),
        total: Some(rows.len() as i64),
        next: (end < rows.len()).then_some(end as i64),
        ..Answer::of(Value::Array(served))
    })
}

/// `bizproc.workflow.template.list`: administrators only; the id alone unless more is named.
fn templates(call: &mut Call<'_>) -> Outcome {
    if !call.settings.admin {
        return Err(Failure::thrown("ACCESS_DENIED", "Access denied!"));
    }
    page(&call.portal.workflows, call.args, &["ID"])
}

/// `bizproc.workflow.instances`.
fn instances(call: &mut Call<'_>) -> Outcome {
    if !call.settings.admin {
        return Err(Failure::new(403, "ACCESS_DENIED", "Access denied!"));
    }
    page(&call.portal.running, call.args, &["ID", "MODIFIED", "OWNED_UNTIL"])
}

/// `crm.deal.recurring.list`: templates of deals that repeat.
fn recurring(call: &mut Call<'_>) -> Outcome {
    page(&call.portal.recurring, call.args, &[])
}

/// `imopenlines.config.list.get`: channels, whole, without a count.
fn open_lines(call: &mut Call<'_>) -> Outcome {
    let rows: Vec<Value> = call.portal.open_lines.iter().cloned().map(Value::Object).collect();
    Ok(Answer { rows: rows.len(), ..Answer::of(Value::Array(rows)) })
}
