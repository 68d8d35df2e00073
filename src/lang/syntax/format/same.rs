//! Whether two texts say the same: the same tokens in the same lines and blocks, but for the order of clauses.

use crate::lang::text::Span;

use super::super::layout::{Layout, Stmt, layout};
use super::super::parse::Parsed;
use super::super::tokens::Kind;

/// Whether a laid out text says what the text that it was made of does.
///
/// INVARIANT: the tree is a function of lines, blocks and the tokens in them.
pub(super) fn says_the_same((text, parsed): (&str, &Parsed), out: &str) -> bool {
    let after = layout(out, Span::new(0, out.len()));
    comments(text, &parsed.layout) == comments(out, &after)
        && Pair { text, parsed, out, after: &after }.all(&parsed.layout.stmts, &after.stmts)
}

/// All comments of a text, in no order of their own.
fn comments<'t>(text: &'t str, layout: &Layout) -> Vec<&'t str> {
    let tokens = layout.tokens.iter().filter(|t| t.kind == Kind::Comment);
    let mut comments: Vec<&str> = tokens.map(|t| slice(text, t.span)).collect();
    comments.sort_unstable();
    comments
}

fn slice(text: &str, span: Span) -> &str {
    text.get(span.range()).unwrap_or("")
}

struct Pair<'a> {
    text: &'a str,
    parsed: &'a Parsed,
    out: &'a str,
    after: &'a Layout,
}

impl Pair<'_> {
    fn all(&self, before: &[Stmt], after: &[Stmt]) -> bool {
        before.len() == after.len() && before.iter().zip(after).all(|(before, after)| self.one(before, after))
    }

    fn one(&self, before: &Stmt, after: &Stmt) -> bool {
        let blocks = match (&before.block, &after.block) {
            (None, None) => true,
            (Some(before), Some(after)) => {
                before.context == after.context
                    && before.open.is_some() == after.open.is_some()
                    && before.close.is_some() == after.close.is_some()
                    && self.all(&before.stmts, &after.stmts)
            }
            _ => false,
        };
        let is = words(self.out, self.after, after);
        // The order of clauses may have changed; that of a line which is kept has not.
        blocks
            && (is.clone().eq(words(self.text, &self.parsed.layout, before)) || is.eq(self.in_order(before)))
    }

    /// The tokens of a statement with its clauses in the language's order.
    fn in_order(&self, stmt: &Stmt) -> impl Iterator<Item = &str> {
        let shape = self.parsed.shapes.as_ref().and_then(|shapes| shapes.get(stmt.first));
        let clauses = shape.map_or(&[][..], |shape| &shape.clauses);
        let tokens = ranges(stmt).flat_map(|range| &self.parsed.layout.tokens[range]);
        let tokens = tokens.filter(|token| !matches!(token.kind, Kind::Newline | Kind::Comment));
        let mut words: Vec<(u8, &str)> = tokens
            .map(|token| {
                let begun = clauses.partition_point(|(_, span)| span.start <= token.span.start);
                let clause = begun.checked_sub(1).map(|at| clauses[at]);
                let rank =
                    clause.filter(|(_, span)| token.span.end <= span.end).map_or(0, |(rank, _)| rank + 1);
                (rank, slice(self.text, token.span))
            })
            .collect();
        words.sort_by_key(|(rank, _)| *rank);
        words.into_iter().map(|(_, word)| word)
    }
}

/// The tokens of a statement as they stand.
fn words<'t>(text: &'t str, layout: &'t Layout, stmt: &Stmt) -> impl Iterator<Item = &'t str> + Clone {
    let tokens = ranges(stmt).flat_map(|range| &layout.tokens[range]);
    let tokens = tokens.filter(|token| !matches!(token.kind, Kind::Newline | Kind::Comment));
    tokens.map(|token| slice(text, token.span))
}

/// The tokens of a statement without those of its block.
fn ranges(stmt: &Stmt) -> impl Iterator<Item = std::ops::RangeInclusive<usize>> + Clone + use<> {
    let tail = stmt.tail.map(|(first, last)| first..=last);
    std::iter::once(stmt.first..=stmt.last).chain(tail)
}
