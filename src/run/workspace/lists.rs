//! The lists behind the numbers of the books, page by page: who ended where, what lacks what, which writes had trouble.

use super::journal::{JournalState, Operation};
use super::outcomes::Status;
use super::{Flag, Lack, Outcome, Result, Workspace};

/// A write that did not simply go well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Its number in the journal.
    pub seq: i64,
    /// The row of the books.
    pub map: String,
    /// The source record.
    pub key: String,
    /// What kind of write.
    pub operation: Operation,
    /// Which of the record's writes.
    pub step: u16,
    /// How it ended.
    pub state: JournalState,
    /// When it was noted, Unix milliseconds.
    pub sent_ms: i64,
    /// When it ended, Unix milliseconds.
    pub ended_ms: Option<i64>,
    /// Whether it once had no usable answer.
    pub unanswered: bool,
    /// What the destination said, or how it was found out.
    pub note: Option<String>,
    /// Whether a later write of the same kind to the same record was done.
    pub repeated: bool,
}

impl Workspace {
    /// Up to `limit` records of a row of the books that ended in a status and whose keys follow `after`, in order.
    ///
    /// # Errors
    /// Those of the database.
    pub fn ends_of(
        &self,
        map: &str,
        status: Status,
        after: &str,
        limit: u32,
    ) -> Result<Vec<(String, Outcome)>> {
        let map = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached(
                "SELECT key, target, reason FROM outcome WHERE map = ?1 AND status = ?2 AND key > ?3
                 ORDER BY key LIMIT ?4",
            )?
            .query_map((map, status.number(), after, limit), |row| {
                Ok((row.get(0)?, Outcome { status, target: row.get(1)?, reason: row.get(2)? }))
            })?
            .collect()
        })
    }

    /// The keys of up to `limit` staged records of an object that have no end in a row of the books and follow `after`,
    /// in order: of a split, those that it sent to maps.
    ///
    /// # Errors
    /// Those of the database.
    pub fn without_end(&self, row: &str, object: &str, after: &str, limit: u32) -> Result<Vec<String>> {
        let (row, object) = (self.intern(row)?, self.intern(object)?);
        self.store(|db| {
            db.prepare_cached(
                "SELECT s.key FROM staged s LEFT JOIN outcome o ON o.map = ?1 AND o.key = s.key
                 WHERE s.object = ?2 AND o.key IS NULL AND s.key > ?3 ORDER BY s.key LIMIT ?4",
            )?
            .query_map((row, object, after, limit), |row| row.get(0))?
            .collect()
        })
    }

    /// Up to `limit` links of a map whose other record did not arrive, behind the first `after`: the record's key, and
    /// what it lacks.
    ///
    /// # Errors
    /// Those of the database.
    pub fn lacks_page(&self, map: &str, after: u64, limit: u32) -> Result<Vec<(String, Lack)>> {
        let id = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached(
                "SELECT l.key, l.field, n.name, l.to_key FROM lack l JOIN name n ON n.id = l.to_map
                 WHERE l.map = ?1 ORDER BY l.key, l.field, n.name, l.to_key LIMIT ?2 OFFSET ?3",
            )?
            .query_map((id, limit, after.cast_signed()), |row| {
                Ok((row.get(0)?, Lack { field: row.get(1)?, map: row.get(2)?, key: row.get(3)? }))
            })?
            .collect()
        })
    }

    /// Up to `limit` flags of a map behind the first `after`, in order of key.
    ///
    /// # Errors
    /// Those of the database.
    pub fn flags_page(&self, map: &str, after: u64, limit: u32) -> Result<Vec<(String, Flag)>> {
        let id = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached(
                "SELECT key, rule, why FROM flag WHERE map = ?1 ORDER BY key, rule, why LIMIT ?2 OFFSET ?3",
            )?
            .query_map((id, limit, after.cast_signed()), |row| {
                Ok((row.get(0)?, Flag { rule: row.get(1)?, why: row.get(2)? }))
            })?
            .collect()
        })
    }

    /// Up to `limit` writes that did not simply go well and follow `after`, in order.
    ///
    /// # Errors
    /// Those of the database.
    pub fn troubles(&self, after: i64, limit: u32) -> Result<Vec<Trouble>> {
        self.store(|db| {
            db.prepare_cached(
                "SELECT j.seq, n.name, j.key, j.operation, j.step, j.state, j.sent_ms, j.ended_ms,
                        j.unknown_ms IS NOT NULL, j.note,
                        EXISTS (SELECT 1 FROM journal l WHERE l.map = j.map AND l.key = j.key AND l.seq > j.seq
                                AND l.operation = j.operation AND l.state = 1)
                 FROM journal j JOIN name n ON n.id = j.map
                 WHERE j.seq > ?1 AND (j.state <> 1 OR j.unknown_ms IS NOT NULL OR j.note IS NOT NULL
                                       OR j.operation = 3)
                 ORDER BY j.seq LIMIT ?2",
            )?
            .query_map((after, limit), |row| {
                let out = |column: usize, number: i64| rusqlite::Error::IntegralValueOutOfRange(column, number);
                let (operation, state): (i64, i64) = (row.get(3)?, row.get(5)?);
                let at = |number: i64| usize::try_from(number).unwrap_or(usize::MAX);
                Ok(Trouble {
                    seq: row.get(0)?,
                    map: row.get(1)?,
                    key: row.get(2)?,
                    operation: *Operation::ALL.get(at(operation)).ok_or_else(|| out(3, operation))?,
                    step: row.get(4)?,
                    state: *JournalState::ALL.get(at(state)).ok_or_else(|| out(5, state))?,
                    sent_ms: row.get(6)?,
                    ended_ms: row.get(7)?,
                    unanswered: row.get(8)?,
                    note: row.get(9)?,
                    repeated: row.get(10)?,
                })
            })?
            .collect()
        })
    }

    /// Tells when each write was noted and when it ended, Unix milliseconds, in that order.
    ///
    /// # Errors
    /// Those of the database.
    pub fn each_write(&self, mut each: impl FnMut(i64, Option<i64>)) -> Result<()> {
        self.store(|db| {
            let mut statement = db.prepare("SELECT sent_ms, ended_ms FROM journal ORDER BY sent_ms, seq")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                each(row.get(0)?, row.get(1)?);
            }
            Ok(())
        })
    }

    /// When the last write ended, Unix milliseconds.
    ///
    /// # Errors
    /// Those of the database.
    pub fn last_write_ms(&self) -> Result<Option<i64>> {
        self.store(|db| db.query_row("SELECT max(ended_ms) FROM journal", [], |row| row.get(0)))
    }

    /// When the books last moved, Unix milliseconds: the last write, decision, approval or look at the source.
    ///
    /// # Errors
    /// Those of the database.
    pub fn moved_ms(&self) -> Result<Option<i64>> {
        self.store(|db| {
            db.query_row(
                "SELECT max(at) FROM (
                     SELECT max(coalesce(ended_ms, sent_ms)) AS at FROM journal
                     UNION ALL SELECT max(coalesce(lifted_ms, decided_ms)) FROM decision
                     UNION ALL SELECT max(coalesce(withdrawn_ms, approved_ms)) FROM approval
                     UNION ALL SELECT max(fetched_ms) FROM manifest)",
                [],
                |row| row.get(0),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::workspace::{Intent, Manifest};

    #[test]
    fn lists_have_as_many_rows_as_their_numbers_say() {
        let ws = Workspace::in_memory().expect("opens");
        let keys: Vec<String> = (0..7).map(|key| key.to_string()).collect();
        ws.stage("lead", keys.iter().map(|key| (key.as_str(), &b"{}"[..])), &Manifest::default())
            .expect("stages");
        for (at, key) in keys.iter().enumerate().take(5) {
            let status = Status::ALL[at % 2];
            let outcome = Outcome { status, target: None, reason: None };
            let flags = [Flag { rule: "lead.phone".to_owned(), why: format!("why {at}") }];
            ws.settle("lead", key, &outcome, &flags).expect("settles");
        }
        for status in Status::ALL {
            let mut listed = 0;
            let mut after = String::new();
            loop {
                let page = ws.ends_of("lead", status, &after, 2).expect("lists");
                let Some((last, _)) = page.last() else { break };
                after.clone_from(last);
                listed += page.len() as u64;
            }
            assert_eq!(listed, ws.tally("lead").expect("counts").get(status), "{status:?}");
        }
        assert_eq!(ws.without_end("lead", "lead", "", 9).expect("lists"), ["5", "6"]);
        assert_eq!(ws.without_end("lead", "lead", "5", 9).expect("lists"), ["6"]);
        assert_eq!(ws.flags_page("lead", 3, 9).expect("lists").len(), 2);
        let lack = Lack { field: 2, map: "lead".to_owned(), key: "5".to_owned() };
        ws.keep_lacks("lead", "1", std::slice::from_ref(&lack)).expect("keeps");
        assert_eq!(ws.lacks_page("lead", 0, 9).expect("lists"), [("1".to_owned(), lack)]);
    }

    #[test]
    fn only_writes_that_did_not_simply_go_well_are_troubles() {
        let ws = Workspace::in_memory().expect("opens");
        let intent = |key: &str| Intent {
            map: "deal".to_owned(),
            key: key.to_owned(),
            operation: Operation::Create,
            step: 0,
            payload: String::new(),
            target: None,
            before: None,
        };
        let seqs = ws.intend(&[intent("1"), intent("2"), intent("2"), intent("3")], 5).expect("notes");
        ws.ended(seqs[0], JournalState::Done, Some("t1"), None, 6).expect("ends");
        ws.ended(seqs[1], JournalState::Unknown, None, Some("no answer"), 7).expect("ends");
        ws.ended(seqs[1], JournalState::Failed, None, Some("not found"), 8).expect("ends");
        ws.ended(seqs[2], JournalState::Done, Some("t2"), None, 9).expect("ends");
        let troubles = ws.troubles(0, 9).expect("lists");
        let told: Vec<_> =
            troubles.iter().map(|t| (t.key.as_str(), t.state, t.unanswered, t.repeated)).collect();
        assert_eq!(
            told,
            [("2", JournalState::Failed, true, true), ("3", JournalState::Intent, false, false)]
        );
        assert_eq!(ws.troubles(troubles[0].seq, 9).expect("lists").len(), 1);
        let mut times = Vec::new();
        ws.each_write(|sent, ended| times.push((sent, ended))).expect("reads");
        assert_eq!(times, [(5, Some(6)), (5, Some(8)), (5, Some(9)), (5, None)]);
        assert_eq!(ws.moved_ms().expect("reads"), Some(9));
    }
}
