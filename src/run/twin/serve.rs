//! Puts a twin on a loopback port: the same answers as in process, over a real socket and in real time.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::Response as HttpResponse;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::server::TlsStream;

use super::{Request, Response};

/// A twin's front: a request and the time at which it arrives, Unix milliseconds.
pub type Serve = dyn Fn(&Request, i64) -> Response + Send + Sync;

/// The largest request body that is read, in bytes.
const MAX_BODY: usize = 64 * 1024 * 1024;

/// How long a client may take over its greeting.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// A twin that listens.
#[derive(Debug)]
pub struct Listening {
    /// Where.
    pub address: SocketAddr,
    listener: TcpListener,
}

/// What a twin shows to clients that insist on https: a certificate and its key.
#[derive(Clone)]
pub struct Certificate(TlsAcceptor);

impl Certificate {
    /// Reads a chain of certificates and a private key, both PEM.
    ///
    /// # Errors
    /// A file that holds none, or a key that does not belong to the certificate; says which.
    pub fn read(chain: &[u8], key: &[u8]) -> Result<Self, String> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .map_err(|error| format!("the certificate cannot be read: {error}"))?;
        if chain.is_empty() {
            return Err("the file holds no certificate".into());
        }
        let key =
            PrivateKeyDer::from_pem_slice(key).map_err(|error| format!("the key cannot be read: {error}"))?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|error| format!("the certificate and the key do not fit: {error}"))?;
        Ok(Certificate(TlsAcceptor::from(Arc::new(config))))
    }
}

/// Hands out connections that have greeted; a slow greeting holds up no other.
struct Greeted {
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    address: SocketAddr,
}

impl Greeted {
    fn new(listener: TcpListener, address: SocketAddr, certificate: Certificate) -> Self {
        let (send, ready) = mpsc::channel(64);
        tokio::spawn(async move {
            while !send.is_closed() {
                let Ok((stream, from)) = listener.accept().await else {
                    // Out of descriptors, say: the next connection may do better.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                };
                let (send, acceptor) = (send.clone(), certificate.0.clone());
                tokio::spawn(async move {
                    if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                        // Nobody listens any more when this fails.
                        let _ = send.send((stream, from)).await;
                    }
                });
            }
        });
        Greeted { ready, address }
    }
}

impl axum::serve::Listener for Greeted {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(ready) => ready,
            // The task above ends with its receiver only.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        Ok(self.address)
    }
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
    /// Answers until the task is dropped, over https where there is a certificate. With `instantly`, the twin's own
    /// time is not waited for.
    ///
    /// # Errors
    /// A listener that fails.
    pub async fn serve(
        self,
        twin: Arc<Serve>,
        instantly: bool,
        certificate: Option<Certificate>,
    ) -> std::io::Result<()> {
        let port = self.address.port();
        let app = axum::Router::new().fallback(move |request: axum::extract::Request| {
            let twin = Arc::clone(&twin);
            async move { answer(request, twin, port, instantly).await }
        });
        match certificate {
            Some(certificate) => {
                axum::serve(Greeted::new(self.listener, self.address, certificate), app).await
            }
            None => axum::serve(self.listener, app).await,
        }
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
    origins.all(|origin| {
        let text = origin.to_str().unwrap_or_default();
        let host = text.strip_prefix("http://").or(text.strip_prefix("https://"));
        host.is_some_and(|host| names(port).iter().any(|ok| ok == host))
    })
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
            ("https://localhost:8024", true),
            ("https://evil.example", false),
            ("http://127.0.0.1:9", false),
            ("null", false),
        ] {
            assert_eq!(is_own(&headers(&[("origin", origin)]), 8024), reaches, "{origin}");
        }
    }
}
