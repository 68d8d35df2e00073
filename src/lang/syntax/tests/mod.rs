//! Tests of the room as a whole: trees, findings, the formatter, and what malice can do.

mod formatting;
mod generate;
mod mishaps;
mod print;
mod trees;

use std::path::PathBuf;

use crate::lang::finding::Finding;
use crate::lang::text::SourceText;

use super::{ast, parse, parse_part};

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
    bare(&parse(&source(text)).0)
}

/// A tree without the places.
fn bare(spec: &ast::Spec) -> String {
    let tree = format!("{spec:?}");
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

#[test]
fn the_sample_is_read_whole() {
    let Some(sample) = sample() else { return };
    assert_eq!(told(&sample), [""; 0]);
    let (spec, _) = parse(&source(&sample));
    assert_eq!(spec.items.len(), 30);
    let bodies: Vec<(&str, usize)> = spec
        .items
        .iter()
        .filter_map(|item| match item {
            ast::Item::Map(map) => Some((map.name().value.as_str(), map.body.len())),
            ast::Item::Flatten(flatten) => Some((flatten.source.name.value.as_str(), flatten.body.len())),
            ast::Item::Split(split) => Some((split.source.name.value.as_str(), split.rows.len())),
            _ => None,
        })
        .collect();
    let expected = [
        ("company", 17),
        ("contact", 5),
        ("deal", 14),
        ("lead", 3),
        ("lead_person", 4),
        ("inbound", 4),
        ("activity", 7),
        ("calls", 9),
        ("comment", 3),
        ("process 1032", 7),
        ("quote", 2),
        ("product", 2),
    ];
    assert_eq!(bodies, expected);
}

#[test]
fn a_file_of_a_joined_text_is_read_at_its_place() {
    let other = source("edition 2026\nmap a -> B {\n x <- A\n}\n");
    let profile = SourceText::new(
        "p.b2n",
        "edition 2026\nmap c -> D {\n y <- \"Q {C}\" or\n z <- each R {\n  a <- B\n }\n}",
    );
    let joined = SourceText::join(vec![other.clone(), profile.clone()]);
    for (index, file) in [other, profile].iter().enumerate() {
        let (alone, told_alone) = parse(file);
        let (spec, told) = parse_part(&joined, index);
        assert_eq!(bare(&spec), bare(&alone));
        assert_eq!(told.len(), told_alone.len());
        for (there, here) in told.iter().zip(&told_alone) {
            let (there, here) = (there.label.as_ref(), here.label.as_ref());
            let place =
                there.map(|l| joined.local(l.span)).map(|(file, span)| (file.name().to_owned(), span));
            assert_eq!(place, here.map(|l| (file.name().to_owned(), l.span)));
        }
        let Some(ast::Item::Map(map)) = spec.items.get(1) else { panic!("{spec:?}") };
        assert!(joined.slice(map.span).starts_with("map ") && joined.slice(map.span).ends_with('}'));
    }
}
