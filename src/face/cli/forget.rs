//! `b2n forget`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;

use crate::run::engine::Standing;
use crate::run::workspace::{self, Workspace};

use super::Format;
use super::failure::Failure;
use super::terminal::{Terminal, asked, count};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The spec whose workspace it is, or the workspace itself.
    #[arg(value_name = "SPEC|WORKSPACE")]
    of: PathBuf,
    /// The workspace; by default beside the spec, with the ending `.b2nw`.
    #[arg(long, value_name = "FILE")]
    workspace: Option<PathBuf>,
    /// Remove the workspace whole: the audit log and the id map go too.
    #[arg(long)]
    whole: bool,
    /// Do it without asking.
    #[arg(long)]
    yes: bool,
}

pub fn run(args: &Args, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let path = match &args.workspace {
        Some(path) => path.clone(),
        None if args.of.extension().is_some_and(|ending| ending == "b2n") => args.of.with_extension("b2nw"),
        None => args.of.clone(),
    };
    let workspace = Workspace::open_existing(&path)?;
    let told = Told::of(&workspace, &path, args.whole)?;
    if terminal.format == Format::Human {
        print!("{}", told.text(terminal));
    }
    if !args.yes {
        ask(&path, terminal)?;
    }
    let removed = if args.whole {
        workspace.remove()?
    } else {
        workspace.forget(jiff::Timestamp::now().as_millisecond())?
    };
    match terminal.format {
        Format::Human => {
            for file in &removed {
                println!("removed {}", file.display());
            }
            let done = if args.whole { "the workspace is gone" } else { "the personal data is wiped" };
            println!("{}", terminal.green(done));
        }
        Format::Json => println!("{}", told.json(&removed)),
    }
    Ok(ExitCode::SUCCESS)
}

/// What a person is told before anything is wiped.
struct Told {
    workspace: PathBuf,
    whole: bool,
    found: workspace::Forgotten,
    writes: u64,
    unsettled: u64,
    rollback_open: bool,
    already: bool,
    older: Vec<PathBuf>,
    /// What this command leaves alone.
    elsewhere: Vec<PathBuf>,
}

impl Told {
    fn of(workspace: &Workspace, path: &Path, whole: bool) -> Result<Told, Failure> {
        let older = workspace::backups(path).map_err(|error| Failure::file(path, &error))?;
        let exports = workspace.exports()?.into_iter().filter(|file| file.exists());
        let rollback = Standing::of(workspace)?;
        Ok(Told {
            workspace: path.to_owned(),
            whole,
            found: workspace.personal()?,
            writes: workspace.all_writes()?,
            unsettled: workspace.unsettled()?,
            rollback_open: rollback.is_some_and(|rollback| rollback.rollback.ended_ms.is_none()),
            already: workspace.forgotten_ms()?.is_some(),
            older,
            elsewhere: exports.chain(addresses(path)).collect(),
        })
    }

    fn text(&self, terminal: &Terminal) -> String {
        let mut lines = vec![format!("{} {}", terminal.bold("workspace"), self.workspace.display())];
        lines.push("wiped:".to_owned());
        let workspace::Forgotten { staged, before, texts, others } = self.found;
        lines.push(format!("  {} records of the source, as they were staged", count(staged)));
        lines.push(format!(
            "  {} records of the destination, as they were before they were changed",
            count(before)
        ));
        lines.push(format!("  {} reasons and answers, which may quote values", count(texts)));
        lines.push(format!(
            "  {} rows of other tables: hashes of fields, links that wait, flags, decisions",
            count(others)
        ));
        for file in &self.older {
            lines.push(format!("  the older file {}", file.display()));
        }
        if self.whole {
            lines.push(format!(
                "  the audit log of {} writes, the id map, and the file itself",
                count(self.writes)
            ));
        } else {
            lines.push(format!(
                "stays: the audit log of {} writes without reasons (ids, times, hashes), the id map, the counts, the accounts, the plan",
                count(self.writes)
            ));
        }
        lines.push("afterwards nothing goes on from this workspace:".to_owned());
        lines.push("  `b2n migrate` does not resume, and what is held back cannot be tried again".to_owned());
        lines.push(
            "  `b2n rollback` is not possible: nobody could tell what people changed, and what was there before cannot get its \
             former values back"
                .to_owned(),
        );
        lines.push("  `b2n reconcile` has nothing to compare with".to_owned());
        if self.whole {
            lines.push(
                "  a new workspace is refused by an account that holds records of this one, since it would make them twice"
                    .to_owned(),
            );
        }
        if self.unsettled > 0 {
            lines.push(terminal.red(&format!(
                "{} writes were under way when the last run ended: run `b2n migrate SPEC` first, or nobody will know what became of them",
                count(self.unsettled)
            )));
        }
        if self.rollback_open {
            lines.push(
                terminal
                    .red("a rollback is not through: run `b2n rollback SPEC` first, or it stays half done"),
            );
        }
        if self.already {
            lines.push("it was wiped before".to_owned());
        }
        if !self.elsewhere.is_empty() {
            lines.push("not wiped, and to be deleted by hand where nobody needs it:".to_owned());
            lines.extend(self.elsewhere.iter().map(|file| format!("  {}", file.display())));
        }
        lines.push(
            "out of reach: copies that people or backup programs made, and what file systems and disks keep of overwritten files"
                .to_owned(),
        );
        lines.iter().map(|line| format!("{line}\n")).collect()
    }

    fn json(&self, removed: &[PathBuf]) -> serde_json::Value {
        let shown =
            |files: &[PathBuf]| -> Vec<String> { files.iter().map(|f| f.display().to_string()).collect() };
        json!({
            "format": "b2n-forget/1", "workspace": self.workspace.display().to_string(), "whole": self.whole,
            "wiped": {
                "staged": self.found.staged, "before": self.found.before, "texts": self.found.texts,
                "others": self.found.others,
            },
            "removed": shown(removed), "elsewhere": shown(&self.elsewhere),
        })
    }
}

/// Files with users' addresses, which stand beside snapshots.
fn addresses(path: &Path) -> Vec<PathBuf> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut found: Vec<PathBuf> = [folder.to_owned(), folder.join("schema")]
        .iter()
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|file| file.file_name().is_some_and(|name| name.to_string_lossy().ends_with("users.yaml")))
        .collect();
    found.sort();
    found
}

/// Wants a person's word.
fn ask(path: &Path, terminal: &Terminal) -> Result<(), Failure> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if !terminal.attended {
        return Err(Failure::usage("wiping wants to be confirmed; nothing was wiped")
            .hint("add `--yes` when this is the workspace to wipe"));
    }
    if asked(&format!("type `{name}` to wipe it: "))? == name {
        Ok(())
    } else {
        Err(Failure::usage("that is not its name; nothing was wiped")
            .hint("type the name of the file, or add `--yes`"))
    }
}
