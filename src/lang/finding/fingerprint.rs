//! What makes a finding the same one after its file was laid out anew: no line and no column goes into it.
//!
//! Sees the text as words, quotes, comments and braces only; knows no grammar.

use std::collections::HashMap;

use super::Finding;
use crate::lang::text::SourceText;

/// The name under which formats carry it; a change of what goes into it is another name.
pub const NAME: &str = "b2n/v1";

/// A fingerprint per finding of a file, in their order: 32 hex digits.
///
/// Made of the code, the head of the enclosing item, the text it is about without blanks and comments, the names in
/// backticks of its message, and an ordinal among those that are equal in all of these.
pub fn fingerprints(findings: &[Finding], file: &SourceText) -> Vec<String> {
    // Per file of a joined text: its items.
    let mut known: HashMap<&str, Vec<(usize, String)>> = HashMap::new();
    let mut seen: HashMap<blake3::Hash, u32> = HashMap::new();
    findings
        .iter()
        .map(|finding| {
            let mut hasher = blake3::Hasher::new();
            let mut feed = |text: &str| {
                hasher.update(&(text.len() as u64).to_le_bytes());
                hasher.update(text.as_bytes());
            };
            feed(finding.code.as_str());
            if let Some(label) = &finding.label {
                let (file, span) = file.local(label.span);
                let items = known.entry(file.name()).or_insert_with(|| items(file.text()));
                let at = span.start as usize;
                let item = items.partition_point(|(start, _)| *start <= at);
                feed(item.checked_sub(1).map_or("", |item| &items[item].1));
                feed(&folded(file.slice(span)));
            }
            for name in finding.message.split('`').skip(1).step_by(2) {
                feed(name);
            }
            let same = hasher.finalize();
            let ordinal = seen.entry(same).or_default();
            *ordinal += 1;
            let mut hasher = blake3::Hasher::new();
            hasher.update(same.as_bytes());
            hasher.update(&ordinal.to_le_bytes());
            hasher.finalize().to_hex()[..32].to_owned()
        })
        .collect()
}

/// A piece of a spec.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Piece {
    Blank,
    Feed,
    Comment,
    Quoted,
    Other,
}

/// Cuts a text into pieces; quotes end at their line's end at the latest.
fn pieces(text: &str) -> impl Iterator<Item = (usize, Piece, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = text.get(at..).filter(|rest| !rest.is_empty())?;
        let first = rest.chars().next()?;
        let line = rest.find('\n').unwrap_or(rest.len());
        let (piece, length) = match first {
            '\n' => (Piece::Feed, 1),
            c if c.is_whitespace() => (Piece::Blank, c.len_utf8()),
            '#' => (Piece::Comment, line),
            '"' | '`' => (Piece::Quoted, quoted(&rest[..line], first)),
            c => (Piece::Other, c.len_utf8()),
        };
        let start = at;
        at += length;
        Some((start, piece, &rest[..length]))
    })
}

fn quoted(line: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in line.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote == '"' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    line.trim_end_matches('\r').len().max(1)
}

/// A text without blanks and comments; what is in quotes stays as it is.
fn folded(text: &str) -> String {
    pieces(text)
        .filter(|(_, piece, _)| matches!(piece, Piece::Quoted | Piece::Other))
        .map(|(_, _, text)| text)
        .collect()
}

/// Where each item begins, and its folded head: what stands before its brace or its line's end.
fn items(text: &str) -> Vec<(usize, String)> {
    let mut items: Vec<(usize, String)> = Vec::new();
    // Brackets that are open; whether the head is still being read; whether a line begins.
    let (mut depth, mut head, mut fresh) = (0usize, false, true);
    for (at, piece, text) in pieces(text) {
        match piece {
            Piece::Blank | Piece::Comment => {}
            Piece::Feed => {
                fresh = true;
                head &= depth > 0;
            }
            Piece::Quoted | Piece::Other => {
                if depth == 0 && fresh && !matches!(text, "{" | "}" | "[" | "]" | "(" | ")") {
                    items.push((at, String::new()));
                    head = true;
                }
                fresh = false;
                if text == "{" {
                    head = false;
                }
                match text {
                    "{" | "[" | "(" => depth += 1,
                    "}" | "]" | ")" => depth = depth.saturating_sub(1),
                    _ => {}
                }
                if head && let Some((_, head)) = items.last_mut() {
                    head.push_str(text);
                }
            }
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lang::finding::registry;
    use crate::lang::text::Span;

    fn at(text: &str, part: &str, nth: usize) -> Finding {
        let (start, _) = text.match_indices(part).nth(nth).expect("the part stands there");
        Finding::new(registry::UNKNOWN_VALUE, "no value `X`").at(Span::new(start, start + part.len()), "")
    }

    const SPEC: &str = "edition 2026\n\ntable a : enum(A) -> text {  # one { two\n  \"x\" => \"1\"\n  \"x\" => \"}\"\n}\n\nmap b -> B {\n  name <- \"x\"\n}\n";

    #[test]
    fn items_are_found_by_their_heads() {
        let heads: Vec<String> = items(SPEC).into_iter().map(|(_, head)| head).collect();
        assert_eq!(heads, ["edition2026", "tablea:enum(A)->text", "mapb->B"]);
        assert_eq!(folded("a  # \"c\"\n  \"x  # y\" `q  \" z` b"), "a\"x  # y\"`q  \" z`b");
    }

    #[test]
    fn item_text_code_and_ordinal_tell_findings_apart() {
        let findings =
            [at(SPEC, "\"x\"", 0), at(SPEC, "\"x\"", 1), at(SPEC, "\"x\"", 2), at(SPEC, "name", 0)];
        let file = SourceText::new("a", SPEC);
        let prints = fingerprints(&findings, &file);
        for (index, print) in prints.iter().enumerate() {
            assert_eq!(print.len(), 32);
            assert!(!prints[..index].contains(print), "{prints:?}");
        }
    }

    /// Lays a text out anew: other indents, blanks between tokens, blank lines, comments that come and go.
    fn shaken(text: &str, choices: &[u8]) -> String {
        let mut choice = choices.iter().copied().cycle();
        let mut next = move || choice.next().unwrap_or(0);
        let mut out = String::new();
        for (_, piece, text) in pieces(text) {
            match piece {
                Piece::Comment => {}
                Piece::Blank => out.push_str(["", " ", "\t", "    "][usize::from(next() % 4)]),
                Piece::Feed => {
                    let feeds = ["\n", "\r\n", "  # a } comment \"\n", "\n\n# `another {\n  "];
                    out.push_str(feeds[usize::from(next() % 4)]);
                }
                _ => out.push_str(text),
            }
        }
        out
    }

    proptest! {
        #[test]
        fn a_new_layout_changes_none(choices in proptest::collection::vec(any::<u8>(), 1..80)) {
            let other = shaken(SPEC, &choices);
            let prints = |text: &str| {
                let file = SourceText::new("a", text);
                let findings =
                    [at(text, "\"x\"", 0), at(text, "\"x\"", 1), at(text, "\"x\"", 2), at(text, "name", 0)];
                fingerprints(&findings, &file)
            };
            prop_assert_eq!(prints(SPEC), prints(&other), "{}", other);
        }

        #[test]
        fn any_text_has_fingerprints(text in "[a-zц{}()\"`#\\\\\r\n 🦀]{0,60}", start in 0usize..70, end in 0usize..70) {
            let pieces_of: String = pieces(&text).map(|(_, _, piece)| piece).collect();
            prop_assert_eq!(&pieces_of, &text);
            let finding = Finding::new(registry::UNCLOSED, "m").at(Span::new(start, end), "");
            prop_assert_eq!(fingerprints(&[finding], &SourceText::new("a", text)).len(), 1);
        }
    }
}
