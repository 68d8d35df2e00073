//! The server of the page, on loopback alone.
//!
//! The address holds a random token. The page is given out for the token in its address, and everything else for the
//! token in a header: a cookie would go to every other server of this machine too, since cookies know no ports, and a
//! header is one that no page of another site can send. Host and Origin are checked beside it. A connection carries one
//! request and lives for a minute at most.
//!
//! The workspace is opened for as long as something is read or kept, and no longer: other commands go on beside the
//! page. A word is answered once it is on the disk.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use rustls::crypto::ring;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::lang::plan::Plan;
use crate::run::workspace::{Error, Kept, Said, Word, Workspace};

use super::books::{self, Books};
use super::{Sheet, page, words};

/// The header that carries the token.
pub const TOKEN: &str = "x-b2n-token";

/// The largest request body, in bytes: a comment of the greatest length fits in it, escaped.
const MAX_BODY: usize = 64 * 1024;

/// How long a connection lives.
const LIFE: Duration = Duration::from_secs(60);

/// How long a body may take.
const BODY_TIME: Duration = Duration::from_secs(10);

/// Connections at once; further ones wait.
const CONNECTIONS: usize = 64;

/// How long a word waits for another command to let go of the workspace.
const PATIENCE: Duration = Duration::from_secs(3);

/// A text that nobody can guess: 32 random bytes, in hexadecimal digits.
///
/// # Errors
/// A system that gives no randomness.
pub fn token() -> Result<String, String> {
    let mut bytes = [0u8; 32];
    let random = ring::default_provider().secure_random;
    random.fill(&mut bytes).map_err(|_| "the system gives no randomness".to_owned())?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// What the server serves.
pub struct Desk {
    sheet: Sheet,
    plan: Plan,
    /// The spec's name, for exports.
    spec: String,
    workspace: PathBuf,
    /// Who reviews, where the command named them.
    person: String,
    token: String,
    port: u16,
    /// One word after the other.
    turn: Mutex<()>,
}

/// A request, read.
pub struct Asked {
    /// `GET`, `POST`.
    pub method: String,
    /// The path.
    pub path: String,
    /// What stands behind `?`.
    pub query: String,
    /// Host, Origin, token and the like.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    kind: &'static str,
    body: Vec<u8>,
    policy: Option<String>,
    name: Option<&'static str>,
}

impl Reply {
    fn json(status: u16, body: &Value) -> Reply {
        let kind = "application/json; charset=utf-8";
        Reply { status, kind, body: body.to_string().into_bytes(), policy: None, name: None }
    }

    fn refused(status: u16, why: &str) -> Reply {
        Reply::json(status, &json!({"error": why}))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// What a person says of a record, as the page sends it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    map: String,
    key: String,
    seen: u64,
    by: String,
    digest: String,
    #[serde(rename = "do")]
    what: What,
    #[serde(default)]
    field: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    comment: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum What {
    Tick,
    Reopen,
    Comment,
    Settle,
    Unsettle,
}

impl Desk {
    /// A desk with what is shown, and the workspace that keeps what is said.
    pub fn new(
        sheet: Sheet,
        plan: Plan,
        spec: String,
        workspace: PathBuf,
        person: String,
        token: String,
        port: u16,
    ) -> Desk {
        Desk { sheet, plan, spec, workspace, person, token, port, turn: Mutex::new(()) }
    }

    /// The address to open.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}/?token={}", self.port, self.token)
    }

    /// Answers a request.
    pub fn reply(&self, asked: &Asked) -> Reply {
        if !self.is_ours(&asked.headers) {
            return Reply::refused(403, "this server answers its own page on this machine only");
        }
        let get = match asked.method.as_str() {
            "GET" => true,
            "POST" => false,
            _ => return Reply::refused(405, "this server knows GET and POST only"),
        };
        if get && asked.path == "/favicon.ico" {
            // Browsers ask for it by themselves; there is none.
            return Reply { status: 204, kind: "text/plain", body: Vec::new(), policy: None, name: None };
        }
        let known = ["/", "/api/head", "/api/records", "/api/said", "/api/export", "/api/say"];
        if !known.contains(&asked.path.as_str()) {
            return Reply::refused(404, "there is no such page; open the address that `b2n review` printed");
        }
        if get == (asked.path == "/api/say") {
            return Reply::refused(405, "this address is asked in another way");
        }
        let given = match asked.path.as_str() {
            "/" => parameter(&asked.query, "token"),
            _ => asked.headers.get(TOKEN).and_then(|value| value.to_str().ok()),
        };
        // Equality of hashes takes the same time whatever is given.
        if blake3::hash(given.unwrap_or_default().as_bytes()) != blake3::hash(self.token.as_bytes()) {
            return Reply::refused(
                403,
                "the token is missing or of an earlier start; open the address that `b2n review` printed",
            );
        }
        match asked.path.as_str() {
            "/" => self.page(),
            "/api/head" => {
                let mut head = self.sheet.head().clone();
                head["person"] = json!(self.person);
                // Other commands go on beside the page, and may have written since it was made.
                head["books"] = match self.with(|workspace| Books::of(&self.plan, workspace)) {
                    Ok(books) => books.json(),
                    Err(_) => books::in_use(),
                };
                Reply::json(200, &head)
            }
            "/api/records" => match parameter(&asked.query, "from").and_then(|from| from.parse().ok()) {
                Some(from) => Reply::json(200, &self.sheet.chunk(from)),
                None => Reply::refused(400, "`from` is a number"),
            },
            "/api/said" => self.told(|workspace| Ok(all(&workspace.said()?, &workspace.revisions()?))),
            "/api/export" => self.export(),
            _ => self.say(asked),
        }
    }

    fn page(&self) -> Reply {
        let Ok(nonce) = token() else { return Reply::refused(500, "the system gives no randomness") };
        Reply {
            status: 200,
            kind: "text/html; charset=utf-8",
            body: page::served(&nonce).into_bytes(),
            policy: Some(page::policy(&nonce)),
            name: None,
        }
    }

    fn export(&self) -> Reply {
        match self.with(Workspace::said) {
            Ok(said) => {
                let now = jiff::Timestamp::now().as_millisecond();
                let text = words::export(&self.sheet.plan, &self.spec, &said, now);
                let kind = "application/json; charset=utf-8";
                Reply {
                    status: 200,
                    kind,
                    body: text.into_bytes(),
                    policy: None,
                    name: Some("b2n-review.json"),
                }
            }
            Err(error) => busy(&error),
        }
    }

    fn say(&self, asked: &Asked) -> Reply {
        let kind =
            asked.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !kind.starts_with("application/json") {
            return Reply::refused(415, "a word is sent as JSON");
        }
        let sent: Sent = match serde_json::from_slice(&asked.body) {
            Ok(sent) => sent,
            Err(why) => return Reply::refused(400, &format!("the request cannot be read: {why}")),
        };
        let Some(digest) = self.sheet.digest(&sent.map, &sent.key) else {
            return Reply::refused(404, "no such record is shown; load the page again");
        };
        if digest != sent.digest {
            return Reply::refused(409, "what is shown of this record has changed; load the page again");
        }
        let read = words::person(&sent.by).and_then(|person| Ok((person, self.word(&sent)?)));
        let (person, word) = match read {
            Ok(read) => read,
            Err(why) => return Reply::refused(400, &why),
        };
        let now = jiff::Timestamp::now().as_millisecond();
        let record = (sent.map.as_str(), sent.key.as_str());
        let kept = self.with(|workspace| {
            let kept = workspace.say(record, sent.seen, &person, digest, &word, now)?;
            Ok((kept, workspace.said_of(record.0, record.1)?))
        });
        match kept {
            Ok((kept, (said, revision))) => {
                let mut told = all(&said, &[(sent.map.clone(), sent.key.clone(), revision)]);
                let status = match kept {
                    Kept::Saved(_) => 200,
                    Kept::Overtaken(_) => {
                        told["error"] = json!(
                            "somebody said something of this record in another window; it is shown now: look again"
                        );
                        409
                    }
                    Kept::NoSuchComment => {
                        told["error"] = json!("there is no such comment on this record");
                        409
                    }
                };
                Reply::json(status, &told)
            }
            Err(error) => busy(&error),
        }
    }

    fn word(&self, sent: &Sent) -> Result<Word, String> {
        Ok(match sent.what {
            What::Tick => Word::Tick,
            What::Reopen => Word::Reopen,
            What::Comment => {
                if sent.field.len() > 1_000 {
                    return Err("the name of the field is too long".to_owned());
                }
                let mut id = token()?;
                id.truncate(24);
                Word::Comment { id, field: sent.field.clone(), text: words::comment(&sent.text)? }
            }
            What::Settle | What::Unsettle => {
                words::id(&sent.comment)?;
                Word::Turn { id: sent.comment.clone(), open: matches!(sent.what, What::Unsettle) }
            }
        })
    }

    fn told(&self, work: impl Fn(&Workspace) -> Result<Value, Error>) -> Reply {
        match self.with(work) {
            Ok(told) => Reply::json(200, &told),
            Err(error) => busy(&error),
        }
    }

    /// Opens the workspace for one thing; waits a little where another command has it.
    fn with<T>(&self, work: impl Fn(&Workspace) -> Result<T, Error>) -> Result<T, Error> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = Instant::now();
        loop {
            match Workspace::open_existing(&self.workspace) {
                Ok(workspace) => {
                    workspace.refuse_forgotten()?;
                    return work(&workspace);
                }
                Err(Error::Locked { .. }) if begun.elapsed() < PATIENCE => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether the request names this server, and comes from no page but its own.
    fn is_ours(&self, headers: &HeaderMap) -> bool {
        let names = [format!("127.0.0.1:{}", self.port), format!("localhost:{}", self.port)];
        let text = |name: &str| headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default());
        let mut hosts = text("host");
        let host = hosts.next();
        host.is_some_and(|host| names.iter().any(|name| name == host))
            && hosts.next().is_none()
            && text("origin").all(|origin| names.iter().any(|name| origin == format!("http://{name}")))
            && text("sec-fetch-site").all(|site| matches!(site, "same-origin" | "none"))
    }
}

/// Everything that was said, with the revisions of records.
fn all(said: &Said, revisions: &[(String, String, u64)]) -> Value {
    let marks = said.marks.iter().map(|mark| {
        json!({
            "map": mark.map, "key": mark.key, "by": mark.person, "at_ms": mark.at_ms, "ticked": mark.ticked,
            "digest": mark.digest,
        })
    });
    let comments = said.comments.iter().map(|one| {
        json!({
            "id": one.id, "map": one.map, "key": one.key, "field": one.field, "by": one.person, "text": one.text,
            "made_ms": one.made_ms, "open": one.open, "turned_by": one.turned_by, "turned_ms": one.turned_ms,
        })
    });
    let revisions = revisions.iter().map(|(map, key, number)| json!([map, key, number]));
    json!({
        "marks": marks.collect::<Vec<_>>(), "comments": comments.collect::<Vec<_>>(),
        "revisions": revisions.collect::<Vec<_>>(),
    })
}

fn busy(error: &Error) -> Reply {
    let status = if matches!(error, Error::Locked { .. }) { 503 } else { 500 };
    Reply::refused(status, &error.to_string())
}

fn parameter<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// A port that is taken.
#[derive(Debug)]
pub struct Listening {
    listener: TcpListener,
    /// Where.
    pub address: SocketAddr,
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
    /// Answers until the task is dropped.
    ///
    /// # Errors
    /// A listener that fails.
    pub async fn serve(self, desk: Arc<Desk>) -> std::io::Result<()> {
        let app = axum::Router::new().fallback(move |request: axum::extract::Request| {
            let desk = Arc::clone(&desk);
            async move { answer(request, desk).await }
        });
        let Listening { listener, address } = self;
        let doors = Doors { listener, address, free: Arc::new(Semaphore::new(CONNECTIONS)) };
        axum::serve(doors, app).await
    }
}

async fn answer(request: axum::extract::Request, desk: Arc<Desk>) -> Response {
    let (head, body) = request.into_parts();
    let reply = match tokio::time::timeout(BODY_TIME, to_bytes(body, MAX_BODY)).await {
        Err(_) => Reply::refused(408, "the request took too long"),
        Ok(Err(_)) => Reply::refused(413, "the request is too large"),
        Ok(Ok(body)) => {
            let asked = Asked {
                method: head.method.as_str().to_owned(),
                path: head.uri.path().to_owned(),
                query: head.uri.query().unwrap_or_default().to_owned(),
                headers: head.headers,
                body: body.to_vec(),
            };
            let done = tokio::task::spawn_blocking(move || desk.reply(&asked)).await;
            done.unwrap_or_else(|_| Reply::refused(500, "the request could not be answered"))
        }
    };
    let mut answer = Response::new(Body::from(reply.body));
    *answer.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = answer.headers_mut();
    for (name, value) in [
        ("content-type", reply.kind),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("connection", "close"),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    let policy = reply.policy.unwrap_or_else(|| "default-src 'none'; frame-ancestors 'none'".to_owned());
    if let Ok(policy) = HeaderValue::try_from(policy) {
        headers.insert("content-security-policy", policy);
    }
    if let Some(name) = reply.name
        && let Ok(value) = HeaderValue::try_from(format!("attachment; filename=\"{name}\""))
    {
        headers.insert("content-disposition", value);
    }
    answer
}

/// Hands out as many connections at once as there may be.
struct Doors {
    listener: TcpListener,
    address: SocketAddr,
    free: Arc<Semaphore>,
}

impl axum::serve::Listener for Doors {
    type Io = Visit;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Visit, SocketAddr) {
        loop {
            let Ok(place) = Arc::clone(&self.free).acquire_owned().await else {
                // Nobody closes it.
                std::future::pending::<()>().await;
                continue;
            };
            match self.listener.accept().await {
                Ok((stream, from)) => {
                    let end = Box::pin(tokio::time::sleep(LIFE));
                    return (Visit { stream, end, _place: place }, from);
                }
                // Out of descriptors, say: the next connection may do better.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// A connection that ends after a while, whatever its other side does.
struct Visit {
    stream: TcpStream,
    end: Pin<Box<tokio::time::Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl Visit {
    fn over(&mut self, context: &mut Context<'_>) -> Option<std::io::Error> {
        let over = self.end.as_mut().poll(context).is_ready();
        over.then(|| std::io::Error::new(std::io::ErrorKind::TimedOut, "the connection took too long"))
    }
}

impl AsyncRead for Visit {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        match self.over(context) {
            Some(error) => Poll::Ready(Err(error)),
            None => Pin::new(&mut self.stream).poll_read(context, into),
        }
    }
}

impl AsyncWrite for Visit {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        match self.over(context) {
            Some(error) => Poll::Ready(Err(error)),
            None => Pin::new(&mut self.stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
