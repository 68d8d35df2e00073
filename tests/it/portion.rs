//! Parts of a portal: what is staged is what the portal holds under the filter, closed under links, with what hangs on
//! it. The oracle reads the portal's own tables and knows nothing of requests.

use std::collections::{BTreeMap, BTreeSet};

use b2n::lang::plan::{Map, Plan, System};
use b2n::lang::schema::Schema;
use b2n::run::connect::outside::Random;
use b2n::run::engine::{self, Error, Portion, Share};
use b2n::run::rehearsal::SplitMix;
use b2n::run::twin::bitrix24::portal::Record;
use b2n::run::twin::bitrix24::{Entity, Fault, FaultKind, Portal, Table, Trigger};
use b2n::run::workspace::Verdict;
use rust_decimal::Decimal;
use serde_json::Value as Json;

use crate::extraction::{Rig, lies, says_two_numbers};
use crate::world::DieAt;

/// What is drawn from.
const ROOTS: [(&str, Entity); 7] = [
    ("company", Entity::Company),
    ("contact", Entity::Contact),
    ("deal", Entity::Deal),
    ("lead", Entity::Lead),
    ("quote", Entity::Quote),
    ("product", Entity::Product),
    ("process 1032", Entity::Process(1032)),
];

/// What hangs on it, or comes whole.
const HANGING: [&str; 12] = [
    "activity",
    "call",
    "comment",
    "company_address",
    "company_requisite",
    "contact_address",
    "contact_requisite",
    "deal_history",
    "lead_history",
    "product_price",
    "product_section",
    "task",
];

type Set = BTreeSet<(Entity, i64)>;
type Held = BTreeMap<String, BTreeSet<i64>>;

fn number(json: Option<&Json>) -> i64 {
    match json {
        Some(Json::Number(n)) => n.as_i64().unwrap_or(0),
        Some(Json::String(text)) => text.parse().unwrap_or(0),
        _ => 0,
    }
}

fn of_type(id: i64) -> Option<Entity> {
    Some(match id {
        1 => Entity::Lead,
        2 => Entity::Deal,
        3 => Entity::Contact,
        4 => Entity::Company,
        7 => Entity::Quote,
        1032 => Entity::Process(1032),
        _ => return None,
    })
}

/// `D_7`.
fn of_code(text: &str) -> Option<(Entity, i64)> {
    let (code, id) = text.split_once('_')?;
    let entity = match code {
        "L" => Entity::Lead,
        "D" => Entity::Deal,
        "C" => Entity::Contact,
        "CO" => Entity::Company,
        "Q" => Entity::Quote,
        "T408" => Entity::Process(1032),
        _ => return None,
    };
    Some((entity, id.parse().ok()?))
}

fn elements(json: Option<&Json>) -> Vec<&Json> {
    match json {
        Some(Json::Array(all)) => all.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    }
}

/// The kind of record that a field of bindings allows, where it allows one alone: it may hold a bare id.
fn allowed(portal: &Portal, entity: Entity, code: &str) -> Option<Entity> {
    let settings = portal.fields.get(&entity)?.get(code)?.get("settings")?.as_object()?;
    let kinds: Vec<&str> =
        settings.iter().filter(|(_, on)| *on == "Y").map(|(kind, _)| kind.as_str()).collect();
    match kinds[..] {
        ["COMPANY"] => Some(Entity::Company),
        ["CONTACT"] => Some(Entity::Contact),
        ["DEAL"] => Some(Entity::Deal),
        ["LEAD"] => Some(Entity::Lead),
        ["DYNAMIC_1032"] => Some(Entity::Process(1032)),
        _ => None,
    }
}

/// What a record links to, by what the portal says of its fields and by its link tables.
fn linked(portal: &Portal, entity: Entity, id: i64) -> Set {
    let mut out = Set::new();
    let Some(record) = portal.records.get(&entity).and_then(|table| table.get(&id)) else { return out };
    for (code, about) in portal.fields.get(&entity).into_iter().flatten() {
        let kind = about.get("type").and_then(Json::as_str).unwrap_or_default();
        let parent = code.strip_prefix("PARENT_ID_").and_then(|kind| of_type(kind.parse().ok()?));
        let to = match kind {
            "crm_company" => Some(Entity::Company),
            "crm_contact" => Some(Entity::Contact),
            "crm_lead" => Some(Entity::Lead),
            "crm_deal" => Some(Entity::Deal),
            "crm_quote" => Some(Entity::Quote),
            "crm_entity" => parent,
            _ => None,
        };
        for value in elements(record.get(code)) {
            if let Some(to) = to {
                out.insert((to, number(Some(value))));
            } else if kind == "crm" {
                let alone = allowed(portal, entity, code).filter(|_| number(Some(value)) > 0);
                out.extend(alone.map(|of| (of, number(Some(value)))));
                out.extend(value.as_str().and_then(of_code));
            }
        }
    }
    let tables = match entity {
        Entity::Contact => Some((&portal.contact_companies, Entity::Company)),
        Entity::Deal => Some((&portal.deal_contacts, Entity::Contact)),
        Entity::Quote => Some((&portal.quote_contacts, Entity::Contact)),
        _ => None,
    };
    if let Some((table, to)) = tables {
        out.extend(table.get(&id).into_iter().flatten().map(|link| (to, link.id)));
    }
    for row in portal.rows.get(&(entity, id)).into_iter().flatten() {
        out.insert((Entity::Product, number(row.get("PRODUCT_ID"))));
    }
    out
}

fn is_there(portal: &Portal, (entity, id): (Entity, i64)) -> bool {
    portal.records.get(&entity).is_some_and(|table| table.contains_key(&id))
}

/// With what these link to, directly or through others.
fn closed(portal: &Portal, mut set: Set) -> Set {
    let mut open: Vec<(Entity, i64)> = set.iter().copied().collect();
    while let Some((entity, id)) = open.pop() {
        for link in linked(portal, entity, id) {
            if is_there(portal, link) && set.insert(link) {
                open.push(link);
            }
        }
    }
    set
}

fn said<'r>(row: &'r Record, name: &str) -> &'r str {
    row.get(name).and_then(Json::as_str).unwrap_or_default()
}

/// What a portal holds of this part.
fn expected(portal: &Portal, takes: &dyn Fn(&str, i64, &Record) -> bool) -> Held {
    let mut first = Set::new();
    for (object, entity) in ROOTS {
        let table = portal.records.get(&entity).into_iter().flatten();
        first.extend(table.filter(|(id, row)| takes(object, **id, row)).map(|(id, _)| (entity, *id)));
    }
    loop {
        let before = first.len();
        first = closed(portal, first);
        let quotes = portal.records.get(&Entity::Quote).into_iter().flatten();
        let of_deal =
            |(_, row): &(&i64, &Record)| first.contains(&(Entity::Deal, number(row.get("DEAL_ID"))));
        let quotes: Vec<i64> = quotes.filter(of_deal).map(|(id, _)| *id).collect();
        first.extend(quotes.into_iter().map(|id| (Entity::Quote, id)));
        if first.len() == before {
            break;
        }
    }
    let mut held = Held::new();
    let mut along = Set::new();
    let activities = portal.records.get(&Entity::Activity).into_iter().flatten();
    for (id, row) in activities {
        let bound = portal.bindings.get(id).into_iter().flatten();
        let bound: Vec<(Entity, i64)> = bound.filter_map(|(kind, id)| Some((of_type(*kind)?, *id))).collect();
        if bound.iter().any(|bound| first.contains(bound)) {
            held.entry("activity".to_owned()).or_default().insert(*id);
            along.extend(bound);
            for one in elements(row.get("COMMUNICATIONS")) {
                let entity = of_type(number(one.get("ENTITY_TYPE_ID")));
                along.extend(entity.map(|entity| (entity, number(one.get("ENTITY_ID")))));
            }
        }
    }
    for (id, row) in portal.records.get(&Entity::Comment).into_iter().flatten() {
        let entity = ROOTS.iter().find(|(object, _)| {
            said(row, "ENTITY_TYPE") == *object
                || said(row, "ENTITY_TYPE") == "dynamic_1032" && *object == "process 1032"
        });
        if entity.is_some_and(|(_, entity)| first.contains(&(*entity, number(row.get("ENTITY_ID"))))) {
            held.entry("comment".to_owned()).or_default().insert(*id);
        }
    }
    let mut of_table = |object: &str, table: Table, owners: &dyn Fn(&Record) -> Vec<(Entity, i64)>| {
        for (id, row) in portal.tables.get(&table).into_iter().flatten() {
            let owners = owners(row);
            if !owners.iter().any(|owner| first.contains(owner)) {
                continue;
            }
            along.extend(owners);
            let key = match table {
                Table::Address => {
                    number(row.get("ENTITY_ID")) * 1_000
                        + number(row.get("ENTITY_TYPE_ID")) * 100
                        + number(row.get("TYPE_ID"))
                }
                _ => *id,
            };
            held.entry(object.to_owned()).or_default().insert(key);
        }
    };
    of_table("deal_history", Table::DealHistory, &|row| vec![(Entity::Deal, number(row.get("OWNER_ID")))]);
    of_table("lead_history", Table::LeadHistory, &|row| vec![(Entity::Lead, number(row.get("OWNER_ID")))]);
    of_table("product_price", Table::Price, &|row| vec![(Entity::Product, number(row.get("productId")))]);
    of_table("task", Table::Task, &|row| {
        elements(row.get("UF_CRM_TASK")).into_iter().filter_map(|code| of_code(code.as_str()?)).collect()
    });
    of_table("call", Table::Call, &|row| {
        let word = said(row, "CRM_ENTITY_TYPE").to_lowercase();
        let entity = ROOTS[..4].iter().find(|(object, _)| *object == word);
        entity.map(|(_, entity)| (*entity, number(row.get("CRM_ENTITY_ID")))).into_iter().collect()
    });
    for (object, kind) in [("company", 4), ("contact", 3)] {
        let owner = |row: &Record, kind_field: &str, id: &str| {
            let mine = number(row.get(kind_field)) == kind;
            of_type(kind).filter(|_| mine).map(|entity| (entity, number(row.get(id)))).into_iter().collect()
        };
        of_table(&format!("{object}_requisite"), Table::Requisite, &|row| {
            owner(row, "ENTITY_TYPE_ID", "ENTITY_ID")
        });
        of_table(&format!("{object}_address"), Table::Address, &|row| {
            owner(row, "ANCHOR_TYPE_ID", "ANCHOR_ID")
        });
    }
    held.insert("product_section".to_owned(), portal.tables[&Table::Section].keys().copied().collect());
    along.retain(|link| is_there(portal, *link));
    let mut all = closed(portal, along);
    all.extend(first);
    for (object, entity) in ROOTS {
        held.insert(
            object.to_owned(),
            all.iter().filter(|(of, _)| *of == entity).map(|(_, id)| *id).collect(),
        );
    }
    held.retain(|_, ids| !ids.is_empty());
    held
}

/// The source's schema, and a plan that reads all of it.
fn plan_of(rig: &Rig) -> (Plan, Schema) {
    let schema =
        rig.run(&DieAt::default(), async |source, _| Ok(source.schema("salt").await?)).expect("a schema");
    let map = |object: &str| {
        let found = schema.object(object).unwrap_or_else(|| panic!("no {object}"));
        let reads = found.fields.iter().enumerate().map(|(slot, field)| (slot as u16, field.name.clone()));
        Map { name: object.to_owned(), source: object.to_owned(), reads: reads.collect(), ..Map::default() }
    };
    let objects = ROOTS.iter().map(|(object, _)| *object).chain(HANGING);
    let source = System { connector: "bitrix24".to_owned(), ..System::default() };
    (Plan { source, maps: objects.map(map).collect(), ..Plan::default() }, schema)
}

fn extract(rig: &Rig, plan: &Plan, schema: &Schema, portion: &Portion, points: &DieAt) -> Result<(), Error> {
    rig.run(points, async |source, outside| {
        engine::extract_portion(plan, schema, portion, &rig.workspace, source, outside).await
    })
}

/// What is staged, by object.
fn staged(rig: &Rig, plan: &Plan) -> Held {
    let mut all = Held::new();
    for object in engine::objects(plan) {
        let keys = rig.workspace.staged_keys(object, "").expect("reads");
        let keys: BTreeSet<i64> = keys.iter().map(|key| key.parse().expect("an id")).collect();
        assert!(
            rig.workspace.manifest(object).expect("reads").is_some_and(|manifest| manifest.done),
            "{object}"
        );
        assert!(matches!(rig.workspace.verify(object).expect("verifies"), Verdict::Same(_)), "{object}");
        if !keys.is_empty() {
            all.insert(object.to_owned(), keys);
        }
    }
    all
}

/// Where two differ, a line each.
fn differing(staged: &Held, expected: &Held) -> Vec<String> {
    let objects: BTreeSet<&String> = staged.keys().chain(expected.keys()).collect();
    let none = BTreeSet::new();
    let mut out = Vec::new();
    for object in objects {
        let (is, should) = (staged.get(object).unwrap_or(&none), expected.get(object).unwrap_or(&none));
        out.extend(should.difference(is).take(5).map(|id| format!("{object} {id} is not staged")));
        out.extend(
            is.difference(should).take(5).map(|id| format!("{object} {id} is staged and should not be")),
        );
    }
    out
}

fn touched(row: &Record) -> i64 {
    let times =
        ["DATE_CREATE", "DATE_MODIFY", "LAST_ACTIVITY_TIME", "TIMESTAMP_X", "CREATED_TIME", "UPDATED_TIME"];
    let at = |name: &&str| said(row, name).parse::<jiff::Timestamp>().ok();
    times.iter().filter_map(at).map(|at| at.as_millisecond()).max().unwrap_or(i64::MAX)
}

/// Parts, and which records each draws.
#[allow(clippy::type_complexity)]
fn parts() -> Vec<(Portion, Box<dyn Fn(&str, i64, &Record) -> bool>)> {
    let since: i64 = "2024-09-01T00:00:00Z".parse::<jiff::Timestamp>().expect("a time").as_millisecond();
    let service = || vec![("deal".to_owned(), "1".to_owned())];
    let of_service = |object: &str, row: &Record| object == "deal" && said(row, "CATEGORY_ID") == "1";
    vec![
        (
            Portion { categories: service(), ..Portion::default() },
            Box::new(move |object, _, row| of_service(object, row)),
        ),
        (
            Portion { since_ms: Some(since), ..Portion::default() },
            Box::new(move |_, _, row| touched(row) >= since),
        ),
        (
            Portion { categories: service(), since_ms: Some(since), comments: false, ..Portion::default() },
            Box::new(move |object, _, row| of_service(object, row) && touched(row) >= since),
        ),
        (
            Portion { categories: vec![("process 1032".to_owned(), "9".to_owned())], ..Portion::default() },
            Box::new(|object, _, row| object == "process 1032" && number(row.get("CATEGORY_ID")) == 9),
        ),
    ]
}

#[test]
fn a_part_is_what_the_portal_holds_under_the_filter() {
    let rig = Rig::new(Portal::acme(0.1, 7), 1);
    let (plan, schema) = plan_of(&rig);
    let portal = rig.portal.with_portal(|portal| portal.clone());
    let mut smaller = 0;
    for (portion, takes) in parts() {
        let rig = Rig::new(portal.clone(), 1);
        extract(&rig, &plan, &schema, &portion, &DieAt::default())
            .unwrap_or_else(|e| panic!("{portion}: {e}"));
        let mut expected = expected(&portal, &takes);
        if !portion.comments {
            expected.remove("comment");
        }
        let is = staged(&rig, &plan);
        assert_eq!(differing(&is, &expected), Vec::<String>::new(), "{portion}");
        for (object, entity) in ROOTS {
            let drawn = portal.records[&entity].iter().filter(|(id, row)| takes(object, **id, row)).count();
            let of = portal.records[&entity].len();
            println!(
                "{portion}: {object} {} of {of}, {drawn} drawn",
                expected.get(object).map_or(0, BTreeSet::len)
            );
            smaller += usize::from(expected.get(object).map_or(0, BTreeSet::len) < of);
        }
    }
    assert!(smaller > 0, "every part was the whole");
}

#[test]
fn a_share_is_closed_and_the_seeds_own() {
    let rig = Rig::new(Portal::acme(0.1, 8), 1);
    let (plan, schema) = plan_of(&rig);
    let portal = rig.portal.with_portal(|portal| portal.clone());
    let share = |seed| Portion {
        share: Some(Share { percent: Decimal::from(3), seed }),
        rows: false,
        ..Portion::default()
    };
    let run = |seed| {
        let rig = Rig::new(portal.clone(), 1);
        extract(&rig, &plan, &schema, &share(seed), &DieAt::default()).expect("extracts");
        let staged = staged(&rig, &plan);
        let deals = rig.workspace.staged_page("deal", 0, 10_000).expect("reads");
        assert!(deals.iter().all(|deal| !String::from_utf8_lossy(&deal.json).contains("\"rows\"")));
        staged
    };
    let (one, other) = (run(1), run(2));
    assert_eq!(one, run(1));
    assert_ne!(one["deal"], other["deal"]);
    // What is staged is closed, but for products, which rows alone lead to; and it is not everything.
    let ids = |entity: &Entity, object: &str| -> Set {
        one.get(object).into_iter().flatten().map(|id| (*entity, *id)).collect()
    };
    let roots: Set = ROOTS.iter().flat_map(|(object, entity)| ids(entity, object)).collect();
    let more = closed(&portal, roots.clone());
    let more: Vec<_> = more.difference(&roots).filter(|(of, _)| *of != Entity::Product).collect();
    assert!(more.is_empty(), "{more:?} are linked and not staged");
    assert!(one["deal"].len() < portal.records[&Entity::Deal].len() / 2, "{} deals", one["deal"].len());
}

/// What may go wrong without anybody lying for ever.
fn fault(dice: &SplitMix) -> Fault {
    let pick = |n: u64| dice.next_u64() % n;
    let kind = match pick(9) {
        0 => FaultKind::RateLimit,
        1 => FaultKind::ServerError,
        2 => FaultKind::CutBody,
        3 => FaultKind::OperatingLimit,
        4 | 5 => FaultKind::ShortPage,
        6 => FaultKind::RepeatPage,
        7 => FaultKind::WrongTotal(-1),
        _ => FaultKind::Edit(delete_deals),
    };
    Fault::new(Trigger::Nth(1 + pick(150)), kind)
}

/// Somebody deletes deals, and whatever hangs on them alone goes with them.
fn delete_deals(portal: &mut Portal) {
    let ids: Vec<i64> = portal.records[&Entity::Deal].keys().copied().collect();
    for id in ids.iter().step_by(5) {
        portal.remove_record(Entity::Deal, *id);
    }
}

#[test]
fn whatever_the_portal_does_a_part_is_all_there_or_both_numbers_are_said() {
    let rig = Rig::new(Portal::acme(0.05, 9), 1);
    let (plan, schema) = plan_of(&rig);
    let portal = rig.portal.with_portal(|portal| portal.clone());
    let (mut whole, mut stopped) = (0, 0);
    for seed in 1..=16u64 {
        let dice = SplitMix::new(seed);
        let (portion, takes) = parts().swap_remove((seed % 2) as usize);
        let faults: Vec<Fault> = (0..1 + dice.next_u64() % 3).map(|_| fault(&dice)).collect();
        let rig = Rig::new(portal.clone(), seed);
        rig.spoil(faults.clone());
        match extract(&rig, &plan, &schema, &portion, &DieAt::default()) {
            Ok(()) => {
                whole += 1;
                let (before, after) =
                    (expected(&portal, &takes), rig.portal.with_portal(|portal| expected(portal, &takes)));
                let is = staged(&rig, &plan);
                // Records only go: at least what is left, at most what was there.
                for (object, ids) in &after {
                    let lacking: Vec<_> = ids.iter().filter(|id| !is[object].contains(id)).collect();
                    assert!(lacking.is_empty(), "seed {seed}, {faults:?}: {object} {lacking:?} lack");
                }
                for (object, ids) in &is {
                    let strange: Vec<_> = ids.iter().filter(|id| !before[object].contains(id)).collect();
                    assert!(strange.is_empty(), "seed {seed}, {faults:?}: {object} {strange:?} are strange");
                }
            }
            Err(error) => {
                stopped += 1;
                assert!(says_two_numbers(&error), "seed {seed}, {faults:?}: {error}");
                assert!(faults.iter().any(lies), "seed {seed}: nobody lied, {error}");
            }
        }
    }
    println!("{whole} parts were whole, {stopped} stopped and said both numbers");
    assert!(whole > stopped, "{whole} of {}", whole + stopped);
}

#[test]
fn wherever_it_dies_a_part_is_the_same_in_the_end() {
    let rig = Rig::new(Portal::acme(0.02, 10), 1);
    let (plan, schema) = plan_of(&rig);
    let portal = rig.portal.with_portal(|portal| portal.clone());
    let (portion, _) = parts().swap_remove(0);
    let clean = Rig::new(portal.clone(), 1);
    let all = DieAt::default();
    extract(&clean, &plan, &schema, &portion, &all).expect("extracts");
    let expected = staged(&clean, &plan);
    let reached = all.reached.borrow().clone();
    for (point, times) in reached {
        for nth in (1..=times).step_by(1 + times as usize / 6) {
            let rig = Rig::new(portal.clone(), 1);
            let die = DieAt { point: Some((point, nth)), ..DieAt::default() };
            let died = extract(&rig, &plan, &schema, &portion, &die);
            assert!(matches!(died, Err(Error::Interrupted)), "{point} {nth}: {died:?}");
            extract(&rig, &plan, &schema, &portion, &DieAt::default()).expect("goes on");
            assert_eq!(staged(&rig, &plan), expected, "{point} {nth}");
        }
    }
}

#[test]
fn a_workspace_holds_one_part_or_all() {
    let portal = Portal::acme(0.02, 11);
    let rig = Rig::new(portal.clone(), 1);
    let (plan, schema) = plan_of(&rig);
    let (service, _) = parts().swap_remove(0);
    let first = DieAt { point: Some(("extract.staged", 1)), ..DieAt::default() };
    extract(&rig, &plan, &schema, &service, &first).expect_err("is interrupted");
    let other = Portion { comments: false, ..service.clone() };
    for asked in [&other, &Portion::default()] {
        let refused = extract(&rig, &plan, &schema, asked, &DieAt::default()).expect_err("another part");
        assert!(refused.to_string().contains("--category 'deal/1'`"), "{refused}");
    }
    let migrated = rig
        .run(&DieAt::default(), async |source, outside| {
            engine::extract(&plan, &rig.workspace, source, outside).await
        })
        .expect_err("a part that is not all there");
    assert!(migrated.to_string().contains("goes on with it"), "{migrated}");
    extract(&rig, &plan, &schema, &service, &DieAt::default()).expect("goes on");
    rig.run(&DieAt::default(), async |source, outside| {
        engine::extract(&plan, &rig.workspace, source, outside).await
    })
    .expect("nothing is left to extract");

    let whole = Rig::new(portal, 1);
    whole.extract(&["product_section"], &DieAt::default()).expect("extracts");
    let refused = extract(&whole, &plan, &schema, &service, &DieAt::default()).expect_err("it holds all");
    assert!(refused.to_string().contains("--workspace FILE"), "{refused}");
}
