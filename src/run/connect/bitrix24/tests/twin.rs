//! The client against the whole portal twin, in process.

use std::collections::BTreeSet;

use super::*;
use crate::run::twin;
use crate::run::twin::bitrix24::portal::{Entity, Portal};
use crate::run::twin::bitrix24::{Fault, FaultKind, Trigger, Twin};

const OBJECTS: [(&str, Entity); 4] = [
    ("company", Entity::Company),
    ("contact", Entity::Contact),
    ("deal", Entity::Deal),
    ("lead", Entity::Lead),
];

struct Carrier(Rc<Twin>, Rc<VirtualClock>);

impl Transport for Carrier {
    fn send<'a>(&'a self, request: &'a HttpRequest) -> Local<'a, Reply> {
        let (host, path) = request.url.strip_prefix("https://").unwrap().split_once('/').unwrap();
        let mut headers: Vec<(String, String)> =
            request.headers.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect();
        headers.push(("host".to_owned(), host.to_owned()));
        let asked = twin::Request {
            method: request.method.to_owned(),
            path: format!("/{path}"),
            query: String::new(),
            headers,
            body: request.body.clone(),
            client: "192.0.2.7".to_owned(),
        };
        let answer = self.0.handle(&asked, self.1.now_ms());
        self.1.0.set(self.1.now_ms() + i64::try_from(answer.took_ms).unwrap());
        let reply = if answer.took_ms > request.timeout_ms {
            Err(TransportError::Lost("no answer in time".to_owned()))
        } else {
            Ok(HttpResponse { status: answer.status, headers: answer.headers, body: answer.body })
        };
        Box::pin(std::future::ready(reply))
    }
}

pub(super) struct Rig {
    pub(super) twin: Rc<Twin>,
    clock: Rc<VirtualClock>,
    pub(super) source: Bitrix24,
}

pub(super) fn rig(portal: Portal, change: impl FnOnce(&mut twin::bitrix24::Settings)) -> Rig {
    let mut settings = twin::bitrix24::Settings::default();
    change(&mut settings);
    let webhook = Webhook::parse(&format!("https://{HOST}/rest/1/{}/", settings.secret)).unwrap();
    let twin = Rc::new(Twin::new(portal, settings));
    let clock = Rc::new(VirtualClock(Cell::new(1_700_000_000_000)));
    let transport = Rc::new(Carrier(twin.clone(), clock.clone()));
    let random = Rc::new(Seeded(Cell::new(11)));
    let source = Bitrix24::new(webhook, transport, clock.clone(), random, super::Settings::default());
    Rig { twin, clock, source }
}

impl Rig {
    pub(super) fn extract(&self, object: &str) -> Result<Vec<Raw>, Error> {
        let (mut cursor, mut out) = (String::new(), Vec::new());
        loop {
            let batch = wait(self.source.extract(object, &cursor))?;
            out.extend(batch.records);
            cursor = batch.cursor;
            if batch.done {
                return Ok(out);
            }
        }
    }

    /// Ids and links are the portal's.
    fn assert_whole(&self, object: &str, entity: Entity, records: &[Raw]) {
        self.twin.with_portal(|portal| {
            let ids: Vec<String> = portal.records[&entity].keys().map(i64::to_string).collect();
            let found: Vec<&str> = records.iter().map(|r| r.id.as_str()).collect();
            assert_eq!(found, ids, "{object}");
            let links = match entity {
                Entity::Contact => &portal.contact_companies,
                Entity::Deal => &portal.deal_contacts,
                _ => return,
            };
            let name = if entity == Entity::Contact { "COMPANY_IDS" } else { "CONTACT_IDS" };
            for raw in records {
                let record: Json = serde_json::from_slice(&raw.json).unwrap();
                let key = |id: i64, primary: bool| (id, primary);
                let found = record[name].as_array().unwrap().iter();
                let found: BTreeSet<_> =
                    found.map(|l| key(l["id"].as_i64().unwrap(), l["primary"].as_bool().unwrap())).collect();
                let expected = links.get(&raw.id.parse().unwrap());
                let expected: BTreeSet<_> =
                    expected.into_iter().flatten().map(|l| key(l.id, l.primary)).collect();
                assert_eq!(found, expected, "{object} {}", raw.id);
            }
        });
    }
}

#[test]
fn the_schema_of_a_portal() {
    let rig = rig(Portal::acme(0.1, 5), |_| {});
    assert_eq!(wait(rig.source.account()).unwrap().id, HOST);
    let schema = wait(rig.source.schema("salt")).unwrap();
    assert_eq!(rig.twin.log().requests, 3, "one for the account, one for the schema, one for its process");
    let names: Vec<&str> = schema.objects.iter().map(|o| o.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "activity",
            "call",
            "comment",
            "company",
            "company_address",
            "company_requisite",
            "contact",
            "contact_address",
            "contact_requisite",
            "deal",
            "deal_history",
            "lead",
            "lead_history",
            "process 1032",
            "product",
            "product_price",
            "product_section",
            "quote",
            "task"
        ]
    );
    for object in &schema.objects {
        assert!(object.fields.is_sorted_by(|a, b| a.name < b.name), "{}", object.name);
    }
    let ty = |object: &str, field: &str| schema.object(object).unwrap().field(field).unwrap().ty.to_string();
    for (object, field, expected) in [
        ("company", "ID", "integer"),
        ("company", "TITLE", "text"),
        ("company", "PHONE", "[text]?"),
        ("company", "REVENUE", "decimal?"),
        ("company", "INDUSTRY", "enum(INDUSTRY)?"),
        ("company", "IS_MY_COMPANY", "bool"),
        ("company", "ASSIGNED_BY_ID", "user?"),
        ("company", "UF_CRM_1690000003", "money?"),
        ("company", "UF_CRM_1690000004", "link(company)?"),
        ("company", "UF_CRM_1690000010", "enum(company.UF_CRM_1690000010)?"),
        ("company", "UF_CRM_1690000012", "[enum(company.UF_CRM_1690000012)]?"),
        ("contact", "COMPANY_IDS", "[link(company)]?"),
        ("contact", "BIRTHDATE", "date?"),
        ("contact", "UF_CRM_1690000021", "bool?"),
        ("deal", "STAGE_ID", "stage"),
        ("deal", "CATEGORY_ID", "enum(deal.CATEGORY_ID)"),
        ("deal", "STAGE_SEMANTIC_ID", "enum(SEMANTIC)?"),
        ("deal", "CURRENCY_ID", "enum(CURRENCY)?"),
        ("deal", "OPPORTUNITY", "decimal?"),
        ("deal", "CONTACT_IDS", "[link(contact)]?"),
        ("deal", "UF_CRM_1690000033", "[text]?"),
        ("deal", "DATE_CREATE", "datetime"),
        ("lead", "STATUS_ID", "stage"),
    ] {
        assert_eq!(ty(object, field), expected, "{object}.{field}");
    }
    let phone = schema.object("company").unwrap().field("PHONE").unwrap();
    assert_eq!(phone.attributes[0].ty.to_string(), "enum(PHONE_TYPE)");
    let custom = schema.object("company").unwrap().field("UF_CRM_1690000003").unwrap();
    assert_eq!((custom.title.as_deref(), custom.custom), (Some("Объём"), true));
    let sources = &schema.domains["SOURCE"].choices;
    assert!(sources.iter().any(|c| c.code == "CALL" && c.title.as_deref() == Some("Звонок")));
    let segments = &schema.domains["company.UF_CRM_1690000010"].choices;
    assert_eq!(segments.len(), 3);
    let pipelines: Vec<(&str, &str, &str)> =
        schema.pipelines.iter().map(|p| (p.object.as_str(), p.code.as_str(), p.name.as_str())).collect();
    assert_eq!(
        pipelines,
        [
            ("deal", "1", "Сервис"),
            ("deal", "0", "Продажи"),
            ("lead", "", "Leads"),
            ("process 1032", "7", "Продажа"),
            ("process 1032", "9", "Аренда"),
        ],
        "by `sort`"
    );
    let ends: Vec<(&str, bool)> =
        schema.pipelines[0].stages.iter().map(|s| (s.code.as_str(), s.ends.is_some())).collect();
    assert_eq!(ends, [("NEW", false), ("EXECUTING", false), ("WON", true), ("LOSE", true)]);
    let emails = wait(rig.source.user_emails()).unwrap();
    assert!(emails.len() > 8 && schema.users.len() > emails.len(), "one user has no e-mail");
    assert!(schema.users.iter().any(|u| !u.active));
    for (id, email) in emails {
        let user = schema.users.iter().find(|u| u.id == id).unwrap();
        assert_eq!(user.email_hash, Some(crate::lang::schema::email_hash("salt", &email)));
    }
    assert_eq!(schema.taken.unwrap().to_string(), "2023-11-14");
}

#[test]
fn every_record_arrives_and_decodes() {
    let rig = rig(Portal::acme(0.8, 6), |_| {});
    let schema = wait(rig.source.schema("salt")).unwrap();
    for (object, entity) in OBJECTS {
        let records = rig.extract(object).unwrap();
        rig.assert_whole(object, entity, &records);
        let described = schema.object(object).unwrap();
        let decoder = decode::Decoder::new(&schema, described);
        for raw in &records {
            let (record, unknown) = decoder.decode_naming_unknown(&raw.json).unwrap();
            assert_eq!(record[described.slot("ID").unwrap()], Value::Int(raw.id.parse().unwrap()));
            assert!(unknown.is_empty(), "{object}: {unknown:?}");
        }
    }
    let log = rig.twin.log();
    assert_eq!((log.refused_rate, log.refused_operating), (0, 0), "nothing was provoked");
}

#[test]
fn as_few_requests_as_a_plain_list_takes() {
    let mut counts = twin::bitrix24::generate::Counts::scaled(0.1);
    counts.companies = 5_100;
    let rig = rig(Portal::acme_with(counts, 7), |_| {});
    assert_eq!(rig.extract("company").unwrap().len() as u64, wait(rig.source.count("company")).unwrap());
    let requests = rig.twin.log().requests;
    // The sheet's plain list: 1 + ceil((N/50 - 1)/50).
    let pages = rig.twin.with_portal(|p| p.records[&Entity::Company].len().div_ceil(50));
    let fewest = 1 + (pages - 1).div_ceil(50) as u64;
    assert!(requests <= fewest, "{requests} requests, {fewest} are the fewest");
    assert!(rig.clock.now_ms() > 0);
}

#[test]
fn whatever_happens_on_the_way_the_records_are_the_same() {
    use FaultKind::*;
    let kinds = [
        RateLimit,
        ServerError,
        Html(502),
        Html(200),
        CutBody,
        Slow(70_000),
        OperatingLimit,
        ShortPage,
        RepeatPage,
        Rename("new.bitrix24.com".to_owned()),
        Command(500, "INTERNAL_SERVER_ERROR".to_owned()),
    ];
    let portal = Portal::acme(0.12, 8);
    for kind in kinds {
        for nth in [1, 2, 4, 7] {
            let rig = rig(portal.clone(), |settings| {
                settings.faults = vec![Fault::new(Trigger::Nth(nth), kind.clone())];
            });
            for (object, entity) in &OBJECTS[..3] {
                let records = rig.extract(object).unwrap_or_else(|e| panic!("{kind:?} at {nth}: {e}"));
                rig.assert_whole(object, *entity, &records);
            }
            assert!(rig.twin.log().requests < 40, "{kind:?} at {nth}: bounded");
        }
    }
}

#[test]
fn what_cannot_be_helped_is_named() {
    use FaultKind::*;
    for (kind, denied) in [
        (ExpiredWebhook, true),
        (FreePlan, true),
        (PortalDeleted, true),
        (Overload, false),
        (Html(500), false),
    ] {
        let rig = rig(Portal::acme(0.1, 9), |settings| {
            settings.faults = vec![Fault::new(Trigger::From(1), kind.clone())];
        });
        let error = wait(rig.source.account()).unwrap_err();
        assert_eq!(matches!(error, Error::Denied { .. }), denied, "{kind:?}: {error}");
        assert!(rig.twin.log().requests <= 6, "{kind:?}");
    }
    let rig = rig(Portal::acme(0.1, 9), |settings| settings.admin = false);
    assert!(matches!(wait(rig.source.account()), Err(Error::Denied { .. })));
}

#[test]
fn limits_are_met_and_never_crossed() {
    // Pages of sixteen seconds: the running time is what limits.
    let rig = rig(Portal::acme(1.5, 10), |settings| settings.latency.base_ms = 16_000.0);
    for (object, entity) in OBJECTS {
        let records = rig.extract(object).unwrap();
        rig.assert_whole(object, entity, &records);
    }
    let log = rig.twin.log();
    assert_eq!((log.refused_rate, log.refused_operating), (0, 0));
    assert!(log.max_level <= 50.0);
}

#[test]
fn what_is_too_early_inside_the_batch_of_a_schema_is_asked_again() {
    use FaultKind::*;
    let portal = || Portal::acme(0.1, 5);
    let whole = wait(rig(portal(), |_| {}).source.schema("salt")).unwrap();
    let kinds = [
        OperatingLimit,
        Command(503, "QUERY_LIMIT_EXCEEDED".to_owned()),
        Command(500, "INTERNAL_SERVER_ERROR".to_owned()),
    ];
    // What every portal has, what some have, and what only the second batch asks for.
    for method in ["crm.deal.fields", "crm.quote.fields", "user.get", "crm.status.list", "crm.item.fields"] {
        for kind in &kinds {
            let rig = rig(portal(), |settings| {
                settings.faults = vec![Fault::new(Trigger::Nth(1), kind.clone()).on(method)];
            });
            let before = rig.clock.now_ms();
            let schema = wait(rig.source.schema("salt")).unwrap_or_else(|e| panic!("{method} {kind:?}: {e}"));
            assert_eq!(schema, whole, "{method} {kind:?}");
            assert_eq!(rig.twin.log().requests, 3, "{method} {kind:?}: one batch again");
            assert!(rig.clock.now_ms() - before >= 500, "{method} {kind:?}: without a wait");
            assert!(
                rig.source.met().iter().any(|met| met.times > 0 && met.waited_ms > 0),
                "{method} {kind:?}"
            );
        }
    }
    // What never gets better ends, and what not every portal has stays beside.
    let forever = |method: &str| {
        let rig = rig(portal(), |settings| {
            settings.faults = vec![Fault::new(Trigger::From(1), kinds[2].clone()).on(method)];
        });
        wait(rig.source.schema("salt"))
    };
    let without = forever("crm.quote.fields").unwrap();
    assert!(
        without.object("quote").unwrap().hint.as_ref().is_some_and(|why| why.contains("try again later"))
    );
    assert_eq!(without.objects.len(), whole.objects.len());
    assert!(matches!(forever("crm.deal.fields"), Err(Error::Refused { .. })));
}
