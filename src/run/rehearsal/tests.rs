//! A portal that was made from a snapshot looks like the one that the snapshot was taken of.

use std::rc::Rc;

use super::*;
use crate::lang::schema::Schema;
use crate::lang::schema::stats::{Collector, StageCounts};
use crate::lang::types::Base;
use crate::lang::value::Record;
use crate::run::connect::outside::{Clock, Random, Transport};
use crate::run::connect::secret::Credentials;
use crate::run::connect::{self, Raw, Source};
use crate::run::twin::bitrix24::{Portal, Settings, Twin};

/// A portal's schema with statistics, and its records by object.
struct Taken {
    schema: Schema,
    records: Vec<(String, Vec<Raw>)>,
}

impl Taken {
    fn of(portal: Portal) -> Taken {
        let clock = Rc::new(VirtualClock::at(1_795_262_400_000));
        let outside: Rc<dyn Clock> = clock.clone();
        let twin = Rc::new(Twin::new(portal, Settings::default()));
        let wire: Rc<dyn Transport> =
            Rc::new(Wire::new(Rc::new(move |request, now| twin.handle(request, now)), outside.clone()));
        let random: Rc<dyn Random> = Rc::new(SplitMix::new(1));
        let credentials = Credentials::from_values(|name| {
            (name == "B2N_BITRIX24_WEBHOOK").then(|| "https://acme.bitrix24.com/rest/1/secret/".to_owned())
        });
        let source = connect::source("bitrix24", &credentials, &wire, &outside, &random).unwrap();
        clock.run(Taken::take(source.as_ref())).unwrap()
    }

    async fn take(source: &dyn Source) -> Taken {
        let mut schema = source.schema("salt").await.unwrap();
        let mut records = Vec::new();
        for at in 0..schema.objects.len() {
            let object = schema.objects[at].clone();
            let decoder = connect::decoder("bitrix24", &schema, &object.name).unwrap();
            let stage = object.fields.iter().position(|field| field.ty.base == Base::Stage);
            let mut stages = stage.map(|stage| StageCounts::new(object.slot("CATEGORY_ID"), stage));
            let mut fields = Collector::new(&object);
            let (mut cursor, mut all) = (String::new(), Vec::new());
            loop {
                let batch = source.extract(&object.name, &cursor).await.unwrap();
                all.extend(batch.records);
                cursor = batch.cursor;
                if batch.done {
                    break;
                }
            }
            for raw in &all {
                let record = decoder.decode(&raw.json).unwrap();
                fields.add(&record);
                stages.iter_mut().for_each(|stages| stages.add(&record));
            }
            fields.store(&mut schema.objects[at]);
            let lost = stages.map_or(0, |stages| stages.store(&object.name, &mut schema.pipelines));
            assert_eq!(lost, 0, "{}: every record is in a pipeline that is known", object.name);
            records.push((object.name, all));
        }
        Taken { schema, records }
    }

    fn decoded(&self) -> Vec<(String, Vec<Record>)> {
        let decode = |(object, records): &(String, Vec<Raw>)| {
            let decoder = connect::decoder("bitrix24", &self.schema, object).unwrap();
            (object.clone(), records.iter().map(|raw| decoder.decode(&raw.json).unwrap()).collect())
        };
        self.records.iter().map(decode).collect()
    }
}

#[test]
fn a_portal_made_from_a_snapshot_has_its_shape_and_numbers() {
    let taken = Taken::of(Portal::acme(0.5, 3));
    let mut portal = Portal::generate(&portal_shape(&taken.schema, |_| None), 9);
    furnish(&mut portal, &taken.schema, 9);
    let made = Taken::of(portal);
    assert_eq!(taken.schema.domains, made.schema.domains);
    let codes = |schema: &Schema| -> Vec<(String, String, Vec<String>)> {
        let stages = |p: &crate::lang::schema::Pipeline| p.stages.iter().map(|s| s.code.clone()).collect();
        schema.pipelines.iter().map(|p| (p.object.clone(), p.code.clone(), stages(p))).collect()
    };
    assert_eq!(codes(&taken.schema), codes(&made.schema));
    for (before, after) in taken.schema.objects.iter().zip(&made.schema.objects) {
        assert_eq!(before.name, after.name);
        let types = |object: &crate::lang::schema::Object| -> Vec<(String, String)> {
            object.fields.iter().map(|field| (field.name.clone(), field.ty.to_string())).collect()
        };
        assert_eq!(types(before), types(after), "{}", before.name);
        if table(&before.name).is_some() {
            assert!(after.records > Some(0), "{}: some are made up", before.name);
            continue;
        }
        assert_eq!(before.records, after.records, "{}", before.name);
        let records = before.records.unwrap_or(0) as f64;
        for (old, new) in before.fields.iter().zip(&after.fields) {
            let filled = |field: &crate::lang::schema::Field| {
                field.stats.as_ref().map_or(0.0, |stats| stats.filled as f64 / records.max(1.0))
            };
            let few = 5.0 / records.max(1.0).sqrt();
            assert!(
                (filled(old) - filled(new)).abs() < 0.1 + few / 2.0,
                "{}.{}: {} before, {} after",
                before.name,
                old.name,
                filled(old),
                filled(new)
            );
        }
    }
    let share = |schema: &Schema, object: &str, field: &str, value: &str| {
        let object = schema.object(object).unwrap();
        let values = &object.field(field).unwrap().stats.as_ref().unwrap().values;
        values.get(value).copied().unwrap_or(0) as f64 / object.records.unwrap() as f64
    };
    for (object, field, value) in [
        ("activity", "TYPE_ID", "4"),
        ("activity", "OWNER_TYPE_ID", "deal"),
        ("comment", "ENTITY_TYPE", "contact"),
        ("process 1032", "CATEGORY_ID", "9"),
        ("quote", "STATUS_ID", "SENT"),
    ] {
        let (old, new) =
            (share(&taken.schema, object, field, value), share(&made.schema, object, field, value));
        assert!((old - new).abs() < 0.12, "{object}.{field} {value}: {old} before, {new} after");
    }
}

#[test]
fn a_portal_made_from_staged_records_gives_the_same_records() {
    let taken = Taken::of(Portal::acme(0.2, 5));
    let json = |raw: &Raw| serde_json::from_slice(&raw.json).unwrap();
    let records = taken.records.iter().filter_map(|(object, records)| {
        let entity = entity(object)?;
        Some(records.iter().map(move |raw| (entity, json(raw))))
    });
    let shape = portal_shape(&taken.schema, |_| Some(0));
    let mut portal = Portal::from_records(&shape, records.flatten()).unwrap();
    for (object, records) in &taken.records {
        if let Some(table) = table(object) {
            portal.restore(table, records.iter().map(json));
        }
        assert_eq!(held(&portal, object), records.len() as u64, "{object}");
    }
    let again = Taken::of(portal);
    for ((object, before), (_, after)) in taken.decoded().into_iter().zip(again.decoded()) {
        assert_eq!(before.len(), after.len(), "{object}");
        let fields = &taken.schema.object(&object).unwrap().fields;
        for (old, new) in before.iter().zip(&after) {
            for (field, (old, new)) in fields.iter().zip(old.iter().zip(new)) {
                assert_eq!(old, new, "{object}.{}", field.name);
            }
        }
    }
}

#[test]
fn a_twin_answers_a_probe_as_its_account_did() {
    use crate::lang::schema::{Answer, Probed};
    let probed = |answers: &[(&str, Answer)]| Probed {
        day: None,
        answers: answers.iter().map(|(question, answer)| ((*question).to_owned(), answer.clone())).collect(),
    };
    let impersonates = |probed: &Probed| settings(probed).keys.iter().all(|key| key.impersonation);
    assert!(impersonates(&probed(&[])), "what was not asked is as it was seen live");
    assert!(impersonates(&probed(&[("impersonation", Answer::Flag(true))])));
    let other = probed(&[("impersonation", Answer::Flag(false)), ("email_date", Answer::Flag(false))]);
    assert!(!impersonates(&other));
    assert_eq!(settings(&other).dialect, dialect(&other));
    assert_ne!(dialect(&other), dialect(&probed(&[])));
}

/// What a probe asks only where it may make what stays: no test over the wire has these answered.
#[test]
fn answers_about_what_a_probe_cannot_take_away_are_switches_too() {
    use crate::lang::schema::{Answer, Probed};
    use crate::run::twin::nutshell::Dialect;
    use crate::run::twin::nutshell::settings::EmailMatch;
    let plain = Dialect::default;
    let (flag, word) = (Answer::Flag, |word: &str| Answer::Word(word.to_owned()));
    for (question, answer, wanted) in [
        ("number_type", flag(true), Dialect { number_type: true, ..plain() }),
        ("email_date", flag(false), Dialect { email_date: false, ..plain() }),
        ("email_message_id", flag(false), Dialect { email_message_id: false, ..plain() }),
        ("email_html", flag(false), Dialect { email_html: false, ..plain() }),
        ("email_match", word("people"), Dialect { email_match: EmailMatch::People, ..plain() }),
        ("email_match", word("nobody"), Dialect { email_match: EmailMatch::Nobody, ..plain() }),
        ("email_match", word("everybody"), plain()),
    ] {
        let answers = [(question.to_owned(), answer.clone())].into_iter().collect();
        assert_eq!(dialect(&Probed { day: None, answers }), wanted, "{question}: {answer:?}");
    }
}
