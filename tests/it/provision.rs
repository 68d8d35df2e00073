//! What is so in the destination before records move: fields made ahead, checks that only a person can satisfy, items
//! that only a person can confirm. The oracle is the destination twin; b2n's own survey counts for nothing where the
//! twin can be asked.

use b2n::run::connect::{Presence, Provision, Provisioned};
use b2n::run::engine::{Error, Item, Made, Survey};
use b2n::run::twin::bitrix24::generate::Counts;
use b2n::run::twin::nutshell::{Company, FieldType, Kind};

use crate::world::{DieAt, Faults, World};

const FEW: Counts = Counts { companies: 6, contacts: 9, deals: 8, leads: 0 };

fn world() -> World {
    World::new(FEW, 11, Faults::default())
}

/// A world in which records move only after somebody's word.
fn careful() -> World {
    let mut world = world();
    world.settings.confirmed_only = true;
    world
}

fn survey(world: &World) -> Survey {
    let found = world.process(&DieAt::default(), async |engine| engine.survey().await);
    found.unwrap_or_else(|error| panic!("{error}"))
}

fn ahead(world: &World, points: &DieAt) -> Result<Vec<Made>, Error> {
    world.process(points, async |engine| {
        engine.bind_destination().await?;
        let survey = engine.survey().await?;
        engine.provision_ahead(&survey).await
    })
}

fn confirm(world: &World, items: &[&str]) -> Result<(), Error> {
    let items: Vec<String> = items.iter().map(|item| (*item).to_owned()).collect();
    world.process(&DieAt::default(), async |engine| {
        let mut survey = engine.survey().await?;
        engine.confirm(&mut survey, &items)?;
        let named = |item: &&Item| items.iter().any(|name| name == item.work.item);
        assert!(survey.items.iter().filter(named).all(|item| item.confirmed_ms.is_some()));
        Ok(())
    })
}

fn open(survey: &Survey) -> Vec<&'static str> {
    survey.open().map(|item| item.work.item).collect()
}

/// Custom fields that the twin holds, by object and name.
fn fields(world: &World) -> Vec<(Kind, String)> {
    let mut found: Vec<(Kind, String)> = world
        .account
        .with(|company| company.fields.iter().map(|field| (field.kind, field.name.clone())).collect());
    found.sort();
    found
}

/// How many custom fields the twin was asked to make.
fn asked(world: &World) -> u64 {
    let log = world.account.log();
    log.requests.iter().filter(|(name, _)| name.ends_with("/customfield")).map(|(_, n)| n).sum()
}

/// How many records the twin holds.
fn records(world: &World) -> usize {
    let count = |kind| world.account.with(|company| company.all(kind).count());
    count(Kind::Accounts) + count(Kind::Contacts) + count(Kind::Leads)
}

#[test]
fn what_is_made_ahead_is_left_alone_by_everything_after() {
    let world = world();
    let before = survey(&world);
    assert!(before.missing() > 10 && fields(&world).is_empty(), "{before:?}");
    assert_eq!(asked(&world), 0, "a survey writes nothing");
    let made = ahead(&world, &DieAt::default()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(made.len(), before.missing());
    assert!(made.iter().all(|made| made.became == Provisioned::Created));
    let (there, sent) = (fields(&world), asked(&world));
    let wanted = before.makes.iter().filter(|making| matches!(making.provision, Provision::Field(_))).count();
    assert_eq!((there.len(), sent), (wanted, wanted as u64));

    let after = survey(&world);
    assert!(after.makes.iter().all(|making| making.presence == Presence::There), "{after:?}");
    assert_eq!(ahead(&world, &DieAt::default()).map(|made| made.len()).ok(), Some(0));
    let report = world.live(&DieAt::default()).unwrap_or_else(|error| panic!("{error}"));
    assert!(report.closes());
    assert_eq!((fields(&world), asked(&world)), (there, sent), "the migration makes none again");
}

#[test]
fn what_was_made_ahead_is_taken_back_as_far_as_the_api_goes() {
    let world = world();
    let choices = |world: &World| {
        world.account.with(|company| {
            let tags = company.tags.iter().filter(|tag| tag.deleted.is_none());
            let tags = tags.map(|tag| (format!("{:?}", tag.kind), tag.name.clone()));
            let sources = company.sources.iter().filter(|source| source.deleted.is_none());
            let sources = sources.map(|source| ("source".to_owned(), source.name.clone()));
            tags.chain(sources).collect::<std::collections::BTreeSet<_>>()
        })
    };
    let before = choices(&world);
    ahead(&world, &DieAt::default()).unwrap_or_else(|error| panic!("{error}"));
    let (made, there) = (choices(&world), fields(&world));
    assert!(made.len() > before.len() && !there.is_empty(), "the example needs tags or sources");
    let report = world.roll_back(&DieAt::default(), None).unwrap_or_else(|error| panic!("{error}"));
    assert!(report.anew && report.as_announced(), "{report:?}");
    assert_eq!(choices(&world), before);
    assert_eq!(fields(&world), there, "no API deletes a field");
    let again = world.announce(None);
    assert!(matches!(again, Err(Error::NoRollback(_))), "{again:?}");
    let report = world.live(&DieAt::default()).unwrap_or_else(|error| panic!("{error}"));
    assert!(report.closes());
}

#[test]
fn a_death_at_any_point_makes_no_field_twice_and_forgets_none() {
    let clean = world();
    ahead(&clean, &DieAt::default()).unwrap_or_else(|error| panic!("{error}"));
    let mut deaths = 0;
    for point in ["provision.send", "provision.done"] {
        for nth in 1.. {
            let world = world();
            let died = ahead(&world, &DieAt { point: Some((point, nth)), ..DieAt::default() });
            if died.is_ok() {
                break;
            }
            assert!(matches!(died, Err(Error::Interrupted)), "{died:?}");
            deaths += 1;
            ahead(&world, &DieAt::default()).unwrap_or_else(|error| panic!("{point} {nth}: {error}"));
            assert_eq!(fields(&world), fields(&clean), "{point} {nth}");
            // What a rollback goes by.
            let notes = world.workspace.notes_of("provisioned ").expect("notes");
            let of_fields = notes.iter().filter(|note| note.contains(" field ")).count();
            assert_eq!(of_fields, fields(&world).len(), "{point} {nth}");
            for note in notes {
                assert_eq!(
                    world.workspace.note(&note).expect("a note").as_deref(),
                    Some("created"),
                    "{note}"
                );
            }
        }
    }
    assert!(deaths > 20, "{deaths}");
}

#[test]
fn a_field_that_does_not_fit_keeps_every_other_from_being_made() {
    let plan = world().checked.plan;
    let object = |object: &str| match object {
        "Account" => Kind::Accounts,
        "Contact" => Kind::Contacts,
        _ => Kind::Leads,
    };
    for field in &plan.provision {
        let other = if field.kind == "date" { FieldType::Text } else { FieldType::Date };
        let world = world();
        world
            .account
            .with(|company| company.add_field(object(&field.object), &field.label, other, Vec::new(), false));
        let found = survey(&world);
        let conflicts: Vec<String> = found.conflicts().map(|problem| problem.what).collect();
        assert_eq!(conflicts.len(), 1, "{conflicts:?}");
        assert!(conflicts[0].contains(&format!("`{}`", field.label)), "{conflicts:?}");
        assert!(matches!(ahead(&world, &DieAt::default()), Err(Error::Preflight(_))));
        assert!(matches!(world.live(&DieAt::default()), Err(Error::Preflight(_))));
        assert_eq!((fields(&world).len(), asked(&world)), (1, 0), "{}", field.label);
    }
    // A choice that somebody has to add: each that is missing is told, and one that is there is not.
    let listed = plan.provision.iter().find(|field| field.choices.len() > 1).expect("a field with choices");
    let world = world();
    let there = vec![listed.choices[0].clone()];
    world.account.with(|company| {
        company.add_field(object(&listed.object), &listed.label, FieldType::Decision, there, listed.many)
    });
    let told: Vec<String> = survey(&world).conflicts().map(|problem| problem.what).collect();
    assert_eq!(told.len(), listed.choices.len() - 1, "{told:?}");
    for choice in &listed.choices[1..] {
        assert!(told.iter().any(|told| told.contains(&format!("`{choice}`"))), "{choice}: {told:?}");
    }
}

/// Takes something out of the account that a requirement names.
fn take(company: &mut Company, kind: &str, of: &str, name: &str) {
    let set = |company: &Company, name: &str| {
        company.stagesets.iter().find(|set| set.name == name).map_or(0, |set| set.id)
    };
    match (kind, of) {
        ("pipeline", _) => company.stagesets.retain(|set| set.name != name),
        ("stage", _) => {
            let set = set(company, of);
            company.milestones.retain(|stage| stage.stageset != set || stage.name != name);
        }
        ("outcome", _) => company.outcomes.retain(|outcome| outcome.description != name),
        ("user", _) => {
            let gone = company.users.iter_mut().filter(|user| user.id.to_string() == name);
            gone.for_each(|user| user.enabled = false);
        }
        ("choice", "Lead.market") => company.markets.retain(|market| market.name != name),
        ("choice", "Activity.type") => company.activity_types.retain(|row| row.name != name),
        ("choice", "Account.industry") => company.industries.retain(|row| row.name != name),
        ("choice", "Account.accountType") => company.account_types.retain(|row| row.name != name),
        _ => panic!("no way to take a {kind} of {of}"),
    }
}

#[test]
fn everything_that_only_a_person_can_make_is_looked_for_live() {
    let plan = world().checked.plan;
    let by_hand: Vec<_> = plan.requires.iter().filter(|required| required.kind != "open choice").collect();
    assert!(by_hand.len() > 15, "{by_hand:?}");
    let mut kinds = std::collections::BTreeSet::new();
    for required in by_hand {
        let world = world();
        // Everything was there when somebody looked.
        assert_eq!(survey(&world).lacking().count(), 0);
        // The login's own user is needed to look at all.
        if required.kind == "user" && required.name == "1" {
            continue;
        }
        world.account.with(|company| take(company, &required.kind, &required.of, &required.name));
        let lacking: Vec<String> = survey(&world).lacking().map(|problem| problem.what.clone()).collect();
        let named = |text: &&String| text.contains(&format!("`{}`", required.name));
        assert!(lacking.iter().any(|text| named(&text)), "{required:?}: {lacking:?}");
        // A pipeline takes its stages with it, and an outcome stands for every pipeline.
        let with_it = plan.requires.iter().filter(|other| match required.kind.as_str() {
            "pipeline" => *other == required || other.kind == "stage" && other.of == required.name,
            "outcome" => other.kind == "outcome" && other.name == required.name,
            _ => *other == required,
        });
        assert_eq!(lacking.len(), with_it.count(), "{required:?}: {lacking:?}");
        assert!(matches!(world.live(&DieAt::default()), Err(Error::Preflight(_))), "{required:?}");
        assert_eq!((records(&world), asked(&world)), (0, 0), "{required:?}");
        kinds.insert(required.kind.as_str());
    }
    assert!(kinds.is_superset(&["outcome", "pipeline", "stage", "user"].into()), "{kinds:?}");
}

#[test]
fn a_pipeline_beyond_the_plan_is_told_before_a_record_moves() {
    let world = world();
    let required: Vec<&str> = world
        .checked
        .plan
        .requires
        .iter()
        .filter(|required| required.kind == "pipeline")
        .map(|required| required.name.as_str())
        .collect();
    for limit in 0..=required.len() {
        world.account.configure(|settings| settings.limits.pipelines = Some(limit));
        let closed: Vec<String> = world.account.with(|company| {
            let mut sets = company.stagesets.clone();
            sets.sort_by_key(|set| set.position);
            sets.into_iter().skip(limit).map(|set| set.name).collect()
        });
        let found = survey(&world);
        let told: Vec<&str> = found
            .checks
            .iter()
            .filter(|check| check.lack.is_some())
            .map(|check| check.name.as_str())
            .collect();
        let mut expected: Vec<&str> =
            required.iter().copied().filter(|name| closed.iter().any(|closed| closed == name)).collect();
        expected.sort_unstable();
        assert_eq!(told, expected, "at most {limit}");
        if !told.is_empty() {
            let refused = world.live(&DieAt::default());
            let Err(Error::Preflight(problems)) = refused else { panic!("{refused:?}") };
            assert!(
                problems.iter().all(|problem| problem.what.contains("plan does not allow")),
                "{problems:?}"
            );
            assert_eq!((records(&world), asked(&world)), (0, 0));
        }
    }
    world.live(&DieAt::default()).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_limit_of_fields_that_is_reached_midway_is_named_and_nothing_is_made_twice() {
    let clean = world();
    ahead(&clean, &DieAt::default()).unwrap_or_else(|error| panic!("{error}"));
    let world = world();
    for limit in [0, 3, 5] {
        world.account.configure(|settings| settings.limits.custom_fields = Some(limit));
        let stopped = ahead(&world, &DieAt::default());
        let Err(error) = stopped else { panic!("{stopped:?}") };
        let told = error.to_string();
        assert!(
            told.contains("allows no more custom fields") && told.contains("the account's plan may"),
            "{told}"
        );
        assert!(open(&survey(&world)).contains(&"custom-fields"));
    }
    world.account.configure(|settings| settings.limits.custom_fields = None);
    ahead(&world, &DieAt::default()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(fields(&world), fields(&clean));
    assert!(!open(&survey(&world)).contains(&"custom-fields"), "what is made asks nobody");
}

#[test]
fn no_record_moves_while_an_item_is_open() {
    let world = careful();
    let all = open(&survey(&world));
    assert_eq!(
        all,
        [
            "automations",
            "assignment-rules",
            "webhooks",
            "notifications",
            "mail-sync",
            "open-leads",
            "custom-fields"
        ]
    );
    let mut left = all.clone();
    while let Some(item) = left.first().copied() {
        let refused = world.live(&DieAt::default());
        let Err(Error::Unconfirmed(items)) = refused else { panic!("{refused:?}") };
        assert_eq!(items.iter().map(|item| item.work.item).collect::<Vec<_>>(), left);
        assert_eq!((records(&world), asked(&world)), (0, 0), "nothing at all is written");
        confirm(&world, &[item]).unwrap_or_else(|error| panic!("{error}"));
        left.remove(0);
    }
    let report = world.live(&DieAt::default()).unwrap_or_else(|error| panic!("{error}"));
    assert!(report.closes() && records(&world) > 0);
    // It is remembered: the same command goes on without a word.
    world.live(&DieAt::default()).unwrap_or_else(|error| panic!("{error}"));
    // An item that is settled may be confirmed once more; one that nobody knows is refused with all that is named.
    confirm(&world, &["custom-fields", "webhooks"]).unwrap_or_else(|error| panic!("{error}"));
    let unknown = confirm(&world, &["webhooks", "webhook"]);
    assert!(matches!(&unknown, Err(Error::NoItem { item, .. }) if item == "webhook"), "{unknown:?}");
}

#[test]
fn an_unknown_item_keeps_the_others_from_being_confirmed() {
    let world = careful();
    let before = open(&survey(&world));
    assert!(confirm(&world, &["webhooks", "nonsense"]).is_err());
    assert_eq!(open(&survey(&world)), before);
}

#[test]
fn more_than_was_confirmed_opens_the_item_again() {
    let mut world = careful();
    let all = open(&survey(&world));
    confirm(&world, &all).unwrap_or_else(|error| panic!("{error}"));
    assert!(open(&survey(&world)).is_empty());
    let leads = |world: &mut World, records: Option<u64>| {
        let maps = world.checked.plan.maps.iter_mut().filter(|map| map.target == "Lead");
        maps.for_each(|map| map.records = records);
    };
    let counted = world.checked.plan.maps.iter().find(|map| map.target == "Lead").and_then(|map| map.records);
    let counted = counted.expect("a count");
    for (records, expected) in [
        (Some(counted - 1), vec![]),
        (Some(counted + 1), vec!["open-leads"]),
        (None, vec!["open-leads"]),
        (Some(counted), vec![]),
    ] {
        leads(&mut world, records);
        assert_eq!(open(&survey(&world)), expected, "{records:?}");
    }
}

#[test]
fn what_is_missing_and_what_is_open_are_told_together() {
    let world = careful();
    world.account.with(|company| company.outcomes.clear());
    let refused = world.live(&DieAt::default());
    let Err(Error::Preflight(problems)) = refused else { panic!("{refused:?}") };
    for word in ["outcome", "`automations` is not confirmed"] {
        assert!(problems.iter().any(|problem| problem.what.contains(word)), "{word}: {problems:?}");
    }
}

#[test]
fn a_rollback_that_leaves_nothing_opens_the_items_again() {
    let world = careful();
    let all = open(&survey(&world));
    confirm(&world, &all).unwrap_or_else(|error| panic!("{error}"));
    world.live(&DieAt::default()).unwrap_or_else(|error| panic!("{error}"));
    let report = world.roll_back(&DieAt::default(), None).unwrap_or_else(|error| panic!("{error}"));
    assert!(report.anew);
    let left: Vec<&str> = all.into_iter().filter(|item| *item != "custom-fields").collect();
    assert_eq!(open(&survey(&world)), left, "the fields are there still");
    assert!(matches!(world.live(&DieAt::default()), Err(Error::Unconfirmed(_))));
}
