//! From snapshots to twins: a portal's shape from the source's, an account from the destination's.
//!
//! E-mail addresses are not in snapshots, so users of a rehearsal bear made-up ones.

use std::collections::BTreeMap;

use crate::lang::schema::{Field, Object, Pipeline, Schema};
use crate::lang::types::Base;
use crate::lang::value::OutcomeKind;
use crate::run::twin::bitrix24::Table;
use crate::run::twin::bitrix24::generate::{
    Choice, CurrencyShape, EntityShape, FieldShape, ProcessShape, Semantics, Shape, StatusShape, UserShape,
};
use crate::run::twin::bitrix24::portal::{Category, Entity, Portal};
use crate::run::twin::nutshell::{self, Company};

/// What the plan calls an object, and what the twin calls it; processes are named by [`entity`].
const ENTITIES: [(&str, Entity); 8] = [
    ("company", Entity::Company),
    ("contact", Entity::Contact),
    ("deal", Entity::Deal),
    ("lead", Entity::Lead),
    ("quote", Entity::Quote),
    ("product", Entity::Product),
    ("activity", Entity::Activity),
    ("comment", Entity::Comment),
];

/// What the twin calls an object of a portal's schema: `deal`, `process 1032`.
pub fn entity(object: &str) -> Option<Entity> {
    match object.strip_prefix("process ") {
        Some(kind) => kind.parse().ok().map(Entity::Process),
        None => ENTITIES.iter().find(|(name, _)| *name == object).map(|(_, entity)| *entity),
    }
}

/// The objects that a portal keeps beside its records, with the `ENTITY_TYPE_ID` or `ANCHOR_TYPE_ID` of their owners
/// where several share a table.
const TABLES: [(&str, Table, &str); 10] = [
    ("call", Table::Call, ""),
    ("company_address", Table::Address, "4"),
    ("company_requisite", Table::Requisite, "4"),
    ("contact_address", Table::Address, "3"),
    ("contact_requisite", Table::Requisite, "3"),
    ("deal_history", Table::DealHistory, ""),
    ("lead_history", Table::LeadHistory, ""),
    ("product_price", Table::Price, ""),
    ("product_section", Table::Section, ""),
    ("task", Table::Task, ""),
];

/// What the twin calls an object that is none of its records: `deal_history`, `task`.
pub fn table(object: &str) -> Option<Table> {
    if let Some(kind) = object.strip_prefix("process_").and_then(|rest| rest.strip_suffix("_history")) {
        return kind.parse().ok().map(Table::ProcessHistory);
    }
    TABLES.iter().find(|(name, ..)| *name == object).map(|(_, table, _)| *table)
}

/// How many records of an object a portal holds.
pub fn held(portal: &Portal, object: &str) -> u64 {
    if let Some(entity) = entity(object) {
        return portal.records.get(&entity).map_or(0, |records| records.len() as u64);
    }
    if let Some(table @ Table::ProcessHistory(_)) = table(object) {
        return portal.tables.get(&table).map_or(0, |rows| rows.len() as u64);
    }
    let Some((_, table, owner)) = TABLES.iter().find(|(name, ..)| *name == object) else { return 0 };
    let column = if *table == Table::Address { "ANCHOR_TYPE_ID" } else { "ENTITY_TYPE_ID" };
    let rows = portal.tables.get(table).into_iter().flatten();
    rows.filter(|(_, row)| owner.is_empty() || row.get(column).is_some_and(|kind| kind == owner)).count()
        as u64
}

/// Made-up rows for what the snapshot's portal keeps beside its records; nothing of what it does not know.
pub fn furnish(portal: &mut Portal, schema: &Schema, seed: u64) {
    let described = |object: &&Object| !object.fields.is_empty();
    let mut known: Vec<Table> =
        schema.objects.iter().filter(described).filter_map(|object| table(&object.name)).collect();
    if known.contains(&Table::Task) {
        known.push(Table::CheckItem);
    }
    if known.contains(&Table::Requisite) {
        known.push(Table::BankDetail);
    }
    if !known.is_empty() {
        portal.furnish(seed);
        for table in &known {
            if let Table::ProcessHistory(kind) = table {
                portal.furnish_process(*kind, seed);
            }
        }
        portal.tables.retain(|table, _| known.contains(table));
    }
}

/// The shape of a portal whose fields, directories and fill rates are the snapshot's. `records` counts per object
/// where the snapshot's own are not wanted.
pub fn portal_shape(schema: &Schema, records: impl Fn(&str) -> Option<u64>) -> Shape {
    let mut shape = Shape::new(schema.account.clone());
    shape.mess = 1.0;
    for pipeline in schema.pipelines.iter().filter(|pipeline| pipeline.object == "deal") {
        let id = pipeline.code.parse().unwrap_or(0);
        shape.categories.push(Category {
            id,
            name: pipeline.name.clone(),
            sort: 10 * shape.categories.len() as i64,
        });
    }
    for pipeline in &schema.pipelines {
        let (directory, prefix) = stage_directory(&pipeline.object, &pipeline.code);
        for stage in &pipeline.stages {
            let semantics = match stage.ends {
                None => Semantics::Process,
                Some(OutcomeKind::Won) => Semantics::Success,
                Some(_) => Semantics::Failure,
            };
            let row =
                StatusShape::new(directory.clone(), format!("{prefix}{}", stage.code), stage.name.clone());
            shape.statuses.push(row.meaning(semantics));
        }
    }
    for (name, domain) in schema.domains.iter().filter(|(name, _)| is_directory(name)) {
        for choice in &domain.choices {
            let title = choice.title.clone().unwrap_or_else(|| choice.code.clone());
            shape.statuses.push(StatusShape::new(name.clone(), choice.code.clone(), title));
        }
    }
    if let Some(domain) = schema.domains.get("CURRENCY") {
        let used = deal_values(schema, "CURRENCY_ID");
        for (index, choice) in domain.choices.iter().enumerate() {
            shape.currencies.push(CurrencyShape {
                code: choice.code.clone(),
                name: choice.title.clone().unwrap_or_else(|| choice.code.clone()),
                rate: "1.0000".to_owned(),
                base: index == 0,
                weight: used.get(&choice.code).map_or(1.0, |records| *records as f64),
            });
        }
    }
    for user in &schema.users {
        shape.users.push(UserShape {
            id: user.id.parse().unwrap_or(0),
            name: format!("User {}", user.id),
            last_name: "Rehearsal".to_owned(),
            email: user
                .email_hash
                .as_ref()
                .map(|_| format!("user{}@rehearsal.example", user.id))
                .unwrap_or_default(),
            active: user.active,
            post: String::new(),
            departments: Vec::new(),
            weight: 1.0,
        });
    }
    for object in schema.objects.iter().filter(|object| !object.fields.is_empty()) {
        let Some(entity) = entity(&object.name) else { continue };
        let count = records(&object.name).or(object.records).unwrap_or(0);
        let described = object.fields.iter().filter(|field| field.name != ROWS);
        let fields = described.map(|field| field_shape(schema, object, entity, field)).collect();
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let rows = object.field(ROWS).map_or(0.0, |rows| share(object, rows).unwrap_or(0.5));
        shape.entities.insert(entity, EntityShape { count, fields, more_links: 0.12, rows });
        if let Entity::Process(kind) = entity {
            shape.processes.push(process(schema, object, kind, shape.processes.len()));
        }
    }
    shape
}

/// The field of product rows, which no portal describes.
const ROWS: &str = "rows";

/// A Smart Process. The id of its type stands in the names of its custom fields only.
fn process(schema: &Schema, object: &Object, kind: u32, nth: usize) -> ProcessShape {
    let of_type = |field: &Field| field.name.strip_prefix("UF_CRM_")?.split('_').next()?.parse::<i64>().ok();
    let pipelines = schema.pipelines.iter().filter(|pipeline| pipeline.object == object.name);
    let category = |(place, pipeline): (usize, &Pipeline)| Category {
        id: category_id(&pipeline.code),
        name: pipeline.name.clone(),
        sort: 10 * place as i64,
    };
    ProcessShape {
        kind,
        id: object.fields.iter().find_map(of_type).unwrap_or(1 + nth as i64),
        title: object.title.clone().unwrap_or_else(|| object.name.clone()),
        categories: pipelines.enumerate().map(category).collect(),
    }
}

/// The id of a process's category; an object with one pipeline does not say it.
fn category_id(code: &str) -> i64 {
    code.parse().unwrap_or(1)
}

/// The share of an object's records that fill a field, where that was counted.
fn share(object: &Object, field: &Field) -> Option<f64> {
    let records = object.records.filter(|records| *records > 0)?;
    field.stats.as_ref().map(|stats| stats.filled as f64 / records as f64)
}

fn deal_values(schema: &Schema, field: &str) -> BTreeMap<String, u64> {
    let stats =
        schema.object("deal").and_then(|object| object.field(field)).and_then(|field| field.stats.clone());
    stats.map(|stats| stats.values).unwrap_or_default()
}

/// The directory of a pipeline's stages, and what their codes begin with there.
fn stage_directory(object: &str, category: &str) -> (String, String) {
    if let Some(kind) = object.strip_prefix("process ") {
        let category = category_id(category);
        return (format!("DYNAMIC_{kind}_STAGE_{category}"), format!("DT{kind}_{category}:"));
    }
    match (object, category) {
        ("lead", _) => ("STATUS".to_owned(), String::new()),
        (_, "" | "0") => ("DEAL_STAGE".to_owned(), String::new()),
        (_, category) => (format!("DEAL_STAGE_{category}"), format!("C{category}:")),
    }
}

/// Whether an enumeration is one of the portal's directories: not a field's own list, and not fixed by the API.
fn is_directory(domain: &str) -> bool {
    !domain.contains('.')
        && ![
            "CURRENCY",
            "SEMANTIC",
            "PHONE_TYPE",
            "EMAIL_TYPE",
            "WEB_TYPE",
            "IM_TYPE",
            "LINK_TYPE",
            "ACTIVITY_TYPE",
            "ACTIVITY_DIRECTION",
            "ACTIVITY_STATUS",
            "ACTIVITY_PRIORITY",
            "CONTENT_TYPE",
            "DISCOUNT_TYPE",
            "ROW_TYPE",
            "ENTITY_TYPE",
            "ADDRESS_TYPE",
            "CALL_RESULT",
            "CALL_TYPE",
            "HISTORY_TYPE",
            "TASK_PRIORITY",
            "TASK_STATUS",
        ]
        .contains(&domain)
}

/// What the portal calls a field that the snapshot has under the catalogue's name.
fn portal_name(entity: Entity, name: &str) -> &str {
    match (entity, name) {
        (Entity::Product, "DETAIL_TEXT") => "DESCRIPTION",
        (Entity::Product, "DETAIL_TEXT_TYPE") => "DESCRIPTION_TYPE",
        _ => name,
    }
}

/// An object's name as the portal spells it in a field: its number for activities, its word for comments.
fn owner_code(entity: Entity, object: &str) -> String {
    match (entity, self::entity(object)) {
        (_, None) => object.to_owned(),
        (Entity::Comment, Some(owner)) => owner.timeline_word(),
        (_, Some(owner)) => owner.type_id().to_string(),
    }
}

fn field_shape(schema: &Schema, object: &Object, entity: Entity, field: &Field) -> FieldShape {
    let name = portal_name(entity, &field.name);
    let mut shape = FieldShape::standard(entity, name)
        .unwrap_or_else(|| FieldShape::custom(name, kind(name, &field.ty.base), ""));
    if field.custom || shape.title.is_empty() {
        shape.title = field.title.clone().unwrap_or_else(|| field.name.clone());
    }
    if field.custom {
        shape.multiple = field.ty.many;
    }
    let values = field.stats.as_ref().map(|stats| &stats.values);
    match &field.ty.base {
        Base::Enum(domain) if field.custom => {
            if let Some(domain) = schema.domains.get(domain) {
                shape.choices = domain
                    .choices
                    .iter()
                    .map(|choice| {
                        let title = choice.title.clone().unwrap_or_else(|| choice.code.clone());
                        Choice::new(&choice.code, title, weight(values, &choice.code))
                    })
                    .collect();
            }
        }
        Base::Enum(domain) if domain == "ENTITY_TYPE" => {
            let values = values.into_iter().flatten();
            shape.choices =
                values.map(|(name, n)| Choice::new(owner_code(entity, name), "", *n as f64)).collect();
        }
        Base::Enum(_) => {
            if let Some(values) = values {
                shape.choices = values.iter().map(|(code, n)| Choice::new(code, "", *n as f64)).collect();
            }
        }
        Base::Stage => {
            if let (Entity::Process(_), Some(first)) =
                (entity, schema.pipelines.iter().find(|pipeline| pipeline.object == object.name))
            {
                shape.directory = Some(stage_directory(&object.name, &first.code).0);
            }
            for pipeline in schema.pipelines.iter().filter(|pipeline| pipeline.object == object.name) {
                let (_, prefix) = stage_directory(&pipeline.object, &pipeline.code);
                for stage in &pipeline.stages {
                    let records = pipeline.records.get(&stage.code).copied();
                    let weight = if pipeline.records.is_empty() { 1.0 } else { records.unwrap_or(0) as f64 };
                    shape.choices.push(Choice::new(format!("{prefix}{}", stage.code), &stage.name, weight));
                }
            }
        }
        Base::Bool => {
            if let Some(yes) = values.and_then(|values| values.get("true")).filter(|_| !field.custom) {
                let all = object.records.unwrap_or(0).max(1);
                shape.choices = vec![
                    Choice::new("Y", "", *yes as f64),
                    Choice::new("N", "", all.saturating_sub(*yes) as f64),
                ];
            }
        }
        Base::Link(target) if field.custom => {
            shape.targets = self::entity(target).into_iter().collect();
        }
        Base::AnyLink => shape.targets = Entity::ALL.to_vec(),
        _ => {}
    }
    if let Some(share) = share(object, field) {
        shape.fill = share;
    }
    shape
}

fn weight(values: Option<&BTreeMap<String, u64>>, code: &str) -> f64 {
    match values {
        Some(values) if !values.is_empty() => values.get(code).copied().unwrap_or(0) as f64,
        _ => 1.0,
    }
}

/// The portal's word for a type, for fields that are not standard.
fn kind(name: &str, base: &Base) -> String {
    if name.starts_with("PARENT_ID_") {
        return "crm_entity".to_owned();
    }
    match base {
        Base::Text { .. } if name.starts_with("PROPERTY_") => "product_property",
        Base::Integer => "integer",
        Base::Decimal => "double",
        Base::Money => "money",
        Base::Bool => "boolean",
        Base::Date => "date",
        Base::DateTime => "datetime",
        Base::Url => "url",
        Base::Address => "address",
        Base::File => "file",
        Base::User => "employee",
        Base::Enum(domain) if is_directory(domain) => "crm_status",
        Base::Enum(_) => "enumeration",
        Base::Link(_) | Base::AnyLink => "crm",
        Base::Opaque(kind) => kind,
        _ => "string",
    }
    .to_owned()
}

/// An account whose pipelines, lists and users are the snapshot's, without records.
pub fn company(schema: &Schema) -> Company {
    let mut company = Company::default();
    let number = |text: &str, otherwise: usize| text.parse().unwrap_or(otherwise as i64 + 1);
    let (teams, users): (Vec<_>, Vec<_>) = schema.users.iter().partition(|user| user.id.ends_with("-teams"));
    for (index, team) in teams.into_iter().enumerate() {
        let id = number(team.id.trim_end_matches("-teams"), index);
        company.teams.push(nutshell::Named { id, name: format!("Team {id}") });
    }
    for (index, user) in users.into_iter().enumerate() {
        company.users.push(nutshell::User {
            id: number(&user.id, index),
            name: format!("User {}", user.id),
            email: if index == 0 {
                "admin@acme.example".to_owned()
            } else {
                format!("user{}@rehearsal.example", user.id)
            },
            enabled: user.active || index == 0,
            admin: index == 0,
        });
    }
    for (index, pipeline) in schema.pipelines.iter().enumerate() {
        let id = number(&pipeline.code, index);
        company.stagesets.push(nutshell::Stageset {
            id,
            name: pipeline.name.clone(),
            default: index == 0,
            position: index as i64 + 1,
            status: 1,
        });
        for (position, stage) in pipeline.stages.iter().enumerate() {
            company.milestones.push(nutshell::Milestone {
                id: number(&stage.code, position),
                name: stage.name.clone(),
                position: position as i64 + 1,
                stageset: id,
            });
        }
        for outcome in &pipeline.outcomes {
            let id = number(&outcome.code, company.outcomes.len());
            if company.outcomes.iter().all(|other| other.id != id) {
                let status = match outcome.kind {
                    OutcomeKind::Won => 10,
                    OutcomeKind::Lost => 11,
                    OutcomeKind::Cancelled => 12,
                };
                company.outcomes.push(nutshell::Outcome { id, description: outcome.name.clone(), status });
            }
        }
    }
    let choices = |domain: &str| schema.domains.get(domain).map(|d| d.choices.as_slice()).unwrap_or_default();
    let named = |domain: &str| {
        choices(domain)
            .iter()
            .enumerate()
            .map(|(index, choice)| nutshell::Named { id: index as i64 + 1, name: choice.code.clone() })
            .collect::<Vec<_>>()
    };
    company.industries = named("Account.industry");
    company.activity_types = named("Activity.type");
    company.account_types = named("Account.accountType");
    company.territories = named("Account.territory");
    for (index, choice) in choices("Lead.market").iter().enumerate() {
        company.markets.push(nutshell::Market {
            id: index as i64 + 1,
            name: choice.code.clone(),
            currency: choice.title.clone().unwrap_or_else(|| "USD".to_owned()),
            default: index == 0,
        });
    }
    for (index, choice) in choices("Lead.sources").iter().enumerate() {
        let (id, name) = (index as i64 + 1, choice.code.clone());
        company.sources.push(nutshell::Source { id, name, channel: 0, deleted: None });
    }
    for (object, kind) in [
        ("Account", nutshell::Kind::Accounts),
        ("Contact", nutshell::Kind::Contacts),
        ("Lead", nutshell::Kind::Leads),
    ] {
        for choice in choices(&format!("{object}.tags")) {
            let id = company.tags.len() as i64 + 1;
            company.tags.push(nutshell::Tag { id, kind, name: choice.code.clone(), color: 1, deleted: None });
        }
        let custom = schema.object(object).map(|object| object.fields.as_slice()).unwrap_or_default();
        for field in custom.iter().filter(|field| field.custom) {
            let id = company.fields.len() as i64 + 1;
            company.fields.push(nutshell::Field {
                id,
                kind,
                name: field.name.clone(),
                field_type: field_type(&field.ty.base),
                choices: match &field.ty.base {
                    Base::Enum(domain) => choices(domain).iter().map(|choice| choice.code.clone()).collect(),
                    _ => Vec::new(),
                },
                multiple: field.ty.many,
            });
        }
    }
    company
}

fn field_type(base: &Base) -> nutshell::FieldType {
    use nutshell::FieldType;
    match base {
        Base::Money => FieldType::Currency,
        Base::Date => FieldType::Date,
        Base::Enum(_) => FieldType::Decision,
        Base::Email => FieldType::Email,
        Base::Phone => FieldType::Phone,
        Base::Url => FieldType::Url,
        Base::Address => FieldType::Location,
        Base::Integer | Base::Decimal => FieldType::Number,
        _ => FieldType::Text,
    }
}
