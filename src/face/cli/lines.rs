//! Lines that fit: on a terminal, a long one is broken under a hanging indent. Elsewhere every line stays whole, for
//! whoever searches it.
//!
//! Knows nothing of what the lines say.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Prints a line for people.
macro_rules! say {
    ($terminal:expr, $($words:tt)*) => {
        print!("{}", $terminal.laid(format!($($words)*) + "\n"))
    };
}
/// Prints lines for people, which end by themselves.
macro_rules! tell {
    ($terminal:expr, $($words:tt)*) => {
        print!("{}", $terminal.laid(format!($($words)*)))
    };
}
pub(super) use {say, tell};

/// Columns that a text takes: a Chinese character and an emoji take two, a colour none.
pub fn columns(text: &str) -> usize {
    if !text.contains('\u{1b}') {
        return text.width();
    }
    let mut plain = String::with_capacity(text.len());
    let mut inside = false;
    for c in text.chars() {
        match c {
            '\u{1b}' => inside = true,
            _ if inside => inside = !c.is_ascii_alphabetic(),
            _ => plain.push(c),
        }
    }
    plain.width()
}

/// The text with no line wider than this, but for a word that is wider by itself.
pub fn fold(text: &str, width: usize) -> String {
    let mut out = String::with_capacity(text.len());
    for whole in text.split_inclusive('\n') {
        let line = whole.strip_suffix('\n').unwrap_or(whole);
        if columns(line) <= width {
            out.push_str(line);
        } else {
            out.push_str(&folded(line, width));
        }
        if line.len() < whole.len() {
            out.push('\n');
        }
    }
    out
}

/// A line that is being broken.
struct Folding {
    out: String,
    column: usize,
    width: usize,
    hang: usize,
    /// Nothing stands on this line yet.
    fresh: bool,
}

impl Folding {
    fn put(&mut self, gap: usize, word: &str) {
        let wide = columns(word);
        if !self.fresh && self.column + gap + wide > self.width {
            self.out.push('\n');
            self.blanks(self.hang);
            (self.column, self.fresh) = (self.hang, true);
        } else if !self.fresh {
            self.blanks(gap);
            self.column += gap;
        }
        self.out.push_str(word);
        self.column += wide;
        self.fresh = false;
    }

    fn blanks(&mut self, number: usize) {
        self.out.extend(std::iter::repeat_n(' ', number));
    }
}

fn folded(line: &str, width: usize) -> String {
    let body = line.trim_start_matches(' ');
    let indent = line.len() - body.len();
    let words = split(body, keeps(body));
    let mut folding = Folding {
        out: String::with_capacity(line.len() + 16),
        column: indent,
        width,
        hang: hang(&words, indent, width),
        fresh: true,
    };
    folding.blanks(indent);
    for (gap, word) in words {
        if folding.hang + columns(word) <= width {
            folding.put(gap, word);
            continue;
        }
        // Too much for any line: broken wherever that can be.
        for (index, (inner, piece)) in split(word, |_, _, _| false).into_iter().enumerate() {
            for (at, part) in ideographs(piece).into_iter().enumerate() {
                let before = if at > 0 {
                    0
                } else if index > 0 {
                    inner
                } else {
                    gap
                };
                folding.put(before, part);
            }
        }
    }
    folding.out
}

/// Where the following lines begin: below the value of a line such as `source      acme`, else two further in.
fn hang(words: &[(usize, &str)], indent: usize, width: usize) -> usize {
    let mut column = indent;
    for (gap, word) in words {
        if *gap >= 2 && column + gap <= width / 3 {
            return column + gap;
        }
        column += gap + columns(word);
    }
    (indent + 2).min(width / 2)
}

/// Whether a blank must not be broken at, by its line, its place and what follows it: one of a command in backticks, one
/// between the thousands of a number.
fn keeps(body: &str) -> impl Fn(&str, usize, usize) -> bool {
    let quoted = body.matches('`').count().is_multiple_of(2);
    move |body, from, to| {
        let (before, after) = (&body[..from], &body[to..]);
        let inside = quoted && !before.matches('`').count().is_multiple_of(2);
        let digits = after.chars().take_while(char::is_ascii_digit).count();
        let thousands = to - from == 1 && before.ends_with(|c: char| c.is_ascii_digit()) && digits == 3;
        inside || thousands
    }
}

/// Words, each with the number of blanks before it.
fn split(body: &str, keeps: impl Fn(&str, usize, usize) -> bool) -> Vec<(usize, &str)> {
    let mut words = Vec::new();
    let (mut gap, mut start, mut at) = (0, 0, 0);
    while let Some(found) = body[at..].find(' ') {
        let from = at + found;
        let to = from + body[from..].bytes().take_while(|byte| *byte == b' ').count();
        at = to;
        if keeps(body, from, to) {
            continue;
        }
        if from > start {
            words.push((gap, &body[start..from]));
            gap = 0;
        }
        gap += to - from;
        start = to;
    }
    if start < body.len() {
        words.push((gap, &body[start..]));
    }
    words
}

/// A word in parts that may stand on different lines: writing without blanks is broken between any two signs.
fn ideographs(word: &str) -> Vec<&str> {
    let breaks = |c: char| {
        c.width() == Some(2)
            && matches!(c, '\u{2e80}'..='\u{d7af}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}' | '\u{20000}'..='\u{3ffff}')
    };
    let (mut parts, mut start, mut before) = (Vec::new(), 0, None);
    for (at, c) in word.char_indices() {
        if before.is_some_and(breaks) && breaks(c) {
            parts.push(&word[start..at]);
            start = at;
        }
        before = Some(c);
    }
    parts.push(&word[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn long_lines_are_broken_under_a_hanging_indent() {
        let line = "  deal: 48 210 left out, because `b2n approve acme.b2n` says so and nothing else does";
        assert_eq!(
            fold(line, 40),
            "  deal: 48 210 left out, because\n    `b2n approve acme.b2n` says so and\n    nothing else does"
        );
        assert_eq!(fold(line, 200), line);
        assert_eq!(fold("  source      one two three four\n", 22), "  source      one two\n    three four\n");
        assert_eq!(fold("  at  one two three four\n", 18), "  at  one two\n      three four\n");
        assert_eq!(fold("公司公司 公司公司", 8), "公司公司\n  公司公\n  司");
        assert_eq!(fold("\u{1b}[1mabc\u{1b}[0m def", 7), "\u{1b}[1mabc\u{1b}[0m def");
    }

    proptest! {
        #[test]
        fn no_line_is_wider_and_nothing_is_lost(
            text in "( {0,4}([a-z`0-9]{1,6}|[公司測試]{1,9}|👩|é){1,2} {1,3}){0,14}\n?",
            width in 20usize..90,
        ) {
            let folded = fold(&text, width);
            for line in folded.lines() {
                prop_assert!(columns(line) <= width, "{:?} is {} wide", line, columns(line));
            }
            let signs = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            prop_assert_eq!(signs(&text), signs(&folded));
            prop_assert_eq!(fold(&folded, width), folded);
        }
    }
}
