//! Sends requests to a portal: paced, read again when the answer was no answer, never refused for their number.
//!
//! Everything here is a read and may be repeated. Owns the webhook; no error repeats it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Value as Json, json};

use super::limits::{Bucket, Operating, Plan};
use super::pack::Packer;
use super::wire::{Answer, Batch, Command, Envelope, Problem};
use crate::run::connect::Error;
use crate::run::connect::met::Meter;
use crate::run::connect::outside::{Clock, HttpRequest, HttpResponse, Random, Transport, TransportError};
use crate::run::connect::secret::Webhook;

pub(in crate::run::connect) const SYSTEM: &str = "Bitrix24";

/// The portal cuts a request after 60 s; the rest is for the way.
const TIMEOUT_MS: u64 = 75_000;
/// How often a request without a usable answer is repeated.
const TRIES: u32 = 6;
/// How often a full bucket is waited for. Others may fill it, so this is patient: ten minutes and more.
const BUSY_TRIES: u32 = 40;
/// How often a method out of running time is waited for; each wait is a minute or longer.
const BLOCKED_TRIES: u32 = 30;
/// What the client meets and gets over.
const NO_ANSWER: &str = "Bitrix24 gave no usable answer";
const BUSY: &str = "Bitrix24 said that it gets too many requests (503)";
const BLOCKED: &str = "Bitrix24 said that the running time of a method is used up (429)";
/// How many renames are followed in one request.
const MOVES: u32 = 3;

/// What a failed attempt means for the next one.
#[derive(Clone, Debug)]
pub(super) enum Trouble {
    /// No use to repeat it.
    Fatal(Error),
    /// No usable answer: perhaps the request was too large.
    NoAnswer(String),
    /// The bucket is full.
    Busy(String),
    /// The method has used its running time up.
    Blocked(&'static str),
}

/// How often what was tried.
#[derive(Debug, Default)]
pub(super) struct Patience {
    lost: u32,
    busy: u32,
    blocked: u32,
}

pub(super) struct Client {
    webhook: RefCell<Webhook>,
    /// The host that the account was first known by.
    account: String,
    aliases: RefCell<Vec<String>>,
    transport: Rc<dyn Transport>,
    pub(super) clock: Rc<dyn Clock>,
    random: Rc<dyn Random>,
    bucket: RefCell<Bucket>,
    pub(super) operating: RefCell<Operating>,
    pub(super) packer: Packer,
    pub(super) meter: Meter,
    /// The portal's clock when it last answered.
    told_ms: Cell<Option<i64>>,
}

/// Counts a request out of the bucket even when its future is dropped.
struct Flight<'c>(&'c Client);

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.0.bucket.borrow_mut().finished(self.0.clock.now_ms());
    }
}

impl Client {
    pub(super) fn new(
        webhook: Webhook,
        transport: Rc<dyn Transport>,
        clock: Rc<dyn Clock>,
        random: Rc<dyn Random>,
        plan: Plan,
        operating_limit_s: f64,
    ) -> Client {
        Client {
            account: webhook.host().to_owned(),
            webhook: RefCell::new(webhook),
            aliases: RefCell::default(),
            transport,
            clock,
            random,
            bucket: RefCell::new(Bucket::new(plan)),
            operating: RefCell::new(Operating::new(operating_limit_s)),
            packer: Packer::default(),
            meter: Meter::default(),
            told_ms: Cell::new(None),
        }
    }

    pub(super) fn account(&self) -> &str {
        &self.account
    }

    pub(super) fn aliases(&self) -> Vec<String> {
        self.aliases.borrow().clone()
    }

    /// The portal's clock when it last answered, Unix milliseconds; old servers do not tell.
    pub(super) fn told_ms(&self) -> Option<i64> {
        self.told_ms.get()
    }

    /// Calls a method until it answers or there is no hope.
    pub(super) async fn call(&self, method: &'static str, parameters: Json) -> Result<Answer, Error> {
        let mut patience = Patience::default();
        loop {
            self.rest(&[method]).await;
            match self.attempt(method, &parameters).await {
                Ok(answer) => {
                    if let Some(time) = answer.time
                        && let Some(operating) = time.operating
                    {
                        let now = self.clock.now_ms();
                        self.operating.borrow_mut().report(
                            method,
                            now,
                            operating,
                            time.reset_at,
                            time.duration,
                        );
                    }
                    return Ok(answer);
                }
                Err(trouble) => self.recover(&mut patience, trouble).await?,
            }
        }
    }

    /// Sends a batch until it answers, with each of its commands answered or refused for good: what is only too early is
    /// asked again with the whole batch, since commands refer to each other. One that never gets better keeps its problem.
    pub(super) async fn batch(&self, commands: &[Command]) -> Result<Answer, Error> {
        let (mut patience, mut patience_inside) = (Patience::default(), Patience::default());
        loop {
            match self.attempt_batch(commands, false).await {
                Ok(answer) => {
                    let Some(trouble) = self.too_early(commands, &answer) else { return Ok(answer) };
                    if self.recover(&mut patience_inside, trouble).await.is_err() {
                        return Ok(answer);
                    }
                }
                Err(trouble) => self.recover(&mut patience, trouble).await?,
            }
        }
    }

    /// Why commands of a batch must be asked again, where they must.
    fn too_early(&self, commands: &[Command], answer: &Answer) -> Option<Trouble> {
        let batch = Batch::parse(answer.result())?;
        let mut found = None;
        for command in commands {
            let Some(problem) = batch.problem(&command.name) else { continue };
            match self.judge(command.method, 400, &problem) {
                Trouble::Fatal(_) => continue,
                Trouble::Blocked(method) => {
                    self.block(method);
                    found = Some(Trouble::Blocked(method));
                }
                trouble => found = found.or(Some(trouble)),
            }
        }
        found
    }

    /// Sends a batch once. `halt` stops it at the first command that fails.
    pub(super) async fn attempt_batch(&self, commands: &[Command], halt: bool) -> Result<Answer, Trouble> {
        // The order of the commands is the order in which they run: no map that sorts them by name.
        let cmd: Vec<String> =
            commands.iter().map(|c| format!("{}:{}", json!(c.name), json!(c.text()))).collect();
        let body = format!("{{\"halt\":{},\"cmd\":{{{}}}}}", u8::from(halt), cmd.join(","));
        let answer = self.attempt_body("batch", body.into_bytes()).await?;
        let Some(batch) = Batch::parse(answer.result()) else {
            return Err(Trouble::NoAnswer("a batch without its parts".to_owned()));
        };
        self.account_for(commands, &batch);
        Ok(answer)
    }

    /// Books what the commands of a batch used of their methods' running time.
    fn account_for(&self, commands: &[Command], batch: &Batch<'_>) {
        let mut methods: BTreeMap<&str, (f64, Option<i64>, f64, u32)> = BTreeMap::new();
        let now = self.clock.now_ms();
        for command in commands {
            let Some(time) = batch.time(&command.name) else { continue };
            let Some(operating) = time.operating else { continue };
            let entry = methods.entry(command.method).or_insert((0.0, None, 0.0, 0));
            entry.0 = entry.0.max(operating);
            entry.1 = time.reset_at.or(entry.1);
            entry.2 += time.duration;
            entry.3 += 1;
        }
        let mut operating = self.operating.borrow_mut();
        for (method, (used, reset_at, duration, calls)) in methods {
            operating.report(method, now, used, reset_at, duration / f64::from(calls));
        }
    }

    /// How many calls of each of these methods may run now; waits until one may.
    pub(super) async fn rest(&self, methods: &[&'static str]) -> usize {
        loop {
            let now = self.clock.now_ms();
            let allowed = methods.iter().map(|method| self.operating.borrow_mut().allows(method, now));
            let (calls, wait) = allowed.fold((usize::MAX, 0), |(a, b), (c, d)| (a.min(c), b.max(d)));
            if calls > 0 {
                return calls;
            }
            self.clock.sleep(wait.max(1)).await;
        }
    }

    /// The portal refused a call of this method for its running time.
    pub(super) fn block(&self, method: &'static str) {
        self.operating.borrow_mut().blocked(method, self.clock.now_ms());
    }

    /// Calls a method once.
    pub(super) async fn attempt(&self, method: &'static str, parameters: &Json) -> Result<Answer, Trouble> {
        self.attempt_body(method, parameters.to_string().into_bytes()).await
    }

    async fn attempt_body(&self, method: &'static str, body: Vec<u8>) -> Result<Answer, Trouble> {
        let headers = vec![
            ("content-type", "application/json; charset=utf-8".to_owned()),
            ("accept", "application/json".to_owned()),
        ];
        let mut request =
            HttpRequest { method: "POST", url: String::new(), headers, body, timeout_ms: TIMEOUT_MS };
        for _ in 0..=MOVES {
            request.url = self.webhook.borrow().method(method);
            self.pace().await;
            let flight = Flight(self);
            let sent = self.transport.send(&request).await;
            drop(flight);
            let response = match sent {
                Ok(response) => response,
                Err(TransportError::NotSent(why) | TransportError::Lost(why)) => {
                    return Err(self.no_answer(why));
                }
            };
            if matches!(response.status, 301 | 302 | 303 | 307 | 308) {
                self.moved(method, response.header("location").unwrap_or_default())?;
                continue;
            }
            return match Envelope::parse(response.body) {
                Envelope::Answer(answer) => {
                    self.told_ms.set(answer.time.and_then(|time| time.start).or(self.told_ms.get()));
                    Ok(answer)
                }
                Envelope::Problem(problem) => Err(self.judge(method, response.status, &problem)),
                Envelope::NotText(at) => Err(self.no_answer(format!(
                    "HTTP {} with a body that is not UTF-8 from byte {at} on; a record holds bytes that are no text: \
                     the last object that was begun has it",
                    response.status
                ))),
                Envelope::Foreign => {
                    Err(self.no_answer(format!("HTTP {} with a body that is no answer", response.status)))
                }
            };
        }
        Err(Trouble::Fatal(unreachable("it redirects in circles")))
    }

    /// The address of a method, for a plain GET. Secret.
    pub(super) fn address(&self, method: &str) -> String {
        self.webhook.borrow().method(method)
    }

    /// Gets what is behind a link that the portal gave. Redirects are followed, since such a link goes where the portal
    /// keeps its files; nothing of the webhook is put into them.
    pub(super) async fn fetch(&self, url: &str) -> Result<HttpResponse, Trouble> {
        let referer = format!("https://{}/", self.webhook.borrow().host());
        let headers =
            vec![("accept", "*/*".to_owned()), ("accept-language", "en".to_owned()), ("referer", referer)];
        let url = self.webhook.borrow().at_home(url);
        let mut request =
            HttpRequest { method: "GET", url, headers, body: Vec::new(), timeout_ms: TIMEOUT_MS };
        for _ in 0..=MOVES {
            self.pace().await;
            let flight = Flight(self);
            let sent = self.transport.send(&request).await;
            drop(flight);
            let response = match sent {
                Ok(response) => response,
                Err(TransportError::NotSent(why) | TransportError::Lost(why)) => {
                    return Err(Trouble::NoAnswer(why));
                }
            };
            let to = response.header("location").filter(|to| to.starts_with("https://")).map(str::to_owned);
            match to.filter(|_| matches!(response.status, 301 | 302 | 303 | 307 | 308)) {
                Some(to) => request.url = to,
                None => return Ok(response),
            }
        }
        Err(Trouble::NoAnswer("it redirects in circles".to_owned()))
    }

    /// Waits until the bucket has room for a request.
    pub(super) async fn clear(&self) {
        loop {
            let wait = self.bucket.borrow_mut().wait(self.clock.now_ms());
            if wait == 0 {
                return;
            }
            self.clock.sleep(wait).await;
        }
    }

    /// The same, and takes the room.
    async fn pace(&self) {
        self.clear().await;
        self.bucket.borrow_mut().started();
    }

    /// A renamed portal answers with a redirect to the same path on its new host (sheet §1.1).
    fn moved(&self, method: &str, location: &str) -> Result<(), Trouble> {
        let moved = self.webhook.borrow().moved(location, method).ok_or_else(|| {
            Trouble::Fatal(denied(
                "it redirects to somewhere else than this method on another host: check the webhook's address",
            ))
        })?;
        let host = moved.host().to_owned();
        *self.webhook.borrow_mut() = moved;
        let mut aliases = self.aliases.borrow_mut();
        if host != self.account && !aliases.contains(&host) {
            aliases.push(host);
        }
        Ok(())
    }

    fn no_answer(&self, why: String) -> Trouble {
        self.meter.meets(NO_ANSWER);
        Trouble::NoAnswer(why)
    }

    /// What an error body means. Also for single commands of a batch, with the status of the batch.
    pub(super) fn judge(&self, method: &'static str, status: u16, problem: &Problem) -> Trouble {
        // Counted here, since several may wait for what one answer lacks.
        let trouble = self.judged(method, status, problem);
        match &trouble {
            Trouble::Fatal(_) => {}
            Trouble::NoAnswer(_) => self.meter.meets(NO_ANSWER),
            Trouble::Busy(_) => self.meter.meets(BUSY),
            Trouble::Blocked(_) => self.meter.meets(BLOCKED),
        }
        trouble
    }

    fn judged(&self, method: &'static str, status: u16, problem: &Problem) -> Trouble {
        let next = |step: &str| Trouble::Fatal(denied(&format!("{problem}: {step}")));
        let code = problem.code.to_ascii_uppercase();
        match code.as_str() {
            "QUERY_LIMIT_EXCEEDED" => Trouble::Busy(problem.to_string()),
            "OPERATION_TIME_LIMIT" => Trouble::Blocked(method),
            "INTERNAL_SERVER_ERROR" | "ERROR_UNEXPECTED_ANSWER" => Trouble::NoAnswer(problem.to_string()),
            "OVERLOAD_LIMIT" => Trouble::Fatal(refused(
                method,
                &format!("{problem}: the portal's REST API is blocked by hand, ask Bitrix24's support"),
            )),
            "INSUFFICIENT_SCOPE" => next(&format!("give the webhook the scope `{}`", scope_of(method))),
            "INVALID_CREDENTIALS"
            | "NO_AUTH_FOUND"
            | "AUTHORIZATION_ERROR"
            | "EXPIRED_TOKEN"
            | "INVALID_TOKEN" => {
                next("the webhook is wrong, expired or deleted: make a new one as an administrator")
            }
            "PORTAL_DELETED" => next("the portal is gone"),
            "PAYMENT_REQUIRED" | "APPLICATION_NOT_FOUND" | "ERROR_OAUTH" | "METHOD_CONFIRM_WAITING" => {
                next("the portal's REST access must be active")
            }
            "ACCESS_DENIED" if status == 403 => next(
                "REST needs a commercial plan with a Market subscription, and a webhook of an administrator",
            ),
            _ => match status {
                401 | 403 => next("check the webhook and the rights of its user"),
                429 => Trouble::Blocked(method),
                503 => Trouble::Busy(problem.to_string()),
                500..=599 => Trouble::NoAnswer(problem.to_string()),
                _ => Trouble::Fatal(refused(method, &problem.to_string())),
            },
        }
    }

    /// Waits for a better moment.
    ///
    /// # Errors
    /// There is none, or patience has run out.
    pub(super) async fn recover(&self, patience: &mut Patience, trouble: Trouble) -> Result<(), Error> {
        let now = self.clock.now_ms();
        match trouble {
            Trouble::Fatal(error) => Err(error),
            Trouble::NoAnswer(why) => {
                patience.lost += 1;
                if patience.lost >= TRIES {
                    self.meter.gives_up(NO_ANSWER);
                    return Err(unreachable(&format!("{why}, after {TRIES} tries")));
                }
                let wait = self.jittered(1000 << patience.lost.min(5));
                self.meter.waits(NO_ANSWER, now, wait);
                self.clock.sleep(wait).await;
                Ok(())
            }
            Trouble::Busy(why) => {
                patience.busy += 1;
                if patience.busy >= BUSY_TRIES {
                    self.meter.gives_up(BUSY);
                    return Err(unreachable(&format!(
                        "{why}, after {BUSY_TRIES} tries: is another program using it?"
                    )));
                }
                self.bucket.borrow_mut().refused(now);
                let wait = self.jittered(500 << patience.busy.min(6));
                self.meter.waits(BUSY, now, wait);
                self.clock.sleep(wait).await;
                Ok(())
            }
            Trouble::Blocked(method) => {
                patience.blocked += 1;
                if patience.blocked >= BLOCKED_TRIES {
                    self.meter.gives_up(BLOCKED);
                    return Err(refused(
                        method,
                        "its running time stays used up: is another program using it?",
                    ));
                }
                self.block(method);
                self.rest(&[method]).await;
                self.meter.waits(BLOCKED, now, self.clock.now_ms().abs_diff(now));
                Ok(())
            }
        }
    }

    /// Between half of it and one and a half.
    fn jittered(&self, ms: u64) -> u64 {
        ms / 2 + self.random.next_u64() % ms.max(1)
    }
}

/// The scope that a method needs (sheet §1.3).
fn scope_of(method: &str) -> &'static str {
    match method.split('.').next().unwrap_or_default() {
        "user" => "user",
        "department" => "department",
        "tasks" | "task" => "task",
        "catalog" => "catalog",
        "voximplant" => "telephony",
        "imopenlines" => "imopenlines",
        "disk" => "disk",
        "bizproc" => "bizproc",
        "userfieldconfig" => "userfieldconfig",
        _ => "crm",
    }
}

pub(super) fn unreachable(why: &str) -> Error {
    Error::Unreachable { system: SYSTEM, why: why.to_owned() }
}

pub(super) fn denied(why: &str) -> Error {
    Error::Denied { system: SYSTEM, why: why.to_owned() }
}

pub(super) fn refused(request: &str, why: &str) -> Error {
    Error::Refused { system: SYSTEM, request: request.to_owned(), why: why.to_owned() }
}

pub(super) fn malformed(request: &str, why: impl Into<String>) -> Error {
    Error::Malformed { system: SYSTEM, request: request.to_owned(), why: why.into() }
}

pub(super) fn inconsistent(object: &str, why: String) -> Error {
    Error::Inconsistent { system: SYSTEM, object: object.to_owned(), why }
}
