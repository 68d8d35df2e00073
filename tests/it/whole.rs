//! The whole language at work: splits, flattens, notes, links to several objects, lines, second passes and budgets,
//! loaded under faults. The oracle is the destination twin after a run without any.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use b2n::lang::text::SourceText;
use b2n::run::engine::{Error, MapReport, RunReport};
use b2n::run::twin::bitrix24::Portal;
use b2n::run::twin::bitrix24::generate::Counts;
use b2n::run::twin::nutshell::Company;
use b2n::run::workspace::Status;

use crate::world::{Checked, DieAt, Faults, World, check_spec, root, schema};

const MARKER: &str = "Bitrix24 key";
const ACCOUNT: &str = "acme.bitrix24.com/";
const ENTITIES: [&str; 6] = ["Accounts", "Contacts", "Leads", "Products", "Activities", "Notes"];

/// The example customer's spec, with what it leaves behind taken along.
pub fn spec() -> String {
    let example = std::fs::read_to_string(root().join("examples/acme/acme.b2n")).expect("the example");
    let mut text = String::new();
    let mut lines = example.lines().peekable();
    while let Some(line) = lines.next() {
        let word = line.trim_start();
        if word.starts_with("custom \"Parent company key\"") {
            lines.next();
            text.push_str(
                "  custom \"Parent company key\"  text  <- ref company(UF_CRM_1690000004 `Головная`).name\n    \
                 else unset\n    on unmigrated unset\n    in a second pass\n",
            );
        } else if word.starts_with("custom \"Full title\"") {
            text.push_str("  note \"Full title\"  <- \"{TITLE} ({ID})\"\n");
        } else if word.starts_with("value ") {
            text.push_str("  value  <- money(OPPORTUNITY, CURRENCY_ID)  when IS_MANUAL_OPPORTUNITY  on fail quarantine\n");
        } else if word.starts_with("drop rows") {
            text.push_str(
                "  products  <- each rows {\n    product   <- ref product(PRODUCT_ID)  else skip \"free text\"  \
                 on unmigrated skip \"no such product\"\n    quantity  <- QUANTITY\n    \
                 price     <- money(PRICE, deal.CURRENCY_ID)  on fail quarantine\n    \
                 drop PRODUCT_NAME, PRICE_EXCLUSIVE, PRICE_NETTO, PRICE_BRUTTO, DISCOUNT_TYPE_ID, DISCOUNT_RATE, \
                 DISCOUNT_SUM, TAX_RATE, TAX_INCLUDED, CUSTOMIZED, MEASURE_CODE, MEASURE_NAME, SORT, TYPE, XML_ID, \
                 STORE_ID declined \"not looked at here\"\n  }\n",
            );
        } else if !word.starts_with("drop IS_MANUAL_OPPORTUNITY") {
            text.push_str(line);
            text.push('\n');
        }
    }
    text.push_str(&rest_dropped(include_str!("whole.b2n")));
    text
}

/// Puts drops of all fields that no block of an object names in the place of the line `rest`.
pub fn rest_dropped(text: &str) -> String {
    let source = schema(&root().join("examples/acme/schema/bitrix24.yaml"));
    let blocks: Vec<(&str, &str)> = text
        .split_inclusive("\n}\n")
        .flat_map(|item| {
            let item = item.trim_start();
            let head =
                item.strip_prefix("map ").or(item.strip_prefix("split ")).or(item.strip_prefix("flatten "));
            let object = head.and_then(|head| {
                source
                    .objects
                    .iter()
                    .map(|object| object.name.as_str())
                    .find(|name| head.starts_with(&format!("{name} ")))
            });
            object.map(|object| (object, item))
        })
        .collect();
    let mut out = String::new();
    for item in text.split_inclusive("\n}\n") {
        let Some((object, _)) = blocks.iter().find(|(_, block)| *block == item.trim_start()) else {
            out.push_str(item);
            continue;
        };
        let named: BTreeSet<&str> = blocks
            .iter()
            .filter(|(other, _)| other == object)
            .flat_map(|(_, block)| block.split(|c: char| !c.is_alphanumeric() && c != '_'))
            .collect();
        let fields = source.object(object).map(|object| object.fields.as_slice()).unwrap_or_default();
        let rest: Vec<&str> = fields
            .iter()
            .map(|field| field.name.as_str())
            .filter(|name| *name != "ID" && !named.contains(name))
            .collect();
        let drop = format!("  drop {} declined \"not looked at here\"\n", rest.join(", "));
        out.push_str(&item.replace("  rest\n", &drop));
    }
    out
}

pub fn checked() -> Checked {
    check_spec(&SourceText::new("whole.b2n", spec()))
}

pub fn world(seed: u64, faults: Faults) -> World {
    let counts = Counts { companies: 12, contacts: 25, deals: 25, leads: 20 };
    World::with(checked(), Portal::acme_with(counts, 7), Company::acme(), seed, faults)
}

/// What the destination holds, by markers and without its own ids; doubles and records without a marker are told.
pub fn picture(world: &World) -> BTreeSet<String> {
    world.wire.settle(i64::MAX);
    let mut lines = BTreeSet::new();
    let mut ids: BTreeMap<(&str, i64), String> = BTreeMap::new();
    for entity in ENTITIES {
        let markers = world.account.markers(entity, MARKER);
        let marked: usize = markers.values().map(Vec::len).sum();
        let live = world.account.live_count(entity);
        if marked != live {
            lines.insert(format!("{entity}: {live} records, {marked} with a marker"));
        }
        for (marker, records) in markers {
            lines.insert(format!("{entity}: {marker} {} times", records.len()));
            ids.extend(records.into_iter().map(|id| ((entity, id), marker.clone())));
        }
    }
    let of = |entity: &str, id: i64| {
        let entity = ENTITIES.into_iter().find(|other| *other == entity)?;
        ids.get(&(entity, id)).cloned()
    };
    for (entity, id, relation, other) in world.account.links() {
        let to = match relation.as_str() {
            "accounts" | "primaryAccount" => "Accounts",
            "contacts" => "Contacts",
            "leads" => "Leads",
            "products" => "Products",
            _ => continue,
        };
        lines.insert(format!("{:?} {relation} {:?}", of(&entity, id), of(to, other)));
    }
    let dump = world.account.dump();
    // The dump holds what was deleted too.
    let live = |account: &&serde_json::Value| account["deletedTime"].is_null();
    for account in dump["accounts"].as_array().expect("accounts").iter().filter(live) {
        let fields = &account["customFields"];
        let _ = lines.insert(format!(
            "{} parent {} equipment {}",
            fields[MARKER], fields["Parent company key"], fields["Equipment count"]
        ));
    }
    lines
}

fn ran(world: &World) -> RunReport {
    let run = world.live(&DieAt::default()).unwrap_or_else(|error| panic!("{error}"));
    assert!(run.closes(), "{:#?}", run.maps);
    run
}

fn row<'r>(run: &'r RunReport, name: &str) -> &'r MapReport {
    run.maps.iter().find(|map| map.map == name).unwrap_or_else(|| panic!("no row `{name}`"))
}

/// Every write that was sent, in the order of each record.
fn journal(world: &World, run: &RunReport) -> String {
    let mut text = String::new();
    for map in &run.maps {
        for object in
            [map.map.as_str(), "company", "contact", "deal", "lead", "activity", "comment", "product"]
        {
            for record in world.workspace.staged_page(object, 0, 100_000).expect("staged") {
                for entry in world.workspace.writes_of(&map.map, &record.key).expect("a journal") {
                    let _ = writeln!(text, "{entry:?}");
                }
            }
        }
    }
    text
}

#[test]
fn a_clean_run_places_everything_and_a_second_one_writes_nothing() {
    let world = world(1, Faults::default());
    let run = ran(&world);
    let leads = row(&run, "split lead");
    assert_eq!(leads.tally.routed + leads.tally.listed, leads.source, "{leads:?}");
    assert!(leads.tally.listed > 0 && leads.tally.routed > 0, "{leads:?}");
    assert_eq!(row(&run, "lead_person").source, leads.tally.routed, "every lead becomes a person");
    assert!(row(&run, "inbound").source < leads.tally.routed, "cold callers are no inquiries");
    let (meetings, calls) = (row(&run, "meetings"), row(&run, "calls"));
    assert_eq!(meetings.source + calls.source, row(&run, "split activity").tally.routed);
    assert!(meetings.tally.created > 0 && calls.tally.created > 0, "{meetings:?} {calls:?}");
    assert!(row(&run, "comment").tally.created > 0 && row(&run, "product").tally.created > 0);
    let (equipment, quotes) = (row(&run, "process 1032 into company"), row(&run, "quote into deal"));
    assert!(equipment.tally.folded > 0 && quotes.tally.folded > 0, "{equipment:?} {quotes:?}");
    // One note for each deal that arrived, and one for each of them with quotes.
    let notes = world.account.markers("Notes", MARKER);
    let told = |end: &str| notes.keys().filter(|marker| marker.ends_with(end)).count() as u64;
    let deals = row(&run, "deal").tally.arrived();
    assert_eq!(told("#deal.Full title"), deals);
    let estimates = told("#deal.quote.Estimate");
    assert!(estimates > 0 && estimates <= quotes.tally.folded.min(deals), "{estimates} of {quotes:?}");
    assert_eq!(row(&run, "notes of deal").tally.created, deals + estimates);
    assert!(notes.keys().any(|marker| marker.starts_with(&format!("{ACCOUNT}process 1032/"))), "{notes:?}");
    let picture = picture(&world);
    assert!(
        picture.iter().all(|line| !line.contains(" records, ") && !line.ends_with(" 2 times")),
        "{picture:?}"
    );
    let named =
        picture.iter().filter(|line| line.contains(" parent \"") && !line.contains(" parent \"\"")).count();
    assert!(named > 0, "no company names its parent: {picture:?}");
    assert!(picture.iter().any(|line| line.contains("products")), "no lead has products");
    assert!(
        picture.iter().any(|line| line.contains("activity/") && line.contains("contacts")),
        "no call has people"
    );
    let before = (world.account.dump(), world.workspace.writes().expect("a count"));
    ran(&world);
    assert_eq!(before.1, world.workspace.writes().expect("a count"), "a second run writes");
    assert!(before.0 == world.account.dump(), "a second run changes the account");
}

#[test]
fn lost_and_late_answers_leave_the_same_picture() {
    let clean = world(1, Faults::default());
    ran(&clean);
    let clean = picture(&clean);
    for (seed, faults) in [
        (3, Faults { lost: 0.2, ..Faults::default() }),
        (4, Faults { late: 0.1, late_ms: 40_000, cut: 0.05, refused: 0.1, ..Faults::default() }),
    ] {
        let mut world = world(seed, faults);
        world.settings.sends = 12;
        let run = ran(&world);
        let found = picture(&world);
        let differ: Vec<&String> = clean.symmetric_difference(&found).take(9).collect();
        assert!(differ.is_empty(), "seed {seed}: {differ:#?}\n{:#?}", run.maps);
    }
}

#[test]
fn deaths_anywhere_leave_the_same_picture() {
    let clean = world(1, Faults::default());
    ran(&clean);
    let clean = picture(&clean);
    let world = world(5, Faults::default());
    let mut died = 0;
    for (point, nth) in [
        ("extract.staged", 3),
        ("load.answered", 25),
        ("load.intent", 20),
        ("load.landed", 15),
        ("load.answered", 20),
        ("sweep.page", 4),
        ("phase.closed", 1),
        ("load.answered", 18),
        ("load.intent", 12),
        ("load.landed", 10),
        ("load.edit", 2),
        ("load.edit", 1),
    ] {
        match world.live(&DieAt { point: Some((point, nth)), ..DieAt::default() }) {
            Err(Error::Interrupted) => died += 1,
            Ok(_) => {}
            Err(error) => panic!("{point} {nth}: {error}"),
        }
    }
    assert!(died >= 7, "only {died} deaths happened");
    ran(&world);
    let found = picture(&world);
    let differ: Vec<&String> = clean.symmetric_difference(&found).take(9).collect();
    assert!(differ.is_empty(), "{differ:#?}");
}

#[test]
fn the_same_seed_twice_gives_the_same_journal() {
    let run = || {
        let world = world(6, Faults { lost: 0.1, ..Faults::default() });
        let run = ran(&world);
        journal(&world, &run)
    };
    let first = run();
    assert!(first.lines().count() > 100, "{first}");
    assert!(first == run(), "two runs of one seed differ");
}

#[test]
fn a_budget_that_is_exceeded_stops_the_run() {
    let mut world = world(8, Faults::default());
    world.checked.plan.budget[0].at_most = rust_decimal::Decimal::ZERO;
    // Orphans of quotes are held back.
    match world.live(&DieAt::default()) {
        Err(Error::Budget { lines, .. }) => {
            assert!(lines[0].starts_with("`quarantine` comes to"), "{lines:?}")
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_said_of_a_record_that_stays_behind_stays_behind_with_it() {
    let text = spec().replace("where not IS_RECURRING", "where ID > 9 and not IS_RECURRING").replace(
        "else quarantine  on unmigrated quarantine",
        "else quarantine  on unmigrated skip \"of what stays\"",
    );
    assert!(text.contains("where ID > 9") && text.contains("of what stays"));
    let counts = Counts { companies: 12, contacts: 25, deals: 25, leads: 20 };
    let checked = check_spec(&SourceText::new("whole.b2n", text));
    let world = World::with(checked, Portal::acme_with(counts, 7), Company::acme(), 9, Faults::default());
    let run = ran(&world);
    // Counted in the staged records themselves.
    let mut expected = 0;
    for comment in world.workspace.staged_page("comment", 0, 100_000).expect("comments") {
        let json: serde_json::Value = serde_json::from_slice(&comment.json).expect("JSON");
        let object = json["ENTITY_TYPE"].as_str().expect("an object").to_lowercase();
        let key = json["ENTITY_ID"].to_string().trim_matches('"').to_owned();
        if ["deal", "contact", "company"].contains(&object.as_str()) {
            let parent = world.workspace.outcome(&object, &key).expect("an outcome");
            expected += u64::from(parent.is_none_or(|parent| parent.target.is_none()));
        }
    }
    assert!(expected > 0);
    let comments = row(&run, "comment");
    let reasons = world.workspace.reasons("comment", Status::LeftOut).expect("reasons");
    assert_eq!(reasons, [("of what stays".to_owned(), expected)], "{comments:?}");
    assert!(comments.closes() && comments.tally.created > 0, "{comments:?}");
    // Another run looks at them again, and finds the same.
    let before = world.account.dump();
    let again = ran(&world);
    assert_eq!(row(&again, "comment").tally.left_out, expected);
    assert!(before == world.account.dump(), "a second run changes the account");
}
