//! Wiping what a workspace holds of people, or all of it.
//!
//! What stays is named one by one, so that a table which a later layout adds is wiped unless somebody decides
//! otherwise. The file is then written anew and the old one overwritten: pages that were freed long ago go with it.
//! What file systems, disks and backups of the machine keep elsewhere is out of reach.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::{Error, Result, Workspace, file};

/// Tables that stay, as they are or after what is said in [`BLANKED`].
const KEPT: [&str; 7] = ["note", "name", "manifest", "outcome", "journal", "approval", "approval_review"];

/// Columns of kept tables that hold or quote values, or what people said, and what stands there afterwards.
const BLANKED: [(&str, &str, &str); 5] = [
    ("outcome", "reason", "NULL"),
    ("journal", "before", "NULL"),
    ("journal", "note", "NULL"),
    ("approval", "note", "''"),
    ("approval_review", "despite", "''"),
];

/// Notes that stay, by what their names begin with: accounts, plan, what was made in the settings, what a person
/// confirmed or approved, how a rollback ended, where exports went.
const NOTES: [&str; 12] = [
    "source account",
    "source alias ",
    "target account",
    "target alias ",
    "plan",
    "certificate",
    "maps",
    "provisioned ",
    "confirmed ",
    "rollback",
    "anew",
    EXPORT,
];

/// The note that tells when a workspace was wiped, Unix milliseconds.
const FORGOTTEN: &str = "forgotten";

/// The notes that tell which files were exported from a workspace.
const EXPORT: &str = "export ";

/// What a workspace holds of people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Staged records of the source.
    pub staged: u64,
    /// Records of the destination as they were before they were changed.
    pub before: u64,
    /// Reasons and answers, which may quote values.
    pub texts: u64,
    /// Everything else that goes: hashes of fields, links that wait, flags, decisions.
    pub others: u64,
}

impl Workspace {
    /// When the personal data of this workspace was wiped, Unix milliseconds.
    ///
    /// # Errors
    /// Those of the database.
    pub fn forgotten_ms(&self) -> Result<Option<i64>> {
        Ok(self.note(FORGOTTEN)?.and_then(|ms| ms.parse().ok()))
    }

    /// Nothing goes on from a workspace that was wiped.
    ///
    /// # Errors
    /// [`Error::Forgotten`].
    pub fn refuse_forgotten(&self) -> Result<()> {
        match self.forgotten_ms()? {
            None => Ok(()),
            Some(ms) => Err(Error::Forgotten {
                path: self.path.display().to_string(),
                when: jiff::Timestamp::from_millisecond(ms)
                    .map_or_else(|_| ms.to_string(), |at| at.to_string()),
            }),
        }
    }

    /// Remembers that a file was exported, so that it can be named when the workspace is wiped.
    ///
    /// # Errors
    /// Those of the database.
    pub fn exported(&self, path: &Path, now_ms: i64) -> Result<()> {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        self.set_note(&format!("{EXPORT}{}", path.display()), &now_ms.to_string())
    }

    /// The files that were exported from this workspace.
    ///
    /// # Errors
    /// Those of the database.
    pub fn exports(&self) -> Result<Vec<PathBuf>> {
        let names = self.notes_of(EXPORT)?;
        Ok(names.into_iter().map(|name| PathBuf::from(&name[EXPORT.len()..])).collect())
    }

    /// What wiping it would take away.
    ///
    /// # Errors
    /// Those of the database.
    pub fn personal(&self) -> Result<Forgotten> {
        let tables = self.wiped_tables()?;
        self.store(|db| {
            let count = |sql: &str| -> rusqlite::Result<u64> {
                db.query_row(sql, [], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
            };
            let mut found = Forgotten {
                staged: count("SELECT count(*) FROM staged")?,
                before: count("SELECT count(before) FROM journal")?,
                texts: count(
                    "SELECT (SELECT count(reason) FROM outcome) + (SELECT count(note) FROM journal)",
                )?,
                others: 0,
            };
            for table in tables.iter().filter(|table| *table != "staged") {
                found.others += count(&format!("SELECT count(*) FROM \"{table}\""))?;
            }
            Ok(found)
        })
    }

    /// Wipes what it holds of people, with the older files beside it; gives the files that were removed. What is left
    /// is the audit log without reasons, the id map, and the counts.
    ///
    /// # Errors
    /// Those of the database and of the file system. What was wiped by then stays wiped; the same call goes on.
    pub fn forget(self, now_ms: i64) -> Result<Vec<PathBuf>> {
        let tables = self.wiped_tables()?;
        self.store(|db| db.execute_batch("PRAGMA secure_delete = ON"))?;
        self.transaction(|ws| {
            ws.store(|db| {
                for table in &tables {
                    db.execute(&format!("DELETE FROM \"{table}\""), [])?;
                }
                for (table, column, blank) in BLANKED {
                    db.execute(
                        &format!("UPDATE {table} SET {column} = {blank} WHERE {column} IS NOT NULL"),
                        [],
                    )?;
                }
                let mut statement = db.prepare("SELECT name FROM note")?;
                let names: Vec<String> =
                    statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
                for name in names.iter().filter(|name| !NOTES.iter().any(|kept| name.starts_with(kept))) {
                    db.execute("DELETE FROM note WHERE name = ?1", [name])?;
                }
                Ok(())
            })?;
            ws.set_note(FORGOTTEN, &now_ms.to_string())
        })?;
        if self.lock.is_none() {
            return self.store(|db| db.execute_batch("VACUUM")).map(|()| Vec::new());
        }
        self.rewrite()
    }

    /// Removes the workspace whole, with the older files beside it, each overwritten; gives what was removed.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn remove(self) -> Result<Vec<PathBuf>> {
        let Workspace { db, path, lock, .. } = self;
        let error = |source| Error::File { path: path.display().to_string(), source };
        let real = path.canonicalize().map_err(error)?;
        let mut removed = Vec::new();
        overwrite_log(&db, &real).map_err(error)?;
        // The database goes first: a crash leaves nothing that looks whole.
        drop(db);
        for part in [real.clone(), file::beside(&real, "-wal"), file::beside(&real, "-shm")] {
            if file::shred(&part).map_err(error)? {
                removed.push(part);
            }
        }
        removed.extend(shred_all(&real).map_err(error)?);
        if path != real && path.is_symlink() {
            std::fs::remove_file(&path).map_err(error)?;
        }
        drop(lock);
        if file::shred(&file::beside(&real, "-lock")).map_err(error)? {
            removed.push(file::beside(&real, "-lock"));
        }
        file::sync_folder(&real).map_err(error)?;
        Ok(removed)
    }

    /// Tables whose rows go.
    fn wiped_tables(&self) -> Result<Vec<String>> {
        let tables: Vec<String> = self.store(|db| {
            db.prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")?
                .query_map([], |row| row.get(0))?
                .collect()
        })?;
        Ok(tables.into_iter().filter(|table| !KEPT.contains(&table.as_str())).collect())
    }

    /// Puts a new file with what is left in the place of this one, and overwrites this one.
    fn rewrite(self) -> Result<Vec<PathBuf>> {
        let shown = self.path.display().to_string();
        let error = |source| Error::File { path: shown.clone(), source };
        let real = self.path.canonicalize().map_err(error)?;
        let (clean, wiped) = (file::beside(&real, ".clean"), file::beside(&real, ".wiped"));
        file::shred(&clean).map_err(error)?;
        file::shred(&wiped).map_err(error)?;
        let made = file::create_private(&clean).map_err(error)?;
        self.store(|db| db.execute("VACUUM INTO ?1", [clean.to_string_lossy()]).map(|_| ()))?;
        made.sync_all().map_err(error)?;
        let Workspace { db, lock, .. } = self;
        overwrite_log(&db, &real).map_err(error)?;
        drop(db);
        // Under another name first, so that there is a workspace at every moment.
        if std::fs::hard_link(&real, &wiped).is_err() {
            std::fs::rename(&real, &wiped).map_err(error)?;
        }
        std::fs::rename(&clean, &real).map_err(error)?;
        file::sync_folder(&real).map_err(error)?;
        for ending in ["-wal", "-shm"] {
            file::shred(&file::beside(&real, ending)).map_err(error)?;
        }
        file::shred(&wiped).map_err(error)?;
        let removed = shred_all(&real).map_err(error)?;
        file::sync_folder(&real).map_err(error)?;
        drop(lock);
        Ok(removed)
    }
}

/// Overwrites the write-ahead log once everything in it stands in the database: closing removes the file, not what it
/// held.
fn overwrite_log(db: &Connection, real: &Path) -> std::io::Result<()> {
    let outcome: rusqlite::Result<(i64, i64, i64)> =
        db.query_row("PRAGMA wal_checkpoint(FULL)", [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let log = file::beside(real, "-wal");
    match outcome {
        Ok((0, in_log, moved)) if in_log == moved && log.exists() => file::overwrite(&log),
        // Nothing is lost: what is left in it is removed with the old file.
        _ => Ok(()),
    }
}

/// Older files beside a workspace: backups of upgrades, and what a crash left half done.
///
/// # Errors
/// A folder that cannot be listed.
pub fn backups(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    // One that was removed has its own name still.
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let Some(name) = real.file_name().map(|name| format!("{}.", name.to_string_lossy())) else {
        return Ok(Vec::new());
    };
    let folder = real.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let file = entry.file_name();
        let ours = file.to_string_lossy().strip_prefix(&name).is_some_and(|ending| {
            (ending.starts_with("layout") && (ending.ends_with(".bak") || ending.ends_with(".bak.part")))
                || ending == "clean"
                || ending == "wiped"
        });
        if ours && entry.file_type()?.is_file() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// Overwrites and removes the older files beside a workspace.
fn shred_all(real: &Path) -> std::io::Result<Vec<PathBuf>> {
    let found = backups(real)?;
    for path in &found {
        file::shred(path)?;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::workspace::{
        Flag, Intent, JournalState, Manifest, Operation, Outcome, ReadBack, Side, Status,
    };

    const SECRET: &str = "Zebra Quux";

    fn filled(path: &Path) -> Workspace {
        let ws = Workspace::open(path).expect("opens");
        ws.pin(Side::Target, "379104").expect("pins");
        let manifest = Manifest { done: true, ..Manifest::default() };
        // More than a page each, some of it deleted again: freed pages keep what they held.
        for round in 0..40 {
            let json = format!("{{\"NAME\":\"{SECRET} {round}\",\"PAD\":\"{}\"}}", "x".repeat(3_000));
            let key = round.to_string();
            ws.stage("company", [(key.as_str(), json.as_bytes())].into_iter(), &manifest).expect("stages");
        }
        ws.unstage("company").expect("deletes");
        for round in 0..10 {
            let json = format!("{{\"NAME\":\"{SECRET} {round}\"}}");
            let key = round.to_string();
            ws.stage("company", [(key.as_str(), json.as_bytes())].into_iter(), &manifest).expect("stages");
            let intent = Intent {
                map: "company".to_owned(),
                key: key.clone(),
                operation: Operation::Adopt,
                step: 0,
                payload: "hash".to_owned(),
                target: Some(format!("1{round}")),
                before: Some(json.clone()),
            };
            let seq = ws.intend(&[intent], 5).expect("notes")[0];
            ws.ended(seq, JournalState::Failed, None, Some(&format!("refused: {SECRET}")), 6).expect("ends");
            let failed = Outcome {
                status: Status::Failed,
                target: Some(format!("1{round}")),
                reason: Some(format!("`{SECRET}` is taken")),
            };
            let flag = Flag { rule: "company.name".to_owned(), why: format!("cut: {SECRET}") };
            ws.settle("company", &key, &failed, &[flag]).expect("settles");
            ws.keep_readback(&ReadBack {
                map: "company".to_owned(),
                key: key.clone(),
                target: format!("1{round}"),
                ..ReadBack::default()
            })
            .expect("keeps");
        }
        ws.set_note("of a later version", SECRET).expect("notes");
        ws
    }

    /// Files of a folder that hold a text.
    fn holding(folder: &Path, text: &str) -> Vec<PathBuf> {
        let files = std::fs::read_dir(folder).expect("lists").map(|entry| entry.expect("an entry").path());
        files
            .filter(|path| {
                let bytes = std::fs::read(path).expect("reads");
                bytes.windows(text.len()).any(|part| part == text.as_bytes())
            })
            .collect()
    }

    #[test]
    fn nothing_that_was_staged_is_findable_and_the_audit_log_stays() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("acme.b2nw");
        let ws = filled(&path);
        let backup = file::beside(&path, ".layout3.bak");
        std::fs::write(&backup, SECRET).expect("writes");
        let other = folder.path().join("acme.b2nw.notes.txt");
        std::fs::write(&other, "a person's own").expect("writes");
        assert!(holding(folder.path(), SECRET).len() >= 2, "the test sees what is there");
        let found = ws.personal().expect("counts");
        assert_eq!((found.staged, found.before, found.texts), (10, 10, 20));
        assert!(found.others >= 20, "{found:?}");
        assert_eq!(ws.forget(77).expect("forgets"), [backup.canonicalize().unwrap_or(backup)]);
        assert_eq!(holding(folder.path(), SECRET), Vec::<PathBuf>::new());
        assert_eq!(holding(folder.path(), "Quux"), Vec::<PathBuf>::new());
        let mut left: Vec<_> = std::fs::read_dir(folder.path())
            .expect("lists")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        left.sort();
        assert_eq!(left, ["acme.b2nw", "acme.b2nw-lock", "acme.b2nw.notes.txt"]);
        let ws = Workspace::open(&path).expect("opens");
        assert_eq!(ws.forgotten_ms().expect("reads"), Some(77));
        assert_eq!(ws.personal().expect("counts"), Forgotten::default());
        assert_eq!(ws.writes().expect("counts"), 10);
        assert_eq!(ws.tally("company").expect("counts").failed, 10);
        assert_eq!(ws.pinned(Side::Target).expect("reads").as_deref(), Some("379104"));
        let refused = ws.refuse_forgotten().expect_err("is refused").to_string();
        assert!(refused.contains("was wiped on 1970-01-01"), "{refused}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&path).expect("is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        // Once more is harmless.
        ws.forget(78).expect("forgets");
    }

    #[test]
    fn a_workspace_is_removed_whole_and_what_stands_beside_it_stays() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("acme.b2nw");
        let ws = filled(&path);
        std::fs::write(file::beside(&path, ".wiped"), SECRET).expect("writes");
        let other = folder.path().join("other.b2nw.layout3.bak");
        std::fs::write(&other, "of another workspace").expect("writes");
        let removed = ws.remove().expect("removes");
        assert!(removed.len() >= 3, "{removed:?}");
        let left: Vec<_> = std::fs::read_dir(folder.path()).expect("lists").collect();
        assert_eq!(left.len(), 1, "{left:?}");
        assert!(other.exists());
    }

    /// A table or column that a later layout adds is wiped, or this list was changed on purpose.
    #[test]
    fn what_stays_is_named_one_by_one() {
        let ws = Workspace::in_memory().expect("opens");
        let columns: Vec<String> = ws
            .store(|db| {
                db.prepare(
                    "SELECT m.name || '.' || c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c
                     WHERE m.type = 'table' ORDER BY m.name, c.cid",
                )?
                .query_map([], |row| row.get(0))?
                .collect()
            })
            .expect("lists");
        let kept: Vec<&str> = columns
            .iter()
            .map(String::as_str)
            .filter(|column| {
                let (table, name) = column.split_once('.').expect("both");
                KEPT.contains(&table) && !BLANKED.iter().any(|(t, c, _)| (*t, *c) == (table, name))
            })
            .collect();
        assert_eq!(
            kept,
            [
                "approval.seq",
                "approval.plan",
                "approval.certificate",
                "approval.approver",
                "approval.approved_ms",
                "approval.sample",
                "approval.counts",
                "approval.withdrawn_ms",
                "approval_review.approval",
                "approval_review.review",
                "journal.seq",
                "journal.map",
                "journal.key",
                "journal.operation",
                "journal.step",
                "journal.payload",
                "journal.state",
                "journal.target",
                "journal.sent_ms",
                "journal.ended_ms",
                "journal.unknown_ms",
                "manifest.object",
                "manifest.cursor",
                "manifest.done",
                "manifest.counted",
                "manifest.fetched_ms",
                "name.id",
                "name.name",
                "note.name",
                "note.value",
                "outcome.map",
                "outcome.key",
                "outcome.status",
                "outcome.target",
            ]
        );
    }
}
