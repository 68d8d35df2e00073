//! `b2n reconcile`

use std::process::ExitCode;

use crate::run::engine::RunReport;
use crate::run::workspace::Workspace;

use super::account::{self, Live};
use super::failure::Failure;
use super::project::Project;
use super::terminal::Terminal;
use super::{PaceArgs, SpecArgs, WorkspaceArgs, migrate};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    spec: SpecArgs,
    #[command(flatten)]
    workspace: WorkspaceArgs,
    #[command(flatten)]
    pace: PaceArgs,
}

pub fn run(args: &Args, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let ready = Project::load(&args.spec.spec)?.ready(terminal)?;
    let live = Live::from_environment(&ready, args.pace.pace())?;
    let workspace = Workspace::open_existing(&args.workspace.path(&args.spec.spec))?;
    let started = std::time::Instant::now();
    let maps =
        account::block_on(&live, &ready, &workspace, terminal, async |engine| engine.reconcile().await)?;
    let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let run = RunReport { maps, took_ms };
    migrate::show(&run, &workspace, terminal)?;
    let open = !run.closes() || run.maps.iter().any(|map| map.pending() > 0);
    Ok(ExitCode::from(u8::from(open)))
}
