//! Random sequences of writes against a plain model of what the portal should hold (sheet 16).
//!
//! The model is written from the sheet and shares nothing with the twin. Requests come in every encoding, alone and
//! in batches. `B2N_SEED` runs one seed, `B2N_SEEDS` that many.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// Small seeded randomness (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.roll() % n.max(1) as u64) as usize
    }

    fn pick<T: Clone>(&mut self, all: impl IntoIterator<Item = T>) -> Option<T> {
        let all: Vec<T> = all.into_iter().collect();
        if all.is_empty() { None } else { Some(all[self.below(all.len())].clone()) }
    }
}

/// One record as the model expects it.
#[derive(Clone, Debug, Default, PartialEq)]
struct Expected {
    title: String,
    amount: String,
    phones: Vec<String>,
    /// Linked records, the primary one first.
    primary: Option<i64>,
    links: BTreeSet<i64>,
    custom: String,
    rows: Vec<(String, String)>,
    comments: Vec<String>,
}

/// What is written: leads and deals have amounts and contacts, contacts have companies, companies phones.
const KINDS: [(Entity, i64); 4] =
    [(Entity::Lead, 1), (Entity::Deal, 2), (Entity::Contact, 3), (Entity::Company, 4)];

#[derive(Default)]
struct Model {
    records: BTreeMap<(i64, i64), Expected>,
    /// The name of the custom field of each kind.
    custom: BTreeMap<i64, String>,
    last: BTreeMap<i64, i64>,
    comments: BTreeMap<i64, (i64, i64)>,
}

fn word(kind: i64) -> &'static str {
    KINDS.iter().find(|(_, k)| *k == kind).map(|(e, _)| e.word()).unwrap()
}

fn title_code(kind: i64) -> (&'static str, &'static str) {
    if kind == 3 { ("LAST_NAME", "lastName") } else { ("TITLE", "title") }
}

/// One scalar in a query string, percent-encoded.
fn encode(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { (b as char).to_string() } else { format!("%{b:02X}") })
        .collect()
}

/// A tree as a query string with brackets.
fn query(key: &str, value: &Value, out: &mut Vec<String>) {
    let under = |inner: &str| if key.is_empty() { inner.to_owned() } else { format!("{key}[{inner}]") };
    match value {
        Value::Object(map) => map.iter().for_each(|(k, v)| query(&under(k), v, out)),
        Value::Array(all) => all.iter().enumerate().for_each(|(k, v)| query(&under(&k.to_string()), v, out)),
        Value::Null => {}
        Value::String(text) => out.push(format!("{}={}", encode(key), encode(text))),
        other => out.push(format!("{}={}", encode(key), encode(&other.to_string()))),
    }
}

/// Whether a tree says the same in a form: empty arrays vanish there.
fn fits_form(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.values().all(fits_form),
        Value::Array(all) => !all.is_empty() && all.iter().all(fits_form),
        Value::Null | Value::Bool(_) => false,
        _ => true,
    }
}

/// Sends a call in one of the encodings; its answer as if it had been sent alone.
fn send(t: &Twin, dice: &mut Dice, method: &str, args: &Value) -> Value {
    let mut parts = Vec::new();
    query("", args, &mut parts);
    let form = parts.join("&");
    let way = if fits_form(args) { dice.below(4) } else { 0 };
    let base = request(method, args);
    let request = match way {
        0 => base,
        1 => Request {
            headers: vec![("content-type".into(), "application/x-www-form-urlencoded".into())],
            body: form.into_bytes(),
            ..base
        },
        2 => Request { method: "GET".into(), query: form, body: Vec::new(), headers: Vec::new(), ..base },
        _ => {
            let whole = call(t, "batch", json!({"halt": 0, "cmd": {"it": format!("{method}?{form}")}}));
            let error = &whole["result"]["result_error"]["it"];
            return if error.is_null() {
                json!({"result": whole["result"]["result"]["it"]})
            } else {
                error.clone()
            };
        }
    };
    body(&t.handle(&request, T0))
}

/// Sends a call that must succeed.
fn write(t: &Twin, dice: &mut Dice, method: &str, args: &Value) -> Value {
    let answer = send(t, dice, method, args);
    assert!(answer.get("error").is_none(), "{method} {args}: {answer}");
    answer["result"].clone()
}

/// One random step, in the portal and in the model.
fn step(t: &Twin, dice: &mut Dice, model: &mut Model, at: usize) {
    let kind = KINDS[dice.below(4)].1;
    let id = dice.pick(model.records.keys().filter(|(k, _)| *k == kind).map(|(_, id)| *id));
    match (dice.below(12), id) {
        (0..=3, _) | (_, None) => add(t, dice, model, kind, at),
        (4 | 5, Some(id)) => update(t, dice, model, (kind, id), at),
        (6, Some(id)) => delete(t, dice, model, (kind, id)),
        (7, Some(id)) => link(t, dice, model, (kind, id)),
        (8, Some(id)) => rows(t, dice, model, (kind, id), at),
        (9, Some(id)) => comment(t, dice, model, (kind, id), at),
        (10, Some(_)) => refused(t, dice, kind),
        _ => custom(t, dice, model, kind, at),
    }
}

fn add(t: &Twin, dice: &mut Dice, model: &mut Model, kind: i64, at: usize) {
    let universal = dice.below(2) == 0;
    let (code, name) = title_code(kind);
    let title = format!("Nº {at} & söns = {}", dice.below(100));
    let mut expected = Expected { title: title.clone(), amount: "0.00".into(), ..Expected::default() };
    let mut fields = json!({ (if universal { name } else { code }): title, "NOT_A_FIELD": "x" });
    if kind <= 2 && dice.below(2) == 0 {
        let cents = dice.below(10_000_000);
        expected.amount = format!("{}.{:02}", cents / 100, cents % 100);
        // A wrong type, as text, is a number all the same.
        fields[if universal { "opportunity" } else { "OPPORTUNITY" }] = json!(expected.amount);
    }
    if kind == 4 && dice.below(2) == 0 {
        expected.phones = vec![format!("+7 900 {at}")];
        let phone = &expected.phones[0];
        if universal {
            fields["fm"] = json!([{"typeId": "PHONE", "valueType": "WORK", "value": phone}]);
        } else {
            fields["PHONE"] = json!([{"VALUE": phone, "VALUE_TYPE": "WORK"}]);
        }
    }
    if let (Some(code), true) = (model.custom.get(&kind), dice.below(2) == 0) {
        expected.custom = format!("custom {at}");
        fields[code] = json!(expected.custom);
    }
    let id = if universal {
        let args = json!({"entityTypeId": kind, "fields": fields, "useOriginalUfNames": "Y"});
        write(t, dice, "crm.item.add", &args)["item"]["id"].as_i64().unwrap()
    } else {
        write(t, dice, &format!("crm.{}.add", word(kind)), &json!({"fields": fields})).as_i64().unwrap()
    };
    let last = model.last.entry(kind).or_default();
    assert_eq!(id, *last + 1, "ids rise and are never given twice");
    *last = id;
    model.records.insert((kind, id), expected);
}

fn update(t: &Twin, dice: &mut Dice, model: &mut Model, (kind, id): (i64, i64), at: usize) {
    let universal = dice.below(2) == 0;
    let (code, name) = title_code(kind);
    let expected = model.records.get_mut(&(kind, id)).unwrap();
    let mut fields = json!({});
    if dice.below(2) == 0 {
        expected.title = format!("Renamed {at}");
        fields[if universal { name } else { code }] = json!(expected.title);
    }
    if kind == 4 {
        // What is not mentioned stays.
        let phone = format!("+1 {at}");
        expected.phones.push(phone.clone());
        if universal {
            fields["fm"] = json!({"n0": {"typeId": "PHONE", "valueType": "HOME", "value": phone}});
        } else {
            fields["PHONE"] = json!([{"VALUE": phone, "VALUE_TYPE": "HOME"}]);
        }
    }
    if fields.as_object().unwrap().is_empty() {
        expected.title = format!("Again {at}");
        fields[if universal { name } else { code }] = json!(expected.title);
    }
    if universal {
        let args = json!({"entityTypeId": kind, "id": id, "fields": fields});
        assert_eq!(write(t, dice, "crm.item.update", &args)["item"]["id"], id);
    } else {
        let args = json!({"id": id, "fields": fields});
        assert_eq!(write(t, dice, &format!("crm.{}.update", word(kind)), &args), true);
    }
}

fn delete(t: &Twin, dice: &mut Dice, model: &mut Model, (kind, id): (i64, i64)) {
    if dice.below(2) == 0 {
        assert_eq!(write(t, dice, "crm.item.delete", &json!({"entityTypeId": kind, "id": id})), json!([]));
    } else {
        assert_eq!(write(t, dice, &format!("crm.{}.delete", word(kind)), &json!({"id": id})), true);
    }
    model.records.remove(&(kind, id));
    if kind != 4 {
        model.comments.retain(|_, owner| *owner != (kind, id));
    }
    let linking = |k: i64| match kind {
        3 => k == 1 || k == 2,
        4 => k == 3,
        _ => false,
    };
    for ((k, _), other) in &mut model.records {
        if linking(*k) {
            other.links.remove(&id);
            if other.primary == Some(id) {
                // Who is primary then is not the model's to say: the first that is left.
                other.primary = None;
            }
        }
    }
}

fn link(t: &Twin, dice: &mut Dice, model: &mut Model, (kind, id): (i64, i64)) {
    let (method, key, of) = match kind {
        1 => ("crm.lead.contact", "CONTACT_ID", 3),
        2 => ("crm.deal.contact", "CONTACT_ID", 3),
        3 => ("crm.contact.company", "COMPANY_ID", 4),
        _ => return,
    };
    let there: Vec<i64> = model.records.keys().filter(|(k, _)| *k == of).map(|(_, id)| *id).collect();
    let Some(other) = dice.pick(there.clone()) else { return };
    let expected = model.records.get_mut(&(kind, id)).unwrap();
    match dice.below(4) {
        0 => {
            let second = dice.pick(there).unwrap();
            let items = json!([{ key: other }, { key: second, "IS_PRIMARY": "Y" }]);
            write(t, dice, &format!("{method}.items.set"), &json!({"id": id, "items": items}));
            expected.links = BTreeSet::from([other, second]);
            expected.primary = Some(if other == second { other } else { second });
        }
        1 => {
            let fields = json!({ key: other });
            let made = write(t, dice, &format!("{method}.add"), &json!({"id": id, "fields": fields}));
            assert_eq!(made, !expected.links.contains(&other));
            if expected.links.is_empty() {
                expected.primary = Some(other);
            }
            expected.links.insert(other);
        }
        2 => {
            let fields = json!({ key: other });
            let gone = write(t, dice, &format!("{method}.delete"), &json!({"id": id, "fields": fields}));
            assert_eq!(gone, expected.links.remove(&other));
            if expected.primary == Some(other) {
                expected.primary = None;
            }
        }
        _ => {
            write(t, dice, &format!("{method}.items.delete"), &json!({"id": id}));
            expected.links.clear();
            expected.primary = None;
        }
    }
}

fn rows(t: &Twin, dice: &mut Dice, model: &mut Model, (kind, id): (i64, i64), at: usize) {
    if kind > 2 {
        return;
    }
    let count = dice.below(3);
    let expected = model.records.get_mut(&(kind, id)).unwrap();
    expected.rows =
        (0..count).map(|n| (format!("Row {at}/{n}"), format!("{}", dice.below(900) + 1))).collect();
    let sum: i64 = expected.rows.iter().map(|(_, price)| price.parse::<i64>().unwrap() * 2).sum();
    expected.amount = format!("{sum}.00");
    let universal = dice.below(2) == 0;
    let row = |(name, price): &(String, String)| match universal {
        true => json!({"productName": name, "price": price, "quantity": 2}),
        false => json!({"PRODUCT_NAME": name, "PRICE": price, "QUANTITY": 2}),
    };
    let rows: Vec<Value> = expected.rows.iter().map(row).collect();
    if universal {
        let owner = if kind == 1 { "L" } else { "D" };
        let args = json!({"ownerType": owner, "ownerId": id, "productRows": rows});
        write(t, dice, "crm.item.productrow.set", &args);
    } else {
        write(t, dice, &format!("crm.{}.productrows.set", word(kind)), &json!({"id": id, "rows": rows}));
    }
}

fn comment(t: &Twin, dice: &mut Dice, model: &mut Model, owner: (i64, i64), at: usize) {
    let of_owner = model.comments.iter().filter(|(_, o)| **o == owner).map(|(id, _)| *id);
    let held = dice.pick(of_owner);
    let expected = model.records.get_mut(&owner).unwrap();
    match (held, dice.below(3)) {
        (Some(id), 0) => {
            write(t, dice, "crm.timeline.comment.delete", &json!({"id": id}));
            model.comments.remove(&id);
            expected.comments.retain(|c| !c.starts_with(&format!("{id}:")));
        }
        (Some(id), 1) => {
            let text = format!("edited {at}");
            let args = json!({"id": id, "fields": {"COMMENT": text}});
            assert_eq!(write(t, dice, "crm.timeline.comment.update", &args), id);
            expected.comments.retain(|c| !c.starts_with(&format!("{id}:")));
            expected.comments.push(format!("{id}:{text}"));
        }
        _ => {
            let text = format!("said {at}");
            let fields = json!({"ENTITY_ID": owner.1, "ENTITY_TYPE": word(owner.0), "COMMENT": text});
            let id = write(t, dice, "crm.timeline.comment.add", &json!({"fields": fields})).as_i64().unwrap();
            model.comments.insert(id, owner);
            expected.comments.push(format!("{id}:{text}"));
        }
    }
    expected.comments.sort();
}

/// A write that is refused changes nothing.
fn refused(t: &Twin, dice: &mut Dice, kind: i64) {
    let before = t.dump();
    let (method, args) = match dice.below(5) {
        0 => (
            "crm.item.update".to_owned(),
            json!({"entityTypeId": kind, "id": 999_999, "fields": {"title": "x"}}),
        ),
        1 => ("crm.item.add".to_owned(), json!({"entityTypeId": kind, "fields": {"assignedById": "nobody"}})),
        2 => (format!("crm.{}.update", word(kind)), json!({"id": 999_999, "fields": {"COMMENTS": "x"}})),
        3 => (format!("crm.{}.delete", word(kind)), json!({"id": 0})),
        _ => (format!("crm.{}.add", word(kind)), json!({"fields": "text"})),
    };
    let answer = send(t, dice, &method, &args);
    assert!(answer.get("error").is_some(), "{method} {args}: {answer}");
    assert_eq!(t.dump(), before, "{method} {args}");
}

/// Makes the custom field of a kind, or takes it away with all that stands in it.
fn custom(t: &Twin, dice: &mut Dice, model: &mut Model, kind: i64, at: usize) {
    let method = format!("crm.{}.userfield", word(kind));
    if let Some(code) = model.custom.remove(&kind) {
        let listed =
            call(t, &format!("{method}.list"), json!({"filter": {"FIELD_NAME": code}}))["result"].clone();
        write(t, dice, &format!("{method}.delete"), &json!({"id": listed[0]["ID"]}));
        for ((k, _), record) in &mut model.records {
            if *k == kind {
                record.custom.clear();
            }
        }
    } else {
        let fields = json!({"USER_TYPE_ID": "string", "FIELD_NAME": format!("own_{at}"), "LABEL": "Own"});
        write(t, dice, &format!("{method}.add"), &json!({"fields": fields}));
        model.custom.insert(kind, format!("UF_CRM_OWN_{at}"));
    }
}

/// Reads everything back, as a client would.
fn read(t: &Twin, model: &Model) -> BTreeMap<(i64, i64), Expected> {
    let mut out = BTreeMap::new();
    for (_, kind) in KINDS {
        let (code, _) = title_code(kind);
        let mut last = 0;
        loop {
            let args = json!({
                "filter": {">ID": last}, "order": {"ID": "ASC"}, "start": -1,
                "select": ["ID", code, "OPPORTUNITY", "PHONE", "CONTACT_ID", "COMPANY_ID", "UF_*"],
            });
            let page = call(t, &format!("crm.{}.list", word(kind)), args)["result"].clone();
            let page = page.as_array().unwrap().clone();
            for row in &page {
                last = row["ID"].as_str().unwrap().parse().unwrap();
                out.insert((kind, last), one(t, model, kind, last, row));
            }
            if page.len() < 50 {
                break;
            }
        }
    }
    out
}

fn one(t: &Twin, model: &Model, kind: i64, id: i64, row: &Value) -> Expected {
    let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let rows =
        |method: &str, args: Value| call(t, method, args)["result"].as_array().cloned().unwrap_or_default();
    let (method, key) = match kind {
        1 => ("crm.lead.contact.items.get", "CONTACT_ID"),
        2 => ("crm.deal.contact.items.get", "CONTACT_ID"),
        _ => ("crm.contact.company.items.get", "COMPANY_ID"),
    };
    let links = if kind == 4 { Vec::new() } else { rows(method, json!({"id": id})) };
    let primary = links.iter().find(|l| l["IS_PRIMARY"] == "Y").map(|l| l[key].as_i64().unwrap());
    let product_rows = match kind {
        1 | 2 => rows(&format!("crm.{}.productrows.get", word(kind)), json!({"id": id})),
        _ => Vec::new(),
    };
    let filter = json!({"ENTITY_ID": id, "ENTITY_TYPE": word(kind)});
    let mut comments: Vec<String> = rows("crm.timeline.comment.list", json!({"filter": filter}))
        .iter()
        .map(|c| format!("{}:{}", c["ID"].as_str().unwrap(), c["COMMENT"].as_str().unwrap()))
        .collect();
    comments.sort();
    Expected {
        title: text(title_code(kind).0),
        amount: if kind <= 2 && !text("OPPORTUNITY").is_empty() {
            text("OPPORTUNITY")
        } else {
            "0.00".into()
        },
        phones: row["PHONE"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|p| p["VALUE"].as_str().unwrap().to_owned())
            .collect(),
        primary,
        links: links.iter().map(|l| l[key].as_i64().unwrap()).collect(),
        custom: model.custom.get(&kind).map(|code| text(code)).unwrap_or_default(),
        rows: product_rows
            .iter()
            .map(|r| (r["PRODUCT_NAME"].as_str().unwrap().to_owned(), r["PRICE"].to_string()))
            .collect(),
        comments,
    }
}

/// An empty portal that has everything but records.
fn empty() -> Twin {
    let mut portal = Portal::acme(0.01, 3);
    for table in portal.records.values_mut() {
        table.clear();
    }
    for table in [&mut portal.contact_companies, &mut portal.deal_contacts, &mut portal.quote_contacts] {
        table.clear();
    }
    portal.rows.clear();
    portal.bindings.clear();
    Twin::new(portal, calm())
}

#[test]
fn a_portal_written_at_random_holds_what_a_plain_model_says() {
    let number = |name: &str| std::env::var(name).ok().and_then(|v| v.parse::<u64>().ok());
    let seeds: Vec<u64> = match number("B2N_SEED") {
        Some(seed) => vec![seed],
        None => (1..=number("B2N_SEEDS").unwrap_or(6)).collect(),
    };
    for seed in seeds {
        println!("seed {seed}");
        let (t, mut dice, mut model) = (empty(), Dice(seed), Model::default());
        for at in 0..150 {
            step(&t, &mut dice, &mut model, at);
        }
        let mut read = read(&t, &model);
        assert_eq!(read.keys().collect::<Vec<_>>(), model.records.keys().collect::<Vec<_>>(), "seed {seed}");
        for (key, expected) in &model.records {
            let got = read.get_mut(key).unwrap();
            if expected.primary.is_none() {
                // Whichever link is left may be the primary one, but one of them is.
                assert!(got.primary.is_some() || got.links.len() <= 1, "seed {seed} {key:?}");
                got.primary = None;
            }
            assert_eq!(got, expected, "seed {seed} {key:?}");
        }
        assert!(model.records.len() > 20, "seed {seed} wrote {} records", model.records.len());
    }
}
