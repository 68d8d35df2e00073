//! Finds records whose marker no search looks into: where what was sent says that they must be.
//!
//! A note stands in the timeline of its parent, an activity among those of its lead or people, a task among those of
//! its record, a product under its name.

use jiff::ToSpan;
use jiff::civil::Date;
use serde_json::{Map, Value as Json, json};

use super::capability::Kind;
use super::client::malformed;
use super::directory::{id, text};
use super::pages::each_page;
use super::{Nutshell, stored};
use crate::run::connect::{Error, Page, Payload, Stored};

impl Nutshell {
    /// Records with a marker among those that could be what was sent.
    pub(super) async fn by_trace(
        &self,
        kind: Kind,
        marker: &str,
        payload: &Payload,
    ) -> Result<Vec<Stored>, Error> {
        let sent = &payload.fields;
        let ids = match kind {
            Kind::Note => match sent.get("entity") {
                Some(entity) => return self.in_timeline(entity, marker).await,
                None => Vec::new(),
            },
            Kind::Activity => match about(sent) {
                Some(query) => return self.in_activities(query, marker).await,
                None => match days(sent) {
                    Some((from, to)) => {
                        let days = [("filter[dateMin]", from.as_str()), ("filter[dateMax]", to.as_str())];
                        self.rest_listed(kind, &days, None, |row| self.may_carry(kind, row, marker)).await?
                    }
                    None => Vec::new(),
                },
            },
            Kind::Task => match sent.get("entity").and_then(rest_id) {
                Some(entity) => {
                    let about = [("filter[relatedEntity]", entity.as_str())];
                    self.rest_listed(kind, &about, None, |row| self.may_carry(kind, row, marker)).await?
                }
                None => return self.anywhere(kind, marker).await,
            },
            Kind::Product => match sent.get("name").and_then(Json::as_str) {
                Some(name) => {
                    let called = |row: &Json| text(row, "name").is_none_or(|shown| shown == name);
                    self.rest_listed(kind, &[("q", name)], None, called).await?
                }
                None => Vec::new(),
            },
            Kind::Email => return self.email_like(marker, payload).await,
            Kind::Account | Kind::Contact | Kind::Lead => Vec::new(),
        };
        let mut found = self.read_all(kind, &ids).await?;
        found.retain(|stored| stored.marker.as_deref() == Some(marker));
        Ok(found)
    }

    /// Records with a marker among all of the kind.
    pub(super) async fn anywhere(&self, kind: Kind, marker: &str) -> Result<Vec<Stored>, Error> {
        let mut ids = Vec::new();
        let mut cursor = None;
        loop {
            let page = match kind {
                Kind::Note => self.notes_page(cursor.as_deref()).await?,
                Kind::Email => self.emails_page(cursor.as_deref()).await?,
                _ => self.page(kind, cursor.as_deref()).await?,
            };
            let hits = page.records.into_iter().filter(|stored| stored.marker.as_deref() == Some(marker));
            ids.extend(hits.map(|stored| stored.id));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        let mut found = self.read_all(kind, &ids).await?;
        found.retain(|stored| stored.marker.as_deref() == Some(marker));
        Ok(found)
    }

    async fn in_timeline(&self, entity: &Json, marker: &str) -> Result<Vec<Stored>, Error> {
        let query =
            [("query", entity.clone()), ("orderBy", "time".into()), ("orderDirection", "DESC".into())];
        self.in_pages("findTimeline", Kind::Note, &query, marker).await
    }

    async fn in_activities(&self, query: Json, marker: &str) -> Result<Vec<Stored>, Error> {
        let query = [
            ("query", query),
            ("orderBy", "id".into()),
            ("orderDirection", "DESC".into()),
            ("stubResponses", false.into()),
        ];
        self.in_pages("findActivities", Kind::Activity, &query, marker).await
    }

    /// Pages, the latest first, until one holds the marker.
    async fn in_pages(
        &self,
        method: &str,
        kind: Kind,
        query: &[(&str, Json)],
        marker: &str,
    ) -> Result<Vec<Stored>, Error> {
        let mut found = Vec::new();
        each_page(&self.client, method, query, async |rows| {
            let mut ids = Vec::new();
            for row in rows {
                let entity = text(&row, "entityType");
                if stored::deleted(&row) || entity.is_some_and(|entity| entity != kind.entity()) {
                    continue;
                }
                let id = id(&row).ok_or_else(|| malformed(method, "a record without an id"))?;
                if self.may_carry(kind, &row, marker) {
                    ids.push(id);
                }
            }
            found = self.read_all(kind, &ids).await?;
            found.retain(|stored| stored.marker.as_deref() == Some(marker));
            Ok(found.is_empty())
        })
        .await?;
        Ok(found)
    }

    /// Whether a row of a list must be read to know its marker, or carries this one. Stubs lack texts.
    fn may_carry(&self, kind: Kind, row: &Json, marker: &str) -> bool {
        let text = stored::text_of(kind, row);
        let stub = row.get("stub").and_then(Json::as_bool) == Some(true);
        stub || text.is_empty() || text.contains(marker)
    }

    /// Ids of all live records of a REST list.
    pub(super) async fn every_rest_id(
        &self,
        kind: Kind,
        filters: &[(&str, &str)],
    ) -> Result<Vec<String>, Error> {
        self.rest_listed(kind, filters, None, |row| !stored::deleted(row)).await
    }

    /// A page of all notes, which REST alone lists, without revisions. Its order is not documented, so it ends with
    /// an empty page, and one that repeats the page before is a fault.
    pub(super) async fn notes_page(&self, cursor: Option<&str>) -> Result<Page, Error> {
        let kind = Kind::Note;
        let foreign = || malformed(kind.rest(), "a foreign cursor");
        let (number, first) = match cursor {
            None => (0, None),
            Some(cursor) => {
                let (number, first) = cursor.split_once(':').ok_or_else(foreign)?;
                (number.parse().map_err(|_| foreign())?, Some(first.to_owned()))
            }
        };
        let rows = self.rest_rows(kind, number, &[]).await?;
        let Some(head) = rows.first().and_then(id) else { return Ok(Page::default()) };
        if first.as_deref() == Some(head.as_str()) {
            return Err(malformed(kind.rest(), format!("page {number} repeats the page before")));
        }
        let marker_field = self.marker_field.borrow();
        let mut records = Vec::with_capacity(rows.len());
        for row in rows {
            if stored::deleted(&row) {
                continue;
            }
            let stored = stored::listed(kind, row, String::new(), marker_field.as_deref());
            records.push(stored.ok_or_else(|| malformed(kind.rest(), "a record without an id"))?);
        }
        records.sort_by_key(|stored| stored.id.parse::<u64>().unwrap_or(u64::MAX));
        Ok(Page { records, next: Some(format!("{}:{head}", number + 1)) })
    }
}

/// The first link of an activity as a query of `findActivities` (sheet §4): one record's activities are few.
fn about(sent: &Map<String, Json>) -> Option<Json> {
    if let Some(lead) = sent.get("leads").and_then(|leads| leads.as_array()?.first()) {
        return Some(json!({"leadId": lead.get("id")?}));
    }
    let parties = sent.get("participants")?.as_array()?;
    let of = |entity: &str| parties.iter().find(|party| party["entityType"] == entity)?.get("id").cloned();
    of(Kind::Contact.entity())
        .map(|id| json!({"contactId": [id]}))
        .or_else(|| of(Kind::Account.entity()).map(|id| json!({"accountId": [id]})))
}

/// The days around an activity's start, since the account's time zone decides what a day is.
fn days(sent: &Map<String, Json>) -> Option<(String, String)> {
    let day: Date = sent.get("startTime")?.as_str()?.get(..10)?.parse().ok()?;
    Some((day.checked_sub(1.day()).ok()?.to_string(), day.checked_add(1.day()).ok()?.to_string()))
}

/// A link as REST writes it: `17-contacts`.
fn rest_id(entity: &Json) -> Option<String> {
    let name = entity.get("entityType")?.as_str()?;
    let kind = Kind::CORE.into_iter().find(|kind| kind.entity() == name)?;
    Some(format!("{}-{}", id(entity)?, kind.rest()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_activity_is_looked_for_where_it_must_be() {
        let sent = |json: Json| json.as_object().cloned().unwrap_or_default();
        let user = json!({"entityType": "Users", "id": 1});
        let contact = json!({"entityType": "Contacts", "id": 17});
        let account = json!({"entityType": "Accounts", "id": 3});
        let with = |leads: Json, parties: Json| sent(json!({"leads": leads, "participants": parties}));
        assert_eq!(about(&with(json!([{"id": 9}]), json!([contact]))), Some(json!({"leadId": 9})));
        assert_eq!(
            about(&with(json!([]), json!([account, user, contact]))),
            Some(json!({"contactId": [17]}))
        );
        assert_eq!(about(&with(json!([]), json!([user, account]))), Some(json!({"accountId": [3]})));
        assert_eq!(about(&with(json!([]), json!([user]))), None);
        let at = sent(json!({"startTime": "2024-03-01T00:10:00+00:00"}));
        assert_eq!(days(&at), Some(("2024-02-29".to_owned(), "2024-03-02".to_owned())));
        assert_eq!(rest_id(&contact).as_deref(), Some("17-contacts"));
        assert_eq!(rest_id(&user), None);
    }
}
