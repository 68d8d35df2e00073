//! Accounts, keys and answers that are not as they should be: each ends in a run that is through, or in one that stops, says why,
//! and comes to the same end once the cause is gone. The oracle is the destination of a run without any of it.

use std::cell::Cell;
use std::rc::Rc;

use b2n::lang::text::SourceText;
use b2n::run::connect::outside::{HttpRequest, HttpResponse};
use b2n::run::engine::RunReport;
use b2n::run::twin::bitrix24::Portal;
use b2n::run::twin::bitrix24::generate::Counts;
use b2n::run::twin::nutshell::settings::OnBad;
use b2n::run::twin::nutshell::{self, Company, Kind};

use crate::whole;
use crate::world::{DieAt, Faults, World, check_spec};

/// What the first run comes to.
enum Ends {
    /// It is through, and nothing is held back.
    Through,
    /// It is through; records are held back for a reason that has this in it.
    Held(&'static str),
    /// It stops and says this.
    Stopped(&'static [&'static str]),
}

struct Case {
    name: &'static str,
    /// What is wrong.
    spoil: fn(&World),
    ends: Ends,
    /// What somebody does about it.
    mend: fn(&World),
}

fn nothing(_: &World) {}

fn of_method(request: &HttpRequest) -> String {
    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap_or_default();
    body["method"].as_str().unwrap_or_default().to_owned()
}

fn answer(status: u16, body: &str) -> Option<HttpResponse> {
    Some(HttpResponse { status, headers: Vec::new(), body: body.as_bytes().to_vec() })
}

/// Does something to the account once, when this method is called for the nth time.
fn at(world: &World, method: &'static str, nth: u64, act: impl Fn(&nutshell::Twin) + 'static) {
    let (account, seen) = (Rc::clone(&world.account), Cell::new(0));
    world.wire.meddle(move |request| {
        if of_method(request) == method {
            seen.set(seen.get() + 1);
            if seen.get() == nth {
                act(&account);
            }
        }
        None
    });
}

/// A spec that names authors.
fn authored() -> String {
    let text = whole::spec().replace(
        "map activity -> Activity as meetings {\n  key ID\n",
        "map activity -> Activity as meetings {\n  key ID\n  author  <- user(RESPONSIBLE_ID)\n",
    );
    assert!(text.contains("author  <- user(RESPONSIBLE_ID)"));
    text
}

fn world() -> World {
    let counts = Counts { companies: 12, contacts: 25, deals: 25, leads: 20 };
    let checked = check_spec(&SourceText::new("authored.b2n", authored()));
    World::with(checked, Portal::acme_with(counts, 7), Company::acme(), 5, Faults::default())
}

const CASES: [Case; 12] = [
    Case {
        name: "a key without impersonation",
        spoil: |world| world.account.configure(|settings| settings.keys[0].impersonation = false),
        // Nothing tells beforehand: what is written is logged under the key.
        ends: Ends::Through,
        mend: nothing,
    },
    Case {
        name: "a user without the right to delete",
        spoil: |world| world.account.configure(|settings| settings.may_delete = false),
        ends: Ends::Through,
        mend: |world| {
            let refused = world.announce(None).expect_err("is refused").to_string();
            assert!(refused.contains("may not delete records"), "{refused}");
            world.account.configure(|settings| settings.may_delete = true);
            world.announce(None).unwrap_or_else(|error| panic!("{error}"));
        },
    },
    Case {
        name: "an owner who was disabled",
        spoil: |world| disable(world, false),
        ends: Ends::Stopped(&["make user 2 active in the destination, or name another in `owners`"]),
        mend: |world| disable(world, true),
    },
    Case {
        name: "a custom field that is deleted midway, and is refused",
        spoil: |world| at(world, "newContact", 5, |account| rename_field(account, "Contacts", false)),
        ends: Ends::Stopped(&["does not close", "8 failed", "lists 0 of 4"]),
        mend: |world| rename_field(&world.account, "Contacts", true),
    },
    Case {
        name: "a custom field that is deleted midway, and is left out silently",
        spoil: |world| {
            world.account.configure(|settings| settings.dialect.unknown_custom_field = OnBad::Drop);
            at(world, "newContact", 5, |account| rename_field(account, "Contacts", false));
        },
        ends: Ends::Stopped(&["marker", "`Bitrix24 key`"]),
        mend: |world| rename_field(&world.account, "Contacts", true),
    },
    Case {
        name: "a stage that is moved to another pipeline",
        spoil: |world| at(world, "newLead", 4, |account| move_stages(account, true)),
        ends: Ends::Held("stage"),
        mend: |world| move_stages(&world.account, false),
    },
    Case {
        name: "a plan's limit that is reached midway",
        spoil: |world| world.account.configure(|settings| settings.limits.open_leads = Some(7)),
        ends: Ends::Stopped(&["7 open leads"]),
        mend: |world| world.account.configure(|settings| settings.limits.open_leads = None),
    },
    Case {
        name: "edits that are out of date again and again",
        spoil: |world| {
            let seen = Cell::new(0u64);
            world.wire.meddle(move |request| {
                let edit = of_method(request).starts_with("edit");
                seen.set(seen.get() + u64::from(edit));
                let stale =
                    r#"{"result":null,"id":"x","error":{"code":409,"message":"rev key is out-of-date"}}"#;
                if edit && !seen.get().is_multiple_of(5) { answer(409, stale) } else { None }
            });
        },
        ends: Ends::Stopped(&["changed 6 times in a row", "run the same command again"]),
        mend: nothing,
    },
    Case {
        name: "HTML 404 where records are read",
        spoil: |world| {
            world.wire.meddle(|request| {
                let html = "<!DOCTYPE html><title>404 Not Found</title>";
                if of_method(request).starts_with("find") { answer(404, html) } else { None }
            });
        },
        ends: Ends::Stopped(&["404"]),
        mend: nothing,
    },
    Case {
        name: "HTML 404 where records are written",
        spoil: |world| {
            let seen = Cell::new(0u64);
            world.wire.meddle(move |request| {
                let write = of_method(request).starts_with("new");
                seen.set(seen.get() + u64::from(write));
                let html = "<!DOCTYPE html><title>404 Not Found</title>";
                if write && seen.get().is_multiple_of(9) { answer(404, html) } else { None }
            });
        },
        ends: Ends::Through,
        mend: nothing,
    },
    Case {
        name: "bodies that are cut",
        spoil: |world| world.wire.spoil(Faults { cut: 0.2, ..Faults::default() }),
        ends: Ends::Through,
        mend: nothing,
    },
    Case {
        name: "answers that are lost after the commit, and writes that are done late",
        spoil: |world| {
            world.wire.spoil(Faults { lost: 0.1, late: 0.1, late_ms: 80_000, ..Faults::default() });
        },
        ends: Ends::Through,
        mend: nothing,
    },
];

/// Users whom the plan names are there and may not be used.
fn disable(world: &World, enabled: bool) {
    world.account.with(|company| {
        for user in company.users.iter_mut().filter(|user| !user.admin) {
            user.enabled = enabled;
        }
    });
}

/// The field of the markers under another name is no field of theirs.
fn rename_field(account: &nutshell::Twin, entity: &str, back: bool) {
    let (from, to) = if back { ("Renamed", "Bitrix24 key") } else { ("Bitrix24 key", "Renamed") };
    account.with(|company| {
        let mut found = 0;
        for field in
            company.fields.iter_mut().filter(|field| field.name == from && field.kind == Kind::Contacts)
        {
            field.name = to.to_owned();
            found += 1;
        }
        assert_eq!(found, 1, "{entity} has the field");
    });
}

/// Puts the stages of the first pipeline into the second one, and back.
fn move_stages(account: &nutshell::Twin, away: bool) {
    account.with(|company| {
        let sets: Vec<i64> = company.stagesets.iter().map(|set| set.id).collect();
        let swap = |id: i64| match sets.iter().position(|set| *set == id) {
            Some(0) => sets[1],
            Some(1) => sets[0],
            _ => id,
        };
        let _ = away;
        for milestone in &mut company.milestones {
            milestone.stageset = swap(milestone.stageset);
        }
    });
}

fn held(run: &RunReport) -> u64 {
    run.maps.iter().map(|map| map.tally.quarantined + map.tally.failed).sum()
}

/// Reasons of everything that is held back.
fn reasons(world: &World, run: &RunReport) -> Vec<String> {
    let mut all = Vec::new();
    for map in &run.maps {
        for status in [b2n::run::workspace::Status::Quarantined, b2n::run::workspace::Status::Failed] {
            all.extend(
                world.workspace.reasons(&map.map, status).expect("reasons").into_iter().map(|(why, _)| why),
            );
        }
    }
    all
}

#[test]
fn what_is_not_as_it_should_be_ends_or_stops_and_goes_on() {
    let clean = world();
    let run = clean.live(&DieAt::default()).unwrap_or_else(|error| panic!("{error}"));
    assert!(run.closes(), "{:?}", run.maps);
    let (expected, held_back) = (whole::picture(&clean), held(&run));
    let mut wrong = Vec::new();
    for case in &CASES {
        let world = world();
        (case.spoil)(&world);
        match (world.live(&DieAt::default()), &case.ends) {
            (Ok(run), Ends::Through) if run.closes() && held(&run) == held_back => {}
            (Ok(run), Ends::Held(why)) if run.closes() && held(&run) > held_back => {
                let reasons = reasons(&world, &run);
                if !reasons.iter().any(|reason| reason.to_lowercase().contains(why)) {
                    wrong.push(format!("{}: no reason has `{why}` in it: {reasons:?}", case.name));
                }
            }
            (Err(error), Ends::Stopped(words)) => {
                let text = format!("{error} {error:?}");
                for word in words.iter().filter(|word| !text.contains(**word)) {
                    wrong.push(format!("{}: `{word}` is not said: {text}", case.name));
                }
            }
            (Ok(run), _) => {
                wrong.push(format!(
                    "{}: through, {} held back: {:?}",
                    case.name,
                    held(&run),
                    reasons(&world, &run)
                ));
            }
            (Err(error), _) => wrong.push(format!("{}: {error}", case.name)),
        }
        // The cause goes away, and the same command goes on.
        world.wire.meddle(|_| None);
        world.wire.spoil(Faults::default());
        (case.mend)(&world);
        match world.live(&DieAt::default()) {
            Ok(run) if run.closes() && held(&run) == held_back => {
                let found = whole::picture(&world);
                let differing: Vec<_> = found.symmetric_difference(&expected).take(4).collect();
                if !differing.is_empty() {
                    wrong.push(format!("{}: another end: {differing:?}", case.name));
                }
            }
            Ok(run) => wrong.push(format!("{}: afterwards: {:?}", case.name, reasons(&world, &run))),
            Err(error) => wrong.push(format!("{}: afterwards: {error} {error:?}", case.name)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
