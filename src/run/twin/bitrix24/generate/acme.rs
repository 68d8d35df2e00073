//! The default portal: a company of ten years with two pipelines, eleven users and all the usual disorder.
//!
//! Owns its directories, people and custom fields, and the few oddities that stand at fixed places.

use std::collections::BTreeMap;

use serde_json::json;

use super::acme_more;
use super::records::has;
use super::shape::{
    Choice, CurrencyShape, DepartmentShape, EntityShape, FieldShape, Semantics, Shape, StatusShape, UserShape,
};
use crate::run::twin::bitrix24::{Entity, Portal, portal::Category};

/// How many records of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Companies.
    pub companies: usize,
    /// Contacts.
    pub contacts: usize,
    /// Deals.
    pub deals: usize,
    /// Leads.
    pub leads: usize,
}

impl Counts {
    /// So many times the portal of 500 companies, 1,500 contacts, 1,000 deals and 100 leads; what is not a number
    /// above 0 counts as 0.
    pub fn scaled(scale: f64) -> Self {
        // A cast from a negative or unnatural number gives 0 here.
        let times = |n: f64| (n * scale).round() as usize;
        Counts { companies: times(500.0), contacts: times(1500.0), deals: times(1000.0), leads: times(100.0) }
    }
}

use Semantics::{Apology, Failure, Process, Success};

const STAGES: &[(&str, &str, &str, Semantics)] = &[
    ("DEAL_STAGE", "NEW", "Новая", Process),
    ("DEAL_STAGE", "PREPARATION", "Подготовка", Process),
    ("DEAL_STAGE", "PREPAYMENT_INVOICE", "Счёт", Process),
    ("DEAL_STAGE", "EXECUTING", "В работе", Process),
    ("DEAL_STAGE", "UC_7F3K", "На паузе", Process),
    ("DEAL_STAGE", "WON", "Успех", Success),
    ("DEAL_STAGE", "LOSE", "Провал", Failure),
    ("DEAL_STAGE", "APOLOGY", "Отказ", Apology),
    ("DEAL_STAGE_1", "C1:NEW", "Заявка", Process),
    ("DEAL_STAGE_1", "C1:EXECUTING", "Ремонт", Process),
    ("DEAL_STAGE_1", "C1:WON", "Готово", Success),
    ("DEAL_STAGE_1", "C1:LOSE", "Отменено", Failure),
    ("STATUS", "NEW", "Не обработан", Process),
    ("STATUS", "IN_PROCESS", "В работе", Process),
    ("STATUS", "PROCESSED", "Обработан", Process),
    ("STATUS", "CONVERTED", "Качественный лид", Success),
    ("STATUS", "JUNK", "Некачественный лид", Failure),
];

/// Directory, then pairs of code and name.
const DIRECTORIES: &[(&str, &[(&str, &str)])] = &[
    (
        "SOURCE",
        &[
            ("CALL", "Звонок"),
            ("EMAIL", "Электронная почта"),
            ("WEB", "Сайт"),
            ("WEBFORM", "CRM-форма"),
            ("ADVERTISING", "Реклама"),
            ("PARTNER", "Существующий клиент"),
            ("RECOMMENDATION", "По рекомендации"),
            ("TRADE_SHOW", "Выставка"),
            ("OTHER", "Другое"),
            ("UC_Q81ZP4", "Выставка 2024"),
        ],
    ),
    (
        "COMPANY_TYPE",
        &[
            ("CUSTOMER", "Клиент"),
            ("SUPPLIER", "Поставщик"),
            ("COMPETITOR", "Конкурент"),
            ("PARTNER", "Партнёр"),
            ("OTHER", "Другое"),
        ],
    ),
    (
        "INDUSTRY",
        &[
            ("IT", "Информационные технологии"),
            ("TELECOM", "Телекоммуникации и связь"),
            ("MANUFACTURING", "Производство"),
            ("BANKING", "Банковские услуги"),
            ("CONSULTING", "Консалтинг"),
            ("FINANCE", "Финансы"),
            ("GOVERNMENT", "Правительство"),
            ("DELIVERY", "Доставка"),
            ("ENTERTAINMENT", "Развлечения"),
            ("NOTPROFIT", "Не для получения прибыли"),
            ("OTHER", "Другое"),
        ],
    ),
    (
        "EMPLOYEES",
        &[
            ("EMPLOYEES_1", "менее 50"),
            ("EMPLOYEES_2", "50-250"),
            ("EMPLOYEES_3", "250-500"),
            ("EMPLOYEES_4", "более 500"),
        ],
    ),
    (
        "CONTACT_TYPE",
        &[("CLIENT", "Клиенты"), ("SUPPLIER", "Поставщики"), ("PARTNER", "Партнёры"), ("OTHER", "Другое")],
    ),
    (
        "DEAL_TYPE",
        &[
            ("SALE", "Продажа"),
            ("COMPLEX", "Комплексная продажа"),
            ("GOODS", "Продажа товара"),
            ("SERVICES", "Услуги"),
            ("SERVICE", "Сервисное обслуживание"),
        ],
    ),
    ("HONORIFIC", &[("HNR_RU_1", "г-н"), ("HNR_RU_2", "г-жа")]),
];

/// Id, first and last name, e-mail address, active, job title, department, weight.
type User = (i64, &'static str, &'static str, &'static str, bool, &'static str, i64, f64);

const USERS: &[User] = &[
    (1, "Vadim", "Соколов", "admin@acme.example", true, "Администратор", 1, 2.0),
    (6, "Светлана", "Орлова", "sveta@acme.example", true, "Менеджер", 3, 6.0),
    (7, "Иван", "Петров", "ivan@acme.example", true, "Менеджер", 3, 5.0),
    (8, "Ольга", "Белова", "Olga@Acme.example", true, "Менеджер", 3, 4.0),
    (11, "John", "Reed", "john@acme.example", true, "Account manager", 3, 3.0),
    (12, "Юлия", "Щукина", "julia@acme.example", true, "Сервис", 5, 3.0),
    // No such address on the other side.
    (14, "Пётр", "Новиков", "novikov@partner.example", true, "Внештатный агент", 3, 1.0),
    (15, "Склад", "", "", true, "", 5, 0.5),
    (17, "Анна", "Котова", "anna@acme.example", false, "Менеджер", 3, 3.0),
    (21, "Сергей", "Ли", "sergey@acme.example", false, "Менеджер", 3, 2.0),
    (23, "Mary", "O'Neill", "mary@acme.example", false, "", 3, 1.0),
];

/// The default portal's shape with these many records.
pub fn acme_shape(counts: Counts) -> Shape {
    let mut shape = Shape::new("acme.bitrix24.com");
    shape.mess = 1.0;
    shape.dangling = 0.006;
    shape.categories = [(0, "Продажи", 300), (1, "Сервис", 200)]
        .map(|(id, name, sort)| Category { id, name: name.into(), sort })
        .into();
    shape.statuses = statuses();
    shape.users = USERS.iter().map(user).collect();
    shape.departments = vec![
        department(1, "Акме", None, Some(1)),
        department(3, "Отдел продаж", Some(1), Some(6)),
        department(5, "Сервисный центр", Some(1), None),
    ];
    shape.currencies = [
        ("USD", "US Dollar", "1.0000", true, 5.0),
        ("EUR", "Euro", "1.0800", false, 3.0),
        ("RUB", "Российский рубль", "0.0108", false, 2.0),
    ]
    .map(|(code, name, rate, base, weight)| CurrencyShape {
        code: code.into(),
        name: name.into(),
        rate: rate.into(),
        base,
        weight,
    })
    .into();
    shape.entities = BTreeMap::from([
        (Entity::Company, companies(counts.companies)),
        (Entity::Contact, contacts(counts.contacts)),
        (Entity::Deal, deals(counts.deals)),
        (Entity::Lead, EntityShape::standard(Entity::Lead, counts.leads)),
    ]);
    acme_more::extend(&mut shape, counts);
    shape
}

fn statuses() -> Vec<StatusShape> {
    let stages = STAGES.iter().map(|&(directory, code, name, semantics)| {
        StatusShape::new(directory, code, name).meaning(semantics)
    });
    let others = DIRECTORIES.iter().flat_map(|&(directory, rows)| {
        rows.iter().map(move |&(code, name)| StatusShape::new(directory, code, name))
    });
    stages.chain(others).collect()
}

fn user(&(id, name, last_name, email, active, post, department, weight): &User) -> UserShape {
    UserShape {
        id,
        name: name.into(),
        last_name: last_name.into(),
        email: email.into(),
        active,
        post: post.into(),
        departments: vec![department],
        weight,
    }
}

fn department(id: i64, name: &str, parent: Option<i64>, head: Option<i64>) -> DepartmentShape {
    DepartmentShape { id, name: name.into(), parent, head }
}

fn companies(count: usize) -> EntityShape {
    let mut out = EntityShape::standard(Entity::Company, count);
    let mut parent = FieldShape::custom("UF_CRM_1690000004", "crm", "Головная").filled(0.1);
    parent.targets = vec![Entity::Company];
    out.fields.extend([
        FieldShape::custom("UF_CRM_1690000003", "money", "Объём").filled(0.4),
        parent,
        FieldShape::custom("UF_CRM_1690000010", "enumeration", "Сегмент").filled(0.7).choose(&[
            ("71", "A", 1.0),
            ("73", "B", 3.0),
            ("75", "C", 6.0),
        ]),
        FieldShape::custom("UF_CRM_1690000011", "date", "Дата договора").filled(0.35),
        FieldShape::custom("UF_CRM_OLD_CODE", "string", "Старый код").filled(0.0),
        FieldShape::custom("UF_CRM_OLD_REGION", "string", "Старый регион").filled(0.0),
        FieldShape::custom("UF_CRM_1690000012", "enumeration", "Интересы").many().filled(0.3).choose(&[
            ("81", "Насосы", 4.0),
            ("83", "Компрессоры", 3.0),
            ("85", "Сервис", 2.0),
            ("87", "Обучение", 1.0),
        ]),
    ]);
    out
}

fn contacts(count: usize) -> EntityShape {
    let mut out = EntityShape::standard(Entity::Contact, count);
    out.fields.extend([
        FieldShape::custom("UF_CRM_1690000020", "string", "Мессенджер").filled(0.2),
        FieldShape::custom("UF_CRM_1690000021", "boolean", "VIP")
            .filled(0.6)
            .choose(&[("1", "да", 1.0), ("0", "нет", 4.0)]),
        FieldShape::custom("UF_CRM_1690000022", "enumeration", "Язык").filled(0.4).choose(&[
            ("91", "русский", 6.0),
            ("93", "English", 3.0),
            ("95", "中文", 1.0),
        ]),
    ]);
    out
}

fn deals(count: usize) -> EntityShape {
    let mut out = EntityShape::standard(Entity::Deal, count);
    let weights = [
        ("NEW", 12.0),
        ("PREPARATION", 10.0),
        ("PREPAYMENT_INVOICE", 6.0),
        ("EXECUTING", 9.0),
        ("UC_7F3K", 1.0),
        ("WON", 25.0),
        ("LOSE", 12.0),
        ("APOLOGY", 4.0),
        ("C1:NEW", 4.0),
        ("C1:EXECUTING", 5.0),
        ("C1:WON", 9.0),
        ("C1:LOSE", 3.0),
    ];
    if let Some(stage) = out.field_mut("STAGE_ID") {
        stage.choices = weights.map(|(code, weight)| Choice::new(code, "", weight)).into();
    }
    if let Some(recurring) = out.field_mut("IS_RECURRING") {
        recurring.choices = vec![Choice::new("Y", "", 1.0), Choice::new("N", "", 80.0)];
    }
    out.fields.extend([
        FieldShape::custom("UF_CRM_1690000030", "enumeration", "Причина отказа").filled(0.2).choose(&[
            ("101", "Дорого", 4.0),
            ("103", "Ушли к конкуренту", 2.0),
            ("105", "Нет бюджета", 3.0),
        ]),
        FieldShape::custom("UF_CRM_1690000031", "date", "Гарантия до").filled(0.25),
        FieldShape::custom("UF_CRM_1690000032", "money", "Бюджет").filled(0.3),
        FieldShape::custom("UF_CRM_1690000033", "url", "Ссылки").many().filled(0.15),
        FieldShape::custom("UF_CRM_1690000034", "string", "Оборудование").filled(0.3),
    ]);
    out
}

/// The fields that say who a contact is and how to reach it.
const SAYS_WHO: &[&str] =
    &["NAME", "SECOND_NAME", "LAST_NAME", "PHONE", "EMAIL", "WEB", "IM", "COMPANY_ID", "POST", "COMMENTS"];

/// Where ids of rows that were added by hand begin.
const ROWS: i64 = 1_000_000_000;

/// Oddities that chance would not place: the portal's own company, contacts that are a phone or a name only.
pub(super) fn dress(portal: &mut Portal) {
    let companies = portal.records.get_mut(&Entity::Company);
    if let Some(own) = companies.and_then(|companies| companies.values_mut().next()) {
        own.insert("TITLE".into(), json!("ООО «Акме»"));
        own.insert("IS_MY_COMPANY".into(), json!("Y"));
    }
    let Some(contacts) = portal.records.get_mut(&Entity::Contact) else {
        return;
    };
    for (place, (id, contact)) in contacts.iter_mut().enumerate() {
        let (stays, otherwise) = match place % 61 {
            17 => (
                "PHONE",
                // Above all row ids that the generator gives out.
                json!([{"ID": (ROWS + id).to_string(), "VALUE_TYPE": "MOBILE", "VALUE": "8 (912) 345-67-89", "TYPE_ID": "PHONE"}]),
            ),
            43 => ("NAME", json!("Аноним")),
            _ => continue,
        };
        for code in SAYS_WHO.iter().filter(|code| **code != stays) {
            contact.shift_remove(*code);
        }
        if contact.get(stays).is_none_or(|value| value.as_str().is_some_and(str::is_empty) || value.is_null())
        {
            contact.insert(stays.into(), otherwise);
        }
        portal.contact_companies.remove(id);
        for (code, multifield) in [("HAS_PHONE", "PHONE"), ("HAS_EMAIL", "EMAIL"), ("HAS_IMOL", "IM")] {
            let yes = if has(contact, multifield) { "Y" } else { "N" };
            contact.insert(code.into(), json!(yes));
        }
    }
}
