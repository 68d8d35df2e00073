//! Texts in quotes: escapes, doubled braces and interpolations.

use crate::lang::text::{Span, Spanned};

use super::super::ast::{Expr, Name, TextPart};
use super::super::faults;
use super::super::grammar::{Node, Rule as Is};
use super::super::signs::Line;
use super::super::tokens::{Kind, braced, tokens_in};
use super::Reader;

/// A piece of a text, with its place in the file.
enum Piece<'a> {
    Literal(&'a str),
    Escape(&'a str, Span),
    /// From `{` to `}`.
    Braces(Span),
}

impl<'a> Reader<'a> {
    pub(super) fn text_parts(&mut self, node: Node<'_>) -> Option<Vec<TextPart>> {
        let mut parts: Vec<TextPart> = Vec::new();
        for piece in self.pieces(node) {
            let literal = match piece {
                Piece::Literal(literal) => literal,
                Piece::Escape(escape, span) => self.escape(escape, span),
                Piece::Braces(span) => {
                    parts.push(TextPart::Expr(self.interpolation(span)?));
                    continue;
                }
            };
            match parts.last_mut() {
                Some(TextPart::Literal(before)) => before.push_str(literal),
                _ => parts.push(TextPart::Literal(literal.to_owned())),
            }
        }
        Some(parts)
    }

    /// A text that stands for itself: a code, a label, a reason.
    pub(super) fn plain(&mut self, node: Node<'_>) -> Name {
        let span = self.span(node);
        let inner =
            self.text.get(span.start as usize + 1..(span.end as usize).saturating_sub(1)).unwrap_or("");
        if !inner.bytes().any(|b| matches!(b, b'{' | b'\\')) {
            return Spanned::new(inner.to_owned(), span);
        }
        let mut value = String::with_capacity(span.range().len().saturating_sub(2));
        for piece in self.pieces(node) {
            match piece {
                Piece::Literal(literal) => value.push_str(literal),
                Piece::Escape(escape, span) => value.push_str(self.escape(escape, span)),
                Piece::Braces(span) => {
                    value.push_str(self.text.get(span.range()).unwrap_or(""));
                    self.findings.push(faults::brace_in_name(span));
                }
            }
        }
        Spanned::new(value, span)
    }

    fn pieces(&self, node: Node<'_>) -> Vec<Piece<'a>> {
        let span = self.span(node);
        let (mut at, end) = (span.start as usize + 1, (span.end as usize).saturating_sub(1));
        let mut out = Vec::new();
        let text = self.text.get(..end).unwrap_or("");
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            let length = match rest.as_bytes() {
                [b'{', b'{', ..] => {
                    out.push(Piece::Literal("{"));
                    2
                }
                [b'{', ..] => {
                    let length = braced(rest);
                    out.push(Piece::Braces(Span::new(at, at + length)));
                    length
                }
                [b'\\', ..] => {
                    let length = 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
                    out.push(Piece::Escape(&rest[..length], Span::new(at, at + length)));
                    length
                }
                _ => {
                    let length = rest.find(['{', '\\']).unwrap_or(rest.len());
                    out.push(Piece::Literal(&rest[..length]));
                    length
                }
            };
            at += length;
        }
        out
    }

    fn escape(&mut self, escape: &'a str, span: Span) -> &'a str {
        match escape {
            "\\n" => "\n",
            "\\t" => "\t",
            "\\\"" | "\\\\" => &escape[1..],
            other => {
                self.findings.push(faults::escape(other, span));
                other
            }
        }
    }

    /// The expression between braces, which is a line of its own to the grammar.
    fn interpolation(&mut self, braces: Span) -> Option<Expr> {
        let inner = Span { start: braces.start + 1, end: braces.end.saturating_sub(1) };
        let (mut tokens, _) = tokens_in(self.text, inner);
        for token in &mut tokens {
            // What begins with `#` inside a text is no comment.
            if token.kind == Kind::Comment {
                token.kind = Kind::Open;
            }
        }
        let mut line = Line::default();
        line.push(self.text, &tokens);
        if line.places.is_empty() {
            self.findings.push(faults::empty_braces(braces));
            return None;
        }
        let outer = std::mem::replace(&mut self.line, line);
        let tree = self.read(Is::expression_line);
        let expr = tree.and_then(|tree| self.expression(tree.nodes().next()?));
        self.line = outer;
        expr
    }
}
