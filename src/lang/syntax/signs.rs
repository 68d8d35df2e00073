//! From tokens to the signs that the grammar reads: one for each token, with a blank behind it. Lines of one shape have
//! the same signs, so that each shape is read by the grammar once. Knows no grammar.

use crate::lang::text::Span;

use super::tokens::{Kind, Token};

/// The words of the language, which stand for themselves. Any of them may also be a name.
const WORDS: [&str; 102] = [
    "a",
    "absent",
    "accept",
    "and",
    "as",
    "at",
    "because",
    "before",
    "budget",
    "by",
    "cancelled",
    "category",
    "custom",
    "declined",
    "delete",
    "derived",
    "dismissed",
    "drop",
    "dropped",
    "each",
    "earliest",
    "edition",
    "else",
    "email",
    "empty",
    "every",
    "exact",
    "existing",
    "expect",
    "fail",
    "false",
    "fill",
    "fixture",
    "flag",
    "flatten",
    "fn",
    "for",
    "from",
    "gap",
    "given",
    "golden",
    "has",
    "in",
    "into",
    "keep",
    "key",
    "labelled",
    "latest",
    "list",
    "listed",
    "lost",
    "map",
    "match",
    "merged",
    "most",
    "narrowed",
    "no",
    "not",
    "note",
    "on",
    "or",
    "order",
    "orphan",
    "otherwise",
    "overwrite",
    "owners",
    "pass",
    "pick",
    "pipeline",
    "process",
    "proposed",
    "quarantine",
    "ref",
    "refine",
    "reformatted",
    "refs",
    "replace",
    "row",
    "second",
    "skip",
    "source",
    "split",
    "stage",
    "stop",
    "summarised",
    "table",
    "target",
    "test",
    "todo",
    "true",
    "unmigrated",
    "unseen",
    "unset",
    "until",
    "use",
    "user",
    "via",
    "wait",
    "when",
    "where",
    "won",
    "zone",
];

/// A line in signs.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// The signs.
    pub(super) signs: String,
    /// Where what each sign stands for is, in the file.
    pub(super) places: Vec<Span>,
}

impl Line {
    /// Empties the line, to be filled again.
    pub(super) fn clear(&mut self) {
        self.signs.clear();
        self.places.clear();
    }

    /// Adds tokens; line ends and comments have no sign.
    pub(super) fn push(&mut self, text: &str, tokens: &[Token]) {
        // The end of the word or number before, behind which a bracket may stand directly.
        let mut word_end = None;
        for token in tokens {
            if matches!(token.kind, Kind::Newline | Kind::Comment) {
                continue;
            }
            let own = &text[token.span.range()];
            match token.kind {
                Kind::Punct if matches!(own, "(" | "[") && word_end == Some(token.span.start) => {
                    self.signs.push('^');
                    self.signs.push_str(own);
                }
                Kind::Punct if own.is_ascii() => self.signs.push_str(own),
                Kind::Word => self.signs.push_str(word(own)),
                Kind::Glob => self.signs.push('G'),
                Kind::Number => self.signs.push(number(own)),
                Kind::Text => self.signs.push('T'),
                Kind::Title => self.signs.push('`'),
                _ => self.signs.push('!'),
            }
            self.signs.push(' ');
            self.places.push(token.span);
            word_end = matches!(token.kind, Kind::Word | Kind::Number).then_some(token.span.end);
        }
    }

    /// Adds a block from its opening to its closing brace.
    pub(super) fn push_block(&mut self, braces: Span) {
        self.signs.push_str("{} ");
        self.places.push(braces);
    }

    /// How many signs end before a byte of `signs`.
    pub(super) fn count(&self, byte: usize) -> usize {
        self.signs.as_bytes().iter().take(byte).filter(|b| **b == b' ').count()
    }
}

fn word(own: &str) -> &str {
    match own.as_bytes() {
        [b'a'..=b'z', ..] if own.len() <= 12 && WORDS.binary_search(&own).is_ok() => own,
        [b'A'..=b'Z', b'A'..=b'Z', b'A'..=b'Z'] => "C",
        [b'_'] => own,
        _ => "I",
    }
}

fn number(own: &str) -> char {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let decimal = |text: &str| match text.split_once('.') {
        Some((whole, part)) => digits(whole) && digits(part),
        None => digits(text),
    };
    if digits(own) {
        return '1';
    }
    if let [year, month, day] = own.split('-').collect::<Vec<_>>().as_slice()
        && (year.len(), month.len(), day.len()) == (4, 2, 2)
        && digits(year)
        && digits(month)
        && digits(day)
    {
        return 'D';
    }
    let bare = own.strip_prefix('-').unwrap_or(own);
    match bare.strip_suffix('%') {
        Some(share) if decimal(share) => '%',
        None if decimal(bare) => '2',
        _ => '!',
    }
}

#[cfg(test)]
mod tests {
    use super::super::tokens::tokens;
    use super::*;

    fn signs(text: &str) -> String {
        let mut line = Line::default();
        line.push(text, &tokens(text).0);
        assert_eq!(line.signs.matches(' ').count(), line.places.len());
        line.signs
    }

    #[test]
    fn each_token_has_its_sign() {
        assert_eq!(
            signs("name <- TITLE . cut( 100 )  else \"x {A}\" `t` # c\n USD é_1 x [A] x[A] UF_*"),
            "I <- I . I ^( 1 ) else T ` C I I [ I ] I ^[ I ] G "
        );
        assert_eq!(signs("1.5 -2 -0.5% 2027-01-31 2x 12"), "2 2 % D ! 1 ");
        assert_eq!(signs("..x ??? ж§ \"open"), ".. I ??? I ! ! ");
        assert_eq!(signs("2027-1-31"), "! ");
    }

    #[test]
    fn the_words_are_those_of_the_grammar() {
        assert!(WORDS.is_sorted());
        let grammar = include_str!("../../../grammar/b2n.pest");
        for word in WORDS {
            assert!(grammar.contains(&format!("{word} \"")), "`{word}` is no word of the grammar");
        }
        for rule in grammar.lines().filter_map(|line| line.strip_prefix("kw_")) {
            let word = rule.split(' ').next().unwrap_or("");
            assert!(WORDS.contains(&word), "`{word}` is missing");
            assert!(rule.ends_with(&format!("= {{ \"{word} \" }}")), "{rule}");
        }
    }
}
