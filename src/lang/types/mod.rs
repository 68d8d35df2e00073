//! Types, absence, failure, fidelity; what fits where. Knows no values and no schemas.

mod parse;

use serde::{Deserialize, Serialize};

pub use parse::ParseTypeError;

/// What a single value is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Base {
    /// Unicode text, at most `max` characters where a bound is known.
    Text {
        /// In characters.
        max: Option<u32>,
    },
    /// A whole number.
    Integer,
    /// A decimal number, never a float.
    Decimal,
    /// An amount with its ISO 4217 currency.
    Money,
    /// Yes or no.
    Bool,
    /// A calendar date.
    Date,
    /// An instant with its offset.
    DateTime,
    /// A telephone number: on the source side as it was typed, on the destination side in E.164.
    Phone,
    /// An e-mail address.
    Email,
    /// A web address.
    Url,
    /// A postal address.
    Address,
    /// A person's name in parts.
    PersonName,
    /// A file.
    File,
    /// A user of the system.
    User,
    /// A value of the named enumeration, by its code.
    Enum(String),
    /// A stage of a pipeline, or an outcome.
    Stage,
    /// Source side: a link to a record of the named object, by its id.
    Link(String),
    /// Source side: a link that may lead to several objects.
    AnyLink,
    /// Destination side: a record of the named destination object.
    Ref(String),
    /// Destination side: a record of one of these destination objects, where `user` stands for a user. As a value:
    /// `Contact/17` once the link is resolved, and a user's bare id.
    // INVARIANT: two or more; one alone is a `Ref`.
    AnyRef(Vec<String>),
    /// A nested record.
    Record,
    /// A type that the connector does not know; can be read by no function.
    Opaque(String),
}

/// A type: what it is, whether there are many, whether it may be absent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Type {
    /// What one value is.
    pub base: Base,
    /// A list of them. An empty list is absent.
    pub many: bool,
    /// May be absent.
    pub optional: bool,
}

impl Type {
    /// One value that is always there.
    pub fn one(base: Base) -> Self {
        Type { base, many: false, optional: false }
    }

    /// One value that may be absent.
    pub fn maybe(base: Base) -> Self {
        Type { base, many: false, optional: true }
    }

    /// Text without a bound.
    pub fn text() -> Self {
        Type::one(Base::Text { max: None })
    }

    /// The same, possibly absent.
    #[must_use]
    pub fn or_absent(mut self) -> Self {
        self.optional = true;
        self
    }

    /// The same, surely there.
    #[must_use]
    pub fn present(mut self) -> Self {
        self.optional = false;
        self
    }
}

/// As specs write it: `text(100)`, `[phone]`, `date?`, `enum(SOURCE)`.
impl std::fmt::Display for Type {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mark = if self.optional { "?" } else { "" };
        if self.many { write!(f, "[{}]{mark}", self.base) } else { write!(f, "{}{mark}", self.base) }
    }
}

impl std::fmt::Display for Base {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Base::Text { max: None } => f.write_str("text"),
            Base::Text { max: Some(max) } => write!(f, "text({max})"),
            Base::Integer => f.write_str("integer"),
            Base::Decimal => f.write_str("decimal"),
            Base::Money => f.write_str("money"),
            Base::Bool => f.write_str("bool"),
            Base::Date => f.write_str("date"),
            Base::DateTime => f.write_str("datetime"),
            Base::Phone => f.write_str("phone"),
            Base::Email => f.write_str("email"),
            Base::Url => f.write_str("url"),
            Base::Address => f.write_str("address"),
            Base::PersonName => f.write_str("person_name"),
            Base::File => f.write_str("file"),
            Base::User => f.write_str("user"),
            Base::Enum(name) => write!(f, "enum({name})"),
            Base::Stage => f.write_str("stage"),
            Base::Link(object) => write!(f, "link({object})"),
            Base::AnyLink => f.write_str("link"),
            Base::Ref(object) => write!(f, "ref({object})"),
            Base::AnyRef(objects) => write!(f, "ref({})", objects.join("|")),
            Base::Record => f.write_str("record"),
            Base::Opaque(name) => write!(f, "opaque({name})"),
        }
    }
}

/// How much of a value a rule keeps, from all to nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fidelity {
    /// Nothing is lost and nothing looks different.
    #[default]
    Exact,
    /// Nothing is lost, but it looks different.
    Reformatted,
    /// Part of the value is lost.
    Narrowed,
    /// Different values become one.
    Merged,
    /// Many values become a summary.
    Summarised,
    /// The value does not arrive.
    Dropped,
}

impl Fidelity {
    /// From `narrowed` on a rule carries a reason.
    pub fn needs_reason(self) -> bool {
        self >= Fidelity::Narrowed
    }

    /// The word that specs use.
    pub fn word(self) -> &'static str {
        match self {
            Fidelity::Exact => "exact",
            Fidelity::Reformatted => "reformatted",
            Fidelity::Narrowed => "narrowed",
            Fidelity::Merged => "merged",
            Fidelity::Summarised => "summarised",
            Fidelity::Dropped => "dropped",
        }
    }
}
