//! Where records of shared and folded objects go: which maps a split chose, and which record takes others in.
//!
//! Both are worked out once, when everything is staged, so that any map or parent finds its records by an index.

use rusqlite::OptionalExtension;

use super::seal::fingerprint;
use super::staged::STAGE;
use super::{Result, StagedRecord, Workspace};

/// A record that is folded into another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoldedRecord {
    /// Its place in the order of arrival.
    pub seq: i64,
    /// Its key.
    pub key: String,
    /// The key of the record that takes it in.
    pub parent: String,
}

impl Workspace {
    /// Sends a staged record to a map.
    ///
    /// # Errors
    /// Those of the database.
    pub fn route(&self, map: &str, seq: i64) -> Result<()> {
        let map = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached("INSERT OR IGNORE INTO routed(map, seq) VALUES (?1, ?2)")?
                .execute((map, seq))
                .map(|_| ())
        })
    }

    /// How many records a map was sent.
    ///
    /// # Errors
    /// Those of the database.
    pub fn routed(&self, map: &str) -> Result<u64> {
        let map = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached("SELECT count(*) FROM routed WHERE map = ?1")?
                .query_row([map], |row| row.get::<_, i64>(0))
                .map(i64::cast_unsigned)
        })
    }

    /// Whether a map was sent a record of its source object.
    ///
    /// # Errors
    /// Those of the database.
    pub fn is_routed(&self, map: &str, object: &str, key: &str) -> Result<bool> {
        let (map, object) = (self.intern(map)?, self.intern(object)?);
        self.store(|db| {
            db.prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM staged s JOIN routed r ON r.map = ?1 AND r.seq = s.seq
                 WHERE s.object = ?2 AND s.key = ?3)",
            )?
            .query_row((map, object, key), |row| row.get(0))
        })
    }

    /// Up to `limit` staged records of a map that follow `after`, in the order of arrival.
    ///
    /// # Errors
    /// Those of the database.
    pub fn routed_page(&self, map: &str, after: i64, limit: u32) -> Result<Vec<StagedRecord>> {
        let map = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached(
                "SELECT s.seq, s.key, s.json FROM routed r JOIN staged s ON s.seq = r.seq
                 WHERE r.map = ?1 AND r.seq > ?2 ORDER BY r.seq LIMIT ?3",
            )?
            .query_map((map, after, limit), |row| {
                Ok(StagedRecord { seq: row.get(0)?, key: row.get(1)?, json: row.get(2)? })
            })?
            .collect()
        })
    }

    /// Folds a staged record into the one of this key.
    ///
    /// # Errors
    /// Those of the database.
    pub fn fold(&self, flatten: &str, parent: &str, seq: i64) -> Result<()> {
        let flatten = self.intern(flatten)?;
        self.store(|db| {
            db.prepare_cached("INSERT OR IGNORE INTO folded(flatten, parent, seq) VALUES (?1, ?2, ?3)")?
                .execute((flatten, parent, seq))
                .map(|_| ())
        })
    }

    /// The records that are folded into one, in the order of arrival.
    ///
    /// # Errors
    /// Those of the database.
    pub fn folded_into(&self, flatten: &str, parent: &str) -> Result<Vec<StagedRecord>> {
        let flatten = self.intern(flatten)?;
        self.store(|db| {
            db.prepare_cached(
                "SELECT s.seq, s.key, s.json FROM folded f JOIN staged s ON s.seq = f.seq
                 WHERE f.flatten = ?1 AND f.parent = ?2 ORDER BY f.seq",
            )?
            .query_map((flatten, parent), |row| {
                Ok(StagedRecord { seq: row.get(0)?, key: row.get(1)?, json: row.get(2)? })
            })?
            .collect()
        })
    }

    /// The key of the record that takes a folded one in.
    ///
    /// # Errors
    /// Those of the database.
    pub fn folded_parent(&self, flatten: &str, object: &str, key: &str) -> Result<Option<String>> {
        let (flatten, object) = (self.intern(flatten)?, self.intern(object)?);
        self.store(|db| {
            db.prepare_cached(
                "SELECT f.parent FROM staged s JOIN folded f ON f.seq = s.seq AND f.flatten = ?1
                 WHERE s.object = ?2 AND s.key = ?3",
            )?
            .query_row((flatten, object, key), |row| row.get(0))
            .optional()
        })
    }

    /// Up to `limit` folded records without an end that follow `after`, in the order of arrival.
    ///
    /// # Errors
    /// Those of the database.
    pub fn folded_page(&self, flatten: &str, after: i64, limit: u32) -> Result<Vec<FoldedRecord>> {
        let flatten = self.intern(flatten)?;
        self.store(|db| {
            db.prepare_cached(
                "SELECT f.seq, s.key, f.parent FROM folded f JOIN staged s ON s.seq = f.seq
                 LEFT JOIN outcome o ON o.map = f.flatten AND o.key = s.key
                 WHERE f.flatten = ?1 AND f.seq > ?2 AND o.key IS NULL ORDER BY f.seq LIMIT ?3",
            )?
            .query_map((flatten, after, limit), |row| {
                Ok(FoldedRecord { seq: row.get(0)?, key: row.get(1)?, parent: row.get(2)? })
            })?
            .collect()
        })
    }

    /// Makes folded records pending again that were held back or left out with the record that takes them in.
    ///
    /// # Errors
    /// Those of the database.
    pub fn retry_folded(&self, flatten: &str) -> Result<()> {
        let flatten = self.intern(flatten)?;
        self.store(|db| {
            db.execute(
                "DELETE FROM outcome WHERE map = ?1 AND status IN (3, 4, 5) AND key IN
                     (SELECT s.key FROM folded f JOIN staged s ON s.seq = f.seq WHERE f.flatten = ?1)
                 AND key NOT IN (SELECT key FROM decision WHERE map = ?1 AND lifted_ms IS NULL)",
                [flatten],
            )
            .map(|_| ())
        })
    }

    /// Stages a record that the plan makes beside another; one that is there already is replaced and keeps its place.
    ///
    /// # Errors
    /// Those of the database.
    pub fn stage_beside(&self, object: &str, key: &str, json: &[u8]) -> Result<()> {
        let id = self.intern(object)?;
        let moved = self.store(|db| {
            // What was there no more is there again.
            let returned =
                db.prepare_cached("DELETE FROM gone WHERE object = ?1 AND key = ?2")?.execute((id, key))? > 0;
            let before: Option<Vec<u8>> = db
                .prepare_cached("SELECT json FROM staged WHERE object = ?1 AND key = ?2")?
                .query_row((id, key), |row| row.get(0))
                .optional()?;
            db.prepare_cached(STAGE)?.execute((id, key, json, fingerprint(key, json)))?;
            Ok(before.is_some_and(|before| returned || before != json))
        })?;
        if moved { self.open_pass(object) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::workspace::{Manifest, Outcome, Status};

    fn staged() -> Workspace {
        let ws = Workspace::in_memory().expect("opens");
        let rows: [(&str, &[u8]); 3] = [("10", b"a"), ("9", b"b"), ("11", b"c")];
        ws.stage("quote", rows.iter().copied(), &Manifest::default()).expect("stages");
        ws
    }

    #[test]
    fn a_map_sees_the_records_that_it_was_sent() {
        let ws = staged();
        for record in ws.staged_page("quote", 0, 10).expect("reads").iter().filter(|r| r.key != "9") {
            ws.route("big", record.seq).expect("routes");
            ws.route("big", record.seq).expect("routes once");
        }
        let page = ws.routed_page("big", 0, 1).expect("reads");
        assert_eq!(page[0].key, "10");
        assert_eq!(ws.routed_page("big", page[0].seq, 5).expect("reads")[0].key, "11");
        assert_eq!((ws.routed("big").expect("counts"), ws.routed("small").expect("counts")), (2, 0));
        assert!(ws.is_routed("big", "quote", "11").expect("reads"));
        assert!(!ws.is_routed("big", "quote", "9").expect("reads"));
    }

    #[test]
    fn folded_records_come_with_their_parent_until_they_end() {
        let ws = staged();
        for record in ws.staged_page("quote", 0, 10).expect("reads") {
            ws.fold("quote into deal", "7", record.seq).expect("folds");
        }
        let keys: Vec<String> =
            ws.folded_into("quote into deal", "7").expect("reads").into_iter().map(|r| r.key).collect();
        assert_eq!(keys, ["10", "9", "11"]);
        assert!(ws.folded_into("quote into deal", "8").expect("reads").is_empty());
        let held = Outcome { status: Status::Quarantined, target: None, reason: None };
        ws.settle("quote into deal", "10", &held, &[]).expect("settles");
        let open = |ws: &Workspace| ws.folded_page("quote into deal", 0, 9).expect("reads").len();
        assert_eq!(open(&ws), 2);
        ws.retry_folded("quote into deal").expect("retries");
        assert_eq!(open(&ws), 3);
    }
}
