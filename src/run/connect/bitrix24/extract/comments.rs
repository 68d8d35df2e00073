//! Comments, which are listed for one record at a time (sheet §10.16).
//!
//! Every record that may bear some is asked once for their ids; then only those that have some are asked for the whole.
//! A comment that hangs on several records is handed out once. The count is that of the ids, so it costs a sweep, and
//! after an extraction from the first to the last it is what was handed out: each owner's pages were compared with
//! what the portal counts for it.
//! INVARIANT: a cursor names the last owner that is done; owners go by kind, then by id.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::ask::ask;
use super::{Progress, STRIKES, all_ids, reading, since};
use crate::run::connect::bitrix24::client::{Client, inconsistent, malformed, refused};
use crate::run::connect::bitrix24::wire::{Command, Php, number, scalar};
use crate::run::connect::{Absent, Batch, Error, Known, Looked, Raw, Since};

const LIST: &str = "crm.timeline.comment.list";
const TYPES: &str = "crm.type.list";
/// Records of a page (sheet §4).
const PAGE: usize = 50;
/// Owners that one call asks.
const OWNERS: usize = 50;

/// A record that may bear comments.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Owner {
    /// As specs name the object.
    object: String,
    id: u64,
}

impl Owner {
    /// Kinds of owners in the order in which they are asked.
    fn order(&self) -> (usize, u32, u64) {
        let process = self.object.strip_prefix("process ").and_then(|id| id.parse().ok());
        let kind = KINDS.iter().position(|kind| *kind == self.object).unwrap_or(KINDS.len());
        (kind, process.unwrap_or(0), self.id)
    }

    /// What the filter calls the kind.
    fn word(&self) -> String {
        self.object.strip_prefix("process ").map_or_else(|| self.object.clone(), |id| format!("dynamic_{id}"))
    }

    fn cursor(&self) -> String {
        format!("{}:{}", self.object, self.id)
    }

    fn parse(cursor: &str) -> Option<Owner> {
        let (object, id) = cursor.rsplit_once(':')?;
        Some(Owner { object: object.to_owned(), id: id.parse().ok()? })
    }
}

const KINDS: [&str; 5] = ["company", "contact", "deal", "lead", "quote"];

/// What is known of the comments.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Those that have comments, in order.
    owners: Option<Vec<Owner>>,
    /// What the sweep for ids found.
    counted: u64,
    /// Handed out since the start.
    seen: HashSet<u64>,
    /// Whether everything since the first owner was handed out by this process.
    whole: bool,
    /// What a whole extraction came to.
    finished: Option<u64>,
    /// Every record that may bear comments, while a look at them is under way.
    all: Option<Vec<Owner>>,
}

/// How many comments there are.
pub(super) async fn count(client: &Client, progress: &Progress) -> Result<u64, Error> {
    let known = {
        let state = progress.comments.borrow();
        // While an extraction is under way, its own sweep tells.
        state.finished.or_else(|| state.owners.as_ref().map(|_| state.counted))
    };
    if let Some(known) = known {
        return Ok(known);
    }
    sweep(client, &progress.comments).await?;
    Ok(progress.comments.borrow().counted)
}

/// The comments of the owners that follow the cursor.
pub(super) async fn extract(client: &Client, progress: &Progress, cursor: &str) -> Result<Batch, Error> {
    let after = match cursor {
        "" => None,
        text => Some(Owner::parse(text).ok_or_else(|| {
            refused("extract", &format!("`{text}` is not a cursor of this connector: extract `comment` anew"))
        })?),
    };
    if progress.comments.borrow().owners.is_none() {
        sweep(client, &progress.comments).await?;
    }
    let (owners, last) = {
        let mut state = progress.comments.borrow_mut();
        if after.is_none() {
            state.seen.clear();
            state.whole = true;
            state.finished = None;
        }
        let all = state.owners.as_deref().unwrap_or_default();
        let from = after.as_ref().map_or(0, |done| all.partition_point(|o| o.order() <= done.order()));
        let until = (from + OWNERS).min(all.len());
        (all[from..until].to_vec(), until == all.len())
    };
    let mut found = BTreeMap::new();
    for comments in of_owners(client, &owners, &["*", "FILES"]).await? {
        for (id, json) in comments {
            // On several records: the first one's stands, whatever came together.
            found.entry(id).or_insert(json);
        }
    }
    let mut state = progress.comments.borrow_mut();
    found.retain(|id, _| state.seen.insert(*id));
    if last {
        state.finished = state.whole.then_some(state.seen.len() as u64);
        // A later sweep looks anew.
        state.owners = None;
    }
    let raw =
        |(id, json): (u64, Box<RawValue>)| Raw { id: id.to_string(), json: json.get().as_bytes().to_vec() };
    Ok(Batch {
        records: found.into_iter().map(raw).collect(),
        cursor: owners.last().map_or_else(|| cursor.to_owned(), Owner::cursor),
        done: last,
        moved: false,
    })
}

/// The comments of the records that follow the cursor, all of them read: nothing tells which were edited.
pub(super) async fn changed(
    client: &Client,
    looks: &Progress,
    cursor: &str,
    since: Since<'_>,
) -> Result<Looked, Error> {
    let after = Owner::parse(cursor);
    let missing = looks.comments.borrow().all.is_none();
    if after.is_none() || missing {
        let mut all = Vec::new();
        for object in kinds(client).await? {
            let ids = all_ids(client, &reading(&object)?).await?;
            all.extend(ids.into_iter().map(|id| Owner { object: object.clone(), id }));
        }
        let mut state = looks.comments.borrow_mut();
        state.all = Some(all);
        state.seen.clear();
    }
    let (owners, last) = {
        let state = looks.comments.borrow();
        let all = state.all.as_deref().unwrap_or_default();
        let from = after.as_ref().map_or(0, |done| all.partition_point(|o| o.order() <= done.order()));
        let until = (from + OWNERS * 10).min(all.len());
        (all[from..until].to_vec(), until == all.len())
    };
    let mut found = BTreeMap::new();
    for comments in of_owners(client, &owners, &["*", "FILES"]).await? {
        for (id, json) in comments {
            // On several records: the first one's stands, as when they are extracted.
            found.entry(id).or_insert(json);
        }
    }
    let mut state = looks.comments.borrow_mut();
    found.retain(|id, _| state.seen.insert(*id));
    if last {
        state.all = None;
    }
    let mut looked = Looked {
        cursor: owners.last().map_or_else(|| cursor.to_owned(), Owner::cursor),
        done: last,
        ..Looked::default()
    };
    for (id, json) in found {
        let raw = Raw { id: id.to_string(), json: json.get().as_bytes().to_vec() };
        if since::is_as_staged(&raw, since.known) {
            looked.same.push(raw.id);
        } else {
            looked.records.push(raw);
        }
    }
    Ok(looked)
}

/// Asks for comments where they stood. The records that are there were asked for all of theirs, and what they list was
/// counted; only a record that was overlooked may still bear one.
pub(super) async fn absent(client: &Client, keys: &[String], known: &dyn Known) -> Result<Absent, Error> {
    let mut owners: BTreeMap<String, BTreeMap<u64, Vec<u64>>> = BTreeMap::new();
    for key in keys {
        let Ok(id) = key.parse::<u64>() else { continue };
        let Some(json) = known.staged(key) else { continue };
        let Ok(head) = serde_json::from_slice::<Head<'_>>(&json) else { continue };
        let (Some(entity), Some(kind)) = (head.entity.and_then(number), head.kind) else { continue };
        let word = scalar(kind).to_ascii_lowercase();
        let object = word.strip_prefix("dynamic_").map_or_else(|| word.clone(), |id| format!("process {id}"));
        owners.entry(object).or_default().entry(entity).or_default().push(id);
    }
    let mut there = BTreeMap::new();
    for (object, of) in owners {
        let Ok(m) = reading(&object) else { continue };
        let ids: Vec<u64> = of.keys().copied().collect();
        let live = since::are_there(client, &m.object, &ids).await?;
        let live: Vec<Owner> = live.into_iter().map(|id| Owner { object: object.clone(), id }).collect();
        for (owner, comments) in live.iter().zip(of_owners(client, &live, &["*", "FILES"]).await?) {
            let wanted = of.get(&owner.id).map(Vec::as_slice).unwrap_or_default();
            there.extend(comments.into_iter().filter(|(id, _)| wanted.contains(id)));
        }
    }
    let gone = keys.iter().filter(|key| !key.parse().is_ok_and(|id: u64| there.contains_key(&id)));
    let gone = gone.cloned().collect();
    let raw =
        |(id, json): (u64, Box<RawValue>)| Raw { id: id.to_string(), json: json.get().as_bytes().to_vec() };
    Ok(Absent { gone, there: there.into_iter().map(raw).collect() })
}

/// The comments of these records.
pub(super) async fn under(client: &Client, object: &str, ids: &[u64]) -> Result<Vec<Raw>, Error> {
    let owners: Vec<Owner> = ids.iter().map(|id| Owner { object: object.to_owned(), id: *id }).collect();
    let mut found = BTreeMap::new();
    for comments in of_owners(client, &owners, &["*", "FILES"]).await? {
        for (id, json) in comments {
            found.entry(id).or_insert(json);
        }
    }
    let raw =
        |(id, json): (u64, Box<RawValue>)| Raw { id: id.to_string(), json: json.get().as_bytes().to_vec() };
    Ok(found.into_iter().map(raw).collect())
}

/// Asks every record whether it bears comments.
async fn sweep(client: &Client, state: &RefCell<State>) -> Result<(), Error> {
    let mut owners = Vec::new();
    let mut ids = HashSet::new();
    for object in kinds(client).await? {
        let all = all_ids(client, &reading(&object)?).await?;
        for chunk in all.chunks(OWNERS * 10) {
            let chunk: Vec<Owner> =
                chunk.iter().map(|id| Owner { object: object.clone(), id: *id }).collect();
            let found = of_owners(client, &chunk, &["ID", "ENTITY_ID", "ENTITY_TYPE"]).await?;
            for (owner, comments) in chunk.into_iter().zip(found) {
                if !comments.is_empty() {
                    ids.extend(comments.into_keys());
                    owners.push(owner);
                }
            }
        }
    }
    let mut state = state.borrow_mut();
    state.owners = Some(owners);
    state.counted = ids.len() as u64;
    Ok(())
}

/// The kinds of records that bear comments in this portal, in order.
async fn kinds(client: &Client) -> Result<Vec<String>, Error> {
    let probe = |object: &str, method| Command::new(object, method, &[]);
    let lead = ask(client, "crm.lead.fields", &[probe("lead", "crm.lead.fields")]).await?;
    let quote = ask(client, "crm.quote.fields", &[probe("quote", "crm.quote.fields")]).await?;
    let has = |object: &str| match object {
        "lead" => lead.get(object).is_some_and(|reply| reply.result.is_ok()),
        "quote" => quote.get(object).is_some_and(|reply| reply.result.is_ok()),
        _ => true,
    };
    let mut out: Vec<String> = KINDS.into_iter().filter(|object| has(object)).map(str::to_owned).collect();
    let mut processes = Vec::new();
    loop {
        let start = processes.len().to_string();
        let command = Command::new("types", TYPES, &[("order[id]", "ASC"), ("start", &start)]);
        let mut replies = ask(client, TYPES, &[command]).await?;
        let Some(reply) = replies.remove("types") else { break };
        let Ok(result) = reply.result else { break };
        let page = Php::parse(&result).and_then(|map| Php::parse(map.get("types")?)).unwrap_or_default();
        let before = processes.len();
        for row in page.rows() {
            let id = Php::parse(row).and_then(|row| row.get("entityTypeId").and_then(number));
            processes.push(id.ok_or_else(|| malformed(TYPES, "a Smart Process without `entityTypeId`"))?);
        }
        if processes.len() == before || processes.len() as u64 >= reply.total.unwrap_or(0) {
            break;
        }
    }
    processes.sort_unstable();
    processes.dedup();
    out.extend(processes.into_iter().map(|id| format!("process {id}")));
    Ok(out)
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(rename = "ID", borrow)]
    id: Option<&'a RawValue>,
    #[serde(rename = "ENTITY_ID", borrow)]
    entity: Option<&'a RawValue>,
    #[serde(rename = "ENTITY_TYPE", borrow)]
    kind: Option<&'a RawValue>,
}

type Comments = BTreeMap<u64, Box<RawValue>>;

/// The comments of each of these owners.
async fn of_owners(client: &Client, owners: &[Owner], select: &[&str]) -> Result<Vec<Comments>, Error> {
    let mut out: Vec<Option<Comments>> = vec![None; owners.len()];
    let mut strikes = 0;
    loop {
        let open: Vec<usize> = (0..owners.len()).filter(|n| out[*n].is_none()).collect();
        if open.is_empty() {
            return Ok(out.into_iter().flatten().collect());
        }
        let firsts: Vec<Command> = open.iter().map(|n| command(&owners[*n], *n, 0, select)).collect();
        let mut replies = ask(client, LIST, &firsts).await?;
        let mut rest = Vec::new();
        for n in &open {
            let total = replies.get(&format!("t{n}_0")).and_then(|reply| reply.total).unwrap_or(0);
            let starts = (1..).map(|page| page * PAGE).take_while(|start| (*start as u64) < total);
            rest.extend(starts.map(|start| command(&owners[*n], *n, start, select)));
        }
        replies.extend(ask(client, LIST, &rest).await?);
        let mut why = String::new();
        for n in open {
            let owner = &owners[n];
            let (mut found, mut total, mut foreign) = (Comments::new(), None, false);
            for start in (0..).map(|page| page * PAGE) {
                let Some(reply) = replies.remove(&format!("t{n}_{start}")) else { break };
                total = total.or(reply.total);
                let page = match reply.result {
                    Ok(page) => page,
                    // That estimates have a timeline here is not documented.
                    Err(_) if owner.object == "quote" => break,
                    Err(problem) => {
                        return Err(refused(
                            LIST,
                            &format!("{problem}, for `{}` {}", owner.object, owner.id),
                        ));
                    }
                };
                let rows = Php::parse(&page).ok_or_else(|| malformed(LIST, "a page is not a list"))?;
                for row in rows.rows() {
                    let head: Head<'_> = serde_json::from_str(row.get())
                        .map_err(|_| malformed(LIST, "an element of the list is not a comment"))?;
                    let id = head.id.and_then(number).filter(|id| *id > 0);
                    let id = id.ok_or_else(|| malformed(LIST, "a comment without an id"))?;
                    foreign |= head.entity.and_then(number).is_some_and(|entity| entity != owner.id)
                        || head.kind.is_some_and(|kind| !scalar(kind).eq_ignore_ascii_case(&owner.word()));
                    found.insert(id, row.to_owned());
                }
            }
            // A comment on several records may name the first one: believed when it comes again.
            if foreign && strikes + 1 < STRIKES {
                why = format!("`{}` {} lists comments of other records", owner.object, owner.id);
            } else if total.is_some_and(|total| total != found.len() as u64) {
                why = format!(
                    "`{}` {} lists {} of {}",
                    owner.object,
                    owner.id,
                    found.len(),
                    total.unwrap_or(0)
                );
            } else {
                out[n] = Some(found);
            }
        }
        if !why.is_empty() {
            strikes += 1;
            if strikes >= STRIKES {
                return Err(inconsistent("comment", why));
            }
        }
    }
}

fn command(owner: &Owner, n: usize, start: usize, select: &[&str]) -> Command {
    let (id, start) = (owner.id.to_string(), start.to_string());
    let mut command = Command::new(
        format!("t{n}_{start}"),
        LIST,
        &[
            ("filter[ENTITY_TYPE]", &owner.word()),
            ("filter[ENTITY_ID]", &id),
            ("order[ID]", "ASC"),
            ("start", &start),
        ],
    );
    // Without a selection everything comes.
    if !select.contains(&"*") {
        command.parameters.extend(select.iter().map(|field| ("select[]".to_owned(), (*field).to_owned())));
    }
    command
}
