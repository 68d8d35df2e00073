//! What an answer means: envelopes of both APIs, their errors, and pages that are no JSON at all.
//!
//! The body is read first, whatever the HTTP status says, and the status counts only where the body tells nothing
//! (sheet §3.1). Knows nothing of records and sends nothing.

use serde_json::Value as Json;

use crate::run::connect::SendError;
use crate::run::connect::outside::{HttpResponse, TransportError};

/// Why a request has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It surely never reached the system.
    NotSent(String),
    /// It may have arrived: no answer, a server fault, a cut or foreign body.
    Lost(String),
    /// The system did nothing because it is too busy.
    Busy {
        /// How long it asked to be left alone, in milliseconds.
        after_ms: Option<u64>,
        why: String,
    },
    /// The credentials are wrong or lack a right.
    Denied(String),
    /// What was asked for is not there.
    Missing(String),
    /// The revision is out of date.
    Stale(String),
    /// It was understood and refused.
    Refused(String),
}

impl Fault {
    /// What it means for a write.
    pub(super) fn of_write(self) -> SendError {
        match self {
            Fault::NotSent(why) => SendError::NotSent(why),
            Fault::Lost(why) => SendError::Unknown(why),
            Fault::Busy { after_ms, why } => SendError::Busy { after_ms, why },
            Fault::Denied(why) => SendError::Denied(why),
            Fault::Stale(_) => SendError::Stale,
            Fault::Missing(why) | Fault::Refused(why) => SendError::Refused(why),
        }
    }
}

impl From<TransportError> for Fault {
    fn from(error: TransportError) -> Fault {
        match error {
            TransportError::NotSent(why) => Fault::NotSent(why),
            TransportError::Lost(why) => Fault::Lost(why),
        }
    }
}

/// The result of a call of the RPC API (sheet §3.1). A missing `result` is no result; `null` is one.
pub(super) fn rpc(response: &HttpResponse, id: &str) -> Result<Json, Fault> {
    let Some(mut body) = json(response) else { return Err(by_status(response, false)) };
    match body.get("error") {
        None | Some(Json::Null) => {}
        Some(error) => {
            let message = said(error.get("message").unwrap_or(error));
            let code = number(error.get("code").unwrap_or(&Json::Null));
            return Err(by_code(code, response, message));
        }
    }
    if !(200..300).contains(&response.status) {
        return Err(by_status(response, true));
    }
    // An answer to another request would be taken for this one's record.
    if body.get("id").is_some_and(|answered| !answered.is_null() && answered.as_str() != Some(id)) {
        return Err(Fault::Lost("an answer to another request".to_owned()));
    }
    match body.get_mut("result") {
        Some(result) => Ok(result.take()),
        None => Err(Fault::Lost("an answer without a result".to_owned())),
    }
}

/// The body of an answer of the REST API (sheet §3.2); `null` where a success has none.
pub(super) fn rest(response: &HttpResponse) -> Result<Json, Fault> {
    let body = json(response);
    if let Some(body) = &body
        && let Some(first) = body.get("errors").and_then(Json::as_array).and_then(|errors| errors.first())
    {
        let part = |key: &str| first.get(key).filter(|text| !text.is_null()).map(said);
        let parts: Vec<String> = [part("title"), part("detail")].into_iter().flatten().collect();
        let code = number(first.get("status").unwrap_or(&Json::Null)).or(Some(i64::from(response.status)));
        return Err(by_code(code, response, parts.join(": ")));
    }
    match response.status {
        200..=299 => match body {
            Some(body) => Ok(body),
            None if response.body.is_empty() => Ok(Json::Null),
            None => Err(Fault::Lost("a body that is no JSON".to_owned())),
        },
        // Unknown routes and ids and bad credentials are pages for people here (sheet §3.2).
        401 => Err(denied(response, "the credentials are not accepted".to_owned())),
        // Whether every plan includes REST is open (sheet §11.12).
        402 | 403 if body.is_none() => Err(Fault::Denied(format!(
            "HTTP {}: the account's plan may not include the REST API, which custom fields are made and found with: take \
             a plan that does, or give the key's user the right",
            response.status
        ))),
        404 => Err(Fault::Missing("HTTP 404".to_owned())),
        _ => Err(by_status(response, body.is_some())),
    }
}

/// The JSON of a body; other bodies, and such that were cut, give nothing.
fn json(response: &HttpResponse) -> Option<Json> {
    serde_json::from_slice(&response.body).ok()
}

/// Without an error in the body. Only JSON shows that the API itself has spoken.
fn by_status(response: &HttpResponse, is_json: bool) -> Fault {
    let message = if is_json { said_by(response) } else { format!("HTTP {}", response.status) };
    match response.status {
        401 => denied(response, message),
        429 => busy(response, message),
        400..=499 if is_json => by_code(Some(i64::from(response.status)), response, message),
        200..=299 if !is_json => Fault::Lost("a body that is no JSON".to_owned()),
        status if is_json => Fault::Lost(format!("HTTP {status}: {message}")),
        status => Fault::Lost(format!("HTTP {status} with a body that is no JSON")),
    }
}

/// With an error in the body: its code, which looks like an HTTP status, or one of JSON-RPC's.
fn by_code(code: Option<i64>, response: &HttpResponse, message: String) -> Fault {
    match code {
        Some(401 | 403) => denied(response, message),
        Some(404) => Fault::Missing(message),
        // A timeout says nothing of what became of the request; 425 asks for it again.
        Some(408 | 425) => Fault::Lost(message),
        Some(409) => Fault::Stale(message),
        Some(429) => busy(response, message),
        Some(400..=499) => Fault::Refused(message),
        // JSON-RPC: unparsable, invalid, no such method, invalid parameters.
        Some(-32700 | -32600 | -32601 | -32602) => Fault::Refused(message),
        Some(500..=599) | Some(-32768..=-32000) => Fault::Lost(message),
        // Codes that nobody documented: the status decides, if it says anything.
        _ => match response.status {
            401 | 403 => denied(response, message),
            404 => Fault::Missing(message),
            409 => Fault::Stale(message),
            429 => busy(response, message),
            400..=499 if !matches!(response.status, 408 | 425) => Fault::Refused(message),
            _ => Fault::Lost(message),
        },
    }
}

fn denied(response: &HttpResponse, message: String) -> Fault {
    let next = match response.status {
        403 => "the API key's user lacks a right",
        _ => {
            "check `B2N_NUTSHELL_USER` and `B2N_NUTSHELL_KEY`, and give `B2N_NUTSHELL_URL` where the account is on \
             another host than `app.nutshell.com`"
        }
    };
    Fault::Denied(format!("{message}: {next}"))
}

fn busy(response: &HttpResponse, why: String) -> Fault {
    Fault::Busy { after_ms: retry_after(response), why }
}

/// `Retry-After` in seconds. Its other form, a date, is left to the usual waiting.
fn retry_after(response: &HttpResponse) -> Option<u64> {
    let seconds: u64 = response.header("retry-after")?.trim().parse().ok()?;
    Some(seconds.min(3_600) * 1_000)
}

fn number(json: &Json) -> Option<i64> {
    json.as_i64().or_else(|| json.as_str()?.trim().parse().ok())
}

fn said_by(response: &HttpResponse) -> String {
    match json(response) {
        Some(body) => said(body.get("message").unwrap_or(&body)),
        None => format!("HTTP {}", response.status),
    }
}

/// The longest message that is repeated to people, in characters.
const LONGEST: usize = 300;

/// A message on one line and of a bounded length.
fn said(json: &Json) -> String {
    let text = json.as_str().map_or_else(|| json.to_string(), str::to_owned);
    let mut line = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    match line.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None if line.is_empty() => "no reason given".to_owned(),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn response(status: u16, body: &str) -> HttpResponse {
        HttpResponse { status, headers: Vec::new(), body: body.as_bytes().to_vec() }
    }

    fn of(status: u16, body: &str) -> &'static str {
        match rpc(&response(status, body), "1").map_err(Fault::of_write) {
            Ok(_) => "done",
            Err(SendError::NotSent(_)) => "not sent",
            Err(SendError::Busy { .. }) => "busy",
            Err(SendError::Refused(_)) => "refused",
            Err(SendError::Stale) => "stale",
            Err(SendError::Gone) => "gone",
            Err(SendError::Denied(_)) => "denied",
            Err(SendError::Unknown(_)) => "unknown",
        }
    }

    #[test]
    fn every_answer_to_a_write_means_one_thing() {
        let error = |code: i64| {
            format!(
                r#"{{"result":null,"id":"1","error":{{"code":{code},"message":"rev key is out-of-date"}}}}"#
            )
        };
        let html = "<!DOCTYPE html><h1>Oops!</h1>";
        for (status, body, meaning) in [
            // Both envelopes of a success, and the id of the call.
            (200, r#"{"result":{"id":3},"id":"1","error":null}"#.to_owned(), "done"),
            (200, r#"{"result":{"id":3},"id":"1","jsonrpc":"2.0"}"#.to_owned(), "done"),
            (200, r#"{"result":{"id":3},"id":"2"}"#.to_owned(), "unknown"),
            (200, r#"{"id":"1","jsonrpc":"2.0"}"#.to_owned(), "unknown"),
            (500, r#"{"result":{"id":3},"id":"1"}"#.to_owned(), "unknown"),
            // The status follows the error, or is always 200.
            (409, error(409), "stale"),
            (200, error(409), "stale"),
            (400, error(400), "refused"),
            (200, error(400), "refused"),
            (404, error(-32601), "refused"),
            (404, error(404), "refused"),
            (401, error(401), "denied"),
            (403, error(403), "denied"),
            (429, error(429), "busy"),
            (200, error(429), "busy"),
            (500, error(500), "unknown"),
            (200, error(500), "unknown"),
            (503, error(503), "unknown"),
            (200, error(-32603), "unknown"),
            (400, error(0), "refused"),
            (200, error(0), "unknown"),
            (408, error(408), "unknown"),
            // Bodies that are no envelope.
            (500, r#"{"code":500,"message":"Internal Server Error"}"#.to_owned(), "unknown"),
            (500, r#""Internal Error""#.to_owned(), "unknown"),
            (400, r#""Bad Request""#.to_owned(), "refused"),
            (200, r#""ok""#.to_owned(), "unknown"),
            (200, html.to_owned(), "unknown"),
            (400, html.to_owned(), "unknown"),
            (403, html.to_owned(), "unknown"),
            (404, html.to_owned(), "unknown"),
            (401, html.to_owned(), "denied"),
            (429, html.to_owned(), "busy"),
            (302, html.to_owned(), "unknown"),
            (502, html.to_owned(), "unknown"),
            (503, html.to_owned(), "unknown"),
            (504, String::new(), "unknown"),
            (200, String::new(), "unknown"),
            (200, r#"{"result":{"id":3},"#.to_owned(), "unknown"),
            (409, r#"{"result":null,"error":{"co"#.to_owned(), "unknown"),
        ] {
            assert_eq!(of(status, &body), meaning, "{status} {body}");
        }
    }

    #[test]
    fn rest_errors_are_found_in_every_form() {
        let of = |status: u16, body: &str| rest(&response(status, body));
        let listed =
            r#"{"meta":{},"accounts":[],"errors":[{"status":"400","title":"Invalid filter","detail":"x"}]}"#;
        assert_eq!(of(400, listed), Err(Fault::Refused("Invalid filter: x".to_owned())));
        assert_eq!(of(200, listed), Err(Fault::Refused("Invalid filter: x".to_owned())));
        assert!(matches!(of(404, "<!DOCTYPE html>"), Err(Fault::Missing(_))));
        assert!(matches!(of(401, "<!DOCTYPE html>"), Err(Fault::Denied(_))));
        assert!(matches!(of(200, "<!DOCTYPE html>"), Err(Fault::Lost(_))));
        assert!(matches!(of(500, r#""Internal Error""#), Err(Fault::Lost(_))));
        assert!(matches!(of(400, r#""a bare string""#), Err(Fault::Refused(_))));
        assert_eq!(of(204, ""), Ok(Json::Null));
        assert_eq!(of(200, "[]"), Ok(serde_json::json!([])));
        let mut busy = response(429, "");
        busy.headers.push(("retry-after".to_owned(), " 7 ".to_owned()));
        assert_eq!(rest(&busy), Err(Fault::Busy { after_ms: Some(7_000), why: "HTTP 429".to_owned() }));
    }

    #[test]
    fn the_documented_errors_are_understood() {
        for (name, expected) in [
            ("rpc.error.409.rev.json", Fault::Stale("rev key is out-of-date".to_owned())),
            ("rpc.error.409.rev.live.json", Fault::Stale("rev key is out-of-date".to_owned())),
            ("rpc.error.404.method.json", Fault::Refused("Method not found".to_owned())),
        ] {
            let Some(body) = super::super::testing::sample_text(name) else { return };
            for status in [200, 404, 409] {
                assert_eq!(rpc(&response(status, &body), "1"), Err(expected.clone()), "{name}");
            }
        }
        for (name, status) in
            [("rest.error.400.invalid-page.json", 400), ("rest.error.400.one-per-request.json", 400)]
        {
            let Some(body) = super::super::testing::sample_text(name) else { return };
            assert!(matches!(rest(&response(status, &body)), Err(Fault::Refused(_))), "{name}");
        }
        for (name, status) in [("rest.error.500.json", 500), ("rest.error.404.html", 500)] {
            let Some(body) = super::super::testing::sample_text(name) else { return };
            assert!(matches!(rest(&response(status, &body)), Err(Fault::Lost(_))), "{name}");
            assert!(matches!(rpc(&response(status, &body), "1"), Err(Fault::Lost(_))), "{name}");
        }
        let Some(body) = super::super::testing::sample_text("rpc.error.401.api-key.json") else { return };
        let Err(Fault::Denied(why)) = rpc(&response(401, &body), "1") else { panic!("{body}") };
        assert!(why.contains("API key not found") && why.contains("B2N_NUTSHELL_KEY"), "{why}");
    }

    proptest! {
        #[test]
        fn no_body_is_too_strange(status in 100u16..600, body in any::<Vec<u8>>()) {
            let response = HttpResponse { status, headers: Vec::new(), body };
            let _ = rpc(&response, "1");
            let _ = rest(&response);
        }

        #[test]
        fn a_cut_answer_is_never_a_refusal(at in 0usize..70) {
            let whole = r#"{"jsonrpc":"2.0","id":"1","error":{"code":409,"message":"rev key is"}}"#;
            prop_assert!(at < whole.len());
            let fault = rpc(&response(409, &whole[..at]), "1").unwrap_err();
            prop_assert!(matches!(fault, Fault::Lost(_)), "{:?}", fault);
        }
    }
}
