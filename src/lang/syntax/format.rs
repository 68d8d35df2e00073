//! One layout for every spec: `b2n fmt`. Works on tokens and the shapes of lines, so that it can lose nothing; lines
//! that were not read, and comments in the middle of an expression, stay as they are.
//!
//! INVARIANT: formatting what was formatted changes nothing, and never changes what a spec says.

use std::collections::HashMap;

use crate::lang::finding::{Finding, registry};
use crate::lang::text::{SourceText, Span};

use super::cues::Cues;
use super::layout::{Layout, Stmt};
use super::parse::{Parsed, read};
use super::tokens::Kind;
use super::tree::Shape;

/// Lines longer than this, in characters, are broken before each trailing clause.
const WIDTH: usize = 100;
/// Arrows stand in columns that this divides.
const STOP: usize = 4;
/// Columns by which a block or a broken line is moved in.
const INDENT: usize = 2;

/// Formats a spec.
///
/// # Errors
/// The findings, where the text cannot be read. What this version does not read yet, clauses out of order, and items
/// that stand twice are no obstacle.
pub fn format(text: &SourceText) -> Result<String, Vec<Finding>> {
    let parsed = read(text.text(), Span::new(0, text.text().len()));
    let harmless = [registry::CLAUSE_ORDER, registry::EDITION, registry::DUPLICATE_ITEM];
    if parsed.findings.iter().any(|finding| !harmless.contains(&finding.code)) {
        return Err(parsed.findings);
    }
    let Parsed { layout, shapes, .. } = &parsed;
    let formatter = Formatter { text: text.text(), layout, cues: layout.cues(text.text()), shapes };
    let mut out = String::with_capacity(text.text().len());
    formatter.block(&mut out, &layout.stmts, 0, 0, layout.tokens.len());
    Ok(out)
}

struct Formatter<'a> {
    text: &'a str,
    layout: &'a Layout,
    cues: Cues<'a>,
    shapes: &'a HashMap<usize, Shape>,
}

/// A line of a block before its arrows are aligned.
enum Line<'a> {
    Blank,
    Comment(&'a str),
    /// Kept as it was, but for its indentation.
    Kept(String),
    Row(Row<'a>),
    /// An item or row with a block, already laid out.
    Block(String),
}

/// A row in pieces.
#[derive(Default)]
struct Row<'a> {
    /// Merged codes that take a line each, before the last one.
    above: Vec<(String, Option<&'a str>)>,
    /// What stands before the arrow, or all of the line up to its clauses.
    left: String,
    /// The arrow and the value.
    right: Option<String>,
    /// The comment behind the value, where clauses follow.
    comment: Option<&'a str>,
    clauses: Vec<(String, Option<&'a str>)>,
    tight: bool,
    /// The comment at the end.
    trailing: Option<&'a str>,
}

impl<'a> Formatter<'a> {
    /// Lays out the statements of a block, whose tokens are those from `from` to before `to`.
    fn block(&self, out: &mut String, stmts: &[Stmt], indent: usize, from: usize, to: usize) {
        let mut lines: Vec<Line<'a>> = Vec::new();
        let mut at = from;
        for stmt in stmts {
            self.gap(&mut lines, at, stmt.first, true);
            lines.push(self.line(stmt, indent));
            at = self.layout.last_token(stmt) + 1;
        }
        self.gap(&mut lines, at, to, false);
        while matches!(lines.last(), Some(Line::Blank)) {
            lines.pop();
        }
        let mut rest = lines.as_slice();
        while !rest.is_empty() {
            let end = rest.iter().position(|line| matches!(line, Line::Blank)).unwrap_or(rest.len());
            group(out, &rest[..end], indent);
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

    fn line(&self, stmt: &Stmt, indent: usize) -> Line<'a> {
        let Some(shape) = self.shapes.get(&stmt.first) else { return Line::Kept(self.kept(stmt, indent)) };
        if let Some(block) = &stmt.block {
            let (Some(open), Some(close)) = (block.open, block.close) else {
                return Line::Kept(self.kept(stmt, indent));
            };
            if stmt.tail.is_some() || self.comments(stmt.first, stmt.last).next().is_some() {
                return Line::Kept(self.kept(stmt, indent));
            }
            let mut out = format!("{} {{", self.join(stmt.first, stmt.last, None));
            // A comment on the head's line stays there; the others go into the block.
            let mut from = open + 1;
            let mut comments = self.comments(stmt.last, open).chain(
                self.layout
                    .tokens
                    .get(from)
                    .filter(|t| t.kind == Kind::Comment)
                    .map(|t| &self.text[t.span.range()]),
            );
            if let Some(comment) = comments.next() {
                out.push_str("  ");
                out.push_str(comment);
            }
            out.push('\n');
            for comment in comments {
                out.push_str(&format!("{:1$}{comment}\n", "", indent + INDENT));
            }
            if self.layout.tokens.get(from).is_some_and(|t| t.kind == Kind::Comment) {
                from += 1;
            }
            self.block(&mut out, &block.stmts, indent + INDENT, from, close);
            out.push_str(&format!("{:indent$}}}", ""));
            return Line::Block(out);
        }
        self.row(stmt, shape).map_or_else(|| Line::Kept(self.kept(stmt, indent)), Line::Row)
    }

    /// Takes a row apart; `None` where a comment stands inside one of the pieces.
    fn row(&self, stmt: &Stmt, shape: &Shape) -> Option<Row<'a>> {
        let codes = if shape.codes.len() > 2 { &shape.codes[1..] } else { &[] };
        let clauses: Vec<usize> = shape.clauses.iter().map(|(_, span)| span.start as usize).collect();
        let in_order = shape.clauses.is_sorted_by_key(|(rank, _)| *rank);
        // Cut the tokens where a code, the arrow or a clause begins.
        let mut pieces: Vec<(usize, usize, Option<&'a str>)> = vec![(stmt.first, stmt.first, None)];
        for (at, token) in self.layout.tokens.iter().enumerate().take(stmt.last + 1).skip(stmt.first + 1) {
            let start = token.span.start as usize;
            let piece = pieces.last_mut()?;
            match token.kind {
                Kind::Newline => {}
                Kind::Comment => {
                    let same_line = self.layout.tokens[at - 1].kind != Kind::Newline;
                    let next = self.layout.tokens[self.cues.skip(at)].span.start as usize;
                    if !same_line
                        || !in_order
                        || piece.2.is_some()
                        || !(codes.binary_search(&next).is_ok() || clauses.binary_search(&next).is_ok())
                    {
                        return None;
                    }
                    piece.2 = Some(&self.text[token.span.range()]);
                }
                _ if shape.arrow == Some(start)
                    || codes.binary_search(&start).is_ok()
                    || clauses.binary_search(&start).is_ok() =>
                {
                    pieces.push((at, at, None));
                }
                _ => piece.1 = at,
            }
        }
        let mut row = Row { tight: shape.tight, ..Row::default() };
        let mut sorted: Vec<(u8, String, Option<&'a str>)> = Vec::new();
        for (first, last, comment) in pieces {
            let start = self.layout.tokens[first].span.start as usize;
            let text = self.join(first, last, shape.wide);
            if let Ok(clause) = clauses.binary_search(&start) {
                sorted.push((shape.clauses[clause].0, text, comment));
            } else if shape.arrow == Some(start) {
                row.right = Some(text);
                row.comment = comment;
            } else {
                if !row.left.is_empty() {
                    let above = std::mem::take(&mut row.left);
                    row.above.push((above, row.comment.take()));
                }
                row.left = text;
                row.comment = comment;
            }
        }
        sorted.sort_by_key(|(rank, ..)| *rank);
        row.clauses = sorted.into_iter().map(|(_, text, comment)| (text, comment)).collect();
        Some(row)
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

    /// Tokens with the blanks that belong between them; two before the one at `wide`.
    fn join(&self, first: usize, last: usize, wide: Option<usize>) -> String {
        let mut out = String::new();
        let mut before: Option<usize> = None;
        for at in first..=last {
            let token = self.layout.tokens[at];
            if matches!(token.kind, Kind::Newline | Kind::Comment) {
                continue;
            }
            if let Some(before) = before {
                if wide == Some(token.span.start as usize) {
                    out.push_str("  ");
                } else if self.apart(before, at) {
                    out.push(' ');
                }
            }
            out.push_str(self.cues.word(at));
            before = Some(at);
        }
        out
    }

    /// Whether a blank goes between two neighbouring tokens.
    fn apart(&self, before: usize, at: usize) -> bool {
        /// Words that no call and no lookup begins with.
        const RESERVED: [&str; 8] = ["when", "labelled", "else", "and", "or", "not", "because", "flag"];
        let tokens = &self.layout.tokens;
        let touching = tokens[before].span.end == tokens[at].span.start;
        let (left, right) = (self.cues.word(before), self.cues.word(at));
        let after_word = tokens[before].kind == Kind::Word;
        let reserved = RESERVED.contains(&left);
        let punct = |at: usize| tokens[at].kind == Kind::Punct;
        match right {
            "," | ")" | "]" | "?" | "." | "|" if punct(at) => return false,
            "(" if after_word && touching => return reserved,
            "(" if after_word => return reserved || matches!(left, "where" | "by" | "fail" | "unmigrated"),
            "[" if after_word => return reserved || !touching,
            "*" if punct(at) => return !touching,
            _ => {}
        }
        match left {
            "(" | "[" | "." | "|" if punct(before) => false,
            "-" | "*" if punct(before) => !touching,
            _ => true,
        }
    }
}

/// Writes lines without a blank one among them, their arrows in one column.
fn group(out: &mut String, lines: &[Line<'_>], indent: usize) {
    let rows = lines.iter().filter_map(|line| match line {
        Line::Row(row) if row.right.is_some() => Some(indent + width(&row.left) + 2),
        _ => None,
    });
    let column = rows.max().map_or(0, |column| column.next_multiple_of(STOP));
    for line in lines {
        match line {
            Line::Blank => {}
            Line::Comment(text) => out.push_str(&format!("{:indent$}{text}", "")),
            Line::Kept(text) | Line::Block(text) => out.push_str(&format!("{:indent$}{text}", "")),
            Line::Row(row) => row.write(out, indent, column),
        }
        out.push('\n');
    }
}

impl Row<'_> {
    fn write(&self, out: &mut String, indent: usize, column: usize) {
        for (text, comment) in &self.above {
            out.push_str(&format!("{:indent$}{text}", ""));
            remark(out, *comment);
            out.push('\n');
        }
        let mut line = format!("{:indent$}{}", "", self.left);
        if let Some(right) = &self.right {
            let gap = column.saturating_sub(width(&line));
            line.push_str(&format!("{:gap$}{right}", ""));
        }
        let between = if self.tight { " " } else { "  " };
        let total: usize = self.clauses.iter().map(|(text, _)| between.len() + width(text)).sum();
        let broken = width(&line) + total > WIDTH
            || self.comment.is_some()
            || self.clauses.iter().any(|(_, comment)| comment.is_some());
        out.push_str(&line);
        remark(out, self.comment);
        for (text, comment) in &self.clauses {
            if broken {
                out.push_str(&format!("\n{:1$}", "", indent + INDENT));
            } else {
                out.push_str(between);
            }
            out.push_str(text);
            remark(out, *comment);
        }
        remark(out, self.trailing);
    }
}

fn remark(out: &mut String, comment: Option<&str>) {
    if let Some(comment) = comment {
        out.push_str("  ");
        out.push_str(comment);
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}
