//! What a reconciliation looks up: keys that stand on one side only, ends by page, and the differences that it found.
//!
//! Differences hold values of records. They live in a table of this connection alone and are gone when it closes.

use super::outcomes::Status;
use super::{Outcome, Result, Workspace};

/// A field of a record that is not as planned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differing {
    /// The map.
    pub map: String,
    /// The source record's key.
    pub key: String,
    /// The destination's id.
    pub target: String,
    /// The destination field.
    pub field: String,
    /// What kind of difference, in a word.
    pub kind: String,
    /// What the plan wants.
    pub planned: String,
    /// What the destination holds.
    pub found: String,
}

/// Where the staged records of a stream stand.
#[derive(Clone, Copy, Debug)]
pub struct Staging<'s> {
    /// The stream's name in the books.
    pub map: &'s str,
    /// The object whose staged records it has.
    pub object: &'s str,
    /// Only those that a split sent to it.
    pub routed: bool,
}

/// Staged records of a stream without an end in the books.
const UNACCOUNTED: &str = "FROM staged s LEFT JOIN outcome o ON o.map = ?1 AND o.key = s.key
     WHERE s.object = ?2 AND o.key IS NULL AND s.key > ?3";
const UNACCOUNTED_ROUTED: &str = "FROM routed r JOIN staged s ON s.seq = r.seq
     LEFT JOIN outcome o ON o.map = r.map AND o.key = s.key
     WHERE r.map = ?1 AND s.object = ?2 AND o.key IS NULL AND s.key > ?3";

impl Workspace {
    /// Forgets the differences of earlier reconciliations of a map.
    ///
    /// # Errors
    /// Those of the database.
    pub fn begin_proof(&self, map: &str) -> Result<()> {
        let map = self.intern(map)?;
        self.store(|db| {
            db.execute_batch(
                "CREATE TEMP TABLE IF NOT EXISTS difference (seq INTEGER PRIMARY KEY, map INTEGER NOT NULL,
                     key TEXT NOT NULL, target TEXT NOT NULL, field TEXT NOT NULL, kind TEXT NOT NULL,
                     planned TEXT NOT NULL, found TEXT NOT NULL);",
            )?;
            db.execute("DELETE FROM difference WHERE map = ?1", [map]).map(|_| ())
        })
    }

    /// Keeps a difference.
    ///
    /// # Errors
    /// Those of the database.
    pub fn differs(&self, found: &Differing) -> Result<()> {
        let map = self.intern(&found.map)?;
        self.store(|db| {
            db.prepare_cached(
                "INSERT INTO difference(map, key, target, field, kind, planned, found)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute((
                map,
                &found.key,
                &found.target,
                &found.field,
                &found.kind,
                &found.planned,
                &found.found,
            ))
            .map(|_| ())
        })
    }

    /// Up to `limit` differences of a map that follow `after`, with their places in the order in which they were
    /// found.
    ///
    /// # Errors
    /// Those of the database; that a proof was begun is the caller's to see to.
    pub fn differences_page(&self, map: &str, after: i64, limit: u32) -> Result<Vec<(i64, Differing)>> {
        let id = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached(
                "SELECT seq, key, target, field, kind, planned, found FROM difference
                 WHERE map = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
            )?
            .query_map((id, after, limit), |row| {
                let differing = Differing {
                    map: map.to_owned(),
                    key: row.get(1)?,
                    target: row.get(2)?,
                    field: row.get(3)?,
                    kind: row.get(4)?,
                    planned: row.get(5)?,
                    found: row.get(6)?,
                };
                Ok((row.get(0)?, differing))
            })?
            .collect()
        })
    }

    /// How many staged records of a stream have no end in the books.
    ///
    /// # Errors
    /// Those of the database.
    pub fn unaccounted(&self, of: Staging<'_>) -> Result<u64> {
        let (map, object) = (self.intern(of.map)?, self.intern(of.object)?);
        let from = if of.routed { UNACCOUNTED_ROUTED } else { UNACCOUNTED };
        self.store(|db| {
            db.prepare_cached(&format!("SELECT count(*) {from}"))?
                .query_row((map, object, ""), |row| row.get::<_, i64>(0))
                .map(i64::cast_unsigned)
        })
    }

    /// The keys of up to `limit` of them that follow `after`, in order.
    ///
    /// # Errors
    /// Those of the database.
    pub fn unaccounted_page(&self, of: Staging<'_>, after: &str, limit: u32) -> Result<Vec<String>> {
        let (map, object) = (self.intern(of.map)?, self.intern(of.object)?);
        let from = if of.routed { UNACCOUNTED_ROUTED } else { UNACCOUNTED };
        self.store(|db| {
            db.prepare_cached(&format!("SELECT s.key {from} ORDER BY s.key LIMIT ?4"))?
                .query_map((map, object, after, limit), |row| row.get(0))?
                .collect()
        })
    }

    /// How many ends of a stream stand in the books without a staged record.
    ///
    /// # Errors
    /// Those of the database.
    pub fn unsourced(&self, of: Staging<'_>) -> Result<u64> {
        let (map, object) = (self.intern(of.map)?, self.intern(of.object)?);
        self.store(|db| {
            db.prepare_cached(
                "SELECT count(*) FROM outcome o WHERE o.map = ?1
                 AND NOT EXISTS (SELECT 1 FROM staged s WHERE s.object = ?2 AND s.key = o.key)",
            )?
            .query_row((map, object), |row| row.get::<_, i64>(0))
            .map(i64::cast_unsigned)
        })
    }

    /// Up to `limit` ends of a map whose keys follow `after`, in order of key.
    ///
    /// # Errors
    /// Those of the database.
    pub fn ends_page(&self, map: &str, after: &str, limit: u32) -> Result<Vec<(String, Outcome)>> {
        let map = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached(
                "SELECT key, status, target, reason FROM outcome WHERE map = ?1 AND key > ?2 ORDER BY key LIMIT ?3",
            )?
            .query_map((map, after, limit), |row| {
                let status = Status::from_number(row.get(1)?)?;
                Ok((row.get(0)?, Outcome { status, target: row.get(2)?, reason: row.get(3)? }))
            })?
            .collect()
        })
    }

    /// Whether any link of a map is still to be written.
    ///
    /// # Errors
    /// Those of the database.
    pub fn any_waiting(&self, map: &str) -> Result<bool> {
        let map = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM waiting WHERE map = ?1) OR EXISTS (SELECT 1 FROM lack WHERE map = ?1)",
            )?
            .query_row([map], |row| row.get(0))
        })
    }

    /// The destination fields of one record that are still to be written, by their index in its map: those that wait,
    /// and those whose link lacked a record that has arrived since.
    ///
    /// # Errors
    /// Those of the database.
    pub fn waiting_fields(&self, map: &str, key: &str) -> Result<Vec<u16>> {
        let map = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached(
                "SELECT field FROM waiting WHERE map = ?1 AND key = ?2
                 UNION SELECT l.field FROM lack l
                     JOIN outcome t ON t.map = l.to_map AND t.key = l.to_key AND t.target IS NOT NULL
                     WHERE l.map = ?1 AND l.key = ?2
                 ORDER BY 1",
            )?
            .query_map((map, key), |row| row.get(0))?
            .collect()
        })
    }

    /// Up to `limit` records of the books that the last sweep of a map did not see and whose keys follow `after`, in
    /// order: key and id.
    ///
    /// # Errors
    /// Those of the database.
    pub fn missing_page(&self, map: &str, after: &str, limit: u32) -> Result<Vec<(String, String)>> {
        let map = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached(
                "SELECT o.key, o.target FROM outcome o LEFT JOIN seen s
                     ON s.map = o.map AND s.key = o.key AND s.target = o.target
                 WHERE o.map = ?1 AND o.key > ?2 AND o.target IS NOT NULL AND s.key IS NULL ORDER BY o.key LIMIT ?3",
            )?
            .query_map((map, after, limit), |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect()
        })
    }

    /// Up to `limit` records of the last sweep of a map that the books do not know, in order: key and id.
    ///
    /// # Errors
    /// Those of the database.
    pub fn strange_page(&self, map: &str, after: (&str, &str), limit: u32) -> Result<Vec<(String, String)>> {
        let map = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached(
                "SELECT s.key, s.target FROM seen s
                 LEFT JOIN outcome o ON o.map = s.map AND o.key = s.key AND o.target = s.target
                 WHERE s.map = ?1 AND o.key IS NULL AND (s.key, s.target) > (?2, ?3)
                 ORDER BY s.key, s.target LIMIT ?4",
            )?
            .query_map((map, after.0, after.1, limit), |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::workspace::Manifest;

    fn ended(status: Status, target: Option<&str>) -> Outcome {
        Outcome { status, target: target.map(str::to_owned), reason: None }
    }

    fn staged(keys: &[&str]) -> Workspace {
        let ws = Workspace::in_memory().expect("opens");
        ws.stage("deal", keys.iter().map(|key| (*key, &b"{}"[..])), &Manifest::default()).expect("stages");
        ws
    }

    #[test]
    fn keys_of_one_side_only_are_told_on_both_sides() {
        let ws = staged(&["1", "2", "3"]);
        let all = Staging { map: "deal", object: "deal", routed: false };
        ws.settle("deal", "2", &ended(Status::Created, Some("20")), &[]).expect("settles");
        ws.settle("deal", "9", &ended(Status::Created, Some("90")), &[]).expect("settles");
        // The number of ends is that of the records: only the keys tell that they are not the same.
        assert_eq!(ws.unaccounted(all).expect("counts"), 2);
        assert_eq!(ws.unaccounted_page(all, "", 9).expect("lists"), ["1", "3"]);
        assert_eq!(ws.unaccounted_page(all, "1", 9).expect("lists"), ["3"]);
        assert_eq!(ws.unsourced(all).expect("counts"), 1);
        let routed = Staging { routed: true, ..all };
        assert_eq!(ws.unaccounted(routed).expect("counts"), 0, "nothing was sent to it");
        ws.route("deal", ws.staged_page("deal", 0, 9).expect("reads")[0].seq).expect("routes");
        assert_eq!(ws.unaccounted_page(routed, "", 9).expect("lists"), ["1"]);
    }

    #[test]
    fn ends_and_strangers_come_by_page() {
        let ws = staged(&["1"]);
        for key in ["1", "2", "3"] {
            ws.settle("deal", key, &ended(Status::Created, Some(key)), &[]).expect("settles");
        }
        let first = ws.ends_page("deal", "", 2).expect("lists");
        assert_eq!(first.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(ws.ends_page("deal", "2", 2).expect("lists").len(), 1);
        ws.begin_sweep("deal").expect("begins");
        ws.saw("deal", [("1", "1", "0"), ("1", "8", "0"), ("7", "9", "0")].into_iter()).expect("sees");
        let strange = ws.strange_page("deal", ("", ""), 9).expect("lists");
        assert_eq!(strange, [("1".to_owned(), "8".to_owned()), ("7".to_owned(), "9".to_owned())]);
        assert_eq!(ws.strange_page("deal", ("1", "8"), 9).expect("lists").len(), 1);
    }

    #[test]
    fn differences_are_kept_until_the_next_proof() {
        let ws = staged(&[]);
        ws.begin_proof("deal").expect("begins");
        let one = Differing { map: "deal".to_owned(), key: "1".to_owned(), ..Differing::default() };
        ws.differs(&one).expect("keeps");
        let page = ws.differences_page("deal", 0, 9).expect("lists");
        assert_eq!(page.iter().map(|(_, differing)| differing).collect::<Vec<_>>(), [&one]);
        assert!(ws.differences_page("deal", page[0].0, 9).expect("lists").is_empty());
        ws.begin_proof("deal").expect("begins");
        assert!(ws.differences_page("deal", 0, 9).expect("lists").is_empty());
    }
}
