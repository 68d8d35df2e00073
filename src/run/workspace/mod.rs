//! One customer's working file: staged records, outcomes and id map, journal, manifest, in one SQLite database.
//!
//! Holds personal data: the file is readable by its owner only. One process at a time may have it open. Knows plans
//! by their names only, and nothing of the systems' wire forms.

mod approval;
mod audit;
mod changes;
mod compared;
#[cfg(debug_assertions)]
mod disk;
mod file;
mod forget;
mod freeze;
mod held;
mod journal;
mod layouts;
mod lists;
mod lock;
mod look;
mod outcomes;
mod proof;
mod pulse;
mod readback;
mod review;
mod rollback;
mod routes;
mod seal;
mod staged;
mod sweep;
#[cfg(test)]
mod tests;
mod under_way;
mod upgrade;

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension};

pub use approval::Approval;
pub use audit::AuditLine;
pub use changes::{CONFLICT, Pinned, Restaged, Sent};
pub use compared::{Compared, Found, RunOf};
#[cfg(debug_assertions)]
pub use disk::DiskFault;
pub use forget::{Forgotten, backups};
pub use freeze::Later;
pub use held::{DECIDED, Decision, Dependent, HeldRecord, Lack};
pub use journal::{Entry, Intent, JournalState, Operation, doubtful};
pub use lists::Trouble;
pub use lock::{Lock, Taken, machine_folder, machine_lock};
pub use look::{Differs, How};
pub use outcomes::{Flag, Outcome, Status, Tally, Waiting};
pub use proof::{Differing, Staging};
pub use pulse::Lately;
pub use readback::{AsMade, ReadBack, Remembered};
pub use review::{ApprovedReview, Comment, Joined, Kept, LONGEST_COMMENT, LONGEST_NAME, Mark, Said, Word};
pub use rollback::{Fate, Rollback, RollbackCount, RollbackLine, Turn};
pub use routes::FoldedRecord;
pub use seal::{Seal, Verdict};
pub use staged::{Manifest, StagedRecord};
pub use sweep::{Listed, Seen};
pub use under_way::UnderWay;
pub use upgrade::Upgraded;

/// The layout that this version reads and writes.
const FORMAT: i64 = 5;

/// Why a workspace cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database itself fails: disk full, file damaged, no rights.
    #[error("workspace `{path}`: {source}")]
    Storage {
        /// The file.
        path: String,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The file cannot be opened or made.
    #[error("workspace `{path}`: {source}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process has it open.
    #[error("workspace `{path}` is in use by another b2n{}; wait for it, or stop it with Ctrl-C", process(*holder))]
    Locked {
        /// The file.
        path: String,
        /// The number of the process that has it, where it can be told.
        holder: Option<u32>,
    },
    /// What it held of people was wiped: nothing goes on from it.
    #[error(
        "the personal data of workspace `{path}` was wiped on {when}: what is left is the audit log (`b2n audit`) and the \
         counts (`b2n status`), and nothing can be extracted, written, compared or rolled back from it"
    )]
    Forgotten {
        /// The file.
        path: String,
        /// The day and time, in UTC.
        when: String,
    },
    /// The file is there but is no workspace, or one of another version.
    #[error("workspace `{path}` {why}")]
    Foreign {
        /// The file.
        path: String,
        /// What was found, and what to do.
        why: String,
    },
    /// The workspace belongs to another account.
    #[error("workspace `{path}` is bound to {what} `{pinned}`, but `{found}` answers; use another workspace")]
    OtherAccount {
        /// The file.
        path: String,
        /// Which side.
        what: &'static str,
        /// The account it is bound to.
        pinned: String,
        /// The account that answered.
        found: String,
    },
    /// The workspace holds what another plan did.
    #[error(
        "workspace `{path}` was loaded with plan {pinned}, and this plan is {found}: `b2n migrate` with `--dry-run` shows \
         what changes, and with `--yes-change {found}` applies it"
    )]
    OtherPlan {
        /// The file.
        path: String,
        /// The first digits of the plan's hash.
        pinned: String,
        /// The first digits of this plan's hash.
        found: String,
    },
}

/// Which side of a migration a pin is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Where records come from.
    Source,
    /// Where they go.
    Target,
}

impl Side {
    /// The note that keeps the account.
    fn note(self) -> &'static str {
        match self {
            Side::Source => "source account",
            Side::Target => "target account",
        }
    }

    /// The note that keeps another id of it.
    fn alias(self, alias: &str) -> String {
        match self {
            Side::Source => format!("source alias {alias}"),
            Side::Target => format!("target alias {alias}"),
        }
    }
}

/// How a message names the process that holds a lock.
fn process(holder: Option<u32>) -> String {
    holder.map_or_else(String::new, |pid| format!(" (process {pid})"))
}

/// An open workspace.
pub struct Workspace {
    db: Connection,
    path: PathBuf,
    /// What opening it did to an older file.
    upgraded: RefCell<Option<Upgraded>>,
    /// Held as long as the workspace is open; the lock goes with it.
    lock: Option<Lock>,
    /// Opened to look into only.
    reading: bool,
    /// What the disk does wrong.
    #[cfg(debug_assertions)]
    disk: disk::Disk,
}

impl std::fmt::Debug for Workspace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workspace").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Ties a database error to its file. A macro-free short way to use `?` on every statement.
type Result<T> = std::result::Result<T, Error>;

impl Workspace {
    /// Opens a workspace, or makes one.
    ///
    /// # Errors
    /// A file that cannot be made, is in use, is no workspace, or is of another version.
    pub fn open(path: &Path) -> Result<Self> {
        let shown = path.display().to_string();
        let file_error = |source| Error::File { path: shown.clone(), source };
        if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            std::fs::create_dir_all(parent).map_err(file_error)?;
        }
        // By whatever name it is opened, it is one file with one lock.
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let lock = match lock::private_lock(&file::beside(&real, "-lock")).map_err(file_error)? {
            Taken::Mine(lock) => lock,
            Taken::Others(holder) => return Err(Error::Locked { path: shown, holder }),
        };
        if path.exists() {
            for ending in ["", "-wal", "-shm"] {
                let part = file::beside(&real, ending);
                if part.exists() {
                    file::keep_private(&part).map_err(file_error)?;
                }
            }
        } else {
            file::create_private(path).map_err(file_error)?;
        }
        let db = Connection::open(path).map_err(|source| Error::Storage { path: shown, source })?;
        Self::prepare(db, path.to_owned(), Some(lock))
    }

    /// Opens a workspace that is there already.
    ///
    /// # Errors
    /// As for `open`, and when there is none.
    pub fn open_existing(path: &Path) -> Result<Self> {
        if !path.exists() {
            return Err(Error::Foreign {
                path: path.display().to_string(),
                why: "does not exist; `b2n extract SPEC` makes one".to_owned(),
            });
        }
        Self::open(path)
    }

    /// A workspace that is gone with the process.
    ///
    /// # Errors
    /// None but those of SQLite itself.
    pub fn in_memory() -> Result<Self> {
        let path = PathBuf::from(":memory:");
        let db = Connection::open_in_memory()
            .map_err(|source| Error::Storage { path: path.display().to_string(), source })?;
        Self::prepare(db, path, None)
    }

    fn prepare(db: Connection, path: PathBuf, lock: Option<Lock>) -> Result<Self> {
        let workspace = Workspace {
            db,
            path,
            upgraded: RefCell::default(),
            lock,
            reading: false,
            #[cfg(debug_assertions)]
            disk: disk::Disk::default(),
        };
        workspace.layout()?;
        Ok(workspace)
    }

    /// One that is looked into only: whose layout it is is known.
    fn reading(db: Connection, path: PathBuf) -> Self {
        Workspace {
            db,
            path,
            upgraded: RefCell::default(),
            lock: None,
            reading: true,
            #[cfg(debug_assertions)]
            disk: disk::Disk::default(),
        }
    }

    fn layout(&self) -> Result<()> {
        let found: i64 =
            self.store(|db| db.query_row("PRAGMA user_version", [], |row| row.get(0))).map_err(|error| {
                match error {
                    Error::Storage { path, source }
                        if source.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) =>
                    {
                        Error::Foreign {
                            path,
                            why: "is not a workspace; name another file with --workspace".to_owned(),
                        }
                    }
                    other => other,
                }
            })?;
        let tables: i64 =
            self.store(|db| db.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0)))?;
        if found > FORMAT || (found == 0 && tables > 0) {
            let why = if found == 0 {
                "is not a workspace; name another file with --workspace".to_owned()
            } else {
                format!(
                    "was written by a newer b2n (layout {found}, this one knows {FORMAT}); update b2n, or go on with the \
                     backup that the newer one left beside it, `{}.layout{FORMAT}.bak`, if it is there",
                    self.path.display()
                )
            };
            return Err(Error::Foreign { path: self.path.display().to_string(), why });
        }
        // FULL: a commit returns only when the disk has it, which is what the journal's promise rests on.
        self.store(|db| {
            db.execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA temp_store = FILE;",
            )
        })?;
        if found < FORMAT {
            self.upgrade(found)?;
        }
        Ok(())
    }

    /// Runs database work and names the file in its error.
    fn store<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        #[cfg(debug_assertions)]
        self.disk
            .strike()
            .map_err(|source| Error::Storage { path: self.path.display().to_string(), source })?;
        work(&self.db).map_err(|source| Error::Storage { path: self.path.display().to_string(), source })
    }

    /// Runs work in one transaction: all of it is there afterwards, or nothing.
    ///
    /// # Errors
    /// Those of `work`, and a commit that failed.
    pub fn transaction<T>(&self, work: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        if !self.db.is_autocommit() {
            return self.within(work);
        }
        self.store(|db| db.execute_batch("BEGIN IMMEDIATE"))?;
        match work(self) {
            Ok(done) => {
                self.store(|db| db.execute_batch("COMMIT"))?;
                Ok(done)
            }
            Err(error) => {
                // The first error is the one to tell; a failing rollback leaves nothing written either.
                let _ = self.db.execute_batch("ROLLBACK");
                Err(error)
            }
        }
    }

    /// The same within another one, of which it is a part.
    fn within<T>(&self, work: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        self.store(|db| db.execute_batch("SAVEPOINT part"))?;
        match work(self) {
            Ok(done) => {
                self.store(|db| db.execute_batch("RELEASE part"))?;
                Ok(done)
            }
            Err(error) => {
                let _ = self.db.execute_batch("ROLLBACK TO part; RELEASE part");
                Err(error)
            }
        }
    }

    /// Drops what an interrupted transaction left open, as the end of a process does.
    pub fn abandon(&self) {
        if !self.db.is_autocommit() {
            let _ = self.db.execute_batch("ROLLBACK");
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A note kept under a name.
    ///
    /// # Errors
    /// Those of the database.
    pub fn note(&self, name: &str) -> Result<Option<String>> {
        self.store(|db| {
            db.prepare_cached("SELECT value FROM note WHERE name = ?1")?
                .query_row([name], |row| row.get(0))
                .optional()
        })
    }

    /// Keeps a note under a name.
    ///
    /// # Errors
    /// Those of the database.
    pub fn set_note(&self, name: &str, value: &str) -> Result<()> {
        self.store(|db| {
            db.prepare_cached(
                "INSERT INTO note(name, value) VALUES (?1, ?2) ON CONFLICT(name) DO UPDATE SET value = ?2",
            )?
            .execute([name, value])
            .map(|_| ())
        })
    }

    /// The names of notes that begin with a text, in order.
    ///
    /// # Errors
    /// Those of the database.
    pub fn notes_of(&self, beginning: &str) -> Result<Vec<String>> {
        self.store(|db| {
            db.prepare("SELECT name FROM note WHERE substr(name, 1, length(?1)) = ?1 ORDER BY name")?
                .query_map([beginning], |row| row.get(0))?
                .collect()
        })
    }

    /// Takes a note away.
    ///
    /// # Errors
    /// Those of the database.
    pub fn forget_note(&self, name: &str) -> Result<()> {
        self.store(|db| db.execute("DELETE FROM note WHERE name = ?1", [name]).map(|_| ()))
    }

    /// Binds the workspace to an account at first contact; refuses every other one afterwards, but for those under
    /// which the first one has proven itself ([`Workspace::add_alias`]).
    ///
    /// # Errors
    /// [`Error::OtherAccount`], naming both.
    pub fn pin(&self, side: Side, account: &str) -> Result<()> {
        match self.note(side.note())? {
            None => self.set_note(side.note(), account),
            Some(pinned) if pinned == account => Ok(()),
            Some(_) if self.note(&side.alias(account))?.is_some() => Ok(()),
            Some(pinned) => Err(Error::OtherAccount {
                path: self.path.display().to_string(),
                what: match side {
                    Side::Source => "the source account",
                    Side::Target => "the destination account",
                },
                pinned,
                found: account.to_owned(),
            }),
        }
    }

    /// Takes another id of the account that a side is bound to; gives whether it is new. The caller has proof: the
    /// account that is bound said so itself.
    ///
    /// # Errors
    /// Those of the database.
    pub fn add_alias(&self, side: Side, alias: &str, now_ms: i64) -> Result<bool> {
        if self.pinned(side)?.as_deref() == Some(alias) || self.note(&side.alias(alias))?.is_some() {
            return Ok(false);
        }
        self.set_note(&side.alias(alias), &now_ms.to_string())?;
        Ok(true)
    }

    /// The other ids of the account that a side is bound to, in order.
    ///
    /// # Errors
    /// Those of the database.
    pub fn aliases(&self, side: Side) -> Result<Vec<String>> {
        let beginning = side.alias("");
        let names = self.notes_of(&beginning)?;
        Ok(names.into_iter().map(|name| name[beginning.len()..].to_owned()).collect())
    }

    /// The account that a side is bound to.
    ///
    /// # Errors
    /// Those of the database.
    pub fn pinned(&self, side: Side) -> Result<Option<String>> {
        self.note(side.note())
    }

    /// A small number for a name that many rows carry.
    fn intern(&self, name: &str) -> Result<i64> {
        self.store(|db| {
            let mut find = db.prepare_cached("SELECT id FROM name WHERE name = ?1")?;
            if let Some(id) = find.query_row([name], |row| row.get(0)).optional()? {
                return Ok(id);
            }
            if self.reading {
                // No row bears it.
                return Ok(-1);
            }
            db.prepare_cached("INSERT INTO name(name) VALUES (?1)")?.execute([name])?;
            Ok(db.last_insert_rowid())
        })
    }
}
