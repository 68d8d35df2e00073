//! Sends requests: paced, with the login, reads repeated until they are answered, writes sent once.
//!
//! Owns the login; no error repeats it. Knows methods and paths only as text.

use std::cell::Cell;
use std::rc::Rc;

use futures_util::future::{Either, select};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value as Json, json};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::wire::{self, Fault};
use crate::run::connect::met::Meter;
use crate::run::connect::outside::{Clock, HttpRequest, HttpResponse, Random, Transport, TransportError};
use crate::run::connect::secret::is_loopback;
use crate::run::connect::{Error, Pace};

pub(super) const SYSTEM: &str = "Nutshell";

const JSON: &str = "application/json";

/// The key under which a payload names its author; it is not sent.
pub(super) const AUTHOR: &str = "author";

/// The key under which a payload holds the amount of a lead that is written through REST; no field of RPC.
pub(super) const MANUAL_VALUE: &str = "manualValue";

/// What reads meet and get over.
const NO_ANSWER: &str = "a read of Nutshell got no usable answer";
const BUSY: &str = "Nutshell said that it is too busy for a read (429 or 503)";

/// After how long a request is taken to be stuck, in milliseconds.
const STUCK_MS: u64 = 5_000;

/// How fast the client may be, and how patient. Nutshell publishes no quota (sheet §3.3).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Requests in flight at once; 2 to 4 are advised.
    pub in_flight: usize,
    /// Requests started per second.
    pub requests_per_s: f64,
    /// After how long an answer counts as lost, in milliseconds.
    pub timeout_ms: u64,
    /// How often a read without a usable answer is sent.
    pub tries: u32,
    /// How often a read is sent that the system is too busy for.
    pub busy_tries: u32,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { in_flight: 4, requests_per_s: 10.0, timeout_ms: 60_000, tries: 6, busy_tries: 20 }
    }
}

/// Both APIs of one account.
pub(super) struct Client {
    rpc_url: String,
    rest_url: String,
    authorization: SecretString,
    key: SecretString,
    transport: Rc<dyn Transport>,
    pub(super) clock: Rc<dyn Clock>,
    random: Rc<dyn Random>,
    settings: Settings,
    lanes: Semaphore,
    /// Places for requests that have not been answered for long: they leave their lane to others, up to as many again.
    stuck: Semaphore,
    /// When the next request may start, Unix microseconds.
    next_us: Cell<i64>,
    calls: Cell<u64>,
    pub(super) meter: Meter,
    /// Requests that may have written something.
    writes: Cell<u64>,
}

impl Client {
    /// `url` is where the API is, `https://app.nutshell.com` by default.
    pub(super) fn new(
        url: &str,
        user: &str,
        key: &SecretString,
        transport: Rc<dyn Transport>,
        clock: Rc<dyn Clock>,
        random: Rc<dyn Random>,
        settings: Settings,
    ) -> Client {
        let url = url.trim_end_matches('/');
        Client {
            rpc_url: format!("{url}/api/v1/json"),
            rest_url: format!("{url}/rest"),
            authorization: login(user, key),
            key: key.clone(),
            transport,
            clock,
            random,
            settings,
            lanes: Semaphore::new(settings.in_flight.max(1)),
            stuck: Semaphore::new(settings.in_flight.max(1)),
            next_us: Cell::new(i64::MIN),
            calls: Cell::new(0),
            meter: Meter::default(),
            writes: Cell::new(0),
        }
    }

    /// The port of this machine that the API answers on, where it is not on another one.
    pub(super) fn local_port(&self) -> Option<u16> {
        let (scheme, rest) = self.rest_url.split_once("://")?;
        let host = rest.split('/').next().filter(|host| is_loopback(host))?;
        let named = host.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        Some(named.unwrap_or(if scheme == "https" { 443 } else { 80 }))
    }

    /// Calls a method that only reads, until it answers or there is no hope.
    ///
    /// # Errors
    /// [`Fault::Missing`] is left to the caller inside of it; see [`failed`].
    pub(super) async fn read(&self, method: &str, params: Json) -> Result<Json, Fault> {
        self.patiently(self.settings.busy_tries, || self.call(method, &params)).await
    }

    /// The same, giving up on a busy system after a few tries: for what can be asked in a smaller way. `faults_too`
    /// where a busy system is known to answer as a broken one.
    pub(super) async fn read_hastily(
        &self,
        method: &str,
        params: Json,
        faults_too: bool,
    ) -> Result<Json, Fault> {
        let tries = if faults_too { 2 } else { self.settings.tries };
        self.trying(tries, 2, false, || self.call(method, &params)).await
    }

    /// Calls a method that writes, once.
    pub(super) async fn write(&self, method: &str, params: Json) -> Result<Json, Fault> {
        self.wrote();
        self.call(method, &params).await
    }

    /// How many requests may have written something, but for deletions through REST.
    pub(super) fn writes(&self) -> u64 {
        self.writes.get()
    }

    /// How fast this client may be.
    pub(super) fn pace_in_force(&self) -> Pace {
        let Settings { requests_per_s, in_flight, .. } = self.settings;
        Pace { rate_per_s: Some(requests_per_s), in_flight: Some(in_flight) }
    }

    fn wrote(&self) {
        self.writes.set(self.writes.get() + 1);
    }

    /// The same under another user's name, which a key that may impersonate can (sheet §3).
    pub(super) async fn write_as(&self, method: &str, params: Json, user: &str) -> Result<Json, Fault> {
        self.wrote();
        self.call_as(method, &params, &login(user, &self.key)).await
    }

    /// Reads a path of the REST API; `query` is encoded here.
    pub(super) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Json, Fault> {
        let mut url = format!("{}{path}", self.rest_url);
        for (index, (name, value)) in query.iter().enumerate() {
            url.push(if index == 0 { '?' } else { '&' });
            url.push_str(&encoded(name));
            url.push('=');
            url.push_str(&encoded(value));
        }
        self.patiently(self.settings.busy_tries, async || {
            wire::rest(&self.send("GET", &url, Vec::new(), JSON, &self.authorization).await?)
        })
        .await
    }

    /// Posts to a path of the REST API, once.
    pub(super) async fn post(&self, path: &str, body: &Json) -> Result<Json, Fault> {
        self.wrote();
        let url = format!("{}{path}", self.rest_url);
        let body = body.to_string().into_bytes();
        wire::rest(&self.send("POST", &url, body, JSON, &self.authorization).await?)
    }

    /// Patches what stands under a path of the REST API, once. Records take no other media type (sheet §3).
    pub(super) async fn patch(&self, path: &str, operations: &Json) -> Result<Json, Fault> {
        self.wrote();
        let url = format!("{}{path}", self.rest_url);
        let body = operations.to_string().into_bytes();
        wire::rest(&self.send("PATCH", &url, body, "application/json-patch+json", &self.authorization).await?)
    }

    /// Calls a method once, and gives the answer as it came.
    pub(super) async fn raw(&self, method: &str, params: &Json) -> Result<HttpResponse, Fault> {
        let body = json!({"jsonrpc": "2.0", "id": "b2n-raw", "method": method, "params": params});
        self.send("POST", &self.rpc_url, body.to_string().into_bytes(), JSON, &self.authorization).await
    }

    /// Deletes what stands under a path of the REST API, once.
    pub(super) async fn delete(&self, path: &str) -> Result<Json, Fault> {
        let url = format!("{}{path}", self.rest_url);
        wire::rest(&self.send("DELETE", &url, Vec::new(), JSON, &self.authorization).await?)
    }

    async fn call(&self, method: &str, params: &Json) -> Result<Json, Fault> {
        self.call_as(method, params, &self.authorization).await
    }

    async fn call_as(&self, method: &str, params: &Json, login: &SecretString) -> Result<Json, Fault> {
        let number = self.calls.get() + 1;
        self.calls.set(number);
        let id = format!("b2n-{number}");
        let body = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        let response = self.send("POST", &self.rpc_url, body.to_string().into_bytes(), JSON, login).await?;
        wire::rpc(&response, &id)
    }

    async fn send(
        &self,
        method: &'static str,
        url: &str,
        body: Vec<u8>,
        media: &'static str,
        login: &SecretString,
    ) -> Result<HttpResponse, Fault> {
        let closed = |_| Fault::NotSent("the client is closed".to_owned());
        let lane = self.lanes.acquire().await.map_err(closed)?;
        self.pace().await;
        let request = HttpRequest {
            method,
            url: url.to_owned(),
            headers: vec![
                ("authorization", login.expose_secret().to_owned()),
                ("content-type", media.to_owned()),
                ("accept", "application/json".to_owned()),
            ],
            body,
            timeout_ms: self.settings.timeout_ms,
        };
        let response = self.answered(&request, lane).await?;
        // Whatever status it comes with (sheet §3.3).
        if response.status == 429 || response.header("retry-after").is_some() {
            // Nobody else needs to find out.
            let seconds = response.header("retry-after").and_then(|text| text.trim().parse::<i64>().ok());
            let until = (self.clock.now_ms() + seconds.unwrap_or(1).clamp(1, 3_600) * 1_000) * 1_000;
            self.next_us.set(self.next_us.get().max(until));
        }
        Ok(response)
    }

    /// Waits for the answer in a lane; one that does not come for long is waited for beside it, where there is room.
    async fn answered(
        &self,
        request: &HttpRequest,
        lane: SemaphorePermit<'_>,
    ) -> Result<HttpResponse, TransportError> {
        let sent = self.transport.send(request);
        match select(sent, self.clock.sleep(STUCK_MS)).await {
            Either::Left((answer, _)) => answer,
            Either::Right(((), sent)) => {
                let _beside = match self.stuck.try_acquire() {
                    Ok(place) => {
                        drop(lane);
                        place
                    }
                    Err(_) => lane,
                };
                sent.await
            }
        }
    }

    /// Waits for this request's place in time.
    async fn pace(&self) {
        let now_us = self.clock.now_ms().saturating_mul(1_000);
        let at = self.next_us.get().max(now_us);
        if self.settings.requests_per_s > 0.0 {
            let apart = (1_000_000.0 / self.settings.requests_per_s).ceil();
            // A rate below one request in eleven days saturates.
            self.next_us.set(at.saturating_add(apart as i64));
        }
        let wait = at.saturating_sub(now_us);
        if wait > 0 {
            self.clock.sleep(wait.unsigned_abs().div_ceil(1_000)).await;
        }
    }

    async fn patiently(
        &self,
        busy_tries: u32,
        attempt: impl AsyncFn() -> Result<Json, Fault>,
    ) -> Result<Json, Fault> {
        self.trying(self.settings.tries, busy_tries, true, attempt).await
    }

    async fn trying(
        &self,
        tries: u32,
        busy_tries: u32,
        last: bool,
        attempt: impl AsyncFn() -> Result<Json, Fault>,
    ) -> Result<Json, Fault> {
        // Where there is another way to ask, the end of this one is no end.
        let gives_up = |what| {
            if last {
                self.meter.gives_up(what)
            }
        };
        let (mut lost, mut busy) = (0, 0);
        loop {
            let fault = match attempt().await {
                Ok(json) => return Ok(json),
                Err(fault) => fault,
            };
            match &fault {
                Fault::NotSent(_) | Fault::Lost(_) => {
                    self.meter.meets(NO_ANSWER);
                    lost += 1;
                    if lost >= tries.max(1) {
                        gives_up(NO_ANSWER);
                        return Err(fault);
                    }
                    let wait = self.backoff(lost);
                    self.meter.waits(NO_ANSWER, self.clock.now_ms(), wait);
                    self.clock.sleep(wait).await;
                }
                Fault::Busy { after_ms, .. } => {
                    self.meter.meets(BUSY);
                    busy += 1;
                    if busy >= busy_tries.max(1) {
                        gives_up(BUSY);
                        return Err(fault);
                    }
                    let wait = self.backoff(busy).max(after_ms.unwrap_or(0));
                    self.meter.waits(BUSY, self.clock.now_ms(), wait);
                    self.clock.sleep(wait).await;
                }
                _ => return Err(fault),
            }
        }
    }

    /// A number that nobody foresees.
    pub(super) fn chance(&self) -> u64 {
        self.random.next_u64()
    }

    /// Doubling from one second to half a minute, give or take a half.
    pub(super) fn backoff(&self, attempt: u32) -> u64 {
        let ms = 1_000u64 << attempt.saturating_sub(1).min(5);
        ms / 2 + self.random.next_u64() % ms
    }
}

/// What an unanswered read means.
pub(super) fn failed(request: &str, fault: Fault) -> Error {
    match fault {
        Fault::NotSent(why) | Fault::Lost(why) => {
            Error::Unreachable { system: SYSTEM, why: format!("`{request}`: {why}") }
        }
        Fault::Busy { why, .. } => Error::Unreachable {
            system: SYSTEM,
            why: format!("`{request}`: too busy ({why}); run again later, everything so far is kept"),
        },
        Fault::Denied(why) => Error::Denied { system: SYSTEM, why },
        Fault::Missing(why) | Fault::Stale(why) | Fault::Refused(why) => refused(request, why),
    }
}

pub(super) fn refused(request: &str, why: impl Into<String>) -> Error {
    Error::Refused { system: SYSTEM, request: request.to_owned(), why: why.into() }
}

pub(super) fn malformed(request: &str, why: impl Into<String>) -> Error {
    Error::Malformed { system: SYSTEM, request: request.to_owned(), why: why.into() }
}

/// Named parameters.
pub(super) fn named<const N: usize>(params: [(&str, Json); N]) -> Json {
    Json::Object(params.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
}

/// An id as the APIs take it: a number where it is one.
pub(super) fn id_json(id: &str) -> Json {
    id.parse::<i64>().map_or_else(|_| json!(id), |number| json!(number))
}

/// Percent-encodes everything but letters, digits and `-._~`.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// HTTP Basic: a user's address and the key (sheet §3).
fn login(user: &str, key: &SecretString) -> SecretString {
    let login = base64(format!("{user}:{}", key.expose_secret()).as_bytes());
    SecretString::from(format!("Basic {login}"))
}

/// Standard base64 with padding (RFC 4648 §4).
pub(super) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place)) as usize & 63];
            out.push(if place > chunk.len() { '=' } else { char::from(digit) });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_rfc_4648() {
        for (text, expected) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(text.as_bytes()), expected);
        }
        assert_eq!(base64(&[0xff, 0xfe, 0xfb]), "//77");
    }

    #[test]
    fn queries_are_encoded() {
        assert_eq!(encoded("filter[Bitrix24 key]"), "filter%5BBitrix24%20key%5D");
        assert_eq!(encoded("a&b=ж"), "a%26b%3D%D0%B6");
    }
}
