//! A small pair of schemas that examples are checked against: those of the pages of error codes, and tests.
//!
//! Small on purpose: what an example does not speak of should not make findings in it.

use std::collections::BTreeMap;

use jiff::civil::{Date, date};

use super::Input;
use crate::lang::schema::{
    Attribute, Choice, Domain, Field, Object, Outcome, Pipeline, Schema, Stage, Stats, User, Write,
    email_hash,
};
use crate::lang::syntax::ast;
use crate::lang::text::{SourceText, Span};
use crate::lang::types::{Base, Type};
use crate::lang::value::OutcomeKind;

/// The salt of both schemas.
const SALT: &str = "sample";

/// The day on which both were taken.
pub const TAKEN: Date = date(2026, 11, 19);

/// What a check of a spec against two such schemas looks at.
pub fn input<'a>(
    spec: &'a ast::Spec,
    text: &'a SourceText,
    (source, target): (&'a Schema, &'a Schema),
    broken: &'a [Span],
) -> Input<'a> {
    Input {
        spec,
        text,
        source: Some(source),
        target: Some(target),
        source_hash: "s",
        target_hash: "t",
        source_name: "s",
        target_name: "t",
        today: TAKEN,
        broken,
    }
}

/// Text without a bound, possibly absent.
fn text() -> Type {
    Type::text().or_absent()
}

fn many(base: Base) -> Type {
    Type { base, many: true, optional: true }
}

fn enumeration(name: &str) -> Base {
    Base::Enum(name.to_owned())
}

fn field(name: &str, ty: Type, filled: u64) -> Field {
    Field {
        name: name.to_owned(),
        title: None,
        ty,
        required: false,
        write: Write::Yes,
        custom: false,
        attributes: Vec::new(),
        stats: Some(Stats { filled, ..Stats::default() }),
    }
}

fn titled(field: Field, title: &str) -> Field {
    Field { title: Some(title.to_owned()), custom: true, ..field }
}

fn counted(field: Field, values: &[(&str, u64)]) -> Field {
    let values: BTreeMap<String, u64> = values.iter().map(|(code, n)| ((*code).to_owned(), *n)).collect();
    let filled = values.values().sum();
    Field { stats: Some(Stats { filled, values, longest: None }), ..field }
}

fn typed_by(field: Field, domain: &str) -> Field {
    let kind = Attribute { name: "VALUE_TYPE".to_owned(), ty: Type::one(enumeration(domain)) };
    Field { attributes: vec![kind], ..field }
}

fn object(name: &str, records: u64, mut fields: Vec<Field>) -> Object {
    fields.sort_by(|a, b| a.name.cmp(&b.name));
    Object { name: name.to_owned(), records: Some(records), fields, ..Object::default() }
}

fn domain(choices: &[(&str, &str)]) -> Domain {
    let choice = |(code, title): &(&str, &str)| Choice {
        code: (*code).to_owned(),
        title: (!title.is_empty()).then(|| (*title).to_owned()),
    };
    Domain { title: None, choices: choices.iter().map(choice).collect(), open: false }
}

fn names(names: &[&str], open: bool) -> Domain {
    let choice = |name: &&str| Choice { code: (*name).to_owned(), title: None };
    Domain { title: None, choices: names.iter().map(choice).collect(), open }
}

fn stage(code: &str, name: &str, ends: Option<OutcomeKind>) -> Stage {
    Stage { code: code.to_owned(), name: name.to_owned(), ends }
}

fn user(id: &str, email: &str, active: bool) -> User {
    User { id: id.to_owned(), email_hash: Some(email_hash(SALT, email)), active }
}

/// The source: companies, contacts and deals of a small portal.
pub fn source() -> Schema {
    let id = || field("ID", Type::one(Base::Integer), 0);
    let owner = || field("ASSIGNED_BY_ID", Type::maybe(Base::User), 0);
    let mut company = vec![
        filled(id(), 3000),
        field("TITLE", Type::text(), 3000),
        counted(field("INDUSTRY", Type::maybe(enumeration("INDUSTRY")), 0), &[("IT", 800), ("BANKING", 200)]),
        typed_by(field("PHONE", many(Base::Text { max: None }), 2100), "PHONE_TYPE"),
        filled(owner(), 3000),
        field("COMMENTS", text(), 900),
        titled(field("UF_CRM_1690000003", Type::maybe(Base::Money), 412), "Объём"),
        titled(field("UF_CRM_OLD_CODE", text(), 0), "Old code"),
    ];
    company.push(titled(field("UF_CRM_OLD_REGION", text(), 7), "Old region"));
    let contact = vec![
        filled(id(), 15000),
        field("NAME", text(), 14000),
        field("LAST_NAME", text(), 12000),
        typed_by(field("EMAIL", many(Base::Text { max: None }), 9000), "EMAIL_TYPE"),
        field("POST", text(), 5000),
        Field {
            attributes: vec![
                Attribute { name: "IS_PRIMARY".to_owned(), ty: Type::one(Base::Bool) },
                Attribute { name: "SORT".to_owned(), ty: Type::one(Base::Integer) },
            ],
            ..field("COMPANY_IDS", many(link("company")), 11000)
        },
        filled(owner(), 15000),
    ];
    let deal = vec![
        filled(id(), 48210),
        field("TITLE", text(), 48210),
        counted(
            field("CATEGORY_ID", Type::one(enumeration("deal.CATEGORY_ID")), 0),
            &[("0", 40000), ("1", 8210)],
        ),
        field("STAGE_ID", Type::one(Base::Stage), 48210),
        field("OPPORTUNITY", Type::maybe(Base::Decimal), 41000),
        counted(
            field("CURRENCY_ID", Type::maybe(enumeration("CURRENCY")), 0),
            &[("USD", 41000), ("EUR", 7210)],
        ),
        counted(
            field("SOURCE_ID", Type::maybe(enumeration("SOURCE")), 0),
            &[("CALL", 20000), ("WEB", 9000), ("WEBFORM", 120)],
        ),
        field("CLOSEDATE", Type::maybe(Base::Date), 30000),
        field("CLOSED", Type::one(Base::Bool), 48210),
        field("COMPANY_ID", Type::maybe(link("company")), 40000),
        field("CONTACT_IDS", many(link("contact")), 39000),
        filled(owner(), 48210),
        titled(field("UF_CRM_1690000030", text(), 5), "Причина"),
        titled(field("UF_CRM_1690000031", text(), 6), "Причина"),
    ];
    Schema {
        probed: crate::lang::schema::Probed::default(),
        connector: "bitrix24".to_owned(),
        account: "acme.bitrix24.com".to_owned(),
        account_name: "Acme".to_owned(),
        taken: Some(TAKEN),
        salt: SALT.to_owned(),
        objects: vec![
            activity(),
            comment(),
            object("company", 3000, company),
            object("contact", 15000, contact),
            object("deal", 48210, deal),
            process(),
            product(),
            quote(),
        ],
        domains: BTreeMap::from([
            ("ACTIVITY_TYPE".to_owned(), domain(&[("1", "Meeting"), ("2", "Call")])),
            ("CURRENCY".to_owned(), domain(&[("USD", "US dollar"), ("EUR", "Euro")])),
            ("EMAIL_TYPE".to_owned(), domain(&[("WORK", ""), ("HOME", "")])),
            ("INDUSTRY".to_owned(), domain(&[("IT", "Информационные технологии"), ("BANKING", "Банки")])),
            ("PHONE_TYPE".to_owned(), domain(&[("WORK", ""), ("MOBILE", "")])),
            ("SOURCE".to_owned(), domain(&[("CALL", "Звонок"), ("WEB", "Сайт"), ("WEBFORM", "Форма")])),
            ("deal.CATEGORY_ID".to_owned(), domain(&[("0", "Продажи"), ("1", "Сервис")])),
        ]),
        pipelines: vec![
            Pipeline {
                object: "deal".to_owned(),
                code: "0".to_owned(),
                name: "Продажи".to_owned(),
                stages: vec![
                    stage("NEW", "Новая", None),
                    stage("PREPARATION", "Подготовка", None),
                    stage("UC_7F3K", "На паузе", None),
                    stage("WON", "Успех", Some(OutcomeKind::Won)),
                    stage("LOSE", "Провал", Some(OutcomeKind::Lost)),
                ],
                records: records(&[
                    ("NEW", 20000),
                    ("PREPARATION", 9588),
                    ("UC_7F3K", 412),
                    ("WON", 7000),
                    ("LOSE", 3000),
                ]),
                outcomes: Vec::new(),
            },
            Pipeline {
                object: "deal".to_owned(),
                code: "1".to_owned(),
                name: "Сервис".to_owned(),
                stages: vec![stage("NEW", "Заявка", None), stage("WON", "Готово", Some(OutcomeKind::Won))],
                records: records(&[("NEW", 8000), ("WON", 210)]),
                outcomes: Vec::new(),
            },
        ],
        users: vec![
            user("1", "admin@acme.example", true),
            user("12", "sveta@acme.example", true),
            user("7", "gone@acme.example", false),
        ],
    }
}

/// An object whose records were not counted, so that an example need not speak of it.
fn uncounted(name: &str, mut fields: Vec<Field>) -> Object {
    fields.push(field("ID", Type::one(Base::Integer), 0));
    for field in &mut fields {
        field.stats = None;
    }
    Object { records: None, ..object(name, 0, fields) }
}

fn link(object: &str) -> Base {
    Base::Link(object.to_owned())
}

/// Calls and meetings, bound to records of several objects.
fn activity() -> Object {
    let fields = vec![
        field("BINDINGS", many(Base::AnyLink), 0),
        field("COMPLETED", Type::one(Base::Bool), 0),
        field("CREATED", Type::one(Base::DateTime), 0),
        field("RESPONSIBLE_ID", Type::maybe(Base::User), 0),
        field("SUBJECT", text(), 0),
        field("TYPE_ID", Type::one(enumeration("ACTIVITY_TYPE")), 0),
    ];
    uncounted("activity", fields)
}

/// Comments, whose link comes as two fields.
fn comment() -> Object {
    let fields = vec![
        field("COMMENT", text(), 0),
        field("CREATED", Type::one(Base::DateTime), 0),
        field("ENTITY_ID", Type::maybe(Base::Integer), 0),
        field("ENTITY_TYPE", text(), 0),
    ];
    uncounted("comment", fields)
}

/// A process of the customer's own, linked to companies.
fn process() -> Object {
    let fields = vec![
        field("CREATED_TIME", Type::one(Base::DateTime), 0),
        field("PARENT_ID_4", Type::maybe(link("company")), 0),
        field("TITLE", text(), 0),
        titled(field("UF_CRM_5_PRICE", Type::maybe(Base::Money), 0), "Price"),
        titled(field("UF_CRM_5_SERIAL", text(), 0), "Serial no"),
    ];
    Object { title: Some("Equipment".to_owned()), ..uncounted("process 1032", fields) }
}

fn product() -> Object {
    let fields = vec![field("NAME", Type::text(), 0), field("PRICE", Type::maybe(Base::Decimal), 0)];
    uncounted("product", fields)
}

/// Estimates with lines.
fn quote() -> Object {
    let column = |name: &str, ty: Type| Attribute { name: name.to_owned(), ty };
    let rows = vec![
        column("PRICE", Type::maybe(Base::Decimal)),
        column("PRODUCT_ID", Type::maybe(link("product"))),
        column("QUANTITY", Type::maybe(Base::Decimal)),
    ];
    let fields = vec![
        field("ASSIGNED_BY_ID", Type::maybe(Base::User), 0),
        field("CURRENCY_ID", Type::maybe(enumeration("CURRENCY")), 0),
        field("DEAL_ID", Type::maybe(link("deal")), 0),
        field("OPPORTUNITY", Type::maybe(Base::Decimal), 0),
        titled(field("QUOTE_NUMBER", text(), 0), "Number"),
        field("TITLE", text(), 0),
        Field { attributes: rows, ..field("rows", many(Base::Record), 0) },
    ];
    uncounted("quote", fields)
}

fn filled(field: Field, filled: u64) -> Field {
    Field { stats: Some(Stats { filled, ..Stats::default() }), ..field }
}

fn records(stages: &[(&str, u64)]) -> BTreeMap<String, u64> {
    stages.iter().map(|(code, n)| ((*code).to_owned(), *n)).collect()
}

/// What a product line of a lead holds.
fn lines() -> Vec<Attribute> {
    let column = |name: &str, ty: Type| Attribute { name: name.to_owned(), ty };
    vec![
        column("product", Type::one(Base::Ref("Product".to_owned()))),
        column("quantity", Type::maybe(Base::Decimal)),
        column("price", Type::maybe(Base::Money)),
    ]
}

/// The destination: accounts, contacts, leads and what hangs on them.
pub fn target() -> Schema {
    let slot = |name: &str, ty: Type| Field { stats: None, ..field(name, ty, 0) };
    let required = |name: &str, ty: Type| Field { required: true, ..slot(name, ty) };
    let read_only = |name: &str, ty: Type, hint: &str| Field {
        write: Write::No { hint: hint.to_owned() },
        ..slot(name, ty)
    };
    let reference = |object: &str| many(Base::Ref(object.to_owned()));
    let mut account = object(
        "Account",
        12,
        vec![
            required("name", Type::text()),
            slot("description", text()),
            slot("url", many(Base::Url)),
            slot("phone", many(Base::Phone)),
            slot("email", many(Base::Email)),
            slot("industry", Type::maybe(enumeration("Account.industry"))),
            required("owner", Type::one(Base::User)),
            slot("tags", many(enumeration("Account.tags"))),
            Field { custom: true, ..slot("Region", text()) },
            read_only("createdTime", Type::maybe(Base::DateTime), "write the date into a custom field"),
        ],
    );
    let mut contact = object(
        "Contact",
        30,
        vec![
            required("name", Type::one(Base::PersonName)),
            slot("description", text()),
            slot("email", many(Base::Email)),
            slot("phone", many(Base::Phone)),
            slot("accounts", reference("Account")),
            required("owner", Type::one(Base::User)),
        ],
    );
    let mut lead = object(
        "Lead",
        0,
        vec![
            required("description", Type::one(Base::Text { max: Some(100) })),
            required("stage", Type::one(Base::Stage)),
            slot("market", Type::maybe(enumeration("Lead.market"))),
            slot("value", Type::maybe(Base::Money)),
            slot("dueTime", Type::maybe(Base::DateTime)),
            slot("sources", many(enumeration("Lead.sources"))),
            required("owner", Type::one(Base::User)),
            slot("accounts", reference("Account")),
            slot("contacts", reference("Contact")),
            Field { attributes: lines(), ..slot("products", many(Base::Record)) },
            read_only("status", text(), "it is written through `stage`"),
        ],
    );
    let either = |objects: &[&str]| Base::AnyRef(objects.iter().map(|object| (*object).to_owned()).collect());
    let mut others = [
        object(
            "Activity",
            0,
            vec![
                required("name", Type::text()),
                slot("startTime", Type::maybe(Base::DateTime)),
                slot("leads", reference("Lead")),
                slot("participants", many(either(&["Account", "Contact", "user"]))),
            ],
        ),
        object(
            "Note",
            0,
            vec![
                required("parent", Type::one(either(&["Account", "Contact", "Lead"]))),
                required("body", Type::text()),
            ],
        ),
        object("Product", 0, vec![required("name", Type::text()), slot("price", Type::maybe(Base::Money))]),
    ];
    for object in &mut others {
        object.creatable = true;
    }
    let [activity, note, product] = others;
    let kinds = |more: &[&str]| {
        ["text", "long_text", "currency", "date", "enum"]
            .iter()
            .chain(more)
            .map(|kind| (*kind).to_owned())
            .collect()
    };
    let texts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    (account.creatable, contact.creatable, lead.creatable) = (true, true, true);
    account.custom_types = kinds(&[]);
    contact.custom_types = kinds(&[]);
    lead.custom_types = kinds(&["email", "phone", "url"]);
    account.matchable = texts(&["name", "email", "url"]);
    contact.matchable = texts(&["name", "email"]);
    let quote = Object {
        name: "Quote".to_owned(),
        hint: Some("write quotes by hand, or keep them as notes of the lead".to_owned()),
        ..Object::default()
    };
    let outcome =
        |code: &str, name: &str, kind| Outcome { code: code.to_owned(), name: name.to_owned(), kind };
    let outcomes = vec![
        outcome("1", "Signed", OutcomeKind::Won),
        outcome("2", "No budget", OutcomeKind::Lost),
        outcome("3", "Duplicate", OutcomeKind::Cancelled),
    ];
    let pipeline = |code: &str, name: &str, stages: &[&str]| Pipeline {
        object: "Lead".to_owned(),
        code: code.to_owned(),
        name: name.to_owned(),
        stages: stages.iter().map(|name| stage(name, name, None)).collect(),
        records: BTreeMap::new(),
        outcomes: outcomes.clone(),
    };
    Schema {
        probed: crate::lang::schema::Probed::default(),
        connector: "nutshell".to_owned(),
        account: "379104".to_owned(),
        account_name: "Acme Inc".to_owned(),
        taken: Some(TAKEN),
        salt: SALT.to_owned(),
        objects: vec![account, activity, contact, lead, note, product, quote],
        domains: BTreeMap::from([
            ("Account.industry".to_owned(), names(&["Technology", "Banking", "Other"], false)),
            ("Account.tags".to_owned(), names(&["Partner"], true)),
            ("Lead.market".to_owned(), names(&["United States", "Europe"], false)),
            ("Lead.sources".to_owned(), names(&["Phone", "Website"], true)),
        ]),
        pipelines: vec![
            pipeline("1", "Sales", &["Qualify", "Proposal", "On hold"]),
            pipeline("2", "Service", &["New request", "Repair"]),
        ],
        users: vec![
            user("100", "admin@acme.example", true),
            user("101", "svetlana@acme.example", true),
            user("102", "ops@acme.example", true),
            user("103", "left@acme.example", false),
        ],
    }
}
