//! What makes a second load differ from the first: a changed plan, and source records that changed since they were
//! loaded. What each written record was sent, by field, tells which side moved.
//!
//! A *pass* decides anew on everything that was decided before. It is begun in one step and ends stream by stream, so
//! that a run which dies within it goes on with it.

use std::collections::BTreeMap;

use rusqlite::OptionalExtension;

use crate::lang::plan::short;

use super::seal::fingerprint;
use super::staged::STAGE;
use super::{Error, Result, Status, Workspace};

/// The note that names the plan of this workspace.
const PLAN: &str = "plan";
/// The note that staged records changed since they were loaded.
const RESTAGED: &str = "restaged";
/// What the notes of streams begin with that a pass has not gone through yet.
const OPEN: &str = "pass ";
/// The note that a pass was ever begun.
const PASSES: &str = "passes";

/// What the flag of a conflict begins with: it outlives the pass that found it.
pub const CONFLICT: &str = "changed in the destination since it was written";

/// How a plan agrees with the one that a workspace was loaded with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pinned {
    /// It is the same, or nothing was written yet.
    Same,
    /// Records were written with another one.
    Changed {
        /// That one's hash.
        from: String,
    },
}

/// What a record was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Hash of the plan that it was written with.
    pub plan: String,
    /// By destination field: a hash of its value as the plan gave it. Fields without a value are left out.
    pub fields: BTreeMap<String, u64>,
}

/// What staging changes came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restaged {
    /// Records that were not there.
    pub added: u64,
    /// Records that are another than before.
    pub changed: u64,
    /// Records that are as they were.
    pub same: u64,
    /// Records that are there no more.
    pub gone: u64,
}

impl Workspace {
    /// Binds the workspace to a plan from the first record that is written. Another plan is told then, and
    /// [`Workspace::begin_pass`] binds the workspace to it.
    ///
    /// # Errors
    /// Those of the database.
    pub fn pin_plan(&self, hash: &str) -> Result<Pinned> {
        match self.note(PLAN)? {
            Some(pinned) if pinned == hash => {}
            Some(pinned) if self.writes()? > 0 => return Ok(Pinned::Changed { from: pinned }),
            Some(_) => self.transaction(|ws| {
                // Nothing was written yet: what the old plan left out or held back is decided anew.
                ws.store(|db| {
                    db.execute_batch(
                        "DELETE FROM outcome; DELETE FROM flag; DELETE FROM waiting; DELETE FROM lack; DELETE FROM routed;
                         DELETE FROM folded; DELETE FROM note WHERE name LIKE 'placed %';",
                    )
                })?;
                ws.set_note(PLAN, hash)
            })?,
            None => self.set_note(PLAN, hash)?,
        }
        Ok(Pinned::Same)
    }

    /// The plan that the workspace is bound to, if it is bound.
    ///
    /// # Errors
    /// Those of the database.
    pub fn plan(&self) -> Result<Option<String>> {
        self.note(PLAN)
    }

    /// That another plan than the workspace's was to be carried out, for people.
    pub fn other_plan(&self, pinned: &str, found: &str) -> Error {
        Error::OtherPlan { path: self.path.display().to_string(), pinned: short(pinned), found: short(found) }
    }

    /// Begins to decide anew on everything, by this plan where it is another one: what does not stand in the
    /// destination is pending again, records are placed anew, and every stream has to be gone through.
    ///
    /// # Errors
    /// Those of the database: nothing is begun then.
    pub fn begin_pass<'a>(&self, plan: &str, streams: impl Iterator<Item = &'a str>) -> Result<()> {
        self.transaction(|ws| {
            ws.store(|db| {
                // A person's word outlives it: the load reads it anew.
                db.execute("DELETE FROM flag WHERE substr(why, 1, length(?1)) <> ?1", [CONFLICT])?;
                db.execute_batch(
                    "DELETE FROM outcome WHERE target IS NULL; DELETE FROM waiting; DELETE FROM lack;
                     DELETE FROM routed; DELETE FROM folded; DELETE FROM note WHERE name LIKE 'placed %';",
                )
            })?;
            for stream in streams {
                ws.set_note(&format!("{OPEN}{stream}"), plan)?;
            }
            ws.set_note(PLAN, plan)?;
            ws.set_note(PASSES, "begun")?;
            ws.forget_note(RESTAGED)
        })
    }

    /// Whether a pass was ever begun.
    ///
    /// # Errors
    /// Those of the database.
    pub fn has_passed(&self) -> Result<bool> {
        Ok(self.note(PASSES)?.is_some())
    }

    /// The streams that a pass has not gone through yet.
    ///
    /// # Errors
    /// Those of the database.
    pub fn open_passes(&self) -> Result<Vec<String>> {
        Ok(self.notes_of(OPEN)?.into_iter().map(|note| note[OPEN.len()..].to_owned()).collect())
    }

    /// Whether a pass has not gone through a stream yet.
    ///
    /// # Errors
    /// Those of the database.
    pub fn pass_is_open(&self, stream: &str) -> Result<bool> {
        Ok(self.note(&format!("{OPEN}{stream}"))?.is_some())
    }

    /// What a record that stands was made of is another now: the pass goes through its stream once more.
    ///
    /// # Errors
    /// Those of the database.
    pub fn open_pass(&self, stream: &str) -> Result<()> {
        match self.plan()? {
            Some(plan) if self.standing(stream)? > 0 => self.set_note(&format!("{OPEN}{stream}"), &plan),
            _ => Ok(()),
        }
    }

    /// A pass went through a stream.
    ///
    /// # Errors
    /// Those of the database.
    pub fn close_pass(&self, stream: &str) -> Result<()> {
        self.forget_note(&format!("{OPEN}{stream}"))
    }

    /// Whether staged records changed since the last pass began.
    ///
    /// # Errors
    /// Those of the database.
    pub fn is_restaged(&self) -> Result<bool> {
        Ok(self.note(RESTAGED)?.is_some())
    }

    /// Stages records of an object that were staged before and have changed, and such as are new; `gone` are keys of
    /// records that the source holds no more. The next load applies what differs.
    ///
    /// # Errors
    /// Those of the database: nothing is staged then.
    pub fn restage<'a>(
        &self,
        object: &str,
        records: impl Iterator<Item = (&'a str, &'a [u8])>,
        gone: impl Iterator<Item = &'a str>,
        now_ms: i64,
    ) -> Result<Restaged> {
        self.transaction(|ws| {
            let told = ws.restage_unsealed(object, records, gone, now_ms)?;
            if told.added + told.changed > 0 {
                ws.seal(object, now_ms)?;
            }
            Ok(told)
        })
    }

    /// The same, and leaves it to the caller to seal the object once all is staged.
    pub(super) fn restage_unsealed<'a>(
        &self,
        object: &str,
        records: impl Iterator<Item = (&'a str, &'a [u8])>,
        gone: impl Iterator<Item = &'a str>,
        now_ms: i64,
    ) -> Result<Restaged> {
        let id = self.intern(object)?;
        self.transaction(|ws| {
            let mut told = Restaged::default();
            ws.store(|db| {
                let mut find = db.prepare_cached("SELECT json FROM staged WHERE object = ?1 AND key = ?2")?;
                let mut back = db.prepare_cached("DELETE FROM gone WHERE object = ?1 AND key = ?2")?;
                let mut put = db.prepare_cached(STAGE)?;
                for (key, json) in records {
                    let before: Option<Vec<u8>> = find.query_row((id, key), |row| row.get(0)).optional()?;
                    let returned = back.execute((id, key))? > 0;
                    match before {
                        None => told.added += 1,
                        Some(before) if before == json && !returned => {
                            told.same += 1;
                            continue;
                        }
                        Some(_) => told.changed += 1,
                    }
                    put.execute((id, key, json, fingerprint(key, json)))?;
                }
                let mut mark = db.prepare_cached(
                    "INSERT OR IGNORE INTO gone(object, key, gone_ms) SELECT object, key, ?3 FROM staged
                     WHERE object = ?1 AND key = ?2",
                )?;
                for key in gone {
                    told.gone += mark.execute((id, key, now_ms))? as u64;
                }
                Ok(())
            })?;
            if told.added + told.changed + told.gone > 0 {
                ws.set_note(RESTAGED, object)?;
            }
            Ok(told)
        })
    }

    /// Whether the source holds a staged record no more.
    ///
    /// # Errors
    /// Those of the database.
    pub fn is_gone(&self, object: &str, key: &str) -> Result<bool> {
        let id = self.intern(object)?;
        self.store(|db| {
            db.prepare_cached("SELECT EXISTS (SELECT 1 FROM gone WHERE object = ?1 AND key = ?2)")?
                .query_row((id, key), |row| row.get(0))
        })
    }

    /// How many staged records of an object the source holds no more.
    ///
    /// # Errors
    /// Those of the database.
    pub fn gone(&self, object: &str) -> Result<u64> {
        let id = self.intern(object)?;
        self.store(|db| {
            db.prepare_cached("SELECT count(*) FROM gone WHERE object = ?1")?
                .query_row([id], |row| row.get::<_, i64>(0))
                .map(i64::cast_unsigned)
        })
    }

    /// Marks a staged record as one that is there no more.
    ///
    /// # Errors
    /// Those of the database.
    pub fn mark_gone(&self, object: &str, key: &str, now_ms: i64) -> Result<()> {
        let id = self.intern(object)?;
        self.store(|db| {
            db.prepare_cached("INSERT OR IGNORE INTO gone(object, key, gone_ms) VALUES (?1, ?2, ?3)")?
                .execute((id, key, now_ms))
                .map(|_| ())
        })
    }

    /// Takes staged records of an object away that the source holds no more and that none of these maps ever wrote:
    /// nothing has to be accounted for.
    ///
    /// # Errors
    /// Those of the database.
    pub fn drop_gone(&self, object: &str, maps: &[&str]) -> Result<()> {
        let id = self.intern(object)?;
        let mut ids = Vec::new();
        for map in maps {
            ids.push(self.intern(map)?.to_string());
        }
        // Numbers of our own making.
        let ids = ids.join(", ");
        self.transaction(|ws| {
            ws.store(|db| {
                let unwritten = format!(
                    "SELECT g.key FROM gone g WHERE g.object = ?1
                     AND NOT EXISTS (SELECT 1 FROM readback r WHERE r.map IN ({ids}) AND r.key = g.key)
                     AND NOT EXISTS (SELECT 1 FROM journal j WHERE j.map IN ({ids}) AND j.key = g.key AND j.state <> 2)"
                );
                db.execute(
                    &format!("DELETE FROM outcome WHERE map IN ({ids}) AND target IS NULL AND key IN ({unwritten})"),
                    [id],
                )?;
                db.execute(&format!("DELETE FROM staged WHERE object = ?1 AND key IN ({unwritten})"), [id])?;
                db.execute(
                    "DELETE FROM gone WHERE object = ?1
                     AND key NOT IN (SELECT key FROM staged WHERE object = ?1)",
                    [id],
                )
                .map(|_| ())
            })?;
            if let Some(seal) = ws.sealed(object)? {
                ws.seal(object, seal.sealed_ms)?;
            }
            Ok(())
        })
    }

    /// Sends records to a map that it wrote, wherever they go now: what stands has to be accounted for.
    ///
    /// # Errors
    /// Those of the database.
    pub fn keep_routes(&self, map: &str, object: &str) -> Result<()> {
        let (map, object) = (self.intern(map)?, self.intern(object)?);
        self.store(|db| {
            db.execute(
                "INSERT OR IGNORE INTO routed(map, seq) SELECT r.map, s.seq FROM readback r
                 JOIN staged s ON s.object = ?2 AND s.key = r.key WHERE r.map = ?1",
                (map, object),
            )
            .map(|_| ())
        })
    }

    /// How many records of a map stand in the destination as far as anybody knows.
    ///
    /// # Errors
    /// Those of the database.
    pub fn standing(&self, map: &str) -> Result<u64> {
        let id = self.intern(map)?;
        self.store(|db| {
            db.query_row("SELECT count(*) FROM readback WHERE map = ?1", [id], |row| row.get::<_, i64>(0))
                .map(i64::cast_unsigned)
        })
    }

    /// Records that were written, stand, and link to one: object and id, in order.
    ///
    /// # Errors
    /// Those of the database.
    pub fn linked_by(&self, object: &str, target: &str) -> Result<Vec<(String, String)>> {
        self.store(|db| {
            db.prepare_cached(
                "SELECT l.object, l.target FROM made_link l JOIN readback r ON r.object = l.object AND r.target = l.target
                 JOIN outcome o ON o.map = r.map AND o.key = r.key AND o.target = r.target
                 WHERE l.to_object = ?1 AND l.to_target = ?2 ORDER BY l.object, l.target",
            )?
            .query_map((object, target), |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect()
        })
    }

    /// Keeps what a record is sent. Call it in the transaction that notes the intent.
    ///
    /// # Errors
    /// Those of the database.
    pub fn keep_sent(&self, map: &str, key: &str, sent: &Sent) -> Result<()> {
        let (map, plan) = (self.intern(map)?, self.intern(&sent.plan)?);
        let mut blob = Vec::with_capacity(sent.fields.len() * 12);
        for (name, hash) in &sent.fields {
            blob.extend(u32::try_from(self.intern(name)?).unwrap_or(u32::MAX).to_le_bytes());
            blob.extend(hash.to_le_bytes());
        }
        self.store(|db| {
            db.prepare_cached("INSERT OR REPLACE INTO sent(map, key, plan, fields) VALUES (?1, ?2, ?3, ?4)")?
                .execute((map, key, plan, &blob))
                .map(|_| ())
        })
    }

    /// Keeps what one field of a record is sent, where something is kept of the record.
    ///
    /// # Errors
    /// Those of the database.
    pub fn keep_sent_field(&self, map: &str, key: &str, field: &str, hash: Option<u64>) -> Result<()> {
        let Some(mut sent) = self.sent(map, key)? else { return Ok(()) };
        let before = match hash {
            Some(hash) => sent.fields.insert(field.to_owned(), hash),
            None => sent.fields.remove(field),
        };
        if before == hash { Ok(()) } else { self.keep_sent(map, key, &sent) }
    }

    /// What a record was sent.
    ///
    /// # Errors
    /// Those of the database.
    pub fn sent(&self, map: &str, key: &str) -> Result<Option<Sent>> {
        let map = self.intern(map)?;
        let found: Option<(String, Vec<u8>)> = self.store(|db| {
            db.prepare_cached(
                "SELECT n.name, s.fields FROM sent s JOIN name n ON n.id = s.plan WHERE s.map = ?1 AND s.key = ?2",
            )?
            .query_row((map, key), |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
        })?;
        let Some((plan, blob)) = found else { return Ok(None) };
        let mut fields = BTreeMap::new();
        for field in blob.chunks_exact(12) {
            let bytes = |at: usize, len: usize| field.get(at..at + len).unwrap_or_default();
            let id = u32::from_le_bytes(bytes(0, 4).try_into().unwrap_or_default());
            fields.insert(self.named(id)?, u64::from_le_bytes(bytes(4, 8).try_into().unwrap_or_default()));
        }
        Ok(Some(Sent { plan, fields }))
    }

    /// A conflict about a field is settled.
    ///
    /// # Errors
    /// Those of the database.
    pub fn forget_conflict(&self, map: &str, key: &str, rule: &str) -> Result<()> {
        let id = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached(
                "DELETE FROM flag WHERE map = ?1 AND key = ?2 AND rule = ?3 AND substr(why, 1, length(?4)) = ?4",
            )?
            .execute((id, key, rule, CONFLICT))
            .map(|_| ())
        })
    }

    /// Begins to gather the notes of a stream that records still have.
    ///
    /// # Errors
    /// Those of the database.
    pub fn begin_notes(&self, stream: &str) -> Result<()> {
        let id = self.intern(stream)?;
        self.store(|db| {
            db.execute_batch(
                "CREATE TEMP TABLE IF NOT EXISTS has_note (stream INTEGER NOT NULL, key TEXT NOT NULL,
                     PRIMARY KEY (stream, key)) WITHOUT ROWID;",
            )?;
            db.execute("DELETE FROM has_note WHERE stream = ?1", [id]).map(|_| ())
        })
    }

    /// A record still has a note.
    ///
    /// # Errors
    /// Those of the database.
    pub fn has_note(&self, stream: &str, key: &str) -> Result<()> {
        let id = self.intern(stream)?;
        self.store(|db| {
            db.prepare_cached("INSERT OR IGNORE INTO has_note VALUES (?1, ?2)")?
                .execute((id, key))
                .map(|_| ())
        })
    }

    /// The keys of staged notes of a stream that no record has any more and that are not marked so yet.
    ///
    /// # Errors
    /// Those of the database.
    pub fn lost_notes(&self, stream: &str) -> Result<Vec<String>> {
        let id = self.intern(stream)?;
        self.store(|db| {
            db.prepare(
                "SELECT s.key FROM staged s WHERE s.object = ?1
                 AND NOT EXISTS (SELECT 1 FROM has_note h WHERE h.stream = ?1 AND h.key = s.key)
                 AND NOT EXISTS (SELECT 1 FROM gone g WHERE g.object = ?1 AND g.key = s.key) ORDER BY s.key",
            )?
            .query_map([id], |row| row.get(0))?
            .collect()
        })
    }

    /// Records of a map that stand though the plan leaves them out: up to `limit` whose keys follow `after`, in order,
    /// with their ids.
    ///
    /// # Errors
    /// Those of the database.
    pub fn left_standing(&self, map: &str, after: &str, limit: u32) -> Result<Vec<(String, String)>> {
        let id = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached(
                "SELECT key, target FROM outcome WHERE map = ?1 AND key > ?2 AND status = ?3 AND target IS NOT NULL
                 ORDER BY key LIMIT ?4",
            )?
            .query_map((id, after, Status::LeftOut.number(), limit), |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect()
        })
    }

    /// Does work of which nothing stays.
    ///
    /// # Errors
    /// Those of the work, and of the database.
    pub fn tentatively<T, E: From<Error>>(
        &self,
        work: impl FnOnce() -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        self.store(|db| db.execute_batch("BEGIN IMMEDIATE"))?;
        let done = work();
        self.store(|db| db.execute_batch("ROLLBACK"))?;
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::workspace::{Intent, Manifest, Operation, Outcome, ReadBack};

    fn written(ws: &Workspace, key: &str) {
        let intent = Intent {
            map: "deal".to_owned(),
            key: key.to_owned(),
            operation: Operation::Create,
            step: 0,
            payload: String::new(),
            target: None,
            before: None,
        };
        ws.intend(&[intent], 5).expect("notes");
        let made = Outcome { status: Status::Created, target: Some(format!("t{key}")), reason: None };
        ws.settle("deal", key, &made, &[]).expect("settles");
        let seen = ReadBack {
            map: "deal".to_owned(),
            key: key.to_owned(),
            object: "Lead".to_owned(),
            target: format!("t{key}"),
            ..ReadBack::default()
        };
        ws.keep_readback(&seen).expect("keeps");
    }

    fn staged(keys: &[&str]) -> Workspace {
        let ws = Workspace::in_memory().expect("opens");
        ws.stage("deal", keys.iter().map(|key| (*key, &b"{}"[..])), &Manifest::default()).expect("stages");
        ws
    }

    #[test]
    fn another_plan_is_told_once_something_was_written() {
        let ws = staged(&["1", "2"]);
        assert_eq!(ws.pin_plan("a").expect("pins"), Pinned::Same);
        assert_eq!(ws.pin_plan("b").expect("pins"), Pinned::Same, "nothing was written");
        written(&ws, "1");
        assert_eq!(ws.pin_plan("b").expect("pins"), Pinned::Same);
        assert_eq!(ws.pin_plan("c").expect("pins"), Pinned::Changed { from: "b".to_owned() });
        let left = Outcome { status: Status::LeftOut, target: None, reason: Some("no".to_owned()) };
        ws.settle("deal", "2", &left, &[]).expect("settles");
        ws.begin_pass("c", ["deal"].into_iter()).expect("begins");
        assert_eq!(ws.plan().expect("reads").as_deref(), Some("c"));
        assert!(ws.outcome("deal", "1").expect("reads").is_some(), "what stands stays in the books");
        assert!(ws.outcome("deal", "2").expect("reads").is_none());
        assert_eq!(ws.open_passes().expect("lists"), ["deal"]);
        ws.close_pass("deal").expect("closes");
        assert!(ws.has_passed().expect("reads") && !ws.pass_is_open("deal").expect("reads"));
    }

    #[test]
    fn what_was_sent_is_kept_by_field() {
        let ws = staged(&[]);
        let fields = BTreeMap::from([("name".to_owned(), u64::MAX), ("custom Size".to_owned(), 0)]);
        let mut sent = Sent { plan: "a".to_owned(), fields };
        ws.keep_sent("deal", "1", &sent).expect("keeps");
        assert_eq!(ws.sent("deal", "1").expect("reads"), Some(sent.clone()));
        assert_eq!(ws.sent("deal", "2").expect("reads"), None);
        ws.keep_sent_field("deal", "1", "owner", Some(7)).expect("keeps");
        ws.keep_sent_field("deal", "1", "name", None).expect("keeps");
        ws.keep_sent_field("deal", "2", "name", Some(7)).expect("keeps nothing");
        sent.fields.remove("name");
        sent.fields.insert("owner".to_owned(), 7);
        assert_eq!(ws.sent("deal", "1").expect("reads"), Some(sent));
        assert_eq!(ws.sent("deal", "2").expect("reads"), None);
    }

    #[test]
    fn staging_changes_tells_what_differs_and_keeps_what_was_written() {
        let ws = staged(&["1", "2", "3"]);
        written(&ws, "1");
        let rows: [(&str, &[u8]); 3] = [("1", b"{}"), ("2", b"{1}"), ("4", b"{}")];
        let none = std::iter::empty::<&str>;
        let told = ws.restage("deal", rows.iter().copied(), none(), 9).expect("stages");
        assert_eq!(told, Restaged { added: 1, changed: 1, same: 1, gone: 0 });
        assert!(ws.is_restaged().expect("reads"));
        let told = ws.restage("deal", std::iter::empty(), ["1", "3", "9"].into_iter(), 9).expect("stages");
        assert_eq!(told, Restaged { gone: 2, ..Restaged::default() }, "`9` was never there");
        ws.drop_gone("deal", &["deal"]).expect("drops");
        assert_eq!((ws.staged("deal").expect("counts"), ws.gone("deal").expect("counts")), (3, 1));
        assert!(ws.is_gone("deal", "1").expect("reads") && !ws.is_gone("deal", "3").expect("reads"));
        let told = ws.restage("deal", [("1", &b"{}"[..])].into_iter(), none(), 10).expect("stages");
        assert_eq!((told.changed, ws.gone("deal").expect("counts")), (1, 0), "it is there again");
    }

    #[test]
    fn nothing_stays_of_tentative_work() {
        let ws = staged(&["1"]);
        let counted: Result<u64> = ws.tentatively(|| {
            ws.transaction(|ws| ws.set_note("plan", "z"))?;
            ws.unstage("deal")?;
            ws.staged("deal")
        });
        assert_eq!(counted.expect("counts"), 0);
        assert_eq!((ws.staged("deal").expect("counts"), ws.note("plan").expect("reads")), (1, None));
    }
}
