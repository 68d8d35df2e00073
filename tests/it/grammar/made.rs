//! Makes specs out of the book's productions, at random, and lets the program read them.

use std::collections::{BTreeMap, BTreeSet};

use b2n::lang::finding::registry;
use b2n::lang::syntax;
use b2n::lang::text::SourceText;

use super::{LAYOUT, Node, book};

struct Maker<'a> {
    book: &'a BTreeMap<String, Node>,
    /// How many productions a rule needs at least, one inside the other.
    heights: BTreeMap<&'a str, usize>,
    state: u64,
    names: usize,
    out: String,
    /// Rules with the index of the choice taken in them.
    taken: BTreeSet<String>,
}

/// How deep productions nest before the shortest way out is taken.
const DEEP: usize = 26;

impl<'a> Maker<'a> {
    fn new(book: &'a BTreeMap<String, Node>, seed: u64) -> Maker<'a> {
        let mut heights: BTreeMap<&str, usize> = BTreeMap::new();
        loop {
            let before = heights.clone();
            for (name, body) in book {
                if let Some(height) = height(body, &before) {
                    heights.insert(name, height + 1);
                }
            }
            if before == heights {
                break;
            }
        }
        Maker { book, heights, state: seed, names: 0, out: String::new(), taken: BTreeSet::new() }
    }

    fn roll(&mut self, below: usize) -> usize {
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.state >> 33) % below as u64).expect("small")
    }

    fn put(&mut self, token: &str) {
        self.out.push_str(token);
        self.out.push(' ');
    }

    fn one(&mut self, tokens: &[&str]) {
        let at = self.roll(tokens.len());
        self.put(tokens[at]);
    }

    fn fresh(&mut self) -> usize {
        self.names += 1;
        self.names
    }

    fn rule(&mut self, name: &str, depth: usize) {
        match name {
            "WORD" => {
                let number = self.fresh();
                let word = ["x", "UF_CRM_", "имя", "Field_"][self.roll(4)];
                self.put(&format!("{word}{number}"));
            }
            "TEXT" => {
                let number = self.fresh();
                let text = ["", "a {{ brace ", "a \\\"quote\\\" ", "№ "][self.roll(4)];
                self.put(&format!("\"{text}{number}\""));
            }
            "TITLE" => self.put("`Объём, a title`"),
            "INTEGER" => {
                let number = self.roll(1000);
                self.put(&number.to_string());
            }
            "DECIMAL" => self.one(&["-3", "0.75", "-12.50"]),
            "PERCENT" => self.one(&["0.5%", "12%"]),
            "DATE" => self.put("2027-01-31"),
            "GLOB" => self.one(&["UF_*", "*_ID", "*"]),
            "CURRENCY" => self.put("USD"),
            "edition_line" => self.put("edition 2026 \n"),
            "proposed" => self.one(&["proposed 0.62", "proposed 1"]),
            // The bracket stands right behind the word.
            "called" | "looked_up" => {
                self.rule("WORD", depth);
                self.out.pop();
            }
            "expression" => self.expression(depth),
            // Of those, a test expects only some.
            "expect_line" if self.roll(2) == 0 => {
                self.put("expect");
                self.one(&["quarantine", "stop", "skip \"x\"", "flag \"x\""]);
            }
            _ => {
                let body = &self.book[name];
                let line = name.ends_with("_line") && !LAYOUT.contains(&name) && name != "expression_line"
                    || name.ends_with("_row")
                    || name.ends_with("_unseen");
                if name == "expect_line" {
                    self.put("expect");
                    let way = ["expect_no", "expect_record"][self.roll(2)];
                    self.rule(way, depth + 1);
                } else {
                    self.node(name, body, depth);
                }
                if line {
                    self.out.push('\n');
                }
            }
        }
        if name == "expect_line" && !self.out.ends_with('\n') {
            self.out.push('\n');
        }
    }

    /// Conditions are joined as the text below the production says.
    fn expression(&mut self, depth: usize) {
        let mut open = self.term(depth, true);
        let mut compared = false;
        while open && depth < DEEP && self.roll(4) == 0 {
            if !compared && self.roll(2) == 0 {
                self.rule("comparator", depth + 1);
                open = self.term(depth, false);
                compared = true;
            } else {
                self.one(&["and", "or"]);
                open = self.term(depth, true);
                compared = false;
            }
        }
    }

    /// Answers whether something may follow: `pipeline by` takes what does for its own.
    fn term(&mut self, depth: usize, negated: bool) -> bool {
        if negated && depth < DEEP && self.roll(8) == 0 {
            self.put("not");
        }
        let Node::Alt(ways) = &self.book["primary"] else { panic!("a choice") };
        let way = self.choose("primary", ways, depth + 1);
        self.node("primary", way, depth + 1);
        let is = |names: &[&str]| matches!(way, Node::Rule(name) if names.contains(&name.as_str()));
        // A dot behind these is their own.
        let bare = is(&["money", "reference", "presence", "pipeline_by"]);
        while !bare && depth < DEEP && self.roll(5) == 0 {
            self.rule("method", depth + 2);
        }
        !is(&["pipeline_by"])
    }

    fn choose<'n>(&mut self, name: &str, ways: &'n [Node], depth: usize) -> &'n Node {
        let at = if depth > DEEP {
            let height = |way: &Node| height(way, &self.heights).unwrap_or(usize::MAX);
            (0..ways.len()).min_by_key(|at| height(&ways[*at])).expect("a way")
        } else {
            self.roll(ways.len())
        };
        self.taken.insert(format!("{name}: {:?}", ways[at]));
        &ways[at]
    }

    fn node(&mut self, name: &str, node: &Node, depth: usize) {
        match node {
            Node::Word(word) => {
                self.put(word);
                if word == "{" && name != "record" {
                    self.out.push('\n');
                }
                if word == "}" && name != "record" && name != "block" {
                    self.out.push('\n');
                }
            }
            Node::Rule(rule) if rule == "text" && name == "primary" && depth < DEEP && self.roll(2) == 0 => {
                self.out.push_str("\"x {");
                self.rule("expression_line", depth + 4);
                self.put("} y\"");
            }
            // What begins with a bracket or a word of its own in a record is no expression.
            Node::Rule(rule) if rule == "expression" && name == "value_lit" => {
                let token = ["TEXT", "INTEGER", "DATE", "money"][self.roll(4)];
                self.rule(token, depth + 1);
            }
            Node::Rule(rule) => self.rule(rule, depth + 1),
            Node::Seq(parts) => parts.iter().for_each(|part| self.node(name, part, depth)),
            Node::Alt(ways) => {
                let way = self.choose(name, ways, depth);
                self.node(name, way, depth);
            }
            Node::Maybe(inner) => {
                if depth < DEEP && self.roll(2) == 0 {
                    self.taken.insert(format!("{name}: {node:?}"));
                    self.node(name, inner, depth);
                }
            }
            // Clauses have one order.
            Node::Many(inner) if matches!(&**inner, Node::Rule(rule) if rule == "clause") => {
                for clause in [
                    "when_clause",
                    "labelled_clause",
                    "else_clause",
                    "on_fail_clause",
                    "on_unmigrated_clause",
                    "fidelity_clause",
                    "second_pass",
                ] {
                    if depth < DEEP && self.roll(4) == 0 {
                        self.rule(clause, depth + 1);
                    }
                }
            }
            Node::Many(inner) => {
                let many = if name == "spec" { 24 } else { 4 };
                for _ in 0..if depth < DEEP { self.roll(many) } else { 0 } {
                    self.taken.insert(format!("{name}: {node:?}"));
                    self.node(name, inner, depth);
                }
            }
        }
    }
}

fn height(node: &Node, known: &BTreeMap<&str, usize>) -> Option<usize> {
    match node {
        Node::Word(_) => Some(0),
        Node::Rule(name) if name.chars().all(|c| c.is_ascii_uppercase()) => Some(0),
        Node::Rule(name) => known.get(name.as_str()).copied(),
        Node::Seq(parts) => parts.iter().map(|part| height(part, known)).max().unwrap_or(Some(0)),
        Node::Alt(parts) => parts.iter().filter_map(|part| height(part, known)).min(),
        Node::Maybe(_) | Node::Many(_) => Some(0),
    }
}

/// Every choice of a production, as `Maker::taken` writes it down.
fn choices(name: &str, node: &Node, found: &mut BTreeSet<String>) {
    match node {
        Node::Alt(parts) => {
            for part in parts {
                found.insert(format!("{name}: {part:?}"));
                choices(name, part, found);
            }
        }
        Node::Seq(parts) => parts.iter().for_each(|part| choices(name, part, found)),
        Node::Maybe(inner) => {
            found.insert(format!("{name}: {node:?}"));
            choices(name, inner, found);
        }
        Node::Many(inner) => {
            // Clauses are put in order by hand.
            if !matches!(&**inner, Node::Rule(rule) if rule == "clause") {
                found.insert(format!("{name}: {node:?}"));
            }
            choices(name, inner, found);
        }
        Node::Word(_) | Node::Rule(_) => {}
    }
}

#[test]
fn the_program_reads_every_spec_that_the_books_grammar_makes() {
    let book = book();
    let mut taken = BTreeSet::new();
    let (mut length, mut long) = (0, 0);
    for seed in 1..=400 {
        let mut maker = Maker::new(&book, seed);
        maker.rule("spec", 0);
        length += maker.out.len();
        taken.append(&mut maker.taken);
        let text = SourceText::new("made.b2n", maker.out);
        let (_, findings) = syntax::parse(&text);
        // Names are all different, but a spec has one zone, and a map one key: that is no matter of grammar.
        // What is made may also be longer than the limits that the page names.
        long += usize::from(findings.iter().any(|f| f.code == registry::NESTED_TOO_DEEP));
        let other = [registry::DUPLICATE_ITEM, registry::NESTED_TOO_DEEP];
        let bad: Vec<_> = findings.iter().filter(|f| !other.contains(&f.code)).collect();
        let style = b2n::lang::finding::human::Style { width: 100, colour: false, unicode: true };
        if let Some(first) = bad.first() {
            let shown = b2n::lang::finding::human::render(&[(*first).clone()], &text, style);
            panic!("seed {seed}: {} findings, the first:\n{shown}\n{}", bad.len(), text.text());
        }
    }
    let mut all = BTreeSet::new();
    for (name, body) in &book {
        // These are made by hand above.
        if ![
            "edition_line",
            "proposed",
            "expect_line",
            "expression",
            "term",
            "operator",
            "value_lit",
            "clause",
        ]
        .contains(&name.as_str())
        {
            choices(name, body, &mut all);
        }
    }
    let missed: Vec<_> = all.difference(&taken).collect();
    println!("400 specs, {length} bytes, {} choices taken, {long} specs beyond a limit", taken.len());
    assert!(long < 20, "{long} of 400 specs are beyond a limit");
    assert!(missed.is_empty(), "never made: {missed:#?}");
}
