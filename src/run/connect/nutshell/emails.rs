//! E-mails: written once and for all, found where Nutshell attaches them, listed by the events of their arrival.
//!
//! No API searches e-mails, and no list shows a marker: candidates are told by subject and address, and each is read by
//! its id (sheet §1, §3.2). RPC lists e-mails in timelines only; the events of REST name every one.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::Nutshell;
use super::capability::Kind;
use super::client::{failed, id_json, malformed};
use super::directory::{elements, id, text};
use super::encode::TRACE;
use super::pages::{PAGE, each_page};
use super::search::folded;
use crate::run::connect::{Error, Page, Payload, Stored};

const PATH: &str = "/events";
/// The filter by what an event is about (sheet §1).
const FILTER: (&str, &str) = ("filters[payload][]", "emails");
/// Pages of the newest events among which an e-mail is looked for that was written just now.
const RECENT: usize = 20;
/// Addresses whose people are asked for.
const ADDRESSES: usize = 8;
/// Pages of one timeline that are looked through.
const TIMELINE: usize = 200;

/// An e-mail that an event names, and what came with it.
struct Named {
    id: String,
    row: Option<Json>,
}

/// A page of events, the newest first.
struct Events {
    emails: Vec<Named>,
    next: Option<String>,
}

/// Whether a row can be the e-mail with this subject; one that shows no subject can.
fn may_be(row: &Json, subject: &str) -> bool {
    row.get("subject").and_then(Json::as_str).is_none_or(|there| folded(there) == subject)
}

impl Nutshell {
    /// E-mails with a marker, where one that was sent like this must be.
    pub(super) async fn email_like(&self, marker: &str, payload: &Payload) -> Result<Vec<Stored>, Error> {
        let trace = payload.fields.get(TRACE).unwrap_or(&Json::Null);
        let subject = folded(trace.get("subject").and_then(Json::as_str).unwrap_or_default());
        let mut people = BTreeSet::new();
        for address in elements(trace.get("addresses").unwrap_or(&Json::Null)).iter().take(ADDRESSES) {
            let address = address.as_str().unwrap_or_default();
            for kind in [Kind::Contact, Kind::Account] {
                for id in self.ids_by_email(kind, address).await? {
                    people.insert((kind, id));
                }
            }
        }
        let mut looked_at = BTreeSet::new();
        for (kind, id) in people {
            let found = self.email_in_timeline(kind, &id, marker, &subject, &mut looked_at).await?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        let mut cursor = None;
        for _ in 0..RECENT {
            let page = self.events(cursor.as_deref()).await?;
            let like =
                page.emails.iter().filter(|email| email.row.as_ref().is_none_or(|row| may_be(row, &subject)));
            let ids: Vec<String> =
                like.map(|email| email.id.clone()).filter(|id| looked_at.insert(id.clone())).collect();
            let mut found = self.read_all(Kind::Email, &ids).await?;
            found.retain(|stored| stored.marker.as_deref() == Some(marker));
            cursor = page.next;
            if !found.is_empty() || cursor.is_none() {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }

    async fn email_in_timeline(
        &self,
        kind: Kind,
        of: &str,
        marker: &str,
        subject: &str,
        looked_at: &mut BTreeSet<String>,
    ) -> Result<Vec<Stored>, Error> {
        let query = [
            ("query", json!({"entityType": kind.entity(), "id": id_json(of)})),
            ("orderBy", "time".into()),
            ("orderDirection", "DESC".into()),
        ];
        let (mut found, mut left) = (Vec::new(), TIMELINE);
        each_page(&self.client, "findTimeline", &query, async |rows| {
            left -= 1;
            let emails =
                rows.iter().filter(|row| text(row, "entityType").as_deref() == Some(Kind::Email.entity()));
            let ids = emails.filter(|row| may_be(row, subject)).filter_map(id);
            let ids: Vec<String> = ids.filter(|id| looked_at.insert(id.clone())).collect();
            found = self.read_all(Kind::Email, &ids).await?;
            found.retain(|stored| stored.marker.as_deref() == Some(marker));
            Ok(found.is_empty() && left > 0)
        })
        .await?;
        Ok(found)
    }

    /// A page of all e-mails. Several events may name one of them: it is given with the first.
    pub(super) async fn emails_page(&self, cursor: Option<&str>) -> Result<Page, Error> {
        if cursor.is_none() {
            self.listed_emails.borrow_mut().clear();
        }
        let page = self.events(cursor).await?;
        let ids: Vec<String> = {
            let mut listed = self.listed_emails.borrow_mut();
            page.emails.into_iter().map(|email| email.id).filter(|id| listed.insert(id.clone())).collect()
        };
        Ok(Page { records: self.read_all(Kind::Email, &ids).await?, next: page.next })
    }

    /// Events about e-mails. The cursor is the oldest event so far and the query of the page that follows.
    async fn events(&self, cursor: Option<&str>) -> Result<Events, Error> {
        let limit = PAGE.to_string();
        let (below, mut query) = match cursor {
            None => (u64::MAX, Vec::new()),
            Some(cursor) => {
                let parts =
                    cursor.split_once('?').and_then(|(below, query)| Some((below.parse().ok()?, query)));
                let (below, query) = parts.ok_or_else(|| malformed(PATH, "a foreign cursor"))?;
                (below, pairs(query))
            }
        };
        for (key, value) in [FILTER, ("limit", limit.as_str())] {
            if query.iter().all(|(known, _)| known != key) {
                query.push((key.to_owned(), value.to_owned()));
            }
        }
        let sent: Vec<(&str, &str)> =
            query.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let body = self.client.get(PATH, &sent).await.map_err(|fault| failed(PATH, fault))?;
        let rows = elements(body.get("events").ok_or_else(|| malformed(PATH, "no list of events"))?);
        let shown = elements(body.get("payloads").unwrap_or(&Json::Null));
        let mut emails: Vec<Named> = Vec::new();
        let mut oldest = below;
        for row in &rows {
            let number = id(row).and_then(|id| id.parse::<u64>().ok());
            let number = number.ok_or_else(|| malformed(PATH, "an event without an id"))?;
            // Whether the page begins with the last event of the one before is not documented.
            if number >= below {
                continue;
            }
            oldest = oldest.min(number);
            let about =
                row.get("links").and_then(|links| links.get("payloads")).map(elements).unwrap_or_default();
            for payload in about.iter().filter_map(Json::as_str) {
                let Some(number) = payload.strip_suffix("-emails") else { continue };
                let row =
                    shown.iter().find(|row| row.get("id").and_then(Json::as_str) == Some(payload)).cloned();
                if emails.iter().all(|known| known.id != number) {
                    emails.push(Named { id: number.to_owned(), row });
                }
            }
        }
        let next = (oldest < below).then(|| {
            let meta = body.get("meta").and_then(|meta| meta.get("previous")).and_then(Json::as_str);
            let query = meta.and_then(|url| url.split_once('?')).map(|(_, query)| query.to_owned());
            format!("{oldest}?{}", query.unwrap_or_else(|| format!("max_id={oldest}-events")))
        });
        Ok(Events { emails, next })
    }
}

/// The parts of a query.
fn pairs(query: &str) -> Vec<(String, String)> {
    let pair = |pair: &str| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(key), decoded(value))
    };
    query.split('&').filter(|pair| !pair.is_empty()).map(pair).collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex = || u8::from_str_radix(std::str::from_utf8(tail.get(..2)?).ok()?, 16).ok();
        match (first, hex()) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = tail;
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_of_the_live_page_is_read() {
        let query = "limit=20&max_id=19-events&max_time=1754971251&filters%5Bpayload%5D%5B%5D=emails&x=%zz+1";
        let pairs = pairs(query);
        let pairs: Vec<(&str, &str)> =
            pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(
            pairs,
            [("limit", "20"), ("max_id", "19-events"), ("max_time", "1754971251"), FILTER, ("x", "%zz 1")]
        );
    }

    #[test]
    fn subjects_are_compared_as_people_read_them() {
        let row = json!({"subject": "Re:  Your LAIR "});
        assert!(may_be(&row, &folded("re: your lair")) && !may_be(&row, &folded("your lair")));
        assert!(may_be(&json!({}), "x"), "a stub may be anything");
    }
}
