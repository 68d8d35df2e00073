//! What became of each record of each map, the id map, flags, and links that wait.

use rusqlite::OptionalExtension;

use super::held::STANDING;
use super::{Result, Workspace};

/// Where a record ended. Every pair of record and map ends in exactly one of these, or is pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// A record was made for it.
    Created,
    /// A record that was there before was taken for it.
    Adopted,
    /// It went into the record that takes it in.
    Folded,
    /// The spec puts it on a list for a person.
    Listed,
    /// The spec leaves it out.
    LeftOut,
    /// Held back for a person.
    Quarantined,
    /// The destination refused it.
    Failed,
}

impl Status {
    /// Every status, in the order of the equation.
    pub const ALL: [Status; 7] = [
        Status::Created,
        Status::Adopted,
        Status::Folded,
        Status::Listed,
        Status::LeftOut,
        Status::Quarantined,
        Status::Failed,
    ];

    /// Its word in reports.
    pub fn word(self) -> &'static str {
        match self {
            Status::Created => "created",
            Status::Adopted => "adopted",
            Status::Folded => "folded",
            Status::Listed => "listed",
            Status::LeftOut => "left out",
            Status::Quarantined => "quarantined",
            Status::Failed => "failed",
        }
    }

    pub(super) fn number(self) -> i64 {
        match self {
            Status::Created => 1,
            Status::Adopted => 2,
            Status::LeftOut => 3,
            Status::Quarantined => 4,
            Status::Failed => 5,
            Status::Folded => 6,
            Status::Listed => 7,
        }
    }

    pub(super) fn from_number(number: i64) -> rusqlite::Result<Status> {
        Status::ALL
            .into_iter()
            .find(|status| status.number() == number)
            .ok_or(rusqlite::Error::IntegralValueOutOfRange(0, number))
    }
}

/// What became of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Where it ended.
    pub status: Status,
    /// The destination's id, for created and adopted records.
    pub target: Option<String>,
    /// Why, for the others.
    pub reason: Option<String>,
}

/// Something about a record that a person should see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// The rule's stable id.
    pub rule: String,
    /// Why it is listed.
    pub why: String,
}

/// A link that is written once the other record is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The record's key.
    pub key: String,
    /// The index of the destination field in its map.
    pub field: u16,
}

/// How many records of a map ended where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Records made.
    pub created: u64,
    /// Records that were there before.
    pub adopted: u64,
    /// Records that went into others.
    pub folded: u64,
    /// Records on a list for a person.
    pub listed: u64,
    /// In the row of a split: records that it sent to maps.
    pub routed: u64,
    /// Records that the spec leaves out.
    pub left_out: u64,
    /// Records held back.
    pub quarantined: u64,
    /// Records refused.
    pub failed: u64,
}

impl Tally {
    /// All of them.
    pub fn sum(&self) -> u64 {
        let ended = self.created + self.adopted + self.folded + self.listed + self.routed;
        ended + self.left_out + self.quarantined + self.failed
    }

    /// Records that stand in the destination.
    pub fn arrived(&self) -> u64 {
        self.created + self.adopted
    }

    /// The count of one status.
    pub fn get(&self, status: Status) -> u64 {
        match status {
            Status::Created => self.created,
            Status::Adopted => self.adopted,
            Status::Folded => self.folded,
            Status::Listed => self.listed,
            Status::LeftOut => self.left_out,
            Status::Quarantined => self.quarantined,
            Status::Failed => self.failed,
        }
    }

    fn add(&mut self, status: Status, records: u64) {
        *match status {
            Status::Created => &mut self.created,
            Status::Adopted => &mut self.adopted,
            Status::Folded => &mut self.folded,
            Status::Listed => &mut self.listed,
            Status::LeftOut => &mut self.left_out,
            Status::Quarantined => &mut self.quarantined,
            Status::Failed => &mut self.failed,
        } += records;
    }
}

impl Workspace {
    /// Keeps what became of a record, with its flags. Decides once: a record that ended stays where it ended.
    ///
    /// # Errors
    /// Those of the database.
    pub fn settle(&self, map: &str, key: &str, outcome: &Outcome, flags: &[Flag]) -> Result<()> {
        let map = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached("INSERT OR REPLACE INTO outcome(map, key, status, target, reason) VALUES (?1, ?2, ?3, ?4, ?5)")?
                .execute((map, key, outcome.status.number(), &outcome.target, &outcome.reason))?;
            let mut insert = db.prepare_cached("INSERT OR IGNORE INTO flag(map, key, rule, why) VALUES (?1, ?2, ?3, ?4)")?;
            for flag in flags {
                insert.execute((map, key, &flag.rule, &flag.why))?;
            }
            Ok(())
        })
    }

    /// Makes a map's records that ended in one of these pending again, but for what a person decided.
    ///
    /// # Errors
    /// Those of the database.
    pub fn retry(&self, map: &str, statuses: &[Status]) -> Result<()> {
        let map = self.intern(map)?;
        let (open, standing) =
            ("DELETE FROM outcome WHERE map = ?1 AND status = ?2 AND key NOT IN", STANDING);
        self.transaction(|ws| {
            ws.store(|db| {
                for status in statuses {
                    db.execute(
                        &format!(
                            "DELETE FROM flag WHERE map = ?1 AND key IN
                                 (SELECT key FROM outcome WHERE map = ?1 AND status = ?2)
                             AND key NOT IN (SELECT key FROM ({standing} AND d.map = ?1))"
                        ),
                        (map, status.number()),
                    )?;
                    db.execute(
                        &format!("{open} (SELECT key FROM ({standing} AND d.map = ?1))"),
                        (map, status.number()),
                    )?;
                }
                Ok(())
            })
        })
    }

    /// Makes a record pending again.
    ///
    /// # Errors
    /// Those of the database.
    pub fn unsettle(&self, map: &str, key: &str) -> Result<()> {
        let map = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached("DELETE FROM flag WHERE map = ?1 AND key = ?2")?.execute((map, key))?;
            db.prepare_cached("DELETE FROM outcome WHERE map = ?1 AND key = ?2")?
                .execute((map, key))
                .map(|_| ())
        })
    }

    /// What became of a record; `None` while it is pending.
    ///
    /// # Errors
    /// Those of the database.
    pub fn outcome(&self, map: &str, key: &str) -> Result<Option<Outcome>> {
        let map = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached("SELECT status, target, reason FROM outcome WHERE map = ?1 AND key = ?2")?
                .query_row((map, key), |row| {
                    Ok(Outcome {
                        status: Status::from_number(row.get(0)?)?,
                        target: row.get(1)?,
                        reason: row.get(2)?,
                    })
                })
                .optional()
        })
    }

    /// How many records of a map ended where.
    ///
    /// # Errors
    /// Those of the database.
    pub fn tally(&self, map: &str) -> Result<Tally> {
        let map = self.intern(map)?;
        self.store(|db| {
            let mut tally = Tally::default();
            let mut query =
                db.prepare_cached("SELECT status, count(*) FROM outcome WHERE map = ?1 GROUP BY status")?;
            let mut rows = query.query([map])?;
            while let Some(row) = rows.next()? {
                tally.add(Status::from_number(row.get(0)?)?, row.get::<_, i64>(1)?.cast_unsigned());
            }
            Ok(tally)
        })
    }

    /// How many records of a map ended in a status, by reason, the most frequent first.
    ///
    /// # Errors
    /// Those of the database.
    pub fn reasons(&self, map: &str, status: Status) -> Result<Vec<(String, u64)>> {
        let map = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached(
                "SELECT coalesce(reason, ''), count(*) FROM outcome WHERE map = ?1 AND status = ?2
                 GROUP BY 1 ORDER BY 2 DESC, 1",
            )?
            .query_map((map, status.number()), |row| {
                Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned()))
            })?
            .collect()
        })
    }

    /// How many records of a map carry each flag, by rule and reason, the most frequent first.
    ///
    /// # Errors
    /// Those of the database.
    pub fn flags(&self, map: &str) -> Result<Vec<(Flag, u64)>> {
        let map = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached(
                "SELECT rule, why, count(*) FROM flag WHERE map = ?1 GROUP BY rule, why ORDER BY 3 DESC, 1, 2",
            )?
            .query_map([map], |row| {
                Ok((Flag { rule: row.get(0)?, why: row.get(1)? }, row.get::<_, i64>(2)?.cast_unsigned()))
            })?
            .collect()
        })
    }

    /// Notes that a link waits for the other record.
    ///
    /// # Errors
    /// Those of the database.
    pub fn wait_for(&self, map: &str, key: &str, field: u16) -> Result<()> {
        let map = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached("INSERT OR IGNORE INTO waiting(map, key, field) VALUES (?1, ?2, ?3)")?
                .execute((map, key, field))
                .map(|_| ())
        })
    }

    /// A link waits no longer.
    ///
    /// # Errors
    /// Those of the database.
    pub fn waits_no_more(&self, map: &str, key: &str, field: u16) -> Result<()> {
        let map = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached("DELETE FROM waiting WHERE map = ?1 AND key = ?2 AND field = ?3")?
                .execute((map, key, field))
                .map(|_| ())
        })
    }

    /// Adds flags to a record that ended.
    ///
    /// # Errors
    /// Those of the database.
    pub fn flag(&self, map: &str, key: &str, flags: &[Flag]) -> Result<()> {
        let map = self.intern(map)?;
        self.store(|db| {
            let mut insert =
                db.prepare_cached("INSERT OR IGNORE INTO flag(map, key, rule, why) VALUES (?1, ?2, ?3, ?4)")?;
            for flag in flags {
                insert.execute((map, key, &flag.rule, &flag.why))?;
            }
            Ok(())
        })
    }

    /// How many records of a map carry a flag of this rule; of any rule but `except` without one.
    ///
    /// # Errors
    /// Those of the database.
    pub fn flagged(&self, map: &str, rule: Option<&str>, except: &str) -> Result<u64> {
        let map = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached(
                "SELECT count(DISTINCT key) FROM flag WHERE map = ?1 AND coalesce(rule = ?2, rule <> ?3)",
            )?
            .query_row((map, rule, except), |row| row.get::<_, i64>(0))
            .map(i64::cast_unsigned)
        })
    }

    /// The links of a map that wait, in order of key.
    ///
    /// # Errors
    /// Those of the database.
    pub fn waiting(&self, map: &str) -> Result<Vec<Waiting>> {
        let map = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached("SELECT key, field FROM waiting WHERE map = ?1 ORDER BY key, field")?
                .query_map([map], |row| Ok(Waiting { key: row.get(0)?, field: row.get(1)? }))?
                .collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tallies_reasons_and_the_id_map_agree_with_what_was_settled() {
        let ws = Workspace::in_memory().expect("opens");
        let left =
            |why: &str| Outcome { status: Status::LeftOut, target: None, reason: Some(why.to_owned()) };
        let made = Outcome { status: Status::Created, target: Some("17".to_owned()), reason: None };
        let flag = Flag { rule: "deal.phone".to_owned(), why: "not a phone number".to_owned() };
        ws.settle("deal", "1", &made, std::slice::from_ref(&flag)).expect("settles");
        ws.settle("deal", "2", &left("template"), &[]).expect("settles");
        ws.settle("deal", "3", &left("template"), &[]).expect("settles");
        ws.settle("lead", "1", &left("other map"), &[]).expect("settles");
        assert_eq!(ws.tally("deal").expect("counts"), Tally { created: 1, left_out: 2, ..Tally::default() });
        assert_eq!(ws.reasons("deal", Status::LeftOut).expect("lists"), [("template".to_owned(), 2)]);
        assert_eq!(ws.outcome("deal", "1").expect("reads"), Some(made));
        assert_eq!(ws.outcome("deal", "9").expect("reads"), None);
        assert_eq!(ws.flags("deal").expect("lists"), [(flag, 1)]);
    }

    #[test]
    fn what_may_be_settled_by_now_is_looked_at_again() {
        let ws = Workspace::in_memory().expect("opens");
        let ended = |status| Outcome { status, target: None, reason: None };
        let all = [Status::Created, Status::LeftOut, Status::Quarantined, Status::Failed];
        for (key, status) in ["1", "2", "3", "4"].into_iter().zip(all) {
            ws.settle("deal", key, &ended(status), &[]).expect("settles");
        }
        ws.retry("deal", &all[2..]).expect("retries");
        assert_eq!(ws.tally("deal").expect("counts"), Tally { created: 1, left_out: 1, ..Tally::default() });
        ws.retry("deal", &all[1..]).expect("retries");
        assert_eq!(ws.tally("deal").expect("counts"), Tally { created: 1, ..Tally::default() });
    }
}
