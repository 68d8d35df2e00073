//! From characters to tokens, which is all that layout and formatter look at. Knows no grammar.
//!
//! INVARIANT: tokens are in order, do not overlap, and leave only blanks between them.

use crate::lang::finding::{Applicability, Edit, Finding, Fix, registry};
use crate::lang::text::Span;

use super::faults::Findings;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A run of letters, digits and `_` that does not begin with a digit.
    Word,
    /// A word with `*` in it.
    Glob,
    /// A number with its sign, a percentage or a date.
    Number,
    /// `"…"`
    Text,
    /// `` `…` ``
    Title,
    /// A quote or backtick that is not closed on its line, up to the line's end.
    Open,
    /// Punctuation; `<-`, `->`, `=>`, `==`, `!=`, `<=`, `>=`, `..` and `???` are one token each.
    Punct,
    /// `# …`
    Comment,
    /// One line feed.
    Newline,
}

/// A token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) span: Span,
}

/// Cuts a text into tokens; quotes that are not closed leave findings.
pub(super) fn tokens(text: &str) -> (Vec<Token>, Findings) {
    tokens_in(text, Span::new(0, text.len()))
}

/// Cuts a piece of a text into tokens, whose places are those of the whole text.
pub(super) fn tokens_in(text: &str, piece: Span) -> (Vec<Token>, Findings) {
    let Some(text) = text.get(..piece.range().end) else { return (Vec::new(), Findings::default()) };
    let mut at = piece.range().start;
    let mut out = Vec::with_capacity((text.len() - at) / 5);
    let mut findings = Findings::default();
    while let Some(&byte) = text.as_bytes().get(at) {
        let rest = &text[at..];
        let first = if byte.is_ascii() { char::from(byte) } else { rest.chars().next().unwrap_or('\0') };
        let (kind, length) = match first {
            '\n' => (Kind::Newline, 1),
            ' ' | '\t' | '\r' => {
                at += 1;
                continue;
            }
            c if is_odd_blank(c) => {
                let length = rest.find(|c| !is_odd_blank(c)).unwrap_or(rest.len());
                findings.push(odd_blank(Span::new(at, at + length), &rest[..length]));
                at += length;
                continue;
            }
            '\'' | '“' | '”' | '„' | '«' | '‘' | '’' if quoted_length(rest).is_some() => {
                let length = quoted_length(rest).unwrap_or(1);
                findings.push(other_quotes(at, &rest[..length]));
                (Kind::Open, length)
            }
            '#' => (Kind::Comment, line_length(rest)),
            '"' => match text_length(rest) {
                Ok(length) => (Kind::Text, length),
                Err(open) => {
                    findings.push(unclosed_text(Span::new(at + open, at + open + 1), open == 0));
                    (Kind::Open, line_length(rest))
                }
            },
            '`' if rest.starts_with("```") => {
                findings.push(fence(Span::new(at, at + 3)));
                (Kind::Open, line_length(rest))
            }
            '`' => match rest[1..].find(['`', '\n']) {
                Some(end) if rest.as_bytes()[end + 1] == b'`' => (Kind::Title, end + 2),
                _ => {
                    findings.push(
                        Finding::new(registry::UNCLOSED, "a title is not closed")
                            .at(Span::new(at, at + 1), "this backtick opens it")
                            .help("close the title with a backtick on the same line"),
                    );
                    (Kind::Open, line_length(rest))
                }
            },
            c if c.is_ascii_digit() => (Kind::Number, number_length(rest)),
            '-' if rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit) => {
                (Kind::Number, 1 + number_length(&rest[1..]))
            }
            '*' => (Kind::Glob, glob_length(rest)),
            c if is_word(c) => match word_length(rest) {
                length if rest.as_bytes().get(length) == Some(&b'*') => (Kind::Glob, glob_length(rest)),
                length => (Kind::Word, length),
            },
            c => (Kind::Punct, long_length(rest.as_bytes()).unwrap_or(c.len_utf8())),
        };
        out.push(Token { kind, span: Span::new(at, at + length) });
        at += length;
    }
    (out, findings)
}

fn fence(span: Span) -> Finding {
    Finding::new(registry::UNCLOSED, "a title is not closed")
        .at(span, "these backticks come from Markdown")
        .help("take the line out: it belongs to the document that the spec was copied from")
}

/// Blanks that are not those of a keyboard, and characters that nobody sees.
fn is_odd_blank(c: char) -> bool {
    !c.is_ascii()
        && (c.is_whitespace() || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}'))
}

fn odd_blank(span: Span, run: &str) -> Finding {
    let first = run.chars().next().unwrap_or_default();
    let blank = run.chars().any(char::is_whitespace);
    let (help, title) = if blank {
        ("write an ordinary blank; text from a web page or a table often brings others", "write a blank")
    } else {
        ("take it out; text from a web page or a table often brings such characters", "take it out")
    };
    Finding::new(registry::UNEXPECTED_TOKEN, "a character that cannot be seen stands here")
        .at(span, format!("U+{:04X}", u32::from(first)))
        .help(help)
        .fix(Fix {
            title: title.to_owned(),
            edits: vec![Edit { span, text: if blank { " ".to_owned() } else { String::new() } }],
            applicability: Applicability::Safe,
        })
}

/// The length of a text in quotes of another kind, where it is closed on its line.
fn quoted_length(rest: &str) -> Option<usize> {
    let mut chars = rest.char_indices();
    let (_, open) = chars.next()?;
    let closes = |c: char| match open {
        '\'' => c == '\'',
        '«' => c == '»',
        '“' | '„' | '”' => matches!(c, '”' | '“' | '"'),
        _ => matches!(c, '’' | '‘' | '\''),
    };
    let line = chars.take_while(|(_, c)| *c != '\n');
    line.into_iter().find(|(_, c)| closes(*c)).map(|(at, c)| at + c.len_utf8())
}

/// A text in quotes that are not the language's; its end may be one that is.
fn other_quotes(at: usize, quoted: &str) -> Finding {
    let open = quoted.chars().next().map_or(0, char::len_utf8);
    let close = quoted.chars().next_back().map_or(0, char::len_utf8);
    let end = quoted.len() - close;
    let finding = Finding::new(registry::UNEXPECTED_TOKEN, "a text stands in quotes of another kind")
        .at(Span::new(at, at + quoted.len()), "texts stand in `\"`")
        .help("write `\"` at both ends");
    if end < open || quoted[open..end].contains(['"', '\\']) {
        return finding;
    }
    let edit = |start: usize, length: usize| Edit {
        span: Span::new(at + start, at + start + length),
        text: "\"".to_owned(),
    };
    finding.fix(Fix {
        title: "write the text in `\"`".to_owned(),
        edits: vec![edit(0, open), edit(end, close)],
        applicability: Applicability::Likely,
    })
}

/// The length of a sign of several characters.
fn long_length(rest: &[u8]) -> Option<usize> {
    Some(match rest {
        [b'?', b'?', b'?', ..] => 3,
        [b'<', b'-' | b'=', ..] | [b'-', b'>', ..] | [b'=', b'>' | b'=', ..] => 2,
        [b'!' | b'>', b'=', ..] | [b'.', b'.', ..] => 2,
        _ => return None,
    })
}

fn word_length(rest: &str) -> usize {
    let ascii = rest.bytes().position(|b| !(b.is_ascii_alphanumeric() || b == b'_')).unwrap_or(rest.len());
    match rest.as_bytes().get(ascii) {
        Some(b) if !b.is_ascii() => rest[ascii..].find(|c| !is_word(c)).map_or(rest.len(), |n| ascii + n),
        _ => ascii,
    }
}

fn glob_length(rest: &str) -> usize {
    rest.find(|c| !is_word(c) && c != '*').unwrap_or(rest.len())
}

/// The first token of a text that begins with one; at most some forty characters of it.
pub(super) fn first(rest: &str) -> Option<&str> {
    let cut = rest.char_indices().nth(40).map_or(rest, |(at, _)| &rest[..at]);
    let token = *tokens(cut).0.first()?;
    (token.span.start == 0 && token.kind != Kind::Newline).then(|| &cut[token.span.range()])
}

/// Whether a character may stand in a name.
pub(super) fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// The length of the line without its ending and blanks before that.
fn line_length(rest: &str) -> usize {
    let line = rest.find('\n').map_or(rest, |end| &rest[..end]);
    line.trim_end().len()
}

/// The length of a text that begins here, quotes included; or, where it is not closed on its line, the offset of the
/// quote or brace to blame. Texts may stand inside the `{…}` of others.
fn text_length(rest: &str) -> Result<usize, usize> {
    let bytes = rest.as_bytes();
    // Most texts hold nothing that needs a second look.
    let special = bytes.iter().skip(1).position(|b| matches!(b, b'"' | b'\\' | b'{' | b'\n'));
    if let Some(end) = special.map(|n| n + 1).filter(|end| bytes[*end] == b'"') {
        return Ok(end + 1);
    }
    let mut open: Vec<usize> = Vec::new();
    let mut at = 0;
    while at < bytes.len() && bytes[at] != b'\n' {
        let in_text = open.last().is_some_and(|o| bytes[*o] == b'"');
        match bytes[at] {
            b'"' if in_text => {
                open.pop();
                if open.is_empty() {
                    return Ok(at + 1);
                }
            }
            b'"' => open.push(at),
            b'\\' if in_text && bytes.get(at + 1).is_some_and(|b| *b != b'\n') => at += 1,
            b'{' if in_text && bytes.get(at + 1) == Some(&b'{') => at += 1,
            b'{' => open.push(at),
            b'}' if !in_text => {
                open.pop();
            }
            _ => {}
        }
        at += 1;
    }
    Err(open.iter().copied().find(|o| bytes[*o] == b'{').unwrap_or(0))
}

/// The length of a `{…}` that begins here and is known to be closed; texts may stand in it.
pub(super) fn braced(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let mut open: Vec<u8> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let in_text = open.last() == Some(&b'"');
        match bytes[at] {
            b'"' if in_text => {
                open.pop();
            }
            b'\\' if in_text => at += 1,
            b'{' if in_text && bytes.get(at + 1) == Some(&b'{') => at += 1,
            b'"' | b'{' => open.push(bytes[at]),
            b'}' if !in_text => {
                open.pop();
                if open.is_empty() {
                    return at + 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    rest.len()
}

/// How deep brackets and texts nest inside a text, and how many operators one of its interpolations may hold at most.
pub(super) fn weight(text: &str) -> (usize, usize) {
    let bytes = text.as_bytes();
    if !bytes.contains(&b'{') {
        return (1, 0);
    }
    let mut open: Vec<u8> = Vec::new();
    let (mut deepest, mut operators, mut at) = (0, 0, 0);
    while at < bytes.len() {
        let in_text = open.last() == Some(&b'"');
        match bytes[at] {
            b'"' if in_text => {
                open.pop();
            }
            b'\\' if in_text => at += 1,
            b'{' if in_text && bytes.get(at + 1) == Some(&b'{') => at += 1,
            b'"' | b'{' => open.push(bytes[at]),
            b'(' | b'[' if !in_text => open.push(bytes[at]),
            b'}' | b')' | b']' if !in_text => {
                open.pop();
            }
            b' ' | b'\t' | b'\r' | b'.' if !in_text => operators += 1,
            _ => {}
        }
        deepest = deepest.max(open.len());
        at += 1;
    }
    (deepest, operators)
}

fn unclosed_text(span: Span, quote: bool) -> Finding {
    if quote {
        Finding::new(registry::UNCLOSED, "a text is not closed on its line")
            .at(span, "this quote opens it")
            .help("close the text with `\"` on the same line; inside a text a quote is written `\\\"`")
    } else {
        Finding::new(registry::UNCLOSED, "`{` inside a text is not closed on its line")
            .at(span, "this brace opens it")
            .help("close the interpolation with `}`, or write `{{` for a brace itself")
    }
}

/// The length of `100`, `1500.00`, `0.5%` or `2027-01-31`; letters that follow directly belong to it too, so that
/// `2x` is one bad token and not two good ones.
fn number_length(rest: &str) -> usize {
    let digits = |from: usize| rest[from..].find(|c: char| !is_word(c)).map_or(rest.len(), |n| from + n);
    let digit_at = |at: usize| rest.as_bytes().get(at).is_some_and(u8::is_ascii_digit);
    let mut end = digits(0);
    for separator in [b'.', b'-', b'-'] {
        if rest.as_bytes().get(end) == Some(&separator) && digit_at(end + 1) {
            end = digits(end + 1);
        }
    }
    if rest[end..].starts_with('%') { end + 1 } else { end }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<(Kind, &str)> {
        tokens(text).0.iter().map(|t| (t.kind, &text[t.span.range()])).collect()
    }

    #[test]
    fn tokens_are_cut_where_people_see_them() {
        assert_eq!(cut("UF_*_ё,*-1.5<=")[..3].iter().map(|t| t.1).collect::<Vec<_>>(), ["UF_*_ё", ",", "*"]);
        assert_eq!(cut("-1.5<=B2N-L204 ???")[..2], [(Kind::Number, "-1.5"), (Kind::Punct, "<=")]);
        assert_eq!(
            cut("a <- \"x {B.f(\"y\")} {{ \\\"\" `т` 0.5%# c\r\n2027-01-31..d"),
            [
                (Kind::Word, "a"),
                (Kind::Punct, "<-"),
                (Kind::Text, "\"x {B.f(\"y\")} {{ \\\"\""),
                (Kind::Title, "`т`"),
                (Kind::Number, "0.5%"),
                (Kind::Comment, "# c"),
                (Kind::Newline, "\n"),
                (Kind::Number, "2027-01-31"),
                (Kind::Punct, ".."),
                (Kind::Word, "d"),
            ]
        );
    }

    #[test]
    fn what_is_not_closed_is_placed_at_its_opening() {
        for (text, at) in
            [("a \"b\nc", 2), ("a `b\nc", 2), ("\"ok\" \"a {B\"\nc", 8), ("\"", 0), ("\"a\\", 0)]
        {
            let findings = tokens(text).1.sorted();
            assert_eq!(findings.len(), 1, "{text:?}");
            assert_eq!(findings[0].label.as_ref().map(|l| l.span.start), Some(at), "{text:?}");
        }
    }
}
