//! Reads all records of an object, in as few requests as the API allows.
//!
//! # The scheme
//! The bucket counts requests, and a batch of 50 commands is one (sheet §3.1), so the cost of a run is its batches. A
//! page holds 50 records; page *n* asks for `>ID` of the last record of page *n − 1* by reference, so that 50 pages
//! chain inside one batch without offsets that shift (sheet §4.2). N records take one request that counts them and
//! `ceil((N + 1) / 2500)` batches: 42 for 100,000, where a plain list takes 41, and as few as it for most numbers.
//!
//! Link lists (a contact's companies, a deal's contacts) come back from no classic method (sheet §7), and asking
//! `*.items.get` costs a command a record. `crm.item.list` gives the ids of 50 records a command, so it runs beside
//! the classic pages in the same batch, on the same chain: `p0 l0 p1 l1 …`, 25 windows a batch and twice the batches,
//! which is the least for two methods of 50 a page. Taking whole records from `crm.item.list` would save that half, at
//! the price of pressing deals, contacts and processes against one method's running time, of numbers as floats, and
//! of custom names that do not translate back (sheet §13). Only records whose links do not come this way are asked
//! for singly.
//!
//! # What is trusted
//! Ids must rise; a page that breaks this is read again, then reported. A short page may be the last one or a lie:
//! unless it ends just where the count said, one more request asks for what follows and for the count up to here.
//! The count decides nothing else but how many pages are asked for.
//!
//! # What belongs to a record
//! Product rows, the bindings of activities and links that the list did not give are asked for when a batch of records
//! is there, and staged in them. Smart Processes come from `crm.item.list` itself; comments have a way of their own.
//! INVARIANT: records that are handed out have rising ids, and `done` was confirmed by a page or a count.

mod addresses;
mod ask;
mod bindings;
mod comments;
pub(super) mod counts;
mod links;
mod parts;
mod reading;
mod rows;
mod since;
mod tables;

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use self::links::{complete_links, links_of_page};
use self::reading::{Reading, reading};
pub(super) use self::since::{absent, changed, changed_after, stamp};
use crate::run::connect::bitrix24::client::{Client, Patience, Trouble, inconsistent, malformed, refused};
use crate::run::connect::bitrix24::schema::build::link_list;
use crate::run::connect::bitrix24::schema::own::ROWS;
use crate::run::connect::bitrix24::wire::{Batch as Answers, Command, number, scalar};
use crate::run::connect::{Batch, Error, Raw};

/// Records of a page (sheet §4).
const PAGE: usize = 50;
/// Commands of a batch (sheet §5).
const COMMANDS: usize = 50;
/// What a batch may take: half of what a request may, since pages differ.
const BATCH_SECONDS: f64 = 30.0;
/// How often a page that contradicts itself is read again.
const STRIKES: u32 = 3;

/// What is known of the objects under way.
#[derive(Debug, Default)]
pub(super) struct Progress {
    objects: RefCell<HashMap<String, State>>,
    comments: RefCell<comments::State>,
    addresses: addresses::States,
    /// Objects of which a look reads every record whole, since the portal does not give what would tell.
    wholly: RefCell<HashSet<String>>,
    #[cfg(debug_assertions)]
    planted: std::cell::Cell<crate::run::connect::Planted>,
}

#[derive(Clone, Debug)]
struct State {
    /// Windows in a batch, as time and failures allow; at most what fits.
    width: usize,
    /// What was handed out last.
    seen: Option<Seen>,
    /// Records that the portal counted, from the same place on.
    total: Option<u64>,
    /// The universal list does not give this object's links here.
    links_singly: bool,
    /// How product rows are asked for.
    rows: rows::Way,
}

/// Records that were handed out without a gap.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// They follow this id.
    base: u64,
    /// They end with this one.
    end: u64,
    /// So many.
    records: u64,
}

/// A link of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Link {
    id: u64,
    primary: bool,
    sort: u64,
}

/// A record on its way.
struct Found {
    id: u64,
    json: String,
    /// The id in the field of the primary link.
    primary: Option<u64>,
    links: Option<Vec<Link>>,
    /// Product rows in order.
    rows: Option<Vec<Box<RawValue>>>,
    bindings: Option<Box<RawValue>>,
    /// What else belongs to it, by the name of its field.
    parts: Vec<(&'static str, String)>,
}

/// What a batch brought.
#[derive(Default)]
struct Window {
    found: Vec<Found>,
    /// The last page was short.
    short: bool,
    /// Why the batch brought less than was asked for.
    trouble: Option<Trouble>,
    /// The universal list refused to give the links.
    links_refused: bool,
    /// The seconds that a window took.
    seconds: f64,
}

/// How many records of an object there are.
pub(super) async fn count(client: &Client, progress: &Progress, object: &str) -> Result<u64, Error> {
    if object == "comment" {
        return comments::count(client, progress).await;
    }
    if let Some(owner) = addresses::owner(object) {
        return addresses::count(client, progress, owner).await;
    }
    let m = &reading(object)?;
    let answer = client.call(m.list, m.counting(0)).await?;
    let total = answer.total.ok_or_else(|| malformed(m.list, "there is no `total`"))?;
    progress.with(m, |state| {
        state.seen = Some(Seen { base: 0, end: 0, records: 0 });
        state.total = Some(total);
    });
    Ok(total)
}

/// Where an extraction stands, counting what is to come when it begins here. Without the count, pages behind the
/// last one would be asked for, and the end would take a request to confirm: it costs nothing.
async fn stand(
    client: &Client,
    progress: &Progress,
    m: &Reading,
    last: u64,
) -> Result<(Seen, Option<u64>), Error> {
    if let Some(known) =
        progress.with(m, |s| s.seen.filter(|seen| seen.end == last).map(|seen| (seen, s.total)))
    {
        return Ok(known);
    }
    client.rest(&[m.list]).await;
    let total = match client.attempt(m.list, &m.counting(last)).await {
        Ok(answer) => answer.total,
        Err(Trouble::Fatal(error)) => return Err(error),
        // A count of a large table may take too long, and is not needed.
        Err(_) => None,
    };
    let seen = Seen { base: last, end: last, records: 0 };
    progress.with(m, |s| (s.seen, s.total) = (Some(seen), total));
    Ok((seen, total))
}

impl Progress {
    /// Switches bugs on.
    #[cfg(debug_assertions)]
    pub(super) fn plant(&self, bugs: crate::run::connect::Planted) {
        self.planted.set(bugs);
    }

    /// What a window is taken for where a bug is planted that strikes here.
    #[cfg(debug_assertions)]
    fn misled(&self, seen: Seen, total: Option<u64>, window: &mut Window) -> Option<bool> {
        let planted = self.planted.get();
        let beyond = total.and_then(|total| seen.records.checked_sub(total)).unwrap_or(0);
        let counted = planted.total_is_trusted && total.is_some_and(|total| seen.records >= total);
        if !(planted.short_page_is_the_last && window.short || counted) {
            return None;
        }
        if counted {
            window.found.truncate(window.found.len().saturating_sub(beyond as usize));
        }
        Some(true)
    }

    fn with<R>(&self, m: &Reading, f: impl FnOnce(&mut State) -> R) -> R {
        let mut map = self.objects.borrow_mut();
        let (width, rows) = (COMMANDS, rows::Way::default());
        let fresh = || State { width, seen: None, total: None, links_singly: false, rows };
        f(map.entry(m.object.clone()).or_insert_with(fresh))
    }
}

/// The records after `cursor`; `pages` caps the commands of a batch.
pub(super) async fn extract(
    client: &Client,
    progress: &Progress,
    object: &str,
    cursor: &str,
    pages: usize,
) -> Result<Batch, Error> {
    if object == "comment" {
        return comments::extract(client, progress, cursor).await;
    }
    if let Some(owner) = addresses::owner(object) {
        return addresses::extract(client, progress, owner, cursor).await;
    }
    let m = &reading(object)?;
    let brought = records_after(client, progress, m, cursor, pages).await?;
    let records = brought.found.into_iter().map(|found| staged(m, found)).collect();
    Ok(Batch { records, cursor: brought.cursor, done: brought.done })
}

/// Records as one batch of commands brought them, with what belongs to them.
struct Brought {
    found: Vec<Found>,
    cursor: String,
    done: bool,
}

/// The records after `cursor`, by this reading.
async fn records_after(
    client: &Client,
    progress: &Progress,
    m: &Reading,
    cursor: &str,
    pages: usize,
) -> Result<Brought, Error> {
    let last: u64 = if cursor.is_empty() {
        0
    } else {
        cursor.parse().map_err(|_| {
            refused(
                "extract",
                &format!("`{cursor}` is not a cursor of this connector: extract `{}` anew", m.object),
            )
        })?
    };
    let (mut patience, mut strikes) = (Patience::default(), 0);
    loop {
        let (seen, total) = stand(client, progress, m, last).await?;
        let singly = progress.with(m, |s| s.links_singly);
        let beside = m.links.is_some() && !singly && !m.within;
        let fits = (pages.clamp(1, m.pages) / if beside { 2 } else { 1 }).max(1);
        let allowed =
            if beside { client.rest(&[m.list, "crm.item.list"]).await } else { client.rest(&[m.list]).await };
        let mut width = progress.with(m, |s| s.width).min(fits).min(allowed);
        if let Some(total) = total {
            let pages = total.saturating_sub(seen.records) / PAGE as u64 + 1;
            width = width.min(usize::try_from(pages).unwrap_or(width));
        }
        let mut window = match client.attempt_batch(&commands(m, last, width, beside), true).await {
            Ok(answer) => {
                let batch = Answers::parse(answer.result())
                    .ok_or_else(|| malformed("batch", "it is not the answer of a batch"))?;
                read(client, m, last, width, beside, &batch)?
            }
            Err(trouble) => Window { trouble: Some(trouble), ..Window::default() },
        };
        adapt(progress, m, fits, width, &window);
        if window.found.is_empty() && !window.short {
            match window.trouble.take() {
                Some(Trouble::Fatal(Error::Inconsistent { .. })) if strikes + 1 < STRIKES => {
                    strikes += 1;
                    client
                        .recover(&mut patience, Trouble::NoAnswer("a page contradicts itself".to_owned()))
                        .await?;
                }
                Some(trouble) => client.recover(&mut patience, trouble).await?,
                None => return Err(malformed(m.list, "a batch without its first page")),
            }
            continue;
        }
        if window.links_refused {
            progress.with(m, |s| s.links_singly = true);
        }
        if let Some(Trouble::Blocked(method)) = window.trouble {
            client.block(method);
        }
        if let Err(trouble) = complete(client, progress, m, &mut window.found).await {
            strikes += 1;
            if strikes >= STRIKES {
                return Err(match trouble {
                    Trouble::Fatal(error) => error,
                    _ => malformed(m.links.unwrap_or(m.list), "what belongs to a record cannot be read"),
                });
            }
            // A record that was deleted meanwhile is not in the list any more: read the window again.
            client
                .recover(
                    &mut patience,
                    Trouble::NoAnswer("what belongs to a record cannot be read".to_owned()),
                )
                .await?;
            continue;
        }
        let end = window.found.last().map_or(last, |f| f.id);
        let seen = Seen { end, records: seen.records + window.found.len() as u64, ..seen };
        #[cfg(debug_assertions)]
        if let Some(done) = progress.misled(seen, total, &mut window) {
            let cursor = window.found.last().map_or(seen.end, |found| found.id).to_string();
            return Ok(Brought { found: window.found, cursor, done });
        }
        let done = window.short && (Some(seen.records) == total || confirm(client, m, seen).await?);
        progress.with(m, |s| {
            s.seen = Some(seen);
            // Full pages beyond the count: people have added records, and it says nothing any more.
            s.total = s.total.filter(|total| window.short || seen.records <= *total);
        });
        return Ok(Brought { found: window.found, cursor: end.to_string(), done });
    }
}

/// Learns from a batch how large the next one may be.
fn adapt(progress: &Progress, m: &Reading, fits: usize, width: usize, window: &Window) {
    progress.with(m, |state| match &window.trouble {
        Some(Trouble::NoAnswer(_)) if window.found.is_empty() => state.width = (width / 2).max(1),
        _ if window.seconds > 0.0 => {
            let in_time = ((BATCH_SECONDS / window.seconds) as usize).clamp(1, fits);
            state.width = in_time.min(state.width.saturating_mul(2));
        }
        _ => {}
    });
}

/// The commands of a batch: pages that follow each other, and the links beside each.
fn commands(m: &Reading, last: u64, width: usize, beside: bool) -> Vec<Command> {
    let mut out = Vec::with_capacity(width * 2);
    for n in 0..width {
        let after = match n.checked_sub(1) {
            None => last.to_string(),
            Some(before) => m.last_of(before),
        };
        out.push(page(m, format!("p{n}"), &after));
        if beside {
            let (list, primary) = m.names;
            out.push(Command::new(
                format!("l{n}"),
                "crm.item.list",
                &[
                    ("entityTypeId", &m.entity_type),
                    ("order[id]", "ASC"),
                    ("filter[>id]", &after),
                    ("select[0]", "id"),
                    ("select[1]", primary),
                    ("select[2]", list),
                    ("start", "-1"),
                ],
            ));
        }
    }
    out
}

fn page(m: &Reading, name: String, after: &str) -> Command {
    let mut command = Command::new(name, m.list, &[(&m.bound(">"), after), ("start", m.listing.start)]);
    command.parameters.extend(m.basis());
    command.parameters.extend(m.select.iter().map(|field| ("select[]".to_owned(), (*field).to_owned())));
    command
}

/// What is read of a record on the way.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(rename = "ID", alias = "id", borrow)]
    id: Option<&'a RawValue>,
    /// Of which type a universal record is.
    #[serde(rename = "entityTypeId", borrow)]
    entity_type: Option<&'a RawValue>,
    #[serde(rename = "COMPANY_ID", alias = "companyId", borrow)]
    company: Option<&'a RawValue>,
    #[serde(rename = "CONTACT_ID", alias = "contactId", borrow)]
    contact: Option<&'a RawValue>,
}

/// Takes the pages of a batch apart, as far as they are sound.
fn read(
    client: &Client,
    m: &Reading,
    last: u64,
    width: usize,
    beside: bool,
    batch: &Answers<'_>,
) -> Result<Window, Error> {
    let mut window = Window::default();
    let (mut last, mut seconds, mut pages) = (last, 0.0, 0.0);
    for n in 0..width {
        let name = format!("p{n}");
        let Some(result) = batch.results.get(&name) else {
            let problem = batch.problem(&name);
            window.trouble = problem.map(|problem| client.judge(m.list, 400, &problem));
            break;
        };
        let links = match links_of_page(client, m, n, beside, batch) {
            Ok(links) => {
                window.links_refused |= links.is_none();
                links.unwrap_or_default()
            }
            Err(trouble) => {
                window.trouble = Some(trouble);
                break;
            }
        };
        let rows = m.page(result).ok_or_else(|| malformed(m.list, "a page is not a list"))?.rows();
        if rows.len() > PAGE {
            return Err(malformed(m.list, format!("a page holds {} records, not {PAGE}", rows.len())));
        }
        match sound(m, &rows, last, &links) {
            Ok(found) => {
                last = found.last().map_or(last, |f| f.id);
                window.found.extend(found);
            }
            Err(error) => {
                window.trouble = Some(Trouble::Fatal(error));
                break;
            }
        }
        seconds +=
            [name, format!("l{n}")].iter().filter_map(|c| batch.time(c)).map(|t| t.duration).sum::<f64>();
        pages += 1.0;
        if rows.len() < PAGE {
            // Whatever follows had no record to go on from.
            window.short = true;
            break;
        }
    }
    if pages > 0.0 {
        window.seconds = seconds / pages;
    }
    Ok(window)
}

/// The records of a page, if their ids rise from `last` on.
fn sound(
    m: &Reading,
    rows: &[&RawValue],
    mut last: u64,
    links: &HashMap<u64, Vec<Link>>,
) -> Result<Vec<Found>, Error> {
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let head: Head<'_> = serde_json::from_str(row.get())
            .map_err(|_| malformed(m.list, "an element of the list is not a record"))?;
        let id = head.id.and_then(number).filter(|id| *id > 0);
        let id = id.ok_or_else(|| malformed(m.list, "a record without an id"))?;
        if m.universal && head.entity_type.is_some_and(|ty| scalar(ty) != m.entity_type) {
            return Err(inconsistent(&m.object, format!("id {id} is a record of another object")));
        }
        if id <= last {
            return Err(inconsistent(&m.object, format!("id {id} follows id {last} where ids must rise")));
        }
        last = id;
        let primary = if m.primary == "COMPANY_ID" { head.company } else { head.contact };
        let primary = primary.and_then(number).filter(|id| *id > 0);
        let links = links.get(&id).filter(|links| primary.is_none_or(|p| links.iter().any(|l| l.id == p)));
        let (json, links) = (row.get().to_owned(), links.cloned());
        found.push(Found { id, json, primary, links, rows: None, bindings: None, parts: Vec::new() });
    }
    Ok(found)
}

/// Asks for what belongs to these records and did not come with them.
async fn complete(
    client: &Client,
    progress: &Progress,
    m: &Reading,
    found: &mut [Found],
) -> Result<(), Trouble> {
    complete_links(client, progress, m, found).await?;
    if let Some(methods) = m.rows {
        rows::complete(client, progress, m, methods, found).await.map_err(Trouble::Fatal)?;
    }
    if m.bindings {
        bindings::complete(client, m, found).await.map_err(Trouble::Fatal)?;
    }
    if let Some(part) = m.part {
        parts::complete(client, m, part, found).await.map_err(Trouble::Fatal)?;
    }
    Ok(())
}

/// Whether nothing follows what was handed out, and the portal counts no more records up to there.
async fn confirm(client: &Client, m: &Reading, seen: Seen) -> Result<bool, Error> {
    let mut strikes = 0;
    loop {
        let (after, until) = (seen.base.to_string(), seen.end.to_string());
        let (above, below) = (m.bound(">"), m.bound("<="));
        let mut counted =
            Command::new("known", m.list, &[(&above, &after), (&below, &until), ("start", "0")]);
        let mut more = Command::new("more", m.list, &[(&above, &until), ("start", m.listing.start)]);
        for command in [&mut counted, &mut more] {
            command.parameters.extend(m.basis());
            if !m.listing.flat {
                command.parameters.push(("select[]".to_owned(), m.id().to_owned()));
            }
        }
        client.rest(&[m.list]).await;
        let answer = client.batch(&[more, counted]).await?;
        let batch = Answers::parse(answer.result())
            .ok_or_else(|| malformed("batch", "it is not the answer of a batch"))?;
        let mut patience = Patience::default();
        if let Some(problem) = batch.problem("more").or_else(|| batch.problem("known")) {
            client.recover(&mut patience, client.judge(m.list, 400, &problem)).await?;
            strikes += 1;
            if strikes >= STRIKES {
                return Err(refused(m.list, &problem.to_string()));
            }
            continue;
        }
        let more = batch
            .results
            .get("more")
            .and_then(|page| m.page(page))
            .ok_or_else(|| malformed(m.list, "a page is not a list"))?;
        if !more.0.is_empty() {
            return Ok(false);
        }
        let Some(known) = batch.total("known") else { return Ok(true) };
        // Fewer than seen: deleted meanwhile, which is no matter here.
        if known <= seen.records {
            return Ok(true);
        }
        strikes += 1;
        if strikes >= STRIKES {
            let why = format!(
                "its pages hold {} records from id {after} to {until}, its count says {known}: extract it anew",
                seen.records
            );
            return Err(inconsistent(&m.object, why));
        }
    }
}

/// The ids of all records of an object, without what is in them.
async fn all_ids(client: &Client, m: &Reading) -> Result<Vec<u64>, Error> {
    let m = Reading { select: if m.universal { &["id"] } else { &["ID"] }, ..m.clone() };
    let (mut last, mut patience, mut width, mut out) = (0, Patience::default(), COMMANDS, Vec::new());
    loop {
        let width_now = width.min(client.rest(&[m.list]).await);
        let mut window = match client.attempt_batch(&commands(&m, last, width_now, false), true).await {
            Ok(answer) => {
                let batch = Answers::parse(answer.result())
                    .ok_or_else(|| malformed("batch", "it is not the answer of a batch"))?;
                read(client, &m, last, width_now, false, &batch)?
            }
            Err(trouble) => Window { trouble: Some(trouble), ..Window::default() },
        };
        if window.found.is_empty() && !window.short {
            let trouble = match window.trouble.take() {
                Some(Trouble::Fatal(Error::Inconsistent { .. })) => {
                    Trouble::NoAnswer("a page contradicts itself".to_owned())
                }
                Some(trouble) => trouble,
                None => return Err(malformed(m.list, "a batch without its first page")),
            };
            width = (width / 2).max(1);
            client.recover(&mut patience, trouble).await?;
            continue;
        }
        patience = Patience::default();
        out.extend(window.found.iter().map(|f| f.id));
        let seen = Seen { base: 0, end: out.last().copied().unwrap_or(0), records: out.len() as u64 };
        last = seen.end;
        if window.short && confirm(client, &m, seen).await? {
            return Ok(out);
        }
    }
}

/// Links of which one is the primary one.
fn settled(links: Option<Vec<Link>>, primary: Option<u64>) -> Option<Vec<Link>> {
    let mut links = links?;
    if !links.is_empty() && !links.iter().any(|l| l.primary) {
        let main = links.iter().position(|l| Some(l.id) == primary).unwrap_or(0);
        links[main].primary = true;
    }
    Some(links)
}

/// The record as it came, with what belongs to it put in.
fn staged(m: &Reading, found: Found) -> Raw {
    let found = Found { links: settled(found.links, found.primary), ..found };
    let mut json = found.json;
    let mut put = |name: &str, value: &str| {
        if let Some(end) = json.rfind('}') {
            json.truncate(end);
            // PHP writes an empty object as a list, so there is always something before.
            json.push_str(&format!(",\"{name}\":{value}}}"));
        }
    };
    if let (Some(name), Some(links)) = (link_list(&m.object), found.links) {
        let links: Vec<_> =
            links.iter().map(|l| json!({"id": l.id, "primary": l.primary, "sort": l.sort})).collect();
        put(name, &json!(links).to_string());
    }
    if let Some(rows) = found.rows.filter(|rows| !rows.is_empty()) {
        let rows: Vec<&str> = rows.iter().map(|row| row.get()).collect();
        put(ROWS, &format!("[{}]", rows.join(",")));
    }
    if let Some(bindings) = found.bindings {
        put("BINDINGS", bindings.get());
    }
    for (name, json) in &found.parts {
        put(name, json);
    }
    Raw { id: found.id.to_string(), json: json.into_bytes() }
}
