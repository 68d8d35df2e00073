//! Holds the book's grammar to the program's: production by production, and by specs that are made out of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use b2n::lang::finding::registry;
use b2n::lang::syntax;
use b2n::lang::text::SourceText;

/// What a production says, with what only guides the reader's machine left out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Node {
    Word(String),
    Rule(String),
    Seq(Vec<Node>),
    Alt(Vec<Node>),
    Maybe(Box<Node>),
    Many(Box<Node>),
}

/// Productions of the page that the grammar's layout makes, not its rules.
const LAYOUT: &[&str] = &[
    "spec",
    "item",
    "owners",
    "table",
    "pipeline",
    "map",
    "split",
    "flatten",
    "order",
    "test",
    "budget",
    "block",
    "map_line",
    "flatten_line",
    "each_line",
];

/// Rules of the grammar that say what may *not* stand at a place; the page tells it in words.
const GUARDS: &[&str] = &["qualified", "reserved", "word"];

/// Signs of tokens, as the grammar reads them, by the names that the page gives them.
const SIGNS: &[(&str, &str)] = &[
    ("T", "TEXT"),
    ("`", "TITLE"),
    ("1", "INTEGER"),
    ("2", "DECIMAL"),
    ("%", "PERCENT"),
    ("D", "DATE"),
    ("G", "GLOB"),
    ("C", "CURRENCY"),
];

fn page() -> String {
    read("book/src/reference/grammar.md")
}

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Words, quoted words and single signs; comments left out.
fn pieces(text: &str, comment: &str) -> Vec<String> {
    let mut out = Vec::new();
    for line in text.lines().filter(|line| comment.is_empty() || !line.starts_with(comment)) {
        let chars: Vec<char> = line.chars().collect();
        let mut at = 0;
        while at < chars.len() {
            let start = at;
            let c = chars[at];
            at += 1;
            if c.is_whitespace() {
                continue;
            }
            if matches!(c, '"' | '\'') {
                while chars[at] != c {
                    at += 1;
                }
                at += 1;
            } else if c.is_alphanumeric() || c == '_' {
                while at < chars.len() && (chars[at].is_alphanumeric() || chars[at] == '_') {
                    at += 1;
                }
            }
            out.push(chars[start..at].iter().collect());
        }
    }
    out
}

/// One choice flat, one sequence flat, nothing of nothing.
fn flat(node: Node) -> Node {
    match node {
        Node::Seq(parts) => {
            let mut out = Vec::new();
            for part in parts {
                match flat(part) {
                    Node::Seq(inner) => out.extend(inner),
                    other => out.push(other),
                }
            }
            if out.len() == 1 { out.swap_remove(0) } else { Node::Seq(out) }
        }
        Node::Alt(parts) => {
            let mut out = Vec::new();
            for part in parts {
                match flat(part) {
                    Node::Alt(inner) => out.extend(inner),
                    other => out.push(other),
                }
            }
            out.sort();
            if out.len() == 1 { out.swap_remove(0) } else { Node::Alt(out) }
        }
        Node::Maybe(inner) => Node::Maybe(Box::new(flat(*inner))),
        Node::Many(inner) => Node::Many(Box::new(flat(*inner))),
        other => other,
    }
}

struct Pieces {
    all: Vec<String>,
    at: usize,
}

impl Pieces {
    fn peek(&self) -> &str {
        self.all.get(self.at).map_or("", String::as_str)
    }

    fn next(&mut self) -> String {
        self.at += 1;
        self.all[self.at - 1].clone()
    }

    fn take(&mut self, what: &str) -> bool {
        let found = self.peek() == what;
        self.at += usize::from(found);
        found
    }
}

// ── The program's grammar ───────────────────────────────────────────────────────────────────────────────────────

fn program() -> BTreeMap<String, Node> {
    let text = read("grammar/b2n.pest");
    let mut pieces = Pieces { all: pieces(&text, "//"), at: 0 };
    let mut rules = BTreeMap::new();
    while !pieces.peek().is_empty() {
        let name = pieces.next();
        assert!(pieces.take("="), "after `{name}`");
        pieces.take("_");
        assert!(pieces.take("{"), "after `{name} =`");
        let body = pest_choice(&mut pieces);
        assert!(pieces.take("}"), "at the end of `{name}`: {}", pieces.peek());
        rules.insert(name, body);
    }
    // Words and punctuation stand for themselves.
    let literal: BTreeMap<String, Node> = rules
        .iter()
        .filter_map(|(name, body)| {
            let words: BTreeSet<String> = match body {
                Node::Word(word) => BTreeSet::from([word.clone()]),
                Node::Alt(parts) => parts
                    .iter()
                    .map(|part| match part {
                        Node::Word(word) => Some(word.clone()),
                        _ => None,
                    })
                    .collect::<Option<_>>()?,
                _ => return None,
            };
            let [word] = words.into_iter().collect::<Vec<_>>().try_into().ok()?;
            let sign = SIGNS.iter().any(|(sign, _)| *sign == word) || word == "{}" || word == "???";
            let plain = name.starts_with("kw_") || !word.starts_with(char::is_alphabetic);
            (plain && !sign).then(|| (name.clone(), Node::Word(word)))
        })
        .collect();
    for (name, word) in literal.iter().filter(|(name, _)| name.starts_with("kw_")) {
        assert_eq!(*word, Node::Word(name["kw_".len()..].to_owned()), "`{name}` is another word");
    }
    rules
        .into_iter()
        .filter(|(name, _)| !literal.contains_key(name))
        .map(|(name, body)| (name, flat(resolved(body, &literal))))
        .collect()
}

fn resolved(node: Node, literal: &BTreeMap<String, Node>) -> Node {
    let all = |parts: Vec<Node>| parts.into_iter().map(|part| resolved(part, literal)).collect();
    match node {
        Node::Rule(name) => literal.get(&name).cloned().unwrap_or(Node::Rule(name)),
        Node::Word(word) => match SIGNS.iter().find(|(sign, _)| *sign == word) {
            Some((_, token)) => Node::Rule((*token).to_owned()),
            None => Node::Seq(word.split(' ').map(|word| Node::Word(word.to_owned())).collect()),
        },
        Node::Seq(parts) => Node::Seq(all(parts)),
        Node::Alt(parts) => Node::Alt(all(parts)),
        Node::Maybe(inner) => Node::Maybe(Box::new(resolved(*inner, literal))),
        Node::Many(inner) => Node::Many(Box::new(resolved(*inner, literal))),
    }
}

fn pest_choice(pieces: &mut Pieces) -> Node {
    pieces.take("|");
    let mut parts = vec![pest_sequence(pieces)];
    while pieces.take("|") {
        parts.push(pest_sequence(pieces));
    }
    flat(Node::Alt(parts))
}

fn pest_sequence(pieces: &mut Pieces) -> Node {
    let mut parts = Vec::new();
    loop {
        // What is only looked at takes nothing.
        let looked_at = pieces.take("&") || pieces.take("!");
        let mut node = match pieces.next().as_str() {
            "(" => {
                let inner = pest_choice(pieces);
                assert!(pieces.take(")"), "a group is not closed");
                inner
            }
            word if word.starts_with('"') => {
                // `^(` is a bracket without a blank before it.
                Node::Word(word.trim_matches('"').trim_end().trim_start_matches('^').to_owned())
            }
            word if word.starts_with('\'') => {
                if pieces.take(".") {
                    assert!(pieces.take("."), "a range");
                    pieces.next();
                }
                Node::Word("letters".to_owned())
            }
            "EOI" => Node::Seq(Vec::new()),
            word => Node::Rule(word.to_owned()),
        };
        loop {
            if pieces.take("?") {
                node = Node::Maybe(Box::new(node));
            } else if pieces.take("*") {
                node = Node::Many(Box::new(node));
            } else {
                break;
            }
        }
        if !looked_at {
            parts.push(node);
        }
        if !pieces.take("~") {
            return flat(Node::Seq(parts));
        }
    }
}

// ── The book's ──────────────────────────────────────────────────────────────────────────────────────────────────

fn book() -> BTreeMap<String, Node> {
    let text = page();
    let mut rules = BTreeMap::new();
    let mut inside = false;
    let mut ebnf = String::new();
    for line in text.lines() {
        match line {
            "```ebnf" => inside = true,
            "```" => inside = false,
            line if inside => {
                ebnf.push_str(line);
                ebnf.push('\n');
            }
            _ => {}
        }
    }
    let mut pieces = Pieces { all: pieces(&ebnf, ""), at: 0 };
    while !pieces.peek().is_empty() {
        let name = pieces.next();
        assert!(pieces.take("="), "after `{name}`, found `{}`", pieces.peek());
        let body = book_choice(&mut pieces);
        assert!(rules.insert(name.clone(), body).is_none(), "`{name}` stands twice");
    }
    rules
}

fn book_choice(pieces: &mut Pieces) -> Node {
    let mut parts = vec![book_sequence(pieces)];
    while pieces.take("|") {
        parts.push(book_sequence(pieces));
    }
    flat(Node::Alt(parts))
}

fn book_sequence(pieces: &mut Pieces) -> Node {
    let mut parts = Vec::new();
    loop {
        let closed = |pieces: &mut Pieces, close: &str| {
            let inner = book_choice(pieces);
            assert!(pieces.take(close), "`{close}` is missing before `{}`", pieces.peek());
            inner
        };
        match pieces.peek() {
            "(" | "[" | "{" => {
                let open = pieces.next();
                parts.push(match open.as_str() {
                    "(" => closed(pieces, ")"),
                    "[" => Node::Maybe(Box::new(closed(pieces, "]"))),
                    _ => Node::Many(Box::new(closed(pieces, "}"))),
                });
            }
            "" | "|" | ")" | "]" | "}" => return flat(Node::Seq(parts)),
            word if word.starts_with('"') => {
                parts.push(Node::Word(word.trim_matches('"').to_owned()));
                pieces.next();
            }
            // The next production begins.
            _ if pieces.all.get(pieces.at + 1).is_some_and(|next| next == "=") => {
                return flat(Node::Seq(parts));
            }
            _ => parts.push(Node::Rule(pieces.next())),
        }
    }
}

#[test]
fn the_books_grammar_is_the_programs() {
    let (program, book) = (program(), book());
    let mut wrong = Vec::new();
    for (name, body) in &program {
        if GUARDS.contains(&name.as_str()) || LAYOUT.contains(&name.as_str()) {
            continue;
        }
        match book.get(name) {
            None => wrong.push(format!("the page has no `{name}`: {body:?}")),
            Some(other) if other != body => {
                wrong.push(format!("`{name}`\n  page    {other:?}\n  program {body:?}"));
            }
            Some(_) => {}
        }
    }
    for name in book.keys() {
        let known = program.contains_key(name) || LAYOUT.contains(&name.as_str());
        if !known {
            wrong.push(format!("the program has no `{name}`"));
        }
    }
    println!("{} productions of the page, {} of the program", book.len(), program.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_production_is_reached_and_every_token_described() {
    let book = book();
    let mut reached = BTreeSet::new();
    let mut open = vec!["spec".to_owned(), "expression_line".to_owned()];
    while let Some(name) = open.pop() {
        if !reached.insert(name.clone()) {
            continue;
        }
        if let Some(body) = book.get(&name) {
            rules_of(body, &mut open);
        } else {
            assert!(
                name.chars().all(|c| c.is_ascii_uppercase()) && page().contains(&format!("\n| `{name}` |")),
                "`{name}` is neither a production nor a token of the page"
            );
        }
    }
    let forgotten: Vec<_> = book.keys().filter(|name| !reached.contains(*name)).collect();
    assert!(forgotten.is_empty(), "nothing leads to {forgotten:?}");
    // Words that no bare name may be.
    let Some(Node::Alt(words)) = program().remove("reserved") else { panic!("no reserved words") };
    let text = page();
    let told = text.split("are none of these words:").nth(1).and_then(|rest| rest.split(". A field").next());
    let told: BTreeSet<&str> = told.expect("the list of them").split('`').skip(1).step_by(2).collect();
    let reserved: BTreeSet<String> = words
        .iter()
        .map(|word| match word {
            Node::Word(word) => word.clone(),
            other => panic!("{other:?} is no word"),
        })
        .collect();
    assert_eq!(told, reserved.iter().map(String::as_str).collect());
}

fn rules_of(node: &Node, found: &mut Vec<String>) {
    match node {
        Node::Rule(name) => found.push(name.clone()),
        Node::Word(_) => {}
        Node::Seq(parts) | Node::Alt(parts) => parts.iter().for_each(|part| rules_of(part, found)),
        Node::Maybe(inner) | Node::Many(inner) => rules_of(inner, found),
    }
}

// ── Specs made out of it ────────────────────────────────────────────────────────────────────────────────────────

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
