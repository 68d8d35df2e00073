//! The fields of Nutshell's objects: what can be written, and what to do about the others. The source of each fact
//! is the section of the reference sheet.

use super::capability::Kind;
use crate::lang::schema::Attribute;
use crate::lang::types::{Base, Type};

/// A field that can be written.
pub(super) struct Writable {
    pub(super) name: &'static str,
    pub(super) ty: Type,
    pub(super) required: bool,
    /// The fields of a nested record.
    pub(super) attributes: Vec<Attribute>,
}

impl Writable {
    fn one(name: &'static str, base: Base) -> Writable {
        Writable { name, ty: Type::maybe(base), required: false, attributes: Vec::new() }
    }

    fn list(name: &'static str, base: Base) -> Writable {
        Writable { ty: Type { base, many: true, optional: true }, ..Writable::one(name, Base::Bool) }
    }

    fn required(mut self) -> Writable {
        self.ty.optional = false;
        self.required = true;
        self
    }
}

/// The longest title of a lead that `newLead` takes, in characters (sheet §5, §9.20).
pub(super) const LEAD_TITLE: u32 = 100;

/// The word for a product's type in specs, and the API's (sheet §5).
pub(super) const PRODUCT_TYPES: [(&str, &str); 2] = [("product", "0"), ("service", "1")];

/// The billing periods of a service (sheet §5); these are no units of measure.
pub(super) const PRODUCT_UNITS: [&str; 7] = ["minute", "hour", "day", "week", "month", "quarter", "year"];

/// The words for the way of an e-mail.
pub(super) const DIRECTIONS: [&str; 2] = ["incoming", "outgoing"];

/// The word that stands for users among the objects of an [`Base::AnyRef`].
pub(super) const USER: &str = "user";

/// The fields of a line of `products`, in the order of an element's attributes.
pub(super) const LINE: [&str; 3] = ["product", "quantity", "price"];

fn text() -> Base {
    Base::Text { max: None }
}

fn reference(kind: Kind) -> Base {
    Base::Ref(kind.object().to_owned())
}

/// A link to an account, a contact or a lead.
fn about() -> Base {
    Base::AnyRef(Kind::CORE.map(|kind| kind.object().to_owned()).to_vec())
}

fn line() -> Vec<Attribute> {
    let ty = [Type::one(reference(Kind::Product)), Type::maybe(Base::Decimal), Type::maybe(Base::Money)];
    LINE.into_iter().zip(ty).map(|(name, ty)| Attribute { name: name.to_owned(), ty }).collect()
}

impl Kind {
    /// Fields that can be written (sheet §5).
    pub(super) fn writable(self) -> Vec<Writable> {
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
                Writable::list("accounts", reference(Kind::Account)),
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
                Writable::list("accounts", reference(Kind::Account)),
                Writable::list("contacts", reference(Kind::Contact)),
                Writable { attributes: line(), ..Writable::list("products", Base::Record) },
            ],
            Kind::Product => vec![
                Writable::one("name", text()).required(),
                Writable::one("description", text()),
                Writable::one("sku", text()),
                Writable::one("type", domain("type")),
                Writable::one("unit", domain("unit")),
                Writable::list("prices", Base::Money),
            ],
            // Name, type and times are always sent (sheet §5); a missing end is the start.
            Kind::Activity => vec![
                Writable::one("name", text()).required(),
                Writable::one("type", domain("type")).required(),
                Writable::one("startTime", Base::DateTime).required(),
                Writable::one("endTime", Base::DateTime),
                Writable::one("isAllDay", Base::Bool),
                Writable::one("isFlagged", Base::Bool),
                Writable::one("status", Base::Integer),
                Writable::one("description", text()),
                Writable::one("logNote", text()),
                Writable::one("location", text()),
                Writable::list("leads", reference(Kind::Lead)),
                Writable::list(
                    "participants",
                    Base::AnyRef(
                        [Kind::Account.object(), Kind::Contact.object(), USER].map(str::to_owned).to_vec(),
                    ),
                ),
                Writable::one("author", Base::User),
            ],
            Kind::Note => vec![
                Writable::one("parent", about()).required(),
                Writable::one("body", text()).required(),
                Writable::one("author", Base::User),
            ],
            Kind::Task => vec![
                Writable::one("title", text()).required(),
                Writable::one("description", text()),
                Writable::one("dueTime", Base::DateTime),
                Writable::one("assignee", Base::User),
                Writable::one("entity", about()),
                Writable::one("author", Base::User),
            ],
            // A whole message (RFC 5322), which Nutshell attaches to people by their addresses.
            Kind::Email => vec![
                Writable::one("date", Base::DateTime).required(),
                Writable::one("subject", text()),
                Writable::one("direction", domain("direction")),
                Writable::one("mailbox", Base::User),
                Writable::list("participants", Base::Email),
                Writable::one("from", Base::Email),
                Writable::list("to", Base::Email),
                Writable::list("cc", Base::Email),
                Writable::one("body", text()),
                Writable::one("html", text()),
                Writable::one("messageId", text()),
                Writable::one("inReplyTo", text()),
                Writable::list("references", text()),
                Writable::one("author", Base::User),
            ],
        };
        if self.is_core() {
            fields.push(Writable::one("owner", Base::User).required());
            fields.push(Writable::list("tags", domain("tags")));
        }
        if matches!(self, Kind::Account | Kind::Contact) {
            fields.extend(address_book);
        }
        fields
    }

    /// Fields that the API returns and cannot write, and what to do instead (sheet §5).
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
                ("notes", NOTES),
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
                ("notes", NOTES),
            ],
            Kind::Lead => &[
                ("closedTime", "becomes the moment of closing: keep the date in a custom field"),
                ("competitors", "the API adds none to the settings: keep the name in a custom field"),
                ("completion", GENERATED),
                ("createdTime", TIME),
                ("creator", "the author is the user whose key is used"),
                ("htmlUrl", GENERATED),
                ("lastContactedDate", GENERATED),
                ("milestone", "written through `stage`"),
                ("modifiedTime", TIME),
                ("name", "generated; the title is `description`"),
                ("notes", NOTES),
                ("number", GENERATED),
                ("outcome", "written through `stage`"),
                ("primaryAccount", "the first of `accounts`"),
                ("stageset", "written through `stage`"),
                ("status", "written through `stage`"),
            ],
            Kind::Product => &[
                ("category", "no way is known to put a product into one: keep it in `description`"),
                (
                    "createdTime",
                    "Nutshell sets it to the moment of the write: keep the date in `description`",
                ),
                (
                    "modifiedTime",
                    "Nutshell sets it to the moment of the write: keep the date in `description`",
                ),
                ("price", "one per market: write `prices`"),
            ],
            Kind::Activity => &[
                ("createdTime", "Nutshell sets it to the moment of the write: `startTime` keeps its own"),
                ("files", "the API uploads no files: list them and upload by hand"),
                ("followup", "not known to be writable: write the later activity as its own record"),
                ("followupTo", "not known to be writable: write the earlier activity as its own record"),
                ("htmlUrl", GENERATED),
                ("isTimed", "follows from `isAllDay`"),
                ("lead", "one of `leads`"),
                ("logDescription", "written through `logNote`"),
                ("loggedBy", "written through `author`"),
                ("modifiedTime", "Nutshell sets it to the moment of the write: `startTime` keeps its own"),
                ("recurrence", "the API writes single activities: each occurrence is a record"),
            ],
            Kind::Note => &[
                ("createdTime", "a note's date cannot be written: put it into `body`"),
                ("date", "a note's date cannot be written: put it into `body`"),
                ("files", "the API uploads no files: list them and upload by hand"),
                ("mentions", "made from the text; what looks like one in `body` is escaped"),
                ("modifiedTime", GENERATED),
                ("user", "written through `author`"),
            ],
            Kind::Task => &[
                ("completedTime", "not known to be writable: move only open tasks, others as an `Activity`"),
                (
                    "createdTime",
                    "Nutshell sets it to the moment of the write: keep the date in `description`",
                ),
                ("htmlUrl", GENERATED),
                ("modifiedTime", GENERATED),
                ("recurrenceRule", "repeating tasks are set up by hand: keep the rule in `description`"),
            ],
            Kind::Email => &[
                ("accounts", BY_ADDRESS),
                ("contacts", BY_ADDRESS),
                ("createdTime", "Nutshell sets it to the moment of the write: `date` keeps its own"),
                ("excerpt", GENERATED),
                ("files", "the API uploads no files: list them and upload by hand"),
                ("htmlUrl", GENERATED),
                ("leads", BY_ADDRESS),
                ("sentTime", "written through `date`"),
            ],
        }
    }
}

/// Why a field cannot be written that nobody would want to.
pub(super) const GENERATED: &str = "made by Nutshell";
const TIME: &str = "Nutshell sets it to the moment of the write: keep the date in a custom field";
const BY_ADDRESS: &str =
    "e-mails are attached by address: write the people first, and their addresses into `participants`";
const NOTES: &str = "notes are records of their own: map to `Note` with this one as `parent`";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::capability::CUSTOM_TYPES;
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

    #[test]
    fn every_object_can_hold_a_marker() {
        for kind in Kind::ALL {
            let by_field = kind.custom_types().contains(&"text");
            let by_text = kind.marked_text().is_some();
            assert!(by_field != by_text, "{}", kind.object());
        }
    }
}
