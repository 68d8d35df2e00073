//! The caller, the users, the portal: basic methods, users, departments (sheet 10.19, 10.20, 10.24).

use std::borrow::Cow;

use serde_json::{Value, json};

use super::list::PAGE;
use super::methods::{self, Answer, Call, Failure, Outcome};
use super::php::Php;
use super::portal::Record;
use super::records::int_of;

/// `profile`.
pub(super) fn profile(call: &mut Call<'_>) -> Outcome {
    let id = call.settings.user_id;
    let user = call.portal.users.get(&id);
    let text = |key: &str| user.and_then(|u| u.get(key)).and_then(Value::as_str).unwrap_or("").to_owned();
    Ok(Answer::of(json!({
        "ID": id.to_string(),
        "ADMIN": call.settings.admin,
        "NAME": text("NAME"),
        "LAST_NAME": text("LAST_NAME"),
        "PERSONAL_GENDER": text("PERSONAL_GENDER"),
        "TIME_ZONE": text("TIME_ZONE"),
    })))
}

/// `scope`: the webhook's scopes, or with `full` all that the server knows.
pub(super) fn scope(call: &mut Call<'_>) -> Outcome {
    Ok(Answer::of(json!(call.settings.scopes)))
}

/// `methods` (halted).
pub(super) fn methods(_: &mut Call<'_>) -> Outcome {
    Ok(Answer::of(json!(methods::names())))
}

/// `method.get`.
pub(super) fn method_get(call: &mut Call<'_>) -> Outcome {
    let Some(name) = call.args.get("name").and_then(Php::text).filter(|n| !n.is_empty()) else {
        return Err(Failure::missing("name"));
    };
    let name = name.to_lowercase();
    let exists = methods::find(&name).is_some() || name == "batch";
    let allowed = methods::scopes(&name);
    let available =
        exists && (allowed.is_empty() || call.settings.scopes.iter().any(|s| allowed.contains(&s.as_str())));
    Ok(Answer::of(json!({ "isExisting": exists, "isAvailable": available })))
}

/// `server.time`.
pub(super) fn server_time(call: &mut Call<'_>) -> Outcome {
    Ok(Answer::of(call.now()))
}

/// `app.info`: refused to a webhook by the documents, answered by some servers.
pub(super) fn app_info(call: &mut Call<'_>) -> Outcome {
    if call.app {
        let license = call.settings.license.as_str();
        let (language, kind) = license.split_once('_').unwrap_or(("en", license));
        return Ok(Answer::of(json!({
            "ID": 1, "CODE": "local.app", "VERSION": 1, "STATUS": "L", "INSTALLED": true, "PAYMENT_EXPIRED": "N",
            "DAYS": null, "LANGUAGE_ID": language, "LICENSE": license, "LICENSE_TYPE": kind,
            "LICENSE_FAMILY": kind.trim_end_matches(|c: char| c.is_ascii_digit()),
        })));
    }
    if call.settings.dialects.app_info_on_webhook {
        return Ok(Answer::of(json!({ "SCOPE": call.settings.scopes, "LICENSE": call.settings.license })));
    }
    Err(Failure::thrown("ACCESS_DENIED", "Access denied! Application context required"))
}

/// `crm.settings.mode.get`: 1 classic, 2 simple.
pub(super) fn settings_mode(call: &mut Call<'_>) -> Outcome {
    Ok(Answer::of(call.settings.crm_mode))
}

/// `crm.enum.ownertype`.
pub(super) fn owner_types(_: &mut Call<'_>) -> Outcome {
    let all = [
        (1, "Lead", "LEAD", "L"),
        (2, "Deal", "DEAL", "D"),
        (3, "Contact", "CONTACT", "C"),
        (4, "Company", "COMPANY", "CO"),
        (5, "Invoice (old version)", "INVOICE", "I"),
        (31, "Invoice", "SMART_INVOICE", "SI"),
        (7, "Quote", "QUOTE", "Q"),
        (8, "Billing Details", "REQUISITE", "RQ"),
    ];
    let row = |(id, name, code, short)| json!({ "ID": id, "NAME": name, "SYMBOL_CODE": code, "SYMBOL_CODE_SHORT": short });
    Ok(Answer::of(all.map(row).to_vec()))
}

/// `crm.type.list`: the Smart Processes.
pub(super) fn type_list(call: &mut Call<'_>) -> Outcome {
    if !call.settings.admin {
        return Err(Failure::thrown("ACCESS_DENIED", "Access denied"));
    }
    let start = usize::try_from(call.args.get("start").map_or(0, Php::int).max(0)).unwrap_or(0);
    let kind =
        call.args.get("filter").and_then(|f| f.get_any(&["entityTypeId", "=entityTypeId"])).map(Php::int);
    let is_asked = |t: &&Record| kind.is_none_or(|kind| t.get("entityTypeId").and_then(int_of) == Some(kind));
    let all: Vec<&Record> = call.portal.types.iter().filter(is_asked).collect();
    // What a type is linked with comes from `crm.type.get` (sheet 10.12).
    let show = |row: &&Record| -> Value {
        let kept = row.iter().filter(|(key, _)| !matches!(key.as_str(), "relations" | "linkedUserFields"));
        Value::Object(kept.map(|(key, value)| (key.clone(), value.clone())).collect())
    };
    let page: Vec<Value> = all.iter().skip(start).take(PAGE).map(show).collect();
    let end = start.saturating_add(page.len());
    Ok(Answer {
        rows: page.len(),
        total: Some(all.len() as i64),
        next: (end < all.len()).then_some(end as i64),
        ..Answer::of(json!({ "types": page }))
    })
}

/// Whether the webhook's scopes show the e-mail addresses of users.
pub(super) fn sees_addresses(call: &Call<'_>) -> bool {
    call.settings.scopes.iter().any(|s| s == "user" || s == "user_basic")
}

/// A user as the webhook's scopes let it be seen: `user_brief` has no e-mail.
fn shown(call: &Call<'_>, user: &Record) -> Value {
    let mut user = user.clone();
    if !sees_addresses(call) {
        user.shift_remove("EMAIL");
    }
    Value::Object(user)
}

/// `user.current`.
pub(super) fn user_current(call: &mut Call<'_>) -> Outcome {
    match call.portal.users.get(&call.settings.user_id) {
        Some(user) => Ok(Answer { rows: 1, ..Answer::of(shown(call, user)) }),
        None => Err(Failure::new(401, "authorization_error", "Unable to authorize user")),
    }
}

/// One scalar as filters compare it: booleans as 1 and 0.
fn scalar(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(s)) => s.clone(),
        Some(Value::Number(n)) => n.to_string(),
        Some(Value::Bool(b)) => if *b { "1" } else { "0" }.into(),
        _ => String::new(),
    }
}

/// Whether a row satisfies one condition; a list asks for any of its values.
fn satisfies(row: &Record, key: &str, wanted: &Php) -> bool {
    let (op, code) = super::filter::split_key(key);
    let held = match row.get(code) {
        Some(Value::Array(items)) => items.iter().map(|v| scalar(Some(v))).collect(),
        other => vec![scalar(other)],
    };
    let wanted: Vec<String> = wanted.texts();
    let same = |held: &str, wanted: &str| match (row.get(code), wanted) {
        (Some(Value::Bool(_)), "Y" | "true") => held == "1",
        (Some(Value::Bool(_)), "N" | "false" | "") => held == "0",
        _ => held.eq_ignore_ascii_case(wanted),
    };
    let number = |t: &str| t.parse::<i64>().unwrap_or(0);
    let first = wanted.first().map(|w| number(w)).unwrap_or(0);
    let held_number = held.first().map(|h| number(h)).unwrap_or(0);
    use super::filter::Op;
    match op {
        Op::Gt => held_number > first,
        Op::Ge => held_number >= first,
        Op::Lt => held_number < first,
        Op::Le => held_number <= first,
        Op::Ne | Op::NotIn => !held.iter().any(|h| wanted.iter().any(|w| same(h, w))),
        _ => held.iter().any(|h| wanted.iter().any(|w| same(h, w))),
    }
}

/// Filters, sorts and pages plain rows: `sort` and `order` are flat strings here (sheet 1.2).
fn plain_list(
    rows: Vec<&Record>,
    args: &Php,
    filters: &[(Cow<'_, str>, &Php)],
    show: impl Fn(&Record) -> Value,
) -> Answer {
    let mut rows: Vec<&Record> =
        rows.into_iter().filter(|r| filters.iter().all(|(key, wanted)| satisfies(r, key, wanted))).collect();
    let sort =
        args.get_any(&["sort", "SORT"]).and_then(Php::text).unwrap_or(Cow::Borrowed("ID")).to_uppercase();
    let descending =
        args.get_any(&["order", "ORDER"]).and_then(Php::text).is_some_and(|d| d.eq_ignore_ascii_case("DESC"));
    let key = |row: &Record| {
        let value = row.get(&sort);
        (value.and_then(int_of).unwrap_or(i64::MAX), scalar(value).to_lowercase())
    };
    rows.sort_by(|a, b| if descending { key(b).cmp(&key(a)) } else { key(a).cmp(&key(b)) });
    let start = args.get_any(&["start", "START"]).map_or(0, Php::int);
    let offset = usize::try_from(start.max(0)).unwrap_or(0) / PAGE * PAGE;
    let page: Vec<Value> = rows.iter().skip(offset).take(PAGE).map(|r| show(r)).collect();
    let end = offset.saturating_add(page.len());
    let total = if start >= 0 { rows.len() as i64 } else { 0 };
    Answer {
        next: (start >= 0 && !page.is_empty() && end < rows.len()).then_some(end as i64),
        rows: page.len(),
        result: Value::Array(page),
        total: Some(total),
        counted: 0,
    }
}

/// `user.get`: `FILTER` or flat keys; dismissed users are included.
pub(super) fn user_get(call: &mut Call<'_>) -> Outcome {
    users(call, |_| true)
}

/// Those users that fit and pass the filters of the call.
pub(super) fn users(call: &Call<'_>, fits: impl Fn(&Record) -> bool) -> Outcome {
    const FLAT: [&str; 6] = ["ID", "ACTIVE", "EMAIL", "NAME", "LAST_NAME", "UF_DEPARTMENT"];
    let known = |code: &str| FLAT.contains(&code) || call.portal.users.values().any(|u| u.contains_key(code));
    let mut filters: Vec<(Cow<'_, str>, &Php)> = Vec::new();
    for (key, value) in call.args.get_any(&["FILTER", "filter"]).map(Php::entries).unwrap_or_default() {
        if known(super::filter::split_key(key).1) {
            filters.push((Cow::Borrowed(key), value));
        }
    }
    for (key, value) in call.args.entries() {
        let upper = key.to_uppercase();
        if FLAT.contains(&upper.as_str()) {
            filters.push((Cow::Owned(upper), value));
        }
    }
    let rows = call.portal.users.values().filter(|user| fits(user)).collect();
    Ok(plain_list(rows, call.args, &filters, |user| shown(call, user)))
}

/// `department.get`.
pub(super) fn department_get(call: &mut Call<'_>) -> Outcome {
    let mut filters: Vec<(Cow<'_, str>, &Php)> = Vec::new();
    for (key, value) in call.args.entries() {
        let upper = key.to_uppercase();
        if ["ID", "NAME", "PARENT", "UF_HEAD"].contains(&upper.as_str()) {
            filters.push((Cow::Owned(upper), value));
        }
    }
    let rows = call.portal.departments.iter().collect();
    Ok(plain_list(rows, call.args, &filters, |row| Value::Object(row.clone())))
}
