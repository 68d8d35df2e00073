//! What each written record was when it was last read back, as hashes, and the links that were written with it.
//!
//! Bounded by the number of its filled fields and links; holds no value.

use std::collections::BTreeMap;

use rusqlite::OptionalExtension;

use super::{Result, Workspace};

/// What is remembered of a field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// A hash of its value; `None` for an empty field.
    pub hash: Option<u64>,
    /// Whether it was written; else it was only read.
    pub written: bool,
}

/// A record as it was last read back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadBack {
    /// The map or stream that wrote it.
    pub map: String,
    /// The source record's key.
    pub key: String,
    /// The destination object.
    pub object: String,
    /// The destination's id.
    pub target: String,
    /// Whether it was there before.
    pub adopted: bool,
    /// By field.
    pub fields: BTreeMap<String, Remembered>,
    /// Objects and ids of records that links were written to.
    pub links: Vec<(String, String)>,
}

/// A record as it was when the answer to its create came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AsMade {
    /// The destination's id.
    pub target: String,
    /// A hash of all its fields and links.
    pub imprint: u64,
    /// When the destination said that it was changed, Unix milliseconds.
    pub changed_ms: Option<i64>,
}

impl Workspace {
    /// Keeps what a record was when it was made. Call it in the transaction that ends the write.
    ///
    /// # Errors
    /// Those of the database.
    pub fn keep_as_made(&self, map: &str, key: &str, made: &AsMade) -> Result<()> {
        let map = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached(
                "INSERT OR REPLACE INTO as_made(map, key, target, imprint, changed_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute((map, key, &made.target, made.imprint.cast_signed(), made.changed_ms))
            .map(|_| ())
        })
    }

    /// What the record that a source record became was when it was made.
    ///
    /// # Errors
    /// Those of the database.
    pub fn as_made(&self, map: &str, key: &str) -> Result<Option<AsMade>> {
        let map = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached("SELECT target, imprint, changed_ms FROM as_made WHERE map = ?1 AND key = ?2")?
                .query_row((map, key), |row| {
                    let imprint = row.get::<_, i64>(1)?.cast_unsigned();
                    Ok(AsMade { target: row.get(0)?, imprint, changed_ms: row.get(2)? })
                })
                .optional()
        })
    }

    /// Keeps what a record was, in place of what was kept before. Call it in the transaction that ends the write.
    ///
    /// # Errors
    /// Those of the database.
    pub fn keep_readback(&self, seen: &ReadBack) -> Result<()> {
        let map = self.intern(&seen.map)?;
        let mut blob = Vec::with_capacity(seen.fields.len() * 13);
        for (name, field) in &seen.fields {
            blob.extend(u32::try_from(self.intern(name)?).unwrap_or(u32::MAX).to_le_bytes());
            blob.push(u8::from(field.written) | u8::from(field.hash.is_some()) << 1);
            blob.extend(field.hash.unwrap_or_default().to_le_bytes());
        }
        self.store(|db| {
            db.prepare_cached(
                "INSERT OR REPLACE INTO readback(object, target, map, key, adopted, fields) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute((&seen.object, &seen.target, map, &seen.key, seen.adopted, &blob))?;
            db.prepare_cached("DELETE FROM made_link WHERE object = ?1 AND target = ?2")?
                .execute((&seen.object, &seen.target))?;
            let mut insert = db.prepare_cached("INSERT OR IGNORE INTO made_link VALUES (?1, ?2, ?3, ?4)")?;
            for (object, target) in &seen.links {
                insert.execute((&seen.object, &seen.target, object, target))?;
            }
            Ok(())
        })
    }

    /// What a record was when it was last read back.
    ///
    /// # Errors
    /// Those of the database.
    pub fn readback(&self, object: &str, target: &str) -> Result<Option<ReadBack>> {
        let found: Option<(String, String, bool, Vec<u8>)> = self.store(|db| {
            db.prepare_cached(
                "SELECT n.name, r.key, r.adopted, r.fields FROM readback r JOIN name n ON n.id = r.map
                 WHERE r.object = ?1 AND r.target = ?2",
            )?
            .query_row((object, target), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
            .optional()
        })?;
        let Some((map, key, adopted, blob)) = found else { return Ok(None) };
        let mut fields = BTreeMap::new();
        for field in blob.chunks_exact(13) {
            let bytes = |at: usize, len: usize| field.get(at..at + len).unwrap_or_default();
            let id = u32::from_le_bytes(bytes(0, 4).try_into().unwrap_or_default());
            let hash = u64::from_le_bytes(bytes(5, 8).try_into().unwrap_or_default());
            let remembered =
                Remembered { hash: (field[4] & 2 > 0).then_some(hash), written: field[4] & 1 > 0 };
            fields.insert(self.named(id)?, remembered);
        }
        let links = self.links_from(object, target)?;
        let (object, target) = (object.to_owned(), target.to_owned());
        Ok(Some(ReadBack { map, key, object, target, adopted, fields, links }))
    }

    /// The record that a source record became, if it was read back: object and id.
    ///
    /// # Errors
    /// Those of the database.
    pub fn readback_of(&self, map: &str, key: &str) -> Result<Option<(String, String)>> {
        let map = self.intern(map)?;
        self.store(|db| {
            db.prepare_cached("SELECT object, target FROM readback WHERE map = ?1 AND key = ?2 LIMIT 1")?
                .query_row((map, key), |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
        })
    }

    /// How many records are remembered.
    ///
    /// # Errors
    /// Those of the database.
    pub fn readbacks(&self) -> Result<u64> {
        self.store(|db| {
            db.query_row("SELECT count(*) FROM readback", [], |row| row.get::<_, i64>(0))
                .map(i64::cast_unsigned)
        })
    }

    /// The links that were written from a record's side.
    ///
    /// # Errors
    /// Those of the database.
    pub fn links_from(&self, object: &str, target: &str) -> Result<Vec<(String, String)>> {
        self.store(|db| {
            db.prepare_cached("SELECT to_object, to_target FROM made_link WHERE object = ?1 AND target = ?2")?
                .query_map((object, target), |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
    }

    /// Whether a link was written from one record to another.
    ///
    /// # Errors
    /// Those of the database.
    pub fn made_link(&self, from: (&str, &str), to: (&str, &str)) -> Result<bool> {
        self.store(|db| {
            db.prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM made_link WHERE object = ?1 AND target = ?2 AND to_object = ?3 AND to_target = ?4)",
            )?
            .query_row((from.0, from.1, to.0, to.1), |row| row.get(0))
        })
    }

    /// Maps whose records were linked to those of another map, with both names: from, to.
    ///
    /// # Errors
    /// Those of the database.
    pub fn linked_maps(&self) -> Result<Vec<(String, String)>> {
        self.store(|db| {
            db.prepare(
                "SELECT DISTINCT a.name, b.name FROM made_link l
                 JOIN readback f ON f.object = l.object AND f.target = l.target
                 JOIN readback t ON t.object = l.to_object AND t.target = l.to_target
                 JOIN name a ON a.id = f.map JOIN name b ON b.id = t.map WHERE f.map <> t.map ORDER BY 1, 2",
            )?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect()
        })
    }

    /// How many standing records of other maps were linked to records that these maps made, by map.
    ///
    /// # Errors
    /// Those of the database.
    pub fn dependents(&self, maps: &[&str]) -> Result<Vec<(String, u64)>> {
        let mut ids = Vec::new();
        for map in maps {
            ids.push(self.intern(map)?.to_string());
        }
        // Numbers of our own making.
        let ids = ids.join(", ");
        self.store(|db| {
            db.prepare(&format!(
                "SELECT n.name, count(DISTINCT f.object || ' ' || f.target) FROM made_link l
                 JOIN readback t ON t.object = l.to_object AND t.target = l.to_target AND t.adopted = 0 AND t.map IN ({ids})
                 JOIN readback f ON f.object = l.object AND f.target = l.target AND f.map NOT IN ({ids})
                 JOIN name n ON n.id = f.map GROUP BY 1 ORDER BY 1"
            ))?
            .query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned())))?
            .collect()
        })
    }

    /// The name behind a number of [`Workspace::intern`].
    pub(super) fn named(&self, id: u32) -> Result<String> {
        self.store(|db| {
            db.prepare_cached("SELECT name FROM name WHERE id = ?1")?.query_row([id], |row| row.get(0))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(map: &str, key: &str, object: &str, target: &str, links: &[(&str, &str)]) -> ReadBack {
        let field = |hash, written| Remembered { hash, written };
        ReadBack {
            map: map.to_owned(),
            key: key.to_owned(),
            object: object.to_owned(),
            target: target.to_owned(),
            adopted: false,
            fields: BTreeMap::from([
                ("name".to_owned(), field(Some(u64::MAX), true)),
                ("tags".to_owned(), field(None, true)),
                ("owner".to_owned(), field(Some(7), false)),
            ]),
            links: links.iter().map(|(object, id)| ((*object).to_owned(), (*id).to_owned())).collect(),
        }
    }

    #[test]
    fn what_was_read_back_is_kept_whole_and_replaced() {
        let ws = Workspace::in_memory().expect("opens");
        let mut lead = seen("deal", "1", "Lead", "3", &[("Account", "3"), ("Contact", "9")]);
        ws.keep_readback(&lead).expect("keeps");
        assert_eq!(ws.readback("Lead", "3").expect("reads"), Some(lead.clone()));
        assert_eq!(ws.readback("Account", "3").expect("reads"), None);
        lead.links.pop();
        lead.fields.remove("owner");
        ws.keep_readback(&lead).expect("keeps");
        assert_eq!(ws.readback("Lead", "3").expect("reads"), Some(lead));
        assert!(ws.made_link(("Lead", "3"), ("Account", "3")).expect("reads"));
        assert!(!ws.made_link(("Lead", "3"), ("Contact", "9")).expect("reads"));
        assert_eq!(ws.readback_of("deal", "1").expect("reads"), Some(("Lead".to_owned(), "3".to_owned())));
    }

    #[test]
    fn maps_that_depend_on_others_are_named() {
        let ws = Workspace::in_memory().expect("opens");
        ws.keep_readback(&seen("company", "7", "Account", "3", &[])).expect("keeps");
        ws.keep_readback(&seen("deal", "1", "Lead", "3", &[("Account", "3")])).expect("keeps");
        ws.keep_readback(&seen("deal", "2", "Lead", "7", &[("Account", "3")])).expect("keeps");
        ws.keep_readback(&seen("notes of deal", "n", "Note", "3", &[("Lead", "3")])).expect("keeps");
        assert_eq!(ws.dependents(&["company"]).expect("counts"), [("deal".to_owned(), 2)]);
        assert_eq!(ws.dependents(&["deal", "notes of deal"]).expect("counts"), []);
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            ws.linked_maps().expect("lists"),
            [pair("deal", "company"), pair("notes of deal", "deal")]
        );
    }
}
