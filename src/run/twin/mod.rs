//! Both systems' APIs as in-memory servers with state, written from the reference sheets.
//!
//! INVARIANT: nothing here uses another room of this crate. A twin that shared code with the client it tests
//! would agree with the client's mistakes.

pub mod bitrix24;
pub mod nutshell;
pub mod serve;

/// One HTTP request as a twin sees it, whatever carried it.
#[derive(Clone, Debug)]
pub struct Request {
    /// The HTTP verb in upper case.
    pub method: String,
    /// The path without the query, percent-encoded as it was sent.
    pub path: String,
    /// The query without its question mark, possibly empty.
    pub query: String,
    /// Header names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as it was sent.
    pub body: Vec<u8>,
    /// The client's address: Bitrix24 limits requests per portal and address.
    pub client: String,
}

/// What a twin answers.
#[derive(Clone, Debug)]
pub struct Response {
    /// The HTTP status code.
    pub status: u16,
    /// Header names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, not necessarily JSON.
    pub body: Vec<u8>,
    /// How long the server worked, in milliseconds; whatever carries the answer waits this long.
    pub took_ms: u64,
}
