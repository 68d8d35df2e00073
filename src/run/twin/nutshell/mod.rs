//! The Nutshell twin: JSON-RPC and REST over one store.
//!
//! Written from the reference sheet's numbered sections, which the comments cite; it shares no code with the clients
//! it tests. What the sheet leaves open is a switch in [`settings::Dialect`]. It answers as a function of its start
//! state, the requests so far and the times that came with them.

pub mod agenda;
pub mod company;
mod index;
pub mod json;
mod mime;
mod oracle;
pub mod phone;
pub mod record;
mod rest;
mod rpc;
mod seed;
pub mod settings;
pub mod tables;
mod time;
mod values;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Request, Response};
pub use company::{
    Company, Field, FieldType, Market, Milestone, Named, Outcome, Source, Stageset, Tag, User,
};
pub use record::{Actor, Kind, Record};
pub use settings::{Dialect, Settings};

/// What was asked and how it went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// By RPC method, or by REST verb and route, such as `GET accounts/{id}`.
    pub requests: BTreeMap<String, u64>,
    /// By HTTP status, or by JSON-RPC's error code.
    pub errors: BTreeMap<String, u64>,
}

impl Log {
    fn request(&mut self, name: &str) {
        *self.requests.entry(name.to_owned()).or_default() += 1;
    }

    fn error(&mut self, name: &str) {
        *self.errors.entry(name.to_owned()).or_default() += 1;
    }

    /// How many requests came in all.
    pub fn total(&self) -> u64 {
        self.requests.values().sum()
    }
}

/// Everything behind the lock.
struct State {
    company: Company,
    settings: Settings,
    log: Log,
    sorted: rpc::Sorted,
    /// The minute and the full find pages served in it.
    full_finds: (i64, u32),
    requests: u64,
}

/// A Nutshell account as an in-memory server.
pub struct Twin {
    state: Mutex<State>,
}

impl Twin {
    /// Starts a server over a company.
    pub fn new(mut company: Company, settings: Settings) -> Twin {
        company.id_step = settings.id_step;
        company.neighbour_bumps = settings.dialect.neighbour_bumps;
        company.index.lag_ms = settings.index_lag_ms;
        let state = State {
            company,
            settings,
            log: Log::default(),
            sorted: rpc::Sorted::default(),
            full_finds: (0, 0),
            requests: 0,
        };
        Twin { state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers one request that arrives at `now_ms` (unix milliseconds).
    pub fn handle(&self, request: &Request, now_ms: i64) -> Response {
        let mut state = self.lock();
        state.requests += 1;
        state.company.settle(now_ms);
        let path = plain_path(&request.path);
        let mut response = if path == "/api/v1/json" || path == "/v1/json" {
            rpc::serve(&mut state, request, now_ms)
        } else if let Some(route) = path.strip_prefix("/rest") {
            rest::serve(&mut state, request, route, now_ms)
        } else {
            state.log.request("?");
            state.log.error("404");
            html(404, "Not Found")
        };
        response.took_ms = state.settings.latency_ms;
        response
    }

    /// What was asked so far.
    pub fn log(&self) -> Log {
        self.lock().log.clone()
    }

    /// Reads or changes the company past the API, as people do in the web application.
    pub fn with<R>(&self, act: impl FnOnce(&mut Company) -> R) -> R {
        act(&mut self.lock().company)
    }

    /// Changes a setting while the server runs: a limit, a fault, a switch.
    pub fn configure(&self, change: impl FnOnce(&mut Settings)) {
        let mut state = self.lock();
        change(&mut state.settings);
        let State { company, settings, .. } = &mut *state;
        company.id_step = settings.id_step;
        company.neighbour_bumps = settings.dialect.neighbour_bumps;
        company.index.lag_ms = settings.index_lag_ms;
    }
}

impl State {
    /// Who a request's Basic credentials stand for: the author of its changes, and the user.
    fn authenticate(&mut self, request: &Request) -> Option<(Actor, i64)> {
        let header = request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization"))?;
        let (scheme, encoded) = header.1.trim().split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = String::from_utf8(base64(encoded.trim())?).ok()?;
        let (name, secret) = decoded.split_once(':')?;
        let key = self.settings.keys.iter().find(|key| key.key == secret && !key.web_only)?.clone();
        let user = self.company.user_by_email(name).filter(|user| user.enabled)?.id;
        let actor =
            if key.impersonation { Actor::User(user) } else { Actor::Origin(self.company.origin(&key.name)) };
        Some((actor, user))
    }

    /// Whether this request is one of those that fail without reason.
    fn stumbles(&self) -> bool {
        let mut hasher = DefaultHasher::new();
        self.requests.hash(&mut hasher);
        hasher.finish() % 1000 < u64::from(self.settings.dialect.error_500_per_mille)
    }
}

/// A path without its trailing slash.
fn plain_path(path: &str) -> &str {
    path.trim_end_matches('/')
}

/// Decodes standard base64, with or without padding.
fn base64(text: &str) -> Option<Vec<u8>> {
    let (mut bits, mut held, mut bytes) = (0u32, 0u32, Vec::new());
    for byte in text.trim_end_matches('=').bytes() {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(digit);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    Some(bytes)
}

fn answer(status: u16, content_type: &str, body: Vec<u8>) -> Response {
    let headers = vec![("content-type".to_owned(), content_type.to_owned())];
    Response { status, headers, body, took_ms: 0 }
}

/// The error page that REST answers to unknown routes, unknown ids and bad credentials (sheet §3.2).
fn html(status: u16, reason: &str) -> Response {
    let page = format!(
        "<!DOCTYPE html>\n<html>\n\n<head>\n<meta charset=\"UTF-8\" />\n<title>An Error Occurred: {reason}</title>\n\
         </head>\n\n<body>\n<h1>Oops! An Error Occurred</h1>\n<h2>The server returned a \"{status} {reason}\".</h2>\n\n\
         <div>\nSomething is broken. Please let us know what you were doing when this error occurred.\n\
         We will fix it as soon as possible. Sorry for any inconvenience caused.\n</div>\n</body>\n\n</html>\n"
    );
    answer(status, "text/html; charset=UTF-8", page.into_bytes())
}

#[cfg(test)]
mod tests;
