//! Finds and lists records. Searches are fuzzy or lag behind: every hit is read by its id and compared.

use futures_util::future::join_all;
use serde_json::{Value as Json, json};

use super::capability::Kind;
use super::client::{SYSTEM, failed, malformed, named, refused};
use super::directory::{elements, id};
use super::pages::PAGE;
use super::wire::Fault;
use super::{Nutshell, stored};
use crate::lang::value::Value;
use crate::run::connect::{Error, Page, Stored};

/// Hits of one filter that are read. One that gives more does not filter.
const HITS: usize = 300;

impl Nutshell {
    /// Records that carry a marker.
    pub(super) async fn by_marker(
        &self,
        kind: Kind,
        marker_field: &str,
        marker: &str,
    ) -> Result<Vec<Stored>, Error> {
        let filter = format!("filter[{marker_field}]");
        let live = |row: &Json| !stored::deleted(row);
        let ids = self.rest_listed(kind, &[(filter.as_str(), marker)], Some(HITS), live).await?;
        let mut found = self.read_all(kind, &ids).await?;
        found.retain(|stored| stored.marker.as_deref() == Some(marker));
        Ok(found)
    }

    /// Records whose field has this value. Case and the spelling of web addresses do not matter; a person decides
    /// where several fit.
    pub(super) async fn by_field(
        &self,
        kind: Kind,
        field: &str,
        value: &Value,
    ) -> Result<Vec<Stored>, Error> {
        if !kind.matchable().contains(&field) {
            let request = format!("{}.{field}", kind.object());
            return Err(refused(&request, "no search looks into this field: match by another one"));
        }
        let text = value.to_text();
        let text = text.trim();
        if text.is_empty() {
            return Ok(Vec::new());
        }
        let wanted = match field {
            "url" => stored::web_address(text),
            _ => folded(text),
        };
        let ids = match field {
            "email" => self.ids_by_email(kind, text).await?,
            // A search splits an address into words; its host is what sites are told apart by.
            "url" => {
                let host = wanted.split('/').next().unwrap_or_default();
                self.rest_listed(kind, &[("q", host)], None, |row| !stored::deleted(row)).await?
            }
            // A common word has more hits than anybody would read: what a row shows of itself is looked at first.
            _ => {
                let may_be = |row: &Json| {
                    let shown = super::directory::text(row, field);
                    let fits = |shown: String| match kind {
                        // How REST joins the parts of a person's name is not documented.
                        Kind::Contact => folded(&shown).contains(&wanted),
                        _ => folded(&shown) == wanted,
                    };
                    !stored::deleted(row) && shown.is_none_or(fits)
                };
                self.rest_listed(kind, &[("q", text)], None, may_be).await?
            }
        };
        let mut found = self.read_all(kind, &ids).await?;
        found.retain(|stored| match field {
            "name" => stored::name(&stored.body).is_some_and(|name| folded(&name) == wanted),
            "sku" => super::directory::text(&stored.body, "sku").is_some_and(|sku| folded(&sku) == wanted),
            field => stored::items(&stored.body, field)
                .into_iter()
                .any(|(_, value)| stored::identity(field, value) == wanted),
        });
        Ok(found)
    }

    pub(super) async fn ids_by_email(&self, kind: Kind, email: &str) -> Result<Vec<String>, Error> {
        let method = "searchByEmail";
        let found = self.client.read(method, named([("emailAddressString", email.into())])).await;
        let found = found.map_err(|fault| failed(method, fault))?;
        Ok(elements(found.get(kind.rest()).unwrap_or(&Json::Null)).iter().filter_map(id).collect())
    }

    /// Reads records by id; those that are gone are left out.
    pub(super) async fn read_all(&self, kind: Kind, ids: &[String]) -> Result<Vec<Stored>, Error> {
        let found = join_all(ids.iter().map(|id| self.get(kind, id))).await;
        found.into_iter().filter_map(Result::transpose).collect()
    }

    /// One page of all live records. The cursor is the page and the highest id before it.
    pub(super) async fn page(&self, kind: Kind, cursor: Option<&str>) -> Result<Page, Error> {
        let method = format!("find{}", kind.entity());
        let (number, after) = match cursor {
            None => (1, 0),
            Some(cursor) => read_cursor(cursor).ok_or_else(|| malformed(&method, "a foreign cursor"))?,
        };
        let mut why = String::new();
        // A page that contradicts the one before is asked for once more before it counts.
        for _ in 0..2 {
            let (records, rows) = self.full_page(kind, &method, number).await?;
            let (rising, last) = rising(&rows, after);
            if !rising {
                why = format!("page {number} does not continue after {after}");
                continue;
            }
            if rows.len() >= PAGE {
                return Ok(Page { records, next: Some(format!("{}:{last}", number + 1)) });
            }
            // A short page is the last one (sheet §4): believed when nothing follows.
            if self.ids_of_page(kind, &method, number + 1).await?.is_empty() {
                return Ok(Page { records, next: None });
            }
            why = format!("page {number} is short, and page {} is not empty", number + 1);
        }
        Err(Error::Inconsistent { system: SYSTEM, object: kind.object().to_owned(), why })
    }

    /// Full records of a page, and the ids that it listed. Only large requests are throttled (sheet §3.3), so a busy
    /// system is asked for stubs, and for each record.
    async fn full_page(
        &self,
        kind: Kind,
        method: &str,
        number: usize,
    ) -> Result<(Vec<Stored>, Vec<String>), Error> {
        let busy_503 = self.known.busy_503();
        let read = async |params| self.client.read_hastily(method, params, busy_503).await;
        let rows = match self.find(kind, number, false, read).await {
            Ok(rows) => elements(&rows),
            Err(Fault::Busy { .. } | Fault::Lost(_)) => {
                let ids = self.ids_of_page(kind, method, number).await?;
                return Ok((self.read_all(kind, &ids).await?, ids));
            }
            Err(fault) => return Err(failed(method, fault)),
        };
        let ids = ids(method, &rows)?;
        let mut records = Vec::with_capacity(rows.len());
        for row in rows {
            if stored::deleted(&row) {
                continue;
            }
            match self.stored(kind, row) {
                Some(stored) => records.push(stored),
                // Stubs where full records were asked for.
                None => return Ok((self.read_all(kind, &ids).await?, ids)),
            }
        }
        Ok((records, ids))
    }

    /// Asks for a page. `findTasks` is not documented to take `stubResponses` (sheet §4): where it was refused, it is
    /// left out.
    async fn find(
        &self,
        kind: Kind,
        number: usize,
        stubs: bool,
        read: impl AsyncFn(Json) -> Result<Json, Fault>,
    ) -> Result<Json, Fault> {
        if kind == Kind::Task && self.known.plain_tasks() {
            return read(find(kind, number, None)).await;
        }
        match read(find(kind, number, Some(stubs))).await {
            Err(Fault::Refused(_)) if kind == Kind::Task => {
                let rows = read(find(kind, number, None)).await?;
                self.known.tasks_are_plain();
                Ok(rows)
            }
            answer => answer,
        }
    }

    async fn ids_of_page(&self, kind: Kind, method: &str, number: usize) -> Result<Vec<String>, Error> {
        let rows = self.find(kind, number, true, async |params| self.client.read(method, params).await).await;
        ids(method, &elements(&rows.map_err(|fault| failed(method, fault))?))
    }
}

/// The parameters of a page of everything (sheet §4); pages count from 1.
fn find(kind: Kind, number: usize, stubs: Option<bool>) -> Json {
    let mut params = named([
        ("orderBy", "id".into()),
        ("orderDirection", "ASC".into()),
        ("limit", PAGE.into()),
        ("page", number.into()),
    ]);
    if let Some(stubs) = stubs {
        params["stubResponses"] = stubs.into();
    }
    match kind {
        // Takes no query (sheet §4).
        Kind::Product => {}
        // Leads of everybody, not only one's own.
        Kind::Lead => params["query"] = json!({"filter": 2}),
        _ => params["query"] = json!({}),
    }
    params
}

fn ids(method: &str, rows: &[Json]) -> Result<Vec<String>, Error> {
    rows.iter().map(|row| id(row).ok_or_else(|| malformed(method, "a record without an id"))).collect()
}

/// Whether numbers rise after `after`, and the last one.
fn rising(ids: &[String], after: u64) -> (bool, u64) {
    let mut last = after;
    for id in ids {
        match id.parse::<u64>() {
            Ok(id) if id > last => last = id,
            _ => return (false, last),
        }
    }
    (true, last)
}

fn read_cursor(cursor: &str) -> Option<(usize, u64)> {
    let (page, after) = cursor.split_once(':')?;
    Some((page.parse().ok().filter(|page| *page >= 1)?, after.parse().ok()?))
}

/// A text without the spelling that does not matter when records are compared.
pub(super) fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_must_continue() {
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        assert_eq!(rising(&ids(&["3", "7", "11"]), 0), (true, 11));
        assert_eq!(rising(&ids(&["3", "7"]), 3), (false, 3));
        assert!(!rising(&ids(&["3", "3"]), 0).0);
        assert!(!rising(&ids(&["x"]), 0).0);
        assert_eq!(rising(&[], 9), (true, 9));
        assert_eq!(read_cursor("2:11"), Some((2, 11)));
        assert!(["", "2", "0:1", "x:1", "1:-1"].into_iter().all(|cursor| read_cursor(cursor).is_none()));
    }
}
