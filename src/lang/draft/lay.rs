//! The text of a draft, and the place of every line in it.

use std::collections::BTreeSet;
use std::ops::Range;

use super::page::{Account, Block, Decision, Group, Page, Rule, Slot, Table};

/// A text and where its lines stand, in bytes.
#[derive(Clone, Debug, Default)]
pub struct Laid {
    /// The spec.
    pub text: String,
    /// Every line with ways, in the order of the text.
    pub places: Vec<(Range<usize>, Slot)>,
}

impl Laid {
    /// The line that a byte belongs to.
    pub fn slot(&self, at: usize) -> Option<Slot> {
        let index = self.places.partition_point(|(range, _)| range.end <= at);
        self.places.get(index).filter(|(range, _)| range.contains(&at)).map(|(_, slot)| *slot)
    }

    fn line(&mut self, text: &str, slot: Slot) {
        let start = self.text.len();
        self.text.push_str(text);
        self.text.push('\n');
        self.places.push((start..self.text.len(), slot));
    }
}

impl Page {
    /// The text as it stands now.
    pub fn lay(&self) -> Laid {
        let mut out = Laid { text: self.head.clone(), places: Vec::new() };
        let wanted: BTreeSet<usize> = self
            .blocks
            .iter()
            .filter(|block| !block.off)
            .flat_map(|block| block.rules.iter().filter_map(Decision::rule).flat_map(Rule::tables))
            .collect();
        for (index, table) in self.tables.iter().enumerate() {
            if !table.off && (!table.on_demand || wanted.contains(&index)) {
                lay_table(&mut out, table, Slot::Table(index), |row| Slot::TableRow(index, row));
            }
        }
        for (index, pipeline) in self.pipelines.iter().enumerate().filter(|(_, pipeline)| !pipeline.off) {
            lay_table(&mut out, pipeline, Slot::Pipeline(index), |row| Slot::PipelineRow(index, row));
        }
        for (index, (_, split)) in self.splits.iter().enumerate() {
            if let Some(text) = split.text() {
                out.text.push('\n');
                out.line(text, Slot::Split(index));
            }
        }
        for index in (0..self.blocks.len()).filter(|index| !self.blocks[*index].off) {
            lay_block(&mut out, self, index);
        }
        let off = self.blocks.iter().filter(|block| block.off && self.last_of(&block.object).is_none());
        let off = off.map(|block| {
            let fields: Vec<&str> = block.accounts.iter().map(|account| account.field.as_str()).collect();
            let fields = fields.join(", ");
            format!(
                "{} -> {}: no way to write what is required; its fields: {fields}",
                block.object, block.to
            )
        });
        let tail: Vec<String> = self.tail.iter().map(|(_, line)| line.clone()).chain(off).collect();
        if !tail.is_empty() {
            out.text.push_str("\n# Without a place so far:\n");
            for line in tail {
                out.text.push_str(&comment(&line));
            }
        }
        out
    }

    /// The block that answers for an object's fields: the last that stands.
    fn last_of(&self, object: &str) -> Option<usize> {
        let stands = |block: &Block| !block.off && !block.accounts.is_empty();
        self.blocks.iter().rposition(|block| block.object == object && stands(block))
    }

    /// Source fields of an object that any of its blocks reads.
    fn read(&self, object: &str) -> BTreeSet<&str> {
        let blocks = self.blocks.iter().filter(|block| !block.off && block.object == object);
        let splits = self.splits.iter().filter(|(of, split)| of == object && split.text().is_some());
        let splits = splits.flat_map(|(_, split)| split.reads.iter().map(String::as_str));
        blocks.flat_map(Block::read).chain(splits).collect()
    }

    /// Puts drops with one reason into one line, as far as it stays short. No line can be mended any more.
    pub fn gather(&mut self) {
        for index in 0..self.blocks.len() {
            if self.blocks[index].off || self.last_of(&self.blocks[index].object.clone()) != Some(index) {
                continue;
            }
            let open = open_accounts(self, index);
            let block = &mut self.blocks[index];
            let mut kept: Vec<Account> = Vec::new();
            for at in open {
                let account = &block.accounts[at];
                let Some(line) = account.ways.get(account.at) else { continue };
                let parts = line.strip_prefix("drop ").and_then(split_drop);
                let joined = parts.and_then(|(fields, why)| {
                    kept.iter_mut().rev().find_map(|other: &mut Account| {
                        let (before, reason) = split_drop(other.ways.first()?.strip_prefix("drop ")?)?;
                        let line = format!("drop {before}, {fields} {reason}");
                        (reason == why && line.chars().count() <= WIDTH).then(|| other.ways = vec![line])
                    })
                });
                if joined.is_none() {
                    kept.push(Account { field: account.field.clone(), ways: vec![line.clone()], at: 0 });
                }
            }
            // Drops first, then what waits for a person.
            kept.sort_by_key(|account| account.ways.first().is_some_and(|line| line.starts_with("todo ")));
            block.gathered = true;
            block.accounts = kept;
        }
    }

    /// Source objects that have no place.
    pub fn left(&self) -> Vec<String> {
        let off = self.blocks.iter().filter(|block| block.off && self.last_of(&block.object).is_none());
        let mut all: Vec<String> = self
            .tail
            .iter()
            .map(|(object, _)| object.clone())
            .chain(off.map(|block| block.object.clone()))
            .collect();
        all.dedup();
        all
    }

    /// How many rules, drops and open fields the blocks of an object have.
    pub fn told(&self) -> Vec<Told> {
        let mut all: Vec<Told> = Vec::new();
        for (index, block) in self.blocks.iter().enumerate().filter(|(_, block)| !block.off) {
            let told = match all.iter().position(|told| told.object == block.object) {
                Some(at) => &mut all[at],
                None => {
                    all.push(Told { object: block.object.clone(), ..Told::default() });
                    all.last_mut().expect("one was pushed")
                }
            };
            if !told.to.contains(&block.to) && !block.to.is_empty() {
                told.to.push(block.to.clone());
            }
            told.proposed += block.rules.iter().filter(|rule| rule.rule().is_some()).count();
            for at in open_accounts(self, index) {
                let account = &block.accounts[at];
                match account.ways.get(account.at) {
                    Some(line) if line.starts_with("todo ") => told.todo += 1,
                    _ => told.dropped += 1,
                }
            }
        }
        all
    }
}

fn lay_table(out: &mut Laid, table: &Table, head: Slot, row_slot: impl Fn(usize) -> Slot) {
    out.text.push('\n');
    out.line(&format!("{} {{", table.head), head);
    for (index, row) in table.rows.iter().enumerate() {
        out.line(&format!("  {}", row.text()), row_slot(index));
    }
    if table.unseen {
        out.line("  _ unseen => quarantine", head);
    }
    out.line("}", head);
}

/// The widest line of drops.
const WIDTH: usize = 98;

/// What an object's blocks hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The source object.
    pub object: String,
    /// The destination objects.
    pub to: Vec<String>,
    /// Rules and notes that are proposed.
    pub proposed: usize,
    /// Fields that are dropped.
    pub dropped: usize,
    /// Fields that wait for a person.
    pub todo: usize,
}

/// The fields of a drop, and its reason.
fn split_drop(rest: &str) -> Option<(&str, &str)> {
    // Titles may say anything: a reason is looked for from the end.
    let at = match rest.ends_with(" empty") {
        true => rest.len() - " empty".len(),
        false => rest.rfind(" derived from ").or_else(|| rest.rfind(" declined \""))?,
    };
    Some((&rest[..at], &rest[at + 1..]))
}

/// The accounts of a block that stand: of fields that no block of its object reads.
fn open_accounts(page: &Page, index: usize) -> Vec<usize> {
    let block = &page.blocks[index];
    if block.off || page.last_of(&block.object) != Some(index) {
        return Vec::new();
    }
    if block.gathered {
        return (0..block.accounts.len()).collect();
    }
    let read = page.read(&block.object);
    let open = |field: &String| {
        !read.contains(field.as_str()) && block.shown.as_ref().is_none_or(|shown| shown.contains(field))
    };
    (0..block.accounts.len()).filter(|at| open(&block.accounts[*at].field)).collect()
}

fn lay_block(out: &mut Laid, page: &Page, index: usize) {
    let block = &page.blocks[index];
    let accounts = open_accounts(page, index);
    if block.shown.is_some() && accounts.is_empty() && block.rules.iter().all(|rule| rule.rule().is_none()) {
        return;
    }
    out.text.push('\n');
    out.line(&format!("{} {{", block.head), Slot::Block(index));
    let mut before = false;
    for (at, line) in block.fixed.iter().enumerate() {
        if let Some(line) = line.text() {
            out.line(&format!("  {line}"), Slot::Fixed(index, at));
            before = true;
        }
    }
    for group in [Group::Fields, Group::Notes, Group::Custom, Group::Lists] {
        let mut first = true;
        for (at, decision) in block.rules.iter().enumerate() {
            let Some(rule) = decision.rule().filter(|rule| rule.group == group) else { continue };
            if first && before {
                out.text.push('\n');
            }
            (first, before) = (false, true);
            out.line(&format!("  {}", rule.text()), Slot::Rule(index, at));
        }
    }
    if before && !accounts.is_empty() {
        out.text.push('\n');
    }
    for at in accounts {
        let account = &block.accounts[at];
        if let Some(line) = account.ways.get(account.at) {
            out.line(&format!("  {line}"), Slot::Account(index, at));
        }
    }
    for line in &block.last {
        out.line(&format!("  {line}"), Slot::Block(index));
    }
    out.line("}", Slot::Block(index));
}

/// A comment, over several lines where it is long.
fn comment(text: &str) -> String {
    let mut out = String::new();
    let mut line = String::from("#");
    for word in text.split_whitespace() {
        if line.chars().count() + word.chars().count() >= WIDTH && line.len() > 1 {
            out.push_str(&line);
            out.push('\n');
            line = String::from("#  ");
        }
        line.push(' ');
        line.push_str(word);
    }
    out.push_str(&line);
    out.push('\n');
    out
}
