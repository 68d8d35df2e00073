//! Every write that was sent, noted durably before it is sent.
//!
//! INVARIANT: [`Workspace::intend`] returns only after a commit with `synchronous = FULL`, so a process that dies
//! after sending finds the intent when it comes back.

use rusqlite::OptionalExtension;

use super::{Result, Workspace};

/// What kind of write it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Makes a record.
    Create,
    /// Changes one that this run made.
    Edit,
    /// Changes one that was there before.
    Adopt,
    /// Takes a double away.
    Delete,
    /// Takes a record away in a rollback.
    TakeBack,
    /// Gives a record that was there before its former values back.
    Restore,
}

impl Operation {
    /// Their places are their numbers in the file.
    pub(super) const ALL: [Operation; 6] = [
        Operation::Create,
        Operation::Edit,
        Operation::Adopt,
        Operation::Delete,
        Operation::TakeBack,
        Operation::Restore,
    ];

    /// Its word in the audit log.
    pub fn word(self) -> &'static str {
        match self {
            Operation::Create => "create",
            Operation::Edit => "edit",
            Operation::Adopt => "adopt",
            Operation::Delete => "delete",
            Operation::TakeBack => "take back",
            Operation::Restore => "restore",
        }
    }
}

/// How a write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JournalState {
    /// It may have been sent.
    Intent,
    /// The destination answered with the record.
    Done,
    /// The destination surely did not do it.
    Failed,
    /// No usable answer came; what happened was found out otherwise, or is still to be.
    Unknown,
}

impl JournalState {
    pub(super) const ALL: [JournalState; 4] =
        [JournalState::Intent, JournalState::Done, JournalState::Failed, JournalState::Unknown];

    /// Its word in the audit log.
    pub fn word(self) -> &'static str {
        match self {
            JournalState::Intent => "intent",
            JournalState::Done => "done",
            JournalState::Failed => "failed",
            JournalState::Unknown => "unknown",
        }
    }
}

/// A write that is about to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// The map's name.
    pub map: String,
    /// The record's key.
    pub key: String,
    /// What kind of write.
    pub operation: Operation,
    /// Which of the record's writes: 0 for the create.
    pub step: u16,
    /// Hash of what is sent.
    pub payload: String,
    /// The destination's id, for writes to a record that is there.
    pub target: Option<String>,
    /// The record as it was before, for writes to one that was there before this run.
    pub before: Option<String>,
}

/// A line of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub seq: i64,
    /// What was to be sent.
    pub intent: Intent,
    /// How it ended.
    pub state: JournalState,
    /// When it was noted, Unix milliseconds.
    pub sent_ms: i64,
    /// When it ended, Unix milliseconds.
    pub ended_ms: Option<i64>,
    /// When it was last given up without a usable answer, Unix milliseconds.
    pub unknown_ms: Option<i64>,
    /// What the destination said.
    pub note: Option<String>,
}

impl Workspace {
    /// Notes writes that are about to be sent, durably, and gives their numbers. Call it inside the transaction
    /// that also keeps what earlier writes came to, or alone; it is durable once the transaction has committed.
    ///
    /// # Errors
    /// Those of the database: nothing may be sent then.
    pub fn intend(&self, intents: &[Intent], now_ms: i64) -> Result<Vec<i64>> {
        let mut numbers = Vec::with_capacity(intents.len());
        for intent in intents {
            let map = self.intern(&intent.map)?;
            numbers.push(self.store(|db| {
                db.prepare_cached(
                    "INSERT INTO journal(map, key, operation, step, payload, state, target, before, sent_ms)
                     VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?7, ?8)",
                )?
                .execute((
                    map,
                    &intent.key,
                    place(&Operation::ALL, intent.operation),
                    intent.step,
                    &intent.payload,
                    &intent.target,
                    &intent.before,
                    now_ms,
                ))?;
                Ok(db.last_insert_rowid())
            })?);
        }
        Ok(numbers)
    }

    /// Notes how a write ended.
    ///
    /// # Errors
    /// Those of the database.
    pub fn ended(
        &self,
        seq: i64,
        state: JournalState,
        target: Option<&str>,
        note: Option<&str>,
        now_ms: i64,
    ) -> Result<()> {
        self.store(|db| {
            db.prepare_cached(
                "UPDATE journal SET state = ?2, target = coalesce(?3, target), note = coalesce(?4, note), ended_ms = ?5,
                 unknown_ms = CASE WHEN ?2 = 3 THEN ?5 ELSE unknown_ms END WHERE seq = ?1",
            )?
            .execute((seq, place(&JournalState::ALL, state), target, note, now_ms))?;
            if matches!(state, JournalState::Done | JournalState::Failed) {
                db.prepare_cached("DELETE FROM under_way WHERE seq = ?1")?.execute([seq])?;
            }
            Ok(())
        })
    }

    /// The latest create of a record since it was last rolled back, however it ended. One that is not
    /// [`JournalState::Failed`] may have happened: the caller looks for its marker before it sends anything.
    ///
    /// # Errors
    /// Those of the database.
    pub fn last_create(&self, map: &str, key: &str) -> Result<Option<Entry>> {
        let id = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached(&format!(
                "{SELECT} WHERE j.map = ?1 AND j.key = ?2 AND j.operation = 0 AND j.seq > {TAKEN_BACK}
                 ORDER BY j.seq DESC LIMIT 1"
            ))?
            .query_row((id, key), entry)
            .optional()
        })
    }

    /// Whether a map ever wrote into records that were there before.
    ///
    /// # Errors
    /// Those of the database.
    pub fn has_adopted(&self, map: &str) -> Result<bool> {
        let id = self.intern(map)?;
        let operation = place(&Operation::ALL, Operation::Adopt);
        self.store(|db| {
            db.query_row(
                "SELECT EXISTS (SELECT 1 FROM journal WHERE map = ?1 AND operation = ?2)",
                (id, operation),
                |row| row.get(0),
            )
        })
    }

    /// The writes of a record, oldest first.
    ///
    /// # Errors
    /// Those of the database.
    pub fn writes_of(&self, map: &str, key: &str) -> Result<Vec<Entry>> {
        let id = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached(&format!("{SELECT} WHERE j.map = ?1 AND j.key = ?2 ORDER BY j.seq"))?
                .query_map((id, key), entry)?
                .collect()
        })
    }

    /// The writes of a record since it was last rolled back, oldest first.
    ///
    /// # Errors
    /// Those of the database.
    pub fn writes_since_taken_back(&self, map: &str, key: &str) -> Result<Vec<Entry>> {
        let id = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached(&format!(
                "{SELECT} WHERE j.map = ?1 AND j.key = ?2 AND j.seq > {TAKEN_BACK} ORDER BY j.seq"
            ))?
            .query_map((id, key), entry)?
            .collect()
        })
    }

    /// How many writes were noted since everything was last rolled back.
    ///
    /// # Errors
    /// Those of the database.
    pub fn writes(&self) -> Result<u64> {
        self.store(|db| {
            db.query_row(&format!("SELECT count(*) FROM journal WHERE seq > {ANEW}"), [], |row| {
                row.get::<_, i64>(0)
            })
            .map(i64::cast_unsigned)
        })
    }

    /// How many writes the journal knows, those of migrations that were taken back included.
    ///
    /// # Errors
    /// Those of the database.
    pub fn all_writes(&self) -> Result<u64> {
        self.store(|db| {
            db.query_row("SELECT count(*) FROM journal", [], |row| row.get::<_, i64>(0))
                .map(i64::cast_unsigned)
        })
    }

    /// From here on the workspace counts as one that has written nothing: everything it wrote is taken back.
    ///
    /// # Errors
    /// Those of the database.
    pub fn begin_anew(&self) -> Result<()> {
        self.store(|db| {
            db.execute_batch(
                "INSERT INTO note(name, value) SELECT 'anew', coalesce(max(seq), 0) FROM journal WHERE true
                 ON CONFLICT(name) DO UPDATE SET value = excluded.value;",
            )
        })
    }

    /// The keys of a map for which records were made or adopted since they were last rolled back: up to `limit` that
    /// follow `after`, in order.
    ///
    /// # Errors
    /// Those of the database.
    pub fn written_keys(&self, map: &str, after: &str, limit: u32) -> Result<Vec<String>> {
        let id = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached(&format!(
                "SELECT DISTINCT j.key FROM journal j WHERE j.map = ?1 AND j.key > ?2 AND j.operation IN (0, 2)
                 AND j.seq > {TAKEN_BACK} ORDER BY j.key LIMIT ?3"
            ))?
            .query_map((id, after, limit), |row| row.get(0))?
            .collect()
        })
    }

    /// Whether writes of a process that died may still be under way.
    ///
    /// # Errors
    /// Those of the database.
    pub fn has_open_writes(&self) -> Result<bool> {
        self.store(|db| {
            db.query_row("SELECT EXISTS (SELECT 1 FROM journal WHERE state = 0)", [], |row| row.get(0))
        })
    }

    /// Ends what is open of a map's writes once it is rolled back: a create that nothing was found of did not happen.
    /// What stays keeps its writes as they are, so that a later run finds it.
    ///
    /// # Errors
    /// Those of the database.
    pub fn close_taken_back(&self, map: &str, now_ms: i64) -> Result<()> {
        let id = self.intern(map)?;
        self.store(|db| {
            db.execute(
                "UPDATE journal SET state = 2, ended_ms = ?2, note = 'nothing of it was there when it was rolled back'
                 WHERE map = ?1 AND state IN (0, 3) AND NOT EXISTS (
                     SELECT 1 FROM rollback r WHERE r.map = journal.map AND r.key = journal.key
                     AND (r.fate = 2 OR r.turn IN (2, 3)))",
                (id, now_ms),
            )
            .map(|_| ())
        })
    }

    /// Ends writes of a rollback that had no answer and turn out to have been done: deletions of a record that is not
    /// there, or what restored one that is as it was.
    ///
    /// # Errors
    /// Those of the database.
    pub fn found_done(
        &self,
        operation: Operation,
        map: &str,
        key: &str,
        target: &str,
        now_ms: i64,
    ) -> Result<()> {
        let id = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached(
                "UPDATE journal SET state = 1, ended_ms = ?5, note = 'found to be done'
                 WHERE map = ?1 AND key = ?2 AND target = ?3 AND operation = ?4 AND state IN (0, 3)",
            )?
            .execute((id, key, target, place(&Operation::ALL, operation), now_ms))
            .map(|_| ())
        })
    }

    /// Deletions of doubles of a map of which nobody found out what became of them: key, and the destination's id.
    ///
    /// # Errors
    /// Those of the database.
    pub fn open_deletions(&self, map: &str) -> Result<Vec<(String, String)>> {
        let id = self.intern(map)?;
        let operation = place(&Operation::ALL, Operation::Delete);
        self.store(|db| {
            db.prepare_cached(
                "SELECT DISTINCT key, target FROM journal
                 WHERE map = ?1 AND operation = ?2 AND state IN (0, 3) AND target IS NOT NULL ORDER BY key, target",
            )?
            .query_map((id, operation), |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect()
        })
    }

    /// How many writes still wait to be settled.
    ///
    /// # Errors
    /// Those of the database.
    pub fn unsettled(&self) -> Result<u64> {
        self.store(|db| {
            db.query_row("SELECT count(*) FROM journal WHERE state = 0", [], |row| row.get::<_, i64>(0))
                .map(i64::cast_unsigned)
        })
    }

    /// Whether of a map there are writes of which nobody found out what became of them.
    ///
    /// # Errors
    /// Those of the database.
    pub fn has_unanswered(&self, map: &str) -> Result<bool> {
        let id = self.intern(map)?;
        self.store(|db| {
            db.query_row(
                "SELECT EXISTS (SELECT 1 FROM journal WHERE map = ?1 AND state IN (0, 3))",
                [id],
                |row| row.get(0),
            )
        })
    }

    /// When a write was last given up without a usable answer, Unix milliseconds; later than it was sent, since it
    /// may have waited for its turn.
    ///
    /// # Errors
    /// Those of the database.
    pub fn last_uncertain_ms(&self, map: &str) -> Result<Option<i64>> {
        let id = self.intern(map)?;
        self.store(|db| {
            db.query_row("SELECT max(unknown_ms) FROM journal WHERE map = ?1", [id], |row| row.get(0))
        })
    }
}

/// Whether more may have been made of a record than the journal knows: a create of it went without an answer, or was
/// sent more than once.
pub fn doubtful(entries: &[Entry]) -> bool {
    let mut creates = entries.iter().filter(|entry| entry.intent.operation == Operation::Create);
    let unsure = |entry: &Entry| entry.state != JournalState::Done || entry.note.is_some();
    creates.next().is_some_and(|first| unsure(first) || creates.next().is_some())
}

const SELECT: &str = "SELECT j.seq, n.name, j.key, j.operation, j.step, j.payload, j.state, j.target, j.sent_ms, \
                      j.ended_ms, j.note, j.before, j.unknown_ms FROM journal j JOIN name n ON n.id = j.map";

/// The last write that took a record of the row's map and key back; 0 without one.
const TAKEN_BACK: &str = "coalesce((SELECT max(t.seq) FROM journal t WHERE t.map = j.map AND t.key = j.key \
                          AND t.operation IN (4, 5) AND t.state = 1), 0)";

/// The last write of the time before everything was rolled back; 0 without one.
const ANEW: &str = "coalesce((SELECT CAST(value AS INTEGER) FROM note WHERE name = 'anew'), 0)";

fn place<T: PartialEq>(all: &[T], one: T) -> i64 {
    // INVARIANT: `all` lists every variant of its enum.
    all.iter().position(|other| *other == one).map_or(0, |at| at as i64)
}

fn entry(row: &rusqlite::Row<'_>) -> rusqlite::Result<Entry> {
    let pick = |column: usize| -> rusqlite::Result<usize> {
        let number: i64 = row.get(column)?;
        usize::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, number))
    };
    let out_of_range =
        |column: usize, number: usize| rusqlite::Error::IntegralValueOutOfRange(column, number as i64);
    let (operation, state) = (pick(3)?, pick(6)?);
    Ok(Entry {
        seq: row.get(0)?,
        intent: Intent {
            map: row.get(1)?,
            key: row.get(2)?,
            operation: *Operation::ALL.get(operation).ok_or_else(|| out_of_range(3, operation))?,
            step: row.get(4)?,
            payload: row.get(5)?,
            target: row.get(7)?,
            before: row.get(11)?,
        },
        state: *JournalState::ALL.get(state).ok_or_else(|| out_of_range(6, state))?,
        sent_ms: row.get(8)?,
        ended_ms: row.get(9)?,
        note: row.get(10)?,
        unknown_ms: row.get(12)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intent(key: &str, operation: Operation, step: u16) -> Intent {
        Intent {
            map: "deal".to_owned(),
            key: key.to_owned(),
            operation,
            step,
            payload: "00".to_owned(),
            target: None,
            before: None,
        }
    }

    #[test]
    fn an_intent_survives_the_process() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("acme.b2nw");
        let ws = Workspace::open(&path).expect("opens");
        ws.intend(&[intent("7", Operation::Create, 0)], 5).expect("notes");
        drop(ws);
        let ws = Workspace::open(&path).expect("opens again");
        assert_eq!(ws.last_create("deal", "7").expect("reads").map(|e| e.sent_ms), Some(5));
        assert_eq!(ws.last_create("deal", "8").expect("reads"), None);
    }

    #[test]
    fn a_write_is_read_back_as_it_ended() {
        let ws = Workspace::in_memory().expect("opens");
        let numbers = ws
            .intend(&[intent("7", Operation::Create, 0), intent("7", Operation::Edit, 1)], 5)
            .expect("notes");
        ws.ended(numbers[0], JournalState::Done, Some("17"), None, 9).expect("ends");
        let last = ws.last_create("deal", "7").expect("reads").expect("is there");
        assert_eq!(last.state, JournalState::Done);
        let writes = ws.writes_of("deal", "7").expect("reads");
        assert_eq!(writes.len(), 2);
        assert_eq!((writes[0].state, writes[0].intent.target.as_deref()), (JournalState::Done, Some("17")));
        assert_eq!((writes[1].state, writes[1].intent.operation), (JournalState::Intent, Operation::Edit));
        assert_eq!(ws.last_uncertain_ms("deal").expect("reads"), None);
        ws.ended(numbers[1], JournalState::Unknown, None, Some("no answer"), 12).expect("ends");
        ws.ended(numbers[1], JournalState::Done, None, None, 20).expect("ends");
        assert_eq!(ws.last_uncertain_ms("deal").expect("reads"), Some(12));
    }

    #[test]
    fn a_transaction_that_fails_leaves_nothing() {
        let ws = Workspace::in_memory().expect("opens");
        let failed: Result<()> = ws.transaction(|ws| {
            ws.intend(&[intent("7", Operation::Create, 0)], 5)?;
            Err(super::super::Error::Foreign { path: String::new(), why: String::new() })
        });
        assert!(failed.is_err());
        assert_eq!(ws.writes().expect("counts"), 0);
    }
}
