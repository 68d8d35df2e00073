//! The vendor's documented answers as a portal: through the same decoders, checked, loaded, and compared with what a
//! person worked out by hand.

use std::path::PathBuf;

use b2n::lang::check::{self, Input};
use b2n::lang::schema::Schema;
use b2n::lang::syntax;
use b2n::lang::text::SourceText;
use b2n::run::connect::outside::{Clock, Random, Transport};
use b2n::run::connect::secret::Credentials;
use b2n::run::connect::{self};
use b2n::run::rehearsal::{SplitMix, VirtualClock, Wire};
use b2n::run::twin::bitrix24::generate::{
    CurrencyShape, EntityShape, FieldShape, Shape, StatusShape, UserShape,
};
use b2n::run::twin::bitrix24::portal::Category;
use b2n::run::twin::bitrix24::{self, Entity, Portal};
use b2n::run::twin::nutshell::{self, Company};
use serde_json::{Value, json};
use std::rc::Rc;

use crate::world::{Checked, DieAt, Faults, World, root};

/// The folder of documented answers, where it is there.
pub fn samples() -> Option<PathBuf> {
    let found = ["../shared/reference", "../../shared/reference"]
        .iter()
        .map(|folder| root().join(folder).join("bitrix24/samples"))
        .find(|folder| folder.is_dir());
    if found.is_none() {
        println!("skipped: the documented answers are not beside the project");
    }
    found
}

fn sample(folder: &std::path::Path, name: &str) -> Value {
    let text = std::fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let json: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    json["result"].clone()
}

fn portal(folder: &std::path::Path) -> (Shape, Vec<(Entity, Value)>) {
    let mut shape = Shape::new("acme.bitrix24.com");
    shape.categories = vec![
        Category { id: 0, name: "General".into(), sort: 10 },
        Category { id: 1, name: "Second".into(), sort: 20 },
    ];
    for row in sample(folder, "crm.status.list.json").as_array().expect("rows") {
        let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let meaning = match row["SEMANTICS"].as_str() {
            Some("S") => b2n::run::twin::bitrix24::generate::Semantics::Success,
            Some("F") => b2n::run::twin::bitrix24::generate::Semantics::Failure,
            _ => b2n::run::twin::bitrix24::generate::Semantics::Process,
        };
        shape
            .statuses
            .push(StatusShape::new(text("ENTITY_ID"), text("STATUS_ID"), text("NAME")).meaning(meaning));
    }
    for (directory, code, name) in [
        ("DEAL_STAGE_1", "C1:NEW", "New"),
        ("INDUSTRY", "IT", "Information technology"),
        ("COMPANY_TYPE", "CUSTOMER", "Customer"),
        ("EMPLOYEES", "EMPLOYEES_1", "under 50"),
        ("CONTACT_TYPE", "PARTNER", "Partner"),
        ("HONORIFIC", "HNR_RU_1", "Mr"),
        ("SOURCE", "WEB", "Website"),
        ("SOURCE", "CALLBACK", "Callback"),
        ("DEAL_TYPE", "COMPLEX", "Complex"),
    ] {
        shape.statuses.push(StatusShape::new(directory, code, name));
    }
    for (code, base) in [("EUR", true), ("USD", false)] {
        shape.currencies.push(CurrencyShape {
            code: code.into(),
            name: code.into(),
            rate: "1.0000".into(),
            base,
            weight: 1.0,
        });
    }
    for id in [1, 6, 139, 835] {
        shape.users.push(UserShape {
            id,
            name: format!("User {id}"),
            last_name: "Documented".into(),
            email: if id == 6 { "ivan@acme.example".into() } else { format!("user{id}@elsewhere.example") },
            active: true,
            post: String::new(),
            departments: Vec::new(),
            weight: 1.0,
        });
    }
    for entity in [Entity::Company, Entity::Contact, Entity::Deal] {
        let mut fields = EntityShape::standard(entity, 0);
        let custom: &[(&str, &str)] = match entity {
            Entity::Company => &[("UF_CRM_1687188367", "string")],
            Entity::Contact => &[("UF_CRM_1720697698689", "string")],
            _ => &[("UF_CRM_1721244482250", "string")],
        };
        for (code, kind) in custom {
            fields.fields.push(FieldShape::custom(*code, *kind, "Documented"));
        }
        shape.entities.insert(entity, fields);
    }
    let mut records = vec![
        (Entity::Company, sample(folder, "crm.company.get.json")),
        (Entity::Contact, sample(folder, "crm.contact.get.json")),
        (Entity::Deal, sample(folder, "crm.deal.get.json")),
    ];
    for (entity, name) in [(Entity::Contact, "crm.contact.list.json"), (Entity::Deal, "crm.deal.list.json")] {
        for row in sample(folder, name).as_array().expect("rows") {
            records.push((entity, row.clone()));
        }
    }
    (shape, records)
}

/// What both accounts' clients make of them.
fn live(portal: &Portal, company: &Company) -> (Schema, Schema) {
    let source = Rc::new(bitrix24::Twin::new(portal.clone(), bitrix24::Settings::default()));
    let target = Rc::new(nutshell::Twin::new(company.clone(), nutshell::Settings::default()));
    let virtual_clock = Rc::new(VirtualClock::at(1_795_262_400_000));
    let clock: Rc<dyn Clock> = virtual_clock.clone();
    let random: Rc<dyn Random> = Rc::new(SplitMix::new(1));
    let source_wire: Rc<dyn Transport> = Rc::new(Wire::new(
        Rc::new(move |r: &b2n::run::twin::Request, now| source.handle(r, now)),
        Rc::clone(&clock),
    ));
    let target_wire: Rc<dyn Transport> = Rc::new(Wire::new(
        Rc::new(move |r: &b2n::run::twin::Request, now| target.handle(r, now)),
        Rc::clone(&clock),
    ));
    let credentials = Credentials::from_values(|name| {
        Some(match name {
            "B2N_BITRIX24_WEBHOOK" => "https://acme.bitrix24.com/rest/1/secret/".to_owned(),
            "B2N_NUTSHELL_USER" => "admin@acme.example".to_owned(),
            "B2N_NUTSHELL_KEY" => "key".to_owned(),
            _ => return None,
        })
    });
    let source = connect::source("bitrix24", &credentials, &source_wire, &clock, &random).expect("a source");
    let target =
        connect::target("nutshell", &credentials, &target_wire, &clock, &random, connect::Pace::default())
            .expect("a target");
    virtual_clock
        .run(async {
            let source = source.schema("salt").await.expect("a source schema");
            let target = target.schema("salt").await.expect("a target schema");
            (source, target)
        })
        .expect("never idle for ever")
}

/// The schemas of the documented answers, where those are there.
pub fn schemas() -> Option<(Schema, Schema)> {
    let folder = samples()?;
    let (shape, records) = portal(&folder);
    let portal = Portal::from_records(&shape, records).unwrap_or_else(|error| panic!("{error}"));
    Some(live(&portal, &Company::acme()))
}

const SPEC: &str = r#"edition 2026

source bitrix24 "schema/bitrix24.yaml"
target nutshell "schema/nutshell.yaml"

owners {
  match by email
  otherwise  => "ops@acme.example"  flag "owner not found"
}

table industries : enum(INDUSTRY) -> Account.industry {
  "IT"      => "Technology"
  _ unseen  => quarantine
}

table markets : enum(CURRENCY) -> Lead.market {
  "EUR"     => "Europe"
  "USD"     => "United States"
  _ unseen  => quarantine
}

pipeline general : deal category 0 -> "Sales" {
  "NEW"                                    => stage "Qualify"
  "PREPARATION", "PREPAYMENT_INVOICE"      => stage "Proposal"  merged because "one stage before work"
  "EXECUTING", "FINAL_INVOICE"             => stage "Contract"  merged because "one stage of work"
  "WON"                                    => won "Signed"
  "LOSE", "APOLOGY"                        => lost "No budget"  merged because "one lost reason is kept"
  _ unseen                                 => quarantine
}

pipeline second : deal category 1 -> "Service" {
  "NEW"     => stage "New request"
  _ unseen  => quarantine
}

map company -> Account {
  key ID
  name         <- TITLE.trim()           else "Company {ID}"
  industry     <- industries[INDUSTRY]   else unset
  owner        <- user(ASSIGNED_BY_ID)
  description  <- COMMENTS.plain_text()  narrowed because "formatting is not kept"
DROPS company
}

map contact -> Contact {
  key ID
  name         <- person_name(NAME, LAST_NAME)  else quarantine
  phone        <- PHONE.each(phone("US"))       on fail flag "not a phone number"
  email        <- EMAIL.each(email)             on fail flag "not an e-mail address"
  accounts     <- refs company(COMPANY_IDS)     labelled POST when IS_PRIMARY  on unmigrated flag "company left out"
  owner        <- user(ASSIGNED_BY_ID)
  description  <- COMMENTS.plain_text()         narrowed because "formatting is not kept"
DROPS contact
}

map deal -> Lead {
  key ID
  description  <- TITLE.cut(100)                   else "Deal {ID}"  narrowed because "Nutshell takes 100 characters"
  stage        <- pipeline by CATEGORY_ID, STAGE_ID
  market       <- markets[CURRENCY_ID]             else "Europe"
  value        <- money(OPPORTUNITY, CURRENCY_ID)  on fail flag "no currency"
  owner        <- user(ASSIGNED_BY_ID)
  accounts     <- ref company(COMPANY_ID)          else unset  on unmigrated flag "company left out"
  contacts     <- refs contact(CONTACT_IDS)        on unmigrated flag "person left out"
  custom "Closes"  date  <- CLOSEDATE
DROPS deal
}
"#;

/// The spec, with every field that no rule reads dropped.
fn spec(source: &Schema) -> String {
    let mut text = SPEC.to_owned();
    for (object, read) in [
        ("company", &["ID", "TITLE", "INDUSTRY", "ASSIGNED_BY_ID", "COMMENTS"][..]),
        (
            "contact",
            &[
                "ID",
                "NAME",
                "LAST_NAME",
                "PHONE",
                "EMAIL",
                "COMPANY_IDS",
                "POST",
                "ASSIGNED_BY_ID",
                "COMMENTS",
            ],
        ),
        (
            "deal",
            &[
                "ID",
                "TITLE",
                "CATEGORY_ID",
                "STAGE_ID",
                "CURRENCY_ID",
                "OPPORTUNITY",
                "ASSIGNED_BY_ID",
                "COMPANY_ID",
                "CONTACT_IDS",
                "CLOSEDATE",
            ],
        ),
    ] {
        let drops: String = source
            .object(object)
            .expect("an object")
            .fields
            .iter()
            .filter(|field| !read.contains(&field.name.as_str()))
            .map(|field| format!("  drop {} declined \"not part of this test\"\n", field.name))
            .collect();
        text = text.replace(&format!("DROPS {object}\n"), &drops);
    }
    text
}

#[test]
fn documented_answers_arrive_as_worked_out_by_hand() {
    let Some(folder) = samples() else { return };
    let (shape, records) = portal(&folder);
    let portal = Portal::from_records(&shape, records).unwrap_or_else(|error| panic!("{error}"));
    let company = Company::acme();
    let (source, target) = live(&portal, &company);
    let text = SourceText::new("documented.b2n", spec(&source));
    let (ast, findings) = syntax::parse(&text);
    assert!(findings.is_empty(), "{findings:?}");
    let checked = check::check(&Input {
        spec: &ast,
        text: &text,
        source: Some(&source),
        target: Some(&target),
        source_hash: "source",
        target_hash: "target",
        source_name: "source",
        target_name: "target",
        today: jiff::civil::date(2026, 11, 21),
        broken: &[],
    });
    let shown = b2n::lang::finding::human::render(
        &checked.findings,
        &text,
        b2n::lang::finding::human::Style { width: 100, colour: false, unicode: true },
    );
    let plan = checked.plan.unwrap_or_else(|| panic!("{shown}"));
    let world = World::with(Checked { plan, source }, portal, company, 1, Faults::default());
    let run = world.live(&DieAt::default()).unwrap_or_else(|error| panic!("{error}"));
    assert!(run.closes(), "{:?}", run.maps);

    let dump = world.account.dump();
    let find = |entity: &str, marker: &str| -> Value {
        let all = dump[entity].as_array().unwrap_or_else(|| panic!("no {entity} in the dump"));
        all.iter()
            .find(|record| record["customFields"]["Bitrix24 key"] == format!("acme.bitrix24.com/{marker}"))
            .unwrap_or_else(|| panic!("{marker} is not there"))
            .clone()
    };

    let account = find("accounts", "company/2909");
    assert_eq!(account["name"], "GAZPROM");
    assert_eq!(account["industry"]["name"], "Technology");
    assert_eq!(account["owner"]["name"], find_user(&world, "ops@acme.example"));
    assert_eq!(account["description"], Value::Null, "an empty comment is no comment");

    let contact = find("contacts", "contact/43");
    assert_eq!(contact["name"]["givenName"], "John");
    assert_eq!(contact["name"]["familyName"], "Smith");
    let phones: Vec<&str> = contact["phone"]
        .as_object()
        .expect("phones")
        .iter()
        .filter(|(label, _)| *label != "--primary")
        .filter_map(|(_, phone)| phone["E164"].as_str())
        .collect();
    assert_eq!(phones, ["+13333333555", "+15599888666"]);
    assert_eq!(contact["phone"]["--primary"]["E164"], "+13333333555", "the first of the source");
    let emails: Vec<&str> = contact["email"]
        .as_object()
        .expect("emails")
        .iter()
        .filter(|(label, _)| *label != "--primary")
        .filter_map(|(_, email)| email.as_str())
        .collect();
    assert_eq!(emails, ["johnsmith@example.mailing", "johnsmith@example.work"]);
    assert_eq!(contact["owner"]["name"], find_user(&world, "ivan@acme.example"), "user 6 has his address");
    let description = contact["description"].as_str().expect("a description");
    for words in ["Example comment within the contact", "Bold text", "List item #2", "Numbered list item #3"]
    {
        assert!(description.contains(words), "`{words}` is not in {description:?}");
    }
    assert!(!description.contains("[B]") && !description.contains("[LIST"), "{description:?}");
    // Company 12 is in no documented answer: the link is listed for a person, not invented.
    assert_eq!(contact["accounts"], json!([]));
    let flags = world.workspace.flags("contact").expect("flags");
    assert!(flags.iter().any(|(flag, n)| flag.why == "company left out" && *n == 1), "{flags:?}");

    let lead = find("leads", "deal/410");
    assert_eq!(lead["description"], "New Deal #1");
    assert_eq!(lead["milestone"]["name"], "Proposal");
    assert_eq!(lead["market"]["name"], "Europe");
    assert_eq!(lead["value"], json!({"currency": "EUR", "amount": 1_000_000}));
    assert_eq!(lead["status"], 0);
    // The calendar date that the portal printed, 2024-09-09T02:00:00+02:00, whatever the zone.
    assert_eq!(lead["customFields"]["Closes"]["timestamp"], 1_725_840_000);

    // Deals of the second pipeline, as its list documents them.
    let lead = find("leads", "deal/37");
    assert_eq!(lead["description"], "[A] Deal");
    assert_eq!(lead["stageset"]["name"], "Service");
    // The documented list names no currency, so its six amounts are listed for a person instead of getting lost.
    let flags = world.workspace.flags("deal").expect("flags");
    assert!(flags.iter().any(|(flag, n)| flag.why == "no currency" && *n == 6), "{flags:?}");
    assert_eq!(world.account.live_count("Leads"), 7);
    assert_eq!(world.account.live_count("Contacts"), 6);
}

fn find_user(world: &World, email: &str) -> String {
    world.account.with(|company| {
        company.users.iter().find(|user| user.email == email).map(|user| user.name.clone()).expect("a user")
    })
}
