//! Which tokens have a blank between them, and how wide a text is.

use unicode_width::UnicodeWidthStr;

use super::super::tokens::Kind;
use super::Formatter;

/// Words that no call and no lookup begins with.
const RESERVED: [&str; 8] = ["when", "labelled", "else", "and", "or", "not", "because", "flag"];

impl Formatter<'_> {
    /// Tokens with the blanks that belong between them; two before the one at `wide`.
    pub(super) fn join(&self, first: usize, last: usize, wide: Option<usize>) -> String {
        self.join_in(first, last, wide, 0)
    }

    /// The same inside so many brackets.
    pub(super) fn join_in(&self, first: usize, last: usize, wide: Option<usize>, mut depth: usize) -> String {
        let mut out = String::new();
        let mut before: Option<usize> = None;
        for at in first..=last {
            let token = self.layout.tokens[at];
            if matches!(token.kind, Kind::Newline | Kind::Comment) {
                continue;
            }
            let own = self.cues.word(at);
            if let Some(before) = before {
                if wide == Some(token.span.start as usize) {
                    out.push_str("  ");
                } else if self.apart(before, at, depth) {
                    out.push(' ');
                }
            }
            if token.kind == Kind::Punct {
                match own {
                    "(" | "[" | "{" => depth += 1,
                    ")" | "]" | "}" => depth = depth.saturating_sub(1),
                    _ => {}
                }
            }
            out.push_str(own);
            before = Some(at);
        }
        out
    }

    /// Whether a blank goes between two neighbouring tokens inside so many brackets.
    fn apart(&self, before: usize, at: usize, depth: usize) -> bool {
        let tokens = &self.layout.tokens;
        let touching = tokens[before].span.end == tokens[at].span.start;
        let (left, right) = (self.cues.word(before), self.cues.word(at));
        let after_word = tokens[before].kind == Kind::Word;
        let reserved = RESERVED.contains(&left);
        let punct = |at: usize| tokens[at].kind == Kind::Punct;
        match right {
            "," | ")" | "]" | "?" | "." | "|" | "-" if punct(at) => return false,
            // A colon leads from a field to its value, or from an item's name to what it is.
            ":" if punct(at) => return depth == 0,
            "}" if punct(at) => return !(left == "{" && punct(before)),
            "(" if after_word && touching => return reserved,
            "(" if after_word => return reserved || matches!(left, "where" | "by" | "fail" | "unmigrated"),
            "[" if after_word => return reserved || !touching,
            _ => {}
        }
        !(punct(before) && matches!(left, "(" | "[" | "." | "|" | "-" | ".."))
    }
}

/// The columns that a text takes on a screen.
pub(super) fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.width() }
}
