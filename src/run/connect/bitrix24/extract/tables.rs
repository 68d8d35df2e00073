//! How the portal's further lists are read: stage histories, telephone calls, tasks, requisites, the catalogue's
//! sections and prices. Addresses have a way of their own.

use super::ask::ask;
use super::reading::{Listing, Part, Reading};
use crate::run::connect::Error;
use crate::run::connect::bitrix24::client::{Client, malformed};
use crate::run::connect::bitrix24::wire::Command;

/// Describes the fields of tasks.
pub(in crate::run::connect::bitrix24) const TASK_FIELDS: &str = "tasks.task.getFields";

/// A list that pages by id.
struct Table {
    object: &'static str,
    list: &'static str,
    select: &'static [&'static str],
    listing: Listing,
    part: Option<Part>,
}

/// Pages in a batch where each of their records is asked for what belongs to it.
const PAGES_WITH_PARTS: usize = 10;

const HISTORY: Listing = Listing { rows: Some("items"), ..Listing::CLASSIC };

/// Fields of tasks that are moved or listed; without a selection most are left out (sheet §10.17).
pub(super) const TASK: &[&str] = &[
    "ID",
    "PARENT_ID",
    "TITLE",
    "DESCRIPTION",
    "MARK",
    "PRIORITY",
    "STATUS",
    "GROUP_ID",
    "CREATED_BY",
    "CREATED_DATE",
    "RESPONSIBLE_ID",
    "ACCOMPLICES",
    "AUDITORS",
    "CHANGED_BY",
    "CHANGED_DATE",
    "CLOSED_BY",
    "CLOSED_DATE",
    "DATE_START",
    "DEADLINE",
    "START_DATE_PLAN",
    "END_DATE_PLAN",
    "XML_ID",
    "COMMENTS_COUNT",
    "TIME_ESTIMATE",
    "TIME_SPENT_IN_LOGS",
    "REPLICATE",
    "UF_CRM_TASK",
    "UF_TASK_WEBDAV_FILES",
];

const TABLES: [Table; 8] = [
    Table {
        object: "deal_history",
        list: "crm.stagehistory.list",
        select: &[],
        listing: Listing { fixed: &[("entityTypeId", "2")], ..HISTORY },
        part: None,
    },
    Table {
        object: "lead_history",
        list: "crm.stagehistory.list",
        select: &[],
        listing: Listing { fixed: &[("entityTypeId", "1")], ..HISTORY },
        part: None,
    },
    Table {
        object: "call",
        list: "voximplant.statistic.get",
        select: &[],
        // That `-1` is taken here is written nowhere.
        listing: Listing { filter: "FILTER", flat: true, start: "0", ..Listing::CLASSIC },
        part: None,
    },
    Table {
        object: "task",
        list: "tasks.task.list",
        select: TASK,
        listing: Listing { rows: Some("tasks"), id: ("ID", "id"), ..Listing::CLASSIC },
        part: Some(Part::CheckList),
    },
    Table {
        object: "company_requisite",
        list: "crm.requisite.list",
        select: &["*", "UF_*"],
        listing: Listing { fixed: &[("filter[ENTITY_TYPE_ID]", "4")], ..Listing::CLASSIC },
        part: Some(Part::BankDetails),
    },
    Table {
        object: "contact_requisite",
        list: "crm.requisite.list",
        select: &["*", "UF_*"],
        listing: Listing { fixed: &[("filter[ENTITY_TYPE_ID]", "3")], ..Listing::CLASSIC },
        part: Some(Part::BankDetails),
    },
    Table {
        object: "product_section",
        list: "crm.productsection.list",
        select: &[],
        listing: Listing::CLASSIC,
        part: None,
    },
    Table {
        object: "product_price",
        list: "catalog.price.list",
        select: &[],
        listing: Listing { rows: Some("prices"), id: ("id", "id"), ..Listing::CLASSIC },
        part: None,
    },
];

/// The Smart Process whose stage history an object is: 1032 for `process_1032_history`.
pub(in crate::run::connect::bitrix24) fn history_of(object: &str) -> Option<u32> {
    object.strip_prefix("process_")?.strip_suffix("_history")?.parse().ok()
}

/// The custom fields of tasks, which must be named to come (sheet §10.17); none where the portal does not tell them.
pub(super) async fn custom_of_tasks(client: &Client) -> Result<Vec<String>, Error> {
    let fields = Command::new("fields", TASK_FIELDS, &[]);
    let mut replies = ask(client, TASK_FIELDS, &[fields]).await?;
    let Some(Ok(answer)) = replies.remove("fields").map(|reply| reply.result) else { return Ok(Vec::new()) };
    let answer: serde_json::Value =
        serde_json::from_str(answer.get()).map_err(|e| malformed(TASK_FIELDS, e.to_string()))?;
    Ok(own_of_tasks(&answer).map(|(name, _)| name.clone()).collect())
}

/// The fields among the described ones that the portal's people added.
pub(in crate::run::connect::bitrix24) fn own_of_tasks(
    answer: &serde_json::Value,
) -> impl Iterator<Item = (&String, &serde_json::Value)> {
    let fields = answer.get("fields").unwrap_or(answer).as_object().into_iter().flatten();
    // Links and files are known; mail is not what a task says.
    const KNOWN: [&str; 3] = ["UF_CRM_TASK", "UF_TASK_WEBDAV_FILES", "UF_MAIL_MESSAGE"];
    fields.filter(|(name, _)| name.starts_with("UF_") && !KNOWN.contains(&name.as_str()))
}

/// The objects that are read this way or by their owners.
pub(super) fn names() -> Vec<&'static str> {
    TABLES.iter().map(|table| table.object).chain(["company_address", "contact_address"]).collect()
}

/// The reading of an object of this room.
pub(super) fn reading(plain: Reading) -> Option<Reading> {
    if let Some(kind) = history_of(&plain.object) {
        return Some(Reading {
            list: "crm.stagehistory.list",
            select: &[],
            listing: HISTORY,
            conditions: vec![("entityTypeId".to_owned(), kind.to_string())],
            ..plain
        });
    }
    let table = TABLES.iter().find(|table| table.object == plain.object)?;
    Some(Reading {
        list: table.list,
        select: table.select,
        listing: table.listing,
        part: table.part,
        pages: if table.part.is_some() { PAGES_WITH_PARTS } else { plain.pages },
        ..plain
    })
}
