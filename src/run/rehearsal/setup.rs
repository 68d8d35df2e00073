//! From snapshots to twins: a portal's shape from the source's, an account from the destination's.
//!
//! E-mail addresses are not in snapshots, so users of a rehearsal bear made-up ones.

use std::collections::BTreeMap;

use crate::lang::schema::{Field, Object, Schema};
use crate::lang::types::Base;
use crate::lang::value::OutcomeKind;
use crate::run::twin::bitrix24::generate::{
    Choice, CurrencyShape, EntityShape, FieldShape, Semantics, Shape, StatusShape, UserShape,
};
use crate::run::twin::bitrix24::portal::{Category, Entity};
use crate::run::twin::nutshell::{self, Company};

/// What the plan calls an object, and what the twin calls it.
pub const ENTITIES: [(&str, Entity); 4] = [
    ("company", Entity::Company),
    ("contact", Entity::Contact),
    ("deal", Entity::Deal),
    ("lead", Entity::Lead),
];

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
    for (name, entity) in ENTITIES {
        let Some(object) = schema.object(name) else { continue };
        let count = records(name).or(object.records).unwrap_or(0);
        let fields = object.fields.iter().map(|field| field_shape(schema, object, entity, field)).collect();
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        shape.entities.insert(entity, EntityShape { count, fields, more_links: 0.12 });
    }
    shape
}

fn deal_values(schema: &Schema, field: &str) -> BTreeMap<String, u64> {
    let stats =
        schema.object("deal").and_then(|object| object.field(field)).and_then(|field| field.stats.clone());
    stats.map(|stats| stats.values).unwrap_or_default()
}

/// The directory of a pipeline's stages, and what their codes begin with there.
fn stage_directory(object: &str, category: &str) -> (String, String) {
    match (object, category) {
        ("lead", _) => ("STATUS".to_owned(), String::new()),
        (_, "" | "0") => ("DEAL_STAGE".to_owned(), String::new()),
        (_, category) => (format!("DEAL_STAGE_{category}"), format!("C{category}:")),
    }
}

/// Whether an enumeration is one of the portal's directories: not a field's own list, and not fixed by the API.
fn is_directory(domain: &str) -> bool {
    !domain.contains('.')
        && !["CURRENCY", "SEMANTIC", "PHONE_TYPE", "EMAIL_TYPE", "WEB_TYPE", "IM_TYPE", "LINK_TYPE"]
            .contains(&domain)
}

fn field_shape(schema: &Schema, object: &Object, entity: Entity, field: &Field) -> FieldShape {
    let mut shape = FieldShape::standard(entity, &field.name)
        .unwrap_or_else(|| FieldShape::custom(&field.name, kind(&field.name, &field.ty.base), ""));
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
        Base::Enum(_) => {
            if let Some(values) = values {
                shape.choices = values.iter().map(|(code, n)| Choice::new(code, "", *n as f64)).collect();
            }
        }
        Base::Stage => {
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
            shape.targets =
                ENTITIES.iter().filter(|(name, _)| name == target).map(|(_, entity)| *entity).collect();
        }
        Base::AnyLink => shape.targets = Entity::ALL.to_vec(),
        _ => {}
    }
    if let (Some(stats), Some(records)) = (&field.stats, object.records.filter(|records| *records > 0)) {
        shape.fill = stats.filled as f64 / records as f64;
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
    for (index, user) in schema.users.iter().enumerate() {
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
