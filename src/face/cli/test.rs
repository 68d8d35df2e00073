//! `b2n test`: fixtures, every row, golden files; coverage.

use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;

use crate::lang::finding::{Finding, registry as codes};
use crate::lang::plan::{Certificate, Plan};
use crate::lang::suite::{self, Coverage, Exercised, Input, Tested, golden};
use crate::lang::syntax::ast::{Golden, Item, Name};
use crate::run::connect;

use super::failure::{Failure, Kind};
use super::project::{Project, Ready};
use super::terminal::Terminal;
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
    /// Print which rules, arms and rows the tests exercise.
    #[arg(long)]
    coverage: bool,
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

/// The most changes of a golden file that are printed.
const SHOWN: usize = 20;

pub fn run(args: &Args, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let mut project = Project::load(&args.spec.spec)?;
    let (Some(plan), Some(source), Some(target)) = (&project.plan, &project.source, &project.target) else {
        return not_checked(&project, terminal);
    };
    let pattern = args.pattern.as_deref().map(str::to_lowercase);
    let wanted = |name: &str| pattern.as_ref().is_none_or(|pattern| name.to_lowercase().contains(pattern));
    let input = Input { spec: &project.spec, text: &project.text, plan: Some(plan), source, target };
    let mut done = suite::run(input, &wanted);
    let mut findings: Vec<Finding> = done.tests.iter().flat_map(Tested::findings).collect();
    let mut outcomes: Vec<Outcome> = done.tests.iter().map(Outcome::of).collect();
    let folder = args.spec.spec.parent().unwrap_or(Path::new("")).to_owned();
    for item in &project.spec.items {
        let Item::Golden(item) = item else { continue };
        let name = format!("golden {}", item.output.value);
        if !wanted(&name) {
            continue;
        }
        let mut outcome = Outcome { name, ..Outcome::default() };
        match golden_file(&project, plan, item, &folder, args.accept, &mut done.exercised) {
            Ok(Compared { accepted, changes, lines }) => {
                outcome.checks = lines;
                outcome.accepted = accepted;
                outcome.notes = changes;
                outcome.passes = accepted || outcome.notes.is_empty();
                if !outcome.passes {
                    let message = format!("test \"{}\" fails", outcome.name);
                    let finding = Finding::new(codes::TEST_FAILS, message)
                        .at(item.output.span, "not what comes out")
                        .help("mend the rule, or take the new lines over with `b2n test --accept`");
                    let shown = outcome.notes.iter().take(SHOWN);
                    findings.push(shown.fold(finding, |finding, note| finding.note(note.clone())));
                }
            }
            Err(Wrong::Finding(finding)) => {
                outcome.notes.push(finding.message.clone());
                findings.push(*finding);
            }
            Err(Wrong::Failure(failure)) => return Err(failure),
        }
        outcomes.push(outcome);
    }
    if outcomes.is_empty() && pattern.is_some() {
        return Err(Failure::usage("no test of this name").hint("run `b2n test SPEC` to see all of them"));
    }
    let coverage = args.coverage.then(|| suite::coverage(plan, &done.exercised));
    let passed = outcomes.iter().filter(|outcome| outcome.passes).count();
    let under =
        coverage.as_ref().zip(args.fail_under).is_some_and(|(coverage, least)| coverage.per_cent() < least);
    let failed = passed < outcomes.len() || under;
    print(args, terminal, &mut project, &outcomes, findings, coverage.as_ref());
    Ok(ExitCode::from(u8::from(failed)))
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

/// What is printed of a test.
#[derive(Debug, Default)]
struct Outcome {
    name: String,
    passes: bool,
    accepted: bool,
    /// Expectations, rows or lines.
    checks: usize,
    notes: Vec<String>,
}

impl Outcome {
    fn of(tested: &Tested) -> Outcome {
        let mut notes = Vec::new();
        for failure in &tested.failures {
            notes.push(failure.message.clone());
            notes.extend(failure.diff.iter().map(|mismatch| format!("  {mismatch}")));
            notes.extend(failure.notes.iter().map(|note| format!("  {note}")));
        }
        Outcome {
            name: tested.name.clone(),
            passes: tested.passes(),
            accepted: false,
            checks: tested.checks,
            notes,
        }
    }
}

fn print(
    args: &Args,
    terminal: &Terminal,
    project: &mut Project,
    outcomes: &[Outcome],
    findings: Vec<Finding>,
    coverage: Option<&Coverage>,
) {
    if let Some(plain) = project.findings.first_mut() {
        plain.1.extend(findings);
        if let Some(text) = terminal.findings.report(&project.findings, false) {
            print!("{text}");
            return;
        }
    }
    let passed = outcomes.iter().filter(|outcome| outcome.passes).count();
    let failed = outcomes.len() - passed;
    if terminal.format == Format::Json {
        let tests: Vec<_> = outcomes
            .iter()
            .map(|one| {
                json!({
                    "name": one.name, "passes": one.passes, "accepted": one.accepted,
                    "checks": one.checks, "notes": one.notes,
                })
            })
            .collect();
        println!(
            "{}",
            json!({
                "format": "b2n-test/1", "spec": project.text.name(), "passed": passed, "failed": failed,
                "tests": tests, "coverage": coverage.map(|c| coverage_json(c, project)),
                "files": super::findings::json(&project.findings),
            })
        );
        return;
    }
    for one in outcomes {
        let (yes, no) = if terminal.unicode { ("✓", "✗") } else { ("ok  ", "FAIL") };
        let mark = if one.passes { terminal.green(yes) } else { terminal.red(no) };
        let how = if one.accepted { ", accepted" } else { "" };
        println!("{mark} {} ({}{how})", one.name, one.checks);
        for note in one.notes.iter().take(SHOWN) {
            println!("    {note}");
        }
        if one.notes.len() > SHOWN {
            println!("    … and {} more", one.notes.len() - SHOWN);
        }
    }
    let summary = format!("{passed} passed, {failed} failed");
    println!("{}", if failed == 0 { terminal.green(&summary) } else { terminal.red(&summary) });
    if let (Some(coverage), Some(plan)) = (coverage, &project.plan) {
        coverage_table(coverage, plan, args.fail_under, terminal);
    }
}

fn coverage_table(coverage: &Coverage, plan: &Plan, least: Option<f64>, terminal: &Terminal) {
    let rows: Vec<Vec<String>> = [("rules", "rule"), ("arms", "arm"), ("rows", "row")]
        .into_iter()
        .map(|(name, kind)| {
            let (covered, all) = coverage.count(Some(kind));
            vec![name.to_owned(), covered.to_string(), all.to_string()]
        })
        .collect();
    print!("{}", terminal.table(&["coverage", "exercised", "of"], &rows));
    for part in coverage.parts.iter().filter(|part| !part.covered) {
        let (file, line) = plan.place(part.line);
        println!("  {file}:{line}  {} not exercised", part.what);
    }
    let share = format!("{:.1}% exercised", coverage.per_cent());
    match least {
        Some(least) if coverage.per_cent() < least => {
            println!("{}, less than {least}%", terminal.red(&share));
        }
        _ => println!("{share}"),
    }
}

fn coverage_json(coverage: &Coverage, project: &Project) -> serde_json::Value {
    let parts: Vec<_> = coverage
        .parts
        .iter()
        .map(|part| {
            let (file, line) = match &project.plan {
                Some(plan) => plan.place(part.line),
                None => ("", part.line),
            };
            json!({"kind": part.kind, "what": part.what, "file": file, "line": line, "covered": part.covered})
        })
        .collect();
    let (covered, all) = coverage.count(None);
    json!({"covered": covered, "all": all, "per_cent": coverage.per_cent(), "parts": parts})
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
    plan: &Plan,
    item: &Golden,
    folder: &Path,
    accept: bool,
    exercised: &mut Exercised,
) -> Result<Compared, Wrong> {
    let (input, output) = (inside(folder, &item.input)?, inside(folder, &item.output)?);
    let records = std::fs::read(&input).map_err(|error| {
        wrong(
            &item.input,
            &format!("cannot be read: {error}"),
            "put records there, one JSON object per line".to_owned(),
        )
    })?;
    let got = produced(project, plan, item, &records, exercised)?;
    let known = match std::fs::read_to_string(&output) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && accept => None,
        Err(error) => {
            return Err(wrong(
                &item.output,
                &format!("cannot be read: {error}"),
                "write it with `b2n test --accept`, and look at it before it is committed".to_owned(),
            ));
        }
    };
    let changes = match &known {
        None => vec![format!("`{}` is new: {} lines", item.output.value, got.len())],
        Some(text) => match golden::compare(text, &got) {
            Ok(changes) => changes.iter().map(ToString::to_string).collect(),
            Err(why) if accept => vec![format!("was no NDJSON: {why}")],
            Err(why) => {
                let help = "mend the line, or write the file again with `b2n test --accept`".to_owned();
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
    let (Some(source), Some(target)) = (&project.source, &project.target) else { return Ok(Vec::new()) };
    if maps.is_empty() {
        let finding = Finding::new(codes::UNKNOWN_MAP, format!("no map `{object} -> {}`", item.target.value))
            .at(item.span, "nothing comes out of this")
            .help("name the two objects of a map of the spec");
        return Err(Wrong::Finding(Box::new(finding)));
    }
    let decoder = connect::decoder(&plan.source.connector, source, object)
        .map_err(|why| Wrong::Failure(Failure::usage(why)))?;
    for line in records.split(|byte| *byte == b'\n').filter(|line| !line.iter().all(u8::is_ascii_whitespace))
    {
        // A line that cannot be read is told among the lines that come out.
        if let Ok(record) = decoder.decode(line) {
            suite::exercise(plan, object, record, exercised);
        }
    }
    let mut lines = Vec::new();
    for map in &maps {
        let ready = Ready {
            plan: plan.clone(),
            certificate: Certificate::new(plan, &project.text),
            source: source.clone(),
            target: target.clone(),
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
