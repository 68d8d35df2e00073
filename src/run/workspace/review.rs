//! What people said of records before anything is written: ticks, and comments with whether they are open.
//!
//! Every row is one person's last word on one thing, with its time, and of two words on the same thing the later one
//! holds. So two workspaces' words can be joined in any order, any number of times, and come to the same. Words are
//! kept durably before the call returns.

use rusqlite::{Connection, OptionalExtension};

use super::{Result, Workspace};

/// How long a comment may be, in characters.
pub const LONGEST_COMMENT: usize = 4_000;

/// How long a person's name may be, in characters.
pub const LONGEST_NAME: usize = 200;

/// One person's last tick of a record, or that they took it back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// The map, or what else the record is shown under.
    pub map: String,
    /// The record's key.
    pub key: String,
    /// Who.
    pub person: String,
    /// When, Unix milliseconds; later than every earlier word on this record.
    pub at_ms: i64,
    /// Whether it is ticked; else it is to be looked at again.
    pub ticked: bool,
    /// The hash of what was shown.
    pub digest: String,
}

/// A comment, and whether somebody still has to do something about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Comment {
    /// Its own name, the same in every workspace.
    pub id: String,
    /// The map, or what else the record is shown under.
    pub map: String,
    /// The record's key.
    pub key: String,
    /// The destination field that it is about; empty for the record.
    pub field: String,
    /// Who.
    pub person: String,
    /// What they said.
    pub text: String,
    /// When, Unix milliseconds.
    pub made_ms: i64,
    /// Whether it is open.
    pub open: bool,
    /// Who opened or settled it last.
    pub turned_by: String,
    /// When that was, Unix milliseconds.
    pub turned_ms: i64,
}

/// Everything that was said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Ticks, in order of map, key and person.
    pub marks: Vec<Mark>,
    /// Comments, in the order in which they were made.
    pub comments: Vec<Comment>,
}

/// What one person says of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// It is as it should be.
    Tick,
    /// It has to be looked at again.
    Reopen,
    /// This about a field, or about the record where that is empty; the comment's name comes first.
    Comment {
        /// The comment's own name.
        id: String,
        /// The destination field; empty for the record.
        field: String,
        /// What is said.
        text: String,
    },
    /// The comment of this name is settled, or open again.
    Turn {
        /// The comment's own name.
        id: String,
        /// Whether it is open.
        open: bool,
    },
}

/// What became of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is on the disk; the record's revision now.
    Saved(u64),
    /// Somebody said something of this record since; the record's revision now. Nothing was kept.
    Overtaken(u64),
    /// This record has no such comment. Nothing was kept.
    NoSuchComment,
}

/// What joining another workspace's words changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Joined {
    /// Ticks that were new, or later than the ones here.
    pub marks: u64,
    /// Comments that were new, or turned later.
    pub comments: u64,
}

/// What of a review went with an approval.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApprovedReview {
    /// What was ticked and what was not, as JSON.
    pub review: String,
    /// Why it was approved with open comments; empty where none was open.
    pub despite: String,
}

impl Workspace {
    /// Everything that was said of records.
    ///
    /// # Errors
    /// Those of the database.
    pub fn said(&self) -> Result<Said> {
        self.store(|db| Ok(Said { marks: marks(db, None)?, comments: comments(db, None)? }))
    }

    /// What was said of one record, and its revision: 0 while nothing was.
    ///
    /// # Errors
    /// Those of the database.
    pub fn said_of(&self, map: &str, key: &str) -> Result<(Said, u64)> {
        self.store(|db| {
            let of = Some((map, key));
            Ok((Said { marks: marks(db, of)?, comments: comments(db, of)? }, revision(db, map, key)?))
        })
    }

    /// The revision of every record of which something was said, in order.
    ///
    /// # Errors
    /// Those of the database.
    pub fn revisions(&self) -> Result<Vec<(String, String, u64)>> {
        self.store(|db| {
            db.prepare_cached("SELECT map, key, revision FROM review_revision ORDER BY map, key")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?.cast_unsigned())))?
                .collect()
        })
    }

    /// Keeps what a person says of a record, where nobody said anything of it since it had the revision `seen`.
    /// `digest` is the hash of what they were shown.
    ///
    /// # Errors
    /// Those of the database.
    pub fn say(
        &self,
        (map, key): (&str, &str),
        seen: u64,
        person: &str,
        digest: &str,
        word: &Word,
        now_ms: i64,
    ) -> Result<Kept> {
        self.transaction(|ws| {
            ws.store(|db| {
                let now = revision(db, map, key)?;
                if now != seen {
                    return Ok(Kept::Overtaken(now));
                }
                let at = now_ms.max(latest(db, map, key)?.saturating_add(1));
                match word {
                    Word::Tick | Word::Reopen => {
                        let mark = Mark {
                            map: map.to_owned(),
                            key: key.to_owned(),
                            person: person.to_owned(),
                            at_ms: at,
                            ticked: *word == Word::Tick,
                            digest: digest.to_owned(),
                        };
                        put_mark(db, &mark)?;
                    }
                    Word::Comment { id, field, text } => {
                        let comment = Comment {
                            id: id.clone(),
                            map: map.to_owned(),
                            key: key.to_owned(),
                            field: field.clone(),
                            person: person.to_owned(),
                            text: text.clone(),
                            made_ms: at,
                            open: true,
                            turned_by: person.to_owned(),
                            turned_ms: at,
                        };
                        put_comment(db, &comment)?;
                    }
                    Word::Turn { id, open } => {
                        let Some(there) = comment(db, id)?.filter(|c| c.map == map && c.key == key) else {
                            return Ok(Kept::NoSuchComment);
                        };
                        let turned =
                            Comment { open: *open, turned_by: person.to_owned(), turned_ms: at, ..there };
                        put_comment(db, &turned)?;
                    }
                }
                Ok(Kept::Saved(raise(db, map, key)?))
            })
        })
    }

    /// Joins what was said elsewhere to what was said here: of two words on the same thing the later one holds.
    ///
    /// # Errors
    /// Those of the database; nothing of it is kept then.
    pub fn join_said(&self, other: &Said) -> Result<Joined> {
        self.transaction(|ws| {
            ws.store(|db| {
                let mut joined = Joined::default();
                let mut touched = std::collections::BTreeSet::new();
                for mark in &other.marks {
                    let there = one_mark(db, mark)?;
                    if there.is_none_or(|there| rank(mark) > rank(&there)) {
                        put_mark(db, mark)?;
                        touched.insert((&mark.map, &mark.key));
                        joined.marks += 1;
                    }
                }
                for new in &other.comments {
                    let joins = match comment(db, &new.id)? {
                        None => true,
                        // What was said stays as it was said; only whether it is open is anybody's to turn.
                        Some(there) => {
                            there.map == new.map && there.key == new.key && turn(new) > turn(&there)
                        }
                    };
                    if joins {
                        put_comment(db, new)?;
                        touched.insert((&new.map, &new.key));
                        joined.comments += 1;
                    }
                }
                for (map, key) in touched {
                    raise(db, map, key)?;
                }
                Ok(joined)
            })
        })
    }

    /// Keeps what of a review went with the last approval.
    ///
    /// # Errors
    /// Those of the database.
    pub fn approve_review(&self, reviewed: &ApprovedReview) -> Result<()> {
        self.store(|db| {
            db.execute(
                "INSERT OR REPLACE INTO approval_review(approval, review, despite)
                 SELECT max(seq), ?1, ?2 FROM approval HAVING max(seq) IS NOT NULL",
                (&reviewed.review, &reviewed.despite),
            )
            .map(|_| ())
        })
    }

    /// What of a review went with an approval.
    ///
    /// # Errors
    /// Those of the database.
    pub fn approved_review(&self, approval: i64) -> Result<Option<ApprovedReview>> {
        self.store(|db| {
            db.prepare_cached("SELECT review, despite FROM approval_review WHERE approval = ?1")?
                .query_row([approval], |row| Ok(ApprovedReview { review: row.get(0)?, despite: row.get(1)? }))
                .optional()
        })
    }

    /// Runs work on records that are placed nowhere yet, and takes back whatever it wrote.
    ///
    /// # Errors
    /// Those of `work`, and of the database.
    pub fn on_trial<T, E: From<super::Error>>(
        &self,
        work: impl FnOnce() -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        self.store(|db| {
            db.execute_batch(
                "BEGIN IMMEDIATE; DELETE FROM routed; DELETE FROM folded; DELETE FROM note WHERE name LIKE 'placed %';",
            )
        })?;
        let done = work();
        let back = self.store(|db| db.execute_batch("ROLLBACK"));
        let done = done?;
        back?;
        Ok(done)
    }
}

/// Which of two marks of a person on a record holds: the later one; of the same time, that it is to be looked at.
fn rank(mark: &Mark) -> (i64, bool, &str) {
    (mark.at_ms, !mark.ticked, &mark.digest)
}

/// Which of two states of a comment holds: the later one; of the same time, the open one. A text that differs under one
/// name is nobody's doing but a forger's; it must not depend on the order either.
fn turn(comment: &Comment) -> (i64, bool, &str, &str, &str, i64, &str) {
    let Comment { turned_ms, open, turned_by, text, person, made_ms, field, .. } = comment;
    (*turned_ms, *open, turned_by, text, person, *made_ms, field)
}

fn revision(db: &Connection, map: &str, key: &str) -> rusqlite::Result<u64> {
    let found: Option<i64> = db
        .prepare_cached("SELECT revision FROM review_revision WHERE map = ?1 AND key = ?2")?
        .query_row([map, key], |row| row.get(0))
        .optional()?;
    Ok(found.unwrap_or(0).cast_unsigned())
}

fn raise(db: &Connection, map: &str, key: &str) -> rusqlite::Result<u64> {
    db.prepare_cached(
        "INSERT INTO review_revision(map, key, revision) VALUES (?1, ?2, 1)
         ON CONFLICT(map, key) DO UPDATE SET revision = revision + 1 RETURNING revision",
    )?
    .query_row([map, key], |row| row.get::<_, i64>(0))
    .map(i64::cast_unsigned)
}

/// When the last word on a record was said; a clock that was set back must not make a new word the older one.
fn latest(db: &Connection, map: &str, key: &str) -> rusqlite::Result<i64> {
    db.prepare_cached(
        "SELECT max(coalesce((SELECT max(at_ms) FROM review_mark WHERE map = ?1 AND key = ?2), 0),
                    coalesce((SELECT max(max(made_ms, turned_ms)) FROM review_comment WHERE map = ?1 AND key = ?2), 0))",
    )?
    .query_row([map, key], |row| row.get(0))
}

const MARK: &str = "SELECT map, key, person, at_ms, ticked, digest FROM review_mark";

fn mark(row: &rusqlite::Row<'_>) -> rusqlite::Result<Mark> {
    Ok(Mark {
        map: row.get(0)?,
        key: row.get(1)?,
        person: row.get(2)?,
        at_ms: row.get(3)?,
        ticked: row.get(4)?,
        digest: row.get(5)?,
    })
}

fn marks(db: &Connection, of: Option<(&str, &str)>) -> rusqlite::Result<Vec<Mark>> {
    match of {
        None => {
            db.prepare_cached(&format!("{MARK} ORDER BY map, key, person"))?.query_map([], mark)?.collect()
        }
        Some((map, key)) => db
            .prepare_cached(&format!("{MARK} WHERE map = ?1 AND key = ?2 ORDER BY person"))?
            .query_map([map, key], mark)?
            .collect(),
    }
}

fn one_mark(db: &Connection, of: &Mark) -> rusqlite::Result<Option<Mark>> {
    db.prepare_cached(&format!("{MARK} WHERE map = ?1 AND key = ?2 AND person = ?3"))?
        .query_row([&of.map, &of.key, &of.person], mark)
        .optional()
}

fn put_mark(db: &Connection, mark: &Mark) -> rusqlite::Result<()> {
    let Mark { map, key, person, at_ms, ticked, digest } = mark;
    db.prepare_cached(
        "INSERT OR REPLACE INTO review_mark(map, key, person, at_ms, ticked, digest) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute((map, key, person, at_ms, ticked, digest))
    .map(|_| ())
}

const COMMENT: &str =
    "SELECT id, map, key, field, person, text, made_ms, open, turned_by, turned_ms FROM review_comment";

fn of_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Comment> {
    Ok(Comment {
        id: row.get(0)?,
        map: row.get(1)?,
        key: row.get(2)?,
        field: row.get(3)?,
        person: row.get(4)?,
        text: row.get(5)?,
        made_ms: row.get(6)?,
        open: row.get(7)?,
        turned_by: row.get(8)?,
        turned_ms: row.get(9)?,
    })
}

fn comments(db: &Connection, of: Option<(&str, &str)>) -> rusqlite::Result<Vec<Comment>> {
    match of {
        None => {
            db.prepare_cached(&format!("{COMMENT} ORDER BY made_ms, id"))?.query_map([], of_row)?.collect()
        }
        Some((map, key)) => db
            .prepare_cached(&format!("{COMMENT} WHERE map = ?1 AND key = ?2 ORDER BY made_ms, id"))?
            .query_map([map, key], of_row)?
            .collect(),
    }
}

fn comment(db: &Connection, id: &str) -> rusqlite::Result<Option<Comment>> {
    db.prepare_cached(&format!("{COMMENT} WHERE id = ?1"))?.query_row([id], of_row).optional()
}

fn put_comment(db: &Connection, comment: &Comment) -> rusqlite::Result<()> {
    let Comment { id, map, key, field, person, text, made_ms, open, turned_by, turned_ms } = comment;
    db.prepare_cached(
        "INSERT OR REPLACE INTO review_comment(id, map, key, field, person, text, made_ms, open, turned_by, turned_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute((id, map, key, field, person, text, made_ms, open, turned_by, turned_ms))
    .map(|_| ())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn workspace() -> Workspace {
        Workspace::in_memory().expect("opens")
    }

    fn say(ws: &Workspace, key: &str, person: &str, word: &Word, now: i64) -> Kept {
        let (_, seen) = ws.said_of("deal", key).expect("reads");
        ws.say(("deal", key), seen, person, "shown", word, now).expect("keeps")
    }

    fn words() -> impl Strategy<Value = Vec<(u8, u8, u8, i64)>> {
        // Which record, which person, what, and when: clocks go back and stand still, too.
        proptest::collection::vec((0u8..3, 0u8..2, 0u8..6, 0i64..6), 0..14)
    }

    /// Comments are named by who makes them, so that two workspaces never name two alike.
    fn apply(ws: &Workspace, by: &str, words: &[(u8, u8, u8, i64)]) -> usize {
        let mut saved = 0;
        for (at, (record, person, what, now)) in words.iter().enumerate() {
            let (key, person) = (record.to_string(), format!("{by}{person}"));
            let last =
                ws.said().expect("reads").comments.iter().rev().find(|c| c.key == key).map(|c| c.id.clone());
            let word = match (what, last) {
                (0 | 1, _) => Word::Tick,
                (2, _) => Word::Reopen,
                (3, Some(id)) => Word::Turn { id, open: false },
                (4, Some(id)) => Word::Turn { id, open: true },
                _ => Word::Comment {
                    id: format!("{by}-{at}"),
                    field: String::new(),
                    text: format!("said {at}"),
                },
            };
            saved += usize::from(matches!(say(ws, &key, &person, &word, *now), Kept::Saved(_)));
        }
        saved
    }

    fn copy(of: &Workspace) -> Workspace {
        let ws = workspace();
        ws.join_said(&of.said().expect("reads")).expect("joins");
        ws
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Two people's words come to the same in any order, any number of times, and nothing that was said is lost.
        #[test]
        fn joining_is_a_join(before in words(), mine in words(), theirs in words()) {
            let base = workspace();
            apply(&base, "z", &before);
            let (a, b) = (copy(&base), copy(&base));
            apply(&a, "a", &mine);
            apply(&b, "b", &theirs);
            let (of_a, of_b) = (a.said().expect("reads"), b.said().expect("reads"));
            let (ab, ba) = (copy(&a), copy(&b));
            ab.join_said(&of_b).expect("joins");
            ba.join_said(&of_a).expect("joins");
            let joined = ab.said().expect("reads");
            prop_assert_eq!(&joined, &ba.said().expect("reads"), "order");
            prop_assert_eq!(ab.join_said(&of_b).expect("joins"), Joined::default(), "again");
            prop_assert_eq!(ab.join_said(&joined).expect("joins"), Joined::default(), "itself");
            for one in of_a.comments.iter().chain(&of_b.comments) {
                let there = joined.comments.iter().find(|c| c.id == one.id);
                prop_assert!(there.is_some_and(|c| (&c.text, &c.person) == (&one.text, &one.person)));
            }
            for one in of_a.marks.iter().chain(&of_b.marks) {
                let there = joined.marks.iter().find(|m| (&m.key, &m.person) == (&one.key, &one.person));
                prop_assert!(there.is_some_and(|there| rank(there) >= rank(one)));
            }
        }

        /// Each word that was kept raises its record's revision by one, whatever the clock says, and the last one holds.
        #[test]
        fn the_last_word_holds_and_every_word_is_seen(words in words()) {
            let ws = workspace();
            let saved = apply(&ws, "a", &words);
            prop_assert_eq!(saved, words.len());
            let raised: u64 = ws.revisions().expect("reads").iter().map(|(_, _, revision)| revision).sum();
            prop_assert_eq!(raised, saved as u64);
            say(&ws, "0", "x", &Word::Tick, -5);
            let (said, _) = ws.said_of("deal", "0").expect("reads");
            let last = said.marks.iter().max_by_key(|mark| mark.at_ms).expect("a mark");
            prop_assert_eq!((last.person.as_str(), last.ticked), ("x", true));
        }

        /// A process that dies at any point of a word, or of a join, leaves all of it or nothing, and what was answered stays.
        #[test]
        fn a_death_at_any_point_loses_nothing_that_was_answered(
            words in words(), other in words(), at in 0u32..24
        ) {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let path = folder.path().join("x.b2nw");
            let ws = Workspace::open(&path).expect("opens");
            apply(&ws, "a", &words);
            let elsewhere = workspace();
            apply(&elsewhere, "b", &other);
            let theirs = elsewhere.said().expect("reads");
            let before = ws.said().expect("reads");
            // The join of a process that does not come to its commit.
            let cut = ws.transaction(|ws| {
                ws.join_said(&theirs)?;
                if at % 2 == 0 { ws.say(("deal", "0"), 0, "c", "", &Word::Tick, 9)?; }
                Err::<(), _>(super::super::Error::Foreign { path: String::new(), why: "dies here".to_owned() })
            });
            prop_assert!(cut.is_err());
            drop(ws);
            let ws = Workspace::open(&path).expect("opens again");
            prop_assert_eq!(&ws.said().expect("reads"), &before);
            ws.join_said(&theirs).expect("joins");
            let after = ws.said().expect("reads");
            drop(ws);
            prop_assert_eq!(Workspace::open(&path).expect("opens").said().expect("reads"), after);
        }
    }

    #[test]
    fn two_windows_do_not_overwrite_each_other() {
        let ws = workspace();
        let comment = Word::Comment { id: "c1".to_owned(), field: "name".to_owned(), text: "cut".to_owned() };
        assert_eq!(ws.say(("deal", "7"), 0, "ann", "d", &comment, 5).expect("keeps"), Kept::Saved(1));
        assert_eq!(ws.say(("deal", "7"), 0, "bob", "d", &Word::Tick, 6).expect("reads"), Kept::Overtaken(1));
        assert_eq!(ws.say(("deal", "7"), 1, "bob", "d", &Word::Tick, 6).expect("keeps"), Kept::Saved(2));
        let settle = |id: &str| Word::Turn { id: id.to_owned(), open: false };
        assert_eq!(
            ws.say(("deal", "7"), 2, "bob", "d", &settle("c2"), 7).expect("reads"),
            Kept::NoSuchComment
        );
        assert_eq!(
            ws.say(("deal", "8"), 0, "bob", "d", &settle("c1"), 7).expect("reads"),
            Kept::NoSuchComment
        );
        assert_eq!(ws.say(("deal", "7"), 2, "bob", "d", &settle("c1"), 7).expect("keeps"), Kept::Saved(3));
        let (said, revision) = ws.said_of("deal", "7").expect("reads");
        assert_eq!((said.marks.len(), said.comments[0].open, revision), (1, false, 3));
        assert_eq!(said.comments[0].turned_by, "bob");
    }

    #[test]
    fn a_trial_leaves_nothing() {
        let ws = workspace();
        ws.set_note("placed split deal", "whole").expect("notes");
        let told: std::result::Result<u8, super::super::Error> = ws.on_trial(|| {
            assert_eq!(ws.note("placed split deal")?, None);
            ws.transaction(|ws| ws.set_note("placed split lead", "whole"))?;
            Ok(7)
        });
        assert_eq!(told.expect("works"), 7);
        assert_eq!(ws.note("placed split deal").expect("reads").as_deref(), Some("whole"));
        assert_eq!(ws.note("placed split lead").expect("reads"), None);
    }
}
