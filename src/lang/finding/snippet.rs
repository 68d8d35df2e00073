//! The part of a line that is shown under a finding: cut to the width, made safe to print, with its labels placed.
//!
//! Knows no renderer. Costs what is shown, not what the line is long.

use super::Label;
use crate::lang::text::{SourceText, Span};

/// Part of one line, with labels in it.
#[derive(Debug)]
pub(super) struct Window {
    /// The line and column of the first label, from 1.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
    /// What is printed; ends in a blank, so that a label at the end has something to stand under.
    pub text: String,
    /// Where in `text` each label stands, in bytes, and what it says. They do not overlap.
    pub labels: Vec<(std::ops::Range<usize>, String)>,
    shown: std::ops::Range<usize>,
    cut_left: bool,
}

/// Characters that would move the cursor, colour the screen or turn the writing direction.
fn unsafe_to_print(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text with every unsafe character but the line feed replaced.
pub(super) fn clean(text: &str) -> String {
    text.chars()
        .filter(|c| *c != '\r')
        .map(|c| match c {
            '\n' => '\n',
            '\t' => ' ',
            _ if unsafe_to_print(c) => '\u{fffd}',
            _ => c,
        })
        .collect()
}

/// How many columns a character takes, near enough to wrap and cut by.
pub(super) fn width(c: char) -> usize {
    match c {
        '\t' => 4,
        '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200d}' | '\u{fe00}'..='\u{fe0f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

/// A span that fits the text, at character boundaries, cut at the end of its first line.
fn clamp(text: &str, span: Span) -> std::ops::Range<usize> {
    let floor = |offset: u32| {
        let mut at = (offset as usize).min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = floor(span.start);
    let end = floor(span.end).max(start);
    let first = text[start..end].find('\n').map_or(end, |at| start + at);
    let first = start + text[start..first].strip_suffix('\r').map_or(first - start, str::len);
    start..first
}

/// Shows labels in as few windows as their places allow; the first label's window comes first.
pub(super) fn windows(file: &SourceText, labels: &[&Label], budget: usize, ellipsis: &str) -> Vec<Window> {
    let mut windows: Vec<Window> = Vec::new();
    for label in labels {
        let span = clamp(file.text(), label.span);
        let position = file.position(u32::try_from(span.start).unwrap_or(u32::MAX));
        let room = windows.iter_mut().find(|window| window.line == position.line && window.fits(file, &span));
        match room {
            Some(window) => window.add(file, &span, &label.text, ellipsis),
            None => {
                let mut window = Window::around(file, &span, budget, ellipsis);
                (window.line, window.column) = (position.line, position.column);
                window.add(file, &span, &label.text, ellipsis);
                windows.push(window);
            }
        }
    }
    windows
}

impl Window {
    fn around(file: &SourceText, span: &std::ops::Range<usize>, budget: usize, ellipsis: &str) -> Window {
        let text = file.text();
        let forwards = |room: usize| {
            let mut used = 0;
            let mut at = span.start;
            for c in text[span.start..].chars() {
                if c == '\n' {
                    break;
                }
                used += width(c);
                if used > room {
                    return (at, room, false);
                }
                at += c.len_utf8();
            }
            (at, used, true)
        };
        let (_, right, whole) = forwards(budget);
        let room = if whole { (budget - right).max(budget / 3) } else { budget / 3 };
        let (mut first, mut left, mut cut_left) = (span.start, 0, false);
        for c in text[..span.start].chars().rev() {
            if c == '\n' {
                break;
            }
            if left + width(c) > room {
                cut_left = true;
                break;
            }
            left += width(c);
            first -= c.len_utf8();
        }
        let (last, _, whole) = forwards(budget - left);
        let mut shown = String::from(if cut_left { ellipsis } else { "" });
        for c in text[first..last].chars() {
            push(&mut shown, c);
        }
        if !whole {
            shown.push_str(ellipsis);
        }
        shown.push(' ');
        Window { line: 1, column: 1, text: shown, labels: Vec::new(), shown: first..last, cut_left }
    }

    /// Whether a span begins in what is shown and touches no label that is there.
    fn fits(&self, file: &SourceText, span: &std::ops::Range<usize>) -> bool {
        let inside = self.shown.start <= span.start && span.start < self.shown.end.max(self.shown.start + 1);
        let place = self.place(file, span, "");
        inside
            && self.labels.iter().all(|(other, _)| {
                place.end.max(place.start + 1) <= other.start || other.end.max(other.start + 1) <= place.start
            })
    }

    fn place(
        &self,
        file: &SourceText,
        span: &std::ops::Range<usize>,
        ellipsis: &str,
    ) -> std::ops::Range<usize> {
        let before = if self.cut_left { ellipsis.len() } else { 0 };
        let printed = |to: usize| {
            let to = to.clamp(self.shown.start, self.shown.end);
            let mut out = String::new();
            file.text()[self.shown.start..to].chars().for_each(|c| push(&mut out, c));
            before + out.len()
        };
        printed(span.start)..printed(span.end)
    }

    fn add(&mut self, file: &SourceText, span: &std::ops::Range<usize>, text: &str, ellipsis: &str) {
        let place = self.place(file, span, ellipsis);
        self.labels.push((place, clean(text).replace('\n', " ")));
    }
}

fn push(out: &mut String, c: char) {
    match c {
        '\t' => out.push_str("    "),
        '\r' => {}
        _ if unsafe_to_print(c) => out.push('\u{fffd}'),
        _ => out.push(c),
    }
}
