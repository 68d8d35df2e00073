//! Tests of the room as a whole: trees, findings, the formatter, and what malice can do.

mod formatting;
mod mishaps;
mod trees;

use std::path::PathBuf;

use crate::lang::finding::{Finding, registry};
use crate::lang::text::SourceText;

use super::{ast, parse};

fn source(text: &str) -> SourceText {
    SourceText::new("a.b2n", text)
}

/// The findings as `code line:column message`.
fn told(text: &str) -> Vec<String> {
    let source = source(text);
    let (_, findings) = parse(&source);
    findings.iter().map(|f| tell(&source, f)).collect()
}

fn tell(source: &SourceText, finding: &Finding) -> String {
    let place = finding.label.as_ref().map(|l| source.position(l.span.start));
    let place = place.map_or(String::new(), |p| format!("{}:{}", p.line, p.column));
    format!("{} {place} {}", &finding.code.as_str()[4..], finding.message)
}

/// What a text says, without the places.
fn meaning(text: &str) -> String {
    let tree = format!("{:?}", parse(&source(text)).0);
    let mut out = String::with_capacity(tree.len());
    let mut rest = tree.as_str();
    while let Some(at) = rest.find("Span { start: ") {
        out.push_str(&rest[..at]);
        let end = rest[at..].find('}').expect("a span ends with a brace");
        rest = &rest[at + end + 1..];
    }
    out.push_str(rest);
    out
}

/// Applies the certain fixes of a text's findings, the last first.
fn fixed(text: &str) -> String {
    let (_, findings) = parse(&source(text));
    let mut edits: Vec<_> = findings
        .into_iter()
        .filter_map(|f| f.fix)
        .filter(|f| f.applicability == crate::lang::finding::Applicability::Safe)
        .flat_map(|f| f.edits)
        .collect();
    edits.sort_by_key(|edit| std::cmp::Reverse(edit.span.start));
    let mut out = text.to_owned();
    for edit in edits {
        out.replace_range(edit.span.range(), &edit.text);
    }
    out
}

/// The sample of the language; `None` where it is not at hand.
fn sample() -> Option<String> {
    for up in ["../shared", "../../shared"] {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(up).join("design/sample.b2n");
        if let Ok(text) = std::fs::read_to_string(path) {
            return Some(text);
        }
    }
    println!("skipped: the sample spec is not at hand");
    None
}

/// The sample's maps as items of their own, so that their lines are read too.
fn bare_sample() -> Option<String> {
    sample().map(|text| text.replace("replace map", "map"))
}

/// What of the sample this version reads, a line or item for each statement.
fn core_sample() -> Option<String> {
    let text = source(&bare_sample()?);
    let read = super::parse::read(&text);
    let later = |span: crate::lang::text::Span| {
        read.findings
            .iter()
            .filter_map(|f| f.label.as_ref())
            .any(|l| span.start <= l.span.start && l.span.end <= span.end)
    };
    let mut out = String::new();
    for stmt in &read.layout.stmts {
        if read.shapes.contains_key(&stmt.first) {
            out.push_str(text.slice(read.layout.span(stmt)));
            if let Some(block) = &stmt.block {
                out.push_str(" {\n");
                for line in block.stmts.iter().filter(|line| !later(read.layout.whole(line))) {
                    out.push_str(&format!("  {}\n", text.slice(read.layout.whole(line))));
                }
                out.push('}');
            }
            out.push('\n');
        }
    }
    Some(out)
}

#[test]
fn the_sample_has_only_what_is_not_read_yet() {
    let Some(sample) = sample() else { return };
    let sample = source(&sample);
    let (_, findings) = parse(&sample);
    for finding in &findings {
        assert_eq!(finding.code, registry::NOT_YET, "{}", tell(&sample, finding));
    }
    let Some(bare) = bare_sample() else { return };
    let (spec, _) = parse(&source(&bare));
    let told = told(&bare);
    assert_eq!(told.len(), 18, "{told:#?}");
    assert!(told.iter().all(|line| line.starts_with("E0110 ")), "{told:#?}");
    let maps: Vec<(&str, usize)> = spec
        .items
        .iter()
        .filter_map(|item| match item {
            ast::Item::Map(map) => Some((map.name().value.as_str(), map.body.len())),
            _ => None,
        })
        .collect();
    let expected = [
        ("company", 17),
        ("contact", 5),
        ("deal", 12),
        ("lead_person", 4),
        ("inbound", 4),
        ("calls", 9),
        ("comment", 3),
    ];
    assert_eq!(maps, expected);
}
