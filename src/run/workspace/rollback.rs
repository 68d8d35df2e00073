//! What a rollback announced and how far it is. A list that was only asked for is gone when the workspace is closed.

use rusqlite::OptionalExtension;
use serde::{Deserialize, Serialize};

use super::{ReadBack, Result, Workspace};

/// What is to become of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// It was made and nobody touched it: it is deleted.
    Delete,
    /// It was there before: it gets its former values back.
    Restore,
    /// It stays, for a reason.
    Keep,
    /// It is not there any more.
    Gone,
}

/// How far a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Turn {
    /// It waits.
    Open,
    /// Its fate is fulfilled.
    Done,
    /// It stays, against what was announced: it changed meanwhile.
    Kept,
    /// It stays, against what was announced: the destination refused.
    Refused,
}

const FATES: [Fate; 4] = [Fate::Delete, Fate::Restore, Fate::Keep, Fate::Gone];
const TURNS: [Turn; 4] = [Turn::Open, Turn::Done, Turn::Kept, Turn::Refused];

impl Fate {
    /// Its word in reports.
    pub fn word(self) -> &'static str {
        match self {
            Fate::Delete => "delete",
            Fate::Restore => "restore",
            Fate::Keep => "keep",
            Fate::Gone => "gone",
        }
    }
}

/// A record in the list of a rollback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollbackLine {
    /// Its number, in the order of doing.
    pub seq: i64,
    /// The map or stream.
    pub map: String,
    /// The source record's key.
    pub key: String,
    /// The destination object.
    pub object: String,
    /// The destination's id.
    pub target: String,
    /// What is to become of it.
    pub fate: Fate,
    /// How far it is.
    pub turn: Turn,
    /// Why it stays, or what of it does.
    pub why: Option<String>,
}

/// How many records of a map have a fate and are so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollbackCount {
    /// The map or stream.
    pub map: String,
    /// Its destination object.
    pub object: String,
    /// The fate.
    pub fate: Fate,
    /// How far.
    pub turn: Turn,
    /// Records.
    pub records: u64,
}

/// The rollback that a workspace has begun or ended last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollback {
    /// The map, where only one is rolled back.
    pub only: Option<String>,
    /// When it began, Unix milliseconds.
    pub began_ms: i64,
    /// When it ended; `None` while it is under way.
    pub ended_ms: Option<i64>,
}

/// The note that keeps a [`Rollback`].
const NOTE: &str = "rollback";

impl Workspace {
    /// The rollback that was begun or ended last.
    ///
    /// # Errors
    /// Those of the database.
    pub fn rollback(&self) -> Result<Option<Rollback>> {
        Ok(self.note(NOTE)?.and_then(|json| serde_json::from_str(&json).ok()))
    }

    /// Begins a list that is gone with the process.
    ///
    /// # Errors
    /// Those of the database.
    pub fn begin_list(&self) -> Result<()> {
        self.store(|db| {
            db.execute_batch(
                "CREATE TEMP TABLE IF NOT EXISTS rollback_list (
                     seq INTEGER PRIMARY KEY, map INTEGER NOT NULL, key TEXT NOT NULL, object TEXT NOT NULL,
                     target TEXT NOT NULL, fate INTEGER NOT NULL, turn INTEGER NOT NULL, why TEXT);
                 CREATE INDEX IF NOT EXISTS temp.rollback_listed ON rollback_list (object, target);
                 DELETE FROM temp.rollback_list;",
            )
        })
    }

    /// Adds a record to that list; its number and how far it is are not looked at.
    ///
    /// # Errors
    /// Those of the database.
    pub fn list_for_rollback(&self, line: &RollbackLine) -> Result<()> {
        let map = self.intern(&line.map)?;
        self.store(|db| {
            db.prepare_cached(
                "INSERT INTO temp.rollback_list(map, key, object, target, fate, turn, why) VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6)",
            )?
            .execute((map, &line.key, &line.object, &line.target, number(&FATES, line.fate), &line.why))
            .map(|_| ())
        })
    }

    /// What is to become of a record by the list that was asked for.
    ///
    /// # Errors
    /// Those of the database.
    pub fn fate_in_list(&self, object: &str, target: &str) -> Result<Option<Fate>> {
        self.store(|db| {
            db.prepare_cached(
                "SELECT fate FROM temp.rollback_list WHERE object = ?1 AND target = ?2 LIMIT 1",
            )?
            .query_row((object, target), |row| variant(&FATES, row.get(0)?, 0))
            .optional()
        })
    }

    /// Makes the list that was asked for the one that is carried out, durably: nothing may be taken away before. What
    /// was found without having been read back is kept with it.
    ///
    /// # Errors
    /// Those of the database.
    pub fn begin_rollback(&self, rollback: &Rollback, found: &[ReadBack]) -> Result<()> {
        let json = serde_json::to_string(rollback).unwrap_or_default();
        self.transaction(|ws| {
            ws.store(|db| {
                db.execute_batch(
                    "DELETE FROM rollback;
                     INSERT INTO rollback(seq, map, key, object, target, fate, turn, why)
                         SELECT seq, map, key, object, target, fate,
                             CASE WHEN fate = 2 THEN 1 ELSE 0 END, why FROM temp.rollback_list ORDER BY seq;",
                )
            })?;
            found.iter().try_for_each(|seen| ws.keep_readback(seen))?;
            ws.set_note(NOTE, &json)
        })
    }

    /// Ends the rollback that is under way.
    ///
    /// # Errors
    /// Those of the database.
    pub fn end_rollback(&self, rollback: &Rollback) -> Result<()> {
        self.set_note(NOTE, &serde_json::to_string(rollback).unwrap_or_default())
    }

    /// The maps of the list in the order of doing.
    ///
    /// # Errors
    /// Those of the database.
    pub fn rollback_maps(&self) -> Result<Vec<String>> {
        self.store(|db| {
            db.prepare(
                "SELECT n.name FROM rollback r JOIN name n ON n.id = r.map GROUP BY r.map ORDER BY min(r.seq)",
            )?
            .query_map([], |row| row.get(0))?
            .collect()
        })
    }

    /// Up to `limit` open records of a map that follow `after`, in the order of doing.
    ///
    /// # Errors
    /// Those of the database.
    pub fn open_for_rollback(&self, map: &str, after: i64, limit: u32) -> Result<Vec<RollbackLine>> {
        let map = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached(&format!(
                "{SELECT} FROM rollback r JOIN name n ON n.id = r.map
                 WHERE r.map = ?1 AND r.turn = 0 AND r.seq > ?2 ORDER BY r.seq LIMIT ?3"
            ))?
            .query_map((map, after, limit), line)?
            .collect()
        })
    }

    /// A record's line in the list that is carried out.
    ///
    /// # Errors
    /// Those of the database.
    pub fn in_rollback(&self, object: &str, target: &str) -> Result<Option<RollbackLine>> {
        self.store(|db| {
            db.prepare_cached(&format!(
                "{SELECT} FROM rollback r JOIN name n ON n.id = r.map WHERE r.object = ?1 AND r.target = ?2"
            ))?
            .query_row((object, target), line)
            .optional()
        })
    }

    /// Up to `limit` records that stay, or of which something stays, and that follow `after`. Of the list that is carried out, or
    /// with `asked` of the one that was asked for.
    ///
    /// # Errors
    /// Those of the database.
    pub fn staying(&self, asked: bool, after: i64, limit: u32) -> Result<Vec<RollbackLine>> {
        let table = if asked { "temp.rollback_list" } else { "rollback" };
        self.store(|db| {
            db.prepare(&format!(
                "{SELECT} FROM {table} r JOIN name n ON n.id = r.map
                 WHERE (r.fate = 2 OR r.turn IN (2, 3) OR r.why IS NOT NULL) AND r.seq > ?1 ORDER BY r.seq LIMIT ?2"
            ))?
            .query_map((after, limit), line)?
            .collect()
        })
    }

    /// How many records have which fate and are how far, per map in the order of doing. Of the list that is carried
    /// out, or with `asked` of the one that was asked for.
    ///
    /// # Errors
    /// Those of the database.
    pub fn rollback_counts(&self, asked: bool) -> Result<Vec<RollbackCount>> {
        let table = if asked { "temp.rollback_list" } else { "rollback" };
        self.store(|db| {
            db.prepare(&format!(
                "SELECT n.name, r.object, r.fate, r.turn, count(*) FROM {table} r JOIN name n ON n.id = r.map
                 GROUP BY r.map, r.object, r.fate, r.turn
                 ORDER BY (SELECT min(m.seq) FROM {table} m WHERE m.map = r.map), r.fate, r.turn"
            ))?
            .query_map([], |row| {
                Ok(RollbackCount {
                    map: row.get(0)?,
                    object: row.get(1)?,
                    fate: variant(&FATES, row.get(2)?, 2)?,
                    turn: variant(&TURNS, row.get(3)?, 3)?,
                    records: row.get::<_, i64>(4)?.cast_unsigned(),
                })
            })?
            .collect()
        })
    }

    /// Notes how a record ended. What was announced stays readable in its fate.
    ///
    /// # Errors
    /// Those of the database.
    pub fn turned(&self, seq: i64, turn: Turn, why: Option<&str>) -> Result<()> {
        self.store(|db| {
            db.prepare_cached("UPDATE rollback SET turn = ?2, why = coalesce(?3, why) WHERE seq = ?1")?
                .execute((seq, number(&TURNS, turn), why))
                .map(|_| ())
        })
    }

    /// Takes a record that is not the migration's any more out of the books: its source record is pending again.
    ///
    /// # Errors
    /// Those of the database.
    pub fn forget_record(&self, map: &str, key: &str, object: &str, target: &str) -> Result<()> {
        let map = self.intern(map)?;
        self.store(|db| {
            let ended = db
                .prepare_cached(
                    "DELETE FROM outcome WHERE map = ?1 AND key = ?2 AND (target = ?3 OR target IS NULL)",
                )?
                .execute((map, key, target))?;
            if ended > 0 {
                db.prepare_cached("DELETE FROM flag WHERE map = ?1 AND key = ?2")?.execute((map, key))?;
                db.prepare_cached("DELETE FROM waiting WHERE map = ?1 AND key = ?2")?.execute((map, key))?;
                db.prepare_cached("DELETE FROM lack WHERE map = ?1 AND key = ?2")?.execute((map, key))?;
                db.prepare_cached("DELETE FROM sent WHERE map = ?1 AND key = ?2")?.execute((map, key))?;
            }
            Ok(())
        })?;
        self.forget_readback(object, target)
    }

    /// Forgets what was read back of a record that is gone.
    ///
    /// # Errors
    /// Those of the database.
    pub fn forget_readback(&self, object: &str, target: &str) -> Result<()> {
        self.store(|db| {
            db.prepare_cached("DELETE FROM readback WHERE object = ?1 AND target = ?2")?
                .execute((object, target))?;
            db.prepare_cached("DELETE FROM made_link WHERE object = ?1 AND target = ?2")?
                .execute((object, target))
                .map(|_| ())
        })
    }

    /// Forgets what maps remember of records that do not stay.
    ///
    /// # Errors
    /// Those of the database.
    pub fn forget_the_rest(&self, map: &str) -> Result<()> {
        let map = self.intern(map)?;
        self.store(|db| {
            db.execute(
                "DELETE FROM made_link WHERE EXISTS (SELECT 1 FROM readback b WHERE b.object = made_link.object
                     AND b.target = made_link.target AND b.map = ?1)
                 AND NOT EXISTS (SELECT 1 FROM rollback r WHERE r.object = made_link.object
                     AND r.target = made_link.target AND (r.fate = 2 OR r.turn IN (2, 3)))",
                [map],
            )?;
            db.execute(
                "DELETE FROM readback WHERE map = ?1 AND NOT EXISTS (SELECT 1 FROM rollback r
                     WHERE r.object = readback.object AND r.target = readback.target
                     AND (r.fate = 2 OR r.turn IN (2, 3)))",
                [map],
            )
            .map(|_| ())
        })
    }

    /// Makes records pending again that went into others which are pending again.
    ///
    /// # Errors
    /// Those of the database.
    pub fn unfold(&self, flatten: &str, into: &str) -> Result<()> {
        let (flatten, into) = (self.intern(flatten)?, self.intern(into)?);
        self.store(|db| {
            db.execute(
                "DELETE FROM outcome WHERE map = ?1 AND key IN
                     (SELECT s.key FROM folded f JOIN staged s ON s.seq = f.seq WHERE f.flatten = ?1
                      AND NOT EXISTS (SELECT 1 FROM outcome o WHERE o.map = ?2 AND o.key = f.parent))",
                [flatten, into],
            )
            .map(|_| ())
        })
    }

    /// Takes staged records away by their numbers.
    ///
    /// # Errors
    /// Those of the database.
    pub fn unstage_rows(&self, rows: &[i64]) -> Result<()> {
        self.transaction(|ws| {
            ws.store(|db| {
                let mut delete = db.prepare_cached("DELETE FROM staged WHERE seq = ?1")?;
                rows.iter().try_for_each(|seq| delete.execute([seq]).map(|_| ()))
            })
        })
    }
}

const SELECT: &str = "SELECT r.seq, n.name, r.key, r.object, r.target, r.fate, r.turn, r.why";

fn line(row: &rusqlite::Row<'_>) -> rusqlite::Result<RollbackLine> {
    Ok(RollbackLine {
        seq: row.get(0)?,
        map: row.get(1)?,
        key: row.get(2)?,
        object: row.get(3)?,
        target: row.get(4)?,
        fate: variant(&FATES, row.get(5)?, 5)?,
        turn: variant(&TURNS, row.get(6)?, 6)?,
        why: row.get(7)?,
    })
}

fn number<T: PartialEq>(all: &[T], one: T) -> i64 {
    // INVARIANT: `all` lists every variant of its enum.
    all.iter().position(|other| *other == one).map_or(0, |at| at as i64)
}

fn variant<T: Copy>(all: &[T], number: i64, column: usize) -> rusqlite::Result<T> {
    let at = usize::try_from(number).ok().and_then(|at| all.get(at));
    at.copied().ok_or(rusqlite::Error::IntegralValueOutOfRange(column, number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::workspace::{Intent, JournalState, Operation, Outcome, Status};

    fn line(key: &str, fate: Fate) -> RollbackLine {
        RollbackLine {
            seq: 0,
            map: "deal".to_owned(),
            key: key.to_owned(),
            object: "Lead".to_owned(),
            target: format!("1{key}"),
            fate,
            turn: Turn::Open,
            why: (fate == Fate::Keep).then(|| "touched".to_owned()),
        }
    }

    #[test]
    fn a_list_is_carried_out_only_once_it_was_begun() {
        let ws = Workspace::in_memory().expect("opens");
        ws.begin_list().expect("begins");
        for (key, fate) in [("1", Fate::Delete), ("2", Fate::Keep), ("3", Fate::Restore)] {
            ws.list_for_rollback(&line(key, fate)).expect("lists");
        }
        assert_eq!(ws.rollback_counts(false).expect("counts"), []);
        assert_eq!(ws.rollback_counts(true).expect("counts").len(), 3);
        assert_eq!(ws.rollback().expect("reads"), None);
        let begun = Rollback { only: Some("deal".to_owned()), began_ms: 5, ended_ms: None };
        ws.begin_rollback(&begun, &[]).expect("begins");
        assert_eq!(ws.rollback().expect("reads"), Some(begun));
        assert_eq!(ws.rollback_maps().expect("lists"), ["deal"]);
        let open = ws.open_for_rollback("deal", 0, 9).expect("lists");
        assert_eq!(open.iter().map(|line| line.key.as_str()).collect::<Vec<_>>(), ["1", "3"]);
        ws.turned(open[0].seq, Turn::Kept, Some("changed")).expect("turns");
        assert_eq!(ws.staying(false, 0, 9).expect("lists").len(), 2);
        assert_eq!(ws.in_rollback("Lead", "11").expect("reads").map(|line| line.turn), Some(Turn::Kept));
    }

    #[test]
    fn what_was_taken_back_is_pending_again_and_its_creates_count_no_more() {
        let ws = Workspace::in_memory().expect("opens");
        let intent = |operation| Intent {
            map: "deal".to_owned(),
            key: "1".to_owned(),
            operation,
            step: 0,
            payload: String::new(),
            target: Some("11".to_owned()),
            before: None,
        };
        let made = Outcome { status: Status::Created, target: Some("11".to_owned()), reason: None };
        let create = ws.intend(&[intent(Operation::Create)], 1).expect("notes")[0];
        ws.ended(create, JournalState::Done, Some("11"), None, 2).expect("ends");
        ws.settle("deal", "1", &made, &[]).expect("settles");
        assert_eq!(ws.written_keys("deal", "", 9).expect("lists"), ["1"]);
        let back = ws.intend(&[intent(Operation::TakeBack)], 3).expect("notes")[0];
        assert!(ws.last_create("deal", "1").expect("reads").is_some());
        ws.ended(back, JournalState::Done, None, None, 4).expect("ends");
        ws.forget_record("deal", "1", "Lead", "11").expect("forgets");
        assert_eq!(ws.last_create("deal", "1").expect("reads"), None);
        assert_eq!(ws.written_keys("deal", "", 9).expect("lists"), Vec::<String>::new());
        assert_eq!(ws.outcome("deal", "1").expect("reads"), None);
        assert_eq!(ws.writes().expect("counts"), 2);
        ws.begin_anew().expect("begins");
        assert_eq!(ws.writes().expect("counts"), 0);
        ws.intend(&[intent(Operation::Create)], 5).expect("notes");
        assert!(ws.last_create("deal", "1").expect("reads").is_some());
        assert_eq!(ws.writes().expect("counts"), 1);
    }
}
