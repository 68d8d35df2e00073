//! `b2n inventory`

use std::path::PathBuf;
use std::process::ExitCode;

use crate::face::report::handover::{Inventory, inventory};

use super::account::{Process, runtime};
use super::failure::Failure;
use super::sheet;
use super::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the list goes; standard output without it. The ending says the format where `--format` does not: `.html`,
    /// `.md`, `.json`.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub fn run(args: &Args, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let process = Process::new()?;
    let found = runtime()?.block_on(async {
        let source = process.source("bitrix24")?;
        let account = source.account().await?;
        let automation = source.automation().await?;
        Ok::<_, Failure>(Inventory {
            format: "b2n-inventory/1",
            account: account.id,
            taken: jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date(),
            automation,
        })
    })?;
    let shape = sheet::shape(terminal.findings, args.output.as_deref());
    sheet::write(shape, args.output.as_deref(), &found, |_| inventory(&found), terminal)
}
