//! What the connector itself says of fields: the canonical names of processes and products, the lists that no
//! description has (`rows`, `BINDINGS`), and the enumerations that only the API's documentation lists.
//!
//! Links to several objects are texts `object/id` with the names of objects as specs write them: `deal/17`,
//! `process 1032/4`. `ENTITY_TYPE` and `OWNER_TYPE_ID` hold the part before the bar, whatever the API calls it there
//! (`2`, `deal`, `dynamic_1046`), so that `{type}/{id}` is such a link.

use std::borrow::Cow;

use serde_json::Value as Json;

use super::build::{Build, is_yes, key, text};
use crate::lang::schema::Attribute;
use crate::lang::types::{Base, Type};

/// The objects that activities and comments hang on (sheet §6); processes come from the portal.
pub(super) const ENTITY_TYPES: &[(&str, &str)] = &[
    ("lead", "Lead"),
    ("deal", "Deal"),
    ("contact", "Contact"),
    ("company", "Company"),
    ("quote", "Estimate"),
    ("invoice", "Smart invoice"),
    ("old invoice", "Old invoice"),
    ("order", "Order"),
];

/// `TYPE_ID` of an activity (sheet §10.15).
const ACTIVITY_TYPES: &[(&str, &str)] = &[
    ("0", "Undefined"),
    ("1", "Meeting"),
    ("2", "Call"),
    ("3", "Task"),
    ("4", "E-mail"),
    ("5", "Calendar import"),
    ("6", "Provider"),
];
const DIRECTIONS: &[(&str, &str)] = &[("0", "None"), ("1", "Incoming"), ("2", "Outgoing")];
const STATUSES: &[(&str, &str)] = &[("1", "Pending"), ("2", "Done"), ("3", "Done by itself")];
const PRIORITIES: &[(&str, &str)] = &[("1", "Low"), ("2", "Normal"), ("3", "High")];
const CONTENT_TYPES: &[(&str, &str)] =
    &[("0", "Unknown"), ("1", "Plain text"), ("2", "BBCode"), ("3", "HTML")];
/// Of product rows (sheet §10.7).
const DISCOUNT_TYPES: &[(&str, &str)] = &[("1", "Amount"), ("2", "Percent")];
const ROW_TYPES: &[(&str, &str)] = &[("1", "Simple"), ("4", "Variation"), ("7", "Service")];

/// The field for the product rows of a record.
pub(in crate::run::connect::bitrix24) const ROWS: &str = "rows";

/// A type that the connector knows better than the description.
pub(super) struct Own {
    pub(super) base: Base,
    pub(super) many: bool,
    pub(super) attributes: Vec<Attribute>,
}

/// The canonical name of a described field. Processes come in camelCase and say what it stands for; products go by
/// the catalogue's names, which outlive the halted `crm.product.*`.
pub(super) fn canonical<'n>(object: &str, name: &'n str, about: &Json) -> Cow<'n, str> {
    if object.starts_with("process ") && !name.starts_with("UF_") {
        return Cow::Owned(text(key(about, "upperName")).unwrap_or_else(|| upper_snake(name)));
    }
    match (object, name) {
        ("product", "DESCRIPTION") => Cow::Borrowed("DETAIL_TEXT"),
        ("product", "DESCRIPTION_TYPE") => Cow::Borrowed("DETAIL_TEXT_TYPE"),
        _ => Cow::Borrowed(name),
    }
}

/// Whether a described field says nothing that another one does not, and is not returned unless it is asked for.
pub(super) fn is_double(object: &str, name: &str) -> bool {
    matches!((object, name), ("activity", "WEBDAV_ELEMENTS"))
        || object.starts_with("process ") && name == "CONTACTS"
}

/// Fields that only the connector gives.
pub(super) fn added(object: &str) -> impl Iterator<Item = &'static str> {
    let names: &[&'static str] = match object {
        "deal" | "lead" | "quote" => &[ROWS],
        "activity" => &["BINDINGS", "COMMUNICATIONS"],
        "company_requisite" | "contact_requisite" => &["BANK_DETAILS"],
        _ => &[],
    };
    names.iter().copied()
}

fn upper_snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    let mut before = '_';
    for c in name.chars() {
        let begins = c.is_ascii_uppercase() || c.is_ascii_digit() && !before.is_ascii_digit();
        if begins && before != '_' {
            out.push('_');
        }
        out.push(c.to_ascii_uppercase());
        before = c;
    }
    out
}

impl Build<'_> {
    /// The type of a field that is the connector's, or that the description calls by a number's or text's name.
    pub(super) fn own(&mut self, object: &str, name: &str, about: &Json) -> Option<Own> {
        let one = |base| Some(Own { base, many: false, attributes: Vec::new() });
        let kind = key(about, "type").as_str().unwrap_or_default();
        if let Some(own) = self.of_table(object, name) {
            return Some(own);
        }
        match (object, name) {
            (_, ROWS) => {
                let attributes = self.row_attributes();
                return Some(Own { base: Base::Record, many: true, attributes });
            }
            ("activity", "BINDINGS") => {
                return Some(Own { base: Base::AnyLink, many: true, attributes: Vec::new() });
            }
            ("activity", "COMMUNICATIONS") => {
                let attribute = |name: &str, base| Attribute { name: name.to_owned(), ty: Type::maybe(base) };
                let attributes =
                    vec![attribute("TYPE", Base::Text { max: None }), attribute("ENTITY", Base::AnyLink)];
                return Some(Own { base: Base::Text { max: None }, many: true, attributes });
            }
            ("activity", "OWNER_TYPE_ID") | ("comment", "ENTITY_TYPE") => return one(self.entity_types()),
            ("comment", "FILES") => {
                return Some(Own { base: Base::File, many: true, attributes: Vec::new() });
            }
            ("comment", "AUTHOR_ID") | ("product", "CREATED_BY" | "MODIFIED_BY") => return one(Base::User),
            ("product", "CURRENCY_ID") => return one(self.currencies()),
            // With the prefix of a pipeline that the record may have left, so it names no stage.
            (process, "PREVIOUS_STAGE_ID") if process.starts_with("process ") => {
                return one(Base::Text { max: None });
            }
            _ => {}
        }
        let (domain, choices) = match kind {
            "crm_enum_activitytype" => ("ACTIVITY_TYPE", ACTIVITY_TYPES),
            "crm_enum_activitydirection" => ("ACTIVITY_DIRECTION", DIRECTIONS),
            "crm_enum_activitystatus" => ("ACTIVITY_STATUS", STATUSES),
            "crm_enum_activitypriority" => ("ACTIVITY_PRIORITY", PRIORITIES),
            "crm_enum_contenttype" => ("CONTENT_TYPE", CONTENT_TYPES),
            // The documentation lists no values.
            "crm_enum_activitynotifytype" => return one(Base::Integer),
            _ => return None,
        };
        let base = self.titled(domain, choices);
        Some(Own { base, many: is_yes(key(about, "isMultiple")), attributes: Vec::new() })
    }

    /// What a product row carries, whichever method gives it (sheet §10.7). Left out are the owner, which is the
    /// record itself, and the price in the portal's reporting currency.
    fn row_attributes(&mut self) -> Vec<Attribute> {
        let text = || Base::Text { max: None };
        let discount = self.titled("DISCOUNT_TYPE", DISCOUNT_TYPES);
        let kind = self.titled("ROW_TYPE", ROW_TYPES);
        let attributes = [
            ("PRODUCT_ID", Base::Link("product".to_owned())),
            ("PRODUCT_NAME", text()),
            ("PRICE", Base::Decimal),
            ("PRICE_EXCLUSIVE", Base::Decimal),
            ("PRICE_NETTO", Base::Decimal),
            ("PRICE_BRUTTO", Base::Decimal),
            ("QUANTITY", Base::Decimal),
            ("DISCOUNT_TYPE_ID", discount),
            ("DISCOUNT_RATE", Base::Decimal),
            ("DISCOUNT_SUM", Base::Decimal),
            ("TAX_RATE", Base::Decimal),
            ("TAX_INCLUDED", Base::Bool),
            ("CUSTOMIZED", Base::Bool),
            ("MEASURE_CODE", Base::Integer),
            ("MEASURE_NAME", text()),
            ("SORT", Base::Integer),
            ("TYPE", kind),
            ("XML_ID", text()),
            ("STORE_ID", Base::Integer),
        ];
        let optional = |name: &str| !matches!(name, "TAX_INCLUDED" | "CUSTOMIZED");
        attributes
            .into_iter()
            .map(|(name, base)| Attribute {
                name: name.to_owned(),
                ty: Type { base, many: false, optional: optional(name) },
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn camel_case_becomes_classic() {
        for (camel, classic) in [
            ("id", "ID"),
            ("assignedById", "ASSIGNED_BY_ID"),
            ("parentId4", "PARENT_ID_4"),
            ("parentId1248", "PARENT_ID_1248"),
            ("begindate", "BEGINDATE"),
            ("mycompanyId", "MYCOMPANY_ID"),
        ] {
            assert_eq!(upper_snake(camel), classic);
        }
    }
}
