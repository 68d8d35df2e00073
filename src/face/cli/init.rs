//! `b2n init`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::failure::Failure;
use super::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder to make.
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

const SPEC: &str = include_str!("../../../specs/starter.b2n");

const IGNORE: &str = "# Personal data stays on this machine.\n*.b2nw*\nusers.yaml\n*.users.yaml\n";

const READ_ME: &str = "# This migration

1. Set the credentials: `B2N_BITRIX24_WEBHOOK` (the whole address of an inbound webhook of an administrator),
   `B2N_NUTSHELL_USER` and `B2N_NUTSHELL_KEY`.
2. Take both snapshots, in this folder: `b2n snapshot bitrix24 -o schema/bitrix24.yaml` and
   `b2n snapshot nutshell -o schema/nutshell.yaml`. They hold no personal data and belong into version control.
3. `b2n check migration.b2n` tells everything that is still undecided. Decide it, rule by rule.
4. `b2n rehearse migration.b2n` runs the whole move without touching either account.
5. `b2n migrate migration.b2n` does it.
";

pub fn run(args: &Args, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let folder = &args.folder;
    if folder.exists()
        && std::fs::read_dir(folder).map_err(|error| Failure::file(folder, &error))?.next().is_some()
    {
        return Err(Failure::usage(format!("`{}` is there and not empty", folder.display()))
            .hint("name a folder that is not there yet: nothing is overwritten"));
    }
    std::fs::create_dir_all(folder.join("schema")).map_err(|error| Failure::file(folder, &error))?;
    for (name, text) in [("migration.b2n", SPEC), (".gitignore", IGNORE), ("README.md", READ_ME)] {
        write_new(&folder.join(name), text)?;
    }
    println!("{} {}", terminal.green("made"), folder.display());
    println!("next: set the credentials, then take both snapshots from inside the folder:");
    println!("  cd {}", folder.display());
    println!("  b2n snapshot bitrix24 -o schema/bitrix24.yaml");
    println!("  b2n snapshot nutshell -o schema/nutshell.yaml");
    println!("  b2n check migration.b2n");
    Ok(ExitCode::SUCCESS)
}

fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| Failure::file(path, &error))
}
