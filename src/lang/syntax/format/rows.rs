//! Rows in pieces: codes, arrow, value, block, clauses and the comments between them; how they are put together.

use crate::lang::text::Span;

use super::super::cues::Context;
use super::super::layout::Stmt;
use super::super::tokens::Kind;
use super::super::tree::Shape;
use super::breaking::Place;
use super::spacing::width;
use super::{Formatter, INDENT, Line, STOP, WIDTH};

/// What stands before an arrow and is wider than this is broken where other rows do not fit beside it.
const WIDE_LEFT: usize = 60;

/// A row in pieces.
#[derive(Default)]
pub(super) struct Row<'a> {
    /// Merged codes that take a line each, before the last one.
    above: Vec<(String, Option<&'a str>)>,
    /// What stands before the arrow, or all of the line up to its clauses.
    left: String,
    /// The tokens of that, where they may be broken.
    left_at: Option<(usize, usize)>,
    /// The arrow and the value.
    right: Option<String>,
    /// The tokens of that.
    right_at: Option<(usize, usize)>,
    /// The comment behind the value, where clauses follow.
    comment: Option<&'a str>,
    /// The lines of its block, from behind `{` to before `}`.
    block: Option<String>,
    /// What is in the braces that end the row, where they do not fit on one line with it.
    record: Vec<String>,
    clauses: Vec<Clause<'a>>,
    tight: bool,
    /// The token, by its byte, that two blanks stand before.
    wide: Option<usize>,
    /// The block that it is in.
    context: Option<Context>,
    /// The comment at the end.
    pub(super) trailing: Option<&'a str>,
}

/// A clause: its text, its tokens, and the comment behind it.
type Clause<'a> = (String, (usize, usize), Option<&'a str>);

/// Tokens from the first to the last, and the comment behind them.
type Piece<'a> = (usize, usize, Option<&'a str>);

impl<'a> Formatter<'a> {
    /// Takes a row apart; `None` where a comment stands inside one of the pieces.
    pub(super) fn row(&self, stmt: &Stmt, shape: &Shape, context: Context) -> Option<Row<'a>> {
        let mut row = Row { tight: shape.tight, wide: shape.wide, context: Some(context), ..Row::default() };
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
            (shape.clause_at(start).unwrap_or(0), (self.join(first, last, None), (first, last), comment))
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
        let mut clauses: Vec<(u8, Clause<'a>)> = Vec::new();
        for (first, last, comment) in pieces {
            let start = self.layout.tokens[first].span.start;
            let text = self.join(first, last, shape.wide);
            if let Some(rank) = shape.clause_at(start) {
                clauses.push((rank, (text, (first, last), comment)));
            } else if shape.arrow == Some(start as usize) {
                row.right = Some(text);
                row.right_at = Some((first, last));
                row.comment = comment;
            } else {
                if !row.left.is_empty() {
                    let above = std::mem::take(&mut row.left);
                    row.above.push((above, row.comment.take()));
                }
                row.left = text;
                row.left_at = Some((first, last));
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
        row.left_at = None;
    }

    /// Writes lines without a blank one among them, their arrows in one column.
    pub(super) fn group(&self, out: &mut String, lines: &[Line<'_>], indent: usize) {
        let rows = || {
            lines.iter().filter_map(|line| match line {
                Line::Row(row) => Some((&**row, row.right.as_ref()?)),
                _ => None,
            })
        };
        let taken = |row: &Row<'_>| indent + width(&row.left) + 2;
        let wide = |row: &Row<'_>| {
            let breaks =
                |(first, last)| row.context.is_some_and(|context| self.can_break(first, last, context));
            taken(row) > WIDE_LEFT && row.left_at.is_some_and(breaks)
        };
        let stop = |column: Option<usize>| column.map_or(0, |column| column.next_multiple_of(STOP));
        let mut column = stop(rows().map(|(row, _)| taken(row)).max());
        let narrow = stop(rows().filter(|(row, _)| !wide(row)).map(|(row, _)| taken(row)).max());
        // A long type is broken only where that helps somebody.
        let broken = rows().any(|(row, right)| {
            column + width(right) > WIDTH && (wide(row) || narrow + width(right) <= WIDTH)
        });
        if broken {
            column = narrow;
        }
        for line in lines {
            match line {
                Line::Blank => {}
                Line::Comment(text) => push(out, indent, text),
                Line::Kept(text) | Line::Block(text) => push(out, indent, text),
                Line::Row(row) => {
                    self.write(row, out, indent, column, broken && row.right.is_some() && wide(row))
                }
            }
            out.push('\n');
        }
    }

    fn write(&self, row: &Row<'_>, out: &mut String, indent: usize, column: usize, broken_left: bool) {
        for (text, comment) in &row.above {
            push(out, indent, text);
            remark(out, *comment);
            out.push('\n');
        }
        let place = Place {
            used: indent,
            indent,
            after: 0,
            depth: 0,
            context: row.context.unwrap_or(Context::Other),
            listed: row.right.is_none()
                && row.context.is_some_and(|context| context.has_rules() || context == Context::Order),
            wide: row.wide,
        };
        let start = out.len();
        match row.left_at {
            // Brackets are broken as if what follows took the rest of the line.
            Some((first, last)) if broken_left => {
                push(out, indent, &self.fit(first, last, Place { after: WIDTH, ..place }));
            }
            Some((first, last)) if row.right.is_none() => push(out, indent, &self.fit(first, last, place)),
            _ => push(out, indent, &row.left),
        }
        if let Some(right) = &row.right {
            let used = last_width(&out[start..]);
            let gap = if broken_left { 2 } else { column.saturating_sub(used) };
            match row.right_at.filter(|_| row.block.is_none() && used + gap + width(right) > WIDTH) {
                Some((first, last)) => {
                    push(out, gap, &self.fit(first, last, Place { used: used + gap, ..place }));
                }
                None => push(out, gap, right),
            }
        }
        if let Some(block) = &row.block {
            out.push_str(block);
            push(out, indent, "}");
        } else if !row.record.is_empty() {
            for part in &row.record {
                out.push('\n');
                push(out, indent + INDENT, part);
            }
            out.push('\n');
            push(out, indent, "}");
        }
        let used = last_width(&out[start..]);
        let between = if row.tight { " " } else { "  " };
        let total: usize = row.clauses.iter().map(|(text, ..)| between.len() + width(text)).sum();
        let broken = used + total > WIDTH
            || row.comment.is_some()
            || row.clauses.iter().any(|(_, _, comment)| comment.is_some());
        remark(out, row.comment);
        for (text, (first, last), comment) in &row.clauses {
            if broken {
                let indent = indent + INDENT;
                out.push('\n');
                push(
                    out,
                    indent,
                    &self.fit(*first, *last, Place { used: indent, indent, listed: false, ..place }),
                );
            } else {
                out.push_str(between);
                out.push_str(text);
            }
            remark(out, *comment);
        }
        remark(out, row.trailing);
    }
}

/// Where codes begin that take a line each, but for the first.
fn broken_codes(shape: &Shape) -> &[usize] {
    if shape.codes.len() > 2 { &shape.codes[1..] } else { &[] }
}

impl<'a> Row<'a> {
    fn set_clauses(&mut self, mut clauses: Vec<(u8, Clause<'a>)>) {
        clauses.sort_by_key(|(rank, _)| *rank);
        self.clauses = clauses.into_iter().map(|(_, clause)| clause).collect();
    }
}

/// The columns of a text's last line.
fn last_width(text: &str) -> usize {
    width(text.rsplit('\n').next().unwrap_or(""))
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
