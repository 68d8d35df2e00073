//! Reads all records of an object, in as few requests as the API allows.
//!
//! # The scheme
//! The bucket counts requests, and a batch of 50 commands is one (sheet §3.1), so the cost of a run is its commands by
//! fifties. A page holds 50 records; page *n* asks for `>ID` of the last record of page *n − 1* by reference, so that
//! pages chain inside one batch without offsets that shift (sheet §4.2). The first batch also asks which id is the
//! highest and how many records there are up to it, the last one how many there are now: N records never take more
//! requests than a plain list, which needs 1 + ceil((N/50 − 1)/50) and is 41 for 100,000.
//!
//! Link lists (a contact's companies, a deal's contacts) come back from no classic method (sheet §7), and asking
//! `*.items.get` costs a command a record. `crm.item.list` gives the ids of 50 records a command, so it runs beside
//! the classic pages in the same batch, on the same chain: `p0 l0 p1 l1 …`, 25 windows a batch and twice the batches,
//! which is the least for two methods of 50 a page. Taking whole records from `crm.item.list` would save that half, at
//! the price of pressing deals, contacts and processes against one method's running time, of numbers as floats, and
//! of custom names that do not translate back (sheet §13). Only records whose links do not come this way are asked
//! for singly.
//!
//! # What belongs to a record
//! Product rows, the bindings of activities and links that the list did not give are asked for in the batches that
//! follow, before more pages are: a batch is always full while there is anything left to ask. A window of records is
//! handed out when it lacks nothing. Smart Processes come from `crm.item.list` itself; comments have a way of their own.
//!
//! # What is trusted
//! Ids must rise; a page that breaks this is read again, then reported. A short page may be the last one or a lie:
//! unless the count at the end says the same, one more request asks for what follows and for the count up to here.
//! The last [`Batch`] says whether counts and pages agree about everything that was there at the start and at the end;
//! where they do not, whoever stages the records compares ids ([`ids`]) and asks for what it lacks ([`records`]).
//! INVARIANT: records that are handed out have rising ids, and `done` was confirmed by a page or a count.

mod addresses;
mod ask;
mod bindings;
mod comments;
pub(super) mod counts;
mod links;
mod parts;
mod portion;
mod reading;
mod rows;
mod run;
mod since;
mod tables;
mod verify;
mod window;

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};

pub(super) use self::portion::{hanging, hangs_on, is_drawn, kind, outline, surely};
use self::reading::{Reading, reading};
use self::run::Run;
pub(super) use self::since::{absent, changed, changed_after, stamp};
pub(super) use self::tables::{TASK_FIELDS, history_of, own_of_tasks};
use self::verify::complete;
pub(super) use self::verify::{count, ids, records};
use self::window::{Found, Head, settled, staged};
use crate::run::connect::bitrix24::client::{Client, inconsistent, refused};
use crate::run::connect::bitrix24::pack::COMMANDS;
use crate::run::connect::{Batch, Error};

/// Records of a page (sheet §4).
const PAGE: usize = 50;
/// What a command takes up of a batch where nothing is known of it.
const SHARE: f64 = 1.0 / COMMANDS as f64;
/// How often a page that contradicts itself is read again.
const STRIKES: u32 = 3;

/// What is known of the objects under way.
#[derive(Debug, Default)]
pub(super) struct Progress {
    objects: RefCell<HashMap<String, Run>>,
    /// What the last batch of an object counted, until somebody asks.
    counted: RefCell<HashMap<String, u64>>,
    comments: RefCell<comments::State>,
    addresses: addresses::States,
    /// Objects of which a look reads every record whole, since the portal does not give what would tell.
    wholly: RefCell<HashSet<String>>,
    /// The custom fields of tasks, once they are known.
    of_tasks: RefCell<Option<Vec<String>>>,
    /// Product rows are left out.
    rowless: Cell<bool>,
    /// Nobody compares ids afterwards: pages that hold less than the portal counts are an error here.
    strict: bool,
    #[cfg(debug_assertions)]
    planted: Cell<crate::run::connect::Planted>,
}

impl Progress {
    /// Where pages that hold less than the portal counts are an error.
    pub(super) fn strict() -> Progress {
        Progress { strict: true, ..Progress::default() }
    }

    /// Leaves product rows out from here on.
    pub(super) fn leave_rows(&self) {
        self.rowless.set(true);
    }

    /// How an object is read whole.
    async fn reading(&self, client: &Client, object: &str) -> Result<Reading, Error> {
        let mut m = reading(object)?;
        if object == "task" {
            let known = self.of_tasks.borrow().clone();
            m.custom = match known {
                Some(known) => known,
                None => {
                    let told = tables::custom_of_tasks(client).await?;
                    self.of_tasks.borrow_mut().get_or_insert(told).clone()
                }
            };
        }
        Ok(if self.rowless.get() { Reading { rows: None, ..m } } else { m })
    }

    /// Switches bugs on.
    #[cfg(debug_assertions)]
    pub(super) fn plant(&self, bugs: crate::run::connect::Planted) {
        self.planted.set(bugs);
    }
}

/// The place that a cursor names.
fn place(object: &str, cursor: &str) -> Result<u64, Error> {
    if cursor.is_empty() {
        return Ok(0);
    }
    cursor.parse().map_err(|_| {
        refused("extract", &format!("`{cursor}` is not a cursor of this connector: extract `{object}` anew"))
    })
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
    let m = &progress.reading(client, object).await?;
    let brought = records_after(client, progress, m, cursor, pages).await?;
    let records = brought.found.into_iter().map(|found| staged(m, found)).collect();
    Ok(Batch { records, cursor: brought.cursor, done: brought.done, moved: brought.moved })
}

/// Records with what belongs to them.
struct Brought {
    found: Vec<Found>,
    cursor: String,
    done: bool,
    /// With `done`: counts and pages do not agree.
    moved: bool,
}

/// The records after `cursor`, by this reading.
async fn records_after(
    client: &Client,
    progress: &Progress,
    m: &Reading,
    cursor: &str,
    pages: usize,
) -> Result<Brought, Error> {
    let last = place(&m.object, cursor)?;
    let known = progress.objects.borrow_mut().remove(&m.object).filter(|run| run.handed == last);
    let mut run = known.unwrap_or_else(|| Run::from(last));
    #[cfg(debug_assertions)]
    {
        run.planted = progress.planted.get();
    }
    // A run that failed is forgotten: the next one begins anew where this one stood.
    let brought = run.advance(client, m, pages).await?;
    if let Some((listed, counted)) = run.gap.filter(|_| progress.strict) {
        let why = format!("its pages hold {listed} records, its count says {counted}: look at it anew");
        return Err(inconsistent(&m.object, why));
    }
    if let Some(counted) = run.counted.take() {
        progress.counted.borrow_mut().insert(m.object.clone(), counted);
    }
    progress.objects.borrow_mut().insert(m.object.clone(), run);
    Ok(brought)
}

/// The ids of all records of an object, without what is in them.
///
/// # Errors
/// A list that holds fewer records than the portal counts, again and again.
async fn all_ids(client: &Client, m: &Reading) -> Result<Vec<u64>, Error> {
    let m = m.bare();
    let mut strikes = 0;
    loop {
        let (mut run, mut out) = (Run::from(0), Vec::new());
        loop {
            let brought = run.advance(client, &m, COMMANDS).await?;
            out.extend(brought.found.iter().map(|found| found.id));
            if brought.done {
                break;
            }
        }
        let Some((listed, counted)) = run.gap else { return Ok(out) };
        strikes += 1;
        if strikes >= STRIKES {
            let why = format!("its pages hold {listed} records, its count says {counted}: extract it anew");
            return Err(inconsistent(&m.object, why));
        }
    }
}

/// The ids that follow `last`, as a batch.
async fn all_ids_batch(client: &Client, progress: &Progress, m: &Reading, last: u64) -> Result<Batch, Error> {
    let name = format!("ids of {}", m.object);
    let known = progress.objects.borrow_mut().remove(&name).filter(|run| run.handed == last);
    let mut run = known.unwrap_or_else(|| Run::from(last));
    #[cfg(debug_assertions)]
    {
        run.planted = progress.planted.get();
    }
    let brought = run.advance(client, m, COMMANDS).await?;
    progress.objects.borrow_mut().insert(name, run);
    let records = brought.found.into_iter().map(|found| staged(m, found)).collect();
    Ok(Batch { records, cursor: brought.cursor, done: brought.done, moved: brought.moved })
}
