//! The loader and the probe in every dialect of the destination twin: each switch by itself, and many at once. Here are
//! the switches and the loads; what changes afterwards and the probe have files of their own.
//!
//! The oracles are the twin's own books and its switches. `B2N_SEED` repeats one combination, `B2N_CASES` asks for more
//! of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::rc::Rc;

use b2n::run::connect::outside::Random;
use b2n::run::engine::{Error, RunReport};
use b2n::run::rehearsal::SplitMix;
use b2n::run::twin::bitrix24::Portal;
use b2n::run::twin::bitrix24::generate::Counts;
use b2n::run::twin::nutshell::settings::{
    ApiKey, ChoicesInput, ClosingInput, DateInput, EmailMatch, Envelope, Error500, Limits, ManyChoices,
    MoneyInput, NotFound, OnBad, RpcStatus, Throttle,
};
use b2n::run::twin::nutshell::{Company, Dialect, Settings};

use crate::whole;
use crate::world::{DieAt, Faults, World};

mod back;
mod probing;

/// A switch in another position than the default.
#[derive(Clone)]
struct Turn {
    name: &'static str,
    shown: String,
    set: Rc<dyn Fn(&mut Settings)>,
}

fn turn<T: Clone + Debug + 'static>(name: &'static str, value: T, set: fn(&mut Settings, T)) -> Turn {
    let shown = format!("{name} = {value:?}");
    Turn { name, shown, set: Rc::new(move |settings| set(settings, value.clone())) }
}

/// Every switch with its other positions. One that is added to the twin and not here does not compile.
macro_rules! dialect_turns {
    ($($field:ident: [$($value:expr),* $(,)?]),* $(,)?) => {
        fn dialect_turns() -> Vec<Turn> {
            let Dialect { $($field: _),* } = Dialect::default();
            vec![$($(turn(stringify!($field), $value, |settings, value| settings.dialect.$field = value)),*),*]
        }
    };
}

dialect_turns! {
    envelope: [Envelope::Documented],
    rpc_status: [RpcStatus::Always200],
    unknown_custom_field: [OnBad::Drop],
    unknown_tag: [OnBad::Keep, OnBad::Drop],
    long_description: [OnBad::Drop, OnBad::Keep],
    bare_closing_status: [OnBad::Keep],
    unknown_choice: [OnBad::Drop, OnBad::Keep],
    lead_without_contact: [false],
    legacy_id_kept: [true],
    contact_name_object: [false],
    rest_stage_write: [true],
    rpc_lead_value: [false],
    rest_manual_value: [false],
    unsent_custom_fields_survive: [false],
    many_choices: [ManyChoices::Array],
    date_keeps_time: [false],
    number_type: [true],
    primary_everywhere: [false],
    primary_account_listed: [true],
    rest_bare_lists: [true],
    rest_sort_by_id: [true],
    patch_custom_field_paths: [true],
    undelete_drops_links: [false],
    neighbour_bumps: [false],
    product_description: [false],
    new_cancelled_activity: [OnBad::Keep],
    email_date: [false],
    rest_activity_leads: [true],
    note_deletion_limited: [true],
    custom_date: [DateInput::Timestamp, DateInput::Text],
    custom_date_leads: [DateInput::Timestamp, DateInput::Text],
    custom_money: [MoneyInput::Object, MoneyInput::Plain],
    custom_choices: [ChoicesInput::Joined, ChoicesInput::Array],
    attributes_tell_types: [false],
    rpc_stageset: [false],
    created_time_kept: [true],
    closed_time_kept: [true],
    closing: [ClosingInput::Object, ClosingInput::Id],
    outcome_shown: [false],
    url_in_capitals: [true],
    strict_finds: [true],
    closed_lead_edits: [false],
    parent_account: [true],
    email_match: [EmailMatch::People, EmailMatch::Nobody],
    email_message_id: [false],
    email_html: [false],
    not_found: [NotFound::Code400, NotFound::Null],
    deleted_readable: [false],
    limit_code: [402, 400],
    rest_access: [false],
    task_completion: [true],
    rest_long_description: [OnBad::Drop, OnBad::Keep],
    find_throttle: [
        Throttle::TooMany { per_minute: 1, retry_after_seconds: Some(7) },
        Throttle::TooMany { per_minute: 1, retry_after_seconds: None },
        Throttle::Unavailable { per_minute: 1 },
    ],
    error_500_per_mille: [60],
    error_500: [Error500::BareString],
}

/// The same for what is no dialect: the account and its plan.
fn turns() -> Vec<Turn> {
    let Settings {
        instance_id: _,
        site_id: _,
        company_name: _,
        host: _,
        keys: _,
        id_step: _,
        latency_ms: _,
        index_lag_ms: _,
        limits: _,
        may_delete: _,
        // A fault, which no run may come through: `reconcile` has its test.
        rounds_confidence: _,
        dialect: _,
    } = Settings::default();
    let key = ApiKey { impersonation: false, ..Settings::default().keys[0].clone() };
    let limits = |limits: Limits| turn("limits", limits, |settings, limits| settings.limits = limits);
    let mut all = dialect_turns();
    all.extend([
        turn("keys", vec![key], |settings, keys| settings.keys = keys),
        turn("id_step", 1, |settings, step| settings.id_step = step),
        turn("latency_ms", 2_500, |settings, ms| settings.latency_ms = ms),
        turn("index_lag_ms", 4_000, |settings, ms| settings.index_lag_ms = ms),
        limits(Limits { open_leads: Some(3), ..Limits::default() }),
        limits(Limits { custom_fields: Some(4), ..Limits::default() }),
        limits(Limits { pipelines: Some(1), ..Limits::default() }),
        turn("may_delete", false, |settings, may| settings.may_delete = may),
    ]);
    all
}

// ── The loader ────────────────────────────────────────────────────────────────────────────────────────────────────

/// The switches under which a small migration does not come through, and what it then says.
const STOPS: &[(&str, &str)] = &[
    ("lead_without_contact = false", "A lead must have a contact or an account"),
    ("custom_money = Plain", "amounts of its own currency"),
    ("product_description = false", "products keep no description here"),
    ("rest_access = false", "may not include the REST API"),
    (
        "limits = Limits { open_leads: Some(3), custom_fields: None, pipelines: None }",
        "This plan allows 3 open leads",
    ),
    (
        "limits = Limits { open_leads: None, custom_fields: Some(4), pipelines: None }",
        "may allow no more of them",
    ),
    (
        "limits = Limits { open_leads: None, custom_fields: None, pipelines: Some(1) }",
        "plan does not allow it",
    ),
];

fn world(seed: u64, turned: &[Turn]) -> World {
    let counts = Counts { companies: 5, contacts: 8, deals: 9, leads: 6 };
    let world =
        World::with(whole::checked(), Portal::acme_with(counts, 7), Company::acme(), seed, Faults::default());
    world.account.configure(|settings| turned.iter().for_each(|turn| (turn.set)(settings)));
    world
}

/// What the destination holds in fields, without ids and times, as the default dialect shows it.
fn held(world: &World) -> BTreeSet<String> {
    world.account.configure(|settings| *settings = Settings::default());
    let mut lines = whole::picture(world);
    let dump = world.account.dump();
    for (list, fields) in [
        (
            "accounts",
            ["name", "description", "customFields", "industry", "phone", "email", "url", "tags"].as_slice(),
        ),
        ("contacts", &["name", "customFields", "phone", "email", "tags"]),
        ("leads", &["description", "customFields", "value", "status", "confidence", "dueTime", "priority"]),
        ("products", &["name", "description", "sku", "type"]),
        ("activities", &["name", "description", "startTime", "endTime", "status"]),
        ("notes", &["note"]),
    ] {
        for row in dump[list].as_array().expect("a list").iter().filter(|row| row["deletedTime"].is_null()) {
            let named = |field: &&str| format!("{field}={}", row[*field]);
            let stage = (list == "leads")
                .then(|| format!("{} {}", row["milestone"]["name"], row["stageset"]["name"]));
            let fields: Vec<String> = fields.iter().map(named).chain(stage).collect();
            lines.insert(format!("{list}: {}", fields.join(" ")));
        }
    }
    lines
}

/// What a run did not bring over, in the words that a person gets; empty where it came through like the plain one.
fn stopped(world: &World, ended: &Result<RunReport, Error>, plain: u64) -> String {
    match ended {
        Err(Error::Preflight(problems)) => {
            problems.iter().map(|p| format!("{}: {}", p.what, p.next)).collect::<Vec<_>>().join("; ")
        }
        Err(Error::NotClosed { phase, lines }) => format!("NOT CLOSED {phase}: {}", lines.join("; ")),
        Err(error) => error.to_string(),
        Ok(run) if !run.closes() => format!("DOES NOT CLOSE: {:?}", run.maps),
        Ok(run) if run.held_back() > plain => {
            let reasons = run.maps.iter().flat_map(|map| {
                let all = [b2n::run::workspace::Status::Failed, b2n::run::workspace::Status::Quarantined];
                all.map(|status| world.workspace.reasons(&map.map, status).expect("reasons"))
            });
            reasons.flatten().map(|(why, n)| format!("{n} {why}")).collect::<Vec<_>>().join("; ")
        }
        Ok(_) => String::new(),
    }
}

/// Doubles, and records without a marker.
fn doubled(lines: &BTreeSet<String>) -> Vec<&String> {
    let marked = |line: &&String| {
        line.contains(" records, ") || (line.ends_with(" times") && !line.ends_with(" 1 times"))
    };
    lines.iter().filter(marked).collect()
}

struct Plain {
    held: BTreeSet<String>,
    back: u64,
}

fn plain() -> Plain {
    let world = world(1, &[]);
    let run = world.live(&DieAt::default()).unwrap_or_else(|error| panic!("{error}"));
    assert!(run.closes(), "{:#?}", run.maps);
    let held = held(&world);
    assert!(held.iter().any(|line| line.contains("\"timestamp\"")), "no date is written");
    assert!(
        held.iter().any(|line| line.contains("Interests\":\"") && line.contains(", ")),
        "no list is written"
    );
    assert!(held.iter().any(|line| line.starts_with("products:")) && doubled(&held).is_empty());
    Plain { back: run.held_back(), held }
}

/// Runs in a dialect; what it said where it did not come through. In either case nothing is doubled, and with the
/// switches back the same command comes to what the plain run came to.
fn through(plain: &Plain, world: &World, what: &str) -> String {
    let ended = world.live(&DieAt::default());
    let said = stopped(world, &ended, plain.back);
    let after = held(world);
    assert!(doubled(&after).is_empty(), "{what}: {:#?}", doubled(&after));
    if said.is_empty() {
        let differ: Vec<&String> = plain.held.symmetric_difference(&after).take(8).collect();
        assert!(differ.is_empty(), "{what}: {differ:#?}");
        return said;
    }
    // `held` has turned every switch back.
    let again = world.live(&DieAt::default());
    let run = again.unwrap_or_else(|error| panic!("{what}: {said}\nand back again: {error}"));
    let after = held(world);
    assert!(run.closes() && run.held_back() == plain.back, "{what}: {said}\nand back again: {:#?}", run.maps);
    let differ: Vec<&String> = plain.held.symmetric_difference(&after).take(8).collect();
    assert!(differ.is_empty(), "{what}: {said}\nand back again: {differ:#?}");
    said
}

#[test]
fn a_migration_comes_through_or_says_why_under_every_switch() {
    let plain = plain();
    let mut wrong = Vec::new();
    for turn in turns() {
        let said = through(&plain, &world(2, std::slice::from_ref(&turn)), &turn.shown);
        let expected = STOPS.iter().find(|(shown, _)| *shown == turn.shown).map_or("", |(_, phrase)| phrase);
        if said.is_empty() != expected.is_empty() || !said.contains(expected) {
            wrong.push(format!("{}: `{said}`, and `{expected}` was expected", turn.shown));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A seed to repeat, or so many fresh ones.
fn seeds(cases: u64) -> Vec<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    match number("B2N_SEED") {
        Some(seed) => vec![seed],
        None => (1..=number("B2N_CASES").unwrap_or(cases)).collect(),
    }
}

fn combination(seed: u64) -> Vec<Turn> {
    let dice = SplitMix::new(seed);
    let mut turned: BTreeMap<&str, Turn> = BTreeMap::new();
    for turn in turns() {
        // An account without REST stops everything before it begins, and is tried by itself.
        if dice.next_u64().is_multiple_of(4) && turn.name != "rest_access" {
            turned.insert(turn.name, turn);
        }
    }
    // A product that lost its marker is taken back, which takes the right to delete: without it the run ends with one
    // that bears none, and says which.
    if turned.contains_key("product_description") {
        turned.remove("may_delete");
    }
    turned.into_values().collect()
}

#[test]
fn a_migration_comes_through_or_says_why_under_many_switches_at_once() {
    let plain = plain();
    for seed in seeds(6) {
        let turned = combination(seed);
        let shown: Vec<&str> = turned.iter().map(|turn| turn.shown.as_str()).collect();
        let what = format!("B2N_SEED={seed}: {}", shown.join(", "));
        let said = through(&plain, &world(seed, &turned), &what);
        assert!(!said.contains("CLOSE"), "{what}: {said}");
    }
}
