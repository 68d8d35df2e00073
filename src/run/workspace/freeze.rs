//! The moment from which nobody may change the source any more, and what was changed all the same.

use super::look::How;
use super::{Result, Workspace};

/// The note of that moment, Unix milliseconds by the source's clock.
const FREEZE: &str = "freeze";

/// A source record that was changed after the freeze.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Later {
    /// The source object.
    pub object: String,
    /// Its key.
    pub key: String,
    /// What became of it: `new`, `changed` or `gone`.
    pub how: String,
    /// The owner's id in the source.
    pub owner: Option<String>,
    /// When it was changed as it says itself, Unix milliseconds; `None` where nothing tells, and it was otherwise at a
    /// look after the freeze.
    pub changed_ms: Option<i64>,
}

impl Later {
    /// A record with what became of it.
    pub fn new(object: &str, key: &str, how: How, owner: Option<String>, changed_ms: Option<i64>) -> Later {
        let (object, key, how) = (object.to_owned(), key.to_owned(), how.word().to_owned());
        Later { object, key, how, owner, changed_ms }
    }
}

impl Workspace {
    /// The freeze, Unix milliseconds; `None` before a cut-over.
    ///
    /// # Errors
    /// Those of the database.
    pub fn frozen_ms(&self) -> Result<Option<i64>> {
        Ok(self.note(FREEZE)?.and_then(|ms| ms.parse().ok()))
    }

    /// Keeps the freeze. Another moment than before forgets what was changed after that one.
    ///
    /// # Errors
    /// Those of the database.
    pub fn freeze(&self, at_ms: i64) -> Result<()> {
        self.transaction(|ws| {
            if ws.frozen_ms()? != Some(at_ms) {
                ws.store(|db| db.execute("DELETE FROM later", []).map(|_| ()))?;
            }
            ws.set_note(FREEZE, &at_ms.to_string())
        })
    }

    /// Keeps a record that was changed after the freeze.
    ///
    /// # Errors
    /// Those of the database.
    pub fn keep_later(&self, later: &Later) -> Result<()> {
        let object = self.intern(&later.object)?;
        self.store(|db| {
            db.prepare_cached(
                "INSERT INTO later(object, key, how, owner, changed_ms) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT(object, key) DO UPDATE SET
                 how = CASE WHEN how = 'new' AND excluded.how = 'changed' THEN how ELSE excluded.how END, owner = excluded.owner,
                 changed_ms = coalesce(excluded.changed_ms, changed_ms)",
            )?
            .execute((object, &later.key, &later.how, &later.owner, later.changed_ms))
            .map(|_| ())
        })
    }

    /// How many records were changed after the freeze, as far as anybody looked.
    ///
    /// # Errors
    /// Those of the database.
    pub fn later_count(&self) -> Result<u64> {
        self.store(|db| {
            db.query_row("SELECT count(*) FROM later", [], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
        })
    }

    /// The first of them, by object and key.
    ///
    /// # Errors
    /// Those of the database.
    pub fn later(&self, limit: u32) -> Result<Vec<Later>> {
        self.store(|db| {
            db.prepare_cached(
                "SELECT n.name, l.key, l.how, l.owner, l.changed_ms FROM later l JOIN name n ON n.id = l.object
                 ORDER BY n.name, length(l.key), l.key LIMIT ?1",
            )?
            .query_map([limit], |row| {
                Ok(Later {
                    object: row.get(0)?,
                    key: row.get(1)?,
                    how: row.get(2)?,
                    owner: row.get(3)?,
                    changed_ms: row.get(4)?,
                })
            })?
            .collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_after_a_freeze_is_kept_until_another_one() {
        let ws = Workspace::in_memory().expect("opens");
        assert_eq!(ws.frozen_ms().expect("reads"), None);
        ws.freeze(5).expect("keeps");
        let one = Later::new("deal", "10", How::Changed, Some("7".to_owned()), Some(8));
        ws.keep_later(&one).expect("keeps");
        ws.keep_later(&Later { changed_ms: None, ..one.clone() }).expect("keeps");
        ws.keep_later(&Later::new("deal", "9", How::Gone, None, None)).expect("keeps");
        ws.freeze(5).expect("keeps");
        assert_eq!(ws.later_count().expect("counts"), 2);
        assert_eq!(ws.later(9).expect("lists")[1], one, "in order of ids, with the time that is known");
        ws.freeze(6).expect("keeps");
        assert_eq!((ws.frozen_ms().expect("reads"), ws.later_count().expect("counts")), (Some(6), 0));
    }
}
