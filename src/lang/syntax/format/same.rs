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
    let comments = |text, layout: &Layout| {
        let tokens = layout.tokens.iter().filter(|t| t.kind == Kind::Comment);
        let mut comments: Vec<String> = tokens.map(|t| str::to_owned(slice(text, t.span))).collect();
        comments.sort_unstable();
        comments
    };
    comments(text, &parsed.layout) == comments(out, &after)
        && Pair { text, parsed, out, after: &after }.all(&parsed.layout.stmts, &after.stmts)
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
        let clauses = self.parsed.shapes.get(&before.first).map_or(&[][..], |shape| &shape.clauses);
        let mut was: Vec<(u8, &str)> = Vec::new();
        for range in ranges(before) {
            for token in &self.parsed.layout.tokens[range] {
                if !matches!(token.kind, Kind::Newline | Kind::Comment) {
                    let begun = clauses.partition_point(|(_, span)| span.start <= token.span.start);
                    let clause = begun.checked_sub(1).map(|at| clauses[at]);
                    let rank =
                        clause.filter(|(_, span)| token.span.end <= span.end).map_or(0, |(rank, _)| rank + 1);
                    was.push((rank, slice(self.text, token.span)));
                }
            }
        }
        let is = ranges(after).into_iter().flat_map(|range| &self.after.tokens[range]);
        let is = is.filter(|token| !matches!(token.kind, Kind::Newline | Kind::Comment));
        let is = is.map(|token| slice(self.out, token.span));
        // A line that is kept keeps the order of its clauses too.
        let kept = is.clone().eq(was.iter().map(|(_, text)| *text));
        was.sort_by_key(|(rank, _)| *rank);
        blocks && (kept || is.eq(was.iter().map(|(_, text)| *text)))
    }
}

/// The tokens of a statement without those of its block.
fn ranges(stmt: &Stmt) -> Vec<std::ops::RangeInclusive<usize>> {
    let mut out = vec![stmt.first..=stmt.last];
    out.extend(stmt.tail.map(|(first, last)| first..=last));
    out
}
