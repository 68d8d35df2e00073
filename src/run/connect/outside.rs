//! What enters from outside: clock, randomness, transport. Production, rehearsal and simulation differ only here.

use super::Local;

/// Time.
pub trait Clock {
    /// Unix time in milliseconds.
    fn now_ms(&self) -> i64;
    /// Milliseconds since some fixed moment, by a clock that nobody sets: how long something took.
    fn ticks_ms(&self) -> u64 {
        u64::try_from(self.now_ms()).unwrap_or(0)
    }
    /// Waits. On a virtual clock, until every task is idle and this is the next thing to happen.
    fn sleep(&self, ms: u64) -> Local<'_, ()>;
}

/// Randomness, for jitter only: nothing that is written depends on it.
pub trait Random {
    /// The next 64 random bits.
    fn next_u64(&self) -> u64;
}

/// A request on its way to a system.
#[derive(Clone)]
pub struct HttpRequest {
    /// The HTTP verb.
    pub method: &'static str,
    /// The whole address. May hold a secret: never printed, not even by `Debug`.
    pub url: String,
    /// Headers. May hold a secret.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// After how long the answer counts as lost, in milliseconds.
    pub timeout_ms: u64,
}

impl std::fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HttpRequest({} …, {} bytes)", self.method, self.body.len())
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub struct HttpResponse {
    /// The HTTP status code.
    pub status: u16,
    /// Header names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, whole.
    pub body: Vec<u8>,
}

impl HttpResponse {
    /// The first header of this lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// The request surely never reached the system.
    #[error("{0}")]
    NotSent(String),
    /// The request may have reached the system.
    #[error("{0}")]
    Lost(String),
}

/// Carries requests. Follows no redirects and retries nothing.
pub trait Transport {
    /// Sends once.
    fn send<'a>(&'a self, request: &'a HttpRequest) -> Local<'a, Result<HttpResponse, TransportError>>;
}
