//! One layout for every spec: `b2n fmt`. Works on tokens and the shapes of lines, so that it can lose nothing; lines
//! that were not read, and comments in the middle of an expression, stay as they are.
//!
//! INVARIANT: formatting what was formatted changes nothing, and never changes what a spec says.

mod breaking;
mod rows;
mod same;
mod spacing;

use std::ops::Range;

use crate::lang::finding::{Finding, registry};
use crate::lang::text::{SourceText, Span};

use super::cues::{Context, Cues};
use super::layout::{Layout, Stmt};
use super::parse::{LineShapes, Parsed, read};
use super::tokens::Kind;

use rows::Row;

/// Lines longer than this, in columns, are broken: before each trailing clause, then inside of brackets.
const WIDTH: usize = 100;
/// Arrows stand in columns that this divides.
const STOP: usize = 4;
/// Columns by which a block or a broken line is moved in.
const INDENT: usize = 2;

/// Why a text is not laid out.
#[derive(Clone, Debug, PartialEq)]
pub enum FormatError {
    /// It cannot be read: the findings.
    Unreadable(Vec<Finding>),
    /// Laid out it would say something else, which is a fault of the formatter.
    WouldChange,
}

/// Formats a spec.
///
/// # Errors
/// The findings, where the text cannot be read. Clauses out of order, an edition that is missing, and items that stand
/// twice are no obstacle. [`FormatError::WouldChange`] where the outcome would not say the same.
pub fn format(text: &SourceText) -> Result<String, FormatError> {
    let text = text.text();
    let parsed = read(text, Span::new(0, text.len()), true);
    let harmless = [registry::CLAUSE_ORDER, registry::EDITION, registry::DUPLICATE_ITEM];
    if parsed.findings.iter().any(|finding| !harmless.contains(&finding.code)) {
        return Err(FormatError::Unreadable(parsed.findings));
    }
    let out = laid_out(text, &parsed);
    compared(text, &parsed, out)
}

/// What a spec says matters more than how it looks.
fn compared(text: &str, parsed: &Parsed, out: String) -> Result<String, FormatError> {
    if out == text || same::says_the_same((text, parsed), &out) {
        Ok(out)
    } else {
        Err(FormatError::WouldChange)
    }
}

fn laid_out(text: &str, parsed: &Parsed) -> String {
    let Parsed { layout, shapes: Some(shapes), .. } = parsed else { return text.to_owned() };
    let formatter = Formatter { text, layout, cues: layout.cues(text), shapes };
    let mut out = String::with_capacity(text.len());
    formatter.block(&mut out, &layout.stmts, Context::Top, 0, 0..layout.tokens.len());
    out
}

struct Formatter<'a> {
    text: &'a str,
    layout: &'a Layout,
    cues: Cues<'a>,
    shapes: &'a LineShapes,
}

/// A line of a block before its arrows are aligned.
enum Line<'a> {
    Blank,
    Comment(&'a str),
    /// Kept as it was, but for its indentation.
    Kept(String),
    Row(Box<Row<'a>>),
    /// An item or row with a block, already laid out.
    Block(String),
}

fn boxed(row: Row<'_>) -> Line<'_> {
    Line::Row(Box::new(row))
}

impl<'a> Formatter<'a> {
    /// Lays out the statements of a block, which has these tokens.
    fn block(&self, out: &mut String, stmts: &[Stmt], context: Context, indent: usize, tokens: Range<usize>) {
        let mut lines: Vec<Line<'a>> = Vec::new();
        let (mut at, to) = (tokens.start, tokens.end);
        for stmt in stmts {
            self.gap(&mut lines, at, stmt.first, true);
            lines.push(self.line(stmt, context, indent));
            at = self.layout.last_token(stmt) + 1;
        }
        self.gap(&mut lines, at, to, false);
        while matches!(lines.last(), Some(Line::Blank)) {
            lines.pop();
        }
        let mut rest = lines.as_slice();
        while !rest.is_empty() {
            let end = rest.iter().position(|line| matches!(line, Line::Blank)).unwrap_or(rest.len());
            self.group(out, &rest[..end], indent);
            if end < rest.len() {
                out.push('\n');
            }
            rest = rest.get(end + 1..).unwrap_or(&[]);
        }
    }

    /// Comments and blank lines between statements.
    fn gap(&self, lines: &mut Vec<Line<'a>>, from: usize, to: usize, before_stmt: bool) {
        let mut newlines = 0;
        let blank = |lines: &mut Vec<Line<'a>>, newlines: usize| {
            if newlines > 1 && !matches!(lines.last(), None | Some(Line::Blank)) {
                lines.push(Line::Blank);
            }
        };
        for token in &self.layout.tokens[from..to] {
            match token.kind {
                Kind::Newline => newlines += 1,
                Kind::Comment => {
                    let comment = &self.text[token.span.range()];
                    match lines.last_mut() {
                        Some(Line::Row(row)) if newlines == 0 => row.trailing = Some(comment),
                        Some(Line::Kept(text) | Line::Block(text)) if newlines == 0 => {
                            text.push_str("  ");
                            text.push_str(comment);
                        }
                        _ => {
                            blank(lines, newlines);
                            lines.push(Line::Comment(comment));
                        }
                    }
                    newlines = 0;
                }
                _ => {}
            }
        }
        if before_stmt {
            blank(lines, newlines);
        }
    }

    fn line(&self, stmt: &Stmt, context: Context, indent: usize) -> Line<'a> {
        let Some(shape) = self.shapes.get(stmt.first) else { return Line::Kept(self.kept(stmt, indent)) };
        let line = match &stmt.block {
            None => self.row(stmt, shape, context).map(boxed),
            Some(block) if block.context == Context::Each => {
                let inner = self.inner(stmt, indent);
                inner.and_then(|inner| self.row_with_block(stmt, shape, inner)).map(boxed)
            }
            Some(_) if stmt.tail.is_some() => None,
            Some(_) => self.inner(stmt, indent).map(|inner| {
                Line::Block(format!("{} {{{inner}{:indent$}}}", self.join(stmt.first, stmt.last, None), ""))
            }),
        };
        line.unwrap_or_else(|| Line::Kept(self.kept(stmt, indent)))
    }

    /// What stands between a statement's braces, from behind the first one to the line of the last one.
    fn inner(&self, stmt: &Stmt, indent: usize) -> Option<String> {
        let block = stmt.block.as_ref()?;
        let (open, close) = (block.open?, block.close?);
        if self.comments(stmt.first, stmt.last).next().is_some() {
            return None;
        }
        let mut out = String::new();
        // A comment on the head's line stays there; the others go into the block.
        let mut from = open + 1;
        let on_line = self.layout.tokens.get(from).filter(|t| t.kind == Kind::Comment);
        let mut comments = self.comments(stmt.last, open).chain(on_line.map(|t| &self.text[t.span.range()]));
        if let Some(comment) = comments.next() {
            out.push_str("  ");
            out.push_str(comment);
        }
        out.push('\n');
        for comment in comments {
            out.push_str(&format!("{:1$}{comment}\n", "", indent + INDENT));
        }
        if on_line.is_some() {
            from += 1;
        }
        self.block(&mut out, &block.stmts, block.context, indent + INDENT, from..close);
        Some(out)
    }

    fn comments(&self, first: usize, last: usize) -> impl Iterator<Item = &'a str> {
        let (text, tokens) = (self.text, &self.layout.tokens[first..=last]);
        tokens.iter().filter(|t| t.kind == Kind::Comment).map(move |t| &text[t.span.range()])
    }

    /// A statement as it was, moved so that its first line has the block's indentation.
    fn kept(&self, stmt: &Stmt, indent: usize) -> String {
        let whole = self.layout.whole(stmt);
        let text = &self.text[whole.range()];
        let before = &self.text[..whole.start as usize];
        let line = before.rsplit('\n').next().unwrap_or("");
        let was = if line.trim().is_empty() { line.chars().count() } else { indent };
        let mut out = String::with_capacity(text.len());
        for (number, line) in text.lines().enumerate() {
            let line = line.trim_end();
            if number == 0 {
                out.push_str(line);
                continue;
            }
            out.push('\n');
            let bare = line.trim_start();
            if !bare.is_empty() {
                let column = (line.chars().count() - bare.chars().count() + indent).saturating_sub(was);
                out.push_str(&format!("{:column$}{bare}", ""));
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_say_something_else_is_an_error() {
        let text = "edition 2026\nmap a -> B {\n  x <- A  # c\n  y <- B\n}\n";
        let parsed = read(text, Span::new(0, text.len()), true);
        for other in [
            text.replace("x <- A", "x <- B"),
            text.replace("  y <- B\n", ""),
            text.replace("  # c", ""),
            text.replace("# c", "# d"),
            text.replace("\n  y", " y"),
            text.replace("map a", "map b"),
        ] {
            assert_eq!(compared(text, &parsed, other.clone()), Err(FormatError::WouldChange), "{other}");
        }
        assert_eq!(compared(text, &parsed, text.to_owned()), Ok(text.to_owned()));
    }
}
