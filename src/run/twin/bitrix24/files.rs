//! Files: their links, and their bytes (sheet 10.23).
//!
//! What a file holds is made from its id, so that whoever downloads it can be held against [`content`]. Ids that end in
//! the same two digits have the same content.

use serde_json::{Value, json};

use super::super::{Request, Response};
use super::hash;
use super::http::html;
use super::methods::{self, Answer, Call, Failure, Outcome};
use super::php::{Php, parse_query};
use super::portal::{Entity, Portal};
use super::records::int_of;
use super::settings::Settings;
use super::tables::Table;

/// Their methods, in lower case.
pub(super) const METHODS: methods::Table =
    &[("disk.file.get", disk_file), ("disk.attachedobject.get", attached)];

/// What the file with this id holds: from nothing to some kilobytes.
pub fn content(id: i64) -> Vec<u8> {
    let kind = id.rem_euclid(100);
    let length = usize::try_from(kind * 61).unwrap_or(0);
    (0..length).map(|at| hash(7, kind, &(at / 8).to_string()).to_le_bytes()[at % 8]).collect()
}

/// Whether somebody who has no right to a file holds this link.
fn token(id: i64) -> String {
    format!("{:016x}", hash(11, id, "token"))
}

/// Whether the list of files in a value has this one.
fn has(value: Option<&Value>, id: i64) -> bool {
    match value {
        Some(Value::Array(items)) => items.iter().any(|item| has(Some(item), id)),
        Some(Value::Object(one)) => match one.get("id") {
            Some(own) => int_of(own) == Some(id),
            None => one.values().any(|item| has(Some(item), id)),
        },
        Some(plain) => int_of(plain) == Some(id),
        None => false,
    }
}

fn on_disk(portal: &Portal, id: i64) -> bool {
    let kept = [Entity::Activity, Entity::Comment].map(|entity| portal.records.get(&entity));
    kept.into_iter().flatten().flatten().any(|(_, row)| has(row.get("FILES"), id))
}

fn asked(call: &Call<'_>) -> i64 {
    call.args.get_any(&["id", "ID"]).map_or(0, Php::int)
}

/// `disk.file.get`.
fn disk_file(call: &mut Call<'_>) -> Outcome {
    let id = asked(call);
    if !on_disk(call.portal, id) {
        return Err(Failure::thrown("ERROR_NOT_FOUND", format!("Could not find entity with id `{id}`")));
    }
    let host = &call.settings.host;
    Ok(Answer::of(json!({
        "ID": id.to_string(), "NAME": format!("file {id}.bin"), "TYPE": "file", "FILE_ID": (id + 23_000).to_string(),
        "SIZE": content(id).len().to_string(),
        "DOWNLOAD_URL": format!("https://{host}/rest/download.json?auth=&token=disk%7C{id}%7C{}", token(id)),
        "DETAIL_URL": format!("https://{host}/company/personal/user/1/disk/file/{id}"),
    })))
}

/// `disk.attachedObject.get`: what hangs on a task.
fn attached(call: &mut Call<'_>) -> Outcome {
    let id = asked(call);
    let tasks = call.portal.tables.get(&Table::Task).into_iter().flatten();
    if !tasks.into_iter().any(|(_, row)| has(row.get("UF_TASK_WEBDAV_FILES"), id)) {
        return Err(Failure::thrown("ERROR_NOT_FOUND", format!("Could not find entity with id `{id}`")));
    }
    let host = &call.settings.host;
    Ok(Answer::of(json!({
        "ID": id.to_string(), "OBJECT_ID": (id + 8_000).to_string(), "MODULE_ID": "tasks",
        "ENTITY_TYPE": "tasks_task", "NAME": format!("file {id}.bin"), "SIZE": content(id).len().to_string(),
        "DOWNLOAD_URL": format!(
            "https://{host}/bitrix/tools/disk/uf.php?attachedId={id}&auth[auth]={}&action=download&ncc=1", token(id)
        ),
    })))
}

/// The universal link to a file (sheet 10.23).
pub(super) fn machine_link(host: &str, id: &Value) -> String {
    let signed = int_of(id).map(token).unwrap_or_default();
    format!("https://{host}/rest/crm.controller.item.getFile.json?auth=&token=crm%7C{id}%7C{signed}")
}

/// The name under which faults are asked for the address of a file; none for any other address.
pub(super) fn is_link(path: &str) -> Option<&'static str> {
    let path = path.to_ascii_lowercase();
    if path == "/bitrix/tools/disk/uf.php" {
        return Some("disk.uf");
    }
    let (method, webhook) = match path.strip_prefix("/rest/")?.split('/').collect::<Vec<_>>()[..] {
        [method] => (method.to_owned(), false),
        [_, _, method] => (method.to_owned(), true),
        _ => return None,
    };
    match (method.trim_end_matches(".json"), webhook) {
        ("crm.controller.item.getfile", _) => Some("crm.controller.item.getfile"),
        ("download", _) => Some("download"),
        ("catalog.product.download", true) => Some("catalog.product.download"),
        _ => None,
    }
}

/// The bytes behind a link. Who holds no signed one and is no webhook gets a page.
pub(super) fn serve(portal: &Portal, settings: &Settings, req: &Request, took_ms: f64) -> Response {
    let query = parse_query(&req.query);
    let signed = |text: &str| {
        let mut parts = text.split('|').skip(1);
        let id = parts.next()?.parse::<i64>().ok()?;
        (parts.next() == Some(token(id).as_str())).then_some(id)
    };
    let id = match is_link(&req.path) {
        Some("disk.uf") => {
            let id = query.get("attachedId").map_or(0, Php::int);
            let auth = query.get("auth").and_then(|a| a.get("auth")).and_then(Php::text);
            (auth.as_deref() == Some(token(id).as_str())).then_some(id)
        }
        Some("catalog.product.download") => {
            let own = format!("/rest/{}/{}/", settings.user_id, settings.secret);
            let part = |name: &str| query.get("fields").and_then(|f| f.get(name)).map_or(0, Php::int);
            let (file, product) = (part("fileId"), part("productId"));
            let row = portal.records.get(&Entity::Product).and_then(|table| table.get(&product));
            let held = row.is_some_and(|row| row.values().any(|value| has(Some(value), file)));
            (req.path.starts_with(&own) && held).then_some(file)
        }
        Some(_) => query.get("token").and_then(Php::text).and_then(|text| signed(&text)),
        None => None,
    };
    let Some(id) = id else { return html(403, took_ms) };
    let body = content(id);
    let headers = vec![
        ("content-type".to_owned(), "application/octet-stream".to_owned()),
        ("content-length".to_owned(), body.len().to_string()),
        ("content-disposition".to_owned(), format!("attachment; filename=\"file {id}.bin\"")),
    ];
    Response { status: 200, headers, body, took_ms: took_ms.ceil() as u64 }
}
