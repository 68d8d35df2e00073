//! `b2n draft`

use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

use crate::lang::check::profile::shipped;
use crate::lang::draft::{Draft, Input, draft};
use crate::lang::finding::{Severity, registry};
use crate::lang::schema::{Schema, snapshot};

use super::failure::{Failure, Kind};
use super::project::read_text;
use super::report;
use super::snapshot::write_beside;
use super::terminal::Terminal;

/// The profile that a draft refines.
const PROFILE: &str = "standard";

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The source's snapshot.
    #[arg(long, value_name = "FILE")]
    source: PathBuf,
    /// The destination's snapshot.
    #[arg(long, value_name = "FILE")]
    target: PathBuf,
    /// Who owns what nobody else does: the e-mail address of a destination user. Snapshots hold no addresses.
    #[arg(long, value_name = "EMAIL")]
    owner: String,
    /// Where the spec goes; standard output without it. A file that is there is not touched.
    #[arg(short, long, value_name = "SPEC")]
    output: Option<PathBuf>,
    /// Write no rule with a score below this, from 0 to 1.
    #[arg(long, value_name = "SCORE", default_value_t = 0.4, value_parser = share)]
    min: f64,
    /// The zone in which a date becomes an instant, such as `Europe/Berlin`.
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
    /// The country of phone numbers that are written without one.
    #[arg(long, value_name = "CODE", default_value = "US")]
    country: String,
    /// Write everything out instead of refining the shipped profile.
    #[arg(long)]
    no_profile: bool,
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if (0.0..=1.0).contains(&number) => Ok(number),
        _ => Err("a number from 0 to 1, such as 0.4".to_owned()),
    }
}

pub fn run(args: &Args, terminal: &Terminal) -> Result<ExitCode, Failure> {
    if let Some(output) = args.output.as_ref().filter(|output| output.exists()) {
        return Err(Failure::usage(format!("`{}` is there already", output.display()))
            .hint("name another file, and compare the two with `b2n diff`"));
    }
    let folder = args.output.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
    let source = read(&args.source, terminal)?;
    let target = read(&args.target, terminal)?;
    let (source_name, target_name) = (beside(&args.source, folder)?, beside(&args.target, folder)?);
    let draft = draft(&Input {
        source: &source,
        target: &target,
        source_name: &source_name,
        target_name: &target_name,
        owner: &args.owner,
        zone: args.zone.as_deref(),
        country: &args.country,
        min: args.min,
        profile: shipped(PROFILE).filter(|_| !args.no_profile).map(|text| (PROFILE, text)),
        today: jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date(),
    });
    match &args.output {
        Some(path) => write_beside(path, &draft.text, false)?,
        None => print!("{}", draft.text),
    }
    Ok(tell(args, &draft, terminal))
}

/// What was drafted, and what no way could settle: those stand in the file for a person.
fn tell(args: &Args, draft: &Draft, terminal: &Terminal) -> ExitCode {
    let name = args.output.as_ref().map_or("the draft".to_owned(), |path| format!("`{}`", path.display()));
    eprintln!(
        "{} {name}: {} proposed, {} dropped, {} left to decide",
        terminal.green("drafted"),
        draft.proposed,
        draft.dropped,
        draft.todo
    );
    let wrong: Vec<_> = draft
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error && finding.code != registry::TODO_OPEN)
        .collect();
    for finding in &wrong {
        eprintln!("{}: {}", finding.code, finding.message);
    }
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

fn read(path: &Path, terminal: &Terminal) -> Result<Schema, Failure> {
    let unread = || {
        Failure::new(Kind::Findings, format!("`{}` cannot be read as a snapshot", path.display()))
            .hint("take it again with `b2n snapshot`")
    };
    let text = match read_text(path)? {
        Ok(text) => text,
        Err(finding) => return Err(unread().hint(finding.message)),
    };
    snapshot::read(&text).map_err(|findings| {
        eprint!("{}", report::findings(&[(text.clone(), findings)], terminal));
        unread()
    })
}

/// A snapshot's name as the spec says it: its path from the spec's folder, below which it has to lie.
fn beside(path: &Path, folder: &Path) -> Result<String, Failure> {
    let full = |path: &Path| std::path::absolute(path).map_err(|error| Failure::file(path, &error));
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let (path_full, folder_full) = (full(path)?, full(folder)?);
    let name = path_full
        .strip_prefix(&folder_full)
        .ok()
        .filter(|name| name.components().all(|part| matches!(part, Component::Normal(_))));
    let name = name.ok_or_else(|| {
        Failure::usage(format!("`{}` lies outside the spec's folder", path.display()))
            .hint("keep snapshots in the spec's folder, so that CI finds them")
    })?;
    let parts: Vec<String> =
        name.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    Ok(parts.join("/"))
}
