//! Products, activities, notes and tasks against the twin: made, found, listed, deleted.

use super::*;
use crate::run::twin::nutshell::settings::{ApiKey, Throttle};

fn instant(text: &str) -> Value {
    Value::Instant(Instant::parse(text).expect("an instant"))
}

/// A lead, an account and a contact to write about.
struct Scene {
    world: World,
    live: Schema,
    lead: String,
    account: String,
    contact: String,
}

impl Scene {
    fn new() -> Scene {
        Scene::with(TwinSettings::default())
    }

    fn with(settings: TwinSettings) -> Scene {
        let world = World::new(Company::acme(), settings);
        let live = world.ready(&[]);
        let make = |object: &str, targets: &[&str], values: &[Value]| {
            let encoder = world.encoder(&live, object, targets);
            world.make(&*encoder, object, &format!("acme/{object}/1"), values).id
        };
        let account = make("Account", &["name"], &[Value::text("Globex")]);
        let contact = make("Contact", &["name"], &[Value::text("Hank Scorpio")]);
        let at = stage("Sales", Some("Qualify"), None);
        let lead = make("Lead", &["description", "stage"], &[Value::text("Lair"), at]);
        Scene { world, live, lead, account, contact }
    }

    /// Targets and values of one record of each object.
    fn kinds(&self) -> Vec<(&'static str, Vec<&'static str>, Vec<Value>)> {
        let start = instant("2024-03-30T18:00:00+00:00");
        vec![
            (
                "Product",
                vec!["name", "sku", "prices"],
                vec![Value::text("Pump"), Value::text("P-1"), money("10.50", "USD")],
            ),
            (
                "Activity",
                vec!["name", "type", "startTime", "status", "leads", "participants", "author"],
                vec![
                    Value::text("Call"),
                    Value::text("Phone Call"),
                    start.clone(),
                    Value::Int(1),
                    Value::text(&self.lead),
                    Value::List(vec![
                        Value::text(format!("Contact/{}", self.contact)),
                        Value::text(format!("Account/{}", self.account)),
                        Value::text("2"),
                    ]),
                    Value::text("4"),
                ],
            ),
            (
                "Note",
                vec!["parent", "body", "author"],
                vec![
                    Value::text(format!("Contact/{}", self.contact)),
                    Value::text("Ask @[Users:1]"),
                    Value::text("4"),
                ],
            ),
            (
                "Task",
                vec!["title", "description", "dueTime", "assignee", "entity"],
                vec![
                    Value::text("Call back"),
                    Value::text("Ask about budget"),
                    start,
                    Value::text("2"),
                    Value::text(format!("Account/{}", self.account)),
                ],
            ),
        ]
    }

    fn ids(&self, found: Result<Vec<Stored>, Error>) -> Vec<String> {
        found.expect("found").into_iter().map(|stored| stored.id).collect()
    }

    /// Every record of an object, as the sweep lists it.
    fn listed(&self, object: &str) -> Vec<Stored> {
        self.world.run(async {
            let (mut all, mut cursor) = (Vec::new(), None);
            loop {
                let page = self.world.target.list(object, MARKER, cursor.as_deref()).await.expect("a page");
                all.extend(page.records);
                cursor = page.next;
                if cursor.is_none() {
                    return all;
                }
            }
        })
    }
}

#[test]
fn each_is_made_found_listed_edited_and_deleted() {
    let scene = Scene::new();
    let world = &scene.world;
    for (object, targets, values) in scene.kinds() {
        let encoder = world.encoder(&scene.live, object, &targets);
        let (one, two) = (format!("acme/{object}/1"), format!("acme/{object}/11"));
        let first = world.make(&*encoder, object, &one, &values);
        assert_eq!(first.marker.as_deref(), Some(one.as_str()), "{object}");
        let second = world.make(&*encoder, object, &two, &values);
        let payload = encoder.encode(&two, &values).expect("encoded").create;
        let target = &world.target;
        for (marker, ids) in [(&one, vec![first.id.clone()]), (&two, vec![second.id.clone()])] {
            assert_eq!(
                scene.ids(world.run(target.find_sent(object, MARKER, marker, &payload))),
                ids,
                "{object}"
            );
        }
        let absent = world.run(target.find_sent(object, MARKER, "acme/x", &payload));
        assert!(scene.ids(absent).is_empty());
        let listed: Vec<_> =
            scene.listed(object).into_iter().map(|stored| (stored.id, stored.marker)).collect();
        assert_eq!(
            listed,
            [(first.id.clone(), Some(one)), (second.id.clone(), Some(two.clone()))],
            "{object}"
        );

        // Again, with the revision that a list tells, or does not.
        let rev = scene.listed(object)[1].rev.clone();
        assert_eq!(world.run(target.delete(object, &second.id, &rev)), Ok(()), "{object}");
        assert_eq!(world.run(target.read(object, &second.id)), Ok(None));
        assert_eq!(world.run(target.delete(object, &second.id, &rev)), Err(SendError::Gone), "{object}");
        assert_eq!(scene.listed(object).len(), 1);
        assert_eq!(world.run(target.delete(object, &first.id, "99")), Err(SendError::Stale));
        let found = world.run(target.find_sent(object, MARKER, &two, &payload));
        assert!(scene.ids(found).is_empty(), "what is deleted is not found");
    }
}

#[test]
fn what_arrives_is_what_was_meant() {
    let scene = Scene::new();
    let world = &scene.world;
    for (object, targets, values) in scene.kinds() {
        let encoder = world.encoder(&scene.live, object, &targets);
        world.make(&*encoder, object, &format!("acme.bitrix24.com/{object}/17"), &values);
    }
    let dump = world.twin.dump();
    let product = &dump["products"][0];
    assert_eq!((&product["sku"], &product["prices"][0]["price"]["amount"]), (&json!("P-1"), &json!(10.5)));
    let activity = &dump["activities"][0];
    assert_eq!(activity["startTime"], "2024-03-30T18:00:00+0000");
    assert_eq!(activity["loggedBy"]["name"], "Ivan Sidorov", "in the author's name");
    let names: Vec<&str> = activity["participants"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|p| p["name"].as_str())
        .collect();
    assert_eq!(names, ["Hank Scorpio", "Globex", "Svetlana Petrova"]);
    assert_eq!(activity["leads"][0]["id"].to_string(), scene.lead);
    let note = &dump["notes"][0];
    assert_eq!(note["user"]["name"], "Ivan Sidorov");
    assert_eq!(note["note"], "Ask @[Users:1]\n\n[Bitrix24 acme.bitrix24.com/Note/17]", "nobody is mentioned");
    assert_eq!(dump["tasks"][0]["entity"]["id"].to_string(), scene.account);
    // The twin's own books agree.
    for (entity, object) in
        [("Products", "Product"), ("Activities", "Activity"), ("Notes", "Note"), ("Tasks", "Task")]
    {
        let markers: Vec<_> = world.twin.markers(entity, MARKER).into_iter().collect();
        assert_eq!(markers, [(format!("acme.bitrix24.com/{object}/17"), vec![3])]);
    }
}

#[test]
fn search_lag_hides_and_then_shows() {
    let scene = Scene::new();
    let world = &scene.world;
    for (object, targets, values) in scene.kinds() {
        world.twin.configure(|settings| settings.index_lag_ms = 20_000);
        let encoder = world.encoder(&scene.live, object, &targets);
        let payload = encoder.encode("acme/x/1", &values).expect("encoded").create;
        let made = world.run(world.target.create(object, &payload)).expect("created");
        let look = || scene.ids(world.run(world.target.find_sent(object, MARKER, "acme/x/1", &payload)));
        assert!(look().is_empty(), "{object}: not searchable yet");
        let read = world.run(world.target.read(object, &made.id)).expect("read").expect("there");
        assert_eq!(read.marker.as_deref(), Some("acme/x/1"), "{object}: a read sees it at once");
        world.run(world.clock.sleep(20_000));
        assert_eq!(look(), std::slice::from_ref(&made.id), "{object}");
    }
}

/// Where nothing narrows the search: an activity with users alone, a task about nothing.
#[test]
fn records_without_links_are_found_by_day_or_among_all() {
    let scene = Scene::new();
    let world = &scene.world;
    let activities = world.encoder(&scene.live, "Activity", &["name", "type", "startTime", "participants"]);
    let call = |at: &str| {
        [Value::text("Call"), Value::text("Meeting"), instant(at), Value::List(vec![Value::text("2")])]
    };
    for (key, at) in [
        ("1", "2024-03-30T23:30:00+00:00"),
        ("2", "2024-03-30T02:00:00+03:00"),
        ("3", "2025-01-01T00:00:00+00:00"),
    ] {
        let values = call(at);
        let made = world.make(&*activities, "Activity", &format!("acme/activity/{key}"), &values);
        let payload = activities.encode(&format!("acme/activity/{key}"), &values).expect("encoded").create;
        let marker = format!("acme/activity/{key}");
        let before = world.twin.log().total();
        let found = world.run(world.target.find_sent("Activity", MARKER, &marker, &payload));
        assert_eq!(scene.ids(found), [made.id]);
        assert_eq!(world.twin.log().total() - before, 2, "one list, one read");
    }
    let tasks = world.encoder(&scene.live, "Task", &["title"]);
    let values = [Value::text("Think")];
    let made = world.make(&*tasks, "Task", "acme/task/1", &values);
    let payload = tasks.encode("acme/task/1", &values).expect("encoded").create;
    assert_eq!(
        scene.ids(world.run(world.target.find_sent("Task", MARKER, "acme/task/1", &payload))),
        [made.id]
    );
}

#[test]
fn long_timelines_are_searched_to_the_end() {
    let scene = Scene::new();
    let world = &scene.world;
    let notes = world.encoder(&scene.live, "Note", &["parent", "body"]);
    let parent = format!("Lead/{}", scene.lead);
    let values = [Value::text(&parent), Value::text("n")];
    let first = world.make(&*notes, "Note", "acme/comment/0", &values);
    world.run(world.clock.sleep(60_000));
    for key in 1..=230 {
        world.make(&*notes, "Note", &format!("acme/comment/{key}"), &values);
    }
    let payload = notes.encode("acme/comment/0", &values).expect("encoded").create;
    let look = |marker: &str| scene.ids(world.run(world.target.find_sent("Note", MARKER, marker, &payload)));
    assert_eq!(look("acme/comment/0"), [first.id], "the oldest, on the last page");
    assert!(look("acme/comment/999").is_empty());
    assert_eq!(scene.listed("Note").len(), 231, "over several pages");
    let markers: std::collections::BTreeSet<_> =
        scene.listed("Note").into_iter().filter_map(|stored| stored.marker).collect();
    assert_eq!(markers.len(), 231);
}

#[test]
fn a_busy_system_lists_activities_all_the_same() {
    let scene = Scene::new();
    let world = &scene.world;
    let (_, targets, values) = scene.kinds().swap_remove(1);
    let encoder = world.encoder(&scene.live, "Activity", &targets);
    let made = world.make(&*encoder, "Activity", "acme/activity/1", &values);
    world.twin.configure(|settings| {
        settings.dialect.find_throttle = Throttle::TooMany { per_minute: 0, retry_after_seconds: None };
    });
    let listed = scene.listed("Activity");
    assert_eq!((listed.len(), listed[0].marker.as_deref()), (1, Some("acme/activity/1")));
    assert_eq!(listed[0].id, made.id);
}

#[test]
fn notes_are_edited_by_their_author() {
    let scene = Scene::new();
    let world = &scene.world;
    let notes = world.encoder(&scene.live, "Note", &["parent", "body", "author"]);
    let values = [Value::text(format!("Lead/{}", scene.lead)), Value::text("old"), Value::text("4")];
    let note = world.make(&*notes, "Note", "acme/comment/1", &values);
    let payload = notes.patch(1, &Value::text("new"), &note).expect("encoded");
    let edited = world.run(world.target.edit("Note", &note.id, &note.rev, &payload)).expect("edited");
    assert_eq!(edited.body["note"], "new\n\n[Bitrix24 acme/comment/1]");
    assert_eq!(world.run(world.target.edit("Note", &note.id, &note.rev, &payload)), Err(SendError::Stale));
    let other = Payload { fields: serde_json::Map::from_iter([("note".to_owned(), json!("x"))]) };
    let refused = world.run(world.target.edit("Note", &note.id, &edited.rev, &other));
    assert!(matches!(refused, Err(SendError::Denied(_) | SendError::Refused(_))), "{refused:?}");
}

#[test]
fn a_key_that_may_not_impersonate_writes_in_its_own_name() {
    let key =
        ApiKey { name: "Migration".to_owned(), key: "key".to_owned(), impersonation: false, web_only: false };
    let scene = Scene::with(TwinSettings { keys: vec![key], ..TwinSettings::default() });
    let (_, targets, values) = scene.kinds().swap_remove(2);
    let notes = scene.world.encoder(&scene.live, "Note", &targets);
    let note = scene.world.make(&*notes, "Note", "acme/comment/1", &values);
    assert!(note.body["user"].is_null() && !note.body["originId"].is_null());
}

#[test]
fn an_author_who_was_disabled_fails_his_records_only() {
    let scene = Scene::new();
    let world = &scene.world;
    let (_, targets, values) = scene.kinds().swap_remove(2);
    let notes = world.encoder(&scene.live, "Note", &targets);
    let payload = notes.encode("acme/comment/1", &values).expect("encoded").create;
    world.twin.with(|company| {
        company.users.iter_mut().filter(|user| user.id == 4).for_each(|user| user.enabled = false)
    });
    let refused = world.run(world.target.create("Note", &payload));
    assert!(matches!(&refused, Err(SendError::Refused(why)) if why.contains("author")), "{refused:?}");
    assert!(!format!("{refused:?}").contains("ivan@"), "no address in what is kept");
    world.twin.configure(|settings| settings.keys.clear());
    let denied = world.run(world.target.create("Note", &payload));
    assert!(matches!(denied, Err(SendError::Denied(_))), "{denied:?}");
}

#[test]
fn leads_carry_their_products() {
    let scene = Scene::new();
    let world = &scene.world;
    let (_, targets, values) = scene.kinds().swap_remove(0);
    let products = world.encoder(&scene.live, "Product", &targets);
    let product = world.make(&*products, "Product", "acme/product/1", &values).id;
    let line = |quantity: &str, price: &str| {
        let quantity = Value::Decimal(quantity.parse().expect("a number"));
        let attrs = vec![Value::text(&product), quantity, money(price, "USD")];
        Value::Item(Box::new(Item { value: Value::Absent, attrs }))
    };
    let leads = world.encoder(&scene.live, "Lead", &["description", "stage", "products"]);
    let lines = Value::List(vec![line("2.5", "10.20"), line("1", "99999999.99")]);
    let at = stage("Sales", None, Some((OutcomeKind::Won, "Signed")));
    let lead = world.make(&*leads, "Lead", "acme/deal/9", &[Value::text("Pumps"), at, lines.clone()]);
    assert_eq!(lead.body["products"][0]["quantity"], json!(2.5));
    assert_eq!(lead.body["value"]["amount"], json!(100_000_025.49));
    assert!(leads.patch(2, &lines, &lead).expect("encoded").is_empty(), "what is there is not sent again");
    let links = world.twin.links();
    let sold = links.iter().filter(|(_, _, relation, _)| relation == "products").count();
    assert_eq!(sold, 1, "one lead, one product");
}

#[test]
fn existing_products_are_found_by_name_and_sku() {
    let scene = Scene::new();
    let world = &scene.world;
    let (_, targets, values) = scene.kinds().swap_remove(0);
    let products = world.encoder(&scene.live, "Product", &targets);
    world.make(&*products, "Product", "acme/product/1", &values);
    for (field, value, count) in [("name", "pump", 1), ("name", "Pum", 0), ("sku", "p-1", 1), ("sku", "P", 0)]
    {
        let found = world.run(world.target.find_existing("Product", field, &Value::text(value)));
        assert_eq!(found.expect("found").len(), count, "{field} {value}");
    }
}

/// Where RPC keeps no description of a product, the marker is missed at once, not doubled later.
#[test]
fn a_product_without_its_marker_is_taken_back_and_ends_the_run() {
    let scene = Scene::new();
    scene.world.twin.configure(|settings| settings.dialect.product_description = false);
    let (_, targets, values) = scene.kinds().swap_remove(0);
    let products = scene.world.encoder(&scene.live, "Product", &targets);
    let before = scene.world.twin.live_count("Products");
    let payload = products.encode("acme/product/1", &values).expect("encoded").create;
    match scene.world.run(scene.world.target.create("Product", &payload)) {
        Err(SendError::Denied(why)) => assert!(why.contains("make the catalogue by hand"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(scene.world.twin.live_count("Products"), before);
    // A right to delete that is missing leaves it there, and whoever made it sees that it bears no marker.
    scene.world.twin.configure(|settings| settings.may_delete = false);
    let made = scene.world.run(scene.world.target.create("Product", &payload)).expect("made");
    assert_eq!(made.marker, None);
}

/// The answer to a create is lost after it took effect: unknown, and found where it must be.
#[test]
fn lost_answers_are_found_again() {
    let scene = Scene::new();
    let world = &scene.world;
    for (object, targets, values) in scene.kinds() {
        let encoder = world.encoder(&scene.live, object, &targets);
        let payload = encoder.encode("acme/x/1", &values).expect("encoded").create;
        world.mangle(move |_, request, answer| {
            let body = String::from_utf8_lossy(&request.body);
            let create = body.contains(&format!("\"new{object}\""));
            if create { Err(TransportError::Lost("reset".to_owned())) } else { answer }
        });
        let lost = world.run(world.target.create(object, &payload));
        assert!(matches!(lost, Err(SendError::Unknown(_))), "{object}: {lost:?}");
        let found = world.run(world.target.find_sent(object, MARKER, "acme/x/1", &payload)).expect("found");
        assert_eq!(found.len(), 1, "{object}");
        assert_eq!(world.run(world.target.delete(object, &found[0].id, &found[0].rev)), Ok(()));
    }
}
