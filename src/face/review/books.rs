//! What the books say was written before: the sentence above the records of a page.

use serde_json::{Value, json};

use crate::lang::plan::Plan;
use crate::run::engine;
use crate::run::workspace::{Error, Workspace};

/// What was written before, by the books.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// Whether anything was ever sent and not taken back.
    pub begun: bool,
    /// Records that were made in the destination, notes apart.
    pub created: u64,
    /// Records that were there before and were taken over, notes apart.
    pub adopted: u64,
    /// When the last write ended, Unix milliseconds.
    pub last_ms: Option<i64>,
    /// Everything that was written was taken back, at this time where it is known.
    pub taken_back: Option<Option<i64>>,
}

impl Books {
    /// Of a workspace.
    ///
    /// # Errors
    /// Those of the workspace.
    pub fn of(plan: &Plan, workspace: &Workspace) -> Result<Books, Error> {
        let begun = workspace.writes()? > 0;
        let mut books = Books { begun, last_ms: workspace.last_write_ms()?, ..Books::default() };
        if !begun {
            let ended = workspace.rollback()?.and_then(|rollback| rollback.ended_ms);
            books.taken_back = (workspace.all_writes()? > 0).then_some(ended);
            return Ok(books);
        }
        for row in engine::standing(plan, workspace)?.iter().filter(|row| !row.beside) {
            books.created += row.tally.created;
            books.adopted += row.tally.adopted;
        }
        Ok(books)
    }

    /// The sentence.
    pub fn text(&self) -> String {
        const SHOWN: &str = "every value is what the plan makes of the extracted records";
        const LINKS: &str = "a link is told by map and key.";
        let Books { created, adopted, .. } = self;
        if let Some(when) = self.taken_back {
            let when = when.map(|at| format!(" on {}", moment(at))).unwrap_or_default();
            return format!("What was written was taken back{when}: {SHOWN}; {LINKS}");
        }
        if !self.begun {
            return format!("Nothing is written yet: {SHOWN}; {LINKS}");
        }
        let last =
            self.last_ms.map(|at| format!("; the last write was on {}", moment(at))).unwrap_or_default();
        format!(
            "By the books {created} records were created in the destination and {adopted} adopted{last}. Shown is not what they \
             hold there: {SHOWN} now; {LINKS}"
        )
    }

    /// The same for programs.
    pub fn json(&self) -> Value {
        json!({
            "begun": self.begun, "created": self.created, "adopted": self.adopted, "last_ms": self.last_ms,
            "taken_back": self.taken_back.is_some(), "text": self.text(),
        })
    }
}

/// What stands in their place while another command holds the workspace.
pub fn in_use() -> Value {
    let text = "Another command works with the workspace right now: load this page again later to see what is written. \
                Every value is what the plan makes of the extracted records; a link is told by map and key.";
    json!({
        "begun": null, "created": null, "adopted": null, "last_ms": null, "taken_back": null, "text": text,
    })
}

fn moment(ms: i64) -> String {
    let at = jiff::Timestamp::from_second(ms.div_euclid(1000));
    at.map_or_else(|_| ms.to_string(), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_says_what_is_so() {
        let none = Books::default();
        assert!(none.text().starts_with("Nothing is written yet: every value"), "{}", none.text());
        let some =
            Books { begun: true, created: 7, adopted: 2, last_ms: Some(1_795_262_400_000), ..none.clone() };
        let text = some.text();
        assert!(!text.contains("Nothing") && text.contains("7 records were created"), "{text}");
        assert!(text.contains("2 adopted; the last write was on 2026-11-21T"), "{text}");
        let back = Books { taken_back: Some(Some(0)), ..none.clone() };
        assert!(
            back.text().starts_with("What was written was taken back on 1970-01-01T00:00:00Z: "),
            "{}",
            back.text()
        );
        let back = Books { taken_back: Some(None), ..none };
        assert!(back.text().starts_with("What was written was taken back: "), "{}", back.text());
    }
}
