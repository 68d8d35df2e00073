//! What was staged, in figures that can be held against it later without the source: hash, count, range.
//!
//! A record's hash is over its key and its bytes; an object's is the sum of its records', so that neither the order in
//! which they came nor where an extraction was interrupted makes a difference.

use rusqlite::OptionalExtension;

use super::{Result, Workspace};

/// What an object's staged records were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seal {
    /// So many.
    pub records: u64,
    /// The lowest key and the highest one.
    pub range: Option<(String, String)>,
    /// The sum of their hashes, 32 hex digits.
    pub hash: String,
    /// When that was, Unix milliseconds.
    pub sealed_ms: i64,
}

/// What a look at an object's staged records came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They are what they were.
    Same(Seal),
    /// Nothing to hold them against: the extraction has not ended, or an older version made it.
    Unsealed,
    /// A record is not what arrived.
    Record {
        /// Its key; the first one in the order of arrival.
        key: String,
    },
    /// Every record is what arrived, but others were there.
    Stream {
        /// What was there.
        was: Seal,
        /// What is there.
        is: Seal,
    },
}

/// The hash of one record.
pub(super) fn fingerprint(key: &str, json: &[u8]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(key.len() as u64).to_le_bytes());
    hasher.update(key.as_bytes());
    hasher.update(json);
    let mut out = [0; 16];
    out.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    out
}

/// Adds records up.
#[derive(Default)]
struct Sum {
    records: u64,
    hash: u128,
    lowest: Option<String>,
    highest: Option<String>,
}

impl Sum {
    fn add(&mut self, key: &str, hash: [u8; 16]) {
        self.records += 1;
        self.hash = self.hash.wrapping_add(u128::from_le_bytes(hash));
        // Keys are mostly numbers: a shorter one is lower.
        let rank = |key: &str| (key.len(), key.to_owned());
        if self.lowest.as_deref().is_none_or(|lowest| (key.len(), key) < (lowest.len(), lowest)) {
            self.lowest = Some(rank(key).1);
        }
        if self.highest.as_deref().is_none_or(|highest| (key.len(), key) > (highest.len(), highest)) {
            self.highest = Some(rank(key).1);
        }
    }

    fn seal(self, sealed_ms: i64) -> Seal {
        let hash = format!("{:032x}", self.hash);
        Seal { records: self.records, range: self.lowest.zip(self.highest), hash, sealed_ms }
    }
}

impl Workspace {
    /// Takes down what an object's staged records are, to verify them later.
    ///
    /// # Errors
    /// Those of the database.
    pub fn seal(&self, object: &str, now_ms: i64) -> Result<Seal> {
        let id = self.intern(object)?;
        let mut sum = Sum::default();
        self.store(|db| {
            let mut rows = db.prepare_cached(
                "SELECT key, hash, CASE WHEN hash IS NULL THEN json END FROM staged WHERE object = ?1",
            )?;
            let mut rows = rows.query([id])?;
            while let Some(row) = rows.next()? {
                let key = row.get_ref(0)?.as_str()?;
                let hash = match row.get::<_, Option<[u8; 16]>>(1)? {
                    Some(hash) => hash,
                    None => fingerprint(key, row.get_ref(2)?.as_blob()?),
                };
                sum.add(key, hash);
            }
            Ok(())
        })?;
        let seal = sum.seal(now_ms);
        let (lowest, highest) = seal.range.clone().unzip();
        self.store(|db| {
            db.prepare_cached(
                "INSERT OR REPLACE INTO sealed(object, records, lowest, highest, hash, sealed_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute((id, seal.records.cast_signed(), lowest, highest, &seal.hash, now_ms))
        })?;
        Ok(seal)
    }

    /// What an object's staged records were when they were last sealed.
    ///
    /// # Errors
    /// Those of the database.
    pub fn sealed(&self, object: &str) -> Result<Option<Seal>> {
        let id = self.intern(object)?;
        self.store(|db| {
            db.prepare_cached(
                "SELECT records, lowest, highest, hash, sealed_ms FROM sealed WHERE object = ?1",
            )?
            .query_row([id], |row| {
                let (lowest, highest): (Option<String>, Option<String>) = (row.get(1)?, row.get(2)?);
                Ok(Seal {
                    records: row.get::<_, i64>(0)?.cast_unsigned(),
                    range: lowest.zip(highest),
                    hash: row.get(3)?,
                    sealed_ms: row.get(4)?,
                })
            })
            .optional()
        })
    }

    /// Reads every staged record of an object and holds it against its hash, and all of them against their seal.
    ///
    /// # Errors
    /// Those of the database.
    pub fn verify(&self, object: &str) -> Result<Verdict> {
        let id = self.intern(object)?;
        let Some(was) = self.sealed(object)? else { return Ok(Verdict::Unsealed) };
        let mut sum = Sum::default();
        let differing = self.store(|db| {
            let mut rows =
                db.prepare_cached("SELECT key, hash, json FROM staged WHERE object = ?1 ORDER BY seq")?;
            let mut rows = rows.query([id])?;
            while let Some(row) = rows.next()? {
                let key = row.get_ref(0)?.as_str()?;
                // Whoever edits a file by hand may leave anything there.
                let json = row.get_ref(2)?.as_bytes()?;
                let found = fingerprint(key, json);
                let kept: Option<Vec<u8>> = row.get(1)?;
                if kept.is_some_and(|kept| kept != found) {
                    return Ok(Some(key.to_owned()));
                }
                sum.add(key, found);
            }
            Ok(None)
        })?;
        if let Some(key) = differing {
            return Ok(Verdict::Record { key });
        }
        let is = sum.seal(was.sealed_ms);
        Ok(if is == was { Verdict::Same(was) } else { Verdict::Stream { was, is } })
    }

    /// Begins a list of the keys that the source has of an object.
    ///
    /// # Errors
    /// Those of the database.
    pub fn begin_listing(&self, object: &str) -> Result<()> {
        let id = self.intern(object)?;
        self.store(|db| {
            db.execute_batch(
                "CREATE TEMP TABLE IF NOT EXISTS listing (object INTEGER NOT NULL, key TEXT NOT NULL,
                     PRIMARY KEY (object, key)) WITHOUT ROWID;",
            )?;
            db.execute("DELETE FROM listing WHERE object = ?1", [id]).map(|_| ())
        })
    }

    /// Adds keys to the list.
    ///
    /// # Errors
    /// Those of the database.
    pub fn list_keys<'a>(&self, object: &str, keys: impl Iterator<Item = &'a str>) -> Result<()> {
        let id = self.intern(object)?;
        self.transaction(|ws| {
            ws.store(|db| {
                let mut insert =
                    db.prepare_cached("INSERT OR IGNORE INTO listing(object, key) VALUES (?1, ?2)")?;
                for key in keys {
                    insert.execute((id, key))?;
                }
                Ok(())
            })
        })
    }

    /// Up to `limit` listed keys that are not staged.
    ///
    /// # Errors
    /// Those of the database.
    pub fn listed_not_staged(&self, object: &str, limit: u32) -> Result<Vec<String>> {
        let id = self.intern(object)?;
        self.store(|db| {
            db.prepare_cached(
                "SELECT key FROM listing l WHERE object = ?1 AND NOT EXISTS
                     (SELECT 1 FROM staged s WHERE s.object = l.object AND s.key = l.key)
                 ORDER BY length(key), key LIMIT ?2",
            )?
            .query_map((id, limit), |row| row.get(0))?
            .collect()
        })
    }

    /// Takes keys off the list.
    ///
    /// # Errors
    /// Those of the database.
    pub fn unlist_keys(&self, object: &str, keys: &[String]) -> Result<()> {
        let id = self.intern(object)?;
        self.transaction(|ws| {
            ws.store(|db| {
                let mut delete = db.prepare_cached("DELETE FROM listing WHERE object = ?1 AND key = ?2")?;
                for key in keys {
                    delete.execute((id, key))?;
                }
                Ok(())
            })
        })
    }

    /// Takes away the staged records that are not on the list, and remembers their keys; gives how many they are.
    ///
    /// # Errors
    /// Those of the database: nothing is taken away then.
    pub fn depart_unlisted(&self, object: &str, now_ms: i64) -> Result<u64> {
        let id = self.intern(object)?;
        self.transaction(|ws| {
            ws.store(|db| {
                let gone = "object = ?1 AND NOT EXISTS
                     (SELECT 1 FROM listing l WHERE l.object = staged.object AND l.key = staged.key)";
                db.prepare_cached(&format!(
                    "INSERT OR REPLACE INTO departed(object, key, noticed_ms)
                     SELECT object, key, ?2 FROM staged WHERE {gone}"
                ))?
                .execute((id, now_ms))?;
                db.prepare_cached(&format!("DELETE FROM staged WHERE {gone}"))?
                    .execute([id])
                    .map(|gone| gone as u64)
            })
        })
    }

    /// The keys of records that were deleted at the source while their object was extracted.
    ///
    /// # Errors
    /// Those of the database.
    pub fn departed(&self, object: &str) -> Result<Vec<String>> {
        let id = self.intern(object)?;
        self.store(|db| {
            db.prepare_cached("SELECT key FROM departed WHERE object = ?1 ORDER BY length(key), key")?
                .query_map([id], |row| row.get(0))?
                .collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::run::workspace::Manifest;

    fn staged(rows: &[(String, Vec<u8>)], page: usize) -> Workspace {
        let ws = Workspace::in_memory().expect("opens");
        for page in rows.chunks(page) {
            let page = page.iter().map(|(key, json)| (key.as_str(), json.as_slice()));
            ws.stage("deal", page, &Manifest::default()).expect("stages");
        }
        ws
    }

    fn rows() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
        proptest::collection::btree_map(1u32..5_000, proptest::collection::vec(any::<u8>(), 0..20), 1..40)
            .prop_map(|map| map.into_iter().map(|(id, json)| (id.to_string(), json)).collect())
    }

    proptest! {
        #[test]
        fn a_seal_knows_records_and_not_their_order(rows in rows(), page in 1usize..9) {
            let (one, other) = (staged(&rows, page), staged(&rows.iter().rev().cloned().collect::<Vec<_>>(), 7));
            let seal = one.seal("deal", 5).expect("seals");
            prop_assert_eq!(&seal, &other.seal("deal", 5).expect("seals"));
            prop_assert_eq!(seal.records, rows.len() as u64);
            let ids = || rows.iter().map(|(key, _)| key.parse::<u32>().expect("a number"));
            let range = (ids().min().expect("one").to_string(), ids().max().expect("one").to_string());
            prop_assert_eq!(seal.range.as_ref(), Some(&range));
            prop_assert_eq!(one.verify("deal").expect("verifies"), Verdict::Same(seal));
        }

        #[test]
        fn any_change_of_any_record_is_found(
            rows in rows(), at in any::<proptest::sample::Index>(), how in 0u8..4, byte in any::<u8>(),
        ) {
            let ws = staged(&rows, 10);
            let was = ws.seal("deal", 5).expect("seals");
            let (key, json) = &rows[at.index(rows.len())];
            let mut other = json.clone();
            other.push(byte);
            let (sql, expected): (&str, Option<&str>) = match how {
                0 => ("UPDATE staged SET json = ?2 WHERE key = ?1", Some(key)),
                1 => ("UPDATE staged SET key = ?1 || 'x' WHERE key = ?1 AND ?2 = ?2", None),
                2 => ("DELETE FROM staged WHERE key = ?1 AND ?2 = ?2", None),
                _ => ("INSERT INTO staged(object, key, json) SELECT object, key || '0000', ?2 FROM staged WHERE key = ?1", None),
            };
            ws.store(|db| db.execute(sql, (key, &other))).expect("changes");
            match (ws.verify("deal").expect("verifies"), how) {
                (Verdict::Record { key: named }, 0) => prop_assert_eq!(Some(named.as_str()), expected),
                (Verdict::Record { key: named }, 1) => prop_assert_eq!(named, format!("{key}x")),
                (Verdict::Stream { was: before, is }, 2) => {
                    prop_assert_eq!(before, was.clone());
                    prop_assert_eq!(is.records + 1, was.records);
                }
                (Verdict::Stream { is, .. }, 3) => prop_assert_eq!(is.records, was.records + 1),
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }

    #[test]
    fn an_unsealed_object_says_so() {
        let ws = staged(&[("1".to_owned(), b"a".to_vec())], 1);
        assert_eq!(ws.verify("deal").expect("verifies"), Verdict::Unsealed);
    }

    #[test]
    fn what_is_listed_tells_what_lacks_and_what_went() {
        let rows: Vec<(String, Vec<u8>)> = (1..=9).map(|id| (id.to_string(), b"{}".to_vec())).collect();
        let ws = staged(&rows, 10);
        ws.begin_listing("deal").expect("begins");
        ws.list_keys("deal", ["2", "3", "11", "4", "5", "6", "7", "8", "10"].into_iter()).expect("lists");
        assert_eq!(ws.listed_not_staged("deal", 9).expect("reads"), ["10", "11"]);
        assert_eq!(ws.depart_unlisted("deal", 7).expect("departs"), 2);
        assert_eq!(ws.departed("deal").expect("reads"), ["1", "9"]);
        assert_eq!(ws.staged("deal").expect("counts"), 7);
        ws.unlist_keys("deal", &["10".to_owned()]).expect("unlists");
        assert_eq!(ws.listed_not_staged("deal", 9).expect("reads"), ["11"]);
    }
}
