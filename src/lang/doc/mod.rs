//! The mapping document that a customer signs: what becomes of every field, value, stage and user.
//!
//! Made of a plan, the two schemas and what was agreed to alone, so it cannot say anything else than what a run does. The document is data
//! ([`Document`]); [`markdown`] and [`html`] write it. The same inputs always give the same bytes.

mod build;
mod fields;
pub mod html;
pub mod markdown;
mod tables;
mod words;

pub use build::{Agreed, Input, build};

/// A document: blocks under a title.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its title.
    pub title: String,
    /// What stands in it, in order.
    pub blocks: Vec<Block>,
}

/// A piece of a document. All texts are plain: renderers escape them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// A heading; the level counts from 2, since 1 is the title.
    Heading(u8, String),
    /// A paragraph.
    Paragraph(String),
    /// Names with what they are.
    Facts(Vec<(String, String)>),
    /// A table; every row has as many cells as the head, and a line feed in a cell is a new line in it.
    Table {
        /// The head.
        head: Vec<&'static str>,
        /// The rows.
        rows: Vec<Vec<String>>,
    },
    /// Lines to sign on, each for a role.
    Signatures(Vec<&'static str>),
}

impl Document {
    fn heading(&mut self, level: u8, text: impl Into<String>) {
        self.blocks.push(Block::Heading(level, text.into()));
    }

    fn paragraph(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Paragraph(text.into()));
    }

    /// Adds a table; one without rows is left out.
    fn table(&mut self, head: &[&'static str], rows: Vec<Vec<String>>) {
        if !rows.is_empty() {
            self.blocks.push(Block::Table { head: head.to_vec(), rows });
        }
    }
}

#[cfg(test)]
mod tests;
