//! Who owns and who wrote: teams as owners, and authors under a key that may not impersonate. The oracle is the
//! destination twin's dump.

use std::collections::{BTreeMap, BTreeSet};

use b2n::lang::text::SourceText;
use b2n::run::engine::MapReport;
use b2n::run::twin::bitrix24::Portal;
use b2n::run::twin::bitrix24::generate::Counts;
use b2n::run::twin::nutshell::Company;
use serde_json::Value as Json;

use crate::rollback::podyom;
use crate::world::{DieAt, Faults, World, check_spec, root};

fn migrated(world: &World) -> Vec<MapReport> {
    let run = world.live(&DieAt::default()).unwrap_or_else(|error| panic!("{error}"));
    assert!(run.closes(), "{:#?}", run.maps);
    run.maps
}

/// Comments and activities by marker: who is logged as their author, and the text.
fn written(world: &World) -> BTreeMap<String, (Option<String>, String)> {
    let dump = world.account.dump();
    let mut found = BTreeMap::new();
    for (list, author, text) in [
        ("notes", "user", "noteMarkup"),
        ("activities", "loggedBy", "description"),
        ("tasks", "creator", "description"),
    ] {
        for row in dump[list].as_array().expect("a list") {
            let text = row[text].as_str().unwrap_or_default().to_owned();
            let marker = text.lines().next_back().unwrap_or_default().to_owned();
            // Notes that go with a record have no author of their own.
            if marker.contains('#') {
                continue;
            }
            let user = row[author]["entityType"] == "Users";
            let name = row[author]["name"].as_str().filter(|_| user).map(str::to_owned);
            found.insert(marker, (name, text));
        }
    }
    found
}

#[test]
fn a_key_that_may_not_impersonate_leaves_the_authors_name_in_the_text() {
    let (told, untold) = (podyom(31), podyom(31));
    migrated(&told);
    untold.account.configure(|settings| settings.keys[0].impersonation = false);
    let maps = migrated(&untold);
    let (told, untold_now) = (written(&told), written(&untold));
    assert_eq!(told.keys().collect::<BTreeSet<_>>(), untold_now.keys().collect::<BTreeSet<_>>());
    let mut names = BTreeSet::new();
    for (marker, (author, text)) in &told {
        assert!(!text.contains("[author "), "{marker} has a line that says what is logged: {text}");
        let (logged, text) = &untold_now[marker];
        assert_eq!(*logged, None, "{marker}");
        // What is only scheduled shows no author.
        if let Some(author) = author {
            assert!(text.contains(&format!("[author {author}]\n\n{marker}")), "{author}: {text}");
            names.insert(author.clone());
        }
    }
    assert!(names.len() > 2, "hardly anybody wrote anything: {names:?}");
    for map in maps.iter().filter_map(|map| map.proof.as_ref()) {
        let open: u64 = map.fields.iter().map(|field| field.open()).sum();
        assert_eq!(open, 0, "the line is taken for a difference");
    }
    let before = untold.account.dump();
    migrated(&untold);
    assert!(before == untold.account.dump(), "a second run changes the account");
}

#[test]
fn a_team_owns_what_nobody_else_does() {
    let example = std::fs::read_to_string(root().join("examples/acme/acme.b2n")).expect("the example");
    let spec = example.replace(
        "otherwise             => \"ops@acme.example\"",
        "otherwise             => \"team Sales team\"",
    );
    assert_ne!(spec, example);
    let counts = Counts { companies: 12, contacts: 25, deals: 25, leads: 0 };
    let checked = check_spec(&SourceText::new("teams.b2n", spec));
    let portal = Portal::acme_with(counts, 7);
    let world = World::with(checked, portal, Company::acme(), 32, Faults::default());
    let maps = migrated(&world);
    let dump = world.account.dump();
    for (list, owner) in [("leads", "assignee"), ("accounts", "owner"), ("contacts", "owner")] {
        let rows = dump[list].as_array().expect("a list");
        let of = |entity: &str| rows.iter().filter(|row| row[owner]["entityType"] == entity).count();
        assert!(
            of("Teams") > 0 && of("Users") > 0,
            "{list}: {} of teams, {} of users",
            of("Teams"),
            of("Users")
        );
        let named = |row: &&Json| row[owner]["entityType"] == "Teams";
        assert!(rows.iter().filter(named).all(|row| row[owner]["name"] == "Sales team"));
    }
    for map in maps.iter().filter_map(|map| map.proof.as_ref()) {
        let owner = map.fields.iter().find(|field| field.field == "owner").expect("an owner");
        assert!(owner.same > 0 && owner.differing.is_empty(), "{owner:?}");
    }
}
