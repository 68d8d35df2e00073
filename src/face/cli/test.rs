//! `b2n test`: fixtures, every row, golden files; coverage.

use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

use crate::lang::finding::{Finding, registry as codes};
use crate::lang::plan::{Certificate, Plan};
use crate::lang::suite::{self, Exercised, Input, golden};
use crate::lang::syntax::ast::{Golden, Item, Name};
use crate::run::connect;

use super::failure::{Failure, Kind};
use super::project::{Project, Ready};
use super::terminal::Terminal;
use super::tested::{Covered, Outcome, Tests};
use super::{Format, SpecArgs, report, transform};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    spec: SpecArgs,
    /// Only tests whose name holds this, in any case.
    #[arg(value_name = "PATTERN")]
    pattern: Option<String>,
    /// Write what comes out into the golden files, and tell what changed.
    #[arg(long)]
    accept: bool,
    /// Print which rules, arms and rows of the spec the tests exercise.
    #[arg(long)]
    coverage: bool,
    /// With --coverage: count the lines of profiles too.
    #[arg(long, requires = "coverage")]
    profiles: bool,
    /// With --coverage: fail where less than this share is exercised.
    #[arg(long, value_name = "SHARE", requires = "coverage", value_parser = share)]
    fail_under: Option<f64>,
}

fn share(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').parse::<f64>() {
        Ok(share) if (0.0..=100.0).contains(&share) => Ok(share),
        _ => Err("a share from 0% to 100%, such as 80%".to_owned()),
    }
}

pub fn run(args: &Args, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let project = Project::load(&args.spec.spec)?;
    let (Some(plan), Some(source), Some(target)) = (&project.plan, &project.source, &project.target) else {
        return not_checked(&project, terminal);
    };
    let pattern = args.pattern.as_deref().map(str::to_lowercase);
    let wanted = |name: &str| pattern.as_ref().is_none_or(|pattern| name.to_lowercase().contains(pattern));
    let input = Input { spec: &project.spec, text: &project.text, plan: Some(plan), source, target };
    let mut done = suite::run(input, &wanted);
    let mut tests = Tests::new(&project, plan);
    done.tests.iter().for_each(|tested| tests.add(Outcome::of(tested)));
    for item in &project.spec.items {
        let Item::Golden(item) = item else { continue };
        let name = format!("golden {}", item.output.value);
        if !wanted(&name) {
            continue;
        }
        match golden_file(&project, input, plan, item, args, &mut done.exercised) {
            Ok(compared) if compared.accepted => {
                tests.add(Outcome::accepted(name, item.output.span, compared.lines, compared.changes));
            }
            Ok(compared) => {
                tests.add(Outcome::compared(name, item.output.span, compared.lines, compared.changes));
            }
            Err(Wrong::Finding(finding)) => tests.add(Outcome::unreadable(name, item.output.span, *finding)),
            Err(Wrong::Failure(failure)) => return Err(failure),
        }
    }
    if tests.is_empty() && args.pattern.is_some() {
        return Err(Failure::usage("no test has such a name")
            .hint(format!("see all of them with `b2n test {}`", project.text.name())));
    }
    let covered = args.coverage.then(|| {
        let all = suite::coverage(input, plan, &done.exercised);
        let profiles = plan.files.get(1).map_or(u32::MAX, |file| file.first_line);
        let counted = if args.profiles { all } else { all.of(|line| line < profiles) };
        Covered { counted, least: args.fail_under }
    });
    let passes = tests.pass() && !covered.as_ref().is_some_and(Covered::is_under);
    tests.print(terminal, covered.as_ref());
    Ok(ExitCode::from(u8::from(!passes)))
}

fn not_checked(project: &Project, terminal: &Terminal) -> Result<ExitCode, Failure> {
    if let Some(text) = terminal.findings.report(&project.findings, false) {
        print!("{text}");
        return Ok(ExitCode::from(1));
    }
    if terminal.format == Format::Human {
        eprint!("{}", report::findings(&project.findings, terminal));
    }
    Err(Failure::new(Kind::Findings, format!("`{}` does not check, so no test was run", project.text.name()))
        .hint(format!("see every finding with `b2n check {}`", project.text.name())))
}

/// What came of a golden file.
struct Compared {
    accepted: bool,
    changes: Vec<String>,
    lines: usize,
}

enum Wrong {
    Finding(Box<Finding>),
    Failure(Failure),
}

/// A golden file that cannot be compared.
fn wrong(name: &Name, why: &str, help: String) -> Wrong {
    let message = format!("golden file `{}` {why}", name.value);
    Wrong::Finding(Box::new(
        Finding::new(codes::GOLDEN_UNREADABLE, message).at(name.span, "this file").help(help),
    ))
}

/// A path below the project's folder, links followed as far as it exists.
fn inside(folder: &Path, name: &Name) -> Result<PathBuf, Wrong> {
    let path = Path::new(&name.value);
    let outside = || {
        wrong(
            name,
            "lies outside the spec's folder",
            "keep it in the spec's folder, so that CI finds it".to_owned(),
        )
    };
    if path.is_absolute() || path.components().any(|part| part == Component::ParentDir) {
        return Err(outside());
    }
    let root = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let full = folder.join(path);
    let there = full.ancestors().find_map(|path| path.canonicalize().ok());
    match (root.canonicalize(), there) {
        (Ok(root), Some(there)) if !there.starts_with(&root) => Err(outside()),
        _ => Ok(full),
    }
}

fn golden_file(
    project: &Project,
    input: Input<'_>,
    plan: &Plan,
    item: &Golden,
    args: &Args,
    exercised: &mut Exercised,
) -> Result<Compared, Wrong> {
    let folder = args.spec.spec.parent().unwrap_or(Path::new(""));
    let accept = args.accept;
    let (from, output) = (inside(folder, &item.input)?, inside(folder, &item.output)?);
    let records = std::fs::read(&from).map_err(|error| {
        wrong(
            &item.input,
            &format!("cannot be read: {error}"),
            "put records there, one JSON object per line".to_owned(),
        )
    })?;
    let got = produced(project, input, plan, item, &records, exercised)?;
    let known = match std::fs::read_to_string(&output) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && accept => None,
        Err(error) => {
            return Err(wrong(
                &item.output,
                &format!("cannot be read: {error}"),
                "write it with `b2n test SPEC --accept`, and look at it before it is committed".to_owned(),
            ));
        }
    };
    let changes = match &known {
        None => vec![format!("`{}` is new: {} lines", item.output.value, got.len())],
        Some(text) => match golden::compare(text, &got) {
            Ok(changes) => changes.iter().map(ToString::to_string).collect(),
            Err(why) if accept => vec![format!("was no NDJSON: {why}")],
            Err(why) => {
                let help = "mend the line, or write the file again with `b2n test SPEC --accept`".to_owned();
                return Err(wrong(&item.output, &format!("is no NDJSON: {why}"), help));
            }
        },
    };
    let accepted = accept && !changes.is_empty();
    if accepted {
        replace(&output, &golden::text(&got)).map_err(Wrong::Failure)?;
    }
    Ok(Compared { accepted, changes, lines: got.len() })
}

/// What the maps from the golden's source to its target make of its records, a line each.
fn produced(
    project: &Project,
    input: Input<'_>,
    plan: &Plan,
    item: &Golden,
    records: &[u8],
    exercised: &mut Exercised,
) -> Result<Vec<serde_json::Value>, Wrong> {
    let object = &item.source.name.value;
    let maps: Vec<&str> = plan
        .maps
        .iter()
        .filter(|map| map.source == *object && map.target == item.target.value)
        .map(|map| map.name.as_str())
        .collect();
    if maps.is_empty() {
        let finding = Finding::new(codes::UNKNOWN_MAP, format!("no map `{object} -> {}`", item.target.value))
            .at(item.span, "nothing comes out of this")
            .help("name the two objects of a map of the spec");
        return Err(Wrong::Finding(Box::new(finding)));
    }
    let decoder = connect::decoder(&plan.source.connector, input.source, object)
        .map_err(|why| Wrong::Failure(Failure::usage(why)))?;
    for line in records.split(|byte| *byte == b'\n').filter(|line| !line.iter().all(u8::is_ascii_whitespace))
    {
        // A line that cannot be read is told among the lines that come out.
        if let Ok(record) = decoder.decode(line) {
            suite::exercise(input, plan, object, record, exercised);
        }
    }
    let mut lines = Vec::new();
    for map in &maps {
        let ready = Ready {
            plan: plan.clone(),
            certificate: Certificate::new(plan, &project.text),
            source: input.source.clone(),
            target: input.target.clone(),
        };
        let out = transform::lines(ready, map, records.to_vec()).map_err(Wrong::Failure)?;
        let read = out.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let read = read.filter_map(|line| serde_json::from_slice::<serde_json::Value>(line).ok());
        // A record that another of several maps takes is that one's.
        lines.extend(read.filter(|line| maps.len() == 1 || line["outcome"] != "elsewhere"));
    }
    Ok(lines)
}

/// Writes a file as a whole or not at all.
fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| Failure::file(folder, &error))?;
    }
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    std::fs::write(&new, text).map_err(|error| Failure::file(&new, &error))?;
    std::fs::rename(&new, path).map_err(|error| Failure::file(path, &error))
}
