//! `b2n drift`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::lang::check::Input;
use crate::lang::drift::{self, Drift, Newer};
use crate::lang::finding::{Applicability, Finding, Severity, human};
use crate::lang::schema::{Schema, snapshot};
use crate::lang::syntax::ast;
use crate::lang::text::SourceText;

use super::account::Process;
use super::cache::Cache;
use super::diff::wrapped;
use super::failure::{Failure, Kind};
use super::findings::Shape;
use super::fixing;
use super::progress::Shown;
use super::project::{Project, read_text};
use super::snapshot::{Taken, take_source, take_target, write_beside};
use super::terminal::Terminal;
use super::{SpecArgs, report};

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("newer").required(true).multiple(true))]
pub struct Args {
    #[command(flatten)]
    spec: SpecArgs,
    /// A newer snapshot of the source.
    #[arg(long, value_name = "FILE", group = "newer", conflicts_with = "live")]
    source: Option<PathBuf>,
    /// A newer snapshot of the destination.
    #[arg(long, value_name = "FILE", group = "newer", conflicts_with = "live")]
    target: Option<PathBuf>,
    /// Ask both live accounts instead of reading files.
    #[arg(long, group = "newer")]
    live: bool,
    /// With --live: read no records, so that counts stay those of the old snapshot.
    #[arg(long, requires = "live")]
    no_statistics: bool,
    /// Accept what changed: write the newer snapshots over those that the spec names.
    #[arg(long)]
    update: bool,
    /// With --update: then apply every safe fix to the spec.
    #[arg(long, requires = "update")]
    fix: bool,
    /// Let warnings make the exit code 1 too.
    #[arg(long)]
    deny_warnings: bool,
}

/// A newer snapshot, and how it is written.
enum Fresh {
    Read(Box<Schema>),
    Live(Box<Taken>),
}

impl Fresh {
    fn schema(&self) -> &Schema {
        match self {
            Fresh::Read(schema) => schema,
            Fresh::Live(taken) => &taken.schema,
        }
    }

    fn write(&self, path: &Path) -> Result<(), Failure> {
        match self {
            Fresh::Read(schema) => write_beside(path, &snapshot::write(schema), false),
            Fresh::Live(taken) => taken.write(path).map(|_| ()),
        }
    }
}

pub fn run(args: &Args, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let project = Project::load(&args.spec.spec)?;
    let (Some(source), Some(target)) = (&project.source, &project.target) else {
        print!("{}", report::findings(&project.findings, terminal));
        return Err(Failure::new(
            Kind::Findings,
            format!("`{}` has no two snapshots to compare with", project.text.name()),
        )
        .hint(format!("see every finding with `b2n check {}`", project.text.name())));
    };
    let (new_source, new_target) = newer(args, source, target, terminal)?;
    let spec = &project.spec;
    let (source_name, target_name) = (snapshot_name(spec, true), snapshot_name(spec, false));
    let input = Input {
        spec,
        text: &project.text,
        source: Some(source),
        target: Some(target),
        source_hash: "",
        target_hash: "",
        source_name: &source_name,
        target_name: &target_name,
        today: jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date(),
        broken: &[],
    };
    let newer = Newer {
        source: new_source.as_ref().map(Fresh::schema),
        target: new_target.as_ref().map(Fresh::schema),
    };
    let drift = drift::drift(&input, newer);
    match terminal.findings {
        Shape::Json => println!("{}", drift::json::render(&drift, &project.text)),
        Shape::Markdown => print!("{}", drift::markdown::render(&drift, &project.text)),
        _ => show(&drift, &project.text, terminal),
    }
    let folder = args.spec.spec.parent().unwrap_or(Path::new(""));
    if args.update {
        for (fresh, name) in [(&new_source, &source_name), (&new_target, &target_name)] {
            if let Some(fresh) = fresh {
                let path = folder.join(name);
                fresh.write(&path)?;
                eprintln!("{} {}", terminal.green("updated"), path.display());
            }
        }
        if args.fix {
            for line in
                fixing::fix(&args.spec.spec, &Cache::from_environment(), Applicability::Safe, false)?.lines
            {
                eprintln!("{} {line}", terminal.green("fixed"));
            }
            // What is left is what a person has to settle.
            let (errors, warnings) = Project::load(&args.spec.spec)?.counts();
            return Ok(ExitCode::from(u8::from(errors > 0 || (args.deny_warnings && warnings > 0))));
        }
    }
    let failed =
        drift.count(Severity::Error) > 0 || (args.deny_warnings && drift.count(Severity::Warning) > 0);
    Ok(ExitCode::from(u8::from(failed)))
}

fn newer(
    args: &Args,
    source: &Schema,
    target: &Schema,
    terminal: &Terminal,
) -> Result<(Option<Fresh>, Option<Fresh>), Failure> {
    if args.live {
        let process = Process::new()?;
        let progress = Shown::new(*terminal);
        let mut taken =
            take_source(&process, &source.connector, &source.salt, !args.no_statistics, &progress)?;
        if args.no_statistics {
            taken.schema = statistics_of(taken.schema, source);
        }
        let mut newer = take_target(&process, &target.connector, &target.salt)?;
        newer.schema.keep_answers_of(target);
        return Ok((Some(Fresh::Live(Box::new(taken))), Some(Fresh::Live(Box::new(newer)))));
    }
    let read = |path: &Option<PathBuf>, old: &Schema| -> Result<Option<Fresh>, Failure> {
        path.as_ref()
            .map(|path| read(path, old, terminal).map(|schema| Fresh::Read(Box::new(schema))))
            .transpose()
    };
    Ok((read(&args.source, source)?, read(&args.target, target)?))
}

/// A schema without statistics of its own, with those of an older one.
fn statistics_of(new: Schema, old: &Schema) -> Schema {
    let taken = new.taken;
    Schema { taken, ..crate::lang::schema::drift::refreshed(&new, old) }
}

fn read(path: &Path, old: &Schema, terminal: &Terminal) -> Result<Schema, Failure> {
    let text = match read_text(path)? {
        Ok(text) => text,
        Err(finding) => return Err(Failure::usage(finding.message)),
    };
    match snapshot::read(&text) {
        Ok(schema) if schema.connector != old.connector => Err(Failure::usage(format!(
            "`{}` is a snapshot of `{}`, not of `{}`",
            path.display(),
            schema.connector,
            old.connector
        ))
        .hint("name the newer snapshot of the same system")),
        Ok(mut schema) => {
            schema.keep_answers_of(old);
            Ok(schema)
        }
        Err(findings) => {
            eprint!("{}", report::findings(&[(text, findings)], terminal));
            Err(Failure::usage(format!("`{}` is no snapshot that this version reads", path.display()))
                .hint("take it again with `b2n snapshot`"))
        }
    }
}

fn snapshot_name(spec: &ast::Spec, source: bool) -> String {
    let found = spec.items.iter().find_map(|item| match item {
        ast::Item::Source(system) if source => Some(system),
        ast::Item::Target(system) if !source => Some(system),
        _ => None,
    });
    found.map(|system| system.snapshot.value.clone()).unwrap_or_default()
}

fn show(drift: &Drift, text: &SourceText, terminal: &Terminal) {
    let findings = |findings: &[Finding]| print!("{}", human::render(findings, text, terminal.style()));
    if drift.entries.is_empty() && drift.is_clean() {
        println!("{} the systems are as the snapshots have them", terminal.green("no drift"));
        return;
    }
    let (hitting, silent): (Vec<_>, Vec<_>) = drift.entries.iter().partition(|entry| entry.hits_something());
    for entry in hitting {
        print!("{}", terminal.bold(&wrapped(&drift::words(entry), "", "  ", terminal.width)));
        for owner in &entry.owners {
            print!("{}", wrapped(owner, "  ", "    ", terminal.width));
        }
        findings(&entry.hits);
        println!();
    }
    for (title, list) in [
        ("claims about data that no longer hold", &drift.claims),
        ("what several differences do together", &drift.together),
    ] {
        if !list.is_empty() {
            println!("{}", terminal.bold(title));
            findings(list);
            println!();
        }
    }
    if !silent.is_empty() {
        println!("{}", terminal.bold("differences that hit no rule"));
        for entry in silent {
            print!("{}", wrapped(&drift::words(entry), "  ", "    ", terminal.width));
        }
    }
    let (errors, warnings) = (drift.count(Severity::Error), drift.count(Severity::Warning));
    if errors + warnings == 0 {
        println!("{} no rule is hit; accept with `--update`", terminal.green("fine"));
    } else {
        println!(
            "{errors} errors, {warnings} warnings; accept the newer snapshots with `--update`, then settle them"
        );
    }
}
