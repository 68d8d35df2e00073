//! What comparisons found, kept until the next one, and how long runs took: what a report is made of when nobody is
//! asked any more.
//!
//! Per stream, since a run of a part compares a part. Its lines hold values of records and go with them when a workspace
//! is wiped.

use rusqlite::OptionalExtension;

use super::{Differing, Result, Workspace};

/// What the last comparison of a stream found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// When, Unix milliseconds.
    pub compared_ms: i64,
    /// The hash of the plan that it was compared with.
    pub plan: String,
    /// What the books were then: see [`Workspace::stamp`].
    pub stamp: String,
    /// Its numbers.
    pub json: String,
}

/// What kind of line a comparison left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Found {
    /// A field that is not as planned.
    Difference,
    /// A record of the books that the destination does not list.
    Missing,
    /// A record with a marker that the books do not know.
    Strange,
}

impl Found {
    fn number(self) -> i64 {
        match self {
            Found::Difference => 1,
            Found::Missing => 2,
            Found::Strange => 3,
        }
    }
}

/// A run that wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunOf {
    /// Its number, in the order of beginning.
    pub seq: i64,
    /// What it was: `migrate`.
    pub what: String,
    /// The plan's hash.
    pub plan: String,
    /// When it began, Unix milliseconds.
    pub began_ms: i64,
    /// When it ended, Unix milliseconds; `None` where it died or was stopped.
    pub ended_ms: Option<i64>,
    /// How fast it was allowed to be, and once it ended, what it sent, as JSON. Earlier versions kept the latter only.
    pub json: Option<String>,
}

/// What differs in a field, as the comparison kept it: by kind of line.
const FILL: [(Found, &str); 3] = [
    (
        Found::Difference,
        "INSERT INTO compared_line(map, kind, seq, key, target, field, how, planned, found)
         SELECT map, 1, row_number() OVER (ORDER BY key, field, seq), key, target, field, kind, planned, found
         FROM difference WHERE map = ?1",
    ),
    (
        Found::Missing,
        "INSERT INTO compared_line(map, kind, seq, key, target, field, how, planned, found)
         SELECT o.map, 2, row_number() OVER (ORDER BY o.key), o.key, o.target, '', '', '', ''
         FROM outcome o LEFT JOIN seen s ON s.map = o.map AND s.key = o.key AND s.target = o.target
         WHERE o.map = ?1 AND o.target IS NOT NULL AND s.key IS NULL",
    ),
    (
        Found::Strange,
        "INSERT INTO compared_line(map, kind, seq, key, target, field, how, planned, found)
         SELECT s.map, 3, row_number() OVER (ORDER BY s.key, s.target), s.key, s.target, '', '', '', ''
         FROM seen s LEFT JOIN outcome o ON o.map = s.map AND o.key = s.key AND o.target = s.target
         WHERE s.map = ?1 AND o.key IS NULL",
    ),
];

impl Workspace {
    /// Keeps what a comparison of a stream found in the place of what the one before did: its numbers, with the lists
    /// of the proof and the sweep that are under way.
    ///
    /// # Errors
    /// Those of the database; that a proof and a sweep were begun is the caller's to see to.
    pub fn keep_compared(&self, map: &str, compared: &Compared) -> Result<()> {
        let id = self.intern(map)?;
        self.transaction(|ws| {
            ws.store(|db| {
                db.prepare_cached("DELETE FROM compared_line WHERE map = ?1")?.execute([id])?;
                for (_, fill) in FILL {
                    db.prepare_cached(fill)?.execute([id])?;
                }
                db.prepare_cached(
                    "INSERT OR REPLACE INTO compared(map, compared_ms, plan, stamp, json) VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute((id, compared.compared_ms, &compared.plan, &compared.stamp, &compared.json))
                .map(|_| ())
            })
        })
    }

    /// What the last comparison of a stream found; `None` where it never was compared.
    ///
    /// # Errors
    /// Those of the database.
    pub fn compared(&self, map: &str) -> Result<Option<Compared>> {
        let id = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached("SELECT compared_ms, plan, stamp, json FROM compared WHERE map = ?1")?
                .query_row([id], |row| {
                    Ok(Compared {
                        compared_ms: row.get(0)?,
                        plan: row.get(1)?,
                        stamp: row.get(2)?,
                        json: row.get(3)?,
                    })
                })
                .optional()
        })
    }

    /// Up to `limit` lines of a kind that the last comparison of a stream left, behind the first `after`.
    ///
    /// # Errors
    /// Those of the database.
    pub fn compared_page(&self, map: &str, kind: Found, after: u64, limit: u32) -> Result<Vec<Differing>> {
        let id = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached(
                "SELECT key, target, field, how, planned, found FROM compared_line
                 WHERE map = ?1 AND kind = ?2 AND seq > ?3 ORDER BY seq LIMIT ?4",
            )?
            .query_map((id, kind.number(), after.cast_signed(), limit), |row| {
                Ok(Differing {
                    map: map.to_owned(),
                    key: row.get(0)?,
                    target: row.get(1)?,
                    field: row.get(2)?,
                    kind: row.get(3)?,
                    planned: row.get(4)?,
                    found: row.get(5)?,
                })
            })?
            .collect()
        })
    }

    /// What the books of a stream are, in a text that changes with them: its last write and how that ended, where its
    /// records ended, and what of its source object is staged.
    ///
    /// # Errors
    /// Those of the database.
    pub fn stamp(&self, map: &str, object: &str) -> Result<String> {
        let id = self.intern(map)?;
        let writes: (i64, i64, i64) = self.store(|db| {
            db.prepare_cached(
                "SELECT coalesce(max(seq), 0), coalesce(max(ended_ms), 0), coalesce(sum(state), 0) FROM journal
                 WHERE map = ?1",
            )?
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        })?;
        let tally = self.tally(map)?;
        let seal = self.sealed(object)?.map(|seal| seal.hash).unwrap_or_default();
        let ends = super::Status::ALL.map(|status| tally.get(status).to_string()).join("/");
        Ok(format!("{}.{}.{} {ends} {} {seal}", writes.0, writes.1, writes.2, self.staged(object)?))
    }

    /// Notes that a run begins, and gives its number.
    ///
    /// # Errors
    /// Those of the database.
    pub fn begin_run(&self, what: &str, plan: &str, now_ms: i64, json: &str) -> Result<i64> {
        self.store(|db| {
            db.execute(
                "INSERT INTO run(what, plan, began_ms, json) VALUES (?1, ?2, ?3, ?4)",
                (what, plan, now_ms, json),
            )?;
            Ok(db.last_insert_rowid())
        })
    }

    /// Notes that a run came to its end.
    ///
    /// # Errors
    /// Those of the database.
    pub fn end_run(&self, seq: i64, now_ms: i64, json: &str) -> Result<()> {
        self.store(|db| {
            db.execute("UPDATE run SET ended_ms = ?2, json = ?3 WHERE seq = ?1", (seq, now_ms, json))
                .map(|_| ())
        })
    }

    /// Every run, in the order of beginning.
    ///
    /// # Errors
    /// Those of the database.
    pub fn runs(&self) -> Result<Vec<RunOf>> {
        self.store(|db| {
            db.prepare("SELECT seq, what, plan, began_ms, ended_ms, json FROM run ORDER BY seq")?
                .query_map([], |row| {
                    Ok(RunOf {
                        seq: row.get(0)?,
                        what: row.get(1)?,
                        plan: row.get(2)?,
                        began_ms: row.get(3)?,
                        ended_ms: row.get(4)?,
                        json: row.get(5)?,
                    })
                })?
                .collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::workspace::{Manifest, Outcome, Status};

    #[test]
    fn a_comparison_outlives_its_process_and_tells_when_the_books_moved_on() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("acme.b2nw");
        let ws = Workspace::open(&path).expect("opens");
        ws.stage("deal", ["1", "2"].into_iter().map(|key| (key, &b"{}"[..])), &Manifest::default())
            .expect("stages");
        for key in ["1", "2"] {
            let made = Outcome { status: Status::Created, target: Some(format!("t{key}")), reason: None };
            ws.settle("deal", key, &made, &[]).expect("settles");
        }
        ws.begin_proof("deal").expect("begins");
        ws.begin_sweep("deal").expect("begins");
        ws.saw("deal", [("1", "t1", "0"), ("9", "t9", "0")].into_iter()).expect("sees");
        for (key, field) in [("2", "name"), ("1", "name"), ("1", "city")] {
            let one = Differing {
                map: "deal".to_owned(),
                key: key.to_owned(),
                field: field.to_owned(),
                ..Differing::default()
            };
            ws.differs(&one).expect("keeps");
        }
        let stamp = ws.stamp("deal", "deal").expect("reads");
        let kept =
            Compared { compared_ms: 7, plan: "a".to_owned(), stamp: stamp.clone(), json: "{}".to_owned() };
        ws.keep_compared("deal", &kept).expect("keeps");
        ws.keep_compared("deal", &kept).expect("keeps it in the place of the other");
        drop(ws);
        let ws = Workspace::open(&path).expect("opens again");
        assert_eq!(ws.compared("deal").expect("reads"), Some(kept));
        assert_eq!(ws.compared("lead").expect("reads"), None);
        let lines = |kind| -> Vec<(String, String)> {
            let page = ws.compared_page("deal", kind, 0, 9).expect("reads");
            page.into_iter().map(|line| (line.key, line.field)).collect()
        };
        let line = |key: &str, field: &str| (key.to_owned(), field.to_owned());
        assert_eq!(
            lines(Found::Difference),
            [line("1", "city"), line("1", "name"), line("2", "name")],
            "in order, however they were found"
        );
        assert_eq!(lines(Found::Missing), [line("2", "")]);
        assert_eq!(lines(Found::Strange), [line("9", "")]);
        assert_eq!(ws.compared_page("deal", Found::Difference, 2, 9).expect("reads").len(), 1);
        assert_eq!(ws.stamp("deal", "deal").expect("reads"), stamp);
        ws.unsettle("deal", "2").expect("unsettles");
        assert_ne!(ws.stamp("deal", "deal").expect("reads"), stamp);
    }

    #[test]
    fn a_run_that_dies_has_no_end() {
        let ws = Workspace::in_memory().expect("opens");
        ws.begin_run("migrate", "a", 5, "{}").expect("begins");
        let seq = ws.begin_run("migrate", "a", 9, "{}").expect("begins");
        ws.end_run(seq, 12, "{}").expect("ends");
        let ends: Vec<_> = ws.runs().expect("reads").into_iter().map(|run| run.ended_ms).collect();
        assert_eq!(ends, [None, Some(12)]);
    }
}
