//! Findings that lines and layout make, and the bound on how many there may be.

use crate::lang::finding::{Applicability, Edit, Finding, Fix, registry};
use crate::lang::text::Span;

/// Findings beyond these are counted, not kept: a file of another kind has one on every line.
pub(super) const MAX_FINDINGS: usize = 1000;

/// Findings up to a bound.
#[derive(Debug, Default)]
pub(super) struct Findings {
    list: Vec<Finding>,
    suppressed: usize,
}

impl Findings {
    /// Keeps a finding, if there is room.
    pub(super) fn push(&mut self, finding: Finding) {
        if self.is_full() {
            self.suppressed += 1;
        } else {
            self.list.push(finding);
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.list.len() >= MAX_FINDINGS
    }

    /// Counts a line that is not looked at because there is no room for its findings.
    pub(super) fn suppress(&mut self) {
        self.suppressed += 1;
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut Finding> {
        self.list.get_mut(at)
    }

    /// All findings in the order of their places.
    pub(super) fn sorted(mut self) -> Vec<Finding> {
        self.list.sort_by_key(|f| f.label.as_ref().map_or(0, |label| label.span.start));
        if self.suppressed > 0 {
            self.list.push(
                Finding::new(
                    registry::UNEXPECTED_TOKEN,
                    format!("{} more findings are not shown", self.suppressed),
                )
                .help("mend the findings above first"),
            );
        }
        self.list
    }
}

pub(super) fn clause_twice(again: Span, first: Span) -> Finding {
    Finding::new(registry::DUPLICATE_ITEM, "a clause stands twice in one rule")
        .at(again, "it stands here again")
        .and_at(first, "it stands here first")
        .help("keep one of them; conditions are joined with `and`")
}

pub(super) fn escape(escape: &str, span: Span) -> Finding {
    Finding::new(registry::BAD_LITERAL, format!("`{escape}` means nothing in a text"))
        .at(span, "not an escape")
        .help("write `\\\\` for a backslash; the escapes are `\\\"`, `\\\\`, `\\n` and `\\t`")
}

pub(super) fn brace_in_name(span: Span) -> Finding {
    let start = span.start as usize;
    let fix = Fix {
        title: "write the brace itself".to_owned(),
        edits: vec![Edit { span: Span::new(start, start), text: "{".to_owned() }],
        applicability: Applicability::Likely,
    };
    Finding::new(registry::BAD_LITERAL, "a name or reason cannot hold a value in braces")
        .at(span, "only values interpolate")
        .help("write `{{` for a brace itself")
        .fix(fix)
}

pub(super) fn empty_braces(span: Span) -> Finding {
    Finding::new(registry::UNEXPECTED_TOKEN, "expected a value")
        .at(span, "nothing stands between the braces")
        .help("write a value as in `{TITLE}`, or `{{` for a brace itself")
}

/// The finding for clauses out of order, which puts them right where no comment stands between them.
pub(super) fn clause_order(source: &str, clauses: &[(u8, Span)]) -> Finding {
    let mut sorted = clauses.to_vec();
    sorted.sort_by_key(|(rank, _)| *rank);
    let wrong = clauses.iter().zip(&sorted).find(|(a, b)| a.1 != b.1).map_or(clauses[0].1, |(a, _)| a.1);
    let mut finding = Finding::new(registry::CLAUSE_ORDER, "the trailing clauses stand in another order")
        .at(wrong, "this clause comes later")
        .help("the order is `when`, `labelled`, `else`, `on fail`, `on unmigrated`, fidelity; `b2n fmt` keeps it");
    let gaps_are_blank = clauses.windows(2).all(|pair| {
        let gap = pair[0].1.end as usize..pair[1].1.start as usize;
        source.get(gap).is_some_and(|gap| gap.trim().is_empty())
    });
    if gaps_are_blank {
        let text = |span: Span| source.get(span.range()).unwrap_or("").to_owned();
        let moved = clauses.iter().zip(&sorted).filter(|(old, new)| old.1 != new.1);
        let edits = moved.map(|(old, new)| Edit { span: old.1, text: text(new.1) }).collect();
        finding = finding.fix(Fix {
            title: "put the clauses in order".to_owned(),
            edits,
            applicability: Applicability::Safe,
        });
    }
    finding
}
