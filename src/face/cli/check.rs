//! `b2n check`

use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::lang::finding;
use crate::lang::finding::{Applicability, fix::apply};

use super::failure::Failure;
use super::project::Project;
use super::terminal::Terminal;
use super::{Format, SpecArgs, report};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    spec: SpecArgs,
    /// Let warnings fail the check too.
    #[arg(long)]
    deny_warnings: bool,
    /// Apply every fix that needs no person to read it, then check again.
    #[arg(long)]
    fix: bool,
}

pub fn run(args: &Args, terminal: &Terminal) -> Result<ExitCode, Failure> {
    if args.fix {
        fix(&args.spec.spec)?;
    }
    let project = Project::load(&args.spec.spec)?;
    let (errors, warnings) = project.counts();
    match terminal.format {
        Format::Human => {
            print!("{}", report::findings(&project.findings, terminal));
            if let Some(plan) = &project.plan {
                let hash = plan.hash();
                println!(
                    "{} {}: {} maps, {} rules",
                    terminal.green("checks"),
                    project.text.name(),
                    plan.maps.len(),
                    plan.maps.iter().map(|map| map.rules.len()).sum::<usize>()
                );
                println!("  plan   {}", &hash[..16]);
                println!(
                    "  schema {} {}, {} {}",
                    plan.source.connector,
                    short(&plan.source.schema),
                    plan.target.connector,
                    short(&plan.target.schema)
                );
            }
        }
        Format::Json => {
            let files: Vec<Value> = project
                .findings
                .iter()
                .map(|(text, findings)| {
                    serde_json::from_str(&finding::json::render(findings, text)).unwrap_or(Value::Null)
                })
                .collect();
            println!(
                "{}",
                json!({
                    "format": "b2n-check/1", "spec": project.text.name(), "checks": project.plan.is_some(),
                    "errors": errors, "warnings": warnings, "plan": project.plan.as_ref().map(|plan| plan.hash()),
                    "files": files,
                })
            );
        }
    }
    let failed = errors > 0 || project.plan.is_none() || (args.deny_warnings && warnings > 0);
    Ok(ExitCode::from(u8::from(failed)))
}

/// Applies certain fixes until none is left; a fix may uncover another finding.
fn fix(path: &Path) -> Result<(), Failure> {
    for _ in 0..10 {
        let project = Project::load(path)?;
        let Some((text, findings)) = project.findings.first() else { return Ok(()) };
        let fixed = apply(text, findings, Applicability::Safe);
        if fixed.applied == 0 {
            return Ok(());
        }
        super::fmt::replace(path, &fixed.text)?;
        eprintln!("applied {} fixes to {}", fixed.applied, path.display());
    }
    Ok(())
}

fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}
