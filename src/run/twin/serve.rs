//! Puts a twin on a loopback port: the same answers as in process, over a real socket and in real time.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::Response as HttpResponse;
use tokio::net::TcpListener;

use super::{Request, Response};

/// A twin's front: a request and the time at which it arrives, Unix milliseconds.
pub type Serve = dyn Fn(&Request, i64) -> Response + Send + Sync;

/// The largest request body that is read, in bytes.
const MAX_BODY: usize = 64 * 1024 * 1024;

/// A twin that listens.
#[derive(Debug)]
pub struct Listening {
    /// Where.
    pub address: SocketAddr,
    listener: TcpListener,
}

/// Takes a loopback port; 0 takes any that is free.
///
/// # Errors
/// A port that is taken.
pub async fn listen(port: u16) -> std::io::Result<Listening> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    Ok(Listening { address: listener.local_addr()?, listener })
}

impl Listening {
    /// Answers until the task is dropped. With `instantly`, the twin's own time is not waited for.
    ///
    /// # Errors
    /// A listener that fails.
    pub async fn serve(self, twin: Arc<Serve>, instantly: bool) -> std::io::Result<()> {
        let port = self.address.port();
        let app = axum::Router::new().fallback(move |request: axum::extract::Request| {
            let twin = Arc::clone(&twin);
            async move { answer(request, twin, port, instantly).await }
        });
        axum::serve(self.listener, app).await
    }
}

async fn answer(
    request: axum::extract::Request,
    twin: Arc<Serve>,
    port: u16,
    instantly: bool,
) -> HttpResponse {
    let (head, body) = request.into_parts();
    if !is_loopback(&head.headers, &head.uri, port) || !is_own(&head.headers, port) {
        return plain(StatusCode::FORBIDDEN, "this server answers loopback clients only");
    }
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return plain(StatusCode::PAYLOAD_TOO_LARGE, "the request body is too large");
    };
    let request = Request {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head
            .headers
            .iter()
            .map(|(name, value)| {
                (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect(),
        body: body.to_vec(),
        client: Ipv4Addr::LOCALHOST.to_string(),
    };
    let now_ms =
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(0));
    let response = twin(&request, now_ms);
    if !instantly {
        tokio::time::sleep(Duration::from_millis(response.took_ms)).await;
    }
    let mut answer = HttpResponse::new(Body::from(response.body));
    *answer.status_mut() = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in response.headers {
        // A chunked or sized body is the server's business here.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value))
            && name != "content-length"
        {
            answer.headers_mut().insert(name, value);
        }
    }
    answer
}

/// A page in a browser must not reach the twin under a name of its own (DNS rebinding).
fn is_loopback(headers: &HeaderMap, uri: &Uri, port: u16) -> bool {
    let host =
        headers.get("host").and_then(|host| host.to_str().ok()).or(uri.authority().map(|a| a.as_str()));
    host.is_some_and(|host| names(port).iter().any(|ok| ok == host))
}

/// Nor may a page of another site send requests from a browser on this machine: browsers say where such a one comes
/// from, and other clients say nothing.
fn is_own(headers: &HeaderMap, port: u16) -> bool {
    let mut origins = headers.get_all("origin").iter();
    origins.all(|origin| names(port).iter().any(|ok| *origin == format!("http://{ok}")))
}

/// What this server may be called.
fn names(port: u16) -> [String; 3] {
    [format!("127.0.0.1:{port}"), format!("localhost:{port}"), format!("[::1]:{port}")]
}

fn plain(status: StatusCode, text: &'static str) -> HttpResponse {
    let mut answer = HttpResponse::new(Body::from(text));
    *answer.status_mut() = status;
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn only_loopback_names_and_pages_of_its_own_reach_a_twin() {
        let uri = Uri::from_static("/rest");
        for (host, reaches) in [
            ("127.0.0.1:8024", true),
            ("localhost:8024", true),
            ("[::1]:8024", true),
            ("127.0.0.1:8025", false),
            ("127.0.0.1", false),
            ("evil.example:8024", false),
            ("127.0.0.1:8024.evil.example", false),
        ] {
            assert_eq!(is_loopback(&headers(&[("host", host)]), &uri, 8024), reaches, "{host}");
        }
        assert!(!is_loopback(&headers(&[]), &uri, 8024));
        assert!(is_own(&headers(&[]), 8024), "no browser");
        for (origin, reaches) in [
            ("http://127.0.0.1:8024", true),
            ("http://localhost:8024", true),
            ("https://evil.example", false),
            ("http://127.0.0.1:9", false),
            ("null", false),
        ] {
            assert_eq!(is_own(&headers(&[("origin", origin)]), 8024), reaches, "{origin}");
        }
    }
}
