//! The real transport, clock and randomness. The one file that knows reqwest.
//!
//! Sends once: no redirect is followed and nothing is retried in here, since only the caller knows what may be sent
//! twice. No error text repeats an address, for addresses hold secrets.

use std::cell::Cell;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::Local;
use super::outside::{Clock, HttpRequest, HttpResponse, Random, Transport, TransportError};
use super::secret::is_loopback;

/// The largest answer that is read, in bytes after decompression.
const BODY_LIMIT: usize = 64 << 20;
/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// Shorter than what servers keep idle connections for, so that few requests meet one that is just being closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// Carries requests over HTTP: TLS with the roots that ship with the program, or plain on loopback.
pub struct HttpTransport {
    outside: reqwest::Client,
    /// For twins on this machine: never through a proxy.
    loopback: reqwest::Client,
}

impl HttpTransport {
    /// A transport with its own pool of connections.
    ///
    /// # Errors
    /// TLS could not be set up; says why.
    pub fn new() -> Result<HttpTransport, String> {
        let tls = tls()?;
        let base = || {
            reqwest::Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .user_agent(concat!("b2n/", env!("CARGO_PKG_VERSION")))
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .gzip(true)
                .referer(false)
                .connect_timeout(CONNECT_TIMEOUT)
                .pool_idle_timeout(IDLE_TIMEOUT)
        };
        let outside = base().https_only(true).build().map_err(|e| why(&e))?;
        let loopback = base().no_proxy().build().map_err(|e| why(&e))?;
        Ok(HttpTransport { outside, loopback })
    }

    async fn send_once(&self, request: &HttpRequest) -> Result<HttpResponse, TransportError> {
        let url = reqwest::Url::parse(&request.url)
            .map_err(|_| TransportError::NotSent("the address is not one".to_owned()))?;
        let client = match url.scheme() {
            "http" if url.host_str().is_some_and(is_loopback) => &self.loopback,
            "http" => {
                return Err(TransportError::NotSent("plain http is allowed on this machine only".to_owned()));
            }
            _ => &self.outside,
        };
        let method = reqwest::Method::from_bytes(request.method.as_bytes())
            .map_err(|_| TransportError::NotSent(format!("`{}` is not a method of HTTP", request.method)))?;
        let mut builder = client
            .request(method, url)
            .timeout(Duration::from_millis(request.timeout_ms))
            .body(request.body.clone());
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        let mut response = builder.send().await.map_err(|e| lost_or_not_sent(&e))?;
        let status = response.status().as_u16();
        let headers = response.headers().iter();
        let headers = headers
            .map(|(n, v)| (n.as_str().to_owned(), String::from_utf8_lossy(v.as_bytes()).into_owned()))
            .collect();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| TransportError::Lost(why(&e)))? {
            if body.len() + chunk.len() > BODY_LIMIT {
                return Err(TransportError::Lost(format!(
                    "the answer is larger than {} MiB",
                    BODY_LIMIT >> 20
                )));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(HttpResponse { status, headers, body })
    }
}

impl Transport for HttpTransport {
    fn send<'a>(&'a self, request: &'a HttpRequest) -> Local<'a, Result<HttpResponse, TransportError>> {
        Box::pin(self.send_once(request))
    }
}

fn tls() -> Result<rustls::ClientConfig, String> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider);
    let builder =
        builder.with_safe_default_protocol_versions().map_err(|e| format!("TLS cannot be set up: {e}"))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Only a connection that never came about is sure not to have carried the request.
fn lost_or_not_sent(error: &reqwest::Error) -> TransportError {
    if error.is_connect() || error.is_builder() {
        TransportError::NotSent(why(error))
    } else {
        TransportError::Lost(why(error))
    }
}

/// The innermost cause, which unlike the outer text holds no address.
fn why(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    let mut text = "the request failed".to_owned();
    while let Some(inner) = cause {
        text = inner.to_string();
        cause = inner.source();
    }
    if error.is_connect() { format!("no connection: {text}") } else { text }
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    fn ticks_ms(&self) -> u64 {
        // Where it begins does not matter: only differences are asked for, within one process.
        static BEGAN: OnceLock<Instant> = OnceLock::new();
        u64::try_from(BEGAN.get_or_init(Instant::now).elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn sleep(&self, ms: u64) -> Local<'_, ()> {
        Box::pin(tokio::time::sleep(Duration::from_millis(ms)))
    }
}

/// Randomness seeded by the machine; for jitter, not for secrets.
#[derive(Debug)]
pub struct SystemRandom(Cell<u64>);

impl Default for SystemRandom {
    fn default() -> Self {
        SystemRandom(Cell::new(std::collections::hash_map::RandomState::new().build_hasher().finish()))
    }
}

impl Random for SystemRandom {
    fn next_u64(&self) -> u64 {
        // SplitMix64.
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    fn request(url: String, timeout_ms: u64) -> HttpRequest {
        let headers = vec![("content-type", "application/json".to_owned())];
        HttpRequest { method: "POST", url, headers, body: b"{}".to_vec(), timeout_ms }
    }

    fn run(request: &HttpRequest) -> Result<HttpResponse, TransportError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { HttpTransport::new().unwrap().send(request).await })
    }

    /// A server that reads one request, answers `reply` and closes.
    fn serve(reply: &'static [u8]) -> (String, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/rest/1/s3cr3t/x", listener.local_addr().unwrap());
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut seen = vec![0; 4096];
            let n = stream.read(&mut seen).unwrap();
            stream.write_all(reply).unwrap();
            if reply.is_empty() {
                std::thread::sleep(Duration::from_millis(300));
            }
            String::from_utf8_lossy(&seen[..n]).into_owned()
        });
        (url, thread)
    }

    #[test]
    fn an_answer_comes_back_whole() {
        let (url, server) =
            serve(b"HTTP/1.1 302 Found\r\nLocation: https://x/\r\nContent-Length: 2\r\n\r\nhi");
        let response = run(&request(url, 5000)).unwrap();
        assert_eq!((response.status, response.body.as_slice()), (302, b"hi".as_slice()));
        assert_eq!(response.header("location"), Some("https://x/"), "redirects are not followed");
        let seen = server.join().unwrap().to_lowercase();
        assert!(seen.contains(concat!("user-agent: b2n/", env!("CARGO_PKG_VERSION"))), "{seen}");
        assert!(seen.contains("accept-encoding: gzip") && !seen.contains("referer"), "{seen}");
    }

    #[test]
    fn what_may_have_left_is_lost() {
        let (url, _server) = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"cut");
        assert!(matches!(run(&request(url, 5000)), Err(TransportError::Lost(_))));
        let (url, _server) = serve(b"");
        let lost = run(&request(url, 100)).unwrap_err();
        assert_eq!(lost, TransportError::Lost("no answer in time".to_owned()));
        assert!(!format!("{lost:?}").contains("s3cr3t"));
    }

    #[test]
    fn what_never_left_is_not_sent() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        for url in [
            format!("http://127.0.0.1:{port}/rest/1/s3cr3t/"),
            "http://192.0.2.1/rest/1/s3cr3t/".to_owned(),
            "https://portal.invalid/rest/1/s3cr3t/".to_owned(),
            "s3cr3t".to_owned(),
        ] {
            let error = run(&request(url, 5000)).unwrap_err();
            assert!(matches!(error, TransportError::NotSent(_)), "{error:?}");
            assert!(!format!("{error:?}").contains("s3cr3t"), "{error:?}");
        }
    }

    #[test]
    fn randomness_moves() {
        let random = SystemRandom::default();
        assert_ne!(random.next_u64(), random.next_u64());
        assert!(SystemClock.now_ms() > 1_700_000_000_000);
    }
}
