//! The rows of a company's settings: users, pipelines, outcomes, markets, sources, tags, custom fields.

use super::record::Kind;

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub id: i64,
    pub name: String,
    pub email: String,
    pub enabled: bool,
    pub admin: bool,
}

/// A row of a list that people keep in the settings: an industry, a team, an activity type and the like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub id: i64,
    pub name: String,
}

/// A source of leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub id: i64,
    pub name: String,
    /// 0 none … 8 direct (sheet §5).
    pub channel: i64,
    pub deleted: Option<i64>,
}

/// A tag, which belongs to one entity type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    pub id: i64,
    pub kind: Kind,
    pub name: String,
    /// 1 to 14.
    pub color: i64,
    pub deleted: Option<i64>,
}

/// A pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stageset {
    pub id: i64,
    pub name: String,
    pub default: bool,
    pub position: i64,
    /// 1 active, 2 draft, 3 retired.
    pub status: i64,
}

/// A stage of one pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Milestone {
    pub id: i64,
    pub name: String,
    pub position: i64,
    pub stageset: i64,
}

/// A reason for closing a lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub id: i64,
    pub description: String,
    /// 10 won, 11 lost, 12 cancelled.
    pub status: i64,
}

/// A market, which decides the currency of its leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Market {
    pub id: i64,
    pub name: String,
    pub currency: String,
    pub default: bool,
}

/// The types of custom fields (sheet §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    Text,
    LongText,
    Currency,
    Date,
    Decision,
    Email,
    Location,
    Phone,
    Url,
    Number,
}

impl FieldType {
    pub const ALL: [(FieldType, &'static str); 10] = [
        (FieldType::Text, "Text"),
        (FieldType::LongText, "LongText"),
        (FieldType::Currency, "Currency"),
        (FieldType::Date, "Date"),
        (FieldType::Decision, "Decision"),
        (FieldType::Email, "Email"),
        (FieldType::Location, "Location"),
        (FieldType::Phone, "Phone"),
        (FieldType::Url, "Url"),
        (FieldType::Number, "Number"),
    ];

    /// Reads the spelling, capitals included.
    pub fn parse(name: &str) -> Option<FieldType> {
        FieldType::ALL.into_iter().find(|(_, known)| *known == name).map(|(kind, _)| kind)
    }

    /// The same where web addresses may be spelled `URL`.
    pub fn spelled(name: &str, url_in_capitals: bool) -> Option<FieldType> {
        match name {
            "URL" if url_in_capitals => Some(FieldType::Url),
            "Url" if url_in_capitals => None,
            name => FieldType::parse(name),
        }
    }

    pub fn name(self) -> &'static str {
        FieldType::ALL.into_iter().find(|(kind, _)| *kind == self).map_or("Text", |(_, name)| name)
    }

    /// Whether only leads may have it.
    pub fn leads_only(self) -> bool {
        matches!(self, FieldType::Email | FieldType::Location | FieldType::Phone | FieldType::Url)
    }
}

/// A custom field's definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub id: i64,
    pub kind: Kind,
    pub name: String,
    pub field_type: FieldType,
    pub choices: Vec<String>,
    pub multiple: bool,
}

/// A deletion, for `/events/deleted`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    pub id: i64,
    pub time: i64,
    /// The REST resource.
    pub resource: String,
    pub record: i64,
    pub actor: (bool, i64),
}
