//! Rows in pieces: codes, arrow, value, block, clauses and the comments between them; how they are put together.

use crate::lang::text::Span;

use super::super::layout::Stmt;
use super::super::tokens::Kind;
use super::super::tree::Shape;
use super::spacing::width;
use super::{Formatter, INDENT, Line, STOP, WIDTH};

/// A row in pieces.
#[derive(Default)]
pub(super) struct Row<'a> {
    /// Merged codes that take a line each, before the last one.
    above: Vec<(String, Option<&'a str>)>,
    /// What stands before the arrow, or all of the line up to its clauses.
    left: String,
    /// The arrow and the value.
    right: Option<String>,
    /// The comment behind the value, where clauses follow.
    comment: Option<&'a str>,
    /// The lines of its block, from behind `{` to before `}`.
    block: Option<String>,
    /// What is in the braces that end the row, where they do not fit on one line with it.
    record: Vec<String>,
    clauses: Vec<(String, Option<&'a str>)>,
    tight: bool,
    /// The comment at the end.
    pub(super) trailing: Option<&'a str>,
}

/// Tokens from the first to the last, and the comment behind them.
type Piece<'a> = (usize, usize, Option<&'a str>);

impl<'a> Formatter<'a> {
    /// Takes a row apart; `None` where a comment stands inside one of the pieces.
    pub(super) fn row(&self, stmt: &Stmt, shape: &Shape) -> Option<Row<'a>> {
        let mut row = Row { tight: shape.tight, ..Row::default() };
        self.fill(&mut row, shape, self.pieces(stmt.first, stmt.last, shape)?);
        if let Some(record) = shape.record
            && width(&row.left) > WIDTH
        {
            self.break_record(&mut row, stmt, record);
        }
        Some(row)
    }

    /// Takes a row apart that has a block, whose lines are laid out already.
    pub(super) fn row_with_block(&self, stmt: &Stmt, shape: &Shape, inner: String) -> Option<Row<'a>> {
        let close = stmt.block.as_ref()?.close?;
        let mut row = Row::default();
        self.fill(&mut row, shape, self.pieces(stmt.first, stmt.last, shape)?);
        row.right.as_mut()?.push_str(" {");
        row.block = Some(inner);
        let tail = self.pieces(close, stmt.tail.map_or(close, |(_, last)| last), shape)?;
        // The first piece is the brace itself, which no clause may follow without a place of its own.
        let (_, last, comment) = *tail.first()?;
        if last != close {
            return None;
        }
        row.comment = comment;
        let clauses = tail.into_iter().skip(1).map(|(first, last, comment)| {
            let start = self.layout.tokens[first].span.start;
            (shape.clause_at(start).unwrap_or(0), self.join(first, last, None), comment)
        });
        row.set_clauses(clauses.collect());
        Some(row)
    }

    /// Cuts tokens where a code, the arrow or a clause begins.
    fn pieces(&self, first: usize, last: usize, shape: &Shape) -> Option<Vec<Piece<'a>>> {
        let codes = broken_codes(shape);
        let begins = |at: u32| {
            let byte = at as usize;
            shape.arrow == Some(byte) || codes.binary_search(&byte).is_ok() || shape.clause_at(at).is_some()
        };
        let in_order = shape.clauses.is_sorted_by_key(|(rank, _)| *rank);
        let mut pieces: Vec<Piece<'a>> = vec![(first, first, None)];
        for (at, token) in self.layout.tokens.iter().enumerate().take(last + 1).skip(first + 1) {
            let piece = pieces.last_mut()?;
            match token.kind {
                Kind::Newline => {}
                Kind::Comment => {
                    let same_line = self.layout.tokens[at - 1].kind != Kind::Newline;
                    let next = self.layout.tokens.get(self.cues.skip(at))?.span.start;
                    if !same_line
                        || !in_order
                        || piece.2.is_some()
                        || !begins(next)
                        || shape.arrow == Some(next as usize)
                    {
                        return None;
                    }
                    piece.2 = Some(&self.text[token.span.range()]);
                }
                _ if begins(token.span.start) => pieces.push((at, at, None)),
                _ => piece.1 = at,
            }
        }
        Some(pieces)
    }

    fn fill(&self, row: &mut Row<'a>, shape: &Shape, pieces: Vec<Piece<'a>>) {
        let mut clauses: Vec<(u8, String, Option<&'a str>)> = Vec::new();
        for (first, last, comment) in pieces {
            let start = self.layout.tokens[first].span.start;
            let text = self.join(first, last, shape.wide);
            if let Some(rank) = shape.clause_at(start) {
                clauses.push((rank, text, comment));
            } else if shape.arrow == Some(start as usize) {
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
        row.set_clauses(clauses);
    }

    /// Cuts the record that ends a row at its commas.
    fn break_record(&self, row: &mut Row<'a>, stmt: &Stmt, record: Span) {
        let tokens = &self.layout.tokens;
        let Some(open) = (stmt.first..=stmt.last).find(|at| tokens[*at].span.start == record.start) else {
            return;
        };
        let (mut depth, mut from) = (0usize, open + 1);
        for (at, token) in tokens.iter().enumerate().take(stmt.last + 1).skip(open + 1) {
            match self.cues.word(at) {
                _ if token.kind != Kind::Punct => {}
                "(" | "[" | "{" => depth += 1,
                "," if depth == 0 => {
                    row.record.push(self.join_in(from, at, None, 1));
                    from = at + 1;
                }
                ")" | "]" | "}" if depth > 0 => depth -= 1,
                "}" => {
                    if from < at {
                        row.record.push(self.join_in(from, at - 1, None, 1));
                    }
                    break;
                }
                _ => {}
            }
        }
        row.left = self.join(stmt.first, open, None);
    }
}

/// Where codes begin that take a line each, but for the first.
fn broken_codes(shape: &Shape) -> &[usize] {
    if shape.codes.len() > 2 { &shape.codes[1..] } else { &[] }
}

/// Writes lines without a blank one among them, their arrows in one column.
pub(super) fn group(out: &mut String, lines: &[Line<'_>], indent: usize) {
    let rows = lines.iter().filter_map(|line| match line {
        Line::Row(row) if row.right.is_some() => Some(indent + width(&row.left) + 2),
        _ => None,
    });
    let column = rows.max().map_or(0, |column| column.next_multiple_of(STOP));
    for line in lines {
        match line {
            Line::Blank => {}
            Line::Comment(text) => push(out, indent, text),
            Line::Kept(text) | Line::Block(text) => push(out, indent, text),
            Line::Row(row) => row.write(out, indent, column),
        }
        out.push('\n');
    }
}

impl<'a> Row<'a> {
    fn set_clauses(&mut self, mut clauses: Vec<(u8, String, Option<&'a str>)>) {
        clauses.sort_by_key(|(rank, ..)| *rank);
        self.clauses = clauses.into_iter().map(|(_, text, comment)| (text, comment)).collect();
    }

    fn write(&self, out: &mut String, indent: usize, column: usize) {
        for (text, comment) in &self.above {
            push(out, indent, text);
            remark(out, *comment);
            out.push('\n');
        }
        let start = out.len();
        push(out, indent, &self.left);
        if let Some(right) = &self.right {
            let gap = column.saturating_sub(width(&out[start..]));
            push(out, gap, right);
        }
        let mut used = width(&out[start..]);
        if let Some(block) = &self.block {
            out.push_str(block);
            push(out, indent, "}");
            used = indent + 1;
        } else if !self.record.is_empty() {
            for part in &self.record {
                out.push('\n');
                push(out, indent + INDENT, part);
            }
            out.push('\n');
            push(out, indent, "}");
        }
        let between = if self.tight { " " } else { "  " };
        let total: usize = self.clauses.iter().map(|(text, _)| between.len() + width(text)).sum();
        let broken = used + total > WIDTH
            || self.comment.is_some()
            || self.clauses.iter().any(|(_, comment)| comment.is_some());
        remark(out, self.comment);
        for (text, comment) in &self.clauses {
            if broken {
                out.push('\n');
                push(out, indent + INDENT, text);
            } else {
                out.push_str(between);
                out.push_str(text);
            }
            remark(out, *comment);
        }
        remark(out, self.trailing);
    }
}

/// Adds a text behind a number of blanks.
fn push(out: &mut String, blanks: usize, text: &str) {
    out.extend(std::iter::repeat_n(' ', blanks));
    out.push_str(text);
}

fn remark(out: &mut String, comment: Option<&str>) {
    if let Some(comment) = comment {
        out.push_str("  ");
        out.push_str(comment);
    }
}
