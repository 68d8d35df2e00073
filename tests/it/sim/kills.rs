//! The real binary over real sockets, killed again and again while it migrates and while it takes a migration back.
//!
//! SIGKILL shows the death of a process and no more: what the machine loses with its power is [`super::planted`]'s.
//! `B2N_KILLS=1000` for more than those of CI, `B2N_SEED` for other moments.

#![cfg(all(unix, debug_assertions))]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

use b2n::run::connect::outside::Random;
use b2n::run::rehearsal::SplitMix;
use serde_json::{Value as Json, json};

use crate::cli::{FAST, Twins, example, provisioned, run, shows};

/// Kills in CI.
const FEW: u64 = 200;

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// One call of the twin's API, without b2n's client.
fn call(twins: &Twins, method: &str, params: &Json) -> Json {
    let host = twins.nutshell.strip_prefix("http://").expect("plain http").trim_end_matches('/');
    let body = json!({"jsonrpc": "2.0", "id": "1", "method": method, "params": params}).to_string();
    let mut stream = TcpStream::connect(host).expect("connects");
    write!(
        stream,
        "POST /api/v1/json HTTP/1.1\r\nhost: {host}\r\nauthorization: Basic YWRtaW5AYWNtZS5leGFtcGxlOmtleQ==\r\n\
         content-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("writes");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("reads");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    let json: Json = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"));
    json["result"].clone()
}

/// How many records stand, and markers that stand more than once.
fn standing(twins: &Twins) -> (usize, Vec<String>) {
    let (mut records, mut markers) = (0, BTreeMap::<String, u32>::new());
    for method in ["findAccounts", "findContacts", "findLeads"] {
        for page in 1.. {
            let query = if method == "findLeads" { json!({"filter": 2}) } else { json!({}) };
            let params = json!({"query": query, "orderBy": "id", "orderDirection": "ASC", "limit": 100, "page": page,
                "stubResponses": false});
            let rows = call(twins, method, &params);
            let rows = rows.as_array().cloned().unwrap_or_default();
            for row in &rows {
                records += 1;
                if let Some(marker) = row["customFields"]["Bitrix24 key"].as_str() {
                    *markers.entry(format!("{method} {marker}")).or_default() += 1;
                }
            }
            if rows.len() < 100 {
                break;
            }
        }
    }
    (records, markers.into_iter().filter(|(_, times)| *times > 1).map(|(marker, _)| marker).collect())
}

#[test]
fn kills() {
    let (wanted, seed) = (number("B2N_KILLS", FEW), number("B2N_SEED", 1));
    println!("{wanted} kills, seed {seed}");
    let dice = SplitMix::new(seed);
    let twins = Twins::start(&["--scale", "0.04", "--seed", "5", "--unthrottled"]);
    let (_folder, spec) = example();
    let began = Instant::now();
    let (mut kills, mut in_time, mut rounds, mut full) = (0u64, [0u64; 2], 0u64, None);
    let before = standing(&twins).0;
    while kills < wanted {
        rounds += 1;
        provisioned(&twins, &spec);
        for (at, verb) in ["migrate", "rollback"].into_iter().enumerate() {
            let mut through = false;
            // Half of the kills of a round, so that each command comes to its end too.
            for _ in 0..20 {
                if kills >= wanted {
                    break;
                }
                let mut child = twins
                    .b2n()
                    .arg(verb)
                    .arg(&spec)
                    .args(FAST)
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .spawn()
                    .expect("starts");
                std::thread::sleep(Duration::from_millis(30 + dice.next_u64() % 700));
                if child.try_wait().expect("waits").is_none() {
                    child.kill().expect("kills");
                    kills += 1;
                    in_time[at] += 1;
                } else {
                    through = true;
                }
                child.wait().expect("ends");
                if through {
                    break;
                }
            }
            let ran = run(twins.b2n().arg(verb).arg(&spec).args(FAST));
            let (records, doubles) = standing(&twins);
            assert_eq!(
                doubles,
                Vec::<String>::new(),
                "round {rounds}, after {verb}, {kills} kills, seed {seed}"
            );
            if verb == "migrate" {
                shows(&ran, 0, &["every record is accounted for"]);
                let full = *full.get_or_insert(records);
                assert_eq!(records, full, "round {rounds}, {kills} kills, seed {seed}");
            } else {
                assert!(ran.code == 0 || ran.all().contains("nothing to roll back"), "{}", ran.all());
                assert_eq!(records, before, "round {rounds}, after the rollback, {kills} kills, seed {seed}");
            }
        }
    }
    println!(
        "{kills} kills in {rounds} rounds ({} of migrate, {} of rollback), {} records each, {} s",
        in_time[0],
        in_time[1],
        full.unwrap_or(0) - before,
        began.elapsed().as_secs()
    );
    assert!(wanted < 50 || in_time[0].min(in_time[1]) > 10, "{in_time:?}");
}
