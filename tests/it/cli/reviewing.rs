//! The review page's server over real sockets, its file, and what an approval takes from it.

use std::io::Read;
use std::net::TcpStream;

use serde_json::{Value as Json, json};

use super::*;

/// A running `b2n review`, ended with the test.
struct Page {
    child: Child,
    port: u16,
    token: String,
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Page {
    fn start(spec: &Path, args: &[&str]) -> Page {
        let mut command = b2n();
        command.arg("review").arg(spec).args(["--format", "json"]).args(args);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the page starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
        let told: Json = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(told["format"], "b2n-review-page/1");
        let address = told["address"].as_str().expect("an address");
        let (host, token) = address.split_once("/?token=").expect("a token");
        let port = host.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        assert!(host.starts_with("http://127.0.0.1:"), "{address}");
        Page { child, port, token: token.to_owned() }
    }

    /// Sends bytes as they are, and gives status, head and body.
    fn raw(&self, request: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("connects");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("sets");
        // A refusal may come before everything is sent.
        let _ = stream.write_all(request.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        (status, head.to_lowercase(), body.to_owned())
    }

    fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String, String) {
        let (port, length) = (self.port, body.len());
        self.raw(&format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        ))
    }

    fn authorised(&self) -> String {
        format!("X-B2N-Token: {}\r\n", self.token)
    }

    fn get(&self, path: &str) -> Json {
        let (status, head, body) = self.ask("GET", path, &self.authorised(), "");
        assert_eq!(status, 200, "{head}\n{body}");
        serde_json::from_str(&chunks(&head, &body)).unwrap_or_else(|error| panic!("{error}: {body}"))
    }

    fn say(&self, word: &Json) -> (u16, Json) {
        let headers = format!("{}Content-Type: application/json\r\n", self.authorised());
        let (status, head, body) = self.ask("POST", "/api/say", &headers, &word.to_string());
        (
            status,
            serde_json::from_str(&chunks(&head, &body)).unwrap_or_else(|error| panic!("{error}: {body}")),
        )
    }

    fn records(&self) -> Vec<Json> {
        let head = self.get("/api/head");
        let mut all = Vec::new();
        while (all.len() as u64) < head["records"].as_u64().expect("a number") {
            let chunk = self.get(&format!("/api/records?from={}", all.len()));
            let records = chunk["records"].as_array().expect("records").clone();
            assert!(!records.is_empty());
            all.extend(records.into_iter().map(|mut record| {
                let map = record["map"].as_u64().expect("a number") as usize;
                record["map"] = head["maps"][map]["name"].clone();
                record
            }));
        }
        all
    }
}

/// A body without the sizes of its pieces, where it came in pieces.
fn chunks(head: &str, body: &str) -> String {
    if !head.contains("transfer-encoding: chunked") {
        return body.to_owned();
    }
    let (mut whole, mut rest) = (String::new(), body);
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).expect("a size");
        whole.push_str(&after[..size]);
        rest = after[size..].trim_start_matches("\r\n");
        if size == 0 {
            break;
        }
    }
    whole
}

fn word(record: &Json, seen: u64, what: &str) -> Json {
    json!({
        "map": record["map"], "key": record["key"], "digest": record["digest"], "seen": seen, "by": "ann@acme.example",
        "do": what,
    })
}

fn staged() -> (tempfile::TempDir, PathBuf) {
    let twins = Twins::start(&["--scale", "0.02", "--seed", "3", "--unthrottled"]);
    let (folder, spec) = example();
    shows(&run(twins.b2n().arg("extract").arg(&spec)), 0, &[]);
    (folder, spec)
}

fn approve(spec: &Path, args: &[&str]) -> Ran {
    run(b2n().arg("approve").arg(spec).args(args))
}

const YES: [&str; 3] = ["--yes", "--by", "ann@acme.example"];

#[test]
fn the_page_is_for_its_own_address_and_token_only() {
    let (_folder, spec) = staged();
    shows(&run(b2n().arg("review").arg(&spec).args(["--per-object", "0"])), 2, &["--per-object"]);
    let page = Page::start(&spec, &["--per-object", "3", "--by", "ann@acme.example"]);
    let (port, token) = (page.port, page.token.clone());
    assert_eq!(token.len(), 64);
    let own = page.authorised();
    // The page itself.
    let (status, head, body) = page.ask("GET", &format!("/?token={token}"), "", "");
    assert_eq!(status, 200, "{head}");
    for part in [
        "content-security-policy: default-src 'none'; script-src 'nonce-",
        "require-trusted-types-for 'script'",
        "frame-ancestors 'none'",
        "x-content-type-options: nosniff",
        "referrer-policy: no-referrer",
        "cache-control: no-store",
    ] {
        assert!(head.contains(part), "{part}\n{head}");
    }
    assert!(!head.contains("set-cookie") && !body.contains(&token), "the token stays in the address");
    let nonce = |head: &str| {
        head.split("script-src 'nonce-").nth(1).and_then(|r| r.split('\'').next().map(str::to_owned))
    };
    let (_, again, _) = page.ask("GET", &format!("/?token={token}"), "", "");
    assert_ne!(nonce(&head), nonce(&again), "a nonce serves once");
    // Who is refused.
    let wrong = "0".repeat(64);
    for (what, method, path, headers, status) in [
        ("no token", "GET", "/", "", 403),
        ("a wrong token", "GET", &*format!("/?token={wrong}"), "", 403),
        ("half a token", "GET", &*format!("/?token={}", &token[..32]), "", 403),
        ("no header", "GET", "/api/head", "", 403),
        ("the token in the address of data", "GET", &*format!("/api/head?token={token}"), "", 403),
        ("a wrong header", "GET", "/api/said", &*format!("X-B2N-Token: {wrong}\r\n"), 403),
        ("another origin", "GET", "/api/said", &*format!("{own}Origin: https://evil.example\r\n"), 403),
        ("no origin", "GET", "/api/said", &*format!("{own}Origin: null\r\n"), 403),
        ("another port", "GET", "/api/said", &*format!("{own}Origin: http://127.0.0.1:1\r\n"), 403),
        ("another site", "GET", "/api/said", &*format!("{own}Sec-Fetch-Site: cross-site\r\n"), 403),
        ("two hosts", "GET", "/api/said", &*format!("{own}Host: evil.example\r\n"), 403),
        ("its own", "GET", "/api/said", &*format!("{own}Origin: http://localhost:{port}\r\n"), 200),
        ("another method", "DELETE", "/api/said", &*own, 405),
        ("a word as a question", "GET", "/api/say", &*own, 405),
        ("a question as a word", "POST", "/api/said", &*own, 405),
        ("another page", "GET", "/etc/passwd", &*own, 404),
        ("a page above", "GET", "/../x", &*own, 404),
        ("no number", "GET", "/api/records?from=x", &*own, 400),
        ("no JSON", "POST", "/api/say", &*own, 415),
    ] {
        let (found, _, body) = page.ask(method, path, headers, "");
        // The server below ours refuses two hosts in its own words.
        let found = if what == "two hosts" && found == 400 { 403 } else { found };
        assert_eq!(found, status, "{what}: {body}");
    }
    for host in ["evil.example", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.evil.example"] {
        let (status, ..) = page.raw(&format!("GET /?token={token} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(status, 403, "{host}");
    }
    let (status, ..) = page.raw("GET / HTTP/1.1\r\n\r\n");
    assert!(status == 403 || status == 400, "{status}");
    // Too much, nothing, and nonsense.
    let json = format!("{own}Content-Type: application/json\r\n");
    assert_eq!(page.ask("POST", "/api/say", &json, &"x".repeat(70_000)).0, 413);
    for body in ["", "{}", "[1", "\u{0}", "{\"map\":\"deal\",\"more\":1}"] {
        assert_eq!(page.ask("POST", "/api/say", &json, body).0, 400, "{body:?}");
    }
    // Somebody who says nothing holds up nobody.
    let idle: Vec<TcpStream> =
        (0..20).map(|_| TcpStream::connect(("127.0.0.1", port)).expect("connects")).collect();
    let mut slow = TcpStream::connect(("127.0.0.1", port)).expect("connects");
    slow.write_all(
        format!("POST /api/say HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 9\r\n\r\n{{").as_bytes(),
    )
    .expect("sends");
    assert_eq!(page.get("/api/said")["marks"], json!([]));
    drop((idle, slow));
}

#[test]
fn what_is_said_outlives_the_server_and_an_approval_says_it() {
    let (folder, spec) = staged();
    shows(&approve(&spec, &["--dry-run"]), 0, &["nobody has said anything of a record", "b2n review"]);
    let page = Page::start(&spec, &["--per-object", "2"]);
    let records = page.records();
    assert!(records.len() >= 6, "{}", records.len());
    let is_company = |record: &&Json| record["map"] == "company" && record["fields"][0]["field"] == "name";
    let named = |record: &&Json| is_company(record) && record["fields"][0]["kind"] == "exact";
    let first = records.iter().find(named).expect("a company that has a name");
    let second = records.iter().find(|record| record["map"] != "company" && record["fate"] == "written");
    let second = second.expect("another record");
    let (status, told) = page.say(&word(first, 0, "tick"));
    assert_eq!((status, &told["revisions"][0][2]), (200, &json!(1)), "{told}");
    // Another window that has not seen it.
    let (status, told) = page.say(&word(first, 0, "reopen"));
    assert_eq!((status, &told["marks"][0]["ticked"]), (409, &json!(true)), "{told}");
    assert!(told["error"].as_str().is_some_and(|why| why.contains("another window")), "{told}");
    for (change, why, status) in [
        (json!({"by": " "}), "nobody is named", 400),
        (json!({"by": "x".repeat(201)}), "at most", 400),
        (json!({"digest": "0"}), "load the page again", 409),
        (json!({"key": "no such key"}), "no such record", 404),
        (json!({"do": "comment", "text": "  "}), "says nothing", 400),
        (json!({"do": "settle", "comment": "no such"}), "1 to 64 letters", 400),
        (json!({"do": "settle", "comment": "nosuch"}), "no such comment", 409),
    ] {
        let mut bad = word(second, 0, "tick");
        for (name, value) in change.as_object().expect("an object") {
            bad[name] = value.clone();
        }
        let (found, told) = page.say(&bad);
        assert_eq!(found, status, "{change}: {told}");
        assert!(told["error"].as_str().is_some_and(|text| text.contains(why)), "{change}: {told}");
    }
    let mut comment = word(second, 0, "comment");
    comment["text"] = json!("<script>alert(1)</script> \u{202e}gnp.exe =cmd|' /C calc'!A0 Имя 名前 👩‍👩‍👧");
    comment["field"] = second["fields"][0]["field"].clone();
    let (status, told) = page.say(&comment);
    assert_eq!(status, 200, "{told}");
    assert_eq!(told["comments"][0]["text"], comment["text"]);
    let id = told["comments"][0]["id"].as_str().expect("an id").to_owned();
    // Other commands go on beside the page; killed, it leaves what it answered.
    shows(&run(b2n().arg("status").arg(&spec)), 0, &["workspace"]);
    drop(page);
    let dry = approve(&spec, &["--dry-run"]);
    shows(&dry, 0, &["records ticked (ann@acme.example 1)", "1 comment is open", "not ticked:"]);
    let refused = approve(&spec, &YES);
    shows(&refused, 1, &["a comment of the review is open", "<script>alert(1)", "--despite-comments"]);
    assert!(!refused.all().contains("gnp.exe =cmd\n"), "{}", refused.all());
    shows(&approve(&spec, &["--list"]), 1, &["is not approved"]);
    let despite = approve(&spec, &[&YES[..], &["--despite-comments", "settled by phone"]].concat());
    shows(&despite, 0, &["approved by ann@acme.example"]);
    shows(&approve(&spec, &["--list"]), 0, &["review: 1 of", "1 open comment: settled by phone"]);
    let list = approve(&spec, &["--list", "--format", "json"]);
    let list: Json = serde_json::from_str(&list.out).expect("JSON");
    let kept = &list["approvals"][0];
    assert_eq!(kept["despite_comments"], "settled by phone");
    assert_eq!(kept["review"]["ticked"], json!([{"map": first["map"], "key": first["key"]}]));
    assert_eq!(kept["review"]["open"][0]["id"], id.as_str());
    let count = |name: &str| kept["review"][name].as_array().map_or(0, Vec::len) as u64;
    assert_eq!(Some(count("ticked") + count("unticked")), kept["review"]["shown"].as_u64(), "{kept}");

    // The state goes to another workspace of this plan, and comes back joined.
    let file = folder.path().join("said.json");
    shows(
        &run(b2n().arg("review").arg(&spec).arg("--export").arg(&file)),
        0,
        &["1 ticks, 1 comments", "--import"],
    );
    let import = |file: &Path| run(b2n().arg("review").arg(&spec).arg("--import").arg(file));
    shows(&import(&file), 0, &["0 ticks and 0 comments are new"]);
    let text = std::fs::read_to_string(&file).expect("the file");
    let theirs = text.replace("ann@acme.example", "bob@acme.example").replace(&id, "bobs");
    std::fs::write(&file, &theirs).expect("writes");
    shows(&import(&file), 0, &["1 ticks and 1 comments are new"]);
    shows(
        &approve(&spec, &["--dry-run"]),
        0,
        &["ann@acme.example 1, bob@acme.example 1", "2 comments are open"],
    );
    let plan = kept["plan"].as_str().expect("a hash");
    std::fs::write(&file, theirs.replace(plan, "0123456789abcdef")).expect("writes");
    shows(&import(&file), 2, &["it is a review of plan 0123456789ab", "nothing was taken in", "--page FILE"]);
    std::fs::write(&file, "{}").expect("writes");
    shows(&import(&file), 2, &["it is no review of this version"]);

    // Settled, it stands in nobody's way.
    let page = Page::start(&spec, &[]);
    let said = page.get("/api/said");
    assert_eq!(said["marks"].as_array().map(Vec::len), Some(2), "{said}");
    let seen = said["revisions"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|one| one[1] == second["key"] && one[0] == second["map"]);
    let mut seen = seen.expect("the record")[2].as_u64().expect("a number");
    for id in [id.as_str(), "bobs"] {
        let mut settle = word(second, seen, "settle");
        settle["comment"] = json!(id);
        let (status, told) = page.say(&settle);
        assert_eq!(status, 200, "{told}");
        seen = told["revisions"][0][2].as_u64().expect("a number");
    }
    drop(page);
    shows(&approve(&spec, &YES), 0, &["approved by ann@acme.example"]);

    // A changed plan opens again what it changes, and nothing else.
    let text = std::fs::read_to_string(&spec).expect("the spec");
    std::fs::write(&spec, text.replacen("\"Company {ID}\"", "\"Firm {ID}\"", 1)).expect("writes");
    shows(&approve(&spec, &["--dry-run"]), 0, &["1 of "]);
    let changed = text.replacen("TITLE.trim()  else", "TITLE.trim().upper()  else", 1);
    assert_ne!(changed, text);
    std::fs::write(&spec, changed).expect("writes");
    let dry = approve(&spec, &["--dry-run"]);
    shows(&dry, 0, &["0 of ", "1 changed since", "(changed)"]);

    // The page as a file holds the records and what was said, and asks for nothing.
    std::fs::write(&spec, text).expect("writes");
    let file = folder.path().join("review.html");
    shows(&run(b2n().arg("review").arg(&spec).arg("--page").arg(&file)), 0, &["wrote", "--import FILE"]);
    let html = std::fs::read_to_string(&file).expect("the page");
    assert!(html.contains("class=\"b2n-records\"") && !html.contains("<script>alert"), "marked up");
    assert!(
        html.contains("content=\"default-src 'none'; script-src 'nonce-") && !html.contains(" src="),
        "asks for something"
    );
}
