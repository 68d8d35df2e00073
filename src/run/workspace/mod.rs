//! One customer's working file: staged records, outcomes and id map, journal, manifest, in one SQLite database.
//!
//! Holds personal data: the file is readable by its owner only. One process at a time may have it open. Knows plans
//! by their names only, and nothing of the systems' wire forms.

mod approval;
mod held;
mod journal;
mod outcomes;
mod proof;
mod readback;
mod rollback;
mod routes;
mod staged;
mod sweep;

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension};

pub use approval::Approval;
pub use held::{DECIDED, Decision, Dependent, HeldRecord, Lack};
pub use journal::{Entry, Intent, JournalState, Operation};
pub use outcomes::{Flag, Outcome, Status, Tally, Waiting};
pub use proof::{Differing, Staging};
pub use readback::{ReadBack, Remembered};
pub use rollback::{Fate, Rollback, RollbackCount, RollbackLine, Turn};
pub use routes::FoldedRecord;
pub use staged::{Manifest, StagedRecord};
pub use sweep::{Listed, Seen};

/// The layout that this version reads and writes.
const FORMAT: i64 = 4;

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
    #[error("workspace `{path}` is in use by another b2n; wait for it, or stop it with Ctrl-C")]
    Locked {
        /// The file.
        path: String,
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
        "workspace `{path}` was loaded with plan {pinned}, and this plan is {found}: changed specs are not yet \
         applied to a workspace that has written records; go on with the spec as it was, or start a new workspace \
         and an empty account"
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

/// An open workspace.
pub struct Workspace {
    db: Connection,
    path: PathBuf,
    /// Held as long as the workspace is open; the lock goes with it.
    _lock: Option<File>,
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
        let lock = lock_file(&path.with_extension("b2nw-lock"))
            .map_err(file_error)?
            .ok_or_else(|| Error::Locked { path: shown.clone() })?;
        if !path.exists() {
            private(OpenOptions::new().create_new(true).write(true)).open(path).map_err(file_error)?;
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

    fn prepare(db: Connection, path: PathBuf, lock: Option<File>) -> Result<Self> {
        let workspace = Workspace { db, path, _lock: lock };
        workspace.layout()?;
        Ok(workspace)
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
                format!("was written by a newer b2n (layout {found}, this one knows {FORMAT}); update b2n")
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
            self.store(|db| {
                // What later layouts added is new tables only, so that an older file loses nothing.
                let missing = [LAYOUT, ADDED, ADDED_THIRD, ADDED_FOURTH]
                    .into_iter()
                    .skip(usize::try_from(found).unwrap_or(0));
                let missing: String = missing.collect();
                db.execute_batch(&format!("BEGIN; {missing} PRAGMA user_version = {FORMAT}; COMMIT;"))
            })?;
        }
        Ok(())
    }

    /// Runs database work and names the file in its error.
    fn store<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        work(&self.db).map_err(|source| Error::Storage { path: self.path.display().to_string(), source })
    }

    /// Runs work in one transaction: all of it is there afterwards, or nothing.
    ///
    /// # Errors
    /// Those of `work`, and a commit that failed.
    pub fn transaction<T>(&self, work: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
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

    /// Binds the workspace to an account at first contact; refuses every other one afterwards.
    ///
    /// # Errors
    /// [`Error::OtherAccount`], naming both.
    pub fn pin(&self, side: Side, account: &str) -> Result<()> {
        let (name, what) = match side {
            Side::Source => ("source account", "the source account"),
            Side::Target => ("target account", "the destination account"),
        };
        match self.note(name)? {
            None => self.set_note(name, account),
            Some(pinned) if pinned == account => Ok(()),
            Some(pinned) => Err(Error::OtherAccount {
                path: self.path.display().to_string(),
                what,
                pinned,
                found: account.to_owned(),
            }),
        }
    }

    /// The account that a side is bound to.
    ///
    /// # Errors
    /// Those of the database.
    pub fn pinned(&self, side: Side) -> Result<Option<String>> {
        self.note(match side {
            Side::Source => "source account",
            Side::Target => "target account",
        })
    }

    /// Binds the workspace to a plan from the first record that is written; another plan is refused then.
    ///
    /// # Errors
    /// [`Error::OtherPlan`].
    pub fn pin_plan(&self, hash: &str) -> Result<()> {
        match self.note("plan")? {
            Some(pinned) if pinned == hash => Ok(()),
            Some(pinned) if self.writes()? > 0 => Err(Error::OtherPlan {
                path: self.path.display().to_string(),
                pinned: pinned.chars().take(12).collect(),
                found: hash.chars().take(12).collect(),
            }),
            Some(_) => self.transaction(|ws| {
                // Nothing was written yet: what the old plan left out or held back is decided anew.
                ws.store(|db| {
                    db.execute_batch(
                        "DELETE FROM outcome; DELETE FROM flag; DELETE FROM waiting; DELETE FROM lack; DELETE FROM routed;
                         DELETE FROM folded; DELETE FROM note WHERE name LIKE 'placed %';",
                    )
                })?;
                ws.set_note("plan", hash)
            }),
            None => self.set_note("plan", hash),
        }
    }

    /// A small number for a name that many rows carry.
    fn intern(&self, name: &str) -> Result<i64> {
        self.store(|db| {
            let mut find = db.prepare_cached("SELECT id FROM name WHERE name = ?1")?;
            if let Some(id) = find.query_row([name], |row| row.get(0)).optional()? {
                return Ok(id);
            }
            db.prepare_cached("INSERT INTO name(name) VALUES (?1)")?.execute([name])?;
            Ok(db.last_insert_rowid())
        })
    }
}

/// Takes an exclusive lock for as long as the file is held; `None` when another process has it.
///
/// # Errors
/// A lock file that cannot be made.
pub fn lock_file(path: &Path) -> std::io::Result<Option<File>> {
    let file = private(OpenOptions::new().create(true).truncate(false).write(true)).open(path)?;
    match fs4::FileExt::try_lock(&file) {
        Ok(()) => Ok(Some(file)),
        Err(fs4::TryLockError::WouldBlock) => Ok(None),
        Err(fs4::TryLockError::Error(error)) => Err(error),
    }
}

/// Files that hold personal data are their owner's alone.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options
}

const LAYOUT: &str = "
CREATE TABLE note (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE name (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
-- One row per source object: how far its extraction is.
CREATE TABLE manifest (
    object INTEGER PRIMARY KEY, cursor TEXT NOT NULL, done INTEGER NOT NULL,
    counted INTEGER, fetched_ms INTEGER NOT NULL
);
-- `seq` is the order of arrival: pages over it are stable while more arrives.
CREATE TABLE staged (seq INTEGER PRIMARY KEY, object INTEGER NOT NULL, key TEXT NOT NULL, json BLOB NOT NULL);
CREATE UNIQUE INDEX staged_key ON staged (object, key);
CREATE INDEX staged_order ON staged (object, seq);
-- What became of each record of each map; `target` makes it the id map.
CREATE TABLE outcome (
    map INTEGER NOT NULL, key TEXT NOT NULL, status INTEGER NOT NULL, target TEXT, reason TEXT,
    PRIMARY KEY (map, key)
) WITHOUT ROWID;
CREATE TABLE flag (map INTEGER NOT NULL, key TEXT NOT NULL, rule TEXT NOT NULL, why TEXT NOT NULL,
    PRIMARY KEY (map, key, rule, why)) WITHOUT ROWID;
-- Links that are written once the other record is there.
CREATE TABLE waiting (map INTEGER NOT NULL, key TEXT NOT NULL, field INTEGER NOT NULL,
    PRIMARY KEY (map, key, field)) WITHOUT ROWID;
-- One row per write that was sent, made before it is sent.
CREATE TABLE journal (
    seq INTEGER PRIMARY KEY, map INTEGER NOT NULL, key TEXT NOT NULL, operation INTEGER NOT NULL,
    step INTEGER NOT NULL, payload TEXT NOT NULL, state INTEGER NOT NULL, target TEXT, before TEXT,
    sent_ms INTEGER NOT NULL, ended_ms INTEGER, unknown_ms INTEGER, note TEXT
);
CREATE INDEX journal_key ON journal (map, key);
CREATE INDEX journal_open ON journal (map, key) WHERE state IN (0, 3);
";

/// What the second layout added.
const ADDED: &str = "
-- Which maps a staged record of a shared object goes to.
CREATE TABLE routed (map INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (map, seq)) WITHOUT ROWID;
-- Which record another one is folded into.
CREATE TABLE folded (flatten INTEGER NOT NULL, parent TEXT NOT NULL, seq INTEGER NOT NULL,
    PRIMARY KEY (flatten, parent, seq)) WITHOUT ROWID;
CREATE INDEX folded_order ON folded (flatten, seq);
";

/// What the third layout added: what a rollback needs.
const ADDED_THIRD: &str = "
-- What a record was when it was last read back: a hash per field, in `fields`.
CREATE TABLE readback (
    object TEXT NOT NULL, target TEXT NOT NULL, map INTEGER NOT NULL, key TEXT NOT NULL, adopted INTEGER NOT NULL,
    fields BLOB NOT NULL, PRIMARY KEY (object, target)
) WITHOUT ROWID;
CREATE INDEX readback_key ON readback (map, key);
-- Links that were written, from the side that they were written from.
CREATE TABLE made_link (
    object TEXT NOT NULL, target TEXT NOT NULL, to_object TEXT NOT NULL, to_target TEXT NOT NULL,
    PRIMARY KEY (object, target, to_object, to_target)
) WITHOUT ROWID;
CREATE INDEX made_link_to ON made_link (to_object, to_target);
-- What a rollback announced, in the order in which it is done, and how far it is.
CREATE TABLE rollback (
    seq INTEGER PRIMARY KEY, map INTEGER NOT NULL, key TEXT NOT NULL, object TEXT NOT NULL, target TEXT NOT NULL,
    fate INTEGER NOT NULL, turn INTEGER NOT NULL, why TEXT
);
CREATE INDEX rollback_record ON rollback (object, target);
CREATE INDEX rollback_key ON rollback (map, key);
";

/// What the fourth layout added: links that lack their record, and what people decided.
const ADDED_FOURTH: &str = "
-- Links whose other record did not arrive, of whatever became of the record that has them.
CREATE TABLE lack (
    map INTEGER NOT NULL, key TEXT NOT NULL, field INTEGER NOT NULL, to_map INTEGER NOT NULL, to_key TEXT NOT NULL,
    PRIMARY KEY (map, key, field, to_map, to_key)
) WITHOUT ROWID;
CREATE INDEX lack_to ON lack (to_map, to_key);
-- A person's word that a record is left out. Rows are never deleted.
CREATE TABLE decision (
    seq INTEGER PRIMARY KEY, map INTEGER NOT NULL, key TEXT NOT NULL, reason TEXT NOT NULL, decider TEXT NOT NULL,
    decided_ms INTEGER NOT NULL, before TEXT NOT NULL, lifted_ms INTEGER
);
CREATE INDEX decision_key ON decision (map, key);
-- A person's word that a plan may be carried out; `sample`: for samples of at most so many records. Never deleted.
CREATE TABLE IF NOT EXISTS approval (
    seq INTEGER PRIMARY KEY, plan TEXT NOT NULL, certificate TEXT NOT NULL, approver TEXT NOT NULL,
    note TEXT NOT NULL, approved_ms INTEGER NOT NULL, sample INTEGER, counts TEXT NOT NULL, withdrawn_ms INTEGER
);
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_opener_is_told() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("acme.b2nw");
        let first = Workspace::open(&path).expect("opens");
        assert!(matches!(Workspace::open(&path), Err(Error::Locked { .. })));
        drop(first);
        assert!(Workspace::open(&path).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("acme.b2nw");
        let _workspace = Workspace::open(&path).expect("opens");
        for file in std::fs::read_dir(folder.path()).expect("lists") {
            let file = file.expect("an entry");
            let mode = file.metadata().expect("metadata").permissions().mode();
            assert_eq!(mode & 0o077, 0, "{:?} can be read by others", file.path());
        }
    }

    #[test]
    fn foreign_and_newer_files_are_refused_and_left_alone() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let text = folder.path().join("notes.txt");
        std::fs::write(&text, "these are notes, long enough to be no database at all").expect("writes");
        assert!(matches!(Workspace::open(&text), Err(Error::Foreign { .. })));
        assert!(std::fs::read_to_string(&text).expect("reads").starts_with("these are notes"));
        let newer = folder.path().join("newer.b2nw");
        Connection::open(&newer).expect("opens").execute_batch("PRAGMA user_version = 99").expect("sets");
        let error = Workspace::open(&newer).expect_err("is refused").to_string();
        assert!(error.contains("newer b2n"), "{error}");
    }

    #[test]
    fn a_file_of_the_first_layout_is_upgraded_and_loses_nothing() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("older.b2nw");
        let db = Connection::open(&path).expect("opens");
        db.execute_batch(&format!(
            "{LAYOUT} INSERT INTO note VALUES ('plan', 'x'); PRAGMA user_version = 1;"
        ))
        .expect("makes the first layout");
        drop(db);
        for _ in 0..2 {
            let workspace = Workspace::open(&path).expect("opens");
            assert_eq!(workspace.note("plan").expect("reads").as_deref(), Some("x"));
            assert_eq!(workspace.routed("deal").expect("counts"), 0);
            assert_eq!(workspace.readbacks().expect("counts"), 0);
            assert!(workspace.can_go_on("deal").expect("lists").is_empty());
            assert!(workspace.decisions("deal").expect("lists").is_empty());
        }
    }

    #[test]
    fn an_account_is_pinned_at_first_contact() {
        let workspace = Workspace::in_memory().expect("opens");
        workspace.pin(Side::Target, "379104").expect("pins");
        workspace.pin(Side::Target, "379104").expect("the same again");
        let error = workspace.pin(Side::Target, "4").expect_err("another one").to_string();
        assert!(error.contains("379104") && error.contains("`4`"), "{error}");
    }
}
