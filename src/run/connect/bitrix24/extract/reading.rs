//! How each object is read: its methods, what is selected, what belongs to its records.

use serde_json::value::RawValue;

use super::{COMMANDS, rows};
use crate::run::connect::Error;
use crate::run::connect::bitrix24::client::refused;
use crate::run::connect::bitrix24::wire::Php;

/// How an object is read.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub(super) object: String,
    pub(super) list: &'static str,
    /// Its records come from the universal list, not only their links.
    pub(super) universal: bool,
    pub(super) entity_type: String,
    /// Answers one record's links.
    pub(super) links: Option<&'static str>,
    /// The universal names of link list and primary link.
    pub(super) names: (&'static str, &'static str),
    /// The field with the primary link.
    pub(super) primary: &'static str,
    pub(super) select: &'static [&'static str],
    pub(super) rows: Option<rows::Methods>,
    pub(super) bindings: bool,
    /// Pages in a batch, where what belongs to the records takes many more requests.
    pub(super) pages: usize,
}

impl Reading {
    pub(super) fn id(&self) -> &'static str {
        if self.universal { "id" } else { "ID" }
    }

    /// The parameters that every call of the list has.
    pub(super) fn basis(&self) -> Vec<(String, String)> {
        let mut out = vec![(format!("order[{}]", self.id()), "ASC".to_owned())];
        if self.universal {
            out.push(("entityTypeId".to_owned(), self.entity_type.clone()));
            // Names in camelCase do not translate back (sheet §13); with the original ones, no such name is selected.
            out.push(("useOriginalUfNames".to_owned(), "Y".to_owned()));
        }
        out
    }

    /// Whether something that belongs to its records is asked for after them.
    pub(super) fn asks_more(&self) -> bool {
        self.rows.is_some() || self.bindings
    }

    /// The same object's ids alone.
    pub(super) fn bare(&self) -> Reading {
        let select: &'static [&'static str] = if self.universal { &["id"] } else { &["ID"] };
        Reading { select, links: None, rows: None, bindings: false, pages: COMMANDS, ..self.clone() }
    }

    /// The rows of a page.
    pub(super) fn page<'a>(&self, result: &'a RawValue) -> Option<Php<'a>> {
        let page = Php::parse(result)?;
        if self.universal { Php::parse(page.get("items")?) } else { Some(page) }
    }
}

const MULTIFIELDS: &[&str] = &["*", "UF_*", "PHONE", "EMAIL", "WEB", "IM"];
const PLAIN: &[&str] = &["*", "UF_*"];
/// Products drop the star, and list no property without being asked (sheet §10.8).
const PRODUCT: &[&str] = &[
    "ID",
    "CATALOG_ID",
    "PRICE",
    "CURRENCY_ID",
    "NAME",
    "CODE",
    "DESCRIPTION",
    "DESCRIPTION_TYPE",
    "ACTIVE",
    "SECTION_ID",
    "SORT",
    "VAT_ID",
    "VAT_INCLUDED",
    "MEASURE",
    "XML_ID",
    "PREVIEW_PICTURE",
    "DETAIL_PICTURE",
    "DATE_CREATE",
    "TIMESTAMP_X",
    "MODIFIED_BY",
    "CREATED_BY",
    "PROPERTY_*",
];
const ACTIVITY: &[&str] = &["*", "COMMUNICATIONS", "FILES"];

/// How the object of this name is read.
pub(super) fn reading(object: &str) -> Result<Reading, Error> {
    let plain = Reading {
        object: object.to_owned(),
        list: "",
        universal: false,
        entity_type: String::new(),
        links: None,
        names: ("", ""),
        primary: "",
        select: MULTIFIELDS,
        rows: None,
        bindings: false,
        pages: COMMANDS,
    };
    let rows = |owner, single| Some(rows::Methods { owner, single });
    Ok(match object {
        "company" => Reading { list: "crm.company.list", ..plain },
        "contact" => Reading {
            list: "crm.contact.list",
            entity_type: "3".to_owned(),
            links: Some("crm.contact.company.items.get"),
            names: ("companyIds", "companyId"),
            primary: "COMPANY_ID",
            ..plain
        },
        "deal" => Reading {
            list: "crm.deal.list",
            entity_type: "2".to_owned(),
            links: Some("crm.deal.contact.items.get"),
            names: ("contactIds", "contactId"),
            primary: "CONTACT_ID",
            select: PLAIN,
            rows: rows("D", "crm.deal.productrows.get"),
            ..plain
        },
        "lead" => Reading { list: "crm.lead.list", rows: rows("L", "crm.lead.productrows.get"), ..plain },
        "quote" => Reading {
            list: "crm.quote.list",
            entity_type: "7".to_owned(),
            links: Some("crm.quote.contact.items.get"),
            names: ("contactIds", "contactId"),
            primary: "CONTACT_ID",
            select: PLAIN,
            rows: rows("Q", "crm.quote.productrows.get"),
            ..plain
        },
        "product" => Reading { list: "crm.product.list", select: PRODUCT, ..plain },
        "activity" => {
            Reading { list: "crm.activity.list", select: ACTIVITY, bindings: true, pages: 10, ..plain }
        }
        _ => match object.strip_prefix("process ").filter(|id| id.parse::<u32>().is_ok()) {
            Some(id) => Reading {
                list: "crm.item.list",
                universal: true,
                entity_type: id.to_owned(),
                select: &["*"],
                ..plain
            },
            None => {
                return Err(refused(
                    "extract",
                    &format!(
                        "`{object}` is not an object that can be read: company, contact, deal, lead, quote, \
                         product, activity, comment and `process 1032` are"
                    ),
                ));
            }
        },
    })
}
