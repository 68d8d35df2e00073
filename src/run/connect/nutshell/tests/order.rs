//! The order of phones, e-mail and web addresses: the first one sent is the primary one.

use super::*;

/// Labels of a field in the order in which the account keeps them.
fn labels<'s>(stored: &'s Stored, key: &str) -> Vec<&'s str> {
    let map = stored.body[key].as_object().expect("a map");
    map.keys().map(String::as_str).filter(|label| *label != "--primary").collect()
}

fn primary<'s>(stored: &'s Stored, key: &str) -> &'s Json {
    &stored.body[key]["--primary"]
}

#[test]
fn the_first_value_of_the_source_is_the_primary_one() {
    let world = World::acme();
    let live = world.ready(&[]);
    let contacts = world.encoder(&live, "Contact", &["name", "phone", "email", "url", "address"]);
    let address = |city: &str| {
        Value::Address(Box::new(Postal { line1: "Main 1".into(), city: city.into(), ..Postal::default() }))
    };
    let mut values = [
        Value::text("Ada Byron"),
        Value::List(vec![
            item(Value::text("+16502530000"), "work"),
            Value::text("+4930901820"),
            item(Value::text("+74951234567"), "assistant"),
        ]),
        Value::List(vec![
            Value::text("z@x.example"),
            item(Value::text("y@x.example"), "work"),
            item(Value::text("a@x.example"), "home"),
        ]),
        Value::List(vec![Value::text("https://z.example"), Value::text("https://a.example")]),
        Value::List(vec![item(address("Omsk"), "work"), item(address("Bern"), "home")]),
    ];
    let made = world.make(&*contacts, "Contact", "acme/contact/1", &values);
    assert_eq!(primary(&made, "phone")["E164"], "+16502530000");
    assert_eq!(labels(&made, "phone"), ["work", "0", "assistant"]);
    assert_eq!(primary(&made, "email"), "z@x.example");
    assert_eq!(labels(&made, "email"), ["0", "work", "home"]);
    assert_eq!(primary(&made, "url"), "https://z.example");
    assert_eq!(primary(&made, "address")["city"], "Omsk");
    assert_eq!(labels(&made, "address"), ["work", "home"]);

    // The same values in another order: another one is primary.
    let Value::List(phones) = &mut values[1] else { panic!("a list") };
    phones.rotate_left(2);
    let made = world.make(&*contacts, "Contact", "acme/contact/2", &values);
    assert_eq!(primary(&made, "phone")["E164"], "+74951234567");
    assert_eq!(labels(&made, "phone"), ["assistant", "work", "0"]);
}

#[test]
fn what_was_there_stays_in_front() {
    let world = World::acme();
    let live = world.ready(&[]);
    let contacts = world.encoder(&live, "Contact", &["name", "phone"]);
    // A person picked the second number.
    let fields = json!({"name": "Ada Byron", "phone": {
        "home": "+16502530001", "work": "+16502530000", "--primary": "+16502530000",
    }});
    let Json::Object(fields) = fields else { panic!("an object") };
    let before =
        world.run(async { world.target.create("Contact", &Payload { fields }).await.expect("created") });
    let values = [
        Value::text("Ada Byron"),
        Value::List(vec![
            item(Value::text("+74951234567"), "fax"),
            item(Value::text("+16502530001"), "any"),
            item(Value::text("+4930901820"), "assistant"),
        ]),
    ];
    let adopted = contacts.adopt("acme/contact/1", &values, &before, true).expect("encoded");
    let after =
        world.run(world.target.edit("Contact", &before.id, &before.rev, &adopted[0])).expect("edited");
    assert_eq!(primary(&after, "phone")["E164"], "+16502530000");
    assert_eq!(labels(&after, "phone"), ["work", "home", "fax", "assistant"]);

    let patch = contacts.patch(1, &item(Value::text("+4930901821"), "a"), &after).expect("encoded");
    let after = world.run(world.target.edit("Contact", &after.id, &after.rev, &patch)).expect("edited");
    assert_eq!(primary(&after, "phone")["E164"], "+16502530000");
    assert_eq!(labels(&after, "phone"), ["work", "home", "fax", "assistant", "a"]);
}
