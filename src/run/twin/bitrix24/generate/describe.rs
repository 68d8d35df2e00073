//! A shape as the portal describes itself: fields, custom fields, directories, users, currencies.
//!
//! Owns the rows' keys and spellings. Knows nothing of records.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::shape::{
    CurrencyShape, EntityShape, FieldShape, ProcessShape, Semantics, Shape, StatusShape, UserShape,
};
use super::standard;
use super::time::Clock;
use crate::run::twin::bitrix24::{Entity, Portal, portal::Record};

/// The portal without its records.
pub(super) fn bare(shape: &Shape) -> Portal {
    let zone = Clock::new(shape.offset_hours).zone();
    let mut portal = Portal {
        users: shape.users.iter().map(|user| (user.id, user_row(user, &zone))).collect(),
        departments: departments(shape),
        categories: shape.categories.clone(),
        statuses: statuses(&shape.statuses),
        currencies: currencies(&shape.currencies, &zone),
        ..Portal::default()
    };
    // Ids of custom fields are one sequence per portal; option ids are the shape's.
    let mut next_id = 101;
    let others = shape.entities.keys().filter(|entity| !Entity::ALL.contains(entity));
    for entity in Entity::ALL.into_iter().chain(others.copied()) {
        let standard;
        let shape = match shape.entities.get(&entity) {
            Some(shape) => shape,
            None => {
                standard = EntityShape::standard(entity, 0);
                &standard
            }
        };
        let fields: BTreeMap<_, _> =
            shape.fields.iter().map(|field| (field.code.clone(), field_row(entity, field))).collect();
        let userfields = shape
            .fields
            .iter()
            .filter(|field| field.is_custom())
            .enumerate()
            .map(|(place, field)| {
                next_id += 2;
                userfield_row(entity, field, next_id, place)
            })
            .collect();
        portal.fields.insert(entity, fields);
        // Processes and products describe theirs in another way.
        if Entity::ALL.contains(&entity) || entity == Entity::Quote {
            portal.userfields.insert(entity, userfields);
        }
        portal.records.insert(entity, BTreeMap::new());
    }
    for process in &shape.processes {
        portal.types.push(type_row(process, &zone));
        portal.process_categories.insert(process.kind, process.categories.clone());
    }
    portal
}

/// One row of `crm.type.list`.
fn type_row(process: &ProcessShape, zone: &str) -> Record {
    let categories = yes(process.categories.len() > 1);
    row(json!({
        "id": process.id,
        "title": process.title,
        "code": "",
        "createdBy": 1,
        "entityTypeId": process.kind,
        "customSectionId": null,
        "isCategoriesEnabled": categories,
        "isStagesEnabled": yes(!process.categories.is_empty()),
        "isBeginCloseDatesEnabled": "N",
        "isClientEnabled": "Y",
        "isUseInUserfieldEnabled": "Y",
        "isLinkWithProductsEnabled": "N",
        "isMycompanyEnabled": "N",
        "isDocumentsEnabled": "N",
        "isSourceEnabled": "Y",
        "isObserversEnabled": "N",
        "isRecyclebinEnabled": "Y",
        "isAutomationEnabled": "Y",
        "isBizProcEnabled": "N",
        "isSetOpenPermissions": "Y",
        "isPaymentsEnabled": "N",
        "isCountersEnabled": "N",
        "createdTime": format!("2021-04-12T12:00:00{zone}"),
        "updatedTime": format!("2024-07-08T17:24:55{zone}"),
        "updatedBy": 1,
    }))
}

fn row(value: Value) -> Record {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn yes(is: bool) -> &'static str {
    if is { "Y" } else { "N" }
}

/// One entry of `crm.<entity>.fields`.
pub(super) fn field_row(entity: Entity, field: &FieldShape) -> Record {
    let custom = field.is_custom();
    let standard = if custom { None } else { standard::row(entity, &field.code) };
    let flags = standard.map_or("", |row| row.2);
    let mut out = row(json!({
        "type": field.kind,
        "isRequired": flags.contains('R'),
        "isReadOnly": flags.contains('O'),
        "isImmutable": flags.contains('I'),
        "isMultiple": field.multiple,
        "isDynamic": custom,
        // A custom field's title is its own code; the label stands apart.
        "title": if custom && entity != Entity::Product { &field.code } else { &field.title },
    }));
    if let Some(directory) = &field.directory {
        out.insert("statusType".into(), json!(directory));
    }
    if flags.contains('X') {
        out.insert("isDeprecated".into(), json!(true));
    }
    if custom && entity == Entity::Product {
        out.insert("propertyType".into(), json!("S"));
        out.insert("userType".into(), json!(""));
    } else if custom {
        for label in ["listLabel", "formLabel", "filterLabel"] {
            out.insert(label.into(), json!(field.title));
        }
        if field.kind == "enumeration" {
            let items: Vec<_> =
                field.choices.iter().map(|choice| json!({"ID": choice.id, "VALUE": choice.title})).collect();
            out.insert("items".into(), json!(items));
        }
        out.insert("settings".into(), settings(field));
    } else if let Some(parent) = parent_type(field, flags) {
        out.insert("settings".into(), json!({"parentEntityTypeId": parent}));
    }
    out
}

/// The `parentEntityTypeId` of a single link, as the documented portals give it.
fn parent_type(field: &FieldShape, flags: &str) -> Option<i64> {
    if field.multiple || flags.contains('X') {
        return None;
    }
    match field.kind.as_str() {
        "crm_lead" => Some(1),
        "crm_contact" => Some(3),
        "crm_company" => Some(4),
        "crm_deal" => Some(2),
        "crm_quote" => Some(7),
        "crm_entity" => field.code.strip_prefix("PARENT_ID_")?.parse().ok(),
        _ => None,
    }
}

/// `SETTINGS` of a custom field by its type; an empty map is a list, as PHP has it.
fn settings(field: &FieldShape) -> Value {
    match field.kind.as_str() {
        "string" => {
            json!({"SIZE": 20, "ROWS": 1, "REGEXP": "", "MIN_LENGTH": 0, "MAX_LENGTH": 0, "DEFAULT_VALUE": ""})
        }
        "url" => json!({
            "POPUP": "Y", "SIZE": 20, "MIN_LENGTH": 0, "MAX_LENGTH": 0, "DEFAULT_VALUE": "", "ROWS": 1,
        }),
        "integer" => json!({"SIZE": 20, "MIN_VALUE": 0, "MAX_VALUE": 0, "DEFAULT_VALUE": null}),
        "double" => {
            json!({"PRECISION": 2, "SIZE": 20, "MIN_VALUE": 0, "MAX_VALUE": 0, "DEFAULT_VALUE": null})
        }
        "boolean" => json!({
            "DEFAULT_VALUE": 0, "DISPLAY": "CHECKBOX", "LABEL": ["", ""],
            "LABEL_CHECKBOX": {"en": field.title, "de": field.title},
        }),
        "date" => json!({"DEFAULT_VALUE": {"TYPE": "NONE", "VALUE": ""}}),
        "datetime" => json!({
            "DEFAULT_VALUE": {"TYPE": "NONE", "VALUE": ""}, "USE_SECOND": "Y", "USE_TIMEZONE": "N",
        }),
        "enumeration" => {
            json!({"DISPLAY": "LIST", "LIST_HEIGHT": 1, "CAPTION_NO_VALUE": "", "SHOW_NO_VALUE": "Y"})
        }
        "money" => json!({"DEFAULT_VALUE": ""}),
        "address" => json!({"SHOW_MAP": "Y"}),
        "file" => json!({
            "SIZE": 20, "LIST_WIDTH": 0, "LIST_HEIGHT": 0, "MAX_SHOW_SIZE": 0, "MAX_ALLOWED_SIZE": 0,
            "EXTENSIONS": [], "TARGET_BLANK": "Y",
        }),
        "crm_status" => json!({"ENTITY_TYPE": field.directory}),
        "crm" => {
            let mut out = Map::new();
            // Documented portals name the lead even where it is not allowed.
            out.insert("LEAD".into(), Value::Null);
            for target in &field.targets {
                out.insert(name(*target), json!("Y"));
            }
            Value::Object(out)
        }
        _ => json!([]),
    }
}

/// What settings and entities of custom fields call an entity.
fn name(entity: Entity) -> String {
    entity.timeline_word().to_uppercase()
}

/// One row of `crm.<entity>.userfield.list` with its labels; `LIST` stands in enumerations only.
fn userfield_row(entity: Entity, field: &FieldShape, id: i64, place: usize) -> Record {
    let filter = match field.kind.as_str() {
        "file" => "N",
        "crm" | "crm_status" | "employee" => "I",
        _ => "E",
    };
    let mut out = row(json!({
        "ID": id.to_string(),
        "ENTITY_ID": format!("CRM_{}", name(entity)),
        "FIELD_NAME": field.code,
        "USER_TYPE_ID": field.kind,
        "XML_ID": null,
        "SORT": ((place + 1) * 100).to_string(),
        "MULTIPLE": yes(field.multiple),
        "MANDATORY": "N",
        "SHOW_FILTER": filter,
        "SHOW_IN_LIST": "Y",
        "EDIT_IN_LIST": "Y",
        "IS_SEARCHABLE": "N",
        "SETTINGS": settings(field),
        "EDIT_FORM_LABEL": field.title,
        "LIST_COLUMN_LABEL": field.title,
        "LIST_FILTER_LABEL": field.title,
        "ERROR_MESSAGE": null,
        "HELP_MESSAGE": null,
    }));
    if field.kind == "enumeration" {
        let list: Vec<_> = field
            .choices
            .iter()
            .enumerate()
            .map(|(place, choice)| {
                json!({
                    "ID": choice.id,
                    "SORT": ((place + 1) * 10).to_string(),
                    "VALUE": choice.title,
                    "DEF": "N",
                    "XML_ID": format!("{:032x}", u128::from(super::rng::salt(&choice.id)) << 17),
                })
            })
            .collect();
        out.insert("LIST".into(), json!(list));
    }
    out
}

/// Rows of `crm.status.list` by (`ENTITY_ID`, `SORT`).
fn statuses(shapes: &[StatusShape]) -> Vec<Record> {
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let mut rows: Vec<(&str, usize, Record)> = Vec::with_capacity(shapes.len());
    for (number, status) in shapes.iter().enumerate() {
        let place = places.entry(status.directory.as_str()).or_default();
        *place += 1;
        rows.push((status.directory.as_str(), *place, status_row(status, number, *place)));
    }
    rows.sort_by_key(|&(directory, place, _)| (directory, place));
    rows.into_iter().map(|(_, _, row)| row).collect()
}

fn status_row(status: &StatusShape, number: usize, place: usize) -> Record {
    let bare = status.code.rsplit(':').next().unwrap_or("");
    let process = status.process();
    let stage = process.is_some()
        || status.category().is_some()
        || matches!(status.directory.as_str(), "STATUS" | "QUOTE_STATUS");
    // The first stage and the final ones cannot be deleted; entries that people made are `UC_`.
    let system = if stage {
        matches!(
            bare,
            "NEW"
                | "WON"
                | "LOSE"
                | "CONVERTED"
                | "JUNK"
                | "DRAFT"
                | "APPROVED"
                | "DECLAINED"
                | "SUCCESS"
                | "FAIL"
        )
    } else {
        !bare.starts_with("UC_")
    };
    let (semantics, extra, color) = match (stage, status.semantics) {
        (false, _) => (None, None, ""),
        (true, Semantics::Process) => {
            (None, Some("process"), ["#39A8EF", "#2FC6F6", "#55D0E0", "#47E4C2"][place % 4])
        }
        (true, Semantics::Success) => (Some("S"), Some("success"), "#7BD500"),
        (true, Semantics::Failure) => (Some("F"), Some("failure"), "#FF5752"),
        (true, Semantics::Apology) => (Some("F"), Some("apology"), "#FF5752"),
    };
    let category =
        status.category().filter(|&id| id != 0).or(process.map(|(_, id)| id)).map(|id| id.to_string());
    let mut out = row(json!({
        "ID": (number * 2 + 1).to_string(),
        "ENTITY_ID": status.directory,
        "STATUS_ID": status.code,
        "NAME": status.name,
        "NAME_INIT": if system { status.name.as_str() } else { "" },
        "SORT": (place * 10).to_string(),
        "SYSTEM": yes(system),
        "CATEGORY_ID": category,
        "COLOR": color,
        "SEMANTICS": semantics,
    }));
    if let Some(extra) = extra.filter(|_| process.is_none()) {
        out.insert("EXTRA".into(), json!({"SEMANTICS": extra, "COLOR": color}));
    }
    out
}

fn currencies(shapes: &[CurrencyShape], zone: &str) -> Vec<Record> {
    let rows = shapes.iter().enumerate().map(|(place, currency)| {
        row(json!({
            "CURRENCY": currency.code,
            "AMOUNT_CNT": "1",
            "AMOUNT": currency.rate,
            "SORT": ((place + 1) * 100).to_string(),
            "BASE": yes(currency.base),
            "FULL_NAME": currency.name,
            "LID": "ru",
            "FORMAT_STRING": format!("# {}", currency.code),
            "DEC_POINT": ".",
            // Both spellings stand side by side in real portals.
            "THOUSANDS_SEP": if place % 2 == 0 { json!("&nbsp;") } else { Value::Null },
            "DECIMALS": "2",
            "DATE_UPDATE": format!("2023-03-21T15:19:50{zone}"),
        }))
    });
    rows.collect()
}

fn departments(shape: &Shape) -> Vec<Record> {
    let rows = shape.departments.iter().map(|department| {
        let mut out = row(json!({"ID": department.id.to_string(), "NAME": department.name, "SORT": 500}));
        if let Some(parent) = department.parent {
            out.insert("PARENT".into(), json!(parent.to_string()));
        }
        if let Some(head) = department.head {
            out.insert("UF_HEAD".into(), json!(head.to_string()));
        }
        out
    });
    rows.collect()
}

/// One row of `user.get`; `TIMESTAMP_X` and `LAST_ACTIVITY_DATE` come as text or as an empty object.
fn user_row(user: &UserShape, zone: &str) -> Record {
    let day = user.id.rem_euclid(27) + 1;
    let (stamp, last) = if user.id % 3 == 0 {
        (json!({}), json!({}))
    } else {
        (json!(format!("{day:02}.08.2023 13:19:39")), json!(format!("2026-10-{day:02} 10:30:11")))
    };
    row(json!({
        "ID": user.id.to_string(),
        "XML_ID": null,
        "ACTIVE": user.active,
        "NAME": user.name,
        "LAST_NAME": user.last_name,
        "SECOND_NAME": "",
        "EMAIL": user.email,
        "LAST_LOGIN": format!("2026-10-{day:02}T10:29:54{zone}"),
        "DATE_REGISTER": format!("2017-02-{day:02}T03:00:00{zone}"),
        "TIME_ZONE": "",
        "IS_ONLINE": yes(user.active && user.id % 2 == 0),
        "TIMESTAMP_X": stamp,
        "LAST_ACTIVITY_DATE": last,
        "PERSONAL_GENDER": "",
        "PERSONAL_BIRTHDAY": "",
        "WORK_POSITION": user.post,
        "UF_EMPLOYMENT_DATE": "",
        "UF_DEPARTMENT": user.departments,
        "USER_TYPE": "employee",
    }))
}
