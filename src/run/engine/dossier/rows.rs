//! The rows of the books with their lists: who ended where, and what the last comparison found.

use crate::lang::plan::Plan;
use crate::run::engine::close::standing;
use crate::run::engine::streams::{flatten_name, split_name, streams};
use crate::run::engine::{Error, MapReport};
use crate::run::workspace::{Found, Staging, Status, Workspace};

use super::lists::{Lists, Writing, slug};
use super::model::{End, Kept, Reason, Row, RowCompared};
use super::moment;
use super::veil::Veil;

/// Rows that are read at once.
const PAGE: u32 = 1_000;

/// Reasons that stand in the report.
const REASONS: usize = 6;

/// What stands for a row of the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A map: by index.
    Map(usize),
    /// The notes of a map: by the map's index.
    Notes(usize),
    /// A split or a flatten.
    Placed,
}

/// A row with what the last comparison found.
pub(super) struct Told {
    pub row: Row,
    pub kept: Option<Kept>,
    /// The map that it is of, or whose notes it is of.
    pub map: Option<usize>,
}

/// Every row, in the order of loading, with its lists.
pub(super) fn rows<L: Lists>(
    plan: &Plan,
    workspace: &Workspace,
    veil: &Veil,
    lists: &mut Writing<'_, L>,
) -> Result<Vec<Told>, L::Error> {
    let streams = streams(plan, workspace).map_err(Error::from)?;
    let hash = plan.hash();
    let mut told = Vec::new();
    for (at, report) in standing(plan, workspace).map_err(Error::from)?.into_iter().enumerate() {
        let stream = streams.iter().find(|stream| stream.name == report.map);
        let (object, kind) = match stream {
            Some(stream) if stream.notes.is_some() => (stream.object.clone(), Kind::Notes(stream.map)),
            Some(stream) => (stream.object.clone(), Kind::Map(stream.map)),
            None => (placed_object(plan, &report.map), Kind::Placed),
        };
        let kept = match kind {
            Kind::Placed => None,
            _ => workspace.compared(&report.map)?,
        };
        let fresh = match &kept {
            Some(kept) => kept.plan == hash && kept.stamp == workspace.stamp(&report.map, &object)?,
            None => false,
        };
        let (ends, adds_up) = ends(plan, workspace, veil, lists, (at, &report, &object, kind))?;
        let numbers: Option<Kept> = kept.as_ref().and_then(|kept| serde_json::from_str(&kept.json).ok());
        let compared = match (&numbers, &kept) {
            (Some(numbers), Some(kept)) => {
                Some(row_compared(workspace, &report.map, numbers, &moment(kept.compared_ms), fresh)?)
            }
            _ => None,
        };
        let nothing = report.source == 0 && report.expected == 0;
        let proven = compared.as_ref().map_or(nothing, |compared| compared.fresh && compared.agrees);
        let row = Row {
            object: match kind {
                Kind::Notes(map) => plan.maps[map].source.clone(),
                _ => object,
            },
            beside: report.beside,
            source: report.source,
            adds_up,
            closes: adds_up && (kind == Kind::Placed || proven),
            comparable: kind != Kind::Placed && !nothing,
            compared,
            links_waiting: workspace.waiting(&report.map)?.len() as u64,
            ends,
            target: report.target,
            map: report.map,
        };
        let map = match kind {
            Kind::Map(map) | Kind::Notes(map) => Some(map),
            Kind::Placed => None,
        };
        told.push(Told { row, kept: numbers, map });
    }
    Ok(told)
}

/// The source object of a split or a flatten.
fn placed_object(plan: &Plan, row: &str) -> String {
    let split = plan.splits.iter().find(|split| split_name(split) == row).map(|split| &split.source);
    let flatten = || plan.flattens.iter().find(|one| flatten_name(plan, one) == row).map(|one| &one.source);
    split.or_else(flatten).cloned().unwrap_or_default()
}

/// Where the records of a row ended, each with its list; and whether the numbers add up.
fn ends<L: Lists>(
    plan: &Plan,
    workspace: &Workspace,
    veil: &Veil,
    lists: &mut Writing<'_, L>,
    (at, report, object, kind): (usize, &MapReport, &str, Kind),
) -> Result<(Vec<End>, bool), L::Error> {
    let mut all = Vec::new();
    let mut sum = 0;
    let mut agree = true;
    let file = |end: &str| format!("{:02}-{}-{}.csv", at + 1, slug(&report.map), slug(end));
    let head = ["row", "source object", "key", "destination object", "id", "end", "why"];
    for status in Status::ALL {
        let word = status.word();
        lists.begin(&file(word), &format!("{}: {word}", report.map), &head);
        let mut after = String::new();
        loop {
            let page = workspace.ends_of(&report.map, status, &after, PAGE)?;
            let Some((last, _)) = page.last() else { break };
            after.clone_from(last);
            for (key, outcome) in &page {
                let id = outcome.target.as_deref().unwrap_or_default();
                let why = veil.reason(outcome.reason.as_deref().unwrap_or_default());
                lists.row(&[&report.map, object, key, &report.target, id, word, &why])?;
            }
        }
        let (records, list) = lists.end()?;
        agree &= records == report.tally.get(status);
        sum += records;
        let mut reasons = Vec::new();
        if records > 0 && !matches!(status, Status::Created | Status::Adopted | Status::Folded) {
            let found = workspace.reasons(&report.map, status)?.into_iter().take(REASONS);
            reasons = found.map(|(why, records)| Reason { why: veil.reason(&why), records }).collect();
        }
        all.push(End { end: word.to_owned(), records, list, reasons });
    }
    let placed = report.tally.routed > 0;
    let word = if placed { "sent to maps" } else { "pending" };
    lists.begin(&file(word), &format!("{}: {word}", report.map), &head);
    let routed = match kind {
        Kind::Map(map) => plan.maps[map].split.is_some(),
        Kind::Notes(_) | Kind::Placed => false,
    };
    let mut after = String::new();
    loop {
        let page = match kind {
            Kind::Placed => workspace.without_end(&report.map, object, &after, PAGE)?,
            _ => workspace.unaccounted_page(Staging { map: &report.map, object, routed }, &after, PAGE)?,
        };
        let Some(last) = page.last() else { break };
        after.clone_from(last);
        for key in &page {
            lists.row(&[&report.map, object, key, &report.target, "", word, ""])?;
        }
    }
    let (records, list) = lists.end()?;
    sum += records;
    all.push(End { end: word.to_owned(), records, list, reasons: Vec::new() });
    Ok((all, agree && sum == report.source))
}

fn row_compared(
    workspace: &Workspace,
    map: &str,
    kept: &Kept,
    at: &str,
    fresh: bool,
) -> Result<RowCompared, crate::run::workspace::Error> {
    let differing = |open: bool| -> u64 {
        let fields = kept.fields.iter().flat_map(|field| &field.differing);
        fields.filter(|differing| differing.open == open).map(|differing| differing.records).sum()
    };
    let mut missing = 0;
    loop {
        let page = workspace.compared_page(map, Found::Missing, missing, PAGE)?;
        if page.is_empty() {
            break;
        }
        missing += page.len() as u64;
    }
    Ok(RowCompared {
        at: at.to_owned(),
        fresh,
        agrees: kept.agrees,
        expected: kept.expected,
        listed: kept.listed,
        missing,
        strange: kept.strange,
        fields_of: kept.compared,
        not_compared: kept.not_compared,
        unsourced: kept.unsourced,
        disagreeing: kept.disagreeing,
        source_now: kept.source_now,
        open: differing(true),
        explained: differing(false),
    })
}
