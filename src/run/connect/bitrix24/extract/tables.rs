//! How the portal's further lists are read: stage histories, telephone calls, tasks, requisites, the catalogue's
//! sections and prices. Addresses have a way of their own.

use super::reading::{Listing, Part, Reading};

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

/// The objects that are read this way or by their owners.
pub(super) fn names() -> Vec<&'static str> {
    TABLES.iter().map(|table| table.object).chain(["company_address", "contact_address"]).collect()
}

/// The reading of an object of this room.
pub(super) fn reading(plain: Reading) -> Option<Reading> {
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
