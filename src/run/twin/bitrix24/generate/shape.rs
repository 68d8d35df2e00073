//! What a portal looks like before it has records: the fields with their fill rates and choices, the directories,
//! the users.
//!
//! Plain data, so that a schema snapshot of any origin can be turned into it. Knows neither values nor randomness.

use std::collections::BTreeMap;

use super::standard;
use crate::run::twin::bitrix24::{Entity, portal::Category};

/// Everything that the generator needs to know.
#[derive(Clone, Debug)]
pub struct Shape {
    /// The portal's host, such as `acme.bitrix24.com`: for whoever starts a server with this shape, no record holds it.
    pub host: String,
    /// The portal server's offset from UTC in hours, which all times are printed with.
    pub offset_hours: i8,
    /// The first moment at which a record was created, Unix seconds.
    pub since: i64,
    /// The last moment at which a record was changed, Unix seconds.
    pub until: i64,
    /// Deal pipelines.
    pub categories: Vec<Category>,
    /// Smart Processes; their fields and counts stand among the entities.
    pub processes: Vec<ProcessShape>,
    /// All directories: stages, sources, types.
    pub statuses: Vec<StatusShape>,
    /// Users, dismissed ones included.
    pub users: Vec<UserShape>,
    /// Departments.
    pub departments: Vec<DepartmentShape>,
    /// Currencies, the base one included.
    pub currencies: Vec<CurrencyShape>,
    /// Fields and counts. Of the main four, one that is missing has its standard fields and no records; the portal
    /// does not have the others unless they stand here.
    pub entities: BTreeMap<Entity, EntityShape>,
    /// Share of phones, e-mail addresses, names and titles that are odd, 0 to 1 (1: as a portal of ten years).
    pub mess: f64,
    /// Share of links that point to deleted records, 0 to 1.
    pub dangling: f64,
}

impl Shape {
    /// A portal without records, users or directories, in UTC+3, with records of 2017 to 2026 and no mess.
    pub fn new(host: impl Into<String>) -> Self {
        Shape {
            host: host.into(),
            offset_hours: 3,
            since: 1_488_326_400, // 2017-03-01
            until: 1_793_404_800, // 2026-10-31
            categories: Vec::new(),
            processes: Vec::new(),
            statuses: Vec::new(),
            users: Vec::new(),
            departments: Vec::new(),
            currencies: Vec::new(),
            entities: BTreeMap::new(),
            mess: 0.0,
            dangling: 0.0,
        }
    }
}

/// A Smart Process.
#[derive(Clone, Debug)]
pub struct ProcessShape {
    /// `entityTypeId`.
    pub kind: u32,
    /// `id` of the type, which names its custom fields.
    pub id: i64,
    /// What people call it.
    pub title: String,
    /// Its pipelines.
    pub categories: Vec<Category>,
}

/// Records of one entity.
#[derive(Clone, Debug)]
pub struct EntityShape {
    /// How many records.
    pub count: usize,
    /// Fields as `crm.<entity>.fields` lists them. A connector's own extras (rows, addresses) do not belong here.
    pub fields: Vec<FieldShape>,
    /// Chance of each further company of a contact or contact of a deal, 0 to 1.
    pub more_links: f64,
    /// Share of records with product rows, 0 to 1; of deals, leads and quotes only.
    pub rows: f64,
}

impl EntityShape {
    /// An entity with all its standard fields.
    pub fn standard(entity: Entity, count: usize) -> Self {
        let fields = standard::rows(entity).map(|row| FieldShape::from_row(entity, row)).collect();
        EntityShape { count, fields, more_links: 0.12, rows: 0.0 }
    }

    /// The field with this code.
    pub fn field_mut(&mut self, code: &str) -> Option<&mut FieldShape> {
        self.fields.iter_mut().find(|field| field.code == code)
    }
}

/// One field.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldShape {
    /// The classic code: `TITLE`, `UF_CRM_1690000003`.
    pub code: String,
    /// The API's type: `string`, `crm_status`, `enumeration`, `money`.
    pub kind: String,
    /// Whether it holds many values.
    pub multiple: bool,
    /// The human label. A custom field's `title` in `*.fields` is its code all the same.
    pub title: String,
    /// The directory of a `crm_status`.
    pub directory: Option<String>,
    /// Values as they stand on the wire, with weights: option ids, status codes (stages with their category prefix),
    /// user ids, currency codes, `Y` and `N`. Empty: all that the directory, users or currencies hold, evenly.
    pub choices: Vec<Choice>,
    /// What a `crm` field may point to.
    pub targets: Vec<Entity>,
    /// Share of records that have a value, 0 to 1. Derived fields (`HAS_PHONE`, `CLOSED`) are always there, and a
    /// link to an entity without records stays blank.
    pub fill: f64,
}

impl FieldShape {
    /// A custom field that half of the records fill.
    pub fn custom(code: impl Into<String>, kind: impl Into<String>, title: impl Into<String>) -> Self {
        FieldShape {
            code: code.into(),
            kind: kind.into(),
            multiple: false,
            title: title.into(),
            directory: None,
            choices: Vec::new(),
            targets: Vec::new(),
            fill: 0.5,
        }
    }

    /// A standard field as the entity has it, filled as in a believable portal; `None` for other codes.
    pub fn standard(entity: Entity, code: &str) -> Option<Self> {
        standard::row(entity, code).map(|row| Self::from_row(entity, row))
    }

    fn from_row(entity: Entity, row: &standard::Row) -> Self {
        let &(code, kind, flags, directory, title) = row;
        FieldShape {
            multiple: flags.contains('M'),
            directory: (!directory.is_empty()).then(|| directory.to_owned()),
            fill: standard::fill(entity, code),
            ..Self::custom(code, kind, title)
        }
    }

    /// Whether the portal's people made it.
    pub fn is_custom(&self) -> bool {
        self.code.starts_with("UF_") || self.code.starts_with("PROPERTY_")
    }

    /// The same with this fill rate.
    pub fn filled(mut self, fill: f64) -> Self {
        self.fill = fill;
        self
    }

    /// The same with many values.
    pub fn many(mut self) -> Self {
        self.multiple = true;
        self
    }

    /// The same with these choices (id, title, weight).
    pub fn choose(mut self, choices: &[(&str, &str, f64)]) -> Self {
        self.choices = choices.iter().map(|&(id, title, weight)| Choice::new(id, title, weight)).collect();
        self
    }
}

/// One value of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The value on the wire.
    pub id: String,
    /// What people read; it matters for options of custom lists only.
    pub title: String,
    /// How often it occurs beside the others; nothing below 0 counts.
    pub weight: f64,
}

impl Choice {
    /// A value with its label and weight.
    pub fn new(id: impl Into<String>, title: impl Into<String>, weight: f64) -> Self {
        Choice { id: id.into(), title: title.into(), weight }
    }
}

/// What a stage means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Semantics {
    /// Work goes on.
    Process,
    /// Won.
    Success,
    /// Lost.
    Failure,
    /// Lost, one of the extra reasons.
    Apology,
}

impl Semantics {
    /// `P`, `S` or `F`, as `STAGE_SEMANTIC_ID` has it.
    pub fn letter(self) -> &'static str {
        match self {
            Semantics::Process => "P",
            Semantics::Success => "S",
            Semantics::Failure | Semantics::Apology => "F",
        }
    }
}

/// One entry of a directory.
#[derive(Clone, Debug, PartialEq)]
pub struct StatusShape {
    /// `ENTITY_ID`: `SOURCE`, `DEAL_STAGE`, `DEAL_STAGE_1`, `STATUS`.
    pub directory: String,
    /// `STATUS_ID`, with the category prefix where the directory has one: `C1:NEW`.
    pub code: String,
    /// `NAME`.
    pub name: String,
    /// What it means; `Process` for directories that are no stages.
    pub semantics: Semantics,
}

impl StatusShape {
    /// An entry that is no final stage.
    pub fn new(directory: impl Into<String>, code: impl Into<String>, name: impl Into<String>) -> Self {
        StatusShape {
            directory: directory.into(),
            code: code.into(),
            name: name.into(),
            semantics: Semantics::Process,
        }
    }

    /// The same with this meaning.
    pub fn meaning(mut self, semantics: Semantics) -> Self {
        self.semantics = semantics;
        self
    }

    /// The Smart Process and category of a stage, `None` for other directories.
    pub fn process(&self) -> Option<(u32, i64)> {
        let (kind, category) = self.directory.strip_prefix("DYNAMIC_")?.split_once("_STAGE_")?;
        Some((kind.parse().ok()?, category.parse().ok()?))
    }

    /// The deal category of a stage, `None` for other directories.
    pub fn category(&self) -> Option<i64> {
        match self.directory.strip_prefix("DEAL_STAGE") {
            Some("") => Some(0),
            Some(rest) => rest.strip_prefix('_')?.parse().ok(),
            None => None,
        }
    }
}

/// One user.
#[derive(Clone, Debug, PartialEq)]
pub struct UserShape {
    /// The id.
    pub id: i64,
    /// First name.
    pub name: String,
    /// Last name.
    pub last_name: String,
    /// The e-mail address, possibly empty.
    pub email: String,
    /// False for dismissed people.
    pub active: bool,
    /// Job title, possibly empty.
    pub post: String,
    /// Ids of departments.
    pub departments: Vec<i64>,
    /// How many records the user has beside the others.
    pub weight: f64,
}

/// One department.
#[derive(Clone, Debug, PartialEq)]
pub struct DepartmentShape {
    /// The id.
    pub id: i64,
    /// The name.
    pub name: String,
    /// The one above, absent at the root.
    pub parent: Option<i64>,
    /// The head's user id.
    pub head: Option<i64>,
}

/// One currency.
#[derive(Clone, Debug, PartialEq)]
pub struct CurrencyShape {
    /// ISO code.
    pub code: String,
    /// The full name.
    pub name: String,
    /// Price of one unit in the base currency, four decimals.
    pub rate: String,
    /// Whether it is the base currency.
    pub base: bool,
    /// How often records use it beside the others.
    pub weight: f64,
}
