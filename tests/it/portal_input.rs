//! Portals as they should not be: each is handled, or named with what to do next; nothing is silently short.

use std::rc::Rc;

use b2n::run::connect::outside::{Clock, HttpRequest, HttpResponse, Random, Transport, TransportError};
use b2n::run::connect::secret::Credentials;
use b2n::run::connect::{self, Local, Source};
use b2n::run::engine::Error;
use b2n::run::rehearsal::{SplitMix, VirtualClock, Wire};
use b2n::run::twin;
use b2n::run::twin::bitrix24::{self, Entity, Fault, FaultKind, Portal, Trigger};
use b2n::run::twin::nutshell::Company;
use serde_json::{Value as Json, json};

use crate::extraction::Rig;
use crate::world::{DieAt, Faults, World, acme, root, schema};

const OBJECTS: [&str; 3] = ["company", "contact", "deal"];

fn rig() -> Rig {
    Rig::new(Portal::acme(0.1, 3), 1)
}

/// The run stops, and says all of this.
fn stops(rig: &Rig, parts: &[&str]) -> Error {
    let error = rig.extract(&OBJECTS, &DieAt::default()).expect_err("it cannot go on");
    let text = error.to_string();
    assert!(parts.iter().all(|part| text.contains(part)), "{text}: without {parts:?}");
    assert!(!text.contains("/rest/1/secret"), "{text}");
    error
}

fn staged(rig: &Rig, object: &str, id: i64) -> Json {
    let record = rig.workspace.staged_record(object, &id.to_string()).expect("reads").expect("is staged");
    serde_json::from_slice(&record.json).expect("a record")
}

fn first(rig: &Rig, entity: Entity) -> i64 {
    rig.portal.with_portal(|portal| *portal.records[&entity].keys().next().expect("a record"))
}

#[test]
fn a_webhook_without_a_scope_is_told_which_it_needs() {
    let rig = rig();
    rig.portal.with_settings(|settings| settings.scopes.clear());
    stops(&rig, &["insufficient_scope", "scope `crm`"]);
    rig.portal.with_settings(|settings| settings.scopes.push("crm".to_owned()));
    rig.extract(&OBJECTS, &DieAt::default()).expect("goes on");
}

#[test]
fn a_user_who_sees_a_part_only_reads_nothing() {
    let rig = rig();
    rig.portal.with_settings(|settings| settings.admin = false);
    stops(&rig, &["administrator"]);
    assert_eq!(rig.workspace.staged("company").expect("counts"), 0);
}

#[test]
fn a_free_portal_is_told_what_it_lacks() {
    let rig = rig();
    rig.spoil(vec![Fault::new(Trigger::From(1), FaultKind::FreePlan)]);
    stops(&rig, &["commercial plan", "Market subscription"]);
}

#[test]
fn a_plan_that_ends_midway_stops_and_goes_on_later() {
    let rig = rig();
    rig.spoil(vec![Fault::new(Trigger::From(3), FaultKind::FreePlan)]);
    stops(&rig, &["commercial plan"]);
    rig.spoil(Vec::new());
    rig.extract(&OBJECTS, &DieAt::default()).expect("goes on");
    let held = rig.portal.with_portal(|portal| portal.records[&Entity::Contact].len() as u64);
    assert_eq!(rig.workspace.staged("contact").expect("counts"), held);
}

#[test]
fn a_portal_that_is_renamed_midway_is_followed() {
    let rig = rig();
    rig.spoil(vec![Fault::new(Trigger::Nth(3), FaultKind::Rename("new.bitrix24.com".to_owned()))]);
    rig.extract(&OBJECTS, &DieAt::default()).expect("extracts");
    assert_eq!(rig.portal.log().faults, 1);
    let held = rig.portal.with_portal(|portal| portal.records[&Entity::Contact].len() as u64);
    assert_eq!(rig.workspace.staged("contact").expect("counts"), held);
}

/// A field that a person deletes takes its values along, in what was not read yet.
fn delete_field(portal: &mut Portal) {
    const FIELD: &str = "UF_CRM_1690000021";
    portal.fields.get_mut(&Entity::Contact).expect("contacts").remove(FIELD);
    portal.userfields.get_mut(&Entity::Contact).expect("contacts").retain(|row| row["FIELD_NAME"] != FIELD);
    for record in portal.records.get_mut(&Entity::Contact).expect("contacts").values_mut() {
        record.remove(FIELD);
    }
}

/// All custom fields of companies go.
fn delete_fields(portal: &mut Portal) {
    let fields = portal.fields.get_mut(&Entity::Company).expect("companies");
    fields.retain(|name, _| !name.starts_with("UF_"));
    portal.userfields.get_mut(&Entity::Company).expect("companies").clear();
}

#[test]
fn a_field_that_is_deleted_midway_stops_before_anything_is_written() {
    let mut after_reading = 0;
    for nth in 1..=12 {
        let world = World::with(acme(), Portal::acme(0.1, 3), Company::acme(), 1, Faults::default());
        world.portal.with_settings(|settings| {
            settings.faults = vec![Fault::new(Trigger::Nth(nth), FaultKind::Edit(delete_fields))];
        });
        let Err(error) = world.live(&DieAt::default()) else { continue };
        let Error::Preflight(problems) = &error else { panic!("{error}") };
        let named = |part: &str| problems.iter().any(|problem| problem.what.contains(part));
        assert!(named("company.UF_CRM_") && named("no longer there"), "{problems:?}");
        let log = world.account.log();
        let wrote =
            |name: &&String| ["new", "edit", "POST", "PATCH"].iter().any(|verb| name.starts_with(verb));
        assert_eq!(log.requests.keys().find(wrote), None, "{log:?}");
        let manifest = world.workspace.manifest("company").expect("reads");
        after_reading += u32::from(manifest.is_some_and(|manifest| manifest.done));
    }
    assert!(after_reading > 0, "no field went while records were read");
}

#[test]
fn records_stay_whole_when_a_field_goes_midway() {
    let rig = rig();
    rig.spoil(vec![Fault::new(Trigger::Nth(3), FaultKind::Edit(delete_field))]);
    rig.extract(&OBJECTS, &DieAt::default()).expect("extracts");
    let held = rig.portal.with_portal(|portal| portal.records[&Entity::Contact].len() as u64);
    assert_eq!(rig.workspace.staged("contact").expect("counts"), held);
}

#[test]
fn a_smart_process_with_300_fields_arrives_with_all_of_them() {
    let rig = Rig::new(Portal::acme(0.2, 3), 1);
    let process = Entity::Process(1032);
    rig.portal.with_portal(|portal| {
        let model = portal.fields[&process]["UF_CRM_5_SERIAL"].clone();
        for n in 0..300 {
            let name = format!("UF_CRM_5_F{n}");
            let mut description = model.clone();
            description.insert("title".to_owned(), json!(name));
            portal.fields.get_mut(&process).expect("a process").insert(name.clone(), description);
            for (id, record) in portal.records.get_mut(&process).expect("a process") {
                record.insert(name.clone(), json!(format!("{name} of {id}")));
            }
        }
    });
    rig.extract(&["process 1032"], &DieAt::default()).expect("extracts");
    let ids: Vec<i64> = rig.portal.with_portal(|portal| portal.records[&process].keys().copied().collect());
    assert!(!ids.is_empty());
    for id in ids {
        let record = staged(&rig, "process 1032", id);
        for n in 0..300 {
            let name = format!("UF_CRM_5_F{n}");
            assert_eq!(record[&name], json!(format!("{name} of {id}")));
        }
    }
}

#[test]
fn a_comment_of_a_megabyte_arrives_whole() {
    let rig = rig();
    let text = "Zeile für Zeile, „lang“ и подробно. ".repeat(24_000);
    assert!(text.len() > 1_000_000);
    let (company, comment) = (first(&rig, Entity::Company), first(&rig, Entity::Comment));
    rig.portal.with_portal(|portal| {
        let table = portal.records.get_mut(&Entity::Company).expect("companies");
        table.get_mut(&company).expect("it").insert("COMMENTS".to_owned(), json!(text));
        let table = portal.records.get_mut(&Entity::Comment).expect("comments");
        table.get_mut(&comment).expect("it").insert("COMMENT".to_owned(), json!(text));
    });
    rig.extract(&["company", "comment"], &DieAt::default()).expect("extracts");
    assert_eq!(staged(&rig, "company", company)["COMMENTS"], json!(text));
    assert_eq!(staged(&rig, "comment", comment)["COMMENT"], json!(text));
}

/// Puts a byte that is no text into every answer with this title.
struct Garbled(Wire, &'static str);

impl Transport for Garbled {
    fn send<'a>(&'a self, request: &'a HttpRequest) -> Local<'a, Result<HttpResponse, TransportError>> {
        Box::pin(async move {
            let mut answer = self.0.send(request).await?;
            let title = self.1.as_bytes();
            let at = answer.body.windows(title.len()).position(|window| window == title);
            if let Some(at) = at {
                answer.body[at] = 0xff;
            }
            Ok(answer)
        })
    }
}

#[test]
fn bytes_that_are_no_text_are_named() {
    let clock = Rc::new(VirtualClock::at(1_795_262_400_000));
    let portal = Portal::acme(0.1, 3);
    let portal = Rc::new(bitrix24::Twin::new(portal, bitrix24::Settings::default()));
    let id = portal.with_portal(|portal| {
        let table = portal.records.get_mut(&Entity::Company).expect("companies");
        let (id, record) = table.iter_mut().next().expect("a company");
        record.insert("TITLE".to_owned(), json!("Unmistakable"));
        *id
    });
    assert!(id > 0);
    let shared: Rc<dyn Clock> = clock.clone();
    let serve = Rc::new(move |request: &twin::Request, now| portal.handle(request, now));
    let wire: Rc<dyn Transport> = Rc::new(Garbled(Wire::new(serve, Rc::clone(&shared)), "Unmistakable"));
    let random: Rc<dyn Random> = Rc::new(SplitMix::new(1));
    let credentials = Credentials::from_values(|name| {
        (name == "B2N_BITRIX24_WEBHOOK").then(|| "https://acme.bitrix24.com/rest/1/secret/".to_owned())
    });
    let source: Box<dyn Source> =
        connect::source("bitrix24", &credentials, &wire, &shared, &random).expect("a source");
    let error = clock.run(source.extract("company", "")).expect("ends").expect_err("it cannot be read");
    let text = error.to_string();
    assert!(text.contains("not UTF-8 from byte"), "{text}");
    assert!(clock.run(source.extract("contact", "")).expect("ends").is_ok(), "the others can be");
}

#[test]
fn dates_of_the_year_9999_and_numbers_as_text_are_read_or_named() {
    let schema = schema(&root().join("examples/acme/schema/bitrix24.yaml"));
    let decoder = connect::decoder("bitrix24", &schema, "deal").expect("a decoder");
    let deal = schema.object("deal").expect("deals");
    let read = |field: &str, value: Json| {
        let mut record = json!({
            "ID": "7", "TITLE": "x", "CATEGORY_ID": "0", "STAGE_ID": "NEW", "DATE_CREATE": "2024-08-30T14:29:00+02:00",
            "DATE_MODIFY": "2024-08-30T14:29:00+02:00",
        });
        record[field] = value;
        let decoded = decoder.decode(record.to_string().as_bytes())?;
        Ok::<_, String>(format!("{:?}", decoded[deal.slot(field).expect("a field")]))
    };
    // The portal's word for no date; never a day in eight thousand years.
    for zone in ["+03:00", "-11:00", "Z"] {
        let none = read("CLOSEDATE", json!(format!("9999-12-31T00:00:00{zone}"))).expect("is read");
        assert_eq!(none, read("CLOSEDATE", json!("")).expect("is read"), "{zone}");
    }
    assert!(read("CLOSEDATE", json!("9999-06-01T00:00:00+03:00")).expect("is read").contains("9999-06-01"));
    let amount = read("OPPORTUNITY", json!("19999.99")).expect("is read");
    assert_eq!(amount, read("OPPORTUNITY", json!(19_999.99)).expect("is read"));
    assert_eq!(read("PROBABILITY", json!("40")), read("PROBABILITY", json!(40)));
    for (field, value) in [("OPPORTUNITY", "a lot"), ("PROBABILITY", "half"), ("CLOSEDATE", "soon")] {
        let why = read(field, json!(value)).expect_err("is no value of its type");
        assert!(why.contains(field), "{why}");
    }
}
