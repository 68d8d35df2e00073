//! Whatever comes in: no panic, and the same again.

use super::*;
use crate::run::twin::bitrix24::methods;
use crate::run::twin::bitrix24::{Fault, FaultKind, Trigger};
use proptest::prelude::*;

/// Texts that reach deep: method names, brackets, references, or noise.
fn text() -> impl Strategy<Value = String> {
    let names: Vec<String> = methods::names();
    prop_oneof![
        proptest::sample::select(names),
        "[a-z$\\[\\]>%!@=&?.A-Z0-9é_-]{0,40}",
        ".{0,20}",
        Just("$result[a][0][ID]".to_owned()),
    ]
}

fn arguments() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    let key = prop_oneof![
        proptest::sample::select(vec![
            "filter",
            "order",
            "select",
            "start",
            "entityTypeId",
            "id",
            "fields",
            "cmd",
            "halt",
            "ID",
            ">ID",
            "id",
            ">=DATE_MODIFY",
            "%TITLE",
            "logic",
            "0",
            "PHONE",
            "VALUE",
            "OPPORTUNITY",
            "CLOSEDATE",
            "COMPANY_IDS",
            "*",
            "useOriginalUfNames",
            "params",
            "IMPORT",
            "name",
            "STAGE_ID",
        ])
        .prop_map(String::from),
        text(),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map(key.clone(), inner, 0..6)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn never_panics_on_arbitrary_bytes(path in ".{0,60}", query in ".{0,60}", kind in text(), body in proptest::collection::vec(any::<u8>(), 0..200), now in any::<i64>()) {
        let t = twin(2);
        let req = Request { method: "POST".into(), path: format!("/rest/1/secret/{path}"), query, headers: vec![("content-type".into(), kind)], body, client: String::new() };
        let r = t.handle(&req, now);
        prop_assert!(r.status >= 200);
        t.handle(&Request { path, ..req }, now);
    }

    #[test]
    fn never_panics_on_arbitrary_arguments(method in proptest::sample::select(methods::names()), args in arguments(), now in any::<i64>()) {
        let t = twin(3);
        let r = t.handle(&request(&method, &args), now);
        prop_assert!(serde_json::from_slice::<Value>(&r.body).is_ok());
        // This portal has no estimates, products, activities and comments, and keeps nothing beside its records.
        let words = ["quote", "product", "activity", "timeline", "history", "statistic", "task", "requisite", "address", "price"];
        let lacks = words.iter().any(|word| method.contains(word));
        prop_assert!(matches!(r.status, 200 | 400) || lacks && r.status == 404, "{} {}", r.status, method);
    }

    #[test]
    fn never_panics_on_arbitrary_forms_and_batches(commands in proptest::collection::vec(text(), 0..6), query in text(), now in 0i64..4_000_000_000_000) {
        let t = twin(3);
        let cmd: Vec<Value> = commands.iter().map(|c| json!(format!("{c}?{query}"))).collect();
        t.handle(&request("batch", &json!({ "cmd": cmd })), now);
        let mut req = request(&commands.concat(), &Value::Null);
        req.headers = Vec::new();
        req.body = query.clone().into_bytes();
        req.query = query;
        prop_assert!(t.handle(&req, now).status >= 200);
    }
}

/// Equal data is dumped equally, in whatever order it was written.
#[test]
fn the_dump_knows_no_order_of_writes() {
    let dump = |first: &str, then: &str| {
        let t = twin(1);
        for fields in [first, then] {
            let fields: Value = serde_json::from_str(fields).unwrap();
            let answer = call(&t, "crm.contact.update", json!({"id": 3, "fields": fields}));
            assert_eq!(answer["result"], true, "{answer}");
        }
        t.dump().to_string()
    };
    let one = dump(r#"{"BIRTHDATE":"1990-01-02","EXPORT":"Y"}"#, r#"{"ASSIGNED_BY_ID":"2"}"#);
    let other = dump(r#"{"ASSIGNED_BY_ID":"2","EXPORT":"Y"}"#, r#"{"BIRTHDATE":"1990-01-02"}"#);
    assert!(one.contains("1990-01-02"), "{one}");
    assert_eq!(one, other);
}

#[test]
fn the_same_seed_and_requests_give_the_same_bytes_and_dump() {
    let run = |seed: u64| {
        let faults = vec![
            Fault::new(Trigger::Probability(0.2), FaultKind::ServerError),
            Fault::new(Trigger::Probability(0.1), FaultKind::Insert(Entity::Deal)),
        ];
        let t = Twin::new(portal(70), Settings { seed, faults, ..Settings::default() });
        let mut bytes = Vec::new();
        for n in 0..60i64 {
            let (method, args) = match n % 4 {
                0 => ("crm.deal.list", json!({"filter": {">ID": n}})),
                1 => ("crm.item.list", json!({"entityTypeId": 4, "start": n})),
                2 => (
                    "crm.contact.add",
                    json!({"fields": {"NAME": format!("n{n}"), "PHONE": [{"VALUE": "1"}]}}),
                ),
                _ => (
                    "batch",
                    json!({"cmd": {"a": "crm.company.list", "b": "crm.deal.get?id=$result[a][0][ID]"}}),
                ),
            };
            let r = t.handle(&request(method, &args), T0 + n * 100);
            bytes.push((r.status, r.body, r.took_ms));
        }
        (bytes, t.dump().to_string(), t.log())
    };
    assert!(run(5) == run(5));
    assert!(run(5).0 != run(6).0);
}
