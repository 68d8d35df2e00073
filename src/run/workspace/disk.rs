//! What goes wrong with the disk under a workspace, where tests say so; not there in release builds.

use std::cell::Cell;
use std::path::Path;

use rusqlite::{Connection, ffi};

use super::{Error, Result, Workspace};

/// What a statement fails with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskFault {
    /// The disk is full.
    Full,
    /// It cannot be read or written.
    Broken,
}

/// Faults to come.
#[derive(Debug, Default)]
pub(super) struct Disk {
    /// Statements that still go well, and what those after them fail with.
    fails: Cell<Option<(u64, DiskFault)>>,
}

impl Disk {
    pub(super) fn strike(&self) -> rusqlite::Result<()> {
        let Some((left, fault)) = self.fails.get() else { return Ok(()) };
        if left > 0 {
            self.fails.set(Some((left - 1, fault)));
            return Ok(());
        }
        let code = match fault {
            DiskFault::Full => ffi::SQLITE_FULL,
            DiskFault::Broken => ffi::SQLITE_IOERR,
        };
        Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None))
    }
}

impl Workspace {
    /// After so many statements every one fails, until this is called again; `None` mends the disk.
    pub fn fail_after(&self, fault: Option<(u64, DiskFault)>) {
        self.disk.fails.set(fault);
    }

    /// SQLite itself finds no room for more than so many pages beside those that are there; `None` makes room again.
    ///
    /// # Errors
    /// Those of the database.
    pub fn limit_pages(&self, more: Option<u32>) -> Result<()> {
        self.store(|db| {
            let pages: i64 = db.query_row("PRAGMA page_count", [], |row| row.get(0))?;
            let most = more.map_or(i64::from(i32::MAX), |more| pages + i64::from(more));
            db.query_row(&format!("PRAGMA max_page_count = {most}"), [], |row| row.get::<_, i64>(0))
                .map(|_| ())
        })
    }

    /// A bug: from here on commits return before the disk has them.
    ///
    /// # Errors
    /// Those of the database.
    pub fn forget_to_sync(&self) -> Result<()> {
        self.store(|db| db.execute_batch("PRAGMA synchronous = OFF"))
    }

    /// Whether a commit returns only when the disk has it.
    ///
    /// # Errors
    /// Those of the database.
    pub fn syncs(&self) -> Result<bool> {
        // 2 is FULL, 3 is EXTRA.
        self.store(|db| db.query_row("PRAGMA synchronous", [], |row| row.get::<_, i64>(0)))
            .map(|level| level >= 2)
    }

    /// A bug: opens a workspace that another process may have open.
    ///
    /// # Errors
    /// As for [`Workspace::open`].
    pub fn open_unlocked(path: &Path) -> Result<Self> {
        let shown = path.display().to_string();
        let db = Connection::open(path).map_err(|source| Error::Storage { path: shown, source })?;
        Self::prepare(db, path.to_owned(), None)
    }
}
