//! What Nutshell has and its API can do, as tables. The source of each fact is the section of the reference sheet.

use crate::lang::types::{Base, Type};

/// The objects that this version writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Account,
    Contact,
    Lead,
}

impl Kind {
    pub(super) const ALL: [Kind; 3] = [Kind::Account, Kind::Contact, Kind::Lead];

    pub(super) fn parse(object: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.object() == object)
    }

    /// As specs and RPC methods write it: `newAccount`.
    pub(super) fn object(self) -> &'static str {
        match self {
            Kind::Account => "Account",
            Kind::Contact => "Contact",
            Kind::Lead => "Lead",
        }
    }

    /// As RPC parameters write it.
    pub(super) fn singular(self) -> &'static str {
        match self {
            Kind::Account => "account",
            Kind::Contact => "contact",
            Kind::Lead => "lead",
        }
    }

    /// The `entityType`, also in `findAccounts` (sheet §5).
    pub(super) fn entity(self) -> &'static str {
        match self {
            Kind::Account => "Accounts",
            Kind::Contact => "Contacts",
            Kind::Lead => "Leads",
        }
    }

    /// As REST paths write it.
    pub(super) fn rest(self) -> &'static str {
        match self {
            Kind::Account => "accounts",
            Kind::Contact => "contacts",
            Kind::Lead => "leads",
        }
    }

    /// Fields by which records can be found: those that `searchByEmail` and `q=` look into (sheet §1, §4).
    pub(super) fn matchable(self) -> &'static [&'static str] {
        match self {
            Kind::Account => &["email", "name", "url"],
            Kind::Contact => &["email", "name"],
            Kind::Lead => &[],
        }
    }

    /// Types of custom fields that can be created (sheet §6).
    pub(super) fn custom_types(self) -> Vec<&'static str> {
        let mut types = vec!["text", "long_text", "currency", "date", "enum"];
        if self == Kind::Lead {
            types.extend(["email", "phone", "url", "location"]);
        }
        types
    }

    /// Fields that can be written (sheet §5).
    pub(super) fn writable(self) -> Vec<Writable> {
        let text = || Base::Text { max: None };
        let domain = |field: &str| Base::Enum(format!("{}.{field}", self.object()));
        let address_book = [
            Writable::list("address", Base::Address),
            Writable::list("email", Base::Email),
            Writable::list("phone", Base::Phone),
            Writable::list("url", Base::Url),
        ];
        let mut fields = match self {
            Kind::Account => vec![
                Writable::one("name", text()).required(),
                Writable::one("description", text()),
                Writable::one("industry", domain("industry")),
                Writable::one("accountType", domain("accountType")),
                Writable::one("territory", domain("territory")),
            ],
            Kind::Contact => vec![
                Writable::one("name", Base::PersonName).required(),
                Writable::one("description", text()),
                Writable::list("accounts", Base::Ref("Account".to_owned())),
                Writable::one("territory", domain("territory")),
            ],
            Kind::Lead => vec![
                Writable::one("description", Base::Text { max: Some(LEAD_TITLE) }).required(),
                Writable::one("stage", Base::Stage).required(),
                Writable::one("market", domain("market")),
                Writable::one("value", Base::Money),
                Writable::one("confidence", Base::Integer),
                Writable::one("dueTime", Base::DateTime),
                Writable::one("priority", Base::Integer),
                Writable::list("sources", domain("sources")),
                Writable::list("accounts", Base::Ref("Account".to_owned())),
                Writable::list("contacts", Base::Ref("Contact".to_owned())),
            ],
        };
        fields.push(Writable::one("owner", Base::User).required());
        fields.push(Writable::list("tags", domain("tags")));
        if self != Kind::Lead {
            fields.extend(address_book);
        }
        fields
    }

    /// Fields that the API returns and cannot write, or not in this version, and what to do instead (sheet §5).
    pub(super) fn read_only(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Kind::Account => &[
                ("contacts", "written from the other side, through `accounts` of Contact"),
                ("createdTime", TIME),
                ("creator", "the author is the user whose key is used"),
                ("htmlUrl", GENERATED),
                ("lastContactedDate", GENERATED),
                ("leads", "written from the other side, through `accounts` of Lead"),
                ("legacyId", "not known to be writable: the marker field holds the source's key"),
                ("modifiedTime", TIME),
                ("parentAccount", "the API cannot write it: keep it in a custom field, and set it by hand"),
            ],
            Kind::Contact => &[
                ("contactedCount", GENERATED),
                ("createdTime", TIME),
                ("creator", "the author is the user whose key is used"),
                ("htmlUrl", GENERATED),
                ("jobTitle", "written as the label of the link in `accounts`"),
                ("lastContactedDate", GENERATED),
                ("leads", "written from the other side, through `contacts` of Lead"),
                ("legacyId", "not known to be writable: the marker field holds the source's key"),
                ("modifiedTime", TIME),
                ("notes", "not yet written by this version"),
            ],
            Kind::Lead => &[
                ("closedTime", "becomes the moment of closing: keep the date in a custom field"),
                ("competitors", "not yet written by this version"),
                ("completion", GENERATED),
                ("createdTime", TIME),
                ("creator", "the author is the user whose key is used"),
                ("htmlUrl", GENERATED),
                ("lastContactedDate", GENERATED),
                ("milestone", "written through `stage`"),
                ("modifiedTime", TIME),
                ("name", "generated; the title is `description`"),
                ("notes", "not yet written by this version"),
                ("number", GENERATED),
                ("outcome", "written through `stage`"),
                ("primaryAccount", "the first of `accounts`"),
                ("products", "not yet written by this version"),
                ("stageset", "written through `stage`"),
                ("status", "written through `stage`"),
            ],
        }
    }
}

const GENERATED: &str = "made by Nutshell";
const TIME: &str = "Nutshell sets it to the moment of the write: keep the date in a custom field";

/// The longest title of a lead that `newLead` takes, in characters (sheet §5, §9.20).
pub(super) const LEAD_TITLE: u32 = 100;

/// A field that can be written.
pub(super) struct Writable {
    pub(super) name: &'static str,
    pub(super) ty: Type,
    pub(super) required: bool,
}

impl Writable {
    fn one(name: &'static str, base: Base) -> Writable {
        Writable { name, ty: Type::maybe(base), required: false }
    }

    fn list(name: &'static str, base: Base) -> Writable {
        Writable { name, ty: Type { base, many: true, optional: true }, required: false }
    }

    fn required(mut self) -> Writable {
        self.ty.optional = false;
        self.required = true;
        self
    }
}

/// Objects that specs may name and that this version does not create, with what to do instead (sheet §1, §5).
pub(super) const OTHERS: &[(&str, &str)] = &[
    ("Activity", "activities are not yet written by this version"),
    ("Email", "e-mails are not yet written by this version"),
    ("File", "the API uploads no files: list them and upload by hand"),
    ("Note", "notes are not yet written by this version"),
    ("Product", "products are not yet written by this version"),
    ("Quote", "the API creates no quotes: keep their lines in a note"),
    ("Task", "tasks are not yet written by this version"),
];

/// The words of specs for types of custom fields, and the API's (sheet §6). What is spelled otherwise or not known
/// to be taken is not in it.
pub(super) const CUSTOM_TYPES: &[(&str, &str)] = &[
    ("text", "Text"),
    ("long_text", "LongText"),
    ("currency", "Currency"),
    ("date", "Date"),
    ("enum", "Decision"),
    ("email", "Email"),
    ("phone", "Phone"),
    ("url", "Url"),
    ("location", "Location"),
];

/// What the API's word for the type of a custom field means; `Url` also occurs in capitals (sheet §6).
pub(super) fn custom_base(word: &str, object: &str, label: &str) -> Base {
    match word.to_ascii_lowercase().as_str() {
        "text" | "longtext" => Base::Text { max: None },
        "currency" => Base::Money,
        "date" => Base::Date,
        "decision" => Base::Enum(format!("{object}.{label}")),
        "email" => Base::Email,
        "phone" => Base::Phone,
        "url" => Base::Url,
        "location" => Base::Address,
        "number" => Base::Decimal,
        "" => Base::Opaque("unknown".to_owned()),
        _ => Base::Opaque(word.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_field_stands_in_two_tables() {
        for kind in Kind::ALL {
            let mut names = BTreeSet::new();
            let writable = kind.writable().into_iter().map(|field| field.name);
            for name in writable.chain(kind.read_only().iter().map(|(name, _)| *name)) {
                assert!(names.insert(name), "{} {name}", kind.object());
            }
            assert!(kind.matchable().iter().all(|field| names.contains(field)));
            let known = |word: &str| CUSTOM_TYPES.iter().any(|(known, _)| *known == word);
            assert!(kind.custom_types().into_iter().all(known));
        }
    }
}
