//! The way to both twins, with everything that can go wrong on it, struck where and when a plan says.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use b2n::run::connect::Local;
use b2n::run::connect::outside::{Clock, HttpRequest, HttpResponse, Random, Transport, TransportError};
use b2n::run::engine::Progress;
use b2n::run::rehearsal::{SplitMix, VirtualClock, Wire};
use b2n::run::twin::{Request, Response, bitrix24, nutshell};
use serde_json::Value as Json;

/// What a run is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Binding, preflight, and whatever has no name of its own.
    Other,
    Extract,
    Provision,
    Load,
    Links,
    Sweep,
    Rollback,
}

/// Which twin is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    Portal,
    Account,
}

/// Which requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Any,
    /// Those that change something.
    Write,
    /// Those that do not.
    Read,
    /// Those whose method begins so.
    Method(&'static str),
}

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug)]
pub enum Trouble {
    /// This status and body, nothing done.
    Refused(u16, &'static str),
    /// This status and body, after it was done.
    Failed(u16, &'static str),
    /// No connection came about.
    NotSent,
    /// The connection broke at once, before it was done.
    ResetBefore,
    /// The connection broke at once, after it was done.
    ResetAfter,
    /// No answer in time, and nothing done.
    Timeout,
    /// No answer in time, though it was done.
    Lost,
    /// Done, and the body ends in the middle.
    Cut,
    /// It arrives twice; the first answer comes back.
    Twice,
    /// Given up, and done so much later, in milliseconds.
    Late(i64),
    /// A list's answer lacks its last row.
    ShortPage,
    /// A list's answer is that of the page before it.
    RepeatPage,
    /// Somebody does something right before it is served.
    Act(fn(&Scene<'_>)),
    /// The machine's clock is set by this much.
    ClockStep(i64),
}

/// Whom somebody who acts can act upon.
pub struct Scene<'a> {
    pub portal: &'a bitrix24::Twin,
    pub account: &'a nutshell::Twin,
    pub now_ms: i64,
}

/// How often.
#[derive(Clone, Copy, Debug)]
pub enum When {
    /// From the first-th on, so many times.
    From(u64, u64),
    /// With this chance.
    Share(f64),
}

/// One line of a plan of faults.
#[derive(Clone, Copy, Debug)]
pub struct Strike {
    pub side: Side,
    /// Only while this is going on.
    pub phase: Option<Phase>,
    pub what: What,
    pub when: When,
    pub trouble: Trouble,
}

/// The machine's clock: people and time servers set it. The twins have clocks of their own.
pub struct Wall {
    inner: Rc<VirtualClock>,
    pub ahead_ms: Cell<i64>,
}

impl Clock for Wall {
    fn now_ms(&self) -> i64 {
        self.inner.now_ms() + self.ahead_ms.get()
    }

    fn ticks_ms(&self) -> u64 {
        u64::try_from(self.inner.now_ms()).unwrap_or(0)
    }

    fn sleep(&self, ms: u64) -> Local<'_, ()> {
        self.inner.sleep(ms)
    }
}

/// What both ways share.
pub struct Hub {
    pub clock: Rc<VirtualClock>,
    pub wall: Rc<Wall>,
    pub portal: Rc<bitrix24::Twin>,
    pub account: Rc<nutshell::Twin>,
    pub phase: Cell<Phase>,
    plan: RefCell<Vec<(Strike, u64)>>,
    struck: Cell<u64>,
    dice: SplitMix,
    late: RefCell<BTreeMap<(i64, u64), Request>>,
    sent: Cell<u64>,
    /// The last page of each list.
    pages: RefCell<BTreeMap<String, Vec<u8>>>,
}

impl Hub {
    pub fn new(
        clock: &Rc<VirtualClock>,
        portal: &Rc<bitrix24::Twin>,
        account: &Rc<nutshell::Twin>,
        seed: u64,
    ) -> Hub {
        Hub {
            clock: Rc::clone(clock),
            wall: Rc::new(Wall { inner: Rc::clone(clock), ahead_ms: Cell::new(0) }),
            portal: Rc::clone(portal),
            account: Rc::clone(account),
            phase: Cell::new(Phase::Other),
            plan: RefCell::default(),
            struck: Cell::new(0),
            dice: SplitMix::new(seed),
            late: RefCell::default(),
            sent: Cell::new(0),
            pages: RefCell::default(),
        }
    }

    /// From now on this goes wrong, and nothing else.
    pub fn strike(&self, plan: &[Strike]) {
        *self.plan.borrow_mut() = plan.iter().map(|strike| (*strike, 0)).collect();
    }

    /// How many faults have struck.
    pub fn struck(&self) -> u64 {
        self.struck.get()
    }

    /// Lets what is due by now arrive.
    pub fn settle(&self, now: i64) {
        loop {
            let due = {
                let mut late = self.late.borrow_mut();
                match late.first_key_value() {
                    Some((key, _)) if key.0 <= now => late.pop_first(),
                    _ => None,
                }
            };
            let Some(((at, _), request)) = due else { return };
            self.account.handle(&request, at);
        }
    }

    fn chance(&self, share: f64) -> bool {
        share > 0.0 && (self.dice.next_u64() >> 11) as f64 / (1u64 << 53) as f64 <= share
    }

    fn trouble_for(&self, side: Side, request: &Request) -> Option<Trouble> {
        let mut found = None;
        for (strike, seen) in self.plan.borrow_mut().iter_mut() {
            let applies = strike.side == side
                && strike.phase.is_none_or(|phase| phase == self.phase.get())
                && fits(strike.what, side, request);
            if !applies {
                continue;
            }
            *seen += 1;
            let strikes = match strike.when {
                When::From(first, times) => *seen >= first && *seen < first.saturating_add(times),
                When::Share(share) => self.chance(share),
            };
            if strikes && found.is_none() {
                self.struck.set(self.struck.get() + 1);
                found = Some(strike.trouble);
            }
        }
        found
    }

    fn serve(&self, side: Side, request: &Request) -> Response {
        let now = self.clock.now_ms();
        match side {
            Side::Portal => self.portal.handle(request, now),
            Side::Account => self.account.handle(request, now),
        }
    }

    async fn carry(&self, side: Side, request: &HttpRequest) -> Result<HttpResponse, TransportError> {
        self.settle(self.clock.now_ms());
        let seen = Wire::request(request);
        self.sent.set(self.sent.get() + 1);
        let lost = |why: &str| TransportError::Lost(why.to_owned());
        let html = |status, body: &str| HttpResponse {
            status,
            headers: vec![("content-type".to_owned(), "text/html".to_owned())],
            body: body.as_bytes().to_vec(),
        };
        let trouble = self.trouble_for(side, &seen);
        match trouble {
            Some(Trouble::Refused(status, body)) => {
                self.clock.sleep(50).await;
                return Ok(html(status, body));
            }
            Some(Trouble::NotSent) => {
                self.clock.sleep(5).await;
                return Err(TransportError::NotSent("no connection".to_owned()));
            }
            Some(Trouble::ResetBefore) => {
                self.clock.sleep(20).await;
                return Err(lost("the connection was reset"));
            }
            Some(Trouble::Timeout) => {
                self.clock.sleep(request.timeout_ms).await;
                return Err(lost("no answer in time"));
            }
            Some(Trouble::Late(by)) => {
                self.late.borrow_mut().insert((self.clock.now_ms() + by, self.sent.get()), seen);
                self.clock.sleep(request.timeout_ms).await;
                return Err(lost("no answer in time"));
            }
            Some(Trouble::Act(act)) => {
                act(&Scene { portal: &self.portal, account: &self.account, now_ms: self.clock.now_ms() });
            }
            Some(Trouble::ClockStep(by)) => self.wall.ahead_ms.set(self.wall.ahead_ms.get() + by),
            _ => {}
        }
        let list = list_of(side, &seen);
        let mut answer = self.serve(side, &seen);
        match trouble {
            Some(Trouble::Failed(status, body)) => {
                self.clock.sleep(50).await;
                return Ok(html(status, body));
            }
            Some(Trouble::ResetAfter) => {
                self.clock.sleep(20).await;
                return Err(lost("the connection was reset"));
            }
            Some(Trouble::Lost) => {
                self.clock.sleep(request.timeout_ms).await;
                return Err(lost("no answer in time"));
            }
            Some(Trouble::Cut) => answer.body.truncate(answer.body.len() / 2),
            Some(Trouble::Twice) => {
                self.serve(side, &seen);
            }
            Some(Trouble::ShortPage) => answer.body = without_last(&answer.body),
            Some(Trouble::RepeatPage) => {
                if let Some(before) = list.as_ref().and_then(|list| self.pages.borrow().get(list).cloned()) {
                    answer.body = before;
                }
            }
            _ => {}
        }
        if let Some(list) = list {
            self.pages.borrow_mut().insert(list, answer.body.clone());
        }
        self.clock.sleep(answer.took_ms.min(request.timeout_ms)).await;
        self.settle(self.clock.now_ms());
        if answer.took_ms > request.timeout_ms {
            return Err(lost("no answer in time"));
        }
        Ok(HttpResponse { status: answer.status, headers: answer.headers, body: answer.body })
    }
}

/// One of the two ways.
pub struct Way {
    pub hub: Rc<Hub>,
    pub side: Side,
}

impl Transport for Way {
    fn send<'a>(&'a self, request: &'a HttpRequest) -> Local<'a, Result<HttpResponse, TransportError>> {
        Box::pin(self.hub.carry(self.side, request))
    }
}

/// Tells what a run is doing by what it tells people.
pub struct Watch(pub Rc<Hub>);

impl Progress for Watch {
    fn begin(&self, what: &str, _: Option<u64>) {
        let phase = match what.split(' ').next().unwrap_or_default() {
            "extract" => Phase::Extract,
            "preflight" | "provision" => Phase::Provision,
            "load" => Phase::Load,
            "write" => Phase::Links,
            "reconcile" => Phase::Sweep,
            "look" | "take" => Phase::Rollback,
            _ => Phase::Other,
        };
        self.0.phase.set(phase);
    }

    fn at(&self, _: u64) {}

    fn end(&self) {}

    fn notice(&self, text: &str) {
        if std::env::var_os("B2N_TRACE").is_some() {
            println!(
                "  {:>9} ms {:?}: {text}",
                self.0.clock.now_ms() - crate::sim::yard::BEGIN_MS,
                self.0.phase.get()
            );
        }
    }
}

fn method(request: &Request) -> Option<String> {
    let json: Json = serde_json::from_slice(&request.body).ok()?;
    Some(json.get("method")?.as_str()?.to_owned())
}

fn fits(what: What, side: Side, request: &Request) -> bool {
    let name = match side {
        Side::Portal => request.path.rsplit('/').next().unwrap_or_default().to_owned(),
        Side::Account => method(request).unwrap_or_else(|| format!("{} {}", request.method, request.path)),
    };
    let writes = side == Side::Account
        && (["new", "edit", "delete"].iter().any(|verb| name.starts_with(verb))
            || name.starts_with("POST ")
            || name.starts_with("PATCH ")
            || name.starts_with("DELETE "));
    match what {
        What::Any => true,
        What::Write => writes,
        What::Read => !writes,
        What::Method(prefix) => name.starts_with(prefix),
    }
}

/// The list that a page is of, where it is one.
fn list_of(side: Side, request: &Request) -> Option<String> {
    let name = method(request)?;
    (side == Side::Account && name.starts_with("find")).then_some(name)
}

fn without_last(body: &[u8]) -> Vec<u8> {
    let Ok(mut json) = serde_json::from_slice::<Json>(body) else { return body.to_vec() };
    if let Some(rows) = json.get_mut("result").and_then(Json::as_array_mut) {
        rows.pop();
    }
    json.to_string().into_bytes()
}
