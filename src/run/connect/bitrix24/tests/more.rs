//! Products, rows, estimates, processes, activities and comments against the portal twin: what is extracted is what the
//! portal holds, whatever happens on the way.

use super::twin::{Rig, rig};
use super::*;
use crate::lang::value::Record;
use crate::run::twin::bitrix24::portal::{Entity, Portal};
use crate::run::twin::bitrix24::{Fault, FaultKind, Trigger};

const OBJECTS: [(&str, Entity); 5] = [
    ("activity", Entity::Activity),
    ("comment", Entity::Comment),
    ("process 1032", Entity::Process(1032)),
    ("product", Entity::Product),
    ("quote", Entity::Quote),
];

impl Rig {
    /// Ids are the portal's, contents too: each stored value is found again under its key.
    fn assert_holds(&self, object: &str, entity: Entity, records: &[Raw]) {
        self.twin.with_portal(|portal| {
            let mut ids: Vec<u64> =
                portal.records[&entity].keys().map(|id| u64::try_from(*id).unwrap()).collect();
            let mut found: Vec<u64> = records.iter().map(|r| r.id.parse().unwrap()).collect();
            if object == "comment" {
                // By owner, each owner's in order.
                found.sort_unstable();
            }
            ids.sort_unstable();
            assert_eq!(found, ids, "{object}");
            for raw in records {
                let id: i64 = raw.id.parse().unwrap();
                let record: Json = serde_json::from_slice(&raw.json).unwrap();
                for (code, value) in &portal.records[&entity][&id] {
                    // Universal spellings are the decoder's to undo; titles and texts are the same in both.
                    let at = match entity {
                        Entity::Process(_) if code == "TITLE" => "title",
                        Entity::Process(_) => continue,
                        _ => code.as_str(),
                    };
                    assert_eq!(record.get(at), Some(value), "{object} {id} {code}");
                }
                let rows: Vec<i64> = numbers(&record["rows"], &["ID", "id"]);
                let mut expected: Vec<(i64, i64)> = portal
                    .rows
                    .get(&(entity, id))
                    .into_iter()
                    .flatten()
                    .map(|row| (number(&row["SORT"]), number(&row["ID"])))
                    .collect();
                expected.sort_unstable();
                assert_eq!(rows, expected.into_iter().map(|(_, id)| id).collect::<Vec<_>>(), "{object} {id}");
                if entity == Entity::Activity {
                    let found = numbers(&record["BINDINGS"], &["entityId"]);
                    let expected: Vec<i64> = portal.bindings[&id].iter().map(|(_, id)| *id).collect();
                    assert_eq!(found, expected, "{object} {id}");
                }
            }
        });
    }

    fn decoded(&self, schema: &crate::lang::schema::Schema, object: &str, records: &[Raw]) -> Vec<Record> {
        let described = schema.object(object).unwrap();
        let decoder = decode::Decoder::new(schema, described);
        records
            .iter()
            .map(|raw| {
                let (record, unknown) = decoder.decode_naming_unknown(&raw.json).unwrap();
                // What items carry and no description has: `entityTypeId`, and fields that every item has.
                let unknown: Vec<_> = unknown
                    .into_iter()
                    .filter(|name| !["entityTypeId", "observers", "webformId"].contains(&name.as_str()))
                    .collect();
                assert!(unknown.is_empty(), "{object}: {unknown:?}");
                assert_eq!(record[described.slot("ID").unwrap()], Value::Int(raw.id.parse().unwrap()));
                record
            })
            .collect()
    }
}

fn number(json: &Json) -> i64 {
    json.as_i64().or_else(|| json.as_str()?.parse().ok()).unwrap()
}

fn numbers(list: &Json, keys: &[&str]) -> Vec<i64> {
    let rows = list.as_array().into_iter().flatten();
    rows.map(|row| number(keys.iter().find_map(|key| row.get(*key)).unwrap())).collect()
}

#[test]
fn the_schema_has_them_all() {
    let rig = rig(Portal::acme(0.1, 5), |_| {});
    let schema = wait(rig.source.schema("salt")).unwrap();
    let ty = |object: &str, field: &str| {
        let found = schema.object(object).and_then(|o| o.field(field));
        found.unwrap_or_else(|| panic!("{object}.{field}")).ty.to_string()
    };
    for (object, field, expected) in [
        ("deal", "rows", "[record]?"),
        ("lead", "rows", "[record]?"),
        ("product", "PROPERTY_258", "text?"),
        ("quote", "CONTACT_IDS", "[link(contact)]?"),
        ("process 1032", "PARENT_ID_4", "link(company)?"),
        ("process 1032", "UF_CRM_5_SERIAL", "text?"),
        ("process 1032", "UF_CRM_5_KIND", "enum(process 1032.UF_CRM_5_KIND)?"),
        ("process 1032", "UF_CRM_5_RELATED", "[link(process 1032)]?"),
        ("process 1032", "CATEGORY_ID", "enum(process 1032.CATEGORY_ID)"),
        ("process 1032", "STAGE_ID", "stage"),
        ("process 1032", "PREVIOUS_STAGE_ID", "text?"),
        ("comment", "ENTITY_TYPE", "enum(ENTITY_TYPE)"),
    ] {
        assert_eq!(ty(object, field), expected, "{object}.{field}");
    }
    assert_eq!(schema.object("process 1032").unwrap().title.as_deref(), Some("Equipment"));
    let pipelines: Vec<(&str, &str, usize)> = schema
        .pipelines
        .iter()
        .filter(|p| p.object == "process 1032")
        .map(|p| (p.code.as_str(), p.name.as_str(), p.stages.len()))
        .collect();
    assert_eq!(pipelines, [("7", "Продажа", 4), ("9", "Аренда", 3)]);
    let stage = &schema.pipelines.iter().find(|p| p.code == "9").unwrap().stages[1];
    assert_eq!((stage.code.as_str(), stage.ends.is_some()), ("SUCCESS", true));
    assert_eq!(schema.domains["QUOTE_STATUS"].choices.len(), 4);
    let text = crate::lang::schema::snapshot::write(&schema);
    let source = crate::lang::text::SourceText::new("s.yaml", text);
    assert_eq!(crate::lang::schema::snapshot::read(&source).unwrap(), schema);
}

#[test]
fn a_portal_that_keeps_them_back_says_so() {
    let fault = |method: &str| {
        Fault::new(Trigger::From(1), FaultKind::Command(400, "ACCESS_DENIED".to_owned())).on(method)
    };
    let rig = rig(Portal::acme(0.05, 5), |settings| {
        settings.faults = vec![fault("crm.product.fields"), fault("crm.item.fields")];
    });
    let schema = wait(rig.source.schema("salt")).unwrap();
    for object in ["product", "process 1032"] {
        let object = schema.object(object).unwrap();
        assert!(object.fields.is_empty());
        assert!(object.hint.as_deref().unwrap().contains("take the snapshot again"), "{:?}", object.hint);
    }
    assert!(schema.object("quote").unwrap().hint.is_none());
}

#[test]
fn what_is_extracted_is_what_the_portal_holds() {
    for seed in [1, 20_261_121] {
        let rig = rig(Portal::acme(0.25, seed), |_| {});
        let schema = wait(rig.source.schema("salt")).unwrap();
        for (object, entity) in OBJECTS.into_iter().chain([("deal", Entity::Deal), ("lead", Entity::Lead)]) {
            let counted = wait(rig.source.count(object)).unwrap();
            let records = rig.extract(object).unwrap_or_else(|e| panic!("{object}, seed {seed}: {e}"));
            assert_eq!(counted, records.len() as u64, "{object}");
            assert_eq!(wait(rig.source.count(object)).unwrap(), counted, "{object} afterwards");
            if OBJECTS.iter().any(|(name, _)| *name == object) || object == "deal" {
                rig.assert_holds(object, entity, &records);
            }
            rig.decoded(&schema, object, &records);
        }
        let log = rig.twin.log();
        assert_eq!((log.refused_rate, log.refused_operating), (0, 0), "nothing was provoked, seed {seed}");
    }
}

#[test]
fn contents_decode_to_what_the_portal_means() {
    let rig = rig(Portal::acme(0.3, 4), |_| {});
    let schema = wait(rig.source.schema("salt")).unwrap();
    let object = "process 1032";
    let described = schema.object(object).unwrap();
    let records = rig.extract(object).unwrap();
    let decoded = rig.decoded(&schema, object, &records);
    let slot = |name: &str| described.slot(name).unwrap();
    rig.twin.with_portal(|portal| {
        for (raw, record) in records.iter().zip(&decoded) {
            let held = &portal.records[&Entity::Process(1032)][&raw.id.parse().unwrap()];
            let text = |code: &str| held.get(code).and_then(Json::as_str).unwrap_or_default();
            let stage = text("STAGE_ID").rsplit(':').next().unwrap();
            assert_eq!(record[slot("STAGE_ID")], Value::text(stage));
            let serial = text("UF_CRM_5_SERIAL");
            let expected = if serial.is_empty() { Value::Absent } else { Value::text(serial) };
            assert_eq!(record[slot("UF_CRM_5_SERIAL")], expected);
            let parent = text("PARENT_ID_4");
            let expected = if matches!(parent, "" | "0") { Value::Absent } else { Value::text(parent) };
            assert_eq!(record[slot("PARENT_ID_4")], expected);
        }
    });
    let comments = rig.extract("comment").unwrap();
    let comment = schema.object("comment").unwrap();
    for (raw, record) in comments.iter().zip(rig.decoded(&schema, "comment", &comments)) {
        let held = rig.twin.with_portal(|p| p.records[&Entity::Comment][&raw.id.parse().unwrap()].clone());
        let kind = held["ENTITY_TYPE"].as_str().unwrap().replace("dynamic_", "process ");
        assert_eq!(record[comment.slot("ENTITY_TYPE").unwrap()], Value::text(kind));
        assert_eq!(record[comment.slot("ENTITY_ID").unwrap()], Value::Int(number(&held["ENTITY_ID"])));
    }
}

#[test]
fn rows_come_singly_where_several_owners_are_not_taken() {
    let portal = Portal::acme(0.2, 3);
    let together = rig(portal.clone(), |_| {});
    let singly = rig(portal, |settings| settings.dialects.rows_of_first_owner_only = true);
    let refused = rig(Portal::acme(0.2, 3), |settings| {
        let kind = FaultKind::Command(400, "ACCESS_DENIED".to_owned());
        settings.faults = vec![Fault::new(Trigger::From(1), kind).on("crm.item.productrow.list")];
    });
    for rig in [&together, &singly, &refused] {
        let records = rig.extract("deal").unwrap();
        rig.assert_holds("deal", Entity::Deal, &records);
    }
    let calls = |rig: &Rig| rig.twin.log().methods["crm.deal.productrows.get"].calls;
    assert_eq!(calls(&together), 2, "one comparison");
    assert!(calls(&singly) >= 200 && calls(&refused) == 200);
}

#[test]
fn whatever_happens_on_the_way_they_are_the_same() {
    use FaultKind::*;
    let kinds = [
        RateLimit,
        ServerError,
        Html(502),
        CutBody,
        Slow(70_000),
        OperatingLimit,
        ShortPage,
        RepeatPage,
        WrongTotal(1),
        Command(500, "INTERNAL_SERVER_ERROR".to_owned()),
    ];
    let portal = Portal::acme(0.05, 8);
    for kind in kinds {
        for nth in [1, 4, 30] {
            let rig = rig(portal.clone(), |settings| {
                settings.faults = vec![Fault::new(Trigger::Nth(nth), kind.clone())];
            });
            for (object, entity) in OBJECTS {
                let records =
                    rig.extract(object).unwrap_or_else(|e| panic!("{kind:?} at {nth}, {object}: {e}"));
                rig.assert_holds(object, entity, &records);
            }
        }
    }
}

#[test]
fn an_extraction_of_comments_goes_on_where_it_ended() {
    let portal = Portal::acme(0.2, 12);
    let first = rig(portal.clone(), |_| {});
    let whole = first.extract("comment").unwrap();
    let begun = wait(first.source.extract("comment", "")).unwrap();
    assert!(!begun.done && !begun.records.is_empty());
    // Another process: it knows the cursor only.
    let second = rig(portal, |_| {});
    let (mut cursor, mut all) = (begun.cursor, begun.records);
    loop {
        let batch = wait(second.source.extract("comment", &cursor)).unwrap();
        all.extend(batch.records);
        cursor = batch.cursor;
        if batch.done {
            break;
        }
    }
    assert_eq!(all, whole);
    assert_eq!(wait(second.source.count("comment")).unwrap(), whole.len() as u64);
    assert!(wait(second.source.extract("comment", "nonsense")).is_err());
}
