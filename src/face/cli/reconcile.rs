//! `b2n reconcile`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::lang::plan::Plan;
use crate::run::engine::{self, FileField, MapReport, RunReport};
use crate::run::workspace::{Staging, Workspace};

use super::account::{self, Live};
use super::csv::Csv;
use super::failure::Failure;
use super::lines::{say, tell};
use super::migrate::Beside;
use super::project::{Project, Ready};
use super::terminal::Terminal;
use super::{Format, PaceArgs, SpecArgs, WorkspaceArgs, cutover, exports, migrate};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    spec: SpecArgs,
    #[command(flatten)]
    workspace: WorkspaceArgs,
    #[command(flatten)]
    pace: PaceArgs,
    /// Hold what was extracted against a CSV export of the source, such as `deal=DEAL_20261121.csv`; one or several.
    /// The object may be left out where the file's name begins with it.
    #[arg(long, value_name = "[OBJECT=]FILE")]
    csv: Vec<String>,
    /// Also write every record, difference, sum and file to this CSV file.
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write planned and found values of what differs into the file; without it, it names fields only.
    #[arg(long, requires = "out")]
    show_values: bool,
}

pub fn run(args: &Args, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let ready = Project::load(&args.spec.spec)?.ready(terminal)?;
    let live = Live::from_environment(&ready, args.pace.pace())?;
    let workspace = Workspace::open_existing(&args.workspace.path(&args.spec.spec))?;
    let exports = exports::compare(&args.csv, &ready.plan, &workspace)?;
    let started = std::time::Instant::now();
    let maps =
        account::block_on(&live, &ready, &workspace, terminal, async |engine| engine.reconcile().await)?;
    let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let run = RunReport { maps, took_ms, spent: None };
    let later = cutover::ask(&ready, &live, &workspace, terminal)?;
    let ledger = match &args.out {
        Some(path) => write(path, args.show_values, &run.maps, &ready, &workspace)?,
        None => engine::count_files(&ready.plan, &workspace, &ready.source)?,
    };
    let beside = Beside { files: Some(&ledger), exports: &exports, sample: None };
    migrate::show_with(&run, &workspace, &live.limits, &beside, terminal)?;
    if let Some(path) = args.out.as_ref().filter(|_| terminal.format == Format::Human) {
        say!(terminal, "every record, difference, sum and file stands in {}", path.display());
    }
    if terminal.format == Format::Human {
        tell!(terminal, "{}", cutover::alarm(&workspace, &args.spec.spec, terminal)?);
    }
    let open = !run.closes()
        || later > 0
        || run.maps.iter().any(|map| map.pending() > 0)
        || exports.iter().any(|export| export.not_staged > 0);
    Ok(ExitCode::from(u8::from(open)))
}

/// The columns of the file.
const HEAD: [&str; 11] =
    ["what", "map", "key", "object", "id", "status", "field", "kind", "reason", "planned", "found"];

/// Rows that are looked up at once.
const PAGE: u32 = 1_000;

/// A row of the file, by column.
#[derive(Default)]
struct Row<'r> {
    what: &'r str,
    map: &'r str,
    key: &'r str,
    object: &'r str,
    id: &'r str,
    status: &'r str,
    field: &'r str,
    kind: &'r str,
    reason: &'r str,
    planned: &'r str,
    found: &'r str,
}

impl Row<'_> {
    fn put(&self, csv: &mut Csv) -> Result<(), Failure> {
        csv.row(&[
            self.what,
            self.map,
            self.key,
            self.object,
            self.id,
            self.status,
            self.field,
            self.kind,
            self.reason,
            self.planned,
            self.found,
        ])
    }
}

/// Writes everything page by page, and gives the ledger of files that it came by.
fn write(
    path: &Path,
    show_values: bool,
    maps: &[MapReport],
    ready: &Ready,
    workspace: &Workspace,
) -> Result<Vec<FileField>, Failure> {
    let mut csv = Csv::create(path, &HEAD)?;
    for map in maps {
        ends(&mut csv, map, workspace)?;
        if map.listed.is_some() {
            listed(&mut csv, map, &ready.plan, workspace)?;
        }
        if map.proof.is_some() {
            differences(&mut csv, map, workspace, show_values)?;
            sums(&mut csv, map)?;
        }
    }
    let ledger = engine::files(&ready.plan, workspace, &ready.source, |line| {
        Row {
            what: "file",
            object: line.object,
            key: line.key,
            field: line.field,
            id: line.file,
            ..Row::default()
        }
        .put(&mut csv)
    })?;
    for field in ledger.iter().filter(|field| field.files > 0) {
        Row {
            what: "files",
            object: &field.object,
            field: &field.field,
            reason: &field.fate(),
            planned: &field.files.to_string(),
            found: "0",
            ..Row::default()
        }
        .put(&mut csv)?;
    }
    csv.finish()?;
    workspace.exported(path, jiff::Timestamp::now().as_millisecond())?;
    Ok(ledger)
}

/// Where each record ended.
fn ends(csv: &mut Csv, map: &MapReport, workspace: &Workspace) -> Result<(), Failure> {
    let mut after = String::new();
    loop {
        let page = workspace.ends_page(&map.map, &after, PAGE)?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after.clone_from(last);
        for (key, outcome) in &page {
            Row {
                what: "record",
                map: &map.map,
                key,
                object: &map.target,
                id: outcome.target.as_deref().unwrap_or_default(),
                status: outcome.status.word(),
                reason: outcome.reason.as_deref().unwrap_or_default(),
                ..Row::default()
            }
            .put(csv)?;
        }
    }
}

/// Records that stand on one side only.
fn listed(csv: &mut Csv, map: &MapReport, plan: &Plan, workspace: &Workspace) -> Result<(), Failure> {
    let one = plan.maps.iter().find(|one| one.name == map.map);
    let (object, routed) = one.map_or((map.map.as_str(), false), |one| (&one.source, one.split.is_some()));
    let staging = Staging { map: &map.map, object, routed };
    let row = Row { map: &map.map, object: &map.target, ..Row::default() };
    let mut after = String::new();
    loop {
        let page = workspace.unaccounted_page(staging, &after, PAGE)?;
        let Some(last) = page.last() else { break };
        after.clone_from(last);
        for key in &page {
            Row { what: "record", key, status: "pending", ..row }.put(csv)?;
        }
    }
    after.clear();
    loop {
        let page = workspace.missing_page(&map.map, &after, PAGE)?;
        let Some((last, _)) = page.last() else { break };
        after.clone_from(last);
        for (key, id) in &page {
            Row { what: "missing", key, id, reason: "the destination does not list it", ..row }.put(csv)?;
        }
    }
    let mut after = (String::new(), String::new());
    loop {
        let page = workspace.strange_page(&map.map, (&after.0, &after.1), PAGE)?;
        let Some(last) = page.last() else { return Ok(()) };
        after.clone_from(last);
        for (key, id) in &page {
            Row { what: "strange", key, id, reason: "the books do not know it", ..row }.put(csv)?;
        }
    }
}

fn differences(
    csv: &mut Csv,
    map: &MapReport,
    workspace: &Workspace,
    show_values: bool,
) -> Result<(), Failure> {
    let mut after = 0;
    loop {
        let page = workspace.differences_page(&map.map, after, PAGE)?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = *last;
        for (_, differing) in &page {
            let (planned, found) =
                if show_values { (differing.planned.as_str(), differing.found.as_str()) } else { ("", "") };
            Row {
                what: "difference",
                map: &map.map,
                key: &differing.key,
                object: &map.target,
                id: &differing.target,
                field: &differing.field,
                kind: &differing.kind,
                planned,
                found,
                ..Row::default()
            }
            .put(csv)?;
        }
    }
}

/// Sums: `kind` is the currency, `status` the stage.
fn sums(csv: &mut Csv, map: &MapReport) -> Result<(), Failure> {
    for (key, sum) in map.proof.iter().flat_map(|proof| &proof.sums) {
        Row {
            what: "sum",
            map: &map.map,
            object: &map.target,
            field: &key.field,
            kind: &key.currency,
            status: &key.stage,
            reason: if sum.closes() { "closes" } else { "open" },
            planned: &sum.arrived.normalize().to_string(),
            found: &sum.found.normalize().to_string(),
            ..Row::default()
        }
        .put(csv)?;
    }
    Ok(())
}
