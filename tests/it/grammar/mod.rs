//! Holds the book's grammar to the program's: production by production, and by specs that are made out of it.

mod made;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

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

/// The word that a production begins with.
fn first_word(node: &Node, book: &BTreeMap<String, Node>) -> Option<String> {
    match node {
        Node::Word(word) => Some(word.clone()),
        Node::Rule(name) => first_word(book.get(name)?, book),
        Node::Seq(parts) => {
            parts.iter().find(|part| !matches!(part, Node::Maybe(_))).and_then(|part| first_word(part, book))
        }
        Node::Alt(_) | Node::Maybe(_) | Node::Many(_) => None,
    }
}

/// Every item, line and clause has a section of the reference, or a row of its tables.
#[test]
fn every_item_line_and_clause_is_described() {
    let (book, page) = (book(), read("book/src/reference/items.md"));
    let mut missing = BTreeSet::new();
    let mut checked = 0;
    let rules = book.iter().filter(|(name, _)| {
        let line = name.ends_with("_line")
            && !["expression_line", "given_line", "expect_line"].contains(&name.as_str());
        line && !LAYOUT.contains(&name.as_str()) || name.ends_with("_head") || name.ends_with("_clause")
    });
    for (name, body) in rules {
        let Some(word) = first_word(body, &book) else { continue };
        checked += 1;
        let told = page.lines().any(|line| {
            let heading = line.starts_with("### ") && line.contains(&format!("`{word}"));
            heading
                || line.starts_with(&format!("| `{word}"))
                || line.starts_with(&format!("| a value, `{word} "))
        });
        if !told {
            missing.insert(format!("{name}: `{word}`"));
        }
    }
    println!("{checked} productions looked up");
    assert!(checked > 25 && missing.is_empty(), "not in items.md: {missing:?}");
}
