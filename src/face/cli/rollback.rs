//! `b2n rollback`

use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::run::engine::{Announcement, Leftover, RollbackReport, Standing};
use crate::run::workspace::{Fate, RollbackCount, Turn, Workspace};

use super::account::{self, Live};
use super::failure::Failure;
use super::migrate::{Asked, confirm};
use super::project::Project;
use super::terminal::{Terminal, count, duration};
use super::{Format, PaceArgs, SpecArgs, WorkspaceArgs};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    spec: SpecArgs,
    #[command(flatten)]
    workspace: WorkspaceArgs,
    #[command(flatten)]
    pace: PaceArgs,
    /// Print what would become of every record, and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Roll back the records of one map and the notes that go with them.
    #[arg(long, value_name = "MAP")]
    only: Option<String>,
    /// Take records out of the account with this id without asking.
    #[arg(long, value_name = "ID")]
    yes_into: Option<String>,
}

const TAKING_BACK: Asked = Asked {
    what: "taking records out of",
    before: "records will be taken out of",
    goal: "take records out of",
};

/// Records that are printed one by one.
const SHOWN: usize = 20;

pub fn run(args: &Args, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let ready = Project::load(&args.spec.spec)?.ready(terminal)?;
    let workspace = Workspace::open_existing(&args.workspace.path(&args.spec.spec))?;
    let live = Live::of_target(&ready, args.pace.pace())?;
    let target =
        account::block_on(&live, &ready, &workspace, terminal, async |engine| engine.bind_target().await)?;
    let _destination =
        if args.dry_run { None } else { Some(account::lock_destination(live.target.local_port(), &target)?) };
    let announced = account::block_on(&live, &ready, &workspace, terminal, async |engine| {
        engine.announce_rollback(args.only.as_deref()).await
    })?;
    let by = |object: &str| live.target.deletes_by(object);
    if args.dry_run || terminal.format == Format::Human {
        announce(&announced, &workspace, &by, args, terminal)?;
    }
    if args.dry_run {
        return Ok(ExitCode::SUCCESS);
    }
    if !announced.begun {
        confirm(args.yes_into.as_deref(), &target, terminal, &TAKING_BACK)?;
    }
    let report = account::block_on(&live, &ready, &workspace, terminal, async |engine| {
        engine.roll_back(&announced).await
    })?;
    show(&report, &workspace, args, terminal)?;
    Ok(ExitCode::from(u8::from(!report.as_announced())))
}

/// A row per map: how many records have each of these fates and turns.
fn rows(counts: &[RollbackCount], columns: &[fn(&RollbackCount) -> bool]) -> Vec<(String, String, Vec<u64>)> {
    let mut rows: Vec<(String, String, Vec<u64>)> = Vec::new();
    for one in counts {
        if rows.last().is_none_or(|(map, object, _)| *map != one.map || *object != one.object) {
            rows.push((one.map.clone(), one.object.clone(), vec![0; columns.len()]));
        }
        if let Some((_, _, numbers)) = rows.last_mut() {
            for (number, column) in numbers.iter_mut().zip(columns) {
                *number += if column(one) { one.records } else { 0 };
            }
        }
    }
    rows
}

/// The same for programs: each number under its column's name.
fn maps_json(rows: &[(String, String, Vec<u64>)], columns: &[Column]) -> Vec<Value> {
    let row = |(map, object, numbers): &(String, String, Vec<u64>)| {
        let mut row = json!({"map": map, "object": object});
        for ((name, _), number) in columns.iter().zip(numbers) {
            row[*name] = json!(number);
        }
        row
    };
    rows.iter().map(row).collect()
}

/// A column: its name, and what it counts.
type Column = (&'static str, fn(&RollbackCount) -> bool);

const ANNOUNCED: [Column; 4] = [
    ("delete", |count| count.fate == Fate::Delete),
    ("restore", |count| count.fate == Fate::Restore),
    ("keep", |count| count.fate == Fate::Keep),
    ("gone", |count| count.fate == Fate::Gone),
];

const CAME_TO: [Column; 7] = [
    ("deleted", |count| count.fate == Fate::Delete && count.turn == Turn::Done),
    ("restored", |count| count.fate == Fate::Restore && count.turn == Turn::Done),
    ("kept", |count| count.fate == Fate::Keep),
    ("gone", |count| count.fate == Fate::Gone && count.turn == Turn::Done),
    ("changed_meanwhile", |count| count.turn == Turn::Kept),
    ("refused", |count| count.turn == Turn::Refused),
    ("open", |count| count.turn == Turn::Open),
];

fn announce(
    announced: &Announcement,
    workspace: &Workspace,
    by: &dyn Fn(&str) -> String,
    args: &Args,
    terminal: &Terminal,
) -> Result<(), Failure> {
    let numbers = rows(&announced.counts, &ANNOUNCED.map(|(_, column)| column));
    if terminal.format == Format::Json {
        let mut maps = maps_json(&numbers, &ANNOUNCED);
        for (row, (_, object, _)) in maps.iter_mut().zip(&numbers) {
            row["by"] = json!(by(object));
        }
        let doubts: Vec<Value> = announced
            .doubts
            .iter()
            .map(|(map, records, why)| json!({"map": map, "records": records, "why": why}))
            .collect();
        println!(
            "{}",
            json!({
                "format": "b2n-rollback/1", "dry_run": true, "only": announced.only, "begun": announced.begun,
                "maps": maps, "staying": staying(workspace, !announced.begun)?, "may_be_refused": doubts,
                "provisioned": provisioned(&announced.leftovers),
            })
        );
        return Ok(());
    }
    if announced.begun {
        println!("this rollback was begun; it goes on with the list that it announced then");
    }
    let mut head = vec!["map"];
    head.extend(ANNOUNCED.iter().map(|(name, _)| *name));
    head.push("by");
    let table: Vec<Vec<String>> = numbers
        .iter()
        .map(|(map, object, numbers)| {
            let mut row = vec![format!("{map} -> {object}")];
            row.extend(numbers.iter().map(|number| count(*number)));
            row.push(by(object).replace('`', ""));
            row
        })
        .collect();
    print!("{}", terminal.table(&head, &table));
    print!("{}", staying_text(workspace, !announced.begun, terminal)?);
    for (map, records, why) in &announced.doubts {
        println!(
            "  {map}: {} may be refused: {why}; what is refused goes to the trash with its record",
            count(*records)
        );
    }
    print!("{}", settings_text(&announced.leftovers, ("goes", "go"), terminal));
    if args.dry_run {
        let only = announced.only.as_deref().map(|map| format!(" --only {map}")).unwrap_or_default();
        println!(
            "nothing was written; `b2n rollback {}{only}` does this, but for what changes until then",
            args.spec.spec.display()
        );
    }
    Ok(())
}

/// Every record that stays, or of which something does.
fn staying(workspace: &Workspace, asked: bool) -> Result<Vec<Value>, Failure> {
    let mut found = Vec::new();
    let mut after = 0;
    loop {
        let page = workspace.staying(asked, after, 1_000)?;
        let Some(last) = page.last() else { return Ok(found) };
        after = last.seq;
        for line in page {
            found.push(json!({
                "map": line.map, "key": line.key, "object": line.object, "id": line.target,
                "announced": line.fate.word(), "changed_meanwhile": line.turn == Turn::Kept,
                "refused": line.turn == Turn::Refused, "why": line.why,
            }));
        }
    }
}

fn staying_text(workspace: &Workspace, asked: bool, terminal: &Terminal) -> Result<String, Failure> {
    let mut text = String::new();
    let (mut after, mut shown, mut more) = (0, 0, 0u64);
    loop {
        let page = workspace.staying(asked, after, 1_000)?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        for line in page {
            if shown == SHOWN {
                more += 1;
                continue;
            }
            shown += 1;
            let what = match (line.fate, line.turn) {
                (Fate::Restore, Turn::Open | Turn::Done) => "is restored but for this",
                _ => "stays",
            };
            let why = line.why.unwrap_or_default();
            text.push_str(&format!(
                "  {} {} ({} {}) {what}: {why}\n",
                line.object, line.target, line.map, line.key
            ));
        }
    }
    if more > 0 {
        text.push_str(&format!("  and {} more; `--format json` lists all of them\n", count(more)));
    }
    if !text.is_empty() {
        text.insert_str(0, &format!("{}\n", terminal.bold("what stays")));
    }
    Ok(text)
}

fn provisioned(leftovers: &[Leftover]) -> Vec<Value> {
    leftovers.iter().map(|one| json!({"what": one.what, "stays": one.stays})).collect()
}

/// A line per reason: most fields share one.
fn settings_text(leftovers: &[Leftover], verb: (&str, &str), terminal: &Terminal) -> String {
    const NAMED: usize = 4;
    let mut reasons: Vec<(Option<&str>, Vec<&str>)> = Vec::new();
    for one in leftovers {
        let why = one.stays.as_deref();
        match reasons.iter_mut().find(|(known, _)| *known == why) {
            Some((_, names)) => names.push(&one.what),
            None => reasons.push((why, vec![&one.what])),
        }
    }
    let mut text = String::new();
    for (why, names) in reasons {
        let shown = if names.len() == NAMED + 1 { NAMED + 1 } else { NAMED.min(names.len()) };
        let mut line = names[..shown].join(", ");
        if names.len() > shown {
            line.push_str(&format!(" and {} more", count((names.len() - shown) as u64)));
        }
        let one = names.len() == 1;
        match why {
            None => text.push_str(&format!("  {line} {}\n", if one { verb.0 } else { verb.1 })),
            Some(why) => text.push_str(&format!("  {line} {}: {why}\n", if one { "stays" } else { "stay" })),
        }
    }
    if !text.is_empty() {
        text.insert_str(0, &format!("{}\n", terminal.bold("what the migration made in the settings")));
    }
    text
}

fn show(
    report: &RollbackReport,
    workspace: &Workspace,
    args: &Args,
    terminal: &Terminal,
) -> Result<(), Failure> {
    let numbers = rows(&report.counts, &CAME_TO.map(|(_, column)| column));
    if terminal.format == Format::Json {
        let maps = maps_json(&numbers, &CAME_TO);
        let strangers: Vec<Value> = report
            .strangers
            .iter()
            .map(|(object, id, key)| json!({"object": object, "id": id, "key": key}))
            .collect();
        println!(
            "{}",
            json!({
                "format": "b2n-rollback/1", "dry_run": false, "as_announced": report.as_announced(),
                "took_ms": report.took_ms, "nothing_left": report.anew, "maps": maps,
                "staying": staying(workspace, false)?, "not_in_the_list": strangers,
                "provisioned": provisioned(&report.leftovers),
            })
        );
        return Ok(());
    }
    let kept = [true, true, true, true, false, false, false];
    let used: Vec<usize> = (0..CAME_TO.len())
        .filter(|at| kept[*at] || numbers.iter().any(|(_, _, numbers)| numbers[*at] > 0))
        .collect();
    let mut head = vec!["map".to_owned()];
    head.extend(used.iter().map(|at| CAME_TO[*at].0.replace('_', " ")));
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    let table: Vec<Vec<String>> = numbers
        .iter()
        .map(|(map, object, numbers)| {
            let mut row = vec![format!("{map} -> {object}")];
            row.extend(used.iter().map(|at| count(numbers[*at])));
            row
        })
        .collect();
    print!("{}", terminal.table(&head, &table));
    print!("{}", staying_text(workspace, false, terminal)?);
    for (object, id, key) in &report.strangers {
        println!(
            "  {object} {id} carries the marker of {key} and was not in the list: run `b2n rollback` again"
        );
    }
    print!("{}", settings_text(&report.leftovers, ("is gone", "are gone"), terminal));
    let verdict = if report.as_announced() {
        terminal.green("rolled back as announced")
    } else {
        terminal.red("rolled back, but not all of it as announced")
    };
    println!("{verdict}, in {}", duration(report.took_ms as f64 / 1000.0));
    let spec = args.spec.spec.display();
    if report.anew {
        println!("nothing of this migration is left but what is listed; `b2n migrate {spec}` begins anew");
    } else {
        println!("`b2n migrate {spec}` writes again what was taken back, beside what stays");
    }
    Ok(())
}

/// How far a rollback is, in a line.
pub fn standing(standing: &Standing, spec: &Path) -> String {
    let of = |column: fn(&RollbackCount) -> bool| -> u64 {
        standing.counts.iter().filter(|count| column(count)).map(|count| count.records).sum()
    };
    let only = standing.rollback.only.as_deref().map(|map| format!(" of `{map}`")).unwrap_or_default();
    let all = of(|count| count.fate != Fate::Keep);
    let open = of(|count| count.turn == Turn::Open);
    if standing.rollback.ended_ms.is_none() {
        return format!(
            "a rollback{only} is under way: {} of {} records are settled; `b2n rollback {}` finishes it, and until then \
             nothing can be written",
            count(all.saturating_sub(open)),
            count(all),
            spec.display()
        );
    }
    let stay = of(|count| count.fate == Fate::Keep || matches!(count.turn, Turn::Kept | Turn::Refused));
    format!(
        "rolled back{only}: {} records were deleted, {} restored, {} stay",
        count(of(|count| count.fate == Fate::Delete && count.turn == Turn::Done)),
        count(of(|count| count.fate == Fate::Restore && count.turn == Turn::Done)),
        count(stay)
    )
}

/// How far a rollback is, for programs.
pub fn standing_json(standing: &Standing) -> Value {
    let numbers = rows(&standing.counts, &CAME_TO.map(|(_, column)| column));
    let maps: Vec<Value> = numbers
        .iter()
        .map(|(map, object, numbers)| {
            let mut row = json!({"map": map, "object": object});
            for ((name, _), number) in CAME_TO.iter().zip(numbers) {
                row[*name] = json!(number);
            }
            row
        })
        .collect();
    json!({
        "only": standing.rollback.only, "under_way": standing.rollback.ended_ms.is_none(),
        "began_ms": standing.rollback.began_ms, "ended_ms": standing.rollback.ended_ms, "maps": maps,
    })
}
