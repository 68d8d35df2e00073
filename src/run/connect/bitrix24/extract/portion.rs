//! A part of a portal: records in outline, what hangs on some of them, and records by their ids where none may lack
//! unseen.
//!
//! No filter decides what a part holds: a classic list drops one that it does not know and gives everything (sheet §7),
//! so outlines of all records come, 50 a command, and whoever draws looks at them. What hangs on a record is asked for
//! record by record, as comments are; each page is held against the count that comes with it.
//! INVARIANT: a record that the portal counts and does not give is an error with both numbers.

use std::collections::BTreeSet;

use super::ask::ask;
use super::reading::{Reading, reading};
use super::run::Run;
use super::since::stamp_of;
use super::tables::history_of;
use super::{COMMANDS, PAGE, Progress, STRIKES, addresses, comments, place, verify};
use crate::run::connect::bitrix24::client::{Client, inconsistent, malformed, refused};
use crate::run::connect::bitrix24::decode::short_code;
use crate::run::connect::bitrix24::wire::{Command, Php, number, scalar};
use crate::run::connect::{Error, Hangs, Outline, Outlined, Raw};

/// The fields of an outline, as the list names them: the id, then times.
fn fields(object: &str) -> Option<&'static [&'static str]> {
    Some(match object {
        "company" | "contact" | "lead" | "quote" => {
            &["ID", "DATE_CREATE", "DATE_MODIFY", "LAST_ACTIVITY_TIME"]
        }
        "deal" => &["ID", "DATE_CREATE", "DATE_MODIFY", "LAST_ACTIVITY_TIME", "CATEGORY_ID"],
        "product" => &["ID", "DATE_CREATE", "TIMESTAMP_X"],
        _ if object.starts_with("process ") => {
            &["id", "createdTime", "updatedTime", "lastActivityTime", "categoryId"]
        }
        _ => return None,
    })
}

/// Whether an object's records are drawn by themselves, rather than come with those that they hang on.
pub(in crate::run::connect::bitrix24) fn is_drawn(object: &str) -> bool {
    fields(object).is_some()
}

/// The records that follow `cursor`, in outline.
pub(in crate::run::connect::bitrix24) async fn outline(
    client: &Client,
    progress: &Progress,
    object: &str,
    cursor: &str,
) -> Result<Outlined, Error> {
    let select = fields(object)
        .ok_or_else(|| refused("extract", &format!("`{object}` is not drawn from by itself")))?;
    let m = Reading { select, ..reading(object)?.bare() };
    let last = place(object, cursor)?;
    let name = format!("outline of {object}");
    let known = progress.objects.borrow_mut().remove(&name).filter(|run| run.handed == last);
    let mut run = known.unwrap_or_else(|| Run::from(last));
    let brought = run.advance(client, &m, COMMANDS).await?;
    progress.objects.borrow_mut().insert(name, run);
    let records = brought.found.iter().map(|found| {
        let row = serde_json::from_str(&found.json).ok().and_then(Php::parse).unwrap_or_default();
        let category = select.iter().find(|field| matches!(**field, "CATEGORY_ID" | "categoryId"));
        let code = category.map(|field| row.get(field).map(scalar).unwrap_or_default());
        Outline {
            id: found.id.to_string(),
            category: match code {
                // A deal without one is in the first pipeline (sheet §10.4).
                Some(blank) if blank.is_empty() || blank == "false" => {
                    (object == "deal").then(|| "0".to_owned())
                }
                code => code,
            },
            touched_ms: stamp_of(&row, select, &[]).changed_ms,
        }
    });
    Ok(Outlined {
        records: records.collect(),
        cursor: brought.cursor,
        done: brought.done,
        moved: brought.moved,
    })
}

/// How an object's records hang on those of another.
pub(in crate::run::connect::bitrix24) fn hangs_on(object: &str, owner: &str) -> Hangs {
    let bears = matches!(owner, "company" | "contact" | "deal" | "lead" | "quote");
    let bears = bears || owner.starts_with("process ");
    let always = match object {
        "comment" | "activity" | "task" => bears,
        "call" => matches!(owner, "company" | "contact" | "deal" | "lead"),
        "deal_history" | "quote" => owner == "deal",
        "lead_history" => owner == "lead",
        "company_address" | "company_requisite" => owner == "company",
        "contact_address" | "contact_requisite" => owner == "contact",
        "product_price" => owner == "product",
        _ => history_of(object).is_some_and(|kind| owner == format!("process {kind}")),
    };
    match object {
        _ if always => Hangs::Always,
        _ if object.starts_with("process ") && parent(owner).is_some() => Hangs::ByField,
        _ => Hangs::No,
    }
}

/// The `entityTypeId` of an object (sheet §6).
pub(in crate::run::connect::bitrix24) fn kind(object: &str) -> Option<&str> {
    Some(match object {
        "lead" => "1",
        "deal" => "2",
        "contact" => "3",
        "company" => "4",
        "quote" => "7",
        _ => object.strip_prefix("process ")?,
    })
}

/// The field by which an item of a Smart Process names a record of this object.
fn parent(owner: &str) -> Option<String> {
    match owner {
        "contact" => Some("contactId".to_owned()),
        "company" => Some("companyId".to_owned()),
        _ => kind(owner).map(|kind| format!("parentId{kind}")),
    }
}

/// The conditions for what hangs on one record.
fn conditions(object: &str, owner: &str, id: u64) -> Option<Vec<(String, String)>> {
    let one = |name: &str| Some(vec![(name.to_owned(), id.to_string())]);
    match object {
        "activity" => Some(vec![
            ("filter[BINDINGS][0][OWNER_TYPE_ID]".to_owned(), kind(owner)?.to_owned()),
            ("filter[BINDINGS][0][OWNER_ID]".to_owned(), id.to_string()),
        ]),
        "task" => Some(vec![("filter[UF_CRM_TASK]".to_owned(), format!("{}_{id}", short_code(owner)?))]),
        "call" => Some(vec![
            ("FILTER[CRM_ENTITY_TYPE]".to_owned(), owner.to_ascii_uppercase()),
            ("FILTER[CRM_ENTITY_ID]".to_owned(), id.to_string()),
        ]),
        "deal_history" | "lead_history" => one("filter[OWNER_ID]"),
        "quote" => one("filter[DEAL_ID]"),
        "company_requisite" | "contact_requisite" => one("filter[ENTITY_ID]"),
        "product_price" => one("filter[productId]"),
        _ if history_of(object).is_some() => one("filter[OWNER_ID]"),
        _ if object.starts_with("process ") => one(&format!("filter[{}]", parent(owner)?)),
        _ => None,
    }
}

/// What hangs on these records, whole.
pub(in crate::run::connect::bitrix24) async fn hanging(
    client: &Client,
    progress: &Progress,
    object: &str,
    owner: &str,
    keys: &[String],
) -> Result<Vec<Raw>, Error> {
    let owners: Vec<u64> = keys.iter().filter_map(|key| key.parse().ok()).collect();
    if object == "comment" {
        return comments::under(client, owner, &owners).await;
    }
    if let Some(kind) = addresses::owner(object) {
        return addresses::under(client, kind, &owners).await;
    }
    let m = reading(object)?;
    let ids = listed(client, &m, owner, &owners).await?;
    let ids: Vec<String> = ids.into_iter().map(|id| id.to_string()).collect();
    surely(client, progress, object, &ids).await
}

/// The ids of what hangs on these records.
async fn listed(client: &Client, m: &Reading, owner: &str, owners: &[u64]) -> Result<BTreeSet<u64>, Error> {
    let mut out = BTreeSet::new();
    let mut open: Vec<(u64, u64)> = owners.iter().map(|id| (*id, 0)).collect();
    let mut strikes = 0;
    while !open.is_empty() {
        let mut commands = Vec::with_capacity(open.len());
        for (id, last) in &open {
            let conditions = conditions(&m.object, owner, *id)
                .ok_or_else(|| refused("extract", &format!("`{}` does not hang on `{owner}`", m.object)))?;
            let mut command =
                Command::new(format!("h{id}"), m.list, &[(&m.bound(">"), &last.to_string()), ("start", "0")]);
            command.parameters.extend(m.basis());
            if !m.listing.flat {
                command.parameters.push(("select[]".to_owned(), m.id().to_owned()));
            }
            command.parameters.extend(conditions);
            commands.push(command);
        }
        let mut replies = ask(client, m.list, &commands).await?;
        let (mut again, mut why) = (Vec::new(), String::new());
        for (id, last) in open {
            let Some(reply) = replies.remove(&format!("h{id}")) else { continue };
            let page = reply.result.map_err(|problem| {
                refused(m.list, &format!("{problem}, for what hangs on `{owner}` {id}"))
            })?;
            let rows = m.page(&page).ok_or_else(|| malformed(m.list, "a page is not a list"))?.rows();
            let mut ids: Vec<u64> = Vec::with_capacity(rows.len());
            for row in &rows {
                let id = Php::parse(row).and_then(|row| row.get(m.listing.id.1).and_then(number));
                ids.push(id.ok_or_else(|| malformed(m.list, "a record without an id"))?);
            }
            let rises = ids.is_sorted_by(|a, b| a < b) && ids.first().is_none_or(|first| *first > last);
            let expected = reply.total.map(|total| total.min(PAGE as u64));
            if !rises || expected.is_some_and(|expected| expected != ids.len() as u64) {
                why = format!(
                    "{} come on a page of what hangs on `{owner}` {id}, {} are counted",
                    ids.len(),
                    reply.total.unwrap_or_default()
                );
                again.push((id, last));
                continue;
            }
            if ids.len() == PAGE {
                again.push((id, ids.last().copied().unwrap_or(last)));
            }
            out.extend(ids);
        }
        if !why.is_empty() {
            strikes += 1;
            if strikes >= STRIKES {
                return Err(inconsistent(&m.object, why));
            }
        }
        open = again;
    }
    Ok(out)
}

/// The records of these ids that are there; one that does not come is asked for by a count before it is taken for gone.
pub(in crate::run::connect::bitrix24) async fn surely(
    client: &Client,
    progress: &Progress,
    object: &str,
    ids: &[String],
) -> Result<Vec<Raw>, Error> {
    let mut out = verify::records(client, progress, object, ids).await?;
    let m = reading(object)?;
    for _ in 0..STRIKES {
        let came: BTreeSet<&str> = out.iter().map(|raw| raw.id.as_str()).collect();
        let lacking: Vec<&String> = ids.iter().filter(|id| !came.contains(id.as_str())).collect();
        let mut there = Vec::new();
        let count = |id: &&String| {
            let mut command =
                Command::new(format!("k{id}"), m.list, &[(&m.bound(""), id.as_str()), ("start", "0")]);
            command.parameters.extend(m.basis());
            if !m.listing.flat {
                command.parameters.push(("select[]".to_owned(), m.id().to_owned()));
            }
            command
        };
        let commands: Vec<Command> = lacking.iter().map(count).collect();
        let replies = ask(client, m.list, &commands).await?;
        for id in lacking {
            let Some(reply) = replies.get(&format!("k{id}")) else { continue };
            let page = reply.result.as_ref().map_err(|problem| refused(m.list, &problem.to_string()))?;
            let rows = m.page(page).ok_or_else(|| malformed(m.list, "a page is not a list"))?.rows();
            if reply.total.unwrap_or(rows.len() as u64) > 0 {
                there.push(id.clone());
            }
        }
        if there.is_empty() {
            out.sort_by(|a, b| (a.id.len(), &a.id).cmp(&(b.id.len(), &b.id)));
            return Ok(out);
        }
        out.extend(verify::records(client, progress, object, &there).await?);
        if ids.len() == out.len() {
            out.sort_by(|a, b| (a.id.len(), &a.id).cmp(&(b.id.len(), &b.id)));
            return Ok(out);
        }
    }
    let why = format!("{} records come of {} that were asked for and are counted", out.len(), ids.len());
    Err(inconsistent(object, why))
}
