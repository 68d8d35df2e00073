//! From bytes to a method call and back: paths, encodings, envelopes (sheet 1.1, 1.2, 1.5).

use serde_json::{Value, json};

use super::super::{Request, Response};
use super::methods::{Failure, iso};
use super::php::{Php, insert_bracketed, parse_query, percent_decode};
use super::settings::Settings;

/// Where a request goes.
#[derive(Debug, PartialEq)]
pub(super) struct Route {
    /// Webhook user and secret, when the path carries them.
    pub(super) credentials: Option<(String, String)>,
    /// The method in lower case, without suffix.
    pub(super) method: String,
}

impl Route {
    /// To what is no method, by the name under which faults know it.
    pub(super) fn of(name: &str) -> Route {
        Route { credentials: None, method: name.to_owned() }
    }
}

/// Reads `/rest/{user}/{secret}/{method}[.json][/]` or `/rest/{method}`; `None` is no REST address.
pub(super) fn route(path: &str) -> Option<Route> {
    let parts: Vec<String> = path.split('/').filter(|p| !p.is_empty()).map(percent_decode).collect();
    let (credentials, method) = match parts.as_slice() {
        [rest, method] if rest == "rest" => (None, method.as_str()),
        [rest, user, secret] if rest == "rest" => (Some((user.clone(), secret.clone())), ""),
        [rest, user, secret, method] if rest == "rest" => {
            (Some((user.clone(), secret.clone())), method.as_str())
        }
        _ => return None,
    };
    let method = method.to_lowercase();
    let method = method.strip_suffix(".json").unwrap_or(&method).to_owned();
    Some(Route { credentials, method })
}

/// The parameters of query and body together; the body wins.
pub(super) fn arguments(req: &Request) -> Php {
    let mut args = parse_query(&req.query);
    let kind = req.headers.iter().find(|(k, _)| k == "content-type").map_or("", |(_, v)| v.as_str());
    let lower = kind.to_lowercase();
    let body = if lower.contains("json") {
        serde_json::from_slice(&req.body).unwrap_or(Php::Null)
    } else if lower.starts_with("multipart/form-data") {
        multipart(kind, &String::from_utf8_lossy(&req.body))
    } else {
        parse_query(&String::from_utf8_lossy(&req.body))
    };
    for (key, value) in body.entries() {
        args.set(key, value.clone());
    }
    args
}

/// Reads the text parts of a multipart form.
fn multipart(kind: &str, body: &str) -> Php {
    let mut tree = Php::empty();
    let Some((_, boundary)) = kind.split_once("boundary=") else {
        return tree;
    };
    let boundary = boundary.split(';').next().unwrap_or("").trim().trim_matches('"');
    if boundary.is_empty() {
        return tree;
    }
    for part in body.split(&format!("--{boundary}")) {
        let Some((head, value)) = part.split_once("\r\n\r\n") else {
            continue;
        };
        let Some((_, name)) = head.split_once("name=\"") else {
            continue;
        };
        let Some((name, _)) = name.split_once('"') else {
            continue;
        };
        let value = value.strip_suffix("\r\n").unwrap_or(value);
        insert_bracketed(&mut tree, name, Php::Str(value.to_owned()));
    }
    tree
}

/// What the server measured about one call.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Timing {
    pub(super) start_ms: i64,
    pub(super) duration_ms: f64,
    pub(super) processing_ms: f64,
    /// Seconds in the method's window and the second of its reset; `None` where nothing is counted.
    pub(super) operating: Option<(f64, i64)>,
}

/// The `time` object (sheet 1.5).
pub(super) fn time(timing: &Timing, settings: &Settings) -> Value {
    let offset = super::methods::offset_of(settings);
    let finish = timing.start_ms as f64 + timing.duration_ms;
    let mut out = json!({
        "start": timing.start_ms as f64 / 1000.0,
        "finish": finish / 1000.0,
        "duration": timing.duration_ms / 1000.0,
        "processing": timing.processing_ms / 1000.0,
        "date_start": iso(timing.start_ms, offset),
        "date_finish": iso(finish as i64, offset),
    });
    if let (Some((sum, reset)), true) = (timing.operating, settings.dialects.operating_shown) {
        out["operating"] = json!(sum);
        out["operating_reset_at"] = json!(reset);
    }
    out
}

/// A JSON answer.
pub(super) fn answer(status: u16, body: &Value, took_ms: f64) -> Response {
    let headers = vec![
        ("content-type".to_owned(), "application/json; charset=utf-8".to_owned()),
        ("x-bitrix-rest-time".to_owned(), format!("{:.10}", took_ms / 1000.0)),
    ];
    Response { status, headers, body: body.to_string().into_bytes(), took_ms: took_ms.ceil() as u64 }
}

/// An error answer: no `time`, no `result`.
pub(super) fn failure(failure: &Failure, took_ms: f64) -> Response {
    answer(failure.status, &failure.body(), took_ms)
}

/// What the web server in front says by itself.
pub(super) fn html(status: u16, took_ms: f64) -> Response {
    let title = match status {
        302 => "302 Found",
        403 => "403 Forbidden",
        404 => "404 Not Found",
        502 => "502 Bad Gateway",
        504 => "504 Gateway Time-out",
        _ => "500 Internal Server Error",
    };
    let page = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
    );
    let headers = vec![("content-type".to_owned(), "text/html".to_owned())];
    Response { status, headers, body: page.into_bytes(), took_ms: took_ms.ceil() as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sheet_1_1_paths() {
        let hook = |m: &str| Some(Route { credentials: Some(("1".into(), "s".into())), method: m.into() });
        for path in [
            "/rest/1/s/crm.deal.list",
            "/rest/1/s/crm.deal.list.json",
            "/rest/1/s/CRM.Deal.List/",
            "/rest/1/s/crm.deal.list.json/",
        ] {
            assert_eq!(route(path), hook("crm.deal.list"), "{path}");
        }
        assert_eq!(route("/rest/profile"), Some(Route { credentials: None, method: "profile".into() }));
        assert_eq!(route("/rest/1/s/"), hook(""));
        assert_eq!(route("/other"), None);
        assert_eq!(route("/rest/a/b/c/d"), None);
    }

    fn request(kind: &str, query: &str, body: &str) -> Request {
        Request {
            method: "POST".into(),
            path: String::new(),
            query: query.into(),
            headers: vec![("content-type".into(), kind.into())],
            body: body.into(),
            client: String::new(),
        }
    }

    #[test]
    fn sheet_1_2_every_encoding_says_the_same() {
        let form = arguments(&request(
            "application/x-www-form-urlencoded",
            "start=0",
            "filter%5B%3EID%5D=10&start=50",
        ));
        let json = arguments(&request("application/json", "", r#"{"start":"50","filter":{">ID":"10"}}"#));
        let parts = "--x\r\nContent-Disposition: form-data; name=\"start\"\r\n\r\n50\r\n--x\r\nContent-Disposition: form-data; name=\"filter[>ID]\"\r\n\r\n10\r\n--x--\r\n";
        let multi = arguments(&request("multipart/form-data; boundary=x", "", parts));
        assert_eq!(form.to_json(), json.to_json());
        assert_eq!(multi.to_json(), json.to_json());
        assert_eq!(arguments(&request("application/json", "a=1", "{broken")).to_json(), json!({"a": "1"}));
    }
}
