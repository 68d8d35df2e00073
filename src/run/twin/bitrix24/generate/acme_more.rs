//! What the default portal has beyond companies, contacts, deals and leads: a catalogue, product rows, estimates, the
//! Smart Process "Equipment", activities of all kinds, comments.
//!
//! Their numbers follow those of the deals and companies. Streams of their own: nothing here changes the main four.

use super::acme::Counts;
use super::shape::{Choice, EntityShape, FieldShape, ProcessShape, Semantics, Shape, StatusShape};
use crate::run::twin::bitrix24::{Entity, portal::Category};

/// `entityTypeId` of the equipment; its type's id is 5.
const EQUIPMENT: u32 = 1032;

const STAGES: &[(&str, &str, &str, Semantics)] = &[
    ("QUOTE_STATUS", "DRAFT", "Черновик", Semantics::Process),
    ("QUOTE_STATUS", "SENT", "Отправлено клиенту", Semantics::Process),
    ("QUOTE_STATUS", "APPROVED", "Принято", Semantics::Success),
    ("QUOTE_STATUS", "DECLAINED", "Отклонено", Semantics::Failure),
    ("DYNAMIC_1032_STAGE_7", "DT1032_7:NEW", "На складе", Semantics::Process),
    ("DYNAMIC_1032_STAGE_7", "DT1032_7:CLIENT", "У клиента", Semantics::Process),
    ("DYNAMIC_1032_STAGE_7", "DT1032_7:SUCCESS", "Списано", Semantics::Success),
    ("DYNAMIC_1032_STAGE_7", "DT1032_7:FAIL", "Утеряно", Semantics::Failure),
    ("DYNAMIC_1032_STAGE_9", "DT1032_9:NEW", "Выдано в аренду", Semantics::Process),
    ("DYNAMIC_1032_STAGE_9", "DT1032_9:SUCCESS", "Возвращено", Semantics::Success),
    ("DYNAMIC_1032_STAGE_9", "DT1032_9:FAIL", "Не возвращено", Semantics::Failure),
];

/// Adds them to the default shape.
pub(super) fn extend(shape: &mut Shape, counts: Counts) {
    shape.statuses.extend(
        STAGES.iter().map(|&(directory, code, name, meaning)| {
            StatusShape::new(directory, code, name).meaning(meaning)
        }),
    );
    let category = |id, name: &str, sort| Category { id, name: name.into(), sort };
    shape.processes = vec![ProcessShape {
        kind: EQUIPMENT,
        id: 5,
        title: "Equipment".into(),
        categories: vec![category(7, "Продажа", 100), category(9, "Аренда", 200)],
    }];
    for (entity, share) in [(Entity::Deal, 0.6), (Entity::Lead, 0.1)] {
        if let Some(part) = shape.entities.get_mut(&entity) {
            part.rows = share;
        }
    }
    let mut quotes = EntityShape::standard(Entity::Quote, counts.deals / 4);
    quotes.rows = 0.8;
    quotes.fields.push(FieldShape::custom("UF_CRM_6710EFCBAF22C", "date", "Действует до").filled(0.5));
    shape.entities.extend([
        (Entity::Quote, quotes),
        (Entity::Product, products(counts.deals / 8)),
        (Entity::Activity, activities(counts.deals * 2)),
        (Entity::Comment, EntityShape::standard(Entity::Comment, counts.deals)),
        (Entity::Process(EQUIPMENT), equipment(counts.companies * 3 / 5)),
    ]);
}

fn products(count: usize) -> EntityShape {
    let mut out = EntityShape::standard(Entity::Product, count);
    let mut property = FieldShape::custom("PROPERTY_258", "product_property", "Артикул поставщика");
    property.fill = 0.3;
    out.fields.push(property);
    out
}

fn activities(count: usize) -> EntityShape {
    let mut out = EntityShape::standard(Entity::Activity, count);
    if let Some(kind) = out.field_mut("TYPE_ID") {
        kind.choices = [("1", 2.0), ("2", 4.0), ("3", 1.0), ("4", 5.0), ("6", 3.0), ("5", 0.05), ("0", 0.05)]
            .map(|(code, weight)| Choice::new(code, "", weight))
            .into();
    }
    out
}

fn equipment(count: usize) -> EntityShape {
    let mut out = EntityShape::standard(Entity::Process(EQUIPMENT), count);
    for field in &mut out.fields {
        if matches!(field.code.as_str(), "STAGE_ID" | "PREVIOUS_STAGE_ID") {
            field.directory = Some(format!("DYNAMIC_{EQUIPMENT}_STAGE_7"));
        }
    }
    let mut company = FieldShape::custom("PARENT_ID_4", "crm_entity", "Компания").filled(0.9);
    company.targets = vec![Entity::Company];
    let mut deal = FieldShape::custom("PARENT_ID_2", "crm_entity", "Сделка").filled(0.4);
    deal.targets = vec![Entity::Deal];
    let mut related =
        FieldShape::custom("UF_CRM_5_RELATED", "crm", "Связанное оборудование").many().filled(0.1);
    related.targets = vec![Entity::Process(EQUIPMENT)];
    out.fields.extend([
        company,
        deal,
        FieldShape::custom("UF_CRM_5_SERIAL", "string", "Серийный номер").filled(0.9),
        FieldShape::custom("UF_CRM_5_PRICE", "money", "Стоимость").filled(0.7),
        FieldShape::custom("UF_CRM_5_BOUGHT", "date", "Дата покупки").filled(0.6),
        FieldShape::custom("UF_CRM_5_KIND", "enumeration", "Тип").filled(0.8).choose(&[
            ("201", "Насос", 5.0),
            ("203", "Компрессор", 3.0),
            ("205", "Двигатель", 1.0),
        ]),
        FieldShape::custom("UF_CRM_5_1690000050", "boolean", "На гарантии")
            .filled(0.5)
            .choose(&[("1", "да", 1.0), ("0", "нет", 2.0)]),
        related,
    ]);
    out
}
