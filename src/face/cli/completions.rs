//! `b2n completions` and `b2n man`

use std::process::ExitCode;

use clap_complete::Shell;

use super::failure::Failure;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    clap_complete::generate(args.shell, &mut super::command(), "b2n", &mut std::io::stdout());
    Ok(ExitCode::SUCCESS)
}

pub fn man() -> Result<ExitCode, Failure> {
    let mut out = Vec::new();
    let written = clap_mangen::Man::new(super::command()).render(&mut out).and_then(|()| {
        for sub in super::command().get_subcommands() {
            let named = sub.clone().display_name(format!("b2n-{}", sub.get_name()));
            clap_mangen::Man::new(named).render(&mut out)?;
        }
        std::io::Write::write_all(&mut std::io::stdout(), &out)
    });
    written.map(|()| ExitCode::SUCCESS).map_err(|error| Failure::outside(format!("standard output: {error}")))
}
