//! Addresses, which have no id: they are asked for by the companies or contacts that they are of (sheet §10.18).
//!
//! `crm.address.list` counts no further than a page, and no page follows, so nothing pages: a few owners a command, and
//! where a page comes full, fewer. Below a page its count is right, and a page that holds less is read again. What was handed out counts; before, a sweep over all owners does. The key that the API gives an address,
//! its owner's kind and id and its own kind, becomes its `ID`.
//! INVARIANT: a cursor is the last owner that is done.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};

use serde_json::value::RawValue;

use super::ask::ask;
use super::{COMMANDS, PAGE, Progress, STRIKES, all_ids, reading};
use crate::run::connect::bitrix24::client::{Client, inconsistent, malformed, refused};
use crate::run::connect::bitrix24::wire::{Command, Php, number};
use crate::run::connect::{Batch, Error, Raw};

const LIST: &str = "crm.address.list";
/// Owners that one command asks at first.
const OWNERS: usize = 10;

/// Whose addresses they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Company,
    Contact,
}

/// Whose addresses this object holds.
pub(super) fn owner(object: &str) -> Option<Owner> {
    match object {
        "company_address" => Some(Owner::Company),
        "contact_address" => Some(Owner::Contact),
        _ => None,
    }
}

impl Owner {
    fn object(self) -> &'static str {
        match self {
            Owner::Company => "company",
            Owner::Contact => "contact",
        }
    }

    fn anchor(self) -> &'static str {
        match self {
            Owner::Company => "4",
            Owner::Contact => "3",
        }
    }
}

/// What is known of the addresses of each kind of owner.
#[derive(Debug, Default)]
pub(super) struct States([RefCell<State>; 2]);

#[derive(Debug, Default)]
struct State {
    owners: Option<Vec<u64>>,
    seen: HashSet<u64>,
    /// Whether everything since the first owner was handed out by this process.
    whole: bool,
    finished: Option<u64>,
}

impl States {
    fn of(&self, owner: Owner) -> &RefCell<State> {
        &self.0[owner as usize]
    }
}

/// How many addresses there are.
pub(super) async fn count(client: &Client, progress: &Progress, owner: Owner) -> Result<u64, Error> {
    if let Some(finished) = progress.addresses.of(owner).borrow().finished {
        return Ok(finished);
    }
    let owners = all_ids(client, &reading(owner.object())?).await?;
    let mut sum = 0;
    for chunk in owners.chunks(OWNERS * COMMANDS) {
        sum += of_owners(client, owner, chunk).await?.len() as u64;
    }
    Ok(sum)
}

/// The addresses of the owners that follow the cursor.
pub(super) async fn extract(
    client: &Client,
    progress: &Progress,
    owner: Owner,
    cursor: &str,
) -> Result<Batch, Error> {
    let after = match cursor {
        "" => 0,
        text => text.parse::<u64>().map_err(|_| {
            refused(
                "extract",
                &format!(
                    "`{text}` is not a cursor of this connector: extract `{}_address` anew",
                    owner.object()
                ),
            )
        })?,
    };
    let state = progress.addresses.of(owner);
    if after == 0 || state.borrow().owners.is_none() {
        let owners = all_ids(client, &reading(owner.object())?).await?;
        let mut state = state.borrow_mut();
        state.owners = Some(owners);
        if after == 0 {
            (state.whole, state.finished) = (true, None);
            state.seen.clear();
        }
    }
    let (chunk, last) = {
        let state = state.borrow();
        let all = state.owners.as_deref().unwrap_or_default();
        let from = all.partition_point(|id| *id <= after);
        let until = (from + OWNERS * COMMANDS).min(all.len());
        (all[from..until].to_vec(), until == all.len())
    };
    let mut found = of_owners(client, owner, &chunk).await?;
    let mut state = state.borrow_mut();
    found.retain(|key, _| state.seen.insert(*key));
    if last {
        state.finished = state.whole.then_some(state.seen.len() as u64);
        state.owners = None;
    }
    let raw = |(id, json): (u64, String)| Raw { id: id.to_string(), json: json.into_bytes() };
    Ok(Batch {
        records: found.into_iter().map(raw).collect(),
        cursor: chunk.last().map_or_else(|| cursor.to_owned(), u64::to_string),
        done: last,
        moved: false,
    })
}

/// The addresses of these owners.
pub(super) async fn under(client: &Client, owner: Owner, owners: &[u64]) -> Result<Vec<Raw>, Error> {
    let mut out = Vec::new();
    for chunk in owners.chunks(OWNERS * COMMANDS) {
        let found = of_owners(client, owner, chunk).await?.into_iter();
        out.extend(found.map(|(id, json)| Raw { id: id.to_string(), json: json.into_bytes() }));
    }
    Ok(out)
}

/// The addresses of these owners, by key, each with its key put in.
async fn of_owners(client: &Client, owner: Owner, owners: &[u64]) -> Result<BTreeMap<u64, String>, Error> {
    let object = format!("{}_address", owner.object());
    let mut out = BTreeMap::new();
    let mut open: Vec<Vec<u64>> = owners.chunks(OWNERS).map(<[u64]>::to_vec).collect();
    let mut strikes = 0;
    while !open.is_empty() {
        let commands: Vec<Command> =
            open.iter().enumerate().map(|(n, owners)| command(owner, n, owners)).collect();
        let mut replies = ask(client, LIST, &commands).await?;
        let (mut again, mut why) = (Vec::new(), String::new());
        for (n, mut owners) in open.into_iter().enumerate() {
            let Some(reply) = replies.remove(&format!("a{n}")) else { continue };
            let page = reply.result.map_err(|problem| refused(LIST, &problem.to_string()))?;
            let page = Php::parse(&page).ok_or_else(|| malformed(LIST, "a page is not a list"))?;
            let rows = page.rows();
            let counted = reply.total.unwrap_or(rows.len() as u64);
            if rows.len().max(usize::try_from(counted).unwrap_or(PAGE)) >= PAGE {
                // There may be more, and no page follows.
                if owners.len() == 1 {
                    let why = format!("{PAGE} addresses of one {}: no more are listed", owner.object());
                    return Err(inconsistent(&object, why));
                }
                let half = owners.split_off(owners.len() / 2);
                again.extend([owners, half]);
                continue;
            }
            if counted != rows.len() as u64 {
                why = format!("{} came of the {counted} that are counted", rows.len());
            } else if rows.iter().any(|row| !is_of(row, &owners)) {
                why = "addresses of other records came".to_owned();
            } else {
                for row in rows {
                    let (key, json) = keyed(row)?;
                    out.insert(key, json);
                }
                continue;
            }
            again.push(owners);
        }
        if !why.is_empty() {
            strikes += 1;
            if strikes >= STRIKES {
                return Err(inconsistent(&object, why));
            }
        }
        open = again;
    }
    Ok(out)
}

fn command(owner: Owner, n: usize, owners: &[u64]) -> Command {
    let mut command = Command::new(
        format!("a{n}"),
        LIST,
        &[("filter[ANCHOR_TYPE_ID]", owner.anchor()), ("order[ANCHOR_ID]", "ASC"), ("start", "0")],
    );
    let ids = owners.iter().enumerate().map(|(k, id)| (format!("filter[@ANCHOR_ID][{k}]"), id.to_string()));
    command.parameters.extend(ids);
    command
}

fn is_of(row: &RawValue, owners: &[u64]) -> bool {
    let anchor = Php::parse(row).and_then(|row| row.get("ANCHOR_ID").and_then(number));
    anchor.is_some_and(|anchor| owners.contains(&anchor))
}

/// The number that stands for the key of an address, and the address with it: 7335801 is the physical one (1) of
/// requisite (8) 7335.
fn keyed(row: &RawValue) -> Result<(u64, String), Error> {
    let parsed = Php::parse(row);
    let part = |name: &str| parsed.as_ref().and_then(|row| row.get(name)).and_then(number);
    let (Some(kind), Some(of), Some(id)) = (part("TYPE_ID"), part("ENTITY_TYPE_ID"), part("ENTITY_ID"))
    else {
        return Err(malformed(LIST, "an address without its key"));
    };
    if of > 9 || kind > 99 || id > u64::MAX / 1_000 {
        return Err(malformed(LIST, format!("an address of kind {kind} of a record of kind {of}")));
    }
    let key = id * 1_000 + of * 100 + kind;
    let json = row.get().trim_start();
    let rest = json.strip_prefix('{').ok_or_else(|| malformed(LIST, "an address that is no object"))?;
    Ok((key, format!("{{\"ID\":\"{key}\",{rest}")))
}
