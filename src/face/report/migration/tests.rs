//! What the page holds, whatever is in the data.

use proptest::prelude::*;

use super::*;
use crate::run::engine::dossier::{
    About, Differing, End, FaultLine, FieldLine, FileLine, Left, LeftLine, LinkLine, List, Outcome,
    Pipelines, Reason, Row, RowCompared, Run, SampleField, SampleLine, SharedLine, StageLine, Step, SumLine,
    Time, Times, Unwritten, Verdict,
};

/// A report in which every text is this one.
fn full(text: &str) -> Dossier {
    let t = || text.to_owned();
    let field = FieldLine {
        map: t(),
        field: t(),
        fidelity: t(),
        records: 9,
        planned: 8,
        there: 7,
        change: -1,
        differing: vec![Differing { kind: t(), records: 1, open: true }],
        ..FieldLine::default()
    };
    let shared = SharedLine { map: t(), field: t(), value: t(), planned: 3, there: 2 };
    let left = LeftLine { what: t(), title: t(), records: Some(4), why: t(), at: t() };
    Dossier {
        about: About {
            spec: t(),
            source: t(),
            target: t(),
            plan: t(),
            written_with: Some(t()),
            books_of: Some(t()),
            compared: Some(t()),
            approved_by: Some(t()),
            approved: Some(t()),
            approved_with: Some(t()),
            rolled_back: true,
        },
        verdict: Verdict { outcome: Outcome::Open, text: t(), notes: vec![t()], ..Verdict::default() },
        rows: vec![Row {
            map: t(),
            object: t(),
            target: t(),
            source: 12,
            ends: vec![End {
                end: "quarantined".to_owned(),
                records: 12,
                list: Some("01-a-quarantined.csv".to_owned()),
                reasons: vec![Reason { why: t(), records: 12 }],
            }],
            adds_up: true,
            compared: Some(RowCompared { at: t(), ..RowCompared::default() }),
            ..Row::default()
        }],
        sums: vec![SumLine {
            map: t(),
            field: t(),
            currency: t(),
            stage: t(),
            source: t(),
            ..SumLine::default()
        }],
        links: vec![LinkLine { map: t(), field: t(), source: 4, percent: Some(t()), ..LinkLine::default() }],
        fields: vec![field.clone()],
        pipelines: Pipelines {
            was: vec![StageLine { object: t(), pipeline: t(), stage: t(), records: 5 }],
            is: vec![shared.clone()],
        },
        owners: vec![shared],
        times: Times { kept: vec![field], unwritten: vec![Unwritten { map: t(), field: t(), why: t() }] },
        files: vec![FileLine { object: t(), field: t(), records: 1, files: 2, fate: t() }],
        faults: vec![FaultLine { what: t(), how: t(), times: 3, settled: false, list: None }],
        time: Time {
            runs: vec![Run { what: t(), began: t(), ended: Some(t()), ..Run::default() }],
            step_s: 5,
            rate_per_s: 10.0,
            steps: vec![Step { from: t(), writes: 3, percent: t() }],
            ..Time::default()
        },
        sample: vec![SampleLine {
            map: t(),
            key: t(),
            object: t(),
            id: t(),
            end: t(),
            fields: vec![SampleField {
                field: t(),
                source: vec![(t(), t())],
                rules: vec![t()],
                planned: t(),
                // Never what was planned, so that the page is built alike for every text.
                there: format!("{text}!"),
                agreement: t(),
                wrong: true,
            }],
        }],
        left: Left { fields: vec![left.clone()], objects: vec![left.clone()], by_hand: vec![left] },
        lists: vec![List {
            file: "01-a-quarantined.csv".to_owned(),
            title: t(),
            head: vec![t()],
            rows: 1,
            first: vec![vec![t()]],
        }],
        ..Dossier::default()
    }
}

/// The page without its texts: only its own markup.
fn markup(page: &str) -> String {
    page.split('<').skip(1).map(|rest| format!("<{}>", rest.split('>').next().unwrap_or(rest))).collect()
}

#[test]
fn hostile_data_stays_text() {
    let hostile = "<script>alert(1)</script>\"'><img src=//evil.example/x onerror=a>&amp;</title></style>";
    let page = page(&full(hostile));
    // An attribute may hold it escaped; everything else is the same markup as with harmless data.
    let bare = |page: &str| markup(page).split('"').step_by(2).collect::<String>();
    assert_eq!(bare(&page), bare(&super::page(&full("x"))));
    assert!(!page.contains("<script") && !page.contains("<img") && page.contains("&lt;script&gt;"));
}

#[test]
fn the_page_asks_no_host_and_runs_nothing() {
    let page = page(&full("x"));
    let rest = page.replace("http-equiv", "");
    for address in
        ["http:", "https:", "src=", "url(", "@import", "<script", "javascript:", "<link", "<iframe"]
    {
        assert!(!rest.contains(address), "{address}");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn what_is_linked_is_there_and_every_id_stands_once() {
    let page = page(&full("x"));
    let ids: Vec<&str> = page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let once: std::collections::BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), once.len(), "{ids:?}");
    let links: Vec<&str> = page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(links.len() > 20);
    for link in links {
        match link.strip_prefix('#') {
            Some(id) => assert!(once.contains(id), "{link}"),
            None => assert!(link.ends_with(".csv") && !link.contains('/'), "{link}"),
        }
    }
}

#[test]
fn text_of_another_direction_stays_in_its_place() {
    let page = page(&full("\u{202e}drawkcab"));
    for (at, _) in page.match_indices('\u{202e}') {
        let tag = page[..at].rfind('<').map_or("", |from| &page[from..at]);
        let isolated = [
            "<bdi>",
            "<td",
            "<th",
            "<title>",
            "<h1>",
            "<caption>",
            "<li>",
            "<p>",
            "<span",
            "dir=\"auto\"",
            "aria-label",
        ];
        assert!(isolated.iter().any(|mark| tag.contains(mark)) || tag.contains("strong"), "{tag}");
    }
}

#[test]
fn an_empty_report_is_a_page_too() {
    let page = page(&Dossier::default());
    assert!(page.contains("Nothing written") && page.contains("Sign-off"));
    assert!(!page.contains("NaN") && !page.contains("inf "));
}

proptest! {
    #[test]
    fn no_text_becomes_markup(text in "\\PC{0,30}|[<>\"'&/a-z =]{0,30}") {
        // A number has a bar of its length.
        let number = text.trim().parse::<f64>().is_ok() || text.trim().parse::<rust_decimal::Decimal>().is_ok();
        prop_assume!(!number);
        // What stands in backticks is code.
        let plain = |page: String| page.replace("<code>", "").replace("</code>", "");
        let bare = |page: String| markup(&plain(page)).split('"').step_by(2).collect::<String>();
        prop_assert_eq!(bare(page(&full(&text))), bare(page(&full("x"))));
    }
}
