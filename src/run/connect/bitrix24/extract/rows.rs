//! Product rows, put into the records they belong to.
//!
//! `crm.item.productrow.list` takes several owners, so that rows cost a command a page, as records do (sheet
//! §10.7). That it does so is documented, but not tested on every portal: until one answer has rows of several owners
//! and those of the last ones are what `crm.<object>.productrows.get` says, which takes one owner, answers are compared
//! with it. Where they differ, or the list is refused, rows are asked for singly.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::reading::Reading;
use super::window::{Answered, refusal};
use super::{PAGE, STRIKES};
use crate::run::connect::Error;
use crate::run::connect::bitrix24::client::{Trouble, inconsistent, malformed};
use crate::run::connect::bitrix24::wire::{Command, Php, Problem, number};

const LIST: &str = "crm.item.productrow.list";
/// Owners in one command: many, so that its last page is the only one that is not full.
const OWNERS: usize = 200;
/// Owners whose rows are compared where an answer has rows of several.
const SAMPLE: usize = 2;

/// The methods of an object's rows.
#[derive(Clone, Debug)]
pub(super) struct Methods {
    /// The short code of its owners.
    pub(super) owner: Cow<'static, str>,
    /// Answers the rows of one record. Smart Processes have none: the list is asked for one owner. They may be without
    /// products, besides.
    pub(super) single: Option<&'static str>,
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

/// Rows of an owner, each with its place and id.
type Own = BTreeMap<(i64, u64), Box<RawValue>>;
/// Rows by owner.
type Rows = HashMap<u64, Own>;

/// The rows of some owners, as far as they have come.
#[derive(Debug)]
pub(super) struct Asking {
    owners: Vec<u64>,
    chunks: Vec<Chunk>,
    /// What the list says, once it is complete.
    listed: Option<Rows>,
    /// Owners to be asked for singly, and what came back.
    sample: Vec<u64>,
    single: Rows,
    /// All owners are asked for singly.
    singly: bool,
    /// Each command asks for one owner, which is the same where no method gives the rows of one.
    alone: bool,
    strikes: u32,
}

/// The owners of one command and the pages of its answer, by where they start.
#[derive(Debug, Default)]
struct Chunk {
    owners: Vec<u64>,
    pages: BTreeMap<usize, Box<RawValue>>,
    total: Option<u64>,
}

impl Chunk {
    /// Where the pages start that have not come.
    fn lacking(&self) -> Vec<usize> {
        if !self.pages.contains_key(&0) {
            return vec![0];
        }
        let total = usize::try_from(self.total.unwrap_or(0)).unwrap_or(0);
        (0..total).step_by(PAGE).filter(|start| !self.pages.contains_key(start)).collect()
    }
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(rename = "ID", alias = "id", borrow)]
    id: Option<&'a RawValue>,
    #[serde(rename = "OWNER_ID", alias = "ownerId", borrow)]
    owner: Option<&'a RawValue>,
    #[serde(rename = "SORT", alias = "sort", borrow)]
    sort: Option<&'a RawValue>,
}

impl Asking {
    pub(super) fn of(owners: impl Iterator<Item = u64>) -> Asking {
        let owners: Vec<u64> = owners.collect();
        let chunk = |c: &[u64]| Chunk { owners: c.to_vec(), ..Chunk::default() };
        Asking {
            chunks: owners.chunks(OWNERS).map(chunk).collect(),
            owners,
            listed: None,
            sample: Vec::new(),
            single: Rows::new(),
            singly: false,
            alone: false,
            strikes: 0,
        }
    }

    /// The commands that are to be sent next; `base` tells their names from those of other windows.
    pub(super) fn needs(&self, methods: &Methods, base: u64) -> Vec<Command> {
        let wanted = if self.singly { &self.owners } else { &self.sample };
        let single = |id: &u64| match methods.single {
            Some(method) => Command::new(format!("s{id}"), method, &[("id", &id.to_string())]),
            None => Command { name: format!("s{id}"), ..command(methods, &[*id], "s", 0) },
        };
        let mut out: Vec<Command> =
            wanted.iter().filter(|id| !self.single.contains_key(id)).map(single).collect();
        if !self.singly && self.listed.is_none() {
            for (n, chunk) in self.chunks.iter().enumerate() {
                let pages = chunk.lacking().into_iter();
                out.extend(
                    pages.map(|start| command(methods, &chunk.owners, &format!("w{base}_{n}"), start)),
                );
            }
        }
        out
    }

    /// Takes the answer to one of these commands.
    pub(super) fn take(
        &mut self,
        m: &Reading,
        name: &str,
        base: u64,
        reply: Result<&RawValue, Problem>,
        total: Option<u64>,
    ) -> Answered {
        if let Some(owner) = name.strip_prefix('s').and_then(|id| id.parse().ok()) {
            let single = m.rows.as_ref().and_then(|methods| methods.single).unwrap_or(LIST);
            return match reply {
                _ if !self.owners.contains(&owner) => Answered::Fine,
                Err(problem) => Answered::Refused(refusal(m, single, &problem, owner)),
                Ok(list) => match of_one(single, list) {
                    Ok(own) => {
                        self.single.insert(owner, own);
                        Answered::Fine
                    }
                    Err(error) => Answered::Later(Trouble::Fatal(error)),
                },
            };
        }
        let mut parts = name[1..].split('_').map(|part| part.parse::<usize>().ok());
        let (Some(Some(of)), Some(Some(n)), Some(Some(start))) = (parts.next(), parts.next(), parts.next())
        else {
            return Answered::Fine;
        };
        if of as u64 != base {
            return Answered::Fine;
        }
        let optional = self.is_optional(m);
        match (reply, self.chunks.get_mut(n)) {
            (Ok(page), Some(chunk)) => {
                chunk.total = chunk.total.or(total);
                chunk.pages.insert(start, page.to_owned());
            }
            // A process without products.
            (Err(problem), _) if optional && problem.code == "ENTITY_TYPE_NOT_SUPPORTED" => {
                self.listed = Some(Rows::new());
            }
            (Err(problem), Some(chunk)) if self.alone => {
                let owner = chunk.owners.first().copied().unwrap_or(0);
                return Answered::Refused(refusal(m, LIST, &problem, owner));
            }
            // Refused: singly, then.
            (Err(_), _) => self.singly = true,
            (Ok(_), None) => {}
        }
        Answered::Fine
    }

    /// The rows, once they are known.
    ///
    /// # Errors
    /// A list that contradicts itself again and again.
    pub(super) fn settle(&mut self, m: &Reading, way: &mut Way) -> Result<Option<Rows>, Error> {
        self.singly |= *way == Way::Singly && !self.alone;
        if self.singly && self.is_optional(m) && self.listed.is_none() {
            (self.singly, self.alone, *way) = (false, true, Way::Singly);
            self.sample.clear();
            self.chunks =
                self.owners.iter().map(|id| Chunk { owners: vec![*id], ..Chunk::default() }).collect();
        }
        if self.singly {
            *way = Way::Singly;
            let all = self.owners.iter().all(|id| self.single.contains_key(id));
            return Ok(all.then(|| std::mem::take(&mut self.single)));
        }
        if self.listed.is_none() {
            if self.chunks.iter().any(|chunk| !chunk.lacking().is_empty()) {
                return Ok(None);
            }
            match gather(&self.chunks) {
                Ok(rows) => self.listed = Some(rows),
                Err(why) => {
                    self.strikes += 1;
                    if self.strikes >= STRIKES {
                        return Err(inconsistent(&m.object, format!("its product rows: {why}")));
                    }
                    self.chunks.iter_mut().for_each(|chunk| (chunk.pages.clear(), chunk.total = None).0);
                    return Ok(None);
                }
            }
            if *way == Way::Untried {
                self.sample = self.to_compare();
            }
        }
        if self.sample.iter().any(|id| !self.single.contains_key(id)) {
            return Ok(None);
        }
        let listed = self.listed.take().unwrap_or_default();
        let ids = |rows: Option<&Own>| {
            rows.map(|own| own.keys().copied().collect::<Vec<_>>()).filter(|own| !own.is_empty())
        };
        if self.sample.iter().any(|id| ids(self.single.get(id)) != ids(listed.get(id))) {
            self.singly = true;
            self.listed = None;
            return self.settle(m, way);
        }
        // Two owners with rows in one command tell the two ways apart.
        if self.sample.iter().filter(|id| listed.contains_key(id)).count() > 1 {
            *way = Way::Together;
        }
        Ok(Some(listed))
    }

    fn is_optional(&self, m: &Reading) -> bool {
        m.rows.as_ref().is_some_and(|methods| methods.single.is_none())
    }

    /// The owners whose rows are asked for in both ways: the last ones with rows of the command that has most of
    /// them; a page of owners where no command has rows of several.
    fn to_compare(&self) -> Vec<u64> {
        let Some(listed) = &self.listed else { return Vec::new() };
        let with_rows = |chunk: &Chunk| -> Vec<u64> {
            chunk.owners.iter().copied().filter(|id| listed.contains_key(id)).collect()
        };
        let Some(fullest) = self.chunks.iter().max_by_key(|chunk| with_rows(chunk).len()) else {
            return Vec::new();
        };
        match with_rows(fullest) {
            several if several.len() > 1 => several[several.len() - SAMPLE..].to_vec(),
            _ if fullest.owners.len() > 1 => fullest.owners.iter().copied().take(PAGE).collect(),
            _ => Vec::new(),
        }
    }
}

fn command(methods: &Methods, owners: &[u64], name: &str, start: usize) -> Command {
    let mut command = Command::new(
        format!("{name}_{start}"),
        LIST,
        &[
            ("filter[=ownerType]", methods.owner.as_ref()),
            ("order[id]", "ASC"),
            ("start", &start.to_string()),
        ],
    );
    let ids = owners.iter().enumerate().map(|(k, id)| (format!("filter[=ownerId][{k}]"), id.to_string()));
    command.parameters.extend(ids);
    command
}

/// Takes the pages apart: each row of an owner that was asked for, and as many as are counted.
fn gather(chunks: &[Chunk]) -> Result<Rows, String> {
    let mut out = Rows::new();
    for chunk in chunks {
        let mut seen = HashSet::new();
        for page in chunk.pages.values() {
            let list = Php::parse(page).and_then(|map| Php::parse(map.get("productRows")?));
            for row in list.ok_or("a page is not a list")?.rows() {
                let (owner, place) = head(row).ok_or("a row without an id")?;
                let owner =
                    owner.filter(|owner| chunk.owners.contains(owner)).ok_or("a row of another record")?;
                seen.insert(place.1);
                out.entry(owner).or_default().insert(place, row.to_owned());
            }
        }
        if let Some(total) = chunk.total.filter(|total| *total != seen.len() as u64) {
            return Err(format!("{} came of {total}", seen.len()));
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

/// The rows of one owner.
fn of_one(method: &str, list: &RawValue) -> Result<Own, Error> {
    let list = match method {
        LIST => Php::parse(list).and_then(|map| Php::parse(map.get("productRows")?)),
        _ => Php::parse(list),
    };
    let list = list.ok_or_else(|| malformed(method, "rows that are not a list"))?;
    let mut out = Own::new();
    for row in list.rows() {
        let (_, place) = head(row).ok_or_else(|| malformed(method, "a row without an id"))?;
        out.insert(place, row.to_owned());
    }
    Ok(out)
}
