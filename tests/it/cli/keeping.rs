//! One writer, the right account, the audit log, wiping: the real binary over real sockets.

use std::io::Read;
use std::net::TcpListener;

use super::*;

/// A port that answers every request with a redirect to another host, as a portal does that was renamed.
fn renamed_to(webhook: &str) -> String {
    let (host, path) =
        webhook.strip_prefix("http://").and_then(|rest| rest.split_once('/')).expect("an address");
    let (host, path) = (host.to_owned(), path.to_owned());
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let (mut seen, mut part) = (Vec::new(), [0; 4096]);
            // The head alone tells where it wanted to go; the rest is read so that nothing is reset.
            while let Ok(read @ 1..) = stream.read(&mut part) {
                seen.extend_from_slice(&part[..read]);
                let text = String::from_utf8_lossy(&seen).to_ascii_lowercase();
                let length = text.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
                let length: usize = length.and_then(|length| length.parse().ok()).unwrap_or(0);
                if text.find("\r\n\r\n").is_some_and(|end| seen.len() >= end + 4 + length) {
                    break;
                }
            }
            let text = String::from_utf8_lossy(&seen);
            let target = text.split(' ').nth(1).unwrap_or("/").to_owned();
            let answer = format!(
                "HTTP/1.1 302 Found\r\nLocation: http://{host}{target}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    format!("http://{address}/{path}")
}

fn host(webhook: &str) -> &str {
    webhook.trim_start_matches("http://").split('/').next().expect("a host")
}

#[test]
fn a_rename_is_proven_by_the_bound_host_and_markers_keep_it() {
    let twins = Twins::start(&["--scale", "0.01", "--seed", "7", "--unthrottled"]);
    let (folder, spec) = example();
    let old = renamed_to(&twins.webhook);
    let extracted = run(twins.b2n().env("B2N_BITRIX24_WEBHOOK", &old).arg("extract").arg(&spec));
    shows(
        &extracted,
        0,
        &[&format!("`{}` says that it is called `{}` now", host(&old), host(&twins.webhook))],
    );
    let status = run(b2n().arg("status").arg(&spec).args(["--format", "json"]));
    let json: serde_json::Value = serde_json::from_str(&status.out).expect("json");
    assert_eq!((&json["source"], &json["aliases"][0]), (&host(&old).into(), &host(&twins.webhook).into()));
    // From now on credentials for the new host are the account's own.
    provisioned(&twins, &spec);
    let ran = run(twins.b2n().arg("migrate").arg(&spec).args(FAST));
    shows(&ran, 0, &["every record is accounted for"]);
    assert!(!ran.err.contains("says that it is called"), "told once: {}", ran.err);
    // What was written carries the first host: a workspace that begins anew under the old name sees it.
    let (_other_folder, other) = example();
    provisioned(&twins, &other);
    let again = run(twins.b2n().env("B2N_BITRIX24_WEBHOOK", &old).arg("migrate").arg(&other).args(FAST));
    shows(&again, 1, &["another workspace wrote", &format!("`{}/", host(&old))]);
    // A portal that the bound one says nothing of is another account, with the way to prove otherwise.
    let stranger = Twins::start(&["--scale", "0.01", "--seed", "7", "--unthrottled"]);
    let refused = run(stranger.b2n().arg("extract").arg(&spec));
    shows(&refused, 2, &["is bound to the source account", host(&old), host(&stranger.webhook), "redirects"]);
    assert!(!refused.err.contains("/rest/1/secret"), "{}", refused.err);
    drop(folder);
}

/// What the lock of a twin's account says.
#[cfg(unix)]
fn holder(twins: &Twins) -> String {
    let port = twins.nutshell.rsplit(':').next().expect("a port");
    std::fs::read_to_string(format!("/tmp/b2n-destination-379104-port-{port}.lock")).unwrap_or_default()
}

#[cfg(unix)]
#[test]
fn a_second_b2n_is_told_who_writes_and_a_dead_one_holds_nothing() {
    // As slow as a real account: the first one is at work for long.
    let twins = Twins::start(&["--scale", "0.5", "--seed", "8"]);
    let (_folder, spec) = example();
    let (_other_folder, other) = example();
    approved(&spec);
    approved(&other);
    let mut first = twins
        .b2n()
        .arg("migrate")
        .arg(&spec)
        .args(FAST)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let pid = first.id().to_string();
    let started = Instant::now();
    // An unconfirmed migration ends before anything moves, so what is looked for must come first.
    let mut seen = holder(&twins) == pid;
    while !seen && started.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(2));
        seen = holder(&twins) == pid;
    }
    let told = [format!("(process {pid})"), format!("kill -INT {pid}"), "nothing was written".to_owned()];
    let told: Vec<&str> = told.iter().map(String::as_str).collect();
    let refused = run(twins.b2n().arg("migrate").arg(&other).args(FAST));
    let same = run(twins.b2n().arg("report").arg(&spec));
    let looked = ["human", "json", "prometheus"]
        .map(|format| run(b2n().arg("status").arg(&spec).args(["--format", format])));
    first.kill().expect("kills");
    first.wait().expect("ends");
    assert!(seen, "the first one never took the lock");
    shows(&refused, 2, &told);
    // On the same workspace it is the workspace's own lock that tells.
    shows(&same, 2, &[&format!("in use by another b2n (process {pid})"), &format!("kill -INT {pid}")]);
    // Who only looks needs no lock, and is told who has it.
    for (ran, word) in looked.iter().zip([
        format!("process {pid}"),
        format!("\"process\":{pid}"),
        "b2n_running 1".to_owned(),
    ]) {
        shows(ran, 0, &[&word]);
    }
    // SIGKILL leaves the file, and the system takes the lock: the next one goes on.
    let next = run(twins.b2n().arg("migrate").arg(&other).args(FAST));
    shows(&next, 1, &["nobody has confirmed"]);
    assert_eq!(holder(&twins), "", "who let go is named no more");
}

#[cfg(unix)]
#[test]
fn every_command_that_writes_into_the_destination_asks_for_the_lock() {
    let twins = Twins::start(&["--scale", "0.01", "--seed", "9", "--unthrottled"]);
    let (_folder, spec) = example();
    approved(&spec);
    let port = twins.nutshell.rsplit(':').next().expect("a port");
    let name = format!("b2n-destination-379104-port-{port}.lock");
    let take = || match b2n::run::workspace::machine_lock(&name).expect("tries") {
        b2n::run::workspace::Taken::Mine(lock) => lock,
        other => panic!("{other:?}"),
    };
    let refused = |args: &[&str]| {
        let ran = run(twins.b2n().args(&args[..1]).args(&args[1..]).arg(&spec).args(FAST));
        shows(&ran, 2, &["another b2n on this machine", &format!("(process {})", std::process::id())]);
    };
    let lock = take();
    refused(&["provision"]);
    refused(&["migrate"]);
    drop(lock);
    provisioned(&twins, &spec);
    shows(&run(twins.b2n().arg("migrate").arg(&spec).args(FAST)), 0, &["every record is accounted for"]);
    let lock = take();
    refused(&["rollback"]);
    // Looking takes no lock.
    shows(&run(twins.b2n().args(["rollback", "--dry-run", "--rate", "5000"]).arg(&spec)), 0, &[]);
    shows(&run(twins.b2n().args(["reconcile", "--rate", "5000"]).arg(&spec)), 0, &[]);
    // A record that is held back, so that there is something to try again.
    let workspace = Workspace::open(&spec.with_extension("b2nw")).expect("opens");
    let key = workspace.ends_page("company", "", 1).expect("lists")[0].0.clone();
    let held = b2n::run::workspace::Outcome {
        status: b2n::run::workspace::Status::Quarantined,
        target: None,
        reason: Some("by this test".to_owned()),
    };
    workspace.settle("company", &key, &held, &[]).expect("settles");
    drop(workspace);
    let again =
        run(twins.b2n().args(["quarantine", "retry"]).arg(&spec).arg(format!("company/{key}")).args(FAST));
    shows(&again, 2, &["another b2n on this machine"]);
    drop(lock);
    shows(&run(twins.b2n().args(["rollback", "--rate", "5000", "--yes-into", "379104"]).arg(&spec)), 0, &[]);
}

/// Every text of some length in a record as it was staged: no ids, no codes of the portal.
fn texts(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::String(text)
            if text.chars().filter(|c| c.is_alphabetic()).count() >= 6 && text.contains([' ', '@']) =>
        {
            found.push(text.clone());
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        serde_json::Value::Object(fields) => fields.values().for_each(|item| texts(item, found)),
        _ => {}
    }
}

#[test]
fn the_audit_log_is_whole_and_what_is_forgotten_is_found_nowhere() {
    let twins = Twins::start(&["--scale", "0.05", "--seed", "10", "--unthrottled"]);
    let (folder, spec) = example();
    provisioned(&twins, &spec);
    shows(&run(twins.b2n().arg("migrate").arg(&spec).args(FAST)), 0, &["every record is accounted for"]);
    let path = spec.with_extension("b2nw");
    let workspace = Workspace::open(&path).expect("opens");
    let writes = workspace.writes().expect("counts");
    let mut staged = Vec::new();
    for object in ["company", "contact", "deal"] {
        for record in workspace.staged_page(object, 0, 10_000).expect("reads") {
            texts(&serde_json::from_slice(&record.json).expect("json"), &mut staged);
        }
    }
    drop(workspace);
    staged.sort();
    staged.dedup();
    assert!(staged.len() > 100, "{}", staged.len());

    let csv = folder.path().join("audit.csv");
    shows(&run(b2n().args(["audit", "--format", "csv", "-o"]).arg(&csv).arg(&spec)), 0, &[]);
    let rows = std::fs::read_to_string(&csv).expect("the file");
    assert!(
        rows.starts_with("at,ended,what,object,id,map,key,step,state,payload,who,reason,seq\r\n"),
        "{rows}"
    );
    let lines = writes + 1;
    assert_eq!(rows.lines().count() as u64, 1 + lines, "a head, the writes, an approval");
    assert!(rows.lines().last().is_some_and(|line| line.contains(",approve,")), "{rows}");
    assert!(rows.contains(",create,Account,") && rows.contains(",create,Lead,"), "{rows}");
    let json: serde_json::Value =
        serde_json::from_str(&run(b2n().args(["audit", "--format", "json"]).arg(&spec)).out).expect("json");
    assert_eq!(json["format"], "b2n-audit/1");
    assert_eq!(json["lines"].as_array().map(Vec::len), Some(lines as usize));
    let people = run(b2n().arg("audit").arg(&spec));
    assert_eq!(people.out.lines().count() as u64, lines);
    for text in &staged {
        assert!(!rows.contains(text.as_str()), "`{text}` is in the audit log");
    }
    shows(&run(b2n().args(["check", "--format", "csv"]).arg(&spec)), 2, &["`b2n audit`"]);

    shows(&run(b2n().arg("forget").arg(&spec)), 2, &["nothing was wiped", "--yes"]);
    let before = std::fs::read(&path).expect("reads");
    let holds = |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(staged.iter().take(50).any(|text| holds(&before, text)), "the test finds what is there");
    let forgot = run(b2n().args(["forget", "--yes"]).arg(&spec));
    shows(&forgot, 0, &["the personal data is wiped", "`b2n rollback` is not possible", "audit.csv"]);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder.path())
        .expect("lists")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.retain(|file| file.to_string_lossy().contains(".b2nw"));
    assert!(!files.is_empty());
    for file in files {
        let bytes = std::fs::read(&file).expect("reads");
        // Each text at once: the file is small by now, and there are many.
        let whole = String::from_utf8_lossy(&bytes);
        let found: Vec<&String> = staged.iter().filter(|text| whole.contains(text.as_str())).collect();
        assert!(found.is_empty(), "{}: {found:?}", file.display());
    }
    let log = run(b2n().args(["audit", "--format", "csv"]).arg(&spec));
    assert_eq!(log.out.lines().count() as u64, 1 + lines, "the log stays");
    shows(&run(b2n().arg("status").arg(&spec)), 0, &["wiped", "379104"]);
    for command in ["migrate", "rollback", "reconcile", "extract"] {
        let mut refused = twins.b2n();
        refused.arg(command).arg(&spec);
        shows(&run(&mut refused), 2, &["was wiped on", "`b2n audit`"]);
    }
    shows(&run(b2n().args(["forget", "--whole", "--yes"]).arg(&path)), 0, &["the workspace is gone"]);
    assert!(!path.exists());
}
