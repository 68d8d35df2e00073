//! Files, spans and lines. Knows nothing of what the text means.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A byte range of a [`SourceText`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// The first byte.
    pub start: u32,
    /// The byte after the last one.
    pub end: u32,
}

impl Span {
    /// A span from byte `start` to before byte `end`.
    pub fn new(start: usize, end: usize) -> Self {
        let clamp = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Span { start: clamp(start), end: clamp(end.max(start)) }
    }

    /// The smallest span that covers both.
    pub fn to(self, other: Span) -> Span {
        Span { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// The span as a range of byte offsets.
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Something with the place where it stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Spanned<T> {
    /// The thing itself.
    pub value: T,
    /// Where it stands.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// Ties a value to its place.
    pub fn new(value: T, span: Span) -> Self {
        Spanned { value, span }
    }
}

/// A text file with an index of its lines, or several files joined into one (a spec and its profiles), whose spans
/// and lines count through all of them.
#[derive(Clone, Debug)]
pub struct SourceText {
    name: Arc<str>,
    text: Arc<str>,
    lines: Arc<[u32]>,
    /// The files of a joined text; empty for a single file.
    parts: Arc<[Part]>,
}

/// A file of a joined text.
#[derive(Clone, Debug)]
pub struct Part {
    /// The file alone.
    pub file: SourceText,
    /// Where it begins in the joined text, in bytes.
    pub start: u32,
    /// The number of its first line in the joined text.
    pub first_line: u32,
}

/// A place in a file as people count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// From 1.
    pub line: u32,
    /// From 1, in Unicode scalar values.
    pub column: u32,
}

/// The largest file that is read, in bytes.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Why bytes are not a usable text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextError {
    /// The byte at this offset does not continue valid UTF-8.
    NotUtf8 {
        /// Offset of the first bad byte.
        at: usize,
        /// The line it is on, from 1.
        line: u32,
    },
    /// More than [`MAX_BYTES`].
    TooLarge {
        /// The size found.
        bytes: usize,
    },
}

impl SourceText {
    /// Wraps a text under the name that messages show.
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        let text: Arc<str> = text.into();
        let mut lines = vec![0u32];
        lines.extend(
            text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| Span::new(i + 1, i + 1).start),
        );
        SourceText { name: name.into(), text, lines: lines.into(), parts: Arc::new([]) }
    }

    /// Joins files: the text bears the name of the first one. A single file stays as it is.
    pub fn join(mut files: Vec<SourceText>) -> SourceText {
        if files.len() == 1 {
            return files.remove(0);
        }
        let mut text = String::new();
        let mut parts = Vec::with_capacity(files.len());
        let mut first_line = 1;
        for file in files {
            let start = Span::new(text.len(), text.len()).start;
            text.push_str(file.text());
            // A line of its own ends each file, so that no two files share a line.
            text.push('\n');
            let lines = u32::try_from(file.lines.len()).unwrap_or(u32::MAX);
            parts.push(Part { file, start, first_line });
            first_line += lines;
        }
        let name = parts.first().map_or_else(|| Arc::from(""), |part| Arc::clone(&part.file.name));
        let joined = SourceText::new(name, text);
        SourceText { parts: parts.into(), ..joined }
    }

    /// The files of a joined text; empty for a single file.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The file that a span stands in, and the span in it.
    pub fn local(&self, span: Span) -> (&SourceText, Span) {
        let after = self.parts.partition_point(|part| part.start <= span.start);
        match after.checked_sub(1).and_then(|index| self.parts.get(index)) {
            Some(part) => (
                &part.file,
                Span { start: span.start - part.start, end: span.end.saturating_sub(part.start) },
            ),
            None => (self, span),
        }
    }

    /// Decodes UTF-8, dropping a byte order mark.
    ///
    /// # Errors
    /// Bytes that are not UTF-8, and files over [`MAX_BYTES`].
    pub fn from_bytes(name: impl Into<Arc<str>>, bytes: &[u8]) -> Result<Self, TextError> {
        if bytes.len() > MAX_BYTES {
            return Err(TextError::TooLarge { bytes: bytes.len() });
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(SourceText::new(name, text)),
            Err(error) => {
                let at = error.valid_up_to();
                let line = bytes[..at].iter().filter(|b| **b == b'\n').count() + 1;
                Err(TextError::NotUtf8 { at, line: u32::try_from(line).unwrap_or(u32::MAX) })
            }
        }
    }

    /// The name that messages show, usually a path.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text of a span; empty where the span does not fit the text.
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.range()).unwrap_or("")
    }

    /// The line and column of a byte offset; an offset past the end is the end.
    pub fn position(&self, offset: u32) -> Position {
        let mut offset = (offset as usize).min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.lines.partition_point(|start| *start as usize <= offset).max(1);
        let start = self.lines[line - 1] as usize;
        let column = self.text[start..offset].chars().count() + 1;
        Position {
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX),
        }
    }

    /// The text with every line ending as a single line feed, which is what hashes are taken over.
    pub fn normalised(&self) -> String {
        self.text.replace("\r\n", "\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_and_lines() {
        let text = SourceText::new("a.b2n", "ab\nцd\r\ne");
        assert_eq!(text.position(0), Position { line: 1, column: 1 });
        assert_eq!(text.position(3), Position { line: 2, column: 1 });
        assert_eq!(text.position(5), Position { line: 2, column: 2 });
        assert_eq!(text.position(8), Position { line: 3, column: 1 });
        assert_eq!(text.position(99), Position { line: 3, column: 2 });
    }

    #[test]
    fn joined_files_keep_their_places() {
        let whole = SourceText::join(vec![
            SourceText::new("a.b2n", "one\ntwo"),
            SourceText::new("b.b2n", "drei\n"),
            SourceText::new("c.b2n", "четыре"),
        ]);
        let firsts: Vec<u32> = whole.parts().iter().map(|part| part.first_line).collect();
        for (index, word) in ["two", "drei", "четыре"].into_iter().enumerate() {
            let at = whole.text().find(word).expect("the word stands there");
            let span = Span::new(at, at + word.len());
            let (file, local) = whole.local(span);
            assert_eq!(file.name(), ["a.b2n", "b.b2n", "c.b2n"][index]);
            assert_eq!((file.slice(local), whole.slice(span)), (word, word));
            let lines = (whole.position(span.start).line, file.position(local.start).line);
            assert_eq!(lines.0, firsts[index] + lines.1 - 1);
        }
        let alone = SourceText::join(vec![SourceText::new("a", "x")]);
        assert!(alone.parts().is_empty());
        assert_eq!(alone.local(Span::new(0, 1)).1, Span::new(0, 1));
    }

    #[test]
    fn a_byte_order_mark_is_dropped_and_bad_bytes_are_placed() {
        assert_eq!(
            SourceText::from_bytes("a", b"\xef\xbb\xbfx").map(|t| t.text().to_owned()),
            Ok("x".to_owned())
        );
        assert_eq!(
            SourceText::from_bytes("a", b"x\ny\xff").map(|t| t.text().to_owned()),
            Err(TextError::NotUtf8 { at: 3, line: 2 })
        );
        assert!(matches!(
            SourceText::from_bytes("a", &vec![b'x'; MAX_BYTES + 1]),
            Err(TextError::TooLarge { bytes }) if bytes == MAX_BYTES + 1
        ));
    }
}
