//! What goes wrong on the way: dialects, lost answers, pages that lie, limits.

use super::*;

#[test]
fn lists_are_whole_and_in_order() {
    for throttle in [
        settings::Throttle::Off,
        settings::Throttle::TooMany { per_minute: 1, retry_after_seconds: Some(2) },
        settings::Throttle::TooMany { per_minute: 0, retry_after_seconds: None },
        settings::Throttle::Unavailable { per_minute: 1 },
    ] {
        let mut settings = TwinSettings::default();
        settings.dialect.find_throttle = throttle;
        let world = World::new(Company::acme(), settings);
        let live = world.ready(&[]);
        let accounts = world.encoder(&live, "Account", &["name"]);
        for number in 0..200 {
            world.make(&*accounts, "Account", &format!("m/a/{number}"), &[Value::text(format!("A{number}"))]);
        }
        let mut cursor: Option<String> = None;
        let mut ids: Vec<u64> = Vec::new();
        let mut pages = 0;
        loop {
            let page = world.run(world.target.list("Account", MARKER, cursor.as_deref())).expect("a page");
            assert!(page.records.iter().all(|stored| stored.marker.is_some()));
            ids.extend(page.records.iter().map(|stored| stored.id.parse::<u64>().expect("a number")));
            pages += 1;
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!((ids.len(), pages), (200, 3), "{throttle:?}");
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
    }
}

#[test]
fn a_page_that_lies_is_noticed() {
    let world = World::acme();
    let live = world.ready(&[]);
    let accounts = world.encoder(&live, "Account", &["name"]);
    for number in 0..150 {
        world.make(&*accounts, "Account", &format!("m/a/{number}"), &[Value::text("A")]);
    }
    // One row of the first page is missing, whatever is asked.
    world.mangle(|_, request, answer| {
        let asked: Json = serde_json::from_slice(&request.body).unwrap_or_default();
        let mut answer = answer?;
        if asked["method"] == "findAccounts" && asked["params"]["page"] == 1 {
            let mut body: Json = serde_json::from_slice(&answer.body).expect("JSON");
            body["result"].as_array_mut().expect("a list").remove(50);
            answer.body = body.to_string().into_bytes();
        }
        Ok(answer)
    });
    let page = world.run(world.target.list("Account", MARKER, None));
    assert!(matches!(page, Err(Error::Inconsistent { .. })), "{page:?}");
    let repeated = world.run(world.target.list("Account", MARKER, Some("2:999999")));
    assert!(matches!(repeated, Err(Error::Inconsistent { .. })), "{repeated:?}");
}

#[test]
fn writes_are_sent_once_and_reads_again() {
    let world = World::acme();
    let live = world.ready(&[]);
    let accounts = world.encoder(&live, "Account", &["name"]);
    let writes = accounts.encode("m/a/1", &[Value::text("A")]).expect("encoded");
    // Carried out, and the answer lost.
    world.mangle(|_, _, _| Err(TransportError::Lost("no answer in time".to_owned())));
    let before = world.wire.count.get();
    let lost = world.run(world.target.create("Account", &writes.create));
    assert_eq!(lost, Err(SendError::Unknown("no answer in time".to_owned())));
    assert_eq!(world.wire.count.get() - before, 1, "nobody sends a write again");
    let before = world.wire.count.get();
    let unread = world.run(world.target.read("Account", "3"));
    assert!(matches!(unread, Err(Error::Unreachable { .. })), "{unread:?}");
    assert_eq!(world.wire.count.get() - before, u64::from(Settings::default().tries));
    // Every second answer is cut: reads survive it.
    world.mangle(|number, _, answer| {
        let mut answer = answer?;
        if number % 2 == 0 {
            answer.body.truncate(answer.body.len() / 2);
        }
        Ok(answer)
    });
    let found =
        world.run(world.target.find_sent("Account", MARKER, "m/a/1", &Payload::default())).expect("found");
    assert_eq!(found.len(), 1, "it had been carried out");
    // Busy, with a time to wait: obeyed.
    let seen = Rc::new(Cell::new(0));
    let counter = Rc::clone(&seen);
    world.mangle(move |_, _, answer| {
        counter.set(counter.get() + 1);
        if counter.get() > 1 {
            return answer;
        }
        let headers = vec![("retry-after".to_owned(), "90".to_owned())];
        Ok(HttpResponse { status: 429, headers, body: b"slow down".to_vec() })
    });
    let start = world.clock.now_ms();
    assert!(world.run(world.target.read("Account", &found[0].id)).expect("read").is_some());
    assert!(world.clock.now_ms() - start >= 90_000);
    assert_eq!(seen.get(), 2);
}

#[test]
fn the_documented_form_and_a_shaky_server_are_understood() {
    let mut documented = TwinSettings::default();
    documented.dialect.envelope = settings::Envelope::Documented;
    documented.dialect.rpc_status = settings::RpcStatus::Always200;
    documented.dialect.rest_bare_lists = true;
    documented.dialect.primary_everywhere = false;
    documented.dialect.many_choices = settings::ManyChoices::Array;
    documented.dialect.unsent_custom_fields_survive = false;
    documented.id_step = 1;
    let mut shaky = TwinSettings::default();
    shaky.dialect.error_500_per_mille = 200;
    shaky.dialect.error_500 = settings::Error500::BareString;
    for settings in [documented, shaky.clone()] {
        let shaky = settings == shaky;
        let world = World::new(Company::acme(), settings);
        let live = world.ready(&[custom("Lead", "Segments", "enum", &["A", "B"], true)]);
        let leads = world.encoder(&live, "Lead", &["description", "stage", "Segments"]);
        let segments = Value::List(vec![Value::text("A"), Value::text("B")]);
        let values = [Value::text("Pumps"), stage("Sales", Some("Contract"), None), segments];
        let writes = leads.encode("m/d/1", &values).expect("encoded");
        let mut made = None;
        for _ in 0..20 {
            match world.run(world.target.create("Lead", &writes.create)) {
                Ok(stored) => {
                    made = Some(stored);
                    break;
                }
                Err(error) => assert!(shaky && matches!(error, SendError::Unknown(_)), "{error:?}"),
            }
        }
        let made = made.expect("made at last");
        let found =
            world.run(world.target.find_sent("Lead", MARKER, "m/d/1", &Payload::default())).expect("found");
        assert_eq!(found, std::slice::from_ref(&made));
        if !shaky {
            // What is not sent again would be lost here.
            let payload = leads
                .adopt("m/d/2", &[Value::Absent, Value::Absent, Value::Absent], &made, false)
                .expect("encoded");
            let after =
                world.run(world.target.edit("Lead", &made.id, &made.rev, &payload[0])).expect("edited");
            assert_eq!(after.marker.as_deref(), Some("m/d/2"));
            assert_eq!(after.body["customFields"]["Segments"], json!(["A", "B"]));
            assert_eq!(
                world.run(world.target.edit("Lead", &made.id, &made.rev, &payload[0])),
                Err(SendError::Stale)
            );
        }
    }
}

#[test]
fn wrong_keys_are_told_and_no_secret_is() {
    let world = World::acme();
    let wrong = Nutshell::new(
        "https://app.nutshell.com/",
        "admin@acme.example",
        SecretString::from("s3cr3t"),
        world.wire.clone(),
        world.clock.clone(),
        Rc::new(SplitMix::new(1)),
        Settings::default(),
    );
    let denied = world.run(wrong.account()).unwrap_err();
    assert!(matches!(&denied, Error::Denied { why, .. } if why.contains("B2N_NUTSHELL_KEY")), "{denied:?}");
    let denied_write = world.run(wrong.create("Account", &Payload::default())).unwrap_err();
    assert!(matches!(denied_write, SendError::Denied(_)));
    let rest = world.run(wrong.find_sent("Account", MARKER, "x", &Payload::default())).unwrap_err();
    assert!(matches!(rest, Error::Denied { .. }), "{rest:?}");
    assert!(!format!("{denied:?} {denied} {denied_write:?} {rest:?}").contains("s3cr3t"));
}

#[test]
fn requests_keep_their_distance() {
    let world = World::acme();
    let settings = Settings { in_flight: 2, requests_per_s: 4.0, ..Settings::default() };
    let slow = Nutshell::new(
        "https://app.nutshell.com",
        "admin@acme.example",
        SecretString::from("key"),
        world.wire.clone(),
        world.clock.clone(),
        Rc::new(SplitMix::new(1)),
        settings,
    );
    let start = world.clock.now_ms();
    world.run(futures_util::future::join_all((0..21).map(|_| slow.read("Account", "3"))));
    let took = world.clock.now_ms() - start;
    assert!((5_000..=5_400).contains(&took), "21 requests at 4 a second took {took} ms");
}

#[test]
fn without_rest_names_of_fields_are_still_known() {
    let world = World::acme();
    world.ready(&[]);
    world.mangle(|_, request, answer| match request.url.contains("/customfields/attributes") {
        true => Ok(HttpResponse { status: 404, headers: Vec::new(), body: b"<!DOCTYPE html>".to_vec() }),
        false => answer,
    });
    let schema = world.run(world.target.schema("salt")).expect("a schema");
    let marker = schema.object("Lead").and_then(|lead| lead.field(MARKER)).expect("the marker field");
    assert_eq!(marker.ty.base, Base::Opaque("unknown".to_owned()));
}
