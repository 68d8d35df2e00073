//! The draft while it is made: items whose lines have several ways each, and their text with the place of every line.
//!
//! Knows no schema: what the ways are is decided elsewhere, and which of them stands is found by checking.

use std::collections::BTreeSet;

use crate::lang::finding::{Code, registry as codes};
use crate::lang::syntax::quote;

/// The whole draft.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Everything before the first item with ways.
    pub head: String,
    /// Value tables.
    pub tables: Vec<Table>,
    /// Pipelines.
    pub pipelines: Vec<Table>,
    /// Splits, by the source object: items whose text stands as a whole.
    pub splits: Vec<(String, Fixed)>,
    /// Maps and flattens.
    pub blocks: Vec<Block>,
    /// What has no place: source objects, and what is said of them in comments at the end.
    pub tail: Vec<(String, String)>,
}

/// A table or a pipeline.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// `table sources : enum(SOURCE) -> Lead.sources`
    pub head: String,
    /// Rows, and which way of each stands.
    pub rows: Vec<Row>,
    /// Whether the head is right.
    pub off: bool,
    /// Whether it stands only where a rule looks it up.
    pub on_demand: bool,
    /// Whether a row for values born later closes it.
    pub unseen: bool,
}

/// A row.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// The codes, as written.
    pub codes: String,
    /// What it gives, likeliest first.
    pub ways: Vec<(f64, String)>,
    /// The one that stands; behind the last, `quarantine`.
    pub at: usize,
    /// A reason for merging.
    pub merged: Option<String>,
}

/// A map or a flatten.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// The source object.
    pub object: String,
    /// Where its records go, for people.
    pub to: String,
    /// `map deal -> Lead`
    pub head: String,
    /// Lines before the rules: `key ID`, `match existing by …`, `where …`.
    pub fixed: Vec<Fixed>,
    /// Lines at the end.
    pub last: Vec<String>,
    /// Fields that the head and the fixed lines read.
    pub reads: BTreeSet<String>,
    /// Rules.
    pub rules: Vec<Decision>,
    /// What becomes of each field that no rule reads.
    pub accounts: Vec<Account>,
    /// For a refinement of a profile's item: the fields that the profile leaves open. All others are its own.
    pub shown: Option<BTreeSet<String>>,
    /// Whether it cannot be drafted.
    pub off: bool,
    /// Whether its accounts are lines already, with several fields each.
    pub gathered: bool,
}

/// A line, or several, that no score goes with.
#[derive(Clone, Debug, Default)]
pub struct Fixed {
    /// Likeliest first.
    pub ways: Vec<String>,
    /// The one that stands; behind the last, none.
    pub at: usize,
    /// Source fields that it reads.
    pub reads: Vec<String>,
    /// Whether nothing can stand without it.
    pub must: bool,
}

/// Where a rule stands in its block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Fields of the destination.
    #[default]
    Fields,
    /// Notes.
    Notes,
    /// Custom fields.
    Custom,
    /// Custom fields whose heads are long, for they list values.
    Lists,
}

/// A rule with its ways.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// Likeliest first.
    pub ways: Vec<Rule>,
    /// The one that stands; behind the last, none.
    pub at: usize,
}

/// One way to write a destination field.
#[derive(Clone, Debug, Default)]
pub struct Rule {
    /// What stands before the arrow.
    pub target: String,
    /// What stands behind it.
    pub value: String,
    /// How sure the draft is, from 0 to 1.
    pub score: f64,
    /// Source fields that it reads.
    pub reads: Vec<String>,
    /// The table that it looks up.
    pub table: Option<usize>,
    /// The table that its label looks up.
    pub label_table: Option<usize>,
    /// `when …`
    pub when: Option<String>,
    /// `labelled …`
    pub labelled: Option<String>,
    /// Where it stands.
    pub group: Group,
    /// `for each …`, for notes.
    pub each: Option<String>,
    /// What follows `else`, `on fail`, `on unmigrated`: what stands, and what would where it is needed.
    pub otherwise: Clause,
    /// Likewise.
    pub fail: Clause,
    /// Likewise.
    pub unmigrated: Clause,
    /// The loss: which word of [`LOSSES`] stands, and why.
    pub loss: Option<usize>,
    /// The reason for a loss.
    pub why: String,
    /// Whether it is written once all records are there.
    pub second_pass: bool,
    /// How often it was mended.
    pub mended: u8,
}

/// A clause that stands where it is needed.
#[derive(Clone, Debug, Default)]
pub struct Clause {
    /// What it would say; `None` where nothing can be said.
    pub says: Option<String>,
    /// Whether it stands.
    pub on: bool,
}

/// A source field that no rule reads.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// Its name.
    pub field: String,
    /// Lines, the most telling first; the last one is a `todo`, which always checks.
    pub ways: Vec<String>,
    /// The one that stands.
    pub at: usize,
}

/// Losses that need a reason, the smallest first.
pub const LOSSES: [&str; 3] = ["narrowed", "merged", "summarised"];

/// A line of the text, as the draft knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// A table's head or its closing row.
    Table(usize),
    /// A table's row.
    TableRow(usize, usize),
    /// A pipeline's head or its closing row.
    Pipeline(usize),
    /// A pipeline's row.
    PipelineRow(usize, usize),
    /// A split.
    Split(usize),
    /// A block's head and last lines.
    Block(usize),
    /// A line before the rules.
    Fixed(usize, usize),
    /// A rule.
    Rule(usize, usize),
    /// A field that no rule reads.
    Account(usize, usize),
}

impl Clause {
    /// A clause that stands once the check asks for it.
    pub fn maybe(says: impl Into<String>) -> Clause {
        Clause { says: Some(says.into()), on: false }
    }

    fn demand(&mut self) -> bool {
        let new = self.says.is_some() && !self.on;
        self.on |= new;
        new
    }

    fn write(&self, word: &str, out: &mut String) {
        if let (true, Some(says)) = (self.on, &self.says) {
            out.push_str(&format!("  {word} {says}"));
        }
    }
}

impl Rule {
    /// The line.
    pub fn text(&self) -> String {
        let mut out =
            format!("proposed {:.2} {}  <- {}", self.score.clamp(0.0, 1.0), self.target, self.value);
        if let Some(each) = &self.each {
            out.push_str(&format!("  {each}"));
        }
        if let Some(when) = &self.when {
            out.push_str(&format!("  when {when}"));
        }
        if let Some(labelled) = &self.labelled {
            out.push_str(&format!("  labelled {labelled}"));
        }
        self.otherwise.write("else", &mut out);
        self.fail.write("on fail", &mut out);
        self.unmigrated.write("on unmigrated", &mut out);
        if self.second_pass {
            out.push_str("  in a second pass");
        }
        if let Some(word) = self.loss.and_then(|at| LOSSES.get(at)) {
            out.push_str(&format!("  {word} because {}", quote(&self.why)));
        }
        out
    }

    /// The tables that it looks up.
    pub fn tables(&self) -> impl Iterator<Item = usize> {
        self.table.into_iter().chain(self.label_table)
    }

    /// Adds what a finding asks for; false where this way cannot be mended.
    fn mend(&mut self, code: Code) -> bool {
        self.mended += 1;
        // Each clause can be asked for once, and each loss.
        if self.mended > 8 {
            return false;
        }
        match code {
            codes::ABSENCE_UNHANDLED | codes::REQUIRED_NOT_WRITTEN => self.otherwise.demand(),
            codes::FAILURE_UNHANDLED => self.fail.demand(),
            codes::UNMIGRATED_UNHANDLED => self.unmigrated.demand(),
            codes::LOSS_WITHOUT_REASON | codes::LOSS_UNDERSTATED | codes::MERGE_WITHOUT_REASON => {
                let next = self.loss.map_or(0, |at| at + 1);
                self.loss = Some(next);
                next < LOSSES.len()
            }
            _ => false,
        }
    }
}

impl Decision {
    /// The way that stands.
    pub fn rule(&self) -> Option<&Rule> {
        self.ways.get(self.at)
    }
}

impl Fixed {
    /// A line without which there is no block.
    pub fn must(line: impl Into<String>, reads: &str) -> Fixed {
        Fixed { ways: vec![line.into()], reads: vec![reads.to_owned()], must: true, at: 0 }
    }

    /// Lines of which one may stand.
    pub fn maybe(ways: Vec<String>, reads: Vec<String>) -> Fixed {
        Fixed { ways, reads, ..Fixed::default() }
    }

    /// The one that stands.
    pub fn text(&self) -> Option<&str> {
        self.ways.get(self.at).map(String::as_str)
    }
}

impl Row {
    /// The line.
    pub fn text(&self) -> String {
        match self.ways.get(self.at) {
            Some((score, gives)) => {
                let merged = self.merged.as_ref().map(|why| format!("  merged because {}", quote(why)));
                format!("proposed {score:.2} {} => {gives}{}", self.codes, merged.unwrap_or_default())
            }
            None => format!("proposed 0.00 {} => quarantine", self.codes),
        }
    }

    fn mend(&mut self, code: Code) -> bool {
        if code == codes::MERGE_WITHOUT_REASON && self.merged.is_none() && self.at < self.ways.len() {
            self.merged = Some("the destination has no value of its own for each".to_owned());
            return true;
        }
        let more = self.at < self.ways.len();
        self.at += usize::from(more);
        self.merged = None;
        more
    }
}

impl Block {
    /// Fields that are read by what stands.
    pub fn read(&self) -> BTreeSet<&str> {
        let rules = self.rules.iter().filter_map(Decision::rule).flat_map(|rule| &rule.reads);
        let fixed = self.fixed.iter().filter(|line| line.text().is_some()).flat_map(|line| &line.reads);
        self.reads.iter().chain(rules).chain(fixed).map(String::as_str).collect()
    }
}

impl Page {
    /// Settles a finding at a line; false where nothing can be done there.
    pub fn mend(&mut self, slot: Slot, code: Code) -> bool {
        match slot {
            Slot::Table(table) => turn_off(&mut self.tables[table].off) && self.forget(table),
            Slot::Pipeline(pipeline) => turn_off(&mut self.pipelines[pipeline].off),
            Slot::TableRow(table, row) => self.tables[table].rows[row].mend(code),
            Slot::PipelineRow(pipeline, row) => self.pipelines[pipeline].rows[row].mend(code),
            Slot::Split(split) => next(&mut self.splits[split].1),
            // What a profile's map lacks is not the draft's to mend; its own lines stand all the same.
            Slot::Block(block)
                if self.blocks[block].shown.is_some() && code == codes::REQUIRED_NOT_WRITTEN =>
            {
                false
            }
            Slot::Block(block) => turn_off(&mut self.blocks[block].off),
            Slot::Fixed(block, line) => {
                let line = &mut self.blocks[block].fixed[line];
                let must = line.must;
                if must { turn_off(&mut self.blocks[block].off) } else { next(line) }
            }
            Slot::Rule(block, rule) => {
                let decision = &mut self.blocks[block].rules[rule];
                let Some(way) = decision.ways.get_mut(decision.at) else { return false };
                if !way.mend(code) {
                    decision.at += 1;
                }
                true
            }
            Slot::Account(block, account) => {
                let account = &mut self.blocks[block].accounts[account];
                let more = account.at + 1 < account.ways.len();
                account.at += usize::from(more);
                more
            }
        }
    }

    /// Rules that look up a table that is gone take their next way.
    fn forget(&mut self, table: usize) -> bool {
        for decision in self.blocks.iter_mut().flat_map(|block| &mut block.rules) {
            while decision.rule().is_some_and(|rule| rule.tables().any(|used| used == table)) {
                decision.at += 1;
            }
        }
        true
    }
}

fn turn_off(off: &mut bool) -> bool {
    !std::mem::replace(off, true)
}

fn next(line: &mut Fixed) -> bool {
    let more = line.at < line.ways.len();
    line.at += usize::from(more);
    more
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_knows_its_slot_and_the_last_way_is_none() {
        let rule = Rule { target: "name".into(), value: "TITLE".into(), score: 0.5, ..Rule::default() };
        let account =
            Account { field: "TITLE".into(), ways: vec!["todo TITLE \"?\"".into()], ..Account::default() };
        let block = Block {
            head: "map a -> A".into(),
            rules: vec![Decision {
                ways: vec![Rule { reads: vec!["TITLE".into()], ..rule }],
                ..Decision::default()
            }],
            accounts: vec![account],
            ..Block::default()
        };
        let mut page = Page { blocks: vec![block], ..Page::default() };
        let laid = page.lay();
        let at = laid.text.find("name").expect("the rule stands");
        assert_eq!(laid.slot(at), Some(Slot::Rule(0, 0)));
        assert!(!laid.text.contains("todo"));
        assert!(page.mend(Slot::Rule(0, 0), codes::TYPE_MISMATCH));
        let laid = page.lay();
        assert!(!laid.text.contains("name") && laid.text.contains("todo TITLE"));
        assert!(!page.mend(Slot::Rule(0, 0), codes::TYPE_MISMATCH));
    }

    #[test]
    fn clauses_come_when_they_are_asked_for() {
        let mut rule = Rule {
            otherwise: Clause::maybe("unset"),
            fail: Clause::maybe("flag \"bad\""),
            why: "part of it".into(),
            ..Rule::default()
        };
        assert!(rule.mend(codes::ABSENCE_UNHANDLED));
        assert!(!rule.mend(codes::ABSENCE_UNHANDLED));
        assert!(rule.mend(codes::LOSS_WITHOUT_REASON) && rule.mend(codes::LOSS_UNDERSTATED));
        assert!(rule.text().ends_with("else unset  merged because \"part of it\""));
    }
}
