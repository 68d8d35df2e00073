//! What Nutshell's API can do, per object. The source of each fact is the section of the reference sheet.
//!
//! | object | marker | how it is looked for after a lost answer | how everything is listed | how it is deleted |
//! | --- | --- | --- | --- | --- |
//! | Account, Contact, Lead | custom field | REST `filter[field]` | `findX` in order of id | `deleteX` |
//! | Product | last line of `description` | REST `q=` its name | `findProducts` | `deleteProduct` |
//! | Activity | last line of `description` | activities of one of its links, else of its days | `findActivities` | `deleteActivity` |
//! | Note | last line of the text | timeline of its parent | REST `GET /notes` | `deleteNote` |
//! | Task | last line of `description` | REST `filter[relatedEntity]`, else every task | `findTasks` | `deleteTask` |
//! | Email | `Message-ID`, and the last line of the text | timelines of those with its addresses, then the newest events | REST `GET /events`, each e-mail by its id | not at all |
//!
//! Neither API is known to show a `Message-ID`, which is why e-mails carry the marker twice.

use crate::lang::types::Base;

/// The objects that this version writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Account,
    Contact,
    Lead,
    Product,
    Activity,
    Note,
    Task,
    Email,
}

impl Kind {
    pub(super) const ALL: [Kind; 8] = [
        Kind::Account,
        Kind::Contact,
        Kind::Lead,
        Kind::Product,
        Kind::Activity,
        Kind::Note,
        Kind::Task,
        Kind::Email,
    ];
    /// Those with tags and custom fields (sheet §5, §6), which others can be about.
    pub(super) const CORE: [Kind; 3] = [Kind::Account, Kind::Contact, Kind::Lead];

    pub(super) fn parse(object: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.object() == object)
    }

    /// As specs and RPC methods write it: `newAccount`.
    pub(super) fn object(self) -> &'static str {
        match self {
            Kind::Account => "Account",
            Kind::Contact => "Contact",
            Kind::Lead => "Lead",
            Kind::Product => "Product",
            Kind::Activity => "Activity",
            Kind::Note => "Note",
            Kind::Task => "Task",
            Kind::Email => "Email",
        }
    }

    /// As RPC parameters write it.
    pub(super) fn singular(self) -> &'static str {
        match self {
            Kind::Account => "account",
            Kind::Contact => "contact",
            Kind::Lead => "lead",
            Kind::Product => "product",
            Kind::Activity => "activity",
            Kind::Note => "note",
            Kind::Task => "task",
            Kind::Email => "email",
        }
    }

    /// The parameter that names one record.
    pub(super) fn id_param(self) -> &'static str {
        match self {
            Kind::Account => "accountId",
            Kind::Contact => "contactId",
            Kind::Lead => "leadId",
            Kind::Product => "productId",
            Kind::Activity => "activityId",
            Kind::Note => "noteId",
            Kind::Task => "taskId",
            Kind::Email => "emailId",
        }
    }

    /// The `entityType`, also in `findAccounts` (sheet §5).
    pub(super) fn entity(self) -> &'static str {
        match self {
            Kind::Account => "Accounts",
            Kind::Contact => "Contacts",
            Kind::Lead => "Leads",
            Kind::Product => "Products",
            Kind::Activity => "Activities",
            Kind::Note => "Notes",
            Kind::Task => "Tasks",
            Kind::Email => "Emails",
        }
    }

    /// As REST paths write it.
    pub(super) fn rest(self) -> &'static str {
        match self {
            Kind::Account => "accounts",
            Kind::Contact => "contacts",
            Kind::Lead => "leads",
            Kind::Product => "products",
            Kind::Activity => "activities",
            Kind::Note => "notes",
            Kind::Task => "tasks",
            Kind::Email => "emails",
        }
    }

    /// Whether records have custom fields (sheet §6), of which one holds the marker.
    pub(super) fn is_core(self) -> bool {
        Kind::CORE.contains(&self)
    }

    /// The text whose last line is the marker, as it is sent, where no custom field can hold it.
    pub(super) fn marked_text(self) -> Option<&'static str> {
        match self {
            Kind::Account | Kind::Contact | Kind::Lead => None,
            Kind::Product | Kind::Activity | Kind::Task => Some("description"),
            Kind::Note => Some("note"),
            Kind::Email => Some("body"),
        }
    }

    /// Why records can neither be deleted nor changed; `None` where they can (sheet §1, §8).
    pub(super) fn is_final(self) -> Option<&'static str> {
        (self == Kind::Email).then_some("no API deletes or changes an e-mail that was written")
    }

    /// By which calls of which API fields of this object are written. Custom fields are made by REST and written with
    /// the record.
    pub(super) fn written_by(self) -> &'static str {
        match self {
            Kind::Account => "RPC `newAccount`, `editAccount`",
            Kind::Contact => "RPC `newContact`, `editContact`",
            Kind::Lead => "RPC `newLead`, `editLead`",
            Kind::Product => "RPC `newProduct`, `editProduct`",
            Kind::Activity => "RPC `newActivity`, `editActivity`",
            Kind::Note => "RPC `newNote`, `editNote`",
            Kind::Task => "RPC `newTask`, `editTask`",
            Kind::Email => "RPC `newEmail`",
        }
    }

    /// Fields by which records can be found: those that `searchByEmail` and `q=` look into (sheet §1, §4).
    pub(super) fn matchable(self) -> &'static [&'static str] {
        match self {
            Kind::Account => &["email", "name", "url"],
            Kind::Contact => &["email", "name"],
            Kind::Product => &["name", "sku"],
            Kind::Lead | Kind::Activity | Kind::Note | Kind::Task | Kind::Email => &[],
        }
    }

    /// Types of custom fields that can be created (sheet §6).
    pub(super) fn custom_types(self) -> Vec<&'static str> {
        if !self.is_core() {
            return Vec::new();
        }
        let mut types = vec!["text", "long_text", "currency", "date", "enum"];
        if self == Kind::Lead {
            types.extend(["email", "phone", "url", "location"]);
        }
        types
    }
}

/// Objects that specs may name and that are not created, with what to do instead (sheet §1, §5).
pub(super) const OTHERS: &[(&str, &str)] = &[
    ("Audience", "lists for mailings are not moved: build them anew from tags"),
    (
        "Competitor",
        "the API creates no competitors: add them in the settings, or keep the name in a custom field",
    ),
    ("File", "the API uploads no files: list them and upload by hand"),
    ("Invoice", "invoices come from quotes, which the API does not create: keep their lines in a note"),
    ("Market", "the API creates no markets: add them in the settings and name them in a `table`"),
    ("Outcome", "the API creates no outcomes: add them in the settings and name them in a `pipeline`"),
    ("Pipeline", "the API creates no pipelines: make them in the settings and name them in a `pipeline`"),
    ("Quote", "the API creates no quotes: keep their lines in a note"),
    ("Stage", "the API creates no stages: add them in the settings and name them in a `pipeline`"),
    ("Team", "teams are not moved: make them in the settings"),
    ("User", "each user is a seat that costs: invite them by hand and name them in `owners`"),
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

/// What stands for the type of a custom field where the account does not tell it.
pub(super) const UNTOLD: &str = "unknown";

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
        "" => Base::Opaque(UNTOLD.to_owned()),
        _ => Base::Opaque(word.to_owned()),
    }
}
