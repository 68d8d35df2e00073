//! `b2n extract`

use std::process::ExitCode;

use serde_json::json;

use crate::run::engine;
use crate::run::workspace::Workspace;

use super::account::{self, Process};
use super::failure::Failure;
use super::project::Project;
use super::terminal::{Terminal, count};
use super::{Format, SpecArgs, WorkspaceArgs};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    spec: SpecArgs,
    #[command(flatten)]
    workspace: WorkspaceArgs,
}

pub fn run(args: &Args, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let ready = Project::load(&args.spec.spec)?.ready(terminal)?;
    let process = Process::new()?;
    let source = process.source(&ready.plan.source.connector)?;
    let workspace = Workspace::open(&args.workspace.path(&args.spec.spec))?;
    account::until_ctrl_c(process.clock.as_ref(), &workspace, terminal, async |outside| {
        engine::extract(&ready.plan, &workspace, source.as_ref(), &outside).await
    })?;
    let mut rows = Vec::new();
    for object in engine::objects(&ready.plan) {
        let manifest = workspace.manifest(object)?.unwrap_or_default();
        rows.push((object.to_owned(), workspace.staged(object)?, manifest.counted.unwrap_or(0)));
    }
    match terminal.format {
        Format::Human => {
            for (object, staged, counted) in &rows {
                println!("{object}: {} staged, {} counted by the source", count(*staged), count(*counted));
            }
            println!(
                "next: `b2n rehearse {} --workspace {}`",
                args.spec.spec.display(),
                workspace.path().display()
            );
        }
        Format::Json => {
            let rows: Vec<_> = rows.iter().map(|(object, staged, counted)| json!({"object": object, "staged": staged, "counted": counted})).collect();
            println!("{}", json!({"format": "b2n-extract/1", "objects": rows}));
        }
    }
    Ok(ExitCode::SUCCESS)
}
