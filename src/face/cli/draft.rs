//! `b2n draft`

use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

use crate::lang::check::profile::shipped;
use crate::lang::draft::{Draft, Input, Told, draft};
use crate::lang::finding::Finding;
use crate::lang::schema::{Schema, email_hash, snapshot};

use super::Format;
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
    /// Where the spec goes; standard output without it. A file that is there is not touched without `--force`.
    #[arg(short, long, value_name = "SPEC")]
    output: Option<PathBuf>,
    /// Write no rule with a score below this, from 0 to 1.
    #[arg(long, value_name = "SCORE", default_value_t = 0.4, value_parser = share)]
    min: f64,
    /// The zone in which a date becomes an instant, such as `Europe/Berlin`; the profile needs one.
    #[arg(long, value_name = "ZONE", required_unless_present = "no_profile")]
    zone: Option<String>,
    /// The country of phone numbers that are written without one.
    #[arg(long, value_name = "CODE", default_value = "US")]
    country: String,
    /// Write everything out instead of refining the shipped profile.
    #[arg(long)]
    no_profile: bool,
    /// Write over a file that is there.
    #[arg(long, requires = "output")]
    force: bool,
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if (0.0..=1.0).contains(&number) => Ok(number),
        _ => Err("a number from 0 to 1, such as 0.4".to_owned()),
    }
}

pub fn run(args: &Args, terminal: &Terminal) -> Result<ExitCode, Failure> {
    if let Some(output) = args.output.as_ref().filter(|output| !args.force && output.exists()) {
        return Err(Failure::usage(format!("`{}` is there already", output.display()))
            .hint("name another file and compare the two with `b2n diff`, or write over it with `--force`"));
    }
    let folder = args.output.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
    let source = read(&args.source, terminal)?;
    let target = read(&args.target, terminal)?;
    known(&args.owner, &target, &args.target)?;
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
        None if terminal.format == Format::Human => print!("{}", draft.text),
        None => {}
    }
    let wrong: Vec<&Finding> = draft.findings.iter().filter(|finding| finding.forbids_plan()).collect();
    match terminal.format {
        Format::Human => tell(args, &draft, &wrong, terminal),
        Format::Json => println!("{}", json(args, &draft, &wrong)),
    }
    Ok(if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// An owner whom the destination lacks would make every record's owner an error.
fn known(owner: &str, target: &Schema, path: &Path) -> Result<(), Failure> {
    let hash = email_hash(&target.salt, owner);
    let user = target.users.iter().find(|user| user.email_hash.as_ref() == Some(&hash));
    if target.users.is_empty() || user.is_some_and(|user| user.active) {
        return Ok(());
    }
    let what = if user.is_some() { "is switched off there" } else { "is no user there" };
    Err(Failure::usage(format!("`{owner}` {what}, says `{}`", path.display()))
        .hint("name an active user of the destination, or invite this one and take the snapshot again"))
}

/// What was drafted per object, what no way could settle, and what comes next; all of it beside the spec, which may go
/// to standard output.
fn tell(args: &Args, draft: &Draft, wrong: &[&Finding], terminal: &Terminal) {
    let name = args.output.as_ref().map_or("a spec".to_owned(), |path| format!("`{}`", path.display()));
    eprintln!(
        "{} {name}: {} proposed, {} dropped, {} left to decide",
        terminal.green("drafted"),
        draft.proposed,
        draft.dropped,
        draft.todo
    );
    let width = draft.objects.iter().map(|told| told.object.chars().count()).max().unwrap_or(0);
    let added = |told: &&Told| told.proposed + told.dropped + told.todo > 0;
    for told in draft.objects.iter().filter(added) {
        let to = if told.to.is_empty() { "the profile's notes".to_owned() } else { told.to.join(", ") };
        eprintln!(
            "  {:<width$}  -> {to}: {} proposed, {} dropped, {} left to decide",
            told.object, told.proposed, told.dropped, told.todo
        );
    }
    let rest = draft.objects.iter().filter(|told| !added(told)).count();
    if rest > 0 {
        eprintln!("  and {rest} as the profile has them");
    }
    for object in &draft.left {
        eprintln!("  {object:<width$}  has no place yet: a comment at the end of the spec tells its fields");
    }
    for finding in wrong {
        eprintln!("{}: {}", finding.code, finding.message);
    }
    if !wrong.is_empty() && !args.no_profile {
        eprintln!("where the profile does not fit the destination, `--no-profile` writes everything out");
    }
    if let Some(path) = &args.output {
        let lock = if args.no_profile { "" } else { " --update-lock" };
        eprintln!(
            "next: read each line, settle each `todo`, remove the words `proposed SCORE` of what is right, and see"
        );
        eprintln!("  b2n check{lock} {}", path.display());
    }
}

fn json(args: &Args, draft: &Draft, wrong: &[&Finding]) -> serde_json::Value {
    let counts = |proposed: usize, dropped: usize, todo: usize| serde_json::json!({ "proposed": proposed, "dropped": dropped, "todo": todo });
    let objects: Vec<serde_json::Value> = draft
        .objects
        .iter()
        .map(|told| {
            let counts = counts(told.proposed, told.dropped, told.todo);
            serde_json::json!({ "object": told.object, "to": told.to, "counts": counts })
        })
        .collect();
    let wrong: Vec<String> =
        wrong.iter().map(|finding| format!("{}: {}", finding.code, finding.message)).collect();
    serde_json::json!({
        "format": "b2n-draft/1",
        "counts": counts(draft.proposed, draft.dropped, draft.todo),
        "objects": objects,
        "without_place": draft.left,
        "errors": wrong,
        "spec": args.output.is_none().then_some(&draft.text),
    })
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
