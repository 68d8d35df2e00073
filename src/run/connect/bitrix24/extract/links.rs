//! Link lists: beside a page from the universal list, or singly (sheet §7, §10.3, §10.4).

use std::collections::HashMap;

use serde_json::value::RawValue;

use super::reading::Reading;
use super::window::{Found, Link};
use crate::run::connect::Error;
use crate::run::connect::bitrix24::client::{Client, Trouble, malformed};
use crate::run::connect::bitrix24::wire::{Batch as Answers, Command, Php, number, scalar};

/// The link lists that stand beside a page, by record; `None` when the portal refuses them.
pub(super) fn links_of_page(
    client: &Client,
    m: &Reading,
    n: usize,
    beside: bool,
    batch: &Answers<'_>,
) -> Result<Option<HashMap<u64, Vec<Link>>>, Trouble> {
    let mut out = HashMap::new();
    let name = if m.within { format!("p{n}") } else { format!("l{n}") };
    let Some(result) = batch.results.get(&name).filter(|_| beside || m.within) else {
        let Some(problem) = batch.problem(&name) else { return Ok(Some(out)) };
        return match client.judge("crm.item.list", 400, &problem) {
            // Not here, then: the records are asked for singly.
            Trouble::Fatal(_) => Ok(None),
            trouble => Err(trouble),
        };
    };
    let items = Php::parse(result).and_then(|map| Php::parse(map.get("items")?)).unwrap_or_default();
    let (list, main) = m.names;
    for item in items.rows() {
        let Some(item) = Php::parse(item) else { continue };
        let (Some(id), Some(ids)) = (item.get("id").and_then(number), item.get(list).and_then(Php::parse))
        else {
            continue;
        };
        let ids: Vec<u64> = ids.rows().into_iter().filter_map(number).filter(|id| *id > 0).collect();
        let main =
            item.get(main).and_then(number).filter(|id| ids.contains(id)).or_else(|| ids.first().copied());
        let links =
            ids.iter().zip(1u64..).map(|(id, n)| Link { id: *id, primary: Some(*id) == main, sort: n * 10 });
        out.insert(id, links.collect());
    }
    Ok(Some(out))
}

/// Asks for the links of one record.
pub(super) fn single(method: &'static str, id: u64) -> Command {
    Command::new(format!("r{id}"), method, &[("id", &id.to_string())])
}

/// Puts the answer into the record.
pub(super) fn put(record: &mut Found, rows: &RawValue) -> Result<(), Error> {
    let rows = Php::parse(rows).ok_or_else(|| malformed("items.get", "links that are not a list"))?;
    record.links = Some(rows.rows().into_iter().filter_map(single_link).collect());
    Ok(())
}

/// A row of `*.items.get` (sheet §10.3).
fn single_link(row: &RawValue) -> Option<Link> {
    let row = Php::parse(row)?;
    let id = row.get("COMPANY_ID").or_else(|| row.get("CONTACT_ID")).and_then(number).filter(|id| *id > 0)?;
    let primary =
        row.get("IS_PRIMARY").map(scalar).is_some_and(|flag| flag == "Y" || flag == "1" || flag == "true");
    Some(Link { id, primary, sort: row.get("SORT").and_then(number).unwrap_or(0) })
}
