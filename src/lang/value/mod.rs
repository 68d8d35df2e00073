//! Values and records: slots, decimals, money, dates. Pure conversions; knows no schema and no vendor.

pub mod contact;
mod html;
mod json;
pub mod parse;
pub mod rich;
mod show;

pub use json::AsJson;

use compact_str::CompactString;
use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// An ISO 4217 currency code, three upper-case ASCII letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

impl Currency {
    /// Reads a code; any case, but it must be a currency of ISO 4217.
    pub fn parse(text: &str) -> Option<Currency> {
        let upper = text.trim().to_ascii_uppercase();
        iso_currency::Currency::from_code(&upper)?;
        upper.as_bytes().try_into().ok().map(Currency)
    }

    /// The code.
    pub fn as_str(&self) -> &str {
        // INVARIANT: `parse` is the only way in, and lets ASCII letters only.
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }
}

impl TryFrom<String> for Currency {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Currency::parse(&text).ok_or_else(|| format!("`{text}` is not a currency of ISO 4217"))
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> String {
        currency.as_str().to_owned()
    }
}

/// An amount of a currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// In units of the currency, not in cents.
    pub amount: Decimal,
    /// ISO 4217, three upper-case letters.
    pub currency: Currency,
}

/// An instant, with the offset that the source printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Instant {
    /// The instant itself.
    pub at: Timestamp,
    /// The offset it was printed with, in seconds east of UTC; only dates taken from it depend on it.
    pub offset_seconds: i32,
}

/// A person's name in parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PersonName {
    /// Given name, possibly with a second one.
    pub given: CompactString,
    /// Family name.
    pub family: CompactString,
}

/// A postal address in parts; an empty part is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Address {
    /// Street and number.
    pub line1: CompactString,
    /// Flat, suite.
    pub line2: CompactString,
    /// City.
    pub city: CompactString,
    /// State, region or province.
    pub region: CompactString,
    /// Postal code.
    pub postal_code: CompactString,
    /// As the source has it: a name or a two-letter code.
    pub country: CompactString,
}

/// An element of a list that carries more than its value: the kind of a phone, whether a link is the primary one,
/// the label under which the destination keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Item {
    /// The value proper.
    pub value: Value,
    /// Source side: the attributes in the order of the schema's field. Destination side: the label, alone; in a
    /// line such as a lead's product, which has no value of its own, its columns.
    pub attrs: Vec<Value>,
}

/// A link to a migrated record, before the engine knows the destination's id.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RefValue {
    /// The map that carries the record, by its index in the plan.
    pub map: u16,
    /// Other maps of the same source object that may carry it instead, in the order of trial.
    pub others: Vec<u16>,
    /// The record's key in the source.
    pub key: CompactString,
    /// Not the link itself, but what the linked record has in this target, by its index in the map (one per map,
    /// `map` first).
    pub field: Option<Vec<u16>>,
}

/// A place in a destination pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StageValue {
    /// The destination pipeline's name.
    pub pipeline: String,
    /// The stage's name, for an open record.
    pub stage: Option<String>,
    /// How it ended and the outcome's name, for a closed one.
    pub outcome: Option<(OutcomeKind, String)>,
}

/// How a record of a pipeline ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutcomeKind {
    /// Success.
    Won,
    /// Failure.
    Lost,
    /// Called off.
    Cancelled,
}

/// One value of a slot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// No value. Connectors turn every spelling of a blank into this.
    #[default]
    Absent,
    /// Text, also codes of enumerations, ids of links and users, e-mail and web addresses, phones.
    Text(CompactString),
    /// A whole number.
    Int(i64),
    /// A decimal number.
    Decimal(Decimal),
    /// Yes or no.
    Bool(bool),
    /// A calendar date.
    Date(Date),
    /// An instant.
    Instant(Instant),
    /// An amount.
    Money(Money),
    /// A name.
    Name(Box<PersonName>),
    /// An address.
    Address(Box<Address>),
    /// A destination stage or outcome.
    Stage(Box<StageValue>),
    /// A destination link.
    Ref(Box<RefValue>),
    /// An element with attributes or a label.
    Item(Box<Item>),
    /// Several values; never empty (that is [`Value::Absent`]).
    List(Vec<Value>),
}

impl Value {
    /// Text from anything that is text.
    pub fn text(text: impl AsRef<str>) -> Value {
        Value::Text(CompactString::new(text))
    }

    /// A list, absent when it is empty.
    pub fn list(values: Vec<Value>) -> Value {
        if values.is_empty() { Value::Absent } else { Value::List(values) }
    }

    /// Whether there is no value.
    pub fn is_absent(&self) -> bool {
        matches!(self, Value::Absent)
    }
}

/// A record: one value per field of its object's schema, by slot.
pub type Record = Vec<Value>;
