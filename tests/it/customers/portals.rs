//! The portals and accounts that the snapshots of the two further examples were taken of.

use b2n::run::twin::bitrix24::generate::{
    Counts, CurrencyShape, EntityShape, FieldShape, ProcessShape, Semantics, Shape, StatusShape, UserShape,
    acme_shape,
};
use b2n::run::twin::bitrix24::{Entity, Portal, portal::Category};
use b2n::run::twin::nutshell::Company;
use serde_json::{Value as Json, json};

use Semantics::{Failure, Process, Success};

/// Lifts and their repairs; the Smart Processes' `entityTypeId`s.
const LIFT: u32 = 1036;
const REPAIR: u32 = 1040;

type Stage = (&'static str, &'static str, &'static str, Semantics);

const PODYOM_STAGES: &[Stage] = &[
    ("DEAL_STAGE", "NEW", "Новая", Process),
    ("DEAL_STAGE", "PREPARATION", "Обследование", Process),
    ("DEAL_STAGE", "PREPAYMENT_INVOICE", "Предложение", Process),
    ("DEAL_STAGE", "EXECUTING", "Монтаж", Process),
    ("DEAL_STAGE", "UC_L1FT07", "Сдача инспекции", Process),
    ("DEAL_STAGE", "WON", "Сдан заказчику", Success),
    ("DEAL_STAGE", "LOSE", "Отказ", Failure),
    ("DEAL_STAGE_1", "C1:NEW", "Запрос", Process),
    ("DEAL_STAGE_1", "C1:EXECUTING", "Договор на подписи", Process),
    ("DEAL_STAGE_1", "C1:WON", "На обслуживании", Success),
    ("DEAL_STAGE_1", "C1:LOSE", "Не заключён", Failure),
    ("STATUS", "NEW", "Новое обращение", Process),
    ("STATUS", "IN_PROCESS", "В работе", Process),
    ("STATUS", "CONVERTED", "Передан в сделку", Success),
    ("STATUS", "JUNK", "Не наш клиент", Failure),
    ("QUOTE_STATUS", "DRAFT", "Черновик", Process),
    ("QUOTE_STATUS", "SENT", "Отправлено", Process),
    ("QUOTE_STATUS", "APPROVED", "Принято", Success),
    ("QUOTE_STATUS", "DECLAINED", "Отклонено", Failure),
    ("DYNAMIC_1036_STAGE_13", "DT1036_13:NEW", "Работает", Process),
    ("DYNAMIC_1036_STAGE_13", "DT1036_13:SUCCESS", "Заменён", Success),
    ("DYNAMIC_1036_STAGE_13", "DT1036_13:FAIL", "Демонтирован", Failure),
    ("DYNAMIC_1040_STAGE_15", "DT1040_15:NEW", "Принята", Process),
    ("DYNAMIC_1040_STAGE_15", "DT1040_15:CLIENT", "Выезд мастера", Process),
    ("DYNAMIC_1040_STAGE_15", "DT1040_15:PARTS", "Ждёт запчастей", Process),
    ("DYNAMIC_1040_STAGE_15", "DT1040_15:SUCCESS", "Закрыта", Success),
    ("DYNAMIC_1040_STAGE_15", "DT1040_15:FAIL", "Отменена", Failure),
];

/// Directories that no stages stand in, and what the German portal calls their values.
const REBSTOCK_LISTS: &[(&str, &[(&str, &str)])] = &[
    (
        "SOURCE",
        &[
            ("CALL", "Anruf"),
            ("EMAIL", "E-Mail"),
            ("WEB", "Webseite"),
            ("RECOMMENDATION", "Empfehlung"),
            ("TRADE_SHOW", "Messe"),
            ("STORE", "Onlineshop"),
            ("OTHER", "Sonstiges"),
            ("UC_WEINFEST", "Weinfest"),
        ],
    ),
    (
        "COMPANY_TYPE",
        &[("CUSTOMER", "Kunde"), ("SUPPLIER", "Weingut"), ("PARTNER", "Partner"), ("OTHER", "Sonstige")],
    ),
    ("INDUSTRY", &[("DELIVERY", "Logistik"), ("ENTERTAINMENT", "Veranstaltungen"), ("OTHER", "Sonstige")]),
    ("EMPLOYEES", &[("EMPLOYEES_1", "unter 50"), ("EMPLOYEES_2", "50-250")]),
    ("CONTACT_TYPE", &[("CLIENT", "Kunde"), ("SUPPLIER", "Winzer"), ("OTHER", "Sonstige")]),
    ("DEAL_TYPE", &[("SALE", "Verkauf"), ("GOODS", "Ware"), ("SERVICES", "Verkostung")]),
    ("HONORIFIC", &[("HNR_DE_1", "Frau"), ("HNR_DE_2", "Herr")]),
];

const REBSTOCK_STAGES: &[Stage] = &[
    ("DEAL_STAGE", "NEW", "Anfrage", Process),
    ("DEAL_STAGE", "PREPARATION", "Verkostung", Process),
    ("DEAL_STAGE", "EXECUTING", "Weinkarte", Process),
    ("DEAL_STAGE", "WON", "Gelistet", Success),
    ("DEAL_STAGE", "LOSE", "Abgesagt", Failure),
    ("DEAL_STAGE_3", "C3:NEW", "Muster", Process),
    ("DEAL_STAGE_3", "C3:WON", "Bestellt", Success),
    ("DEAL_STAGE_3", "C3:LOSE", "Kein Interesse", Failure),
    ("STATUS", "NEW", "Neu", Process),
    ("STATUS", "CONVERTED", "Umgewandelt", Success),
    ("STATUS", "JUNK", "Unbrauchbar", Failure),
    ("QUOTE_STATUS", "DRAFT", "Entwurf", Process),
    ("QUOTE_STATUS", "APPROVED", "Angenommen", Success),
    ("QUOTE_STATUS", "DECLAINED", "Abgelehnt", Failure),
];

/// Lifts: installed, serviced, repaired.
pub fn podyom() -> Portal {
    podyom_with(Counts { companies: 120, contacts: 260, deals: 240, leads: 80 })
}

/// The same portal with these many records.
pub fn podyom_with(counts: Counts) -> Portal {
    let mut shape = base("podyom.bitrix24.ru", counts);
    shape.categories = categories(&[(0, "Монтаж"), (1, "Обслуживание")]);
    shape.statuses.retain(|status| !stages(status));
    shape.statuses.extend(PODYOM_STAGES.iter().map(stage));
    shape.users = users(&[
        (1, "Рустам", "Галиев", "galiev@podyom.example", true),
        (4, "Алия", "Сафина", "safina@podyom.example", true),
        (6, "Олег", "Крылов", "krylov@podyom.example", true),
        (9, "Тимур", "Юсупов", "yusupov@podyom.example", false),
    ]);
    shape.currencies = vec![
        currency("RUB", "Российский рубль", "1.0000", true, 9.0),
        currency("EUR", "Евро", "98.0000", false, 1.0),
    ];
    shape.processes = vec![
        process(LIFT, 7, "Лифт", &[(13, "Общее")]),
        process(REPAIR, 9, "Заявка на ремонт", &[(15, "Общее")]),
    ];
    let custom = |shape: &mut Shape, entity, fields: Vec<FieldShape>| {
        if let Some(part) = shape.entities.get_mut(&entity) {
            part.fields.extend(fields);
        }
    };
    custom(
        &mut shape,
        Entity::Company,
        vec![
            FieldShape::custom("UF_CRM_1700000001", "enumeration", "Тип здания").filled(0.8).choose(&[
                ("51", "Жилой дом", 5.0),
                ("53", "Бизнес-центр", 3.0),
                ("55", "Больница", 1.0),
            ]),
            FieldShape::custom("UF_CRM_1700000002", "date", "Договор до").filled(0.6),
        ],
    );
    custom(
        &mut shape,
        Entity::Deal,
        vec![
            FieldShape::custom("UF_CRM_1700000020", "enumeration", "Причина отказа")
                .filled(0.2)
                .choose(&[("61", "Цена", 3.0), ("63", "Сроки", 1.0)]),
            FieldShape::custom("UF_CRM_1700000021", "string", "Адрес объекта").filled(0.7),
        ],
    );
    custom(
        &mut shape,
        Entity::Lead,
        vec![FieldShape::custom("UF_CRM_1700000030", "integer", "Число этажей").filled(0.3)],
    );
    let link = |code: &str, title: &str, target, fill| {
        let mut field = FieldShape::custom(code, "crm_entity", title).filled(fill);
        field.targets = vec![target];
        field
    };
    let mut lifts = staged(LIFT, 13, 300);
    lifts.fields.extend([
        link("PARENT_ID_4", "Компания", Entity::Company, 0.95),
        FieldShape::custom("UF_CRM_7_SERIAL", "string", "Заводской номер").filled(0.95),
        FieldShape::custom("UF_CRM_7_FLOORS", "integer", "Остановок").filled(0.9),
        FieldShape::custom("UF_CRM_7_INSPECTION", "date", "Следующее освидетельствование").filled(0.8),
        FieldShape::custom("UF_CRM_7_PRICE", "money", "Стоимость замены").filled(0.5),
    ]);
    let mut repairs = staged(REPAIR, 15, 200);
    repairs.fields.extend([
        link("PARENT_ID_1036", "Лифт", Entity::Process(LIFT), 0.9),
        FieldShape::custom("UF_CRM_9_CAUSE", "enumeration", "Причина").filled(0.8).choose(&[
            ("71", "Износ", 5.0),
            ("73", "Вандализм", 2.0),
            ("75", "Электрика", 2.0),
        ]),
        FieldShape::custom("UF_CRM_9_DOWNTIME", "integer", "Простой, часов").filled(0.6),
    ]);
    shape.entities.extend([(Entity::Process(LIFT), lifts), (Entity::Process(REPAIR), repairs)]);
    let mut portal = Portal::generate(&shape, 7);
    portal.furnish(7);
    portal
}

/// Its account.
pub fn podyom_account() -> Company {
    account(json!({
        "users": [
            {"name": "Rustam Galiev", "email": "galiev@podyom.example", "admin": true},
            {"name": "Aliya Safina", "email": "safina@podyom.example"},
            {"name": "Oleg Krylov", "email": "krylov@podyom.example"},
        ],
        "stagesets": [
            {"name": "Installation", "default": true, "stages": ["Enquiry", "Survey", "Offer", "Building", "Inspection"]},
            {"name": "Service contracts", "stages": ["Enquiry", "Signing"]},
            {"name": "Repairs", "stages": ["Accepted", "Visit", "Waiting for parts"]},
        ],
        "outcomes": [
            {"name": "Handed over", "type": 10}, {"name": "Under contract", "type": 10}, {"name": "Repaired", "type": 10},
            {"name": "Refused", "type": 11}, {"name": "Called off", "type": 12},
        ],
        "markets": [{"name": "Russia", "currency": "RUB", "default": true}, {"name": "Europe", "currency": "EUR"}],
    }))
}

/// Wine for restaurants and shops.
pub fn rebstock() -> Portal {
    let counts = Counts { companies: 150, contacts: 300, deals: 200, leads: 60 };
    let mut shape = base("rebstock.bitrix24.de", counts);
    shape.offset_hours = 1;
    shape.categories = categories(&[(0, "Gastronomie"), (3, "Fachhandel")]);
    shape.statuses = REBSTOCK_STAGES.iter().map(stage).collect();
    for (list, rows) in REBSTOCK_LISTS {
        shape.statuses.extend(rows.iter().map(|(code, name)| StatusShape::new(*list, *code, *name)));
    }
    shape.users = users(&[
        (1, "Greta", "Rebstock", "greta@rebstock.example", true),
        (3, "Jonas", "Feld", "jonas@rebstock.example", true),
        (8, "Mia", "Krämer", "mia@rebstock.example", false),
    ]);
    shape.currencies = vec![
        currency("EUR", "Euro", "1.0000", true, 8.0),
        currency("CHF", "Schweizer Franken", "1.0400", false, 2.0),
    ];
    if let Some(companies) = shape.entities.get_mut(&Entity::Company) {
        companies.fields.extend([
            FieldShape::custom("UF_CRM_1710000001", "string", "Lieferhinweis").filled(0.3),
            FieldShape::custom("UF_CRM_1710000002", "string", "Alte Kundennummer").filled(0.0),
        ]);
    }
    if let Some(deals) = shape.entities.get_mut(&Entity::Deal) {
        deals.fields.push(FieldShape::custom("UF_CRM_1710000020", "integer", "Jahrgang").filled(0.4));
    }
    Portal::generate(&shape, 11)
}

/// Its account.
pub fn rebstock_account() -> Company {
    account(json!({
        "users": [
            {"name": "Greta Rebstock", "email": "greta@rebstock.example", "admin": true},
            {"name": "Jonas Feld", "email": "jonas@rebstock.example"},
        ],
        "stagesets": [
            {"name": "Gastronomie", "default": true, "stages": ["Anfrage", "Verkostung", "Weinkarte"]},
            {"name": "Fachhandel", "stages": ["Muster"]},
        ],
        "outcomes": [
            {"name": "Gelistet", "type": 10}, {"name": "Bestellt", "type": 10}, {"name": "Abgesagt", "type": 11},
        ],
        "markets": [{"name": "Eurozone", "currency": "EUR", "default": true}, {"name": "Schweiz", "currency": "CHF"}],
    }))
}

/// An account with the lists that every new one has.
fn account(mut seed: Json) -> Company {
    for (list, names) in [
        ("teams", &["Everybody"][..]),
        (
            "industries",
            &[
                "Technology",
                "Telecommunications",
                "Manufacturing",
                "Banking",
                "Consulting",
                "Finance",
                "Government",
                "Transportation",
                "Entertainment",
                "Non-profit",
                "Other",
            ],
        ),
        ("account_types", &["Customer", "Partner", "Vendor", "Competitor", "Other"]),
        ("activity_types", &["Phone Call", "Meeting", "Email"]),
        ("territories", &["Everywhere"]),
        ("sources", &["Phone", "Website", "Referral"]),
    ] {
        seed[list] = json!(names);
    }
    Company::from_json(&seed).expect("a description of a company")
}

/// The believable portal with products, estimates, activities and comments, without what is the other example's own.
fn base(host: &str, counts: Counts) -> Shape {
    let mut shape = acme_shape(counts);
    shape.host = host.to_owned();
    shape.departments.clear();
    shape.processes.clear();
    shape.entities.retain(|entity, _| !matches!(entity, Entity::Process(_)));
    for part in shape.entities.values_mut() {
        part.fields.retain(|field| !field.is_custom());
        for field in &mut part.fields {
            // Weights of stages and sources that this portal does not have.
            if matches!(field.code.as_str(), "STAGE_ID" | "STATUS_ID" | "SOURCE_ID") {
                field.choices.clear();
            }
        }
    }
    shape
}

fn stages(status: &StatusShape) -> bool {
    let list = status.directory.as_str();
    list == "STATUS"
        || list == "QUOTE_STATUS"
        || list.starts_with("DEAL_STAGE")
        || list.starts_with("DYNAMIC")
}

fn stage(&(list, code, name, meaning): &Stage) -> StatusShape {
    StatusShape::new(list, code, name).meaning(meaning)
}

fn categories(rows: &[(i64, &str)]) -> Vec<Category> {
    let row = |(place, (id, name)): (usize, &(i64, &str))| Category {
        id: *id,
        name: (*name).to_owned(),
        sort: (place as i64 + 1) * 100,
    };
    rows.iter().enumerate().map(row).collect()
}

fn process(kind: u32, id: i64, title: &str, rows: &[(i64, &str)]) -> ProcessShape {
    ProcessShape { kind, id, title: title.to_owned(), categories: categories(rows) }
}

/// Items of a process whose stages are those of one category.
fn staged(kind: u32, category: i64, count: usize) -> EntityShape {
    let mut out = EntityShape::standard(Entity::Process(kind), count);
    for field in &mut out.fields {
        if matches!(field.code.as_str(), "STAGE_ID" | "PREVIOUS_STAGE_ID") {
            field.directory = Some(format!("DYNAMIC_{kind}_STAGE_{category}"));
        }
    }
    out
}

fn users(rows: &[(i64, &str, &str, &str, bool)]) -> Vec<UserShape> {
    let row = |&(id, name, last_name, email, active): &(i64, &str, &str, &str, bool)| UserShape {
        id,
        name: name.to_owned(),
        last_name: last_name.to_owned(),
        email: email.to_owned(),
        active,
        post: String::new(),
        departments: Vec::new(),
        weight: 1.0,
    };
    rows.iter().map(row).collect()
}

fn currency(code: &str, name: &str, rate: &str, base: bool, weight: f64) -> CurrencyShape {
    CurrencyShape { code: code.to_owned(), name: name.to_owned(), rate: rate.to_owned(), base, weight }
}
