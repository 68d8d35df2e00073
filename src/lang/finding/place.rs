//! Where a finding stands, as the formats for machines want it: paths below a root, columns in UTF-16 units.

use super::Finding;
use crate::lang::text::{SourceText, Span};

/// A range of a file, all from 1; the end is the place after the last character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Region {
    pub line: u32,
    pub column: u32,
    pub end_line: u32,
    pub end_column: u32,
}

/// The name of the file that a finding stands in, and its region there; `None` for the file as a whole.
pub(super) fn of<'a>(
    finding: &Finding,
    file: &'a SourceText,
    region: impl Fn(&SourceText, Span) -> Region,
) -> (&'a str, Option<Region>) {
    match &finding.label {
        Some(label) => {
            let (file, span) = file.local(label.span);
            (file.name(), Some(region(file, span)))
        }
        None => (file.name(), None),
    }
}

/// The region of a span, with columns in UTF-16 code units: what editors and code hosts count in.
pub(super) fn utf16(file: &SourceText, span: Span) -> Region {
    region(file, span, |text| text.encode_utf16().count())
}

/// The region of a span, with columns in characters.
pub(super) fn characters(file: &SourceText, span: Span) -> Region {
    region(file, span, |text| text.chars().count())
}

fn region(file: &SourceText, span: Span, count: impl Fn(&str) -> usize) -> Region {
    let place = |offset: u32| {
        let text = file.text();
        let mut at = (offset as usize).min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        let start = text[..at].rfind('\n').map_or(0, |feed| feed + 1);
        let column = u32::try_from(count(&text[start..at]) + 1).unwrap_or(u32::MAX);
        (file.position(offset).line, column)
    };
    let ((line, column), (end_line, end_column)) = (place(span.start), place(span.end.max(span.start)));
    Region { line, column, end_line, end_column }
}

/// A file's name below `root`, with slashes; a name outside of it stays whole.
pub(super) fn below<'a>(name: &'a str, root: &str) -> &'a str {
    let root = root.trim_end_matches('/');
    let mut name = name
        .strip_prefix(root)
        .filter(|_| !root.is_empty())
        .and_then(|rest| rest.strip_prefix('/'))
        .unwrap_or(name);
    while let Some(rest) = name.strip_prefix("./") {
        name = rest;
    }
    name
}

/// A path as a URI: what has no place in one is percent-encoded.
pub(super) fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    if path.starts_with('/') {
        out.push_str("file://");
    }
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(byte as char)
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_counted_in_their_unit() {
        let text = "x\r\nтаб 🦀 y\n";
        let file = SourceText::new("a", text);
        let y = text.find('y').unwrap();
        let span = Span::new(y, y + 1);
        assert_eq!(utf16(&file, span), Region { line: 2, column: 8, end_line: 2, end_column: 9 });
        assert_eq!(characters(&file, span), Region { line: 2, column: 7, end_line: 2, end_column: 8 });
        let crab = text.find('🦀').unwrap();
        // Inside of a character, and past the end.
        assert_eq!(utf16(&file, Span::new(crab + 1, crab + 1)).column, 5);
        assert_eq!(
            utf16(&file, Span::new(999, 999)),
            Region { line: 3, column: 1, end_line: 3, end_column: 1 }
        );
    }

    #[test]
    fn paths_are_below_the_root_and_uris_hold_what_they_may() {
        assert_eq!(below("/repo/a/b.b2n", "/repo/"), "a/b.b2n");
        assert_eq!(below("/repository/b.b2n", "/repo"), "/repository/b.b2n");
        assert_eq!(below("././b.b2n", ""), "b.b2n");
        assert_eq!(uri("über/a b#1%.b2n"), "%C3%BCber/a%20b%231%25.b2n");
        assert_eq!(uri("/tmp/x"), "file:///tmp/x");
    }
}
