//! A file of an older layout becomes one of this version's: a backup beside it first, then one transaction.
//!
//! The backup is what the file was, whole and on the disk, before anything is changed; it takes its name only then. A
//! process that dies meanwhile leaves the older file as it was.

use std::path::{Path, PathBuf};

use super::layouts::LAYOUTS;
use super::{Error, FORMAT, Result, Workspace, file};

/// What opening a workspace of an older layout did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgraded {
    /// The layout that the file had.
    pub from: i64,
    /// What the file was, beside it.
    pub backup: PathBuf,
}

/// Columns that a first draft of the first layout lacked, with how each is added.
const LATER_COLUMNS: [(&str, &str); 2] = [
    ("before", "ALTER TABLE journal ADD COLUMN before TEXT;"),
    ("unknown_ms", "ALTER TABLE journal ADD COLUMN unknown_ms INTEGER;"),
];

impl Workspace {
    /// What opening this workspace did to an older file, told once.
    pub fn take_upgraded(&self) -> Option<Upgraded> {
        self.upgraded.borrow_mut().take()
    }

    /// Brings a file of layout `found`, 0 for an empty one, to this version's.
    pub(super) fn upgrade(&self, found: i64) -> Result<()> {
        if found > 0 {
            let backup = self.back_up(found)?;
            *self.upgraded.borrow_mut() = Some(Upgraded { from: found, backup });
        }
        let mut sql = String::new();
        if found > 0 {
            // An index of that draft, which nothing asks for any more.
            sql.push_str("DROP INDEX IF EXISTS outcome_target;");
            let columns: Vec<String> = self.store(|db| {
                db.prepare("SELECT name FROM pragma_table_info('journal')")?
                    .query_map([], |row| row.get(0))?
                    .collect()
            })?;
            let missing = LATER_COLUMNS.iter().filter(|(column, _)| !columns.iter().any(|c| c == column));
            sql.extend(missing.map(|(_, add)| *add));
        }
        sql.extend(LAYOUTS.into_iter().skip(usize::try_from(found).unwrap_or(0)));
        self.transaction(|ws| {
            ws.store(|db| db.execute_batch(&format!("{sql} PRAGMA user_version = {FORMAT};")))
        })
    }

    /// A copy of the file beside it: `acme.b2nw.layout3.bak`, or with a number where that is taken.
    fn back_up(&self, found: i64) -> Result<PathBuf> {
        let error = |source| Error::File { path: self.path.display().to_string(), source };
        let backup = free_name(&self.path, found);
        let part = file::beside(&backup, ".part");
        // Left by a process that died over it.
        file::shred(&part).map_err(error)?;
        let made = file::create_private(&part).map_err(error)?;
        let copied = self.store(|db| db.execute("VACUUM INTO ?1", [part.to_string_lossy()]).map(|_| ()));
        let done = copied.and_then(|()| {
            made.sync_all()
                .and_then(|()| std::fs::rename(&part, &backup))
                .and_then(|()| file::sync_folder(&backup))
                .map_err(error)
        });
        if done.is_err() {
            // The first error is the one to tell; half a backup is nobody's use.
            let _ = std::fs::remove_file(&part);
        }
        done.map(|()| backup)
    }
}

/// A name that no backup has: one that is there is of another time, and stays.
fn free_name(path: &Path, layout: i64) -> PathBuf {
    let first = file::beside(path, &format!(".layout{layout}.bak"));
    if !first.exists() {
        return first;
    }
    let numbered = |number: u32| file::beside(path, &format!(".layout{layout}.{number}.bak"));
    (2..).map(numbered).find(|name| !name.exists()).unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rusqlite::Connection;

    use super::*;
    use crate::run::workspace::{JournalState, Operation, Status};

    /// The layouts as the versions that had them made them, frozen.
    const OLD: [(i64, &str); 5] = [
        (1, include_str!("layouts/1-first.sql")),
        (1, include_str!("layouts/1.sql")),
        (2, include_str!("layouts/2.sql")),
        (3, include_str!("layouts/3.sql")),
        (4, include_str!("layouts/4.sql")),
    ];

    /// A record of an old file.
    #[derive(Clone, Debug)]
    struct Row {
        json: String,
        /// Status, target and reason.
        outcome: Option<(u8, Option<u32>, Option<String>)>,
        /// Operation and state of each write.
        writes: Vec<(u8, u8)>,
    }

    fn row() -> impl Strategy<Value = Row> {
        let outcome = (1u8..=5, proptest::option::of(0u32..9_999), proptest::option::of("[a-z ']{0,9}"));
        // Older versions knew four kinds of writes.
        let writes = proptest::collection::vec((0u8..4, 0u8..4), 0..3);
        ("[ -~ж]{0,40}", proptest::option::of(outcome), writes).prop_map(|(json, outcome, writes)| Row {
            json,
            outcome,
            writes,
        })
    }

    /// Makes a file as an old version did, still in its write-ahead log.
    fn old_file(path: &Path, layout: i64, sql: &str, rows: &[Row]) -> Connection {
        let db = Connection::open(path).expect("opens");
        db.execute_batch("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;").expect("sets");
        db.execute_batch(sql).expect("is laid out");
        db.execute_batch(&format!(
            "INSERT INTO note VALUES ('plan', 'h4sh'), ('source account', 'acme.bitrix24.com');
             INSERT INTO name(id, name) VALUES (1, 'deal'); PRAGMA user_version = {layout};"
        ))
        .expect("is filled");
        for (at, row) in rows.iter().enumerate() {
            let key = at.to_string();
            db.execute(
                "INSERT INTO staged(object, key, json) VALUES (1, ?1, ?2)",
                (&key, row.json.as_bytes()),
            )
            .expect("stages");
            if let Some((status, target, reason)) = &row.outcome {
                let target = target.map(|id| id.to_string());
                db.execute("INSERT INTO outcome VALUES (1, ?1, ?2, ?3, ?4)", (&key, status, target, reason))
                    .expect("settles");
            }
            for (operation, state) in &row.writes {
                db.execute(
                    "INSERT INTO journal(map, key, operation, step, payload, state, target, sent_ms)
                     VALUES (1, ?1, ?2, 0, 'h', ?3, '7', 5)",
                    (&key, operation, state),
                )
                .expect("notes");
            }
        }
        db
    }

    /// Everything that a table holds, as text.
    fn contents(db: &Connection, table: &str, columns: &str) -> Vec<String> {
        let mut statement =
            db.prepare(&format!("SELECT {columns} FROM {table} ORDER BY 1, 2")).expect("asks");
        let width = statement.column_count();
        let rows = statement.query_map([], |row| {
            Ok((0..width).map(|at| format!("{:?}|", row.get_ref(at).expect("a cell"))).collect::<String>())
        });
        rows.expect("reads").map(|row| row.expect("a row")).collect()
    }

    const KEPT: [(&str, &str); 5] = [
        ("note", "*"),
        ("name", "*"),
        ("staged", "seq, object, key, json"),
        ("outcome", "*"),
        ("journal", "seq, map, key, operation, step, payload, state, target, sent_ms, ended_ms, note"),
    ];

    fn upgrades(layout: i64, sql: &str, rows: &[Row]) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("older.b2nw");
        let old = old_file(&path, layout, sql, rows);
        let before: Vec<Vec<String>> =
            KEPT.iter().map(|(table, columns)| contents(&old, table, columns)).collect();
        // As a process that died leaves it: the log is still beside the file.
        let copy = folder.path().join("died.b2nw");
        std::fs::copy(&path, &copy).expect("copies");
        std::fs::copy(file::beside(&path, "-wal"), file::beside(&copy, "-wal")).expect("copies");
        drop(old);
        let backup = file::beside(&copy, &format!(".layout{layout}.bak"));
        for time in 0..2 {
            let workspace = Workspace::open(&copy).expect("opens");
            let told = workspace.take_upgraded();
            let expected = (time == 0).then(|| Upgraded { from: layout, backup: backup.clone() });
            assert_eq!(told, expected, "an upgrade happens once");
            for ((table, columns), before) in KEPT.iter().zip(&before) {
                assert_eq!(&contents(&workspace.db, table, columns), before, "`{table}` of layout {layout}");
            }
            // What this version reads is there, by its own words.
            assert_eq!(workspace.staged("deal").expect("counts"), rows.len() as u64);
            let tally = workspace.tally("deal").expect("counts");
            let ended = rows.iter().filter(|row| row.outcome.is_some()).count();
            assert_eq!(tally.sum(), ended as u64);
            let writes: usize = rows.iter().map(|row| row.writes.len()).sum();
            assert_eq!(workspace.writes().expect("counts"), writes as u64);
            for (at, row) in rows.iter().enumerate() {
                let entries = workspace.writes_of("deal", &at.to_string()).expect("reads");
                assert_eq!(entries.len(), row.writes.len());
                assert!(entries.iter().all(|entry| entry.intent.before.is_none()));
            }
            // And everything that came later works.
            assert_eq!(workspace.routed("deal").expect("counts"), 0);
            assert_eq!(workspace.readbacks().expect("counts"), 0);
            assert!(workspace.can_go_on("deal").expect("lists").is_empty());
            assert!(workspace.decisions("deal").expect("lists").is_empty());
            assert_eq!(workspace.last_uncertain_ms("deal").expect("reads"), None);
        }
        // The backup is the old file: an old version would open it.
        let kept = Connection::open(&backup).expect("opens");
        let version: i64 = kept.query_row("PRAGMA user_version", [], |row| row.get(0)).expect("reads");
        assert_eq!(version, layout);
        for ((table, columns), before) in KEPT.iter().zip(&before) {
            assert_eq!(&contents(&kept, table, columns), before, "`{table}` of the backup");
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&backup).expect("is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert!(!file::beside(&backup, ".part").exists());
    }

    #[test]
    fn an_old_file_without_a_record_is_upgraded() {
        for (layout, sql) in OLD {
            upgrades(layout, sql, &[]);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
        #[test]
        fn what_an_old_file_holds_survives_and_its_backup_is_the_old_file(
            which in 0usize..OLD.len(), rows in proptest::collection::vec(row(), 0..12)
        ) {
            let (layout, sql) = OLD[which];
            upgrades(layout, sql, &rows);
        }
    }

    #[test]
    fn the_frozen_layouts_come_to_what_a_new_file_has() {
        let shape = |db: &Connection| -> Vec<String> {
            let query = "SELECT m.type || ' ' || m.name || ' ' || coalesce(c.name, '') || ' ' || coalesce(c.type, '')
                || ' ' || coalesce(c.pk, '') FROM sqlite_master m LEFT JOIN pragma_table_info(m.name) c ORDER BY 1";
            let mut statement = db.prepare(query).expect("asks");
            let rows = statement.query_map([], |row| row.get(0)).expect("reads");
            rows.map(|row| row.expect("a row")).collect()
        };
        let new = Workspace::in_memory().expect("opens");
        for (layout, sql) in OLD {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let path = folder.path().join("older.b2nw");
            drop(old_file(&path, layout, sql, &[]));
            let workspace = Workspace::open(&path).expect("opens");
            assert_eq!(shape(&workspace.db), shape(&new.db), "layout {layout}");
        }
    }

    #[test]
    fn a_backup_that_is_there_stays_and_one_that_cannot_be_made_stops_the_upgrade() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("older.b2nw");
        drop(old_file(&path, 3, OLD[3].1, &[]));
        let taken = file::beside(&path, ".layout3.bak");
        std::fs::write(&taken, "of another time").expect("writes");
        // A folder in the backup's place: nothing can be copied there.
        let numbered = file::beside(&path, ".layout3.2.bak.part");
        std::fs::create_dir(&numbered).expect("makes");
        assert!(Workspace::open(&path).is_err());
        let db = Connection::open(&path).expect("opens");
        let version: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0)).expect("reads");
        assert_eq!(version, 3, "changed without a backup");
        drop(db);
        std::fs::remove_dir(&numbered).expect("removes");
        let workspace = Workspace::open(&path).expect("opens");
        let told = workspace.take_upgraded().expect("is told");
        assert_eq!(told.backup, file::beside(&path, ".layout3.2.bak"));
        assert_eq!(std::fs::read_to_string(&taken).expect("reads"), "of another time");
    }

    #[test]
    fn an_upgraded_file_is_written_as_any_other() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("older.b2nw");
        let rows = [Row { json: "{}".to_owned(), outcome: Some((1, Some(7), None)), writes: vec![(0, 1)] }];
        drop(old_file(&path, 1, OLD[0].1, &rows));
        let workspace = Workspace::open(&path).expect("opens");
        let entry = workspace.last_create("deal", "0").expect("reads").expect("is there");
        assert_eq!((entry.intent.operation, entry.state), (Operation::Create, JournalState::Done));
        workspace.ended(entry.seq, JournalState::Unknown, None, None, 9).expect("ends");
        assert_eq!(workspace.last_uncertain_ms("deal").expect("reads"), Some(9));
        let outcome = workspace.outcome("deal", "0").expect("reads").expect("is there");
        assert_eq!(outcome.status, Status::Created);
    }
}
