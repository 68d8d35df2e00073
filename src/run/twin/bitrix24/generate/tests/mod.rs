//! What every generated portal promises.

mod acme;
mod raw;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::run::twin::bitrix24::portal::{Category, Link, Record};

const SEED: u64 = 20_261_119;

fn of(portal: &Portal, entity: Entity) -> &BTreeMap<i64, Record> {
    &portal.records[&entity]
}

fn text<'a>(record: &'a Record, code: &str) -> &'a str {
    record.get(code).and_then(Value::as_str).unwrap_or("")
}

/// Values of a multifield.
fn values<'a>(record: &'a Record, code: &str) -> Vec<&'a str> {
    let rows = record.get(code).and_then(Value::as_array);
    rows.into_iter().flatten().filter_map(|row| row["VALUE"].as_str()).collect()
}

fn blank(value: &Value) -> bool {
    matches!(value, Value::Null | Value::Bool(false))
        || value.as_str().is_some_and(str::is_empty)
        || value.as_array().is_some_and(Vec::is_empty)
}

fn print(portal: &Portal) -> String {
    format!("{portal:?}")
}

/// The folder of documented answers, where it is at hand.
fn documented(file: &str) -> Option<Value> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let places = ["../shared/reference", "../../shared/reference"];
    let found =
        places.iter().map(|place| root.join(place).join("bitrix24").join(file)).find(|path| path.exists());
    let Some(path) = found else {
        println!("skipped: `{file}` is not at hand");
        return None;
    };
    Some(serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
}

#[test]
fn the_seed_decides_everything() {
    let one = print(&Portal::acme(0.1, 1));
    assert_eq!(one, print(&Portal::acme(0.1, 1)));
    assert_ne!(one, print(&Portal::acme(0.1, 2)));
    let shape = acme_shape(Counts::scaled(0.1));
    assert_eq!(print(&Portal::generate(&shape, 9)), print(&Portal::generate(&shape, 9)));
}

#[test]
fn counts_follow_the_scale() {
    for (scale, counts) in [(0.0, [0, 0, 0, 0]), (0.5, [250, 750, 500, 50]), (1.0, [500, 1500, 1000, 100])] {
        let portal = Portal::acme(scale, SEED);
        let order = [Entity::Company, Entity::Contact, Entity::Deal, Entity::Lead];
        assert_eq!(order.map(|entity| of(&portal, entity).len()), counts);
    }
    assert_eq!(Counts::scaled(f64::NAN), Counts::scaled(-3.0));
    let counts = Counts { companies: 3, contacts: 0, deals: 7, leads: 0 };
    let portal = Portal::acme_with(counts, SEED);
    assert_eq!(of(&portal, Entity::Deal).len(), 7);
    assert!(portal.deal_contacts.is_empty(), "there are no contacts to link");
}

#[test]
fn a_new_field_changes_no_other_value() {
    let mut shape = acme_shape(Counts::scaled(0.1));
    let before = Portal::generate(&shape, SEED);
    let deals = shape.entities.get_mut(&Entity::Deal).unwrap();
    deals.fields.insert(3, FieldShape::custom("UF_CRM_NEW", "string", "New").filled(1.0));
    let mut after = Portal::generate(&shape, SEED);
    for (id, deal) in after.records.get_mut(&Entity::Deal).unwrap() {
        assert!(!deal.remove("UF_CRM_NEW").is_none_or(|value| blank(&value)), "deal {id}");
    }
    assert_eq!(before.records, after.records);
}

#[test]
fn fill_rates_and_weights_are_kept() {
    let mut shape = Shape::new("x.example");
    shape.categories = vec![Category { id: 4, name: "Only".into(), sort: 10 }];
    shape.statuses = vec![
        StatusShape::new("DEAL_STAGE_4", "C4:NEW", "New"),
        StatusShape::new("DEAL_STAGE_4", "C4:WON", "Won").meaning(Semantics::Success),
        StatusShape::new("SOURCE", "CALL", "Call"),
        StatusShape::new("SOURCE", "WEB", "Web"),
    ];
    let mut deals = EntityShape::standard(Entity::Deal, 20_000);
    deals.field_mut("STAGE_ID").unwrap().choices =
        vec![Choice::new("C4:NEW", "", 9.0), Choice::new("C4:WON", "", 1.0)];
    deals.field_mut("SOURCE_ID").unwrap().fill = 0.25;
    deals.fields.extend(
        [
            "string",
            "enumeration",
            "money",
            "date",
            "url",
            "boolean",
            "address",
            "file",
            "datetime",
            "double",
            "integer",
        ]
        .map(|kind| {
            let field = FieldShape::custom(format!("UF_{kind}"), kind, kind).filled(0.4);
            if kind == "enumeration" { field.choose(&[("1", "a", 3.0), ("2", "b", 1.0)]) } else { field }
        }),
    );
    deals.fields.push(
        FieldShape::custom("UF_MANY", "enumeration", "Many")
            .many()
            .filled(0.7)
            .choose(&[("5", "a", 1.0), ("6", "b", 1.0)]),
    );
    let codes: Vec<(String, f64)> = deals
        .fields
        .iter()
        .filter(|field| field.is_custom() || field.code == "SOURCE_ID")
        .map(|field| (field.code.clone(), field.fill))
        .collect();
    shape.entities.insert(Entity::Deal, deals);
    let portal = Portal::generate(&shape, SEED);
    let deals = of(&portal, Entity::Deal);
    let share = |holds: &dyn Fn(&Record) -> bool| {
        deals.values().filter(|deal| holds(deal)).count() as f64 / deals.len() as f64
    };
    assert_eq!(codes.len(), 13);
    for (code, fill) in &codes {
        // Five standard deviations of 20,000 draws.
        let found = share(&|deal| deal.get(code).is_some_and(|value| !blank(value)));
        assert!((found - fill).abs() < 0.018, "{code}: {found} for {fill} (seed {SEED})");
    }
    let won = share(&|deal| text(deal, "STAGE_ID") == "C4:WON");
    assert!((won - 0.1).abs() < 0.011, "{won}");
    let (a, b) = (
        share(&|deal| text(deal, "UF_enumeration") == "1"),
        share(&|deal| text(deal, "UF_enumeration") == "2"),
    );
    assert!((a / (a + b) - 0.75).abs() < 0.025, "{a} {b}");
    assert!(deals.values().all(|deal| text(deal, "CATEGORY_ID") == "4"));
}

fn arbitrary_field() -> impl Strategy<Value = FieldShape> {
    let code = prop_oneof![
        "UF_[A-Z]{0,3}",
        Just("TITLE".to_owned()),
        Just("STAGE_ID".to_owned()),
        Just("COMPANY_ID".to_owned()),
        ".{0,5}"
    ];
    let kind = prop_oneof![
        Just("string"),
        Just("crm_status"),
        Just("enumeration"),
        Just("money"),
        Just("crm"),
        Just("user"),
        Just("crm_company"),
        Just("crm_multifield"),
        Just("nonsense"),
        Just("double"),
        Just("crm_currency"),
    ];
    let choice = (".{0,3}", any::<f64>()).prop_map(|(id, weight)| Choice::new(id, "", weight));
    (code, kind, any::<bool>(), any::<f64>(), proptest::collection::vec(choice, 0..3), any::<bool>())
        .prop_map(|(code, kind, multiple, fill, choices, target)| FieldShape {
            multiple,
            fill,
            choices,
            targets: if target { vec![Entity::Deal, Entity::Company] } else { Vec::new() },
            ..FieldShape::custom(code, kind, "")
        })
}

proptest! {
    #[test]
    fn no_shape_is_too_odd(
        fields in proptest::collection::vec(arbitrary_field(), 0..8),
        numbers in (any::<f64>(), any::<f64>(), any::<f64>(), any::<i64>(), any::<i64>(), any::<i8>()),
        seed in any::<u64>(),
    ) {
        let mut shape = Shape::new("");
        (shape.mess, shape.dangling) = (numbers.0, numbers.1);
        (shape.since, shape.until, shape.offset_hours) = (numbers.3, numbers.4, numbers.5);
        shape.statuses = vec![StatusShape::new("DEAL_STAGE_x", "", ""), StatusShape::new("", "", "")];
        for entity in Entity::ALL {
            shape.entities.insert(entity, EntityShape { count: 3, fields: fields.clone(), more_links: numbers.2, rows: numbers.2 });
        }
        let portal = Portal::generate(&shape, seed);
        prop_assert!(portal.records.values().all(|records| records.len() == 3));
    }
}
