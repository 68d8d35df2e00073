//! A run of records between a page and the workspace: pages taken apart, and what belongs to each record put in.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::links::links_of_page;
use super::reading::Reading;
use super::rows::{self, Asking};
use super::{PAGE, bindings, links};
use crate::run::connect::bitrix24::client::{Client, Trouble, inconsistent, malformed};
use crate::run::connect::bitrix24::pack::Unit;
use crate::run::connect::bitrix24::schema::build::link_list;
use crate::run::connect::bitrix24::schema::own::ROWS;
use crate::run::connect::bitrix24::wire::{Batch as Answers, Problem, number, scalar};
use crate::run::connect::{Error, Raw};

/// A link of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) id: u64,
    pub(super) primary: bool,
    pub(super) sort: u64,
}

/// A record on its way.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) id: u64,
    pub(super) json: String,
    /// The id in the field of the primary link.
    pub(super) primary: Option<u64>,
    pub(super) links: Option<Vec<Link>>,
    /// Product rows in order.
    pub(super) rows: Option<Vec<Box<RawValue>>>,
    pub(super) bindings: Option<Box<RawValue>>,
    /// It says how much it is worth, so that it may have product rows.
    pub(super) priced: bool,
    /// What else belongs to it, by the name of its field.
    pub(super) parts: Vec<(&'static str, String)>,
}

/// Records that were read and may lack something yet.
#[derive(Debug)]
pub(super) struct Window {
    /// They follow this id.
    pub(super) base: u64,
    pub(super) found: Vec<Found>,
    pub(super) rows: Option<Asking>,
}

/// What the answer to a need came to.
pub(super) enum Answered {
    /// It was taken, or was none of the window's.
    Fine,
    /// The record cannot be asked about: it is not there any more, perhaps.
    Refused(Error),
    /// It will be asked for again.
    Later(Trouble),
}

impl Window {
    /// `products` tells whether records of a Smart Process have product rows, where that is known.
    pub(super) fn new(m: &Reading, base: u64, found: Vec<Found>, products: Option<bool>) -> Window {
        let optional = m.rows.as_ref().is_some_and(|methods| methods.single.is_none());
        let may_have = |f: &&Found| !optional || products.unwrap_or(f.priced);
        let lacking = found.iter().filter(may_have).any(|f| f.rows.is_none());
        let owners = found.iter().filter(may_have).map(|f| f.id);
        let rows = m.rows.as_ref().filter(|_| lacking).map(|_| Asking::of(owners));
        Window { base, found, rows }
    }

    /// The id of its last record.
    pub(super) fn end(&self) -> u64 {
        self.found.last().map_or(self.base, |f| f.id)
    }

    /// What is to be asked before it can be handed out, up to `limit` commands.
    pub(super) fn needs(&self, m: &Reading, units: &mut Vec<Unit>, limit: usize) {
        let room = |units: &Vec<Unit>| limit.saturating_sub(units.len());
        if let Some(method) = m.links {
            let lacking = self.found.iter().filter(|f| f.links.is_none());
            units.extend(lacking.take(room(units)).map(|f| vec![links::single(method, f.id)]));
        }
        if m.bindings {
            let lacking = self.found.iter().filter(|f| f.bindings.is_none());
            units.extend(lacking.take(room(units)).map(|f| vec![bindings::single(f.id)]));
        }
        if let (Some(methods), Some(rows)) = (&m.rows, &self.rows) {
            units.extend(rows.needs(methods, self.base).into_iter().take(room(units)).map(|c| vec![c]));
        }
    }

    /// Takes the answer to one of its needs.
    pub(super) fn take(
        &mut self,
        client: &Client,
        m: &Reading,
        name: &str,
        method: &'static str,
        batch: &Answers<'_>,
    ) -> Answered {
        let reply = match (batch.results.get(name), batch.problem(name)) {
            (Some(result), _) => Ok(result),
            (None, Some(problem)) => match client.judge(method, 400, &problem) {
                Trouble::Fatal(Error::Refused { .. }) => Err(problem),
                trouble => return Answered::Later(trouble),
            },
            (None, None) => return Answered::Later(Trouble::NoAnswer(format!("a batch without `{name}`"))),
        };
        let (kind, id) = name.split_at(1);
        if kind == "w" || kind == "s" {
            let Some(rows) = &mut self.rows else { return Answered::Fine };
            return rows.take(m, name, self.base, reply, batch.total(name));
        }
        let Some(record) = self.found.iter_mut().find(|f| f.id.to_string() == id) else {
            return Answered::Fine;
        };
        let result = match reply {
            Ok(result) => result,
            Err(problem) => return Answered::Refused(refusal(m, method, &problem, record.id)),
        };
        let taken = if kind == "b" { bindings::put(record, result) } else { links::put(record, result) };
        match taken {
            Ok(()) => Answered::Fine,
            Err(error) => Answered::Later(Trouble::Fatal(error)),
        }
    }

    /// Draws the conclusions that its rows allow.
    pub(super) fn settle(&mut self, m: &Reading, way: &mut rows::Way) -> Result<(), Error> {
        let Some(rows) = &mut self.rows else { return Ok(()) };
        if let Some(mut rows) = rows.settle(m, way)? {
            for record in &mut self.found {
                let own = rows.remove(&record.id).unwrap_or_default();
                record.rows = Some(own.into_values().collect());
            }
            self.rows = None;
        }
        Ok(())
    }

    /// Whether nothing lacks.
    pub(super) fn is_whole(&self, m: &Reading) -> bool {
        let linked = m.links.is_none() || self.found.iter().all(|f| f.links.is_some());
        let bound = !m.bindings || self.found.iter().all(|f| f.bindings.is_some());
        linked && bound && self.rows.is_none()
    }
}

pub(super) fn refusal(m: &Reading, method: &str, problem: &Problem, id: u64) -> Error {
    crate::run::connect::bitrix24::client::refused(method, &format!("{problem}, for `{}` {id}", m.object))
}

/// What the pages of a batch came to.
#[derive(Debug, Default)]
pub(super) struct Pages {
    pub(super) found: Vec<Found>,
    /// The last page was short.
    pub(super) short: bool,
    /// Why the batch brought less than was asked for.
    pub(super) trouble: Option<Trouble>,
    /// The universal list refused to give the links.
    pub(super) links_refused: bool,
    /// The seconds that a page took, its links included.
    pub(super) seconds: f64,
    /// The bytes of a page.
    pub(super) bytes: f64,
}

/// What is read of a record on the way.
#[derive(Deserialize)]
pub(super) struct Head<'a> {
    #[serde(rename = "ID", alias = "id", borrow)]
    pub(super) id: Option<&'a RawValue>,
    /// Of which type a universal record is.
    #[serde(rename = "entityTypeId", borrow)]
    entity_type: Option<&'a RawValue>,
    #[serde(rename = "COMPANY_ID", alias = "companyId", borrow)]
    pub(super) company: Option<&'a RawValue>,
    #[serde(rename = "CONTACT_ID", alias = "contactId", borrow)]
    pub(super) contact: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) opportunity: Option<&'a RawValue>,
}

/// Takes the pages of a batch apart, as far as they are sound.
pub(super) fn read(
    client: &Client,
    m: &Reading,
    last: u64,
    width: usize,
    beside: bool,
    batch: &Answers<'_>,
) -> Result<Pages, Error> {
    let mut out = Pages::default();
    let (mut last, mut seconds, mut bytes, mut pages) = (last, 0.0, 0, 0.0);
    for n in 0..width {
        let name = format!("p{n}");
        let Some(result) = batch.results.get(&name) else {
            let problem = batch.problem(&name);
            out.trouble = problem.map(|problem| client.judge(m.list, 400, &problem));
            break;
        };
        let links = match links_of_page(client, m, n, beside, batch) {
            Ok(links) => {
                out.links_refused |= links.is_none();
                links.unwrap_or_default()
            }
            Err(trouble) => {
                out.trouble = Some(trouble);
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
                out.found.extend(found);
            }
            Err(error) => {
                out.trouble = Some(Trouble::Fatal(error));
                break;
            }
        }
        let times = [name, format!("l{n}")].into_iter().filter_map(|c| batch.time(&c));
        seconds += times.map(|t| t.duration).sum::<f64>();
        bytes += result.get().len();
        pages += 1.0;
        if rows.len() < PAGE {
            // Whatever follows had no record to go on from.
            out.short = true;
            break;
        }
    }
    if pages > 0.0 {
        (out.seconds, out.bytes) = (seconds / pages, bytes as f64 / pages);
    }
    Ok(out)
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
        if id <= last {
            return Err(inconsistent(&m.object, format!("id {id} follows id {last} where ids must rise")));
        }
        if m.universal && head.entity_type.is_some_and(|ty| scalar(ty) != m.entity_type) {
            return Err(inconsistent(&m.object, format!("id {id} is a record of another object")));
        }
        last = id;
        let primary = if m.primary == "COMPANY_ID" { head.company } else { head.contact };
        let primary = primary.and_then(number).filter(|id| *id > 0);
        let links = links.get(&id).filter(|links| primary.is_none_or(|p| links.iter().any(|l| l.id == p)));
        let (json, links) = (row.get().to_owned(), links.cloned());
        let priced = head.opportunity.is_some();
        found.push(Found { id, json, primary, links, rows: None, bindings: None, priced, parts: Vec::new() });
    }
    Ok(found)
}

/// Links of which one is the primary one.
pub(super) fn settled(links: Option<Vec<Link>>, primary: Option<u64>) -> Option<Vec<Link>> {
    let mut links = links?;
    if !links.is_empty() && !links.iter().any(|l| l.primary) {
        let main = links.iter().position(|l| Some(l.id) == primary).unwrap_or(0);
        links[main].primary = true;
    }
    Some(links)
}

/// The record as it came, with what belongs to it put in.
pub(super) fn staged(m: &Reading, found: Found) -> Raw {
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
