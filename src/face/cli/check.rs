//! `b2n check`

use std::process::ExitCode;

use clap::ValueEnum;
use serde_json::json;

use crate::lang::check;
use crate::lang::plan::Certificate;

use super::cache::Cache;
use super::failure::Failure;
use super::fixing::{self, Fixed};
use super::project::Project;
use super::terminal::Terminal;
use super::{Format, SpecArgs, findings, report};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    spec: SpecArgs,
    /// Let warnings fail the check too.
    #[arg(long)]
    deny_warnings: bool,
    /// Print findings alone, and nothing at all where there are none; what was accepted, the summary and the certificate
    /// stay away.
    #[arg(short, long)]
    quiet: bool,
    /// Apply fixes, then check again: `safe` ones decide nothing that the author has not decided, `likely` ones are
    /// probably what is meant and want to be read afterwards. Fixes with blanks are left to a person.
    #[arg(
        long,
        value_enum,
        value_name = "LEVEL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "safe"
    )]
    fix: Option<Level>,
    /// With --fix: show the edits and write nothing.
    #[arg(long, requires = "fix")]
    diff: bool,
    /// Read the snapshots' YAML again instead of what an earlier run kept of it in the user's cache folder.
    #[arg(long)]
    no_cache: bool,
    /// Print where every item and line comes from: the spec, a profile, or neither any more.
    #[arg(long)]
    explain_profile: bool,
    /// Pin the profiles as they are now in `b2n.lock` beside the spec, then check.
    #[arg(long)]
    update_lock: bool,
    #[command(flatten)]
    fuzz: super::fuzz::FuzzArgs,
}

/// Which fixes are applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Level {
    /// Those that a program may apply unread.
    Safe,
    /// Those, and those that are probably what is meant.
    Likely,
}

impl Level {
    fn applicability(self) -> crate::lang::finding::Applicability {
        match self {
            Level::Safe => crate::lang::finding::Applicability::Safe,
            Level::Likely => crate::lang::finding::Applicability::Likely,
        }
    }
}

pub fn run(args: &Args, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let cache = if args.no_cache { Cache::none() } else { Cache::from_environment() };
    if args.update_lock && super::profiles::update_lock(&args.spec.spec)? {
        eprintln!("{} {}", terminal.green("pinned"), super::profiles::LOCK);
    }
    let mut fixed = Fixed::default();
    if let Some(level) = args.fix {
        fixed = fixing::fix(&args.spec.spec, &cache, level.applicability(), args.diff)?;
        if args.diff {
            return Ok(show_diff(&fixed, args, terminal));
        }
        for line in &fixed.lines {
            eprintln!("{} {line}", terminal.green("fixed"));
        }
    }
    let project = Project::load_with(&args.spec.spec, &cache)?;
    let (errors, warnings) = project.counts();
    if args.explain_profile {
        let explained = super::profiles::Explained {
            text: project.text,
            layers: project.layers,
            inactive: project.inactive,
        };
        match terminal.format {
            Format::Human => print!("{}", explained.human()),
            Format::Json => println!("{}", explained.json()),
        }
        return Ok(ExitCode::from(u8::from(errors > 0)));
    }
    let failed = errors > 0 || project.plan.is_none() || (args.deny_warnings && warnings > 0);
    if let Some(text) = terminal.findings.report(&project.findings, args.deny_warnings) {
        print!("{text}");
        return Ok(ExitCode::from(u8::from(failed)));
    }
    match terminal.format {
        Format::Human => {
            print!("{}", report::findings(&project.findings, terminal));
            if args.quiet {
                return Ok(ExitCode::from(u8::from(failed)));
            }
            print!("{}", super::profiles::accepted_lines(&project.accepted, &project.text));
            if let Some(plan) = &project.plan {
                let many = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
                let rules = plan.maps.iter().map(|map| map.rules.len()).sum::<usize>()
                    + plan.flattens.iter().map(|flatten| flatten.rules.len()).sum::<usize>();
                println!(
                    "{} {}: {}, {}",
                    terminal.green("checks"),
                    project.text.name(),
                    many(plan.maps.len(), "map"),
                    many(rules, "rule"),
                );
                print!("{}", check::fidelity_text(&project.fidelity, terminal.width));
                print!("{}", report::certificate(&Certificate::new(plan, &project.text)));
            }
        }
        Format::Json => {
            let certificate = project.certificate();
            println!(
                "{}",
                json!({
                    "format": "b2n-check/1", "spec": project.text.name(), "checks": project.plan.is_some(),
                    "errors": errors, "warnings": warnings, "plan": certificate.as_ref().map(|certificate| &certificate.plan), "certificate": certificate,
                    "files": findings::json(&project.findings), "fixed": fixed.lines,
                    "accepted": super::profiles::accepted_json(&project.accepted, &project.text),
                    "fidelity": project.plan.as_ref().map(|plan| report::fidelity_json(plan, &project.fidelity)),
                })
            )
        }
    }
    if let (Some(cases), false) = (args.fuzz.fuzz, failed)
        && let (Some(plan), Some(source), Some(target)) = (&project.plan, &project.source, &project.target)
    {
        return super::fuzz::run(plan, (source, target), cases, args.fuzz.seed, terminal);
    }
    Ok(ExitCode::from(u8::from(failed)))
}

/// What `--fix --diff` would change. As for `fmt --check`, a change is exit code 1.
fn show_diff(fixed: &Fixed, args: &Args, terminal: &Terminal) -> ExitCode {
    let name = args.spec.spec.display().to_string();
    let diff = super::patch::unified(&name, &fixed.before, &fixed.after);
    match terminal.format {
        Format::Human => print!("{diff}"),
        Format::Json => {
            println!("{}", json!({"format": "b2n-fix/1", "spec": name, "fixes": fixed.lines, "diff": diff}))
        }
    }
    ExitCode::from(u8::from(fixed.before != fixed.after))
}
