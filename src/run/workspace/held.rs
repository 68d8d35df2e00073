//! What is held back and for want of what, and what people decided about it.
//!
//! A *lack* is a link of a record whose other record did not arrive: it is counted, shown, and written once that
//! record is there. A *decision* is a person's word that a record is left out; it outlives plans and runs until it is
//! taken back, and it is never deleted.

use rusqlite::OptionalExtension;

use super::{Outcome, Result, Status, Workspace};

/// A link whose other record did not arrive.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lack {
    /// The index of the destination field in the record's map.
    pub field: u16,
    /// The map of the other record.
    pub map: String,
    /// Its key.
    pub key: String,
}

/// A record that waits for another: its map and key, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependent {
    /// Its map.
    pub map: String,
    /// Its key.
    pub key: String,
    /// Where it ended; `None` while it is pending.
    pub status: Option<Status>,
}

/// A record that a person has to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldRecord {
    /// Its key.
    pub key: String,
    /// Quarantined or failed.
    pub outcome: Outcome,
}

/// What a person decided about a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Its number, in the order of deciding.
    pub seq: i64,
    /// The record's key.
    pub key: String,
    /// Why.
    pub reason: String,
    /// Who, as they called themselves; empty where they did not.
    pub by: String,
    /// When, Unix milliseconds.
    pub decided_ms: i64,
    /// Where the record stood, as a word, and why.
    pub before: String,
    /// When the decision was taken back, Unix milliseconds.
    pub lifted_ms: Option<i64>,
}

/// What a decision's reason begins with in the books.
pub const DECIDED: &str = "by decision: ";

/// A record by its key, and its fields with late links: by index in the map, and whether something of each has arrived.
pub type LateFields = (String, Vec<(u16, bool)>);

impl Workspace {
    /// Keeps what a record lacks in place of what it lacked.
    ///
    /// # Errors
    /// Those of the database.
    pub fn keep_lacks(&self, map: &str, key: &str, lacks: &[Lack]) -> Result<()> {
        let id = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached("DELETE FROM lack WHERE map = ?1 AND key = ?2")?.execute((id, key)).map(|_| ())
        })?;
        lacks.iter().try_for_each(|lack| self.add_lack(id, key, lack))
    }

    /// Keeps what one field of a record lacks in place of what it lacked.
    ///
    /// # Errors
    /// Those of the database.
    pub fn keep_lacks_of(&self, map: &str, key: &str, field: u16, lacks: &[Lack]) -> Result<()> {
        let id = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached("DELETE FROM lack WHERE map = ?1 AND key = ?2 AND field = ?3")?
                .execute((id, key, field))
                .map(|_| ())
        })?;
        lacks.iter().filter(|lack| lack.field == field).try_for_each(|lack| self.add_lack(id, key, lack))
    }

    fn add_lack(&self, map: i64, key: &str, lack: &Lack) -> Result<()> {
        let to = self.intern(&lack.map)?;
        self.store(|db| {
            db.prepare_cached(
                "INSERT OR IGNORE INTO lack(map, key, field, to_map, to_key) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute((map, key, lack.field, to, &lack.key))
            .map(|_| ())
        })
    }

    /// What a record lacks, in order of field.
    ///
    /// # Errors
    /// Those of the database.
    pub fn lacks_of(&self, map: &str, key: &str) -> Result<Vec<Lack>> {
        let id = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached(
                "SELECT l.field, n.name, l.to_key FROM lack l JOIN name n ON n.id = l.to_map
                 WHERE l.map = ?1 AND l.key = ?2 ORDER BY l.field, n.name, l.to_key",
            )?
            .query_map((id, key), |row| Ok(Lack { field: row.get(0)?, map: row.get(1)?, key: row.get(2)? }))?
            .collect()
        })
    }

    /// Records that lack one: up to `limit` of them, in order, and how many there are.
    ///
    /// # Errors
    /// Those of the database.
    pub fn dependents_of(&self, map: &str, key: &str, limit: u32) -> Result<(Vec<Dependent>, u64)> {
        let id = self.intern(map)?;
        self.store(|db| {
            let all = db
                .prepare_cached(
                    "SELECT count(*) FROM (SELECT DISTINCT map, key FROM lack WHERE to_map = ?1 AND to_key = ?2)",
                )?
                .query_row((id, key), |row| row.get::<_, i64>(0))?;
            let rows = db
                .prepare_cached(
                    "SELECT DISTINCT n.name, l.key, o.status FROM lack l JOIN name n ON n.id = l.map
                     LEFT JOIN outcome o ON o.map = l.map AND o.key = l.key
                     WHERE l.to_map = ?1 AND l.to_key = ?2 ORDER BY n.name, l.key LIMIT ?3",
                )?
                .query_map((id, key, limit), |row| {
                    let status = row.get::<_, Option<i64>>(2)?.map(Status::from_number).transpose()?;
                    Ok(Dependent { map: row.get(0)?, key: row.get(1)?, status })
                })?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            Ok((rows, all.cast_unsigned()))
        })
    }

    /// The keys of a map's records that ended without a destination record for want of one that has arrived by now,
    /// in order. What a person decided to leave out is not among them.
    ///
    /// # Errors
    /// Those of the database.
    pub fn can_go_on(&self, map: &str) -> Result<Vec<String>> {
        let id = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached(&format!(
                "SELECT DISTINCT l.key FROM lack l
                 JOIN outcome o ON o.map = l.map AND o.key = l.key AND o.target IS NULL AND o.status IN (3, 4, 5)
                 JOIN outcome t ON t.map = l.to_map AND t.key = l.to_key AND t.target IS NOT NULL
                 WHERE l.map = ?1 AND NOT EXISTS ({STANDING} AND d.map = l.map AND d.key = l.key) ORDER BY l.key"
            ))?
            .query_map([id], |row| row.get(0))?
            .collect()
        })
    }

    /// Fields of written records that wait, or that lack a record which has arrived by now: up to `limit` records of
    /// a map that follow `after`, in order of key. Each field with whether something of it has arrived.
    ///
    /// # Errors
    /// Those of the database.
    pub fn late_page(&self, map: &str, after: &str, limit: u32) -> Result<Vec<LateFields>> {
        let id = self.intern(map)?;
        let rows: Vec<(String, u16, bool)> = self.store(|db| {
            db.prepare_cached(
                "WITH late(key, field, arrived) AS (
                     SELECT key, field, 0 FROM waiting WHERE map = ?1 AND key > ?2
                     UNION ALL
                     SELECT l.key, l.field, 1 FROM lack l
                     JOIN outcome o ON o.map = l.map AND o.key = l.key AND o.target IS NOT NULL
                     JOIN outcome t ON t.map = l.to_map AND t.key = l.to_key AND t.target IS NOT NULL
                     WHERE l.map = ?1 AND l.key > ?2)
                 SELECT key, field, max(arrived) FROM late
                 WHERE key IN (SELECT DISTINCT key FROM late ORDER BY key LIMIT ?3)
                 GROUP BY key, field ORDER BY key, field",
            )?
            .query_map((id, after, limit), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect()
        })?;
        let mut page: Vec<LateFields> = Vec::new();
        for (key, field, arrived) in rows {
            match page.last_mut().filter(|(last, _)| *last == key) {
                Some((_, fields)) => fields.push((field, arrived)),
                None => page.push((key, vec![(field, arrived)])),
            }
        }
        Ok(page)
    }

    /// The flags of a rule on a record, and of the rules within it, are settled.
    ///
    /// # Errors
    /// Those of the database.
    pub fn unflag(&self, map: &str, key: &str, rule: &str) -> Result<()> {
        let id = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached(
                "DELETE FROM flag WHERE map = ?1 AND key = ?2
                 AND (rule = ?3 OR substr(rule, 1, length(?3) + 1) = ?3 || '.')",
            )?
            .execute((id, key, rule))
            .map(|_| ())
        })
    }

    /// The flags of one record, in order.
    ///
    /// # Errors
    /// Those of the database.
    pub fn flags_of(&self, map: &str, key: &str) -> Result<Vec<super::Flag>> {
        let id = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached("SELECT rule, why FROM flag WHERE map = ?1 AND key = ?2 ORDER BY rule, why")?
                .query_map((id, key), |row| Ok(super::Flag { rule: row.get(0)?, why: row.get(1)? }))?
                .collect()
        })
    }

    /// Quarantined and failed records of a map: up to `limit` that follow `after`, in order of key.
    ///
    /// # Errors
    /// Those of the database.
    pub fn held_page(&self, map: &str, after: &str, limit: u32) -> Result<Vec<HeldRecord>> {
        let id = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached(
                "SELECT key, status, target, reason FROM outcome
                 WHERE map = ?1 AND key > ?2 AND status IN (4, 5) ORDER BY key LIMIT ?3",
            )?
            .query_map((id, after, limit), |row| {
                let status = Status::from_number(row.get(1)?)?;
                let outcome = Outcome { status, target: row.get(2)?, reason: row.get(3)? };
                Ok(HeldRecord { key: row.get(0)?, outcome })
            })?
            .collect()
        })
    }

    /// How many records of a map have not ended: of its staged records, or of those that a split sent to it.
    ///
    /// # Errors
    /// Those of the database.
    pub fn pending(&self, map: &str, object: &str, routed: bool) -> Result<u64> {
        let (map, object) = (self.intern(map)?, self.intern(object)?);
        let from = if routed {
            "routed r JOIN staged s ON s.seq = r.seq WHERE r.map = ?1 AND s.object = ?2"
        } else {
            "staged s WHERE s.object = ?2"
        };
        self.store(|db| {
            db.prepare_cached(&format!(
                "SELECT count(*) FROM {from} AND NOT EXISTS (SELECT 1 FROM outcome o WHERE o.map = ?1 AND o.key = s.key)"
            ))?
            .query_row((map, object), |row| row.get::<_, i64>(0))
            .map(i64::cast_unsigned)
        })
    }

    /// Keeps a person's decision to leave a record out, and ends the record so.
    ///
    /// # Errors
    /// Those of the database.
    pub fn decide(&self, map: &str, key: &str, reason: &str, by: &str, now_ms: i64) -> Result<()> {
        let stood = match self.outcome(map, key)? {
            None => "pending".to_owned(),
            Some(Outcome { status, reason: Some(reason), .. }) => format!("{}: {reason}", status.word()),
            Some(Outcome { status, .. }) => status.word().to_owned(),
        };
        let id = self.intern(map)?;
        let outcome =
            Outcome { status: Status::LeftOut, target: None, reason: Some(format!("{DECIDED}{reason}")) };
        self.transaction(|ws| {
            ws.store(|db| {
                db.execute(
                    "UPDATE decision SET lifted_ms = ?3 WHERE map = ?1 AND key = ?2 AND lifted_ms IS NULL",
                    (id, key, now_ms),
                )?;
                db.execute(
                    "INSERT INTO decision(map, key, reason, decider, decided_ms, before) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    (id, key, reason, by, now_ms, stood),
                )
                .map(|_| ())
            })?;
            ws.unsettle(map, key)?;
            ws.keep_lacks(map, key, &[])?;
            ws.settle(map, key, &outcome, &[])
        })
    }

    /// Takes a decision back: the record is pending again. Gives whether there was one.
    ///
    /// # Errors
    /// Those of the database.
    pub fn lift(&self, map: &str, key: &str, now_ms: i64) -> Result<bool> {
        let id = self.intern(map)?;
        let lifted = self.store(|db| {
            db.execute(
                "UPDATE decision SET lifted_ms = ?3 WHERE map = ?1 AND key = ?2 AND lifted_ms IS NULL",
                (id, key, now_ms),
            )
        })?;
        if lifted > 0 {
            self.unsettle(map, key)?;
        }
        Ok(lifted > 0)
    }

    /// What a person decided about a record and holds.
    ///
    /// # Errors
    /// Those of the database.
    pub fn decision(&self, map: &str, key: &str) -> Result<Option<Decision>> {
        let id = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached(&format!(
                "SELECT d.seq, d.key, d.reason, d.decider, d.decided_ms, d.before, d.lifted_ms
                 FROM ({STANDING} AND d.map = ?1 AND d.key = ?2) d"
            ))?
            .query_row((id, key), decision)
            .optional()
        })
    }

    /// Every decision about records of a map, in the order of deciding, those that were taken back too.
    ///
    /// # Errors
    /// Those of the database.
    pub fn decisions(&self, map: &str) -> Result<Vec<Decision>> {
        let id = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached(
                "SELECT d.seq, d.key, d.reason, d.decider, d.decided_ms, d.before, d.lifted_ms FROM decision d
                 WHERE d.map = ?1 ORDER BY d.seq",
            )?
            .query_map([id], decision)?
            .collect()
        })
    }
}

/// Decisions that hold; more conditions on `d` may follow.
pub(super) const STANDING: &str = "SELECT * FROM decision d WHERE d.lifted_ms IS NULL";

fn decision(row: &rusqlite::Row<'_>) -> rusqlite::Result<Decision> {
    Ok(Decision {
        seq: row.get(0)?,
        key: row.get(1)?,
        reason: row.get(2)?,
        by: row.get(3)?,
        decided_ms: row.get(4)?,
        before: row.get(5)?,
        lifted_ms: row.get(6)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(status: Status, target: Option<&str>) -> Outcome {
        Outcome { status, target: target.map(str::to_owned), reason: Some("held".to_owned()) }
    }

    fn lack(field: u16, key: &str) -> Lack {
        Lack { field, map: "company".to_owned(), key: key.to_owned() }
    }

    #[test]
    fn a_record_can_go_on_once_what_it_lacks_has_arrived() {
        let ws = Workspace::in_memory().expect("opens");
        for (key, status) in [("1", Status::Quarantined), ("2", Status::LeftOut), ("3", Status::Quarantined)]
        {
            ws.settle("deal", key, &ended(status, None), &[]).expect("settles");
            ws.keep_lacks("deal", key, &[lack(2, "7"), lack(2, "8")]).expect("keeps");
        }
        ws.decide("deal", "3", "no longer a customer", "ops", 5).expect("decides");
        assert!(ws.can_go_on("deal").expect("lists").is_empty());
        ws.settle("company", "7", &ended(Status::Failed, None), &[]).expect("settles");
        assert!(ws.can_go_on("deal").expect("lists").is_empty());
        ws.settle("company", "7", &ended(Status::Created, Some("17")), &[]).expect("settles");
        assert_eq!(ws.can_go_on("deal").expect("lists"), ["1", "2"]);
        let (dependents, all) = ws.dependents_of("company", "8", 1).expect("lists");
        assert_eq!((dependents[0].key.as_str(), dependents.len(), all), ("1", 1, 2));
        assert_eq!(ws.lacks_of("deal", "1").expect("lists"), [lack(2, "7"), lack(2, "8")]);
    }

    #[test]
    fn a_written_record_is_late_for_what_arrived_and_for_what_waits() {
        let ws = Workspace::in_memory().expect("opens");
        for key in ["1", "2", "3"] {
            ws.settle("deal", key, &ended(Status::Created, Some(key)), &[]).expect("settles");
        }
        ws.keep_lacks("deal", "1", &[lack(2, "7"), lack(4, "8")]).expect("keeps");
        ws.wait_for("deal", "2", 6).expect("waits");
        ws.settle("company", "7", &ended(Status::Adopted, Some("17")), &[]).expect("settles");
        let page = ws.late_page("deal", "", 10).expect("lists");
        assert_eq!(page, [("1".to_owned(), vec![(2, true)]), ("2".to_owned(), vec![(6, false)])]);
        assert_eq!(ws.late_page("deal", "1", 10).expect("lists").len(), 1);
        ws.keep_lacks_of("deal", "1", 2, &[]).expect("keeps");
        assert_eq!(ws.lacks_of("deal", "1").expect("lists"), [lack(4, "8")]);
        assert_eq!(ws.late_page("deal", "", 1).expect("lists")[0].0, "2");
    }

    #[test]
    fn a_decision_holds_until_it_is_taken_back_and_is_never_lost() {
        let ws = Workspace::in_memory().expect("opens");
        ws.settle("deal", "1", &ended(Status::Failed, None), &[]).expect("settles");
        ws.decide("deal", "1", "a test deal", "ops", 5).expect("decides");
        ws.retry("deal", &[Status::Quarantined, Status::Failed, Status::LeftOut]).expect("retries");
        let outcome = ws.outcome("deal", "1").expect("reads").expect("has ended");
        assert_eq!(outcome.reason.as_deref(), Some("by decision: a test deal"));
        let decided = ws.decision("deal", "1").expect("reads").expect("is there");
        assert_eq!((decided.by.as_str(), decided.before.as_str()), ("ops", "failed: held"));
        assert!(ws.lift("deal", "1", 9).expect("lifts"));
        assert!(!ws.lift("deal", "1", 10).expect("lifts nothing"));
        assert_eq!(ws.outcome("deal", "1").expect("reads"), None);
        assert_eq!(ws.decision("deal", "1").expect("reads"), None);
        assert_eq!(ws.decisions("deal").expect("lists")[0].lifted_ms, Some(9));
    }
}
