//! Changes of the streams that no spec of the other tests reads: every one that an extraction brings, looked at again
//! after somebody made, changed and deleted something of each. What a fresh extraction brings is the first oracle, the
//! portal's own tables are the second.

use std::collections::{BTreeMap, BTreeSet};

use b2n::run::connect::outside::Clock;
use b2n::run::connect::{Known, Since};
use b2n::run::twin::bitrix24::{Entity, Portal, Table};
use serde_json::{Value as Json, json};

use crate::extraction::Rig;
use crate::streams::{FURTHER, all, delete_middle, differences, portal, replace_last};
use crate::world::DieAt;

/// What was staged of one object.
struct Staged(BTreeMap<String, Vec<u8>>);

impl Known for Staged {
    fn staged(&self, key: &str) -> Option<Vec<u8>> {
        self.0.get(key).cloned()
    }
}

/// What a look at an object comes to, and the keys that it says were made, changed or deleted.
fn look(rig: &Rig, object: &str, at_ms: i64) -> (BTreeMap<i64, Json>, BTreeSet<i64>) {
    let number = |key: &String| key.parse::<i64>().expect("an id");
    let text = |json: &Json| json.to_string().into_bytes();
    let before: BTreeMap<String, Vec<u8>> =
        rig.staged(object).iter().map(|(id, json)| (id.to_string(), text(json))).collect();
    let known = Staged(before.clone());
    let found = rig.run(&DieAt::default(), async |source, _| {
        let (mut records, mut same, mut cursor) = (Vec::new(), Vec::new(), String::new());
        loop {
            let since = Since { at_ms: Some(at_ms), known: &known };
            let looked = source.changed(object, &cursor, since).await?;
            records.extend(looked.records);
            same.extend(looked.same);
            cursor = looked.cursor;
            if looked.done {
                break;
            }
        }
        let seen: BTreeSet<&String> = records.iter().map(|raw| &raw.id).chain(&same).collect();
        let lacking: Vec<String> = before.keys().filter(|key| !seen.contains(key)).cloned().collect();
        let absent = source.absent(object, &lacking, &known).await?;
        records.extend(absent.there);
        Ok((records, same, absent.gone))
    });
    let (records, same, gone) = found.unwrap_or_else(|error| panic!("{object}: {error}"));
    let mut told: BTreeSet<i64> = gone.iter().map(number).collect();
    let mut now: BTreeMap<i64, Json> = BTreeMap::new();
    for key in &same {
        let json = before.get(key).unwrap_or_else(|| panic!("{object} {key} is told to be as it never was"));
        now.insert(number(key), serde_json::from_slice(json).expect("JSON"));
    }
    for raw in records {
        told.insert(number(&raw.id));
        now.insert(number(&raw.id), serde_json::from_slice(&raw.json).expect("JSON"));
    }
    (now, told)
}

/// Somebody changes something of each stream that can be changed; histories only grow.
fn edit(portal: &mut Portal) {
    for (table, field) in [
        (Table::Call, "CALL_DURATION"),
        (Table::Address, "CITY"),
        (Table::Requisite, "NAME"),
        (Table::BankDetail, "NAME"),
        (Table::Price, "price"),
        (Table::Section, "NAME"),
        (Table::Task, "TITLE"),
        (Table::CheckItem, "TITLE"),
    ] {
        let rows = portal.tables.get_mut(&table).unwrap_or_else(|| panic!("no {table:?}"));
        let row = rows.values_mut().next().unwrap_or_else(|| panic!("{table:?} is empty"));
        let held = row.get_mut(field).unwrap_or_else(|| panic!("{table:?} has no `{field}`"));
        *held = if held.is_number() { json!(4711) } else { json!("4711") };
    }
    let comments = portal.records.get_mut(&Entity::Comment).expect("comments");
    comments.values_mut().next().expect("a comment").insert("COMMENT".to_owned(), json!("otherwise"));
    // Rows of a Smart Process move no time of their item.
    let mut items = portal.rows.iter_mut().filter(|((entity, _), _)| *entity == Entity::Process(1032));
    items.next().expect("an item with rows").1[0].insert("PRICE".to_owned(), json!(4711));
    items.next().expect("a second one").1.pop();
}

#[test]
fn a_look_at_every_stream_comes_to_what_a_fresh_extraction_brings() {
    let rig = Rig::new(portal(0.05, 3), 3);
    let objects = all();
    rig.extract(&objects, &DieAt::default()).expect("extracts");
    let at_ms = rig.clock.now_ms();
    rig.clock.run(rig.clock.sleep(3_600_000)).expect("an hour passes");
    for object in &objects {
        let (now, told) = look(&rig, object, at_ms);
        assert_eq!(now, rig.staged(object), "{object}: nothing changed");
        assert!(told.is_empty(), "{object}: {told:?} are told, and nothing changed");
    }
    rig.portal.with_portal(|portal| {
        edit(portal);
        delete_middle(portal);
        replace_last(portal);
    });
    let held = rig.portal.with_portal(|portal| portal.clone());
    let fresh = Rig::new(held.clone(), 4);
    fresh.extract(&objects, &DieAt::default()).expect("extracts");
    let mut unseen: BTreeSet<&str> = FURTHER.iter().map(|stream| stream.object).collect();
    unseen.insert("process 1032");
    for object in &objects {
        let (now, told) = look(&rig, object, at_ms);
        let (before, wanted) = (rig.staged(object), fresh.staged(object));
        let keys: BTreeSet<&i64> = before.keys().chain(wanted.keys()).collect();
        let differ: BTreeSet<i64> =
            keys.into_iter().filter(|id| before.get(id) != wanted.get(id)).copied().collect();
        assert_eq!(told, differ, "{object}: what is told to be another is what is another");
        assert_eq!(now, wanted, "{object}");
        if !told.is_empty() {
            unseen.remove(object);
        }
    }
    assert_eq!(unseen, BTreeSet::new(), "nothing of these was changed");
    for stream in FURTHER {
        let (now, _) = look(&rig, stream.object, at_ms);
        assert_eq!(differences(std::slice::from_ref(&held), stream, &now), Vec::<String>::new());
    }
}
