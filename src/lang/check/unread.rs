//! What parsing could not read: what such lines speak of is not missing, it is misspelt, which was reported.

use super::Checker;
use crate::lang::text::Span;

/// The lines of an item that could not be read.
#[derive(Debug, Default)]
pub(super) struct Unread<'a> {
    lines: Vec<&'a str>,
}

impl Unread<'_> {
    /// Whether one of these lines may be a row of another kind than those for a code in quotes, written wrongly; lines
    /// that begin with one of these words are not.
    pub(super) fn has_odd_row(&self, words: &[&str]) -> bool {
        self.lines.iter().any(|line| {
            let line = line.trim_start();
            !line.starts_with(['"', '`']) && !words.iter().any(|word| line.starts_with(word))
        })
    }

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
            self.input.broken.iter().filter(|span| span.start > item.start && span.start <= item.end);
        Unread { lines: inside.map(|span| self.whole_lines(*span)).collect() }
    }

    /// Whether a name stands in a line that could not be read, outside of its own item.
    pub(super) fn mentioned(&self, name: &str, item: Span) -> bool {
        let outside =
            self.input.broken.iter().filter(|span| span.start < item.start || span.start > item.end);
        outside.into_iter().any(|span| stands(self.whole_lines(*span), name))
    }

    /// Whether a name that was not used may have been meant after all: it stands somewhere outside of its own item, and
    /// something is wrong with the spec.
    pub(super) fn perhaps_used(&mut self, name: &str, item: Span) -> bool {
        if self.mentioned(name, item) {
            return true;
        }
        if !self.in_doubt() {
            return false;
        }
        // A look at the whole text is not made without bound.
        let Some(left) = self.searches.checked_sub(1) else { return true };
        self.searches = left;
        let text = self.input.text.text();
        let outside = [text.get(..item.start as usize), text.get(item.end as usize..)];
        outside.into_iter().flatten().any(|part| stands(part, name))
    }

    /// Whether the head of an item of this kind could not be read, and a word stands in it.
    pub(super) fn unread_head(&self, kind: &str, word: &str) -> bool {
        self.input.broken.iter().any(|span| {
            let line = self.whole_lines(*span).trim_start();
            line.strip_prefix(kind).is_some_and(|rest| rest.starts_with(' ') && stands(rest, word))
        })
    }

    /// Whether the block behind a head is not closed.
    pub(super) fn ends_nowhere(&self, head: Span) -> bool {
        self.input.broken.iter().any(|span| {
            span.start >= head.end
                && self.quote(*span) == "{"
                && self.quote(Span { start: head.end, end: span.start }).trim().is_empty()
        })
    }

    /// The lines that a span touches.
    fn whole_lines(&self, span: Span) -> &'a str {
        whole_lines(self.input.text.text(), span)
    }
}

/// The lines of a text that a span touches.
pub(super) fn whole_lines(text: &str, span: Span) -> &str {
    let (mut start, mut end) = ((span.start as usize).min(text.len()), (span.end as usize).min(text.len()));
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
