//! What is held back for a person: listed with its cause, shown with what hangs on it, left out by decision. Asks no
//! system.
//!
//! Trying again is a run of those records: see [`Selection`](super::Selection).

use crate::lang::plan::Plan;
use crate::run::workspace::{
    Decision, Dependent, Entry, Flag, JournalState, Lack, Outcome, Status, Workspace,
};

use super::place::takes_part;
use super::streams::{flatten_name, split_name, streams};
use super::{Error, RecordName, Result};

/// Records that are read at once.
const PAGE: u32 = 500;

/// Dependents that are shown one by one.
const DEPENDENTS: u32 = 20;

/// What kind of row of the books a record is held back in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Map(usize),
    Notes,
    /// A split or a flatten: it is decided when records are placed, by the spec's own words.
    Placed,
}

/// A row of the books that records can be held back in.
struct Item {
    name: String,
    /// The object whose staged records it is about.
    object: String,
    kind: Kind,
}

/// Why a record is held back, as far as it decides what helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// A record that it links to did not arrive.
    Link,
    /// The record that takes it in is held back.
    Parent,
    /// A write got no answer, and nobody found out whether it was done.
    Unanswered,
    /// It was written, and deleted in the destination.
    Deleted,
    /// It stands in the destination, but an edit that must follow was refused.
    Unfinished,
    /// The destination refused it.
    Refused,
    /// The spec or the record's own values hold it back.
    Ruled,
}

impl Cause {
    /// Its word for programs.
    pub fn word(self) -> &'static str {
        match self {
            Cause::Link => "link",
            Cause::Parent => "parent",
            Cause::Unanswered => "unanswered",
            Cause::Deleted => "deleted",
            Cause::Unfinished => "unfinished",
            Cause::Refused => "refused",
            Cause::Ruled => "ruled",
        }
    }
}

/// A record that a person has to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldBack {
    /// The row of the books: a map, or notes, a split, a flatten.
    pub item: String,
    /// Its key.
    pub key: String,
    /// Quarantined or failed, and why.
    pub outcome: Outcome,
    /// What decides what helps.
    pub cause: Cause,
    /// Links whose record did not arrive.
    pub lacks: Vec<Lack>,
    /// How many records lack it.
    pub dependents: u64,
    /// Whether a run can try it again.
    pub retried: bool,
}

impl HeldBack {
    /// As people name it.
    pub fn name(&self) -> String {
        format!("{}/{}", self.item, self.key)
    }
}

/// Another record that one is tied to, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The destination field of the link.
    pub field: String,
    /// The other record's map.
    pub map: String,
    /// Its key.
    pub key: String,
    /// Where it ended; `None` while it is pending.
    pub status: Option<Status>,
    /// Whether the source has it.
    pub staged: bool,
}

/// Everything about one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detail {
    /// The row of the books.
    pub item: String,
    /// Its key.
    pub key: String,
    /// Where it ended; `None` while it is pending.
    pub outcome: Option<Outcome>,
    /// What decides what helps, where it is held back.
    pub cause: Option<Cause>,
    /// Whether a run can try it again.
    pub retried: bool,
    /// What is flagged of it.
    pub flags: Vec<Flag>,
    /// Links whose record did not arrive.
    pub lacks: Vec<Line>,
    /// Records that lack it, the first of them.
    pub dependents: Vec<Dependent>,
    /// How many records lack it.
    pub all_dependents: u64,
    /// Its writes, oldest first.
    pub writes: Vec<Entry>,
    /// What people decided about it, oldest first.
    pub decisions: Vec<Decision>,
    /// As the source delivered it.
    pub staged: Option<Vec<u8>>,
}

/// The rows of the books, in the order of loading.
fn items(plan: &Plan, workspace: &Workspace) -> Result<Vec<Item>> {
    let splits = plan.splits.iter().map(|split| Item {
        name: split_name(split),
        object: split.source.clone(),
        kind: Kind::Placed,
    });
    let streams = streams(plan, workspace)?;
    let order = plan.phases.iter().flatten().map(|map| usize::from(*map));
    let maps: Vec<Item> = order
        .flat_map(|map| streams.iter().filter(move |stream| stream.map == map))
        .map(|stream| Item {
            name: stream.name.clone(),
            object: stream.object.clone(),
            kind: if stream.notes.is_some() { Kind::Notes } else { Kind::Map(stream.map) },
        })
        .collect();
    let flattens = plan.flattens.iter().map(|flatten| Item {
        name: flatten_name(plan, flatten),
        object: flatten.source.clone(),
        kind: Kind::Placed,
    });
    Ok(splits.chain(maps).chain(flattens).collect())
}

fn cause(workspace: &Workspace, item: &Item, key: &str, outcome: &Outcome) -> Result<Cause> {
    if outcome.target.is_some() {
        return Ok(Cause::Unfinished);
    }
    if item.kind == Kind::Placed {
        let with = outcome.reason.as_deref().is_some_and(|reason| reason.starts_with("held back with "));
        return Ok(if with { Cause::Parent } else { Cause::Ruled });
    }
    match workspace.last_create(&item.name, key)?.map(|entry| entry.state) {
        Some(JournalState::Intent | JournalState::Unknown) => return Ok(Cause::Unanswered),
        Some(JournalState::Done) => return Ok(Cause::Deleted),
        Some(JournalState::Failed) | None => {}
    }
    if outcome.status == Status::Failed {
        return Ok(Cause::Refused);
    }
    let lacks = !workspace.lacks_of(&item.name, key)?.is_empty();
    Ok(if lacks { Cause::Link } else { Cause::Ruled })
}

/// Everything that is held back, in the order of loading; with `only`, of one row of the books and, where that is a
/// map, of the notes that go with it.
///
/// # Errors
/// [`Error::Selection`] for a row that is not there; those of the workspace.
pub fn held_back(plan: &Plan, workspace: &Workspace, only: Option<&str>) -> Result<Vec<HeldBack>> {
    let items = items(plan, workspace)?;
    if let Some(only) = only.filter(|only| items.iter().all(|item| item.name != *only)) {
        return Err(no_such(&items, only));
    }
    let notes = only.map(super::streams::notes_of);
    let wanted = |item: &&Item| {
        only.is_none_or(|only| item.name == only) || notes.as_ref().is_some_and(|notes| item.name == *notes)
    };
    let mut found = Vec::new();
    for item in items.iter().filter(wanted) {
        let mut after = String::new();
        loop {
            let page = workspace.held_page(&item.name, &after, PAGE)?;
            let Some(last) = page.last() else { break };
            after.clone_from(&last.key);
            for held in page {
                found.push(HeldBack {
                    cause: cause(workspace, item, &held.key, &held.outcome)?,
                    lacks: workspace.lacks_of(&item.name, &held.key)?,
                    dependents: workspace.dependents_of(&item.name, &held.key, 0)?.1,
                    item: item.name.clone(),
                    key: held.key,
                    outcome: held.outcome,
                    retried: item.kind != Kind::Placed,
                });
            }
        }
    }
    Ok(found)
}

fn no_such(items: &[Item], name: &str) -> Error {
    let all: Vec<String> = items.iter().map(|item| format!("`{}`", item.name)).collect();
    Error::Selection(format!("the books have no row `{name}`; they have {}", all.join(", ")))
}

/// The rows of the books in which a record of this name stands: `deal/7`, or `7` where there is one map.
///
/// # Errors
/// [`Error::Selection`] for a name that leads nowhere.
pub fn address(plan: &Plan, workspace: &Workspace, name: &RecordName) -> Result<Vec<(String, String)>> {
    let items = items(plan, workspace)?;
    let candidates: Vec<&Item> = match &name.item {
        Some(wanted) => {
            let named: Vec<&Item> = items.iter().filter(|item| item.name == *wanted).collect();
            if named.is_empty() {
                items.iter().filter(|item| item.object == *wanted).collect()
            } else {
                named
            }
        }
        None if plan.maps.len() == 1 => items.iter().collect(),
        None => {
            return Err(Error::Selection(format!(
                "`{name}` does not say of which map: write `MAP/{name}`, such as `{}/{name}`",
                plan.maps.first().map_or("deal", |map| map.name.as_str())
            )));
        }
    };
    if candidates.is_empty() {
        return Err(no_such(&items, name.item.as_deref().unwrap_or_default()));
    }
    let mut found = Vec::new();
    for item in candidates {
        let there = match item.kind {
            Kind::Map(map) => takes_part(plan, workspace, map, &name.key)?,
            Kind::Notes => workspace.staged_record(&item.object, &name.key)?.is_some(),
            // A split or a flatten has those records only that it ended itself.
            Kind::Placed => workspace.outcome(&item.name, &name.key)?.is_some(),
        };
        if there {
            found.push((item.name.clone(), name.key.clone()));
        }
    }
    if found.is_empty() {
        return Err(Error::Selection(format!(
            "`{name}` is not staged, or goes to no map; `b2n quarantine list` names what is held back"
        )));
    }
    Ok(found)
}

/// Everything about one record.
///
/// # Errors
/// [`Error::Selection`] for a row that is not there; those of the workspace.
pub fn detail(plan: &Plan, workspace: &Workspace, row: &str, key: &str) -> Result<Detail> {
    let items = items(plan, workspace)?;
    let Some(item) = items.iter().find(|item| item.name == row) else { return Err(no_such(&items, row)) };
    let outcome = workspace.outcome(row, key)?;
    let held = outcome.as_ref().filter(|o| matches!(o.status, Status::Quarantined | Status::Failed));
    let cause = held.map(|outcome| cause(workspace, item, key, outcome)).transpose()?;
    let mut lacks = Vec::new();
    for lack in workspace.lacks_of(row, key)? {
        let field = match item.kind {
            Kind::Map(map) => plan.maps[map].targets.get(usize::from(lack.field)).map(|t| t.name.clone()),
            _ => None,
        };
        let map = plan.maps.iter().position(|map| map.name == lack.map);
        lacks.push(Line {
            field: field.unwrap_or_default(),
            status: workspace.outcome(&lack.map, &lack.key)?.map(|outcome| outcome.status),
            staged: match map {
                Some(map) => takes_part(plan, workspace, map, &lack.key)?,
                None => false,
            },
            map: lack.map,
            key: lack.key,
        });
    }
    let (dependents, all_dependents) = workspace.dependents_of(row, key, DEPENDENTS)?;
    let mut decisions = workspace.decisions(row)?;
    decisions.retain(|decision| decision.key == key);
    Ok(Detail {
        item: row.to_owned(),
        key: key.to_owned(),
        outcome,
        cause,
        retried: item.kind != Kind::Placed,
        flags: workspace.flags_of(row, key)?,
        lacks,
        dependents,
        all_dependents,
        writes: workspace.writes_of(row, key)?,
        decisions,
        staged: workspace.staged_record(&item.object, key)?.map(|record| record.json),
    })
}

/// Leaves records out by a person's decision: all of them, or none where one of them cannot be. Each may be held back
/// or pending.
///
/// # Errors
/// [`Error::Selection`] for a record that stands in the destination or that the spec leaves out already.
pub fn skip(
    workspace: &Workspace,
    records: &[(String, String)],
    reason: &str,
    by: &str,
    now_ms: i64,
) -> Result<()> {
    if workspace.rollback()?.is_some_and(|rollback| rollback.ended_ms.is_none()) {
        return Err(Error::RollbackOpen);
    }
    for (item, key) in records {
        let Some(outcome) = workspace.outcome(item, key)? else { continue };
        let why = match (outcome.status, &outcome.target) {
            (_, Some(id)) => format!(
                "stands in the destination already (id {id}), so it cannot be left out; `b2n rollback` takes records back"
            ),
            (Status::Quarantined | Status::Failed, None) => continue,
            (Status::LeftOut, None) if workspace.decision(item, key)?.is_some() => continue,
            (status, None) => {
                format!("is {} by the spec already, so there is nothing to decide", status.word())
            }
        };
        return Err(Error::Selection(format!("`{item}/{key}` {why}; nothing was changed")));
    }
    for (item, key) in records {
        workspace.decide(item, key, reason, by, now_ms)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skip_is_for_all_of_its_records_or_none() {
        let ws = Workspace::in_memory().expect("opens");
        let ended = |status, target: Option<&str>| Outcome {
            status,
            target: target.map(str::to_owned),
            reason: Some("the spec says so".to_owned()),
        };
        ws.settle("deal", "1", &ended(Status::Failed, None), &[]).expect("settles");
        ws.settle("deal", "2", &ended(Status::Created, Some("17")), &[]).expect("settles");
        ws.settle("deal", "3", &ended(Status::LeftOut, None), &[]).expect("settles");
        let records = |keys: &[&str]| -> Vec<(String, String)> {
            keys.iter().map(|key| ("deal".to_owned(), (*key).to_owned())).collect()
        };
        for (keys, word) in [(&["1", "2"], "id 17"), (&["1", "3"], "left out by the spec")] {
            let error = skip(&ws, &records(keys), "a test", "ops", 1).expect_err("is refused").to_string();
            assert!(error.contains(word), "{error}");
            assert_eq!(ws.decision("deal", "1").expect("reads"), None);
        }
        // A pending record can be decided on as well, and a decision be made anew.
        skip(&ws, &records(&["1", "4"]), "a test", "ops", 1).expect("skips");
        skip(&ws, &records(&["1"]), "another reason", "ops", 2).expect("skips");
        let tally = ws.tally("deal").expect("counts");
        assert_eq!((tally.left_out, tally.failed, tally.created), (3, 0, 1));
        assert_eq!(ws.decisions("deal").expect("lists").len(), 3);
        assert_eq!(ws.decision("deal", "1").expect("reads").expect("is there").reason, "another reason");
    }
}
