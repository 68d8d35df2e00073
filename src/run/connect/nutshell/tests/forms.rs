//! Forms that the sheet leaves open, each taken by a twin that takes no other.

use super::*;
use crate::run::twin::nutshell::Kind as TwinKind;
use crate::run::twin::nutshell::settings::{ChoicesInput, ClosingInput, DateInput};

fn settings(set: impl FnOnce(&mut settings::Dialect)) -> TwinSettings {
    let mut all = TwinSettings::default();
    set(&mut all.dialect);
    all
}

fn day() -> Value {
    Value::Date("2024-03-01".parse().expect("a date"))
}

#[test]
fn each_object_has_its_own_form_of_dates() {
    for (contacts, leads) in
        [(DateInput::Timestamp, DateInput::Text), (DateInput::Text, DateInput::Timestamp)]
    {
        let world = World::new(
            Company::acme(),
            settings(|dialect| (dialect.custom_date, dialect.custom_date_leads) = (contacts, leads)),
        );
        let fields = ["Contact", "Lead"].map(|object| custom(object, "Since", "date", &[], false));
        let live = world.ready(&fields);
        let people = world.encoder(&live, "Contact", &["name", "Since"]);
        let deals = world.encoder(&live, "Lead", &["description", "stage", "Since"]);
        for at in 0..2 {
            let person = [Value::text("Ann Lee"), day()];
            let made = world.make(&*people, "Contact", &format!("a/contact/{at}"), &person);
            assert!(made.body["customFields"]["Since"].is_object(), "{contacts:?}");
            let deal = [Value::text("Pumps"), stage("Sales", Some("Contract"), None), day()];
            let made = world.make(&*deals, "Lead", &format!("a/deal/{at}"), &deal);
            assert!(made.body["customFields"]["Since"].is_object(), "{leads:?}");
        }
    }
}

#[test]
fn choices_with_commas_go_where_arrays_are_taken() {
    let choices = ["Pumps, big", "Pumps", "Service"];
    let two = || Value::List(vec![Value::text("Pumps, big"), Value::text("Service")]);
    let made = |taken: ChoicesInput| {
        let world = World::new(Company::acme(), settings(|dialect| dialect.custom_choices = taken));
        let live = world.ready(&[custom("Account", "Interests", "enum", &choices, true)]);
        let accounts = world.encoder(&live, "Account", &["name", "Interests"]);
        let writes = accounts.encode("a/company/1", &[Value::text("A"), two()]).expect("encoded");
        world.run(world.target.create("Account", &writes.create))
    };
    for taken in [ChoicesInput::Any, ChoicesInput::Array] {
        let made = made(taken).expect("created");
        assert_eq!(made.body["customFields"]["Interests"], "Pumps, big, Service", "{taken:?}");
    }
    let refused = made(ChoicesInput::Joined).expect_err("no form of it is taken").to_string();
    assert!(refused.contains("`Pumps, big` holds a comma"), "{refused}");
}

#[test]
fn a_lead_is_closed_in_either_form() {
    for closing in [ClosingInput::Any, ClosingInput::Object, ClosingInput::Id] {
        let world = World::new(Company::acme(), settings(|dialect| dialect.closing = closing));
        let live = world.ready(&[]);
        let leads = world.encoder(&live, "Lead", &["description", "stage"]);
        let won = stage("Sales", None, Some((OutcomeKind::Won, "Signed")));
        let before = world.wire.count.get();
        for at in 0..3 {
            let values = [Value::text("Pumps"), won.clone()];
            let made = world.make(&*leads, "Lead", &format!("a/deal/{at}"), &values);
            assert_eq!(made.body["status"], 10, "{closing:?}");
        }
        let tries = u64::from(closing == ClosingInput::Id);
        assert_eq!(world.wire.count.get() - before, 6 + tries, "{closing:?}: what was taken is kept to");
    }
}

#[test]
fn a_closed_lead_is_changed_where_it_must_be_reopened_for_it() {
    let world = World::new(Company::acme(), settings(|dialect| dialect.closed_lead_edits = false));
    let live = world.ready(&[]);
    let leads = world.encoder(&live, "Lead", &["description", "stage", "confidence"]);
    let lost = stage("Sales", None, Some((OutcomeKind::Lost, "Competitor")));
    let lead = world.make(&*leads, "Lead", "a/deal/1", &[Value::text("Pumps"), lost, Value::Int(10)]);
    let change =
        |stored: &Stored| leads.change("a/deal/1", &[(2, Value::Int(40))], None, stored).expect("encoded");
    let send = |stored: &Stored, payload: &Payload| {
        world.run(world.target.edit("Lead", &stored.id, &stored.rev, payload))
    };
    assert_eq!(send(&lead, &change(&lead)[0]), Err(SendError::Stale), "it is to be worked out anew");
    let payloads = change(&lead);
    let open = send(&lead, &payloads[0]).expect("reopened");
    let closed = send(&open, &payloads[1]).expect("closed");
    assert_eq!((&closed.body["status"], &closed.body["confidence"]), (&json!(11), &json!(40)));
    assert_eq!(closed.body["outcome"]["description"], "Competitor");
}

#[test]
fn an_amount_that_rpc_ignores_is_changed_through_rest() {
    let world = World::new(Company::acme(), settings(|dialect| dialect.rpc_lead_value = false));
    let live = world.ready(&[]);
    let leads = world.encoder(&live, "Lead", &["description", "stage", "value"]);
    let at = stage("Sales", Some("Contract"), None);
    let mut lead = world.make(&*leads, "Lead", "a/deal/1", &[Value::text("Pumps"), at, money("5", "USD")]);
    for (value, amount) in [(money("7.50", "USD"), json!(7.5)), (Value::Absent, json!(0))] {
        for payload in leads.change("a/deal/1", &[(2, value)], None, &lead).expect("encoded") {
            lead = world.run(world.target.edit("Lead", &lead.id, &lead.rev, &payload)).expect("edited");
        }
        assert_eq!(lead.body["value"]["amount"], amount);
    }
}

#[test]
fn a_common_name_is_found_behind_many_that_only_resemble() {
    let world = World::acme();
    world.ready(&[]);
    world.twin.with(|company| {
        for at in 0..420 {
            let mut record = company_record(company);
            record.name = if at == 410 { "Globex".to_owned() } else { format!("Globex {at}") };
            company.insert(record, 0);
        }
    });
    let before = world.wire.count.get();
    let found =
        world.run(world.target.find_existing("Account", "name", &Value::text("globex"))).expect("found");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].body["name"], "Globex");
    assert!(world.wire.count.get() - before < 12, "what only resembles is not read");
}

fn company_record(_: &Company) -> crate::run::twin::nutshell::Record {
    crate::run::twin::nutshell::Record::new(TwinKind::Accounts, crate::run::twin::nutshell::Actor::User(1))
}

#[test]
fn tasks_are_listed_where_finds_take_no_more_than_is_documented() {
    let world = World::new(Company::acme(), settings(|dialect| dialect.strict_finds = true));
    let live = world.ready(&[]);
    let tasks = world.encoder(&live, "Task", &["title"]);
    for at in 0..3 {
        world.make(&*tasks, "Task", &format!("a/task/{at}"), &[Value::text("Call")]);
    }
    let page = world.run(world.target.list("Task", MARKER, None)).expect("a page");
    let markers: Vec<_> = page.records.iter().filter_map(|stored| stored.marker.as_deref()).collect();
    assert_eq!(markers, ["a/task/0", "a/task/1", "a/task/2"]);
}

#[test]
fn a_type_with_two_spellings_is_made_in_the_one_that_is_taken() {
    for capitals in [false, true] {
        let world = World::new(Company::acme(), settings(|dialect| dialect.url_in_capitals = capitals));
        let field = Provision::Field(custom("Lead", "Site", "url", &[], false));
        assert_eq!(world.run(world.target.provision(&field)), Ok(Provisioned::Created), "{capitals}");
        assert_eq!(world.run(world.target.provision(&field)), Ok(Provisioned::Existed), "{capitals}");
    }
}

#[test]
fn retry_after_is_obeyed_whatever_status_it_comes_with() {
    let world = World::acme();
    let seen = Rc::new(Cell::new(0));
    let counted = Rc::clone(&seen);
    world.mangle(move |_, _, answer| {
        counted.set(counted.get() + 1);
        if counted.get() == 1 {
            let headers = vec![("retry-after".to_owned(), "90".to_owned())];
            return Ok(HttpResponse { status: 503, headers, body: b"busy".to_vec() });
        }
        answer
    });
    let start = world.clock.now_ms();
    assert!(world.run(world.target.account()).is_ok());
    assert!(world.clock.now_ms() - start >= 90_000, "after {} ms", world.clock.now_ms() - start);
    assert_eq!(seen.get(), 2);
}

#[test]
fn the_right_to_delete_is_that_of_the_own_row() {
    for may in [true, false] {
        let world = World::new(Company::acme(), TwinSettings { may_delete: may, ..TwinSettings::default() });
        // A list of users that is one of several pages.
        world.mangle(|_, request, answer| {
            if request.url.ends_with("/rest/users") {
                return Ok(HttpResponse {
                    status: 200,
                    headers: Vec::new(),
                    body: br#"{"users":[]}"#.to_vec(),
                });
            }
            answer
        });
        assert_eq!(world.run(world.target.may_delete()), Ok(Some(may)));
    }
}

#[test]
fn a_lead_goes_to_the_market_that_the_spec_names_of_two_with_one_currency() {
    let mut company = Company::acme();
    let (mut another, id) = (company.markets[0].clone(), company.markets.len() as i64 + 1);
    (another.id, another.name, another.default) = (id, "Canada".to_owned(), false);
    company.markets.push(another);
    let world = World::new(company, TwinSettings::default());
    let live = world.ready(&[]);
    let leads = world.encoder(&live, "Lead", &["description", "stage", "market", "value"]);
    for market in ["United States", "Canada"] {
        let at = stage("Sales", Some("Contract"), None);
        let values = [Value::text("Pumps"), at, Value::text(market), money("5", "USD")];
        let made = world.make(&*leads, "Lead", &format!("a/deal/{market}"), &values);
        assert_eq!(
            (&made.body["market"]["name"], &made.body["value"]["currency"]),
            (&json!(market), &json!("USD"))
        );
    }
}
