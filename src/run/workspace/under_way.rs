//! What an edit sends, from before it is sent until its end is known: without an answer nothing else tells later which
//! fields it was about. Gone with the answer, since it holds values.

use rusqlite::OptionalExtension;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::{Result, Workspace};

/// What an edit sends.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UnderWay {
    /// The fields that it changes, as they are called in what is read back.
    pub touched: Vec<String>,
    /// Fields as the destination's API takes them.
    pub fields: Map<String, Json>,
}

impl Workspace {
    /// Keeps what a write of the journal sends. Call it in the transaction that notes the write.
    ///
    /// # Errors
    /// Those of the database: nothing may be sent then.
    pub fn keep_under_way(&self, seq: i64, sent: &UnderWay) -> Result<()> {
        let json = serde_json::to_string(sent).unwrap_or_default();
        self.store(|db| {
            db.prepare_cached("INSERT OR REPLACE INTO under_way(seq, sent) VALUES (?1, ?2)")?
                .execute((seq, &json))
                .map(|_| ())
        })
    }

    /// What a write of the journal has sent, as long as nobody knows how it ended.
    ///
    /// # Errors
    /// Those of the database.
    pub fn under_way(&self, seq: i64) -> Result<Option<UnderWay>> {
        let json: Option<String> = self.store(|db| {
            db.prepare_cached("SELECT sent FROM under_way WHERE seq = ?1")?
                .query_row([seq], |row| row.get(0))
                .optional()
        })?;
        Ok(json.and_then(|json| serde_json::from_str(&json).ok()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::workspace::{Intent, JournalState, Operation};

    #[test]
    fn what_is_under_way_is_kept_until_its_end_is_known() {
        let ws = Workspace::in_memory().expect("opens");
        let intent = Intent {
            map: "deal".to_owned(),
            key: "7".to_owned(),
            operation: Operation::Edit,
            step: 0,
            payload: "00".to_owned(),
            target: Some("3".to_owned()),
            before: None,
        };
        let sent = UnderWay {
            touched: vec!["description".to_owned()],
            fields: Map::from_iter([("description".to_owned(), Json::from("x"))]),
        };
        for (state, stays) in
            [(JournalState::Unknown, true), (JournalState::Done, false), (JournalState::Failed, false)]
        {
            let seq = ws.intend(std::slice::from_ref(&intent), 5).expect("notes")[0];
            ws.keep_under_way(seq, &sent).expect("keeps");
            assert_eq!(ws.under_way(seq).expect("reads").as_ref(), Some(&sent));
            ws.ended(seq, state, None, None, 9).expect("ends");
            assert_eq!(ws.under_way(seq).expect("reads").is_some(), stays, "{state:?}");
        }
    }
}
