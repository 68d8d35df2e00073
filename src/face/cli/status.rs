//! `b2n status`

use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use crate::run::engine::{self, MapReport, Standing};
use crate::run::workspace::{self, Side, Workspace};

use super::failure::Failure;
use super::findings::Shape;
use super::lines::{say, tell};
use super::project::{Project, Ready};
use super::terminal::{Terminal, count, moment};
use super::{Format, PaceArgs, SpecArgs, WorkspaceArgs, approve, cutover, portion, pulse, report, rollback};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    spec: SpecArgs,
    #[command(flatten)]
    workspace: WorkspaceArgs,
    #[command(flatten)]
    pace: PaceArgs,
    /// Look again every so many seconds, until Ctrl-C.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "5", value_parser = clap::value_parser!(u64).range(1..=3600))]
    watch: Option<u64>,
}

pub fn run(args: &Args, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let ready = Project::load(&args.spec.spec)?.ready(terminal)?;
    let path = args.workspace.path(&args.spec.spec);
    let Some(seconds) = args.watch else { return once(args, &ready, &path, terminal) };
    loop {
        if terminal.drawn && terminal.findings == Shape::Human {
            // The screen anew, and its first place.
            print!("\u{1b}[2J\u{1b}[H");
        }
        match terminal.findings {
            Shape::Human => {
                let (process, workspace) = open(&path)?;
                tell!(terminal, "{}", now(args, &ready, &workspace, process, terminal)?);
                let maps = crate::run::engine::standing(&ready.plan, &workspace)?;
                tell!(terminal, "{}", report::books(&maps, terminal));
            }
            _ => drop(once(args, &ready, &path, terminal)?),
        }
        std::thread::sleep(std::time::Duration::from_secs(seconds));
    }
}

/// The workspace, and who works on it: one that nobody has is opened as ever, so that an older one is upgraded.
fn open(path: &Path) -> Result<(Option<u32>, Workspace), Failure> {
    Ok(match Workspace::holder(path)? {
        Some(process) => (Some(process), Workspace::look_into(path)?),
        None => match Workspace::open_existing(path) {
            // Somebody was faster.
            Err(workspace::Error::Locked { holder, .. }) => (holder, Workspace::look_into(path)?),
            opened => (None, opened?),
        },
    })
}

fn pulse_of(
    args: &Args,
    ready: &Ready,
    workspace: &Workspace,
    process: Option<u32>,
    now_ms: i64,
) -> Result<engine::Pulse, Failure> {
    let limits = crate::run::connect::limits(args.pace.pace());
    Ok(engine::pulse(&ready.plan, workspace, process, limits.rate_per_s, now_ms)?)
}

/// What is going on, for people.
fn now(
    args: &Args,
    ready: &Ready,
    workspace: &Workspace,
    process: Option<u32>,
    terminal: &Terminal,
) -> Result<String, Failure> {
    let now_ms = jiff::Timestamp::now().as_millisecond();
    Ok(pulse::text(&pulse_of(args, ready, workspace, process, now_ms)?, now_ms, terminal))
}

fn once(args: &Args, ready: &Ready, path: &Path, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let (process, workspace) = open(path)?;
    if terminal.findings == Shape::Prometheus {
        let now_ms = jiff::Timestamp::now().as_millisecond();
        let pulse = pulse_of(args, ready, &workspace, process, now_ms)?;
        print!("{}", pulse::prometheus(&pulse, &engine::counters(&ready.plan, &workspace)?));
        return Ok(ExitCode::SUCCESS);
    }
    let maps: Vec<MapReport> = crate::run::engine::standing(&ready.plan, &workspace)?;
    let source = workspace.pinned(Side::Source)?;
    let target = workspace.pinned(Side::Target)?;
    let (aliases, wiped) = (workspace.aliases(Side::Source)?, workspace.forgotten_ms()?);
    let unsettled = workspace.unsettled()?;
    let rolled = Standing::of(&workspace)?;
    let approved = workspace.approval(&ready.certificate.plan)?;
    let confirmed = crate::run::engine::confirmed_items(&workspace)?;
    let part = engine::Portion::of(&workspace)?;
    let mut staged = Vec::new();
    for object in crate::run::engine::objects(&ready.plan) {
        let manifest = workspace.manifest(object)?;
        staged.push((
            object.to_owned(),
            workspace.staged(object)?.saturating_sub(workspace.gone(object)?),
            manifest.is_some_and(|manifest| manifest.done),
        ));
    }
    match terminal.format {
        Format::Human => {
            say!(terminal, "{} {}", terminal.bold("workspace"), workspace.path().display());
            say!(terminal, "  source      {}", source.as_deref().unwrap_or("not met yet"));
            say!(terminal, "  destination {}", target.as_deref().unwrap_or("not met yet"));
            if !aliases.is_empty() {
                say!(terminal, "  renamed     the source is also called {}", aliases.join(", "));
            }
            if let Some(upgraded) = workspace.take_upgraded() {
                say!(
                    terminal,
                    "  upgraded    from layout {}; what it was is kept in {}",
                    upgraded.from,
                    upgraded.backup.display()
                );
            }
            if let Some(wiped) = wiped {
                say!(
                    terminal,
                    "  wiped       {}: nothing goes on from here; `b2n audit {}` prints its log",
                    moment(wiped),
                    args.spec.spec.display()
                );
            }
            match &approved {
                Some(approval) => say!(terminal, "  approved    {}", approve::line(approval)),
                None => say!(
                    terminal,
                    "  approved    not yet: `b2n approve {}` shows what there is to approve",
                    args.spec.spec.display()
                ),
            }
            if !confirmed.is_empty() {
                say!(terminal, "  confirmed   {}", confirmed.join(", "));
            }
            if let Some(frozen) = workspace.frozen_ms()? {
                say!(terminal, "  frozen      the source, at {}", moment(frozen));
            }
            for (object, records, done) in &staged {
                let state = match done {
                    true => portion::extent(part.as_ref(), object),
                    false => "not whole yet: `b2n extract` goes on",
                };
                say!(terminal, "  staged      {object}: {} records, {state}", count(*records));
            }
            tell!(terminal, "{}", now(args, ready, &workspace, process, terminal)?);
            tell!(terminal, "{}", portion::told(&workspace, terminal)?);
            tell!(terminal, "{}", report::books(&maps, terminal));
            tell!(terminal, "{}", report::reasons(&maps, &workspace, terminal)?);
            if let Some(rolled) = &rolled {
                say!(terminal, "{}", rollback::standing(rolled, &args.spec.spec));
            }
            tell!(terminal, "{}", cutover::alarm(&workspace, &args.spec.spec, terminal)?);
            if unsettled > 0 && process.is_none() {
                say!(
                    terminal,
                    "{} writes were under way when the last run ended; the next run settles them by their markers",
                    count(unsettled)
                );
            }
        }
        Format::Json => {
            let staged: Vec<_> = staged
                .iter()
                .map(|(object, records, done)| {
                    let state = portion::state(part.as_ref(), object, *done);
                    json!({"object": object, "records": records, "whole": state == "whole", "state": state})
                })
                .collect();
            println!(
                "{}",
                json!({
                    "format": "b2n-status/1", "workspace": workspace.path().display().to_string(), "source": source, "aliases": aliases, "wiped_ms": wiped,
                    "target": target, "approved": approved.as_ref().map(approve::approval_json), "confirmed": confirmed, "staged": staged, "maps": report::books_json(&maps, &workspace)?,
                    "writes_unsettled": unsettled, "rollback": rolled.as_ref().map(rollback::standing_json),
                    "freeze": cutover::printed(&workspace)?, "part": portion::printed(&workspace)?,
                    "now": pulse_of(args, ready, &workspace, process, jiff::Timestamp::now().as_millisecond())?,
                })
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}
