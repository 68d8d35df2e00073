//! The journal as an audit log: every write, every decision and every approval of a person, one line each, never a value
//! of a record.

use super::Workspace;
use super::journal::{JournalState, Operation};

/// A line of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditLine {
    /// Its number among the writes, the decisions, or the approvals.
    pub seq: i64,
    /// When it was noted, before it was sent; when it was decided. Unix milliseconds.
    pub at_ms: i64,
    /// When it ended, Unix milliseconds.
    pub ended_ms: Option<i64>,
    /// What was done: `create`, `edit`, `adopt`, `delete`, `take back`, `restore`, `leave out`, `approve`.
    pub what: &'static str,
    /// The row of the books; empty for approvals.
    pub map: String,
    /// The source record; empty for approvals.
    pub key: String,
    /// Which of the record's writes: 0 for the first.
    pub step: u16,
    /// The destination's id, where it is known.
    pub target: Option<String>,
    /// How it ended: `intent`, `done`, `failed`, `unknown`; `decided` or `lifted`; `approved` or `withdrawn`.
    pub state: &'static str,
    /// The hash of what was sent, or of the plan that was approved.
    pub payload: Option<String>,
    /// Who decided or approved.
    pub who: Option<String>,
    /// What the destination said, or how it was found out; why a person decided.
    pub reason: Option<String>,
}

impl Workspace {
    /// Hands out every line in order, the writes first, then the decisions, then the approvals. One line is in memory at a time.
    ///
    /// # Errors
    /// Those of the database, and of `each`, which ends it.
    pub fn audit<E: From<super::Error>>(
        &self,
        mut each: impl FnMut(AuditLine) -> std::result::Result<(), E>,
    ) -> std::result::Result<u64, E> {
        let mut lines = 0;
        for query in [WRITES, DECISIONS, APPROVALS] {
            // What `each` says passes through SQLite's own errors, and comes out as it was.
            let mut failed = None;
            self.store(|db| {
                let mut statement = db.prepare(query)?;
                let mut rows = statement.query([])?;
                while let Some(row) = rows.next()? {
                    lines += 1;
                    if let Err(error) = each(line(row)?) {
                        failed = Some(error);
                        break;
                    }
                }
                Ok(())
            })?;
            if let Some(error) = failed {
                return Err(error);
            }
        }
        Ok(lines)
    }
}

/// These queries give: kind (0 write, 1 decision, 2 approval), seq, when, ended, operation, map, key, step, target, state, payload,
/// who, reason.
const WRITES: &str = "SELECT 0, j.seq, j.sent_ms, j.ended_ms, j.operation, n.name, j.key, j.step, j.target, j.state, \
                      j.payload, NULL, j.note FROM journal j JOIN name n ON n.id = j.map ORDER BY j.seq";
const DECISIONS: &str = "SELECT 1, d.seq, d.decided_ms, d.lifted_ms, 0, n.name, d.key, 0, NULL, \
                         d.lifted_ms IS NOT NULL, NULL, d.decider, d.reason \
                         FROM decision d JOIN name n ON n.id = d.map ORDER BY d.seq";
const APPROVALS: &str = "SELECT 2, a.seq, a.approved_ms, a.withdrawn_ms, 0, '', '', 0, NULL, \
                         a.withdrawn_ms IS NOT NULL, a.plan, a.approver, nullif(a.note, '') \
                         FROM approval a ORDER BY a.seq";

fn line(row: &rusqlite::Row<'_>) -> rusqlite::Result<AuditLine> {
    let kind: i64 = row.get(0)?;
    let (operation, state): (usize, usize) = (number(row, 4)?, number(row, 9)?);
    let out_of_range =
        |column: usize, number: usize| rusqlite::Error::IntegralValueOutOfRange(column, number as i64);
    let (what, state) = match (kind, state) {
        (1, 0) => ("leave out", "decided"),
        (1, _) => ("leave out", "lifted"),
        (2, 0) => ("approve", "approved"),
        (2, _) => ("approve", "withdrawn"),
        _ => (
            Operation::ALL.get(operation).ok_or_else(|| out_of_range(4, operation))?.word(),
            JournalState::ALL.get(state).ok_or_else(|| out_of_range(9, state))?.word(),
        ),
    };
    Ok(AuditLine {
        seq: row.get(1)?,
        at_ms: row.get(2)?,
        ended_ms: row.get(3)?,
        what,
        map: row.get(5)?,
        key: row.get(6)?,
        step: row.get(7)?,
        target: row.get(8)?,
        state,
        payload: row.get(10)?,
        who: row.get(11)?,
        reason: row.get(12)?,
    })
}

fn number(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<usize> {
    let number: i64 = row.get(column)?;
    usize::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::workspace::{Error, Intent};

    #[test]
    fn every_write_has_a_line_and_no_value_is_in_it() {
        let ws = Workspace::in_memory().expect("opens");
        for (at, operation) in Operation::ALL.into_iter().enumerate() {
            let intent = Intent {
                map: "deal".to_owned(),
                key: at.to_string(),
                operation,
                step: 0,
                payload: "0f".to_owned(),
                target: Some("9".to_owned()),
                before: Some("Zebra".to_owned()),
            };
            let seq = ws.intend(&[intent], 5).expect("notes")[0];
            let state = JournalState::ALL[at % JournalState::ALL.len()];
            if state != JournalState::Intent {
                ws.ended(seq, state, None, Some("said so"), 6).expect("ends");
            }
        }
        let mut lines = Vec::new();
        let counted = ws.audit(|line| {
            lines.push(line);
            Ok::<(), Error>(())
        });
        assert_eq!(counted.expect("reads"), 6);
        let words: Vec<_> = lines.iter().map(|line| (line.what, line.state)).collect();
        assert_eq!(
            words,
            [
                ("create", "intent"),
                ("edit", "done"),
                ("adopt", "failed"),
                ("delete", "unknown"),
                ("take back", "intent"),
                ("restore", "done")
            ]
        );
        assert!(!format!("{lines:?}").contains("Zebra"));
    }

    #[test]
    fn what_is_asked_for_line_by_line_can_end_it() {
        #[derive(Debug)]
        struct Enough;
        impl From<Error> for Enough {
            fn from(_: Error) -> Self {
                Enough
            }
        }
        let ws = Workspace::in_memory().expect("opens");
        let intent = Intent {
            map: "deal".to_owned(),
            key: "1".to_owned(),
            operation: Operation::Create,
            step: 0,
            payload: String::new(),
            target: None,
            before: None,
        };
        ws.intend(&[intent.clone(), intent], 5).expect("notes");
        let mut seen = 0;
        let ended = ws.audit(|_| {
            seen += 1;
            Err(Enough)
        });
        assert!(matches!(ended, Err(Enough)));
        assert_eq!(seen, 1);
    }
}
