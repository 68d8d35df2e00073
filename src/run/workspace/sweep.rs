//! What the destination listed, for comparison with what the journal says. Gone when the workspace is closed.

use super::{Result, Workspace};

/// How what the destination lists agrees with the books of a map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Records of the books that the destination lists.
    pub found: u64,
    /// Records that the destination lists with a marker of this map and that the books do not know.
    pub strange: u64,
}

/// A destination record that carries a marker of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The source key in its marker.
    pub key: String,
    /// The destination's id.
    pub target: String,
    /// What a delete must carry.
    pub rev: String,
}

impl Workspace {
    /// Forgets what an earlier sweep of a map listed.
    ///
    /// # Errors
    /// Those of the database.
    pub fn begin_sweep(&self, map: &str) -> Result<()> {
        let map = self.intern(map)?;
        self.store(|db| {
            db.execute_batch(
                "CREATE TEMP TABLE IF NOT EXISTS seen (map INTEGER NOT NULL, key TEXT NOT NULL, target TEXT NOT NULL,
                     rev TEXT NOT NULL, PRIMARY KEY (map, key, target)) WITHOUT ROWID;",
            )?;
            db.execute("DELETE FROM seen WHERE map = ?1", [map]).map(|_| ())
        })
    }

    /// Keeps a page of what the destination lists: key, id, revision.
    ///
    /// # Errors
    /// Those of the database.
    pub fn saw<'a>(&self, map: &str, page: impl Iterator<Item = (&'a str, &'a str, &'a str)>) -> Result<()> {
        let map = self.intern(map)?;
        self.transaction(|ws| {
            ws.store(|db| {
                let mut insert = db.prepare_cached(
                    "INSERT OR REPLACE INTO seen(map, key, target, rev) VALUES (?1, ?2, ?3, ?4)",
                )?;
                for (key, target, rev) in page {
                    insert.execute((map, key, target, rev))?;
                }
                Ok(())
            })
        })
    }

    /// What the last sweep of a map saw of a source record, in order of id.
    ///
    /// # Errors
    /// Those of the database.
    pub fn seen_of(&self, map: &str, key: &str) -> Result<Vec<Seen>> {
        let map = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached(
                "SELECT key, target, rev FROM seen WHERE map = ?1 AND key = ?2 ORDER BY length(target), target",
            )?
            .query_map((map, key), |row| Ok(Seen { key: row.get(0)?, target: row.get(1)?, rev: row.get(2)? }))?
            .collect()
        })
    }

    /// The keys of a map that were written, or that the last sweep saw: up to `limit` that follow `after`, in order.
    ///
    /// # Errors
    /// Those of the database.
    pub fn keys_there(&self, map: &str, after: &str, limit: u32) -> Result<Vec<String>> {
        let mut keys = self.written_keys(map, after, limit)?;
        let map = self.intern(map)?;
        let seen: Vec<String> = self.store(|db| {
            db.prepare_cached(
                "SELECT DISTINCT key FROM seen WHERE map = ?1 AND key > ?2 ORDER BY key LIMIT ?3",
            )?
            .query_map((map, after, limit), |row| row.get(0))?
            .collect()
        })?;
        keys.extend(seen);
        keys.sort();
        keys.dedup();
        keys.truncate(limit as usize);
        Ok(keys)
    }

    /// One record is not there any more.
    ///
    /// # Errors
    /// Those of the database.
    pub fn unsee(&self, map: &str, key: &str, target: &str) -> Result<()> {
        let map = self.intern(map)?;
        self.store(|db| {
            db.execute("DELETE FROM seen WHERE map = ?1 AND key = ?2 AND target = ?3", (map, key, target))
                .map(|_| ())
        })
    }

    /// How the last sweep of a map agrees with the books.
    ///
    /// # Errors
    /// Those of the database.
    pub fn listed_there(&self, map: &str) -> Result<Listed> {
        let map = self.intern(map)?;
        self.store(|db| {
            db.query_row(
                "SELECT count(o.key), count(*) - count(o.key) FROM seen s
                 LEFT JOIN outcome o ON o.map = s.map AND o.key = s.key AND o.target = s.target WHERE s.map = ?1",
                [map],
                |row| {
                    Ok(Listed {
                        found: row.get::<_, i64>(0)?.cast_unsigned(),
                        strange: row.get::<_, i64>(1)?.cast_unsigned(),
                    })
                },
            )
        })
    }

    /// Records that stand beside the one that their source record became: every one but that, and where the
    /// books name none, every one but the one with the lowest id.
    ///
    /// # Errors
    /// Those of the database.
    pub fn doubles(&self, map: &str) -> Result<Vec<Seen>> {
        self.seen_rows(
            map,
            "SELECT s.key, s.target, s.rev FROM seen s LEFT JOIN outcome o ON o.map = s.map AND o.key = s.key
             WHERE s.map = ?1 AND s.target <> coalesce(
                 (SELECT t.target FROM seen t WHERE t.map = s.map AND t.key = s.key AND t.target = o.target),
                 (SELECT t.target FROM seen t WHERE t.map = s.map AND t.key = s.key
                  ORDER BY length(t.target), t.target LIMIT 1))
             ORDER BY s.key, s.target",
        )
    }

    /// Records that the books name no destination record for: their source record ended otherwise, or, in a run of a
    /// part, was left to a later run though an earlier one has written it.
    ///
    /// # Errors
    /// Those of the database.
    pub fn strangers(&self, map: &str) -> Result<Vec<Seen>> {
        self.seen_rows(
            map,
            "SELECT s.key, s.target, s.rev FROM seen s LEFT JOIN outcome o ON o.map = s.map AND o.key = s.key
             WHERE s.map = ?1 AND o.target IS NULL AND (o.key IS NOT NULL OR EXISTS
                 (SELECT 1 FROM journal j WHERE j.map = s.map AND j.key = s.key)) ORDER BY s.key, s.target",
        )
    }

    /// How many records of a map have a destination record in the books.
    ///
    /// # Errors
    /// Those of the database.
    pub fn with_target(&self, map: &str) -> Result<u64> {
        let map = self.intern(map)?;
        self.store(|db| {
            db.query_row("SELECT count(*) FROM outcome WHERE map = ?1 AND target IS NOT NULL", [map], |row| {
                row.get::<_, i64>(0)
            })
            .map(i64::cast_unsigned)
        })
    }

    fn seen_rows(&self, map: &str, query: &str) -> Result<Vec<Seen>> {
        let map = self.intern(map)?;
        self.store(|db| {
            db.prepare(query)?
                .query_map([map], |row| Ok(Seen { key: row.get(0)?, target: row.get(1)?, rev: row.get(2)? }))?
                .collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::workspace::{Outcome, Status};

    #[test]
    fn doubles_are_all_but_the_one_in_the_books_or_the_lowest() {
        let ws = Workspace::in_memory().expect("opens");
        let made = |id: &str| Outcome { status: Status::Created, target: Some(id.to_owned()), reason: None };
        ws.settle("deal", "1", &made("9"), &[]).expect("settles");
        ws.settle("deal", "2", &Outcome { status: Status::Failed, target: None, reason: None }, &[])
            .expect("settles");
        ws.begin_sweep("deal").expect("begins");
        ws.saw("deal", [("1", "5", "0"), ("1", "9", "0"), ("2", "20", "0"), ("2", "7", "0")].into_iter())
            .expect("sees");
        let doubles: Vec<_> =
            ws.doubles("deal").expect("lists").into_iter().map(|s| (s.key, s.target)).collect();
        assert_eq!(doubles, [("1".to_owned(), "5".to_owned()), ("2".to_owned(), "20".to_owned())]);
        for (key, target) in &doubles {
            ws.unsee("deal", key, target).expect("forgets");
        }
        let strangers: Vec<_> = ws.strangers("deal").expect("lists").into_iter().map(|s| s.target).collect();
        assert_eq!(strangers, ["7"]);
        assert_eq!(ws.listed_there("deal").expect("counts"), Listed { found: 1, strange: 1 });
        assert_eq!(ws.with_target("deal").expect("counts"), 1);
    }
}
