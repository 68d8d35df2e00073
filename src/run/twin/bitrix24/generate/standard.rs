//! The standard fields of companies, contacts, deals and leads (others: `more`) as `crm.*.fields` describes them.
//!
//! Owns their codes, types, flags, directories and titles, and how often a believable portal fills them. Knows
//! nothing of records.

use super::more;
use crate::run::twin::bitrix24::Entity;

/// A standard field: code, type, flags (R required, O read-only, I immutable, M multiple, X deprecated), directory
/// of a `crm_status`, title.
pub(super) type Row = (&'static str, &'static str, &'static str, &'static str, &'static str);

const COMPANY: &[Row] = &[
    ("ID", "integer", "O", "", "ID"),
    ("TITLE", "string", "R", "", "Company name"),
    ("COMPANY_TYPE", "crm_status", "", "COMPANY_TYPE", "Company type"),
    ("LOGO", "file", "", "", "Logo"),
    ("ADDRESS_LEGAL", "string", "", "", "Legal address"),
    ("REG_ADDRESS", "string", "", "", "Legal address"),
    ("REG_ADDRESS_2", "string", "", "", "Legal address, line 2"),
    ("REG_ADDRESS_CITY", "string", "", "", "Legal address: city"),
    ("REG_ADDRESS_POSTAL_CODE", "string", "", "", "Legal address: postal code"),
    ("REG_ADDRESS_REGION", "string", "", "", "Legal address: region"),
    ("REG_ADDRESS_PROVINCE", "string", "", "", "Legal address: province"),
    ("REG_ADDRESS_COUNTRY", "string", "", "", "Legal address: country"),
    ("REG_ADDRESS_COUNTRY_CODE", "string", "", "", "Legal address: country code"),
    ("REG_ADDRESS_LOC_ADDR_ID", "integer", "", "", "Legal address: location"),
    ("BANKING_DETAILS", "string", "", "", "Banking details"),
    ("INDUSTRY", "crm_status", "", "INDUSTRY", "Industry"),
    ("EMPLOYEES", "crm_status", "", "EMPLOYEES", "Employees"),
    ("CURRENCY_ID", "crm_currency", "", "", "Currency"),
    ("REVENUE", "double", "", "", "Annual revenue"),
    ("IS_MY_COMPANY", "char", "", "", "Own company"),
    ("CONTACT_ID", "crm_contact", "M", "", "Contact"),
    ("LEAD_ID", "crm_lead", "O", "", "Lead"),
    ("ORIGIN_VERSION", "string", "", "", "Version in the external source"),
    // A bound smart process shows as a standard field; the documented portal has this one.
    ("PARENT_ID_156", "crm_entity", "", "", "Purchase"),
    ("LAST_ACTIVITY_TIME", "datetime", "", "", "Last activity"),
    ("LAST_ACTIVITY_BY", "user", "", "", "Last activity by"),
    ("LAST_COMMUNICATION_TIME", "string", "O", "", "Last communication"),
];

const CONTACT: &[Row] = &[
    ("ID", "integer", "O", "", "ID"),
    ("HONORIFIC", "crm_status", "", "HONORIFIC", "Salutation"),
    ("NAME", "string", "R", "", "First name"),
    ("SECOND_NAME", "string", "R", "", "Middle name"),
    ("LAST_NAME", "string", "R", "", "Last name"),
    ("PHOTO", "file", "", "", "Photo"),
    ("BIRTHDATE", "date", "", "", "Date of birth"),
    ("TYPE_ID", "crm_status", "", "CONTACT_TYPE", "Contact type"),
    ("SOURCE_ID", "crm_status", "", "SOURCE", "Source"),
    ("SOURCE_DESCRIPTION", "string", "", "", "About the source"),
    ("POST", "string", "", "", "Position"),
    ("EXPORT", "char", "", "", "May be exported"),
    ("COMPANY_ID", "crm_company", "X", "", "Company"),
    ("COMPANY_IDS", "crm_company", "M", "", "COMPANY_IDS"),
    ("LEAD_ID", "crm_lead", "O", "", "Lead"),
    ("ORIGIN_VERSION", "string", "", "", "Version in the external source"),
    ("LAST_ACTIVITY_TIME", "datetime", "O", "", "Last activity"),
    ("LAST_ACTIVITY_BY", "user", "O", "", "Last activity by"),
];

const DEAL: &[Row] = &[
    ("ID", "integer", "O", "", "ID"),
    ("TITLE", "string", "", "", "Title"),
    ("TYPE_ID", "crm_status", "", "DEAL_TYPE", "Type"),
    ("CATEGORY_ID", "crm_category", "I", "", "Pipeline"),
    ("STAGE_ID", "crm_status", "", "DEAL_STAGE", "Stage"),
    ("STAGE_SEMANTIC_ID", "string", "O", "", "Stage group"),
    ("IS_NEW", "char", "O", "", "New deal"),
    ("IS_RECURRING", "char", "", "", "Recurring deal"),
    ("IS_RETURN_CUSTOMER", "char", "", "", "Repeat deal"),
    ("IS_REPEATED_APPROACH", "char", "", "", "Repeated approach"),
    ("PROBABILITY", "integer", "", "", "Probability"),
    ("CURRENCY_ID", "crm_currency", "", "", "Currency"),
    ("OPPORTUNITY", "double", "", "", "Amount"),
    ("IS_MANUAL_OPPORTUNITY", "char", "", "", "IS_MANUAL_OPPORTUNITY"),
    ("TAX_VALUE", "double", "", "", "Tax"),
    ("COMPANY_ID", "crm_company", "", "", "Company"),
    ("CONTACT_ID", "crm_contact", "X", "", "Contact"),
    ("CONTACT_IDS", "crm_contact", "M", "", "Contacts"),
    ("QUOTE_ID", "crm_quote", "O", "", "Estimate"),
    ("BEGINDATE", "date", "", "", "Begins on"),
    ("CLOSEDATE", "date", "", "", "Closes on"),
    ("CLOSED", "char", "", "", "Closed"),
    ("MOVED_BY_ID", "user", "O", "", "MOVED_BY_ID"),
    ("MOVED_TIME", "datetime", "O", "", "MOVED_TIME"),
    ("SOURCE_ID", "crm_status", "", "SOURCE", "Source"),
    ("SOURCE_DESCRIPTION", "string", "", "", "About the source"),
    ("LEAD_ID", "crm_lead", "O", "", "Lead"),
    ("ADDITIONAL_INFO", "string", "", "", "Further information"),
    ("LOCATION_ID", "location", "", "", "Location"),
    ("LAST_ACTIVITY_TIME", "datetime", "O", "", "LAST_ACTIVITY_TIME"),
    ("LAST_ACTIVITY_BY", "user", "O", "", "LAST_ACTIVITY_BY"),
];

const LEAD: &[Row] = &[
    ("ID", "integer", "O", "", "ID"),
    ("TITLE", "string", "", "", "Title"),
    ("HONORIFIC", "crm_status", "", "HONORIFIC", "Salutation"),
    ("NAME", "string", "", "", "First name"),
    ("SECOND_NAME", "string", "", "", "Middle name"),
    ("LAST_NAME", "string", "", "", "Last name"),
    ("BIRTHDATE", "date", "", "", "Date of birth"),
    ("COMPANY_TITLE", "string", "", "", "Company name"),
    ("SOURCE_ID", "crm_status", "", "SOURCE", "Source"),
    ("SOURCE_DESCRIPTION", "string", "", "", "About the source"),
    ("STATUS_ID", "crm_status", "", "STATUS", "Stage"),
    ("STATUS_DESCRIPTION", "string", "", "", "About the stage"),
    ("STATUS_SEMANTIC_ID", "string", "O", "", "Stage group"),
    ("POST", "string", "", "", "Position"),
    ("CURRENCY_ID", "crm_currency", "", "", "Currency"),
    ("OPPORTUNITY", "double", "", "", "Amount"),
    ("IS_MANUAL_OPPORTUNITY", "char", "", "", "IS_MANUAL_OPPORTUNITY"),
    ("MOVED_BY_ID", "user", "O", "", "MOVED_BY_ID"),
    ("MOVED_TIME", "datetime", "O", "", "MOVED_TIME"),
    ("COMPANY_ID", "crm_company", "", "", "Company"),
    ("CONTACT_ID", "crm_contact", "X", "", "Contact"),
    ("CONTACT_IDS", "crm_contact", "M", "", "CONTACT_IDS"),
    ("IS_RETURN_CUSTOMER", "char", "O", "", "Repeat lead"),
    ("DATE_CLOSED", "datetime", "O", "", "Closed at"),
    ("LAST_ACTIVITY_TIME", "datetime", "O", "", "LAST_ACTIVITY_TIME"),
    ("LAST_ACTIVITY_BY", "user", "O", "", "LAST_ACTIVITY_BY"),
];

/// What all four have.
const COMMON: &[Row] = &[
    ("OPENED", "char", "", "", "Open to everyone"),
    ("COMMENTS", "string", "", "", "Comment"),
    ("ASSIGNED_BY_ID", "user", "", "", "Responsible"),
    ("CREATED_BY_ID", "user", "O", "", "Created by"),
    ("MODIFY_BY_ID", "user", "O", "", "Modified by"),
    ("DATE_CREATE", "datetime", "O", "", "Created at"),
    ("DATE_MODIFY", "datetime", "O", "", "Modified at"),
    ("ORIGINATOR_ID", "string", "", "", "External source"),
    ("ORIGIN_ID", "string", "", "", "Identifier in the external source"),
    ("UTM_SOURCE", "string", "", "", "Campaign source"),
    ("UTM_MEDIUM", "string", "", "", "Campaign medium"),
    ("UTM_CAMPAIGN", "string", "", "", "Campaign"),
    ("UTM_CONTENT", "string", "", "", "Campaign content"),
    ("UTM_TERM", "string", "", "", "Campaign term"),
];

/// What all but deals have.
const REACHABLE: &[Row] = &[
    ("ADDRESS", "string", "", "", "Address"),
    ("ADDRESS_2", "string", "", "", "Address, line 2"),
    ("ADDRESS_CITY", "string", "", "", "City"),
    ("ADDRESS_POSTAL_CODE", "string", "", "", "Postal code"),
    ("ADDRESS_REGION", "string", "", "", "Region"),
    ("ADDRESS_PROVINCE", "string", "", "", "Province"),
    ("ADDRESS_COUNTRY", "string", "", "", "Country"),
    ("ADDRESS_COUNTRY_CODE", "string", "", "", "Country code"),
    ("ADDRESS_LOC_ADDR_ID", "integer", "", "", "Location"),
    ("HAS_PHONE", "char", "O", "", "Has a phone"),
    ("HAS_EMAIL", "char", "O", "", "Has an e-mail address"),
    ("HAS_IMOL", "char", "O", "", "Has an open line"),
    ("PHONE", "crm_multifield", "M", "", "Phone"),
    ("EMAIL", "crm_multifield", "M", "", "E-mail"),
    ("WEB", "crm_multifield", "M", "", "Website"),
    ("IM", "crm_multifield", "M", "", "Messenger"),
    ("LINK", "crm_multifield", "M", "", "LINK"),
];

/// Every standard field of an entity.
pub(super) fn rows(entity: Entity) -> impl Iterator<Item = &'static Row> {
    let none: &[Row] = &[];
    let (own, common, reachable) = match entity {
        Entity::Company => (COMPANY, COMMON, REACHABLE),
        Entity::Contact => (CONTACT, COMMON, REACHABLE),
        Entity::Lead => (LEAD, COMMON, REACHABLE),
        Entity::Deal => (DEAL, COMMON, none),
        _ => (more::rows(entity), none, none),
    };
    own.iter().chain(common).chain(reachable)
}

/// The standard field with this code.
pub(super) fn row(entity: Entity, code: &str) -> Option<&'static Row> {
    rows(entity).find(|row| row.0 == code)
}

/// How often a believable portal fills a standard field, 0 to 1.
pub(super) fn fill(entity: Entity, code: &str) -> f64 {
    if !Entity::ALL.contains(&entity) {
        return more::fill(entity, code);
    }
    let deal_like = matches!(entity, Entity::Deal | Entity::Lead);
    match code {
        "NAME" => 0.95,
        "LAST_NAME" => 0.85,
        "SECOND_NAME" => 0.15,
        "PHONE" => 0.8,
        "EMAIL" => 0.7,
        "WEB" if entity == Entity::Company => 0.4,
        "WEB" => 0.03,
        "IM" => 0.08,
        "COMMENTS" => 0.3,
        "ADDRESS" | "ADDRESS_CITY" | "ADDRESS_COUNTRY" => 0.12,
        "ADDRESS_POSTAL_CODE" | "ADDRESS_REGION" => 0.06,
        "ADDRESS_2" | "ADDRESS_PROVINCE" | "ADDRESS_COUNTRY_CODE" => 0.02,
        "ADDRESS_LEGAL" | "REG_ADDRESS" | "BANKING_DETAILS" => 0.05,
        "INDUSTRY" => 0.6,
        "COMPANY_TYPE" => 0.9,
        "EMPLOYEES" => 0.5,
        "REVENUE" => 0.3,
        "CURRENCY_ID" if !deal_like => 0.3,
        "TYPE_ID" => 0.8,
        "SOURCE_ID" => 0.7,
        "SOURCE_DESCRIPTION" | "STATUS_DESCRIPTION" => 0.1,
        "POST" | "COMPANY_TITLE" => 0.5,
        "BIRTHDATE" | "HONORIFIC" => 0.1,
        "PHOTO" | "LOGO" => 0.03,
        "COMPANY_ID" if entity == Entity::Lead => 0.1,
        "CONTACT_ID" if entity == Entity::Lead => 0.2,
        "COMPANY_ID" => 0.8,
        "CONTACT_ID" => 0.85,
        "LEAD_ID" => 0.05,
        "PROBABILITY" => 0.3,
        "ADDITIONAL_INFO" | "ORIGINATOR_ID" | "ORIGIN_ID" => 0.04,
        "UTM_SOURCE" | "UTM_MEDIUM" | "UTM_CAMPAIGN" => 0.1,
        "UTM_CONTENT" | "UTM_TERM" => 0.03,
        "LINK" | "QUOTE_ID" | "LOCATION_ID" | "ORIGIN_VERSION" | "LAST_COMMUNICATION_TIME" => 0.0,
        _ if code.starts_with("REG_ADDRESS")
            || code.starts_with("PARENT_ID_")
            || code.ends_with("LOC_ADDR_ID") =>
        {
            0.0
        }
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_counted() {
        // Custom fields of the documented portal left out: 2, 9, 8 and 8.
        for (entity, count) in
            [(Entity::Company, 58), (Entity::Contact, 49), (Entity::Deal, 45), (Entity::Lead, 57)]
        {
            let mut codes: Vec<_> = rows(entity).map(|row| row.0).collect();
            assert_eq!(codes.len(), count, "{entity:?}");
            codes.sort_unstable();
            codes.dedup();
            assert_eq!(codes.len(), count, "{entity:?}");
        }
    }
}
