//! Carries requests to a twin in the same process, taking the twin's own time by the clock it is given.

use std::cell::Cell;
use std::rc::Rc;

use crate::run::connect::Local;
use crate::run::connect::outside::{Clock, HttpRequest, HttpResponse, Random, Transport, TransportError};
use crate::run::twin;

/// A twin's front: a request and the time at which it arrives.
pub type Serve = dyn Fn(&twin::Request, i64) -> twin::Response;

/// A transport that ends at a twin.
pub struct Wire {
    serve: Rc<Serve>,
    clock: Rc<dyn Clock>,
}

impl Wire {
    /// Connects to a twin.
    pub fn new(serve: Rc<Serve>, clock: Rc<dyn Clock>) -> Self {
        Wire { serve, clock }
    }

    /// The request as a server would receive it.
    pub fn request(request: &HttpRequest) -> twin::Request {
        let rest = request.url.split_once("://").map_or(request.url.as_str(), |(_, rest)| rest);
        let path = rest.find('/').map_or("/", |at| &rest[at..]);
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        twin::Request {
            method: request.method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: request
                .headers
                .iter()
                .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
                .collect(),
            body: request.body.clone(),
            client: "127.0.0.1".to_owned(),
        }
    }
}

impl Transport for Wire {
    fn send<'a>(&'a self, request: &'a HttpRequest) -> Local<'a, Result<HttpResponse, TransportError>> {
        Box::pin(async move {
            let answer = (self.serve)(&Wire::request(request), self.clock.now_ms());
            self.clock.sleep(answer.took_ms.min(request.timeout_ms)).await;
            if answer.took_ms > request.timeout_ms {
                return Err(TransportError::Lost(format!(
                    "no answer within {} s",
                    request.timeout_ms / 1000
                )));
            }
            Ok(HttpResponse { status: answer.status, headers: answer.headers, body: answer.body })
        })
    }
}

/// A small generator of random bits (SplitMix64) for jitter in rehearsals: the same seed, the same run.
#[derive(Debug)]
pub struct SplitMix(Cell<u64>);

impl SplitMix {
    /// Starts at a seed.
    pub fn new(seed: u64) -> Self {
        SplitMix(Cell::new(seed))
    }
}

impl Random for SplitMix {
    fn next_u64(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
