//! From text to tree. The only room that sees the grammar's rules.
//!
//! The way: `tokens` cuts characters, `layout` puts tokens into logical lines and blocks with the help of `cues`, `signs`
//! writes each line in the grammar's alphabet, `grammar` reads that, `tree` makes a piece of the tree of it, `parse`
//! puts the pieces together. Since lines are told apart before any of them is read, a bad one hides nothing of the
//! others; since lines of one shape have the same signs, the grammar reads each shape once.

pub mod ast;
mod cues;
mod faults;
mod format;
mod grammar;
mod habits;
mod layout;
mod parse;
mod signs;
#[cfg(test)]
mod tests;
mod titles;
mod tokens;
mod tree;
mod words;

use crate::lang::finding::Finding;
use crate::lang::text::{SourceText, Span};

pub use format::{FormatError, format};
pub use titles::{Bare, add_titles};

/// Reads a spec. Never fails: what cannot be read is missing from the tree and leaves a finding; findings are in the
/// order of their places.
pub fn parse(text: &SourceText) -> (ast::Spec, Vec<Finding>) {
    let whole = Span::new(0, text.text().len());
    let parsed = parse::read(text.text(), whole, false);
    (parsed.spec, parsed.findings)
}

/// Reads one file of a joined text, with the places of the joined text; a text that is not joined is its only file.
pub fn parse_part(joined: &SourceText, index: usize) -> (ast::Spec, Vec<Finding>) {
    let Some(part) = joined.parts().get(index) else { return parse(joined) };
    let start = part.start as usize;
    let parsed = parse::read(joined.text(), Span::new(start, start + part.file.text().len()), false);
    (parsed.spec, parsed.findings)
}

/// Writes a text as specs do: in quotes, with braces, quotes and backslashes that mean themselves.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '{' => out.push_str("{{"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
