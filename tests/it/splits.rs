//! A split that leads to no map: its object stays in the source, and the books say why for every record.

use std::collections::BTreeMap;

use b2n::lang::text::SourceText;
use b2n::run::twin::bitrix24::generate::Counts;
use b2n::run::twin::bitrix24::{Entity, Portal};
use b2n::run::twin::nutshell::Company;

use crate::whole;
use crate::world::{DieAt, Faults, World, check_spec};

/// The whole spec without its leads, which are only accounted for.
fn spec() -> String {
    let text = whole::spec();
    let (from, to) =
        (text.find("pipeline inquiries").expect("it is there"), text.find("split activity").expect("too"));
    let split = "split lead {\n  when STATUS_ID == \"CONVERTED\"  => listed \"converted\"\n  when SOURCE_ID == \"CALL\"       => skip \"by telephone\"\n  otherwise                      => quarantine\n}\n\n";
    format!("{}{split}{}", &text[..from], &text[to..]).replace("deal|inbound", "deal")
}

#[test]
fn a_split_that_leads_to_no_map_has_a_row_in_the_books() {
    let checked = check_spec(&SourceText::new("splits.b2n", spec()));
    let counts = Counts { companies: 8, contacts: 9, deals: 12, leads: 40 };
    let world = World::with(checked, Portal::acme_with(counts, 7), Company::acme(), 1, Faults::default());
    let run = world.live(&DieAt::default()).unwrap_or_else(|error| panic!("{error}"));
    let mut expected: BTreeMap<&str, u64> = BTreeMap::new();
    world.portal.with_portal(|portal| {
        for lead in portal.records[&Entity::Lead].values() {
            let is = |field: &str, code: &str| lead.get(field).and_then(|value| value.as_str()) == Some(code);
            let fate = match () {
                () if is("STATUS_ID", "CONVERTED") => "listed",
                () if is("SOURCE_ID", "CALL") => "left out",
                () => "quarantined",
            };
            *expected.entry(fate).or_default() += 1;
        }
    });
    assert_eq!(expected.len(), 3, "{expected:?}");
    let books = run.maps.iter().find(|map| map.map == "split lead").expect("a row");
    assert_eq!((books.target.as_str(), books.source), ("no map", 40));
    let tally = [
        ("listed", books.tally.listed),
        ("left out", books.tally.left_out),
        ("quarantined", books.tally.quarantined),
    ];
    assert_eq!(BTreeMap::from(tally), expected);
    assert!(books.closes() && books.pending() == 0, "{books:?}");
    assert!(run.closes(), "{:#?}", run.maps);
    // A second run changes nothing of it.
    let again = world.live(&DieAt::default()).unwrap_or_else(|error| panic!("{error}"));
    let row = again.maps.iter().find(|map| map.map == "split lead").expect("a row");
    assert_eq!((row.source, row.tally.sum()), (40, 40));
}
