//! Everything that reads a spec or a file beside it, on one text; what must hold whatever the text says.

use b2n::lang::check::profile::{Lock, Pinned};
use b2n::lang::diff;
use b2n::lang::doc;
use b2n::lang::drift::{self, Newer};
use b2n::lang::eval::Program;
use b2n::lang::finding::human::Style;
use b2n::lang::finding::{
    Applicability, Finding, fingerprints, fix, github, gitlab, human, json, junit, sarif,
};
use b2n::lang::fuzz::{Fuzzer, unaccounted};
use b2n::lang::plan::{Certificate, Plan};
use b2n::lang::schema::{Schema, packed, snapshot, users};
use b2n::lang::syntax::{self, FormatError};
use b2n::lang::text::{SourceText, Span};
use serde_json::Value as Json;

use crate::conformance::run::{TODAY, Whole, check_files};

/// How large what came out is, in bytes, and how much of it there is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Size {
    pub findings: usize,
    /// Findings as JSON.
    pub told: usize,
    pub formatted: usize,
    pub plan: usize,
    pub document: usize,
    pub checked: bool,
}

const STYLE: Style = Style { width: 100, colour: false, unicode: true };

/// Checks, formats and prints a text; where it checks, runs, documents and compares it too.
pub fn spec(text: &str, source: &Schema, target: &Schema, seed: u64) -> Size {
    let file = SourceText::new("case.b2n", text);
    let whole = check_files(std::slice::from_ref(&file), source, target, TODAY);
    places(&whole.text, &whole.findings);
    let mut size = Size { findings: whole.findings.len(), ..Size::default() };
    size.told = printed(&whole.text, &whole.findings);
    for most in [Applicability::Safe, Applicability::Likely] {
        if whole.text.parts().is_empty() {
            let fixed = fix::apply(&whole.text, &whole.findings, most);
            let fixed = SourceText::new("case.b2n", fixed.text);
            places(&fixed, &syntax::parse(&fixed).1);
        }
    }
    let formatted = syntax::format(&file);
    match &formatted {
        Ok(formatted) => {
            size.formatted = formatted.len();
            let again = syntax::format(&SourceText::new("case.b2n", formatted.as_str()));
            assert_eq!(again.as_ref(), Ok(formatted), "formatting twice is formatting once");
        }
        Err(FormatError::Unreadable(found)) => {
            assert!(!found.is_empty(), "refused without a finding");
            places(&file, found);
        }
        Err(FormatError::WouldChange) => panic!("laid out it would say something else"),
    }
    if let Some(plan) = &whole.plan {
        size.checked = true;
        let formatted = formatted.expect("what checks can be formatted");
        let anew = [SourceText::new("case.b2n", formatted)];
        let anew = check_files(&anew, source, target, TODAY);
        size.plan = serde_json::to_string(plan).expect("a plan is JSON").len();
        assert_eq!(Some(plan.hash()), anew.plan.as_ref().map(Plan::hash), "as formatted it is another plan");
        size.document = runs(&whole, plan, source, target, seed);
    }
    size
}

/// A spec that checks: no generated record breaks the destination's schema, and whatever is made of the plan is made.
fn runs(whole: &Whole, plan: &Plan, source: &Schema, target: &Schema, seed: u64) -> usize {
    Program::compile(plan).expect("a checked plan compiles");
    let lost = unaccounted(plan, source);
    assert!(lost.is_empty(), "a checked spec loses {lost:?}");
    let fuzzer = Fuzzer::new(plan, source, target, seed).expect("a checked plan runs");
    for number in 0..3 * plan.maps.len() as u64 {
        let broken = fuzzer.case(number);
        assert!(broken.is_empty(), "a checked spec breaks the destination: {broken:#?}");
    }
    let certificate = Certificate::new(plan, &whole.text);
    let text = Some(&whole.text);
    let document =
        doc::build(&doc::Input { plan, certificate: &certificate, source, target, text, agreed: &[] });
    let pages = doc::markdown::render(&document).len() + doc::html::render(&document).len();
    let side = diff::Side { plan, source, target, spec: &whole.spec, text: &whole.text };
    let same = diff::diff(side, side);
    assert!(same.changes.is_empty(), "a spec differs from itself: {:#?}", same.changes);
    pages
}

/// Two specs that check, compared both ways.
pub fn compared(a: &str, b: &str, source: &Schema, target: &Schema) -> bool {
    let check = |text: &str| check_files(&[SourceText::new("case.b2n", text)], source, target, TODAY);
    let (a, b) = (check(a), check(b));
    let (Some(plan_a), Some(plan_b)) = (&a.plan, &b.plan) else { return false };
    let a = diff::Side { plan: plan_a, source, target, spec: &a.spec, text: &a.text };
    let b = diff::Side { plan: plan_b, source, target, spec: &b.spec, text: &b.text };
    let (there, back) = (diff::diff(a, b), diff::diff(b, a));
    for diff in [&there, &back] {
        let page = diff::markdown::render(diff, "old", "new", None, true);
        assert!(!page.is_empty());
        assert!(diff::json::render(diff, None, true).is_object());
    }
    assert_eq!(there.changes.is_empty(), back.changes.is_empty(), "a difference one way only");
    true
}

/// A spec against a newer snapshot of its source.
pub fn drifted(text: &str, source: &Schema, target: &Schema, newer: &Schema) {
    let file = SourceText::new("case.b2n", text);
    let (spec, _) = syntax::parse(&file);
    let input = b2n::lang::check::Input {
        spec: &spec,
        text: &file,
        source: Some(source),
        target: Some(target),
        source_hash: "source",
        target_hash: "target",
        source_name: "source.yaml",
        target_name: "target.yaml",
        today: TODAY,
        broken: &[],
    };
    let found = drift::drift(&input, Newer { source: Some(newer), target: None });
    for finding in found.hits() {
        places(&file, std::slice::from_ref(finding));
    }
    drift::drift(&input, Newer { source: None, target: Some(newer) });
}

/// Bytes as a spec, a snapshot, a lock, a list of users and an entry of the cache. Gives whether they are a snapshot.
pub fn file(bytes: &[u8], source: &Schema, target: &Schema) -> bool {
    assert!(packed::unpack("key", bytes).is_none(), "an entry of the cache that nobody wrote");
    let Ok(text) = SourceText::from_bytes("case.b2n", bytes) else { return false };
    spec(text.text(), source, target, 1);
    lock(&text);
    match users::read_users(&text) {
        Ok(read) => {
            let written = users::write_users(&read);
            assert_eq!(
                users::read_users(&SourceText::new("u", written)),
                Ok(read),
                "users as they are written"
            );
        }
        Err(found) => places(&text, &found),
    }
    schema(&text).is_some()
}

/// A snapshot: refused with places, or read, and then written and packed as it is.
pub fn schema(text: &SourceText) -> Option<Schema> {
    match snapshot::read(text) {
        Ok(schema) => {
            let written = snapshot::write(&schema);
            let again = snapshot::read(&SourceText::new("s.yaml", written.as_str()));
            assert_eq!(again.as_ref(), Ok(&schema), "a snapshot as it is written");
            assert_eq!(again.map(|schema| schema.hash()), Ok(schema.hash()));
            let key = packed::key(text.text().as_bytes());
            assert_eq!(packed::unpack(&key, &packed::pack(&key, &schema)).as_ref(), Some(&schema));
            Some(schema)
        }
        Err(found) => {
            assert!(!found.is_empty(), "refused without a finding");
            places(text, &found);
            printed(text, &found);
            None
        }
    }
}

/// A lock: whatever is in it, what is pinned afterwards is pinned.
pub fn lock(text: &SourceText) {
    let (mut lock, found) = Lock::read(text);
    places(text, &found);
    let name = text.text().chars().filter(|c| !matches!(c, '"' | '\n' | '\r')).take(20).collect::<String>();
    let profile = [Pinned::new(name.trim(), text, Span::default())];
    lock.check(&profile, "a.b2n");
    lock.pin(&profile);
    let (again, found) = Lock::read(&SourceText::new("b2n.lock", lock.write()));
    assert!(found.is_empty(), "a lock as it is written: {found:#?}");
    assert_eq!(again, lock);
    assert!(again.check(&profile, "a.b2n").is_empty());
}

/// Every place that findings name lies in the text, between characters.
fn places(text: &SourceText, findings: &[Finding]) {
    for finding in findings {
        let labels = finding.label.iter().chain(&finding.others).map(|label| label.span);
        let edits = finding.fix.iter().flat_map(|fix| &fix.edits).map(|edit| edit.span);
        for span in labels.chain(edits) {
            assert!(text.text().get(span.range()).is_some(), "{span:?} is no place in the text: {finding:?}");
        }
    }
}

/// Every format takes the findings. Gives the length of one.
fn printed(text: &SourceText, findings: &[Finding]) -> usize {
    human::render(findings, text, STYLE);
    human::render(findings, text, Style { width: 40, colour: true, unicode: false });
    assert_eq!(fingerprints(findings, text).len(), findings.len());
    let files = [(text.clone(), findings.to_vec())];
    for page in [sarif::render(&files, "", "0"), gitlab::render(&files, "")] {
        serde_json::from_str::<Json>(&page).expect("json");
    }
    github::render(&files, "");
    junit::render(&files, "", false);
    let page = json::render(findings, text);
    serde_json::from_str::<Json>(&page).expect("json");
    page.len()
}
