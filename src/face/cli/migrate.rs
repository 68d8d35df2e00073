//! `b2n migrate`

use std::io::{BufRead, Write};
use std::process::ExitCode;

use serde_json::json;

use crate::lang::plan::{Certificate, Plan};
use crate::run::connect::Account;
use crate::run::engine::RunReport;
use crate::run::workspace::Workspace;

use super::account::{self, Live};
use super::failure::{Failure, Kind};
use super::project::Project;
use super::terminal::{Terminal, duration};
use super::{Format, PaceArgs, SpecArgs, WorkspaceArgs, report};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    spec: SpecArgs,
    #[command(flatten)]
    workspace: WorkspaceArgs,
    #[command(flatten)]
    pace: PaceArgs,
    /// Write into the account with this id without asking.
    #[arg(long, value_name = "ID")]
    yes_into: Option<String>,
}

pub fn run(args: &Args, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let ready = Project::load(&args.spec.spec)?.ready(terminal)?;
    decided(&ready.plan)?;
    let live = Live::from_environment(&ready, args.pace.pace())?;
    let workspace = Workspace::open(&args.workspace.path(&args.spec.spec))?;
    let (_, target) =
        account::block_on(&live, &ready, &workspace, terminal, async |engine| engine.bind().await)?;
    if workspace.writes()? == 0 {
        confirm(args.yes_into.as_deref(), &target, terminal, &FIRST_WRITE)?;
    }
    hold(&ready.certificate, &workspace, terminal)?;
    let _destination = account::lock_destination(&target)?;
    let run = account::block_on(&live, &ready, &workspace, terminal, async |engine| engine.migrate().await)?;
    show(&run, &workspace, terminal)?;
    Ok(ExitCode::from(u8::from(!run.closes() || run.held_back() > 0)))
}

/// A plan in which a person still has to decide something is not carried out in a real account.
pub fn decided(plan: &Plan) -> Result<(), Failure> {
    const SHOWN: usize = 10;
    if plan.open.is_empty() {
        return Ok(());
    }
    let word = if plan.open.len() == 1 { "decision is" } else { "decisions are" };
    let mut failure =
        Failure::new(Kind::Findings, format!("{} {word} still open; nothing was written", plan.open.len()));
    for open in plan.open.iter().take(SHOWN) {
        let (file, line) = plan.place(open.line);
        failure = failure.hint(format!("{file}:{line}: `{}` is `{}`", open.what, open.kind));
    }
    if plan.open.len() > SHOWN {
        failure = failure.hint(format!("and {} more", plan.open.len() - SHOWN));
    }
    Err(failure.hint("settle each `todo`, and remove the words `proposed SCORE` of what was read; `b2n rehearse` runs as it is"))
}

/// Prints the certificate and keeps it with the workspace; tells when a run under another one was begun there.
///
/// Whether another plan may go on is the engine's word: it refuses one once records were written.
fn hold(certificate: &Certificate, workspace: &Workspace, terminal: &Terminal) -> Result<(), Failure> {
    const NOTE: &str = "certificate";
    if terminal.format == Format::Human {
        print!("{}", report::certificate_line(certificate));
    }
    let kept: Option<Certificate> = workspace.note(NOTE)?.and_then(|kept| serde_json::from_str(&kept).ok());
    let begun = workspace.writes()? > 0;
    if let Some(kept) = kept.filter(|kept| begun && kept != certificate) {
        let short = |hash: &str| hash.chars().take(16).collect::<String>();
        eprintln!(
            "this workspace was begun under certificate {} (plan {}); the spec now has {} (plan {})",
            short(&kept.certificate),
            short(&kept.plan),
            short(&certificate.certificate),
            short(&certificate.plan)
        );
        if kept.plan != certificate.plan {
            return Ok(());
        }
    }
    let json = serde_json::to_string(certificate).unwrap_or_default();
    workspace.set_note(NOTE, &json)?;
    Ok(())
}

/// How a person is asked for a word.
pub struct Asked {
    /// What is about to happen, without the account.
    pub what: &'static str,
    /// The sentence before the account's name.
    pub before: &'static str,
    /// What the account is for.
    pub goal: &'static str,
}

const FIRST_WRITE: Asked =
    Asked { what: "the first write into", before: "records will be written into", goal: "write into" };

/// The first write into an account wants a person's word, and so does taking records away.
pub fn confirm(
    yes_into: Option<&str>,
    target: &Account,
    terminal: &Terminal,
    asked: &Asked,
) -> Result<(), Failure> {
    let hint = format!("add `--yes-into {}` when this is the account to {}", target.id, asked.goal);
    match yes_into {
        Some(id) if id == target.id => return Ok(()),
        Some(id) => {
            return Err(Failure::usage(format!(
                "--yes-into names `{id}`, but `{}` ({}) answers; nothing was written",
                target.id, target.name
            ))
            .hint(hint));
        }
        None => {}
    }
    if !terminal.attended {
        return Err(Failure::usage(format!(
            "{} `{}` ({}) wants to be confirmed; nothing was written",
            asked.what, target.name, target.id
        ))
        .hint(hint));
    }
    eprint!(
        "{} {} (account {}); type the account's id to go on: ",
        asked.before,
        terminal.bold(&target.name),
        target.id
    );
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(|error| Failure::outside(format!("standard input: {error}")))?;
    if answer.trim() == target.id {
        Ok(())
    } else {
        Err(Failure::new(Kind::Usage, "that is not the account's id; nothing was written").hint(hint))
    }
}

/// Prints what a run came to.
pub fn show(run: &RunReport, workspace: &Workspace, terminal: &Terminal) -> Result<(), Failure> {
    match terminal.format {
        Format::Human => {
            print!("{}", report::books(&run.maps, terminal));
            print!("{}", report::reasons(&run.maps, workspace, terminal)?);
            let verdict = if run.closes() {
                terminal.green("every record is accounted for")
            } else {
                terminal.red("the books do not close")
            };
            println!("{verdict}, in {}", duration(run.took_ms as f64 / 1000.0));
        }
        Format::Json => println!(
            "{}",
            json!({
                "format": "b2n-run/1", "closes": run.closes(), "took_ms": run.took_ms,
                "maps": report::books_json(&run.maps, workspace)?,
            })
        ),
    }
    Ok(())
}
