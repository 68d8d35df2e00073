//! A look at what changed in the source: gathered beside the staged records, then staged in one step with the moment
//! that it was begun at, so that a look which dies half way changes nothing.

use rusqlite::OptionalExtension;

use super::{Restaged, Result, Workspace};

/// What the note begins with that tells when the last look at an object began, by the source's clock.
const SINCE: &str = "since ";

/// Records that are staged at once.
const PAGE: u32 = 500;

/// A record that a look found to be another than it was staged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differs {
    /// Its key.
    pub key: String,
    /// As it is now; of one that is gone, as it was staged.
    pub json: Vec<u8>,
    /// What became of it.
    pub how: How,
}

/// What became of a record in the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It was not there before.
    New,
    /// It is another.
    Changed,
    /// It is there no more.
    Gone,
}

impl How {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            How::New => "new",
            How::Changed => "changed",
            How::Gone => "gone",
        }
    }
}

impl Workspace {
    /// When the last look at an object, or its extraction, began, by the source's clock, Unix milliseconds; `None` where
    /// nobody knows.
    ///
    /// # Errors
    /// Those of the database.
    pub fn since(&self, object: &str) -> Result<Option<i64>> {
        Ok(self.note(&format!("{SINCE}{object}"))?.and_then(|ms| ms.parse().ok()))
    }

    /// Keeps when an extraction of an object began.
    ///
    /// # Errors
    /// Those of the database.
    pub fn set_since(&self, object: &str, at_ms: Option<i64>) -> Result<()> {
        let name = format!("{SINCE}{object}");
        match at_ms {
            Some(ms) => self.set_note(&name, &ms.to_string()),
            None => self.forget_note(&name),
        }
    }

    /// A record as it is staged, unless it is known to be gone.
    ///
    /// # Errors
    /// Those of the database.
    pub fn staged_and_there(&self, object: &str, key: &str) -> Result<Option<Vec<u8>>> {
        let id = self.intern(object)?;
        self.store(|db| {
            db.prepare_cached(
                "SELECT s.json FROM staged s WHERE s.object = ?1 AND s.key = ?2
                 AND NOT EXISTS (SELECT 1 FROM gone g WHERE g.object = ?1 AND g.key = s.key)",
            )?
            .query_row((id, key), |row| row.get(0))
            .optional()
        })
    }

    /// Begins a look at an object; whatever an earlier one gathered is dropped.
    ///
    /// # Errors
    /// Those of the database.
    pub fn begin_look(&self, object: &str) -> Result<()> {
        let id = self.intern(object)?;
        self.store(|db| {
            db.execute_batch(
                "CREATE TEMP TABLE IF NOT EXISTS looked (object INTEGER NOT NULL, key TEXT NOT NULL, json BLOB,
                     PRIMARY KEY (object, key)) WITHOUT ROWID;
                 CREATE TEMP TABLE IF NOT EXISTS looked_gone (object INTEGER NOT NULL, key TEXT NOT NULL,
                     PRIMARY KEY (object, key)) WITHOUT ROWID;",
            )?;
            db.execute("DELETE FROM looked WHERE object = ?1", [id])?;
            db.execute("DELETE FROM looked_gone WHERE object = ?1", [id]).map(|_| ())
        })
    }

    /// Gathers what a look at an object brought: records as they are now, keys of such as are there unchanged, keys of such as are
    /// gone.
    ///
    /// # Errors
    /// Those of the database.
    pub fn look<'a>(
        &self,
        object: &str,
        records: impl Iterator<Item = (&'a str, &'a [u8])>,
        same: impl Iterator<Item = &'a str>,
        gone: impl Iterator<Item = &'a str>,
    ) -> Result<()> {
        let id = self.intern(object)?;
        self.transaction(|ws| {
            ws.store(|db| {
                let mut put = db
                    .prepare_cached("INSERT OR REPLACE INTO looked(object, key, json) VALUES (?1, ?2, ?3)")?;
                for (key, json) in records {
                    put.execute((id, key, json))?;
                }
                let mut there = db.prepare_cached(
                    "INSERT OR IGNORE INTO looked(object, key, json) VALUES (?1, ?2, NULL)",
                )?;
                for key in same {
                    there.execute((id, key))?;
                }
                let mut away =
                    db.prepare_cached("INSERT OR IGNORE INTO looked_gone(object, key) VALUES (?1, ?2)")?;
                for key in gone {
                    away.execute((id, key))?;
                }
                Ok(())
            })
        })
    }

    /// Staged records of an object that the look has not seen: up to `limit` whose keys follow `after`, in order.
    ///
    /// # Errors
    /// Those of the database.
    pub fn unseen(&self, object: &str, after: &str, limit: u32) -> Result<Vec<String>> {
        let id = self.intern(object)?;
        self.store(|db| {
            db.prepare_cached(
                "SELECT s.key FROM staged s WHERE s.object = ?1 AND s.key > ?2
                 AND NOT EXISTS (SELECT 1 FROM looked l WHERE l.object = ?1 AND l.key = s.key)
                 AND NOT EXISTS (SELECT 1 FROM gone g WHERE g.object = ?1 AND g.key = s.key)
                 ORDER BY s.key LIMIT ?3",
            )?
            .query_map((id, after, limit), |row| row.get(0))?
            .collect()
        })
    }

    /// Ends a look: stages what it gathered and keeps when it began, in one step. `each` sees every record that differs.
    ///
    /// # Errors
    /// Those of the database, and of `each`: nothing is staged then.
    pub fn end_look(
        &self,
        object: &str,
        began_ms: Option<i64>,
        now_ms: i64,
        mut each: impl FnMut(&Self, &Differs) -> Result<()>,
    ) -> Result<Restaged> {
        let id = self.intern(object)?;
        self.transaction(|ws| {
            let mut told = Restaged::default();
            let mut after = String::new();
            loop {
                let page = ws.looked_page(id, &after)?;
                let Some((last, _)) = page.last() else { break };
                after.clone_from(last);
                for (key, json) in page {
                    let row = std::iter::once((key.as_str(), json.as_slice()));
                    let one = ws.restage_unsealed(object, row, std::iter::empty(), now_ms)?;
                    told.add(one);
                    let how = match (one.added, one.changed) {
                        (0, 0) => continue,
                        (0, _) => How::Changed,
                        _ => How::New,
                    };
                    each(ws, &Differs { key, json, how })?;
                }
            }
            let mut after = String::new();
            loop {
                let page: Vec<String> = ws.store(|db| {
                    db.prepare_cached(
                        "SELECT key FROM looked_gone WHERE object = ?1 AND key > ?2 ORDER BY key LIMIT ?3",
                    )?
                    .query_map((id, &after, PAGE), |row| row.get(0))?
                    .collect()
                })?;
                let Some(last) = page.last() else { break };
                after.clone_from(last);
                for key in page {
                    let Some(json) = ws.staged_and_there(object, &key)? else { continue };
                    let one = std::iter::once(key.as_str());
                    told.add(ws.restage_unsealed(object, std::iter::empty(), one, now_ms)?);
                    each(ws, &Differs { key, json, how: How::Gone })?;
                }
            }
            if told.added + told.changed > 0 {
                ws.seal(object, now_ms)?;
            }
            ws.set_since(object, began_ms)?;
            if let Some(mut manifest) = ws.manifest(object)? {
                manifest.counted = Some(ws.staged(object)?.saturating_sub(ws.gone(object)?));
                manifest.fetched_ms = now_ms;
                ws.stage(object, std::iter::empty(), &manifest)?;
            }
            Ok(told)
        })
    }

    fn looked_page(&self, object: i64, after: &str) -> Result<Vec<(String, Vec<u8>)>> {
        self.store(|db| {
            db.prepare_cached(
                "SELECT key, json FROM looked WHERE object = ?1 AND json IS NOT NULL AND key > ?2
                 ORDER BY key LIMIT ?3",
            )?
            .query_map((object, after, PAGE), |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect()
        })
    }
}

impl Restaged {
    /// Adds what another part came to.
    pub fn add(&mut self, other: Restaged) {
        self.added += other.added;
        self.changed += other.changed;
        self.same += other.same;
        self.gone += other.gone;
    }

    /// Whether nothing is another than it was staged.
    pub fn is_nothing(&self) -> bool {
        self.added + self.changed + self.gone == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::workspace::Manifest;

    #[test]
    fn a_look_is_staged_whole_or_not_at_all() {
        let ws = Workspace::in_memory().expect("opens");
        let rows: [(&str, &[u8]); 3] = [("1", b"a"), ("2", b"b"), ("3", b"c")];
        let manifest = Manifest { done: true, ..Manifest::default() };
        ws.stage("deal", rows.iter().copied(), &manifest).expect("stages");
        let look = || {
            ws.begin_look("deal").expect("begins");
            let now: [(&str, &[u8]); 2] = [("2", b"B"), ("4", b"d")];
            ws.look("deal", now.iter().copied(), ["1"].into_iter(), std::iter::empty()).expect("looks");
            let unseen = ws.unseen("deal", "", 10).expect("tells");
            assert_eq!(unseen, ["3"]);
            ws.look("deal", std::iter::empty(), std::iter::empty(), unseen.iter().map(String::as_str))
                .expect("looks");
        };
        look();
        let fails = ws.end_look("deal", Some(7), 9, |ws, _| Err(ws.other_plan("a", "b")));
        assert!(fails.is_err());
        assert_eq!((ws.staged("deal").expect("counts"), ws.since("deal").expect("reads")), (3, None));
        assert!(!ws.is_restaged().expect("reads"));
        look();
        let mut seen = Vec::new();
        let told = ws
            .end_look("deal", Some(7), 9, |_, one| {
                seen.push((one.key.clone(), one.how.word()));
                Ok(())
            })
            .expect("ends");
        assert_eq!(told, Restaged { added: 1, changed: 1, same: 0, gone: 1 });
        let seen: Vec<(&str, &str)> = seen.iter().map(|(key, how)| (key.as_str(), *how)).collect();
        assert_eq!(seen, [("2", "changed"), ("4", "new"), ("3", "gone")]);
        assert_eq!(ws.since("deal").expect("reads"), Some(7));
        assert_eq!(ws.manifest("deal").expect("reads").and_then(|kept| kept.counted), Some(3));
        assert_eq!(ws.staged_and_there("deal", "3").expect("reads"), None);
        // There again, it is a change.
        ws.begin_look("deal").expect("begins");
        ws.look("deal", [("3", &b"c"[..])].into_iter(), ["1", "2", "4"].into_iter(), std::iter::empty())
            .expect("looks");
        assert_eq!(ws.unseen("deal", "", 10).expect("tells"), Vec::<String>::new());
        let told = ws.end_look("deal", Some(8), 9, |_, _| Ok(())).expect("ends");
        assert_eq!(told, Restaged { changed: 1, ..Restaged::default() });
    }
}
