//! Product rows, put into the records they belong to.
//!
//! `crm.item.productrow.list` takes several owners, so that 50 records and their rows cost a command or two (sheet
//! §10.7). That it does so is documented, but not tested on every portal, so the first answers are compared with those
//! of `crm.<object>.productrows.get`, which takes one owner; where they differ, or the list is refused, rows are asked
//! for singly.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::ask::{Reply, ask};
use super::{Found, PAGE, Progress, Reading, STRIKES};
use crate::run::connect::Error;
use crate::run::connect::bitrix24::client::{Client, inconsistent, malformed, refused};
use crate::run::connect::bitrix24::wire::{Command, Php, number};

const LIST: &str = "crm.item.productrow.list";
/// Owners in one command.
const OWNERS: usize = 50;

/// The methods of an object's rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Methods {
    /// The short code of its owners.
    pub(super) owner: &'static str,
    /// Answers the rows of one record.
    pub(super) single: &'static str,
}

/// How rows are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Way {
    /// Of several owners, which is to be compared first.
    #[default]
    Untried,
    Together,
    Singly,
}

/// Rows by owner, each with its place and id.
type Rows = HashMap<u64, BTreeMap<(i64, u64), Box<RawValue>>>;

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(rename = "ID", alias = "id", borrow)]
    id: Option<&'a RawValue>,
    #[serde(rename = "OWNER_ID", alias = "ownerId", borrow)]
    owner: Option<&'a RawValue>,
    #[serde(rename = "SORT", alias = "sort", borrow)]
    sort: Option<&'a RawValue>,
}

/// Asks for the rows of these records.
pub(super) async fn complete(
    client: &Client,
    progress: &Progress,
    m: &Reading,
    methods: Methods,
    found: &mut [Found],
) -> Result<(), Error> {
    let owners: Vec<u64> = found.iter().map(|f| f.id).collect();
    let way = progress.with(m, |s| s.rows);
    let mut rows = match way {
        Way::Singly => None,
        Way::Untried | Way::Together => together(client, m, methods, &owners).await?,
    };
    if let (Way::Untried, Some(listed)) = (way, &rows) {
        // Two owners with rows in one command tell the two ways apart; the fullest command is the likeliest.
        let fullest =
            owners.chunks(OWNERS).max_by_key(|c| c.iter().filter(|id| listed.contains_key(id)).count());
        if let Some(chunk) = fullest.filter(|chunk| chunk.len() > 1) {
            let single = singly(client, m, methods, chunk).await?;
            let ids = |rows: &Rows, id: &u64| rows.get(id).map(|r| r.keys().copied().collect::<Vec<_>>());
            if chunk.iter().all(|id| ids(&single, id) == ids(listed, id)) {
                if single.len() > 1 {
                    progress.with(m, |s| s.rows = Way::Together);
                }
            } else {
                rows = None;
            }
        }
    }
    let mut rows = match rows {
        Some(rows) => rows,
        None => {
            progress.with(m, |s| s.rows = Way::Singly);
            singly(client, m, methods, &owners).await?
        }
    };
    for record in found {
        let own = rows.remove(&record.id).unwrap_or_default();
        record.rows = Some(own.into_values().collect());
    }
    Ok(())
}

/// The rows of several owners a command; `None` when the portal refuses.
async fn together(
    client: &Client,
    m: &Reading,
    methods: Methods,
    owners: &[u64],
) -> Result<Option<Rows>, Error> {
    let chunks: Vec<&[u64]> = owners.chunks(OWNERS).collect();
    let mut strikes = 0;
    loop {
        let firsts: Vec<Command> = (0..chunks.len()).map(|n| command(methods, chunks[n], n, 0)).collect();
        let mut replies = ask(client, LIST, &firsts).await?;
        if replies.values().any(|reply| reply.result.is_err()) {
            return Ok(None);
        }
        let mut rest = Vec::new();
        for (n, chunk) in chunks.iter().enumerate() {
            let total = replies.get(&format!("w{n}_0")).and_then(|reply| reply.total).unwrap_or(0);
            let starts = (1..).map(|page| page * PAGE).take_while(|start| (*start as u64) < total);
            rest.extend(starts.map(|start| command(methods, chunk, n, start)));
        }
        replies.extend(ask(client, LIST, &rest).await?);
        match gather(&chunks, &replies) {
            Ok(rows) => return Ok(Some(rows)),
            Err(why) => {
                strikes += 1;
                if strikes >= STRIKES {
                    return Err(inconsistent(&m.object, format!("its product rows: {why}")));
                }
            }
        }
    }
}

fn command(methods: Methods, owners: &[u64], n: usize, start: usize) -> Command {
    let mut command = Command::new(
        format!("w{n}_{start}"),
        LIST,
        &[("filter[=ownerType]", methods.owner), ("order[id]", "ASC"), ("start", &start.to_string())],
    );
    let ids = owners.iter().enumerate().map(|(k, id)| (format!("filter[=ownerId][{k}]"), id.to_string()));
    command.parameters.extend(ids);
    command
}

/// Takes the pages apart: each row of an owner that was asked for, and as many as are counted.
fn gather(chunks: &[&[u64]], replies: &HashMap<String, Reply>) -> Result<Rows, String> {
    let mut out = Rows::new();
    for (n, chunk) in chunks.iter().enumerate() {
        let mut seen = std::collections::HashSet::new();
        let mut total = None;
        for start in (0..).map(|page| page * PAGE) {
            let Some(reply) = replies.get(&format!("w{n}_{start}")) else { break };
            total = total.or(reply.total);
            let Ok(result) = &reply.result else { return Err("a page is refused".to_owned()) };
            let list = Php::parse(result).and_then(|map| Php::parse(map.get("productRows")?));
            for row in list.ok_or("a page is not a list")?.rows() {
                let (owner, place) = head(row).ok_or("a row without an id")?;
                let owner = owner.filter(|owner| chunk.contains(owner)).ok_or("a row of another record")?;
                seen.insert(place.1);
                out.entry(owner).or_default().insert(place, row.to_owned());
            }
        }
        if total.is_some_and(|total| total != seen.len() as u64) {
            return Err(format!("{} came of {}", seen.len(), total.unwrap_or(0)));
        }
    }
    Ok(out)
}

/// The owner, and place and id, of a row.
fn head(row: &RawValue) -> Option<(Option<u64>, (i64, u64))> {
    let head: Head<'_> = serde_json::from_str(row.get()).ok()?;
    let sort = head.sort.and_then(number).and_then(|n| i64::try_from(n).ok()).unwrap_or(0);
    Some((head.owner.and_then(number), (sort, head.id.and_then(number)?)))
}

/// The rows of each owner for itself.
async fn singly(client: &Client, m: &Reading, methods: Methods, owners: &[u64]) -> Result<Rows, Error> {
    let command = |id: &u64| Command::new(format!("r{id}"), methods.single, &[("id", &id.to_string())]);
    let commands: Vec<Command> = owners.iter().map(command).collect();
    let mut out = Rows::new();
    let replies = ask(client, methods.single, &commands).await?;
    for id in owners {
        let Some(reply) = replies.get(&format!("r{id}")) else { continue };
        let result = match &reply.result {
            Ok(result) => result,
            Err(problem) => {
                return Err(refused(methods.single, &format!("{problem}, for `{}` {id}", m.object)));
            }
        };
        let list = Php::parse(result).ok_or_else(|| malformed(methods.single, "rows that are not a list"))?;
        for row in list.rows() {
            let (_, place) = head(row).ok_or_else(|| malformed(methods.single, "a row without an id"))?;
            out.entry(*id).or_default().insert(place, row.to_owned());
        }
    }
    Ok(out)
}
