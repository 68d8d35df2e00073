//! One way through an object's records: what is asked in each batch, and when the list is at its end.

use std::collections::VecDeque;

use super::reading::Reading;
use super::verify::{self, Confirmed};
use super::window::{Answered, Pages, Window, read};
use super::{Brought, COMMANDS, PAGE, SHARE, STRIKES, parts, rows};
use crate::run::connect::Error;
use crate::run::connect::bitrix24::client::{Client, Patience, Trouble, malformed};
use crate::run::connect::bitrix24::pack::{Part, Unit};
use crate::run::connect::bitrix24::wire::{Batch as Answers, Command, Php, number};

/// Windows that are read before the first of them is whole.
const AHEAD: usize = 2;
/// Pages that are asked for before anything is known of an object: with the counts, what a plain list would need is
/// never passed.
const FIRST: usize = 3;
/// What a batch may take: half of what a request may, since pages differ.
const BATCH_SECONDS: f64 = 30.0;
/// What a batch may bring, since it is held whole.
const BATCH_BYTES: f64 = 12e6;
/// A count that takes longer is not asked for beside pages.
const COUNT_SECONDS: f64 = 8.0;

/// What was there when the run began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before {
    /// The highest id; 0 where there was none.
    top: u64,
    /// Records from the run's base to there.
    count: Option<u64>,
}

/// A run through an object's records from some place on.
#[derive(Debug)]
pub(super) struct Run {
    /// The last record that was handed out.
    pub(super) handed: u64,
    /// It follows this id.
    pub(super) base: u64,
    /// What was read ends with this one.
    pub(super) end: u64,
    /// So many were read.
    pub(super) records: u64,
    before: Option<Before>,
    /// What was read and is not handed out.
    windows: VecDeque<Window>,
    /// The list was at its end, as far as a page tells.
    tail: bool,
    /// Nothing follows; whether anything moved meanwhile.
    over: Option<bool>,
    /// Pages in a batch, as time and failures allow; at most what fits.
    width: usize,
    /// What a unit takes up of a batch.
    share: f64,
    /// Seconds that a count takes.
    pub(super) count_seconds: f64,
    /// Openings without an answer: perhaps counts take too long.
    failures: u32,
    /// The universal list does not give this object's links here.
    links_singly: bool,
    /// Whether a Smart Process is linked with products, once the portal has said so.
    products: Option<bool>,
    /// Records of a Smart Process were asked for product rows.
    rowed: bool,
    way: rows::Way,
    /// What the object was counted to be, when that was asked.
    pub(super) counted: Option<u64>,
    /// How many records came where the portal counts more.
    pub(super) gap: Option<(u64, u64)>,
    strikes: u32,
    #[cfg(debug_assertions)]
    pub(super) planted: crate::run::connect::Planted,
}

/// What one batch asks.
struct Asked {
    units: Vec<Unit>,
    /// The window of each need; needs come first.
    needs: Vec<usize>,
    opening: bool,
    pages: usize,
    beside: bool,
    closing: bool,
}

impl Run {
    /// From behind this id.
    pub(super) fn from(base: u64) -> Run {
        Run {
            handed: base,
            base,
            end: base,
            records: 0,
            before: None,
            windows: VecDeque::new(),
            tail: false,
            over: None,
            width: COMMANDS,
            share: SHARE,
            count_seconds: 0.0,
            failures: 0,
            links_singly: false,
            products: None,
            rowed: false,
            way: rows::Way::default(),
            counted: None,
            gap: None,
            strikes: 0,
            #[cfg(debug_assertions)]
            planted: crate::run::connect::Planted::default(),
        }
    }

    /// The next records; `pages` caps the commands of a batch.
    pub(super) async fn advance(
        &mut self,
        client: &Client,
        m: &Reading,
        pages: usize,
    ) -> Result<Brought, Error> {
        let mut patience = Patience::default();
        loop {
            let whole = self.windows.front().is_some_and(|window| window.is_whole(m));
            if whole && !self.has_parts(client, m).await? {
                continue;
            }
            if whole || self.windows.is_empty() && self.over.is_some() {
                return Ok(self.hand_out());
            }
            let asked = self.compose(m, pages);
            let opening = asked.opening;
            match client.pack(asked.units.clone(), self.share).await {
                Ok(part) => match self.take(client, m, &asked, &part).await? {
                    Some(trouble) => client.recover(&mut patience, trouble).await?,
                    None => patience = Patience::default(),
                },
                Err(trouble) => {
                    if matches!(trouble, Trouble::NoAnswer(_)) {
                        self.width = (self.width / 2).max(1);
                        self.share = if opening { 1.0 } else { (self.share * 2.0).min(1.0) };
                        self.failures += u32::from(opening);
                    }
                    client.recover(&mut patience, trouble).await?;
                }
            }
        }
    }

    /// Asks for what else belongs to the first window; `false` when that has to be read again.
    async fn has_parts(&mut self, client: &Client, m: &Reading) -> Result<bool, Error> {
        let (Some(part), Some(window)) = (m.part, self.windows.front_mut()) else { return Ok(true) };
        match parts::complete(client, m, part, &mut window.found).await {
            Ok(()) => Ok(true),
            Err(Error::Refused { .. }) if self.strikes + 1 < STRIKES => {
                // A record that was deleted meanwhile is not in the list any more.
                self.strikes += 1;
                self.rewind(0);
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn hand_out(&mut self) -> Brought {
        let window = self.windows.pop_front();
        let found = window.map(|window| window.found).unwrap_or_default();
        self.handed = found.last().map_or(self.handed, |f| f.id);
        let done = self.windows.is_empty() && self.over.is_some();
        Brought { found, cursor: self.handed.to_string(), done, moved: done && self.over == Some(true) }
    }

    /// What the next batch asks: what records lack, then pages.
    fn compose(&self, m: &Reading, pages: usize) -> Asked {
        let mut asked = Asked {
            units: Vec::new(),
            needs: Vec::new(),
            opening: false,
            pages: 0,
            beside: false,
            closing: false,
        };
        for (n, window) in self.windows.iter().enumerate() {
            window.needs(m, &mut asked.units, COMMANDS);
            asked.needs.resize(asked.units.len(), n);
        }
        if self.over.is_some() || self.windows.len() >= AHEAD {
            return asked;
        }
        // What belongs to records is read after them: the count that vouches for both comes last.
        let open = self.asks_more(m) && !(self.tail && self.windows.is_empty());
        if open && self.tail {
            return asked;
        }
        asked.beside = m.links.is_some() && !self.links_singly && !m.within;
        let fits = (pages.clamp(1, m.pages) / if asked.beside { 2 } else { 1 }).max(1);
        asked.pages = self.width.min(fits);
        let (mut top, mut ahead) = (None, Vec::new());
        if self.before.is_none() && self.failures < 2 {
            asked.opening = true;
            ahead.push(verify::opening(m, self.base));
            asked.pages = asked.pages.min(FIRST);
            asked.closing = self.failures == 0 && !open;
            top = Some(m.row_of("top", 0));
        } else if let Some(Before { top: highest, count: Some(count) }) = self.before {
            let left = count.saturating_sub(self.records).div_ceil(PAGE as u64).max(1);
            let left = usize::try_from(left).unwrap_or(usize::MAX);
            asked.closing = asked.pages >= left && self.count_seconds < COUNT_SECONDS && !open;
            asked.pages = asked.pages.min(left);
            top = Some(highest.to_string());
        }
        ahead.extend(pages_after(m, self.end, asked.pages, asked.beside));
        if let Some(top) = top.filter(|_| asked.closing) {
            ahead.push(verify::closing(m, self.base, &top));
        }
        // Pages go along while records lack something still, so that neither travels in a batch that is not full.
        let room = COMMANDS.saturating_sub(ahead.iter().map(Vec::len).sum());
        asked.units.truncate(room);
        asked.needs.truncate(room);
        asked.units.extend(ahead);
        asked
    }

    /// Takes what came back; the trouble to wait for, if nothing else did.
    async fn take(
        &mut self,
        client: &Client,
        m: &Reading,
        asked: &Asked,
        part: &Part,
    ) -> Result<Option<Trouble>, Error> {
        let batch = part.batch();
        let (mut trouble, mut spoiled) = (None, None);
        for (unit, window) in asked.units.iter().zip(&asked.needs).take(part.taken) {
            for command in unit {
                let taken = self.windows[*window].take(client, m, &command.name, command.method, &batch);
                match taken {
                    Answered::Fine => {}
                    Answered::Refused(error) => spoiled = spoiled.or(Some((*window, error))),
                    Answered::Later(later) => trouble = trouble.or(Some(later)),
                }
            }
        }
        if let Some((window, error)) = spoiled {
            self.strikes += 1;
            if self.strikes >= STRIKES {
                return Err(error);
            }
            self.rewind(window);
            // A record that was deleted meanwhile is not in the list any more: the window is read again.
            return Ok(Some(Trouble::NoAnswer(error.to_string())));
        }
        let mut way = self.way;
        for window in &mut self.windows {
            window.settle(m, &mut way)?;
        }
        self.way = way;
        let mut taken = part.taken.saturating_sub(asked.needs.len());
        if asked.opening && taken > 0 {
            taken -= 1;
            if let Some(problem) = self.open(client, m, &batch)? {
                trouble = trouble.or(Some(problem));
            }
        }
        let pages = taken.min(asked.pages);
        if pages > 0 {
            let pages = read(client, m, self.end, pages, asked.beside, &batch)?;
            let closing = asked.closing && taken > asked.pages;
            if let Some(problem) = self.grow(client, m, asked, pages, closing.then_some(&batch)).await? {
                trouble = trouble.or(Some(problem));
            }
        }
        Ok(trouble)
    }

    /// Takes what was there at the start.
    fn open(&mut self, client: &Client, m: &Reading, batch: &Answers<'_>) -> Result<Option<Trouble>, Error> {
        let Some(top) = batch.results.get("top") else {
            self.failures += 1;
            return Ok(match batch.problem("top").map(|problem| client.judge(m.list, 400, &problem)) {
                Some(Trouble::Fatal(error)) => return Err(error),
                trouble => trouble,
            });
        };
        let rows = m.page(top).ok_or_else(|| malformed(m.list, "a page is not a list"))?.rows();
        let id = rows.first().and_then(|row| Php::parse(row)?.get(m.listing.id.1).and_then(number));
        if let Some(types) = batch.results.get("type") {
            self.products = verify::products(m, types);
        }
        let before = match id {
            Some(top) => Before { top, count: batch.total("first") },
            None => Before { top: self.base, count: Some(0) },
        };
        self.count_seconds = batch.time("first").map_or(0.0, |time| time.duration);
        self.before = Some(before);
        self.counted = before.count.filter(|_| self.base == 0);
        Ok(None)
    }

    /// Takes new pages, and ends the run when they were the last.
    async fn grow(
        &mut self,
        client: &Client,
        m: &Reading,
        asked: &Asked,
        pages: Pages,
        closing: Option<&Answers<'_>>,
    ) -> Result<Option<Trouble>, Error> {
        self.adapt(asked, &pages);
        if pages.links_refused {
            self.links_singly = true;
        }
        if let Some(Trouble::Blocked(method)) = pages.trouble {
            client.block(method);
        }
        let Pages { found, short, trouble, .. } = pages;
        if found.is_empty() && !short {
            return match trouble {
                Some(Trouble::Fatal(Error::Inconsistent { system, object, why })) => {
                    self.strikes += 1;
                    if self.strikes >= STRIKES {
                        return Err(Error::Inconsistent { system, object, why });
                    }
                    Ok(Some(Trouble::NoAnswer("a page contradicts itself".to_owned())))
                }
                Some(Trouble::Fatal(error)) => Err(error),
                Some(trouble) => Ok(Some(trouble)),
                None => Err(malformed(m.list, "a batch without its first page")),
            };
        }
        if asked.beside && found.len() >= PAGE && found.iter().all(|f| f.links.is_none()) {
            // Whole pages without one link: the portal does not fill the universal list.
            self.links_singly = true;
        }
        let window = Window::new(m, self.end, found, self.products);
        self.rowed |= window.rows.is_some();
        self.records += window.found.len() as u64;
        self.end = window.end();
        if !window.found.is_empty() {
            self.windows.push_back(window);
        }
        #[cfg(debug_assertions)]
        if self.misled(short) {
            return Ok(None);
        }
        let expected = self.before.and_then(|before| before.count);
        if self.asks_more(m) && !(self.tail && self.windows.is_empty()) {
            self.tail |= short || expected.is_some_and(|count| self.records >= count);
            return Ok(None);
        }
        let all = closing.and_then(|batch| batch.total("all"));
        if all == Some(self.records) && (short || expected.is_some_and(|count| self.records >= count)) {
            let known = closing.and_then(|batch| batch.total("known"));
            self.over = Some(known.is_some() && known != expected);
            self.counted = all.filter(|_| self.base == 0);
        } else if short {
            match verify::confirm(client, m, self).await? {
                Confirmed::More => {}
                Confirmed::End(known) => {
                    let quiet = known.is_none_or(|known| {
                        known == self.records && expected.is_none_or(|count| count == known)
                    });
                    self.gap = known.filter(|known| *known > self.records).map(|known| (self.records, known));
                    self.over = Some(!quiet);
                    self.counted = known.filter(|_| self.base == 0);
                }
            }
        }
        Ok(None)
    }

    /// Whether something that belongs to the records is asked for after them.
    fn asks_more(&self, m: &Reading) -> bool {
        m.asks_more() || self.rowed
    }

    /// Forgets what was read from this window on.
    fn rewind(&mut self, window: usize) {
        for dropped in self.windows.drain(window..).rev() {
            self.records -= dropped.found.len() as u64;
            self.end = dropped.base;
        }
        (self.tail, self.over) = (false, None);
    }

    /// Learns from a batch how large the next one may be.
    fn adapt(&mut self, asked: &Asked, pages: &Pages) {
        match &pages.trouble {
            Some(Trouble::NoAnswer(_)) if pages.found.is_empty() => self.width = (self.width / 2).max(1),
            _ if pages.bytes > 0.0 => {
                let commands = if asked.beside { 2.0 } else { 1.0 };
                let takes = (pages.seconds / BATCH_SECONDS).max(pages.bytes / BATCH_BYTES);
                self.share = takes.clamp(commands * SHARE, 1.0);
                self.width = ((1.0 / self.share) as usize).clamp(1, self.width.saturating_mul(2));
            }
            _ => {}
        }
    }

    /// Whether a bug is planted that takes the run for ended here.
    #[cfg(debug_assertions)]
    fn misled(&mut self, short: bool) -> bool {
        let count = self.before.and_then(|before| before.count);
        let counted = self.planted.total_is_trusted && count.is_some_and(|count| self.records >= count);
        if !(self.planted.short_page_is_the_last && short || counted) {
            return false;
        }
        let beyond = count.map_or(0, |count| self.records.saturating_sub(count));
        if counted && let Some(window) = self.windows.back_mut() {
            window.found.truncate(window.found.len().saturating_sub(beyond as usize));
            self.records -= beyond;
            self.end = window.end();
        }
        self.over = Some(false);
        true
    }
}

/// Pages that follow each other, and the links beside each.
fn pages_after(m: &Reading, last: u64, width: usize, beside: bool) -> impl Iterator<Item = Unit> {
    (0..width).map(move |n| {
        let after = match n.checked_sub(1) {
            None => last.to_string(),
            Some(before) => m.row_of(&format!("p{before}"), PAGE - 1),
        };
        let mut unit = vec![page(m, n, &[(m.bound(">"), after.clone())])];
        if beside {
            unit.push(links_page(m, n, &[("filter[>id]".to_owned(), after)]));
        }
        unit
    })
}

/// One page of records under this filter.
pub(super) fn page(m: &Reading, n: usize, filter: &[(String, String)]) -> Command {
    let mut command = Command::new(format!("p{n}"), m.list, &[]);
    command.parameters.extend_from_slice(filter);
    command.parameters.push(("start".to_owned(), m.listing.start.to_owned()));
    command.parameters.extend(m.basis());
    command.parameters.extend(m.selected());
    command
}

/// The links of the same records.
pub(super) fn links_page(m: &Reading, n: usize, filter: &[(String, String)]) -> Command {
    let (list, primary) = m.names;
    let mut command = Command::new(
        format!("l{n}"),
        "crm.item.list",
        &[("entityTypeId", &m.entity_type), ("order[id]", "ASC")],
    );
    command.parameters.extend_from_slice(filter);
    for (key, value) in [("select[0]", "id"), ("select[1]", primary), ("select[2]", list), ("start", "-1")] {
        command.parameters.push((key.to_owned(), value.to_owned()));
    }
    command
}
