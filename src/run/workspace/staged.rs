//! Source records as they were delivered, and how far each object's extraction is.

use rusqlite::OptionalExtension;

use super::seal::fingerprint;
use super::{Result, Workspace};

/// Stages a record: object, key, what it is, and the hash of that. One that is there already keeps its place.
pub(super) const STAGE: &str = "INSERT INTO staged(object, key, json, hash) VALUES (?1, ?2, ?3, ?4)
     ON CONFLICT(object, key) DO UPDATE SET json = excluded.json, hash = excluded.hash";

/// How far an object's extraction is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// Where to go on; empty at the start.
    pub cursor: String,
    /// Everything has arrived.
    pub done: bool,
    /// Records that the source counted when the extraction ended.
    pub counted: Option<u64>,
    /// When the last records arrived, Unix milliseconds.
    pub fetched_ms: i64,
}

/// A staged record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StagedRecord {
    /// Its place in the order of arrival.
    pub seq: i64,
    /// Its key.
    pub key: String,
    /// As the source delivered it.
    pub json: Vec<u8>,
}

impl Workspace {
    /// Stages records and moves the cursor, in one step: a crash loses both or neither. A record that is there
    /// already is replaced and keeps its place.
    ///
    /// # Errors
    /// Those of the database.
    pub fn stage<'a>(
        &self,
        object: &str,
        records: impl Iterator<Item = (&'a str, &'a [u8])>,
        manifest: &Manifest,
    ) -> Result<()> {
        let id = self.intern(object)?;
        self.transaction(|ws| {
            ws.store(|db| {
                let mut insert = db.prepare_cached(STAGE)?;
                for (key, json) in records {
                    insert.execute((id, key, json, fingerprint(key, json)))?;
                }
                db.prepare_cached(
                    "INSERT OR REPLACE INTO manifest(object, cursor, done, counted, fetched_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute((id, &manifest.cursor, manifest.done, manifest.counted.map(u64::cast_signed), manifest.fetched_ms))
                .map(|_| ())
            })
        })
    }

    /// Takes an object's staged records away, to sweep its source from the start.
    ///
    /// # Errors
    /// Those of the database.
    pub fn unstage(&self, object: &str) -> Result<()> {
        let id = self.intern(object)?;
        self.transaction(|ws| {
            ws.store(|db| {
                db.prepare_cached("DELETE FROM staged WHERE object = ?1")?.execute([id])?;
                db.prepare_cached("DELETE FROM sealed WHERE object = ?1")?.execute([id])?;
                db.prepare_cached("DELETE FROM manifest WHERE object = ?1")?.execute([id]).map(|_| ())
            })
        })
    }

    /// How far an object's extraction is; `None` before its first record.
    ///
    /// # Errors
    /// Those of the database.
    pub fn manifest(&self, object: &str) -> Result<Option<Manifest>> {
        let id = self.intern(object)?;
        self.store(|db| {
            db.prepare_cached("SELECT cursor, done, counted, fetched_ms FROM manifest WHERE object = ?1")?
                .query_row([id], |row| {
                    Ok(Manifest {
                        cursor: row.get(0)?,
                        done: row.get(1)?,
                        counted: row.get::<_, Option<i64>>(2)?.map(i64::cast_unsigned),
                        fetched_ms: row.get(3)?,
                    })
                })
                .optional()
        })
    }

    /// How many records of an object are staged.
    ///
    /// # Errors
    /// Those of the database.
    pub fn staged(&self, object: &str) -> Result<u64> {
        let id = self.intern(object)?;
        self.store(|db| {
            db.prepare_cached("SELECT count(*) FROM staged WHERE object = ?1")?
                .query_row([id], |row| row.get::<_, i64>(0))
                .map(i64::cast_unsigned)
        })
    }

    /// Up to `limit` staged records that follow `after`, in the order of arrival.
    ///
    /// # Errors
    /// Those of the database.
    pub fn staged_page(&self, object: &str, after: i64, limit: u32) -> Result<Vec<StagedRecord>> {
        let id = self.intern(object)?;
        self.store(|db| {
            db.prepare_cached(
                "SELECT seq, key, json FROM staged WHERE object = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
            )?
            .query_map((id, after, limit), |row| {
                Ok(StagedRecord { seq: row.get(0)?, key: row.get(1)?, json: row.get(2)? })
            })?
            .collect()
        })
    }

    /// Keys of an object's staged records that begin with these characters, in order.
    ///
    /// # Errors
    /// Those of the database.
    pub fn staged_keys(&self, object: &str, prefix: &str) -> Result<Vec<String>> {
        let id = self.intern(object)?;
        self.store(|db| {
            db.prepare_cached(
                "SELECT key FROM staged WHERE object = ?1 AND key >= ?2 AND key < ?2 || char(1114111) ORDER BY key",
            )?
            .query_map((id, prefix), |row| row.get(0))?
            .collect()
        })
    }

    /// One staged record.
    ///
    /// # Errors
    /// Those of the database.
    pub fn staged_record(&self, object: &str, key: &str) -> Result<Option<StagedRecord>> {
        let id = self.intern(object)?;
        self.store(|db| {
            db.prepare_cached("SELECT seq, key, json FROM staged WHERE object = ?1 AND key = ?2")?
                .query_row((id, key), |row| {
                    Ok(StagedRecord { seq: row.get(0)?, key: row.get(1)?, json: row.get(2)? })
                })
                .optional()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn staging_again_replaces_and_keeps_the_order() {
        let ws = Workspace::in_memory().expect("opens");
        let rows: [(&str, &[u8]); 3] = [("1", b"a"), ("2", b"b"), ("10", b"c")];
        let manifest = Manifest { cursor: "10".to_owned(), ..Manifest::default() };
        ws.stage("deal", rows.iter().copied(), &manifest).expect("stages");
        ws.stage("deal", [("2", &b"B"[..])].into_iter(), &manifest).expect("stages");
        let page = ws.staged_page("deal", 0, 10).expect("reads");
        let seen: Vec<_> = page.iter().map(|r| (r.key.as_str(), r.json.as_slice())).collect();
        assert_eq!(seen, [("1", &b"a"[..]), ("2", b"B"), ("10", b"c")]);
        assert_eq!(ws.staged_page("deal", page[0].seq, 1).expect("reads")[0].key, "2");
        assert_eq!(ws.staged("deal").expect("counts"), 3);
        assert_eq!(ws.manifest("deal").expect("reads"), Some(manifest));
        assert_eq!(ws.manifest("company").expect("reads"), None);
    }
}
