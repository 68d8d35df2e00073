//! `b2n completions` and `b2n man`

use std::io::Write;
use std::path::PathBuf;
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

#[derive(Debug, clap::Args)]
pub struct ManArgs {
    /// Write a page for each command into this folder; it is made where it is not there.
    #[arg(short, long, value_name = "FOLDER")]
    output: Option<PathBuf>,
}

/// Prints the manual, or writes it in pages.
pub fn man(args: &ManArgs) -> Result<ExitCode, Failure> {
    let pages = pages().map_err(|error| Failure::outside(format!("the manual: {error}")))?;
    match &args.output {
        None => {
            let mut out = std::io::stdout().lock();
            for (_, page) in &pages {
                out.write_all(page).map_err(|error| Failure::outside(format!("standard output: {error}")))?;
            }
        }
        Some(folder) => {
            std::fs::create_dir_all(folder).map_err(|error| Failure::file(folder, &error))?;
            for (name, page) in &pages {
                let file = folder.join(format!("{name}.1"));
                std::fs::write(&file, page).map_err(|error| Failure::file(&file, &error))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Each page by its name, that of the whole program first.
fn pages() -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let render = |command: clap::Command| {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page).map(|()| page)
    };
    let whole = super::command();
    let mut pages = vec![("b2n".to_owned(), render(whole.clone())?)];
    for sub in whole.get_subcommands() {
        let name = format!("b2n-{}", sub.get_name());
        pages.push((name.clone(), render(sub.clone().display_name(name))?));
    }
    Ok(pages)
}
