//! Specs and source records that change after a migration began. The oracle is the destination twin: after the edit run
//! it holds what a clean run of the new plan over the new records makes, less what people changed.

use std::collections::{BTreeMap, BTreeSet};

use b2n::lang::text::SourceText;
use b2n::run::connect::outside::{Clock, Random};
use b2n::run::engine::{Changes, Error, MapChange, POINTS, RecordName, RunReport, Selection};
use b2n::run::rehearsal::SplitMix;
use b2n::run::twin::bitrix24::Portal;
use b2n::run::twin::bitrix24::generate::Counts;
use b2n::run::twin::nutshell::{Company, Kind};
use b2n::run::workspace::{Restaged, Status};
use serde_json::{Value as Json, json};

use crate::rollback::by_hand;
use crate::whole;
use crate::world::{Checked, DieAt, Faults, World, check_spec};

const MARKER: &str = "Bitrix24 key";
const ADMIN: &str = "admin@acme.example";

/// Lists of a dump and what the twin calls their records.
const LISTS: [(&str, &str); 6] = [
    ("accounts", "Accounts"),
    ("contacts", "Contacts"),
    ("leads", "Leads"),
    ("products", "Products"),
    ("activities", "Activities"),
    ("notes", "Notes"),
];

/// Made by the destination itself, or told by another side.
const OWN: [&str; 29] = [
    "id",
    "rev",
    "createdTime",
    "modifiedTime",
    "closedTime",
    "date",
    "deletedTime",
    "htmlUrl",
    "htmlUrlPath",
    "number",
    "activitiesCount",
    "contactedCount",
    "lastContactedDate",
    "processes",
    "clonedFrom",
    "avatarUrl",
    "avatar",
    "nextStepDueTime",
    "urgency",
    "normalizedValue",
    "notes",
    "mentions",
    "creator",
    "completion",
    "estimatedValue",
    "isOverdue",
    "noteHtml",
    "originId",
    "channels",
];

/// Changes of the spec: what they are called, the text that is there, and what takes its place.
const CHANGES: &[(&str, &str, &str)] = &[
    (
        "a row of a table",
        "=> \"Technology\"\n  \"TELECOM\" `Телекоммуникации и связь`      => \"Telecommunications\"",
        "=> \"Telecommunications\"\n  \"TELECOM\" `Телекоммуникации и связь` => \"Technology\"",
    ),
    (
        "a stage",
        "\"NEW\" `Новая`                         => stage \"Qualify\"\n  \"PREPARATION\" `Подготовка`            => stage \"Proposal\"",
        "\"NEW\" `Новая` => stage \"Proposal\"\n  \"PREPARATION\" `Подготовка` => stage \"Qualify\"",
    ),
    (
        "an end",
        "\"UC_7F3K\" `На паузе`                  => stage \"On hold\"\n  \"WON\" `Успех`                         => won \"Signed\"",
        "\"UC_7F3K\" `На паузе` => won \"Signed\"\n  \"WON\" `Успех` => stage \"On hold\"",
    ),
    (
        "an owner",
        "\"sveta@acme.example\"  => \"svetlana@acme.example\"",
        "\"sveta@acme.example\"  => \"ops@acme.example\"",
    ),
    ("a label", "\"MOBILE\"  => \"mobile\"", "\"MOBILE\"  => \"cell\""),
    (
        "a field that is new",
        "drop LAST_ACTIVITY_BY, LAST_ACTIVITY_TIME declined",
        "custom \"Last active\"  text  <- \"{LAST_ACTIVITY_TIME}\"  narrowed because \"a text\"\n  drop LAST_ACTIVITY_BY declined",
    ),
    (
        "a custom field that is dropped",
        "custom \"Phones as typed\"  text            <- join(\"; \", PHONE)\n",
        "drop nothing_of_phones\n",
    ),
    ("a note", "note \"Full title\"  <- \"{TITLE} ({ID})\"", "note \"Full title\"  <- \"{TITLE} / {ID}\""),
    ("a second pass", ").name\n    else unset", ").`Bitrix24`\n    else unset"),
    ("a split", "when SOURCE_ID == \"CALL\"", "when SOURCE_ID == \"EMAIL\""),
    ("a filter", "where not IS_RECURRING", "where ID > 9 and not IS_RECURRING"),
    ("a folded field", "<- count()  summarised", "<- \"{count()} pieces\"  summarised"),
];

pub fn spec_with(changes: &[usize]) -> String {
    // What is no longer mapped goes, so that what stays is what a clean run makes.
    let mut text = whole::spec()
        .replace("  on delete list\n", "")
        .replace("\n  key ID\n", "\n  key ID\n  on delete delete\n");
    text = text.replace(
        "else quarantine  on unmigrated quarantine\n  body",
        "else quarantine  on unmigrated skip \"of what stays\"\n  body",
    );
    for at in changes {
        let (what, from, to) = CHANGES[*at];
        let to = to.replace("drop nothing_of_phones\n", "").replace(".`Bitrix24`", ".description");
        assert!(text.contains(from), "the spec has no {what}");
        text = text.replacen(from, &to, 1);
    }
    text
}

pub fn world_of(text: String, seed: u64, faults: Faults) -> World {
    let counts = Counts { companies: 8, contacts: 9, deals: 12, leads: 9 };
    let checked = check_spec(&SourceText::new("whole.b2n", text));
    World::with(checked, Portal::acme_with(counts, 7), Company::acme(), seed, faults)
}

pub fn goes_on_with(world: &mut World, text: String) {
    world.checked = check_spec(&SourceText::new("whole.b2n", text));
}

pub fn agreed(world: &World) -> Selection {
    Selection { change: Some(world.checked.plan.hash()), ..Selection::default() }
}

fn run(world: &World, points: &DieAt) -> Result<RunReport, Error> {
    let selection = agreed(world);
    world.process(points, async |engine| engine.migrate_part(&selection).await)
}

fn ok<T>(result: Result<T, Error>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
pub fn closes(world: &World) -> RunReport {
    for _ in 0..40 {
        match run(world, &DieAt::default()) {
            Ok(run) => {
                assert!(run.closes(), "{:#?}", run.maps.iter().map(|map| map.equation()).collect::<Vec<_>>());
                return run;
            }
            // Nobody answered often enough: a person starts it again.
            Err(Error::Connect(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    panic!("forty runs were not enough");
}

fn changes(world: &World) -> Option<Changes> {
    ok(world.process(&DieAt::default(), async |engine| engine.changes()))
}

pub fn of<'c>(changes: &'c Changes, map: &str) -> &'c MapChange {
    changes.maps.iter().find(|one| one.map == map).unwrap_or_else(|| panic!("no map `{map}`"))
}

/// Everything that stands in the destination, by marker, without its own ids and times.
pub fn state(world: &World) -> BTreeMap<String, Json> {
    world.wire.settle(i64::MAX);
    let mut ids: BTreeMap<(String, i64), String> = BTreeMap::new();
    for (_, entity) in LISTS {
        for (marker, records) in world.account.markers(entity, MARKER) {
            let several = records.len() > 1;
            for (at, id) in records.into_iter().enumerate() {
                let name = if several { format!("{marker} {at}") } else { marker.clone() };
                ids.insert((entity.to_owned(), id), name);
            }
        }
    }
    let dump = world.account.dump();
    let mut found = BTreeMap::new();
    for (list, entity) in LISTS {
        for row in dump[list].as_array().expect("a list") {
            if !row["deletedTime"].is_null() {
                continue;
            }
            let id = row["id"].as_i64().or_else(|| row["id"].as_str()?.parse().ok()).expect("an id");
            let marker = ids
                .get(&(entity.to_owned(), id))
                .cloned()
                .unwrap_or_else(|| format!("{id} without a marker"));
            let mut shown = bare(row, &ids, true);
            if list == "leads" {
                shown.as_object_mut().expect("a record").remove("name");
            }
            if matches!(list, "accounts" | "contacts") {
                // Told from the other side.
                let record = shown.as_object_mut().expect("a record");
                record.remove("leads");
                if list == "accounts" {
                    record.remove("contacts");
                }
            }
            found.insert(format!("{entity} {marker}"), shown);
        }
    }
    found
}

fn bare(value: &Json, ids: &BTreeMap<(String, i64), String>, outer: bool) -> Json {
    match value {
        Json::Object(map) => {
            let entity = map.get("entityType").and_then(Json::as_str).unwrap_or_default();
            if let (false, Some(id)) = (outer, map.get("id").and_then(Json::as_i64))
                && let Some(marker) = ids.get(&(entity.to_owned(), id))
            {
                return json!({"to": marker, "as": map.get("relationship"), "many": map.get("quantity"), "for": map.get("price")});
            }
            let kept = map.iter().filter(|(key, _)| !OWN.contains(&key.as_str()));
            Json::Object(kept.map(|(key, value)| (key.clone(), bare(value, ids, false))).collect())
        }
        Json::Array(list) => {
            let mut list: Vec<Json> = list.iter().map(|value| bare(value, ids, false)).collect();
            list.sort_by_key(Json::to_string);
            Json::Array(list)
        }
        plain => plain.clone(),
    }
}

#[track_caller]
pub fn same(found: &BTreeMap<String, Json>, wanted: &BTreeMap<String, Json>, what: &str) {
    let all: BTreeSet<&String> = found.keys().chain(wanted.keys()).collect();
    let mut differ = Vec::new();
    for key in all {
        match (found.get(key), wanted.get(key)) {
            (Some(found), Some(wanted)) if found != wanted => {
                let (one, other) =
                    (found.as_object().expect("a record"), wanted.as_object().expect("a record"));
                for (field, value) in one.iter().filter(|(field, value)| other.get(*field) != Some(value)) {
                    let other = other.get(field).unwrap_or(&Json::Null);
                    match (value.as_object(), other.as_object()) {
                        (Some(one), Some(other)) => {
                            let keys: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
                            let keys = keys.into_iter().filter(|key| one.get(*key) != other.get(*key));
                            differ.extend(keys.map(|part| {
                                format!(
                                    "{key}.{field}.{part}: {:?} instead of {:?}",
                                    one.get(part),
                                    other.get(part)
                                )
                            }));
                        }
                        _ => differ.push(format!("{key}.{field}: {value} instead of {other}")),
                    }
                }
            }
            (None, Some(_)) => differ.push(format!("{key} is missing")),
            (Some(_), None) => differ.push(format!("{key} is too many")),
            _ => {}
        }
    }
    assert!(differ.is_empty(), "{what}: {} differ: {:#?}", differ.len(), &differ[..differ.len().min(12)]);
}

fn clean(text: String) -> BTreeMap<String, Json> {
    let world = world_of(text, 1, Faults::default());
    closes(&world);
    state(&world)
}

/// What a clean run over another portal makes.
pub fn clean_of(checked: Checked, portal: Portal) -> BTreeMap<String, Json> {
    let world = World::with(checked, portal, Company::acme(), 1, Faults::default());
    closes(&world);
    state(&world)
}

fn writes(world: &World) -> u64 {
    world.workspace.writes().expect("a count")
}

/// Why records that stand are left out.
fn left_standing(world: &World) -> Vec<(String, u64)> {
    let maps = world.checked.plan.maps.iter().map(|map| map.name.clone());
    let both = maps.flat_map(|map| [format!("notes of {map}"), map]);
    let of = |map: String| {
        let reasons = world.workspace.reasons(&map, Status::LeftOut).expect("reasons").into_iter();
        reasons.map(move |(why, records)| (format!("{map}: {why}"), records))
    };
    both.flat_map(of).filter(|(why, _)| why.contains("kept, since")).collect()
}

/// Runs once more: nothing may be written, here or there.
#[track_caller]
pub fn rests(world: &World, what: &str) {
    let before = (world.account.dump(), writes(world));
    closes(world);
    assert_eq!(writes(world), before.1, "{what}: a run of an unchanged plan writes");
    assert!(world.account.dump() == before.0, "{what}: a run of an unchanged plan changes the account");
}

#[test]
fn every_change_of_a_spec_comes_to_what_a_clean_run_makes() {
    let before = clean(spec_with(&[]));
    for (at, (what, ..)) in CHANGES.iter().enumerate() {
        let wanted = clean(spec_with(&[at]));
        assert!(wanted != before, "{what} changes nothing");
        let mut world = world_of(spec_with(&[]), 1, Faults::default());
        closes(&world);
        same(&state(&world), &before, what);
        goes_on_with(&mut world, spec_with(&[at]));
        let told = changes(&world).expect("something changes");
        assert!(told.is_of_the_plan() && !told.is_nothing(), "{what}: {told:#?}");
        let written = writes(&world);
        closes(&world);
        same(&state(&world), &wanted, what);
        rests(&world, what);
        // Only what moved was written: the announcement is the run.
        let edited: u64 = told.maps.iter().map(|map| map.edited + map.created).sum();
        let away: u64 = told.maps.iter().flat_map(|map| map.taken_away.values()).sum();
        let done = writes(&world) - written;
        assert!(done >= edited + away, "{what}: {done} writes, {edited} + {away} announced");
        assert!(done <= 3 * (edited + away) + 8, "{what}: {done} writes, {edited} + {away} announced");
        // And back again.
        goes_on_with(&mut world, spec_with(&[]));
        closes(&world);
        same(&state(&world), &before, &format!("{what}, and back"));
    }
}

#[test]
fn another_plan_is_refused_until_somebody_agrees_and_telling_writes_nothing() {
    let mut world = world_of(spec_with(&[]), 2, Faults::default());
    closes(&world);
    assert_eq!(changes(&world), None);
    goes_on_with(&mut world, spec_with(&[0, 5]));
    let dump = world.account.dump();
    let error = world.live(&DieAt::default()).expect_err("is refused").to_string();
    assert!(error.contains("--yes-change"), "{error}");
    let told = changes(&world).expect("changes");
    assert_eq!(changes(&world).as_ref(), Some(&told), "the same twice");
    let companies = of(&told, "company");
    assert!(companies.edited > 0 && companies.fields["Last active"] == companies.edited, "{companies:#?}");
    assert!(companies.fields["industry"] > 0 && companies.fields["industry"] < companies.edited);
    let contacts = of(&told, "contact");
    assert_eq!((contacts.edited, contacts.created), (0, 0), "{contacts:#?}");
    assert!(contacts.stays > 0);
    assert!(world.account.dump() == dump, "something was written");
    let tally = world.workspace.tally("company").expect("a tally");
    assert_eq!(companies.stays + companies.edited, tally.arrived());
    closes(&world);
    assert_eq!(changes(&world), None);
}

#[test]
fn a_table_that_changes_after_half_of_the_records_loses_and_doubles_nothing() {
    let wanted = clean(spec_with(&[0, 1, 4]));
    for (point, nth) in [
        ("load.landed", 12),
        ("load.answered", 30),
        ("load.intent", 7),
        ("load.edit", 4),
        ("phase.closed", 1),
    ] {
        let mut world = world_of(spec_with(&[]), 3, Faults { lost: 0.1, ..Faults::default() });
        world.settings.sends = 12;
        let died = run(&world, &DieAt { point: Some((point, nth)), ..DieAt::default() });
        assert!(matches!(died, Err(Error::Interrupted)), "{point} {nth}");
        goes_on_with(&mut world, spec_with(&[0, 1, 4]));
        let told = changes(&world).expect("changes");
        assert!(told.maps.iter().any(|map| map.created > 0), "{told:#?}");
        closes(&world);
        same(&state(&world), &wanted, &format!("{point} {nth}"));
        rests(&world, point);
    }
}

#[test]
fn deaths_at_every_point_and_lost_answers_in_an_edit_run_come_to_the_same() {
    let all = [0, 1, 2, 4, 5, 6, 7, 9, 10, 11];
    let wanted = clean(spec_with(&all));
    let mut never = Vec::new();
    for point in POINTS {
        let mut died = 0;
        for nth in [1, 7] {
            let mut world = world_of(spec_with(&[]), 4, Faults::default());
            closes(&world);
            goes_on_with(&mut world, spec_with(&all));
            world.wire.spoil(Faults { lost: 0.1, late: 0.05, late_ms: 20_000, ..Faults::default() });
            world.settings.sends = 12;
            let ended = run(&world, &DieAt { point: Some((point, nth)), ..DieAt::default() });
            died += usize::from(matches!(ended, Err(Error::Interrupted)));
            if let Err(error) = ended
                && !matches!(error, Error::Interrupted | Error::Connect(_))
            {
                panic!("{point} {nth}: {error}");
            }
            closes(&world);
            let kept = left_standing(&world);
            same(&state(&world), &wanted, &format!("death at `{point}`, time {nth}, {kept:?}"));
        }
        if died == 0 && !point.starts_with("extract") {
            never.push(point);
        }
    }
    assert!(never.is_empty(), "no edit run reaches {never:?}");
}

/// Edits as people make them: an account's industry and description, a lead's title.
pub fn people_at_work(world: &World) -> (String, String) {
    let id = |entity: &str| {
        let markers = world.account.markers(entity, MARKER);
        let dump = world.account.dump();
        let list = LISTS.iter().find(|(_, name)| *name == entity).expect("a list").0;
        let of =
            |id: &i64| dump[list].as_array().expect("a list").iter().find(|row| row["id"] == *id).cloned();
        let mut all = markers.into_iter().map(|(marker, ids)| (marker, ids[0], of(&ids[0]).expect("a row")));
        match entity {
            "Accounts" => all.find(|(_, _, row)| {
                let industry = row["industry"]["name"].as_str().unwrap_or_default();
                ["Technology", "Telecommunications"].contains(&industry)
            }),
            _ => all.find(|(_, _, row)| {
                let stage = row["milestone"]["name"].as_str().unwrap_or_default();
                row["stageset"]["name"] == "Sales" && ["Qualify", "Proposal"].contains(&stage)
            }),
        }
        .expect("one that the change is about")
    };
    let (account, number, row) = id("Accounts");
    let fields = json!({"industryId": null, "description": "typed by Ann"});
    by_hand(world, ADMIN, "editAccount", json!({"accountId": number, "rev": row["rev"], "account": fields}));
    let (lead, number, row) = id("Leads");
    let stages = world.account.with(|company| {
        let sales = company.stagesets.iter().find(|set| set.name == "Sales").expect("a pipeline").id;
        let stage =
            company.milestones.iter().find(|stage| stage.stageset == sales && stage.name == "Negotiation");
        (sales, stage.expect("a stage").id)
    });
    let fields = json!({"stagesetId": stages.0, "milestoneId": stages.1});
    by_hand(world, ADMIN, "editLead", json!({"leadId": number, "rev": row["rev"], "lead": fields}));
    (account, lead)
}

#[test]
fn what_a_person_changed_is_filled_overwritten_or_kept_as_the_map_says() {
    let rule = |text: String, word: &str| {
        let text = text.replace("  on existing fill\n", "");
        text.replace("\n  key ID\n", &format!("\n  key ID\n  on existing {word}\n"))
    };
    for word in ["fill", "overwrite", "keep"] {
        let mut wanted = clean(rule(spec_with(&[0, 1]), word));
        let mut world = world_of(rule(spec_with(&[]), word), 5, Faults::default());
        closes(&world);
        let (account, lead) = people_at_work(&world);
        goes_on_with(&mut world, rule(spec_with(&[0, 1]), word));
        let run = closes(&world);
        let found = state(&world);
        let (account_row, lead_row) = (format!("Accounts {account}"), format!("Leads {lead}"));
        // Where only the person moved, the person's value stays whatever the map says.
        assert_eq!(found[&account_row]["description"], "typed by Ann", "{word}");
        // An emptied field is filled; a full one is overwritten only where the map says so.
        let industry = &found[&account_row]["industry"]["name"];
        let stage = &found[&lead_row]["milestone"]["name"];
        let moved = wanted[&lead_row]["milestone"]["name"].clone();
        let filled = wanted[&account_row]["industry"]["name"].clone();
        match word {
            "fill" => assert_eq!((industry, stage), (&filled, &json!("Negotiation"))),
            "overwrite" => assert_eq!((industry, stage), (&filled, &moved)),
            _ => assert_eq!((industry, stage), (&Json::Null, &json!("Negotiation"))),
        }
        for (row, fields) in
            [(&account_row, ["description", "industry"]), (&lead_row, ["milestone", "confidence"])]
        {
            for field in fields {
                wanted.get_mut(row).expect("a row")[field] = found[row][field].clone();
            }
        }
        same(&found, &wanted, word);
        let flags = |map: &str| -> Vec<String> {
            let flags = world.workspace.flags(map).expect("flags").into_iter();
            flags
                .filter(|(flag, _)| flag.why.starts_with("changed in the destination"))
                .map(|(flag, _)| flag.rule)
                .collect()
        };
        let (companies, deals): (&[&str], &[&str]) = match word {
            "fill" => (&[], &["deal.stage"]),
            "overwrite" => (&[], &[]),
            _ => (&["company.industry"], &["deal.stage"]),
        };
        assert_eq!(
            (flags("company"), flags("deal")),
            (
                companies.iter().map(|s| (*s).to_owned()).collect(),
                deals.iter().map(|s| (*s).to_owned()).collect()
            ),
            "{word}"
        );
        assert!(run.closes());
        rests(&world, word);
    }
}

#[test]
fn a_filter_that_is_narrowed_lists_what_was_written_and_widened_takes_it_up_again() {
    let narrow = |text: String| text.replace("where not IS_MY_COMPANY", "where ID > 6 and not IS_MY_COMPANY");
    let kept = |text: String| text.replace("  on delete delete\n", "  on delete list\n");
    let before = clean(kept(spec_with(&[])));
    let mut world = world_of(kept(spec_with(&[])), 6, Faults::default());
    closes(&world);
    let made = world.workspace.tally("company").expect("a tally").created;
    goes_on_with(&mut world, narrow(kept(spec_with(&[]))));
    let told = changes(&world).expect("changes");
    let left: u64 = of(&told, "company").left_out.values().sum();
    assert!(left > 1 && of(&told, "company").taken_away.is_empty(), "{told:#?}");
    let run = closes(&world);
    // What is no longer mapped stays, is listed with its reason, and what links to it goes on doing so.
    same(&state(&world), &before, "narrowed");
    let row = run.maps.iter().find(|map| map.map == "company").expect("a row");
    assert_eq!((row.tally.created, row.expected), (made - left, made), "{row:?}");
    let reasons = world.workspace.reasons("company", Status::LeftOut).expect("reasons");
    assert!(
        reasons.iter().any(|(why, records)| why.contains("no longer mapped") && *records == left),
        "{reasons:?}"
    );
    rests(&world, "narrowed");
    goes_on_with(&mut world, kept(spec_with(&[0])));
    closes(&world);
    same(&state(&world), &clean(kept(spec_with(&[0]))), "widened");
    // Everything can still be taken back.
    let report = ok(world.roll_back(&DieAt::default(), None));
    assert!(report.as_announced() && report.anew, "{report:#?}");
    assert_eq!(state(&world), BTreeMap::new());
}

#[test]
fn what_is_no_longer_mapped_goes_where_the_map_says_so_and_nobody_touched_it() {
    let narrow = |text: String| text.replace("where not IS_MY_COMPANY", "where ID > 6 and not IS_MY_COMPANY");
    let mut world = world_of(spec_with(&[]), 7, Faults::default());
    closes(&world);
    // A person works on one of the accounts that are to go.
    let number =
        |marker: &str| marker.rsplit('/').next().and_then(|key| key.parse::<u64>().ok()).expect("a key");
    let accounts = world.account.markers("Accounts", MARKER);
    let (marker, ids) = accounts.into_iter().min_by_key(|(marker, _)| number(marker)).expect("an account");
    assert!(number(&marker) <= 6, "{marker} is not one that is to go");
    let now = world.clock.now_ms();
    world.account.with(|company| {
        company.edit(Kind::Accounts, ids[0], now, |account| account.description = Some("ours".to_owned()))
    });
    goes_on_with(&mut world, narrow(spec_with(&[])));
    let told = changes(&world).expect("changes");
    let going: u64 = of(&told, "company").taken_away.values().sum();
    assert!(going > 1, "{told:#?}");
    let before = world.account.live_count("Accounts") as u64;
    closes(&world);
    assert_eq!(world.account.live_count("Accounts") as u64, before - going + 1, "one was touched");
    let reasons = world.workspace.reasons("company", Status::LeftOut).expect("reasons");
    assert!(reasons.iter().any(|(why, _)| why.contains("kept, since `description` changed")), "{reasons:?}");
    assert!(
        reasons.iter().any(|(why, records)| why.ends_with("taken away") && *records == going - 1),
        "{reasons:?}"
    );
    rests(&world, "taken away");
    // Mapped again, what was taken away is made anew, and once.
    goes_on_with(&mut world, spec_with(&[]));
    closes(&world);
    let mut wanted = clean(spec_with(&[]));
    wanted.get_mut(&format!("Accounts {marker}")).expect("a row")["description"] = json!("ours");
    same(&state(&world), &wanted, "mapped again");
}

/// A staged record with other values in it.
pub fn restaged(world: &World, object: &str, change: impl Fn(usize, &mut Json) -> bool) -> Restaged {
    let records = world.workspace.staged_page(object, 0, 100_000).expect("staged");
    let mut changed = Vec::new();
    for (at, record) in records.iter().enumerate() {
        let mut json: Json = serde_json::from_slice(&record.json).expect("JSON");
        if change(at, &mut json) {
            changed.push((record.key.clone(), serde_json::to_vec(&json).expect("JSON")));
        }
    }
    let rows = changed.iter().map(|(key, json)| (key.as_str(), json.as_slice()));
    world.workspace.restage(object, rows, std::iter::empty(), world.clock.now_ms()).expect("stages")
}

fn source_changes(world: &World) -> u64 {
    let companies = restaged(world, "company", |at, json| {
        json["TITLE"] = json!(format!("Renamed {at}"));
        at % 3 == 0
    });
    let contacts = restaged(world, "contact", |at, json| {
        json["EMAIL"] = json!([{"VALUE": format!("new{at}@x.example"), "VALUE_TYPE": "HOME"}]);
        at % 4 == 1
    });
    companies.changed + contacts.changed
}

#[test]
fn source_records_that_changed_since_are_edited_and_nothing_else() {
    let fresh = world_of(spec_with(&[]), 8, Faults::default());
    ok(fresh.process(&DieAt::default(), async |engine| engine.extract().await));
    assert!(source_changes(&fresh) > 2);
    closes(&fresh);
    let wanted = state(&fresh);
    let world = world_of(spec_with(&[]), 8, Faults { lost: 0.1, ..Faults::default() });
    closes(&world);
    assert_eq!(changes(&world), None);
    let changed = source_changes(&world);
    let told = changes(&world).expect("changes");
    assert!(!told.is_of_the_plan());
    // Some of them are left out.
    let edited = of(&told, "company").edited + of(&told, "contact").edited;
    assert!(edited > 2 && edited <= changed, "{edited} of {changed}: {told:#?}");
    assert_eq!(of(&told, "deal").edited, 0);
    closes(&world);
    same(&state(&world), &wanted, "changed in the source");
    rests(&world, "changed in the source");
    // The same records once more are no change.
    assert_eq!(restaged(&world, "company", |_, _| true).changed, 0);
    assert_eq!(changes(&world), None);
}

#[test]
fn source_records_that_are_gone_are_listed_or_taken_away() {
    for (delete, text) in [
        (true, spec_with(&[])),
        (false, spec_with(&[]).replace("  on delete delete\n", "  on delete list\n")),
    ] {
        let world = world_of(text, 9, Faults::default());
        closes(&world);
        let before = state(&world);
        let deals = world.workspace.staged_page("deal", 0, 100).expect("staged");
        let made = |key: &str| {
            world.workspace.outcome("deal", key).expect("reads").is_some_and(|end| end.target.is_some())
        };
        let gone: Vec<&str> =
            deals.iter().map(|deal| deal.key.as_str()).filter(|key| made(key)).take(3).collect();
        let told = world
            .workspace
            .restage("deal", std::iter::empty(), gone.iter().copied(), world.clock.now_ms())
            .expect("stages");
        assert_eq!(told.gone, 3);
        closes(&world);
        let found = state(&world);
        let stands = |key: &&&str| found.contains_key(&format!("Leads acme.bitrix24.com/deal/{key}"));
        assert_eq!(gone.iter().filter(stands).count(), if delete { 0 } else { 3 });
        if !delete {
            same(&found, &before, "gone and listed");
        }
        let reasons = world.workspace.reasons("deal", Status::LeftOut).expect("reasons");
        let why = if delete { "taken away" } else { "deleted in the source" };
        assert!(
            reasons.iter().any(|(reason, records)| reason.ends_with(why) && *records == 3),
            "{reasons:?}"
        );
        rests(&world, why);
    }
}

#[test]
fn source_records_that_are_gone_before_the_first_write_are_never_written() {
    let world = world_of(spec_with(&[]), 12, Faults::default());
    ok(world.process(&DieAt::default(), async |engine| engine.extract().await));
    let deals = world.workspace.staged_page("deal", 0, 100).expect("staged");
    let gone: Vec<&str> = deals.iter().map(|deal| deal.key.as_str()).skip(2).take(3).collect();
    let (none, now) = (std::iter::empty(), world.clock.now_ms());
    world.workspace.restage("deal", none, gone.iter().copied(), now).expect("stages");
    let run = closes(&world);
    let found = state(&world);
    assert!(gone.iter().all(|key| !found.contains_key(&format!("Leads acme.bitrix24.com/deal/{key}"))));
    let row = run.maps.iter().find(|map| map.map == "deal").expect("a row");
    assert_eq!(row.source, deals.len() as u64 - 3, "what is gone and was never written needs no end");
}

/// A world that was migrated two days ago, with a spec whose notes read otherwise.
fn with_old_notes(seed: u64) -> World {
    let mut world = world_of(spec_with(&[]), seed, Faults::default());
    closes(&world);
    days_pass(&mut world);
    world
}

fn days_pass(world: &mut World) {
    world.clock.run(world.clock.sleep(2 * 86_400_000)).expect("time passes");
    goes_on_with(world, spec_with(&[7]));
}

#[test]
fn notes_that_are_older_than_a_day_are_deleted_and_made_anew() {
    let wanted = clean(spec_with(&[7]));
    let world = with_old_notes(10);
    let told = changes(&world).expect("changes");
    let notes = of(&told, "notes of deal");
    assert!(notes.edited == 0 && notes.fixed.is_empty() && !told.is_nothing(), "{notes:#?}");
    let (why, anew) = notes.made_anew.first_key_value().expect("notes that are made anew");
    assert!(why.contains("older than a day") && *anew > 0, "{notes:#?}");
    let before = writes(&world);
    let run = closes(&world);
    same(&state(&world), &wanted, "old notes");
    assert_eq!(writes(&world) - before, 2 * anew, "one deletion and one create for each");
    let row = run.maps.iter().find(|map| map.map == "notes of deal").expect("a row");
    assert_eq!(row.proof.as_ref().expect("a proof").not_compared, 0);
    rests(&world, "old notes");
}

#[test]
fn deaths_and_lost_answers_while_old_notes_are_made_anew_lose_and_double_none() {
    let wanted = clean(spec_with(&[7]));
    let mut died = 0;
    for point in ["sweep.delete", "load.intent", "load.answered", "load.landed"] {
        for nth in [1, 2, 5] {
            let mut world = with_old_notes(14);
            world.wire.spoil(Faults { lost: 0.2, late: 0.1, late_ms: 20_000, ..Faults::default() });
            world.settings.sends = 12;
            let ended = run(&world, &DieAt { point: Some((point, nth)), ..DieAt::default() });
            died += usize::from(matches!(ended, Err(Error::Interrupted)));
            closes(&world);
            same(&state(&world), &wanted, &format!("death at `{point}`, time {nth}"));
        }
    }
    assert!(died >= 10, "only {died} runs died");
}

#[test]
fn an_old_note_that_a_person_changed_or_deleted_stays_so() {
    let mut world = world_of(spec_with(&[]), 15, Faults::default());
    closes(&world);
    let of_deals: Vec<i64> = world
        .account
        .markers("Notes", MARKER)
        .into_iter()
        .filter(|(marker, _)| marker.contains("/deal/"))
        .flat_map(|(_, ids)| ids)
        .collect();
    let (edited, deleted) = (of_deals[0], of_deals[1]);
    let all = world.account.live_count("Notes");
    let now_s = world.clock.now_ms() / 1000;
    world.account.with(|company| {
        company.edit_note(edited, |note| note.text.insert_str(0, "by a person\n"));
        company.edit_note(deleted, |note| note.deleted = Some(now_s));
    });
    days_pass(&mut world);
    let run = closes(&world);
    let note = |id| world.account.with(|company| company.note(id).cloned()).expect("a note");
    assert!(note(edited).deleted.is_none() && note(edited).text.starts_with("by a person"));
    assert!(note(deleted).deleted.is_some());
    let map = run.maps.iter().find(|map| map.map == "notes of deal").expect("a row");
    assert_eq!(map.tally.failed, 1, "the deleted one is not made again: {:?}", map.tally);
    assert_eq!(world.account.live_count("Notes"), all - 1);
    let reasons = world.workspace.reasons("notes of deal", Status::Created).expect("reasons");
    assert!(reasons.iter().any(|(why, _)| why.contains("not made anew, since")), "{reasons:?}");
    assert_eq!(map.proof.as_ref().expect("a proof").not_compared, 1);
}

/// Some accounts may let nobody delete an old note: then it stays, and is told.
#[test]
fn old_notes_that_cannot_be_deleted_stay_and_are_told() {
    let world = with_old_notes(16);
    world.account.configure(|settings| settings.dialect.note_deletion_limited = true);
    let before = state(&world);
    let run = closes(&world);
    same(&state(&world), &before, "old notes");
    let reasons = world.workspace.reasons("notes of deal", Status::Created).expect("reasons");
    let stays = |why: &&(String, u64)| why.0.contains("refuses to delete");
    let stays: u64 = reasons.iter().filter(stays).map(|(_, notes)| notes).sum();
    let row = run.maps.iter().find(|map| map.map == "notes of deal").expect("a row");
    assert!(stays > 0, "{reasons:?}");
    assert_eq!(row.proof.as_ref().expect("a proof").not_compared, stays);
}

#[test]
fn a_map_that_leads_elsewhere_is_refused_until_its_records_are_rolled_back() {
    let mut world = world_of(spec_with(&[]), 11, Faults::default());
    closes(&world);
    let renamed = spec_with(&[])
        .replace("map product -> Product {", "map product -> Product as goods {")
        .replace("ref product(", "ref goods(");
    goes_on_with(&mut world, renamed.clone());
    for error in [
        world.process(&DieAt::default(), async |engine| engine.changes()).expect_err("is refused"),
        run(&world, &DieAt::default()).expect_err("is refused"),
    ] {
        let error = error.to_string();
        assert!(
            error.contains("map `product` wrote") && error.contains("b2n rollback SPEC --only product"),
            "{error}"
        );
    }
    // Single records wait until a change is applied to all of them.
    goes_on_with(&mut world, spec_with(&[0]));
    let one = Selection { records: Some(vec![RecordName::parse("deal/1")]), ..agreed(&world) };
    let error = world
        .process(&DieAt::default(), async |engine| engine.migrate_part(&one).await)
        .expect_err("is refused");
    assert!(error.to_string().contains("--ids"), "{error}");
}

/// Any change after any, after a death anywhere, under faults: the account holds what a clean run of the last plan makes.
#[test]
fn any_changes_after_any_come_to_what_a_clean_run_of_the_last_plan_makes() {
    let first: u64 = std::env::var("B2N_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let cases: u64 = std::env::var("B2N_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(8);
    for seed in first..first + cases {
        let dice = SplitMix::new(seed);
        let pick = |among: usize| (dice.next_u64() % among as u64) as usize;
        let some = || -> Vec<usize> { (0..CHANGES.len()).filter(|_| pick(3) == 0).collect() };
        let plans: Vec<Vec<usize>> = (0..3).map(|_| some()).collect();
        let faults = Faults { lost: 0.08, late: 0.04, late_ms: 15_000, refused: 0.03, ..Faults::default() };
        let mut world = world_of(spec_with(&plans[0]), seed, faults);
        world.settings.sends = 12;
        for plan in &plans {
            goes_on_with(&mut world, spec_with(plan));
            let point = POINTS[pick(POINTS.len())];
            let nth = 1 + pick(20) as u64;
            match run(&world, &DieAt { point: Some((point, nth)), ..DieAt::default() }) {
                Ok(_) | Err(Error::Interrupted | Error::Connect(_)) => {}
                Err(error) => panic!("seed {seed}, plans {plans:?}, death at `{point}` {nth}: {error}"),
            }
        }
        closes(&world);
        let last = plans.last().expect("a plan");
        assert_eq!(left_standing(&world), [], "seed {seed}, plans {plans:?}");
        same(&state(&world), &clean(spec_with(last)), &format!("seed {seed}, plans {plans:?}"));
        rests(&world, &format!("seed {seed}, plans {plans:?}"));
    }
}
