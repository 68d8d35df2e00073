//! `b2n quarantine list|show|retry|skip`

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::run::engine::{self, Cause, Detail, HeldBack, RecordName, Selection};
use crate::run::workspace::{Decision, Status, Workspace};

use super::account::Live;
use super::failure::Failure;
use super::lines::{say, tell};
use super::migrate::{self, Named};
use super::project::{Project, Ready};
use super::terminal::{Terminal, count};
use super::{Format, PaceArgs, SpecArgs, WorkspaceArgs};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

impl Args {
    /// Whether records are tried again, which is a run.
    pub fn retries(&self) -> bool {
        matches!(self.command, Command::Retry(_))
    }
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List what is held back, by reason, with the next step. Needs no network.
    List(ListArgs),
    /// Show one record: why it is held back, what it lacks, what lacks it, its writes. Needs no network.
    Show(ShowArgs),
    /// Try records again now, and with them what was held back for want of them.
    Retry(RetryArgs),
    /// Leave records out by decision: they count as left out, with the reason. Needs no network.
    Skip(SkipArgs),
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    #[command(flatten)]
    spec: SpecArgs,
    #[command(flatten)]
    workspace: WorkspaceArgs,
    /// Records of one map, and the notes that go with them.
    #[arg(long, value_name = "MAP")]
    map: Option<String>,
}

#[derive(Debug, clap::Args)]
struct ShowArgs {
    #[command(flatten)]
    spec: SpecArgs,
    /// The record, such as `deal/7`.
    #[arg(value_name = "RECORD")]
    record: String,
    #[command(flatten)]
    workspace: WorkspaceArgs,
    /// Print the record as the source delivered it: it may hold personal data.
    #[arg(long)]
    show_values: bool,
}

#[derive(Debug, clap::Args)]
struct RetryArgs {
    #[command(flatten)]
    spec: SpecArgs,
    /// Records, such as `deal/7`, or a file with one in each line; without any, everything that is held back.
    #[arg(value_name = "RECORD")]
    records: Vec<String>,
    #[command(flatten)]
    workspace: WorkspaceArgs,
    #[command(flatten)]
    pace: PaceArgs,
    /// Records of one map, and the notes that go with them.
    #[arg(long, value_name = "MAP", conflicts_with = "records")]
    map: Option<String>,
    /// Write into the account with this id without asking.
    #[arg(long, value_name = "ID")]
    yes_into: Option<String>,
}

#[derive(Debug, clap::Args)]
struct SkipArgs {
    #[command(flatten)]
    spec: SpecArgs,
    /// Records, such as `deal/7`, or a file with one in each line.
    #[arg(value_name = "RECORD", required = true)]
    records: Vec<String>,
    /// Why they are left out; it stands in the books and the report.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who decides, for the record.
    #[arg(long, value_name = "NAME", default_value = "")]
    by: String,
    #[command(flatten)]
    workspace: WorkspaceArgs,
}

/// Keys that a line names.
const KEYS: usize = 12;

pub fn run(args: &Args, terminal: &Terminal) -> Result<ExitCode, Failure> {
    match &args.command {
        Command::List(args) => list(args, terminal),
        Command::Show(args) => show(args, terminal),
        Command::Retry(args) => retry(args, terminal),
        Command::Skip(args) => skip(args, terminal),
    }
}

fn open(
    spec: &SpecArgs,
    workspace: &WorkspaceArgs,
    terminal: &Terminal,
) -> Result<(Ready, Workspace), Failure> {
    let ready = Project::load(&spec.spec)?.ready(terminal)?;
    let workspace = Workspace::open_existing(&workspace.path(&spec.spec))?;
    Ok((ready, workspace))
}

/// What a person can do about a record.
fn next(cause: Cause, name: &str, lacks: &[(String, String)], retried: bool, spec: &Path) -> String {
    let spec = spec.display();
    let again = format!("`b2n quarantine retry {spec} {name}`");
    let out = format!("`b2n quarantine skip {spec} {name} --reason TEXT`");
    match cause {
        Cause::Link => match lacks.first() {
            Some((map, key)) => format!(
                "it follows once `{map}/{key}` arrives: `b2n quarantine show {spec} {map}/{key}` tells why it did not; or \
                 leave it out with {out}"
            ),
            None => format!("see what it lacks with `b2n quarantine show {spec} {name}`"),
        },
        Cause::Parent => "it goes with the record that takes it in: settle that one".to_owned(),
        Cause::Unanswered => format!(
            "look for it in the destination; {again} looks for its marker before anything is sent, or leave it out with \
             {out}"
        ),
        Cause::Deleted => format!(
            "somebody deleted it in the destination: restore it there, then {again}, or agree with {out}"
        ),
        Cause::Unfinished => {
            format!("mend in the destination or the spec what the reason names, then {again}")
        }
        Cause::Refused => format!(
            "mend in the destination or the spec what it refuses, then {again}, or leave it out with {out}"
        ),
        Cause::Ruled if retried => {
            format!("settle what the reason names, then {again}, or leave it out with {out}")
        }
        Cause::Ruled => format!("change the spec before the first write, or leave it out with {out}"),
    }
}

fn lacks_of(held: &HeldBack) -> Vec<(String, String)> {
    held.lacks.iter().map(|lack| (lack.map.clone(), lack.key.clone())).collect()
}

fn next_of(held: &HeldBack, spec: &Path) -> String {
    next(held.cause, &held.name(), &lacks_of(held), held.retried, spec)
}

/// Decisions of all rows of the books that hold.
fn decisions(ready: &Ready, workspace: &Workspace) -> Result<Vec<(String, Decision)>, Failure> {
    let mut found = Vec::new();
    for row in engine::standing(&ready.plan, workspace)? {
        for decision in workspace.decisions(&row.map)? {
            found.push((row.map.clone(), decision));
        }
    }
    Ok(found)
}

fn decision_json(map: &str, decision: &Decision) -> Value {
    json!({
        "map": map, "key": decision.key, "reason": decision.reason, "by": decision.by, "stood": decision.before,
        "decided_ms": decision.decided_ms, "lifted_ms": decision.lifted_ms,
    })
}

fn list(args: &ListArgs, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let (ready, workspace) = open(&args.spec, &args.workspace, terminal)?;
    let held = engine::held_back(&ready.plan, &workspace, args.map.as_deref())?;
    let mut decided = decisions(&ready, &workspace)?;
    decided.retain(|(map, _)| args.map.as_ref().is_none_or(|only| map == only));
    let code = ExitCode::from(u8::from(!held.is_empty()));
    if terminal.format == Format::Json {
        let rows: Vec<Value> = held
            .iter()
            .map(|held| {
                let lacks: Vec<Value> =
                    lacks_of(held).iter().map(|(map, key)| json!({"map": map, "key": key})).collect();
                json!({
                    "map": held.item, "key": held.key, "status": held.outcome.status.word(),
                    "reason": held.outcome.reason, "id": held.outcome.target, "cause": held.cause.word(),
                    "lacks": lacks, "dependents": held.dependents, "next": next_of(held, &args.spec.spec),
                })
            })
            .collect();
        let decided: Vec<Value> = decided.iter().map(|(map, one)| decision_json(map, one)).collect();
        println!("{}", json!({"format": "b2n-quarantine/1", "held": rows, "decided": decided}));
        return Ok(code);
    }
    tell!(terminal, "{}", grouped(&held, &args.spec.spec, terminal));
    let standing = decided.iter().filter(|(_, decision)| decision.lifted_ms.is_none()).count();
    if held.is_empty() {
        say!(terminal, "nothing is held back");
    }
    if standing > 0 {
        say!(
            terminal,
            "{} left out by decision; `--format json` lists them with who decided and when",
            count(standing as u64)
        );
    }
    Ok(code)
}

/// A paragraph per row of the books, status and reason: how many, their keys, and what to do about the first.
fn grouped(held: &[HeldBack], spec: &Path, terminal: &Terminal) -> String {
    let mut groups: Vec<Vec<&HeldBack>> = Vec::new();
    for one in held {
        let alike = |group: &&mut Vec<&HeldBack>| {
            let first = group[0];
            (&first.item, first.outcome.status, first.cause) == (&one.item, one.outcome.status, one.cause)
                && (first.outcome.reason == one.outcome.reason || one.cause == Cause::Link)
        };
        match groups.iter_mut().find(alike) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    let mut text = String::new();
    for group in groups {
        let first = group[0];
        let reason = first.outcome.reason.as_deref().unwrap_or("no reason was kept");
        let number = group.len() as u64;
        let status = first.outcome.status.word();
        let heading = format!("{}: {} {status}", first.item, count(number));
        let such =
            if group.iter().any(|one| one.outcome.reason != first.outcome.reason) { "such as " } else { "" };
        let _ = writeln!(text, "{}, {such}{reason}", terminal.bold(&heading));
        let keys: Vec<&str> = group.iter().take(KEYS).map(|one| one.key.as_str()).collect();
        let more = group.len().saturating_sub(KEYS);
        let more = if more > 0 { format!(" and {} more", count(more as u64)) } else { String::new() };
        let _ = writeln!(text, "  {}{more}", keys.join(", "));
        let dependents: u64 = group.iter().map(|one| one.dependents).sum();
        if dependents > 0 {
            let word = if dependents == 1 { "record lacks" } else { "records lack" };
            let _ =
                writeln!(text, "  {} {word} {}", count(dependents), if number == 1 { "it" } else { "them" });
        }
        let _ = writeln!(text, "  {} {}", terminal.cyan("next:"), next_of(first, spec));
    }
    text
}

/// The one row of the books that a name leads to.
fn one(ready: &Ready, workspace: &Workspace, name: &str) -> Result<(String, String), Failure> {
    let mut rows = engine::address(&ready.plan, workspace, &RecordName::parse(name))?;
    if rows.len() > 1 {
        let names: Vec<String> = rows.iter().map(|(item, key)| format!("`{item}/{key}`")).collect();
        return Err(Failure::usage(format!("`{name}` goes to several maps"))
            .hint(format!("name one of {}", names.join(", "))));
    }
    rows.pop().ok_or_else(|| Failure::usage(format!("`{name}` goes to no map")))
}

fn show(args: &ShowArgs, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let (ready, workspace) = open(&args.spec, &args.workspace, terminal)?;
    let (item, key) = one(&ready, &workspace, &args.record)?;
    let detail = engine::detail(&ready.plan, &workspace, &item, &key)?;
    let lacks: Vec<(String, String)> =
        detail.lacks.iter().map(|line| (line.map.clone(), line.key.clone())).collect();
    let name = format!("{item}/{key}");
    let next = detail.cause.map(|cause| next(cause, &name, &lacks, detail.retried, &args.spec.spec));
    match terminal.format {
        Format::Human => {
            tell!(terminal, "{}", detail_text(&detail, next.as_deref(), args.show_values, terminal))
        }
        Format::Json => println!("{}", detail_json(&detail, next.as_deref(), args.show_values)),
    }
    Ok(ExitCode::SUCCESS)
}

fn standing(status: Option<Status>, staged: bool) -> &'static str {
    match status {
        Some(status) => status.word(),
        None if staged => "pending",
        None => "not in the source",
    }
}

fn staged(detail: &Detail) -> Option<Value> {
    detail.staged.as_deref().and_then(|json| serde_json::from_slice(json).ok())
}

fn detail_text(detail: &Detail, next: Option<&str>, show_values: bool, terminal: &Terminal) -> String {
    let mut text = String::new();
    let mut line = |word: &str, what: &str| {
        let _ = writeln!(text, "  {word:<10}{what}");
    };
    let status = detail.outcome.as_ref().map_or("pending", |outcome| outcome.status.word());
    line("stands", status);
    if let Some(outcome) = &detail.outcome {
        if let Some(reason) = &outcome.reason {
            line("reason", reason);
        }
        if let Some(id) = &outcome.target {
            line("id there", id);
        }
    }
    if let Some(next) = next {
        line("next", next);
    }
    for lack in &detail.lacks {
        let stands = standing(lack.status, lack.staged);
        line("lacks", &format!("`{}/{}` in `{}`: {stands}", lack.map, lack.key, lack.field));
    }
    for one in &detail.dependents {
        line("needed by", &format!("`{}/{}`: {}", one.map, one.key, standing(one.status, true)));
    }
    let more = detail.all_dependents.saturating_sub(detail.dependents.len() as u64);
    if more > 0 {
        line("needed by", &format!("{} more records", count(more)));
    }
    for flag in &detail.flags {
        line("flag", &format!("{}: {}", flag.rule, flag.why));
    }
    for write in &detail.writes {
        let note = write.note.as_deref().map(|note| format!(", {note}")).unwrap_or_default();
        let operation = write.intent.operation.word();
        line("write", &format!("{operation} {}: {}{note}", write.seq, write.state.word()));
    }
    for decision in &detail.decisions {
        let by = if decision.by.is_empty() { String::new() } else { format!(" by {}", decision.by) };
        let lifted = if decision.lifted_ms.is_some() { ", taken back since" } else { "" };
        line("decision", &format!("left out{by}: {}{lifted}", decision.reason));
    }
    if show_values {
        match staged(detail) {
            Some(record) => line("record", &record.to_string()),
            None => line("record", "is not staged, or cannot be read"),
        }
    }
    let name = format!("{}/{}", detail.item, detail.key);
    format!("{}\n{text}", terminal.bold(&name))
}

fn detail_json(detail: &Detail, next: Option<&str>, show_values: bool) -> Value {
    let lacks: Vec<Value> = detail
        .lacks
        .iter()
        .map(|line| {
            json!({
                "field": line.field, "map": line.map, "key": line.key, "status": standing(line.status, line.staged),
            })
        })
        .collect();
    let dependents: Vec<Value> = detail
        .dependents
        .iter()
        .map(|one| json!({"map": one.map, "key": one.key, "status": standing(one.status, true)}))
        .collect();
    let writes: Vec<Value> = detail
        .writes
        .iter()
        .map(|write| {
            json!({
                "seq": write.seq, "operation": write.intent.operation.word(), "state": write.state.word(),
                "id": write.intent.target, "sent_ms": write.sent_ms, "ended_ms": write.ended_ms, "note": write.note,
            })
        })
        .collect();
    let flags: Vec<Value> =
        detail.flags.iter().map(|flag| json!({"rule": flag.rule, "why": flag.why})).collect();
    let decisions: Vec<Value> = detail.decisions.iter().map(|one| decision_json(&detail.item, one)).collect();
    let outcome = detail.outcome.as_ref();
    json!({
        "format": "b2n-quarantine/1",
        "record": {
            "map": detail.item, "key": detail.key, "status": outcome.map_or("pending", |o| o.status.word()),
            "reason": outcome.and_then(|o| o.reason.as_ref()), "id": outcome.and_then(|o| o.target.as_ref()),
            "cause": detail.cause.map(Cause::word), "next": next, "lacks": lacks, "dependents": dependents,
            "all_dependents": detail.all_dependents, "flags": flags, "writes": writes, "decisions": decisions,
            "values": if show_values { staged(detail) } else { None },
        },
    })
}

/// Names in arguments: each a record, a list of records, or a file of them.
fn names(records: &[String]) -> Result<Vec<RecordName>, Failure> {
    let mut found = Vec::new();
    for text in records {
        found.extend(migrate::record_names(text)?);
    }
    Ok(found)
}

fn retry(args: &RetryArgs, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let (ready, workspace) = open(&args.spec, &args.workspace, terminal)?;
    let records = if args.records.is_empty() {
        let held = engine::held_back(&ready.plan, &workspace, args.map.as_deref())?;
        let held = held.into_iter().filter(|held| held.retried);
        held.map(|held| RecordName { item: Some(held.item), key: held.key }).collect()
    } else {
        names(&args.records)?
    };
    if records.is_empty() {
        return Err(Failure::usage("nothing that a run can try again is held back")
            .hint(format!("`b2n quarantine list {}` lists what is held back", args.spec.spec.display())));
    }
    // A person's new word takes the former one back.
    let mut rows = Vec::new();
    if !args.records.is_empty() {
        for name in &records {
            rows.extend(engine::address(&ready.plan, &workspace, name)?);
        }
    }
    let selection = Selection { records: Some(records), ..Selection::default() };
    let live = Live::from_environment(&ready, args.pace.pace())?;
    let named = Named {
        spec: &args.spec.spec,
        live: &live,
        yes_into: args.yes_into.as_deref(),
        yes_change: None,
        lift: &rows,
        selection: &selection,
        shown: None,
    };
    migrate::carry_out(&ready, &workspace, &named, terminal)
}

fn skip(args: &SkipArgs, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let reason = args.reason.trim();
    if reason.is_empty() {
        return Err(Failure::usage("`--reason` is empty").hint(
            "say why the records are left out: the reason stands in the books and in the report that is handed over",
        ));
    }
    let (ready, workspace) = open(&args.spec, &args.workspace, terminal)?;
    let mut rows = Vec::new();
    for name in names(&args.records)? {
        rows.push(one(&ready, &workspace, &name.to_string())?);
    }
    rows.sort();
    rows.dedup();
    let mut dependents = 0;
    for (item, key) in &rows {
        dependents += workspace.dependents_of(item, key, 0)?.1;
    }
    engine::skip(&workspace, &rows, reason, args.by.trim(), jiff::Timestamp::now().as_millisecond())?;
    if terminal.format == Format::Json {
        let mut skipped = Vec::new();
        for (item, key) in &rows {
            if let Some(decision) = workspace.decision(item, key)? {
                skipped.push(decision_json(item, &decision));
            }
        }
        println!("{}", json!({"format": "b2n-quarantine/1", "skipped": skipped, "dependents": dependents}));
        return Ok(ExitCode::SUCCESS);
    }
    let (number, spec) = (rows.len() as u64, args.spec.spec.display());
    let word = if number == 1 { "record is" } else { "records are" };
    say!(terminal, "{} {word} left out by decision: {reason}", count(number));
    if dependents > 0 {
        let word = if dependents == 1 { "record lacks" } else { "records lack" };
        say!(
            terminal,
            "{} {word} what is left out now, and are dealt with as their rules say",
            count(dependents)
        );
    }
    say!(
        terminal,
        "`b2n migrate {spec}` closes the books with it; `b2n quarantine retry {spec} RECORD` takes it back"
    );
    Ok(ExitCode::SUCCESS)
}
