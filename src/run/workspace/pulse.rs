//! What a run beside is doing, as far as the file tells: read without its lock, and without a write.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::lists::Trouble;
use super::{Error, FORMAT, Result, Workspace, file, lock};

/// Writes that are looked at to tell how fast a run is: the last ones.
const RECENT: i64 = 20_000;

/// What is under way, and how fast it was lately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lately {
    /// Writes that ended in the time that was asked for.
    pub writes: u64,
    /// When the first of them was noted, Unix milliseconds.
    pub since_ms: Option<i64>,
    /// When the last write ended, Unix milliseconds.
    pub last_ms: Option<i64>,
    /// Writes that were sent and have no end yet.
    pub open: u64,
    /// When the oldest of them was noted, Unix milliseconds.
    pub oldest_ms: Option<i64>,
    /// Writes without an answer that are being looked for.
    pub looked_for: u64,
}

impl Workspace {
    /// Opens a workspace to look into it, whoever has it: nothing is written, and its lock is not asked for. A file that
    /// another version wrote is refused.
    ///
    /// # Errors
    /// A file that is not there, is no workspace, or is of another layout.
    pub fn look_into(path: &Path) -> Result<Self> {
        let shown = path.display().to_string();
        if !path.exists() {
            return Self::open_existing(path);
        }
        let storage = |source| Error::Storage { path: shown.clone(), source };
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags).map_err(storage)?;
        db.busy_timeout(std::time::Duration::from_secs(5)).map_err(storage)?;
        let found: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(storage)?;
        if found != FORMAT {
            let why = format!("is of layout {found}, and a run beside has it: ask again once that has ended");
            return Err(Error::Foreign { path: shown, why });
        }
        Ok(Self::reading(db, path.to_owned()))
    }

    /// The number of the process that has a workspace, where one has it and can be told.
    ///
    /// # Errors
    /// A lock file that cannot be read.
    pub fn holder(path: &Path) -> Result<Option<u32>> {
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let lock = file::beside(&real, "-lock");
        let Ok(named) = std::fs::read_to_string(&lock) else { return Ok(None) };
        // A lock that is taken to look who has it would stop a run that begins just then.
        #[cfg(target_os = "linux")]
        if let Ok(pid) = named.trim().parse::<u32>() {
            return Ok(Path::new("/proc").join(pid.to_string()).exists().then_some(pid));
        }
        if named.trim().is_empty() {
            return Ok(None);
        }
        match lock::private_lock(&lock) {
            Ok(lock::Taken::Mine(_)) => Ok(None),
            Ok(lock::Taken::Others(holder)) => Ok(Some(holder.unwrap_or(0))),
            Err(source) => Err(Error::File { path: lock.display().to_string(), source }),
        }
    }

    /// How fast writes were in the milliseconds before `now_ms`, and what is under way.
    ///
    /// # Errors
    /// Those of the database.
    pub fn lately(&self, now_ms: i64, before_ms: i64) -> Result<Lately> {
        self.store(|db| {
            let mut lately = db.query_row(
                "SELECT count(*), min(sent_ms) FROM journal
                 WHERE seq > (SELECT coalesce(max(seq), 0) FROM journal) - ?1 AND ended_ms > ?2",
                (RECENT, now_ms - before_ms),
                |row| {
                    let writes = row.get::<_, i64>(0)?.cast_unsigned();
                    Ok(Lately { writes, since_ms: row.get(1)?, ..Lately::default() })
                },
            )?;
            lately.last_ms = db.query_row(
                "SELECT max(ended_ms) FROM journal WHERE seq > (SELECT coalesce(max(seq), 0) FROM journal) - ?1",
                [RECENT],
                |row| row.get(0),
            )?;
            (lately.open, lately.oldest_ms, lately.looked_for) = db.query_row(
                "SELECT coalesce(sum(state = 0), 0), min(CASE WHEN state = 0 THEN sent_ms END),
                        coalesce(sum(state = 3), 0) FROM journal WHERE state IN (0, 3)",
                [],
                |row| {
                    let count = |column: usize| row.get::<_, i64>(column).map(i64::cast_unsigned);
                    Ok((count(0)?, row.get(1)?, count(2)?))
                },
            )?;
            Ok(lately)
        })
    }

    /// The last write that did not simply go well.
    ///
    /// # Errors
    /// Those of the database.
    pub fn last_trouble(&self) -> Result<Option<Trouble>> {
        let seq: Option<i64> = self.store(|db| {
            db.query_row(
                "SELECT max(seq) FROM journal j WHERE (j.state IN (2, 3) OR j.unknown_ms IS NOT NULL
                     OR j.note IS NOT NULL OR j.operation = 3)",
                [],
                |row| row.get(0),
            )
        })?;
        match seq {
            Some(seq) => Ok(self.troubles(seq - 1, 1)?.into_iter().next()),
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::workspace::{Intent, JournalState, Operation};

    #[test]
    fn who_looks_on_takes_no_lock_and_writes_nothing() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("acme.b2nw");
        assert!(Workspace::look_into(&path).is_err(), "there is none");
        let ws = Workspace::open(&path).expect("opens");
        let intent = |key: &str| Intent {
            map: "deal".to_owned(),
            key: key.to_owned(),
            operation: Operation::Create,
            step: 0,
            payload: String::new(),
            target: None,
            before: None,
        };
        let seqs = ws.intend(&[intent("1"), intent("2"), intent("3")], 5_000).expect("notes");
        ws.ended(seqs[0], JournalState::Done, Some("t1"), None, 6_000).expect("ends");
        ws.ended(seqs[1], JournalState::Unknown, None, Some("no answer"), 7_000).expect("ends");
        assert_eq!(Workspace::holder(&path).expect("reads"), Some(std::process::id()));

        let look = Workspace::look_into(&path).expect("looks");
        let lately = look.lately(8_000, 1_500).expect("reads");
        assert_eq!((lately.writes, lately.open, lately.looked_for), (1, 1, 1));
        assert_eq!((lately.oldest_ms, lately.last_ms), (Some(5_000), Some(7_000)));
        assert_eq!(look.last_trouble().expect("reads").map(|trouble| trouble.key), Some("2".to_owned()));
        assert_eq!(
            look.tally("never heard of").expect("counts").sum(),
            0,
            "a new name is no reason to write"
        );
        assert!(look.set_note("a", "b").is_err(), "it wrote");
        // What the run writes meanwhile is seen.
        ws.ended(seqs[2], JournalState::Done, Some("t3"), None, 7_500).expect("ends");
        assert_eq!(look.lately(8_000, 1_500).expect("reads").open, 0);
        drop(ws);
        assert_eq!(Workspace::holder(&path).expect("reads"), None);
        Workspace::open(&path).expect("opens while somebody looks on");
    }
}
