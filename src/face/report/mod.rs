//! Reports for people who have no terminal: data becomes a [`Document`], and a document a page.
//!
//! Owns what a report says and how a page looks; must not know how its data came to be, files or terminals.

pub mod handover;
pub mod html;
pub mod migration;
pub mod plan;
pub mod scope;

use crate::lang::doc::{Block, Document};
use crate::run::connect::survey::Counted;

/// A document under way.
struct Paper(Document);

impl Paper {
    fn new(title: impl Into<String>) -> Self {
        Paper(Document { title: title.into(), blocks: Vec::new() })
    }

    fn heading(&mut self, level: u8, text: impl Into<String>) {
        self.0.blocks.push(Block::Heading(level, text.into()));
    }

    fn say(&mut self, text: impl Into<String>) {
        self.0.blocks.push(Block::Paragraph(text.into()));
    }

    fn facts(&mut self, facts: Vec<(&str, String)>) {
        let facts = facts.into_iter().map(|(name, text)| (name.to_owned(), text)).collect();
        self.0.blocks.push(Block::Facts(facts));
    }

    /// A table, or what is to be said where it would be empty.
    fn table(&mut self, head: &[&'static str], rows: Vec<Vec<String>>, otherwise: &str) {
        if rows.is_empty() {
            if !otherwise.is_empty() {
                self.say(otherwise);
            }
        } else {
            self.0.blocks.push(Block::Table { head: head.to_vec(), rows });
        }
    }
}

/// A number with its thousands apart.
fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// A number, or that there is none; why is said elsewhere.
fn counted(counted: &Counted) -> String {
    match counted {
        Counted::Known(known) => number(*known),
        Counted::Unknown(_) => "unknown".to_owned(),
    }
}

/// A number, or why there is none.
fn told(counted: &Counted) -> String {
    match counted {
        Counted::Known(known) => number(*known),
        Counted::Unknown(why) => why.clone(),
    }
}

/// A duration in its two largest units.
fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3_600 => format!("{} min {:02} s", whole / 60, whole % 60),
        3_600..86_400 => format!("{} h {:02} min", whole / 3_600, whole % 3_600 / 60),
        _ => format!("{} d {:02} h", whole / 86_400, whole % 86_400 / 3_600),
    }
}
