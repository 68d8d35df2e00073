//! How each object is read: its methods, what is selected, what belongs to its records.

use serde_json::value::RawValue;

use super::{COMMANDS, rows, tables};
use crate::run::connect::Error;
use crate::run::connect::bitrix24::client::refused;
use crate::run::connect::bitrix24::decode::short_code;
use crate::run::connect::bitrix24::wire::Php;

/// How a list spells its conditions, its order and its pages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listing {
    /// The parameter with the conditions.
    pub(super) filter: &'static str,
    /// The key of the rows, where they are not the result itself.
    pub(super) rows: Option<&'static str>,
    /// The id in requests, and in answers.
    pub(super) id: (&'static str, &'static str),
    /// `SORT` and `ORDER` are texts.
    pub(super) flat: bool,
    /// What goes without a count: `-1`, or `0` where that is not known to be taken.
    pub(super) start: &'static str,
    /// What every call has, since the method lists several kinds of records.
    pub(super) fixed: &'static [(&'static str, &'static str)],
}

impl Listing {
    pub(super) const CLASSIC: Listing =
        Listing { filter: "filter", rows: None, id: ("ID", "ID"), flat: false, start: "-1", fixed: &[] };
    pub(super) const UNIVERSAL: Listing =
        Listing { rows: Some("items"), id: ("id", "id"), ..Listing::CLASSIC };
}

/// What else belongs to a record and is asked for with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The bank details of a requisite.
    BankDetails,
    /// The check list of a task.
    CheckList,
}

/// How an object is read.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub(super) object: String,
    pub(super) list: &'static str,
    /// Its records come from the universal list, not only their links.
    pub(super) universal: bool,
    pub(super) entity_type: String,
    /// Links stand in the records of the list themselves.
    pub(super) within: bool,
    /// Answers one record's links.
    pub(super) links: Option<&'static str>,
    /// The universal names of link list and primary link.
    pub(super) names: (&'static str, &'static str),
    /// The field with the primary link.
    pub(super) primary: &'static str,
    pub(super) select: &'static [&'static str],
    pub(super) rows: Option<rows::Methods>,
    pub(super) bindings: bool,
    pub(super) part: Option<Part>,
    pub(super) listing: Listing,
    /// What is selected besides: custom fields, where they must be named.
    pub(super) custom: Vec<String>,
    /// Further conditions, as parameters.
    pub(super) conditions: Vec<(String, String)>,
    /// Pages in a batch, where what belongs to the records takes many more requests.
    pub(super) pages: usize,
}

impl Reading {
    pub(super) fn id(&self) -> &'static str {
        self.listing.id.0
    }

    /// The condition on the id: `filter[>ID]`.
    pub(super) fn bound(&self, operator: &str) -> String {
        format!("{}[{operator}{}]", self.listing.filter, self.id())
    }

    /// The id of a row that another command of the same batch listed.
    pub(super) fn row_of(&self, command: &str, row: usize) -> String {
        let rows = self.listing.rows.map_or_else(String::new, |rows| format!("[{rows}]"));
        format!("$result[{command}]{rows}[{row}][{}]", self.listing.id.1)
    }

    /// The parameters that every call of the list has.
    pub(super) fn basis(&self) -> Vec<(String, String)> {
        let mut out = if self.listing.flat {
            vec![("SORT".to_owned(), self.id().to_owned()), ("ORDER".to_owned(), "ASC".to_owned())]
        } else {
            vec![(format!("order[{}]", self.id()), "ASC".to_owned())]
        };
        if self.universal {
            out.push(("entityTypeId".to_owned(), self.entity_type.clone()));
            // Names in camelCase do not translate back (sheet §13); with the original ones, no such name is selected.
            out.push(("useOriginalUfNames".to_owned(), "Y".to_owned()));
        }
        out.extend(self.listing.fixed.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        out.extend(self.conditions.iter().cloned());
        out
    }

    /// Whether something that belongs to its records is asked for after them, as far as that is known before.
    pub(super) fn asks_more(&self) -> bool {
        self.rows.as_ref().is_some_and(|rows| rows.single.is_some()) || self.bindings || self.part.is_some()
    }

    /// The fields that every page selects.
    pub(super) fn selected(&self) -> impl Iterator<Item = (String, String)> {
        let custom = self.custom.iter().map(String::as_str);
        self.select.iter().copied().chain(custom).map(|field| ("select[]".to_owned(), field.to_owned()))
    }

    /// The same object's ids alone.
    pub(super) fn bare(&self) -> Reading {
        let select: &'static [&'static str] = match self.id() {
            _ if self.listing.flat => &[],
            "id" => &["id"],
            _ => &["ID"],
        };
        let pages = COMMANDS;
        let custom = Vec::new();
        Reading {
            select,
            links: None,
            rows: None,
            bindings: false,
            part: None,
            pages,
            custom,
            ..self.clone()
        }
    }

    /// The rows of a page.
    pub(super) fn page<'a>(&self, result: &'a RawValue) -> Option<Php<'a>> {
        let page = Php::parse(result)?;
        match self.listing.rows {
            Some(rows) => Php::parse(page.get(rows)?),
            None => Some(page),
        }
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
        within: false,
        entity_type: String::new(),
        links: None,
        names: ("", ""),
        primary: "",
        select: MULTIFIELDS,
        rows: None,
        bindings: false,
        part: None,
        listing: Listing::CLASSIC,
        custom: Vec::new(),
        conditions: Vec::new(),
        pages: COMMANDS,
    };
    let rows = |owner, single| {
        Some(rows::Methods { owner: std::borrow::Cow::Borrowed(owner), single: Some(single) })
    };
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
                listing: Listing::UNIVERSAL,
                entity_type: id.to_owned(),
                select: &["*"],
                rows: short_code(object).map(|owner| rows::Methods { owner: owner.into(), single: None }),
                ..plain
            },
            None => match tables::reading(plain) {
                Some(reading) => reading,
                None => {
                    return Err(refused(
                        "extract",
                        &format!(
                            "`{object}` is not an object that can be read: company, contact, deal, lead, quote, \
                             product, activity, comment, `process 1032`, `process_1032_history`, {} are",
                            tables::names().join(", ")
                        ),
                    ));
                }
            },
        },
    })
}
