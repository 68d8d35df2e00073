//! `b2n extract`

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::lang::plan::Plan;
use crate::run::engine;
use crate::run::workspace::{Manifest, Seal, Verdict, Workspace};

use super::account::{self, Process};
use super::failure::Failure;
use super::project::Project;
use super::terminal::{Terminal, count};
use super::{Format, SpecArgs, WorkspaceArgs, files, portion};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    spec: SpecArgs,
    #[command(flatten)]
    workspace: WorkspaceArgs,
    #[command(flatten)]
    portion: portion::PortionArgs,
    /// Also download the files that staged records name, into this folder: each content once, under its hash, and a
    /// ledger of where each belongs. Goes on where an earlier run ended
    #[arg(long, value_name = "FOLDER", conflicts_with = "verify")]
    files: Option<PathBuf>,
    /// Extract nothing: read what is staged and hold it against the hashes of what arrived. Asks nobody
    #[arg(long)]
    verify: bool,
}

pub fn run(args: &Args, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let ready = Project::load(&args.spec.spec)?.ready(terminal)?;
    let path = args.workspace.path(&args.spec.spec);
    if args.verify {
        let workspace = Workspace::open_existing(&path)?;
        workspace.refuse_forgotten()?;
        return verify(&ready.plan, &workspace, terminal);
    }
    let asked = args.portion.portion(&ready.source)?;
    let process = Process::new()?;
    let source = process.source(&ready.plan.source.connector)?;
    let workspace = Workspace::open(&path)?;
    account::until_ctrl_c(process.clock.as_ref(), &workspace, terminal, async |outside| {
        let (plan, schema, source) = (&ready.plan, &ready.source, source.as_ref());
        engine::extract_portion(plan, schema, &asked, &workspace, source, &outside).await
    })?;
    let downloaded = match &args.files {
        Some(folder) => {
            let ended =
                account::until_ctrl_c(process.clock.as_ref(), &workspace, terminal, async |outside| {
                    let (plan, schema, source) = (&ready.plan, &ready.source, source.as_ref());
                    files::download(plan, schema, &workspace, source, folder, &outside).await
                })?;
            Some(ended?)
        }
        None => None,
    };
    let ledger = files::listed(&ready.plan, &workspace, &ready.source)?;
    let mut rows = Vec::new();
    for object in engine::objects(&ready.plan) {
        let manifest = workspace.manifest(object)?.unwrap_or_default();
        let seal = workspace.sealed(object)?.unwrap_or_default();
        rows.push((object, workspace.staged(object)?, manifest, seal, workspace.departed(object)?));
    }
    match terminal.format {
        Format::Human => {
            for (object, staged, manifest, _, departed) in &rows {
                let counted = match asked.is_whole() {
                    true => format!("{} counted by the source", count(manifest.counted.unwrap_or(0))),
                    false => "a part".to_owned(),
                };
                println!("{object}: {} staged, {counted}", count(*staged));
                if !departed.is_empty() {
                    println!(
                        "  {} deleted at the source while it was read, left out: {}",
                        count(departed.len() as u64),
                        departed.join(", ")
                    );
                }
            }
            match (&downloaded, &args.files) {
                (Some(downloaded), Some(folder)) => print!("{}", files::told(downloaded, folder)),
                _ => print!("{}", files::told_listed(&ledger)),
            }
            print!("{}", portion::told(&workspace, terminal)?);
            println!(
                "next: `b2n rehearse {} --workspace {}`",
                args.spec.spec.display(),
                workspace.path().display()
            );
        }
        Format::Json => {
            let row = |(object, staged, manifest, seal, departed): &(
                &str,
                u64,
                Manifest,
                Seal,
                Vec<String>,
            )| {
                json!({
                    "object": object, "staged": staged, "counted": manifest.counted.unwrap_or(0),
                    "fetched_ms": manifest.fetched_ms, "seal": seal_json(seal), "deleted_meanwhile": departed,
                })
            };
            let rows: Vec<_> = rows.iter().map(row).collect();
            println!(
                "{}",
                json!({
                    "format": "b2n-extract/1", "objects": rows, "part": portion::printed(&workspace)?,
                    "files": files::printed(&ledger, downloaded.as_ref(), args.files.as_deref()),
                })
            );
        }
    }
    let broken = downloaded.is_some_and(|downloaded| !downloaded.broken.is_empty());
    Ok(ExitCode::from(u8::from(broken)))
}

fn seal_json(seal: &Seal) -> Value {
    let (lowest, highest) = seal.range.clone().unzip();
    json!({"records": seal.records, "lowest": lowest, "highest": highest, "hash": seal.hash, "sealed_ms": seal.sealed_ms})
}

fn range(seal: &Seal) -> String {
    match &seal.range {
        Some((lowest, highest)) => format!("{} records, {lowest} to {highest}", count(seal.records)),
        None => "no records".to_owned(),
    }
}

/// Holds every object against what arrived; the first difference is named, and the others follow.
fn verify(plan: &Plan, workspace: &Workspace, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let mut verdicts = Vec::new();
    for object in engine::objects(plan) {
        verdicts.push((object, workspace.verify(object)?));
    }
    let sound = verdicts.iter().all(|(_, verdict)| matches!(verdict, Verdict::Same(_)));
    match terminal.format {
        Format::Human => {
            for (object, verdict) in &verdicts {
                match verdict {
                    Verdict::Same(seal) => {
                        println!("{object}: as it arrived, {}, hash {}", range(seal), &seal.hash[..12]);
                    }
                    Verdict::Unsealed => {
                        println!(
                            "{object}: not extracted to its end; run `b2n extract` without `--verify` first"
                        );
                    }
                    Verdict::Record { key } => println!("{object}: record {key} is not what arrived"),
                    Verdict::Stream { was, is } => {
                        println!("{object}: {} are staged, {} arrived", range(is), range(was));
                    }
                }
            }
            if verdicts.iter().any(|(_, v)| matches!(v, Verdict::Record { .. } | Verdict::Stream { .. })) {
                println!("next: take a backup of {}, or extract into a new one", workspace.path().display());
            }
        }
        Format::Json => {
            let row = |(object, verdict): &(&str, Verdict)| match verdict {
                Verdict::Same(seal) => json!({"object": object, "verdict": "same", "seal": seal_json(seal)}),
                Verdict::Unsealed => json!({"object": object, "verdict": "unsealed"}),
                Verdict::Record { key } => json!({"object": object, "verdict": "record", "key": key}),
                Verdict::Stream { was, is } => {
                    json!({"object": object, "verdict": "stream", "seal": seal_json(was), "found": seal_json(is)})
                }
            };
            let rows: Vec<_> = verdicts.iter().map(row).collect();
            println!("{}", json!({"format": "b2n-verify/1", "sound": sound, "objects": rows}));
        }
    }
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
