//! Limits of the plan that only a run can judge, after each phase.

use rust_decimal::Decimal;

use crate::lang::plan::Limit;

use super::{Engine, Error, MapReport, Result};

/// The flag of records whose owner the last row of `owners` gives: kept where a limit counts them.
pub(super) const OTHER_OWNERS: &str = "owners.otherwise";

impl Engine<'_> {
    /// Whether a limit counts this.
    pub(super) fn is_limited(&self, what: &str) -> bool {
        self.plan.budget.iter().any(|limit| limit.what == what)
    }

    /// Holds the books so far against the limits of the plan.
    pub(super) fn within_budget(&self, phase: usize, books: &[MapReport]) -> Result<()> {
        let mut lines = Vec::new();
        for limit in &self.plan.budget {
            let (mut counted, mut all) = (0u64, 0u64);
            for book in books.iter().filter(|book| !book.beside) {
                all += book.source.saturating_sub(book.tally.routed + book.left);
                counted += match limit.what.as_str() {
                    "quarantine" => book.tally.quarantined,
                    "flag" => self.workspace.flagged(&book.map, None, OTHER_OWNERS)?,
                    OTHER_OWNERS => self.workspace.flagged(&book.map, Some(OTHER_OWNERS), "")?,
                    _ => 0,
                };
            }
            if exceeds(limit, counted, all) {
                let (file, line) = self.plan.place(limit.line);
                lines.push(format!(
                    "`{}` comes to {counted} of {all} records, and {file}:{line} allows {}",
                    limit.what,
                    allowed(limit)
                ));
            }
        }
        if lines.is_empty() { Ok(()) } else { Err(Error::Budget { phase: phase + 1, lines }) }
    }
}

fn exceeds(limit: &Limit, counted: u64, all: u64) -> bool {
    let allowed = if limit.share { limit.at_most * Decimal::from(all) } else { limit.at_most };
    Decimal::from(counted) > allowed
}

fn allowed(limit: &Limit) -> String {
    if limit.share {
        format!("{}%", (limit.at_most * Decimal::ONE_HUNDRED).normalize())
    } else {
        limit.at_most.normalize().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_of_all_records_and_the_limit_itself_is_kept() {
        let limit = |at_most: &str, share| Limit {
            what: "quarantine".to_owned(),
            at_most: at_most.parse().expect("a number"),
            share,
            line: 1,
        };
        assert!(!exceeds(&limit("0.005", true), 5, 1000));
        assert!(exceeds(&limit("0.005", true), 6, 1000));
        assert!(!exceeds(&limit("3", false), 3, 1000));
        assert!(exceeds(&limit("3", false), 4, 1000));
        assert!(!exceeds(&limit("0", true), 0, 0));
        assert_eq!(
            (allowed(&limit("0.0050", true)), allowed(&limit("3", false))),
            ("0.5%".into(), "3".into())
        );
    }
}
