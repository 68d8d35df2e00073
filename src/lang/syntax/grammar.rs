//! Runs the grammar over a line's signs. The one file that sees pest.
//!
//! What comes out holds numbers of signs only, no text, so lines with the same signs share it.

use std::collections::HashMap;
use std::rc::Rc;

use pest::Parser as _;
use pest::error::{ErrorVariant, InputLocation};
use pest::iterators::Pair;

pub(super) use parser::Rule;

/// Apart, since the derive makes a struct and an enum that nobody else needs to see.
#[allow(missing_docs)]
mod parser {
    #[derive(pest_derive::Parser)]
    #[grammar = "../grammar/b2n.pest"]
    pub struct Grammar;
}

use parser::Grammar;

/// A part of a line, before those that it consists of.
#[derive(Clone, Copy, Debug)]
struct Part {
    rule: Rule,
    /// Its first sign.
    first: u32,
    /// The sign after its last one.
    end: u32,
    /// The number of the first part in it.
    inner: u32,
    /// The number of the part after all that it consists of.
    next: u32,
}

/// A line as the grammar reads it.
#[derive(Debug)]
pub(super) struct Tree(Vec<Part>);

/// A part of a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node<'t> {
    parts: &'t [Part],
    part: Part,
}

/// Parts side by side.
#[derive(Clone, Debug)]
pub(super) struct Nodes<'t> {
    parts: &'t [Part],
    at: u32,
    end: u32,
}

/// Why a line cannot be read.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The byte of the signs at which nothing fits.
    pub(super) at: usize,
    /// The rules that would fit there, by name.
    pub(super) expected: Vec<String>,
}

/// The grammar, with what it has read.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    known: HashMap<Rule, HashMap<Box<str>, Rc<Tree>>>,
}

impl Shapes {
    /// Reads a line by a rule.
    pub(super) fn read(&mut self, rule: Rule, signs: &str) -> Result<Rc<Tree>, Refusal> {
        let known = self.known.entry(rule).or_default();
        if let Some(tree) = known.get(signs) {
            return Ok(Rc::clone(tree));
        }
        match Grammar::parse(rule, signs) {
            Ok(pairs) => {
                let starts = signs.bytes().enumerate().filter(|(_, b)| *b == b' ').map(|(at, _)| at + 1);
                let starts: Vec<usize> = std::iter::once(0).chain(starts).collect();
                let mut parts = Vec::new();
                for pair in pairs {
                    push(&mut parts, &starts, pair);
                }
                let tree = Rc::new(Tree(parts));
                known.insert(signs.into(), Rc::clone(&tree));
                Ok(tree)
            }
            Err(error) => {
                let at = match error.location {
                    InputLocation::Pos(at) | InputLocation::Span((at, _)) => at,
                };
                let expected = match &error.variant {
                    ErrorVariant::ParsingError { positives, .. } => {
                        positives.iter().map(|rule| format!("{rule:?}")).collect()
                    }
                    ErrorVariant::CustomError { .. } => Vec::new(),
                };
                Err(Refusal { at, expected })
            }
        }
    }
}

/// Whether a line can be read by a rule.
pub(super) fn fits(rule: Rule, signs: &str) -> bool {
    Grammar::parse(rule, signs).is_ok()
}

/// Adds a part and those in it; punctuation that tells nothing is left out.
///
/// INVARIANT: layout has bounded nesting, so the recursion is bounded too.
fn push(parts: &mut Vec<Part>, starts: &[usize], pair: Pair<'_, Rule>) {
    let rule = pair.as_rule();
    if is_punctuation(rule) {
        return;
    }
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let sign = |byte: usize| number(starts.partition_point(|start| *start < byte));
    let span = pair.as_span();
    let at = parts.len();
    parts.push(Part {
        rule,
        first: sign(span.start()),
        end: sign(span.end()),
        inner: number(at + 1),
        next: 0,
    });
    for inner in pair.into_inner() {
        push(parts, starts, inner);
    }
    parts[at].next = number(parts.len());
}

fn is_punctuation(rule: Rule) -> bool {
    matches!(
        rule,
        Rule::EOI
            | Rule::colon
            | Rule::comma
            | Rule::dash
            | Rule::dot
            | Rule::dots
            | Rule::bar
            | Rule::equals
            | Rule::arrow
            | Rule::underscore
            | Rule::open_brace
            | Rule::close_brace
            | Rule::open_paren
            | Rule::close_paren
            | Rule::open_bracket
            | Rule::close_bracket
    )
}

impl Tree {
    /// What the line consists of.
    pub(super) fn nodes(&self) -> Nodes<'_> {
        Nodes { parts: &self.0, at: 1, end: self.0.first().map_or(0, |line| line.next) }
    }
}

impl<'t> Node<'t> {
    pub(super) fn rule(self) -> Rule {
        self.part.rule
    }

    /// The number of its first sign.
    pub(super) fn first(self) -> usize {
        self.part.first as usize
    }

    /// The number of the sign after its last one.
    pub(super) fn end(self) -> usize {
        self.part.end as usize
    }

    /// What it consists of.
    pub(super) fn nodes(self) -> Nodes<'t> {
        Nodes { parts: self.parts, at: self.part.inner, end: self.part.next }
    }

    /// The first part in it.
    pub(super) fn inner(self) -> Option<Node<'t>> {
        self.nodes().next()
    }
}

impl<'t> Nodes<'t> {
    /// The next part, without taking it.
    pub(super) fn peek(&self) -> Option<Node<'t>> {
        self.clone().next()
    }

    /// Takes the next part if it is of this rule.
    pub(super) fn next_of(&mut self, rule: Rule) -> Option<Node<'t>> {
        let node = self.peek().filter(|node| node.rule() == rule)?;
        self.at = node.part.next;
        Some(node)
    }
}

impl<'t> Iterator for Nodes<'t> {
    type Item = Node<'t>;

    fn next(&mut self) -> Option<Node<'t>> {
        if self.at >= self.end {
            return None;
        }
        let part = *self.parts.get(self.at as usize)?;
        self.at = part.next;
        Some(Node { parts: self.parts, part })
    }
}
