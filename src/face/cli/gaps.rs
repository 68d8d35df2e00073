//! `b2n gaps`

use std::path::PathBuf;
use std::process::ExitCode;

use crate::face::report::handover;
use crate::run::engine::{self, discovery};

use super::failure::Failure;
use super::project::Project;
use super::terminal::Terminal;
use super::{SpecArgs, scope, sheet};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    spec: SpecArgs,
    /// Count the files of the records that are staged in this workspace.
    #[arg(long, value_name = "FILE")]
    workspace: Option<PathBuf>,
    /// Where the report goes; standard output without it. The ending says the format where `--format` does not: `.html`,
    /// `.md`, `.json`.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub fn run(args: &Args, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let ready = Project::load(&args.spec.spec)?.ready(terminal)?;
    let ledger = match &args.workspace {
        Some(path) => {
            let workspace = scope::open(path, &ready.source)?;
            Some(engine::count_files(&ready.plan, &workspace, &ready.source)?)
        }
        None => None,
    };
    let gaps = discovery::gaps(&ready.plan, &ready.source, ledger.as_deref());
    let shape = sheet::shape(terminal.findings, args.output.as_deref());
    sheet::write(shape, args.output.as_deref(), &gaps, |_| handover::gaps(&gaps), terminal)
}
