//! Lists that come in pages, of both APIs: where one ends, and what one that never ends is.

use serde_json::{Map, Value as Json};

use super::Nutshell;
use super::capability::Kind;
use super::client::{Client, failed, malformed};
use super::directory::{elements, id};
use crate::run::connect::Error;

/// Rows in one page: full pages hold no more (sheet §4).
pub(super) const PAGE: usize = 100;
/// A list that never ends is a fault.
const PAGES: usize = 10_000;

/// Where a list of pages has come to.
#[derive(Default)]
struct End {
    first: Option<String>,
    pages: usize,
}

impl End {
    /// Whether a page continues the list: one that is empty does not, nor does one that repeats the page before, as
    /// a list does that ignores the page.
    fn goes_on(&mut self, request: &str, rows: &[Json]) -> Result<bool, Error> {
        let head = rows.first().and_then(id);
        let repeats = self.pages > 0 && head == self.first;
        self.first = head;
        self.pages += 1;
        if self.pages > PAGES {
            return Err(malformed(request, "a list without an end"));
        }
        Ok(!rows.is_empty() && !repeats)
    }
}

/// Gives the pages of an RPC find to `look` until one is short, or `look` has seen enough and says `false`. Pages
/// count from 1 (sheet §4).
pub(super) async fn each_page(
    client: &Client,
    method: &str,
    more: &[(&str, Json)],
    mut look: impl AsyncFnMut(Vec<Json>) -> Result<bool, Error>,
) -> Result<(), Error> {
    let mut end = End::default();
    for page in 1.. {
        let mut params: Map<String, Json> =
            more.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        params.insert("limit".to_owned(), PAGE.into());
        params.insert("page".to_owned(), page.into());
        let found = client.read(method, Json::Object(params)).await.map_err(|fault| failed(method, fault))?;
        if !(found.is_array() || found.is_object() || found.is_null()) {
            return Err(malformed(method, "no list"));
        }
        let rows = elements(&found);
        if !end.goes_on(method, &rows)? {
            break;
        }
        let full = rows.len() >= PAGE;
        if !look(rows).await? || !full {
            break;
        }
    }
    Ok(())
}

/// Every row of an RPC find.
pub(super) async fn every_row(
    client: &Client,
    method: &str,
    more: &[(&str, Json)],
) -> Result<Vec<Json>, Error> {
    let mut all = Vec::new();
    each_page(client, method, more, async |rows| {
        all.extend(rows);
        Ok(true)
    })
    .await?;
    Ok(all)
}

impl Nutshell {
    /// Ids of the records of a REST list that a test takes, in rising order; more than `at_most` of them are a fault,
    /// since then the filter does not filter.
    pub(super) async fn rest_listed(
        &self,
        kind: Kind,
        filters: &[(&str, &str)],
        at_most: Option<usize>,
        takes: impl Fn(&Json) -> bool,
    ) -> Result<Vec<String>, Error> {
        let path = kind.rest();
        let (mut ids, mut end) = (Vec::new(), End::default());
        for page in 0.. {
            let rows = self.rest_rows(kind, page, filters).await?;
            if !end.goes_on(path, &rows)? {
                break;
            }
            let full = rows.len() >= PAGE;
            for row in rows {
                let id = id(&row).ok_or_else(|| malformed(path, "a record without an id"))?;
                if takes(&row) {
                    ids.push(id);
                }
            }
            if at_most.is_some_and(|most| ids.len() > most) {
                let by: Vec<&str> = filters.iter().map(|(key, _)| *key).collect();
                let why = format!(
                    "more than {} records for one `{}`: it does not filter",
                    ids.len() - 1,
                    by.join("`, `")
                );
                return Err(malformed(path, why));
            }
            if !full {
                break;
            }
        }
        ids.sort_by_key(|id| id.parse().unwrap_or(u64::MAX));
        ids.dedup();
        Ok(ids)
    }

    /// One page of a REST list; pages count from 0 (sheet §3.2).
    pub(super) async fn rest_rows(
        &self,
        kind: Kind,
        page: usize,
        filters: &[(&str, &str)],
    ) -> Result<Vec<Json>, Error> {
        let path = format!("/{}", kind.rest());
        let (page, limit) = (page.to_string(), PAGE.to_string());
        let mut query = filters.to_vec();
        query.extend([("page[page]", page.as_str()), ("page[limit]", limit.as_str())]);
        let body = self.client.get(&path, &query).await.map_err(|fault| failed(&path, fault))?;
        let rows = body.get(kind.rest()).map(elements);
        rows.ok_or_else(|| malformed(&path, format!("no list of {}", kind.rest())))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_ends_where_it_is_empty_or_repeats_itself_and_one_that_never_does_is_a_fault() {
        let page = |first: usize| vec![json!({"id": first})];
        let mut end = End::default();
        assert_eq!(end.goes_on("x", &page(1)), Ok(true));
        assert_eq!(end.goes_on("x", &page(2)), Ok(true));
        assert_eq!(end.goes_on("x", &page(2)), Ok(false));
        assert_eq!(End::default().goes_on("x", &[]), Ok(false));
        let mut end = End::default();
        let ended = (0..=PAGES).map(|at| end.goes_on("x", &page(at))).find(|told| *told != Ok(true));
        assert!(matches!(ended, Some(Err(Error::Malformed { .. }))), "{ended:?}");
    }
}
