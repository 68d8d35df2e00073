//! Who approved which plan, and when. What is withdrawn stays, with its time: rows are never deleted.

use rusqlite::OptionalExtension;

use super::{Result, Workspace};

/// A person's word that a plan may be carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Approval {
    /// Its number, in the order of approving; given by the workspace.
    pub seq: i64,
    /// The hash of the plan.
    pub plan: String,
    /// The certificate that the spec had then.
    pub certificate: String,
    /// Who, as they called themselves.
    pub by: String,
    /// What they said; may be empty.
    pub note: String,
    /// When, Unix milliseconds.
    pub approved_ms: i64,
    /// For samples of at most so many records only; `None` where it is for everything.
    pub sample: Option<u32>,
    /// What was to be written as far as it was known then, as JSON.
    pub counts: String,
    /// When it was withdrawn, Unix milliseconds.
    pub withdrawn_ms: Option<i64>,
}

const COLUMNS: &str = "seq, plan, certificate, approver, note, approved_ms, sample, counts, withdrawn_ms";

impl Workspace {
    /// Keeps an approval; its number and its withdrawal are the workspace's to say.
    ///
    /// # Errors
    /// Those of the database.
    pub fn approve(&self, approval: &Approval) -> Result<()> {
        let Approval { seq: _, plan, certificate, by, note, approved_ms, sample, counts, withdrawn_ms: _ } =
            approval;
        self.store(|db| {
            db.execute(
                "INSERT INTO approval(plan, certificate, approver, note, approved_ms, sample, counts)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                (plan, certificate, by, note, approved_ms, sample, counts),
            )
            .map(|_| ())
        })
    }

    /// The approval of a plan that holds: of several the widest, then the newest.
    ///
    /// # Errors
    /// Those of the database.
    pub fn approval(&self, plan: &str) -> Result<Option<Approval>> {
        self.store(|db| {
            db.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM approval WHERE plan = ?1 AND withdrawn_ms IS NULL
                 ORDER BY sample IS NOT NULL, sample DESC, seq DESC LIMIT 1"
            ))?
            .query_row([plan], approval)
            .optional()
        })
    }

    /// Every approval, in the order of approving, those that were withdrawn too.
    ///
    /// # Errors
    /// Those of the database.
    pub fn approvals(&self) -> Result<Vec<Approval>> {
        self.store(|db| {
            db.prepare_cached(&format!("SELECT {COLUMNS} FROM approval ORDER BY seq"))?
                .query_map([], approval)?
                .collect()
        })
    }

    /// Withdraws every approval of a plan. Gives how many held.
    ///
    /// # Errors
    /// Those of the database.
    pub fn withdraw(&self, plan: &str, now_ms: i64) -> Result<u64> {
        self.store(|db| {
            db.execute(
                "UPDATE approval SET withdrawn_ms = ?2 WHERE plan = ?1 AND withdrawn_ms IS NULL",
                (plan, now_ms),
            )
            .map(|rows| rows as u64)
        })
    }
}

fn approval(row: &rusqlite::Row<'_>) -> rusqlite::Result<Approval> {
    Ok(Approval {
        seq: row.get(0)?,
        plan: row.get(1)?,
        certificate: row.get(2)?,
        by: row.get(3)?,
        note: row.get(4)?,
        approved_ms: row.get(5)?,
        sample: row.get(6)?,
        counts: row.get(7)?,
        withdrawn_ms: row.get(8)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(plan: &str, by: &str, sample: Option<u32>) -> Approval {
        Approval { plan: plan.to_owned(), by: by.to_owned(), sample, ..Approval::default() }
    }

    #[test]
    fn the_widest_approval_holds_until_all_of_the_plan_are_withdrawn() {
        let ws = Workspace::in_memory().expect("opens");
        assert_eq!(ws.approval("a").expect("reads"), None);
        for (by, sample) in [("ann", Some(10)), ("bob", Some(200)), ("cyd", Some(50))] {
            ws.approve(&of("a", by, sample)).expect("keeps");
        }
        let holds = |plan: &str| ws.approval(plan).expect("reads").map(|approval| approval.by);
        assert_eq!(holds("a").as_deref(), Some("bob"));
        ws.approve(&of("a", "dan", None)).expect("keeps");
        ws.approve(&of("a", "eve", Some(900))).expect("keeps");
        ws.approve(&of("b", "fay", None)).expect("keeps");
        assert_eq!((holds("a").as_deref(), holds("b").as_deref()), (Some("dan"), Some("fay")));
        assert_eq!(ws.withdraw("a", 7).expect("withdraws"), 5);
        assert_eq!(ws.withdraw("a", 8).expect("withdraws nothing"), 0);
        assert_eq!((holds("a"), holds("b").as_deref()), (None, Some("fay")));
        let all = ws.approvals().expect("lists");
        let gone: Vec<Option<i64>> = all.iter().map(|approval| approval.withdrawn_ms).collect();
        assert_eq!(gone, [Some(7), Some(7), Some(7), Some(7), Some(7), None]);
    }
}
