//! What parsing could not read: what such lines speak of is not missing, it is misspelt, which was reported.

use super::Checker;
use crate::lang::text::Span;

/// The lines of an item that could not be read.
#[derive(Debug, Default)]
pub(super) struct Unread<'a> {
    lines: Vec<&'a str>,
}

impl Unread<'_> {
    /// Whether a word stands in these lines.
    pub(super) fn mentions(&self, word: &str) -> bool {
        self.lines.iter().any(|line| stands(line, word))
    }
}

/// Whether a word stands in a text, not as part of another one.
fn stands(text: &str, word: &str) -> bool {
    let part = |sign: Option<char>| sign.is_some_and(|sign| sign.is_alphanumeric() || sign == '_');
    !word.is_empty()
        && text.match_indices(word).any(|(at, _)| {
            !part(text[..at].chars().next_back()) && !part(text[at + word.len()..].chars().next())
        })
}

impl<'a> Checker<'a> {
    /// The lines of an item that could not be read.
    pub(super) fn unread(&self, item: Span) -> Unread<'a> {
        let inside =
            self.input.broken.iter().filter(|span| span.start >= item.start && span.start <= item.end);
        Unread { lines: inside.map(|span| self.whole_lines(*span)).collect() }
    }

    /// Whether a name stands in a line that could not be read, outside of its own item.
    pub(super) fn mentioned(&self, name: &str, item: Span) -> bool {
        let outside =
            self.input.broken.iter().filter(|span| span.start < item.start || span.start > item.end);
        outside.into_iter().any(|span| stands(self.whole_lines(*span), name))
    }

    /// The lines that a span touches.
    fn whole_lines(&self, span: Span) -> &'a str {
        let text = self.input.text.text();
        let (mut start, mut end) =
            ((span.start as usize).min(text.len()), (span.end as usize).min(text.len()));
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        while !text.is_char_boundary(end) {
            end += 1;
        }
        let start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let end = text[end..].find('\n').map_or(text.len(), |at| end + at);
        &text[start..end.max(start)]
    }
}

#[cfg(test)]
mod tests {
    use super::stands;

    #[test]
    fn words_stand_alone() {
        assert!(stands("  \"WEB\" \"Website\"", "WEB"));
        assert!(!stands("  \"WEBFORM\"", "WEB"));
        assert!(stands("name TITLE.trim()", "TITLE"));
        assert!(!stands("SUBTITLE", "TITLE"));
        assert!(stands("WEBFORM, WEB", "WEB"));
        assert!(!stands("anything", ""));
    }
}
