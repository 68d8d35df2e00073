//! Deaths over the adoption of a record that was there before: how long the process was away, and what somebody did
//! meanwhile, decides neither what is ours nor what a rollback gives back. The oracle is the destination twin.

use b2n::run::connect::outside::Clock;
use b2n::run::engine::Error;
use b2n::run::twin::nutshell::Kind;
use b2n::run::twin::nutshell::record::Owner;
use b2n::run::workspace::{Entry, JournalState, Operation, Status};
use serde_json::Value as Json;

use crate::rollback::{few, live, migrated, without_time};
use crate::world::{DieAt, World};

/// Longer than any window within which a change counts as that of a write without an answer.
const AWAY_MS: u64 = 3_600_000;

/// What somebody does with the record while the process is away.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Meanwhile {
    Nothing,
    Renamed,
    GivenToAnother,
}

/// All that was written of companies.
fn written(world: &World) -> Vec<Entry> {
    let companies = world.workspace.staged_page("company", 0, 100_000).expect("staged");
    let of = |key: &str| world.workspace.writes_of("company", key).expect("a journal");
    companies.iter().flat_map(|record| of(&record.key)).collect()
}

/// A world in which a process died over an adoption, as its nth write was answered; the record, and how it was before.
fn died_while_adopting(nth: u64) -> Option<(World, i64, Json)> {
    let world = few(12);
    let before = live(&world);
    let ended = world.live(&DieAt { point: Some(("load.edit", nth)), ..DieAt::default() });
    assert!(matches!(ended, Err(Error::Interrupted)), "write {nth}: {ended:?}");
    let open = written(&world)
        .into_iter()
        .find(|entry| entry.intent.operation == Operation::Adopt && entry.state == JournalState::Intent)?;
    let id = open.intent.target.expect("a record that is adopted has an id");
    let was = before[&("accounts".to_owned(), id.clone())].clone();
    Some((world, id.parse().expect("a number"), was))
}

fn account(world: &World, id: i64) -> Json {
    live(world).remove(&("accounts".to_owned(), id.to_string())).expect("the record is there")
}

#[test]
fn a_rollback_gives_back_what_an_adoption_that_was_died_over_has_written() {
    let mut tried = 0;
    for nth in 1..=6 {
        for meanwhile in [Meanwhile::Nothing, Meanwhile::Renamed, Meanwhile::GivenToAnother] {
            let Some((world, id, was)) = died_while_adopting(nth) else { continue };
            world.clock.run(world.clock.sleep(AWAY_MS)).expect("time passes");
            let filled = account(&world, id);
            if filled["customFields"]["Bitrix24 key"].is_null() {
                continue;
            }
            tried += 1;
            let what = format!("write {nth}, {meanwhile:?}");
            let mut other = None;
            world.account.with(|company| {
                let owner = filled["owner"]["id"].as_i64();
                other = company.users.iter().map(|user| user.id).find(|user| Some(*user) != owner);
                let other = other.expect("another user");
                company.edit(Kind::Accounts, id, world.clock.now_ms(), |account| match meanwhile {
                    Meanwhile::Nothing => {}
                    Meanwhile::Renamed => account.name = "Another name".to_owned(),
                    Meanwhile::GivenToAnother => account.owner = Some(Owner::User(other)),
                });
            });
            migrated(&world);
            let marked = world.account.markers("Accounts", "Bitrix24 key");
            assert!(marked.values().all(|ids| ids.len() == 1), "{what}: doubled {marked:?}");
            let entries = written(&world);
            let open = |state| matches!(state, JournalState::Intent | JournalState::Unknown);
            assert!(entries.iter().all(|entry| !open(entry.state)), "{what}: a write is open still");
            let key =
                &entries.iter().find(|e| e.intent.target == Some(id.to_string())).expect("it").intent.key;
            let outcome = world.workspace.outcome("company", key).expect("reads").expect("an outcome");
            assert_eq!(outcome.status, Status::Adopted, "{what}");

            let report = world.roll_back(&DieAt::default(), None).unwrap_or_else(|error| panic!("{error}"));
            assert!(report.as_announced(), "{what}: {report:#?}");
            let after = account(&world, id);
            assert!(after["customFields"]["Bitrix24 key"].is_null(), "{what}: the marker stays: {after:#}");
            for (field, was) in was.as_object().expect("a record") {
                let is = &after[field];
                match (meanwhile, field.as_str()) {
                    (Meanwhile::Renamed, "name") => assert_eq!(is, "Another name", "{what}"),
                    (Meanwhile::Renamed, "htmlUrl" | "htmlUrlPath") => {}
                    (Meanwhile::GivenToAnother, "owner") => {
                        assert_eq!(is["id"].as_i64(), other, "{what}: a person's owner is gone");
                    }
                    (_, "rev" | "modifiedTime") => {}
                    _ => assert_eq!(without_time(is), without_time(was), "{what}: `{field}`"),
                }
            }
        }
    }
    assert!(tried >= 6, "hardly any process died over an adoption: {tried}");
}
