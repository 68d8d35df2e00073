//! The client against the twin, in process and on a virtual clock.

mod agenda;
mod faults;
mod forms;
mod order;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use serde_json::{Value as Json, json};

use super::*;
use crate::lang::plan::CustomField;
use crate::lang::types::{Base, Type};
use crate::lang::value::{
    Address as Postal, Currency, Instant, Item, Money, OutcomeKind, PersonName, StageValue,
};
use crate::run::connect::outside::{HttpRequest, HttpResponse, TransportError};
use crate::run::rehearsal::{SplitMix, VirtualClock, Wire};
use crate::run::twin::nutshell::{Company, Settings as TwinSettings, Twin, settings};

const MARKER: &str = "Bitrix24 key";

/// What happens to an answer on its way.
type Mangle =
    dyn Fn(u64, &HttpRequest, Result<HttpResponse, TransportError>) -> Result<HttpResponse, TransportError>;

/// A wire that spoils answers, counting requests.
struct Spoiled {
    inner: Wire,
    count: Cell<u64>,
    mangle: RefCell<Option<Box<Mangle>>>,
}

impl Transport for Spoiled {
    fn send<'a>(&'a self, request: &'a HttpRequest) -> Local<'a, Result<HttpResponse, TransportError>> {
        Box::pin(async move {
            let number = self.count.get() + 1;
            self.count.set(number);
            let answer = self.inner.send(request).await;
            match &*self.mangle.borrow() {
                Some(mangle) => mangle(number, request, answer),
                None => answer,
            }
        })
    }
}

/// A client, its twin, and what is between them.
struct World {
    clock: Rc<VirtualClock>,
    twin: Rc<Twin>,
    wire: Rc<Spoiled>,
    target: Nutshell,
}

impl World {
    fn new(company: Company, settings: TwinSettings) -> World {
        let twin = Rc::new(Twin::new(company, settings));
        let clock = Rc::new(VirtualClock::at(1_795_262_400_000));
        let serve = {
            let twin = Rc::clone(&twin);
            Rc::new(move |request: &crate::run::twin::Request, now: i64| twin.handle(request, now))
        };
        let shared: Rc<dyn Clock> = clock.clone();
        let wire = Rc::new(Spoiled {
            inner: Wire::new(serve, Rc::clone(&shared)),
            count: Cell::new(0),
            mangle: RefCell::new(None),
        });
        let target = Nutshell::new(
            "https://app.nutshell.com",
            "admin@acme.example",
            SecretString::from("key"),
            wire.clone(),
            shared,
            Rc::new(SplitMix::new(1)),
            Settings::default(),
        );
        World { clock, twin, wire, target }
    }

    fn acme() -> World {
        World::new(Company::acme(), TwinSettings::default())
    }

    fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.clock.run(work).expect("the client waits for nothing that never comes")
    }

    fn mangle(
        &self,
        mangle: impl Fn(
            u64,
            &HttpRequest,
            Result<HttpResponse, TransportError>,
        ) -> Result<HttpResponse, TransportError>
        + 'static,
    ) {
        *self.wire.mangle.borrow_mut() = Some(Box::new(mangle));
    }

    /// Makes the marker field on every object, and `fields` besides; the schema afterwards.
    fn ready(&self, fields: &[CustomField]) -> Schema {
        self.run(async {
            for object in ["Account", "Contact", "Lead"] {
                let marker = custom(object, MARKER, "text", &[], false);
                let made = self.target.provision(&Provision::Field(marker)).await;
                assert_eq!(made, Ok(Provisioned::Created));
            }
            for field in fields {
                let made = self.target.provision(&Provision::Field(field.clone())).await;
                assert_eq!(made, Ok(Provisioned::Created));
            }
            self.target.schema("salt").await.expect("a schema")
        })
    }

    fn encoder(&self, live: &Schema, object: &str, targets: &[&str]) -> Box<dyn Encode> {
        let map = map(live, object, targets);
        self.target.encoder(live, &map, MARKER).map_err(|e| e.to_string()).expect("an encoder")
    }

    /// Creates a record and sends what follows.
    fn make(&self, encoder: &dyn Encode, object: &str, marker: &str, values: &[Value]) -> Stored {
        let writes = encoder.encode(marker, values).expect("encoded");
        self.run(async {
            let mut stored = self.target.create(object, &writes.create).await.expect("created");
            for payload in &writes.then {
                stored = self.target.edit(object, &stored.id, &stored.rev, payload).await.expect("edited");
            }
            stored
        })
    }
}

fn custom(object: &str, label: &str, kind: &str, choices: &[&str], many: bool) -> CustomField {
    CustomField {
        object: object.to_owned(),
        label: label.to_owned(),
        kind: kind.to_owned(),
        choices: choices.iter().map(|choice| (*choice).to_owned()).collect(),
        many,
    }
}

fn map(live: &Schema, object: &str, targets: &[&str]) -> plan::Map {
    let found = live.object(object).expect("the object");
    let targets = targets.iter().map(|name| {
        let field = found.field(name).expect("the field");
        plan::Target { name: field.name.clone(), custom: field.custom, ty: field.ty.clone() }
    });
    plan::Map {
        name: object.to_lowercase(),
        source: "company".to_owned(),
        target: object.to_owned(),
        targets: targets.collect(),
        line: 1,
        ..plan::Map::default()
    }
}

fn item(value: Value, label: &str) -> Value {
    Value::Item(Box::new(Item { value, attrs: vec![Value::text(label)] }))
}

/// The keys of a payload, sorted.
fn keys(payload: &Payload) -> Vec<&str> {
    let mut keys: Vec<&str> = payload.fields.keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

fn money(amount: &str, currency: &str) -> Value {
    let currency = Currency::parse(currency).expect("a currency");
    Value::Money(Money { amount: amount.parse().expect("a number"), currency })
}

fn stage(pipeline: &str, stage: Option<&str>, outcome: Option<(OutcomeKind, &str)>) -> Value {
    Value::Stage(Box::new(StageValue {
        pipeline: pipeline.to_owned(),
        stage: stage.map(str::to_owned),
        outcome: outcome.map(|(kind, name)| (kind, name.to_owned())),
    }))
}

#[test]
fn the_account_is_who_both_apis_say() {
    let world = World::acme();
    let account = world.run(world.target.account()).expect("an account");
    assert_eq!(account, Account { id: "379104".to_owned(), name: "Acme Inc".to_owned() });
    // Where RPC does not tell, REST does.
    world.mangle(|_, request, answer| {
        if String::from_utf8_lossy(&request.body).contains("instanceData") {
            let body = br#"{"error":{"code":-32601,"message":"Method not found"}}"#.to_vec();
            return Ok(HttpResponse { status: 404, headers: Vec::new(), body });
        }
        answer
    });
    assert_eq!(world.run(world.target.account()).expect("an account").id, "379104");
}

#[test]
fn the_schema_has_what_the_account_has() {
    let world = World::acme();
    let fields = [
        custom("Lead", "Segment", "enum", &["A", "B"], true),
        custom("Lead", "Budget", "currency", &[], false),
    ];
    let schema = world.ready(&fields);
    assert_eq!((schema.connector.as_str(), schema.account.as_str()), ("nutshell", "379104"));
    assert_eq!(schema.taken.map(|day| day.to_string()).as_deref(), Some("2026-11-21"));
    let pipelines: Vec<&str> = schema.pipelines.iter().map(|pipeline| pipeline.name.as_str()).collect();
    assert_eq!(pipelines, ["Sales", "Service"]);
    let stages: Vec<&str> = schema.pipelines[0].stages.iter().map(|stage| stage.name.as_str()).collect();
    assert_eq!(stages, ["Qualify", "Proposal", "Negotiation", "Contract", "On hold"]);
    assert_eq!(schema.pipelines[1].outcomes.len(), 6);
    let codes = |domain: &str| {
        let choices = &schema.domains[domain].choices;
        choices.iter().map(|choice| choice.code.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(codes("Account.accountType").len(), 5);
    assert!(codes("Lead.sources").contains(&"Website") && schema.domains["Lead.sources"].open);
    assert_eq!(codes("Lead.tags"), ["Imported", "Urgent"]);
    assert_eq!(codes("Lead.Segment"), ["A", "B"]);
    let euro = schema.domains["Lead.market"].choices.iter().find(|choice| choice.code == "Europe");
    assert_eq!(euro.and_then(|choice| choice.title.as_deref()), Some("EUR"));
    let lead = schema.object("Lead").expect("leads");
    let segment = lead.field("Segment").expect("the custom field");
    assert!(segment.custom && segment.ty.many && segment.write == crate::lang::schema::Write::Yes);
    assert_eq!(lead.field("Budget").map(|field| &field.ty), Some(&Type::maybe(Base::Money)));
    assert!(lead.field("description").is_some_and(|field| field.required));
    assert!(matches!(lead.field("number").map(|f| &f.write), Some(crate::lang::schema::Write::No { .. })));
    assert!(schema.object("Quote").is_some_and(|quote| !quote.creatable && quote.hint.is_some()));
    let teams = schema.users.iter().filter(|user| user.id.ends_with("-teams")).count();
    assert_eq!((schema.users.len() - teams, teams), (7, 2), "teams can own records too");
    assert_eq!(schema.users.iter().filter(|user| !user.active).count(), 1);
    assert!(!format!("{schema:?}").contains("acme.example"), "no e-mail address stands in a schema");
    for object in &schema.objects {
        let names: Vec<&str> = object.fields.iter().map(|field| field.name.as_str()).collect();
        assert!(names.windows(2).all(|pair| pair[0] < pair[1]), "{names:?}");
    }
    let emails = world.run(world.target.user_emails()).expect("users");
    let hash = |email: &str| crate::lang::schema::email_hash("salt", email);
    assert!(emails.iter().all(|(id, email)| {
        schema.users.iter().any(|user| user.id == *id && user.email_hash.as_deref() == Some(&hash(email)))
    }));
}

#[test]
fn records_arrive_whole_and_are_found_again() {
    let world = World::acme();
    let fields = [
        custom("Account", "Annual volume", "currency", &[], false),
        custom("Account", "Since", "date", &[], false),
        custom("Account", "Segments", "enum", &["A", "B"], true),
    ];
    let live = world.ready(&fields);
    let user = live.users.iter().find(|user| user.active).expect("a user").id.clone();
    let accounts = world.encoder(
        &live,
        "Account",
        &[
            "name",
            "phone",
            "email",
            "url",
            "address",
            "industry",
            "owner",
            "tags",
            "Annual volume",
            "Since",
            "Segments",
        ],
    );
    let address =
        Postal { line1: "Main 1".into(), city: "Omsk".into(), country: "ru".into(), ..Postal::default() };
    let values = [
        Value::text("Pumps & Co"),
        Value::List(vec![
            item(Value::text("+16502530000;ext=12"), "work"),
            item(Value::text("+74951234567"), "work"),
            Value::text("+4930901820"),
        ]),
        Value::text("info@pumps.example"),
        Value::List(vec![Value::text("https://pumps.example"), Value::text("https://b.example")]),
        Value::Address(Box::new(address)),
        Value::text("Banking"),
        Value::text(&user),
        Value::List(vec![Value::text("Key account")]),
        money("1500.50", "EUR"),
        Value::Date("2024-02-29".parse().expect("a date")),
        Value::List(vec![Value::text("A"), Value::text("B")]),
    ];
    let account = world.make(&*accounts, "Account", "acme/company/7", &values);
    assert_eq!(account.marker.as_deref(), Some("acme/company/7"));
    let body = &account.body;
    assert_eq!(body["phone"]["work"]["E164"], "+16502530000");
    assert_eq!(body["phone"]["work"]["extension"], "12");
    assert_eq!(body["phone"]["work 2"]["E164"], "+74951234567");
    assert_eq!(body["phone"]["0"]["E164"], "+4930901820");
    assert_eq!(body["url"]["1"], "https://b.example");
    assert_eq!(body["address"]["0"]["country"], "RU");
    assert_eq!(body["industry"]["name"], "Banking");
    assert_eq!(body["owner"]["id"].to_string(), user);
    assert_eq!(body["tags"], json!(["Key account"]));
    assert_eq!(body["customFields"]["Annual volume"]["currency"], "EUR");
    assert_eq!(body["customFields"]["Since"]["timestamp"], 1_709_164_800);
    assert_eq!(body["customFields"]["Segments"], "A, B");

    let again = accounts.adopt("acme/company/7", &values, &account, true).expect("encoded");
    assert_eq!(again, []);

    let contacts = world.encoder(&live, "Contact", &["name", "email", "accounts", "owner"]);
    let person = PersonName { given: "Ada".into(), family: "Byron King".into() };
    let contact = world.make(
        &*contacts,
        "Contact",
        "acme/contact/7",
        &[
            Value::Name(Box::new(person)),
            Value::text("ada@pumps.example"),
            Value::List(vec![item(Value::text(&account.id), "Countess")]),
            Value::text(&user),
        ],
    );
    assert_eq!(contact.body["name"]["familyName"], "Byron King");
    assert_eq!(contact.body["accounts"][0]["relationship"], "Countess");

    let leads = world.encoder(
        &live,
        "Lead",
        &[
            "description",
            "stage",
            "market",
            "value",
            "dueTime",
            "sources",
            "tags",
            "owner",
            "accounts",
            "contacts",
            "confidence",
        ],
    );
    let instant = Instant::parse("2026-12-01T18:00:00+03:00").expect("an instant");
    let values = [
        Value::text("Pumps"),
        stage("Service", Some("Repair"), None),
        Value::text("Europe"),
        money("1500.00", "EUR"),
        Value::Instant(instant),
        Value::List(vec![Value::text("Website")]),
        Value::text("Urgent"),
        Value::text(&user),
        Value::text(&account.id),
        Value::List(vec![item(Value::text(&contact.id), "Buyer")]),
        Value::Int(75),
    ];
    let lead = world.make(&*leads, "Lead", "acme/deal/7", &values);
    let body = &lead.body;
    assert_eq!(body["milestone"]["name"], "Repair");
    assert_eq!(body["stageset"]["name"], "Service");
    assert_eq!(body["market"]["name"], "Europe");
    assert_eq!(body["primaryAccount"]["id"].to_string(), account.id);
    assert_eq!(body["contacts"][0]["relationship"], "Buyer");
    assert_eq!(body["dueTime"], "2026-12-01T15:00:00+0000");
    assert_eq!(body["value"]["amount"].as_f64(), Some(1500.0));
    assert_eq!(body["sources"][0]["name"], "Website");
    assert_eq!(body["status"], 0);

    // What is there is not written again.
    let again = leads.adopt("acme/deal/7", &values, &lead, true).expect("encoded");
    assert_eq!(again, []);
    let moved = [Value::text("Pumps"), stage("Service", Some("Done check"), None)];
    let moved = leads.adopt("acme/deal/7", &moved, &lead, true).expect("encoded");
    assert_eq!(keys(&moved[0]), ["milestoneId", "stagesetId"]);

    // Deal 7 and company 7 never share a marker, and nothing is found by half of one.
    for (object, marker, id) in [
        ("Account", "acme/company/7", Some(&account.id)),
        ("Contact", "acme/contact/7", Some(&contact.id)),
        ("Lead", "acme/deal/7", Some(&lead.id)),
        ("Lead", "acme/company/7", None),
        ("Lead", "acme/deal", None),
        ("Lead", "acme/deal/77", None),
    ] {
        let found =
            world.run(world.target.find_sent(object, MARKER, marker, &Payload::default())).expect("found");
        let ids: Vec<&String> = found.iter().map(|stored| &stored.id).collect();
        assert_eq!(ids, id.into_iter().collect::<Vec<_>>(), "{object} {marker}");
        assert!(found.iter().all(|stored| stored.marker.as_deref() == Some(marker)));
    }
}

#[test]
fn closed_leads_are_made_open_and_closed_by_an_edit() {
    let world = World::acme();
    let live = world.ready(&[]);
    let leads = world.encoder(&live, "Lead", &["description", "stage"]);
    for (kind, name, status) in [
        (OutcomeKind::Won, "Signed", 10),
        (OutcomeKind::Lost, "Competitor", 11),
        (OutcomeKind::Cancelled, "Duplicate", 12),
    ] {
        let values = [Value::text("Pumps"), stage("Service", None, Some((kind, name)))];
        let writes = leads.encode("acme/deal/1", &values).expect("encoded");
        assert!(writes.create.fields.get("outcome").is_none() && writes.then.len() == 1);
        let lead = world.make(&*leads, "Lead", "acme/deal/1", &values);
        assert_eq!(
            (&lead.body["status"], &lead.body["stageset"]["name"]),
            (&json!(status), &json!("Service"))
        );
        assert_eq!(lead.marker.as_deref(), Some("acme/deal/1"), "the edit leaves the marker");
        // Reopened and put elsewhere.
        let open = [Value::Absent, stage("Sales", Some("Contract"), None)];
        let payloads = leads.adopt("acme/deal/1", &open, &lead, true).expect("encoded");
        let again = world.run(world.target.edit("Lead", &lead.id, &lead.rev, &payloads[0])).expect("edited");
        assert_eq!(
            (&again.body["status"], &again.body["milestone"]["name"]),
            (&json!(0), &json!("Contract"))
        );
    }
}

#[test]
fn adopting_fills_what_is_empty_and_joins_lists() {
    let world = World::acme();
    let live = world.ready(&[custom("Account", "Volume", "currency", &[], false)]);
    let targets = ["name", "description", "phone", "email", "tags", "Volume"];
    let accounts = world.encoder(&live, "Account", &targets);
    let before = world.run(async {
        let fields = json!({
            "name": "Old name", "phone": {"work": "+16502530000"}, "tags": ["Imported"],
            "customFields": {"Volume": {"currency": "EUR", "amount": "3"}},
        });
        let Json::Object(fields) = fields else { panic!("an object") };
        world.target.create("Account", &Payload { fields }).await.expect("created")
    });
    assert_eq!(before.marker, None);
    let values = [
        Value::text("New name"),
        Value::text("What they do"),
        Value::List(vec![item(Value::text("+74951234567"), "work"), Value::text("+16502530000")]),
        Value::text("a@x.example"),
        Value::text("Key account"),
        money("4", "USD"),
    ];
    let adopt = |overwrite: bool| {
        let payloads = accounts.adopt("acme/company/1", &values, &before, overwrite).expect("encoded");
        assert_eq!(payloads.len(), 1);
        payloads
    };
    let fill = adopt(false);
    assert_eq!(keys(&fill[0]), ["customFields", "description", "email"], "what is filled stays");
    assert_eq!(fill[0].fields["customFields"]["Volume"]["amount"].to_string().replace('"', ""), "3");
    assert_eq!(fill[0].fields["customFields"][MARKER], "acme/company/1");

    let overwrite = adopt(true);
    let after =
        world.run(world.target.edit("Account", &before.id, &before.rev, &overwrite[0])).expect("edited");
    assert_eq!(after.marker.as_deref(), Some("acme/company/1"));
    assert_eq!(after.body["name"], "New name");
    assert_eq!(after.body["phone"]["work"]["E164"], "+16502530000", "what was there stays");
    assert_eq!(after.body["phone"]["work 2"]["E164"], "+74951234567");
    assert_eq!(
        after.body["phone"].as_object().expect("a map").len(),
        3,
        "two and the copy of the primary one"
    );
    assert_eq!(after.body["tags"], json!(["Imported", "Key account"]));
    assert_eq!(after.body["customFields"]["Volume"]["currency"], "USD");

    // Nothing is left to write.
    let again = accounts.adopt("acme/company/1", &values, &after, false).expect("encoded");
    assert!(again.is_empty(), "{again:?}");
    let phone = accounts.patch(2, &Value::text("+4930901820"), &after).expect("encoded");
    assert_eq!(phone.fields["phone"].as_object().map(serde_json::Map::len), Some(3), "{phone:?}");
    let volume = accounts.patch(5, &money("5", "USD"), &after).expect("encoded");
    assert_eq!(volume.fields["customFields"][MARKER], "acme/company/1", "custom fields go whole");
}

#[test]
fn edits_and_deletions_end_clearly() {
    let world = World::acme();
    let live = world.ready(&[]);
    let accounts = world.encoder(&live, "Account", &["name"]);
    let account = world.make(&*accounts, "Account", "m/a/1", &[Value::text("A")]);
    let fields = Payload { fields: serde_json::Map::from_iter([("name".to_owned(), json!("B"))]) };
    world.run(async {
        let target = &world.target;
        let edited = target.edit("Account", &account.id, &account.rev, &fields).await.expect("edited");
        assert_ne!(edited.rev, account.rev);
        assert_eq!(target.edit("Account", &account.id, &account.rev, &fields).await, Err(SendError::Stale));
        assert_eq!(target.delete("Account", &account.id, &account.rev).await, Err(SendError::Stale));
        let unknown =
            Payload { fields: serde_json::Map::from_iter([("customFields".to_owned(), json!({"X": "1"}))]) };
        let refused = target.edit("Account", &account.id, &edited.rev, &unknown).await;
        assert!(matches!(&refused, Err(SendError::Refused(why)) if why.contains("X")), "{refused:?}");
        assert_eq!(target.delete("Account", &account.id, &edited.rev).await, Ok(()));
        assert_eq!(target.read("Account", &account.id).await, Ok(None));
        assert_eq!(target.delete("Account", &account.id, &edited.rev).await, Err(SendError::Gone));
        assert_eq!(target.edit("Account", &account.id, &edited.rev, &fields).await, Err(SendError::Gone));
        assert_eq!(target.read("Account", "999999").await, Ok(None));
        assert!(
            target
                .find_sent("Account", MARKER, "m/a/1", &Payload::default())
                .await
                .expect("found")
                .is_empty()
        );
        assert!(matches!(target.read("Quote", "1").await, Err(Error::Refused { .. })));
        assert!(matches!(target.create("Quote", &fields).await, Err(SendError::Refused(_))));
    });
}

#[test]
fn existing_records_are_found_by_what_searches_know() {
    let world = World::new(Company::acme_with_history(), TwinSettings::default());
    world.ready(&[]);
    let found = |object: &str, field: &str, value: &str| {
        let found = world.run(world.target.find_existing(object, field, &Value::text(value))).expect("found");
        found.len()
    };
    assert_eq!(found("Account", "name", "globex  corporation"), 1);
    assert_eq!(found("Account", "name", "Globex"), 0, "a part of a name is another name");
    assert_eq!(found("Account", "name", "Initech"), 2, "ties are for a person");
    assert_eq!(found("Contact", "email", "BILL@initech.example"), 2);
    assert_eq!(found("Contact", "email", "nobody@initech.example"), 0);
    assert_eq!(found("Contact", "name", "Hank Scorpio"), 1);
    let lead = world.run(world.target.find_existing("Lead", "description", &Value::text("x")));
    assert!(matches!(lead, Err(Error::Refused { .. })));
}

#[test]
fn provisioning_is_safe_to_repeat() {
    let world = World::acme();
    world.ready(&[custom("Lead", "Segment", "enum", &["A", "B"], false)]);
    let provision = |what: Provision| world.run(world.target.provision(&what));
    let field = |field: CustomField| provision(Provision::Field(field));
    assert_eq!(field(custom("Lead", MARKER, "text", &[], false)), Ok(Provisioned::Existed));
    assert_eq!(field(custom("Lead", "Segment", "enum", &["A"], false)), Ok(Provisioned::Existed));
    for (wanted, word) in [
        (custom("Lead", "Segment", "enum", &["C"], false), "`C`"),
        (custom("Lead", "Segment", "text", &[], false), "Decision"),
        (custom("Lead", "Segment", "enum", &["A"], true), "one choice only"),
        (custom("Account", "Site", "url", &[], false), "`url`"),
        (custom("Lead", "Parts", "record", &[], false), "`record`"),
    ] {
        let refused = field(wanted);
        assert!(matches!(&refused, Err(Error::Refused { why, .. }) if why.contains(word)), "{refused:?}");
    }
    let choice =
        |domain: &str, name: &str| Provision::Choice { domain: domain.to_owned(), name: name.to_owned() };
    assert_eq!(provision(choice("Lead.sources", "Website")), Ok(Provisioned::Existed));
    assert_eq!(provision(choice("Lead.sources", "Fair")), Ok(Provisioned::Created));
    assert_eq!(provision(choice("Lead.tags", "Key account")), Ok(Provisioned::Created), "tags have types");
    assert_eq!(provision(choice("Account.tags", "Key account")), Ok(Provisioned::Existed));
    assert!(provision(choice("Lead.market", "Mars")).is_err());
    // The answer to the making is lost; it was made all the same.
    world.mangle(|_, request, answer| match request.method {
        "POST" if request.url.ends_with("/customfield") => Err(TransportError::Lost("reset".to_owned())),
        _ => answer,
    });
    assert_eq!(field(custom("Contact", "Title", "text", &[], false)), Ok(Provisioned::Created));
    let names =
        world.twin.with(|company| company.fields.iter().filter(|field| field.name == "Title").count());
    assert_eq!(names, 1);
}
