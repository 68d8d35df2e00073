//! `b2n status`

use std::process::ExitCode;

use serde_json::json;

use crate::run::engine::{MapReport, Standing};
use crate::run::workspace::{Side, Workspace};

use super::failure::Failure;
use super::project::Project;
use super::terminal::{Terminal, count, moment};
use super::{Format, SpecArgs, WorkspaceArgs, approve, cutover, portion, report, rollback};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    spec: SpecArgs,
    #[command(flatten)]
    workspace: WorkspaceArgs,
}

pub fn run(args: &Args, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let ready = Project::load(&args.spec.spec)?.ready(terminal)?;
    let workspace = Workspace::open_existing(&args.workspace.path(&args.spec.spec))?;
    let maps: Vec<MapReport> = crate::run::engine::standing(&ready.plan, &workspace)?;
    let source = workspace.pinned(Side::Source)?;
    let target = workspace.pinned(Side::Target)?;
    let (aliases, wiped) = (workspace.aliases(Side::Source)?, workspace.forgotten_ms()?);
    let unsettled = workspace.unsettled()?;
    let rolled = Standing::of(&workspace)?;
    let approved = workspace.approval(&ready.certificate.plan)?;
    let confirmed = crate::run::engine::confirmed_items(&workspace)?;
    let mut staged = Vec::new();
    for object in crate::run::engine::objects(&ready.plan) {
        let manifest = workspace.manifest(object)?;
        staged.push((
            object.to_owned(),
            workspace.staged(object)?.saturating_sub(workspace.gone(object)?),
            manifest.is_some_and(|manifest| manifest.done),
        ));
    }
    match terminal.format {
        Format::Human => {
            println!("{} {}", terminal.bold("workspace"), workspace.path().display());
            println!("  source      {}", source.as_deref().unwrap_or("not met yet"));
            println!("  destination {}", target.as_deref().unwrap_or("not met yet"));
            if !aliases.is_empty() {
                println!("  renamed     the source is also called {}", aliases.join(", "));
            }
            if let Some(upgraded) = workspace.take_upgraded() {
                println!(
                    "  upgraded    from layout {}; what it was is kept in {}",
                    upgraded.from,
                    upgraded.backup.display()
                );
            }
            if let Some(wiped) = wiped {
                println!(
                    "  wiped       {}: nothing goes on from here; `b2n audit {}` prints its log",
                    moment(wiped),
                    args.spec.spec.display()
                );
            }
            match &approved {
                Some(approval) => println!("  approved    {}", approve::line(approval)),
                None => println!(
                    "  approved    not yet: `b2n approve {}` shows what there is to approve",
                    args.spec.spec.display()
                ),
            }
            if !confirmed.is_empty() {
                println!("  confirmed   {}", confirmed.join(", "));
            }
            if let Some(frozen) = workspace.frozen_ms()? {
                println!("  frozen      the source, at {}", moment(frozen));
            }
            for (object, records, done) in &staged {
                let state = if *done { "whole" } else { "not whole yet: `b2n extract` goes on" };
                println!("  staged      {object}: {} records, {state}", count(*records));
            }
            print!("{}", portion::told(&workspace, terminal)?);
            print!("{}", report::books(&maps, terminal));
            print!("{}", report::reasons(&maps, &workspace, terminal)?);
            if let Some(rolled) = &rolled {
                println!("{}", rollback::standing(rolled, &args.spec.spec));
            }
            print!("{}", cutover::alarm(&workspace, &args.spec.spec, terminal)?);
            if unsettled > 0 {
                println!(
                    "{} writes were under way when the last run ended; the next run settles them by their markers",
                    count(unsettled)
                );
            }
        }
        Format::Json => {
            let staged: Vec<_> = staged
                .iter()
                .map(|(object, records, whole)| json!({"object": object, "records": records, "whole": whole}))
                .collect();
            println!(
                "{}",
                json!({
                    "format": "b2n-status/1", "workspace": workspace.path().display().to_string(), "source": source, "aliases": aliases, "wiped_ms": wiped,
                    "target": target, "approved": approved.as_ref().map(approve::approval_json), "confirmed": confirmed, "staged": staged, "maps": report::books_json(&maps, &workspace)?,
                    "writes_unsettled": unsettled, "rollback": rolled.as_ref().map(rollback::standing_json),
                    "freeze": cutover::printed(&workspace)?, "part": portion::printed(&workspace)?,
                })
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}
