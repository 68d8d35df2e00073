//! What belongs to a record and stands in a list of its own: the check list of a task, the bank details of a requisite.
//!
//! A check list is asked for task by task, since the method takes one (sheet §10.17). Bank details of several requisites
//! come together, in pages by their own id.

use std::collections::HashMap;

use serde_json::value::RawValue;

use super::ask::ask;
use super::reading::{Part, Reading};
use super::{Found, PAGE, STRIKES};
use crate::run::connect::Error;
use crate::run::connect::bitrix24::client::{Client, inconsistent, malformed, refused};
use crate::run::connect::bitrix24::wire::{Command, Php, number};

const CHECK_LIST: &str = "task.checklistitem.getlist";
const BANK_DETAILS: &str = "crm.requisite.bankdetail.list";
/// Requisites that one command asks: few have more than one bank.
const OWNERS: usize = 25;

/// Asks for what belongs to these records.
pub(super) async fn complete(
    client: &Client,
    m: &Reading,
    part: Part,
    found: &mut [Found],
) -> Result<(), Error> {
    match part {
        Part::CheckList => check_lists(client, m, found).await,
        Part::BankDetails => bank_details(client, m, found).await,
    }
}

async fn check_lists(client: &Client, m: &Reading, found: &mut [Found]) -> Result<(), Error> {
    // The parameters count by their place (sheet §1.2).
    let command = |f: &Found| Command::new(format!("c{}", f.id), CHECK_LIST, &[("0", &f.id.to_string())]);
    let commands: Vec<Command> = found.iter().map(command).collect();
    let mut replies = ask(client, CHECK_LIST, &commands).await?;
    for record in found {
        let Some(reply) = replies.remove(&format!("c{}", record.id)) else { continue };
        let list = reply.result.map_err(|problem| {
            refused(CHECK_LIST, &format!("{problem}, for `{}` {}", m.object, record.id))
        })?;
        let rows = Php::parse(&list).ok_or_else(|| malformed(CHECK_LIST, "check lists that are no list"))?;
        let rows = rows.rows();
        if !rows.is_empty() {
            let rows: Vec<&str> = rows.iter().map(|row| row.get()).collect();
            record.parts.push(("CHECKLIST", format!("[{}]", rows.join(","))));
        }
    }
    Ok(())
}

/// A command's requisites, and the last bank detail that came.
struct Open {
    owners: Vec<u64>,
    after: u64,
}

async fn bank_details(client: &Client, m: &Reading, found: &mut [Found]) -> Result<(), Error> {
    let ids: Vec<u64> = found.iter().map(|f| f.id).collect();
    let mut open: Vec<Open> =
        ids.chunks(OWNERS).map(|owners| Open { owners: owners.to_vec(), after: 0 }).collect();
    let mut rows: HashMap<u64, Vec<Box<RawValue>>> = HashMap::new();
    let mut strikes = 0;
    while !open.is_empty() {
        let command = |(n, open): (usize, &Open)| {
            let after = open.after.to_string();
            let mut command = Command::new(
                format!("d{n}"),
                BANK_DETAILS,
                &[("order[ID]", "ASC"), ("filter[>ID]", &after), ("start", "0")],
            );
            let owners = open
                .owners
                .iter()
                .enumerate()
                .map(|(k, id)| (format!("filter[@ENTITY_ID][{k}]"), id.to_string()));
            command.parameters.extend(owners);
            command.parameters.extend(["*", "UF_*"].map(|f| ("select[]".to_owned(), f.to_owned())));
            command
        };
        let commands: Vec<Command> = open.iter().enumerate().map(command).collect();
        let mut replies = ask(client, BANK_DETAILS, &commands).await?;
        let mut more = Vec::new();
        for (n, mut one) in open.into_iter().enumerate() {
            let Some(reply) = replies.remove(&format!("d{n}")) else { continue };
            let page = reply
                .result
                .map_err(|problem| refused(BANK_DETAILS, &format!("{problem}, for `{}`", m.object)))?;
            let page = Php::parse(&page).ok_or_else(|| malformed(BANK_DETAILS, "a page is not a list"))?;
            let page = page.rows();
            let due =
                reply.total.map_or(page.len(), |total| usize::try_from(total).unwrap_or(PAGE).min(PAGE));
            let mut taken = Vec::with_capacity(page.len());
            let mut last = one.after;
            for row in &page {
                let parsed = Php::parse(row);
                let part = |name: &str| parsed.as_ref().and_then(|row| row.get(name)).and_then(number);
                let (Some(id), Some(owner)) = (part("ID"), part("ENTITY_ID")) else {
                    return Err(malformed(BANK_DETAILS, "a bank detail without its id or its requisite"));
                };
                if id <= last || !one.owners.contains(&owner) {
                    break;
                }
                last = id;
                taken.push((owner, (*row).to_owned()));
            }
            if taken.len() < page.len().max(due) {
                // Read again: what was asked for did not come.
                strikes += 1;
                if strikes >= STRIKES {
                    return Err(inconsistent(
                        &m.object,
                        format!("its bank details: {} came of {due} in order", taken.len()),
                    ));
                }
                more.push(one);
                continue;
            }
            for (owner, row) in taken {
                rows.entry(owner).or_default().push(row);
            }
            if page.len() >= PAGE {
                one.after = last;
                more.push(one);
            }
        }
        open = more;
    }
    for record in found {
        if let Some(own) = rows.remove(&record.id) {
            let own: Vec<&str> = own.iter().map(|row| row.get()).collect();
            record.parts.push(("BANK_DETAILS", format!("[{}]", own.join(","))));
        }
    }
    Ok(())
}
