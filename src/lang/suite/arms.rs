//! The lines that arms stand on. A plan has the lines of rules and rows alone: the rest is in the tree.

use std::collections::HashMap;

use super::Input;
use crate::lang::eval::reference::Taken;
use crate::lang::syntax::ast::{Clauses, Expr, ExprKind, Item, MapLine};
use crate::lang::text::{SourceText, Span};

/// Lines of the arms of one rule.
#[derive(Default)]
struct OfRule {
    otherwise: Vec<u32>,
    on_fail: Option<u32>,
    on_unmigrated: Option<u32>,
}

/// Where arms stand, by the line of their rule.
#[derive(Default)]
pub(super) struct Lines {
    rules: HashMap<u32, OfRule>,
}

impl Lines {
    pub(super) fn new(input: Input<'_>) -> Lines {
        let mut lines = Lines::default();
        for item in &input.spec.items {
            match item {
                Item::Map(map) => lines.body(input.text, &map.body),
                Item::Flatten(flatten) => lines.body(input.text, &flatten.body),
                _ => {}
            }
        }
        lines
    }

    fn body(&mut self, text: &SourceText, body: &[MapLine]) {
        for part in body {
            match part {
                MapLine::Rule(rule) => self.rule(text, rule.span, &rule.value, &rule.clauses),
                MapLine::Note(note) => self.rule(text, note.span, &note.value, &note.clauses),
                _ => {}
            }
        }
    }

    fn rule(&mut self, text: &SourceText, span: Span, value: &Expr, clauses: &Clauses) {
        let of = OfRule {
            otherwise: clauses.else_.iter().map(|arm| line(text, arm.span)).collect(),
            on_fail: clauses.on_fail.as_ref().map(|arm| line(text, arm.span)),
            on_unmigrated: clauses.on_unmigrated.as_ref().map(|arm| line(text, arm.span)),
        };
        // A block may begin on the line of its rule: the outer one is said first.
        self.rules.entry(line(text, span)).or_insert(of);
        if let ExprKind::EachBlock { body, .. } = &value.kind {
            self.body(text, body);
        }
    }

    /// The line of what a rule took; that of the rule itself where the tree does not say.
    pub(super) fn of(&self, taken: &Taken, line: u32) -> u32 {
        let rule = self.rules.get(&line);
        let found = match taken {
            Taken::Value | Taken::Row(..) | Taken::StageRow(..) => None,
            Taken::Else(number) => rule.and_then(|rule| rule.otherwise.get(usize::from(*number)).copied()),
            Taken::OnFail => rule.and_then(|rule| rule.on_fail),
        };
        found.unwrap_or(line)
    }

    /// The line of a rule's `on unmigrated`.
    pub(super) fn of_unmigrated(&self, line: u32) -> u32 {
        self.rules.get(&line).and_then(|rule| rule.on_unmigrated).unwrap_or(line)
    }
}

fn line(text: &SourceText, span: Span) -> u32 {
    text.position(span.start).line
}
