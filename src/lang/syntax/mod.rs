//! From text to tree. The only room that sees the grammar's rules.
//!
//! The way: `tokens` cuts characters, `layout` puts tokens into logical lines and blocks with the help of `cues`,
//! `tree` reads each line by the grammar, `parse` puts the lines together. Since lines are told apart before any of
//! them is read, a bad one hides nothing of the others.

pub mod ast;
mod cues;
mod faults;
mod format;
mod layout;
mod parse;
#[cfg(test)]
mod tests;
mod tokens;
mod tree;
mod words;

use crate::lang::finding::Finding;
use crate::lang::text::SourceText;

pub use format::format;

/// Reads a spec. Never fails: what cannot be read is missing from the tree and leaves a finding; findings are in the
/// order of their places.
pub fn parse(text: &SourceText) -> (ast::Spec, Vec<Finding>) {
    let parsed = parse::read(text);
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
