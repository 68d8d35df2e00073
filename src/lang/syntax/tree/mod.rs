//! From one logical line to its piece of the tree: `heads` of items, `rows` of their blocks, `body` for the lines of maps,
//! `records` of tests, `exprs` and `texts` in all of them. Knows nothing of the lines around.
//!
//! INVARIANT: layout has bounded nesting and chains, so recursion here is bounded too.

mod body;
mod exprs;
mod heads;
mod records;
mod rows;
mod texts;

use std::rc::Rc;

use crate::lang::finding::{Applicability, Edit, Finding, Fix, registry};
use crate::lang::text::{Span, Spanned};

use super::ast::{Coded, MapLine, Name};
use super::faults::Findings;
use super::grammar::{Node, Refusal, Rule as Is, Shapes, Tree, fits};
use super::habits::habit;
use super::layout::Stmt;
use super::signs::Line;
use super::tokens::{Token, first, tokens};
use super::words;

pub(super) use heads::HeadLine;
pub(super) use rows::Row;

/// What the formatter needs to know of a line beside its tokens. Places are bytes of the file.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape {
    /// Where `<-` or `=>` begins.
    pub(super) arrow: Option<usize>,
    /// Where each code before `=>` begins; empty where there are none.
    pub(super) codes: Vec<usize>,
    /// The trailing clauses, each with its place in the language's order.
    pub(super) clauses: Vec<(u8, Span)>,
    /// Whether one blank goes before a clause, not two.
    pub(super) tight: bool,
    /// Where the type of a custom field begins.
    pub(super) wide: Option<usize>,
    /// The braces of a record that ends the line.
    pub(super) record: Option<Span>,
}

impl Shape {
    /// The place in the language's order of the clause that begins at a byte.
    pub(super) fn clause_at(&self, start: u32) -> Option<u8> {
        let at = self.clauses.binary_search_by_key(&start, |(_, span)| span.start).ok()?;
        self.clauses.get(at).map(|(rank, _)| *rank)
    }
}

/// Reads lines, and keeps the findings of all of them.
pub(super) struct Reader<'a> {
    text: &'a str,
    tokens: &'a [Token],
    shapes: Shapes,
    /// The line at hand.
    line: Line,
    /// The lines of its block, until its `each` takes them.
    block: Option<Vec<MapLine>>,
    pub(super) findings: Findings,
    /// The shape of the line that was read last.
    pub(super) shape: Shape,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str, tokens: &'a [Token], findings: Findings) -> Self {
        Reader {
            text,
            tokens,
            shapes: Shapes::default(),
            line: Line::default(),
            block: None,
            findings,
            shape: Shape::default(),
        }
    }

    // ── Lines ───────────────────────────────────────────────────────────────────────────────────────────────────

    /// Reads a line without its block by a rule.
    fn head(&mut self, rule: Is, stmt: &Stmt) -> Option<Rc<Tree>> {
        self.begin(stmt);
        self.read(rule)
    }

    /// Reads a line with its block, whose lines these are, and what follows it.
    fn with_block(&mut self, rule: Is, stmt: &Stmt, body: Option<Vec<MapLine>>) -> Option<Rc<Tree>> {
        self.begin(stmt);
        self.block = body;
        if let Some(block) = &stmt.block
            && let Some(open) = block.open
        {
            let close = self.tokens[block.close.unwrap_or(open)].span;
            self.line.push_block(self.tokens[open].span.to(close));
            if let Some((first, last)) = stmt.tail {
                self.line.push(self.text, &self.tokens[first..=last]);
            }
        }
        self.read(rule)
    }

    fn begin(&mut self, stmt: &Stmt) {
        self.shape = Shape::default();
        self.block = None;
        self.line.clear();
        self.line.push(self.text, &self.tokens[stmt.first..=stmt.last]);
    }

    fn read(&mut self, rule: Is) -> Option<Rc<Tree>> {
        match self.shapes.read(rule, &self.line.signs) {
            Ok(tree) => Some(tree),
            Err(refusal) => {
                let finding = self.refuse(rule, &refusal);
                self.findings.push(finding);
                None
            }
        }
    }

    /// Makes a finding of what the grammar says.
    fn refuse(&self, rule: Is, refusal: &Refusal) -> Finding {
        let sign = self.line.count(refusal.at);
        // A missing end of the line is missing behind its last token.
        let (place, rest) = match (self.line.places.get(sign), self.line.places.last()) {
            (Some(place), _) => {
                let rest = self.text.get(place.start as usize..).unwrap_or("");
                let shown = first(rest).map_or(0, str::len);
                (Span::new(place.start as usize, place.start as usize + shown), rest)
            }
            (None, Some(last)) => (Span { start: last.end, end: last.end }, ""),
            (None, None) => (Span::default(), ""),
        };
        let line = format!("{rule:?}");
        let mut finding = Finding::new(registry::UNEXPECTED_TOKEN, words::expected(&line, &refusal.expected))
            .at(place, words::found(rest, &refusal.expected))
            .help(words::hint(rest).unwrap_or_else(|| words::pattern(&line)));
        if let Some(habit) = self.habit(rule, place, refusal) {
            finding.help = Some(habit.help);
            finding.fix = habit.fix;
            if finding.fix.is_some() {
                return finding;
            }
        }
        if let Some(literal) = words::essential(&refusal.expected).and_then(words::literal) {
            // Certain only where the line can be read afterwards.
            let token = self.text.get(place.range()).unwrap_or("");
            let wrong = MISTAKEN.contains(&token);
            let signs = &self.line.signs;
            let behind = if wrong { signs[refusal.at..].find(' ').map_or(0, |n| n + 1) } else { 0 };
            let repaired = format!("{}{literal} {}", &signs[..refusal.at], &signs[refusal.at + behind..]);
            if signs.len() < MAX_REPAIR && fits(rule, &repaired) {
                let before = self.text.get(..place.start as usize).unwrap_or("");
                let (span, text) = if wrong {
                    (place, literal.to_owned())
                } else {
                    let blank = if before.ends_with(char::is_whitespace) { "" } else { " " };
                    let after = if rest.is_empty() { "" } else { " " };
                    (Span { end: place.start, ..place }, format!("{blank}{literal}{after}"))
                };
                finding = finding.fix(Fix {
                    title: format!("write `{literal}`"),
                    edits: vec![Edit { span, text }],
                    applicability: Applicability::Safe,
                });
            }
        }
        finding
    }

    /// What people who write other languages mean by the line, with an edit where that mends it.
    fn habit(&self, rule: Is, place: Span, refusal: &Refusal) -> Option<Told> {
        let whole = self.whole();
        let line = self.text.get(whole.range()).filter(|line| line.len() < MAX_REPAIR)?;
        let at = (place.start - whole.start) as usize;
        let habit = habit(&format!("{rule:?}"), line, at, |rule| refusal.expected.iter().any(|e| e == rule))?;
        let mut mended = line.to_owned();
        for (range, text) in habit.edits.iter().rev() {
            mended.replace_range(range.clone(), text);
        }
        let mut signs = Line::default();
        signs.push(&mended, &tokens(&mended).0);
        let companions: &[Is] = match rule {
            Is::rule_line => &[Is::key_line, Is::drop_line, Is::where_line, Is::note_line, Is::match_line],
            Is::table_row => &[Is::table_unseen],
            Is::stage_row => &[Is::stage_unseen],
            _ => &[],
        };
        let reads = |rule: &Is| fits(*rule, &signs.signs);
        let mends = !habit.edits.is_empty()
            && (signs.signs.is_empty() || reads(&rule) || companions.iter().any(reads));
        let start = whole.start as usize;
        let fix = mends.then(|| Fix {
            title: match habit.edits.as_slice() {
                [(range, text)] if range.len() < line.len() && !text.trim().is_empty() => {
                    format!("write `{}`", text.trim())
                }
                [(_, text)] if text.is_empty() => "take it out".to_owned(),
                _ => format!("write `{}`", mended.trim()),
            },
            edits: habit
                .edits
                .iter()
                .map(|(range, text)| Edit {
                    span: Span::new(start + range.start, start + range.end),
                    text: text.clone(),
                })
                .collect(),
            applicability: Applicability::Likely,
        });
        Some(Told { help: habit.help, fix })
    }

    /// The place of the whole line, with its block and what follows that.
    fn whole(&self) -> Span {
        let places = &self.line.places;
        match (places.first(), places.last()) {
            (Some(first), Some(last)) => first.to(*last),
            _ => Span::default(),
        }
    }

    /// The place of a part.
    fn span(&self, node: Node<'_>) -> Span {
        let places = &self.line.places;
        match (places.get(node.first()), node.end().checked_sub(1).and_then(|last| places.get(last))) {
            (Some(first), Some(last)) => first.to(*last),
            (Some(first), None) => *first,
            _ => Span::default(),
        }
    }

    /// Where a part begins.
    fn start(&self, node: Node<'_>) -> usize {
        self.span(node).start as usize
    }

    // ── Names ───────────────────────────────────────────────────────────────────────────────────────────────────

    fn slice(&self, node: Node<'_>) -> &'a str {
        self.text.get(self.span(node).range()).unwrap_or("")
    }

    fn name(&self, node: Node<'_>) -> Name {
        Spanned::new(self.slice(node).to_owned(), self.span(node))
    }

    fn title(&self, node: Node<'_>) -> Name {
        Spanned::new(self.slice(node).trim_matches('`').to_owned(), self.span(node))
    }

    /// A name of several tokens, without blanks between them.
    fn closed_up(&self, node: Node<'_>) -> Name {
        let value = self.slice(node).split_whitespace().collect();
        Spanned::new(value, self.span(node))
    }

    /// A field of a process, one blank within its object's name: `process 1032.UF_CRM_5_KIND`.
    fn of_process(&self, node: Node<'_>) -> Name {
        let Name { value, span } = self.closed_up(node);
        Spanned::new(value.replacen("process", "process ", 1), span)
    }

    /// A name, or a title in backticks that stands for one.
    fn destination(&self, node: Node<'_>) -> Option<Name> {
        let node = if node.rule() == Is::destination { node.inner()? } else { node };
        Some(if node.rule() == Is::title { self.title(node) } else { self.name(node) })
    }

    fn integer(&mut self, node: Node<'_>) -> Option<Spanned<u32>> {
        let span = self.span(node);
        match self.slice(node).parse() {
            Ok(number) => Some(Spanned::new(number, span)),
            Err(_) => self.bad_literal(span, "the number is too large", "write a smaller whole number"),
        }
    }

    fn bad_literal<T>(&mut self, span: Span, what: &str, help: &str) -> Option<T> {
        self.findings.push(Finding::new(registry::BAD_LITERAL, what).at(span, "cannot be read").help(help));
        None
    }
}

/// What a habit comes to.
struct Told {
    help: String,
    fix: Option<Fix>,
}

/// Signs that are taken for others: one of them where another is needed is replaced, where others stand beside.
const MISTAKEN: &[&str] = &["=", "==", "->", "=>", "<-", ":", "-", "<", ">", "<=", ">=", "|", "/", ",", ";"];

/// Lines longer than this, in bytes of their signs, are not tried again with a repair.
const MAX_REPAIR: usize = 1000;

fn coded(code: Option<Name>, title: Option<Name>) -> Option<Coded> {
    let span = match (&code, &title) {
        (Some(code), Some(title)) => code.span.to(title.span),
        (Some(one), None) | (None, Some(one)) => one.span,
        (None, None) => return None,
    };
    Some(Coded { code, title, span })
}
